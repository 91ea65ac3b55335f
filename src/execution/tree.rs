//! A flow as a tree of numbered tasks, made once for all its executions.

use super::rules::Part;
use crate::flow::{Body, Demand, Flow, How, Pause, Retry, Sla, State, Subflow, Task};

/// No number: no parent, no choice.
pub(super) const NONE: u32 = u32::MAX;

/// A flow, made ready to run. The number of a task is that of `Flow::all_tasks`.
#[derive(Clone, Debug)]
pub struct Tree {
    /// All tasks, by number.
    pub nodes: Vec<Node>,
    /// The lists of the flow.
    pub(super) root: Lists,
    /// `afterExecution`.
    pub(super) after: Lists,
    /// Those of each of the `listeners`.
    pub(super) listeners: Vec<Lists>,
    /// The assertions of its `sla`: the place of the entry, the template, how an execution ends of which it is not true.
    pub(super) asserts: Vec<(u32, String, Option<State>)>,
    /// Whether a Pause has an `onPause`.
    pub(super) on_pauses: bool,
}

/// A task.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its `id`.
    pub id: String,
    /// Its `type`.
    pub kind: String,
    /// How it is tried again: as it says itself, or a task that holds it, or the flow.
    pub retry: Option<Retry>,
    pub(super) own_retry: bool,
    pub(super) allow_failure: bool,
    pub(super) allow_warning: bool,
    pub(super) run_if: Option<String>,
    /// What it is.
    pub does: Does,
    /// Where it is: the list, and its place there.
    pub(super) part: Part,
    pub(super) place: u32,
}

/// What a task is.
#[derive(Clone, Debug)]
pub enum Does {
    /// Work for a worker.
    Work,
    /// It holds tasks.
    Group(Held),
    /// It waits.
    Pause(Box<Pause>),
    /// It starts an execution of another flow.
    Subflow(Box<Subflow>),
    /// It ends the execution.
    Exit(State),
    /// It changes the execution itself: no worker sees it.
    Update,
}

/// The tasks that a task holds.
#[derive(Clone, Debug)]
pub struct Held {
    pub(super) how: How,
    /// The number of the first of its tasks.
    pub(super) first: u32,
    pub(super) lists: Lists,
}

impl Held {
    /// How they run.
    pub fn how(&self) -> &How {
        &self.how
    }
}

/// Lists of tasks beside each other, disabled ones left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    /// One, or those of which one is chosen.
    pub(super) branches: Vec<Vec<u32>>,
    pub(super) errors: Vec<u32>,
    pub(super) finally: Vec<u32>,
}

impl Tree {
    /// Of a flow.
    pub fn new(flow: &Flow) -> Tree {
        let mut tree = Tree {
            nodes: Vec::new(),
            root: Lists::default(),
            after: Lists::default(),
            listeners: Vec::new(),
            asserts: asserts(flow),
            on_pauses: false,
        };
        let of_flow = flow.retry.as_ref().map(|retry| &retry.retry);
        tree.root.branches = vec![tree.list(&flow.tasks, Part::Tasks, of_flow)];
        // What the flow says of its tasks does not hold for those that run because they failed.
        tree.root.errors = tree.list(&flow.errors, Part::Errors, None);
        tree.root.finally = tree.list(&flow.finally, Part::Finally, None);
        tree.after.branches = vec![tree.list(&flow.after_execution, Part::Tasks, None)];
        for listener in &flow.listeners {
            let branches = vec![tree.list(&listener.tasks, Part::Tasks, None)];
            tree.listeners.push(Lists { branches, ..Lists::default() });
        }
        for (at, task) in flow.all_tasks().into_iter().enumerate() {
            let Some(group) = task.group() else { continue };
            let retry = tree.nodes.get(at).and_then(|node| node.retry.clone());
            let retry = retry.as_ref();
            let first = tree.nodes.len() as u32;
            tree.on_pauses |= matches!(&group.how, How::Paused(pause) if pause.on_pause);
            let branches = group.branches.iter().map(|tasks| tree.list(tasks, Part::Tasks, retry)).collect();
            let lists = Lists {
                branches,
                errors: tree.list(&group.errors, Part::Errors, None),
                finally: tree.list(&group.finally, Part::Finally, None),
            };
            if let Some(node) = tree.nodes.get_mut(at) {
                node.does = Does::Group(Held { how: group.how.clone(), first, lists });
            }
        }
        tree
    }

    /// The lists that an execution runs: those of the flow, or of the Loop for one of whose values it is.
    pub(super) fn root(&self, of: Option<u32>) -> &Lists {
        match of.and_then(|node| self.node(node)).map(|node| &node.does) {
            Some(Does::Group(held)) => &held.lists,
            _ => &self.root,
        }
    }

    /// Whether an execution must keep to assertions.
    pub fn asserts(&self) -> bool {
        !self.asserts.is_empty()
    }

    /// Adds tasks; the numbers of those that run.
    fn list(&mut self, tasks: &[Task], part: Part, retry: Option<&Retry>) -> Vec<u32> {
        let mut list = Vec::new();
        for task in tasks {
            if !task.disabled {
                list.push(self.nodes.len() as u32);
            }
            self.nodes.push(Node {
                id: task.id.clone(),
                kind: task.kind.clone(),
                retry: task.retry.as_ref().or(retry).cloned(),
                own_retry: task.retry.is_some(),
                allow_failure: task.allow_failure,
                allow_warning: task.allow_warning,
                run_if: task.run_if.clone(),
                does: match &task.body {
                    Body::Work | Body::Fail | Body::Group(_) => Does::Work,
                    Body::Pause(pause) => Does::Pause(Box::new(pause.clone())),
                    Body::Subflow(subflow) => Does::Subflow(subflow.clone()),
                    Body::Exit(state) => Does::Exit(*state),
                    Body::Update => Does::Update,
                },
                part,
                place: list.len().saturating_sub(1) as u32,
            });
        }
        list
    }

    /// The Pause that a task is, with tasks of its own or without.
    pub fn pause(&self, node: u32) -> Option<&Pause> {
        match &self.node(node)?.does {
            Does::Pause(pause) => Some(pause),
            Does::Group(Held { how: How::Paused(pause), .. }) => Some(pause),
            _ => None,
        }
    }

    /// Whether the tasks of a task run in one thread of one worker.
    pub(super) fn is_directory(&self, node: u32) -> bool {
        matches!(self.node(node).map(|node| &node.does), Some(Does::Group(Held { how: How::Directory, .. })))
    }

    /// The tasks that a task has done in one thread of one worker, in their order; none of any other task.
    pub fn directory(&self, node: u32) -> &[u32] {
        match self.node(node).map(|node| &node.does) {
            Some(Does::Group(Held { how: How::Directory, lists, .. })) => {
                lists.branches.first().map_or(&[], Vec::as_slice)
            }
            _ => &[],
        }
    }

    /// A task.
    pub fn node(&self, node: u32) -> Option<&Node> {
        self.nodes.get(node as usize)
    }
}

fn asserts(flow: &Flow) -> Vec<(u32, String, Option<State>)> {
    let assertion = |(place, sla): (usize, &Sla)| match &sla.demand {
        Demand::Assertion(template) => Some((place as u32, template.clone(), sla.ends)),
        Demand::MaxDuration(_) => None,
    };
    flow.slas.iter().enumerate().filter_map(assertion).collect()
}
