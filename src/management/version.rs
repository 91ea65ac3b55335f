//! What differs between Kestra versions in the answers, as data.

use super::Context;
use super::reply::Reply;

/// The fixed parts of one version's answers.
#[derive(Debug)]
pub(super) struct Version {
    /// The profile's name.
    pub name: &'static str,
    /// `version`, `commit` and `commitDate` of `/version`.
    release: [&'static str; 3],
    /// `/info`.
    pub info: &'static str,
    /// `/env`.
    pub env: &'static str,
    /// Loggers of a fresh server that have no loggers below them or a level: name, then the level.
    pub loggers: &'static str,
    /// `/routes`: method and path, tab, the Java method.
    pub routes: &'static str,
    /// `/api/v1/configs`.
    pub configs: &'static str,
}

/// The first one also answers for versions that are not here yet.
pub(super) static VERSIONS: [Version; 1] = [Version {
    name: "1.3",
    release: ["1.3.19-oss", "82cb2d9", "2026-05-21T14:21:25Z"],
    info: include_str!("data/1.3/info.json"),
    env: include_str!("data/1.3/env.json"),
    loggers: include_str!("data/1.3/loggers.txt"),
    routes: include_str!("data/1.3/routes.txt"),
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
    let [version, commit, date] = context.version.release;
    let kind = context.member.role().server_type();
    Ok(Reply::json(format!(r#"{{"version":"{version}","commit":"{commit}","commitDate":"{date}","type":"{kind}"}}"#)))
}
