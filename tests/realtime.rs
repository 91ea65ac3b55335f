//! Realtime triggers: a worker's thread listens, each message starts an execution that nobody waits for, and what becomes of
//! the trigger when its worker goes, by version (source, kestra-io/kestra#14990 and PR#17779).
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::{exposition, families, labels};
use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;

/// Two workers, a realtime trigger with so many messages, and what happens.
fn plan(version: &str, messages: &str, timeline: &str) -> Arc<Plan> {
    let controller = if version == "2.0" { "controller: 1, " } else { "" };
    let text = format!(
        "name: x
kestra: \"{version}\"
cluster: {{ members: {{ {controller}webserver: 1, executor: 1, scheduler: 1, worker: {{ count: 2, threads: 4, restart: 5s }}, indexer: 1 }} }}
flows:
  - id: orders
    namespace: n
    triggers: [ {{ id: listen, type: io.kestra.plugin.kafka.RealtimeTrigger }} ]
    tasks: [ {{ id: log, type: io.kestra.plugin.core.log.Log, message: x }} ]
behaviour: [ {{ task: listen, messages: {messages} }} ]
timeline: {timeline}
"
    );
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    assert!(told.is_empty(), "{}", document::render(&told));
    Arc::new(plan.expect("a sound scenario"))
}

fn at(plan: &Arc<Plan>, seed: u64, seconds: u64) -> Simulation {
    let mut simulation = Simulation::new(plan.clone(), Seed(seed), Calendar::default());
    simulation.advance(Instant::START + Duration::seconds(seconds)).expect("no limit");
    simulation.laws().expect("the laws hold");
    simulation
}

/// The sum of the series of a name of the flow, over all members; none when there is none.
fn sum(simulation: &Simulation, name: &str) -> Option<f64> {
    let mut found = None;
    for member in 0..simulation.members().len() {
        for family in families(&exposition(simulation, member)) {
            for (series, value) in family.series.iter().zip(&family.values) {
                let of_flow = labels(series).get("flow_id").is_some_and(|flow| flow == "orders");
                if of_flow && series.starts_with(&format!("{name}{{")) {
                    found = Some(found.unwrap_or(0.0) + value.parse::<f64>().expect("a number"));
                }
            }
        }
    }
    found
}

const RUNNING: &str = "kestra_worker_trigger_running_count";
const STARTED: &str = "kestra_worker_trigger_started_count_total";
const ENDED: &str = "kestra_worker_trigger_ended_count_total";
const MESSAGES: &str = "kestra_worker_trigger_execution_count_total";
const EXECUTIONS: &str = "kestra_executor_execution_started_count_total";

/// The workers' jobs that run.
fn jobs(simulation: &Simulation) -> usize {
    (0..simulation.members().len()).map(|member| simulation.running(member).len()).sum()
}

#[test]
fn each_message_starts_an_execution_and_none_waits_for_another() {
    for version in ["0.20", "1.3", "2.0"] {
        let plan = plan(version, "60/min", "[]");
        let simulation = at(&plan, 1, 600);
        assert_eq!((sum(&simulation, RUNNING), sum(&simulation, STARTED)), (Some(1.0), Some(1.0)), "{version}");
        assert_eq!(sum(&simulation, ENDED), None, "{version}");
        let messages = sum(&simulation, MESSAGES).expect("messages");
        let executions = sum(&simulation, EXECUTIONS).expect("executions");
        // Ten minutes, and ten before the start.
        assert!((1_050.0..1_350.0).contains(&messages), "{version}: {messages} in twenty minutes");
        // What is on its way through the queues.
        assert!((0.0..5.0).contains(&(messages - executions)), "{version}: {messages} {executions}");
        // They count as no evaluations of a scheduler (source).
        assert_eq!(sum(&simulation, "kestra_scheduler_trigger_count_total"), None, "{version}");
        assert!(jobs(&simulation) >= 1, "{version}: it has a thread all the time");
    }
}

#[test]
fn a_worker_that_stops_in_good_order_ends_it_and_who_takes_it_up_depends_on_version_and_messages() {
    let both = "[ { at: 5m, restart: worker-1 }, { at: 7m, restart: worker-2 } ]";
    for (version, messages, runs) in [
        // Forgotten with its first message up to 1.3.29.
        ("0.20", "60/min", 0.0),
        ("1.2", "60/min", 0.0),
        ("1.3", "60/min", 0.0),
        ("2.0", "60/min", 1.0),
        // One that never had any is handed out again since 1.3.14.
        ("0.20", "1/d", 0.0),
        ("1.2", "1/d", 0.0),
        ("1.3", "1/d", 1.0),
        ("2.0", "1/d", 1.0),
    ] {
        let plan = plan(version, messages, both);
        let simulation = at(&plan, 3, 1_200);
        assert_eq!(sum(&simulation, RUNNING).unwrap_or(0.0), runs, "{version} with {messages}");
        let later = at(&plan, 3, 1_800);
        let started = |of: &Simulation| sum(of, EXECUTIONS).unwrap_or(0.0);
        let goes_on = started(&later) > started(&simulation);
        assert_eq!(goes_on, runs > 0.0 && messages == "60/min", "{version} with {messages}");
    }
}

#[test]
fn the_jobs_of_a_killed_worker_come_back_and_a_forgotten_trigger_does_not() {
    let both = "[ { at: 5m, kill: worker-1, for: 20m }, { at: 5m, kill: worker-2, for: 1m } ]";
    for (version, messages, runs) in
        [("1.3", "60/min", 0.0), ("1.3", "1/d", 1.0), ("2.0", "60/min", 1.0), ("0.20", "1/d", 1.0)]
    {
        let simulation = at(&plan(version, messages, both), 2, 1_500);
        assert_eq!(sum(&simulation, RUNNING).unwrap_or(0.0), runs, "{version} with {messages}");
    }
}

#[test]
fn messages_wait_while_the_worker_stands_still_or_has_no_database() {
    for fault in ["{ at: 5m, hang: worker, for: 40s }", "{ at: 5m, database: stalled, for: 20s }"] {
        let plan = plan("1.3", "60/min", &format!("[ {fault} ]"));
        let count = |seconds| sum(&at(&plan, 1, seconds), MESSAGES).expect("messages");
        assert_eq!(count(302), count(318), "{fault}");
        assert!(count(420) > count(318), "{fault}: it goes on");
    }
}

#[test]
fn one_whose_conditions_do_not_hold_is_not_listened_for() {
    for (version, limit) in [
        ("1.3", "conditions: [ { type: io.kestra.plugin.core.condition.Expression, expression: \"{{ false }}\" } ]"),
        ("2.0", "when: \"{{ false }}\""),
    ] {
        let held = plan(version, "60/min", "[]");
        let mut text = Plan::clone(&held);
        assert!(sum(&at(&held, 1, 60), RUNNING) == Some(1.0));
        let yaml = format!(
            "name: x\nkestra: \"{version}\"\nflows:\n  - id: orders\n    namespace: n\n    triggers: [ {{ id: listen, type: \
             io.kestra.plugin.kafka.RealtimeTrigger, {limit} }} ]\n    tasks: [ {{ id: log, type: \
             io.kestra.plugin.core.log.Log, message: x }} ]\n"
        );
        let (plan, told) = read("x.yaml", &yaml, &NoFiles);
        text.flows = plan.unwrap_or_else(|| panic!("{}", document::render(&told))).flows;
        let simulation = at(&Arc::new(text), 1, 300);
        assert_eq!((sum(&simulation, RUNNING), sum(&simulation, EXECUTIONS)), (None, None), "{version}");
    }
}

proptest! {
    #![proptest_config(common::config(24))]
    #[test]
    fn what_came_is_what_was_started_whatever_fails(
        rate in 1u32..300,
        seed in 0u64..1000,
        version in prop::sample::select(vec!["0.20", "1.3", "2.0"]),
        fault in prop::sample::select(vec![
            "kill: worker-1, for: 3m", "restart: worker-2", "restart: scheduler", "kill: executor, for: 1m",
            "database: refused, for: 30s", "hang: worker-1, for: 5m", "restart: worker",
        ]),
        begins in 1u64..400,
    ) {
        let plan = plan(version, &format!("{rate}/min"), &format!("[ {{ at: {begins}s, {fault} }} ]"));
        let simulation = at(&plan, seed, 900);
        let truth = simulation.truth();
        prop_assert!(truth.created <= u64::from(rate) * 15 * 3, "{} executions of {rate}/min", truth.created);
        let running = sum(&simulation, RUNNING).unwrap_or(0.0);
        prop_assert!(running == 0.0 || running == 1.0, "{running} listen");
    }
}
