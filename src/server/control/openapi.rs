//! The control port as an OpenAPI 3.1 document, made from the table that its router is made from.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::operations::{Content, Form, OPERATIONS, Operation, Takes, Told, Verb};
use super::problem;
use crate::document::{Field, Kind};
use crate::scenario;

/// The document as it is served and printed.
static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", made()));

/// The document that describes the control port, as text.
pub fn openapi() -> &'static str {
    &TEXT
}

/// `GET /api/openapi.json`.
pub(super) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi())
}

fn made() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path.replace("{*", "{")).or_insert_with(|| json!({}));
        for (method, name) in methods(operation) {
            path[method] = described(operation, &name);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mock-kestra control port",
            "summary": "Time, faults, executions and members of a simulated Kestra.",
            "description": "Errors are problem documents (RFC 9457) that say what to send instead, and change nothing. \
                            Times and durations are written as in scenario files: 90s, 5m, 1h30m.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": { "Problem": problem::PROBLEM.schema(), "Fault": scenario::fault_schema() } },
    })
}

/// The methods of an operation, each with its name in clients. Of what is passed on those that Kestra's port knows.
fn methods(operation: &Operation) -> Vec<(&'static str, String)> {
    let name = operation.name.to_owned();
    match operation.verb {
        Verb::Get => vec![("get", name)],
        Verb::Post => vec![("post", name)],
        Verb::Delete => vec![("delete", name)],
        Verb::Any => vec![("get", format!("{name}Get")), ("post", format!("{name}Post"))],
    }
}

fn described(operation: &Operation, name: &str) -> Value {
    let of_path = operation.variables.iter().map(|field| parameter(field, "path"));
    let of_query = operation.query.iter().map(|field| parameter(field, "query"));
    let mut answers = Map::new();
    for told in operation.answers() {
        let status = if told.status == 0 { "default".to_owned() } else { told.status.to_string() };
        // What an operation says itself of a status goes before what all say of it.
        answers.entry(status).or_insert_with(|| answer(told, operation.verb));
    }
    let mut described = json!({
        "operationId": name,
        "summary": operation.summary,
        "parameters": of_path.chain(of_query).collect::<Vec<_>>(),
        "responses": answers,
    });
    if let Some(body) = body(operation.takes) {
        described["requestBody"] = body;
    }
    described
}

fn parameter(field: &Field, place: &str) -> Value {
    let example = match field.kind {
        Kind::Whole => serde_json::from_str(field.example).unwrap_or_default(),
        _ => json!(field.example),
    };
    json!({
        "name": field.key,
        "in": place,
        "required": field.required,
        "description": field.doc,
        "schema": field.kind.schema(),
        "example": example,
    })
}

fn body(takes: Takes) -> Option<Value> {
    match takes {
        Takes::Nothing => None,
        Takes::Anything => Some(json!({ "required": false, "content": { "*/*": {} } })),
        Takes::Fault => {
            let schema = json!({ "$ref": "#/components/schemas/Fault" });
            let example = json!({ "kill": "worker-1", "for": "2m" });
            let kind = json!({ "schema": schema, "example": example });
            Some(json!({ "required": true, "content": { "application/json": kind, "application/yaml": kind } }))
        }
        Takes::Json(Form { fields, example, optional }) => {
            let mut kind = json!({ "schema": Kind::Object(fields).schema() });
            // Where there is nothing to say there is no example.
            if let Ok(example) = serde_json::from_str::<Value>(example) {
                kind["example"] = example;
            }
            Some(json!({ "required": !optional, "content": { "application/json": kind } }))
        }
    }
}

fn answer(told: Told, verb: Verb) -> Value {
    let mut content = Map::new();
    match told.content {
        Content::Anything => {}
        Content::Json(kind) => _ = content.insert("application/json".to_owned(), json!({ "schema": kind.schema() })),
        Content::Text(kinds) => {
            let kinds = kinds.iter().map(|kind| (*kind).to_owned());
            content.extend(kinds.map(|kind| (kind, json!({ "schema": { "type": "string" } }))));
        }
        Content::Yaml(kind) => _ = content.insert(kind.to_owned(), json!({ "schema": { "type": "object" } })),
        Content::Problem => {
            let schema = json!({ "$ref": "#/components/schemas/Problem" });
            content.insert(problem::CONTENT_TYPE.to_owned(), json!({ "schema": schema }));
        }
    }
    // A member may say of itself whatever it likes, with any status.
    if verb == Verb::Any {
        content.insert("*/*".to_owned(), json!({}));
    }
    json!({ "description": told.doc, "content": content })
}
