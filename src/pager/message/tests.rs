use serde_json::json;

use super::*;

fn notification(ends: &[Option<i64>]) -> Notification {
    let alert = |(index, ends_at): (usize, &Option<i64>)| super::super::Alert {
        labels: [("alertname", "Down"), ("instance", if index == 0 { "a" } else { "b" })]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        annotations: BTreeMap::new(),
        starts_at: 1_774_746_000_000,
        ends_at: *ends_at,
        generator_url: "http://p:9090".into(),
    };
    Notification {
        receiver: "team.x".into(),
        group_key: "{}:{alertname=\"Down\"}".into(),
        group_labels: [("alertname".to_owned(), "Down".to_owned())].into(),
        alerts: ends.iter().enumerate().map(alert).collect(),
        reason: Reason::First,
        external_url: "http://am:9093".into(),
        at: 1_774_749_600_000,
    }
}

fn said(kind: &'static str, settings: Json, version: Version) -> Result<Message, String> {
    of(kind, settings, &[None, None], &[], version)
}

fn of(
    kind: &'static str,
    settings: Json,
    ends: &[Option<i64>],
    files: &[(&str, &str)],
    version: Version,
) -> Result<Message, String> {
    let Json::Object(settings) = settings else { panic!("a mapping") };
    let integration = Integration { kind, index: 0, send_resolved: true, settings: Arc::new(settings), place: None };
    let files: Vec<(String, String)> = files.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let templates = templates(&files, version).unwrap_or_else(|wrong| panic!("{wrong}"));
    message(&integration, &notification(ends), &templates, version)
}

const BOTH: [Version; 2] = [Version::V0_25, Version::V0_33];

#[test]
fn a_fingerprint_is_the_hash_that_alertmanager_shows() {
    // Of no labels it is what the hash begins with; those of labels are compared with what a real one posts.
    assert_eq!(fingerprint(&BTreeMap::new()), "cbf29ce484222325");
    assert_eq!(quoted("a.b (c)"), "a\\.b \\(c\\)");
}

#[test]
fn what_a_kind_allows_no_more_of_is_cut_and_told() {
    let long = "ä".repeat(5_000);
    for (kind, field, extra, most) in [
        ("slack", "title", json!({}), 1024),
        ("opsgenie", "message", json!({}), 130),
        ("pagerduty", "description", json!({"routing_key": "k"}), 1024),
        ("pushover", "title", json!({}), 250),
    ] {
        for version in BOTH {
            let mut settings = extra.clone();
            settings[field] = long.clone().into();
            let message = said(kind, settings, version).expect("a message");
            assert_eq!(message.title.chars().count(), most, "{kind}");
            assert!(message.title.ends_with('…') && message.notes.iter().any(|it| it.contains("is cut")), "{kind}");
        }
    }
    // 0.25 sends Discord what Discord refuses; 0.33 cuts it.
    let lengths = BOTH.map(|version| {
        let message = said("discord", json!({"message": long}), version).expect("a message");
        message.text.chars().count()
    });
    assert_eq!(lengths, [5_000, 4_096]);
}

#[test]
fn a_page_that_is_too_long_for_telegram_is_another_in_0_33() {
    let settings = json!({"message": "<".repeat(3_000)});
    let [old, new] = BOTH.map(|version| said("telegram", settings.clone(), version).expect("a message"));
    assert!(old.text.starts_with("&lt;") && old.text.ends_with('…'), "{}", old.text);
    assert!(new.text.starts_with("Alertmanager notification could not be sent"), "{}", new.text);
    let plain = json!({"message": "<".repeat(3_000), "parse_mode": "Markdown"});
    assert_eq!(said("telegram", plain, Version::V0_33).expect("a message").text.len(), 3_000);
}

#[test]
fn what_webex_does_not_take_is_refused_by_name() {
    for version in BOTH {
        let of = |bytes: usize| said("webex", json!({"message": "a".repeat(bytes), "room_id": "r"}), version);
        assert_eq!(of(7_439).expect("a message").text.len(), 7_439);
        assert!(of(7_440).is_err_and(|why| why.contains("not simulated")));
    }
}

#[test]
fn no_secret_is_shown() {
    let entry = json!({
        "url": "http://sEcret/u", "api_url": "http://sEcret/a", "webhook_url": "http://sEcret/w", "routing_key": "sEcret",
        "bot_token": "sEcret", "token": "sEcret", "user_key": "sEcret", "api_key": "sEcret", "api_secret": "sEcret",
        "token_id": "sEcret", "alert_source_token": "sEcret", "auth_password": "sEcret", "auth_secret": "sEcret",
        "http_config": {"authorization": {"credentials": "sEcret"}}, "sigv4": {"secret_key": "sEcret"}, "service_key": "sEcret",
        "to": "a@b", "from": "c@d",
    });
    for kind in KINDS {
        // Pushover's address is its text's own link.
        let mut entry = entry.clone();
        if kind.name == "pushover" {
            entry["url"] = "http://x".into();
        }
        let message = said(kind.name, entry, Version::V0_33).expect("a message");
        let shown = format!("{message:?}");
        assert!(!shown.contains("sEcret"), "{}: {shown}", kind.name);
    }
}

#[test]
fn a_mail_has_headers_and_text_and_says_that_alertmanagers_page_is_missing() {
    let entry = json!({
        "to": "{{ .CommonLabels.alertname }}@x", "from": "am@x", "text": "{{ len .Alerts }} alerts",
        "headers": {"reply-to": "r@x"},
    });
    let mail = said("email", entry.clone(), Version::V0_33).expect("a message");
    assert_eq!(mail.title, "[FIRING:2] Down ");
    assert_eq!(mail.text, "2 alerts");
    assert_eq!(mail.fields["headers"]["To"], "Down@x");
    assert_eq!(mail.fields["headers"]["Reply-To"], "r@x");
    assert!(
        mail.fields.get("html").is_none() && mail.notes.iter().any(|it| it.contains("email.default.html")),
        "{mail:?}"
    );
    // One's own of that name is shown.
    let own = ("mail.tmpl", "{{ define \"email.default.html\" }}<b>{{ .Receiver }}</b>{{ end }}");
    let mail = of("email", entry, &[None], &[own], Version::V0_33).expect("a message");
    assert_eq!(mail.fields["html"], "<b>team\\.x</b>");
    assert!(mail.notes.is_empty(), "{mail:?}");
}

#[test]
fn what_ended_closes_and_says_so() {
    let ended = [Some(1_774_749_000_000), Some(1_774_749_000_000)];
    let closed = of("opsgenie", json!({}), &ended, &[], Version::V0_33).expect("a message");
    assert_eq!(closed.fields.keys().collect::<Vec<_>>(), ["source"]);
    let event = of("pagerduty", json!({"routing_key": "k"}), &ended, &[], Version::V0_33).expect("a message");
    assert_eq!(event.fields["event_action"], "resolve");
    assert_eq!(event.fields["payload"]["custom_details"]["num_resolved"], 2);
    let event = of("pagerduty", json!({"service_key": "k"}), &ended, &[], Version::V0_25).expect("a message");
    assert_eq!((&event.fields["event_type"], &event.fields["service_key"]), (&json!("resolve"), &json!(SECRET)));
    assert!(event.fields.get("client").is_none() && event.fields["details"]["num_resolved"] == "2");
}

#[test]
fn what_a_version_has_not_is_refused_by_name() {
    for kind in ["msteams", "msteamsv2", "jira", "rocketchat", "mattermost", "incidentio"] {
        let told = said(kind, json!({}), Version::V0_25).expect_err("refused");
        assert_eq!(told, format!("{kind}_configs came after Alertmanager 0.25"));
    }
    assert!(
        said("hipchat", json!({}), Version::V0_33).is_err_and(|why| why.contains("hipchat_configs are not simulated"))
    );
    for version in BOTH {
        let told = said("slack", json!({"text": "{{ toJson .Alerts }}"}), version);
        assert_eq!(told.is_ok(), version == Version::V0_33, "{told:?}");
    }
}

#[test]
fn a_wrong_template_is_told_with_its_field_and_a_wrong_file_with_its_place() {
    let told = said("slack", json!({"text": "{{ .Nothing }}"}), Version::V0_33).expect_err("an error");
    assert_eq!(told, "slack_configs: text: can't evaluate field Nothing in type *template.Data");
    let files = [("a.tmpl".to_owned(), "{{ define \"x\" }}y{{ end }}\n  {{ nosuch }}".to_owned())];
    let wrong = templates(&files, Version::V0_33).expect_err("an error");
    assert_eq!((wrong.file.as_str(), wrong.line, wrong.column), ("a.tmpl", 2, 6), "{wrong}");
    assert_eq!(wrong.to_string(), "a.tmpl:2:6: function \"nosuch\" not defined");
}

#[test]
fn what_does_not_end_is_refused_by_a_named_limit() {
    for (text, part) in [
        ("{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}", "depth"),
        ("{{ range 90000 }}{{ range 90000 }}{{ end }}{{ end }}", "does not come to an end"),
        ("{{ range 999999 }}{{ end }}", "more than 100000 rounds"),
        ("{{ $x := list 1 }}{{ range 5000 }}{{ $x = list $x }}{{ end }}", "copies more than 64 MiB"),
        ("{{ $x := list 1 }}{{ range 5000 }}{{ $x = append $x $x }}{{ end }}", "larger than 1 MiB"),
        (
            "{{ $x := dict }}{{ range 5000 }}{{ $x = dict \"a\" $x \"b\" $x }}{{ end }}{{ toJson $x }}",
            "larger than 1 MiB",
        ),
        ("{{ range 90000 }}{{ toJson $.Alerts }}{{ end }}", "not come to an end"),
    ] {
        let told = said("slack", json!({"text": text}), Version::V0_33).expect_err(text);
        assert!(told.contains(part), "{text}: {told}");
    }
}
