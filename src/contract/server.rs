//! A server as its answers show it: what it exposes, which version and role it is, and how its metrics are configured.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::ServerLine;
use crate::exposition::{self, Exposition, Sample, Unread};
use crate::profile::{Meter, Profile, Role, plain, prefix, recognise};

/// An answer to a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Status code.
    pub status: u16,
    /// `Content-Type`, when it has one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answered {
    /// The type of its body without parameters, in small letters.
    pub(super) fn mime(&self) -> Option<String> {
        let bare = |it: &String| it.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        self.content_type.as_ref().map(bare)
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Why a server cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It wants to know who asks, or does not let him in.
    Denied(u16),
    /// It has no metrics where a Kestra has them.
    NoMetrics(u16),
    /// It answers with something else: of this type.
    NoText(String),
    /// The text is not sound.
    Unread(Unread),
    /// The metrics are those of another program: some of their names.
    Foreign(Vec<String>),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Denied(status) => write!(
                f,
                "it answers {status}: it wants a name and a password; give those of endpoints.all.basic-auth with --user or \
                 in MOCK_KESTRA_USER"
            ),
            Unfit::NoMetrics(status) => write!(
                f,
                "/prometheus answers {status}: this is no management port of a Kestra (8081 by default), or it lies below a path \
                 (endpoints.all.path: write it behind the address), or endpoints.prometheus is switched off"
            ),
            Unfit::NoText(kind) => {
                write!(f, "/prometheus answers with {kind}, not with metrics: this is no management port of a Kestra")
            }
            Unfit::Unread(why) => write!(f, "/prometheus is no sound exposition: {why}"),
            Unfit::Foreign(names) => write!(
                f,
                "its metrics are not those of a Kestra: {}; ask its management port (8081 by default)",
                names.join(", ")
            ),
        }
    }
}

/// What `/version` says.
#[derive(Clone, Debug)]
struct Said {
    version: String,
    role: Option<Role>,
}

/// A server that is a Kestra.
#[derive(Debug)]
pub struct Server {
    url: String,
    pub(super) exposition: Exposition,
    version: Option<String>,
    role: Option<Role>,
    profile: &'static Profile,
    exact: bool,
    prefix: Option<String>,
    common: BTreeMap<String, String>,
    pub(super) answers: Vec<(String, Result<Answered, String>)>,
}

impl Server {
    /// Reads what a server answered to `/prometheus` and, if it did, to `/version`.
    ///
    /// # Errors
    /// It is no Kestra, or lets nobody in.
    pub fn read(url: &str, prometheus: &Answered, version: Option<&Answered>) -> Result<Server, Unfit> {
        match prometheus.status {
            200 => {}
            status @ (401 | 403) => return Err(Unfit::Denied(status)),
            status => return Err(Unfit::NoMetrics(status)),
        }
        if let Some(mime) = prometheus.mime().filter(|mime| mime != "text/plain") {
            return Err(Unfit::NoText(mime));
        }
        let text = std::str::from_utf8(&prometheus.body).map_err(|_| Unfit::NoText("bytes that are no text".into()))?;
        let exposition = exposition::read(text).map_err(Unfit::Unread)?;
        let said = version.and_then(said);
        let prefix = prefix(exposition.families.iter().map(|family| family.name.as_str()));
        let names: Vec<String> =
            exposition.samples().map(|sample| plain(&sample.name, prefix.as_deref()).into_owned()).collect();
        let recognised =
            recognise(names.iter().zip(exposition.samples()).map(|(name, sample)| (name.as_str(), sample.labels())));
        let by_word = said.as_ref().and_then(|said| shipped(&said.version));
        let Some((profile, exact)) = by_word.or(recognised.as_ref().map(|it| (it.profile, true))) else {
            let few = exposition.families.iter().map(|family| family.name.clone()).take(3);
            return Err(Unfit::Foreign(few.collect()));
        };
        let by_names = recognised.as_ref().and_then(|it| it.roles.first().copied());
        Ok(Server {
            url: url.to_owned(),
            role: said.as_ref().and_then(|said| said.role).or(by_names),
            version: said.map(|said| said.version),
            profile,
            exact,
            common: common(&exposition),
            prefix,
            exposition,
            answers: Vec::new(),
        })
    }

    /// The same with what it answered to other paths; what it did not answer is told in words.
    pub fn answering(self, answers: Vec<(String, Result<Answered, String>)>) -> Server {
        Server { answers, ..self }
    }

    /// Its address, without credentials.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// Its version, as it says.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
    /// The profile of its own version, or the nearest there is.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }
    /// Whether that is the one of its version.
    pub fn is_exact(&self) -> bool {
        self.exact
    }
    /// What it runs. Where nothing tells it, everything.
    pub fn role(&self) -> Role {
        self.role.unwrap_or(Role::Standalone)
    }
    /// What its own meters begin with.
    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }
    /// Labels that all its series have, each with the same value.
    pub(super) fn common(&self) -> &BTreeMap<String, String> {
        &self.common
    }

    /// The name that Prometheus would see here of a meter, without what its series add.
    pub(super) fn name_of(&self, meter: &Meter) -> String {
        match (self.prefix.as_deref(), meter.name.strip_prefix("kestra.")) {
            (Some(prefix), Some(rest)) => meter.prometheus_name_of(&format!("{prefix}.{rest}")),
            _ => meter.prometheus_name(),
        }
    }
}

/// The server that says what meters of Kestra are called: some roles have none.
pub(super) fn lead(servers: &[Server]) -> Option<&Server> {
    servers.iter().find(|server| server.prefix.is_some()).or(servers.first())
}

/// How servers are called in a report: by their roles, and by their addresses where several have the same.
pub(super) fn names(servers: &[Server]) -> Vec<String> {
    let name = |server: &Server| {
        let same = servers.iter().filter(|other| other.role() == server.role()).count();
        let role = server.role().name();
        if same > 1 { format!("{role} {}", server.url()) } else { role.to_owned() }
    };
    servers.iter().map(name).collect()
}

pub(super) fn lines(servers: &[Server], names: &[String]) -> Vec<ServerLine> {
    let line = |(server, name): (&Server, &String)| ServerLine {
        name: name.clone(),
        url: server.url().to_owned(),
        version: server.version.clone(),
        role: server.role.map(Role::name),
    };
    servers.iter().zip(names).map(line).collect()
}

fn said(answered: &Answered) -> Option<Said> {
    let body = answered.json().filter(|_| answered.status == 200)?;
    let version = body.get("version")?.as_str()?.to_owned();
    // Other programs have a /version too: that of a Kestra says what it runs.
    let kind = body.get("type")?.as_str()?;
    let role = Role::ALL.into_iter().find(|role| role.server_type() == kind);
    Some(Said { version, role })
}

/// The profile of a version such as `1.3.19-oss`, and whether it is its own; else that of the newest version before it, or of
/// the oldest. None for a text that is no version.
fn shipped(version: &str) -> Option<(&'static Profile, bool)> {
    let numbers = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split(['.', '-', '+']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let wanted = numbers(version.trim_start_matches('v'))?;
    let known: Vec<(&str, (u32, u32))> =
        Profile::NAMES.iter().filter_map(|name| Some((*name, numbers(name)?))).collect();
    let before = known.iter().filter(|(_, own)| *own <= wanted).max_by_key(|(_, own)| *own);
    let (name, own) = before.or(known.first())?;
    Some((Profile::named(name).ok()?, *own == wanted))
}

/// Labels that every sample has, with the same value.
fn common(exposition: &Exposition) -> BTreeMap<String, String> {
    let mut samples = exposition.samples();
    let Some(first) = samples.next() else { return BTreeMap::new() };
    let mut common: BTreeMap<String, String> = first.labels.iter().cloned().collect();
    for Sample { labels, .. } in samples {
        common.retain(|key, value| labels.iter().any(|(own, it)| own == key && it == value));
        if common.is_empty() {
            break;
        }
    }
    common
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_a_profile_is_held_against_the_one_before_it() {
        let of = |text| shipped(text).map(|(profile, exact)| (profile.name(), exact));
        assert_eq!(of("1.3.19-oss"), Some(("1.3", true)));
        assert_eq!(of("v2.0.0"), Some(("2.0", true)));
        assert_eq!(of("1.9.1"), Some(("1.3", false)));
        assert_eq!(of("3.0.0-SNAPSHOT"), Some(("2.0", false)));
        assert_eq!(of("0.9.2"), Some((Profile::NAMES[0], false)));
        assert_eq!(of("nightly"), None);
    }

    fn exposed(text: &str) -> Result<Server, Unfit> {
        let answered = |status, kind: &str, body: &str| Answered {
            status,
            content_type: Some(kind.to_owned()),
            body: body.as_bytes().to_vec(),
        };
        Server::read("http://x", &answered(200, "text/plain; version=0.0.4", text), None)
    }

    #[test]
    fn what_is_no_kestra_says_what_it_is() {
        let node = "# TYPE node_load1 gauge\nnode_load1 1\nnode_load5 1\n";
        assert_eq!(exposed(node).unwrap_err(), Unfit::Foreign(vec!["node_load1".into(), "node_load5".into()]));
        assert!(matches!(exposed("node_load1 1").unwrap_err(), Unfit::Unread(_)));
        assert_eq!(exposed("").unwrap_err(), Unfit::Foreign(Vec::new()));
    }
}
