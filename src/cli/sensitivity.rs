//! `sensitivity`: how little of a fault an alert still notices.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::judge::failed_run;
use super::told::Told;
use super::watched::Watched;
use super::{Exit, Format, Runs, calendar, complain};
use crate::document;
use crate::lab;
use crate::random::Seed;
use crate::run::Watch;

/// What it does, in more words.
pub(super) const MEANING: &str = "\
What may be less of a fault comes from its entry: the members it is done to, its amount (a rate, a share, a factor,
a pause, a number of members), and how long it lasts. Of each a few points are tried first, so that it is told where
more is not always worse; then the boundary is found by bisection, in about 500 steps from nothing to what the file
says. `fires` means with all seeds, from the instant on at which the fault begins.

The scenario that it prints has the smallest fault with which the alert fires, all of it together: one step less of
any of it and it does not. `--out` writes it into a file, for `test`. It says nothing of secrets: set those that
the flows need in the environment.

Exit codes: 0 found, 1 the alert does not fire as the scenario is (or without the fault too), 2 wrong input.";

#[derive(Debug, Args)]
pub(super) struct Sensitivity {
    #[command(flatten)]
    watched: Watched,
    /// The alert, by its name
    #[arg(long)]
    alert: String,
    /// The entry of the timeline that is made less [default: each in turn, the others as they are]
    #[arg(long, value_name = "NAME")]
    fault: Option<String>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Many seeds instead, the last one included: it must fire with each
    #[arg(long, value_name = "N|A..B", value_parser = super::seeds, conflicts_with = "seed")]
    seeds: Option<super::Seeds>,
    #[command(flatten)]
    runs: Runs,
    /// Write the scenario with the smallest fault into this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Sensitivity {
    pub(super) fn run(&self) -> Exit {
        let mut told = Told::default();
        let Some((watch, plan)) = self.watched.read(&mut told) else { return Exit::Input };
        if !watch.rules.alerts().any(|alert| alert == self.alert) {
            let alerts: Vec<&str> = watch.rules.alerts().collect();
            let advice = document::instead(&self.alert, alerts);
            complain(&format!("error: the rules have no alert `{}`; {advice}\n", self.alert));
            return Exit::Input;
        }
        let names = || plan.timeline.iter().map(|entry| entry.name.as_str());
        let entry = match &self.fault {
            None if plan.timeline.is_empty() => {
                complain(&format!("error: nothing is done to the cluster in {}: it has no timeline\n", plan.name));
                return Exit::Input;
            }
            None => None,
            Some(name) => match names().position(|it| it == name) {
                Some(index) => Some(index),
                None => {
                    let advice = document::instead(name, names());
                    complain(&format!("error: `{name}` is no entry of the timeline; {advice}\n"));
                    return Exit::Input;
                }
            },
        };
        if let Some(path) = self.out.as_ref().filter(|path| path.exists()) {
            complain(&format!("error: {} is there already; name another file with --out\n", path.display()));
            return Exit::Input;
        }
        // Nobody waits for a search whose result cannot be kept.
        let folder = self.out.as_deref().and_then(std::path::Path::parent).filter(|it| !it.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            complain(&format!("error: --out: there is no folder {}\n", folder.display()));
            return Exit::Input;
        }
        let (first, count) = self.seeds.map_or((self.seed.0, 1), |seeds| (seeds.first(), seeds.count() as usize));
        let runs = lab::SensitivityRuns { first, count, jobs: self.runs.jobs(), entry };
        let calendar = calendar(&plan);
        // How rules stand is of no interest here, only whether one fires.
        let watch = Watch { standings: false, ..watch };
        let plan = Arc::new(plan);
        let found = lab::sensitivity(&plan, calendar, &watch, &self.alert, &runs, self.runs.counting());
        super::told_enough();
        match found {
            Ok(found) => self.tell(&found),
            Err(failed) => failed_run(&failed),
        }
    }

    fn tell(&self, found: &lab::Sensitivity) -> Exit {
        self.format.print(found, || found.text());
        let all: Vec<&lab::Smallest> = found.faults.iter().filter_map(|fault| fault.smallest.as_ref()).collect();
        if let (Some(path), Some(smallest)) = (&self.out, all.first()) {
            if all.len() > 1 {
                complain("note: --out has the scenario of the first of these faults; name another with --fault\n");
            }
            let text =
                format!("# The least with which {} still fires: {}.\n{}", found.alert, smallest.what, smallest.text);
            if let Err(error) = super::write_new(path, &text) {
                complain(&format!("error: cannot write {}: {error}\n", path.display()));
                return Exit::Cannot;
            }
        }
        if found.found() { Exit::Ok } else { Exit::Found }
    }
}
