//! The Plan: a scenario that was read, checked and resolved; all that the simulator needs to know.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::{Amount, Answer, Expectation, Fault, Order, PlannedCommand, ReceiverName, Secrets, Settings};
use crate::document::instead;
use crate::flow::Flow;
use crate::notify;
use crate::pager::Matcher;
use crate::pebble::Kv;
use crate::profile::{Profile, Role};
use crate::promql::Expression;
use crate::time::{Duration, Instant};

/// A scenario, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// `name`.
    pub name: String,
    /// `summary`: what it shows, in a sentence.
    pub summary: String,
    /// `kestra`: the version.
    pub kestra: &'static Profile,
    /// `duration`: where `run` and `test` end.
    pub duration: Duration,
    /// `start`: the date of the scenario's start, when the file fixes it.
    pub start: Option<jiff::Timestamp>,
    /// `cluster`.
    pub cluster: ClusterPlan,
    /// `flows`.
    pub flows: Vec<Flow>,
    /// Flow files that hold no sound flow: they are left out, as Kestra refuses them and keeps the others.
    pub left_out: Vec<String>,
    /// The flows of these, as far as they are known: who names one of them is told so.
    pub refused: Vec<RefusedFlow>,
    /// `behaviour`, later entries win over earlier ones.
    pub behaviour: Vec<Behaviour>,
    /// `arrivals`.
    pub arrivals: Vec<Arrivals>,
    /// `polled_by`: who asks the management ports and how often; what a real server would count of it.
    pub pollers: Vec<Poller>,
    /// `configuration`: what is set on the real Kestra.
    pub settings: Settings,
    /// `secrets`, with those of the environment where the command line adds them.
    pub secrets: Secrets,
    /// `kv`: values by namespace and key, as `kv()` finds them.
    pub kv: Kv,
    /// `environment`: variables of the server's environment, as `env()` and `envs` show them.
    pub environment: BTreeMap<String, String>,
    /// `receivers`: what each answers; those that are not named take every message.
    pub receivers: Vec<(ReceiverName, Answer)>,
    /// `autoscale`: who scales roles by what a query comes to.
    pub autoscale: Vec<Autoscale>,
    /// `silences`: what Alertmanager keeps quiet, when one is given.
    pub silences: Vec<Silence>,
    /// `timeline`, in the order of the file.
    pub timeline: Vec<TimelineEntry>,
    /// `commands`, in the order of the file: a session issues them, a bare simulation does not.
    pub commands: Vec<PlannedCommand>,
    /// `expect`.
    pub expectations: Vec<Expectation>,
}

/// One entry of `silences`: a silence of Alertmanager.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// `matchers`: all must hold.
    pub matchers: Vec<Matcher>,
    /// `from`: from when on; from the start when left out.
    pub from: Instant,
    /// `for`: how long; to the end when left out.
    pub lasts: Duration,
}

/// `cluster`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterPlan {
    /// `start: booting`: the processes start at the scenario's start; otherwise they run since `age`.
    pub booting: bool,
    /// `age`: how long the cluster has run when the scenario starts (10 minutes by default). Zero when booting.
    pub age: Duration,
    /// `database`.
    pub database: DatabaseKind,
    /// `queue: kafka`: the queues are Kafka's, as the commercial edition has them; `/kafkastreams` shows them.
    pub kafka: bool,
    /// `members`, in the order of the file, numbered within their role: `worker-1`, `worker-2`, `executor-1`, ...
    pub members: Vec<MemberPlan>,
}

/// `cluster.database`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// `postgresql`, the default.
    Postgresql,
    /// `mysql`.
    Mysql,
    /// `h2`: in memory, inside the process.
    H2,
    /// H2 in a file, as `kestra server local` has it.
    H2File,
}

/// One member of the cluster: one process.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberPlan {
    /// For example `worker-1`.
    pub name: String,
    /// What it runs.
    pub role: Role,
    /// Its version, when it differs from the cluster's (`version`).
    pub kestra: Option<&'static Profile>,
    /// `threads`: worker threads; 8 per default cluster of two cores is `4 x cores` in Kestra.
    pub threads: u32,
    /// `heap`: -Xmx in bytes.
    pub heap: u64,
    /// `restart`: what follows when the process ends by itself.
    pub restart: Restart,
    /// `grace`: Kestra's `terminationGracePeriod`, 5 minutes by default.
    pub grace: Duration,
    /// A place that is free until somebody scales the role up.
    pub reserve: bool,
}

/// One entry of `autoscale`: a ScaledObject of KEDA with a trigger of the type `prometheus`.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoscale {
    /// `role`: whose members.
    pub role: Role,
    /// `query`: what is asked of the Prometheus that watches.
    pub query: Expression,
    /// `threshold`: what each member should have of it.
    pub threshold: f64,
    /// `activation`: with more than this there is something to do.
    pub activation: f64,
    /// `min`: so many at least (`minReplicaCount`).
    pub min: u32,
    /// `max`: so many at most (`maxReplicaCount`).
    pub max: u32,
    /// `polling`: how often it is looked whether there is anything to do (`pollingInterval`).
    pub polling: Duration,
    /// `cooldown`: the last member goes so long after there was (`cooldownPeriod`).
    pub cooldown: Duration,
}

/// A flow that the version refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedFlow {
    /// Its namespace and id.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// The ids and types in it, those of tasks and triggers too.
    pub ids: BTreeSet<String>,
    /// The server's words for what is wrong, or ours.
    pub words: String,
}

impl RefusedFlow {
    /// What is told of something that is of this flow, and the advice.
    pub(super) fn told(&self, what: &str, plan: &Plan) -> (String, String) {
        let version = plan.kestra.name();
        let what = format!("{what} is not there: Kestra {version} refuses it: {}", self.words);
        (what, format!("mend {}, or leave this out for Kestra {version}", self.file))
    }
}

impl Plan {
    /// The one flow that a name means: namespace and id, or an id that only one has.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn flow_named(&self, name: &str) -> Result<usize, (String, String)> {
        let refused = |it: &&RefusedFlow| it.name == name || it.name.rsplit('.').next() == Some(name);
        let named = |flow: &Flow| flow.id == name || flow.name() == name;
        let flows = self.flows.iter().enumerate();
        let found: Vec<usize> = flows.filter(|(_, flow)| named(flow)).map(|(at, _)| at).collect();
        match found.as_slice() {
            [one] => Ok(*one),
            [] if let Some(it) = self.refused.iter().find(refused) => {
                Err(it.told(&format!("the flow {}", it.name), self))
            }
            [] => {
                let names: Vec<String> = self.flows.iter().flat_map(|flow| [flow.id.clone(), flow.name()]).collect();
                let advice = instead(name, names.iter().map(String::as_str));
                Err((format!("`{name}` is no flow of this scenario"), advice))
            }
            several => {
                let names: Vec<String> = several.iter().filter_map(|at| self.flows.get(*at)).map(Flow::name).collect();
                Err((format!("several flows have the id `{name}`"), format!("write one of {}", names.join(", "))))
            }
        }
    }

    /// Whether anything starts executions of the flow with this index: a trigger that is simulated, or arrivals.
    pub fn starts(&self, flow: usize) -> bool {
        let arrives = self.arrivals.iter().any(|arrivals| arrivals.flow == flow);
        let triggered = |flow: &Flow| {
            !flow.disabled && flow.triggers.iter().any(|trigger| !trigger.disabled && trigger.action.starts())
        };
        let asked =
            |command: &PlannedCommand| matches!(command.order, Order::Execute { flow: asked, .. } if asked == flow);
        arrives || self.commands.iter().any(asked) || self.flows.get(flow).is_some_and(triggered)
    }

    /// Flows that tell people: those with a task that sends a message.
    pub fn telling(&self) -> impl Iterator<Item = &Flow> {
        let sends = |flow: &&Flow| flow.all_tasks().iter().any(|task| notify::sends(&task.kind, &task.properties));
        self.flows.iter().filter(move |flow| !flow.disabled && sends(flow))
    }

    /// The versions that members have or get, each once, those of the file first.
    pub fn versions(&self) -> Vec<&'static Profile> {
        let mut versions: Vec<&'static Profile> = Vec::new();
        let members = self.cluster.members.iter().map(|member| member.profile(self.kestra));
        let upgrades = self.timeline.iter().filter_map(|entry| match entry.fault.amount {
            Amount::Version(version) => Some(version),
            _ => None,
        });
        for version in members.chain(upgrades) {
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        versions
    }

    /// What is to be said of a metric that no member's version of Kestra has, and another version has.
    pub fn elsewhere(&self, metric: &str) -> Option<String> {
        // Profiles know names without the prefix that is set.
        let plain = |prefix: &String| prefix.replace(|c: char| !c.is_ascii_alphanumeric(), "_") + "_";
        let prefix = self.settings.metrics_prefix.as_ref().map_or("kestra_".to_owned(), plain);
        let metric = metric.strip_prefix(&prefix).map_or(metric.to_owned(), |rest| format!("kestra_{rest}"));
        let mut profiles = self.versions().into_iter();
        let first = profiles.next()?;
        let (version, same) = first.elsewhere(&metric)?;
        if profiles.any(|profile| profile.elsewhere(&metric).is_none()) {
            return None;
        }
        let same = same.map(|same| same.strip_prefix("kestra_").map_or(same.clone(), |rest| format!("{prefix}{rest}")));
        let same = same.map(|same| format!(", here `{same}` tells the same")).unwrap_or_default();
        Some(format!("Kestra {} has no such meter, {version} has{same}", first.name()))
    }
}

impl TaskSelector {
    /// Whether it means this task (or trigger) of this flow.
    pub fn selects(&self, flow: &Flow, id: &str, kind: &str) -> bool {
        let namespace = |wanted: &String| {
            flow.namespace.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let of_flow = |wanted: &String| {
            *wanted == flow.id
                || wanted.strip_suffix(flow.id.as_str()).and_then(|rest| rest.strip_suffix('.'))
                    == Some(&flow.namespace)
        };
        self.namespace.as_ref().is_none_or(namespace)
            && self.flow.as_ref().is_none_or(of_flow)
            && self.task.as_ref().is_none_or(|wanted| wanted == id)
            && self.kind.as_ref().is_none_or(|wanted| wanted == kind)
    }
}

impl MemberPlan {
    /// What it runs in a cluster of this version.
    pub fn profile(&self, cluster: &'static Profile) -> &'static Profile {
        self.kestra.unwrap_or(cluster)
    }

    /// Why it cannot be part of a cluster of this version, if so: the version has no such role.
    pub fn unfit(&self, cluster: &'static Profile) -> Option<String> {
        let profile = self.profile(cluster);
        let fits = profile.roles().any(|role| role == self.role);
        (!fits).then(|| format!("Kestra {} has no {}", profile.name(), self.role.name()))
    }
}

/// `restart`: who starts a process again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Nobody.
    Never,
    /// A supervisor, this long after the exit.
    After(Duration),
    /// The kubelet: at once, then after 10 s, 20 s, 40 s ... 5 min; reset after 10 minutes of life.
    Kubernetes,
}

/// One entry of `behaviour`: how the tasks it selects behave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// Which tasks.
    pub select: TaskSelector,
    /// `duration`.
    pub duration: Option<DurationDistribution>,
    /// `fails`: share of attempts that fail, 0 to 1.
    pub fails: Option<f64>,
    /// `warns`: share of attempts that end in WARNING, 0 to 1.
    pub warns: Option<f64>,
    /// `logs`: log lines an attempt writes.
    pub logs: Option<u32>,
    /// `fires`: for polling triggers, the share of evaluations that create an execution, 0 to 1.
    pub fires: Option<f64>,
    /// `messages`: for realtime triggers, how many come a second, as a Poisson process.
    pub messages: Option<f64>,
    /// `outputs`: what a run of the task puts out, or the variables of the trigger.
    pub outputs: Option<Map<String, Json>>,
}

/// Selects tasks: all given parts must match; a namespace also selects those below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskSelector {
    /// `namespace`.
    pub namespace: Option<String>,
    /// `flow`: the flow's id, or namespace and id.
    pub flow: Option<String>,
    /// `task`: the task's (or polling trigger's) id.
    pub task: Option<String>,
    /// `type`.
    pub kind: Option<String>,
}

/// `duration` of a task: log-normal, or fixed when the p99 equals the median.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationDistribution {
    /// `median`.
    pub median: Duration,
    /// `p99`.
    pub p99: Duration,
}

/// One entry of `arrivals`: executions created over the API or a webhook, as a Poisson process.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    /// Index into [`Plan::flows`].
    pub flow: usize,
    /// Mean number of executions a second.
    pub rate: f64,
    /// `over: webhook`: created by calling a webhook, and not over the API.
    pub webhook: bool,
    /// `inputs` of each of them.
    pub inputs: Map<String, Json>,
}

/// One entry of `polled_by`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poller {
    /// The path it asks, for example `/prometheus`.
    pub path: String,
    /// How often, on each member.
    pub every: Duration,
}

/// One entry of `timeline`.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineEntry {
    /// `name`, or made from the fault: `kill-worker-1`; unique in the scenario.
    pub name: String,
    /// `at`.
    pub at: Instant,
    /// What happens.
    pub fault: Fault,
    /// `for`: after this it ends by itself.
    pub lasts: Option<Duration>,
    /// `every`: it happens again and again.
    pub every: Option<Duration>,
    /// `until`: not after this.
    pub until: Option<Instant>,
}
