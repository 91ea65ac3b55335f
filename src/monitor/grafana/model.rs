//! The nodes of a rule: whom each asks, or what it reckons.

use std::ops::Range;

use super::duration::of_model;
use super::math::Formula;
use super::outside::{Outside, child, words};
use super::round::round_step;
use super::{Condition, Evaluator, NodeKind, NonNumbers, Reducer};
use crate::document::{Field, Kind, Node, Object, Reading, Value};
use crate::promql::Expression;
use crate::time::Duration;

const RANGE: &[Field] =
    &[Field::new("from", Kind::Number, "600", "Seconds."), Field::new("to", Kind::Number, "0", "Seconds.")];

const MODEL: &[Field] = &[
    Field::new("expr", Kind::Text, "up", "PromQL."),
    Field::new("instant", Kind::Bool, "true", "One value."),
    Field::new("range", Kind::Bool, "false", "Many values."),
    Field::new("interval", Kind::Any, "15s", "From value to value, at least."),
    Field::new("intervalMs", Kind::Number, "1000", "The same in milliseconds."),
    Field::new("maxDataPoints", Kind::Number, "43200", "Values at most."),
    Field::new("type", Kind::Text, "threshold", "Of an expression."),
    Field::new("expression", Kind::Text, "A", "What it reads."),
    Field::new("reducer", Kind::Text, "last", "How a series becomes a number."),
    Field::new("settings", Kind::Any, "{ mode: dropNN }", "Values that are no numbers."),
    Field::new("conditions", Kind::Any, "[ { evaluator: { type: gt, params: [ 3 ] } } ]", "Thresholds."),
];

/// Whom a node asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is an expression over other nodes.
    Expression,
    /// A data source that answers PromQL.
    Prometheus,
    /// One whose type is told nowhere; its query may be PromQL.
    Untold,
    /// One of another type, or a type that its query shows.
    Other(String),
}

/// Types of data sources that answer PromQL.
const PROMETHEUS: &[&str] =
    &["prometheus", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource"];

/// Names of others, as people call them by in a uid.
const OTHERS: &[&str] = &[
    "loki",
    "tempo",
    "influx",
    "graphite",
    "elastic",
    "opensearch",
    "cloudwatch",
    "testdata",
    "mysql",
    "postgres",
    "mssql",
    "clickhouse",
    "bigquery",
    "stackdriver",
    "azuremonitor",
];

/// Keys of models of others: a key, and the type it shows.
const SHOWN_BY: &[(&str, &str)] = &[
    ("rawSql", "sql"),
    ("rawQuery", "sql"),
    ("scenarioId", "testdata"),
    ("metricName", "cloudwatch"),
    ("dimensions", "cloudwatch"),
    ("target", "graphite"),
    ("logGroups", "cloudwatch"),
    ("bucketAggs", "elasticsearch"),
    ("query", "of another language"),
];

/// Whom a node asks: its `datasourceUid` says whether it is an expression; of others the type is what the provisioning of
/// the data source says, or `model.datasource.type`, or else what the uid and the query show.
pub(super) fn asked(uid: &str, data: &Node, model: &Node, outside: &Outside<'_>) -> Asked {
    // -100 is what older versions wrote for expressions.
    if matches!(uid, "__expr__" | "-100") {
        return Asked::Expression;
    }
    let told = child(model, "datasource").and_then(|source| words(source, "type"));
    let told = outside.data_sources.get(uid).map(String::as_str).or(told);
    if let Some(told) = told.filter(|told| !told.is_empty()) {
        return if PROMETHEUS.contains(&told) { Asked::Prometheus } else { Asked::Other(told.to_owned()) };
    }
    let lower = uid.to_lowercase();
    if lower.contains("prometheus") {
        return Asked::Prometheus;
    }
    if let Some(other) = OTHERS.iter().find(|other| lower.contains(**other)) {
        return Asked::Other((*other).to_owned());
    }
    match words(model, "expr") {
        Some(expr) if speaks_of_logs(expr) || is_asked_as_logs(data, model) => Asked::Other("loki".into()),
        Some(_) => Asked::Untold,
        None => {
            let shown = SHOWN_BY.iter().find(|(key, _)| child(model, key).is_some());
            Asked::Other(shown.map_or("that is not told", |(_, kind)| kind).to_owned())
        }
    }
}

/// Whether a query says by `queryType` how it is asked, as those of Loki do: those of Prometheus say `instant` or `range`.
fn is_asked_as_logs(data: &Node, model: &Node) -> bool {
    let says = |node: &Node| matches!(words(node, "queryType"), Some("range" | "instant" | "stream"));
    let of_prometheus = child(model, "instant").is_some() || child(model, "range").is_some();
    (says(data) || says(model)) && !of_prometheus
}

/// Functions of LogQL that PromQL does not have.
const OF_LOGS: &[&str] = &["bytes_rate", "bytes_over_time", "rate_counter"];

/// Whether an expression is LogQL: PromQL has no bar outside of texts; and a range of all that has some label, whatever its
/// name, is one of logs, unless its braces say the name.
fn speaks_of_logs(expr: &str) -> bool {
    let (mut nameless, mut named, mut before, mut word) = (false, false, ' ', String::new());
    let mut quote = None;
    let mut chars = expr.chars();
    while let Some(c) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            word.clear();
        } else if quote.is_none() {
            match c {
                '{' => (nameless, named) = (!(before.is_ascii_alphanumeric() || matches!(before, '_' | ':')), false),
                '[' if before == '}' && nameless && !named => return true,
                '(' if OF_LOGS.contains(&word.as_str()) => return true,
                _ => {}
            }
            match c.is_ascii_alphanumeric() || c == '_' {
                true => word.push(c),
                false => word.clear(),
            }
            named |= word == "__name__" || (matches!(before, '{' | ',') && matches!(c, '"' | '\''));
            before = c;
        }
        match (quote, c) {
            (Some('"' | '\''), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '#') => while chars.next().is_some_and(|c| c != '\n') {},
            (None, '|') => return true,
            _ => {}
        }
    }
    false
}

/// What an expression of Grafana reckons.
pub(super) fn expression(model: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let object = reading.open(model, "`model`", MODEL)?;
    let Some(kind) = object.get("type") else {
        reading.error(&model.place, "this expression has no `type`", "write `type: threshold`, `reduce` or `math`");
        return None;
    };
    type Read = fn(&Object<'_>, &Node, &mut Reading) -> Option<NodeKind>;
    const TYPES: &[(&str, Read)] =
        &[("reduce", reduce), ("math", math), ("threshold", threshold), ("classic_conditions", classic)];
    let read = reading.choice(kind, "type of expression that is evaluated here", TYPES)?;
    read(&object, model, reading)
}

/// A query of Prometheus, over a range of time before the evaluation.
pub(super) fn query(range: Option<&Node>, model_node: &Node, node: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let model = reading.open(model_node, "`model`", MODEL)?;
    let Some(expr) = model.get("expr") else {
        reading.error(&model_node.place, "this query has no `expr`", "add `expr: up`");
        return None;
    };
    let text = reading.text(expr, "`expr`")?;
    let (from, to) = time_range(range, node, reading)?;
    // 0 is none.
    let number = |reading: &mut Reading, key: &str| {
        let count = model.get(key).and_then(|node| reading.count(node, &format!("`{key}`"), 0..=1 << 40));
        count.filter(|count| *count > 0)
    };
    let least = match model
        .get("interval")
        .filter(|node| !matches!(&node.value, Value::Scalar { text, .. } if text.is_empty()))
    {
        Some(node) => reading.parsed(node, "`interval`", of_model)?,
        None => number(reading, "intervalMs").map_or(Duration::seconds(15), Duration::milliseconds),
    };
    let points = number(reading, "maxDataPoints").unwrap_or(43_200);
    let step = step(from.saturating_sub(to), least, points);
    let values = [
        ("$__rate_interval", least.times(4.0).max(Duration::minutes(1)).to_string()),
        ("$__interval_ms", step.as_milliseconds().to_string()),
        ("$__interval", step.to_string()),
        ("$__range", from.saturating_sub(to).to_string()),
    ];
    let (plain, origin) = with_values(text, &values);
    let parsed = match Expression::parse(&plain) {
        Ok(expression) => expression,
        Err(why) => {
            let what = format!("`expr` cannot be evaluated: {}", why.message);
            reading.error_within(expr, origin(why.span), what, why.advice.unwrap_or_default());
            return None;
        }
    };
    let flag =
        |reading: &mut Reading, key: &str| model.get(key).and_then(|node| reading.boolean(node, &format!("`{key}`")));
    let (instant, ranged) = (flag(reading, "instant"), flag(reading, "range"));
    Some(match instant.unwrap_or(false) && !ranged.unwrap_or(false) {
        true => NodeKind::Instant(parsed, to),
        false => NodeKind::Range { expression: parsed, from, to, step },
    })
}

/// `relativeTimeRange`: whole seconds before the evaluation, and a query must have one (`AlertQuery.PreSave`).
fn time_range(range: Option<&Node>, node: &Node, reading: &mut Reading) -> Option<(Duration, Duration)> {
    const ADVICE: &str =
        "write for example `relativeTimeRange: { from: 600, to: 0 }`, in seconds before the evaluation";
    let Some(range) = range else {
        reading.error(&node.place, "this query has no `relativeTimeRange`", ADVICE);
        return None;
    };
    let object = reading.open(range, "`relativeTimeRange`", RANGE)?;
    let mut span = |key: &str| match object.get(key) {
        None => Some(0),
        Some(node) if matches!(node.value, Value::Scalar { plain: false, .. }) => {
            reading.error(&node.place, format!("`{key}` is a text"), "write a number of seconds without quotes");
            None
        }
        Some(node) => reading.count(node, &format!("`{key}`"), 0..=100 * 366 * 86_400),
    };
    let (from, to) = (span("from"), span("to"));
    let (from, to) = (from?, to?);
    if from <= to {
        reading.error(
            &range.place,
            format!("the time range from {from} to {to} seconds before the evaluation is none"),
            ADVICE,
        );
        return None;
    }
    Some((Duration::seconds(from), Duration::seconds(to)))
}

/// A text with the values of Grafana's own variables, which mean nothing to Prometheus; and where a part of it comes from.
fn with_values(text: &str, values: &[(&str, String)]) -> (String, impl Fn(Range<usize>) -> Range<usize>) {
    let mut plain = String::with_capacity(text.len());
    // Where values begin and end, in the new text and in the old one.
    let mut places: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|dollar| at + dollar) {
        plain.push_str(&text[at..dollar]);
        let rest = &text[dollar..];
        let known = values.iter().find(|(name, _)| rest.starts_with(name));
        let (written, value) = known.map_or(("$", "$"), |(name, value)| (name, value.as_str()));
        places.push((plain.len()..plain.len() + value.len(), dollar..dollar + written.len()));
        plain.push_str(value);
        at = dollar + written.len();
    }
    plain.push_str(&text[at..]);
    let place = move |at: usize, is_end: bool| {
        let value = places.iter().rev().find(|(new, _)| new.start < at || (new.start == at && !is_end));
        match value {
            None => at,
            Some((new, old)) if at < new.end || (at == new.end && is_end) => {
                if is_end {
                    old.end
                } else {
                    old.start
                }
            }
            Some((new, old)) => old.end + (at - new.end),
        }
    };
    let origin = move |part: Range<usize>| {
        let start = place(part.start, false);
        start..place(part.end, true).max(start)
    };
    (plain, origin)
}

/// The step of a range: not below the least, and not more values than wanted; then a round number.
fn step(span: Duration, least: Duration, points: u64) -> Duration {
    let wanted = Duration::nanoseconds(span.as_nanoseconds() / points.max(1));
    if wanted <= least {
        return least.max(Duration::milliseconds(1));
    }
    round_step(wanted).max(least)
}

/// The node that an expression reads.
fn input(model: &Object<'_>, node: &Node, reading: &mut Reading) -> Option<String> {
    let Some(name) = model.get("expression") else {
        let advice = "name the node it reads: `expression: A`";
        reading.error(&node.place, "this expression has no `expression`", advice);
        return None;
    };
    let text = reading.text(name, "`expression`")?.trim();
    Some(text.trim_start_matches('$').trim_start_matches('{').trim_end_matches('}').to_owned())
}

fn reduce(model: &Object<'_>, node: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let reducer = match model.get("reducer") {
        Some(node) => reading.choice(node, "reducer of an expression", Reducer::OF_EXPRESSIONS)?,
        None => {
            reading.error(&node.place, "this expression has no `reducer`", "add for example `reducer: last`");
            return None;
        }
    };
    let modes: &[(&str, NonNumbers)] =
        &[("strict", NonNumbers::Strict), ("dropNN", NonNumbers::Drop), ("replaceNN", NonNumbers::Replace(0.0))];
    let settings = model.get("settings").and_then(|node| reading.open(node, "`settings`", &[]));
    // An empty one is none.
    let is_empty = |node: &Node| matches!(&node.value, Value::Scalar { text, .. } if text.is_empty());
    let mode = match settings.and_then(|settings| settings.get("mode")).filter(|node| !is_empty(node)) {
        Some(node) => reading.choice(node, "mode", modes)?,
        None => NonNumbers::Strict,
    };
    let mode = match (mode, settings.and_then(|settings| settings.get("replaceWithValue"))) {
        (NonNumbers::Replace(_), Some(node)) => NonNumbers::Replace(float(node, "`replaceWithValue`", reading)?),
        (mode, _) => mode,
    };
    Some(NodeKind::Reduce(input(model, node, reading)?, reducer, mode))
}

fn math(model: &Object<'_>, node: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let Some(text) = model.get("expression") else {
        reading.error(&node.place, "this formula has no `expression`", "add for example `expression: $A > 3`");
        return None;
    };
    Some(NodeKind::Math(reading.parsed(text, "`expression`", Formula::parse)?))
}

/// The conditions of a node, one at least.
fn conditions<'n>(model: &Object<'n>, node: &Node, what: &str, reading: &mut Reading) -> Option<&'n [Node]> {
    let all = model.get("conditions").map(|node| reading.list(node, "`conditions`")).unwrap_or_default();
    if all.is_empty() {
        let advice = "add `conditions: [ { evaluator: { type: gt, params: [ 3 ] } } ]`";
        reading.error(&node.place, format!("{what} needs a condition"), advice);
        return None;
    }
    Some(all)
}

fn threshold(model: &Object<'_>, node: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let first = conditions(model, node, "a threshold", reading)?.first()?;
    let first = reading.open(first, "a condition", &[])?;
    let with = evaluator(first.get("evaluator"), first.node, reading)?;
    let unload = match first.get("unloadEvaluator") {
        Some(node) => Some(evaluator(Some(node), node, reading)?),
        None => None,
    };
    Some(NodeKind::Threshold(input(model, node, reading)?, with, unload))
}

fn classic(model: &Object<'_>, node: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let all = conditions(model, node, "a node of type classic_conditions", reading)?;
    let all: Vec<_> = all.iter().enumerate().map(|(index, entry)| condition(entry, index > 0, reading)).collect();
    all.into_iter().collect::<Option<_>>().map(NodeKind::Classic)
}

/// A condition of the old kind. The first needs no operator.
fn condition(entry: &Node, follows: bool, reading: &mut Reading) -> Option<Condition> {
    let object = reading.open(entry, "a condition", &[])?;
    let inner = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.open(node, &format!("`{key}`"), &[]))
    };
    let first_param = |object: Option<Object<'_>>, reading: &mut Reading| -> Option<String> {
        let list = reading.list(object?.get("params")?, "`params`");
        reading.text(list.first()?, "a parameter").map(str::to_owned)
    };
    let query = inner(reading, "query");
    let Some(query) = first_param(query, reading).filter(|query| !query.is_empty()) else {
        reading.error(&entry.place, "this condition reads no query", "add `query: { params: [ A ] }`");
        return None;
    };
    let Some(reducer) = inner(reading, "reducer").and_then(|reducer| reducer.get("type")) else {
        reading.error(&entry.place, "this condition has no `reducer`", "add `reducer: { type: last }`");
        return None;
    };
    let reducer = reading.choice(reducer, "reducer of a condition", Reducer::OF_CONDITIONS)?;
    let operator = inner(reading, "operator").and_then(|operator| operator.get("type")).filter(|_| follows);
    let or = match operator {
        Some(node) => reading.choice(node, "operator", &[("and", false), ("or", true)])?,
        None if follows => {
            let advice = "add `operator: { type: and }`, or `or`: it joins this condition with those before";
            reading.error(&entry.place, "this condition has no `operator`", advice);
            return None;
        }
        None => false,
    };
    Some(Condition { query, reducer, evaluator: evaluator(object.get("evaluator"), entry, reading)?, or })
}

fn float(node: &Node, what: &str, reading: &mut Reading) -> Option<f64> {
    reading.parsed(node, what, |text| text.parse::<f64>().map_err(|_| "write a number".to_owned()))
}

fn evaluator(node: Option<&Node>, outer: &Node, reading: &mut Reading) -> Option<Evaluator> {
    let Some(node) = node else {
        reading.error(
            &outer.place,
            "this condition has no `evaluator`",
            "add `evaluator: { type: gt, params: [ 3 ] }`",
        );
        return None;
    };
    let object = reading.open(node, "`evaluator`", &[])?;
    const TYPES: &[(&str, u8)] = &[
        ("gt", 0),
        ("lt", 1),
        ("eq", 2),
        ("ne", 3),
        ("gte", 4),
        ("lte", 5),
        // As classic conditions call them.
        ("ge", 4),
        ("le", 5),
        ("within_range", 6),
        ("outside_range", 7),
        ("within_range_included", 8),
        ("outside_range_included", 9),
        ("no_value", 10),
    ];
    let Some(kind) = object.get("type") else {
        reading.error(&node.place, "this evaluator has no `type`", "add `type: gt`");
        return None;
    };
    let kind = reading.choice(kind, "evaluator", TYPES)?;
    let mut params = Vec::new();
    for node in object.get("params").map(|node| reading.list(node, "`params`")).unwrap_or_default() {
        params.push(float(node, "a parameter of this evaluator", reading)?);
    }
    let needed = match kind {
        10 => 0,
        6..=9 => 2,
        _ => 1,
    };
    if params.len() < needed {
        reading.error(&node.place, format!("this evaluator needs {needed} numbers in `params`"), "");
        return None;
    }
    let at = |index: usize| params.get(index).copied().unwrap_or(0.0);
    Some(match kind {
        0 => Evaluator::Gt(at(0)),
        1 => Evaluator::Lt(at(0)),
        2 => Evaluator::Eq(at(0)),
        3 => Evaluator::Ne(at(0)),
        4 => Evaluator::Gte(at(0)),
        5 => Evaluator::Lte(at(0)),
        6 => Evaluator::Within(at(0), at(1)),
        7 => Evaluator::Outside(at(0), at(1)),
        8 => Evaluator::WithinIncluded(at(0), at(1)),
        9 => Evaluator::OutsideIncluded(at(0), at(1)),
        _ => Evaluator::NoValue,
    })
}
