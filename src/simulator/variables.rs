//! The variables of templates in the cluster, and what else they ask of the world: one way for what executors work out
//! (flowables, conditions, inputs of other flows) and what workers do (tasks).

use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::heard::{Heard, base};
use super::origin::Origin;
use crate::execution::trigger::{Upstream, instant, variables};
use crate::execution::{Dialect, Naming};
use crate::flow::Flow;
use crate::pebble::{self, Host, Template};
use crate::scenario::trigger_dialect;

/// The variables of a task run's templates, or of those of the execution itself.
pub(super) fn of_run(
    cx: &Context,
    (of, it): (&Heard<'_>, &Upstream<'_>),
    dialect: &Dialect,
    run: Option<u32>,
) -> Map<String, Json> {
    let mut context = base(cx);
    context.extend(variables(it, trigger_dialect(cx.plan.kestra)));
    context.insert("flow".into(), about(cx, (it.flow, it.namespace), it.revision));
    let model = cx.plan.flows.get(of.flow as usize).zip(cx.flows.get(of.flow as usize));
    if let Some((flow, model)) = model {
        // A template sees what its flow gives to inputs that nobody gave.
        let inputs = inputs(cx, flow, of.origin);
        if !inputs.is_empty() {
            context.insert("inputs".into(), inputs.into());
        }
        if let Some(run) = run {
            let id = |run: u32| cx.task_run_id(of.flow, of.number, run);
            let date = |at| instant(cx.calendar.date(at));
            let naming = Naming { id: &id, date: &date };
            context.extend(of.it.variables((&model.tree, dialect), run, &naming));
        }
    }
    if let Some(iteration) = &of.it.iteration {
        context.insert("item".into(), iteration.variable());
        // Those of the execution that holds the Loop stand in the place of its own (source).
        if let Some(Json::Object(outputs)) = context.get_mut("outputs") {
            outputs.extend(iteration.outputs.clone());
        }
    }
    if let Some(vars) = it.variables {
        context.insert("vars".into(), vars.clone().into());
    }
    context
}

/// What the templates of an execution ask of the world.
pub(super) fn host<'a>(cx: &'a Context, of: &Heard<'a>, run: Option<u32>) -> Host<'a> {
    let drawn = run.map_or(0, |run| u64::from(run) + 1);
    Host {
        secrets: &cx.secrets,
        kv: &cx.plan.kv,
        environment: &cx.plan.environment,
        error_logs: of.errors,
        seed: cx.flow_key(of.flow) ^ of.number.rotate_left(24) ^ drawn,
        ..Host::at(cx.calendar.date(cx.now))
    }
}

/// The inputs of an execution: those given, and what the flow says where none was. What cannot be worked out is not there.
fn inputs(cx: &Context, flow: &Flow, origin: Option<&Origin>) -> Map<String, Json> {
    let mut inputs = origin.map(|origin| origin.inputs.clone()).unwrap_or_default();
    for input in flow.source.get("inputs").and_then(Json::as_array).into_iter().flatten() {
        let id = input.get("id").or_else(|| input.get("name")).and_then(Json::as_str);
        let usual = input.get("defaults").filter(|it| !it.is_null());
        let (Some(id), Some(usual)) = (id, usual) else { continue };
        if inputs.contains_key(id) {
            continue;
        }
        let value = match usual {
            Json::String(text) if text.contains('{') => of_flow(cx, flow, text).map(Json::String),
            other => Some(other.clone()),
        };
        inputs.extend(value.map(|value| (id.to_owned(), value)));
    }
    inputs
}

/// The variable `flow`.
fn about(cx: &Context, (id, namespace): (&str, &str), revision: u32) -> Json {
    let mut flow = json!({ "id": id, "namespace": namespace, "revision": revision });
    if trigger_dialect(cx.plan.kestra).tenant {
        flow["tenantId"] = "main".into();
    }
    flow
}

/// A template that sees nothing but its flow.
fn of_flow(cx: &Context, flow: &Flow, text: &str) -> Option<String> {
    let dialect = pebble::Dialect::named(cx.plan.kestra.language().name())?;
    let variables = Map::from_iter([("flow".to_owned(), about(cx, (&flow.id, &flow.namespace), 1))]);
    let host = Host { secrets: &cx.secrets, kv: &cx.plan.kv, ..Host::at(cx.calendar.date(cx.now)) };
    Template::parse(text, dialect).ok()?.render(&variables, &host).ok()
}
