//! What Kestra 0.20 does otherwise than later versions, beside its recordings.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{body, capture_of, exposition, families, labels, simulate};
use mock_kestra::management::{Answer, Body, Outcome, Request, answer};
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::{Port, Simulation};
use mock_kestra::time::{Duration, Instant};

fn plan(text: &str) -> Arc<Plan> {
    let text = format!("name: old\nkestra: \"0.20\"\n{text}");
    let (plan, told) = read("old.yaml", &text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", mock_kestra::document::render(&told))))
}

fn at(milliseconds: u64) -> Instant {
    Instant::START + Duration::milliseconds(milliseconds)
}

/// A request that arrived at an instant.
fn request(method: &str, path: &str, arrived: Instant) -> Request {
    Request {
        method: method.into(),
        headers: vec![("host".into(), "kestra-0:8081".into())],
        ..Request::get(path, arrived)
    }
}

fn ask(simulation: &Simulation, member: usize, path: &str, arrived: Instant) -> Outcome {
    answer(&request("GET", path, arrived), simulation, member)
}

fn answered(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Answer(answer) => *answer,
        other => panic!("no answer: {other:?}"),
    }
}

/// Status line, headers and body as text; the date and lengths left out.
fn text(answer: &Answer) -> String {
    let mut text = format!("HTTP/1.1 {} {}\r\n", answer.status, answer.reason);
    for (name, value) in &answer.headers {
        let value = if matches!(name.as_str(), "date" | "content-length") { "*" } else { value };
        text += &format!("{name}: {value}\r\n");
    }
    let body = match &answer.body {
        Body::Sized(body) | Body::Chunked(body) => String::from_utf8_lossy(body).into_owned(),
        Body::None => String::new(),
    };
    text + "\r\n" + &body
}

/// The same of a recording, with the numbers and names that are those of its machine put as ours.
fn recorded(path: &str) -> String {
    let text = capture_of("0.20", path);
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
    let head: Vec<String> = head
        .split("\r\n")
        .map(|line| match line.split_once(": ") {
            Some((name @ ("date" | "content-length"), _)) => format!("{name}: *"),
            _ => line.to_owned(),
        })
        .collect();
    format!("{}\r\n\r\n{}", head.join("\r\n"), body)
}

/// Numbers masked, and the two indicators that answer in either order put in one.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut number = false;
    for c in text.replace("postgres:5433/k020", "postgres:5432/kestra").chars() {
        match (c.is_ascii_digit(), number) {
            (true, true) => {}
            (true, false) => out.push('#'),
            (false, _) => out.push(c),
        }
        number = c.is_ascii_digit();
    }
    let service = r#""service":{"name":"kestra","status":"UP"}"#;
    if let (Some(disk), Some(at)) = (out.find(r#""diskSpace""#), out.find(service))
        && at > disk
    {
        out = out.replacen(&format!(",{service}"), "", 1);
        out = out.replacen(r#""diskSpace""#, &format!(r#"{service},"diskSpace""#), 1);
    }
    out
}

/// Lines of the journal, with their times.
fn journal(simulation: &Simulation) -> Vec<(u64, String)> {
    let line = |line: &mock_kestra::simulator::JournalEntry| {
        (line.at.since(Instant::START).as_milliseconds(), line.text(simulation.plan()))
    };
    simulation.journal().iter().map(line).collect()
}

fn when(simulation: &Simulation, part: &str) -> u64 {
    let all = journal(simulation);
    all.iter().find(|(_, text)| text.contains(part)).unwrap_or_else(|| panic!("no {part} in {all:#?}")).0
}

#[test]
fn a_full_disk_takes_health_down_as_recorded() {
    let plan = plan("cluster: { database: h2, standalone: 1 }\ntimeline: [ { at: 1s, disk-full: standalone-1 } ]\n");
    let simulation = simulate(&plan, 1, at(2_000));
    for (method, path, file) in [
        ("GET", "/health", "DOWN_GET_health"),
        ("GET", "/health/readiness", "DOWN_GET_health_readiness"),
        ("GET", "/health/liveness", "DOWN_GET_health_liveness"),
        ("GET", "/health/READINESS", "DOWN_GET_health_READINESS"),
        ("GET", "/health/", "DOWN_GET_health_slash"),
        ("HEAD", "/health", "DOWN_HEAD_health"),
    ] {
        let ours = text(&answered(answer(&request(method, path, at(2_000)), &simulation, 0)));
        let theirs = recorded(&format!("disk_down/{file}.http"));
        assert_eq!(masked(ours.trim_end()), masked(theirs.trim_end()), "{method} {path}");
    }
}

#[test]
fn every_request_to_a_standalone_needs_the_database() {
    let plan = plan("timeline: [ { at: 5s, database: refused, for: 10s } ]\n");
    // The first one fails at once, byte for byte; a seed whose process outlives the ten seconds.
    let seed = (1..50).find(|seed| {
        let simulation = simulate(&plan, *seed, at(14_000));
        simulation.members()[0].port() == Port::Open
    });
    let seed = seed.expect("half of the processes live on for 30 s");
    let mut simulation = simulate(&plan, seed, at(5_080));
    assert_eq!(
        text(&answered(ask(&simulation, 0, "/health", at(5_080)))),
        recorded("db_down/standalone_refused_first.http")
    );
    // Then everything hangs, /prometheus and liveness too, and is well when the database is back.
    simulation.advance(at(6_000)).expect("no limit");
    let paths = ["/health/liveness", "/health", "/prometheus", "/worker", "/loggers"];
    for path in paths {
        assert!(matches!(ask(&simulation, 0, path, at(6_000)), Outcome::Wait(_)), "{path}");
    }
    simulation.advance(at(15_400)).expect("no limit");
    for path in paths {
        assert_eq!(answered(ask(&simulation, 0, path, at(6_000))).status, 200, "{path}");
    }
    let alive = simulate(&plan, seed, at(60_000));
    assert_eq!(alive.members()[0].port(), Port::Open, "nothing died");
}

#[test]
fn a_standalone_without_its_database_closes_its_port_and_may_never_exit() {
    let plan =
        plan("duration: 20m\ntimeline: [ { at: 5s, database: refused, for: 95s }, { at: 10m, stop: standalone-1 } ]\n");
    let (mut quick, mut zombies) = (0, 0);
    for seed in 1..=20 {
        let simulation = simulate(&plan, seed, at(40_000));
        let closed = when(&simulation, "closes its ports") - 5_000;
        assert_eq!(simulation.members()[0].port(), Port::Closing, "connections are accepted and reset");
        assert!(matches!(ask(&simulation, 0, "/health", at(40_000)), Outcome::Reset));
        let later = simulate(&plan, seed, at(400_000));
        if closed < 2_000 {
            quick += 1;
            let exit = when(&later, "exits with code 1") - 5_000;
            assert!((62_000..65_000).contains(&exit), "recorded 63 s: {exit}");
        } else {
            zombies += 1;
            assert!((30_000..31_000).contains(&closed), "recorded 30.4 s: {closed}");
            assert_eq!(later.members()[0].port(), Port::Closing, "still there five minutes after the database is back");
            let stopped = simulate(&plan, seed, at(620_000));
            assert_eq!(when(&stopped, "exits with code 143"), 603_000, "SIGTERM ends it in 3 s");
        }
    }
    assert!(quick > 3 && zombies > 3, "both were recorded: {quick} and {zombies}");
}

#[test]
fn a_worker_whose_database_stalls_answers_all_but_health() {
    let plan = plan(
        "cluster: { members: { executor: 1, worker: 1 } }\ntimeline: [ { at: 5s, database: stalled, for: 60s } ]\n",
    );
    let mut simulation = simulate(&plan, 1, at(6_000));
    for path in ["/prometheus", "/health/liveness", "/worker"] {
        assert_eq!(answered(ask(&simulation, 1, path, at(6_000))).status, 200, "{path}");
    }
    let Outcome::Wait(until) = ask(&simulation, 1, "/health", at(5_010)) else { panic!("it waits") };
    simulation.advance(until).expect("no limit");
    let ours = text(&answered(ask(&simulation, 1, "/health", at(5_010))));
    let theirs = recorded("db_down/worker_stalled_health.http");
    assert_eq!(masked(&ours), masked(&theirs));
    // Dead at 30.7 s, gone at 63 s.
    let later = simulate(&plan, 1, at(80_000));
    let closed =
        journal(&later).iter().find(|(_, it)| it.contains("worker-1 closes its ports")).expect("closed").0 - 5_000;
    let gone = journal(&later).iter().find(|(_, it)| it.contains("worker-1 exits")).expect("gone").0 - 5_000;
    assert!((29_900..31_000).contains(&closed) && (61_000..64_000).contains(&gone), "{closed} {gone}");
}

#[test]
fn jobs_of_a_killed_worker_come_back_as_late_as_recorded() {
    let plan = plan(
        "duration: 20m\ncluster: { members: { executor: 1, webserver: 1, worker: 2 } }\nflows: [ { id: a, namespace: n.t, tasks: [ { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT20M } ] } ]\narrivals: [ { flow: n.t.a, rate: 60/min } ]\ntimeline: [ { at: 10s, kill: worker-1 } ]\n",
    );
    let simulation = simulate(&plan, 1, at(500_000));
    let disconnected = when(&simulation, "worker-1 is DISCONNECTED") - 10_000;
    let again = when(&simulation, "handed out again") - 10_000;
    assert!((45_000..53_000).contains(&disconnected), "recorded +46.5 to +52 s: {disconnected}");
    assert!((345_000..356_000).contains(&again), "recorded +350 s: {again}");
}

#[test]
fn sigterm_closes_the_ports_at_once_while_tasks_drain() {
    let text = |tasks: &str| {
        plan(&format!(
            "cluster: {{ members: {{ executor: 1, worker: 1, webserver: 1 }} }}\nflows: [ {{ id: a, namespace: n.t, tasks: [ {{ id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT30S }} ] }} ]\n{tasks}timeline: [ {{ at: 10s, stop: worker-1 }} ]\n"
        ))
    };
    let idle = simulate(&text(""), 1, at(20_000));
    let exit = when(&idle, "worker-1 exits") - 10_000;
    assert!((1_300..1_800).contains(&exit), "recorded 1.5 s: {exit}");
    let busy = text("arrivals: [ { flow: n.t.a, rate: 8/min } ]\n");
    let draining = simulate(&busy, 1, at(10_100));
    assert_eq!(draining.members()[1].port(), Port::Closing);
    assert!(draining.members()[1].running() > 0);
    let exit = when(&simulate(&busy, 1, at(90_000)), "worker-1 exits") - 10_000;
    assert!((3_000..33_000).contains(&exit), "the tasks first: {exit}");
}

#[test]
fn counters_say_what_they_said() {
    let plan = plan(
        "cluster: { standalone: { threads: 4 } }\nflows:\n  - { id: nap, namespace: n.t, tasks: [ { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT30S } ] }\n  - { id: two, namespace: n.t, tasks: [ { id: a, type: a.b.C }, { id: b, type: a.b.C } ] }\n  - id: retrying\n    namespace: n.t\n    tasks: [ { id: f, type: io.kestra.plugin.core.execution.Fail, retry: { type: constant, interval: PT1S, maxAttempts: 3 } } ]\narrivals: [ { flow: n.t.nap, rate: 4/min }, { flow: n.t.two, rate: 6/min }, { flow: n.t.retrying, rate: 6/min } ]\n",
    );
    let simulation = simulate(&plan, 1, at(300_000));
    let text = exposition(&simulation, 0);
    let families = families(&text);
    let sum = |name: &str, part: &[(&str, &str)]| -> f64 {
        let wanted: BTreeMap<String, String> =
            part.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let lines = families.iter().flat_map(|family| family.series.iter().zip(&family.values));
        lines
            .filter(|(line, _)| line.split('{').next() == Some(name))
            .filter(|(line, _)| wanted.iter().all(|label| labels(line).get(label.0) == Some(label.1)))
            .map(|(_, value)| value.parse::<f64>().expect("a number"))
            .sum()
    };
    // No tenant anywhere, and no family of later versions.
    assert!(families.iter().all(|family| !family.keys().contains(&"tenant_id".to_owned())));
    assert!(!text.contains("# TYPE kestra_queue_") && !text.contains("taskrun_created"));
    // The time that tasks waited, not that they ran.
    let shown = sum("kestra_worker_ended_duration_seconds_sum", &[("flow_id", "nap")]);
    let count = sum("kestra_worker_ended_duration_seconds_count", &[("flow_id", "nap")]);
    let queued = sum("kestra_worker_queued_duration_seconds_sum", &[("flow_id", "nap")]);
    assert!(count > 5.0 && shown <= queued, "{shown} of {count}, queued {queued}");
    // One next from CREATED for an execution, one from RUNNING for each further task, none for another attempt.
    let started = |flow| sum("kestra_executor_execution_started_count_total", &[("flow_id", flow)]);
    let next = |flow, state| sum("kestra_executor_taskrun_next_count_total", &[("flow_id", flow), ("state", state)]);
    assert_eq!(next("retrying", "CREATED"), started("retrying"));
    assert_eq!(next("retrying", "RUNNING"), 0.0);
    assert!(next("two", "CREATED") == started("two") && next("two", "RUNNING") > 0.0);
    // Each failed attempt counts as an execution that ended.
    let ended = sum("kestra_executor_execution_end_count_total", &[("flow_id", "retrying"), ("state", "FAILED")]);
    assert!(ended > 2.0 * (started("retrying") - 3.0), "{ended} ends of {} executions", started("retrying"));
    assert!(body(&capture_of("0.20", "standalone/GET_prometheus.http")).len() > 10_000);
}
