//! The command line: help, exit codes, taken ports, a clean end.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::net::TcpListener;
use std::process::Command;

use common::server::{Mock, binary, eventually, run, scratch};
use wiremock::matchers::{method, path};
use wiremock::{Mock as Answer, MockServer, ResponseTemplate};

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for word in [
        "serve",
        "run",
        "test",
        "explain",
        "sweep",
        "matrix",
        "sensitivity",
        "fuzz",
        "contract",
        "export",
        "check",
        "list",
        "schema",
        "healthcheck",
        "Exit codes",
    ] {
        assert!(out.contains(word), "{word} in {out}");
    }
    assert_eq!(run(&["serve", "--help"]).0, Some(0));
    assert_eq!(run(&["swerve"]).0, Some(2));
    assert_eq!(run(&["serve", "--speed", "0"]).0, Some(2));
    assert_eq!(run(&["run", "healthy", "--start", "monday"]).0, Some(2));
}

#[test]
fn list_check_schema_and_run_do_what_they_say() {
    let (code, list, _) = run(&["list"]);
    assert_eq!(code, Some(0));
    for path in common::scenario_files() {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let line = list.lines().position(|line| line.trim_start().split(' ').next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name} in {list}"));
        // What lies in a folder is of that family.
        let family = list.lines().take(line).filter(|line| line.ends_with(':')).last().expect("a family");
        let folder = path.parent().and_then(|folder| folder.file_name()).and_then(|name| name.to_str());
        assert!(folder == Some("scenarios") || folder == family.strip_suffix(':'), "{name} in {family}");
        let (code, out, err) = run(&["check", path.to_str().expect("UTF-8")]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{name}");
        assert!(out.starts_with(&format!("{name}: ")), "{out}");
    }
    assert!(run(&["schema"]).1.contains("\"$schema\""));
    for (name, folder) in [("worker-killed.yaml", ""), ("kestra.yml", "rules"), ("overview.json", "dashboards")] {
        let there = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(folder).join(name);
        let (code, shown, _) = run(&["show", name.strip_suffix(".yaml").unwrap_or(name)]);
        assert_eq!((code, shown), (Some(0), std::fs::read_to_string(there).expect("it ships")), "{name}");
    }
    let (code, shown, err) = run(&["show", "worker-kiled"]);
    assert_eq!((code, shown.as_str()), (Some(2), ""));
    assert!(err.contains("did you mean `worker-killed`?"), "{err}");
    let (code, report, _) = run(&["run", "worker-killed"]);
    assert_eq!(code, Some(0));
    assert!(report.contains("worker-1 is DISCONNECTED"), "{report}");
    assert_eq!(run(&["run", "worker-killed"]).1, report, "the same seed gives the same report");
    assert_ne!(run(&["run", "worker-killed", "--seed", "2"]).1, report, "another seed another one");
    let (_, json, _) = run(&["run", "worker-killed", "--format", "json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok_and(|json| json["scenario"] == "worker-killed"));
}

#[test]
fn wrong_input_is_exit_2_and_an_expectation_not_met_exit_1() {
    let (code, out, err) = run(&["check", "helthy"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("did you mean the shipped scenario `healthy`?"), "{err}");
    let file = scratch("wrong.yaml");
    std::fs::write(&file, "name: wrong\ntimelime: []\n").expect("written");
    let (code, _, err) = run(&["run", file.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(2));
    assert!(err.contains("wrong.yaml:2:1") && err.contains("did you mean `timeline`?"), "{err}");
    let file = scratch("unmet.yaml");
    std::fs::write(&file, "name: unmet\nduration: 1m\nexpect: [ { health: standalone-1, status: DOWN, at: 10s } ]\n")
        .expect("written");
    let (code, out, _) = run(&["run", file.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(1));
    assert!(out.contains("NOT MET"), "{out}");
}

#[test]
fn test_judges_alerts_and_tells_machines_as_well() {
    let junit = scratch("junit.xml");
    let (code, out, _) = run(&["test", "worker-killed", "healthy", "--junit", junit.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("KestraWorkerDown") && out.contains("5 expectations met, 0 not met"), "{out}");
    let xml = std::fs::read_to_string(&junit).expect("written");
    assert!(xml.contains("<testsuite name=\"worker-killed\" tests=\"5\" failures=\"0\" skipped=\"0\""), "{xml}");
    assert!(xml.contains("<testsuite name=\"worker-killed rules\" tests=\"37\" failures=\"0\" skipped=\"2\""), "{xml}");
    let rules = scratch("rules.yml");
    std::fs::write(
        &rules,
        "groups: [ { name: g, rules: [ { alert: KestraWorkerDown, expr: up == 0, for: 20m } ] } ]\n",
    )
    .expect("written");
    let rules = rules.to_str().expect("UTF-8");
    let (code, out, _) = run(&["test", "worker-killed", "--rules", rules]);
    assert_eq!(code, Some(1));
    assert!(out.contains("NOT MET     alert KestraWorkerDown") && out.contains("only pending, from 10m"), "{out}");
    let (_, json, _) = run(&["test", "worker-killed", "--rules", rules, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["alerts"][0]["alert"], "KestraWorkerDown");
    assert_eq!(json[0]["rules"][0]["state"], "pending");
    assert_eq!(json[0]["targets"][3]["failed"], 8);
    assert_eq!(json[0]["targets"][3]["last_error"][1], "connect: connection refused");
    // An alert that no rule knows is a failure unless one is lenient.
    let other = "groups: [ { name: g, rules: [ { alert: KestraWorkerDwn, expr: up == 0 } ] } ]\n";
    std::fs::write(rules, other).expect("written");
    let (code, out, _) = run(&["test", "worker-killed", "--rules", rules]);
    assert_eq!(code, Some(1));
    assert!(out.contains("no rule alerts as `KestraWorkerDown`; did you mean `KestraWorkerDwn`?"), "{out}");
    let (code, out, _) = run(&["test", "worker-killed", "--lenient", "--rules", rules]);
    assert_eq!(code, Some(0));
    assert!(out.ends_with("4 expectations met, 0 not met, 1 not judged\n"), "{out}");
    std::fs::write(rules, "groups: [ { name: g, rules: [ { alert: A, expr: rate(up) } ] } ]\n").expect("written");
    let (code, out, err) = run(&["test", "worker-killed", "--rules", rules]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
}

/// The exit code, and the last line on standard error.
fn strictly(arguments: &[&str]) -> (Option<i32>, String) {
    let (code, _, err) = run(arguments);
    (code, err.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn strict_makes_every_warning_exit_1_and_says_how_many_there_were() {
    let (one, two) = ("1 warning: with --strict this is exit code 1", "2 warnings: with --strict this is exit code 1");
    let file = scratch("late.yaml");
    let late = file.to_str().expect("UTF-8");
    std::fs::write(
        &file,
        "name: late\nduration: 1m\nexpect: [ { event: x, at: 2m }, { event: standalone, at: 3m } ]\n",
    )
    .expect("written");
    assert_eq!(run(&["check", late]).0, Some(0));
    assert_eq!(strictly(&["check", "--strict", late]), (Some(1), two.to_owned()));
    assert_eq!(strictly(&["run", "--strict", late]).1, two);
    assert_eq!(strictly(&["check", "--strict", "healthy"]), (Some(0), String::new()));
    assert_eq!(strictly(&["run", "--strict", "healthy"]), (Some(0), String::new()));
    // What only `test` can judge is no success of `run`.
    let unjudged = scratch("unjudged.yaml");
    let path = unjudged.to_str().expect("UTF-8");
    let expected = "{ alert: A, never: true }, { health: standalone-1, status: UP, at: 30s }";
    std::fs::write(&unjudged, format!("name: x\nduration: 1m\nexpect: [ {expected} ]\n")).expect("written");
    assert_eq!(run(&["run", path]).0, Some(0));
    let (code, _, err) = run(&["run", "--strict", path]);
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("warning: 1 of 2 expectations are not judged: they need alert rules; `mock-kestra test "),
        "{err}"
    );
    // Those that are not shown count too.
    let many = "{ event: x, at: 2m }, ".repeat(150);
    std::fs::write(&file, format!("name: many\nduration: 1m\nexpect: [ {many} ]\n")).expect("written");
    assert_eq!(
        strictly(&["check", "--strict", late]),
        (Some(1), "150 warnings: with --strict this is exit code 1".to_owned())
    );
    // A rule that can do nothing, and one that fails.
    let file = scratch("rules.yml");
    let rules = file.to_str().expect("UTF-8");
    let write = |rules: &str| {
        std::fs::write(&file, format!("groups: [ {{ name: g, rules: [ {rules} ] }} ]\n")).expect("written");
    };
    let test = |more: &[&str]| strictly(&[&["test", "healthy", "--rules", rules], more].concat());
    write("{ alert: A, expr: up == 0 }");
    assert_eq!(test(&["--strict"]), (Some(0), String::new()));
    write("{ alert: A, expr: 'up{role=\"wrker\"} == 0' }");
    assert_eq!(test(&[]), (Some(0), String::new()), "the table has told of it");
    assert_eq!(test(&["--strict"]), (Some(1), one.to_owned()));
    // Another scenario has what it reads.
    write("{ alert: A, expr: 'up{role=\"worker\"} == 2' }");
    assert_eq!(test(&["--strict"]), (Some(1), one.to_owned()));
    assert_eq!(test(&["--strict", "idle", "healthy-cluster"]), (Some(0), String::new()));
    write(
        "{ alert: A, expr: up * on (job) group_right up == 5 }, { alert: B, expr: 'count(up) by (x) / on (y) up{x=\"z\"}' }",
    );
    let (_, out, err) = run(&["test", "healthy-cluster", "--strict", "--rules", rules]);
    assert!(out.contains("  failed    A ") && out.contains("  dead      B "), "{out}");
    assert!(err.contains("warning: healthy-cluster: the rule A could not be evaluated: "), "{err}");
    assert!(
        err.contains("warning: the rule B can do nothing in this run: ") && err.ends_with(&format!("{two}\n")),
        "{err}"
    );
    // With many seeds too.
    let (code, out, _) = run(&["test", "healthy-cluster", "--strict", "--seeds", "2", "--rules", rules]);
    assert_eq!(code, Some(1));
    assert!(out.contains("\nRules\n  failed    A "), "{out}");
}

#[test]
fn a_run_without_a_rule_or_a_target_is_told() {
    let file = scratch("none.yml");
    let path = file.to_str().expect("UTF-8");
    for (option, text, told) in [
        ("--rules", "groups: []\n", "warning: healthy: there is no rule: no alert can fire\n"),
        ("--rules", "groups: [ { name: g, rules: [] } ]\n", "warning: healthy: there is no rule: no alert can fire\n"),
        (
            "--prometheus",
            "rule_files: [ r.yml ]\nscrape_configs: [ { job_name: node, static_configs: [ { targets: [ \"db:9100\" ] } ] } ]\n",
            "note: healthy: job node has no target in this scenario\n\
             warning: healthy: nothing is scraped: no job has a target in this scenario\n",
        ),
    ] {
        std::fs::write(&file, text).expect("written");
        std::fs::write(
            file.with_file_name("r.yml"),
            "groups: [ { name: g, rules: [ { alert: A, expr: vector(0) > 1 } ] } ]\n",
        )
        .expect("written");
        let (code, _, err) = run(&["test", "healthy", option, path]);
        assert_eq!(code, Some(0));
        assert!(err.ends_with(told) && !err.replace(told, "").contains("warning"), "{err}");
        let (code, last) = strictly(&["test", "healthy", "--strict", option, path]);
        assert_eq!(code, Some(1), "{last}");
        assert!(last.ends_with("with --strict this is exit code 1"), "{last}");
    }
    // A job of which a target is no member is no longer the job it was.
    let targets = "scrape_configs: [ { job_name: k, static_configs: [ { targets: [ \"standalone-1:8081\", \"worker-9:8081\" ] } ] } ]\n";
    std::fs::write(&file, format!("rule_files: [ r.yml ]\n{targets}")).expect("written");
    let (_, _, err) = run(&["test", "healthy", "--prometheus", path]);
    assert_eq!(err, "warning: healthy: job k: no member is behind worker-9:8081: every scrape of it fails\n");
    // A target that never answers is warned of, with many seeds as with one.
    let targets = "scrape_configs: [ { job_name: k, scheme: https, static_configs: [ { targets: [ \"standalone-1:8081\" ] } ] } ]\n";
    std::fs::write(&file, format!("rule_files: [ r.yml ]\n{targets}")).expect("written");
    for seeds in ["1..1", "1..3"] {
        let (code, _, err) = run(&["test", "healthy", "--seeds", seeds, "--strict", "--prometheus", path]);
        assert_eq!(code, Some(1), "{err}");
        assert_eq!(err.matches("https://standalone-1:8081/metrics never answered in ").count(), 1, "{err}");
    }
}

#[test]
fn a_scenario_is_run_and_judged_as_another_version_of_kestra() {
    let (_, shipped, _) = run(&["run", "worker-killed"]);
    assert_eq!(run(&["run", "worker-killed", "--kestra", "1.3"]).1, shipped);
    let (code, out, _) = run(&["run", "worker-killed", "--kestra", "2.0"]);
    assert_eq!(code, Some(0));
    assert_ne!(out, shipped);
    let file = scratch("rules.yml");
    let rules = file.to_str().expect("UTF-8");
    let new = "groups: [ { name: g, rules: [ { alert: New, expr: sum(kestra_worker_max_concurrency) > 1e9 } ] } ]\n";
    std::fs::write(&file, new).expect("written");
    let test = |kestra: &str| run(&["test", "--strict", "--rules", rules, "healthy", "--kestra", kestra]);
    let (code, out, err) = test("1.3");
    assert_eq!(code, Some(1));
    assert!(out.contains("  dead      New") && err.contains("Kestra 1.3 has no such meter, 2.0 has"), "{out}{err}");
    assert_eq!(test("2.0").0, Some(0));
    // Each is judged; a rule that is of use to one of them is no dead rule.
    let (code, out, err) = test("1.3,2.0");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("healthy with Kestra 1.3: ") && out.contains("\nhealthy with Kestra 2.0: "), "{out}");
    let (code, out, err) = run(&["check", "worker-killed", "--kestra", "2.0"]);
    assert!(code == Some(0) && out.contains("Kestra 2.0"), "{out}{err}");
    for (command, wrong, told) in [
        ("run", "3.0", "3.0"),
        ("test", "1.3,nine", "nine"),
        ("run", "1.3", "Kestra 1.3 has no controller, and the scenario controlled asks for one"),
        ("test", "2.0,1.3", "Kestra 1.3 has no controller, and the scenario controlled asks for one"),
        ("check", "1.3", "Kestra 1.3 has no controller, and the scenario controlled asks for one"),
    ] {
        let file = scratch("controlled.yaml");
        let text = "name: controlled\nkestra: \"2.0\"\ncluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 1, controller: 1 } }\n";
        std::fs::write(&file, text).expect("a file");
        let (code, out, err) = run(&[command, file.to_str().expect("UTF-8"), "--kestra", wrong]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong}");
        assert!(err.contains(told), "{told} in {err}");
    }
}

#[test]
fn explain_knows_meters_of_other_versions_and_rules_that_record() {
    let (code, out, _) = run(&["explain", "hidden-backlog", "--alert", "KestraWorkerJobsPending"]);
    assert_eq!(code, Some(0));
    for part in [
        "the rule that records `kestra:worker_jobs_pending:sum` finds nothing",
        "there is no series called `kestra_worker_job_pending`: Kestra 2.0 has no such meter, 1.3 has, here `kestra_worker_queue_size`",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
}

#[test]
fn explain_says_what_keeps_an_alert_quiet() {
    let rules = scratch("rules.yml");
    let file = rules.to_str().expect("UTF-8");
    let cases = [
        ("up{role=\"wrker\"} == 0", "none with role like \"wrker\"; did you mean \"worker\"?"),
        (
            "kestra_worker_job_pendin > 3",
            "no series called `kestra_worker_job_pendin`; did you mean `kestra_worker_job_pending`?",
        ),
        ("kestra_worker_job_running > 100", "never is > 100: the nearest is 8 at"),
        ("kestra_worker_job_running / hikaricp_connections > 3", "has the labels of one of `hikaricp_connections`"),
        ("rate(up[15s]) > 0", "needs more samples than there are in its range"),
        ("absent(up)", "`up` is never absent"),
        ("kestra_worker_job_running > 1000 and up == 1", "never is > 1000"),
        ("sum(kestra_worker_job_running) > sum(kestra_worker_job_thread)", "the nearest differs by 0"),
    ];
    let rule = |(index, (expr, _)): (usize, &(&str, &str))| format!("      - {{ alert: A{index}, expr: '{expr}' }}\n");
    let all: String = cases.iter().enumerate().map(rule).collect();
    let text = format!("groups:\n  - name: g\n    rules:\n{all}      - {{ alert: Long, expr: up == 0, for: 20m }}\n");
    std::fs::write(&rules, text).expect("written");
    let explain = |alert: &str, more: &[&str]| {
        let mut arguments = vec!["explain", "worker-killed", "--rules", file, "--alert", alert];
        arguments.extend(more);
        run(&arguments)
    };
    for (index, (expr, why)) in cases.iter().enumerate() {
        let (code, out, _) = explain(&format!("A{index}"), &[]);
        let verdict = out.lines().next().unwrap_or_default();
        assert_eq!(code, Some(0));
        assert!(verdict.contains(why), "{expr}: {verdict}");
    }
    assert!(explain("Long", &[]).1.contains("it held for 2m, of the 20m it must"));
    let (_, out, _) = explain("Long", &["--at", "11m"]);
    assert!(out.contains("it is pending, since 10m"), "{out}");
    let (_, out, _) = explain("Long", &["--at", "5m"]);
    assert!(out.contains("it is inactive: `up` never is == 0: the nearest is 1 at"), "{out}");
    let (code, out, _) = run(&["explain", "worker-killed", "--alert", "KestraWorkerDown", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(code, Some(0));
    assert!(json["verdict"].as_str().is_some_and(|verdict| verdict.starts_with("it fires: from 11m")), "{json}");
    let (code, _, err) = explain("Lng", &[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("did you mean `Long`?"), "{err}");
    assert_eq!(explain("Long", &["--at", "3h"]).0, Some(2));
    let grafana = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/rules/grafana.yaml");
    let (_, out, _) = run(&["explain", "worker-killed", "--rules", grafana, "--alert", "KestraDown"]);
    assert!(out.contains("it fires: from 11m") && out.contains("C: A < 1"), "{out}");
    let (_, out, _) = run(&["explain", "worker-killed", "--rules", grafana, "--alert", "KestraWorkerJobsPending"]);
    assert!(out.lines().next().is_some_and(|line| line.contains("never is anything but 0")), "{out}");
}

#[test]
fn many_seeds_are_judged_together_on_any_number_of_threads() {
    let test = |more: &[&str]| {
        let mut arguments = vec!["test", "heap-leak", "healthy", "--seeds", "3..8"];
        arguments.extend(more);
        run(&arguments)
    };
    let (code, out, err) = test(&["--jobs", "1"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("6 seeds from 3") && out.contains(": 6 of 6"), "{out}");
    assert_eq!(test(&["--jobs", "4"]).1, out);
    let (_, json, _) = test(&["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(12));
    assert_eq!(json[5]["seed"], 8);
    for wrong in ["8..3", "a..b", "1..1000000"] {
        let (code, _, err) = run(&["test", "healthy", "--seeds", wrong]);
        assert_eq!(code, Some(2));
        assert!(err.contains("write for example 1..20"), "{err}");
    }
    // How near it came is told.
    let rules = scratch("rules.yml");
    std::fs::write(
        &rules,
        "groups: [ { name: g, rules: [ { alert: KestraWorkerDown, expr: 'kestra_worker_job_running > 99' } ] } ]\n",
    )
    .expect("written");
    let (code, out, _) = run(&["test", "worker-killed", "--rules", rules.to_str().expect("UTF-8"), "--seeds", "2"]);
    assert_eq!(code, Some(1));
    assert!(
        out.contains(
            "0 of 2; with seed 1: never active: `kestra_worker_job_running` never is > 99: the nearest is 8 at"
        ),
        "{out}"
    );
}

#[test]
fn a_sweep_and_a_matrix_take_one_seed_as_well() {
    let (code, one, err) = run(&["sweep", "worker-killed", "--seed", "7"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(one.starts_with("worker-killed: 1 run, seed 7, delays from kill-worker-1 at 10m\n"), "{one}");
    assert_eq!(run(&["sweep", "worker-killed", "--seeds", "7..7"]).1, one);
    let matrix = |more: &[&str]| run(&[&["matrix", "--scenarios", "worker-killed"] as &[&str], more].concat());
    let (code, one, err) = matrix(&["--seed", "7"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(one.contains("(seed 7)"), "{one}");
    assert_eq!(matrix(&["--seeds", "7..7"]).1, one);
    // One that is drawn is told, so that it can be had again.
    let (_, drawn, _) = matrix(&["--seed", "random"]);
    let seed = drawn.rsplit_once("(seed ").and_then(|(_, rest)| rest.split_once(')')).expect("a seed").0;
    assert_eq!(matrix(&["--seed", seed]).1, drawn);
    assert_eq!(matrix(&["--seed", "7", "--seeds", "3"]).0, Some(2));
}

#[test]
fn a_sweep_tells_of_dead_and_failed_rules_and_strict_counts_them() {
    let file = scratch("dead.yml");
    let rules = file.to_str().expect("UTF-8");
    let write = |rules: &str| {
        std::fs::write(&file, format!("groups: [ {{ name: g, rules: [ {rules} ] }} ]\n")).expect("written");
    };
    let sweep = |more: &[&str]| run(&[&["sweep", "worker-killed", "--seeds", "2", "--rules", rules], more].concat());
    write(
        "{ alert: A, expr: nothing > 1 }, { alert: B, expr: up * on (job) up }, { alert: C, expr: 'up > 3 or upp > 3' }",
    );
    let (code, _, err) = sweep(&[]);
    assert_eq!(code, Some(0), "{err}");
    for warning in [
        "warning: the rule A can do nothing in every run: there is no series called `nothing`",
        "warning: worker-killed: the rule B could not be evaluated: ",
        "warning: part of C is dead: there is no series called `upp`; did you mean `up`?",
    ] {
        assert!(err.contains(warning), "{warning} in {err}");
    }
    let (code, _, err) = sweep(&["--strict"]);
    assert_eq!(code, Some(1));
    assert!(err.ends_with("3 warnings: with --strict this is exit code 1\n"), "{err}");
    write("{ alert: A, expr: up == 0 }");
    assert_eq!(sweep(&["--strict"]).0, Some(0));
    // A test tells of the part that the table of rules cannot show.
    write("{ alert: C, expr: 'up > 3 or upp > 3' }");
    let test = |more: &[&str]| run(&[&["test", "healthy", "--rules", rules], more].concat());
    let (code, _, err) = test(&["--lenient"]);
    assert_eq!(code, Some(0));
    assert!(err.contains("warning: part of C is dead: there is no series called `upp`"), "{err}");
    assert_eq!(test(&["--lenient", "--strict"]).0, Some(1));
}

#[test]
fn a_sweep_gives_the_same_figures_on_any_number_of_threads() {
    let sweep = |jobs: &str| run(&["sweep", "worker-killed", "--seeds", "6", "--jobs", jobs]);
    let (code, out, _) = sweep("1");
    assert_eq!(code, Some(0));
    let row = out.lines().find(|line| line.contains("KestraWorkerDown")).expect("a row");
    assert!(row.contains("100.0%") && row.contains("1m"), "{out}");
    assert_eq!(sweep("3").1, out);
    let (code, _, err) = run(&["sweep", "worker-killed", "--from", "kill-worker-2"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("did you mean `kill-worker-1`?"), "{err}");
    assert_eq!(run(&["export", "promtool", "worker-killed"]).0, Some(2), "it needs rule files");
}

#[test]
fn a_taken_port_is_exit_3_with_the_port_and_the_option() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (code, _, err) = run(&["serve", "idle", "--control", &port]);
    assert_eq!(code, Some(3));
    assert!(err.contains(&port) && err.contains("--control"), "{err}");
    let (code, _, err) = run(&["serve", "idle", "--control", "0", "--port", &port]);
    assert_eq!(code, Some(3));
    assert!(err.contains(&port) && err.contains("--port"), "{err}");
}

#[test]
fn a_limit_is_exit_3_with_the_virtual_time() {
    let file = scratch("flood.yaml");
    let text = "name: flood\nduration: 10d\nflows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.Sleep, timeout: P9D } ] } ]\n\
                behaviour: [ { task: t, duration: 9d } ]\narrivals: [ { flow: f, rate: 9000/s } ]\n";
    std::fs::write(&file, text).expect("written");
    let (code, _, err) = run(&["run", file.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("limit") && err.contains(" at "), "{err}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_at_once_even_while_requests_hang() {
    for signal in ["-INT", "-TERM"] {
        let mock = Mock::start(&["idle", "--paused"]);
        mock.post("/api/faults", r#"{"hang": "standalone-1"}"#);
        let held = std::net::TcpStream::connect(mock.member("standalone-1")).expect("it accepts");
        Command::new("kill").args([signal, &mock.pid().to_string()]).status().expect("kill");
        assert_eq!(mock.wait(), Some(0), "{signal}");
        drop(held);
    }
}

#[test]
fn serve_tells_what_will_happen() {
    let told = |arguments: &[&str]| {
        let (ready, log) = (scratch("ready.json"), scratch("log"));
        let mut command = binary();
        command.arg("serve").args(arguments).args(["--port", "0", "--control", "0", "--ready-file"]).arg(&ready);
        let mut child = command.stdout(std::fs::File::create(&log).expect("a file")).spawn().expect("it starts");
        let words = || std::fs::read_to_string(&log).expect("readable");
        eventually("it is up", || words().contains("Ctrl-C ends it."));
        child.kill().expect("it ends");
        child.wait().expect("it ends");
        words()
    };
    let words = told(&["worker-killed"]);
    assert!(words.starts_with("mock-kestra: worker-killed"), "{words}");
    assert!(
        words.ends_with("\n\nWhat will happen:\n  in 10m    kill worker-1, for 2m\n\nCtrl-C ends it.\n"),
        "{words}"
    );
    assert!(!told(&["healthy"]).contains("What will happen"));
    let entries: String = (1..=9).rev().map(|at| format!("  - {{ at: {at}m, restart: standalone-1 }}\n")).collect();
    let file = scratch("many.yaml");
    let often = "  - { at: 30s, kill: standalone-1, for: 10s, every: 1h, until: 3h }\n";
    std::fs::write(&file, format!("name: many\nduration: 20m\ntimeline:\n{entries}{often}")).expect("written");
    let file = file.to_str().expect("UTF-8");
    let words = told(&[file, "--speed", "10"]);
    let coming = words.split("What will happen, in the scenario's time:\n").nth(1).expect("it is told");
    let lines: Vec<&str> = coming.lines().collect();
    assert_eq!(lines[0], "  in 30s    kill standalone-1, for 10s, every 1h, until 3h");
    assert!(lines[6].starts_with("  in 6m "), "{coming}");
    assert_eq!(lines[7], format!("  ... 3 more: mock-kestra check {file}"));
}

#[cfg(unix)]
#[test]
fn who_gets_a_406_sees_it_on_standard_error_when_asked_to_tell() {
    let told = |verbose: &[&str]| {
        let file = scratch("told.txt");
        let stderr = std::fs::File::create(&file).expect("a file");
        let mock = Mock::start_telling(&[&["idle", "--paused"], verbose].concat(), stderr.into());
        let request = "GET /prometheus HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
        assert!(common::server::raw(&mock.member("standalone-1"), request).starts_with("HTTP/1.1 406"));
        Command::new("kill").args(["-TERM", &mock.pid().to_string()]).status().expect("kill");
        assert_eq!(mock.wait(), Some(0));
        std::fs::read_to_string(file).expect("readable")
    };
    let line = "0s standalone-1 GET /prometheus 406 (accept: text/html)\n";
    assert_eq!(told(&[]), "");
    assert_eq!(told(&["-v"]), line);
    assert_eq!(told(&["-vv"]), format!("{line}  host: x\n  accept: text/html\n  connection: close\n"));
}

#[tokio::test]
async fn healthcheck_tells_by_its_exit_code() {
    let server = MockServer::start().await;
    for (at, status) in [("/well", 200), ("/ill", 503)] {
        Answer::given(method("GET")).and(path(at)).respond_with(ResponseTemplate::new(status)).mount(&server).await;
    }
    let ask = |url: String| tokio::task::spawn_blocking(move || run(&["healthcheck", &url]).0);
    assert_eq!(ask(format!("{}/well", server.uri())).await.expect("run"), Some(0));
    assert_eq!(ask(format!("{}/ill", server.uri())).await.expect("run"), Some(1));
    assert_eq!(ask("http://127.0.0.1:1/".into()).await.expect("run"), Some(1));
    assert_eq!(ask("127.0.0.1".into()).await.expect("run"), Some(2));
}

#[test]
fn a_version_without_a_controller_cannot_serve_a_scenario_with_one() {
    let file = scratch("controlled.yaml");
    let text = "name: controlled\nkestra: \"2.0\"\ncluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 1, controller: 1 } }\n";
    std::fs::write(&file, text).expect("a file");
    let out = binary()
        .args(["serve", "--port", "0", "--control", "0", "--kestra", "1.3"])
        .arg(&file)
        .output()
        .expect("it runs");
    assert_eq!(out.status.code(), Some(2));
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(told.contains("Kestra 1.3 has no controller"), "{told}");
}

#[test]
fn what_is_said_of_an_alertmanager_is_refused_where_nobody_asks_for_it() {
    let file = "scenarios/rules/alertmanager.yml";
    let explain = ["explain", "no-workers", "--alertmanager", file];
    let hasty = scratch("hasty.yml");
    let text =
        "route:\n  receiver: r\n  routes:\n  - { receiver: r, group_interval: 1ms }\nreceivers: [ { name: r } ]\n";
    std::fs::write(&hasty, text).expect("a file");
    for (arguments, words) in [
        ([&explain[..], &["--alert", "KestraNoWorkers"]].concat(), "ask for a receiver with --page RECEIVER"),
        ([&explain[..], &["--page", "pagr"]].concat(), "no receiver is named `pagr`; did you mean `pager`?"),
        (vec!["explain", "no-workers", "--page", "pager"], "--alertmanager <FILE>"),
        (vec!["test", "idle", "--alertmanager-version", "0.25"], "--alertmanager <FILE>"),
        (vec!["test", "idle", "--silence", "a=b"], "--alertmanager <FILE>"),
        (vec!["test", "idle", "--alertmanager", file, "--silence", "a=~("], "--silence `a=~(`"),
        (
            vec!["test", "idle", "--alertmanager", file, "--silence", "a=b", "--silence", "c=d", "--silence-for", "1h"],
            "2 silences and 1 times --silence-for: give one for each silence",
        ),
        (
            vec!["test", "idle", "--alertmanager", hasty.to_str().expect("UTF-8")],
            "hasty.yml:4: `group_interval` is 1ms: a route that looks",
        ),
        (vec!["test", "idle", "--alertmanager", "nobody.yml"], "cannot read the configuration `nobody.yml`"),
    ] {
        let (code, _, err) = run(&arguments);
        assert!(code == Some(2) && err.contains(words), "{arguments:?}: {code:?} {err}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_no_success() {
    for arguments in [["list", ""], ["run", "idle"], ["check", "healthy"], ["test", "healthy"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let arguments = arguments.iter().filter(|it| !it.is_empty());
        let output = binary().args(arguments).stdout(full).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(3));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(told.matches("error: cannot write to standard output").count(), 1, "{told}");
    }
}

#[test]
fn the_version_that_is_asked_for_judges_the_flows_of_the_scenario() {
    let file = scratch("inline.yaml");
    let path = file.to_str().expect("UTF-8");
    let text = |version: &str| {
        format!(
            "name: x\nkestra: \"{version}\"\nduration: 1m\ncluster: {{ standalone: 1 }}\nflows:\n  - id: f\n    namespace: n\n    \
             inputs: [ {{ id: a, type: INT }} ]\n    triggers: [ {{ id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \
             \"* * * * *\", inputs: {{ a: x }} }} ]\n    tasks: [ {{ id: l, type: io.kestra.plugin.core.log.Log, message: x }} ]\n"
        )
    };
    for (version, code) in [("0.20", 0), ("1.3", 0), ("2.0", 2)] {
        std::fs::write(&file, text(version)).expect("written");
        let (own, _, said) = run(&["run", path]);
        std::fs::write(&file, text("1.3")).expect("written");
        let (found, _, told) = run(&["run", path, "--kestra", version]);
        assert_eq!((own, found), (Some(code), Some(code)), "{version}: {said}{told}");
        let words = |text: &str| text.lines().find(|it| it.contains("`a`") || it.contains("'a'")).map(str::to_owned);
        let (said, told) = (words(&said).expect("words"), words(&told).expect("words"));
        assert!(
            told.ends_with(said.trim_start_matches("error: ").trim_start_matches("warning: ")) || code == 2,
            "{said} {told}"
        );
    }
}

#[test]
fn a_wrong_port_that_nobody_is_told_is_warned_of() {
    let (file, rules) = (scratch("p.yml"), scratch("r.yml"));
    let (path, rules_path) = (file.to_str().expect("UTF-8"), rules.to_str().expect("UTF-8"));
    std::fs::write(&rules, "groups: [ { name: g, rules: [ { alert: Down, expr: up == 0 } ] } ]\n").expect("written");
    let hosts = ["webserver-1", "worker-1", "worker-2", "executor-1", "scheduler-1", "indexer-1"];
    let targets: Vec<String> = hosts.iter().map(|host| format!("\"{host}:8081\"")).collect();
    let job = "scrape_configs:\n  - job_name: kestra\n    metrics_path: /prometheus\n";
    for (how, warned) in [
        (format!("    static_configs: [ {{ targets: [ {} ] }} ]\n", targets.join(", ")), true),
        ("    http_sd_configs: [ { url: \"http://localhost:8082/sd\" } ]\n".to_owned(), false),
    ] {
        std::fs::write(&file, format!("{job}{how}")).expect("written");
        let (_, _, err) = run(&["test", "wrong-port", "--prometheus", path, "--rules", rules_path]);
        assert_eq!(err.contains("reaches no target"), warned, "{err}");
    }
}

#[test]
fn a_version_that_is_named_twice_is_judged_once() {
    let one = run(&["matrix", "--scenarios", "worker-killed", "--kestra", "1.3"]);
    assert_eq!(run(&["matrix", "--scenarios", "worker-killed", "--kestra", "1.3,1.3"]), one);
}
