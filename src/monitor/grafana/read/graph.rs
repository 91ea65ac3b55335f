//! The nodes of a rule: what each reads, and in which order they are asked.

use std::collections::BTreeSet;

use super::super::model::{Asked, asked, expression, query};
use super::super::{Node as GraphNode, NodeKind};
use super::{DATA, Reader};
use crate::document::{self, Node, Object, Place, Reading};

/// Nodes of one rule: far more than anybody writes.
const MAX_NODES: usize = 1_000;

/// What becomes of an entry of `data`.
enum Found {
    Node(GraphNode, Place),
    /// It asks something else than Prometheus.
    Other(String, Place),
    /// It was told what is wrong.
    Broken,
}

impl Reader<'_> {
    /// The nodes of a rule, each after those it reads; none when something is wrong, or when one asks something else than
    /// Prometheus.
    pub(super) fn nodes(
        &mut self,
        object: &Object<'_>,
        condition: Option<&str>,
        title: &str,
    ) -> Option<Vec<GraphNode>> {
        let list = object.get("data")?;
        let entries = self.reading.list(list, "`data`");
        if entries.is_empty() {
            self.reading.error(&list.place, format!("`data` of the rule `{title}` is empty"), "add its queries");
            return None;
        }
        if entries.len() > MAX_NODES {
            let what = format!("the rule `{title}` has {} nodes", entries.len());
            self.reading.error(&list.place, what, format!("at most {MAX_NODES}"));
            return None;
        }
        // Names of all, also of those that could not be read: to read one of them is no second mistake.
        let (mut names, mut found, mut unnamed): (Vec<String>, Vec<Found>, bool) = (Vec::new(), Vec::new(), false);
        for entry in entries {
            let (name, node) = self.data(entry);
            match name {
                Some(name) if names.contains(&name) => {
                    self.reading.error(&entry.place, format!("two nodes are called `{name}`"), "rename one of them");
                    found.push(Found::Broken);
                }
                Some(name) => names.push(name),
                None => unnamed = true,
            }
            found.push(node);
        }
        let mut sound = !found.iter().any(|it| matches!(it, Found::Broken));
        if !unnamed {
            sound &= self.references(object, condition, &names, &found);
        }
        if let Some((kind, place)) =
            found.iter().find_map(|it| if let Found::Other(kind, at) = it { Some((kind, at)) } else { None })
        {
            let what = format!("the rule `{title}` is left out: it asks a data source of type {kind}");
            self.reading.warning(place, what, "only data sources of Prometheus are asked here: such a one has `datasource: { type: prometheus }` in its `model`");
            return None;
        }
        if !sound {
            return None;
        }
        let nodes =
            found.into_iter().filter_map(|it| if let Found::Node(node, at) = it { Some((node, at)) } else { None });
        self.in_order(nodes.collect(), title)
    }

    /// Whether the condition and what nodes read are nodes of the rule.
    fn references(&mut self, object: &Object<'_>, condition: Option<&str>, names: &[String], found: &[Found]) -> bool {
        let mut sound = true;
        // A node cannot read itself: it is not among those that it may name.
        let mut check = |place: &Place, name: &str, of: Option<&str>, reading: &mut Reading| {
            if !names.iter().any(|known| known == name) {
                let others = names.iter().map(String::as_str).filter(|known| Some(*known) != of);
                reading.unknown(place, "node of this rule", name, others);
                sound = false;
            }
        };
        if let (Some(condition), Some(node)) = (condition, object.get("condition")) {
            check(&node.place, condition, None, self.reading);
        }
        for it in found {
            let Found::Node(node, place) = it else { continue };
            reads(&node.kind).iter().for_each(|name| check(place, name, Some(&node.name), self.reading));
            let alone = Some(node.name.as_str()) == condition;
            if let (NodeKind::Threshold(.., Some(_)), false) = (&node.kind, alone) {
                let what = format!("the threshold `{}` lets go by another one, and is not the condition", node.name);
                self.reading.error(place, what, "Grafana takes `unloadEvaluator` in the condition only");
            }
        }
        sound
    }

    /// Every node after those it reads.
    fn in_order(&mut self, mut nodes: Vec<(GraphNode, Place)>, title: &str) -> Option<Vec<GraphNode>> {
        let mut ordered: Vec<GraphNode> = Vec::with_capacity(nodes.len());
        let mut known: BTreeSet<String> = BTreeSet::new();
        while !nodes.is_empty() {
            let ready = |(node, _): &(GraphNode, Place)| reads(&node.kind).iter().all(|read| known.contains(read));
            match nodes.iter().position(ready) {
                Some(place) => {
                    let (node, _) = nodes.remove(place);
                    known.insert(node.name.clone());
                    ordered.push(node);
                }
                None => {
                    let (circle, place) = circle(&nodes)?;
                    let what = format!("nodes of `{title}` read each other in a circle: {}", circle.join(" reads "));
                    self.reading.error(&place, what, "one of them must read a query");
                    return None;
                }
            }
        }
        Some(ordered)
    }

    /// An entry of `data`: its name, and what it is.
    fn data(&mut self, node: &Node) -> (Option<String>, Found) {
        let Some(object) = self.open(node, "a node of a rule", DATA) else { return (None, Found::Broken) };
        let name = self.required(&object, "refId");
        let uid = self.required(&object, "datasourceUid");
        let found = uid.and_then(|uid| {
            let model = object.get("model")?;
            let asked = asked(&uid, object.node, model, self.outside);
            let kind = match asked {
                Asked::Other(kind) => return Some(Found::Other(kind, model.place.clone())),
                Asked::Expression => expression(model, self.reading)?,
                Asked::Prometheus | Asked::Untold => {
                    self.known_source(&object, &uid);
                    query(object.get("relativeTimeRange"), model, node, self.reading)?
                }
            };
            Some(Found::Node(GraphNode { name: name.clone()?, source: uid, kind }, model.place.clone()))
        });
        (name, found.unwrap_or(Found::Broken))
    }
}

impl Reader<'_> {
    /// Warns of a data source that is none of those that are provisioned, where some are: its rule would only fail.
    fn known_source(&mut self, object: &Object<'_>, uid: &str) {
        let known = &self.outside.data_sources;
        // What a variable of the environment stands for is not known.
        let variable = known.keys().any(|it| it.contains('$'));
        if known.is_empty() || variable || known.contains_key(uid) || self.strangers.iter().any(|it| it == uid) {
            return;
        }
        let Some(node) = object.get("datasourceUid") else { return };
        self.strangers.push(uid.to_owned());
        let advice = document::instead(uid, known.keys().map(String::as_str));
        let what = format!("no data source that is provisioned here has the uid `{uid}`");
        self.reading.warning(&node.place, what, advice + "; it is taken for a Prometheus");
    }
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

/// Nodes that read each other, from one back to itself, and where the first stands. Each of `nodes` reads another of them.
fn circle(nodes: &[(GraphNode, Place)]) -> Option<(Vec<String>, Place)> {
    let find = |name: &str| nodes.iter().find(|(node, _)| node.name == name);
    let mut way: Vec<String> = vec![nodes.first()?.0.name.clone()];
    loop {
        let (node, _) = find(way.last()?)?;
        let next = reads(&node.kind).into_iter().find(|name| find(name).is_some())?;
        let back = way.iter().position(|name| *name == next);
        way.push(next);
        if let Some(back) = back {
            let circle = way.split_off(back);
            let place = find(circle.first()?)?.1.clone();
            return Some((circle, place));
        }
    }
}
