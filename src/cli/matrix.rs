//! `matrix`: every scenario against every rule.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::alertmanager::Alertmanager;
use super::judge::failed_run;
use super::load::{self, Unfit};
use super::places::Places;
use super::rules::Rules;
use super::told::Told;
use super::{Exit, Runs, calendar, complain};
use crate::document::Severity;
use crate::lab;
use crate::profile::Profile;
use crate::random::Seed;
use crate::run::Watch;
use crate::time::Duration;

/// What the words of its reports mean.
pub(super) const MEANING: &str = "\
What it tells of a rule in a scenario:
  fires        after the failure began; the delay counts from what is done to the cluster first: an entry of
               `timeline`, or a command that starts, stops or breaks something
  late         only when all that was done was over (faults have ended, who was killed or restarted is up
               again), or later than --late after the failure began
  false alarm  before the failure, or in a scenario in which nothing is done to the cluster
  pending      its condition held, and not long enough
  quiet, dead  it had nothing to tell; what it reads is not there
Flows that send messages because something failed are rules too (`notification: FLOW`): by `errors`, by a Flow trigger
that hears of FAILED, WARNING, KILLED or CANCELLED, or of a label of an `sla`, or by a `runIf` that names such a state.
What the receiver took was noticed; what a flow sends as its ordinary work is no alarm and no notice. And so are the
receivers of --alertmanager (`page: RECEIVER`): what they were told that they did not know.

What it finds, with exit code 1: a failure that nobody notices, unless the scenario expects that itself with
`{ alert: \"*\", never: true }`; and a false alarm. With --strict also a warning, as in `test`. What scenarios
expect is not judged: `test` does that.";

#[derive(Debug, Args)]
pub(super) struct Matrix {
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    alertmanager: Alertmanager,
    /// Scenarios: shipped names, families of them (`mock-kestra list`), patterns, files or folders [default: all shipped]
    #[arg(long, value_name = "SCENARIO", num_args = 1..)]
    scenarios: Vec<String>,
    #[command(flatten)]
    extras: load::Extras,
    /// Versions of Kestra, instead of those of the scenarios: each is judged
    #[arg(long, value_delimiter = ',', value_name = "VERSION,...", value_parser = super::versions())]
    kestra: Vec<&'static Profile>,
    /// Seeds for each scenario: how many from 1 on, or from one to another
    #[arg(long, value_name = "N|A..B", default_value = "1", value_parser = super::seeds)]
    seeds: super::Seeds,
    /// One seed instead: a number, or `random`
    #[arg(long, value_parser = super::seed, conflicts_with = "seeds")]
    seed: Option<Seed>,
    #[command(flatten)]
    runs: Runs,
    /// What fires later than this after the failure began is late [default: only what fires when the failure is over]
    #[arg(long, value_name = "DURATION")]
    late: Option<Duration>,
    /// A warning is exit code 1: also a rule that is dead in every run or that failed, and a target that never answered
    #[arg(long)]
    strict: bool,
    /// Form of the report; markdown is for the summary of a job, html one page with timelines; github adds annotations to the
    /// text that point at lines of files, for GitHub Actions
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// As text the whole grid, however wide
    #[arg(long)]
    wide: bool,
    /// Write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Add the report in Markdown to the end of this file, such as "$GITHUB_STEP_SUMMARY"
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Markdown,
    Html,
    Github,
}

impl Matrix {
    pub(super) fn run(&self) -> Exit {
        let (mut told, mut report) = (Told::default(), String::new());
        let exit = self.judge(&mut told, &mut report);
        told.closing(&report, self.format == Form::Github, self.strict, exit)
    }

    fn judge(&self, told: &mut Told, report: &mut String) -> Exit {
        if self.wide && !matches!(self.format, Form::Text) {
            complain("error: --wide is for --format text\n");
            return Exit::Input;
        }
        // All input is read before anything runs.
        let Some((watch, rules)) = self.rules.watch(told) else { return Exit::Input };
        let Some(paging) = self.alertmanager.read(told) else { return Exit::Input };
        let Some(names) = self.names() else { return Exit::Input };
        let unfit = if self.scenarios.is_empty() { Unfit::LeaveOut } else { Unfit::Refuse };
        let Some(plans) = load::plans(&names, &self.extras, &self.kestra, unfit, told) else {
            return Exit::Input;
        };
        let seeds = self.seed.map_or(self.seeds, super::Seeds::one);
        let runs = plans.len() as u64 * seeds.count();
        if runs > super::MAX_RUNS {
            complain(&format!(
                "error: {} scenarios with {} seeds each are {runs} runs; at most {} go\n",
                plans.len(),
                seeds.count(),
                super::MAX_RUNS
            ));
            return Exit::Input;
        }
        let watch = Watch { nearest: seeds.count() == 1, paging, ..watch };
        plans.iter().for_each(|plan| told.remarks(&watch, plan));
        let which = lab::MatrixRuns {
            first: seeds.first(),
            count: seeds.count() as usize,
            jobs: self.runs.jobs(),
            limit: self.late,
        };
        let progress = self.runs.progress(runs as usize);
        let matrix = match lab::matrix(&plans, calendar, &watch, &which, progress) {
            Ok(matrix) => matrix,
            Err(failed) => return failed_run(&failed),
        };
        *report = self.text(&matrix);
        if let Err(why) = self.write_files(&matrix) {
            complain(&format!("error: {why}\n"));
            return Exit::Cannot;
        }
        if self.format == Form::Github {
            annotate(&matrix, self.strict, &Places::of(&names, &rules), told);
        }
        matrix.doubts.iter().for_each(|warning| told.warning(warning));
        // The tables have told of rules that do nothing; that counts when somebody asks for it.
        if self.strict {
            matrix.warnings.iter().for_each(|warning| told.warning(warning));
        }
        if matrix.found() { Exit::Found } else { Exit::Ok }
    }

    /// The names of the scenarios, each once.
    fn names(&self) -> Option<Vec<String>> {
        if self.scenarios.is_empty() {
            return Some(load::SHIPPED.iter().map(|shipped| shipped.name.to_owned()).collect());
        }
        load::all_scenarios("--scenarios", &self.scenarios)
    }

    fn text(&self, matrix: &lab::Matrix) -> String {
        match (self.format, self.wide) {
            (Form::Text, true) => matrix.wide(),
            (Form::Text | Form::Github, _) => matrix.text(),
            (Form::Json, _) => format!("{}\n", matrix.json()),
            (Form::Markdown, _) => matrix.markdown(),
            (Form::Html, _) => matrix.html(),
        }
    }

    /// The files that are asked for.
    fn write_files(&self, matrix: &lab::Matrix) -> Result<(), String> {
        let told = |path: &Path, error: std::io::Error| format!("cannot write {}: {error}", path.display());
        if let Some(path) = &self.junit {
            std::fs::write(path, matrix.junit(self.strict)).map_err(|error| told(path, error))?;
        }
        if let Some(path) = &self.summary {
            super::append(path, &matrix.markdown()).map_err(|error| told(path, error))?;
        }
        Ok(())
    }
}

/// Where it stands what nobody notices, and which rules cry wolf.
fn annotate(matrix: &lab::Matrix, strict: bool, places: &Places, told: &mut Told) {
    for finding in matrix.findings(strict) {
        let place = match &finding.rule {
            Some(rule) => places.rule(rule, None).or_else(|| places.failure(finding.scenario)),
            None => places.failure(finding.scenario),
        };
        let rule = finding.rule.as_ref().map(|rule| format!("{rule}: ")).unwrap_or_default();
        told.annotate(place, Severity::Error, &format!("{}: {rule}{}", finding.scenario, finding.told));
    }
}
