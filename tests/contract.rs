//! `mock-kestra contract` against servers: the mock of every version, recorded ones, and what is none.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use common::exchange::recorded;
use common::server::{Local, plan, run, scratch, session, shipped};
use common::{body, capture};
use mock_kestra::server::Options;
use mock_kestra::time::{Duration, Instant};
use serde_json::Value;

const VERSIONS: [&str; 3] = ["0.20", "1.3", "2.0"];

/// A mock of a scenario's text, so many minutes after its start, standing still.
fn mock(text: &str, minutes: u64) -> Local {
    let mut session = session(plan(text));
    session.advance(Instant::START + Duration::minutes(minutes)).expect("no limit");
    Local::serve(session, |clock| clock.paused(), Options::default())
}

/// The management ports of all members.
fn urls(mock: &Local) -> Vec<String> {
    let members = &mock.running.addresses().members;
    members.iter().map(|member| format!("http://{}:{}", member.host, member.management)).collect()
}

/// Asks all members of a mock.
fn contract(mock: &Local, more: &[&str]) -> (Option<i32>, String, String) {
    let urls = urls(mock);
    let arguments: Vec<&str> = ["contract"].into_iter().chain(urls.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    run(&arguments)
}

/// A process of each role of a version, without flows.
fn split(version: &str) -> String {
    let controller = if version == "2.0" { ", controller: 1" } else { "" };
    format!(
        "name: split\nkestra: \"{version}\"\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 2, indexer: 1{controller} }} }}\n"
    )
}

/// A shipped scenario with this version.
fn of_version(scenario: &str, version: &str) -> String {
    let text = shipped(scenario);
    let own = text.lines().find(|line| line.starts_with("kestra:")).expect("a version").to_owned();
    text.replace(&own, &format!("kestra: \"{version}\""))
}

#[test]
fn a_mock_of_every_version_fresh_or_busy_is_as_its_profile_says() {
    for version in VERSIONS {
        for (name, text, minutes) in [
            ("idle", of_version("idle", version), 1),
            ("split", split(version), 1),
            ("healthy", of_version("healthy", version), 30),
            ("healthy-cluster", of_version("healthy-cluster", version), 30),
        ] {
            let mock = mock(&text, minutes);
            let (code, out, err) = contract(&mock, &[]);
            assert_eq!(code, Some(0), "{name} {version}:\n{out}{err}");
            assert!(out.contains(&format!("held against Kestra {version}: no difference")), "{name}: {out}");
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

/// What a real 1.3.19 of a role answered. What was not recorded of a role by itself is that of the standalone, which is the
/// same there (tests/conformance.rs).
fn recorded_answers(role: &str, exposition: &str) -> BTreeMap<String, Vec<u8>> {
    let mut answers: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for set in ["standalone", role] {
        for exchange in recorded("1.3", set).into_iter().filter(|it| !it.name.contains("port8080")) {
            let mut words = exchange.request.split(' ');
            if let (Some("GET"), Some(path), Some(body)) = (words.next(), words.next(), exchange.body) {
                answers.insert(path.to_owned(), bytes(&exchange.head, &body));
            }
        }
    }
    let threads = capture("management/threaddump.json");
    answers.insert("/threaddump".to_owned(), bytes("HTTP/1.1 200 OK\r\ncontent-type: application/json", &threads));
    answers.insert("/prometheus".to_owned(), metrics(exposition));
    answers
}

const ROLES: [&str; 6] = ["standalone", "webserver", "executor", "scheduler", "worker", "indexer"];

/// What differs between the recordings of 1.3.19 and its profile: kind, subject, and the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("status", "GET /routes", "of a standalone and a webserver it was recorded in part only, so that these servers give none"),
];

fn is_excepted(difference: &Value) -> bool {
    EXCEPTIONS.iter().any(|(kind, subject, _)| difference["kind"] == *kind && difference["subject"] == *subject)
}

/// The differences of servers of files, in JSON.
fn differences(servers: &[Files], more: &[&str]) -> Vec<Value> {
    let urls: Vec<String> = servers.iter().map(Files::url).collect();
    let all: Vec<&str> = ["contract", "--format", "json"].into_iter().chain(urls.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    let (code, out, err) = run(&all);
    let json: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{code:?}: {out}{err}"));
    let found = json["differences"].as_array().expect("a list").clone();
    assert_eq!(code, Some(i32::from(!found.is_empty())), "{err}");
    found
}

#[test]
fn recorded_servers_are_as_their_profile_says_but_for_what_is_known() {
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for role in ROLES {
        let idle = match role {
            "standalone" => capture("standalone/GET_prometheus.http"),
            role => capture(&format!("roles/{role}/GET_prometheus.http")),
        };
        for (state, text) in [("idle", body(&idle).to_owned()), ("busy", capture(&format!("busy/{role}.txt")))] {
            let server = Files::serve(recorded_answers(role, &text));
            for difference in differences(&[server], &[]) {
                match is_excepted(&difference) {
                    true => _ = used.insert((difference["kind"].to_string(), difference["subject"].to_string())),
                    false => wrong.push(format!("{role} {state}: {difference}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    let idle: Vec<_> = EXCEPTIONS
        .iter()
        .filter(|(kind, subject, _)| !used.contains(&(Value::from(*kind).to_string(), Value::from(*subject).to_string())))
        .collect();
    assert!(idle.is_empty(), "no longer needed: {idle:?}");
}
