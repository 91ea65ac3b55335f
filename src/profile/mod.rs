//! What differs between Kestra versions, as data: one folder a version, embedded. A version that `extends` another one tells
//! its differences only (`versions/1.3/version.yaml` tells the form). Nothing here knows the simulator: what moves is named
//! by a [`Probe`], which the simulator fills in, and what answers by a [`Handler`].
//!
//! There is no fallback: a name that exists nowhere is an error of the file that has it, and every shipped folder is read
//! by a test. [`Profile::load`] reads a version from texts.

mod answers;
mod binder;
mod endpoint;
mod lines;
mod meter;
#[cfg(feature = "cli")]
mod prefix;
mod probe;
mod quirk;
mod read;
#[cfg(feature = "cli")]
mod recognise;
mod role;
mod shipped;
mod source;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashSet};

pub use answers::{
    Answers, DoubleSlash, ErrorForm, H2Down, Indicator, LoggerBodies, OddCredentials, Schedulables, ServerAuth,
    TaskRuns, TextBody,
};
pub use binder::Binder;
pub use endpoint::{Endpoint, Fixed, Handler, Method, Port, Says};
pub use lines::{LineDate, LineForm, LineKind, LineLevel};
pub use meter::{Kind, Meter, MeterId, Start};
#[cfg(feature = "cli")]
pub use prefix::{plain, prefix};
pub use probe::{Probe, Probes};
pub use quirk::{Language, Quirk, TextForm};
#[cfg(feature = "cli")]
pub use recognise::{Recognised, recognise};
pub use role::Role;
pub use source::{Linear, Source};

use crate::document::{Diagnostic, instead, render};
use crate::time::Duration;
use quirk::Quirks;
use shipped::{FOLDERS, Folder};

/// Everything that makes a version of Kestra what it is. There is one of each, for the life of the process; two are the same
/// when they are the same one.
pub struct Profile {
    name: &'static str,
    /// It has meters that the version it extends has not, or under other names.
    names_meters: bool,
    language: Language,
    text: TextForm,
    release: Release,
    liveness: Liveness,
    entries: LogEntries,
    quirks: Quirks,
    answers: Answers,
    buckets: Vec<f64>,
    shapes: IndexMap<String, Vec<f64>>,
    meters: IndexMap<String, Meter, FxBuildHasher>,
    /// By the name by which the model moves a meter.
    models: IndexMap<String, MeterId, FxBuildHasher>,
    /// The names of its series, once somebody asks.
    series: OnceLock<FxHashSet<String>>,
    endpoints: Vec<Endpoint>,
    env: &'static str,
    lines: lines::Lines,
    loggers: &'static str,
    /// The levels of those that have one of their own, once somebody asks.
    levels: OnceLock<BTreeMap<&'static str, &'static str>>,
    threads: &'static str,
}

/// Which build a profile was recorded from.
#[derive(Clone, Debug)]
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

/// The log entries that a version writes by itself: how many, and what differs in their words. Recorded: 1.3 and
/// 2.0/standalone/activity, 0.20.7/standalone/activity_scrape1 to 3.
#[derive(Clone, Debug)]
pub struct LogEntries {
    /// For an execution that somebody asks for over the API.
    pub asked: u32,
    /// For an evaluation of an HTTP trigger, its start and its end among them.
    pub poll: u32,
    /// The same of one that fails.
    pub failed_poll: u32,
    /// What stands before the place of a trigger.
    pub tenant: String,
    /// What an executor says of an execution that there is no place for.
    pub over_limit: String,
}

impl fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Profile").field(&self.name).finish()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name)
    }
}

impl PartialEq for Profile {
    fn eq(&self, other: &Profile) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Profile {
    /// The names of the versions that ship, from old to new.
    pub const NAMES: &[&str] = shipped::NAMES;
    /// The version of scenarios that name none.
    pub const DEFAULT: &str = "1.3";

    /// The profile of a version that ships, read at its first use.
    ///
    /// # Errors
    /// No version is called so; which there are.
    pub fn named(name: &str) -> Result<&'static Profile, String> {
        static PROFILES: [OnceLock<Result<Profile, String>>; FOLDERS.len()] =
            [const { OnceLock::new() }; FOLDERS.len()];
        let slot = FOLDERS.iter().zip(&PROFILES).find(|(folder, _)| folder.name == name);
        let Some((folder, slot)) = slot else {
            let instead = instead(name, Profile::NAMES.iter().copied());
            return Err(format!("`{name}` is no version of Kestra we know: {instead}"));
        };
        // The folder of a shipped version cannot be broken, the tests read them all; if it were, this says so.
        let profile = slot.get_or_init(|| read::profile(*folder).map_err(|told| render(&told)));
        profile.as_ref().map_err(Clone::clone)
    }

    /// Reads a version from the texts of its folder, by file name. It may extend one that ships, and lives as long as the
    /// process, as those do.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(name: &str, files: &[(&str, &str)]) -> Result<&'static Profile, Vec<Diagnostic>> {
        let leaked = |text: &str| -> &'static str { String::leak(text.to_owned()) };
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (leaked(name), leaked(text))).collect();
        let profile = read::profile(Folder { name: leaked(name), files: Vec::leak(files) })?;
        Ok(Box::leak(Box::new(profile)))
    }

    /// That of scenarios that name none, for unit tests.
    #[cfg(test)]
    pub(crate) fn default_profile() -> &'static Profile {
        Profile::named(Profile::DEFAULT).unwrap_or_else(|told| panic!("{told}"))
    }

    /// For example `1.3`.
    pub fn name(&self) -> &'static str {
        self.name
    }
    /// How it understands flows.
    pub fn language(&self) -> Language {
        self.language
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
    /// The log entries that it writes by itself.
    pub fn log_entries(&self) -> &LogEntries {
        &self.entries
    }
    /// In which of the recorded ways it answers.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }
    /// What there is on its ports.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
    /// `/env`, as recorded.
    pub fn env(&self) -> &'static str {
        self.env
    }
    /// `/threaddump`, in a form of our own: a line a thread, its frames below it.
    pub fn threads(&self) -> &'static str {
        self.threads
    }
    /// Loggers of a fresh server by name, each with its level; those above a logger exist too.
    pub fn loggers(&self) -> BTreeMap<&'static str, &'static str> {
        let mut loggers = BTreeMap::new();
        for line in self.loggers.lines() {
            let (name, level) = line.split_once(' ').unwrap_or((line, "NOT_SPECIFIED"));
            let above = std::iter::successors(name.rsplit_once('.'), |(above, _)| above.rsplit_once('.'));
            above.for_each(|(above, _)| _ = loggers.entry(above).or_insert("NOT_SPECIFIED"));
            loggers.insert(name, level);
        }
        loggers
    }
    /// The level of a logger of a fresh server, if it is one of its own.
    pub fn logger(&self, name: &str) -> Option<&'static str> {
        let levels = self.levels.get_or_init(|| self.loggers.lines().filter_map(|line| line.split_once(' ')).collect());
        levels.get(name).copied()
    }
    /// How a process writes a line of its log, if a recording or its source tells of it.
    pub fn line(&self, kind: LineKind) -> Option<&LineForm> {
        self.lines.form(kind)
    }
    /// How its console writes the time of a line.
    pub fn line_date(&self) -> LineDate {
        self.lines.date
    }
    /// What stands before `executions` in a path of its API: `main/`, or nothing.
    pub fn tenant_path(&self) -> &'static str {
        self.lines.tenant
    }
    /// Whether the id of a worker is a UUID in its log.
    pub fn names_workers_by_uuid(&self) -> bool {
        self.lines.worker_uuids
    }
    /// What a process of this version can run.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(|role| *role != Role::Controller || self.has(Quirk::Controller))
    }
    /// Whether this version does something otherwise.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.has(quirk)
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
        self.models.get(name).copied()
    }
    /// The meter of an id.
    pub fn meter_of(&self, id: MeterId) -> Option<&Meter> {
        self.meters.get_index(id.0 as usize).map(|(_, meter)| meter)
    }

    /// Meters that tell what a meter of another version told, or told what it tells.
    pub fn heirs<'p>(&'p self, of: &'p Meter) -> impl Iterator<Item = &'p Meter> {
        self.meters.values().filter(|here| here.was.contains(&of.name) || of.was.contains(&here.name))
    }

    /// What is to be said of a metric, by a name that Prometheus sees, which this version does not have and another one has:
    /// which one, and the metric that tells the same here, if there is one.
    pub fn elsewhere(&self, metric: &str) -> Option<(&'static str, Option<String>)> {
        let of = |meter: &Meter| {
            let suffix = metric.strip_prefix(&meter.prometheus_name())?;
            meter.suffixes().iter().copied().find(|it| *it == suffix)
        };
        let is = |meter: &&Meter| of(meter).is_some();
        if self.series().contains(metric) {
            return None;
        }
        // The nearest of those that have names of their own: the others need not be read.
        let own = place(self.name);
        let mut names: Vec<&str> =
            Profile::NAMES.iter().copied().filter(|name| shipped::may_name_meters(name)).collect();
        names.sort_by_key(|name| place(name).abs_diff(own));
        let mut found =
            names.into_iter().filter_map(|name| Some((name, named(name, metric)?.into_iter().find(|it| is(&it))?)));
        let (other, meter) = found.next()?;
        let here = |here: &Meter| {
            let suffix = of(&meter).filter(|suffix| here.suffixes().contains(suffix));
            format!("{}{}", here.prometheus_name(), suffix.or(here.suffixes().first().copied()).unwrap_or_default())
        };
        // Of several the one that moves tells more.
        let still = |here: &&Meter| !here.start.iter().any(|start| start.source.moves());
        Some((other, self.heirs(&meter).min_by_key(still).map(here)))
    }

    /// The names that Prometheus sees of all series of its meters.
    fn series(&self) -> &FxHashSet<String> {
        self.series.get_or_init(|| self.meters.values().flat_map(Meter::series).collect())
    }
}

/// The meters of a version that names any, of which the metric may be one.
fn named(version: &str, metric: &str) -> Option<Vec<Meter>> {
    static TABLES: [OnceLock<Option<read::Table>>; FOLDERS.len()] = [const { OnceLock::new() }; FOLDERS.len()];
    let at = FOLDERS.iter().position(|folder| folder.name == version)?;
    match TABLES.get(at)?.get_or_init(|| read::Table::of(FOLDERS[at])) {
        Some(table) => Some(table.meters_of(metric)),
        None => {
            let whole = Profile::named(version).ok().filter(|profile| profile.names_meters)?;
            Some(whole.meters.values().cloned().collect())
        }
    }
}

/// Where a version stands among those that ship: as many are older.
fn place(name: &str) -> usize {
    static SHIPPED: OnceLock<Vec<Vec<u32>>> = OnceLock::new();
    let parts = |name: &str| -> Vec<u32> { name.split('.').filter_map(|part| part.parse().ok()).collect() };
    let (shipped, own) = (SHIPPED.get_or_init(|| Profile::NAMES.iter().map(|name| parts(name)).collect()), parts(name));
    shipped.iter().filter(|other| **other < own).count()
}
