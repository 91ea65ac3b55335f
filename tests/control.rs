//! The control port: clock, faults, journal, discovery, members, any instant; and errors of one shape.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::net::{IpAddr, Ipv4Addr};

use common::server::{Local, ask, eventually, plan, raw, session, shipped};
use mock_kestra::server::Options;
use serde_json::Value;

fn refused(mock: &Local, method: &str, path: &str, body: &str, status: u16, part: &str) {
    let before = mock.ask("GET", "/api/state", "");
    let (found, value) = mock.ask(method, path, body);
    assert_eq!(found, status, "{method} {path} {body}: {value}");
    let error = &value;
    assert_eq!((&error["type"], &error["status"]), (&"about:blank".into(), &status.into()), "{value}");
    assert_eq!(error["status"], status, "{value}");
    assert!(error["detail"].as_str().is_some_and(|message| message.contains(part)), "{part} in {value}");
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
        // What nobody reads is no part of a request.
        ("GET", "/api/state?att=5m", "", 400, "`att` is no parameter of /api/state"),
        ("GET", "/api/state?at=5m&at=6m", "", 400, "more than once"),
        ("GET", "/api/journal?sinse=5", "", 400, "`sinse` is no parameter of /api/journal"),
        ("GET", "/api/journal?since=soon", "", 400, "`soon` is no number"),
        ("GET", "/api/faults?all", "", 400, "`all` is no parameter of /api/faults"),
        ("POST", "/api/pause?now=true", "", 400, "`now` is no parameter"),
        ("DELETE", "/api/faults/kill-worker-1?force=1", "", 400, "`force`"),
        ("GET", "/sd?job=x", "", 400, "`job`"),
        ("POST", "/api/pause", r#"{"at": "5m"}"#, 400, "`at` is no key"),
        ("POST", "/api/reset", r#"{"seed": 3}"#, 400, "`seed` is no key"),
        ("POST", "/api/resume", "[]", 400, "no JSON object"),
        ("POST", "/api/speed", r#"{"speed": 3, "unit": "x"}"#, 400, "`unit` is no key"),
        ("POST", "/api/advance", r#"{"by": "5m", "pause": true}"#, 400, "`pause` is no key"),
        ("POST", "/api/advance", r#"{"by": "5m", "wait": "yes"}"#, 400, "`wait` is \"yes\""),
        ("POST", "/api/run-until", r#"{"at": "5m", "noww": true}"#, 400, "`noww` is no key"),
        ("POST", "/api/run-until", r#"{"at": "5m", "now": 1}"#, 400, "`now` is 1"),
    ] {
        refused(&mock, method, path, body, status, part);
    }
}

#[test]
fn the_nearest_known_word_is_named_for_one_that_is_not() {
    let mock = Local::paused("worker-killed");
    let advice = |method: &str, path: &str, body: &str| mock.ask(method, path, body).1["advice"].clone();
    for (method, path, body, part) in [
        ("GET", "/api/journal?sinse=5", "", "did you mean `since`?"),
        ("POST", "/api/run-until", r#"{"at": "5m", "noww": true}"#, "did you mean `now`? send the JSON"),
        ("DELETE", "/api/faults/kil-worker-1", "", "did you mean `kill-worker-1`?"),
        ("POST", "/api/faults", r#"{"kill": "worker-1", "untill": "5m"}"#, "did you mean `until`?"),
    ] {
        let told = advice(method, path, body);
        assert!(told.as_str().is_some_and(|told| told.contains(part)), "{method} {path} {body}: {told}");
    }
}

#[test]
fn two_faults_cannot_be_given_one_name() {
    let mock = Local::paused("worker-killed");
    assert_eq!(mock.post("/api/faults", r#"{"hang": "worker-2", "name": "mine"}"#)["name"], "mine");
    refused(&mock, "POST", "/api/faults", r#"{"hang": "executor-1", "name": "mine"}"#, 409, "called `mine` already");
    // That of the scenario's own timeline is taken too, and one that is over is still in the journal.
    refused(&mock, "POST", "/api/faults", r#"{"hang": "executor-1", "name": "kill-worker-1"}"#, 409, "`kill-worker-1`");
    mock.ask("DELETE", "/api/faults/mine", "");
    refused(&mock, "POST", "/api/faults", "hang: executor-1\nname: mine", 409, "called `mine` already");
    // Who names none gets one that is free.
    assert_eq!(mock.post("/api/faults", r#"{"kill": "worker-1"}"#)["name"], "kill-worker-1-2");
}

#[test]
fn all_faults_are_told_with_their_times_whoever_planned_them() {
    let mock = Local::paused("worker-killed");
    let list = |what: &str| mock.ask("GET", "/api/faults", "").1[what].clone();
    let planned = list("planned");
    assert_eq!((&planned[0]["name"], &planned[0]["from"]), (&"kill-worker-1".into(), &"scenario".into()));
    assert_eq!((&planned[0]["at"], &planned[0]["ends"]), (&"10m".into(), &"12m".into()), "{planned}");
    refused(&mock, "DELETE", "/api/faults/kill-worker-1", "", 409, "planned by the scenario for 10m");

    mock.post("/api/faults", r#"{"gc-pause": {"member": "executor-1", "pause": "20s"}, "name": "long"}"#);
    mock.post("/api/advance", r#"{"by": "10s"}"#);
    let faults = list("faults");
    assert_eq!((&faults[0]["name"], &faults[0]["ends"]), (&"long".into(), &"20s".into()), "{faults}");
    assert_eq!((&faults[0]["in_force"], &faults[0]["from"]), (&true.into(), &"session".into()), "{faults}");
    refused(&mock, "DELETE", "/api/faults/long", "", 409, "a collection under way, it ends at 20s");
    mock.post("/api/advance", r#"{"by": "15s"}"#);
    assert_eq!((list("faults"), &list("over")[0]["began"]), (Value::Array(Vec::new()), &"0s".into()));
    refused(&mock, "DELETE", "/api/faults/long", "", 409, "`long` is over");

    mock.post("/api/run-until", r#"{"at": "11m", "now": true}"#);
    assert_eq!((&list("faults")[0]["from"], list("planned")), (&"scenario".into(), Value::Array(Vec::new())));
    mock.post("/api/run-until", r#"{"at": "13m", "now": true}"#);
    let over = list("over");
    assert_eq!((&over[0]["name"], &over[0]["began"]), (&"kill-worker-1".into(), &"10m".into()), "{over}");
    assert_eq!(over[0]["ended"], "12m", "{over}");
    refused(&mock, "DELETE", "/api/faults/kill-worker-1", "", 409, "`kill-worker-1` is over since 12m");
    refused(&mock, "DELETE", "/api/faults/nobody", "", 404, "no fault is called `nobody`");
    mock.post("/api/reset", "");
    assert_eq!((list("over"), &list("planned")[0]["name"]), (Value::Array(Vec::new()), &"kill-worker-1".into()));
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
fn a_name_that_somebody_else_may_have_is_refused() {
    let options = Options { allowed_hosts: vec!["mock.example.org".to_owned()], ..Options::default() };
    let mock = Local::serve(session(plan(&shipped("idle"))), |clock| clock.paused(), options);
    let asked = |line: &str, host: &str| {
        raw(&mock.control(), &format!("{line} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: 0\r\n\r\n"))
    };
    for line in ["GET /api/state", "GET /", "GET /members/standalone-1/health", "POST /api/resume", "GET /nowhere"] {
        let answer = asked(line, "Host: evil.example:8082\r\n");
        assert!(answer.starts_with("HTTP/1.1 403"), "{line}: {answer}");
        assert!(answer.contains("does not answer to `evil.example`") && answer.contains("--allow-host"), "{answer}");
    }
    assert_eq!(mock.ask("GET", "/api/state", "").1["clock"]["paused"], true, "nothing was done");
    for host in ["Host: mock.example.org\r\n", "Host: mock:8082\r\n", "Host: [::1]:1\r\n", "Host: a.svc\r\n"] {
        let answer = asked("GET /api/state", host);
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    // Whoever writes no name is no browser; HTTP/1.0 has none.
    let old = raw(&mock.control(), "GET /api/state HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.0 200") || old.starts_with("HTTP/1.1 200"), "{old}");
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
    // Before its life there is nothing to see.
    assert_eq!(mock.ask("GET", "/api/state?at=-10m", "").0, 200);
    refused(
        &mock,
        "GET",
        "/api/state?at=-10m1s",
        "",
        400,
        "-10m1s is before the life of this cluster, which began at -10m",
    );
    refused(&mock, "GET", "/members/worker-1/health?at=-30d", "", 400, "-30d is before the life of this cluster");
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
    for (path, kind) in [("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")] {
        let file = ask(&mock.control(), "GET", path, "");
        assert!(file.head.contains(&format!("content-type: {kind}; charset=utf-8\r\n")), "{}", file.head);
        let policy = file.head.lines().find(|line| line.starts_with("content-security-policy: ")).expect("a policy");
        assert!(policy.contains("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    }
    // It asks for what is new in the journal, and never for all of it again.
    let script = ask(&mock.control(), "GET", "/page.js", "").body;
    assert!(script.contains("ask(\"api/journal?since=\" + next)"), "{script}");
    assert!(!script.contains("\"api/journal\")"), "{script}");
}

#[test]
fn members_that_listen_everywhere_are_found_under_the_host_that_was_asked() {
    let everywhere = Options { bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED), ..Options::default() };
    let named = Options { advertise: Some("mock.test".to_owned()), ..everywhere.clone() };
    for (options, host, expected) in [
        (everywhere.clone(), "mock-kestra:8082", "mock-kestra"),
        (everywhere.clone(), "[::1]:8082", "[::1]"),
        (everywhere.clone(), "10.1.2.3", "10.1.2.3"),
        (everywhere, "", "localhost"),
        (named, "mock-kestra:8082", "mock.test"),
        (Options::default(), "mock-kestra:8082", "127.0.0.1"),
    ] {
        let mock = Local::serve(session(plan(&shipped("idle"))), |clock| clock.paused(), options);
        let answer = raw(&mock.control(), &format!("GET /sd HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        let port = mock.running.addresses().members[0].management;
        assert!(answer.contains(&format!("\"targets\":[\"{expected}:{port}\"]")), "{host}: {answer}");
    }
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

#[test]
fn a_fault_with_an_instant_of_its_own_waits_for_it() {
    let mock = Local::paused("worker-killed");
    mock.post("/api/advance", r#"{"by": "1m"}"#);
    let planned = mock.post("/api/faults", r#"{"at": "3m", "hang": "worker-2", "for": "30s"}"#);
    assert_eq!((planned["at"].as_str(), planned["ends"].as_str()), (Some("3m"), Some("3m30s")), "{planned}");
    let list = mock.ask("GET", "/api/faults", "").1;
    let to_come = |list: &Value| -> Vec<(Value, Value)> {
        let planned = list["planned"].as_array().expect("a list").iter();
        planned.map(|it| (it["name"].clone(), it["from"].clone())).collect()
    };
    let of_file = || ("kill-worker-1".into(), "scenario".into());
    assert_eq!(list["faults"], Value::Array(Vec::new()));
    assert_eq!(to_come(&list), [of_file(), (planned["name"].clone(), "session".into())]);
    let ahead = mock.ask("GET", "/api/state?at=3m10s", "").1;
    assert_eq!(
        (ahead["members"][4]["port"].as_str(), ahead["faults"][0]["since"].as_str()),
        (Some("hangs"), Some("3m"))
    );
    mock.post("/api/advance", r#"{"by": "2m"}"#);
    let list = mock.ask("GET", "/api/faults", "").1;
    assert_eq!((&list["faults"][0]["name"], to_come(&list)), (&planned["name"], vec![of_file()]));
    // One that is still to come can be taken back.
    let name = mock.post("/api/faults", r#"{"at": "10m", "kill": "executor-1"}"#)["name"].clone();
    assert_eq!(mock.ask("DELETE", &format!("/api/faults/{}", name.as_str().expect("a name")), "").0, 200);
    assert_eq!(to_come(&mock.ask("GET", "/api/faults", "").1), [of_file()]);
    for (body, part) in [
        (r#"{"at": "2m59s", "kill": "worker-1"}"#, "2m59s is past, it is 3m now"),
        (r#"{"kill": "worker-1", "every": "5m", "until": "1m"}"#, "`until` is 1m"),
    ] {
        refused(&mock, "POST", "/api/faults", body, 422, part);
    }
    refused(&mock, "POST", "/api/faults", r#"{"kill": "worker-1", "until": "10m"}"#, 400, "`until` without `every`");
}

#[test]
fn a_fault_that_comes_again_and_again_does_so_over_http_too() {
    let mock = Local::paused("idle");
    let body = r#"{"gc-pause": {"member": "standalone-1", "pause": "1s"}, "every": "1m", "until": "3m"}"#;
    let accepted = mock.post("/api/faults", body);
    assert_eq!((accepted["every"].as_str(), accepted["until"].as_str()), (Some("1m"), Some("3m")));
    mock.post("/api/advance", r#"{"by": "10m"}"#);
    let journal = mock.ask("GET", "/api/journal", "").1;
    let begun = journal["lines"].as_array().expect("lines").iter();
    let begun: Vec<&str> = begun
        .filter(|line| line["text"].as_str().is_some_and(|text| text.starts_with("fault gc-pause-standalone-1:")))
        .filter_map(|line| line["at"].as_str())
        .collect();
    assert_eq!(begun, ["0s", "1m", "2m", "3m"], "{journal}");
}

/// Asks for a jump that nobody lives to see the end of, and waits until it is under way.
fn long_jump(mock: &Local) -> std::net::TcpStream {
    use std::io::Write;
    let mut client = common::server::connect(&mock.control()).expect("a connection");
    let body = r#"{"by": "300d"}"#;
    let request = format!("POST /api/advance HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    client.write_all(request.as_bytes()).expect("written");
    eventually("the jump is under way", || mock.ask("GET", "/api/state", "").1["clock"]["jump"].is_string());
    client
}

#[test]
fn a_jump_ends_with_its_client() {
    let mock = Local::paused("healthy-cluster");
    drop(long_jump(&mock));
    eventually("the jump is over", || mock.ask("GET", "/api/state", "").1["clock"]["jump"].is_null());
    let then = mock.ask("GET", "/api/state", "").1["seconds"].as_f64().expect("seconds");
    assert!(then > 0.0 && then < 300.0 * 86_400.0, "{then}");
    // Another one has its turn, and nothing of the old one goes on.
    mock.post("/api/advance", r#"{"by": "1s"}"#);
    assert_eq!(mock.ask("GET", "/api/state", "").1["seconds"], then + 1.0);
}

#[test]
fn a_second_jump_is_refused_unless_it_waits_for_its_turn() {
    let mock = Local::paused("healthy-cluster");
    let client = long_jump(&mock);
    for (path, body) in [("/api/advance", r#"{"by": "1s"}"#), ("/api/run-until", r#"{"at": "399d", "now": true}"#)] {
        let (status, value) = mock.ask("POST", path, body);
        assert_eq!(status, 409, "{path}: {value}");
        let error = &value;
        assert!(error["detail"].as_str().is_some_and(|it| it.starts_with("a jump to 300d")), "{value}");
        assert!(error["advice"].as_str().is_some_and(|it| it.contains("\"wait\": true")), "{value}");
    }
    // One that waits has its turn when the first is over.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| mock.ask("POST", "/api/advance", r#"{"by": "1s", "wait": true}"#));
        drop(client);
        let (status, state) = waiting.join().expect("an answer");
        assert!(status == 200 && state["clock"]["jump"].is_null(), "{status} {state}");
    });
}

#[test]
fn a_pause_and_a_reset_end_a_jump() {
    use std::io::Read;
    let mock = Local::paused("healthy-cluster");
    for (path, starts_anew) in [("/api/pause", false), ("/api/reset", true)] {
        let mut client = long_jump(&mock);
        let state = mock.post(path, "");
        let mut answer = [0u8; 12];
        client.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 409", "{path}");
        mock.post("/api/pause", "");
        mock.pass(5.0);
        let after = mock.ask("GET", "/api/state", "").1;
        assert_eq!((&after["seconds"], &after["clock"]["jump"]), (&state["seconds"], &Value::Null), "{path}");
        assert_eq!(after["seconds"] == 0.0, starts_anew, "{path}");
    }
}

#[test]
fn a_server_whose_model_has_panicked_serves_nothing_and_says_so() {
    let mock = Local::paused("worker-killed");
    let member = mock.member("worker-1");
    assert_eq!(ask(&member, "GET", "/health", "").status, 200);
    let panics = || mock.running.session(|_| -> () { panic!("on purpose, in a test") });
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    for (method, path) in [
        ("GET", "/api/state"),
        ("GET", "/api/state?at=1m"),
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/members/worker-1/health"),
        ("POST", "/api/advance"),
        ("POST", "/api/reset"),
        ("POST", "/api/faults"),
        ("GET", "/api/journal"),
        ("GET", "/api/scenario"),
    ] {
        let (status, value) = mock.ask(method, path, r#"{"by": "1s"}"#);
        assert_eq!(status, 503, "{method} {path} {value}");
        assert!(value["detail"].as_str().is_some_and(|told| told.contains("panicked")), "{value}");
    }
    eventually("its members listen no more", || common::server::connect(&member).is_err());
    assert!(mock.running.session(|session| session.now()).is_err());
    let error = mock.running.join().expect_err("it is broken");
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[test]
fn a_session_that_is_full_refuses_with_words_on_every_port() {
    use mock_kestra::run::session::limits::COMMANDS;
    use mock_kestra::simulator::Command;
    let mock = Local::paused("idle");
    let fill = |session: &mut mock_kestra::run::Session| {
        (0..COMMANDS).try_for_each(|_| session.command(Command::Refresh { member: 0 }))
    };
    mock.running.session(fill).expect("it serves").expect("there is room for so many");
    refused(&mock, "POST", "/api/faults", r#"{"hang": "standalone-1"}"#, 409, "100000 commands");
    let answer = ask(&mock.member("standalone-1"), "POST", "/stop", "");
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("100000 commands") && answer.body.contains("/api/reset"), "{}", answer.body);
    assert_eq!(ask(&mock.member("standalone-1"), "GET", "/health", "").status, 200, "reading goes on");
    mock.post("/api/reset", "");
    assert_eq!(ask(&mock.member("standalone-1"), "POST", "/stop", "").status, 200);
}

#[test]
fn who_waits_for_the_journal_is_answered_when_something_happens() {
    let mock = Local::paused("idle");
    let next = mock.ask("GET", "/api/journal", "").1["next"].clone();
    let quiet = mock.ask("GET", &format!("/api/journal?since={next}&wait=1ms"), "").1;
    assert_eq!(quiet["lines"], Value::Array(Vec::new()));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| mock.ask("GET", &format!("/api/journal?since={next}&wait=1m"), "").1);
        mock.post("/api/faults", r#"{"kill": "standalone-1"}"#);
        let news = waiting.join().expect("an answer");
        let first = &news["lines"][0];
        assert_eq!((&first["kind"], &first["member"]), (&"fault-begins".into(), &Value::Null), "{news}");
    });
    let all = mock.ask("GET", "/api/journal", "").1;
    assert_eq!((&all["lines"][1]["kind"], &all["lines"][1]["member"]), (&"killed".into(), &"standalone-1".into()));
    assert_eq!(mock.ask("GET", "/api/journal?wait=soon", "").0, 400);
}

#[test]
fn the_journal_tells_what_is_new_and_whether_it_began_anew() {
    let mock = Local::paused("worker-killed");
    mock.post("/api/advance", r#"{"by": "15m"}"#);
    let all = mock.ask("GET", "/api/journal", "").1;
    let (next, lines) = (all["next"].as_u64().expect("a number"), all["lines"].as_array().expect("lines"));
    assert_eq!((lines.len() as u64, &all["dropped"], &all["resets"]), (next, &Value::from(0), &Value::from(0)));
    let rest = mock.ask("GET", &format!("/api/journal?since={}", next - 2), "").1;
    assert_eq!(rest["lines"].as_array().expect("lines")[..], lines[lines.len() - 2..]);
    let none = mock.ask("GET", &format!("/api/journal?since={next}"), "").1;
    assert_eq!((&none["next"], &none["lines"]), (&all["next"], &Value::Array(Vec::new())));
    mock.post("/api/reset", "");
    let anew = mock.ask("GET", &format!("/api/journal?since={next}"), "").1;
    assert_eq!((&anew["next"], &anew["resets"]), (&Value::from(0), &Value::from(1)));
}

#[test]
fn a_session_is_given_as_a_scenario_that_does_it_again() {
    let mock = Local::paused("worker-killed");
    mock.post("/api/advance", r#"{"by": "2m"}"#);
    mock.post("/api/faults", r#"{"hang": "executor-1"}"#);
    mock.post("/api/advance", r#"{"by": "20s"}"#);
    mock.ask("DELETE", "/api/faults/hang-executor-1", "");
    mock.post("/api/faults", r#"{"at": "4m", "database": "refused", "for": "20s"}"#);
    ask(&mock.member("worker-2"), "POST", "/stop", "");
    mock.post("/api/advance", r#"{"by": "5m"}"#);
    let answer = ask(&mock.control(), "GET", "/api/scenario", "");
    assert!(answer.status == 200 && answer.head.contains("application/yaml"), "{}", answer.head);
    let again = Local::serve(session(plan(&answer.body)), |clock| clock.paused(), Options::default());
    for at in ["2m10s", "2m30s", "4m5s", "7m20s", "13m"] {
        for path in ["executor-1/prometheus", "worker-1/prometheus", "worker-2/prometheus", "worker-2/health"] {
            let look = |mock: &Local| {
                let answer = ask(&mock.control(), "GET", &format!("/members/{path}?at={at}"), "");
                (answer.status, answer.body)
            };
            assert_eq!(look(&mock), look(&again), "{path} at {at}");
        }
    }
    again.post("/api/run-until", r#"{"at": "7m20s", "now": true}"#);
    assert_eq!(again.ask("GET", "/api/journal", ""), mock.ask("GET", "/api/journal", ""));
}

#[test]
fn whoever_embeds_it_moves_the_session_and_the_clock_follows() {
    use mock_kestra::time::{Duration, Instant};
    let mock = Local::serve(session(plan(&shipped("worker-killed"))), |clock| clock, Options::default());
    let minute = Instant::START + Duration::minutes(11);
    mock.running.session(|session| session.advance(minute)).expect("it serves").expect("no limit");
    assert_eq!(mock.ask("GET", "/api/state", "").1["time"], "11m");
    assert_eq!(mock.ask("GET", "/api/state", "").1["members"][3]["port"], "refused");
    mock.pass(90.0);
    assert_eq!(mock.ask("GET", "/api/state", "").1["time"], "12m30s");
}

#[test]
fn a_reset_forgets_where_to_run_and_keeps_the_speed() {
    let mock = Local::paused("worker-killed");
    mock.post("/api/speed", r#"{"speed": 60}"#);
    assert_eq!(mock.post("/api/run-until", r#"{"at": "10m"}"#)["clock"]["run_until"], "10m");
    let clock = mock.post("/api/reset", "")["clock"].clone();
    assert_eq!((&clock["run_until"], &clock["speed"], &clock["paused"]), (&Value::Null, &60.0.into(), &false.into()));
    mock.pass(900.0);
    assert_eq!(mock.ask("GET", "/api/state", "").1["time"], "15h", "it does not pause at 10m");
}

#[test]
fn a_key_given_twice_a_fault_after_the_end_of_time_and_too_long_a_body_are_refused() {
    let mock = Local::paused("worker-killed");
    refused(&mock, "POST", "/api/advance", r#"{"by": "1m", "by": "2m"}"#, 400, "`by` is given more than once");
    refused(&mock, "POST", "/api/pause", r#"{"x": 1, "x": 2}"#, 400, "`x` is given more than once");
    refused(&mock, "POST", "/api/faults", r#"{"kill": "worker-1", "at": "500d"}"#, 422, "400d");
    assert_eq!(mock.ask("POST", "/api/faults", r#"{"kill": "worker-1", "at": "400d"}"#).0, 201);
    let long = " ".repeat((1 << 20) + 1);
    for path in ["/api/faults", "/api/advance", "/members/worker-1/stop"] {
        refused(&mock, "POST", path, &long, 413, "larger than 1 MiB");
    }
}

/// Bodies that are no fault, of every kind of fault and of none.
const NO_FAULTS: &[&str] = &[
    "",
    "  ",
    "[]",
    "null",
    r#""x""#,
    "5",
    "{",
    r#"{"kill":"#,
    r#"{"kil": "worker-1"}"#,
    r#"{"at": "5m"}"#,
    r#"{"kill": "worker-1", "stop": "worker-1"}"#,
    r#"{"kill": "worker-1", "for": "soon"}"#,
    r#"{"database": "gone"}"#,
    r#"{"database": {"slow": "x"}}"#,
    r#"{"arrivals": {"flow": "none", "times": "2x"}}"#,
    r#"{"arrivals": {"times": "2x", "rate": "1/s"}}"#,
    r#"{"task-failures": {"task": "x"}}"#,
    r#"{"gc-pause": {"member": "worker-1"}}"#,
    r#"{"heap-leak": {"member": "nobody", "rate": "1MiB/s"}}"#,
];

#[test]
fn the_advice_to_every_body_that_is_no_fault_works_when_it_is_followed() {
    let kinds = [
        "kill",
        "stop",
        "start",
        "restart",
        "hang",
        "database",
        "arrivals",
        "task-duration",
        "task-failures",
        "heap-leak",
        "gc-pause",
        "disk-full",
        "deadlock",
    ];
    let values = ["{}", "[]", "null", "\"worker-99\"", "[[]]", "{\"member\": {}}"];
    let of_kinds = kinds.iter().flat_map(|kind| values.iter().map(move |value| format!("{{\"{kind}\": {value}}}")));
    let bodies: Vec<String> = of_kinds.chain(NO_FAULTS.iter().map(|it| (*it).to_owned())).collect();
    for scenario in ["worker-killed", "idle"] {
        let mock = Local::paused(scenario);
        for body in &bodies {
            let (status, value) = mock.ask("POST", "/api/faults", body);
            if status == 201 {
                continue;
            }
            assert_eq!(status, 400, "{body}: {value}");
            let advice = value["advice"].as_str().expect("advice").to_owned();
            assert!(!advice.contains("-->") && !advice.contains("scenario"), "{body}: {advice}");
            let from = advice.rfind("send for example {").or(advice.rfind("this is taken: {")).expect(&advice);
            let example = &advice[from + advice[from..].find('{').expect("there")..];
            let (status, told) = mock.ask("POST", "/api/faults", example);
            assert_eq!(status, 201, "{body}: {advice}: {told}");
            if let Some(kind) = kinds.iter().find(|kind| body.starts_with(&format!("{{\"{kind}\": "))) {
                assert!(example.starts_with(&format!("{{\"{kind}\":")), "{body}: {advice}");
            }
        }
    }
}

#[test]
fn the_value_that_an_advice_names_works_too_and_each_error_is_told_by_itself() {
    let mock = Local::paused("worker-killed");
    let error = |body: &str| mock.ask("POST", "/api/faults", body).1;
    let advice = |body: &str| error(body)["advice"].as_str().expect("advice").to_owned();
    for (kind, value) in
        [("gc-pause", "{ member: executor-1, pause: 8s }"), ("heap-leak", "{ member: executor-1, rate: 1MiB/s }")]
    {
        let told = advice(&format!("{{\"{kind}\": \"worker-1\"}}"));
        assert!(told.contains(&format!("write for example `{value}`")), "{told}");
        assert_eq!(mock.ask("POST", "/api/faults", &format!("{{ {kind}: {value} }}")).0, 201, "{kind}");
    }
    assert!(advice("[]").starts_with("write for example `{ kill: "), "{}", advice("[]"));
    assert_eq!(error("")["detail"], "the body is empty");
    let two = error(r#"{"task-failures": {"task": "x"}}"#);
    let message = two["detail"].as_str().expect("a message");
    assert!(message.starts_with("2 things are wrong: (1) ") && message.contains("; (2) "), "{two}");
}
