//! The parts of a flow that no number depends on, as far as Kestra refuses a flow for them; and identifiers.

use std::collections::BTreeSet;

use super::fields::{CHECK, SLA};
use super::{Check, CheckBehavior, Demand, Sla, State, jackson};
use crate::document::{Node, Place, Reading, Value, nearest};

/// What an identifier may be.
#[derive(Clone, Copy)]
pub(super) enum Name {
    Flow,
    Namespace,
    Task,
    Trigger,
    Input,
}

/// An identifier, by Kestra's own patterns and lengths.
pub(super) fn identifier(reading: &mut Reading, node: &Node, name: Name) -> Option<String> {
    let (what, others, most) = match name {
        Name::Flow => ("the flow's `id`", "_-.", 100),
        Name::Namespace => ("`namespace`", "_-.", 150),
        Name::Task => ("the task's `id`", "_-", 256),
        Name::Trigger => ("the trigger's `id`", "_-", 256),
        Name::Input => ("the input's `id`", "_-.", 256),
    };
    let letter = |c: char| match name {
        Name::Namespace => c.is_ascii_lowercase() || c.is_ascii_digit(),
        _ => c.is_ascii_alphanumeric(),
    };
    let capitals = if matches!(name, Name::Namespace) { "small letters" } else { "letters" };
    reading.parsed(node, what, |text| {
        let good =
            text.starts_with(letter) && text.chars().all(|c| letter(c) || others.contains(c)) && text.len() <= most;
        let others: Vec<String> = others.chars().map(|c| format!("`{c}`")).collect();
        good.then(|| text.to_owned()).ok_or_else(|| {
            format!("use {capitals} and digits, behind the first also {}, at most {most}", others.join(", "))
        })
    })
}

/// One of some words, written exactly so.
pub(super) fn word<T: Copy>(reading: &mut Reading, node: &Node, what: &str, words: &[(&'static str, T)]) -> Option<T> {
    let text = reading.text(node, what)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        reading.unknown(&node.place, what, text, words.iter().map(|(word, _)| *word));
    }
    found
}

/// The value of a key of a mapping, unless it is nothing.
pub(super) fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.get(key)
}

/// Tells that a key is missing.
pub(super) fn missing(reading: &mut Reading, place: &Place, what: &str, key: &str, example: &str) {
    reading.error(place, format!("{what} has no `{key}`"), format!("add `{key}: {example}`"));
}

/// `labels`: a mapping, or a list of keys and values.
pub(super) fn labels(reading: &mut Reading, node: &Node) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut add = |reading: &mut Reading, key: String, value: &Node| match &value.value {
        Value::Scalar { text, .. } => labels.push((key, text.clone())),
        Value::Null => {}
        other => {
            let what = format!("the label `{key}` must be a text, not {}", other.describe());
            reading.error(&value.place, what, "write a single value");
        }
    };
    match &node.value {
        Value::Mapping(entries) => entries.iter().for_each(|entry| add(reading, entry.key.clone(), &entry.value)),
        Value::Sequence(items) => {
            for item in items {
                if let (Some(key), Some(value)) = (get(item, "key"), get(item, "value"))
                    && let Value::Scalar { text, .. } = &key.value
                {
                    add(reading, text.clone(), value);
                }
            }
        }
        other => reading.error(
            &node.place,
            format!("`labels` must be a mapping, not {}", other.describe()),
            "write for example `labels: { team: data }`",
        ),
    }
    labels
}

/// An input: its id, whether something must give it a value, and where it stands.
pub(super) struct Input {
    pub(super) id: String,
    pub(super) needed: bool,
    pub(super) place: Place,
}

/// Types of inputs, those of all versions.
const INPUTS: &[&str] = &[
    "STRING",
    "INT",
    "FLOAT",
    "BOOL",
    "BOOLEAN",
    "SELECT",
    "MULTISELECT",
    "ARRAY",
    "JSON",
    "YAML",
    "FILE",
    "URI",
    "DATE",
    "TIME",
    "DATETIME",
    "DURATION",
    "SECRET",
    "EMAIL",
    "ENUM",
    "FORM",
    "OBJECT",
    "TABLE",
];

/// `inputs`: each has a type, in capitals.
pub(super) fn inputs(reading: &mut Reading, node: &Node) -> Vec<Input> {
    let mut inputs = Vec::new();
    for item in reading.list(node, "`inputs`") {
        match get(item, "type") {
            None => missing(reading, &item.place, "an input", "type", "STRING"),
            Some(kind) => {
                let types: Vec<(&str, ())> = INPUTS.iter().map(|kind| (*kind, ())).collect();
                word(reading, kind, "type of input", &types);
            }
        }
        // `name` is an old word for it.
        let Some(id) = get(item, "id").or_else(|| get(item, "name")) else {
            missing(reading, &item.place, "an input", "id", "date");
            continue;
        };
        let Some(id) = identifier(reading, id, Name::Input) else { continue };
        let optional =
            get(item, "required").and_then(|node| jackson::boolean(reading, node, "`required`")) == Some(false);
        let needed = !optional && get(item, "defaults").is_none();
        inputs.push(Input { id, needed, place: item.place.clone() });
    }
    inputs
}

/// `outputs`: each has an id of its own, a type and a value.
pub(super) fn outputs(reading: &mut Reading, node: &Node) {
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    for item in reading.list(node, "`outputs`") {
        for (key, example) in [("id", "total"), ("type", "STRING"), ("value", "\"{{ outputs.load.value }}\"")] {
            if get(item, key).is_none() {
                missing(reading, &item.place, "an output", key, example);
            }
        }
        if let Some(id) = get(item, "id").and_then(|node| reading.text(node, "the output's `id`"))
            && !ids.insert(id)
        {
            reading.error(&item.place, format!("two outputs have the id `{id}`"), "give each its own");
        }
    }
}

/// `sla`.
pub(super) fn slas(reading: &mut Reading, node: &Node) -> Vec<Sla> {
    let items = reading.list(node, "`sla`");
    items.iter().filter_map(|item| sla(reading, item)).collect()
}

fn sla(reading: &mut Reading, item: &Node) -> Option<Sla> {
    let object = reading.open_nullable(item, "an entry of `sla`", SLA)?;
    let types = [("MAX_DURATION", true), ("EXECUTION_ASSERTION", false)];
    let lasts = object.get("type").and_then(|node| word(reading, node, "type of sla", &types));
    let behaviors = [("FAIL", Some(State::Failed)), ("CANCEL", Some(State::Cancelled)), ("NONE", None)];
    let ends = object.get("behavior").and_then(|node| word(reading, node, "behavior of sla", &behaviors));
    let duration = match object.get("duration") {
        Some(node) => reading.parsed(node, "`duration`", jackson::duration),
        None if lasts == Some(true) => {
            missing(reading, &item.place, "an entry of `sla`", "duration", "PT1H");
            None
        }
        None => None,
    };
    let demand = match lasts? {
        true => Demand::MaxDuration(duration?),
        false => Demand::Assertion(match object.get("assert") {
            Some(node) => reading.text(node, "`assert`")?.to_owned(),
            None => {
                missing(reading, &item.place, "an entry of `sla`", "assert", "\"{{ inputs.day != 'sunday' }}\"");
                return None;
            }
        }),
    };
    let id = object.get("id").and_then(|node| reading.text(node, "`id`")).unwrap_or_default().to_owned();
    let labels = object.get("labels").map(|node| labels(reading, node)).unwrap_or_default();
    Some(Sla { id, demand, ends: ends?, labels })
}

/// `checks`. What one of them must have to be read is known of no refusal: one without a condition holds for nobody.
pub(super) fn checks(reading: &mut Reading, node: &Node) -> Vec<Check> {
    let items = reading.list(node, "`checks`");
    items.iter().filter_map(|item| check(reading, item)).collect()
}

fn check(reading: &mut Reading, item: &Node) -> Option<Check> {
    let object = reading.open_nullable(item, "an entry of `checks`", CHECK)?;
    let behaviors = [
        ("BLOCK_EXECUTION", CheckBehavior::Block),
        ("FAIL_EXECUTION", CheckBehavior::Fail),
        ("CREATE_EXECUTION", CheckBehavior::Create),
    ];
    let behavior = match object.get("behavior") {
        Some(node) => word(reading, node, "behavior of checks", &behaviors)?,
        None => CheckBehavior::Block,
    };
    let node = object.get("condition")?;
    let condition = reading.text(node, "`condition`")?.to_owned();
    if !condition.contains("{{") {
        let what = format!("the check `{condition}` is a text, and no text is true: it never holds");
        reading.warning(&node.place, what, "write an expression: `\"{{ inputs.rows > 0 }}\"`");
    }
    let message = object.get("message").and_then(|node| reading.text(node, "`message`")).unwrap_or_default().to_owned();
    Some(Check { condition, message, behavior })
}

/// `pluginDefaults`: each has the values it sets.
pub(super) fn defaults(reading: &mut Reading, node: &Node, what: &str) {
    for item in reading.list(node, what) {
        if get(item, "values").is_none() {
            missing(reading, &item.place, &format!("an entry of {what}"), "values", "{ level: WARN }");
        }
    }
}

/// `states` and `stopAfter`: names of states, in capitals.
pub(super) fn states(reading: &mut Reading, node: &Node, what: &str) -> Vec<State> {
    let mut states = Vec::new();
    for item in reading.list(node, what) {
        let Some(text) = reading.text(item, "a state") else { continue };
        match State::named(text) {
            Some(state) => states.push(state),
            None => {
                let advice = match nearest(text, State::ALL.iter().map(|state| state.name())) {
                    Some(state) => format!("did you mean `{state}`?"),
                    None => "write for example FAILED, WARNING or SUCCESS".to_owned(),
                };
                reading.error(&item.place, format!("`{text}` is no state"), advice);
            }
        }
    }
    states
}
