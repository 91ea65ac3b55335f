//! Filters on numbers.

use std::sync::Arc;

use super::super::error::{Fault, Found, class};
use super::super::invoke::{Call, Row, bare, row};
use super::super::operate;
use super::super::value::Value;

/// The filters of this file.
pub const ROWS: &[Row] = &[bare("abs", absolute), row("number", &["type"], number)];

fn absolute(call: Call<'_, '_>) -> Found<Value> {
    Ok(match call.input {
        Value::Null => Value::Null,
        Value::Int(n) => Value::Int(n.wrapping_abs()),
        Value::Long(n) => Value::Long(n.wrapping_abs()),
        Value::Double(n) => Value::Double(n.abs()),
        Value::Float(n) => Value::Float(n.abs()),
        Value::Decimal(n) => Value::Decimal(Arc::new(n.abs())),
        other => return Err(Fault::cast(other.class(), "java.lang.Number")),
    })
}

fn number(call: Call<'_, '_>) -> Found<Value> {
    let text = match &call.input {
        Value::Null => return Ok(Value::Null),
        Value::Text(text) => text.as_ref(),
        other => {
            let class = other.class();
            return Err(call.fault(&format!("'number' filter can only be applied to String. Actual type was: {class}")));
        }
    };
    let wrong = || Fault::java(class::NUMBER, format!("For input string: \"{text}\""));
    let digits = || if text.starts_with('+') && text.len() < 2 { Err(wrong()) } else { Ok(text) };
    Ok(match call.text("type")? {
        Some("INT") => Value::Int(digits()?.parse().map_err(|_| wrong())?),
        Some("LONG") => Value::Long(digits()?.parse().map_err(|_| wrong())?),
        Some("FLOAT") => Value::Float(text.trim().parse().map_err(|_| wrong())?),
        Some("DOUBLE") => Value::Double(text.trim().parse().map_err(|_| wrong())?),
        Some("BIGDECIMAL") => Value::Decimal(Arc::new(operate::decimal(text)?)),
        Some("BIGINTEGER") if text.trim_start_matches(['-', '+']).bytes().all(|digit| digit.is_ascii_digit()) => {
            Value::Decimal(Arc::new(operate::decimal(text)?))
        }
        Some("BIGINTEGER") => return Err(wrong()),
        _ => guessed(text)?,
    })
}

/// The smallest kind of number that holds a text without loss, as commons-lang chooses it.
fn guessed(text: &str) -> Found<Value> {
    let wrong = || Fault::java(class::NUMBER, format!("{text} is not a valid number."));
    let plain = text.trim_start_matches('-');
    if text.len() - plain.len() > 1 || !plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(wrong());
    }
    if plain.len() > 1 && plain.starts_with('0') && !plain.starts_with("0.") {
        return Err(Fault::unsupported("octal and hexadecimal numbers in `number` are not simulated"));
    }
    if plain.bytes().all(|digit| digit.is_ascii_digit()) {
        if let Ok(number) = text.parse::<i64>() {
            return Ok(i32::try_from(number).map_or(Value::Long(number), Value::Int));
        }
        return Ok(Value::Decimal(Arc::new(operate::decimal(text)?)));
    }
    if plain.bytes().any(|c| !c.is_ascii_digit() && c != b'.') {
        // Exponents and the letters of Java's literals.
        return match plain.bytes().all(|c| c.is_ascii_digit() || b".eE+-fFdDlL".contains(&c)) {
            true => Err(Fault::unsupported("exponents and suffixes in `number` are not simulated")),
            false => Err(wrong()),
        };
    }
    let decimals = plain.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let digits = plain.len() - 1;
    if plain.matches('.').count() != 1 {
        return Err(wrong());
    }
    match (decimals, digits) {
        (0..=7, 0..=7) => Ok(Value::Float(text.parse().map_err(|_| wrong())?)),
        (0..=16, 0..=15) => Ok(Value::Double(text.parse().map_err(|_| wrong())?)),
        _ => Err(Fault::unsupported("numbers with so many digits in `number` are not simulated")),
    }
}
