//! Laws of alert flows in a whole cluster, over random flows, triggers and executions.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use mock_kestra::document;
use mock_kestra::flow::State;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Instant};
use proptest::prelude::*;
use proptest::sample::select;

const NAMESPACES: &[&str] = &["company.team", "company.teams", "company.prod", "other"];
const STATES: &[&str] = &["RUNNING", "PAUSED", "SUCCESS", "WARNING", "FAILED", "RETRYING", "CANCELLED"];

/// What a flow does.
const TASKS: &[&str] = &[
    "{ id: t, type: io.kestra.plugin.core.log.Log, message: x }",
    "{ id: t, type: io.kestra.plugin.core.execution.Fail }",
    "{ id: t, type: io.kestra.plugin.core.execution.Fail, allowFailure: true }",
    "{ id: t, type: io.kestra.plugin.core.execution.Fail, retry: { type: constant, interval: PT1S, maxAttempts: 2 } }",
    "{ id: t, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT1S }",
    "{ id: t, type: io.kestra.plugin.core.flow.Pause }",
    "{ id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT5S }",
];

/// Whom an alert flow hears: a namespace, whether it is a prefix, states.
type Hears = (&'static str, bool, Vec<&'static str>);

#[derive(Clone, Debug)]
struct World {
    flows: Vec<(&'static str, &'static str)>,
    alerts: Vec<Hears>,
    /// Seconds and flows.
    started: Vec<(u32, usize)>,
}

fn world() -> impl Strategy<Value = World> {
    let flow = (select(NAMESPACES), select(TASKS));
    let alert = (select(&NAMESPACES[..3]), any::<bool>(), prop::sample::subsequence(STATES, 1..4));
    let started = prop::collection::vec((0..240u32, 0..4usize), 1..8);
    (prop::collection::vec(flow, 4), prop::collection::vec(alert, 1..5), started)
        .prop_map(|(flows, alerts, started)| World { flows, alerts, started })
}

impl World {
    /// Runs it, with its flows in one order or the other.
    fn run(&self, turned: bool) -> (Simulation, Vec<String>) {
        let plain =
            self.flows.iter().enumerate().map(|(at, (namespace, task))| {
                format!("  - {{ id: f{at}, namespace: {namespace}, tasks: [ {task} ] }}\n")
            });
        let alerts = self.alerts.iter().enumerate().map(|(at, (namespace, prefix, states))| {
            let condition = "io.kestra.plugin.core.condition.ExecutionNamespace";
            format!(
                "  - id: a{at}\n    namespace: alerts\n    triggers:\n      - id: t\n        type: io.kestra.plugin.core.trigger.Flow\n        \
                 states: [ {} ]\n        conditions: [ {{ type: {condition}, namespace: {namespace}, prefix: {prefix} }} ]\n    \
                 tasks: [ {{ id: tell, type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"http://x\", messageText: \
                 \"a{at} {{{{ trigger.executionId }}}} {{{{ trigger.state }}}}\" }} ]\n",
                states.join(", ")
            )
        });
        let mut flows: Vec<String> = plain.chain(alerts).collect();
        if turned {
            flows.reverse();
        }
        let mut text = format!("name: x\nduration: 10m\ncluster: {{ standalone: 1 }}\nflows:\n{}", flows.concat());
        text += "expect: [ { execution: {} } ]\ncommands:\n";
        for (seconds, flow) in &self.started {
            text += &format!("  - {{ at: {seconds}s, execute: f{flow} }}\n");
        }
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        let plan = Arc::new(plan.unwrap_or_else(|| panic!("{}\n{text}", document::render(&told))));
        let names = plan.flows.iter().map(|flow| flow.id.clone()).collect();
        let mut session = Session::new(plan.clone(), Seed(1), Calendar::default());
        session.advance(Instant::START + plan.duration).expect("no limit");
        (session.simulation().clone(), names)
    }
}

/// How many messages each alert flow sent of each state.
fn told(simulation: &Simulation) -> BTreeMap<(String, String), usize> {
    let mut told = BTreeMap::new();
    for sent in simulation.sent().iter() {
        let body = sent.body();
        let words: Vec<&str> = body.trim_matches(|c: char| "{}\"".contains(c)).split(['"', ' ']).collect();
        let (alert, state) = (words[words.len() - 3].to_owned(), words[words.len() - 1].to_owned());
        *told.entry((alert, state)).or_insert(0) += 1;
    }
    told
}

proptest! {
    #![proptest_config(common::config(48))]

    #[test]
    fn for_all_worlds_there_is_one_message_for_each_transition_that_an_alert_flow_hears(world in world()) {
        let (simulation, names) = world.run(false);
        // Read from the history: which executions came into which states.
        let mut expected = BTreeMap::new();
        for change in simulation.changes().iter() {
            let Some(flow) = names[change.flow as usize].strip_prefix('f') else { continue };
            let (namespace, _) = world.flows[flow.parse::<usize>().expect("a number")];
            for (at, (wanted, prefix, states)) in world.alerts.iter().enumerate() {
                let hears = if *prefix { namespace.starts_with(wanted) } else { namespace == *wanted };
                if hears && states.contains(&change.state.name()) {
                    *expected.entry((format!("a{at}"), change.state.name().to_owned())).or_insert(0) += 1;
                }
            }
        }
        prop_assert_eq!(told(&simulation), expected);
    }

    #[test]
    fn for_all_worlds_the_order_of_flows_does_not_matter(world in world()) {
        let ((one, names), (other, turned)) = (world.run(false), world.run(true));
        let ends = |simulation: &Simulation, names: &[String]| {
            let mut ends: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
            for change in simulation.changes().iter() {
                *ends.entry((names[change.flow as usize].clone(), change.state.name())).or_insert(0) += 1;
            }
            ends
        };
        prop_assert_eq!(ends(&one, &names), ends(&other, &turned));
        prop_assert_eq!(told(&one), told(&other));
    }

    #[test]
    fn for_all_worlds_every_execution_has_ended_or_is_paused(world in world()) {
        let (simulation, _) = world.run(false);
        let mut last: BTreeMap<(u32, u64), State> = BTreeMap::new();
        for change in simulation.changes().iter() {
            last.insert((change.flow, change.number), change.state);
        }
        let waits = last.values().filter(|state| !state.is_terminated()).collect::<Vec<_>>();
        prop_assert!(waits.iter().all(|state| **state == State::Paused), "{waits:?}");
        let truth = simulation.truth();
        prop_assert_eq!((truth.created, truth.live), (last.len() as u64, waits.len() as u64));
    }
}
