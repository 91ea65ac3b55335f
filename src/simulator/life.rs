//! The life of processes as the cluster lives it: somebody starts one, it comes up, stands still, is told to stop, ends; what
//! follows for the others. What a process itself does of it is in `process`.

use super::Simulation;
use super::controller::GIVES_UP;
use super::database::{self, Database, Loss};
use super::event::{Event, ExitCause};
use super::grid::next_on_grid;
use super::happening::Happening;
use super::jobs::{known, stayed};
use super::jvm::Jvm;
use super::lines::LineAbout;
use super::member::AfterExit;
use super::process::{Cause, Effect};
use super::queue::{Message, QueueKind};
use super::worker::JobOrder;
use crate::profile::LineKind;
use crate::profile::{Quirk, Role};
use crate::random::{name_key, noise};
use crate::scenario::{DatabaseFault, Restart};
use crate::time::{Duration, Instant};

/// The startup probe of the official chart: 120 times, one a second; then SIGTERM.
const STARTUP_PROBE: Duration = Duration::seconds(120);

impl Simulation {
    /// Something comes to a process after a while, if it still lives then.
    fn will_come(&mut self, member: usize, at: Instant, cause: Cause) {
        let life = self.cluster.members[member].life();
        self.cx.events.push(at, Event::Comes { member: member as u32, life, cause });
    }

    /// Something comes to a process now; what follows from it happens.
    pub(super) fn comes(&mut self, member: usize, cause: Cause) {
        let now = self.cx.now;
        let Some(process) = &mut self.cluster.members[member].process else { return };
        for effect in process.on(now, cause) {
            match effect {
                Effect::After(delay, cause) => self.will_come(member, now + delay, cause),
                Effect::At(at, cause) => self.will_come(member, at, cause),
                Effect::ShutsDown => {
                    self.cx.tell(Happening::ShutsDown { member });
                    for kind in [LineKind::ShutdownSignal, LineKind::ShutdownInitiated] {
                        self.cluster.log(&mut self.cx, member, kind, LineAbout::Itself);
                    }
                }
                Effect::Slows => {
                    self.cluster.pace(&self.cx, member);
                    self.controller_changed();
                }
                Effect::MayBeIdle => self.close_if_idle(member),
                Effect::Lingers => self.lingers(member),
                Effect::Stands => self.stands(member),
                Effect::GoesOn => self.goes_on(member),
                Effect::Gone(cause) => self.exit(member, cause),
            }
            // What follows for a process that is gone follows for nobody.
            if self.cluster.members[member].process.is_none() {
                return;
            }
        }
    }

    /// Somebody starts a process.
    pub(super) fn boot(&mut self, member: usize) {
        let now = self.cx.now;
        let it = &mut self.cluster.members[member];
        if !it.may_start() {
            return;
        }
        let mut draws = self.cx.seed.numbered(it.key() ^ name_key("boot"), u64::from(it.life()));
        let boot = draws.log_normal(Duration::milliseconds(7_000), Duration::milliseconds(9_000));
        it.start(self.cx.seed, now);
        self.cx.tell(Happening::Starts { member });
        self.cluster.log_start(&mut self.cx, member);
        if self.misses_database(member) {
            self.will_come(member, now + boot.times(0.6), Cause::Exits(ExitCause::NoDatabase));
        }
        let levels = self.cluster.members[member].lasting.levels;
        if levels.start_fails {
            self.will_come(member, now + boot.times(0.6), Cause::Exits(ExitCause::CannotStart));
        }
        let boot = boot + levels.slow_start;
        if boot > STARTUP_PROBE && self.cluster.members[member].plan().restart == Restart::Kubernetes {
            self.will_come(member, now + STARTUP_PROBE, Cause::Exits(ExitCause::StartupProbe));
        }
        self.will_come(member, now + boot, Cause::ComesUp);
        if self.cluster.members[member].lasting.levels.hung {
            self.comes(member, Cause::Hangs);
        }
    }

    /// A member whose process has always been there.
    pub(super) fn begin_up(&mut self, member: usize) {
        self.cluster.members[member].start(self.cx.seed, self.cx.now);
        self.comes_up(member);
    }

    fn misses_database(&self, member: usize) -> bool {
        self.cx.database.slowdown().is_none() && !self.cluster.without_database(member)
    }

    /// A process has started up: its port opens, it takes part.
    pub(super) fn comes_up(&mut self, member: usize) {
        if self.misses_database(member) {
            return self.comes(member, Cause::Exits(ExitCause::NoDatabase));
        }
        self.comes(member, Cause::ComesUp);
        if !self.cluster.members[member].came_up() {
            return;
        }
        let now = self.cx.now;
        let it = &mut self.cluster.members[member];
        let (role, life, key, draw_key, heap) = (it.role(), it.life(), it.key(), it.draw_key(), it.plan().heap);
        let Some(process) = &mut it.process else { return };
        process.up_since = now;
        process.jvm = Jvm::new(role, draw_key, heap, now);
        self.liveness.joins(&self.cx, member, life);
        for index in 0..self.cx.plan.pollers.len() {
            let every = self.cx.plan.pollers[index].every;
            let at = next_on_grid(now, every, noise(key, index as u64 + 1));
            self.cx.events.push(at, Event::Poll { member: member as u32, poller: index as u32, life });
        }
        if now > self.cx.born {
            self.cx.tell(Happening::ComesUp { member });
        }
        self.cluster.log_up(&mut self.cx, member);
        self.controller_changed();
        self.register_worker(member);
        self.cluster.pace(&self.cx, member);
        self.cluster.watch_memory(&mut self.cx, member);
        self.keeps_connections(member);
        if self.cluster.members[member].lasting.levels.triggers > 0 {
            self.evaluates_more(member);
        } else if role.runs(Role::Scheduler) {
            self.loops_take();
        }
        if self.cluster.members[member].lasting.levels.hung {
            return self.comes(member, Cause::Hangs);
        }
        self.somebody_came(member);
    }

    /// What waits for a member of this kind goes on.
    fn somebody_came(&mut self, member: usize) {
        for kind in QueueKind::ALL {
            self.cluster.kick(&mut self.cx, kind);
        }
        let role = self.cluster.members[member].role();
        if role.runs(Role::Scheduler) {
            self.scheduler.plan_all(&mut self.cx);
        }
        if role.runs(Role::Executor) {
            self.liveness.plan(&mut self.cx);
        }
    }

    /// SIGTERM, or `POST /stop`; what follows when the process is gone.
    pub(super) fn terminate(&mut self, member: usize, by_endpoint: bool, after: AfterExit) {
        if let Some(process) = &mut self.cluster.members[member].process {
            process.after = after;
        }
        let stopped = self.cluster.stop_listening(&mut self.cx, member);
        self.comes(member, Cause::Terminated { by_endpoint });
        for order in stopped {
            let again = Message::Job(JobOrder { resubmitted: true, ..order });
            self.cluster.send(&mut self.cx, QueueKind::WorkerJob, again);
        }
    }

    /// A process that shuts down and has no job left closes.
    pub(super) fn close_if_idle(&mut self, member: usize) {
        let process = self.cluster.members[member].process();
        if process.is_some_and(|process| process.shutdown().is_some() && process.worker.is_idle()) {
            self.comes(member, Cause::Idle);
        }
    }

    /// A queue thread of a process meets an error that it does not survive: it takes nothing more, and exits after a while.
    fn meets_fatal_error(&mut self, member: usize, lives: Duration, cause: ExitCause) {
        let now = self.cx.now;
        let it = &mut self.cluster.members[member];
        let Some(process) = it.process.as_ref().filter(|process| process.came_up()) else { return };
        if process.is_doomed() {
            return;
        }
        self.cluster.log(&mut self.cx, member, LineKind::QueueFatal, LineAbout::Broken(0));
        self.comes(member, Cause::Doomed);
        self.will_come(member, now + lives, Cause::Exits(cause));
        self.cluster.pace(&self.cx, member);
    }

    /// A process takes a message that it cannot digest. It is gone as soon as one whose queue threads lose the database.
    pub(super) fn chokes(&mut self, member: usize) {
        let it = &self.cluster.members[member];
        let mut draws = self.cx.seed.numbered(it.key() ^ name_key("poison"), u64::from(it.life()));
        let lives = database::life_without(Loss::Refused, Role::Executor, 0, &mut draws);
        self.meets_fatal_error(member, lives, ExitCause::Poisoned);
    }

    /// The database ends a query of a queue thread. The shutdown waits for pollers for thirty seconds, then is forced
    /// (reported of 1.3.26).
    pub(super) fn query_fails(&mut self, member: usize) {
        let it = &self.cluster.members[member];
        let mut draws = self.cx.seed.numbered(it.key() ^ name_key("query fails"), u64::from(it.life()));
        let lives = Duration::milliseconds(30_000 + draws.below(700));
        self.meets_fatal_error(member, lives, ExitCause::QueryFailed);
    }

    /// A process ends by itself.
    fn exit(&mut self, member: usize, cause: ExitCause) {
        if cause == ExitCause::Stopped {
            self.cluster.log(&mut self.cx, member, LineKind::ShutdownCompleted, LineAbout::Itself);
        }
        self.cx.tell(Happening::exits(member, cause));
        self.end_process(member);
    }

    /// A process is gone. Its jobs are nobody's until the cluster gives them to somebody else.
    pub(super) fn end_process(&mut self, member: usize) {
        let now = self.cx.now;
        let it = &mut self.cluster.members[member];
        let life = it.life();
        let Some((mut process, pause)) = it.end(now) else { return };
        let new_life = it.life();
        self.cx.truth.exits += 1;
        let mut orphans = known(&mut self.cx, process.worker.take_all());
        if process.came_up() {
            self.cluster.unregister_worker(&self.cx, member);
            self.controller_changed();
            let said_so = process.shutdown().is_some();
            if !said_so {
                orphans.extend(stayed(&mut self.cx, &mut process.worker));
            }
            self.liveness.ended(&mut self.cx, &self.cluster, (member, life), orphans, said_so);
        }
        self.cluster.leaves_batch(&mut self.cx, &process);
        self.frees_connections(process.kept_connections.at(now));
        if let Some(pause) = pause {
            self.cx.after(pause, Event::Start { member: member as u32, life: new_life });
        }
    }

    /// A process closed its ports and lives on, for some time at least.
    fn lingers(&mut self, member: usize) {
        let lost = self.cx.database.away(self.cx.now);
        self.cx.tell(Happening::ClosesPorts { member });
        self.stall_jobs(member);
        self.liveness.silent(&mut self.cx, &self.cluster, member);
        self.cluster.pace(&self.cx, member);
        if let Some(more) = database::lingers(self.cluster.members[member].role(), lost) {
            self.will_come(member, self.cx.now + more, Cause::Exits(ExitCause::DatabaseLost));
        }
    }

    fn stall_jobs(&mut self, member: usize) {
        if let Some(process) = &mut self.cluster.members[member].process {
            process.worker.stall(self.cx.now);
        }
    }

    /// A process stands still (`hang`, a long collection).
    fn stands(&mut self, member: usize) {
        self.stall_jobs(member);
        self.liveness.silent(&mut self.cx, &self.cluster, member);
        self.controller_changed();
        self.cluster.pace(&self.cx, member);
        self.cluster.watch_memory(&mut self.cx, member);
    }

    /// A process that stood still goes on.
    fn goes_on(&mut self, member: usize) {
        if !self.cluster.members[member].came_up() {
            return self.cluster.pace(&self.cx, member);
        }
        // A worker without a controller is not heard whatever it does.
        let heard = !self.cluster.without_database(member) || self.cluster.controller().is_some();
        if heard && !self.liveness.answers_again(&self.cx, &self.cluster, member) {
            return self.comes(member, Cause::Exits(ExitCause::Disconnected));
        }
        self.controller_changed();
        self.cluster.resume_jobs(&mut self.cx, member);
        self.cluster.pace(&self.cx, member);
        self.cluster.watch_memory(&mut self.cx, member);
        self.somebody_came(member);
    }

    /// A worker is up: it registers, or looks for somebody to register with.
    fn register_worker(&mut self, worker: usize) {
        if !self.cluster.controlled(worker) || !self.cluster.members[worker].role().runs(Role::Worker) {
            return;
        }
        match self.cluster.controller_of(worker) {
            Some(controller) => self.cluster.count_registered(&self.cx, controller),
            None => {
                // The cluster has never heard of it.
                let life = self.cluster.members[worker].life();
                self.liveness.forget(worker, life);
                self.search_controller(worker);
            }
        }
    }

    /// From now on the worker has some time to find a controller.
    fn search_controller(&mut self, worker: usize) {
        if let Some(process) = &mut self.cluster.members[worker].process {
            let patience = process.new_patience();
            self.will_come(worker, self.cx.now + GIVES_UP, Cause::GivesUp { patience });
        }
    }

    /// A process came, went or stands still: perhaps the workers have another controller now, or none.
    fn controller_changed(&mut self) {
        let controller = self.cluster.find_controller();
        if !self.cluster.link.connect(controller) {
            return;
        }
        for worker in 0..self.cluster.members.len() {
            if !self.cluster.without_database(worker) || !self.cluster.members[worker].came_up() {
                continue;
            }
            match controller {
                Some((controller, _)) => self.connects(worker, controller),
                None => {
                    self.cx.tell(Happening::LosesController { member: worker });
                    // Its heartbeats go through the controller too.
                    self.liveness.silent(&mut self.cx, &self.cluster, worker);
                    self.search_controller(worker);
                }
            }
        }
        self.cluster.kick(&mut self.cx, QueueKind::WorkerJob);
    }

    /// A worker has another controller. One that stands still does so when it goes on.
    fn connects(&mut self, worker: usize, controller: usize) {
        if let Some(process) = &mut self.cluster.members[worker].process {
            process.new_patience();
        }
        self.cluster.count_registered(&self.cx, controller);
        if !self.cluster.members[worker].moves() {
            return;
        }
        if !self.liveness.answers_again(&self.cx, &self.cluster, worker) {
            return self.comes(worker, Cause::Exits(ExitCause::Disconnected));
        }
        if self.cluster.can_report(&self.cx, worker) {
            self.cluster.resume_jobs(&mut self.cx, worker);
        }
    }

    /// The database is what the last fault in force makes of it.
    pub(super) fn set_database(&mut self, fault: Option<DatabaseFault>) {
        let was = self.cx.database;
        let now = self.cx.now;
        self.cx.database = was.under(fault, now);
        self.loops_take();
        match (was, self.cx.database) {
            (Database::Lost(before), Database::Lost(outage)) if before == outage => {}
            (_, Database::Lost(outage)) => {
                (0..self.cluster.members.len()).for_each(|member| self.loses_database(member, outage.how));
            }
            (Database::Lost(_), Database::Reachable(_)) => self.database_returns(was.away(now)),
            (Database::Reachable(_), Database::Reachable(_)) => {
                (0..self.cluster.members.len()).for_each(|member| self.cluster.pace(&self.cx, member));
            }
        }
    }

    /// The database went away: a process that uses it will die.
    fn loses_database(&mut self, member: usize, how: Loss) {
        if self.cluster.without_database(member) {
            return;
        }
        let it = &mut self.cluster.members[member];
        let (profile, role, running) = (it.profile(), it.role(), it.running());
        let mut draws = self.cx.seed.numbered(it.key() ^ name_key("database lost"), u64::from(it.life()));
        let Some(process) = &mut it.process else { return };
        if !process.came_up() {
            self.will_come(member, self.cx.now + Duration::seconds(2), Cause::Exits(ExitCause::NoDatabase));
            return;
        }
        let lingers = profile.has(Quirk::LingersWithoutDatabase);
        let lives = if lingers {
            Some(database::ports_without(how, role, &mut draws))
        } else if profile.has(Quirk::OutlivesStall) {
            database::life_of_survivor(how, role, &mut draws)
        } else {
            Some(database::life_without(how, role, running, &mut draws))
        };
        let patience = process.patience();
        for connection in 0..10 {
            self.cluster.log(&mut self.cx, member, LineKind::ConnectionLost, LineAbout::Broken(connection));
        }
        self.cluster.log(&mut self.cx, member, LineKind::QueueFatal, LineAbout::Broken(0));
        if let Some(lives) = lives {
            // What waits for the pool to give up is saved by a database that comes back.
            if how != Loss::Stalled && !(lingers && lives > Duration::seconds(10)) {
                self.comes(member, Cause::Doomed);
            }
            self.will_come(member, self.cx.now + lives, Cause::GivesUp { patience });
        }
        self.cluster.pace(&self.cx, member);
    }

    /// The database is back after so long.
    fn database_returns(&mut self, away: Duration) {
        for member in 0..self.cluster.members.len() {
            self.outlived(member, away);
            if self.cluster.members[member].moves()
                && !self.cluster.members[member].doomed()
                && self.cluster.can_report(&self.cx, member)
            {
                self.cluster.resume_jobs(&mut self.cx, member);
            }
            self.cluster.pace(&self.cx, member);
        }
        for member in 0..self.cluster.members.len() {
            if self.cluster.members[member].moves() {
                self.somebody_came(member);
            }
        }
    }

    /// A process that is there when the database comes back: threads that waited for a connection get one before their time
    /// is over, but where a process outlives a stall it may have missed too much of it.
    fn outlived(&mut self, member: usize, away: Duration) {
        let it = &mut self.cluster.members[member];
        if !it.has_database() {
            return;
        }
        let (role, doomed, survives) = (it.role(), it.doomed(), it.profile().has(Quirk::OutlivesStall));
        let Some(process) = it.process.as_mut().filter(|process| process.came_up()) else { return };
        if survives {
            process.polling.timed_out(database::timeouts(away));
        }
        if doomed {
            return;
        }
        let patience = process.new_patience();
        if let Some(lives) = database::life_after_stall(role, away).filter(|_| survives) {
            self.will_come(member, self.cx.now + lives, Cause::GivesUp { patience });
        }
    }
}
