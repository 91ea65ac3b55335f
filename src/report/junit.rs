//! Reports for servers that collect test results: a suite a scenario, with a case an expectation and a case a rule.

use super::rules::{RuleLine, RuleState, over_runs};
use super::{Report, Verdict};
use crate::time::Duration;

/// What stands before all suites, and behind them.
pub(crate) const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
pub(crate) const TAIL: &str = "</testsuites>\n";

/// Several reports as JUnit's XML. With `strict` a rule that failed, or that was dead in all runs, is a failure.
pub fn junit(reports: &[Report], strict: bool) -> String {
    let warned: Vec<bool> = over_runs(reports).iter().map(|rule| rule.warns()).collect();
    let mut out = HEAD.to_owned();
    for report in reports {
        let several = reports.iter().filter(|other| other.scenario == report.scenario).count() > 1;
        let seed = if several { format!(" seed {}", report.seed) } else { String::new() };
        let name = format!("{}{seed}", report.scenario);
        let expectations = report.expectations.iter().map(expectation);
        out += &suite(&name, report.duration, &expectations.collect::<Vec<Case<'_>>>());
        let of_rule = |(index, line)| rule(line, strict && warned.get(index) == Some(&true));
        let rules: Vec<Case<'_>> = report.rules.iter().enumerate().map(of_rule).collect();
        if !rules.is_empty() {
            out += &suite(&format!("{name} rules"), report.duration, &rules);
        }
    }
    out + TAIL
}

/// A case: its name, how it went, and what was seen.
pub(crate) struct Case<'r> {
    pub(crate) name: &'r str,
    /// As of a [`Verdict`].
    pub(crate) met: Option<bool>,
    pub(crate) seen: String,
}

fn expectation(verdict: &Verdict) -> Case<'_> {
    Case { name: &verdict.expectation, met: verdict.met, seen: verdict.seen.clone() }
}

fn rule(line: &RuleLine, fails: bool) -> Case<'_> {
    let met = match line.state {
        RuleState::Failed | RuleState::Dead if fails => Some(false),
        RuleState::Failed | RuleState::Dead => None,
        _ => Some(true),
    };
    let seen = format!("{}: {}", line.state.name(), line.told);
    Case { name: &line.rule, met, seen: seen.trim_end_matches(": ").to_owned() }
}

/// A suite of cases of a run that lasts so long.
pub(crate) fn suite(name: &str, lasts: Duration, cases: &[Case<'_>]) -> String {
    let count = |met: Option<bool>| cases.iter().filter(|case| case.met == met).count();
    let name = escape(name);
    let mut out = format!(
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{}\">\n",
        cases.len(),
        count(Some(false)),
        count(None),
        lasts.as_seconds_f64()
    );
    for Case { name: case, met, seen } in cases {
        let seen = escape(seen);
        out += &format!("    <testcase classname=\"{name}\" name=\"{}\"", escape(case));
        out += &match met {
            Some(true) => format!("><system-out>{seen}</system-out></testcase>\n"),
            Some(false) => format!("><failure message=\"{seen}\"/></testcase>\n"),
            None => format!("><skipped message=\"{seen}\"/></testcase>\n"),
        };
    }
    out + "  </testsuite>\n"
}

/// Text that stays text in XML and HTML.
pub(crate) fn escape(text: &str) -> String {
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    plain.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "")
}
