//! `sweep` and `export`: many runs as figures, one run as a test file.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::judge::Rules;
use super::{Exit, Format, complain, load, print};
use crate::document;
use crate::lab;
use crate::random::Seed;
use crate::scenario::Plan;
use crate::time::Calendar;

#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// Scenario, by shipped name or path
    scenario: String,
    #[command(flatten)]
    rules: Rules,
    /// Runs: seeds 1 to this
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// Threads [default: as many as there are processors]
    #[arg(long)]
    jobs: Option<usize>,
    /// Entry of the timeline that delays count from [default: the first one]
    #[arg(long)]
    from: Option<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

fn calendar(plan: &Plan) -> Calendar {
    plan.start.map_or(Calendar::default(), Calendar::starting)
}

impl Sweep {
    pub(super) fn run(&self) -> Exit {
        let (Some(watch), Some(plan)) = (self.rules.watch(false), load::plan(&self.scenario)) else {
            return Exit::Input;
        };
        if let Some(from) = &self.from {
            let names: Vec<&str> = plan.timeline.iter().map(|entry| entry.name.as_str()).collect();
            if !names.contains(&from.as_str()) {
                let advice = match document::nearest(from, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", names.join(", ")),
                };
                complain(&format!("error: `{from}` is no entry of the timeline; {advice}\n"));
                return Exit::Input;
            }
        }
        let jobs = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let calendar = calendar(&plan);
        match lab::sweep(&Arc::new(plan), calendar, &watch, self.seeds, jobs.clamp(1, 256), self.from.as_deref()) {
            Ok(sweep) => {
                match self.format {
                    Format::Text => print(&sweep.text()),
                    Format::Json => {
                        print(&format!("{}\n", serde_json::to_string_pretty(&sweep).unwrap_or_default()));
                    }
                }
                Exit::Ok
            }
            Err(limit) => {
                complain(&format!("error: {limit}\n"));
                Exit::Cannot
            }
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
        if rules.files().is_empty() {
            complain("error: promtool reads rules from files; name them with --rules\n");
            return Exit::Input;
        }
        let (Some(watch), Some(plan)) = (rules.watch(false), load::plan(scenario)) else { return Exit::Input };
        let absolute = |file: &String| {
            std::path::absolute(Path::new(file)).map_or_else(|_| file.clone(), |path| path.display().to_string())
        };
        let files: Vec<String> = rules.files().iter().map(absolute).collect();
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
