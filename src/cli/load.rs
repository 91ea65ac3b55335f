//! Finding scenarios: those shipped inside the binary by name, all others as files.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use clap::Args;

use super::complain;
use super::told::Told;
use crate::document::{self, Diagnostic, Place, Severity, Source, limits};
use crate::profile::Profile;
use crate::scenario::{self, FlowFile, Loader, Plan};

/// A shipped scenario.
#[derive(Debug)]
pub(super) struct Shipped {
    /// What kind of failures it is of: the name of its folder, unless it lies beside those.
    pub(super) family: &'static str,
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

macro_rules! shipped {
    ($($family:literal: [$($name:literal in $file:literal),* $(,)?])*) => {
        &[$($(Shipped { family: $family, name: $name, text: include_str!(concat!("../../scenarios/", $file)) },)*)*]
    };
}

/// The shipped scenarios, family by family.
pub(super) const SHIPPED: &[Shipped] = shipped! {
    "demo": [
        "demo" in "demo/demo.yaml",
    ]
    "healthy": [
        "healthy" in "healthy.yaml",
        "healthy-cluster" in "healthy-cluster.yaml",
        "idle" in "idle.yaml",
    ]
    "workers": [
        "worker-killed" in "worker-killed.yaml",
        "worker-saturation" in "worker-saturation.yaml",
        "hidden-backlog" in "hidden-backlog.yaml",
        "controller-lost" in "controller-lost.yaml",
        "no-workers" in "workers/no-workers.yaml",
        "rolling-restart" in "workers/rolling-restart.yaml",
        "autoscale" in "workers/autoscale.yaml",
        "disk-full" in "workers/disk-full.yaml",
        "worker-refused" in "workers/worker-refused.yaml",
        "sla-crash" in "workers/sla-crash.yaml",
        "killed-runs-on" in "workers/killed-runs-on.yaml",
        "native-memory" in "workers/native-memory.yaml",
        "wrong-port" in "workers/wrong-port.yaml",
    ]
    "core": [
        "executor-down" in "core/executor-down.yaml",
        "migration-killed" in "core/migration-killed.yaml",
        "checksum-mismatch" in "core/checksum-mismatch.yaml",
        "scheduler-hangs" in "core/scheduler-hangs.yaml",
        "upgrade-to-2" in "core/upgrade-to-2.yaml",
    ]
    "database": [
        "database-outage" in "database-outage.yaml",
        "zombie" in "zombie.yaml",
        "database-failover" in "database/database-failover.yaml",
        "connection-slots" in "database/connection-slots.yaml",
        "executor-cannot-boot" in "database/executor-cannot-boot.yaml",
        "queues-table" in "database/queues-table.yaml",
        "database-slow" in "database/database-slow.yaml",
        "deadlock-loop" in "database/deadlock-loop.yaml",
        "idle-after-outage" in "database/idle-after-outage.yaml",
        "scheduler-stuck" in "database/scheduler-stuck.yaml",
    ]
    "queues": [
        "big-results" in "queues/big-results.yaml",
        "consumer-dead" in "queues/consumer-dead.yaml",
        "indexer-dead" in "queues/indexer-dead.yaml",
        "poison-message" in "queues/poison-message.yaml",
        "results-lost" in "queues/results-lost.yaml",
    ]
    "jvm": [
        "heap-leak" in "heap-leak.yaml",
        "webserver-heap" in "jvm/webserver-heap.yaml",
        "long-gc-pause" in "jvm/long-gc-pause.yaml",
        "event-loop-blocked" in "jvm/event-loop-blocked.yaml",
    ]
    "triggers": [
        "trigger-locked" in "triggers/trigger-locked.yaml",
        "paused-backfill" in "triggers/paused-backfill.yaml",
        "scheduled-twice" in "triggers/scheduled-twice.yaml",
        "trigger-load" in "triggers/trigger-load.yaml",
    ]
    "flows": [
        "alert-flows" in "alert-flows.yaml",
        "alert-fails" in "alert-fails.yaml",
        "depends-on" in "depends-on.yaml",
        "first-failure" in "flows/first-failure.yaml",
        "secret-missing" in "flows/secret-missing.yaml",
        "flow-cycle" in "flows/flow-cycle.yaml",
        "fan-out" in "flows/fan-out.yaml",
        "webhook-storm" in "flows/webhook-storm.yaml",
        "slot-of-the-dead" in "flows/slot-of-the-dead.yaml",
        "slot-leak" in "flows/slot-leak.yaml",
        "log-flood" in "flows/log-flood.yaml",
        "sla-lost" in "flows/sla-lost.yaml",
    ]
};

/// The names of all shipped scenarios.
fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|shipped| shipped.name)
}

/// The shipped scenario of a name.
pub(super) fn shipped(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}

/// The scenarios that a word means: a shipped one, all of a family, those whose names fit a pattern, else files: one, those
/// of a folder, or those that fit a pattern.
///
/// # Errors
/// That there is none, and what to write instead.
pub(super) fn scenarios(word: &str) -> Result<Vec<String>, String> {
    let owned = |found: Vec<&Shipped>| found.iter().map(|it| it.name.to_owned()).collect::<Vec<String>>();
    if shipped(word).is_some() {
        return Ok(vec![word.to_owned()]);
    }
    let path = Path::new(word);
    let family: Vec<&Shipped> = SHIPPED.iter().filter(|it| it.family == word).collect();
    if !family.is_empty() && !path.exists() {
        return Ok(owned(family));
    }
    let pattern = word.contains(['*', '?', '[']).then(|| glob::Pattern::new(word)).transpose();
    let pattern = pattern.map_err(|why| why.to_string())?;
    if let Some(pattern) = pattern.filter(|_| !path.exists()) {
        let named: Vec<&Shipped> = SHIPPED.iter().filter(|it| pattern.matches(it.name)).collect();
        return if named.is_empty() { fitting(word).and_then(of_scenarios) } else { Ok(owned(named)) };
    }
    if path.is_dir() {
        return in_folder(path).and_then(of_scenarios);
    }
    if !path.exists() {
        let families = SHIPPED.iter().map(|it| it.family);
        let near = document::nearest(word, names().chain(families));
        return Err(near.map_or_else(
            || "it is no file, no shipped scenario and no family of them (`mock-kestra list` shows them)".to_owned(),
            |near| format!("it is no file, no shipped scenario and no family of them; did you mean `{near}`?"),
        ));
    }
    Ok(vec![word.to_owned()])
}

/// Those of several files that are no rules, and nothing else that lies beside scenarios.
fn of_scenarios(paths: Vec<PathBuf>) -> Result<Vec<String>, String> {
    let all = paths.iter().map(|path| path.display().to_string());
    let scenarios: Vec<String> = all.filter(|path| !super::arrange::is_beside(path)).collect();
    if scenarios.is_empty() { Err("there are only rules, and no scenario".into()) } else { Ok(scenarios) }
}

/// What comes to a scenario from the command line and its environment.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Extras {
    /// More flows, in Kestra's own syntax: a file, a folder with all below it, or a pattern; may be written several times
    #[arg(long = "flows", value_name = "PATH")]
    flows: Vec<String>,
}

/// The plan of a scenario with another version of Kestra than its own, when one is named; otherwise as [`plan`].
pub(super) fn plan_of(name: &str, extras: &Extras, kestra: Option<&'static Profile>, told: &mut Told) -> Option<Plan> {
    let Some(kestra) = kestra else { return plan(name, extras, told) };
    let read = ReadScenario::new(name, extras, &[kestra], told)?;
    match read.with_version(kestra) {
        Ok((plan, diagnostics)) => Some(ready(plan, &diagnostics, told)),
        Err(misfit) => {
            misfit.tell(told);
            None
        }
    }
}

/// What is done with a scenario that a version of Kestra does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It was asked for: it is an error.
    Refuse,
    /// Nobody named it: it is left out, and a note says so.
    LeaveOut,
}

/// The names of scenarios that the words of an option name, each once. None when one names none: it has been told.
pub(super) fn all_scenarios(option: &str, words: &[String]) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for word in words {
        match scenarios(word) {
            Ok(found) => {
                for name in found {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
            Err(why) => {
                complain(&format!("error: {option}: `{word}`: {why}\n"));
                return None;
            }
        }
    }
    Some(names)
}

/// The plans of scenarios, each with all of these versions; with that of the file when there are none. None when something
/// is wrong: it has been told.
pub(super) fn plans(
    scenarios: &[String],
    extras: &Extras,
    versions: &[&'static Profile],
    unfit: Unfit,
    told: &mut Told,
) -> Option<Vec<Arc<Plan>>> {
    let mut plans = Vec::new();
    // One that is named twice is the same.
    let mut once: Vec<&'static Profile> = Vec::new();
    for version in versions {
        if !once.contains(version) {
            once.push(version);
        }
    }
    let versions = once.as_slice();
    for name in scenarios {
        if versions.is_empty() {
            plans.push(Arc::new(plan(name, extras, told)?));
            continue;
        }
        let read = ReadScenario::new(name, extras, versions, told)?;
        // What was told with one version is not told again with the next.
        let (mut said, mut secrets) = (Vec::new(), None);
        for kestra in versions {
            let (plan, diagnostics) = match (read.with_version(kestra), unfit) {
                (Ok(plan), _) => plan,
                (Err(misfit), Unfit::Refuse) => {
                    misfit.tell(told);
                    return None;
                }
                (Err(Misfit { why, errors }), Unfit::LeaveOut) => {
                    let at = errors.first().map(|error| {
                        let (line, column) = error.place.line_and_column();
                        format!(" ({}:{line}:{column})", error.place.source.name)
                    });
                    complain(&format!("note: {name} is left out: {why}{}\n", at.unwrap_or_default()));
                    continue;
                }
            };
            let new: Vec<Diagnostic> = diagnostics.into_iter().filter(|told| !said.contains(told)).collect();
            let plan = match &secrets {
                None => ready(plan, &new, told),
                Some(secrets) => {
                    tell(&plan, &new, told);
                    Plan { secrets: Clone::clone(secrets), ..plan }
                }
            };
            said.extend(new);
            secrets.get_or_insert_with(|| plan.secrets.clone());
            let name = match versions.len() {
                1 => plan.name.clone(),
                _ => format!("{} with Kestra {kestra}", plan.name),
            };
            plans.push(Arc::new(Plan { name, ..plan }));
        }
    }
    Some(plans)
}

/// The plan of a scenario, by shipped name or path. None when something is wrong: it has been told.
pub(super) fn plan(name: &str, extras: &Extras, told: &mut Told) -> Option<Plan> {
    let ReadScenario { plan, diagnostics, .. } = ReadScenario::new(name, extras, &[], told)?;
    Some(ready(plan, &diagnostics, told))
}

/// A scenario that was read with the version that it names.
struct ReadScenario {
    source: Source,
    files: Files,
    plan: Plan,
    diagnostics: Vec<Diagnostic>,
}

impl ReadScenario {
    /// Where only one of these versions takes it, it is read with that. None when something is wrong: it has been told.
    fn new(name: &str, extras: &Extras, versions: &[&'static Profile], told: &mut Told) -> Option<ReadScenario> {
        let mut files = Files::default();
        for path in &extras.flows {
            match flow_files(Path::new(path)) {
                Ok(more) => files.more.extend(more),
                Err(why) => {
                    complain(&format!("error: --flows: cannot read `{path}`: {why}\n"));
                    return None;
                }
            }
        }
        let source = match scenario_source(Path::new(""), name) {
            Ok(source) => source,
            Err(why) => {
                complain(&format!("error: cannot read the scenario `{name}`: {why}\n"));
                return None;
            }
        };
        let with = |kestra: &&'static Profile| scenario::read_as(&source.name, &source.text, &files, kestra);
        let (plan, diagnostics) = match scenario::read(&source.name, &source.text, &files) {
            (None, diagnostics) => {
                versions.iter().map(with).find(|read| read.0.is_some()).unwrap_or((None, diagnostics))
            }
            read => read,
        };
        let Some(plan) = plan else {
            told.diagnostics(&diagnostics);
            if diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
                complain(&format!("error: `{name}` is no scenario\n"));
            }
            return None;
        };
        Some(ReadScenario { source, files, plan, diagnostics })
    }

    /// The plan with another version of Kestra, and what is to be told of it: flow files are those that this version takes.
    ///
    /// # Errors
    /// That version has no such members, or does not take its flows.
    fn with_version(&self, kestra: &'static Profile) -> Result<(Plan, Vec<Diagnostic>), Misfit> {
        let name = &self.plan.name;
        let (plan, diagnostics) = scenario::read_as(&self.source.name, &self.source.text, &self.files, kestra);
        let errors = || diagnostics.iter().filter(|told| told.severity == Severity::Error);
        if let Some(unfit) = self.plan.cluster.members.iter().find_map(|member| member.unfit(kestra)) {
            return Err(self.misfit(format!("{unfit}, and the scenario {name} asks for one"), errors().cloned()));
        }
        let Some(plan) = plan else {
            let refused = scenario::refused_triggers(&Plan { kestra, ..self.plan.clone() });
            // A flow file that is refused is no reason by itself: what the scenario makes of it may be one.
            let own = errors().find(|told| told.place.source.name == self.source.name);
            let why = match (refused.first(), own.or_else(|| errors().next())) {
                (Some((_, refused)), _) => format!("{refused}, and the scenario {name} has it"),
                (None, Some(error)) => format!("{}, and the scenario {name} has it", error.what),
                (None, None) => format!("Kestra {} does not take the scenario {name}", kestra.name()),
            };
            return Err(self.misfit(why, errors().cloned()));
        };
        Ok((plan, diagnostics))
    }
}

/// Why a version of Kestra does not take a scenario.
struct Misfit {
    /// In one line.
    why: String,
    /// What is wrong, and where; at least one.
    errors: Vec<Diagnostic>,
}

impl Misfit {
    fn tell(&self, told: &mut Told) {
        complain(&format!("error: --kestra: {}\n\n", self.why));
        told.diagnostics(&self.errors);
    }
}

impl ReadScenario {
    fn misfit(&self, why: String, errors: impl Iterator<Item = Diagnostic>) -> Misfit {
        let mut errors: Vec<Diagnostic> = errors.collect();
        if errors.is_empty() {
            // Nothing of it is wrong but that it asks for what is not there: the file as a whole.
            let source = Arc::new(Source { name: self.source.name.clone(), text: self.source.text.clone() });
            let start = source.text.find("cluster:").unwrap_or(0);
            let place = Place { range: start..source.text.len(), source }.first_line();
            let advice = Some("leave it out for this version, or name one with `--kestra` that has it".to_owned());
            errors.push(Diagnostic { severity: Severity::Error, place, what: why.clone(), advice, warnings: 0 });
        }
        Misfit { why, errors }
    }
}

/// Tells what was found, and which flow files are left out.
fn tell(plan: &Plan, diagnostics: &[Diagnostic], told: &mut Told) {
    told.diagnostics(diagnostics);
    for file in &plan.left_out {
        let version = plan.kestra.name();
        told.warning(&format!("{file} is left out: Kestra {version} refuses it, and keeps the other flows"));
    }
}

/// A plan with the secrets of the environment, after what is to be said of it.
fn ready(mut plan: Plan, diagnostics: &[Diagnostic], told: &mut Told) -> Plan {
    tell(&plan, diagnostics, told);
    add_secrets(&mut plan, std::env::vars_os(), told);
    for (secret, who) in scenario::missing_secrets(&plan) {
        told.warning(&format!(
            "there is no secret `{secret}`, so {who} always fails: write `secrets: {{ {secret}: ... }}` in the scenario, or set \
             SECRET_{secret} to it in base64"
        ));
    }
    plan
}

/// Secrets of the environment, as Kestra itself has them: `SECRET_NAME` in base64. Those of the scenario win.
fn add_secrets(plan: &mut Plan, variables: impl Iterator<Item = (OsString, OsString)>, told: &mut Told) {
    for (variable, value) in variables {
        let Some(name) = variable.to_str().and_then(|variable| variable.strip_prefix("SECRET_")) else { continue };
        if name.is_empty() || plan.secrets.get(name).is_some() {
            continue;
        }
        let decoded = value.to_str().and_then(|value| BASE64.decode(value.trim()).ok());
        match decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(value) => plan.secrets.insert(name.to_owned(), value),
            // Kestra leaves one out that it cannot read.
            None => told.warning(&format!("SECRET_{name} of the environment is no text in base64: it is left out")),
        }
    }
}

/// The text of a scenario.
pub(super) fn scenario_source(folder: &Path, name: &str) -> Result<Source, String> {
    if let Some(shipped) = shipped(name) {
        return Ok(Source { name: format!("{name}.yaml"), text: shipped.text.to_owned() });
    }
    let path = folder.join(name);
    read(&path).map_err(|why| {
        let near = document::nearest(name, names());
        match near.filter(|_| !path.exists()) {
            Some(near) => format!("{why}; did you mean the shipped scenario `{near}`?"),
            None => format!("{why} (`mock-kestra list` shows the shipped ones)"),
        }
    })
}

/// The text of any file.
pub(super) fn file(path: &str) -> Result<Source, String> {
    read(Path::new(path))
}

fn read(path: &Path) -> Result<Source, String> {
    let text = String::from_utf8(bytes(path)?).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok(Source { name: path.display().to_string(), text })
}

/// A flow file: where it is not UTF-8, the others are read all the same.
fn read_flow(path: &Path) -> Result<FlowFile, String> {
    let source = |text: String| Arc::new(Source { name: path.display().to_string(), text });
    Ok(match String::from_utf8(bytes(path)?) {
        Ok(text) => FlowFile::Whole(source(text)),
        Err(wrong) => {
            let valid = wrong.as_bytes().get(..wrong.utf8_error().valid_up_to()).unwrap_or_default();
            FlowFile::NotUtf8(source(String::from_utf8_lossy(valid).into_owned()))
        }
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    // Not all that can be read has an end.
    file.take(limits::FILE as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > limits::FILE {
        return Err(format!("it is larger than {} MiB", limits::FILE >> 20));
    }
    Ok(bytes)
}

/// Opens a file. A pipe that has a name is opened only by who finds a writer there: it might never come. What the shell makes
/// of `<(...)` and `/dev/stdin` has one already.
fn open(path: &Path) -> Result<std::fs::File, String> {
    let failed = |error: std::io::Error| error.to_string();
    let kind = std::fs::metadata(path).map_err(failed)?.file_type();
    let inherited = ["/dev/fd/", "/dev/stdin", "/proc/self/fd/"].iter().any(|begin| path.starts_with(begin));
    if pipe(kind) && !inherited {
        return Err(
            "it is a named pipe, and whoever opens it waits until something is written: write a file, or use <(...)"
                .into(),
        );
    }
    std::fs::File::open(path).map_err(failed)
}

#[cfg(unix)]
fn pipe(kind: std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_fifo()
}

#[cfg(not(unix))]
fn pipe(_: std::fs::FileType) -> bool {
    false
}

/// Files beside the one that names them, and more.
#[derive(Default)]
pub(super) struct Files {
    more: Vec<FlowFile>,
}

impl Loader for Files {
    fn flows(&self, from: &str, path: &str) -> Result<Vec<FlowFile>, String> {
        flow_files(&scenario::beside(from, path))
    }

    fn more_flows(&self) -> &[FlowFile] {
        &self.more
    }

    fn scenario(&self, from: &str, name: &str) -> Result<Source, String> {
        scenario_source(Path::new(from).parent().unwrap_or(Path::new("")), name)
    }
}

/// The flow files that a path means: one, all of a folder and of those below it, or those that fit a pattern.
fn flow_files(path: &Path) -> Result<Vec<FlowFile>, String> {
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']) && !path.exists());
    if let Some(pattern) = pattern {
        return flows_of(fitting(pattern)?);
    }
    if !path.is_dir() {
        return Ok(vec![read_flow(path)?]);
    }
    flows_of(in_folder(path)?)
}

/// The files that fit a pattern, in the order of their paths.
fn fitting(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in glob::glob(pattern).map_err(|why| why.to_string())?.take(ENTRIES) {
        let path = path.map_err(|why| why.to_string())?;
        if !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err("no file fits it".into()) } else { Ok(files) }
}

/// The `.yml` and `.yaml` files of a folder and of those in it, in the order of their paths, so that nothing depends on the
/// order of the disk.
fn in_folder(path: &Path) -> Result<Vec<PathBuf>, String> {
    let mut folder = Folder::default();
    folder.walk(path, 0)?;
    folder.files.sort();
    if folder.files.is_empty() { Err("the folder holds no .yml or .yaml file".into()) } else { Ok(folder.files) }
}

/// Folders in folders.
const DEPTH: usize = 32;
/// Entries of all folders together, whatever they are.
const ENTRIES: usize = 100_000;
/// Bytes of all flow files together.
const BYTES: usize = 256 << 20;

/// The files of a folder and of those in it.
#[derive(Default)]
struct Folder {
    files: Vec<PathBuf>,
    entries: usize,
    /// Folders as they are without links: one that leads to a folder above it does not end.
    seen: BTreeSet<PathBuf>,
}

impl Folder {
    /// Looks for `.yml` and `.yaml` files. What begins with a dot is not looked at: it belongs to tools.
    fn walk(&mut self, folder: &Path, depth: usize) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        if !self.seen.insert(folder.canonicalize().map_err(failed)?) {
            return Ok(());
        }
        if depth > DEPTH {
            return Err(format!("folders lie more than {DEPTH} deep"));
        }
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            self.entries += 1;
            if self.entries > ENTRIES {
                return Err(format!("the folder holds more than {ENTRIES} files and folders"));
            }
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            if path.is_dir() {
                self.walk(&path, depth + 1)?;
            } else if path.extension().is_some_and(|ext| ext == "yml" || ext == "yaml") {
                self.files.push(path);
            }
        }
        Ok(())
    }
}

/// The texts of flow files.
fn flows_of(files: Vec<PathBuf>) -> Result<Vec<FlowFile>, String> {
    if files.len() > scenario::limits::FLOWS {
        return Err(format!("the folder holds more than {} flow files", scenario::limits::FLOWS));
    }
    let (mut sources, mut bytes) = (Vec::new(), 0);
    for path in &files {
        let file = read_flow(path).map_err(|why| format!("{}: {why}", path.display()))?;
        bytes += file.source().text.len();
        if bytes > BYTES {
            return Err(format!("the flow files are larger than {} MiB together", BYTES >> 20));
        }
        sources.push(file);
    }
    Ok(sources)
}
