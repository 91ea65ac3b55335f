//! Flow triggers in a ring: each flow wakes the next one whenever it ends well, and none of them ever stops (captures/core:
//! three alert flows in a ring run for ever).

use std::collections::VecDeque;

use super::reach::{Asking, Candidate, Index, Known};
use super::{Standing, item, trigger_dialect};
use crate::document::{Place, Reading};
use crate::flow::trigger::{Dependency, FlowTrigger, UpstreamFlow};
use crate::flow::{Flow, State, TriggerAction};
use crate::scenario::Plan;

/// Rings that are told: with more than a few something else is wrong.
const TOLD: usize = 10;

/// Flows with Flow triggers that are looked at: the pairs of them are.
const MOST: usize = 1_000;

/// A flow that wakes another one, and the place of its trigger in that.
struct Edge {
    to: usize,
    trigger: usize,
}

/// Tells of rings.
pub(super) fn tell(plan: &Plan, standing: &[Standing], index: &Index<'_>, reading: &mut Reading) {
    let listens = |flow: &Flow| {
        let mut triggers = flow.triggers.iter().filter(|trigger| !trigger.disabled);
        !flow.disabled && triggers.any(|trigger| matches!(trigger.action, TriggerAction::Flow(_)))
    };
    let flows: Vec<usize> =
        plan.flows.iter().enumerate().filter(|(_, flow)| listens(flow)).map(|(at, _)| at).take(MOST).collect();
    let mut edges: Vec<Vec<Edge>> = flows.iter().map(|_| Vec::new()).collect();
    for (to, own) in flows.iter().enumerate() {
        let own = &plan.flows[*own];
        let asking = Asking { plan, index, own, dialect: trigger_dialect(plan.kestra) };
        for (trigger, it) in own.triggers.iter().enumerate().filter(|(_, trigger)| !trigger.disabled) {
            let TriggerAction::Flow(rule) = &it.action else { continue };
            for (from, upstream) in flows.iter().enumerate().filter(|(from, _)| *from != to) {
                if wakes(&asking, rule, &plan.flows[*upstream]) {
                    edges[from].push(Edge { to, trigger });
                }
            }
        }
    }
    let mut there = vec![true; flows.len()];
    for _ in 0..TOLD {
        trim(&edges, &mut there);
        let Some(ring) = there.iter().position(|there| *there).and_then(|start| ring(&edges, &there, start)) else {
            return;
        };
        ring.iter().for_each(|(flow, _)| there[*flow] = false);
        let ring: Vec<(usize, usize)> = ring.into_iter().map(|(flow, trigger)| (flows[flow], trigger)).collect();
        say(plan, standing, &ring, reading);
    }
}

fn say(plan: &Plan, standing: &[Standing], ring: &[(usize, usize)], reading: &mut Reading) {
    // Whoever expects executions of them knows it.
    if ring.iter().any(|(flow, _)| plan.expectations.iter().any(|it| it.names_executions(*flow))) {
        return;
    }
    let Some((first, trigger)) = ring.first() else { return };
    let place: Place = standing[*first]
        .triggers
        .as_ref()
        .and_then(|node| item(node, *trigger))
        .map_or_else(|| standing[*first].place.first_line(), |node| node.place.first_line());
    let names: Vec<String> = ring.iter().chain(ring.first()).map(|(flow, _)| plan.flows[*flow].name()).collect();
    let what = format!("flows wake each other in a ring, and do not stop once one of them ran: {}", names.join(" -> "));
    reading.warning(&place, what, "ask in one of them for what the others do not have: a state, a namespace, a label");
}

/// Whether every execution of a flow that ends well starts the flow of a trigger. What conditions ask beyond that may break
/// a ring, so nothing is said.
fn wakes(asking: &Asking<'_>, rule: &FlowTrigger, flow: &Flow) -> bool {
    let hears = rule.states.as_ref().is_none_or(|states| states.contains(&State::Success));
    let of = Candidate { flow, state: State::Success };
    let entry = |upstream: &UpstreamFlow| {
        let named = upstream.namespace.as_ref() == Some(&flow.namespace) && upstream.flow.as_ref() == Some(&flow.id);
        let state = upstream.states.as_ref().is_none_or(|states| states.contains(&State::Success));
        named && state && upstream.labels.is_empty()
    };
    let preconditions = rule.preconditions.as_ref().is_none_or(|it| match it.flows.as_slice() {
        [upstream] => it.filters.is_empty() && entry(upstream),
        _ => false,
    });
    let depends = match rule.depends_on.as_slice() {
        [] => true,
        [Dependency { upstream, when: None }] => entry(upstream),
        _ => false,
    };
    hears
        && rule.when.is_none()
        && preconditions
        && depends
        && rule.conditions.iter().all(|condition| asking.meets(condition, of) == Known::Yes)
}

/// Takes out, again and again, what nothing comes to or what goes nowhere: what is left has rings.
fn trim(edges: &[Vec<Edge>], there: &mut [bool]) {
    let mut outs: Vec<usize> = vec![0; edges.len()];
    let mut ins: Vec<usize> = vec![0; edges.len()];
    let mut before: Vec<Vec<usize>> = edges.iter().map(|_| Vec::new()).collect();
    for (from, list) in edges.iter().enumerate().filter(|(from, _)| there[*from]) {
        for edge in list.iter().filter(|edge| there[edge.to]) {
            outs[from] += 1;
            ins[edge.to] += 1;
            before[edge.to].push(from);
        }
    }
    let free = |at: usize, ins: &[usize], outs: &[usize]| ins[at] == 0 || outs[at] == 0;
    let mut left: Vec<usize> = (0..edges.len()).filter(|at| there[*at] && free(*at, &ins, &outs)).collect();
    while let Some(at) = left.pop() {
        if !std::mem::replace(&mut there[at], false) {
            continue;
        }
        for edge in edges[at].iter().filter(|edge| there[edge.to]) {
            ins[edge.to] -= 1;
            if free(edge.to, &ins, &outs) {
                left.push(edge.to);
            }
        }
        for from in before[at].iter().filter(|from| there[**from]) {
            outs[*from] -= 1;
            if free(*from, &ins, &outs) {
                left.push(*from);
            }
        }
    }
}

/// The shortest way from a flow back to itself, each flow with the trigger that wakes it; where there is none from this one,
/// that of a flow that is on the way.
fn ring(edges: &[Vec<Edge>], there: &[bool], start: usize) -> Option<Vec<(usize, usize)>> {
    // Going on from flow to flow one comes to one twice: that one is in a ring.
    let (mut seen, mut at) = (vec![false; edges.len()], start);
    while !std::mem::replace(&mut seen[at], true) {
        at = edges[at].iter().map(|edge| edge.to).find(|to| there[*to])?;
    }
    let start = at;
    let mut came: Vec<Option<(usize, usize)>> = vec![None; edges.len()];
    let mut left = VecDeque::from([start]);
    while let Some(at) = left.pop_front() {
        for edge in edges[at].iter().filter(|edge| there[edge.to]) {
            if came[edge.to].is_none() {
                came[edge.to] = Some((at, edge.trigger));
                left.push_back(edge.to);
            }
        }
        if came[start].is_some() {
            break;
        }
    }
    let (mut way, mut at) = (Vec::new(), start);
    loop {
        let (from, trigger) = came[at]?;
        way.push((at, trigger));
        at = from;
        if at == start {
            way.reverse();
            return Some(way);
        }
    }
}
