//! What a printed value looks like: collections as Jackson writes JSON, everything else as Java's `toString`.

use std::fmt::Write;

use super::Dialect;
use super::dates;
use super::error::{Fault, Found, class};
use super::evaluate::Sink;
use super::value::Value;

/// A value where it is printed.
pub fn printed(value: &Value, dialect: &Dialect) -> Found<String> {
    match value {
        Value::List(_) | Value::Map(_) | Value::Bytes(_) => json(value, dialect),
        other => Ok(other.java_text()),
    }
}

/// A value as Kestra's mapper writes JSON: entries that are null are left out of maps.
pub fn json(value: &Value, dialect: &Dialect) -> Found<String> {
    let mut out = String::new();
    write(value, dialect, &mut out)?;
    Ok(out)
}

fn write(value: &Value, dialect: &Dialect, out: &mut String) -> Found<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Double(n) if !n.is_finite() => quoted(&value.java_text(), out),
        Value::Float(n) if !n.is_finite() => quoted(&value.java_text(), out),
        Value::Bool(_) | Value::Int(_) | Value::Long(_) | Value::Double(_) | Value::Float(_) | Value::Decimal(_) => {
            out.push_str(&value.java_text());
        }
        Value::Text(text) | Value::Uri(text) | Value::Enum(_, text) => quoted(text, out),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, dialect, out)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            let mut first = true;
            for (name, item) in map.entries.iter().filter(|(_, item)| !matches!(item, Value::Null)) {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                quoted(name, out);
                out.push(':');
                write(item, dialect, out)?;
            }
            out.push('}');
        }
        Value::Entry(entry) => {
            out.push('{');
            quoted(&entry.0, out);
            out.push(':');
            write(&entry.1, dialect, out)?;
            out.push('}');
        }
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            quoted(&base64::engine::general_purpose::STANDARD.encode(bytes), out);
        }
        Value::Loop(_) => return Err(Fault::unsupported("`loop` as JSON is not simulated")),
        date => dates::json(date, dialect, out),
    }
    Ok(())
}

/// A text with the escapes of Jackson.
pub fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => _ = write!(out, "\\u{:04X}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether the engine puts such a value into a text.
fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Text(_)) || value.is_number()
}

/// A typed result with one more piece: the first one keeps its kind, scalars become a text together.
pub fn joined(current: Option<Value>, piece: &Value) -> Found<Value> {
    match current {
        None => Ok(piece.clone()),
        Some(current) if is_scalar(&current) && is_scalar(piece) => {
            Value::text(current.java_text() + &piece.java_text())
        }
        Some(current) => {
            let message = format!("Cannot concat {} with {}", current.class(), piece.class());
            Err(Fault::java(class::ARGUMENT, message))
        }
    }
}

/// A text that was collected.
pub fn collected(sink: Sink) -> Value {
    match sink {
        Sink::Text(text) => Value::Text(text.into()),
        Sink::Typed(value) => value.unwrap_or(Value::Null),
    }
}

/// A value for callers: JSON keeps kinds of numbers apart, but not kinds of dates.
pub fn to_json(value: &Value) -> Found<serde_json::Value> {
    Ok(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Int(n) => (*n).into(),
        Value::Long(n) => (*n).into(),
        Value::Double(n) => (*n).into(),
        Value::Float(n) => serde_json::Value::from(super::operate::double(&Value::Float(*n))),
        Value::List(list) => {
            let items: Result<Vec<_>, _> = list.items.iter().map(to_json).collect();
            serde_json::Value::Array(items?)
        }
        Value::Map(map) => {
            let entries: Result<serde_json::Map<_, _>, Box<Fault>> =
                map.entries.iter().map(|(name, value)| Ok((name.clone(), to_json(value)?))).collect();
            serde_json::Value::Object(entries?)
        }
        other => serde_json::Value::String(other.java_text()),
    })
}
