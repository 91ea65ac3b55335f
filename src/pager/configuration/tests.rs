use super::*;
use crate::document::Severity;
use crate::pager::{GroupBy, Route};

fn sound(text: &str, version: Version) -> Configuration {
    let (found, told) = read("alertmanager.yml", text, version);
    found.unwrap_or_else(|| panic!("{text}\n{}", document::render(&told)))
}

/// Severity, line, column, what and advice of what is told.
fn told(text: &str, version: Version) -> Vec<(Severity, (usize, usize), String, String)> {
    let told = read("alertmanager.yml", text, version).1;
    let all = told.into_iter();
    all.map(|it| (it.severity, it.place.line_and_column(), it.what, it.advice.unwrap_or_default())).collect()
}

const TREE: &str = "\
route:
  receiver: r
  group_by: [ b, a ]
  group_wait: 1s
  routes:
  - receiver: s
    group_interval: 2m
    repeat_interval: 1d
    active_time_intervals: [ t ]
    continue: true
    match_re: { z: x|y }
    match: { m: n }
    matchers: [ 'm=\"a\"', 'a!=b,c!~\"d\"' ]
    routes:
    - { group_by: [ '...' ] }
    - { group_by: [] }
receivers: [ { name: r }, { name: s } ]
time_intervals: [ { name: t, time_intervals: [ { weekdays: [ 'monday:friday' ] } ] } ]
";

#[test]
fn routes_take_from_their_parents_what_they_do_not_say() {
    let configuration = sound(TREE, Version::V0_33);
    let labels = |names: &[&str]| GroupBy::Labels(names.iter().map(|it| (*it).to_owned()).collect());
    let root = &configuration.route;
    assert_eq!((root.receiver.as_str(), &root.group_by), ("r", &labels(&["a", "b"])));
    assert_eq!((root.group_wait, root.group_interval), (Duration::seconds(1), Duration::minutes(5)));
    assert_eq!(root.repeat_interval, Duration::minutes(240));
    let child = &root.routes[0];
    assert_eq!((child.receiver.as_str(), child.goes_on, &child.group_by), ("s", true, &root.group_by));
    assert_eq!((child.group_wait, child.group_interval), (Duration::seconds(1), Duration::minutes(2)));
    let shown: Vec<String> = child.matchers.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["a!=\"b\"", "c!~\"d\"", "m=\"a\"", "m=\"n\"", "z=~\"x|y\""]);
    assert_eq!(child.active, ["t"]);
    let grandchild = &child.routes[0];
    assert_eq!((&grandchild.group_by, grandchild.receiver.as_str()), (&GroupBy::All, "s"));
    // Intervals and `continue` are not inherited.
    assert!(grandchild.active.is_empty() && !grandchild.goes_on && grandchild.matchers.is_empty());
    assert_eq!(grandchild.repeat_interval, Duration::minutes(24 * 60));
    assert_eq!(grandchild.place.as_ref().map(|it| it.line_and_column().0), Some(15));
    assert!(configuration.intervals["t"][0].contains(0, Version::V0_33), "1970 began on a Thursday");
}

#[test]
fn an_empty_group_by_says_nothing_before_0_33() {
    let group_by = |version| {
        let Route { routes, .. } = sound(TREE, version).route;
        routes[0].routes[1].group_by.clone()
    };
    assert_eq!(group_by(Version::V0_33), GroupBy::Labels(Vec::new()));
    assert_eq!(group_by(Version::V0_25), GroupBy::Labels(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn integrations_stand_in_the_order_in_which_they_are_built() {
    let text = "\
global: { slack_api_url: 'http://hook', http_config: { proxy_url: 'http://p' } }
route: { receiver: r }
receivers:
- name: r
  slack_configs: [ { channel: '#a' }, { channel: '#b', send_resolved: true, api_url: 'http://own', http_config: {} } ]
  opsgenie_configs: [ { api_key: k, api_url: 'http://o/x?y' } ]
  webhook_configs: [ { url: 'http://a', max_alerts: 3, send_resolved: no } ]
  pagerduty_configs: [ { routing_key: 5, details: { a: 1 } } ]
";
    for version in [Version::V0_25, Version::V0_33] {
        let configuration = sound(text, version);
        let integrations = &configuration.receivers[0].integrations;
        let shown: Vec<_> = integrations.iter().map(|it| (it.kind, it.index, it.send_resolved)).collect();
        let expected = [
            ("webhook", 0, false),
            ("pagerduty", 0, true),
            ("opsgenie", 0, true),
            ("slack", 0, false),
            ("slack", 1, true),
        ];
        assert_eq!(shown, expected);
        let setting = |at: usize, key: &str| integrations[at].settings.get(key).cloned().unwrap_or(Json::Null);
        assert_eq!((setting(0, "max_alerts"), setting(0, "url")), (Json::from(3), Json::from("http://a")));
        assert_eq!(setting(0, "http_config"), serde_json::json!({ "proxy_url": "http://p" }));
        // A number is a text where a text is wanted.
        assert_eq!(setting(1, "routing_key"), Json::from("5"));
        assert_eq!(setting(1, "url"), Json::from("https://events.pagerduty.com/v2/enqueue"));
        assert_eq!(setting(2, "api_url"), Json::from("http://o/x/?y"));
        assert_eq!(
            (setting(3, "api_url"), setting(4, "api_url")),
            (Json::from("http://hook"), Json::from("http://own"))
        );
        assert_eq!(setting(4, "http_config"), serde_json::json!({}));
        let details = if version == Version::V0_25 { serde_json::json!("1") } else { serde_json::json!(1) };
        assert_eq!(setting(1, "details"), serde_json::json!({ "a": details }));
    }
}

#[test]
fn what_mail_lacks_comes_from_global() {
    let text = "\
global: { smtp_smarthost: 'h:25', smtp_from: f, smtp_auth_password: p, smtp_auth_username: u }
route: { receiver: r }
receivers: [ { name: r, email_configs: [ { to: a }, { to: a, auth_password_file: x, require_tls: false, from: own } ] } ]
";
    let configuration = sound(text, Version::V0_33);
    let integrations = &configuration.receivers[0].integrations;
    let settings = |at: usize| Json::Object((*integrations[at].settings).clone());
    let first = serde_json::json!({
        "to": "a", "smarthost": "h:25", "from": "f", "hello": "localhost", "auth_username": "u", "auth_password": "p",
        "require_tls": true,
    });
    assert_eq!(settings(0), first);
    assert_eq!(settings(1)["auth_password_file"], "x");
    assert_eq!((&settings(1)["auth_password"], &settings(1)["from"]), (&Json::Null, &Json::from("own")));
    assert_eq!(settings(1)["require_tls"], false);
}

#[test]
fn a_token_of_slack_becomes_an_authorization() {
    let text = "\
global: { slack_app_token: t }
route: { receiver: r }
receivers: [ { name: r, slack_configs: [ {} ] } ]
";
    let configuration = sound(text, Version::V0_33);
    let settings = &configuration.receivers[0].integrations[0].settings;
    assert_eq!(settings["api_url"], "https://slack.com/api/chat.postMessage");
    assert_eq!(settings["http_config"]["authorization"], serde_json::json!({ "type": "Bearer", "credentials": "t" }));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_to_write() {
    let text = "\
route:
  reciever: r
receivers:
- name: r
  msteams_configs: [ { webhook_url: 'http://a' } ]
  slack_configs:
  - channel: x
";
    let all = told(text, Version::V0_25);
    let said: Vec<(usize, usize, &str, &str)> =
        all.iter().map(|(_, (line, column), what, advice)| (*line, *column, what.as_str(), advice.as_str())).collect();
    let add = "add `receiver`: whom alerts are told that no other route takes";
    let slack = "`slack_configs` has no `api_url` or `api_url_file`, and neither has `global`";
    let hook = "add `api_url` or `api_url_file` here, or `slack_api_url` or `slack_api_url_file` to `global`";
    let expected = [
        (2, 3, "`reciever` is no key of a route", "did you mean `receiver`?"),
        (2, 3, "the first route has no `receiver`", add),
        (
            5,
            3,
            "`msteams_configs` of a receiver is not known to Alertmanager 0.25",
            "leave it out, or say that it is a newer Alertmanager",
        ),
        (7, 5, slack, hook),
    ];
    assert_eq!(said, expected);
}

#[test]
fn files_of_other_programs_are_known() {
    let all = told("scrape_configs: []\n", Version::V0_33);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].2, "`scrape_configs` is of a configuration of Prometheus");
    assert_eq!(all[0].3, "pass the alertmanager.yml that its alerts go to");
}

struct Folder;

impl Files for Folder {
    fn find(&self, pattern: &str) -> Vec<String> {
        match pattern {
            "x/t/*.tmpl" => vec!["x/t/a.tmpl".to_owned(), "x/t/b.tmpl".to_owned()],
            "/abs/c.tmpl" => vec![pattern.to_owned()],
            _ => Vec::new(),
        }
    }
    fn read(&self, path: &str) -> Result<String, String> {
        if path.starts_with('/') { Err("it is secret".to_owned()) } else { Ok(format!("text of {path}")) }
    }
}

#[test]
fn templates_are_found_beside_the_configuration() {
    let text =
        |patterns: &str| format!("route: {{ receiver: r }}\nreceivers: [ {{ name: r }} ]\ntemplates: [ {patterns} ]\n");
    let (found, told) = read_beside("x/alertmanager.yml", &text("'t/*.tmpl', none"), Version::V0_33, &Folder);
    let templates = found.expect("it is sound").templates;
    assert_eq!(templates[1], ("x/t/b.tmpl".to_owned(), "text of x/t/b.tmpl".to_owned()));
    assert_eq!((templates.len(), told.len()), (2, 1));
    assert_eq!(told[0].what, "no file is found by `none`");
    let (found, told) = read_beside("x/alertmanager.yml", &text("/abs/c.tmpl"), Version::V0_33, &Folder);
    assert!(found.is_none() && told[0].what == "`/abs/c.tmpl` cannot be read: it is secret");
    let (found, told) = read("x/alertmanager.yml", &text("a"), Version::V0_33);
    assert!(found.is_some_and(|it| it.templates.is_empty()) && told[0].severity == Severity::Warning);
}

#[test]
fn hostile_texts_are_refused_and_never_a_panic() {
    let deep = format!("route: {{ receiver: r{} }}", ", routes: [ { receiver: r".repeat(200));
    for text in
        ["route: &a [ *a ]", "\u{0}", "route: { receiver: \"\\xff\" }", "? [a]\n: b", deep.as_str(), "a: b: c", "- - -"]
    {
        for version in [Version::V0_25, Version::V0_33] {
            let (found, told) = read("alertmanager.yml", text, version);
            assert!(found.is_none() && !told.is_empty(), "{text}");
        }
    }
}
