//! What the model does beside what a real Kestra 1.3.19 did in the recordings: direction, order and timing of failures, and
//! what its counters count, errors included.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::{exposition, families, labels};
use mock_kestra::document;
use mock_kestra::management::{Outcome, Request, answer};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::simulator::{Port, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};

fn simulation(text: &str) -> Simulation {
    let (plan, diagnostics) = read("test.yaml", text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&diagnostics)));
    Simulation::new(Arc::new(plan), Seed(1), Calendar::default())
}

fn at(seconds: f64) -> Instant {
    Instant::START + Duration::from_seconds_f64(seconds)
}

fn get(simulation: &Simulation, member: usize, path: &str) -> String {
    let request = Request::get(path, simulation.now());
    match answer(&request, simulation, member) {
        Outcome::Answer(answer) => answer.status.to_string(),
        Outcome::Refused => "refused".into(),
        Outcome::Reset => "reset".into(),
        Outcome::Wait(_) | Outcome::Hang => "hangs".into(),
    }
}

/// The sum of all series of a name that carry these labels.
fn value(simulation: &Simulation, member: usize, name: &str, wanted: &[(&str, &str)]) -> f64 {
    let mut sum = 0.0;
    for family in families(&exposition(simulation, member)) {
        for (series, value) in family.series.iter().zip(&family.values) {
            let of = series.split('{').next().expect("a name");
            let labels = labels(series);
            if of == name && wanted.iter().all(|(key, value)| labels.get(*key).is_some_and(|is| is == value)) {
                sum += value.parse::<f64>().expect("a number");
            }
        }
    }
    sum
}

/// When the journal first says this.
fn when(simulation: &Simulation, text: &str) -> f64 {
    let line = simulation.journal().iter().find(|line| line.text(simulation.plan()).contains(text));
    let line = line.unwrap_or_else(|| panic!("no {text} in {:#?}", simulation.journal()));
    line.at.as_nanoseconds() as f64 / 1e9
}

/// Flows that start once, at 08:01:00, one minute after the start.
fn once(count: usize, tasks: &str) -> String {
    (0..count)
        .map(|n| {
            format!(
                "  - id: f{n}\n    namespace: company.team\n    triggers: [ {{ id: t, type: io.kestra.plugin.core.trigger.Schedule, withSeconds: true, cron: \"0 1 8 * * *\" }} ]\n    tasks: {tasks}\n"
            )
        })
        .collect()
}

const SLEEP: &str = "[ { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT20S } ]";

#[test]
fn a_standalone_whose_database_refuses_is_gone_after_0_7_seconds_with_exit_code_1() {
    let mut simulation = simulation(
        "name: x\ncluster: { standalone: 1, restart: never }\ntimeline: [ { at: 1m, database: refused } ]\n",
    );
    simulation.advance(at(60.4)).expect("no limit");
    assert_eq!((get(&simulation, 0, "/health"), get(&simulation, 0, "/health/liveness")), ("503".into(), "200".into()));
    simulation.advance(at(61.0)).expect("no limit");
    assert_eq!(get(&simulation, 0, "/health"), "refused");
    let gone = when(&simulation, "standalone-1 exits with code 1");
    assert!((60.5..=60.9).contains(&gone), "{gone}");
}

#[test]
fn a_stalled_database_hangs_health_alone_and_ends_the_process_after_30_seconds() {
    let mut simulation = simulation(
        "name: x\ncluster: { standalone: 1, restart: never }\ntimeline: [ { at: 1m, database: stalled } ]\n",
    );
    simulation.advance(at(65.0)).expect("no limit");
    for (path, expected) in
        [("/health", "hangs"), ("/health/readiness", "hangs"), ("/health/liveness", "200"), ("/prometheus", "200")]
    {
        assert_eq!(get(&simulation, 0, path), expected, "{path}");
    }
    let pool = |simulation: &Simulation, name: &str| value(simulation, 0, &format!("hikaricp_connections{name}"), &[]);
    assert_eq!((pool(&simulation, "_active"), pool(&simulation, "_idle"), pool(&simulation, "")), (10.0, 0.0, 10.0));
    assert!(pool(&simulation, "_pending") >= 10.0);
    simulation.advance(at(80.0)).expect("no limit");
    assert_eq!((pool(&simulation, "_pending"), pool(&simulation, "_timeout_total")), (13.0, 0.0));
    simulation.advance(at(100.0)).expect("no limit");
    let gone = when(&simulation, "exits with code 1");
    assert!((90.0..=91.1).contains(&gone), "{gone}");
}

#[test]
fn each_role_dies_of_a_lost_database_in_its_own_time() {
    let cluster =
        "cluster: { restart: never, members: { webserver: 1, executor: 1, scheduler: 1, worker: 1, indexer: 1 } }\n";
    let refused = format!("name: x\n{cluster}timeline: [ {{ at: 1m, database: refused }} ]\n");
    let mut simulation = simulation(&refused);
    simulation.advance(at(120.0)).expect("no limit");
    for role in ["webserver", "executor", "scheduler", "worker"] {
        let gone = when(&simulation, &format!("{role}-1 exits with code 1"));
        assert!((60.0..=63.1).contains(&gone), "{role} {gone}");
    }
    // The indexer's threads get their error from the pool, which waits 30 s.
    let gone = when(&simulation, "indexer-1 exits with code 1");
    assert!((91.0..=93.0).contains(&gone), "{gone}");

    let shut_down =
        format!("name: x\n{cluster}flows:\n{}timeline: [ {{ at: 65s, database: shut-down }} ]\n", once(3, SLEEP));
    let mut simulation = self::simulation(&shut_down);
    simulation.advance(at(120.0)).expect("no limit");
    let (webserver, worker) = (when(&simulation, "webserver-1 exits"), when(&simulation, "worker-1 exits"));
    assert!((65.4..=65.8).contains(&webserver), "{webserver}");
    assert!((95.4..=95.8).contains(&worker), "a worker with running tasks waits for a connection: {worker}");
}

#[test]
fn a_killed_worker_is_noticed_after_a_minute_and_its_jobs_come_back_after_the_grace_period() {
    let mut simulation = simulation(&format!(
        "name: x\ncluster: {{ restart: never, members: {{ webserver: 1, executor: 1, scheduler: 1, worker: {{ count: 2, grace: 40s }} }} }}\n\
         flows:\n{}timeline: [ {{ at: 70s, kill: worker }}, {{ at: 71s, start: worker-2 }} ]\n",
        once(3, "[ { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT3M } ]")
    ));
    simulation.advance(at(65.0)).expect("no limit");
    let created = value(&simulation, 1, "kestra_executor_taskrun_created_count_total", &[]);
    assert_eq!(created, 3.0);
    let owner = if simulation.running(3).len() == 3 { "worker-1" } else { "worker-2" };
    simulation.advance(at(600.0)).expect("no limit");
    let disconnected = when(&simulation, &format!("{owner} is DISCONNECTED")) - 70.0;
    let resubmitted = when(&simulation, "handed out again") - 70.0;
    // Recorded: +61.5 s and +111 s; the look for silent services comes each 10 s.
    assert!((57.0..=71.0).contains(&disconnected), "{disconnected}");
    assert!((97.0..=122.0).contains(&resubmitted), "{resubmitted}");
    let resubmissions = value(&simulation, 1, "kestra_executor_worker_job_resubmit_count_total", &[]);
    assert_eq!(resubmissions, 1.0, "it counts dead workers, not jobs");
    assert_eq!(
        value(&simulation, 1, "kestra_executor_taskrun_created_count_total", &[]),
        created,
        "nothing is created anew"
    );
    assert_eq!((simulation.truth().resubmitted, simulation.truth().ended_in_all()), (3, 3));
}

#[test]
fn a_standalone_with_running_tasks_stays_up_after_sigterm_until_they_end() {
    let mut simulation = simulation(&format!(
        "name: x\ncluster: {{ standalone: {{ threads: 4, restart: never }} }}\nflows:\n{}timeline: [ {{ at: 66s, stop: standalone-1 }} ]\n",
        once(3, SLEEP)
    ));
    simulation.advance(at(70.0)).expect("no limit");
    for path in ["/health", "/health/readiness", "/health/liveness", "/worker", "/prometheus"] {
        assert_eq!(get(&simulation, 0, path), "200", "{path} while tasks drain");
    }
    simulation.advance(at(120.0)).expect("no limit");
    assert_eq!(simulation.truth().attempts_ended, 0, "no executor is left to see the ends");
    let gone = when(&simulation, "exits with code 143");
    // Tasks end some 20 s after 08:01:01; recorded: gone a second later.
    assert!((81.0..=83.5).contains(&gone), "{gone}");
}

#[test]
fn idle_roles_refuse_at_once_after_sigterm_and_exit_within_seconds() {
    let mut simulation = simulation(
        "name: x\ncluster: { restart: never, members: { webserver: 1, executor: 1, scheduler: 1, worker: 1, indexer: 1 } }\n\
         timeline: [ { at: 1m, stop: [ executor, scheduler, indexer, webserver ] } ]\n",
    );
    simulation.advance(at(60.3)).expect("no limit");
    for member in [0, 1, 2, 4] {
        assert_eq!(get(&simulation, member, "/health"), "refused");
    }
    simulation.advance(at(70.0)).expect("no limit");
    for role in ["executor", "scheduler", "indexer", "webserver"] {
        let gone = when(&simulation, &format!("{role}-1 exits with code 143")) - 60.0;
        assert!((1.6..=3.3).contains(&gone), "{role} {gone}");
    }
}

#[test]
fn post_stop_leaves_the_port_open_for_two_seconds_with_one_last_error() {
    let mut simulation = simulation("name: x\ncluster: { standalone: 1, restart: never }\n");
    simulation.advance(at(60.0)).expect("no limit");
    simulation.command(mock_kestra::simulator::Command::Stop { member: 0 }).expect("a process");
    let seen: Vec<String> = (0..30)
        .map(|tenth| {
            simulation.advance(at(60.0 + f64::from(tenth) * 0.1 + 0.05)).expect("no limit");
            get(&simulation, 0, "/health")
        })
        .collect();
    let first =
        |wanted: &str| seen.iter().position(|it| it == wanted).unwrap_or_else(|| panic!("no {wanted} in {seen:?}"));
    assert!(
        first("200") == 0 && (18..=22).contains(&first("500")) && (20..=23).contains(&first("refused")),
        "{seen:?}"
    );
    let gone = when(&simulation, "exits with code 143") - 60.0;
    assert!((2.4..=2.8).contains(&gone), "{gone}");
}

#[test]
fn twenty_sleeps_on_four_threads_wait_in_the_worker() {
    let mut simulation =
        simulation(&format!("name: x\ncluster: {{ standalone: {{ threads: 4 }} }}\nflows:\n{}", once(20, SLEEP)));
    simulation.advance(at(70.0)).expect("no limit");
    assert_eq!(value(&simulation, 0, "kestra_worker_job_running", &[]), 4.0);
    assert_eq!(value(&simulation, 0, "kestra_worker_job_pending", &[]), 16.0);
    assert_eq!(value(&simulation, 0, "executor_queued_tasks", &[("name", "worker")]), 16.0);
    assert_eq!(value(&simulation, 0, "kestra_worker_running_count", &[]), 4.0);
    assert_eq!(simulation.running(0).len(), 4);
    simulation.advance(at(300.0)).expect("no limit");
    let sum = |name: &str| value(&simulation, 0, &format!("{name}_sum"), &[]);
    let ended = sum("kestra_worker_ended_duration_seconds");
    // Recorded: 1249.97 s from creation to end, of which 848.61 s in the queue, on a loaded machine.
    assert!((1200.0..1260.0).contains(&ended), "{ended}");
    let queued = sum("kestra_worker_queued_duration_seconds");
    assert!((800.0..860.0).contains(&queued), "{queued}");
    let executor = sum("kestra_executor_taskrun_ended_duration_seconds");
    assert!((executor - ended).abs() < 1e-6, "the executor tells the same: {executor} {ended}");
}

#[test]
fn each_failed_attempt_is_counted_as_a_failed_execution() {
    let retry = "[ { id: s, type: io.kestra.plugin.core.execution.Fail, retry: { type: constant, interval: PT1S, maxAttempts: 3 } } ]";
    let mut simulation = simulation(&format!("name: x\nflows:\n{}", once(1, retry)));
    simulation.advance(at(300.0)).expect("no limit");
    let count =
        |name: &str, state: &str| value(&simulation, 0, &format!("kestra_executor_{name}"), &[("state", state)]);
    // Recorded of the flow retry_fail.
    for (name, state, expected) in [
        ("execution_end_count_total", "FAILED", 3.0),
        ("execution_duration_seconds_count", "FAILED", 3.0),
        ("execution_started_count_total", "CREATED", 1.0),
        ("taskrun_created_count_total", "RUNNING", 3.0),
        ("taskrun_ended_count_total", "FAILED", 3.0),
        ("execution_delay_created_count_total", "RETRYING", 2.0),
        ("execution_delay_created_count_total", "RUNNING", 0.0),
        ("execution_delay_ended_count_total", "RETRYING", 2.0),
        ("execution_message_process_seconds_count", "CREATED", 1.0),
        ("execution_message_process_seconds_count", "RETRYING", 6.0),
        ("execution_message_process_seconds_count", "FAILED", 1.0),
    ] {
        assert_eq!(count(name, state), expected, "{name} {state}");
    }
    let truth = simulation.truth();
    assert_eq!((truth.created, truth.ended_in_all(), truth.attempts), (1, 1, 3), "the truth beside it");
}

#[test]
fn executions_from_the_concurrency_queue_are_not_counted_as_started_and_refused_ones_not_at_all() {
    let flow = |behavior: &str| {
        format!(
            "name: x\nflows:\n  - id: f\n    namespace: company.team\n    concurrency: {{ limit: 1, behavior: {behavior} }}\n    triggers:\n{}    tasks: {SLEEP}\n",
            (0..3)
                .map(|n| format!("      - {{ id: t{n}, type: io.kestra.plugin.core.trigger.Schedule, withSeconds: true, cron: \"0 1 8 * * *\" }}\n"))
                .collect::<String>()
        )
    };
    let mut simulation = simulation(&flow("QUEUE"));
    simulation.advance(at(300.0)).expect("no limit");
    let count = |simulation: &Simulation, name: &str| {
        value(simulation, 0, &format!("kestra_executor_execution_{name}_count_total"), &[])
    };
    // Recorded of the flow conc_queue: 1 started, 2 queued, 2 popped, 3 ended.
    let all = ["started", "queued", "popped", "end"].map(|name| count(&simulation, name));
    assert_eq!(all, [1.0, 2.0, 2.0, 3.0]);
    assert_eq!(simulation.truth().ended_in_all(), 3);
    for behavior in ["FAIL", "CANCEL"] {
        let mut simulation = self::simulation(&flow(behavior));
        simulation.advance(at(300.0)).expect("no limit");
        let all = ["started", "queued", "end"].map(|name| count(&simulation, name));
        assert_eq!(all, [1.0, 0.0, 1.0], "{behavior}");
        assert_eq!(simulation.truth().ended_in_all(), 3, "{behavior}");
    }
}

#[test]
fn a_one_task_execution_makes_the_recorded_messages() {
    let mut simulation = simulation(&format!(
        "name: x\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 1 }} }}\nflows:\n{}",
        once(1, "[ { id: s, type: io.kestra.plugin.core.log.Log } ]")
    ));
    simulation.advance(at(300.0)).expect("no limit");
    let message = |state: &str| {
        let name = "kestra_executor_execution_message_process_seconds_count";
        value(&simulation, 1, name, &[("state", state)])
    };
    assert_eq!((message("CREATED"), message("RUNNING"), message("SUCCESS")), (1.0, 3.0, 1.0));
    let produced = |member: usize, class: &str| {
        value(&simulation, member, "kestra_queue_produce_count_total", &[("queue_type", class)])
    };
    let execution = "io.kestra.core.models.executions.Execution";
    assert_eq!(produced(2, execution), 1.0, "the scheduler makes the execution");
    assert_eq!(produced(1, execution), 5.0);
    assert_eq!(produced(1, "io.kestra.core.runners.WorkerJob"), 1.0);
    assert_eq!(produced(3, "io.kestra.core.runners.WorkerTaskResult"), 2.0);
    assert_eq!(simulation.members()[0].port(), Port::Open);
}
