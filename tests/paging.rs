//! From alert to pager in whole runs: what the rules fire is told, or it is said why not.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use common::scenario_files;
use mock_kestra::monitor::read_rules;
use mock_kestra::pager::{self, Version};
use mock_kestra::random::Seed;
use mock_kestra::report::{Detail, PageLine, Report};
use mock_kestra::run::{Paging, Watch, explain_page, run};
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::time::{Calendar, Duration, Instant};

const RULES: &str = "groups:
- name: g
  rules:
  - { alert: Down, expr: 'up == 0', for: 1m, labels: { severity: page }, annotations: { summary: '{{ $labels.instance }} is down' } }
  - { alert: Few, expr: 'count(up == 1) < 4', for: 1m, labels: { severity: warning } }
  - { alert: Briefly, expr: 'up{instance=\"worker-2:8081\"} == 0', labels: { severity: warning } }
";

const ALERTMANAGER: &str = "
route:
  receiver: channel
  group_by: [alertname]
  group_wait: 30s
  group_interval: 2m
  repeat_interval: 10m
  routes:
  - { receiver: pager, matchers: ['severity=\"page\"'], group_wait: 10s }
receivers:
- name: pager
  webhook_configs: [ { url: 'http://pager.example/hook' } ]
- name: channel
  slack_configs: [ { api_url: 'http://slack.example/hook', channel: '#k' } ]
";

fn plan(timeline: &str, more: &str) -> Arc<Plan> {
    let text = format!(
        "name: x\nduration: 40m\nstart: 2026-01-05T08:00:00Z\ncluster: {{ members: {{ webserver: 1, executor: 1, worker: 2 }} }}\n\
         timeline: [ {timeline} ]\n{more}\n"
    );
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{text}\n{told:?}")))
}

fn watch(alertmanager: &str, version: Version) -> Watch {
    let (configuration, told) = pager::read("alertmanager.yml", alertmanager, version);
    let configuration = Arc::new(configuration.unwrap_or_else(|| panic!("{told:?}")));
    let templates = Arc::new(pager::templates(&configuration.templates, version).expect("templates"));
    let paging = Some(Paging { configuration, templates, version, silences: Vec::new() });
    Watch { rules: read_rules("r.yml", RULES).expect("sound rules").0, paging, ..Watch::default() }
}

fn report(plan: &Arc<Plan>, watch: &Watch) -> Report {
    run(plan, Seed(1), Calendar::default(), Some(watch)).expect("no limit is reached")
}

fn told<'r>(report: &'r Report, receiver: &str) -> Vec<&'r PageLine> {
    report.paging.iter().flat_map(|paging| &paging.pages).filter(|page| page.receiver == receiver).collect()
}

const KILLED: &str = "{ at: 5m, kill: worker-1, for: 20m }";

#[test]
fn what_fires_is_told_after_group_wait_again_after_repeat_interval_and_when_it_has_ended() {
    let report = report(&plan(KILLED, ""), &watch(ALERTMANAGER, Version::V0_33));
    let fired = report.alerts.as_ref().expect("alerts").iter().find(|line| line.alert == "Down").expect("it fires");
    let pages = told(&report, "pager");
    let reasons: Vec<&str> = pages.iter().map(|page| page.reason).collect();
    assert_eq!(reasons, ["first", "repeat", "all resolved"]);
    let firing = fired.firing.expect("it fires");
    assert_eq!(pages[0].at.since(firing), Duration::seconds(10));
    // It is looked at each two minutes: ten minutes have passed a moment after the fifth time.
    assert_eq!(pages[1].at.since(pages[0].at), Duration::minutes(12));
    assert_eq!(pages[0].alerts[0].labels["instance"], "worker-1:8081");
    let resolved = fired.resolved.expect("it ends");
    assert!(pages[2].at >= resolved && pages[2].at.since(resolved) <= Duration::minutes(2));
    // Slack does not send what has ended unless told to.
    let withheld = &report.paging.as_ref().expect("paging").withheld;
    assert!(
        withheld.iter().any(|it| it.receiver == "channel" && it.why.contains("send_resolved is false")),
        "{withheld:?}"
    );
    let slack = told(&report, "channel");
    assert!(slack[0].title.as_deref().expect("a title").contains("[FIRING:1] Few"), "{slack:?}");
    // What the rule says of it is in the body that is sent.
    let body = &pages[0].fields;
    assert_eq!(body["alerts"][0]["annotations"]["summary"], "worker-1:8081 is down");
}

#[test]
fn an_alert_that_was_kept_quiet_is_named_with_what_kept_it() {
    let inhibited = format!(
        "{ALERTMANAGER}inhibit_rules: [ {{ source_matchers: ['severity=\"page\"'], target_matchers: ['alertname=\"Few\"'] }} ]\n"
    );
    let muted = ALERTMANAGER.replace("group_wait: 10s }", "group_wait: 10s, mute_time_intervals: [morning] }")
        + "time_intervals: [ { name: morning, time_intervals: [ { times: [ { start_time: '08:00', end_time: '09:00' } ] } ] } ]\n";
    let inactive = muted
        .replace("mute_time_intervals: [morning]", "active_time_intervals: [morning]")
        .replace("'08:00'", "'10:00'")
        .replace("'09:00'", "'11:00'");
    let silence = "silences: [ { matchers: 'alertname=~\"D.*\"', from: 5m, for: 30m } ]";
    for (alertmanager, more, receiver, why) in [
        (inhibited.as_str(), "", "channel", "inhibited by Down{"),
        (muted.as_str(), "", "pager", "its route is muted in `morning`"),
        (inactive.as_str(), "", "pager", "its route is active only in `morning`"),
        (ALERTMANAGER, silence, "pager", "silence 1 matches"),
    ] {
        for version in [Version::V0_25, Version::V0_33] {
            let report = report(&plan(KILLED, more), &watch(alertmanager, version));
            let withheld = &report.paging.as_ref().expect("paging").withheld;
            assert!(withheld.iter().any(|it| it.receiver == receiver && it.why.contains(why)), "{why}: {withheld:#?}");
            assert!(told(&report, receiver).is_empty(), "{why}: nothing is sent");
            assert!(report.text().contains(why), "{}", report.text());
        }
    }
}

#[test]
fn an_alert_that_ends_before_its_group_is_looked_at_is_told_to_nobody() {
    let late = ALERTMANAGER.replace("group_wait: 30s", "group_wait: 5m");
    let report = report(&plan("{ at: 5m, hang: worker-2, for: 1m }", ""), &watch(&late, Version::V0_33));
    let withheld = &report.paging.as_ref().expect("paging").withheld;
    let brief = withheld.iter().find(|it| it.labels["alertname"] == "Briefly").expect("it is named");
    assert!(brief.why.contains("had ended before its group was told"), "{brief:?}");
    assert!(told(&report, "channel").is_empty());
}

#[test]
fn a_template_that_fails_tells_nobody_and_is_named() {
    let broken = ALERTMANAGER.replace("channel: '#k'", "channel: '#k', title: '{{ .Nothing }}'");
    let report = report(&plan(KILLED, ""), &watch(&broken, Version::V0_33));
    let withheld = &report.paging.as_ref().expect("paging").withheld;
    assert!(withheld.iter().any(|it| it.why.contains("the message cannot be made")), "{withheld:#?}");
    assert!(told(&report, "channel").is_empty());
}

#[test]
fn expectations_on_pages_are_met_or_tell_the_nearest_miss() {
    for (expected, met, seen) in [
        ("{ receiver: pager, alerts: [Down], of: kill-worker-1, within: 2m }", true, "pager (first, 1 firing)"),
        ("{ receiver: pager, alerts: [Down], of: kill-worker-1, within: 1m }", false, "too late"),
        ("{ receiver: pager, alerts: [Down], count: 2, resolved_within: 25m }", true, "told as resolved at"),
        ("{ receiver: pager, alerts: [Down], resolved_within: 5m }", false, "told as resolved at"),
        ("{ receiver: channel, alerts: [Few], resolved_within: 30m }", false, "never told as resolved"),
        ("{ receiver: pager, text: 'worker-1:8081 is down' }", true, "pager"),
        ("{ receiver: pager, text: 'worker-9' }", false, "nothing like it; the last is"),
        ("{ receiver: channel, alerts: [Down] }", false, "pager is told instead"),
        ("{ receiver: pager, alerts: [Few], never: true }", true, "is told instead"),
        ("{ receiver: pagr }", false, "no receiver is named `pagr`; did you mean `pager`?"),
        ("{ alerts: [Down, Few] }", false, "nothing like it"),
    ] {
        let plan = plan(KILLED, &format!("expect: [ {{ page: {expected} }} ]"));
        let verdict = &report(&plan, &watch(ALERTMANAGER, Version::V0_33)).expectations[0];
        assert_eq!(verdict.met, Some(met), "{expected}: {}", verdict.seen);
        assert!(verdict.seen.contains(seen), "{expected}: {}", verdict.seen);
    }
    let plan = plan(KILLED, "expect: [ { page: { receiver: pager } } ]");
    let nobody = Watch { paging: None, ..watch(ALERTMANAGER, Version::V0_33) };
    assert_eq!(report(&plan, &nobody).expectations[0].met, None);
}

#[test]
fn explain_tells_the_way_of_each_alert() {
    let watch = watch(ALERTMANAGER, Version::V0_33);
    let of = |receiver: &str, at: Option<Instant>| {
        let explanation = explain_page(&plan(KILLED, ""), Seed(1), Calendar::default(), &watch, receiver, at);
        explanation.expect("no limit is reached").text()
    };
    let pager = of("pager", None);
    assert!(pager.contains("Down{") && pager.contains("tells pager that it is firing (first)"), "{pager}");
    assert!(pager.contains("it goes elsewhere: to channel by {}"), "{pager}");
    let early = of("pager", Some(Instant::START + Duration::minutes(1)));
    assert!(early.contains("0 alerts fire"), "{early}");
}

#[test]
fn alerts_are_sent_with_external_labels_and_relabelled() {
    let (configuration, _) = mock_kestra::monitor::Configuration::read(
        "prometheus.yml",
        "global: { external_labels: { site: a, severity: none } }\n\
         alerting:\n  alert_relabel_configs:\n  - { source_labels: [alertname], regex: Few, action: drop }\n\
         \x20 - { source_labels: [instance], target_label: host, regex: '(.*):.*' }\n",
    )
    .expect("it is sound");
    let watch = Watch {
        external_labels: configuration.external_labels,
        alert_relabel: configuration.alert_relabel,
        ..watch(ALERTMANAGER, Version::V0_33)
    };
    let report = report(&plan(KILLED, ""), &watch);
    let labels = &told(&report, "pager")[0].alerts[0].labels;
    // What the alert says itself stands.
    assert_eq!((labels["site"].as_str(), labels["severity"].as_str()), ("a", "page"));
    assert_eq!(labels["host"], "worker-1");
    assert!(told(&report, "channel").is_empty(), "Few is dropped");
}

#[test]
fn what_is_told_does_not_hang_on_when_rules_are_evaluated() {
    // With an expectation on an alert all samples are kept to the end, and rules evaluated there.
    let watch = watch(ALERTMANAGER, Version::V0_33);
    let on_the_way = report(&plan(KILLED, ""), &watch);
    let at_the_end = report(&plan(KILLED, "expect: [ { alert: Down, fires: { after: 1m } } ]"), &watch);
    assert_eq!(on_the_way.paging, at_the_end.paging);
}

/// A shipped scenario against the shipped rules and the shipped alertmanager.yml.
fn shipped(path: &std::path::Path, version: Version) -> Report {
    let text = std::fs::read_to_string(path).expect("readable");
    let mut plan = read(&path.display().to_string(), &text, &NoFiles).0.expect("a plan");
    plan.expectations.clear();
    let rules = read_rules("kestra.yml", include_str!("../scenarios/rules/kestra.yml")).expect("sound rules").0;
    let watch = watch(include_str!("../scenarios/rules/alertmanager.yml"), version);
    run(&Arc::new(plan), Seed(1), Calendar::default(), Some(&Watch { rules, ..watch })).expect("no limit")
}

/// The part of a report that tells who was told what.
fn pages(report: &Report) -> String {
    let text = report.text_with(Detail::All);
    let from = text.find("\nPages\n").map_or(text.len(), |at| at + 1);
    let lines = text[from..].lines().take_while(|line| !line.starts_with("Expectations"));
    lines.fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn who_is_told_of_two_outages_is_what_the_golden_files_say() {
    for path in scenario_files() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if !["database-outage", "no-workers"].contains(&name.as_str()) {
            continue;
        }
        let of = |version| pages(&shipped(&path, version));
        let text = format!("0.33\n\n{}\n0.25\n\n{}", of(Version::V0_33), of(Version::V0_25));
        insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("pages-{name}"), text);
        });
    }
}

#[test]
fn how_often_receivers_are_told_of_each_shipped_scenario_is_what_the_golden_file_says() {
    let mut text = String::new();
    for path in scenario_files() {
        let report = shipped(&path, Version::V0_33);
        let paging = report.paging.as_ref().expect("pages");
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        paging.pages.iter().for_each(|page| *counts.entry((&page.receiver, page.reason)).or_default() += 1);
        let counts = counts.iter().map(|((receiver, reason), count)| format!("{receiver} {count} {reason}"));
        let counts = counts.collect::<Vec<_>>().join(", ");
        let (counts, not_told) = (if counts.is_empty() { "nobody" } else { &counts }, paging.withheld.len());
        writeln!(text, "{}: {counts}; not told {not_told}", report.scenario).expect("a text");
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("pages", text);
    });
}
