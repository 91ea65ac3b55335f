//! What differs between Kestra versions in the answers, as data.

use super::Context;
use super::reply::Reply;

/// The fixed parts of one version's answers.
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
}

/// The first one also answers for versions that are not here yet.
pub(super) static VERSIONS: [Version; 1] = [Version {
    name: "1.3",
    info: include_str!("data/1.3/info.json"),
    env: include_str!("data/1.3/env.json"),
    loggers: include_str!("data/1.3/loggers.txt"),
    routes: include_str!("data/1.3/routes.txt"),
    threads: include_str!("data/1.3/threads.txt"),
    configs: include_str!("data/1.3/configs.json"),
}];

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
