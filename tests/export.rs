//! `export promtool`: what is checked, what is refused, and what the files refer to. Whether promtool agrees is in peers.rs.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::path::{Path, PathBuf};

use common::server::{binary, scratch};

/// Exports with some rules; exit code, standard output and standard error.
fn export(scenario: &str, rules: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let output = binary()
        .args(["export", "promtool", scenario, "--rules"])
        .arg(rules)
        .args(more)
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn written(name: &str, text: &str) -> PathBuf {
    let file = scratch(name);
    std::fs::write(&file, text).expect("written");
    file
}

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/rules/kestra.yml");

#[test]
fn alerts_that_never_fire_are_checked_over_the_whole_run() {
    let (code, out, err) = export("healthy", Path::new(SHIPPED), &[]);
    assert_eq!(code, Some(0), "{err}");
    let alerts = std::fs::read_to_string(SHIPPED).expect("readable").matches("alert:").count();
    let whole: Vec<&str> = out.lines().filter(|line| line.contains("count_over_time(ALERTS")).collect();
    assert_eq!(whole.len(), alerts, "{whole:#?}");
    // Of each nothing is expected, and the range reaches back beyond the start.
    let end = out.lines().filter_map(|line| line.trim().strip_prefix("eval_time: ")).next_back().expect("checks");
    let end: u64 = end.trim_end_matches("ms").parse().expect("milliseconds");
    for line in whole {
        let range = line.rsplit_once('[').and_then(|(_, rest)| rest.split_once("ms]")).expect("a range").0;
        assert!(range.parse::<u64>().expect("milliseconds") > end, "{line}");
        let below = out[out.find(line).expect("there")..].lines().nth(2);
        assert_eq!(below.map(str::trim), Some("exp_samples: []"));
    }
    // One that fires says at how many evaluations.
    let (_, out, _) = export("worker-killed", Path::new(SHIPPED), &[]);
    let at = out.find(r#"count_over_time(ALERTS{alertname=\"KestraWorkerDown\""#).expect("a check");
    let told: Vec<&str> = out[at..].lines().take(5).map(str::trim).collect();
    assert!(told[3].contains(r#"{alertname=\"KestraWorkerDown\", alertstate=\"firing\","#), "{told:#?}");
    assert_eq!(told[4], "value: 5", "from 11m to 12m, each 15 s: {told:#?}");
}

const INTERVALS: &str = "groups:
  - name: base
    rules:
      - { record: 'job:down:sum', expr: 'sum(up == bool 0)' }
      - { alert: Down, expr: up == 0 }
      - { alert: SeesRecorded, expr: 'job:down:sum > 0' }
  - name: slow
    interval: 1m
    rules:
      - { alert: DownSlowly, expr: up == 0, for: 1m }
      - { alert: SeesQuick, expr: 'job:down:sum > 0' }
      - { alert: Steps, expr: 'max_over_time(up[5m:]) == 0' }
  - name: also-slow
    interval: 1m
    rules:
      - { record: 'slow:up:sum', expr: sum(up) }
      - { alert: FewSlowly, expr: 'slow:up:sum < 5' }
      - { alert: Twice, expr: up == 0 }
  - name: third
    interval: 30s
    rules:
      - { alert: Third, expr: up == 0 }
      - { alert: Twice, expr: up == 0 }
";

#[test]
fn groups_with_an_interval_of_their_own_have_a_file_of_their_own() {
    let rules = written("rules.yml", INTERVALS);
    let out = rules.with_file_name("test.yml");
    let (code, printed, err) = export("worker-killed", &rules, &["--out", out.to_str().expect("UTF-8")]);
    assert_eq!((code, printed.as_str()), (Some(0), ""), "{err}");
    for (name, interval, alerts) in [
        ("test.yml", 15, vec!["Down", "SeesRecorded"]),
        ("test-30s.yml", 30, vec!["Third"]),
        ("test-1m.yml", 60, vec!["DownSlowly", "FewSlowly"]),
    ] {
        let text = std::fs::read_to_string(rules.with_file_name(name)).expect(name);
        assert!(text.contains(&format!("evaluation_interval: {interval}000ms")), "{name}: {text}");
        assert!(text.contains("rule_files:\n  - \"rules.yml\"\n"), "relative to the file: {text}");
        assert!(text.contains("tests:\n  - interval: 15000ms"), "samples are those of the scrapes: {text}");
        assert!(text.contains("group_eval_order:\n  - \"base\"\n  - \"slow\"\n"), "{text}");
        let all = ["Down", "SeesRecorded", "DownSlowly", "SeesQuick", "Steps", "FewSlowly", "Twice", "Third"];
        let checked = |alert: &&&str| text.contains(&format!(r#"alertname=\"{alert}\""#));
        assert_eq!(all.iter().filter(checked).copied().collect::<Vec<_>>(), alerts, "{name}");
    }
    for part in [
        "left out: SeesQuick: it reads `job:down:sum`, which is evaluated each 15s",
        "left out: Steps: a subquery has the step of the evaluation, which is 15s here",
        "left out: Twice: rules of this name are in groups with different intervals",
        "test-1m.yml: evaluated each 1m: alerts 2, checks ",
    ] {
        assert!(err.contains(part), "{part} in {err}");
    }
    // Standard output has room for one.
    let (code, printed, err) = export("worker-killed", &rules, &[]);
    assert!(code == Some(0) && printed.contains("evaluation_interval: 15000ms"), "{err}");
    assert!(err.contains("name it with --out"), "{err}");
    assert!(!printed.contains(&format!("\"{}\"", rules.display())), "no absolute path");
}

#[test]
fn what_promtool_cannot_know_is_left_out_and_nothing_checked_is_exit_1() {
    let rule = |expr: &str| format!("groups: [ {{ name: g, rules: [ {{ alert: A, expr: '{expr}' }} ] }} ]\n");
    for (expr, why) in [
        ("time() - process_start_time_seconds < 600", "it reads the date"),
        ("hour() > 3", "it reads the date"),
        ("timestamp(up) > 3", "it reads the date"),
        ("up @ 1767600000 == 0", "it reads the date"),
        ("ALERTS_FOR_STATE > 0", "it reads the date"),
        ("max_over_time(up[10m:7m]) == 0", "steps of a subquery count from 1970"),
    ] {
        let rules = written("rules.yml", &rule(expr));
        let (code, out, err) = export("idle", &rules, &[]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{expr}: {err}");
        assert!(err.contains(&format!("left out: A: {why}")), "{expr}: {err}");
        assert!(err.contains("error: nothing would be checked: every alert is left out"), "{expr}: {err}");
    }
    // A rule that is read by one counts too, and a word in a text does not.
    let text = "groups:\n  - name: g\n    rules:\n      - { record: age, expr: time() - process_start_time_seconds }\n      - { alert: A, expr: age < 0 }\n      - { alert: B, expr: 'up{job=\"time()\"} == 0' }\n      - { alert: C, expr: hour(up) > 3 }\n";
    let (code, out, err) = export("idle", &written("rules.yml", text), &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("left out: A: it reads the date (in `age`)"), "{err}");
    assert!(out.contains(r#"alertname=\"B\""#) && out.contains(r#"alertname=\"C\""#), "{out}");
    let recording = written("rules.yml", "groups: [ { name: g, rules: [ { record: r, expr: up } ] } ]\n");
    let (code, _, err) = export("idle", &recording, &[]);
    assert!(code == Some(1) && err.contains("nothing would be checked: no rule alerts"), "{err}");
}

#[test]
fn what_promtool_cannot_read_is_refused_by_name() {
    let grafana = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/rules/grafana.yaml");
    let (code, out, err) = export("idle", Path::new(grafana), &[]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("`KestraDown`") && err.contains("rules of Grafana"), "{err}");
    let (code, _, err) = export("idle", Path::new(SHIPPED), &[grafana]);
    assert!(code == Some(2) && err.contains("leave their file out"), "{err}");
    let manifest = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: { name: x }\nspec: { groups: [ { name: g, rules: [ { alert: A, expr: up == 0 } ] } ] }\n";
    let (code, _, err) = export("idle", &written("manifest.yml", manifest), &[]);
    assert!(code == Some(2) && err.contains("manifest.yml is a manifest, promtool reads rule files"), "{err}");
    let (code, _, err) = export("idle", Path::new(SHIPPED), &["--out", "/nowhere/at/all/test.yml"]);
    assert!(code == Some(3) && err.contains("there is no folder /nowhere/at/all"), "{err}");
}
