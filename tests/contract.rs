//! `mock-kestra contract` against servers: the mock of every version, recorded ones, and what is none.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use common::asked::{contract, mock, of_version, urls};
use common::exchange::recorded;
use common::server::{run, scratch};
use common::{body, capture, capture_of};
use mock_kestra::contract::{Answered, Kind, Server, compare, paths};
use mock_kestra::metrics::{Look, Registry};
use mock_kestra::profile::{Profile, Role};
use mock_kestra::time::Instant;
use proptest::prelude::*;
use serde_json::Value;

const VERSIONS: [&str; 3] = ["0.20", "1.3", "2.0"];

/// A process of each role of a version, without flows.
fn split(version: &str) -> String {
    let controller = if version == "2.0" { ", controller: 1" } else { "" };
    format!(
        "name: split\nkestra: \"{version}\"\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 2, indexer: 1{controller} }} }}\n"
    )
}

#[test]
fn a_mock_of_every_version_fresh_or_busy_is_as_its_profile_says() {
    for version in VERSIONS {
        for (name, text, minutes) in [
            ("idle", of_version("idle", version), 1),
            ("split", split(version), 1),
            ("healthy", of_version("healthy", version), 20),
            ("healthy-cluster", of_version("healthy-cluster", version), 10),
        ] {
            let mock = mock(&text, minutes);
            let (code, out, err) = contract(&mock, &[]);
            assert_eq!(code, Some(0), "{name} {version}:\n{out}{err}");
            assert!(out.contains(&format!("held against Kestra {version}: no difference")), "{name}: {out}");
            if name != "idle" {
                continue;
            }
            // The same when it is named.
            let (code, json, _) = contract(&mock, &["--kestra", version, "--format", "json"]);
            let json: Value = serde_json::from_str(&json).expect("JSON");
            assert_eq!((code, json["differences"].as_array().map(Vec::len)), (Some(0), Some(0)), "{name} {version}");
            assert!(json["families"].as_array().is_some_and(|it| it.len() > 55), "{json}");
            assert!(json["endpoints"].as_array().is_some_and(|it| it.len() > 15), "{json}");
        }
    }
}

/// A plain server of files: to each path it gives the bytes it has for it, and closes the connection where it has none.
struct Files {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The heads of all requests.
    asked: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Files {
    fn serve(answers: BTreeMap<String, Vec<u8>>) -> Files {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (stopped, heads) = (Arc::clone(&stop), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    answer(stream, &answers, &heads);
                }
            }
        });
        Files { address, stop, thread: Some(thread), asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// One request of a connection.
fn answer(stream: TcpStream, answers: &BTreeMap<String, Vec<u8>>, asked: &std::sync::Mutex<Vec<String>>) {
    let (mut head, mut reader) = (String::new(), BufReader::new(&stream));
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).is_ok_and(|read| read > 0) {
            continue;
        }
        return;
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("not poisoned").push(head);
    if let Some(bytes) = answers.get(&path) {
        let _ = (&stream).write_all(bytes);
    }
}

/// An answer as bytes; the connection ends with it.
fn bytes(head: &str, body: &str) -> Vec<u8> {
    let kept = head.split("\r\n").filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !["content-length", "transfer-encoding", "connection"].contains(&name.as_str())
    });
    let kept: Vec<&str> = kept.collect();
    format!("{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", kept.join("\r\n"), body.len()).into_bytes()
}

fn metrics(text: &str) -> Vec<u8> {
    bytes("HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4", text)
}

/// What a real server of a version and role answered. What was not recorded of a role by itself is that of the standalone,
/// which is the same there (tests/conformance.rs).
fn recorded_answers(version: &str, role: &str, exposition: &str) -> BTreeMap<String, Vec<u8>> {
    let mut answers: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for set in ["standalone", role] {
        for exchange in recorded(version, set).into_iter().filter(|it| !it.name.contains("port8080")) {
            let mut words = exchange.request.split(' ');
            if let (Some("GET"), Some(path), Some(body)) = (words.next(), words.next(), exchange.body) {
                answers.insert(path.to_owned(), bytes(&exchange.head, &body));
            }
        }
    }
    let threads = capture_of(version, "management/threaddump.json");
    answers.insert("/threaddump".to_owned(), bytes("HTTP/1.1 200 OK\r\ncontent-type: application/json", &threads));
    answers.insert("/prometheus".to_owned(), metrics(exposition));
    answers
}

/// What a role of a version exposed when nothing had happened.
fn idle(version: &str, role: &str) -> String {
    let path = match role {
        "standalone" => "standalone/GET_prometheus.http".to_owned(),
        role => format!("roles/{role}/GET_prometheus.http"),
    };
    body(&capture_of(version, &path)).to_owned()
}

const ROLES: [&str; 6] = ["standalone", "webserver", "executor", "scheduler", "worker", "indexer"];

/// What differs between recorded servers and their profiles: version, subject, and the reason. None of it is a difference of
/// what a server said: these recordings are not whole, so that the servers here give no answer.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("0.20", "GET /routes", "it was recorded in part only"),
    ("1.3", "GET /routes", "of a standalone and a webserver it was recorded in part only"),
    ("2.0", "GET /routes", "it was recorded in part only"),
    ("2.0", "GET /beans", "it was recorded in part only"),
];

/// The differences of servers of files, in JSON.
fn differences(servers: &[Files], more: &[&str]) -> Vec<Value> {
    let urls: Vec<String> = servers.iter().map(Files::url).collect();
    let all: Vec<&str> = ["contract", "--format", "json"]
        .into_iter()
        .chain(urls.iter().map(String::as_str))
        .chain(more.iter().copied())
        .collect();
    let (code, out, err) = run(&all);
    let json: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{code:?}: {out}{err}"));
    let found = json["differences"].as_array().expect("a list").clone();
    assert_eq!(code, Some(i32::from(!found.is_empty())), "{err}");
    found
}

#[test]
fn recorded_servers_are_as_their_profile_says_but_for_what_is_known() {
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for version in VERSIONS {
        let controller = ["controller"].into_iter().filter(|_| version == "2.0");
        for role in ROLES.into_iter().chain(controller) {
            let busy = (version == "1.3").then(|| capture(&format!("busy/{role}.txt")));
            for text in std::iter::once(idle(version, role)).chain(busy) {
                let server = Files::serve(recorded_answers(version, role, &text));
                for difference in differences(&[server], &[]) {
                    let is = |(of, subject, _): &&(&str, &str, &str)| {
                        *of == version && difference["subject"] == *subject && difference["found"] == "no answer"
                    };
                    match EXCEPTIONS.iter().find(is) {
                        Some(exception) => _ = used.insert(exception),
                        None => wrong.push(format!("{version} {role}: {difference}")),
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    let idle: Vec<_> = EXCEPTIONS.iter().filter(|it| !used.contains(it)).collect();
    assert!(idle.is_empty(), "no longer needed: {idle:?}");
}

#[test]
fn a_server_with_a_prefix_and_labels_of_flows_is_as_its_profile_says() {
    let text = capture("configuration/prefix_labels.http");
    let server = Files::serve(recorded_answers("1.3", "standalone", body(&text)));
    let (_, out, err) = run(&["contract", &server.url(), "--allow", "GET /routes"]);
    assert!(out.contains("no difference and 1 that are allowed"), "{out}{err}");
    assert!(out.contains("the meters of Kestra begin with `acme_`"), "{out}");
    assert!(out.contains("label_missing, label_team come from labels of flows"), "{out}");
}

#[test]
fn a_mock_that_is_configured_is_as_its_profile_says() {
    for (version, settings) in [
        ("1.3", "kestra.metrics.prefix: my.app"),
        ("2.0", "kestra.metrics.prefix: acme"),
        ("1.3", "micronaut.metrics.tags: { env: prod, zone: a }"),
        ("0.20", "micronaut.metrics.export.prometheus.descriptions: false"),
    ] {
        let text = format!("{}configuration: {{ {settings} }}\n", split(version));
        let mock = mock(&text, 1);
        let (code, out, err) = contract(&mock, &[]);
        assert_eq!(code, Some(0), "{version} {settings}:\n{out}{err}");
        assert!(out.contains("Notes"), "{out}");
    }
    // What is switched off is a difference, unless it is known.
    let text = format!(
        "{}configuration: {{ micronaut.metrics.binders.jvm.enabled: false, endpoints.env.enabled: false }}\n",
        split("1.3")
    );
    let mock = mock(&text, 1);
    let (code, out, _) = contract(&mock, &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("status   GET /env  answers 404, in the profile 200"), "{out}");
    assert!(out.contains("lacks    jvm_threads_live_threads"), "{out}");
    let (code, out, err) = contract(&mock, &["--allow", "jvm_*", "--allow", "GET /env", "--allow", "GET /metrics/*"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("[allowed]"), "{out}");
    // By kind, too.
    let (code, out, err) = contract(&mock, &["--allow", "lacks:*", "--allow", "status:GET /*"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(contract(&mock, &["--allow", "more:*", "--allow", "status:*"]).0, Some(1));
}

/// The recorded worker with changes to its text.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(idle("1.3", "worker"), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

fn set_of(differences: &[Value]) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    differences.iter().map(|it| (text(&it["kind"]), text(&it["subject"]))).collect()
}

#[test]
fn each_kind_of_difference_is_told_and_nothing_else() {
    let text = changed(
        &[
            ("# HELP jvm_threads_live_threads", "# HELP jvm_threads_of_today"),
            ("# TYPE jvm_threads_live_threads", "# TYPE jvm_threads_of_today"),
            ("\njvm_threads_live_threads ", "\njvm_threads_of_today "),
            ("# TYPE process_uptime_seconds gauge", "# TYPE process_uptime_seconds counter"),
            ("# HELP system_cpu_count The number", "# HELP system_cpu_count A number"),
            ("\nsystem_cpu_usage ", "\nsystem_cpu_usage{core=\"1\"} "),
            ("name=\"worker\"", "name=\"labour\""),
            ("kestra_worker_job_pending", "kestra_worker_queue_size"),
        ]
        .map(|(from, to)| (from, to)),
    );
    let mut answers = recorded_answers("1.3", "worker", &text);
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
    answers.insert("/info".to_owned(), bytes("HTTP/1.1 404 Not Found", ""));
    answers.insert("/metrics".to_owned(), bytes(json, "{\"names\":[1],\"more\":{}}"));
    answers.insert("/loggers/io.kestra".to_owned(), bytes(json, "no"));
    answers.insert("/env".to_owned(), bytes("HTTP/1.1 200 OK\r\ncontent-type: text/html", "<html>"));
    answers.remove("/beans");
    let found = differences(&[Files::serve(answers)], &[]);
    let expected = [
        ("lacks", "jvm_threads_live_threads"),
        ("more", "jvm_threads_of_today"),
        ("type", "process_uptime_seconds"),
        ("help", "system_cpu_count"),
        ("labels", "system_cpu_usage"),
        ("values", "executor_active_threads"),
        ("renamed", "kestra_worker_job_pending"),
        ("status", "GET /info"),
        ("shape", "GET /metrics"),
        ("shape", "GET /loggers/io.kestra"),
        ("shape", "GET /env"),
        ("status", "GET /beans"),
    ];
    let expected: BTreeSet<(String, String)> =
        expected.iter().map(|(kind, subject)| ((*kind).to_owned(), (*subject).to_owned())).collect();
    assert_eq!(set_of(&found), expected);
    let told = |subject: &str| found.iter().find(|it| it["subject"] == subject).expect("told")["told"].clone();
    assert_eq!(told("GET /metrics"), "names.* is a number, in the profile a text; has more too");
    assert_eq!(told("system_cpu_usage"), "has the label core too");
    assert_eq!(told("kestra_worker_job_pending"), "is kestra_worker_queue_size there");
    assert!(
        told("executor_active_threads").as_str().is_some_and(|it| it.starts_with("has no name=worker; it has labour"))
    );
}

#[test]
fn a_role_is_judged_by_all_servers_that_have_it() {
    // Of two workers one lacks a family: the role has it. A family of another type is told of the one that has it.
    let lacks = changed(&[("jvm_threads_live_threads", "kestra_io_kestra_plugin_x_total")]);
    let typed = changed(&[("# TYPE process_uptime_seconds gauge", "# TYPE process_uptime_seconds counter")]);
    let servers = [&lacks, &typed].map(|text| Files::serve(recorded_answers("1.3", "worker", text)));
    let second = servers[1].url();
    let found = differences(&servers, &[]);
    assert_eq!(set_of(&found), BTreeSet::from([("type".to_owned(), "process_uptime_seconds".to_owned())]));
    assert_eq!(found[0]["on"][0], format!("worker {second}"));
}

#[test]
fn a_server_is_asked_for_nothing_that_changes_it() {
    let server = Files::serve(recorded_answers("1.3", "standalone", &idle("1.3", "standalone")));
    let (_, out, _) = run(&["contract", &server.url()]);
    assert!(out.contains("endpoints held against"), "{out}");
    let asked = server.asked();
    assert!(asked.len() > 15, "{asked:?}");
    for head in &asked {
        assert!(
            head.starts_with("GET ") && !head.starts_with("GET /stop") && !head.starts_with("GET /refresh"),
            "{head}"
        );
    }
}

#[test]
fn a_server_that_does_not_tell_its_version_is_known_by_its_series() {
    let mut answers = recorded_answers("1.3", "scheduler", &idle("1.3", "scheduler"));
    answers.insert("/version".to_owned(), bytes("HTTP/1.1 404 Not Found\r\ncontent-type: application/json", "{}"));
    let server = Files::serve(answers);
    let (code, out, err) = run(&["contract", &server.url(), "--allow", "GET /version"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains(": scheduler, Kestra of a version that it does not tell"), "{out}");
    assert!(out.contains("held against Kestra 1.3"), "{out}");
}

/// What 2.0 renames, by the notes of its recordings.
const RENAMES: &[(&str, &[&str])] = &[
    ("kestra_worker_job_running", &["kestra_worker_running_count"]),
    ("kestra_worker_job_pending", &["kestra_worker_pending_count", "kestra_worker_queue_size"]),
    ("kestra_queue_produce_count_total", &["kestra_queue_message_emitted_total"]),
    ("kestra_queue_receive_duration_seconds", &["kestra_queue_consume_duration_seconds"]),
];

/// Pools of threads that 2.0 has in place of others, by the same notes.
const POOLS: &[&str] = &[
    "queue-async-execution",
    "worker-default",
    "worker-system",
    "executor-execution-event-executor",
    "executor-worker-task-result-executor",
    "scheduler-scheduling-loop",
    "standalone-runner",
    "flow-service",
];

#[test]
fn what_2_0_renames_is_told_of_its_mock_beside_the_profile_of_1_3() {
    for (name, text) in [("standalone", of_version("idle", "2.0")), ("split", split("2.0"))] {
        let mock = mock(&text, 1);
        let (code, out, err) = contract(&mock, &["--kestra", "1.3", "--format", "json"]);
        assert_eq!(code, Some(1), "{err}");
        let json: Value = serde_json::from_str(&out).expect("JSON");
        let found = json["differences"].as_array().expect("a list");
        let one = |kind: &str, subject: &str| {
            let it = found.iter().find(|it| it["kind"] == kind && it["subject"] == subject);
            it.unwrap_or_else(|| panic!("{name}: {kind} {subject} in {out}"))
        };
        assert_eq!(one("version", "Kestra 1.3")["found"], "2.0.0-oss");
        // 1.3 knows no controller: nobody can say what one lacks.
        let of_controller = |it: &&Value| it["on"] == serde_json::json!(["controller"]) && it["kind"] == "lacks";
        assert_eq!(found.iter().find(of_controller), None);
        for (old, new) in RENAMES {
            assert_eq!(one("renamed", old)["found"], new.join(", "), "{name}");
            // What is told as a new name is not told as new.
            assert!(
                found
                    .iter()
                    .all(|it| it["kind"] != "more" || !new.contains(&it["subject"].as_str().unwrap_or_default()))
            );
        }
        // Gone for good, though they come with an event in 1.3.
        one("lacks", "kestra_queue_poll_size");
        one("lacks", "kestra_queue_big_message_count_total");
        one("labels", "kestra_worker_job_thread");
        one("status", "GET /flyway");
        one("lacks", "GET /flyway");
        one("shape", "GET /nope");
        let values: Vec<&Value> = found.iter().filter(|it| it["kind"] == "values").collect();
        let told: String = values.iter().map(|it| format!("{} {}", it["found"], it["told"])).collect();
        for pool in POOLS {
            let there = told.contains(pool) || (*pool == "standalone-runner" && name != "standalone");
            // The runner of a standalone has kept its name.
            assert!(there || *pool == "standalone-runner", "{name}: {pool} in {told}");
        }
        assert!(told.contains("worker is worker-default there"), "{told}");
    }
}

/// Who serves this as its metrics, and nothing else.
fn only(prometheus: Vec<u8>) -> Files {
    Files::serve(BTreeMap::from([("/prometheus".to_owned(), prometheus)]))
}

#[test]
fn what_is_no_sound_kestra_is_a_clear_error() {
    let worker = idle("1.3", "worker");
    let cut = &worker[..worker.len() - 7];
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8";
    let node = "# HELP node_load1 1m load average.\n# TYPE node_load1 gauge\nnode_load1 0.5\n";
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    for (server, words) in [
        (only(bytes("HTTP/1.1 401 Unauthorized", "")), "it answers 401: it wants a name and a password"),
        (only(bytes("HTTP/1.1 404 Not Found", "")), "/prometheus answers 404: this is no management port"),
        (only(bytes("HTTP/1.1 302 Found\r\nlocation: /ui/", "")), "/prometheus answers 302"),
        (only(bytes(html, "<html></html>")), "answers with text/html, not with metrics"),
        (only(metrics(cut)), "is no sound exposition: line 1538, column 32: the text ends within a line"),
        (only(metrics("a{b=\"c} 1\n")), "line 1, column 10: the value of `b` has no end"),
        (only(metrics(node)), "its metrics are not those of a Kestra: node_load1; ask its management port"),
        (only(metrics("")), "its metrics are not those of a Kestra"),
    ] {
        let (code, out, err) = run(&["contract", &server.url()]);
        assert_eq!((code, out.as_str()), (Some(3), ""), "{words}: {err}");
        assert!(err.starts_with(&format!("error: {}", server.url())) && err.contains(words), "{words} in {err}");
    }
    // What is wrong with each of several is told.
    let servers = [only(metrics(node)), only(metrics("a 1"))];
    let (code, _, err) = run(&["contract", &servers[0].url(), &servers[1].url()]);
    assert_eq!((code, err.lines().filter(|line| line.starts_with("error: http://")).count()), (Some(3), 2), "{err}");
    let url = format!("http://{gone}");
    let (code, out, err) = run(&["contract", &url]);
    assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
    assert_eq!(err, format!("error: {url}/prometheus: connection refused\n"));
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    // It accepts, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (code, _, err) = run(&["contract", &url, "--timeout", "50ms"]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.starts_with(&format!("error: {url}/prometheus: ")), "{err}");
}

#[test]
fn what_is_wrong_on_the_command_line_is_told_before_anybody_is_asked() {
    let rules = scratch("rules.yml");
    std::fs::write(&rules, "groups: [ { name: a, rules: [ { alert: A, expr: 'sum(' } ] } ]\n").expect("written");
    let rules = rules.display().to_string();
    let gone = "http://127.0.0.1:9";
    for (arguments, words) in [
        (&["127.0.0.1:8081"][..], "URL 1: this is no address: relative URL without a base; write an address such as"),
        (&[gone, "ftp://me:s3cret@host"], "URL 2: this is no address of HTTP"),
        (&["http://me:s3cret@127.0.0.1:9", gone], "http://127.0.0.1:9 is there twice"),
        (&[gone, "--user", "s3cret"], "--user: write NAME:PASSWORD"),
        (&[gone, "--kestra", "3.0"], "'3.0' for '--kestra"),
        (&[gone, "--allow", "["], "write a name, or a pattern such as jvm_* or more:*"),
        (&[gone, "--timeout", "0s"], "write a duration from 1ms to 10m"),
        (&[gone, "--rules", &rules], "rules.yml:1:"),
        (&[gone, "--rules", "no-such.yml"], "cannot read the rules `no-such.yml`"),
        (&[gone, "--rules", &rules, "--kestra", "2.0"], "cannot be used with"),
        (&[], "<URL>"),
    ] {
        let arguments: Vec<&str> = ["contract"].into_iter().chain(arguments.iter().copied()).collect();
        let (code, out, err) = run(&arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains(words) && !err.contains("s3cret"), "{words} in {err}");
    }
}

#[test]
fn servers_of_several_versions_need_one_to_be_held_against() {
    let mocks = (mock(&of_version("idle", "1.3"), 1), mock(&of_version("idle", "2.0"), 1));
    let (old, new) = (urls(&mocks.0)[0].clone(), urls(&mocks.1)[0].clone());
    let (code, out, err) = run(&["contract", &old, &new]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    let words = format!("error: {old} is Kestra 1.3.19-oss, {new} is Kestra 2.0.0-oss: say with --kestra which");
    assert!(err.starts_with(&words), "{err}");
    // With a version each difference says where it is.
    let (code, out, err) = run(&["contract", &old, &new, "--kestra", "1.3"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(out.contains(&format!("it is 2.0.0-oss  (standalone {new})")), "{out}");
    assert!(out.contains("the servers are of several builds: 1.3.19-oss, 2.0.0-oss"), "{out}");
    // What one of two has the role has.
    assert!(!out.contains("renamed"), "{out}");
}

#[test]
fn credentials_open_a_server_and_are_shown_nowhere() {
    let auth = "configuration: { endpoints.all: { path: /manage, basic-auth: { username: mon, password: s3cret } } }\n";
    let mock = mock(&format!("name: closed\ncluster: {{ standalone: 1 }}\n{auth}"), 1);
    let url = format!("{}/manage", urls(&mock)[0]);
    let junit = scratch("closed.xml").display().to_string();
    let with = url.replace("http://", "http://mon:s3cret@");
    let given = |arguments: &[&str], variable: Option<&str>| {
        let mut command = common::server::binary();
        command.arg("contract").args(arguments).args(["--junit", &junit]).env_remove("MOCK_KESTRA_USER");
        if let Some(value) = variable {
            command.env("MOCK_KESTRA_USER", value);
        }
        let output = command.output().expect("it runs");
        let text = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
        let all = text.clone() + &std::fs::read_to_string(&junit).unwrap_or_default();
        assert!(!all.contains("s3cret") && !all.contains("bW9uOnMzY3JldA"), "{all}");
        (output.status.code(), text)
    };
    for (arguments, variable) in [
        (&[url.as_str(), "--user", "mon:s3cret"][..], None),
        (&[url.as_str()], Some("mon:s3cret")),
        (&[with.as_str()], None),
        (&[&format!("{url}/prometheus"), "--user", "mon:s3cret"], Some("wrong:one")),
    ] {
        let (code, text) = given(arguments, variable);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        assert!(text.contains("no difference"), "{text}");
    }
    for (arguments, variable) in [(&[url.as_str()][..], None), (&[url.as_str(), "--user", "mon:s3cre"], None)] {
        let (code, text) = given(arguments, variable);
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains("it answers 401: it wants a name and a password"), "{text}");
    }
    let (code, text) = given(&[&urls(&mock)[0], "--user", "mon:s3cret"], None);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("or it lies below a path (endpoints.all.path"), "{text}");
}

#[test]
fn a_report_has_every_form() {
    let text = changed(&[("# TYPE process_uptime_seconds gauge", "# TYPE process_uptime_seconds counter")]);
    let mut answers = recorded_answers("1.3", "worker", &text);
    answers.insert("/info".to_owned(), bytes("HTTP/1.1 404 Not Found", ""));
    let server = Files::serve(answers);
    let url = server.url();
    let file = scratch("contract.xml");
    let junit = file.display().to_string();
    let (code, out, _) = run(&["contract", &url, "--junit", &junit, "--format", "markdown", "--allow", "process_*"]);
    assert_eq!(code, Some(1));
    assert!(
        out.contains("| type (allowed) | process\\_uptime\\_seconds | is a counter, in the profile a gauge | worker |"),
        "{out}"
    );
    assert!(out.contains("| status | GET /info | answers 404, in the profile 200 | worker |"), "{out}");
    let xml = std::fs::read_to_string(&file).expect("written");
    let case = |name: &str| {
        let case = xml.lines().find(|line| line.contains(&format!("name=\"{name}\"")) && line.contains("<testcase"));
        case.unwrap_or_else(|| panic!("{name} in {xml}"))
    };
    assert!(case("GET /info").contains("<failure message=\"status: answers 404, in the profile 200 (worker)\"/>"));
    assert!(case("process_uptime_seconds").contains("<skipped message=\"type: is a counter"));
    assert!(case("kestra_worker_job_running").contains("<system-out>"));
    assert!(case("kestra_worker_started_count_total").contains("<skipped message=\"it comes with its first event"));
    assert!(xml.contains("<testsuite name=\"Kestra 1.3 endpoints\""), "{xml}");
    let (_, out, _) = run(&["contract", &url, "--format", "github"]);
    assert!(out.contains("::error title=mock-kestra::type: process_uptime_seconds  is a counter"), "{out}");
    let (_, out, _) = run(&["contract", &url, "--all"]);
    assert!(out.contains("\n  kestra_worker_started_count_total\n"), "{out}");
    let (code, _, err) = run(&["contract", &url, "--junit", "/no/such/folder/x.xml"]);
    assert_eq!(code, Some(3));
    assert!(err.contains("cannot write /no/such/folder/x.xml"), "{err}");
}

#[test]
fn the_readme_shows_what_is_said() {
    let mock = mock(&of_version("idle", "2.0"), 1);
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("readable");
    for more in ["--kestra 1.3", "--rules scenarios/rules/kestra.yml"] {
        let command = format!("$ mock-kestra contract http://kestra-0:8081 {more}\n");
        let shown = readme.split(&command).nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let arguments: Vec<&str> = more.split(' ').collect();
        let (_, out, err) = contract(&mock, &arguments);
        let out = out.replace(&urls(&mock)[0], "http://kestra-0:8081");
        let mut lines = out.lines();
        for line in shown.lines().filter(|line| *line != "...") {
            assert!(lines.any(|real| real == line), "`{line}` in its place in\n{out}{err}");
        }
        assert!(shown.lines().count() > 6);
    }
}

/// A fresh process of the mock, as the pure layer is given it.
fn fresh(profile: &'static Profile, role: Role) -> (String, Answered) {
    let mut text = Vec::new();
    Registry::new(profile, role, Instant::START).render(&Look::at(Instant::START), &mut text);
    let version = format!("{{\"version\":\"{}-oss\",\"type\":\"{}\"}}", profile.release().version, role.server_type());
    (String::from_utf8(text).expect("UTF-8"), ok("application/json", version.into_bytes()))
}

fn ok(kind: &str, body: Vec<u8>) -> Answered {
    Answered { status: 200, content_type: Some(kind.to_owned()), body }
}

fn any_process() -> impl Strategy<Value = (&'static Profile, Role)> {
    (0..VERSIONS.len(), any::<prop::sample::Index>()).prop_map(|(version, role)| {
        let profile = Profile::named(VERSIONS[version]).expect("a version");
        let roles: Vec<Role> = profile.roles().collect();
        (profile, roles[role.index(roles.len())])
    })
}

proptest! {
    #![proptest_config(common::config(24))]

    /// For every process and every family that is taken out of its text: that one is told as lacking, or as one that an event
    /// brings, and nothing else is told.
    #[test]
    fn what_is_taken_away_is_told_and_nothing_else((profile, role) in any_process(), which in any::<prop::sample::Index>()) {
        let (text, version) = fresh(profile, role);
        let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        let gone = names[which.index(names.len())];
        let of_it = |line: &&str| {
            let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
            let name = name.split(['{', ' ']).next().unwrap_or_default();
            name.strip_prefix(gone).is_some_and(|end| ["", "_count", "_sum", "_bucket"].contains(&end))
        };
        let left: String = text.lines().filter(|line| !of_it(line)).map(|line| format!("{line}\n")).collect();
        let read = |text: &str| Server::read("http://x", &ok("text/plain", text.as_bytes().to_vec()), Some(&version));
        let whole = compare(profile, &[read(&text).expect("a Kestra")], |_| false);
        prop_assert!(whole.differences.is_empty(), "{:?}", whole.differences);
        let less = compare(profile, &[read(&left).expect("a Kestra")], |_| false);
        let told: Vec<&str> = less.differences.iter().map(|it| it.subject.as_str()).collect();
        let unseen = less.unseen.iter().any(|name| name == gone || format!("{name}_max") == gone);
        prop_assert!(told == [gone] || (told.is_empty() && unseen), "{gone}: {told:?}");
        prop_assert!(less.differences.iter().all(|it| it.kind == Kind::Lacks));
    }

    /// For every text that is cut or has bytes of its own: it is read, or an error says why; nothing panics.
    #[test]
    fn nothing_that_a_server_says_breaks_anything(
        (profile, role) in any_process(),
        cut in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        status in 100u16..600,
        json in "[\\[{\"a:0,}\\]]{0,12}",
    ) {
        let (text, version) = fresh(profile, role);
        let at = cut.index(text.len());
        let mangled = [&text.as_bytes()[..at], &bytes, &text.as_bytes()[at..]].concat();
        for body in [mangled, text.into_bytes()] {
            let Ok(server) = Server::read("http://x", &ok("text/plain", body), Some(&version)) else { continue };
            let odd = |path: String| (path, Ok(Answered { status, content_type: None, body: json.clone().into_bytes() }));
            let good = |path: String| (path, Ok(ok("application/json", json.clone().into_bytes())));
            let answers = paths().into_iter().map(good).chain(paths().into_iter().map(odd)).collect();
            let compared = compare(profile, &[server.answering(answers)], |_| false);
            prop_assert!(compared.junit().starts_with("<?xml") && !compared.text(true).is_empty());
        }
    }
}
