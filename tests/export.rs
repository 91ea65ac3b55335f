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

fn folder(name: &str) -> PathBuf {
    let folder = scratch(name).with_extension("d");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn no_file_that_was_read_is_overwritten() {
    let folder = folder("inputs");
    let at = |name: &str| folder.join(name);
    let text = |name: &str| std::fs::read_to_string(at(name)).unwrap_or_default();
    let path = |name: &str| at(name).to_str().expect("UTF-8").to_owned();
    let third = "groups: [ { name: g, interval: 30s, rules: [ { alert: Third, expr: up == 0 } ] } ]\n";
    let first = "groups: [ { name: f, rules: [ { alert: First, expr: up == 0 } ] } ]\n";
    let scenario = "name: s\nextends: idle\n";
    let configuration =
        "rule_files: [ first.yml ]\nscrape_configs: [ { job_name: k, static_configs: [ { targets: [ 'x:1' ] } ] } ]\n";
    for (name, text) in [("my-30s.yml", third), ("first.yml", first), ("s.yaml", scenario), ("p.yml", configuration)] {
        std::fs::write(at(name), text).expect("written");
    }
    std::os::unix::fs::symlink(at("first.yml"), at("link.yml"))
        .or_else(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })
        .expect("a link");
    let refused = |scenario: &str, more: &[&str]| {
        let output = binary().args(["export", "promtool", scenario]).args(more).output().expect("the binary runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{more:?}: {err}");
        assert!(err.contains("one of the files that were read; name another one"), "{more:?}: {err}");
    };
    let (first_file, third_file) = (path("first.yml"), path("my-30s.yml"));
    refused("idle", &["--rules", &first_file, "--out", &first_file]);
    refused("idle", &["--rules", &first_file, "--out", &path("link.yml")]);
    // A file beside the one that is named.
    refused("idle", &["--rules", &first_file, "--rules", &third_file, "--out", &path("my.yml")]);
    assert!(!at("my.yml").exists(), "nothing is written, not the other one either");
    refused(&path("s.yaml"), &["--rules", &first_file, "--out", &path("s.yaml")]);
    refused("idle", &["--prometheus", &path("p.yml"), "--out", &path("p.yml")]);
    refused("idle", &["--prometheus", &path("p.yml"), "--out", &first_file]);
    assert_eq!((text("my-30s.yml"), text("first.yml")), (third.to_owned(), first.to_owned()));
    assert_eq!((text("s.yaml"), text("p.yml")), (scenario.to_owned(), configuration.to_owned()));
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_rule_at_which_promtool_would_stop_is_told_and_nothing_is_written() {
    for (rule, limit, why) in [
        ("{ record: pairs, expr: up * on (job) up }", 0, "error: pairs cannot be evaluated ("),
        ("{ alert: Over, expr: up >= 0 }", 1, "error: Over cannot be evaluated (exceeded limit of 1 with "),
        ("{ alert: Pairs, expr: up * on (job) up }", 0, "error: Pairs cannot be evaluated ("),
    ] {
        let text = format!(
            "groups:\n  - {{ name: a, rules: [ {{ alert: Down, expr: up == 0 }} ] }}\n  - {{ name: b, limit: {limit}, rules: [ {rule} ] }}\n"
        );
        let rules = written("rules.yml", &text);
        let out = rules.with_file_name("test.yml");
        let (code, printed, err) = export("worker-killed", &rules, &["--out", out.to_str().expect("UTF-8")]);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{rule}: {err}");
        assert!(err.contains(why), "{rule}: {err}");
        assert!(err.contains("): promtool stops at it; take it out of the rule file for the export"), "{rule}: {err}");
        assert!(!out.exists(), "{rule}");
    }
}

#[test]
fn through_a_folder_that_is_a_link_rules_are_named_as_promtool_looks_for_them() {
    let folder = folder("links");
    let at = |name: &str| folder.join(name);
    std::fs::create_dir_all(at("here")).expect("a folder");
    std::fs::create_dir_all(at("deep/er/x")).expect("a folder");
    let _ = std::fs::remove_file(at("here/lnk"));
    std::os::unix::fs::symlink("../deep/er/x", at("here/lnk")).expect("a link");
    std::fs::write(at("here/rules.yml"), "groups: [ { name: g, rules: [ { alert: A, expr: up == 0 } ] } ]\n")
        .expect("written");
    let named = |rules: &str, out: &str, read: &str| {
        let output = binary()
            .current_dir(at("here"))
            .args(["export", "promtool", "idle", "--rules", rules, "--out", out])
            .output()
            .expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(at(read)).expect("written");
        text.lines().find_map(|line| line.strip_prefix("  - ")).expect("a rule file").to_owned()
    };
    // Promtool makes `lnk/../rules.yml` into `rules.yml` before it opens it.
    assert_eq!(named("rules.yml", "lnk/t.yml", "deep/er/x/t.yml"), "\"../rules.yml\"");
    assert_eq!(named("./rules.yml", "../deep/t.yml", "deep/t.yml"), "\"../here/rules.yml\"");
    assert_eq!(named("../here/rules.yml", "t.yml", "here/t.yml"), "\"rules.yml\"");
    // A file that is named through the link and up is where the link leads.
    std::fs::write(at("deep/er/r2.yml"), "groups: [ { name: h, rules: [ { alert: B, expr: up == 0 } ] } ]\n")
        .expect("written");
    assert_eq!(named("lnk/../r2.yml", "t.yml", "here/t.yml"), "\"../deep/er/r2.yml\"");
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn what_does_not_go_to_standard_output_is_not_told_as_if_it_did() {
    let rules = written("rules.yml", INTERVALS);
    let (_, _, err) = export("worker-killed", &rules, &[]);
    assert_eq!(err.matches("evaluated each 15s: alerts 2, checks ").count(), 1, "{err}");
    assert_eq!(err.matches(": alerts ").count(), 1, "only what is written: {err}");
    for each in ["30s", "1m"] {
        let told = format!("left out: groups that are evaluated each {each} go into a file of their own");
        assert!(err.contains(&told), "{err}");
    }
}

const TWO_JOBS: &str = "global: { scrape_interval: 30s, evaluation_interval: 15s }
scrape_configs:
  - job_name: kestra
    metrics_path: /prometheus
    static_configs: [ { targets: [ \"worker-1:8081\", \"executor-1:8081\" ] } ]
  - job_name: slow
    metrics_path: /prometheus
    scrape_interval: 45s
    scrape_timeout: 10s
    static_configs: [ { targets: [ \"webserver-1:8081\" ] } ]
";

#[test]
fn jobs_are_scraped_at_their_own_intervals() {
    let rules = written("rules.yml", "groups: [ { name: g, rules: [ { alert: Down, expr: up == 0 } ] } ]\n");
    let configuration = rules.with_file_name("prometheus.yml");
    std::fs::write(&configuration, TWO_JOBS).expect("written");
    let configuration = configuration.to_str().expect("UTF-8");
    let (code, out, err) = export("worker-killed", &rules, &["--prometheus", configuration]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("evaluation_interval: 15000ms") && out.contains("tests:\n  - interval: 15000ms"), "{out}");
    let values = |job: &str| -> String {
        let at = out.find(&format!(r#"job=\"{job}\""#)).expect(job);
        out[at..].lines().nth(1).expect("values").to_owned()
    };
    // Every second step, and every third.
    assert!(values("kestra").contains("values: \"1 _ 1 _ 1 _ 1"), "{}", values("kestra"));
    assert!(values("slow").contains("values: \"1 _ _ 1 _ _ 1"), "{}", values("slow"));
    // What has nothing but a millisecond in common is more than promtool can hold.
    let odd = TWO_JOBS.replace("scrape_interval: 45s", "scrape_interval: 45001ms");
    std::fs::write(configuration, odd).expect("written");
    let (code, out, err) = export("worker-killed", &rules, &["--prometheus", configuration]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("left out: Down: scrapes each 30s, 45.001s are multiples of 1ms only"), "{err}");
}

#[test]
fn a_query_offset_moves_what_is_checked() {
    let group = |name: &str, offset: &str, alert: &str| {
        format!("- {{ name: {name}, query_offset: {offset}, rules: [ {{ alert: {alert}, expr: up == 0 }} ] }}\n")
    };
    let text = format!(
        "groups:\n{}{}{}{}",
        group("a", "40s", "Late"),
        group("b", "0s", "Two"),
        group("c", "1m", "Two"),
        group("d", "2h", "Far")
    );
    let (code, out, err) = export("worker-killed", &written("rules.yml", &text), &[]);
    assert_eq!(code, Some(0), "{err}");
    for part in [
        "note: promtool before 2.53 refuses a rule file with `query_offset`",
        "left out: Two: rules of this name are in groups with different `query_offset`",
        "left out: Far: its group asks as far back as the run is long",
    ] {
        assert!(err.contains(part), "{part} in {err}");
    }
    let times: Vec<u64> = out
        .lines()
        .filter_map(|line| line.trim().strip_prefix("eval_time: ")?.strip_suffix("ms")?.parse().ok())
        .collect();
    let (last, others) = times.split_first().expect("checks");
    assert_eq!(last % 15_000, 0, "the whole run, up to its end");
    assert!(
        others.len() > 4 && others.iter().all(|time| time % 15_000 == 5_000),
        "40 s before an evaluation: {others:?}"
    );
}
