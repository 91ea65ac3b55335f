//! Queues that fall behind. Flow triggers that wait for several executions have one of their own since 1.1: an event for each of
//! their flows and each state that an execution comes into (1.3/NOTES.md; kestra-io/kestra PR#11676, #15352). What indexers write
//! to may be slow, and so may be what the loop of a scheduler reads.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::server::{plan, session};
use common::{exposition, families};
use mock_kestra::document;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::time::{Duration, Instant};
use proptest::prelude::*;

/// Executions of a flow, seconds apart; so many flows that wait for it and for another one, and what is beside it.
fn text(version: &str, listeners: usize, seconds: &[u64], beside: &str) -> String {
    let flows: String = (0..listeners)
        .map(|number| {
            format!(
                "  - id: waits-{number}\n    namespace: reports\n    tasks: [ {{ id: log, type: n.Log }} ]\n    triggers:\n\
                 \x20     - id: both\n        type: io.kestra.plugin.core.trigger.Flow\n        preconditions:\n\
                 \x20         id: both\n          flows:\n            - {{ namespace: n, flowId: f, states: [ SUCCESS ] }}\n"
            )
        })
        .collect();
    let commands: String = seconds.iter().map(|at| format!("  - {{ at: {at}s, execute: n.f }}\n")).collect();
    format!(
        "name: x\nkestra: \"{version}\"\nduration: 2h\ncluster: {{ members: {{ webserver: 1, executor: 1, worker: 1 }} }}\n\
         flows:\n  - id: f\n    namespace: n\n    tasks: [ {{ id: one, type: n.One }} ]\n{flows}\
         behaviour: [ {{ flow: n.f, duration: 5s }} ]\n{beside}commands:\n{commands}"
    )
}

/// Events that the executor sent up to a time, and executions that there are then.
fn at(text: &str, minutes: u64) -> (u64, u64) {
    let mut session = session(plan(text));
    session.advance(Instant::START + Duration::minutes(minutes)).expect("no limit");
    let simulation = session.simulation();
    let executor = simulation.members().iter().position(|it| it.plan().name == "executor-1").expect("it is there");
    let sent = families(&exposition(simulation, executor)).iter().find_map(|family| {
        let is = |series: &String| {
            series.starts_with("kestra_queue_produce_count_total") && series.contains("runners.MultipleConditionEvent")
        };
        family.values[family.series.iter().position(is)?].parse::<f64>().ok()
    });
    (sent.unwrap_or(0.0) as u64, simulation.truth().created)
}

const GONE: &str = "timeline: [ { at: 1s, dead-thread: { member: executor-1, thread: multiple-condition-event } }, \
                    { at: 30m, restart: executor-1 } ]\n";

proptest! {
    #![proptest_config(common::config(12))]

    /// RUNNING and SUCCESS of each execution are an event for each flow that waits, and those it starts are heard too.
    #[test]
    fn each_state_is_an_event_for_each_flow_and_a_dead_reader_holds_up_only_what_waits(
        listeners in 0usize..4,
        seconds in prop::collection::vec(60u64..1_200, 1..12),
    ) {
        let (executions, flows) = (seconds.len() as u64, listeners as u64);
        let all = executions * (1 + flows);
        prop_assert_eq!(at(&text("1.3", listeners, &seconds, ""), 119), (2 * all * flows, all));
        // Nobody reads them: what waits for one execution alone, or none, goes on.
        let gone = text("1.3", listeners, &seconds, GONE);
        prop_assert_eq!(at(&gone, 29), (2 * executions * flows, executions));
        // All of it starts when somebody reads them again.
        prop_assert_eq!(at(&gone, 119).1, all);
    }

    /// Where there is no such queue the same executions start.
    #[test]
    fn the_queue_changes_when_they_start_and_not_which(
        listeners in 1usize..4,
        seconds in prop::collection::vec(60u64..1_200, 1..12),
    ) {
        let (sent, created) = at(&text("1.0", listeners, &seconds, ""), 119);
        prop_assert_eq!(sent, 0);
        prop_assert_eq!(created, at(&text("1.3", listeners, &seconds, ""), 119).1);
    }
}

/// Each attempt that is retried is heard as RETRYING and RUNNING again: with those come the 84 events that were counted of one
/// flow with preconditions (1.3/standalone/activity, 03_after_executions).
#[test]
fn an_attempt_that_is_retried_is_heard_as_often_as_recorded() {
    let retried = text("1.3", 1, &[60], "")
        .replace("type: n.One", "type: n.One, retry: { type: constant, interval: PT5S, maxAttempts: 3 }");
    let failing = retried.replace("duration: 5s }", "duration: 5s, fails: 100% }");
    let (sent, created) = at(&failing, 119);
    assert_eq!((sent, created), (6, 1));
}

#[test]
fn a_version_without_the_queue_says_so() {
    for fault in [
        "condition-events: { rows: 100 }",
        "dead-thread: { member: executor-1, thread: multiple-condition-event }",
        "poison: multiple-condition-event",
    ] {
        let timeline = format!("timeline: [ {{ at: 1m, {fault} }} ]\n");
        let (found, diagnostics) = read("test.yaml", &text("0.20", 1, &[60], &timeline), &NoFiles);
        let told = document::render(&diagnostics);
        assert!(
            found.is_none() && told.contains("no queue of its own") && told.contains("has it: 1.1, 1.2, 1.3, 2.0"),
            "{fault}: {told}"
        );
        plan(&text("1.3", 1, &[60], &timeline));
    }
}

/// Whoever reads them takes the rows of before first; nothing that waits for several executions starts meanwhile.
#[test]
fn rows_of_before_are_in_the_way_until_they_are_read_or_deleted() {
    let old =
        |rows: u64, lasts: &str| format!("timeline: [ {{ at: 1s, condition-events: {{ rows: {rows} }}{lasts} }} ]\n");
    let created = |beside: &str, minutes| at(&text("1.3", 1, &[60], beside), minutes).1;
    // 5 ms and more for each.
    assert_eq!([created(&old(1_000_000, ""), 10), created(&old(1_000_000, ", for: 20m"), 30)], [1, 2]);
    assert_eq!([created(&old(20_000, ""), 2), created(&old(20_000, ""), 10)], [1, 2]);
}

/// What ends deletes what is left of its own rows, and nothing of another one's; and with them the batch that is looked at.
#[test]
fn the_end_of_a_fault_deletes_what_is_left_of_its_rows() {
    let created = |timeline: &str, execution: u64, minutes| {
        at(&text("1.3", 1, &[execution], &format!("timeline: [ {timeline} ]\n")), minutes).1
    };
    let both = "{ name: a, at: 1s, condition-events: { rows: 40000 }, for: 1h }, \
                { name: b, at: 50m, condition-events: { rows: 60000 } }";
    assert_eq!([61, 80].map(|minutes| created(both, 3_060, minutes)), [1, 2], "those of b are in the way");
    let many = "{ at: 1s, condition-events: { rows: 100000000 }, for: 20m }";
    assert_eq!([20, 21].map(|minutes| created(many, 60, minutes)), [1, 2], "a batch of deleted rows is none");
    let again = "{ at: 1s, every: 30m, until: 40m, condition-events: { rows: 20000 } }";
    assert_eq!([32, 50].map(|minutes| created(again, 1_810, minutes)), [1, 2], "it happens again");
}

/// A cluster of which executions log, and what happens to it.
fn logging(timeline: &str) -> String {
    let commands: String = (1..60).map(|at| format!("  - {{ at: {at}m, execute: f }}\n")).collect();
    format!(
        "name: x\nduration: 2h\ncluster: {{ members: {{ webserver: 1, executor: 1, worker: 1, scheduler: 1, indexer: 1 }} }}\n\
         flows:\n  - id: f\n    namespace: n\n    tasks: [ {{ id: one, type: n.One }} ]\n\
         behaviour: [ {{ flow: n.f, duration: 5s, logs: 400 }} ]\ntimeline: [ {timeline} ]\ncommands:\n{commands}"
    )
}

/// Log lines that are written and that are indexed, at a minute.
fn lines(text: &str, minutes: u64) -> (u64, u64) {
    let mut session = session(plan(text));
    session.advance(Instant::START + Duration::minutes(minutes)).expect("no limit");
    let truth = session.simulation().truth();
    (truth.log_lines, truth.log_lines_indexed)
}

#[test]
fn no_line_is_lost_of_a_batch_that_takes_its_time() {
    let slow = "slow-indexer: { member: [ indexer-1, webserver-1 ], takes: 3h }";
    let (written, indexed) = lines(&logging(&format!("{{ at: 10m, {slow}, for: 20m }}")), 29);
    assert!(indexed <= 9 * 410 && written > 28 * 400, "{written} {indexed}");
    for timeline in [
        // The end of the fault is that of the batch.
        format!("{{ at: 10m, {slow}, for: 20m }}"),
        // What was read by those that are killed others read.
        format!("{{ at: 10m, {slow}, for: 20m }}, {{ at: 15m, kill: [ indexer-1, webserver-1 ] }}"),
        format!("{{ at: 10m, {slow}, for: 90m }}, {{ at: 11m, every: 7m, until: 80m, kill: indexer-1 }}"),
    ] {
        let (written, indexed) = lines(&logging(&timeline), 119);
        assert_eq!(written, indexed, "{timeline}");
    }
    // One of two that is slow takes a batch, and the other one all that is left.
    let (written, indexed) = lines(&logging("{ at: 10m, slow-indexer: { member: indexer-1, takes: 3h } }"), 119);
    assert_eq!(written - indexed, 100);
}

/// How late the executions of a Schedule of each hour are created, in seconds.
fn late(version: &str, timeline: &str) -> Vec<u64> {
    let text = format!(
        "name: x\nkestra: \"{version}\"\nduration: 5h\n\
         cluster: {{ members: {{ webserver: 1, executor: 1, worker: 1, scheduler: 1 }} }}\n\
         flows:\n  - id: f\n    namespace: n\n    tasks: [ {{ id: one, type: n.One }} ]\n\
         \x20   triggers: [ {{ id: hourly, type: io.kestra.plugin.core.trigger.Schedule, cron: \"0 * * * *\" }} ]\n\
         behaviour: [ {{ flow: n.f, duration: 5s }} ]\ntimeline: [ {timeline} ]\n"
    );
    let mut session = session(plan(&text));
    (1..5)
        .map(|hour| {
            let due = Instant::START + Duration::minutes(60 * hour);
            session.advance(due.before(Duration::seconds(1))).expect("no limit");
            let before = session.simulation().truth().created;
            let is_created = |seconds: &u64| {
                session.advance(due + Duration::seconds(*seconds)).expect("no limit");
                session.simulation().truth().created > before
            };
            (0..120).find(is_created).expect("it is created")
        })
        .collect()
}

#[test]
fn a_slow_database_makes_the_next_schedule_late_and_none_when_it_is_fast_again() {
    let slow = "{ at: 90m, database: { slow: 400x }, for: 2h }";
    let found = late("1.3", slow);
    assert!(found[0] <= 1 && found[3] <= 1, "{found:?}");
    assert!(
        found[1..3].iter().all(|late| (1..=30).contains(late)) && found[1..3].iter().any(|late| *late > 3),
        "{found:?}"
    );
    assert!(late("2.0", slow).iter().all(|late| *late <= 2), "its loop asks no database");
}
