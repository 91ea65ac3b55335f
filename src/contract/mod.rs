//! What a live Kestra says on its management port, held against the profile of a version; and which rules would go quiet on
//! it.
//!
//! Pure: it is given what servers answered, and tells what differs. What is expected is what the mock itself would say in
//! their place: the families of its registry, and the answers of its ports. So a difference is either a change of Kestra
//! that a team has to know of, or an error of the profile that we have to know of.

mod asked;
mod endpoints;
mod families;
mod report;
mod rules;
mod server;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::profile::Profile;

pub use asked::paths;
#[cfg(feature = "internals")]
pub use rules::RuleVerdict;
pub use rules::{RulesReport, Standing, judge_rules};
#[cfg(feature = "internals")]
pub use server::Unfit;
pub use server::{Answered, Server};

/// In which way a server and the profile differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Another version.
    Version,
    /// The server has it under another name.
    Renamed,
    /// The profile has it, the server has not.
    Lacks,
    /// The server has it, the profile has not.
    More,
    /// A family is of another type.
    Type,
    /// A family has another help text.
    Help,
    /// A family has other label keys.
    Labels,
    /// Of a label whose values are fixed some are not there.
    Values,
    /// An endpoint answers with another status.
    Status,
    /// An endpoint answers with a body of another kind, or of another shape.
    Shape,
}

/// Of what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The server as a whole.
    Server,
    /// A family of metrics.
    Family,
    /// An endpoint.
    Endpoint,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Of what.
    pub area: Area,
    /// In which way.
    pub kind: Kind,
    /// The family, or method and path.
    pub subject: String,
    /// What the profile has.
    pub expected: String,
    /// What the server has.
    pub found: String,
    /// In words.
    pub told: String,
    /// The servers it was seen on, by their names in the report.
    pub on: Vec<String>,
    /// It is known and does not count (`--allow`).
    pub allowed: bool,
}

/// A server that was asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerLine {
    /// Its name in the report: its role, and its address where there are several of a role.
    pub name: String,
    /// Its address, without credentials.
    pub url: String,
    /// Its version, as it says itself.
    pub version: Option<String>,
    /// Its role.
    pub role: Option<&'static str>,
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contract {
    /// The version whose profile it was held against.
    pub kestra: &'static str,
    /// Who was asked.
    pub servers: Vec<ServerLine>,
    /// All differences.
    pub differences: Vec<Difference>,
    /// Families that were compared.
    pub families: Vec<String>,
    /// Endpoints that were compared.
    pub endpoints: Vec<String>,
    /// Families of the profile that come with an event, which no server has seen yet.
    pub unseen: Vec<String>,
    /// Families that the profile cannot know: those of plugins.
    pub unjudged: Vec<String>,
    /// What was assumed, and what was not asked.
    pub notes: Vec<String>,
}

/// Gathers what is found.
#[derive(Debug, Default)]
struct Found {
    /// By what makes two of them one: area, kind, subject and words.
    differences: BTreeMap<(Area, Kind, String, String), Difference>,
    families: BTreeSet<String>,
    endpoints: Vec<String>,
    unseen: Vec<String>,
    unjudged: BTreeSet<String>,
    /// Each with the servers that it is about; with none, it is about all of it.
    notes: Vec<(String, Vec<String>)>,
}

impl Found {
    /// Adds a difference; one that is alike on another server is the same.
    fn differs(&mut self, new: Difference) {
        let key = (new.area, new.kind, new.subject.clone(), new.told.clone());
        match self.differences.get_mut(&key) {
            Some(known) => known.on.extend(new.on),
            None => _ = self.differences.insert(key, new),
        }
    }

    fn note(&mut self, note: String) {
        self.notes.push((note, Vec::new()));
    }

    /// The same about one server; what is alike of another is told once.
    fn note_of(&mut self, name: &str, note: String) {
        match self.notes.iter_mut().find(|(known, _)| *known == note) {
            Some((_, on)) => on.push(name.to_owned()),
            None => self.notes.push((note, vec![name.to_owned()])),
        }
    }
}

/// Holds servers against the profile of a version. `allowed` says what is known: of a subject such as `jvm_info`, or of one
/// with the kind of the difference in front, such as `help:jvm_info`.
pub fn compare(profile: &'static Profile, servers: &[Server], allowed: impl Fn(&str) -> bool) -> Contract {
    let names = server::names(servers);
    let mut found = Found::default();
    versions(profile, servers, &names, &mut found);
    families::compare(profile, servers, &names, &mut found);
    endpoints::compare(profile, servers, &names, &mut found);
    let known = |it: Difference| {
        let of_kind = format!("{}:{}", it.kind.name(), it.subject);
        Difference { allowed: allowed(&it.subject) || allowed(&of_kind), ..it }
    };
    let note = |(note, on): (String, Vec<String>)| match on.is_empty() || on.len() == servers.len() {
        true => note,
        false => format!("{}: {note}", on.join(", ")),
    };
    let notes = found.notes.into_iter().map(note).collect();
    Contract {
        kestra: profile.name(),
        servers: server::lines(servers, &names),
        differences: found.differences.into_values().map(known).collect(),
        families: found.families.into_iter().collect(),
        endpoints: found.endpoints,
        unseen: found.unseen,
        unjudged: found.unjudged.into_iter().collect(),
        notes,
    }
}

impl Contract {
    /// Whether anything differs that is not known.
    pub fn differs(&self) -> bool {
        self.differences.iter().any(|it| !it.allowed)
    }
}

/// A server of another version than it is held against.
fn versions(profile: &'static Profile, servers: &[Server], names: &[String], found: &mut Found) {
    let builds: BTreeSet<&str> = servers.iter().filter_map(Server::version).collect();
    if builds.len() > 1 {
        let builds: Vec<&str> = builds.into_iter().collect();
        found.note(format!("the servers are of several builds: {}", builds.join(", ")));
    }
    for (server, name) in servers.iter().zip(names) {
        let own = server.profile();
        let said = server.version();
        if own != profile {
            let seen = said.map_or_else(|| format!("{own}, by the names of its metrics"), str::to_owned);
            found.differs(Difference {
                area: Area::Server,
                kind: Kind::Version,
                subject: format!("Kestra {profile}"),
                expected: profile.name().to_owned(),
                found: seen.clone(),
                told: format!("it is {seen}"),
                on: vec![name.clone()],
                allowed: false,
            });
        } else if let Some(said) = said.filter(|_| !server.is_exact()) {
            found
                .note(format!("{name} is Kestra {said}, of which there is no profile: that of {own} stands in for it"));
        }
        if let Some(prefix) = server.prefix().filter(|prefix| *prefix != "kestra") {
            found.note_of(name, format!("the meters of Kestra begin with `{prefix}_` (kestra.metrics.prefix)"));
        }
        if !server.common().is_empty() {
            let all: Vec<String> = server.common().iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
            found.note_of(name, format!("every series has {} (micronaut.metrics.tags)", all.join(", ")));
        }
    }
}
