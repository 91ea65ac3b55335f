//! Every scenario against every rule: cells say what `test` says, whatever the threads do; healthy clusters are quiet, and
//! each failure is noticed.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::scenario_files;
use common::server::{binary, scratch};
use mock_kestra::lab::{Matrix, MatrixRuns, matrix};
use mock_kestra::monitor::read_rules;
use mock_kestra::random::Seed;
use mock_kestra::report::RuleKind;
use mock_kestra::run::{Watch, run};
use mock_kestra::scenario::{Anchor, NoFiles, Plan, read};
use mock_kestra::time::{Calendar, Duration, Instant};

fn watch(rules: &str) -> Watch {
    let (rules, warnings) = read_rules("rules.yml", rules).expect("sound rules");
    assert!(warnings.is_empty());
    Watch { rules, nearest: true, ..Watch::default() }
}

fn shipped_watch() -> Watch {
    watch(include_str!("../scenarios/rules/kestra.yml"))
}

fn of_text(text: &str) -> Arc<Plan> {
    let (plan, diagnostics) = read("x.yaml", text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:#?}")))
}

fn shipped(names: &[&str]) -> Vec<Arc<Plan>> {
    let files = scenario_files();
    let of = |name: &&str| {
        let file = files.iter().find(|path| path.file_stem().is_some_and(|stem| stem == *name));
        of_text(&std::fs::read_to_string(file.expect("a shipped scenario")).expect("readable"))
    };
    names.iter().map(of).collect()
}

fn all_of(plans: &[Arc<Plan>], watch: &Watch, runs: MatrixRuns) -> Matrix {
    matrix(plans, |_| Calendar::default(), watch, &runs, |_| {}).expect("no limit")
}

const ONE: MatrixRuns = MatrixRuns { first: 1, count: 1, jobs: 2, limit: None };

/// What `mock-kestra` says: exit code, standard output, standard error.
fn cli(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = binary().arg("matrix").args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_cell_says_what_test_says_of_its_scenario_and_rule() {
    let watch = shipped_watch();
    let plans = shipped(&["healthy", "worker-killed", "zombie", "alert-flows", "first-failure", "database-outage"]);
    let matrix = all_of(&plans, &watch, MatrixRuns { first: 3, ..ONE });
    assert_eq!(matrix.scenarios.len(), plans.len());
    let mut fired = 0;
    for (plan, row) in plans.iter().zip(&matrix.scenarios) {
        let report = run(plan, Seed(3), Calendar::default(), Some(&watch)).expect("no limit");
        let fault = Anchor::first_fault(plan).instant();
        for cell in &row.cells {
            let name = &cell.detection.alert;
            if let Some(flow) = name.strip_prefix("notification: ") {
                let taken = report.notifications.iter().filter(|it| it.flow == flow && it.taken && it.at >= fault);
                let first = taken.map(|it| it.at).min();
                assert_eq!(cell.detection.p50, first.map(|at| at.since(fault).as_seconds_f64()), "{name}");
                continue;
            }
            let line = report.rules.iter().find(|line| line.rule == *name && line.kind != RuleKind::Record);
            assert_eq!(cell.told, line.expect("a rule").told, "{name} in {}", plan.name);
            let lives: Vec<(Instant, Option<Instant>)> = report
                .alerts
                .iter()
                .flatten()
                .filter(|line| line.alert == *name)
                .filter_map(|line| Some((line.firing?, line.resolved)))
                .collect();
            // Read again by hand, without the anchors of expectations.
            let first = lives.iter().map(|(firing, _)| *firing).filter(|firing| *firing >= fault).min();
            let before =
                lives.iter().any(|(firing, over)| *firing < fault && over.is_none_or(|at| at > Instant::START));
            let (expected, before) = match row.failure.is_some() {
                true => (first.map(|at| at.since(fault).as_seconds_f64()), before),
                false => (None, !lives.is_empty()),
            };
            assert_eq!(cell.detection.p50, expected, "{name} in {}", plan.name);
            assert_eq!(cell.detection.before, u64::from(before), "{name} in {}", plan.name);
            fired += usize::from(expected.is_some());
        }
    }
    assert!(fired > 10, "{fired} rules fired");
}

#[test]
fn it_is_the_same_on_any_number_of_threads() {
    let (watch, plans) = (shipped_watch(), shipped(&["worker-killed", "idle", "heap-leak"]));
    let with = |jobs: usize| all_of(&plans, &watch, MatrixRuns { count: 3, jobs, ..ONE });
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one.json(), with(7).json());
    assert_eq!(one.runs, 3);
}

#[test]
fn the_text_of_all_shipped_scenarios_fits_a_terminal_and_is_golden() {
    let (code, text, told) = cli(&[]);
    assert_eq!((code, told.as_str()), (Some(0), ""), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("matrix", text);
    });
    let (_, wide, _) = cli(&["--wide"]);
    for path in scenario_files() {
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        assert!(text.contains(&format!("\n{name}: ")) || text.starts_with(&format!("{name}: ")), "{name}");
        assert!(wide.contains(name), "{name}");
    }
}

#[test]
fn no_shipped_rule_fires_in_a_day_of_a_healthy_cluster() {
    for (name, seeds) in [("healthy", 3), ("healthy-cluster", 1), ("idle", 2)] {
        let plan = Plan { duration: Duration::minutes(24 * 60), ..(*shipped(&[name])[0]).clone() };
        let watch = Watch { nearest: false, ..shipped_watch() };
        let matrix = all_of(&[Arc::new(plan)], &watch, MatrixRuns { count: seeds, ..ONE });
        assert!(matrix.coverage.false_alarms.is_empty(), "{name}: {:#?}", matrix.coverage.false_alarms);
    }
}

#[test]
fn every_failure_with_a_trace_is_noticed_with_several_seeds_and_no_rule_cries_wolf() {
    let plans: Vec<Arc<Plan>> =
        scenario_files().iter().map(|path| of_text(&std::fs::read_to_string(path).expect("readable"))).collect();
    let watch = Watch { nearest: false, ..shipped_watch() };
    let matrix = all_of(&plans, &watch, MatrixRuns { first: 2, count: 3, ..ONE });
    assert!(!matrix.found(), "{}", matrix.text());
    let expected: Vec<&str> = matrix.coverage.unnoticed.iter().map(|it| it.scenario.as_str()).collect();
    assert_eq!(expected, ["first-failure"], "a single failure has no trace that a rule may go by");
    assert_eq!(matrix.coverage.failures, plans.len() - 3);
    // Each rule is there for something.
    let alerts = matrix.coverage.idle.iter().filter(|it| !it.rule.starts_with("notification: "));
    assert_eq!(alerts.count(), 0, "{:#?}", matrix.coverage.idle);
}

/// A member is gone for a minute from 5m on, and up again some seconds after 6m.
const KILLED: &str = "name: x\nduration: 15m\ntimeline: [ { at: 5m, kill: standalone-1, for: 1m } ]\n";

fn rule(name: &str, expr: &str, hold: &str) -> String {
    format!("groups: [ {{ name: g, rules: [ {{ alert: {name}, expr: '{expr}', for: {hold} }} ] }} ]\n")
}

#[test]
fn what_fires_before_the_failure_is_a_false_alarm_and_what_fires_after_its_end_is_late() {
    let outcome = |expr: &str, hold: &str, limit: Option<Duration>| {
        let matrix = all_of(&[of_text(KILLED)], &watch(&rule("A", expr, hold)), MatrixRuns { limit, ..ONE });
        let row = &matrix.scenarios[0];
        let over = row.failure.as_ref().expect("a failure").over.expect("an end");
        assert!(over > Instant::START + Duration::minutes(6) && over < Instant::START + Duration::seconds(390));
        let cell = &row.cells[0];
        (cell.outcome.name(), cell.detection.before, cell.detection.fired, cell.late, row.noticed, matrix.found())
    };
    assert_eq!(outcome("up == 0", "0s", None), ("fires", 0, 1, 0, 1, false));
    assert_eq!(outcome("up == 0", "0s", Some(Duration::milliseconds(1))), ("late", 0, 1, 1, 1, false));
    assert_eq!(outcome("changes(process_start_time_seconds[5m]) > 0", "1m", None), ("late", 0, 1, 1, 1, false));
    assert_eq!(outcome("up == 0", "5m", None), ("pending", 0, 0, 0, 0, true));
    assert_eq!(outcome("up == 2", "0s", None), ("quiet", 0, 0, 0, 0, true));
    assert_eq!(outcome("upp == 0", "0s", None), ("dead", 0, 0, 0, 0, true));
    // It fires since before; that it goes on is no notice.
    assert_eq!(outcome("vector(1)", "0s", None), ("false alarm", 1, 0, 0, 0, true));
    assert_eq!(outcome("up == 1", "0s", None), ("false alarm", 1, 1, 1, 1, true));
}

#[test]
fn where_nothing_is_done_all_that_fires_is_a_false_alarm_and_silence_may_be_expected() {
    let healthy = of_text("name: h\nduration: 5m\n");
    let expected = of_text(&format!("{KILLED}expect: [ {{ alert: \"*\", never: true }} ]\n"));
    let matrix = all_of(std::slice::from_ref(&healthy), &watch(&rule("A", "up == 1", "0s")), ONE);
    assert!(matrix.scenarios[0].failure.is_none() && matrix.found());
    assert_eq!(matrix.coverage.false_alarms[0].rule, "A");
    assert!(matrix.coverage.false_alarms[0].healthy);
    let matrix = all_of(&[healthy, expected], &watch(&rule("A", "up == 2", "0s")), ONE);
    assert!(!matrix.found() && matrix.coverage.unnoticed[0].expected);
    assert_eq!((matrix.coverage.failures, matrix.coverage.noticed), (1, 0));
    assert_eq!(matrix.coverage.idle[0].rule, "A");
}

#[test]
fn a_message_that_is_taken_is_a_notice_and_a_lost_one_is_none() {
    let flows = "name: n\nduration: 5m\nflows:\n  - id: report\n    namespace: company\n    \
        tasks: [ { id: t, type: io.kestra.plugin.core.execution.Fail } ]\n    \
        errors: [ { id: tell, type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"https://hooks.slack.com/x\", messageText: failed } ]\n\
        commands: [ { at: 1m, execute: report } ]\n";
    let rules = watch(&rule("A", "up == 2", "0s"));
    let matrix = all_of(&[of_text(flows)], &rules, ONE);
    assert_eq!(matrix.rules, ["A", "notification: company.report"]);
    assert_eq!((matrix.scenarios[0].noticed, matrix.found()), (1, false), "{}", matrix.text());
    let lost = of_text(&format!("{flows}receivers: {{ slack: 500 }}\n"));
    let matrix = all_of(&[lost], &rules, ONE);
    assert!(matrix.found());
    assert!(
        matrix.scenarios[0].cells[1].told.contains("a message was lost at 1m"),
        "{:?}",
        matrix.scenarios[0].cells[1]
    );
}

#[test]
fn only_a_message_that_something_failed_is_an_alarm() {
    const SLACK: &str =
        "type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"https://hooks.slack.com/x\", messageText: hi";
    const FLOW: &str = "triggers: [ { id: t, type: io.kestra.plugin.core.trigger.Flow";
    let noticers = |flow: &str, more: &str, work: &str| {
        let text = format!(
            "name: n\nkestra: \"1.3\"\nduration: 3m\nflows:\n  - id: work\n    namespace: a\n    tasks: [ {{ id: w, {work} }} ]\n  \
             - id: post\n    namespace: b\n{flow}commands: [ {{ at: 1m, execute: {more} }} ]\n"
        );
        let matrix = all_of(&[of_text(&text)], &watch(&rule("A", "up == 2", "0s")), ONE);
        let alarms: u64 =
            matrix.scenarios[0].cells.iter().map(|cell| cell.detection.before + cell.detection.fired).sum();
        (matrix.rules.len() - 1, alarms)
    };
    let (log, fail) = ("type: io.kestra.plugin.core.log.Log", "type: io.kestra.plugin.core.execution.Fail");
    // What a flow posts as its work, before it fails or behind another one that has ended well, is none.
    let own = format!("    tasks: [ {{ id: s, {SLACK} }} ]\n");
    assert_eq!(noticers(&own, "post", log), (0, 0));
    let after = |trigger: &str| format!("    {FLOW}{trigger} }} ]\n    tasks: [ {{ id: s, {SLACK} }} ]\n");
    assert_eq!(noticers(&after(", states: [ SUCCESS ]"), "work", log), (0, 0));
    let status = |key: &str, state: &str| {
        format!(", conditions: [ {{ type: io.kestra.plugin.core.condition.ExecutionStatus, {key}: [ {state} ] }} ]")
    };
    assert_eq!(noticers(&after(&status("in", "SUCCESS")), "work", log), (0, 0));
    // What it posts because something failed is one.
    assert_eq!(noticers(&after(", states: [ SUCCESS, FAILED ]"), "work", fail), (1, 1));
    assert_eq!(noticers(&after(&status("in", "FAILED, WARNING")), "work", fail), (1, 1));
    assert_eq!(noticers(&after(&status("notIn", "SUCCESS")), "work", fail), (1, 1));
    assert_eq!(noticers(&after(""), "work", fail), (1, 1));
    let errors = format!("    tasks: [ {{ id: w, {fail} }} ]\n    errors: [ {{ id: s, {SLACK} }} ]\n");
    assert_eq!(noticers(&errors, "post", log), (1, 1));
    let then = format!(
        "    tasks: [ {{ id: w, {fail} }} ]\n    afterExecution:\n      \
         - {{ id: s, {SLACK}, runIf: \"{{{{ execution.state == 'FAILED' }}}}\" }}\n      - {{ id: always, {SLACK} }}\n"
    );
    assert_eq!(noticers(&then, "post", log), (1, 1));
    // A label that an `sla` gives says that something is wrong, whatever the state.
    let label = ", states: [ SUCCESS ], conditions: [ { type: io.kestra.plugin.core.condition.ExecutionLabels, labels: { sla: missed } } ]";
    let sla = "sla: [ { id: q, type: MAX_DURATION, behavior: NONE, duration: PT1S, labels: { sla: missed } } ]";
    let slow = format!("{log} }} ]\n    {sla}\n    outputs: [ {{ id: o, type: STRING, value: x");
    assert_eq!(noticers(&after(label), "work", &slow).0, 1);
}

#[test]
fn its_forms_tell_the_same_and_need_nothing_else() {
    let file = scratch("odd.yaml");
    std::fs::write(&file, KILLED.replace("name: x", "name: \"<b>|odd\"")).expect("written");
    let file = file.to_str().expect("UTF-8");
    let junit = scratch("junit.xml");
    let html = cli(&["--scenarios", file, "worker-killed", "healthy", "--format", "html"]).1;
    assert_eq!(html.matches("<svg").count(), 3);
    assert_eq!(html.matches("<title id=").count(), 3, "each drawing has a title for who cannot see it");
    assert!(html.contains("&lt;b&gt;|odd") && !html.contains("<b>"));
    assert!(
        !html.contains("<script") && !html.contains("http://") && !html.contains("https://"),
        "it needs nothing else"
    );
    assert_eq!(html.matches("<section").count(), html.matches("</section>").count());
    let (_, markdown, _) =
        cli(&["--scenarios", file, "--format", "markdown", "--junit", junit.to_str().expect("UTF-8")]);
    assert!(markdown.contains("| \\<b\\>\\|odd | kill-standalone-1 at 5m"), "{markdown}");
    let junit = std::fs::read_to_string(junit).expect("written");
    assert!(junit.contains("name=\"its failure is noticed\"") && junit.contains("&lt;b&gt;|odd"), "{junit}");
    let (_, json, _) = cli(&["--scenarios", "worker-killed", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["scenarios"][0]["failure"]["at"], 600.0);
    assert_eq!(json["scenarios"][0]["cells"][0]["outcome"], "fires");
}

#[test]
fn scenarios_are_named_by_family_pattern_or_file_and_what_is_wrong_is_told() {
    let rows = |words: &[&str]| {
        let (code, out, err) = cli(&[&["--format", "json", "--scenarios"], words].concat());
        assert_ne!(code, Some(2), "{err}");
        let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let rows = json["scenarios"].as_array().expect("rows").clone();
        rows.iter().map(|row| row["scenario"].as_str().expect("a name").to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(rows(&["jvm"]), ["heap-leak", "webserver-heap", "long-gc-pause", "event-loop-blocked"]);
    assert_eq!(rows(&["worker-k*", "worker-killed", "idle"]), ["worker-killed", "idle"]);
    let folder = scratch("first.yaml");
    std::fs::write(&folder, KILLED).expect("written");
    assert_eq!(rows(&[folder.to_str().expect("UTF-8")]), ["x"]);
    for (arguments, told) in [
        (&["--scenarios", "worker-kiled"][..], "did you mean `worker-killed`?"),
        (&["--scenarios", "nothing-*"], "no file fits it"),
        (&["--rules", "/nowhere.yml"], "cannot read the rules `/nowhere.yml`"),
        (&["--late", "soon"], "--late"),
        (&["--wide", "--format", "html"], "--wide is for --format text"),
        (&["--seeds", "100000"], "at most 100000 go"),
        (&["--scenarios", "controller-lost", "--kestra", "9.9"], "9.9"),
    ] {
        let (code, _, err) = cli(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(err.contains(told), "{told} in {err}");
    }
}

#[test]
fn exit_codes_say_what_was_found() {
    let file = scratch("quiet.yml");
    let rules = file.to_str().expect("UTF-8");
    let with = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).expect("written");
        cli(&[&["--rules", rules, "--scenarios", "worker-killed"], more].concat())
    };
    assert_eq!(with(&rule("A", "up == 0", "0s"), &["--strict"]).0, Some(0));
    assert_eq!(with(&rule("A", "up == 2", "0s"), &[]).0, Some(1), "nobody notices");
    assert_eq!(with(&rule("A", "up == 1", "0s"), &[]).0, Some(1), "a false alarm");
    let two = "groups: [ { name: g, rules: [ { alert: A, expr: up == 0 }, { alert: B, expr: nothing > 0 } ] } ]\n";
    let (code, out, _) = with(two, &[]);
    assert_eq!(code, Some(0));
    assert!(out.contains("B                         dead: there is no series called `nothing`"), "{out}");
    let (code, _, err) = with(two, &["--strict"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("warning: the rule B can do nothing"), "{err}");
}

#[test]
fn a_folder_of_scenarios_may_hold_rules_too() {
    let folder = scratch("with-rules");
    std::fs::create_dir_all(folder.join("rules")).expect("a folder");
    std::fs::write(folder.join("one.yaml"), "name: one\nextends: idle\nduration: 20m\n").expect("written");
    std::fs::write(folder.join("rules/rules.yml"), "groups: []\n").expect("written");
    std::fs::write(folder.join("rules/prometheus.yml"), "scrape_configs: []\n").expect("written");
    let (code, text, told) = cli(&["--scenarios", folder.to_str().expect("UTF-8")]);
    assert_eq!((code, told.as_str()), (Some(0), ""), "{text}");
    assert!(text.starts_with("one: "), "{text}");
    std::fs::remove_file(folder.join("one.yaml")).expect("removed");
    let (code, _, told) = cli(&["--scenarios", folder.to_str().expect("UTF-8")]);
    assert!(code == Some(2) && told.contains("only rules, and no scenario"), "{told}");
}
