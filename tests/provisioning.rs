//! Provisioning files of Grafana: what is read as Grafana reads it, what is left out and told, and what is refused, once.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::server::scratch;
use mock_kestra::document::{self, Severity};
use mock_kestra::monitor::{Context, GrafanaData, Outside, RuleSet, Template, data_sources, read_rules_with};
use proptest::prelude::*;

const QUERY: &str =
    "- { refId: A, datasourceUid: p, relativeTimeRange: { from: 600, to: 0 }, model: { expr: up, instant: true } }";
const ABOVE: &str = "- { refId: C, datasourceUid: __expr__, model: { type: threshold, expression: A, conditions: [ { evaluator: { type: gt, params: [ 3 ] } } ] } }";

/// A group with one rule.
fn group(uid: &str, rule: &str, data: &[&str]) -> String {
    let data: String = data.iter().map(|node| format!("          {node}\n")).collect();
    format!(
        "  - name: g\n    folder: f\n    interval: 1m\n    rules:\n      - uid: {uid}\n        title: T {uid}\n        condition: C\n{rule}        data:\n{data}"
    )
}

fn file(rule: &str, data: &[&str]) -> String {
    format!("apiVersion: 1\ngroups:\n{}", group("a", rule, data))
}

type Told = Vec<(Severity, String)>;

/// What was read, if it was, and what was told: severity, words and advice.
fn read(text: &str, outside: &Outside<'_>) -> (Option<RuleSet>, Told) {
    let (rules, told) = match read_rules_with("rules.yml", text, outside) {
        Ok((rules, told)) => (Some(rules), told),
        Err(told) => (None, told),
    };
    let words = |it: &document::Diagnostic| format!("{}; {}", it.what, it.advice.clone().unwrap_or_default());
    (rules, told.iter().map(|it| (it.severity, words(it))).collect())
}

fn titles(rules: &RuleSet) -> Vec<&str> {
    rules.grafana.iter().flat_map(|group| &group.rules).map(|rule| rule.title.as_str()).collect()
}

/// That exactly this is told, each by a part of its words, and nothing else.
#[track_caller]
fn check(text: &str, outside: &Outside<'_>, read_as: bool, expected: &[(Severity, &str)]) -> Option<RuleSet> {
    let (rules, told) = read(text, outside);
    assert_eq!(rules.is_some(), read_as, "{text}\n{told:?}");
    assert_eq!(told.len(), expected.len(), "{text}\n{told:#?}");
    for (severity, part) in expected {
        assert!(told.iter().any(|(it, words)| it == severity && words.contains(part)), "{part} in {told:#?}");
    }
    rules
}

/// `rules_types.go`: without one of these the file is refused.
#[test]
fn what_must_be_there_is_refused_by_its_name_when_it_is_not() {
    let good = file("", &[QUERY, ABOVE]);
    check(&good, &Outside::default(), true, &[]);
    for (from, to, part) in [
        ("      - uid: a\n        title", "      - title", "has no `uid`"),
        ("        title: T a\n", "", "has no `title`"),
        ("        condition: C\n", "", "has no `condition`"),
        ("    folder: f\n", "", "a group has no `folder`"),
        ("  - name: g\n    folder", "  - folder", "a group has no `name`"),
        ("    interval: 1m\n", "", "a group has no `interval`"),
        ("uid: a\n", "uid: ''\n", "`uid` is empty"),
        ("title: T a", "title: \" \"", "`title` is empty"),
        ("title: T a", &format!("title: {}", "t".repeat(191)), "`title` is 191 bytes long"),
        ("folder: f", "folder: ''", "`folder` is empty"),
        ("condition: C", "condition: ''", "`condition` is empty"),
        ("folder: f", "folder: [ f ]", "must be a text"),
        (
            "uid: a",
            "uid: kestra-workers-that-are-gone-for-too-long",
            "`uid` is `kestra-workers-that-are-gone-for-too-long`",
        ),
        ("uid: a", "uid: a b", "`uid` is `a b`"),
        ("relativeTimeRange: { from: 600, to: 0 }, ", "", "no `relativeTimeRange`"),
        ("from: 600, to: 0", "from: 0, to: 600", "is none"),
        ("from: 600", "from: '600'", "is a text"),
        ("from: 600", "from: 10m", "`from` is `10m`"),
        ("datasourceUid: p, ", "", "has no `datasourceUid`"),
        ("interval: 1m", "interval: 15s", "each 10s or a multiple"),
        ("interval: 1m", "interval: PT1M", "`interval` is `PT1M`"),
        ("interval: 1m", "interval: 1.5m", "`interval` is `1.5m`"),
        ("interval: 1m", "interval: 60", "`interval` is `60`"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        check(&text, &Outside::default(), false, &[(Severity::Error, part)]);
    }
}

/// The same functions, for what a rule may say besides.
#[test]
fn options_of_a_rule_are_read_as_grafana_reads_them() {
    for (option, fault) in [
        ("for: 1m30s", None),
        ("for: 0", None),
        ("for: 1d", None),
        ("for: ''", None),
        ("for:", None),
        ("for: PT1M", Some("`for` is `PT1M`")),
        ("for: 30s1m", Some("`for` is `30s1m`")),
        ("for: 1.5m", Some("`for` is `1.5m`")),
        ("for: 90", Some("`for` is `90`")),
        ("keepFiringFor: 5 m", Some("`keepFiringFor` is `5 m`")),
        ("noDataState: OK", None),
        ("noDataState: ' NoData '", None),
        ("noDataState: ''", None),
        ("noDataState: ok", Some("`ok` is no `noDataState`; did you mean `OK`?")),
        ("noDataState: Error", Some("is no `noDataState`")),
        ("execErrState: KeepLast", None),
        ("execErrState: NoData", Some("is no `execErrState`")),
        ("isPaused: F", None),
        ("isPaused: yes", Some("`isPaused` is `yes`")),
        ("missing_series_evals_to_resolve: 3", None),
        ("missing_series_evals_to_resolve: -1", Some("`missing_series_evals_to_resolve` is `-1`")),
        ("labels: [ a ]", Some("`labels` must be a mapping")),
        ("dashboardUid: x", None),
        ("notification_settings: { receiver: r }", None),
    ] {
        let text = file(&format!("        {option}\n"), &[QUERY, ABOVE]);
        let expected: Vec<_> = fault.iter().map(|part| (Severity::Error, *part)).collect();
        check(&text, &Outside::default(), fault.is_none(), &expected);
    }
    // What Grafana does not know it passes over, which may not be what was meant.
    for (option, part) in [
        ("isPaused: true", "this rule is paused: it is not evaluated"),
        ("isPaused: T", "this rule is paused"),
        (
            "keep_firing_for: 5m",
            "Grafana does not read `keep_firing_for` of a rule of Grafana; did you mean `keepFiringFor`?",
        ),
        ("execErrorState: OK", "did you mean `execErrState`?"),
        ("something: 1", "does not read `something`"),
    ] {
        check(
            &file(&format!("        {option}\n"), &[QUERY, ABOVE]),
            &Outside::default(),
            true,
            &[(Severity::Warning, part)],
        );
    }
    let before = Outside { grafana: "12.1".parse().expect("a version"), ..Outside::default() };
    let text = file("        keepFiringFor: 5m\n        missing_series_evals_to_resolve: 3\n", &[QUERY, ABOVE]);
    let expected = [
        (Severity::Warning, "Grafana 12.1 does not read `keepFiringFor`"),
        (Severity::Warning, "does not read `missing_series_evals_to_resolve`"),
    ];
    check(&text, &before, true, &expected);
}

/// A uid is of one rule; a title too, in its folder, before 12.0 (pull request 102067).
#[test]
fn a_uid_and_before_12_a_title_is_there_once() {
    let two = |first: &str, second: &str| {
        format!(
            "apiVersion: 1\ngroups:\n{}{}",
            group(first, "", &[QUERY, ABOVE]),
            group(second, "", &[QUERY, ABOVE]).replace("name: g", "name: h")
        )
    };
    check(&two("a", "a"), &Outside::default(), false, &[(Severity::Error, "two rules have the uid `a`")]);
    check(&two("a", "b"), &Outside::default(), true, &[]);
    // Another organization is another Grafana.
    check(&two("a", "a").replacen("name: h", "name: h\n    orgId: 2", 1), &Outside::default(), true, &[]);
    let titles = two("a", "b").replace("title: T b", "title: T a");
    check(&titles, &Outside::default(), true, &[]);
    let eleven = Outside { grafana: "11.6".parse().expect("a version"), ..Outside::default() };
    check(&titles, &eleven, false, &[(Severity::Error, "two rules of the folder `f` are called `T a`")]);
    let elsewhere = titles.replacen("name: h\n    folder: f", "name: h\n    folder: g", 1);
    check(&elsewhere, &eleven, true, &[]);
}

/// What is wrong with a node is told once, and what reads it is not blamed.
#[test]
fn a_bad_node_is_one_error_and_no_circle() {
    let reduce = "- { refId: B, datasourceUid: __expr__, model: { type: reduce, expression: A, reducer: last } }";
    let of_b = ABOVE.replace("expression: A", "expression: B");
    let math = |name: &str, text: &str| {
        format!("- {{ refId: {name}, datasourceUid: __expr__, model: {{ type: math, expression: \"{text}\" }} }}")
    };
    for (nodes, part) in [
        (vec![QUERY.replace("expr: up", "expr: 'rate(up)'"), reduce.into(), of_b.clone()], "cannot be evaluated"),
        (vec![QUERY.into(), reduce.replace("last", "lats"), of_b.clone()], "`lats` is no reducer of an expression"),
        (vec![QUERY.into(), reduce.replace("last", "diff"), of_b.clone()], "`diff` is no reducer of an expression"),
        (
            vec![QUERY.into(), reduce.replace("type: reduce", "type: sql"), of_b.clone()],
            "`sql` is no type of expression",
        ),
        (vec![QUERY.into(), reduce.replace("type: reduce", "type: resample"), of_b.clone()], "`resample` is no type"),
        (vec![QUERY.into(), reduce.replace("refId: B, ", ""), of_b.clone()], "has no `refId`"),
        (vec![QUERY.into(), reduce.replace("expression: A, ", ""), of_b.clone()], "has no `expression`"),
        (vec![QUERY.into(), math("C", "$A >")], "it ends too early"),
        (vec![QUERY.into(), math("C", "$Q > 1")], "`Q` is no node of this rule"),
        (vec![QUERY.into(), math("B", "$C"), math("C", "$B")], "in a circle: B reads C reads B"),
        (vec![QUERY.into(), math("B", "$C"), math("C", "$C + $A")], "in a circle: C reads C"),
        (vec![QUERY.into(), QUERY.into(), ABOVE.into()], "two nodes are called `A`"),
        (
            vec![QUERY.into(), "- { refId: C, datasourceUid: __expr__, model: { type: math } }".into()],
            "has no `expression`",
        ),
        (
            vec![QUERY.into(), ABOVE.replace("[ { evaluator: { type: gt, params: [ 3 ] } } ]", "[ ]")],
            "needs a condition",
        ),
        (
            vec![QUERY.into(), ABOVE.replace(", conditions: [ { evaluator: { type: gt, params: [ 3 ] } } ]", "")],
            "needs a condition",
        ),
        (
            vec![QUERY.into(), "- { refId: C, datasourceUid: __expr__, model: { type: classic_conditions } }".into()],
            "needs a condition",
        ),
        (vec!["- nothing".into(), ABOVE.into()], "must be a mapping"),
        (
            vec![
                QUERY.into(),
                ABOVE
                    .replace("} } ]", "}, unloadEvaluator: { type: lt, params: [ 1 ] } } ]")
                    .replace("refId: C", "refId: B"),
                math("C", "$B"),
            ],
            "the threshold `B` lets go by another one",
        ),
    ] {
        let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
        check(&file("", &nodes), &Outside::default(), false, &[(Severity::Error, part)]);
    }
    let condition = |inside: &str| {
        format!(
            "- {{ refId: C, datasourceUid: __expr__, model: {{ type: classic_conditions, conditions: [ {inside} ] }} }}"
        )
    };
    let first = "{ evaluator: { type: gt, params: [ 1 ] }, query: { params: [ A ] }, reducer: { type: last } }";
    for (inside, part) in [
        (first.replace(", reducer: { type: last }", ""), "has no `reducer`"),
        (first.replace("type: last", "type: mean"), "`mean` is no reducer of a condition"),
        (first.replace(", query: { params: [ A ] }", ""), "reads no query"),
        (first.replace("evaluator: { type: gt, params: [ 1 ] }, ", ""), "has no `evaluator`"),
        (format!("{first}, {first}"), "has no `operator`"),
    ] {
        check(&file("", &[QUERY, &condition(&inside)]), &Outside::default(), false, &[(Severity::Error, part)]);
    }
}

/// A rule that asks something else than Prometheus is left out and told; those beside it are judged.
#[test]
fn other_data_sources_are_left_out_and_told() {
    let of = |uid: &str, model: &str| {
        format!("- {{ refId: A, datasourceUid: {uid}, relativeTimeRange: {{ from: 600, to: 0 }}, model: {model} }}")
    };
    let logs =
        "{ expr: 'sum(count_over_time({app=\"x\"}[5m]))', datasource: { type: loki, uid: x }, queryType: range }";
    let provisioned = [("P8E", "loki"), ("M1", "prometheus"), ("p", "prometheus")]
        .map(|(uid, kind)| (uid.to_owned(), kind.to_owned()));
    let provisioned = BTreeMap::from(provisioned);
    let outside = Outside { data_sources: &provisioned, ..Outside::default() };
    for (node, kind) in [
        (of("x", logs), "loki"),
        (of("my-loki", "{ expr: 'count_over_time({app=\"x\"}[5m])' }"), "loki"),
        (of("P8E", "{ expr: 'count_over_time({app=\"x\"}[5m])' }"), "loki"),
        (of("x", "{ expr: 'sum(rate({app=\"x\"} |= \"error\" [5m]))' }"), "loki"),
        (of("x", "{ expr: up, queryType: range }"), "loki"),
        (of("x", "{ expr: up }").replace("model", "queryType: range, model"), "loki"),
        (of("x", "{ expr: 'sum(count_over_time({app=\"x\", b=\"y\"} [5m]))' }"), "loki"),
        (of("x", "{ expr: 'up > 0 or bytes_rate({app=\"x\"}[5m])' }"), "loki"),
        (of("x", "{ rawSql: 'select 1', format: table }"), "sql"),
        (of("x", "{ scenarioId: random_walk }"), "testdata"),
        (
            of("x", "{ datasource: { type: grafana-testdata-datasource }, scenarioId: csv }"),
            "grafana-testdata-datasource",
        ),
        (of("x", "{ namespace: AWS/EC2, metricName: CPU, dimensions: {} }"), "cloudwatch"),
        (of("x", "{ query: 'from(bucket: \"x\")' }"), "of another language"),
        (of("x", "{ foo: 1 }"), "that is not told"),
    ] {
        let text =
            format!("apiVersion: 1\ngroups:\n{}{}", group("a", "", &[&node, ABOVE]), group("b", "", &[QUERY, ABOVE]));
        let what = format!("the rule `T a` is left out: it asks a data source of type {kind}");
        let rules = check(&text, &outside, true, &[(Severity::Warning, &what)]);
        assert_eq!(titles(&rules.expect("it was read")), ["T b"], "{node}");
    }
    // Those are Prometheus's.
    for node in [
        of("x", "{ expr: up, datasource: { type: prometheus } }"),
        of("x", "{ expr: up, datasource: { type: grafana-amazonprometheus-datasource } }"),
        of("M1", "{ expr: up, datasource: { type: loki } }"),
        of("prometheus-of-loki", "{ expr: up }"),
        of("x", "{ expr: up, instant: true, queryType: range }"),
        of("x", "{ expr: 'rate({__name__=\"a\", b=\"[\"}[5m]) + rate(x{a=\"b\"}[5m]) + rate({\"up\"}[5m])' }"),
        of("x", "{ expr: '{job=\"x\"} > 0' }"),
        of("x", "{ expr: 'label_replace(up, \"a\", \"b|c\", \"d\", \"e|f\")' }"),
    ] {
        // Who knows data sources knows also that none is called `x`.
        let outside = if node.contains("datasourceUid: M1") { outside } else { Outside::default() };
        let rules = check(&file("", &[&node, ABOVE]), &outside, true, &[]);
        assert_eq!(titles(&rules.expect("it was read")), ["T a"], "{node}");
    }
    let strange = "no data source that is provisioned here has the uid `M2`";
    let (node, other) = (of("M2", "{ expr: up }"), of("M2", "{ expr: up }").replace("refId: A", "refId: B"));
    let rules = check(&file("", &[&node, &other, ABOVE]), &outside, true, &[(Severity::Warning, strange)]);
    assert_eq!(titles(&rules.expect("it was read")), ["T a"], "it is judged all the same, and told once");
    // One that says so must have a query.
    let none = of("x", "{ datasource: { type: prometheus } }");
    check(&file("", &[&none, ABOVE]), &outside, false, &[(Severity::Error, "this query has no `expr`")]);
    // What is wrong beside it is still told.
    let text = file("        for: 1.5m\n", &[&of("x", logs), ABOVE]);
    check(&text, &outside, false, &[(Severity::Warning, "is left out"), (Severity::Error, "`for` is `1.5m`")]);
}

#[test]
fn recording_rules_of_grafana_are_left_out_and_told() {
    let text = file("        record: { metric: x, from: A }\n", &[QUERY, ABOVE]).replace("        condition: C\n", "");
    let rules = check(&text, &Outside::default(), true, &[(Severity::Warning, "the recording rule `T a` is left out")]);
    assert_eq!(titles(&rules.expect("it was read")), Vec::<&str>::new());
}

/// `config_reader` and the documentation of file provisioning: other things are provisioned by files too.
#[test]
fn what_else_is_provisioned_is_noted() {
    for (text, part) in [
        ("contactPoints: [ { name: cp } ]", "contact points are not simulated"),
        ("policies: [ { receiver: x } ]", "notification policies are not simulated"),
        ("muteTimes: []", "mute timings"),
        ("templates: [ { name: t, template: '{{ x }}' } ]", "notification templates"),
        ("deleteRules: [ { uid: old } ]", "rules that are deleted"),
        ("deleteContactPoints: [ { uid: x } ]", "contact points that are deleted"),
        ("resetPolicies: [ 1 ]", "notification policies that are reset"),
        ("deleteMuteTimes: [ { name: x } ]", "mute timings that are deleted"),
        ("deleteTemplates: [ { name: x } ]", "notification templates that are deleted"),
        ("datasources: [ { name: P, type: prometheus } ]", "data sources are not simulated"),
        ("providers: [ { name: d } ]", "dashboards are not simulated"),
        ("apps: [ { type: x } ]", "plugins are not simulated"),
    ] {
        check(&format!("apiVersion: 1\n{text}\n"), &Outside::default(), true, &[(Severity::Note, part)]);
        let beside = format!("{}{text}\n", file("", &[QUERY, ABOVE]));
        let rules = check(&beside, &Outside::default(), true, &[(Severity::Note, part)]);
        assert_eq!(titles(&rules.expect("it was read")), ["T a"]);
    }
    check("apiVersion: 1\ngroup: []\n", &Outside::default(), false, &[(Severity::Error, "did you mean `groups`?")]);
    check("apiVersion: 1\n", &Outside::default(), true, &[(Severity::Warning, "holds nothing")]);
    let text = format!("{}group: []\n", file("", &[QUERY, ABOVE]));
    check(&text, &Outside::default(), true, &[(Severity::Warning, "does not read `group`")]);
    // First a file makes its rules, then it deletes.
    let text = format!("{}deleteRules: [ {{ uid: a }} ]\n", file("", &[QUERY, ABOVE]));
    let expected =
        [(Severity::Note, "rules that are deleted"), (Severity::Warning, "the rule `T a` is left out: `deleteRules`")];
    assert_eq!(titles(&check(&text, &Outside::default(), true, &expected).expect("it was read")), Vec::<&str>::new());
}

/// Documentation of file provisioning, issues 70484 and 78118: variables are replaced in labels and in most other texts; not
/// in annotations, nor in a model.
#[test]
fn variables_of_the_environment_are_replaced_where_grafana_does() {
    let environment = |name: &str| match name {
        "TEAM" => Some("data".to_owned()),
        "SOURCE" => Some("prom-1".to_owned()),
        "HOLD" => Some("2m".to_owned()),
        "DOLLAR" => Some("$TEAM".to_owned()),
        _ => None,
    };
    let outside = Outside { environment: Some(&environment), ..Outside::default() };
    let text = file(
        "        for: $HOLD\n        labels: { team: \"$TEAM-${TEAM}-$__env{TEAM}\", who: \"{{ $$labels.a }}\", twice: \"${DOLLAR}\" }\n        annotations: { s: \"{{ $labels.a }} ${TEAM}\" }\n",
        &[&QUERY.replace("datasourceUid: p", "datasourceUid: $SOURCE"), ABOVE],
    )
    .replace("title: T a", "title: T of $TEAM")
    .replace("folder: f", "folder: $TEAM");
    let rules = check(&text, &outside, true, &[]).expect("it was read");
    let group = &rules.grafana[0];
    let rule = &group.rules[0];
    assert_eq!((group.folder.as_str(), rule.title.as_str()), ("data", "T of data"));
    assert_eq!((rule.hold.to_string().as_str(), rule.nodes[0].source.as_str()), ("2m", "prom-1"));
    let texts = |all: &[(String, Template)]| -> Vec<String> {
        all.iter().map(|(key, template)| format!("{key}: {}", template.text())).collect()
    };
    assert_eq!(texts(&rule.labels), ["team: data-data-data", "who: {{ $labels.a }}", "twice: data"]);
    assert_eq!(texts(&rule.annotations), ["s: {{ $labels.a }} ${TEAM}"]);
    // In a model a dollar is a dollar.
    let text = file("", &[&QUERY.replace("expr: up", "expr: 'up{a=~\"x$\"}'"), ABOVE]);
    check(&text, &outside, true, &[]);
    for (option, part) in [
        ("labels: { a: $NONE }", "the variable `NONE` in `a` is not set"),
        ("labels: { a: '{{ $labels.x }}' }", "write `$$labels`"),
        ("labels: { a: '{{ reReplaceAll \"(.*)\" \"$1\" \"x\" }}' }", "write `$$1`"),
    ] {
        check(&file(&format!("        {option}\n"), &[QUERY, ABOVE]), &outside, true, &[(Severity::Warning, part)]);
    }
    let text = file("        annotations: { a: '{{ $$labels.x }}' }\n", &[QUERY, ABOVE]);
    check(&text, &outside, true, &[(Severity::Warning, "annotations are not interpolated")]);
    let text = file("", &[QUERY, ABOVE]).replace("folder: f", "folder: $__file{/etc/x}");
    check(&text, &outside, false, &[(Severity::Error, "`$__file{..}` in `folder` is not read here")]);
    let text = file("", &[QUERY, ABOVE]).replace("folder: f", "folder: $NONE");
    check(&text, &outside, false, &[(Severity::Warning, "`NONE`"), (Severity::Error, "`folder` is empty")]);
}

/// Runs the program with a folder of rules; all it told.
fn run(arguments: &[&str], variable: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-kestra"));
    command.args(arguments).env_remove("KESTRA_TEAM");
    if let Some(value) = variable {
        command.env("KESTRA_TEAM", value);
    }
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[test]
fn a_folder_of_provisioning_is_read_with_its_data_sources_and_the_environment() {
    let folder = scratch("provisioning").with_extension("d");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    let rule = |uid: &str, source: &str| {
        let query = QUERY
            .replace("datasourceUid: p", &format!("datasourceUid: {source}"))
            .replace("expr: up", "expr: vector(9)");
        format!(
            "apiVersion: 1\ngroups:\n{}",
            group(uid, "", &[&query, ABOVE]).replace("title: T ", "title: T${KESTRA_TEAM}")
        )
    };
    write("alerting/b.yaml", &rule("b", "P8E"));
    write("alerting/a.yml", &rule("a", "P1"));
    write("alerting/contact.yml", "apiVersion: 1\ncontactPoints: [ { name: x } ]\n");
    write(
        "datasources/all.yml",
        "apiVersion: 1\ndatasources: [ { uid: P8E, type: loki }, { uid: P1, type: prometheus } ]\n",
    );
    write("dashboards/readme.txt", "nothing");
    write("..2026/a.yml", "hidden: [");
    let path = folder.to_string_lossy().into_owned();
    let arguments = ["test", "healthy", "--rules", &path];
    let (code, told) = run(&arguments, Some("x"));
    assert_ne!(code, Some(2), "{told}");
    for part in
        ["the rule `Txb` is left out: it asks a data source of type loki", "contact points are not simulated", "Txa"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    let (code, told) = run(&arguments, None);
    assert!(code != Some(2) && told.contains("the variable `KESTRA_TEAM` in `title` is not set"), "{told}");
    // One uid in two files.
    write("alerting/c.yml", &rule("a", "P1"));
    let (code, told) = run(&arguments, Some("x"));
    assert!(code == Some(2) && told.contains("the rule `a` is in"), "{told}");
    let empty = folder.join("dashboards").to_string_lossy().into_owned();
    let (code, told) = run(&["test", "healthy", "--rules", &empty], None);
    assert!(code == Some(2) && told.contains("holds no .yml, .yaml or .json file"), "{told}");
    let (code, told) = run(&["test", "healthy", "--rules", &path, "--grafana", "8"], None);
    assert!(code == Some(2) && told.contains("write a version of Grafana"), "{told}");
    std::fs::remove_dir_all(folder).expect("removed");
}

/// `rules_provisioner`: from file to file by name, in each the groups first, then what it deletes. Files end with .yaml, .yml or
/// .json (`config_reader`).
#[test]
fn a_file_deletes_rules_of_files_before_it() {
    let folder = scratch("deletes").with_extension("d");
    std::fs::create_dir_all(&folder).expect("made");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
    let rule = |uid: &str| format!("apiVersion: 1\ngroups:\n{}", group(uid, "", &[QUERY, ABOVE]));
    let path = folder.to_string_lossy().into_owned();
    let told = || run(&["test", "healthy", "--rules", &path], None).1;
    write("b.yml", &rule("b"));
    write("a.yml", "apiVersion: 1\ndeleteRules: [ { uid: b } ]\n");
    let before = told();
    assert!(!before.contains("is left out") && before.contains("T b"), "{before}");
    write("c.yml", "apiVersion: 1\ndeleteRules: [ { uid: b } ]\n");
    let after = told();
    assert!(
        after.contains("c.yml:2:23") && after.contains("the rule `T b` (`b`) of a file before is left out"),
        "{after}"
    );
    // Deleted, it may be made anew.
    write("d.yml", &rule("b"));
    assert!(told().contains("is left out") && !told().contains("is in"), "{}", told());
    // Rules in JSON are read, dashboards and files of other names are passed over, with a word.
    write("e.json", "{\n\t\"apiVersion\": 1,\n\t\"deleteRules\": [ { \"uid\": \"b\" } ]\n}\n");
    write("f.json", "{ \"title\": \"Kestra\", \"panels\": [] }\n");
    write("g.rules", "groups: []\n");
    let json = told();
    assert!(json.contains("e.json:3"), "{json}");
    for part in ["f.json: neither rules", "g.rules: passed over"] {
        assert!(json.contains(part), "{part} in {json}");
    }
    for name in ["a.yml", "b.yml", "c.yml", "d.yml", "e.json"] {
        std::fs::remove_file(folder.join(name)).expect("removed");
    }
    let (code, none) = run(&["test", "healthy", "--rules", &path], None);
    assert!(code == Some(2) && none.contains("the folder holds no rules"), "{none}");
    std::fs::remove_dir_all(folder).expect("removed");
}

/// `AlertingFileV1` has no check of `apiVersion`.
#[test]
fn a_file_without_a_version_is_read_and_told() {
    let text = file("", &[QUERY, ABOVE]).replace("apiVersion: 1\n", "");
    let rules = check(&text, &Outside::default(), true, &[(Severity::Note, "has no `apiVersion`")]);
    assert_eq!(titles(&rules.expect("it was read")), ["T a"]);
}

/// Words that speak of nothing that is there.
#[test]
fn what_may_be_written_instead_is_what_is_known() {
    let reduce = "- { refId: C, datasourceUid: __expr__, model: { type: reduce, expression: A, reducer: last, settings: { mode: dropNN } } }";
    let text = |from: &str, to: &str| file("", &[QUERY, &reduce.replace(from, to)]);
    check(&text("", ""), &Outside::default(), true, &[]);
    check(&text("mode: dropNN", "mode: ''"), &Outside::default(), true, &[]);
    for (from, to, part) in [
        ("reducer: last, ", "", "this expression has no `reducer`"),
        ("mode: dropNN", "mode: whatever", "known are strict, dropNN, replaceNN"),
        ("expression: A", "expression: Queries", "known are A"),
        ("mode: dropNN", "mode: replaceNN, replaceWithValue: x", "`replaceWithValue` is `x`"),
    ] {
        let (_, told) = read(&text(from, to), &Outside::default());
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].1.contains(part) && !told[0].1.contains("known are ,"), "{told:?}");
        assert!(!told[0].1.contains("known are A, C"), "{told:?}");
    }
    let (_, told) = read(&file("", &[QUERY, &ABOVE.replace("params: [ 3 ]", "params: [ x ]")]), &Outside::default());
    assert!(told[0].1.contains("a parameter of this evaluator is `x`"), "{told:?}");
}

proptest! {
    #![proptest_config(common::config(1_000))]

    /// Whatever is cut out of a file or put into it, it ends with an answer or with an error, and no error is without words.
    #[test]
    fn no_file_makes_it_panic(
        edits in prop::collection::vec((0usize..2_000, 0usize..40, prop_oneof![
            Just(""), Just("$"), Just("${"), Just("$$"), Just("{"), Just("}"), Just("["), Just("]"), Just(": "), Just("- "), Just("\n"),
            Just("é"), Just("0"), Just("''"), Just("~"), Just("A"), Just("C"), Just("$C"), Just("__expr__"), Just("-1"), Just("1e999"),
        ]), 1..5),
        hysteresis in any::<bool>(),
    ) {
        let condition = "- { refId: B, datasourceUid: __expr__, model: { type: classic_conditions, conditions: [ { evaluator: { type: within_range, params: [ 1, 2 ] }, query: { params: [ A ] }, reducer: { type: diff } } ] } }";
        let above = if hysteresis { ABOVE.replace("} } ]", "}, unloadEvaluator: { type: lt, params: [ 1 ] } } ]") } else { ABOVE.to_owned() };
        let mut text = file("        for: 1m\n        labels: { a: \"{{ $$labels.b }} ${X}\" }\n", &[QUERY, condition, &above]);
        for (at, length, with) in edits {
            let mut at = at % (text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let mut end = (at + length).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(at..end, with);
        }
        let environment = |name: &str| (name == "X").then(|| "$$X${X".to_owned());
        let outside = Outside { environment: Some(&environment), ..Outside::default() };
        let (rules, told) = read(&text, &outside);
        prop_assert!(rules.is_some() || !told.is_empty());
        data_sources(&text);
    }

    /// The same of templates of Grafana.
    #[test]
    fn no_template_makes_it_panic(
        words in prop::collection::vec(prop_oneof![
            Just("{{"), Just("}}"), Just("$labels"), Just("$values"), Just(".A"), Just(".Value"), Just(".Labels"), Just("index"), Just("\"A\""),
            Just("range"), Just("$k"), Just(","), Just(":="), Just("end"), Just("if"), Just("len"), Just("|"), Just("("), Just(")"), Just("humanize"),
            Just("filterLabelsRe"), Just("mergeLabelValues"), Just("graphLink"), Just("\"{}\""), Just("eq"), Just("$"), Just("é"), Just("query"),
            Just("printf"), Just("\"%d\""), Just("$value"),
        ], 0..16),
        blank in prop_oneof![Just(""), Just(" ")],
    ) {
        let labels = Vec::new().into();
        let of = || BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let grafana = GrafanaData { labels: of(), values: BTreeMap::from([("A".to_owned(), (of(), 1.5))]), value: "1.5".into() };
        let context = Context { labels: &labels, value: 1.0, grafana: Some(&grafana), external_labels: &[], query: &|_| Ok(Vec::new()) };
        let _ = Template::of_grafana(&words.join(blank)).and_then(|it| it.expand(&context));
    }
}
