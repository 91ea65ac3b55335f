//! What runs on a cluster: how the tasks of flows behave, what arrives, and who polls.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{duration, positive};
use crate::document::{Node, Object, Place, Reading, Severity, Value};
use crate::flow::{self, Body, Flow, Task};
use crate::notify;
use crate::pebble::{self, Template};
use crate::scenario::fields::{ARRIVALS, BEHAVIOUR, DISTRIBUTION, POLLER};
use crate::scenario::{Arrivals, Behaviour, DurationDistribution, Plan, Poller, TaskSelector, limits, started, units};
use crate::time::Duration;

/// Tells which tasks send nothing here, because their templates ask what is not simulated.
pub(super) fn silent_tasks(plan: &Plan, places: &[Place], reading: &mut Reading) {
    let Some(dialect) = pebble::Dialect::named(plan.kestra.language().name()) else { return };
    for (flow, place) in plan.flows.iter().zip(places) {
        for task in flow.all_tasks().into_iter().filter(|task| notify::sends(&task.kind, &task.properties)) {
            for asked in notify::not_simulated(&task.properties, dialect) {
                let what = format!("not simulated: {asked} in a template of the task `{}` of {}", task.id, flow.name());
                reading.warning(&place.first_line(), what, "the task sends nothing here");
            }
        }
    }
}

/// Tells which other tasks of Kestra's own have templates that ask what is not simulated.
pub(super) fn unsimulated_templates(plan: &Plan, places: &[Place], reading: &mut Reading) {
    let Some(dialect) = pebble::Dialect::named(plan.kestra.language().name()) else { return };
    for (flow, place) in plan.flows.iter().zip(places).filter(|(flow, _)| !flow.disabled) {
        let tasks = flow.all_tasks().into_iter().filter(|task| !task.disabled);
        let own = |task: &&Task| flow::core(&task.kind).is_some() && !notify::sends(&task.kind, &task.properties);
        for task in tasks.filter(own) {
            for asked in notify::not_simulated(&task.properties, dialect) {
                let what = format!("not simulated: {asked} in a template of the task `{}` of {}", task.id, flow.name());
                let instead = match task.body {
                    Body::Work | Body::Fail => "it ends as its `behaviour` says here, and puts nothing out",
                    _ => "the task fails here",
                };
                reading.warning(&place.first_line(), what, instead);
            }
        }
    }
}

/// Tells which outputs of plugin tasks, and variables of triggers, templates read and nobody gives.
pub(super) fn unknown_outputs(plan: &Plan, places: &[Place], reading: &mut Reading) {
    let Some(dialect) = pebble::Dialect::named(plan.kestra.language().name()) else { return };
    for (flow, place) in plan.flows.iter().zip(places).filter(|(flow, _)| !flow.disabled) {
        let mut read: BTreeSet<String> = BTreeSet::new();
        texts(&flow.source, &mut |text| {
            if text.contains("outputs")
                && let Ok(template) = Template::parse(text, dialect)
            {
                let of = |(name, part): (String, Option<String>)| part.filter(|_| name == "outputs");
                read.extend(template.needs().variables.into_iter().filter_map(of));
            }
        });
        let given = |task: &Task| {
            let of = |it: &Behaviour| it.outputs.is_some() && it.select.selects(flow, &task.id, &task.kind);
            plan.behaviour.iter().any(of)
        };
        let silent = |task: &&Task| flow::outputs_unknown(task) && !given(task) && read.contains(&task.id);
        for task in flow.all_tasks().into_iter().filter(silent) {
            let what =
                format!("nothing says what the task `{}` of {} puts out, and templates read it", task.id, flow.name());
            let advice = format!("add `behaviour: [ {{ task: {}, outputs: {{ rows: 120 }} }} ]`", task.id);
            reading.warning(&place.first_line(), what, advice);
        }
    }
}

/// Tells of each ForEachItem of which nobody says how many batches it has.
pub(super) fn unknown_batches(plan: &Plan, places: &[Place], reading: &mut Reading) {
    for (flow, place) in plan.flows.iter().zip(places).filter(|(flow, _)| !flow.disabled) {
        for task in flow.all_tasks() {
            let Body::Subflow(subflow) = &task.body else { continue };
            let Some(id) = task.id.strip_suffix("_items").filter(|_| subflow.batches) else { continue };
            let kind = task.kind.split('$').next().unwrap_or_default();
            let selects =
                |it: &&Behaviour| it.select.selects(flow, id, kind) || it.select.selects(flow, &task.id, &task.kind);
            let outputs = plan.behaviour.iter().filter(selects).filter_map(|it| it.outputs.as_ref());
            let told: Vec<&Json> = outputs.filter_map(|outputs| outputs.get("numberOfBatches")).collect();
            if let Some(wrong) = told.iter().find(|count| !count.is_u64()) {
                let what =
                    format!("`numberOfBatches` of the ForEachItem `{id}` of {} is {wrong}: none here", flow.name());
                reading.warning(&place.first_line(), what, "write how many batches there are: `numberOfBatches: 3`");
            } else if told.is_empty() {
                let what =
                    format!("nothing says how many batches the ForEachItem `{id}` of {} has: none here", flow.name());
                let advice = format!("add `behaviour: [ {{ task: {id}, outputs: {{ numberOfBatches: 3 }} }} ]`");
                reading.warning(&place.first_line(), what, advice);
            }
        }
    }
}

/// Does something with every text of a value.
fn texts(value: &Json, what: &mut dyn FnMut(&str)) {
    match value {
        Json::String(text) => what(text),
        Json::Array(items) => items.iter().for_each(|item| texts(item, what)),
        Json::Object(map) => map.values().for_each(|value| texts(value, what)),
        _ => {}
    }
}

/// Tells which flows nothing starts. Of one that has only triggers that are not simulated that was told; one that is
/// switched off, or all of whose triggers are, is meant to rest.
pub(super) fn unstarted(plan: &Plan, places: &[Place], reading: &mut Reading) {
    for ((flow, place), started) in plan.flows.iter().zip(places).zip(started(plan)) {
        let mut enabled = flow.triggers.iter().filter(|trigger| !trigger.disabled).peekable();
        let rests = flow.disabled || enabled.peek().is_none() && !flow.triggers.is_empty();
        if rests || started.starts || enabled.clone().any(|trigger| trigger.action.unsimulated().is_some()) {
            continue;
        }
        let name = format!("{}.{}", flow.namespace, flow.id);
        let caller = started.callers.first().and_then(|it| plan.flows.get(*it));
        let (why, over) = match enabled.next() {
            None if caller.is_some() => {
                let caller = caller.map(Flow::name).unwrap_or_default();
                (format!("only {caller} does, which nothing starts"), "")
            }
            Some(webhook) => (format!("nobody calls its webhook `{}`", webhook.id), ", over: webhook"),
            None => ("it has no trigger and no arrivals".to_owned(), ""),
        };
        let advice = format!("add `arrivals: [ {{ flow: {name}, rate: 1/min{over} }} ]` when something does");
        reading.warning(&place.first_line(), format!("nothing starts the flow {name}: {why}"), advice);
    }
}

/// The index of the flow that a text names: namespace and id, or the id when there is only one.
pub(super) fn flow_named(reading: &mut Reading, node: &Node, plan: &Plan) -> Option<usize> {
    let name = reading.text(node, "`flow`")?;
    let found = plan.flow_named(name);
    found.map_err(|(what, advice)| reading.error(&node.place, what, advice)).ok()
}

pub(super) fn selector(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> TaskSelector {
    let text = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
    };
    let select = TaskSelector {
        namespace: text(reading, "namespace"),
        flow: object.get("flow").and_then(|node| flow_named(reading, node, plan)).map(|flow| {
            let flow = &plan.flows[flow];
            format!("{}.{}", flow.namespace, flow.id)
        }),
        task: text(reading, "task"),
        kind: text(reading, "type"),
    };
    let tasks = || plan.flows.iter().flat_map(Flow::all_tasks);
    let triggers = || plan.flows.iter().flat_map(|flow| &flow.triggers);
    let known = |key: &str, value: &Option<String>, names: Vec<&str>, reading: &mut Reading| {
        if let (Some(value), Some(node)) = (value, object.get(key))
            && !names.contains(&value.as_str())
        {
            if let Some(it) = plan.refused.iter().find(|it| it.ids.contains(value)) {
                let (what, advice) = it.told(&format!("`{value}` of {}", it.name), plan);
                return reading.error(&node.place, what, advice);
            }
            reading.unknown(
                &node.place,
                &format!("{} of these flows", if key == "task" { "task" } else { "type" }),
                value,
                names,
            );
        }
    };
    let ids = tasks().map(|task| task.id.as_str()).chain(triggers().map(|trigger| trigger.id.as_str())).collect();
    known("task", &select.task, ids, reading);
    let kinds = tasks().map(|task| task.kind.as_str()).chain(triggers().map(|trigger| trigger.kind.as_str())).collect();
    known("type", &select.kind, kinds, reading);
    select
}

pub(super) fn behaviour(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Behaviour> {
    let object = reading.object(node, "an entry of `behaviour`", BEHAVIOUR)?;
    let select = selector(&object, plan, reading);
    let share = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.parsed(node, &format!("`{key}`"), units::share))
    };
    let chosen = plan.flows.iter().any(|flow| {
        let namespace = select.namespace.as_ref().is_none_or(|wanted| {
            flow.namespace.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let of_flow = select.flow.as_ref().is_none_or(|wanted| *wanted == format!("{}.{}", flow.namespace, flow.id));
        namespace && of_flow
    });
    if !chosen && !plan.flows.is_empty() {
        reading.warning(&node.place, "this selects no task", "");
    }
    Some(Behaviour {
        duration: object.get("duration").and_then(|node| distribution(node, reading)),
        fails: share(reading, "fails"),
        warns: share(reading, "warns"),
        fires: share(reading, "fires"),
        messages: object.get("messages").and_then(|node| reading.parsed(node, "`messages`", units::read_rate)),
        outputs: object.get("outputs").and_then(|node| mapping(node, "outputs", "{ rows: 120 }", reading)),
        logs: object.get("logs").and_then(|node| reading.count(node, "`logs`", 0..=10_000)).map(|logs| logs as u32),
        select,
    })
}

/// Keys and values of any kind.
pub(super) fn mapping(node: &Node, key: &str, example: &str, reading: &mut Reading) -> Option<Map<String, Json>> {
    match flow::json(node) {
        Json::Object(values) => Some(values),
        _ => {
            let what = format!("`{key}` must be a mapping, not {}", node.value.describe());
            reading.error(&node.place, what, format!("write for example `{key}: {example}`"));
            None
        }
    }
}

fn distribution(node: &Node, reading: &mut Reading) -> Option<DurationDistribution> {
    let Value::Mapping(_) = &node.value else {
        let fixed = duration(reading, node, "`duration`")?;
        return Some(DurationDistribution { median: fixed, p99: fixed });
    };
    let object = reading.object(node, "`duration`", DISTRIBUTION)?;
    let median = duration(reading, object.get("median")?, "`median`")?;
    let p99 = object.get("p99").map_or(Some(median), |node| duration(reading, node, "`p99`"))?;
    if p99 < median {
        let place = object.get("p99").map_or(&node.place, |node| &node.place);
        reading.error(
            place,
            format!("`p99` is {p99}, less than the median {median}"),
            "one in a hundred takes longer than p99",
        );
    }
    Some(DurationDistribution { median, p99 })
}

pub(super) fn arrivals(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Arrivals> {
    let object = reading.object(node, "an entry of `arrivals`", ARRIVALS)?;
    let flow = object.get("flow").and_then(|node| flow_named(reading, node, plan));
    let rate = object.get("rate").and_then(|node| reading.parsed(node, "`rate`", units::read_rate));
    let ways = [("api", false), ("webhook", true)];
    let webhook = object.get("over").and_then(|node| reading.choice(node, "way to create an execution", &ways));
    let inputs = object.get("inputs").and_then(|node| mapping(node, "inputs", "{ day: monday }", reading));
    let (inputs, webhook) = (inputs.unwrap_or_default(), webhook.unwrap_or(false));
    if let Some(of) = flow.and_then(|flow| plan.flows.get(flow)).filter(|_| !webhook) {
        let at = object.get("flow").unwrap_or(node);
        super::commands::declared(of, (&inputs, &object, at), Severity::Warning, plan, reading);
    }
    Some(Arrivals { flow: flow?, rate: rate?, webhook, inputs })
}

pub(super) fn pollers(node: Option<&Node>, reading: &mut Reading) -> Vec<Poller> {
    let Some(node) = node else {
        let every = |path: &str, seconds| Poller { path: path.into(), every: Duration::seconds(seconds) };
        return vec![every("/prometheus", 15), every("/health/liveness", 5), every("/health/readiness", 5)];
    };
    let mut pollers = Vec::new();
    for node in reading.list(node, "`polled_by`") {
        let Some(object) = reading.object(node, "an entry of `polled_by`", POLLER) else { continue };
        let path = object.get("path").and_then(|node| {
            reading.parsed(node, "`path`", |text| {
                text.starts_with('/')
                    .then(|| text.to_owned())
                    .ok_or_else(|| "begin with a slash: /prometheus".to_owned())
            })
        });
        let every = object.get("every").and_then(|node| positive(reading, node, "`every`"));
        if let (Some(every), Some(node)) = (every.filter(|every| *every < limits::POLL), object.get("every")) {
            reading.error(
                &node.place,
                format!("nobody polls every {every}"),
                format!("write {} or more", limits::POLL),
            );
        }
        if let (Some(path), Some(every)) = (path, every) {
            pollers.push(Poller { path, every });
        }
    }
    pollers
}
