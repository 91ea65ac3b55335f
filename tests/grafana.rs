//! Rules of Grafana: files that are wrong, states by hand, and laws beside a rule of Prometheus that means the same.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use mock_kestra::document;
use mock_kestra::monitor::{Episode, Monitor, Outside, RuleSet, Setup, Target, read_rules, read_rules_with};
use mock_kestra::promql::Grid;
use mock_kestra::time::Duration;
use proptest::prelude::*;

/// Milliseconds between two scrapes, and between two evaluations.
const STEP: i64 = 10_000;

/// A rule on the gauge `g`: above a threshold, with options of the rule.
fn file(threshold: f64, options: &str) -> String {
    format!(
        "apiVersion: 1\ngroups:\n  - name: g\n    folder: f\n    interval: 10s\n    rules:\n      - uid: a\n        title: A\n        condition: C\n{options}        data:\n          - {{ refId: A, datasourceUid: p, relativeTimeRange: {{ from: 600, to: 0 }}, model: {{ expr: g, instant: true }} }}\n          - {{ refId: C, datasourceUid: __expr__, model: {{ type: threshold, expression: A, conditions: [ {{ evaluator: {{ type: gt, params: [ {threshold} ] }} }} ] }} }}\n"
    )
}

/// Feeds a monitor: by step, the values of the series `g{a="0"}`, `g{a="1"}`; none is no sample. The rules are evaluated right
/// after each scrape.
fn watch(rules: &str, steps: &[Vec<Option<f64>>]) -> Vec<(String, Episode)> {
    let (rules, _) = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", document::render(&told)));
    watch_set(rules, steps)
}

fn watch_set(rules: RuleSet, steps: &[Vec<Option<f64>>]) -> Vec<(String, Episode)> {
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
        ("NoData", vec!["A0 0 0 3", "DatasourceNoData 2 2 5NoData", "A0 5 5 -"]),
        ("OK", vec!["A0 0 0 2", "A0 5 5 -"]),
        ("KeepLast", vec!["A0 0 0 -"]),
        ("Alerting", vec!["A0 0 0 -"]),
    ] {
        let mut found = lives(&watch(&file(5.0, &format!("        noDataState: {state}\n")), &steps));
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

/// `resultKeepLast`: only what alerts, is pending or is normal stays; NoData and Error go back to normal.
#[test]
fn what_told_of_trouble_is_not_kept() {
    // Two series are an error of the query; of one there is data, of none there is none.
    let text = |no_data: &str, error: &str, hold: &str| {
        file(5.0, &format!("{hold}        noDataState: {no_data}\n        execErrState: {error}\n"))
            .replace("expr: g", "expr: \"g * on (job) (g < 100)\"")
    };
    let (none, error) = (vec![None, None], vec![LOW, LOW]);
    let steps = [none.clone(), error.clone(), error.clone(), error.clone(), error.clone()];
    let of = |version: &str, text: &str, steps: &[Vec<Option<f64>>]| lives(&watch_set(read_by(version, text), steps));
    for version in ["12.4", "13.0"] {
        let found = of(version, &text("NoData", "KeepLast", ""), &steps);
        assert_eq!(found, ["DatasourceNoData 0 0 1NoData"], "{version}");
        let mirrored = [error.clone(), none.clone(), none.clone()];
        let found = of(version, &text("KeepLast", "Error", ""), &mirrored);
        assert_eq!(found, ["DatasourceError 0 0 1Error"], "{version}");
    }
    // What waits is pending to Grafana 13: it goes on, and fires as an alert of the rule; before it fired at once.
    let waits = text("NoData", "KeepLast", "        for: 30s\n");
    assert_eq!(of("13.0", &waits, &steps), ["A 0 3 -NoData"]);
    assert_eq!(of("13.0", &waits, &[none.clone(), none, error.clone()]), ["DatasourceNoData 0 - -NoData"]);
    assert_eq!(of("12.4", &waits, &steps), ["DatasourceNoData 0 0 1NoData"]);
    // What recovers is over when it has been kept for long enough.
    let recovers = text("NoData", "KeepLast", "        keepFiringFor: 20s\n");
    let steps = [vec![HIGH], vec![LOW], error.clone(), error.clone(), error];
    assert_eq!(of("13.0", &recovers, &steps), ["A 0 0 3"]);
}

/// A rule over twenty seconds of the gauge `g`: A is the query, Z the condition.
fn rule_of(nodes: &str) -> String {
    format!(
        "apiVersion: 1\ngroups:\n  - name: g\n    folder: f\n    interval: 10s\n    rules:\n      - uid: a\n        title: A\n        condition: Z\n        data:\n          - {{ refId: A, datasourceUid: p, relativeTimeRange: {{ from: 20, to: 0 }}, model: {{ expr: g, range: true, intervalMs: 10000 }} }}\n{nodes}"
    )
}

#[test]
fn ranges_are_reduced_and_formulas_reckoned() {
    let rule = rule_of;
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
    let options = "        labels: { severity: page, who: \"{{ $$labels.a }}\" }\n        annotations: { summary: \"{{ $labels.a }} is {{ $values.A }} ({{ $values.A.Value | humanize }})\" }\n";
    let episodes = watch(&file(5.0, options), &one(&[Some(9.5)]));
    let labels: Vec<String> = episodes[0].1.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["__name__=g", "a=0", "alertname=A", "grafana_folder=f", "job=j", "severity=page", "who=0"]);
    assert_eq!(episodes[0].1.annotations, [("summary".to_owned(), "0 is 9.5 (9.5)".to_owned())]);
    // `query` asks nothing in Grafana, and there is no first of nothing: such a template fails, and keeps its text.
    let options = "        annotations: { scraped: \"{{ query `up` | first | value }}\" }\n";
    let episodes = watch(&file(5.0, options), &one(&[HIGH]));
    let kept = "{{ query `up` | first | value }}".to_owned();
    assert_eq!(episodes[0].1.annotations, [("scraped".to_owned(), kept)]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let good = file(5.0, "");
    for (from, to, parts) in [
        ("condition: C", "condition: X", vec!["rules.yml:9:20", "`X` is no node of this rule"]),
        ("expression: A", "expression: Q", vec!["`Q` is no node of this rule"]),
        ("type: threshold", "type: treshold", vec!["did you mean `threshold`?"]),
        ("type: gt", "type: bigger", vec!["is no evaluator"]),
        ("params: [ 5 ]", "params: [ ]", vec!["needs 1 numbers"]),
        ("expr: g", "expr: \"rate(g)\"", vec!["cannot be evaluated", "rate"]),
        ("interval: 10s", "interval: 15s", vec!["each 10s or a multiple"]),
        ("title: A", "titel: A", vec!["has no `title`"]),
        ("expression: A, conditions", "expression: C, conditions", vec!["in a circle: C reads C"]),
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

/// A file read by a certain Grafana.
fn read_by(version: &str, text: &str) -> RuleSet {
    let outside = Outside { grafana: version.parse().expect("a version"), ..Outside::default() };
    let read = read_rules_with("rules.yml", text, &outside);
    read.unwrap_or_else(|told| panic!("{}", document::render(&told))).0
}

/// Pull request 117024 of grafana/grafana, and the documentation of 13.0 beside that of 12.4: NoData and Error wait for the
/// pending period from 13.0 on, and fire at once before. What was pending for its condition goes on waiting from when that
/// began.
#[test]
fn trouble_waits_for_the_pending_period_from_13_on() {
    let text = file(5.0, "        for: 20s\n        noDataState: NoData\n");
    let steps = one(&[LOW, None, None, None, None, LOW, LOW]);
    assert_eq!(lives(&watch_set(read_by("12.4", &text), &steps)), ["DatasourceNoData 1 1 5NoData"]);
    assert_eq!(lives(&watch_set(read_by("13.0", &text), &steps)), ["DatasourceNoData 1 3 5NoData"]);
    // Before 12.4 it was over as late as a lost series is.
    assert_eq!(lives(&watch_set(read_by("11.6", &text), &steps)), ["DatasourceNoData 1 1 6NoData"]);
    // Shorter than the pending period, it never fires.
    let steps = one(&[LOW, None, LOW, LOW]);
    assert_eq!(lives(&watch_set(read_by("13.0", &text), &steps)), ["DatasourceNoData 1 - 2NoData"]);
    // An error is a state of the instance without labels, which waits since step 1.
    let text = file(5.0, "        for: 30s\n        execErrState: Error\n")
        .replace("expr: g", "expr: \"sum(g) + on() (g == 3 or g == 4) * 0 or sum(g)\"");
    let steps: Vec<Vec<Option<f64>>> = vec![
        vec![LOW, LOW],
        vec![HIGH, LOW],
        vec![Some(3.0), Some(4.0)],
        vec![Some(3.0), Some(4.0)],
        vec![Some(3.0), Some(4.0)],
        vec![LOW, LOW],
    ];
    let found = lives(&watch_set(read_by("13.0", &text), &steps));
    assert_eq!(found, ["A 1 - 2", "DatasourceError 1 4 5Error"]);
    let found = lives(&watch_set(read_by("12.4", &text), &steps));
    assert_eq!(found, ["A 1 - 2", "DatasourceError 1 2 5Error"]);
}

/// `mapToModel` in `pkg/services/provisioning/alerting/rules_types.go`: a file that says nothing gets NoData and Alerting.
#[test]
fn what_a_file_does_not_say_has_the_defaults_of_provisioning() {
    let series = file(5.0, "").replace("instant: true", "range: true, intervalMs: 10000");
    assert_eq!(lives(&watch(&series, &one(&[HIGH, HIGH]))), ["A 0 0 -Error"]);
    assert_eq!(lives(&watch(&file(5.0, ""), &one(&[None]))), ["DatasourceNoData 0 0 -NoData"]);
}

/// Pull request 109699: before 12.2 files could not say these two, and Grafana passed over them.
#[test]
fn keep_firing_and_missing_evaluations_are_read_from_12_2_on() {
    let text = file(5.0, "        keepFiringFor: 20s\n        missing_series_evals_to_resolve: 4\n");
    let steps = one(&[HIGH, LOW, LOW, LOW, LOW]);
    assert_eq!(lives(&watch_set(read_by("12.2", &text), &steps)), ["A0 0 0 3"]);
    assert_eq!(lives(&watch_set(read_by("12.1", &text), &steps)), ["A0 0 0 1"]);
}

/// Cases of `pkg/expr/classic/reduce_test.go` and `classic_test.go`, as thresholds on either side of the value.
#[test]
fn classic_conditions_reduce_as_grafana_does() {
    const NAN: Option<f64> = Some(f64::NAN);
    let (one, two, three, four) = (Some(1.0), Some(2.0), Some(3.0), Some(4.0));
    for (reducer, series, expected) in [
        ("sum", vec![one, two, three], Some(6.0)),
        ("min", vec![three, two, one], Some(1.0)),
        ("max", vec![one, two, three], Some(3.0)),
        ("avg", vec![one, two, three], Some(2.0)),
        ("avg", vec![one, NAN, NAN, three], Some(2.0)),
        ("count", vec![one, two, NAN], Some(3.0)),
        ("count_non_null", vec![one, NAN, three], Some(2.0)),
        ("last", vec![one, two, NAN], Some(2.0)),
        ("median", vec![one, NAN, four], Some(2.5)),
        ("median", vec![one, two, three], Some(2.0)),
        ("diff", vec![Some(30.0), Some(40.0)], Some(10.0)),
        ("diff", vec![Some(40.0), Some(30.0)], Some(-10.0)),
        ("diff", vec![Some(30.0)], Some(0.0)),
        ("diff", vec![NAN, one], Some(0.0)),
        ("diff", vec![one, NAN], Some(0.0)),
        ("diff", vec![NAN, NAN, one, three], Some(2.0)),
        ("diff_abs", vec![Some(40.0), Some(30.0)], Some(10.0)),
        ("percent_diff", vec![Some(30.0), Some(40.0)], Some(33.333_333_333_333_33)),
        ("percent_diff", vec![Some(-30.0), Some(-40.0)], Some(-33.333_333_333_333_33)),
        ("percent_diff_abs", vec![Some(40.0), Some(30.0)], Some(25.0)),
        ("sum", vec![NAN, NAN], None),
        ("diff", vec![NAN], None),
    ] {
        let rule = |evaluator: &str| {
            rule_of(&format!(
                "          - {{ refId: Z, datasourceUid: __expr__, model: {{ type: classic_conditions, conditions: [ {{ evaluator: {evaluator}, query: {{ params: [ A ] }}, reducer: {{ type: {reducer} }} }} ] }} }}\n"
            ))
            .replace("from: 20", "from: 40")
        };
        let steps: Vec<Vec<Option<f64>>> = series.iter().map(|value| vec![*value]).collect();
        let at = series.len() - 1;
        let last = |evaluator: &str| {
            let lives = watch(&rule(evaluator), &steps);
            let is_now = |it: &&(String, Episode)| {
                it.1.pending <= at as i64 * STEP && it.1.resolved.is_none_or(|end| end > at as i64 * STEP)
            };
            lives.iter().filter(is_now).map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        match expected {
            Some(value) => {
                let (above, below) = (value + 1e-6, value - 1e-6);
                assert_eq!(
                    last(&format!("{{ type: within_range, params: [ {below}, {above} ] }}")),
                    ["A"],
                    "{reducer} {series:?}"
                );
                assert_eq!(last("{ type: no_value, params: [] }"), Vec::<String>::new(), "{reducer} {series:?}");
            }
            None => {
                assert_eq!(last("{ type: gt, params: [ -100 ] }"), ["DatasourceNoData"], "{reducer} {series:?}");
                assert_eq!(last("{ type: no_value, params: [] }"), ["A"], "{reducer} {series:?}");
            }
        }
    }
}

/// `ConditionsCmd.Execute`: from left to right, and nothing only when all there is comes to nothing (`and`) or any (`or`).
#[test]
fn classic_conditions_are_joined_from_left_to_right() {
    let condition = |least: f64, operator: &str| {
        format!(
            "{{ evaluator: {{ type: gt, params: [ {least} ] }}, operator: {{ type: {operator} }}, query: {{ params: [ A ] }}, reducer: {{ type: last }} }}"
        )
    };
    let steps = one(&[Some(5.0)]);
    for (conditions, expected) in [
        (vec![condition(9.0, "and"), condition(1.0, "or"), condition(1.0, "and")], vec!["A 0 0 -"]),
        (vec![condition(1.0, "and"), condition(1.0, "or"), condition(9.0, "and")], vec![]),
        (vec![condition(9.0, "or"), condition(9.0, "or")], vec![]),
    ] {
        let text = rule_of(&format!(
            "          - {{ refId: Z, datasourceUid: __expr__, model: {{ type: classic_conditions, conditions: [ {} ] }} }}\n",
            conditions.join(", ")
        ));
        assert_eq!(lives(&watch(&text, &steps)), expected, "{text}");
    }
}

/// `pkg/expr/mathexp/reduce.go`: a series of which nothing is left gives null, null stays null, and a series without a number
/// has no data of its own.
#[test]
fn what_comes_to_nothing_has_no_data() {
    let rule = |mode: &str| {
        rule_of(&format!(
            "          - {{ refId: B, datasourceUid: __expr__, model: {{ type: reduce, expression: A, reducer: last, settings: {{ mode: {mode} }} }} }}\n          - {{ refId: Z, datasourceUid: __expr__, model: {{ type: math, expression: \"$B > 5\" }} }}\n"
        ))
    };
    let steps = vec![vec![Some(f64::NAN), Some(9.0)]];
    assert_eq!(lives(&watch(&rule("dropNN"), &steps)), ["A1 0 0 -", "DatasourceNoData0 0 0 -NoData"]);
    // NaN is a number, and not 0.
    assert_eq!(lives(&watch(&rule("''"), &steps)), ["A0 0 0 -", "A1 0 0 -"]);
    let paused = rule("dropNN").replace("condition: Z", "condition: Z\n        noDataState: OK");
    assert_eq!(lives(&watch(&paused, &steps)), ["A1 0 0 -"], "the other series is as it was");
}

/// What templates say of the alert of a series, by a certain Grafana.
fn said(version: &str, text: &str, template: &str, steps: &[Vec<Option<f64>>]) -> Vec<String> {
    let quoted = serde_json::Value::from(template).to_string();
    let text = text.replace("condition:", &format!("annotations: {{ t: {quoted} }}\n        condition:"));
    let lives = watch_set(read_by(version, &text), steps);
    lives.into_iter().map(|(_, episode)| episode.annotations[0].1.clone()).collect()
}

/// Cases of `template_test.go` and `funcs_test.go` in `pkg/services/ngalert/state/template`, and the template reference of the
/// documentation.
#[test]
fn templates_have_the_data_and_functions_of_grafana() {
    let labels = "__alert_rule_uid__=a, __name__=g, a=0, alertname=A, grafana_folder=f, job=j";
    for (template, expected) in [
        ("{{ $labels }}", labels),
        ("{{ .Labels }}", labels),
        ("{{ $labels.a }}|{{ .Labels.job }}", "0|j"),
        ("{{ $labels.none }} is down", "[no value] is down"),
        ("{{ $values.A.Labels.none }} has value {{ $values.A }}", "[no value] has value 1.1"),
        ("{{ $values.none }} {{ $values.none.Value }}", "[no value] [no value]"),
        ("{{ $values.A.Labels.a }} {{ $values.A.Value | printf \"%.3f\" }}", "0 1.100"),
        ("{{ index $values \"A\" }} {{ (index $values \"A\").Value }}", "1.1 1.1"),
        ("{{ index $values \"none\" }} {{ index $labels \"none\" }}|", "0 |"),
        ("{{ len $values }} {{ len $labels }}", "2 6"),
        ("{{ $values }}", "map[A:1.1 C:1]"),
        (
            "{{ range $k, $v := $values }}{{ $k }}={{ $v }} {{ $v.Labels.a }} {{ .Value }};{{ end }}",
            "A=1.1 0 1.1;C=1 0 1;",
        ),
        ("{{ range $k, $v := $labels }}{{ if eq $k \"a\" }}{{ $v }}{{ end }}{{ end }}", "0"),
        (
            "{{ if $labels.none }}yes{{ else }}no{{ end }} {{ eq $labels.none \"x\" }} {{ ne $labels.none \"x\" }}",
            "no false true",
        ),
        ("{{ filterLabels $labels \"a\" }}", "a=0"),
        ("{{ filterLabelsRe $labels \"^(a|job)$\" }}", "a=0, job=j"),
        ("{{ removeLabels (filterLabelsRe $labels \"^(a|job)$\") \"a\" }}", "job=j"),
        ("{{ removeLabelsRe $labels \"^_|name|folder\" }}", "a=0, job=j"),
        ("{{ range $k, $v := mergeLabelValues $values }}{{ $k }}={{ $v }};{{ end }}", "__name__=g;a=0;job=j;"),
        (
            "{{ graphLink \"{\\\"expr\\\": \\\"process_open_fds > 0\\\", \\\"datasource\\\": \\\"gdev prometheus\\\"}\" }}",
            "/explore?left={\"datasource\":\"gdev+prometheus\",\"queries\":[{\"datasource\":\"gdev+prometheus\",\"expr\":\"process_open_fds+%3E+0\",\"instant\":false,\"range\":true,\"refId\":\"A\"}],\"range\":{\"from\":\"now-1h\",\"to\":\"now\"}}",
        ),
        (
            "{{ tableLink \"{\\\"expr\\\": \\\"up\\\", \\\"datasource\\\": \\\"p\\\"}\" }}",
            "/explore?left={\"datasource\":\"p\",\"queries\":[{\"datasource\":\"p\",\"expr\":\"up\",\"instant\":true,\"range\":false,\"refId\":\"A\"}],\"range\":{\"from\":\"now-1h\",\"to\":\"now\"}}",
        ),
        ("<{{ graphLink \"up\" }}{{ tableLink \"up\" }}>", "<>"),
        ("{{ externalURL }} {{ pathPrefix }}", "http://localhost:3000/ /"),
        (
            "{{ humanize 1234567.0 }} {{ humanize1024 1048576 }} {{ humanizeDuration 60.1 }} {{ humanizePercentage 0.1234567 }}",
            "1.235M 1Mi 1m 0s 12.35%",
        ),
        (
            "{{ \"aa bb CC\" | title }} {{ match \"a+\" \"b\" }} {{ reReplaceAll \"(a)b\" \"x$1\" \"ab\" }}",
            "Aa Bb CC false xa",
        ),
        ("{{define \"x\"}}{{.arg0}} {{.arg1}}{{end}}{{template \"x\" (args 1 \"2\")}}", "1 2"),
        ("{{ with query \"up\" }}some{{ else }}none{{ end }}", "none"),
        // What fails keeps its text, all of it.
        (
            "{{ $labels.a }}: {{ humanize $labels.a \"x\" | toUpper }} {{ humanize \"invalid\" }}",
            "{{ $labels.a }}: {{ humanize $labels.a \"x\" | toUpper }} {{ humanize \"invalid\" }}",
        ),
        ("{{ humanizePercentage $values.A }}", "{{ humanizePercentage $values.A }}"),
        ("{{ toUpper $labels.none }}", "{{ toUpper $labels.none }}"),
        ("{{ $$labels.a }}", "{{ $$labels.a }}"),
        ("{{ $values.1B.Value }}", "{{ $values.1B.Value }}"),
        ("{{ $externalLabels.a }}", "{{ $externalLabels.a }}"),
        ("{{ .Nothing }}", "{{ .Nothing }}"),
        ("{{ nosuch }}", "{{ nosuch }}"),
        ("{{ filterLabels $values \"a\" }}", "{{ filterLabels $values \"a\" }}"),
        ("{{ filterLabelsRe $labels \"(\" }}", "{{ filterLabelsRe $labels \"(\" }}"),
    ] {
        assert_eq!(said("13", &file(1.0, ""), template, &one(&[Some(1.1)])), [expected], "{template}");
    }
    // A number that is large is written out, and as a float it is not.
    let large = said("13", &file(1.0, ""), "{{ $values.A }} {{ $values.A.Value }} {{ $value }}", &one(&[Some(1e21)]));
    assert_eq!(large, ["1000000000000000000000 1e+21 1000000000000000000000"]);
}

/// Without data there are no values, and the alert that tells of it has the annotations of the rule.
#[test]
fn an_alert_of_trouble_has_the_annotations_of_the_rule() {
    let told = said("13", &file(1.0, ""), "{{ $labels.alertname }}|{{ $values.A }}|{{ $value }}|", &one(&[None]));
    assert_eq!(told, ["A|[no value]||"]);
}

/// Pull request 102301: from 12.0 on `$value` is the number of the only query; before, and with more of them, all values as
/// text (`extract_md.go`).
#[test]
fn the_value_is_a_text_of_all_values_or_the_number_of_the_only_query() {
    let labels = "{__name__=g, a=0, job=j}";
    let text = format!("[ var='A' labels={labels} value=1.5 ], [ var='C' labels={labels} value=1 ]");
    let steps = one(&[Some(1.5)]);
    assert_eq!(said("11.6", &file(1.0, ""), "{{ $value }}", &steps), [text]);
    assert_eq!(said("12.0", &file(1.0, ""), "{{ $value }} {{ humanize $value }}", &steps), ["1.5 1.5"]);
    let two = file(1.0, "").replace(
        "          - { refId: C",
        "          - { refId: B, datasourceUid: p, relativeTimeRange: { from: 600, to: 0 }, model: { expr: g, instant: true } }\n          - { refId: C",
    );
    assert!(said("13", &two, "{{ $value }}", &steps)[0].starts_with("[ var='A' labels="));
    let classic = rule_of(
        "          - { refId: Z, datasourceUid: __expr__, model: { type: classic_conditions, conditions: [ { evaluator: { type: gt, params: [ 1 ] }, query: { params: [ A ] }, reducer: { type: max } } ] } }\n",
    );
    let steps = vec![vec![Some(1.5), Some(0.5)], vec![Some(1.5), Some(2.0)]];
    let told =
        "{{ $value }}|{{ $labels.a }}|{{ range $k, $v := $values }}{{ $k }} {{ $v.Labels.a }} {{ $v }};{{ end }}";
    let expected = "[ var='Z0' metric='g' labels={__name__=g, a=0, job=j} value=1.5 ]|[no value]|Z0 0 1.5;";
    assert_eq!(said("13", &classic, told, &steps), [expected]);
}

/// `expandAnnotationsAndLabels`: the rule's labels win over those of the series, Grafana's own over both; an empty one is
/// none.
#[test]
fn labels_of_the_rule_win_and_those_of_grafana_win_over_them() {
    let options = "        labels: { a: own, job: \"\", alertname: mine, grafana_folder: mine }\n";
    let episodes = watch(&file(5.0, options), &one(&[HIGH]));
    let labels: Vec<String> = episodes[0].1.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["__name__=g", "a=own", "alertname=A", "grafana_folder=f"]);
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
