//! What starts the flows of a plan: they themselves, or the tasks of others.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::flow::{Body, Flow};

/// What starts a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// It starts: by a trigger, by arrivals or a command, or by a flow that starts.
    pub starts: bool,
    /// The flows with a task that starts it, a Subflow or a ForEachItem: at most [`SHOWN`] of them, never itself.
    pub callers: Vec<usize>,
}

/// Callers that are kept of a flow.
pub const SHOWN: usize = 3;

/// What starts each flow of a plan. A name that is a template may mean any flow.
pub fn started(plan: &Plan) -> Vec<Started> {
    let mut all: Vec<Started> = vec![Started::default(); plan.flows.len()];
    let calls = calls(plan);
    for (caller, called) in &calls.known {
        for it in called.iter().filter(|it| *it != caller) {
            let Some(it) = all.get_mut(*it) else { continue };
            if it.callers.len() < SHOWN && !it.callers.contains(caller) {
                it.callers.push(*caller);
            }
        }
    }
    let mut open: Vec<usize> = (0..plan.flows.len()).filter(|index| plan.starts(*index)).collect();
    let mut met: BTreeSet<usize> = BTreeSet::new();
    while let Some(index) = open.pop() {
        let Some(it) = all.get_mut(index) else { continue };
        if std::mem::replace(&mut it.starts, true) {
            continue;
        }
        open.extend(calls.called(index));
        let templates = calls.asked.get(&index).into_iter().flatten();
        open.extend(templates.filter(|it| met.insert(**it)).flat_map(|it| calls.template(*it)));
    }
    all
}

/// Which flows start which.
#[derive(Default)]
struct Calls {
    /// By the caller: those that it names, and those that templates mean which it is the first to have.
    known: BTreeMap<usize, Vec<usize>>,
    /// By the caller: the templates that others had before.
    asked: BTreeMap<usize, Vec<usize>>,
    /// What each template means: the same text is looked at once, so that the work is bounded.
    templates: Vec<Vec<usize>>,
}

impl Calls {
    fn called(&self, caller: usize) -> impl Iterator<Item = usize> + '_ {
        self.known.get(&caller).into_iter().flatten().copied()
    }

    fn template(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        self.templates.get(at).into_iter().flatten().copied()
    }
}

fn calls(plan: &Plan) -> Calls {
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (index, flow) in plan.flows.iter().enumerate() {
        places.entry((&flow.namespace, &flow.id)).or_insert(index);
    }
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let is_template = |text: &str| text.contains("{{") || text.contains("{%");
    let fits = |asked: &str, name: &str| asked == name || is_template(asked);
    let mut calls = Calls::default();
    for (caller, flow) in plan.flows.iter().enumerate() {
        for (namespace, id) in named(flow) {
            let known = calls.known.entry(caller).or_default();
            if !is_template(namespace) && !is_template(id) {
                known.extend(places.get(&(namespace, id)));
            } else if let Some(at) = seen.get(&(namespace, id)) {
                calls.asked.entry(caller).or_default().push(*at);
            } else {
                let meant = places.iter().filter(|((of, name), _)| fits(namespace, of) && fits(id, name));
                let meant: Vec<usize> = meant.map(|(_, index)| *index).collect();
                known.extend(&meant);
                seen.insert((namespace, id), calls.templates.len());
                calls.templates.push(meant);
            }
        }
    }
    calls
}

/// The namespaces and ids in the tasks of a flow that start others.
fn named(flow: &Flow) -> Vec<(&str, &str)> {
    if flow.disabled {
        return Vec::new();
    }
    let tasks = flow.all_tasks().into_iter().filter(|task| !task.disabled);
    let subflows = tasks.filter_map(|task| if let Body::Subflow(it) = &task.body { Some(it) } else { None });
    subflows.map(|it| (it.namespace.as_str(), it.flow.as_str())).collect()
}
