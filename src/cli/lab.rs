//! `sweep` and `export`: many runs as figures, one run as a test file.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::alertmanager::Alertmanager;
use super::judge::failed_run;
use super::rules::Rules;
use super::told::Told;
use super::watched::Watched;
use super::{Exit, Format, Runs, calendar, complain, documents, history, load, print};
use crate::document::{self, Source, Value};
use crate::lab;
use crate::random::Seed;
use crate::run::Watch;
use crate::scenario::Anchor;

#[derive(Debug, Args)]
pub(super) struct Sweep {
    #[command(flatten)]
    watched: Watched,
    #[command(flatten)]
    alertmanager: Alertmanager,
    /// Seeds: how many from 1 on, or from one to another
    #[arg(long, value_name = "N|A..B", default_value = "200", value_parser = super::seeds)]
    seeds: super::Seeds,
    /// One seed instead: a number, or `random`
    #[arg(long, value_parser = super::seed, conflicts_with = "seeds")]
    seed: Option<Seed>,
    #[command(flatten)]
    runs: Runs,
    /// Entry of the timeline that delays count from [default: the first one]
    #[arg(long)]
    from: Option<String>,
    /// A warning is exit code 1: also a rule that is dead in every run or that failed
    #[arg(long)]
    strict: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Sweep {
    pub(super) fn run(&self) -> Exit {
        let mut told = Told::default();
        let Some((watch, plan)) = self.watched.read(&mut told) else { return Exit::Input };
        let Some(paging) = self.alertmanager.read(&mut told) else { return Exit::Input };
        let watch = Watch { paging, ..watch };
        let from = match &self.from {
            None => Anchor::first_fault(&plan),
            Some(from) => match Anchor::named(from, &plan) {
                Some(from) => from,
                None => {
                    let names = Anchor::names(&plan);
                    let advice = document::instead(from, names.iter().map(String::as_str));
                    complain(&format!("error: `{from}` is no entry of the timeline, and no command; {advice}\n"));
                    return Exit::Input;
                }
            },
        };
        let calendar = calendar(&plan);
        let seeds = self.seed.map_or(self.seeds, super::Seeds::one);
        let runs = lab::Runs { first: seeds.first(), count: seeds.count() as usize, jobs: self.runs.jobs(), from };
        let progress = self.runs.progress(runs.count);
        match lab::sweep(&Arc::new(plan), calendar, &watch, &runs, progress) {
            Ok(sweep) => {
                self.format.print(&sweep, || sweep.text());
                sweep.warnings.iter().for_each(|warning| told.warning(warning));
                told.exit(self.strict, Exit::Ok)
            }
            Err(failed) => failed_run(&failed),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A test file for `promtool test rules`
    Promtool(Promtool),
    /// The past of the cluster as a Prometheus would have stored it: text of OpenMetrics with timestamps
    #[command(after_long_help = history::MEANING)]
    Openmetrics(history::OpenMetricsExport),
    /// The past of the cluster as blocks of Prometheus, by the promtool that is on the PATH
    #[command(after_long_help = history::MEANING)]
    Tsdb(history::Tsdb),
    /// The past of the cluster by remote write, into Prometheus, Mimir, VictoriaMetrics and others
    #[command(after_long_help = history::MEANING)]
    RemoteWrite(history::Remote),
    /// Executions and log entries as documents in the bulk format, for Elasticsearch, OpenSearch and what lies on them
    #[command(after_long_help = documents::MEANING)]
    Elasticsearch(documents::Export),
}

#[derive(Debug, Args)]
struct Promtool {
    /// Scenario, by shipped name or path
    scenario: String,
    #[command(flatten)]
    extras: load::Extras,
    #[command(flatten)]
    rules: Rules,
    /// The test file [default: standard output]; what groups with an interval of their own expect goes into files beside it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
}

impl Export {
    pub(super) fn run(&self) -> Exit {
        match &self.what {
            What::Promtool(export) => export.run(),
            What::Openmetrics(export) => export.run(),
            What::Tsdb(export) => export.run(),
            What::RemoteWrite(export) => export.run(),
            What::Elasticsearch(export) => export.run(),
        }
    }
}

impl Promtool {
    fn run(&self) -> Exit {
        let mut told = Told::default();
        let (Some((watch, files)), Some(plan)) =
            (self.rules.watch(&mut told), load::plan(&self.scenario, &self.extras, &mut told))
        else {
            return Exit::Input;
        };
        if let Some(why) = unreadable(&watch, &files) {
            complain(&format!("error: {why}\n"));
            return Exit::Input;
        }
        told.remarks(&watch, &plan);
        let folder = self.out.as_deref().and_then(Path::parent).filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let named = files.iter().map(|file| relative(Path::new(file), folder)).collect::<Option<Vec<String>>>();
        let Some(named) = named else {
            complain(&format!("error: there is no folder {}\n", folder.display()));
            return Exit::Cannot;
        };
        let calendar = calendar(&plan);
        let export = match lab::promtool(&Arc::new(plan), self.seed, calendar, &watch, &named) {
            Ok(export) => export,
            Err(limit) => {
                complain(&format!("error: {limit}\n"));
                return Exit::Cannot;
            }
        };
        if !export.failed.is_empty() {
            for (rule, why) in &export.failed {
                complain(&format!(
                    "error: {rule} cannot be evaluated ({why}): promtool stops at it; take it out of the rule file for \
                     the export\n"
                ));
            }
            return Exit::Found;
        }
        if watch.rules.groups.iter().any(|group| group.query_offset.is_some()) {
            complain("note: promtool before 2.53 refuses a rule file with `query_offset`\n");
        }
        for (alert, why) in &export.left_out {
            complain(&format!("left out: {alert}: {why}\n"));
        }
        if export.files.iter().all(|file| file.checks == 0) {
            let why = if export.left_out.is_empty() { "no rule alerts" } else { "every alert is left out" };
            complain(&format!("error: nothing would be checked: {why}\n"));
            return Exit::Found;
        }
        match &self.out {
            None => {
                to_standard_output(&export.files);
                Exit::Ok
            }
            Some(out) => {
                let inputs = files.iter().map(PathBuf::from).chain([PathBuf::from(&self.scenario)]);
                write(out, &export.files, &inputs.chain(self.rules.configuration()).collect::<Vec<PathBuf>>())
            }
        }
    }
}

/// What was written, in a few words.
fn summary(file: &lab::TestFile) -> String {
    let lab::TestFile { interval, alerts, checks, .. } = file;
    format!("evaluated each {interval}: alerts {alerts}, checks {checks}\n")
}

/// The first file; there is room for no other.
fn to_standard_output(files: &[lab::TestFile]) {
    let Some((first, others)) = files.split_first() else { return };
    print(&first.text);
    complain(&summary(first));
    for file in others {
        complain(&format!(
            "left out: groups that are evaluated each {} go into a file of their own: name it with --out\n",
            file.interval
        ));
    }
}

/// Writes the files, the others beside the first one. Nothing is written when one of them is a file that was read.
fn write(out: &Path, files: &[lab::TestFile], inputs: &[PathBuf]) -> Exit {
    let path = |(index, file): (usize, &lab::TestFile)| match index {
        0 => out.to_path_buf(),
        _ => beside(out, &file.interval.to_string()),
    };
    let paths: Vec<PathBuf> = files.iter().enumerate().map(path).collect();
    if let Some(why) = paths.iter().find_map(|path| overwrites(path, inputs)) {
        complain(&format!("error: {why}\n"));
        return Exit::Input;
    }
    for (path, file) in paths.iter().zip(files) {
        if let Err(error) = std::fs::write(path, &file.text) {
            complain(&format!("error: cannot write {}: {error}\n", path.display()));
            return Exit::Cannot;
        }
        complain(&format!("{}: {}", path.display(), summary(file)));
    }
    Exit::Ok
}

/// Why a file cannot be written: it is one of those that were read.
pub(super) fn overwrites(path: &Path, inputs: &[PathBuf]) -> Option<String> {
    let written = path.canonicalize().ok()?;
    let is_read = inputs.iter().any(|input| input.canonicalize().is_ok_and(|input| input == written));
    is_read.then(|| {
        format!("{} would be written, and it is one of the files that were read; name another one", path.display())
    })
}

/// Why promtool cannot read the rules, if so.
fn unreadable(watch: &Watch, files: &[String]) -> Option<String> {
    if files.is_empty() {
        return Some("promtool reads rules from files; name them with --rules or --prometheus".to_owned());
    }
    let grafana = watch.rules.grafana.iter().flat_map(|group| &group.rules);
    let grafana: Vec<String> = grafana.map(|rule| format!("`{}`", rule.title)).collect();
    if !grafana.is_empty() {
        let (are, their) = if grafana.len() == 1 { ("is a rule", "its") } else { ("are rules", "their") };
        return Some(format!(
            "{} {are} of Grafana, which promtool does not know; leave {their} file out",
            grafana.join(", ")
        ));
    }
    // A manifest carries rules for an operator, which makes rule files of them.
    let manifest = |file: &&String| load::file(file).is_ok_and(is_manifest);
    let manifest = files.iter().find(manifest)?;
    Some(format!("{manifest} is a manifest, promtool reads rule files; write what its `spec` holds into one"))
}

fn is_manifest(source: Source) -> bool {
    let roots = document::parse_all(&Arc::new(source)).0;
    roots.iter().any(|root| match &root.value {
        Value::Mapping(entries) => entries.iter().any(|entry| entry.key == "kind" || entry.key == "apiVersion"),
        _ => false,
    })
}

/// A path from the root on, without `.` and `..`: what promtool makes of one, which does not look whether a folder is a link.
fn cleaned(path: &Path) -> Option<PathBuf> {
    let mut cleaned = PathBuf::new();
    for part in std::path::absolute(path).ok()?.components() {
        match part {
            Component::ParentDir => _ = cleaned.pop(),
            Component::CurDir => {}
            other => cleaned.push(other),
        }
    }
    Some(cleaned)
}

/// The path of a file as it is named from a folder, for promtool takes them relative to the test file and as patterns. None
/// when one of them is not there.
fn relative(file: &Path, folder: &Path) -> Option<String> {
    let real = file.canonicalize().ok()?;
    folder.canonicalize().ok()?;
    // Promtool goes up from a folder as it is named, be it a link or not.
    let folder = cleaned(folder)?;
    let file = cleaned(file).filter(|file| file.canonicalize().is_ok_and(|it| it == real)).unwrap_or(real);
    let common = file.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(file.components().skip(common)).collect();
    let mut pattern = String::new();
    for c in path.to_string_lossy().chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    Some(pattern)
}

/// The name of a file beside another one: `test.yml`, `test-1m.yml`.
fn beside(file: &Path, what: &str) -> PathBuf {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = file.extension().map(|it| format!(".{}", it.to_string_lossy())).unwrap_or_default();
    file.with_file_name(format!("{stem}-{what}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_where_the_test_is() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let of = |file: &str, folder: &str| relative(&root.join(file), &root.join(folder));
        assert_eq!(of("scenarios/rules/kestra.yml", "."), Some("scenarios/rules/kestra.yml".to_owned()));
        assert_eq!(of("scenarios/rules/kestra.yml", "scenarios/rules"), Some("kestra.yml".to_owned()));
        assert_eq!(of("scenarios/rules/kestra.yml", "src/cli"), Some("../../scenarios/rules/kestra.yml".to_owned()));
        assert_eq!(of("scenarios/rules/none.yml", "."), None);
        assert_eq!(beside(Path::new("a/test.rules.yml"), "1m"), Path::new("a/test.rules-1m.yml"));
        assert_eq!(beside(Path::new("test"), "30s"), Path::new("test-30s"));
    }
}
