//! The task that the `spec` of a TemplatedTask comes to: the worker reads it when the task runs (source of 0.20, 1.3 and 2.0).

use std::sync::Arc;

use serde_json::Value as Json;

use super::Task;
use super::typed::yaml;
use super::unsimulated::{NOT_RUNNABLE, core};

/// The task that a rendered `spec` describes: its type and its properties, and nothing of what an executor would make of it.
///
/// # Errors
/// Why it is none that a worker runs: in Kestra's words where it is of a type that none may be.
pub fn templated(spec: &str) -> Result<Task, String> {
    let task = yaml(spec).map_err(|why| format!("its `spec` is {}", why.text()))?;
    let Json::Object(properties) = task else { return Err(format!("its `spec` is no task: `{task}`")) };
    let Some(kind) = properties.get("type").and_then(Json::as_str) else {
        return Err("its `spec` has no `type`: write for example `type: io.kestra.plugin.core.log.Log`".to_owned());
    };
    match core(kind) {
        Some("TemplatedTask") => {
            let words = "The templated task cannot be of type 'io.kestra.plugin.core.templating.TemplatedTask'";
            Err(words.to_owned())
        }
        Some(name) if NOT_RUNNABLE.contains(&name) => Err("The templated task must be a runnable task".to_owned()),
        _ => Ok(Task { kind: kind.to_owned(), properties: Arc::new(properties), ..Task::default() }),
    }
}

/// Whether a task runs as what its `spec` comes to.
pub fn is_templated(task: &Task) -> bool {
    core(&task.kind) == Some("TemplatedTask") && task.properties.get("spec").is_some_and(Json::is_string)
}
