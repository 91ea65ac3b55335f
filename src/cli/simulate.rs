//! `run`: a scenario in virtual time to its end.

use std::sync::Arc;

use clap::Args;

use super::{Exit, Format, complain, load, print};
use crate::random::Seed;
use crate::run::run;
use crate::time::Calendar;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Scenario, by shipped name or path
    scenario: String,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Date of the scenario's start: a date, or `now` [default: that of the scenario, else 2026-01-05T08:00:00Z]
    #[arg(long, value_parser = super::start)]
    start: Option<jiff::Timestamp>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Run {
    pub(super) fn run(&self) -> Exit {
        let Some(plan) = load::plan(&self.scenario) else { return Exit::Input };
        let calendar = self.start.or(plan.start).map_or(Calendar::default(), Calendar::starting);
        match run(&Arc::new(plan), self.seed, calendar, None) {
            Ok(report) => {
                match self.format {
                    Format::Text => print(&report.text()),
                    Format::Json => print(&format!("{}\n", report.json())),
                }
                if report.failed() { Exit::Found } else { Exit::Ok }
            }
            Err(limit) => {
                complain(&format!("error: {limit}\n"));
                Exit::Cannot
            }
        }
    }
}
