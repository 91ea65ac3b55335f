//! Manifests that hold rules, each read as its operator reads it; and those that hold none.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use mock_kestra::document::{Severity, render};
use mock_kestra::monitor::{RuleSet, read_rules};
use mock_kestra::promql::Semantics;
use mock_kestra::time::Duration;

/// The rules of a file that is accepted, and what is told of it.
#[track_caller]
fn accepted(text: &str) -> (RuleSet, String) {
    let (rules, told) = read_rules("m.yaml", text).unwrap_or_else(|told| panic!("{text}\n{}", render(&told)));
    (rules, render(&told))
}

#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let told = render(&read_rules("m.yaml", text).map(|_| ()).expect_err(text));
    for part in parts {
        assert!(told.contains(part), "{part} in:\n{told}");
    }
}

/// A manifest of a kind with a group.
fn manifest(api: &str, kind: &str, group: &str) -> String {
    format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{ name: m }}\nspec: {{ groups: [ {group} ] }}\n")
}

const GROUP: &str = "{ name: g, rules: [ { alert: A, expr: up == 0, for: 5m, labels: { severity: page } } ] }";

#[test]
fn every_kind_with_rules_of_prometheus_is_read() {
    for (api, kind, interval) in [
        ("monitoring.coreos.com/v1", "PrometheusRule", None),
        ("operator.victoriametrics.com/v1beta1", "VMRule", None),
        ("monitoring.googleapis.com/v1", "Rules", Some(60)),
        ("monitoring.googleapis.com/v1", "ClusterRules", Some(60)),
        ("monitoring.googleapis.com/v1", "GlobalRules", Some(60)),
        ("monitoring.openshift.io/v1", "AlertingRule", None),
    ] {
        let (rules, told) = accepted(&manifest(api, kind, GROUP));
        assert_eq!(rules.alerts().collect::<Vec<_>>(), ["A"], "{kind}");
        assert_eq!(rules.groups[0].interval, interval.map(Duration::seconds), "{kind}");
        assert_eq!(told.contains("Google adds labels"), interval.is_some(), "{kind}: {told}");
        // In lists, with and without their kind.
        let item = manifest(api, kind, GROUP).replace('\n', "\n  ");
        let bare = item.replace(&format!("kind: {kind}\n"), "# ");
        for list in [
            format!("apiVersion: v1\nkind: List\nitems:\n- {item}"),
            format!("apiVersion: {api}\nkind: {kind}List\nitems:\n- {item}"),
            format!("apiVersion: {api}\nkind: {kind}List\nitems:\n- {bare}"),
        ] {
            assert_eq!(accepted(list.trim_end()).0.alerts().count(), 1, "{list}");
        }
    }
}

#[test]
fn kubernetes_wants_texts_to_be_texts() {
    let of = |rule: &str| {
        let group = format!("{{ name: g, rules: [ {{ alert: A, expr: up, {rule} }} ] }}");
        manifest("monitoring.coreos.com/v1", "PrometheusRule", &group)
    };
    refused(&of("labels: { page: true }"), &["`true` is none to Kubernetes", "write it in quotes: \"true\""]);
    refused(&of("labels: { level: 1 }"), &["`1` is none"]);
    refused(&of("annotations: { a: on }"), &["`on` is none"]);
    refused(&of("for: 0"), &["`for` must be a text"]);
    accepted(&of("labels: { page: \"true\", level: '1' }, for: \"0\""));
    let group = "{ name: g, limit: 10, rules: [ { alert: A, expr: 1 } ] }";
    accepted(&manifest("monitoring.coreos.com/v1", "PrometheusRule", group));
    refused(
        &manifest("monitoring.coreos.com/v1", "PrometheusRule", &group.replace("10", "1.5")),
        &["`limit` is `1.5`"],
    );
    refused(&manifest("monitoring.coreos.com/v1", "PrometheusRule", "null"), &["is empty"]);
}

#[test]
fn what_is_for_another_program_is_named() {
    let thanos = "{ name: g, partial_response_strategy: warn, rules: [] }";
    let (_, told) = accepted(&manifest("monitoring.coreos.com/v1", "PrometheusRule", thanos));
    assert!(told.contains("note: `partial_response_strategy` has no effect here"), "{told}");
    refused(&format!("groups: [ {thanos} ]\n"), &["it is a key of Thanos; leave it out"]);
    refused("groups: [ { name: g, concurrency: 2 } ]\n", &["it is a key of VictoriaMetrics"]);
    refused(
        &manifest("monitoring.openshift.io/v1", "AlertingRule", "{ name: g, rules: [ { record: r, expr: up } ] }"),
        &["holds alerts only"],
    );
    refused(&manifest("monitoring.googleapis.com/v1", "Rules", "{ name: g, limit: 1 }"), &["`limit` is no key"]);
    for (text, part) in [
        ("scrape_configs: []\n", "give it as `--prometheus FILE`"),
        ("route: {}\n", "a configuration of Alertmanager"),
        ("rule_files: []\ntests: []\n", "a test of promtool"),
    ] {
        refused(text, &[part]);
    }
}

#[test]
fn a_vmrule_is_read_as_promql() {
    let of = |group: &str, expr: &str| {
        let group = format!("{{ name: g, {group} rules: [ {{ alert: A, expr: '{expr}' }} ] }}");
        manifest("operator.victoriametrics.com/v1beta1", "VMRule", &group)
    };
    refused(&of("", "x default 0"), &["`default` is MetricsQL", "m.yaml:4:61"]);
    refused(&of("", "sum(rate(x[5m])) keep_metric_names"), &["`keep_metric_names` is MetricsQL"]);
    refused(&of("", "increase_pure(x[5m]) > 0"), &["`increase_pure` is MetricsQL"]);
    refused(&of("", "WITH (a = 1) a"), &["`WITH` is MetricsQL"]);
    let forms = ["up{a=\"b\" or c=\"d\"}", "up > 1Ki", "rate(up[5i])", "rate(up)", "sum(up, up)", "(up, up)"];
    for form in forms {
        refused(&of("", form), &["MetricsQL has ", "write it in PromQL"]);
        let rule = format!("groups: [ {{ name: g, rules: [ {{ alert: A, expr: '{form}' }} ] }} ]\n");
        let told = render(&read_rules("m.yaml", &rule).map(|_| ()).expect_err(form));
        assert!(!told.contains("MetricsQL"), "only a VMRule is MetricsQL: {told}");
    }
    let (_, told) = accepted(&of("", "rate(x[5m]) > 0 and increase(x[5m]) > 1"));
    assert_eq!(told.matches("MetricsQL does not extrapolate").count(), 1, "{told}");
    let (_, told) = accepted(&of("eval_delay: 30s, concurrency: 2, type: prometheus, limit: 5,", "up == 0"));
    assert!(told.contains("warning: `eval_delay` has no effect"), "{told}");
    assert!(told.contains("note: `concurrency` has no effect"), "{told}");
    refused(&of("type: graphite,", "up"), &["rules of type `graphite`"]);
    refused(&of("extra_filter_labels: { a: b },", "up"), &["`extra_filter_labels` is refused"]);
    let template = "{ name: g, rules: [ { alert: A, expr: up, annotations: { a: '{{ $expr | jsonEscape }}' } } ] }";
    let (_, told) = accepted(&manifest("operator.victoriametrics.com/v1beta1", "VMRule", template));
    assert!(told.contains("this template is kept as it is"), "{told}");
}

#[test]
fn rule_files_in_a_config_map_keep_their_places() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: rules }\ndata:\n  prometheus.yml: |\n    global: {}\n  kestra.rules: |\n    groups:\n    - name: g\n      rules:\n      - alert: A\n        expr: up == 0\n        for: 5m\n  other.yaml: |\n    groups:\n    - name: h\n      rules:\n      - { record: r, expr: up }\n";
    let (rules, told) = accepted(text);
    let names: Vec<&str> = rules.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!((names.as_slice(), told.as_str()), (["g", "h"].as_slice(), ""));
    refused(&text.replace("5m", "PT5M"), &["m.yaml:13:14", "`for` is `PT5M`"]);
    refused(&text.replace("up == 0", "up == "), &["m.yaml:12:"]);
    refused(&text.replace("- name: g", "- name: [ g"), &["m.yaml:", "this is no YAML"]);
    refused(&text.replace("groups:", "grups:"), &["m.yaml:2:7", "this ConfigMap holds no rule file"]);
    // One that was meant to be a rule file is not passed over without a word.
    let (rules, told) = accepted(&text.replace("  other.yaml: |\n    groups:", "  other.yaml: |\n    group:"));
    assert_eq!(rules.groups.len(), 1);
    assert!(told.contains("warning: the file `other.yaml` of this ConfigMap holds no rules"), "{told}");
    assert!(told.contains("did you mean `groups`?") && told.contains("m.yaml:15:5"), "{told}");
    // Two files may have groups of one name.
    assert_eq!(accepted(&text.replace("name: h", "name: g")).0.groups.len(), 2);
}

#[test]
fn a_file_without_rules_is_refused_and_other_documents_beside_rules_are_noted() {
    let monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: { name: s }\nspec: {}\n";
    refused(monitor, &["m.yaml:2:7", "a manifest of kind ServiceMonitor", "--prometheus FILE"]);
    let loki = manifest("loki.grafana.com/v1", "AlertingRule", GROUP);
    refused(&loki, &["AlertingRule (loki.grafana.com/v1) holds no rules", "LogQL"]);
    let rule = manifest("monitoring.coreos.com/v1", "PrometheusRule", GROUP);
    for text in [format!("{monitor}---\n{rule}"), format!("{rule}---\n{monitor}---\n# nothing\n")] {
        let (rules, diagnostics) = read_rules("m.yaml", &text).expect("rules");
        assert_eq!(rules.alerts().count(), 1);
        let severities: Vec<Severity> = diagnostics.iter().map(|it| it.severity).collect();
        assert_eq!(severities, [Severity::Note], "{}", render(&diagnostics));
    }
    refused("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n", &["without `spec`"]);
    refused(&rule.replace("spec: {", "spec: { foo: 1,"), &["`foo` is no key of the `spec`"]);
    let mistaken = rule.replace("groups", "group");
    refused(&mistaken, &["`group` is no key of the `spec`"]);
}

#[test]
fn a_rule_file_of_several_documents_is_its_first() {
    let one = format!("groups: [ {GROUP} ]\n");
    let (rules, told) = accepted(&format!("{one}---\n{}", one.replace("alert: A", "alert: B")));
    assert_eq!(rules.alerts().collect::<Vec<_>>(), ["A"]);
    assert!(told.contains("warning: Prometheus reads the first document"), "{told}");
    let (rules, told) = accepted("# all is commented out\n");
    assert_eq!(rules.groups.len(), 0);
    assert!(told.contains("this file holds no rules"), "{told}");
}

#[test]
fn what_an_older_prometheus_refuses_is_noted_for_it() {
    let text = "groups: [ { name: g, query_offset: 1m, labels: { a: b }, rules: [ { record: a.b, expr: up, labels: { c-d: e } } ] } ]\n";
    let (rules, told) = accepted(text);
    assert_eq!(told, "");
    let notes = |semantics| render(&rules.refused_by(semantics));
    for (semantics, count) in [(Semantics::V3, 0), (Semantics::V2_53, 3), (Semantics::V2_42, 4)] {
        assert_eq!(notes(semantics).matches("note: Prometheus before").count(), count, "{}", notes(semantics));
    }
    assert!(notes(Semantics::V2_42).contains("before 2.53 refuses the key `query_offset`"));
}

#[test]
fn promql_that_an_older_prometheus_refuses_is_noted_where_it_stands() {
    let text = "groups:\n  - name: g\n    rules:\n      - { record: r, expr: 'rate(up[300]) > 1_000' }\n      - { record: s, expr: '{\"a.b\", x=\"y\"}' }\n      - { record: t, expr: 'x offset 0s' }\n";
    let (rules, told) = accepted(text);
    assert_eq!(told, "");
    let notes = |semantics| render(&rules.refused_by(semantics));
    for (semantics, count) in [(Semantics::V3, 0), (Semantics::V2_53, 3), (Semantics::V2_42, 4)] {
        assert_eq!(notes(semantics).matches(" refuses ").count(), count, "{}", notes(semantics));
    }
    let old = notes(Semantics::V2_42);
    for part in [
        "note: Prometheus before 2.54 refuses a number as a time; it is read as newer versions read it",
        ":4:37",
        "note: Prometheus before 2.54 refuses `_` between digits",
        "note: Prometheus before 3.0 refuses a name in quotes",
        "note: Prometheus 2.42 refuses an offset of nothing",
    ] {
        assert!(old.contains(part), "{part} in {old}");
    }
}

const GRAFANA: &str = "apiVersion: grafana.integreatly.org/v1beta1
kind: GrafanaAlertRuleGroup
metadata: { name: kestra }
spec:
  folderRef: ops
  instanceSelector: { matchLabels: { a: b } }
  interval: 1m
  resyncPeriod: 10m
  rules:
    - uid: down
      title: Down
      condition: C
      for: 5m
      noDataState: NoData
      execErrState: Error
      data:
        - refId: A
          datasourceUid: prometheus
          relativeTimeRange: { from: 600, to: 0 }
          model: { refId: A, expr: up, instant: true }
        - refId: C
          datasourceUid: __expr__
          model: { refId: C, type: threshold, expression: A, conditions: [ { evaluator: { type: lt, params: [ 1 ] } } ] }
";

#[test]
fn rules_of_the_operator_of_grafana_are_read() {
    let (rules, _) = accepted(GRAFANA);
    let group = &rules.grafana[0];
    assert_eq!((group.name.as_str(), group.folder.as_str(), group.interval), ("kestra", "ops", Duration::minutes(1)));
    assert_eq!(rules.alerts().collect::<Vec<_>>(), ["Down"]);
    refused(&GRAFANA.replace("expr: up,", "expr: up ==,"), &["m.yaml:20:"]);
    // The operator's texts are no provisioning file's: a `$` begins no variable.
    let labelled =
        GRAFANA.replace("for: 5m", "for: 5m\n      labels: { who: \"{{ $labels.instance }}\", cost: \"$5\" }");
    let (rules, told) = accepted(&labelled);
    let labels = &rules.grafana[0].rules[0].labels;
    assert!(labels.iter().any(|(key, text)| key == "who" && text.text() == "{{ $labels.instance }}"), "{told}");
    assert!(!told.contains("variable"), "{told}");
}

#[test]
fn the_files_of_a_config_map_are_read_in_the_order_of_their_names_as_where_it_is_mounted() {
    let file = |key: &str, group: &str| {
        format!("  {key}: |\n    groups: [ {{ name: {group}, rules: [ {{ alert: A, expr: up == 0 }} ] }} ]\n")
    };
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: rules }}\ndata:\n{}{}{}",
        file("b.yml", "second"),
        file("a.yml", "first"),
        file("c.yml", "third")
    );
    let (rules, _) = accepted(&text);
    let groups: Vec<&str> = rules.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(groups, ["first", "second", "third"]);
}
