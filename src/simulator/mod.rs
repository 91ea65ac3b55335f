//! The cluster, event by event.
//!
//! [`Simulation::advance`] pops the least (time, sequence) event and sets `now`; nothing else moves time. Reading never
//! changes anything. What comes from outside (a fault, a logger that someone sets) is a [`Command`]: it enters at the
//! current instant and is journaled, so that a session can be replayed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metrics::Look;
use crate::profile::Role;
use crate::random::Seed;
use crate::scenario::{MemberPlan, Plan, TimelineEntry};
use crate::time::{Calendar, Duration, Instant};

/// A running cluster.
#[derive(Debug)]
pub struct Simulation {
    plan: Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    now: Instant,
    members: Vec<Member>,
    journal: Vec<JournalEntry>,
}

/// One process of the cluster.
#[derive(Debug)]
pub struct Member {
    plan: MemberPlan,
    port: Port,
    started: Instant,
    life: u32,
    loggers: BTreeMap<String, Option<Level>>,
}

/// What a member's ports do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Nothing listens: connection refused (dead, or not up yet).
    Refused,
    /// Listens and answers.
    Open,
    /// Accepts and never answers (the process hangs).
    Frozen,
    /// Accepts and closes without an answer: the last instants of a process that shuts down.
    Closing,
}

/// A log level, as `/loggers` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    All,
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Off,
}

/// How a member sees its database at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DatabaseView {
    /// Answers; a query takes this many times its normal length.
    Reachable {
        /// 1 is normal.
        slowdown: f64,
    },
    /// Connections are refused since the instant.
    Refused {
        /// Since when.
        since: Instant,
    },
    /// Packets vanish since the instant: a request for a connection waits for the pool's timeout of 30 s.
    Stalled {
        /// Since when.
        since: Instant,
    },
}

/// Something that comes from outside and changes the cluster, at the current instant.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `POST /loggers/{name}`; no level means back to inherited.
    SetLogger {
        /// Index of the member.
        member: usize,
        /// The logger, `ROOT` for the root.
        logger: String,
        /// The level.
        level: Option<Level>,
    },
    /// Asking for an unknown logger creates it.
    TouchLogger {
        /// Index of the member.
        member: usize,
        /// The logger.
        logger: String,
    },
    /// `POST /refresh`: the first one reports changed keys.
    Refresh {
        /// Index of the member.
        member: usize,
    },
    /// `POST /stop`: the member shuts down as recorded.
    Stop {
        /// Index of the member.
        member: usize,
    },
    /// A fault, as an entry of the timeline whose `at` is ignored.
    Inject(TimelineEntry),
    /// Ends the fault of this name.
    Clear(String),
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// When.
    pub at: Instant,
    /// What happened, one line without a final dot.
    pub text: String,
}

/// A job that runs in a worker, as `/worker` lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningJob {
    /// Index of the flow in the plan.
    pub flow: usize,
    /// A task of an execution, or a trigger being evaluated.
    pub job: Job,
}

/// What kind of job runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// A task run.
    Task {
        /// Index of the task in the flow; those of `errors` follow those of `tasks`.
        task: usize,
        /// Id of the task run, 22 characters.
        task_run: String,
        /// Id of the execution, 22 characters.
        execution: String,
        /// States and since when, oldest first.
        history: Vec<(&'static str, Instant)>,
    },
    /// A polling trigger.
    Trigger {
        /// Index of the trigger in the flow.
        trigger: usize,
    },
}

/// A trigger, as `/scheduler` lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedulable {
    /// Index of the flow in the plan.
    pub flow: usize,
    /// Index of the trigger in the flow.
    pub trigger: usize,
    /// When it is due next, when known.
    pub next: Option<Instant>,
}

/// A limit of the simulation was reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} reached its limit of {limit} at {at}")]
pub struct LimitReached {
    /// What there is too much of.
    pub what: &'static str,
    /// The limit.
    pub limit: u64,
    /// When.
    pub at: Instant,
}

impl Simulation {
    /// A cluster at the beginning of its life: at the scenario's start, or `age` before it.
    pub fn new(plan: Arc<Plan>, seed: Seed, calendar: Calendar) -> Simulation {
        let born = Instant::START.before(plan.cluster.age);
        let members = plan
            .cluster
            .members
            .iter()
            .map(|member| Member {
                plan: member.clone(),
                port: Port::Open,
                started: born,
                life: 0,
                loggers: BTreeMap::new(),
            })
            .collect();
        Simulation { plan, seed, calendar, now: born, members, journal: Vec::new() }
    }

    /// Moves to `to`, through all events up to and including it. An instant in the past changes nothing.
    ///
    /// # Errors
    /// A limit was reached; `now` is the instant of it.
    pub fn advance(&mut self, to: Instant) -> Result<(), LimitReached> {
        self.now = self.now.max(to);
        Ok(())
    }

    /// Does something from outside at the current instant.
    pub fn command(&mut self, command: Command) {
        self.journal.push(JournalEntry { at: self.now, text: format!("{command:?}") });
    }

    /// The plan it runs.
    pub fn plan(&self) -> &Plan {
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
    /// The current instant.
    pub fn now(&self) -> Instant {
        self.now
    }
    /// When something happens next, if anything will.
    pub fn next_event(&self) -> Option<Instant> {
        None
    }
    /// The members, in the order of the plan.
    pub fn members(&self) -> &[Member] {
        &self.members
    }
    /// What happened so far.
    pub fn journal(&self) -> &[JournalEntry] {
        &self.journal
    }
    /// The probes of a member's process at the current instant.
    pub fn look(&self, _member: usize) -> Look {
        Look::at(self.now)
    }
    /// How a member sees its database.
    pub fn database(&self, _member: usize) -> DatabaseView {
        DatabaseView::Reachable { slowdown: 1.0 }
    }
    /// The jobs that run in a member's worker, oldest first.
    pub fn running(&self, _member: usize) -> Vec<RunningJob> {
        Vec::new()
    }
    /// All Schedule and polling triggers, as 1.3 lists them.
    pub fn schedulable(&self) -> Vec<Schedulable> {
        Vec::new()
    }
}

impl Member {
    /// Its plan: name, role, threads, heap.
    pub fn plan(&self) -> &MemberPlan {
        &self.plan
    }
    /// What it runs.
    pub fn role(&self) -> Role {
        self.plan.role
    }
    /// What its ports do with a connection.
    pub fn port(&self) -> Port {
        self.port
    }
    /// When its process started.
    pub fn started(&self) -> Instant {
        self.started
    }
    /// How many processes it had before this one. A change tells that open connections were reset.
    pub fn life(&self) -> u32 {
        self.life
    }
    /// Levels set over the management port; loggers that were only asked for have none.
    pub fn loggers(&self) -> &BTreeMap<String, Option<Level>> {
        &self.loggers
    }
    /// Whether two of its threads are deadlocked.
    pub fn deadlocked(&self) -> bool {
        false
    }
    /// Whether its disk is full.
    pub fn disk_full(&self) -> bool {
        false
    }
    /// Whether `/refresh` was asked before in this life.
    pub fn refreshed(&self) -> bool {
        false
    }
    /// Since when it shuts down after SIGTERM or `/stop`.
    pub fn stopping_since(&self) -> Option<Instant> {
        None
    }
    /// How long a garbage collection still holds up all answers.
    pub fn paused_until(&self) -> Option<Instant> {
        None
    }
    /// Kestra's termination grace period.
    pub fn grace(&self) -> Duration {
        self.plan.grace
    }
}
