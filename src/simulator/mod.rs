//! The cluster, event by event.
//!
//! [`Simulation::advance`] pops the least (time, rank, sequence) event and sets `now`; nothing else moves time. Reading
//! never changes anything. What comes from outside (a fault, a logger that someone sets) is a [`Command`]: it enters at the
//! current instant and is journaled, so that a session can be replayed.
//!
//! Each part of the cluster has a file and a state of its own, that nobody else writes. What parts share is handed in: the
//! [`Context`] (time, plan, events to come, truth, journal) and the [`Cluster`] (members and queues). A [`Member`] is a
//! place; the [`Process`] there is a state machine ([`process`]) with its worker, its loops, its JVM and its meters. What
//! concerns several parts (a process comes or goes, a fault begins) is wired here and in [`life`] and [`faults`].

mod behaviour;
mod changes;
mod checks;
mod cluster;
mod commands;
mod context;
mod controller;
mod database;
mod entries;
mod event;
mod executor;
mod faults;
mod grid;
mod happening;
mod heard;
mod indexing;
mod inputs;
mod integral;
mod jobs;
mod jvm;
mod laws;
pub mod levels;
mod life;
pub mod limits;
mod lines;
mod listening;
mod liveness;
mod log;
mod look;
mod member;
mod messages;
mod meters;
mod origin;
mod outbox;
mod overload;
mod pollers;
mod polling;
mod process;
mod queue;
mod scheduled;
mod scheduler;
mod slots;
mod streams;
mod telling;
#[cfg(test)]
mod testing;
mod traffic;
mod truth;
mod variables;
mod view;
mod wear;
mod wording;
mod worker;

use std::sync::Arc;

pub use changes::StateChange;
#[cfg(feature = "cli")]
pub(crate) use entries::EntrySeen;
pub use faults::ActiveFault;
pub use happening::{Happening, Journal, JournalEntry};
pub use lines::Lines;
#[cfg(any(feature = "cli", feature = "internals"))]
pub use lines::LogEvent;
pub use listening::{About, Reason};
pub use log::Log;
pub use member::{Member, Process};
pub use meters::moves;
pub use origin::Origin;
pub use outbox::{Delivery, Sent};
pub use streams::{Store, Stream, StreamState};
pub use truth::Truth;
pub use view::{
    Backlog, Command, CommandError, DatabaseView, ExecutionSeen, Job, Level, LimitReached, Port, RunningJob,
    Schedulable,
};
#[cfg(feature = "cli")]
pub use view::{RunState, TaskRunSeen};
#[cfg(feature = "internals")]
pub use wording::Line;

use crate::random::{Seed, name_key};
use crate::scenario::{Answering, Plan};
use crate::time::{Calendar, Instant};
use cluster::Cluster;
use context::Context;
use event::{Event, ExitCause};
use executor::Executor;
use faults::Faults;
use liveness::Liveness;
use process::Cause;
use queue::{Asked, Message, POLL_SIZE, QueueKind, weight};
use scheduler::Scheduler;
use traffic::Traffic;

/// A running cluster. A copy goes its own way from the same instant on.
#[derive(Clone, Debug)]
pub struct Simulation {
    cx: Context,
    cluster: Cluster,
    executor: Executor,
    scheduler: Scheduler,
    traffic: Traffic,
    liveness: Liveness,
    faults: Faults,
    handled: u64,
}

impl Simulation {
    /// A cluster at the beginning of its life: at the scenario's start, or `age` before it.
    pub fn new(plan: Arc<Plan>, seed: Seed, calendar: Calendar) -> Simulation {
        let cx = Context::new(plan.clone(), seed, calendar);
        let mut simulation = Simulation {
            cluster: Cluster::new(&plan),
            executor: Executor::new(&plan),
            scheduler: Scheduler::new(&cx),
            traffic: Traffic::new(&cx),
            liveness: Liveness::default(),
            faults: Faults::default(),
            handled: 0,
            cx,
        };
        for (index, entry) in plan.timeline.iter().enumerate() {
            simulation.cx.events.push(entry.at, Event::FaultBegins { entry: index as u32 });
        }
        for member in 0..simulation.cluster.members.len() {
            match plan.cluster.booting {
                _ if simulation.cluster.members[member].is_away() => {}
                true => simulation.boot(member),
                false => simulation.begin_up(member),
            }
        }
        simulation.traffic.begin(&mut simulation.cx);
        if simulation.executor.sends_events() {
            simulation.wears();
        }
        simulation
    }

    /// Moves to `to`, through all events up to and including it. An instant in the past changes nothing. After
    /// [`Simulation::stop_at_messages`] it may end earlier.
    ///
    /// # Errors
    /// A limit was reached; `now` is the instant of it, and nothing moves any more.
    pub fn advance(&mut self, to: Instant) -> Result<(), LimitReached> {
        let mut to = to;
        while self.cx.limit.is_none()
            && let Some((at, event)) = self.cx.events.pop(to)
        {
            self.cx.now = at;
            self.handled += 1;
            self.dispatch(event);
            if self.cx.outbox.stops() {
                to = at;
            }
            if self.handled >= limits::EVENTS {
                self.cx.reached("the number of events", limits::EVENTS);
            }
            if cfg!(debug_assertions) {
                self.assert_laws();
            }
        }
        match &self.cx.limit {
            Some(limit) => Err(limit.clone()),
            None => {
                self.cx.now = self.cx.now.max(to);
                Ok(())
            }
        }
    }

    fn dispatch(&mut self, event: Event) {
        let Simulation { cx, cluster, executor, scheduler, traffic, .. } = self;
        match event {
            Event::Arrival { arrivals, generation } => {
                traffic.arrive(cx, cluster, executor, arrivals as usize, generation);
            }
            Event::Deliver(kind) => self.deliver(kind),
            Event::TriggerDue { trigger, generation } => scheduler.due(cx, cluster, executor, trigger, generation),
            Event::Heartbeat { member, life } => cluster.heartbeat(cx, member as usize, life),
            Event::Backfill { trigger, turn } => scheduler.backfill(cx, (cluster, executor), trigger, turn),
            Event::RetryDue { execution, flow, number, run } => {
                if let Some((trigger, state)) = executor.due(cx, cluster, (execution, (flow, number)), run) {
                    scheduler.ended(cx, trigger, state);
                }
            }
            Event::FlowRetryDue { flow, number, attempt } => {
                executor.flow_retry_due(cx, cluster, flow, number, attempt);
            }
            Event::SlaDue { execution, flow, number, sla } => {
                if let Some((trigger, state)) = executor.sla_due(cx, cluster, (execution, (flow, number)), sla) {
                    scheduler.ended(cx, trigger, state);
                }
            }
            Event::KillDue { execution: slot, flow, number } => {
                let what = Asked::Kill { cascade: true };
                cluster.send(cx, QueueKind::Execution, Message::Asked { slot, flow, number, what });
            }
            Event::LivenessCheck => self.liveness.check(cx, cluster),
            Event::Wears { reckoning } => self.wears_on(reckoning),
            Event::FaultBegins { entry } => self.begin_entry(entry as usize),
            Event::FaultRepeats { fault } => self.happens(fault),
            Event::FaultEnds { fault, times } => self.fault_ends(fault, times),
            Event::Start { member, life }
            | Event::Comes { member, life, .. }
            | Event::JobEnd { member, life, .. }
            | Event::Message { member, life, .. }
            | Event::Poll { member, life, .. }
            | Event::TriggerLoop { member, life, .. }
            | Event::Indexed { member, life }
            | Event::HeapFull { member, life, .. } => {
                // What was about a process that is gone is about nothing.
                if self.cluster.members.get(member as usize).is_some_and(|it| it.life() == life) {
                    self.dispatch_to_member(member as usize, event);
                }
            }
        }
    }

    fn dispatch_to_member(&mut self, member: usize, event: Event) {
        match event {
            Event::Start { .. } => self.boot(member),
            Event::Comes { cause: Cause::ComesUp, .. } => self.comes_up(member),
            Event::Comes { cause, .. } => self.comes(member, cause),
            Event::Poll { poller, .. } => self.cluster.poll(&mut self.cx, member, poller as usize),
            Event::TriggerLoop { turn, .. } => self.loops(member, turn),
            Event::Indexed { .. } => self.cluster.ends_batch(&mut self.cx, member),
            Event::HeapFull { forecast, .. } => self.heap_full(member, forecast),
            Event::JobEnd { turn, .. } => self.job_ends(member, turn),
            Event::Message { trigger, .. } => self.cluster.message(&mut self.cx, member, trigger),
            _ => {}
        }
    }

    /// The heap is full, or the container, if the forecast still holds.
    fn heap_full(&mut self, member: usize, forecast: u32) {
        let process = self.cluster.members[member].process().filter(|it| it.is_forecast(forecast));
        if let Some(fills) = process.map(|it| it.jvm.fills_container(self.cx.now)) {
            self.comes(member, Cause::Exits(if fills { ExitCause::OverLimit } else { ExitCause::OutOfMemory }));
        }
    }

    /// A job ends in a worker, if it can.
    fn job_ends(&mut self, member: usize, turn: u64) {
        if !self.cluster.job_ends(&mut self.cx, member, turn) {
            return;
        }
        if let Some((executor, ended)) = self.cluster.thread.as_ref().map(|thread| (thread.executor, thread.ended)) {
            self.take(executor, ended);
            self.cluster.leave_thread(&mut self.cx);
        }
        self.close_if_idle(member);
        if self.cluster.link.paused() {
            self.cluster.kick(&mut self.cx, QueueKind::WorkerJob);
        }
    }

    /// A consumer polls a queue and takes what waits, up to the poll size.
    fn deliver(&mut self, kind: QueueKind) {
        let queue = &mut self.cluster.queues[kind as usize];
        if !queue.delivered(self.cx.now) {
            return;
        }
        let salt = ((kind as u64) << 56) ^ queue.taken;
        // With nobody there the messages wait; whoever comes plans the next delivery.
        let Some(mut consumer) = self.cluster.taker(&self.cx, kind, salt) else { return };
        let mut taken = self.cluster.queues[kind as usize].take_old();
        while taken < POLL_SIZE
            && !self.cluster.queues[kind as usize].is_poisoned()
            && let Some(message) = self.cluster.queues[kind as usize].pop_within(POLL_SIZE - taken)
        {
            taken += weight(message) as usize;
            self.take(consumer, message);
            // A worker with a small buffer takes one at a time; the rest waits.
            if matches!(message, Message::Job(_)) && self.cluster.room(consumer) != usize::MAX {
                match self.cluster.taker(&self.cx, kind, salt + taken as u64) {
                    Some(next) => consumer = next,
                    None => break,
                }
            }
        }
        let busy = kind.cost().times(taken as f64 * self.cx.slowdown());
        self.cluster.queues[kind as usize].busy(self.cx.now + busy);
        if kind == QueueKind::LogEntry {
            self.cluster.begins_batch(&mut self.cx, consumer);
        }
        if taken < POLL_SIZE && self.cluster.queues[kind as usize].is_poisoned() {
            self.chokes(consumer);
        }
        self.cluster.kick(&mut self.cx, kind);
    }

    fn take(&mut self, consumer: usize, message: Message) {
        let Simulation { cx, cluster, executor, scheduler, .. } = self;
        let freed = match message {
            Message::Execution { slot, flow, number } => {
                executor.process(cx, cluster, consumer, (slot, (flow, number)))
            }
            Message::TaskEnded { slot, number, end } => executor.task_ended(cx, cluster, consumer, (slot, number), end),
            Message::TaskStarted { slot, flow, number, run, attempt } => {
                executor.task_started(cx, cluster, consumer, (slot, (flow, number)), (run, attempt))
            }
            Message::Child { slot, flow, number, run, state } => {
                executor.child(cx, cluster, consumer, (slot, (flow, number)), (run, state))
            }
            Message::Asked { slot, flow, number, what } => {
                executor.asked(cx, cluster, consumer, (slot, (flow, number)), what)
            }
            Message::Job(order) => {
                cluster.hand_out(cx, consumer, order);
                None
            }
            Message::TriggerEvaluated { trigger, fires } => {
                scheduler.evaluated(cx, cluster, executor, consumer, (trigger, fires));
                None
            }
            Message::TriggerEmitted { trigger } => {
                scheduler.emitted(cx, (cluster, executor), consumer, trigger);
                None
            }
            Message::Conditions(events) => {
                executor.evaluate(cx, cluster, consumer, events);
                None
            }
            Message::Logs(lines) => {
                cluster.reads_logs(cx, consumer, lines);
                None
            }
            // Nobody lives to take it.
            Message::Poison => None,
        };
        if let Some((trigger, state)) = freed {
            scheduler.ended(cx, trigger, state);
        }
        if executor.has_toggled() {
            executor.toggled().for_each(|toggle| scheduler.toggle(cx, &toggle));
        }
    }

    /// From now on the changes of all executions are kept, also of those of which nothing is expected.
    pub fn keep_changes(&mut self) {
        self.cx.changes.want_all();
    }

    /// From now on executions that have ended are kept: the last of them can be looked at, and asked for again.
    pub fn keep_executions(&mut self) {
        self.executor.keep_executions();
    }

    /// The executions that have not ended, at most 10,000 of them, and the last 1,000 that have, where
    /// they are kept; the oldest first.
    pub fn executions(&self) -> Vec<ExecutionSeen> {
        self.executor.seen_executions(&self.cx)
    }

    /// Executions that ended, or were changed after their end, since a turn, the first of which is 0; how many more did of
    /// which nothing is kept any more; and the next turn to ask with.
    #[cfg(feature = "cli")]
    pub(crate) fn ended_since(&self, turn: u64) -> (Vec<ExecutionSeen>, u64, u64) {
        self.executor.ended_since(&self.cx, turn)
    }

    /// Those of which something may still come: also one that has ended while a task of it still runs.
    #[cfg(feature = "cli")]
    pub(crate) fn live_executions(&self) -> Vec<ExecutionSeen> {
        self.executor.live_executions(&self.cx)
    }

    /// The one of them that has an id.
    pub fn execution(&self, id: &str) -> Option<ExecutionSeen> {
        self.executor.seen_execution(&self.cx, id)
    }

    /// Which execution has an id: an index of its flow, and its number there. Of those that have not ended, or are kept.
    pub fn execution_named(&self, id: &str) -> Option<(usize, u64)> {
        self.executor.named_execution(&self.cx, id).map(|(flow, number)| (flow as usize, number))
    }

    /// The id that the next execution of a flow will have.
    pub fn next_execution(&self, flow: usize) -> String {
        let number = self.cx.flows.get(flow).map_or(0, |flow| flow.next());
        self.cx.id("execution", flow as u32, number, 0)
    }

    /// From now on old happenings make room for new ones, instead of an end at the limit, and executions that have ended are
    /// kept: for what goes on for ever, and is looked at.
    pub fn forget_old_happenings(&mut self) {
        self.cx.journal.drop_oldest();
        self.keep_executions();
        self.cx.changes.log.drop_oldest();
    }

    /// Bytes that a copy takes for itself, nearly: what it does not share with the simulation it is a copy of.
    pub fn own_bytes(&self) -> usize {
        let of_process = |process: &Process| size_of::<Process>() + process.meters.own_bytes() + process.worker.bytes();
        let members = self.cluster.members.iter();
        let rows: usize = self.cluster.queues.iter().map(|queue| queue.rows().len()).sum();
        size_of::<Simulation>()
            + members.map(|it| size_of::<Member>() + it.process().map_or(0, of_process)).sum::<usize>()
            + rows * size_of::<Message>()
            + self.cx.events.bytes()
            + self.executor.bytes()
            + self.cx.journal.own_bytes()
            + self.cx.lines.as_ref().map_or(0, Lines::own_bytes)
            + self.cx.changes.log.own_bytes()
            + self.cx.outbox.sent.own_bytes()
    }

    /// An id that Kestra draws for a request, always the same for the same request at the same instant.
    pub fn request_id(&self, target: &str, arrived: Instant) -> String {
        self.cx.seed.numbered(name_key("request") ^ name_key(target), arrived.as_nanoseconds() as u64).id()
    }

    /// The plan it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.cx.plan
    }
    /// The seed it runs with.
    pub fn seed(&self) -> Seed {
        self.cx.seed
    }
    /// Which date the scenario's start is.
    pub fn calendar(&self) -> Calendar {
        self.cx.calendar
    }
    /// When the cluster began to live.
    pub fn born(&self) -> Instant {
        self.cx.born
    }
    /// The current instant.
    pub fn now(&self) -> Instant {
        self.cx.now
    }
    /// When something happens next, if anything will.
    pub fn next_event(&self) -> Option<Instant> {
        self.cx.events.next()
    }
    /// Events that happened so far.
    pub fn events(&self) -> u64 {
        self.handled
    }
    /// The members, in the order of the plan.
    pub fn members(&self) -> &[Member] {
        &self.cluster.members
    }
    /// What happened so far.
    pub fn journal(&self) -> &Journal {
        &self.cx.journal
    }
    /// The changes of the state of executions that something is expected of, oldest first.
    pub fn changes(&self) -> &Log<StateChange> {
        &self.cx.changes.log
    }
    /// What notification tasks sent, oldest first; the last of it is kept.
    pub fn sent(&self) -> &Log<Sent> {
        &self.cx.outbox.sent
    }
    /// Who answers messages now.
    pub fn answering(&self) -> Answering {
        self.cx.outbox.answering
    }
    /// Whether [`Simulation::advance`] ends at each instant at which a message is sent that waits for an answer from
    /// outside, all of that instant done: for who sends it.
    pub fn stop_at_messages(&mut self, stop: bool) {
        self.cx.outbox.stopping = stop;
    }
    /// Whether any task of a flow tells somebody.
    pub fn tells(&self) -> bool {
        self.executor.tells()
    }
    /// From now on it is kept what the triggers of a flow make of executions and dates: [`Simulation::reasons`].
    pub fn ask(&mut self, flow: usize) {
        self.cx.asked = Some(flow);
    }
    /// What the Flow triggers of which was asked made of executions, oldest first.
    pub fn reasons(&self) -> &Log<Reason> {
        &self.cx.reasons
    }
    /// What really happened, counted.
    pub fn truth(&self) -> &Truth {
        &self.cx.truth
    }
    /// The faults that are there, in the order in which they last began.
    pub fn faults(&self) -> &[ActiveFault] {
        self.faults.active()
    }
    /// The jobs that run in a member's worker, oldest first.
    pub fn running(&self, member: usize) -> Vec<RunningJob> {
        self.cluster.running(&self.cx, member)
    }
    /// All Schedule and polling triggers, as 1.3 lists them.
    pub fn schedulable(&self) -> Vec<Schedulable> {
        self.scheduler.schedulable()
    }
    /// How a member sees its database. One without any never misses it.
    pub fn database(&self, member: usize) -> DatabaseView {
        match self.cluster.members.get(member).is_some_and(|it| !it.has_database()) {
            true => DatabaseView::Reachable { slowdown: 1.0 },
            false => self.cx.database.view(),
        }
    }
}
