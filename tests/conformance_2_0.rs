//! Recorded requests to a real Kestra 2.0.0, asked again of the mock: status line, headers in order and body must be the same
//! bytes. Only what moves on the real server is masked, by name. The requests to roles and to configured servers were not
//! kept: they follow from the names of the recordings, and the credentials in them are made up.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells how much was compared")]

mod common;

use common::exchange::{
    Recordings, Table, after, answered, ask, assert_none, configured, get, mask_header, mask_value, read, recorded,
    scenario, show, simulate,
};
use mock_kestra::flow::{Flow, Schedule, Task, Trigger, TriggerAction};
use mock_kestra::management::{Listener, Outcome};
use mock_kestra::profile::Role;
use mock_kestra::scenario::{Arrivals, DatabaseFault, DatabaseKind, Fault, TimelineEntry};
use mock_kestra::simulator::{Command, Simulation};
use mock_kestra::time::Duration;
use serde_json::Value;

static V2_0: Recordings =
    Recordings { version: "2.0", database: DatabaseKind::H2, other_bodies: OTHER_BODIES, not_asked: NOT_ASKED };

/// Exchanges whose body is another one here, and why.
const OTHER_BODIES: Table =
    &[("37_GET_loggers_after", "the requests before it had loaded classes, which brought their loggers")];

/// Exchanges that are not asked here, and why.
const NOT_ASKED: Table = &[
    ("GET_favicon.ico", "a file of the UI"),
    ("GET_static_favicon.png", "likewise"),
    ("GET_robots.txt", "likewise"),
    ("port8080 auth_GET_flow_nope", "the API of the webserver is no part of the mock"),
    ("bad_version", "HTTP/9.9 is refused here: the HTTP library reads no such version"),
    ("h2_preface", "likewise"),
    ("chunked_post", "the edge's matter, tests/wire.rs"),
    ("basic_auth right_GET_worker", "that server had just started: a_worker_that_starts_fails_as_recorded"),
    ("sensitive GET_worker", "likewise"),
    ("worker after_GET_worker", "a task ran there: what_a_worker_runs_shows_as_recorded"),
];

#[test]
fn few_exchanges_are_excepted() {
    let (all, excepted) = V2_0.counts();
    println!("2.0: {all} exchanges, {excepted} of them excepted in part or in whole");
    assert!(all > 400 && excepted * 25 <= all, "{excepted} of {all}");
}

#[test]
fn a_standalone_answers_as_recorded() {
    let mut standalone = V2_0.idle(Role::Standalone);
    // One server answered all of them, in this order: what one set does the next one sees.
    let sets = ["standalone", "port8080", "loggers", "head", "methods", "accept", "paths", "wire"];
    let wrong: Vec<String> = sets.iter().flat_map(|set| V2_0.differences(&mut standalone, set)).collect();
    assert_none(&wrong);
}

#[test]
fn each_role_answers_as_recorded() {
    let mut wrong = Vec::new();
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Standalone) {
        wrong.extend(V2_0.differences(&mut V2_0.idle(role), role.name()));
    }
    assert_none(&wrong);
}

/// Recorded configurations: set, and what was set.
const CONFIGURATIONS: &[(&str, &str)] = &[
    ("basic_auth", "{ endpoints: { all: { basic-auth: { username: mon, password: s3cret } } } }"),
    ("sensitive", "{ endpoints: { all: { sensitive: true } } }"),
    (
        "never_prefix_tags_labels_worker_disabled",
        "{ endpoints: { health: { details-visible: NEVER }, worker: { enabled: false } }, kestra: { metrics: { prefix: acme, labels: [team] } } }",
    ),
];

#[test]
fn configured_servers_answer_as_recorded() {
    let mut wrong = Vec::new();
    for (set, configuration) in CONFIGURATIONS {
        let mut simulation = configured("2.0", "h2", configuration);
        wrong.extend(V2_0.differences(&mut simulation, &format!("../configuration/{set}")));
    }
    assert_none(&wrong);
}

fn flow(id: &str, triggers: Vec<Trigger>, sleep: Duration) -> Flow {
    let task = Task {
        id: "s".to_owned(),
        kind: "io.kestra.plugin.core.flow.Sleep".to_owned(),
        sleep: Some(sleep.into()),
        ..Task::default()
    };
    let (id, namespace, labels, errors) = (id.to_owned(), "company.team".to_owned(), Vec::new(), Vec::new());
    Flow { id, namespace, labels, tasks: vec![task], errors, triggers, ..Flow::default() }
}

fn standalone(flows: Vec<Flow>, arrivals: Vec<Arrivals>) -> Simulation {
    simulate("2.0", DatabaseKind::H2, Role::Standalone, flows, arrivals)
}

fn lose_database(simulation: &mut Simulation, how: DatabaseFault) {
    let (name, at, fault) = ("fault".to_owned(), simulation.now(), Fault::of_database(how));
    simulation
        .command(Command::Inject(TimelineEntry { name, at, fault, lasts: None, every: None, until: None }))
        .expect("possible");
}

#[test]
fn what_a_worker_runs_shows_as_recorded() {
    let arrivals = vec![Arrivals { flow: 0, rate: 1.0, webhook: false, inputs: Default::default() }];
    let mut simulation = standalone(vec![flow("sleep", Vec::new(), Duration::minutes(5))], arrivals);
    let at = after(&mut simulation, 30_300);
    let (_, body) = show(&answered(ask(&mut simulation, &get("/worker", at))), false);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let runnings = body["runnings"].as_array().expect("runnings");
    assert!(!runnings.is_empty() && body["runningCount"] == runnings.len());

    let exchanges = recorded("2.0", "worker");
    let exchange = exchanges.iter().find(|exchange| exchange.name == "after_GET_worker").expect("a recording");
    let mask = |text: &str| {
        let word = |c: char| c.is_ascii_alphanumeric();
        let text = mask_value(&mask_value(text, "\"taskRun\":{\"id\":\"", word), "\"executionId\":\"", word);
        let date = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
        let text = ["\"date\":\"", "\"startDate\":\""].iter().fold(text, |text, key| mask_value(&text, key, date));
        // The recorded flow has an expression there, the mock knows its value.
        mask_value(&text, "\"duration\":\"", |c| c != '"')
    };
    for running in runnings {
        let one = serde_json::json!({ "runningCount": 1, "runnings": [running] });
        assert_eq!(mask(&one.to_string()), mask(exchange.body.as_deref().expect("a body")));
    }
}

#[test]
fn a_worker_that_starts_fails_as_recorded() {
    let mut simulation = scenario(
        "name: starting\nkestra: \"2.0\"\ncluster: { start: booting, database: h2, standalone: 1 }\nduration: 10m\n",
    );
    let exchanges = recorded("2.0", "../configuration/sensitive");
    let exchange = exchanges.iter().find(|exchange| exchange.name == "GET_worker").expect("a recording");
    let mut failed = 0;
    for _ in 0..1_200 {
        let at = after(&mut simulation, 100);
        let Outcome::Answer(answer) = ask(&mut simulation, &get("/worker", at)) else { continue };
        if answer.status == 200 {
            assert!((20..40).contains(&failed), "{failed} times");
            return;
        }
        failed += 1;
        let shown = show(&answer, false);
        let heads = [&shown.0, &exchange.head].map(|head| mask_header(&mask_header(head, "date"), "content-length"));
        assert_eq!(heads[0], heads[1]);
        let bodies = [&shown.1, exchange.body.as_ref().expect("a body")];
        let bodies = bodies.map(|body| mask_value(body, "\"traceId\":\"", |c| c.is_ascii_alphanumeric()));
        assert_eq!(bodies[0], bodies[1]);
        assert_eq!(answered(ask(&mut simulation, &get("/health", at))).status, 200);
    }
    panic!("it never started");
}

#[test]
fn the_scheduler_lists_what_is_due_and_no_schedules() {
    let trigger = |id: &str, kind: &str, action| Trigger {
        id: id.to_owned(),
        kind: format!("io.kestra.plugin.core.{kind}"),
        action,
        disabled: false,
        limits: Default::default(),
        gives: Default::default(),
    };
    let schedule = Schedule { cron: "*/5 * * * * *".to_owned(), with_seconds: true, timezone: "UTC".to_owned() };
    let triggers = vec![
        trigger("sec", "trigger.Schedule", TriggerAction::Schedule(schedule)),
        trigger("http", "http.Trigger", TriggerAction::Poll { interval: Duration::seconds(10) }),
    ];
    let mut simulation = standalone(vec![flow("poll", triggers, Duration::milliseconds(1))], Vec::new());
    // standalone/sleep20, without the properties of the plugin.
    let due = r#"{"schedulableCount":1,"schedulable":[{"flowId":"poll","namespace":"company.team","revision":1,"trigger":{"id":"http","type":"io.kestra.plugin.core.http.Trigger","interval":"PT10S"},"next":"*"}]}"#;
    let none = r#"{"schedulableCount":0,"schedulable":[]}"#;
    let mut seen = [0, 0];
    for _ in 0..300 {
        let at = after(&mut simulation, 100);
        let (_, body) = show(&answered(ask(&mut simulation, &get("/scheduler", at))), false);
        let body = mask_value(&body, "\"next\":\"", |c| c != '"');
        assert!([due, none].contains(&body.as_str()), "{body}");
        seen[usize::from(body == due)] += 1;
    }
    println!("not due, due: {seen:?}");
    assert!(seen[0] > seen[1] && seen[1] > 0, "{seen:?}");
}

#[test]
fn without_its_database_a_scheduler_is_down_as_recorded() {
    for (file, milliseconds) in [("scheduler_refused_first", 200), ("scheduler_refused_after_30s", 1_000)] {
        let mut simulation = V2_0.idle(Role::Scheduler);
        lose_database(&mut simulation, DatabaseFault::Refused);
        let request = get("/health", after(&mut simulation, milliseconds));
        let outcome = match ask(&mut simulation, &request) {
            Outcome::Wait(until) => {
                simulation.advance(until).expect("no limit");
                ask(&mut simulation, &request)
            }
            outcome => outcome,
        };
        let shown = show(&answered(outcome), false);
        let text = common::capture_of("2.0", &format!("db_down/{file}.http"));
        let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
        let moving = |text: &str| {
            let text = mask_value(text, "HikariUrlDataSource@", |c| c.is_ascii_hexdigit());
            ["after ", "total=", "active=", "waiting="]
                .iter()
                .fold(text, |text, key| mask_value(&text, key, |c| c.is_ascii_digit()))
        };
        let heads = [head, &shown.0].map(|head| mask_header(&mask_header(head, "date"), "content-length"));
        assert_eq!(heads[0], heads[1]);
        assert_eq!(moving(&shown.1), moving(body));
        assert_eq!(answered(ask(&mut simulation, &get("/health/liveness", request.arrived))).status, 200);
    }
}

#[test]
fn a_stalled_database_hangs_those_that_have_one() {
    for (role, hangs) in
        [(Role::Scheduler, true), (Role::Indexer, true), (Role::Controller, true), (Role::Worker, false)]
    {
        let mut simulation = V2_0.idle(role);
        lose_database(&mut simulation, DatabaseFault::Stalled);
        let at = after(&mut simulation, 1_000);
        for path in ["/health", "/health/readiness"] {
            let outcome = ask(&mut simulation, &get(path, at));
            assert_eq!(outcome == Outcome::Hang, hangs, "{role:?} {path}: {outcome:?}");
        }
        for path in ["/health/liveness", "/prometheus"] {
            assert_eq!(answered(ask(&mut simulation, &get(path, at))).status, 200, "{role:?} {path}");
        }
    }
}

#[test]
fn a_thread_dump_begins_as_the_recorded_one() {
    let threads = |role| {
        let mut simulation = V2_0.idle(role);
        let at = simulation.now();
        show(&answered(ask(&mut simulation, &get("/threaddump", at))), false)
    };
    let (head, body) = threads(Role::Standalone);
    assert!(head.ends_with("Referrer-Policy: strict-origin-when-cross-origin\r\ntransfer-encoding: chunked"), "{head}");
    let recorded = common::capture_of("2.0", "management/threaddump.json");
    assert!(body.starts_with(recorded.trim_end_matches(']')));
    assert!(body.contains("HikariPool") && !threads(Role::Worker).1.contains("HikariPool"));
}

#[test]
fn after_stop_health_stays_up_until_the_port_is_closed() {
    let mut simulation = V2_0.idle(Role::Standalone);
    let stop = read("POST /stop HTTP/1.1\r\nHost: kestra-0:8081\r\n\r\n", Listener::Management, simulation.now());
    let stopped = answered(ask(&mut simulation, &stop));
    assert_eq!((stopped.status, show(&stopped, false).1.as_str()), (200, r#"{"message":"Server shutdown started"}"#));
    for _ in 0..600 {
        let at = after(&mut simulation, 100);
        match ask(&mut simulation, &get("/health", at)) {
            Outcome::Answer(answer) => assert_eq!((answer.status, answer.says_down()), (200, false)),
            Outcome::Reset => {}
            outcome => return assert_eq!(outcome, Outcome::Refused),
        }
    }
    panic!("it never stopped");
}
