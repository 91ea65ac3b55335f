//! `explain`: what is said of a name that is not there, of counters born above 0, of alerts that held almost long enough, and
//! of those that Grafana's `KeepLast` holds.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use mock_kestra::document::render;
use mock_kestra::monitor::{Configuration, read_rules};
use mock_kestra::random::Seed;
use mock_kestra::run::{Scraping, Watch, explain, run};
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::time::{Calendar, Duration, Instant};

/// What `explain` says of the alert `A`.
fn told(scenario: &str, rules: &str, change: impl FnOnce(&mut Watch), at: Option<Duration>) -> String {
    let (plan, wrong) = read("x.yaml", scenario, &NoFiles);
    let plan = Arc::new(plan.unwrap_or_else(|| panic!("{wrong:?}")));
    let (rules, wrong) = read_rules("rules.yml", rules).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut watch = Watch { rules, ..Watch::default() };
    change(&mut watch);
    let at = at.map(|at| Instant::START + at);
    let found = explain(&plan, Seed(1), Calendar::default(), &watch, "A", at).expect("no limit").expect("a rule A");
    found.verdict
}

fn rule(expr: &str, hold: &str) -> String {
    format!("groups: [ {{ name: g, rules: [ {{ alert: A, for: {hold}, expr: '{expr}' }} ] }} ]\n")
}

const CLUSTER: &str = "name: x
duration: 20m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 2 } }
flows: [ { id: ingest, namespace: company, tasks: [ { id: load, type: io.kestra.plugin.core.log.Log } ] } ]
arrivals: [ { flow: ingest, rate: 4/min } ]
timeline: [ { at: 10m, kill: worker-1, for: 5m } ]
";

#[test]
fn a_name_that_is_not_there_is_told_as_what_it_is() {
    for (expr, part) in [
        (
            "kestra_executor_execution_queued_count_total > 0",
            "no series called `kestra_executor_execution_queued_count_total`: it is a meter of Kestra 1.3 that nothing has raised in this run",
        ),
        ("kestra_executor_flowable_execution_count_total > 0", "a meter of Kestra 1.3 that is not simulated"),
        ("increase(kestra_worker_killed_count_total[5m]) > 0", "a meter of Kestra 1.3 that nothing has raised"),
        ("kestra_io_kestra_plugin_jdbc_query_rows_total > 0", "a metric of a plugin's tasks"),
        ("kestra_worker_queue_size > 0", "Kestra 1.3 has no such meter, 2.0 has, here `kestra_worker_job_pending`"),
        ("kestra_worker_running_count_total > 0", "is a gauge, its series is kestra_worker_running_count"),
        (
            "kestra_worker_kiled_count_total > 0",
            "did you mean `kestra_worker_killed_count_total`? (it is a meter of Kestra 1.3 that nothing has raised",
        ),
        ("kestra_worker_job_pendng > 0", "; did you mean `kestra_worker_job_pending`?"),
        ("kestra_worker_job_pending == 0 and upp", "no series called `upp`; did you mean `up`?"),
        ("scrape_duration_second > 0", "; did you mean `scrape_duration_seconds`?"),
        ("scrape_duration_seconds > 100", "never is > 100"),
        ("kestra_executor_execution_duration_seconds > 9", "is a timer, its series are"),
        ("kube_pod_info > 0", "no version of Kestra has such a meter, and no rule records it"),
    ] {
        let told = told(CLUSTER, &rule(expr, "0s"), |_| {}, None);
        assert!(told.contains(part), "{expr}: {told}");
    }
}

#[test]
fn what_rules_record_is_there_too() {
    let rules = "groups:
  - name: g
    rules:
      - { record: job:pending:sum, expr: sum(kestra_worker_job_pending) }
      - { alert: A, expr: job:pending:sm > 3 }
";
    assert!(told(CLUSTER, rules, |_| {}, None).contains("did you mean `job:pending:sum`?"));
}

#[test]
fn what_nobody_scrapes_and_what_only_other_roles_show_is_told_so() {
    let nobody = |watch: &mut Watch| watch.scraping = Scraping::Jobs(Vec::new());
    let up = told(CLUSTER, &rule("up == 0", "0s"), nobody, None);
    assert!(up.contains("no series called `up`: nothing is scraped"), "{up}");
    let alone = "name: x\nduration: 5m\ncluster: { members: { executor: 1 } }\n";
    let told = told(alone, &rule("kestra_worker_job_pending > 3", "0s"), |_| {}, None);
    assert!(told.contains("a meter of Kestra 1.3 of standalone, worker only, and none of these showed it"), "{told}");
}

#[test]
fn a_series_that_is_there_at_other_times_is_no_unknown_one() {
    let gone = "name: x\nduration: 20m\ncluster: { members: { executor: 1, worker: 1 } }\ntimeline: [ { at: 10m, kill: worker-1, for: 5m } ]\n";
    let told = told(gone, &rule("kestra_worker_job_pending > 3", "0s"), |_| {}, Some(Duration::minutes(12)));
    assert!(
        told.contains("no series called `kestra_worker_job_pending` is there at this time: in this run from "),
        "{told}"
    );
}

#[test]
fn a_counter_that_is_born_at_one_has_no_increase() {
    let born = "name: x
duration: 20m
flows: [ { id: ingest, namespace: company, tasks: [ { id: load, type: io.kestra.plugin.core.log.Log } ] } ]
behaviour: [ { task: load, fails: 100% } ]
arrivals: [ { flow: ingest, rate: 4/d } ]
timeline:
  - { at: 5m, arrivals: { flow: ingest, rate: 2/s }, for: 2s }
";
    for expr in [
        "increase(kestra_executor_execution_end_count_total{state=\"FAILED\"}[5m]) > 0",
        "sum(rate(kestra_executor_execution_end_count_total{state=\"FAILED\"}[5m])) > 0",
        "sum by (flow_id) (increase(kestra_executor_execution_end_count_total[5m])) >= 1",
    ] {
        let told = told(born, &rule(expr, "0s"), |_| {}, None);
        for part in
            ["never is >", "was born at", "it came with this value at 5m", "no sample before it to subtract from"]
        {
            assert!(told.contains(part), "{expr}: {part} in {told}");
        }
    }
    // One that grows on is counted, and one that falls short of a limit is not short of its birth.
    let grows =
        told(CLUSTER, &rule("increase(kestra_executor_execution_end_count_total[5m]) > 1000", "0s"), |_| {}, None);
    assert!(grows.contains("never is > 1000") && !grows.contains("born"), "{grows}");
}

#[test]
fn an_alert_whose_condition_was_gone_at_the_evaluation_that_counts_is_told_so() {
    // Down for 45 s: three evaluations see it, and the fourth would have fired.
    let short = "name: x
duration: 10m
cluster: { members: { executor: 1, worker: 1 } }
timeline: [ { at: 5m, hang: worker-1, for: 44s } ]
";
    let verdict = |hold: &str| told(short, &rule("up == 0", hold), |_| {}, None);
    let long = verdict("4m");
    assert!(long.contains("it held for") && long.contains("of the 4m it must"), "{long}");
    // Whatever the phases: there is one `for` that is just over when the condition is gone.
    let gone: Vec<String> =
        ["30s", "45s", "1m"].map(verdict).into_iter().filter(|it| it.contains("was gone at")).collect();
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert!(
        gone[0].contains("only pending, from 5m") && gone[0].contains("the evaluation at which it would have fired")
    );
    assert!(!gone[0].contains("it held for"), "{gone:?}");
}

#[test]
fn what_keep_last_holds_is_told() {
    let rules = "apiVersion: 1
groups:
  - orgId: 1
    name: g
    folder: f
    interval: 1m
    rules:
      - uid: a
        title: A
        condition: B
        for: 0s
        noDataState: KeepLast
        execErrState: Error
        data:
          - refId: A
            datasourceUid: prometheus
            relativeTimeRange: { from: 600, to: 0 }
            model: { refId: A, expr: 'kestra_worker_job_pending >= 0', instant: true }
          - refId: B
            datasourceUid: __expr__
            model: { refId: B, type: threshold, expression: A, conditions: [ { evaluator: { type: gt, params: [ -1 ] } } ] }
";
    let gone = "name: x\nduration: 20m\ncluster: { members: { executor: 1, worker: 1 } }\ntimeline: [ { at: 10m, kill: worker-1, for: 5m } ]\n";
    let told = told(gone, rules, |_| {}, None);
    assert!(told.contains("it fires: from ") && told.contains("; KeepLast holds it at "), "{told}");
    assert!(told.contains("A finds no data"), "{told}");
}

#[test]
fn what_an_alert_was_before_the_start_is_told() {
    let early = rule("vector(time()) < 1767599700", "0s");
    let whole = told(CLUSTER, &early, |_| {}, None);
    assert!(whole.starts_with("fired before the start, from -9m") && whole.contains(" until -"), "{whole}");
    assert!(whole.contains("; from the start on: `vector(time())` never is < 1767599700"), "{whole}");
    let at = told(CLUSTER, &early, |_| {}, Some(Duration::minutes(5)));
    assert!(at.starts_with("fired before the start, from -9m") && at.contains("it is inactive"), "{at}");
}

#[test]
fn alerts_beyond_the_limit_of_their_group_are_told() {
    let rules = "groups: [ { name: g, limit: 1, rules: [ { alert: A, expr: up > 0 } ] } ]\n";
    for at in [None, Some(Duration::minutes(5))] {
        let told = told(CLUSTER, rules, |_| {}, at);
        assert!(told.contains("exceeded limit of 1 with 5 alerts: none is active"), "{told}");
    }
    // Those below it are; when there are more for a while that is told as well.
    let rules = "groups: [ { name: g, limit: 1, rules: [ { alert: A, expr: 'up{role=\"worker\"} == 0 or up{role=\"scheduler\"} == 1 and on () up{instance=\"worker-1:8081\"} == 0 or up{role=\"executor\"} == 1' } ] } ]\n";
    let told = told(CLUSTER, rules, |_| {}, None);
    assert!(
        told.starts_with("it fires: from ")
            && told.contains("; at times it could not be evaluated: exceeded limit of 1 with"),
        "{told}"
    );
}

#[test]
fn a_group_with_a_query_offset_is_asked_as_it_asks() {
    let rules = "groups: [ { name: g, query_offset: 3m, rules: [ { alert: A, expr: 'vector(time() - 1767600000) > 1e9' } ] } ]\n";
    let (plan, _) = read("x.yaml", CLUSTER, &NoFiles);
    let (plan, rules) = (Arc::new(plan.expect("a plan")), read_rules("rules.yml", rules).expect("rules").0);
    let at = Some(Instant::START + Duration::minutes(10));
    let watch = Watch { rules, ..Watch::default() };
    let found = explain(&plan, Seed(1), Calendar::default(), &watch, "A", at).expect("no limit").expect("a rule A");
    let part = found.parts.iter().find(|part| part.text == "vector(time() - 1767600000)").expect("the difference");
    let (asked, shown) = part.values[0].1[0];
    assert!((asked - shown.expect("a value") - 180.0).abs() < 0.001, "{part:?}");
}

#[test]
fn what_is_pending_at_the_end_has_held_for_the_same_time_wherever_it_is_told() {
    let rules = rule("vector(1)", "40m");
    let expect = CLUSTER.to_owned() + "expect: [ { alert: A, fires: { within: 20m } } ]\n";
    let explained = told(&expect, &rules, |_| {}, None);
    let plan = Arc::new(read("x.yaml", &expect, &NoFiles).0.expect("a plan"));
    let watch = Watch { rules: read_rules("rules.yml", &rules).expect("rules").0, ..Watch::default() };
    let report = run(&plan, Seed(1), Calendar::default(), Some(&watch)).expect("no limit");
    assert!(explained.contains("it held for "), "{explained}");
    assert_eq!(report.expectations[0].seen, explained);
}

#[test]
fn what_a_negative_matcher_keeps_out_is_told() {
    for (expr, part) in [
        ("up{job!=\"kestra\"} == 0", "`up` has 5 series, every one has job=\"kestra\", which `!=` excludes"),
        ("up{job!~\"kes.*\"} == 0", "every one has a job like \"kes.*\", which `!~` excludes: it is kestra"),
        ("up{jib!=\"\"} == 0", "they have no such label"),
        ("up{job=\"kestr\"} == 0", "none with job like \"kestr\"; did you mean \"kestra\"?"),
    ] {
        let told = told(CLUSTER, &rule(expr, "0s"), |_| {}, None);
        assert!(told.contains(part), "{expr}: {told}");
    }
}

#[test]
fn a_family_that_the_configuration_takes_away_is_told() {
    let off =
        CLUSTER.to_owned() + "configuration: { micronaut: { metrics: { binders: { jvm: { enabled: false } } } } }\n";
    let told = told(&off, &rule("jvm_memory_used_bytes > 1", "0s"), |_| {}, None);
    assert!(told.ends_with("switched off by `micronaut.metrics.binders.jvm.enabled`"), "{told}");
}

/// A configuration of one job with all members of [`CLUSTER`], and more lines of it; its first line has number 6.
fn job(more: &str) -> String {
    let targets =
        "[ \"webserver-1:8081\", \"executor-1:8081\", \"scheduler-1:8081\", \"worker-1:8081\", \"worker-2:8081\" ]";
    format!(
        "scrape_configs:\n- job_name: kestra\n  metrics_path: /prometheus\n  scrape_interval: 15s\n  static_configs: [ {{ targets: {targets} }} ]\n{more}"
    )
}

#[test]
fn the_rule_of_relabelling_that_keeps_a_series_out_is_named() {
    let drop_name = "  metric_relabel_configs:\n  - { source_labels: [ __name__ ], regex: jvm_.*, action: drop }\n  - { source_labels: [ __name__ ], regex: 'kestra_worker_job_(.*)', action: drop }\n";
    let rename = "  metric_relabel_configs:\n  - { source_labels: [ __name__ ], regex: kestra_(.*), target_label: __name__, replacement: my_$1 }\n";
    let no_label = "  metric_relabel_configs: [ { regex: area, action: labeldrop } ]\n";
    let one_value = "  metric_relabel_configs: [ { source_labels: [ area ], regex: heap, action: keep } ]\n";
    let no_worker = "  relabel_configs:\n  - { source_labels: [ __address__ ], regex: 'worker.*', action: drop }\n";
    let nobody = "  relabel_configs: [ { source_labels: [ job ], regex: kestr, action: keep } ]\n";
    for (more, expr, part) in [
        (
            drop_name,
            "kestra_worker_job_pending > 5",
            "metric_relabel_configs[1] (drop of [__name__] by `kestra_worker_job_(.*)`, which is `kestra_worker_job_pending`; prometheus.yml:8:5) of job kestra drops what `kestra_worker_job_pending` selects, 2 series",
        ),
        (
            rename,
            "rate(kestra_worker_job_pending{worker_group=\"\"}[5m]) > 5",
            "metric_relabel_configs[0] (replace of __name__ by [__name__], which is `kestra_worker_job_pending`; prometheus.yml:7:5) of job kestra changes what",
        ),
        (rename, "kestra_worker_job_pending > 5", "2 series: one is my_worker_job_pending{instance=\"worker-1:8081\""),
        (
            no_label,
            "jvm_memory_used_bytes{area=\"heap\"} < 5",
            "metric_relabel_configs[0] (labeldrop by `area`; prometheus.yml:6:29) of job kestra changes what",
        ),
        (
            one_value,
            "jvm_memory_used_bytes{area=\"nonheap\"} < 5",
            "metric_relabel_configs[0] (keep of [area] by `heap`, which is `nonheap`; prometheus.yml:6:29) of job kestra drops",
        ),
        // The rule is not to blame for what nobody has.
        (one_value, "jvm_memory_used_bytes{area=\"heep\"} < 5", "none with area like \"heep\"; did you mean \"heap\"?"),
        (
            no_worker,
            "up{instance=\"worker-1:8081\"} == 0",
            "none with instance like \"worker-1:8081\": it is executor-1:8081, scheduler-1:8081, webserver-1:8081; relabel_configs[0] (drop of [__address__] by `worker.*`, which is `worker-1:8081`; prometheus.yml:7:5) of job kestra drops worker-1",
        ),
        (
            no_worker,
            "kestra_worker_job_pending > 5",
            "no series called `kestra_worker_job_pending`: relabel_configs[0] (drop of [__address__] by `worker.*`",
        ),
        (nobody, "up == 0", "no series called `up`: nothing is scraped"),
        (
            nobody,
            "kestra_worker_job_pending > 5",
            "no series called `kestra_worker_job_pending`: relabel_configs[0] (keep of [job] by `kestr`, which is `kestra`; prometheus.yml:6:22) of job kestra drops worker-1, worker-2",
        ),
    ] {
        let (configuration, _) =
            Configuration::read("prometheus.yml", &job(more)).unwrap_or_else(|told| panic!("{}", render(&told)));
        let scraping = Scraping::Jobs(configuration.jobs);
        let verdict = told(CLUSTER, &rule(expr, "0s"), |watch| watch.scraping = scraping.clone(), None);
        assert!(verdict.contains(part), "{more}{expr}: {verdict}");
        // `test` says the same of the rule.
        let plan = Arc::new(read("x.yaml", CLUSTER, &NoFiles).0.expect("a plan"));
        let rules = read_rules("rules.yml", &rule(expr, "0s")).expect("rules").0;
        let watch = Watch { rules, scraping, ..Watch::default() };
        let report = run(&plan, Seed(1), Calendar::default(), Some(&watch)).expect("no limit");
        assert!(report.rules[0].told.contains(part), "{more}{expr}: {:?}", report.rules[0]);
    }
}

#[test]
fn the_nearest_words_of_a_group_with_a_query_offset_are_of_what_it_asks() {
    // A clock: asked three minutes back it is 180 s less at the same evaluation.
    let nearest = |offset: &str| {
        let rules = format!(
            "groups: [ {{ name: g, {offset}rules: [ {{ alert: A, expr: 'vector(time() - 1767600000) > 1e9' }} ] }} ]\n"
        );
        let plan = Arc::new(read("x.yaml", CLUSTER, &NoFiles).0.expect("a plan"));
        let rules = read_rules("rules.yml", &rules).expect("rules").0;
        let watch = Watch { rules, nearest: true, ..Watch::default() };
        let report = run(&plan, Seed(1), Calendar::default(), Some(&watch)).expect("no limit");
        let told = report.rules[0].told.clone();
        let words: Vec<&str> = told.split(' ').collect();
        let ["nearest", "to", ">", _, "is", value, "at", time] = words.as_slice() else { panic!("{told}") };
        (value.parse::<f64>().expect("a number"), (*time).to_owned())
    };
    let (plain, moved) = (nearest(""), nearest("query_offset: 3m, "));
    assert_eq!(plain.1, moved.1, "the same evaluation");
    assert!((plain.0 - moved.0 - 180.0).abs() < 1e-3, "{plain:?} {moved:?}");
}
