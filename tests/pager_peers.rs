//! Our Alertmanager beside real ones: the same configuration, the same alerts at the same times, the same notifications.
//!
//! Needs target/peers, which `.ci/peers` fills; each history takes some twenty seconds of real time, many at once.
#![allow(clippy::disallowed_methods, reason = "real peers live in real time")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::alertmanager::{Alertmanager, Hook, Posted};
use common::pager::{History, LASTS, SLACK, Told, alert, history, key, ours, times};
use mock_kestra::pager::{LabelSet, Version};
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Value, json};

/// Whether the order of things does not hang on a moment: the same comes of it when all comes a little later.
fn is_firm(history: &History, version: Version) -> bool {
    let shape = |late: i64| {
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for one in ours(history, version, late) {
            told.entry(key(&one)).or_default().push(one.alerts);
        }
        told
    };
    let first = shape(0);
    !first.is_empty() && [60, 140, 220, 300].iter().all(|late| shape(*late) == first)
}

fn date(base: SystemTime, at: i64) -> String {
    let since = base.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    jiff::Timestamp::from_millisecond(since + at).expect("a date").to_string()
}

/// What a real one tells of a history.
fn theirs(history: &History, suite: &str, folder: &Path) -> Vec<Told> {
    let hook = Hook::start();
    std::fs::create_dir_all(folder).expect("a folder");
    let file = folder.join("alertmanager.yml");
    std::fs::write(&file, history.configuration.replace("HOOK", &hook.address)).expect("a file");
    let real = Alertmanager::start(suite, &file);
    let base = SystemTime::now();
    for (matcher, from, until) in &history.silences {
        let matchers = mock_kestra::pager::matchers(matcher).expect("matchers");
        let matchers: Vec<Value> = matchers
            .iter()
            .map(|it| {
                let kind = it.kind.to_string();
                let (regex, equal) = (kind.ends_with('~'), !kind.starts_with('!'));
                json!({ "name": it.name, "value": it.value, "isRegex": regex, "isEqual": equal })
            })
            .collect();
        let body = json!({ "matchers": matchers, "startsAt": date(base, *from), "endsAt": date(base, *until), "createdBy": "t", "comment": "t" });
        real.ask("/api/v2/silences", &body);
    }
    let (mut began, mut ended) = (BTreeMap::new(), BTreeMap::new());
    for (at, number, fires) in &history.posts {
        let (starts_at, ends_at) = times(&mut began, &mut ended, (*at, *number, *fires));
        let now = base.elapsed().expect("time goes on").as_millis() as i64;
        std::thread::sleep(Duration::from_millis((at - now).max(0) as u64));
        let body =
            json!([{ "labels": alert(*number), "startsAt": date(base, starts_at), "endsAt": date(base, ends_at) }]);
        real.ask("/api/v2/alerts", &body);
    }
    let now = base.elapsed().expect("time goes on").as_millis() as i64;
    std::thread::sleep(Duration::from_millis((LASTS - now).max(0) as u64));
    let labels = |alert: &Value| -> LabelSet { serde_json::from_value(alert["labels"].clone()).expect("labels") };
    let told = |posted: Posted| {
        let body: Value = serde_json::from_str(&posted.body).expect("JSON");
        let alerts = body["alerts"].as_array().expect("alerts").iter();
        Told {
            at: posted.at.duration_since(base).map_or(0, |at| at.as_millis() as i64),
            to: posted.path.trim_start_matches('/').to_owned(),
            group: body["groupKey"].as_str().expect("a key").to_owned(),
            alerts: alerts.map(|alert| (labels(alert), alert["status"] == "firing")).collect(),
        }
    };
    hook.posted().into_iter().map(told).collect()
}

/// What differs, group by group.
fn compare(history: &History, ours: &[Told], theirs: &[Told]) -> Result<usize, String> {
    let grouped = |all: &[Told]| {
        let mut groups: BTreeMap<(String, String), Vec<Told>> = BTreeMap::new();
        all.iter().for_each(|told| groups.entry(key(told)).or_default().push(told.clone()));
        // What comes at the very end may be cut off.
        groups.values_mut().for_each(|told| told.retain(|it| it.at < LASTS - 2 * SLACK));
        groups.retain(|_, told| !told.is_empty());
        groups
    };
    let (ours, theirs) = (grouped(ours), grouped(theirs));
    let same = |a: &Vec<Told>, b: &Vec<Told>| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| a.alerts == b.alerts && b.at - a.at > -SLACK && b.at - a.at < 2 * SLACK)
    };
    for key in ours.keys().chain(theirs.keys()) {
        let none = Vec::new();
        let (a, b) = (ours.get(key).unwrap_or(&none), theirs.get(key).unwrap_or(&none));
        if !same(a, b) {
            return Err(format!("{history:#?}\n{key:?}\nours {a:#?}\ntheirs {b:#?}"));
        }
    }
    Ok(ours.values().map(Vec::len).sum())
}

fn histories(count: usize, version: Version, seed: u64) -> Vec<History> {
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(seed), ..Config::default() });
    let strategy = history();
    let drawn = std::iter::repeat_with(|| strategy.new_tree(&mut runner).expect("a history").current());
    drawn.filter(|history| is_firm(history, version)).take(count).collect()
}

fn beside(suite: &'static str, version: Version) {
    let count = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let root = std::env::temp_dir().join(format!("mock-kestra-pager-{suite}-{}", std::process::id()));
    let all = histories(count, version, seed);
    let mut wrong = Vec::new();
    let mut told = 0;
    for (wave, of) in all.chunks(20).enumerate() {
        let threads: Vec<_> = of
            .iter()
            .cloned()
            .enumerate()
            .map(|(index, history)| {
                let folder = root.join(format!("{wave}-{index}"));
                std::thread::spawn(move || {
                    let ours = ours(&history, version, 0);
                    let first = compare(&history, &ours, &theirs(&history, suite, &folder));
                    // A busy machine may have been late for once: what really differs does so again.
                    first.or_else(|_| compare(&history, &ours, &theirs(&history, suite, &folder.join("again"))))
                })
            })
            .collect();
        for thread in threads {
            match thread.join().expect("a thread ends") {
                Ok(count) => told += count,
                Err(why) => wrong.push(why),
            }
        }
    }
    let _ = std::fs::remove_dir_all(&root);
    assert!(wrong.is_empty(), "{} of {count} differ; the first:\n{}", wrong.len(), wrong[0]);
    assert!(told > 3 * count, "only {told} notifications in {count} histories");
}

#[test]
#[ignore = "needs Debian's Alertmanager (.ci/peers), and takes a minute"]
fn notifications_are_those_of_0_25() {
    beside("stable", Version::V0_25);
}

#[test]
#[ignore = "needs Alertmanager of Debian's unstable suite (.ci/peers), and takes a minute"]
fn notifications_are_those_of_0_33() {
    beside("unstable", Version::V0_33);
}
