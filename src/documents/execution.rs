//! An execution as a document.

use serde_json::{Map, Value as Json, json};

use super::date;
use crate::flow::{Flow, State, Task};
use crate::simulator::{ExecutionSeen, RunState, Simulation, TaskRunSeen};
use crate::time::{Duration, Instant};

/// Its fields, without what is null or empty. What its task runs put out is not in it.
pub(super) fn document(it: &ExecutionSeen, simulation: &Simulation) -> Json {
    let flow = simulation.plan().flows.get(it.flow);
    let (namespace, flow_id) = flow.map_or(("", ""), |flow| (flow.namespace.as_str(), flow.id.as_str()));
    let tasks = flow.map(Flow::all_tasks).unwrap_or_default();
    let run = |run: &TaskRunSeen| {
        let task = tasks.iter().copied().find(|task| task.id == run.task);
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

/// The attempts of a task run that a worker has begun, each with the states that it came into. What a task run is between two
/// attempts is none of theirs: one that another follows has failed.
fn attempts(run: &TaskRunSeen, task: Option<&Task>, simulation: &Simulation) -> Vec<Json> {
    let mut attempts = Vec::new();
    let mut states = run.history.as_slice();
    while let Some(begun) = states.iter().position(|it| it.state == State::Running) {
        let (own, behind) = states.split_at(begun).1.split_at(1);
        let created = own.first().map(|it| (it.at, State::Created));
        let goes_on = behind.iter().position(|it| !matches!(it.state, State::Running | State::Killing));
        let (more, rest) = behind.split_at(goes_on.unwrap_or(behind.len()));
        let end = rest.first().map(|it| match it.state {
            // It is handed out again, and runs once more.
            State::Retrying | State::Retried | State::Created => (it.at, State::Failed),
            state => (it.at, state),
        });
        let between = own.iter().chain(more).map(|it: &RunState| (it.at, it.state));
        let states_of: Vec<(Instant, State)> = created.into_iter().chain(between).chain(end).collect();
        let current = states_of.last().map_or(State::Running, |it| it.1);
        let mut fields = Map::new();
        let metrics = if current == State::Success { published(task) } else { Vec::new() };
        if !metrics.is_empty() {
            fields.insert("metrics".into(), metrics.into());
        }
        fields.insert("state".into(), state(&states_of, current, simulation));
        attempts.push(Json::Object(fields));
        // What follows its end is the task run's, up to the next attempt.
        states = rest.get(1..).unwrap_or_default();
    }
    attempts
}

/// The metrics that a task publishes whose names and values are written in the flow: those of `Publish`. What templates come to
/// is not worked out, and what other tasks measure nobody can know who does not run them.
fn published(task: Option<&Task>) -> Vec<Json> {
    let Some(task) = task.filter(|task| task.kind == "io.kestra.plugin.core.metric.Publish") else { return Vec::new() };
    let listed = task.properties.get("metrics").and_then(Json::as_array);
    listed.into_iter().flatten().filter_map(metric).collect()
}

/// A text without templates; numbers and truth values as Kestra makes texts of them.
fn written(value: &Json) -> Option<String> {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(_) | Json::Bool(_) => value.to_string(),
        _ => return None,
    };
    (!text.contains("{{")).then_some(text)
}

/// One of them; a timer has seconds.
fn metric(it: &Json) -> Option<Json> {
    let kind = written(it.get("type")?)?.to_lowercase();
    let kind = kind.rsplit('.').next()?.to_owned();
    let value = written(it.get("value")?)?;
    let value = match kind.as_str() {
        "timer" => value.parse::<Duration>().ok()?.as_seconds_f64(),
        _ => value.parse::<f64>().ok()?,
    };
    let mut fields = Map::new();
    fields.insert("name".into(), written(it.get("name")?)?.into());
    let tags = it.get("tags").and_then(Json::as_object);
    let tags = tags.into_iter().flatten().map(|(key, value)| Some((key.clone(), written(value)?)));
    let tags: Map<String, Json> = tags
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .filter(|it| !it.1.is_empty())
        .map(|it| (it.0, it.1.into()))
        .collect();
    if !tags.is_empty() {
        fields.insert("tags".into(), tags.into());
    }
    fields.insert("value".into(), value.into());
    fields.insert("type".into(), kind.into());
    Some(Json::Object(fields))
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
