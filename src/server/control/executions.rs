//! Executions that somebody asks for.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body::{field, keys};
use super::{Answered, App, Refusal};
use crate::flow::Flow;
use crate::simulator::{Command, Origin};

const EXAMPLE: &str = r#"{"flow": "company.team.ingest", "inputs": {"day": "monday"}, "labels": {"team": "data"}}"#;

fn object(body: &Map<String, Value>, name: &str) -> Answered<Map<String, Value>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object.clone()),
        Some(other) => Err(Refusal::bad(format!("`{name}` is {other}"), format!("send the JSON {EXAMPLE}"))),
    }
}

fn labels(body: &Map<String, Value>) -> Answered<Vec<(String, String)>> {
    let label = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, text)),
        Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
        other => Err(Refusal::bad(format!("the label `{key}` is {other}"), "send a text")),
    };
    object(body, "labels")?.into_iter().map(label).collect()
}

/// An execution of a flow, as somebody asks for one over Kestra's API.
pub(super) async fn create(State(shared): App, body: Bytes) -> Answered<Response> {
    let body = keys(&body, &["flow", "inputs", "labels"], EXAMPLE)?;
    let name = field(&body, "flow", EXAMPLE)?;
    let name = name.as_str().ok_or_else(|| Refusal::bad(format!("`flow` is {name}"), format!("send {EXAMPLE}")))?;
    let origin = Arc::new(Origin { labels: labels(&body)?, inputs: object(&body, "inputs")?, ..Origin::default() });
    let created = shared.change(|world| {
        let session = &mut world.session;
        let unknown = |(what, advice)| Refusal::new(StatusCode::NOT_FOUND, what, advice);
        let flow = session.plan().flow_named(name).map_err(unknown)?;
        let id = session.simulation().next_execution(flow);
        session.command(Command::Execute { flow, origin })?;
        let name = session.plan().flows.get(flow).map(Flow::name);
        Ok::<_, Refusal>(json!({ "id": id, "flow": name, "at": session.now().to_string() }))
    })??;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}
