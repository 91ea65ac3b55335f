//! What someone sees who looks at a process: the value of every probe, as formulas of the state at this instant.

use std::cell::LazyCell;

use super::Simulation;
use super::controller::Held;
use super::database::{self, Database, Loss, Outage, POOL};
use super::jvm::Jvm;
use super::member::{Member, Process};
use super::queue::QueueKind;
use crate::metrics::Look;
use crate::profile::{Probe, Probes, Quirk, Role};
use crate::random::noise;

impl Simulation {
    /// The probes of a member's process at the current instant; all zero when there is none.
    pub fn look(&self, member: usize) -> Look {
        self.look_at(member, Probes::ALL)
    }

    /// The same of some probes; the others are zero.
    pub(crate) fn look_at(&self, member: usize, wanted: Probes) -> Look {
        let found = self.cluster.members.get(member).and_then(|it| Some((it, it.process()?)));
        let Some((it, process)) = found else { return Look::at(self.cx.now) };
        let mut look = Look::of(it.draw_key(), self.cx.now, wanted);
        let jvm = process.jvm.seen(self.cx.now);
        self.look_at_processor(it, process, &jvm, &mut look);
        self.look_at_memory(it, process, &jvm, &mut look);
        self.look_at_database(it, process, &mut look);
        look_at_threads(it, process, &mut look);
        look_at_readers(process, &mut look);
        self.look_at_work(member, it, process, &mut look);
        look
    }

    fn look_at_processor(&self, it: &Member, process: &Process, jvm: &Jvm, look: &mut Look) {
        let now = self.cx.now;
        // Noise changes once a second.
        let second = now.as_nanoseconds().div_euclid(crate::time::SECOND as i64) as u64;
        let noise = |salt: u64| noise(it.key() ^ salt, second);
        look.set(Probe::Uptime, || now.since(process.started()).as_milliseconds() as f64 / 1000.0);
        look.set(Probe::StartTime, || self.cx.calendar.date(process.started()).as_millisecond() as f64 / 1000.0);
        look.set(Probe::CpuTime, || f64::floor(jvm.cpu_seconds(now) * 100.0) * 1e7);
        let cpu = || jvm.cpu_rate(now) / 2.0 * (0.7 + 0.6 * noise(1));
        look.set(Probe::CpuUsage, || cpu().clamp(0.0, 1.0));
        look.set(Probe::SystemCpuUsage, || (cpu() * 1.2 + 0.02 * noise(2)).clamp(0.0, 1.0));
        look.set(Probe::LoadAverage, || {
            // Linux reckons the load in steps of 1/2048 each five seconds.
            let load = jvm.cpu_rate(now) * 1.3 + 0.15 * crate::random::noise(it.key() ^ 3, second / 5);
            f64::floor(load * 2048.0) / 2048.0
        });
        look.set(Probe::CpuCount, || 2.0);
        look.set(Probe::OpenFiles, || 304.0);
    }

    fn look_at_memory(&self, it: &Member, process: &Process, jvm: &Jvm, look: &mut Look) {
        let now = self.cx.now;
        look.set(Probe::HeapMax, || it.plan().heap as f64);
        look.set(Probe::EdenUsed, || jvm.eden_used(now));
        look.set(Probe::EdenCommitted, || jvm.eden_committed(now));
        look.set(Probe::SurvivorUsed, || jvm.survivor_used(now));
        look.set(Probe::SurvivorCommitted, || f64::ceil(jvm.survivor_used(now) / 1_048_576.0) * 1_048_576.0);
        look.set(Probe::OldUsed, || jvm.old_used(now));
        look.set(Probe::OldCommitted, || jvm.old_committed(now));
        look.set(Probe::DirectBuffers, || jvm.native_used(now));
        look.set(Probe::LiveData, || jvm.old_used(now));
        look.set(Probe::Allocated, || jvm.allocated(now));
        look.set(Probe::Promoted, || jvm.promoted(now));
        look.set(Probe::GcCount, || jvm.collections(now));
        look.set(Probe::GcSeconds, || jvm.collection_seconds(now));
        look.set(Probe::GcMax, || jvm.longest_collection(now));
        look.set(Probe::ConcurrentCount, || jvm.concurrent(now));
        look.set(Probe::ConcurrentSeconds, || f64::round(jvm.concurrent(now) * 10.0) / 1000.0);
        look.set(Probe::ConcurrentMax, || 0.0);
        let classes = || jvm.classes(now, process.started());
        look.set(Probe::ClassesLoaded, classes);
        look.set(Probe::Metaspace, || f64::floor(classes() * 6_466.0));
    }

    fn look_at_database(&self, it: &Member, process: &Process, look: &mut Look) {
        let (now, polling) = (self.cx.now, &process.polling);
        let pool = LazyCell::new(|| self.pool(it, process));
        look.set(Probe::PoolTotal, || pool.total);
        look.set(Probe::PoolActive, || pool.active);
        look.set(Probe::PoolIdle, || pool.total - pool.active);
        look.set(Probe::PoolPending, || pool.pending);
        look.set(Probe::PoolTimeouts, || match self.cx.database {
            Database::Lost(_) if it.profile().has(Quirk::OutlivesStall) => {
                polling.timeouts() + database::timeouts(self.cx.database.away(now))
            }
            _ => polling.timeouts(),
        });
        look.set(Probe::PoolCreated, || 0.0);
        look.set(Probe::Polls, || polling.polls(now));
        look.set(Probe::PollCost, || polling.cost(now));
        let peak = polling.peak(self.cx.slowdown(), now);
        look.set(Probe::PollPeak, || peak);
        look.set(Probe::SlowPolls, || polling.slow_polls(now));
        look.set(Probe::SlowPollCost, || polling.slow_cost(now));
        look.set(Probe::SlowPollPeak, || if database::is_slow(peak) { peak } else { 0.0 });
        look.set(Probe::LogPolls, || polling.log_polls(now));
        look.set(Probe::LogPollCost, || polling.log_cost(now));
        look.set(Probe::LogPollPeak, || if polling.remembers_logs(now) { peak } else { 0.0 });
        let loops = || f64::floor(polling.scheduler_loops(now));
        look.set(Probe::SchedulerLoops, loops);
        // What is begun of the next one is not measured yet.
        look.set(Probe::SchedulerLoopCost, || polling.scheduler_cost(now) - (polling.scheduler_loops(now) - loops()));
    }

    fn look_at_work(&self, member: usize, it: &Member, process: &Process, look: &mut Look) {
        let (role, worker) = (it.role(), &process.worker);
        look.set(Probe::HttpRequests, || process.http_requests as f64);
        look.set(Probe::JobPending, || worker.pending() as f64);
        look.set(Probe::JobRunning, || worker.running().len() as f64);
        look.set(Probe::JobThreads, || worker.threads() as f64);
        look.set(Probe::WorkerPoolSize, || worker.pool() as f64);
        look.set(Probe::WorkerCompleted, || worker.completed() as f64);
        look.set(Probe::WorkerBusyTime, || worker.busy().as_nanoseconds() as f64);
        if it.profile().has(Quirk::Controller) {
            let held = LazyCell::new(|| match role.runs(Role::Controller) {
                true => self.cluster.held(member),
                false => Held::default(),
            });
            look.set(Probe::WorkerRoom, || self.cluster.room(member) as f64);
            let lived = || self.cx.now.since(process.started()).as_seconds_f64();
            look.set(Probe::WorkerPolls, || f64::floor(lived()));
            look.set(Probe::ControllerWorkers, || held.workers as f64);
            look.set(Probe::ControllerPermits, || held.permits as f64);
            look.set(Probe::ControllerInflight, || held.inflight as f64);
            look.set(Probe::ControllerCapacity, || held.capacity as f64);
        }
        // Twice the processors, whatever the role runs (recorded: 4 on 2 cores).
        look.set(Probe::ExecutorThreads, || 4.0);
        let start_lines = match role {
            Role::Webserver | Role::Standalone => 58,
            _ => 0,
        };
        look.set(Probe::LogInfo, || (process.logged.info + start_lines) as f64);
        look.set(Probe::LogWarn, || process.logged.warn as f64);
        look.set(Probe::LogError, || process.logged.error as f64);
        look.set(Probe::LogDebug, || process.logged.debug as f64);
        look.set(Probe::LogTrace, || process.logged.trace as f64);
    }

    /// How a member uses its connections.
    fn pool(&self, it: &Member, process: &Process) -> Pool {
        let (role, running) = (it.role(), process.worker.running().len());
        match self.cx.database {
            Database::Reachable(slowdown) if slowdown > 1.0 => {
                let (active, pending) = database::pool_use(role, running, slowdown);
                Pool { total: POOL, active: f64::round(active), pending: f64::round(pending) }
            }
            Database::Reachable(_) => {
                // An idle loop holds a connection for 2.65 ms in 78: now and then a look finds one in use.
                let (mean, _) = database::pool_use(role, running, 1.0);
                let busy = noise(it.key() ^ 0x9001, self.cx.now.as_nanoseconds() as u64);
                let active = f64::floor(mean) + if busy < mean - f64::floor(mean) { 1.0 } else { 0.0 };
                Pool { total: POOL, active: if process.came_up() { active.min(POOL) } else { 0.0 }, pending: 0.0 }
            }
            // Recorded: all connections busy, 10 threads wait at once, 13 after some seconds.
            Database::Lost(Outage { how: Loss::Stalled, since, .. }) => {
                let more = (self.cx.now.since(since).as_seconds_f64() / 3.0).min(3.0);
                Pool { total: POOL, active: POOL, pending: 10.0_f64.min(database::loops(role)) + f64::floor(more) }
            }
            Database::Lost(_) => Pool { total: 0.0, active: 0.0, pending: 4.0_f64.min(database::loops(role)) },
        }
    }
}

fn look_at_threads(it: &Member, process: &Process, look: &mut Look) {
    let now = look.now;
    let threads = LazyCell::new(|| process.jvm.threads(process.worker.pool(), now));
    let blocked = if it.deadlocked() { 2.0 } else { 0.0 };
    let runnable = 10.0;
    let waiting = || f64::floor((threads.live - runnable - blocked) * 0.06).max(0.0);
    look.set(Probe::ThreadsLive, || threads.live);
    look.set(Probe::ThreadsPeak, || threads.peak);
    look.set(Probe::ThreadsStarted, || threads.started);
    look.set(Probe::ThreadsRunnable, || runnable);
    look.set(Probe::ThreadsBlocked, || blocked);
    look.set(Probe::ThreadsWaiting, waiting);
    look.set(Probe::ThreadsTimedWaiting, || (threads.live - runnable - blocked - waiting()).max(0.0));
    look.set(Probe::ThreadsDeadlocked, || blocked);
}

/// Which of the threads that read queues live.
fn look_at_readers(process: &Process, look: &mut Look) {
    let threads = process.threads();
    for (probe, kind) in [
        (Probe::ReadsExecution, QueueKind::Execution),
        (Probe::ReadsWorkerJob, QueueKind::WorkerJob),
        (Probe::ReadsTaskResult, QueueKind::WorkerTaskResult),
        (Probe::ReadsTriggerResult, QueueKind::WorkerTriggerResult),
        (Probe::ReadsLogEntry, QueueKind::LogEntry),
        (Probe::ReadsConditionEvents, QueueKind::MultipleConditionEvent),
    ] {
        look.set(probe, || f64::from(u8::from(threads.reads(kind))));
    }
    look.set(Probe::ReadsOthers, || f64::from(u8::from(threads.others())));
}

struct Pool {
    total: f64,
    active: f64,
    pending: f64,
}
