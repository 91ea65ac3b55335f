//! What a transition comes to at a Flow trigger, and why.

use std::fmt;

use jiff::Timestamp;

use super::Failure;
use crate::flow::State;

/// What a transition comes to at one Flow trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The place of the flow.
    pub flow: usize,
    /// The place of the trigger in its flow.
    pub trigger: usize,
    /// What it comes to.
    pub why: Why,
}

/// The step that decided, with what it saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// It starts an execution.
    Fires,
    /// The trigger or its flow is switched off.
    Off,
    /// An execution does not start its own flow.
    Itself,
    /// An execution of this kind starts nothing.
    Kind(String),
    /// The trigger does not listen to this state.
    State {
        /// The state.
        state: State,
        /// Those it listens to; none: those of its version.
        listens: Option<Vec<State>>,
    },
    /// A condition does not hold.
    Condition {
        /// Where it stands, such as `conditions[1]`.
        place: String,
        /// Its class, or the template.
        what: String,
        /// What it asked and what it found.
        found: String,
    },
    /// A condition failed, and counts as false; Kestra logs a WARN.
    Failed {
        /// Where it stands.
        place: String,
        /// Its class, or the template.
        what: String,
        /// Kestra's words.
        failure: Failure,
    },
    /// It happened outside of the window.
    Closed {
        /// The id of the window.
        id: String,
        /// From here on.
        start: Timestamp,
        /// Up to here.
        end: Timestamp,
    },
    /// Not all that is needed has happened.
    Waits {
        /// The id of the window.
        id: String,
        /// What has happened.
        met: Vec<String>,
        /// What has not.
        lacks: Vec<String>,
        /// Up to when it counts.
        end: Option<Timestamp>,
    },
    /// Two entries of `dependsOn` are the same: Kestra fails.
    Twice,
    /// A condition of a Schedule failed: an execution starts that is FAILED from the start.
    FailsDate {
        /// Where it stands.
        place: String,
        /// Its class, or the template.
        what: String,
        /// Kestra's words.
        failure: Failure,
    },
    /// A date of a Schedule that is let through, and that a later one comes before: it is too late.
    Late,
    /// It would start an execution, and its inputs cannot be rendered: none starts (up to 1.3).
    Inputs(Failure),
}

impl Why {
    /// The step that decided, without what it saw.
    pub fn step(&self) -> String {
        match self {
            Why::Condition { place, .. } | Why::Failed { place, .. } | Why::FailsDate { place, .. } => place.clone(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |list: &[String]| if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
        match self {
            Why::Fires => write!(f, "starts an execution"),
            Why::Off => write!(f, "the trigger or its flow is disabled"),
            Why::Itself => write!(f, "an execution does not start its own flow"),
            Why::Kind(kind) => write!(f, "executions of the kind {kind} start nothing"),
            Why::State { state, listens: Some(listens) } => {
                let names: Vec<&str> = listens.iter().map(|state| state.name()).collect();
                write!(f, "the state is {}, `states` are [{}]", state.name(), names.join(", "))
            }
            Why::State { state, listens: None } => {
                write!(f, "the state is {}, which is not among those of a trigger without `states`", state.name())
            }
            Why::Condition { place, what, found } => write!(f, "{place} ({what}) says no: {found}"),
            Why::Failed { place, what, failure } => {
                write!(f, "{place} ({what}) fails and counts as false: {failure}")
            }
            Why::Closed { id, start, end } => write!(f, "outside of the window of `{id}`, {start} to {end}"),
            Why::Waits { id, met, lacks, end } => {
                write!(f, "`{id}` has seen {}, not yet {}", listed(met), listed(lacks))?;
                end.map_or(Ok(()), |end| write!(f, "; the window ends at {end}"))
            }
            Why::Twice => write!(f, "two entries of `dependsOn` are the same, and Kestra fails over them"),
            Why::Late => write!(f, "passed over: it comes too late, a later one is due next"),
            Why::FailsDate { place, what, failure } => {
                write!(f, "{place} ({what}) fails, an execution is FAILED from the start: {failure}")
            }
            Why::Inputs(failure) => write!(f, "no execution starts, its inputs fail: {failure}"),
        }
    }
}
