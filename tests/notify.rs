//! Requests that notification tasks send, against all that recorded servers sent.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mock_kestra::flow::State;
use mock_kestra::notify::{
    Asked, Body, Dialect, Error, Execution, Http, Kind, Message, Request, TaskType, message, task_type,
};
use mock_kestra::pebble::{Host, Secrets};
use regex::Regex;
use serde_json::{Map, Value, json};

/// A version, a flow, a state, and the task runs of the execution.
type Runs = (&'static str, &'static str, &'static str, &'static [(&'static str, State)]);

/// Task runs of the recorded executions, by version, flow and state: they are what the flows of that name had.
#[rustfmt::skip]
const RUNS: &[Runs] = &[
    ("0.20", "failing-prod", "FAILED", &[("fail", State::Failed)]),
    ("0.20", "err-inline", "RUNNING", &[("ok", State::Success), ("fail", State::Failed), ("slack", State::Success), ("slack_exec", State::Running)]),
    ("0.20", "err-inline", "FAILED", &[("ok", State::Success), ("fail", State::Failed), ("slack", State::Success), ("slack_exec", State::Success)]),
    ("0.20", "failing", "FAILED", &[("ok", State::Success), ("fail", State::Failed)]),
    ("0.20", "long-sleep", "FAILED", &[("nap", State::Failed)]),
    ("0.20", "loops", "FAILED", &[("true", State::Failed), ("each", State::Failed)]),
    ("0.20", "retry-failed-task", "FAILED", &[("fail", State::Failed)]),
    ("0.20", "retrying", "WARNING", &[("flaky", State::Success)]),
    ("0.20", "sla-fail", "FAILED", &[("nap", State::Failed)]),
    ("0.20", "timing-out", "FAILED", &[("nap", State::Failed)]),
    ("0.20", "warning", "WARNING", &[("allow", State::Warning), ("fail", State::Failed)]),
    ("0.20", "warning-allowfailure-prop", "WARNING", &[("fail", State::Warning)]),
    ("1.3", "fail_prod", "FAILED", &[("boom", State::Failed)]),
    ("1.3", "err_inline", "RUNNING", &[("ok", State::Success), ("fail", State::Failed), ("slack", State::Success), ("slack_exec", State::Running)]),
    ("1.3", "err_inline", "FAILED", &[("ok", State::Success), ("fail", State::Failed), ("slack", State::Success), ("slack_exec", State::Success)]),
    ("1.3", "fail", "FAILED", &[("log", State::Success), ("boom", State::Failed), ("on_error", State::Success)]),
    ("1.3", "flow_retry", "FAILED", &[("boom", State::Failed)]),
    ("1.3", "parent_fail", "FAILED", &[("sub", State::Failed)]),
    ("1.3", "retry_fail", "FAILED", &[("boom", State::Failed)]),
    ("1.3", "sla_fail", "FAILED", &[("s", State::Failed)]),
    ("1.3", "timeout", "FAILED", &[("slow", State::Failed)]),
    ("1.3", "warn", "WARNING", &[("boom", State::Warning), ("after", State::Success)]),
];

/// Recorded headers that are not told of, and why: they follow from the connection and the body.
const FOLLOW: &[&str] = &["host", "content-length"];

/// Parts of bodies that are not compared, and why.
const EXCUSED: &[(&str, &str)] = &[("/payload/timestamp", "PagerDuty's is the time of sending")];

struct Recorded {
    name: String,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(version).join("alerting")
}

fn recorded(version: &str) -> Vec<Recorded> {
    let folder = folder(version);
    let mut texts = Vec::new();
    if folder.join("webhooks").is_dir() {
        for entry in fs::read_dir(folder.join("webhooks")).expect("recorded requests") {
            let path = entry.expect("an entry").path();
            texts.push((path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()));
        }
        texts.sort();
    } else {
        let all = fs::read_to_string(folder.join("webhooks_received.txt")).expect("recorded requests");
        let parts = all.split("-----").filter(|part| !part.trim().is_empty());
        // The time of arrival stands before each.
        let without_time = |part: &str| part.trim_start().split_once('\n').unwrap().1.to_owned();
        texts.extend(parts.enumerate().map(|(at, part)| (at.to_string(), without_time(part))));
    }
    texts.iter().map(|(name, text)| request(name, text)).collect()
}

fn request(name: &str, text: &str) -> Recorded {
    let text = text.replace('\r', "");
    let (head, body) = text.split_once("\n\n").expect("a head and a body");
    let mut lines = head.lines();
    let mut first = lines.next().expect("a request line").split(' ');
    let headers = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Recorded {
        name: name.to_owned(),
        method: first.next().unwrap().to_owned(),
        path: first.next().unwrap().to_owned(),
        headers: headers.collect(),
        body: body.trim().to_owned(),
    }
}

/// A task that sends to a path: its flow, its properties, and whether it stands in `errors`.
struct Sender {
    flow: Map<String, Value>,
    task: Map<String, Value>,
    in_errors: bool,
}

fn senders(version: &str) -> BTreeMap<String, Sender> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder(version).join("flows")).expect("recorded flows") {
        let text = fs::read_to_string(entry.expect("an entry").path()).unwrap();
        let flow: Value = serde_saphyr::from_str(&text).expect("YAML");
        for list in ["tasks", "errors"] {
            for task in flow.get(list).and_then(Value::as_array).into_iter().flatten() {
                let url = task.get("url").or_else(|| task.get("uri")).and_then(Value::as_str);
                let Some(path) = url.and_then(|url| url.splitn(4, '/').nth(3)) else { continue };
                let sender = Sender {
                    flow: flow.as_object().unwrap().clone(),
                    task: task.as_object().unwrap().clone(),
                    in_errors: list == "errors",
                };
                found.insert(format!("/{path}"), sender);
            }
        }
    }
    found
}

/// What is taken from a recorded body: ids and times, and of what execution it tells.
#[derive(Default)]
struct Told {
    namespace: String,
    flow: String,
    id: String,
    state: Option<String>,
    tenant: bool,
    milliseconds: i64,
    start: i64,
}

fn told(body: &str) -> Told {
    let patterns = [
        r#"ui/(?<tenant>main/)?executions/(?<ns>[^/]+)/(?<flow>[^/]+)/(?<id>\w+)\|[^>]*➛ (?<state>\w+)"#,
        r#"Namespace: (?<ns>[\w.]+)\\nFlow ID: (?<flow>[\w-]+)\\nExecution ID: (?<id>\w+)\\nExecution Status: (?<state>\w+)"#,
        r"on flow (?<ns>[\w.]+)\.(?<flow>[\w-]+) (state (?<state>\w+) execution|with ID) (?<id>\w+)",
        r#""text":"(?<ns>[\w.]+)\.(?<flow>[\w-]+) (?<state>\w+) (?<id>\w+)"#,
        r#""execution":"(?<id>\w+)","namespace":"(?<ns>[^"]+)","flow":"(?<flow>[^"]+)","state":"(?<state>\w+)""#,
    ];
    let mut told = Told { id: "nobody".to_owned(), start: 1_795_572_308, ..Told::default() };
    for pattern in patterns {
        let pattern = Regex::new(pattern).unwrap();
        let Some(found) = pattern.captures(body) else { continue };
        let text = |name: &str| found.name(name).map(|it| it.as_str().to_owned());
        told.namespace = text("ns").unwrap();
        told.flow = text("flow").unwrap();
        told.id = text("id").unwrap();
        told.state = text("state");
        told.tenant = text("tenant").is_some();
        break;
    }
    if let Some(found) = Regex::new(r"after (\d\d):(\d\d):(\d\d)\.(\d\d\d)").unwrap().captures(body) {
        let part = |at: usize| found[at].parse::<i64>().unwrap();
        told.milliseconds = ((part(1) * 60 + part(2)) * 60 + part(3)) * 1000 + part(4);
    }
    if let Some(found) = Regex::new(r#""ts":(\d+)"#).unwrap().captures(body) {
        told.start = found[1].parse().unwrap();
    }
    told
}

fn context(told: &Told, sender: &Sender) -> Map<String, Value> {
    let text = |name: &str| sender.flow.get(name).cloned().unwrap_or_default();
    let mut flow = json!({ "id": text("id"), "namespace": text("namespace") });
    if told.tenant {
        flow["tenantId"] = "main".into();
    }
    let own = if sender.in_errors { told.id.clone() } else { "itself".to_owned() };
    let mut context = json!({ "flow": flow, "execution": { "id": own, "startDate": "2026-11-25T02:00:00Z" } });
    if !sender.in_errors {
        context["trigger"] = json!({
            "executionId": told.id, "namespace": told.namespace, "flowId": told.flow, "state": told.state,
        });
    }
    context.as_object().unwrap().clone()
}

fn http(message: &Message) -> &Http {
    match message.request() {
        Request::Http(http) => http,
        Request::Mail(_) => panic!("no HTTP"),
    }
}

fn parsed(body: &str) -> Value {
    let mut value = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
    for (path, _) in EXCUSED {
        if let Some(part) = value.pointer_mut(path) {
            *part = Value::Null;
        }
    }
    value
}

/// What differs between a recorded request and ours.
fn differences(version: &str, it: &Recorded, sender: &Sender) -> Vec<String> {
    let told = told(&it.body);
    let state = told.state.as_deref().unwrap_or("FAILED");
    let runs = RUNS.iter().find(|(of, flow, when, _)| *of == version && *flow == told.flow && *when == state);
    let start = Timestamp::from_second(told.start).unwrap();
    let execution = Execution {
        id: told.id.clone(),
        namespace: told.namespace.clone(),
        flow: told.flow.clone(),
        state: State::named(state).unwrap(),
        start,
        end: Some(start + jiff::SignedDuration::from_millis(told.milliseconds)),
        task_runs: Some(
            runs.map_or(Vec::new(), |row| row.3.iter().map(|(id, state)| ((*id).to_owned(), *state)).collect()),
        ),
    };
    let host = Host::at(start);
    let dialect = Dialect::named(version).unwrap();
    let asked = Asked {
        kind: sender.task["type"].as_str().unwrap(),
        properties: &sender.task,
        context: &context(&told, sender),
        host: &host,
        dialect: &dialect,
        kestra_url: Some("http://localhost:8080/"),
        executions: &|id| (id == told.id).then(|| execution.clone()),
    };
    let sent = match message(&asked) {
        Ok(sent) => sent,
        Err(error) => return vec![format!("no message: {error}")],
    };
    let ours = http(&sent);
    let mut wrong = Vec::new();
    if ours.method != it.method || ours.url.splitn(4, '/').nth(3) != Some(&it.path[1..]) {
        wrong.push(format!("{} {} for {} {}", ours.method, ours.url, it.method, it.path));
    }
    let mut headers: BTreeMap<String, String> =
        ours.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    headers.extend(FOLLOW.iter().filter_map(|name| Some(((*name).to_owned(), it.headers.get(*name)?.clone()))));
    if headers != it.headers {
        wrong.push(format!("headers {headers:?} for {:?}", it.headers));
    }
    let body = String::from_utf8(ours.body.as_ref().unwrap().bytes()).unwrap_or_default();
    // Recorded by a server of 0.20, which sends in UTF-8; the rest is compared as JSON.
    if parsed(&body) != parsed(&it.body) {
        wrong.push(format!("body\n  ours     {body}\n  recorded {}", it.body));
    }
    wrong
}

#[test]
fn every_recorded_request_is_sent_alike() {
    let mut wrong = Vec::new();
    let mut counted = BTreeMap::new();
    for version in ["0.20", "1.3", "2.0"] {
        let senders = senders(version);
        for it in recorded(version) {
            *counted.entry(version).or_insert(0) += 1;
            match senders.get(&it.path) {
                Some(sender) => {
                    wrong.extend(
                        differences(version, &it, sender).iter().map(|what| format!("{version} {}: {what}", it.name)),
                    );
                }
                None => wrong.push(format!("{version} {}: no flow sends to {}", it.name, it.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(counted, BTreeMap::from([("0.20", 76), ("1.3", 110), ("2.0", 17)]));
}

const SECRET: &str = "s3cr3t/\"quoted\" value";

/// A message of a task with properties, in an alert flow of 1.3.
fn sent(kind: &str, properties: Value, secrets: &Secrets) -> Result<Message, Error> {
    sent_of("1.3", kind, properties, secrets)
}

fn sent_of(version: &str, kind: &str, properties: Value, secrets: &Secrets) -> Result<Message, Error> {
    let start: Timestamp = "2026-11-25T02:00:00Z".parse().unwrap();
    let host = Host { secrets, ..Host::at(start) };
    let dialect = Dialect::named(version).unwrap();
    let upstream = Execution {
        id: "up".to_owned(),
        namespace: "company.team".to_owned(),
        flow: "load".to_owned(),
        state: State::Failed,
        start,
        end: Some(start + jiff::SignedDuration::from_millis(83_456)),
        task_runs: Some(vec![("a".to_owned(), State::Failed), ("b".to_owned(), State::Failed)]),
    };
    let context = json!({
        "flow": { "id": "alert", "namespace": "system", "tenantId": "main" },
        // Secrets are masked by their value, whatever template brought them in.
        "vars": { "hook": SECRET, "json": json!(SECRET).to_string() },
        "execution": { "id": "own", "state": "RUNNING", "startDate": "2026-11-25T02:00:00Z" },
        "tasks": { "ok": { "state": "SUCCESS" }, "boom": { "state": "FAILED" }, "send": { "state": "RUNNING" } },
        "trigger": {
            "executionId": "up", "namespace": "company.team", "flowId": "load", "state": "FAILED",
            "startDate": "2026-11-25T02:00:00Z", "endDate": "2026-11-25T02:01:23.456Z",
            "firstFailedTaskId": "a", "lastTaskId": "b",
        },
    });
    message(&Asked {
        kind,
        properties: properties.as_object().unwrap(),
        context: context.as_object().unwrap(),
        host: &host,
        dialect: &dialect,
        kestra_url: Some("http://k"),
        executions: &|id| match id {
            "up" => Some(upstream.clone()),
            "own" => Some(Execution { id: "own".to_owned(), state: State::Running, ..upstream.clone() }),
            "refused" => Some(Execution { task_runs: None, ..upstream.clone() }),
            "empty" => Some(Execution { task_runs: Some(Vec::new()), ..upstream.clone() }),
            "paused" => Some(Execution { state: State::Paused, ..upstream.clone() }),
            _ => None,
        },
    })
}

fn body(message: &Message) -> Value {
    serde_json::from_str(http(message).body.as_ref().unwrap().text()).expect("JSON")
}

#[test]
fn every_name_of_a_type_is_known_and_no_two_types_share_one() {
    let mut names = BTreeMap::new();
    for kind in TaskType::all() {
        for package in kind.packages {
            let name = format!("{package}.{}", kind.class);
            assert!(std::ptr::eq(task_type(&name).expect("known"), kind), "{name}");
            assert!(names.insert(name.clone(), kind.class).is_none(), "{name}");
        }
    }
    assert!(names.len() > 70, "{}", names.len());
    assert!(task_type("io.kestra.plugin.core.log.Log").is_none());
    let channels: std::collections::BTreeSet<_> = TaskType::all().iter().map(|kind| kind.channel).collect();
    let told: std::collections::BTreeSet<_> = mock_kestra::notify::CHANNELS.iter().copied().collect();
    assert_eq!(channels, told);
}

/// Properties with which each type of tasks sends something.
fn filled(kind: &TaskType) -> Value {
    let lists = ["to", "recipientIds", "whatsAppIds", "tags"];
    let maps = ["responders", "visibleTo", "extra", "customFields"];
    let left_out =
        ["attachments", "embeddedImages", "options", "formData", "embedList", "urls", "headers", "params", "errors"];
    let mut properties = Map::new();
    for name in kind.properties.iter().filter(|name| !left_out.contains(name)) {
        let value = match *name {
            "url" | "uri" | "dsn" | "endpointOverride" => json!("http://127.0.0.1:9/x/y"),
            "executionId" => json!("{{ trigger.executionId }}"),
            "payload" | "messageText" | "body" => json!("{\"text\": \"{{ flow.id }}\"}"),
            "endpointType" => json!("STORE"),
            "transportStrategy" => json!("SMTP"),
            "port" => json!(25),
            "sessionTimeout" => json!(1000),
            "method" => json!("PUT"),
            "contentType" => json!("application/json"),
            "verifyServerIdentity" | "allowFailed" => json!(true),
            name if lists.contains(&name) && kind.channel != "mail" => json!(["{{ flow.id }}@x.y"]),
            name if maps.contains(&name) => json!({ "one": "{{ flow.id }}" }),
            _ => json!("{{ flow.id }}"),
        };
        properties.insert((*name).to_owned(), value);
    }
    properties.into()
}

#[test]
fn every_type_sends_something_in_every_version_and_renders_all_it_uses() {
    for version in ["0.20", "1.3", "2.0"] {
        for kind in TaskType::all() {
            let name = format!("{}.{}", kind.packages[0], kind.class);
            let properties = filled(kind);
            let sent = sent_of(version, &name, properties, &Secrets::default())
                .unwrap_or_else(|error| panic!("{version} {name}: {error}"));
            assert_eq!(sent.channel, kind.channel);
            let shown = format!("{:?}", sent.request());
            assert!(!shown.contains("{{"), "{version} {name}: {shown}");
            if kind.class.ends_with("Execution")
                && ![
                    "LineExecution",
                    "GoogleChatExecution",
                    "DiscordExecution",
                    "TwilioExecution",
                    "WhatsAppExecution",
                    "ZendutyExecution",
                ]
                .contains(&kind.class)
            {
                assert!(shown.contains("load") || shown.contains("up"), "{version} {name}: {shown}");
            }
        }
    }
}

const SLACK: &str = "io.kestra.plugin.slack.notifications.SlackExecution";

#[test]
fn which_task_is_told_to_have_failed_is_the_versions() {
    let failed = |version: &str, id: &str| {
        let properties = json!({ "url": "http://h/s", "executionId": id });
        let sent = sent_of(version, SLACK, properties, &Secrets::default()).expect("a message");
        body(&sent)["text"].as_str().unwrap().split("\n> ").nth(1).unwrap().to_owned()
    };
    assert_eq!(failed("0.20", "up"), "Failed on task `a` after 00:01:23.456");
    assert_eq!(failed("1.3", "up"), "Failed on task `b` after 00:01:23.456");
    assert_eq!(failed("2.0", "up"), "Failed on task `a` after 00:01:23.456");
    assert_eq!(failed("2.0", "own"), "Failed on task `boom` after 00:00:00.000");
}

#[test]
fn an_execution_without_task_runs_fails_the_task_and_one_that_is_not_there_is_waited_for() {
    let error = |version: &str, id: &str| {
        let properties = json!({ "url": "http://h/s", "executionId": id });
        let error = sent_of(version, SLACK, properties, &Secrets::default()).expect_err("no message");
        (error.kind, error.to_string())
    };
    assert_eq!(error("1.3", "refused"), (Kind::Failed, "java.lang.NullPointerException".to_owned()));
    let (kind, words) = error("1.3", "empty");
    assert_eq!(kind, Kind::Failed);
    assert!(words.contains("firstFailed"), "{words}");
    assert_eq!(error("1.3", "gone"), (Kind::NotYet, "Unable to find execution 'gone'".to_owned()));
    assert_eq!(error("1.3", "paused"), (Kind::NotInState, "Unable to find execution 'paused'".to_owned()));
    assert!(
        sent_of("0.20", SLACK, json!({ "url": "http://h/s", "executionId": "empty" }), &Secrets::default()).is_ok()
    );
}

#[test]
fn slack_takes_markdown_and_json_and_refuses_what_is_neither() {
    let incoming = "io.kestra.plugin.notifications.slack.SlackIncomingWebhook";
    let none = Secrets::default();
    let with = |properties: Value| sent(incoming, properties, &none);
    let text = with(json!({ "url": "http://h/s", "messageText": "**b** [t](http://u)" })).expect("a message");
    assert_eq!(body(&text), json!({ "text": "*b* <http://u|t>" }));
    let number = with(json!({ "url": "http://h/s", "messageText": "12" })).expect("a message");
    assert_eq!(body(&number), json!(12));
    let both = with(json!({ "url": "http://h/s", "messageText": "12", "payload": "{\"channel\": \"#c\"}" }))
        .expect("a message");
    assert_eq!((body(&both), both.to.as_deref()), (json!({ "channel": "#c" }), Some("#c")));
    let neither = with(json!({ "url": "http://h/s" })).expect_err("nothing to send");
    assert_eq!(neither.to_string(), "Either 'messageText' or 'payload' must be provided");
    let broken = with(json!({ "url": "http://h/s", "payload": "boom" })).expect_err("no JSON");
    assert!(broken.to_string().starts_with("Unrecognized token 'boom'"), "{broken}");
    let undefined = with(json!({ "url": "http://h/s", "payload": "{{ error.message }}" })).expect_err("undefined");
    assert_eq!(undefined.kind, Kind::Failed);
    assert!(
        sent_of("0.20", incoming, json!({ "url": "http://h/s", "payload": "boom" }), &none).is_ok(),
        "sent as it is"
    );
}

#[test]
fn texts_leave_in_latin_1_where_the_version_does_so() {
    let kind = "io.kestra.plugin.notifications.teams.TeamsExecution";
    let bytes = |version: &str| {
        let sent =
            sent_of(version, kind, json!({ "url": "http://h/t", "executionId": "up" }), &Secrets::default()).unwrap();
        http(&sent).body.as_ref().map(Body::bytes).unwrap()
    };
    assert!(String::from_utf8(bytes("0.20")).unwrap().contains("load ➛ FAILED"));
    assert!(String::from_utf8(bytes("1.3")).unwrap().contains("load ? FAILED"));
}

#[test]
fn headers_that_a_task_sets_itself_cannot_be_set() {
    let kind = "io.kestra.plugin.notifications.teams.TeamsIncomingWebhook";
    let with = |name: &str| {
        let properties = json!({ "url": "http://h/t", "payload": "{}", "options": { "headers": { name: "v" } } });
        sent(kind, properties, &Secrets::default())
    };
    assert_eq!(with("content-type").expect_err("refused").to_string(), "java.lang.UnsupportedOperationException");
    assert!(http(&with("X-Own").expect("a message")).headers.contains(&("X-Own".to_owned(), "v".to_owned())));
}

#[test]
fn secrets_are_never_shown() {
    let value = SECRET;
    let secrets = Secrets::new([("HOOK".to_owned(), value.to_owned())]);
    let tasks = [
        (
            "io.kestra.plugin.core.http.Request",
            json!({
                "uri": "http://h/{{ vars.hook }}?q=1",
                "params": { "p": "{{ vars.hook }}" },
                "method": "POST",
                "body": "{\"k\": {{ vars.json }} }",
                "headers": { "X-Key": "{{ vars.hook }}" },
                "options": { "auth": { "type": "BASIC", "username": "u", "password": "{{ vars.hook }}" } },
            }),
        ),
        (
            "io.kestra.plugin.notifications.mail.MailSend",
            json!({
                "host": "h", "from": "a@b.c", "to": "d@e.f", "password": "{{ vars.hook }}", "subject": "{{ vars.hook }}",
            }),
        ),
    ];
    for (kind, properties) in tasks {
        let sent = sent(kind, properties, &secrets).expect("a message");
        let real = format!("{:?}", sent.request());
        assert!(real.contains("s3cr3t"), "it is sent");
        for shown in [format!("{sent:?}"), format!("{:?}", sent.told()), sent.mask(&format!("refused: {value}"))] {
            assert!(!shown.contains("s3cr3t"), "{shown}");
            assert!(shown.contains("******"), "{shown}");
        }
    }
    let properties = json!({ "url": "ftp://{{ vars.hook }}", "payload": "{}" });
    let error =
        sent("io.kestra.plugin.notifications.teams.TeamsIncomingWebhook", properties, &secrets).expect_err("no http");
    assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
}
