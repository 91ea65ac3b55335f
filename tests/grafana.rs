//! Rules of Grafana: files that are wrong, states by hand, and laws beside a rule of Prometheus that means the same.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use mock_kestra::document;
use mock_kestra::monitor::{Episode, Monitor, Setup, Target, read_rules};
use mock_kestra::promql::Grid;
use mock_kestra::time::Duration;
use proptest::prelude::*;

/// Milliseconds between two scrapes, and between two evaluations.
const STEP: i64 = 10_000;

/// A rule on the gauge `g`: above a threshold, with options of the rule.
fn file(threshold: f64, options: &str) -> String {
    format!(
        "apiVersion: 1\ngroups:\n  - name: g\n    folder: f\n    interval: 10s\n    rules:\n      - title: A\n        condition: C\n{options}        data:\n          - {{ refId: A, datasourceUid: p, model: {{ expr: g, instant: true }} }}\n          - {{ refId: C, datasourceUid: __expr__, model: {{ type: threshold, expression: A, conditions: [ {{ evaluator: {{ type: gt, params: [ {threshold} ] }} }} ] }} }}\n"
    )
}

/// Feeds a monitor: by step, the values of the series `g{a="0"}`, `g{a="1"}`; none is no sample. The rules are evaluated right
/// after each scrape.
fn watch(rules: &str, steps: &[Vec<Option<f64>>]) -> Vec<(String, Episode)> {
    let (rules, _) = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", document::render(&told)));
    let interval = Duration::seconds(10);
    let target = Target::new(&[("job", "j")], interval, interval);
    let mut monitor =
        Monitor::new(Setup { rules, targets: vec![target], evaluation_interval: interval, ..Setup::default() });
    for (step, values) in steps.iter().enumerate() {
        let time = step as i64 * STEP;
        let mut scrape = monitor.scrape(0, time);
        for (index, value) in values.iter().enumerate() {
            if let Some(value) = value {
                scrape.sample("g", &[("a".to_owned(), index.to_string())], None, *value);
            }
        }
        scrape.end(Some(values.len()), Duration::milliseconds(5));
        for group in 0..monitor.grafana().len() {
            monitor.evaluate_grafana(group, time);
        }
    }
    let groups = monitor.groups().len();
    monitor.evaluate_all(&vec![Grid { first: 0, step: STEP, count: steps.len() }; groups]);
    monitor.episodes()
}

/// Name, series, and the steps at which it was pending, fired and resolved.
fn lives(episodes: &[(String, Episode)]) -> Vec<String> {
    let step = |time: Option<i64>| time.map_or("-".to_owned(), |time| (time / STEP).to_string());
    episodes
        .iter()
        .map(|(name, episode)| {
            let series = episode.labels.iter().find(|(key, _)| &**key == "a").map_or("", |(_, value)| value);
            let reason = episode.reason.unwrap_or("");
            format!(
                "{name}{series} {} {} {}{reason}",
                step(Some(episode.pending)),
                step(episode.firing),
                step(episode.resolved)
            )
        })
        .collect()
}

fn one(values: &[Option<f64>]) -> Vec<Vec<Option<f64>>> {
    values.iter().map(|value| vec![*value]).collect()
}

const HIGH: Option<f64> = Some(9.0);
const LOW: Option<f64> = Some(1.0);

#[test]
fn a_series_goes_through_pending_alerting_and_recovering() {
    let steps = one(&[LOW, HIGH, HIGH, HIGH, LOW, LOW, HIGH, LOW, LOW, LOW, LOW]);
    assert_eq!(lives(&watch(&file(5.0, ""), &steps)), ["A0 1 1 4", "A0 6 6 7"]);
    assert_eq!(lives(&watch(&file(5.0, "        for: 20s\n"), &steps)), ["A0 1 3 4", "A0 6 - 7"]);
    let kept = watch(&file(5.0, "        for: 20s\n        keepFiringFor: 30s\n"), &steps);
    assert_eq!(lives(&kept), ["A0 1 3 10"], "recovering, it alerts again without waiting");
}

#[test]
fn a_lost_series_is_resolved_after_two_evaluations_or_as_many_as_are_said() {
    // The other series is there all the time: there is data.
    let with = |value| vec![value, LOW];
    let steps: Vec<_> = [HIGH, HIGH, None, None, None, None].into_iter().map(with).collect();
    assert_eq!(lives(&watch(&file(5.0, ""), &steps)), ["A0 0 0 3"]);
    let options = "        missing_series_evals_to_resolve: 4\n";
    assert_eq!(lives(&watch(&file(5.0, options), &steps)), ["A0 0 0 5"]);
}

#[test]
fn without_data_it_does_what_it_is_told() {
    let steps = one(&[HIGH, HIGH, None, None, None, HIGH]);
    for (state, expected) in [
        ("NoData", vec!["A0 0 0 3", "DatasourceNoData 2 2 -NoData", "A0 5 5 -"]),
        ("OK", vec!["A0 0 0 2", "A0 5 5 -"]),
        ("KeepLast", vec!["A0 0 0 -"]),
        ("Alerting", vec!["A0 0 0 -"]),
    ] {
        let mut found = lives(&watch(&file(5.0, &format!("        noDataState: {state}\n")), &steps));
        if state == "NoData" {
            // It is over two evaluations after the last that had none.
            assert_eq!(found[1], "DatasourceNoData 2 2 -NoData");
        }
        found.sort_by_key(|line| line.split(' ').nth(1).and_then(|step| step.parse::<u32>().ok()));
        assert_eq!(found, expected, "{state}");
    }
    // Nothing from the beginning on: an alert all the same.
    let never =
        lives(&watch(&file(5.0, "        noDataState: Alerting\n        for: 10s\n"), &one(&[None, None, None])));
    assert_eq!(never, ["A 0 1 -NoData"]);
}

#[test]
fn an_error_tells_of_itself_or_does_what_it_is_told() {
    // Series of time cannot be alerted on.
    let text = |state: &str| {
        file(5.0, &format!("        execErrState: {state}\n"))
            .replace("instant: true", "range: true, intervalMs: 10000")
    };
    let steps = one(&[HIGH, HIGH]);
    assert_eq!(lives(&watch(&text("Error"), &steps)), ["DatasourceError 0 0 -Error"]);
    assert_eq!(lives(&watch(&text("OK"), &steps)), Vec::<String>::new());
    assert_eq!(lives(&watch(&text("Alerting"), &steps)), ["A 0 0 -Error"]);
}

#[test]
fn ranges_are_reduced_and_formulas_reckoned() {
    let rule = |nodes: &str| {
        format!(
            "apiVersion: 1\ngroups:\n  - name: g\n    interval: 10s\n    rules:\n      - title: A\n        condition: Z\n        data:\n          - {{ refId: A, datasourceUid: p, relativeTimeRange: {{ from: 20, to: 0 }}, model: {{ expr: g, range: true, intervalMs: 10000 }} }}\n{nodes}"
        )
    };
    let steps = one(&[LOW, LOW, HIGH, LOW, LOW, LOW]);
    for (nodes, expected) in [
        (
            "          - { refId: B, datasourceUid: __expr__, model: { type: reduce, expression: A, reducer: max } }\n          - { refId: Z, datasourceUid: __expr__, model: { type: math, expression: \"$B > 5\" } }\n",
            "A0 2 2 5",
        ),
        (
            "          - { refId: B, datasourceUid: __expr__, model: { type: reduce, expression: A, reducer: last } }\n          - { refId: Z, datasourceUid: __expr__, model: { type: math, expression: \"${B} > 5 || 0\" } }\n",
            "A0 2 2 3",
        ),
        (
            "          - { refId: B, datasourceUid: __expr__, model: { type: reduce, expression: A, reducer: mean } }\n          - { refId: Z, datasourceUid: __expr__, model: { type: threshold, expression: B, conditions: [ { evaluator: { type: within_range, params: [ 3, 4 ] } } ] } }\n",
            "A0 2 2 5",
        ),
        (
            "          - { refId: Z, datasourceUid: __expr__, model: { type: classic_conditions, conditions: [ { evaluator: { type: gt, params: [ 10 ] }, query: { params: [ A ] }, reducer: { type: sum } } ] } }\n",
            "A 2 2 5",
        ),
        (
            "          - { refId: B, datasourceUid: __expr__, model: { type: reduce, expression: A, reducer: last } }\n          - { refId: Z, datasourceUid: __expr__, model: { type: threshold, expression: B, conditions: [ { evaluator: { type: gt, params: [ 5 ] }, unloadEvaluator: { type: lt, params: [ 0 ] } } ] } }\n",
            "A0 2 2 -",
        ),
    ] {
        assert_eq!(lives(&watch(&rule(nodes), &steps)), [expected], "{nodes}");
    }
}

#[test]
fn labels_and_annotations_are_expanded() {
    let options = "        labels: { severity: page, who: \"{{ $labels.a }}\" }\n        annotations: { summary: \"{{ $labels.a }} is {{ $values.A }} ({{ $values.A.Value | humanize }})\" }\n";
    let episodes = watch(&file(5.0, options), &one(&[Some(9.5)]));
    let labels: Vec<String> = episodes[0].1.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["__name__=g", "a=0", "alertname=A", "grafana_folder=f", "job=j", "severity=page", "who=0"]);
    assert_eq!(episodes[0].1.annotations, [("summary".to_owned(), "0 is 9.5 (9.5)".to_owned())]);
    // What only a template asks for is kept too.
    let options = "        annotations: { scraped: \"{{ query `up` | first | value }}\" }\n";
    let episodes = watch(&file(5.0, options), &one(&[HIGH]));
    assert_eq!(episodes[0].1.annotations, [("scraped".to_owned(), "1".to_owned())]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let good = file(5.0, "");
    for (from, to, parts) in [
        ("condition: C", "condition: X", vec!["rules.yml:8:20", "`X` is no node of this rule"]),
        ("expression: A", "expression: Q", vec!["`Q` is no node of this rule"]),
        ("type: threshold", "type: treshold", vec!["did you mean `threshold`?"]),
        ("type: gt", "type: bigger", vec!["is no evaluator"]),
        ("params: [ 5 ]", "params: [ ]", vec!["needs 1 numbers"]),
        ("expr: g", "expr: \"rate(g)\"", vec!["cannot be evaluated", "rate"]),
        ("interval: 10s", "interval: 15s", vec!["each 10s or a multiple"]),
        ("title: A", "titel: A", vec!["has no `title`"]),
        ("{ expr: g, instant: true }", "{ rawSql: select 1 }", vec!["only queries of Prometheus"]),
        ("expression: A, conditions", "expression: C, conditions", vec!["in a circle"]),
        ("type: threshold", "type: sql", vec!["is no type of expression"]),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let told = document::render(&read_rules("rules.yml", &text).expect_err(to));
        for part in parts {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}

proptest! {
    #![proptest_config(common::config(100))]

    /// While all series are there, a rule of Grafana and one of Prometheus that means the same live the same lives.
    #[test]
    fn it_lives_as_a_rule_of_prometheus_does(
        runs in prop::collection::vec(((0..10i32, 0..10i32), 1usize..8), 1..20),
        threshold in 0..10i32, hold in 0u64..6, keep in 0u64..6,
    ) {
        let steps: Vec<Vec<Option<f64>>> = runs
            .into_iter()
            .flat_map(|((a, b), times)| std::iter::repeat_n(vec![Some(f64::from(a)), Some(f64::from(b))], times))
            .collect();
        let (hold, keep) = (hold * 10, keep * 10);
        let options = format!("        for: {hold}s\n        keepFiringFor: {keep}s\n");
        let grafana = lives(&watch(&file(f64::from(threshold), &options), &steps));
        let twin = format!("groups: [ {{ name: g, rules: [ {{ alert: A, expr: \"g > {threshold}\", for: {hold}s, keep_firing_for: {keep}s }} ] }} ]\n");
        let prometheus = lives(&watch(&twin, &steps));
        prop_assert_eq!(grafana, prometheus);
    }
}
