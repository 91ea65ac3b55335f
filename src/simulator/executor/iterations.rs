//! The executions of a Loop (2.0), one for each of its values: executions of the same flow, that no Flow trigger hears of
//! (captures/core/end-to-end.2.0.0.jsonl).

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::heard::labels;
use super::super::origin::{By, Origin, Starter};
use super::asked::Asked;
use super::kept::History;
use super::{Coming, Execution, Executor, Parent};
use crate::execution::{self, Broken, Does};
use crate::flow::{How, Loop, State};
use crate::pebble::{Side, truthy};
use crate::scenario::trigger_dialect;

/// The Loop that a task is.
fn loop_of(cx: &Context, flow: u32, node: u32) -> Option<&Loop> {
    match &cx.flows.get(flow as usize)?.tree.node(node)?.does {
        Does::Group(held) => match held.how() {
            How::Loop(of) => Some(of),
            _ => None,
        },
        _ => None,
    }
}

impl Executor {
    /// Creates the execution of a value of a Loop, in a state.
    pub(super) fn iterate(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        (run, index, state): (u32, u32, State),
    ) {
        let Some(of) = self.executions.get(slot) else { return };
        let &Execution { flow, number, created, ref it, ref history, .. } = of;
        let origin = self.origins.get((flow, number));
        let outputs = match self.telling.reads(flow).outputs {
            true => Asked::of(cx, (flow, number), created, &self.dialect, origin).outputs(it).unwrap_or_default(),
            false => Map::new(),
        };
        let Some(new) = it.iteration((run, index), state, created, outputs) else { return };
        let history = match (self.kept.keeps(), state) {
            (true, State::Created) => History::beginning(created, State::Created),
            (true, _) => history.of_itself(),
            (false, _) => History::default(),
        };
        let id = cx.id("execution", flow, number, 0);
        let own = cx.plan.flows.get(flow as usize).map_or(&[][..], |flow| &flow.labels);
        let given = origin.map_or(own, |origin| &origin.labels);
        let labels = labels(given, &it.labels, &id, trigger_dialect(cx.plan.kestra));
        let by = By::TaskRun { id: it.run(run).map_or(0, |run| run.id), batch: index + 1 };
        let starter = Some(Starter { flow, number, by });
        let origin = Origin { labels, starter, failed: false, checked: false, ..origin.cloned().unwrap_or_default() };
        let parent = Parent { slot, flow, number, run };
        let key = (flow, cx.next_number(flow));
        self.origins.insert(key, Arc::new(origin));
        self.coming.insert(key, Coming { begun: created, parent: Some(parent), from: Some(Box::new((new, history))) });
        self.create(cx, cluster, executor, key, (None, 0));
    }

    /// Whether a task run is that of a Loop.
    pub(super) fn is_loop(&self, cx: &Context, slot: u32, run: u32) -> bool {
        let of = self.executions.get(slot);
        of.and_then(|of| loop_of(cx, of.flow, of.it.run(run)?.node)).is_some()
    }

    /// The execution of a value of a Loop has ended: what that puts out. False when it cannot be worked out.
    pub(super) fn iteration_outputs(&mut self, cx: &mut Context, slot: u32, parent: Parent) -> bool {
        let Some(child) = self.executions.get(slot) else { return true };
        let Some(iteration) = child.it.iteration.clone() else { return true };
        match self.put_out_by(cx, slot) {
            None => true,
            Some(Ok(outputs)) => {
                if let Some(waits) = self.executions.get_mut(parent.slot) {
                    waits.it.iteration_put_out(parent.run, &iteration, outputs);
                }
                true
            }
            Some(Err(why)) => {
                if let Some(waits) = self.executions.get_mut(parent.slot) {
                    waits.it.failures.push((parent.run, why));
                }
                self.failed_here(cx, parent.slot);
                false
            }
        }
    }

    /// What the execution of a value of a Loop puts out, if its Loop says so.
    fn put_out_by(&self, cx: &Context, slot: u32) -> Option<Result<Map<String, Json>, String>> {
        let child = self.executions.get(slot)?;
        let of = loop_of(cx, child.flow, child.it.iteration.as_ref()?.node).filter(|of| !of.outputs.is_empty())?;
        let key = (child.flow, child.number);
        let asked = Asked::of(cx, key, child.created, &self.dialect, self.origins.get(key));
        let result = asked.rendering(&child.it, None, |render| execution::outputs(&of.outputs, render));
        Some(result.unwrap_or_else(|| Err(String::new())).map(|outputs| match of.stores {
            // Kestra writes them into a file of its storage (source).
            true => stored(&cx.id("execution", key.0, key.1, 0)),
            false => outputs,
        }))
    }

    /// The execution of a value of a Loop has ended that has values left: whether its `breakWhen` holds then, which sees the
    /// variables of the Loop, `item`, and `iteration` (source of after 2.0.0).
    pub(super) fn breaks(&mut self, cx: &mut Context, slot: u32, parent: Parent, state: State) {
        let waits = self.of(parent.slot, (parent.flow, parent.number));
        let (Some(child), Some(waits)) = (self.executions.get(slot), waits) else { return };
        let Some(iteration) = &child.it.iteration else { return };
        let Some(of) = loop_of(cx, child.flow, iteration.node) else { return };
        let ends = of.transmit && matches!(state, State::Failed | State::Killed | State::Cancelled);
        let asks = !ends && waits.it.loop_has_more(parent.run);
        let Some(when) = of.breaks.as_deref().filter(|_| asks) else { return };
        let outputs = self.put_out_by(cx, slot).and_then(Result::ok).unwrap_or_default();
        let id = cx.id("execution", child.flow, child.number, 0);
        let about = json!({ "executionId": id, "state": state.name(), "outputs": outputs });
        let more = Map::from_iter([("item".to_owned(), iteration.variable()), ("iteration".to_owned(), about)]);
        let key = (parent.flow, parent.number);
        let asked = Asked::of(cx, key, waits.created, &self.dialect, self.origins.get(key));
        let text = asked.rendering_with(&waits.it, Some(parent.run), (Side::Executor, more), |render| render(when));
        let Some(waits) = self.executions.get_mut(parent.slot) else { return };
        match text {
            Some(Ok(text)) if !truthy(&text) => {}
            Some(Ok(_)) => waits.it.loop_breaks(parent.run, Broken::Holds),
            failed => {
                let why = failed.and_then(Result::err).unwrap_or_default();
                waits.it.loop_breaks(parent.run, Broken::Fails);
                waits.it.failures.push((parent.run, why));
                self.failed_here(cx, parent.slot);
            }
        }
    }
}

/// The outputs of an execution as a file.
fn stored(id: &str) -> Map<String, Json> {
    match json!({ "uri": format!("kestra:///{id}/outputs.ion") }) {
        Json::Object(outputs) => outputs,
        _ => Map::new(),
    }
}
