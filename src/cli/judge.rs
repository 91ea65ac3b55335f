//! `test`: runs scenarios against alert rules, in virtual time.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Exit, complain, load, print};
use crate::document;
use crate::monitor::{self, Group};
use crate::promql::Semantics;
use crate::random::Seed;
use crate::report::{self, Report};
use crate::run::{self, Scraping, Watch};
use crate::time::{Calendar, Duration};

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

/// Which rules, and how they are evaluated.
#[derive(Debug, Args)]
pub(super) struct Rules {
    /// Prometheus rule files, or PrometheusRule manifests [default: the shipped ones]
    #[arg(long, num_args = 1..)]
    rules: Vec<String>,
    /// Prometheus whose semantics the rules are evaluated with: 3, 2.53 or 2.42
    #[arg(long, default_value = "3", value_parser = semantics)]
    semantics: Semantics,
    /// Members are scraped this often
    #[arg(long, default_value = "15s", value_parser = interval)]
    scrape_interval: Duration,
    /// Groups that say nothing else are evaluated this often
    #[arg(long, default_value = "15s", value_parser = interval)]
    evaluation_interval: Duration,
}

/// The shipped rules.
const SHIPPED_RULES: (&str, &str) = ("kestra.yml", include_str!("../../scenarios/rules/kestra.yml"));

fn semantics(text: &str) -> Result<Semantics, String> {
    let found = Semantics::NAMES.iter().find(|(name, _)| *name == text).map(|(_, semantics)| *semantics);
    found.ok_or_else(|| "write 3, 2.53 or 2.42".to_owned())
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval: Duration = text.parse()?;
    let fits = interval >= Duration::milliseconds(100) && interval <= Duration::minutes(60);
    if fits { Ok(interval) } else { Err("write a duration from 100ms to 1h".to_owned()) }
}

impl Test {
    pub(super) fn run(&self) -> Exit {
        let Some(watch) = self.rules.watch(self.strict) else { return Exit::Input };
        // All input is read before anything runs.
        let plans: Option<Vec<_>> = self.scenarios.iter().map(|name| load::plan(name)).collect();
        let Some(plans) = plans else { return Exit::Input };
        let mut reports: Vec<Report> = Vec::new();
        for plan in plans {
            let calendar = plan.start.map_or(Calendar::default(), Calendar::starting);
            match run::run(&Arc::new(plan), self.seed, calendar, Some(&watch)) {
                Ok(report) => reports.push(report),
                Err(limit) => {
                    complain(&format!("error: {limit}\n"));
                    return Exit::Cannot;
                }
            }
        }
        match self.format {
            super::Format::Text => {
                let texts: Vec<String> = reports.iter().map(Report::text).collect();
                print(&texts.join("\n"));
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

impl Rules {
    /// The files that were named.
    pub(super) fn files(&self) -> &[String] {
        &self.rules
    }

    /// How a run is watched with these rules. None when something is wrong: it has been told.
    pub(super) fn watch(&self, strict: bool) -> Option<Watch> {
        Some(Watch {
            groups: self.groups()?,
            semantics: self.semantics,
            scraping: Scraping::Every(self.scrape_interval),
            evaluation_interval: self.evaluation_interval,
            strict,
            ..Watch::default()
        })
    }

    /// The rule groups of all files. None when something is wrong: it has been told.
    fn groups(&self) -> Option<Vec<Group>> {
        let mut sources = Vec::new();
        for file in &self.rules {
            match load::file(file) {
                Ok(source) => sources.push(source),
                Err(why) => {
                    complain(&format!("error: cannot read the rules `{file}`: {why}\n"));
                    return None;
                }
            }
        }
        if sources.is_empty() {
            let (name, text) = SHIPPED_RULES;
            sources.push(document::Source { name: name.to_owned(), text: text.to_owned() });
        }
        let mut groups = Vec::new();
        let mut sound = true;
        for source in sources {
            match monitor::read_rules(&source.name, &source.text) {
                Ok((found, warnings)) => {
                    complain(&document::render(&warnings));
                    groups.extend(found);
                }
                Err(diagnostics) => {
                    complain(&document::render(&diagnostics));
                    sound = false;
                }
            }
        }
        sound.then_some(groups)
    }
}
