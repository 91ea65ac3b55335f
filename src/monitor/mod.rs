//! A Prometheus in virtual time: it sees scraped samples only, evaluates rules on its own grid, and keeps the life of every
//! alert. It knows no simulator: no alert can cheat.

mod alert;
mod rules;
mod scrape;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use alert::{Episode, Transition};
pub use rules::{Group, Rule, read as read_rules};
pub use scrape::{Scrape, Target};

use crate::promql::{Database, Evaluator, Labels, NO_SAMPLE, Semantics, Value};
use crate::time::Duration;
use alert::AlertState;

/// What is evaluated, and how.
#[derive(Debug)]
pub struct Monitor {
    groups: Vec<Group>,
    evaluation_interval: Duration,
    database: Database,
    evaluator: Evaluator,
    targets: Vec<Target>,
    /// Metric names the rules read; none when a selector could mean any.
    wanted: Option<Arc<BTreeSet<String>>>,
    alerts: BTreeMap<(usize, usize), AlertState>,
    /// Series that a rule wrote at its last evaluation.
    written: BTreeMap<(usize, usize), BTreeSet<u32>>,
    failures: BTreeMap<(usize, usize), String>,
    /// Evaluations of groups so far.
    evaluations: u64,
}

impl Monitor {
    /// A monitor of some targets with some rules. `also` are expressions that will be asked later.
    pub fn new(
        groups: Vec<Group>,
        targets: Vec<Target>,
        semantics: Semantics,
        evaluation_interval: Duration,
        also: &[crate::promql::Expression],
    ) -> Monitor {
        let mut wanted = Some(BTreeSet::new());
        let expressions = groups.iter().flat_map(|group| group.rules.iter().map(Rule::expression)).chain(also);
        for name in expressions.flat_map(|expression| expression.selected()) {
            match (name, &mut wanted) {
                (Some(name), Some(wanted)) => {
                    wanted.insert(name);
                }
                _ => wanted = None,
            }
        }
        let step = evaluation_interval.as_milliseconds() as i64;
        Monitor {
            groups,
            evaluation_interval,
            database: Database::default(),
            evaluator: Evaluator::new(semantics, step),
            targets,
            wanted: wanted.map(Arc::new),
            alerts: BTreeMap::new(),
            written: BTreeMap::new(),
            failures: BTreeMap::new(),
            evaluations: 0,
        }
    }

    /// The rule groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }
    /// How often a group is evaluated.
    pub fn interval(&self, group: usize) -> Duration {
        self.groups.get(group).and_then(|group| group.interval).unwrap_or(self.evaluation_interval)
    }
    /// What was scraped and recorded.
    pub fn database(&self) -> &Database {
        &self.database
    }
    /// Evaluations of groups so far.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }
    /// The metrics whose samples are of use; none when all are.
    pub fn wanted(&self) -> Option<&Arc<BTreeSet<String>>> {
        self.wanted.as_ref()
    }
    /// Whether samples of a metric are of use.
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.contains(name))
    }

    /// The value of an expression at an instant. The expression must be one of those the monitor was made with, or read
    /// only what these read.
    ///
    /// # Errors
    /// Why there is none.
    pub fn ask(&self, expression: &crate::promql::Expression, now: i64) -> Result<Value, String> {
        self.evaluator.evaluate(expression, &self.database, now).map_err(|failure| failure.to_string())
    }

    /// Evaluates a group at an instant, in milliseconds since 1970.
    pub fn evaluate(&mut self, group: usize, now: i64) {
        self.evaluations += 1;
        let Some(rules) = self.groups.get(group).map(|group| group.rules.len()) else { return };
        for index in 0..rules {
            let key = (group, index);
            let rule = &self.groups[group].rules[index];
            let value = self.evaluator.evaluate(rule.expression(), &self.database, now);
            let vector = match value {
                Ok(Value::Vector(vector)) => vector,
                Ok(Value::Scalar(value)) => vec![(Labels::from(Vec::new()), value)],
                Ok(Value::Text(_)) => {
                    self.failures.entry(key).or_insert_with(|| "the expression gives a text".into());
                    continue;
                }
                // A rule that fails leaves everything as it was.
                Err(failure) => {
                    self.failures.entry(key).or_insert_with(|| failure.to_string());
                    continue;
                }
            };
            let limit = self.groups[group].limit;
            if limit > 0 && vector.len() > limit {
                let text = format!("exceeded limit of {limit} with {} series", vector.len());
                self.failures.entry(key).or_insert(text);
                continue;
            }
            let output = match rule {
                Rule::Record(rule) => {
                    vector.into_iter().map(|(of, value)| (recorded(&of, &rule.name, &rule.labels), value)).collect()
                }
                Rule::Alert(rule) => {
                    let rule = rule.clone();
                    self.alerts.entry(key).or_default().update(&rule, vector, now)
                }
            };
            self.write(key, output, now);
        }
    }

    /// Writes what a rule gave, and markers for what it gives no longer.
    fn write(&mut self, key: (usize, usize), output: Vec<(Labels, f64)>, now: i64) {
        let mut written = BTreeSet::new();
        for (labels, value) in output {
            let series = self.database.series(&labels);
            self.database.append(series, now, value);
            written.insert(series);
        }
        let before = self.written.insert(key, written.clone()).unwrap_or_default();
        for series in before.difference(&written) {
            self.database.append(*series, now, NO_SAMPLE);
        }
    }

    /// The life of every alert: rule name, and its episodes in the order of time.
    pub fn episodes(&self) -> Vec<(String, Episode)> {
        let mut all: Vec<(String, Episode)> = Vec::new();
        for (&(group, index), state) in &self.alerts {
            if let Some(Rule::Alert(rule)) = self.groups.get(group).and_then(|group| group.rules.get(index)) {
                all.extend(state.episodes().iter().map(|episode| (rule.name.clone(), episode.clone())));
            }
        }
        all.sort_by(|a, b| (a.1.began(), &a.0, &a.1.labels).cmp(&(b.1.began(), &b.0, &b.1.labels)));
        all
    }

    /// Rules that could not be evaluated at least once: name, and why the first time.
    pub fn failures(&self) -> Vec<(String, String)> {
        self.failures
            .iter()
            .filter_map(|(&(group, index), why)| {
                let rule = self.groups.get(group)?.rules.get(index)?;
                Some((rule.name().to_owned(), why.clone()))
            })
            .collect()
    }
}

/// The labels of a recorded series.
fn recorded(of: &Labels, name: &str, labels: &[(String, String)]) -> Labels {
    let mut all: BTreeMap<Arc<str>, Arc<str>> = of.iter().cloned().collect();
    all.insert("__name__".into(), name.into());
    for (key, value) in labels {
        match value.is_empty() {
            true => all.remove(key.as_str()),
            false => all.insert(key.as_str().into(), value.as_str().into()),
        };
    }
    all.into_iter().collect()
}
