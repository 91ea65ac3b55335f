//! `checks` of a flow: what must hold before the API starts an execution. Triggers do not ask for them (source of 1.3 and 2.0).

use super::context::Context;
use super::executor::rendered;
use super::origin::Origin;
use crate::flow::{Check, CheckBehavior};

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

/// Whether a condition comes to the value true: a text is none, and neither is what cannot be worked out.
fn holds(cx: &Context, flow: u32, origin: Option<&Origin>, condition: &str) -> bool {
    let inner = condition.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let Some(inner) = inner.filter(|inner| !inner.contains("{{") && !inner.contains("}}")) else { return false };
    let is = |template: &str, text: &str| rendered(cx, (flow, origin), template).is_ok_and(|it| it == text);
    is(condition.trim(), "true") && is(&format!("{{{{ ({inner}) | className }}}}"), "java.lang.Boolean")
}
