//! Executions, message by message, without workers and schedulers.

use super::super::event::Event;
use super::super::testing::{events, second, world};
use super::*;

const FLOW: &str = "flows:\n  - id: f\n    namespace: n\n";

/// A standalone with one flow.
fn start(flow: &str) -> (Context, Cluster, Executor) {
    let (cx, cluster) = world("standalone: 1", &format!("{FLOW}{flow}"));
    let executor = Executor::new(&cx.plan);
    (cx, cluster, executor)
}

fn create(cx: &mut Context, cluster: &mut Cluster, executor: &mut Executor) {
    let number = cx.next_number(0);
    executor.create(cx, cluster, 0, (0, number), (None, 0));
}

/// Looks at all executions that wait to be looked at, and gives the jobs that come of it.
fn look(cx: &mut Context, cluster: &mut Cluster, executor: &mut Executor) -> Vec<JobOrder> {
    for message in cluster.drain(QueueKind::Execution) {
        if let Message::Execution { slot, flow, number } = message {
            executor.process(cx, cluster, 0, (slot, (flow, number)));
        }
    }
    jobs(cluster)
}

fn jobs(cluster: &mut Cluster) -> Vec<JobOrder> {
    let orders = cluster.drain(QueueKind::WorkerJob).into_iter();
    orders.filter_map(|message| if let Message::Job(order) = message { Some(order) } else { None }).collect()
}

/// A job ends so; the jobs that follow.
fn end(
    cx: &mut Context,
    cluster: &mut Cluster,
    executor: &mut Executor,
    order: &JobOrder,
    state: State,
) -> Vec<JobOrder> {
    let Work::Task { slot, number, flow, run, attempt, .. } = order.work else { return Vec::new() };
    let end = TaskEnd { state, duration: Duration::seconds(1), flow, run, attempt };
    executor.task_ended(cx, cluster, 0, (slot, number), end);
    executor.laws(cx).expect("the laws hold");
    executor.laws_of_each().expect("the laws hold");
    jobs(cluster)
}

fn task(order: &JobOrder) -> (u32, u32) {
    if let Work::Task { task, attempt, .. } = order.work { (task, attempt) } else { (99, 99) }
}

#[test]
fn an_execution_goes_from_task_to_task_and_ends_as_they_did() {
    let tasks = "    tasks: [ { id: a, type: t.A }, { id: skipped, type: t.B, disabled: true }, { id: c, type: t.C } ]\n\
                 \x20   errors: [ { id: e, type: t.E } ]\n";
    for (ends, expected) in [
        (vec![State::Success, State::Success], State::Success),
        (vec![State::Warning, State::Success], State::Warning),
        // A failure leads to the tasks of `errors`.
        (vec![State::Failed, State::Success], State::Failed),
    ] {
        let (mut cx, mut cluster, mut executor) = start(tasks);
        create(&mut cx, &mut cluster, &mut executor);
        let mut next = look(&mut cx, &mut cluster, &mut executor);
        let mut ran = Vec::new();
        for state in &ends {
            ran.push(task(&next[0]));
            next = end(&mut cx, &mut cluster, &mut executor, &next[0], *state);
        }
        assert!(next.is_empty());
        assert_eq!(ran, if ends[0] == State::Failed { [(0, 1), (3, 1)] } else { [(0, 1), (2, 1)] });
        assert_eq!((cx.truth.ended_in(expected), cx.truth.live), (1, 0), "{ends:?}");
    }
}

#[test]
fn a_place_passes_to_the_one_that_waits_before_anybody_else_can_take_it() {
    let limited = "    concurrency: { limit: 1, behavior: QUEUE }\n    tasks: [ { id: a, type: t.A } ]\n";
    let (mut cx, mut cluster, mut executor) = start(limited);
    for _ in 0..2 {
        create(&mut cx, &mut cluster, &mut executor);
    }
    let first = look(&mut cx, &mut cluster, &mut executor);
    assert_eq!((first.len(), cx.truth.queued), (1, 1));
    end(&mut cx, &mut cluster, &mut executor, &first[0], State::Success);
    assert_eq!(cx.truth.queued, 0, "the second has its place, its message waits");
    create(&mut cx, &mut cluster, &mut executor);
    let next = look(&mut cx, &mut cluster, &mut executor);
    assert_eq!((next.len(), cx.truth.queued), (1, 1), "the third waits");
    end(&mut cx, &mut cluster, &mut executor, &next[0], State::Success);
    let last = look(&mut cx, &mut cluster, &mut executor);
    end(&mut cx, &mut cluster, &mut executor, &last[0], State::Success);
    create(&mut cx, &mut cluster, &mut executor);
    assert_eq!(look(&mut cx, &mut cluster, &mut executor).len(), 1, "a place is free again");
}

#[test]
fn beyond_a_limit_executions_are_cancelled_or_fail_where_the_flow_says_so() {
    for (behavior, state) in [("CANCEL", State::Cancelled), ("FAIL", State::Failed)] {
        let limited =
            format!("    concurrency: {{ limit: 1, behavior: {behavior} }}\n    tasks: [ {{ id: a, type: t.A }} ]\n");
        let (mut cx, mut cluster, mut executor) = start(&limited);
        for _ in 0..3 {
            create(&mut cx, &mut cluster, &mut executor);
        }
        assert_eq!(look(&mut cx, &mut cluster, &mut executor).len(), 1);
        assert_eq!((cx.truth.ended_in(state), cx.truth.live), (2, 1));
    }
}

#[test]
fn a_failed_attempt_is_followed_by_another_after_its_pause_until_there_are_enough() {
    let retried =
        "    tasks:\n      - { id: a, type: t.A, retry: { type: constant, interval: PT5S, maxAttempts: 2 } }\n";
    let (mut cx, mut cluster, mut executor) = start(retried);
    create(&mut cx, &mut cluster, &mut executor);
    let first = look(&mut cx, &mut cluster, &mut executor);
    assert!(end(&mut cx, &mut cluster, &mut executor, &first[0], State::Failed).is_empty());
    assert_eq!(executor.retrying(), 1);
    let due = events(&mut cx, second(100));
    let Some((at, Event::RetryDue { execution, flow, number, run })) =
        due.iter().copied().find(|(_, event)| matches!(event, Event::RetryDue { .. }))
    else {
        panic!("no retry in {due:?}")
    };
    assert_eq!(at, second(65));
    cx.now = at;
    executor.due(&mut cx, &mut cluster, (execution, (flow, number)), run);
    let second_attempt = jobs(&mut cluster);
    assert_eq!(task(&second_attempt[0]), (0, 2));
    // What a late worker says of the first attempt is not heard.
    end(&mut cx, &mut cluster, &mut executor, &first[0], State::Success);
    assert_eq!(cx.truth.live, 1);
    end(&mut cx, &mut cluster, &mut executor, &second_attempt[0], State::Failed);
    assert_eq!((cx.truth.ended_in(State::Failed), cx.truth.live), (1, 0));
}

#[test]
fn a_task_of_errors_that_fails_keeps_none_of_the_others_from_running() {
    let errors = "    tasks: [ { id: a, type: t.A } ]\n    errors: [ { id: e, type: t.E }, { id: e2, type: t.E } ]\n\
                  \x20   finally: [ { id: f, type: t.F } ]\n";
    let (mut cx, mut cluster, mut executor) = start(errors);
    create(&mut cx, &mut cluster, &mut executor);
    let mut next = look(&mut cx, &mut cluster, &mut executor);
    let mut ran = Vec::new();
    for state in [State::Failed, State::Failed, State::Success, State::Success] {
        ran.push(task(&next[0]).0);
        next = end(&mut cx, &mut cluster, &mut executor, &next[0], state);
    }
    assert_eq!((ran, next.len()), (vec![0, 1, 2, 3], 0));
    assert_eq!((cx.truth.ended_in(State::Failed), cx.truth.live), (1, 0));
}

/// The retry of the flow that comes next.
fn flow_retry(cx: &mut Context) -> Option<(Instant, u64, u32)> {
    events(cx, second(9_999)).into_iter().find_map(|(at, event)| match event {
        Event::FlowRetryDue { number, attempt, .. } => Some((at, number, attempt)),
        _ => None,
    })
}

#[test]
fn a_flow_is_tried_as_often_as_it_says_by_new_executions_that_wait_for_an_executor() {
    let retried = "    retry: { type: constant, interval: PT5S, maxAttempts: 3, behavior: CREATE_NEW_EXECUTION }\n    tasks: [ { id: a, type: t.A } ]\n";
    let (mut cx, mut cluster, mut executor) = start(retried);
    create(&mut cx, &mut cluster, &mut executor);
    for attempt in 1..=2 {
        let jobs = look(&mut cx, &mut cluster, &mut executor);
        end(&mut cx, &mut cluster, &mut executor, &jobs[0], State::Failed);
        let (at, number, tried) = flow_retry(&mut cx).expect("it is tried again");
        assert_eq!((at.since(cx.now), tried), (Duration::seconds(5), attempt));
        cx.now = at;
        // With no executor it is looked for again each second.
        let mut alone = cluster.clone();
        alone.members[0].end(cx.now);
        executor.flow_retry_due(&mut cx, &mut alone, 0, number, tried);
        assert_eq!(flow_retry(&mut cx), Some((at + Duration::seconds(1), number, tried)));
        executor.flow_retry_due(&mut cx, &mut cluster, 0, number, tried);
    }
    let jobs = look(&mut cx, &mut cluster, &mut executor);
    end(&mut cx, &mut cluster, &mut executor, &jobs[0], State::Failed);
    assert_eq!(flow_retry(&mut cx), None);
    assert_eq!((cx.truth.ended_in(State::Retried), cx.truth.ended_in(State::Failed), cx.truth.live), (2, 1, 0));
}

/// Runs one execution of the first flow with workers that need a second for each task, until nothing is left to do.
fn run_all(cx: &mut Context, cluster: &mut Cluster, executor: &mut Executor) {
    create(cx, cluster, executor);
    for _ in 0..200 {
        let mut jobs = Vec::new();
        for message in cluster.drain(QueueKind::Execution) {
            match message {
                Message::Execution { slot, flow, number } => {
                    executor.process(cx, cluster, 0, (slot, (flow, number)));
                }
                Message::Child { slot, flow, number, run, state } => {
                    executor.child(cx, cluster, 0, (slot, (flow, number)), (run, state));
                }
                _ => {}
            }
            executor.laws(cx).expect("the laws hold");
            executor.laws_of_each().expect("the laws hold");
        }
        jobs.extend(self::jobs(cluster));
        for order in &jobs {
            let Work::Task { slot, number, flow, run, attempt, .. } = order.work else { continue };
            executor.task_started(cx, cluster, 0, (slot, (flow, number)), (run, attempt));
        }
        cx.now = cx.now + Duration::seconds(1);
        for order in &jobs {
            let Work::Task { slot, number, flow, run, attempt, .. } = order.work else { continue };
            let end = TaskEnd { state: State::Success, duration: Duration::seconds(1), flow, run, attempt };
            executor.task_ended(cx, cluster, 0, (slot, number), end);
            executor.laws(cx).expect("the laws hold");
        }
        for (at, event) in events(cx, second(100_000)) {
            if let Event::RetryDue { execution, flow, number, run } = event {
                cx.now = cx.now.max(at);
                executor.due(cx, cluster, (execution, (flow, number)), run);
            }
        }
        if executor.executions.len() == 0 {
            return;
        }
    }
    panic!("it has not ended");
}

/// What a counter of the first flow shows.
fn counted(cx: &Context, cluster: &Cluster, meter: &str, state: &str) -> f64 {
    let registry = cluster.members[0].registry().expect("a process");
    let mut value = 0.0;
    registry.samples(&crate::metrics::Look::at(cx.now), |sample| {
        let has = |name: &str, wanted: &str| sample.labels.iter().any(|(key, value)| *key == name && *value == wanted);
        if sample.name == meter && has("flow_id", "f") && has("state", state) {
            value += sample.value;
        }
    });
    value
}

#[test]
fn a_parent_with_groups_counts_its_task_runs_as_recorded() {
    // The flow `parent` of standalone/activity.
    let flow = r#"    tasks:
      - { id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: n, flowId: ok, wait: true, transmitFailed: true }
      - id: each
        type: io.kestra.plugin.core.flow.ForEach
        values: ["a", "b", "c"]
        concurrencyLimit: 2
        tasks: [ { id: l, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }}" } ]
      - id: par
        type: io.kestra.plugin.core.flow.Parallel
        tasks: [ { id: p1, type: t.A }, { id: p2, type: t.A } ]
      - { id: cond, type: io.kestra.plugin.core.flow.If, condition: "{{ true }}", then: [ { id: c1, type: t.A } ] }
  - { id: ok, namespace: n, tasks: [ { id: a, type: t.A } ] }
"#;
    let (mut cx, mut cluster, mut executor) = start(flow);
    run_all(&mut cx, &mut cluster, &mut executor);
    assert_eq!((cx.truth.ended_in(State::Success), cx.truth.live), (2, 0));
    assert_eq!(counted(&cx, &cluster, "kestra_executor_taskrun_created_count_total", "RUNNING"), 10.0);
    assert_eq!(counted(&cx, &cluster, "kestra_executor_taskrun_ended_count_total", "SUCCESS"), 10.0);
}
