//! Reports as Markdown: the summary of a job.

use super::Report;
use super::cells::escape;
use super::rules::{RuleState, over_runs};

/// Reports of several scenarios, `seeds` of each, for the summary of a job: a row for each scenario, then what is not met, what
/// was not judged, and the rules of which a verdict may lack something.
pub(crate) fn markdown(reports: &[Report], seeds: usize) -> String {
    let scenarios: Vec<&[Report]> = reports.chunks(seeds.max(1)).collect();
    let of = |met: Option<bool>| scenarios.iter().flat_map(|runs| verdicts(runs)).filter(|it| it.met == met).count();
    let (met, failed, unjudged) = (of(Some(true)), of(Some(false)), of(None));
    let not_judged = if unjudged > 0 { format!(", {unjudged} not judged") } else { String::new() };
    let expectations = if met == 1 { "expectation" } else { "expectations" };
    let mut out = format!("**{met} {expectations} met, {failed} not met{not_judged}**\n\n");
    out += "| scenario | seeds | met | not met | alerts that fired |\n|-|-|-|-|-|\n";
    for runs in &scenarios {
        let Some(first) = runs.first() else { continue };
        let all = verdicts(runs);
        let count = |met: bool| all.iter().filter(|it| it.met == Some(met)).count().to_string();
        let seeds = match runs.len() {
            1 => first.seed.to_string(),
            several => format!("{several} from {}", first.seed),
        };
        let cells = [first.scenario.clone(), seeds, count(true), count(false), fired(runs)];
        out += &format!("| {} |\n", cells.map(|cell| escape(&cell)).join(" | "));
    }
    let told = |met: Option<bool>| {
        let all = scenarios.iter().flat_map(|runs| verdicts(runs)).filter(move |it| it.met == met);
        all.map(|it| format!("{}: {}: {}", it.scenario, it.expectation, it.seen)).collect::<Vec<String>>()
    };
    section("Not met", &told(Some(false)), &mut out);
    section("Not judged", &told(None), &mut out);
    let rules = over_runs(reports);
    let rules = rules.iter().filter(|rule| rule.warns());
    let rules = rules.map(|rule| format!("{} is {}: {}", rule.line.rule, rule.line.state.name(), rule.line.told));
    section("Rules that judge nothing", &rules.collect::<Vec<String>>(), &mut out);
    out
}

fn section(title: &str, lines: &[String], out: &mut String) {
    if !lines.is_empty() {
        *out += &format!("\n**{title}**\n\n");
        lines.iter().for_each(|line| *out += &format!("- {}\n", escape(line)));
    }
}

/// Alerts of which a rule fired in any of these runs, each once.
fn fired(runs: &[Report]) -> String {
    let rules = over_runs(runs);
    let names: Vec<&str> =
        rules.iter().filter(|rule| rule.line.state == RuleState::Fired).map(|rule| rule.line.rule.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// An expectation over all seeds of a scenario.
pub(crate) struct Over<'r> {
    pub(crate) scenario: &'r str,
    pub(crate) expectation: &'r str,
    /// Met in each run; none when it was judged in none.
    pub(crate) met: Option<bool>,
    /// What was seen in the first run that says it.
    pub(crate) seen: String,
}

/// What became of each expectation over the runs of one scenario.
pub(crate) fn verdicts(runs: &[Report]) -> Vec<Over<'_>> {
    let Some(first) = runs.first() else { return Vec::new() };
    let mut all = Vec::new();
    for (index, verdict) in first.expectations.iter().enumerate() {
        let of = |report: &Report| report.expectations.get(index).and_then(|it| it.met);
        let failed = runs.iter().find(|report| of(report) == Some(false));
        let judged = runs.iter().any(|report| of(report).is_some());
        let seen = failed.unwrap_or(first).expectations.get(index).map_or("", |it| it.seen.as_str());
        let count = runs.iter().filter(|report| of(report) == Some(true)).count();
        let seen = match (runs.len(), failed) {
            (1, _) | (_, None) => seen.to_owned(),
            (all, Some(report)) => format!("met in {count} of {all}; with seed {}: {seen}", report.seed),
        };
        let met = judged.then_some(failed.is_none());
        all.push(Over { scenario: &first.scenario, expectation: &verdict.expectation, met, seen });
    }
    all
}
