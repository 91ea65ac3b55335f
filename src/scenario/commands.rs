//! `commands`: what came from outside and is none of the faults, as a saved session has it.

use serde_json::{Map, Value};

use super::TimelineEntry;
use crate::time::Instant;

/// One entry of `commands`. At one instant they follow the entries of the timeline, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCommand {
    /// `at`.
    pub at: Instant,
    /// What is done.
    pub order: Order,
}

/// What somebody does to a cluster from outside. Members are indices into [`super::ClusterPlan::members`].
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// `inject`: a fault, after another command of the same instant.
    Inject(TimelineEntry),
    /// `clear`: ends the fault of this name.
    Clear(String),
    /// `set-logger` with `member` and `level`: `POST /loggers/NAME`.
    SetLogger {
        /// Whose logger.
        member: usize,
        /// The logger, `ROOT` for the root.
        logger: String,
        /// One of [`LEVELS`]; none is `inherited`.
        level: Option<&'static str>,
    },
    /// `ask-logger` with `member`: asking for an unknown logger creates it.
    AskLogger {
        /// Whose logger.
        member: usize,
        /// The logger.
        logger: String,
    },
    /// `refresh`: `POST /refresh` of these members.
    Refresh(Vec<usize>),
    /// `stop-by-endpoint`: `POST /stop` of these members.
    Stop(Vec<usize>),
    /// `execute`: somebody asks over the API for an execution of a flow.
    Execute {
        /// An index into [`super::Plan::flows`].
        flow: usize,
        /// `inputs`.
        inputs: Map<String, Value>,
        /// `labels`.
        labels: Vec<(String, String)>,
    },
}

impl PlannedCommand {
    /// Whether it gives a label to an execution that it asks for.
    pub(super) fn gives_label(&self, key: &str, value: &str) -> bool {
        match &self.order {
            Order::Execute { labels, .. } => labels.iter().any(|(its, has)| its == key && has == value),
            _ => false,
        }
    }
}

/// The levels of a logger.
pub const LEVELS: &[&str] = &["ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"];
