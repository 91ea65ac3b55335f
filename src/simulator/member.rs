//! Members and the life of their processes: starting, running, shutting down, dying, and who starts them again.

use std::collections::{BTreeMap, VecDeque};

use super::database::{self, Database, Loss};
use super::event::{Event, ExitCause};
use super::integral::Integral;
use super::jvm::Jvm;
use super::liveness::Service;
use super::meters::{Meter, Meters, Subject};
use super::queue::QueueKind;
use super::worker::JobOrder;
use super::{DatabaseView, Level, Port, Simulation};
use crate::metrics::{Common, Registry};
use crate::profile::{Profile, Quirk, Role};
use crate::random::{name_key, noise};
use crate::scenario::{MemberPlan, Restart};
use crate::time::{Duration, Instant};

/// One member of the cluster and its current process.
#[derive(Debug)]
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
            meters: Meters::new(profile, Registry::configured(profile, plan.role, now, common.clone())),
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
    fn reborn(&mut self, now: Instant) {
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
    /// Starts a process.
    pub(super) fn boot(&mut self, member: usize) {
        let now = self.now;
        if self.members[member].phase != Phase::Dead {
            return;
        }
        self.members[member].reborn(now);
        let it = &mut self.members[member];
        it.phase = Phase::Booting;
        let mut draws = self.seed.numbered(it.key ^ name_key("boot"), u64::from(it.life));
        let boot = draws.log_normal(Duration::milliseconds(7_000), Duration::milliseconds(9_000));
        let life = it.life;
        let index = member as u32;
        self.note(format!("{} starts", self.members[member].plan.name));
        if self.database.slowdown().is_none() && !self.without_database(member) {
            let exit = Event::Exit { member: index, life, cause: ExitCause::NoDatabase };
            self.events.push(now + boot.times(0.6), exit);
        }
        self.events.push(now + boot, Event::Up { member: index, life });
    }

    /// A process is up: its port opens, it takes part.
    pub(super) fn up(&mut self, member: usize) {
        let now = self.now;
        if self.database.slowdown().is_none() && !self.without_database(member) {
            return self.exit(member, ExitCause::NoDatabase);
        }
        let it = &mut self.members[member];
        it.phase = Phase::Up;
        it.port = Port::Open;
        it.up_since = now;
        it.jvm = Jvm::new(it.plan.role, it.plan.heap, now);
        let life = it.life;
        self.services.push(Service::new(member, life, now));
        for (index, poller) in self.plan.pollers.iter().enumerate() {
            let phase = noise(self.members[member].key, index as u64 + 1);
            let at = next_on_grid(now, poller.every, phase);
            self.events.push(at, Event::Poll { member: member as u32, poller: index as u32, life });
        }
        if self.now > self.born {
            self.note(format!("{} is up", self.members[member].plan.name));
        }
        self.controller_changed();
        self.register_worker(member);
        self.pace(member);
        self.watch_memory(member);
        self.somebody_came(member);
    }

    /// What waits for a member of this kind goes on.
    pub(super) fn somebody_came(&mut self, member: usize) {
        for kind in QueueKind::ALL {
            self.kick(kind);
        }
        if self.members[member].plan.role.runs(Role::Scheduler) {
            self.schedule_triggers();
        }
        if self.members[member].plan.role.runs(Role::Executor) {
            self.schedule_liveness();
        }
    }

    /// Sets the rates of what a process does by itself, after something about it changed.
    pub(super) fn pace(&mut self, member: usize) {
        let (now, slowdown) = (self.now, self.database.slowdown());
        let it = &mut self.members[member];
        let rate = match slowdown {
            Some(slowdown) if it.moves() && !it.doomed => database::poll_rate(slowdown),
            _ => 0.0,
        };
        let slowdown = slowdown.unwrap_or(1.0);
        if slowdown >= it.poll_peak.0 || now.since(it.poll_peak.1) > Duration::minutes(3) {
            it.poll_peak = (slowdown, now);
        }
        it.polls.change(now, rate);
        it.poll_cost.change(now, rate * slowdown);
        let slow = if database::is_slow(slowdown) { rate } else { 0.0 };
        it.slow_polls.change(now, slow);
        it.slow_poll_cost.change(now, slow * slowdown);
        let schedules = it.plan.role.runs(Role::Scheduler) && it.moves() && it.phase == Phase::Up;
        it.scheduler_loops.change(now, if schedules && rate > 0.0 { 1.0 } else { 0.0 });
        let moves = if it.moves() { 1.0 } else { 0.0 };
        let running = if it.moves() { it.running.len() } else { 0 };
        it.jvm.load(running, moves, now);
    }

    /// Plans the end by a full heap, after the leak changed.
    pub(super) fn watch_memory(&mut self, member: usize) {
        let now = self.now;
        let it = &mut self.members[member];
        if !matches!(it.phase, Phase::Up | Phase::Stopping) {
            return;
        }
        it.jvm.leak(if it.moves() { it.leak_rate } else { 0.0 }, now);
        it.memory_generation += 1;
        if let Some(at) = it.jvm.full_at() {
            let (life, generation) = (it.life, it.memory_generation);
            self.events.push(at.max(now), Event::OutOfMemory { member: member as u32, life, generation });
        }
    }

    /// SIGTERM, or `POST /stop`.
    pub(super) fn terminate(&mut self, member: usize, by_endpoint: bool, after: AfterExit) {
        let now = self.now;
        let it = &mut self.members[member];
        match it.phase {
            Phase::Dead => return,
            // A process that has not come up yet ends at once.
            Phase::Booting => {
                it.after_exit = after;
                return self.exit(member, ExitCause::Stopped);
            }
            Phase::Stopping => {
                it.after_exit = after;
                // One that lingers without its database ends now.
                if it.shutdown.is_none() {
                    let exit = Event::Exit { member: member as u32, life: it.life, cause: ExitCause::Stopped };
                    self.events.push(now + Duration::seconds(3), exit);
                }
                return;
            }
            Phase::Up => {}
        }
        it.phase = Phase::Stopping;
        it.after_exit = after;
        it.shutdown = Some(Shutdown { since: now, by_endpoint, closing: false });
        let (grace, life) = (it.plan.grace, it.life);
        if it.profile.has(Quirk::ClosesAtOnce) {
            match by_endpoint {
                true => {
                    self.events.push(now + Duration::milliseconds(500), Event::Deaf { member: member as u32, life })
                }
                false => it.port = Port::Closing,
            }
        }
        // Tasks are cut off after ten seconds, and the process is gone three later (2.0 standalone/stop).
        let grace = match it.profile.has(Quirk::StopsByForce) {
            true => grace.min(Duration::seconds(10)) + Duration::seconds(3),
            false => grace,
        };
        self.note(format!("{} shuts down", self.members[member].plan.name));
        self.pace(member);
        self.controller_changed();
        let forced = Event::Exit { member: member as u32, life, cause: ExitCause::Forced };
        self.events.push(now + grace, forced);
        self.close_if_idle(member);
    }

    /// A process that shuts down and has no job left closes its ports, then exits.
    pub(super) fn close_if_idle(&mut self, member: usize) {
        let now = self.now;
        let it = &mut self.members[member];
        let Some(shutdown) = it.shutdown.as_mut() else { return };
        if shutdown.closing || !it.running.is_empty() || !it.pending.is_empty() {
            return;
        }
        shutdown.closing = true;
        let mut draws = self.seed.numbered(it.key ^ name_key("close"), u64::from(it.life));
        let (member, life) = (member as u32, it.life);
        // Recorded: SIGTERM closes at once when nothing runs, and exits after 1.7 to 3.2 s; after `/stop` the ports stay
        // open for some 2 s, exit after 2.6 s; once tasks had to be waited for, it is gone within a second.
        let waited = now.since(shutdown.since) > Duration::seconds(1);
        let at_once = it.profile.has(Quirk::ClosesAtOnce);
        let by_force = it.profile.has(Quirk::StopsByForce);
        let (closed, gone) = match (shutdown.by_endpoint, waited) {
            // Of a process that had nothing to do there is no recording.
            _ if by_force => (3_000, 3_000),
            // Recorded from 0.20.7: exit 1.5 s after SIGTERM, 2 s after the last task, 4 s after `/stop`.
            (true, _) if at_once => (1_600, 4_000),
            (false, true) if at_once => (100, 2_000),
            (false, false) if at_once => (100, 1_400 + draws.below(300)),
            (true, _) => (2_100, 2_600),
            (false, true) => (500, 1_000),
            (false, false) => (100, 1_700 + draws.below(1_500)),
        };
        if !shutdown.by_endpoint && !by_force {
            it.port = Port::Closing;
        }
        self.events.push(now + Duration::milliseconds(closed), Event::Closed { member, life });
        let exit = Event::Exit { member, life, cause: ExitCause::Stopped };
        self.events.push(now + Duration::milliseconds(gone), exit);
    }

    /// A process ends by itself.
    pub(super) fn exit(&mut self, member: usize, cause: ExitCause) {
        let name = &self.members[member].plan.name;
        self.note(format!("{name} exits with code {}: {}", cause.code(), cause.text()));
        self.end_process(member);
    }

    /// A process is gone. Its jobs are nobody's until the cluster gives them to somebody else.
    pub(super) fn end_process(&mut self, member: usize) {
        let now = self.now;
        self.truth.exits += 1;
        let orphans = self.take_jobs(member);
        let it = &mut self.members[member];
        let (life, was_stopping) = (it.life, it.shutdown.is_some());
        let was_up = matches!(it.phase, Phase::Up | Phase::Stopping);
        let lived = now.since(it.up_since);
        it.life += 1;
        it.phase = Phase::Dead;
        it.ended = was_up.then_some((now, was_stopping)).or(it.ended);
        it.port = Port::Refused;
        it.paused_until = None;
        it.crashes = if was_up && lived > Duration::minutes(10) { 1 } else { it.crashes + 1 };
        let after = std::mem::replace(&mut it.after_exit, AfterExit::Policy);
        let (restart, held, crashes, new_life) = (it.plan.restart, it.held, it.crashes, it.life);
        if was_up {
            self.unregister_worker(member);
            self.controller_changed();
            self.service_ended(member, life, orphans, was_stopping);
        }
        let pause = match (after, restart) {
            (AfterExit::Stay, _) | (AfterExit::Policy, Restart::Never) => None,
            (AfterExit::Start, _) => Some(Duration::ZERO),
            (AfterExit::Policy, Restart::After(pause)) => Some(pause),
            // The kubelet: at once, then 10 s, 20 s, 40 s ... up to five minutes.
            (AfterExit::Policy, Restart::Kubernetes) => Some(match crashes {
                0 | 1 => Duration::ZERO,
                n => Duration::seconds((10u64 << (n - 2).min(5)).min(300)),
            }),
        };
        if let (Some(pause), 0) = (pause, held) {
            self.events.push(now + pause, Event::Start { member: member as u32, life: new_life });
        }
    }

    /// The database went away: each process that uses it will die.
    pub(super) fn lose_database(&mut self, how: Loss) {
        for member in 0..self.members.len() {
            if self.without_database(member) {
                continue;
            }
            let it = &mut self.members[member];
            match it.phase {
                Phase::Up | Phase::Stopping => {
                    let mut draws = self.seed.numbered(it.key ^ name_key("database lost"), u64::from(it.life));
                    let lingers = it.profile.has(Quirk::LingersWithoutDatabase);
                    let lives = if lingers {
                        Some(database::ports_without(how, it.plan.role, &mut draws))
                    } else if it.profile.has(Quirk::OutlivesStall) {
                        database::life_of_survivor(how, it.plan.role, &mut draws)
                    } else {
                        Some(database::life_without(how, it.plan.role, it.running.len(), &mut draws))
                    };
                    it.log_warn += 10;
                    it.log_error += 1;
                    if let Some(lives) = lives {
                        // What waits for the pool to give up is saved by a database that comes back.
                        it.doomed |= how != Loss::Stalled && !(lingers && lives > Duration::seconds(10));
                        let (life, generation) = (it.life, it.loss_generation);
                        self.events.push(self.now + lives, Event::GivesUp { member: member as u32, life, generation });
                    }
                }
                Phase::Booting => {
                    let exit = Event::Exit { member: member as u32, life: it.life, cause: ExitCause::NoDatabase };
                    self.events.push(self.now + Duration::seconds(2), exit);
                }
                Phase::Dead => {}
            }
            self.pace(member);
        }
    }

    /// The database is back: a process that outlived a stall may have missed too much of it.
    pub(super) fn outlived(&mut self, member: usize, lost: Duration) {
        let it = &mut self.members[member];
        if !it.profile.has(Quirk::OutlivesStall) {
            return;
        }
        it.pool_timeouts += database::timeouts(lost);
        if let Some(lives) = database::life_after_stall(it.plan.role, lost) {
            let (life, generation) = (it.life, it.loss_generation);
            self.events.push(self.now + lives, Event::GivesUp { member: member as u32, life, generation });
        }
    }

    /// A process without its database gives up: it exits, or in some versions lingers with closed ports.
    pub(super) fn give_up(&mut self, member: usize) {
        if self.without_database(member) {
            return self.exit(member, ExitCause::NoController);
        }
        if !self.members[member].profile.has(Quirk::LingersWithoutDatabase) {
            return self.exit(member, ExitCause::DatabaseLost);
        }
        let lost = match self.database {
            Database::Lost { since, .. } => self.now.since(since),
            Database::Reachable(_) => Duration::ZERO,
        };
        self.note(format!("{} closes its ports: it lost its database", self.members[member].plan.name));
        let it = &mut self.members[member];
        (it.phase, it.port, it.doomed) = (Phase::Stopping, Port::Closing, true);
        let (role, life) = (it.plan.role, it.life);
        self.stall_jobs(member);
        self.service_silent(member);
        self.pace(member);
        if let Some(more) = database::lingers(role, lost) {
            let exit = Event::Exit { member: member as u32, life, cause: ExitCause::DatabaseLost };
            self.events.push(self.now + more, exit);
        }
    }

    /// Freezes a process (`hang`, a long collection) or lets it go on.
    pub(super) fn freeze(&mut self, member: usize) {
        self.stall_jobs(member);
        self.service_silent(member);
        self.controller_changed();
        self.pace(member);
        self.watch_memory(member);
    }

    /// A frozen process goes on, if nothing else holds it.
    pub(super) fn thaw(&mut self, member: usize) {
        if !self.members[member].moves() {
            return;
        }
        if self.service_answers_again(member) {
            self.controller_changed();
            self.resume_jobs(member);
            self.pace(member);
            self.watch_memory(member);
            self.somebody_came(member);
        } else {
            self.exit(member, ExitCause::Disconnected);
        }
    }

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
