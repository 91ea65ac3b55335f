//! Restarts, and what executions start and wait for: Subflows, the batches of a ForEachItem, a Pause that somebody lets go on.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::executions::{CLUSTER, LOGS, at, counted, flow, histories, history, of, tasks};
use mock_kestra::document;
use mock_kestra::flow::State;
use mock_kestra::scenario::{NoFiles, read};

#[test]
fn a_restart_runs_again_what_failed_in_the_same_execution() {
    let fails = "{ id: f, type: io.kestra.plugin.core.execution.Fail, condition: \"{{ labels.n is not defined }}\" }";
    let never = "{ id: x, type: io.kestra.plugin.core.execution.Fail }";
    let of_one = format!(
        "tasks: [ {LOGS}, {{ id: g, type: io.kestra.plugin.core.flow.Sequential, tasks: [ {{ id: a, type: a.B }}, {never}, {{ id: c, type: a.B }} ] }} ], \
         errors: [ {{ id: e, type: a.B }} ], finally: [ {{ id: z, type: a.B }} ]"
    );
    let flows = flow("one", &of_one)
        + &flow("two", &format!("tasks: [ {fails} ]"))
        + &flow("well", &format!("tasks: [ {LOGS} ]"));
    let commands = "  - { at: 1m, execute: one }\n  - { at: 5m, restart: one }\n  - { at: 1m, execute: well }\n\
                    \x20 - { at: 5m, restart: well }\n";
    for (version, label) in [("0.20", false), ("1.3", true), ("2.0", true)] {
        let simulation = at(version, &flows, commands, 12);
        let expected = "CREATED RUNNING FAILED RESTARTED RUNNING FAILED";
        assert_eq!(histories(&simulation, "one"), [expected], "{version}");
        let all = simulation.executions();
        let one = of(&all, &simulation, "one")[0];
        // What had run well has not run again.
        let attempts: Vec<String> = one.task_runs.iter().map(|run| format!("{}={}", run.task, run.attempts)).collect();
        assert_eq!(attempts.join(" "), "l=1 g=1 a=1 x=2 e=1 z=1", "{version}");
        assert_eq!(tasks(one), "l=SUCCESS g=FAILED a=SUCCESS x=FAILED e=SUCCESS z=SUCCESS", "{version}");
        assert_eq!(one.labels.iter().any(|(key, _)| key == "system.restarted"), label, "{version}");
        // One that ended well is not restarted.
        assert_eq!(histories(&simulation, "well"), ["CREATED RUNNING SUCCESS"], "{version}");
        let told: Vec<String> = simulation.journal().iter().map(|it| it.text(simulation.plan())).collect();
        assert!(told.contains(&"restart: no execution of company.team.well is there for it".to_owned()), "{told:?}");
        assert_eq!(simulation.truth().ended_in(State::Failed), 1, "{version}");
        let started = "kestra_executor_execution_started_count_total{flow_id=\"one\"";
        assert_eq!(counted(&simulation, started), 2.0, "{version}");
    }
}

#[test]
fn a_restarted_subflow_restarts_what_it_had_started_unless_it_asks_for_a_new_one() {
    let subflow = |more: &str| {
        format!(
            "tasks: [ {{ id: s, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child{more} }} ]"
        )
    };
    let fails = "tasks: [ { id: f, type: io.kestra.plugin.core.execution.Fail } ]";
    let commands = "  - { at: 1m, execute: parent }\n  - { at: 5m, restart: parent }\n";
    for (more, children) in [
        ("", vec!["CREATED RUNNING FAILED RESTARTED RUNNING FAILED"]),
        (", restartBehavior: NEW_EXECUTION", vec!["CREATED RUNNING FAILED"; 2]),
    ] {
        let flows = flow("parent", &subflow(more)) + &flow("child", fails);
        let simulation = at("1.3", &flows, commands, 12);
        assert_eq!(histories(&simulation, "parent"), ["CREATED RUNNING FAILED RESTARTED RUNNING FAILED"]);
        assert_eq!(histories(&simulation, "child"), children, "{more}");
    }
}

#[test]
fn a_pause_gives_what_it_asks_for_and_then_runs_its_tasks() {
    let pause = "{ id: p, type: io.kestra.plugin.core.flow.Pause, onResume: [ { id: ok, type: BOOLEAN }, { id: why, type: STRING, defaults: \"{{ flow.id }}\" } ], \
                 tasks: [ { id: in, type: io.kestra.plugin.core.log.Log, message: hi } ] }";
    let says = "{ id: i, type: io.kestra.plugin.core.flow.If, condition: \"{{ outputs.p.onResume.ok and outputs.p.onResume.why == 'asks' }}\", then: [ { id: yes, type: a.B } ], else: [ { id: no, type: a.B } ] }";
    let flows = flow("asks", &format!("tasks: [ {pause}, {says} ]"));
    let begin = "  - { at: 1m, execute: asks }\n";
    for version in ["0.20", "1.3", "2.0"] {
        for (inputs, runs) in [
            ("{ ok: true }", "yes"),
            ("{ ok: \"false\" }", "no"),
            ("{ ok: maybe }", "no"),
            ("{ ok: true, why: x }", "no"),
        ] {
            let commands = format!("{begin}  - {{ at: 2m, resume: asks, inputs: {inputs} }}\n");
            let simulation = at(version, &flows, &commands, 9);
            let all = simulation.executions();
            let it = of(&all, &simulation, "asks")[0];
            assert_eq!(history(it), "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS", "{version} {inputs}");
            assert_eq!(tasks(it), format!("p=SUCCESS in=SUCCESS i=SUCCESS {runs}=SUCCESS"), "{version} {inputs}");
        }
        // What is missing, or is none, is told, and it waits on.
        {
            let inputs = "{ }";
            let commands = format!("{begin}  - {{ at: 2m, resume: asks, inputs: {inputs} }}\n");
            let simulation = at(version, &flows, &commands, 9);
            assert_eq!(histories(&simulation, "asks"), ["CREATED RUNNING PAUSED"], "{version} {inputs}");
            let told: Vec<String> = simulation.journal().iter().map(|it| it.text(simulation.plan())).collect();
            let words = match version {
                "0.20" => {
                    "resume: refused of company.team.asks: Invalid input for `ok`, missing required input, but received `null`"
                }
                _ => "resume: refused of company.team.asks: Missing required input:ok",
            };
            assert!(told.contains(&words.to_owned()), "{told:?}");
        }
    }
}

#[test]
fn durations_are_worked_out_when_the_task_begins_and_fail_it_when_they_are_none() {
    let waits = "inputs: [ { id: pause, type: STRING, defaults: PT90S } ], tasks: [ \
        { id: p, type: io.kestra.plugin.core.flow.Pause, pauseDuration: \"{{ inputs.pause }}\" }, \
        { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: \"PT{{ 60 + 60 }}S\" }, \
        { id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT10M, timeout: \"{{ 'PT30S' }}\" } ]";
    let flows = flow("waits", waits);
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: waits }\n", 20);
    let all = simulation.executions();
    let it = of(&all, &simulation, "waits")[0];
    assert_eq!(tasks(it), "p=SUCCESS s=SUCCESS t=FAILED");
    let ends = it.history.last().unwrap().0.since(it.created).as_seconds_f64();
    assert!((240.0..242.0).contains(&ends), "{ends}");
    for (task, told) in [
        ("{ id: p, type: io.kestra.plugin.core.flow.Pause, pauseDuration: \"{{ no }}\" }", "Unable to find `no`"),
        ("{ id: p, type: io.kestra.plugin.core.flow.Pause, delay: \"{{ 'soon' }}\" }", "`soon` is no duration"),
        ("{ id: p, type: io.kestra.plugin.core.flow.Sleep, duration: \"{{ no }}\" }", "Unable to find `no`"),
        ("{ id: p, type: io.kestra.plugin.core.log.Log, message: hi, timeout: soon }", "`soon` is no duration"),
    ] {
        let simulation = at("1.3", &flow("bad", &format!("tasks: [ {task} ]")), "  - { at: 1m, execute: bad }\n", 5);
        let all = simulation.executions();
        assert_eq!(tasks(of(&all, &simulation, "bad")[0]), "p=FAILED", "{task}");
        let journal: Vec<String> = simulation.journal().iter().map(|it| it.text(simulation.plan())).collect();
        assert!(journal.iter().any(|line| line.contains(told)), "{task}: {journal:?}");
    }
}

#[test]
fn a_task_lets_another_execution_go_on_and_fails_where_there_is_none() {
    let pause = "{ id: p, type: io.kestra.plugin.core.flow.Pause, onResume: [ { id: ok, type: BOOLEAN } ] }";
    let says = "{ id: i, type: io.kestra.plugin.core.flow.If, condition: \"{{ outputs.p.onResume.ok }}\", then: [ { id: yes, type: a.B } ] }";
    let resume = "{ id: r, type: io.kestra.plugin.core.execution.Resume, executionId: \"{{ trigger is defined ? trigger.executionId : 'nobody' }}\", inputs: { ok: true } }";
    let named = "{ id: n, type: a.B, runIf: \"{{ vars.resumedExecution.flowId == 'waits' }}\" }";
    let on_pause = "triggers: [ { id: t, type: io.kestra.plugin.core.trigger.Flow, states: [ PAUSED ] } ]";
    let flows = flow("waits", &format!("tasks: [ {pause}, {says} ]"))
        + &flow("goes", &format!("tasks: [ {resume}, {named} ], {on_pause}"));
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: waits }\n", 9);
    let all = simulation.executions();
    let it = of(&all, &simulation, "waits")[0];
    assert_eq!(history(it), "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS");
    assert_eq!(tasks(it), "p=SUCCESS i=SUCCESS yes=SUCCESS");
    assert_eq!(tasks(of(&all, &simulation, "goes")[0]), "r=SUCCESS n=SUCCESS");
    // Nobody waits: it fails in Kestra's words.
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: goes }\n", 9);
    let all = simulation.executions();
    assert_eq!(tasks(of(&all, &simulation, "goes")[0]), "r=FAILED");
    let journal: Vec<String> = simulation.journal().iter().map(|it| it.text(simulation.plan())).collect();
    assert!(journal.iter().any(|line| line.contains("No execution found for execution id nobody")), "{journal:?}");
}

#[test]
fn a_count_counts_the_executions_that_there_were() {
    let count = |of: &str, more: &str, expression: &str, told: &str| {
        format!(
            "tasks: [ {{ id: c, type: io.kestra.plugin.core.execution.Count, {of}, startDate: \"{{{{ now() | dateAdd(-10, 'MINUTES') }}}}\"{more}, expression: \"{{{{ {expression} }}}}\" }}, \
             {{ id: t, type: a.B, runIf: \"{{{{ {told} }}}}\" }} ]"
        )
    };
    let ok = "flows: [ { namespace: company.team, flowId: ok }, { namespace: company.team, flowId: none } ]";
    let fails = "tasks: [ { id: f, type: io.kestra.plugin.core.execution.Fail } ]";
    let base =
        flow("ok", &format!("tasks: [ {LOGS} ]")) + &flow("none", &format!("tasks: [ {LOGS} ]")) + &flow("bad", fails);
    // One of ok is too old.
    let commands = "  - { at: 1m, execute: ok }\n  - { at: 8m, execute: ok }\n  - { at: 9m, execute: ok }\n  - { at: 9m, execute: bad }\n\
                    \x20 - { at: 15m, execute: count }\n";
    for (of_, more, expression, told) in [
        (ok, "", "count >= 2", "outputs.c.total == 2 and outputs.c.results[0].flowId == 'ok'"),
        (ok, "", "count == 0", "outputs.c.total == 0 and outputs.c.results[0].flowId == 'none'"),
        (ok, ", states: [ FAILED ]", "count >= 0", "outputs.c.total == 0"),
        (
            "flows: [ { namespace: company.team, flowId: bad } ]",
            ", states: [ FAILED ]",
            "count > 0",
            "outputs.c.total == 1",
        ),
    ] {
        let flows = format!("{base}{}", flow("count", &count(of_, more, expression, told)));
        let simulation = at("1.3", &flows, commands, 20);
        let all = simulation.executions();
        assert_eq!(tasks(of(&all, &simulation, "count")[0]), "c=SUCCESS t=SUCCESS", "{of_} {more} {expression}");
    }
}

#[test]
fn a_foreachitem_starts_an_execution_for_each_batch_and_ends_as_the_worst_of_them() {
    let each = |more: &str| {
        format!(
            "tasks: [ {{ id: each, type: io.kestra.plugin.core.flow.ForEachItem, items: \"{{{{ inputs.file }}}}\", namespace: company.team, flowId: child{more}, \
             inputs: {{ n: \"{{{{ taskrun.iteration }}}}\" }} }}, \
             {{ id: t, type: a.B, runIf: \"{{{{ outputs.each_items.numberOfBatches == 3 }}}}\" }} ]"
        )
    };
    let fails = "inputs: [ { id: n, type: INT } ], tasks: [ { id: f, type: io.kestra.plugin.core.execution.Fail, condition: \"{{ inputs.n == 2 }}\" } ]";
    let known = "behaviour: [ { task: each, outputs: { numberOfBatches: 3 } } ]\n";
    for (more, given, children, runs) in [
        ("", known, vec!["SUCCESS", "FAILED", "SUCCESS"], "each=FAILED each_split=SUCCESS each_items=FAILED"),
        (
            ", transmitFailed: false",
            known,
            vec!["SUCCESS", "FAILED", "SUCCESS"],
            "each=SUCCESS each_split=SUCCESS each_items=SUCCESS each_merge=SUCCESS t=SUCCESS",
        ),
        (
            ", wait: false",
            known,
            vec!["SUCCESS", "FAILED", "SUCCESS"],
            "each=SUCCESS each_split=SUCCESS each_items=SUCCESS each_merge=SUCCESS t=FAILED",
        ),
    ] {
        let flows = flow("parent", &each(more)) + &flow("child", fails) + given;
        let simulation = at("1.3", &flows, "  - { at: 1m, execute: parent, inputs: { file: x } }\n", 9);
        let all = simulation.executions();
        let ended: Vec<&str> = of(&all, &simulation, "child").iter().map(|it| it.state.name()).collect();
        assert_eq!(ended, children, "{more}");
        assert_eq!(tasks(of(&all, &simulation, "parent")[0]), runs, "{more}");
    }
    // Nobody says how many there are: that is told, and there are none.
    let flows = flow("parent", &each("")) + &flow("child", fails);
    let text = format!("kestra: \"1.3\"\n{CLUSTER}{flows}commands: [ {{ at: 1m, execute: parent }} ]\n");
    let (_, told) = read("x.yaml", &text, &NoFiles);
    assert!(document::render(&told).contains("how many batches the ForEachItem `each`"), "{}", document::render(&told));
}

#[test]
fn a_second_restart_restarts_the_same_child_too() {
    let subflow =
        "tasks: [ { id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child } ]";
    let fails = "tasks: [ { id: f, type: io.kestra.plugin.core.execution.Fail } ]";
    let commands =
        "  - { at: 1m, execute: parent }\n  - { at: 3m, restart: parent }\n  - { at: 5m, restart: parent }\n";
    for version in ["0.20", "1.3", "2.0"] {
        let simulation = at(version, &(flow("parent", subflow) + &flow("child", fails)), commands, 12);
        let thrice = "CREATED RUNNING FAILED RESTARTED RUNNING FAILED RESTARTED RUNNING FAILED";
        assert_eq!(histories(&simulation, "parent"), [thrice], "{version}");
        assert_eq!(histories(&simulation, "child"), [thrice], "{version}");
    }
}

#[test]
fn a_kill_reaches_a_child_that_a_restart_has_begun_again() {
    let subflow =
        "tasks: [ { id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child } ]";
    let fails = "tasks: [ { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M }, { id: f, type: io.kestra.plugin.core.execution.Fail, condition: \"{{ labels.system.restarted is not defined }}\" }, { id: p, type: io.kestra.plugin.core.flow.Pause } ]";
    let commands = "  - { at: 1m, execute: parent }\n  - { at: 4m, restart: parent }\n  - { at: 5m, kill: parent }\n";
    let simulation = at("1.3", &(flow("parent", subflow) + &flow("child", fails)), commands, 8);
    assert!(histories(&simulation, "child")[0].ends_with("KILLING KILLED"), "{:?}", histories(&simulation, "child"));
}

#[test]
fn a_restart_of_a_foreachitem_runs_those_batches_again_that_failed() {
    let each = "tasks: [ { id: each, type: io.kestra.plugin.core.flow.ForEachItem, items: x, namespace: company.team, flowId: child, \
         inputs: { n: \"{{ taskrun.iteration }}\" } } ]";
    let fails = "inputs: [ { id: n, type: INT } ], tasks: [ { id: f, type: io.kestra.plugin.core.execution.Fail, condition: \"{{ inputs.n == 2 }}\" } ]";
    let known = "behaviour: [ { task: each, outputs: { numberOfBatches: 3 } } ]\n";
    let commands =
        "  - { at: 1m, execute: parent }\n  - { at: 3m, restart: parent }\n  - { at: 5m, restart: parent }\n";
    let flows = flow("parent", each) + &flow("child", fails) + known;
    let simulation = at("1.3", &flows, commands, 12);
    let (well, badly) =
        ("CREATED RUNNING SUCCESS", "CREATED RUNNING FAILED RESTARTED RUNNING FAILED RESTARTED RUNNING FAILED");
    assert_eq!(histories(&simulation, "child"), [well, badly, well]);
    assert_eq!(histories(&simulation, "parent"), [badly]);
}

#[test]
fn a_count_of_batches_that_is_none_is_told() {
    let each = "tasks: [ { id: each, type: io.kestra.plugin.core.flow.ForEachItem, items: x, namespace: company.team, flowId: child } ]";
    let flows = flow("parent", each) + &flow("child", &format!("tasks: [ {LOGS} ]"));
    for (count, words) in [("-1", "is -1"), ("\"3\"", "is \"3\""), ("2.5", "is 2.5")] {
        let given = format!("behaviour: [ {{ task: each, outputs: {{ numberOfBatches: {count} }} }} ]\n");
        let text = format!("kestra: \"1.3\"\n{CLUSTER}{flows}{given}commands: [ {{ at: 1m, execute: parent }} ]\n");
        let (_, told) = read("x.yaml", &text, &NoFiles);
        let told = document::render(&told);
        assert!(told.contains("`numberOfBatches` of the ForEachItem `each`") && told.contains(words), "{told}");
    }
}
