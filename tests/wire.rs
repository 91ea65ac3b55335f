//! The members' ports on the wire: bytes, keep-alive, and how a connection dies with its process.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::io::{ErrorKind, Read, Write};

use common::server::{Local, ask, connect, eventually, plan, raw, session, shipped, try_ask};
use mock_kestra::profile::Profile;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::server::{Clock, Detail, Options, RequestLog, start};
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
    // Half a second each time: later its restart policy brings it back.
    let gone = || {
        mock.pass(0.5);
        try_ask(&member, "GET", "/version", "").is_err()
    };
    eventually("its port is closed", gone);
}

#[test]
fn what_is_no_request_gets_the_problem_document_of_2_0() {
    let mut newer = plan(&shipped("idle"));
    newer.kestra = Profile::named("2.0").expect("a version");
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

#[test]
fn requests_that_differ_in_a_header_only_do_not_get_each_others_answer() {
    let text = "name: guarded\nconfiguration: { endpoints.all.basic-auth: { username: prom, password: s3cret } }\n";
    let mock = Local::serve(session(plan(text)), |clock| clock.paused(), Options::default());
    let member = mock.member("standalone-1");
    let get = |headers: &str| {
        let answer =
            raw(&member, &format!("GET /prometheus HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"));
        answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status")
    };
    // prom:s3cret, and prom:wrong.
    let (right, wrong) = ("Authorization: Basic cHJvbTpzM2NyZXQ=\r\n", "Authorization: Basic cHJvbTp3cm9uZw==\r\n");
    // The clock stands still: each of them is remembered, and asked for again after the others.
    for _ in 0..3 {
        assert_eq!(get(right), 200);
        assert_eq!(get(""), 401);
        assert_eq!(get(wrong), 401);
        assert_eq!(get(&format!("{right}Accept: text/html\r\n")), 406);
        assert_eq!(get(&format!("{right}Accept: text/plain\r\n")), 200);
        assert_eq!(get(&format!("{wrong}Accept: text/plain\r\n")), 401);
    }
}

#[test]
fn who_is_refused_is_told_in_the_log_and_why() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = RequestLog::new(Detail::Line, {
        let told = told.clone();
        move |line| told.lock().expect("no panic").push(line.to_owned())
    });
    let options = Options { log: Some(log), ..Options::default() };
    let mock = Local::serve(session(plan(&shipped("idle"))), |clock| clock.paused(), options);
    let member = mock.member("standalone-1");
    mock.post("/api/advance", r#"{"by": "90s"}"#);
    raw(&member, "GET /prometheus HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
    raw(&member, "GET /health?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    raw(&member, "GARBAGE\r\n\r\n");
    ask(&mock.control(), "GET", "/members/standalone-1/nowhere", "");
    let expected = [
        "1m30s standalone-1 GET /prometheus 406 (accept: application/json)\n",
        "1m30s standalone-1 GET /health?a=b 200\n",
        "1m30s standalone-1 400 (what came is no HTTP request)\n",
        "1m30s standalone-1 GET /nowhere 404\n",
    ];
    assert_eq!(*told.lock().expect("no panic"), expected);
}

/// Names of this process's threads.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("threads");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn several_servers_live_in_one_process_and_each_stops_fully() {
    let one = Local::paused("worker-killed");
    let other = Local::paused("idle");
    let of = |mock: &Local| format!("kestra-{}", mock.running.addresses().control.port());
    let (name, other_name) = (of(&one), of(&other));
    // A thread takes its name when it first runs.
    eventually("both have threads", || threads().contains(&name) && threads().contains(&other_name));
    let (control, worker) = (one.control(), one.member("worker-1"));
    // One client is kept, one hangs, and a jump is under way.
    let mut kept = connect(&worker).expect("a connection");
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("written");
    kept.read_exact(&mut [0u8; 15]).expect("an answer");
    one.post("/api/faults", r#"{"hang": "worker-2"}"#);
    let mut held = connect(&one.member("worker-2")).expect("it accepts");
    held.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("written");
    let mut jumper = connect(&control).expect("a connection");
    let body = r#"{"by": "300d"}"#;
    let jump = format!("POST /api/advance HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    jumper.write_all(jump.as_bytes()).expect("written");
    eventually("the jump is under way", || one.ask("GET", "/api/state", "").1["clock"]["jump"] == "300d");
    one.running.stop();
    one.running.join().expect("it ends well");
    assert!(!threads().contains(&name), "{:?}", threads());
    for port in [&control, &worker] {
        assert_eq!(connect(port).expect_err("closed").kind(), ErrorKind::ConnectionRefused);
    }
    for mut client in [kept, held, jumper] {
        let mut rest = Vec::new();
        assert!(client.read_to_end(&mut rest).is_err() || rest.len() < 5000, "cut off");
    }
    // The other one has seen nothing of it; dropping stops it as well.
    let member = other.member("standalone-1");
    assert_eq!(ask(&member, "GET", "/health", "").status, 200);
    drop(other);
    assert!(connect(&member).is_err() && !threads().contains(&other_name));
}

#[tokio::test]
async fn a_server_can_be_started_and_dropped_in_async_code() {
    let mock = Local::paused("idle");
    let member = mock.member("standalone-1");
    assert_eq!(ask(&member, "GET", "/health", "").status, 200);
    mock.running.stop();
    mock.running.ended().await;
    drop(mock);
    assert!(connect(&member).is_err());
}

#[test]
fn a_taken_port_is_told_with_its_option_and_nothing_stays_open() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let options = Options { port, ..Options::default() };
    let error = start(session(plan(&shipped("idle"))), options, Clock::wall()).expect_err("it is taken");
    assert!(error.to_string().contains(&port.to_string()) && error.to_string().contains("--port"), "{error}");
}
