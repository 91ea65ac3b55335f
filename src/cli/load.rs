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
use crate::document::{self, Severity, Source, limits};
use crate::profile::Profile;
use crate::scenario::{self, Loader, Plan};

/// The shipped scenarios: name and text.
pub(super) const SHIPPED: &[(&str, &str)] = &[
    ("healthy", include_str!("../../scenarios/healthy.yaml")),
    ("healthy-cluster", include_str!("../../scenarios/healthy-cluster.yaml")),
    ("idle", include_str!("../../scenarios/idle.yaml")),
    ("worker-killed", include_str!("../../scenarios/worker-killed.yaml")),
    ("worker-saturation", include_str!("../../scenarios/worker-saturation.yaml")),
    ("database-outage", include_str!("../../scenarios/database-outage.yaml")),
    ("controller-lost", include_str!("../../scenarios/controller-lost.yaml")),
    ("hidden-backlog", include_str!("../../scenarios/hidden-backlog.yaml")),
    ("zombie", include_str!("../../scenarios/zombie.yaml")),
    ("heap-leak", include_str!("../../scenarios/heap-leak.yaml")),
    ("alert-flows", include_str!("../../scenarios/alert-flows.yaml")),
    ("alert-fails", include_str!("../../scenarios/alert-fails.yaml")),
    ("depends-on", include_str!("../../scenarios/depends-on.yaml")),
];

/// What comes to a scenario from the command line and its environment.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Extras {
    /// More flows, in Kestra's own syntax: a file, a folder with all below it, or a pattern; may be written several times
    #[arg(long = "flows", value_name = "PATH")]
    flows: Vec<String>,
}

/// The plan of a scenario with another version of Kestra than its own, when one is named; otherwise as [`plan`].
pub(super) fn plan_of(name: &str, extras: &Extras, kestra: Option<&'static Profile>, told: &mut Told) -> Option<Plan> {
    let plan = plan(name, extras, told)?;
    match kestra {
        None => Some(plan),
        Some(kestra) => with_version(plan, kestra),
    }
}

/// A plan with another version of Kestra. None when that has no such members, or does not take
/// its flows: it has been told.
pub(super) fn with_version(plan: Plan, kestra: &'static Profile) -> Option<Plan> {
    let plan = Plan { kestra, ..plan };
    if let Some(unfit) = plan.cluster.members.iter().find_map(|member| member.unfit(kestra)) {
        complain(&format!("error: --kestra: {unfit}, and the scenario {} asks for one\n", plan.name));
        return None;
    }
    if let Some((_, refused)) = scenario::refused_triggers(&plan).first() {
        complain(&format!("error: --kestra: {refused}, and the scenario {} has it\n", plan.name));
        return None;
    }
    Some(plan)
}

/// The plan of a scenario, by shipped name or path. None when something is wrong: it has been told.
pub(super) fn plan(name: &str, extras: &Extras, told: &mut Told) -> Option<Plan> {
    let mut files = Files::default();
    for path in &extras.flows {
        match flow_files(Path::new(path)) {
            Ok(more) => files.more.extend(more.into_iter().map(Arc::new)),
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
    let (plan, diagnostics) = scenario::read(&source.name, &source.text, &files);
    told.diagnostics(&diagnostics);
    if plan.is_none() && diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
        complain(&format!("error: `{name}` is no scenario\n"));
    }
    let mut plan = plan?;
    for file in &plan.left_out {
        told.warning(&format!("{file} is left out: Kestra refuses it, and keeps the other flows"));
    }
    add_secrets(&mut plan, std::env::vars_os(), told);
    for (secret, who) in scenario::missing_secrets(&plan) {
        told.warning(&format!(
            "there is no secret `{secret}`, so {who} always fails: write `secrets: {{ {secret}: ... }}` in the scenario, or set \
             SECRET_{secret} to it in base64"
        ));
    }
    Some(plan)
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
    if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(Source { name: format!("{name}.yaml"), text: (*text).to_owned() });
    }
    let path = folder.join(name);
    read(&path).map_err(|why| {
        let near = document::nearest(name, SHIPPED.iter().map(|(name, _)| *name));
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
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    // Not all that can be read has an end.
    file.take(limits::FILE as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > limits::FILE {
        return Err(format!("it is larger than {} MiB", limits::FILE >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok(Source { name: path.display().to_string(), text })
}

/// Files beside the one that names them, and more.
#[derive(Default)]
pub(super) struct Files {
    more: Vec<Arc<Source>>,
}

impl Loader for Files {
    fn flows(&self, from: &str, path: &str) -> Result<Vec<Source>, String> {
        flow_files(&scenario::beside(from, path))
    }

    fn more_flows(&self) -> &[Arc<Source>] {
        &self.more
    }

    fn scenario(&self, from: &str, name: &str) -> Result<Source, String> {
        scenario_source(Path::new(from).parent().unwrap_or(Path::new("")), name)
    }
}

/// The flow files that a path means: one, all of a folder and of those below it, or those that fit a pattern.
fn flow_files(path: &Path) -> Result<Vec<Source>, String> {
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']) && !path.exists());
    if let Some(pattern) = pattern {
        let paths = glob::glob(pattern).map_err(|why| why.to_string())?;
        let mut folder = Folder::default();
        for path in paths.take(ENTRIES) {
            let path = path.map_err(|why| why.to_string())?;
            if !path.is_dir() {
                folder.files.push(path);
            }
        }
        return if folder.files.is_empty() { Err("no file fits it".into()) } else { folder.read() };
    }
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let mut folder = Folder::default();
    folder.walk(path, 0)?;
    if folder.files.is_empty() {
        return Err("the folder holds no .yml or .yaml file".into());
    }
    folder.read()
}

/// Folders in folders.
const DEPTH: usize = 32;
/// Entries of all folders together, whatever they are.
const ENTRIES: usize = 100_000;
/// Bytes of all flow files together.
const BYTES: usize = 256 << 20;

/// The flow files of a folder and of those in it.
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

    /// The files in the order of their paths, so that nothing depends on the order of the disk.
    fn read(mut self) -> Result<Vec<Source>, String> {
        if self.files.len() > scenario::limits::FLOWS {
            return Err(format!("the folder holds more than {} flow files", scenario::limits::FLOWS));
        }
        self.files.sort();
        let (mut sources, mut bytes) = (Vec::new(), 0);
        for path in &self.files {
            let source = read(path).map_err(|why| format!("{}: {why}", path.display()))?;
            bytes += source.text.len();
            if bytes > BYTES {
                return Err(format!("the flow files are larger than {} MiB together", BYTES >> 20));
            }
            sources.push(source);
        }
        Ok(sources)
    }
}
