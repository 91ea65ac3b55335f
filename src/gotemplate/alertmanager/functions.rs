//! Alertmanager's functions: `DefaultFuncs` in `template/template.go`.

use std::collections::BTreeMap;

use super::super::builtin::{self, float, humanize_duration, regex, replaced, show};
use super::super::format::{Flags, printf};
use super::super::value::{Object, Value};
use super::Release;
use super::clock::Moment;
use super::thing::{Thing, inner};
use super::{json, title};

const SINCE_0_25: &[&str] =
    &["join", "match", "reReplaceAll", "safeHtml", "stringSlice", "title", "toLower", "toUpper"];

/// What came between 0.25 and 0.33.
const SINCE_0_33: &[&str] = &[
    "append",
    "date",
    "dict",
    "humanizeDuration",
    "list",
    "now",
    "safeUrl",
    "since",
    "toJson",
    "trimSpace",
    "tz",
    "urlUnescape",
];

pub(super) fn known(name: &str, release: Release) -> bool {
    builtin::known(name) || SINCE_0_25.contains(&name) || (release > Release::V0_25 && SINCE_0_33.contains(&name))
}

/// What a function makes of its arguments. `now` in milliseconds since 1970.
pub(super) fn call(name: &str, arguments: &[Value], release: Release, now: i64) -> Result<Value, String> {
    if name == "printf" {
        return formatted(arguments);
    }
    if let Some(result) = builtin::call(name, arguments) {
        return result;
    }
    let text = |index: usize| text(name, arguments, index);
    let count = |wanted: usize| match arguments.len() == wanted {
        true => Ok(()),
        false => Err(format!("wrong number of args for {name}: want {wanted} got {}", arguments.len())),
    };
    let wanted = match name {
        "append" | "dict" | "list" | "stringSlice" => None,
        "now" => Some(0),
        "date" | "join" | "match" | "tz" => Some(2),
        "reReplaceAll" => Some(3),
        _ => Some(1),
    };
    wanted.map_or(Ok(()), count)?;
    Ok(match name {
        "toUpper" => Value::Text(text(0)?.chars().map(upper).collect()),
        "toLower" => Value::Text(text(0)?.chars().map(lower).collect()),
        "title" => Value::Text(title::title(text(0)?)),
        "trimSpace" => Value::Text(text(0)?.trim().to_owned()),
        "join" => Value::Text(joined(text(0)?, arguments.get(1), release)?),
        "match" => Value::Bool(regex(text(0)?)?.is_match(text(1)?)),
        "reReplaceAll" => Value::Text(replaced(&regex(text(0)?)?, text(1)?, text(2)?)?),
        "safeHtml" => Thing::Html(text(0)?.to_owned()).value(),
        "safeUrl" => Thing::Url(text(0)?.to_owned()).value(),
        "urlUnescape" => Value::Text(unescaped(text(0)?)?),
        "stringSlice" => {
            let all: Result<Vec<String>, String> = (0..arguments.len()).map(|at| text(at).map(str::to_owned)).collect();
            Thing::Strings(all?).value()
        }
        "date" => Value::Text(moment(arguments.get(1))?.format(text(0)?)),
        "tz" => Thing::Moment(moment(arguments.get(1))?.in_zone(text(0)?)?).value(),
        "now" => Thing::Moment(Moment::at(now)).value(),
        "since" => Thing::Span(Moment::at(now).since(moment(arguments.first())?)).value(),
        "humanizeDuration" => Value::Text(humanize_duration(seconds(arguments.first())?)),
        "toJson" => Value::Text(json::value(arguments.first().unwrap_or(&Value::Nil), release)?),
        "list" => Thing::List(arguments.to_vec()).value(),
        "append" => match arguments.split_first().map(|(first, rest)| (Thing::of(first), rest)) {
            Some((Some(Thing::List(all)), rest)) => Thing::List([all, rest].concat()).value(),
            _ => return Err(unfit(arguments.first(), "[]interface {}")),
        },
        "dict" => dict(arguments)?,
        other => return Err(format!("function {other:?} not defined")),
    })
}

/// Go maps each letter to one.
fn upper(c: char) -> char {
    let mut all = c.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn lower(c: char) -> char {
    // The dotted capital I has two small letters, of which Go takes the first.
    c.to_lowercase().next().unwrap_or(c)
}

/// Texts with a separator between them; since 0.35 whatever is a list.
fn joined(separator: &str, of: Option<&Value>, release: Release) -> Result<String, String> {
    match of.and_then(Thing::of) {
        Some(Thing::Strings(all)) => Ok(all.join(separator)),
        _ if release < Release::V0_35 => Err(unfit(of, "[]string")),
        Some(list @ (Thing::Alerts(..) | Thing::Pairs(..) | Thing::List(_))) => {
            let all = list.items().unwrap_or_default();
            Ok(all.iter().map(|(_, value)| inner(value)).collect::<Vec<_>>().join(separator))
        }
        Some(other) => Err(format!("join expects a slice or array, got {}", other.type_name())),
        None if of.is_none_or(|it| matches!(it, Value::Nil)) => Ok(String::new()),
        None => Err(unfit(of, "a slice or array")),
    }
}

fn unfit(value: Option<&Value>, wanted: &str) -> String {
    format!("wrong type for value; expected {wanted}; got {}", value.map_or("nothing", Value::type_name))
}

fn text<'a>(name: &str, arguments: &'a [Value], index: usize) -> Result<&'a str, String> {
    match arguments.get(index) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        None => Err(format!("wrong number of args for {name}")),
        other => Err(unfit(other, "string")),
    }
}

fn moment(value: Option<&Value>) -> Result<&Moment, String> {
    match value.and_then(Thing::of) {
        Some(Thing::Moment(it)) => Ok(it),
        _ => Err(unfit(value, "time.Time")),
    }
}

fn seconds(value: Option<&Value>) -> Result<f64, String> {
    let value = value.unwrap_or(&Value::Nil);
    match Thing::of(value) {
        Some(Thing::Span(it)) => Ok((it / 1_000_000_000) as f64 + (it % 1_000_000_000) as f64 / 1e9),
        Some(other) => Err(format!("can't convert {} to float", other.type_name())),
        None => float(value),
    }
}

fn dict(arguments: &[Value]) -> Result<Value, String> {
    if !arguments.len().is_multiple_of(2) {
        return Err("dict requires an even number of arguments".into());
    }
    let mut all = BTreeMap::new();
    for pair in arguments.chunks_exact(2) {
        let [Value::Text(key), value] = pair else { return Err("dict keys must be strings".into()) };
        all.insert(key.clone(), value.clone());
    }
    Ok(Thing::Dict(all).value())
}

/// A part of a query without its escapes.
fn unescaped(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let digits = text.get(at + 1..at + 3).filter(|it| it.bytes().all(|c| c.is_ascii_hexdigit()));
                let Some(byte) = digits.and_then(|it| u8::from_str_radix(it, 16).ok()) else {
                    let shown: String = text[at..].chars().take(3).collect();
                    return Err(format!("invalid URL escape {shown:?}"));
                };
                out.push(byte);
                at += 3;
                continue;
            }
            b'+' => out.push(b' '),
            byte => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8(out).map_err(|_| "urlUnescape makes bytes that are no UTF-8, which is not simulated".to_owned())
}

/// `printf`, with what it says of values that no verb takes.
fn formatted(arguments: &[Value]) -> Result<Value, String> {
    let pattern = text("printf", arguments, 0)?;
    if pattern.replace("%%", "").split('%').skip(1).any(|verb| {
        let flags =
            verb.trim_start_matches(['+', '-', '#', ' ', '0', '.']).trim_start_matches(|c: char| c.is_ascii_digit());
        flags.trim_start_matches('.').starts_with(['[', '*'])
    }) {
        return Err("printf with `*` or `[n]` is not simulated".into());
    }
    let mut values = arguments.iter().skip(1);
    let mut wrong = None;
    let mut out = printf(pattern, |verb, flags| {
        values.next().map(|value| {
            shown(value, verb, flags).unwrap_or_else(|why| {
                wrong.get_or_insert(why);
                String::new()
            })
        })
    });
    if let Some(why) = wrong {
        return Err(why);
    }
    let extra: Vec<String> = values
        .map(|value| match value {
            Value::Nil => "<nil>".to_owned(),
            value => format!("{}={}", value.type_name(), value.print()),
        })
        .collect();
    if !extra.is_empty() {
        out += &format!("%!(EXTRA {})", extra.join(", "));
    }
    Ok(Value::Text(out))
}

/// A value as a verb shows it.
fn shown(value: &Value, verb: char, flags: &Flags) -> Result<String, String> {
    let refused = || Err(format!("printf of {} with %{verb} is not simulated", value.type_name()));
    if verb == 'T' {
        return Ok(match value {
            Value::Nil => "<nil>".into(),
            value => value.type_name().to_owned(),
        });
    }
    if matches!(verb, 'p' | 'E' | 'G' | 'O') || (verb == 'v' && flags.sharp) {
        return refused();
    }
    // Go shows a value that the verb does not fit with the verb's own width and precision.
    let set =
        flags.width.is_some() || flags.precision.is_some() || flags.plus || flags.space || flags.sharp || flags.zeros;
    let fits = match value {
        Value::Int(_) => "dvxXobcqU",
        Value::Float(_) => "fFegv",
        Value::Text(_) => "svqxX",
        Value::Bool(_) => "tv",
        _ => "",
    };
    if matches!(value, Value::Float(_)) && matches!(verb, 'x' | 'X' | 'b')
        || set && !fits.is_empty() && !fits.contains(verb)
    {
        return refused();
    }
    let thing = match (value, Thing::of(value)) {
        (Value::Nil, _) => return Ok(if verb == 'v' { "<nil>".into() } else { format!("%!{verb}(<nil>)") }),
        (Value::Int(it), _) if verb == 'c' || verb == 'q' => {
            let c = u32::try_from(*it).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            return if verb == 'c' { Ok(c.to_string()) } else { refused() };
        }
        (Value::Int(_), _) if verb == 'U' => return refused(),
        (_, None) => return Ok(show(value, verb, flags)),
        (_, Some(thing)) => thing,
    };
    // Of what has parts, Go sets each part.
    let whole = matches!(thing, Thing::Span(_) | Thing::Month(_) | Thing::Weekday(_) | Thing::Moment(_));
    let plain = !flags.plus && !flags.sharp && flags.precision.is_none() && (whole || flags.width.is_none());
    match (thing, verb) {
        (Thing::Html(text) | Thing::Url(text), _) => Ok(show(&Value::Text(text.clone()), verb, flags)),
        (_, 'd' | 'x' | 'X' | 'o' | 'b') if thing.number().is_some() => {
            Ok(show(&Value::Int(thing.number().unwrap_or(0)), verb, flags))
        }
        (_, 'v') if plain => Ok(thing.print()),
        (Thing::List(all), 's') if plain && all.iter().all(|it| matches!(it, Value::Text(_))) => Ok(thing.print()),
        (Thing::List(_) | Thing::Dict(_), _) => refused(),
        (_, 's') if plain => Ok(thing.print()),
        (Thing::Strings(all), 'q') if plain => {
            let all: Vec<String> = all.iter().map(|it| show(&Value::Text(it.clone()), 'q', flags)).collect();
            Ok(format!("[{}]", all.join(" ")))
        }
        _ => refused(),
    }
}
