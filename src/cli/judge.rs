//! `test`: runs scenarios against alert rules, in virtual time.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::rules::Rules;
use super::{Exit, Runs, calendar, complain, load, print};
use crate::lab;
use crate::random::Seed;
use crate::report::{self, Report};
use crate::run::run;
use crate::scenario::Plan;

#[derive(Debug, Args)]
pub(super) struct Test {
    /// Scenarios, by shipped name or path
    #[arg(required = true)]
    scenarios: Vec<String>,
    #[command(flatten)]
    rules: Rules,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Many seeds instead, the last one included: every expectation must be met with each
    #[arg(long, value_name = "A..B", value_parser = super::seeds, conflicts_with = "seed")]
    seeds: Option<super::Seeds>,
    #[command(flatten)]
    runs: Runs,
    /// An expected alert that no rule knows is a failure
    #[arg(long)]
    strict: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: super::Format,
    /// Write a JUnit report to this file
    #[arg(long)]
    junit: Option<PathBuf>,
}

impl Test {
    pub(super) fn run(&self) -> Exit {
        let Some((watch, _)) = self.rules.watch(self.strict) else { return Exit::Input };
        // All input is read before anything runs.
        let plans: Option<Vec<Arc<Plan>>> = self.scenarios.iter().map(|name| load::plan(name).map(Arc::new)).collect();
        let Some(plans) = plans else { return Exit::Input };
        plans.iter().for_each(|plan| Rules::tell_notes(&watch, plan));
        let seeds: Vec<Seed> = self.seeds.map_or(vec![self.seed], |seeds| seeds.all().collect());
        let runs: Vec<(Arc<Plan>, Seed)> =
            plans.iter().flat_map(|plan| seeds.iter().map(|seed| (plan.clone(), *seed))).collect();
        let one = |plan: &Arc<Plan>, seed: Seed| run(plan, seed, calendar(plan), Some(&watch));
        let reports = match lab::run_all(&runs, self.runs.jobs(), one, self.runs.progress(runs.len())) {
            Ok(reports) => reports,
            Err(failed) => return failed_run(&failed),
        };
        match self.format {
            super::Format::Text if seeds.len() == 1 => {
                let texts: Vec<String> = reports.iter().map(Report::text).collect();
                print(&texts.join("\n"));
            }
            super::Format::Text => {
                reports.chunks(seeds.len()).for_each(|of_plan| print(&report::over_seeds(of_plan)));
            }
            super::Format::Json => print(&format!("{}\n", report::json(&reports))),
        }
        if let Some(path) = &self.junit
            && let Err(error) = std::fs::write(path, report::junit(&reports))
        {
            complain(&format!("error: cannot write {}: {error}\n", path.display()));
            return Exit::Cannot;
        }
        let judged = reports.iter().flat_map(|report| &report.expectations).filter(|verdict| verdict.met.is_some());
        let (mut met, mut failed) = (0, 0);
        judged.for_each(|verdict| if verdict.met == Some(true) { met += 1 } else { failed += 1 });
        if matches!(self.format, super::Format::Text) {
            print(&format!("\n{met} expectations met, {failed} not met\n"));
        }
        if failed > 0 { Exit::Found } else { Exit::Ok }
    }
}

/// One of several runs has no result: without it nothing can be said of all.
pub(super) fn failed_run(failed: &lab::RunFailed) -> Exit {
    complain(&format!("error: {failed}\n"));
    Exit::Cannot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_result_is_exit_3() {
        let failed = lab::RunFailed { scenario: "x".to_owned(), seed: 4, why: "it panicked: boom".to_owned() };
        assert_eq!(failed_run(&failed), Exit::Cannot);
    }
}
