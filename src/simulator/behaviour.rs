//! How simulated tasks behave: the scenario's `behaviour` laid over defaults by type, and what faults change of it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value as Json};

use crate::execution::{self, Tree};
use crate::flow::{self, Body, Flow, Span};
use crate::random::{Stream, name_key};
use crate::scenario::{Behaviour, DurationDistribution, Plan};
use crate::time::Duration;

/// A flow, made ready to run.
#[derive(Clone, Debug)]
pub(super) struct FlowModel {
    pub(super) key: u64,
    /// What comes next in its executions.
    pub(super) tree: Arc<Tree>,
    /// By number (`Flow::all_tasks`).
    pub(super) tasks: Vec<TaskModel>,
    pub(super) timeouts: Vec<Option<Span>>,
    pub(super) triggers: Vec<TaskModel>,
    /// What tasks, by number, and triggers, by theirs, put out as their `behaviour` says.
    pub(super) outputs: BTreeMap<Place, Arc<Map<String, Json>>>,
    /// The inputs of an execution that nobody gives any, where no template has a say in them: worked out once.
    pub(super) usual_inputs: OnceLock<Map<String, Json>>,
    /// It declares inputs.
    pub(super) declares: bool,
    /// It declares outputs.
    pub(super) puts_out: bool,
    /// It declares an input that nobody may see.
    pub(super) secretive: bool,
    /// Executions ever asked for: the next one's number.
    count: u64,
}

impl FlowModel {
    pub(super) fn new(plan: &Plan, flow: &Flow) -> FlowModel {
        FlowModel {
            key: name_key(&format!("{}.{}", flow.namespace, flow.id)),
            tasks: tasks(plan, flow),
            timeouts: flow.all_tasks().iter().map(|task| task.timeout.clone()).collect(),
            tree: Arc::new(Tree::new(flow)),
            triggers: triggers(plan, flow),
            outputs: outputs(plan, flow),
            usual_inputs: OnceLock::new(),
            declares: !flow.declared().is_empty(),
            puts_out: flow.source.get("outputs").and_then(Json::as_array).is_some_and(|it| !it.is_empty()),
            secretive: flow::secretive(flow.declared()),
            count: 0,
        }
    }

    /// The number that the next execution will have.
    pub(super) fn next(&self) -> u64 {
        self.count + 1
    }

    /// Takes the number of the next execution. One that nobody answered for takes a number too, so that an outage does not
    /// change what later executions draw.
    pub(super) fn next_number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// A task or a trigger of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The task of this number.
    Task(u32),
    /// The trigger of this one.
    Trigger(u32),
}

/// What tasks and triggers of a flow put out as their `behaviour` says, the last one that says anything.
fn outputs(plan: &Plan, flow: &Flow) -> BTreeMap<Place, Arc<Map<String, Json>>> {
    let given: Vec<_> = plan.behaviour.iter().filter_map(|it| Some((it, Arc::new(it.outputs.clone()?)))).collect();
    let mut outputs = BTreeMap::new();
    if given.is_empty() {
        return outputs;
    }
    let tasks = flow.all_tasks().into_iter().enumerate();
    let tasks = tasks.map(|(at, task)| (Place::Task(at as u32), task.id.as_str(), task.kind.as_str()));
    let triggers = flow.triggers.iter().enumerate();
    let triggers = triggers.map(|(at, it)| (Place::Trigger(at as u32), it.id.as_str(), it.kind.as_str()));
    for (place, id, kind) in tasks.chain(triggers) {
        if let Some((_, found)) = given.iter().rev().find(|(it, _)| it.select.selects(flow, id, kind)) {
            outputs.insert(place, Arc::clone(found));
        }
    }
    outputs
}

/// How one task, or polling trigger, behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct TaskModel {
    duration: DurationDistribution,
    fails: f64,
    warns: f64,
    /// Log lines an attempt writes, where that is said or known by its nature.
    pub(super) logs: Option<u32>,
    /// Share of evaluations of a polling trigger that create an execution.
    pub(super) fires: f64,
    /// Messages a second that come to a realtime trigger.
    pub(super) messages: f64,
    /// How long it takes is worked out when it begins.
    rendered: bool,
    /// What faults make of it.
    faults: Disturbance,
}

/// What faults make of a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disturbance {
    /// Durations times this.
    pub(super) times: f64,
    /// This share of attempts fails instead.
    pub(super) failing: Option<f64>,
    /// This share of results reaches nobody.
    pub(super) lost: f64,
    /// This share of results is larger than a message may be.
    pub(super) big: f64,
    /// This share of attempts does not hear that it is killed.
    pub(super) stubborn: f64,
}

impl Default for Disturbance {
    fn default() -> Disturbance {
        Disturbance { times: 1.0, failing: None, lost: 0.0, big: 0.0, stubborn: 0.0 }
    }
}

/// What becomes of the result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// An executor gets it.
    Told,
    /// It is larger than a message may be, and told without its outputs.
    TooBig,
    /// Nobody gets it.
    Lost,
}

/// What an attempt will come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) duration: Duration,
    pub(super) fails: bool,
    pub(super) warns: bool,
}

impl TaskModel {
    /// Draws an attempt.
    pub(super) fn attempt(&self, draws: &mut Stream) -> Attempt {
        let duration = draws.log_normal(self.duration.median, self.duration.p99).times(self.faults.times);
        // All three are drawn always, so that a changed share changes nothing else.
        let (failing, warning) = (draws.uniform(), draws.uniform());
        let fails = failing < self.faults.failing.unwrap_or(self.fails);
        Attempt { duration, fails, warns: !fails && warning < self.warns }
    }

    /// Whether how long it takes is worked out when it begins.
    pub(super) fn is_rendered(&self) -> bool {
        self.rendered
    }

    /// How long an attempt takes of which that was worked out.
    pub(super) fn takes(&self, drawn: Duration, span: impl FnOnce() -> Option<Duration>) -> Duration {
        if self.rendered { span().map_or(drawn, |span| span.times(self.faults.times)) } else { drawn }
    }

    /// Lays faults over it.
    pub(super) fn disturb(&mut self, faults: Disturbance) {
        self.faults = faults;
    }

    /// Whether an attempt does not hear that it is killed; `draw` is as that of its fate.
    pub(super) fn is_stubborn(&self, draw: impl Fn(u64) -> f64) -> bool {
        self.faults.stubborn > 0.0 && draw(0x57b) < self.faults.stubborn
    }

    /// What becomes of the result of an attempt; `draw` is one of its own, that nothing else is drawn from.
    pub(super) fn fate(&self, draw: impl Fn(u64) -> f64) -> Fate {
        match self.faults {
            Disturbance { lost, .. } if lost > 0.0 && draw(0x105) < lost => Fate::Lost,
            Disturbance { big, .. } if big > 0.0 && draw(0xb16) < big => Fate::TooBig,
            _ => Fate::Told,
        }
    }
}

/// The model of each task of a flow.
fn tasks(plan: &Plan, flow: &Flow) -> Vec<TaskModel> {
    flow.all_tasks()
        .into_iter()
        .map(|task| {
            let mut model = by_type(&task.kind);
            if matches!(task.body, Body::Fail) {
                // Its condition says.
                model.fails = 0.0;
            }
            if matches!(flow::core(&task.kind), Some("Log" | "Echo")) {
                // A line for each message.
                model.logs = u32::try_from(execution::messages(&task.properties).len()).ok().filter(|lines| *lines > 0);
            }
            match task.sleep {
                Some(Span::Written(sleep)) => model.duration = DurationDistribution { median: sleep, p99: sleep },
                Some(Span::Rendered(_)) => model.rendered = true,
                None => {}
            }
            overlay(model, plan, flow, &task.id, &task.kind)
        })
        .collect()
}

/// The model of each trigger of a flow.
fn triggers(plan: &Plan, flow: &Flow) -> Vec<TaskModel> {
    let poll = DurationDistribution { median: Duration::milliseconds(80), p99: Duration::milliseconds(600) };
    let base = TaskModel { duration: poll, fires: 0.1, messages: 0.1, ..by_type("") };
    flow.triggers.iter().map(|trigger| overlay(base, plan, flow, &trigger.id, &trigger.kind)).collect()
}

/// Defaults: core tasks as their nature is, others as a query or a script that takes some seconds.
fn by_type(kind: &str) -> TaskModel {
    let short = DurationDistribution { median: Duration::milliseconds(30), p99: Duration::milliseconds(150) };
    let (duration, fails) = match kind.rsplit('.').next().unwrap_or(kind) {
        "Log" | "Return" | "SetVariables" | "SetVariable" | "Labels" => (short, 0.0),
        "ForEachItem$ForEachItemSplit" | "ForEachItem$ForEachItemMergeOutputs" => (short, 0.0),
        "Fail" => (short, 1.0),
        "Sleep" => (DurationDistribution { median: Duration::seconds(10), p99: Duration::seconds(10) }, 0.0),
        "Request" | "Download" => {
            (DurationDistribution { median: Duration::milliseconds(250), p99: Duration::seconds(3) }, 0.0)
        }
        _ => (DurationDistribution { median: Duration::seconds(2), p99: Duration::seconds(8) }, 0.0),
    };
    let faults = Disturbance::default();
    TaskModel { duration, fails, warns: 0.0, logs: None, fires: 0.0, messages: 0.0, rendered: false, faults }
}

fn overlay(mut model: TaskModel, plan: &Plan, flow: &Flow, id: &str, kind: &str) -> TaskModel {
    for Behaviour { select, duration, fails, warns, logs, fires, messages, .. } in &plan.behaviour {
        if select.selects(flow, id, kind) {
            model.duration = duration.unwrap_or(model.duration);
            model.rendered &= duration.is_none();
            model.fails = fails.unwrap_or(model.fails);
            model.warns = warns.unwrap_or(model.warns);
            model.logs = logs.or(model.logs);
            model.fires = fires.unwrap_or(model.fires);
            model.messages = messages.unwrap_or(model.messages);
        }
    }
    model
}

#[cfg(test)]
mod tests {
    use super::super::testing::plan;
    use crate::scenario::TaskSelector;

    #[test]
    fn a_selector_means_what_has_all_that_it_names_and_namespaces_hold_those_within() {
        let flow = "flows: [ { id: f, namespace: company.team, tasks: [ { id: t, type: a.B } ] } ]\n";
        let plan = plan("standalone: 1", flow);
        let selects = |namespace: Option<&str>, flow: Option<&str>, task: Option<&str>, kind: Option<&str>| {
            let [namespace, flow, task, kind] = [namespace, flow, task, kind].map(|it| it.map(str::to_owned));
            TaskSelector { namespace, flow, task, kind }.selects(&plan.flows[0], "t", "a.B")
        };
        for (namespace, selected) in
            [("company", true), ("company.team", true), ("comp", false), ("company.te", false), ("team", false)]
        {
            assert_eq!(selects(Some(namespace), None, None, None), selected, "namespace {namespace}");
        }
        for (flow, selected) in [("f", true), ("company.team.f", true), ("team.f", false), ("company.f", false)] {
            assert_eq!(selects(None, Some(flow), None, None), selected, "flow {flow}");
        }
        assert!(selects(None, None, None, None) && selects(Some("company"), Some("f"), Some("t"), Some("a.B")));
        assert!(!selects(None, Some("f"), Some("u"), None) && !selects(None, None, Some("t"), Some("a.C")));
    }
}
