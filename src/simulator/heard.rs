//! An execution as others see it: Flow triggers that hear of its state, templates, and whoever looks it up.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::context::Context;
use super::origin::Origin;
use crate::execution::Execution;
use crate::execution::trigger::{CORRELATION, TaskRun, Upstream, UpstreamTrigger, tree};
use crate::flow::State;
use crate::flow::trigger::Dialect;
use crate::notify;
use crate::pebble::{self, ErrorLog};
use crate::scenario::trigger_dialect;
use crate::time::Instant;

/// An execution that is in a state now.
pub(super) struct Heard<'a> {
    pub(super) flow: u32,
    pub(super) number: u64,
    pub(super) created: Instant,
    pub(super) state: State,
    /// When it came into it.
    pub(super) since: Instant,
    pub(super) it: &'a Execution,
    pub(super) origin: Option<&'a Origin>,
    /// What its task runs logged as ERROR, as far as somebody reads it.
    pub(super) errors: &'a [ErrorLog],
}

impl Heard<'_> {
    /// What `look` makes of it; none of one of no flow.
    pub(super) fn seen<R>(&self, cx: &Context, look: impl FnOnce(&Upstream<'_>) -> R) -> Option<R> {
        let flow = cx.plan.flows.get(self.flow as usize)?;
        let tree = &cx.flows.get(self.flow as usize)?.tree;
        let id = cx.id("execution", self.flow, self.number, 0);
        let given = self.origin.map_or(&flow.labels, |origin| &origin.labels);
        let labels = labels(given, &self.it.labels, &id, trigger_dialect(cx.plan.kestra));
        let values: Vec<_> =
            self.it.runs.iter().map(|run| (self.it.value_of(run), self.it.values_around(run))).collect();
        let attempts: Vec<Vec<State>> = self.it.runs.iter().map(|run| attempts(run.attempt, run.state)).collect();
        let runs: Vec<TaskRun<'_>> = self
            .it
            .runs
            .iter()
            .enumerate()
            .zip(&attempts)
            .zip(&values)
            .map(|(((number, run), attempts), (value, within))| {
                let task = tree.node(run.node).map_or("", |node| node.id.as_str());
                let outputs = self.it.outputs.get(&(number as u32)).map(Arc::as_ref);
                TaskRun { task, value: value.as_deref(), within, state: run.state, outputs, attempts }
            })
            .collect();
        let ended = self.state.is_terminated();
        let nothing = Map::new();
        let trigger = self.origin.and_then(|origin| origin.trigger.as_ref());
        Some(look(&Upstream {
            id: &id,
            namespace: &flow.namespace,
            flow: &flow.id,
            revision: 1,
            state: self.state,
            labels: &labels,
            inputs: self.origin.map_or(&nothing, |origin| &origin.inputs),
            outputs: self.it.result.as_deref(),
            variables: self.it.variables.as_deref().or_else(|| flow.source.get("variables")?.as_object()),
            trigger: trigger.map(|variables| {
                let schedule = self.origin.is_some_and(|origin| origin.scheduled);
                UpstreamTrigger { schedule, variables }
            }),
            // One that a limit ended has not even a list of them.
            task_runs: (!runs.is_empty() || !ended).then_some(&runs),
            kind: self.it.iteration.as_ref().map(|_| "LOOP"),
            start: cx.calendar.date(self.created),
            end: (ended || self.state == State::Paused).then(|| cx.calendar.date(self.since)),
            original: self.origin.and_then(|origin| origin.original.as_deref()),
        }))
    }
}

/// An execution as Kestra's store has it.
pub(super) fn stored(upstream: &Upstream<'_>) -> notify::Execution {
    let runs = upstream.task_runs.map(|runs| runs.iter().map(|run| (run.task.to_owned(), run.state)).collect());
    notify::Execution {
        id: upstream.id.to_owned(),
        namespace: upstream.namespace.to_owned(),
        flow: upstream.flow.to_owned(),
        state: upstream.state,
        start: upstream.start,
        end: upstream.end,
        task_runs: runs,
    }
}

/// The variables that all templates have: what Kestra says of itself, what its servers' environment and configuration say.
pub(super) fn base(cx: &Context) -> Map<String, Json> {
    let settings = &cx.plan.settings;
    let mut base = Map::new();
    if trigger_dialect(cx.plan.kestra).kestra {
        let of = |key: &str, value: &Option<String>| Some((key.to_owned(), Json::from(value.as_deref()?)));
        let about = [of("environment", &settings.kestra_environment), of("url", &settings.kestra_url)];
        base.insert("kestra".to_owned(), Json::Object(about.into_iter().flatten().collect()));
    }
    let prefix = pebble::Dialect::named(cx.plan.kestra.language().name()).map_or("", |it| it.environment_prefix);
    let shown =
        |(key, value): (&String, &String)| Some((key.strip_prefix(prefix)?.to_lowercase(), Json::from(value.as_str())));
    base.insert("envs".to_owned(), Json::Object(cx.plan.environment.iter().filter_map(shown).collect()));
    base.insert("globals".to_owned(), Json::Object(tree(&settings.globals)));
    base
}

/// The labels of an execution: those it was started with, those its tasks gave it, and its correlation, its own id for one
/// that begins a chain.
pub(super) fn labels(
    given: &[(String, String)],
    more: &[(String, String)],
    id: &str,
    dialect: Dialect,
) -> Vec<(String, String)> {
    let mut labels = given.to_vec();
    for (key, value) in more {
        labels.retain(|(other, _)| other != key);
        labels.push((key.clone(), value.clone()));
    }
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
