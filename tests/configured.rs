//! Metrics of a configured Kestra: prefix, common tags, labels of flows; beside the recordings.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{body, capture_of, exposition, families, simulate};
use mock_kestra::document::Severity;
use mock_kestra::management::{Outcome, Request, answer};
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::time::{Duration, Instant};

fn plan(text: &str) -> Arc<Plan> {
    let (plan, told) = read("x.yaml", text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", mock_kestra::document::render(&told))))
}

#[test]
fn prefix_and_labels_show_as_recorded() {
    let plan = plan(
        "name: x\nconfiguration: { kestra: { metrics: { prefix: acme, labels: [ team, missing ], tags: { env: prod } } } }\nflows:\n  - { id: ok, namespace: company.team, labels: { team: data }, tasks: [ { id: a, type: a.b.C }, { id: b, type: a.b.C } ] }\n  - { id: fail, namespace: company.team, tasks: [ { id: a, type: a.b.C }, { id: f, type: io.kestra.plugin.core.execution.Fail } ] }\narrivals: [ { flow: ok, rate: 6/min }, { flow: fail, rate: 6/min } ]\n",
    );
    let text = exposition(&simulate(&plan, 1, Instant::START + Duration::minutes(1)), 0);
    // Family and keys of its labels.
    let keys = |text: &str| -> BTreeSet<(String, Vec<String>)> {
        let told =
            |name: &str| name.starts_with("acme_executor_execution") || name.starts_with("acme_executor_taskrun");
        families(text).into_iter().filter(|it| told(&it.name)).map(|it| (it.name.clone(), it.keys())).collect()
    };
    let recorded = keys(body(&capture_of("1.3", "configuration/prefix_labels.http")));
    assert!(recorded.len() > 8, "{recorded:?}");
    assert_eq!(keys(&text), recorded);
    assert!(text.contains("label_missing=\"__none__\",label_team=\"data\""));
    // The tags of kestra.metrics have no effect, and no meter of Kestra keeps its old name.
    assert!(!text.contains("env=") && !text.contains("\nkestra_") && text.contains("\njvm_memory_used_bytes"));
}

#[test]
fn common_tags_stand_on_every_line_and_metrics_can_be_switched_off() {
    for version in ["0.20", "1.3"] {
        let plan = plan(&format!(
            "name: x\nkestra: \"{version}\"\nconfiguration: {{ micronaut.metrics.tags: {{ env: prod, zone: a }} }}\n"
        ));
        let text = exposition(&simulate(&plan, 1, Instant::START), 0);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        assert!(lines.clone().count() > 100);
        assert!(lines.into_iter().all(|line| line.contains("env=\"prod\"") && line.contains("zone=\"a\"")));
    }
    let off =
        simulate(&plan("name: x\nconfiguration: { micronaut: { metrics: { enabled: false } } }\n"), 1, Instant::START);
    for (path, status) in [("/prometheus", 404), ("/metrics", 404), ("/metrics/jvm.memory.used", 404), ("/health", 200)]
    {
        let request = Request::get(path, Instant::START);
        let Outcome::Answer(answer) = answer(&request, &off, 0) else { panic!("no answer to {path}") };
        assert_eq!(answer.status, status, "{path}");
    }
    // The recording of 0.20 says so too.
    let recorded = capture_of("0.20", "configuration/common_tags.http");
    let lines = body(&recorded).lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert!(lines.clone().count() > 100 && lines.into_iter().all(|line| line.contains("env=\"prod\"")));
}

#[test]
fn series_of_a_tagged_server_stand_in_the_recorded_order() {
    let plan = plan("name: x\nkestra: \"0.20\"\nconfiguration: { micronaut.metrics.tags.env: prod }\n");
    let ours = families(&exposition(&simulate(&plan, 1, Instant::START), 0));
    let recorded = families(body(&capture_of("0.20", "configuration/common_tags.http")));
    for family in recorded.iter().filter(|it| it.name.starts_with("jvm_") || it.name.starts_with("executor_")) {
        // A phase of the collector comes with time.
        let Some(same) = ours.iter().find(|it| it.name == family.name) else {
            assert!(family.name.contains("jvm_gc"), "{}", family.name);
            continue;
        };
        let shared: Vec<&String> = family.series.iter().filter(|line| same.series.contains(line)).collect();
        let order: Vec<&String> = same.series.iter().filter(|line| family.series.contains(line)).collect();
        assert_eq!(shared, order, "{}", family.name);
        assert!(!shared.is_empty(), "{}", family.name);
    }
}

#[test]
fn labels_of_flows_stand_on_the_meters_of_2_0_as_recorded() {
    let plan = plan(
        "name: x\nkestra: \"2.0\"\nconfiguration: { kestra: { metrics: { prefix: acme, labels: [ team ] } } }\nflows:\n  - { id: ok, namespace: company.team, labels: { team: data }, triggers: [ { id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" } ], tasks: [ { id: a, type: a.b.C } ] }\narrivals: [ { flow: ok, rate: 6/min } ]\n",
    );
    let text = exposition(&simulate(&plan, 1, Instant::START + Duration::minutes(5)), 0);
    let ours = families(&text);
    let recorded = families(&capture_of("2.0", "configuration/prefix_labels.txt"));
    let mut compared = 0;
    for family in recorded.iter().filter(|it| it.name.starts_with("acme_") && !it.name.contains("jdbc_query")) {
        let Some(same) = ours.iter().find(|it| it.name == family.name) else { continue };
        assert_eq!(
            (same.keys(), &same.kind, &same.help),
            (family.keys(), &family.kind, &family.help),
            "{}",
            family.name
        );
        compared += 1;
    }
    assert!(compared > 60, "{compared} families");
    assert!(text.contains("acme_scheduler_trigger_count_total{flow_id=\"ok\",label_team=\"data\""));
}

#[test]
fn help_texts_can_be_switched_off() {
    for version in ["0.17", "0.20", "1.3", "2.0"] {
        let text = |configuration: &str| {
            let plan = plan(&format!("name: x\nkestra: \"{version}\"\n{configuration}"));
            exposition(&simulate(&plan, 1, Instant::START), 0)
        };
        let off = text("configuration: { micronaut.metrics.export.prometheus.descriptions: false }\n");
        let helps: Vec<&str> = off.lines().filter(|line| line.starts_with("# HELP ")).collect();
        // Behind the name a space, and the space that stands for no text (recorded of meters that have none).
        assert!(
            helps.len() > 50 && helps.iter().all(|line| line.ends_with("  ") && line.split(' ').count() == 5),
            "{helps:?}"
        );
        let on = text("configuration: { micronaut.metrics.export.prometheus.descriptions: true }\n");
        assert_eq!(on, text(""));
        let values = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with("# HELP ")).map(str::to_owned).collect()
        };
        assert_eq!(values(&on), values(&off));
    }
    // The texts of /metrics stay.
    let off = plan("name: x\nconfiguration: { micronaut.metrics.export.prometheus.descriptions: false }\n");
    let simulation = simulate(&off, 1, Instant::START);
    let request = Request::get("/metrics/jvm.memory.used", Instant::START);
    let Outcome::Answer(answer) = answer(&request, &simulation, 0) else { panic!("no answer") };
    let mock_kestra::management::Body::Sized(body) = &answer.body else { panic!("{answer:?}") };
    let body = String::from_utf8_lossy(body);
    assert!(body.contains("The amount of used memory"), "{body}");
}

#[test]
fn a_binder_that_is_switched_off_takes_its_families_along() {
    let names = |configuration: &str| -> BTreeSet<String> {
        let plan = plan(&format!("name: x\nconfiguration: {{ {configuration} }}\n"));
        let simulation = simulate(&plan, 1, Instant::START + Duration::minutes(2));
        families(&exposition(&simulation, 0)).into_iter().map(|family| family.name).collect()
    };
    let all = names("");
    for (binder, prefixes) in [
        ("jvm", vec!["jvm_"]),
        ("uptime", vec!["process_uptime", "process_start"]),
        ("processor", vec!["system_", "process_cpu"]),
        ("files", vec!["process_files"]),
        ("logback", vec!["logback_"]),
        ("web", vec!["http_"]),
        ("jdbc", vec!["hikaricp_"]),
        ("netty.queues", vec!["netty_queue"]),
        ("netty.bytebuf-allocators", vec!["netty_alloc"]),
        ("netty.bytebufAllocators", vec!["netty_alloc"]),
        ("netty.channels", vec!["netty_channel"]),
    ] {
        let gone: BTreeSet<String> =
            all.difference(&names(&format!("micronaut.metrics.binders.{binder}.enabled: false"))).cloned().collect();
        let expected: BTreeSet<String> =
            all.iter().filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).cloned().collect();
        assert!(!expected.is_empty() && gone == expected, "{binder}: {gone:?}, not {expected:?}");
        assert_eq!(names(&format!("micronaut.metrics.binders.{binder}.enabled: true")), all);
    }
    // Kestra's own pools stay.
    let text = |enabled: bool| {
        let plan =
            plan(&format!("name: x\nconfiguration: {{ micronaut.metrics.binders.executor.enabled: {enabled} }}\n"));
        exposition(&simulate(&plan, 1, Instant::START), 0)
    };
    let lost: Vec<String> = {
        let (with, without) = (text(true), text(false));
        let there: BTreeSet<&str> = without.lines().collect();
        with.lines().filter(|line| !there.contains(line)).map(str::to_owned).collect()
    };
    assert!(!lost.is_empty() && lost.iter().all(|line| line.contains("name=\"scheduled\"")), "{lost:?}");
    assert!(text(false).contains("executor_pool_size_threads{name=\"worker\"}"));
}

#[test]
fn settings_are_followed_or_told() {
    let told = |version: &str, configuration: &str| -> Vec<(Severity, String)> {
        let text = format!("name: x\nkestra: \"{version}\"\nconfiguration: {{ {configuration} }}\n");
        let (plan, diagnostics) = read("x.yaml", &text, &NoFiles);
        assert!(plan.is_some());
        diagnostics.into_iter().map(|it| (it.severity, it.what)).collect()
    };
    let lost = |keys: &str| (Severity::Warning, format!("not simulated: what is set by {keys}"));
    let idle = |version: &str, keys: &str| {
        (Severity::Note, format!("Kestra {version} does not follow these settings, and so nothing does here: {keys}"))
    };
    for (version, configuration, expected) in [
        ("1.3", "micronaut.metrics.binders: { jvm.enabled: false, netty.queues.enabled: true }", vec![]),
        (
            "1.3",
            "micronaut.metrics.binders.cache.enabled: false",
            vec![lost("micronaut.metrics.binders.cache.enabled")],
        ),
        // 0.20 ships with it off, and what it would show was not recorded.
        (
            "0.20",
            "micronaut.metrics.binders.netty.queues.enabled: true",
            vec![lost("micronaut.metrics.binders.netty.queues.enabled")],
        ),
        ("0.20", "micronaut.metrics.binders.netty.queues.enabled: false", vec![]),
        (
            "1.3",
            "micronaut.metrics.export.prometheus.step: PT2M",
            vec![lost("micronaut.metrics.export.prometheus.step")],
        ),
        ("1.3", "kestra: { storage: { type: local }, repository.type: postgres, plugins.configurations: [] }", vec![]),
        ("1.3", "datasources.postgres: { url: x, username: u }", vec![]),
        ("1.3", "datasources.postgres: { maximumPoolSize: 50 }", vec![lost("datasources.postgres.maximum-pool-size")]),
        ("1.3", "kestra.metrics.tags: { env: prod }", vec![idle("1.3", "kestra.metrics.tags.env")]),
        // Of those nothing was recorded that shows it.
        ("0.17", "kestra.metrics.tags.env: prod", vec![lost("kestra.metrics.tags.env")]),
        ("1.0", "kestra.metrics.tags.env: prod", vec![lost("kestra.metrics.tags.env")]),
        ("2.0", "kestra.metrics.tags.env: prod", vec![idle("2.0", "kestra.metrics.tags.env")]),
        ("0.20", "kestra.metrics.labels: [ team ]", vec![idle("0.20", "kestra.metrics.labels")]),
    ] {
        assert_eq!(told(version, configuration), expected, "{version} {configuration}");
    }
    // Each with its own place.
    let text = "name: x\nconfiguration: { a: { b: 1, c: 2 } }\n";
    let places: Vec<(usize, String)> =
        read("x.yaml", text, &NoFiles).1.into_iter().map(|it| (it.place.range.start, it.what)).collect();
    let at = |key: &str| text.find(&format!("{key}: ")).expect("it stands there");
    assert_eq!(places, [(text.rfind("b: 1").expect("it"), lost("a.b").1), (at("c"), lost("a.c").1)]);
    let many: String = (0..25).map(|number| format!("kestra.metrics.tags.b{number}: 1, ")).collect();
    assert!(told("1.3", &many)[0].1.ends_with("kestra.metrics.tags.b19 and 5 more"), "{:?}", told("1.3", &many));
}
