//! What Kestra looks at in a flow as a whole: all that it finds is one line.

use super::beans::{Bean, What, items, text};
use super::dependencies;
use super::{ALL, Edition, In, LAST, MIDDLE, NEW};
use crate::document::{Node, Place, Value};
use crate::flow::parts::get;
use crate::flow::unsimulated::core;

/// Something wrong with a flow: words, place, advice.
pub(super) type Wrong = (String, Place, String);

/// One thing that is looked at.
struct Look {
    of: In,
    look: fn(&Node, &[Bean<'_>]) -> Vec<Wrong>,
}

const LOOKS: &[Look] = &[
    Look { of: MIDDLE, look: reserved },
    Look { of: ALL, look: |_, beans| twice(beans, "task", |bean| matches!(bean.what, What::Task(_))) },
    Look { of: ALL, look: |_, beans| twice(beans, "trigger", |bean| matches!(bean.what, What::Trigger(_))) },
    Look { of: ALL, look: recursive },
    Look { of: ALL, look: |_, beans| twice(beans, "input", |bean| matches!(bean.what, What::Input(_))) },
    Look { of: ALL, look: dependencies::of },
    Look { of: ALL, look: |_, beans| twice(beans, "output", |bean| matches!(bean.what, What::Output)) },
    Look { of: MIDDLE, look: preconditions_twice },
    Look { of: LAST, look: missing },
    Look { of: LAST, look: defaults },
    Look { of: LAST, look: supplied },
    Look { of: NEW, look: system_labels },
    Look { of: NEW, look: inputs_with_dashes },
    Look { of: NEW, look: outputs_with_dashes },
];

pub(super) fn whole(flow: &Node, beans: &[Bean<'_>], edition: Edition) -> Option<Wrong> {
    let looks = LOOKS.iter().filter(|look| look.of.has(edition));
    let wrong: Vec<Wrong> = looks.flat_map(|look| (look.look)(flow, beans)).collect();
    let (_, place, advice) = wrong.first()?;
    let (place, advice) = (place.clone(), advice.clone());
    let words: Vec<String> = wrong.into_iter().map(|(words, ..)| words).collect();
    Some((format!("Invalid Flow: {}", words.join(", ")), place, advice))
}

const RESERVED: &[&str] =
    &["pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source", "disable", "enable"];

fn reserved(flow: &Node, _: &[Bean<'_>]) -> Vec<Wrong> {
    let (Some(node), Some(id)) = (get(flow, "id"), text(flow, "id")) else { return Vec::new() };
    if !RESERVED.contains(&id) {
        return Vec::new();
    }
    let list = RESERVED.join(", ");
    let words = format!("Flow id is a reserved keyword: {id}. List of reserved keywords: {list}");
    vec![(words, node.place.clone(), "choose another id".into())]
}

/// Ids that are there twice.
fn twice(beans: &[Bean<'_>], what: &str, of: impl Fn(&Bean<'_>) -> bool) -> Vec<Wrong> {
    let mut seen: Vec<(&str, usize, &Node)> = Vec::new();
    let mut places: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    // In the order of the file, as the lists are.
    let mut all: Vec<&Bean<'_>> = beans.iter().filter(|bean| of(bean)).collect();
    all.sort_by_key(|bean| bean.node.place.range.start);
    for bean in all {
        let Some(id) = text(bean.node, "id") else { continue };
        match places.get(id) {
            Some(at) => {
                let (_, count, node) = &mut seen[*at];
                *count += 1;
                if *count == 2 {
                    *node = bean.node;
                }
            }
            None => {
                places.insert(id, seen.len());
                seen.push((id, 1, bean.node));
            }
        }
    }
    let double: Vec<(&str, usize, &Node)> = seen.into_iter().filter(|(_, count, _)| *count > 1).collect();
    let Some((_, _, node)) = double.first() else { return Vec::new() };
    let names: Vec<&str> = double.iter().map(|(id, ..)| *id).collect();
    let place = get(node, "id").map_or_else(|| node.place.first_line(), |id| id.place.clone());
    let words = format!("Duplicate {what} id with name [{}]", names.join(", "));
    let words = match what {
        "task" | "trigger" => words,
        _ => format!("Duplicate {what} with name [{}]", names.join(", ")),
    };
    vec![(words, place, "give each its own".into())]
}

fn recursive(flow: &Node, beans: &[Bean<'_>]) -> Vec<Wrong> {
    let (Some(namespace), Some(id)) = (text(flow, "namespace"), text(flow, "id")) else { return Vec::new() };
    let calls = |bean: &&Bean<'_>| {
        let starts =
            matches!(bean.what, What::Task(kind) if matches!(core(kind), Some("Subflow" | "Flow" | "ForEachItem")));
        starts && text(bean.node, "flowId") == Some(id) && text(bean.node, "namespace") == Some(namespace)
    };
    let told = |bean: &Bean<'_>| {
        let words = format!("Recursive call to flow [{namespace}.{id}]");
        (words, bean.node.place.first_line(), "call another flow".to_owned())
    };
    beans.iter().filter(calls).map(told).collect()
}

fn preconditions_twice(_: &Node, beans: &[Bean<'_>]) -> Vec<Wrong> {
    let found = twice(beans, "preconditions", |bean| matches!(bean.what, What::Preconditions));
    let words = |(words, place, advice): Wrong| (words.replace(" with name ", " with id "), place, advice);
    found.into_iter().map(words).collect()
}

/// Defaults that are no values of their input's type, as far as was asked.
fn defaults(flow: &Node, _: &[Bean<'_>]) -> Vec<Wrong> {
    let wrong = |input: &Node| {
        let node = get(input, "defaults")?;
        let why = no_value(input, node)?;
        let id = text(input, "id").unwrap_or_default();
        Some((format!("Invalid default for input '{id}': {why}"), node.place.clone(), WHOLE.to_owned()))
    };
    items(flow, "inputs").iter().filter_map(wrong).collect()
}

const WHOLE: &str = "write a whole number";

/// Why a constant is no value of an input: of the types only INT was asked.
fn no_value(input: &Node, node: &Node) -> Option<String> {
    let Value::Scalar { text: value, .. } = &node.value else { return None };
    let whole = value.trim().parse::<i64>().is_ok() || value.contains("{{");
    (text(input, "type") == Some("INT") && !whole).then(|| format!("`{value}` is not a valid INT value"))
}

/// The triggers that supply inputs, each with what it is called.
fn suppliers(flow: &Node) -> impl Iterator<Item = (&'static str, &Node)> {
    let kind = |trigger: &Node| match core(text(trigger, "type")?)? {
        "Schedule" => Some("Schedule"),
        "Webhook" => Some("Webhook"),
        _ => None,
    };
    items(flow, "triggers").iter().filter_map(move |trigger| Some((kind(trigger)?, trigger)))
}

/// Inputs that a trigger must supply and does not (source of 2.0).
fn missing(flow: &Node, _: &[Bean<'_>]) -> Vec<Wrong> {
    let needed = |input: &&Node| {
        let set = |key: &str| get(input, key).is_some_and(|node| !matches!(node.value, Value::Null));
        !set("defaults") && text(input, "required") != Some("false")
    };
    let needed: Vec<&str> = items(flow, "inputs").iter().filter(needed).filter_map(|it| text(it, "id")).collect();
    let wrong = |(kind, trigger): (&str, &Node)| {
        let given = get(trigger, "inputs");
        let lacks = |id: &&&str| given.and_then(|given| get(given, id)).is_none();
        let missing: Vec<&str> = needed.iter().filter(lacks).copied().collect();
        let first = missing.first()?;
        let (id, all) = (text(trigger, "id").unwrap_or_default(), missing.join(" | "));
        let words = format!("Missing inputs for {kind} Trigger '{id}', missing inputs: '{all}'");
        let advice = format!("add `inputs: {{ {first}: ... }}` to the trigger, or `defaults` to the input");
        Some((words, given.unwrap_or(trigger).place.first_line(), advice))
    };
    suppliers(flow).filter_map(wrong).collect()
}

/// Constants that a trigger supplies and that are no values of their inputs (source of 2.0).
fn supplied(flow: &Node, _: &[Bean<'_>]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (kind, trigger) in suppliers(flow) {
        let Some(Value::Mapping(given)) = get(trigger, "inputs").map(|node| &node.value) else { continue };
        let of = |key: &str| items(flow, "inputs").iter().find(|input| text(input, "id") == Some(key));
        for entry in given {
            let Some(why) = of(&entry.key).and_then(|input| no_value(input, &entry.value)) else { continue };
            let (input, id) = (&entry.key, text(trigger, "id").unwrap_or_default());
            let words = format!("Invalid value for input '{input}' supplied by {kind} Trigger '{id}': {why}");
            wrong.push((words, entry.value.place.clone(), WHOLE.to_owned()));
        }
    }
    wrong
}

fn system_labels(flow: &Node, _: &[Bean<'_>]) -> Vec<Wrong> {
    let labels: Vec<(String, String, Place)> = match get(flow, "labels").map(|node| &node.value) {
        Some(Value::Mapping(entries)) => {
            let value = |node: &Node| match &node.value {
                Value::Scalar { text, .. } => text.clone(),
                _ => String::new(),
            };
            entries.iter().map(|entry| (entry.key.clone(), value(&entry.value), entry.place.clone())).collect()
        }
        Some(Value::Sequence(items)) => {
            let of = |item: &Node| {
                let value = text(item, "value").unwrap_or_default().to_owned();
                Some((text(item, "key")?.to_owned(), value, item.place.clone()))
            };
            items.iter().filter_map(of).collect()
        }
        _ => Vec::new(),
    };
    let system = labels.into_iter().filter(|(key, ..)| key.starts_with("system.") && key != "system.readOnly");
    system
        .map(|(key, value, place)| {
            let words = format!("System labels can only be set by Kestra itself, offending label: {key}={value}");
            (words, place, "choose a key that does not begin with `system.`".to_owned())
        })
        .collect()
}

/// Texts of a node, those of tasks that it holds left out.
fn texts<'n>(node: &'n Node, all: &mut Vec<&'n str>) {
    match &node.value {
        Value::Scalar { text, .. } => all.push(text),
        Value::Sequence(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Mapping(entries) if get(node, "type").is_none() => {
            entries.iter().for_each(|entry| texts(&entry.value, all));
        }
        Value::Mapping(_) | Value::Null => {}
    }
}

/// Tasks with `{{ ROOT.NAME }}` in what is theirs: not in what every task has.
fn with_dashes(beans: &[Bean<'_>], root: &str, names: &[&str], behind: &str) -> Vec<(String, Place)> {
    let reads = |text: &str| {
        text.match_indices("{{").any(|(at, _)| {
            let rest = text[at + 2..].trim_start();
            let Some(rest) = rest.strip_prefix(root).and_then(|rest| rest.strip_prefix('.')) else { return false };
            let name = |name: &&&str| rest.strip_prefix(**name).is_some_and(|rest| ends(rest, behind));
            names.iter().any(|it| name(&it))
        })
    };
    let mut found: Vec<(String, Place)> = Vec::new();
    // Most flows name nothing with dashes: no text is looked through for them.
    if names.is_empty() {
        return found;
    }
    let mut tasks: Vec<&Bean<'_>> = beans.iter().filter(|bean| matches!(bean.what, What::Task(_))).collect();
    tasks.sort_by_key(|bean| bean.node.place.range.start);
    for bean in tasks {
        let Value::Mapping(entries) = &bean.node.value else { continue };
        let common = |key: &str| super::classes::TASK_KEYS.iter().any(|keys| keys.split(' ').any(|it| it == key));
        let own = entries.iter().filter(|entry| !common(&entry.key));
        let mut all = Vec::new();
        own.for_each(|entry| texts(&entry.value, &mut all));
        if all.into_iter().any(reads) {
            found.push((text(bean.node, "id").unwrap_or_default().to_owned(), bean.node.place.first_line()));
        }
    }
    found
}

/// Whether the expression ends there, or goes on with a point and something more.
fn ends(rest: &str, behind: &str) -> bool {
    match behind {
        "" => rest.trim_start().starts_with("}}"),
        _ => rest
            .strip_prefix(behind)
            .is_some_and(|rest| rest.find('}').is_some_and(|end| end > 0 && rest[end..].starts_with("}}"))),
    }
}

fn told(what: &str, found: Vec<(String, Place)>) -> Vec<Wrong> {
    let Some((_, place)) = found.first() else { return Vec::new() };
    let place = place.clone();
    let names: Vec<String> = found.into_iter().map(|(id, _)| id).collect();
    let words = format!(
        "Invalid {what} reference: use {what}s[key-name] instead of {what}s.key-name — keys with dashes require bracket \
         notation, offending tasks: [{}]",
        names.join(", ")
    );
    vec![(words, place, format!("write `{what}s['key-name']`"))]
}

fn inputs_with_dashes(flow: &Node, beans: &[Bean<'_>]) -> Vec<Wrong> {
    let ids = items(flow, "inputs").iter().filter_map(|input| text(input, "id"));
    let names: Vec<&str> = ids.filter(|id| id.contains('-')).collect();
    told("input", with_dashes(beans, "inputs", &names, ""))
}

fn outputs_with_dashes(_: &Node, beans: &[Bean<'_>]) -> Vec<Wrong> {
    let tasks = beans.iter().filter(|bean| matches!(bean.what, What::Task(_)));
    let names: Vec<&str> = tasks.filter_map(|bean| text(bean.node, "id")).filter(|id| id.contains('-')).collect();
    told("output", with_dashes(beans, "outputs", &names, "."))
}
