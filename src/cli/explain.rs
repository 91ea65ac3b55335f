//! `explain`: why an alert fires, or does not.

use std::sync::Arc;

use clap::{ArgGroup, Args};

use super::told::Told;
use super::watched::Watched;
use super::{Exit, Format, calendar, complain};
use crate::document;
use crate::random::Seed;
use crate::run;
use crate::time::{Duration, Instant};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["alert", "flow"])))]
pub(super) struct Explain {
    #[command(flatten)]
    watched: Watched,
    /// The alert's name
    #[arg(long)]
    alert: Option<String>,
    /// Instead of an alert: an alert flow of Kestra's own; what its Flow triggers make of every execution
    #[arg(long, conflicts_with = "at")]
    flow: Option<String>,
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
        let Some(alert) = &self.alert else { return self.hearing() };
        let mut told = Told::default();
        let Some((watch, plan)) = self.watched.read(&mut told) else { return Exit::Input };
        if let Some(at) = self.at.filter(|at| *at > plan.duration) {
            complain(&format!("error: the run ends at {}, before {at}\n", plan.duration));
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
