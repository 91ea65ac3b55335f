//! The cases of Kestra's own tests of executions, written anew (section 7 of the facts about its alerting: 7.3 and 7.4): how
//! executions end, how often tasks are tried, and what they start. Conditions and windows are rows of tests/conditions.rs
//! and tests/flow_triggers.rs.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::sync::Arc;

use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};

const LOG: &str = "type: io.kestra.plugin.core.log.Log, message: x";
const FAIL: &str = "type: io.kestra.plugin.core.execution.Fail";
const FLOW: &str = "io.kestra.plugin.core.flow";

/// Runs flows for half an hour; the first of them is started at 1m.
fn run(flows: &str, more: &str) -> (Simulation, Vec<String>) {
    let text = format!(
        "name: x\nduration: 30m\ncluster: {{ standalone: 1 }}\nflows:\n{flows}\nexpect: [ {{ execution: {{}} }} ]\n{more}\n"
    );
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    let plan = Arc::new(plan.unwrap_or_else(|| panic!("{}", document::render(&told))));
    let names = plan.flows.iter().map(|flow| flow.id.clone()).collect();
    let mut session = Session::new(plan.clone(), Seed(1), Calendar::default());
    session.advance(Instant::START + Duration::minutes(30)).expect("no limit");
    (session.simulation().clone(), names)
}

/// By flow: the states that its executions ended in, in their order; and the task runs that workers were given in all.
fn ends(flows: &str, more: &str) -> (BTreeMap<String, Vec<&'static str>>, u64) {
    let (simulation, names) = run(flows, more);
    let mut ends: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for change in simulation.changes().iter().filter(|change| change.state.is_terminated()) {
        ends.entry(names[change.flow as usize].clone()).or_default().push(change.state.name());
    }
    (ends, simulation.truth().attempts)
}

/// A case: its name, the keys of the flow beside `id` and `namespace`, how its executions end, and how many attempts of
/// task runs there are.
type Case<'a> = (&'a str, String, &'a [&'a str], u64);

fn cases() -> Vec<Case<'static>> {
    let retry = |more: &str| format!("retry: {{ type: constant, interval: PT1S, maxAttempts: {more} }}");
    let tasks = |list: &str| format!("    tasks: [ {list} ]");
    let errors = "\n    errors: [ { id: e1, type: io.kestra.plugin.core.log.Log, message: x }, { id: e2, type: io.kestra.plugin.core.log.Log, message: x } ]";
    let finally = "\n    finally: [ { id: a1, type: io.kestra.plugin.core.log.Log, message: x }, { id: a2, type: io.kestra.plugin.core.log.Log, message: x } ]";
    let after = "\n    afterExecution: [ { id: z, type: io.kestra.plugin.core.log.Log, message: x } ]";
    let off = "\n    errors: [ { id: e1, disabled: true, type: io.kestra.plugin.core.log.Log, message: x }, { id: e2, type: io.kestra.plugin.core.log.Log, message: x } ]";
    let ko = format!("{{ id: ko, {FAIL} }}");
    let ok = format!("{{ id: ok, {LOG} }}");
    let sequence =
        |id: &str, list: &str, more: &str| format!("{{ id: {id}, type: {FLOW}.Sequential, tasks: [ {list} ]{more} }}");
    let allow = |list: &str, more: &str| format!("{{ id: allow, type: {FLOW}.AllowFailure, tasks: [ {list} ]{more} }}");
    let local = format!(", errors: [ {{ id: l, {LOG} }} ]");
    let switch = |value: &str, more: &str| {
        let cases =
            format!("{{ no: [ {{ id: fails, {FAIL} }}, {{ id: after, {LOG} }} ], yes: [ {{ id: runs, {LOG} }} ] }}");
        format!("{{ id: s, type: {FLOW}.Switch, value: {value}, cases: {cases}{more} }}")
    };
    let otherwise = format!(", defaults: [ {{ id: d, {LOG} }}, {{ id: e, {LOG} }} ]");
    vec![
        (
            "a Switch fails in the case that fails",
            tasks(&format!("{}, {ok}", switch("'no'", ""))) + errors,
            &["FAILED"],
            3,
        ),
        ("and not in another one", tasks(&format!("{}, {ok}", switch("'yes'", ""))) + errors, &["SUCCESS"], 2),
        (
            "the case is what its value comes to",
            tasks(&switch("\"{{ flow.id == 'f' ? 'no' : 'yes' }}\"", &local)) + errors,
            &["FAILED"],
            4,
        ),
        ("where there is no case its defaults run", tasks(&switch("other", &otherwise)), &["SUCCESS"], 2),
        ("and it fails where there are none", tasks(&format!("{}, {ok}", switch("other", ""))), &["FAILED"], 0),
        (
            "a failure in a case may be allowed",
            tasks(&format!("{}, {ok}", switch("'no'", ", allowFailure: true"))),
            &["WARNING"],
            2,
        ),
        ("errors: all of them run", tasks(&format!("{ok}, {ko}")) + errors, &["FAILED"], 4),
        ("errors do not run without a failure", tasks(&ok) + errors, &["SUCCESS"], 1),
        ("global errors of a sequence", tasks(&sequence("s", &ko, "")) + errors, &["FAILED"], 3),
        ("local errors of a sequence", tasks(&sequence("s", &ko, &local)), &["FAILED"], 2),
        ("local errors run, and global ones as well", tasks(&sequence("s", &ko, &local)) + errors, &["FAILED"], 4),
        ("an error task that is disabled is skipped", tasks(&ko) + off, &["FAILED"], 2),
        ("finally runs after a success", tasks(&ok) + finally, &["SUCCESS"], 3),
        ("finally runs after errors", tasks(&ko) + errors + finally, &["FAILED"], 5),
        (
            "the first task of errors fails, and finally still runs",
            tasks(&ko) + &format!("\n    errors: [ {{ id: e1, {FAIL} }} ]") + finally,
            &["FAILED"],
            4,
        ),
        (
            "finally of a failure that is allowed",
            tasks(&format!("{{ id: ko, {FAIL}, allowFailure: true }}")) + finally,
            &["WARNING"],
            3,
        ),
        ("afterExecution runs after a success", tasks(&ok) + after, &["SUCCESS"], 2),
        ("afterExecution runs after a failure and its errors", tasks(&ko) + errors + after, &["FAILED"], 4),
        ("afterExecution runs after finally", tasks(&ok) + finally + after, &["SUCCESS"], 4),
        (
            "AllowFailure: a failure is a warning, and the flow goes on",
            tasks(&format!("{}, {ok}", allow(&ko, ""))),
            &["WARNING"],
            2,
        ),
        ("AllowFailure runs its errors, not those of the flow", tasks(&allow(&ko, &local)) + errors, &["WARNING"], 2),
        (
            "AllowFailure: what fails behind it fails the flow",
            tasks(&format!("{}, {{ id: crash, {FAIL} }}", allow(&ko, ""))) + errors,
            &["FAILED"],
            4,
        ),
        (
            "AllowFailure after attempts",
            tasks(&allow(&format!("{{ id: ko, {FAIL}, {} }}", retry("3")), "")),
            &["WARNING"],
            3,
        ),
        (
            "allowFailure of a task that is tried three times",
            tasks(&format!("{{ id: ko, {FAIL}, allowFailure: true, {} }}, {ok}", retry("3"))),
            &["WARNING"],
            4,
        ),
        (
            "allowFailure of a task that holds tasks",
            tasks(&format!("{}, {ok}", sequence("s", &ko, ", allowFailure: true"))),
            &["WARNING"],
            2,
        ),
        (
            "allowWarning makes a success of a warning",
            tasks(&format!("{{ id: ko, {FAIL}, allowFailure: true, allowWarning: true }}")),
            &["SUCCESS"],
            1,
        ),
        (
            "a task that always fails is tried five times, and errors run",
            tasks(&format!("{{ id: ko, {FAIL}, {} }}", retry("5"))) + errors,
            &["FAILED"],
            7,
        ),
        (
            "retry with a new execution: those before are RETRIED",
            tasks(&format!(
                "{{ id: ko, {FAIL}, retry: {{ type: constant, behavior: CREATE_NEW_EXECUTION, interval: PT1S, maxAttempts: 3 }} }}"
            )),
            &["RETRIED", "RETRIED", "FAILED"],
            3,
        ),
        (
            "the same of a flow",
            tasks(&ko)
                + "\n    retry: { type: constant, behavior: CREATE_NEW_EXECUTION, interval: PT1S, maxAttempts: 2 }",
            &["RETRIED", "FAILED"],
            2,
        ),
        (
            "the same of a flow, by how long it takes",
            tasks(&ko)
                + "\n    retry: { type: constant, behavior: CREATE_NEW_EXECUTION, interval: PT4S, maxDuration: PT6S }",
            &["RETRIED", "FAILED"],
            2,
        ),
        (
            "a Pause with a delay goes on",
            tasks(&format!("{{ id: p, type: {FLOW}.Pause, pauseDuration: PT2S }}, {ok}")),
            &["SUCCESS"],
            1,
        ),
        (
            "a Pause whose behavior is FAIL runs errors, finally and afterExecution",
            tasks(&format!("{{ id: p, type: {FLOW}.Pause, pauseDuration: PT2S, behavior: FAIL }}, {ok}"))
                + errors
                + finally
                + after,
            &["FAILED"],
            5,
        ),
        (
            "a Pause whose behavior is WARN",
            tasks(&format!("{{ id: p, type: {FLOW}.Pause, pauseDuration: PT2S, behavior: WARN }}, {ok}")),
            &["WARNING"],
            1,
        ),
        (
            "a Pause whose behavior is CANCEL",
            tasks(&format!("{{ id: p, type: {FLOW}.Pause, pauseDuration: PT2S, behavior: CANCEL }}, {ok}")),
            &["CANCELLED"],
            0,
        ),
        (
            "an execution that fails on a condition that holds",
            tasks(&format!("{{ id: f, {FAIL}, condition: \"{{{{ true }}}}\" }}, {ok}")),
            &["FAILED"],
            1,
        ),
        (
            "and not on one that does not",
            tasks(&format!("{{ id: f, {FAIL}, condition: \"{{{{ false }}}}\" }}, {ok}")),
            &["SUCCESS"],
            2,
        ),
    ]
}

#[test]
fn executions_end_as_in_kestras_own_cases() {
    for (name, keys, expected, attempts) in cases() {
        let flow = format!("  - id: f\n    namespace: company.team\n{keys}\n");
        let (ends, tried) = ends(&flow, "commands: [ { at: 1m, execute: f } ]");
        assert_eq!(ends.get("f").map(Vec::as_slice), Some(expected), "{name}");
        assert_eq!(tried, attempts, "{name}");
    }
}

#[test]
fn a_second_execution_of_a_flow_with_a_limit_is_cancelled_fails_or_waits() {
    for (behaviour, second) in [("CANCEL", "CANCELLED"), ("FAIL", "FAILED"), ("QUEUE", "SUCCESS")] {
        let flow = format!(
            "  - id: f\n    namespace: a.b\n    concurrency: {{ limit: 1, behavior: {behaviour} }}\n    \
             tasks: [ {{ id: s, type: {FLOW}.Sleep, duration: PT5S }} ]\n"
        );
        let (mut ends, _) = ends(&flow, "commands: [ { at: 1m, execute: f }, { at: 1m1s, execute: f } ]");
        let mut states = ends.remove("f").expect("it ran");
        states.sort_unstable();
        let mut expected = ["SUCCESS", second];
        expected.sort_unstable();
        assert_eq!(states, expected, "{behaviour}");
    }
}

#[test]
fn a_success_after_retries_is_a_warning_where_the_retry_says_so() {
    // Three attempts fail; the fourth does not.
    let task = |more: &str| {
        format!(
            "{{ id: t, {FAIL}, condition: \"{{{{ taskrun.attemptsCount < 3 }}}}\", retry: {{ type: constant, interval: \
             PT1S, maxAttempts: 5{more} }} }}, {{ id: ok, {LOG} }}"
        )
    };
    for (more, state) in
        [(", warningOnRetry: true", "WARNING"), (", warningOnRetry: false", "SUCCESS"), ("", "SUCCESS")]
    {
        let flow = format!("  - id: f\n    namespace: a.b\n    tasks: [ {} ]\n", task(more));
        let (ends, tried) = ends(&flow, "commands: [ { at: 1m, execute: f } ]");
        assert_eq!((ends["f"].as_slice(), tried), (&[state][..], 5), "{more}");
    }
}

#[test]
fn a_subflow_ends_as_its_child_unless_that_is_allowed() {
    let flows = |child: &str, more: &str| {
        format!(
            "  - id: child\n    namespace: a.b\n{child}\n  - id: parent\n    namespace: a.b\n    tasks: [ {{ id: s, type: \
             {FLOW}.Subflow, namespace: a.b, flowId: child{more} }}, {{ id: ok, {LOG} }} ]\n"
        )
    };
    let fails = format!("    tasks: [ {{ id: ko, {FAIL} }} ]");
    let warns = format!("    tasks: [ {{ id: ko, {FAIL}, allowFailure: true }} ]");
    let slow = |behavior: &str| {
        format!(
            "    sla: [ {{ id: late, type: MAX_DURATION, duration: PT5S, behavior: {behavior} }} ]\n    \
             tasks: [ {{ id: w, type: {FLOW}.Sleep, duration: PT30S }} ]"
        )
    };
    for (child, more, states) in [
        (&fails, "", ["FAILED", "FAILED"]),
        (&fails, ", allowFailure: true", ["FAILED", "WARNING"]),
        (&fails, ", allowFailure: true, allowWarning: true", ["FAILED", "SUCCESS"]),
        (&fails, ", transmitFailed: false", ["FAILED", "SUCCESS"]),
        (&fails, ", wait: false", ["FAILED", "SUCCESS"]),
        (&warns, "", ["WARNING", "WARNING"]),
        (&slow("FAIL"), "", ["FAILED", "FAILED"]),
        (&slow("NONE"), "", ["SUCCESS", "SUCCESS"]),
    ] {
        let (ends, _) = ends(&flows(child, more), "commands: [ { at: 1m, execute: parent } ]");
        assert_eq!(
            [ends["child"].as_slice(), ends["parent"].as_slice()],
            [&states[..1], &states[1..]],
            "{child}{more}"
        );
    }
}

/// A flow that listens, and says where to.
fn listener(id: &str, trigger: &str) -> String {
    format!(
        "  - id: {id}\n    namespace: company.listeners\n    triggers: [ {{ id: t, type: io.kestra.plugin.core.trigger.Flow, {trigger} }} ]\n    \
         tasks: [ {{ id: l, {LOG} }} ]\n"
    )
}

#[test]
fn listeners_start_as_often_as_in_kestras_own_cases() {
    let condition = |flow: &str| {
        format!(
            "conditions: [ {{ type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team, flowId: {flow} }} ]"
        )
    };
    let pauses = format!(
        "  - id: f\n    namespace: company.team\n    tasks: [ {{ id: p, type: {FLOW}.Pause, pauseDuration: PT2S }}, {{ id: l, {LOG} }} ]\n"
    );
    let limited = format!(
        "  - id: f\n    namespace: company.team\n    concurrency: {{ limit: 1 }}\n    tasks: [ {{ id: s, type: {FLOW}.Sleep, duration: PT5S }} ]\n"
    );
    let plain = format!("  - id: f\n    namespace: company.team\n    tasks: [ {{ id: l, {LOG} }} ]\n");
    let failing = format!("  - id: f\n    namespace: company.team\n    tasks: [ {{ id: l, {FAIL} }} ]\n");
    let of_states = |states: &str| format!("states: [ {states} ], {}", condition("f"));
    let preconditions = |states: &str| {
        format!(
            "states: [ {states} ], preconditions: {{ id: p, flows: [ {{ namespace: company.team, flowId: f, states: [ {states} ] }} ] }}"
        )
    };
    let once = "commands: [ { at: 1m, execute: f } ]";
    let twice = "commands: [ { at: 1m, execute: f }, { at: 1m1s, execute: f } ]";
    for (name, flow, trigger, more, count) in [
        ("a success is heard once", &plain, condition("f"), once, 1),
        ("a failure is heard once", &failing, condition("f"), once, 1),
        ("another flow is not heard", &plain, condition("g"), once, 0),
        ("FAILED is not heard of a success", &plain, of_states("FAILED"), once, 0),
        (
            "with a pause: RUNNING, PAUSED, RUNNING, SUCCESS",
            &pauses,
            of_states("RUNNING, PAUSED, SUCCESS, WARNING, FAILED"),
            once,
            4,
        ),
        (
            "with a limit: RUNNING, SUCCESS; QUEUED, RUNNING, SUCCESS",
            &limited,
            preconditions("QUEUED, RUNNING, SUCCESS"),
            twice,
            5,
        ),
        ("a pause is heard by preconditions of it", &pauses, preconditions("PAUSED"), once, 1),
    ] {
        let (ends, _) = ends(&(flow.clone() + &listener("hears", &trigger)), more);
        assert_eq!(ends.get("hears").map_or(0, Vec::len), count, "{name}: {ends:?}");
    }
}

#[test]
fn a_failure_that_has_errors_and_is_heard_is_told_of_twice() {
    let slack = |id: &str, text: &str| {
        format!(
            "{{ id: {id}, type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"http://x/{id}\", messageText: \"{text}\" }}"
        )
    };
    let hears = format!(
        "  - id: hears\n    namespace: company.alerts\n    triggers: [ {{ id: t, type: io.kestra.plugin.core.trigger.Flow, states: [ FAILED ] }} ]\n    tasks: [ {} ]\n",
        slack("heard", "{{ trigger.flowId }}")
    );
    let sent = |flows: &str, flow: &str| {
        let (simulation, _) =
            run(&(flows.to_owned() + &hears), &format!("commands: [ {{ at: 1m, execute: {flow} }} ]"));
        let mut sent: Vec<String> = simulation.sent().iter().map(|sent| sent.body()).collect();
        sent.sort();
        sent
    };
    let failing = format!(
        "  - id: f\n    namespace: company.team\n    tasks: [ {{ id: l, {FAIL} }} ]\n    errors: [ {} ]\n",
        slack("own", "own {{ flow.id }}")
    );
    assert_eq!(sent(&failing, "f"), [r#"{"text":"f"}"#, r#"{"text":"own f"}"#]);
    // A Subflow that fails fails its parent: two executions, two alerts.
    let child = format!(
        "  - id: child\n    namespace: company.team\n    tasks: [ {{ id: l, {FAIL} }} ]\n  - id: parent\n    namespace: company.team\n    \
         tasks: [ {{ id: s, type: {FLOW}.Subflow, namespace: company.team, flowId: child }} ]\n"
    );
    assert_eq!(sent(&child, "parent"), [r#"{"text":"child"}"#, r#"{"text":"parent"}"#]);
    // An alert that fails itself is the failure that another alert flow hears of.
    let broken = hears.replace("id: hears", "id: broken").replace("trigger.flowId", "error.message");
    let plain = format!("  - id: f\n    namespace: company.team\n    tasks: [ {{ id: l, {FAIL} }} ]\n");
    let told = sent(&(plain + &broken), "f");
    assert!(
        told.contains(&r#"{"text":"f"}"#.to_owned()) && told.contains(&r#"{"text":"broken"}"#.to_owned()),
        "{told:?}"
    );
}

#[test]
fn a_flow_trigger_hears_of_each_execution_that_a_foreachitem_starts() {
    let flow = |id: &str, rest: &str| format!("  - id: {id}\n    namespace: company.team\n{rest}\n");
    let each = format!(
        "    tasks: [ {{ id: each, type: {FLOW}.ForEachItem, items: x, namespace: company.team, flowId: child }} ]\n\
         \x20   triggers: [ {{ id: once, type: io.kestra.plugin.core.trigger.Schedule, cron: \"1 8 * * *\" }} ]"
    );
    let log = format!("    tasks: [ {{ id: l, {LOG} }} ]");
    let listens = "\n    triggers: [ { id: t, type: io.kestra.plugin.core.trigger.Flow, states: [ SUCCESS ], conditions: [ \
                   { type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team, flowId: child } ] } ]";
    let flows = flow("parent", &each) + &flow("child", &log) + &flow("grandchild", &format!("{log}{listens}"));
    for batches in [5, 1, 0] {
        let more = format!("behaviour: [ {{ task: each, outputs: {{ numberOfBatches: {batches} }} }} ]");
        let (ends, _) = ends(&flows, &more);
        let of = |name: &str| ends.get(name).map_or(&[][..], Vec::as_slice);
        assert_eq!(of("parent"), ["SUCCESS"]);
        assert_eq!(of("child"), vec!["SUCCESS"; batches]);
        assert_eq!(of("grandchild"), vec!["SUCCESS"; batches], "one for each of them");
    }
}
