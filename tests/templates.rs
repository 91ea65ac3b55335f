//! Templates beside promtool: what we make of annotations and labels must be what it makes of them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::fmt::Write as _;
use std::process::Command;

use common::peers::peer;
use common::server::scratch;
use mock_kestra::document;
use mock_kestra::monitor::{Monitor, Setup, Target, read_rules};
use mock_kestra::promql::Grid;
use mock_kestra::time::Duration;

/// In the manner of public rule sets, and every function.
const TEMPLATES: &[&str] = &[
    "plain",
    "{{ $labels.instance }} of {{ $labels.job }} is at {{ $value }}",
    "{{$labels.nothing}}|{{ .Labels.job }}|{{ .Value }}",
    "{{ $value | humanize }} {{ humanize1024 $value }} {{ humanizeDuration $value }} {{ $value | humanizePercentage }}",
    "{{ humanizeTimestamp 1435065584.128 }}",
    "{{ humanize 0.00012 }} {{ humanize 1000 }} {{ humanize 123456.789 }} {{ humanize -0.5 }} {{ humanize 0 }}",
    "{{ humanize1024 1048576 }} {{ humanize1024 -2000 }} {{ humanize1024 0.5 }}",
    "{{ humanizeDuration 0 }} {{ humanizeDuration 59.9 }} {{ humanizeDuration 3599 }} {{ humanizeDuration 90061 }} {{ humanizeDuration 0.00012 }} {{ humanizeDuration -75 }}",
    "{{ printf \"%.2f|%8.3f|%-8s|%05d|%q|%v|%x|%+d|%t|%e|%g\" $value $value $labels.job 42 $labels.job $value 255 7 true $value $value }}",
    "{{ printf \"%.0f%%\" $value }} {{ printf \"%d\" $value }} {{ printf \"%s\" 3 }} {{ printf \"%d\" }}",
    "{{ $value | printf \"%.1f\" }} {{ \"a\" | printf \"%s-%s\" \"b\" }}",
    "{{ title \"hello wide world\" }} {{ toUpper $labels.job }} {{ \"ABC\" | toLower }}",
    "{{ stripPort $labels.instance }} {{ stripPort \"1.2.3.4:5\" }} {{ stripPort \"x\" }}",
    "{{ reReplaceAll \"(.*)-([0-9]):.*\" \"$2 of $1\" $labels.instance }} {{ match \"^w\" $labels.instance }}",
    "{{ if gt $value 2.0 }}many{{ else if gt $value 1.0 }}some{{ else }}few{{ end }}",
    "{{ if and (eq $labels.job \"kestra\") (not (eq $labels.instance \"x\")) }}yes{{ end }}",
    "{{ if or false $labels.job }}yes{{ else }}no{{ end }} {{ or \"\" \"b\" }} {{ and \"a\" \"b\" }}",
    "{{- if true -}} trimmed {{- end -}}   x",
    "a {{/* a comment */}} b {{- /* another */ -}} c",
    // Sorted: the order of a plain query is not the same from run to run.
    "{{ with query \"sort(g)\" }}{{ range . }}{{ .Labels.instance }}={{ .Value }} {{ end }}{{ end }}",
    "{{ with query \"nothing\" }}some{{ else }}none{{ end }}",
    "{{ query \"count(g)\" | first | value | humanize }} {{ query \"g\" | sortByLabel \"instance\" | first | label \"instance\" }}",
    "{{ range $i, $s := query \"g\" | sortByLabel \"instance\" }}{{ $i }}:{{ $s.Labels.instance }};{{ end }}",
    "{{ $x := $value }}{{ $y := 3 }}{{ $y = 4 }}{{ $x }} {{ $y }}",
    "{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" $labels.job }}",
    "{{ len $labels.job }} {{ index $labels \"job\" }} {{ print $labels.job 1 2 \"x\" }}",
    "{{ 1e6 }} {{ 1234567.0 }} {{ 0.00001 }} {{ 123456.0 }} {{ 21 }} {{ -3 }} {{ 1.5 }}",
    "{{ graphLink \"up == 0\" }} {{ tableLink \"sum(x)\" }} {{ safeHtml \"<b>\" }}",
    "{{ `raw \"text\"` }} {{ \"quo\\\"ted\\n\" }}|{{ html \"<a&b>\" }} {{ urlquery \"a b&c\" }}",
    "{{ lt 1 2 }} {{ le 2 2 }} {{ ne \"a\" \"b\" }} {{ ge 2.5 2.5 }} {{ eq 1 2 3 1 }}",
    "{{ $externalLabels.nothing }}.{{ args 1 2 | len | print }}",
];

fn rules() -> String {
    let mut text = String::from(
        "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: g > 2\n        labels:\n          size: \"{{ if gt $value 10.0 }}large{{ else }}small{{ end }}\"\n          who: \"{{ $labels.job }}/{{ $value }}\"\n        annotations:\n",
    );
    for (index, template) in TEMPLATES.iter().enumerate() {
        let _ = writeln!(text, "          t{index:02}: {}", serde_json::Value::from(*template));
    }
    text
}

const SERIES: [(&str, f64); 2] = [("worker-1:8081", 3.25), ("worker-2:8081", 1_234_567.5)];

/// A pair of texts.
type Pairs = Vec<(String, String)>;

/// Of each alert: labels and annotations.
fn ours() -> Vec<(Pairs, Pairs)> {
    let (rules, told) = read_rules("rules.yml", &rules()).unwrap_or_else(|told| panic!("{}", document::render(&told)));
    assert!(told.is_empty(), "{}", document::render(&told));
    let interval = Duration::seconds(15);
    let targets = SERIES
        .iter()
        .map(|(instance, _)| Target::new(&[("job", "kestra"), ("instance", instance)], interval, interval));
    let setup = Setup { rules, targets: targets.collect(), evaluation_interval: interval, ..Setup::default() };
    let mut monitor = Monitor::new(setup);
    for (target, (_, value)) in SERIES.iter().enumerate() {
        let mut scrape = monitor.scrape(target, 0);
        scrape.sample("g", &[], None, *value);
        scrape.end(Some(1), interval);
    }
    monitor.evaluate_all(&[Grid::instant(0)]);
    let pair = |(key, value): &(std::sync::Arc<str>, std::sync::Arc<str>)| (key.to_string(), value.to_string());
    monitor.episodes().iter().map(|(_, it)| (it.labels.iter().map(pair).collect(), it.annotations.clone())).collect()
}

#[test]
fn every_template_is_expanded() {
    let alerts = ours();
    assert_eq!(alerts.len(), 2);
    for (labels, annotations) in alerts {
        assert_eq!(annotations.len(), TEMPLATES.len());
        for (key, text) in &annotations {
            assert!(!text.contains("error expanding") && !text.contains("{{"), "{key}: {text}");
        }
        assert!(labels.iter().any(|(key, _)| key == "who"));
    }
}

#[test]
#[ignore = "needs promtool of Debian unstable and stable: .ci/peers fetches them"]
fn promtool_makes_the_same_of_them() {
    let file = scratch("test.yml");
    std::fs::write(file.with_file_name("rules.yml"), rules()).expect("written");
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = String::from(
        "rule_files: [ rules.yml ]\nevaluation_interval: 15s\ntests:\n  - interval: 15s\n    input_series:\n",
    );
    for (instance, value) in SERIES {
        let series = format!("g{{job=\"kestra\", instance=\"{instance}\"}}");
        let _ = writeln!(text, "      - {{ series: {}, values: \"{value}\" }}", quoted(&series));
    }
    text += "    alert_rule_test:\n      - alertname: A\n        eval_time: 0s\n        exp_alerts:\n";
    for (labels, annotations) in ours() {
        text += "          - exp_labels:\n";
        for (key, value) in labels.iter().filter(|(key, _)| key != "alertname") {
            let _ = writeln!(text, "              {key}: {}", quoted(value));
        }
        text += "            exp_annotations:\n";
        for (key, value) in annotations {
            let _ = writeln!(text, "              {key}: {}", quoted(&value));
        }
    }
    std::fs::write(&file, text).expect("written");
    for suite in ["unstable", "stable"] {
        let output =
            Command::new(peer(suite, "promtool")).args(["test", "rules"]).arg(&file).output().expect("promtool");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{suite}:\n{told}");
    }
}
