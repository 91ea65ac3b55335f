//! Functions on the execution: its errors, its tasks.

use indexmap::IndexMap;

use super::super::error::{Fault, Found};
use super::super::invoke::{Call, Row, row};
use super::super::value::{LINKED, Value};
use super::super::{ErrorLog, Side};

/// The functions of this file.
pub const ROWS: &[Row] = &[
    row("errorLogs", &[], error_logs),
    row("tasksWithState", &["state"], tasks_with_state),
    row("currentEachOutput", &["outputs"], current_each_output),
];

/// So many entries are told.
const LOGS_MAX: usize = 25;

/// A part of a variable that is a map, as text.
fn part(call: &mut Call<'_, '_>, variable: &str, name: &str) -> Found<Option<Value>> {
    let found = call.run.variable(variable)?;
    Ok(match found {
        Some(Value::Map(map)) => map.entries.get(name).cloned(),
        _ => None,
    })
}

fn error_logs(mut call: Call<'_, '_>) -> Found<Value> {
    if call.run.host.side == Side::Executor || !call.run.dialect.error_logs {
        let message = "The 'errorLogs' function can only be used in the Worker as it access logs from the database.";
        return Err(call.fault(message));
    }
    let mut of_all = IndexMap::new();
    for (name, variable, part_name) in [
        ("tenantId", "flow", "tenantId"),
        ("namespace", "flow", "namespace"),
        ("flowId", "flow", "id"),
        ("executionId", "execution", "id"),
    ] {
        if let Some(value) = part(&mut call, variable, part_name)? {
            of_all.insert(name, value);
        }
    }
    let deleted = call.run.dialect.logs_deleted;
    let logs = call.run.host.error_logs.iter().take(LOGS_MAX);
    let logs: Result<Vec<Value>, _> = logs.map(|log| entry(log, &of_all, deleted)).collect();
    Value::list(logs?)
}

/// An entry with its names in Kestra's order.
fn entry(log: &ErrorLog, of_all: &IndexMap<&str, Value>, deleted: bool) -> Found<Value> {
    let mut map = IndexMap::new();
    let mut put = |name: &str, value: Value| _ = map.insert(name.to_owned(), value);
    for name in ["tenantId", "namespace", "flowId"] {
        if let Some(value) = of_all.get(name) {
            put(name, value.clone());
        }
    }
    put("taskId", Value::text(log.task_id.as_str())?);
    if let Some(id) = of_all.get("executionId") {
        put("executionId", id.clone());
    }
    put("taskRunId", Value::text(log.task_run_id.as_str())?);
    put("attemptNumber", Value::Int(i32::try_from(log.attempt).unwrap_or(i32::MAX)));
    put("timestamp", Value::text(Value::Instant(log.at).java_text())?);
    put("level", Value::word("ERROR"));
    put("thread", Value::text(log.thread.as_str())?);
    put("message", Value::text(log.message.as_str())?);
    if deleted {
        put("deleted", Value::Bool(false));
    }
    Value::map(LINKED, map)
}

fn tasks_with_state(call: Call<'_, '_>) -> Found<Value> {
    let Some(state) = call.text("state")?.map(str::to_owned) else {
        return Err(Fault::unsupported("`tasksWithState` without a state is not simulated"));
    };
    let Some(Value::Map(tasks)) = call.run.variable("tasks")? else { return Value::list(Vec::new()) };
    let mut found = Vec::new();
    // A constant of the executor is no text: it equals none.
    let matches = |value: &Value| matches!(value, Value::Text(text) if **text == *state);
    for (id, task) in &tasks.entries {
        let Value::Map(task) = task else { continue };
        for (name, value) in &task.entries {
            let (state, run) = match value {
                Value::Map(run) => (run.entries.get("state"), Some(name)),
                state if name == "state" => (Some(state), None),
                _ => continue,
            };
            let Some(state) = state.filter(|state| matches(state)) else { continue };
            let mut map = IndexMap::new();
            map.insert("taskId".to_owned(), Value::text(id.as_str())?);
            map.insert("state".to_owned(), state.clone());
            if let Some(run) = run {
                map.insert("value".to_owned(), Value::text(run.as_str())?);
            }
            found.push(Value::map(LINKED, map)?);
        }
    }
    Value::list(found)
}

/// The output of a task in the same iteration: by the values of the runs around this one, from the outside.
fn current_each_output(mut call: Call<'_, '_>) -> Found<Value> {
    let Some(mut output) = call.argument("outputs").cloned() else {
        return Err(call.fault("The 'currentEachOutput' function expects an argument 'outputs'."));
    };
    let mut values = Vec::new();
    if let Some(Value::List(parents)) = call.run.variable("parents")? {
        for parent in parents.items.iter().rev() {
            let Value::Map(parent) = parent else { continue };
            let Some(Value::Map(run)) = parent.entries.get("taskrun") else { continue };
            values.extend(run.entries.get("value").map(Value::java_text));
        }
    }
    values.extend(part(&mut call, "taskrun", "value")?.map(|value| value.java_text()));
    for value in values {
        let Value::Map(map) = &output else { return Ok(Value::Null) };
        output = map.entries.get(&value).cloned().unwrap_or(Value::Null);
    }
    Ok(output)
}
