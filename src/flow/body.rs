//! What a task of Kestra's own does with other tasks: those that it holds, and when they run.

use super::{Flow, Task};

/// What a task is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// Work for a worker.
    #[default]
    Work,
    /// A task that holds others.
    Group(Box<Group>),
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
    /// At the same time, at most so many (0: all).
    Parallel(u32),
    /// Each when those have ended whose places stand beside it, at most so many at the same time (0: all).
    Dag(u32, Vec<Vec<usize>>),
}

impl Task {
    /// The group that it is.
    pub fn group(&self) -> Option<&Group> {
        match &self.body {
            Body::Group(group) => Some(group),
            Body::Work => None,
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
