//! Options that say who is told of alerts.

use std::sync::Arc;

use clap::Args;

use super::told::Told;
use super::{complain, load};
use crate::document::Source;
use crate::pager::{self, Route, Version};
use crate::run::Paging;
use crate::scenario::{Expectation, Plan, Silence};
use crate::time::{Duration, Instant};

/// Who is told of alerts, and how.
#[derive(Debug, Args)]
pub(super) struct Alertmanager {
    /// Who is told of the alerts, what, and when: an alertmanager.yml (its `templates` are read beside it), manifests of
    /// AlertmanagerConfig, or Grafana's provisioned policies, contact points and mute timings; more may follow, which are one
    /// configuration together
    #[arg(long, value_name = "FILE")]
    alertmanager: Vec<String>,
    /// Alertmanager whose behaviour is meant: 0.25, 0.33 or 0.35
    #[arg(long, value_name = "VERSION", default_value = "0.33", value_parser = version, requires = "alertmanager")]
    alertmanager_version: Version,
    /// A silence of alerts with such labels, as in `alertname=KestraDown, severity=~"warn.*"`; more may follow
    #[arg(long, value_name = "MATCHERS", requires = "alertmanager")]
    silence: Vec<String>,
    /// When the silence begins, after the start; of several silences in their order [default: at the start]
    #[arg(long, value_name = "DURATION", requires = "silence")]
    silence_from: Vec<Duration>,
    /// How long the silence lasts; of several silences in their order [default: to the end]
    #[arg(long, value_name = "DURATION", requires = "silence")]
    silence_for: Vec<Duration>,
}

/// Groups are looked at this often at most: a virtual week would be without end.
const LEAST: Duration = Duration::seconds(1);

/// A route that looks at its groups more often than that.
fn hasty(route: &Route) -> Option<&Route> {
    match route.group_interval < LEAST {
        true => Some(route),
        false => route.routes.iter().find_map(hasty),
    }
}

fn version(text: &str) -> Result<Version, String> {
    let found = Version::NAMES.iter().find(|(name, _)| *name == text).map(|(_, version)| *version);
    found.ok_or_else(|| "write 0.25, 0.33 or 0.35".to_owned())
}

impl Alertmanager {
    /// Whether one is given.
    pub(super) fn is_given(&self) -> bool {
        !self.alertmanager.is_empty()
    }

    /// Who is told; `Ok(None)` when nobody is. None when something is wrong: it has been told.
    pub(super) fn read(&self, told: &mut Told) -> Option<Option<Paging>> {
        if !self.is_given() {
            return Some(None);
        }
        let mut given = Vec::new();
        for file in &self.alertmanager {
            match load::file(file) {
                Ok(Source { name, text }) => given.push((name, text)),
                Err(why) => {
                    complain(&format!("error: cannot read the configuration `{file}`: {why}\n"));
                    return None;
                }
            }
        }
        let (configuration, diagnostics) = pager::read_files(&given, self.alertmanager_version, Some(&Disk));
        told.diagnostics(&diagnostics);
        let configuration = configuration?;
        if let Some(route) = hasty(&configuration.route) {
            let line = route
                .place
                .as_ref()
                .map_or(String::new(), |place| format!("{}:{}: ", place.source.name, place.line_and_column().0));
            let (interval, least) = (route.group_interval, LEAST);
            complain(&format!(
                "error: {line}`group_interval` is {interval}: a route that looks at its groups more often than each {least} is \
                 not simulated; write {least} or more\n"
            ));
            return None;
        }
        let version = self.alertmanager_version;
        let templates = match pager::templates(&configuration.templates, version) {
            Ok(templates) => Arc::new(templates),
            Err(wrong) => {
                complain(&format!("error: {wrong}\n"));
                return None;
            }
        };
        let silences = self.silences()?;
        Some(Some(Paging { configuration: Arc::new(configuration), templates, version, silences }))
    }

    fn silences(&self) -> Option<Vec<Silence>> {
        for (option, given) in [("--silence-from", &self.silence_from), ("--silence-for", &self.silence_for)] {
            if !given.is_empty() && given.len() != self.silence.len() {
                let (silences, given) = (self.silence.len(), given.len());
                complain(&format!(
                    "error: {silences} silences and {given} times {option}: give one for each silence\n"
                ));
                return None;
            }
        }
        let mut all = Vec::new();
        for (index, text) in self.silence.iter().enumerate() {
            let matchers = match pager::matchers(text) {
                Ok(matchers) => matchers,
                Err(why) => {
                    complain(&format!("error: --silence `{text}`: {why}\n"));
                    return None;
                }
            };
            let from = self.silence_from.get(index).copied().unwrap_or(Duration::ZERO);
            let lasts = self.silence_for.get(index).copied().unwrap_or(Duration::MAX);
            all.push(Silence { matchers, from: Instant::START + from, lasts });
        }
        Some(all)
    }
}

/// That a scenario asks who is paged, when nobody is told of anything.
pub(super) fn unasked(given: bool, plans: &[Arc<Plan>], told: &mut Told) {
    let asks = |plan: &&Arc<Plan>| plan.expectations.iter().any(|it| matches!(it, Expectation::Page { .. }));
    if let (false, Some(plan)) = (given, plans.iter().find(asks)) {
        told.warning(&format!("{} expects pages, which are judged with --alertmanager FILE only", plan.name));
    }
}

/// The files of this machine.
struct Disk;

impl pager::Files for Disk {
    fn find(&self, pattern: &str) -> Vec<String> {
        super::rules::matching(pattern).into_iter().map(|path| path.display().to_string()).collect()
    }

    fn read(&self, path: &str) -> Result<String, String> {
        load::file(path).map(|source| source.text)
    }
}
