//! The executor: executions from CREATED to their end, task after task, retries, `errors`, concurrency limits.
//! What it counts follows the recordings, errors included; what is true is counted beside it.

mod asked;
mod laws;
mod outputs;
mod own;
mod retry;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::cluster::Cluster;
use super::context::Context;
use super::heard::{Heard, stored};
use super::limits;
use super::listening::Listening;
use super::messages::Moment;
use super::meters::{Class, Meter, QueueName, Subject};
use super::origin::{Origin, Origins};
use super::queue::{Message, QueueKind};
use super::slots::Slots;
use super::telling::Telling;
use super::worker::{JobOrder, TaskEnd, Work};
use crate::execution::trigger::Fired;
use crate::execution::{self, Command, Dialect, Event as Step, Scratch};
use crate::flow::{ConcurrencyBehavior, State};
use crate::pebble::ErrorLog;
use crate::profile::Quirk;
use crate::scenario::Plan;
use crate::time::{Duration, Instant};
use asked::{Asked, dialect};

/// All executions that have not ended.
#[derive(Clone, Debug)]
pub(super) struct Executor {
    executions: Slots<Execution>,
    /// By flow.
    places: Vec<Places>,
    /// Executions that are yet to be created, by flow and number.
    coming: BTreeMap<(u32, u64), Coming>,
    /// Executions that have ended, of which something still runs.
    ended: u64,
    listening: Listening,
    telling: Telling,
    dialect: Dialect,
    scratch: Scratch,
    commands: Vec<Command>,
    /// Tasks of which people were told that their templates fail; none for the outputs of a flow.
    told: BTreeSet<(u32, Option<u32>)>,
    /// What those that have not ended were started with, where that is anything.
    pub(super) origins: Origins,
}

/// The places of a flow's concurrency limit.
#[derive(Clone, Debug, Default)]
struct Places {
    /// Executions that hold one.
    held: u32,
    /// Executions that wait for one.
    waiting: VecDeque<(u32, u64)>,
}

/// An execution that has not ended.
#[derive(Clone, Debug)]
struct Execution {
    flow: u32,
    number: u64,
    created: Instant,
    holds_place: bool,
    /// The trigger that waits for its end.
    trigger: Option<u32>,
    /// The Subflow that waits for its end.
    parent: Option<Parent>,
    /// Its state and its task runs.
    it: execution::Execution,
    /// What its task runs logged as ERROR, as far as somebody reads it.
    errors: Vec<ErrorLog>,
}

/// A task run of an execution, a Subflow, that started another one.
#[derive(Clone, Copy, Debug)]
struct Parent {
    slot: u32,
    number: u64,
    run: u32,
}

/// An execution that is yet to be created.
#[derive(Clone, Copy, Debug)]
struct Coming {
    /// When the first of those began that were tried before it.
    begun: Instant,
    parent: Option<Parent>,
}

/// A trigger whose execution has ended: it may fire again.
pub(super) type Freed = Option<u32>;

impl Executor {
    pub(super) fn new(plan: &Plan) -> Executor {
        Executor {
            executions: Slots::new(),
            places: vec![Places::default(); plan.flows.len()],
            coming: BTreeMap::new(),
            ended: 0,
            listening: Listening::new(plan),
            telling: Telling::new(plan),
            dialect: dialect(plan.kestra),
            scratch: Scratch::default(),
            commands: Vec::new(),
            told: BTreeSet::new(),
            origins: Origins::default(),
        }
    }

    /// Creates an execution. `creator` is the member that writes it: a webserver, a scheduler, an executor.
    pub(super) fn create(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        creator: usize,
        (flow, number): (u32, u64),
        (trigger, flow_attempt): (Option<u32>, u32),
    ) {
        let now = cx.now;
        if self.executions.len() >= limits::LIVE_EXECUTIONS {
            cx.reached("the number of executions that have not ended", limits::LIVE_EXECUTIONS as u64);
        }
        cx.truth.created += 1;
        cx.truth.triggered += u64::from(trigger.is_some());
        let Coming { begun, parent } =
            self.coming.remove(&(flow, number)).unwrap_or(Coming { begun: now, parent: None });
        let it = execution::Execution::new(flow_attempt, begun);
        let holds_place = false;
        let slot = self.executions.insert(Execution {
            flow,
            number,
            created: now,
            holds_place,
            trigger,
            parent,
            it,
            errors: Vec::new(),
        });
        cx.truth.live += 1;
        cluster.tell(cx, creator, Moment::Asked);
        cluster.index(cx, creator, Class::Execution, 1);
        cluster.send(cx, QueueKind::Execution, Message::Execution { slot, number });
    }

    fn execution(&self, slot: u32, number: u64) -> Option<&Execution> {
        self.executions.get(slot).filter(|execution| execution.number == number)
    }

    /// An executor looks at an execution that was created, or that came from the concurrency queue.
    pub(super) fn process(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        number: u64,
    ) -> Freed {
        let Execution { flow, it: execution::Execution { state, .. }, .. } = *self.execution(slot, number)?;
        if state == State::Created {
            message(cx, cluster, executor, flow, State::Created);
            cluster.consumed(cx, executor, QueueName::ExecutionCommand);
            cluster.tell(cx, executor, Moment::Seen);
            if cluster.members[executor].profile().has(Quirk::NamedQueues) {
                // Registered for this state too.
                let subject = Subject::FlowState(flow, State::Created);
                cluster.count_many(cx, executor, Meter::DelayCreated, subject, 0.0);
            }
            if self.origins.get((flow, number)).is_some_and(|origin| origin.failed) {
                return self.refused(cx, cluster, executor, slot, State::Failed);
            }
            if let Some(limit) = cx.plan.flows.get(flow as usize).and_then(|flow| flow.concurrency)
                && self.places[flow as usize].held >= limit.limit
            {
                return self.refuse(cx, cluster, executor, slot, limit.behavior);
            }
            cluster.count(cx, executor, Meter::ExecutionStarted, Subject::FlowState(flow, State::Created));
            self.places[flow as usize].held += 1;
        } else {
            // It has got its place from the one that ended.
            cluster.count(cx, executor, Meter::ExecutionPopped, Subject::FlowState(flow, State::Running));
        }
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.holds_place = true;
        }
        // Registered with nothing in it whenever a state is looked at for retries (recorded).
        cluster.count_many(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, State::Running), 0.0);
        cluster.log_info(executor);
        cluster.members[executor].work(1.5e6, 0.015, cx.now);
        // Up to 0.20: what comes next, with the state before, and not for another attempt (standalone/activity_scrape1).
        let before = if state == State::Created { state } else { State::Running };
        cluster.count(cx, executor, Meter::TaskRunNext, Subject::FlowState(flow, before));
        self.step(cx, slot, Step::Begin);
        self.follow(cx, cluster, executor, slot, Step::Begin)
    }

    /// More executions than the limit of the flow allows. Ends by CANCEL and FAIL are never counted (recorded).
    fn refuse(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        behavior: ConcurrencyBehavior,
    ) -> Freed {
        let Execution { flow, number, .. } = *self.executions.get(slot)?;
        match behavior {
            ConcurrencyBehavior::Queue => {
                self.turn(cx, cluster, executor, slot, State::Queued);
                cx.truth.queued += 1;
                self.places[flow as usize].waiting.push_back((slot, number));
                cluster.count(cx, executor, Meter::ExecutionQueued, Subject::FlowState(flow, State::Queued));
                cluster.produce(cx, executor, Class::Execution, 1);
                None
            }
            ConcurrencyBehavior::Cancel => self.refused(cx, cluster, executor, slot, State::Cancelled),
            ConcurrencyBehavior::Fail => self.refused(cx, cluster, executor, slot, State::Failed),
        }
    }

    /// An execution ends before it began.
    fn refused(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) -> Freed {
        self.turn(cx, cluster, executor, slot, state);
        let freed = self.close(cx, cluster, executor, slot, state);
        self.remove(cx, slot);
        freed
    }

    /// Nothing will happen any more to an execution that has ended.
    fn remove(&mut self, cx: &mut Context, slot: u32) {
        if let Some(execution) = self.executions.remove(slot) {
            self.origins.remove((execution.flow, execution.number));
            cx.outbox.forget((execution.flow, execution.number));
            self.ended -= 1;
        }
    }

    /// Something happens to an execution; what is to be done stands in `commands`. False when it does not matter any more.
    fn step(&mut self, cx: &Context, slot: u32, event: Step) -> bool {
        let Some(execution) = self.executions.get_mut(slot) else { return false };
        let Some(model) = cx.flows.get(execution.flow as usize) else { return false };
        let origin = self.origins.get((execution.flow, execution.number));
        let Execution { flow, number, created, .. } = *execution;
        let mut asked = Asked { cx, flow, number, created, dialect: &self.dialect, origin };
        let how = (&*model.tree, &self.dialect);
        self.commands.clear();
        execution.it.next(how, event, &mut asked, &mut self.scratch, &mut self.commands)
    }

    /// Does what is to be done after a step.
    fn follow(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, event: Step) -> Freed {
        self.failed_here(cx, slot);
        let commands = std::mem::take(&mut self.commands);
        let mut freed = None;
        for (at, command) in commands.iter().enumerate() {
            match *command {
                // What it leaves again at once nobody sees (but Flow triggers of 2.0).
                Command::State(_) if matches!(commands.get(at + 1), Some(Command::State(_))) => {}
                Command::State(state) => self.seen(cx, cluster, executor, slot, state),
                Command::Start { run, first } => {
                    if first && event != Step::Begin {
                        let flow = self.executions.get(slot).map_or(0, |it| it.flow);
                        cluster.count(cx, executor, Meter::TaskRunNext, Subject::FlowState(flow, State::Running));
                    }
                    self.start(cx, cluster, executor, slot, run);
                }
                Command::Enter { .. } => self.enter(cx, cluster, executor, slot, event),
                Command::Leave { run } => self.leave(cx, cluster, executor, slot, run),
                Command::Retry { run, after } => self.retry_task(cx, cluster, executor, slot, (run, after)),
                Command::Rest { run, after } => self.rest(cx, cluster, executor, slot, (run, after)),
                Command::Wait { run, after } => self.wait(cx, cluster, executor, slot, (run, after)),
                Command::Resumed => self.resumed(cx, cluster, executor, slot),
                Command::Child { run } => self.create_child(cx, cluster, executor, slot, run),
                // Nobody kills here yet.
                Command::Kill { .. } => {}
                Command::Again { after } => freed = self.retry_execution(cx, cluster, executor, slot, after),
                Command::End(state) => freed = self.finish(cx, cluster, executor, slot, state),
                Command::Gone => self.remove(cx, slot),
            }
        }
        // Its memory is used again.
        self.commands = commands;
        freed
    }

    /// Hands an attempt of a task run to the workers.
    fn start(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, run: u32) {
        let Some(execution) = self.executions.get(slot) else { return };
        let Some(&execution::TaskRun { node: task, attempt, .. }) = execution.it.run(run) else { return };
        let Execution { flow, number, created, .. } = *execution;
        let origin = self.origins.get((flow, number));
        let (it, errors) = (&execution.it, &execution.errors);
        let of = Heard { flow, number, created, state: it.state, it, origin, errors };
        if let Some(prepared) = self.telling.prepare(cx, &of, &self.dialect, run) {
            cx.outbox.prepare((flow, number), run, prepared);
        }
        cx.truth.attempts += 1;
        message(cx, cluster, executor, flow, State::Running);
        cluster.count(cx, executor, Meter::TaskRunCreated, Subject::FlowState(flow, State::Running));
        cluster.tell(cx, executor, Moment::TaskRun);
        let work = Work::Task { slot, number, flow, task, run, attempt };
        let order = JobOrder { work, created: cx.now, resubmitted: false };
        cluster.send(cx, QueueKind::WorkerJob, Message::Job(order));
    }

    /// A worker says that it runs an attempt of a task run.
    pub(super) fn task_started(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        (slot, number): (u32, u64),
        (run, attempt): (u32, u32),
    ) -> Freed {
        let flow = self.execution(slot, number)?.flow;
        message(cx, cluster, executor, flow, State::Running);
        cluster.produce(cx, executor, Class::Execution, 1);
        let event = Step::Started { run, attempt };
        if self.step(cx, slot, event) { self.follow(cx, cluster, executor, slot, event) } else { None }
    }

    /// A worker says how an attempt of a task run ended.
    pub(super) fn task_ended(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        (slot, number): (u32, u64),
        end: TaskEnd,
    ) -> Freed {
        let flow = self.execution(slot, number)?.flow;
        let TaskEnd { run, attempt, state, .. } = end;
        self.put_out(cx, slot, (run, attempt), state);
        let event = Step::Ended { run, attempt, state };
        if !self.step(cx, slot, event) {
            return None;
        }
        cx.truth.attempts_ended += 1;
        message(cx, cluster, executor, flow, State::Running);
        cluster.produce(cx, executor, Class::Execution, 1);
        // As what it counts, not as what its worker said (a failure that is allowed is a warning: standalone/activity).
        let shown = match self.executions.get(slot).and_then(|it| it.it.run(run)).map(|run| run.state) {
            Some(shown) if !matches!(shown, State::Retrying | State::Retried) => shown,
            _ => state,
        };
        cluster.count(cx, executor, Meter::TaskRunEnded, Subject::FlowState(flow, shown));
        cluster.time(cx, executor, Meter::TaskRunDuration, Subject::FlowState(flow, shown), end.duration);
        self.follow(cx, cluster, executor, slot, event)
    }

    /// An execution ends by its tasks.
    fn finish(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) -> Freed {
        let flow = self.executions.get(slot)?.flow;
        let age = self.age(cx, slot);
        message(cx, cluster, executor, flow, state);
        cluster.count(cx, executor, Meter::ExecutionEnded, Subject::FlowState(flow, state));
        cluster.time(cx, executor, Meter::ExecutionDuration, Subject::FlowState(flow, state), age);
        cluster.count_many(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, state), 0.0);
        cluster.log_info(executor);
        self.close(cx, cluster, executor, slot, state)
    }

    /// An execution is over: its place goes to the next one that waits, its trigger is free again.
    fn close(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) -> Freed {
        let execution = self.executions.get_mut(slot)?;
        let (flow, trigger, parent) = (execution.flow, execution.trigger.take(), execution.parent.take());
        let held = std::mem::take(&mut execution.holds_place);
        self.ended += 1;
        cx.truth.live -= 1;
        cx.truth.ended[state as usize] += 1;
        cluster.tell(cx, executor, Moment::Closed);
        if let Some(parent) = parent {
            let state = self.child_outputs(cx, slot, parent, state).then_some(state);
            let Parent { slot, number, run } = parent;
            cluster.send(cx, QueueKind::Execution, Message::Child { slot, number, run, state });
        }
        if held {
            let places = &mut self.places[flow as usize];
            match places.waiting.pop_front() {
                // The place is never free in between: a new execution would take it.
                Some((slot, number)) => {
                    cx.truth.queued -= 1;
                    if let Some(next) = self.executions.get_mut(slot) {
                        next.holds_place = true;
                    }
                    cluster.send(cx, QueueKind::Execution, Message::Execution { slot, number });
                }
                None => places.held -= 1,
            }
        }
        trigger
    }

    /// An execution comes into a state by its limit, not by its tasks.
    fn turn(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) {
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.it.state = state;
            self.seen(cx, cluster, executor, slot, state);
        }
    }

    /// An execution has come into a state, and is in it when the step of its executor is over: the one place from where one
    /// learns of it.
    fn seen(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) {
        let Some(execution) = self.executions.get(slot) else { return };
        let Execution { flow, number, created, .. } = *execution;
        cx.changed(flow, number, state);
        let origin = self.origins.get((flow, number));
        let (it, errors) = (&execution.it, &execution.errors);
        let heard = Heard { flow, number, created, state, it, origin, errors };
        let (fired, reasons) = self.listening.hear(cx, &heard);
        let upstream = if fired.is_empty() { None } else { heard.seen(cx, stored).map(Arc::new) };
        reasons.into_iter().for_each(|reason| cx.reasons(reason));
        for Fired { flow, labels, inputs, variables, failed, .. } in fired {
            let flow = flow as u32;
            let number = cx.next_number(flow);
            let failed = failed.is_some();
            let upstream = upstream.clone();
            let origin = Origin { labels, inputs, trigger: Some(variables), upstream, failed };
            self.origins.insert((flow, number), Arc::new(origin));
            self.create(cx, cluster, executor, (flow, number), (None, 0));
        }
    }

    fn age(&self, cx: &Context, slot: u32) -> Duration {
        self.executions.get(slot).map_or(Duration::ZERO, |execution| cx.now.since(execution.created))
    }
}

/// An executor processes a message about an execution.
fn message(cx: &mut Context, cluster: &mut Cluster, executor: usize, flow: u32, state: State) {
    let times = cx.spread(0x3e55, 0.4, 1.6) * cx.slowdown();
    let time = Duration::microseconds(1_800).times(times);
    cluster.time(cx, executor, Meter::ExecutionMessage, Subject::FlowState(flow, state), time);
}

#[cfg(test)]
mod tests;
