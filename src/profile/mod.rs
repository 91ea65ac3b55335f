//! What differs between Kestra versions, as data: one YAML file a version, embedded, and validated by a test.
//! Nothing here knows the simulator: what moves is named by a [`Probe`], which the simulator fills in.

mod probe;
mod read;
mod role;
mod source;
mod variant;

use std::sync::{LazyLock, OnceLock};

use indexmap::IndexMap;
use serde::Deserialize;

pub use probe::Probe;
pub use role::Role;
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
        static PROFILES: [OnceLock<Profile>; Profile::NAMES.len()] = [const { OnceLock::new() }; Profile::NAMES.len()];
        let index = Profile::NAMES.iter().position(|known| *known == name)?;
        // A broken file cannot pass the tests: they read it. An empty profile shows no metrics at all.
        let read = || Profile::load(name).unwrap_or_else(|_| Profile::empty());
        PROFILES.get(index).map(|profile| profile.get_or_init(read))
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
        // Of the recorded versions the one that is nearest.
        let place = |profile: &Profile| Profile::NAMES.iter().position(|name| *name == profile.name);
        let far = |other: &&Profile| place(other).unwrap_or_default().abs_diff(place(self).unwrap_or_default());
        let recorded =
            Profile::NAMES.iter().filter_map(|name| Profile::named(name)).filter(|it| it.name == it.recorded);
        let found = recorded.filter_map(|other| Some((other, other.meters.values().find(is)?)));
        let (other, meter) = found.min_by_key(|(other, _)| far(other))?;
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
        let mut name = String::with_capacity(dotted.len() + 16);
        name.extend(dotted.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }));
        let unit = match self.kind {
            Kind::Timer | Kind::Histogram => "seconds",
            _ => &self.unit,
        };
        let counter = if self.kind == Kind::Counter { "total" } else { "" };
        for suffix in [unit, counter] {
            let there = name.strip_suffix(suffix).is_some_and(|name| name.ends_with('_'));
            if !suffix.is_empty() && !there {
                name.push('_');
                name.push_str(suffix);
            }
        }
        name
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
