//! Flow triggers in the cluster: what an execution that comes into a state starts.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::context::Context;
use super::origin::Origin;
use super::telling::secrets;
use crate::execution::Execution;
use crate::execution::trigger::{
    CORRELATION, Fired, Listeners, Surroundings, TaskRun, Upstream, UpstreamTrigger, Verdict, Why, Windows,
};
use crate::flow::State;
use crate::flow::trigger::Dialect;
use crate::pebble;
use crate::scenario::{Plan, trigger_dialect};
use crate::time::Instant;

/// The Flow triggers of a plan, and what their windows keep.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    /// None when there is none that listens.
    listeners: Option<Arc<Listeners>>,
    windows: Windows,
    dialect: Dialect,
    /// What templates of triggers may ask for.
    secrets: Arc<pebble::Secrets>,
}

/// An execution that has come into a state.
pub(super) struct Heard<'a> {
    pub(super) flow: u32,
    pub(super) number: u64,
    pub(super) created: Instant,
    pub(super) state: State,
    pub(super) it: &'a Execution,
    pub(super) origin: Option<&'a Origin>,
}

impl Listening {
    pub(super) fn new(plan: &Plan) -> Listening {
        let dialect = trigger_dialect(plan.kestra);
        // The server's zone is that of containers.
        let templates = pebble::Dialect::named(plan.kestra.language().name());
        let listeners = templates.map(|templates| Listeners::new(&plan.flows, dialect, templates, TimeZone::UTC));
        let listeners = listeners.filter(|listeners| !listeners.is_empty()).map(Arc::new);
        let secrets = Arc::new(secrets(plan));
        Listening { listeners, windows: Windows::default(), dialect, secrets }
    }

    /// Whether nobody listens: then nothing needs to be told.
    pub(super) fn is_deaf(&self) -> bool {
        self.listeners.is_none()
    }

    /// What an execution starts that has come into a state; and why the triggers of a flow say what they say, when that is
    /// asked.
    pub(super) fn hear(&mut self, cx: &Context, heard: &Heard<'_>) -> (Vec<Fired>, Vec<Reason>) {
        let Some(listeners) = &self.listeners else { return (Vec::new(), Vec::new()) };
        let (Some(flow), Some(model)) = (cx.plan.flows.get(heard.flow as usize), cx.flows.get(heard.flow as usize))
        else {
            return (Vec::new(), Vec::new());
        };
        let id = cx.id("execution", heard.flow, heard.number, 0);
        let labels = labels(heard.origin.map_or(&flow.labels, |origin| &origin.labels), &id, self.dialect);
        let attempts: Vec<Vec<State>> = heard.it.runs.iter().map(|run| attempts(run.attempt, run.state)).collect();
        let name = |node: u32| model.tree.node(node).map_or("", |node| node.id.as_str());
        let runs = heard.it.runs.iter().zip(&attempts);
        let runs: Vec<TaskRun<'_>> = runs
            .map(|(run, attempts)| TaskRun {
                task: name(run.node),
                value: None,
                state: run.state,
                outputs: None,
                attempts,
            })
            .collect();
        let nothing = serde_json::Map::new();
        let trigger = heard.origin.and_then(|origin| origin.trigger.as_ref());
        let upstream = Upstream {
            id: &id,
            namespace: &flow.namespace,
            flow: &flow.id,
            revision: 1,
            state: heard.state,
            labels: &labels,
            inputs: heard.origin.map_or(&nothing, |origin| &origin.inputs),
            outputs: None,
            variables: flow.source.get("variables").and_then(serde_json::Value::as_object),
            trigger: trigger.map(|variables| UpstreamTrigger { schedule: false, variables }),
            // One that a limit ended has not even a list of them.
            task_runs: (!runs.is_empty() || !heard.state.is_terminated()).then_some(&runs),
            kind: None,
            start: cx.calendar.date(heard.created),
            end: (heard.state.is_terminated() || heard.state == State::Paused).then(|| cx.calendar.date(cx.now)),
            original: None,
        };
        let now = cx.calendar.date(cx.now);
        let host = pebble::Host { secrets: &self.secrets, ..pebble::Host::at(now) };
        let around = Surroundings { base: &nothing, host: &host };
        let reason = |verdict: Verdict| Reason {
            at: cx.now,
            upstream: heard.flow,
            execution: id.clone(),
            state: heard.state,
            trigger: verdict.trigger,
            fires: verdict.why == Why::Fires,
            why: verdict.why.to_string(),
        };
        let reasons = cx.asked.map(|asked| {
            let verdicts = listeners.why(&self.windows, &upstream, now, &around).into_iter();
            verdicts.filter(|verdict| verdict.flow == asked).map(reason).collect()
        });
        (listeners.transition(&mut self.windows, &upstream, now, &around), reasons.unwrap_or_default())
    }
}

/// What a Flow trigger made of an execution that came into a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// When.
    pub at: Instant,
    /// The flow of the execution, an index into the plan's.
    pub upstream: u32,
    /// The execution.
    pub execution: String,
    /// The state it came into.
    pub state: State,
    /// The place of the trigger in its flow.
    pub trigger: usize,
    /// Whether it starts an execution.
    pub fires: bool,
    /// The step that decided, with what it saw.
    pub why: String,
}

/// The labels of an execution: those it was started with, and its correlation, its own id for one that begins a chain.
pub(super) fn labels(given: &[(String, String)], id: &str, dialect: Dialect) -> Vec<(String, String)> {
    let mut labels = given.to_vec();
    if dialect.correlated && labels.iter().all(|(key, _)| key != CORRELATION) {
        labels.push((CORRELATION.to_owned(), id.to_owned()));
    }
    labels
}

/// The states of the attempts of a task run: all but the last have failed.
fn attempts(count: u32, last: State) -> Vec<State> {
    let mut attempts = vec![State::Failed; count.saturating_sub(1) as usize];
    attempts.push(last);
    attempts
}
