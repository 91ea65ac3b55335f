//! The past of a cluster for another Prometheus: every sample is what the member showed at that instant. With real servers
//! too: `.ci/peers` puts them under target/peers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use common::peers::{Prometheus, peer};
use common::server::{binary, eventually, plan, scratch};
use common::{exposition, families, labels};
use mock_kestra::promql::stale;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::time::{Calendar, Duration};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const UNTIL: &str = "2026-03-01T12:00:00Z";

/// A worker dies near the end, and stays dead.
const SCENARIO: &str = "name: past
duration: 20m
cluster: { members: { webserver: 1, executor: 1, worker: 1 } }
flows: [ { id: f, namespace: n, tasks: [ { id: t, type: io.kestra.plugin.core.log.Log } ] } ]
behaviour: [ { task: t, duration: 20s, fails: 20% } ]
arrivals: [ { flow: n.f, rate: 20/min } ]
timeline: [ { at: 15m, kill: worker-1, for: 1h } ]
";

/// Labels with the name among them.
type Key = BTreeMap<String, String>;
/// Samples of each series, in the order in which they came.
type Stored = BTreeMap<Key, Vec<(i64, f64)>>;

/// Exports with what comes after the scenario; the scenario lies in a file.
fn export(form: &str, scenario: &str, more: &[&str], path: Option<&Path>) -> Output {
    let file = scratch("past.yaml");
    std::fs::write(&file, scenario).expect("written");
    let mut command = binary();
    command.args(["export", form]).arg(&file).args(["--until", UNTIL]).args(more);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().expect("the binary runs")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Reads a text of OpenMetrics, as promtool takes times.
fn read_text(text: &str) -> Stored {
    let mut stored = Stored::new();
    let lines = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    for line in lines.lines() {
        let (rest, time) = line.rsplit_once(' ').expect("a time");
        let (series, value) = rest.rsplit_once(' ').expect("a value");
        let mut key = labels(series);
        key.insert("__name__".to_owned(), series.split('{').next().expect("a name").to_owned());
        let time = (time.parse::<f64>().expect("a time") * 1000.0) as i64;
        stored.entry(key).or_default().push((time, value.parse().expect("a number")));
    }
    stored
}

fn ends_of_time() -> i64 {
    UNTIL.parse::<jiff::Timestamp>().expect("a date").as_millisecond()
}

/// Compares what is stored with what each member shows at each instant, and tells how many scrapes succeeded and failed.
fn is_what_was_shown(stored: &Stored, scenario: &str, span: Duration) -> (usize, usize) {
    let mut plan = plan(scenario);
    plan.cluster.age = span.saturating_sub(plan.duration);
    let start =
        UNTIL.parse::<jiff::Timestamp>().expect("a date").as_second() - plan.duration.as_milliseconds() as i64 / 1000;
    let calendar = Calendar::starting(jiff::Timestamp::from_second(start).expect("a date"));
    let mut scrapes: BTreeMap<(i64, String), (f64, BTreeMap<Key, f64>)> = BTreeMap::new();
    for (key, samples) in stored {
        assert!(samples.windows(2).all(|pair| pair[0].0 < pair[1].0), "in the order of time: {key:?}");
        for (time, value) in samples.iter().filter(|(_, value)| !stale(*value)) {
            let scrape = scrapes.entry((*time, key["instance"].clone())).or_insert((-1.0, BTreeMap::new()));
            let name = key["__name__"].as_str();
            assert_eq!((key["job"].as_str(), key.contains_key("role")), ("kestra", true));
            if name == "up" {
                scrape.0 = *value;
            } else if !name.starts_with("scrape_") {
                let mut key = key.clone();
                ["job", "instance", "role"].iter().for_each(|label| _ = key.remove(*label));
                scrape.1.insert(key, *value);
            }
        }
    }
    let mut session = Session::new(Arc::new(plan), Seed(1), calendar);
    let (mut up, mut down) = (0, 0);
    for ((time, instance), (is_up, ours)) in scrapes {
        session.advance(calendar.instant(jiff::Timestamp::from_millisecond(time).expect("a date"))).expect("no limit");
        let simulation = session.simulation();
        let name = instance.strip_suffix(":8081").expect("the management port");
        let member = simulation.members().iter().position(|it| it.plan().name == name).expect("a member");
        let mut shown = BTreeMap::new();
        if is_up == 1.0 {
            for family in families(&exposition(simulation, member)) {
                for (series, value) in family.series.iter().zip(&family.values) {
                    let mut key = labels(series);
                    key.insert("__name__".to_owned(), series.split('{').next().expect("a name").to_owned());
                    shown.insert(key, value.parse::<f64>().expect("a number"));
                }
            }
            assert!(shown.len() > 100);
        }
        let same = |(a, b): ((&Key, &f64), (&Key, &f64))| a.0 == b.0 && (a.1 == b.1 || (a.1.is_nan() && b.1.is_nan()));
        assert!(shown.len() == ours.len() && shown.iter().zip(&ours).all(same), "{instance} at {time}: up {is_up}");
        (up, down) = if is_up == 1.0 { (up + 1, down) } else { (up, down + 1) };
    }
    (up, down)
}

#[test]
fn openmetrics_is_what_every_member_showed_and_is_sorted() {
    let output = export("openmetrics", SCENARIO, &["--from", "-1h", "--every", "30s"], None);
    assert!(output.status.success(), "{}", told(&output));
    let stored = read_text(&String::from_utf8(output.stdout.clone()).expect("UTF-8"));
    let (up, down) = is_what_was_shown(&stored, SCENARIO, Duration::minutes(60));
    assert_eq!((up, down), (3 * 120 - 10, 10), "three members twice a minute; the last five minutes one is dead");
    let last = stored.values().filter_map(|samples| Some(samples.last()?.0)).max().expect("samples");
    assert!((0..30_000).contains(&(ends_of_time() - last)), "it ends at --until");
    assert!(told(&output).contains("markers of staleness, which OpenMetrics cannot carry"), "{}", told(&output));
    // The same again is the same bytes; and so is what lies in a file.
    let file = scratch("past.om");
    let more = ["--from", "2026-03-01T11:00:00Z", "--every", "30s", "--out", file.to_str().expect("UTF-8")];
    assert!(export("openmetrics", SCENARIO, &more, None).status.success());
    assert!(std::fs::read(&file).expect("written") == output.stdout);
}

#[test]
fn what_cannot_be_is_told() {
    for (form, more, code, words) in [
        ("openmetrics", &["--from", "24h"][..], 2, "such as -24h"),
        ("openmetrics", &["--from", "2026-03-02T12:00:00Z"], 2, "--from is after --until"),
        ("openmetrics", &["--from", "-0s"], 2, "a past is longer than nothing"),
        ("openmetrics", &["--from", "-1h", "--out", "/nowhere/at/all"], 3, "cannot write to /nowhere/at/all"),
        ("tsdb", &["--out", "/nowhere/at/all"], 3, "there is no promtool on the PATH"),
        ("remote-write", &["--url", "ftp://x"], 2, "such as http://127.0.0.1:9090/api/v1/write"),
        ("remote-write", &["--url", "http://x", "--header", "a b: c"], 2, "`a b` cannot be a header"),
    ] {
        let output = export(form, SCENARIO, more, Some(Path::new("/nowhere")));
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", told(&output));
        assert!(told(&output).contains(words), "{more:?}: {}", told(&output));
    }
    let booting = SCENARIO.replace("members:", "start: booting, members:");
    let output = export("openmetrics", &booting, &["--from", "-1h", "--every", "5m"], None);
    assert!(
        told(&output).contains("boots at the scenario's start: its past begins there, 20m before"),
        "{}",
        told(&output)
    );
}

#[test]
fn a_file_that_was_read_is_not_overwritten_and_one_that_is_there_is_whole() {
    let file = scratch("own.yaml");
    std::fs::write(&file, SCENARIO).expect("written");
    let run = |out: &Path| {
        let command =
            binary().args(["export", "openmetrics"]).arg(&file).args(["--from", "-5m", "--out"]).arg(out).output();
        command.expect("the binary runs")
    };
    let output = run(&file);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("one of the files that were read"), "{}", told(&output));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), SCENARIO);
    let out = file.with_file_name("own.om");
    assert!(run(&out).status.success());
    assert!(std::fs::read_to_string(&out).expect("it is there").ends_with("# EOF\n"));
    let beside = std::fs::read_dir(file.parent().expect("a folder")).expect("a folder").count();
    assert_eq!(beside, 2, "nothing else is left");
    assert!(run(Path::new("/dev/null")).status.success());
}

/// Starts an export of a long past in a folder of its own, ends it as Ctrl-C does once something is there, and tells what is
/// left beside the scenario.
#[cfg(unix)]
fn interrupted(more: &[&str], path: Option<&Path>, begun: impl Fn(&Path) -> bool) -> (Output, Vec<String>) {
    let file = scratch("long.yaml");
    let folder = file.parent().expect("a folder");
    std::fs::write(&file, SCENARIO).expect("written");
    let mut command = binary();
    command.args(["export", more[0]]).arg(&file).args(["--until", UNTIL, "--from", "-300d"]).args(&more[1..]);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let piped = std::process::Stdio::piped;
    let child = command.current_dir(folder).stdout(piped()).stderr(piped()).spawn().expect("the binary runs");
    eventually("the export has begun", || begun(folder));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    let left = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut left: Vec<String> = left.map(|name| name.to_string_lossy().into_owned()).collect();
    left.retain(|name| name != "long.yaml");
    (output, left)
}

#[cfg(unix)]
#[test]
fn an_export_that_is_interrupted_says_what_is_left_and_leaves_nothing_half_done() {
    use std::os::unix::fs::PermissionsExt;
    let (output, left) =
        interrupted(&["openmetrics", "--out", "out.om"], None, |folder| folder.join("out.om.new").exists());
    assert_eq!(output.status.code(), Some(130), "{}", told(&output));
    assert!(told(&output).contains("interrupted: nothing is written to out.om"), "{}", told(&output));
    assert!(left.is_empty(), "{left:?}");
    // In place of promtool stands what takes all there is.
    let tools = scratch("promtool");
    std::fs::write(&tools, "#!/bin/sh\n").expect("written");
    std::fs::set_permissions(&tools, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    let has_text = |folder: &Path| {
        let files = std::fs::read_dir(folder.join("data")).into_iter().flatten().flatten();
        files.map(|it| it.file_name()).any(|name| name.to_string_lossy().ends_with(".om"))
    };
    let (output, _) = interrupted(&["tsdb", "--out", "data"], tools.parent(), has_text);
    assert_eq!(output.status.code(), Some(130), "{}", told(&output));
    assert!(told(&output).contains("interrupted: "), "{}", told(&output));
    assert!(told(&output).contains("data has ") || told(&output).contains("no block is in data"), "{}", told(&output));
}

/// The parts of a message: number of the field and what is in it; numbers as their bytes.
fn parts(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = message.split_first().expect("a byte");
            *message = rest;
            value |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut all = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let length = match tag & 7 {
            0 => {
                all.push((tag >> 3, varint(&mut message).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            other => panic!("no such kind of field: {other}"),
        };
        let (part, rest) = message.split_at(length);
        all.push((tag >> 3, part.to_vec()));
        message = rest;
    }
    all
}

/// Adds the samples of a request; how many there were.
fn read_request(body: &[u8], stored: &mut Stored) -> u64 {
    let message = snap::raw::Decoder::new().decompress_vec(body).expect("a block of Snappy");
    let eight = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).expect("eight bytes");
    let mut count = 0;
    for (_, series) in parts(&message) {
        let (all, samples): (Vec<_>, Vec<_>) = parts(&series).into_iter().partition(|(number, _)| *number == 1);
        let pairs: Vec<(String, String)> = all
            .iter()
            .map(|(_, label)| {
                let label = parts(label);
                let text = |at: usize| String::from_utf8(label[at].1.clone()).expect("UTF-8");
                (text(0), text(1))
            })
            .collect();
        assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0), "labels in order: {pairs:?}");
        let row = stored.entry(pairs.into_iter().collect()).or_default();
        for (_, sample) in samples {
            let sample = parts(&sample);
            row.push((i64::from_le_bytes(eight(&sample[1].1)), f64::from_le_bytes(eight(&sample[0].1))));
            count += 1;
        }
    }
    count
}

async fn receiver(answers: &[(u16, u64)]) -> MockServer {
    let server = MockServer::start().await;
    for (status, times) in answers {
        let answer = ResponseTemplate::new(*status).set_body_string("because of that");
        let of = Mock::given(method("POST")).and(path("/api/v1/write")).and(header("content-encoding", "snappy"));
        let of = of.and(header("x-prometheus-remote-write-version", "0.1.0")).respond_with(answer);
        of.up_to_n_times(*times).mount(&server).await;
    }
    server
}

/// Sends a past somewhere; how it ended.
async fn send(url: String, more: &'static [&'static str]) -> Output {
    let send = move || {
        let more: Vec<&str> = [&["--from", "-1h", "--every", "30s", "--url", &url][..], more].concat();
        export("remote-write", SCENARIO, &more, None)
    };
    tokio::task::spawn_blocking(send).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_write_is_what_every_member_showed_with_markers_and_is_tried_again() {
    let server = receiver(&[(500, 1), (429, 1), (204, u64::MAX)]).await;
    let output = send(format!("{}/api/v1/write", server.uri()), &[]).await;
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("500 Internal Server Error: because of that: try 2 in 100 ms"), "{}", told(&output));
    let requests = server.received_requests().await.expect("they are kept");
    assert!(requests.len() > 4, "two that failed and some more: {}", requests.len());
    assert!(requests[0].body == requests[1].body && requests[1].body == requests[2].body, "the same again");
    let mut stored = Stored::new();
    let count: u64 = requests[2..].iter().map(|it| read_request(&it.body, &mut stored)).sum();
    assert!(
        told(&output).contains(&format!("{count} samples in {} requests", requests.len() - 2)),
        "{}",
        told(&output)
    );
    let counts = is_what_was_shown(&stored, SCENARIO, Duration::minutes(60));
    assert_eq!(counts, (3 * 120 - 10, 10));
    // All that the dead worker showed ends with a marker, at its first scrape that failed; nobody else has one.
    for (key, samples) in &stored {
        let own = key["__name__"] == "up" || key["__name__"].starts_with("scrape_");
        let ends = key["instance"] == "worker-1:8081" && !own;
        assert_eq!(samples.last().is_some_and(|(_, value)| stale(*value)), ends, "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_or_is_not_there_ends_it_and_it_can_go_on() {
    let output = send("http://127.0.0.1:1/api/v1/write".to_owned(), &[]).await;
    assert_eq!(output.status.code(), Some(3));
    assert!(told(&output).contains("http://127.0.0.1:1/api/v1/write: connection refused"), "{}", told(&output));
    let server = receiver(&[(401, 1)]).await;
    let output = send(format!("{}/api/v1/write", server.uri()).replace("://", "://me:secret@"), &[]).await;
    assert_eq!(output.status.code(), Some(3));
    let told_of = told(&output);
    assert!(told_of.contains("401 Unauthorized: because of that") && told_of.contains("hint: --header"), "{told_of}");
    assert!(!told_of.contains("secret"), "{told_of}");
    let requests = server.received_requests().await.expect("they are kept");
    assert_eq!(requests[0].headers["authorization"], "Basic bWU6c2VjcmV0");
    // The second request is refused; what was taken and what comes with --skip is all of it.
    let (whole, first) = (receiver(&[(204, u64::MAX)]).await, receiver(&[(204, 1), (400, 1)]).await);
    let whole_told = send(format!("{}/api/v1/write", whole.uri()), &[]).await;
    assert!(whole_told.status.success(), "{}", told(&whole_told));
    let output = send(format!("{}/api/v1/write", first.uri()), &[]).await;
    assert_eq!(output.status.code(), Some(3));
    let line = told(&output);
    let skip = line.trim().rsplit_once("--skip ").expect("how to go on").1.to_owned();
    assert!(line.contains(&format!("--until {UNTIL} --skip")), "{line}");
    let rest = receiver(&[(204, u64::MAX)]).await;
    let more: &'static [&'static str] = vec!["--skip", String::leak(skip)].leak();
    let output = send(format!("{}/api/v1/write", rest.uri()), more).await;
    assert!(output.status.success(), "{}", told(&output));
    // Nobody can have taken more than there is.
    let output = send(format!("{}/api/v1/write", rest.uri()), &["--skip", "999999999"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    let count: u64 = told(&whole_told)
        .split_once("/write: ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .expect("how many");
    assert!(
        told(&output).contains(&format!("--skip 999999999: this past has {count} samples in all")),
        "{}",
        told(&output)
    );
    let (mut all, mut both) = (Stored::new(), Stored::new());
    for request in whole.received_requests().await.expect("kept") {
        read_request(&request.body, &mut all);
    }
    read_request(&first.received_requests().await.expect("kept")[0].body, &mut both);
    for request in rest.received_requests().await.expect("kept") {
        read_request(&request.body, &mut both);
    }
    let bits = |stored: &Stored| -> Vec<(Key, Vec<(i64, u64)>)> {
        let row = |samples: &[(i64, f64)]| samples.iter().map(|(time, value)| (*time, value.to_bits())).collect();
        stored.iter().map(|(key, samples)| (key.clone(), row(samples))).collect()
    };
    assert!(bits(&all) == bits(&both));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn remote_write_that_is_interrupted_says_how_to_go_on() {
    // The third request is never answered: it is not waited for.
    let server = receiver(&[(204, 2)]).await;
    let never = ResponseTemplate::new(204).set_delay(std::time::Duration::from_secs(600));
    Mock::given(method("POST")).respond_with(never).mount(&server).await;
    let url = format!("{}/api/v1/write", server.uri());
    let (asked, wait) = std::sync::mpsc::channel();
    let export = tokio::task::spawn_blocking(move || {
        let more = ["remote-write", "--seed", "7", "--url", &url];
        interrupted(&more, None, move |_| wait.try_recv().is_ok())
    });
    while server.received_requests().await.expect("they are kept").len() < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    asked.send(()).expect("it is waited for");
    let (output, _) = export.await.expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", told(&output));
    let requests = server.received_requests().await.expect("they are kept");
    let mut stored = Stored::new();
    let taken: u64 = requests[..2].iter().map(|it| read_request(&it.body, &mut stored)).sum();
    let told = told(&output);
    assert!(told.contains(&format!("has taken {taken} samples in 2 requests, and not all of them")), "{told}");
    assert!(told.contains(&format!("say the same again with --seed 7 --until {UNTIL} --skip {taken}")), "{told}");
}

#[test]
fn serve_has_lived_as_long_as_it_is_told() {
    let mock = common::server::Mock::start(&["idle", "--history", "36h", "--paused"]);
    let text = common::server::ask(&mock.member("standalone-1"), "GET", "/prometheus", "").body;
    let uptime = text.lines().find_map(|line| line.strip_prefix("process_uptime_seconds ")).expect("an uptime");
    let uptime: f64 = uptime.parse().expect("a number");
    assert!((uptime - 36.0 * 3600.0).abs() < 60.0, "{uptime}");
}

/// A Prometheus that scrapes nobody.
const CONFIG: &str = "global: { scrape_interval: 1m }\nscrape_configs: []\n";

/// What a Prometheus has stored, over a day and a bit.
fn read_server(prometheus: &Prometheus) -> Stored {
    let mut stored = Stored::new();
    let time = ends_of_time() / 1000;
    for member in ["webserver-1", "executor-1", "worker-1"] {
        let query = format!("query?query=%7Binstance%3D%22{member}%3A8081%22%7D%5B25h%5D&time={time}");
        let answer = prometheus.api(&query);
        for series in answer["data"]["result"].as_array().expect("a result") {
            let labels = series["metric"].as_object().expect("labels");
            let key =
                labels.iter().map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned())).collect();
            let sample = |pair: &serde_json::Value| {
                let time = (pair[0].as_f64().expect("a time") * 1000.0).round() as i64;
                (time, pair[1].as_str().expect("text").parse().expect("a number"))
            };
            stored.insert(key, series["values"].as_array().expect("samples").iter().map(sample).collect());
        }
    }
    stored
}

/// Series of the dead worker that an instant query still finds at the end.
fn left_of_the_dead(prometheus: &Prometheus) -> usize {
    let query = "count%28%7Binstance%3D%22worker-1%3A8081%22%2C__name__%21~%22up%7Cscrape_.%2A%22%7D%29";
    // Two minutes after the first scrape that failed at the latest.
    let answer = prometheus.api(&format!("query?query={query}&time={}", ends_of_time() / 1000 - 120));
    answer["data"]["result"][0]["value"][1].as_str().map_or(0, |count| count.parse().expect("a number"))
}

const DAY: &[&str] = &["--from", "-24h", "--every", "2m"];

fn a_day_is_all_there(prometheus: &Prometheus, suite: &str) {
    let stored = read_server(prometheus);
    let (up, down) = is_what_was_shown(&stored, SCENARIO, Duration::minutes(24 * 60));
    assert_eq!(up + down, 3 * 720, "{suite}: three members each two minutes");
    assert!((2..=3).contains(&down), "{suite}: {down}");
    // A day that comes within a minute is more than the head should hold: it is put away at once, which 3.5 warns of.
    let away = |line: &String| !line.contains("aborting block compactions to persist the head block");
    let complaints: Vec<String> = prometheus.complaints().into_iter().filter(away).collect();
    assert!(complaints.is_empty(), "{suite}: {complaints:#?}");
}

#[test]
#[ignore = "needs Prometheus of Debian stable and unstable: .ci/peers fetches them"]
fn a_real_prometheus_takes_a_day_by_remote_write() {
    for suite in ["stable", "unstable"] {
        let prometheus = Prometheus::start(suite, CONFIG, "");
        let url = format!("http://{}/api/v1/write", prometheus.address.replace("[::]", "127.0.0.1"));
        let output = export("remote-write", SCENARIO, &[DAY, &["--url", &url]].concat(), None);
        assert!(output.status.success(), "{suite}: {}", told(&output));
        a_day_is_all_there(&prometheus, suite);
        assert_eq!(left_of_the_dead(&prometheus), 0, "{suite}: the markers came too");
    }
}

#[test]
#[ignore = "needs Prometheus and promtool of Debian stable and unstable: .ci/peers fetches them"]
fn a_real_prometheus_takes_a_day_by_blocks_and_misses_the_markers() {
    for suite in ["stable", "unstable"] {
        let data = scratch("data");
        let tool = peer(suite, "promtool");
        let more = [DAY, &["--out", data.to_str().expect("UTF-8")]].concat();
        let output = export("tsdb", SCENARIO, &more, tool.parent());
        assert!(output.status.success(), "{suite}: {}", told(&output));
        let names: Vec<String> = std::fs::read_dir(&data)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        assert!(names.len() >= 12 && !names.iter().any(|name| name.ends_with(".om")), "{suite}: {names:?}");
        let prometheus = Prometheus::start_with(suite, CONFIG, "", &data);
        eventually("it answers", || prometheus.api("query?query=1")["status"] == "success");
        a_day_is_all_there(&prometheus, suite);
        assert!(left_of_the_dead(&prometheus) > 100, "{suite}: blocks of promtool have no markers");
    }
}

/// What a VictoriaMetrics has stored of all members; values as it gives them back, which may differ in the last digits.
fn read_victoria(address: &str) -> Stored {
    let mut stored = Stored::new();
    for member in ["webserver-1", "executor-1", "worker-1"] {
        let path = format!("/api/v1/export?match%5B%5D=%7Binstance%3D%22{member}%3A8081%22%7D");
        // It ends a line a series by chunks: a client that knows those reads it.
        let url = format!("http://{address}{path}");
        let output = std::process::Command::new("curl").args(["-s", &url]).output().expect("curl runs");
        for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
            let series: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let labels = series["metric"].as_object().expect("labels").iter();
            let key = labels.map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned())).collect();
            let numbers = |of: &str| series[of].as_array().expect("a list").clone();
            let value = |it: &serde_json::Value| match it {
                serde_json::Value::String(text) => text.parse().unwrap_or(f64::NAN),
                it => it.as_f64().unwrap_or(f64::NAN),
            };
            let (times, values) = (numbers("timestamps"), numbers("values"));
            let samples = times.iter().map(|it| it.as_i64().expect("a time")).zip(values.iter().map(value));
            // Parts that it has not merged yet are lines of their own.
            stored.entry(key).or_default().extend(samples);
        }
    }
    stored.values_mut().for_each(|samples| samples.sort_by_key(|(at, _)| *at));
    stored
}

#[test]
#[ignore = "needs VictoriaMetrics of Debian stable: .ci/peers fetches it"]
fn victoria_metrics_takes_a_day_by_remote_write() {
    let binary =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/victoria-metrics-stable/usr/bin/victoria-metrics");
    assert!(binary.exists(), "{} is missing: run .ci/peers", binary.display());
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let address = free.to_string();
    let mut server = std::process::Command::new(binary)
        .arg(format!("-httpListenAddr={address}"))
        .arg(format!("-storageDataPath={}", scratch("victoria").display()))
        .args(["-retentionPeriod=100y", "-loggerLevel=ERROR"])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    eventually("VictoriaMetrics answers", || {
        common::server::try_ask(&address, "GET", "/health", "").is_ok_and(|answer| answer.status == 200)
    });
    let url = format!("http://{address}/api/v1/write");
    let output = export("remote-write", SCENARIO, &[DAY, &["--url", &url]].concat(), None);
    let flushed = common::server::ask(&address, "GET", "/internal/force_flush", "").status;
    let stored = read_victoria(&address);
    let _ = server.kill();
    let _ = server.wait();
    assert!(output.status.success() && flushed == 200, "{flushed}: {}", told(&output));
    let (mut whole, text) = (Stored::new(), export("openmetrics", SCENARIO, DAY, None).stdout);
    whole.extend(read_text(&String::from_utf8(text).expect("UTF-8")));
    assert_eq!(stored.len(), whole.len());
    for (key, samples) in &whole {
        let taken: Vec<(i64, f64)> = stored[key].iter().copied().filter(|(_, value)| !value.is_nan()).collect();
        let wanted: Vec<(i64, f64)> = samples.iter().copied().filter(|(_, value)| !value.is_nan()).collect();
        assert_eq!(taken.len(), wanted.len(), "{key:?}");
        for ((at, value), (then, wanted)) in taken.iter().zip(&wanted) {
            assert_eq!(at, then, "{key:?}");
            // It keeps decimals, not floats.
            assert!((value - wanted).abs() <= wanted.abs() * 1e-11, "{key:?} at {at}: {value} and {wanted}");
        }
    }
}

#[test]
fn an_instant_of_the_scenario_may_stand_at_the_end() {
    let more = ["--from", "-30m", "--every", "1m", "--ends-at", "0s"];
    let output = export("openmetrics", SCENARIO, &more, None);
    let stored = read_text(&String::from_utf8(output.stdout).expect("UTF-8"));
    let up =
        stored.iter().find(|(key, _)| key["__name__"] == "up" && key["instance"] == "worker-1:8081").expect("up").1;
    assert!(up.len() == 30 && up.iter().all(|(_, value)| *value == 1.0), "the fault is still to come: {up:?}");
}
