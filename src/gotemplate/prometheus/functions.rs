//! Functions of templates: Go's own, and those Prometheus adds.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Value;
use super::super::builtin::{self, encoded, float, humanize_duration, regex, replaced, smaller};
use super::super::format::{date, general, special};
use super::{Context, Dialect, EXTERNAL_URL, GRAFANA_URL};
use crate::promql;
use crate::time::Duration;

const KNOWN: &[&str] = &[
    "args",
    "externalURL",
    "first",
    "graphLink",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "label",
    "match",
    "parseDuration",
    "pathPrefix",
    "query",
    "reReplaceAll",
    "safeHtml",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toLower",
    "toTime",
    "toUpper",
    "value",
];

/// What Grafana adds: `pkg/services/ngalert/state/template/funcs.go`.
const OF_GRAFANA: &[&str] = &["filterLabels", "filterLabelsRe", "mergeLabelValues", "removeLabels", "removeLabelsRe"];

pub(super) fn known(name: &str, dialect: Dialect) -> bool {
    builtin::known(name) || KNOWN.contains(&name) || (dialect == Dialect::Grafana && OF_GRAFANA.contains(&name))
}

/// Functions of Grafana, and those that do something else there.
fn call_of_grafana(name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
    let text = |index: usize| builtin::text(name, arguments, index);
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
    let text = |index: usize| builtin::text(name, arguments, index);
    if let Some(result) = builtin::call(name, arguments) {
        return result;
    }
    let any = |index: usize| arguments.get(index).ok_or_else(|| format!("wrong number of args for {name}"));
    let samples = |index: usize| match arguments.get(index) {
        Some(Value::Samples(all)) => Ok(all),
        _ => Err(format!("{name} needs the result of query")),
    };
    let number = |index: usize| float(any(index)?);
    Ok(match name {
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
