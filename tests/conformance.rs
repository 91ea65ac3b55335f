//! Recorded requests to real servers, Kestra 1.3.19 and 0.20.7, asked again of the mock: status line, headers in order and body must be the
//! same bytes. Only what moves on the real server is masked, by name.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells how much was compared")]

mod common;

use std::io::Read as _;

use common::exchange::{
    Recordings, Table, after, answered, ask, assert_none, configured, get, mask_header, mask_value, read, recorded,
    show, simulate,
};
use mock_kestra::flow::{Flow, Schedule, Task, Trigger, TriggerAction};
use mock_kestra::management::{Body, Listener, Outcome, answer};
use mock_kestra::profile::Role;
use mock_kestra::scenario::{Amount, Arrivals, DatabaseFault, DatabaseKind, Fault, FaultKind, TimelineEntry};
use mock_kestra::simulator::{Command, Simulation};
use mock_kestra::time::Duration;
use serde_json::Value;

static V1_3: Recordings =
    Recordings { version: "1.3", database: DatabaseKind::Postgresql, other_bodies: OTHER_BODIES_1_3, not_asked: &[] };
static V0_20: Recordings = Recordings {
    version: "0.20",
    database: DatabaseKind::Postgresql,
    other_bodies: OTHER_BODIES,
    not_asked: NOT_ASKED,
};

/// One idle process of 1.3 of this role, ten minutes old.
fn idle(role: Role) -> Simulation {
    V1_3.idle(role)
}

/// Recorded exchanges of 1.3 whose body is another one here, and why.
const OTHER_BODIES_1_3: Table = &[
    ("server_local GET_env", "that server had other files of configuration"),
    (
        "GET_metrics_kestra.queue.receive.duration",
        "the tags of this start of the server; the profile has those of another",
    ),
    (
        "GET_metrics_http_server_requests",
        "the tags are those of the requests before it, which the model does not count",
    ),
];

/// The same of 0.20.
const OTHER_BODIES: Table = &[
    ("alloff GET_env", "that server had a file of configuration more"),
    ("basicauth right/GET_metrics", "the collector had had a concurrent phase"),
    ("GET_metrics", "the collector had had a concurrent phase, which brings a meter"),
    ("GET_metrics_slash", "the same"),
    (
        "GET_metrics_kestra_timer_jdbc.query.duration",
        "the tags of this start of the server; the profile has those of another",
    ),
];

/// Exchanges of 0.20 that are not asked here, and why.
const NOT_ASKED: Table = &[
    ("GET_api_v1_flows_search", "the API of the webserver is no part of the mock"),
    ("webserver port8080_api_flows_search", "likewise"),
    ("webserver port8080_api", "a page of the API"),
    ("GET_api", "a page of the API"),
    ("port8080_8080_right_flows", "likewise"),
    ("pipelined_two", "two answers in one: the edge's matter, tests/wire.rs"),
    ("keepalive_two", "likewise"),
    ("malformed_version", "HTTP/9.9 is refused here: the HTTP library reads no such version"),
    ("http2_preface", "likewise"),
    ("empty_line_first", "the edge's matter"),
    ("lf_only", "the edge's matter"),
    ("expect_continue", "the edge's matter"),
    ("chunked_post", "the edge's matter"),
    ("tls_hello", "no answer"),
];

#[test]
fn few_exchanges_are_excepted() {
    for recordings in [&V0_20, &V1_3] {
        let ((all, excepted), version) = (recordings.counts(), recordings.version);
        println!("{version}: {all} exchanges, {excepted} of them excepted in part or in whole");
        assert!(all > 400 && excepted * 25 <= all, "{version}: {excepted} of {all}");
    }
}

fn replay(set: &str, role: Role) {
    assert_none(&V1_3.differences(&mut V1_3.idle(role), set));
}

#[test]
fn every_endpoint_of_a_standalone_answers_as_recorded() {
    replay("standalone", Role::Standalone);
}

#[test]
fn v0_20_answers_as_recorded() {
    let sets = ["standalone", "methods", "accept", "head", "loggers", "paths", "port8080", "wire"];
    let of = |set: &&str| V0_20.differences(&mut V0_20.idle(Role::Standalone), set);
    let mut wrong: Vec<String> = sets.iter().flat_map(of).collect();
    for role in [Role::Webserver, Role::Executor, Role::Worker, Role::Scheduler, Role::Indexer] {
        wrong.extend(V0_20.differences(&mut V0_20.idle(role), role.name()));
    }
    assert_none(&wrong);
}

/// Recorded configurations: version, set, database, and what was set.
const CONFIGURATIONS: &[(&str, &str, &str, &str)] = &[
    ("0.20", "alloff", "postgresql", "{ endpoints: { all: { enabled: false } } }"),
    ("0.20", "basicauth", "postgresql", "{ endpoints: { all: { basic-auth: { username: prom, password: s3cret } } } }"),
    ("0.20", "server_local", "h2-file", "{}"),
    ("1.3", "server_local", "h2-file", "{}"),
    ("0.20", "sensitive", "postgresql", "{ endpoints: { all: { sensitive: true } } }"),
    (
        "0.20",
        "webauth",
        "postgresql",
        "{ kestra: { server: { basicAuth: { enabled: true, username: admin@kestra.io, password: kestra } } } }",
    ),
    (
        "0.20",
        "path_manage_diskdown",
        "h2",
        "{ endpoints: { all: { path: /manage }, health: { disk-space: { threshold: 999999999999999 } } } }",
    ),
    ("1.3", "all_disabled", "postgresql", "{ endpoints.all.enabled: false }"),
    ("1.3", "basic_auth", "postgresql", "{ endpoints.all.basic-auth: { username: mon, password: s3cret } }"),
    (
        "1.3",
        "details_authenticated_prometheus_off",
        "postgresql",
        "{ endpoints: { health: { details-visible: AUTHENTICATED }, prometheus: { enabled: false } } }",
    ),
    (
        "1.3",
        "health_DOWN_by_disk",
        "postgresql",
        "{ endpoints: { health: { disk-space: { enabled: true, threshold: 900000GB }, discovery-client: { enabled: true } } } }",
    ),
    (
        "1.3",
        "health_DOWN_details_never_http_mapping",
        "postgresql",
        "{ endpoints: { health: { details-visible: NEVER, disk-space: { enabled: true, threshold: 900000GB }, status: { http-mapping: { DOWN: 418 } } } } }",
    ),
    (
        "1.3",
        "health_DOWN_with_endpoints_path",
        "postgresql",
        "{ endpoints: { all: { path: /mgmt }, health: { disk-space: { enabled: true, threshold: 900000GB } } } }",
    ),
    (
        "1.3",
        "health_UP_all_indicators",
        "postgresql",
        "{ endpoints: { health: { disk-space: { enabled: true }, discovery-client: { enabled: true } } } }",
    ),
    ("1.3", "sensitive", "postgresql", "{ endpoints: { all: { sensitive: true } } }"),
];

#[test]
fn configured_servers_answer_as_recorded() {
    let mut wrong = Vec::new();
    for (version, set, database, configuration) in CONFIGURATIONS {
        let recordings = if *version == "0.20" { &V0_20 } else { &V1_3 };
        let mut simulation = configured(version, database, configuration);
        wrong.extend(recordings.differences(&mut simulation, &format!("../configuration/{set}")));
    }
    assert_none(&wrong);
}

#[test]
fn every_method_on_every_path_answers_as_recorded() {
    replay("methods", Role::Standalone);
}

#[test]
fn content_negotiation_and_compression_are_as_recorded() {
    replay("accept", Role::Standalone);
}

#[test]
fn loggers_are_set_and_reset_as_recorded() {
    replay("loggers", Role::Standalone);
}

#[test]
fn only_the_first_refresh_names_changes() {
    replay("refresh", Role::Standalone);
}

#[test]
fn odd_requests_on_the_wire_answer_as_recorded() {
    replay("wire", Role::Standalone);
}

#[test]
fn the_application_port_answers_as_recorded() {
    replay("port8080", Role::Standalone);
}

#[test]
fn each_role_answers_as_recorded() {
    for role in [Role::Webserver, Role::Executor, Role::Worker, Role::Scheduler, Role::Indexer] {
        replay(role.name(), role);
    }
}

#[test]
fn a_compressed_scrape_is_the_plain_one_compressed() {
    let mut simulation = idle(Role::Standalone);
    let mut scrape = |encoding: &str| {
        let text = format!("GET /prometheus HTTP/1.1\r\nAccept-Encoding: {encoding}\r\n\r\n");
        let request = read(&text, Listener::Management, simulation.now());
        match answered(ask(&mut simulation, &request)).body {
            Body::Sized(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    };
    let (plain, gzip, deflate) = (scrape("br"), scrape("gzip"), scrape("deflate"));
    // The recorded server's gzip header: no time, operating system 0.
    assert_eq!(gzip[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
    let mut inflated = [Vec::new(), Vec::new()];
    flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut inflated[0]).expect("gzip");
    flate2::read::ZlibDecoder::new(&deflate[..]).read_to_end(&mut inflated[1]).expect("zlib");
    assert!(plain.len() > 100_000 && gzip.len() * 5 < plain.len());
    assert!(inflated.iter().all(|inflated| *inflated == plain));
}

#[test]
fn a_thread_dump_begins_as_the_recorded_one() {
    let mut simulation = idle(Role::Standalone);
    let request = get("/threaddump", simulation.now());
    let dump = answered(ask(&mut simulation, &request));
    let (head, body) = show(&dump, false);
    let recorded = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: *\r\ntransfer-encoding: chunked";
    assert_eq!(mask_header(&head, "date"), recorded);
    assert!(matches!(dump.body, Body::Chunked(_)));
    assert_eq!(body, common::capture("management/threaddump.json"));
}

fn flow(id: &str, triggers: Vec<Trigger>, tasks: Vec<Task>) -> Flow {
    let (id, namespace, labels, errors) = (id.to_owned(), "company.team".to_owned(), Vec::new(), Vec::new());
    Flow { id, namespace, labels, tasks, errors, triggers, ..Flow::default() }
}

fn sleep(id: &str, duration: Duration) -> Task {
    Task {
        id: id.to_owned(),
        kind: "io.kestra.plugin.core.flow.Sleep".to_owned(),
        sleep: Some(duration.into()),
        ..Task::default()
    }
}

#[test]
fn running_tasks_and_triggers_show_as_recorded() {
    let every = |id: &str, cron: &str, with_seconds| {
        let schedule = Schedule { cron: cron.to_owned(), with_seconds, timezone: "UTC".to_owned() };
        let (kind, action) = ("io.kestra.plugin.core.trigger.Schedule".to_owned(), TriggerAction::Schedule(schedule));
        Trigger {
            id: id.to_owned(),
            kind,
            action,
            disabled: false,
            limits: Default::default(),
            gives: Default::default(),
        }
    };
    let flows = vec![
        flow("longsleep", Vec::new(), vec![sleep("sleep", Duration::minutes(5))]),
        flow("sched5s", vec![every("every_5s", "*/5 * * * * *", true)], vec![sleep("s", Duration::milliseconds(1))]),
    ];
    let mut simulation = simulate(
        "1.3",
        DatabaseKind::Postgresql,
        Role::Standalone,
        flows,
        vec![Arrivals { flow: 0, rate: 1.0, webhook: false, inputs: Default::default() }],
    );
    let at = after(&mut simulation, 30_300);
    let mut shown = |path: &str| show(&answered(ask(&mut simulation, &get(path, at))), false).1;

    // The four threads all run the same task; the recording has one of it.
    let mask = |text: &str| {
        let word = |c: char| c.is_ascii_alphanumeric();
        let text = mask_value(&mask_value(text, "\"taskRun\":{\"id\":\"", word), "\"executionId\":\"", word);
        let date = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
        ["\"date\":\"", "\"startDate\":\"", "\"next\":\""].iter().fold(text, |text, key| mask_value(&text, key, date))
    };
    let worker: Value = serde_json::from_str(&shown("/worker")).expect("JSON");
    assert_eq!(worker["runningCount"], 4);
    let runnings = worker["runnings"].as_array().expect("runnings");
    let recorded = common::capture("management/worker_running.json");
    for running in runnings {
        let one = serde_json::json!({ "runningCount": 1, "runnings": [running] });
        assert_eq!(mask(&one.to_string()), mask(&recorded));
    }
    let recorded = r#"{"schedulableCount":1,"schedulable":[{"flowId":"sched5s","namespace":"company.team","revision":1,"trigger":{"id":"every_5s","type":"io.kestra.plugin.core.trigger.Schedule","cron":"*/5 * * * * *","withSeconds":true},"next":"2026-11-25T02:03:15Z"}]}"#;
    assert_eq!(mask(&shown("/scheduler")), mask(recorded));
}

fn fault(simulation: &mut Simulation, fault: Fault) {
    let (name, at) = ("fault".to_owned(), simulation.now());
    simulation
        .command(Command::Inject(TimelineEntry { name, at, fault, lasts: None, every: None, until: None }))
        .expect("possible");
}

#[test]
fn a_foreign_page_is_turned_away_from_a_local_server() {
    let mut simulation = idle(Role::Standalone);
    for (host, origin, status) in [
        ("localhost:8081", "http://evil.test", 403),
        ("127.0.0.1", "http://evil.test", 403),
        ("localhost:8081", "http://localhost:3000", 200),
        ("kestra-0:8081", "http://evil.test", 200),
    ] {
        let text = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
        let request = read(&text, Listener::Management, simulation.now());
        let answer = answered(ask(&mut simulation, &request));
        assert_eq!(answer.status, status, "{host} {origin}");
        if status == 403 {
            assert_eq!(show(&answer, false).0, "HTTP/1.1 403 Forbidden\r\ncontent-length: 0");
        }
    }
}

#[test]
fn after_stop_health_stays_up_for_two_seconds_then_fails_once_then_the_port_is_closed() {
    let mut simulation = idle(Role::Standalone);
    let stop = read("POST /stop HTTP/1.1\r\nHost: kestra-0:8081\r\n\r\n", Listener::Management, simulation.now());
    let exchange = &recorded("1.3", "stop")[0];
    let (head, body) = show(&answered(ask(&mut simulation, &stop)), false);
    assert_eq!((mask_header(&head, "date"), Some(body)), (mask_header(&exchange.head, "date"), exchange.body.clone()));

    let at = after(&mut simulation, 30);
    let up = answered(ask(&mut simulation, &get("/health", at)));
    assert_eq!((up.status, up.reason.as_str()), (200, "Ok"));

    let at = after(&mut simulation, 1_990);
    let gone = answered(ask(&mut simulation, &get("/health", at)));
    let recorded = r#"{"message":"Internal server error: No bean of type [io.micronaut.runtime.graceful.GracefulShutdownManager] exists. ","logref":null,"path":null,"_links":{"self":{"href":"/health","templated":false,"profile":null,"deprecation":null,"title":null,"hreflang":null,"type":null,"name":null}},"_embedded":{}}"#;
    assert_eq!((gone.status, show(&gone, false).1.as_str()), (500, recorded));
    assert_eq!(answered(ask(&mut simulation, &get("/health/liveness", at))).status, 200);

    let at = after(&mut simulation, 100);
    assert_eq!(ask(&mut simulation, &get("/health", at)), Outcome::Refused);
}

#[test]
fn with_a_stalled_database_health_hangs_and_liveness_and_prometheus_answer() {
    let mut simulation = idle(Role::Standalone);
    fault(&mut simulation, Fault::of_database(DatabaseFault::Stalled));
    let at = after(&mut simulation, 1_000);
    for path in ["/health", "/health/readiness", "/scheduler"] {
        let outcome = ask(&mut simulation, &get(path, at));
        assert!(matches!(outcome, Outcome::Wait(until) if until > at + Duration::seconds(30)), "{path}: {outcome:?}");
    }
    for path in ["/health/liveness", "/prometheus"] {
        assert_eq!(answered(ask(&mut simulation, &get(path, at))).status, 200, "{path}");
    }
    // The process ends before anybody gets a DOWN.
    after(&mut simulation, 60_000);
    assert_eq!(ask(&mut simulation, &get("/health", at)), Outcome::Refused);
}

#[test]
fn a_stalled_database_that_comes_back_lets_waiting_requests_go() {
    let mut simulation = idle(Role::Standalone);
    fault(&mut simulation, Fault::of_database(DatabaseFault::Stalled));
    let asked = get("/health", after(&mut simulation, 1_000));
    assert!(matches!(ask(&mut simulation, &asked), Outcome::Wait(_)));
    simulation.command(Command::Clear("fault".to_owned())).expect("it is there");
    after(&mut simulation, 5_000);
    assert_eq!(answered(ask(&mut simulation, &asked)).status, 200);
}

#[test]
fn with_a_refused_database_the_first_readiness_is_down_as_recorded() {
    let mut simulation = idle(Role::Executor);
    fault(&mut simulation, Fault::of_database(DatabaseFault::Refused));
    let at = after(&mut simulation, 300);
    let (head, body) = show(&answered(ask(&mut simulation, &get("/health/readiness", at))), false);
    let recorded = common::capture("db_down/executor_readiness_refused.http");
    let (recorded_head, recorded_body) = recorded.split_once("\r\n\r\n").expect("an empty line");
    assert_eq!(mask_header(&head, "date"), mask_header(recorded_head, "date"));
    assert_eq!(body, recorded_body);
}

#[test]
fn an_indexer_that_lost_its_database_says_down_after_thirty_seconds() {
    let mut simulation = idle(Role::Indexer);
    fault(&mut simulation, Fault::of_database(DatabaseFault::Refused));
    let request = get("/health/readiness", after(&mut simulation, 600));
    let Outcome::Wait(until) = ask(&mut simulation, &request) else { panic!("it waits for the pool") };
    simulation.advance(until).expect("no limit");
    let (head, body) = show(&answered(ask(&mut simulation, &request)), false);
    let recorded = common::capture("db_down/indexer_readiness_after_30s.http");
    let (recorded_head, recorded_body) = recorded.split_once("\r\n\r\n").expect("an empty line");
    let digits = |text: &str| {
        mask_value(&mask_value(text, "out after ", |c| c.is_ascii_digit()), "waiting=", |c| c.is_ascii_digit())
    };
    assert_eq!(mask_header(&head, "date"), mask_header(recorded_head, "date"));
    assert_eq!(digits(&body), digits(recorded_body));
}

#[test]
fn dead_hung_and_paused_members_do_not_answer() {
    for (what, outcome) in [
        (Fault::of_members(FaultKind::Kill, vec![0]), Outcome::Refused),
        (Fault::of_members(FaultKind::Hang, vec![0]), Outcome::Hang),
    ] {
        let mut simulation = idle(Role::Worker);
        fault(&mut simulation, what);
        let at = after(&mut simulation, 10);
        assert_eq!(ask(&mut simulation, &get("/health/liveness", at)), outcome);
    }
    let mut simulation = idle(Role::Worker);
    fault(
        &mut simulation,
        Fault { amount: Amount::Pause(Duration::seconds(8)), ..Fault::of_members(FaultKind::GcPause, vec![0]) },
    );
    let asked = get("/health/liveness", after(&mut simulation, 10));
    let Outcome::Wait(until) = ask(&mut simulation, &asked) else { panic!("the process stands still") };
    simulation.advance(until).expect("no limit");
    assert_eq!(answered(ask(&mut simulation, &asked)).status, 200);
    assert_eq!(answer(&asked, &simulation, 7), Outcome::Refused);
}

#[test]
fn a_deadlock_takes_liveness_down() {
    let mut simulation = idle(Role::Worker);
    fault(&mut simulation, Fault::of_members(FaultKind::Deadlock, vec![0]));
    let at = after(&mut simulation, 10);
    let down = answered(ask(&mut simulation, &get("/health/liveness", at)));
    assert_eq!((down.status, down.reason.as_str()), (503, "Service Unavailable"));
}
