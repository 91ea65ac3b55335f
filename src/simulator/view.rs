//! What is seen of a simulation from outside, and what can be done to it.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::origin::Origin;
use crate::flow::State;
use crate::scenario::{Answering, Deed, RealAnswer, TimelineEntry, Whose};
use crate::time::Instant;

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
    /// Somebody asks over the API for an execution of a flow.
    Execute {
        /// Index of the flow.
        flow: usize,
        /// What it is started with.
        origin: Arc<Origin>,
    },
    /// Who answers messages from now on. Where it is the scenario again, messages under way are taken.
    Receivers(Answering),
    /// The receiver of a message that waits has answered.
    Answer {
        /// Its number: that of [`Simulation::sent`](super::Simulation::sent).
        message: u64,
        /// What it was.
        answer: RealAnswer,
    },
    /// Somebody asks over the API something of executions that are there.
    Ask {
        /// What.
        deed: Deed,
        /// Of which.
        whose: Whose,
    },
}

/// Why a command does nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It asks for more members of a role than there are places.
    #[error("this cluster has places for {1} of the role {0}")]
    NoPlace(&'static str, usize),
    /// It names a member by an index that the plan has not.
    #[error("there is no member {0}: the plan has {1}")]
    NoMember(usize, usize),
    /// It names a flow by an index that the plan has not.
    #[error("there is no flow {0}: the plan has {1}")]
    NoFlow(usize, usize),
    /// The member has no process that could do it.
    #[error("{0} has no process")]
    NoProcess(String),
    /// A limit of a process or of the simulation.
    #[error("there are too many {0}: {1} at most")]
    TooMany(&'static str, usize),
    /// The flow is switched off.
    #[error("the flow {0} is disabled: Kestra starts no execution of it")]
    Disabled(String),
    /// The flow has no such execution that is known.
    #[error("{0} has no such execution, or it ended long ago")]
    NoExecution(String),
    /// No execution of the flow can be asked for this.
    #[error("no execution of {1} is there for a {0}")]
    NoneFits(&'static str, String),
    /// Its state does not allow it.
    #[error("the execution {id} is {state}: {why}")]
    NotSo {
        /// The execution.
        id: String,
        /// Its state.
        state: &'static str,
        /// What is wrong with that.
        why: &'static str,
    },
    /// The execution has no task run of this task.
    #[error("the execution has no task run of the task {0}")]
    NoTaskRun(String),
    /// A check of the flow does not hold: no execution starts.
    #[error("the flow's checks do not hold: {0}")]
    Blocked(String),
    /// What was given to a flow, or to a Pause, is not what it asks for: Kestra's words.
    #[error("{0}")]
    Inputs(String),
    /// No webserver takes requests.
    #[error("no webserver answers")]
    NoWebserver,
    /// No fault of this name is there.
    #[error("no fault in force is called `{0}`")]
    NoFault(String),
    /// This message waits for no answer.
    #[error("message {0} waits for no answer")]
    NotWaiting(u64),
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

/// An execution, as somebody sees it who looks it up.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionSeen {
    /// Its id, 22 characters.
    pub id: String,
    /// Index of the flow in the plan.
    pub flow: usize,
    /// Which of the flow's executions, from 1 on.
    pub number: u64,
    /// When it was created.
    pub created: Instant,
    /// What it is.
    pub state: State,
    /// The states it came into, the oldest first; empty where that is not kept.
    pub history: Vec<(Instant, State)>,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// The inputs that it was given.
    pub inputs: Map<String, Json>,
    /// Its task runs, in the order in which they were created.
    pub task_runs: Vec<TaskRunSeen>,
    /// The trigger that started it, an index of its flow; none where that is not kept.
    pub trigger: Option<usize>,
    /// The variables of the trigger that started it, or of the Subflow.
    pub variables: Option<Map<String, Json>>,
    /// The id of the execution that it repeats.
    pub original: Option<String>,
    /// The id of the execution that started it, by a Subflow or by a Flow trigger that heard of it.
    pub started_by: Option<String>,
}

/// A task run of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRunSeen {
    /// Id of the task.
    pub task: String,
    /// Its id, 22 characters.
    pub id: String,
    /// The id of the task run that holds it.
    pub parent: Option<String>,
    /// The states it came into, the oldest first; empty where that is not kept.
    pub history: Vec<RunState>,
    /// The value that it is for, of a task that runs for several.
    pub value: Option<String>,
    /// What it is.
    pub state: State,
    /// Its attempts, the one that runs included.
    pub attempts: u32,
}

/// A state that a task run came into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunState {
    /// When an executor learnt of it.
    pub at: Instant,
    /// Which.
    pub state: State,
    /// In which attempt, from 1 on.
    pub attempt: u32,
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

/// Where a job is on its way through the model, for the conservation laws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs in the queue, that no worker has taken.
    pub jobs_queued: u64,
    /// Jobs that workers hold and have not started.
    pub jobs_pending: u64,
    /// Jobs that run.
    pub jobs_running: u64,
    /// Jobs of dead workers, that nobody has handed out again.
    pub jobs_orphaned: u64,
    /// Ends of task runs that no executor has seen.
    pub task_ends: u64,
    /// Evaluations of triggers that no scheduler has seen.
    pub trigger_ends: u64,
    /// Log lines that no indexer has taken.
    pub log_lines: u64,
    /// Attempts of task runs that wait for the end of a pause are not started; executions that do so.
    pub retrying: u64,
    /// Messages ever sent to all queues.
    pub sent: u64,
    /// Messages ever taken from them.
    pub taken: u64,
    /// Messages that wait in them.
    pub waiting: u64,
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
