//! Notification tasks in the cluster: the message of a task run, with the variables that its templates have.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::context::Context;
use super::executor::inputs;
use super::heard::{Heard, base, stored};
use super::outbox::Prepared;
use crate::execution::trigger::{Upstream, instant, variables};
use crate::flow::{Flow, Task};
use crate::notify::{self, Asked, Dialect, Kind};
use crate::pebble::Host;
use crate::scenario::{Plan, trigger_dialect};

/// How a cluster tells people.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    dialect: Option<Arc<Dialect>>,
    /// By flow: whether any of its tasks sends something.
    tells: Arc<[bool]>,
}

fn sends(task: &Task) -> bool {
    notify::sends(&task.kind, &task.properties)
}

impl Telling {
    pub(super) fn new(plan: &Plan) -> Telling {
        let tells = plan.flows.iter().map(|flow| flow.all_tasks().into_iter().any(sends)).collect();
        Telling { dialect: Dialect::named(plan.kestra.language().name()).map(Arc::new), tells }
    }

    /// Whether any flow sends something.
    pub(super) fn any(&self) -> bool {
        self.tells.contains(&true)
    }

    /// What a task run sends, when its task sends anything.
    pub(super) fn prepare(&self, cx: &Context, of: &Heard<'_>, run: u32) -> Option<Prepared> {
        if !*self.tells.get(of.flow as usize)? {
            return None;
        }
        let flow = cx.plan.flows.get(of.flow as usize)?;
        let node = of.it.run(run)?.node;
        let task = flow.task(node as usize).filter(|task| sends(task))?;
        let dialect = self.dialect.as_deref()?;
        let host = Host { secrets: &cx.secrets, ..Host::at(cx.calendar.date(cx.now)) };
        let (context, own) = of.seen(cx, |it| (context(cx, (of, it), (flow, task), run), stored(it)))?;
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
        Some(match notify::message(&asked) {
            Ok(message) => Prepared::Message(Arc::new(message)),
            Err(error) if error.kind == Kind::NotSimulated => Prepared::NotSimulated(error.to_string()),
            Err(error) => Prepared::Fails(error.to_string()),
        })
    }
}

/// The variables of a task's templates: those of its execution, and those of the task run.
fn context(
    cx: &Context,
    (of, it): (&Heard<'_>, &Upstream<'_>),
    (flow, task): (&Flow, &Task),
    run: u32,
) -> Map<String, Json> {
    let attempt = of.it.run(run).map_or(1, |run| run.attempt);
    let task_run = cx.id("task run", of.flow, of.number, (run << 8) | attempt);
    let begun = instant(cx.calendar.date(cx.now));
    let mut context = base(cx);
    context.extend(variables(it, trigger_dialect(cx.plan.kestra)));
    let mut put = |name: &str, value: Json| drop(context.insert(name.to_owned(), value));
    put("flow", json!({ "id": flow.id, "namespace": flow.namespace, "revision": it.revision, "tenantId": "main" }));
    put("task", json!({ "id": task.id, "type": task.kind }));
    put("taskrun", json!({ "id": task_run, "startDate": begun, "attemptsCount": attempt - 1 }));
    // A task sees what its flow gives to inputs that nobody gave.
    let inputs = inputs(flow, of.origin);
    if !inputs.is_empty() {
        put("inputs", inputs.into());
    }
    if let Some(vars) = it.variables {
        put("vars", vars.clone().into());
    }
    context
}
