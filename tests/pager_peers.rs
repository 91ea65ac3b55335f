//! Our Alertmanager beside real ones: the same configuration, the same alerts at the same times, the same notifications.
//!
//! Needs target/peers, which `.ci/peers` fills; each history takes some twenty seconds of real time, many at once.
#![allow(clippy::disallowed_methods, reason = "real peers live in real time")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
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

/// A real one with the configuration of a history, and what it posts to.
fn start(history: &History, suite: &str, folder: &Path) -> (Alertmanager, Hook) {
    let hook = Hook::start();
    std::fs::create_dir_all(folder).expect("a folder");
    let file = folder.join("alertmanager.yml");
    std::fs::write(&file, history.configuration.replace("HOOK", &hook.address)).expect("a file");
    (Alertmanager::start(suite, &file), hook)
}

/// What a real one tells of a history, which knows from then on when that was started.
fn theirs(history: &mut History, (real, hook): (Alertmanager, Hook)) -> Vec<Told> {
    let base = SystemTime::now();
    history.began = -base.duration_since(real.started).map_or(0, |before| before.as_millis() as i64);
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

/// Who runs real ones: they need the machine for themselves.
static ALONE: Mutex<()> = Mutex::new(());

fn beside(suite: &'static str, version: Version) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let count = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let root = std::env::temp_dir().join(format!("mock-kestra-pager-{suite}-{}", std::process::id()));
    let mut left = histories(count, version, seed);
    let (mut told, mut why) = (0, None);
    // A busy machine may be late: what really differs does so too when there are few at once, and when it is alone.
    for at_once in [20, 5, 1] {
        let mut again = Vec::new();
        for (wave, of) in left.chunks(at_once).enumerate() {
            let place = |index: usize| root.join(format!("{at_once}-{wave}-{index}"));
            for (history, theirs) in together(of, |index, history| start(history, suite, &place(index))) {
                match compare(&history, &ours(&history, version, 0), &theirs) {
                    Ok(count) => told += count,
                    Err(differs) => {
                        again.push(history);
                        why = Some(differs);
                    }
                }
            }
        }
        left = again;
    }
    let _ = std::fs::remove_dir_all(&root);
    assert!(left.is_empty(), "{} of {count} differ; the last:\n{}", left.len(), why.unwrap_or_default());
    assert!(told > 3 * count, "only {told} notifications in {count} histories");
}

/// What real ones tell of histories, none of which begins before all of them have started: that keeps the machine busy.
fn together(
    histories: &[History],
    start: impl Fn(usize, &History) -> (Alertmanager, Hook),
) -> Vec<(History, Vec<Told>)> {
    let started: Vec<_> = histories.iter().enumerate().map(|(index, history)| start(index, history)).collect();
    let threads: Vec<_> = histories
        .iter()
        .cloned()
        .zip(started)
        .map(|(mut history, real)| {
            std::thread::spawn(move || {
                let told = theirs(&mut history, real);
                (history, told)
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a thread ends")).collect()
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

#[test]
#[ignore = "needs the newest Alertmanager (.ci/peers builds it where Go is there), and takes a minute"]
fn notifications_are_those_of_the_newest() {
    beside("newest", Version::V0_35);
}
