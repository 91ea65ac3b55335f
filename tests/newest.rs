//! What Prometheus after 3.5 makes of a rule, at the command line.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::server::{run, scratch};

/// A file with one alert of this expression.
fn rules(expression: &str) -> String {
    let file = scratch("rules.yml");
    let expression = serde_json::Value::from(expression);
    let text = format!("groups:\n- name: g\n  rules:\n  - {{ alert: A, expr: {expression} }}\n");
    std::fs::write(&file, text).expect("written");
    file.to_str().expect("UTF-8").to_owned()
}

/// Several members of a role match the one sum of it: 3.5 and before filter first, and one is left; 3.9 and later refuse it.
const LEANING: &str = "kestra_worker_job_running > on (role) (sum by (role) (kestra_worker_job_thread) * 0.35)";

#[test]
fn a_rule_whose_verdict_hangs_on_the_version_is_told() {
    let rules = rules(LEANING);
    for semantics in ["2.42", "2.53", "3.5"] {
        let (code, out, err) = run(&["test", "worker-killed", "--rules", &rules, "--semantics", semantics]);
        assert_ne!(code, Some(2), "{semantics}: {err}");
        assert!(out.contains("A") && out.contains("fired"), "{semantics}: {out}");
        let warning = "warning: A: several series match one, and only the comparison leaves one of them";
        assert_eq!(err.matches(warning).count(), 1, "{semantics}: {err}");
    }
    let (_, out, err) = run(&["test", "worker-killed", "--rules", &rules, "--semantics", "3.16"]);
    assert!(out.contains("failed    A") && out.contains("multiple matches for labels: many-to-one"), "{err}{out}");
    assert!(!err.contains("only the comparison leaves"), "{err}");
}

#[test]
fn what_only_the_newest_takes_is_refused_by_name_and_place_or_evaluated() {
    for (expression, refusal, column) in [
        ("first_over_time(up[5m]) > 0", "Prometheus before 3.14 refuses `first_over_time`", 24),
        ("rate(kestra_x_total[1m+15s]) > 0", "Prometheus before 3.14 refuses a duration that is reckoned", 44),
        ("increase(kestra_x_total[5m] anchored) > 0", "Prometheus before 3.16 refuses `anchored` and `smoothed`", 52),
    ] {
        let file = rules(expression);
        let (code, _, err) = run(&["test", "worker-killed", "--rules", &file]);
        assert_eq!(code, Some(2), "{expression}: {err}");
        assert!(err.contains(refusal) && err.contains("--semantics 3.16"), "{expression}: {err}");
        assert!(err.contains(&format!(":4:{column}")), "{expression}: {err}");
        let (code, out, err) = run(&["test", "worker-killed", "--rules", &file, "--semantics", "3.16"]);
        assert_ne!(code, Some(2), "{expression}: {err}");
        assert!(!out.contains("failed    A"), "{expression}: {err}{out}");
    }
    // A rule is asked at one instant: there is no range, and it fails each time.
    let file = rules("max_over_time(up[range()]) > 0");
    let (_, out, err) = run(&["test", "worker-killed", "--rules", &file, "--semantics", "3.16"]);
    let line = out.lines().find(|line| line.contains("failed    A"));
    assert!(line.is_some_and(|line| line.contains("duration must be greater than 0")), "{err}{out}");
}
