//! Why a receiver was told of an alert, or was not: every alert that fired, where it went, and what became of it there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::paging::Way;
use super::watch::Watch;
use super::{Paging, run};
use crate::monitor::Rule;
use crate::pager::{LabelSet, routes};
use crate::random::Seed;
use crate::report::{self, AlertLine, PageLine, WithheldLine, named_alert};
use crate::scenario::Plan;
use crate::simulator::LimitReached;
use crate::time::{Calendar, Instant};

/// What a receiver was told of, and what not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PageExplanation {
    /// The receiver's name.
    pub receiver: String,
    /// Only what fired at this instant, in seconds since the start.
    #[serde(serialize_with = "report::maybe_instant")]
    pub at: Option<Instant>,
    /// Every alert that fired.
    pub alerts: Vec<AlertPath>,
}

/// The way of an alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertPath {
    /// Its labels, as Alertmanager gets them.
    pub labels: BTreeMap<String, String>,
    /// When it fired, in seconds since the start.
    #[serde(serialize_with = "report::instant")]
    pub firing: Instant,
    /// When it ended.
    #[serde(serialize_with = "report::maybe_instant")]
    pub resolved: Option<Instant>,
    /// The routes that take it: the receiver and the matchers from the root on.
    pub routes: Vec<(String, String)>,
    /// Notifications of this receiver that it is in.
    pub told: Vec<(f64, &'static str, &'static str)>,
    /// What came of it, in words, in the order of time.
    pub steps: Vec<String>,
}

/// Runs a plan and tells why a receiver was told of what fired, or was not.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn explain_page(
    plan: &Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    watch: &Watch,
    receiver: &str,
    at: Option<Instant>,
) -> Result<PageExplanation, LimitReached> {
    let report = run(plan, seed, calendar, Some(watch))?;
    let fired = report.alerts.iter().flatten().filter(|line| {
        let Some(firing) = line.firing else { return false };
        at.is_none_or(|at| firing <= at && line.resolved.is_none_or(|resolved| resolved > at))
    });
    let paging = report.paging.clone().unwrap_or_default();
    let paths = fired.filter_map(|line| {
        let of = watch.paging.as_ref()?;
        Some(path(line, receiver, (watch, of), &paging, at))
    });
    Ok(PageExplanation { receiver: receiver.to_owned(), at, alerts: paths.collect() })
}

fn path(
    line: &AlertLine,
    receiver: &str,
    (watch, of): (&Watch, &Paging),
    paging: &report::Paging,
    at: Option<Instant>,
) -> AlertPath {
    let own: LabelSet = line.labels.iter().cloned().chain([("alertname".to_owned(), line.alert.clone())]).collect();
    let firing = line.firing.unwrap_or(line.pending);
    let mut rules = watch.rules.groups.iter().flat_map(|group| &group.rules);
    let of_prometheus = rules.any(|rule| matches!(rule, Rule::Alert(rule) if rule.name == line.alert));
    let Some(labels) = Way::of(watch).through(own.clone(), of_prometheus) else {
        let steps = vec!["Prometheus drops it before it is sent: `alert_relabel_configs`".to_owned()];
        let (labels, resolved) = (own, line.resolved);
        return AlertPath { labels, firing, resolved, routes: Vec::new(), told: Vec::new(), steps };
    };
    let routes = routes(&of.configuration, &labels);
    let until = at.unwrap_or(Instant::NEVER);
    let ours = |page: &&PageLine| {
        let same = |it: &report::PagedLine| it.labels == labels && it.starts_at == firing;
        page.receiver == receiver && page.at <= until && page.alerts.iter().any(same)
    };
    let told: Vec<&PageLine> = paging.pages.iter().filter(ours).collect();
    let status = |page: &PageLine| page.alerts.iter().find(|it| it.labels == labels).map_or("", |it| it.status);
    let withheld: Vec<&WithheldLine> = paging
        .withheld
        .iter()
        .filter(|it| it.receiver == receiver && it.labels == labels && it.starts_at == firing && it.from <= until)
        .collect();
    let mut steps: Vec<(Instant, String)> = told
        .iter()
        .map(|page| {
            (page.at, format!("{} tells {receiver} that it is {} ({})", page.integration, status(page), page.reason))
        })
        .collect();
    steps.extend(withheld.iter().map(|it| (it.from, format!("not told: {}", it.why))));
    steps.sort_by_key(|(at, _)| *at);
    let mut steps: Vec<String> = steps.into_iter().map(|(at, what)| format!("{} {what}", at.rounded())).collect();
    if steps.is_empty() {
        let takes = routes.iter().any(|(name, _)| name == receiver);
        steps.push(match takes {
            true => {
                "its group was not looked at again: it waits for `group_wait`, then for `group_interval`".to_owned()
            }
            false => {
                let to: Vec<String> = routes.iter().map(|(name, key)| format!("{name} by {key}")).collect();
                format!("it goes elsewhere: to {}", to.join(", "))
            }
        });
    }
    let told = told.iter().map(|page| (page.at.as_nanoseconds() as f64 / 1e9, page.reason, status(page))).collect();
    AlertPath { labels, firing, resolved: line.resolved, routes, told, steps }
}

impl PageExplanation {
    /// For people.
    pub fn text(&self) -> String {
        let when = self.at.map_or(String::new(), |at| format!(" at {at}"));
        let told = self.alerts.iter().filter(|alert| !alert.told.is_empty()).count();
        let mut out = format!("{}: {} alerts fire{when}, it is told of {told}\n", self.receiver, self.alerts.len());
        for AlertPath { labels, firing, resolved, steps, .. } in &self.alerts {
            let until = resolved.map_or("the end".to_owned(), |at| at.rounded().to_string());
            // Writing to a String cannot fail.
            let _ = writeln!(out, "\n{} fires from {} to {until}", named_alert(labels), firing.rounded());
            steps.iter().for_each(|step| {
                let _ = writeln!(out, "  {step}");
            });
        }
        out
    }
}
