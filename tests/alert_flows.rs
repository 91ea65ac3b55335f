//! Kestra's own alert flows: what they send when something fails, to whom, and why a message is lost.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::server::{Local, binary, plan, run as run_binary, session, shipped};
use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::report::{MessageLine, Report, junit};
use mock_kestra::run::run;
use mock_kestra::scenario::{NoFiles, read, write};
use mock_kestra::server::{Clock, Options};
use mock_kestra::time::Calendar;
use serde_json::{Value, json};

/// A flow that fails at 1m and tells of it in `errors`, with a task of this type and these properties.
fn scenario(task: &str, more: &str) -> String {
    format!(
        "name: x\nduration: 20m\ncluster: {{ standalone: 1 }}\nsecrets: {{ HOOK: \"https://hooks.example.com/s3cr3t\", WORD: hush }}\n{more}\n\
         flows:\n  - id: bad\n    namespace: company.team\n    labels: {{ team: data }}\n    variables: {{ room: \"#alerts\" }}\n    \
         tasks: [ {{ id: t, type: io.kestra.plugin.core.execution.Fail }} ]\n    errors: [ {{ id: tell, {task} }} ]\n\
         commands: [ {{ at: 1m, execute: bad }} ]\n"
    )
}

fn report(text: &str) -> Report {
    let (plan, told) = read("x.yaml", text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&told)));
    run(&Arc::new(plan), Seed(1), Calendar::default(), None).expect("no limit")
}

fn only(text: &str) -> MessageLine {
    let report = report(text);
    assert_eq!(report.notifications.len(), 1, "{:?}", report.notifications);
    report.notifications[0].clone()
}

const SLACK: &str = "type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"https://hooks.example.com/x\"";

#[test]
fn a_message_has_what_the_variables_of_the_failed_execution_say() {
    let text =
        "messageText: \"{{ flow.id }} {{ labels.team }} {{ vars.room }} {{ tasks.t.state }} {{ execution.state }}\"";
    let sent = only(&scenario(&format!("{SLACK}, {text}"), ""));
    assert_eq!((sent.channel, sent.to.as_str(), sent.taken), (Some("slack"), "https://hooks.example.com/x", true));
    let body: Value = serde_json::from_str(&sent.body).expect("JSON");
    assert_eq!(body, json!({ "text": "bad data #alerts FAILED RUNNING" }));
    assert_eq!((sent.flow.as_str(), sent.task.as_str(), sent.execution.len()), ("company.team.bad", "tell", 22));
}

#[test]
fn what_a_receiver_answers_decides_what_becomes_of_the_task() {
    let task = format!("{SLACK}, messageText: hi");
    for (answer, taken, why) in [
        ("ok", true, ""),
        ("204", true, ""),
        ("404", false, "Failed http request with response code '404'"),
        ("500", false, "Failed http request with response code '500'"),
        ("refused", false, "connection refused"),
        ("timeout", false, "no answer"),
    ] {
        for receiver in ["slack", "hooks.example.com"] {
            let sent = only(&scenario(&task, &format!("receivers: {{ {receiver}: {answer} }}")));
            assert_eq!(sent.taken, taken, "{receiver} {answer}");
            assert!(sent.why.unwrap_or_default().starts_with(why), "{receiver} {answer}");
        }
    }
    // Another receiver's answer is of no matter.
    assert!(only(&scenario(&task, "receivers: { teams: 500, example.com: 500 }")).taken);
    // A retry sends it once more, and each attempt is told.
    let tried = format!("{task}, retry: {{ type: constant, interval: PT1M, maxAttempts: 3 }}");
    let fault = "timeline: [ { at: 30s, receiver: { to: slack, answers: 503 }, for: 2m } ]";
    let all = report(&scenario(&tried, fault)).notifications;
    assert_eq!(all.iter().map(|it| it.taken).collect::<Vec<_>>(), [false, false, true], "{all:?}");
}

#[test]
fn a_task_that_cannot_say_what_it_sends_fails_in_the_words_of_kestra() {
    for (task, why) in [
        (format!("{SLACK}, messageText: \"{{{{ nope }}}}\""), "Unable to find `nope`"),
        (format!("{SLACK}, messageText: \"{{{{ secret('GONE') }}}}\""), "Cannot find secret for key 'GONE'"),
        (format!("{SLACK}, payload: \"no json\""), "Unrecognized token 'no'"),
    ] {
        let sent = only(&scenario(&task, ""));
        assert!(!sent.taken && sent.channel.is_none(), "{sent:?}");
        assert!(sent.why.as_deref().is_some_and(|it| it.contains(why)), "{why}: {sent:?}");
    }
    // Named for short, without anything to send, it is a plain task.
    let short = scenario("type: io.kestra.plugin.slack.SlackIncomingWebhook", "");
    assert_eq!(report(&short).notifications, []);
}

#[test]
fn a_version_that_refuses_the_triggers_of_a_scenario_does_not_run_it() {
    for arguments in [["run", "alert-flows"], ["test", "alert-flows"], ["serve", "alert-flows"]] {
        let output = binary().args(arguments).args(["--kestra", "2.0"]).output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("Kestra 2.0 refuses the trigger `failed` of company.alerts.watch-analytics"), "{told}");
    }
}

#[test]
fn explain_tells_what_the_triggers_of_a_flow_make_of_every_execution() {
    let (code, out, err) = run_binary(&["explain", "alert-flows", "--flow", "watch-never"]);
    assert_eq!(code, Some(0));
    // The scenario expects that it never fires: nobody is warned of it.
    assert_eq!(err, "");
    assert!(out.contains("trigger failed starts 0 executions"), "{out}");
    let of = |part: &str| {
        out.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part} in {out}")).to_owned()
    };
    assert!(of("company.product.import FAILED (2 times)").contains("conditions[2] (ExecutionFlow) says no"), "{out}");
    assert!(of("company.system.cleanup FAILED").contains("conditions[1] (ExecutionNamespace) says no"), "{out}");
    let (code, out, _) = run_binary(&["explain", "alert-flows", "--flow", "watch-several", "--format", "json"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, told["triggers"][0]["fired"].as_u64()), (Some(0), Some(3)));
    for (arguments, part) in [
        (&["--flow", "watch-severl"][..], "did you mean `watch-several`?"),
        (&["--flow", "report"], "has neither a Flow trigger nor a Schedule"),
        (&[], "--alert <ALERT>|--flow <FLOW>"),
        (&["--flow", "report", "--alert", "X"], "cannot be used with"),
    ] {
        let (code, _, err) = run_binary(&[&["explain", "alert-flows"], arguments].concat());
        assert!(code == Some(2) && err.contains(part), "{part}: {err}");
    }
}

#[test]
fn secrets_show_nowhere() {
    let task = "type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"{{ secret('HOOK') }}\", messageText: \"say {{ secret('WORD') }}\"";
    let text = scenario(
        task,
        "expect: [ { notification: { to: s3cr3t, channel: teams } }, { notification: { to: hooks.example.com } } ]",
    );
    let report = report(&text);
    assert_eq!(report.expectations.iter().map(|it| it.met).collect::<Vec<_>>(), [Some(false), Some(true)]);
    let (sound, _) = read("x.yaml", &text, &NoFiles);
    let sound = sound.expect("a plan");
    let seen = [report.text(), report.json(), format!("{sound:?}"), write(&sound), format!("{report:?}")];
    for (at, seen) in seen.iter().enumerate() {
        // What is expected is the user's own word.
        let seen = seen.replace("to s3cr3t", "").replace("to: Some(\"s3cr3t\")", "");
        assert!(!seen.contains("s3cr3t") && !seen.contains("hush"), "{at}: {seen}");
    }
    let mock = Local::serve(session(plan(&text)), Clock::paused, Options::default());
    mock.post("/api/run-until", r#"{"at": "2m", "now": true}"#);
    let (status, told) = mock.ask("GET", "/api/notifications", "");
    assert_eq!(
        (status, told["next"].as_u64(), told["notifications"][0]["delivery"].as_str()),
        (200, Some(1), Some("taken"))
    );
    assert!(!told.to_string().contains("s3cr3t") && !told.to_string().contains("hush"), "{told}");
    assert_eq!(mock.ask("GET", "/api/notifications?since=1", "").1["notifications"], json!([]));
    assert_eq!(mock.ask("GET", "/api/notifications?since=x", "").0, 400);
}

#[test]
fn a_scenario_expects_notifications_and_is_told_the_nearest_that_was_in_words_json_and_junit() {
    // `bad` tells Slack at 1m what is refused from 5m on; `tell` is executed again then.
    let text = "messageText: \"{{ flow.id }} has failed\"";
    let more =
        "receivers: { mail: refused }\ntimeline: [ { at: 5m, receiver: { to: slack, answers: 500 }, name: down } ]";
    let cases = [
        ("{ flow: bad }", true, "2 times"),
        ("{ flow: bad, task: tell, channel: slack, to: hooks.example.com, count: 2 }", true, "2 times"),
        ("{ flow: bad, count: 1 }", false, "2 times"),
        ("{ body: { text: bad has failed }, count: 2 }", true, "2 times"),
        ("{ body: { text: has failed } }", true, "2 times"),
        ("{ body: { text: has worked } }", false, "none like it; the last is tell of company.team.bad to slack"),
        ("{ channel: teams }", false, "none like it"),
        ("{ channel: teams, never: true }", true, "none like it"),
        ("{ to: hooks.slack.com }", false, "none like it"),
        ("{ channel: slack, at: 2m, within: 30s }", false, "nearest is tell of company.team.bad to slack at 1m"),
        ("{ channel: slack, of: down, within: 5m, never: true }", true, "none in that time"),
        ("{ channel: slack, lost: true, of: down, within: 5m, count: 1 }", true, "response code '500'"),
        ("{ channel: slack, never: true }", false, "2 times"),
    ];
    let expect: String = cases.iter().map(|(text, ..)| format!("  - {{ notification: {text} }}\n")).collect();
    let again = scenario(&format!("{SLACK}, {text}"), more).replace(
        "commands: [ { at: 1m, execute: bad } ]",
        "commands: [ { at: 1m, execute: bad }, { at: 4m, execute: bad }, { at: 6m, execute: bad } ]",
    );
    let report = report(&format!("{again}expect:\n{expect}"));
    let told = serde_json::to_string(&report).expect("JSON");
    let xml = junit(std::slice::from_ref(&report), false);
    for ((text, met, seen), verdict) in cases.iter().zip(&report.expectations) {
        assert_eq!(verdict.met, Some(*met), "{text}: {verdict:?}");
        assert!(verdict.seen.contains(seen), "{text}: {verdict:?}");
        let quoted = serde_json::to_string(&verdict.seen).expect("a text");
        assert!(told.contains(&quoted), "{quoted}");
        let escaped =
            verdict.seen.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(*met || xml.contains(&escaped), "{}: {xml}", verdict.seen);
    }
    assert_eq!(report.expectations.len(), cases.len());
    let failures = cases.iter().filter(|(_, met, _)| !met).count();
    assert!(xml.contains(&format!("failures=\"{failures}\"")), "{xml}");
}

#[test]
fn the_four_alert_flows_tell_what_they_should() {
    let report = report(&shipped("alert-flows"));
    assert!(report.expectations.iter().all(|it| it.met == Some(true)), "{:?}", report.expectations);
    assert_eq!(report.notifications.len(), 5);
    let of = |flow: &str| report.notifications.iter().find(|it| it.flow.ends_with(flow)).expect("a message");
    let body: Value = serde_json::from_str(&of("watch-analytics").body).expect("JSON");
    assert_eq!(body["attachments"][0]["color"], "danger");
    let fields = body["attachments"][0]["fields"].as_array().expect("fields");
    let field = |title: &str| fields.iter().find(|it| it["title"] == title).map(|it| it["value"].clone());
    assert_eq!(field("Execution Status"), Some(json!("FAILED")));
    assert_eq!(field("Flow ID"), Some(json!("report")));
}

#[test]
fn an_execution_that_an_alert_flow_starts_hears_nothing_of_itself_and_others_hear_of_it() {
    let listener = |id: &str| {
        format!(
            "  - id: {id}\n    namespace: company.alerts\n    triggers: [ {{ id: f, type: io.kestra.plugin.core.trigger.Flow, states: [ FAILED ] }} ]\n    \
             tasks: [ {{ id: t, type: io.kestra.plugin.core.execution.Fail }} ]\n"
        )
    };
    let text = |flows: &str| {
        format!(
            "name: x\nduration: 10m\ncluster: {{ standalone: 1 }}\nflows:\n  - {{ id: bad, namespace: company.team, tasks: [ {{ id: t, type: io.kestra.plugin.core.execution.Fail }} ] }}\n{flows}\
             commands: [ {{ at: 1m, execute: bad }} ]\nexpect: [ {{ execution: {{ flow: a, state: FAILED }} }} ]\n"
        )
    };
    // One alone is started once, by what failed; it fails itself, and does not start itself again.
    let alone = report(&text(&listener("a")));
    assert!(alone.expectations[0].seen.starts_with("FAILED at 1m"), "{:?}", alone.expectations);
    // Two start each other for ever, as in Kestra.
    let ring = report(&text(&(listener("a") + &listener("b"))));
    let times = ring.expectations[0].seen.split(' ').next().and_then(|it| it.parse::<u32>().ok());
    assert!(times.is_some_and(|times| times > 100), "{:?}", ring.expectations);
}

#[test]
fn a_version_before_0_22_has_no_kestra_in_its_templates_and_dates_have_micros() {
    let text = |version: &str, template: &str| {
        let url = "configuration: { kestra: { url: \"https://kestra.example.com/\" } }";
        only(&scenario(&format!("{SLACK}, messageText: \"{template}\""), &format!("kestra: \"{version}\"\n{url}")))
    };
    let sent = text("1.3", "{{ kestra.url }} {{ execution.startDate }}");
    let body: Value = serde_json::from_str(&sent.body).expect("JSON");
    let words: Vec<&str> = body["text"].as_str().expect("a text").split(' ').collect();
    assert_eq!(words[0], "https://kestra.example.com/");
    assert!(words[1].len() <= "2026-01-05T08:01:00.123456Z".len() && words[1].ends_with('Z'), "{words:?}");
    let why = text("0.20", "{{ kestra.url }}").why.unwrap_or_default();
    assert!(why.contains("Unable to find `kestra`"), "{why}");
}

#[test]
fn a_template_that_asks_what_is_not_simulated_is_told_where_its_flow_stands() {
    let text = scenario(&format!("{SLACK}, messageText: \"{{{{ http('https://example.com') }}}}\""), "");
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    assert!(plan.is_some());
    let told = document::render(&told);
    assert!(told.contains("warning: not simulated: function http in a template of the task `tell`"), "{told}");
    assert!(told.contains("x.yaml:7:5"), "{told}");
}
