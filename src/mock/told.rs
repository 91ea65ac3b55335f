//! What was seen, for whoever reads why a test failed.

use std::fmt::Write;

use super::{Core, MockError};
use crate::document;
use crate::report::{AlertLine, Report};
use crate::run::Session;
use crate::time::{Duration, Instant};

/// Lines of the journal that are told.
const LAST: usize = 12;
/// Alerts that are told.
const ALERTS: usize = 12;

impl Core {
    /// Whether rules have an alert of this name, and which is like it.
    pub(super) fn knows_alert(&self, name: &str) -> Result<(), MockError> {
        let what = || format!("no rule alerts as `{name}`");
        let Some(watch) = &self.watch else {
            return Err(MockError::denied(what(), "no rules are evaluated: leave out `without_rules`"));
        };
        // Rules of Grafana tell of trouble by alerts of these names.
        let trouble = matches!(name, "DatasourceNoData" | "DatasourceError") && !watch.rules.grafana.is_empty();
        match trouble || watch.rules.alerts().any(|it| it == name) {
            true => Ok(()),
            false => {
                let names: Vec<&str> = watch.rules.alerts().collect();
                Err(MockError::denied(what(), document::instead(name, names)))
            }
        }
    }

    /// That something did not come, and what came instead.
    pub(super) fn not_seen(&self, what: &str, alert: Option<&str>, within: Duration) -> MockError {
        let again = match self.inside.see(Session::again) {
            Ok(again) => again,
            Err(denied) => return denied.into(),
        };
        let now = again.now;
        let report = match again.judged(self.watch.as_ref(), now) {
            Ok(report) => report,
            Err(limit) => return limit.into(),
        };
        let mut text = format!("not seen within {within}: {what}\n");
        if let Some(alert) = alert {
            for line in report.rules.iter().filter(|line| line.rule == alert) {
                let _ = writeln!(text, "  {alert} is {}: {}", line.state.name(), line.told);
            }
        }
        seen(&report, now, &mut text);
        MockError::NotSeen(text.trim_end().to_owned())
    }

    /// An error when an expectation is not met, with what was seen instead.
    pub(super) fn verdict(&self, report: &Report, now: Instant) -> Result<(), MockError> {
        let of = |met| report.expectations.iter().filter(move |verdict| verdict.met == met);
        let failed = of(Some(false)).count();
        if failed == 0 {
            return Ok(());
        }
        let (all, version) = (report.expectations.len(), self.plan.kestra.name());
        let (scenario, seed) = (&report.scenario, report.seed);
        let (word, is) = if all == 1 { ("expectation", "is") } else { ("expectations", "are") };
        let mut text = format!("{failed} of {all} {word} of {scenario} {is} not met (Kestra {version}, seed {seed})\n");
        for verdict in of(Some(false)) {
            let _ = writeln!(text, "  NOT MET     {}: {}", verdict.expectation, verdict.seen);
        }
        for verdict in of(None) {
            let _ = writeln!(text, "  not judged  {}: {}", verdict.expectation, verdict.seen);
        }
        seen(report, now, &mut text);
        Err(MockError::NotMet(text.trim_end().to_owned()))
    }
}

/// What was seen up to an end: alerts, and the last that happened. What lies behind `now` the mock itself has not come to.
fn seen(report: &Report, now: Instant, out: &mut String) {
    let end = Instant::START + report.duration;
    // Writing to a String cannot fail.
    if end > now {
        let _ = writeln!(out, "The mock is at {}; what follows goes on to the end of the scenario.", now.rounded());
    }
    if let Some(alerts) = &report.alerts {
        let fired: Vec<&AlertLine> = alerts.iter().filter(|alert| alert.firing.is_some()).collect();
        let _ = writeln!(out, "Alerts that fired{}", if fired.is_empty() { ": none" } else { "" });
        for alert in fired.iter().take(ALERTS) {
            let labels: Vec<String> = alert.labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
            let until = alert.resolved.map_or("and still fires".to_owned(), |at| format!("until {}", at.rounded()));
            let at = alert.firing.unwrap_or(alert.pending).rounded();
            let _ = writeln!(out, "  {at:>11}  {}{{{}}}, {until}", alert.alert, labels.join(", "));
        }
        if fired.len() > ALERTS {
            let _ = writeln!(out, "  and {} more", fired.len() - ALERTS);
        }
    }
    let lines = &report.timeline;
    let _ = writeln!(out, "What happened{}", if lines.is_empty() { ": nothing" } else { " last" });
    for line in lines.iter().skip(lines.len().saturating_sub(LAST)) {
        let _ = writeln!(out, "  {:>11}  {}", line.at.rounded().to_string(), line.text);
    }
}
