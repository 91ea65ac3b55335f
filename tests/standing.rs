//! How every rule stands at the end of a run, and how every target: a verdict that lacks one says so.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use mock_kestra::document;
use mock_kestra::monitor::{Configuration, read_rules};
use mock_kestra::promql::Semantics;
use mock_kestra::random::Seed;
use mock_kestra::report::{Detail, Report, RuleLine, RuleState, junit, over_runs, over_seeds};
use mock_kestra::run::{Scraping, Watch, run};
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::time::{Calendar, Duration, Instant};

/// A worker dies once; another one flaps. Some of the executions fail.
const SCENARIO: &str = "name: x
duration: 30m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 2 } }
flows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.b.C } ] } ]
behaviour: [ { task: t, duration: 5s, fails: 30% } ]
arrivals: [ { flow: f, rate: 20/min } ]
timeline:
  - { at: 5m, kill: worker-1, for: 2m }
  - { at: 12m, kill: worker-2, for: 1m, every: 3m, until: 25m }
";

fn watch(rules: &str) -> Watch {
    let rules = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", document::render(&told))).0;
    Watch { rules, nearest: true, ..Watch::default() }
}

fn report_of(scenario: &str, watch: &Watch) -> Report {
    let (plan, told) = read("x.yaml", scenario, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&told)));
    run(&Arc::new(plan), Seed(1), Calendar::default(), Some(watch)).expect("no limit")
}

/// Each rule with how it stands, and a part of what is told of it.
fn check(rules: &[(&str, RuleState, &str)]) {
    let lines: String = rules.iter().map(|(rule, ..)| format!("      - {{ {rule} }}\n")).collect();
    let report = report_of(SCENARIO, &watch(&format!("groups:\n  - name: g\n    rules:\n{lines}")));
    assert_eq!(report.rules.len(), rules.len());
    for ((rule, state, told), line) in rules.iter().zip(&report.rules) {
        assert_eq!(line.state, *state, "{rule}: {line:?}");
        assert!(line.told.contains(told), "{rule}: {}", line.told);
        let row = format!("  {:<9} {:<24}  {}", state.name(), line.rule, line.told);
        let text = report.text_with(Detail::All);
        let rows = &text[text.find("\nRules\n").expect("the table")..];
        assert!(rows.contains(&format!("\n{}\n", row.trim_end())), "{row} in {rows}");
    }
}

#[test]
fn what_a_rule_did_is_told_with_when_and_how_often() {
    check(&[
        ("alert: Gone, expr: 'up{instance=\"worker-1:8081\"} == 0'", RuleState::Fired, "at 5m"),
        ("alert: Flaps, expr: 'up{instance=\"worker-2:8081\"} == 0'", RuleState::Fired, "5 times, first at 12m"),
        ("alert: Always, expr: vector(1)", RuleState::Fired, ", before the start, and still does"),
        ("alert: Gone, expr: absent(nothing)", RuleState::Fired, "before the start"),
        ("alert: Long, expr: 'up == 0', for: 10m", RuleState::Pending, "from 5m"),
        ("record: some, expr: sum(up)", RuleState::Recorded, ""),
        ("record: none, expr: 'up > 5'", RuleState::Quiet, ""),
        ("alert: Quiet, expr: up > 1", RuleState::Quiet, "nearest to > 1 is 1 at"),
        ("alert: Quiet, expr: sum(up) < 4", RuleState::Quiet, "nearest to < 4 is 4 at"),
        ("alert: Quiet, expr: sum(up) < 4 and on () up == 1", RuleState::Quiet, "nearest to < 4 is 4 at"),
        ("alert: Failed, expr: up * on (job) up", RuleState::Failed, "found duplicate series for the match group"),
    ]);
}

#[test]
fn a_rule_that_can_do_nothing_is_dead_and_one_that_waits_for_an_event_is_quiet() {
    let ended = "kestra_executor_execution_end_count_total";
    let cases = [
        ("up{role=\"wrker\"} == 0", RuleState::Dead, "none with role like \"wrker\"; did you mean \"worker\"?"),
        ("rate(up{rle=\"worker\"}[5m]) == 0", RuleState::Dead, "they have no such label"),
        ("kestra_worker_job_pendin > 3", RuleState::Dead, "; did you mean `kestra_worker_job_pending`?"),
        ("sum(kestra_worker_max_concurrency) > 3", RuleState::Dead, "Kestra 1.3 has no such meter, 2.0 has"),
        ("kestra_io_kestra_plugin_jdbc_query_rows_total > 3", RuleState::Dead, "not simulated"),
        ("node_load1 > 3 and on () up == 0", RuleState::Dead, "no version of Kestra has such a meter"),
        ("up == 0 and on () node_load1 > 3", RuleState::Dead, "no version of Kestra has such a meter"),
        ("{__name__=~\"nothing.*\"} > 0", RuleState::Dead, "no series is like `{__name__=~\"nothing.*\"}`"),
        ("up > scalar(node_load1)", RuleState::Dead, "no version of Kestra"),
        ("dead > 0", RuleState::Dead, "no version of Kestra"),
        // An event brings series with labels of its own, and those of the target: no target is of this job.
        ("rate(kestra_executor_execution_end_count_total{job=\"exec\"}[5m]) > 9", RuleState::Dead, "job"),
        // A side of `or` is enough, and what is taken away need not be there.
        ("node_load1 > 3 or up > 1", RuleState::Quiet, ""),
        ("up > 1 unless node_load1", RuleState::Quiet, "nearest to > 1 is 1"),
        ("ALERTS{alertname=\"Other\"} == 1", RuleState::Quiet, ""),
        ("waits > 1", RuleState::Quiet, ""),
        // They come with their first event, on a real server too.
        ("rate(kestra_executor_execution_end_count_total{state=\"KILLED\"}[5m]) > 0", RuleState::Quiet, "it is FAILED"),
        ("kestra_executor_flowable_execution_count_total > 0", RuleState::Dead, ""),
        (
            "kestra_executor_execution_end_count_total{state=\"SUCCES\"} > 1e9",
            RuleState::Dead,
            "did you mean \"SUCCESS\"?",
        ),
        (
            "kestra_executor_execution_end_count_total{sate=\"SUCCESS\"} > 1e9",
            RuleState::Dead,
            "they have no such label",
        ),
    ];
    let alerts: Vec<String> = cases.iter().map(|(expr, ..)| format!("alert: A, expr: '{expr}'")).collect();
    let mut rules: Vec<(&str, RuleState, &str)> =
        alerts.iter().zip(cases).map(|(rule, (_, state, told))| (rule.as_str(), state, told)).collect();
    rules.push(("record: dead, expr: node_load1 + 1", RuleState::Dead, "`node_load1`"));
    rules.push(("record: waits, expr: 'up > 5'", RuleState::Quiet, ""));
    check(&rules);
    // Nothing ends where nothing runs.
    let idle = format!("groups: [ {{ name: g, rules: [ {{ alert: A, expr: {ended} > 0 }} ] }} ]");
    let report = report_of("name: x\n", &watch(&idle));
    let [RuleLine { state: RuleState::Quiet, told, .. }] = &report.rules[..] else { panic!("{:?}", report.rules) };
    assert!(told.contains("a meter of Kestra 1.3 that nothing has raised"), "{told}");
}

#[test]
fn rules_that_record_each_other_come_to_an_end() {
    check(&[("record: a, expr: b + 1", RuleState::Quiet, ""), ("record: b, expr: a + 1", RuleState::Quiet, "")]);
}

#[test]
fn a_rule_of_grafana_is_dead_when_its_data_is_not_there_whatever_it_makes_of_that() {
    let rule = |title: &str, expr: &str, more: &str| {
        format!(
            "      - uid: {title}\n        title: {title}\n        condition: C\n        for: 1m\n{more}        data:\n          \
             - {{ refId: A, datasourceUid: p, relativeTimeRange: {{ from: 600, to: 0 }}, model: {{ refId: A, expr: '{expr}', instant: true }} }}\n          \
             - {{ refId: C, datasourceUid: __expr__, model: {{ refId: C, type: threshold, expression: A, conditions: [ {{ evaluator: {{ type: lt, params: [ 1 ] }} }} ] }} }}\n"
        )
    };
    let rules = rule("Down", "up", "")
        + &rule("Told", "node_load1", "")
        + &rule("Silent", "node_load1", "        noDataState: OK\n")
        + &rule("Paused", "up", "        isPaused: true\n");
    let text = format!(
        "apiVersion: 1\ngroups:\n  - orgId: 1\n    name: g\n    folder: f\n    interval: 30s\n    rules:\n{rules}"
    );
    let report = report_of(SCENARIO, &watch(&text));
    let states: Vec<(&str, RuleState)> = report.rules.iter().map(|line| (line.rule.as_str(), line.state)).collect();
    let expected = [
        ("Down", RuleState::Fired),
        ("Told", RuleState::Dead),
        ("Silent", RuleState::Dead),
        ("Paused", RuleState::Quiet),
    ];
    assert_eq!(states, expected, "{:?}", report.rules);
    assert!(report.rules[1].told.contains("for want of data"), "{:?}", report.rules[1]);
}

#[test]
fn an_alert_that_keep_last_holds_says_so() {
    // While the worker is dead its gauge is not there: the alert goes on as it was.
    let rules = "apiVersion: 1
groups:
  - orgId: 1
    name: g
    folder: f
    interval: 30s
    rules:
      - uid: a
        title: Threads
        condition: C
        for: 0s
        noDataState: KeepLast
        data:
          - { refId: A, datasourceUid: p, relativeTimeRange: { from: 600, to: 0 }, model: { refId: A, expr: 'kestra_worker_job_thread{instance=\"worker-1:8081\"}', instant: true } }
          - { refId: C, datasourceUid: __expr__, model: { refId: C, type: threshold, expression: A, conditions: [ { evaluator: { type: gt, params: [ 1 ] } } ] } }
";
    let report = report_of(SCENARIO, &watch(rules));
    let alerts = report.alerts.as_ref().expect("alerts");
    let [line] = &alerts[..] else { panic!("{alerts:?}") };
    let (why, since) = line.kept.expect("it was kept");
    assert_eq!(why, "NoData");
    assert!(since > line.pending && since.to_string().starts_with("5m"), "{since}");
    assert!(report.text().contains("(kept by KeepLast: NoData since 5m"), "{}", report.text());
}

#[test]
fn a_rule_is_dead_over_several_runs_only_when_it_is_dead_in_each() {
    let rules = "groups: [ { name: g, rules: [ { alert: Two, expr: 'sum(kestra_worker_max_concurrency) > 1e9' },
      { alert: One, expr: 'kestra_worker_job_pending > 1e9' }, { alert: No, expr: node_load1 > 3 },
      { alert: Bad, expr: 'up * on (job) up' }, { alert: Dead, expr: 'up == 0' } ] } ]";
    let watch = watch(rules);
    let two = SCENARIO.replace("name: x", "name: y\nkestra: \"2.0\"");
    let reports = [report_of(SCENARIO, &watch), report_of(&two, &watch)];
    let told: Vec<(&str, RuleState, bool, usize)> = over_runs(&reports)
        .iter()
        .map(|rule| (rule.line.rule.as_str(), rule.line.state, rule.warns(), rule.fired))
        .collect();
    let expected = [
        ("Two", RuleState::Quiet, false, 0),
        ("One", RuleState::Quiet, false, 0),
        ("No", RuleState::Dead, true, 0),
        ("Bad", RuleState::Failed, true, 0),
        ("Dead", RuleState::Fired, false, 2),
    ];
    assert_eq!(told, expected);
    for (strict, failures) in [(false, 0), (true, 2)] {
        let xml = junit(&reports, strict);
        let suite = format!("<testsuite name=\"y rules\" tests=\"5\" failures=\"{failures}\"");
        assert!(xml.contains(&suite), "{xml}");
        assert!(xml.contains("name=\"No\"") && xml.contains("dead: there is no series called `node_load1`"), "{xml}");
        assert!(xml.contains("fired: 6 times, first at 5m"), "{xml}");
    }
}

#[test]
fn many_quiet_rules_are_named_in_a_few_lines_and_all_on_demand() {
    let rules: String = (1..=30).map(|n| format!("      - {{ alert: NeverEver{n}, expr: up > 1 }}\n")).collect();
    let rules = format!("groups:\n  - name: g\n    rules:\n{rules}      - {{ alert: Gone, expr: up == 0 }}\n");
    let report = report_of(SCENARIO, &watch(&rules));
    let table = |detail: Detail| {
        let text = report.text_with(detail);
        text[text.find("\nRules\n").expect("the table")..].trim().lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let short = table(Detail::Short);
    assert!(short.len() < 9 && short[1].starts_with("  fired     Gone"), "{short:#?}");
    assert!(short[2].starts_with("  30 quiet  NeverEver1, NeverEver2,"), "{short:#?}");
    assert!(short.iter().all(|line| line.chars().count() <= 125), "{short:#?}");
    assert!((1..=30).all(|n| short.iter().any(|line| line.contains(&format!("NeverEver{n}")))), "{short:#?}");
    assert_eq!(table(Detail::All).len(), 32);
}

#[test]
fn an_alert_that_flaps_is_one_row_with_its_count() {
    let rules = "groups: [ { name: g, rules: [ { alert: Down, expr: 'up == 0', annotations: { says: it } } ] } ]";
    let report = report_of(SCENARIO, &watch(rules));
    let rows = |detail: Detail| {
        let text = report.text_with(detail);
        let table = &text[text.find("\nAlerts").expect("alerts")..text.find("\nRules").expect("rules")];
        table.lines().filter(|line| line.starts_with("  Down")).map(str::to_owned).collect::<Vec<String>>()
    };
    let short = rows(Detail::Short);
    assert_eq!(short.len(), 2, "{short:#?}");
    assert!(short[0].contains("worker-1") && !short[0].contains("times"), "{short:#?}");
    assert!(short[1].contains("worker-2") && short[1].contains("; fires 5 times, the last from 24m"), "{short:#?}");
    assert_eq!(rows(Detail::All).len(), 6);
}

#[test]
fn targets_are_told_as_prometheus_tells_them() {
    let rules = "groups: [ { name: g, rules: [ { alert: Down, expr: 'up == 0' } ] } ]";
    let report = |scenario: &str, path: &str, semantics: Semantics| {
        let text = format!(
            "scrape_configs: [ {{ job_name: j, scrape_interval: 15s, {path}static_configs: [ {{ targets: [ \"standalone-1:8081\" ] }} ] }} ]\n"
        );
        let (configuration, _) = Configuration::read("p.yml", &text).expect("a configuration");
        report_of(scenario, &Watch { scraping: Scraping::Jobs(configuration.jobs), semantics, ..watch(rules) })
    };
    // The classic mistake: the path that Prometheus asks for when nobody says another. The words are those of the servers.
    let wrong_type =
        "received unsupported Content-Type \"application/json\" and no fallback_scrape_protocol specified for target";
    for (path, semantics, why) in [
        ("/metrics", Semantics::V3, wrong_type),
        ("/metrics", Semantics::V2_42, "\"INVALID\" is not a valid start token"),
        ("/metrics", Semantics::V2_53, "expected a valid start token, got \"{\" (\"INVALID\") while parsing: \"{\""),
        ("/nothing", Semantics::V3, "server returned HTTP status 404 Not Found"),
    ] {
        let asked = if path == "/metrics" { String::new() } else { format!("metrics_path: {path}, ") };
        let report = report("name: x\nduration: 2m\n", &asked, semantics);
        let [target] = &report.targets[..] else { panic!("{:?}", report.targets) };
        assert_eq!((target.address.as_str(), target.path.as_str()), ("standalone-1:8081", path));
        assert_eq!((target.up, target.failed), (false, target.scrapes), "{target:?}");
        assert_eq!(target.last_error.as_ref().map(|(_, why)| why.as_str()), Some(why));
        let row = format!("  http://standalone-1:8081{path}  down, {0} of {0} scrapes failed, ", target.scrapes);
        assert!(report.text().contains(&row) && report.text().contains(&format!(": {why}\n")), "{}", report.text());
    }
    // What happens to the process: it hangs, then it is dead.
    for (fault, why) in [("hang", "context deadline exceeded"), ("kill", "connect: connection refused")] {
        let scenario = format!("name: x\nduration: 10m\ntimeline: [ {{ at: 5m, {fault}: standalone-1, for: 2m }} ]\n");
        let report = report(&scenario, "metrics_path: /prometheus, ", Semantics::V3);
        let [target] = &report.targets[..] else { panic!("{:?}", report.targets) };
        let (at, told) = target.last_error.as_ref().expect("it failed");
        assert!(target.up && (8..=9).contains(&target.failed), "{target:?}");
        assert!(told == why && *at > Instant::START + Duration::seconds(400), "{at} {told}");
    }
}

#[test]
fn targets_that_all_answer_are_one_line() {
    let rules = "groups: [ { name: g, rules: [ { alert: Down, expr: 'up == 0' } ] } ]";
    let well = report_of("name: x\ncluster: { members: { webserver: 1, worker: 3 } }\nduration: 2m\n", &watch(rules));
    assert!(well.text().contains("\nTargets\n  4 of 4 answered every scrape\n\nAlerts"), "{}", well.text());
    let every = Watch { scraping: Scraping::Jobs(Vec::new()), ..watch(rules) };
    assert!(report_of("name: x\nduration: 1m\n", &every).text().contains("\nTargets\n  none\n"));
    let short = Watch { scraping: Scraping::Every(Duration::seconds(1)), ..watch(rules) };
    let one = report_of("name: x\nduration: 1m\n", &short);
    assert!(one.text().contains("\nTargets\n  the only one answered every scrape\n"), "{}", one.text());
}

/// `time()` is 1767600000 at the start: what is so before 1767599700 is over five minutes earlier.
const EARLY: &str = "vector(time()) < 1767599700";

#[test]
fn what_was_over_before_the_start_is_told_so_and_an_alert_is_never_recorded() {
    let reads = "alert: Reads, expr: 'ALERTS{alertname=\"Early\"} == 5'";
    check(&[
        (&format!("alert: Early, expr: '{EARLY}'"), RuleState::Quiet, "fired before the start, from -9m"),
        (&format!("alert: Waits, for: 1h, expr: '{EARLY}'"), RuleState::Quiet, ""),
        (reads, RuleState::Quiet, ""),
    ]);
    // It counts for no expectation, whatever else is told of it.
    let rules = format!("groups: [ {{ name: g, rules: [ {{ alert: Early, expr: '{EARLY}' }}, {{ {reads} }} ] }} ]");
    let expect =
        format!("{SCENARIO}expect: [ {{ alert: Early, never: true }}, {{ alert: Early, fires: {{ within: 1h }} }} ]");
    let report = report_of(&expect, &watch(&rules));
    assert_eq!(report.rules[0].times, 0);
    for (verdict, met) in report.expectations.iter().zip([true, false]) {
        assert_eq!(verdict.met, Some(met), "{verdict:?}");
        let told = &verdict.seen;
        assert!(told.contains("fired before the start, from -9m") && told.contains(" until -"), "{told}");
    }
    let one = report_of(SCENARIO, &watch("groups: [ { name: g, rules: [ { alert: Q, expr: up > 1 } ] } ]"));
    let text = over_seeds(&[one.clone(), one], Detail::Short);
    assert!(text.contains("quiet     1 rule\n"), "{text}");
}

#[test]
fn a_dead_part_of_a_rule_that_could_do_something_is_told() {
    let ended = "kestra_executor_taskrun_ended_count_total";
    let report = |exprs: &[&str]| {
        let rules: Vec<String> = exprs.iter().map(|expr| format!("{{ alert: A, expr: '{expr}' }}")).collect();
        report_of(SCENARIO, &watch(&format!("groups: [ {{ name: g, rules: [ {} ] }} ]", rules.join(", "))))
    };
    for (expr, doubt) in [
        (format!("up > 300 or {ended}t > 1e9"), format!("called `{ended}t`; did you mean `{ended}`?")),
        (format!("up == 0 unless on () (up > 3 or {ended}t > 1e9)"), format!("called `{ended}t`; did you mean")),
        ("up > 3 unless on () node_load1 > 3".to_owned(), "called `node_load1`: no version of Kestra".to_owned()),
        ("up > up offset 1d".to_owned(), "`up offset 1d`: the run has no samples 1d back".to_owned()),
    ] {
        let report = report(&[&expr]);
        let doubts = &report.rules[0].doubts;
        assert!(doubts.len() == 1 && doubts[0].starts_with("part of A is dead: "), "{expr}: {doubts:?}");
        assert!(doubts[0].contains(&doubt), "{expr}: {doubts:?}");
        assert_eq!(mock_kestra::report::doubts(&[report.clone(), report]).len(), 1);
    }
    // What an event may bring, what the samples reach back to, and what is dead as a whole.
    let sound = report(&[
        "up > 3 or kestra_executor_execution_queued_count_total > 1e9",
        "up > up offset 20m",
        "nothing > 3 or other > 3",
        "up > 3 and on () absent(nothing)",
    ]);
    assert!(sound.rules.iter().all(|line| line.doubts.is_empty()), "{:?}", sound.rules);
}
