//! Filters on dates.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

use super::super::error::{Fault, Found, class};
use super::super::invoke::{Call, Row, row};
use super::super::value::Value;
use crate::java::dates::{self, DateError, Item, Locale};
use crate::java::parse;

/// The filters of this file.
pub const ROWS: &[Row] = &[
    row("date", &["format", "timeZone", "existingFormat", "locale"], |call| match &call.input {
        Value::Null => Ok(Value::Null),
        input => formatted(&call, &converted(&call, input)?),
    }),
    row("dateAdd", &["amount", "unit", "format", "timeZone", "existingFormat", "locale"], date_add),
    row("timestamp", STAMP, |call| stamp(&call, |at| Some(at.as_second()))),
    row("timestampMilli", STAMP, |call| stamp(&call, |at| Some(at.as_millisecond()))),
    row("timestampMicro", STAMP, |call| {
        // The first version with this filter multiplies with a wrong factor.
        let factor = call.run.dialect.micro_factor;
        stamp(&call, |at| at.as_second().checked_mul(factor)?.checked_add((at.subsec_nanosecond() / 1_000).into()))
    }),
    row("timestampNano", STAMP, |call| stamp(&call, |at| i64::try_from(at.as_nanosecond()).ok())),
];

const STAMP: &[&str] = &["timeZone", "existingFormat"];

/// Formats with a name, as patterns; those without one are Java's own formatters.
const NAMED: &[(&str, &str)] = &[
    ("iso", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"),
    ("iso_sec", "yyyy-MM-dd'T'HH:mm:ssXXX"),
    ("sql", "yyyy-MM-dd HH:mm:ss.SSSSSS"),
    ("iso_local_date", "yyyy-MM-dd"),
    ("iso_date", "yyyy-MM-dd+"),
    ("iso_ordinal_date", "yyyy-DDD+"),
    ("iso_local_time", "t"),
    ("iso_time", "t+"),
    ("iso_offset_time", "t+"),
    ("iso_local_date_time", "yyyy-MM-dd'T't"),
    ("iso_date_time", "yyyy-MM-dd'T't+z"),
    ("iso_zoned_date_time", "yyyy-MM-dd'T't+z"),
];
const MILLI: &[(&str, &str)] = &[
    ("iso_milli", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"),
    ("sql_milli", "yyyy-MM-dd HH:mm:ss.SSS"),
    ("sql_sec", "yyyy-MM-dd HH:mm:ss"),
];
const OLD: &[(&str, &str)] = &[("sql_seq", "yyyy-MM-dd HH:mm:ss")];

fn told(error: DateError) -> Box<Fault> {
    match error {
        DateError::Illegal(message) => Fault::java(class::ARGUMENT, message),
        DateError::Unsupported(message) => Fault::unsupported(message),
    }
}

/// The zone asked for, or the server's.
fn zone(call: &Call<'_, '_>) -> Found<TimeZone> {
    let Some(name) = call.text("timeZone")? else { return Ok(call.run.host.zone.clone()) };
    if name == "Z" {
        return Ok(TimeZone::UTC);
    }
    let found = name.contains('/').then(|| TimeZone::get(name).ok()).flatten();
    if let Some(found) = found.or_else(|| (name == "UTC").then_some(TimeZone::UTC)) {
        return Ok(found);
    }
    // Names without a slash that Java knows too: GMT, CET and the like; offsets have forms of their own.
    match TimeZone::get(name) {
        Ok(found) if !name.starts_with(['+', '-']) => Ok(found),
        _ if name.starts_with(['+', '-']) || name.starts_with("UTC") || name.starts_with("GMT") => {
            Err(Fault::unsupported(format!("the time zone `{name}` is not simulated: names of regions and UTC are")))
        }
        _ => Err(Fault::java("java.time.zone.ZoneRulesException", format!("Unknown time-zone ID: {name}"))),
    }
}

/// A date in the format, zone and locale that are asked for.
pub fn formatted(call: &Call<'_, '_>, date: &Zoned) -> Found<Value> {
    let format = call.text("format")?.unwrap_or("iso");
    let locale = match call.text("locale")? {
        Some(tag) => Locale::named(tag).map_err(told)?,
        None => Locale::server(),
    };
    let date = dates::at_zone(date.timestamp(), &zone(call)?);
    let text = match format {
        "full" | "long" | "medium" | "short" => dates::styled(format, &date, locale).map_err(told)?,
        "iso_instant" => Value::Instant(date.timestamp()).java_text(),
        "iso_week_date" => format!("{}{}", dates::week_date(&date), offset(&date)),
        "rfc_1123_date_time" => rfc_1123(&date)?,
        _ => match named(call, format) {
            Some(pattern) => by_name(pattern, &date, locale)?,
            None => dates::format(&dates::pattern(format).map_err(told)?, &date, locale).map_err(told)?,
        },
    };
    Value::text(text)
}

/// The pattern of a format with a name in this version.
fn named(call: &Call<'_, '_>, format: &str) -> Option<&'static str> {
    let more = if call.run.dialect.milli_formats { MILLI } else { OLD };
    NAMED.iter().chain(more).find(|row| row.0 == format).map(|row| row.1)
}

/// A pattern in which a lone `t` stands for the time, `+` for the offset and `z` for the region.
fn by_name(pattern: &str, date: &Zoned, locale: &Locale) -> Found<String> {
    let mut rest = pattern;
    let (mut region, mut shift, mut time) = (String::new(), String::new(), String::new());
    if let Some(before) = rest.strip_suffix('z') {
        rest = before;
        if let Some(name) = date.time_zone().iana_name() {
            region = format!("[{name}]");
        }
    }
    if let Some(before) = rest.strip_suffix('+') {
        rest = before;
        shift = offset(date);
    }
    if let Some(before) = rest.strip_suffix('t') {
        rest = before;
        time = clock(date.time());
    }
    let day = dates::format(&dates::pattern(rest).map_err(told)?, date, locale).map_err(told)?;
    Ok(day + &time + &shift + &region)
}

/// Hours to seconds, and what is behind them.
fn clock(time: Time) -> String {
    let text = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    let digits = format!("{:09}", time.subsec_nanosecond());
    match digits.trim_end_matches('0') {
        "" => text,
        digits => format!("{text}.{digits}"),
    }
}

fn offset(date: &Zoned) -> String {
    super::super::dates::offset_text(date.offset(), "Z")
}

fn rfc_1123(date: &Zoned) -> Found<String> {
    let items = dates::pattern("EEE, d MMM yyyy HH:mm:ss ").map_err(told)?;
    let text = dates::format(&items, date, Locale::server()).map_err(told)?;
    let zone = super::super::dates::offset_text(date.offset(), "GMT").replace(':', "");
    Ok(text + &zone)
}

/// What Kestra takes for a date: a date of Java's, seconds, or a text.
pub fn converted(call: &Call<'_, '_>, value: &Value) -> Found<Zoned> {
    let zone = zone(call)?;
    let ambiguous = |at: jiff::civil::DateTime| {
        at.to_zoned(zone.clone()).map_err(|_| Fault::unsupported("a date outside the years 1 to 9999 is not simulated"))
    };
    match value {
        Value::Instant(instant) => Ok(dates::at_zone(*instant, &zone)),
        Value::Zoned(zoned) => Ok(zoned.as_ref().clone()),
        Value::DateTime(at) => ambiguous(*at),
        Value::Date(date) => ambiguous(date.at(12, 0, 0, 0)),
        Value::Long(number) => numbered(*number, call.run.dialect.dates_by_digits).map(|at| dates::at_zone(at, &zone)),
        Value::Text(text) => match call.text("existingFormat")? {
            None => match parse::zoned(text) {
                Ok(zoned) => Ok(zoned),
                Err(_) => match parse::local(text) {
                    Ok(at) => ambiguous(at),
                    Err(_) => ambiguous(parse::day(text).map_err(|unread| unparsed(unread, text))?.at(0, 0, 0, 0)),
                },
            },
            Some(format) => {
                let items = items_of(call, format)?;
                let Some(parts) = parse::by_pattern(&items, text) else {
                    let message = format!("reading a date by the pattern `{format}` is not simulated");
                    return Err(Fault::unsupported(message));
                };
                let parts = parts.map_err(|unread| unparsed(unread, text))?;
                let Some(date) = parts.date else {
                    let message =
                        format!("reading a date by the pattern `{format}`, which has no date, is not simulated");
                    return Err(Fault::unsupported(message));
                };
                let at = date.to_datetime(parts.time.unwrap_or(Time::midnight()));
                match parts.offset {
                    Some(offset) => offset
                        .to_timestamp(at)
                        .map(|instant| dates::at_zone(instant, &TimeZone::fixed(offset)))
                        .map_err(|_| unparsed(parse::Unread::At(0), text)),
                    None => ambiguous(at),
                }
            }
        },
        other => Err(Fault::cast(other.class(), "java.lang.String")),
    }
}

fn items_of(call: &Call<'_, '_>, format: &str) -> Found<Vec<Item>> {
    match named(call, format) {
        Some(pattern) if !pattern.contains(['+', 't', 'z']) => dates::pattern(pattern),
        Some(_) => {
            return Err(Fault::unsupported(format!("reading a date by the format `{format}` is not simulated")));
        }
        None => dates::pattern(format),
    }
    .map_err(told)
}

fn unparsed(unread: parse::Unread, text: &str) -> Box<Fault> {
    Fault::java("java.time.format.DateTimeParseException", unread.message(text))
}

/// Seconds; by the number of digits also milliseconds and nanoseconds.
fn numbered(number: i64, by_digits: bool) -> Found<Timestamp> {
    /// The last second of Java's `Instant`, on both sides of 1970.
    const LAST: u64 = 31_556_889_864_403_199;
    let digits = number.unsigned_abs().to_string().len();
    let found = match digits {
        13 if by_digits => Timestamp::from_millisecond(number),
        19 if by_digits => Timestamp::from_nanosecond(number.into()),
        _ => Timestamp::from_second(number),
    };
    found.map_err(|_| match number.unsigned_abs() > LAST {
        true => Fault::java("java.time.DateTimeException", "Instant exceeds minimum or maximum instant"),
        false => Fault::unsupported("a date behind the year 9999 is not simulated"),
    })
}

fn stamp(call: &Call<'_, '_>, number: impl Fn(&Timestamp) -> Option<i64>) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let instant = converted(call, &call.input)?.timestamp();
    let number = number(&instant).ok_or_else(|| Fault::java("java.lang.ArithmeticException", "long overflow"))?;
    Ok(Value::Long(number))
}

fn date_add(call: Call<'_, '_>) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let any = call.run.dialect.amount_as_text;
    let amount = match call.argument("amount") {
        Some(Value::Long(amount)) => *amount,
        Some(value) if any && value.is_number() => super::super::operate::long(value),
        Some(Value::Text(text)) if any => {
            text.parse().map_err(|_| Fault::java(class::NUMBER, format!("For input string: \"{text}\"")))?
        }
        Some(other) => return Err(Fault::cast(other.class(), "java.lang.Long")),
        None => return Err(Fault::unsupported("`dateAdd` without an amount is not simulated")),
    };
    let Some(unit) = call.text("unit")? else { return Err(Fault::java(class::NULL, "Name is null")) };
    let date = converted(&call, &call.input)?;
    formatted(&call, &added(&date, amount, unit)?)
}

fn added(date: &Zoned, amount: i64, unit: &str) -> Found<Zoned> {
    let times = |factor: i64| amount.checked_mul(factor).unwrap_or(i64::MAX);
    let span = match unit {
        "NANOS" => Span::new().try_nanoseconds(amount),
        "MICROS" => Span::new().try_microseconds(amount),
        "MILLIS" => Span::new().try_milliseconds(amount),
        "SECONDS" => Span::new().try_seconds(amount),
        "MINUTES" => Span::new().try_minutes(amount),
        "HOURS" => Span::new().try_hours(amount),
        "HALF_DAYS" => Span::new().try_hours(times(12)),
        "DAYS" => Span::new().try_days(amount),
        "WEEKS" => Span::new().try_weeks(amount),
        "MONTHS" => Span::new().try_months(amount),
        "YEARS" => Span::new().try_years(amount),
        "DECADES" => Span::new().try_years(times(10)),
        "CENTURIES" => Span::new().try_years(times(100)),
        "MILLENNIA" | "ERAS" | "FOREVER" => {
            return Err(Fault::unsupported(format!("the unit {unit} of `dateAdd` is not simulated")));
        }
        _ => {
            let message = format!("No enum constant java.time.temporal.ChronoUnit.{unit}");
            return Err(Fault::java(class::ARGUMENT, message));
        }
    };
    let sum = span.and_then(|span| date.checked_add(span));
    sum.map_err(|_| Fault::unsupported("a date outside the years 1 to 9999 is not simulated"))
}
