//! Options that say which rules are evaluated, and how.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Parser};

use super::told::Told;
use super::{complain, load};
use crate::document::{Severity, Source};
use crate::files::{self, CannotRead};
use crate::monitor::{self, Configuration, GrafanaVersion, Outside, PathPart, RuleSet, Surrounds};
use crate::promql::Semantics;
use crate::run::{Scraping, Watch};
use crate::time::Duration;

/// Which rules, and how they are evaluated.
#[derive(Debug, Args)]
pub(super) struct Rules {
    /// A rule file of Prometheus, manifests that hold rules, a provisioning file of Grafana, or a folder of them; more may
    /// follow; `shipped` are the shipped rules [default: the shipped rules]
    #[arg(long, value_name = "FILE")]
    rules: Vec<String>,
    /// Grafana that reads and evaluates its rules, such as 13 or 12.4; its files take variables from the environment
    #[arg(long, value_name = "VERSION", default_value = "13")]
    grafana: GrafanaVersion,
    /// A prometheus.yml, or ServiceMonitor and PodMonitor manifests: jobs, targets, relabelling, intervals and rule_files
    /// are used
    #[arg(long, value_name = "FILE")]
    prometheus: Option<String>,
    /// Prometheus whose semantics the rules are evaluated with: 3.16, 3.5, 2.53 or 2.42
    #[arg(long, default_value = "3.5", value_parser = semantics)]
    semantics: Semantics,
    /// Members are scraped this often [default: 15s, or what --prometheus says]
    #[arg(long, value_parser = interval)]
    scrape_interval: Option<Duration>,
    /// Groups that say nothing else are evaluated this often [default: 15s, or what --prometheus says]
    #[arg(long, value_parser = interval)]
    evaluation_interval: Option<Duration>,
}

/// The word for the rules that ship.
pub(super) const SHIPPED: &str = "shipped";

/// Files that `rule_files` may name.
const MAX_FILES: usize = files::RULE_FILES;

fn semantics(text: &str) -> Result<Semantics, String> {
    let found = Semantics::NAMES.iter().find(|(name, _)| *name == text).map(|(_, semantics)| *semantics);
    found.ok_or_else(|| "write 3.16, 3.5 (or 3), 2.53 (or 2) or 2.42".to_owned())
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let interval: Duration = text.parse()?;
    let fits = interval >= Duration::milliseconds(100) && interval <= Duration::minutes(60);
    if fits { Ok(interval) } else { Err("write a duration from 100ms to 1h".to_owned()) }
}

impl Rules {
    /// Those of these files, with the defaults of all else.
    pub(super) fn of(rules: Vec<String>, prometheus: Option<String>) -> Rules {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            rules: Rules,
        }
        let all = Alone::parse_from(["rules"]).rules;
        Rules { rules, prometheus, ..all }
    }

    /// The same with members that are scraped this often, when it is said.
    pub(super) fn scraped_each(self, scrape_interval: Option<Duration>) -> Rules {
        Rules { scrape_interval, ..self }
    }

    /// How a run is watched with these rules, and the files they are in. None when something is wrong: it has been told.
    pub(super) fn watch(&self, told: &mut Told) -> Option<(Watch, Vec<String>)> {
        let configuration = match &self.prometheus {
            Some(file) => Some((file, configuration(file, told)?)),
            None => None,
        };
        let mut sources: Vec<Source> = Vec::new();
        for file in &self.rules {
            sources.extend(given(file)?);
        }
        if let Some((file, configuration)) = &configuration {
            for pattern in &configuration.rule_files {
                sources.extend(rule_files(file, pattern, told)?);
            }
        }
        let files = sources.iter().map(|source| source.name.clone()).collect();
        if sources.is_empty() && configuration.is_none() {
            sources.push(files::shipped_rules());
        }
        let rules = self.rule_set(&sources, told)?;
        let refused = rules.refused_by(self.semantics);
        told.diagnostics(&refused);
        if refused.iter().any(|it| it.severity == Severity::Error) {
            return None;
        }
        let fifteen = Duration::seconds(15);
        let watch = match configuration {
            None => Watch {
                scraping: Scraping::Every(self.scrape_interval.unwrap_or(fifteen)),
                evaluation_interval: self.evaluation_interval.unwrap_or(fifteen),
                ..Watch::default()
            },
            Some((_, configuration)) => {
                let jobs = configuration.jobs.into_iter();
                let jobs = jobs.map(|job| match self.scrape_interval {
                    Some(interval) => job.every(interval),
                    None => job,
                });
                Watch {
                    scraping: Scraping::Jobs(jobs.collect()),
                    evaluation_interval: self.evaluation_interval.unwrap_or(configuration.evaluation_interval),
                    external_labels: configuration.external_labels,
                    alert_relabel: configuration.alert_relabel,
                    ..Watch::default()
                }
            }
        };
        Some((Watch { rules, semantics: self.semantics, ..watch }, files))
    }

    /// The configuration that is read, when one is.
    pub(super) fn configuration(&self) -> Option<PathBuf> {
        self.prometheus.as_ref().map(PathBuf::from)
    }

    /// The rule groups of all files.
    fn rule_set(&self, sources: &[Source], told: &mut Told) -> Option<RuleSet> {
        let data_sources = sources.iter().flat_map(|source| monitor::data_sources(&source.text)).collect();
        let environment = |name: &str| std::env::var(name).ok();
        let outside = Outside { grafana: self.grafana, environment: Some(&environment), data_sources: &data_sources };
        let mut rules = RuleSet::default();
        let mut files: BTreeMap<String, &str> = BTreeMap::new();
        let mut sound = true;
        for source in sources {
            match monitor::read_rules_with(&source.name, &source.text, &outside) {
                Ok((found, warnings)) => {
                    told.diagnostics(&warnings);
                    for uid in found.deleted.iter().map(|(uid, _)| uid) {
                        files.remove(uid);
                    }
                    for rule in found.grafana.iter().flat_map(|group| &group.rules) {
                        if let Some(other) = files.insert(rule.uid.clone(), &source.name) {
                            let (uid, file) = (&rule.uid, &source.name);
                            complain(&format!(
                                "error: {file}: the rule `{uid}` is in {other} too: each uid is of one rule\n"
                            ));
                            sound = false;
                        }
                    }
                    told.diagnostics(&rules.extend(found));
                }
                Err(diagnostics) => {
                    told.diagnostics(&diagnostics);
                    sound = false;
                }
            }
        }
        sound.then_some(rules)
    }
}

fn cannot(file: &str, why: &str) -> String {
    format!("error: cannot read the rules `{file}`: {why}\n")
}

fn configuration(file: &str, told: &mut Told) -> Option<Configuration> {
    let source = match load::file(file) {
        Ok(source) => source,
        Err(why) => {
            complain(&format!("error: cannot read the configuration `{file}`: {why}\n"));
            return None;
        }
    };
    match Configuration::read_beside(&source.name, &source.text, Some(&Disk)) {
        Ok((configuration, warnings)) => {
            told.diagnostics(&warnings);
            Some(configuration)
        }
        Err(diagnostics) => {
            told.diagnostics(&diagnostics);
            None
        }
    }
}

/// The files and the environment of this machine.
struct Disk;

impl Surrounds for Disk {
    fn find(&self, path: &str) -> Vec<String> {
        matching(path).into_iter().map(|path| path.display().to_string()).collect()
    }

    fn is_folder(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }

    fn read(&self, path: &str) -> Result<String, String> {
        load::file(path).map(|source| source.text)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// What is there that is like a pattern of Go, in the order of the names. What cannot be looked into holds nothing.
pub(super) fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(if pattern.starts_with('/') { "/" } else { "" })];
    for part in monitor::path_parts(pattern).unwrap_or_default() {
        found = found.into_iter().flat_map(|folder| below(&folder, &part)).take(MAX_FILES).collect();
    }
    found.retain(|path| path.exists());
    found
}

/// What of a folder is like a part of a pattern.
fn below(folder: &Path, part: &PathPart) -> Vec<PathBuf> {
    let regex = match part {
        PathPart::Name(name) => return vec![folder.join(name)],
        PathPart::Pattern(regex) => regex,
    };
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(here).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name()).filter(|name| regex.is_match(&name.to_string_lossy()));
    let mut paths: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
    paths.sort();
    paths
}

/// The files that an entry of `rule_files` means, beside the configuration.
fn rule_files(configuration: &str, pattern: &str, told: &mut Told) -> Option<Vec<Source>> {
    let folder = Path::new(configuration).parent().unwrap_or(Path::new(""));
    let whole = folder.join(pattern).display().to_string();
    let paths = matching(&whole);
    if paths.is_empty() {
        told.warning(&format!("{configuration}: no file is like `{pattern}` of rule_files"));
    }
    let read = |path: PathBuf| {
        let name = path.display().to_string();
        load::file(&name).map_err(|why| complain(&cannot(&name, &why))).ok()
    };
    paths.into_iter().map(read).collect()
}

/// A file of rules, or all of a folder.
fn given(path: &str) -> Option<Vec<Source>> {
    if path == SHIPPED && !Path::new(path).exists() {
        return Some(vec![files::shipped_rules()]);
    }
    let mut notes = Vec::new();
    let read = files::rule_sources(Path::new(path), &mut notes);
    notes.iter().for_each(|note| complain(&format!("note: {note}\n")));
    read.map_err(|CannotRead { file, why }| complain(&cannot(&file, &why))).ok()
}
