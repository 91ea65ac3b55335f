//! What a WorkingDirectory has done is done again when its worker is given up, where its row stays (2.0; kestra-io/kestra
//! PR#19717), and each time after that.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::server::plan;
use mock_kestra::flow::State;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::time::{Calendar, Duration, Instant};

/// So many executions of a WorkingDirectory of two tasks, a minute apart; a worker that is killed, twice.
fn text(version: &str, executions: u32, kind: &str) -> String {
    let execute: String = (0..executions).map(|minute| format!("  - {{ at: {minute}m, execute: n.f }}\n")).collect();
    format!(
        "name: x\nkestra: \"{version}\"\nduration: 2h\n\
         cluster: {{ members: {{ webserver: 1, executor: 1, worker: {{ count: 1, threads: 4 }} }} }}\n\
         flows:\n  - id: f\n    namespace: n\n    tasks:\n      - id: here\n        type: {kind}\n        tasks:\n\
         \x20         - {{ id: one, type: n.One }}\n          - {{ id: two, type: n.Two }}\n\
         behaviour: [ {{ flow: n.f, duration: 5s }} ]\n\
         timeline:\n  - {{ at: 30m, kill: worker-1, for: 1m }}\n  - {{ name: once-more, at: 70m, kill: worker-1, for: 1m }}\n\
         commands:\n{execute}"
    )
}

const DIRECTORY: &str = "io.kestra.plugin.core.flow.WorkingDirectory";

/// What was handed out again, attempts, and their ends, at some minutes.
fn counted(text: &str, minutes: [u64; 3]) -> [(u64, u64, u64); 3] {
    let plan = Arc::new(plan(text));
    minutes.map(|minute| {
        let mut session = Session::new(plan.clone(), Seed(1), Calendar::default());
        session.advance(Instant::START + Duration::minutes(minute)).expect("no limit");
        let truth = session.simulation().truth();
        assert_eq!(truth.ended_in(State::Success), truth.created, "what has ended stays so");
        (truth.resubmitted, truth.attempts, truth.attempts_ended)
    })
}

#[test]
fn all_that_a_lost_worker_had_done_is_done_again_and_again() {
    for executions in [1, 7] {
        let n = u64::from(executions);
        let [before, once, twice] = counted(&text("2.0", executions, DIRECTORY), [29, 65, 119]);
        assert_eq!(before, (0, 2 * n, 2 * n));
        assert_eq!(once, (n, 4 * n, 4 * n));
        // Its row has come to the worker that did it again, and stays there too.
        assert_eq!(twice, (2 * n, 6 * n, 6 * n));
    }
}

#[test]
fn nothing_that_has_ended_is_done_again_elsewhere() {
    let sequential = "io.kestra.plugin.core.flow.Sequential";
    for (version, kind) in [("1.3", DIRECTORY), ("0.20", DIRECTORY), ("2.0", sequential)] {
        let all = counted(&text(version, 7, kind), [29, 65, 119]);
        assert_eq!(all, [(0, 14, 14); 3], "{version} {kind}");
    }
}
