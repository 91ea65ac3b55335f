//! `run`: a scenario in virtual time to its end.

use std::sync::Arc;

use clap::Args;

use super::told::Told;
use super::{Exit, Format, complain, load, print};
use crate::profile::Profile;
use crate::random::Seed;
use crate::report;
use crate::run::run;
use crate::time::Calendar;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Scenario, by shipped name or path
    scenario: String,
    #[command(flatten)]
    extras: load::Extras,
    /// Version of Kestra, instead of that of the scenario
    #[arg(long, value_parser = super::versions())]
    kestra: Option<&'static Profile>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Date of the scenario's start: a date, or `now` [default: that of the scenario, else 2026-01-05T08:00:00Z]
    #[arg(long, value_parser = super::start)]
    start: Option<jiff::Timestamp>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// A warning is exit code 1; so is an expectation on alerts or a query, which only `test` can judge
    #[arg(long)]
    strict: bool,
}

impl Run {
    pub(super) fn run(&self) -> Exit {
        let mut told = Told::default();
        let Some(plan) = load::plan_of(&self.scenario, &self.extras, self.kestra, &mut told) else {
            return Exit::Input;
        };
        let calendar = self.start.or(plan.start).map_or(Calendar::default(), Calendar::starting);
        match run(&Arc::new(plan), self.seed, calendar, None) {
            Ok(report) => {
                match self.format {
                    Format::Text => print(&report.text()),
                    Format::Json => print(&format!("{}\n", report.json())),
                }
                report::doubts(std::slice::from_ref(&report)).iter().for_each(|warning| told.warning(warning));
                let unjudged = report.expectations.iter().filter(|verdict| verdict.met.is_none()).count();
                if self.strict && unjudged > 0 {
                    let of = report.expectations.len();
                    let what = format!("{unjudged} of {of} expectations are not judged: they need alert rules");
                    told.warning(&format!("{what}; `mock-kestra test {}` judges them", self.scenario));
                }
                told.exit(self.strict, if report.failed() { Exit::Found } else { Exit::Ok })
            }
            Err(limit) => {
                complain(&format!("error: {limit}\n"));
                Exit::Cannot
            }
        }
    }
}
