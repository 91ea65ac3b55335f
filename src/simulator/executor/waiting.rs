//! Executions that have not ended, by their ids: kept only where a task of the plan may let one of them go on.

use std::collections::BTreeMap;

use super::super::context::Context;
use super::orders::Meant;
use crate::flow::{State, core};
use crate::scenario::Plan;

/// Executions by their ids, and whether they are PAUSED.
pub(super) type Known = BTreeMap<String, (Meant, bool)>;

/// Those of a plan in which a task asks for them.
#[derive(Clone, Debug)]
pub(super) struct Waiting(Option<Known>);

impl Waiting {
    pub(super) fn new(plan: &Plan) -> Waiting {
        let mut tasks = plan.flows.iter().flat_map(crate::flow::Flow::all_tasks);
        Waiting(tasks.any(|task| core(&task.kind) == Some("Resume")).then(BTreeMap::new))
    }

    pub(super) fn known(&self) -> Option<&Known> {
        self.0.as_ref()
    }

    /// An execution is there, in this state.
    pub(super) fn there(&mut self, cx: &Context, meant: Meant, state: Option<State>) {
        if let Some(known) = &mut self.0 {
            let (flow, number) = meant.1;
            known.insert(cx.id("execution", flow, number, 0), (meant, state == Some(State::Paused)));
        }
    }

    /// Nothing will happen to it any more.
    pub(super) fn gone(&mut self, cx: &Context, (flow, number): (u32, u64)) {
        if let Some(known) = &mut self.0 {
            known.remove(&cx.id("execution", flow, number, 0));
        }
    }
}
