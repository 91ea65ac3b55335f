//! What comes next of what somebody does to an execution from outside: pause, resume, kill, and the end that its flow sets.

use super::engine::{Command, Rest, Scratch, TaskRun};
use super::rules::{Part, allowed};
use super::step::Step;
use super::tree::{Does, NONE};
use crate::flow::{Pause, State, Then};

impl Step<'_> {
    /// Whether nothing is begun for now: the execution is PAUSED, whoever has paused it, or is being killed.
    pub(super) fn waits(&self) -> bool {
        matches!(self.execution.state, State::Paused | State::Killing)
    }

    /// Whether what comes next may come.
    pub(super) fn goes_on(&self) -> bool {
        !self.execution.state.is_over() || self.execution.cut && self.dialect.cut_goes_on
    }

    /// The execution may run: from its beginning, or from where another one had come to.
    pub(super) fn begins(&mut self, scratch: &mut Scratch) -> Option<()> {
        match self.execution.runs.is_empty() {
            true => self.settle(NONE, scratch),
            false => {
                self.state(State::Running);
                // What runs after the execution begins when that has ended.
                if self.execution.runs.iter().any(|it| it.rest == Rest::Again && self.is_after(it.parent)) {
                    self.settle(NONE, scratch)?;
                }
                for run in 0..self.execution.runs.len() as u32 {
                    let again = self.run(run).filter(|it| it.rest == Rest::Again);
                    let Some(node) = again.map(|it| it.node).and_then(|node| self.tree.node(node)) else { continue };
                    self.run(run)?.rest = Rest::None;
                    // What comes of it is looked for with all else.
                    self.begin(run, node, &mut Vec::new());
                }
                self.settle_all(scratch)
            }
        }
    }

    /// Looks what comes next everywhere.
    fn settle_all(&mut self, scratch: &mut Scratch) -> Option<()> {
        scratch.open.clear();
        scratch.open.push(NONE);
        for run in 0..self.execution.runs.len() as u32 {
            let Some(it) = self.run(run).filter(|it| it.state == State::Running).map(|it| it.node) else { continue };
            if matches!(self.tree.node(it).map(|node| &node.does), Some(Does::Group(_))) {
                scratch.open.push(run);
            }
        }
        self.settle_open(scratch)
    }

    /// Somebody pauses the execution. Only one that runs can be (source: a kill is not held up).
    pub(super) fn pause(&mut self) -> Option<()> {
        if self.execution.state != State::Running {
            return None;
        }
        self.state(State::Paused);
        Some(())
    }

    /// Somebody lets the execution go on: the first of its task runs that is PAUSED, or all of it when none is.
    pub(super) fn resume(&mut self, scratch: &mut Scratch) -> Option<()> {
        if self.execution.state != State::Paused {
            return None;
        }
        match self.execution.paused() {
            Some(run) => self.due(run, true, scratch),
            None => {
                self.state(State::Running);
                self.unpaused(scratch)
            }
        }
    }

    /// Nothing is PAUSED any more: what was not begun meanwhile begins.
    fn unpaused(&mut self, scratch: &mut Scratch) -> Option<()> {
        for run in 0..self.execution.runs.len() as u32 {
            let Some(it) = self.run(run).filter(|it| it.rest == Rest::Due) else { continue };
            it.rest = Rest::None;
            it.state = State::Created;
            self.commands.push(Command::Start { run, first: false });
        }
        self.settle_all(scratch)
    }

    /// The pause of a task run is over, or somebody lets it go on.
    pub(super) fn due(&mut self, run: u32, resumed: bool, scratch: &mut Scratch) -> Option<()> {
        if !resumed && self.run(run).is_some_and(|it| it.rests) {
            return self.iterates(run, scratch);
        }
        let it = *self.run(run).filter(|it| it.state == State::Paused || it.state == State::Retrying && !resumed)?;
        // What runs after the execution changes nothing of it.
        let over = self.execution.state.is_over();
        if over && !self.is_after(run) {
            return self.closes(run, State::Failed, scratch);
        }
        if it.state == State::Retrying && self.waits() {
            self.run(run)?.rest = Rest::Due;
            return Some(());
        }
        if it.state == State::Retrying {
            self.run(run)?.state = State::Created;
            if !over {
                self.state(State::Running);
            }
            self.commands.push(Command::Start { run, first: false });
            return Some(());
        }
        let node = self.tree.node(it.node)?;
        let Pause { then, .. } = self.tree.pause(it.node)?;
        let timed = it.rest == Rest::Timed;
        if *then == Then::Cancel && timed && !resumed && !over {
            self.state(State::Cancelled);
            self.commands.push(Command::End(State::Cancelled));
            self.let_go();
            return self.closes(run, State::Cancelled, scratch);
        }
        let state = match then {
            _ if resumed => State::Success,
            _ if !timed => State::Failed,
            Then::Fail => State::Failed,
            Then::Warn => State::Warning,
            Then::Cancel => State::Cancelled,
            Then::Resume => State::Success,
        };
        let holds = matches!(node.does, Does::Group(_));
        self.run(run)?.state = match holds {
            true => State::Running,
            false => allowed(state, node.allow_failure, node.allow_warning),
        };
        self.execution.open -= 1;
        if over && holds {
            return self.settle(run, scratch);
        }
        if over {
            return self.settle(it.parent, scratch);
        }
        // While another one is PAUSED, the execution is.
        if self.execution.runs.iter().any(|run| run.state == State::Paused) {
            return Some(());
        }
        self.state(State::Restarted);
        self.commands.push(Command::Resumed);
        self.state(State::Running);
        self.unpaused(scratch)
    }

    /// The execution was ended by one of its tasks: of what waits, and of which nothing more will be told, nothing comes.
    pub(super) fn let_go(&mut self) {
        for run in 0..self.execution.runs.len() as u32 {
            let Some(&TaskRun { node, state, rest, .. }) = self.execution.run(run) else { continue };
            let paused = state == State::Paused && self.tree.pause(node).is_some();
            let waits = rest == Rest::Due || paused && !matches!(rest, Rest::Timed | Rest::Limited);
            if !waits || self.is_after(run) {
                continue;
            }
            self.run(run).into_iter().for_each(|it| (it.state, it.rest) = (State::Failed, Rest::None));
            self.execution.open -= 1;
        }
    }

    /// The execution is killed: what no worker has begun ends at once, all else when it is told.
    pub(super) fn kill(&mut self, scratch: &mut Scratch) -> Option<()> {
        if self.execution.state.is_over() || self.execution.state == State::Killing {
            return None;
        }
        let pauses = self.execution.runs.iter().any(|run| run.state == State::Paused);
        if self.execution.state == State::Paused && pauses && self.dialect.kill_restarts {
            self.state(State::Restarted);
        }
        self.state(State::Killing);
        for run in 0..self.execution.runs.len() as u32 {
            let Some(it) = self.run(run) else { continue };
            match it.state {
                // It was to begin with its execution, and nobody has it.
                _ if it.rest == Rest::Again => (it.state, it.rest) = (State::Killed, Rest::None),
                State::Paused | State::Retrying => {
                    (it.state, it.rest) = (State::Killed, Rest::None);
                    self.execution.open -= 1;
                }
                State::Created => {
                    it.state = State::Killed;
                    self.execution.open -= 1;
                    self.commands.push(Command::Kill { run });
                }
                State::Running if it.rests => {
                    it.rests = false;
                    self.execution.open -= 1;
                }
                State::Running => self.stop(run),
                _ => {}
            }
        }
        self.killed(scratch)
    }

    /// The same, if it runs, and not after the execution.
    pub(super) fn stop_running(&mut self, run: u32) {
        let runs = self.run(run).is_some_and(|it| matches!(it.state, State::Created | State::Running));
        if runs && !self.is_after(run) {
            self.stop(run);
        }
    }

    /// Whoever runs a task run is to end it.
    fn stop(&mut self, run: u32) {
        let Some(node) = self.run(run).map(|it| it.node) else { return };
        if matches!(self.tree.node(node).map(|node| &node.does), Some(Does::Work)) {
            self.commands.push(Command::Kill { run });
        }
    }

    /// Ends the execution that is being killed, once nothing of it is anywhere.
    pub(super) fn killed(&mut self, scratch: &mut Scratch) -> Option<()> {
        if self.execution.open > 0 {
            return Some(());
        }
        for run in &mut self.execution.runs {
            if !run.state.is_over() {
                run.state = State::Killed;
            }
        }
        self.state(State::Killed);
        self.commands.push(Command::End(State::Killed));
        self.settle(NONE, scratch)
    }

    /// The execution ends although something of it runs: the last of it that has not ended takes the state too, and all is
    /// killed that a worker does (source: the violation of an SLA).
    pub(super) fn cut(&mut self, state: State, scratch: &mut Scratch) -> Option<()> {
        if self.execution.state.is_over() {
            return None;
        }
        self.execution.cut = true;
        self.state(state);
        self.commands.push(Command::Cut(state));
        let last = self.execution.runs.iter().rposition(|run| !run.state.is_over());
        let goes_on = self.dialect.cut_goes_on;
        for run in 0..self.execution.runs.len() as u32 {
            let is_last = last == Some(run as usize);
            let Some(it) = self.run(run) else { continue };
            let ends = if is_last { state } else { State::Killed };
            match it.state {
                _ if it.rest == Rest::Again => (it.state, it.rest) = (ends, Rest::None),
                State::Running if it.rests => {
                    (it.rests, it.state) = (false, ends);
                    self.execution.open -= 1;
                }
                State::Paused | State::Retrying => {
                    (it.state, it.rest) = (ends, Rest::None);
                    self.execution.open -= 1;
                }
                State::Created | State::Running => {
                    self.stop(run);
                    if is_last {
                        self.ends_early(run, state);
                    }
                }
                _ => {}
            }
        }
        // Also what was held up while it was PAUSED.
        if goes_on { self.settle_all(scratch) } else { self.settle(NONE, scratch) }
    }

    /// It is looked whether assertions hold; nothing comes of it when they do.
    pub(super) fn assert(&mut self, scratch: &mut Scratch) -> Option<()> {
        let before = self.commands.len();
        match self.violated() {
            Some(state) => self.cut(state, scratch),
            None => (self.commands.len() > before).then_some(()),
        }
    }

    /// How the execution is to end, if an assertion of its `sla` does not hold that ends it. One that cannot be worked out is
    /// left out, and the first of those that do not hold counts (source).
    pub(super) fn violated(&mut self) -> Option<State> {
        if self.execution.state.is_over() {
            return None;
        }
        let tree = self.tree;
        let mut broken = tree.asserts.iter().filter(|(_, condition, _)| self.holds(condition, NONE) == Ok(false));
        let &(sla, _, ends) = broken.next()?;
        self.commands.push(Command::Violated { sla });
        ends
    }

    /// A task run ends while it is somewhere else, if it is.
    fn ends_early(&mut self, run: u32, state: State) {
        let Some(node) = self.run(run).map(|it| it.node).and_then(|node| self.tree.node(node)) else { return };
        let elsewhere = !matches!(node.does, Does::Group(_));
        if let Some(it) = self.run(run) {
            it.state = state;
            it.rest = if elsewhere { Rest::Told } else { Rest::None };
        }
    }

    /// What is told of a task run that was ended before.
    pub(super) fn was(&mut self, run: u32, state: State, scratch: &mut Scratch) -> Option<()> {
        let it = self.run(run)?;
        // What still ran of a Parallel that failed stays FAILED (captures/core/end-to-end.2.0.0.jsonl).
        it.rest = if state == State::Killed { Rest::Was(state) } else { Rest::None };
        let parent = it.parent;
        self.ended_elsewhere(parent, scratch)
    }

    /// Of a Parallel one of whose tasks has failed: the others fail that workers have, or have begun.
    pub(super) fn fail_beside(&mut self, parent: u32) {
        let of = |run: &TaskRun| run.parent == parent;
        let failed = self.execution.runs.iter().any(|run| {
            of(run) && run.state == State::Failed && self.tree.node(run.node).is_some_and(|it| it.part == Part::Tasks)
        });
        if !failed {
            return;
        }
        for run in 0..self.execution.runs.len() as u32 {
            let live = self.run(run).filter(|it| of(it) && matches!(it.state, State::Created | State::Running));
            let Some(node) = live.map(|it| it.node).and_then(|node| self.tree.node(node)) else { continue };
            if node.part == Part::Tasks && matches!(node.does, Does::Work) {
                self.ends_early(run, State::Failed);
            }
        }
    }
}
