//! Finding scenarios: those shipped inside the binary by name, all others as files.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

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
];

/// The plan of a scenario with another version of Kestra than its own, when one is named; otherwise as [`plan`].
pub(super) fn plan_of(name: &str, kestra: Option<&'static Profile>, told: &mut Told) -> Option<Plan> {
    let plan = plan(name, told)?;
    match kestra {
        None => Some(plan),
        Some(kestra) => with_version(plan, kestra),
    }
}

/// A plan with another version of Kestra. None when that has no such members: it has been told.
pub(super) fn with_version(plan: Plan, kestra: &'static Profile) -> Option<Plan> {
    let plan = Plan { kestra, ..plan };
    if let Some(unfit) = plan.cluster.members.iter().find_map(|member| member.unfit(kestra)) {
        complain(&format!("error: --kestra: {unfit}, and the scenario {} asks for one\n", plan.name));
        return None;
    }
    Some(plan)
}

/// The plan of a scenario, by shipped name or path. None when something is wrong: it has been told.
pub(super) fn plan(name: &str, told: &mut Told) -> Option<Plan> {
    let source = match scenario_source(Path::new(""), name) {
        Ok(source) => source,
        Err(why) => {
            complain(&format!("error: cannot read the scenario `{name}`: {why}\n"));
            return None;
        }
    };
    let (plan, diagnostics) = scenario::read(&source.name, &source.text, &Files);
    told.diagnostics(&diagnostics);
    if plan.is_none() && diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
        complain(&format!("error: `{name}` is no scenario\n"));
    }
    plan
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

/// Files beside the one that names them.
pub(super) struct Files;

impl Loader for Files {
    fn flows(&self, from: &str, path: &str) -> Result<Vec<Source>, String> {
        let path = scenario::beside(from, path);
        if !path.is_dir() {
            return Ok(vec![read(&path)?]);
        }
        let mut folder = Folder::default();
        folder.walk(&path, 0)?;
        if folder.files.is_empty() {
            return Err("the folder holds no .yml or .yaml file".into());
        }
        folder.read()
    }

    fn scenario(&self, from: &str, name: &str) -> Result<Source, String> {
        scenario_source(Path::new(from).parent().unwrap_or(Path::new("")), name)
    }
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
