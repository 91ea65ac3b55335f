//! What is known of the name of a metric, as rules write it: it is there, it could be there, or what was meant instead.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::watch::Watching;
use crate::document;
use crate::profile::{Binder, Kind, Meter, Profile, Role};
use crate::promql::Grid;
use crate::scenario::Plan;
use crate::simulator::{Member, Simulation, moves};

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A member shows it, a scrape writes it, or a rule records it.
    There,
    /// A meter of this version of Kestra that comes with its first event, and nothing has raised it in this run.
    NotRaised(&'static str),
    /// A meter of this version that only processes of these roles show, and none did.
    NoMember(&'static str, Vec<Role>),
    /// A meter of this version (or of any, for metrics of plugins' tasks) that nothing raises here: its causes are not
    /// simulated.
    NotSimulated(Option<&'static str>),
    /// A meter that the configuration has switched off, by the name of its binder.
    SwitchedOff(&'static str),
    /// No meter of the version of any member, but of another one: in words, with what it is called here.
    OtherVersion(String),
    /// A meter is called so, and its series otherwise: the version, what it is, and its series.
    OtherSeries(&'static str, Kind, Vec<String>),
    /// Nobody has it: what was probably meant, and what is known of that when it is not there either.
    Unknown(Option<(String, Box<Known>)>),
}

/// What a Prometheus itself writes at each scrape.
const OF_SCRAPES: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// What it writes of alerts.
pub(super) const OF_ALERTS: [&str; 2] = ["ALERTS", "ALERTS_FOR_STATE"];

/// What stands behind a meter's name in those of its series.
const SUFFIXES: [&str; 5] = ["_bucket", "_count", "_sum", "_max", "_total"];

/// All names of a run.
#[derive(Debug)]
pub(super) struct Names {
    plan: Arc<Plan>,
    there: BTreeSet<String>,
    /// Series of the meters of all members' versions, there or not.
    meters: BTreeMap<String, Known>,
    /// Meters by their names without what their series add; once somebody asks.
    bare: OnceCell<BTreeMap<String, Known>>,
}

impl Names {
    /// The names of a run that is at its end: what members show, what is scraped, what rules record.
    pub(super) fn of_run(simulation: &Simulation, watching: &Watching, grid: Grid) -> Names {
        let mut there = exposed(simulation);
        there.extend(OF_SCRAPES.into_iter().chain(OF_ALERTS).map(str::to_owned));
        there.extend(watching.recorded().map(str::to_owned));
        there.extend(watching.scraped(grid));
        Names::new(simulation.plan().clone(), there)
    }

    fn new(plan: Arc<Plan>, there: BTreeSet<String>) -> Names {
        let mut meters: BTreeMap<String, Known> = BTreeMap::new();
        for profile in plan.versions() {
            for (_, meter) in profile.meters() {
                let known = of_meter(meter, profile, &plan);
                for series in series_of(meter, &name_of(meter, &plan)) {
                    // In a cluster of several versions the one that could show it is told.
                    match meters.get_mut(&series) {
                        Some(Known::NotRaised(_)) => {}
                        Some(other) => *other = known.clone(),
                        None => _ = meters.insert(series, known.clone()),
                    }
                }
            }
        }
        Names { plan, there, meters, bare: OnceCell::new() }
    }

    fn bare(&self) -> &BTreeMap<String, Known> {
        self.bare.get_or_init(|| {
            let mut bare = BTreeMap::new();
            for profile in self.plan.versions() {
                for (_, meter) in profile.meters() {
                    let name = name_of(meter, &self.plan);
                    let series = series_of(meter, &name).collect();
                    bare.entry(name).or_insert(Known::OtherSeries(profile.name(), meter.kind, series));
                }
            }
            bare
        })
    }

    /// What is known of a name.
    pub(super) fn of(&self, name: &str) -> Known {
        if self.there.contains(name) {
            return Known::There;
        }
        if let Some(known) = self.meters.get(name) {
            return known.clone();
        }
        // Metrics of plugins' tasks have the plugin's class in their names.
        let prefix = self.plan.settings.metrics_prefix.as_deref().unwrap_or("kestra");
        if name.starts_with(&format!("{}_io_kestra_plugin_", plain(prefix))) {
            return Known::NotSimulated(None);
        }
        if let Some(elsewhere) = self.plan.elsewhere(name) {
            return Known::OtherVersion(elsewhere);
        }
        let stem = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
        if let Some(known) = self.bare().get(name).or_else(|| self.bare().get(stem?)) {
            return known.clone();
        }
        Known::Unknown(self.meant(name))
    }

    /// What was probably meant by a name that nobody has.
    fn meant(&self, name: &str) -> Option<(String, Box<Known>)> {
        let rest = name.strip_prefix("kestra").and_then(|rest| rest.strip_prefix('_'));
        let unprefixed = rest.zip(self.plan.settings.metrics_prefix.as_deref());
        let prefixed = unprefixed.map(|(rest, prefix)| format!("{}_{rest}", plain(prefix)));
        let prefixed = prefixed.filter(|name| self.there.contains(name) || self.meters.contains_key(name));
        // Of two that are as near what is there is meant.
        let all = self.there.iter().chain(self.meters.keys()).map(String::as_str);
        let meant = prefixed.or_else(|| document::nearest(name, all).map(str::to_owned))?;
        let known = if self.there.contains(&meant) { Known::There } else { self.meters.get(&meant)?.clone() };
        Some((meant, Box::new(known)))
    }
}

/// The name Prometheus sees of a meter in a plan, without what its series add.
fn name_of(meter: &Meter, plan: &Plan) -> String {
    match (plan.settings.metrics_prefix.as_deref(), meter.name.strip_prefix("kestra.")) {
        (Some(prefix), Some(rest)) => meter.prometheus_name_of(&format!("{prefix}.{rest}")),
        _ => meter.prometheus_name(),
    }
}

/// The names of the series of a meter that is called so.
fn series_of(meter: &Meter, name: &str) -> impl Iterator<Item = String> {
    meter.suffixes().iter().map(move |suffix| [name, suffix].concat())
}

/// A dotted name as a part of one that Prometheus sees.
fn plain(dotted: &str) -> String {
    dotted.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// What is known of the series of a meter when they are not there.
fn of_meter(meter: &Meter, profile: &'static Profile, plan: &Plan) -> Known {
    let mut off = plan.settings.binders_off().filter_map(Binder::named);
    if let Some(binder) = off.find(|binder| binder.has_all_of(&meter.name)) {
        return Known::SwitchedOff(binder.name);
    }
    if moves(meter) {
        return Known::NotRaised(profile.name());
    }
    if meter.start.is_empty() {
        return Known::NotSimulated(Some(profile.name()));
    }
    let shows = |role: &Role| meter.start.iter().any(|start| start.roles.is_empty() || start.roles.contains(role));
    Known::NoMember(profile.name(), profile.roles().filter(shows).collect())
}

/// The names of all series that members show now.
fn exposed(simulation: &Simulation) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for registry in simulation.members().iter().filter_map(Member::registry) {
        registry.line_names(|name| {
            if !names.contains(name) {
                names.insert(name.to_owned());
            }
        });
    }
    names
}

impl fmt::Display for Known {
    /// What is to be said of a name that was not found, as it goes on after "there is no series called X: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Known::There => f.write_str("it is there, but not in what was scraped: see targets and relabelling"),
            Known::NotRaised(version) => {
                write!(f, "it is a meter of Kestra {version} that nothing has raised in this run")
            }
            Known::NoMember(version, roles) => {
                let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
                write!(f, "it is a meter of Kestra {version} of {} only, and none of these showed it", roles.join(", "))
            }
            Known::NotSimulated(Some(version)) => {
                write!(f, "it is a meter of Kestra {version} that is not simulated: nothing raises it here")
            }
            Known::NotSimulated(None) => {
                f.write_str("it is a metric of a plugin's tasks; these are not simulated: nothing raises it here")
            }
            Known::SwitchedOff(binder) => write!(f, "switched off by `micronaut.metrics.binders.{binder}.enabled`"),
            Known::OtherVersion(elsewhere) => f.write_str(elsewhere),
            Known::OtherSeries(version, kind, series) => {
                let are = if series.len() == 1 { "is" } else { "are" };
                write!(f, "this meter of Kestra {version} is a {}, its series {are} {}", kind.name(), series.join(", "))
            }
            Known::Unknown(None) => f.write_str("no version of Kestra has such a meter, and no rule records it"),
            Known::Unknown(Some((meant, known))) => match **known {
                Known::There => write!(f, "did you mean `{meant}`?"),
                _ => write!(f, "did you mean `{meant}`? ({known})"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{NoFiles, read};

    fn names(scenario: &str, there: &[&str]) -> Names {
        let (plan, told) = read("x.yaml", scenario, &NoFiles);
        let plan = plan.unwrap_or_else(|| panic!("{told:?}"));
        Names::new(Arc::new(plan), there.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn each_name_is_known_as_what_it_is() {
        let cluster = "name: x\ncluster: { members: { executor: 1, worker: 1 } }\n";
        let names = names(cluster, &["up", "kestra_worker_job_pending"]);
        for (name, told) in [
            ("kestra_worker_job_pending", "it is there"),
            ("kestra_executor_worker_job_resubmit_count_total", "a meter of Kestra 1.3 that nothing has raised"),
            ("kestra_executor_execution_duration_seconds_sum", "a meter of Kestra 1.3 that nothing has raised"),
            ("http_server_requests_seconds_max", "a meter of Kestra 1.3 that nothing has raised"),
            ("kestra_worker_killed_count_total", "a meter of Kestra 1.3 that nothing has raised"),
            ("kestra_executor_flowable_execution_count_total", "a meter of Kestra 1.3 that is not simulated"),
            ("kestra_worker_queue_size", "Kestra 1.3 has no such meter, 2.0 has, here `kestra_worker_job_pending`"),
            ("kestra_executor_execution_duration_seconds", "is a timer, its series are kestra_executor_execution_d"),
            ("kestra_executor_execution_duration_seconds_bucket", "kestra_executor_execution_duration_seconds_count"),
            ("kube_pod_container_status_restarts_total", "no version of Kestra has such a meter"),
        ] {
            let known = names.of(name).to_string();
            assert!(known.contains(told), "{name}: {known}");
        }
        assert_eq!(names.of("up"), Known::There);
    }

    #[test]
    fn a_meter_of_roles_that_are_not_there_names_them() {
        let names = names("name: x\ncluster: { members: { executor: 1 } }\n", &[]);
        assert_eq!(names.of("kestra_worker_job_pending"), Known::NoMember("1.3", vec![Role::Standalone, Role::Worker]));
    }

    #[test]
    fn names_have_the_prefix_that_is_set() {
        let names = names("name: x\nconfiguration: { kestra: { metrics: { prefix: my.app } } }\n", &[]);
        let started = "my_app_executor_execution_started_count_total";
        assert_eq!(names.of(started), Known::NotRaised("1.3"));
        assert!(matches!(names.of("my_app_io_kestra_plugin_x_total"), Known::NotSimulated(None)));
        let meant = Some((started.to_owned(), Box::new(Known::NotRaised("1.3"))));
        assert_eq!(names.of("kestra_executor_execution_started_count_total"), Known::Unknown(meant));
        let elsewhere = names.of("my_app_worker_queue_size").to_string();
        assert!(elsewhere.contains("2.0 has, here `my_app_worker_job_pending` tells the same"), "{elsewhere}");
    }

    #[test]
    fn a_meter_that_the_configuration_takes_away_names_the_switch() {
        let off = "name: x\nconfiguration: { micronaut: { metrics: { binders: { jvm: { enabled: false } } } } }\n";
        let names = names(off, &[]);
        assert_eq!(names.of("jvm_memory_used_bytes"), Known::SwitchedOff("jvm"));
        let told = names.of("jvm_memory_used_bytes").to_string();
        assert_eq!(told, "switched off by `micronaut.metrics.binders.jvm.enabled`");
        assert!(matches!(names.of("process_cpu_usage"), Known::NoMember(..)));
    }

    #[test]
    fn in_a_cluster_of_two_versions_the_one_that_could_show_it_is_told() {
        let mixed = "name: x\ncluster: { members: { executor: 1, worker: { count: 1, version: \"2.0\" } } }\n";
        let names = names(mixed, &[]);
        let roles = vec![Role::Standalone, Role::Executor, Role::Worker];
        assert_eq!(names.of("kestra_worker_queue_size"), Known::NoMember("2.0", roles));
        assert!(matches!(names.of("kestra_executor_execution_end_count_total"), Known::NotRaised(_)));
    }
}
