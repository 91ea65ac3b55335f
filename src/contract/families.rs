//! Families of metrics: which there are, of which type, with which help text and label keys.

use std::collections::{BTreeMap, BTreeSet};

use super::server::{self, Server};
use super::{Area, Difference, Found, Kind};
use crate::exposition::{self, Family, Kind as FamilyKind};
use crate::metrics::{Common, Look, Registry};
use crate::profile::{self, Meter, Profile, Quirk, Role};
use crate::simulator::moves;
use crate::time::Instant;

/// Meters that an event brings, though every recording of a fresh server has them: it had come already.
const BROUGHT: &[(&str, &str)] = &[
    ("jvm.gc.pause", "the first collection"),
    ("jvm.gc.concurrent.phase.time", "the first concurrent phase"),
    ("http.client.requests", "the first request to others"),
    ("kestra.jdbc.query.duration", "the first query that takes long enough"),
    ("netty.channel.time", "the first connection"),
    ("cache.eviction.weight", "the first template that is rendered"),
    ("cache.evictions", "the first template that is rendered"),
    ("cache.gets", "the first template that is rendered"),
    ("cache.puts", "the first template that is rendered"),
    ("cache.size", "the first template that is rendered"),
];

/// Labels whose values are fixed by the code of a version, so that one that is missing is missed.
const FIXED: &[&str] =
    &["area", "cache", "id", "level", "name", "pool", "queue_name", "result", "state", "worker_group"];

/// Labels that make a line of a family, and no series.
const OF_LINES: [&str; 2] = ["le", "quantile"];

/// What the profile has of a family.
struct Expected<'p> {
    meter: &'p Meter,
    kind: FamilyKind,
    keys: BTreeSet<String>,
    /// What a process of this role shows at start: keys and their values.
    start: Option<Values>,
}

type Values = BTreeMap<String, BTreeSet<String>>;

impl Expected<'_> {
    fn help(&self) -> &str {
        self.meter.help.trim()
    }
}

/// Whether an event brings a meter.
pub(super) fn by_event(meter: &Meter) -> bool {
    meter.start.is_empty() || moves(meter) || BROUGHT.iter().any(|(name, _)| *name == meter.origin())
}

/// The names of the families that a plugin's tasks and triggers make; those of a core trigger have no plugin in their names.
pub(super) fn of_plugins(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    rest.is_some_and(|rest| ["io_kestra_plugin_", "request_", "response_"].iter().any(|it| rest.starts_with(it)))
}

/// The names of a meter's families: its own, and that of its maximum.
pub(super) fn families_of(server: &Server, meter: &Meter) -> Vec<String> {
    let name = server.name_of(meter);
    match meter.kind {
        profile::Kind::Counter | profile::Kind::Gauge => vec![name],
        _ => vec![name.clone(), format!("{name}_max")],
    }
}

/// What a profile has for a server of this role, configured as this one is.
fn expected<'p>(profile: &'static Profile, server: &Server) -> BTreeMap<String, Expected<'p>> {
    let mut all = BTreeMap::new();
    for (_, meter) in profile.meters() {
        let common = server.common().keys();
        let keys: BTreeSet<String> = meter.keys.iter().chain(common).cloned().collect();
        let kinds = [kind(meter.kind), FamilyKind::Gauge];
        for (name, kind) in families_of(server, meter).into_iter().zip(kinds) {
            all.entry(name).or_insert_with(|| Expected { meter, kind, keys: keys.clone(), start: None });
        }
    }
    for family in at_start(profile, server) {
        if let Some(expected) = all.get_mut(&family.name) {
            let values = values(&family);
            expected.keys = values.keys().cloned().collect();
            expected.start = Some(values);
        }
    }
    all
}

fn kind(kind: profile::Kind) -> FamilyKind {
    match kind {
        profile::Kind::Counter => FamilyKind::Counter,
        profile::Kind::Gauge => FamilyKind::Gauge,
        profile::Kind::Timer | profile::Kind::Summary => FamilyKind::Summary,
        profile::Kind::Histogram => FamilyKind::Histogram,
    }
}

/// What the mock would expose in the place of a fresh server.
fn at_start(profile: &'static Profile, server: &Server) -> Vec<Family> {
    let common = Common {
        prefix: server.prefix().filter(|prefix| *prefix != "kestra").map(str::to_owned),
        tags: server.common().iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        ..Common::default()
    };
    let registry = Registry::configured(profile, server.role(), Instant::START, common);
    let mut text = Vec::new();
    registry.render(&Look::at(Instant::START), &mut text);
    // What the mock writes can be read: a test holds it.
    exposition::read(&String::from_utf8_lossy(&text)).map(|read| read.families).unwrap_or_default()
}

fn values(family: &Family) -> Values {
    let mut values = Values::new();
    let labels = family.samples.iter().flat_map(|sample| &sample.labels);
    for (key, value) in labels.filter(|(key, _)| !OF_LINES.contains(&key.as_str())) {
        values.entry(key.clone()).or_default().insert(value.clone());
    }
    values
}

/// A label, its values that are missing, and those that are there and not expected.
type Missing = (String, Vec<String>, Vec<String>);

/// All there is to know for one comparison.
struct Comparison<'a> {
    profile: &'static Profile,
    servers: &'a [Server],
    names: &'a [String],
    /// By server.
    expected: Vec<BTreeMap<String, Expected<'a>>>,
    /// By server and name.
    families: Vec<BTreeMap<&'a str, &'a Family>>,
    /// Families of any server.
    seen: BTreeSet<&'a str>,
    /// Families of all versions that ship: the first that has one.
    versions: BTreeMap<String, &'static Profile>,
    /// Families that are another one's new name.
    explained: BTreeSet<String>,
}

pub(super) fn compare(profile: &'static Profile, servers: &[Server], names: &[String], found: &mut Found) {
    let mut comparison = Comparison {
        profile,
        servers,
        names,
        expected: servers.iter().map(|server| expected(profile, server)).collect(),
        families: servers.iter().map(by_name).collect(),
        seen: servers.iter().flat_map(|it| &it.exposition.families).map(|it| it.name.as_str()).collect(),
        versions: all_versions(servers),
        explained: BTreeSet::new(),
    };
    let mut roles: BTreeMap<Role, Vec<usize>> = BTreeMap::new();
    servers.iter().enumerate().for_each(|(at, server)| roles.entry(server.role()).or_default().push(at));
    let asked = roles.clone();
    // What a role shows that the version does not have nobody knows.
    roles.retain(|role, _| profile.roles().any(|known| known == *role));
    for members in roles.values() {
        comparison.lacking(members, found);
    }
    comparison.never_seen(found);
    for at in 0..servers.len() {
        comparison.shown(at, found);
    }
    for members in roles.values() {
        comparison.fixed_values(members, found);
    }
    comparison.not_asked(&asked, found);
}

fn by_name(server: &Server) -> BTreeMap<&str, &Family> {
    server.exposition.families.iter().map(|family| (family.name.as_str(), family)).collect()
}

/// The families of all versions, as the servers would call them.
fn all_versions(servers: &[Server]) -> BTreeMap<String, &'static Profile> {
    let mut all = BTreeMap::new();
    let Some(lead) = server::lead(servers) else { return all };
    for version in Profile::NAMES.iter().filter_map(|name| Profile::named(name).ok()) {
        for family in version.meters().flat_map(|(_, meter)| families_of(lead, meter)) {
            all.entry(family).or_insert(version);
        }
    }
    all
}

impl<'a> Comparison<'a> {
    fn all(&self, members: &[usize]) -> Vec<String> {
        members.iter().filter_map(|at| self.names.get(*at).cloned()).collect()
    }

    /// The other names of a meter that are seen: in whichever version.
    fn heirs(&self, meter: &Meter, only: Option<&'static Profile>) -> Vec<String> {
        let versions = Profile::NAMES.iter().filter_map(|name| Profile::named(name).ok());
        let Some(server) = server::lead(self.servers) else { return Vec::new() };
        let mut heirs: Vec<String> = Vec::new();
        for version in versions.filter(|version| only.is_none_or(|only| only == *version)) {
            for heir in version.heirs(meter) {
                let name = server.name_of(heir);
                if (only.is_some() || self.seen.contains(name.as_str())) && !heirs.contains(&name) {
                    heirs.push(name);
                }
            }
        }
        heirs
    }

    /// What servers of one role should show from the start on, and none of them does.
    fn lacking(&mut self, members: &[usize], found: &mut Found) {
        let Some(first) = members.first() else { return };
        let expected = &self.expected[*first];
        let of = |at: &usize| self.servers[*at].exposition.families.iter().map(|family| family.name.as_str());
        let there: BTreeSet<&str> = members.iter().flat_map(of).collect();
        let mut gone: Vec<(&Meter, Vec<String>)> = Vec::new();
        for (name, expected) in expected.iter().filter(|(_, it)| it.start.is_some()) {
            found.families.insert(name.clone());
            if there.contains(name.as_str()) {
                continue;
            }
            match gone.iter_mut().find(|(meter, _)| std::ptr::eq(*meter, expected.meter)) {
                Some((_, names)) => names.push(name.clone()),
                None => gone.push((expected.meter, vec![name.clone()])),
            }
        }
        let on = self.all(members);
        let mut explained = Vec::new();
        for (meter, names) in gone {
            let Some(name) = names.first().cloned() else { continue };
            if by_event(meter) && BROUGHT.iter().any(|(brought, _)| *brought == meter.origin()) {
                found.unseen.push(name);
                continue;
            }
            let heirs = self.heirs(meter, None);
            let why = format!("{} has it from the start on", self.profile);
            found.differs(gone_or_renamed(&name, &heirs, &why, on.clone()));
            explained.extend(heirs);
        }
        self.explain(explained);
    }

    fn explain(&mut self, heirs: Vec<String>) {
        for heir in heirs {
            self.explained.insert(format!("{heir}_max"));
            self.explained.insert(heir);
        }
    }

    /// What only an event brings, and nobody shows: it may still come, unless the version that a server says it is has
    /// nothing of the name.
    fn never_seen(&mut self, found: &mut Found) {
        let Some(server) = server::lead(self.servers) else { return };
        let mut explained = Vec::new();
        for (_, meter) in self.profile.meters().filter(|(_, meter)| by_event(meter)) {
            let name = server.name_of(meter);
            if of_plugins(&name, server.prefix().unwrap_or("kestra")) {
                continue;
            }
            let at_start = |it: &BTreeMap<String, Expected<'_>>| it.get(&name).is_some_and(|it| it.start.is_some());
            if self.seen.contains(name.as_str()) || self.expected.iter().any(at_start) {
                continue;
            }
            let other = server.profile();
            let gone = self.servers.iter().all(|it| it.is_exact() && it.profile().meter(&meter.name).is_none());
            if !gone || other == self.profile {
                found.unseen.push(name);
                continue;
            }
            let heirs = self.heirs(meter, Some(other));
            let why = format!("{} has it from its first event on, {other} has nothing of the name", self.profile);
            found.differs(gone_or_renamed(&name, &heirs, &why, self.names.to_vec()));
            explained.extend(heirs);
        }
        self.explain(explained);
        found.unseen.sort();
        found.unseen.dedup();
    }

    /// What a server shows, family by family.
    fn shown(&self, at: usize, found: &mut Found) {
        let (server, name, expected) = (&self.servers[at], &self.names[at], &self.expected[at]);
        let described =
            server.exposition.families.iter().any(|it| it.help.as_ref().is_some_and(|it| !it.trim().is_empty()));
        if !described {
            found.note_of(name, NO_HELP.to_owned());
        }
        for family in server.exposition.families.iter().filter(|family| !family.samples.is_empty()) {
            let Some(expected) = expected.get(&family.name) else {
                self.unknown(at, family, found);
                continue;
            };
            found.families.insert(family.name.clone());
            let mut differs = |kind: Kind, expected: String, seen: String, told: String| {
                found.differs(Difference {
                    area: Area::Family,
                    kind,
                    subject: family.name.clone(),
                    expected,
                    found: seen,
                    told,
                    on: vec![name.clone()],
                    allowed: false,
                });
            };
            let roles = roles_of(expected.meter);
            // What a process carries of another one it shows when that has begun to work.
            let carries = roles.iter().any(|part| server.role().runs(*part));
            if expected.start.is_none() && !by_event(expected.meter) && !carries {
                let roles: Vec<&str> = roles.into_iter().map(Role::name).collect();
                let (has, here) = (roles.join(", "), server.role().name());
                differs(Kind::More, has.clone(), here.to_owned(), format!("the profile has it on {has} only"));
            }
            if family.kind != expected.kind {
                let (is, was) = (family.kind.name(), expected.kind.name());
                differs(Kind::Type, was.to_owned(), is.to_owned(), format!("is a {is}, in the profile a {was}"));
            }
            // A maximum has the help text and the labels of what it is the maximum of.
            if family.name.strip_suffix("_max").is_some_and(|base| self.families[at].contains_key(base)) {
                continue;
            }
            let help = family.help.as_deref().unwrap_or_default().trim();
            if described && help != expected.help() {
                let told = format!("says {}, in the profile {}", quoted(help), quoted(expected.help()));
                differs(Kind::Help, expected.help().to_owned(), help.to_owned(), told);
            }
            if let Some((keys, told)) = self.keys(family, expected) {
                let all: Vec<&str> = expected.keys.iter().map(String::as_str).collect();
                differs(Kind::Labels, all.join(", "), keys, told);
            }
        }
        self.flow_labels(at, found);
    }

    /// What labels a family has otherwise than the profile, in words.
    fn keys(&self, family: &Family, expected: &Expected<'_>) -> Option<(String, String)> {
        let of_flows = |key: &str| self.profile.has(Quirk::FlowLabels) && key.starts_with(OF_FLOWS);
        for sample in &family.samples {
            let keys: BTreeSet<&str> = sample
                .labels
                .iter()
                .map(|(key, _)| key.as_str())
                .filter(|key| !OF_LINES.contains(key) && !of_flows(key))
                .collect();
            let lacks: Vec<&str> = expected.keys.iter().map(String::as_str).filter(|it| !keys.contains(it)).collect();
            let more: Vec<&str> = keys.iter().copied().filter(|it| !expected.keys.contains(*it)).collect();
            let told = match (lacks.is_empty(), more.is_empty()) {
                (true, true) => continue,
                (false, true) => format!("has no label {}", lacks.join(", ")),
                (true, false) => format!("has the label {} too", more.join(", ")),
                (false, false) => format!("has no label {}, but {}", lacks.join(", "), more.join(", ")),
            };
            return Some((keys.into_iter().collect::<Vec<&str>>().join(", "), told));
        }
        None
    }

    fn flow_labels(&self, at: usize, found: &mut Found) {
        let samples = self.servers[at].exposition.samples();
        let keys: BTreeSet<&str> = samples
            .flat_map(|it| &it.labels)
            .map(|(key, _)| key.as_str())
            .filter(|it| it.starts_with(OF_FLOWS))
            .collect();
        if !keys.is_empty() {
            let keys: Vec<&str> = keys.into_iter().collect();
            found.note_of(
                &self.names[at],
                format!("{} come from labels of flows (kestra.metrics.labels)", keys.join(", ")),
            );
        }
    }

    /// A family that the profile does not have.
    fn unknown(&self, at: usize, family: &Family, found: &mut Found) {
        let (server, name) = (&self.servers[at], &self.names[at]);
        if self.explained.contains(&family.name) {
            return;
        }
        if of_plugins(&family.name, server.prefix().unwrap_or("kestra")) {
            found.unjudged.insert(family.name.clone());
            return;
        }
        // A maximum is told of with what it is the maximum of.
        if family.name.strip_suffix("_max").is_some_and(|base| self.families[at].contains_key(base)) {
            return;
        }
        let told = match self.versions.get(&family.name) {
            Some(version) => format!("{} has no such family, Kestra {version} has", self.profile),
            None => "no version that is known here has such a family".to_owned(),
        };
        found.differs(Difference {
            area: Area::Family,
            kind: Kind::More,
            subject: family.name.clone(),
            expected: String::new(),
            found: family.kind.name().to_owned(),
            told,
            on: vec![name.clone()],
            allowed: false,
        });
    }

    /// Values that servers of one role should show from the start on.
    fn fixed_values(&self, members: &[usize], found: &mut Found) {
        let Some(first) = members.first() else { return };
        // Families that miss the same values of the same label, of which there are others instead.
        let mut missing: BTreeMap<Missing, Vec<&str>> = BTreeMap::new();
        for (name, expected) in &self.expected[*first] {
            let Some(start) = &expected.start else { continue };
            let shown =
                members.iter().filter_map(|at| self.families[*at].get(name.as_str())).map(|family| values(family));
            let mut seen = Values::new();
            shown.flatten().for_each(|(key, values)| seen.entry(key).or_default().extend(values));
            for (key, wanted) in start.iter().filter(|(key, _)| FIXED.contains(&key.as_str())) {
                let Some(seen) = seen.get(key) else { continue };
                let gone: Vec<String> = wanted.difference(seen).cloned().collect();
                if !gone.is_empty() {
                    let others = seen.difference(wanted).cloned().collect();
                    missing.entry((key.clone(), gone, others)).or_default().push(name);
                }
            }
        }
        for ((key, gone, others), families) in missing {
            let Some((subject, more)) = families.split_first() else { continue };
            let has = if others.is_empty() { String::new() } else { format!("; it has {}", few(&others)) };
            let pools = self.pools(*first, &gone, &others);
            let more = if more.is_empty() { String::new() } else { format!("; so it is with {}", more.join(", ")) };
            found.differs(Difference {
                area: Area::Family,
                kind: Kind::Values,
                subject: (*subject).to_owned(),
                told: format!("has no {key}={}{has}{pools}{more}", few(&gone)),
                expected: gone.join(", "),
                found: others.join(", "),
                on: self.all(members),
                allowed: false,
            });
        }
    }

    /// Pools of threads that go on under another name, in words.
    fn pools(&self, at: usize, gone: &[String], others: &[String]) -> String {
        let (own, there) = (self.profile.answers(), self.servers[at].profile().answers());
        [(&own.worker_thread, &there.worker_thread), (&own.queue_thread, &there.queue_thread)]
            .into_iter()
            .filter(|(own, there)| gone.contains(own) && others.contains(there))
            .map(|(own, there)| format!("; {own} is {there} there"))
            .collect()
    }

    /// What no server was asked for, since none has the role.
    fn not_asked(&self, roles: &BTreeMap<Role, Vec<usize>>, found: &mut Found) {
        let asked = |role: &Role| roles.keys().any(|asked| asked.runs(*role));
        let left: Vec<&str> =
            self.profile.roles().filter(|role| *role != Role::Standalone && !asked(role)).map(Role::name).collect();
        if !left.is_empty() {
            found.note(format!("no {} was asked: what only these show was not compared", left.join(", no ")));
        }
    }
}

/// What is said of a server that was told to say nothing of its meters.
const NO_HELP: &str = "no family has a help text (micronaut.metrics.export.prometheus.descriptions)";

/// What labels of flows begin with.
const OF_FLOWS: &str = "label_";

/// Values that are told of many.
const VALUES: usize = 6;

fn few(values: &[String]) -> String {
    let more = values.len().saturating_sub(VALUES);
    let few = values.iter().take(VALUES).cloned().collect::<Vec<String>>().join(", ");
    if more > 0 { format!("{few} and {more} more") } else { few }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("\"{text}\"") }
}

fn roles_of(meter: &Meter) -> Vec<Role> {
    let mut roles: Vec<Role> = meter.start.iter().flat_map(|start| start.roles.iter().copied()).collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// A family that is not there, and what there is in its place.
fn gone_or_renamed(name: &str, heirs: &[String], why: &str, on: Vec<String>) -> Difference {
    let (kind, told) = match heirs.is_empty() {
        true => (Kind::Lacks, why.to_owned()),
        false => (Kind::Renamed, format!("is {} there", heirs.join(" and "))),
    };
    let (expected, found) = (name.to_owned(), heirs.join(", "));
    Difference { area: Area::Family, kind, subject: name.to_owned(), expected, found, told, on, allowed: false }
}
