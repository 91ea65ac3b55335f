//! What Kestra 2.0 does otherwise than earlier versions: a controller, workers without a database, and how processes end.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::{exposition, families, simulate};
use mock_kestra::document::render;
use mock_kestra::management::{Outcome, Request, answer};
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::{Port, Simulation};
use mock_kestra::time::{Duration, Instant};

fn told(text: &str) -> (Option<Plan>, String) {
    let (plan, told) = read("new.yaml", &format!("name: new\nkestra: \"2.0\"\n{text}"), &NoFiles);
    (plan, render(&told))
}

fn plan(text: &str) -> Arc<Plan> {
    let (plan, told) = told(text);
    Arc::new(plan.unwrap_or_else(|| panic!("{told}")))
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::seconds(seconds)
}

fn member(simulation: &Simulation, name: &str) -> usize {
    simulation.members().iter().position(|member| member.plan().name == name).expect(name)
}

/// The value of a line; none where it does not exist.
fn value(simulation: &Simulation, name: &str, line: &str) -> Option<f64> {
    let families = families(&exposition(simulation, member(simulation, name)));
    families.iter().find_map(|family| {
        let index = family.series.iter().position(|series| series == line)?;
        family.values[index].parse().ok()
    })
}

/// The status of a health path, or why there is none.
fn health(simulation: &Simulation, name: &str, path: &str, arrived: Instant) -> Result<u16, &'static str> {
    match answer(&Request::get(path, arrived), simulation, member(simulation, name)) {
        Outcome::Answer(answer) => Ok(answer.status),
        Outcome::Wait(_) | Outcome::Hang => Err("waits"),
        Outcome::Refused | Outcome::Reset => Err("gone"),
    }
}

fn open(simulation: &Simulation, name: &str) -> bool {
    simulation.members()[member(simulation, name)].port() == Port::Open
}

/// Seconds after the start at which the journal says something.
fn when(simulation: &Simulation, part: &str) -> f64 {
    let line = simulation.journal().iter().find(|line| line.text(simulation.plan()).contains(part));
    let line = line.unwrap_or_else(|| panic!("no {part} in {:#?}", simulation.journal()));
    line.at.since(Instant::START).as_seconds_f64()
}

const ROLES: &str =
    "{ webserver: 1, executor: 1, scheduler: 1, worker: { count: 2, threads: 4 }, indexer: 1, controller: 1 }";

/// A flow of one sleep, started this often a minute.
fn sleeps(cluster: &str, rate: u32, length: &str) -> String {
    format!(
        "cluster: {{ restart: never, {cluster} }}\n\
         flows: [ {{ id: sleep, namespace: company.team, tasks: [ {{ id: s, type: io.kestra.plugin.core.flow.Sleep, duration: {length} }} ] }} ]\n\
         arrivals: [ {{ flow: sleep, rate: {rate}/min }} ]\n"
    )
}

#[test]
fn a_worker_holds_twice_its_threads_and_the_rest_waits_where_no_gauge_shows_it() {
    // Recorded in standalone/sleep20: 20 sleeps on 4 threads.
    let plan = plan(&sleeps("standalone: { threads: 4 }", 60, "PT10M"));
    let simulation = simulate(&plan, 1, at(60));
    for (line, recorded) in [
        ("kestra_worker_running_count{worker_group=\"default\"}", 4.0),
        ("kestra_worker_pending_count{worker_group=\"default\"}", 0.0),
        ("kestra_worker_queue_size{name=\"workerjob\",worker_group=\"default\"}", 4.0),
        ("kestra_worker_queue_remaining_capacity{name=\"workerjob\",worker_group=\"default\"}", 0.0),
        ("kestra_worker_max_concurrency{worker_group=\"default\"}", 8.0),
        ("kestra_controller_job_inflight{worker_queue=\"default\"}", 8.0),
        ("kestra_controller_permits_available{worker_queue=\"default\"}", 0.0),
        ("kestra_controller_capacity_shared_allocated{worker_group=\"default\"}", 8.0),
        ("kestra_controller_worker_active_all", 1.0),
        ("kestra_worker_running_count{worker_group=\"system\"}", 0.0),
    ] {
        assert_eq!(value(&simulation, "standalone-1", line), Some(recorded), "{line}");
    }
    let count = |line: &str| value(&simulation, "standalone-1", line).unwrap_or(0.0);
    assert!(count("kestra_controller_subscription_paused_total{worker_queue=\"default\"}") >= 1.0);
    let backlog = simulation.backlog();
    assert_eq!((backlog.jobs_running, backlog.jobs_pending), (4, 4));
    assert!(backlog.jobs_queued > 20, "{backlog:?}");
}

#[test]
fn jobs_and_messages_add_up_through_the_controller() {
    let plan = plan(&sleeps(&format!("members: {ROLES}"), 90, "PT2S"));
    let simulation = simulate(&plan, 3, at(600));
    let truth = simulation.truth();
    let backlog = simulation.backlog();
    let ended: u64 = truth.ended.iter().sum();
    assert_eq!(truth.created, ended + truth.live);
    assert!(backlog.jobs_queued == 0 && backlog.jobs_running > 0, "{backlog:?}");
    let emitted = |name: &str, queue: &str| {
        value(&simulation, name, &format!("kestra_queue_message_emitted_total{{queue_name=\"{queue}\"}}"))
            .unwrap_or(0.0)
    };
    let created = truth.created as f64;
    let controller = "controller-1";
    let dispatched = "kestra_controller_job_dispatched_total{worker_group=\"default\",worker_queue=\"default\"}";
    let dispatched = value(&simulation, controller, dispatched).expect("jobs were handed out");
    assert!((dispatched - created).abs() <= 2.0 && emitted("executor-1", "worker_job_event") >= dispatched);
    // Workers have no queues: the controller writes for them. Two results and three log lines a task.
    assert_eq!(emitted("worker-1", "worker_task_result") + emitted("worker-2", "log_entry"), 0.0);
    assert_eq!(emitted(controller, "worker_task_result"), dispatched + truth.attempts_ended as f64);
    // Four changes of state an execution (recorded: 309 events of 65 executions with 1.3 tasks).
    let events = emitted("executor-1", "execution_event") / created;
    assert!((3.8..=4.1).contains(&events), "{events}");
    assert_eq!(emitted("webserver-1", "execution_command"), created);
    assert_eq!(emitted("executor-1", "execution_statistic"), ended as f64);
    let rows = "kestra_indexer_message_in_count_total{type=\"io.kestra.core.models.executions.statistics.ExecutionStatistic\"}";
    let rows = ["indexer-1", "webserver-1"].map(|name| value(&simulation, name, rows).unwrap_or(0.0));
    assert_eq!(rows.iter().sum::<f64>(), ended as f64);
}

#[test]
fn a_killed_worker_is_missed_by_the_controller_at_once_and_by_the_executor_after_its_grace() {
    // Recorded in kill9-grace20s: found at +64 s, jobs handed out again at +94 s, counted once.
    let text = sleeps(&format!("grace: 20s, members: {ROLES}"), 20, "PT30S");
    let plan = plan(&format!("{text}timeline: [ {{ at: 60s, kill: worker-2 }} ]\n"));
    let mut simulation = simulate(&plan, 1, at(60));
    let active = "kestra_controller_worker_active{worker_queue=\"default\"}";
    let resubmitted = "kestra_executor_worker_job_resubmit_count_total";
    simulation.advance(at(62)).expect("no limit");
    assert_eq!(value(&simulation, "controller-1", active), Some(1.0));
    let unregistered = "kestra_controller_worker_unregistered_total{worker_group=\"default\",worker_queue=\"default\"}";
    assert_eq!(value(&simulation, "controller-1", unregistered), Some(1.0));
    simulation.advance(at(120)).expect("no limit");
    assert_eq!(value(&simulation, "executor-1", resubmitted), Some(0.0));
    simulation.advance(at(170)).expect("no limit");
    assert_eq!(value(&simulation, "executor-1", resubmitted), Some(1.0));
    assert!((57.0..=72.0).contains(&(when(&simulation, "worker-2 is DISCONNECTED") - 60.0)));
    assert!((77.0..=102.0).contains(&(when(&simulation, "worker-2 is INACTIVE") - 60.0)));
}

#[test]
fn a_webserver_shows_its_queues_once_a_worker_has_registered() {
    let active = "kestra_controller_worker_active{worker_queue=\"default\"}";
    let all = "kestra_controller_worker_active_all";
    let alone = plan("cluster: { members: { webserver: 1, executor: 1, scheduler: 1, indexer: 1 } }\n");
    let alone = simulate(&alone, 1, at(10));
    assert_eq!((value(&alone, "webserver-1", active), value(&alone, "webserver-1", all)), (None, Some(0.0)));
    let with = plan("cluster: { members: { webserver: 2, executor: 1, scheduler: 1, indexer: 1, worker: 2 } }\n");
    let with = simulate(&with, 1, at(10));
    assert_eq!((value(&with, "webserver-1", active), value(&with, "webserver-1", all)), (Some(2.0), Some(2.0)));
    // The other one has no worker.
    assert_eq!((value(&with, "webserver-2", active), value(&with, "webserver-2", all)), (None, Some(0.0)));
}

#[test]
fn a_controller_that_takes_over_begins_anew() {
    let members = "members: { webserver: 2, executor: 1, scheduler: 1, indexer: 1, worker: { count: 1, threads: 1 } }";
    let text = sleeps(members, 60, "PT20S");
    let plan = plan(&format!("{text}timeline: [ {{ at: 60s, kill: webserver-1 }} ]\n"));
    let mut simulation = simulate(&plan, 1, at(59));
    let count = |simulation: &Simulation, name: &str, what: &str, tags: &str| {
        value(simulation, name, &format!("kestra_controller_{what}_total{{{tags}worker_queue=\"default\"}}"))
            .unwrap_or(0.0)
    };
    assert!(count(&simulation, "webserver-1", "subscription_paused", "") >= 1.0, "the worker is full");
    simulation.advance(at(120)).expect("no limit");
    let of = |what, tags| count(&simulation, "webserver-2", what, tags);
    assert_eq!(of("worker_registered", "worker_group=\"default\","), 1.0);
    // One resumption is there at start. It paused first, and does so now.
    let (paused, resumed) = (of("subscription_paused", ""), of("subscription_resumed", "") - 1.0);
    assert!(resumed >= 1.0 && paused == resumed + 1.0, "{paused} pauses, {resumed} resumptions");
}

#[test]
fn without_a_controller_workers_give_up_after_a_minute() {
    let text = sleeps("members: { executor: 1, scheduler: 1, webserver: 1, worker: 1, indexer: 1 }", 20, "PT5S");
    // Nothing says that a webserver does not come back in time: then the worker goes on.
    for (lasts, lives) in [("30s", true), ("10m", false)] {
        let plan = plan(&format!("{text}timeline: [ {{ at: 60s, kill: webserver-1, for: {lasts} }} ]\n"));
        let mut simulation = simulate(&plan, 1, at(100));
        assert_eq!(health(&simulation, "worker-1", "/health", at(100)), Ok(200), "it does not know of it");
        simulation.advance(at(200)).expect("no limit");
        assert_eq!(open(&simulation, "worker-1"), lives, "{:#?}", simulation.journal());
        if lives {
            assert!(simulation.backlog().jobs_running <= 4);
        } else {
            assert!((62.9..=63.1).contains(&(when(&simulation, "found no controller") - 60.0)));
        }
    }
}

#[test]
fn a_worker_that_goes_on_while_there_is_no_controller_is_missed_as_if_it_still_stood_still() {
    let text = sleeps("members: { executor: 1, scheduler: 1, webserver: 1, worker: 1, indexer: 1 }", 20, "PT5S");
    let timeline = "[ { at: 60s, kill: webserver-1, for: 10m }, { at: 70s, hang: worker-1, for: 10s } ]";
    let simulation = simulate(&plan(&format!("{text}timeline: {timeline}\n")), 1, at(300));
    // Its last heartbeat came before the controller went; the timeout is a minute, one looks each ten seconds.
    let missed = when(&simulation, "worker-1 is DISCONNECTED");
    assert!((117.0..=130.0).contains(&missed), "{missed}");
}

#[test]
fn refused_connections_kill_all_but_scheduler_and_worker() {
    let plan = plan(&format!(
        "cluster: {{ restart: never, members: {ROLES} }}\ntimeline: [ {{ at: 60s, database: refused, for: 40s }} ]\n"
    ));
    let mut simulation = simulate(&plan, 1, at(60));
    let now = simulation.now();
    assert_eq!(health(&simulation, "scheduler-1", "/health", now), Ok(503));
    assert_eq!(health(&simulation, "worker-1", "/health", now), Ok(200), "it has no database");
    simulation.advance(at(63)).expect("no limit");
    for name in ["webserver-1", "executor-1", "indexer-1", "controller-1"] {
        assert!(!open(&simulation, name), "{name}");
    }
    let now = simulation.now();
    assert_eq!(health(&simulation, "scheduler-1", "/health/readiness", now), Err("waits"));
    assert_eq!(health(&simulation, "scheduler-1", "/health/liveness", now), Ok(200));
    simulation.advance(at(95)).expect("no limit");
    assert_eq!(health(&simulation, "scheduler-1", "/health/readiness", now), Ok(503));
    simulation.advance(at(120)).expect("no limit");
    assert_eq!(health(&simulation, "scheduler-1", "/health", at(120)), Ok(200));
    let timeouts = value(&simulation, "scheduler-1", "hikaricp_connections_timeout_total{pool=\"HikariPool-1\"}");
    assert_eq!(timeouts, Some(2.0));
    simulation.advance(at(200)).expect("no limit");
    assert!(open(&simulation, "scheduler-1") && !open(&simulation, "worker-1"));
}

#[test]
fn a_stall_kills_nobody_before_it_is_over() {
    let plan = plan(&format!(
        "cluster: {{ restart: never, members: {ROLES} }}\ntimeline: [ {{ at: 60s, database: stalled, for: 65s }} ]\n"
    ));
    let mut simulation = simulate(&plan, 1, at(124));
    let names = ["webserver-1", "executor-1", "scheduler-1", "worker-1", "worker-2", "indexer-1", "controller-1"];
    for name in names {
        assert!(open(&simulation, name), "{name}");
        assert_eq!(health(&simulation, name, "/health/liveness", at(124)), Ok(200), "{name}");
    }
    assert_eq!(health(&simulation, "executor-1", "/health", at(124)), Err("waits"));
    assert_eq!(health(&simulation, "worker-1", "/health", at(124)), Ok(200));
    let pool =
        |what: &str| value(&simulation, "executor-1", &format!("hikaricp_connections_{what}{{pool=\"HikariPool-1\"}}"));
    assert_eq!(pool("active"), pool("max").map(|_| 10.0));
    assert!(pool("pending") > Some(0.0) && pool("timeout_total") == Some(5.0));
    simulation.advance(at(131)).expect("no limit");
    let alive: Vec<&str> = names.into_iter().filter(|name| open(&simulation, name)).collect();
    assert_eq!(alive, ["scheduler-1", "worker-1", "worker-2"]);
}

#[test]
fn sigterm_cuts_tasks_off_and_keeps_the_ports_open_till_the_end() {
    // Recorded in standalone/stop: UP for 13 s, then refused.
    let text = sleeps("standalone: { threads: 4 }", 60, "PT10M");
    let plan = plan(&format!("{text}timeline: [ {{ at: 60s, stop: standalone-1 }} ]\n"));
    let mut simulation = simulate(&plan, 1, at(60));
    for second in 61..=72 {
        simulation.advance(at(second)).expect("no limit");
        for path in ["/health", "/health/readiness", "/health/liveness"] {
            assert_eq!(health(&simulation, "standalone-1", path, at(second)), Ok(200), "{path} at {second}");
        }
    }
    simulation.advance(at(74)).expect("no limit");
    assert_eq!(health(&simulation, "standalone-1", "/health", at(74)), Err("gone"));
}

#[test]
fn a_timeout_is_counted_with_its_attempt() {
    let plan = plan(
        "cluster: { standalone: 1 }\n\
         flows: [ { id: slow, namespace: company.team, tasks: [ { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M, timeout: PT2S } ] } ]\n\
         arrivals: [ { flow: slow, rate: 20/min } ]\n",
    );
    let simulation = simulate(&plan, 1, at(300));
    let line = "kestra_worker_timeout_count_total{attempt_count=\"1\",flow_id=\"slow\",namespace_id=\"company.team\",\
                task_type=\"io.kestra.plugin.core.flow.Sleep\",tenant_id=\"main\",worker_group=\"default\"}";
    assert!(value(&simulation, "standalone-1", line) > Some(50.0));
}

#[test]
fn slow_queries_show_where_2_0_measures_them() {
    let plan = plan("cluster: { standalone: 1 }\ntimeline: [ { at: 60s, database: { slow: 20x }, for: 60s } ]\n");
    let polls = |second| {
        let simulation = simulate(&plan, 1, at(second));
        let sql = r#"sql="select \"?\", \"?\" from queues where (\"?\" = cast(? as varchar) and \"?\" is null) order by ? fetch next ? rows only for update skip locked""#;
        value(&simulation, "standalone-1", &format!("kestra_jdbc_query_duration_seconds_count{{{sql}}}"))
            .expect("a family")
    };
    let (before, just, after, later) = (polls(10), polls(60), polls(120), polls(600));
    assert_eq!((before, after), (just, later), "a healthy database answers faster than what is measured");
    assert!(after > before + 100.0, "{before} {after}");
}

#[test]
fn a_controller_belongs_to_versions_that_have_one() {
    let (_, told_2_0) = told("cluster: { members: { executor: 1, scheduler: 1, worker: 1, indexer: 1 } }\n");
    assert!(told_2_0.contains("no member does the work of the role controller"), "{told_2_0}");
    let (plan, told_1_3) = read(
        "old.yaml",
        "name: old\ncluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 1, controller: 1 } }\n",
        &NoFiles,
    );
    assert!(plan.is_none());
    assert!(render(&told_1_3).contains("Kestra 1.3 has no controller"), "{}", render(&told_1_3));
}

#[test]
fn an_outage_whose_manner_changes_has_one_beginning_and_no_counter_falls() {
    let timeline = "  - { at: 1m, database: refused, for: 2m }\n  - { at: 2m30s, database: stalled, for: 1m }\n";
    let text = format!(
        "name: x\nkestra: \"2.0\"\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 1 }} }}\ntimeline:\n{timeline}"
    );
    let plan = read("x.yaml", &text, &NoFiles).0.expect("a plan");
    let mut simulation = Simulation::new(Arc::new(plan), mock_kestra::random::Seed(1), Default::default());
    let (mut last, mut most) = (0.0, 0.0);
    let scheduler = member(&simulation, "scheduler-1");
    for step in 0..100 {
        simulation.advance(Instant::START + Duration::seconds(step * 3)).expect("no limit");
        let shown = exposition(&simulation, scheduler);
        let line =
            shown.lines().find(|line| line.starts_with("hikaricp_connections_timeout_total{")).expect("a scheduler");
        let value: f64 = line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number");
        assert!(value >= last, "it fell from {last} to {value} at {}", simulation.now());
        (last, most) = (value, f64::max(most, value));
    }
    assert_eq!(simulation.members()[scheduler].life(), 0, "the scheduler outlives it");
    assert!(most >= 17.0, "150 s without a database: {most}");
}
