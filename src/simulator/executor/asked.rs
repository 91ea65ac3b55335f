//! What an execution asks of the simulation: the time, draws, templates; and how its version runs executions.

use serde_json::{Map, Value as Json, json};

use super::super::context::Context;
use super::super::origin::Origin;
use crate::execution::{Dialect, World};
use crate::flow::Flow;
use crate::pebble::{self, Host, Template};
use crate::profile::{Profile, Quirk};
use crate::random::name_key;
use crate::time::Instant;

/// What the execution asks of the simulation.
pub(super) struct Asked<'a> {
    pub(super) cx: &'a Context,
    pub(super) flow: u32,
    pub(super) number: u64,
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

    fn render(&mut self, template: &str, own: Map<String, Json>) -> Result<String, String> {
        let dialect = pebble::Dialect::named(self.cx.profile.language().name());
        let dialect = dialect.ok_or("no version's templates are known")?;
        let host = Host::at(self.cx.calendar.date(self.cx.now));
        let template = Template::parse(template, dialect).map_err(|error| error.to_string())?;
        template.render(&self.variables(own), &host).map_err(|error| error.to_string())
    }
}

impl Asked<'_> {
    /// The variables of the flow, and those that only the execution knows.
    fn variables(&self, own: Map<String, Json>) -> Map<String, Json> {
        let mut variables = Map::new();
        if let Some(flow) = self.cx.plan.flows.get(self.flow as usize) {
            variables.insert("flow".into(), json!({ "id": flow.id, "namespace": flow.namespace }));
            if let Some(vars) = flow.source.get("variables").filter(|vars| vars.is_object()) {
                variables.insert("vars".into(), vars.clone());
            }
            let inputs = inputs(flow, self.origin);
            if !inputs.is_empty() {
                variables.insert("inputs".into(), Json::Object(inputs));
            }
        }
        variables.extend(own);
        variables
    }
}

/// What a template comes to for an execution of a flow, with these variables beside those of the flow.
///
/// # Errors
/// Why it comes to nothing.
pub(in crate::simulator) fn rendered(
    cx: &Context,
    (flow, origin): (u32, Option<&Origin>),
    template: &str,
    own: Map<String, Json>,
) -> Result<String, String> {
    Asked { cx, flow, number: 0, origin }.render(template, own)
}

/// The inputs of an execution: those given, and what the flow says where none was.
pub(in crate::simulator) fn inputs(flow: &Flow, origin: Option<&Origin>) -> Map<String, Json> {
    let declared = flow.source.get("inputs").and_then(Json::as_array).into_iter().flatten();
    let usual = declared.filter_map(|input| {
        let id = input.get("id").or_else(|| input.get("name"))?.as_str()?;
        Some((id.to_owned(), input.get("defaults").filter(|it| !it.is_null())?.clone()))
    });
    let mut inputs: Map<String, Json> = usual.collect();
    inputs.extend(origin.map(|origin| origin.inputs.clone()).unwrap_or_default());
    inputs
}

/// How a version runs executions.
pub(super) fn dialect(profile: &Profile) -> Dialect {
    Dialect {
        cancelled_counts: profile.has(Quirk::CancelledCounts),
        next_by_place: profile.has(Quirk::NextByPlace),
        exit_unseen: profile.has(Quirk::ExitUnseen),
        kill_restarts: profile.has(Quirk::KillRestarts),
        parallel_fails: profile.has(Quirk::ParallelFails),
        cut_goes_on: profile.has(Quirk::CutGoesOn),
    }
}
