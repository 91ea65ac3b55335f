//! The indices: their names, settings and mappings as the last open version with that repository makes them, and saved queries.

/// An index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Executions, by their id.
    Executions,
    /// Log entries.
    Logs,
}

/// All of them.
pub const INDICES: [Index; 2] = [Index::Executions, Index::Logs];

impl Index {
    /// Its name without what stands before all names.
    pub const fn name(self) -> &'static str {
        match self {
            Index::Executions => "executions",
            Index::Logs => "logs",
        }
    }

    /// The body of the request that makes it: settings and mappings, as JSON.
    pub const fn body(self) -> &'static str {
        match self {
            Index::Executions => include_str!("executions.json"),
            Index::Logs => include_str!("logs.json"),
        }
    }
}

/// A saved query: the body of a `_search`.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// Of what it asks.
    pub index: Index,
    /// What it tells.
    pub tells: &'static str,
    /// The body, as JSON.
    pub body: &'static str,
}

macro_rules! queries {
    ($($name:literal of $index:ident: $tells:literal,)*) => {
        &[$(Query {
            name: $name,
            index: Index::$index,
            tells: $tells,
            body: include_str!(concat!("../../scenarios/elasticsearch/", $name, ".json")),
        },)*]
    };
}

/// The saved queries.
pub const QUERIES: &[Query] = queries! {
    "executions-by-state" of Executions: "how many executions there are in each state",
    "failed-by-flow" of Executions: "which flows have failed executions, and how many",
    "duration-by-flow" of Executions: "how long ended executions took: least, most, mean and sum of seconds",
    "started-per-minute" of Executions: "how many executions began in each minute, and what became of them",
    "not-ended-by-flow" of Executions: "which flows have executions that have not ended, and since when the oldest",
    "task-runs-by-state" of Executions: "how many task runs there are in each state",
    "slowest-tasks" of Executions: "the ten tasks whose slowest task run took longest",
    "log-lines-by-level" of Logs: "how many log entries there are of each level",
    "errors-by-flow" of Logs: "which flows wrote entries of level ERROR, how many, and when the last",
};
