//! The served cluster's own Prometheus: rules evaluated as time goes on, alerts posted to an Alertmanager.
#![allow(clippy::disallowed_methods, reason = "what is posted has the time of the clock")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::alertmanager::{Alertmanager as RealAlertmanager, Hook};
use common::server::{Local, eventually, plan, session};
use mock_kestra::server::{Alertmanager, Options};
use mock_kestra::{Session, Watch, read_rules};
use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const SCENARIO: &str = "
name: x
duration: 60m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 1 } }
timeline: [ { at: 5m, kill: worker-1, for: 6m } ]
";

const RULES: &str = "
groups:
  - name: a
    rules:
      - { alert: Down, expr: 'up == 0', for: 1m, labels: { severity: page }, annotations: { text: '{{ $labels.instance }}' } }
";

fn watch(rules: &str) -> Watch {
    let rules = read_rules("r.yml", rules).unwrap_or_else(|_| panic!("sound rules")).0;
    Watch { rules, external_labels: vec![("cluster".into(), "blue".into())], live: true, ..Watch::default() }
}

fn watched(rules: &str) -> Session {
    session(plan(SCENARIO)).watched(&watch(rules))
}

async fn alertmanager(status: u16) -> (MockServer, Options) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(status)).mount(&server).await;
    let to: Alertmanager = server.uri().parse().expect("a URL");
    (server, Options { alertmanager: Some(to), ..Options::default() })
}

/// All alerts that were posted, in the order of their requests.
async fn posted(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.expect("they are kept");
    let one = |request: &wiremock::Request| {
        assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/api/v2/alerts"));
        serde_json::from_slice::<Vec<Value>>(&request.body).expect("a list")
    };
    requests.iter().flat_map(one).collect()
}

fn date(value: &Value) -> jiff::Timestamp {
    value.as_str().expect("a text").parse().expect("a date")
}

fn sending(mock: &Local) -> Value {
    mock.ask("GET", "/api/alerts", "").1["sending"].clone()
}

fn wait(mock: &Local) {
    eventually("all is posted", || sending(mock)["waiting"] == 0);
    let (mut before, mut same) = (Value::Null, 0);
    eventually("nothing is under way", || {
        let now = sending(mock);
        same = if now == before { same + 1 } else { 0 };
        before = now;
        same > 3
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_posted_again_and_again_and_as_ended_when_it_is_back() {
    let (server, options) = alertmanager(200).await;
    let mock = Local::serve(watched(RULES), |clock| clock, options);
    mock.pass(300.0);
    wait(&mock);
    assert!(posted(&server).await.is_empty());
    mock.pass(40.0);
    let alerts = mock.ask("GET", "/api/alerts", "").1["data"]["alerts"].clone();
    assert_eq!((&alerts[0]["state"], &alerts[0]["value"]), (&"pending".into(), &"0e+00".into()), "{alerts}");
    mock.pass(80.0);
    wait(&mock);
    let first = posted(&server).await;
    let one = first.first().expect("an alert");
    let labels = serde_json::json!({ "alertname": "Down", "instance": "worker-1:8081", "job": "kestra", "role": "worker",
        "severity": "page", "cluster": "blue" });
    assert_eq!((&one["labels"], &one["annotations"]["text"]), (&labels, &"worker-1:8081".into()));
    assert!(one["generatorURL"].as_str().is_some_and(|url| url.contains("expr=up+%3D%3D+0")), "{one}");
    let (now, begun, ends) = (jiff::Timestamp::now(), date(&one["startsAt"]), date(&one["endsAt"]));
    assert!(begun <= now && now.duration_since(begun).as_secs() < 90, "{begun} {now}");
    assert!(ends > now, "{ends} {now}");
    assert_eq!(mock.ask("GET", "/api/alerts", "").1["data"]["alerts"][0]["state"], "firing");
    mock.pass(130.0);
    wait(&mock);
    assert!(posted(&server).await.len() > first.len(), "it is posted again");
    mock.pass(200.0);
    wait(&mock);
    let all = posted(&server).await;
    let last = all.last().expect("one");
    assert!(date(&last["endsAt"]) <= jiff::Timestamp::now(), "{last}");
    let told = mock.ask("GET", "/api/alerts", "").1;
    assert_eq!(told["data"]["alerts"], Value::Array(Vec::new()));
    assert_eq!((&told["sending"]["posted"], &told["sending"]["failed"]), (&all.len().into(), &0.into()));
    // A reset begins the rules anew, and the same comes again.
    mock.post("/api/reset", "");
    mock.post("/api/advance", r#"{"by": "8m"}"#);
    wait(&mock);
    assert_eq!(posted(&server).await[all.len()]["labels"], labels);
    assert_eq!(mock.ask("GET", "/api/state?at=2m", "").0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_alertmanager_refuses_is_counted_and_not_sent_again() {
    let (server, options) = alertmanager(500).await;
    let mock = Local::serve(watched(RULES), |clock| clock.paused(), options);
    mock.post("/api/advance", r#"{"by": "6m20s"}"#);
    wait(&mock);
    let sending = sending(&mock);
    assert_eq!((&sending["posted"], &sending["failed"]), (&0.into(), &posted(&server).await.len().into()));
    assert!(sending["lastError"].as_str().is_some_and(|why| why.contains("500")), "{sending}");
    let metrics = common::server::ask(&mock.control(), "GET", "/metrics", "").body;
    let metrics = String::from_utf8_lossy(metrics.as_ref()).into_owned();
    assert!(metrics.contains(&format!("mock_kestra_alerts_failed_total {}", sending["failed"])), "{metrics}");
}

/// A cluster that has not run for long, and so many alerts that fire at once.
fn many(alerts: usize) -> Session {
    let rule = |number| format!("      - {{ alert: A{number}, expr: vector(1) }}\n");
    let rules = format!("groups:\n  - name: a\n    rules:\n{}", (0..alerts).map(rule).collect::<String>());
    session(plan(&SCENARIO.replace("members:", "age: 15s, members:"))).watched(&watch(&rules))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_hold_sixty_four_alerts_at_most() {
    let (server, options) = alertmanager(200).await;
    let mock = Local::serve(many(200), |clock| clock.paused(), options);
    mock.post("/api/advance", r#"{"by": "16s"}"#);
    wait(&mock);
    let requests = server.received_requests().await.expect("they are kept");
    let length =
        |request: &wiremock::Request| serde_json::from_slice::<Vec<Value>>(&request.body).expect("a list").len();
    assert_eq!(requests.iter().map(length).collect::<Vec<_>>(), [64, 64, 64, 8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alerts_wait_at_most_and_the_oldest_are_dropped() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(60));
    Mock::given(any()).respond_with(slow).mount(&server).await;
    let options = Options { alertmanager: server.uri().parse().ok(), ..Options::default() };
    let mock = Local::serve(many(10_300), |clock| clock.paused(), options);
    mock.post("/api/advance", r#"{"by": "16s"}"#);
    eventually("one request is under way", || sending(&mock)["waiting"] == 10_000 - 64);
    assert_eq!(sending(&mock)["dropped"], 300);
    let metrics = common::server::ask(&mock.control(), "GET", "/metrics", "").body;
    let metrics = String::from_utf8_lossy(metrics.as_ref()).into_owned();
    assert!(metrics.contains("mock_kestra_alerts_dropped_total 300"), "{metrics}");
    let first: Vec<Value> = posted(&server).await;
    assert_eq!(first[0]["labels"]["alertname"], "A300", "the oldest are those that are dropped");
}

/// The alerts that a real one has, with the state of each.
fn known(real: &RealAlertmanager) -> Vec<Value> {
    let answer = common::server::try_ask(real.address(), "GET", "/api/v2/alerts", "").expect("an answer");
    serde_json::from_str::<Vec<Value>>(&answer.body).expect("a list")
}

/// A chain without a Prometheus: the served cluster, a real Alertmanager, and the receiver that it tells.
fn chain(suite: &str) {
    let hook = Hook::start();
    let folder = common::server::scratch("chain");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("alertmanager.yml");
    let receiver = format!("{{ name: r, webhook_configs: [ {{ url: 'http://{}/r' }} ] }}", hook.address);
    let route = "{ receiver: r, group_by: [alertname], group_wait: 1s, group_interval: 1s }";
    std::fs::write(&file, format!("route: {route}\nreceivers: [ {receiver} ]\n")).expect("written");
    let real = RealAlertmanager::start(suite, &file);
    let to: Alertmanager = format!("http://{}", real.address()).parse().expect("a URL");
    let options = Options { alertmanager: Some(to), ..Options::default() };
    let mock = Local::serve(watched(RULES), |clock| clock, options);
    mock.pass(420.0);
    wait(&mock);
    let alerts = known(&real);
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0]["labels"]["instance"], "worker-1:8081");
    assert_eq!(alerts[0]["status"]["state"], "active");
    let told = |status: &str| {
        let all = hook.bodies("r");
        all.iter().any(|body| body["status"] == status && body["commonLabels"]["cluster"] == "blue")
    };
    eventually("the receiver is told", || told("firing"));
    mock.pass(330.0);
    wait(&mock);
    eventually("the receiver is told that it is over", || told("resolved"));
    assert!(known(&real).is_empty(), "what has ended is not active");
}

#[test]
#[ignore = "needs the Alertmanagers of Debian stable and unstable (.ci/peers)"]
fn a_real_alertmanager_tells_its_receiver_of_what_is_served() {
    ["stable", "unstable"].into_iter().for_each(chain);
}

#[test]
fn without_rules_there_are_no_alerts_and_the_answer_says_how_to_have_them() {
    let mock = Local::serve(session(plan(SCENARIO)), |clock| clock.paused(), Options::default());
    let (status, told) = mock.ask("GET", "/api/alerts", "");
    assert_eq!(status, 404);
    assert!(told["advice"].as_str().is_some_and(|advice| advice.contains("--rules")), "{told}");
}

#[test]
fn an_alertmanager_is_a_url_of_http_without_the_path_of_its_api() {
    for (text, sound) in [
        ("http://127.0.0.1:9093", true),
        ("https://example.com/alertmanager/", true),
        ("http://127.0.0.1:9093/api/v2/alerts", false),
        ("127.0.0.1:9093", false),
        ("ftp://x", false),
    ] {
        assert_eq!(text.parse::<Alertmanager>().is_ok(), sound, "{text}");
    }
}

#[test]
fn rules_that_need_every_sample_are_named() {
    let ahead = RULES.replace("up == 0", "up offset -5m == 0");
    assert_eq!(watch(&ahead).boundless(), ["Down"]);
    assert!(watch(RULES).boundless().is_empty());
}

#[test]
fn what_cannot_be_served_is_refused_with_what_to_write_instead() {
    let folder = common::server::scratch("serve-alerts");
    std::fs::create_dir_all(&folder).expect("a folder");
    let ahead = folder.join("ahead.yml");
    std::fs::write(&ahead, RULES.replace("up == 0", "up offset -5m == 0")).expect("a folder");
    let ahead = ahead.to_str().expect("a path");
    for (arguments, part) in [
        (&["--rules", ahead, "--alertmanager-url", "127.0.0.1:9093"][..], "http://127.0.0.1:9093"),
        (&["--alertmanager-url", "http://127.0.0.1:9093"], "add --rules FILE"),
        (&["--rules", ahead], "Down"),
    ] {
        let all: Vec<&str> =
            ["serve", "healthy", "--port", "0", "--control", "0"].iter().chain(arguments).copied().collect();
        let (code, _, told) = common::server::run(&all);
        assert_eq!(code, Some(2), "{arguments:?}: {told}");
        assert!(told.contains(part), "{part} in {told}");
    }
}
