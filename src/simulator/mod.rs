//! The cluster, event by event.
//!
//! [`Simulation::advance`] pops the least (time, rank, sequence) event and sets `now`; nothing else moves time. Reading
//! never changes anything. What comes from outside (a fault, a logger that someone sets) is a [`Command`]: it enters at the
//! current instant and is journaled, so that a session can be replayed.
//!
//! Each part of the cluster has a file: [`Member`] is a process and its life, the others are what the processes do.

mod behaviour;
mod controller;
mod database;
mod event;
mod executor;
mod faults;
mod integral;
mod jvm;
mod life;
pub mod limits;
mod liveness;
mod look;
mod member;
mod messages;
mod meters;
mod queue;
mod scheduler;
mod slots;
mod streams;
mod truth;
mod view;
mod webserver;
mod worker;

use std::sync::Arc;

pub use faults::ActiveFault;
pub use member::{Member, Shutdown};
pub use streams::{Store, Stream, StreamState};
pub use truth::Truth;
pub use view::{Backlog, Command, DatabaseView, Job, JournalEntry, Level, LimitReached, Port, RunningJob, Schedulable};

use crate::metrics::Common;
use crate::profile::{Profile, Role};
use crate::random::{Seed, name_key, noise};
use crate::scenario::Plan;
use crate::time::{Calendar, Duration, Instant};
use database::Database;
use event::{Event, EventQueue};
use executor::{Execution, FlowModel};
use liveness::Service;
use member::Phase;
use meters::{Class, QueueName};
use queue::{Message, POLL_SIZE, Queue, QueueKind};
use scheduler::TriggerState;
use slots::Slots;
use webserver::ArrivalProcess;
use worker::RunningWork;

/// A running cluster.
#[derive(Clone, Debug)]
pub struct Simulation {
    plan: Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    profile: &'static Profile,
    born: Instant,
    now: Instant,
    events: EventQueue,
    handled: u64,
    members: Vec<Member>,
    services: Vec<Service>,
    liveness_planned: bool,
    database: Database,
    /// The controller that workers without a database are connected to, and its life.
    connected: Option<(usize, u32)>,
    /// The controller has stopped reading jobs: no worker has room.
    dispatch_paused: bool,
    queues: Vec<Queue>,
    flows: Vec<FlowModel>,
    executions: Slots<Execution>,
    jobs: Slots<RunningWork>,
    /// Tells the events of a job from those of an earlier one in the same slot.
    generation: u32,
    messages: u64,
    triggers: Vec<TriggerState>,
    arrivals: Vec<ArrivalProcess>,
    faults: Vec<ActiveFault>,
    fault_count: u32,
    truth: Truth,
    journal: Vec<JournalEntry>,
    limit: Option<LimitReached>,
}

impl Simulation {
    /// A cluster at the beginning of its life: at the scenario's start, or `age` before it.
    pub fn new(plan: Arc<Plan>, seed: Seed, calendar: Calendar) -> Simulation {
        let born = Instant::START.before(plan.cluster.age);
        let profile = plan.kestra;
        let members = plan.cluster.members.iter().map(|member| {
            let profile = member.profile(plan.kestra);
            let settings = &plan.settings;
            let common = Common { prefix: settings.metrics_prefix.clone(), tags: settings.metrics_tags.clone() };
            Member::new(member.clone(), profile, common, born)
        });
        let arrivals = plan.arrivals.iter().enumerate().map(|(index, arrivals)| {
            let name = plan.flows.get(arrivals.flow).map_or("", |flow| flow.id.as_str());
            ArrivalProcess::new(seed, index, name, arrivals.rate, born)
        });
        let mut simulation = Simulation {
            seed,
            calendar,
            profile,
            born,
            now: born,
            events: EventQueue::default(),
            handled: 0,
            members: members.collect(),
            services: Vec::new(),
            liveness_planned: false,
            database: Database::Reachable(1.0),
            connected: None,
            dispatch_paused: false,
            queues: QueueKind::ALL.into_iter().map(Queue::new).collect(),
            flows: plan.flows.iter().map(|flow| FlowModel::new(&plan, flow)).collect(),
            executions: Slots::new(),
            jobs: Slots::new(),
            generation: 0,
            messages: 0,
            triggers: scheduler::triggers(&plan, &calendar, born),
            arrivals: arrivals.collect(),
            faults: Vec::new(),
            fault_count: 0,
            truth: Truth::default(),
            journal: Vec::new(),
            limit: None,
            plan,
        };
        for (index, entry) in simulation.plan.timeline.iter().enumerate() {
            simulation.events.push(entry.at, Event::FaultBegins { entry: index as u32 });
        }
        for member in 0..simulation.members.len() {
            if simulation.plan.cluster.booting {
                simulation.boot(member);
            } else {
                simulation.up(member);
            }
        }
        for index in 0..simulation.arrivals.len() {
            simulation.plan_arrival(index);
        }
        simulation
    }

    /// Moves to `to`, through all events up to and including it. An instant in the past changes nothing.
    ///
    /// # Errors
    /// A limit was reached; `now` is the instant of it, and nothing moves any more.
    pub fn advance(&mut self, to: Instant) -> Result<(), LimitReached> {
        while self.limit.is_none()
            && let Some((at, event)) = self.events.pop(to)
        {
            self.now = at;
            self.handled += 1;
            self.dispatch(event);
            if self.handled >= limits::EVENTS {
                let what = "the number of events";
                self.limit.get_or_insert(LimitReached { what, limit: limits::EVENTS, at });
            }
        }
        match &self.limit {
            Some(limit) => Err(limit.clone()),
            None => {
                self.now = self.now.max(to);
                Ok(())
            }
        }
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::Arrival { arrivals, generation } => self.arrive(arrivals as usize, generation),
            Event::Deliver(kind) => self.deliver(kind),
            Event::JobEnd { job, generation } => self.job_ends(job, generation),
            Event::TriggerDue { trigger, generation } => self.trigger_due(trigger, generation),
            Event::RetryDue { execution, number } => self.retry_due(execution, number),
            Event::FlowRetryDue { flow, number, attempt } => self.flow_retry_due(flow, number, attempt),
            Event::LivenessCheck => self.check_liveness(),
            Event::FaultBegins { entry } => self.begin_entry(entry as usize),
            Event::FaultEnds { fault } => self.fault_ends(fault),
            Event::Start { member, life } if self.lives(member, life) => self.boot(member as usize),
            Event::Up { member, life } if self.lives(member, life) => self.up(member as usize),
            Event::Closed { member, life } if self.lives(member, life) => {
                self.members[member as usize].port = Port::Refused;
            }
            Event::Exit { member, life, cause } if self.lives(member, life) => self.exit(member as usize, cause),
            Event::GivesUp { member, life, generation }
                if self.lives(member, life) && self.members[member as usize].loss_generation == generation =>
            {
                self.give_up(member as usize);
            }
            Event::Deaf { member, life } if self.lives(member, life) => {
                self.members[member as usize].port = Port::Closing;
            }
            Event::PauseEnds { member, life } if self.lives(member, life) => self.pause_ends(member as usize),
            Event::Poll { member, poller, life } if self.lives(member, life) => {
                self.poll(member as usize, poller as usize);
            }
            Event::OutOfMemory { member, life, generation }
                if self.lives(member, life) && self.members[member as usize].memory_generation == generation =>
            {
                self.exit(member as usize, event::ExitCause::OutOfMemory);
            }
            // The process this was about is gone.
            _ => {}
        }
    }

    fn lives(&self, member: u32, life: u32) -> bool {
        self.members.get(member as usize).is_some_and(|member| member.life == life)
    }

    /// Does something from outside at the current instant. Indices of members must be those of the plan.
    pub fn command(&mut self, command: Command) {
        match command {
            Command::SetLogger { member, logger, level } => self.set_logger(member, logger, Some(level)),
            Command::TouchLogger { member, logger } => self.set_logger(member, logger, None),
            Command::Refresh { member } => {
                if let Some(it) = self.members.get_mut(member) {
                    it.refreshed = true;
                }
            }
            Command::Stop { member } => {
                if member < self.members.len() {
                    self.terminate(member, true, member::AfterExit::Policy);
                }
            }
            Command::Inject(entry) => self.begin(entry),
            Command::Clear(name) => {
                if let Some(index) = self.faults.iter().position(|fault| fault.entry.name == name) {
                    self.end(index);
                }
            }
        }
    }

    /// `level` is none when the logger was only asked for.
    fn set_logger(&mut self, member: usize, logger: String, level: Option<Option<Level>>) {
        let Some(it) = self.members.get_mut(member) else { return };
        if it.loggers.len() >= limits::LOGGERS && !it.loggers.contains_key(&logger) {
            return;
        }
        match level {
            None => {
                it.loggers.entry(logger).or_insert(None);
            }
            Some(level) => {
                let name = level.map_or("inherited".to_owned(), |level| format!("{level:?}").to_uppercase());
                let text = format!("{}: logger {logger} is {name} now", it.plan.name);
                it.loggers.insert(logger, level);
                self.note(text);
            }
        }
    }

    /// Adds a line to the journal.
    fn note(&mut self, text: String) {
        if self.journal.len() >= limits::JOURNAL {
            let what = "the number of journal lines";
            self.limit.get_or_insert(LimitReached { what, limit: limits::JOURNAL as u64, at: self.now });
            return;
        }
        self.journal.push(JournalEntry { at: self.now, text });
    }

    /// Whether a member does the work of a role now: it is up, moves, and reaches the database.
    fn available(&self, member: usize, part: Role) -> bool {
        let it = &self.members[member];
        it.phase == Phase::Up && it.plan.role.runs(part) && it.moves() && !it.doomed && self.can_report(member)
    }

    /// A member that does the work of a role now; with several, `salt` decides.
    fn pick(&self, part: Role, salt: u64) -> Option<usize> {
        self.choose(salt, |member| self.available(member, part))
    }

    /// A member that fits; with several, `salt` decides.
    fn choose(&self, salt: u64, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let mut fitting = (0..self.members.len()).filter(|member| fits(*member));
        let first = fitting.next()?;
        let mut others = (first + 1..self.members.len()).filter(|member| fits(*member));
        match (noise(self.seed.0 ^ 0x91c4, salt) * (others.clone().count() + 1) as f64) as usize {
            0 => Some(first),
            n => others.nth(n - 1),
        }
    }

    /// Puts a message into a queue.
    fn send(&mut self, kind: QueueKind, message: Message) {
        self.queues[kind as usize].push(message, self.now);
        self.kick(kind);
    }

    /// Plans the next delivery of a queue, if messages wait and somebody takes them.
    fn kick(&mut self, kind: QueueKind) {
        let Some(slowdown) = self.database.slowdown() else { return };
        let empty = self.queues[kind as usize].is_empty();
        let paused = kind == QueueKind::WorkerJob && self.dispatch_paused;
        if empty && !paused {
            return;
        }
        let taken = self.taker(kind, 0).is_some();
        if kind == QueueKind::WorkerJob {
            self.pause_dispatch(!taken);
        }
        if empty || !taken {
            return;
        }
        let query = Duration::milliseconds(2).times(slowdown);
        if let Some(at) = self.queues[kind as usize].schedule(self.now, query) {
            self.events.push(at, Event::Deliver(kind));
        }
    }

    /// A consumer polls a queue and takes what waits, up to the poll size.
    fn deliver(&mut self, kind: QueueKind) {
        let queue = &mut self.queues[kind as usize];
        queue.delivered();
        let salt = ((kind as u64) << 56) ^ queue.taken;
        // With nobody there the messages wait; whoever comes plans the next delivery.
        let Some(mut consumer) = self.taker(kind, salt) else { return };
        let mut taken = 0;
        while taken < POLL_SIZE
            && let Some(message) = self.queues[kind as usize].pop()
        {
            taken += 1;
            match message {
                Message::Execution { slot, number } => self.process_execution(consumer, slot, number),
                Message::Job(order) => {
                    self.hand_out(consumer, order);
                    if self.room(consumer) == usize::MAX {
                        continue;
                    }
                    // A worker with a small buffer takes one at a time; the rest waits.
                    match self.taker(kind, salt + taken as u64) {
                        Some(next) => consumer = next,
                        None => break,
                    }
                }
                Message::TaskStarted { slot, number } => self.task_started(consumer, slot, number),
                Message::TaskEnded { slot, number, end } => self.task_ended(consumer, slot, number, end),
                Message::TriggerEvaluated { trigger, fires } => self.trigger_evaluated(consumer, trigger, fires),
                Message::Logs(lines) => {
                    self.truth.log_lines_indexed += u64::from(lines);
                    self.index(consumer, Class::LogEntry, lines);
                    self.consumed_batch(consumer, QueueName::LogEntry);
                }
            }
        }
        let slowdown = self.database.slowdown().unwrap_or(1.0);
        let busy = kind.cost().times(taken as f64 * slowdown);
        self.queues[kind as usize].busy(self.now + busy);
        self.kick(kind);
    }

    /// Who takes messages of a queue now.
    fn taker(&self, kind: QueueKind, salt: u64) -> Option<usize> {
        let room = |member| kind != QueueKind::WorkerJob || self.room(member) > 0;
        self.choose(salt, |member| self.available(member, kind.consumer()) && room(member))
    }

    /// An id of something of a flow.
    fn id(&self, what: &str, flow: u32, number: u64, part: u32) -> String {
        let key = name_key(what) ^ self.flows[flow as usize].key;
        self.seed.numbered(key, number ^ (u64::from(part) << 40)).id()
    }
    /// An id that Kestra draws for a request, always the same for the same request at the same instant.
    pub fn request_id(&self, target: &str, arrived: Instant) -> String {
        self.seed.numbered(name_key("request") ^ name_key(target), arrived.as_nanoseconds() as u64).id()
    }

    /// The plan it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
    /// The seed it runs with.
    pub fn seed(&self) -> Seed {
        self.seed
    }
    /// Which date the scenario's start is.
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }
    /// When the cluster began to live.
    pub fn born(&self) -> Instant {
        self.born
    }
    /// The current instant.
    pub fn now(&self) -> Instant {
        self.now
    }
    /// When something happens next, if anything will.
    pub fn next_event(&self) -> Option<Instant> {
        self.events.next()
    }
    /// Events that happened so far.
    pub fn events(&self) -> u64 {
        self.handled
    }
    /// The members, in the order of the plan.
    pub fn members(&self) -> &[Member] {
        &self.members
    }
    /// What happened so far.
    pub fn journal(&self) -> &[JournalEntry] {
        &self.journal
    }
    /// What really happened, counted.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }
    /// The faults in force, oldest first.
    pub fn faults(&self) -> &[ActiveFault] {
        &self.faults
    }
    /// How a member sees its database. One without any never misses it.
    pub fn database(&self, member: usize) -> DatabaseView {
        match self.members.get(member).is_some_and(|it| !it.has_database()) {
            true => DatabaseView::Reachable { slowdown: 1.0 },
            false => self.database.view(),
        }
    }

    /// Where everything is that was begun and has not ended.
    pub fn backlog(&self) -> Backlog {
        let mut backlog = Backlog::default();
        for queue in &self.queues {
            backlog.sent += queue.sent;
            backlog.taken += queue.taken;
            for message in queue.rows() {
                match message {
                    Message::Job(_) => backlog.jobs_queued += 1,
                    Message::TaskEnded { .. } => backlog.task_ends += 1,
                    Message::TriggerEvaluated { .. } => backlog.trigger_ends += 1,
                    Message::Logs(lines) => backlog.log_lines += u64::from(*lines),
                    Message::Execution { .. } | Message::TaskStarted { .. } => {}
                }
                backlog.waiting += queue::weight(*message);
            }
        }
        for member in &self.members {
            backlog.jobs_pending += member.pending.len() as u64;
            backlog.jobs_running += member.running.len() as u64;
        }
        backlog.jobs_orphaned = self.services.iter().map(Service::orphans).sum();
        backlog.retrying =
            self.executions.iter().filter(|execution| execution.state == crate::flow::State::Retrying).count() as u64;
        backlog
    }
}
