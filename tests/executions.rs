//! Executions that somebody asks for, and what a scenario expects of executions.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::server::{Local, ask, plan, session};
use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::report::Report;
use mock_kestra::run::{Session, run};
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::server::{Clock, Options};
use mock_kestra::time::{Calendar, Duration, Instant};
use serde_json::json;

const SCENARIO: &str = "name: x
duration: 10m
cluster: { standalone: 1 }
flows:
  - { id: good, namespace: company.team, tasks: [ { id: t, type: io.kestra.plugin.core.log.Log } ] }
  - { id: bad, namespace: company.team, tasks: [ { id: t, type: io.kestra.plugin.core.execution.Fail } ] }
  - { id: off, namespace: company.team, disabled: true, tasks: [ { id: t, type: io.kestra.plugin.core.log.Log } ] }
commands:
  - { at: 1m, execute: good, labels: { team: data }, inputs: { day: monday } }
  - { at: 2m, execute: company.team.bad }
  - { at: 3m, execute: bad }
";

fn report(text: &str) -> Report {
    let (plan, told) = read("x.yaml", text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&told)));
    run(&Arc::new(plan), Seed(1), Calendar::default(), None).expect("no limit")
}

#[test]
fn a_scenario_expects_executions_and_is_told_the_nearest_that_was() {
    let cases = [
        ("{ flow: good, state: SUCCESS }", true, "SUCCESS at 1m"),
        ("{ flow: good, count: 1 }", true, "SUCCESS at 1m"),
        ("{ flow: good, state: FAILED }", false, "none; the last is SUCCESS at 1m"),
        ("{ flow: good, state: FAILED, never: true }", true, "none"),
        ("{ flow: bad, state: FAILED, count: 2 }", true, "2 times, first FAILED at 2m"),
        ("{ flow: bad, state: FAILED, count: 1 }", false, "2 times"),
        ("{ flow: bad, never: true }", false, "2 times"),
        ("{ flow: bad, at: 150s, within: 10s }", false, "nearest is FAILED at 3m"),
        ("{ flow: bad, at: 150s, within: 40s, count: 1 }", true, "FAILED at 3m"),
        ("{ flow: bad, state: RUNNING, count: 2 }", true, "2 times"),
        ("{ state: FAILED, count: 2 }", true, "company.team.bad FAILED"),
        ("{ flow: off, never: true }", true, "no execution at all"),
    ];
    let lines: String = cases.iter().map(|(text, ..)| format!("  - {{ execution: {text} }}\n")).collect();
    let report = report(&format!("{SCENARIO}expect:\n{lines}"));
    for ((text, met, seen), verdict) in cases.iter().zip(&report.expectations) {
        assert_eq!(verdict.met, Some(*met), "{text}: {verdict:?}");
        assert!(verdict.seen.contains(seen), "{text}: {verdict:?}");
    }
}

#[test]
fn what_cannot_be_expected_of_executions_is_told() {
    for (text, part) in [
        ("{ execution: { flow: god } }", "did you mean `good`?"),
        ("{ execution: { state: FAILD } }", "did you mean `FAILED`?"),
        ("{ execution: { never: true, count: 2 } }", "`never` and `count`"),
        ("{ execution: {}, within: 5m }", "`within`"),
        ("{ execution: bad }", "must be a mapping"),
    ] {
        let (plan, told) = read("x.yaml", &format!("{SCENARIO}expect:\n  - {text}\n"), &NoFiles);
        assert!(plan.is_none(), "{text}");
        let told = document::render(&told);
        assert!(told.contains(part), "{text}: {told}");
    }
}

#[test]
fn an_execution_can_be_asked_for_and_a_saved_session_asks_again() {
    let mock = Local::serve(session(plan(SCENARIO)), Clock::paused, Options::default());
    mock.post("/api/run-until", r#"{"at": "5m", "now": true}"#);
    let before = mock.ask("GET", "/api/state", "").1["executions"]["created"].as_u64().expect("a number");
    let asked = r#"{"flow": "good", "labels": {"team": "data", "n": 3}, "inputs": {"day": "monday"}}"#;
    let (status, told) = mock.ask("POST", "/api/executions", asked);
    assert_eq!((status, told["flow"].as_str(), told["at"].as_str()), (201, Some("company.team.good"), Some("5m")));
    let id = told["id"].as_str().expect("an id").to_owned();
    assert_eq!(id.len(), 22);
    assert_eq!(told["ignored"], json!(["day"]), "the flow declares none");
    mock.post("/api/advance", r#"{"by": "1m"}"#);
    assert_eq!(mock.ask("GET", "/api/state", "").1["executions"]["created"], json!(before + 1));

    let saved = ask(&mock.control(), "GET", "/api/scenario", "").body;
    let (again, told) = read("saved.yaml", &saved, &NoFiles);
    let again = Arc::new(again.unwrap_or_else(|| panic!("{}\n{saved}", document::render(&told))));
    let mut session = Session::new(again, Seed(1), Calendar::default());
    session.advance(Instant::START + Duration::minutes(6)).expect("no limit");
    assert_eq!(session.simulation().truth().created, before + 1);
}

#[test]
fn who_asks_for_an_execution_that_cannot_be_is_told_why() {
    let mock = Local::serve(session(plan(SCENARIO)), Clock::paused, Options::default());
    for (body, status, part) in [
        (r#"{"flow": "god"}"#, 404, "god"),
        (r#"{"flow": "off"}"#, 409, "disabled"),
        (r#"{"flow": 5}"#, 400, "5"),
        ("{}", 400, "flow"),
        (r#"{"flow": "good", "label": {}}"#, 400, "label"),
        (r#"{"flow": "good", "labels": []}"#, 400, "labels"),
        (r#"{"flow": "good", "labels": {"a": {}}}"#, 400, "`a`"),
        (r#"{"flow": "good", "inputs": "x"}"#, 400, "inputs"),
        (
            r#"{"flow": "good", "labels": {"system.foo": "bar"}}"#,
            400,
            "System labels can only be set by Kestra itself, offending label: system.foo=bar",
        ),
        (r#"{"flow": "good", "labels": {"": "bar"}}"#, 400, "a label with an empty key"),
    ] {
        let (found, told) = mock.ask("POST", "/api/executions", body);
        assert_eq!(found, status, "{body}: {told}");
        assert!(told["detail"].as_str().is_some_and(|it| it.contains(part)), "{body}: {told}");
    }
    mock.post("/api/faults", r#"{"kill": "standalone-1", "for": "2m"}"#);
    mock.post("/api/advance", r#"{"by": "1s"}"#);
    let (status, told) = mock.ask("POST", "/api/executions", r#"{"flow": "good"}"#);
    assert_eq!(status, 503, "{told}");
}

#[test]
fn what_nobody_has_declared_is_told_as_left_out_and_a_task_run_of_no_such_value_by_its_value() {
    let text = "name: x
duration: 10m
cluster: { standalone: 1 }
secrets: { TOK: supersecret, OTHER: hunter22 }
flows:
  - id: f
    namespace: company.team
    inputs: [ { id: day, type: STRING } ]
    tasks:
      - { id: p, type: io.kestra.plugin.core.flow.Pause, onResume: [ { id: ok, type: BOOL } ] }
      - { id: t, type: io.kestra.plugin.core.log.Log, message: hi }
";
    let mock = Local::serve(session(plan(text)), Clock::paused, Options::default());
    let asked = mock.post("/api/executions", r#"{"flow": "f", "inputs": {"day": "monday", "dy": 1}}"#);
    assert_eq!(asked["ignored"], json!(["dy"]));
    let id = asked["id"].as_str().expect("an id").to_owned();
    assert!(mock.post("/api/executions", r#"{"flow": "f", "inputs": {"day": "x"}}"#).get("ignored").is_none());
    mock.post("/api/advance", r#"{"by": "10s"}"#);
    let resumed = mock.post(&format!("/api/executions/{id}/resume"), r#"{"inputs": {"ok": true, "why": "x"}}"#);
    assert_eq!(resumed["ignored"], json!(["why"]), "{resumed}");
    mock.post("/api/advance", r#"{"by": "10s"}"#);
    let replay = r#"{"task": "t", "value": "monday"}"#;
    let (status, told) = mock.ask("POST", &format!("/api/executions/{id}/replay"), replay);
    let words = "the execution has no task run of the task `t` with the value `monday`";
    assert_eq!((status, told["detail"].as_str()), (404, Some(words)), "{told}");
    // Who runs the session again must give its secrets.
    let saved = ask(&mock.control(), "GET", "/api/scenario", "").body;
    let header: Vec<&str> = saved.lines().take_while(|line| line.starts_with('#')).collect();
    assert!(header.concat().contains("SECRET_OTHER, SECRET_TOK") && !saved.contains("supersecret"), "{saved}");
}
