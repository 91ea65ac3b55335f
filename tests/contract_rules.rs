//! `mock-kestra contract --rules`: which rules would go quiet on a server.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;

use common::asked::{contract, mock, of_version};
use common::server::{Local, scratch};
use serde_json::Value;

/// What would become of the rules of a file on a mock: standing and reason of each.
fn judged(mock: &Local, rules: &str, code: i32) -> BTreeMap<String, (String, String)> {
    let (found, out, err) = contract(mock, &["--format", "json", "--rules", rules]);
    assert_eq!(found, Some(code), "{out}{err}");
    let json: Value = serde_json::from_str(&out).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let all = json["rules"].as_array().expect("a list").iter();
    all.map(|it| (text(&it["rule"]), (text(&it["standing"]), text(&it["told"])))).collect()
}

fn standing<'r>(rules: &'r BTreeMap<String, (String, String)>, word: &str) -> Vec<&'r str> {
    rules.iter().filter(|(_, (standing, _))| standing == word).map(|(name, _)| name.as_str()).collect()
}

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/rules/kestra.yml");

#[test]
fn the_shipped_rules_that_go_quiet_on_2_0_are_named_with_what_it_has_instead() {
    let new = mock(&of_version("healthy-cluster", "2.0"), 10);
    let rules = judged(&new, SHIPPED, 1);
    assert_eq!(
        standing(&rules, "quiet"),
        ["KestraMessageTooBig", "KestraQueueReaderGone", "KestraWorkerJobsPending", "kestra:worker_jobs_pending:sum"]
    );
    assert_eq!(standing(&rules, "partly"), ["KestraIndexerBehind", "KestraWorkersSaturated"]);
    assert_eq!(standing(&rules, "always"), Vec::<&str>::new());
    let told = |rule: &str| rules[rule].1.as_str();
    assert!(
        told("KestraWorkerJobsPending")
            .contains("the rule that records `kestra:worker_jobs_pending:sum` finds nothing")
    );
    assert!(told("KestraWorkerJobsPending").contains("1.3 has; here `kestra_worker_queue_size` tells the same"));
    assert!(told("KestraWorkersSaturated").contains("here `kestra_worker_running_count` tells the same"));
    assert!(told("KestraQueueReaderGone").contains("none with name like \"jdbc-queue-[A-Z].*\""));
    assert!(standing(&rules, "well").contains(&"KestraFailures"), "{rules:?}");
    assert!(standing(&rules, "unjudged").contains(&"KestraDown"), "{rules:?}");
}

#[test]
fn the_shipped_rules_are_well_on_1_3_but_for_those_of_2_0() {
    let old = mock(&of_version("healthy-cluster", "1.3"), 10);
    let rules = judged(&old, SHIPPED, 1);
    assert_eq!(standing(&rules, "quiet"), ["KestraNoController", "KestraWorkersFull"]);
    let told = |rule: &str| rules[rule].1.as_str();
    assert!(
        told("KestraNoController").contains("Kestra 1.3 has no `kestra_worker_max_concurrency`, 2.0 has"),
        "{rules:?}"
    );
    // What has not happened yet may still come.
    assert!(standing(&rules, "waits").contains(&"KestraKilledRunsOn"), "{rules:?}");
}

#[test]
fn rules_of_every_kind_stand_as_their_parts_do() {
    let rules = "groups:
  - name: mine
    rules:
      - { record: 'my:pending', expr: 'sum(kestra_worker_job_pending)' }
      - { alert: Gone, expr: 'kestra_worker_job_running > 3' }
      - { alert: OfGone, expr: 'my:pending > 3' }
      - { alert: Always, expr: 'absent(kestra_worker_job_running)' }
      - { alert: Half, expr: 'kestra_worker_job_running > 3 or kestra_worker_running_count > 3' }
      - { alert: NoValue, expr: 'executor_active_threads{name=\"worker\"} > 3' }
      - { alert: NoLabel, expr: 'sum by (flow_id) (kestra_worker_running_count{flow_id=\"a\"}) > 3' }
      - { alert: Later, expr: 'rate(kestra_executor_execution_end_count_total{state=\"FAILED\"}[5m]) > 0' }
      - { alert: Target, expr: 'kestra_worker_running_count{job=\"kestra\", pod=~\"w.*\"} > 3' }
      - { alert: Old, expr: 'kestra_worker_running_count{worker_group!=\"system\"} > 3' }
      - { alert: Typo, expr: 'kestra_worker_runing_count > 3' }
      - { alert: Timer, expr: 'kestra_executor_execution_duration_seconds > 3' }
      - { alert: Foreign, expr: 'kube_pod_status_ready == 0' }
      - { alert: Zero, expr: 'count(kestra_worker_job_running) == 0' }
      - { alert: Vector, expr: '(sum(kestra_worker_job_running) or vector(0)) > 3' }
      - { alert: Unless, expr: 'kestra_worker_running_count > 3 unless on () kestra_worker_job_running' }
      - { alert: Pattern, expr: '{__name__=~\"kestra_worker_.*_count\"} > 3' }
      - { alert: Plugin, expr: 'kestra_io_kestra_plugin_jdbc_query_size > 3' }
      - { alert: Time, expr: 'vector(1) > 3' }
";
    let file = scratch("mine.yml");
    std::fs::write(&file, rules).expect("written");
    let mock = mock(&of_version("idle", "2.0"), 1);
    let found = judged(&mock, &file.display().to_string(), 1);
    let stands = |rule: &str| found[rule].0.as_str();
    for (rule, standing, words) in [
        ("my:pending", "quiet", "Kestra 2.0 has no `kestra_worker_job_pending`, 1.3 has"),
        ("Gone", "quiet", "here `kestra_worker_running_count` tells the same"),
        ("OfGone", "quiet", "the rule that records `my:pending` finds nothing"),
        ("Always", "always", "`absent(kestra_worker_job_running)` always holds"),
        ("Half", "partly", "`kestra_worker_job_running > 3` has nothing"),
        ("NoValue", "quiet", "none with name like \"worker\""),
        ("NoLabel", "quiet", "none with flow_id like \"a\"; they have no such label"),
        ("Later", "waits", "comes with its first event"),
        ("Target", "well", ""),
        ("Old", "well", ""),
        ("Typo", "quiet", "did you mean `kestra_worker_running_count`?"),
        ("Timer", "quiet", "it is kestra_executor_execution_duration_seconds_count"),
        ("Foreign", "unjudged", "is none of Kestra's series"),
        ("Zero", "quiet", "1.3 has"),
        ("Vector", "partly", "`sum(kestra_worker_job_running)` has nothing"),
        ("Unless", "partly", "takes nothing away"),
        ("Pattern", "well", ""),
        ("Plugin", "waits", "is made by a plugin's task"),
        ("Time", "unjudged", "it asks for no series"),
    ] {
        assert_eq!(stands(rule), standing, "{rule}: {}", found[rule].1);
        assert!(found[rule].1.contains(words), "{rule}: {words} in {}", found[rule].1);
    }
    // On GitHub what goes quiet points at its line.
    let (_, out, _) = contract(&mock, &["--format", "github", "--rules", &file.display().to_string()]);
    assert!(out.contains("line=5,endLine=5"), "{out}");
    let junit = scratch("rules.xml");
    let (_, out, _) =
        contract(&mock, &["--all", "--junit", &junit.display().to_string(), "--rules", &file.display().to_string()]);
    assert!(out.contains("\nFor ever: what they take for missing is not here\n  Always (mine): "), "{out}");
    let xml = std::fs::read_to_string(&junit).expect("written");
    assert!(xml.contains("name=\"Gone\"><failure message=\"quiet: Kestra 2.0 has no"), "{xml}");
}

#[test]
fn rules_of_grafana_are_judged_too_and_what_is_well_is_exit_0() {
    let new = mock(&of_version("idle", "2.0"), 1);
    let grafana = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/rules/grafana.yaml");
    let rules = judged(&new, grafana, 1);
    assert_eq!(standing(&rules, "quiet"), ["KestraWorkerJobsPending"]);
    assert_eq!(standing(&rules, "well"), ["KestraDatabasePoolExhausted"]);
    let (code, out, err) = contract(&new, &["--rules", grafana, "--allow", "Kestra*JobsPending"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("[allowed]"), "{out}");
    let old = mock(&of_version("idle", "1.3"), 1);
    let file = scratch("well.yml");
    std::fs::write(&file, "groups: [ { name: a, rules: [ { alert: A, expr: 'kestra_worker_job_running > 3' } ] } ]\n")
        .expect("written");
    let (code, out, err) = contract(&old, &["--rules", &file.display().to_string()]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.ends_with("1 are well, 0 wait for a first event, 0 not judged\n"), "{out}");
}
