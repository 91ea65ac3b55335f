//! Members: the place of a process in the cluster, what lasts there, and the process that is there now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::indexing::Batch;
use super::integral::Integral;
use super::jvm::Jvm;
use super::meters::{Meter, Meters, Subject};
use super::polling::{Pace, Polling};
use super::process::{Cause, Course, Effect, Nature, Shutdown};
use super::queue::QueueKind;
use super::worker::Worker;
use super::{Level, Port, limits};
use crate::metrics::{Common, Registry};
use crate::profile::{Binder, LineLevel, Profile, Quirk, Role};
use crate::random::{Seed, name_key};
use crate::scenario::{MemberPlan, Plan, Restart, Thread};
use crate::time::{Duration, Instant};

/// One member of the cluster: a place, and its current process.
#[derive(Clone, Debug)]
pub struct Member {
    plan: Arc<MemberPlan>,
    profile: &'static Profile,
    /// The key of its draws.
    key: u64,
    /// What is configured for all meters of its processes.
    common: Common,
    pub(super) lasting: Lasting,
    pub(super) process: Option<Process>,
}

/// What belongs to the place and survives a restart.
#[derive(Clone, Debug, Default)]
pub(super) struct Lasting {
    /// Processes there were before the one that is there, or comes next.
    pub(super) life: u32,
    /// Restarts in a row without ten minutes of life.
    crashes: u32,
    /// Somebody told it to stop for good: the restart policy does not bring it back.
    pub(super) ordered_down: bool,
    /// Whether the place is there at all.
    pub(super) standing: Standing,
    /// What faults make of the place.
    pub(super) levels: Levels,
    /// The version of the processes to come, when it is not that of those before.
    pub(super) version: Option<&'static Profile>,
    /// Tells the loops over many triggers from those that were planned before.
    pub(super) loop_turn: u32,
    /// When the last process that had come up ended, and whether it said so.
    pub(super) ended: Option<(Instant, bool)>,
}

/// Whether a place belongs to the cluster: scaling a role gives and takes places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does.
    #[default]
    Here,
    /// Until its process is gone.
    Leaving,
    /// It does not: nobody finds it, nothing starts there.
    Away,
}

/// What the faults in force make of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Levels {
    /// No process is started here.
    pub(super) held_down: bool,
    /// Processes stand still.
    pub(super) hung: bool,
    /// Ports accept and never answer.
    pub(super) deaf: bool,
    /// Bytes a second that are never freed.
    pub(super) leak: f64,
    /// Bytes a second outside of the heap that are never freed.
    pub(super) native_leak: f64,
    /// Who finds it by discovery is told the port of the application.
    pub(super) wrong_port: bool,
    /// Triggers that its scheduler looks at beside those of the flows.
    pub(super) triggers: u64,
    /// Two threads are deadlocked.
    pub(super) deadlocked: bool,
    /// The disk is full.
    pub(super) disk_full: bool,
    /// Whoever starts exits.
    pub(super) start_fails: bool,
    /// Starts take so much longer.
    pub(super) slow_start: Duration,
    /// A batch of log lines takes an indexer so much longer.
    pub(super) batch_takes: Duration,
    /// Connections a second that are never given back.
    pub(super) connection_leak: f64,
}

/// What follows when a process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterExit {
    /// The restart policy decides.
    Policy,
    /// It is started at once.
    Start,
}

/// A process: what there is of it at an instant, and what it counts.
#[derive(Clone, Debug)]
pub struct Process {
    course: Course,
    pub(super) after: AfterExit,
    started: Instant,
    pub(super) up_since: Instant,
    pub(super) meters: Meters,
    pub(super) jvm: Jvm,
    pub(super) polling: Polling,
    pub(super) worker: Worker,
    pub(super) logged: Logged,
    pub(super) http_requests: u64,
    /// When its scheduler last found a trigger due.
    pub(super) last_ready_loop: Instant,
    /// When the loop of its scheduler began, where loops are counted one by one.
    pub(super) loop_began: Option<Instant>,
    /// The batch of log lines that its indexer writes, when that takes its time.
    pub(super) batch: Option<Batch>,
    /// Tells the end by a full heap from an earlier forecast.
    memory_forecast: u32,
    threads: Threads,
    loggers: BTreeMap<String, Option<Level>>,
    pub(super) refreshed: bool,
    /// Connections of the database that it keeps for nothing.
    pub(super) kept_connections: Integral,
}

/// The threads of a process that are dead, though it does not know.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Threads {
    /// Those that read queues, by [`QueueKind`].
    queues: [bool; QueueKind::ALL.len()],
    scheduler: bool,
    all: bool,
}

impl Threads {
    fn die(&mut self, thread: Thread) {
        match thread {
            Thread::Queue(queue) => self.queues[QueueKind::of(queue) as usize] = true,
            Thread::Scheduler => self.scheduler = true,
            Thread::All => *self = Threads { queues: [true; QueueKind::ALL.len()], scheduler: true, all: true },
        }
    }

    /// Whether one that reads a queue lives.
    pub(super) fn reads(self, kind: QueueKind) -> bool {
        !self.queues[kind as usize]
    }

    /// Whether those live that nobody can single out.
    pub(super) fn others(self) -> bool {
        !self.all
    }
}

/// Lines a process logged, by level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logged {
    pub(super) info: u64,
    pub(super) warn: u64,
    pub(super) error: u64,
    pub(super) debug: u64,
    pub(super) trace: u64,
}

impl Logged {
    /// One more line of a level.
    pub(super) fn count(&mut self, level: LineLevel) {
        match level {
            LineLevel::Trace => self.trace += 1,
            LineLevel::Debug => self.debug += 1,
            LineLevel::Info => self.info += 1,
            LineLevel::Warn => self.warn += 1,
            LineLevel::Error => self.error += 1,
        }
    }
}

impl Lasting {
    /// The place is gone. Whoever comes here later has nothing of those before but the count of their lives.
    pub(super) fn leave(&mut self) {
        (self.standing, self.ordered_down, self.crashes) = (Standing::Away, false, 0);
    }
}

impl Member {
    pub(super) fn new(plan: &Plan, member: &MemberPlan) -> Member {
        let settings = &plan.settings;
        Member {
            profile: member.profile(plan.kestra),
            key: name_key(&member.name),
            common: Common {
                prefix: settings.metrics_prefix.clone(),
                tags: settings.metrics_tags.clone(),
                without_help: settings.metrics_descriptions == Some(false),
                off: settings.binders_off().filter_map(Binder::named).collect(),
            },
            lasting: Lasting {
                standing: if member.reserve { Standing::Away } else { Standing::Here },
                ..Lasting::default()
            },
            process: None,
            plan: Arc::new(member.clone()),
        }
    }

    /// A new process begins to start up here: nothing of the one before is left but what belongs to the place.
    pub(super) fn start(&mut self, seed: Seed, now: Instant) -> &mut Process {
        if let Some(version) = self.lasting.version.take() {
            self.profile = version;
        }
        let nature = Nature {
            grace: self.plan.grace,
            closes_at_once: self.profile.has(Quirk::ClosesAtOnce),
            stops_by_force: self.profile.has(Quirk::StopsByForce),
            lingers: self.profile.has(Quirk::LingersWithoutDatabase),
            has_database: self.has_database(),
            draws: (seed, self.key, self.lasting.life),
        };
        let registry = Registry::configured(self.profile, self.plan.role, now, self.common.clone());
        self.process.insert(Process {
            course: Course::new(nature),
            after: AfterExit::Policy,
            started: now,
            up_since: now,
            meters: Meters::new(registry),
            jvm: Jvm::new(self.plan.role, self.draw_key(), self.plan.heap, now),
            polling: Polling::new(now),
            worker: Worker::new(self.plan.threads),
            logged: Logged { info: 11, warn: 4, error: 0, debug: 0, trace: 0 },
            http_requests: 0,
            last_ready_loop: Instant::NEVER,
            loop_began: None,
            batch: None,
            memory_forecast: 0,
            threads: Threads::default(),
            loggers: BTreeMap::new(),
            refreshed: false,
            kept_connections: Integral::starting(now, 0.0),
        })
    }

    /// The key of what its present process draws when it is looked at.
    pub(super) fn draw_key(&self) -> u64 {
        self.key ^ u64::from(self.lasting.life).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The process is gone: what was left of it, and after which pause another one is started, if one is.
    pub(super) fn end(&mut self, now: Instant) -> Option<(Process, Option<Duration>)> {
        let process = self.process.take()?;
        let lasting = &mut self.lasting;
        lasting.life += 1;
        let came_up = process.course.came_up();
        if came_up {
            lasting.ended = Some((now, process.shutdown().is_some()));
        }
        let settled = came_up && now.since(process.up_since) > Duration::minutes(10);
        lasting.crashes = if settled { 1 } else { lasting.crashes + 1 };
        if lasting.standing == Standing::Leaving {
            lasting.leave();
        }
        let pause = match (process.after, self.plan.restart) {
            _ if lasting.ordered_down || lasting.levels.held_down || lasting.standing != Standing::Here => None,
            (AfterExit::Start, _) => Some(Duration::ZERO),
            (AfterExit::Policy, Restart::Never) => None,
            (AfterExit::Policy, Restart::After(pause)) => Some(pause),
            (AfterExit::Policy, Restart::Kubernetes) => Some(back_off(lasting.crashes)),
        };
        Some((process, pause))
    }

    /// Its plan: name, role, threads, heap.
    pub fn plan(&self) -> &MemberPlan {
        &self.plan
    }
    /// Its name.
    pub fn name(&self) -> &str {
        &self.plan.name
    }
    /// What it runs.
    pub fn role(&self) -> Role {
        self.plan.role
    }
    /// Its version's profile.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }
    /// The key of its draws.
    pub(super) fn key(&self) -> u64 {
        self.key
    }
    /// Its process, when there is one: also one that starts up, stands still or shuts down.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }
    /// What its ports do with a connection.
    pub fn port(&self) -> Port {
        match self.process.as_ref().map_or(Port::Refused, |process| process.course.port()) {
            Port::Open if self.deaf() => Port::Frozen,
            port => port,
        }
    }
    /// How many processes it had before this one. A change tells that open connections were reset.
    pub fn life(&self) -> u32 {
        self.lasting.life
    }
    /// The meters of its process.
    pub fn registry(&self) -> Option<&Registry> {
        self.process.as_ref().map(Process::registry)
    }
    /// Whether its process has a database: workers that are given their jobs by a controller have none.
    pub fn has_database(&self) -> bool {
        self.plan.role != Role::Worker || !self.profile.has(Quirk::Controller)
    }
    /// Whether two of its threads are deadlocked.
    pub fn deadlocked(&self) -> bool {
        self.lasting.levels.deadlocked
    }
    /// Whether its ports accept and never answer though it moves.
    pub fn deaf(&self) -> bool {
        self.lasting.levels.deaf
    }
    /// Whether discovery tells the port of the application for that of its metrics.
    pub fn at_wrong_port(&self) -> bool {
        self.lasting.levels.wrong_port
    }
    /// Whether its disk is full.
    pub fn disk_full(&self) -> bool {
        self.lasting.levels.disk_full
    }
    /// Kestra's termination grace period.
    pub fn grace(&self) -> Duration {
        self.plan.grace
    }
    /// Jobs its worker holds but has not started.
    pub fn pending(&self) -> usize {
        self.process.as_ref().map_or(0, |process| process.worker.pending())
    }
    /// Jobs that run in its worker.
    pub fn running(&self) -> usize {
        self.process.as_ref().map_or(0, |process| process.worker.running().len())
    }

    /// Whether its process does its part of the cluster's work, if it reaches what it needs for it.
    pub(super) fn works(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.course.works())
    }
    /// Whether the thread of its process lives that reads a queue.
    pub(super) fn reads(&self, kind: QueueKind) -> bool {
        self.process.as_ref().is_some_and(|process| process.threads.reads(kind))
    }
    /// Whether the thread of its process lives that evaluates triggers.
    pub(super) fn schedules(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.threads.scheduler)
    }
    /// Whether its process is up and moves.
    pub(super) fn is_up(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.course.up())
    }
    /// Whether its threads run at all.
    pub(super) fn moves(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.course.moves())
    }
    /// Whether its process has come up, whatever became of it then.
    pub(super) fn came_up(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.course.came_up())
    }
    /// Whether its process met a fatal error and will exit.
    pub(super) fn doomed(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.course.doomed())
    }
    /// Whether somebody could start a process here.
    pub(super) fn may_start(&self) -> bool {
        let Lasting { levels, ordered_down, standing, .. } = &self.lasting;
        self.process.is_none() && !levels.held_down && !ordered_down && *standing == Standing::Here
    }
    /// Whether the place belongs to the cluster, and is not given up: the role has so many members.
    pub fn belongs(&self) -> bool {
        self.lasting.standing == Standing::Here
    }
    /// Whether nobody is there and nobody comes: the role is scaled to fewer members.
    pub fn is_away(&self) -> bool {
        self.lasting.standing == Standing::Away
    }

    /// Counts events of its process, or moves a gauge.
    #[inline(always)]
    pub(super) fn add(&mut self, meter: Meter, subject: Subject, amount: f64, plan: &Plan, now: Instant) {
        if let Some(process) = &mut self.process {
            process.meters.add(meter, subject, amount, plan, now);
        }
    }

    /// Records a time of its process.
    #[inline(always)]
    pub(super) fn record(&mut self, meter: Meter, subject: Subject, time: Duration, plan: &Plan, now: Instant) {
        if let Some(process) = &mut self.process {
            process.meters.record(meter, subject, time, plan, now);
        }
    }

    /// Something was done in its process: so many bytes allocated and processor seconds.
    pub(super) fn work(&mut self, bytes: f64, cpu: f64, now: Instant) {
        if let Some(process) = &mut self.process {
            process.jvm.work(bytes, cpu, now);
        }
    }
}

/// The kubelet's pause: none, then 10 s, 20 s, 40 s ... up to five minutes.
fn back_off(crashes: u32) -> Duration {
    match crashes {
        0 | 1 => Duration::ZERO,
        n => Duration::seconds((10u64 << (n - 2).min(5)).min(300)),
    }
}

impl Process {
    /// When it started.
    pub fn started(&self) -> Instant {
        self.started
    }
    /// When its ports opened.
    pub fn up_since(&self) -> Instant {
        self.up_since
    }
    /// Its meters.
    pub fn registry(&self) -> &Registry {
        self.meters.registry()
    }
    /// Levels set over the management port; loggers that were only asked for have none.
    pub fn loggers(&self) -> &BTreeMap<String, Option<Level>> {
        &self.loggers
    }
    /// Whether `/refresh` was asked before.
    pub fn refreshed(&self) -> bool {
        self.refreshed
    }
    /// The shutdown under way after SIGTERM or `/stop`.
    pub fn shutdown(&self) -> Option<Shutdown> {
        self.course.shutdown()
    }
    /// How long a garbage collection still holds up all answers.
    pub fn paused_until(&self) -> Option<Instant> {
        self.course.paused_until()
    }

    /// Whether it has come up, whatever became of it then.
    pub(super) fn came_up(&self) -> bool {
        self.course.came_up()
    }
    /// Something comes to it.
    pub(super) fn on(&mut self, now: Instant, cause: Cause) -> Vec<Effect> {
        self.course.on(now, cause)
    }

    /// Whether it met a fatal error and will exit.
    pub(super) fn is_doomed(&self) -> bool {
        self.course.doomed()
    }
    /// A thread dies, and the process does not notice.
    pub(super) fn loses(&mut self, thread: Thread) {
        self.threads.die(thread);
    }
    /// Its threads that are dead.
    pub(super) fn threads(&self) -> Threads {
        self.threads
    }

    /// With which patience it waits for what it lost.
    pub(super) fn patience(&self) -> u32 {
        self.course.patience()
    }
    /// What it waits for is there again, or is lost anew.
    pub(super) fn new_patience(&mut self) -> u32 {
        self.course.new_patience()
    }

    /// Sets a logger, or creates one that was only asked for. False when there are too many.
    pub(super) fn set_logger(&mut self, logger: &str, level: Option<Option<Level>>) -> bool {
        if self.loggers.len() >= limits::LOGGERS && !self.loggers.contains_key(logger) {
            return false;
        }
        let entry = self.loggers.entry(logger.to_owned()).or_insert(None);
        if let Some(level) = level {
            *entry = level;
        }
        true
    }

    /// Sets the rates of what it does by itself, after something about it changed. `slowdown` is the database's, which the
    /// loop of its scheduler asks or does not.
    pub(super) fn pace(
        &mut self,
        (role, loop_reads): (Role, bool),
        slowdown: Option<f64>,
        (levels, now): (&Levels, Instant),
    ) {
        let moves = self.course.moves();
        let schedules = role.runs(Role::Scheduler) && self.course.up() && !self.threads.scheduler;
        // Loops that take longer than usual are counted one by one.
        let schedules = schedules && levels.triggers == 0;
        let polls = moves && !self.course.doomed() && self.threads.others();
        let reads_logs = self.threads.reads(QueueKind::LogEntry);
        self.polling.pace(Pace { slowdown, polls, reads_logs, schedules, loop_reads }, now);
        let running = if moves { self.worker.running().len() } else { 0 };
        self.jvm.load(running, if moves { 1.0 } else { 0.0 }, now);
    }

    /// Sets how fast its memory leaks. When it will be full, and which forecast this is.
    pub(super) fn leak(&mut self, levels: &Levels, now: Instant) -> Option<(Instant, u32)> {
        if !self.course.came_up() {
            return None;
        }
        let (heap, native) = (levels.leak, levels.native_leak);
        let (heap, native) = if self.course.moves() { (heap, native) } else { (0.0, 0.0) };
        self.jvm.leak(heap, native, now);
        self.memory_forecast += 1;
        self.jvm.full_at().map(|at| (at.max(now), self.memory_forecast))
    }

    /// Whether a forecast of its memory still holds.
    pub(super) fn is_forecast(&self, forecast: u32) -> bool {
        self.memory_forecast == forecast
    }
}
