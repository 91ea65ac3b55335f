//! `test`: runs scenarios against alert rules, in virtual time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::alertmanager::{self, Alertmanager};
use super::places::Places;
use super::rules::Rules;
use super::told::Told;
use super::{Exit, Runs, calendar, complain, load};
use crate::document::{Place, Severity};
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
    /// Form of the report; github adds annotations to the text that point at lines of files, for GitHub Actions
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Write a JUnit report to this file
    #[arg(long)]
    junit: Option<PathBuf>,
    /// Add a summary in Markdown to the end of this file, such as "$GITHUB_STEP_SUMMARY"
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Markdown,
    Github,
}

impl Test {
    pub(super) fn run(&self) -> Exit {
        let (mut told, mut report) = (Told::default(), String::new());
        let exit = self.judge(&mut told, &mut report);
        told.closing(&report, self.format == Form::Github, self.strict, exit)
    }

    fn judge(&self, told: &mut Told, report: &mut String) -> Exit {
        // All input is read before anything runs.
        let Some((watch, rules)) = self.rules.watch(told) else { return Exit::Input };
        let Some(paging) = self.alertmanager.read(told) else { return Exit::Input };
        let plans = load::plans(&self.scenarios, &self.extras, &self.kestra, load::Unfit::Refuse, told);
        let Some(plans) = plans else { return Exit::Input };
        let seeds: Vec<Seed> = self.seeds.map_or(vec![self.seed], |seeds| seeds.all().collect());
        let nearest = seeds.len() == 1;
        alertmanager::unasked(self.alertmanager.is_given(), &plans, told);
        let watch = Watch { lenient: self.lenient, nearest, paging, ..watch };
        plans.iter().for_each(|plan| told.remarks(&watch, plan));
        let runs: Vec<(Arc<Plan>, Seed)> =
            plans.iter().flat_map(|plan| seeds.iter().map(|seed| (plan.clone(), *seed))).collect();
        let one = |plan: &Arc<Plan>, seed: Seed| run(plan, seed, calendar(plan), Some(&watch));
        let reports = match lab::run_all(&runs, self.runs.jobs(), one, self.runs.progress(runs.len())) {
            Ok(reports) => reports,
            Err(failed) => return failed_run(&failed),
        };
        *report = self.text(&reports, seeds.len());
        if let Err(why) = self.write_files(&reports, seeds.len()) {
            complain(&format!("error: {why}\n"));
            return Exit::Cannot;
        }
        self.warn(&reports, seeds.len(), &rules, told);
        let failed = reports.iter().any(Report::failed);
        if failed { Exit::Found } else { Exit::Ok }
    }

    /// The files that are asked for.
    fn write_files(&self, reports: &[Report], seeds: usize) -> Result<(), String> {
        let told = |path: &Path, error: std::io::Error| format!("cannot write {}: {error}", path.display());
        if let Some(path) = &self.junit {
            std::fs::write(path, report::junit(reports, self.strict)).map_err(|error| told(path, error))?;
        }
        if let Some(path) = &self.summary {
            super::append(path, &report::markdown(reports, seeds)).map_err(|error| told(path, error))?;
        }
        Ok(())
    }

    /// Tells what a verdict may lack; and for annotations where it stands, and where what is not met stands.
    fn warn(&self, reports: &[Report], seeds: usize, rules: &[String], told: &mut Told) {
        let places = (self.format == Form::Github).then(|| Places::of(&self.scenarios, rules));
        if let Some(places) = &places {
            for runs in reports.chunks(seeds.max(1)) {
                for (index, it) in report::verdicts(runs).iter().enumerate().filter(|(_, it)| it.met == Some(false)) {
                    let what = format!("{}: not met: {}: {}", it.scenario, it.expectation, it.seen);
                    told.annotate(places.expectation(it.scenario, index), Severity::Error, &what);
                }
            }
        }
        let warnings = [report::doubts(reports), report::expectation_warnings(reports)].concat();
        warnings.iter().for_each(|warning| told.warning(warning));
        // The table has told of them.
        let of_rules = report::over_runs(reports);
        let of_rules = of_rules.iter().filter(|rule| rule.warns()).map(|rule| rule.line);
        let of_rules = of_rules.map(|line| places.as_ref()?.rule(&line.rule, Some(&line.group)));
        let of_rules: Vec<(String, Option<Place>)> = report::rule_warnings(reports).into_iter().zip(of_rules).collect();
        for (what, place) in of_rules {
            match self.strict {
                true => told.warned_of(&what, place),
                false => told.annotate(place, Severity::Warning, &what),
            }
        }
        if self.strict {
            let targets = reports.chunks(seeds.max(1)).flat_map(report::target_warnings);
            targets.for_each(|warning| told.warning(&warning));
        }
    }

    fn text(&self, reports: &[Report], seeds: usize) -> String {
        let detail = if self.all { Detail::All } else { Detail::Short };
        let text = match self.format {
            Form::Json => return format!("{}\n", report::json(reports)),
            Form::Markdown => return report::markdown(reports, seeds),
            Form::Text | Form::Github if seeds == 1 => {
                let texts: Vec<String> = reports.iter().map(|report| report.text_with(detail)).collect();
                texts.join("\n")
            }
            Form::Text | Form::Github => {
                reports.chunks(seeds).map(|of_plan| report::over_seeds(of_plan, detail)).collect()
            }
        };
        let count = |met: Option<bool>| {
            reports.iter().flat_map(|report| &report.expectations).filter(|verdict| verdict.met == met).count()
        };
        let (met, failed, unjudged) = (count(Some(true)), count(Some(false)), count(None));
        let unjudged = if unjudged > 0 { format!(", {unjudged} not judged") } else { String::new() };
        let expectations = if met == 1 { "expectation" } else { "expectations" };
        format!("{text}\n{met} {expectations} met, {failed} not met{unjudged}\n")
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
