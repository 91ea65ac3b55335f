//! Messages that really leave: to receivers over HTTP and to a mail server, good and bad ones.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use mock_kestra::notify::{Asked, Dialect, Message, message};
use mock_kestra::pebble::{Host, Secrets};
use mock_kestra::server::delivery::{Answered, Delivery, Destinations, Limits};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const WEBHOOK: &str = "io.kestra.plugin.slack.notifications.SlackIncomingWebhook";

fn sent(kind: &str, properties: Value) -> Message {
    let secrets = Secrets::new([("KEY".to_owned(), "s3cr3t".to_owned())]);
    let host = Host { secrets: &secrets, ..Host::at("2026-11-25T02:00:00Z".parse().unwrap()) };
    let (dialect, none) = (Dialect::named("1.3").unwrap(), serde_json::Map::new());
    let properties = properties.as_object().unwrap();
    message(&Asked {
        kind,
        properties,
        context: &none,
        host: &host,
        dialect: &dialect,
        kestra_url: None,
        executions: &|_| None,
    })
    .expect("a message")
}

fn hook(url: &str) -> Message {
    sent(WEBHOOK, json!({ "url": url, "payload": "{\"text\": \"s3cr3t\"}" }))
}

fn local(instead: Option<String>) -> Destinations {
    Destinations { hosts: ["127.0.0.1".to_owned()].into(), instead }
}

async fn answered(message: Message, destinations: Destinations, limits: Limits) -> Answered {
    let (delivery, mut answers) = Delivery::start(destinations, limits).expect("it starts");
    delivery.offer(7, message).expect("the queue is empty");
    let answered = answers.recv().await.expect("an answer");
    assert_eq!(answered.id, 7);
    answered
}

#[tokio::test]
async fn a_receiver_gets_the_request_and_its_answer_comes_back() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/s"))
        .respond_with(ResponseTemplate::new(200).set_body_string("got s3cr3t"))
        .mount(&server)
        .await;
    let done = answered(hook(&format!("{}/s", server.uri())), local(None), Limits::default()).await;
    assert_eq!(done.failure, None);
    let reply = done.reply.expect("a reply");
    assert_eq!((reply.status, reply.body.as_str(), reply.cut), (200, "got ******", false));
    let got = server.received_requests().await.unwrap();
    assert_eq!(got[0].body_json::<Value>().unwrap(), json!({ "text": "s3cr3t" }));
    assert_eq!(got[0].headers["content-type"], "application/json");
    assert_eq!(got[0].headers["user-agent"], "Kestra");
}

#[tokio::test]
async fn a_status_of_400_or_more_fails_the_task_in_its_words() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(404).set_body_string("no_team"))
        .mount(&server)
        .await;
    let done = answered(hook(&server.uri()), local(None), Limits::default()).await;
    assert_eq!(done.failure.as_deref(), Some("Failed http request with response code '404' and body:\nno_team"));
}

#[tokio::test]
async fn one_receiver_may_get_everything() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/base/services/T"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let instead = Some(format!("{}/base/", server.uri()));
    let done = answered(hook("https://hooks.slack.com/services/T?a=1"), local(instead), Limits::default()).await;
    assert_eq!(done.failure, None);
    let got = server.received_requests().await.unwrap();
    assert_eq!(got[0].url.query(), Some("a=1"));
    assert_eq!(got[0].headers["x-mock-kestra-url"], "https://hooks.slack.com/services/T?a=1");
}

#[tokio::test]
async fn only_hosts_that_flows_name_are_spoken_to_by_redirects_too() {
    let done = answered(hook("http://hooks.slack.com/x"), local(None), Limits::default()).await;
    assert!(done.failure.unwrap().contains("no flow names the host hooks.slack.com"));
    let server = MockServer::start().await;
    let away = ResponseTemplate::new(307).insert_header("Location", "http://elsewhere.test/x");
    Mock::given(method("POST")).respond_with(away).mount(&server).await;
    let done = answered(hook(&server.uri()), local(None), Limits::default()).await;
    assert!(done.failure.unwrap().contains("elsewhere.test"));
}

#[tokio::test]
async fn a_loop_of_redirects_ends() {
    let server = MockServer::start().await;
    let again = ResponseTemplate::new(307).insert_header("Location", server.uri().as_str());
    Mock::given(method("POST")).respond_with(again).mount(&server).await;
    let limits = Limits { redirects: 4, ..Limits::default() };
    let done = answered(hook(&server.uri()), local(None), limits).await;
    assert!(done.failure.unwrap().contains("more than 4 redirects"));
    assert_eq!(server.received_requests().await.unwrap().len(), 5);
}

/// A server that says something and then `more`, again and again, until nobody listens.
async fn hostile(head: &'static str, more: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4096];
        let _ = stream.read(&mut asked).await;
        let _ = stream.write_all(head.as_bytes()).await;
        while !more.is_empty() && stream.write_all(more).await.is_ok() {}
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_one_that_never_comes_ends() {
    let url = hostile("HTTP/1.1 200 OK\r\n\r\n", &[b'a'; 8192]).await;
    let done = answered(hook(&url), local(None), Limits { answer: 10_000, ..Limits::default() }).await;
    let reply = done.reply.expect("a reply");
    assert_eq!((reply.body.len(), reply.cut), (10_000, true));
    let url = hostile("", b"").await;
    let limits = Limits { total: Duration::from_millis(50), ..Limits::default() };
    let done = answered(hook(&url), local(None), limits).await;
    assert!(done.failure.unwrap().contains("no full answer within"));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/s3cr3t", listener.local_addr().unwrap());
    drop(listener);
    let done = answered(hook(&url), local(None), Limits::default()).await;
    let words = done.failure.unwrap();
    assert!(!words.contains("s3cr3t") && done.reply.is_none(), "{words}");
}

#[tokio::test]
async fn a_full_queue_takes_nothing_more() {
    let url = hostile("", b"").await;
    let limits = Limits { queue: 1, at_once: 1, ..Limits::default() };
    let (delivery, _answers) = Delivery::start(local(None), limits).unwrap();
    let refused = (0..10).filter(|id| delivery.offer(*id, hook(&url)).is_err()).count();
    assert_eq!(refused, 9, "nothing runs between the offers: one waits");
}

#[tokio::test]
async fn a_mail_server_gets_the_mail() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 here\r\n").await.unwrap();
        let (mut all, mut in_data) = (String::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return all;
            }
            all.push_str(&line);
            let answer: &[u8] = match line.trim_end() {
                "." if in_data => {
                    in_data = false;
                    b"250 taken\r\n"
                }
                _ if in_data => continue,
                "DATA" => {
                    in_data = true;
                    b"354 go on\r\n"
                }
                "QUIT" => return all,
                _ => b"250 fine\r\n",
            };
            stream.write_all(answer).await.unwrap();
        }
    });
    let mail = sent(
        "io.kestra.plugin.notifications.mail.MailSend",
        json!({
            "host": "127.0.0.1", "port": port, "transportStrategy": "SMTP", "from": "kestra@x.test",
            "to": "a@x.test; b@x.test", "subject": "it failed", "htmlTextContent": "<b>boom</b>",
        }),
    );
    let done = answered(mail, local(None), Limits::default()).await;
    assert_eq!((done.failure, done.reply.map(|reply| reply.status)), (None, Some(250)));
    let all = server.await.unwrap();
    for part in
        ["MAIL FROM:<kestra@x.test>", "RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>", "Subject: it failed", "<b>boom</b>"]
    {
        assert!(all.contains(part), "{part} in {all}");
    }
}
