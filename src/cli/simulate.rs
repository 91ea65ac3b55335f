//! `run`: a scenario in virtual time to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::logs::Logs;
use super::told::Told;
use super::{Exit, Format, complain, load, print};
use crate::random::Seed;
use crate::report::{self, Report};
use crate::run::{Session, run};
use crate::scenario::Plan;
use crate::time::{Calendar, Duration, Instant};

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    one: load::One,
    /// Write the members' logs into this folder: NAME.log as Kestra's console shows it (colours included), NAME.jsonl as
    /// JSON lines; `-` writes JSON lines to standard output, before the report
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
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
        let Some(plan) = self.one.plan(&mut told) else { return Exit::Input };
        let calendar = self.one.calendar(&plan);
        let plan = Arc::new(plan);
        let report = match &self.logs {
            None => run(&plan, self.one.seed, calendar, None).map_err(|limit| limit.to_string()),
            Some(place) => with_logs(&plan, (self.one.seed, calendar), place),
        };
        match report {
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
                    told.warning(&format!("{what}; `mock-kestra test {}` judges them", self.one.scenario));
                }
                told.exit(self.strict, if report.failed() { Exit::Found } else { Exit::Ok })
            }
            Err(why) => {
                complain(&format!("error: {why}\n"));
                Exit::Cannot
            }
        }
    }
}

/// Virtual time between two looks at the logs: a member that writes 2,000 lines a second loses none.
const LOOKS: Duration = Duration::seconds(5);

/// Runs a plan to its end, writing the members' logs on the way.
fn with_logs(plan: &Arc<Plan>, (seed, calendar): (Seed, Calendar), place: &Path) -> Result<Report, String> {
    let mut logs = Logs::to(place, plan)?;
    let mut session = Session::new(plan.clone(), seed, calendar).with_lines();
    let end = Instant::START + plan.duration;
    loop {
        let to = end.min(session.now() + LOOKS);
        session.advance(to).map_err(|limit| limit.to_string())?;
        let news = logs.news(session.simulation());
        logs.write(&news)?;
        if to >= end {
            break;
        }
    }
    Ok(session.report())
}
