//! Reading Flow triggers: `states`, `preconditions`, and what 2.0 has instead.

use jiff::SignedDuration;

use super::read_condition::{as_text, conditions};
use super::window::{DAY, TimeWindow, WindowKind};
use super::{Comparison, Dependency, Filter, FilterField, Filters, FlowTrigger, Mode, Preconditions, UpstreamFlow};
use crate::document::{Node, Object, Reading, Value};
use crate::flow::parts::{self, labels, missing, word};
use crate::flow::{jackson, moment, zone};

/// Keys that not all versions have.
const KEYS: &[&str] = &[
    "conditions",
    "preconditions",
    "minLogLevel",
    "workerGroup",
    "when",
    "dependsOn",
    "window",
    "mode",
    "minSatisfied",
    "policyRefs",
    "workerSelector",
];

/// Reads a Flow trigger.
pub(in crate::flow) fn flow_trigger(reading: &mut Reading, trigger: &Object<'_>) -> FlowTrigger {
    if let Some(entry) = trigger.entry("when").filter(|entry| entry.value.value == Value::Null) {
        reading.error(&entry.place, "`when` must not be null", "write a template, or leave `when` out");
    }
    let depends_on = trigger.get("dependsOn").map(|node| dependencies(reading, node)).unwrap_or_default();
    let inputs = trigger.get("inputs").map(jackson::json);
    FlowTrigger {
        states: trigger.get("states").map(|node| parts::states(reading, node, "`states`")),
        conditions: trigger.get("conditions").map(|node| conditions(reading, node)).unwrap_or_default(),
        preconditions: trigger.get("preconditions").and_then(|node| preconditions(reading, node)),
        when: trigger.get("when").and_then(|node| text(reading, node)),
        window: trigger.get("window").and_then(|node| window(reading, node)),
        mode: mode(reading, trigger, depends_on.len()),
        depends_on,
        inputs: inputs.and_then(|inputs| match inputs {
            serde_json::Value::Object(inputs) => Some(inputs),
            _ => None,
        }),
        labels: trigger.get("labels").map(|node| labels(reading, node)).unwrap_or_default(),
        keys: KEYS.iter().copied().filter(|key| trigger.entry(key).is_some()).collect(),
    }
}

/// A mapping, whatever its keys.
pub(super) fn object<'n>(reading: &mut Reading, node: &'n Node, what: &str) -> Option<Object<'n>> {
    reading.mapping(node, what, "key: value")
}

/// A mapping with these keys and no others.
fn strict<'n>(reading: &mut Reading, node: &'n Node, what: &str, keys: &'static [&'static str]) -> Option<Object<'n>> {
    let object = object(reading, node, what)?;
    for entry in object.entries().iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
        reading.unknown(&entry.place, &format!("key of {what}"), &entry.key, keys.iter().copied());
    }
    Some(object)
}

/// A text, as which scalars of any kind are taken: `true` and `5` without quotes too.
pub(in crate::flow) fn text(reading: &mut Reading, node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar { plain: false, text } => Some(text.clone()),
        Value::Scalar { plain: true, text } => Some(match jackson::json(node) {
            // A number keeps its zeros.
            serde_json::Value::Number(_) => text.clone(),
            other => as_text(&other),
        }),
        _ => {
            reading.text(node, "a value");
            None
        }
    }
}

fn preconditions(reading: &mut Reading, node: &Node) -> Option<Preconditions> {
    const KEYS: &[&str] = &["id", "description", "timeWindow", "resetOnSuccess", "flows", "where"];
    let object = strict(reading, node, "`preconditions`", KEYS)?;
    let id = match object.get("id").and_then(|node| text(reading, node)).filter(|id| !id.trim().is_empty()) {
        Some(id) => id,
        None => {
            missing(reading, &node.place.first_line(), "`preconditions`", "id", "flows");
            return None;
        }
    };
    let good = id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !good {
        let what = format!("`id` of `preconditions` is `{id}`");
        reading.error(&node.place, what, "use letters and digits, behind the first also `_` and `-`");
    }
    let flows = object.get("flows").map_or(&[][..], |node| reading.list(node, "`flows`"));
    let flows = flows.iter().filter_map(|item| upstream(reading, item)).collect();
    let filters = object.get("where").map_or(&[][..], |node| reading.list(node, "`where`"));
    let filters = filters.iter().filter_map(|item| filters_of(reading, item)).collect();
    let reset = object.get("resetOnSuccess").and_then(|node| jackson::boolean(reading, node, "`resetOnSuccess`"));
    let window = object.get("timeWindow").and_then(|node| time_window(reading, node)).unwrap_or_default();
    Some(Preconditions { id, window, reset: reset.unwrap_or(true), flows, filters })
}

fn upstream(reading: &mut Reading, node: &Node) -> Option<UpstreamFlow> {
    let object = strict(reading, node, "an entry of `flows`", &["namespace", "flowId", "states", "labels"])?;
    Some(upstream_of(reading, &object))
}

fn upstream_of(reading: &mut Reading, object: &Object<'_>) -> UpstreamFlow {
    let [namespace, flow] = ["namespace", "flowId"].map(|key| object.get(key).and_then(|node| text(reading, node)));
    UpstreamFlow {
        namespace,
        flow,
        states: object.get("states").map(|node| parts::states(reading, node, "`states`")),
        labels: object.get("labels").map(|node| labels(reading, node)).unwrap_or_default(),
    }
}

fn dependencies(reading: &mut Reading, node: &Node) -> Vec<Dependency> {
    const KEYS: &[&str] = &["namespace", "flowId", "states", "labels", "when"];
    let mut dependencies: Vec<Dependency> = Vec::new();
    for item in reading.list(node, "`dependsOn`") {
        let Some(object) = strict(reading, item, "an entry of `dependsOn`", KEYS) else { continue };
        let when = object.get("when").and_then(|node| text(reading, node));
        let dependency = Dependency { upstream: upstream_of(reading, &object), when };
        if dependencies.contains(&dependency) {
            let what = "an entry of `dependsOn` is there twice: Kestra fails whenever it looks at them, nothing starts";
            reading.warning(&item.place, what, "leave one out");
        }
        dependencies.push(dependency);
    }
    dependencies
}

fn mode(reading: &mut Reading, trigger: &Object<'_>, dependencies: usize) -> Mode {
    let least = trigger.get("minSatisfied").and_then(|node| jackson::count(reading, node, "`minSatisfied`", 1));
    let Some(node) = trigger.get("mode") else { return Mode::All };
    match word(reading, node, "mode", &[("ALL", 0), ("ANY", 1), ("AT_LEAST", 2)]) {
        Some(1) => Mode::Any,
        Some(2) => match (least, trigger.get("minSatisfied")) {
            (Some(least), Some(node)) if least as usize > dependencies => {
                let what = "`minSatisfied` must be lower than or equal to the number of `dependsOn`";
                reading.error(&node.place, what, format!("there are {dependencies}"));
                Mode::AtLeast(least)
            }
            (Some(least), _) => Mode::AtLeast(least),
            (None, None) => {
                reading.error(&node.place, "`minSatisfied` must be set when mode is AT_LEAST", "add `minSatisfied: 1`");
                Mode::All
            }
            (None, Some(_)) => Mode::All,
        },
        _ => Mode::All,
    }
}

/// Fields of filters.
const FIELDS: &[(&str, FilterField)] = &[
    ("FLOW_ID", FilterField::Flow),
    ("NAMESPACE", FilterField::Namespace),
    ("STATE", FilterField::State),
    ("EXPRESSION", FilterField::Expression),
];

/// Types of filters.
const COMPARISONS: &[(&str, Comparison)] = &[
    ("EQUAL_TO", Comparison::EqualTo),
    ("NOT_EQUAL_TO", Comparison::NotEqualTo),
    ("IN", Comparison::In),
    ("NOT_IN", Comparison::NotIn),
    ("IS_TRUE", Comparison::IsTrue),
    ("IS_FALSE", Comparison::IsFalse),
    ("IS_NULL", Comparison::IsNull),
    ("IS_NOT_NULL", Comparison::IsNotNull),
    ("STARTS_WITH", Comparison::StartsWith),
    ("ENDS_WITH", Comparison::EndsWith),
    ("CONTAINS", Comparison::Contains),
    ("REGEX", Comparison::Regex),
];

fn filters_of(reading: &mut Reading, node: &Node) -> Option<Filters> {
    let object = strict(reading, node, "an entry of `where`", &["id", "operand", "filters"])?;
    let id = object.get("id").and_then(|node| text(reading, node)).filter(|id| !id.is_empty());
    if id.is_none() {
        missing(reading, &node.place.first_line(), "an entry of `where`", "id", "namespace");
    }
    let operand =
        object.get("operand").and_then(|node| word(reading, node, "operand", &[("AND", false), ("OR", true)]));
    let list = object.get("filters").map_or(&[][..], |node| reading.list(node, "`filters`"));
    if list.is_empty() {
        reading.error(
            &node.place,
            "`filters` must not be empty",
            "add `filters: [ { field: NAMESPACE, type: EQUAL_TO, value: company } ]`",
        );
    }
    let filters = list.iter().filter_map(|item| filter(reading, item)).collect();
    Some(Filters { id: id?, any: operand.unwrap_or(false), filters })
}

fn filter(reading: &mut Reading, node: &Node) -> Option<Filter> {
    let object = strict(reading, node, "a filter", &["field", "type", "value", "values"])?;
    let mut choice = |key: &str, example: &str| {
        let found = object.get(key);
        if found.is_none() {
            missing(reading, &node.place.first_line(), "a filter", key, example);
        }
        found
    };
    let (field, kind) = (choice("field", "NAMESPACE"), choice("type", "EQUAL_TO"));
    let field = word(reading, field?, "field of a filter", FIELDS);
    let comparison = word(reading, kind?, "type of a filter", COMPARISONS)?;
    let listed = matches!(comparison, Comparison::In | Comparison::NotIn);
    let (needs, not) = if listed { ("values", "value") } else { ("value", "values") };
    let name = COMPARISONS.iter().find(|(_, known)| *known == comparison).map_or("", |(name, _)| name);
    if object.get(needs).is_none() {
        let what = format!("`{needs}` cannot be null for type {name}");
        reading.error(&node.place, what, format!("add `{needs}`"));
    }
    if let Some(entry) = object.entry(not).filter(|entry| entry.value.value != Value::Null) {
        reading.error(&entry.place, format!("`{not}` must be null for type {name}"), format!("leave `{not}` out"));
    }
    let values = object.get("values").filter(|_| listed).map_or(&[][..], |node| reading.list(node, "`values`"));
    let values = values.iter().filter_map(|node| text(reading, node)).collect();
    let value = object.get("value").filter(|_| !listed).and_then(|node| text(reading, node)).unwrap_or_default();
    Some(Filter { field: field?, comparison, value, values })
}

/// A duration that may be negative.
fn signed(reading: &mut Reading, node: &Node, key: &str) -> Option<SignedDuration> {
    reading.parsed(node, &format!("`{key}`"), jackson::signed)
}

/// A time of the day.
fn time(reading: &mut Reading, node: &Node, key: &str) -> Option<jiff::civil::Time> {
    let advice = "write a time of the day without an offset, such as \"09:00:00\"";
    reading.parsed(node, &format!("`{key}`"), |text| moment::time_of(text).ok_or_else(|| advice.to_owned()))
}

/// A window of a length that may begin later.
pub(super) fn duration_window(
    reading: &mut Reading,
    object: &Object<'_>,
    length: &str,
    advance: &str,
) -> Option<TimeWindow> {
    let mut get = |key: &str| object.get(key).map(|node| signed(reading, node, key));
    let (length, advance) = (get(length), get(advance));
    let kind = WindowKind::Duration {
        length: length.unwrap_or(Some(DAY))?,
        advance: advance.unwrap_or(Some(SignedDuration::ZERO))?,
    };
    Some(TimeWindow { kind, ..TimeWindow::default() })
}

/// What a type of window may not have and what it must have, each with Kestra's word for it.
struct Shape {
    name: &'static str,
    not: &'static [(&'static str, &'static str)],
    needs: &'static [(&'static str, &'static str)],
}

impl Shape {
    fn check(&self, reading: &mut Reading, object: &Object<'_>, what: &str) {
        for (key, word) in self.not {
            if let Some(entry) = object.entry(key).filter(|entry| entry.value.value != Value::Null) {
                let what = format!("{what} of type `{}` cannot have {word}", self.name);
                reading.error(&entry.place, what, format!("leave `{key}` out, or choose another type"));
            }
        }
        for (key, word) in self.needs {
            if object.get(key).is_none() {
                let what = format!("{what} of type `{}` must have {word}", self.name);
                reading.error(&object.node.place, what, format!("add `{key}: \"09:00:00\"`"));
            }
        }
    }
}

const WINDOW: (&str, &str) = ("window", "a window");
const ADVANCE: (&str, &str) = ("windowAdvance", "a window advance");
const START: (&str, &str) = ("startTime", "a start time");
const END: (&str, &str) = ("endTime", "an end time");
const DEADLINE: (&str, &str) = ("deadline", "a deadline");

/// Types of `timeWindow`.
const SHAPES: &[Shape] = &[
    Shape { name: "DURATION_WINDOW", not: &[START, END, DEADLINE], needs: &[] },
    Shape { name: "SLIDING_WINDOW", not: &[START, END, DEADLINE], needs: &[] },
    Shape { name: "DAILY_TIME_WINDOW", not: &[WINDOW, ADVANCE, DEADLINE], needs: &[START, END] },
    Shape { name: "DAILY_TIME_DEADLINE", not: &[WINDOW, ADVANCE, START, END], needs: &[DEADLINE] },
];

/// Reads `timeWindow`.
pub(super) fn time_window(reading: &mut Reading, node: &Node) -> Option<TimeWindow> {
    const KEYS: &[&str] = &["type", "deadline", "window", "windowAdvance", "startTime", "endTime"];
    let object = strict(reading, node, "`timeWindow`", KEYS)?;
    let types: Vec<(&'static str, usize)> = SHAPES.iter().enumerate().map(|(at, shape)| (shape.name, at)).collect();
    let kind = object.get("type");
    let at = kind.map_or(Some(0), |node| word(reading, node, "type of window", &types))?;
    SHAPES.get(at)?.check(reading, &object, "a time window");
    let mut at_time = |key: &str| object.get(key).and_then(|node| time(reading, node, key));
    let window = match at {
        2 => WindowKind::Daily { from: at_time("startTime")?, to: at_time("endTime")? },
        3 => WindowKind::Deadline(at_time("deadline")?),
        _ => {
            let window = duration_window(reading, &object, "window", "windowAdvance")?;
            if let (1, Some(entry)) = (at, object.entry("windowAdvance")) {
                reading.warning(&entry.place, "not simulated: `windowAdvance` of a SLIDING_WINDOW", "leave it out");
            }
            match window.kind {
                WindowKind::Duration { length, .. } if at == 1 => WindowKind::Sliding(length),
                kind => kind,
            }
        }
    };
    Some(TimeWindow { kind: window, untyped: kind.is_none(), timezone: None })
}

const EVERY: (&str, &str) = ("every", "an every duration");
const OFFSET: (&str, &str) = ("offset", "an offset");
const LOOKBACK: (&str, &str) = ("lookback", "a lookback");
const FROM: (&str, &str) = ("from", "a from time");
const TO: (&str, &str) = ("to", "a to time");

/// The types of `window` in 2.0, which its keys tell: the first of these that is there.
const SHAPES_2_0: &[(&str, Shape)] = &[
    ("deadline", Shape { name: "DAILY_TIME_DEADLINE", not: &[EVERY, OFFSET, LOOKBACK, FROM, TO], needs: &[] }),
    ("from", Shape { name: "DAILY_TIME_WINDOW", not: &[EVERY, OFFSET, LOOKBACK], needs: &[TO] }),
    ("to", Shape { name: "DAILY_TIME_WINDOW", not: &[EVERY, OFFSET, LOOKBACK], needs: &[FROM] }),
    ("lookback", Shape { name: "SLIDING_WINDOW", not: &[EVERY, OFFSET], needs: &[] }),
];

/// Reads `window` of 2.0.
fn window(reading: &mut Reading, node: &Node) -> Option<TimeWindow> {
    const KEYS: &[&str] = &["offset", "lookback", "deadline", "timezone", "from", "to", "every"];
    let object = strict(reading, node, "`window`", KEYS)?;
    let shape = SHAPES_2_0.iter().find(|(key, _)| object.get(key).is_some());
    if let Some((_, shape)) = shape {
        shape.check(reading, &object, "a window");
    }
    let timezone = object.get("timezone").and_then(|node| {
        let advice = "write a name of the IANA database, such as Europe/Paris or UTC, or an offset";
        reading.parsed(node, "`timezone`", |text| match zone::zone(text) {
            Some(_) => Ok(text.to_owned()),
            None => Err(advice.to_owned()),
        })
    });
    let mut at_time = |key: &str| object.get(key).and_then(|node| time(reading, node, key));
    let kind = match shape.map(|(_, shape)| shape.name) {
        Some("DAILY_TIME_DEADLINE") => WindowKind::Deadline(at_time("deadline")?),
        Some("DAILY_TIME_WINDOW") => WindowKind::Daily { from: at_time("from")?, to: at_time("to")? },
        Some(_) => WindowKind::Sliding(signed(reading, object.get("lookback")?, "lookback")?),
        None => duration_window(reading, &object, "every", "offset")?.kind,
    };
    Some(TimeWindow { kind, timezone, untyped: false })
}
