//! `commands`: what came from outside and is none of the faults, as a saved session has it.

use serde_json::{Map, Value};

use super::TimelineEntry;
use crate::flow::State;
use crate::profile::{Language, Profile};
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
    /// `kill`, `pause`, `resume`, `restart`, `replay`, `change-state`: somebody asks over the API something of executions that are there.
    Ask {
        /// What.
        deed: Deed,
        /// Of which.
        whose: Whose,
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

/// What somebody asks of an execution that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// `kill`.
    Kill {
        /// `cascade`: what it has started is killed too, as Kestra does when it is not told otherwise.
        cascade: bool,
    },
    /// `pause`.
    Pause,
    /// `resume`.
    Resume {
        /// `inputs`: for the `onResume` of the Pause that waits.
        inputs: Map<String, Value>,
    },
    /// `restart`: what has failed of it runs again, in the same execution.
    Restart,
    /// `replay`: a new execution that runs the same again, from a task on if one is named.
    Replay(Option<TaskOf>),
    /// `change-state`: of one that has ended, or of one of its tasks, from which on it runs again then.
    Change {
        /// Of this task, when it is not the execution itself.
        task: Option<TaskOf>,
        /// `state`.
        state: State,
    },
}

/// A task of an execution that has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOf {
    /// `task`: its id.
    pub id: String,
    /// `value`: which of its task runs, of one that ran for several values.
    pub value: Option<String>,
}

/// Executions of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// An index into [`super::Plan::flows`].
    pub flow: usize,
    /// `labels`: those that have them all.
    pub labels: Vec<(String, String)>,
    /// `which`.
    pub which: Which,
}

/// Which of several executions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The youngest of which it can be asked.
    #[default]
    Last,
    /// The oldest of which it can be asked.
    First,
    /// All of which it can be asked.
    All,
    /// That of this number among all of the flow, from 1 on.
    Number(u64),
}

/// The states that somebody may give an execution that has ended; of a task those behind which it goes on.
pub(crate) fn ends(of_task: bool) -> impl Iterator<Item = State> {
    let all = super::fields::ENDS.iter().filter_map(|name| State::named(name));
    all.filter(move |state| !of_task || matches!(state, State::Success | State::Warning | State::Failed))
}

impl Deed {
    /// The keyword of a scenario.
    pub const fn keyword(&self) -> &'static str {
        match self {
            Deed::Kill { .. } => "kill",
            Deed::Pause => "pause",
            Deed::Resume { .. } => "resume",
            Deed::Restart => "restart",
            Deed::Replay(_) => "replay",
            Deed::Change { .. } => "change-state",
        }
    }
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

/// Why a label cannot be given to an execution that somebody asks for, in the words of the server where it has some (source):
/// Kestra sets those of the system itself, but for the one that joins executions and, in newer versions than 0.20, the one that says who asked.
pub fn label_refused((key, value): (&str, &str), kestra: &Profile) -> Option<String> {
    if key.is_empty() {
        return Some("a label with an empty key".to_owned());
    }
    let free = key == "system.correlationId" || key == "system.from" && kestra.language() != Language::V0_20;
    (key.starts_with("system.") && !free)
        .then(|| format!("System labels can only be set by Kestra itself, offending label: {key}={value}"))
}
