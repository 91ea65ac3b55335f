//! What a run found, as text and JSON: the event timeline, what is true at its end, and what Kestra's counters say of it.

mod cells;
pub(crate) mod junit;
#[cfg(feature = "cli")]
mod markdown;
mod paging;
mod rules;
mod tables;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

pub(crate) use cells::escape as markdown_cell;
pub use junit::junit;
#[cfg(feature = "cli")]
pub(crate) use markdown::{markdown, verdicts};
pub(crate) use paging::named as named_alert;
pub use paging::{PageLine, PagedLine, Paging, WithheldLine};
pub use rules::{
    OverRuns, RuleKind, RuleLine, RuleState, doubts, expectation_warnings, over_runs, rule_warnings, target_warnings,
};

use crate::scenario::Plan;
use crate::simulator::JournalEntry;
use crate::time::{Duration, Instant};

/// How much a report for people tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What fits on a screen: rows that are alike are one.
    #[default]
    Short,
    /// Every life of every alert, every rule, every target.
    All,
}

/// One run of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// Its summary.
    pub summary: String,
    /// The seed.
    pub seed: u64,
    /// The date of the scenario's start.
    pub start: String,
    /// How long it ran, in seconds of virtual time.
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// What happened, in the order of time.
    pub timeline: Vec<Line>,
    /// What is true, and what the counters of the processes that run at the end say.
    pub closing: Vec<Figure>,
    /// The members at the end.
    pub members: Vec<MemberLine>,
    /// The life of each alert, when rules were given.
    pub alerts: Option<Vec<AlertLine>>,
    /// Rules that could not be evaluated, and why.
    pub failed_rules: Vec<(String, String)>,
    /// How every rule stands at the end.
    pub rules: Vec<RuleLine>,
    /// What was scraped, and how that went.
    pub targets: Vec<TargetLine>,
    /// What notification tasks sent, or could not send.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<MessageLine>,
    /// Who was told of the alerts, when an Alertmanager was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paging: Option<Paging>,
    /// The expectations of the scenario.
    pub expectations: Vec<Verdict>,
    /// What of the scenario itself does nothing, in words: an autoscaler whose query reads what nobody shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// Events the model went through.
    pub events: u64,
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// When, in seconds since the scenario's start.
    #[serde(serialize_with = "instant")]
    pub at: Instant,
    /// What kind of thing.
    pub kind: &'static str,
    /// The member it happened to, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// What, in words.
    pub text: String,
}

impl Line {
    /// The line of something that happened.
    pub fn of(entry: &JournalEntry, plan: &Plan) -> Line {
        let member = entry.what.member().and_then(|member| plan.cluster.members.get(member));
        Line {
            at: entry.at,
            kind: entry.what.kind(),
            member: member.map(|member| member.name.clone()),
            text: entry.text(plan),
        }
    }
}

/// A number of the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What is counted.
    pub name: String,
    /// How many there are in truth.
    pub truth: u64,
    /// What the members' counters show, when one counts this.
    pub shown: Option<f64>,
    /// That counter.
    pub meter: Option<String>,
}

/// A member at the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberLine {
    /// Its name.
    pub name: String,
    /// What its port does: `open`, `refused`, `hangs`, `closing`.
    pub port: &'static str,
    /// Processes it had, the current one included.
    pub processes: u32,
    /// Jobs that run in it.
    pub running: usize,
    /// Jobs it holds and has not started.
    pub pending: usize,
}

/// One time an alert was active.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertLine {
    /// Its name.
    pub alert: String,
    /// Its labels, without its name.
    pub labels: Vec<(String, String)>,
    /// When its condition began to hold, in seconds since the scenario's start.
    #[serde(serialize_with = "instant")]
    pub pending: Instant,
    /// When it fired, if it did.
    #[serde(serialize_with = "maybe_instant")]
    pub firing: Option<Instant>,
    /// When it ended, if it did.
    #[serde(serialize_with = "maybe_instant")]
    pub resolved: Option<Instant>,
    /// The value it fired with.
    pub value: f64,
    /// Why it was active when that was not its condition: `NoData` or `Error` of a Grafana rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Why and since when KeepLast only kept it as it was: `NoData` or `Error` of a Grafana rule.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "since")]
    pub kept: Option<(&'static str, Instant)>,
    /// What it says to people, as it was when it fired, or last.
    pub annotations: Vec<(String, String)>,
}

/// A message of a notification task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessageLine {
    /// When, in seconds since the scenario's start.
    #[serde(serialize_with = "instant")]
    pub at: Instant,
    /// The flow that sends it.
    pub flow: String,
    /// The execution that does.
    pub execution: String,
    /// The task that does.
    pub task: String,
    /// How it goes; none when the task failed before there was a message.
    pub channel: Option<&'static str>,
    /// Where it goes, secrets as stars.
    pub to: String,
    /// What it says, secrets as stars.
    pub body: String,
    /// Whether the receiver took it.
    pub taken: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The expectation, in words.
    pub expectation: String,
    /// Whether it was met; none when `run` cannot judge it.
    pub met: Option<bool>,
    /// What was seen, or why it was not judged.
    pub seen: String,
    /// Why it was probably not meant so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Something that was scraped, as Prometheus's page of targets tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetLine {
    /// Host and port.
    pub address: String,
    /// `http`, or what else was configured.
    pub scheme: String,
    /// The path that is asked.
    pub path: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether the last scrape found it up.
    pub up: bool,
    /// How many scrapes there were.
    pub scrapes: u64,
    /// How many of them failed.
    pub failed: u64,
    /// When the last that failed began, in seconds since the scenario's start, and why it failed, in Prometheus's words.
    #[serde(serialize_with = "error_at")]
    pub last_error: Option<(Instant, String)>,
}

impl TargetLine {
    /// Whether it was scraped and no scrape found it up.
    pub fn never_answered(&self) -> bool {
        self.scrapes > 0 && self.failed == self.scrapes
    }

    /// The address that is asked.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.address, self.path)
    }
}

impl Report {
    /// Whether an expectation was judged and not met.
    pub fn failed(&self) -> bool {
        self.expectations.iter().any(|verdict| verdict.met == Some(false))
    }

    /// For people: an alert that flaps is one row, and rules of which nothing is to be told are named only.
    pub fn text(&self) -> String {
        self.text_with(Detail::Short)
    }

    /// For people, in more or less detail.
    pub fn text_with(&self, detail: Detail) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, detail);
        text
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn write(&self, out: &mut String, detail: Detail) -> std::fmt::Result {
        writeln!(out, "{}: {}", self.scenario, self.summary)?;
        writeln!(out, "{} from {}, seed {}, {} events", self.duration, self.start, self.seed, self.events)?;
        writeln!(out, "\nTimeline")?;
        for line in &self.timeline {
            writeln!(out, "  {:>11}  {}", line.at.rounded().to_string(), line.text)?;
        }
        if self.timeline.is_empty() {
            writeln!(out, "  nothing to tell")?;
        }
        writeln!(out, "\nAt the end                       truth     shown  by")?;
        for figure in &self.closing {
            write!(out, "  {:<26} {:>9}", figure.name, figure.truth)?;
            match (&figure.shown, &figure.meter) {
                (Some(shown), Some(meter)) => writeln!(out, " {shown:>9}  {meter}")?,
                _ => writeln!(out)?,
            }
        }
        writeln!(out, "\nMembers                  port   processes   running   pending")?;
        for member in &self.members {
            let MemberLine { name, port, processes, running, pending } = member;
            writeln!(out, "  {name:<18} {port:>8} {processes:>11} {running:>9} {pending:>9}")?;
        }
        tables::notifications(&self.notifications, detail, out)?;
        if let Some(alerts) = &self.alerts {
            tables::targets(&self.targets, detail, out)?;
            tables::alerts(alerts, detail, out)?;
        }
        if let Some(paging) = &self.paging {
            paging::write(paging, detail, out)?;
        }
        self.write_expectations(out)?;
        match self.alerts {
            Some(_) => tables::rules(&self.rules, detail, out),
            None => Ok(()),
        }
    }

    fn write_expectations(&self, out: &mut String) -> std::fmt::Result {
        if !self.expectations.is_empty() {
            writeln!(out, "\nExpectations")?;
        }
        for Verdict { expectation, met, seen, .. } in &self.expectations {
            let verdict = match met {
                Some(true) => "met",
                Some(false) => "NOT MET",
                None => "not judged",
            };
            writeln!(out, "  {verdict:<10}  {expectation}: {seen}")?;
        }
        Ok(())
    }
}

/// Reports of one scenario with many seeds, for people: how often each expectation was met, and how it first was not.
pub fn over_seeds(reports: &[Report], detail: Detail) -> String {
    let Some(first) = reports.first() else { return String::new() };
    let mut out = format!("{}: {}\n{} seeds from {}\n", first.scenario, first.summary, reports.len(), first.seed);
    for (index, Verdict { expectation, .. }) in first.expectations.iter().enumerate() {
        let of = |report: &Report| report.expectations.get(index).and_then(|verdict| verdict.met);
        let judged = reports.iter().filter(|report| of(report).is_some()).count();
        let met = reports.iter().filter(|report| of(report) == Some(true)).count();
        let verdict = match (judged, met == judged) {
            (0, _) => "not judged",
            (_, true) => "met",
            (_, false) => "NOT MET",
        };
        out += &format!("  {verdict:<10}  {expectation}: {met} of {judged}");
        if let Some(report) = reports.iter().find(|report| of(report) == Some(false)) {
            let seen = report.expectations.get(index).map_or("", |verdict| verdict.seen.as_str());
            out += &format!("; with seed {}: {seen}", report.seed);
        }
        out += "\n";
    }
    // Writing to a String cannot fail.
    let _ = tables::targets_over_runs(reports, detail, &mut out);
    out += &rules::over_runs_text(reports, detail);
    out
}

/// Targets of which a scrape failed, for people.
pub(crate) fn write_targets(targets: &[TargetLine], out: &mut String) -> std::fmt::Result {
    tables::targets(targets, Detail::Short, out)
}

/// Several reports, for programs.
pub fn json(reports: &[Report]) -> String {
    serde_json::to_string_pretty(reports).unwrap_or_default()
}

/// A span in seconds.
pub(crate) fn seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_seconds_f64())
}

/// An instant in seconds since the scenario's start.
pub(crate) fn instant<S: serde::Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_nanoseconds() as f64 / crate::time::SECOND as f64)
}

fn since<S: serde::Serializer>(kept: &Option<(&'static str, Instant)>, serializer: S) -> Result<S::Ok, S::Error> {
    kept.map(|(why, since)| (why, Seconds(since))).serialize(serializer)
}

fn error_at<S: serde::Serializer>(error: &Option<(Instant, String)>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(|(at, why)| (Seconds(*at), why)).serialize(serializer)
}

/// An instant in seconds.
struct Seconds(Instant);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        instant(&self.0, serializer)
    }
}

/// An instant in seconds since the scenario's start, if there is one.
pub(crate) fn maybe_instant<S: serde::Serializer>(at: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => instant(at, serializer),
        None => serializer.serialize_none(),
    }
}
