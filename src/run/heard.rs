//! Why an alert flow starts, or does not: what its Flow triggers make of every execution they hear of.

use std::fmt::Write;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::Session;
use crate::flow::{Flow, Trigger, TriggerAction};
use crate::random::Seed;
use crate::scenario::Plan;
use crate::simulator::{LimitReached, Reason};
use crate::time::{Calendar, Instant};

/// What a flow heard in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hearing {
    /// The flow, as namespace and id.
    pub flow: String,
    /// Its Flow triggers.
    pub triggers: Vec<TriggerHearing>,
}

/// What one trigger heard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TriggerHearing {
    /// Its id.
    pub trigger: String,
    /// How often it started an execution.
    pub fired: usize,
    /// What it made of executions: those of one flow and state that came to the same are one line.
    pub heard: Vec<HeardLine>,
}

/// Executions of one flow that came into one state, of which a trigger made the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeardLine {
    /// Their flow.
    pub flow: String,
    /// Their state.
    pub state: &'static str,
    /// How many there were.
    pub times: usize,
    /// The first of them, in seconds since the start.
    #[serde(serialize_with = "crate::report::instant")]
    pub first: Instant,
    /// Its id.
    pub execution: String,
    /// Whether it starts an execution.
    pub fires: bool,
    /// The step that decided, with what it saw.
    pub why: String,
}

/// Runs a plan and asks the Flow triggers of one of its flows.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn hearing(plan: &Arc<Plan>, seed: Seed, calendar: Calendar, flow: usize) -> Result<Hearing, LimitReached> {
    let mut session = Session::new(plan.clone(), seed, calendar).asking(flow);
    session.advance(Instant::START + plan.duration)?;
    let simulation = session.simulation();
    let (name, triggers) = plan.flows.get(flow).map_or((String::new(), &[][..]), |flow| (flow.name(), &flow.triggers));
    let listening = triggers.iter().enumerate().filter(|(_, it)| matches!(it.action, TriggerAction::Flow(_)));
    let of = |(at, trigger): (usize, &Trigger)| {
        let reasons: Vec<&Reason> = simulation.reasons().iter().filter(|reason| reason.trigger == at).collect();
        let fired = reasons.iter().filter(|reason| reason.fires).count();
        TriggerHearing { trigger: trigger.id.clone(), fired, heard: lines(&reasons, plan) }
    };
    Ok(Hearing { flow: name, triggers: listening.map(of).collect() })
}

/// One line for what is the same.
fn lines(reasons: &[&Reason], plan: &Plan) -> Vec<HeardLine> {
    let mut lines: Vec<HeardLine> = Vec::new();
    let mut places: FxHashMap<(u32, &str, &str), usize> = FxHashMap::default();
    for reason in reasons {
        let place = places.entry((reason.upstream, reason.state.name(), reason.why.as_str())).or_insert(lines.len());
        if let Some(line) = lines.get_mut(*place) {
            line.times += 1;
            continue;
        }
        lines.push(HeardLine {
            flow: plan.flows.get(reason.upstream as usize).map(Flow::name).unwrap_or_default(),
            state: reason.state.name(),
            times: 1,
            first: reason.at,
            execution: reason.execution.clone(),
            fires: reason.fires,
            why: reason.why.clone(),
        });
    }
    lines
}

impl Hearing {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.flow);
        for TriggerHearing { trigger, fired, heard } in &self.triggers {
            let plural = if *fired == 1 { "execution" } else { "executions" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\ntrigger {trigger} starts {fired} {plural}");
            for HeardLine { flow, state, times, first, why, .. } in heard {
                let times = if *times == 1 { String::new() } else { format!(" ({times} times)") };
                let _ = writeln!(text, "  {:>11}  {flow} {state}{times}: {why}", first.rounded().to_string());
            }
            if heard.is_empty() {
                text += "  no execution came into any state\n";
            }
        }
        text
    }
}
