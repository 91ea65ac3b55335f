//! What runs: flows with their tasks, how often they run, how long tasks take and how many fail.

use std::collections::{BTreeMap, BTreeSet};

use super::meters::{Part, What};
use super::observed::{Key, Observed};
use super::rises::Rise;
use super::text;
use super::times::{Taken, Times};
use super::triggers::{self, Known, Trigger};
use crate::profile::{Profile, Quirk};

/// A flow, by namespace and id.
pub(super) type Name = (String, String);

/// What was found of a flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) namespace: String,
    pub(super) id: String,
    /// Executions that began.
    pub(super) executions: Rise,
    /// Nobody counted executions: they are those of the task that ran most often.
    pub(super) by_tasks: bool,
    /// In the order in which they run, as far as that is told.
    pub(super) tasks: Vec<Task>,
    pub(super) triggers: Vec<Trigger>,
    /// Executions that nobody knows a trigger of.
    pub(super) arrivals: Option<f64>,
    /// Ended task runs, and those that failed or warned.
    pub(super) ended: f64,
    pub(super) failed: f64,
    /// What else is known, in sentences.
    pub(super) remarks: Vec<String>,
}

/// A task, or several of one type that nothing tells apart.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) id: String,
    /// Its id was seen: else it is made from its type.
    pub(super) told: bool,
    pub(super) kind: String,
    pub(super) runs: f64,
    pub(super) taken: Option<Taken>,
    /// How long it waited for a thread, in seconds, on average.
    pub(super) wait: f64,
    pub(super) fails: f64,
    pub(super) warns: f64,
    /// Its time is that of all tasks of the flow.
    pub(super) of_flow: bool,
}

/// Tasks of one type in one flow, at most.
const SAME_TYPE: f64 = 20.0;

/// What was counted of a flow.
#[derive(Default)]
struct Counted {
    started: Rise,
    popped: Rise,
    queued: f64,
    delayed: f64,
    triggered: Rise,
    states: BTreeMap<String, f64>,
    begun: BTreeMap<String, Rise>,
    polls: BTreeMap<String, (Rise, Rise)>,
}

/// All flows, those that run most often first.
pub(super) fn flows(observed: &Observed, profile: &'static Profile) -> Vec<Flow> {
    let mut counted = count(observed);
    let known = triggers::known(observed);
    known.keys().for_each(|name| _ = counted.entry(name.clone()).or_default());
    let ids = triggers::task_ids(observed);
    let mut flows: Vec<Flow> = counted
        .into_iter()
        .map(|(name, counted)| flow(observed, profile, &name, counted, known.get(&name), &ids))
        .collect();
    flows.sort_by(|a, b| b.executions.amount.total_cmp(&a.executions.amount));
    flows
}

fn count(observed: &Observed) -> BTreeMap<Name, Counted> {
    let mut flows: BTreeMap<Name, Counted> = BTreeMap::new();
    let mut each = |what: What, add: fn(&mut Counted, &Key, Rise)| {
        observed.each(what, Part::Value, |key, rise| {
            if let Some(name) = name_of(key) {
                add(flows.entry(name).or_default(), key, rise);
            }
        });
    };
    each(What::Started, |flow, key, rise| {
        // What goes on after a pause or a restart has begun before.
        if key.label("state") != Some("RESTARTED") {
            flow.started += rise;
        }
    });
    each(What::Popped, |flow, _, rise| flow.popped += rise);
    each(What::Queued, |flow, _, rise| flow.queued += rise.amount);
    each(What::Delayed, |flow, _, rise| flow.delayed += rise.amount);
    each(What::Triggered, |flow, _, rise| flow.triggered += rise);
    each(What::TaskRuns, |flow, key, rise| *flow.states.entry(value(key, "state")).or_default() += rise.amount);
    each(What::WorkerStarted, |flow, key, rise| *flow.begun.entry(value(key, "task_type")).or_default() += rise);
    each(What::Polls, |flow, key, rise| flow.polls.entry(value(key, "trigger_type")).or_default().0 += rise);
    each(What::PollsFired, |flow, key, rise| {
        flow.polls.entry(value(key, "trigger_type")).or_default().1 += rise;
    });
    flows
}

fn value(key: &Key, label: &str) -> String {
    key.label(label).unwrap_or_default().to_owned()
}

fn name_of(key: &Key) -> Option<Name> {
    Some((key.label("namespace_id")?.to_owned(), key.label("flow_id")?.to_owned()))
}

fn is_of(key: &Key, name: &Name) -> bool {
    key.label("namespace_id") == Some(&name.0) && key.label("flow_id") == Some(&name.1)
}

fn flow(
    observed: &Observed,
    profile: &'static Profile,
    name: &Name,
    counted: Counted,
    known: Option<&BTreeMap<String, Known>>,
    ids: &triggers::TaskIds,
) -> Flow {
    let mut flow = Flow { namespace: name.0.clone(), id: name.1.clone(), ..Flow::default() };
    flow.executions = counted.started;
    flow.executions += counted.popped;
    if flow.executions.amount == 0.0 {
        let most = counted.begun.values().max_by(|a, b| a.amount.total_cmp(&b.amount));
        flow.by_tasks = most.is_some_and(|it| it.amount > 0.0);
        flow.executions = most.copied().unwrap_or_default();
    }
    flow.ended = counted.states.values().sum();
    let of_state = |state: &str| counted.states.get(state).copied().unwrap_or(0.0);
    flow.failed = of_state("FAILED");
    tasks(&mut flow, observed, profile, name, &counted.begun, ids);
    shares(&mut flow, of_state("WARNING"));
    let seconds =
        if counted.triggered.per_second > 0.0 { counted.triggered.amount / counted.triggered.per_second } else { 0.0 };
    let polls = counted.polls.into_iter().map(|(kind, (rise, fired))| {
        let took = observed.times(What::PollTime, |key| is_of(key, name) && key.label("trigger_type") == Some(&kind));
        triggers::Polls { kind, evaluations: rise, fired, took }
    });
    let polls: Vec<triggers::Polls> = polls.collect();
    let none = BTreeMap::new();
    triggers::set(&mut flow, known.unwrap_or(&none), &polls, (counted.triggered, seconds));
    let some = |count: f64| text::counted(count, "execution");
    if counted.queued > 0.0 {
        flow.remarks.push(format!("{} waited for a concurrency limit, which no metric tells", some(counted.queued)));
    }
    if counted.delayed > 0.0 {
        flow.remarks.push(format!(
            "{} waited to be tried again or to go on: what `retry` says is not told",
            some(counted.delayed)
        ));
    }
    flow
}

/// Its tasks: as many of a type as run in each execution.
fn tasks(
    flow: &mut Flow,
    observed: &Observed,
    profile: &'static Profile,
    name: &Name,
    begun: &BTreeMap<String, Rise>,
    ids: &triggers::TaskIds,
) {
    let waits = profile.has(Quirk::WorkerDurationIsWait);
    let of_flow = waits.then(|| observed.times(What::TaskRunTime, |key| is_of(key, name)));
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut kinds: Vec<(&String, f64, f64)> = Vec::new();
    for (kind, rise) in begun.iter().filter(|(_, rise)| rise.amount > 0.0) {
        if !stands_alone(kind) {
            flow.remarks
                .push(format!("tasks of the type {kind} are left out: they are nothing without others in them"));
            continue;
        }
        let each = (rise.amount / flow.executions.amount.max(1.0)).clamp(1.0, SAME_TYPE);
        let count = f64::round(each);
        if (each - count).abs() > 0.2 {
            flow.remarks.push(format!(
                "{each:.2} runs of {kind} in each execution: loops, retries, or tasks that do not always run"
            ));
        }
        kinds.push((kind, count, rise.amount));
    }
    // Who comes first has begun most often at any time: what fails or still runs has not reached the next one.
    let ahead = |(kind, count, _): &(&String, f64, f64)| {
        observed.standing(What::WorkerStarted, |key| is_of(key, name) && key.label("task_type") == Some(kind)) / count
    };
    let mut kinds: Vec<_> = kinds.into_iter().map(|kind| (ahead(&kind), kind)).collect();
    kinds.sort_by(|a, b| b.0.total_cmp(&a.0));
    let kinds = kinds.into_iter().map(|(_, kind)| kind);
    for (kind, count, runs) in kinds {
        let of_kind = |key: &Key| is_of(key, name) && key.label("task_type") == Some(kind);
        let wait = observed.times(What::WorkerWait, of_kind).mean().unwrap_or(0.0);
        let times: Times = of_flow.clone().unwrap_or_else(|| observed.times(What::WorkerTime, of_kind));
        let took = times.taken(wait);
        let known = ids.get(&(name.clone(), kind.clone()));
        for number in 0..count as usize {
            let seen = known.and_then(|ids| ids.iter().nth(number)).filter(|id| is_id(id)).cloned();
            let told = seen.is_some();
            let id = free(seen.unwrap_or_else(|| word(kind)), &mut taken);
            let (runs, of_flow, kind) = (runs / count, of_flow.is_some(), kind.clone());
            flow.tasks.push(Task { id, told, kind, runs, taken: took, wait, fails: 0.0, warns: 0.0, of_flow });
        }
    }
}

/// Shares of what failed and warned. Metrics count states by flow: where its tasks run one after another, what is missing at
/// the next one has failed at the one before, and the rest at the last.
fn shares(flow: &mut Flow, warned: f64) {
    let runs: f64 = flow.tasks.iter().map(|task| task.runs).sum();
    if runs <= 0.0 || flow.ended <= 0.0 {
        return;
    }
    let share = |part: f64, of: f64| if of > 0.0 { (part / of).clamp(0.0, 1.0) } else { 0.0 };
    let kinds: BTreeSet<&str> = flow.tasks.iter().map(|task| task.kind.as_str()).collect();
    let chain = kinds.len() == flow.tasks.len();
    let mut left = flow.failed;
    let reached: Vec<f64> = flow.tasks.iter().map(|task| task.runs).chain([0.0]).collect();
    let (warns, evenly) = (share(warned, flow.ended), share(flow.failed, flow.ended));
    let last = flow.tasks.len() - 1;
    for (at, task) in flow.tasks.iter_mut().enumerate() {
        task.warns = warns;
        let failed = if at == last { left } else { (reached[at] - reached[at + 1]).clamp(0.0, left) };
        left -= failed;
        task.fails = if chain { share(failed, reached[at]) } else { evenly };
    }
    if flow.failed > 0.0 && flow.tasks.len() > 1 {
        flow.remarks.push(match chain {
            true => "failures are counted by flow: those of a task are the runs that the next one lacks".to_owned(),
            false => "failures are counted by flow: each task has an equal share of them".to_owned(),
        });
    }
}

/// Whether Kestra takes it as the id of a task or trigger: what a server shows may be anything.
pub(super) fn is_id(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(inside) && text.len() <= 150
}

/// The same of a type.
pub(super) fn is_type(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$' | '-');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inside) && text.len() <= 300
}

/// The same of a type of task that needs no others in it.
fn stands_alone(kind: &str) -> bool {
    is_type(kind) && !kind.ends_with(".WorkingDirectory")
}

/// `copy-in` from `io.kestra.plugin.jdbc.postgresql.CopyIn`.
pub(super) fn word(kind: &str) -> String {
    let name = kind.rsplit(['.', '$']).next().unwrap_or(kind);
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
        word.extend(letter.to_lowercase().filter(|it| it.is_ascii_alphanumeric() || *it == '-'));
    }
    if word.is_empty() { "task".to_owned() } else { word }
}

/// A name that nothing else has.
pub(super) fn free(wanted: String, taken: &mut BTreeSet<String>) -> String {
    let numbered = |number: usize| if number < 2 { wanted.clone() } else { format!("{wanted}-{number}") };
    let mut number = 1;
    while !taken.insert(numbered(number)) {
        number += 1;
    }
    numbered(number)
}
