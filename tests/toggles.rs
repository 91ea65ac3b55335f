//! Toggle: a task that switches a trigger of a flow on and off.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::executions::{LOGS, at, flow, histories, history, of};
use mock_kestra::time::Instant;

const HOURLY: &str = "triggers: [ { id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: \"*/10 * * * *\" } ]";

fn toggle(id: &str, rest: &str) -> String {
    flow(id, &format!("tasks: [ {{ id: x, type: io.kestra.plugin.core.trigger.Toggle, {rest} }} ]"))
}

/// The whole minutes at which executions of `due` began.
fn minutes(version: &str, flows: &str, commands: &str) -> Vec<u64> {
    let simulation = at(version, flows, commands, 60);
    let all = simulation.executions();
    let created = |at: Instant| at.since(Instant::START).as_milliseconds() / 60_000;
    of(&all, &simulation, "due").iter().map(|it| created(it.created)).collect()
}

#[test]
fn a_trigger_that_is_switched_off_fires_no_more_and_one_that_is_switched_on_makes_up_for_it() {
    let flows = flow("due", &format!("{HOURLY}, tasks: [ {LOGS} ]"))
        + &toggle("stop", "flowId: due, trigger: t, enabled: false")
        + &toggle("go", "namespace: company.team, flowId: \"{{ 'due' }}\", trigger: t, enabled: true");
    for version in ["0.20", "1.3", "2.0"] {
        assert_eq!(minutes(version, &flows, "  - { at: 1m, execute: go }\n"), [0, 10, 20, 30, 40, 50], "{version}");
        let off = "  - { at: 15m, execute: stop }\n";
        assert_eq!(minutes(version, &flows, off), [0, 10], "{version}");
        let on = format!("{off}  - {{ at: 45m, execute: go }}\n");
        assert_eq!(minutes(version, &flows, &on), [0, 10, 45, 45, 45, 50], "{version}");
    }
}

#[test]
fn a_toggle_without_a_flow_means_its_own_and_one_that_finds_no_trigger_fails() {
    let own = flow(
        "due",
        &format!("{HOURLY}, tasks: [ {{ id: x, type: io.kestra.plugin.core.trigger.Toggle, trigger: t }} ]"),
    );
    // The first execution switches its own trigger off.
    assert_eq!(minutes("1.3", &own, "  - { at: 59m, execute: due }\n"), [0, 59]);
    let flows = flow("due", &format!("{HOURLY}, tasks: [ {LOGS} ]"))
        + &toggle("one", "flowId: none, trigger: t")
        + &toggle("two", "flowId: due, trigger: other");
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: one }\n  - { at: 2m, execute: two }\n", 5);
    for flow in ["one", "two"] {
        assert_eq!(histories(&simulation, flow), ["CREATED RUNNING FAILED"], "{flow}");
    }
    assert!(simulation.executions().iter().all(|it| history(it) != "CREATED"));
}
