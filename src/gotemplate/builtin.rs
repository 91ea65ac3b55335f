//! Go's own functions, and what the functions of the dialects share.

use super::Value;
use super::format::{Flags, general, printf, quoted, scientific, special};
use super::run::MAX_OUTPUT;
use crate::promql;

/// What every template of Go knows.
const KNOWN: &[&str] = &[
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

/// Whether Go itself has a function of this name.
pub(super) fn known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// A text among the arguments of a function.
pub(super) fn text<'a>(name: &str, arguments: &'a [Value], index: usize) -> Result<&'a str, String> {
    match arguments.get(index) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        Some(other) => Err(format!("wrong type of argument for {name}: {} is no text", other.print())),
        None => Err(format!("wrong number of args for {name}")),
    }
}

/// What one of Go's functions makes of its arguments; none when it is not Go's.
pub(super) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
    known(name).then(|| own(name, arguments))
}

fn own(name: &str, arguments: &[Value]) -> Result<Value, String> {
    let any = |index: usize| arguments.get(index).ok_or_else(|| format!("wrong number of args for {name}"));
    Ok(match name {
        "not" => Value::Bool(!any(0)?.truth()),
        "len" => Value::Int(length(any(0)?)?),
        "index" => index(any(0)?, arguments.get(1..).unwrap_or_default())?,
        "print" => Value::Text(printed(arguments, false)),
        "println" => Value::Text(printed(arguments, true) + "\n"),
        "printf" => {
            let mut values = arguments.iter().skip(1);
            let pattern = text(name, arguments, 0)?;
            Value::Text(printf(pattern, |verb, flags| values.next().map(|value| show(value, verb, flags))))
        }
        "js" => Value::Text(scripted(&printed(arguments, false))),
        "slice" => match any(0)? {
            Value::Object(of) => {
                let (from, to) = bounds(arguments.get(1..).unwrap_or_default())?;
                of.slice(from, to)?
            }
            _ => Value::Text(slice(text(name, arguments, 0)?, arguments.get(1..).unwrap_or_default())?),
        },
        // No value here is a function.
        "call" => return Err("call of a value that is no function".into()),
        "html" => Value::Text(escaped(&printed(arguments, false))),
        "urlquery" => Value::Text(encoded(&printed(arguments, false))),
        _ => Value::Bool(compare(name, arguments)?),
    })
}

fn length(of: &Value) -> Result<i64, String> {
    let length = match of {
        Value::Text(text) => Some(text.len()),
        Value::Map(map) | Value::Labels(map) => Some(map.len()),
        Value::Nodes(all) => Some(all.len()),
        Value::Samples(all) => Some(all.len()),
        Value::Arguments(all) => Some(all.len()),
        Value::Object(of) => of.len(),
        _ => None,
    };
    length.map(|length| length as i64).ok_or_else(|| format!("len of type {}", of.print()))
}

/// A thing inside of another, by one index after the other.
fn index(of: &Value, by: &[Value]) -> Result<Value, String> {
    match (of, by) {
        (Value::Object(of), [by]) => of.index(by),
        (Value::Object(of), [by, rest @ ..]) => index(&of.index(by)?, rest),
        (Value::Object(_), []) => Ok(of.clone()),
        (_, []) => Err("wrong number of args for index".into()),
        (Value::Map(map) | Value::Labels(map), [Value::Text(key), ..]) => {
            Ok(Value::Text(map.get(key).cloned().unwrap_or_default()))
        }
        // Unlike a field, an index that is not there is zero.
        (Value::Nodes(all), [Value::Text(key), ..]) => {
            let (labels, value) = all.get(key).cloned().unwrap_or_default();
            Ok(Value::Node(labels, value))
        }
        (Value::Samples(all), [Value::Int(index), ..]) => {
            let found = usize::try_from(*index).ok().and_then(|index| all.get(index));
            let (labels, value) = found.ok_or_else(|| format!("index out of range: {index}"))?;
            Ok(Value::Sample(labels.clone(), *value))
        }
        _ => Err("can't index item of this type".into()),
    }
}

/// From where to where `slice` goes.
fn bounds(indexes: &[Value]) -> Result<(usize, Option<usize>), String> {
    let index = |at: usize| match indexes.get(at) {
        None => Ok(None),
        Some(Value::Int(index)) => {
            usize::try_from(*index).map(Some).map_err(|_| format!("index out of range: {index}"))
        }
        Some(other) => Err(format!("cannot index slice/array with {}", other.print())),
    };
    Ok((index(0)?.unwrap_or(0), index(1)?))
}

pub(super) fn float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        Value::Text(text) => {
            let number = text.replace("Inf", "inf");
            number.parse().map_err(|_| format!("strconv.ParseFloat: parsing \"{text}\": invalid syntax"))
        }
        other => Err(format!("can't convert {} to float", other.print())),
    }
}

pub(super) fn regex(pattern: &str) -> Result<regex::Regex, String> {
    promql::regex_anywhere(pattern).ok_or_else(|| format!("error parsing regexp: {pattern}"))
}

/// A text with all matches replaced.
pub(super) fn replaced(regex: &regex::Regex, by: &str, text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = 0;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        out += &text[rest..whole.start()];
        rest = whole.end();
        let room = MAX_OUTPUT.checked_sub(out.len());
        let more = room.and_then(|room| promql::expanded(&captures, by, room));
        out += &more.ok_or_else(|| format!("reReplaceAll makes a text larger than {} MiB", MAX_OUTPUT >> 20))?;
    }
    Ok(out + &text[rest..])
}

/// Go's comparisons: both sides must be of the same kind.
fn compare(name: &str, arguments: &[Value]) -> Result<bool, String> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let [first, others @ ..] = arguments else { return Err(format!("wrong number of args for {name}")) };
    if others.is_empty() || (others.len() > 1 && name != "eq") {
        return Err(format!("wrong number of args for {name}"));
    }
    // Types of their own are compared as the numbers and texts that they are.
    let plain = |value: &Value| match value {
        Value::Object(of) => match (of.number(), of.text()) {
            (Some(number), _) => Value::Int(number),
            (_, Some(text)) => Value::Text(text.to_owned()),
            _ => value.clone(),
        },
        other => other.clone(),
    };
    let first = plain(first);
    let order = |other: &Value| match (&first, &plain(other)) {
        // What has no value is equal to nothing else, and that is no mistake.
        (Value::Nil, Value::Nil) if matches!(name, "eq" | "ne") => Ok(Some(Equal)),
        (Value::Nil, _) | (_, Value::Nil) if matches!(name, "eq" | "ne") => Ok(None),
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        (Value::Bool(a), Value::Bool(b)) if matches!(name, "eq" | "ne") => Ok(Some(a.cmp(b))),
        _ => Err("incompatible types for comparison".to_owned()),
    };
    for other in others {
        let order = order(other)?;
        let holds = match name {
            "eq" => order == Some(Equal),
            "ne" => order != Some(Equal),
            "lt" => order == Some(Less),
            "le" => matches!(order, Some(Less | Equal)),
            "gt" => order == Some(Greater),
            _ => matches!(order, Some(Greater | Equal)),
        };
        if holds {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Go's `Sprint`: a blank between two values that are both no text; `Sprintln`: one between all.
pub(super) fn printed(values: &[Value], always: bool) -> String {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        let texts = [index.checked_sub(1).and_then(|before| values.get(before)), Some(value)];
        let none = texts.iter().all(|it| !matches!(it, Some(Value::Text(_))));
        if index > 0 && (always || none) {
            out.push(' ');
        }
        out += &value.print();
    }
    out
}

fn minus(of: i64) -> &'static str {
    if of < 0 { "-" } else { "" }
}

/// A value as a verb of `printf` shows it.
pub(super) fn show(value: &Value, verb: char, flags: &Flags) -> String {
    // With `v` a plus asks for the names of fields, not for a sign.
    let signed = |text: String| match (flags.plus && verb != 'v', flags.space, text.starts_with(['-', '+'])) {
        (true, _, false) => format!("+{text}"),
        (false, true, false) => format!(" {text}"),
        _ => text,
    };
    match (value, verb) {
        (Value::Float(it), 'f' | 'F') if it.is_finite() => signed(format!("{it:.*}", flags.precision.unwrap_or(6))),
        (Value::Float(it), 'e') => signed(scientific(*it, flags.precision.unwrap_or(6))),
        (Value::Float(it), 'g' | 'v') => signed(general(*it, flags.precision)),
        (Value::Float(it), 'f' | 'F') => signed(special(*it)),
        (Value::Int(it), 'd' | 'v') => signed(it.to_string()),
        (Value::Int(it), 'x') => signed(format!("{}{:x}", minus(*it), it.unsigned_abs())),
        (Value::Int(it), 'X') => signed(format!("{}{:X}", minus(*it), it.unsigned_abs())),
        (Value::Int(it), 'o') => signed(format!("{}{:o}", minus(*it), it.unsigned_abs())),
        (Value::Int(it), 'b') => signed(format!("{}{:b}", minus(*it), it.unsigned_abs())),
        (Value::Bool(it), 't' | 'v') => it.to_string(),
        (Value::Text(it), 's' | 'v') => match flags.precision {
            Some(precision) => it.chars().take(precision).collect(),
            None => it.clone(),
        },
        (Value::Text(it), 'q') => quoted(it),
        (Value::Text(it), 'x') => it.bytes().map(|byte| format!("{byte:02x}")).collect(),
        (Value::Text(it), 'X') => it.bytes().map(|byte| format!("{byte:02X}")).collect(),
        (Value::Float(it), verb) => format!("%!{verb}(float64={})", general(*it, None)),
        (Value::Int(it), verb) => format!("%!{verb}(int={it})"),
        (Value::Text(it), verb) => format!("%!{verb}(string={it})"),
        (Value::Bool(it), verb) => format!("%!{verb}(bool={it})"),
        (other, _) => other.print(),
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;")
}

/// As Go writes a text into a script.
fn scripted(text: &str) -> String {
    let of = |c: char| match c {
        '\\' | '\'' | '"' => format!("\\{c}"),
        '<' | '>' | '&' | '=' => format!("\\u{:04X}", u32::from(c)),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(of).collect()
}

/// The bytes of a text from one index to another.
fn slice(text: &str, indexes: &[Value]) -> Result<String, String> {
    let index = |at: usize, none: usize| match indexes.get(at) {
        None => Ok(none),
        Some(Value::Int(index)) => usize::try_from(*index).map_err(|_| format!("index out of range: {index}")),
        Some(other) => Err(format!("cannot index slice/array with {}", other.print())),
    };
    let (from, to) = (index(0, 0)?, index(1, text.len())?);
    if indexes.len() > 2 {
        return Err("cannot 3-index slice a string".into());
    }
    let bytes = text.as_bytes().get(from..to).ok_or_else(|| format!("index out of range: {from}:{to}"))?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

pub(super) fn encoded(text: &str) -> String {
    let of = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(of).collect()
}

const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

pub(super) fn smaller(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

pub(super) fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return general(value, Some(4));
    }
    if value == 0.0 {
        return "0s".into();
    }
    if value.abs() < 1.0 {
        let (value, prefix) = smaller(value);
        return format!("{}{prefix}s", general(value, Some(4)));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let whole = value.abs() as i64;
    let (seconds, minutes, hours, days) = (whole % 60, whole / 60 % 60, whole / 3_600 % 24, whole / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", general(value.abs(), Some(4))),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}
