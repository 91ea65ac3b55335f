//! The execution that woke Flow triggers, as its owner holds it.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::flow::State;

/// An execution that has just changed its state, and what conditions and templates may ask of it. Borrowed: nothing is
/// built unless a template asks.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a> {
    /// Its id.
    pub id: &'a str,
    /// The namespace of its flow.
    pub namespace: &'a str,
    /// The id of its flow.
    pub flow: &'a str,
    /// The revision of its flow, from 1.
    pub revision: u32,
    /// The state it has come to.
    pub state: State,
    /// Its labels, system labels included.
    pub labels: &'a [(String, String)],
    /// Its inputs.
    pub inputs: &'a Map<String, Json>,
    /// The outputs of its flow; none while there are none.
    pub outputs: Option<&'a Map<String, Json>>,
    /// The variables of its flow.
    pub variables: Option<&'a Map<String, Json>>,
    /// The trigger that started it.
    pub trigger: Option<UpstreamTrigger<'a>>,
    /// Its task runs in the order they began; none when it ended before the first could (a concurrency limit).
    pub task_runs: Option<&'a [TaskRun<'a>]>,
    /// `kind`: what is not NORMAL wakes nothing.
    pub kind: Option<&'a str>,
    /// When it was created.
    pub start: Timestamp,
    /// When it ended, or since when it is PAUSED: Kestra takes that for its end.
    pub end: Option<Timestamp>,
    /// The execution of which it is a new try.
    pub original: Option<&'a str>,
}

/// The trigger that started an execution.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamTrigger<'a> {
    /// Whether it is a Schedule.
    pub schedule: bool,
    /// Its variables.
    pub variables: &'a Map<String, Json>,
}

/// A task run.
#[derive(Clone, Copy, Debug)]
pub struct TaskRun<'a> {
    /// The id of its task.
    pub task: &'a str,
    /// The value of its iteration.
    pub value: Option<&'a str>,
    /// The values of the task runs that hold it, the outermost first.
    pub within: &'a [String],
    /// Its state.
    pub state: State,
    /// Its outputs.
    pub outputs: Option<&'a Map<String, Json>>,
    /// The states of its attempts, in order.
    pub attempts: &'a [State],
}

/// The label that ties executions together.
pub const CORRELATION: &str = "system.correlationId";

/// The label of an execution that repeats another one.
pub const REPLAY: &str = "system.replay";

/// The label of executions that were restarted (source of 1.3 and 2.0).
pub const RESTARTED: &str = "system.restarted";

impl Upstream<'_> {
    /// Whether it has a label with a value. A key may be there more than once.
    pub(super) fn labelled(&self, key: &str, value: &str) -> bool {
        self.labels.iter().any(|(its, has)| its == key && has == value)
    }

    /// Labels as a tree: dots in keys are levels. Those that `keep` refuses are left out.
    pub(super) fn label_tree(&self, keep: impl Fn(&str) -> bool) -> Map<String, Json> {
        tree(self.labels.iter().filter(|(key, _)| keep(key)).map(|(key, value)| (key, value)))
    }
}

/// Keys and values as a tree: dots in keys are levels.
pub fn tree<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Map<String, Json> {
    let mut tree = Map::new();
    for (key, value) in pairs {
        put(&mut tree, key, value);
    }
    tree
}

/// Puts a value below the parts of a key. A part that is a value already gives way. Keys are as deep as they are long,
/// which Kestra limits, and so is this.
fn put(tree: &mut Map<String, Json>, key: &str, value: &str) {
    /// Levels of a key.
    const DEPTH: usize = 64;
    let mut parts: Vec<&str> = key.splitn(DEPTH, '.').collect();
    let Some(last) = parts.pop() else { return };
    let mut level = tree;
    for part in parts {
        let entry = level.entry(part).or_insert(Json::Null);
        if !entry.is_object() {
            *entry = Json::Object(Map::new());
        }
        match entry {
            Json::Object(next) => level = next,
            _ => return,
        }
    }
    level.insert(last.to_owned(), value.into());
}
