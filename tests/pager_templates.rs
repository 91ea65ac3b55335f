//! Messages beside Alertmanager: templates beside `amtool template render`, and what is posted beside what a real one posts.
//!
//! The answers of the real ones are kept in tests/captures/alertmanager; `RECORD_ALERTMANAGER=1` writes them anew.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use common::alertmanager::{Alertmanager, Hook};
use common::peers::alertmanager_peer;
use common::server::{eventually, scratch};
use mock_kestra::gotemplate::alertmanager::{Data, Release, Templates, Told};
use mock_kestra::pager::{self, Alert, Integration, Notification, Reason, Version};
use serde_json::{Value, json};

/// A user's own files: the later one overrides the earlier one, and an empty definition overrides nothing.
const FILES: [(&str, &str); 2] = [
    (
        "1.tmpl",
        "{{ define \"__subject\" }}{{ end }}{{ define \"mine\" }}first{{ end }}\
         {{ define \"list\" }}{{ range . }}<{{ .Labels.alertname }}|{{ .Annotations.summary }}>{{ end }}{{ end }}\
         {{ define \"link\" }}<a href=\"{{ .GeneratorURL }}\">{{ .Labels.instance }}</a>{{ end }}\
         {{ define \"loop\" }}{{ if . }}({{ len . }}{{ template \"loop\" slice . 1 }}){{ end }}{{ end }}",
    ),
    ("2.tmpl", "outside {{ define \"mine\" }}second {{ .Status }}{{ end }}"),
];

/// In the manner of what people write, and every function and method.
const TEXTS: &[&str] = &[
    "plain",
    "{{ template \"__subject\" . }}",
    "{{ template \"__alertmanagerURL\" . }} {{ template \"__alertmanager\" . }}|{{ template \"__description\" . }}",
    "{{ template \"__text_alert_list\" .Alerts }}",
    "{{ template \"slack.default.title\" . }}|{{ template \"slack.default.fallback\" . }}|{{ template \"slack.default.text\" . }}",
    "{{ template \"slack.default.username\" . }}|{{ template \"slack.default.titlelink\" . }}|{{ template \"slack.default.footer\" . }}",
    "{{ template \"slack.default.iconemoji\" . }}|{{ template \"slack.default.iconurl\" . }}|{{ template \"slack.default.pretext\" . }}|{{ template \"slack.default.callbackid\" . }}",
    "{{ template \"pagerduty.default.description\" . }}|{{ template \"pagerduty.default.client\" . }}|{{ template \"pagerduty.default.clientURL\" . }}",
    "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}",
    "{{ template \"opsgenie.default.message\" . }}|{{ template \"opsgenie.default.description\" . }}|{{ template \"opsgenie.default.source\" . }}",
    "{{ template \"wechat.default.message\" . }}|{{ template \"wechat.default.to_user\" . }}|{{ template \"wechat.default.agent_id\" . }}",
    "{{ template \"victorops.default.state_message\" . }}|{{ template \"victorops.default.entity_display_name\" . }}|{{ template \"victorops.default.monitoring_tool\" . }}",
    "{{ template \"pushover.default.title\" . }}|{{ template \"pushover.default.message\" . }}|{{ template \"pushover.default.url\" . }}",
    "{{ template \"sns.default.subject\" . }}|{{ template \"sns.default.message\" . }}",
    "{{ template \"telegram.default.message\" . }}|{{ template \"discord.default.title\" . }}|{{ template \"discord.default.message\" . }}",
    "{{ template \"webex.default.message\" . }}|{{ template \"email.default.subject\" . }}",
    "{{ template \"__text_alert_list_markdown\" .Alerts }}",
    "{{ template \"msteams.default.title\" . }}|{{ template \"msteams.default.summary\" . }}|{{ template \"msteams.default.text\" . }}",
    "{{ template \"msteamsv2.default.title\" . }}|{{ template \"msteamsv2.default.text\" . }}|{{ template \"slack.default.color\" . }}",
    "{{ template \"jira.default.summary\" . }}|{{ template \"jira.default.description\" . }}|{{ template \"jira.default.priority\" . }}",
    "{{ template \"rocketchat.default.title\" . }}|{{ template \"rocketchat.default.alias\" . }}|{{ template \"rocketchat.default.titlelink\" . }}|{{ template \"rocketchat.default.text\" . }}",
    "{{ template \"mattermost.default.fallback\" . }}|{{ template \"mattermost.default.text\" . }}|{{ template \"mattermost.default.color\" . }}|{{ template \"discord.default.content\" . }}",
    "{{ template \"mine\" . }} {{ template \"1.tmpl\" . }}{{ template \"2.tmpl\" . }}{{ template \"loop\" .Alerts }}",
    "{{ define \"x\" }}<{{ . }}>{{ end }}{{ template \"x\" .Status }}{{ block \"y\" .Receiver }}b {{ . }}{{ end }}{{ template \"list\" .Alerts }}",
    "{{ range .Alerts.Firing }}{{ .Status }} {{ .Labels.alertname }} {{ .Annotations.nothing }}. {{ .Fingerprint }} {{ end }}",
    "{{ range $i, $a := .Alerts }}{{ if $i }}, {{ end }}{{ $a.Labels.instance | title }}{{ else }}none{{ end }}",
    "{{ range $name, $value := .CommonLabels }}{{ $name }}={{ $value }};{{ end }}{{ range .GroupLabels.SortedPairs }}{{ .Name }}:{{ .Value }} {{ end }}",
    "{{ .CommonLabels.Remove (stringSlice \"alertname\" \"job\") }} {{ .CommonLabels.Names }} {{ .CommonLabels.SortedPairs }} {{ .CommonAnnotations.Values | join \"/\" }}",
    "{{ .Alerts.Firing | len }} {{ len .Alerts.Resolved }} {{ len .CommonLabels }} {{ len .Status }} {{ index .CommonLabels \"job\" }} {{ (index .Alerts 1).Status }} {{ index .GroupLabels \"none\" }}.",
    "{{ with index .Alerts 0 }}{{ .StartsAt }} {{ .EndsAt }} {{ .StartsAt.Format \"2006-01-02T15:04:05.000Z07:00 Mon Jan _2 3:04PM MST -0700 002\" }} {{ .StartsAt.Unix }} {{ .EndsAt.IsZero }}{{ end }}",
    "{{ with index .Alerts 1 }}{{ .EndsAt.Sub .StartsAt }} {{ (.EndsAt.Sub .StartsAt).Minutes }} {{ .StartsAt.Weekday }} {{ .StartsAt.Month }} {{ printf \"%d %s\" .StartsAt.Month .StartsAt.Month }} {{ .StartsAt.Year }} {{ .EndsAt.After .StartsAt }} {{ (.StartsAt.Add 90000000000).Unix }} {{ .StartsAt.UnixNano }} {{ .StartsAt.YearDay }}{{ end }}",
    "{{ with index .Alerts 0 }}{{ .Labels }} {{ .Annotations }} {{ .Labels.SortedPairs.Names }} {{ . }}{{ end }}",
    "{{ .Alerts }}|{{ .Alerts.Firing }}|{{ .GroupLabels }}",
    "{{ toUpper .Status }} {{ toLower \"ÄBC ẞ\" }} {{ toUpper \"straße\" }} {{ title \"hello wide-world o'neil fooBAR x_y.z a:b don''t 1st\" }}|",
    "{{ trimSpace \" \\t a \\n\" }}|",
    "{{ match \"^pro\" .CommonLabels.env }} {{ reReplaceAll \"(.*):([0-9]+)\" \"$2 of ${1}\" \"host:80\" }} {{ \"a.b\" | reReplaceAll \"\\\\.\" \"-\" }}",
    "{{ safeHtml \"<b>\" }} {{ stringSlice \"a\" \"b\" | join \",\" }} {{ print 1 2 \"x\" 3 }} {{ println \"y\" }}{{ html \"<&'\\\">\" }} {{ js \"it's <x>\" }} {{ urlquery \"a b&c\" }}",
    "{{ printf \"%s|%5.1f|%-4d|%04d|%q|%v|%t|%x|%+d\" .Status 2.25 7 42 \"q\\\"\\u00e9\\x01\" .CommonLabels.job true 255 3 }} {{ printf \"%d%%\" 5 6 }} {{ printf \"%s\" }} {{ printf \"%d\" \"x\" }} {{ printf \"%T %T\" .Status 1 }}",
    "{{ printf \"%v %s\" .Alerts.Firing .CommonLabels.Names }} {{ printf \"%q\" .CommonLabels.Values }}",
    "{{ if and (eq .Status \"firing\") (gt (len .Alerts.Firing) 1) }}many{{ else if eq .Status \"firing\" \"resolved\" }}one{{ else }}none{{ end }} {{ ne 1 2 }} {{ le 1.5 1.5 }} {{ not .Status }} {{ or .CommonLabels.nothing \"default\" }} {{ and \"\" \"x\" }}.",
    "{{- /* a comment */ -}} a {{- \" b \" -}} c {{ `raw` }} {{ 'x' }} {{ 0x1F }} {{ 1e3 }} {{ 1_000 }} {{ printf \"%v\" nil }}",
    "{{ nil }}",
    "{{ $n := 0 }}{{ range .Alerts }}{{ if eq .Status \"resolved\" }}{{ continue }}{{ end }}{{ $n = len .Labels }}{{ break }}{{ end }}{{ $n }} {{ $.Receiver }}",
    "{{ slice \"abcdef\" 1 3 }} {{ len (slice .Alerts 1) }} {{ slice .CommonLabels.Names 0 1 }} {{ index .CommonLabels.SortedPairs 0 }}",
    // What came after 0.25.
    "{{ with index .Alerts 0 }}{{ date \"02.01.2006 15:04\" .StartsAt }} {{ .StartsAt | tz \"Europe/Paris\" | date \"15:04 MST\" }} {{ tz \"America/New_York\" .StartsAt }}{{ end }}",
    "{{ toJson .Alerts }} {{ .CommonLabels | toJson }} {{ toJson .GroupLabels.SortedPairs }} {{ toJson (list 1 2.5 \"<&>\" nil true) }} {{ .Alerts.Resolved | toJson }}",
    "{{ toJson . }}",
    "{{ $l := list 1 \"a\" }}{{ $l = append $l 2.5 nil }}{{ $l }} {{ len $l }} {{ index $l 1 }} {{ $d := dict \"a\" 1 \"b\" (list) }}{{ $d }} {{ $d.a }} {{ $d.none }} {{ toJson $d }}",
    "{{ humanizeDuration 93784.5 }} {{ humanizeDuration 0.012 }} {{ humanizeDuration \"75\" }} {{ with index .Alerts 1 }}{{ humanizeDuration (.EndsAt.Sub .StartsAt) }}{{ end }} {{ urlUnescape \"a%20b+c\" }} {{ safeUrl \"x:y\" }}",
    "{{ range 3 }}{{ . }}{{ end }}{{ with .CommonLabels.nothing }}a{{ else with .Status }}{{ . }}{{ end }}",
    "{{ if gt (since (index .Alerts 0).StartsAt).Hours 1.0 }}old{{ end }} {{ lt now.Unix 0 }}",
    // What is wrong.
    "{{ .Nothing }}",
    "{{ .Status.Nothing }}",
    "{{ template \"nothing\" . }}",
    "{{ nosuch }}",
    "{{ if }}",
    "{{ .Alerts.Firing.Firing }}",
    "{{ join \",\" .Alerts }}",
    "{{ index .Alerts 9 }}",
    "{{ eq .Status 1 }}",
    "{{ toUpper 1 }}",
    "{{ dict \"a\" }}",
    "{{ reReplaceAll \"(\" \"\" \"x\" }}",
    "{{ .CommonLabels.Remove \"x\" }}",
];

/// As pages.
const PAGES: &[&str] = &[
    "<b>{{ .CommonLabels.job }}</b> {{ .CommonAnnotations.note }} <i title=\"{{ .CommonAnnotations.note }}\">x</i>",
    "{{ template \"telegram.default.message\" . }}",
    "{{ range .Alerts }}{{ template \"link\" . }}{{ end }} 1 < 2 <!-- gone {{ .Status }} --> > 3",
    "<a href=\"{{ .ExternalURL }}/?q={{ .CommonAnnotations.note }}&x={{ .CommonLabels.job | urlquery }}\">{{ .CommonAnnotations.note | html }}</a>",
    "<a href='{{ template \"__alertmanagerURL\" . }}'>{{ template \"__subject\" . }}</a>",
    "<a href={{ .ExternalURL }}>{{ safeHtml \"<b>bold</b>\" }}</a><p class={{ .CommonAnnotations.note }}>{{ .CommonLabels }}</p>",
    "<a href=\"{{ .CommonAnnotations.script }}\">x</a><img src=\"/a/{{ .CommonAnnotations.note }}\" alt='{{ .CommonAnnotations.note }}'>",
    "<title>{{ .CommonAnnotations.note }} <b></title><textarea>{{ .CommonAnnotations.note }}</textarea><br/>",
    "<p style=\"color: red\">{{ if eq .Status \"firing\" }}<b>{{ .Status }}</b>{{ else }}-{{ end }}</p><style>b { color: red }</style>{{ .Alerts.Firing | len }}",
    "<p {{ .CommonLabels.job }}=\"x\" data-url=\"{{ .CommonAnnotations.script }}\">{{ printf \"%s+%d\" .CommonAnnotations.note 1 }}</p>{{ \"a'b\" }}",
    "<!DOCTYPE html><a href=\"mailto:{{ .CommonLabels.job }}\">a</a> {{ .CommonAnnotations.note | urlquery }} {{ with .CommonLabels.none }}{{ else }}<{{ end }}",
    "{{ range .Alerts }}<li>{{ .StartsAt }} {{ .Labels }}</li>{{ end }}",
    "<a href=\"{{ safeUrl \"javascript:x+y\" }}\">{{ .CommonAnnotations.note | safeHtml }}</a>",
    "{{ if .Status }}<a href=\"{{ else }}<p title=\"{{ end }}\">",
    "<a href=\"x",
    "{{ .Status | html | toUpper }}",
    "<p class={{ .Status | html }}>",
    "<a href=\"{{ if .Status }}/a?{{ end }}{{ .Status }}\">",
    "<p \"x\">",
    "{{ template \"nothing\" . }}",
];

fn data() -> Value {
    let alert = |status: &str, name: &str, instance: &str, ends: &str| {
        json!({
            "status": status,
            "labels": {"alertname": name, "job": "kestra", "env": "prod", "instance": instance, "severity": if status == "firing" {"warning"} else {"critical"}},
            "annotations": {"summary": format!("{instance} is <down> & \"out\""), "note": "a \"b\" <c> & 'd' + e=f/g?h#i %41 é", "script": "javascript:alert(1)"},
            "startsAt": "2026-03-29T00:59:30.125Z",
            "endsAt": ends,
            "generatorURL": "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
            "fingerprint": "0123456789abcdef",
        })
    };
    json!({
        "receiver": "team-x/pager \\(1\\)",
        "status": "firing",
        "alerts": [
            alert("firing", "Down", "worker-1:8081", "0001-01-01T00:00:00Z"),
            alert("resolved", "Down", "worker-2:8081", "2026-03-29T02:04:05Z"),
            alert("firing", "Down", "worker-3:8081", "0001-01-01T00:00:00Z"),
        ],
        "notification_reason": "new alerts added",
        "groupLabels": {"alertname": "Down", "env": "prod"},
        "commonLabels": {"alertname": "Down", "env": "prod", "job": "kestra"},
        "commonAnnotations": {"note": "a \"b\" <c> & 'd' + e=f/g?h#i %41 é", "script": "javascript:alert(1)"},
        "externalURL": "http://alertmanager:9093",
    })
}

fn texts(of: &Value) -> BTreeMap<String, String> {
    let pairs = of.as_object().expect("a mapping").iter();
    pairs.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect()
}

fn ours_of(data: &Value) -> Data {
    let text = |of: &Value, name: &str| of[name].as_str().expect("a text").to_owned();
    let instant =
        |of: &Value, name: &str| text(of, name).parse::<jiff::Timestamp>().expect("an instant").as_millisecond();
    let told = |it: &Value| Told {
        status: text(it, "status"),
        labels: texts(&it["labels"]),
        annotations: texts(&it["annotations"]),
        starts_at: instant(it, "startsAt"),
        ends_at: Some(instant(it, "endsAt")).filter(|it| *it > 0),
        generator_url: text(it, "generatorURL"),
        fingerprint: text(it, "fingerprint"),
    };
    Data {
        receiver: text(data, "receiver"),
        status: text(data, "status"),
        alerts: data["alerts"].as_array().expect("alerts").iter().map(|it| Arc::new(told(it))).collect(),
        notification_reason: text(data, "notification_reason"),
        group_labels: texts(&data["groupLabels"]),
        common_labels: texts(&data["commonLabels"]),
        common_annotations: texts(&data["commonAnnotations"]),
        external_url: text(data, "externalURL"),
        now: "2026-11-29T00:00:00Z".parse::<jiff::Timestamp>().expect("an instant").as_millisecond(),
    }
}

const SUITES: [(&str, Release); 3] =
    [("stable", Release::V0_25), ("unstable", Release::V0_33), ("newest", Release::V0_35)];

fn templates(release: Release) -> Templates {
    let files = FILES.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Templates::new(release, &files).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn capture(suite: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/captures/alertmanager/{suite}-{name}.json"))
}

fn recorded(suite: &str, name: &str) -> Value {
    let file = capture(suite, name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn record(suite: &str, name: &str, value: &Value) {
    if std::env::var_os("RECORD_ALERTMANAGER").is_some() {
        let text = serde_json::to_string_pretty(value).expect("JSON") + "\n";
        std::fs::write(capture(suite, name), text).expect("written");
    }
}

/// All templates: text, and whether it is a page.
fn all() -> impl Iterator<Item = (&'static str, bool)> {
    TEXTS.iter().map(|it| (*it, false)).chain(PAGES.iter().map(|it| (*it, true)))
}

/// What the real one gives; none where it fails.
fn real(suite: &str) -> BTreeMap<String, Option<String>> {
    let file = scratch("data.json");
    let folder = file.parent().expect("a folder");
    std::fs::write(&file, data().to_string()).expect("written");
    for (name, text) in FILES {
        std::fs::write(folder.join(name), text).expect("written");
    }
    let amtool = alertmanager_peer(suite, "amtool");
    // Debian's amtool looks for its own templates where the package puts them, and does without.
    let own = amtool.parent().and_then(Path::parent).expect("a folder").join("share/prometheus/alertmanager/*.tmpl");
    let globs = [own, folder.join("*.tmpl")];
    let run = |(text, page): (&str, bool)| {
        let output = Command::new(&amtool)
            .args(["template", "render"])
            .args(globs.iter().map(|it| format!("--template.glob={}", it.display())))
            .arg(format!("--template.text={text}"))
            .arg(format!("--template.data={}", file.display()))
            .arg(format!("--template.type={}", if page { "html" } else { "text" }))
            .output()
            .expect("amtool");
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        (key(text, page), output.status.success().then_some(out))
    };
    all().map(run).collect()
}

fn key(text: &str, page: bool) -> String {
    format!("{}: {text}", if page { "page" } else { "text" })
}

/// What we give differently: a list of what to tell.
fn differences(suite: &str, release: Release, real: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let templates = templates(release);
    let data = Arc::new(ours_of(&data()));
    let mut told = Vec::new();
    for (text, page) in all() {
        let ours = if page { templates.page(text, &data) } else { templates.text(text, &data) };
        let expected = real(&key(text, page));
        match (&ours, &expected) {
            (Ok(ours), Some(expected)) if ours == expected => {}
            (Err(_), None) => {}
            // It passes the data itself, a notification a pointer to it.
            _ => told.push(format!("{suite} {text}\n  ours: {ours:?}\n  real: {expected:?}")),
        }
    }
    told
}

#[test]
fn templates_come_to_what_alertmanager_was_seen_to_make_of_them() {
    assert!(all().count() >= 40);
    for (suite, release) in SUITES {
        let real = recorded(suite, "templates");
        let told = differences(suite, release, &|key| {
            let value = real.get(key).unwrap_or_else(|| panic!("not recorded: {key}"));
            value.as_str().map(str::to_owned)
        });
        assert!(told.is_empty(), "{}", told.join("\n"));
    }
}

#[test]
#[ignore = "needs amtool of Debian stable and unstable: .ci/peers fetches them"]
fn amtool_makes_the_same_of_them() {
    makes_the_same(&SUITES[..2]);
}

#[test]
#[ignore = "needs the newest amtool: .ci/peers builds it where Go is there"]
fn the_newest_amtool_makes_the_same_of_them() {
    makes_the_same(&SUITES[2..]);
}

fn makes_the_same(suites: &[(&str, Release)]) {
    for &(suite, release) in suites {
        let mut real = real(suite);
        // Of what a route has, the newest amtool knows nothing, where a server knows that it is nothing.
        for text in real.values_mut().flatten() {
            *text = text.replace("\"routeLabels\":null", "\"routeLabels\":{}");
        }
        record(suite, "templates", &json!(real));
        let told = differences(suite, release, &|key| real.get(key).cloned().flatten());
        assert!(told.is_empty(), "{} differ:\n{}", told.len(), told.join("\n"));
        let failed = real.values().filter(|it| it.is_none()).count();
        assert!(failed * 2 < real.len(), "{suite}: too many fail: {failed} of {}", real.len());
    }
}

/// The entries of each kind, as a configuration has them: the kind, the entry, and whether 0.25 knows it. HOOK is where it posts.
fn entries() -> Vec<(&'static str, Value, bool)> {
    let token = json!({"authorization": {"credentials": "token"}});
    let rich = json!({
        "api_url": "HOOK/rich", "channel": "#{{ .CommonLabels.job }}", "title": "{{ template \"mine\" . }}",
        "text": "{{ range .Alerts }}*{{ .Labels.instance }}* {{ .Annotations.summary }}\n{{ end }}", "color": "#ff0000",
        "fields": [{"title": "Env", "value": "{{ .CommonLabels.env }}", "short": true}, {"title": "n", "value": "{{ len .Alerts }}"}],
        "actions": [{"type": "button", "text": "Look", "url": "{{ (index .Alerts 0).GeneratorURL }}"},
                    {"type": "button", "text": "Act", "name": "a{{ .Status }}", "value": "v", "confirm": {"text": "Sure?", "ok_text": "y"}}],
        "link_names": true, "mrkdwn_in": ["text"], "image_url": "http://x/{{ .Status }}.png", "footer": "",
    });
    let payload = json!({
        "url": "HOOK/payload", "payload": {"n": "{{ len .Alerts }}", "who": "{{ .Receiver }}", "list": ["{{ .Status }}", "no", "1.5", ""],
        "inner": "{{ toJson .GroupLabels }}", "{{ .Status }}": {"deep": "a: {b: [1, '2']}"}, "text": "a: b: c"},
    });
    vec![
        ("webhook", json!({"url": "HOOK/webhook"}), true),
        ("webhook", json!({"url": "HOOK/most", "max_alerts": 1}), true),
        ("webhook", payload, false),
        ("slack", json!({"api_url": "HOOK/slack", "send_resolved": true}), true),
        (
            "slack",
            {
                let mut rich = rich;
                rich["send_resolved"] = true.into();
                rich
            },
            true,
        ),
        (
            "pagerduty",
            json!({"url": "HOOK/pagerduty", "routing_key": "secret", "severity": "{{ .CommonLabels.severity }}", "class": "c",
            "details": {"more": "{{ .Status }}", "number": "{{ len .Alerts }}"}, "links": [{"href": "{{ .ExternalURL }}", "text": "AM"}],
            "images": [{"src": "", "alt": "none"}]}),
            true,
        ),
        (
            "opsgenie",
            json!({"api_url": "HOOK/opsgenie/", "api_key": "secret", "tags": "a,{{ .CommonLabels.env }},", "priority": "P2",
            "details": {"x": "{{ .Status }}"}, "responders": [{"name": "a,b", "type": "teams"}, {"username": "u", "type": "user"}]}),
            true,
        ),
        ("discord", json!({"webhook_url": "HOOK/discord"}), true),
        (
            "telegram",
            json!({"api_url": "HOOK/telegram", "bot_token": "secret", "chat_id": -42, "disable_notifications": true}),
            true,
        ),
        (
            "victorops",
            json!({"api_url": "HOOK/victorops/", "api_key": "secret", "routing_key": "r", "custom_fields": {"c": "{{ .Status }}"}}),
            true,
        ),
        ("webex", json!({"api_url": "HOOK/webex", "room_id": "room", "http_config": token}), true),
        (
            "wechat",
            json!({"api_url": "HOOK/wechat/", "api_secret": "secret", "corp_id": "c", "to_user": "@all", "send_resolved": true}),
            true,
        ),
        (
            "wechat",
            json!({"api_url": "HOOK/wechatmd/", "api_secret": "secret", "corp_id": "c", "message_type": "markdown",
            "message": "**{{ .Status }}**", "agent_id": "{{ len .Alerts }}", "send_resolved": true}),
            true,
        ),
        (
            "telegram",
            json!({"api_url": "HOOK/telegrammd", "bot_token": "secret", "chat_id": 7, "parse_mode": "Markdown",
            "message": "*{{ .Status }}* <{{ (index .Alerts 0).Annotations.summary }}>"}),
            true,
        ),
        (
            "telegram",
            json!({"api_url": "HOOK/telegramth", "bot_token": "secret", "chat_id": 7, "message_thread_id": 9,
            "message": "<b>{{ .Status }}</b> {{ range .Alerts }}<a href=\"{{ .GeneratorURL }}\">{{ .Annotations.summary }}</a>{{ end }}"}),
            false,
        ),
        (
            "discord",
            json!({"webhook_url": "HOOK/discordmore", "content": "@here {{ .Status }}", "username": "{{ x }}", "avatar_url": "http://x/y"}),
            false,
        ),
        (
            "mattermost",
            json!({"webhook_url": "HOOK/mattermore", "text": "t {{ .Status }}", "channel": "c", "attachments": [
            {"title": "{{ .Receiver }}", "text": "a", "fields": [{"title": "f", "value": "v"}]}, {"color": "#fff"}],
            "priority": {"priority": "other", "requested_ack": true}}),
            false,
        ),
        ("incidentio", json!({"url": "HOOK/incidentmost", "alert_source_token": "secret", "max_alerts": 1}), false),
        (
            "opsgenie",
            json!({"api_url": "HOOK/opsgeniemore/", "api_key": "secret", "message": "{{ .CommonAnnotations.shared }}",
            "entity": "e", "note": "n", "actions": "x,,y", "description": "", "responders": [{"id": "{{ .CommonLabels.none }}", "type": "{{ .CommonLabels.none }}"}]}),
            true,
        ),
        ("msteams", json!({"webhook_url": "HOOK/msteams"}), false),
        ("msteamsv2", json!({"webhook_url": "HOOK/msteamsv2"}), false),
        (
            "rocketchat",
            json!({"api_url": "HOOK/rocketchat", "token": "secret", "token_id": "i", "channel": "c", "send_resolved": true,
            "fields": [{"title": "t", "value": "{{ .Status }}"}], "actions": [{"type": "button", "text": "b", "url": "http://x"}]}),
            false,
        ),
        (
            "mattermost",
            json!({"webhook_url": "HOOK/mattermost", "priority": {"priority": "Urgent", "requested_ack": true}, "props": {"card": "{{ .Status }}"},
            "fields": [{"title": "t", "value": "{{ .Status }}", "short": false}]}),
            false,
        ),
        ("incidentio", json!({"url": "HOOK/incidentio", "alert_source_token": "secret"}), false),
        (
            "jira",
            json!({"api_url": "HOOK/jira/rest/api/2", "project": "P", "issue_type": "Bug", "labels": ["l-{{ .CommonLabels.env }}"],
            "fields": {"customfield_1": {"value": "{{ .Status }}"}, "customfield_2": "{{ len .Alerts }}"}}),
            false,
        ),
    ]
}

/// Where an entry posts: the path behind HOOK.
fn hook_of(entry: &Value) -> String {
    let all = ["url", "api_url", "webhook_url"];
    let url = all.iter().find_map(|name| entry[*name].as_str()).expect("an address");
    url.trim_start_matches("HOOK/").split('/').next().expect("a name").to_owned()
}

/// Receivers, one for each entry, and a route to each.
fn configuration(release: Release, files: &str) -> Value {
    let known = entries().into_iter().filter(|(.., old)| *old || release > Release::V0_25);
    let receivers: Vec<Value> = known
        .map(|(kind, entry, _)| json!({"name": format!("team ({})", hook_of(&entry)), format!("{kind}_configs"): [entry]}))
        .collect();
    let routes: Vec<Value> = receivers.iter().map(|it| json!({"receiver": it["name"], "continue": true})).collect();
    json!({
        "templates": [files],
        "route": {"receiver": receivers[0]["name"], "group_by": ["alertname", "env"], "group_wait": "2s", "group_interval": "2s",
                  "repeat_interval": "1h", "routes": routes},
        "receivers": receivers,
    })
}

/// What three rounds of one group look like: both fire, one has ended, both have. `begun` in milliseconds since 1970.
fn rounds(begun: i64) -> [(Reason, [Option<i64>; 2]); 3] {
    let ended = Some(begun + LASTED);
    [(Reason::First, [None; 2]), (Reason::SomeResolved, [None, ended]), (Reason::AllResolved, [ended; 2])]
}

/// The real time, which a real Alertmanager lives in: milliseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "a real Alertmanager has no other clock")]
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// How long an alert fires, in milliseconds.
const LASTED: i64 = 1_500;

fn alerts(begun: i64, ends: [Option<i64>; 2]) -> Vec<Alert> {
    let alert = |(index, ends_at): (usize, Option<i64>)| {
        let instance = format!("worker-{}:8081", index + 1);
        let set = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Alert {
            labels: set(&[
                ("alertname", "Down"),
                ("env", "prod"),
                ("instance", &instance),
                ("job", "kestra"),
                ("severity", "critical"),
            ]),
            annotations: set(&[("summary", &format!("{instance} is <down> & \"out\"")), ("shared", "s")]),
            starts_at: begun + index as i64 * 125,
            ends_at,
            generator_url: "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1".into(),
        }
    };
    ends.into_iter().enumerate().map(alert).collect()
}

/// What we would send in each round, by the place it is sent to.
fn ours_in_rounds(release: Release, begun: i64) -> Vec<BTreeMap<String, Value>> {
    let version = match release {
        Release::V0_25 => Version::V0_25,
        Release::V0_33 => Version::V0_33,
        Release::V0_35 => Version::V0_35,
    };
    let files = FILES.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let templates = pager::templates(&files, version).unwrap_or_else(|wrong| panic!("{wrong}"));
    let known: Vec<_> = entries().into_iter().filter(|(.., old)| *old || release > Release::V0_25).collect();
    let round = |(index, (reason, ends)): (usize, (Reason, [Option<i64>; 2]))| {
        let mut out = BTreeMap::new();
        for (kind, entry, _) in &known {
            let hook = hook_of(entry);
            let integration = Integration {
                kind,
                index: 0,
                send_resolved: true,
                settings: Arc::new(entry.as_object().expect("a mapping").clone()),
                place: None,
            };
            let notification = Notification {
                receiver: format!("team ({hook})"),
                group_key: "{}/{}:{alertname=\"Down\", env=\"prod\"}".into(),
                group_labels: [("alertname", "Down"), ("env", "prod")]
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))
                    .into(),
                alerts: alerts(begun, ends),
                reason,
                external_url: "http://alertmanager:9093".into(),
                at: begun + LASTED,
            };
            let message = pager::message(&integration, &notification, &templates, version)
                .unwrap_or_else(|why| panic!("{hook}: {why}"));
            let shown = format!("{}{}{}", message.title, message.text, Value::Object(message.fields.clone()));
            assert!(!shown.contains("secret\"") && !shown.contains("HOOK"), "{hook}: {shown}");
            // Nothing is sent to Jira of an issue that it has not.
            if !(*kind == "jira" && index == 2) {
                out.insert(hook, Value::Object(message.fields));
            }
        }
        out
    };
    rounds(begun).into_iter().enumerate().map(round).collect()
}

/// What differs between what we would send and what was.
fn differing(suite: &str, ours: &[BTreeMap<String, Value>], real: &[BTreeMap<String, Value>]) -> Vec<String> {
    let mut told = Vec::new();
    for (index, (ours, real)) in ours.iter().zip(real).enumerate() {
        let names = |of: &BTreeMap<String, Value>| of.keys().cloned().collect::<Vec<_>>();
        if names(ours) != names(real) {
            told.push(format!("{suite} round {index}: we tell {:?}, it tells {:?}", names(ours), names(real)));
        }
        for (name, body) in ours {
            if real.get(name).is_some_and(|it| it != body) {
                told.push(format!("{suite} round {index} {name}:\n  ours: {body}\n  real: {}", real[name]));
            }
        }
    }
    told
}

#[test]
fn messages_are_what_alertmanager_was_seen_to_post() {
    for (suite, release) in SUITES {
        let mut kept = recorded(suite, "posts");
        let begun = kept["begun"].as_i64().expect("an instant");
        let real: Vec<BTreeMap<String, Value>> = serde_json::from_value(kept["rounds"].take()).expect("rounds");
        assert_eq!(real.len(), 3);
        let told = differing(suite, &ours_in_rounds(release, begun), &real);
        assert!(told.is_empty(), "{}", told.join("\n"));
    }
}

#[test]
#[ignore = "needs Alertmanager of Debian stable and unstable: .ci/peers fetches them"]
fn alertmanager_posts_the_same_messages() {
    posts_the_same(&SUITES[..2]);
}

#[test]
#[ignore = "needs the newest Alertmanager: .ci/peers builds it where Go is there"]
fn the_newest_alertmanager_posts_the_same_messages() {
    posts_the_same(&SUITES[2..]);
}

fn posts_the_same(suites: &[(&str, Release)]) {
    for &(suite, release) in suites {
        let (begun, real) = posted(suite, release);
        record(suite, "posts", &json!({"begun": begun, "rounds": real}));
        let told = differing(suite, &ours_in_rounds(release, begun), &real);
        assert!(told.is_empty(), "{}", told.join("\n"));
    }
}

/// What a real one posts in each round, and when the alerts began.
fn posted(suite: &str, release: Release) -> (i64, Vec<BTreeMap<String, Value>>) {
    let hook = Hook::start();
    let file = scratch("alertmanager.yml");
    let folder = file.parent().expect("a folder");
    for (name, text) in FILES {
        std::fs::write(folder.join(name), text).expect("written");
    }
    let files = folder.join("*.tmpl").display().to_string();
    let text = configuration(release, &files).to_string().replace("HOOK", &format!("http://{}", hook.address));
    std::fs::write(&file, text).expect("written");
    let real = Alertmanager::start(suite, &file);
    // Of an alert that began long ago a group waits for no other.
    let begun = now();
    let mut rounds_seen = Vec::new();
    for (index, (_, ends)) in rounds(begun).into_iter().enumerate() {
        let ended = || ends.iter().flatten().all(|it| *it < now());
        eventually("the alert's end has come", ended);
        real.post(&alerts(begun, ends));
        let mut seen = BTreeMap::new();
        for (kind, entry, old) in entries() {
            let silent = kind == "jira" && index == 2;
            if silent || !(old || release > Release::V0_25) {
                continue;
            }
            let name = hook_of(&entry);
            eventually(&format!("{suite} posts round {index} to {name}: {}", real.log()), || {
                hook.bodies(&name).len() > index
            });
            let mut body = hook.bodies(&name).remove(index);
            if body.get("routing_key").is_some() {
                body["routing_key"] = pager::SECRET.into();
            }
            seen.insert(name, body);
        }
        rounds_seen.push(seen);
    }
    (begun, rounds_seen)
}
