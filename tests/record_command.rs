//! `mock-kestra record` against ports and Prometheus servers: what is asked, what is told, and what is left.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;

use common::server::{plan, run, scratch};
use common::{body, capture_of};
use mock_kestra::profile::Role;
use mock_kestra::scenario::Plan;
use wiremock::matchers::{basic_auth, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// What the command says when it fails, and that it leaves no file.
fn fails(arguments: &[&str], code: i32) -> String {
    let out = scratch("out.yaml");
    let all = [&["record"] as &[&str], arguments, &["-o", out.to_str().expect("a path")]].concat();
    let (found, text, told) = run(&all);
    assert_eq!((found, text.as_str()), (Some(code), ""), "{arguments:?}: {told}");
    let left: Vec<_> = std::fs::read_dir(out.parent().expect("a folder")).expect("a folder").collect();
    assert!(left.is_empty(), "{arguments:?} leaves {left:?}");
    assert!(told.starts_with("error: ") && !told.contains("s3cret"), "{told}");
    told
}

#[test]
fn a_wrong_command_line_is_told() {
    let url = "http://127.0.0.1:1";
    for (arguments, words) in [
        (&[] as &[&str], "required"),
        (&["kestra:8081"], "URL 1: "),
        (&["ftp://joe:s3cret@kestra"], "URL 1: "),
        (&[url, url], "is there twice"),
        (&[url, "--every", "5s"], "--every is how often within --for"),
        (&[url, "--for", "8d"], "write a duration up to 7d"),
        (&[url, "--for", "7d", "--every", "1s"], "make --every longer"),
        (&[url, "--user", "s3cret"], "--user: write NAME:PASSWORD"),
        (&[url, "--prometheus", url], "cannot be used with"),
        (&["--prometheus", url, "--for", "5m"], "cannot be used with"),
        (&[url, "--from", "-1h"], "cannot be used with"),
        (&[url, "--name", ""], "--name"),
        (&["--prometheus", url, "--match", "kestra"], "write matchers in braces"),
        (&["--prometheus", url, "--from", "yesterday"], "--from"),
        (&["--prometheus", url, "--from", "2031-01-01T00:00:00Z"], "it ends before it begins"),
        (&["--prometheus", url, "--from", "-1m", "--every", "5m"], "no room in it for one step"),
    ] {
        let told = fails(arguments, 2);
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    let token = scratch("token");
    std::fs::write(&token, "\n").expect("written");
    let told = fails(&[url, "--token-file", token.to_str().expect("a path")], 2);
    assert!(told.ends_with("token is empty\n"), "{told}");
    let (code, _, told) = run(&["record", url, "-o", "/nowhere/at/all.yaml"]);
    assert_eq!((code, told.as_str()), (Some(2), "error: --out: there is no folder /nowhere/at\n"));
}

/// A server that answers a path.
async fn serving(at: &str, answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path(at)).respond_with(answer).mount(&server).await;
    server
}

/// The same of what the command says of a server.
async fn fails_at(at: &str, answer: ResponseTemplate, arguments: &'static [&'static str]) -> String {
    let server = serving(at, answer).await;
    let url = server.uri();
    let told = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(|it| if *it == "URL" { url.as_str() } else { it }).collect();
        (fails(&arguments, 3), url.clone())
    });
    let (told, url) = told.await.expect("no panic");
    told.replace(&url, "URL")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_no_kestras_is_told_and_leaves_no_file() {
    let one: &[&str] = &["URL"];
    let text = |text: &str| ResponseTemplate::new(200).set_body_string(text.to_owned());
    let capture = capture_of("1.3", "roles/worker/GET_prometheus.http");
    let cut = body(&capture)[..9_000].trim_end_matches('\n').to_owned();
    for (answer, words) in [
        (
            ResponseTemplate::new(401),
            "URL/prometheus answers 401: it wants a name and a password (--user, or MOCK_KESTRA_USER)",
        ),
        (
            ResponseTemplate::new(404),
            "URL/prometheus answers 404: this is no management port of a Kestra (8081 as it ships)",
        ),
        (ResponseTemplate::new(500), "URL/prometheus answers 500"),
        (
            text("<html>\n"),
            "a line begins with the name of a metric or with `#`: this is no management port of a Kestra",
        ),
        (text("up 1\n"), "this is no Kestra"),
        (text(&cut), "the text ends within a line: it was cut off"),
    ] {
        let told = fails_at("/prometheus", answer, one).await;
        assert!(told.contains(words), "{told}");
    }
    let told = tokio::task::spawn_blocking(|| fails(&["http://joe:s3cret@127.0.0.1:1"], 3)).await.expect("no panic");
    assert!(told.starts_with("error: http://127.0.0.1:1/prometheus: "), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_that_has_nothing_or_is_none_is_told_and_leaves_no_file() {
    let asked: &[&str] = &["--prometheus", "URL", "--until", "2026-03-01T12:00:00Z"];
    let json = |status, value: serde_json::Value| ResponseTemplate::new(status).set_body_json(value);
    let empty = serde_json::json!({ "status": "success", "data": { "resultType": "matrix", "result": [] } });
    let error = serde_json::json!({ "status": "error", "errorType": "bad_data", "error": "no room" });
    for (answer, words) in [
        (
            json(200, empty),
            "URL has no series that {job=\"kestra\"} means from 2026-03-01T06:00:00Z to 2026-03-01T12:00:00Z",
        ),
        (json(422, error), "URL: it answers 422: no room"),
        (ResponseTemplate::new(200).set_body_string("<html>"), "URL: this is no answer of a Prometheus"),
        (ResponseTemplate::new(404), "URL: it answers 404, and not as a Prometheus does"),
        (ResponseTemplate::new(401), "URL answers 401: it wants a name and a password"),
    ] {
        let told = fails_at("/api/v1/query_range", answer, asked).await;
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_holds_no_credentials_and_no_addresses_and_is_not_touched_by_what_fails() {
    let capture = capture_of("1.3", "roles/worker/GET_prometheus.http");
    let exposition = ResponseTemplate::new(200).set_body_string(body(&capture).to_owned());
    let server = MockServer::start().await;
    // Only who says name and password gets it.
    Mock::given(path("/prometheus")).and(basic_auth("joe", "s3cret")).respond_with(exposition).mount(&server).await;
    let address = server.uri().replace("http://", "");
    let out = scratch("out.yaml");
    std::fs::write(&out, "before").expect("written");
    let file = out.to_str().expect("a path").to_owned();
    let (again, place) = (file.clone(), address.clone());
    let (refused, taken) = tokio::task::spawn_blocking(move || {
        let refused = run(&["record", &format!("http://{place}"), "-o", &again]);
        assert_eq!(std::fs::read_to_string(&again).expect("a file"), "before");
        (refused, run(&["record", &format!("http://joe:s3cret@{place}/prometheus"), "-o", &again]))
    })
    .await
    .expect("no panic");
    assert_eq!((refused.0, taken.0), (Some(3), Some(0)), "{} {}", refused.2, taken.2);
    let text = std::fs::read_to_string(&file).expect("a file");
    for secret in ["s3cret", "joe", address.as_str()] {
        assert!(!text.contains(secret) && !taken.2.contains(secret), "{secret}: {}\n{text}", taken.2);
    }
    assert!(plan(&text).cluster.members.iter().all(|member| member.role == Role::Worker && member.threads == 4));
}

/// A cluster whose day lasts a minute or two is recorded over its ports, and what was written is what runs there.
#[test]
fn a_served_cluster_is_recorded_over_its_ports() {
    let mock = common::server::Mock::start(&["worker-killed", "--speed", "600", "--kestra", "1.3"]);
    let members = ["webserver-1", "executor-1", "scheduler-1", "worker-1", "worker-2"];
    let urls: Vec<String> = members.iter().map(|name| format!("http://{}", mock.member(name))).collect();
    let mut arguments: Vec<&str> = vec!["record"];
    arguments.extend(urls.iter().map(String::as_str));
    // Where the machine is slow a worker is dead just when it is asked for the first time: then it is asked again.
    let record = |arguments: &[&str]| {
        let mut tries = (0..40).map(|_| run(arguments));
        let refused = |told: &str| told.contains("connection refused");
        let (code, text, told) =
            tries.find(|(code, _, told)| *code == Some(0) || !refused(told)).expect("it comes back");
        assert_eq!(code, Some(0), "{told}");
        text
    };
    let once = record(&arguments);
    arguments.extend(["--for", "6s", "--every", "200ms"]);
    let often = record(&arguments);
    for text in [once, often] {
        let (made, found) = (plan(&common::server::shipped("worker-killed")), plan(&text));
        let members = |plan: &Plan| -> Vec<(String, u64)> {
            plan.cluster.members.iter().map(|it| (it.name.clone(), it.heap)).collect()
        };
        assert_eq!((members(&made), made.kestra), (members(&found), found.kestra), "{text}");
        assert_eq!(made.flows[0].name(), found.flows[0].name());
        assert_eq!(made.flows[0].all_tasks()[0].kind, found.flows[0].all_tasks()[0].kind);
        assert_eq!(
            format!("{:?}", made.flows[0].triggers[0].action),
            format!("{:?}", found.flows[0].triggers[0].action)
        );
        // Some minutes hold only so many executions.
        let rate = found.arrivals[0].rate / made.arrivals[0].rate;
        assert!((0.7..1.3).contains(&rate), "{rate}\n{text}");
    }
}

/// Serves what a worker of 1.3 exposed, over TLS, and nothing else.
fn secured_worker(config: Arc<rustls::ServerConfig>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let text = body(&capture_of("1.3", "roles/worker/GET_prometheus.http")).to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, text) = (Arc::clone(&config), text.clone());
            std::thread::spawn(move || {
                let mut stream = BufReader::new(common::tls::secured(&config, stream));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if !stream.read_line(&mut head).is_ok_and(|read| read > 0) {
                        return;
                    }
                }
                let (status, body) =
                    if head.starts_with("GET /prometheus ") { ("200 OK", &*text) } else { ("404 No", "") };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.get_mut().write_all(answer.as_bytes());
                stream.get_mut().conn.send_close_notify();
                let _ = stream.get_mut().flush();
            });
        }
    });
    format!("https://localhost:{port}")
}

#[test]
fn who_signs_himself_or_by_an_own_authority_is_believed_when_that_is_named() {
    let file = scratch("ca.pem");
    let named = file.to_str().expect("a path");
    for (pem, config) in [common::tls::authority(), common::tls::self_signed(false), common::tls::self_signed(true)] {
        std::fs::write(&file, pem).expect("written");
        let url = secured_worker(config);
        let told = fails(&[&url], 3);
        assert!(told.contains("name the authority that signed it, or its own certificate, with --ca-file"), "{told}");
        let (code, text, told) = run(&["record", &url, "--ca-file", named]);
        assert_eq!(code, Some(0), "{told}");
        assert!(plan(&text).cluster.members.iter().all(|member| member.role == Role::Worker), "{text}");
        // Whoever else has a certificate is not believed for it.
        let other = secured_worker(common::tls::self_signed(true).1);
        fails(&[&other, "--ca-file", named], 3);
        let (code, out, told) = run(&["contract", &url, "--ca-file", named, "--rules", "scenarios/rules/kestra.yml"]);
        assert_eq!(code, Some(1), "{out}{told}");
        assert!(run(&["contract", &url]).2.contains("--ca-file"));
    }
    std::fs::write(&file, "none").expect("written");
    assert!(fails(&["https://localhost:1", "--ca-file", named], 2).contains("it holds no certificate in PEM"));
}

#[test]
fn a_renamed_prefix_of_metrics_is_known_and_is_that_of_the_scenario() {
    let file = scratch("prefixed.yaml");
    let text =
        common::server::shipped("worker-killed") + "configuration: { kestra: { metrics: { prefix: acme.kestra } } }\n";
    std::fs::write(&file, text).expect("written");
    let mock = common::server::Mock::start(&[file.to_str().expect("a path"), "--paused", "--kestra", "1.3"]);
    let urls = ["webserver-1", "executor-1", "scheduler-1", "worker-1"].map(|it| format!("http://{}", mock.member(it)));
    let mut arguments: Vec<&str> = vec!["record"];
    arguments.extend(urls.iter().map(String::as_str));
    mock.post("/api/advance", r#"{"by": "5m"}"#);
    let (code, found, told) = run(&arguments);
    assert_eq!(code, Some(0), "{told}");
    let found = plan(&found);
    assert_eq!(found.settings.metrics_prefix.as_deref(), Some("acme_kestra"));
    assert_eq!(found.flows[0].name(), plan(&common::server::shipped("worker-killed")).flows[0].name());
    arguments.push("--anonymize");
    let (_, found, _) = run(&arguments);
    assert!(!found.contains("acme") && found.contains("prefix: prefix-"), "{found}");
}

#[test]
fn an_upgrade_in_the_middle_is_told() {
    let file = scratch("upgraded.yaml");
    let text =
        common::server::shipped("idle") + "timeline: [ { at: 1m, upgrade: { member: standalone-1, to: \"2.0\" } } ]\n";
    std::fs::write(&file, text).expect("written");
    let mock = common::server::Mock::start(&[file.to_str().expect("a path"), "--speed", "60", "--kestra", "1.3"]);
    let url = format!("http://{}", mock.member("standalone-1"));
    let (code, text, told) = run(&["record", &url, "--for", "8s", "--every", "100ms"]);
    assert_eq!(code, Some(0), "{told}");
    let comment: String = text.lines().filter_map(|line| line.strip_prefix('#')).collect();
    let words: Vec<&str> = comment.split_whitespace().collect();
    assert!(words.join(" ").contains("became another version while it was looked at (1.3."), "{text}");
    assert!(told.contains("became another version"), "{told}");
}
