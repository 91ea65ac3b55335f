//! Types of tasks of Kestra's own that do something to their execution, or wait for one.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::executions::{CLUSTER, LOGS, SLEEPS, at, counted, flow, histories, history, of, tasks, told};
use mock_kestra::document;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::time::Instant;

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

const FAILS: &str = "{ id: x, type: io.kestra.plugin.core.execution.Fail, condition: \"{{ item.value == '2' }}\" }";

/// A Loop in a flow of its own.
fn looping(values: &str, more: &str, tasks: &str, behind: &str) -> String {
    let each = format!("id: each, type: io.kestra.plugin.core.flow.Loop, values: {values}{more}");
    flow("loop", &format!("tasks: [ {{ {each}, tasks: [ {tasks} ] }}{behind} ]"))
}

const ONCE: &str = "  - { at: 1m, execute: loop }\n";

#[test]
fn each_value_of_a_loop_has_an_execution_and_is_counted_as_recorded() {
    // captures/2.0/flows/loop.yaml and standalone/activity.
    let simulation = at("2.0", &looping("[ 1, 2, 3 ]", ", concurrencyLimit: 2", LOGS, ""), ONCE, 5);
    let mut all = histories(&simulation, "loop");
    all.sort();
    assert_eq!(all, ["CREATED RUNNING SUCCESS"; 4]);
    let shown = simulation.executions();
    let mut of_tasks: Vec<String> = shown.iter().map(tasks).collect();
    of_tasks.sort();
    assert_eq!(of_tasks, ["each=SUCCESS", "l=SUCCESS", "l=SUCCESS", "l=SUCCESS"]);
    assert_eq!(shown.iter().filter(|it| it.started_by.as_ref() == Some(&shown[0].id)).count(), 3);
    for (name, count) in [
        ("executor_execution_end_count", 4.0),
        ("executor_execution_started_count", 3.0),
        ("executor_execution_duration_seconds_count", 4.0),
        ("executor_taskrun_ended_count", 4.0),
        ("executor_taskrun_created_count", 4.0),
        ("worker_started_count", 3.0),
    ] {
        let name = name.strip_suffix("_seconds_count").map_or(format!("{name}_total"), |_| name.to_owned());
        assert_eq!(counted(&simulation, &format!("kestra_{name}{{flow_id=\"loop\"")), count, "{name}");
    }
}

#[test]
fn a_loop_ends_at_once_with_what_fails_of_it_unless_that_is_not_transmitted() {
    for (more, state, executions) in [
        (", concurrencyLimit: 1", "FAILED", 3),
        ("", "FAILED", 4),
        (", concurrencyLimit: 1, transmitFailed: false", "SUCCESS", 4),
        (", concurrencyLimit: 1, allowFailure: true", "WARNING", 3),
    ] {
        let tasks = format!("{FAILS}, {LOGS}");
        let simulation = at("2.0", &looping("[ 1, 2, 3 ]", more, &tasks, ""), ONCE, 5);
        let all = simulation.executions();
        assert_eq!(all.len(), executions, "{more}: {all:?}");
        assert_eq!(all[0].state.name(), state, "{more}: {all:?}");
        assert_eq!(all.iter().filter(|it| it.state.name() == "FAILED").count(), 1 + usize::from(state == "FAILED"));
    }
    // None, one, and what is no list.
    for (values, state, executions) in [("[]", "SUCCESS", 1), ("[ 7, 7 ]", "SUCCESS", 2), ("\"seven\"", "FAILED", 1)] {
        let simulation = at("2.0", &looping(values, "", LOGS, ""), ONCE, 5);
        let all = simulation.executions();
        assert_eq!((all[0].state.name(), all.len()), (state, executions), "{values}: {all:?}");
    }
}

#[test]
fn a_loop_begins_no_further_value_when_its_break_when_holds_of_one_that_ended() {
    let returns = "{ id: r, type: io.kestra.plugin.core.debug.Return, format: \"{{ item.value }}!\" }";
    let out = ", outputs: [ { id: out, type: STRING, value: \"{{ outputs.r.value }}\" } ]";
    let one = ", concurrencyLimit: 1";
    let fails = &format!("{returns}, {{ id: x, type: io.kestra.plugin.core.execution.Fail }}");
    let of = |more: &str, when: &str, tasks: &str| {
        let looping = looping("[ a, b, c, d ]", &format!("{more}{out}, breakWhen: \"{when}\""), tasks, "");
        let simulation = at("2.0", &looping, ONCE, 5);
        let all = simulation.executions();
        (all[0].state.name(), all.len() - 1, told(&simulation))
    };
    // How it ends, and how many of the four values have begun.
    for (more, when, tasks, state, begun) in [
        (one, "{{ item.value == 'b' }}", returns, "SUCCESS", 2),
        (one, "{{ item.index == 2 and iteration.state == 'SUCCESS' }}", returns, "SUCCESS", 3),
        (one, "{{ iteration.outputs.out == 'a!' }}", returns, "SUCCESS", 1),
        (one, "{{ false }}", returns, "SUCCESS", 4),
        (one, "{{ outputs.each.iterationCount - 4 }}", returns, "SUCCESS", 4),
        (", concurrencyLimit: 2", "{{ item.value == 'a' }}", returns, "SUCCESS", 2),
        // All have begun at once: it is never asked for, not even what cannot be worked out.
        ("", "{{ nothing.at.all }}", returns, "SUCCESS", 4),
        (one, "{{ nothing.at.all }}", returns, "FAILED", 1),
        // What fails ends it before that, unless it is not transmitted: then it may break it off, and fails it after all.
        (one, "{{ false }}", fails, "FAILED", 1),
        (", concurrencyLimit: 1, transmitFailed: false", "{{ iteration.state == 'FAILED' }}", fails, "FAILED", 1),
        (
            ", concurrencyLimit: 1, transmitFailed: false, allowFailure: true",
            "{{ item.index == 1 }}",
            fails,
            "WARNING",
            2,
        ),
    ] {
        let (ended, values, told) = of(more, when, tasks);
        assert_eq!((ended, values), (state, begun), "{more} {when}: {told:?}");
    }
    // Those that never began are told of by those behind it as SKIPPED.
    let behind = asserts(
        "z",
        &[
            "outputs.each.terminatedIterations.SUCCESS == 2",
            "outputs.each.terminatedIterations.SKIPPED == 2",
            "outputs.each.outputs | length == 2",
        ],
    );
    let each = format!(
        "{{ id: each, type: io.kestra.plugin.core.flow.Loop, values: [ a, b, c, d ]{one}{out}, \
         breakWhen: \"{{{{ item.value == 'b' }}}}\", tasks: [ {returns} ] }}"
    );
    let simulation = at("2.0", &flow("loop", &format!("tasks: [ {each}, {behind} ]")), ONCE, 5);
    assert_eq!(histories(&simulation, "loop").len(), 3);
    assert_eq!(simulation.executions()[0].state.name(), "SUCCESS", "{:?}", told(&simulation));
}

/// A task that fails unless all this holds.
fn asserts(id: &str, conditions: &[&str]) -> String {
    let conditions: Vec<String> = conditions.iter().map(|it| format!("\"{{{{ {it} }}}}\"")).collect();
    format!("{{ id: {id}, type: io.kestra.plugin.core.execution.Assert, conditions: [ {} ] }}", conditions.join(", "))
}

#[test]
fn the_templates_of_a_loop_see_its_item_and_those_behind_it_what_it_put_out() {
    let returns = "{ id: r, type: io.kestra.plugin.core.debug.Return, format: \"{{ item.value }}!\" }";
    let inner = asserts(
        "i",
        &[
            "item.value == 'x' or item.value == 'y'",
            "item.parent.key == 'k'",
            "item.parents[0].value == '5'",
            "outputs.before.value == 'b'",
            "inputs.day == 'monday'",
        ],
    );
    let inner = format!("{{ id: in, type: io.kestra.plugin.core.flow.Loop, values: [ x, y ], tasks: [ {inner} ] }}");
    let own = asserts("o", &["item.key == 'k'", "item.index == 0", "item.value == '5'", "item.parent is not defined"]);
    let behind = asserts(
        "z",
        &[
            "outputs.each.iterationCount == 1",
            "outputs.each.runningIterations == 0",
            "outputs.each.terminatedIterations.SUCCESS == 1",
            "outputs.each.outputs[0].item.key == 'k'",
            "outputs.each.outputs[0].outputs.out == '5!'",
            "outputs.r is not defined",
        ],
    );
    let each = format!(
        "{{ id: each, type: io.kestra.plugin.core.flow.Loop, values: {{ k: 5 }}, outputs: [ {{ id: out, type: STRING, \
         value: \"{{{{ outputs.r.value }}}}\" }} ], tasks: [ {own}, {returns}, {inner} ] }}"
    );
    let before = "{ id: before, type: io.kestra.plugin.core.debug.Return, format: b }";
    let flows =
        flow("loop", &format!("inputs: [ {{ id: day, type: STRING }} ], tasks: [ {before}, {each}, {behind} ]"));
    let simulation = at("2.0", &flows, "  - { at: 1m, execute: loop, inputs: { day: monday } }\n", 5);
    let all = simulation.executions();
    let told = told(&simulation);
    assert!(all.iter().all(|it| it.state.name() == "SUCCESS"), "{told:?} {all:?}");
    assert_eq!(all.len(), 4, "{all:?}");
    // It had begun before: what it starts goes on from there, and is not counted as started.
    assert_eq!(counted(&simulation, "kestra_executor_execution_started_count_total{flow_id=\"loop\""), 1.0);
}

#[test]
fn no_flow_trigger_hears_of_a_value_of_a_loop_and_a_kill_goes_on_to_all() {
    let listens = "triggers: [ { id: t, type: io.kestra.plugin.core.trigger.Flow, states: [ SUCCESS ] } ]";
    let alert = flow("alert", &format!("{listens}, tasks: [ {LOGS} ]"));
    let simulation = at("2.0", &(looping("[ 1, 2 ]", "", LOGS, "") + &alert), ONCE, 5);
    assert_eq!(histories(&simulation, "alert").len(), 1);
    let kill = format!("{ONCE}  - {{ at: 2m, kill: loop, which: first }}\n");
    let flows = looping("[ 1, 2, 3 ]", ", concurrencyLimit: 2", SLEEPS, &format!(", {LOGS}"));
    let simulation = at("2.0", &flows, &kill, 5);
    let states: Vec<_> = simulation.executions().iter().map(|it| it.state.name()).collect();
    assert_eq!(states, ["KILLED"; 3], "the third value never begins");
}

#[test]
fn the_first_values_of_a_loop_ask_for_a_place_of_the_limit_of_its_flow() {
    // Source: an execution that is CREATED does, of whatever kind it is; so this one waits for itself.
    let limit = "concurrency: { limit: 1, behavior: QUEUE }";
    let each = format!("id: each, type: io.kestra.plugin.core.flow.Loop, values: [ 1, 2 ], tasks: [ {LOGS} ]");
    let flows = flow("loop", &format!("{limit}, tasks: [ {{ {each} }} ]"));
    assert_eq!(
        histories(&at("2.0", &flows, ONCE, 20), "loop"),
        ["CREATED RUNNING", "CREATED QUEUED", "CREATED QUEUED"]
    );
    let flows = flow("loop", &format!("{limit}, tasks: [ {{ id: first, type: a.B }}, {{ {each} }} ]"));
    assert_eq!(histories(&at("2.0", &flows, ONCE, 20), "loop"), ["CREATED RUNNING SUCCESS"; 3]);
}

#[test]
fn how_often_a_loop_until_looks_may_be_a_template() {
    for (frequency, state, runs) in [
        ("interval: \"{{ vars.pause }}\", maxIterations: \"{{ vars.most }}\"", "SUCCESS", 4),
        ("interval: \"{{ vars.pause }}\", maxDuration: \"{{ vars.pause }}\"", "SUCCESS", 3),
        ("interval: PT1M, maxIterations: \"{{ vars.pause }}\"", "FAILED", 2),
    ] {
        let until = format!(
            "{{ id: u, type: io.kestra.plugin.core.flow.LoopUntil, condition: \"{{{{ false }}}}\", \
             checkFrequency: {{ {frequency} }}, tasks: [ {LOGS} ] }}"
        );
        let flows = flow("f", &format!("variables: {{ pause: PT2M, most: 3 }}, tasks: [ {until} ]"));
        let simulation = at("1.3", &flows, "  - { at: 1m, execute: f }\n", 20);
        let all = simulation.executions();
        assert_eq!((all[0].state.name(), all[0].task_runs.len()), (state, runs), "{frequency}: {all:?}");
    }
}

/// A WorkingDirectory with these tasks, and more.
fn directory(tasks: &str, more: &str) -> String {
    flow(
        "d",
        &format!("tasks: [ {{ id: d, type: io.kestra.plugin.core.flow.WorkingDirectory, tasks: [ {tasks} ]{more} }} ]"),
    )
}

/// A task that takes a minute.
fn sleep(id: &str, more: &str) -> String {
    format!("{{ id: {id}, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M{more} }}")
}

const FAIL: &str = "type: io.kestra.plugin.core.execution.Fail";

#[test]
fn one_thread_does_the_tasks_of_a_working_directory_before_it_does_anything_else() {
    let three = ["a", "b", "c"].map(|id| sleep(id, "")).join(", ");
    let commands = "  - { at: 1m, execute: d }\n  - { at: 90s, execute: o }\n";
    for version in ["0.20", "1.3", "2.0"] {
        let other = flow("o", &format!("tasks: [ {LOGS} ]"));
        let end = |flows: &str, name: &str| {
            let simulation = at(version, &format!("{flows}{other}"), commands, 8);
            let all = simulation.executions();
            let it = of(&all, &simulation, name)[0];
            assert!(history(it).ends_with("RUNNING SUCCESS"), "{version}: {}", history(it));
            it.history.last().unwrap().0.since(Instant::START).as_milliseconds()
        };
        let held = directory(&three, "");
        // The tasks follow one another without a queue between them.
        assert!((240_000..241_000).contains(&end(&held, "d")), "{version}: {}", end(&held, "d"));
        assert!(end(&held, "o") > 240_000, "{version}: {}", end(&held, "o"));
        let spread = held.replace("WorkingDirectory", "Sequential");
        assert!((120_000..180_000).contains(&end(&spread, "o")), "another one gets the thread in between");
    }
}

#[test]
fn a_working_directory_is_one_job_of_its_executor_and_each_of_its_tasks_one_of_its_worker() {
    let of_three = [sleep("a", ""), sleep("b", ", runIf: \"{{ false }}\""), sleep("c", "")].join(", ");
    for version in ["0.20", "1.3", "2.0"] {
        let simulation = at(version, &directory(&of_three, ""), "  - { at: 1m, execute: d }\n", 5);
        assert_eq!(tasks(&simulation.executions()[0]), "d=SUCCESS a=SUCCESS b=SKIPPED c=SUCCESS", "{version}");
        // The directory ends in its worker, where it never began (source).
        for (meter, count) in [("worker_started", 2.0), ("worker_ended", 3.0), ("worker_running", 0.0)] {
            assert_eq!(counted(&simulation, &format!("kestra_{meter}_count")), count, "{version}: {meter}");
        }
        if version != "0.20" {
            assert_eq!(counted(&simulation, "kestra_executor_taskrun_created_count"), 1.0, "{version}");
        }
        assert_eq!(counted(&simulation, "kestra_executor_taskrun_ended_count"), 3.0, "{version}");
    }
}

#[test]
fn a_working_directory_ends_with_the_first_of_its_tasks_that_fails_unless_that_is_allowed() {
    for (more, end, expected) in [
        ("", "FAILED", "d=FAILED a=SUCCESS x=FAILED l=SUCCESS"),
        (", allowFailure: true", "WARNING", "d=WARNING a=SUCCESS x=WARNING c=SUCCESS"),
        (
            ", timeout: PT1S, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M",
            "FAILED",
            "d=FAILED a=SUCCESS x=FAILED l=SUCCESS",
        ),
    ] {
        let kind = if more.contains("type") { String::new() } else { format!(", {FAIL}") };
        let three = format!("{}, {{ id: x{kind}{more} }}, {}", sleep("a", ""), sleep("c", ""));
        let simulation =
            at("1.3", &directory(&three, &format!(", errors: [ {LOGS} ]")), "  - { at: 1m, execute: d }\n", 6);
        assert_eq!(histories(&simulation, "d"), [format!("CREATED RUNNING {end}")], "{more}");
        assert_eq!(tasks(&simulation.executions()[0]), expected, "{more}");
    }
    // Killed, it gives its thread back, and what it has not come to never is.
    let two = [sleep("a", ""), sleep("b", "")].join(", ");
    let flows = directory(&two, "") + &flow("o", &format!("tasks: [ {LOGS} ]"));
    let commands = "  - { at: 1m, execute: d }\n  - { at: 90s, kill: d }\n  - { at: 95s, execute: o }\n";
    let simulation = at("1.3", &flows, commands, 2);
    let all = simulation.executions();
    assert_eq!(tasks(of(&all, &simulation, "d")[0]), "d=KILLED a=KILLED");
    assert_eq!(histories(&simulation, "o"), ["CREATED RUNNING SUCCESS"]);
}

#[test]
fn what_follows_another_attempt_in_a_working_directory_is_named_as_not_simulated() {
    let retry = ", retry: { type: constant, interval: PT1S, maxAttempts: 2 }";
    for (first, second, more, named) in
        [("", "", "", false), (retry, "", "", true), ("", retry, "", false), ("", "", retry, true)]
    {
        let flows = directory(&format!("{}, {}", sleep("a", first), sleep("b", second)), more);
        let (_, told) = read("x.yaml", &format!("{CLUSTER}{flows}"), &NoFiles);
        let told = document::render(&told);
        assert_eq!(told.contains("what follows the `retry` of the task `a`"), named, "{first}{second}{more}: {told}");
        assert!(!told.contains("`b`"), "{told}");
    }
}

#[test]
fn a_templated_task_is_what_its_spec_comes_to() {
    let task =
        |spec: &str| format!("{{ id: t, type: io.kestra.plugin.core.templating.TemplatedTask, spec: \"{spec}\" }}");
    let run = |version: &str, spec: &str| {
        let asserts = asserts("e", &["outputs.t.value == 'company.team.x'"]);
        let flows =
            flow("f", &format!("variables: {{ name: x, kind: debug.Return }}, tasks: [ {}, {asserts} ]", task(spec)));
        at(version, &flows, "  - { at: 1m, execute: f }\n", 3)
    };
    let returns = "{ type: 'io.kestra.plugin.core.{{ vars.kind }}', format: '{{ flow.namespace }}.{{ vars.name }}' }";
    for version in ["0.20", "1.3", "2.0"] {
        let simulation = run(version, returns);
        assert_eq!(tasks(&simulation.executions()[0]), "t=SUCCESS e=SUCCESS", "{version}: {:?}", told(&simulation));
    }
    for (spec, words) in [
        ("{{ vars.none }}", "none"),
        ("a: [", "its `spec` is no YAML"),
        ("just words", "its `spec` is no task"),
        ("{ message: hi }", "its `spec` has no `type`"),
        ("{ type: io.kestra.plugin.core.flow.Parallel }", "The templated task must be a runnable task"),
        (
            "{ type: io.kestra.core.tasks.templating.TemplatedTask, spec: x }",
            "The templated task cannot be of type 'io.kestra.plugin.core.templating.TemplatedTask'",
        ),
    ] {
        let simulation = run("1.3", spec);
        assert_eq!(tasks(&simulation.executions()[0]), "t=FAILED", "{spec}");
        let said = told(&simulation).join("\n");
        assert!(said.contains(words), "{spec}: {said}");
    }
    // It sends what such a task sends.
    let simulation =
        run("1.3", "{ type: io.kestra.plugin.slack.SlackIncomingWebhook, url: 'http://h/s', payload: '{}' }");
    assert_eq!(simulation.sent().since(0).count(), 1);
    // What is looked for in flows is named where it is not found there.
    let simulation = run("1.3", "{ type: io.kestra.plugin.core.execution.Kill }");
    let sent: Vec<String> = simulation.sent().since(0).map(|it| format!("{:?}", it.delivery)).collect();
    assert!(sent.concat().contains("a TemplatedTask that comes to Kill"), "{sent:?}");
}

#[test]
fn the_tasks_of_a_working_directory_outlive_their_worker() {
    use std::sync::Arc;

    use mock_kestra::random::Seed;
    use mock_kestra::run::Session;
    use mock_kestra::time::{Calendar, Duration};

    let three = ["a", "b", "c"].map(|id| sleep(id, "")).join(", ");
    for version in ["0.20", "1.3", "2.0"] {
        for seed in 0..20 {
            let text = format!(
                "name: x\nkestra: \"{version}\"\nduration: 30m\n\
                 cluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: {{ count: 2, threads: 1 }} }} }}\nflows:\n{}\
                 commands:\n  - {{ at: 1m, execute: d }}\ntimeline:\n  - {{ at: {}s, kill: worker-{}, for: 10m }}\n",
                directory(&three, ""),
                65 + seed * 8,
                1 + seed % 2,
            );
            let (plan, told) = read("x.yaml", &text, &NoFiles);
            let plan = plan.unwrap_or_else(|| panic!("{}\n{text}", document::render(&told)));
            let mut session = Session::new(Arc::new(plan), Seed(seed), Calendar::default()).endless();
            for minute in 1..=25 {
                session.advance(Instant::START + Duration::minutes(minute)).expect("no limit");
                session.simulation().laws().unwrap_or_else(|why| panic!("{version} {seed} {minute}: {why}"));
            }
            let all = session.simulation().executions();
            assert_eq!(tasks(&all[0]), "d=SUCCESS a=SUCCESS b=SUCCESS c=SUCCESS", "{version} {seed}");
        }
    }
}
