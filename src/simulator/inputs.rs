//! Inputs of executions that are to start, and of a Pause that is let go on: one way to check them.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value as Json};

use super::context::Context;
use super::executor::rendered;
use super::limits;
use super::origin::Origin;
use crate::execution;
use crate::flow;
use crate::scenario::{input_words, trigger_dialect};

/// The inputs of an execution of a flow that is started with some.
///
/// # Errors
/// What Kestra says of the first that it refuses; secrets are masked.
pub(super) fn resolved(cx: &Context, flow: u32, given: &Map<String, Json>) -> Result<Map<String, Json>, String> {
    let declared = cx.plan.flows.get(flow as usize).map_or(&[][..], |flow| flow.declared());
    if declared.is_empty() {
        return Ok(Map::new());
    }
    let usual = cx.flows.get(flow as usize).map(|model| &model.usual_inputs).filter(|_| given.is_empty());
    if let Some(inputs) = usual.and_then(OnceLock::get) {
        return Ok(inputs.clone());
    }
    let mut templates = false;
    let render = &mut |template: &str, seen: &Map<String, Json>| {
        templates |= template.contains('{');
        let origin = Origin { inputs: seen.clone(), ..Origin::default() };
        rendered(cx, (flow, Some(&origin)), template)
    };
    let inputs = flow::given(declared, given, input_words(cx.profile), render)
        .map_err(|why| masked(cx, declared, given, &why))?;
    if let (Some(usual), false) = (usual, templates) {
        // Nobody was before it: it was empty just now.
        let _ = usual.set(inputs.clone());
    }
    Ok(inputs)
}

/// The inputs of an execution that a Schedule starts with some. Up to 0.20 nobody looks at them where there is none: neither a
/// given one nor a default.
///
/// # Errors
/// What Kestra says of the first that it refuses; secrets are masked.
pub(super) fn scheduled(cx: &Context, flow: u32, given: &Map<String, Json>) -> Result<Map<String, Json>, String> {
    let declared = cx.plan.flows.get(flow as usize).map_or(&[][..], |flow| flow.declared());
    let some =
        || !given.is_empty() || declared.iter().any(|input| input.get("defaults").is_some_and(|it| !it.is_null()));
    match trigger_dialect(cx.plan.kestra).schedule_inputs || some() {
        true => resolved(cx, flow, given),
        false => Ok(Map::new()),
    }
}

/// The inputs of an execution that a Webhook starts whose trigger has these variables: none where it gives none.
///
/// # Errors
/// Why they cannot be worked out, or what Kestra says of the first that it refuses; secrets are masked.
pub(super) fn of_webhook(
    cx: &Context,
    flow: u32,
    gives: &Map<String, Json>,
    trigger: Option<&Map<String, Json>>,
) -> Result<Map<String, Json>, String> {
    if gives.is_empty() {
        return Ok(Map::new());
    }
    let declared = cx.plan.flows.get(flow as usize).map_or(&[][..], |flow| flow.declared());
    if let Some((_, why)) = flow::unsealed(declared, gives) {
        return Err(why);
    }
    let origin = Origin { trigger: trigger.cloned(), ..Origin::default() };
    let render = &mut |template: &str| rendered(cx, (flow, Some(&origin)), template);
    let given = execution::deep_map(gives, render).map_err(|why| cx.secrets.mask_words(&why))?;
    resolved(cx, flow, &given)
}

/// What is wrong with inputs, without secrets: also without those that are refused.
pub(super) fn masked(cx: &Context, declared: &[Json], given: &Map<String, Json>, why: &str) -> String {
    cx.secrets.and(flow::secret_inputs(declared, given)).mask_words(why)
}

/// From now on the values of SECRET inputs of an execution are masked wherever secrets are.
pub(super) fn keep_secret(cx: &mut Context, flow: u32, inputs: &Map<String, Json>) {
    if !cx.flows.get(flow as usize).is_some_and(|model| model.secretive) {
        return;
    }
    let declared = cx.plan.flows.get(flow as usize).map_or(&[][..], |flow| flow.declared());
    let values = flow::secret_inputs(declared, inputs);
    hide(cx, values.into_iter().map(str::to_owned).collect());
}

/// From now on these values are masked wherever secrets are.
pub(super) fn hide(cx: &mut Context, values: Vec<String>) {
    let new: Vec<String> = values.into_iter().filter(|value| !cx.secrets.hides(value)).collect();
    if new.is_empty() {
        return;
    }
    if cx.secrets.hidden() + new.len() > limits::SECRET_INPUTS {
        return cx.reached("the number of values of SECRET inputs", limits::SECRET_INPUTS as u64);
    }
    Arc::make_mut(&mut cx.secrets).hide(new);
}
