//! Flow triggers: which flows an execution starts when it changes its state. Pure: the clock is the caller's, and what is
//! kept between executions is data of the caller's.
//!
//! A transition is looked at in this order: an execution does not wake its own flow; one that is not NORMAL wakes none;
//! `states`; then `conditions`, or `when` of 2.0; then what several executions complete, `preconditions`,
//! MultipleCondition and `dependsOn`. Public holidays are not simulated.

mod context;
mod convert;
mod decide;
mod found;
mod holds;
mod index;
mod schedule;
mod start;
mod upstream;
mod verdict;
mod window;

pub use context::{instant, variables};
#[cfg(feature = "internals")]
pub use schedule::{Dates, Started};
pub use schedule::{Look, Next, Scheduled};
pub use start::Fired;
pub use upstream::{CORRELATION, REPLAY, RESTARTED, TaskRun, Upstream, UpstreamTrigger, tree};
pub use verdict::{Verdict, Why};
#[cfg(feature = "internals")]
pub use window::Window;
pub use window::Windows;

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json};

use crate::flow::trigger::{Condition, Dialect, FlowTrigger};
use crate::flow::{Flow, State, TriggerAction};
use crate::pebble::{self, Host, Template};

use context::{Templates, Woken};
use index::Index;

/// The Flow triggers of all flows.
#[derive(Clone, Debug)]
pub struct Listeners {
    listeners: Vec<Listener>,
    index: Index,
    dialect: Dialect,
    templates: &'static pebble::Dialect,
    /// Where days begin: the time zone of the server.
    zone: TimeZone,
}

/// One Flow trigger.
#[derive(Clone, Debug)]
struct Listener {
    /// The place of its flow among the flows.
    flow: usize,
    /// Its place among the flow's triggers.
    trigger: usize,
    id: String,
    own: Own,
    /// It or its flow is `disabled`.
    off: bool,
    /// It waits for several executions.
    several: bool,
    rule: FlowTrigger,
}

/// Which of all Flow triggers are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// All.
    All,
    /// Those that one execution wakes.
    OfOne,
    /// Those that wait for several executions: `preconditions`, a MultipleCondition, `dependsOn`.
    OfSeveral,
}

impl Among {
    fn has(self, listener: &Listener) -> bool {
        match self {
            Among::All => true,
            Among::OfOne => !listener.several,
            Among::OfSeveral => listener.several,
        }
    }
}

/// The flow that has a trigger.
#[derive(Clone, Debug)]
struct Own {
    id: String,
    namespace: String,
    labels: Vec<(String, String)>,
    variables: Option<Map<String, Json>>,
    /// The templates of the trigger, read once.
    parsed: Arc<FxHashMap<String, Result<Template, Failure>>>,
}

/// What templates may ask that is not of the execution.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Variables of all templates: `envs`, `globals`, `kestra`.
    pub base: &'a Map<String, Json>,
    /// The time, secrets and values; who renders is the executor.
    pub host: &'a Host<'a>,
}

/// Why something could not be evaluated, in the words of Kestra's exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    words: String,
    /// It is ours: Kestra might not fail.
    not_simulated: bool,
}

impl Failure {
    /// Kestra's words.
    pub fn new(words: impl Into<String>) -> Failure {
        Failure { words: words.into(), not_simulated: false }
    }

    fn of(error: &pebble::Error) -> Failure {
        Failure { words: error.to_string(), not_simulated: error.kind() != pebble::Kind::Engine }
    }

    fn no_value() -> Failure {
        Failure::new("No value present")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Whether all of some conditions hold of an execution, as a flow asks them of one of its own. What cannot be evaluated
/// counts as false.
pub fn hold(
    flow: &Flow,
    conditions: &[Condition],
    upstream: &Upstream<'_>,
    around: &Surroundings<'_>,
    (dialect, templates): (Dialect, &'static pebble::Dialect),
) -> bool {
    let (own, woken) = (&Own::of(flow, [], templates), Woken::By(upstream));
    let templates = &Templates::new(own, woken, around, dialect, templates);
    let asked = holds::Asked { own, woken, templates, dialect };
    conditions.iter().all(|condition| asked.holds(condition) == Ok(true))
}

impl Listeners {
    /// The Flow triggers of some flows. A [`Fired`] names flows and triggers by their places in this list. What the
    /// version refuses of a trigger is not asked here: see [`crate::flow::trigger::refused`].
    pub fn new(flows: &[Flow], dialect: Dialect, templates: &'static pebble::Dialect, zone: TimeZone) -> Listeners {
        let of = |(at, flow)| listeners_of(at, flow, templates);
        let mut listeners: Vec<Listener> = flows.iter().enumerate().flat_map(of).collect();
        for listener in &mut listeners {
            listener.several = listener.waits(dialect.era);
        }
        let index = Index::new(&listeners, dialect);
        Listeners { listeners, index, dialect, templates, zone }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.listeners.iter().all(|listener| listener.off)
    }

    /// The flows of which a trigger waits for several executions.
    pub fn flows_of_several(&self) -> usize {
        let listeners = self.listeners.iter().filter(|listener| listener.several && !listener.off);
        let mut flows: Vec<usize> = listeners.map(|listener| listener.flow).collect();
        flows.dedup();
        flows.len()
    }

    /// Whether any of them could be concerned by an execution of a namespace, with labels (those of the system need not be
    /// among them), that comes into a state.
    pub fn may_hear(&self, namespace: &str, state: State, labels: &[(String, String)], among: Among) -> bool {
        let is = |at| self.listeners.get(at).is_some_and(|listener| among.has(listener));
        self.index.any(namespace, state, labels, is)
    }

    /// What a transition of an execution starts, in the order of flows and their triggers; and what windows keep of it.
    pub fn transition(
        &self,
        windows: &mut Windows,
        upstream: &Upstream<'_>,
        now: jiff::Timestamp,
        around: &Surroundings<'_>,
        among: Among,
    ) -> Vec<Fired> {
        let candidates = self.index.candidates(upstream.namespace, upstream.state, upstream.labels);
        if candidates.is_empty() {
            return Vec::new();
        }
        let awake = candidates.iter().filter_map(|at| self.listeners.get(*at)).filter(|listener| among.has(listener));
        self.decide(windows, upstream, now, around, awake, &mut None)
    }

    /// What a transition comes to at each of them, as [`Listeners::transition`] would find it.
    pub fn why(
        &self,
        windows: &Windows,
        upstream: &Upstream<'_>,
        now: jiff::Timestamp,
        around: &Surroundings<'_>,
        among: Among,
    ) -> Vec<Verdict> {
        let mut windows = windows.clone();
        let mut verdicts = Vec::new();
        let mut told = |listener: &Listener, why: Why| {
            verdicts.push(Verdict { flow: listener.flow, trigger: listener.trigger, why });
        };
        let listeners = self.listeners.iter().filter(|listener| among.has(listener));
        self.decide(&mut windows, upstream, now, around, listeners, &mut Some(&mut told));
        verdicts.sort_by_key(|verdict| (verdict.flow, verdict.trigger));
        verdicts
    }
}

impl Own {
    /// The flow of a trigger that has these texts.
    fn of<'t>(flow: &Flow, texts: impl IntoIterator<Item = &'t str>, templates: &'static pebble::Dialect) -> Own {
        let read = |text: &str| Template::parse(text, templates).map_err(|error| Failure::of(&error));
        let texts = texts.into_iter().filter(|text| text.contains('{'));
        Own {
            parsed: Arc::new(texts.map(|text| (text.to_owned(), read(text))).collect()),
            id: flow.id.clone(),
            namespace: flow.namespace.clone(),
            labels: flow.labels.clone(),
            variables: flow.source.get("variables").and_then(Json::as_object).cloned(),
        }
    }
}

fn listeners_of<'f>(
    at: usize,
    flow: &'f Flow,
    templates: &'static pebble::Dialect,
) -> impl Iterator<Item = Listener> + use<'f> {
    flow.triggers.iter().enumerate().filter_map(move |(trigger, it)| {
        let TriggerAction::Flow(rule) = &it.action else { return None };
        let off = flow.disabled || it.disabled;
        let own = Own::of(flow, rule.texts(), templates);
        let (id, rule) = (it.id.clone(), FlowTrigger::clone(rule));
        Some(Listener { flow: at, trigger, id, own, off, several: false, rule })
    })
}
