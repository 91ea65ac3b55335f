//! Dashboards over scenarios: the shipped ones are alive in every version, what is wrong with others is told.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use common::server::{binary, scratch};
use mock_kestra::dashboard::{Dashboard, read};
use mock_kestra::document::Source;
use mock_kestra::lab::{DashboardReport, DashboardRuns, QueryReport, Shown, dashboards_html, judge_dashboards};
use mock_kestra::monitor::read_rules;
use mock_kestra::profile::Profile;
use mock_kestra::random::Seed;
use mock_kestra::run::Watch;
use mock_kestra::scenario::{NoFiles, Plan, read as read_scenario};
use mock_kestra::time::{Calendar, Duration};
use serde_json::{Value, json};

fn plan(text: &str, kestra: &str) -> Arc<Plan> {
    let (plan, told) = read_scenario("x.yaml", text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{told:#?}"));
    Arc::new(Plan { kestra: Profile::named(kestra).expect("a version"), ..plan })
}

fn dashboard(text: &str) -> Dashboard {
    let (dashboard, told) = read(&Arc::new(Source { name: "d.json".to_owned(), text: text.to_owned() }));
    assert_eq!(told, []);
    dashboard.expect("a dashboard")
}

fn shipped() -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/dashboards");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("there").map(|it| it.expect("read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "json"));
    files.sort();
    let text = |path: PathBuf| (path.clone(), std::fs::read_to_string(path).expect("readable"));
    files.into_iter().map(text).collect()
}

fn watch() -> Watch {
    let (rules, _) = read_rules("kestra.yml", include_str!("../scenarios/rules/kestra.yml")).expect("sound rules");
    Watch { rules, ..Watch::default() }
}

fn judged(plan: &Arc<Plan>, dashboards: Vec<(String, Dashboard)>) -> Vec<DashboardReport> {
    let runs = DashboardRuns { dashboards, ..DashboardRuns::default() };
    judge_dashboards(plan, Seed(1), Calendar::default(), &watch(), &runs).expect("no limit")
}

/// A dashboard of one panel for each expression, judged over a scenario.
fn of_expressions(plan: &Arc<Plan>, expressions: &[&str], variables: Value) -> DashboardReport {
    let panel =
        |expr: &&str| json!({ "title": expr, "type": "timeseries", "targets": [ { "refId": "A", "expr": expr } ] });
    let panels: Vec<Value> = expressions.iter().map(panel).collect();
    let text = json!({ "title": "d", "panels": panels, "templating": { "list": variables } }).to_string();
    judged(plan, vec![("d.json".to_owned(), dashboard(&text))]).remove(0)
}

fn told(query: &QueryReport) -> &str {
    query.told.as_deref().unwrap_or_default()
}

#[test]
fn every_expression_of_the_shipped_dashboards_has_data_in_every_version_since_1_0() {
    let cluster = include_str!("../scenarios/healthy-cluster.yaml");
    let all: Vec<(String, Dashboard)> =
        shipped().into_iter().map(|(path, text)| (path.display().to_string(), dashboard(&text))).collect();
    assert!(all.len() >= 5);
    for kestra in ["1.0", "1.1", "1.2", "1.3", "2.0"] {
        for report in judged(&plan(cluster, kestra), all.clone()) {
            assert!(report.count(Shown::Data) >= 10, "{}", report.text());
            for query in report.panels.iter().flat_map(|panel| &panel.queries) {
                assert_eq!(query.shown, Shown::Data, "{kestra}: {}: {}: {}", report.dashboard, query.expr, told(query));
            }
        }
    }
}

#[test]
fn the_shipped_dashboards_are_what_grafana_imports() {
    let mut uids = BTreeSet::new();
    for (path, text) in shipped() {
        let it: Value = serde_json::from_str(&text).expect("JSON");
        let name = path.display();
        assert!(uids.insert(it["uid"].as_str().expect("a uid").to_owned()), "{name}: its uid is another's");
        let variables: BTreeSet<&str> =
            it["templating"]["list"].as_array().expect("a list").iter().filter_map(|it| it["name"].as_str()).collect();
        assert!(variables.contains("datasource"), "{name}");
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in it["panels"].as_array().expect("panels") {
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{name}: ids repeat");
            let of = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
            assert!(of("x") + of("w") <= 24, "{name}: {panel}");
            for x in of("x")..of("x") + of("w") {
                for y in of("y")..of("y") + of("h") {
                    assert!(taken.insert((x, y)), "{name}: panels lie on each other: {}", panel["title"]);
                }
            }
            for target in panel["targets"].as_array().into_iter().flatten() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{name}: {}", panel["title"]);
            }
        }
    }
}

const BROKEN: &str = include_str!("dashboards/broken.json");

#[test]
fn what_is_wrong_with_a_dashboard_is_told_panel_by_panel() {
    let plan = plan(include_str!("../scenarios/worker-killed.yaml"), "1.3");
    let report = judged(&plan, vec![("broken.json".to_owned(), dashboard(BROKEN))]).remove(0);
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("dashboard-broken", report.text());
    });
    assert!(report.found());
    let page = dashboards_html(&[report]);
    assert!(page.contains("<svg") && !page.contains("<script") && !page.contains("http"), "{page}");
}

/// Expressions of public rules and dashboards for Kestra and for any program that Micrometer counts, as they are written in the
/// panels of the dashboard 4701 of grafana.com and in what operators published of their own; no file of theirs is here.
#[test]
fn expressions_that_are_in_public_use_are_judged_as_a_real_server_would_show_them() {
    let plan = plan(include_str!("../scenarios/healthy-cluster.yaml"), "1.3");
    let variables = json!([
        { "name": "application", "type": "query", "query": "label_values(application)" },
        { "name": "instance", "type": "query", "query": "label_values(jvm_memory_used_bytes, instance)" },
    ]);
    let alive = [
        "sum by (namespace_id, flow_id, state) (increase(kestra_executor_execution_end_count_total{state=~\"FAILED|KILLED\"}[15m]))",
        "sum(kestra_worker_job_pending)",
        "max(up{job=\"kestra\"})",
        "hikaricp_connections_active / hikaricp_connections_max",
        "sum(jvm_memory_used_bytes{instance=\"$instance\", area=\"heap\"})*100/sum(jvm_memory_max_bytes{instance=\"$instance\", area=\"heap\"})",
        "sum(jvm_memory_used_bytes{application=\"$application\", instance=\"$instance\", area=\"heap\"})",
        "irate(process_cpu_usage{instance=~\"$instance\"}[$__rate_interval])",
    ];
    let report = of_expressions(&plan, &alive, variables.clone());
    for panel in &report.panels {
        assert_eq!(panel.shown, Shown::Data, "{}: {:?}", panel.title, panel.queries);
    }
    // The label `application` is Spring Boot's, Kestra has none: a variable of it is empty, which a series without the label
    // has; and a value of it no series has.
    let dead = [
        "rate(http_server_requests_seconds_count{instance=\"$instance\", application=\"spring\"}[$__rate_interval])",
        "kestra_queue_message_lag_count",
    ];
    let report = of_expressions(&plan, &dead, variables);
    let found: Vec<(&str, &str)> =
        report.panels.iter().map(|panel| (panel.shown.name(), told(&panel.queries[0]))).collect();
    assert!(found.iter().all(|(shown, _)| *shown == "empty"), "{found:?}");
    assert!(found[0].1.contains("they have no such label"), "{found:?}");
    assert!(found[1].1.contains("there is no series called `kestra_queue_message_lag_count`"), "{found:?}");
    assert_eq!(report.variables[0].told.as_deref(), Some("no series of this run gives one"));
}

#[test]
fn variables_take_what_is_stored_where_it_is_there_and_panels_repeat() {
    let plan = plan(include_str!("../scenarios/healthy-cluster.yaml"), "1.3");
    let text = json!({ "title": "d", "templating": { "list": [
        { "name": "role", "type": "query", "query": "label_values(up, role)", "multi": true, "includeAll": true,
          "current": { "value": ["worker", "gone"] } },
        { "name": "member", "type": "query", "query": { "query": "label_values(up{role=~\"$role\"}, instance)" },
          "includeAll": true, "current": { "value": "$__all" }, "regex": "/^(worker-[12]):/" },
        { "name": "lost", "type": "query", "query": "label_values(up, instance)", "current": { "value": "old:8081" } },
        { "name": "names", "type": "query", "query": "metrics(kestra_worker_job_.*)" },
        { "name": "value", "type": "query", "query": "query_result(count(up))", "regex": "/ (\\d+) /" },
        { "name": "window", "type": "interval", "query": "1m,5m", "current": { "value": "5m" } },
        { "name": "auto", "type": "interval", "query": "1m,5m", "current": { "value": "$__auto_interval_auto" } },
    ] }, "panels": [
        { "title": "of $member", "type": "timeseries", "repeat": "member",
          "targets": [ { "refId": "A", "expr": "up{instance=\"$member:8081\"}" } ] },
        { "title": "times", "type": "stat", "interval": "1m",
          "targets": [ { "refId": "A", "expr": "sum(increase(up[$__range])) + 0 * count_over_time(up[$window:$__interval]) + $__interval_ms" },
                       { "refId": "B", "expr": "rate(process_start_time_seconds[$auto]) + rate(up[$__rate_interval])" } ] },
    ] });
    let report = judged(&plan, vec![("d.json".to_owned(), dashboard(&text.to_string()))]).remove(0);
    let values: BTreeMap<&str, Vec<&str>> =
        report.variables.iter().map(|it| (it.name.as_str(), it.values.iter().map(String::as_str).collect())).collect();
    assert_eq!(values["role"], ["worker"]);
    assert_eq!(values["member"], ["worker-1", "worker-2"]);
    assert_eq!(values["lost"], ["executor-1:8081"]);
    assert_eq!(values["names"], ["kestra_worker_job_pending"]);
    assert_eq!(values["value"], ["10"]);
    assert!(report.variables[2].told.as_ref().is_some_and(|told| told.contains("`old:8081`, is not there")));
    let asked = |panel: usize| report.panels[panel].queries.iter().map(|it| it.expr.as_str()).collect::<Vec<&str>>();
    assert_eq!(asked(0), ["up{instance=\"worker-1:8081\"}", "up{instance=\"worker-2:8081\"}"]);
    assert_eq!(
        asked(1),
        [
            "sum(increase(up[1800s])) + 0 * count_over_time(up[5m:1m]) + 60000",
            "rate(process_start_time_seconds[1m]) + rate(up[4m])"
        ]
    );
    assert_eq!(report.panels[0].shown, Shown::Data);
}

#[test]
fn a_run_that_cannot_keep_all_series_is_refused_by_name() {
    let text = "name: long\nduration: 30d\n";
    let runs = DashboardRuns {
        dashboards: vec![(
            "d.json".to_owned(),
            dashboard("{ \"panels\": [ { \"targets\": [ { \"expr\": \"{__name__=~'x.*'}\" } ] } ] }"),
        )],
        scrape: Some(Duration::seconds(15)),
        ..DashboardRuns::default()
    };
    let failed = judge_dashboards(&plan(text, "1.3"), Seed(1), Calendar::default(), &watch(), &runs);
    assert!(failed.is_err_and(|failed| failed.why.contains("all samples cannot be kept")));
}

/// What `mock-kestra dashboard` says: exit code, standard output, standard error.
fn cli(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = binary().arg("dashboard").args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_says_by_its_exit_code_whether_panels_are_alive() {
    let folder = scratch("dashboards");
    std::fs::create_dir_all(&folder).expect("a folder");
    let broken = folder.join("broken.json").display().to_string();
    std::fs::write(&broken, BROKEN).expect("written");
    let junit = folder.join("junit.xml").display().to_string();

    let (code, out, _) = cli(&["--kestra", "1.3,2.0"]);
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(out.matches("panels have data").count(), 10, "{out}");

    let (code, out, _) = cli(&[&broken, "--format", "json", "--junit", &junit]);
    assert_eq!(code, Some(1));
    let reports: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(reports[0]["panels"][0]["shown"], "empty");
    let written = std::fs::read_to_string(&junit).expect("written");
    assert!(written.contains("failures=\"") && written.contains("did you mean"), "{written}");

    // Of a folder the JSON files are dashboards.
    assert_eq!(cli(&[&folder.display().to_string()]).0, Some(1));
    for (arguments, told) in [
        (vec!["nowhere.json"], "nowhere.json"),
        (vec!["--var", "instanse=x"], "did you mean `instance`?"),
        (vec!["--var", "x"], "NAME=VALUE"),
        (vec!["--scenario", "helthy"], "healthy"),
        (vec!["Cargo.toml"], "Cargo.toml"),
        (vec!["scenarios/rules/prometheus.yml"], "this is no dashboard"),
    ] {
        let (code, out, error) = cli(&arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
    let (code, out, _) = cli(&["--var", "instance=worker-1:8081", "scenarios/dashboards/workers.json"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("$instance is worker-1:8081"), "{out}");
}

#[test]
fn variables_stand_behind_those_that_they_ask_for_in_the_order_that_they_say() {
    let plan = plan(include_str!("../scenarios/healthy-cluster.yaml"), "1.3");
    let of = |name: &str, query: &str, more: Value| {
        let mut variable = json!({ "name": name, "type": "query", "query": query });
        let all = variable.as_object_mut().expect("an object");
        all.extend(more.as_object().expect("an object").clone());
        variable
    };
    let variables = json!([
        of("instance", "label_values(up{role=\"$role\"}, instance)", json!({ "sort": 2 })),
        of("role", "label_values(up, role)", json!({ "current": { "value": "worker" } })),
        { "name": "step", "type": "interval", "query": "1m,1h", "auto": true, "auto_count": 30, "auto_min": "10s",
          "current": { "value": "$__auto_interval_step" } },
        { "name": "empty", "type": "textbox", "query": ".*", "current": { "value": "" } },
    ]);
    let expressions = [
        "up{instance=\"$instance\", job=~\"$empty\"}",
        "rate(jvm_gc_pause_seconds_count[$step])",
        "count({job=\"kestra\"})",
        "sum({\"up\"})",
        "# of [5m\nup",
    ];
    let report = of_expressions(&plan, &expressions, variables);
    let values: Vec<(&str, &str)> =
        report.variables.iter().map(|it| (it.name.as_str(), it.values[0].as_str())).collect();
    assert_eq!(values[..2], [("instance", "worker-3:8081"), ("role", "worker")]);
    for panel in &report.panels {
        assert_eq!(panel.shown, Shown::Data, "{}: {:?}", panel.title, panel.queries);
    }
}

#[test]
fn rows_repeat_their_panels_and_a_data_source_may_be_a_variable() {
    let plan = plan(include_str!("../scenarios/healthy-cluster.yaml"), "1.3");
    let up = json!([ { "refId": "A", "expr": "up{instance=\"$instance\"}" } ]);
    let loki =
        |source: Value| json!({ "title": "logs", "datasource": source, "targets": [ { "expr": "{a=\"b\"} | json" } ] });
    let instance = json!({ "name": "instance", "type": "query", "query": "label_values(up, instance)",
        "multi": true, "includeAll": true, "current": { "value": ["$__all"] } });
    let source = json!({ "name": "logs", "type": "datasource", "query": "loki" });
    let constant = json!({ "name": "job", "type": "constant", "query": "${VAR_JOB}" });
    let old = json!({ "title": "old", "templating": { "list": [instance, source, constant] },
        "__inputs": [ { "name": "DS_LOKI", "type": "datasource", "pluginId": "loki" },
                      { "name": "VAR_JOB", "type": "constant", "value": "kestra" } ],
        "panels": [
            { "type": "row", "title": "each", "repeat": "instance" },
            { "title": "open", "targets": up },
            { "type": "row", "title": "folded", "repeat": "instance", "panels": [ { "title": "inside", "targets": up } ] },
            { "type": "row", "title": "others" },
            loki(json!("$logs")), loki(json!({ "uid": "${DS_LOKI}" })),
            { "title": "constant", "targets": [ { "expr": "up{job=\"${VAR_JOB}\", job=~\"$job\"}" } ] },
        ] });
    let element = json!({ "kind": "Panel", "spec": { "title": "new", "data": { "spec": { "queries": [ { "spec": {
        "refId": "A", "query": { "kind": "DataQuery", "group": "prometheus",
                                 "spec": { "expr": "up{instance=\"$instance\"}" } } } } ] } } } });
    let new = json!({ "title": "new", "elements": { "one": element },
        "variables": [ { "kind": "QueryVariable", "spec": { "name": "instance", "multi": true, "includeAll": true,
            "query": { "group": "prometheus", "spec": { "query": "label_values(up, instance)" } },
            "current": { "value": ["$__all"] } } } ],
        "layout": { "kind": "RowsLayout", "spec": { "rows": [ { "kind": "RowsLayoutRow", "spec": {
            "repeat": { "mode": "variable", "value": "instance" },
            "layout": { "kind": "GridLayout", "spec": { "items": [ { "kind": "GridLayoutItem", "spec": {
                "element": { "kind": "ElementReference", "name": "one" } } } ] } } } } ] } } });
    let boards = [old, new].map(|it| ("d.json".to_owned(), dashboard(&it.to_string()))).to_vec();
    let reports = judged(&plan, boards);
    for panel in reports.iter().flat_map(|report| &report.panels) {
        let expected = if panel.title == "logs" { Shown::Unjudged } else { Shown::Data };
        assert_eq!(panel.shown, expected, "{}: {:?} {:?}", panel.title, panel.told, panel.queries);
        let copies = if ["open", "inside", "new"].contains(&panel.title.as_str()) { 10 } else { 1 };
        assert!(panel.queries.len() == copies || panel.title == "logs", "{}: {}", panel.title, panel.queries.len());
    }
}
