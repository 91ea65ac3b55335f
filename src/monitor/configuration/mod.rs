//! What is taken from a `prometheus.yml`: who is scraped how often and under which labels, and which rules there are. What
//! `promtool check config` refuses is refused here; what it accepts means the same here, or is refused by its name.

mod checks;
mod job;
mod operator;
mod options;
mod pattern;
mod read;
mod selectors;
mod values;

use std::sync::Arc;

pub(crate) use checks::RESERVED as RESERVED_HEADERS;
pub use job::{Discovered, Discovery, Dropped, Job, Kubernetes, Located};
#[cfg(feature = "internals")]
pub use options::{OptionStanding, options};
#[cfg(feature = "cli")]
pub use pattern::PathPart;
pub use pattern::path_parts;
pub(in crate::monitor) use values::number;

use super::relabel::AlertRelabel;
use crate::document::{self, Diagnostic, Node, Reading, Source, Value};
use crate::time::Duration;

/// A configuration of Prometheus.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// How often groups are evaluated that say nothing else.
    pub evaluation_interval: Duration,
    /// Labels of everything that leaves this Prometheus; templates know them.
    pub external_labels: Vec<(String, String)>,
    /// What alerts go through before they are sent: `alert_relabel_configs` of `alerting` and of its first Alertmanager.
    pub alert_relabel: AlertRelabel,
    /// Files of rules, with wildcards, relative to the configuration.
    pub rule_files: Vec<String>,
    /// What is scraped.
    pub jobs: Vec<Job>,
}

/// What surrounds a configuration: the files it names, and the environment.
pub trait Surrounds {
    /// The files and folders that a path means, a pattern as Go's `filepath.Glob` reads it.
    fn find(&self, path: &str) -> Vec<String>;
    /// Whether a path that was found is a folder.
    fn is_folder(&self, _path: &str) -> bool {
        false
    }
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<String, String>;
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Other files that are taken for a configuration: a key they begin with, and what to do instead.
const OTHERS: &[(&str, &str, &str)] = &[
    (
        "receivers",
        "a configuration of an OpenTelemetry Collector or of Alertmanager",
        "pass a prometheus.yml; that of a Collector stands under `receivers.prometheus.config`",
    ),
    (
        "exporters",
        "a configuration of an OpenTelemetry Collector",
        "pass what stands under `receivers.prometheus.config`",
    ),
    ("groups", "a file of rules", "pass it with `--rules`"),
    ("route", "a configuration of Alertmanager", "pass a prometheus.yml"),
];

impl Configuration {
    /// Reads a configuration, or manifests of ServiceMonitors and PodMonitors, of which nothing but the text is known: files
    /// that it names are not looked for.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(file_name: &str, text: &str) -> Result<(Configuration, Vec<Diagnostic>), Vec<Diagnostic>> {
        Configuration::read_beside(file_name, text, None)
    }

    /// The same with the files it names, and the environment.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read_beside(
        file_name: &str,
        text: &str,
        surrounds: Option<&dyn Surrounds>,
    ) -> Result<(Configuration, Vec<Diagnostic>), Vec<Diagnostic>> {
        let source = Arc::new(Source { name: file_name.to_owned(), text: text.to_owned() });
        let mut reading = Reading::default();
        if is_blank(text) {
            return Ok((Configuration::empty(), Vec::new()));
        }
        let (documents, diagnostics) = document::parse_all(&source);
        reading.extend(diagnostics);
        let configuration = match documents.as_slice() {
            _ if reading.failed() => None,
            [] => Some(Configuration::empty()),
            all if all.iter().any(operator::is_manifest) => operator::read(all, surrounds, &mut reading),
            [root, others @ ..] => {
                if let Some(second) = others.first() {
                    reading.warning(&second.place, "Prometheus reads the first document only", "take the others out");
                }
                of_another_kind(root, &mut reading).map(|root| read::file(&root, file_name, surrounds, &mut reading))
            }
        };
        match (reading.failed(), configuration) {
            (false, Some(configuration)) => Ok((configuration, reading.finish())),
            _ => Err(reading.finish()),
        }
    }

    /// What an empty file says.
    fn empty() -> Configuration {
        let (external_labels, rule_files, jobs) = (Vec::new(), Vec::new(), Vec::new());
        let alert_relabel = AlertRelabel::default();
        Configuration { evaluation_interval: Duration::minutes(1), external_labels, alert_relabel, rule_files, jobs }
    }
}

/// Whether a file has no document: nothing but blanks, comments and markers.
fn is_blank(text: &str) -> bool {
    let blank = |line: &str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
    };
    text.trim_start_matches('\u{feff}').lines().all(blank)
}

/// The tree with its merges, unless it is a file of another kind.
fn of_another_kind(root: &Node, reading: &mut Reading) -> Option<Node> {
    let (text, start) = (&root.place.source.text, root.place.range.start);
    let line = text.get(..start).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
    if line.contains('\t') {
        reading.error(
            &root.place,
            "a tab stands before the first key",
            "indent with blanks: a tab begins nothing in YAML",
        );
    }
    let root = values::merged(root);
    if let Value::Mapping(entries) = &root.value
        && !entries.iter().any(|entry| options::FILE.row(&entry.key).is_some())
    {
        let known = |entry: &document::Entry| OTHERS.iter().find(|(key, _, _)| entry.key == *key);
        if let Some((entry, (key, what, advice))) = entries.iter().find_map(|entry| Some((entry, known(entry)?))) {
            reading.error(&entry.place, format!("`{key}` is of {what}, not of Prometheus"), *advice);
            return None;
        }
    }
    Some(root)
}

#[cfg(test)]
mod tests;
