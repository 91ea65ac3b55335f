//! `explain`: why an alert fires, or does not.

use std::sync::Arc;

use clap::{ArgGroup, Args};

use super::alertmanager::Alertmanager;
use super::told::Told;
use super::watched::Watched;
use super::{Exit, Format, calendar, complain};
use crate::document;
use crate::random::Seed;
use crate::run::{self, Watch};
use crate::scenario::Plan;
use crate::time::{Duration, Instant};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["alert", "flow", "page"])))]
pub(super) struct Explain {
    #[command(flatten)]
    watched: Watched,
    #[command(flatten)]
    alertmanager: Alertmanager,
    /// The alert's name
    #[arg(long)]
    alert: Option<String>,
    /// Instead of an alert: an alert flow of Kestra's own; what its Flow triggers make of every execution
    #[arg(long, conflicts_with = "at")]
    flow: Option<String>,
    /// Instead of an alert: a receiver of --alertmanager; of which alerts it is told, and why not of the others
    #[arg(long, value_name = "RECEIVER", requires = "alertmanager")]
    page: Option<String>,
    /// At this time since the start only [default: over the whole run]
    #[arg(long)]
    at: Option<Duration>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Explain {
    pub(super) fn run(&self) -> Exit {
        if let Some(receiver) = &self.page {
            return self.paging(receiver);
        }
        if self.alertmanager.is_given() {
            complain("error: --alertmanager says who is told: ask for a receiver with --page RECEIVER\n");
            return Exit::Input;
        }
        let Some(alert) = &self.alert else { return self.hearing() };
        let mut told = Told::default();
        let Some((watch, plan)) = self.watched.read(&mut told) else { return Exit::Input };
        if self.is_late(&plan) {
            return Exit::Input;
        }
        let (plan, at) = (Arc::new(plan), self.at.map(|at| Instant::START + at));
        match run::explain(&plan, self.seed, calendar(&plan), &watch, alert, at) {
            Ok(Some(explanation)) => {
                self.format.print(&explanation, || explanation.text());
                Exit::Ok
            }
            Ok(None) => {
                let names: Vec<&str> = watch.rules.alerts().collect();
                let advice = document::instead(alert, names);
                complain(&format!("error: no rule alerts as `{alert}`; {advice}\n"));
                Exit::Input
            }
            Err(limit) => {
                complain(&format!("error: {limit}\n"));
                Exit::Cannot
            }
        }
    }

    /// Whether it asks for an instant after the end: that has been told.
    fn is_late(&self, plan: &Plan) -> bool {
        let Some(at) = self.at.filter(|at| *at > plan.duration) else { return false };
        complain(&format!("error: the run ends at {}, before {at}\n", plan.duration));
        true
    }

    /// Of what a receiver is told.
    fn paging(&self, receiver: &str) -> Exit {
        let mut told = Told::default();
        let Some((watch, plan)) = self.watched.read(&mut told) else { return Exit::Input };
        let Some(paging) = self.alertmanager.read(&mut told) else { return Exit::Input };
        let watch = Watch { paging, ..watch };
        if self.is_late(&plan) {
            return Exit::Input;
        }
        let receivers = watch.paging.iter().flat_map(|it| &it.configuration.receivers);
        let names: Vec<&str> = receivers.map(|it| it.name.as_str()).collect();
        if !names.contains(&receiver) {
            let advice = document::instead(receiver, names);
            complain(&format!("error: no receiver is named `{receiver}`; {advice}\n"));
            return Exit::Input;
        }
        let (plan, at) = (Arc::new(plan), self.at.map(|at| Instant::START + at));
        match run::explain_page(&plan, self.seed, calendar(&plan), &watch, receiver, at) {
            Ok(explanation) => {
                self.format.print(&explanation, || explanation.text());
                Exit::Ok
            }
            Err(limit) => {
                complain(&format!("error: {limit}\n"));
                Exit::Cannot
            }
        }
    }

    /// What the Flow triggers of a flow make of executions.
    fn hearing(&self) -> Exit {
        let name = self.flow.as_deref().unwrap_or_default();
        let mut told = Told::default();
        let Some(plan) = self.watched.plan(&mut told) else {
            return Exit::Input;
        };
        let at = match plan.flow_named(name) {
            Ok(at) => at,
            Err((what, advice)) => {
                complain(&format!("error: --flow: {what}; {advice}\n"));
                return Exit::Input;
            }
        };
        let plan = Arc::new(plan);
        let hearing = match run::hearing(&plan, self.seed, calendar(&plan), at) {
            Ok(hearing) => hearing,
            Err(limit) => {
                complain(&format!("error: {limit}\n"));
                return Exit::Cannot;
            }
        };
        if hearing.triggers.is_empty() {
            complain(&format!("error: {} has neither a Flow trigger nor a Schedule\n", hearing.flow));
            return Exit::Input;
        }
        self.format.print(&hearing, || hearing.text());
        Exit::Ok
    }
}
