//! What the inputs of a flow depend on: Kestra refuses those that are not there, and rings (source of 0.20, 1.3 and 2.0).

use std::collections::{BTreeMap, BTreeSet};

use super::beans::{Bean, items, text};
use super::flow_rules::Wrong;
use crate::document::{Node, Value};
use crate::flow::parts::get;
use crate::java::hash;

/// Inputs by id, with the ids that they depend on.
type Graph<'n> = BTreeMap<&'n str, Vec<&'n str>>;

/// What is wrong with what inputs depend on, in the order in which a hash map of them is walked.
pub(super) fn of(flow: &Node, _: &[Bean<'_>]) -> Vec<Wrong> {
    let (mut graph, mut order): (Graph<'_>, Vec<(&str, &Node)>) = (Graph::new(), Vec::new());
    for input in items(flow, "inputs") {
        let Some(id) = text(input, "id") else { continue };
        if !graph.contains_key(id) {
            order.push((id, input));
        }
        let needs = get(input, "dependsOn").map_or(&[][..], |node| items(node, "inputs"));
        graph.entry(id).or_default().extend(needs.iter().filter_map(scalar));
    }
    let mut wrong = Vec::new();
    for (id, input) in hash::ordered(order, 16, |(id, _)| hash::text(id)) {
        let place = get(input, "dependsOn").unwrap_or(input).place.first_line();
        let missing = graph.get(id).into_iter().flatten().filter(|it| !graph.contains_key(**it));
        wrong.extend(missing.map(|it| {
            let words = format!("Input with id '{id}' depends on a non-existent input '{it}'.");
            (words, place.clone(), "name an input of this flow".to_owned())
        }));
        if let Some(ring) = ring(id, &graph) {
            let words = format!("Cycle dependency detected for input with id '{id}': [{}]", ring.join(", "));
            wrong.push((words, place, "leave one of these dependencies out".to_owned()));
        }
    }
    wrong
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// The first ring that is met from an input on, as Kestra walks: what one depends on in order, deeper first.
fn ring<'n>(id: &'n str, graph: &Graph<'n>) -> Option<Vec<&'n str>> {
    let (mut path, mut seen): (Vec<(&str, usize)>, BTreeSet<&str>) = (vec![(id, 0)], BTreeSet::new());
    while let Some((at, next)) = path.last_mut() {
        let need = graph.get(*at).and_then(|needs| needs.get(*next)).copied();
        *next += 1;
        match need {
            Some(need) => {
                if let Some(start) = path.iter().position(|(it, _)| *it == need) {
                    return Some(path.iter().skip(start).map(|(it, _)| *it).collect());
                }
                if !seen.contains(need) {
                    path.push((need, 0));
                }
            }
            None => seen.extend(path.pop().map(|(it, _)| it)),
        }
    }
    None
}
