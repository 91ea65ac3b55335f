//! What differs between Kestra versions, as data: one YAML file a version, embedded, and validated by a test.
//! Nothing here knows the simulator: what moves is named by a [`Probe`], which the simulator fills in.

mod probe;
mod source;
mod variant;

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::Deserialize;

pub use probe::Probe;
pub use source::{Linear, Source};

use crate::time::Duration;

/// Everything that makes a version of Kestra what it is.
#[derive(Debug)]
pub struct Profile {
    name: String,
    /// The profile of the recordings it is made from.
    recorded: String,
    text: TextForm,
    release: Release,
    liveness: Liveness,
    quirks: Vec<Quirk>,
    buckets: Vec<f64>,
    shapes: IndexMap<String, Vec<f64>>,
    meters: IndexMap<String, Meter>,
}

/// Something that one version does otherwise than the others: a closed set of behaviours, each implemented once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quirk {
    /// `kestra.worker.ended.duration` is the time a task waited, not that it ran (0.20).
    WorkerDurationIsWait,
    /// Every request to a process with a webserver reads a setting from the database first (0.20).
    RequestsReadSettings,
    /// SIGTERM closes the ports at once, not when the tasks are done (0.20).
    ClosesAtOnce,
    /// Labels of flows can be made labels of meters: `kestra.metrics.labels` (since 1.2).
    FlowLabels,
    /// A process that gives up without its database closes its ports and lives on for a while, or for ever (0.20).
    LingersWithoutDatabase,
    /// Workers have no database: a controller hands jobs to them, at most twice as many as they have threads (2.0).
    Controller,
    /// Queues have names of their own, an execution's messages go through several (2.0).
    NamedQueues,
    /// A database that stalls kills no process before it comes back, and a scheduler lives through all (2.0).
    OutlivesStall,
    /// `endpoints.*.sensitive` closes no endpoint (2.0).
    IgnoresSensitive,
    /// SIGTERM does not wait for tasks: they are cut off after ten seconds, and the ports stay open till the end (2.0).
    StopsByForce,
}

/// How the text of `/prometheus` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextForm {
    /// As recorded from 0.20 on.
    #[default]
    New,
    /// Up to 0.18: a comma after the last label, and counts of timers as doubles (documentation).
    Old,
}

/// Which build a profile was recorded from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// For example `1.3.19`.
    pub version: String,
    /// Short id of the commit.
    pub commit: String,
    /// Date of the commit, ISO 8601; empty where the version does not tell it.
    pub commit_date: String,
}

/// The timings by which a cluster finds dead processes.
#[derive(Clone, Copy, Debug)]
pub struct Liveness {
    /// Every process tells that it lives this often.
    pub heartbeat: Duration,
    /// Executors look for silent processes this often.
    pub interval: Duration,
    /// Silent for so long, a process is DISCONNECTED.
    pub timeout: Duration,
    /// An executor does not look before it has run this long.
    pub initial_delay: Duration,
}

/// A meter, in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterId(pub(crate) u32);

/// One meter of a profile.
#[derive(Debug)]
pub struct Meter {
    /// Dotted name, as `/metrics` lists it.
    pub name: String,
    /// What it measures with.
    pub kind: Kind,
    /// Base unit, empty when there is none.
    pub unit: String,
    /// Help text, empty when there is none.
    pub help: String,
    /// Series at start.
    pub start: Vec<Start>,
    /// The keys its series have; the first registration wins.
    pub keys: Vec<String>,
    /// Meters of other versions that told what it tells.
    was: Vec<String>,
    /// The name by which the model moves it, when that is the name of another version, or `nothing`.
    model: Option<String>,
}

/// Kinds of meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Count, sum and maximum of times in seconds.
    Timer,
    /// Count, sum and maximum of other amounts.
    Summary,
    /// A timer with buckets.
    Histogram,
}

/// Series that a process shows at start.
#[derive(Debug)]
pub struct Start {
    /// In which roles.
    pub roles: Vec<Role>,
    /// Keys, and the values of each; all combinations are series.
    pub tags: IndexMap<String, Vec<String>>,
    /// What they show.
    pub source: Source,
}

const V0_20_TEXT: &str = include_str!("0.20.yaml");
const V1_3_TEXT: &str = include_str!("1.3.yaml");
const V2_0_TEXT: &str = include_str!("2.0.yaml");

impl Profile {
    /// The names of all profiles.
    pub const NAMES: &[&str] = &["0.17", "0.18", "0.19", "0.20", "1.0", "1.1", "1.2", "1.3", "2.0"];

    /// The profile of a version.
    pub fn named(name: &str) -> Option<&'static Profile> {
        // In the order of the names, each read at its first use.
        static PROFILES: [LazyLock<Profile>; Profile::NAMES.len()] = [
            LazyLock::new(|| Profile::shipped("0.17")),
            LazyLock::new(|| Profile::shipped("0.18")),
            LazyLock::new(|| Profile::shipped("0.19")),
            LazyLock::new(|| Profile::shipped("0.20")),
            LazyLock::new(|| Profile::shipped("1.0")),
            LazyLock::new(|| Profile::shipped("1.1")),
            LazyLock::new(|| Profile::shipped("1.2")),
            LazyLock::new(|| Profile::shipped("1.3")),
            LazyLock::new(|| Profile::shipped("2.0")),
        ];
        let index = Profile::NAMES.iter().position(|known| *known == name)?;
        PROFILES.get(index).map(|profile| &**profile)
    }

    /// A broken file cannot pass the tests: they read it. An empty profile shows no metrics at all.
    fn shipped(name: &str) -> Profile {
        Profile::load(name).unwrap_or_else(|_| Profile::empty())
    }

    /// Reads what is shipped for a name.
    fn load(name: &str) -> Result<Profile, String> {
        match name {
            "0.20" => Profile::parse(V0_20_TEXT),
            "1.3" => Profile::parse(V1_3_TEXT),
            "2.0" => Profile::parse(V2_0_TEXT),
            variant => variant::derive(variant, Profile::load),
        }
    }

    /// The profile of scenarios that name none.
    pub fn default_profile() -> &'static Profile {
        static EMPTY: LazyLock<Profile> = LazyLock::new(Profile::empty);
        Profile::named("1.3").unwrap_or(&EMPTY)
    }

    /// Reads a profile's file.
    ///
    /// # Errors
    /// What is wrong with it.
    fn parse(text: &str) -> Result<Profile, String> {
        let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let seconds = Duration::seconds;
        let mut shapes = IndexMap::new();
        for (name, steps) in &file.shapes {
            let steps: Vec<(f64, f64)> = steps
                .iter()
                .map(|(bound, share)| {
                    Ok((bound.parse().map_err(|_| format!("shape {name}: {bound} is no bound"))?, *share))
                })
                .collect::<Result<_, String>>()?;
            let share =
                |bound: f64| steps.iter().rev().find(|(from, _)| *from <= bound).map_or(0.0, |(_, share)| *share);
            shapes.insert(name.clone(), file.buckets.iter().map(|bound| share(*bound)).collect());
        }
        let mut meters = IndexMap::new();
        for meter in file.meters {
            let roles = if meter.roles.is_empty() { Role::ALL.to_vec() } else { meter.roles };
            let start = meter.start.into_iter().map(|start| {
                let tags = start.tags.into_iter().map(|(key, values)| (key, values.list())).collect();
                let roles = if start.roles.is_empty() { roles.clone() } else { start.roles };
                let source = start.is.resolve(&shapes).map_err(|error| format!("meter {}: {error}", meter.name))?;
                Ok(Start { roles, tags, source })
            });
            let start: Vec<Start> = start.collect::<Result<_, String>>()?;
            let (name, kind, unit, help) = (meter.name, meter.kind, meter.unit, meter.help);
            let keys = match start.first() {
                Some(Start { tags, .. }) => tags.keys().cloned().collect(),
                None => meter.tags,
            };
            let known = Meter { name: name.clone(), kind, unit, help, start, keys, was: meter.was, model: meter.model };
            if meters.insert(name.clone(), known).is_some() {
                return Err(format!("meter {name} twice"));
            }
        }
        Ok(Profile {
            recorded: file.name.clone(),
            text: TextForm::New,
            name: file.name,
            release: file.release,
            liveness: Liveness {
                heartbeat: seconds(file.liveness.heartbeat),
                interval: seconds(file.liveness.interval),
                timeout: seconds(file.liveness.timeout),
                initial_delay: seconds(file.liveness.initial_delay),
            },
            quirks: file.quirks,
            buckets: file.buckets,
            shapes,
            meters,
        })
    }

    fn empty() -> Profile {
        let release = Release { version: String::new(), commit: String::new(), commit_date: String::new() };
        let second = Duration::seconds(1);
        let liveness = Liveness { heartbeat: second, interval: second, timeout: second, initial_delay: second };
        Profile {
            name: String::new(),
            recorded: String::new(),
            text: TextForm::New,
            release,
            liveness,
            quirks: Vec::new(),
            buckets: Vec::new(),
            shapes: IndexMap::new(),
            meters: IndexMap::new(),
        }
    }

    /// For example `1.3`.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The version whose recordings it is made from, for example `0.20` for `0.18`.
    pub fn recorded(&self) -> &str {
        &self.recorded
    }
    /// How its metrics are written.
    pub fn text(&self) -> TextForm {
        self.text
    }
    /// Which build it was recorded from.
    pub fn release(&self) -> &Release {
        &self.release
    }
    /// How dead processes are found.
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }
    /// What a process of this version can run.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(|role| *role != Role::Controller || self.has(Quirk::Controller))
    }
    /// Whether this version does something otherwise.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
    /// Upper bounds of the buckets of histograms, the infinite one left out.
    pub fn buckets(&self) -> &[f64] {
        &self.buckets
    }
    /// The share of all observations below each bound, of the histogram shape with this number.
    pub fn shape(&self, number: usize) -> &[f64] {
        self.shapes.get_index(number).map_or(&[], |(_, shares)| shares)
    }
    /// All meters, in the order of the file.
    pub fn meters(&self) -> impl Iterator<Item = (MeterId, &Meter)> {
        self.meters.values().enumerate().map(|(index, meter)| (MeterId(index as u32), meter))
    }
    /// The meter of a dotted name.
    pub fn meter(&self, name: &str) -> Option<MeterId> {
        self.meters.get_index_of(name).map(|index| MeterId(index as u32))
    }
    /// The meter that the model moves by a name: one that says so, or the one of this name.
    pub fn modelled(&self, name: &str) -> Option<MeterId> {
        let said = self.meters.values().position(|meter| meter.model.as_deref() == Some(name));
        let called = || self.meter(name).filter(|id| self.meter_of(*id).is_some_and(|meter| meter.model.is_none()));
        said.map(|index| MeterId(index as u32)).or_else(called)
    }
    /// What is to be said of a metric, by a name that Prometheus sees, which this version does not have and another one has:
    /// which one, and the metric that tells the same here, if there is one.
    pub fn elsewhere(&self, metric: &str) -> Option<(&'static str, Option<String>)> {
        let plain = ["_count", "_sum", "_max", "_bucket"].iter().find_map(|suffix| metric.strip_suffix(suffix));
        let is = |meter: &&Meter| {
            let name = meter.prometheus_name();
            name == metric || plain == Some(name.as_str())
        };
        if self.meters.values().any(|meter| is(&meter)) {
            return None;
        }
        let others = ["1.3", "2.0", "0.20"].into_iter().filter_map(Profile::named);
        let (other, meter) =
            others.flat_map(|other| other.meters.values().find(is).map(|meter| (other, meter))).next()?;
        let same = |here: &&Meter| here.was.contains(&meter.name) || meter.was.contains(&here.name);
        Some((&other.name, self.meters.values().find(same).map(Meter::prometheus_name)))
    }
    /// The meter of an id.
    pub fn meter_of(&self, id: MeterId) -> Option<&Meter> {
        self.meters.get_index(id.0 as usize).map(|(_, meter)| meter)
    }
}

impl Meter {
    /// The name Prometheus sees, by Micrometer's convention: unit and `_total` at the end, once.
    pub fn prometheus_name(&self) -> String {
        self.prometheus_name_of(&self.name)
    }

    /// The same of another dotted name, for meters that are registered under one.
    pub fn prometheus_name_of(&self, dotted: &str) -> String {
        let mut name: String =
            dotted.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        let unit = match self.kind {
            Kind::Timer | Kind::Histogram => "seconds",
            _ => &self.unit,
        };
        let counter = if self.kind == Kind::Counter { "total" } else { "" };
        for suffix in [unit, counter] {
            if !suffix.is_empty() && !name.ends_with(&format!("_{suffix}")) {
                name.push('_');
                name.push_str(suffix);
            }
        }
        name
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    release: Release,
    liveness: LivenessFile,
    #[serde(default)]
    quirks: Vec<Quirk>,
    buckets: Vec<f64>,
    shapes: IndexMap<String, IndexMap<String, f64>>,
    meters: Vec<MeterFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LivenessFile {
    heartbeat: u64,
    interval: u64,
    timeout: u64,
    initial_delay: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeterFile {
    name: String,
    kind: Kind,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    help: String,
    #[serde(default)]
    roles: Vec<Role>,
    /// Of a meter without series at start: its keys, for the reader of the file.
    #[serde(default)]
    tags: Vec<String>,
    model: Option<String>,
    #[serde(default)]
    was: Vec<String>,
    #[serde(default)]
    start: Vec<StartFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartFile {
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    tags: IndexMap<String, Values>,
    is: source::SourceFile,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Many(Vec<String>),
    One(String),
}

impl Values {
    fn list(self) -> Vec<String> {
        match self {
            Values::Many(values) => values,
            Values::One(value) => vec![value],
        }
    }
}

/// What a process runs (Kestra's server types).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything in one process.
    Standalone,
    /// API and UI, with an embedded indexer.
    Webserver,
    /// The executor.
    Executor,
    /// The scheduler.
    Scheduler,
    /// A worker.
    Worker,
    /// An indexer.
    Indexer,
    /// The controller of 2.0.
    Controller,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 7] = [
        Role::Standalone,
        Role::Webserver,
        Role::Executor,
        Role::Scheduler,
        Role::Worker,
        Role::Indexer,
        Role::Controller,
    ];

    /// As a scenario writes it and members are named: `worker`.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Standalone => "standalone",
            Role::Webserver => "webserver",
            Role::Executor => "executor",
            Role::Scheduler => "scheduler",
            Role::Worker => "worker",
            Role::Indexer => "indexer",
            Role::Controller => "controller",
        }
    }

    /// As `/version` shows it: `WORKER`.
    pub const fn server_type(self) -> &'static str {
        match self {
            Role::Standalone => "STANDALONE",
            Role::Webserver => "WEBSERVER",
            Role::Executor => "EXECUTOR",
            Role::Scheduler => "SCHEDULER",
            Role::Worker => "WORKER",
            Role::Indexer => "INDEXER",
            Role::Controller => "CONTROLLER",
        }
    }

    /// Whether a process of this role runs what `part` alone would run. The webserver carries an indexer
    /// (recorded from 1.3: service INDEXER beside WEBSERVER) and, where the version has one, a controller (2.0).
    pub const fn runs(self, part: Role) -> bool {
        self as u8 == part as u8
            || matches!(self, Role::Standalone)
            || matches!((self, part), (Role::Webserver, Role::Indexer | Role::Controller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_parses_and_knows_its_name() {
        for name in Profile::NAMES {
            assert_eq!(Profile::named(name).expect("a shipped profile").name(), *name);
        }
        for name in Profile::NAMES {
            Profile::load(name).expect("a sound file");
        }
    }

    #[test]
    fn a_metric_of_another_version_is_known_by_what_tells_the_same_here() {
        let profile = |name| Profile::named(name).expect("a profile");
        let recorded = ["0.20", "1.3", "2.0"].map(profile);
        for here in recorded {
            for was in here.meters.values().flat_map(|meter| &meter.was) {
                assert!(here.meter(was).is_none(), "{was} is there");
                assert!(recorded.iter().any(|other| other.meter(was).is_some()), "{was} is nowhere");
            }
        }
        let same = |name, metric| profile(name).elsewhere(metric);
        let here = Some("kestra_worker_running_count".to_owned());
        assert_eq!(same("2.0", "kestra_worker_job_running"), Some(("1.3", here)));
        assert_eq!(
            same("1.3", "kestra_worker_queue_size"),
            Some(("2.0", Some("kestra_worker_job_pending".to_owned())))
        );
        assert_eq!(same("1.3", "kestra_sse_connections"), None);
        assert_eq!(same("0.20", "kestra_executor_taskrun_created_count_total").map(|it| it.0), Some("1.3"));
        assert_eq!(same("1.3", "http_server_requests_seconds_count"), None);
    }

    #[test]
    fn prometheus_names_follow_the_convention_once() {
        let name = |dotted: &str| {
            let profile = Profile::default_profile();
            profile.meter(dotted).and_then(|id| profile.meter_of(id)).expect(dotted).prometheus_name()
        };
        assert_eq!(name("jvm.memory.used"), "jvm_memory_used_bytes");
        assert_eq!(name("process.cpu.time"), "process_cpu_time_ns_total");
        assert_eq!(name("kestra.queue.produce.count"), "kestra_queue_produce_count_total");
        assert_eq!(name("http.server.requests"), "http_server_requests_seconds");
        assert_eq!(name("kestra.queue.big_message.count"), "kestra_queue_big_message_count_total");
    }

    #[test]
    fn a_broken_profile_is_refused_with_a_reason() {
        let text = V1_3_TEXT.replace("is: heap.max", "is: heap.mox");
        let error = Profile::parse(&text).expect_err("no such probe");
        assert!(error.contains("heap.mox"), "{error}");
    }
}
