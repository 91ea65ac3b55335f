//! Filters on texts.

use regex::{Regex, RegexBuilder};

use super::super::error::{Fault, Found};
use super::super::invoke::{Call, Row, bare, is_empty, row};
use super::super::limits::{REGEX_SIZE_MAX, VALUE_MAX};
use super::super::operate;
use super::super::value::Value;

/// The filters of this file.
pub const ROWS: &[Row] = &[
    bare("upper", |call| changed(&call, true, str::to_uppercase)),
    bare("lower", |call| changed(&call, true, str::to_lowercase)),
    bare("capitalize", |call| changed(&call, false, capitalized)),
    bare("title", |call| changed(&call, false, titled)),
    bare("trim", |call| changed(&call, false, |text| text.trim_matches(|c| c <= ' ').to_owned())),
    row("abbreviate", &["length"], abbreviate),
    row("default", &["default"], |call| {
        Ok(if is_empty(&call.input) { call.argument("default").cloned().unwrap_or(Value::Null) } else { call.input })
    }),
    row("split", &["delimiter", "limit"], split),
    row("replace", &["replace_pairs", "regexp"], replace),
    row("startsWith", &["value"], |call| edge(&call, |text, start| text.starts_with(start))),
    row("endsWith", &["value"], |call| edge(&call, |text, end| text.ends_with(end))),
    row("substringBefore", &["separator"], |call| part(&call, |text, at| text.find(at).map(|at| &text[..at]), true)),
    row("substringBeforeLast", &["separator"], |call| {
        part(&call, |text, at| text.rfind(at).map(|at| &text[..at]), true)
    }),
    row("substringAfter", &["separator"], |call| {
        part(&call, |text, by| text.find(by).map(|at| &text[at + by.len()..]), false)
    }),
    row("substringAfterLast", &["separator"], |call| {
        part(&call, |text, by| text.rfind(by).map(|at| &text[at + by.len()..]), false)
    }),
    bare("urlencode", |call| changed(&call, false, url_encoded)),
    bare("urldecode", |call| changed(&call, false, url_decoded)),
    row("escapeChar", &["type"], escape_char),
    bare("slugify", |call| changed(&call, false, slug)),
    row("indent", &["amount", "prefix"], |call| indent(&call, false)),
    row("nindent", &["amount", "prefix"], |call| indent(&call, true)),
    bare("string", |call| changed(&call, true, str::to_owned)),
    bare("className", |call| match call.input {
        Value::Null => Ok(Value::Null),
        value => Ok(Value::word(value.class())),
    }),
];

/// A text changed; null stays null. What is no text is printed first, or fails as a cast.
fn changed(call: &Call<'_, '_>, prints: bool, change: impl Fn(&str) -> String) -> Found<Value> {
    match &call.input {
        Value::Null => Ok(Value::Null),
        Value::Text(text) => Value::text(change(text)),
        other if prints => Value::text(change(&other.java_text())),
        other => Err(Fault::cast(other.class(), "java.lang.String")),
    }
}

/// The first letter, blanks before it left alone.
fn capitalized(text: &str) -> String {
    let mut done = false;
    let letter = |c: char| {
        if done || c.is_whitespace() {
            c.to_string()
        } else {
            done = true;
            upper(c)
        }
    };
    text.chars().map(letter).collect()
}

fn titled(text: &str) -> String {
    let mut start = true;
    let letter = |c: char| {
        let text = if start { upper(c) } else { c.to_string() };
        start = c.is_whitespace();
        text
    };
    text.chars().map(letter).collect()
}

fn upper(c: char) -> String {
    c.to_uppercase().collect()
}

/// A text by UTF-16 units, as Java counts; half a character becomes a replacement.
pub fn units(text: &str, from: usize, to: usize) -> String {
    let units: Vec<u16> = text.encode_utf16().skip(from).take(to.saturating_sub(from)).collect();
    String::from_utf16_lossy(&units)
}

fn abbreviate(call: Call<'_, '_>) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let text = call.input_text()?;
    let width = match call.argument("length") {
        Some(Value::Long(width)) => *width as i32,
        Some(other) => return Err(Fault::cast(other.class(), "java.lang.Long")),
        None => {
            let message = "Cannot invoke \"java.lang.Long.intValue()\" because the return value of \
                           \"java.util.Map.get(Object)\" is null";
            return Err(Fault::java(super::super::error::class::NULL, message));
        }
    };
    let Ok(width) = usize::try_from(width) else {
        return Err(call.fault("Invalid argument to abbreviate filter; must be greater than zero"));
    };
    let length = text.encode_utf16().count();
    Value::text(if length < width || length <= 3 {
        text.to_owned()
    } else if width <= 3 {
        units(text, 0, width)
    } else {
        units(text, 0, width - 3) + "..."
    })
}

/// A regular expression in Java's syntax, as far as both have the same one.
pub fn regex(pattern: &str) -> Found<Regex> {
    RegexBuilder::new(pattern).size_limit(REGEX_SIZE_MAX).build().map_err(|_| {
        Fault::unsupported(format!(
            "the regular expression `{pattern}` is not simulated: look-around and back references are not"
        ))
    })
}

fn split(call: Call<'_, '_>) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let Some(delimiter) = call.text("delimiter")? else {
        return Err(call.fault("missing delimiter parameter in split filter"));
    };
    let limit = call.argument("limit").map_or(0, operate::long) as i32;
    let (text, by) = (call.input_text()?, regex(delimiter)?);
    let mut parts: Vec<&str> = Vec::new();
    let mut from = 0;
    for found in by.find_iter(text) {
        // A match without width at the start makes no empty part.
        if found.end() == 0 {
            continue;
        }
        if usize::try_from(limit).is_ok_and(|limit| limit > 0 && parts.len() + 1 >= limit) {
            break;
        }
        if found.is_empty() && found.end() == text.len() {
            break;
        }
        parts.push(&text[from..found.start()]);
        from = found.end();
    }
    let split = from > 0 || !parts.is_empty();
    parts.push(&text[from..]);
    if limit == 0 && split {
        while parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
    }
    let parts: Result<Vec<Value>, _> = parts.into_iter().map(Value::text).collect();
    Value::array(parts?)
}

fn replace(call: Call<'_, '_>) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    if call.argument("replace_pairs").is_none() {
        return Err(call.fault("The argument 'replace_pairs' is required."));
    }
    let by_regex = match call.argument("regexp") {
        None => false,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => return Err(Fault::cast(other.class(), "java.lang.Boolean")),
    };
    let pairs = match call.argument("replace_pairs") {
        Some(Value::Map(map)) => map,
        Some(other) => return Err(Fault::cast(other.class(), "java.util.Map")),
        None => return Ok(Value::Null),
    };
    let mut text = only_text(&call, "replace")?;
    for (from, to) in &pairs.entries {
        let to = to.java_text();
        let (count, pattern) = if by_regex {
            if to.contains(['$', '\\']) {
                return Err(Fault::unsupported(
                    "`$` and `\\` in what a regular expression is replaced by are not simulated",
                ));
            }
            let pattern = regex(from)?;
            (pattern.find_iter(&text).count(), Some(pattern))
        } else {
            (text.matches(from.as_str()).count(), None)
        };
        if text.len() as u64 + (count as u64).saturating_mul(to.len() as u64) > VALUE_MAX {
            return Err(Fault::limit(format!("`replace` makes a text longer than {VALUE_MAX} bytes")));
        }
        text = match pattern {
            Some(pattern) => pattern.replace_all(&text, regex::NoExpand(&to)).into_owned(),
            None => text.replace(from.as_str(), &to),
        };
    }
    Value::text(text)
}

fn edge(call: &Call<'_, '_>, at: fn(&str, &str) -> bool) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let Some(value) = call.text("value")? else {
        return Err(Fault::unsupported("`startsWith` and `endsWith` without a value are not simulated"));
    };
    Ok(Value::Bool(at(call.input_text()?, value)))
}

fn part(call: &Call<'_, '_>, cut: impl for<'a> Fn(&'a str, &str) -> Option<&'a str>, else_all: bool) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let Some(separator) = call.text("separator")? else {
        return Err(Fault::unsupported("a part of a text without a separator is not simulated"));
    };
    let text = call.input_text()?;
    Value::text(cut(text, separator).unwrap_or(if else_all { text } else { "" }))
}

/// `URLEncoder.encode`.
fn url_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `URLDecoder.decode`.
fn url_decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn escape_char(call: Call<'_, '_>) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let Some(kind) = call.text("type")? else {
        return Err(call.fault("The 'escapeChar' filter expects an argument 'type'."));
    };
    let text = only_text(&call, "escapeChar")?;
    Value::text(match kind.to_ascii_lowercase().as_str() {
        "single" => text.replace('\'', "\\'"),
        "double" => text.replace('"', "\\\""),
        "shell" => text.replace('\'', "'\\''"),
        _ => {
            let message =
                "The 'escapeChar' filter expects the value of 'type' to be either 'single', 'double', or 'shell'.";
            return Err(call.fault(message));
        }
    })
}

/// What the input prints as; versions differ in what they do to lists and maps.
fn only_text(call: &Call<'_, '_>, filter: &str) -> Found<String> {
    match &call.input {
        Value::List(_) | Value::Map(_) => {
            Err(Fault::unsupported(format!("the filter `{filter}` on lists and maps is not simulated")))
        }
        other => Ok(other.java_text()),
    }
}

/// Letters with marks, and the letters below them.
const MARKED: &[(&str, &str)] = &[
    ("a", "àáâãäåāăą"),
    ("c", "çćĉċč"),
    ("d", "ď"),
    ("e", "èéêëēĕėęě"),
    ("g", "ĝğġģ"),
    ("h", "ĥ"),
    ("i", "ìíîïĩīĭį"),
    ("j", "ĵ"),
    ("k", "ķ"),
    ("l", "ĺļľ"),
    ("n", "ñńņň"),
    ("o", "òóôõöōŏő"),
    ("r", "ŕŗř"),
    ("s", "śŝşš"),
    ("t", "ţť"),
    ("u", "ùúûüũūŭůűų"),
    ("w", "ŵ"),
    ("y", "ýÿŷ"),
    ("z", "źżž"),
];

fn slug(text: &str) -> String {
    let lower = text.to_lowercase();
    let plain: String = lower
        .chars()
        .map(|c| MARKED.iter().find(|row| row.1.contains(c)).and_then(|row| row.0.chars().next()).unwrap_or(c))
        .collect();
    let kept: String = plain
        .chars()
        .filter_map(|c| match c {
            c if c.is_ascii_alphanumeric() => Some(c),
            c if c.is_whitespace() || c == '-' || c == '_' => Some('-'),
            _ => None,
        })
        .collect();
    kept.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

fn indent(call: &Call<'_, '_>, first: bool) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let name = if first { "nindent" } else { "indent" };
    let Some(amount) = call.argument("amount") else {
        return Err(call.fault(&format!("The '{name}' filter expects an integer as argument 'amount'.")));
    };
    let amount = usize::try_from(operate::long(amount)).unwrap_or(0);
    let prefix = call.text("prefix")?.unwrap_or(" ");
    let text = call.input.java_text();
    let lines = text.matches('\n').count() + 1;
    if (amount as u64).saturating_mul(prefix.len() as u64).saturating_mul(lines as u64) > VALUE_MAX {
        return Err(Fault::limit(format!("`{name}` makes a text longer than {VALUE_MAX} bytes")));
    }
    let margin = format!("\n{}", prefix.repeat(amount));
    let indented = text.replace('\n', &margin);
    Value::text(if first { margin + &indented } else { indented })
}
