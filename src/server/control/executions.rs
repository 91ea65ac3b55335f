//! Executions that somebody asks for.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::{Answered, App, Refusal, field, keys};
use crate::document;
use crate::flow::Flow;
use crate::simulator::{Command, Origin};

const EXAMPLE: &str = r#"{"flow": "company.team.ingest", "inputs": {"day": "monday"}, "labels": {"team": "data"}}"#;

/// The flow of a name: namespace and id, or the id when there is only one.
fn flow_named(name: &str, flows: &[Flow]) -> Answered<usize> {
    let named = |flow: &Flow| flow.id == name || flow.name() == name;
    let found: Vec<usize> = flows.iter().enumerate().filter(|(_, flow)| named(flow)).map(|(at, _)| at).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let names: Vec<String> = flows.iter().map(Flow::name).collect();
            let advice = document::instead(name, names.iter().map(String::as_str));
            Err(Refusal::new(StatusCode::NOT_FOUND, format!("no flow is called `{name}`"), advice))
        }
        several => {
            let names: Vec<String> = several.iter().filter_map(|at| flows.get(*at)).map(Flow::name).collect();
            Err(Refusal::bad(
                format!("several flows have the id `{name}`"),
                format!("send one of {}", names.join(", ")),
            ))
        }
    }
}

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
        let flow = flow_named(name, &session.plan().flows)?;
        let id = session.simulation().next_execution(flow);
        session.command(Command::Execute { flow, origin })?;
        let name = session.plan().flows.get(flow).map(Flow::name);
        Ok::<_, Refusal>(json!({ "id": id, "flow": name, "at": session.now().to_string() }))
    })??;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}
