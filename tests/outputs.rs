//! What task runs put out, and all else that templates of a running flow see: worked out by executors and workers alike.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::report::Report;
use mock_kestra::run::run;
use mock_kestra::scenario::{NoFiles, read, write};
use mock_kestra::time::Calendar;

const CORE: &str = "io.kestra.plugin.core";

/// A flow with these tasks, and one that sends a text; in flow style.
fn scenario(version: &str, flow: &str, text: &str, more: &str) -> String {
    let flow = flow.replace("core.", &format!("{CORE}."));
    let more = more.replace("core.", &format!("{CORE}."));
    // A bare number would be sent as it is.
    let text = format!("is {text}");
    let hook = "type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"https://h.example.com\"";
    let say = format!("{hook}, messageText: {text:?}");
    format!(
        "name: x\nkestra: \"{version}\"\nduration: 20m\ncluster: {{ standalone: 1 }}\n\
         commands: [ {{ at: 1m, execute: f, inputs: {{ day: monday }} }} ]\n{more}\n\
         flows:\n  - {{ id: f, namespace: company.team, inputs: [ {{ id: day, type: STRING }} ], {} }}\n",
        flow.replace("SAY", &say)
    )
}

fn report(text: &str) -> Report {
    let (plan, told) = read("x.yaml", text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}\n{text}", document::render(&told)));
    run(&Arc::new(plan), Seed(1), Calendar::default(), None).expect("no limit")
}

/// The texts that were sent.
fn said(text: &str) -> Vec<String> {
    let bodies = report(text).notifications.into_iter().map(|line| match line.taken {
        true => serde_json::from_str::<serde_json::Value>(&line.body).expect("JSON")["text"]
            .as_str()
            .expect("a text")
            .trim_start_matches("is ")
            .to_owned(),
        false => line.why.unwrap_or_default(),
    });
    bodies.collect()
}

fn warnings(text: &str) -> String {
    document::render(&read("x.yaml", text, &NoFiles).1)
}

#[test]
fn a_template_sees_what_the_tasks_before_it_have_put_out() {
    let cases = [
        ("{ id: a, type: core.debug.Return, format: \"{{ inputs.day }}!\" }", "{{ outputs.a.value }}", "monday!"),
        (
            "{ id: a, type: core.output.OutputValues, values: { x: \"{{ flow.id }}\", y: 2 } }",
            "{{ outputs.a.values.x }}{{ outputs.a.values.y + 1 }}",
            "f3",
        ),
        (
            "{ id: e, type: core.flow.ForEach, values: [x, y], tasks: [ { id: r, type: core.debug.Return, format: \"<{{ taskrun.value }}>\" } ] }",
            "{{ outputs.r['x'].value }}{{ outputs.r.y.value }}",
            "<x><y>",
        ),
        (
            "{ id: e, type: core.flow.ForEach, values: \"{{ ['a'] | toJson }}\", tasks: [ { id: i, type: core.flow.ForEach, values: [1, 2], \
             tasks: [ { id: r, type: core.debug.Return, format: \"{{ parent.taskrun.value }}{{ taskrun.value }}\" } ] } ] }",
            "{{ outputs.r.a['2'].value }}",
            "a2",
        ),
        (
            "{ id: a, type: core.debug.Return, format: \"3\" }, \
             { id: i, type: core.flow.If, condition: \"{{ outputs.a.value == '3' }}\", then: [ { id: b, type: core.debug.Return, format: \"yes\" } ], else: [ { id: c, type: core.log.Log } ] }",
            "{{ outputs.b.value }} {{ tasks.c is defined }}",
            "yes false",
        ),
        (
            "{ id: a, type: core.debug.Return, format: \"0\" }, { id: b, type: core.log.Log, runIf: \"{{ outputs.a.value }}\" }",
            "{{ tasks.b.state }}",
            "SKIPPED",
        ),
        (
            "{ id: a, type: core.debug.Return, format: two }, { id: s, type: core.flow.Switch, value: \"{{ outputs.a.value }}\", \
             cases: { one: [ { id: x, type: core.log.Log } ], two: [ { id: y, type: core.log.Log } ] } }",
            "{{ tasks.y.state }}",
            "SUCCESS",
        ),
        (
            "{ id: l, type: core.flow.LoopUntil, condition: \"{{ outputs.r.value == '3' }}\", checkFrequency: { interval: PT10S }, \
             tasks: [ { id: r, type: core.debug.Return, format: \"{{ outputs.l.iterationCount }}\" } ] }",
            "{{ outputs.r.value }} {{ outputs.l.iterationCount }}",
            "3 3",
        ),
        ("{ id: a, type: core.execution.Labels, labels: { env: \"{{ inputs.day }}\" } }", "{{ labels.env }}", "monday"),
        (
            "{ id: a, type: core.execution.SetVariables, variables: { n: \"{{ vars.n }}2\" } }",
            "{{ vars.n }}{{ vars.m }}",
            "123",
        ),
        (
            "{ id: w, type: core.flow.WorkingDirectory, tasks: [ { id: r, type: core.debug.Return, format: in } ] }",
            "{{ outputs.r.value }}",
            "in",
        ),
        ("{ id: load, type: a.b.Load }", "{{ outputs.load.rows * 2 }}", "240"),
        (
            "{ id: s, type: core.flow.Subflow, namespace: company.team, flowId: \"{{ 'ch' ~ 'ild' }}\", inputs: { n: \"{{ inputs.day }}\" } }",
            "{{ outputs.s.outputs.o }} {{ outputs.s.state }} {{ outputs.s.executionId | length }}",
            "7 monday SUCCESS 22",
        ),
        (
            "{ id: a, type: core.log.Log }",
            "{{ kv('k') }} {{ envs.region }} {{ globals.team }} {{ secret('X') }}",
            "v eu data hush",
        ),
        (
            "{ id: a, type: core.log.Log }",
            "{{ envs.region ?? 'none' }} {{ taskrun.attemptsCount }} {{ task.id }}",
            "eu 0 say",
        ),
    ];
    let more = "behaviour: [ { namespace: company.team, outputs: { rows: 120 } } ]\nkv: { company.team: { k: v } }\n\
                environment: { ENV_REGION: eu }\nconfiguration: { kestra: { variables: { globals: { team: data } } } }\n\
                secrets: { X: hush }";
    for (tasks, text, expected) in cases {
        let flow = format!("variables: {{ n: 1, m: 3 }}, tasks: [ {tasks}, {{ id: say, SAY }} ]");
        let child = "\n  - { id: child, namespace: company.team, inputs: [ { id: n, type: STRING, required: false } ], tasks: [ { id: r, type: core.debug.Return, format: \"7 {{ inputs.n }}\" } ], \
                     outputs: [ { id: o, type: STRING, value: \"{{ outputs.r.value }}\" } ] }\n";
        for version in ["1.3", "2.0"] {
            let text =
                format!("{}{}", scenario(version, &flow, text, more), child.replace("core.", &format!("{CORE}.")));
            // The flow is written last, and the child after it.
            let said = said(&text);
            let starred = expected.replace("hush", "******");
            assert_eq!(said, [starred], "{version}: {tasks}");
        }
    }
}

#[test]
fn a_name_that_is_not_there_fails_the_task_in_the_real_engines_words() {
    let words = "Unable to find `nope` used in the expression `{{ nope }}` at line 1";
    for tasks in [
        "{ id: t, type: core.debug.Return, format: \"{{ nope }}\" }",
        "{ id: t, type: core.log.Log, message: [ a, \"{{ nope }}\" ] }",
        "{ id: t, type: core.output.OutputValues, values: { a: \"{{ nope }}\" } }",
        "{ id: t, type: core.execution.Fail, condition: \"{{ nope }}\" }",
    ] {
        let flow = format!("tasks: [ {tasks} ], errors: [ {{ id: say, SAY }} ]");
        let text = "{{ errorLogs()[0].taskId }}: {{ errorLogs()[0].message }} {{ errorLogs() | length }}";
        let expected = format!("t: io.kestra.core.exceptions.IllegalVariableEvaluationException: {words} 1");
        let said = said(&scenario("1.3", &flow, text, ""));
        assert!(said == [expected.clone()] || said == [format!("t: {words} 1")], "{tasks}: {said:?}");
    }
    // Where an executor looks at it, the task fails without a worker.
    for task in [
        "{ id: t, type: core.flow.If, condition: \"{{ nope }}\", then: [ { id: x, type: core.log.Log } ] }",
        "{ id: t, type: core.flow.ForEach, values: \"{{ outputs.nope.x }}\", tasks: [ { id: x, type: core.log.Log } ] }",
        "{ id: t, type: core.log.Log, runIf: \"{{ nope }}\" }",
        "{ id: t, type: core.execution.Labels, labels: { a: \"{{ nope }}\" } }",
        "{ id: t, type: core.flow.Subflow, namespace: company.team, flowId: \"{{ flow.id }}\", inputs: { a: \"{{ nope }}\" } }",
    ] {
        let flow = format!("tasks: [ {task} ], errors: [ {{ id: say, SAY }} ]");
        assert_eq!(said(&scenario("1.3", &flow, "{{ tasks.t.state }}", "")), ["FAILED"], "{task}");
    }
}

#[test]
fn an_assertion_fails_with_those_that_do_not_hold() {
    let flow = "tasks: [ { id: t, type: core.execution.Assert, conditions: [ \"{{ inputs.day == 'monday' }}\", \"{{ 0 }}\" ], \
                errorMessage: \"on {{ inputs.day }}\" } ], errors: [ { id: say, SAY } ]";
    let text = "{{ errorLogs()[0].message }} / {{ errorLogs()[1].message }}";
    assert_eq!(
        said(&scenario("1.3", flow, text, "")),
        ["Assertion `{{ 0 }}` failed! / 1 assertion failed!\non monday"]
    );
}

#[test]
fn a_flow_trigger_gets_outputs_and_labels_that_tasks_gave() {
    let flow = "tasks: [ { id: r, type: core.debug.Return, format: v }, { id: l, type: core.execution.Labels, labels: { late: really } } ], \
                outputs: [ { id: o, type: INT, value: \"{{ outputs.r.value | length }}\" } ]";
    let listener = |labels: &str| {
        format!(
            "\n  - {{ id: g, namespace: company.alerts, inputs: [ {{ id: r, type: STRING }} ], tasks: [ {{ id: say, SAY }} ], \
             triggers: [ {{ id: t, type: core.trigger.Flow, inputs: {{ r: \"{{{{ outputs.r.value }}}}\" }}, \
             conditions: [ {{ type: core.condition.ExecutionLabels, labels: {{ late: {labels} }} }} ] }} ] }}\n"
        )
    };
    let text = "{{ trigger.outputs.o + 1 }} {{ inputs.r }} {{ trigger.executionLabels.late }}";
    for (labels, expected) in [("really", vec!["2 v really"]), ("no", Vec::new())] {
        let both = scenario("1.3", "tasks: [ { id: x, SAY } ]", text, "");
        let say = both.split_once("{ id: x, ").and_then(|(_, rest)| rest.rsplit_once(" } ]")).expect("a task").0;
        let flows = format!("{flow} }}{}", listener(labels).replace("SAY", say));
        let flows = flows.trim_end().strip_suffix('}').expect("a flow").to_owned();
        assert_eq!(said(&scenario("1.3", &flows, text, "")), expected, "{labels}");
    }
}

#[test]
fn outputs_of_a_flow_that_cannot_be_worked_out_fail_it_and_no_errors_run() {
    let flow = "tasks: [ { id: r, type: core.debug.Return, format: v } ], errors: [ { id: e, type: core.log.Log } ], \
                outputs: [ { id: o, type: STRING, value: \"{{ outputs.nope.value }}\" } ], afterExecution: [ { id: say, SAY } ]";
    let text = "{{ execution.state }} {{ tasks.r.state }} {{ tasks.e is defined }}";
    assert_eq!(said(&scenario("1.3", flow, text, "")), ["FAILED SUCCESS false"]);
}

#[test]
fn listeners_run_after_the_end_when_their_conditions_hold_and_before_what_comes_after() {
    let status = |state: &str| format!("conditions: [ {{ type: core.condition.ExecutionStatus, in: [ {state} ] }} ]");
    let flow = format!(
        "tasks: [ {{ id: t, type: core.execution.Fail }} ], listeners: [ {{ {}, tasks: [ {{ id: one, SAY }} ] }}, \
         {{ {}, tasks: [ {{ id: two, SAY }}, {{ id: three, SAY }} ] }} ], afterExecution: [ {{ id: after, SAY }} ]",
        status("SUCCESS"),
        status("FAILED")
    );
    let text = "{{ task.id }} {{ execution.state }}";
    assert_eq!(said(&scenario("1.3", &flow, text, "")), ["two FAILED", "three FAILED", "after FAILED"]);
}

#[test]
fn a_loop_ends_by_its_maximum_and_fails_only_when_it_is_to() {
    for (fails, state) in [("false", "SUCCESS"), ("true", "FAILED")] {
        let flow = format!(
            "tasks: [ {{ id: l, type: core.flow.LoopUntil, condition: \"{{{{ false }}}}\", failOnMaxReached: {fails}, \
             checkFrequency: {{ interval: PT1S, maxIterations: 4 }}, tasks: [ {{ id: a, type: core.log.Log }}, {{ id: b, type: core.log.Log }} ] }} ], \
             afterExecution: [ {{ id: say, SAY }} ]"
        );
        let text = "{{ execution.state }} {{ outputs.l.iterationCount }}";
        assert_eq!(said(&scenario("1.3", &flow, text, "")), [format!("{state} 4")]);
    }
}

#[test]
fn plugin_defaults_stand_where_they_are_meant() {
    let flow = "pluginDefaults: [ { type: core.debug, values: { format: usual } }, { type: core.log, forced: true, values: { runIf: false } } ], \
                tasks: [ { id: a, type: core.debug.Return }, { id: b, type: core.debug.Return, format: own }, { id: c, type: core.log.Log }, { id: say, SAY } ]";
    let text = "{{ outputs.a.value }} {{ outputs.b.value }} {{ tasks.c.state }}";
    assert_eq!(said(&scenario("1.3", flow, text, "")), ["usual own SKIPPED"]);
}

#[test]
fn what_a_plugin_puts_out_is_asked_for_where_templates_read_it() {
    let flow = "tasks: [ { id: load, type: a.b.Load }, { id: say, SAY } ]";
    let told = warnings(&scenario("1.3", flow, "{{ outputs.load.rows }}", ""));
    assert!(told.contains("nothing says what the task `load` of company.team.f puts out"), "{told}");
    let given = "behaviour: [ { task: load, outputs: { rows: 3 } } ]";
    let quiet =
        [("{{ outputs.load.rows }}", given), ("{{ outputs.load.rows ?? 0 }}", ""), ("{{ outputs.other.x }}", "")];
    for (text, more) in quiet {
        let told = warnings(&scenario("1.3", flow, text, more));
        assert!(!told.contains("puts out"), "{text}: {told}");
    }
    let told =
        warnings(&scenario("1.3", "tasks: [ { id: say, SAY } ]", "x", "behaviour: [ { task: say, outputs: 3 } ]"));
    assert!(told.contains("`outputs` must be a mapping"), "{told}");
}

#[test]
fn a_template_that_is_not_simulated_is_told_by_name() {
    let flow = "tasks: [ { id: a, type: core.debug.Return, format: \"{{ http('http://x') }}\" }, \
                { id: b, type: core.flow.If, condition: \"{{ http('http://x') }}\", then: [ { id: c, type: core.log.Log } ] } ]";
    let told = warnings(&scenario("1.3", flow, "x", ""));
    assert!(told.contains("function http in a template of the task `a`"), "{told}");
    assert!(told.contains("function http in a template of the task `b`"), "{told}");
}

#[test]
fn a_plan_that_is_written_is_read_back_the_same() {
    let more = "behaviour: [ { task: say, outputs: { a: [ 1, { b: c } ] } } ]\nkv: { company.team: { k: [ 1 ] } }\n\
                environment: { ENV_A: b }\nconfiguration: { kestra: { environment: { name: Test }, variables: { globals: { a: { b: c } } } } }";
    let text = scenario("1.3", "tasks: [ { id: say, SAY } ]", "x", more);
    let plan = read("x.yaml", &text, &NoFiles).0.expect("a plan");
    let written = write(&plan);
    let again = read("y.yaml", &written, &NoFiles);
    assert_eq!(again.0.unwrap_or_else(|| panic!("{}\n{written}", document::render(&again.1))), plan);
}
