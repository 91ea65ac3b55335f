//! Variables as a side of Kestra sees them: a worker got them as JSON, the executor holds the objects.

use indexmap::IndexMap;

use super::error::Found;
use super::value::{LINKED, Map, Value};
use super::{Dialect, Side};

/// The class of states.
const STATE: &str = "io.kestra.core.models.flows.State$Type";

/// A variable of the context by its name.
pub fn variable(name: &str, json: &serde_json::Value, dialect: &Dialect, side: Side) -> Found<Value> {
    let value = Value::read(json, 0, side == Side::Worker)?;
    let class = dialect.class_of(name, side);
    match (&value, name, side) {
        (Value::Map(map), "execution", _) => changed(map, class, |key, value| of_execution(key, value, dialect, side)),
        (Value::Map(map), "tasks", Side::Executor) if dialect.task_states_typed => changed(map, class, of_task),
        (Value::Map(map), ..) if class.is_some() => {
            let inner = dialect.class_of(&format!("{name}."), side);
            changed(map, class, |_, value| match &value {
                Value::Map(map) if inner.is_some() => Value::map(inner.unwrap_or(LINKED), map.entries.clone()),
                _ => Ok(value),
            })
        }
        _ => Ok(value),
    }
}

/// A map whose values go through `change`.
fn changed(map: &Map, class: Option<&'static str>, change: impl Fn(&str, Value) -> Found<Value>) -> Found<Value> {
    let entries: Result<IndexMap<String, Value>, _> =
        map.entries.iter().map(|(key, value)| change(key, value.clone()).map(|value| (key.clone(), value))).collect();
    Value::map(class.unwrap_or(LINKED), entries?)
}

fn of_execution(key: &str, value: Value, dialect: &Dialect, side: Side) -> Found<Value> {
    let Value::Text(text) = &value else { return Ok(value) };
    match (key, side) {
        ("state", Side::Executor) => Ok(Value::Enum(STATE, text.clone())),
        ("startDate" | "endDate", _) => {
            let Ok(instant) = text.parse::<jiff::Timestamp>() else { return Ok(value) };
            match side {
                Side::Executor => Ok(Value::Instant(instant)),
                Side::Worker if dialect.shipped_in_millis => {
                    let shipped = jiff::Timestamp::from_millisecond(instant.as_millisecond()).unwrap_or(instant);
                    Value::text(Value::Instant(shipped).java_text())
                }
                Side::Worker => Ok(value),
            }
        }
        _ => Ok(value),
    }
}

/// The state of a task, or the states of its runs by value.
fn of_task(_: &str, value: Value) -> Found<Value> {
    let Value::Map(map) = &value else { return Ok(value) };
    changed(map, None, |key, inner| match (key, &inner) {
        ("state", Value::Text(text)) => Ok(Value::Enum(STATE, text.clone())),
        (_, Value::Map(below)) => changed(below, None, |key, innermost| match (key, &innermost) {
            ("state", Value::Text(text)) => Ok(Value::Enum(STATE, text.clone())),
            _ => Ok(innermost),
        }),
        _ => Ok(inner),
    })
}
