//! The executions that a ForEachItem starts, one for each batch of its items. How many there are stands in a file that the
//! simulation does not have: its `behaviour` says.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::super::behaviour::Place;
use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::limits;
use super::orders::Key;
use super::{Executor, Parent};
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

impl Batches {
    fn worst(&self) -> State {
        let worst = WORST.into_iter().find(|state| self.ended.contains_key(state.name()));
        worst.unwrap_or(State::Success)
    }
}

/// How many batches a ForEachItem has, by the number of the task of its executions.
fn batches(cx: &Context, flow: u32, node: u32) -> Option<u64> {
    let model = cx.flows.get(flow as usize)?;
    let id = model.tree.node(node)?.id.strip_suffix("_items")?;
    let whole = model.tree.nodes.iter().position(|node| node.id == id)? as u32;
    let given = |node| model.outputs.get(&Place::Task(node))?.get("numberOfBatches")?.as_u64();
    given(whole).or_else(|| given(node))
}

impl Executor {
    /// Creates the executions of all batches, if a task run is one that does; none when it is not. After a restart those run
    /// again that had failed (source).
    pub(super) fn create_batches(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        parent: Parent,
    ) -> Option<()> {
        let Parent { slot, flow, number, run } = parent;
        let node = self.executions.get(slot)?.it.run(run)?.node;
        let execution::Does::Subflow(subflow) = &cx.flows.get(flow as usize)?.tree.node(node)?.does else {
            return None;
        };
        if !subflow.batches {
            return None;
        }
        let wait = subflow.wait;
        let count = batches(cx, flow, node).unwrap_or(0);
        if count > limits::BATCHES {
            let why = format!("{count} batches: there are at most {} here", limits::BATCHES);
            self.no_child(cx, cluster, parent, why);
            return Some(());
        }
        // All are made before the first is created: where one cannot be, there is none.
        let (mut new, mut again) = (Vec::new(), Vec::new());
        let mut all = Batches::default();
        for batch in 1..=count as u32 {
            match self.child_before(cx, parent, batch).map(|(kept, _)| (kept.it.state, (kept.flow, kept.number))) {
                Some((State::Failed, key)) => again.push(key),
                Some((state, _)) => *all.ended.entry(state.name()).or_default() += 1,
                None => match self.child_origin(cx, parent, batch) {
                    Ok(origin) => new.push(origin),
                    Err(why) => {
                        self.no_child(cx, cluster, parent, why);
                        return Some(());
                    }
                },
            }
        }
        for child in new {
            all.left += u64::from(wait);
            self.start_child(cx, cluster, executor, parent, child);
        }
        for key in again {
            match self.restart(cx, cluster, executor, key, wait.then_some(parent)) {
                Some(_) => all.left += u64::from(wait),
                // Nothing of it can run again.
                None => *all.ended.entry(State::Failed.name()).or_default() += 1,
            }
        }
        match all.left {
            // Nothing is waited for.
            0 => parent.tell(cx, cluster, Some(if wait { all.worst() } else { State::Success })),
            _ => drop(self.batches.insert(((flow, number), run), all)),
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
        Ok(Some(batches.worst()))
    }
}
