//! What alert flows send in `serve`: it really leaves, to those whom flows name and to nobody else, and what receivers answer
//! decides what becomes of the task.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::server::{
    Answer, Local, Mock as Process, ask, binary, eventually, plan, run as run_binary, scratch, session, shipped,
};
use common::tls::{authority, secured};
use mock_kestra::notify::SERVICES;
use mock_kestra::run::Session;
use mock_kestra::server::{Clock, LostLog, Options, Sending, authorities, start};
use mock_kestra::simulator::Delivery;
use mock_kestra::time::Instant;
use serde_json::{Value, json};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A flow that fails at 1m, and another one that tells of it with these tasks; `more` are keys of the scenario.
fn scenario(tasks: &str, more: &str) -> String {
    format!(
        "name: x\nduration: 20m\ncluster: {{ standalone: 1 }}\n{more}\nflows:\n  - id: bad\n    namespace: company.team\n    \
         tasks: [ {{ id: t, type: io.kestra.plugin.core.execution.Fail }} ]\n  - id: watch\n    namespace: company.alerts\n    \
         triggers: [ {{ id: failed, type: io.kestra.plugin.core.trigger.Flow, conditions: [ {{ type: \
         io.kestra.plugin.core.condition.ExecutionStatus, in: [ FAILED ] }}, {{ type: \
         io.kestra.plugin.core.condition.ExecutionNamespace, namespace: company.team }} ] }} ]\n    tasks:\n{tasks}\n\
         commands: [ {{ at: 1m, execute: bad }} ]\nexpect: [ {{ execution: {{ flow: watch, count: 1 }} }} ]\n"
    )
}

fn slack(url: &str) -> String {
    format!(
        "      - {{ id: tell, type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"{url}\", messageText: hi }}"
    )
}

fn get(address: &str, path: &str) -> Answer {
    ask(address, "GET", path, "")
}

/// What is told of lost messages.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

impl Lines {
    fn told(&self) -> Option<LostLog> {
        let lines = self.0.clone();
        Some(LostLog::new(move |line| lines.lock().unwrap().push_str(line)))
    }
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// A mock that sends, standing still.
fn sending(text: &str, sending: Sending) -> (Local, Lines) {
    let lines = Lines::default();
    let options = Options { sending: Some(sending), lost: lines.told(), ..Options::default() };
    (Local::serve(session(plan(text)), Clock::paused, options), lines)
}

fn jump(mock: &Local, at: &str) {
    mock.post("/api/run-until", &json!({ "at": at, "now": true }).to_string());
}

fn notifications(mock: &Local) -> Vec<Value> {
    let (status, told) = mock.ask("GET", "/api/notifications", "");
    assert_eq!(status, 200);
    told["notifications"].as_array().expect("a list").clone()
}

/// The states that executions of `watch` came into, and when.
fn states(session: &Session) -> Vec<(Instant, &'static str)> {
    session.simulation().changes().iter().filter(|it| it.flow == 1).map(|it| (it.at, it.state.name())).collect()
}

fn last_state(mock: &Local) -> &'static str {
    mock.running.session(|session| states(session).last().expect("an execution").1).expect("it runs")
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(template).mount(&server).await;
    server
}

async fn received(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("they are kept")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_receiver_gets_what_its_task_sends_and_nothing_else() {
    let server = answering(ResponseTemplate::new(200).set_body_string("{\"ok\": true}")).await;
    let uri = server.uri();
    let tasks = [
        ("slack", "slack.SlackIncomingWebhook", "messageText: \"{{ trigger.flowId }} is {{ trigger.state }}\""),
        ("slack-execution", "slack.SlackExecution", "channel: \"#a\", executionId: \"{{ trigger.executionId }}\""),
        ("teams", "microsoft365.teams.TeamsIncomingWebhook", "payload: '{\"text\": \"bad\"}'"),
        ("discord", "discord.DiscordIncomingWebhook", "payload: '{\"content\": \"bad\"}'"),
        ("google", "googleworkspace.chat.GoogleChatIncomingWebhook", "payload: '{\"text\": \"bad\"}'"),
        ("pager", "pagerduty.PagerDutyAlert", "payload: '{\"event_action\": \"trigger\"}'"),
        (
            "opsgenie",
            "opsgenie.OpsgenieAlert",
            "payload: '{\"message\": \"bad\"}', authorizationToken: \"GenieKey {{ secret('KEY') }}\"",
        ),
        ("http", "core.http.Request", "method: PUT, body: '{\"a\": 1}', headers: { X-Own: mine }"),
        ("form", "core.http.Request", "method: POST, formData: { a: b c }"),
    ];
    let tasks: Vec<String> = tasks
        .iter()
        .map(|(id, kind, more)| {
            let url = if kind.starts_with("core") { "uri" } else { "url" };
            format!("      - {{ id: {id}, type: io.kestra.plugin.{kind}, {url}: \"{uri}/{id}\", {more} }}")
        })
        .chain([format!(
            "      - {{ id: telegram, type: io.kestra.plugin.telegram.TelegramSend, token: tok, channel: \"1\", payload: hi, \
             endpointOverride: \"{uri}\" }}"
        )])
        .collect();
    let (mock, lines) = sending(&scenario(&tasks.join("\n"), "secrets: { KEY: s3cr3t }"), Sending::default());
    jump(&mock, "50s");
    assert!(notifications(&mock).is_empty() && received(&server).await.is_empty());
    jump(&mock, "3m");
    let (got, listed) = (received(&server).await, notifications(&mock));
    assert_eq!((got.len(), listed.len(), lines.text().as_str()), (10, 10, ""), "{listed:#?}");
    for (at, (request, told)) in got.iter().zip(&listed).enumerate() {
        let body = String::from_utf8_lossy(&request.body);
        assert_eq!((told["body"].as_str(), told["number"].as_u64()), (Some(&*body), Some(at as u64)), "{told}");
        assert_eq!(
            (&told["delivery"], &told["answer"]["status"], &told["why"]),
            (&json!("taken"), &json!(200), &json!(null))
        );
        assert!(told["answer"]["seconds"].as_f64().expect("a time") > 0.0);
        assert!(told["to"].as_str().expect("an address").ends_with(request.url.path()), "{told}");
    }
    let of = |path: &str| got.iter().find(|it| it.url.path() == path).unwrap_or_else(|| panic!("{path}"));
    let text = |path: &str| of(path).body_json::<Value>().expect("JSON");
    assert_eq!(text("/slack"), json!({ "text": "bad is FAILED" }));
    assert_eq!(text("/slack-execution")["channel"], "#a");
    assert_eq!(text("/bottok/sendMessage"), json!({ "chat_id": "1", "text": "hi" }));
    assert_eq!((of("/http").method.as_str(), of("/slack").method.as_str()), ("PUT", "POST"));
    assert_eq!(
        (&of("/http").headers["x-own"], &of("/slack").headers["user-agent"]),
        (&"mine".parse().unwrap(), &"Kestra".parse().unwrap())
    );
    assert_eq!(of("/opsgenie").headers["authorization"], "GenieKey s3cr3t");
    assert_eq!(of("/form").body, b"a=b+c");
    assert_eq!(last_state(&mock), "SUCCESS");
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// One that accepts, and never says a word.
fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (format!("http://{}/s", listener.local_addr().unwrap()), listener)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_receiver_answers_decides_what_becomes_of_the_task_and_its_flow() {
    let failing = answering(ResponseTemplate::new(500).set_body_string("no \u{1b}[2J team")).await;
    let away = answering(ResponseTemplate::new(307).insert_header("Location", "http://elsewhere.test/x")).await;
    let moved = MockServer::start().await;
    Mock::given(path("/old"))
        .respond_with(ResponseTemplate::new(308).insert_header("Location", "/new"))
        .mount(&moved)
        .await;
    Mock::given(path("/new")).respond_with(ResponseTemplate::new(204)).mount(&moved).await;
    let endless = answering(ResponseTemplate::new(307).insert_header("Location", "/")).await;
    let hello = TcpListener::bind("127.0.0.1:0").unwrap();
    let no_http = format!("http://{}", hello.local_addr().unwrap());
    std::thread::spawn(move || hello.incoming().for_each(|stream| drop(stream.unwrap().write_all(b"hello\r\n\r\n"))));
    let (never, _listener) = silent();
    let cases = [
        (
            failing.uri(),
            "FAILED",
            Some(500),
            "Failed http request with response code '500' and body:\nno \u{1b}[2J team",
        ),
        (format!("{}/old", moved.uri()), "SUCCESS", Some(204), ""),
        (nobody(), "FAILED", None, "connection refused"),
        (never, "FAILED", None, "no answer"),
        (no_http, "FAILED", None, "error sending request"),
        (away.uri(), "FAILED", None, "redirected to elsewhere.test, a host that no flow names"),
        (endless.uri(), "FAILED", None, "more than 50 redirects"),
    ];
    for (url, state, status, why) in cases {
        let task = slack(&url).replace("messageText", "options: { readIdleTimeout: PT0.3S }, messageText");
        let (mock, lines) = sending(&scenario(&task, ""), Sending::default());
        jump(&mock, "10m");
        let listed = notifications(&mock);
        let told = &listed[0];
        assert_eq!((listed.len(), last_state(&mock)), (1, state), "{url}: {told}");
        assert_eq!(told["delivery"], if why.is_empty() { "taken" } else { "lost" }, "{url}: {told}");
        assert!(told["why"].as_str().unwrap_or_default().contains(why), "{url}: {told}");
        assert_eq!(told["answer"]["status"], json!(status), "{told}");
        let line = lines.text();
        assert_eq!(line.lines().count(), usize::from(!why.is_empty()), "{line}");
        assert!(
            why.is_empty() || line.contains("notification lost: tell of company.alerts.watch to slack at http://127")
        );
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
    assert_eq!(received(&away).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_of_the_task_wins_and_a_failure_may_be_allowed() {
    let (never, _listener) = silent();
    let flow = |more: &str| scenario(&slack(&never).replace("messageText", &format!("{more}, messageText")), "");
    let (mock, _) = sending(&flow("timeout: PT2S"), Sending::default());
    jump(&mock, "10m");
    let told = &notifications(&mock)[0];
    assert_eq!((told["delivery"].as_str(), told["why"].as_str()), (Some("lost"), Some("no answer within 2s")));
    assert_eq!(last_state(&mock), "FAILED");
    let refused = scenario(&slack(&nobody()).replace("messageText", "allowFailure: true, messageText"), "");
    let (mock, _) = sending(&refused, Sending::default());
    jump(&mock, "10m");
    assert_eq!(last_state(&mock), "WARNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_scenario_says_of_a_receiver_wins_and_nothing_is_sent() {
    let server = answering(ResponseTemplate::new(200)).await;
    for (more, state) in [
        ("receivers: { slack: ok }", "SUCCESS"),
        ("receivers: { slack: 500 }", "FAILED"),
        ("timeline: [ { at: 0s, receiver: { to: slack, answers: refused } } ]", "FAILED"),
    ] {
        let text = scenario(&slack(&server.uri()), more);
        let (mock, lines) = sending(&text, Sending::default());
        jump(&mock, "10m");
        assert_eq!((last_state(&mock), received(&server).await.len()), (state, 0), "{more}");
        assert_eq!(lines.text().lines().count(), usize::from(state == "FAILED"), "{}", lines.text());
    }
    let text = scenario(&slack(&server.uri()), "");
    let mock = Local::serve(session(plan(&text)), Clock::paused, Options::default());
    jump(&mock, "10m");
    assert_eq!((last_state(&mock), received(&server).await.len()), ("SUCCESS", 0), "nobody asked to send");
    let (mock, _) = sending(&text, Sending::default());
    // What is to come is seen as the scenario has it, and nothing is sent for a look.
    assert_eq!(mock.ask("GET", "/api/state?at=10m", "").0, 200);
    assert_eq!(received(&server).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_receiver_may_get_everything_and_then_those_of_shipped_scenarios_too() {
    let server = answering(ResponseTemplate::new(200)).await;
    let all = Sending { webhooks: Some(format!("{}/all?x=1", server.uri()).parse().unwrap()), ..Sending::default() };
    let (mock, _) = sending(&shipped("alert-flows"), all);
    jump(&mock, "10m");
    let got = received(&server).await;
    assert_eq!(got.len(), 4);
    for request in &got {
        assert_eq!((request.url.path(), request.url.query()), ("/all", Some("x=1")));
        let meant = request.headers["x-mock-kestra-url"].to_str().unwrap();
        assert_eq!(meant, "******", "the whole address is a secret there");
    }
    // And so is the fault of the scenario.
    jump(&mock, "15m");
    assert_eq!(received(&server).await.len(), 4);
    let text = scenario(&slack("https://hooks.example.com/{{ secret('PART') }}/x"), "secrets: { PART: s3cr3t }");
    let (mock, _) = sending(&text, Sending { webhooks: Some(server.uri().parse().unwrap()), ..Sending::default() });
    jump(&mock, "10m");
    let got = received(&server).await;
    assert_eq!(got[4].headers["x-mock-kestra-url"], "https://hooks.example.com/******/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_neither_flows_nor_secrets_name_are_not_spoken_to() {
    let server = answering(ResponseTemplate::new(200)).await;
    let port = server.address().port();
    // The address comes with the execution; nobody wrote it down.
    let text = scenario(&slack("http://{{ inputs.host }}/x"), "").replace(
        "  - id: watch",
        "  - id: asked\n    namespace: n\n    inputs: [ { id: host, type: STRING } ]\n    tasks:\nTASKS\n  - id: watch",
    );
    let text = text.replace("TASKS", &slack("http://{{ inputs.host }}/x"));
    let (mock, lines) = sending(&text, Sending::default());
    let body = json!({ "flow": "asked", "inputs": { "host": format!("127.0.0.1:{port}") } }).to_string();
    assert_eq!(mock.ask("POST", "/api/executions", &body).0, 201);
    jump(&mock, "30s");
    let told = &notifications(&mock)[0];
    assert!(told["why"].as_str().unwrap().contains("no flow and no secret names the host 127.0.0.1"), "{told}");
    assert!(lines.text().contains("nothing is sent there"), "{}", lines.text());
    assert_eq!(received(&server).await.len(), 0);
    for (url, more) in [
        (format!("{}/x", server.uri()), String::new()),
        ("{{ secret('HOOK') }}".to_owned(), format!("secrets: {{ HOOK: \"{}\" }}", server.uri())),
    ] {
        let (mock, _) = sending(&scenario(&slack(&url), &more), Sending::default());
        jump(&mock, "10m");
        assert_eq!(notifications(&mock)[0]["delivery"], "taken");
    }
    assert_eq!(received(&server).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_show_nowhere() {
    let server = answering(ResponseTemplate::new(403).set_body_string("s3cr3t is no key, hush is not either")).await;
    let url = format!("{}/{{{{ secret('KEY') }}}}", server.uri());
    let task = slack(&url).replace("messageText: hi", "messageText: \"{{ secret('WORD') }}\"");
    let (mock, lines) = sending(&scenario(&task, "secrets: { KEY: s3cr3t, WORD: hush }"), Sending::default());
    jump(&mock, "10m");
    let got = received(&server).await;
    assert_eq!((got[0].url.path(), got[0].body_json::<Value>().unwrap()), ("/s3cr3t", json!({ "text": "hush" })));
    let told = &notifications(&mock)[0];
    assert_eq!(
        told["why"],
        "Failed http request with response code '403' and body:\n****** is no key, ****** is not either"
    );
    let (_, saved) = mock.ask("GET", "/api/state", "");
    let scenario = get(&mock.control(), "/api/scenario").body;
    let (_, journal) = mock.ask("GET", "/api/journal", "");
    let debug = mock.running.session(|session| format!("{session:?}")).unwrap();
    for seen in [told.to_string(), saved.to_string(), scenario, journal.to_string(), lines.text(), debug] {
        assert!(!seen.contains("s3cr3t") && !seen.contains("hush"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_session_runs_again_with_the_same_answers_and_sends_nothing() {
    let server = MockServer::start().await;
    Mock::given(path("/bad")).respond_with(ResponseTemplate::new(500).set_body_string("no")).mount(&server).await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(202).set_delay(Duration::from_millis(30)))
        .mount(&server)
        .await;
    let tasks =
        format!("{}\n{}", slack(&server.uri()), slack(&format!("{}/bad", server.uri())).replace("id: tell", "id: bad"));
    let (mock, _) = sending(&scenario(&tasks, ""), Sending::default());
    jump(&mock, "5m");
    let saved = get(&mock.control(), "/api/scenario").body;
    assert!(saved.contains("\"receivers\":\"outside\"") && saved.contains("\"status\":202"), "{saved}");
    let text = format!("{saved}expect: [ {{ execution: {{ flow: watch, count: 1 }} }} ]\n");
    let end = Instant::START + mock_kestra::time::Duration::minutes(5);
    let mut again = session(plan(&text));
    again.advance(end).expect("no limit");
    let sent = |session: &Session| session.simulation().sent().iter().cloned().collect::<Vec<_>>();
    let (states_here, sent_here) = mock.running.session(|session| (states(session), sent(session))).unwrap();
    assert_eq!((states(&again), sent(&again)), (states_here.clone(), sent_here.clone()));
    assert_eq!(
        sent_here[1].delivery,
        Delivery::Lost("Failed http request with response code '500' and body:\nno".into())
    );
    // Served again it goes on where it was, and what was sent is not sent again.
    let (served, _) = sending(&text, Sending::default());
    jump(&served, "5m");
    assert_eq!(served.running.session(|session| (states(session), sent(session))).unwrap(), (states_here, sent_here));
    assert_eq!(received(&server).await.len(), 2);
    served.post("/api/executions", r#"{"flow": "bad"}"#);
    jump(&served, "7m");
    assert_eq!(received(&server).await.len(), 4, "what is new is sent");
    served.post("/api/reset", "");
    assert!(notifications(&served).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_takes_as_long_as_its_receiver_at_any_speed() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_millis(300))).await;
    let session = session(plan(&scenario(&slack(&server.uri()), "")));
    let options = Options { sending: Some(Sending::default()), ..Options::default() };
    let running = start(session, options, Clock::wall().at_speed(1_000.0)).unwrap();
    let over = |session: &mut Session| states(session).last().is_some_and(|(_, state)| *state == "SUCCESS");
    eventually("the end of the alert flow", || running.session(over).unwrap());
    let (sent, end) = running
        .session(|session| {
            (session.simulation().sent().iter().next().unwrap().clone(), states(session).last().unwrap().0)
        })
        .unwrap();
    let took = sent.answer.expect("an answer").took;
    assert!(took >= mock_kestra::time::Duration::milliseconds(300));
    // The real time of a slow machine passes for the model too, up to its patience; else not more than a second beside.
    let patience = mock_kestra::time::Duration::seconds(5);
    let spent = end.since(sent.at);
    assert!(
        spent >= took && (took >= patience || spent <= took + mock_kestra::time::Duration::seconds(1)),
        "{spent} {took}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_receiver_stops_neither_other_receivers_nor_a_jump_nor_the_end() {
    let server = answering(ResponseTemplate::new(200)).await;
    let (never, listener) = silent();
    let tasks = format!(
        "      - id: both\n        type: io.kestra.plugin.core.flow.Parallel\n        tasks:\n    {}\n    {}",
        slack(&never).replace("id: tell", "id: silent"),
        slack(&server.uri())
    );
    let (mock, lines) = sending(&scenario(&tasks, ""), Sending::default());
    // It waits for the silent one a few seconds, and goes on without it.
    jump(&mock, "2m");
    let of =
        |mock: &Local, task: &str| notifications(mock).into_iter().find(|it| it["task"] == task).expect("a message");
    assert_eq!(
        (of(&mock, "silent")["delivery"].as_str(), of(&mock, "tell")["delivery"].as_str()),
        (Some("waiting"), Some("taken"))
    );
    assert_eq!(get(&mock.member("standalone-1"), "/health").status, 200);
    let (_stream, _) = listener.accept().expect("it was called");
    // In virtual time its task gives up as Kestra's does, after five minutes.
    jump(&mock, "10m");
    assert_eq!((of(&mock, "silent")["why"].as_str(), last_state(&mock)), (Some("no answer within 5m"), "FAILED"));
    assert_eq!(lines.text().lines().count(), 1, "{}", lines.text());
    let Local { running, .. } = mock;
    running.stop();
    running.join().expect("it ends");
    assert!(lines.text().ends_with("1 notifications were still under way and are cut off\n"), "{}", lines.text());
}

/// A mail server that takes one mail, and hands all that it hears to the end of the thread.
fn mail_server(
    speak: impl FnOnce(TcpStream) -> Box<dyn Talk> + Send + 'static,
) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hear = move || {
        let mut stream = BufReader::new(speak(listener.accept().unwrap().0));
        stream.get_mut().write_all(b"220 here\r\n").unwrap();
        let (mut all, mut in_data) = (String::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
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
                hello if hello.starts_with("EHLO") => b"250-here\r\n250 AUTH PLAIN\r\n",
                login if login.starts_with("AUTH") => b"235 fine\r\n",
                nobody if nobody.contains("nobody@") => b"550 no such user s3cr3t\r\n",
                _ => b"250 fine\r\n",
            };
            if stream.get_mut().write_all(answer).is_err() {
                return all;
            }
        }
    };
    (port, std::thread::spawn(hear))
}

trait Talk: Read + Write {}
impl<T: Read + Write> Talk for T {}

fn mail(host: &str, port: u16, more: &str) -> String {
    format!(
        "      - {{ id: tell, type: io.kestra.plugin.email.MailSend, host: {host}, port: {port}, username: me, password: \
         \"{{{{ secret('KEY') }}}}\", from: kestra@x.test, to: a@x.test; b@x.test, cc: c@x.test, subject: \"it is {{{{ trigger.state }}}} ➛\", \
         htmlTextContent: \"<b>boom</b>\", {more} }}"
    )
}

#[test]
fn a_mail_server_gets_the_mail_and_may_refuse_it() {
    let key = "secrets: { KEY: s3cr3t }";
    let (port, heard) = mail_server(|stream| Box::new(stream));
    let (mock, _) = sending(&scenario(&mail("127.0.0.1", port, "transportStrategy: SMTP"), key), Sending::default());
    jump(&mock, "10m");
    let told = &notifications(&mock)[0];
    assert_eq!(
        (told["delivery"].as_str(), told["answer"]["status"].as_u64(), last_state(&mock)),
        (Some("taken"), Some(250), "SUCCESS"),
        "{told}"
    );
    drop(mock);
    let all = heard.join().unwrap();
    for part in [
        "MAIL FROM:<kestra@x.test>",
        "RCPT TO:<a@x.test>",
        "RCPT TO:<b@x.test>",
        "RCPT TO:<c@x.test>",
        "AUTH PLAIN AG1lAHMzY3IzdA==",
        "Subject: it is FAILED =?utf-8?b?4p6b?=\r\n",
        "Please view this email in a modern email client",
        "<b>boom</b>",
        "multipart/alternative",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    let (port, _heard) = mail_server(|stream| Box::new(stream));
    let to_nobody = mail("127.0.0.1", port, "transportStrategy: SMTP").replace("a@x.test", "nobody@x.test");
    let (mock, lines) = sending(&scenario(&to_nobody, key), Sending::default());
    jump(&mock, "10m");
    let told = &notifications(&mock)[0];
    assert_eq!((told["delivery"].as_str(), last_state(&mock)), (Some("lost"), "FAILED"));
    assert!(told["why"].as_str().unwrap().contains("no such user ******"), "{told}");
    assert!(lines.text().contains("to mail at nobody@x.test, b@x.test, c@x.test: "), "{}", lines.text());
    // Over TLS nobody answers there: what is no certificate is no mail server.
    let (port, _heard) = mail_server(|stream| Box::new(stream));
    let (mock, _) = sending(&scenario(&mail("127.0.0.1", port, "sessionTimeout: 300"), key), Sending::default());
    jump(&mock, "10m");
    assert_eq!((notifications(&mock)[0]["delivery"].as_str(), last_state(&mock)), (Some("lost"), "FAILED"));
}

#[test]
fn one_mail_server_may_get_all_mails_without_a_login() {
    let (port, heard) = mail_server(|stream| Box::new(stream));
    let all = Sending { mails: Some(format!("127.0.0.1:{port}").parse().unwrap()), ..Sending::default() };
    let (mock, _) = sending(
        &scenario(
            &mail("smtp.example.com", 465, "cc: d@x.test").replace("cc: c@x.test, ", ""),
            "secrets: { KEY: s3cr3t }",
        ),
        all,
    );
    jump(&mock, "10m");
    assert_eq!(notifications(&mock)[0]["delivery"], "taken");
    drop(mock);
    let all = heard.join().unwrap();
    assert!(all.contains("RCPT TO:<d@x.test>") && !all.contains("AUTH"), "{all}");
}

#[test]
fn services_that_only_a_type_names_are_known() {
    let mut files = Vec::new();
    common::sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notify"), &mut files);
    let mut hosts: Vec<String> = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("readable");
        let urls = text.split("\"https://").skip(1).filter(|rest| !rest.starts_with('{'));
        hosts.extend(urls.map(|rest| rest.split(['/', '"']).next().unwrap_or_default().to_owned()));
    }
    hosts.sort();
    hosts.dedup();
    assert_eq!(hosts, SERVICES);
}

#[test]
fn tls_is_spoken_with_those_whom_a_known_authority_vouches_for() {
    let (pem, config) = authority();
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(String::new()));
    let (all, served) = (heard.clone(), config.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(secured(&served, stream.unwrap()));
            let mut line = String::new();
            if stream.read_line(&mut line).is_ok() {
                all.lock().unwrap().push_str(&line);
                let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            }
        }
    });
    let known = || Sending { authorities: authorities(&pem).unwrap(), ..Sending::default() };
    let text = scenario(&slack(&format!("https://localhost:{port}/tls")), "");
    let (mock, _) = sending(&text, Sending::default());
    jump(&mock, "10m");
    let told = &notifications(&mock)[0];
    assert!(told["why"].as_str().unwrap().contains("UnknownIssuer"), "{told}");
    assert_eq!((last_state(&mock), heard.lock().unwrap().as_str()), ("FAILED", ""));
    let (mock, _) = sending(&text, known());
    jump(&mock, "10m");
    assert_eq!((last_state(&mock), heard.lock().unwrap().as_str()), ("SUCCESS", "POST /tls HTTP/1.1\r\n"));
    let key = "secrets: { KEY: s3cr3t }";
    for (sending_, state) in [(known(), "SUCCESS"), (Sending::default(), "FAILED")] {
        let config = config.clone();
        let (port, heard) = mail_server(move |stream| Box::new(secured(&config, stream)));
        let (mock, _) = sending(&scenario(&mail("localhost", port, "sessionTimeout: 60000"), key), sending_);
        jump(&mock, "10m");
        assert_eq!(last_state(&mock), state, "{:?}", notifications(&mock));
        drop(mock);
        assert_eq!(heard.join().is_ok_and(|all| all.contains("<b>boom</b>")), state == "SUCCESS");
    }
}

/// A connection whose first word was said before it was secured.
struct Greeted<T> {
    stream: T,
    greeted: bool,
}

impl<T: Read> Read for Greeted<T> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.stream.read(into)
    }
}

impl<T: Write> Write for Greeted<T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if std::mem::replace(&mut self.greeted, true) { self.stream.write(bytes) } else { Ok(bytes.len()) }
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// Speaks with a client up to its STARTTLS, and secured from there on; what was said before that is kept.
fn after_starttls(config: &Arc<rustls::ServerConfig>, stream: TcpStream, plain: &Mutex<String>) -> impl Talk + use<> {
    let mut reader = BufReader::new(stream);
    reader.get_mut().write_all(b"220 here\r\n").unwrap();
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).unwrap_or(0);
        plain.lock().unwrap().push_str(&line);
        let starts = line.trim_end() == "STARTTLS";
        let answer: &[u8] = if starts { b"220 go on\r\n" } else { b"250-here\r\n250 STARTTLS\r\n" };
        let _ = reader.get_mut().write_all(answer);
        if starts || read == 0 {
            return Greeted { stream: secured(config, reader.into_inner()), greeted: false };
        }
    }
}

#[test]
fn a_mail_that_asks_for_starttls_says_nothing_before_it_and_is_lost_where_there_is_none() {
    let (pem, config) = authority();
    let known = || Sending { authorities: authorities(&pem).unwrap(), ..Sending::default() };
    let key = "secrets: { KEY: s3cr3t }";
    let strategy = "transportStrategy: SMTP_TLS, sessionTimeout: 60000";
    for (sending_, state) in [(known(), "SUCCESS"), (Sending::default(), "FAILED")] {
        let (config, plain) = (config.clone(), Arc::new(Mutex::new(String::new())));
        let before = plain.clone();
        let (port, heard) = mail_server(move |stream| Box::new(after_starttls(&config, stream, &before)));
        let (mock, _) = sending(&scenario(&mail("localhost", port, strategy), key), sending_);
        jump(&mock, "10m");
        assert_eq!(last_state(&mock), state, "{:?}", notifications(&mock));
        drop(mock);
        let all = heard.join().unwrap_or_default();
        assert_eq!(all.contains("AUTH PLAIN") && all.contains("<b>boom</b>"), state == "SUCCESS", "{all}");
        let plain = plain.lock().unwrap();
        assert!(plain.ends_with("STARTTLS\r\n") && !plain.contains("AUTH") && !plain.contains("MAIL"), "{plain}");
    }
    // A server that knows no STARTTLS gets neither the password nor the mail.
    let (port, heard) = mail_server(|stream| Box::new(stream));
    let (mock, _) = sending(&scenario(&mail("localhost", port, strategy), key), known());
    jump(&mock, "10m");
    assert_eq!((notifications(&mock)[0]["delivery"].as_str(), last_state(&mock)), (Some("lost"), "FAILED"));
    drop(mock);
    let all = heard.join().unwrap();
    assert!(all.starts_with("EHLO") && !all.contains("AUTH") && !all.contains("MAIL"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_where_messages_go() {
    let server = answering(ResponseTemplate::new(404).set_body_string("no_team")).await;
    let to = format!("--webhook-override={}", server.uri());
    let told = scratch("told");
    let stderr = std::fs::File::create(&told).expect("a file");
    let mock = Process::start_telling(&["alert-flows", "--paused", &to], stderr.into());
    mock.post("/api/run-until", r#"{"at": "3m", "now": true}"#);
    assert_eq!(received(&server).await.len(), 2);
    let line = std::fs::read_to_string(told).expect("readable");
    assert!(
        line.contains("notification lost: tell of company.analytics.report to slack at ******: Failed http"),
        "{line}"
    );
    let mock = Process::start(&["alert-flows", "--paused", "--no-send"]);
    mock.post("/api/run-until", r#"{"at": "3m", "now": true}"#);
    assert_eq!(mock.ask("GET", "/api/notifications", "").1["notifications"][1]["delivery"], "taken");
    for (arguments, part) in [
        (&["--webhook-override", "ftp://x"][..], "write a URL such as http://127.0.0.1:9000/hook"),
        (&["--mail-override", "x"], "write a host and a port"),
        (&["--no-send", "--mail-override", "x:25"], "cannot be used with"),
        (&["--ca-file", "/nowhere"], "--ca-file: cannot read `/nowhere`"),
        (&["--ca-file", "Cargo.toml"], "--ca-file: `Cargo.toml`: it holds no certificate in PEM"),
    ] {
        let (code, _, err) = run_binary(&[&["serve", "idle"], arguments].concat());
        assert!(code == Some(2) && err.contains(part), "{part}: {code:?} {err}");
    }
    let help = String::from_utf8(binary().args(["serve", "--help"]).output().unwrap().stdout).unwrap();
    for option in ["--no-send", "--webhook-override <URL>", "--mail-override <HOST:PORT>", "--ca-file <FILE>"] {
        assert!(help.contains(option), "{option}");
    }
}
