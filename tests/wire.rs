//! The members' ports on the wire: bytes, keep-alive, and how a connection dies with its process.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::io::{ErrorKind, Read, Write};

use common::server::{Local, ask, connect, eventually, plan, raw, session, shipped, try_ask};
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::server::Options;
use mock_kestra::time::Calendar;

#[test]
fn answers_are_recorded_bytes() {
    let date = Calendar::starting("2026-11-25T02:00:00Z".parse().expect("a date"));
    let dated = Session::new(std::sync::Arc::new(plan(&shipped("idle"))), Seed(1), date);
    let mock = Local::serve(dated, |clock| clock.paused(), Options::default());
    let member = mock.member("standalone-1");
    let answer = raw(&member, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let head = "HTTP/1.1 200 Ok\r\ndate: Wed, 25 Nov 2026 02:00:00 GMT\r\ncontent-type: application/json\r\ncontent-length: 419\r\n";
    assert!(answer.starts_with(head), "{answer}");
    let head = raw(&member, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(head, "HTTP/1.1 200 OK\r\ndate: Wed, 25 Nov 2026 02:00:00 GMT\r\nconnection: close\r\n\r\n");
    let old = raw(&member, "GET /health HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.0 200 Ok\r\n"), "{old}");
    // Pipelined: two answers on one connection, in order.
    let two = raw(
        &member,
        "GET /health/liveness HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(two.matches("HTTP/1.1 200").count(), 2, "{two}");
    assert!(two.contains("deadlockedThreads") && two.ends_with("\"type\":\"STANDALONE\"}"), "{two}");
}

#[test]
fn what_is_no_request_gets_the_recorded_refusal() {
    let mock = Local::paused("idle");
    let member = mock.member("standalone-1");
    assert!(raw(&member, "FOO\r\n\r\n").starts_with("HTTP/1.0 400 Bad Request\r\nContent-Type: application/json\r\n"));
    assert!(raw(&member, "GET /health HTTP/1.1\nHost: x\n\n").starts_with("HTTP/1.0 400"), "bare line feeds");
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(8192));
    assert!(raw(&member, &long).starts_with("HTTP/1.0 413"));
    let fat = format!("GET /health HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(40_000));
    assert!(raw(&member, &fat).starts_with("HTTP/1.1 413"));
    let fits = format!("GET /health HTTP/1.1\r\nX: {}\r\nConnection: close\r\n\r\n", "a".repeat(30_000));
    assert!(raw(&member, &fits).starts_with("HTTP/1.1 200"));
    assert!(raw(&member, "GET /health HTTP/1.1\r\nContent-Length: x\r\n\r\n").starts_with("HTTP/1.1 400"));
    // A body longer than 1 MiB is not read; the connection just ends.
    assert_eq!(raw(&member, "POST /loggers/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"), "");
    assert_eq!(ask(&member, "GET", "/health", "").status, 200, "and it still serves");
}

#[test]
fn members_can_be_kept_from_being_stopped() {
    let mut without = plan(&shipped("idle"));
    without.settings.disable("stop");
    let mock = Local::serve(session(without), |clock| clock, Options::default());
    let member = mock.member("standalone-1");
    assert_eq!(ask(&member, "POST", "/stop", "").status, 404);
    assert_eq!(ask(&member, "GET", "/version", "").status, 200);
    // Without it the process says so and goes.
    let mock = Local::serve(session(plan(&shipped("idle"))), |clock| clock, Options::default());
    let member = mock.member("standalone-1");
    assert_eq!(ask(&member, "POST", "/stop", "").body, "{\"message\":\"Server shutdown started\"}");
    mock.pass(60.0);
    let gone = || try_ask(&member, "GET", "/version", "").is_err();
    eventually("its port is closed", gone);
}

#[test]
fn what_is_no_request_gets_the_problem_document_of_2_0() {
    let mut newer = plan(&shipped("idle"));
    newer.kestra = "2.0".to_owned();
    let mock = Local::serve(session(newer), |clock| clock.paused(), Options::default());
    let member = mock.member("standalone-1");
    let problem = |name: &str, title: &str, status: u16, detail: &str, instance: &str| {
        format!(
            r#"{{"type":"https://kestra.io/docs/api-reference/problems/{name}","title":"{title}","status":{status},"detail":"{detail}","instance":"{instance}","errors":[{{"detail":"{detail}"}}]}}"#
        )
    };
    // 2.0, standalone/verbs/protocol: malformed_line, bad_header, header_40k.
    let body = problem("bad-request", "Bad request", 400, "Bad Request", "/bad-request");
    let head = "HTTP/1.0 400 Bad Request\r\nContent-Type: application/problem+json\r\ncontent-length: 188\r\n\r\n";
    assert_eq!(raw(&member, "GARBAGE\r\n\r\n"), format!("{head}{body}"));
    let bad = raw(&member, "GET /health HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n");
    assert!(bad.ends_with(&problem("bad-request", "Bad request", 400, "Bad Request", "/health")), "{bad}");
    let fat = raw(&member, &format!("GET /health HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(40_000)));
    let body = problem("payload-too-large", "Payload too large", 413, "Request Entity Too Large", "/health");
    assert!(fat.ends_with(&body) && fat.contains("content-length: 221\r\nconnection: close\r\n\r\n"), "{fat}");
}

#[test]
fn a_request_that_hangs_is_answered_when_the_database_is_back() {
    // Its driver waits for ever, and no port and no process changes when the stall is over.
    let text = "name: stalled\nkestra: \"2.0\"\ncluster: { database: h2, standalone: 1 }\n\
                timeline: [ { at: 1s, database: stalled, for: 25s } ]\n";
    let mock = Local::serve(session(plan(text)), |clock| clock, Options::default());
    let member = mock.member("standalone-1");
    mock.pass(2.0);
    assert_eq!(mock.ask("GET", "/api/faults", "").1["faults"][0]["name"], "database-stalled");
    let mut held = connect(&member).expect("a connection");
    held.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("written");
    held.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("set");
    assert!(held.read(&mut [0u8; 1]).is_err(), "no answer while it is stalled");
    held.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("set");
    mock.pass(30.0);
    let mut answer = String::new();
    held.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 Ok"), "{answer}");
}

#[test]
fn a_chunked_body_is_read() {
    let mock = Local::paused("idle");
    let member = mock.member("standalone-1");
    let request = "POST /loggers/io.kestra HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n5\r\n{\"con\r\n1a\r\nfiguredLevel\": \"DEBUG\"}  \n\r\n0\r\n\r\n";
    let answer = raw(&member, request);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(ask(&member, "GET", "/loggers/io.kestra", "").body.contains("\"configuredLevel\":\"DEBUG\""));
}

#[test]
fn a_kill_resets_open_connections_and_the_port_refuses_until_the_process_is_back() {
    let mock = Local::paused("worker-killed");
    let worker = mock.member("worker-1");
    let mut kept = connect(&worker).expect("a connection");
    let mut answer = [0u8; 15];
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("written");
    kept.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 Ok");
    mock.post("/api/faults", r#"{"kill": "worker-1", "for": "1m"}"#);
    let mut rest = Vec::new();
    let end = kept.read_to_end(&mut rest);
    assert_eq!(end.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    eventually("the port refuses", || {
        connect(&worker).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    assert_eq!(ask(&mock.member("worker-2"), "GET", "/health", "").status, 200, "the others live");
    mock.post("/api/advance", r#"{"by": "2m"}"#);
    eventually("the port is open again", || try_ask(&worker, "GET", "/health", "").is_ok_and(|it| it.status == 200));
}

#[test]
fn a_process_that_hangs_accepts_and_answers_only_when_it_goes_on() {
    let mock = Local::paused("idle");
    let member = mock.member("standalone-1");
    mock.post("/api/faults", r#"{"hang": "standalone-1"}"#);
    let mut held = connect(&member).expect("it accepts");
    held.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("written");
    held.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("set");
    let silent = held.read(&mut [0u8; 1]).expect_err("no answer");
    assert!(matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    let (status, _) = mock.ask("DELETE", "/api/faults/hang-standalone-1", "");
    assert_eq!(status, 200);
    held.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("set");
    let mut answer = String::new();
    held.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 Ok"), "{answer}");
}
