//! Nothing stops it, nothing grows without a bound, nothing is accepted and not done.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::io::{Read, Write};

use common::server::{Local, Mock, ask, binary, connect, eventually, plan, raw, run, scratch, session};
use mock_kestra::server::{Clock, Options, start};
use mock_kestra::time::{Duration, Instant};

/// Ten members and 20 executions a second: more than any machine goes through a day of in a second.
const BUSY: &str = "
name: busy
cluster: { members: { webserver: 2, executor: 2, scheduler: 1, worker: { count: 4, threads: 32 }, indexer: 1 } }
flows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.B } ] } ]
behaviour: [ { task: t, duration: 2s } ]
arrivals: [ { flow: f, rate: 20/s } ]
";

#[test]
fn at_a_speed_beyond_the_machine_time_lags_and_says_so_and_everybody_is_answered() {
    let running =
        start(session(plan(BUSY)), Options::default(), Clock::wall().at_speed(100_000.0)).expect("free ports");
    let control = running.addresses().control.to_string();
    let member = format!("127.0.0.1:{}", running.addresses().members[0].management);
    let state =
        || -> serde_json::Value { serde_json::from_str(&ask(&control, "GET", "/api/state", "").body).expect("JSON") };
    eventually("it is behind", || state()["clock"]["behind"] == true);
    assert_ne!(state()["clock"]["lost"], "0s");
    assert_eq!(ask(&member, "GET", "/prometheus", "").status, 200);
    let own = ask(&control, "GET", "/metrics", "").body;
    let lost = own.lines().find_map(|line| line.strip_prefix("mock_kestra_lost_seconds ")).expect("it is told");
    assert!(lost.parse::<f64>().expect("a number") > 0.0, "{own}");
    assert_eq!(ask(&control, "POST", "/api/pause", "").status, 200);
    let at = state()["time"].clone();
    assert_eq!((&state()["time"], &state()["clock"]["behind"]), (&at, &false.into()), "it stands still where it is");
    assert_eq!(ask(&control, "POST", "/api/resume", "").status, 200);
    eventually("it goes on", || state()["time"] != at);
    assert_eq!(ask(&control, "POST", "/api/reset", "").status, 200);
    running.stop();
    running.join().expect("it stops");
}

#[test]
fn signals_are_heard_at_a_speed_beyond_the_machine() {
    let file = scratch("busy.yaml");
    std::fs::write(&file, BUSY).expect("written");
    let mock = Mock::start(&[file.to_str().expect("UTF-8"), "--speed", "100000"]);
    let killed = std::process::Command::new("kill").args(["-TERM", &mock.pid().to_string()]).status().expect("kill");
    assert!(killed.success());
    assert_eq!(mock.wait(), Some(0));
}

#[test]
fn a_look_that_is_too_far_is_refused_by_name_and_goes_on_when_it_is_asked_again() {
    let mock = Local::serve(session(plan(BUSY)), Clock::paused, Options::default());
    let look = || mock.ask("GET", "/members/worker-1/health?at=400d", "");
    let came_to = |value: &serde_json::Value| {
        let message = value["detail"].as_str().expect("a message").to_owned();
        let (what, at) = message.split_once(" it came to ").expect(&message);
        assert_eq!(what, "the way to 400d is longer than 800 ms of work:");
        at.parse::<Duration>().expect(at)
    };
    let (first, second) = (look(), look());
    assert_eq!((first.0, second.0), (503, 503));
    assert!(came_to(&second.1) > came_to(&first.1), "{} {}", first.1, second.1);
    assert_eq!(mock.ask("GET", "/api/state", "").1["time"], "0s");
}

#[test]
fn a_chunk_of_an_absurd_size_ends_its_connection_and_nothing_else() {
    let mock = Local::paused("idle");
    let member = mock.member("standalone-1");
    for size in ["ffffffffffffffff", "fffffffffffffff0", "7fffffffffffffff", "100001"] {
        let begun = "POST /stop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
        let answer = raw(&member, &format!("{begun}{size}\r\nabc\r\n0\r\n\r\n"));
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{size}: {answer}");
        assert_eq!(ask(&member, "GET", "/health", "").status, 200, "{size}");
    }
}

#[test]
fn idle_connections_to_the_control_port_take_nobody_s_place() {
    let mock = Local::paused("idle");
    let mut idle: Vec<_> = (0..400).map(|_| connect(&mock.control()).expect("a connection")).collect();
    assert_eq!(mock.ask("GET", "/api/state", "").0, 200);
    assert_eq!(idle[0].read(&mut [0; 1]).expect("the end of the connection"), 0, "the one that was idle longest");
    let last = idle.last_mut().expect("some");
    write!(last, "GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", mock.control()).expect("written");
    let mut answer = String::new();
    last.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn the_port_of_a_dead_member_is_held_for_it() {
    let mock = Local::paused("worker-killed");
    let address = mock.member("worker-1");
    mock.post("/api/run-until", r#"{"at": "10m30s", "now": true}"#);
    eventually("nothing listens", || std::net::TcpStream::connect(&address).is_err());
    assert!(std::net::TcpListener::bind(&address).is_err(), "nobody else can listen on it");
    mock.post("/api/run-until", r#"{"at": "13m", "now": true}"#);
    eventually("it listens again", || std::net::TcpStream::connect(&address).is_ok());
    assert_eq!(mock.ask("GET", "/api/state", "").1["members"][3]["port"], "open");
}

#[test]
fn what_is_extended_must_be_a_scenario() {
    let base = scratch("base.yaml");
    let file = base.with_file_name("x.yaml");
    std::fs::write(&file, "name: x\nextends: base.yaml\n").expect("written");
    for (text, kind) in [("- a\n- b\n", "a list"), ("hello\n", "a single value"), ("~\n", "")] {
        std::fs::write(&base, text).expect("written");
        let (code, out, err) = run(&["check", file.to_str().expect("UTF-8")]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{text}: {err}");
        assert!(err.contains("x.yaml:2:10"), "{err}");
        assert!(err.contains(&format!("`base.yaml` is no scenario: it must be a mapping, not {kind}")), "{err}");
    }
}

#[test]
fn a_disk_that_is_full_is_exit_3_of_every_command_that_says_something() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
    for command in ["run idle", "list", "schema", "check scenarios/idle.yaml", "test idle", "sweep idle --seeds 2"] {
        let mut child = binary();
        child.current_dir(env!("CARGO_MANIFEST_DIR")).args(command.split(' ')).stdout(full());
        let output = child.output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{command}: {told}");
        assert!(told.contains("cannot write to standard output"), "{command}: {told}");
    }
}

#[test]
fn a_terminal_obeys_nothing_that_a_file_says() {
    let file = scratch("hostile.yaml");
    let text = "name: \"a\\e]0;gone\\ab\"\nsummary: \"\\e[2J\\u202Ex\"\nduration: 2m\ncluster: { standalone: 1 }\nbehaviour: [ { task: \"\\e[31mt\", duration: \"\\e[7m\" } ]\n";
    std::fs::write(&file, text).expect("written");
    let path = file.to_str().expect("UTF-8");
    let sound = text.replace("behaviour: [ { task: \"\\e[31mt\", duration: \"\\e[7m\" } ]\n", "");
    let check = |arguments: &[&str]| {
        let (_, out, err) = run(arguments);
        let obeyed = |it: char| it.is_control() && it != '\n' && it != '\t' || it == '\u{202e}';
        assert!(!(out.clone() + &err).contains(obeyed), "{arguments:?}: {out:?} {err:?}");
        out + &err
    };
    assert!(check(&["check", path]).contains("write a duration"));
    std::fs::write(&file, sound).expect("written");
    for command in ["check", "run", "test"] {
        assert!(check(&[command, path]).contains("\\u001b[2J\\u202ex"), "{command}");
    }
    check(&["run", "--format", "json", path]);
}

/// Memory of a command at its peak, in KiB, and that it is well.
#[cfg(target_os = "linux")]
fn peak(arguments: &[&str]) -> u64 {
    let mut child = binary().args(arguments).stdout(std::process::Stdio::null()).spawn().expect("the binary runs");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let of = |line: &str| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok();
        peak = text.lines().find_map(of).unwrap_or(0).max(peak);
        if let Some(status) = child.try_wait().expect("a child") {
            assert!(status.success(), "{arguments:?}: {status}");
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Measured, so not in every run: `cargo test --release --test bounds -- --ignored --nocapture`.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes minutes"]
fn memory_of_test_does_not_grow_with_virtual_time() {
    let file = scratch("days.yaml");
    let rules = scratch("rules.yml");
    std::fs::write(&rules, "groups: [ { name: a, rules: [ { alert: Down, expr: up == 0, for: 5m, annotations: { text: 'the query in the runbook {{ with query \"up\" }}{{ . | first | value }}{{ end }}' } }, { alert: Slow, expr: 'rate(kestra_executor_execution_end_count_total[1h]) < 0' } ] } ]\n").expect("written");
    let of_days = |days: u64| {
        let text = format!(
            "name: days\nduration: {days}d\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 2 }} }}\n\
             flows: [ {{ id: f, namespace: n, tasks: [ {{ id: t, type: a.B }} ], triggers: [ {{ id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" }} ] }} ]\n\
             timeline: [ {{ at: 10m, kill: worker-1, for: 10m, every: 6h }} ]\n"
        );
        std::fs::write(&file, text).expect("written");
        peak(&["test", file.to_str().expect("UTF-8"), "--rules", rules.to_str().expect("UTF-8")])
    };
    let (one, ten, thirty) = (of_days(1), of_days(10), of_days(30));
    println!("peak of test: {one} KiB for a day, {ten} for ten, {thirty} for thirty");
    assert!(thirty as f64 <= one as f64 * 1.2, "{one} KiB for a day, {thirty} KiB for thirty");
}

/// Twice a second something happens, for as long as it takes to fill the journal, and then for an hour.
#[test]
fn time_goes_on_and_everybody_is_answered_when_the_journal_is_full() {
    use mock_kestra::simulator::limits::JOURNAL;
    let blinks = "name: blinks\ncluster: { standalone: 1 }\nflows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.B } ] } ]\n\
        arrivals: [ { flow: f, rate: 1/h } ]\n\
        timeline: [ { at: 1s, every: 1s, arrivals: { times: 2x }, for: 500ms } ]\n";
    let mut endless = session(plan(blinks)).endless();
    let full = Instant::START + Duration::seconds(JOURNAL as u64 / 2);
    endless.advance(full + Duration::seconds(3_600)).expect("no limit ends it");
    assert_eq!(endless.now(), full + Duration::seconds(3_600));
    let journal = endless.simulation().journal();
    assert!(journal.dropped() > 5_000, "{}", journal.dropped());
    let last = journal.iter().last().expect("a line").at;
    assert!(endless.now().since(last) <= Duration::seconds(1), "{last}");
    // Also on ports: who asks is told how many lines are lost, and the clock can be moved on.
    let mock = Local::serve(endless, Clock::paused, Options::default());
    let before = mock.ask("GET", "/api/state", "").1["time"].clone();
    assert_eq!(mock.ask("POST", "/api/advance", "{\"by\": \"10s\"}").0, 200);
    assert_ne!(mock.ask("GET", "/api/state", "").1["time"], before);
    assert!(mock.ask("GET", "/api/journal", "").1["dropped"].as_u64().is_some_and(|it| it > 5_000));
    let member = format!("127.0.0.1:{}", mock.running.addresses().members[0].management);
    assert_eq!(ask(&member, "GET", "/health", "").status, 200);
}
