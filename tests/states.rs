//! What the states of task runs come to, row by row as the real classes of 1.3.19 and 2.0.0 answered
//! (tests/captures/core/states.tsv): the state of the whole, what comes next, how a task ends that holds them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use mock_kestra::execution::{Dialect, Part, Scope, allowed, fold};
use mock_kestra::flow::State;

const TABLE: &str = include_str!("captures/core/states.tsv");

fn state(word: &str) -> Option<State> {
    match word {
        "-" => None,
        word => Some(State::ALL.into_iter().find(|state| state.name() == word).expect("a state")),
    }
}

fn dialect(version: &str) -> Dialect {
    let new = match version {
        "1.3.19" => false,
        "2.0.0" => true,
        other => panic!("version {other}"),
    };
    Dialect { cancelled_counts: new, next_by_place: new, ..Dialect::default() }
}

/// The flows of the table: two tasks, two of `errors` and one of `finally` where they have them.
fn lists(flow: &str, [a, b, e, f]: [Option<State>; 4]) -> [Vec<Option<State>>; 3] {
    let errors = if flow.contains("errors") { vec![e, None] } else { Vec::new() };
    let finally = if flow.contains("finally") { vec![f] } else { Vec::new() };
    [vec![a, b], errors, finally]
}

#[test]
fn every_row_of_the_table_is_answered_as_the_real_classes_did() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in TABLE.lines().skip(1) {
        rows += 1;
        let cells: Vec<&str> = line.split('\t').collect();
        let [version, flow, a, b, e, f, guess, next, flowable, failure, both, warning] = cells[..] else {
            panic!("{line}")
        };
        let dialect = dialect(version);
        let [tasks, errors, finally] = lists(flow, [a, b, e, f].map(state));
        let scope = Scope { tasks: &tasks, errors: &errors, finally: &finally, fails: false };
        let next_here = match scope.next(&dialect) {
            None => "",
            Some((Part::Tasks, place)) => ["a", "b"][place],
            Some((Part::Errors, place)) => ["e", "e2"][place],
            Some((Part::Finally, _)) => "f",
        };
        let ends = |failure, warning| scope.end(&dialect).map_or("-", |state| allowed(state, failure, warning).name());
        let here = [
            fold(tasks.iter().copied().flatten(), &dialect).name(),
            next_here,
            ends(false, false),
            ends(true, false),
            ends(true, true),
            ends(false, true),
        ];
        if here != [guess, next, flowable, failure, both, warning] {
            wrong.push(format!("{line}\n  here {here:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {rows} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(rows, 1280);
}
