//! What must be seen.

use super::faults::targets;
use super::{duration, instant};
use crate::document::{Entry, Node, Reading, Value};
use crate::scenario::fields::{BOUNDS, EXPECTATIONS};
use crate::scenario::{AlertExpectation, Bound, Expectation, Plan};

pub(super) fn expectation(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let Value::Mapping(entries) = &node.value else {
        reading.object(node, "an expectation", EXPECTATIONS[0].1);
        return None;
    };
    let kind = EXPECTATIONS.iter().find(|(key, _)| entries.iter().any(|entry| entry.key == *key));
    let Some((key, fields)) = kind else {
        let known = EXPECTATIONS.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
        reading.error(&node.place, "this says nothing of what is expected", format!("begin with one of {known}"));
        return None;
    };
    let object = reading.object(node, "an expectation", fields)?;
    let at = object.get("at").and_then(|node| instant(reading, node, "`at`"));
    let within = object.get("within").and_then(|node| duration(reading, node, "`within`"));
    let text = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
    };
    match *key {
        "health" => {
            let named = targets(object.get("health")?, plan, reading)?;
            let statuses = [("UP", "UP"), ("DOWN", "DOWN"), ("refused", "refused"), ("hangs", "hangs")];
            let status = reading.choice(object.get("status")?, "status", &statuses)?;
            Some(Expectation::Health { member: *named.first()?, status: status.to_owned(), at: at?, within })
        }
        "query" => {
            Some(Expectation::Query { expr: text(reading, "query")?, at: at?, comparison: text(reading, "is")? })
        }
        "event" => Some(Expectation::Event { text: text(reading, "event")?, at, within }),
        _ => {
            let of = object.get("of").and_then(|node| {
                let name = reading.text(node, "`of`")?;
                let names: Vec<&str> = plan.timeline.iter().map(|entry| entry.name.as_str()).collect();
                if !names.contains(&name) {
                    reading.unknown(&node.place, "entry of the timeline", name, names);
                }
                Some(name.to_owned())
            });
            let labels = object.get("labels").map(|node| labels(node, reading)).unwrap_or_default();
            let bound = |reading: &mut Reading, key: &str| {
                let object = reading.object(object.get(key)?, &format!("`{key}`"), BOUNDS)?;
                let time = |reading: &mut Reading, key: &str| {
                    object.get(key).and_then(|node| duration(reading, node, &format!("`{key}`")))
                };
                Some(Bound { after: time(reading, "after"), within: time(reading, "within") })
            };
            let count = object.get("count").and_then(|node| reading.count(node, "`count`", 0..=1_000_000));
            Some(Expectation::Alert(AlertExpectation {
                alert: text(reading, "alert")?,
                labels,
                of,
                fires: bound(reading, "fires"),
                resolves: bound(reading, "resolves"),
                pending: bound(reading, "pending"),
                never: object.get("never").and_then(|node| reading.boolean(node, "`never`")).unwrap_or(false),
                count: count.map(|count| count as u32),
            }))
        }
    }
}

fn labels(node: &Node, reading: &mut Reading) -> Vec<(String, String)> {
    let Value::Mapping(entries) = &node.value else {
        reading.error(
            &node.place,
            format!("`labels` must be a mapping, not {}", node.value.describe()),
            "write for example `{ instance: \"worker-1:8081\" }`",
        );
        return Vec::new();
    };
    let text = |entry: &Entry| match &entry.value.value {
        Value::Scalar { text, .. } => Some((entry.key.clone(), text.clone())),
        _ => None,
    };
    entries.iter().filter_map(text).collect()
}
