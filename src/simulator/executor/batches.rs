//! The executions that a ForEachItem starts, one for each batch of its items. How many there are stands in a file that the
//! simulation does not have: its `behaviour` says.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::super::behaviour::Place;
use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::limits;
use super::super::queue::{Message, QueueKind};
use super::orders::Key;
use super::{Coming, Execution, Executor, Parent};
use crate::execution;
use crate::flow::State;

/// The executions of the batches of a task run that have not ended, and how the others did.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    left: u64,
    ended: BTreeMap<&'static str, u64>,
}

/// The worst that became of one counts (source of 0.20 and 1.3).
const WORST: [State; 3] = [State::Failed, State::Killed, State::Warning];

/// How many batches a ForEachItem has, by the number of the task of its executions.
fn batches(cx: &Context, flow: u32, node: u32) -> Option<u64> {
    let model = cx.flows.get(flow as usize)?;
    let id = model.tree.node(node)?.id.strip_suffix("_items")?;
    let whole = model.tree.nodes.iter().position(|node| node.id == id)? as u32;
    let given = |node| model.outputs.get(&Place::Task(node))?.get("numberOfBatches")?.as_u64();
    given(whole).or_else(|| given(node))
}

impl Executor {
    /// Creates the executions of all batches, if a task run is one that does; none when it is not.
    pub(super) fn create_batches(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        run: u32,
    ) -> Option<()> {
        let &Execution { flow, number, ref it, .. } = self.executions.get(slot)?;
        let node = it.run(run)?.node;
        let execution::Does::Subflow(subflow) = &cx.flows.get(flow as usize)?.tree.node(node)?.does else {
            return None;
        };
        if !subflow.batches {
            return None;
        }
        let count = batches(cx, flow, node).unwrap_or(0);
        let tell = |cluster: &mut Cluster, cx: &mut Context, state| {
            cluster.send(cx, QueueKind::Execution, Message::Child { slot, number, run, state });
        };
        if count > limits::BATCHES {
            let why = format!("{count} batches: there are at most {} here", limits::BATCHES);
            if let Some(execution) = self.executions.get_mut(slot) {
                execution.it.failures.push((run, why));
            }
            self.failed_here(cx, slot);
            tell(cluster, cx, None);
            return Some(());
        }
        // All are made before the first is created: where one cannot be, there is none.
        let mut origins = Vec::new();
        for iteration in 1..=count {
            let items = format!("kestra:///{}/batch-{iteration}.ion", cx.id("execution", flow, number, run));
            let taskrun = json!({ "items": items, "iteration": iteration });
            let more = Map::from_iter([("taskrun".to_owned(), taskrun)]);
            let Some((child, wait, mut origin)) = self.child_origin(cx, (slot, run), more) else {
                tell(cluster, cx, None);
                return Some(());
            };
            if let Some(trigger) = &mut Arc::make_mut(&mut origin).trigger {
                trigger.insert("taskRunIteration".to_owned(), iteration.into());
            }
            origins.push((child, wait, origin));
        }
        let mut waits = 0;
        for (child, wait, origin) in origins {
            let number_of_child = cx.next_number(child);
            self.origins.insert((child, number_of_child), origin);
            let parent = wait.then_some(Parent { slot, number, run });
            self.coming.insert((child, number_of_child), Coming { begun: cx.now, parent, from: None });
            self.create(cx, cluster, executor, (child, number_of_child), (None, 0));
            waits += u64::from(wait);
        }
        match waits {
            // Nothing is waited for.
            0 => tell(cluster, cx, Some(State::Success)),
            left => drop(self.batches.insert(((flow, number), run), Batches { left, ..Batches::default() })),
        }
        Some(())
    }

    /// The execution of a batch has ended: how the task run does, once all have; what became of it where there are none.
    ///
    /// # Errors
    /// Others have not ended.
    pub(super) fn batch_ends(
        &mut self,
        slot: u32,
        (key, run): (Key, u32),
        state: Option<State>,
    ) -> Result<Option<State>, ()> {
        if self.batches.is_empty() {
            return Ok(state);
        }
        let Some(batches) = self.batches.get_mut(&(key, run)) else { return Ok(state) };
        let ended = state.unwrap_or(State::Failed);
        *batches.ended.entry(ended.name()).or_default() += 1;
        batches.left -= 1;
        if batches.left > 0 {
            return Err(());
        }
        let Some(batches) = self.batches.remove(&(key, run)) else { return Ok(state) };
        if self.telling.reads(key.0).outputs
            && let Some(execution) = self.executions.get_mut(slot)
        {
            let count: u64 = batches.ended.values().sum();
            let outputs = json!({ "iterations": batches.ended, "numberOfBatches": count });
            if let Json::Object(outputs) = outputs {
                execution.it.outputs.insert(run, Arc::new(outputs));
            }
        }
        let worst = WORST.into_iter().find(|state| batches.ended.contains_key(state.name()));
        Ok(Some(worst.unwrap_or(State::Success)))
    }
}
