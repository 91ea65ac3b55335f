//! The executor: executions from CREATED to their end, task after task, retries, `errors`, concurrency limits.
//! What it counts follows the recordings, errors included; what is true is counted beside it.

mod asked;
mod batches;
mod counting;
mod events;
mod iterations;
mod kept;
mod laws;
mod orders;
mod outputs;
mod own;
mod places;
mod retry;
mod sla;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json};

use super::cluster::Cluster;
use super::context::Context;
use super::heard::{Heard, stored};
use super::inputs;
use super::limits;
use super::lines::LineAbout;
use super::listening::{Listening, Reason};
use super::messages::Moment;
use super::meters::{Class, Meter, QueueName, Subject};
use super::origin::{By, Origin, Origins, Starter};
use super::outbox::Prepared;
use super::queue::{Message, QueueKind};
use super::slots::Slots;
use super::telling::Telling;
use super::worker::{self, Directory, JobOrder, TaskEnd, Work};
use crate::execution::trigger::Fired;
use crate::execution::{self, Command, Dialect, Event as Step, Scratch, Toggle};
use crate::flow::{State, TriggerAction};
use crate::notify;
use crate::pebble::ErrorLog;
use crate::profile::{LineKind, Quirk};
use crate::scenario::Plan;
use crate::time::{Duration, Instant};
use asked::{Asked, dialect};
use batches::Batches;
use counting::Counting;
use events::Events;
use kept::{History, Keeping};
use orders::{Key, Meant};
use outputs::Told;
use places::Places;
use sla::plan_slas;
use waiting::Waiting;

pub(super) use asked::rendered;

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
    events: Events,
    telling: Telling,
    dialect: Dialect,
    scratch: Scratch,
    commands: Vec<Command>,
    /// Why templates of tasks fail, as people were told it; none for the outputs of a flow.
    told: Told,
    /// What those that have not ended were started with, where that is anything.
    pub(super) origins: Origins,
    kept: Keeping,
    /// By the execution that started them: those that have not ended, in the order in which they began.
    children: FxHashMap<Key, Vec<Meant>>,
    /// What was given to those that somebody lets go on.
    given: BTreeMap<Key, Map<String, Json>>,
    /// Those that tasks let go on in a step.
    resumes: Vec<(Meant, Map<String, Json>)>,
    /// Triggers that tasks have switched since a scheduler heard of it.
    toggled: Vec<Toggle>,
    counting: Counting,
    /// Where a task may let others go on: those that have not ended.
    waiting: Waiting,
    /// By the task run that waits for them.
    batches: BTreeMap<(Key, u32), Batches>,
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
    /// The states it came into, where that is kept.
    history: History,
}

/// A task run of an execution, a Subflow, that started another one.
#[derive(Clone, Copy, Debug)]
struct Parent {
    slot: u32,
    flow: u32,
    number: u64,
    run: u32,
}

impl Parent {
    /// An executor is to learn what became of what the task run started.
    fn tell(self, cx: &mut Context, cluster: &mut Cluster, state: Option<State>) {
        let Parent { slot, flow, number, run } = self;
        cluster.send(cx, QueueKind::Execution, Message::Child { slot, flow, number, run, state });
    }
}

/// An execution that is yet to be created.
#[derive(Clone, Debug)]
struct Coming {
    /// When the first of those began that were tried before it.
    begun: Instant,
    parent: Option<Parent>,
    /// What has run of it, with the states it came into, when it goes on where another one was.
    from: Option<Box<(execution::Execution, History)>>,
}

/// A trigger whose execution has ended, and how: it may fire again.
pub(super) type Freed = Option<(u32, State)>;

impl Executor {
    pub(super) fn new(plan: &Plan) -> Executor {
        Executor {
            executions: Slots::new(),
            places: vec![Places::default(); plan.flows.len()],
            coming: BTreeMap::new(),
            ended: 0,
            listening: Listening::new(plan),
            events: Events::default(),
            telling: Telling::new(plan),
            dialect: dialect(plan.kestra),
            scratch: Scratch::default(),
            commands: Vec::new(),
            told: Told::new(),
            origins: Origins::default(),
            kept: Keeping::new(plan),
            children: FxHashMap::default(),
            given: BTreeMap::new(),
            resumes: Vec::new(),
            toggled: Vec::new(),
            counting: Counting::new(plan),
            waiting: Waiting::new(plan),
            batches: BTreeMap::new(),
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
    ) -> u32 {
        let now = cx.now;
        if self.executions.len() >= limits::LIVE_EXECUTIONS {
            cx.reached("the number of executions that have not ended", limits::LIVE_EXECUTIONS as u64);
        }
        if self.origins.len() > limits::STARTED {
            let what = "the number of executions that others started, or inputs or labels, and that have not ended";
            cx.reached(what, limits::STARTED as u64);
        }
        cx.truth.created += 1;
        cx.truth.triggered += u64::from(trigger.is_some());
        let Coming { begun, parent, from } =
            self.coming.remove(&(flow, number)).unwrap_or(Coming { begun: now, parent: None, from: None });
        let (it, history) = match from {
            Some(from) => *from,
            None => (execution::Execution::new(flow_attempt, begun), self.kept.beginning(now)),
        };
        let holds_place = false;
        let created = it.iteration.as_ref().map_or(now, |it| it.created);
        let execution =
            Execution { flow, number, created, holds_place, trigger, parent, it, errors: Vec::new(), history };
        let slot = self.executions.insert(execution);
        self.is_there(cx, slot, (flow, number));
        cx.truth.live += 1;
        if self.executions.get(slot).is_some_and(|it| it.it.state == State::Created) {
            plan_slas(cx, slot, (flow, number));
        }
        cluster.tell(cx, creator, Moment::Asked);
        cluster.index(cx, creator, Class::Execution, 1);
        cluster.send(cx, QueueKind::Execution, Message::Execution { slot, flow, number });
        slot
    }

    /// An execution has got its slot: those know it that may ask for it.
    fn is_there(&mut self, cx: &Context, slot: u32, key: Key) {
        if let Some(starter) = self.origins.get(key).and_then(|origin| origin.starter) {
            self.children.entry((starter.flow, starter.number)).or_default().push((slot, key));
        }
        self.waiting.there(cx, (slot, key), self.executions.get(slot).map(|it| it.it.state));
    }

    /// An execution that is still there: its slot may be another one's by now.
    fn of(&self, slot: u32, (flow, number): (u32, u64)) -> Option<&Execution> {
        self.executions.get(slot).filter(|execution| (execution.flow, execution.number) == (flow, number))
    }

    /// An execution that has not ended, and its slot.
    fn live(&self, key: (u32, u64)) -> Option<(u32, &Execution)> {
        self.executions.numbered().find(|(_, it)| (it.flow, it.number) == key)
    }

    /// An executor looks at an execution that was created, or that came from the concurrency queue.
    pub(super) fn process(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        (slot, key): (u32, (u32, u64)),
    ) -> Freed {
        let Execution { flow, number, it: execution::Execution { state, .. }, holds_place, .. } =
            *self.of(slot, key)?;
        let goes_on = self.of(slot, key).is_some_and(|it| it.it.goes_on());
        // Somebody was faster.
        if !(matches!(state, State::Created | State::Restarted) || state == State::Queued && holds_place || goes_on) {
            return None;
        }
        if state != State::Queued {
            message(cx, cluster, executor, flow, state);
            cluster.consumed(cx, executor, QueueName::ExecutionCommand);
            cluster.tell(cx, executor, Moment::Seen);
            if cluster.members[executor].profile().has(Quirk::NamedQueues) {
                // Registered for this state too.
                cluster.count_many(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, state), 0.0);
            }
            let origin = self.origins.get((flow, number));
            if origin.is_some_and(|origin| origin.failed) {
                return self.refused(cx, cluster, executor, slot, State::Failed);
            }
            if origin.is_some_and(|origin| origin.checked) {
                return self.failed_checks(cx, cluster, executor, slot);
            }
            if let Some(freed) = self.broken(cx, cluster, executor, slot, (flow, number)) {
                return freed;
            }
        }
        // An iteration of a Loop that is RUNNING from its beginning asks for no place (source).
        if !matches!(state, State::Queued | State::Running) {
            if let Some(limit) = cx.plan.flows.get(flow as usize).and_then(|flow| flow.concurrency)
                && self.places[flow as usize].held >= limit.limit
            {
                return self.refuse(cx, cluster, executor, slot, limit.behavior);
            }
            cluster.count(cx, executor, Meter::ExecutionStarted, Subject::FlowState(flow, state));
            self.places[flow as usize].held += 1;
        } else if state == State::Queued {
            // It has got its place from the one that ended.
            cluster.count(cx, executor, Meter::ExecutionPopped, Subject::FlowState(flow, State::Running));
        }
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.holds_place = !goes_on;
        }
        // Registered with nothing in it whenever a state is looked at for retries (recorded).
        cluster.count_many(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, State::Running), 0.0);
        let number = self.executions.get(slot).map_or(0, |it| it.number);
        cluster.log(cx, executor, LineKind::FlowStarted, LineAbout::Execution { flow, number, end: None });
        cluster.members[executor].work(1.5e6, 0.015, cx.now);
        // Up to 0.20: what comes next, with the state before, and not for another attempt (standalone/activity_scrape1).
        let before = if state == State::Queued { State::Running } else { state };
        cluster.count(cx, executor, Meter::TaskRunNext, Subject::FlowState(flow, before));
        self.step(cx, slot, Step::Begin);
        self.follow(cx, cluster, executor, slot, Step::Begin)
    }

    /// Something happens to an execution; what is to be done stands in `commands`. False when it does not matter any more.
    fn step(&mut self, cx: &Context, slot: u32, event: Step) -> bool {
        let Some(execution) = self.executions.get_mut(slot) else { return false };
        let Some(model) = cx.flows.get(execution.flow as usize) else { return false };
        let origin = self.origins.get((execution.flow, execution.number));
        let Execution { flow, number, created, .. } = *execution;
        let others = self.waiting.known();
        let mut asked = Asked { others, ..Asked::of(cx, (flow, number), created, &self.dialect, origin) };
        let how = (&*model.tree, &self.dialect);
        self.commands.clear();
        let fits = execution.it.next(how, event, &mut asked, &mut self.scratch, &mut self.commands);
        self.resumes.append(&mut asked.resumes);
        if self.kept.keeps() {
            execution.history.look(cx.now, &execution.it);
        }
        fits
    }

    /// Does what is to be done after a step.
    fn follow(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, event: Step) -> Freed {
        self.failed_here(cx, slot);
        let commands = std::mem::take(&mut self.commands);
        let mut freed = None;
        let mut unheard =
            matches!(event, Step::Pause | Step::Resume | Step::Restart) && !cx.profile.has(Quirk::OrdersHeard);
        for (at, command) in commands.iter().enumerate() {
            match *command {
                Command::State(state) => {
                    let heard = match commands.get(at + 1) {
                        // What it leaves again at once nobody sees.
                        Some(Command::State(next)) => state == State::Failed && passes(cx, *next),
                        _ => true,
                    };
                    match std::mem::take(&mut unheard) || !heard {
                        true => self.unheard(cx, slot, state, heard),
                        false => self.seen(cx, cluster, executor, slot, state),
                    }
                }
                Command::Start { run, first } => {
                    // A worker makes the task runs of a WorkingDirectory itself (source).
                    if first && event != Step::Begin && self.directory(cx, slot, run).is_none() {
                        let flow = self.executions.get(slot).map_or(0, |it| it.flow);
                        cluster.count(cx, executor, Meter::TaskRunNext, Subject::FlowState(flow, State::Running));
                    }
                    self.start(cx, cluster, executor, slot, run);
                }
                // One of a WorkingDirectory that its worker has skipped.
                Command::Enter { run } if self.directory(cx, slot, run).is_some() => {}
                Command::Enter { .. } => self.enter(cx, cluster, executor, slot, event),
                Command::Leave { run } => self.leave(cx, cluster, executor, slot, run),
                Command::Retry { run, after } => self.retry_task(cx, cluster, executor, slot, (run, after)),
                Command::Rest { run, after } => self.rest(cx, cluster, executor, slot, (run, after)),
                Command::Wait { run, after } => self.wait(cx, cluster, executor, slot, (run, after)),
                Command::Resumed => self.resumed(cx, cluster, executor, slot),
                Command::Child { run } => self.create_child(cx, cluster, executor, slot, run),
                Command::Iterate { run, index, state } => {
                    self.iterate(cx, cluster, executor, slot, (run, index, state))
                }
                Command::Kill { run } => self.kill_job(cx, cluster, slot, run),
                Command::Violated { sla } => self.violated(cx, cluster, executor, slot, sla),
                Command::Again { after } => self.retry_execution(cx, cluster, executor, slot, after),
                Command::End(state) => self.finish(cx, cluster, executor, slot, state),
                Command::Cut(state) => self.is_cut(cx, cluster, executor, slot, state),
                Command::Gone => {
                    freed = self.release(cx, cluster, slot);
                    self.remove(cx, slot);
                }
            }
        }
        // Its memory is used again.
        self.commands = commands;
        for (meant, given) in std::mem::take(&mut self.resumes) {
            self.lets_go_on(cx, cluster, executor, meant, given);
        }
        freed.or_else(|| self.release(cx, cluster, slot))
    }

    /// Hands an attempt of a task run to the workers.
    fn start(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, run: u32) {
        let Some(execution) = self.executions.get(slot) else { return };
        let Some(&execution::TaskRun { node: task, attempt, .. }) = execution.it.run(run) else { return };
        let Execution { flow, number, created, .. } = *execution;
        let origin = self.origins.get((flow, number));
        let (it, errors) = (&execution.it, &execution.errors);
        let of = Heard { flow, number, created, state: it.state, since: cx.now, it, origin, errors };
        let prepared = self.telling.prepare(cx, &of, &self.dialect, run);
        let prepared = match self.counts(cx, slot, run) {
            Some(done) => Some((Prepared::Done(Arc::new(done)), prepared.map(|it| it.1).unwrap_or_default())),
            None => prepared,
        };
        if let Some(prepared) = prepared {
            cx.outbox.prepare((flow, number), run, prepared);
        }
        cx.truth.attempts += 1;
        let within = self.directory(cx, slot, run);
        if within.is_none() {
            message(cx, cluster, executor, flow, State::Running);
            cluster.count(cx, executor, Meter::TaskRunCreated, Subject::FlowState(flow, State::Running));
            cluster.tell(cx, executor, Moment::TaskRun);
        }
        let work = Work::Task { slot, number, flow, task, run, attempt };
        let order = JobOrder { work, created: cx.now, resubmitted: false, within };
        match within.and_then(|within| cluster.thread_of((flow, number), within)) {
            Some(member) => cluster.goes_on(cx, member, order),
            None => cluster.send(cx, QueueKind::WorkerJob, Message::Job(order)),
        }
    }

    /// The WorkingDirectory in whose thread a task run is done.
    fn directory(&self, cx: &Context, slot: u32, run: u32) -> Option<Directory> {
        let Execution { flow, ref it, .. } = *self.executions.get(slot)?;
        let run = it.directory(&cx.flows.get(flow as usize)?.tree, run)?;
        it.run(run).map(|&execution::TaskRun { node: task, created, .. }| Directory {
            run,
            task,
            created,
            again: false,
        })
    }

    /// A worker says that it runs an attempt of a task run.
    pub(super) fn task_started(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        (slot, key): (u32, (u32, u64)),
        (run, attempt): (u32, u32),
    ) -> Freed {
        let flow = self.of(slot, key)?.flow;
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
        cx.truth.attempts_ended += 1;
        let TaskEnd { flow, run, attempt, state, duration } = end;
        if self.of(slot, (flow, number)).is_none() {
            self.too_late(cx, cluster, executor, slot, end);
            return None;
        }
        self.put_out(cx, slot, (run, attempt), state);
        let event = Step::Ended { run, attempt, state };
        if !self.step(cx, slot, event) {
            self.too_late(cx, cluster, executor, slot, end);
            return None;
        }
        message(cx, cluster, executor, flow, State::Running);
        cluster.produce(cx, executor, Class::Execution, 1);
        // As what it counts, not as what its worker said (a failure that is allowed is a warning: standalone/activity).
        let shown = match self.executions.get(slot).and_then(|it| it.it.run(run)).map(execution::TaskRun::shown) {
            Some(shown) if !matches!(shown, State::Retrying | State::Retried) => shown,
            _ => state,
        };
        cluster.count(cx, executor, Meter::TaskRunEnded, Subject::FlowState(flow, shown));
        cluster.time(cx, executor, Meter::TaskRunDuration, Subject::FlowState(flow, shown), duration);
        self.follow(cx, cluster, executor, slot, event)
    }

    /// What a worker says of a task run that nobody waits for any more: counted, and else nothing.
    fn too_late(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, end: TaskEnd) {
        let subject = Subject::FlowState(end.flow, end.state);
        // What a worker does again has mostly ended well; else it was cut off.
        let state = if slot == worker::AGAIN { State::Success } else { State::Killed };
        message(cx, cluster, executor, end.flow, state);
        cluster.count(cx, executor, Meter::TaskRunEnded, subject);
        cluster.time(cx, executor, Meter::TaskRunDuration, subject, end.duration);
    }

    /// An execution ends by its tasks.
    fn finish(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) {
        let Some((flow, number)) = self.executions.get(slot).map(|it| (it.flow, it.number)) else { return };
        let age = self.age(cx, slot);
        message(cx, cluster, executor, flow, state);
        if state != State::Killed || cx.profile.has(Quirk::KilledCounted) {
            cluster.count(cx, executor, Meter::ExecutionEnded, Subject::FlowState(flow, state));
            cluster.time(cx, executor, Meter::ExecutionDuration, Subject::FlowState(flow, state), age);
        }
        cluster.count_many(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, state), 0.0);
        let end = Some((state, age));
        cluster.log(cx, executor, LineKind::FlowEnded, LineAbout::Execution { flow, number, end });
        self.close(cx, cluster, executor, slot, state)
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
        self.unheard(cx, slot, state, true);
        self.hear(cx, cluster, executor, slot, state);
    }

    /// Flow triggers hear of the state of an execution.
    fn hear(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) {
        let Some(execution) = self.executions.get(slot).filter(|_| self.listening.any()) else { return };
        let Execution { flow, number, created, .. } = *execution;
        let origin = self.origins.get((flow, number));
        let (it, errors) = (&execution.it, &execution.errors);
        let heard = Heard { flow, number, created, state, since: cx.now, it, origin, errors };
        let started = heard_of(cx, &mut self.listening, &heard);
        let events = self.events.note(cx, &self.listening, &heard);
        self.start_fired(cx, cluster, executor, (flow, number), started);
        send_events(cx, cluster, executor, events);
    }

    /// Executions that Flow triggers start.
    fn start_fired(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        of: (u32, u64),
        (fired, upstream, reasons): Started,
    ) {
        reasons.into_iter().for_each(|reason| cx.reasons(reason));
        for Fired { flow: alert, trigger: index, labels, inputs, variables, failed, .. } in fired {
            let starter = starter(cx, of, (alert, index));
            let flow = alert as u32;
            let number = cx.next_number(flow);
            let failed = failed.is_some();
            // Kestra takes them as they are: neither their types nor what is missing is looked at (end-to-end, recorded).
            inputs::keep_secret(cx, flow, &inputs);
            let upstream = upstream.clone();
            let trigger = Some(variables);
            let origin = Origin { labels, inputs, trigger, upstream, failed, starter, ..Origin::default() };
            self.origins.insert((flow, number), Arc::new(origin));
            let slot = self.create(cx, cluster, executor, (flow, number), (None, 0));
            self.is_triggered(slot, index as u32);
        }
    }

    /// Whether tasks have switched triggers since somebody asked.
    pub(super) fn has_toggled(&self) -> bool {
        !self.toggled.is_empty()
    }

    /// The triggers that tasks have switched since somebody asked.
    pub(super) fn toggled(&mut self) -> std::vec::Drain<'_, Toggle> {
        self.toggled.drain(..)
    }

    /// Whether any task of a flow sends something.
    pub(super) fn tells(&self) -> bool {
        self.telling.any()
    }

    /// An execution has come into a state of which no Flow trigger hears; `stays`: it is in it when the step is over.
    fn unheard(&mut self, cx: &mut Context, slot: u32, state: State, stays: bool) {
        let keeps = self.kept.keeps();
        let Some(execution) = self.executions.get_mut(slot) else { return };
        if keeps {
            execution.history.states.push((cx.now, state));
        }
        let key = (execution.flow, execution.number);
        if stays {
            cx.changed(key.0, key.1, state);
            self.waiting.there(cx, (slot, key), Some(state));
        }
    }

    fn age(&self, cx: &Context, slot: u32) -> Duration {
        self.executions.get(slot).map_or(Duration::ZERO, |execution| cx.now.since(execution.created))
    }
}

/// What comes of a state that Flow triggers hear of: what they start, the execution as it was, and why they do.
type Started = (Vec<Fired>, Option<Arc<notify::Execution>>, Vec<Reason>);

fn heard_of(cx: &Context, listening: &mut Listening, heard: &Heard<'_>) -> Started {
    told_of(cx, heard, listening.hear(cx, heard))
}

fn told_of(cx: &Context, heard: &Heard<'_>, (fired, reasons): (Vec<Fired>, Vec<Reason>)) -> Started {
    let upstream = if fired.is_empty() { None } else { heard.seen(cx, stored).map(Arc::new) };
    (fired, upstream, reasons)
}

/// Events go to the queue of those triggers that wait for several executions.
fn send_events(cx: &mut Context, cluster: &mut Cluster, sender: usize, events: u32) {
    if events > 0 {
        cluster.produce(cx, sender, Class::MultipleConditionEvent, events);
        cluster.send(cx, QueueKind::MultipleConditionEvent, Message::Conditions(events));
    }
}

/// Whether Flow triggers hear of a failed attempt, which such a state follows at once.
fn passes(cx: &Context, next: State) -> bool {
    matches!(next, State::Retrying | State::Retried) && cx.profile.has(Quirk::FailedAttemptsHeard)
}

/// Whose kill goes on to an execution that a Flow trigger has started: that of the one it heard of. One that waits for
/// several comes a little later, and escapes (1.3/NOTES.md).
fn starter(cx: &Context, (flow, number): (u32, u64), (alert, trigger): (usize, usize)) -> Option<Starter> {
    let trigger = cx.plan.flows.get(alert)?.triggers.get(trigger)?;
    let TriggerAction::Flow(rule) = &trigger.action else { return None };
    rule.preconditions.is_none().then_some(Starter { flow, number, by: By::Alert })
}

/// An executor processes a message about an execution.
fn message(cx: &mut Context, cluster: &mut Cluster, executor: usize, flow: u32, state: State) {
    let times = cx.spread(0x3e55, 0.4, 1.6) * cx.slowdown();
    let time = Duration::microseconds(1_800).times(times);
    cluster.time(cx, executor, Meter::ExecutionMessage, Subject::FlowState(flow, state), time);
}

#[cfg(test)]
mod tests;
