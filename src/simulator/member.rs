//! Members: what there is of a process at an instant, and what it counts.

use std::collections::{BTreeMap, VecDeque};

use super::event::Event;
use super::integral::Integral;
use super::jvm::Jvm;
use super::meters::{Meter, Meters, Subject};
use super::worker::JobOrder;
use super::{DatabaseView, Level, Port, Simulation};
use crate::metrics::{Common, Registry};
use crate::profile::{Profile, Quirk, Role};
use crate::random::{name_key, noise};
use crate::scenario::MemberPlan;
use crate::time::{Duration, Instant};

/// One member of the cluster and its current process.
#[derive(Clone, Debug)]
pub struct Member {
    pub(super) plan: MemberPlan,
    pub(super) profile: &'static Profile,
    /// The key of its draws.
    pub(super) key: u64,
    pub(super) life: u32,
    pub(super) phase: Phase,
    pub(super) port: Port,
    pub(super) started: Instant,
    pub(super) up_since: Instant,
    /// Faults that freeze it.
    pub(super) frozen: u32,
    pub(super) paused_until: Option<Instant>,
    /// Faults that keep it from being started again.
    pub(super) held: u32,
    /// Its queue threads met a fatal error: it takes no more messages and will exit.
    pub(super) doomed: bool,
    /// Changes when a database comes back in time.
    pub(super) loss_generation: u32,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) after_exit: AfterExit,
    /// When the process before this one ended, and whether it said so.
    pub(super) ended: Option<(Instant, bool)>,
    /// Restarts in a row without ten minutes of life.
    pub(super) crashes: u32,
    pub(super) meters: Meters,
    /// What is configured for all meters; a new process has it too.
    common: Common,
    pub(super) jvm: Jvm,
    pub(super) polls: Integral,
    pub(super) poll_cost: Integral,
    pub(super) poll_peak: (f64, Instant),
    /// Polls that took longer than 2.0 begins to measure at, counted and weighted as the others.
    pub(super) slow_polls: Integral,
    pub(super) slow_poll_cost: Integral,
    /// Requests for a connection that timed out in outages that are over.
    pub(super) pool_timeouts: f64,
    pub(super) scheduler_loops: Integral,
    pub(super) last_ready_loop: Instant,
    /// Jobs that run, oldest first.
    pub(super) running: Vec<u32>,
    pub(super) pending: VecDeque<JobOrder>,
    pub(super) worker_pool: usize,
    pub(super) worker_completed: u64,
    pub(super) worker_busy: Duration,
    pub(super) http_requests: u64,
    pub(super) log_info: u64,
    pub(super) log_warn: u64,
    pub(super) log_error: u64,
    pub(super) leak_rate: f64,
    pub(super) memory_generation: u32,
    pub(super) loggers: BTreeMap<String, Option<Level>>,
    pub(super) refreshed: bool,
    pub(super) deadlocked: bool,
    pub(super) disk_full: bool,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    Dead,
    /// Starts up, its port is closed.
    Booting,
    /// Works.
    Up,
    /// Was told to stop: takes nothing new, finishes what it has.
    Stopping,
}

/// A shutdown under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Since when.
    pub since: Instant,
    /// Whether `POST /stop` asked for it, and not SIGTERM.
    pub by_endpoint: bool,
    /// It has nothing left to do and closes.
    pub(super) closing: bool,
}

/// What follows when the process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterExit {
    /// The restart policy decides.
    Policy,
    /// It stays away.
    Stay,
    /// It is started at once.
    Start,
}

impl Member {
    pub(super) fn new(plan: MemberPlan, profile: &'static Profile, common: Common, now: Instant) -> Member {
        Member {
            key: name_key(&plan.name),
            life: 0,
            phase: Phase::Dead,
            port: Port::Refused,
            started: now,
            up_since: now,
            frozen: 0,
            paused_until: None,
            held: 0,
            doomed: false,
            loss_generation: 0,
            shutdown: None,
            after_exit: AfterExit::Policy,
            ended: None,
            crashes: 0,
            meters: Meters::new(Registry::configured(profile, plan.role, now, common.clone())),
            common,
            jvm: Jvm::new(plan.role, plan.heap, now),
            polls: Integral::starting(now, 0.0),
            poll_cost: Integral::starting(now, 0.0),
            poll_peak: (1.0, now),
            slow_polls: Integral::starting(now, 0.0),
            slow_poll_cost: Integral::starting(now, 0.0),
            pool_timeouts: 0.0,
            scheduler_loops: Integral::starting(now, 0.0),
            last_ready_loop: Instant::NEVER,
            running: Vec::new(),
            pending: VecDeque::new(),
            worker_pool: 0,
            worker_completed: 0,
            worker_busy: Duration::ZERO,
            http_requests: 0,
            log_info: 11,
            log_warn: 4,
            log_error: 0,
            leak_rate: 0.0,
            memory_generation: 0,
            loggers: BTreeMap::new(),
            refreshed: false,
            deadlocked: false,
            disk_full: false,
            plan,
            profile,
        }
    }

    /// A new process in the same place: nothing of the old one is left but what belongs to the member.
    pub(super) fn reborn(&mut self, now: Instant) {
        let fresh = Member::new(self.plan.clone(), self.profile, self.common.clone(), now);
        let old = std::mem::replace(self, fresh);
        (self.life, self.frozen, self.held, self.crashes) = (old.life, old.frozen, old.held, old.crashes);
        (self.leak_rate, self.memory_generation) = (old.leak_rate, old.memory_generation + 1);
        (self.deadlocked, self.disk_full, self.ended) = (old.deadlocked, old.disk_full, old.ended);
    }

    /// Its plan: name, role, threads, heap.
    pub fn plan(&self) -> &MemberPlan {
        &self.plan
    }
    /// What it runs.
    pub fn role(&self) -> Role {
        self.plan.role
    }
    /// Its version's profile.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }
    /// What its ports do with a connection.
    pub fn port(&self) -> Port {
        if self.frozen > 0 && self.port == Port::Open { Port::Frozen } else { self.port }
    }
    /// When its process started.
    pub fn started(&self) -> Instant {
        self.started
    }
    /// When its ports opened.
    pub fn up_since(&self) -> Instant {
        self.up_since
    }
    /// How many processes it had before this one. A change tells that open connections were reset.
    pub fn life(&self) -> u32 {
        self.life
    }
    /// The meters of its process.
    pub fn registry(&self) -> &Registry {
        self.meters.registry()
    }
    /// Levels set over the management port; loggers that were only asked for have none.
    pub fn loggers(&self) -> &BTreeMap<String, Option<Level>> {
        &self.loggers
    }
    /// Whether its process has a database: workers that are given their jobs by a controller have none.
    pub fn has_database(&self) -> bool {
        self.plan.role != Role::Worker || !self.profile.has(Quirk::Controller)
    }
    /// Whether two of its threads are deadlocked.
    pub fn deadlocked(&self) -> bool {
        self.deadlocked
    }
    /// Whether its disk is full.
    pub fn disk_full(&self) -> bool {
        self.disk_full
    }
    /// Whether `/refresh` was asked before in this life.
    pub fn refreshed(&self) -> bool {
        self.refreshed
    }
    /// The shutdown under way after SIGTERM or `/stop`.
    pub fn shutdown(&self) -> Option<Shutdown> {
        self.shutdown
    }
    /// Since when it shuts down after SIGTERM or `/stop`.
    pub fn stopping_since(&self) -> Option<Instant> {
        self.shutdown.map(|shutdown| shutdown.since)
    }
    /// How long a garbage collection still holds up all answers.
    pub fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }
    /// Kestra's termination grace period.
    pub fn grace(&self) -> Duration {
        self.plan.grace
    }
    /// Jobs its worker holds but has not started.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
    /// Jobs that run in its worker.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether its threads run at all.
    pub(super) fn moves(&self) -> bool {
        matches!(self.phase, Phase::Up | Phase::Stopping) && self.frozen == 0 && self.paused_until.is_none()
    }
}

impl Simulation {
    /// A declared poller asks a member: what a real server would count of it.
    pub(super) fn poll(&mut self, member: usize, poller: usize) {
        let Some(declared) = self.plan.pollers.get(poller) else { return };
        let (path, every) = (declared.path.as_str(), declared.every);
        let it = &mut self.members[member];
        let life = it.life;
        let stalled = matches!(self.database.view(), DatabaseView::Stalled { .. });
        let refused = matches!(self.database.view(), DatabaseView::Refused { .. });
        let reads_settings = it.profile.has(Quirk::RequestsReadSettings) && it.plan.role.runs(Role::Webserver);
        let lost = self.database.slowdown().is_none();
        let asks = path.starts_with("/health") && path != "/health/liveness";
        let needs_database = asks && !self.without_database(member);
        let it = &mut self.members[member];
        // A request that hangs is never counted: the process dies before it ends.
        if it.port() == Port::Open && it.moves() && !(stalled && needs_database) && !(lost && reads_settings) {
            let down = match path {
                "/health/liveness" => it.deadlocked,
                "/health/readiness" => refused && needs_database,
                "/health" => it.deadlocked || refused && needs_database,
                _ => false,
            };
            let (route, time) = match (path, down) {
                ("/prometheus", _) => (2, 12),
                ("/health", false) => (3, 4),
                ("/health", true) => (4, 4),
                ("/health/liveness" | "/health/readiness", false) => (5, 3),
                ("/health/liveness" | "/health/readiness", true) => (6, 3),
                _ => (7, 1),
            };
            let spread =
                0.6 + 0.8 * noise(it.key ^ 0x9011, self.now.as_nanoseconds() as u64 / crate::time::MILLISECOND);
            it.http_requests += 1;
            let time = Duration::milliseconds(time).times(spread);
            it.meters.record(Meter::HttpRequest, Subject::Route(route), time, &self.plan, self.now);
        }
        self.events.push(self.now + every, Event::Poll { member: member as u32, poller: poller as u32, life });
    }

    /// Counts an event of a member's process.
    pub(super) fn count(&mut self, member: usize, meter: Meter, subject: Subject) {
        self.count_many(member, meter, subject, 1.0);
    }

    /// Counts several events of a member's process, or moves a gauge.
    pub(super) fn count_many(&mut self, member: usize, meter: Meter, subject: Subject, amount: f64) {
        self.members[member].meters.add(meter, subject, amount, &self.plan, self.now);
    }

    /// Records a time of a member's process.
    pub(super) fn time(&mut self, member: usize, meter: Meter, subject: Subject, time: Duration) {
        self.members[member].meters.record(meter, subject, time, &self.plan, self.now);
    }
}

/// The next instant after `now` on a grid of `every` whose phase is a share of it.
pub(super) fn next_on_grid(now: Instant, every: Duration, phase: f64) -> Instant {
    let every_ns = i128::from(every.as_nanoseconds().max(1));
    let phase_ns = (every.as_nanoseconds() as f64 * phase) as i128;
    let since = (i128::from(now.as_nanoseconds()) - phase_ns).rem_euclid(every_ns);
    now + Duration::nanoseconds((every_ns - since) as u64)
}
