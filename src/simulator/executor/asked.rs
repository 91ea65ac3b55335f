//! What an execution asks of the simulation: the time, draws, templates; and how its version runs executions.

use serde_json::{Map, Value as Json};

use super::super::context::Context;
use super::super::heard::{Heard, base};
use super::super::origin::Origin;
use super::super::variables;
use crate::execution::trigger::{self, Surroundings};
use crate::execution::{self, Dialect, Done, World};
use crate::flow::trigger::Era;
use crate::pebble::{self, Host, Side, Template};
use crate::profile::{Profile, Quirk};
use crate::random::name_key;
use crate::scenario::trigger_dialect;
use crate::time::Instant;

/// What the execution asks of the simulation.
pub(super) struct Asked<'a> {
    pub(super) cx: &'a Context,
    pub(super) flow: u32,
    pub(super) number: u64,
    pub(super) created: Instant,
    pub(super) dialect: &'a Dialect,
    /// What the execution was started with.
    pub(super) origin: Option<&'a Origin>,
}

impl World for Asked<'_> {
    fn now(&self) -> Instant {
        self.cx.now
    }

    fn share(&mut self, attempt: u32) -> f64 {
        let key = self.cx.flow_key(self.flow) ^ name_key("retry");
        self.cx.seed.numbered(key, self.number << 16 | u64::from(attempt)).uniform()
    }

    fn render(&mut self, template: &str, execution: &execution::Execution, run: u32) -> Result<String, String> {
        self.rendering(execution, Some(run), |render| render(template)).unwrap_or_else(|| Err(NO_FLOW.to_owned()))
    }

    fn work(&mut self, execution: &execution::Execution, run: u32) -> Option<Done> {
        let flow = self.cx.plan.flows.get(self.flow as usize)?;
        let task = flow.task(execution.run(run)?.node as usize)?;
        let of_flow = || flow.source.get("variables").and_then(Json::as_object);
        let variables = execution.variables.as_deref().or_else(of_flow);
        self.rendering(execution, Some(run), |render| execution::work(&task.kind, &task.properties, variables, render))?
    }

    fn listens(&mut self, execution: &execution::Execution, listener: usize) -> bool {
        let Asked { cx, flow, number, created, origin, .. } = *self;
        let templates = pebble::Dialect::named(cx.profile.language().name());
        let found = cx.plan.flows.get(flow as usize).and_then(|it| Some((it, it.listeners.get(listener)?)));
        let (Some((model, listener)), Some(templates)) = (found, templates) else { return false };
        let of = Heard { flow, number, created, state: execution.state, it: execution, origin, errors: &[] };
        let host = variables::host(cx, &of, None);
        let around = Surroundings { base: &base(cx), host: &host };
        let dialects = (trigger_dialect(cx.plan.kestra), templates);
        // 2.0 has none.
        dialects.0.era == Era::Conditions
            && of.seen(cx, |it| trigger::hold(model, &listener.conditions, it, &around, dialects)) == Some(true)
    }

    fn result(&mut self, execution: &execution::Execution) -> Result<Option<Map<String, Json>>, String> {
        let declared = self.cx.plan.flows.get(self.flow as usize).and_then(|flow| flow.source.get("outputs"));
        let Some(declared) = declared.and_then(Json::as_array).filter(|it| !it.is_empty()) else { return Ok(None) };
        let outputs = self.rendering(execution, None, |render| execution::outputs(declared, render));
        outputs.unwrap_or_else(|| Err(NO_FLOW.to_owned())).map(Some)
    }
}

const NO_FLOW: &str = "no version's templates are known";

impl Asked<'_> {
    /// What `what` makes of templates that the executor works out for a task run, or for the execution itself.
    pub(super) fn rendering<R>(
        &self,
        execution: &execution::Execution,
        run: Option<u32>,
        what: impl FnOnce(&mut execution::Render<'_>) -> R,
    ) -> Option<R> {
        let dialect = pebble::Dialect::named(self.cx.profile.language().name())?;
        let Asked { cx, flow, number, created, origin, .. } = *self;
        let of = Heard { flow, number, created, state: execution.state, it: execution, origin, errors: &[] };
        let host = Host { side: Side::Executor, ..variables::host(cx, &of, run) };
        let context = of.seen(cx, |it| variables::of_run(cx, (&of, it), self.dialect, run))?;
        let mut render = |text: &str| {
            let template = Template::parse(text, dialect).map_err(|error| error.to_string())?;
            template.render(&context, &host).map_err(|error| error.to_string())
        };
        Some(what(&mut render))
    }
}

/// What a template comes to for an execution of a flow that is not there yet.
///
/// # Errors
/// Why it comes to nothing.
pub(in crate::simulator) fn rendered(
    cx: &Context,
    (flow, origin): (u32, Option<&Origin>),
    template: &str,
) -> Result<String, String> {
    let how = dialect(cx.profile);
    let asked = Asked { cx, flow, number: 0, created: cx.now, dialect: &how, origin };
    let coming = execution::Execution::new(0, cx.now);
    asked.rendering(&coming, None, |render| render(template)).unwrap_or_else(|| Err(NO_FLOW.to_owned()))
}

/// How a version runs executions.
pub(super) fn dialect(profile: &Profile) -> Dialect {
    Dialect {
        cancelled_counts: profile.has(Quirk::CancelledCounts),
        next_by_place: profile.has(Quirk::NextByPlace),
        exit_unseen: profile.has(Quirk::ExitUnseen),
        kill_restarts: profile.has(Quirk::KillRestarts),
        parents_named: profile.has(Quirk::ParentsNamed),
        parallel_fails: profile.has(Quirk::ParallelFails),
        cut_goes_on: profile.has(Quirk::CutGoesOn),
    }
}
