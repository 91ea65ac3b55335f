//! Rule files of Prometheus, and the same inside of manifests.
//!
//! A rule file is read as Prometheus 3.5 reads it: what its promtool accepts is accepted, what it refuses is refused, and a
//! test asks it about a corpus of files. A manifest is read as its operator reads it.

mod foreign;
mod manifest;
mod numbers;
mod read;

use std::sync::Arc;

use super::grafana;
use crate::document::{Diagnostic, Place, Severity, Source};
use crate::gotemplate::prometheus::Template;
use crate::promql::{Expression, Semantics};
use crate::time::Duration;

/// A group of rules, evaluated one after another.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How often, when not as often as all.
    pub interval: Option<Duration>,
    /// How long before its evaluation the rules are asked, and what they give is written, when it says so.
    pub query_offset: Option<Duration>,
    /// More series than this are a failure; 0 is no limit.
    pub limit: usize,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug)]
pub enum Rule {
    /// `record`: writes a series.
    Record(Arc<RecordRule>),
    /// `alert`.
    Alert(Arc<AlertRule>),
}

/// A recorded series.
#[derive(Clone, Debug)]
pub struct RecordRule {
    /// The name of the series.
    pub name: String,
    /// What it is.
    pub expression: Expression,
    /// Labels it gets.
    pub labels: Vec<(String, String)>,
}

/// An alert.
#[derive(Clone, Debug)]
pub struct AlertRule {
    /// Its name.
    pub name: String,
    /// Its condition.
    pub expression: Expression,
    /// `for`.
    pub hold: Duration,
    /// `keep_firing_for`.
    pub keep_firing: Duration,
    /// Labels it gets.
    pub labels: Vec<(String, Template)>,
    /// For people.
    pub annotations: Vec<(String, Template)>,
}

impl Group {
    /// How long before its evaluation the rules are asked, in milliseconds.
    pub const fn offset(&self) -> i64 {
        match self.query_offset {
            Some(offset) => offset.as_milliseconds() as i64,
            None => 0,
        }
    }
}

impl Rule {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Rule::Record(rule) => &rule.name,
            Rule::Alert(rule) => &rule.name,
        }
    }
    /// Its expression.
    pub fn expression(&self) -> &Expression {
        match self {
            Rule::Record(rule) => &rule.expression,
            Rule::Alert(rule) => &rule.expression,
        }
    }
}

/// Rules of all kinds.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Groups of Prometheus.
    pub groups: Vec<Group>,
    /// Groups of Grafana.
    pub grafana: Vec<grafana::Group>,
    /// What only newer versions of Prometheus accept: since which, and a note about it; an error, when it is too new to be
    /// evaluated as another version would.
    pub newer: Vec<(Semantics, Diagnostic)>,
    /// What the files of Grafana delete (`deleteRules`): uids, and where each stands.
    pub deleted: Vec<(String, Place)>,
}

impl RuleSet {
    /// The names of all alerts, in the order of the rules.
    pub fn alerts(&self) -> impl Iterator<Item = &str> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        let alerts = rules.filter(|rule| matches!(rule, Rule::Alert(_))).map(Rule::name);
        alerts.chain(self.grafana.iter().flat_map(|group| group.rules.iter().map(|rule| rule.title.as_str())))
    }
    /// Notes, and errors, about what a Prometheus refuses that is older than what these rules are written for.
    pub fn refused_by(&self, semantics: Semantics) -> Vec<Diagnostic> {
        self.newer.iter().filter(|(since, _)| semantics < *since).map(|(_, note)| note.clone()).collect()
    }
    /// Adds those of the next file. Grafana goes from file to file, and in each makes the rules first and then deletes: so a
    /// file deletes rules of files before it, and none of files after it. Gives a warning for each rule that is deleted.
    pub fn extend(&mut self, other: RuleSet) -> Vec<Diagnostic> {
        let mut told = Vec::new();
        for group in &mut self.grafana {
            group.rules.retain(|rule| {
                let Some((uid, place)) = other.deleted.iter().find(|(uid, _)| *uid == rule.uid) else { return true };
                let what = format!("the rule `{}` (`{uid}`) of a file before is left out: this deletes it", rule.title);
                let advice = Some("take its uid out of `deleteRules`, or give it another one".to_owned());
                told.push(Diagnostic { severity: Severity::Warning, place: place.clone(), what, advice, warnings: 1 });
                false
            });
        }
        self.deleted.extend(other.deleted);
        self.groups.extend(other.groups);
        self.grafana.extend(other.grafana);
        self.newer.extend(other.newer);
        told
    }
}

/// Reads a rule file of Prometheus, a file of manifests that hold rules (several documents in one), or a provisioning file of
/// Grafana.
///
/// # Errors
/// All that is wrong with it.
pub fn read(file_name: &str, text: &str) -> Result<(RuleSet, Vec<Diagnostic>), Vec<Diagnostic>> {
    read_with(file_name, text, &grafana::Outside::default())
}

/// The same, with what decides how Grafana reads a file and does not stand in it.
///
/// # Errors
/// All that is wrong with it.
pub fn read_with(
    file_name: &str,
    text: &str,
    outside: &grafana::Outside<'_>,
) -> Result<(RuleSet, Vec<Diagnostic>), Vec<Diagnostic>> {
    let source = Arc::new(Source { name: file_name.to_owned(), text: text.to_owned() });
    if let Some(rules) = manifest::flawless(&source, outside) {
        return Ok((rules, Vec::new()));
    }
    let mut file = manifest::File::new(outside);
    file.read(&source);
    let (rules, reading) = file.finish();
    if reading.failed() { Err(reading.finish()) } else { Ok((rules, reading.finish())) }
}
