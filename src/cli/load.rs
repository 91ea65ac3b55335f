//! Finding scenarios: those shipped inside the binary by name, all others as files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use clap::Args;

use super::complain;
use super::told::Told;
use crate::document::{self, Diagnostic, Place, Severity, Source};
use crate::files::{Files, Shipped, YAML, fitting, flow_files, in_folder, names, scenario_source};
pub(super) use crate::files::{SHIPPED, file, shipped};
use crate::profile::Profile;
use crate::random::Seed;
use crate::scenario::{self, Plan};
use crate::time::Calendar;

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
        return in_folder(path, YAML).and_then(of_scenarios);
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

/// One run of a scenario.
#[derive(Debug, Args)]
pub(super) struct One {
    /// Scenario, by shipped name or path
    pub(super) scenario: String,
    #[command(flatten)]
    extras: Extras,
    /// Version of Kestra, instead of that of the scenario
    #[arg(long, value_parser = super::versions())]
    kestra: Option<&'static Profile>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    pub(super) seed: Seed,
    /// Date of the scenario's start: a date, or `now` [default: that of the scenario, else 2026-01-05T08:00:00Z]
    #[arg(long, value_parser = super::start)]
    start: Option<jiff::Timestamp>,
}

impl One {
    /// Its plan; what is wrong has been told.
    pub(super) fn plan(&self, told: &mut Told) -> Option<Plan> {
        plan_of(&self.scenario, &self.extras, self.kestra, told)
    }

    /// On which dates it lies.
    pub(super) fn calendar(&self, plan: &Plan) -> Calendar {
        self.start.or(plan.start).map_or(Calendar::default(), Calendar::starting)
    }

    /// The files that it names.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.extras.flows.iter().chain([&self.scenario]).map(PathBuf::from).collect()
    }
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
