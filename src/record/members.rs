//! The topology: versions, roles, threads, heaps and the database.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::NotRecorded;
use super::meters::{Part, What};
use super::observed::{Observed, Seen};
use super::times::middle;
use crate::profile::{Port, Profile, Role};
use crate::scenario::DatabaseKind;

/// A member, recognised.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) instance: String,
    pub(super) profile: &'static Profile,
    /// What it says of itself, for example `1.3.19-oss`.
    pub(super) version: Option<String>,
    /// No other version shows the same names, or it has said which one it is.
    pub(super) certain: bool,
    pub(super) role: Role,
    /// Other roles show the same names.
    pub(super) perhaps: Vec<Role>,
    pub(super) threads: Option<u32>,
    pub(super) heap: Option<u64>,
}

/// Members of one role.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) role: Role,
    pub(super) count: usize,
    pub(super) profile: &'static Profile,
    pub(super) threads: Option<u32>,
    pub(super) heap: Option<u64>,
}

/// The cluster.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    pub(super) members: Vec<Member>,
    /// By role, in the order of roles.
    pub(super) groups: Vec<Group>,
    pub(super) profile: &'static Profile,
    pub(super) database: Option<DatabaseKind>,
    /// What meters begin with (`kestra.metrics.prefix`), where that is not what ships.
    pub(super) prefix: Option<String>,
    /// Instances that were there once, and not at the end.
    pub(super) gone: Vec<String>,
    /// Instances that are no Kestra, or were never up.
    pub(super) foreign: Vec<String>,
}

impl Topology {
    pub(super) fn of(observed: &Observed) -> Result<Topology, NotRecorded> {
        if observed.members.iter().all(|member| member.looks.is_empty()) {
            return Err(NotRecorded::Nothing);
        }
        let (mut members, mut gone, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
        for seen in &observed.members {
            let Some(member) = Member::of(seen) else {
                foreign.push(seen.instance.clone());
                continue;
            };
            match observed.is_gone(seen) {
                false => members.push(member),
                true => gone.push(seen.instance.clone()),
            }
        }
        let Some(profile) = most(members.iter().map(|member| member.profile.name())) else {
            return Err(NotRecorded::NoKestra(foreign));
        };
        let profile = Profile::named(profile).unwrap_or(members[0].profile);
        let groups = Role::ALL.into_iter().filter_map(|role| Group::of(role, &members)).collect();
        let prefix =
            most(observed.members.iter().filter_map(|seen| seen.prefix.as_deref())).filter(|it| *it != "kestra");
        let prefix = prefix.map(str::to_owned);
        Ok(Topology { groups, profile, database: database(observed), prefix, members, gone, foreign })
    }

    /// The versions of its members, each once.
    pub(super) fn versions(&self) -> Vec<&'static str> {
        let mut versions: Vec<&str> = self.members.iter().map(|member| member.profile.name()).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    /// The members of a role.
    pub(super) fn of_role(&self, role: Role) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.role == role)
    }
}

impl Group {
    fn of(role: Role, members: &[Member]) -> Option<Group> {
        let of_role = || members.iter().filter(|member| member.role == role);
        let profile = most(of_role().map(|member| member.profile.name()))?;
        Some(Group {
            role,
            count: of_role().count(),
            profile: Profile::named(profile).ok()?,
            threads: most(of_role().filter_map(|member| member.threads)),
            heap: most(of_role().filter_map(|member| member.heap)),
        })
    }
}

/// What occurs most often; of several the last one.
fn most<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().max_by_key(|(value, count)| (*count, *value)).map(|(value, _)| value)
}

impl Member {
    fn of(seen: &Seen) -> Option<Member> {
        let found = seen.recognised()?;
        let text = |key: &str| seen.documents.version.as_ref()?.get(key)?.as_str();
        let version = text("version").or_else(|| built(seen.documents.info.as_ref()?));
        let told = version.and_then(profile_of);
        let role = text("type").and_then(|kind| Role::ALL.into_iter().find(|role| role.server_type() == kind));
        let profile = told.unwrap_or(found.profile);
        let role_is = role.or(found.roles.first().copied())?;
        Some(Member {
            instance: seen.instance.clone(),
            profile,
            version: version.map(str::to_owned),
            certain: told.is_some() || version.is_none() && found.certain,
            role: role_is,
            perhaps: if role.is_some() { Vec::new() } else { found.roles.into_iter().skip(1).collect() },
            threads: threads(seen).filter(|_| role_is.runs(Role::Worker)),
            heap: heap(seen),
        })
    }
}

/// What `/info` says of the build.
fn built(info: &Json) -> Option<&str> {
    info.pointer("/git/build/version")?.as_str()
}

/// The profile of `1.3.19-oss`.
fn profile_of(version: &str) -> Option<&'static Profile> {
    let mut parts = version.split(['.', '-']);
    let name = format!("{}.{}", parts.next()?, parts.next()?);
    Profile::named(&name).ok()
}

/// The threads of a worker: in 2.0 an executor has some too, for tasks of the system.
fn threads(seen: &Seen) -> Option<u32> {
    let of = |group: Option<&str>| seen.newest(What::Threads, |key| key.label("worker_group") == group);
    let any = || seen.newest(What::Threads, |key| key.label("worker_group") != Some("system"));
    let threads = of(None).or_else(|| of(Some("default"))).or_else(any)?;
    (1.0..1e6).contains(&threads).then_some(threads as u32)
}

/// What the heap may grow to: parts that have no bound of their own say -1.
fn heap(seen: &Seen) -> Option<u64> {
    let of_heap = seen.of(What::Heap, Part::Value).filter(|(key, _)| key.label("area") == Some("heap"));
    let bytes: f64 = of_heap.filter_map(|(_, track)| track.last_key_value()).map(|(_, value)| value.max(0.0)).sum();
    (1.0..1e15).contains(&bytes).then_some(bytes as u64)
}

/// What the database is, by what `/health` says, else by the dialect of its queries.
fn database(observed: &Observed) -> Option<DatabaseKind> {
    let said = observed.members.iter().filter_map(|member| by_health(member.documents.health.as_ref()?));
    let queried = observed.members.iter().flat_map(|member| {
        let queries = member.of(What::Queries, Part::Count);
        queries.filter_map(|(key, _)| by_query(key.label("sql")?))
    });
    said.chain(queried).next()
}

fn by_health(health: &Json) -> Option<DatabaseKind> {
    let sources = health.pointer("/details/jdbc/details")?.as_object()?;
    let named = |name: &str, url: &str| match name {
        "PostgreSQL" => Some(DatabaseKind::Postgresql),
        "MySQL" | "MariaDB" => Some(DatabaseKind::Mysql),
        "H2" if url.contains(":file:") => Some(DatabaseKind::H2File),
        "H2" => Some(DatabaseKind::H2),
        _ => None,
    };
    sources.iter().find_map(|(url, source)| named(source.pointer("/details/database")?.as_str()?, url))
}

/// Words of a query that only one of them understands, in the queries of Kestra (recorded; MySQL from source).
fn by_query(sql: &str) -> Option<DatabaseKind> {
    const WORDS: &[(&str, DatabaseKind)] = &[
        ("as jsonb", DatabaseKind::Postgresql),
        ("AS queue_type", DatabaseKind::Postgresql),
        ("on duplicate key update", DatabaseKind::Mysql),
        ("insert into `", DatabaseKind::Mysql),
        ("from `", DatabaseKind::Mysql),
        ("format json", DatabaseKind::H2),
        ("JQ_STRING", DatabaseKind::H2),
    ];
    WORDS.iter().find(|(word, _)| sql.contains(word)).map(|(_, kind)| *kind)
}

/// Who asks the ports: a path, and how often in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Poller {
    pub(super) path: String,
    pub(super) every: f64,
}

/// Requests that are told, at least, of a path that is asked again and again.
const ASKED: f64 = 3.0;
/// What is asked more seldom than this, in seconds, is somebody who looks.
const SELDOM: f64 = 600.0;
/// How `/health/liveness` and `/health/readiness` are counted.
pub(super) const PROBES: &str = "/health/{selector}";

/// Who asks, by what members have counted; none where they count no requests.
pub(super) fn pollers(observed: &Observed, profile: &Profile) -> Option<Vec<Poller>> {
    // Requests to the port of the application are counted too, and are nobody's here.
    let is_there = |path: &str| profile.endpoints().iter().any(|it| it.path == path && it.port != Port::Application);
    let mut rates: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut counted = false;
    for seen in &observed.members {
        let seconds = if observed.at_once() { seen.uptime().unwrap_or(0.0) } else { seen.span() };
        let mut asked: BTreeMap<&str, f64> = BTreeMap::new();
        for (key, track) in seen.of(What::Requests, Part::Count) {
            counted = true;
            let asked_for = |path: &&str| *path == PROBES || is_there(path) && !path.contains('{');
            let Some(path) = key.label("uri").filter(asked_for) else { continue };
            if key.label("method") == Some("GET") {
                *asked.entry(path).or_default() +=
                    observed.rises(seen, track).iter().map(|(_, rise)| rise).sum::<f64>();
            }
        }
        for (path, count) in asked {
            let own = seen.own.get(path).copied().unwrap_or(0) as f64;
            if count - own >= ASKED && seconds > 0.0 {
                rates.entry(path).or_default().push((count - own) / seconds);
            }
        }
    }
    let most = observed.members.len().div_ceil(2);
    let usual = rates.into_iter().filter(|(_, rates)| rates.len() >= most);
    let pollers = usual.filter_map(|(path, rates)| Some((path, 1.0 / middle(&rates)?)));
    counted
        .then(|| pollers.filter(|(_, every)| *every <= SELDOM).flat_map(|(path, every)| probes(path, every)).collect())
}

/// Two probes are counted as one route, and are taken to be asked alike.
fn probes(path: &str, every: f64) -> Vec<Poller> {
    let poller = |path: &str, every: f64| Poller { path: path.to_owned(), every: usual(every) };
    match path {
        PROBES => vec![poller("/health/liveness", every * 2.0), poller("/health/readiness", every * 2.0)],
        path => vec![poller(path, every)],
    }
}

/// What people write into a configuration, where it is near to one of these.
fn usual(seconds: f64) -> f64 {
    const USUAL: [f64; 12] = [1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];
    let near = USUAL.into_iter().find(|usual| (seconds / usual - 1.0).abs() < 0.08);
    near.unwrap_or_else(|| (f64::round(seconds * 10.0) / 10.0).max(0.1))
}
