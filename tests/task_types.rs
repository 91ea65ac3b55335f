//! Types of tasks of Kestra's own that do something to their execution, or wait for one.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::executions::{CLUSTER, LOGS, SLEEPS, at, flow, histories, of, tasks};
use mock_kestra::document;
use mock_kestra::scenario::{NoFiles, read};

const KILL: &str = "id: k, type: io.kestra.plugin.core.execution.Kill";

#[test]
fn a_kill_task_ends_its_execution_and_what_its_workers_do() {
    let more = format!("errors: [ {LOGS} ], afterExecution: [ {{ id: z, type: a.B }} ]");
    let flows = flow("f", &format!("tasks: [ {{ {KILL} }}, {{ id: next, type: a.B }} ], {more}"));
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: f }\n", 5);
    assert_eq!(histories(&simulation, "f"), ["CREATED RUNNING KILLED"]);
    assert_eq!(tasks(&simulation.executions()[0]), "k=KILLED z=SUCCESS");
    // What a worker does beside it is killed, and frees its thread.
    let wait = "{ id: w, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT30S }";
    let beside = format!(
        "tasks: [ {{ id: p, type: io.kestra.plugin.core.flow.Parallel, tasks: [ {SLEEPS}, {{ id: q, type: \
         io.kestra.plugin.core.flow.Sequential, tasks: [ {wait}, {{ {KILL} }} ] }} ] }} ]"
    );
    let flows = flow("f", &beside) + &flow("next", &format!("tasks: [ {LOGS} ]"));
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: f }\n  - { at: 2m, execute: next }\n", 3);
    let all = simulation.executions();
    assert!(tasks(of(&all, &simulation, "f")[0]).contains("s=KILLED"), "{}", tasks(of(&all, &simulation, "f")[0]));
    assert_eq!(histories(&simulation, "next"), ["CREATED RUNNING SUCCESS"]);
}

#[test]
fn a_kill_that_goes_on_to_others_is_named_as_not_simulated() {
    for (more, named) in [("", false), (", propagateKill: false", false), (", propagateKill: true", true)] {
        let flows = flow("f", &format!("tasks: [ {{ {KILL}{more} }} ]"));
        let (_, told) = read("x.yaml", &format!("{CLUSTER}{flows}"), &NoFiles);
        let told = document::render(&told);
        assert_eq!(told.contains("not simulated: the task `k`: Kill"), named, "{more}: {told}");
    }
}

#[test]
fn a_message_about_an_execution_that_is_nowhere_fails_after_ten_minutes() {
    let slack = "{ id: n, type: io.kestra.plugin.slack.SlackExecution, url: \"http://h/s\", executionId: nobody }";
    let flows = flow("f", &format!("tasks: [ {slack} ]"));
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: f }\n", 10);
    assert_eq!(histories(&simulation, "f"), ["CREATED RUNNING"], "it looks for it, and keeps its thread");
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: f }\n", 12);
    assert_eq!(histories(&simulation, "f"), ["CREATED RUNNING FAILED"]);
    let sent: Vec<String> = simulation.sent().since(0).map(|it| format!("{:?}", it.delivery)).collect();
    assert!(sent.iter().any(|it| it.contains("Unable to find execution 'nobody'")), "{sent:?}");
}
