//! Inputs of executions that are to start, and of a Pause that is let go on: one way to check them.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::context::Context;
use super::executor::rendered;
use super::limits;
use super::origin::Origin;
use crate::flow;
use crate::pebble;
use crate::scenario::input_words;

/// The inputs of an execution of a flow that is started with some.
///
/// # Errors
/// What Kestra says of the first that it refuses; secrets are masked.
pub(super) fn resolved(cx: &Context, flow: u32, given: &Map<String, Json>) -> Result<Map<String, Json>, String> {
    let declared = cx.plan.flows.get(flow as usize).map_or(&[][..], |flow| flow.declared());
    if declared.is_empty() {
        return Ok(Map::new());
    }
    let render = &mut |template: &str, seen: &Map<String, Json>| {
        let origin = Origin { inputs: seen.clone(), ..Origin::default() };
        rendered(cx, (flow, Some(&origin)), template)
    };
    flow::given(declared, given, input_words(cx.profile), render).map_err(|why| masked(cx, declared, given, &why))
}

/// What is wrong with inputs, without secrets: also without those that are refused.
pub(super) fn masked(cx: &Context, declared: &[Json], given: &Map<String, Json>, why: &str) -> String {
    let mut secrets = pebble::Secrets::clone(&cx.secrets);
    secrets.hide(flow::secret_inputs(declared, given).into_iter().map(str::to_owned));
    secrets.mask(why)
}

/// From now on the values of SECRET inputs of an execution are masked wherever secrets are.
pub(super) fn keep_secret(cx: &mut Context, flow: u32, inputs: &Map<String, Json>) {
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
