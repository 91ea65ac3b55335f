//! The control port and the document that it gives of itself. That answers are as the document says is tried by every test
//! that asks a mock: `tests/common/contract.rs`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::contract::{DOCUMENT, check, validator};
use common::server::{Local, ask, raw, run};
use serde_json::Value;

/// Path, method and operation.
fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths").iter();
    let of = |(path, methods): (&'static String, &'static Value)| {
        let methods = methods.as_object().expect("methods").iter();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    };
    paths.flat_map(of).collect()
}

/// Every schema below a value.
fn schemas<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("schema"));
            object.values().for_each(|value| schemas(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| schemas(item, found)),
        _ => {}
    }
}

#[test]
fn the_command_and_the_port_give_the_same_document() {
    let mock = Local::paused("idle");
    let served = ask(&mock.control(), "GET", "/api/openapi.json", "");
    assert!(served.head.contains("content-type: application/json\r\n"), "{}", served.head);
    let (code, printed, _) = run(&["openapi"]);
    assert_eq!((code, printed.as_str()), (Some(0), served.body.as_str()));
    assert_eq!(
        (&DOCUMENT["openapi"], &DOCUMENT["info"]["version"]),
        (&"3.1.0".into(), &env!("CARGO_PKG_VERSION").into())
    );
}

#[test]
fn each_of_its_schemas_is_sound_and_each_example_of_a_body_fits_its_own() {
    let mut all = Vec::new();
    schemas(&DOCUMENT["paths"], &mut all);
    assert!(all.len() > 100, "{}", all.len());
    all.iter().for_each(|schema| _ = validator(schema));
    let mut examples = 0;
    for (path, method, operation) in operations() {
        assert!(operation["responses"].as_object().is_some_and(|it| it.len() > 2), "{method} {path}");
        let Some(kinds) = operation["requestBody"]["content"].as_object() else { continue };
        for kind in kinds.values().filter(|kind| !kind["example"].is_null()) {
            let fits = validator(&kind["schema"]);
            assert!(fits.is_valid(&kind["example"]), "{method} {path}: {}", kind["example"]);
            let nonsense = serde_json::json!({ "nonsense": true });
            assert!(!fits.is_valid(&nonsense) && !fits.is_valid(&Value::Null), "{method} {path} takes anything");
            examples += 1;
        }
    }
    assert!(examples >= 10, "{examples}");
}

#[test]
fn what_is_documented_is_there_and_all_else_is_refused_by_a_problem() {
    let mock = Local::paused("worker-killed");
    let mut of_path: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    operations().into_iter().for_each(|(path, method, _)| _ = of_path.entry(path).or_default().insert(method));
    for (path, documented) in
        of_path.iter().filter(|(path, _)| !path.starts_with("/members/") || path.ends_with("/log"))
    {
        let asked = path.replace("{name}", "worker-1").replace("{id}", "none");
        for method in ["get", "post", "put", "patch", "delete", "trace"] {
            // A stream has no end.
            let asked = if *path == "/api/events" { format!("{asked}?from=x") } else { asked.clone() };
            let answer = ask(&mock.control(), &method.to_uppercase(), &asked, "");
            check(method, &asked, &answer);
            let there = answer.status != 405 && !answer.body.contains("there is nothing at");
            assert_eq!(there, documented.contains(method), "{method} {asked}: {} {}", answer.status, answer.body);
            if answer.status == 405 {
                let allow = answer.head.lines().find_map(|line| line.strip_prefix("allow: ")).expect("what is allowed");
                let allowed: BTreeSet<String> =
                    allow.split(',').map(str::to_lowercase).filter(|it| it != "head").collect();
                assert_eq!(allowed, documented.iter().map(|it| (*it).to_owned()).collect(), "{asked}");
            }
        }
    }
}

#[test]
fn what_the_framework_refuses_is_a_problem_too() {
    let mock = Local::paused("worker-killed");
    let large = format!(r#"{{"kill": "{}"}}"#, "x".repeat(1 << 20));
    for (method, path, body, status, part) in [
        ("GET", "/nowhere", "", 404, "there is nothing at /nowhere"),
        ("PUT", "/api/state", "", 405, "does not understand PUT"),
        ("POST", "/api/faults", &large, 413, "larger than 1 MiB"),
        ("POST", "/api/pause", &large, 413, "larger than 1 MiB"),
        ("DELETE", "/api/faults/%ff", "", 400, "UTF-8"),
        ("GET", "/members/%ff/log", "", 400, "UTF-8"),
        ("POST", "/api/executions/%C0%AE/kill", "", 400, "UTF-8"),
    ] {
        let (found, problem) = mock.ask(method, path, body);
        assert_eq!(found, status, "{method} {path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|it| it.contains(part)), "{method} {path}: {problem}");
        assert!(problem["advice"].as_str().is_some_and(|it| !it.is_empty()), "{method} {path}: {problem}");
    }
    let foreign = raw(&mock.control(), "GET /api/state HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(foreign.starts_with("HTTP/1.1 403") && foreign.contains("application/problem+json"), "{foreign}");
}

#[test]
fn what_is_wrong_with_a_body_is_told_by_its_place() {
    let mock = Local::paused("worker-killed");
    let errors = |path: &str, body: &str| mock.ask("POST", path, body).1["errors"].clone();
    let told = errors("/api/faults", "kill: worker-9\nfor: soon\n");
    let place = |error: &Value| (error["line"].as_u64(), error["column"].as_u64());
    assert_eq!(told.as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!((place(&told[0]), place(&told[1])), ((Some(1), Some(7)), (Some(2), Some(6))), "{told}");
    assert!(told[0]["detail"].as_str().is_some_and(|it| it.contains("worker-9")), "{told}");
    let told = errors("/api/speed", "{\n  \"speed\": 1,,\n}");
    assert_eq!(place(&told[0]), (Some(2), Some(14)), "{told}");
}
