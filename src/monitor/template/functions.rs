//! Functions of templates: Go's own, and those Prometheus adds.

use std::collections::{BTreeMap, BTreeSet};

use super::format::{Flags, date, general, printf, scientific, special};
use super::run::MAX_OUTPUT;
use super::{Context, Dialect, EXTERNAL_URL, GRAFANA_URL, Value};
use crate::promql;
use crate::time::Duration;

const KNOWN: &[&str] = &[
    "and",
    "args",
    "call",
    "eq",
    "externalURL",
    "first",
    "ge",
    "graphLink",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "js",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toLower",
    "toTime",
    "toUpper",
    "urlquery",
    "value",
];

/// What Grafana adds: `pkg/services/ngalert/state/template/funcs.go`.
const OF_GRAFANA: &[&str] = &["filterLabels", "filterLabelsRe", "mergeLabelValues", "removeLabels", "removeLabelsRe"];

pub(super) fn known(name: &str, dialect: Dialect) -> bool {
    KNOWN.contains(&name) || (dialect == Dialect::Grafana && OF_GRAFANA.contains(&name))
}

/// Functions of Grafana, and those that do something else there.
fn call_of_grafana(name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
    let text = |index: usize| match arguments.get(index) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        Some(other) => Err(format!("wrong type of argument for {name}: {} is no text", other.print())),
        None => Err(format!("wrong number of args for {name}")),
    };
    // Labels whose name is wanted.
    let kept = |wanted: &dyn Fn(&str) -> bool| match arguments.first() {
        Some(Value::Labels(all)) => {
            let kept = all.iter().filter(|(key, _)| wanted(key));
            Ok(Value::Labels(kept.map(|(key, value)| (key.clone(), value.clone())).collect()))
        }
        _ => Err(format!("{name} needs labels")),
    };
    Some(match name {
        "filterLabels" => text(1).and_then(|name| kept(&|key| key == name)),
        "removeLabels" => text(1).and_then(|name| kept(&|key| key != name)),
        "filterLabelsRe" => text(1).and_then(regex).and_then(|regex| kept(&|key| regex.is_match(key))),
        "removeLabelsRe" => text(1).and_then(regex).and_then(|regex| kept(&|key| !regex.is_match(key))),
        "mergeLabelValues" => merged(arguments.first()),
        "graphLink" => text(0).map(|query| Value::Text(explore(query, false))),
        "tableLink" => text(0).map(|query| Value::Text(explore(query, true))),
        // Nothing is asked there: every answer is empty.
        "query" => text(0).map(|_| Value::Samples(Vec::new())),
        "externalURL" => Ok(Value::Text(GRAFANA_URL.into())),
        "pathPrefix" => Ok(Value::Text("/".into())),
        _ => return None,
    })
}

/// All labels of all nodes; where they differ, each value once, sorted.
fn merged(nodes: Option<&Value>) -> Result<Value, String> {
    let Some(Value::Nodes(nodes)) = nodes else { return Err("mergeLabelValues needs $values".into()) };
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, value) in nodes.values().flat_map(|(labels, _)| labels) {
        all.entry(key).or_default().insert(value);
    }
    let joined = |values: BTreeSet<&str>| values.into_iter().collect::<Vec<_>>().join(", ");
    Ok(Value::Labels(all.into_iter().map(|(key, values)| (key.to_owned(), joined(values))).collect()))
}

/// A link to a query, which is told as JSON: `{"expr": .., "datasource": ..}`; of what is none, nothing.
fn explore(query: &str, instant: bool) -> String {
    let Ok(serde_json::Value::Object(query)) = serde_json::from_str(query) else { return String::new() };
    let part = |key: &str| match query.get(key) {
        None | Some(serde_json::Value::Null) => Some(String::new()),
        Some(serde_json::Value::String(text)) => Some(encoded(text)),
        Some(_) => None,
    };
    let (Some(source), Some(expr)) = (part("datasource"), part("expr")) else { return String::new() };
    format!(
        "/explore?left={{\"datasource\":\"{source}\",\"queries\":[{{\"datasource\":\"{source}\",\"expr\":\"{expr}\",\
         \"instant\":{instant},\"range\":{},\"refId\":\"A\"}}],\"range\":{{\"from\":\"now-1h\",\"to\":\"now\"}}}}",
        !instant
    )
}

pub(super) fn call(name: &str, arguments: &[Value], context: &Context<'_>, dialect: Dialect) -> Result<Value, String> {
    if dialect == Dialect::Grafana
        && let Some(result) = call_of_grafana(name, arguments)
    {
        return result;
    }
    let text = |index: usize| match arguments.get(index) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        Some(other) => Err(format!("wrong type of argument for {name}: {} is no text", other.print())),
        None => Err(format!("wrong number of args for {name}")),
    };
    let any = |index: usize| arguments.get(index).ok_or_else(|| format!("wrong number of args for {name}"));
    let samples = |index: usize| match arguments.get(index) {
        Some(Value::Samples(all)) => Ok(all),
        _ => Err(format!("{name} needs the result of query")),
    };
    let number = |index: usize| float(any(index)?);
    Ok(match name {
        "not" => Value::Bool(!any(0)?.truth()),
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => Value::Bool(compare(name, arguments)?),
        "len" => Value::Int(match any(0)? {
            Value::Text(text) => text.len() as i64,
            Value::Map(map) | Value::Labels(map) => map.len() as i64,
            Value::Nodes(all) => all.len() as i64,
            Value::Samples(all) => all.len() as i64,
            Value::Arguments(all) => all.len() as i64,
            other => return Err(format!("len of type {}", other.print())),
        }),
        "index" => match (any(0)?, any(1)?) {
            (Value::Map(map) | Value::Labels(map), Value::Text(key)) => {
                Value::Text(map.get(key).cloned().unwrap_or_default())
            }
            // Unlike a field, an index that is not there is zero.
            (Value::Nodes(all), Value::Text(key)) => {
                let (labels, value) = all.get(key).cloned().unwrap_or_default();
                Value::Node(labels, value)
            }
            (Value::Samples(all), Value::Int(index)) => {
                let found = usize::try_from(*index).ok().and_then(|index| all.get(index));
                let (labels, value) = found.ok_or_else(|| format!("index out of range: {index}"))?;
                Value::Sample(labels.clone(), *value)
            }
            _ => return Err("can't index item of this type".into()),
        },
        "print" => Value::Text(printed(arguments, false)),
        "println" => Value::Text(printed(arguments, true) + "\n"),
        "printf" => {
            let mut values = arguments.iter().skip(1);
            Value::Text(printf(text(0)?, |verb, flags| values.next().map(|value| show(value, verb, flags))))
        }
        "js" => Value::Text(scripted(&printed(arguments, false))),
        "slice" => Value::Text(slice(text(0)?, arguments.get(1..).unwrap_or_default())?),
        // No value here is a function.
        "call" => return Err("call of a value that is no function".into()),
        "html" => Value::Text(escaped(&printed(arguments, false))),
        "urlquery" => Value::Text(encoded(&printed(arguments, false))),
        "safeHtml" => Value::Text(text(0)?.to_owned()),
        "args" => Value::Arguments(arguments.to_vec()),
        "query" => {
            let found = (context.query)(text(0)?)?;
            let of = |(labels, value): (promql::Labels, f64)| {
                (labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(), value)
            };
            Value::Samples(found.into_iter().map(of).collect())
        }
        "first" => match samples(0)?.first() {
            Some((labels, value)) => Value::Sample(labels.clone(), *value),
            None => return Err("first() called on vector with no elements".into()),
        },
        "value" | "strvalue" => match any(0)? {
            Value::Sample(_, value) if name == "value" => Value::Float(*value),
            Value::Sample(labels, _) => Value::Text(labels.get("__value__").cloned().unwrap_or_default()),
            _ => return Err(format!("{name} needs a sample")),
        },
        "label" => match any(1)? {
            Value::Sample(labels, _) => Value::Text(labels.get(text(0)?).cloned().unwrap_or_default()),
            _ => return Err("label needs a sample".into()),
        },
        "sortByLabel" => {
            let key = text(0)?;
            let mut all = samples(1)?.clone();
            let of = |labels: &BTreeMap<String, String>| labels.get(key).cloned().unwrap_or_default();
            all.sort_by_key(|(labels, _)| of(labels));
            Value::Samples(all)
        }
        "reReplaceAll" => Value::Text(replaced(&regex(text(0)?)?, text(1)?, text(2)?)?),
        "match" => Value::Bool(regex(text(0)?)?.is_match(text(1)?)),
        "title" => Value::Text(title(text(0)?)),
        "toUpper" => Value::Text(text(0)?.to_uppercase()),
        "toLower" => Value::Text(text(0)?.to_lowercase()),
        "graphLink" => Value::Text(format!("/graph?g0.expr={}&g0.tab=0", encoded(text(0)?))),
        "tableLink" => Value::Text(format!("/graph?g0.expr={}&g0.tab=1", encoded(text(0)?))),
        "stripPort" => Value::Text(split_port(text(0)?).0.to_owned()),
        "stripDomain" => Value::Text(strip_domain(text(0)?)),
        "humanize" => Value::Text(humanize(number(0)?)),
        "humanize1024" => Value::Text(humanize1024(number(0)?)),
        "humanizeDuration" => Value::Text(humanize_duration(number(0)?)),
        "humanizePercentage" => Value::Text(general(number(0)? * 100.0, Some(4)) + "%"),
        "humanizeTimestamp" => {
            let seconds = number(0)?;
            Value::Text(if seconds.is_finite() { date(seconds) } else { special(seconds) })
        }
        "toTime" => Value::Time(number(0)?),
        "parseDuration" => Value::Float(text(0)?.parse::<Duration>()?.as_seconds_f64()),
        "pathPrefix" => Value::Text(String::new()),
        "externalURL" => Value::Text(EXTERNAL_URL.into()),
        other => return Err(format!("function \"{other}\" not defined")),
    })
}

fn float(value: &Value) -> Result<f64, String> {
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

fn regex(pattern: &str) -> Result<regex::Regex, String> {
    promql::regex_anywhere(pattern).ok_or_else(|| format!("error parsing regexp: {pattern}"))
}

/// A text with all matches replaced.
fn replaced(regex: &regex::Regex, by: &str, text: &str) -> Result<String, String> {
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
    let order = |other: &Value| match (first, other) {
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
fn printed(values: &[Value], always: bool) -> String {
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

/// A value as a verb of `printf` shows it.
fn show(value: &Value, verb: char, flags: &Flags) -> String {
    let signed = |text: String| match (flags.plus, flags.space, text.starts_with(['-', '+'])) {
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
        (Value::Int(it), 'x') => signed(format!("{it:x}")),
        (Value::Int(it), 'X') => signed(format!("{it:X}")),
        (Value::Int(it), 'o') => signed(format!("{it:o}")),
        (Value::Int(it), 'b') => signed(format!("{it:b}")),
        (Value::Bool(it), 't' | 'v') => it.to_string(),
        (Value::Text(it), 's' | 'v') => match flags.precision {
            Some(precision) => it.chars().take(precision).collect(),
            None => it.clone(),
        },
        (Value::Text(it), 'q') => serde_json::Value::from(it.as_str()).to_string(),
        (Value::Text(it), 'x') => it.bytes().map(|byte| format!("{byte:02x}")).collect(),
        (Value::Float(it), verb) => format!("%!{verb}(float64={})", general(*it, None)),
        (Value::Int(it), verb) => format!("%!{verb}(int={it})"),
        (Value::Text(it), verb) => format!("%!{verb}(string={it})"),
        (Value::Bool(it), verb) => format!("%!{verb}(bool={it})"),
        (other, _) => other.print(),
    }
}

fn escaped(text: &str) -> String {
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

fn encoded(text: &str) -> String {
    let of = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(of).collect()
}

/// Capitals at the beginning of words.
fn title(text: &str) -> String {
    let mut begins = true;
    let mut out = String::new();
    for c in text.chars() {
        match begins {
            true => out.extend(c.to_uppercase()),
            false => out.push(c),
        }
        begins = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}

/// Host and port, when there is a port.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if host.starts_with('[') && host.ends_with(']') => (&host[1..host.len() - 1], Some(port)),
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_port(text);
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let host = host.split('.').next().unwrap_or(host);
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

fn smaller(mut value: f64) -> (f64, &'static str) {
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

fn humanize(mut value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return general(value, Some(4));
    }
    if value.abs() < 1.0 {
        let (value, prefix) = smaller(value);
        return general(value, Some(4)) + prefix;
    }
    let mut prefix = "";
    for next in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
        if value.abs() < 1000.0 {
            break;
        }
        prefix = next;
        value /= 1000.0;
    }
    general(value, Some(4)) + prefix
}

fn humanize1024(mut value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return general(value, Some(4));
    }
    let mut prefix = "";
    for next in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
        if value.abs() < 1024.0 {
            break;
        }
        prefix = next;
        value /= 1024.0;
    }
    general(value, Some(4)) + prefix
}

fn humanize_duration(value: f64) -> String {
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
