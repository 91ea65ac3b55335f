//! Executions of small flows, as the simulation shows them.

use std::sync::Arc;

use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::simulator::{ExecutionSeen, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};

use super::{exposition, families};

/// One thread, so that a job that is not killed keeps all others waiting.
pub const CLUSTER: &str = "name: x\nduration: 30m\ncluster: { standalone: { threads: 1 } }\nflows:\n";

/// Flows, in the syntax of flows on one line each.
pub const SLEEPS: &str = "{ id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT5M }";
pub const LOGS: &str = "{ id: l, type: io.kestra.plugin.core.log.Log, message: hi }";

pub fn flow(id: &str, rest: &str) -> String {
    format!("  - {{ id: {id}, namespace: company.team, {rest} }}\n")
}

/// A run of flows with commands, to `minutes` after its start.
pub fn at(version: &str, flows: &str, commands: &str, minutes: u64) -> Simulation {
    let text = format!("kestra: \"{version}\"\n{CLUSTER}{flows}commands:\n{commands}");
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}\n{text}", document::render(&told)));
    // Which keeps what has ended.
    let mut session = Session::new(Arc::new(plan), Seed(1), Calendar::default()).endless();
    session.advance(Instant::START + Duration::minutes(minutes)).expect("no limit");
    session.simulation().laws().expect("the laws hold");
    session.simulation().clone()
}

pub fn of<'a>(all: &'a [ExecutionSeen], simulation: &Simulation, flow: &str) -> Vec<&'a ExecutionSeen> {
    let plan = simulation.plan();
    all.iter().filter(|it| plan.flows.get(it.flow).is_some_and(|it| it.id == flow)).collect()
}

pub fn history(it: &ExecutionSeen) -> String {
    it.history.iter().map(|(_, state)| state.name()).collect::<Vec<_>>().join(" ")
}

/// The histories of all executions of a flow.
pub fn histories(simulation: &Simulation, flow: &str) -> Vec<String> {
    let all = simulation.executions();
    of(&all, simulation, flow).into_iter().map(history).collect()
}

pub fn tasks(it: &ExecutionSeen) -> String {
    it.task_runs.iter().map(|run| format!("{}={}", run.task, run.state.name())).collect::<Vec<_>>().join(" ")
}

pub fn counted(simulation: &Simulation, start: &str) -> f64 {
    let families = families(&exposition(simulation, 0));
    let lines = families.iter().flat_map(|family| family.series.iter().zip(&family.values));
    lines.filter(|(series, _)| series.starts_with(start)).map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

/// What people are told, line by line.
pub fn told(simulation: &Simulation) -> Vec<String> {
    simulation.journal().iter().map(|it| it.text(simulation.plan())).collect()
}
