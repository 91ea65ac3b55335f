//! The law of each failure of queues: what moves while it lasts, by how much, and what must not.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::{exposition, families};
use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::{Happening, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;

fn plan(text: &str) -> Arc<Plan> {
    let (plan, told) = read("x.yaml", text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", document::render(&told))))
}

/// A cluster with executors as asked, a flow that is asked for so often, one that a Schedule starts each minute and one that
/// a polling trigger starts.
fn cluster(version: &str, executors: &str, rate: u32, timeline: &str) -> Arc<Plan> {
    plan(&format!(
        "name: x
kestra: \"{version}\"
cluster: {{ members: {{ webserver: 1, executor: {executors}, scheduler: 1, worker: {{ count: 2, threads: 8 }}, indexer: 1 }} }}
flows:
  - {{ id: f, namespace: n, tasks: [ {{ id: t, type: io.kestra.plugin.scripts.python.Script }} ] }}
  - id: scheduled
    namespace: n
    triggers: [ {{ id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" }} ]
    tasks: [ {{ id: log, type: io.kestra.plugin.core.log.Log }} ]
  - id: polled
    namespace: n
    triggers: [ {{ id: p, type: io.kestra.plugin.core.http.Trigger, interval: PT10S }} ]
    tasks: [ {{ id: log, type: io.kestra.plugin.core.log.Log }} ]
behaviour: [ {{ task: t, duration: {{ median: 1s, p99: 6s }} }} ]
arrivals: [ {{ flow: f, rate: {rate}/min }} ]
timeline: {timeline}
"
    ))
}

fn second(n: u64) -> Instant {
    Instant::START + Duration::seconds(n)
}

fn at(plan: &Arc<Plan>, seed: u64, seconds: u64) -> Simulation {
    let mut simulation = Simulation::new(plan.clone(), Seed(seed), Calendar::default());
    simulation.advance(second(seconds)).expect("no limit");
    simulation.laws().expect("the laws hold");
    simulation
}

/// The sum of the series of a name whose line has all these words, over all members.
fn sum(simulation: &Simulation, name: &str, words: &[&str]) -> f64 {
    let mut sum = 0.0;
    for member in 0..simulation.members().len() {
        for family in families(&exposition(simulation, member)) {
            for (series, value) in family.series.iter().zip(&family.values) {
                let is = series == name || series.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
                if is && words.iter().all(|word| series.contains(word)) {
                    sum += value.parse::<f64>().expect("a number");
                }
            }
        }
    }
    sum
}

/// How what waits in a queue of dead readers grows, and what its producers made meanwhile, beside what its readers took.
fn growth(thread: &str, before: &Simulation, after: &Simulation) -> (u64, u64, u64) {
    let (b, a) = ((before.backlog(), before.truth()), (after.backlog(), after.truth()));
    match thread {
        "log-entry" => (
            a.0.log_lines - b.0.log_lines,
            a.1.log_lines - b.1.log_lines,
            a.1.log_lines_indexed - b.1.log_lines_indexed,
        ),
        "worker-job" => (
            a.0.jobs_queued - b.0.jobs_queued,
            a.1.attempts + a.1.polls - b.1.attempts - b.1.polls,
            (sum(after, "kestra_queue_receive_duration_seconds_count", &["WorkerJob"])
                - sum(before, "kestra_queue_receive_duration_seconds_count", &["WorkerJob"])) as u64,
        ),
        "worker-task-result" => {
            let ended = |it: &Simulation| sum(it, "kestra_worker_ended_count_total", &[]) as u64;
            (a.0.task_ends - b.0.task_ends, ended(after) - ended(before), a.1.attempts_ended - b.1.attempts_ended)
        }
        _ => {
            let ended = |it: &Simulation| sum(it, "kestra_worker_trigger_ended_count_total", &[]) as u64;
            (a.0.trigger_ends - b.0.trigger_ends, ended(after) - ended(before), a.1.polls_ended - b.1.polls_ended)
        }
    }
}

const READERS: &[(&str, &str)] = &[
    ("log-entry", "[ indexer-1, webserver-1 ]"),
    ("worker-job", "worker"),
    ("worker-task-result", "executor-1"),
    ("worker-trigger-result", "scheduler-1"),
];

proptest! {
    #![proptest_config(common::config(24))]

    /// While all readers of a queue are dead it grows by exactly what is produced, and none of it is taken.
    #[test]
    fn a_queue_that_nobody_reads_grows_by_what_is_produced(
        reader in 0..READERS.len(), version in prop_oneof!["1[.]3", "2[.]0"], rate in 5u32..60, seed in 0u64..1_000, lasts in 60u64..1_200,
    ) {
        let (thread, members) = READERS[reader];
        let timeline = format!("[ {{ at: 5m, dead-thread: {{ member: {members}, thread: {thread} }} }} ]");
        let plan = cluster(&version, "1", rate, &timeline);
        let (before, after) = (at(&plan, seed, 300), at(&plan, seed, 300 + lasts));
        let (grown, produced, taken) = growth(thread, &before, &after);
        prop_assert_eq!((grown, taken), (produced, 0), "{} in {}", thread, version);
        prop_assert_eq!(after.truth().exits, before.truth().exits, "nobody notices");
    }

    /// As long as one of several readers lives, all is taken.
    #[test]
    fn who_reads_the_same_queue_goes_on(rate in 5u32..60, seed in 0u64..1_000) {
        let timeline = "[ { at: 5m, dead-thread: { member: executor-1, thread: worker-task-result } } ]";
        let after = at(&cluster("1.3", "2", rate, timeline), seed, 1_500);
        prop_assert!(after.backlog().task_ends < 5, "{:?}", after.backlog());
        let never = at(&cluster("1.3", "2", rate, "[]"), seed, 1_500);
        prop_assert_eq!(after.truth().created, never.truth().created);
    }

    /// A message that nobody can digest is never taken and kills who tries, one after another; what lies behind it waits, and
    /// is taken when it is removed.
    #[test]
    fn poison_kills_who_takes_it_until_somebody_removes_it(rate in 5u32..60, seed in 0u64..1_000, executors in 1u32..3) {
        let executor = format!("{{ count: {executors}, restart: 10s }}");
        let plan = cluster("1.3", &executor, rate, "[ { at: 5m, poison: worker-task-result, for: 15m } ]");
        let (before, during, after) = (at(&plan, seed, 300), at(&plan, seed, 1_199), at(&plan, seed, 1_800));
        let died = |it: &Simulation| {
            let choked = "fatal error in a queue thread: a message that cannot be read";
            it.journal().iter().filter(|line| matches!(line.what, Happening::Exits { why, code: 1, .. } if why == choked)).count()
        };
        prop_assert_eq!(died(&before), 0);
        prop_assert!(died(&during) > 25, "{}", died(&during));
        prop_assert_eq!(died(&during) as u64, during.truth().exits - before.truth().exits);
        let ended = |it: &Simulation| sum(it, "kestra_worker_ended_count_total", &[]) as u64;
        let behind = during.backlog().task_ends;
        prop_assert!(behind > 0 && ended(&during) - ended(&before) >= behind && behind + 40 >= ended(&during) - ended(&before));
        prop_assert!(died(&after) - died(&during) <= executors as usize, "who has met it already");
        prop_assert!(after.backlog().task_ends < 5);
    }
}

#[test]
fn a_reader_that_is_dead_takes_its_thread_out_of_its_pool_and_its_polls_stand_still() {
    let timeline =
        "[ { at: 5m, dead-thread: { member: indexer-1, thread: log-entry } }, { at: 20m, restart: indexer-1 } ]";
    let plan = cluster("1.3", "1", 20, timeline);
    let seen = |seconds: u64| {
        let it = at(&plan, 1, seconds);
        let text = exposition(&it, 5);
        let of = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
            line.rsplit_once(' ').expect("a sample").1.parse::<f64>().expect("a number")
        };
        [
            of("executor_active_threads{name=\"jdbc-queue-LogEntry\""),
            of("executor_active_threads{name=\"jdbc-queue-MetricEntry\""),
            of(
                "kestra_queue_receive_duration_seconds_count{consumer=\"indexer\",queue_type=\"io.kestra.core.models.executions.LogEntry\"",
            ),
            of(
                "kestra_queue_receive_duration_seconds_count{consumer=\"indexer\",queue_type=\"io.kestra.core.models.executions.MetricEntry\"",
            ),
            of(
                "kestra_queue_receive_duration_seconds_max{consumer=\"indexer\",queue_type=\"io.kestra.core.models.executions.LogEntry\"",
            ),
        ]
    };
    let [alive, soon, later, again] = [299, 310, 900, 1_260].map(seen);
    assert_eq!([alive[0], soon[0], later[0], again[0]], [1.0, 0.0, 0.0, 1.0]);
    assert_eq!([alive[1], soon[1], later[1]], [1.0; 3]);
    assert!(soon[2] == later[2] && later[3] > soon[3] + 1_000.0, "{soon:?} {later:?}");
    assert!(soon[4] > 0.0 && later[4] == 0.0, "a maximum is forgotten after three minutes");
}

#[test]
fn a_scheduler_without_its_thread_answers_and_fires_nothing_until_it_is_restarted() {
    for version in ["0.20", "1.3", "2.0"] {
        let timeline = "[ { at: 5m, dead-thread: { member: scheduler-1, thread: scheduler } }, { at: 30m, restart: scheduler-1 } ]";
        let plan = cluster(version, "1", 6, timeline);
        let [before, after, again] = [300, 1_799, 2_100].map(|seconds| at(&plan, 1, seconds));
        assert_eq!(
            (before.truth().polls, before.truth().exits),
            (after.truth().polls, after.truth().exits),
            "{version}"
        );
        assert!(after.truth().created > before.truth().created + 100, "{version}: who asks the API is heard");
        assert!(again.truth().polls > after.truth().polls, "{version}");
    }
}

#[test]
fn a_query_that_fails_takes_a_process_away_after_half_a_minute_in_which_it_takes_nothing() {
    let plan = cluster("1.3", "{ count: 1, restart: 10s }", 20, "[ { at: 5m, query-fails: executor-1 } ]");
    let [before, during, after] = [300, 329, 420].map(|seconds| at(&plan, 1, seconds));
    assert_eq!(before.truth().attempts_ended, during.truth().attempts_ended);
    assert_eq!((during.truth().exits, after.truth().exits), (0, 1));
    assert!(after.truth().attempts_ended > during.truth().attempts_ended);
}

#[test]
fn who_has_no_such_thread_is_told_and_so_is_a_queue_that_is_none() {
    let told = |fault: &str| {
        let text = format!(
            "name: x\nkestra: \"2.0\"\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 1 }} }}\ntimeline: [ {{ at: 1m, {fault} }} ]\n"
        );
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        assert!(plan.is_none(), "{fault}");
        document::render(&told)
    };
    for (fault, words) in [
        (
            "dead-thread: { member: worker-1, thread: worker-task-result }",
            "worker-1 is a worker: it has no thread `worker-task-result`",
        ),
        ("dead-thread: { member: executor-1, thread: worker-task-results }", "worker-task-result"),
        ("dead-thread: { member: executor-1, thread: all }, for: 5m", "does not last"),
        ("poison: worker-jobs", "worker-job"),
        ("query-fails: worker-1", "worker-1 asks no database"),
    ] {
        assert!(told(fault).contains(words), "{fault}:\n{}", told(fault));
    }
}

#[test]
fn what_becomes_of_a_result_is_drawn_apart_and_counted_to_the_last_one() {
    let of = |fault: &str| at(&cluster("1.3", "1", 40, &format!("[ {{ at: 1m, {fault} }} ]")), 3, 1_800);
    let [never, all, lost, big] = [
        "task-failures: { task: t, share: 0% }",
        "lost-results: { task: t, share: 100% }",
        "lost-results: { task: t, share: 25% }",
        "big-results: { task: t, share: 25% }",
    ]
    .map(of);
    let ended = |it: &Simulation| sum(it, "kestra_worker_ended_count_total", &["flow_id=\"f\""]);
    let failed = |it: &Simulation| sum(it, "kestra_executor_execution_end_count_total", &["flow_id=\"f\"", "FAILED"]);
    let too_big = |it: &Simulation| sum(it, "kestra_queue_big_message_count_total", &["WorkerTaskResult"]);
    for it in [&all, &lost, &big] {
        assert_eq!(ended(it), ended(&never), "workers do the same");
        assert_eq!(it.truth().created, never.truth().created);
    }
    assert_eq!((never.truth().results_lost, too_big(&never), failed(&never)), (0, 0.0, 0.0));
    let share = lost.truth().results_lost as f64 / ended(&lost);
    assert!((0.18..0.32).contains(&share), "{share}");
    assert!(lost.truth().live >= lost.truth().results_lost && all.truth().live > lost.truth().live, "they never end");
    assert_eq!(never.truth().ended_in_all(), all.truth().ended_in_all() + (all.truth().live - never.truth().live));
    assert_eq!(too_big(&big), failed(&big) + big.backlog().task_ends as f64, "each that is too large fails");
    assert!((0.18..0.32).contains(&(too_big(&big) / ended(&big))), "{}", too_big(&big));
}
