use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::random::Seed;
use crate::scenario::{NoFiles, Plan, read};
use crate::simulator::Command;
use crate::time::Calendar;

const KILLED: &str = "{ at: 2m, kill: worker-1, for: 10m }";

fn simulation(version: &str, timeline: &str) -> Simulation {
    let text = format!(
        "name: x\nkestra: '{version}'\nduration: 20m\ncluster: {{ members: {{ executor: 1, worker: 2, scheduler: 1, webserver: 1, \
         indexer: 1 }} }}\nflows: [ {{ id: sleep, namespace: company.team, tasks: [ {{ id: s, type: \
         io.kestra.plugin.core.flow.Sleep, duration: PT20S }} ] }} ]\narrivals: [ {{ flow: sleep, rate: 6/m }} ]\n\
         timeline: [ {timeline} ]\n"
    );
    let plan: Plan = read("x.yaml", &text, &NoFiles).plan.expect("a plan");
    let mut simulation = Simulation::new(Arc::new(plan), Seed(1), Calendar::default());
    simulation.keep_lines();
    simulation
}
