//! A log entry as a document.

use serde_json::{Map, Value as Json};

use crate::simulator::{EntrySeen, Simulation};

/// Its fields in the order recorded of 0.20.7: what it has nothing of is left out, but for the number of the attempt, which is
/// null then.
pub(super) fn document(it: &EntrySeen, simulation: &Simulation) -> Json {
    let mut fields = Map::new();
    if let Some(flow) = simulation.plan().flows.get(it.flow) {
        fields.insert("namespace".into(), flow.namespace.clone().into());
        fields.insert("flowId".into(), flow.id.clone().into());
    }
    let texts = [("taskId", &it.task), ("executionId", &it.execution), ("taskRunId", &it.task_run)];
    for (key, value) in texts {
        fields.extend(value.iter().map(|value| (key.to_owned(), value.clone().into())));
    }
    fields.insert("attemptNumber".into(), it.attempt.into());
    fields.extend(it.trigger.iter().map(|trigger| ("triggerId".to_owned(), trigger.clone().into())));
    let date = simulation.calendar().date(it.at).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    fields.insert("timestamp".into(), date.into());
    fields.insert("level".into(), it.level.name().into());
    fields.insert("thread".into(), it.thread.clone().into());
    fields.insert("message".into(), it.message.clone().into());
    fields.insert("deleted".into(), false.into());
    Json::Object(fields)
}
