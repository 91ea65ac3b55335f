//! Functions on dates of 2.0.

use jiff::Zoned;

use super::super::error::{Fault, Found};
use super::super::filters::dates;
use super::super::invoke::{Call, Row, row};
use super::super::value::Value;
use crate::java::dates::day_constant;
use crate::java::holidays::{self, Unknown};

/// The functions of this file.
pub const ROWS: &[Row] = &[
    row("dayOfWeek", &["date"], |call| Ok(Value::word(day_constant(date(&call)?.weekday())))),
    row("hourOfDay", &["date"], |call| Ok(Value::Int(date(&call)?.hour().into()))),
    row("dayOfMonth", &["date"], |call| Ok(Value::Int(date(&call)?.day().into()))),
    row("monthOfYear", &["date"], |call| Ok(Value::Int(date(&call)?.month().into()))),
    row("isWeekend", &["date"], |call| Ok(Value::Bool(date(&call)?.weekday().to_monday_zero_offset() >= 5))),
    row("isDayWeekInMonth", &["date", "dayOfWeek", "dayInMonth"], day_week_in_month),
    row("isPublicHoliday", &["date", "countryCode", "subDivision"], public_holiday),
];

fn date(call: &Call<'_, '_>) -> Found<Zoned> {
    match call.argument("date") {
        Some(value) => dates::converted(call, value),
        None => Err(Fault::unsupported("a function on a date without one is not simulated")),
    }
}

/// Its errors are those of the source of 2.0.
fn public_holiday(call: Call<'_, '_>) -> Found<Value> {
    let wants = |what: &str| call.fault(&format!("The 'isPublicHoliday()' function expects a '{what}' argument."));
    if call.argument("date").is_none() {
        return Err(wants("date"));
    }
    let country = call.text("countryCode")?.ok_or_else(|| wants("countryCode"))?;
    let division = call.text("subDivision")?.filter(|division| !division.trim().is_empty());
    match holidays::is_holiday(date(&call)?.date(), country, division, true) {
        Ok(is) => Ok(Value::Bool(is)),
        Err(Unknown::Country) => Err(call.fault("Cannot instantiate configuration from URL 'null'.")),
        Err(Unknown::NotSimulated) => {
            Err(Fault::unsupported(format!("`isPublicHoliday` of the country {country} is not simulated")))
        }
    }
}

fn day_week_in_month(call: Call<'_, '_>) -> Found<Value> {
    let date = date(&call)?;
    let (Some(day), Some(place)) = (call.text("dayOfWeek")?, call.text("dayInMonth")?) else {
        return Err(Fault::unsupported("`isDayWeekInMonth` without a day and its place is not simulated"));
    };
    let number = (date.day() - 1) / 7;
    let right_place = match place {
        "FIRST" => number == 0,
        "SECOND" => number == 1,
        "THIRD" => number == 2,
        "FOURTH" => number == 3,
        "LAST" => date.day() + 7 > date.days_in_month(),
        _ => return Err(Fault::unsupported(format!("`{place}` in `isDayWeekInMonth` is not simulated"))),
    };
    Ok(Value::Bool(right_place && day_constant(date.weekday()) == day))
}
