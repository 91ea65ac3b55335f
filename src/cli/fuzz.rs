//! `fuzz`: what the rules do not see.

use std::path::PathBuf;

use clap::Args;

use super::judge::failed_run;
use super::rules::Rules;
use super::told::Told;
use super::{Exit, Format, Runs, complain};
use crate::lab;
use crate::profile::Profile;
use crate::random::Seed;
use crate::run::Watch;
use crate::time::Duration;

/// What it does, in more words.
pub(super) const MEANING: &str = "\
Each scenario is a cluster, one to three flows and one to three faults, drawn by chance: any fault that there is, done
to anything that it can be done to. Harm is what the model itself knows of executions, beside the same cluster to
which nothing is done; no metric is asked:
  fail     they end badly, one after the other, for longer than --limit
  hang     one takes longer than it ever did when all was well, by more than --limit
  missing  for longer than --limit none comes, and several should have
It is noticed when any alert begins to fire after the first fault began, and no later than --limit after the harm did.

What nobody notices is made small: fewer faults, flows and members, rounder times, a shorter run, as long as it still
shows. The same kinds of faults with the same harm are told once. The same seed and the same number of scenarios find
the same; --runs says how many, --seconds ends it by the clock.

Exit codes: 0 nothing goes unnoticed, 1 something does, 2 wrong input.";

#[derive(Debug, Args)]
pub(super) struct Fuzz {
    #[command(flatten)]
    rules: Rules,
    /// Go on for so many seconds [default: 30]
    #[arg(long, conflicts_with = "runs_wanted", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Draw so many scenarios instead
    #[arg(long = "runs", id = "runs_wanted", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=super::MAX_RUNS))]
    count: Option<u64>,
    /// How long harm may last before an alert must have fired
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = limit)]
    limit: Duration,
    /// Versions of Kestra, in turn
    #[arg(long, value_delimiter = ',', value_name = "VERSION,...", value_parser = super::versions(), default_value = Profile::DEFAULT)]
    kestra: Vec<&'static Profile>,
    /// Seed of what is drawn: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    #[command(flatten)]
    runs: Runs,
    /// Write what is found into this folder, a file each; none is written over
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `--limit`: what fits into an hour twice.
fn limit(text: &str) -> Result<Duration, String> {
    let limit: Duration = text.parse()?;
    let fits = limit >= Duration::seconds(30) && limit <= Duration::minutes(20);
    if fits { Ok(limit) } else { Err("write a duration from 30s to 20m".to_owned()) }
}

impl Fuzz {
    #[allow(clippy::disallowed_methods, reason = "people wait by the wall clock")]
    pub(super) fn run(&self) -> Exit {
        let mut told = Told::default();
        let Some((watch, _)) = self.rules.watch(&mut told) else { return Exit::Input };
        if let Some(folder) = &self.out
            && let Err(error) = std::fs::create_dir_all(folder)
        {
            complain(&format!("error: cannot make the folder {}: {error}\n", folder.display()));
            return Exit::Cannot;
        }
        let watch = Watch { standings: false, ..watch };
        let which = lab::FuzzRuns {
            seed: self.seed.0,
            kestra: self.kestra.iter().map(|profile| profile.name().to_owned()).collect(),
            limit: self.limit,
            jobs: self.runs.jobs(),
        };
        let begun = std::time::Instant::now();
        let seconds = std::time::Duration::from_secs(self.seconds.unwrap_or(30));
        let more = |done: u64| match self.count {
            Some(count) => Some(count.saturating_sub(done)),
            None => Some(super::MAX_RUNS.saturating_sub(done)).filter(|_| begun.elapsed() < seconds),
        };
        let found = lab::fuzz(&watch, &which, more, self.runs.counting());
        super::told_enough();
        match found {
            Ok(found) => self.tell(&found),
            Err(failed) => failed_run(&failed),
        }
    }

    fn tell(&self, found: &lab::Fuzz) -> Exit {
        self.format.print(found, || found.text());
        let mut failed = false;
        if let Some(folder) = &self.out {
            for finding in &found.findings {
                let path = folder.join(format!("{}.yaml", finding.name));
                match super::write_new(&path, &finding.text) {
                    Ok(()) => complain(&format!("{} is written\n", path.display())),
                    // The others are written all the same.
                    Err(error) => {
                        let advice = "name another folder with --out";
                        complain(&format!("error: cannot write {}: {error}: {advice}\n", path.display()));
                        failed = true;
                    }
                }
            }
        }
        if failed {
            return Exit::Cannot;
        }
        if found.findings.is_empty() { Exit::Ok } else { Exit::Found }
    }
}
