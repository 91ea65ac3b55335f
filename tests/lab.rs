//! Alerting conditions fire correctly: the virtual Prometheus beside an independent, brute-force reading of the samples, and
//! the shipped rules on the shipped scenarios.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::scenario_files;
use mock_kestra::document;
use mock_kestra::monitor::{Episode, Monitor, Setup, Target, read_rules};
use mock_kestra::promql::{Expression, Grid};
use mock_kestra::random::Seed;
use mock_kestra::report::Report;
use mock_kestra::run::{Watch, run};
use mock_kestra::scenario::{Fault, FaultKind, NoFiles, Plan, read};
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;

/// Milliseconds between two scrapes, and between two evaluations.
const STEP: i64 = 15_000;

/// One series as it is scraped: a value, no sample, or no answer of the whole target.
#[derive(Clone, Copy, Debug)]
enum Scraped {
    Value(f64),
    Gone,
    Down,
}

fn scraped() -> impl Strategy<Value = Vec<Scraped>> {
    let one = prop_oneof![
        6 => (0..10i32).prop_map(|value| Scraped::Value(f64::from(value))),
        1 => Just(Scraped::Gone),
        1 => Just(Scraped::Down),
    ];
    // Runs of the same value make alerts that last.
    prop::collection::vec((one, 1usize..12), 1..20)
        .prop_map(|runs| runs.into_iter().flat_map(|(of, times)| std::iter::repeat_n(of, times)).collect())
}

/// Feeds a monitor with the rules of a text, one scrape and one evaluation a step.
fn watch(rules: &str, scrapes: &[Scraped]) -> Vec<(String, Episode)> {
    let at_once = watched(rules, scrapes, false);
    assert_eq!(watched(rules, scrapes, true), at_once, "one instant after another, and all at once");
    at_once
}

fn watched(rules: &str, scrapes: &[Scraped], instant_by_instant: bool) -> Vec<(String, Episode)> {
    let (rules, _) = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", document::render(&told)));
    let count = rules.groups.len();
    let target = Target::new(&[("job", "j"), ("instance", "i")], Duration::seconds(15), Duration::seconds(10));
    let interval = Duration::seconds(15);
    let mut monitor =
        Monitor::new(Setup { rules, targets: vec![target], evaluation_interval: interval, ..Setup::default() });
    for (step, scraped) in scrapes.iter().enumerate() {
        let time = step as i64 * STEP;
        match scraped {
            Scraped::Down => monitor.scrape_failed(0, time, Duration::seconds(1), String::new()),
            other => {
                let mut scrape = monitor.scrape(0, time);
                if let Scraped::Value(value) = other {
                    scrape.sample("g", &[("a".to_owned(), "b".to_owned())], None, *value);
                }
                scrape.end(Some(1), Duration::milliseconds(5));
            }
        }
        for group in 0..count {
            if instant_by_instant {
                monitor.evaluate(group, time + 1_000);
            }
        }
    }
    if !instant_by_instant {
        monitor.evaluate_all(&vec![Grid { first: 1_000, step: STEP, count: scrapes.len() }; count]);
    }
    assert!(monitor.failures().is_empty());
    monitor.episodes()
}

fn rule(name: &str, threshold: i32, hold: u64, keep: u64) -> String {
    format!(
        "      - {{ alert: {name}, expr: \"g > {threshold}\", for: {hold}s, keep_firing_for: {keep}s, labels: {{ severity: page }} }}\n"
    )
}

fn group(rules: &str) -> String {
    format!("groups:\n  - name: g\n    rules:\n{rules}")
}

/// The steps at which an alert of a name fires.
fn firing(episodes: &[(String, Episode)], name: &str, steps: usize) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    for (_, episode) in episodes.iter().filter(|(alert, _)| alert == name) {
        let Some(from) = episode.firing else { continue };
        let to = episode.resolved.unwrap_or(i64::MAX);
        all.extend((0..steps).filter(|step| (from..to).contains(&(*step as i64 * STEP + 1_000))));
    }
    all
}

/// Whether the condition holds at a step, read from the samples alone: a series that was not there at the last scrape, or
/// whose target did not answer, has ended.
fn holds(scrapes: &[Scraped], step: usize, threshold: i32) -> bool {
    matches!(scrapes[step], Scraped::Value(value) if value > f64::from(threshold))
}

proptest! {
    #![proptest_config(common::config(200))]

    #[test]
    fn an_alert_fires_exactly_when_its_condition_has_held_for_long_enough(
        scrapes in scraped(), threshold in 0..10i32, hold in 0u64..120,
    ) {
        let episodes = watch(&group(&rule("A", threshold, hold, 0)), &scrapes);
        let fires = firing(&episodes, "A", scrapes.len());
        for step in 0..scrapes.len() {
            // Some evaluation, at least `for` ago, since which the condition has held at every evaluation.
            let held = (0..=step).any(|from| {
                (step - from) as i64 * STEP >= hold as i64 * 1000 && (from..=step).all(|at| holds(&scrapes, at, threshold))
            });
            prop_assert_eq!(fires.contains(&step), held, "step {}", step);
        }
        for (_, episode) in &episodes {
            // Pending before firing, and pending at all only with `for`.
            prop_assert!(episode.firing.is_none_or(|firing| firing >= episode.pending + hold as i64 * 1000));
            prop_assert!(hold > 0 || episode.firing == Some(episode.pending));
            // Resolved at the first evaluation that fails.
            if let Some(resolved) = episode.resolved {
                let step = ((resolved - 1_000) / STEP) as usize;
                prop_assert!(!holds(&scrapes, step, threshold) && holds(&scrapes, step - 1, threshold));
            }
            let labels: Vec<String> = episode.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            prop_assert_eq!(labels, ["a=b", "alertname=A", "instance=i", "job=j", "severity=page"]);
        }
    }

    #[test]
    fn a_kept_alert_fires_on_for_as_long_as_it_is_kept(
        scrapes in scraped(), threshold in 0..10i32, hold in 0u64..60, keep in 1u64..120,
    ) {
        let plain = watch(&group(&rule("A", threshold, hold, 0)), &scrapes);
        let kept = watch(&group(&rule("A", threshold, hold, keep)), &scrapes);
        let (plain, kept) = (firing(&plain, "A", scrapes.len()), firing(&kept, "A", scrapes.len()));
        prop_assert!(kept.is_superset(&plain));
        let mut gone: Option<usize> = None;
        let mut fires = false;
        for step in 0..scrapes.len() {
            if holds(&scrapes, step, threshold) {
                gone = None;
                fires |= plain.contains(&step);
            } else {
                let since = *gone.get_or_insert(step);
                fires &= ((step - since) as i64) * STEP < keep as i64 * 1000;
            }
            prop_assert_eq!(kept.contains(&step), fires, "step {}", step);
        }
    }

    #[test]
    fn a_longer_for_never_fires_earlier_and_a_higher_threshold_fires_less(
        scrapes in scraped(), threshold in 0..9i32, hold in 0u64..60, more in 1u64..60,
    ) {
        let steps = scrapes.len();
        let fires = |threshold: i32, hold: u64| firing(&watch(&group(&rule("A", threshold, hold, 0)), &scrapes), "A", steps);
        let base = fires(threshold, hold);
        prop_assert!(fires(threshold, hold + more).is_subset(&base));
        prop_assert!(fires(threshold + 1, hold).is_subset(&base));
    }

    #[test]
    fn the_order_of_independent_rules_and_groups_does_not_matter(scrapes in scraped(), hold in 0u64..60) {
        let (a, b) = (rule("A", 3, hold, 0), rule("B", 6, 0, 30));
        let forth = watch(&group(&(a.clone() + &b)), &scrapes);
        let back = watch(&group(&(b.clone() + &a)), &scrapes);
        let apart = watch(&format!("groups:\n  - name: x\n    rules:\n{b}  - name: y\n    rules:\n{a}"), &scrapes);
        prop_assert_eq!(&forth, &back);
        prop_assert_eq!(&forth, &apart);
    }

    #[test]
    fn a_recorded_series_is_what_it_was_recorded_from(scrapes in scraped(), hold in 0u64..60) {
        let recorded = format!(
            "groups:\n  - name: g\n    rules:\n      - {{ record: r, expr: \"g * 2\" }}\n      - {{ alert: A, expr: \"r > 8\", for: {hold}s }}\n"
        );
        let direct = format!("groups:\n  - name: g\n    rules:\n      - {{ alert: A, expr: \"g * 2 > 8\", for: {hold}s }}\n");
        prop_assert_eq!(watch(&recorded, &scrapes), watch(&direct, &scrapes));
    }
}

fn shipped_watch() -> Watch {
    let rules = include_str!("../scenarios/rules/kestra.yml");
    let (rules, warnings) = read_rules("kestra.yml", rules).expect("sound rules");
    assert!(warnings.is_empty());
    Watch { rules, ..Watch::default() }
}

fn plan(path: &std::path::Path) -> Plan {
    let text = std::fs::read_to_string(path).expect("readable");
    read(&path.display().to_string(), &text, &NoFiles).0.expect("a plan")
}

fn test(plan: Plan, seed: u64, watch: &Watch) -> Report {
    run(&Arc::new(plan), Seed(seed), Calendar::default(), Some(watch)).expect("no limit")
}

#[test]
fn every_shipped_scenario_meets_what_it_expects_of_the_shipped_rules() {
    for path in scenario_files() {
        let plan = plan(&path);
        let name = plan.name.clone();
        let report = test(plan, 1, &shipped_watch());
        assert!(!report.failed() && report.failed_rules.is_empty(), "{}", report.text());
        assert!(report.expectations.iter().all(|verdict| verdict.met.is_some()), "everything is judged: {name}");
        insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("rules-{name}"), alerts(&report));
        });
    }
}

#[test]
fn the_shipped_rules_of_grafana_are_sound_and_do_what_the_golden_files_say() {
    let (rules, told) =
        read_rules("grafana.yaml", include_str!("../scenarios/rules/grafana.yaml")).expect("sound rules");
    assert!(told.is_empty() && rules.grafana[0].rules.len() == 3);
    let watch = Watch { rules, ..Watch::default() };
    for path in scenario_files() {
        let mut plan = plan(&path);
        plan.expectations.clear();
        let name = plan.name.clone();
        let report = test(plan, 1, &watch);
        assert!(report.failed_rules.is_empty(), "{}", report.text());
        insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("grafana-{name}"), alerts(&report));
        });
    }
}

/// The part of a report that tells of alerts and expectations.
fn alerts(report: &Report) -> String {
    let text = report.text();
    text[text.find("\nAlerts").expect("alerts")..].trim_start().to_owned()
}

#[test]
fn nothing_fires_where_all_is_well_whatever_the_seed() {
    for path in scenario_files() {
        let plan = plan(&path);
        if !plan.timeline.is_empty() || !plan.commands.is_empty() {
            continue;
        }
        for seed in 1..=5 {
            let report = test(plan.clone(), seed, &shipped_watch());
            let fired: Vec<_> = report.alerts.iter().flatten().filter(|alert| alert.firing.is_some()).collect();
            assert!(fired.is_empty(), "{} with seed {seed}: {fired:#?}", plan.name);
        }
    }
}

#[test]
fn what_is_expected_does_not_hang_on_the_seed() {
    for path in scenario_files() {
        for seed in 2..=8 {
            let report = test(plan(&path), seed, &shipped_watch());
            assert!(!report.failed(), "seed {seed}: {}", report.text());
        }
    }
}

#[test]
fn nothing_differs_before_the_first_fault() {
    for path in scenario_files() {
        let with = plan(&path);
        let Some(first) = with.timeline.iter().map(|entry| entry.at).min() else { continue };
        let mut without = with.clone();
        without.timeline.clear();
        let before = |plan: Plan| -> Vec<String> {
            let report = test(plan, 3, &shipped_watch());
            let early = |at: Option<Instant>| at.filter(|at| *at < first);
            let lines = report.alerts.into_iter().flatten().filter(|alert| alert.pending < first);
            let of = |alert: mock_kestra::report::AlertLine| {
                let (firing, resolved) = (early(alert.firing), early(alert.resolved));
                format!("{} {:?} {} {firing:?} {resolved:?}", alert.alert, alert.labels, alert.pending)
            };
            lines.map(of).collect()
        };
        assert_eq!(before(with), before(without), "{}", path.display());
    }
}

#[test]
fn every_way_a_process_can_go_away_is_seen_by_up() {
    let members = [
        Fault::of_members(FaultKind::Kill, vec![3]),
        Fault::of_members(FaultKind::Stop, vec![3]),
        Fault::of_members(FaultKind::Hang, vec![3]),
    ];
    for fault in members {
        let mut plan = plan(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/worker-killed.yaml")));
        let words = fault.sentence(&plan);
        plan.timeline[0].fault = fault;
        plan.expectations.clear();
        let report = test(plan, 1, &shipped_watch());
        let alerts = report.alerts.unwrap_or_default();
        let worker = alerts.iter().find(|alert| alert.alert == "KestraWorkerDown");
        let fired = worker.and_then(|alert| alert.firing).unwrap_or_else(|| panic!("{words} goes unnoticed"));
        let delay = fired.since(Instant::START + Duration::minutes(10));
        assert!(delay >= Duration::seconds(60) && delay <= Duration::seconds(100), "{words}: {delay}");
    }
}

#[test]
fn wrong_rules_are_told_with_their_place() {
    for (text, parts) in [
        ("groups:\n  - name: g\n    rules:\n      - { alert: A, expr: \"rate(x)\" }\n", vec!["rules.yml:4:33", "rate"]),
        ("groups:\n  - name: g\n    rules:\n      - { alert: A, expr: \"limitk(1, x)\" }\n", vec!["limitk"]),
        ("groups:\n  - name: g\n    rules:\n      - { alrt: A, expr: up }\n", vec!["alrt", "did you mean `alert`?"]),
        (
            "groups:\n  - name: g\n    rules:\n      - { record: r, expr: up, for: 5m }\n",
            vec!["a recording rule has no `for`"],
        ),
        ("groups:\n  - { name: g, rules: [] }\n  - { name: g, rules: [] }\n", vec!["two groups"]),
        ("groups: 5\n", vec!["must be a list"]),
        ("groups: [ { name: '' } ]\n", vec!["a group has no name"]),
    ] {
        let told = document::render(&read_rules("rules.yml", text).expect_err(text));
        for part in parts {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
    let manifest = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: { name: x }\nspec:\n  groups:\n    - name: g\n      rules:\n        - { alert: A, expr: up == 0, annotations: { summary: x } }\n";
    assert_eq!(read_rules("rule.yaml", manifest).expect("a manifest").0.groups.len(), 1);
    assert!(Expression::parse("up").is_ok());
}

#[test]
fn fifty_thousand_rules_are_read_and_evaluated() {
    let mut text = String::from("groups:\n  - name: g\n    rules:\n");
    for n in 0..50_000 {
        text += &format!("      - {{ alert: A{n}, expr: \"g > {n}\" }}\n");
    }
    let episodes = watch(&text, &[Scraped::Value(7.5), Scraped::Value(8.5), Scraped::Down]);
    assert_eq!(episodes.len(), 9, "g > 0 to g > 8");
}
