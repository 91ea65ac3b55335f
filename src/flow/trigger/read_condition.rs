//! Reading conditions: by their classes, old names included, and what all versions refuse of them.

use serde_json::Value as Json;

use super::condition::{Calendar, Condition, Multiple, Names, Test, Within};
use super::read::{object, text, time_window};
use crate::document::{Node, Object, Reading, Value, limits};
use crate::flow::jackson;
use crate::flow::parts::{get, labels, missing};

/// A class of conditions.
pub(super) struct Class {
    /// Its name since 0.20.
    name: &'static str,
    /// Its keys, all of which but `type` are listed.
    keys: &'static [&'static str],
    /// The keys that must be there, each with an example.
    required: &'static [(&'static str, &'static str)],
}

const fn class_of(
    name: &'static str,
    keys: &'static [&'static str],
    required: &'static [(&'static str, &'static str)],
) -> Class {
    Class { name, keys, required }
}

const NAMESPACE: (&str, &str) = ("namespace", "company.team");
const FLOW: (&str, &str) = ("flowId", "ingest");
const HELD: (&str, &str) = ("conditions", "[ { type: ... } ]");

/// All classes (captures/core/conditions.tsv).
const CLASSES: &[Class] = &[
    class_of("ExecutionStatus", &["in", "notIn"], &[]),
    class_of("ExecutionNamespace", &["namespace", "comparison", "prefix"], &[NAMESPACE]),
    class_of("ExecutionFlow", &["namespace", "flowId"], &[NAMESPACE, FLOW]),
    class_of("ExecutionLabels", &["labels"], &[("labels", "{ team: data }")]),
    class_of("ExecutionOutputs", &["expression"], &[("expression", "\"{{ trigger.outputs.total > 0 }}\"")]),
    class_of("Expression", &["expression"], &[("expression", "\"{{ labels.team == 'data' }}\"")]),
    class_of("HasRetryAttempt", &["in", "notIn"], &[]),
    class_of("Or", &["conditions"], &[HELD]),
    class_of("Not", &["conditions"], &[HELD]),
    class_of("FlowCondition", &["namespace", "flowId"], &[NAMESPACE, FLOW]),
    class_of("FlowNamespaceCondition", &["namespace", "prefix"], &[NAMESPACE]),
    class_of(
        "MultipleCondition",
        &["id", "description", "timeWindow", "window", "windowAdvance", "resetOnSuccess", "conditions"],
        &[("id", "both"), ("conditions", "{ first: { type: ... } }")],
    ),
    class_of("DateTimeBetween", &["date", "after", "before"], &[]),
    class_of("TimeBetween", &["date", "after", "before"], &[]),
    class_of("DayWeek", &["date", "dayOfWeek"], &[("dayOfWeek", "MONDAY")]),
    class_of(
        "DayWeekInMonth",
        &["date", "dayOfWeek", "dayInMonth"],
        &[("dayOfWeek", "MONDAY"), ("dayInMonth", "FIRST")],
    ),
    class_of("Weekend", &["date"], &[]),
    class_of("PublicHoliday", &["date", "country", "subDivision"], &[]),
];

const PACKAGE: &str = "io.kestra.plugin.core.condition.";
const OLD_PACKAGE: &str = "io.kestra.core.models.conditions.types.";

impl Class {
    /// All its names, old ones included.
    fn names(&self) -> impl Iterator<Item = String> {
        let old = if self.name.ends_with("Condition") { "" } else { "Condition" };
        let oldest = match self.name {
            "Expression" => "VariableCondition".to_owned(),
            name => format!("{name}{old}"),
        };
        [format!("{PACKAGE}{}", self.name), format!("{PACKAGE}{}{old}", self.name), format!("{OLD_PACKAGE}{oldest}")]
            .into_iter()
    }
}

/// The class of a type, and whether its name is written to the letter: 0.20 does not mind small and capital letters.
pub(super) fn class(kind: &str) -> Option<(&'static Class, bool)> {
    let exact = CLASSES.iter().find(|class| class.names().any(|name| name == kind)).map(|class| (class, true));
    let near = || CLASSES.iter().find(|class| class.names().any(|name| name.eq_ignore_ascii_case(kind)));
    exact.or_else(|| near().map(|class| (class, false)))
}

/// Reads `conditions`.
pub(in crate::flow) fn conditions(reading: &mut Reading, node: &Node) -> Vec<Condition> {
    list(reading, node, 0)
}

fn list(reading: &mut Reading, node: &Node, depth: usize) -> Vec<Condition> {
    reading.list(node, "`conditions`").iter().filter_map(|item| condition(reading, item, depth)).collect()
}

fn condition(reading: &mut Reading, node: &Node, depth: usize) -> Option<Condition> {
    if !matches!(node.value, Value::Mapping(_) | Value::Sequence(_)) {
        return Some(Condition { kind: String::new(), test: Test::Nothing });
    }
    let example = "type: io.kestra.plugin.core.condition.ExecutionStatus";
    let object = reading.mapping(node, "a condition", &format!("{{ {example}, in: [FAILED] }}"))?;
    let Some(kind) = object.get("type").and_then(|node| text(reading, node)).filter(|kind| !kind.is_empty()) else {
        missing(reading, &node.place.first_line(), "a condition", "type", &example["type: ".len()..]);
        return None;
    };
    let place = object.entry("type").map_or(&node.place, |entry| &entry.value.place);
    let Some((class, _)) = class(&kind) else {
        let names = CLASSES.iter().map(|class| class.name);
        let last = kind.rsplit('.').next().unwrap_or_default();
        let advice = match crate::document::nearest(last, names) {
            Some(name) => format!("did you mean `{PACKAGE}{name}`?"),
            None => format!("write for example `{PACKAGE}ExecutionStatus`"),
        };
        reading.error(place, format!("`{kind}` is no condition"), advice);
        return None;
    };
    for entry in object.entries().iter().filter(|entry| entry.key != "type") {
        if !class.keys.contains(&entry.key.as_str()) {
            let what = format!("key of the condition {}", class.name);
            reading.unknown(&entry.place, &what, &entry.key, class.keys.iter().copied());
        }
    }
    let mut lacks = false;
    for (key, example) in class.required {
        if object.get(key).is_none() {
            missing(reading, &node.place.first_line(), &format!("the condition {}", class.name), key, example);
            lacks = true;
        }
    }
    if lacks || depth >= limits::DEPTH {
        return None;
    }
    let test = test(reading, class.name, &object, depth)?;
    Some(Condition { kind, test })
}

/// What a condition of a class asks. The keys that must be there are.
fn test(reading: &mut Reading, class: &str, object: &Object<'_>, depth: usize) -> Option<Test> {
    let mut value = |key: &str| object.get(key).and_then(|node| text(reading, node));
    Some(match class {
        "ExecutionStatus" => Test::Status(within(reading, object)),
        "HasRetryAttempt" => Test::Retried(within(reading, object)),
        "ExecutionNamespace" => {
            Test::Namespace { namespace: value("namespace")?, comparison: value("comparison"), prefix: value("prefix") }
        }
        "ExecutionFlow" => Test::Flow { namespace: value("namespace")?, flow: value("flowId")? },
        "ExecutionLabels" => {
            let node = object.get("labels")?;
            Test::Labels { wanted: wanted(reading, node), untexted: untexted(node) }
        }
        "ExecutionOutputs" => Test::Outputs(value("expression")?),
        "Expression" => Test::Expression(value("expression")?),
        "Or" => Test::Or(held(reading, object.get("conditions")?, depth)),
        "Not" => Test::Not(held(reading, object.get("conditions")?, depth)),
        "FlowCondition" => Test::Own { namespace: value("namespace")?, flow: value("flowId")? },
        "FlowNamespaceCondition" => {
            let namespace = value("namespace")?;
            let prefix = object.get("prefix").and_then(|node| jackson::boolean(reading, node, "`prefix`"));
            Test::OwnNamespace { namespace, prefix: prefix.unwrap_or(false) }
        }
        "MultipleCondition" => Test::Multiple(multiple(reading, object, depth)?),
        "DateTimeBetween" => date(reading, object, |after, before| Calendar::DateTimeBetween { after, before }),
        "TimeBetween" => date(reading, object, |after, before| Calendar::TimeBetween { after, before }),
        "DayWeek" => Test::Date { date: value("date"), is: Calendar::DayWeek(value("dayOfWeek")?) },
        "DayWeekInMonth" => Test::Date {
            date: value("date"),
            is: Calendar::DayWeekInMonth { day: value("dayOfWeek")?, which: value("dayInMonth")? },
        },
        "Weekend" => Test::Date { date: value("date"), is: Calendar::Weekend },
        _ => Test::Date {
            date: value("date"),
            is: Calendar::PublicHoliday { country: value("country"), division: value("subDivision") },
        },
    })
}

fn date(
    reading: &mut Reading,
    object: &Object<'_>,
    is: impl FnOnce(Option<String>, Option<String>) -> Calendar,
) -> Test {
    let [date, after, before] =
        ["date", "after", "before"].map(|key| object.get(key).and_then(|node| text(reading, node)));
    Test::Date { date, is: is(after, before) }
}

fn within(reading: &mut Reading, object: &Object<'_>) -> Within {
    let [any_of, none_of] = ["in", "notIn"].map(|key| object.get(key).and_then(|node| names(reading, node)));
    Within { any_of, none_of }
}

/// Names of states: a word that is no state is seen only when the condition is evaluated (since 0.23).
fn names(reading: &mut Reading, node: &Node) -> Option<Names> {
    match &node.value {
        Value::Sequence(items) => {
            let item = |item: &Node| match &item.value {
                Value::Null => None,
                _ => text(reading, item),
            };
            Some(Names::List(items.iter().map(item).collect()))
        }
        _ => text(reading, node).map(Names::Text),
    }
}

/// Labels that must be there.
fn wanted(reading: &mut Reading, node: &Node) -> Vec<(String, String)> {
    if let Value::Mapping(entries) = &node.value {
        for entry in entries.iter().filter(|entry| entry.value.value == Value::Null) {
            let what = format!("the label `{}` has no value", entry.key);
            reading.error(&entry.place, what, "write the value that the execution must have");
        }
    }
    let labels = labels(reading, node);
    if let Some((key, value)) = labels.iter().find(|(key, _)| key.starts_with("system.")) {
        let what = format!("system labels can only be set by Kestra itself, offending label: {key}={value}");
        reading.error(&node.place, what, "ask for a label of your own, or use the condition Expression");
    }
    labels
}

/// Whether a list of labels has a value that is no text.
fn untexted(node: &Node) -> bool {
    let Value::Sequence(items) = &node.value else { return false };
    items.iter().filter_map(|item| get(item, "value")).any(|value| !jackson::json(value).is_string())
}

/// The conditions of Or and Not: at least one.
fn held(reading: &mut Reading, node: &Node, depth: usize) -> Vec<Condition> {
    let held = list(reading, node, depth + 1);
    if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
        reading.error(&node.place, "`conditions` must not be empty", "add a condition: `- type: ...`");
    }
    held
}

fn multiple(reading: &mut Reading, object: &Object<'_>, depth: usize) -> Option<Multiple> {
    let id = object.get("id").and_then(|node| text(reading, node))?;
    if id.trim().is_empty() {
        reading.error(&object.node.place, "`id` of a MultipleCondition must not be blank", "add `id: both`");
    }
    let window = match object.get("timeWindow") {
        Some(node) => time_window(reading, node),
        // Old names of what stands in `timeWindow`.
        None => super::read::duration_window(reading, object, "window", "windowAdvance"),
    };
    let reset = object.get("resetOnSuccess").and_then(|node| jackson::boolean(reading, node, "`resetOnSuccess`"));
    let node = object.get("conditions")?;
    let mut conditions = Vec::new();
    let entries = self::object(reading, node, "`conditions` of a MultipleCondition")?;
    for entry in entries.entries() {
        if let Some(condition) = condition(reading, &entry.value, depth + 1) {
            conditions.push((entry.key.clone(), condition));
        }
    }
    if entries.entries().is_empty() {
        reading.error(&node.place, "`conditions` must not be empty", "add a condition: `first: { type: ... }`");
    }
    Some(Multiple { id, window: window.unwrap_or_default(), reset: reset.unwrap_or(true), conditions })
}

/// The text of a value of any kind: lists and mappings as JSON.
pub(super) fn as_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}
