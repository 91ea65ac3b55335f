//! Reports for servers that collect test results: a suite a scenario, with a case an expectation and a case a rule.

use super::rules::{RuleLine, RuleState, over_runs};
use super::{Report, Verdict};

/// Several reports as JUnit's XML. With `strict` a rule that failed, or that was dead in all runs, is a failure.
pub fn junit(reports: &[Report], strict: bool) -> String {
    let warned: Vec<bool> = over_runs(reports).iter().map(|rule| rule.warns()).collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let several = reports.iter().filter(|other| other.scenario == report.scenario).count() > 1;
        let seed = if several { format!(" seed {}", report.seed) } else { String::new() };
        let name = format!("{}{seed}", report.scenario);
        let expectations = report.expectations.iter().map(expectation);
        out += &suite(&name, report, &expectations.collect::<Vec<Case<'_>>>());
        let of_rule = |(index, line)| rule(line, strict && warned.get(index) == Some(&true));
        let rules: Vec<Case<'_>> = report.rules.iter().enumerate().map(of_rule).collect();
        if !rules.is_empty() {
            out += &suite(&format!("{name} rules"), report, &rules);
        }
    }
    out + "</testsuites>\n"
}

/// A case: its name, how it went, and what was seen.
struct Case<'r> {
    name: &'r str,
    /// As of a [`Verdict`].
    met: Option<bool>,
    seen: String,
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

fn suite(name: &str, report: &Report, cases: &[Case<'_>]) -> String {
    let count = |met: Option<bool>| cases.iter().filter(|case| case.met == met).count();
    let name = escape(name);
    let mut out = format!(
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{}\">\n",
        cases.len(),
        count(Some(false)),
        count(None),
        report.duration.as_seconds_f64()
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

fn escape(text: &str) -> String {
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    plain.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "")
}
