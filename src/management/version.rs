//! What differs between Kestra versions in the answers, as data.

use super::Context;
use super::reply::Reply;
use crate::time::Duration;

/// The fixed parts of one version's answers, and in which of the recorded ways it answers.
#[derive(Debug)]
pub(super) struct Version {
    /// The profile's name.
    pub name: &'static str,
    /// `/info`.
    pub info: &'static str,
    /// `/env`.
    pub env: &'static str,
    /// Loggers of a fresh server that have no loggers below them or a level: name, then the level.
    pub loggers: &'static str,
    /// `/routes`: method and path, tab, the Java method.
    pub routes: &'static str,
    /// `/threaddump`, as `threads` reads it.
    pub threads: &'static str,
    /// `/api/v1/configs`.
    pub configs: &'static str,
    /// Paths of the table of routes that it has not.
    pub lacks: &'static [&'static str],
    /// How it answers `/beans`.
    pub beans: Beans,
    /// The form of its errors.
    pub errors: ErrorForm,
    /// What H2 calls its version.
    pub h2: &'static str,
    /// The keys that the first `/refresh` names.
    pub refreshed: &'static str,
    /// What `/health` asks, in order.
    pub indicators: &'static [Indicator],
    /// What `/health/liveness` asks; without any it is UNKNOWN.
    pub liveness: &'static [Indicator],
    /// What `/health/readiness` asks.
    pub readiness: &'static [Indicator],
    /// This long after `/stop` the beans of an idle process are gone, just before its port; `/health` fails then.
    pub beans_gone: Option<Duration>,
    /// Which key a database has in `/health` while it is DOWN, where its URL is none that Java can read (H2).
    pub h2_down: H2Down,
    /// Threads that read queues are named after this.
    pub queue_thread: &'static str,
    /// Threads that run tasks are named after this, the name of their pool.
    pub worker_thread: &'static str,
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

/// An indicator of health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indicator {
    /// `compositeDiscoveryClient()`: no services.
    Discovery,
    /// `service`.
    Service,
    /// `diskSpace`.
    Disk,
    /// `deadlockedThreads`.
    Deadlock,
    /// `gracefulShutdown`.
    Shutdown,
    /// `jdbc`.
    Database,
}

/// What `kestra.server.basic-auth` covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerAuth {
    /// All below `/api/v1/` but `/api/v1/configs`; on in what ships.
    Api,
    /// All that is no management endpoint but `/ping`, on both ports; off in what ships.
    AllButEndpoints,
}

/// How bodies that set a level are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggerBodies {
    /// Levels in any case, not in capitals only.
    pub any_case: bool,
    /// A form is read; otherwise it counts as no body.
    pub forms: bool,
    /// What a text is.
    pub text: TextBody,
}

/// What a text is that should set a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextBody {
    /// A value that cannot be converted.
    Value,
    /// The end in an illegal state.
    IllegalState,
}

/// The form of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorForm {
    /// Kestra's JSON, with its nulls.
    Json,
    /// A problem document. With it come `Allow`, security headers on every answer, and two headers of a 404: all from sources
    /// newer than anything published, that ran on the published core of 2.0.0 when it was recorded. Nobody proved that 2.0.0
    /// has them; this is the one switch.
    Problem,
}

/// How `/beans` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beans {
    /// It fails at a duplicate key.
    Duplicate,
    /// With these.
    Listed(&'static str),
}

/// The key of an H2 database that is DOWN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum H2Down {
    /// Host, port and path of a URL that has none.
    Url,
    /// The data source itself, as Java prints an object.
    Object,
}

/// Which triggers `/scheduler` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schedulables {
    /// All of the store.
    All,
    /// Those that are due now, schedules never.
    Due,
}

/// How `/worker` shows a task run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskRuns {
    /// RUNNING; outputs before the state.
    Running,
    /// As the worker got it, SUBMITTED; outputs behind the state.
    Submitted,
}

/// What endpoints say to credentials that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OddCredentials {
    /// They fail at them: 422 or 500.
    Failure,
    /// 401, as to all others.
    Unauthorized,
}

/// What a target is that begins with two slashes and has no third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DoubleSlash {
    /// A host without a path, which is no URI.
    Host,
    /// A path.
    Path,
}

use Indicator::{Database, Deadlock, Discovery, Disk, Service, Shutdown};

/// The headers of answers in the form of problem documents.
const SECURITY: &[(&str, &str)] = &[
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
];

/// What others are told by their differences from.
const V1_3: Version = Version {
    name: "1.3",
    info: include_str!("data/1.3/info.json"),
    env: include_str!("data/1.3/env.json"),
    loggers: include_str!("data/1.3/loggers.txt"),
    routes: include_str!("data/1.3/routes.txt"),
    threads: include_str!("data/1.3/threads.txt"),
    configs: include_str!("data/1.3/configs.json"),
    lacks: &[],
    beans: Beans::Duplicate,
    errors: ErrorForm::Json,
    h2: "2.4.240 (2025-09-22)",
    refreshed: r#"["com.zaxxer.hikari.pool-number","io.netty.allocator.max-order","jdk.jfr.repository","polyglot.engine.warn-interpreter-only"]"#,
    indicators: &[Service, Deadlock, Shutdown, Database],
    liveness: &[Deadlock],
    readiness: &[Service, Shutdown, Database],
    beans_gone: Some(Duration::milliseconds(1_900)),
    h2_down: H2Down::Url,
    queue_thread: "jdbc-queue-Execution",
    worker_thread: "worker",
    schedulables: Schedulables::All,
    worker_start: Duration::ZERO,
    task_runs: TaskRuns::Running,
    capitals: false,
    server_auth: ServerAuth::Api,
    odd_credentials: OddCredentials::Failure,
    double_slash: DoubleSlash::Host,
    type_before_method: false,
    logger_bodies: LoggerBodies { any_case: true, forms: false, text: TextBody::Value },
};

/// The first one also answers for versions that are not here yet.
pub(super) static VERSIONS: [Version; 3] = [
    V1_3,
    Version {
        name: "0.20",
        info: include_str!("data/0.20/info.json"),
        env: include_str!("data/0.20/env.json"),
        loggers: include_str!("data/0.20/loggers.txt"),
        routes: include_str!("data/0.20/routes.txt"),
        threads: include_str!("data/0.20/threads.txt"),
        configs: include_str!("data/0.20/configs.json"),
        h2: "2.3.232 (2024-08-11)",
        refreshed: r#"["com.zaxxer.hikari.pool-number","io.netty.allocator.max-order","polyglot.engine.warn-interpreter-only"]"#,
        indicators: &[Discovery, Service, Disk, Database],
        liveness: &[],
        readiness: &[Discovery, Service, Disk, Database],
        beans_gone: None,
        capitals: true,
        server_auth: ServerAuth::AllButEndpoints,
        type_before_method: true,
        logger_bodies: LoggerBodies { any_case: false, forms: true, text: TextBody::IllegalState },
        ..V1_3
    },
    // Of the routes and threads that the recordings were cut before, there are those of 1.3.
    Version {
        name: "2.0",
        info: include_str!("data/2.0/info.json"),
        env: include_str!("data/2.0/env.json"),
        loggers: include_str!("data/2.0/loggers.txt"),
        routes: include_str!("data/2.0/routes.txt"),
        threads: include_str!("data/2.0/threads.txt"),
        // The part of the webserver that has it was not there when 2.0 was recorded.
        configs: "",
        lacks: &["/flyway", "/api/v1/configs"],
        beans: Beans::Listed(include_str!("data/2.0/beans.json")),
        errors: ErrorForm::Problem,
        refreshed: r#"["com.zaxxer.hikari.pool-number","io.netty.allocator.max-order","jdk.jfr.repository"]"#,
        beans_gone: None,
        h2_down: H2Down::Object,
        queue_thread: "queue-async-execution",
        worker_thread: "worker-default",
        schedulables: Schedulables::Due,
        // 2.9 s in a standalone, 4.5 s in a worker (logs/*_startup.log).
        worker_start: Duration::seconds(3),
        task_runs: TaskRuns::Submitted,
        odd_credentials: OddCredentials::Unauthorized,
        double_slash: DoubleSlash::Path,
        logger_bodies: LoggerBodies { any_case: true, forms: true, text: TextBody::Value },
        ..V1_3
    },
];

impl Version {
    /// Headers of every answer that comes from a filter or an endpoint.
    pub fn headers(&self) -> &'static [(&'static str, &'static str)] {
        if self.errors == ErrorForm::Problem { SECURITY } else { &[] }
    }
    /// The recorded version of this name.
    pub fn of(name: &str) -> &'static Version {
        VERSIONS.iter().find(|version| version.name == name).unwrap_or(&VERSIONS[0])
    }
}

/// `GET /version`.
pub(super) fn get(context: &Context<'_>) -> super::Handled {
    let release = context.member.profile().release();
    let mut body = serde_json::json!({
        "version": format!("{}-oss", release.version),
        "commit": release.commit,
        "commitDate": release.commit_date,
        "type": context.member.role().server_type(),
    });
    if release.commit_date.is_empty()
        && let Some(members) = body.as_object_mut()
    {
        members.remove("commitDate");
    }
    Ok(Reply::json(body.to_string()))
}
