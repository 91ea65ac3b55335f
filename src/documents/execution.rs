//! An execution as a document.

use serde_json::{Map, Value as Json, json};

use super::date;
use crate::flow::{State, Task};
use crate::simulator::{ExecutionSeen, RunState, Simulation, TaskRunSeen};
use crate::time::Instant;

/// Its fields, without what is null or empty. What its task runs put out is not in it.
pub(super) fn document(it: &ExecutionSeen, simulation: &Simulation) -> Json {
    let flow = simulation.plan().flows.get(it.flow);
    let (namespace, flow_id) = flow.map_or(("", ""), |flow| (flow.namespace.as_str(), flow.id.as_str()));
    let run = |run: &TaskRunSeen| {
        let task = flow.and_then(|flow| flow.all_tasks().into_iter().find(|task| task.id == run.task));
        let mut fields = Map::new();
        fields.insert("id".into(), run.id.clone().into());
        fields.insert("executionId".into(), it.id.clone().into());
        fields.insert("namespace".into(), namespace.into());
        fields.insert("flowId".into(), flow_id.into());
        fields.insert("taskId".into(), run.task.clone().into());
        fields.extend(run.parent.iter().map(|parent| ("parentTaskRunId".to_owned(), parent.clone().into())));
        fields.extend(run.value.iter().map(|value| ("value".to_owned(), value.clone().into())));
        let attempts = attempts(run, task, simulation);
        if !attempts.is_empty() {
            fields.insert("attempts".into(), attempts.into());
        }
        let states: Vec<(Instant, State)> = run.history.iter().map(|state| (state.at, state.state)).collect();
        fields.insert("state".into(), state(&states, run.state, simulation));
        Json::Object(fields)
    };
    let mut fields = Map::new();
    fields.insert("id".into(), it.id.clone().into());
    fields.insert("namespace".into(), namespace.into());
    fields.insert("flowId".into(), flow_id.into());
    fields.insert("flowRevision".into(), 1.into());
    if !it.task_runs.is_empty() {
        fields.insert("taskRunList".into(), it.task_runs.iter().map(run).collect::<Vec<_>>().into());
    }
    if let inputs @ Json::Object(_) = without_empty(Json::Object(it.inputs.clone())) {
        fields.insert("inputs".into(), inputs);
    }
    if !it.labels.is_empty() {
        let labels = it.labels.iter().map(|(key, value)| json!({ "key": key, "value": value }));
        fields.insert("labels".into(), labels.collect::<Vec<_>>().into());
    }
    fields.insert("state".into(), state(&it.history, it.state, simulation));
    fields.extend(it.original.iter().map(|id| ("parentId".to_owned(), id.clone().into())));
    fields.insert("originalId".into(), it.original.as_ref().unwrap_or(&it.id).clone().into());
    if let Some(trigger) = trigger(it, simulation) {
        fields.insert("trigger".into(), trigger);
    }
    fields.insert("deleted".into(), false.into());
    Json::Object(fields)
}

/// A state with its history. `duration` is in seconds: from the first state to the last, to now where there is one only.
fn state(history: &[(Instant, State)], current: State, simulation: &Simulation) -> Json {
    let mut fields = Map::new();
    fields.insert("current".into(), current.name().into());
    let told = history.iter().map(|(at, state)| json!({ "state": state.name(), "date": date(simulation, *at) }));
    fields.insert("histories".into(), told.collect::<Vec<_>>().into());
    if let (Some((first, _)), Some((last, _))) = (history.first(), history.last()) {
        let end = if history.len() == 1 { simulation.now() } else { *last };
        fields.insert("duration".into(), end.since(*first).as_seconds_f64().into());
        fields.insert("startDate".into(), date(simulation, *first));
        if current.is_over() {
            fields.insert("endDate".into(), date(simulation, *last));
        }
    }
    Json::Object(fields)
}

/// The attempts of a task run that a worker has begun, each with the states that it came into.
fn attempts(run: &TaskRunSeen, task: Option<&Task>, simulation: &Simulation) -> Vec<Json> {
    let mut attempts = Vec::new();
    for states in run.history.chunk_by(|one, next| one.attempt == next.attempt) {
        let begun = states.iter().position(|it| it.state == State::Running);
        let Some(states) = begun.and_then(|begun| states.get(begun..)) else { continue };
        let created = states.first().map(|it| (it.at, State::Created));
        // What comes behind its end is the task run's.
        let end = states.iter().position(|it| it.state.is_over()).map_or(states.len(), |end| end + 1);
        let own = states.iter().take(end).map(|it: &RunState| (it.at, it.state));
        let states: Vec<(Instant, State)> = created.into_iter().chain(own).collect();
        let current = states.last().map_or(State::Running, |it| it.1);
        let mut fields = Map::new();
        let metrics = if current == State::Success { published(task) } else { Vec::new() };
        if !metrics.is_empty() {
            fields.insert("metrics".into(), metrics.into());
        }
        fields.insert("state".into(), state(&states, current, simulation));
        attempts.push(Json::Object(fields));
    }
    attempts
}

/// The metrics that a task publishes whose values are written in the flow: those of `Publish`. What other tasks measure nobody
/// can know who does not run them.
fn published(task: Option<&Task>) -> Vec<Json> {
    let Some(task) = task.filter(|task| task.kind == "io.kestra.plugin.core.metric.Publish") else { return Vec::new() };
    let listed = task.properties.get("metrics").and_then(Json::as_array);
    let metric = |it: &Json| {
        let kind = it.get("type")?.as_str()?.to_lowercase();
        let kind = kind.rsplit('.').next()?.to_owned();
        let value = it.get("value")?.as_f64()?;
        let mut fields = Map::new();
        fields.insert("name".into(), it.get("name")?.clone());
        if let tags @ Json::Object(_) = without_empty(it.get("tags").cloned().unwrap_or_default()) {
            fields.insert("tags".into(), tags);
        }
        fields.insert("value".into(), value.into());
        fields.insert("type".into(), kind.into());
        Some(Json::Object(fields))
    };
    listed.into_iter().flatten().filter_map(metric).collect()
}

/// What started it.
fn trigger(it: &ExecutionSeen, simulation: &Simulation) -> Option<Json> {
    let flow = simulation.plan().flows.get(it.flow)?;
    let trigger = flow.triggers.get(it.trigger?)?;
    let mut fields = Map::new();
    fields.insert("id".into(), trigger.id.clone().into());
    fields.insert("type".into(), trigger.kind.clone().into());
    if let Some(variables @ Json::Object(_)) = it.variables.clone().map(|it| without_empty(Json::Object(it))) {
        fields.insert("variables".into(), variables);
    }
    Some(Json::Object(fields))
}

/// A value as Kestra's mapper writes it: without what is null or empty; null when nothing is left.
fn without_empty(value: Json) -> Json {
    match value {
        Json::String(text) if text.is_empty() => Json::Null,
        Json::Array(values) if values.is_empty() => Json::Null,
        Json::Object(fields) => {
            let kept =
                fields.into_iter().map(|(key, value)| (key, without_empty(value))).filter(|(_, it)| !it.is_null());
            let kept: Map<String, Json> = kept.collect();
            if kept.is_empty() { Json::Null } else { Json::Object(kept) }
        }
        value => value,
    }
}
