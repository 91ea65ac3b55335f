//! How rules stand at the end of a run, and over several runs.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Detail, Report, TargetLine};

/// How a rule stands. The order is that of tables: what is wrong comes first, and what says most about a rule wins over
/// several runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleState {
    /// It could not be evaluated, at least once.
    Failed,
    /// It can do nothing: what it reads is not there.
    Dead,
    /// An alert of it fired.
    Fired,
    /// An alert of it was pending and did not fire.
    Pending,
    /// It recorded a series.
    Recorded,
    /// What it reads is there, and it had nothing to tell.
    Quiet,
}

impl RuleState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            RuleState::Failed => "failed",
            RuleState::Dead => "dead",
            RuleState::Fired => "fired",
            RuleState::Pending => "pending",
            RuleState::Recorded => "recorded",
            RuleState::Quiet => "quiet",
        }
    }
}

/// What a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    /// An alert of Prometheus.
    Alert,
    /// A recording rule.
    Record,
    /// A rule of Grafana.
    Grafana,
}

/// How one rule stands at the end of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleLine {
    /// Its name.
    pub rule: String,
    /// The name of its group.
    pub group: String,
    /// What it is.
    pub kind: RuleKind,
    /// How it stands.
    pub state: RuleState,
    /// How often its alerts fired.
    pub times: usize,
    /// When and how often, how near it came, or why not; in words.
    pub told: String,
    /// Whether it had an answer only because a comparison left one of several series that match one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leans: bool,
    /// What of it does nothing, though the whole can do something; in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// How a rule stood over several runs.
#[derive(Clone, Debug, PartialEq)]
pub struct OverRuns<'r> {
    /// The line of the run that says most of it: one in which it failed, else one in which it was not dead.
    pub line: &'r RuleLine,
    /// The run of that line.
    pub report: &'r Report,
    /// In how many runs its alerts fired.
    pub fired: usize,
    /// Runs.
    pub runs: usize,
}

impl OverRuns<'_> {
    /// Whether a verdict may lack the rule: it failed in a run, or it was dead in all of them.
    pub fn warns(&self) -> bool {
        matches!(self.line.state, RuleState::Failed | RuleState::Dead)
    }
}

/// How each rule stood over several runs with the same rules. One that is dead in some runs only is not dead: it is for
/// others, another version of Kestra for example.
pub fn over_runs(reports: &[Report]) -> Vec<OverRuns<'_>> {
    let Some(first) = reports.first() else { return Vec::new() };
    let of = |index: usize| {
        let lines = || reports.iter().filter_map(move |report| Some((report, report.rules.get(index)?)));
        let weight = |state: RuleState| match state {
            // All others say more than that it was dead.
            RuleState::Dead => (1, state),
            _ => (0, state),
        };
        let (report, line) = lines().min_by_key(|(_, line)| weight(line.state))?;
        let fired = lines().filter(|(_, line)| line.times > 0).count();
        Some(OverRuns { line, report, fired, runs: reports.len() })
    };
    (0..first.rules.len()).filter_map(of).collect()
}

/// Warnings of rules that a verdict over these runs may lack: those that are dead in every run, and those that failed in one.
pub fn rule_warnings(reports: &[Report]) -> Vec<String> {
    let told = |rule: &OverRuns<'_>| {
        let RuleLine { rule: name, state, told: why, .. } = rule.line;
        let wherever = if rule.runs > 1 { "in every run" } else { "in this run" };
        match state {
            RuleState::Dead => format!("the rule {name} can do nothing {wherever}: {why}"),
            _ => format!("{}: the rule {name} could not be evaluated: {why}", rule.report.scenario),
        }
    };
    over_runs(reports).iter().filter(|rule| rule.warns()).map(told).collect()
}

/// What is told of a rule that leans on its comparison (asked of promtool 2.42, 3.5 and 3.16).
const LEANS: &str = "several series match one, and only the comparison leaves one of them: it fails as soon as it leaves two, and \
                     since Prometheus 3.9 always (`--semantics 3.16`); aggregate them, or write `group_left` or `group_right`";

/// What of rules does nothing in all of these runs, and what of a scenario does nothing in all of its runs, in words; and
/// rules whose answer hangs on the version of Prometheus in any run.
pub fn doubts(reports: &[Report]) -> Vec<String> {
    let Some(first) = reports.first() else { return Vec::new() };
    let mut of_scenarios: Vec<String> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    // What is so in all runs of a scenario is so in the first of them.
    for report in reports.iter().filter(|report| seen.insert(&report.scenario)) {
        let others = || reports.iter().filter(|other| other.scenario == report.scenario);
        let everywhere = report.doubts.iter().filter(|doubt| others().all(|other| other.doubts.contains(doubt)));
        of_scenarios.extend(everywhere.map(|doubt| format!("{}: {doubt}", report.scenario)));
    }
    let of_rule = |(index, line): (usize, &RuleLine)| {
        let everywhere = |doubt: &&String| {
            let has = |report: &Report| report.rules.get(index).is_some_and(|line| line.doubts.contains(doubt));
            reports.iter().all(has)
        };
        let leans = reports.iter().any(|report| report.rules.get(index).is_some_and(|line| line.leans));
        let leaning = leans.then(|| format!("{}: {LEANS}", line.rule));
        line.doubts.iter().filter(everywhere).cloned().chain(leaning).collect::<Vec<String>>()
    };
    first.rules.iter().enumerate().flat_map(of_rule).chain(of_scenarios).collect()
}

/// Warnings of expectations that were probably not meant as they are, each once.
pub fn expectation_warnings(reports: &[Report]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for report in reports {
        for verdict in &report.expectations {
            let Some(warning) = &verdict.warning else { continue };
            let told = format!("{}: {}: {warning}", report.scenario, verdict.expectation);
            if !all.contains(&told) {
                all.push(told);
            }
        }
    }
    all
}

/// Warnings of targets that answered in none of several runs of a scenario: nothing is known of what they would have shown.
pub fn target_warnings(reports: &[Report]) -> Vec<String> {
    let Some(first) = reports.first() else { return Vec::new() };
    let silent = |index: usize| reports.iter().all(|it| it.targets.get(index).is_some_and(TargetLine::never_answered));
    let wherever = if reports.len() > 1 { "in any run" } else { "in this run" };
    let told = |target: &TargetLine| {
        let why = target.last_error.as_ref().map_or("", |(_, why)| why.as_str());
        format!("{}: {} never answered {wherever}: {why}", first.scenario, target.url())
    };
    let silent = first.targets.iter().enumerate().filter(|(index, _)| silent(*index));
    silent.map(|(_, target)| told(target)).collect()
}

/// The same for people.
pub(super) fn over_runs_text(reports: &[Report], detail: Detail) -> String {
    let mut rules = over_runs(reports);
    rules.sort_by_key(|rule| rule.line.state);
    let named = |rule: &OverRuns<'_>| detail == Detail::All || rule.line.state != RuleState::Quiet;
    let shown = || rules.iter().filter(|rule| named(rule));
    let width = super::tables::width(shown().map(|rule| rule.line.rule.as_str()));
    let row = |rule: &OverRuns<'_>| {
        let RuleLine { rule: name, state, told, .. } = rule.line;
        let told = match state {
            RuleState::Fired => format!("in {} of {} runs", rule.fired, rule.runs),
            // What was so in one run.
            RuleState::Failed | RuleState::Pending => {
                format!("with seed {}: {told}", rule.report.seed)
            }
            _ => told.clone(),
        };
        format!("  {:<9} {name:<width$}  {told}", state.name()).trim_end().to_owned() + "\n"
    };
    let quiet = rules.iter().filter(|rule| !named(rule)).count();
    let mut out: String = shown().map(row).collect();
    if quiet > 0 {
        let rules = if quiet == 1 { "rule" } else { "rules" };
        out += &format!("  {:<9} {quiet} {rules}\n", "quiet");
    }
    match rules.is_empty() {
        true => out,
        false => format!("Rules\n{out}"),
    }
}
