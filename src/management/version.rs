//! What differs between Kestra versions in the answers, as data.

use super::Context;
use super::reply::Reply;

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
    /// Answers that are written while they are made: `date` comes first, and `Content-Type` has capitals.
    pub capitals: bool,
    /// What the basic auth of the server covers.
    pub server_auth: ServerAuth,
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
pub(super) enum LoggerBodies {
    /// Levels in any case; a form counts as no body; a text cannot be converted.
    Lenient,
    /// Levels in capitals only; a form is read; a text ends in an illegal state.
    Strict,
}

use Indicator::{Database, Deadlock, Discovery, Disk, Service, Shutdown};

/// The first one also answers for versions that are not here yet.
pub(super) static VERSIONS: [Version; 2] = [
    Version {
        name: "1.3",
        info: include_str!("data/1.3/info.json"),
        env: include_str!("data/1.3/env.json"),
        loggers: include_str!("data/1.3/loggers.txt"),
        routes: include_str!("data/1.3/routes.txt"),
        threads: include_str!("data/1.3/threads.txt"),
        configs: include_str!("data/1.3/configs.json"),
        h2: "2.4.240 (2025-09-22)",
        refreshed: r#"["com.zaxxer.hikari.pool-number","io.netty.allocator.max-order","jdk.jfr.repository","polyglot.engine.warn-interpreter-only"]"#,
        indicators: &[Service, Deadlock, Shutdown, Database],
        liveness: &[Deadlock],
        readiness: &[Service, Shutdown, Database],
        capitals: false,
        server_auth: ServerAuth::Api,
        type_before_method: false,
        logger_bodies: LoggerBodies::Lenient,
    },
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
        capitals: true,
        server_auth: ServerAuth::AllButEndpoints,
        type_before_method: true,
        logger_bodies: LoggerBodies::Strict,
    },
];

impl Version {
    /// The version of a profile's name.
    pub fn of(profile: &str) -> &'static Version {
        VERSIONS.iter().find(|version| version.name == profile).unwrap_or(&VERSIONS[0])
    }
}

/// `GET /version`.
pub(super) fn get(context: &Context<'_>) -> super::Handled {
    let release = context.member.profile().release();
    let body = serde_json::json!({
        "version": format!("{}-oss", release.version),
        "commit": release.commit,
        "commitDate": release.commit_date,
        "type": context.member.role().server_type(),
    });
    Ok(Reply::json(body.to_string()))
}
