//! What somebody asks of executions over the API, and what ends them besides their tasks: kills, pauses, replays, SLAs, checks.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::executions::{CLUSTER, LOGS, SLEEPS, at, counted, flow, histories, history, of, tasks};
use common::server::{Local, ask, plan, session};
use mock_kestra::document;
use mock_kestra::flow::State;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::server::{Clock, Options};
use mock_kestra::simulator::{ExecutionSeen, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};
use serde_json::{Value, json};

#[test]
fn a_kill_ends_what_runs_frees_its_thread_and_is_counted_as_recorded() {
    let flows = flow("long", &format!("tasks: [ {SLEEPS} ], errors: [ {LOGS} ]"))
        + &flow("next", &format!("tasks: [ {LOGS} ]"));
    let commands = "  - { at: 1m, execute: long }\n  - { at: 2m, execute: next }\n  - { at: 3m, kill: long }\n";
    for (version, ends) in [("0.20", 0.0), ("1.3", 0.0), ("2.0", 1.0)] {
        let simulation = at(version, &flows, commands, 4);
        let all = simulation.executions();
        assert_eq!(histories(&simulation, "long"), ["CREATED RUNNING KILLING KILLED"], "{version}");
        assert_eq!(tasks(of(&all, &simulation, "long")[0]), "s=KILLED");
        // It had waited for the only thread.
        assert_eq!(histories(&simulation, "next"), ["CREATED RUNNING SUCCESS"], "{version}");
        assert_eq!(simulation.truth().ended_in(State::Killed), 1);
        let ended = "kestra_executor_execution_end_count_total{flow_id=\"long\"";
        assert_eq!(counted(&simulation, ended), ends, "{version}");
        assert_eq!(
            counted(&simulation, "kestra_executor_taskrun_ended_count_total{flow_id=\"long\""),
            1.0,
            "{version}"
        );
        if version != "0.20" {
            assert_eq!(counted(&simulation, "kestra_executor_killed_count_total"), 1.0, "{version}");
            assert_eq!(counted(&simulation, "kestra_worker_killed_count_total"), 1.0, "{version}");
        }
        let told: Vec<String> = simulation.journal().iter().map(|it| it.text(simulation.plan())).collect();
        assert!(told.contains(&"kill: an execution of company.team.long".to_owned()), "{told:?}");
    }
}

#[test]
fn of_several_executions_those_are_killed_that_are_meant() {
    let flows = flow("long", &format!("labels: {{ a: b }}, tasks: [ {SLEEPS} ]"));
    let three = "  - { at: 1m, execute: long, labels: { n: one } }\n  - { at: 61s, execute: long, labels: { n: two } }\n\
                 \x20 - { at: 62s, execute: long, labels: { n: three } }\n";
    for (which, expected) in [
        ("kill: long", [false, false, true]),
        ("kill: long, which: first", [true, false, false]),
        ("kill: long, which: 2", [false, true, false]),
        ("kill: long, which: all", [true, true, true]),
        ("kill: long, labels: { n: two }", [false, true, false]),
        ("kill: long, labels: { a: b, n: two }", [false, true, false]),
        ("kill: long, labels: { n: four }", [false, false, false]),
        ("kill: long, which: 9", [false, false, false]),
    ] {
        let simulation = at("1.3", &flows, &format!("{three}  - {{ at: 2m, {which} }}\n"), 3);
        let all = simulation.executions();
        let killed: Vec<bool> = of(&all, &simulation, "long").iter().map(|it| it.state == State::Killed).collect();
        assert_eq!(killed, expected, "{which}");
        if expected == [false; 3] {
            let told: Vec<String> = simulation.journal().iter().map(|it| it.text(simulation.plan())).collect();
            assert!(told.contains(&"kill: no execution of company.team.long is there for it".to_owned()), "{told:?}");
        }
    }
}

#[test]
fn one_that_is_queued_is_killed_where_it_waits_and_the_next_gets_the_place() {
    let flows = flow("one", &format!("concurrency: {{ limit: 1 }}, tasks: [ {SLEEPS} ]"));
    let commands = "  - { at: 1m, execute: one }\n  - { at: 2m, execute: one }\n  - { at: 3m, execute: one }\n\
                    \x20 - { at: 4m, kill: one, which: 2 }\n";
    let simulation = at("1.3", &flows, commands, 5);
    assert_eq!(histories(&simulation, "one"), ["CREATED RUNNING", "CREATED QUEUED KILLING KILLED", "CREATED QUEUED"]);
    let simulation = at("1.3", &flows, commands, 8);
    assert_eq!(histories(&simulation, "one")[2], "CREATED QUEUED RUNNING");
    // One that runs gives its place away when it is killed.
    let simulation = at("1.3", &flows, &format!("{commands}  - {{ at: 5m, kill: one, which: 1 }}\n"), 6);
    let expected = ["CREATED RUNNING KILLING KILLED", "CREATED QUEUED KILLING KILLED", "CREATED QUEUED RUNNING"];
    assert_eq!(histories(&simulation, "one"), expected);
}

#[test]
fn a_replay_that_waits_for_a_place_is_killed_there() {
    let flows = flow("one", &format!("concurrency: {{ limit: 1 }}, tasks: [ {LOGS}, {SLEEPS} ]"));
    let commands = "  - { at: 1m, execute: one }\n  - { at: 7m, execute: one }\n  - { at: 8m, replay: one, which: 1, task: s }\n\
                    \x20 - { at: 9m, kill: one, which: 3 }\n";
    for version in ["1.3", "2.0"] {
        let simulation = at(version, &flows, commands, 10);
        let all = simulation.executions();
        let all = of(&all, &simulation, "one");
        assert!(history(all[2]).ends_with("QUEUED KILLING KILLED"), "{version}: {}", history(all[2]));
        assert_eq!(tasks(all[2]), "l=SUCCESS s=KILLED", "{version}");
        // The one that runs goes on.
        assert_eq!(histories(&at(version, &flows, commands, 13), "one")[1], "CREATED RUNNING SUCCESS", "{version}");
    }
}

#[test]
fn what_ends_by_one_of_its_tasks_leaves_nothing_behind_that_waits_for_ever() {
    let pause = "{ id: p, type: io.kestra.plugin.core.flow.Pause }";
    let cancels = "{ id: c, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT2M, behavior: CANCEL }";
    let tasks =
        format!("tasks: [ {{ id: b, type: io.kestra.plugin.core.flow.Parallel, tasks: [ {pause}, {cancels} ] }} ]");
    let simulation = at("1.3", &flow("f", &tasks), "  - { at: 1m, execute: f }\n", 9);
    let all = simulation.executions();
    assert_eq!(all[0].state.name(), "CANCELLED");
    let waits = all[0].task_runs.iter().any(|run| ["p", "c"].contains(&run.task.as_str()) && !run.state.is_over());
    assert!(!waits, "{all:?}");
    // Nothing will happen to it any more: only what has ended can be changed.
    let commands = "  - { at: 1m, execute: f }\n  - { at: 5m, change-state: f, state: SUCCESS }\n";
    assert_eq!(at("1.3", &flow("f", &tasks), commands, 9).executions()[0].state.name(), "SUCCESS");
}

#[test]
fn a_loop_within_a_loop_begins_anew_in_each_iteration() {
    let until = |id: &str, count: u32, tasks: &str| {
        format!(
            "{{ id: {id}, type: io.kestra.plugin.core.flow.LoopUntil, condition: \"{{{{ outputs.{id}.iterationCount == {count} }}}}\", \
             checkFrequency: {{ interval: PT1S }}, tasks: [ {tasks} ] }}"
        )
    };
    let tasks = format!("tasks: [ {} ]", until("outer", 3, &until("inner", 2, LOGS)));
    let simulation = at("1.3", &flow("f", &tasks), "  - { at: 1m, execute: f }\n", 5);
    let runs = tasks_of(&simulation);
    assert_eq!(runs, ["outer", "inner", "l", "l", "inner", "l", "l", "inner", "l", "l"]);
    assert_eq!(histories(&simulation, "f"), ["CREATED RUNNING SUCCESS"]);
}

/// The tasks of the task runs of the only execution, in the order in which they were created.
fn tasks_of(simulation: &Simulation) -> Vec<String> {
    simulation.executions()[0].task_runs.iter().map(|run| run.task.clone()).collect()
}

#[test]
fn executions_that_are_listed_show_no_secret() {
    let flows = flow(
        "up",
        "tasks: [ { id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: down, inputs: { token: \"{{ secret('TOKEN') }}\" }, labels: { token: \"t-{{ secret('TOKEN') }}\" } } ]",
    ) + &flow("down", &format!("inputs: [ {{ id: token, type: STRING }} ], tasks: [ {LOGS} ]"));
    let text =
        format!("{CLUSTER}{flows}secrets: {{ TOKEN: hunter2-s3cret }}\ncommands: [ {{ at: 1m, execute: up }} ]\n");
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&told)));
    let mut session = Session::new(Arc::new(plan), Seed(1), Calendar::default()).endless();
    session.advance(Instant::START + Duration::minutes(2)).expect("no limit");
    let all = session.simulation().executions();
    let down = of(&all, session.simulation(), "down")[0];
    assert_eq!(down.inputs["token"], "******");
    assert!(down.labels.contains(&("token".to_owned(), "t-******".to_owned())), "{:?}", down.labels);
    assert_eq!(session.simulation().execution(&down.id).as_ref(), Some(down));
}

#[test]
fn a_paused_execution_begins_nothing_keeps_its_place_and_goes_on_when_it_is_resumed() {
    let flows = flow(
        "two",
        "concurrency: { limit: 1 }, tasks: [ { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M }, \
         { id: l, type: io.kestra.plugin.core.log.Log, message: hi } ]",
    );
    let commands = "  - { at: 1m, execute: two }\n  - { at: 70s, execute: two }\n  - { at: 80s, pause: two }\n\
                    \x20 - { at: 10m, resume: two }\n";
    let simulation = at("1.3", &flows, commands, 9);
    let all = simulation.executions();
    assert_eq!(histories(&simulation, "two"), ["CREATED RUNNING PAUSED", "CREATED QUEUED"]);
    // What a worker has is done; what comes next is not.
    assert_eq!(tasks(of(&all, &simulation, "two")[0]), "s=SUCCESS");
    let simulation = at("1.3", &flows, commands, 13);
    let expected = ["CREATED RUNNING PAUSED RUNNING SUCCESS", "CREATED QUEUED RUNNING SUCCESS"];
    assert_eq!(histories(&simulation, "two"), expected);
    // A Pause is resumed as recorded, and killed when it waits.
    let waits = flow("waits", &format!("tasks: [ {{ id: p, type: io.kestra.plugin.core.flow.Pause }}, {LOGS} ]"));
    let commands = "  - { at: 1m, execute: waits }\n  - { at: 2m, resume: waits }\n";
    let simulation = at("1.3", &waits, commands, 3);
    assert_eq!(histories(&simulation, "waits"), ["CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS"]);
    let killed = commands.replace("resume", "kill");
    for (version, expected) in
        [("1.3", "CREATED RUNNING PAUSED KILLING KILLED"), ("2.0", "CREATED RUNNING PAUSED RESTARTED KILLING KILLED")]
    {
        assert_eq!(histories(&at(version, &waits, &killed, 3), "waits"), [expected]);
    }
}

#[test]
fn a_kill_goes_on_to_subflows_unless_it_is_not_to() {
    let flows = flow("child", &format!("tasks: [ {SLEEPS} ]"))
        + &flow(
            "parent",
            "tasks: [ { id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child } ]",
        );
    let commands = "  - { at: 1m, execute: parent }\n  - { at: 2m, kill: parent }\n";
    let simulation = at("1.3", &flows, commands, 3);
    let all = simulation.executions();
    assert_eq!(histories(&simulation, "child"), ["CREATED RUNNING KILLING KILLED"]);
    assert_eq!(histories(&simulation, "parent"), ["CREATED RUNNING KILLING KILLED"]);
    assert_eq!(tasks(of(&all, &simulation, "parent")[0]), "sub=KILLED");
    let child = of(&all, &simulation, "child")[0];
    assert_eq!(child.started_by.as_ref(), Some(&of(&all, &simulation, "parent")[0].id));
    // Without it the parent waits for the child.
    let alone = commands.replace("kill: parent", "kill: parent, cascade: false");
    let simulation = at("1.3", &flows, &alone, 3);
    assert_eq!(histories(&simulation, "child"), ["CREATED RUNNING"]);
    assert_eq!(histories(&simulation, "parent"), ["CREATED RUNNING KILLING"]);
    let simulation = at("1.3", &flows, &alone, 10);
    assert_eq!(histories(&simulation, "child"), ["CREATED RUNNING SUCCESS"]);
    assert_eq!(histories(&simulation, "parent"), ["CREATED RUNNING KILLING KILLED"]);
}

#[test]
fn a_replay_is_a_new_execution_with_the_same_inputs_and_knows_its_original() {
    let flows = flow(
        "f",
        "labels: { team: data }, inputs: [ { id: day, type: STRING } ], tasks: [ { id: a, type: io.kestra.plugin.core.log.Log }, \
         { id: b, type: io.kestra.plugin.core.execution.Fail }, { id: c, type: io.kestra.plugin.core.log.Log } ], \
         errors: [ { id: e, type: io.kestra.plugin.core.log.Log } ]",
    );
    let commands = "  - { at: 1m, execute: f, inputs: { day: monday } }\n  - { at: 2m, replay: f }\n\
                    \x20 - { at: 3m, replay: f, task: b, which: 1 }\n";
    let simulation = at("1.3", &flows, commands, 4);
    let all = simulation.executions();
    let [first, second, third] = of(&all, &simulation, "f")[..] else { panic!("{all:?}") };
    assert_eq!(history(second), "CREATED RUNNING FAILED");
    assert_eq!(tasks(second), "a=SUCCESS b=FAILED e=SUCCESS");
    assert_eq!((second.original.as_ref(), &second.inputs), (Some(&first.id), &first.inputs));
    let label = |it: &ExecutionSeen, key: &str| it.labels.iter().find(|(k, _)| k == key).map(|(_, it)| it.clone());
    assert_eq!(label(second, "system.replay"), Some("true".into()));
    assert_eq!(label(second, "team"), Some("data".into()));
    assert_eq!(label(second, "system.correlationId"), Some(first.id.clone()));
    // From a task on: what ran before it has run, and it goes on with the history of the first.
    assert_eq!(history(third), "CREATED RUNNING FAILED RESTARTED RUNNING FAILED");
    assert_eq!(tasks(third), "a=SUCCESS b=FAILED e=SUCCESS");
    let begun = "kestra_executor_taskrun_created_count_total{flow_id=\"f\"";
    assert_eq!(counted(&simulation, begun), 3.0 + 3.0 + 2.0);
}

#[test]
fn a_changed_state_is_shown_and_behind_a_changed_task_the_execution_goes_on() {
    let flows = flow(
        "f",
        "tasks: [ { id: a, type: io.kestra.plugin.core.execution.Fail }, { id: b, type: io.kestra.plugin.core.log.Log } ], \
         errors: [ { id: e, type: io.kestra.plugin.core.log.Log } ]",
    ) + &flow(
        "tell",
        "tasks: [ { id: t, type: io.kestra.plugin.core.log.Log } ], triggers: [ { id: t, type: io.kestra.plugin.core.trigger.Flow, states: [SUCCESS, WARNING] } ]",
    );
    let commands = "  - { at: 1m, execute: f }\n  - { at: 2m, change-state: f, state: WARNING }\n";
    for (version, tells) in [("1.3", 0), ("2.0", 1)] {
        let simulation = at(version, &flows, commands, 3);
        assert_eq!(histories(&simulation, "f"), ["CREATED RUNNING FAILED WARNING"], "{version}");
        // What the webserver does is heard of only where an executor does it.
        assert_eq!(histories(&simulation, "tell").len(), tells, "{version}");
        assert_eq!(simulation.truth().ended_in(State::Warning), 1);
    }
    let commands = "  - { at: 1m, execute: f }\n  - { at: 2m, change-state: f, task: a, state: SUCCESS }\n";
    let simulation = at("1.3", &flows, commands, 3);
    let all = simulation.executions();
    assert_eq!(histories(&simulation, "f"), ["CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"]);
    assert_eq!(tasks(of(&all, &simulation, "f")[0]), "a=SUCCESS b=SUCCESS");
    assert_eq!(histories(&simulation, "tell").len(), 1);
}

const ALERT: &str = "triggers: [ { id: t, type: io.kestra.plugin.core.trigger.Flow, states: [FAILED, CANCELLED] } ]";

#[test]
fn an_sla_ends_an_execution_and_before_2_0_the_alerts_too_that_it_has_started() {
    let sla = |behavior: &str| {
        flow(
            "late",
            &format!(
                "sla: [ {{ id: s, type: MAX_DURATION, duration: PT30S, behavior: {behavior}, labels: {{ late: \"yes\" }} }} ], \
                 tasks: [ {SLEEPS} ], errors: [ {LOGS} ]"
            ),
        ) + &flow("alert", &format!("tasks: [ {SLEEPS} ], {ALERT}"))
    };
    let commands = "  - { at: 1m, execute: late }\n";
    for (version, behavior, state, alert) in [
        ("1.3", "FAIL", "FAILED", "CREATED RUNNING KILLING KILLED"),
        ("1.3", "CANCEL", "CANCELLED", "CREATED RUNNING KILLING KILLED"),
        ("2.0", "FAIL", "FAILED", "CREATED RUNNING"),
        ("2.0", "CANCEL", "CANCELLED", "CREATED RUNNING"),
    ] {
        let simulation = at(version, &sla(behavior), commands, 3);
        let all = simulation.executions();
        let late = of(&all, &simulation, "late")[0];
        assert_eq!(history(late), format!("CREATED RUNNING {state}"), "{version} {behavior}");
        assert_eq!(late.history[2].0, late.created + Duration::seconds(30));
        assert!(late.labels.contains(&("late".into(), "yes".into())), "{:?}", late.labels);
        assert!(tasks(late).starts_with("s=KILLED"), "{}", tasks(late));
        // 2.0 runs `errors` of one that failed so.
        assert_eq!(tasks(late).contains("l=SUCCESS"), version == "2.0" && behavior == "FAIL", "{version} {behavior}");
        assert_eq!(histories(&simulation, "alert"), [alert], "{version} {behavior}");
        assert_eq!(counted(&simulation, "kestra_executor_execution_end_count_total{flow_id=\"late\""), 0.0);
        let name = format!(
            "kestra_executor_sla_violation_count_total{{flow_id=\"late\",namespace_id=\"company.team\",state=\"{state}\""
        );
        assert_eq!(counted(&simulation, &name), 1.0, "{version} {behavior}");
        assert_eq!(counted(&simulation, "kestra_executor_sla_expired_count_total{flow_id=\"late\""), 1.0);
    }
    let simulation = at("1.3", &sla("NONE"), commands, 9);
    let all = simulation.executions();
    let late = of(&all, &simulation, "late")[0];
    assert_eq!(history(late), "CREATED RUNNING SUCCESS");
    assert!(late.labels.contains(&("late".into(), "yes".into())));
}

#[test]
fn an_assertion_that_does_not_hold_ends_an_execution_before_it_runs() {
    let flows = flow(
        "f",
        &format!(
            "inputs: [ {{ id: day, type: STRING }} ], sla: [ {{ id: s, type: EXECUTION_ASSERTION, \
             assert: \"{{{{ inputs.day != 'sunday' }}}}\", behavior: FAIL, labels: {{ sla: missed }} }} ], tasks: [ {LOGS} ]"
        ),
    ) + &flow("alert", &format!("tasks: [ {LOGS} ], {ALERT}"));
    let commands =
        "  - { at: 1m, execute: f, inputs: { day: sunday } }\n  - { at: 2m, execute: f, inputs: { day: monday } }\n";
    let simulation = at("1.3", &flows, commands, 3);
    assert_eq!(histories(&simulation, "f"), ["CREATED FAILED", "CREATED RUNNING SUCCESS"]);
    assert_eq!(histories(&simulation, "alert").len(), 1);
    let started = "kestra_executor_execution_started_count_total{flow_id=\"f\"";
    assert_eq!(counted(&simulation, started), 1.0);
}

#[test]
fn checks_keep_the_api_from_starting_an_execution_and_nobody_else() {
    let check = |behavior: &str| {
        flow(
            "f",
            &format!(
                "checks: [ {{ condition: \"{{{{ inputs.n > 3 }}}}\", message: too few, behavior: {behavior} }} ], \
                 inputs: [ {{ id: n, type: INT, defaults: 1 }} ], tasks: [ {LOGS} ]"
            ),
        )
    };
    let commands = "  - { at: 1m, execute: f, inputs: { n: 5 } }\n  - { at: 2m, execute: f }\n";
    for (behavior, expected) in [
        ("BLOCK_EXECUTION", vec!["CREATED RUNNING SUCCESS"]),
        ("FAIL_EXECUTION", vec!["CREATED RUNNING SUCCESS", "CREATED FAILED"]),
        ("CREATE_EXECUTION", vec!["CREATED RUNNING SUCCESS", "CREATED RUNNING SUCCESS"]),
    ] {
        // What is kept is kept because somebody asks.
        let simulation = at("1.3", &check(behavior), &format!("{commands}  - {{ at: 5m, pause: f }}\n"), 6);
        assert_eq!(histories(&simulation, "f"), expected, "{behavior}");
    }
}

/// A server whose only flow is asked for over its control port.
fn serve() -> Local {
    let flows = flow("long", &format!("tasks: [ {SLEEPS} ]")) + &flow("short", &format!("tasks: [ {LOGS} ]"));
    Local::serve(session(plan(&format!("{CLUSTER}{flows}"))), Clock::paused, Options::default())
}

fn start(mock: &Local, flow: &str) -> String {
    let (status, told) = mock.ask("POST", "/api/executions", &json!({ "flow": flow }).to_string());
    assert_eq!(status, 201, "{told}");
    mock.post("/api/advance", r#"{"by": "1m"}"#);
    told["id"].as_str().expect("an id").to_owned()
}

fn states(told: &Value) -> Vec<&str> {
    told["history"].as_array().expect("states").iter().map(|it| it["state"].as_str().expect("a state")).collect()
}

#[test]
fn the_control_port_lists_executions_and_does_with_them_what_it_is_asked() {
    let mock = serve();
    let id = start(&mock, "long");
    let path = |what: &str| format!("/api/executions/{id}{what}");
    let (status, told) = mock.ask("GET", &path(""), "");
    assert_eq!((status, &told["state"], &told["flow"]), (200, &json!("RUNNING"), &json!("long")), "{told}");
    for (what, expected) in [
        ("/pause", vec!["CREATED", "RUNNING", "PAUSED"]),
        ("/resume", vec!["CREATED", "RUNNING", "PAUSED", "RUNNING"]),
        ("/kill", vec!["CREATED", "RUNNING", "PAUSED", "RUNNING", "KILLING", "KILLED"]),
    ] {
        let (status, told) = mock.ask("POST", &path(what), "");
        assert_eq!(status, 202, "{what}: {told}");
        mock.post("/api/advance", r#"{"by": "5s"}"#);
        let (_, told) = mock.ask("GET", &path(""), "");
        assert_eq!(states(&told), expected, "{what}");
    }
    let (status, told) = mock.ask("POST", &path("/replay"), "");
    let new = told["id"].as_str().expect("an id");
    assert_eq!((status, &told["replays"]), (201, &json!(id)));
    mock.post("/api/advance", r#"{"by": "5s"}"#);
    let (_, told) = mock.ask("GET", &format!("/api/executions/{new}"), "");
    assert_eq!((&told["state"], &told["originalId"], &told["number"]), (&json!("RUNNING"), &json!(id), &json!(2)));
    let listed =
        |query: &str| mock.ask("GET", &format!("/api/executions{query}"), "").1["executions"].as_array().map(Vec::len);
    assert_eq!((listed(""), listed("?state=KILLED"), listed("?flow=short")), (Some(2), Some(1), Some(0)));
    let short = start(&mock, "short");
    let (status, told) = mock.ask("POST", &format!("/api/executions/{short}/change-state"), r#"{"state": "WARNING"}"#);
    assert_eq!(status, 409, "it waits for the only thread: {told}");

    // A saved session does it all again.
    let saved = ask(&mock.control(), "GET", "/api/scenario", "").body;
    let (again, told) = read("saved.yaml", &saved, &NoFiles);
    let again = Arc::new(again.unwrap_or_else(|| panic!("{}\n{saved}", document::render(&told))));
    let mut session = Session::new(again, Seed(1), Calendar::default());
    session.advance(Instant::START + Duration::minutes(2) + Duration::seconds(20)).expect("no limit");
    assert_eq!(histories(session.simulation(), "long")[0], "CREATED RUNNING PAUSED RUNNING KILLING KILLED");
    assert_eq!(session.simulation().truth().created, 3);
}

#[test]
fn who_asks_for_what_cannot_be_is_told_why() {
    let mock = serve();
    let (long, short) = (start(&mock, "short"), start(&mock, "long"));
    let (ended, runs) = (long, short);
    for (path, body, status, part) in [
        ("/api/executions/none".to_owned(), "", 404, "none"),
        ("/api/executions/none/kill".to_owned(), "", 404, "none"),
        (format!("/api/executions/{runs}/kill"), r#"{"cascade": 1}"#, 400, "cascade"),
        (format!("/api/executions/{runs}/kill"), r#"{"casade": true}"#, 400, "casade"),
        (format!("/api/executions/{runs}/kill"), "{", 400, "JSON"),
        (format!("/api/executions/{ended}/kill"), r#"{"cascade": false}"#, 409, "SUCCESS"),
        (format!("/api/executions/{ended}/pause"), "", 409, "RUNNING"),
        (format!("/api/executions/{runs}/pause"), r#"{"for": "1m"}"#, 400, "for"),
        (format!("/api/executions/{runs}/resume"), "", 409, "PAUSED"),
        (format!("/api/executions/{runs}/resume"), r#"{"inputs": 1}"#, 400, "inputs"),
        (format!("/api/executions/{runs}/restart"), "", 409, "ended"),
        (format!("/api/executions/{runs}/replay"), r#"{"task": "none"}"#, 404, "none"),
        (format!("/api/executions/{runs}/replay"), r#"{"value": "a"}"#, 400, "value"),
        (format!("/api/executions/{runs}/change-state"), r#"{"state": "SUCCESS"}"#, 409, "RUNNING"),
        (format!("/api/executions/{ended}/change-state"), "", 400, "JSON"),
        (format!("/api/executions/{ended}/change-state"), "{}", 400, "state"),
        (format!("/api/executions/{ended}/change-state"), r#"{"state": "RUNNING"}"#, 400, "RUNNING"),
        (format!("/api/executions/{ended}/change-state"), r#"{"state": "KILLED", "task": "l"}"#, 400, "KILLED"),
        (format!("/api/executions/{ended}/change-state"), r#"{"state": 5}"#, 400, "5"),
        (format!("/api/executions/{ended}/change-state?a=b"), r#"{"state": "FAILED"}"#, 400, "`a`"),
    ] {
        let method = if path.ends_with("none") { "GET" } else { "POST" };
        let (found, told) = mock.ask(method, &path, body);
        assert_eq!(found, status, "{path} {body}: {told}");
        assert!(told["detail"].as_str().is_some_and(|it| it.contains(part)), "{path} {body}: {told}");
    }
    for (query, status) in [("?state=RUNNIN", 400), ("?flow=none", 404), ("?flows=short", 400)] {
        assert_eq!(mock.ask("GET", &format!("/api/executions{query}"), "").0, status, "{query}");
    }
    assert_eq!(mock.ask("DELETE", &format!("/api/executions/{runs}"), "").0, 405);
}

#[test]
fn what_a_scenario_asks_wrongly_of_executions_is_told() {
    let flows = flow("f", &format!("tasks: [ {LOGS} ]"));
    let checks = flow("f", &format!("checks: [ {{ condition: x }} ], tasks: [ {LOGS} ]"));
    let (plan, told) = read("x.yaml", &format!("kestra: \"0.20\"\n{CLUSTER}{checks}"), &NoFiles);
    assert!(plan.is_none() && document::render(&told).contains("Kestra 0.20 refuses `checks`"));
    let (plan, told) = read("x.yaml", &format!("{CLUSTER}{checks}"), &NoFiles);
    assert!(plan.is_some() && document::render(&told).contains("no text is true"));
    for (entry, part) in [
        ("kill: g", "g"),
        ("kill: f, which: none", "last, first, all"),
        ("kill: f, which: 0", "last, first, all"),
        ("kill: f, state: FAILED", "`kill` has no `state`"),
        ("pause: f, task: l", "`pause` has no `task`"),
        ("replay: f, task: x", "`x`"),
        ("replay: f, value: a", "of no task"),
        ("change-state: f", "without `state`"),
        ("change-state: f, state: RUNNING", "RUNNING"),
        ("change-state: f, state: KILLED, task: l", "KILLED"),
        ("kill: f, pause: f", "in one entry"),
        ("execute: f, which: all", "`execute` has no `which`"),
        ("kill: f, status: 500", "`kill` has no `status`"),
        ("refresh: standalone-1, cascade: false", "`refresh` has no `cascade`"),
        ("receivers: outside, took: 3s", "`receivers` has no `took`"),
    ] {
        let text = format!("{CLUSTER}{flows}commands:\n  - {{ at: 1m, {entry} }}\n");
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        let told = document::render(&told);
        assert!(plan.is_none() && told.contains(part), "{entry}: {told}");
    }
}
