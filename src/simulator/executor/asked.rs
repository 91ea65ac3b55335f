//! What an execution asks of the simulation: the time, draws, templates; and how its version runs executions.

use serde_json::{Map, Value as Json, json};

use super::super::context::Context;
use super::super::heard::{Heard, base};
use super::super::origin::Origin;
use super::super::variables;
use super::orders::Meant;
use super::waiting::Known;
use crate::execution::trigger::{self, Surroundings};
use crate::execution::{self, Dialect, Done, World};
use crate::flow;
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
    /// Those that have not ended, where a task may let one of them go on.
    pub(super) others: Option<&'a Known>,
    /// Those that a task lets go on, and what it gives them.
    pub(super) resumes: Vec<(Meant, Map<String, Json>)>,
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
        if flow::core(&task.kind) == Some("Resume") {
            let asked = self.rendering(execution, Some(run), |render| resumed(&task.properties, render))?;
            let resumes = asked.and_then(|asked| self.lets_go_on(asked, variables));
            return Some(resumes.unwrap_or_else(|error| Done { error: Some(error), unsound: true, ..Done::default() }));
        }
        self.rendering(execution, Some(run), |render| execution::work(&task.kind, &task.properties, variables, render))?
    }

    fn listens(&mut self, execution: &execution::Execution, listener: usize) -> bool {
        let &mut Asked { cx, flow, number, created, origin, .. } = self;
        let templates = pebble::Dialect::named(cx.profile.language().name());
        let found = cx.plan.flows.get(flow as usize).and_then(|it| Some((it, it.listeners.get(listener)?)));
        let (Some((model, listener)), Some(templates)) = (found, templates) else { return false };
        let of =
            Heard { flow, number, created, state: execution.state, since: cx.now, it: execution, origin, errors: &[] };
        let host = variables::host(cx, &of, None);
        let around = Surroundings { base: &base(cx), host: &host };
        let dialects = (trigger_dialect(cx.plan.kestra), templates);
        // 2.0 has none.
        dialects.0.era == Era::Conditions
            && of.seen(cx, |it| trigger::hold(model, &listener.conditions, it, &around, dialects)) == Some(true)
    }

    fn result(&mut self, execution: &execution::Execution) -> Result<Option<Map<String, Json>>, String> {
        // Most put out nothing.
        let flow = self.cx.plan.flows.get(self.flow as usize);
        let flow = flow.filter(|_| self.cx.flows.get(self.flow as usize).is_some_and(|flow| flow.puts_out));
        let declared = flow.and_then(|flow| flow.source.get("outputs")?.as_array());
        let Some(declared) = declared else { return Ok(None) };
        let outputs = self.rendering(execution, None, |render| execution::outputs(declared, render));
        outputs.unwrap_or_else(|| Err(NO_FLOW.to_owned())).map(Some)
    }
}

/// What a Resume names: an execution, and what it gives it.
fn resumed(
    properties: &Map<String, Json>,
    render: &mut execution::Render<'_>,
) -> Result<(Option<String>, Map<String, Json>), String> {
    let id = match properties.get("executionId") {
        None | Some(Json::Null) => None,
        Some(Json::String(text)) => Some(render(text)?),
        Some(other) => Some(other.to_string()),
    };
    let inputs = match properties.get("inputs") {
        Some(Json::Object(inputs)) => execution::deep_map(inputs, render)?,
        Some(Json::String(text)) => {
            let text = render(text)?;
            serde_json::from_str(&text).map_err(|error| format!("`{text}` is no mapping of inputs: {error}"))?
        }
        _ => Map::new(),
    };
    Ok((id, inputs))
}

impl Asked<'_> {
    /// A Resume lets an execution go on: that of its `executionId`, or its own. Kestra's words where there is none, or it is
    /// not PAUSED (source of 1.3; where it was let go on stands in the variables).
    fn lets_go_on(
        &mut self,
        (id, inputs): (Option<String>, Map<String, Json>),
        variables: Option<&Map<String, Json>>,
    ) -> Result<Done, String> {
        let id = id.unwrap_or_else(|| self.cx.id("execution", self.flow, self.number, 0));
        let found = self.others.and_then(|others| others.get(&id));
        let &(meant, paused) = found.ok_or_else(|| format!("No execution found for execution id {id}"))?;
        if !paused {
            return Err("The execution is not paused".to_owned());
        }
        self.resumes.push((meant, inputs));
        let flow = self.cx.plan.flows.get(meant.1.0 as usize);
        let about = json!({
            "id": id,
            "namespace": flow.map(|flow| flow.namespace.as_str()),
            "flowId": flow.map(|flow| flow.id.as_str()),
        });
        let mut variables = variables.cloned().unwrap_or_default();
        variables.insert("resumedExecution".to_owned(), about);
        Ok(Done { variables: Some(variables), ..Done::default() })
    }
}

const NO_FLOW: &str = "no version's templates are known";

impl<'a> Asked<'a> {
    /// Of an execution, by its flow and number.
    pub(super) fn of(
        cx: &'a Context,
        (flow, number): (u32, u64),
        created: Instant,
        dialect: &'a Dialect,
        origin: Option<&'a Origin>,
    ) -> Asked<'a> {
        Asked { cx, flow, number, created, dialect, origin, others: None, resumes: Vec::new() }
    }
}

impl Asked<'_> {
    /// The outputs that templates of the execution see.
    pub(super) fn outputs(&self, execution: &execution::Execution) -> Option<Map<String, Json>> {
        let &Asked { cx, flow, number, created, origin, .. } = self;
        let of =
            Heard { flow, number, created, state: execution.state, since: cx.now, it: execution, origin, errors: &[] };
        let mut context = of.seen(cx, |it| variables::of_run(cx, (&of, it), self.dialect, None))?;
        match context.remove("outputs") {
            Some(Json::Object(outputs)) => Some(outputs),
            _ => None,
        }
    }

    /// What `what` makes of templates that the executor works out for a task run, or for the execution itself.
    pub(super) fn rendering<R>(
        &self,
        execution: &execution::Execution,
        run: Option<u32>,
        what: impl FnOnce(&mut execution::Render<'_>) -> R,
    ) -> Option<R> {
        self.rendering_with(execution, run, (Side::Executor, Map::new()), what)
    }

    /// The same, where it is worked out, and with more variables.
    pub(super) fn rendering_with<R>(
        &self,
        execution: &execution::Execution,
        run: Option<u32>,
        (side, more): (Side, Map<String, Json>),
        what: impl FnOnce(&mut execution::Render<'_>) -> R,
    ) -> Option<R> {
        let dialect = pebble::Dialect::named(self.cx.profile.language().name())?;
        let &Asked { cx, flow, number, created, origin, .. } = self;
        let of =
            Heard { flow, number, created, state: execution.state, since: cx.now, it: execution, origin, errors: &[] };
        let host = Host { side, ..variables::host(cx, &of, run) };
        let mut context = of.seen(cx, |it| variables::of_run(cx, (&of, it), self.dialect, run))?;
        context.extend(more);
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
    let asked = Asked::of(cx, (flow, 0), cx.now, &how, origin);
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
        pause_fails_plainly: profile.has(Quirk::PauseFailsPlainly),
    }
}
