//! What the control port answers against the document that it gives of itself: each answer that a test is given is held
//! against it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use serde_json::{Value, json};

use super::server::Answer;

/// The document.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(mock_kestra::server::openapi()).expect("JSON"));

/// What may stand at a place of an answer, by its pointer in the document.
static VALIDATORS: Mutex<BTreeMap<String, jsonschema::Validator>> = Mutex::new(BTreeMap::new());

/// The path of the document that a path belongs to.
fn template(path: &str) -> Option<&'static str> {
    let paths = DOCUMENT["paths"].as_object().expect("paths").keys();
    let fits = |known: &&String| {
        let mut given = path.split('/');
        for part in known.split('/') {
            let Some(word) = given.next() else { return false };
            // A member's own path has parts of its own.
            if part == "{path}" {
                return !word.is_empty();
            }
            let variable = part.starts_with('{');
            if (variable && word.is_empty()) || (!variable && part != word) {
                return false;
            }
        }
        given.next().is_none()
    };
    // What has no variables goes before what has.
    paths.filter(fits).min_by_key(|known| known.matches('{').count()).map(String::as_str)
}

/// Holds an answer of the control port against the document.
pub fn check(method: &str, path: &str, answer: &Answer) {
    if matches!(method, "HEAD" | "OPTIONS") {
        return;
    }
    let plain = path.split('?').next().unwrap_or_default();
    let kind = answer.head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    let kind = kind.unwrap_or_default();
    let method = method.to_lowercase();
    let problem = || json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    let known = template(plain).map(|known| &DOCUMENT["paths"][known][&method]).filter(|known| known.is_object());
    let (place, content) = match known {
        None => {
            assert!([403, 404, 405].contains(&answer.status), "{method} {path}: {} is not there", answer.status);
            ("of nothing".to_owned(), problem())
        }
        Some(known) => {
            let answers = &known["responses"];
            let told = answers.get(answer.status.to_string()).or_else(|| answers.get("default"));
            let told = told.unwrap_or_else(|| panic!("{method} {path}: {} is not documented", answer.status));
            // What a member says itself is not ours.
            if answers.get("default").is_some() && kind != "application/problem+json" {
                return;
            }
            (format!("{} {}", known["operationId"], answer.status), told["content"].clone())
        }
    };
    let told =
        content.get(&kind).unwrap_or_else(|| panic!("{method} {path}: {} is {kind}, not {content}", answer.status));
    if !kind.ends_with("json") {
        return;
    }
    let value: Value =
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", answer.body));
    let mut validators = VALIDATORS.lock().expect("not poisoned");
    let validator = validators.entry(format!("{place} {kind}")).or_insert_with(|| validator(&told["schema"]));
    let wrong: Vec<String> = validator.iter_errors(&value).map(|it| format!("{}: {it}", it.instance_path())).collect();
    assert!(wrong.is_empty(), "{method} {path}: {value:#} is not as documented:\n{}", wrong.join("\n"));
}

/// A schema of the document, that may refer to its components.
pub fn validator(schema: &Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    schema["components"] = DOCUMENT["components"].clone();
    jsonschema::validator_for(&schema).expect("a sound schema")
}
