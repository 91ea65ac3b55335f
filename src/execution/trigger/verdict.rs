//! What a transition comes to at a Flow trigger, and why.

use std::fmt;

use jiff::Timestamp;

use super::Failure;
use super::upstream::Upstream;
use crate::flow::State;
use crate::flow::trigger::{Condition, Names, Test, Within};

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
    /// It would start an execution, and its inputs cannot be rendered: none starts (up to 1.3).
    Inputs(Failure),
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
            Why::Inputs(failure) => write!(f, "`inputs` cannot be rendered, no execution starts: {failure}"),
        }
    }
}

/// What a condition asked that does not hold, and what it found.
pub(super) fn found(condition: &Condition, upstream: &Upstream<'_>) -> String {
    let flow = || format!("the flow is `{}.{}`", upstream.namespace, upstream.flow);
    let labels = || {
        let labels: Vec<String> = upstream.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("the labels are [{}]", labels.join(", "))
    };
    match &condition.test {
        Test::Status(within) => format!("the state is {}{}", upstream.state.name(), wanted(within)),
        Test::Namespace { namespace, comparison, prefix } => {
            let how = match (comparison.as_deref(), prefix.as_deref()) {
                (Some("EQUALS"), _) | (None, None | Some("false")) => "",
                (Some("SUFFIX"), _) => "one that ends with ",
                _ => "one that begins with ",
            };
            format!("the namespace is `{}`, not {how}`{namespace}`", upstream.namespace)
        }
        Test::Flow { namespace, flow: id } => format!("{}, not `{namespace}.{id}`", flow()),
        Test::Labels { wanted, .. } => {
            let lacks: Vec<String> = wanted
                .iter()
                .filter(|(key, value)| !upstream.labelled(key, value))
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            format!("{}, without {}", labels(), lacks.join(", "))
        }
        Test::Outputs(expression) => match upstream.outputs {
            Some(outputs) if !outputs.is_empty() => format!("`{expression}` is not true"),
            _ => "the execution has no outputs of its flow".to_owned(),
        },
        Test::Expression(expression) => format!("`{expression}` gives nothing or `false`"),
        Test::Retried(_) => "no attempt of a task that was tried again is in such a state".to_owned(),
        Test::Or(list) => {
            let each: Vec<String> =
                list.iter().map(|held| format!("{}: {}", held.name(), found(held, upstream))).collect();
            format!("none holds ({})", each.join("; "))
        }
        Test::Not(list) => {
            let names: Vec<&str> = list.iter().map(Condition::name).collect();
            format!("one of {} holds: {}, {}, {}", names.join(", "), flow(), upstream.state.name(), labels())
        }
        Test::Own { namespace, flow } => {
            format!("it asks for the flow of the trigger itself, which is not `{namespace}.{flow}`")
        }
        Test::OwnNamespace { namespace, .. } => {
            format!("it asks for the namespace of the trigger's own flow, which is not `{namespace}`")
        }
        Test::Date { date, .. } => {
            format!("the date `{}` is not such a one", date.as_deref().unwrap_or("{{ trigger.date }}"))
        }
        Test::Multiple(_) | Test::Nothing => String::new(),
    }
}

fn wanted(within: &Within) -> String {
    let listed = |names: &Names| match names {
        Names::Text(text) => text.clone(),
        Names::List(list) => {
            let names: Vec<&str> = list.iter().map(|name| name.as_deref().unwrap_or("null")).collect();
            format!("[{}]", names.join(", "))
        }
    };
    let any_of = within.any_of.as_ref().map(|names| format!(", `in` is {}", listed(names)));
    let none_of = within.none_of.as_ref().map(|names| format!(", `notIn` is {}", listed(names)));
    format!("{}{}", any_of.unwrap_or_default(), none_of.unwrap_or_default())
}
