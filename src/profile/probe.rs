//! The closed set of moving quantities a profile may name as the source of a series.

macro_rules! probes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A moving quantity of one process, computed by the simulator when someone looks. Profiles name it by its text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Probe { $($(#[doc = $doc])+ $name,)+ }

        impl Probe {
            /// All probes, in the order of their numbers.
            pub const ALL: &[Probe] = &[$(Probe::$name),+];
            /// How many there are.
            pub const COUNT: usize = Probe::ALL.len();
            /// The name a profile writes.
            pub const fn name(self) -> &'static str {
                match self { $(Probe::$name => $text),+ }
            }
            /// The probe of a name.
            pub fn named(name: &str) -> Option<Probe> {
                Probe::ALL.iter().copied().find(|probe| probe.name() == name)
            }
        }
    };
}

probes! {
    /// Seconds since the process started.
    Uptime = "process.uptime",
    /// Start of the process in seconds since 1970, with millisecond resolution.
    StartTime = "process.start",
    /// Share of the machine this process uses, 0 to 1.
    CpuUsage = "process.cpu.usage",
    /// Processor time used, in nanoseconds.
    CpuTime = "process.cpu.time",
    /// Open files.
    OpenFiles = "process.files.open",
    /// Processors.
    CpuCount = "system.cpu.count",
    /// Share of the machine in use, 0 to 1.
    SystemCpuUsage = "system.cpu.usage",
    /// Load average over one minute.
    LoadAverage = "system.load.1m",
    /// The heap's limit, in bytes.
    HeapMax = "heap.max",
    /// Bytes used in Eden.
    EdenUsed = "heap.eden.used",
    /// Bytes committed to Eden.
    EdenCommitted = "heap.eden.committed",
    /// Bytes used in the survivor space.
    SurvivorUsed = "heap.survivor.used",
    /// Bytes committed to the survivor space.
    SurvivorCommitted = "heap.survivor.committed",
    /// Bytes used in the old generation.
    OldUsed = "heap.old.used",
    /// Bytes committed to the old generation.
    OldCommitted = "heap.old.committed",
    /// Bytes of long-lived data after the last full look.
    LiveData = "heap.live",
    /// Bytes allocated, as of the last young collection.
    Allocated = "heap.allocated",
    /// Bytes promoted to the old generation.
    Promoted = "heap.promoted",
    /// Young collections.
    GcCount = "gc.pause.count",
    /// Seconds spent in them.
    GcSeconds = "gc.pause.sum",
    /// Longest of them in the last minutes, in seconds.
    GcMax = "gc.pause.max",
    /// Concurrent phases.
    ConcurrentCount = "gc.concurrent.count",
    /// Seconds spent in them.
    ConcurrentSeconds = "gc.concurrent.sum",
    /// Longest of them in the last minutes, in seconds.
    ConcurrentMax = "gc.concurrent.max",
    /// Live threads.
    ThreadsLive = "threads.live",
    /// Most live threads so far.
    ThreadsPeak = "threads.peak",
    /// Threads ever started.
    ThreadsStarted = "threads.started",
    /// Threads in state RUNNABLE.
    ThreadsRunnable = "threads.runnable",
    /// Threads in state BLOCKED.
    ThreadsBlocked = "threads.blocked",
    /// Threads in state WAITING.
    ThreadsWaiting = "threads.waiting",
    /// Threads in state TIMED_WAITING.
    ThreadsTimedWaiting = "threads.timed-waiting",
    /// Deadlocked threads.
    ThreadsDeadlocked = "threads.deadlocked",
    /// Loaded classes.
    ClassesLoaded = "classes.loaded",
    /// Bytes used in Metaspace.
    Metaspace = "metaspace.used",
    /// Connections of the pool.
    PoolTotal = "hikari.total",
    /// Connections in use.
    PoolActive = "hikari.active",
    /// Connections at rest.
    PoolIdle = "hikari.idle",
    /// Threads that wait for a connection.
    PoolPending = "hikari.pending",
    /// Requests for a connection that timed out.
    PoolTimeouts = "hikari.timeouts",
    /// Connections created since the pool was full for the first time.
    PoolCreated = "hikari.created",
    /// Seconds of idle polling done: the integral over the life of the process of how busily its loops ask the database
    /// (1 when the database answers at its normal speed, less when it is slow, 0 when it is away or the process hangs).
    Polls = "polls",
    /// The same, each second weighted by how many times longer than normal a query takes.
    PollCost = "polls.cost",
    /// How many times longer than normal a query took at worst in the last minutes.
    PollPeak = "polls.peak",
    /// Seconds of idle polling during which a query took longer than the 10 ms from which 2.0 measures it.
    SlowPolls = "polls.slow",
    /// The same, each second weighted as `polls.cost` is.
    SlowPollCost = "polls.slow.cost",
    /// `polls.peak` where that is slow in this sense, else 0.
    SlowPollPeak = "polls.slow.peak",
    /// `polls`, while the thread lives that reads the queue of log lines.
    LogPolls = "polls.log-entry",
    /// `polls.cost` of it.
    LogPollCost = "polls.log-entry.cost",
    /// `polls.peak` of it.
    LogPollPeak = "polls.log-entry.peak",
    /// 1 while the thread lives that reads the queue of executions, else 0.
    ReadsExecution = "thread.execution",
    /// The same of jobs.
    ReadsWorkerJob = "thread.worker-job",
    /// The same of results of tasks.
    ReadsTaskResult = "thread.worker-task-result",
    /// The same of results of triggers.
    ReadsTriggerResult = "thread.worker-trigger-result",
    /// The same of log lines.
    ReadsLogEntry = "thread.log-entry",
    /// The same of what triggers are asked that wait for several executions.
    ReadsConditionEvents = "thread.multiple-condition-event",
    /// 1 unless all such threads are dead.
    ReadsOthers = "thread.others",
    /// HTTP requests answered so far on both ports, those of the declared pollers.
    HttpRequests = "http.requests",
    /// Jobs the worker holds but has not started.
    JobPending = "worker.pending",
    /// Jobs (tasks and triggers) that run in the worker.
    JobRunning = "worker.running",
    /// Worker threads.
    JobThreads = "worker.threads",
    /// Threads of the worker's pool that exist by now.
    WorkerPoolSize = "worker.pool.size",
    /// Jobs the worker's pool has completed.
    WorkerCompleted = "worker.completed",
    /// Nanoseconds those jobs took, in all.
    WorkerBusyTime = "worker.busy",
    /// Jobs the worker would still take: it holds at most twice as many as it has threads (2.0).
    WorkerRoom = "worker.room",
    /// Times the worker's threads asked for a job, once a second (2.0).
    WorkerPolls = "worker.polls",
    /// Workers that are connected to this controller (2.0).
    ControllerWorkers = "controller.workers",
    /// Jobs those workers could begin at once.
    ControllerPermits = "controller.permits",
    /// Jobs those workers hold.
    ControllerInflight = "controller.inflight",
    /// Jobs those workers can hold.
    ControllerCapacity = "controller.capacity",
    /// Bytes of direct buffers beyond those of the start.
    DirectBuffers = "direct-buffers",
    /// Executor threads.
    ExecutorThreads = "executor.threads",
    /// Evaluation loops of the scheduler, one a second.
    SchedulerLoops = "scheduler.loops",
    /// The same, each weighted with how many times as long as normal it took.
    SchedulerLoopCost = "scheduler.loops.cost",
    /// Log events at level DEBUG.
    LogDebug = "log.debug",
    /// Log events at level TRACE.
    LogTrace = "log.trace",
    /// Log events at level INFO.
    LogInfo = "log.info",
    /// Log events at level WARN.
    LogWarn = "log.warn",
    /// Log events at level ERROR.
    LogError = "log.error",
}

/// A set of probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probes(u128);

const _: () = assert!(Probe::COUNT <= u128::BITS as usize);

impl Probes {
    /// Every probe.
    pub const ALL: Probes = Probes(u128::MAX);

    /// Whether one is among them.
    pub const fn has(self, probe: Probe) -> bool {
        self.0 & (1 << probe as u32) != 0
    }
}

impl Extend<Probe> for Probes {
    fn extend<I: IntoIterator<Item = Probe>>(&mut self, probes: I) {
        probes.into_iter().for_each(|probe| self.0 |= 1 << probe as u32);
    }
}
