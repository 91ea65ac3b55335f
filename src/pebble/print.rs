//! What a printed value looks like: collections as Jackson writes JSON, everything else as Java's `toString`.

use std::fmt::Write;

use super::Dialect;
use super::dates;
use super::error::{Fault, Found};
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
