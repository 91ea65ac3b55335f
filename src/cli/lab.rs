//! `sweep` and `export`: many runs as figures, one run as a test file.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::judge::failed_run;
use super::rules::Rules;
use super::{Exit, Format, Runs, calendar, complain, load, print};
use crate::document;
use crate::lab;
use crate::random::Seed;
use crate::scenario::Anchor;

#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// Scenario, by shipped name or path
    scenario: String,
    #[command(flatten)]
    rules: Rules,
    /// Seeds: how many from 1 on, or from one to another
    #[arg(long, value_name = "N|A..B", default_value = "200", value_parser = super::seeds)]
    seeds: super::Seeds,
    #[command(flatten)]
    runs: Runs,
    /// Entry of the timeline that delays count from [default: the first one]
    #[arg(long)]
    from: Option<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Sweep {
    pub(super) fn run(&self) -> Exit {
        let (Some((watch, _)), Some(plan)) = (self.rules.watch(false), load::plan(&self.scenario)) else {
            return Exit::Input;
        };
        Rules::tell_notes(&watch, &plan);
        let from = match &self.from {
            None => Anchor::first_fault(&plan),
            Some(from) => match Anchor::named(from, &plan) {
                Some(from) => from,
                None => {
                    let advice = document::instead(from, plan.timeline.iter().map(|entry| entry.name.as_str()));
                    complain(&format!("error: `{from}` is no entry of the timeline; {advice}\n"));
                    return Exit::Input;
                }
            },
        };
        let calendar = calendar(&plan);
        let runs =
            lab::Runs { first: self.seeds.first(), count: self.seeds.count() as usize, jobs: self.runs.jobs(), from };
        let progress = self.runs.progress(runs.count);
        match lab::sweep(&Arc::new(plan), calendar, &watch, &runs, progress) {
            Ok(sweep) => {
                match self.format {
                    Format::Text => print(&sweep.text()),
                    Format::Json => {
                        print(&format!("{}\n", serde_json::to_string_pretty(&sweep).unwrap_or_default()));
                    }
                }
                Exit::Ok
            }
            Err(failed) => failed_run(&failed),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A test file for `promtool test rules`
    Promtool(Promtool),
}

#[derive(Debug, Args)]
struct Promtool {
    /// Scenario, by shipped name or path
    scenario: String,
    #[command(flatten)]
    rules: Rules,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
}

impl Export {
    pub(super) fn run(&self) -> Exit {
        let What::Promtool(Promtool { scenario, rules, seed }) = &self.what;
        let (Some((watch, files)), Some(plan)) = (rules.watch(false), load::plan(scenario)) else {
            return Exit::Input;
        };
        if files.is_empty() {
            complain("error: promtool reads rules from files; name them with --rules or --prometheus\n");
            return Exit::Input;
        }
        Rules::tell_notes(&watch, &plan);
        let absolute = |file: &String| {
            std::path::absolute(Path::new(file)).map_or_else(|_| file.clone(), |path| path.display().to_string())
        };
        let files: Vec<String> = files.iter().map(absolute).collect();
        let calendar = calendar(&plan);
        match lab::promtool(&Arc::new(plan), *seed, calendar, &watch, &files) {
            Ok(export) => {
                print(&export.text);
                for (alert, why) in &export.left_out {
                    complain(&format!("left out: {alert}: {why}\n"));
                }
                complain(&format!("{} instants are checked\n", export.checks));
                Exit::Ok
            }
            Err(limit) => {
                complain(&format!("error: {limit}\n"));
                Exit::Cannot
            }
        }
    }
}
