//! In which of the recorded ways a version answers on its ports, beside its table of endpoints.

use super::words::words;
use crate::time::Duration;

/// The ways of one version to answer.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The form of its errors.
    pub errors: ErrorForm,
    /// What H2 calls its version.
    pub h2: String,
    /// The keys that the first `/refresh` names.
    pub refreshed: Vec<String>,
    /// What `/health` asks, in order.
    pub health: Vec<Indicator>,
    /// What `/health/liveness` asks; without any it is UNKNOWN.
    pub liveness: Vec<Indicator>,
    /// What `/health/readiness` asks.
    pub readiness: Vec<Indicator>,
    /// This long after `/stop` the beans of an idle process are gone, just before its port; `/health` fails then.
    pub beans_gone: Option<Duration>,
    /// Which key a database has in `/health` while it is DOWN, where its URL is none that Java can read (H2).
    pub h2_down: H2Down,
    /// Threads that read queues are named after this.
    pub queue_thread: String,
    /// Threads that run tasks are named after this, the name of their pool.
    pub worker_thread: String,
    /// Which triggers `/scheduler` lists.
    pub schedulables: Schedulables,
    /// So long after the ports open the worker has not started yet, and `/worker` fails.
    pub worker_start: Duration,
    /// How `/worker` shows a task run.
    pub task_runs: TaskRuns,
    /// Answers that are written while they are made: `date` comes first, and `Content-Type` has capitals.
    pub capitals: bool,
    /// What the basic auth of the server covers.
    pub server_auth: ServerAuth,
    /// What endpoints say to credentials that are none.
    pub odd_credentials: OddCredentials,
    /// What a target is that begins with two slashes.
    pub double_slash: DoubleSlash,
    /// A body of a wrong type is told before a wrong method.
    pub type_before_method: bool,
    /// What a `POST /loggers/{name}` is read as.
    pub logger_bodies: LoggerBodies,
}

/// How bodies that set a level are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggerBodies {
    /// Levels in any case, not in capitals only.
    pub any_case: bool,
    /// A form is read; otherwise it counts as no body.
    pub forms: bool,
    /// What a text is.
    pub text: TextBody,
}

words! {
    /// An indicator of health.
    Indicator {
        /// `compositeDiscoveryClient()`: no services.
        Discovery = "discovery",
        /// `service`.
        Service = "service",
        /// `diskSpace`.
        Disk = "disk",
        /// `deadlockedThreads`.
        Deadlock = "deadlock",
        /// `gracefulShutdown`.
        Shutdown = "shutdown",
        /// `jdbc`.
        Database = "database",
    }

    /// What `kestra.server.basic-auth` covers.
    ServerAuth {
        /// All below `/api/v1/` but `/api/v1/configs`; on in what ships.
        Api = "api",
        /// All that is no management endpoint but `/ping`, on both ports; off in what ships.
        AllButEndpoints = "all-but-endpoints",
    }

    /// What a text is that should set a level.
    TextBody {
        /// A value that cannot be converted.
        Value = "value",
        /// The end in an illegal state.
        IllegalState = "illegal-state",
    }

    /// The form of errors.
    ErrorForm {
        /// Kestra's JSON, with its nulls.
        Json = "json",
        /// A problem document; with it come `Allow`, security headers on every answer, and two headers of a 404.
        Problem = "problem",
    }

    /// The key of an H2 database that is DOWN.
    H2Down {
        /// Host, port and path of a URL that has none.
        Url = "url",
        /// The data source itself, as Java prints an object.
        Object = "object",
    }

    /// Which triggers `/scheduler` lists.
    Schedulables {
        /// All of the store.
        All = "all",
        /// Those that are due now, schedules never.
        Due = "due",
    }

    /// How `/worker` shows a task run.
    TaskRuns {
        /// RUNNING; outputs before the state.
        Running = "running",
        /// As the worker got it, SUBMITTED; outputs behind the state.
        Submitted = "submitted",
    }

    /// What endpoints say to credentials that are none.
    OddCredentials {
        /// They fail at them: 422 or 500.
        Failure = "failure",
        /// 401, as to all others.
        Unauthorized = "unauthorized",
    }

    /// What a target is that begins with two slashes and has no third.
    DoubleSlash {
        /// A host without a path, which is no URI.
        Host = "host",
        /// A path.
        Path = "path",
    }
}
