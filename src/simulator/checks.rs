//! `checks` of a flow: what must hold before the API starts an execution. Triggers do not ask for them (source of 1.3 and 2.0).

use super::context::Context;
use super::executor::rendered;
use super::origin::Origin;
use crate::flow::{self, Check, CheckBehavior};

/// What does not hold: the strictest behavior, and the messages.
pub(super) struct Failed {
    pub(super) behavior: CheckBehavior,
    pub(super) messages: Vec<String>,
}

/// The checks that an execution of a flow fails which is started with these inputs.
pub(super) fn failed(cx: &Context, flow: u32, origin: Option<&Origin>) -> Option<Failed> {
    let of = cx.plan.flows.get(flow as usize).filter(|flow| !flow.checks.is_empty())?;
    let failed: Vec<&Check> = of.checks.iter().filter(|check| !holds(cx, flow, origin, &check.condition)).collect();
    let behavior = failed.iter().map(|check| check.behavior).min()?;
    Some(Failed { behavior, messages: failed.into_iter().map(|check| check.message.clone()).collect() })
}

/// Whether a condition comes to the value true: what cannot be worked out does not.
fn holds(cx: &Context, flow: u32, origin: Option<&Origin>, condition: &str) -> bool {
    flow::is_true(condition, &mut |template| rendered(cx, (flow, origin), template)).unwrap_or(false)
}
