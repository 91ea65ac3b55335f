//! The tree of routes, laid out flat.

use std::sync::Arc;

use super::{Configuration, GroupBy, LabelSet, Matcher, Route};

/// A node of the tree.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Index of its receiver.
    pub(super) receiver: usize,
    pub(super) group_by: GroupBy,
    pub(super) group_wait: i64,
    pub(super) group_interval: i64,
    pub(super) repeat_interval: i64,
    pub(super) mute: Vec<String>,
    pub(super) active: Vec<String>,
    /// What group keys begin with: the matchers of all from the root on, `{}/{a="b"}`. Two nodes may have the same one.
    pub(super) key: String,
    matchers: Vec<Matcher>,
    goes_on: bool,
    children: Vec<usize>,
}

/// The nodes of a configuration; the first is the root.
pub(super) fn flat(configuration: &Configuration) -> Vec<Arc<Node>> {
    let mut nodes = Vec::new();
    add(&configuration.route, None, configuration, &mut nodes);
    nodes.into_iter().map(Arc::new).collect()
}

fn add(route: &Route, parent: Option<&str>, configuration: &Configuration, nodes: &mut Vec<Node>) -> usize {
    let receiver = configuration.receivers.iter().position(|receiver| receiver.name == route.receiver);
    let mut matchers = route.matchers.clone();
    matchers.sort_by(|a, b| (&a.name, &a.value, a.kind as u8).cmp(&(&b.name, &b.value, b.kind as u8)));
    let own: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    let own = format!("{{{}}}", own.join(","));
    let key = parent.map_or(own.clone(), |parent| format!("{parent}/{own}"));
    let index = nodes.len();
    nodes.push(Node {
        receiver: receiver.unwrap_or(0),
        group_by: route.group_by.clone(),
        group_wait: route.group_wait.as_milliseconds() as i64,
        group_interval: route.group_interval.as_milliseconds() as i64,
        repeat_interval: route.repeat_interval.as_milliseconds() as i64,
        mute: route.mute.clone(),
        active: route.active.clone(),
        key: key.clone(),
        matchers,
        goes_on: route.goes_on,
        children: Vec::new(),
    });
    let children: Vec<usize> = route.routes.iter().map(|child| add(child, Some(&key), configuration, nodes)).collect();
    nodes[index].children = children;
    index
}

/// The nodes that take an alert: depth first, the deepest ones; a node that matches ends the search among its siblings unless
/// it says `continue`. None when the root does not match.
pub(super) fn matching(nodes: &[Arc<Node>], labels: &LabelSet) -> Vec<usize> {
    let mut found = Vec::new();
    walk(nodes, 0, labels, &mut found);
    found
}

impl Configuration {
    /// The receivers that an alert with these labels is routed to, in the order of the routes, one for each route that takes
    /// it: what `amtool config routes test` lists.
    pub fn receivers_of(&self, labels: &LabelSet) -> Vec<&str> {
        let nodes = flat(self);
        let names = matching(&nodes, labels).into_iter().filter_map(|index| nodes.get(index));
        names.filter_map(|node| self.receivers.get(node.receiver)).map(|receiver| receiver.name.as_str()).collect()
    }
}

fn walk(nodes: &[Arc<Node>], index: usize, labels: &LabelSet, found: &mut Vec<usize>) -> bool {
    let Some(node) = nodes.get(index) else { return false };
    if !node.matchers.iter().all(|matcher| matcher.matches(labels)) {
        return false;
    }
    let before = found.len();
    for child in &node.children {
        if walk(nodes, *child, labels, found) && nodes.get(*child).is_some_and(|child| !child.goes_on) {
            break;
        }
    }
    if found.len() == before {
        found.push(index);
    }
    true
}

impl Node {
    /// What an alert shares with those of its group.
    pub(super) fn group_labels(&self, labels: &LabelSet) -> LabelSet {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => {
                let taken = names.iter().filter_map(|name| labels.get_key_value(name));
                taken.map(|(name, value)| (name.clone(), value.clone())).collect()
            }
        }
    }
}
