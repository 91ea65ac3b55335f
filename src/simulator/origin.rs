//! What executions were started with, beside their flow. Most have nothing of it, so it stands beside them.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

/// What an execution was started with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// Labels, beside those of the flow.
    pub labels: Vec<(String, String)>,
    /// Inputs, as they were given.
    pub inputs: Map<String, Value>,
}

/// The origins of executions, by their flow and number.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(FxHashMap<(u32, u64), Arc<Origin>>);

impl Origins {
    pub(super) fn insert(&mut self, execution: (u32, u64), origin: Arc<Origin>) {
        self.0.insert(execution, origin);
    }
    pub(super) fn get(&self, execution: (u32, u64)) -> Option<&Origin> {
        if self.0.is_empty() { None } else { self.0.get(&execution).map(|it| &**it) }
    }
    pub(super) fn remove(&mut self, execution: (u32, u64)) -> Option<Arc<Origin>> {
        // Nothing is hashed in a run in which there is none.
        if self.0.is_empty() { None } else { self.0.remove(&execution) }
    }
    /// Bytes of their places.
    pub(super) fn bytes(&self) -> usize {
        self.0.len() * (size_of::<(u32, u64)>() + size_of::<Arc<Origin>>())
    }
}
