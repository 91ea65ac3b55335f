//! What a task of Kestra's own does with other tasks: those that it holds, and when they run.

use serde_json::Value as Json;

use super::{Flow, State, Task};
use crate::time::Duration;

/// What a task is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// Work for a worker.
    #[default]
    Work,
    /// A task that holds others.
    Group(Box<Group>),
    /// `io.kestra.plugin.core.flow.Pause`.
    Pause(Pause),
    /// `io.kestra.plugin.core.flow.Subflow`.
    Subflow(Subflow),
    /// `io.kestra.plugin.core.execution.Fail` with this `condition`: work for a worker, that fails when it holds.
    Fail(String),
    /// `io.kestra.plugin.core.execution.Exit`: the execution ends in this state.
    Exit(State),
}

/// The tasks that a task holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which of them run, and when.
    pub how: How,
    /// Its lists: one, or those of which one is chosen.
    pub branches: Vec<Vec<Task>>,
    /// Its own `errors`.
    pub errors: Vec<Task>,
    /// Its own `finally`.
    pub finally: Vec<Task>,
}

/// How the tasks of a group run.
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// One after another.
    Sequential,
    /// One after another; a failure is a warning, unless a task of its own `errors` fails.
    AllowFailure,
    /// At the same time, at most so many (0: all).
    Parallel(u32),
    /// Each when those have ended whose places stand beside it, at most so many at the same time (0: all).
    Dag(u32, Vec<Vec<usize>>),
    /// The first list when the condition holds, else the second, if there is one.
    If(String),
    /// The list of the case that the value is, else the list behind those of the cases, if there is one.
    Switch(String, Vec<String>),
    /// Its tasks one after another for each value, for so many values at the same time (0: all). The values are a list, or a
    /// template that gives one.
    ForEach(Json, u32),
    /// All its tasks for all values at the same time, at most so many (0: all).
    EachParallel(Json, u32),
}

/// A task that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// `pauseDuration` (old name `delay`): how long it waits; without, until somebody lets the execution go on.
    pub duration: Option<Duration>,
    /// `behavior`: what becomes of the task after that.
    pub then: Then,
    /// `timeout`: it fails when nobody has let the execution go on by then.
    pub timeout: Option<Duration>,
}

/// `behavior` of a Pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// It ends well.
    #[default]
    Resume,
    /// It ends with a warning.
    Warn,
    /// It fails.
    Fail,
    /// The execution is cancelled.
    Cancel,
}

/// A task that starts an execution of another flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Subflow {
    /// `namespace` of that flow.
    pub namespace: String,
    /// `flowId`.
    pub flow: String,
    /// `wait`: the task ends when that execution does.
    pub wait: bool,
    /// `transmitFailed`: it ends as that execution did.
    pub transmit: bool,
    /// `inputs` of that execution: values, or templates that can be worked out.
    pub inputs: Vec<(String, Json)>,
    /// `labels` of that execution.
    pub labels: Vec<(String, String)>,
}

impl Task {
    /// The group that it is.
    pub fn group(&self) -> Option<&Group> {
        match &self.body {
            Body::Group(group) => Some(group),
            _ => None,
        }
    }
}

impl Group {
    /// Its tasks, list after list.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.branches.iter().flatten().chain(&self.errors).chain(&self.finally)
    }
}

impl Flow {
    /// All tasks, each at the number by which it is known: those of the lists of the flow, `tasks` first, then what these
    /// hold, level by level.
    pub fn all_tasks(&self) -> Vec<&Task> {
        let lists = [&self.tasks, &self.errors, &self.finally, &self.after_execution];
        let mut all: Vec<&Task> = lists.into_iter().flatten().collect();
        let mut at = 0;
        while let Some(task) = all.get(at) {
            if let Some(group) = task.group() {
                all.extend(group.tasks());
            }
            at += 1;
        }
        all
    }

    /// The task of a number.
    pub fn task(&self, number: usize) -> Option<&Task> {
        // Most tasks are those of the flow itself.
        let mut rest = number;
        for list in [&self.tasks, &self.errors, &self.finally, &self.after_execution] {
            match list.get(rest) {
                Some(task) => return Some(task),
                None => rest -= list.len(),
            }
        }
        self.all_tasks().get(number).copied()
    }
}
