//! What comes next of what happened to an execution.

use std::sync::Arc;

use super::engine::{Command, Execution, Rest, Scratch, TASK_RUNS, TaskRun, World};
use super::rules::{Part, Scope, allowed, is_running};
use super::tree::{Does, Held, Lists, NONE, Node, Tree};
use super::{Dialect, pause};
use crate::flow::{How, Pause, Span, State, Then, core};
use crate::pebble::truthy;

/// The list `afterExecution`, where a task run is asked for that holds tasks.
const AFTER: u32 = NONE - 1;

/// The first of the `listeners`; the next ones are below it.
const LISTENERS: u32 = NONE - 2;

/// What runs beside all others: each `onPause`.
const BESIDE: u32 = NONE - TASK_RUNS as u32;

/// Whether a number is that of a list of the flow itself, and not of a task run.
const fn is_list(parent: u32) -> bool {
    parent > NONE - 1 - TASK_RUNS as u32
}

/// One step of an execution.
pub(super) struct Step<'a> {
    pub(super) execution: &'a mut Execution,
    pub(super) tree: &'a Tree,
    pub(super) dialect: &'a Dialect,
    pub(super) world: &'a mut dyn World,
    pub(super) commands: &'a mut Vec<Command>,
    /// The state in which the execution was when the step began.
    pub(super) was: State,
}

impl Step<'_> {
    pub(super) fn run(&mut self, run: u32) -> Option<&mut TaskRun> {
        self.execution.runs.get_mut(run as usize)
    }

    /// The execution changes its state.
    pub(super) fn state(&mut self, state: State) {
        if self.execution.state != state {
            self.execution.state = state;
            self.commands.push(Command::State(state));
        }
    }

    /// An attempt has begun.
    pub(super) fn started(&mut self, run: u32, attempt: u32, scratch: &mut Scratch) -> Option<()> {
        let it = self.run(run).filter(|it| it.attempt == attempt && it.state == State::Created)?;
        it.state = State::Running;
        let parent = it.parent;
        // Where only so many run at a time, more are looked for when those that were created have begun.
        match parent {
            parent if is_list(parent) && !self.tree.asserts() => Some(()),
            parent => self.settle(parent, scratch),
        }
    }

    /// An attempt has ended.
    pub(super) fn ended(&mut self, run: u32, attempt: u32, state: State, scratch: &mut Scratch) -> Option<()> {
        let it = *self.run(run)?;
        if it.rest == Rest::Told && it.attempt == attempt {
            return self.was(run, state, scratch);
        }
        let live = matches!(it.state, State::Created | State::Running) && it.attempt == attempt;
        let node = self.tree.node(it.node).filter(|_| live)?;
        let ends = self.execution.state.is_over() || self.execution.state == State::Killing;
        if state == State::Failed && !ends && self.again(run, it) {
            self.gone();
            return Some(());
        }
        let warned = state == State::Success && it.retried && node.retry.as_ref().is_some_and(|it| it.warning_on_retry);
        let state = if warned { State::Warning } else { state };
        self.closes(run, allowed(state, node.allow_failure, node.allow_warning), scratch)
    }

    /// A task run that was somewhere else, or waited, has ended.
    pub(super) fn closes(&mut self, run: u32, state: State, scratch: &mut Scratch) -> Option<()> {
        let it = self.run(run)?;
        it.state = state;
        let parent = it.parent;
        self.ended_elsewhere(parent, scratch)
    }

    /// One of those that a task run holds is somewhere else no more.
    pub(super) fn ended_elsewhere(&mut self, parent: u32, scratch: &mut Scratch) -> Option<()> {
        self.execution.open -= 1;
        match self.execution.state {
            State::Killing => self.killed(scratch),
            _ => self.settle(parent, scratch),
        }
    }

    /// A task run failed: whether it is tried again, in this execution or in another one.
    fn again(&mut self, run: u32, it: TaskRun) -> bool {
        let Some(node) = self.tree.node(it.node) else { return false };
        let Some(retry) = &node.retry else { return false };
        let (attempt, first) = match retry.new_execution {
            true => (self.execution.attempt + 1, self.execution.begun),
            false => (it.attempt, it.created),
        };
        // A flow that is tried anew draws for all of it.
        let draw = if node.own_retry { attempt } else { 0xffff };
        let now = self.world.now();
        let Some(after) = pause(retry, attempt, first, now, || self.world.share(draw)) else { return false };
        let new = retry.new_execution;
        // Each attempt that fails shows as a failed execution for a moment (captures/core/end-to-end.*.jsonl), but of one that
        // is PAUSED.
        let paused = self.execution.state == State::Paused && !new;
        if !paused {
            self.state(State::Failed);
        }
        if let Some(it) = self.run(run) {
            it.state = if new { State::Retried } else { State::Retrying };
            it.retried = true;
            it.attempt += u32::from(!new);
        }
        if new {
            self.execution.open -= 1;
            self.execution.over = true;
            self.state(State::Retried);
            self.commands.push(Command::Again { after });
        } else {
            if !paused {
                self.state(State::Retrying);
            }
            self.commands.push(Command::Retry { run, after });
        }
        true
    }

    /// Something became of the execution that a Subflow started.
    pub(super) fn child(&mut self, run: u32, state: Option<State>, scratch: &mut Scratch) -> Option<()> {
        let it = *self.run(run).filter(|it| it.state == State::Running || it.rest == Rest::Told)?;
        let node = self.tree.node(it.node)?;
        let Does::Subflow(subflow) = &node.does else { return None };
        let state = match state {
            None => State::Failed,
            Some(state) if !state.is_over() => match subflow.wait {
                true => return Some(()),
                false => State::Success,
            },
            Some(state) if subflow.transmit => state,
            Some(_) => State::Success,
        };
        self.commands.push(Command::Leave { run });
        match it.rest {
            Rest::Told => self.was(run, state, scratch),
            _ => self.closes(run, allowed(state, node.allow_failure, node.allow_warning), scratch),
        }
    }

    /// Looks what comes next among the tasks that a task run holds, and of all that comes of it.
    pub(super) fn settle(&mut self, parent: u32, scratch: &mut Scratch) -> Option<()> {
        scratch.open.clear();
        scratch.open.push(parent);
        self.settle_open(scratch)
    }

    /// The same of all that is open.
    pub(super) fn settle_open(&mut self, scratch: &mut Scratch) -> Option<()> {
        if self.tree.asserts()
            && let Some(state) = self.violated()
        {
            return self.cut(state, scratch);
        }
        let Scratch { states, open } = scratch;
        while let Some(parent) = open.pop() {
            match parent {
                NONE => self.settle_flow(states, open),
                AFTER => self.settle_after(states, open),
                BESIDE => {}
                parent if is_list(parent) => self.settle_listener(parent, states, open),
                parent => self.settle_group(parent, states, open),
            }
        }
        self.gone();
        Some(())
    }

    /// Tells when nothing will happen any more.
    pub(super) fn gone(&mut self) {
        if self.execution.over && self.execution.open == 0 {
            self.commands.push(Command::Gone);
        }
    }

    fn settle_flow(&mut self, states: &mut [Vec<Option<State>>; 3], open: &mut Vec<u32>) {
        if self.waits() {
            return;
        }
        if self.goes_on() {
            let lists = self.tree.root(self.execution.iteration.as_ref().map(|it| it.node));
            let scope = self.scope(NONE, lists, states);
            if let Some(next) = scope.next(self.dialect) {
                // One that is tried again while something else went on is there already.
                if !scope.waits(next) {
                    self.create(NONE, lists, next, open);
                }
                return;
            }
            let Some(mut state) = scope.end(self.dialect) else { return };
            if !self.execution.state.is_over() {
                self.state(state);
                match self.world.result(self.execution) {
                    Ok(result) => self.execution.result = result.map(Arc::new),
                    // Seen beside the state that its tasks came to (captures/core/end-to-end.*.jsonl), and no `errors` run.
                    Err(why) => {
                        self.execution.failures.push((NONE, why));
                        state = State::Failed;
                        self.state(state);
                    }
                }
                self.commands.push(Command::End(state));
            }
        }
        // Also of an execution that was ended by one of its tasks.
        if !self.execution.over {
            open.push(if self.tree.listeners.is_empty() { AFTER } else { LISTENERS });
        }
    }

    /// One of the `listeners`: its tasks one after another, until one fails, if its conditions hold; then the next one.
    fn settle_listener(&mut self, parent: u32, states: &mut [Vec<Option<State>>; 3], open: &mut Vec<u32>) {
        let (tree, which) = (self.tree, (LISTENERS - parent) as usize);
        // One whose task is run again is looked at when all before it has ended.
        if !self.execution.state.is_over() {
            return;
        }
        let Some(lists) = tree.listeners.get(which) else { return open.push(AFTER) };
        if self.execution.listening.is_none() {
            let all = 0..tree.listeners.len();
            let listening = all.filter(|at| self.world.listens(self.execution, *at)).map(|at| at as u32).collect();
            self.execution.listening = Some(listening);
        }
        let listens = self.execution.listening.iter().flatten().any(|at| *at as usize == which);
        let scope = self.scope(parent, lists, states);
        match scope.next(self.dialect) {
            Some(next) if listens && scope.waits(next) => {}
            Some(next) if listens => self.create(parent, lists, next, open),
            _ if listens && scope.end(self.dialect).is_none() => {}
            _ => open.push(parent - 1),
        }
    }

    /// `afterExecution`: one after another, until one fails.
    fn settle_after(&mut self, states: &mut [Vec<Option<State>>; 3], open: &mut Vec<u32>) {
        let tree = self.tree;
        let scope = self.scope(AFTER, &tree.after, states);
        match scope.next(self.dialect) {
            Some(next) if scope.waits(next) => {}
            Some(next) => self.create(AFTER, &tree.after, next, open),
            None => self.execution.over = scope.end(self.dialect).is_some(),
        }
    }

    fn settle_group(&mut self, parent: u32, states: &mut [Vec<Option<State>>; 3], open: &mut Vec<u32>) {
        let tree = self.tree;
        let Some(run) = self.run(parent).filter(|run| is_running(run.state) && !run.rests).copied() else { return };
        let Some(node) = tree.node(run.node) else { return };
        let Does::Group(Held { how, lists, .. }) = &node.does else { return };
        if self.waits() && !self.is_after(parent) {
            return;
        }
        if self.dialect.parallel_fails && matches!(how, How::Parallel(_)) {
            self.fail_beside(parent);
        }
        let mut scope = self.scope(parent, lists, states);
        scope.fails = run.rest == Rest::Ends(State::Failed);
        // An execution that has ended begins nothing more, but for what runs after it.
        let ended = !self.goes_on() && !self.is_after(parent);
        let nexts = if ended { Vec::new() } else { self.nexts(how, lists, &scope, run.branch) };
        let end = match scope.end(self.dialect) {
            None if scope.tasks.is_empty() && !matches!(how, How::Paused(_)) => Some(State::Success),
            Some(State::Failed) if *how == How::AllowFailure && !scope.errors.contains(&Some(State::Failed)) => {
                Some(allowed(State::Failed, true, node.allow_warning))
            }
            end => end,
        };
        let end = match (end, run.rest) {
            (Some(State::Success), Rest::Ends(state)) => Some(state),
            (end, _) => end,
        };
        let end = match (end, how) {
            (Some(state), How::Until(until)) if nexts.is_empty() && !ended => match self.iterated(parent, until, state)
            {
                Some(state) => Some(state),
                None => return,
            },
            (end, _) => end,
        };
        if !nexts.is_empty() {
            for next in nexts {
                self.create(parent, lists, next, open);
            }
        } else if let Some(state) = end {
            self.leave(parent, allowed(state, node.allow_failure, node.allow_warning), open);
            self.on_pauses(open);
        }
    }

    /// Each Pause that has begun runs its `onPause`: when it begins, and once more whenever a task that holds others has
    /// ended, however long it is over (source of 1.3 and 2.0: an `onPause` is created with what is then told of any).
    fn on_pauses(&mut self, open: &mut Vec<u32>) {
        let tree = self.tree;
        if !tree.on_pauses || self.execution.state.is_over() {
            return;
        }
        for run in 0..self.execution.runs.len() {
            let Some(node) = self.execution.runs.get(run).and_then(|it| tree.node(it.node)) else { continue };
            if let Does::Group(Held { how: How::Paused(pause), first, .. }) = &node.does
                && pause.on_pause
                && self.execution.runs.len() < TASK_RUNS
            {
                self.create_run(BESIDE, *first, (0, 0), open);
            }
        }
    }

    /// Whether a task run is one of `listeners` or `afterExecution`.
    pub(super) fn is_after(&self, run: u32) -> bool {
        let mut at = run;
        while let Some(it) = self.execution.run(at) {
            at = it.parent;
        }
        at != NONE && at != BESIDE
    }

    /// A task run that no worker sees has ended.
    pub(super) fn leave(&mut self, run: u32, state: State, open: &mut Vec<u32>) {
        let Some(it) = self.run(run) else { return };
        it.state = state;
        open.push(it.parent);
        self.commands.push(Command::Leave { run });
    }

    /// The tasks of a group that come next.
    fn nexts(&self, how: &How, lists: &Lists, scope: &Scope<'_>, branch: u32) -> Vec<(Part, usize)> {
        let in_tasks = |places: Vec<usize>| places.into_iter().map(|place| (Part::Tasks, place)).collect();
        match how {
            How::Parallel(most) | How::EachParallel(_, most) if scope.part() == Some(Part::Tasks) => {
                in_tasks(scope.free(*most, |_| true).collect())
            }
            How::Dag(most, after) if scope.part() == Some(Part::Tasks) => {
                let ready =
                    |place| after.get(place).is_none_or(|it: &Vec<usize>| it.iter().all(|it| scope.is_over(*it)));
                in_tasks(scope.free(*most, ready).collect())
            }
            How::ForEach(_, most) if *most != 1 && scope.part() == Some(Part::Tasks) => {
                in_tasks(scope.lanes(*most, lists.branches.get(branch as usize).map_or(0, Vec::len)))
            }
            _ => scope.next(self.dialect).into_iter().filter(|next| !scope.waits(*next)).collect(),
        }
    }

    /// The states of the task runs in the lists that a task run holds.
    fn scope<'s>(&self, parent: u32, lists: &Lists, states: &'s mut [Vec<Option<State>>; 3]) -> Scope<'s> {
        let [tasks, errors, finally] = states;
        let branch = self.execution.run(parent).map_or(0, |run| run.branch);
        let branch = lists.branches.get(branch as usize).map_or(&[][..], Vec::as_slice);
        let values = self.execution.values.get(&parent).map_or(1, Vec::len);
        for (states, length) in [
            (&mut *tasks, branch.len() * values),
            (&mut *errors, lists.errors.len()),
            (&mut *finally, lists.finally.len()),
        ] {
            states.clear();
            states.resize(length, None);
        }
        let iteration = self.iteration(parent);
        let here = |run: &&TaskRun| run.parent == parent && (iteration == 0 || run.iteration == iteration);
        for run in self.execution.runs.iter().filter(here) {
            let Some(node) = self.tree.node(run.node) else { continue };
            let (states, place) = match node.part {
                Part::Tasks => (&mut *tasks, run.value as usize * branch.len() + node.place as usize),
                Part::Errors => (&mut *errors, node.place as usize),
                Part::Finally => (&mut *finally, node.place as usize),
            };
            if let Some(state) = states.get_mut(place) {
                *state = Some(run.state);
            }
        }
        Scope { tasks, errors, finally, fails: false }
    }

    /// Creates a task run.
    fn create(&mut self, parent: u32, lists: &Lists, (part, place): (Part, usize), open: &mut Vec<u32>) {
        let branch = self.execution.run(parent).map_or(0, |run| run.branch);
        let iteration = self.iteration(parent);
        let (list, place, value) = match part {
            Part::Tasks => {
                let list = lists.branches.get(branch as usize).map_or(&[][..], Vec::as_slice);
                (list, place % list.len().max(1), place / list.len().max(1))
            }
            Part::Errors => (lists.errors.as_slice(), place, 0),
            Part::Finally => (lists.finally.as_slice(), place, 0),
        };
        if let Some(number) = list.get(place).copied() {
            self.create_run(parent, number, (value as u32, iteration), open);
        }
    }

    /// Creates a task run of a task.
    fn create_run(&mut self, parent: u32, number: u32, (value, iteration): (u32, u32), open: &mut Vec<u32>) {
        let tree = self.tree;
        let Some(node) = tree.node(number) else { return };
        let run = self.execution.runs.len() as u32;
        let id = self.execution.made;
        self.execution.made += 1;
        self.execution.runs.push(TaskRun {
            id,
            node: number,
            state: State::Created,
            attempt: 1,
            created: self.world.now(),
            retried: false,
            rest: Rest::None,
            parent,
            branch: 0,
            value,
            iteration,
            rests: false,
        });
        let unseen = self.dialect.exit_unseen && matches!(node.does, Does::Exit(_));
        if !self.execution.state.is_over() && !self.waits() && !unseen {
            self.state(State::Running);
        }
        match node.run_if.as_ref().map(|condition| self.holds(condition, run)) {
            Some(Ok(false)) => self.skip(run, State::Skipped, open),
            Some(Err(why)) => {
                self.execution.failures.push((run, why));
                self.skip(run, allowed(State::Failed, node.allow_failure, node.allow_warning), open);
            }
            None | Some(Ok(true)) => self.begin(run, node, open),
        }
    }

    /// A task run ends before it began.
    fn skip(&mut self, run: u32, state: State, open: &mut Vec<u32>) {
        self.commands.push(Command::Enter { run });
        let Some(it) = self.run(run) else { return };
        it.state = state;
        open.push(it.parent);
    }

    /// A task run begins.
    pub(super) fn begin(&mut self, run: u32, node: &Node, open: &mut Vec<u32>) {
        match &node.does {
            Does::Work => {
                self.execution.open += 1;
                self.commands.push(Command::Start { run, first: true });
                return;
            }
            _ => self.commands.push(Command::Enter { run }),
        }
        self.run(run).into_iter().for_each(|it| it.state = State::Running);
        match &node.does {
            Does::Work => {}
            Does::Group(Held { how: How::Paused(pause), .. }) | Does::Pause(pause) => {
                self.pauses(run, node, pause, open)
            }
            Does::Group(Held { how: How::Loop(of), .. }) => self.loops(run, node, of, open),
            Does::Group(held) => match self.chosen(run, held) {
                Ok(branch) => {
                    self.run(run).into_iter().for_each(|it| it.branch = branch);
                    open.push(run);
                }
                Err(why) => self.fails(run, node, why, open),
            },
            Does::Subflow(_) => {
                self.execution.open += 1;
                self.commands.push(Command::Child { run });
            }
            Does::Update => {
                let state = self.updated(run);
                self.leave(run, allowed(state, node.allow_failure, node.allow_warning), open);
            }
            Does::Exit(state) => {
                self.run(run).into_iter().for_each(|it| it.state = *state);
                if !self.execution.state.is_over() {
                    self.state(*state);
                    self.commands.push(Command::End(*state));
                    self.let_go();
                    // Workers hear of a Kill, and not of an Exit (source).
                    if core(&node.kind) == Some("Kill") {
                        (0..run).for_each(|other| self.stop_running(other));
                    }
                }
                open.push(NONE);
            }
        }
    }

    /// A task run fails as the executor looks at it.
    pub(super) fn fails(&mut self, run: u32, node: &Node, why: String, open: &mut Vec<u32>) {
        self.execution.failures.push((run, why));
        self.leave(run, allowed(State::Failed, node.allow_failure, node.allow_warning), open);
    }

    /// A Pause begins. How long it lasts is worked out without the variables of its task run (source).
    fn pauses(&mut self, run: u32, node: &Node, pause: &Pause, open: &mut Vec<u32>) {
        // One that is over before it begins is over at once.
        let length = match &pause.duration {
            Some(span) => span.known_from_zero(&mut |text| self.render(text, NONE)),
            None => Ok(None),
        };
        let mut known = |span: &Option<Span>| match span {
            Some(span) => span.known(&mut |text| self.render(text, NONE)),
            None => Ok(None),
        };
        let limit = length.as_ref().is_ok_and(Option::is_none).then(|| known(&pause.timeout));
        let spans = length.and_then(|length| match (length, limit) {
            (Some(length), _) => Ok((Some(length), Rest::Timed(self.then(pause)?))),
            (None, limit) => {
                Ok(limit.transpose()?.flatten().map_or((None, Rest::None), |limit| (Some(limit), Rest::Limited)))
            }
        });
        let (after, rest) = match spans {
            Ok(spans) => spans,
            Err(why) => return self.fails(run, node, why, open),
        };
        self.execution.open += 1;
        self.run(run).into_iter().for_each(|it| (it.state, it.rest) = (State::Paused, rest));
        if !self.execution.state.is_over() {
            self.state(State::Paused);
        }
        if let Some(after) = after {
            self.commands.push(Command::Wait { run, after });
        }
        self.on_pauses(open);
    }

    /// What becomes of a Pause when it is over.
    fn then(&mut self, pause: &Pause) -> Result<Then, String> {
        let Some(template) = &pause.behavior else { return Ok(pause.then) };
        let text = self.render(template, NONE)?;
        let named = Then::NAMES.iter().find(|(name, _)| *name == text);
        named
            .map(|(_, then)| *then)
            .ok_or_else(|| format!("`{text}` is no `behavior` of a Pause: it is one of RESUME, WARN, FAIL and CANCEL"))
    }

    /// Whether what a condition comes to is true.
    pub(super) fn holds(&mut self, condition: &str, run: u32) -> Result<bool, String> {
        Ok(truthy(&self.render(condition, run)?))
    }

    pub(super) fn render(&mut self, text: &str, run: u32) -> Result<String, String> {
        if !text.contains('{') {
            return Ok(text.to_owned());
        }
        self.world.render(text, self.execution, run)
    }
}
