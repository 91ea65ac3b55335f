//! `commands`: what came from outside and is none of the faults, as a saved session has it.

use serde_json::{Map, Value};

use super::TimelineEntry;
use crate::time::{Duration, Instant};

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
    /// `receivers`: who answers messages from now on.
    Receivers(Answering),
    /// `answer`: what the receiver of this message has answered.
    Answer {
        /// Messages are counted from 0, those before the scenario's start too.
        message: u64,
        /// What it was.
        answer: RealAnswer,
    },
}

/// Who answers the messages of notification tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// `scenario`: its `receivers` and its faults, all others take what they get.
    #[default]
    Scenario,
    /// `outside`: real receivers. Those of which the scenario says something answer as it says.
    Outside,
    /// `all-outside`: the same, those too of which the scenario says that they are `ok`.
    AllOutside,
}

impl Answering {
    /// The words for them.
    pub const WORDS: &[(&str, Answering)] =
        &[("scenario", Answering::Scenario), ("outside", Answering::Outside), ("all-outside", Answering::AllOutside)];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Answering::WORDS.iter().find(|(_, it)| *it == self).map_or("", |(word, _)| word)
    }
}

/// What a real receiver answered to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealAnswer {
    /// `status`: of HTTP, or the code of a mail server; none where no answer came.
    pub status: Option<u16>,
    /// `fails`: with which words the task fails, secrets masked; none where it succeeds.
    pub fails: Option<String>,
    /// `took`: from the sending on.
    pub took: Duration,
}

/// The levels of a logger.
pub const LEVELS: &[&str] = &["ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"];
