//! `dashboard`: which panels of dashboards have data over scenarios.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::judge::failed_run;
use super::lab::overwrites;
use super::load::{self, Unfit};
use super::rules::{self, Rules};
use super::told::Told;
use super::{Exit, calendar, complain, print};
use crate::dashboard::{self, Dashboard as Read};
use crate::document;
use crate::files;
use crate::lab::{self, DashboardReport, DashboardRuns, Shown};
use crate::profile::Profile;
use crate::random::Seed;
use crate::time::Duration;

/// What the words of its reports mean.
pub(super) const MEANING: &str = "\
What it tells of a panel:
  data         its expressions have a value at some instant of the run
  partly       some of them have, some stay empty
  empty        none has: why, as `explain` tells it
  fails        an expression cannot be read or evaluated
  not judged   it asks nothing, or somebody else than a Prometheus

Variables are what is stored in the file, where that is among the values there are in the run; else the first
choice, which is all where the dashboard offers that. --var says otherwise. The time shown is the whole run, the
steps are those that Grafana takes for it.

Exit code 1: a panel is empty or fails in one of the scenarios; with --strict also an empty expression of a panel
that has data, and a warning.";

#[derive(Debug, Args)]
pub(super) struct Dashboard {
    /// Dashboards of Grafana, as it exports them (JSON), or folders of them [default: the shipped ones]
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Scenarios: shipped names, families of them (`mock-kestra list`), patterns, files or folders
    #[arg(long = "scenario", visible_alias = "scenarios", value_name = "SCENARIO", num_args = 1.., default_value = "healthy-cluster")]
    scenarios: Vec<String>,
    #[command(flatten)]
    extras: load::Extras,
    /// Versions of Kestra, instead of those of the scenarios: each is judged
    #[arg(long, value_delimiter = ',', value_name = "VERSION,...", value_parser = super::versions())]
    kestra: Vec<&'static Profile>,
    #[command(flatten)]
    rules: Rules,
    /// What is chosen of a variable, instead of what is stored in the file; several values by commas
    #[arg(long = "var", value_name = "NAME=VALUE,...", value_parser = variable)]
    variables: Vec<(String, Vec<String>)>,
    /// What the data source says of how often it is scraped [default: how often members are]
    #[arg(long, value_name = "DURATION", value_parser = rules::interval)]
    data_source_interval: Option<Duration>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// An empty expression of a panel that has data is exit code 1, too, and so is a warning
    #[arg(long)]
    strict: bool,
    /// Form of the report; html is one page with the panels drawn
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    Text,
    Json,
    Html,
}

fn variable(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, values) = text.split_once('=').ok_or("write NAME=VALUE, such as `instance=worker-1:8081`")?;
    Ok((name.trim_start_matches('$').to_owned(), values.split(',').map(str::to_owned).collect()))
}

impl Dashboard {
    pub(super) fn run(&self) -> Exit {
        let mut told = Told::default();
        // All input is read before anything runs.
        let Some(dashboards) = self.read(&mut told) else { return Exit::Input };
        let Some(chosen) = self.chosen(&dashboards) else { return Exit::Input };
        let inputs: Vec<PathBuf> = self.files.iter().map(PathBuf::from).collect();
        if let Some(why) = self.junit.iter().find_map(|path| overwrites(path, &inputs)) {
            complain(&format!("error: --junit: {why}\n"));
            return Exit::Input;
        }
        let Some((watch, _)) = self.rules.watch(&mut told) else { return Exit::Input };
        let Some(names) = load::all_scenarios("--scenario", &self.scenarios) else { return Exit::Input };
        let plans = load::plans(&names, &self.extras, &self.kestra, Unfit::Refuse, &mut told);
        let Some(plans) = plans else { return Exit::Input };
        let runs = DashboardRuns { dashboards, chosen, scrape: self.data_source_interval };
        let mut reports: Vec<DashboardReport> = Vec::new();
        for plan in &plans {
            told.remarks(&watch, plan);
            match lab::judge_dashboards(plan, self.seed, calendar(plan), &watch, &runs) {
                Ok(found) => reports.extend(found),
                Err(failed) => return failed_run(&failed),
            }
        }
        self.tell(&reports, &told)
    }

    /// The dashboards; none when something is wrong: it has been told.
    fn read(&self, told: &mut Told) -> Option<Vec<(String, Read)>> {
        let mut sources = if self.files.is_empty() { files::shipped_dashboards() } else { Vec::new() };
        for file in &self.files {
            match files::dashboards(Path::new(file)) {
                Ok(found) => sources.extend(found),
                Err(why) => {
                    complain(&format!("error: {file}: {why}\n"));
                    return None;
                }
            }
        }
        let mut all = Vec::new();
        let mut sound = true;
        for source in sources {
            let name = source.name.clone();
            let (dashboard, diagnostics) = dashboard::read(&Arc::new(source));
            told.diagnostics(&diagnostics);
            match dashboard {
                Some(dashboard) => all.push((name, dashboard)),
                None => sound = false,
            }
        }
        sound.then_some(all)
    }

    /// What --var says; none when no dashboard has such a variable: it has been told.
    fn chosen(&self, dashboards: &[(String, Read)]) -> Option<BTreeMap<String, Vec<String>>> {
        let known: BTreeSet<&str> =
            dashboards.iter().flat_map(|(_, it)| &it.variables).map(|variable| variable.name.as_str()).collect();
        for (name, _) in &self.variables {
            if !known.contains(name.as_str()) {
                let advice = document::instead(name, known.iter().copied());
                complain(&format!("error: --var: no dashboard has a variable `{name}`; {advice}\n"));
                return None;
            }
        }
        Some(self.variables.iter().cloned().collect())
    }

    fn tell(&self, reports: &[DashboardReport], told: &Told) -> Exit {
        match self.format {
            Form::Text => {
                let texts: Vec<String> = reports.iter().map(DashboardReport::text).collect();
                print(&texts.join("\n"));
            }
            Form::Json => print(&format!("{}\n", serde_json::to_string_pretty(reports).unwrap_or_default())),
            Form::Html => print(&lab::dashboards_html(reports)),
        }
        if let Some(path) = &self.junit
            && let Err(error) = std::fs::write(path, lab::dashboards_junit(reports, self.strict))
        {
            complain(&format!("error: cannot write {}: {error}\n", path.display()));
            return Exit::Cannot;
        }
        let partly = self.strict && reports.iter().any(|report| report.count(Shown::Partly) > 0);
        let found = partly || reports.iter().any(DashboardReport::found);
        told.exit(self.strict, if found { Exit::Found } else { Exit::Ok })
    }
}
