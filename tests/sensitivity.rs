//! How little of a fault an alert still notices: each boundary holds on both sides, by runs of its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::scenario_files;
use common::server::{binary, scratch};
use mock_kestra::lab::{Sensitivity, SensitivityRuns, sensitivity};
use mock_kestra::monitor::read_rules;
use mock_kestra::random::Seed;
use mock_kestra::run::{Watch, run};
use mock_kestra::scenario::{NoFiles, Plan, TimelineEntry, read};
use mock_kestra::time::{Calendar, Duration, Instant};

/// Rules of which it is plain what they need.
const RULES: &str = "
groups:
  - name: plain
    rules:
      - { alert: Down, expr: up == 0, for: 1m }
      - { alert: Two, expr: count(up == 0) >= 2, for: 30s }
      - { alert: Pending, expr: sum(kestra_worker_job_pending) > 40, for: 1m }
      - { alert: Failing, expr: \"sum(increase(kestra_executor_execution_end_count_total{state=\\\"FAILED\\\"}[5m])) > 20\" }
      - { alert: Never, expr: up > 1 }
      - { alert: Always, expr: count(up) > 0 }
      # Only while it is down for a while, and neither before nor after.
      - { alert: Window, expr: \"avg_over_time(up[10m]) > 0.5 < 0.8\" }
";

fn watch() -> Watch {
    let (rules, _) = read_rules("rules.yml", RULES).expect("sound rules");
    Watch { rules, standings: false, ..Watch::default() }
}

fn of_text(text: &str) -> Arc<Plan> {
    let (plan, diagnostics) = read("x.yaml", text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}\n{text}")))
}

fn cluster(timeline: &str) -> Arc<Plan> {
    of_text(&format!(
        "name: x\nduration: 40m\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: {{ count: 3, threads: \
         4 }} }} }}\nflows:\n  - {{ id: f, namespace: a, tasks: [ {{ id: t, type: io.kestra.plugin.scripts.shell.Commands }} \
         ] }}\nbehaviour: [ {{ task: t, duration: 5s }} ]\narrivals: [ {{ flow: f, rate: 30/min }} ]\ntimeline:\n{timeline}\n"
    ))
}

fn found(plan: &Arc<Plan>, alert: &str, count: usize, jobs: usize) -> Sensitivity {
    let runs = SensitivityRuns { first: 1, count, jobs, entry: None };
    sensitivity(plan, Calendar::default(), &watch(), alert, &runs, |_| {}).expect("no limit")
}

/// Whether an alert fires from an instant on, with all of these seeds.
fn fires(plan: &Plan, alert: &str, from: Instant, seeds: u64) -> bool {
    let plan = Arc::new(plan.clone());
    let one = |seed: u64| {
        let report = run(&plan, Seed(seed), Calendar::default(), Some(&watch())).expect("no limit");
        let firing =
            |line: &&mock_kestra::report::AlertLine| line.alert == alert && line.firing.is_some_and(|at| at >= from);
        report.alerts.iter().flatten().find(firing).is_some()
    };
    (1..=seeds).all(one)
}

fn with(plan: &Plan, change: impl FnOnce(&mut TimelineEntry)) -> Plan {
    let mut plan = plan.clone();
    change(plan.timeline.first_mut().expect("an entry"));
    plan
}

fn smallest(found: &Sensitivity) -> Plan {
    let text = &found.faults[0].smallest.as_ref().expect("something smallest").text;
    Plan::clone(&of_text(text))
}

#[test]
fn the_shortest_time_holds_on_both_sides() {
    for seeds in [1, 3] {
        let plan = cluster("  - { at: 10m, kill: worker-1, for: 8m }");
        let found = found(&plan, "Down", seeds as usize, 2);
        let [least] = found.faults[0].least.as_slice() else { panic!("only its length: {found:?}") };
        assert_eq!((least.of, least.as_is.as_str()), ("duration", "8m"));
        let entry = smallest(&found).timeline[0].clone();
        let shortest = entry.lasts.expect("a length");
        assert_eq!(shortest.to_string(), least.fires);
        // It must be down for the minute that `for` says, and less than two scrapes and evaluations more.
        assert!(shortest > Duration::seconds(45) && shortest < Duration::seconds(120), "{shortest}");
        let at = entry.at;
        assert!(fires(&smallest(&found), "Down", at, seeds), "{found:?}");
        let shorter = with(&smallest(&found), |it| it.lasts = Some(shortest.saturating_sub(Duration::seconds(1))));
        assert!(!fires(&shorter, "Down", at, seeds), "{found:?}");
    }
}

#[test]
fn the_smallest_amount_and_the_fewest_members_hold_on_both_sides() {
    let plan = cluster("  - { at: 10m, task-failures: { task: t, share: 100% }, for: 10m }");
    let failing = found(&plan, "Failing", 1, 2);
    let dials: Vec<&str> = failing.faults[0].least.iter().map(|least| least.of).collect();
    assert_eq!(dials, ["amount", "duration"]);
    let small = smallest(&failing);
    assert!(fires(&small, "Failing", small.timeline[0].at, 1), "{}", failing.text());
    for (words, fired) in &failing.faults[0].smallest.as_ref().expect("found").below {
        assert_eq!(*fired, 0, "{words}");
    }

    let plan = cluster("  - { at: 10m, hang: worker, for: 10m }");
    let two = found(&plan, "Two", 1, 2);
    let members = &two.faults[0].least[0];
    assert_eq!((members.of, members.fires.as_str(), members.below.as_str()), ("members", "2 members", "1 member"));
    let small = smallest(&two);
    assert_eq!(small.timeline[0].fault.members().len(), 2);
    assert!(fires(&small, "Two", small.timeline[0].at, 1));

    let plan = cluster("  - { at: 10m, arrivals: { flow: f, times: 20x }, for: 10m }");
    let pending = found(&plan, "Pending", 1, 2);
    let small = smallest(&pending);
    assert!(fires(&small, "Pending", small.timeline[0].at, 1), "{}", pending.text());
    assert!(pending.faults[0].smallest.as_ref().expect("found").below.iter().all(|(_, fired)| *fired == 0));
}

#[test]
fn what_never_fires_or_always_has_no_smallest() {
    let plan = cluster("  - { at: 10m, kill: worker-1, for: 8m }\n  - { at: 30m, restart: worker-2 }");
    let never = found(&plan, "Never", 1, 2);
    assert!(
        !never.found()
            && never.faults.len() == 2
            && never.text().contains("does it begin to fire from this fault on, as it is: it does not")
    );
    assert!(never.text().contains("its rule with seed 1: quiet: nearest to > "), "{}", never.text());
    // It fires since before, and that does not count: nor does it begin later.
    let always = found(&plan, "Always", 1, 2);
    assert!(!always.found());
    assert!(always.text().contains("its rule with seed 1: fired: "), "{}", always.text());
    // The second is not why it fires, the first is.
    let down = found(&plan, "Down", 1, 2);
    assert!(down.faults[0].smallest.is_some() && down.faults[1].smallest.is_none(), "{}", down.text());
}

#[test]
fn more_is_not_always_worse_and_that_is_said() {
    // Down for half an hour it is below the window before it is noticed; shorter it is in it.
    let plan = cluster("  - { at: 10m, kill: worker-1, for: 8m }");
    let window = found(&plan, "Window", 1, 2);
    let small = smallest(&window);
    assert!(fires(&small, "Window", small.timeline[0].at, 1), "{}", window.text());
}

#[test]
fn it_is_the_same_on_any_number_of_threads_and_again() {
    let plan = cluster("  - { at: 10m, hang: worker, for: 10m }");
    let one = found(&plan, "Two", 2, 1);
    assert_eq!(one, found(&plan, "Two", 2, 4));
}

#[test]
fn all_shipped_scenarios_are_written_such_that_they_are_read_again() {
    for file in scenario_files() {
        let plan = Plan {
            expectations: Vec::new(),
            ..Plan::clone(&of_text(&std::fs::read_to_string(&file).expect("readable")))
        };
        let short = mock_kestra::scenario::write_short(&plan);
        let again = of_text(&short);
        // Secrets are written nowhere, and where flow files came from is not known any more.
        let again = Plan { secrets: plan.secrets.clone(), ..Plan::clone(&again) };
        assert_eq!(again, plan, "{}\n{short}", file.display());
    }
}

fn cli(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = binary().arg("sensitivity").args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_finds_says_and_writes() {
    let folder = scratch("sensitivity");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("least.yaml");
    let out = file.to_str().expect("a path");
    let (code, text, told) = cli(&["worker-killed", "--alert", "KestraWorkerDown", "--out", out]);
    assert_eq!(code, Some(0), "{text}{told}");
    assert!(text.contains("kill worker-1 for 2m") && text.contains("smallest  kill worker-1 for "), "{text}");
    // Run by itself it fires, and nothing is wrong with it.
    let output = binary().args(["check", out]).output().expect("it runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let output = binary().args(["test", out, "--format", "json"]).output().expect("it runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let alerts =
        report.pointer("/0/alerts").or_else(|| report.get("alerts")).expect("alerts").as_array().expect("a list");
    assert!(alerts.iter().any(|it| it["alert"] == "KestraWorkerDown" && it["firing"].is_number()), "{alerts:#?}");
    // Nothing is written over.
    let (code, _, told) = cli(&["worker-killed", "--alert", "KestraWorkerDown", "--out", out]);
    assert!(code == Some(2) && told.contains("is there already"), "{told}");
    let (code, text, _) =
        cli(&["worker-killed", "--alert", "KestraWorkerDown", "--format", "json", "--fault", "kill-worker-1"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(code == Some(0) && json["faults"][0]["least"][0]["of"] == "duration", "{text}");
}

#[test]
fn what_cannot_be_asked_is_told_with_what_to_write_instead() {
    for (arguments, code, wanted) in [
        (&["worker-killed", "--alert", "KestraWorkerDwn"][..], 2, "did you mean `KestraWorkerDown`"),
        (&["worker-killed", "--alert", "KestraWorkerDown", "--fault", "kill-worker-9"], 2, "kill-worker-1"),
        (&["healthy", "--alert", "KestraWorkerDown"], 2, "nothing is done to the cluster"),
        (&["no-such", "--alert", "KestraWorkerDown"], 2, "cannot read the scenario"),
        (
            &["worker-killed", "--alert", "KestraWorkerDown", "--out", "no-such-folder/x.yaml"],
            2,
            "--out: there is no folder no-such-folder",
        ),
    ] {
        let (found, text, told) = cli(arguments);
        assert!(found == Some(code) && told.contains(wanted), "{arguments:?}: {found:?} {text}{told}");
    }
}

#[test]
fn a_boundary_shows_both_of_its_sides_and_a_fault_without_an_end_goes_to_the_end() {
    let (code, text, told) = cli(&["native-memory", "--alert", "KestraDirectMemoryGrows"]);
    assert_eq!(code, Some(0), "{text}{told}");
    for line in text.lines().filter(|line| line.contains(" still fires; with ")) {
        let (fires, rest) = line.split_once(" still fires; with ").expect("two sides");
        let below = rest.split(" it ").next().expect("a side");
        assert!(!fires.ends_with(below), "{line}");
    }
    assert!(text.contains("(in the file to the end)"), "{text}");
}
