//! What no alert notices: by the model's own truth, each once, small, and the same again.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::server::{binary, scratch};
use mock_kestra::lab::{Fuzz, FuzzRuns, Harm, fuzz};
use mock_kestra::monitor::read_rules;
use mock_kestra::random::Seed;
use mock_kestra::run::{Watch, run};
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};

fn watch(rules: &str) -> Watch {
    let (rules, _) = read_rules("rules.yml", rules).expect("sound rules");
    Watch { rules, standings: false, ..Watch::default() }
}

const SHIPPED: &str = include_str!("../scenarios/rules/kestra.yml");
/// Notices what is down, and nothing else.
const DOWN: &str = "groups:\n  - name: down\n    rules:\n      - { alert: Down, expr: up == 0, for: 1m }\n";

fn found(rules: &str, runs: u64, jobs: usize, seed: u64) -> Fuzz {
    let which = FuzzRuns { seed, kestra: vec!["1.3".to_owned()], limit: Duration::minutes(10), jobs };
    fuzz(&watch(rules), &which, |done| Some(runs - done), |_| {}).expect("no run panics")
}

fn plan(text: &str) -> Plan {
    let (plan, diagnostics) = read("x.yaml", text, &NoFiles);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}\n{text}");
    plan.expect("a plan")
}

/// Ends of executions: when, and whether good.
fn ends(plan: &Plan) -> Vec<(Instant, bool)> {
    let mut simulation = Simulation::new(Arc::new(plan.clone()), Seed(1), Calendar::default());
    simulation.keep_changes();
    simulation.advance(Instant::START + plan.duration).expect("no limit");
    let ends = simulation.changes().iter().filter(|it| it.state.is_terminated());
    ends.map(|it| (it.at, !it.state.is_bad_end())).collect()
}

#[test]
fn what_is_found_still_shows_it_in_its_file_by_a_run_of_its_own() {
    let fuzz = found(DOWN, 24, 2, 1);
    assert_eq!(fuzz.runs, 24);
    assert!(fuzz.harmed >= fuzz.noticed && fuzz.harmed > 0 && fuzz.broken == 0, "{}", fuzz.text());
    assert!(!fuzz.findings.is_empty());
    let mut causes = BTreeSet::new();
    for finding in &fuzz.findings {
        assert!(causes.insert((finding.cause.clone(), finding.harm)), "told twice: {}", fuzz.text());
        let plan = plan(&finding.text);
        assert!(plan.timeline.len() <= 3 && finding.text.lines().count() < 30, "{}", finding.text);
        // No alert fires from the first fault on until the limit after the harm began.
        let report = run(&Arc::new(plan.clone()), Seed(1), Calendar::default(), Some(&watch(DOWN))).expect("no limit");
        let fault = plan.timeline.iter().map(|it| it.at).min().expect("a fault");
        let until = finding.since + Duration::minutes(10);
        let firing = report.alerts.iter().flatten().filter_map(|line| line.firing);
        assert_eq!(firing.filter(|at| *at >= fault && *at <= until).count(), 0, "{}", finding.text);
        // And executions come to harm that do not when nothing is done.
        let (faulty, well) = (ends(&plan), ends(&Plan { timeline: Vec::new(), ..plan.clone() }));
        let bad = |ends: &[(Instant, bool)]| ends.iter().filter(|(_, good)| !good).count();
        assert_eq!(bad(&well), 0);
        match finding.harm {
            Harm::Fail => assert!(bad(&faulty) > 1, "{}", finding.text),
            Harm::Hang | Harm::Missing => assert!(faulty.len() != well.len() || faulty != well, "{}", finding.text),
        }
    }
}

#[test]
fn it_is_the_same_on_any_number_of_threads_and_another_with_another_seed() {
    let one = found(DOWN, 12, 1, 3);
    assert_eq!(one, found(DOWN, 12, 4, 3));
    assert_ne!(one, found(DOWN, 12, 2, 4));
}

#[test]
fn rules_that_notice_more_leave_less() {
    let (down, shipped) = (found(DOWN, 24, 2, 1), found(SHIPPED, 24, 2, 1));
    assert_eq!(down.harmed, shipped.harmed, "harm is no matter of rules");
    assert!(shipped.noticed > down.noticed, "{}\n{}", down.text(), shipped.text());
    // A rule that fires all the time notices nothing, nor does one that comes and goes whatever is done.
    for idle in ["vector(1)", "vector(time() % 120 < bool 60) > 0"] {
        let rules = format!("groups:\n  - name: x\n    rules:\n      - {{ alert: Idle, expr: {idle} }}\n");
        let found = found(&rules, 8, 2, 1);
        assert!(found.harmed > 0 && found.noticed == 0, "{idle}: {}", found.text());
    }
}

#[test]
fn the_command_finds_says_and_writes_and_writes_nothing_over() {
    let folder = scratch("fuzz");
    std::fs::create_dir_all(&folder).expect("a folder");
    let rules = folder.join("down.yml");
    std::fs::write(&rules, DOWN).expect("written");
    let (rules, out) = (rules.to_str().expect("a path").to_owned(), folder.join("found"));
    let out = out.to_str().expect("a path");
    let cli = |more: &[&str]| {
        let output = binary().args(["fuzz", "--rules", &rules, "--runs", "8"]).args(more).output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, text, told) = cli(&["--out", out]);
    assert_eq!(code, Some(1), "{text}{told}");
    let files: Vec<_> = std::fs::read_dir(out).expect("a folder").map(|it| it.expect("an entry").path()).collect();
    assert!(!files.is_empty());
    for file in &files {
        let output = binary().arg("check").arg(file).output().expect("it runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert!(std::fs::read_to_string(file).expect("readable").starts_with("# Unnoticed: "));
    }
    let (code, _, told) = cli(&["--out", out]);
    assert!(code == Some(3) && told.contains("cannot write"), "{told}");
    let (_, text, _) = cli(&["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["findings"].as_array().expect("a list").len(), files.len());
    for wrong in [&["--limit", "1d"][..], &["--seconds", "3"], &["--seed", "x"], &["--kestra", "9"]] {
        assert_eq!(cli(wrong).0, Some(2), "{wrong:?}");
    }
}
