//! `pluginDefaults`: what a flow says once for all its tasks and triggers of a type is put into each of them before anything
//! is read, as Kestra does with the file.

use super::parts::get;
use super::{core, jackson};
use crate::document::{Entry, Node, Value};

/// The keys under which a flow has them; the second is an old name.
pub(super) const KEYS: [&str; 2] = ["pluginDefaults", "taskDefaults"];

/// One entry of them.
struct Default<'n> {
    /// The type, or what types begin with.
    kind: &'n str,
    values: &'n [Entry],
}

impl Default<'_> {
    /// Whether it is for a type. An old name of one of Kestra's own types stands for the new one too.
    fn is_for(&self, kind: &str) -> bool {
        let old = || !self.kind.starts_with(NOW) && kind.starts_with(NOW) && core(self.kind) == core(kind);
        kind.starts_with(self.kind) || core(self.kind).is_some() && old()
    }
}

/// Where Kestra keeps its own tasks now.
const NOW: &str = "io.kestra.plugin.core.";

/// A flow with its defaults filled in, and behind them those that are for all flows; none when there are none.
pub(super) fn filled(flow: &Node, of_all: &[Node]) -> Option<Node> {
    let (mut plain, mut forced) = (Vec::new(), Vec::new());
    for item in KEYS.iter().filter_map(|key| get(flow, key)).flat_map(Node::items).chain(of_all) {
        let Some(Node { value: Value::Scalar { text: kind, .. }, .. }) = get(item, "type") else { continue };
        let Some(Node { value: Value::Mapping(values), .. }) = get(item, "values") else { continue };
        let is_forced = get(item, "forced").map(jackson::json) == Some(serde_json::Value::Bool(true));
        if is_forced { &mut forced } else { &mut plain }.push(Default { kind, values });
    }
    if plain.is_empty() && forced.is_empty() {
        return None;
    }
    // The first one wins, whether it is forced or not.
    forced.reverse();
    let Value::Mapping(entries) = &flow.value else { return None };
    let entries = entries.iter().map(|entry| match KEYS.contains(&entry.key.as_str()) {
        true => entry.clone(),
        false => {
            let value = put(&entry.value, &plain, merge);
            Entry { value: put(&value, &forced, |values, own| merge(own, values)), ..entry.clone() }
        }
    });
    Some(Node { value: Value::Mapping(entries.collect()), place: flow.place.clone() })
}

/// A value in which every mapping with a `type` has what defaults say of that: what is within, first. As deep as a file may
/// be, at most.
fn put(node: &Node, defaults: &[Default<'_>], merged: fn(&[Entry], &[Entry]) -> Vec<Entry>) -> Node {
    let value = match &node.value {
        Value::Sequence(items) => Value::Sequence(items.iter().map(|item| put(item, defaults, merged)).collect()),
        Value::Mapping(entries) => {
            let within = |entry: &Entry| Entry { value: put(&entry.value, defaults, merged), ..entry.clone() };
            let mut entries: Vec<Entry> = entries.iter().map(within).collect();
            if let Some(Node { value: Value::Scalar { text: kind, .. }, .. }) = get(node, "type") {
                for default in defaults.iter().filter(|default| default.is_for(kind)) {
                    entries = merged(default.values, &entries);
                }
            }
            Value::Mapping(entries)
        }
        other => other.clone(),
    };
    Node { value, place: node.place.clone() }
}

/// Two mappings as one: values of the second win, mappings become one, lists are joined.
fn merge(first: &[Entry], second: &[Entry]) -> Vec<Entry> {
    let mut merged: Vec<Entry> = first.to_vec();
    for entry in second {
        let Some(place) = merged.iter().position(|it| it.key == entry.key) else {
            merged.push(entry.clone());
            continue;
        };
        let before = &merged[place];
        let value = match (&before.value.value, &entry.value.value) {
            (_, Value::Null) => continue,
            (Value::Mapping(first), Value::Mapping(second)) => Value::Mapping(merge(first, second)),
            (Value::Sequence(first), Value::Sequence(second)) => {
                let has = |item: &&Node| first.iter().all(|it| jackson::json(it) != jackson::json(item));
                Value::Sequence(first.iter().chain(second.iter().filter(has)).cloned().collect())
            }
            (_, value) => value.clone(),
        };
        merged[place] = Entry { value: Node { value, place: entry.value.place.clone() }, ..entry.clone() };
    }
    merged
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::document::{self, Source};

    fn tasks(defaults: &str, task: &str) -> Json {
        let text = format!("tasks: [ {task} ]\npluginDefaults: {defaults}\n");
        let (root, told) = document::parse_jackson(&Arc::new(Source { name: "f.yaml".into(), text }));
        assert!(told.is_empty(), "{told:?}");
        let filled = root.as_ref().and_then(|root| filled(root, &[]));
        filled.map_or(Json::Null, |flow| jackson::json(&flow)["tasks"][0].clone())
    }

    #[test]
    fn the_first_of_the_defaults_for_a_type_wins_and_only_forced_ones_over_the_task() {
        let two = "[ { type: a.b, values: { x: 1, y: 1 } }, { type: a.b.C, values: { x: 2, z: 2 } } ]";
        assert_eq!(tasks(two, "{ type: a.b.C, y: 0 }"), json!({ "type": "a.b.C", "x": 1, "y": 0, "z": 2 }));
        assert_eq!(tasks(two, "{ type: a.c.C }"), json!({ "type": "a.c.C" }));
        let forced =
            "[ { type: a.b, forced: true, values: { x: 1 } }, { type: a.b.C, forced: true, values: { x: 2 } } ]";
        assert_eq!(tasks(forced, "{ type: a.b.C, x: 0 }")["x"], json!(1));
    }

    #[test]
    fn mappings_become_one_and_lists_are_joined() {
        let deep = "[ { type: a, values: { m: { k: 1, l: 1 }, s: [ 1, 2 ], n: 3 } } ]";
        let expected = json!({ "type": "a.B", "m": { "k": 0, "l": 1 }, "s": [1, 2, 5], "n": 3 });
        assert_eq!(tasks(deep, "{ type: a.B, m: { k: 0 }, s: [ 2, 5 ], n: null }"), expected);
    }

    #[test]
    fn they_reach_what_a_task_holds_and_an_old_name_means_the_new_one() {
        let old = "[ { type: io.kestra.core.tasks.log.Log, values: { level: WARN } } ]";
        let held = "{ type: x.Y, tasks: [ { type: io.kestra.plugin.core.log.Log } ] }";
        assert_eq!(tasks(old, held)["tasks"][0]["level"], json!("WARN"));
    }
}
