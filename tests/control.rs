//! The control port: clock, faults, journal, discovery, members, any instant; and errors of one shape.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::server::{Local, ask, eventually, plan, raw, session, shipped};
use mock_kestra::server::Options;
use serde_json::Value;

fn refused(mock: &Local, method: &str, path: &str, body: &str, status: u16, part: &str) {
    let before = mock.ask("GET", "/api/state", "");
    let (found, value) = mock.ask(method, path, body);
    assert_eq!(found, status, "{method} {path} {body}: {value}");
    let error = &value["error"];
    assert_eq!(error["status"], status, "{value}");
    assert!(error["message"].as_str().is_some_and(|message| message.contains(part)), "{part} in {value}");
    assert!(error["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "advice in {value}");
    assert_eq!(before, mock.ask("GET", "/api/state", ""), "nothing changed");
}

#[test]
fn the_clock_obeys() {
    let mock = Local::paused("worker-killed");
    let state = mock.ask("GET", "/api/state", "").1;
    assert_eq!((state["time"].as_str(), state["clock"]["paused"].as_bool()), (Some("0s"), Some(true)));
    assert_eq!(mock.post("/api/advance", r#"{"by": "90s"}"#)["time"], "1m30s");
    assert_eq!(mock.post("/api/speed", r#"{"speed": 250}"#)["clock"]["speed"], 250.0);
    assert_eq!(mock.post("/api/run-until", r#"{"at": "11m", "now": true}"#)["time"], "11m");
    assert_eq!(mock.ask("GET", "/api/state", "").1["members"][3]["port"], "refused");
    mock.post("/api/run-until", r#"{"at": "13m"}"#);
    mock.pass(0.4);
    assert_eq!(mock.ask("GET", "/api/state", "").1["time"], "12m40s");
    mock.pass(60.0);
    let state = mock.ask("GET", "/api/state", "").1;
    assert_eq!((state["time"].as_str(), state["clock"]["paused"].as_bool()), (Some("13m"), Some(true)));
    mock.post("/api/resume", "");
    mock.pass(1.0);
    assert_eq!(mock.ask("GET", "/api/state", "").1["seconds"], 1030.0, "it goes on");
    mock.post("/api/pause", "");
    assert_eq!(mock.post("/api/reset", "")["time"], "0s");
    assert_eq!(mock.ask("GET", "/api/journal", "").1["lines"], Value::Array(Vec::new()));
}

#[test]
fn wrong_requests_are_told_what_and_how_and_change_nothing() {
    let mock = Local::paused("worker-killed");
    for (method, path, body, status, part) in [
        ("GET", "/nowhere", "", 404, "/nowhere"),
        ("GET", "/api/pause", "", 405, "GET"),
        ("POST", "/api/speed", "{", 400, "no JSON"),
        ("POST", "/api/speed", "{}", 400, "speed"),
        ("POST", "/api/speed", r#"{"speed": 0}"#, 400, "0"),
        ("POST", "/api/speed", r#"{"speed": "fast"}"#, 400, "fast"),
        ("POST", "/api/advance", r#"{"by": "soon"}"#, 400, "soon"),
        ("POST", "/api/advance", r#"{"by": "9000d"}"#, 400, "far"),
        ("POST", "/api/run-until", r#"{"at": "0s"}"#, 400, "past"),
        ("POST", "/api/run-until", r#"{"at": "never"}"#, 400, "never"),
        ("POST", "/api/faults", "", 400, "empty"),
        ("POST", "/api/faults", r#"{"kill": "worker-9"}"#, 400, "worker-9"),
        ("POST", "/api/faults", r#"{"kil": "worker-1"}"#, 400, "kil"),
        ("POST", "/api/faults", r#"{"at": "5m"}"#, 400, "what happens"),
        ("POST", "/api/faults", r#"{"kill": "worker-1", "for": "x"}"#, 400, "x"),
        ("DELETE", "/api/faults/none", "", 404, "none"),
        ("GET", "/members/worker-9/health", "", 404, "worker-9"),
        ("GET", "/members/worker-1/health?at=later", "", 400, "later"),
        ("POST", "/members/worker-1/stop?at=5m", "", 400, "looked at"),
        ("GET", "/api/state?at=90000d", "", 400, "far"),
    ] {
        refused(&mock, method, path, body, status, part);
    }
}

#[test]
fn a_page_of_another_site_may_not_write() {
    let mock = Local::paused("idle");
    let control = mock.control();
    let post = |origin: &str| {
        raw(
            &control,
            &format!(
                "POST /api/resume HTTP/1.1\r\nHost: {control}\r\nOrigin: {origin}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            ),
        )
    };
    assert!(post("http://evil.example").starts_with("HTTP/1.1 403"));
    assert_eq!(mock.ask("GET", "/api/state", "").1["clock"]["paused"], true);
    assert!(post(&format!("http://{control}")).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_fault_over_http_gives_the_bytes_of_the_same_fault_in_a_file() {
    let mut calm = plan(&shipped("worker-killed"));
    calm.timeline.clear();
    let written = Local::paused("worker-killed");
    let by_hand = Local::serve(session(calm), |clock| clock.paused(), Options::default());
    by_hand.post("/api/advance", r#"{"by": "10m"}"#);
    by_hand.post("/api/faults", r#"{"kill": "worker-1", "for": "2m"}"#);
    for at in ["10m5s", "11m30s", "12m30s", "14m", "20m"] {
        for mock in [&written, &by_hand] {
            mock.post("/api/run-until", &format!(r#"{{"at": "{at}", "now": true}}"#));
        }
        for member in ["webserver-1", "executor-1", "scheduler-1", "worker-1", "worker-2"] {
            for path in ["health", "prometheus", "worker", "metrics/kestra.worker.job.running"] {
                let path = format!("/members/{member}/{path}");
                let look = |mock: &Local| ask(&mock.control(), "GET", &path, "");
                let (a, b) = (look(&written), look(&by_hand));
                assert_eq!((a.status, a.body), (b.status, b.body), "{path} at {at}");
            }
        }
    }
    assert_eq!(written.ask("GET", "/api/journal", ""), by_hand.ask("GET", "/api/journal", ""));
}

#[test]
fn any_instant_can_be_looked_at_and_nothing_changes_by_it() {
    let mock = Local::paused("worker-killed");
    let control = mock.control();
    mock.post("/api/advance", r#"{"by": "3m"}"#);
    let now = ask(&control, "GET", "/members/executor-1/prometheus", "").body;
    let then = |at: &str| ask(&control, "GET", &format!("/members/worker-1/health?at={at}"), "").status;
    assert_eq!((then("9m59s"), then("10m1s"), then("13m")), (200, 502, 200));
    assert_eq!(mock.ask("GET", "/api/state?at=1h", "").1["seconds"], 3600.0);
    assert_eq!(ask(&control, "GET", "/members/executor-1/prometheus", "").body, now);
    assert_eq!(
        ask(&control, "GET", "/members/executor-1/prometheus?at=3m", "").body,
        now,
        "the present is an instant too"
    );
    // What was done in this session is part of its past, and of its future.
    mock.post("/api/faults", r#"{"kill": "executor-1", "for": "1m"}"#);
    let executor = |at: &str| ask(&control, "GET", &format!("/members/executor-1/health?at={at}"), "").status;
    assert_eq!((executor("2m59s"), executor("3m30s"), executor("4m30s")), (200, 502, 200));
}

#[test]
fn discovery_metrics_and_page_are_there() {
    let mock = Local::paused("healthy-cluster");
    let targets = mock.ask("GET", "/sd", "").1;
    assert_eq!(targets.as_array().map(Vec::len), Some(10));
    assert_eq!(targets[5]["labels"]["instance"], "worker-1:8081");
    assert_eq!(targets[5]["labels"]["job"], "kestra");
    ask(&mock.member("worker-1"), "GET", "/health", "");
    let own = ask(&mock.control(), "GET", "/metrics", "").body;
    assert!(own.contains("mock_kestra_answers_total{code=\"200\",member=\"worker-1\"} 1"), "{own}");
    let page = ask(&mock.control(), "GET", "/", "");
    assert!(page.status == 200 && page.body.contains("<title>mock-kestra</title>"));
    // It asks for what is new in the journal, and never for all of it again.
    assert!(page.body.contains("get(\"/api/journal?since=\" + next)"), "{}", page.body);
    assert!(!page.body.contains("\"/api/journal\")"), "{}", page.body);
}

#[test]
fn what_a_client_writes_is_kept_until_the_reset() {
    let mock = Local::paused("idle");
    let member = mock.member("standalone-1");
    let level = || ask(&member, "GET", "/loggers/io.kestra.core", "").body;
    let before = level();
    let post = "POST /loggers/io.kestra.core HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 27\r\nConnection: close\r\n\r\n{\"configuredLevel\":\"ERROR\"}";
    assert!(raw(&member, post).starts_with("HTTP/1.1 200"));
    assert!(level().contains("\"configuredLevel\":\"ERROR\""), "{}", level());
    let journal = mock.ask("GET", "/api/journal", "").1;
    assert!(journal["lines"][0]["text"].as_str().is_some_and(|line| line.contains("ERROR")), "{journal}");
    mock.post("/api/reset", "");
    assert_eq!(level(), before);
}
