//! What a transition of an execution costs where many Flow triggers listen: `cargo bench --bench listeners`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints it")]

use std::hint::black_box;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mock_kestra::execution::trigger::{Listeners, Surroundings, Upstream, Windows};
use mock_kestra::flow::trigger::Dialect;
use mock_kestra::flow::{Flow, State};
use mock_kestra::pebble::{self, Host};
use mock_kestra::scenario::{NoFiles, read};
use serde_json::Map;

/// Alert flows, each with one trigger.
const FLOWS: usize = 1_000;
const ROUNDS: u32 = 20_000;

fn flows(condition: impl Fn(usize) -> String) -> Vec<Flow> {
    let flow = |at: usize| {
        format!(
            "  - {{ id: f{at}, namespace: company.alerts, tasks: [ {{ id: t, type: a.b.C }} ], triggers: [ {{ id: t, type: \
             io.kestra.plugin.core.trigger.Flow, conditions: [ {{ type: io.kestra.plugin.core.condition.{} }} ] }} ] }}\n",
            condition(at)
        )
    };
    let text = format!("name: x\nflows:\n{}", (0..FLOWS).map(flow).collect::<String>());
    read("x.yaml", &text, &NoFiles).0.expect("a plan").flows
}

fn measure(what: &str, flows: &[Flow]) {
    let templates = pebble::Dialect::named("1.3").expect("a dialect");
    let listeners = Listeners::new(flows, Dialect::V1_3, templates, TimeZone::UTC);
    let (base, host) = (Map::new(), Host::at(Timestamp::UNIX_EPOCH));
    let around = Surroundings { base: &base, host: &host };
    let labels = [("team".to_owned(), "t7".to_owned()), ("system.correlationId".to_owned(), "x".to_owned())];
    let inputs = Map::new();
    let upstream = Upstream {
        id: "x",
        namespace: "company.n7",
        flow: "import",
        revision: 1,
        state: State::Failed,
        labels: &labels,
        inputs: &inputs,
        outputs: None,
        variables: None,
        trigger: None,
        task_runs: Some(&[]),
        kind: None,
        start: Timestamp::UNIX_EPOCH,
        end: None,
        original: None,
    };
    let mut windows = Windows::default();
    let begun = Instant::now();
    let mut fired = 0;
    for _ in 0..ROUNDS {
        fired +=
            black_box(listeners.transition(&mut windows, black_box(&upstream), Timestamp::UNIX_EPOCH, &around)).len();
    }
    let each = begun.elapsed() / ROUNDS;
    println!("{what:<40} {each:>12?} a transition, {} start", fired as u32 / ROUNDS);
}

fn main() {
    measure("1,000 by namespace", &flows(|at| format!("ExecutionNamespace, namespace: company.n{at}")));
    measure("1,000 by label", &flows(|at| format!("ExecutionLabels, labels: {{ team: t{at} }}")));
    let or = |at: usize| {
        let package = "io.kestra.plugin.core.condition";
        format!(
            "Or, conditions: [ {{ type: {package}.ExecutionLabels, labels: {{ team: t{at} }} }}, {{ type: \
             {package}.ExecutionNamespace, namespace: company.o{at} }} ]"
        )
    };
    measure("1,000 by label or namespace", &flows(or));
    measure("1,000 by state", &flows(|_| "ExecutionStatus, in: [ WARNING ]".to_owned()));
    measure("1,000 that must be asked", &flows(|_| "Expression, expression: \"{{ flow.id == 'x' }}\"".to_owned()));
}
