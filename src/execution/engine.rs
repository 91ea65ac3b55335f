//! An execution: its task runs, and what comes next of them.

use super::rules::{Part, Scope, allowed, is_running};
use super::tree::{Lists, NONE, Tree};
use super::{Dialect, pause};
use crate::flow::{How, State};
use crate::time::{Duration, Instant};

/// An execution that has not ended.
#[derive(Clone, Debug)]
pub struct Execution {
    /// What it is now.
    pub state: State,
    /// How many executions were tried before this one (`behavior: CREATE_NEW_EXECUTION`).
    pub attempt: u32,
    /// When the first of these began.
    pub begun: Instant,
    /// Its task runs, in the order in which they were created.
    pub runs: Vec<TaskRun>,
}

/// A task run.
#[derive(Clone, Copy, Debug)]
pub struct TaskRun {
    /// The number of its task.
    pub node: u32,
    /// What it is now.
    pub state: State,
    /// The attempt, from 1 on.
    pub attempt: u32,
    /// Whether an attempt failed and another one followed.
    retried: bool,
    /// The task run of the task that holds it.
    parent: u32,
    /// When its first attempt was created.
    first: Instant,
}

/// Something that happened to an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It may run.
    Begin,
    /// A worker has begun an attempt.
    Started {
        /// The task run.
        run: u32,
        /// Which attempt.
        attempt: u32,
    },
    /// An attempt has ended.
    Ended {
        /// The task run.
        run: u32,
        /// Which attempt.
        attempt: u32,
        /// How: SUCCESS, WARNING, FAILED or KILLED.
        state: State,
    },
    /// The pause before an attempt is over.
    RetryDue {
        /// The task run.
        run: u32,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The execution is in this state now. Some states are left again by a later command of the same step.
    State(State),
    /// A task that holds others begins: a task run that no worker sees.
    Enter {
        /// The task run.
        run: u32,
    },
    /// Such a task has ended.
    Leave {
        /// The task run.
        run: u32,
    },
    /// A worker is to run an attempt of a task run.
    Start {
        /// The task run.
        run: u32,
        /// Whether it is its first attempt.
        first: bool,
    },
    /// `Event::RetryDue` is to come after a pause.
    Retry {
        /// The task run.
        run: u32,
        /// The pause.
        after: Duration,
    },
    /// The execution has ended as RETRIED: a new one is to be created after a pause.
    Again {
        /// The pause.
        after: Duration,
    },
    /// The execution has ended by its tasks.
    End(State),
}

/// What an execution asks of the world.
pub trait World {
    /// The present.
    fn now(&self) -> Instant;
    /// A draw from 0 to 1 for the pause after an attempt; 0 stands for all attempts of the execution.
    fn share(&mut self, attempt: u32) -> f64;
}

/// Memory that is used again from one step to the next.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    states: [Vec<Option<State>>; 3],
    open: Vec<u32>,
}

impl Execution {
    /// One that was just created; `attempt` as in the field, `begun` when the first of these was.
    pub fn new(attempt: u32, begun: Instant) -> Execution {
        Execution { state: State::Created, attempt, begun, runs: Vec::new() }
    }

    /// Something happened: what is to be done is added to `commands`. What does not fit, as the end of an attempt that is
    /// not the present one, changes nothing and gives false.
    pub fn next(
        &mut self,
        (tree, dialect): (&Tree, &Dialect),
        event: Event,
        world: &mut dyn World,
        scratch: &mut Scratch,
        commands: &mut Vec<Command>,
    ) -> bool {
        let mut step = Step { execution: self, tree, dialect, world, commands };
        match event {
            Event::Begin => step.settle(NONE, scratch),
            Event::Started { run, attempt } => step.started(run, attempt, scratch),
            Event::Ended { run, attempt, state } => step.ended(run, attempt, state, scratch),
            Event::RetryDue { run } => step.retry_due(run),
        }
        .is_some()
    }

    /// The task run of a number.
    pub fn run(&self, run: u32) -> Option<&TaskRun> {
        self.runs.get(run as usize)
    }
}

/// One step of an execution.
struct Step<'a> {
    execution: &'a mut Execution,
    tree: &'a Tree,
    dialect: &'a Dialect,
    world: &'a mut dyn World,
    commands: &'a mut Vec<Command>,
}

impl Step<'_> {
    fn run(&mut self, run: u32) -> Option<&mut TaskRun> {
        self.execution.runs.get_mut(run as usize)
    }

    /// The execution changes its state.
    fn state(&mut self, state: State) {
        if self.execution.state != state {
            self.execution.state = state;
            self.commands.push(Command::State(state));
        }
    }

    fn started(&mut self, run: u32, attempt: u32, scratch: &mut Scratch) -> Option<()> {
        let it = self.run(run).filter(|it| it.attempt == attempt && it.state == State::Created)?;
        it.state = State::Running;
        // Where only so many run at a time, more are looked for when those that were created have begun.
        match it.parent {
            NONE => Some(()),
            parent => self.settle(parent, scratch),
        }
    }

    fn ended(&mut self, run: u32, attempt: u32, state: State, scratch: &mut Scratch) -> Option<()> {
        let it = *self.run(run)?;
        let live = matches!(it.state, State::Created | State::Running) && it.attempt == attempt;
        let node = self.tree.node(it.node).filter(|_| live)?;
        if state == State::Failed && self.again(run, it) {
            return Some(());
        }
        let warned = state == State::Success && it.retried && node.retry.as_ref().is_some_and(|it| it.warning_on_retry);
        let state = if warned { State::Warning } else { state };
        self.run(run)?.state = allowed(state, node.allow_failure, node.allow_warning);
        self.settle(it.parent, scratch)
    }

    /// A task run failed: whether it is tried again, in this execution or in another one.
    fn again(&mut self, run: u32, it: TaskRun) -> bool {
        let Some(node) = self.tree.node(it.node) else { return false };
        let Some(retry) = &node.retry else { return false };
        let (attempt, first) = match retry.new_execution {
            true => (self.execution.attempt + 1, self.execution.begun),
            false => (it.attempt, it.first),
        };
        // A flow that is tried anew draws for all of it.
        let draw = if node.own_retry { attempt } else { 0xffff };
        let now = self.world.now();
        let Some(after) = pause(retry, attempt, first, now, || self.world.share(draw)) else { return false };
        // Each attempt that fails shows as a failed execution for a moment (captures/core/end-to-end.*.jsonl).
        self.state(State::Failed);
        if retry.new_execution {
            self.run(run).into_iter().for_each(|it| it.state = State::Retried);
            self.state(State::Retried);
            self.commands.push(Command::Again { after });
        } else {
            self.run(run).into_iter().for_each(|it| {
                it.state = State::Retrying;
                it.retried = true;
                it.attempt += 1;
            });
            self.state(State::Retrying);
            self.commands.push(Command::Retry { run, after });
        }
        true
    }

    fn retry_due(&mut self, run: u32) -> Option<()> {
        let it = self.run(run).filter(|it| it.state == State::Retrying)?;
        it.state = State::Created;
        self.state(State::Running);
        self.commands.push(Command::Start { run, first: false });
        Some(())
    }

    /// Looks what comes next among the tasks that a task run holds, and of all that comes of it.
    fn settle(&mut self, parent: u32, scratch: &mut Scratch) -> Option<()> {
        let Scratch { states, open } = scratch;
        open.clear();
        open.push(parent);
        while let Some(parent) = open.pop() {
            if parent == NONE {
                self.settle_flow(states, open);
            } else {
                self.settle_group(parent, states, open);
            }
        }
        Some(())
    }

    fn settle_flow(&mut self, states: &mut [Vec<Option<State>>; 3], open: &mut Vec<u32>) {
        if self.execution.state.is_over() {
            return;
        }
        let tree = self.tree;
        let scope = self.scope(NONE, &tree.root, 0, states);
        if let Some((part, place)) = scope.next(self.dialect) {
            self.create(NONE, &tree.root, 0, (part, place), open);
        } else if let Some(state) = scope.end(self.dialect) {
            self.state(state);
            self.commands.push(Command::End(state));
        }
    }

    fn settle_group(&mut self, parent: u32, states: &mut [Vec<Option<State>>; 3], open: &mut Vec<u32>) {
        let tree = self.tree;
        let Some(run) = self.run(parent).filter(|run| is_running(run.state)).copied() else { return };
        let Some(node) = tree.node(run.node) else { return };
        let Some(held) = &node.group else { return };
        let scope = self.scope(parent, &held.lists, 0, states);
        let nexts: Vec<(Part, usize)> = match &held.how {
            How::Parallel(most) if scope.part() == Some(Part::Tasks) => {
                scope.free(*most, |_| true).map(|place| (Part::Tasks, place)).collect()
            }
            How::Dag(most, after) if scope.part() == Some(Part::Tasks) => scope
                .free(*most, |place| after.get(place).is_none_or(|it| it.iter().all(|it| scope.is_over(*it))))
                .map(|place| (Part::Tasks, place))
                .collect(),
            _ => scope.next(self.dialect).into_iter().collect(),
        };
        let none = scope.tasks.is_empty();
        match scope.end(self.dialect) {
            _ if !nexts.is_empty() => {
                for next in nexts {
                    self.create(parent, &held.lists, 0, next, open);
                }
            }
            end if none || end.is_some() => {
                let state = allowed(end.unwrap_or(State::Success), node.allow_failure, node.allow_warning);
                self.run(parent).into_iter().for_each(|run| run.state = state);
                self.commands.push(Command::Leave { run: parent });
                open.push(run.parent);
            }
            _ => {}
        }
    }

    /// The states of the task runs in the lists that a task run holds.
    fn scope<'s>(
        &self,
        parent: u32,
        lists: &Lists,
        branch: usize,
        states: &'s mut [Vec<Option<State>>; 3],
    ) -> Scope<'s> {
        let [tasks, errors, finally] = states;
        let branch = lists.branches.get(branch).map_or(&[][..], Vec::as_slice);
        for (states, list) in [(&mut *tasks, branch), (&mut *errors, &lists.errors), (&mut *finally, &lists.finally)] {
            states.clear();
            states.resize(list.len(), None);
        }
        for run in self.execution.runs.iter().filter(|run| run.parent == parent) {
            let Some(node) = self.tree.node(run.node) else { continue };
            let states = match node.part {
                Part::Tasks => &mut *tasks,
                Part::Errors => &mut *errors,
                Part::Finally => &mut *finally,
            };
            if let Some(state) = states.get_mut(node.place as usize) {
                *state = Some(run.state);
            }
        }
        Scope { tasks, errors, finally }
    }

    /// Creates a task run.
    fn create(&mut self, parent: u32, lists: &Lists, branch: usize, (part, place): (Part, usize), open: &mut Vec<u32>) {
        let list = match part {
            Part::Tasks => lists.branches.get(branch).map_or(&[][..], Vec::as_slice),
            Part::Errors => &lists.errors,
            Part::Finally => &lists.finally,
        };
        let Some(node) = list.get(place).copied() else { return };
        let run = self.execution.runs.len() as u32;
        let group = self.tree.node(node).is_some_and(|node| node.group.is_some());
        let state = if group { State::Running } else { State::Created };
        let first = self.world.now();
        self.execution.runs.push(TaskRun { node, state, attempt: 1, retried: false, parent, first });
        self.state(State::Running);
        if group {
            self.commands.push(Command::Enter { run });
            open.push(run);
        } else {
            self.commands.push(Command::Start { run, first: true });
        }
    }
}
