//! Each way to write an alert flow that Kestra accepts without a word and that never alerts is told by `check`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use mock_kestra::document::{self, Severity};
use mock_kestra::scenario::{NoFiles, read};

/// A flow that runs and fails now and then, and one that watches it.
fn scenario(version: &str, of_flow: &str, trigger: &str) -> String {
    format!(
        "name: x\nkestra: \"{version}\"\ncluster: {{ standalone: 1 }}\nflows:\n\
         \x20 - {{ id: etl, namespace: company.team, triggers: [ {{ id: h, type: io.kestra.plugin.core.trigger.Webhook, key: k }} ], \
         tasks: [ {{ id: t, type: a.B }} ] }}\n\
         \x20 - {{ id: cleanup, namespace: company.system, triggers: [ {{ id: h, type: io.kestra.plugin.core.trigger.Webhook, key: k }} ], \
         tasks: [ {{ id: t, type: a.B }} ] }}\n\
         \x20 - {{ id: watch, namespace: company.alerts, {of_flow}triggers: [ {{ id: t, type: io.kestra.plugin.core.trigger.Flow, {trigger} }} ], \
         tasks: [ {{ id: t, type: io.kestra.plugin.core.log.Log, message: x }} ] }}\n\
         behaviour: [ {{ flow: company.team.etl, fails: 10% }} ]\n\
         arrivals: [ {{ flow: etl, rate: 1/min, over: webhook }}, {{ flow: cleanup, rate: 1/min, over: webhook }} ]\n"
    )
}

/// What is told of the flow that watches.
fn told(version: &str, of_flow: &str, trigger: &str) -> Vec<(Severity, String)> {
    let text = scenario(version, of_flow, trigger);
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    assert!(plan.is_some(), "{}", document::render(&told));
    told.into_iter()
        .map(|it| (it.severity, it.what))
        .filter(|(_, what)| what.contains("company.alerts.watch"))
        .collect()
}

#[test]
fn each_trap_is_told() {
    let condition = |name: &str, more: &str| format!("{{ type: io.kestra.plugin.core.condition.{name}{more} }}");
    let all = |list: &[String]| format!("conditions: [ {} ]", list.join(", "));
    let one = |name: &str, more: &str| all(&[condition(name, more)]);
    let disjoint = all(&[
        condition("ExecutionNamespace", ", namespace: company.team"),
        condition("ExecutionFlow", ", namespace: company.system, flowId: cleanup"),
    ]);
    let window = "preconditions: { id: p, timeWindow: { type: DURATION_WINDOW, window: PT6H, windowAdvance: PT1H }, \
                  flows: [ { namespace: company.team, flowId: etl } ] }";
    for (version, of_flow, trigger, words) in [
        // 1: conditions of which all must hold and that exclude each other.
        ("1.3", "", disjoint, "can never fire: no execution here meets both conditions[0]"),
        // 2: states at which it does not wake.
        ("1.3", "", one("ExecutionStatus", ", in: [ RUNNING ]"), "it asks for [RUNNING]"),
        ("1.3", "", one("ExecutionStatus", ", in: [ QUEUED ]"), "it asks for [QUEUED]"),
        ("1.3", "", one("ExecutionStatus", ", in: [ CREATED ]"), "it asks for [CREATED]"),
        ("1.3", "", "states: [ CREATED ]".to_owned(), "no execution here comes into CREATED"),
        // 3: a state that is misspelt.
        ("1.3", "", one("ExecutionStatus", ", in: [ FAILLED ]"), "`FAILLED` is no state"),
        // 4: what asks for the flow that has the trigger.
        (
            "1.3",
            "",
            one("FlowCondition", ", namespace: company.team, flowId: etl"),
            "it asks for the flow that has the trigger",
        ),
        (
            "0.20",
            "",
            one("FlowNamespaceCondition", ", namespace: company.team"),
            "it asks for the flow that has the trigger",
        ),
        // 5: dates of who was not started by a Schedule.
        ("1.3", "", one("Weekend", ""), "executions have no `trigger.date`"),
        ("0.20", "", one("DayWeek", ", dayOfWeek: MONDAY"), "executions have no `trigger.date`"),
        // 6: attempts.
        ("1.3", "", one("HasRetryAttempt", ", in: [ FAILED ]"), "since 0.23 it compares texts with states"),
        // 7: what is switched off, and what waits for itself.
        ("1.3", "disabled: true, ", "states: [ FAILED ]".to_owned(), "never fires: its flow is disabled"),
        ("2.0", "", "states: [ FAILED ], disabled: true".to_owned(), "never fires: it is disabled"),
        ("1.3", "", one("ExecutionFlow", ", namespace: company.alerts, flowId: watch"), "a flow does not start itself"),
        // 8: a window that begins later than what opens it.
        ("1.3", "", window.to_owned(), "its window begins later than what opens it"),
    ] {
        let told = told(version, of_flow, &trigger);
        assert!(told.iter().any(|(_, what)| what.contains(words)), "{version} {trigger}: {told:?}");
    }
    // What works is told of in no word.
    let sound = all(&[
        condition("ExecutionStatus", ", in: [ FAILED ]"),
        condition("ExecutionNamespace", ", namespace: company, prefix: true"),
    ]);
    assert_eq!(told("1.3", "", &sound), []);
    let misspelt = told("0.20", "", &one("HasRetryAttempt", ", in: [ FAILED ]"));
    assert!(misspelt.iter().all(|(_, what)| !what.contains("compares texts")), "{misspelt:?}");
}
