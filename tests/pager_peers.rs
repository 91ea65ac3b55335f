//! Our Alertmanager beside real ones: the same configuration, the same alerts at the same times, the same notifications.
//!
//! Needs target/peers, which `.ci/peers` fills; each history takes some twenty seconds of real time, many at once.
#![allow(clippy::disallowed_methods, reason = "real peers live in real time")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use common::pager::{History, LASTS, SLACK, Told, alert, history, key, ours, times};
use mock_kestra::pager::Version;
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};

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

/// A receiver of webhooks.
struct Hook {
    address: String,
    taken: Arc<Mutex<Vec<(SystemTime, String, serde_json::Value)>>>,
}

impl Hook {
    fn start() -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let shared = taken.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = shared.clone();
                std::thread::spawn(move || {
                    while let Some(one) = request(&stream) {
                        taken.lock().unwrap().push((SystemTime::now(), one.0, one.1));
                    }
                });
            }
        });
        Hook { address, taken }
    }
}

/// One request of a connection: path and body.
fn request(mut stream: &TcpStream) -> Option<(String, serde_json::Value)> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0usize);
    reader.read_line(&mut line).ok()?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
    Some((path, serde_json::from_slice(&body).ok()?))
}

/// A real Alertmanager.
struct Real {
    child: Child,
    address: String,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(name)
}

fn start(folder: &Path, name: &str, configuration: &str) -> Real {
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("alertmanager.yml"), configuration).expect("a file");
    let log = folder.join("log");
    let child = Command::new(peer(name).join("usr/bin/prometheus-alertmanager"))
        .arg(format!("--config.file={}", folder.join("alertmanager.yml").display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .arg("--web.listen-address=127.0.0.1:0")
        .arg("--cluster.listen-address=")
        // Its default template is looked for here: see .ci/peers.
        .current_dir(peer(name).join("usr/share/prometheus/alertmanager"))
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).expect("a file"))
        .spawn()
        .unwrap_or_else(|error| panic!("{name} does not start: {error}; run .ci/peers"));
    let mut real = Real { child, address: String::new() };
    let begun = Instant::now();
    while real.address.is_empty() {
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(60), "{name} does not listen:\n{told}");
        let line = told.lines().find(|line| line.contains("Listening on"));
        let rest = line.and_then(|line| line.split("address=").nth(1));
        real.address = rest.and_then(|rest| rest.split([' ', '"']).next()).unwrap_or_default().to_owned();
        std::thread::sleep(Duration::from_millis(20));
    }
    real
}

fn post(address: &str, path: &str, body: &str) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it is set");
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}\n{body}");
}

fn date(base: SystemTime, at: i64) -> String {
    let since = base.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    jiff::Timestamp::from_millisecond(since + at).expect("a date").to_string()
}

/// What a real one tells of a history.
fn theirs(history: &History, name: &str, folder: &Path) -> Vec<Told> {
    let hook = Hook::start();
    let real = start(folder, name, &history.configuration.replace("HOOK", &hook.address));
    let base = SystemTime::now();
    for (matcher, from, until) in &history.silences {
        let matchers = mock_kestra::pager::matchers(matcher).expect("matchers");
        let matchers: Vec<serde_json::Value> = matchers
            .iter()
            .map(|it| {
                let kind = it.kind.to_string();
                let (regex, equal) = (kind.ends_with('~'), !kind.starts_with('!'));
                serde_json::json!({ "name": it.name, "value": it.value, "isRegex": regex, "isEqual": equal })
            })
            .collect();
        let body = serde_json::json!({ "matchers": matchers, "startsAt": date(base, *from), "endsAt": date(base, *until), "createdBy": "t", "comment": "t" });
        post(&real.address, "/api/v2/silences", &body.to_string());
    }
    let (mut began, mut ended) = (BTreeMap::new(), BTreeMap::new());
    for (at, number, fires) in &history.posts {
        let (starts_at, ends_at) = times(&mut began, &mut ended, (*at, *number, *fires));
        let now = base.elapsed().expect("time goes on").as_millis() as i64;
        std::thread::sleep(Duration::from_millis((at - now).max(0) as u64));
        let body = serde_json::json!([{ "labels": alert(*number), "startsAt": date(base, starts_at), "endsAt": date(base, ends_at) }]);
        post(&real.address, "/api/v2/alerts", &body.to_string());
    }
    let now = base.elapsed().expect("time goes on").as_millis() as i64;
    std::thread::sleep(Duration::from_millis((LASTS - now).max(0) as u64));
    let taken = hook.taken.lock().unwrap();
    let told = taken.iter().map(|(at, path, body)| Told {
        at: at.duration_since(base).map_or(0, |at| at.as_millis() as i64),
        to: path.trim_start_matches('/').to_owned(),
        group: body["groupKey"].as_str().expect("a key").to_owned(),
        alerts: body["alerts"]
            .as_array()
            .expect("alerts")
            .iter()
            .map(|alert| {
                let labels = alert["labels"].as_object().expect("labels");
                let labels = labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
                (labels.collect(), alert["status"] == "firing")
            })
            .collect(),
    });
    told.collect()
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

fn beside(name: &'static str, version: Version) {
    let count = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let root = std::env::temp_dir().join(format!("mock-kestra-pager-{name}-{}", std::process::id()));
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
                    let first = compare(&history, &ours, &theirs(&history, name, &folder));
                    // A busy machine may have been late for once: what really differs does so again.
                    first.or_else(|_| compare(&history, &ours, &theirs(&history, name, &folder.join("again"))))
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
    beside("alertmanager-stable", Version::V0_25);
}

#[test]
#[ignore = "needs Alertmanager of Debian's unstable suite (.ci/peers), and takes a minute"]
fn notifications_are_those_of_0_33() {
    beside("alertmanager-unstable", Version::V0_33);
}
