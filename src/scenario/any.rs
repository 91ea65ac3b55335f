//! Faults by chance, for whoever looks for what nobody has thought of: any row of the table, done to anything that a cluster
//! has. A new row is drawn without a word here.

use serde_json::Value as Json;

use super::faults::{Aim, ROWS, Row, Unit};
use super::threads::{QUEUE_WORDS, THREAD_WORDS};
use super::write;
use super::{
    Amount, Answer, DatabaseFault, Fault, Lasts, Plan, Queue, Target, TaskSelector, Thread, TimelineEntry, read_fault,
};
use crate::profile::Profile;
use crate::time::{Duration, Instant};

/// Draws a whole number below another one.
pub type Draw<'a> = dyn FnMut(u64) -> u64 + 'a;

/// One of several things.
fn one<T: Clone>(of: &[T], draw: &mut Draw<'_>) -> Option<T> {
    of.get(draw(of.len() as u64) as usize).cloned()
}

/// Draws of a row of which nothing may come: a thread that a member has not, a flow where there is none.
const TRIES: usize = 50;

/// Any entry of a timeline that can be done to the cluster of a plan, as a file has it. It begins within the first half hour.
/// None where nothing can be done.
pub fn any_entry(plan: &Plan, draw: &mut Draw<'_>) -> Option<Json> {
    (0..TRIES).find_map(|_| {
        let row = one(ROWS, draw)?;
        let target = target(&row, plan, draw)?;
        let amount = match one(row.units, draw) {
            Some(unit) => amount(unit, plan, draw)?,
            None if row.aim == Aim::Database => Amount::Manner(manner(draw)?),
            None => Amount::None,
        };
        let minutes = |of: &[u64], draw: &mut Draw<'_>| one(of, draw).map(Duration::minutes);
        let at = Instant::START + minutes(&[5, 10, 15, 20], draw)?;
        let lasts = match row.lasts {
            Lasts::No => None,
            Lasts::HoldsDown | Lasts::UntilCleared => {
                minutes(&[0, 1, 2, 5, 10, 20, 40], draw).filter(|lasts| !lasts.is_zero())
            }
        };
        let fault = Fault { kind: row.kind, target, amount };
        let entry = TimelineEntry { name: String::new(), at, fault, lasts, every: None, until: None };
        let written = write::entry_of_file(&entry, plan);
        // Whether it can be done says the reader of files.
        read_fault(&written.to_string(), plan, at).is_ok().then_some(written)
    })
}

fn target(row: &Row, plan: &Plan, draw: &mut Draw<'_>) -> Option<Target> {
    let members = || plan.cluster.members.iter().enumerate().filter(|(_, it)| !it.reserve);
    let flow = |draw: &mut Draw<'_>| Some(draw(plan.flows.len() as u64) as usize).filter(|_| !plan.flows.is_empty());
    Some(match row.aim {
        Aim::Members => {
            let (first, member) = one(&members().collect::<Vec<_>>(), draw)?;
            let all = draw(4) == 0;
            let meant = members().filter(|(at, it)| *at == first || all && it.role == member.role);
            Target::Members(meant.map(|(at, _)| at).collect())
        }
        Aim::Database | Aim::Tables => Target::Database,
        Aim::Flow => Target::Flow(flow(draw)),
        Aim::Tasks => {
            let flow = plan.flows.get(flow(draw)?)?;
            Target::Tasks(TaskSelector { flow: Some(flow.name()), ..TaskSelector::default() })
        }
        // All that is told goes to somebody.
        Aim::Receiver => Target::Receiver(one(crate::notify::CHANNELS, draw)?.parse().ok()?),
        Aim::Role => Target::Role(one(&members().collect::<Vec<_>>(), draw)?.1.role),
        Aim::Queue => Target::Queue(Queue::named(one(QUEUE_WORDS, draw)?)?),
    })
}

fn manner(draw: &mut Draw<'_>) -> Option<DatabaseFault> {
    one(&[DatabaseFault::Refused, DatabaseFault::Stalled, DatabaseFault::ShutDown, DatabaseFault::Slow(0.0)], draw).map(
        |manner| match manner {
            DatabaseFault::Slow(_) => DatabaseFault::Slow([5.0, 20.0, 100.0][draw(3) as usize]),
            other => other,
        },
    )
}

/// An amount that does harm, if any does. That fewer come is nothing that breaks.
fn amount(unit: Unit, plan: &Plan, draw: &mut Draw<'_>) -> Option<Amount> {
    let numbers: &[f64] = match unit {
        Unit::Rate => &[60.0, 120.0, 600.0],
        Unit::Times => &[2.0, 5.0, 20.0, 100.0],
        Unit::Share => &[0.05, 0.2, 0.5, 1.0],
        Unit::Leak => &[262_144.0, 1_048_576.0, 10_485_760.0],
        Unit::Pause => &[5.0, 30.0, 120.0],
        Unit::Takes => &[60.0, 180.0, 600.0],
        Unit::Rows => &[1e5, 1e6, 1e7],
        Unit::Triggers => &[10_000.0, 30_000.0, 100_000.0],
        Unit::Slow => &[5.0, 20.0, 100.0],
        Unit::Members => {
            let most = plan.cluster.members.len() as u64;
            return Some(Amount::Members(draw(most.min(5)) as u32));
        }
        Unit::Version => return Profile::named(one(Profile::NAMES, draw)?).ok().map(Amount::Version),
        Unit::Answers => {
            return one(&[Answer::Status(500), Answer::Timeout, Answer::Refused], draw).map(Amount::Answers);
        }
        Unit::Thread => return Thread::named(one(THREAD_WORDS, draw)?).map(Amount::Thread),
    };
    one(numbers, draw).map(|number| unit.amount(number))
}

/// What kind of thing a fault is, whoever it is done to and however much there is of it: `kill worker`, `database stalled`.
pub fn shape(fault: &Fault, plan: &Plan) -> String {
    let mut words = vec![fault.kind.keyword()];
    let mut roles: Vec<&str> = fault
        .members()
        .iter()
        .filter_map(|member| plan.cluster.members.get(*member))
        .map(|member| member.role.name())
        .collect();
    roles.dedup();
    words.extend(roles);
    match (&fault.target, fault.amount) {
        (Target::Role(role), _) => words.push(role.name()),
        (Target::Queue(queue), _) => words.push(queue.word()),
        (_, Amount::Manner(manner)) => words.push(manner.word()),
        (_, Amount::Thread(thread)) => words.push(thread.word()),
        _ => {}
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenario::{NoFiles, read};

    #[test]
    fn every_row_is_drawn_and_all_that_is_drawn_can_be_read() {
        let text = "name: x\ncluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: { count: 2, most: 4 }, \
                    indexer: 1 } }\nflows:\n  - { id: f, namespace: a, tasks: [ { id: t, type: \
                    io.kestra.plugin.core.log.Log, message: x } ] }\narrivals: [ { flow: f, rate: 6/min } ]\n";
        let plan = read("x.yaml", text, &NoFiles).0.expect("a plan");
        let mut state = 1u64;
        let mut draw = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if below == 0 { 0 } else { (state >> 33) % below }
        };
        let (mut drawn, mut shapes) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..2_000 {
            let entry = any_entry(&plan, &mut draw).expect("something can be done");
            let read = read_fault(&entry.to_string(), &plan, Instant::START).expect("it can be read");
            drawn.insert(read.fault.kind.keyword());
            shapes.insert(shape(&read.fault, &plan));
        }
        let all: BTreeSet<&str> = ROWS.iter().map(|row| row.keyword).collect();
        assert_eq!(drawn, all);
        assert!(shapes.contains("kill worker") && shapes.contains("database stalled"), "{shapes:?}");
        assert!(shapes.iter().any(|shape| shape.starts_with("dead-thread executor ")), "{shapes:?}");
    }

    #[test]
    fn where_there_is_nothing_nothing_is_drawn_or_what_needs_nothing() {
        let plan = read("x.yaml", "name: x\n", &NoFiles).0.expect("a plan");
        let mut number = 0;
        let mut draw = |below: u64| {
            number += 7;
            if below == 0 { 0 } else { number % below }
        };
        for _ in 0..100 {
            if let Some(entry) = any_entry(&plan, &mut draw) {
                assert!(read_fault(&entry.to_string(), &plan, Instant::START).is_ok(), "{entry}");
            }
        }
    }
}
