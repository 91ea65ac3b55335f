//! Notification tasks in the cluster: the message of a task run, with the variables that its templates have.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::executor::inputs;
use super::listening::{Heard, labels};
use super::outbox::Prepared;
use crate::execution::trigger::label_tree;
use crate::flow::{Flow, Task};
use crate::notify::{self, Asked, Dialect, Execution, Kind, task_type};
#[cfg(feature = "cli")]
use crate::pebble;
use crate::pebble::{Host, Secrets};
use crate::scenario::{Plan, trigger_dialect};

/// How a cluster tells people.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    secrets: Arc<Secrets>,
    dialect: &'static str,
    /// By flow: whether any of its tasks sends something.
    tells: Arc<[bool]>,
}

/// The secrets of a plan, as templates ask for them.
pub(super) fn secrets(plan: &Plan) -> Secrets {
    let names = plan.secrets.names();
    Secrets::new(names.filter_map(|name| Some((name.to_owned(), plan.secrets.get(name)?.to_owned()))))
}

/// Whether a task sends something: a type that is known, with properties that say what. Without any, as scenarios name
/// tasks for short, it is a plain task; so is a request that only fetches.
fn sends(task: &Task) -> bool {
    let has = |key: &str| task.properties.contains_key(key);
    match task_type(&task.kind) {
        Some(kind) if kind.channel == "http" => has("uri") && (has("body") || has("formData")),
        Some(kind) => task.properties.keys().any(|key| kind.has(key)),
        None => false,
    }
}

#[cfg(feature = "cli")]
/// What notification tasks of a plan ask of templates that is not simulated: the task, and what it asks.
pub fn unsimulated(plan: &Plan) -> Vec<(String, String)> {
    let Some(dialect) = pebble::Dialect::named(plan.kestra.language().name()) else { return Vec::new() };
    let mut found = Vec::new();
    for flow in &plan.flows {
        for task in flow.all_tasks().into_iter().filter(|task| sends(task)) {
            let mut asked: Vec<String> = Vec::new();
            texts(&task.properties, &mut |text| {
                let template = pebble::Template::parse(text, dialect);
                asked.extend(template.map(|template| template.unsupported()).unwrap_or_default());
            });
            asked.dedup();
            found.extend(asked.into_iter().map(|asked| (format!("`{}` of {}", task.id, flow.name()), asked)));
        }
    }
    found
}

#[cfg(feature = "cli")]
/// Every text of some properties. They are as deep as a file may be, at most.
fn texts(properties: &Map<String, Json>, each: &mut dyn FnMut(&str)) {
    fn within(value: &Json, each: &mut dyn FnMut(&str)) {
        match value {
            Json::String(text) => each(text),
            Json::Array(items) => items.iter().for_each(|item| within(item, each)),
            Json::Object(map) => map.values().for_each(|item| within(item, each)),
            _ => {}
        }
    }
    properties.values().for_each(|value| within(value, each));
}

impl Telling {
    pub(super) fn new(plan: &Plan) -> Telling {
        let tells = plan.flows.iter().map(|flow| flow.all_tasks().into_iter().any(sends)).collect();
        Telling { secrets: Arc::new(secrets(plan)), dialect: plan.kestra.language().name(), tells }
    }

    /// What a task run sends, when its task sends anything.
    pub(super) fn prepare(&self, cx: &Context, of: &Heard<'_>, run: u32) -> Option<Prepared> {
        if !*self.tells.get(of.flow as usize)? {
            return None;
        }
        let flow = cx.plan.flows.get(of.flow as usize)?;
        let node = of.it.run(run)?.node;
        let task = flow.task(node as usize).filter(|task| sends(task))?;
        let dialect = Dialect::named(self.dialect)?;
        let context = context(cx, of, flow, task, run);
        let host = Host { secrets: &self.secrets, ..Host::at(cx.calendar.date(cx.now)) };
        let own = execution(cx, of, flow);
        let upstream = of.origin.and_then(|origin| origin.upstream.as_deref());
        let executions =
            |id: &str| Some(&own).into_iter().chain(upstream).find(|execution| execution.id == id).cloned();
        let asked = Asked {
            kind: &task.kind,
            properties: &task.properties,
            context: &context,
            host: &host,
            dialect: &dialect,
            kestra_url: cx.plan.settings.kestra_url.as_deref(),
            executions: &executions,
        };
        Some(match notify::message(&asked) {
            Ok(message) => Prepared::Message(Arc::new(message)),
            Err(error) if error.kind == Kind::NotSimulated => Prepared::NotSimulated(error.to_string()),
            Err(error) => Prepared::Fails(error.to_string()),
        })
    }
}

/// An execution as Kestra's store has it.
pub(super) fn execution(cx: &Context, of: &Heard<'_>, flow: &Flow) -> Execution {
    let tree = cx.flows.get(of.flow as usize).map(|model| &model.tree);
    let name = |node: u32| tree.and_then(|tree| tree.node(node)).map_or(String::new(), |node| node.id.clone());
    let runs: Vec<_> = of.it.runs.iter().map(|run| (name(run.node), run.state)).collect();
    Execution {
        id: cx.id("execution", of.flow, of.number, 0),
        namespace: flow.namespace.clone(),
        flow: flow.id.clone(),
        state: of.state,
        start: cx.calendar.date(of.created),
        end: of.state.is_terminated().then(|| cx.calendar.date(cx.now)),
        task_runs: (!runs.is_empty() || !of.state.is_terminated()).then_some(runs),
    }
}

/// The variables of a task's templates.
fn context(cx: &Context, of: &Heard<'_>, flow: &Flow, task: &Task, run: u32) -> Map<String, Json> {
    let id = cx.id("execution", of.flow, of.number, 0);
    let date = |at| cx.calendar.date(at).to_string();
    let dialect = trigger_dialect(cx.plan.kestra);
    let attempt = of.it.run(run).map_or(1, |run| run.attempt);
    let mut context = Map::new();
    let mut put = |name: &str, value: Json| drop(context.insert(name.to_owned(), value));
    put("flow", json!({ "id": flow.id, "namespace": flow.namespace, "revision": 1, "tenantId": "main" }));
    put("task", json!({ "id": task.id, "type": task.kind }));
    let task_run = cx.id("task run", of.flow, of.number, (run << 8) | attempt);
    put("taskrun", json!({ "id": task_run, "startDate": date(cx.now), "attemptsCount": attempt - 1 }));
    let mut execution = json!({ "id": id, "startDate": date(of.created), "originalId": id });
    if dialect.state_text {
        execution["state"] = json!(of.state.name());
    }
    put("execution", execution);
    let labels = labels(of.origin.map_or(&flow.labels, |origin| &origin.labels), &id, dialect);
    put("labels", label_tree(&labels).into());
    let tree = cx.flows.get(of.flow as usize).map(|model| &model.tree);
    let states = of.it.runs.iter().filter_map(|run| {
        let name = tree?.node(run.node)?.id.clone();
        Some((name, json!({ "state": run.state.name() })))
    });
    put("tasks", Json::Object(states.collect()));
    put("outputs", json!({}));
    let inputs = inputs(flow, of.origin);
    if !inputs.is_empty() {
        put("inputs", inputs.into());
    }
    if let Some(trigger) = of.origin.and_then(|origin| origin.trigger.clone()) {
        put("trigger", trigger.into());
    }
    if let Some(vars) = flow.source.get("variables").filter(|vars| vars.is_object()) {
        put("vars", vars.clone());
    }
    let kestra: Map<String, Json> =
        cx.plan.settings.kestra_url.iter().map(|url| ("url".to_owned(), json!(url))).collect();
    put("kestra", kestra.into());
    context
}
