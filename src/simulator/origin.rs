//! What executions were started with, beside their flow. Most have nothing of it, so it stands beside them.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::notify;

/// What an execution was started with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// Labels. Somebody who asks over the API gives those beside the flow's, which are put to them.
    pub labels: Vec<(String, String)>,
    /// Inputs, as they were given.
    pub inputs: Map<String, Value>,
    /// The variables of the trigger that started it.
    pub trigger: Option<Map<String, Value>>,
    /// The execution that started it, as it was then.
    pub upstream: Option<Arc<notify::Execution>>,
    /// It ends as FAILED before it begins: its inputs could not be rendered, or a condition of its Schedule failed.
    pub failed: bool,
    /// It was created as FAILED: `checks` of its flow do not hold.
    pub checked: bool,
    /// The execution whose kill goes on to this one.
    pub starter: Option<Starter>,
    /// The id of the execution that this one repeats.
    pub original: Option<String>,
    /// A Schedule started it.
    pub scheduled: bool,
}

/// The execution that started another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starter {
    /// Its flow, an index into the plan's.
    pub flow: u32,
    /// Which of the flow's executions.
    pub number: u64,
    /// What of it did.
    pub by: By,
}

/// What of an execution started another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A Flow trigger that listens to it.
    Alert,
    /// A task run of a Subflow.
    TaskRun {
        /// What names the task run: the same after a restart.
        id: u32,
        /// Which batch of a ForEachItem, from 1; 0 of another task.
        batch: u32,
    },
}

/// The origins of executions, by their flow and number.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(FxHashMap<(u32, u64), Arc<Origin>>);

impl Origins {
    pub(super) fn insert(&mut self, execution: (u32, u64), origin: Arc<Origin>) {
        self.0.insert(execution, origin);
    }
    pub(super) fn remove(&mut self, execution: (u32, u64)) -> Option<Arc<Origin>> {
        // Nothing is hashed in a run in which there is none.
        if self.0.is_empty() { None } else { self.0.remove(&execution) }
    }
    pub(super) fn shared(&self, execution: (u32, u64)) -> Option<&Arc<Origin>> {
        if self.0.is_empty() { None } else { self.0.get(&execution) }
    }
    pub(super) fn get(&self, execution: (u32, u64)) -> Option<&Origin> {
        if self.0.is_empty() { None } else { self.0.get(&execution).map(Arc::as_ref) }
    }
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes of their places.
    pub(super) fn bytes(&self) -> usize {
        self.0.len() * (size_of::<(u32, u64)>() + size_of::<Arc<Origin>>())
    }
}
