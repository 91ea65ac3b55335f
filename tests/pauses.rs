//! Pause: what runs when it begins, when it ends, and what it comes to.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::executions::{CLUSTER, LOGS, at, flow, histories, history, of, tasks, told};
use mock_kestra::document;
use mock_kestra::scenario::{NoFiles, read};

const START: &str = "  - { at: 1m, execute: f }\n";

fn pause(rest: &str) -> String {
    format!("{{ id: p, type: io.kestra.plugin.core.flow.Pause, {rest} }}")
}

fn log(id: &str) -> String {
    format!("{{ id: {id}, type: io.kestra.plugin.core.log.Log, message: hi }}")
}

/// The history and the task runs of the only execution of a flow with these tasks, ten minutes later.
fn run(version: &str, tasks_of: &str, commands: &str) -> (String, String) {
    let simulation = at(version, &flow("f", &format!("tasks: [ {tasks_of} ]")), commands, 10);
    let all = simulation.executions();
    let all = of(&all, &simulation, "f");
    (history(all[0]), tasks(all[0]))
}

#[test]
fn an_on_pause_runs_beside_the_pause_when_it_begins() {
    for version in ["1.3", "2.0"] {
        // The case of Kestra's own tests: the pause, then `hello`.
        let (states, runs) = run(version, &pause(&format!("pauseDuration: PT1S, onPause: {}", log("hello"))), START);
        assert_eq!(states, "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS", "{version}");
        assert_eq!(runs, "p=SUCCESS hello=SUCCESS", "{version}");
        // It runs while the execution waits, and changes nothing of what becomes of it.
        let fails = "{ id: hello, type: io.kestra.plugin.core.execution.Fail }";
        let simulation =
            at(version, &flow("f", &format!("tasks: [ {} ]", pause(&format!("onPause: {fails}")))), START, 5);
        assert_eq!(histories(&simulation, "f"), ["CREATED RUNNING PAUSED"], "{version}");
        let all = simulation.executions();
        assert_eq!(tasks(&all[0]), "p=PAUSED hello=FAILED", "{version}");
        let (states, _) = run(version, &pause(&format!("pauseDuration: PT1M, onPause: {fails}")), START);
        assert!(states.ends_with("SUCCESS"), "{version}: {states}");
    }
}

#[test]
fn an_on_pause_is_created_once_more_with_each_task_that_holds_others_and_ends() {
    let held = "{ id: s, type: io.kestra.plugin.core.flow.Sequential, tasks: [ { id: l, type: io.kestra.plugin.core.log.Log, message: hi } ] }";
    let tasks = format!("{}, {held}", pause(&format!("pauseDuration: PT1S, onPause: {}", log("hello"))));
    let (states, runs) = run("1.3", &tasks, START);
    assert!(states.ends_with("SUCCESS"), "{states}");
    assert_eq!(runs, "p=SUCCESS hello=SUCCESS s=SUCCESS l=SUCCESS hello=SUCCESS");
}

#[test]
fn a_pause_that_holds_tasks_runs_them_as_its_behavior_says() {
    let held = format!("tasks: [ {} ], errors: [ {} ], finally: [ {} ]", log("t"), log("e"), log("z"));
    for (rest, states, runs) in [
        ("pauseDuration: PT1M", "SUCCESS", "p=SUCCESS t=SUCCESS z=SUCCESS l=SUCCESS"),
        ("pauseDuration: PT1M, behavior: WARN", "WARNING", "p=WARNING t=SUCCESS z=SUCCESS l=SUCCESS"),
        (
            "pauseDuration: PT1M, behavior: WARN, allowWarning: true",
            "SUCCESS",
            "p=SUCCESS t=SUCCESS z=SUCCESS l=SUCCESS",
        ),
        ("pauseDuration: PT1M, behavior: FAIL", "FAILED", "p=FAILED e=SUCCESS z=SUCCESS"),
        (
            "pauseDuration: PT1M, behavior: FAIL, allowFailure: true",
            "WARNING",
            "p=WARNING e=SUCCESS z=SUCCESS l=SUCCESS",
        ),
        ("timeout: PT1M", "FAILED", "p=FAILED e=SUCCESS z=SUCCESS"),
        // What it allows is asked before its tasks run.
        ("timeout: PT1M, allowFailure: true", "WARNING", "p=WARNING t=SUCCESS z=SUCCESS l=SUCCESS"),
        // The time-out matters only where it has no length.
        ("timeout: PT1M, pauseDuration: PT2M", "SUCCESS", "p=SUCCESS t=SUCCESS z=SUCCESS l=SUCCESS"),
    ] {
        let (history, shown) = run("1.3", &format!("{}, {LOGS}", pause(&format!("{rest}, {held}"))), START);
        assert_eq!(shown, runs, "{rest}");
        assert_eq!(history.rsplit(' ').next(), Some(states), "{rest}");
    }
    let cancelled = run("1.3", &pause(&format!("pauseDuration: PT1M, behavior: CANCEL, {held}")), START);
    assert_eq!(cancelled.0, "CREATED RUNNING PAUSED CANCELLED");
    // Also of a task that holds others, of which none comes any more: what has ended can be changed.
    let within = format!(
        "{{ id: s, type: io.kestra.plugin.core.flow.Sequential, tasks: [ {}, {LOGS} ] }}",
        pause("pauseDuration: PT1M, behavior: CANCEL")
    );
    let changed = format!("{START}  - {{ at: 5m, change-state: f, state: SUCCESS }}\n");
    assert_eq!(run("1.3", &within, &changed).0, "CREATED RUNNING PAUSED CANCELLED SUCCESS");
    // Of 2.0 it holds `errors` and `finally` only.
    let held = format!("errors: [ {} ], finally: [ {} ]", log("e"), log("z"));
    let (history, runs) = run("2.0", &pause(&format!("pauseDuration: PT1M, behavior: FAIL, {held}")), START);
    assert_eq!(runs, "p=FAILED e=SUCCESS z=SUCCESS");
    assert!(history.ends_with("FAILED"), "{history}");
}

#[test]
fn up_to_0_20_a_time_out_fails_the_pause_itself_whatever_it_allows() {
    let held = format!("timeout: PT1M, allowFailure: true, tasks: [ {} ], errors: [ {} ]", log("t"), log("e"));
    let (history, runs) = run("0.20", &format!("{}, {LOGS}", pause(&held)), START);
    assert_eq!(runs, "p=FAILED");
    assert!(history.ends_with("FAILED"), "{history}");
    let (_, runs) = run("0.20", &pause(&format!("delay: PT1M, tasks: [ {} ]", log("t"))), START);
    assert_eq!(runs, "p=SUCCESS t=SUCCESS");
}

#[test]
fn a_behavior_may_be_a_template_and_is_asked_for_only_when_the_pause_ends_by_itself() {
    for (value, expected) in [("WARN", "p=WARNING l=SUCCESS"), ("FAIL", "p=FAILED"), ("RESUME", "p=SUCCESS l=SUCCESS")]
    {
        let inputs = format!("inputs: [ {{ id: b, type: STRING, defaults: {value} }} ]");
        let tasks_of = pause("pauseDuration: PT1M, behavior: \"{{ inputs.b }}\"");
        let simulation = at("1.3", &flow("f", &format!("{inputs}, tasks: [ {tasks_of}, {LOGS} ]")), START, 10);
        assert_eq!(tasks(&simulation.executions()[0]), expected, "{value}");
    }
    let (_, runs) = run("1.3", &pause("pauseDuration: PT1M, behavior: \"{{ 'later' }}\""), START);
    assert_eq!(runs, "p=FAILED");
    // Who resumes it asks for none.
    let resumed = format!("{START}  - {{ at: 3m, resume: f }}\n");
    let (_, runs) = run("1.3", &pause("pauseDuration: PT5M, behavior: FAIL"), &resumed);
    assert_eq!(runs, "p=SUCCESS");
    // Of a behavior it is not asked what it allows: the task run comes to that.
    let (history, _) = run("1.3", &pause("pauseDuration: PT1M, behavior: FAIL, allowFailure: true"), START);
    assert!(history.ends_with("FAILED"), "{history}");
}

#[test]
fn one_that_is_paused_is_restarted_where_it_is_and_each_pause_goes_on() {
    let two = format!(
        "{{ id: b, type: io.kestra.plugin.core.flow.Parallel, tasks: [ {}, {} ] }}, {LOGS}",
        pause("onResume: [ { id: ok, type: BOOLEAN } ]"),
        pause(&format!("pauseDuration: PT1H, behavior: FAIL, errors: [ {} ]", log("e"))).replace("id: p", "id: q")
    );
    let restarts = format!("{START}  - {{ at: 3m, restart: f }}\n");
    for version in ["1.3", "2.0"] {
        let simulation = at(version, &flow("f", &format!("tasks: [ {two} ]")), &restarts, 10);
        let all = simulation.executions();
        assert_eq!(all.len(), 1, "{version}");
        assert_eq!(history(&all[0]), "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS", "{version}");
        assert_eq!(tasks(&all[0]), "b=SUCCESS p=SUCCESS q=SUCCESS l=SUCCESS", "{version}");
        assert!(all[0].labels.contains(&("system.restarted".to_owned(), "true".to_owned())), "{:?}", all[0].labels);
        // What runs elsewhere meanwhile goes on.
        let sleeps = "{ id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT4M }";
        let beside = format!(
            "{{ id: b, type: io.kestra.plugin.core.flow.Parallel, tasks: [ {sleeps}, {} ] }}",
            pause("description: x")
        );
        let (states, runs) = run(version, &beside, &restarts);
        assert_eq!(runs, "b=SUCCESS s=SUCCESS p=SUCCESS", "{version}");
        assert_eq!(states, "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS", "{version}");
    }
    // Where something failed meanwhile, or nothing waits, it is said.
    let fails = "{ id: x, type: io.kestra.plugin.core.execution.Fail }";
    let beside = format!(
        "{{ id: b, type: io.kestra.plugin.core.flow.Parallel, tasks: [ {}, {fails} ] }}",
        pause("description: x")
    );
    let simulation = at("1.3", &flow("f", &format!("tasks: [ {beside} ]")), &restarts, 10);
    let told = told(&simulation);
    assert!(told.iter().any(|line| line == "restart: no execution of company.team.f is there for it"), "{told:?}");
}

#[test]
fn a_pause_of_less_than_nothing_goes_on_at_once() {
    for written in ["\"-PT1M\"", "\"{{ 'PT-1H' }}\"", "\"{{ '-PT1M' }}\""] {
        let (states, runs) = run("1.3", &format!("{}, {LOGS}", pause(&format!("pauseDuration: {written}"))), START);
        assert_eq!(runs, "p=SUCCESS l=SUCCESS", "{written}");
        assert!(states.ends_with("SUCCESS"), "{written}: {states}");
    }
    let (_, runs) = run("1.3", &pause("pauseDuration: \"{{ 'soon' }}\""), START);
    assert_eq!(runs, "p=FAILED");
}

#[test]
fn each_cause_of_which_a_task_fails_is_told_once_and_not_without_end() {
    let inputs = "inputs: [ { id: d, type: STRING } ]";
    let flows = flow("f", &format!("{inputs}, tasks: [ {} ]", pause("pauseDuration: \"{{ inputs.d }}\"")));
    let given = |at: usize, text: &str| format!("  - {{ at: {at}m, execute: f, inputs: {{ d: {text} }} }}\n");
    let told_of = |commands: &str| {
        let told = told(&at("1.3", &flows, commands, 20));
        told.into_iter().filter(|it| it.contains("the task p of company.team.f fails")).collect::<Vec<_>>()
    };
    let two = told_of(&[given(1, "soon"), given(2, "later"), given(3, "soon")].concat());
    assert!(two.len() == 2 && two[0].contains("soon") && two[1].contains("later"), "{two:?}");
    let many: String = (1..15).map(|n| given(n, &format!("soon-{n}"))).collect();
    assert_eq!(told_of(&many).len(), 5);
}

#[test]
fn each_value_of_a_for_each_waits_at_its_own_pause() {
    let each = |most: u32, length: &str| {
        let tasks = format!("{}, {LOGS}", pause(length));
        format!(
            "{{ id: e, type: io.kestra.plugin.core.flow.ForEach, values: [ 1, 2 ], concurrencyLimit: {most}, tasks: [ {tasks} ] }}"
        )
    };
    let (states, runs) = run("1.3", &each(1, "pauseDuration: PT1M"), START);
    assert_eq!(states, "CREATED RUNNING PAUSED RESTARTED RUNNING PAUSED RESTARTED RUNNING SUCCESS");
    assert_eq!(runs, "e=SUCCESS p=SUCCESS l=SUCCESS p=SUCCESS l=SUCCESS");
    // While one waits, the execution does, and nothing else begins.
    let (states, runs) = run("1.3", &each(0, "pauseDuration: PT1M"), START);
    assert_eq!(states, "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS");
    assert_eq!(runs, "e=SUCCESS p=SUCCESS p=SUCCESS l=SUCCESS l=SUCCESS");
    let one = format!("{START}  - {{ at: 3m, resume: f }}\n");
    assert_eq!(run("1.3", &each(0, ""), &one).1, "e=RUNNING p=SUCCESS p=PAUSED");
    let both = format!("{one}  - {{ at: 4m, resume: f }}\n");
    let (states, runs) = run("1.3", &each(0, ""), &both);
    assert!(states.ends_with("PAUSED RESTARTED RUNNING SUCCESS"), "{states}");
    assert_eq!(runs, "e=SUCCESS p=SUCCESS p=SUCCESS l=SUCCESS l=SUCCESS");
}

#[test]
fn the_execution_of_a_value_of_a_loop_waits_at_its_pause() {
    let tasks = format!("{}, {LOGS}", pause("pauseDuration: PT1M"));
    let looping = format!("{{ id: e, type: io.kestra.plugin.core.flow.Loop, values: [ 1, 2 ], tasks: [ {tasks} ] }}");
    let simulation = at("2.0", &flow("f", &format!("tasks: [ {looping} ]")), START, 10);
    let all = histories(&simulation, "f");
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all.iter().filter(|it| it.ends_with("PAUSED RESTARTED RUNNING SUCCESS")).count(), 2, "{all:?}");
    assert_eq!(all.iter().filter(|it| *it == "CREATED RUNNING SUCCESS").count(), 1, "{all:?}");
}

#[test]
fn a_pause_in_a_loop_is_named_at_any_depth_unless_it_is_disabled() {
    let waits = pause("pauseDuration: PT1M");
    let off = pause("disabled: true");
    let on_pause = pause(&format!("onPause: {}", log("hello")));
    let within = |kind: &str, tasks: &str| {
        format!("{{ id: e, type: io.kestra.plugin.core.flow.{kind}, values: [ 1, 2 ], tasks: [ {tasks} ] }}")
    };
    let spread = |tasks: &str| format!("{{ id: s, type: io.kestra.plugin.core.flow.Sequential, tasks: [ {tasks} ] }}");
    for (tasks, count) in [
        (within("Loop", &waits), 1),
        (within("Loop", &on_pause), 1),
        (within("Loop", &spread(&format!("{off}, {}", waits.replace("id: p", "id: q")))), 1),
        (within("Loop", &within("Loop", &waits).replace("id: e", "id: i")), 1),
        (within("Loop", &off), 0),
        (within("Loop", LOGS), 0),
        (spread(&waits), 0),
    ] {
        let text = format!("kestra: \"2.0\"\n{CLUSTER}{}", flow("f", &format!("tasks: [ {tasks} ]")));
        let (_, told) = read("x.yaml", &text, &NoFiles);
        let told = document::render(&told);
        assert_eq!(told.matches("in a Loop makes of the execution around it").count(), count, "{tasks}: {told}");
    }
}
