//! Members that come and go: `scale`, `POST /api/scale`, autoscalers; and that service discovery follows.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::server::{Local, plan, session};
use mock_kestra::document;
use mock_kestra::monitor::{Configuration, read_rules};
use mock_kestra::random::Seed;
use mock_kestra::run::{Scraping, Session, Watch, run};
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::server::Options;
use mock_kestra::simulator::{Happening, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;

const CLUSTER: &str = "
name: scaled
duration: 40m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: { count: 2, threads: 2, most: 4 } } }
flows: [ { id: f, namespace: n, tasks: [ { id: t, type: io.kestra.plugin.core.log.Log } ] } ]
behaviour: [ { task: t, duration: 20s } ]
arrivals: [ { flow: n.f, rate: 9/min } ]
";

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::seconds(seconds)
}

fn workers(simulation: &Simulation) -> Vec<&str> {
    let is = |it: &&mock_kestra::simulator::Member| it.name().starts_with("worker") && !it.is_away();
    simulation.members().iter().filter(is).map(|it| it.name()).collect()
}

/// A run that a Prometheus watches, and what it expects: all of it is met.
fn met(text: &str, watch: &Watch) -> mock_kestra::report::Report {
    let report = run(&Arc::new(plan(text)), Seed(1), Calendar::default(), Some(watch)).expect("no limit");
    assert!(!report.failed(), "{}", report.text());
    report
}

#[test]
fn members_come_drain_and_go_and_their_targets_with_them() {
    let text = CLUSTER.to_owned()
        + r#"
timeline:
  - { at: 10m, scale: worker, to: 5 }
  - { at: 20m, scale: worker, to: 1, for: 10m }
expect:
  - { event: worker is scaled from 2 to 5, at: 9m50s, within: 11s }
  - { event: { kind: comes-up, member: worker-5 }, at: 10m, within: 30s }
  - { event: { kind: shuts-down, member: worker-2 }, at: 20m, within: 1s }
  - { query: 'count(up{role="worker"})', at: 9m, is: "== 2" }
  - { query: 'count(up{role="worker"} == 1)', at: 12m, is: "== 5" }
  - { query: 'count(up{role="worker"})', at: 29m, is: "== 1" }
  - { query: 'count(kestra_worker_job_thread{role="worker"})', at: 29m, is: "== 1" }
  - { query: 'count(up{role="worker"} == 1)', at: 32m, is: "== 5" }
  - { query: 'count(up{role="worker"} == 0) or vector(0)', at: 29m, is: "== 0" }
"#;
    let report = met(&text, &Watch::default());
    // A place where nobody was yet is no target that does not answer.
    assert_eq!(report.targets.len(), 8);
    assert!(report.targets.iter().all(|target| target.scrapes > target.failed), "{:?}", report.targets);
    let last = report.targets.iter().find(|target| target.address == "worker-5:8081").expect("a target");
    assert!((75..90).contains(&last.scrapes), "from 10m to 20m and from 30m to 40m: {}", last.scrapes);
}

#[test]
fn series_of_one_that_is_gone_end_two_scrapes_later_and_a_tenth() {
    // worker-2 has nothing to do, and ends within seconds of 10m.
    let text = CLUSTER.replace("rate: 9/min", "rate: 0.001/min") + "timeline: [ { at: 10m, scale: worker, to: 1 } ]\n";
    let queries: String = (0..8)
        .map(|quarter| {
            let time = 600 + quarter * 15;
            format!(
                "  - {{ query: 'count(up{{instance=\"worker-2:8081\"}}) or vector(0)', at: {time}s, is: \">= 0\" }}\n"
            )
        })
        .collect();
    let report = met(&(text + "expect:\n" + &queries), &Watch::default());
    let seen: Vec<&str> = report.expectations.iter().map(|it| it.seen.as_str()).collect();
    let end = seen.iter().position(|it| *it == "0").expect("it ends");
    // It drains for some seconds, is missed at the next scrape, and Prometheus waits another 16.5 s.
    assert!((2..=4).contains(&end), "{seen:?}");
    assert!(seen[..end].iter().all(|it| *it == "1") && seen[end..].iter().all(|it| *it == "0"), "{seen:?}");
}

#[test]
fn a_target_that_a_configuration_names_stays_and_has_no_such_host() {
    let configuration = "scrape_configs:\n  - job_name: kestra\n    metrics_path: /prometheus\n    static_configs: \
                         [ { targets: [ 'worker-1:8081', 'worker-3:8081' ] } ]\n  - job_name: pods-of-kestra\n    metrics_path: /prometheus\n    \
                         kubernetes_sd_configs: [ { role: pod } ]\n    relabel_configs:\n      - { source_labels: \
                         [__meta_kubernetes_pod_container_port_number], regex: '8081', action: keep }\n";
    let read = Configuration::read("prometheus.yml", configuration);
    let (configuration, _) = read.unwrap_or_else(|told| panic!("{}", document::render(&told)));
    let watch = Watch { scraping: Scraping::Jobs(configuration.jobs), ..Watch::default() };
    let text = CLUSTER.to_owned()
        + r#"
timeline: [ { at: 20m, scale: worker, to: 3, for: 5m } ]
expect:
  - { query: 'count(up{job="kestra"} == 0)', at: 15m, is: "== 1" }
  - { query: 'count(up{job="kestra"} == 1)', at: 23m, is: "== 2" }
  - { query: 'count(up{job="kestra"} == 0)', at: 35m, is: "== 1" }
  - { query: 'count(up{job="pods-of-kestra"})', at: 15m, is: "== 5" }
  - { query: 'count(up{job="pods-of-kestra"})', at: 23m, is: "== 6" }
  - { query: 'count(up{job="pods-of-kestra"})', at: 35m, is: "== 5" }
"#;
    let report = met(&text, &watch);
    let named = report.targets.iter().find(|target| target.address == "worker-3:8081").expect("a target");
    let (_, why) = named.last_error.as_ref().expect("it failed");
    assert!(why.contains("no such host"), "{why}");
}

#[test]
fn an_alert_on_the_number_of_targets_sees_a_scale_down() {
    let rules = "groups: [ { name: g, rules: [ { alert: Few, expr: 'count(up{role=\"worker\"} == 1) < 2' }, \
                 { alert: Down, expr: up == 0, for: 1m } ] } ]";
    let watch = Watch { rules: read_rules("r.yml", rules).expect("sound").0, ..Watch::default() };
    let text = CLUSTER.to_owned()
        + "timeline: [ { name: less, at: 15m, scale: worker, to: 1 } ]\nexpect: [ { alert: Few, of: less, fires: { \
           within: 2m } }, { alert: Down, never: true } ]\n";
    met(&text, &watch);
}

#[test]
fn the_control_port_scales_and_discovery_follows() {
    let mock = Local::serve(session(plan(CLUSTER)), |clock| clock, Options::default());
    let targets = || {
        let all = mock.ask("GET", "/sd", "").1;
        let names = all.as_array().unwrap().iter().map(|it| it["labels"]["instance"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with("worker")).collect::<Vec<_>>()
    };
    let port = |name: &str| {
        let state = mock.ask("GET", "/api/state", "").1;
        let member = state["members"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
        member["port"].as_str().unwrap().to_owned()
    };
    assert_eq!((targets().len(), port("worker-4")), (2, "away".to_owned()));
    let scaled = mock.ask("POST", "/api/scale", r#"{"role": "worker", "to": 4}"#);
    assert_eq!(scaled.0, 200, "{}", scaled.1);
    assert_eq!((&scaled.1["from"], &scaled.1["to"]), (&2.into(), &4.into()));
    assert_eq!(targets().len(), 4);
    mock.post("/api/advance", r#"{"by": "1m"}"#);
    assert_eq!(port("worker-4"), "open");
    mock.post("/api/scale", r#"{"role": "worker", "to": 1}"#);
    mock.post("/api/advance", r#"{"by": "6m"}"#);
    assert_eq!(targets(), ["worker-1:8081"]);
    assert_eq!(port("worker-2"), "away");
    // Only the last one is in force.
    let faults = mock.ask("GET", "/api/faults", "").1;
    assert_eq!(faults["faults"].as_array().unwrap().len(), 1, "{faults}");
    let name = faults["faults"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(mock.ask("DELETE", &format!("/api/faults/{name}"), "").0, 200);
    mock.post("/api/advance", r#"{"by": "1m"}"#);
    assert_eq!(targets().len(), 2, "as the file has it");
    for (body, status, part) in [
        (r#"{"role": "worker", "to": 5}"#, 422, "places for 4"),
        (r#"{"role": "wroker", "to": 2}"#, 400, "wroker"),
        (r#"{"role": "worker"}"#, 400, "to"),
        (r#"{"role": "worker", "to": -1}"#, 400, "-1"),
        (r#"{"role": "worker", "count": 1}"#, 400, "count"),
    ] {
        let (found, value) = mock.ask("POST", "/api/scale", body);
        assert_eq!(found, status, "{body}: {value}");
        assert!(value["detail"].as_str().unwrap().contains(part), "{part} in {value}");
    }
}

const AUTOSCALED: &str = r#"
autoscale: [ { role: worker, query: sum(kestra_worker_job_pending), threshold: 4, min: 2, max: 6 } ]
"#;

fn counts(simulation: &Simulation) -> Vec<(Instant, usize)> {
    let scales = simulation.journal().iter().filter_map(|line| match line.what {
        Happening::Scales { to, .. } => Some((line.at, to)),
        _ => None,
    });
    scales.collect()
}

#[test]
fn an_autoscaler_follows_the_load_whoever_watches_and_a_saved_session_does_the_same() {
    let text =
        CLUSTER.to_owned() + AUTOSCALED + "timeline: [ { at: 5m, arrivals: { flow: n.f, times: 4x }, for: 12m } ]\n";
    let session = |text: &str| Session::new(Arc::new(plan(text)), Seed(3), Calendar::default());
    let mut alone = session(&text);
    let mut watched = session(&text).watched(&Watch::default());
    let mut kept = session(&text).endless().with_checkpoints();
    for it in [&mut alone, &mut watched, &mut kept] {
        it.advance(at(2400)).expect("no limit");
    }
    let found = counts(alone.simulation());
    assert!(found.iter().any(|(_, to)| *to == 6) && found.last().is_some_and(|(_, to)| *to == 2), "{found:?}");
    assert_eq!(counts(watched.simulation()), found);
    assert_eq!(counts(kept.simulation()), found);
    // A look back sees what was decided then.
    let highest = found.iter().find(|(_, to)| *to == 6).map(|(at, _)| *at + Duration::seconds(1)).unwrap();
    assert_eq!(workers(&kept.at(highest).expect("no limit")).len(), 6);
    let saved = kept.save();
    let (again, told) = read("saved.yaml", &saved, &NoFiles);
    assert!(told.is_empty(), "{}", document::render(&told));
    let mut again = Session::new(Arc::new(again.unwrap()), Seed(3), Calendar::default());
    again.advance(at(2400)).expect("no limit");
    assert_eq!(counts(again.simulation()), found);
    // Of an autoscaler only its last word is told, and nobody else takes its name.
    let names: Vec<&str> = kept.faults().map(|(entry, _)| entry.name.as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "autoscale-worker").count(), 1, "{names:?}");
    assert_eq!(kept.free_name("autoscale-worker"), "autoscale-worker-2");
    kept.restart();
    kept.advance(at(2400)).expect("no limit");
    assert_eq!(counts(kept.simulation()), found);
}

#[test]
fn what_is_asked_at_the_turn_of_an_autoscaler_comes_after_it_also_when_the_session_is_run_again() {
    let text = CLUSTER.to_owned() + AUTOSCALED;
    let plan = Arc::new(plan(&text));
    let mut session = Session::new(plan.clone(), Seed(1), Calendar::default()).endless().with_checkpoints();
    // Somebody looks at what is to come: no autoscaler is there yet.
    session.advance(at(60)).expect("no limit");
    let way = session.way_to(at(400)).go(&|| true).expect("no limit");
    session.learn(way.passed);
    session.advance(at(180)).expect("no limit");
    let entry = mock_kestra::scenario::read_fault("{ scale: worker, to: 1 }", &plan, session.now()).expect("a fault");
    session.inject(entry).expect("it is done");
    session.advance(at(600)).expect("no limit");
    let (again, _) = read("saved.yaml", &session.save(), &NoFiles);
    let mut again = Session::new(Arc::new(again.expect("a plan")), Seed(1), Calendar::default());
    again.advance(at(600)).expect("no limit");
    assert_eq!(counts(again.simulation()), counts(session.simulation()));
    let seen = |session: &Session| workers(&session.at(at(390)).expect("no limit")).len();
    assert_eq!(seen(&session), seen(&again));
}

#[test]
fn what_is_no_scaling_is_refused_with_a_place() {
    for (more, part) in [
        ("timeline: [ { at: 1m, scale: worker } ]", "does not say how many"),
        ("timeline: [ { at: 1m, scale: wroker, to: 3 } ]", "wroker"),
        ("timeline: [ { at: 1m, scale: worker, to: many } ]", "many"),
        ("timeline: [ { at: 1m, scale: controller, to: 2 } ]", "places for 0"),
        ("timeline: [ { at: 1m, kill: worker-1, to: 3 } ]", "`kill` has no `to`"),
        ("autoscale: [ { role: worker, query: 'up{', threshold: 1, max: 3 } ]", "cannot be asked"),
        ("autoscale: [ { role: worker, query: '3', threshold: 1, max: 3 } ]", "no vector"),
        ("autoscale: [ { role: worker, query: up, threshold: 0, max: 3 } ]", "`threshold` is `0`"),
        ("autoscale: [ { role: worker, query: up, threshold: 1, max: 3, min: 4 } ]", "less than `min`"),
        ("autoscale: [ { role: worker, query: up, threshold: 1, max: 3, polling: 10ms } ]", "10ms"),
        ("autoscale: [ { role: controller, query: up, threshold: 1, max: 3 } ]", "has no controller"),
        (
            "autoscale: [ { role: worker, query: up, threshold: 1, max: 3 }, { role: worker, query: up, threshold: 1, \
             max: 3 } ]",
            "two entries",
        ),
    ] {
        let (found, told) = read("x.yaml", &(CLUSTER.to_owned() + more), &NoFiles);
        let text = document::render(&told);
        assert!(found.is_none() && text.contains(part) && text.contains("x.yaml:"), "{more}: {text}");
    }
}

/// What a scaled cluster is like at any time: only the lowest places have processes, and nothing is lost.
fn lawful(simulation: &Simulation, plan: &Plan) -> Result<(), TestCaseError> {
    for (member, planned) in simulation.members().iter().zip(&plan.cluster.members) {
        prop_assert!(!member.is_away() || member.process().is_none(), "{} is away and lives", planned.name);
    }
    simulation.laws().map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(common::config(40))]

    #[test]
    fn whatever_is_scaled_and_broken_the_laws_hold_and_the_last_number_stays(
        steps in proptest::collection::vec((5u64..400, 0u32..5, 0usize..5), 1..10),
        seed in 0u64..1000,
    ) {
        let plan = Arc::new(plan(CLUSTER));
        let mut session = Session::new(plan.clone(), Seed(seed), Calendar::default());
        let mut now = 0;
        for (wait, to, with) in &steps {
            now += wait;
            session.advance(at(now)).expect("no limit");
            let broken = ["kill: worker-1, for: 20s", "hang: worker, for: 70s", "restart: worker-2", "stop: worker-1, for: 9s", "database: refused, for: 40s"];
            for body in [format!("{{ scale: worker, to: {to} }}"), format!("{{ {} }}", broken[*with])] {
                let entry = mock_kestra::scenario::read_fault(&body, &plan, session.now()).expect("a fault");
                session.inject(entry).expect("it is done");
            }
            lawful(session.simulation(), &plan)?;
        }
        // Whoever drains is gone after the grace period, whoever hung has heard of it.
        session.advance(at(now + 1200)).expect("no limit");
        lawful(session.simulation(), &plan)?;
        let to = steps.last().map_or(0, |(_, to, _)| *to) as usize;
        let expected: Vec<String> = (1..=to).map(|number| format!("worker-{number}")).collect();
        prop_assert_eq!(workers(session.simulation()), expected);
        let up = session.simulation().members().iter().filter(|it| it.name().starts_with("worker") && it.process().is_some());
        prop_assert_eq!(up.count(), to);
    }
}

#[test]
fn an_autoscaler_that_asks_for_what_nobody_shows_is_told_as_a_dead_rule_is() {
    let text = |query: &str| {
        format!(
            "name: x\nduration: 2m\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 1 }} }}\nautoscale: \
             [ {{ role: worker, query: \"{query}\", threshold: 10, max: 3 }} ]\n"
        )
    };
    let told = |query: &str, watch: Option<&Watch>| {
        let plan = Arc::new(plan(&text(query)));
        let report = run(&plan, Seed(1), Calendar::default(), watch).expect("no limit");
        mock_kestra::report::doubts(&[report])
    };
    let watch = Watch::default();
    for watch in [None, Some(&watch)] {
        let misspelt = told("sum(kestra_worker_job_pendin)", watch);
        let [one] = misspelt.as_slice() else { panic!("{misspelt:?}") };
        assert!(one.starts_with("x: the query that scales worker reads what nobody shows: "), "{one}");
        assert!(one.contains("`kestra_worker_job_pendin`; did you mean `kestra_worker_job_pending`?"), "{one}");
        // One of another version is none of this one; what only comes with an event, and what is there, is sound.
        assert_eq!(told("sum(kestra_controller_permits_available_all)", watch).len(), 1);
        for sound in ["sum(kestra_worker_job_pending)", "sum(kestra_executor_execution_end_count_total)", "count(up)"] {
            assert_eq!(told(sound, watch), [] as [String; 0], "{sound}");
        }
    }
}
