//! The execution that a Flow trigger starts: its labels, its inputs, the variables of its trigger.

use serde_json::{Map, Value as Json};

use super::context::{Templates, instant};
use super::upstream::{CORRELATION, Upstream};
use super::{Failure, Listener, Own};
use crate::flow::State;
use crate::flow::trigger::Dialect;

/// An execution that a Flow trigger starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// The place of its flow.
    pub flow: usize,
    /// The place of the trigger in the flow.
    pub trigger: usize,
    /// Its labels: those of the flow and the trigger, and the correlation of the execution that woke it.
    pub labels: Vec<(String, String)>,
    /// It has its own id for `system.correlationId` (2.0, when the execution that woke it had none).
    pub own_correlation: bool,
    /// Its inputs; what has a default is not filled in here.
    pub inputs: Map<String, Json>,
    /// The variables of its trigger.
    pub variables: Map<String, Json>,
    /// Why its inputs could not be rendered: it is FAILED from the start, without inputs or task runs (2.0).
    pub failed: Option<String>,
}

/// Makes the execution.
///
/// # Errors
/// The inputs cannot be rendered, and none starts (up to 1.3).
pub(super) fn start(
    listener: &Listener,
    upstream: &Upstream<'_>,
    templates: &Templates<'_>,
    kept: &[Map<String, Json>],
    dialect: Dialect,
) -> Result<Fired, Failure> {
    let outputs = outputs(upstream, kept);
    let rendered = match &listener.rule.inputs {
        Some(inputs) => rendered(inputs, templates, outputs.as_ref()),
        None => Ok(Map::new()),
    };
    let (inputs, failed) = match rendered {
        Ok(inputs) => (inputs, None),
        Err(failure) if dialect.failed_inputs => (Map::new(), Some(failure.to_string())),
        Err(failure) => return Err(failure),
    };
    let labels = labels(listener, upstream, templates, dialect);
    Ok(Fired {
        flow: listener.flow,
        trigger: listener.trigger,
        own_correlation: dialect.own_correlation && labels.iter().all(|(key, _)| key != CORRELATION),
        labels,
        inputs,
        variables: variables(upstream, outputs, dialect),
        failed,
    })
}

/// The outputs of the execution and those that its windows kept, which win.
fn outputs(upstream: &Upstream<'_>, kept: &[Map<String, Json>]) -> Option<Map<String, Json>> {
    let mut outputs = upstream.outputs.cloned();
    for more in kept {
        merge(outputs.get_or_insert_default(), more);
    }
    outputs
}

/// Puts one tree over another. Trees of outputs are as deep as a file may be, at most.
pub(super) fn merge(into: &mut Map<String, Json>, more: &Map<String, Json>) {
    for (key, value) in more {
        match (into.get_mut(key), value) {
            (Some(Json::Object(into)), Json::Object(more)) => merge(into, more),
            _ => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

fn rendered(
    inputs: &Map<String, Json>,
    templates: &Templates<'_>,
    outputs: Option<&Map<String, Json>>,
) -> Result<Map<String, Json>, Failure> {
    let text = |text: &str| match outputs.filter(|outputs| !outputs.is_empty()) {
        Some(outputs) => templates.text_with_outputs(text, outputs),
        None => templates.text(text),
    };
    tree(inputs, &text)
}

pub(super) type Render<'a> = dyn Fn(&str) -> Result<String, Failure> + 'a;

/// Renders every text of a tree, keys too.
pub(super) fn tree(map: &Map<String, Json>, text: &Render<'_>) -> Result<Map<String, Json>, Failure> {
    map.iter().map(|(key, value)| Ok((text(key)?, node(value, text)?))).collect()
}

fn node(value: &Json, text: &Render<'_>) -> Result<Json, Failure> {
    match value {
        Json::String(template) => text(template).map(Json::String),
        Json::Array(items) => items.iter().map(|item| node(item, text)).collect(),
        Json::Object(map) => tree(map, text).map(Json::Object),
        other => Ok(other.clone()),
    }
}

impl Own {
    /// The labels of the flow, and those that a trigger gives.
    pub(super) fn labels_with(
        &self,
        given: &[(String, String)],
        templates: &Templates<'_>,
        dialect: Dialect,
    ) -> Vec<(String, String)> {
        let own = self.labels.iter().filter(|(key, _)| !key.starts_with("system.")).cloned();
        // A label that fails to render is left out, with a WARN.
        let given = given.iter().filter_map(|(key, value)| Some((key.clone(), templates.text(value).ok()?)));
        let mut labels: Vec<(String, String)> = Vec::new();
        for (key, value) in own.chain(given) {
            match labels.iter_mut().find(|(has, _)| dialect.labels_unique && *has == key) {
                Some((_, has)) => *has = value,
                None => labels.push((key, value)),
            }
        }
        if dialect.labels_unique {
            labels.retain(|(_, value)| !value.is_empty());
        }
        labels
    }
}

fn labels(
    listener: &Listener,
    upstream: &Upstream<'_>,
    templates: &Templates<'_>,
    dialect: Dialect,
) -> Vec<(String, String)> {
    let mut labels = listener.own.labels_with(&listener.rule.labels, templates, dialect);
    let correlation = upstream.labels.iter().find(|(key, _)| key == CORRELATION);
    labels.extend(correlation.filter(|_| dialect.correlated).cloned());
    labels
}

fn variables(upstream: &Upstream<'_>, outputs: Option<Map<String, Json>>, dialect: Dialect) -> Map<String, Json> {
    let mut variables = Map::new();
    let mut put = |key: &str, value: Json| drop(variables.insert(key.to_owned(), value));
    put("executionId", upstream.id.into());
    if dialect.execution_labels {
        put("executionLabels", upstream.label_tree(|key| key != CORRELATION).into());
    }
    put("state", upstream.state.name().into());
    if dialect.dates {
        put("startDate", instant(upstream.start).into());
        if let Some(end) = upstream.end {
            put("endDate", instant(end).into());
        }
    }
    put("namespace", upstream.namespace.into());
    put("flowId", upstream.flow.into());
    put("flowRevision", upstream.revision.into());
    if dialect.dates {
        let runs = upstream.task_runs.unwrap_or_default();
        if let Some(failed) = runs.iter().find(|run| run.state == State::Failed) {
            put("firstFailedTaskId", failed.task.into());
        }
        if let Some(last) = runs.last() {
            put("lastTaskId", last.task.into());
        }
    }
    // 2.0 leaves out empty ones.
    if let Some(outputs) = outputs.filter(|outputs| dialect.correlated && !(dialect.dates && outputs.is_empty())) {
        put("outputs", outputs.into());
    }
    variables
}
