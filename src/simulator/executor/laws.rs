//! What must always hold of executions, and what they take.

use super::super::context::Context;
use super::places::Places;
use super::{Execution, Executor};
use crate::flow::State;

impl Executor {
    /// Bytes of the executions.
    pub(in super::super) fn bytes(&self) -> usize {
        self.executions.len() * size_of::<Execution>() + self.origins.bytes() + self.kept.bytes()
    }

    /// Executions that wait for the end of a pause.
    pub(in super::super) fn retrying(&self) -> u64 {
        self.executions.iter().filter(|execution| execution.it.state == State::Retrying).count() as u64
    }

    /// What must always hold of executions.
    ///
    /// # Errors
    /// What does not.
    pub(in super::super) fn laws(&self, cx: &Context) -> Result<(), String> {
        let live = (self.executions.len() as u64).saturating_sub(self.ended);
        if cx.truth.live != live || cx.truth.created != cx.truth.ended_in_all() + cx.truth.lost + live {
            return Err(format!("{live} executions live: {:?}", cx.truth));
        }
        let waiting: usize = self.places.iter().map(|places| places.waiting.len()).sum();
        if cx.truth.queued != waiting as u64 {
            return Err(format!("{waiting} executions are queued, not {}", cx.truth.queued));
        }
        for (places, flow) in self.places.iter().zip(&cx.plan.flows) {
            if flow.concurrency.is_some_and(|it| places.held > it.limit) {
                return Err(format!("{} executions of {} hold a place", places.held, flow.id));
            }
        }
        Ok(())
    }

    /// The same, seen from each execution: the costly part of the laws.
    ///
    /// # Errors
    /// What does not hold.
    pub(in super::super) fn laws_of_each(&self) -> Result<(), String> {
        let mut held = vec![0; self.places.len()];
        for execution in self.executions.iter().filter(|it| it.holds_place) {
            held[execution.flow as usize] += 1;
        }
        for (flow, (places, held)) in self.places.iter().zip(held).enumerate() {
            if held + places.leaked != places.held {
                let Places { held: taken, leaked, .. } = places;
                return Err(format!("{held} executions of flow {flow} hold {taken} places, and {leaked} are nobody's"));
            }
        }
        // One of a Loop that was RUNNING from its beginning has asked for none.
        let homeless = |it: &&Execution| {
            matches!(it.it.state, State::Running | State::Retrying) && !it.holds_place && it.it.iteration.is_none()
        };
        match self.executions.iter().find(homeless) {
            Some(execution) => Err(format!("an execution runs without a place: {execution:?}")),
            None => Ok(()),
        }
    }
}
