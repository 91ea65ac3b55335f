//! The changes of executions that something is expected of; of all others nothing is kept.

use super::limits;
use super::log::Log;
use crate::flow::State;
use crate::scenario::{Expectation, Plan};
use crate::time::Instant;

/// An execution came into a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// When.
    pub at: Instant,
    /// Its flow, an index into the plan's.
    pub flow: u32,
    /// Which of the flow's executions.
    pub number: u64,
    /// The state.
    pub state: State,
}

/// What is kept of changes.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    /// By flow: whether anything is expected of its executions.
    wanted: Vec<bool>,
    pub(super) log: Log<StateChange>,
}

impl Changes {
    pub(super) fn new(plan: &Plan) -> Changes {
        let mut wanted = vec![false; plan.flows.len()];
        for expectation in &plan.expectations {
            match expectation {
                Expectation::Execution { flow: Some(flow), .. } => {
                    wanted.iter_mut().skip(*flow).take(1).for_each(|it| *it = true);
                }
                Expectation::Execution { flow: None, .. } => wanted.iter_mut().for_each(|it| *it = true),
                _ => {}
            }
        }
        Changes { wanted, log: Log::new(limits::CHANGES) }
    }

    /// From now on all are wanted.
    pub(super) fn want_all(&mut self) {
        self.wanted.iter_mut().for_each(|it| *it = true);
    }

    /// Keeps a change, if it is wanted.
    ///
    /// # Errors
    /// There are too many: the limit.
    pub(super) fn add(&mut self, change: StateChange) -> Result<(), u64> {
        match self.wanted.get(change.flow as usize) {
            Some(true) => self.log.add(change),
            _ => Ok(()),
        }
    }
}
