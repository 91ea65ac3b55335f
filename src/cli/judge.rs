//! `test`: runs scenarios against alert rules, in virtual time.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::alertmanager::{self, Alertmanager};
use super::rules::Rules;
use super::told::Told;
use super::{Exit, Format, Runs, calendar, complain, load, print};
use crate::lab;
use crate::profile::Profile;
use crate::random::Seed;
use crate::report::{self, Detail, Report};
use crate::run::{Watch, run};
use crate::scenario::Plan;

#[derive(Debug, Args)]
pub(super) struct Test {
    /// Scenarios, by shipped name or path
    #[arg(required = true)]
    scenarios: Vec<String>,
    #[command(flatten)]
    extras: load::Extras,
    /// Versions of Kestra, instead of those of the scenarios: each is judged
    #[arg(long, value_delimiter = ',', value_name = "VERSION,...", value_parser = super::versions())]
    kestra: Vec<&'static Profile>,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    alertmanager: Alertmanager,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Many seeds instead, the last one included: every expectation must be met with each
    #[arg(long, value_name = "A..B", value_parser = super::seeds, conflicts_with = "seed")]
    seeds: Option<super::Seeds>,
    #[command(flatten)]
    runs: Runs,
    /// A warning is exit code 1: also a rule that is dead in every run or that failed, a target that never answered in any run,
    /// no target, no rule
    #[arg(long)]
    strict: bool,
    /// An expected alert that no rule gives is not judged; otherwise the expectation is not met
    #[arg(long)]
    lenient: bool,
    /// Tell every life of every alert, every rule and every target, also where many are alike
    #[arg(long)]
    all: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write a JUnit report to this file
    #[arg(long)]
    junit: Option<PathBuf>,
}

impl Test {
    pub(super) fn run(&self) -> Exit {
        let mut told = Told::default();
        // All input is read before anything runs.
        let Some((watch, _)) = self.rules.watch(&mut told) else { return Exit::Input };
        let Some(paging) = self.alertmanager.read(&mut told) else { return Exit::Input };
        let plans = load::plans(&self.scenarios, &self.extras, &self.kestra, load::Unfit::Refuse, &mut told);
        let Some(plans) = plans else { return Exit::Input };
        let seeds: Vec<Seed> = self.seeds.map_or(vec![self.seed], |seeds| seeds.all().collect());
        let nearest = seeds.len() == 1;
        alertmanager::unasked(self.alertmanager.is_given(), &plans, &mut told);
        let watch = Watch { lenient: self.lenient, nearest, paging, ..watch };
        plans.iter().for_each(|plan| told.remarks(&watch, plan));
        let runs: Vec<(Arc<Plan>, Seed)> =
            plans.iter().flat_map(|plan| seeds.iter().map(|seed| (plan.clone(), *seed))).collect();
        let one = |plan: &Arc<Plan>, seed: Seed| run(plan, seed, calendar(plan), Some(&watch));
        let reports = match lab::run_all(&runs, self.runs.jobs(), one, self.runs.progress(runs.len())) {
            Ok(reports) => reports,
            Err(failed) => return failed_run(&failed),
        };
        self.print(&reports, seeds.len());
        if let Some(path) = &self.junit
            && let Err(error) = std::fs::write(path, report::junit(&reports, self.strict))
        {
            complain(&format!("error: cannot write {}: {error}\n", path.display()));
            return Exit::Cannot;
        }
        let count = |met: Option<bool>| {
            reports.iter().flat_map(|report| &report.expectations).filter(|verdict| verdict.met == met).count()
        };
        let (met, failed, unjudged) = (count(Some(true)), count(Some(false)), count(None));
        if matches!(self.format, Format::Text) {
            let unjudged = if unjudged > 0 { format!(", {unjudged} not judged") } else { String::new() };
            print(&format!("\n{met} expectations met, {failed} not met{unjudged}\n"));
        }
        let warnings = [report::doubts(&reports), report::expectation_warnings(&reports)].concat();
        warnings.iter().for_each(|warning| told.warning(warning));
        // The table has told of them.
        if self.strict {
            report::rule_warnings(&reports).iter().for_each(|warning| told.warning(warning));
            let targets = reports.chunks(seeds.len().max(1)).flat_map(report::target_warnings);
            targets.for_each(|warning| told.warning(&warning));
        }
        told.exit(self.strict, if failed > 0 { Exit::Found } else { Exit::Ok })
    }

    fn print(&self, reports: &[Report], seeds: usize) {
        let detail = if self.all { Detail::All } else { Detail::Short };
        match self.format {
            Format::Text if seeds == 1 => {
                let texts: Vec<String> = reports.iter().map(|report| report.text_with(detail)).collect();
                print(&texts.join("\n"));
            }
            Format::Text => {
                reports.chunks(seeds).for_each(|of_plan| print(&report::over_seeds(of_plan, detail)));
            }
            Format::Json => print(&format!("{}\n", report::json(reports))),
        }
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
