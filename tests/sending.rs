//! What Prometheus posts to Alertmanager, and when: recorded from real servers, and ours beside it.
#![allow(clippy::disallowed_methods, reason = "a real Prometheus lives in real time")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::alertmanager::{Hook, Posted};
use common::peers::Prometheus;
use common::server::eventually;
use mock_kestra::monitor::{Monitor, Setup, read_rules};
use mock_kestra::time::Duration;
use serde_json::{Value, json};

/// How long is recorded, in milliseconds: what has ended is told for a quarter of an hour.
const LASTS: i64 = 25 * 60_000;
/// How much later than its evaluation something may arrive, in milliseconds.
const SLACK: i64 = 10_000;

/// When (milliseconds after the base), since when, until when, and what is said.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    at: i64,
    starts_at: i64,
    ends_at: i64,
    annotations: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/prometheus")
}

/// The rules, whose base is a second since 1970.
fn rules(base: i64) -> String {
    let text = std::fs::read_to_string(folder().join("sending-rules.yml")).expect("the rules");
    text.replace("BASE", &base.to_string())
}

fn milliseconds(date: &Value) -> i64 {
    date.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a date").as_millisecond()
}

/// What was recorded, by the labels of the alerts, and its base.
fn theirs(suite: &str) -> (i64, BTreeMap<String, Vec<Told>>) {
    let text = std::fs::read_to_string(folder().join(format!("{suite}-sending.json"))).expect("a recording");
    let recorded: Value = serde_json::from_str(&text).expect("JSON");
    let base = recorded["base"].as_i64().expect("a base");
    let mut all: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for post in recorded["posts"].as_array().expect("posts") {
        for alert in post["alerts"].as_array().expect("alerts") {
            let annotations: Option<_> = serde_json::from_value(alert["annotations"].clone()).expect("annotations");
            let after = |date: &Value| milliseconds(date) - base * 1000;
            all.entry(alert["labels"].to_string()).or_default().push(Told {
                at: post["at"].as_i64().expect("a time"),
                starts_at: after(&alert["startsAt"]),
                ends_at: after(&alert["endsAt"]),
                annotations: annotations.unwrap_or_default(),
            });
        }
    }
    (base, all)
}

/// What ours sends when each group is evaluated at the given phase of its interval.
fn ours(base: i64, phases: &BTreeMap<String, i64>) -> BTreeMap<String, Vec<Told>> {
    let rules = read_rules("rules.yml", &rules(base)).unwrap_or_else(|_| panic!("sound rules")).0;
    let mut monitor =
        Monitor::new(Setup { rules, evaluation_interval: Duration::seconds(15), sends: true, ..Setup::default() });
    let mut turns: Vec<(i64, usize)> = Vec::new();
    for (index, group) in monitor.groups().iter().enumerate() {
        let interval = monitor.interval(index).as_milliseconds() as i64;
        let first = phases[&group.name].rem_euclid(interval);
        turns.extend((0..).map(|turn| (first + turn * interval, index)).take_while(|(at, _)| *at < LASTS));
    }
    turns.sort_unstable();
    let mut all: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for (at, group) in turns {
        monitor.evaluate(group, base * 1000 + at);
        for sent in monitor.sent() {
            let labels: BTreeMap<&str, &str> = sent.labels.iter().map(|(key, value)| (&**key, &**value)).collect();
            let texts = |(key, value): &(String, String)| (key.clone(), value.clone());
            all.entry(json!(labels).to_string()).or_default().push(Told {
                at,
                starts_at: sent.starts_at - base * 1000,
                ends_at: sent.ends_at - base * 1000,
                annotations: sent.annotations.iter().map(texts).collect(),
            });
        }
    }
    all
}

/// At which instants groups are evaluated: alerts begin at them.
fn phases(theirs: &BTreeMap<String, Vec<Told>>) -> BTreeMap<String, i64> {
    let of = |group: &str, alert: &str| {
        let (_, told) = theirs.iter().find(|(labels, _)| labels.contains(alert)).expect("an alert");
        (group.to_owned(), told[0].starts_at)
    };
    [of("quick", "\"Once\""), of("slow", "\"Slow\"")].into()
}

fn beside(suite: &str) {
    let (base, theirs) = theirs(suite);
    let ours = ours(base, &phases(&theirs));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    let mut posts = 0;
    for (labels, theirs) in &theirs {
        let ours = &ours[labels];
        // What comes at the very end may be cut off.
        let heard = |told: &&Told| told.at < LASTS - 2 * SLACK;
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (ours.iter().filter(heard).collect(), theirs.iter().filter(heard).collect());
        let same = |(a, b): (&&Told, &&Told)| {
            let late = b.at - a.at;
            (a.starts_at, a.ends_at, &a.annotations) == (b.starts_at, b.ends_at, &b.annotations)
                && (-1000..SLACK).contains(&late)
        };
        let all = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(same);
        assert!(all, "{labels} of {suite}\nours {ours:#?}\ntheirs {theirs:#?}");
        posts += theirs.len();
    }
    assert!(posts > 60, "only {posts} alerts");
}

#[test]
fn what_is_sent_and_when_is_what_2_42_sends() {
    beside("stable");
}

#[test]
fn what_is_sent_and_when_is_what_3_5_sends() {
    beside("unstable");
}

/// Records what a real one posts.
fn record(suite: &str) {
    let hook = Hook::start();
    let now = jiff::Timestamp::now().as_second();
    // The next five minutes begin together with the labels of `Changes`.
    let base = now - now.rem_euclid(300) + 300;
    let config = format!(
        "global: {{ evaluation_interval: 15s }}\nrule_files: [ rules.yml ]\nalerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: [ '{}' ] }} ] }} ] }}\n",
        hook.address
    );
    let real = Prometheus::start(suite, &config, &rules(base));
    eventually("the rules are taken", || real.api("rules")["data"]["groups"].as_array().map_or(0, Vec::len) == 2);
    let version = real.api("status/buildinfo")["data"]["version"].clone();
    let left = (base * 1000 + LASTS - jiff::Timestamp::now().as_millisecond()).max(0);
    std::thread::sleep(std::time::Duration::from_millis(left as u64));
    let posted = |it: &Posted| {
        let at = it.at.duration_since(std::time::SystemTime::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        let mut alerts: Value = serde_json::from_str(&it.body).expect("JSON");
        for alert in alerts.as_array_mut().expect("alerts") {
            alert.as_object_mut().expect("an alert").remove("generatorURL");
        }
        json!({ "at": at - base * 1000, "alerts": alerts })
    };
    let posts: Vec<Value> = hook.posted().iter().map(posted).collect();
    let lines: Vec<String> = posts.iter().map(Value::to_string).collect();
    let text = format!("{{\"version\": {version}, \"base\": {base}, \"posts\": [\n{}\n]}}\n", lines.join(",\n"));
    std::fs::write(folder().join(format!("{suite}-sending.json")), text).expect("written");
}

#[test]
#[ignore = "records half an hour of a real Prometheus (.ci/peers) into tests/captures/prometheus"]
fn record_what_real_ones_send() {
    let both = ["stable", "unstable"].map(|suite| std::thread::spawn(move || record(suite)));
    both.into_iter().for_each(|one| one.join().expect("it is recorded"));
}
