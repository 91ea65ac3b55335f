//! What workers make of tasks that are more than a while of work: notifications, and Kestra's own tasks that put something
//! out or fail by their properties. It is worked out when the task run is created, with the variables of that moment.

use std::sync::Arc;

use serde_json::Value as Json;

use super::context::Context;
use super::heard::{Heard, stored};
use super::outbox::{Prepared, Spans};
use super::variables;
use crate::execution::{self, Dialect, Done, Reads, Toggle};
use crate::flow::{self, Body, Flow, Span, Task, TriggerAction};
use crate::notify::{self, Asked, Kind};
use crate::pebble::Template;
use crate::scenario::Plan;

/// How a cluster works tasks out.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    dialect: Option<Arc<notify::Dialect>>,
    flows: Arc<[OfFlow]>,
}

/// What is worked out of a flow.
#[derive(Clone, Debug)]
struct OfFlow {
    reads: Reads,
    /// By number: whether a task is worked out; empty when none is.
    tasks: Box<[bool]>,
}

/// A Toggle fails that names no flow, or none of its triggers (source).
fn switching(cx: &Context, mut done: Done) -> Done {
    let Some(Toggle { namespace, flow: id, trigger, .. }) = &done.toggle else { return done };
    let why = match cx.plan.flows.iter().find(|flow| flow.namespace == *namespace && flow.id == *id) {
        None => format!(
            "Unable to find flow {namespace}.{id}. Make sure the flow exists and the current execution is authorized to \
             access it."
        ),
        Some(flow) if flow.triggers.iter().any(|it| it.id == *trigger && it.action.is_due()) => return done,
        Some(_) => format!("Unable to find trigger {trigger} for the flow {namespace}.{id}"),
    };
    done.error = Some(why);
    done
}

fn sends(task: &Task) -> bool {
    notify::sends(&task.kind, &task.properties)
}

impl Telling {
    pub(super) fn new(plan: &Plan) -> Telling {
        let dialect = notify::Dialect::named(plan.kestra.language().name());
        let others = plan.flows.iter().any(reads_of_others);
        let of_flow = |flow: &Flow| {
            let mentions = |word: &str| mentions(&flow.source, word);
            let renders = mentions("render") || mentions("Context");
            let reads =
                Reads { outputs: others || renders || mentions("outputs"), errors: renders || mentions("errorLogs") };
            let worked_out = |task: &Task| {
                let needed = || execution::needed(&task.kind, &task.properties, reads);
                let known = |it: &notify::Dialect| notify::not_simulated(&task.properties, it.pebble).is_empty();
                // What asks for something that is not simulated ends as its `behaviour` says.
                let spans = [&task.sleep, &task.timeout].into_iter().flatten().any(|span| span.written().is_none());
                sends(task) || (spans || needed() || flow::is_templated(task)) && dialect.as_ref().is_some_and(known)
            };
            let tasks: Vec<bool> = flow.all_tasks().into_iter().map(worked_out).collect();
            let tasks = if tasks.contains(&true) { tasks.into() } else { Box::default() };
            OfFlow { reads, tasks }
        };
        Telling { flows: plan.flows.iter().map(of_flow).collect(), dialect: dialect.map(Arc::new) }
    }

    /// What is read of the task runs of a flow.
    pub(super) fn reads(&self, flow: u32) -> Reads {
        self.flows.get(flow as usize).map(|it| it.reads).unwrap_or_default()
    }

    /// Whether any flow has tasks that are worked out.
    pub(super) fn any(&self) -> bool {
        self.flows.iter().any(|flow| !flow.tasks.is_empty())
    }

    /// What a worker makes of a task run, where that is more than a while of work.
    pub(super) fn prepare(&self, cx: &Context, of: &Heard<'_>, how: &Dialect, run: u32) -> Option<(Prepared, Spans)> {
        let tasks = &self.flows.get(of.flow as usize)?.tasks;
        let node = if tasks.is_empty() { return None } else { of.it.run(run)?.node };
        if !*tasks.get(node as usize)? {
            return None;
        }
        let flow = cx.plan.flows.get(of.flow as usize)?;
        let task = flow.task(node as usize)?;
        let dialect = self.dialect.as_deref()?;
        let host = variables::host(cx, of, Some(run));
        let (context, own) = of.seen(cx, |it| (variables::of_run(cx, (of, it), how, Some(run)), stored(it)))?;
        let mut render = |text: &str| {
            let template = Template::parse(text, dialect.pebble).map_err(|error| error.to_string())?;
            template.render(&context, &host).map_err(|error| error.to_string())
        };
        let spans = match spans(task, &mut render) {
            Ok(spans) => spans,
            Err(error) => {
                let done = Done { error: Some(error), unsound: true, ..Done::default() };
                return Some((Prepared::Done(Arc::new(done)), Spans { failed: true, ..Spans::default() }));
            }
        };
        let meant;
        let task = match templated(task, dialect, &mut render) {
            None => task,
            Some(Ok(task)) => {
                meant = task;
                &meant
            }
            Some(Err(prepared)) => return Some((prepared, spans)),
        };
        if !sends(task) {
            let done = execution::work(&task.kind, &task.properties, None, &mut render).unwrap_or_default();
            let done = switching(cx, done);
            return Some((Prepared::Done(Arc::new(done)), spans));
        }
        let upstream = of.origin.and_then(|origin| origin.upstream.as_deref());
        let executions =
            |id: &str| Some(&own).into_iter().chain(upstream).find(|execution| execution.id == id).cloned();
        let asked = Asked {
            kind: &task.kind,
            properties: &task.properties,
            context: &context,
            host: &host,
            dialect,
            kestra_url: cx.plan.settings.kestra_url.as_deref(),
            executions: &executions,
        };
        let prepared = match notify::message(&asked) {
            Ok(message) => Prepared::Message(Arc::new(message)),
            Err(error) if error.kind == Kind::NotSimulated => Prepared::NotSimulated(error.to_string()),
            Err(error) if error.kind == Kind::NotYet => Prepared::Looks(error.to_string()),
            Err(error) if error.kind == Kind::NotInState => {
                let waits = "the task looks for it, up to 10 min, until it is in the state that it waits for";
                Prepared::NotSimulated(format!("{error} in that state yet: {waits}"))
            }
            Err(error) => Prepared::Fails(error.to_string()),
        };
        Some((prepared, spans))
    }
}

/// The task that a TemplatedTask comes to; none of another one.
///
/// # Errors
/// It comes to none that a worker runs, or to one that is not simulated so.
fn templated(
    task: &Task,
    dialect: &notify::Dialect,
    render: &mut execution::Render<'_>,
) -> Option<Result<Task, Prepared>> {
    /// What these do to executions is done where they are found in a flow, and looked for there.
    const ELSEWHERE: &[&str] = &["Count", "Counts", "Kill", "Resume", "Sleep"];
    let spec = task.properties.get("spec").and_then(Json::as_str).filter(|_| flow::is_templated(task))?;
    let meant = match render(spec).and_then(|spec| flow::templated(&spec)) {
        Ok(meant) => meant,
        Err(error) => {
            let done = Done { error: Some(error), unsound: true, ..Done::default() };
            return Some(Err(Prepared::Done(Arc::new(done))));
        }
    };
    let name = flow::core(&meant.kind).unwrap_or_default();
    if ELSEWHERE.contains(&name) {
        return Some(Err(Prepared::NotSimulated(format!("a TemplatedTask that comes to {name}"))));
    }
    Some(match notify::not_simulated(&meant.properties, dialect.pebble).into_iter().next() {
        Some(what) => Err(Prepared::NotSimulated(format!("a TemplatedTask that comes to {}: {what}", meant.kind))),
        None => Ok(meant),
    })
}

/// What the durations of a task come to that are no durations as they stand.
fn spans(task: &Task, render: &mut execution::Render<'_>) -> Result<Spans, String> {
    let mut known = |span: &Option<Span>| match span {
        Some(span) if span.written().is_none() => span.known(render),
        _ => Ok(None),
    };
    Ok(Spans { within: known(&task.timeout)?, takes: known(&task.sleep)?, failed: false })
}

/// Whether a flow reads outputs of executions of other flows: by a Flow trigger, or what such a trigger gave it, or of those
/// that its Subflows start.
fn reads_of_others(flow: &Flow) -> bool {
    let listens = flow.triggers.iter().any(|trigger| matches!(trigger.action, TriggerAction::Flow(_)));
    let asks = |task: &&Task| matches!(&task.body, Body::Subflow(subflow) if !subflow.outputs.is_empty());
    listens && mentions(&flow.source, "utputs") || flow.all_tasks().iter().any(asks)
}

/// Whether any text of a value has this word.
fn mentions(value: &Json, word: &str) -> bool {
    match value {
        Json::String(text) => text.contains(word),
        Json::Array(items) => items.iter().any(|item| mentions(item, word)),
        Json::Object(map) => map.values().any(|value| mentions(value, word)),
        _ => false,
    }
}
