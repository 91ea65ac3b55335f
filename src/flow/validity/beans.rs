//! The objects of a flow that constraints are looked at for, each with the path by which a violation names it.

use super::{Edition, OLD};
use crate::document::{Node, Value};
use crate::flow::parts::get;
use crate::flow::unsimulated::core;

/// An object of a flow.
pub(super) struct Bean<'n> {
    pub(super) what: What<'n>,
    pub(super) node: &'n Node,
    /// From the flow to it: `tasks[0].then[1]`.
    pub(super) path: String,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'n> {
    Flow,
    /// A task, by its type.
    Task(&'n str),
    /// A trigger, by its type.
    Trigger(&'n str),
    /// An input, by its type.
    Input(&'n str),
    Output,
    /// By its type.
    Sla(&'n str),
    Concurrency,
    /// By its type.
    Retry(&'n str),
    Preconditions,
    Label,
    Listener,
}

impl What<'_> {
    /// The last part of the type of one of Kestra's own tasks or triggers.
    pub(super) fn core(&self) -> Option<&str> {
        match self {
            What::Task(kind) | What::Trigger(kind) => core(kind),
            _ => None,
        }
    }
}

pub(super) fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    get(node, key).and_then(Node::text)
}

pub(super) fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    get(node, key).map_or(&[], Node::items)
}

/// All objects of a flow.
pub(super) fn beans(flow: &Node) -> Vec<Bean<'_>> {
    let mut beans = vec![Bean { what: What::Flow, node: flow, path: String::new() }];
    for key in ["tasks", "errors", "finally", "afterExecution"] {
        list(flow, key, "", &mut beans);
    }
    for (index, listener) in items(flow, "listeners").iter().enumerate() {
        let path = format!("listeners[{index}]");
        list(listener, "tasks", &format!("{path}."), &mut beans);
        beans.push(Bean { what: What::Listener, node: listener, path });
    }
    let kind = |node| text(node, "type").unwrap_or_default();
    for (index, trigger) in items(flow, "triggers").iter().enumerate() {
        let path = format!("triggers[{index}]");
        if let Some(node) = get(trigger, "preconditions") {
            beans.push(Bean { what: What::Preconditions, node, path: format!("{path}.preconditions") });
        }
        beans.push(Bean { what: What::Trigger(kind(trigger)), node: trigger, path });
    }
    each(flow, "inputs", What::Input, &mut beans);
    each(flow, "outputs", |_| What::Output, &mut beans);
    each(flow, "sla", What::Sla, &mut beans);
    each(flow, "labels", |_| What::Label, &mut beans);
    if let Some(node) = get(flow, "concurrency") {
        beans.push(Bean { what: What::Concurrency, node, path: "concurrency".into() });
    }
    if let Some(node) = get(flow, "retry") {
        beans.push(Bean { what: What::Retry(kind(node)), node, path: "retry".into() });
    }
    beans
}

/// The items of a list of the flow.
fn each<'n>(flow: &'n Node, key: &str, what: fn(&'n str) -> What<'n>, beans: &mut Vec<Bean<'n>>) {
    for (index, node) in items(flow, key).iter().enumerate() {
        let kind = text(node, "type").unwrap_or_default();
        beans.push(Bean { what: what(kind), node, path: format!("{key}[{index}]") });
    }
}

/// The tasks of a list, and what they hold.
fn list<'n>(node: &'n Node, key: &str, before: &str, beans: &mut Vec<Bean<'n>>) {
    for (index, item) in items(node, key).iter().enumerate() {
        task(item, format!("{before}{key}[{index}]"), beans);
    }
}

fn task<'n>(node: &'n Node, path: String, beans: &mut Vec<Bean<'n>>) {
    // 0.20 takes a text for a task.
    if !matches!(node.value, Value::Mapping(_)) {
        return;
    }
    let kind = text(node, "type").unwrap_or_default();
    if let Some(retry) = get(node, "retry") {
        let of = What::Retry(text(retry, "type").unwrap_or_default());
        beans.push(Bean { what: of, node: retry, path: format!("{path}.retry") });
    }
    // What other tasks have under these keys may be anything.
    if core(kind).is_some() {
        let before = format!("{path}.");
        match core(kind) {
            Some("Dag") => {
                for (index, item) in items(node, "tasks").iter().enumerate() {
                    if let Some(held) = get(item, "task") {
                        task(held, format!("{before}tasks[{index}].task"), beans);
                    }
                }
            }
            _ => list(node, "tasks", &before, beans),
        }
        for key in ["then", "else", "defaults", "errors", "finally"] {
            list(node, key, &before, beans);
        }
        if let Some(Node { value: Value::Mapping(cases), .. }) = get(node, "cases") {
            for case in cases {
                if let Value::Sequence(items) = &case.value.value {
                    for (index, item) in items.iter().enumerate() {
                        task(item, format!("{before}cases[{}][{index}]", case.key), beans);
                    }
                }
            }
        }
    }
    beans.push(Bean { what: What::Task(kind), node, path });
}

/// The path of something in an object, as the server writes it: the places of tasks and inputs are told by the id of the one
/// that it is about. (Of tasks in tasks no path of 2.0 was recorded.)
pub(super) fn told(bean: &Bean<'_>, edition: Edition) -> String {
    let list = match bean.what {
        What::Task(_) => "tasks[",
        What::Input(_) => "inputs[",
        _ => return bean.path.clone(),
    };
    let old = OLD.has(edition);
    let id = match (text(bean.node, "id"), old) {
        (Some(id), true) => id.to_owned(),
        (Some(id), false) => format!("{list}{id}]"),
        (None, true) => return bean.path.clone(),
        (None, false) => format!("{list}null]"),
    };
    let (mut path, mut rest) = (String::new(), bean.path.as_str());
    while let Some(at) = rest.find(list) {
        path += &rest[..at];
        rest = &rest[at + list.len()..];
        path += &id;
        rest = rest.split_once(']').map_or("", |(_, rest)| rest);
    }
    path + rest
}
