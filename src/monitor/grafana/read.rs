//! Provisioning files of Grafana: `apiVersion: 1`, `groups: [...]`.

use std::ops::Range;
use std::sync::Arc;

use super::math::Formula;
use super::{Condition, Evaluator, GrafanaRule, Group, NodeKind, NonNumbers, OnTrouble, Reducer};
use crate::document::{Field, Kind, Node, Object, Reading};
use crate::monitor::rules::templates;
use crate::promql::Expression;
use crate::time::Duration;

const DURATION: Kind = Kind::Pattern("^[0-9]");

const FILE: &[Field] = &[
    Field::required("apiVersion", Kind::Number, "1", "Always 1."),
    Field::required(
        "groups",
        Kind::List(&Kind::Open(GROUP)),
        "[ { name: kestra, folder: ops, interval: 1m, rules: [] } ]",
        "Groups.",
    ),
];

const GROUP: &[Field] = &[
    Field::required("name", Kind::Text, "kestra", "Its name."),
    Field::new("folder", Kind::Text, "ops", "A label of its alerts."),
    Field::required("interval", DURATION, "1m", "How often it is evaluated."),
    Field::required("rules", Kind::List(&Kind::Open(RULE)), "[ ]", "Its rules."),
];

const RULE: &[Field] = &[
    Field::required("title", Kind::Text, "Kestra down", "Its name."),
    Field::new("condition", Kind::Text, "C", "The node that decides."),
    Field::new("data", Kind::List(&Kind::Open(DATA)), "[ ]", "Its nodes."),
    Field::new("for", DURATION, "5m", "How long the condition must hold."),
    Field::new("keepFiringFor", DURATION, "5m", "How long it fires on."),
    Field::new("noDataState", Kind::Text, "NoData", "Without data."),
    Field::new("execErrState", Kind::Text, "Error", "When it cannot be evaluated."),
    Field::new("missing_series_evals_to_resolve", Kind::Number, "2", "Evaluations until a lost series is resolved."),
    Field::new("isPaused", Kind::Bool, "false", "It is not evaluated."),
    Field::new("labels", Kind::Any, "{ severity: page }", "Labels it gets."),
    Field::new("annotations", Kind::Any, "{ summary: it is down }", "For people."),
    Field::new("record", Kind::Any, "{ metric: x, from: A }", "A recording rule."),
];

const DATA: &[Field] = &[
    Field::required("refId", Kind::Text, "A", "Its name."),
    Field::new("datasourceUid", Kind::Text, "prometheus", "Whom it asks; __expr__ for expressions."),
    Field::new("relativeTimeRange", Kind::Open(RANGE), "{ from: 600, to: 0 }", "Seconds before the evaluation."),
    Field::required("model", Kind::Open(MODEL), "{ expr: up, instant: true }", "What it does."),
];

const RANGE: &[Field] =
    &[Field::new("from", Kind::Number, "600", "Seconds."), Field::new("to", Kind::Number, "0", "Seconds.")];

const MODEL: &[Field] = &[
    Field::new("expr", Kind::Text, "up", "PromQL."),
    Field::new("instant", Kind::Bool, "true", "One value."),
    Field::new("range", Kind::Bool, "false", "Many values."),
    Field::new("interval", Kind::Text, "15s", "From value to value, at least."),
    Field::new("intervalMs", Kind::Number, "1000", "The same in milliseconds."),
    Field::new("maxDataPoints", Kind::Number, "43200", "Values at most."),
    Field::new("type", Kind::Text, "threshold", "Of an expression."),
    Field::new("expression", Kind::Text, "A", "What it reads."),
    Field::new("reducer", Kind::Text, "last", "How a series becomes a number."),
    Field::new("settings", Kind::Any, "{ mode: dropNN }", "Values that are no numbers."),
    Field::new("conditions", Kind::Any, "[ { evaluator: { type: gt, params: [ 3 ] } } ]", "Thresholds."),
];

const TROUBLE: &[(&str, OnTrouble)] = &[
    ("NoData", OnTrouble::Tell),
    ("Alerting", OnTrouble::Alerting),
    ("OK", OnTrouble::Ok),
    ("KeepLast", OnTrouble::KeepLast),
];
const ERROR: &[(&str, OnTrouble)] = &[
    ("Error", OnTrouble::Tell),
    ("Alerting", OnTrouble::Alerting),
    ("OK", OnTrouble::Ok),
    ("KeepLast", OnTrouble::KeepLast),
];

const REDUCERS: &[(&str, Reducer)] = &[
    ("last", Reducer::Last),
    ("mean", Reducer::Mean),
    ("avg", Reducer::Mean),
    ("min", Reducer::Min),
    ("max", Reducer::Max),
    ("sum", Reducer::Sum),
    ("count", Reducer::Count),
    ("median", Reducer::Median),
    ("diff", Reducer::Diff),
    ("count_non_null", Reducer::CountNonNull),
];

/// Reads one document.
pub(in crate::monitor) fn document_groups(root: &Node, groups: &mut Vec<Group>, reading: &mut Reading) {
    let Some(object) = reading.open(root, "a provisioning file of Grafana", FILE) else { return };
    for node in object.get("groups").map(|node| reading.list(node, "`groups`")).unwrap_or_default() {
        groups.extend(group(node, reading));
    }
}

fn seconds(node: Option<&Node>, what: &str, reading: &mut Reading) -> Option<Duration> {
    reading.parsed(node?, what, str::parse::<Duration>)
}

fn group(node: &Node, reading: &mut Reading) -> Option<Group> {
    let object = reading.open(node, "a group", GROUP)?;
    let interval = seconds(object.get("interval"), "`interval`", reading)?;
    if interval.is_zero() || !interval.as_nanoseconds().is_multiple_of(Duration::seconds(10).as_nanoseconds()) {
        let place = object.get("interval").map_or(&node.place, |node| &node.place);
        reading.error(place, format!("`interval` is {interval}"), "Grafana evaluates each 10s or a multiple of it");
    }
    let text = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
    };
    let (name, folder) = (text(reading, "name")?, text(reading, "folder").unwrap_or_default());
    let mut rules = Vec::new();
    for node in reading.list(object.get("rules")?, "`rules`") {
        rules.extend(rule(node, reading).map(Arc::new));
    }
    Some(Group { name, folder, interval, rules })
}

fn rule(node: &Node, reading: &mut Reading) -> Option<GrafanaRule> {
    let object = reading.open(node, "a rule of Grafana", RULE)?;
    let title = reading.text(object.get("title")?, "`title`")?.to_owned();
    if let Some(entry) = object.entry("record") {
        reading.warning(&entry.place, format!("the recording rule `{title}` is not evaluated"), "");
        return None;
    }
    let Some(list) = object.get("data") else {
        reading.error(&node.place, format!("the rule `{title}` has no `data`"), "add its queries");
        return None;
    };
    let mut nodes = Vec::new();
    let mut broken = false;
    for entry in reading.list(list, "`data`") {
        match data(entry, reading) {
            Some(found) => nodes.push(found),
            None => broken = true,
        }
    }
    let condition = object.get("condition")?;
    let name = reading.text(condition, "`condition`")?.to_owned();
    if !broken {
        let names: Vec<String> = nodes.iter().map(|(node, _)| node.name.clone()).collect();
        if !names.contains(&name) {
            reading.unknown(&condition.place, "node of this rule", &name, names.iter().map(String::as_str));
        }
        for (found, place) in &nodes {
            for read in reads(&found.kind) {
                if !names.contains(&read) {
                    reading.unknown(place, "node of this rule", &read, names.iter().map(String::as_str));
                }
            }
        }
    }
    let trouble = |reading: &mut Reading, key: &str, words| match object.get(key) {
        Some(node) => reading.choice(node, key, words),
        None => Some(OnTrouble::Tell),
    };
    let missing = object.get("missing_series_evals_to_resolve");
    let missing = missing.and_then(|node| reading.count(node, "`missing_series_evals_to_resolve`", 1..=1_000_000));
    let of = |reading: &mut Reading, key: &str| object.get(key).map(|node| templates(node, key, reading));
    let keep = object.get("keepFiringFor").or(object.get("keep_firing_for"));
    let (nodes, ordered) = in_order(nodes.into_iter().map(|(node, _)| node).collect());
    if !ordered {
        reading.error(&list.place, format!("nodes of `{title}` read each other in a circle"), "");
    }
    Some(GrafanaRule {
        condition: name,
        nodes,
        hold: seconds(object.get("for"), "`for`", reading).unwrap_or(Duration::ZERO),
        keep_firing: seconds(keep, "`keepFiringFor`", reading).unwrap_or(Duration::ZERO),
        no_data: trouble(reading, "noDataState", TROUBLE)?,
        error: trouble(reading, "execErrState", ERROR)?,
        missing_evaluations: missing.unwrap_or(2) as u32,
        paused: object.get("isPaused").and_then(|node| reading.boolean(node, "`isPaused`")).unwrap_or(false),
        labels: of(reading, "labels").unwrap_or_default(),
        annotations: of(reading, "annotations").unwrap_or_default(),
        title,
    })
}

/// The nodes that a node reads.
fn reads(kind: &NodeKind) -> Vec<String> {
    match kind {
        NodeKind::Instant(..) | NodeKind::Range { .. } => Vec::new(),
        NodeKind::Reduce(of, ..) | NodeKind::Threshold(of, ..) => vec![of.clone()],
        NodeKind::Math(formula) => formula.variables(),
        NodeKind::Classic(conditions) => conditions.iter().map(|condition| condition.query.clone()).collect(),
    }
}

/// Every node after those it reads; false when that cannot be.
fn in_order(mut nodes: Vec<super::Node>) -> (Vec<super::Node>, bool) {
    let mut ordered: Vec<super::Node> = Vec::with_capacity(nodes.len());
    while !nodes.is_empty() {
        let ready =
            |node: &super::Node| reads(&node.kind).iter().all(|read| ordered.iter().any(|known| known.name == *read));
        let Some(place) = nodes.iter().position(ready) else {
            ordered.append(&mut nodes);
            return (ordered, false);
        };
        ordered.push(nodes.remove(place));
    }
    (ordered, true)
}

fn data<'n>(node: &'n Node, reading: &mut Reading) -> Option<(super::Node, &'n crate::document::Place)> {
    let object = reading.open(node, "a node of a rule", DATA)?;
    let name = reading.text(object.get("refId")?, "`refId`")?.to_owned();
    let source = object.get("datasourceUid").and_then(|node| reading.text(node, "`datasourceUid`")).unwrap_or("");
    let source = source.to_owned();
    let model_node = object.get("model")?;
    let model = reading.open(model_node, "`model`", MODEL)?;
    // -100 is what older versions wrote for expressions.
    let kind = match matches!(source.as_str(), "__expr__" | "-100")
        || model.get("type").is_some() && model.get("expr").is_none()
    {
        true => expression(&model, model_node, reading)?,
        false => query(&object, &model, reading)?,
    };
    Some((super::Node { name, source, kind }, &model_node.place))
}

fn query(object: &Object<'_>, model: &Object<'_>, reading: &mut Reading) -> Option<NodeKind> {
    let Some(expr) = model.get("expr") else {
        reading.error(&model.node.place, "this query has no `expr`", "only queries of Prometheus are evaluated");
        return None;
    };
    let text = reading.text(expr, "`expr`")?;
    let range = object.get("relativeTimeRange").and_then(|node| reading.open(node, "`relativeTimeRange`", RANGE));
    let mut span = |key: &str, default: u64| {
        let node = range.and_then(|range| range.get(key));
        let count = node.and_then(|node| reading.count(node, &format!("`{key}`"), 0..=100 * 366 * 86_400));
        Duration::seconds(count.unwrap_or(default))
    };
    let (from, to) = (span("from", 600), span("to", 0));
    let number = |reading: &mut Reading, key: &str| {
        model.get(key).and_then(|node| reading.count(node, &format!("`{key}`"), 1..=1 << 40))
    };
    let least =
        match model.get("interval").filter(|node| reading.text(node, "`interval`").is_some_and(|it| !it.is_empty())) {
            Some(node) => reading.parsed(node, "`interval`", str::parse::<Duration>)?,
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
    const ROUND: &[(u64, u64)] = &[
        (1_500, 1_000),
        (3_500, 2_000),
        (7_500, 5_000),
        (12_500, 10_000),
        (17_500, 15_000),
        (25_000, 20_000),
        (45_000, 30_000),
        (90_000, 60_000),
        (210_000, 120_000),
        (450_000, 300_000),
        (750_000, 600_000),
        (1_050_000, 900_000),
        (1_500_000, 1_200_000),
        (2_700_000, 1_800_000),
        (5_400_000, 3_600_000),
        (9_000_000, 7_200_000),
        (16_200_000, 10_800_000),
        (32_400_000, 21_600_000),
        (86_400_000, 43_200_000),
    ];
    let milliseconds = wanted.as_milliseconds();
    let round = ROUND.iter().find(|(below, _)| milliseconds < *below).map_or(86_400_000, |(_, round)| *round);
    Duration::milliseconds(round).max(least)
}

fn expression(model: &Object<'_>, node: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let Some(kind) = model.get("type") else {
        reading.error(&node.place, "this expression has no `type`", "write `type: threshold`, `reduce` or `math`");
        return None;
    };
    type Read = fn(&Object<'_>, &Node, &mut Reading) -> Option<NodeKind>;
    const TYPES: &[(&str, Read)] =
        &[("reduce", reduce), ("math", math), ("threshold", threshold), ("classic_conditions", classic)];
    let read = reading.choice(kind, "type of expression that is evaluated here", TYPES)?;
    read(model, node, reading)
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
        Some(node) => reading.choice(node, "reducer", REDUCERS)?,
        None => Reducer::Last,
    };
    let modes: &[(&str, NonNumbers)] = &[
        ("", NonNumbers::Strict),
        ("strict", NonNumbers::Strict),
        ("dropNN", NonNumbers::Drop),
        ("replaceNN", NonNumbers::Replace(0.0)),
    ];
    let settings = model.get("settings").and_then(|node| reading.open(node, "`settings`", &[]));
    let mode = match settings.and_then(|settings| settings.get("mode")) {
        Some(node) => reading.choice(node, "mode", modes)?,
        None => NonNumbers::Strict,
    };
    let mode = match (mode, settings.and_then(|settings| settings.get("replaceWithValue"))) {
        (NonNumbers::Replace(_), Some(node)) => NonNumbers::Replace(float(node, reading)?),
        (mode, _) => mode,
    };
    Some(NodeKind::Reduce(input(model, node, reading)?, reducer, mode))
}

fn math(model: &Object<'_>, _: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let formula = reading.parsed(model.get("expression")?, "`expression`", Formula::parse)?;
    Some(NodeKind::Math(formula))
}

fn threshold(model: &Object<'_>, node: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let conditions = reading.list(model.get("conditions")?, "`conditions`");
    let Some(first) = conditions.first() else {
        let advice = "add `conditions: [ { evaluator: { type: gt, params: [ 3 ] } } ]`";
        reading.error(&node.place, "a threshold needs a condition", advice);
        return None;
    };
    let first = reading.open(first, "a condition", &[])?;
    let with = evaluator(first.get("evaluator"), first.node, reading)?;
    let unload = match first.get("unloadEvaluator") {
        Some(node) => Some(evaluator(Some(node), node, reading)?),
        None => None,
    };
    Some(NodeKind::Threshold(input(model, node, reading)?, with, unload))
}

fn classic(model: &Object<'_>, _: &Node, reading: &mut Reading) -> Option<NodeKind> {
    let mut conditions = Vec::new();
    for entry in reading.list(model.get("conditions")?, "`conditions`") {
        conditions.push(condition(entry, reading)?);
    }
    Some(NodeKind::Classic(conditions))
}

fn condition(entry: &Node, reading: &mut Reading) -> Option<Condition> {
    let object = reading.open(entry, "a condition", &[])?;
    let inner = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.open(node, &format!("`{key}`"), &[]))
    };
    let first_param = |object: Option<Object<'_>>, reading: &mut Reading| -> Option<String> {
        let list = reading.list(object?.get("params")?, "`params`");
        reading.text(list.first()?, "a parameter").map(str::to_owned)
    };
    let query = inner(reading, "query");
    let Some(query) = first_param(query, reading) else {
        reading.error(&entry.place, "this condition reads no query", "add `query: { params: [ A ] }`");
        return None;
    };
    let reducer = match inner(reading, "reducer").and_then(|reducer| reducer.get("type")) {
        Some(node) => reading.choice(node, "reducer", REDUCERS)?,
        None => Reducer::Last,
    };
    let operator = inner(reading, "operator").and_then(|operator| operator.get("type"));
    let or = match operator {
        Some(node) => reading.choice(node, "operator", &[("and", false), ("or", true)])?,
        None => false,
    };
    Some(Condition { query, reducer, evaluator: evaluator(object.get("evaluator"), entry, reading)?, or })
}

fn float(node: &Node, reading: &mut Reading) -> Option<f64> {
    reading.parsed(node, "a number", |text| text.parse::<f64>().map_err(|_| "write a number".to_owned()))
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
        params.push(float(node, reading)?);
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
