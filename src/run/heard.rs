//! Why a flow starts, or does not: what its Flow triggers make of every execution they hear of, and its Schedules of dates.

use std::fmt::Write;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::Session;
use crate::flow::{Flow, Trigger, TriggerAction};
use crate::random::Seed;
use crate::scenario::Plan;
use crate::simulator::{About, LimitReached, Reason};
use crate::time::{Calendar, Instant};

/// What a flow heard in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hearing {
    /// The flow, as namespace and id.
    pub flow: String,
    /// Its Flow triggers and its Schedules.
    pub triggers: Vec<TriggerHearing>,
}

/// What one trigger heard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TriggerHearing {
    /// Its id.
    pub trigger: String,
    /// How often it started an execution.
    pub fired: usize,
    /// What it made of executions: those of one flow and state that came to the same are one line. Of a Schedule, what it made
    /// of dates.
    pub heard: Vec<HeardLine>,
}

/// Executions of one flow that came into one state, of which a trigger made the same; or dates one after another that the
/// same step of a Schedule refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeardLine {
    /// Their flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Their state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// The first of the dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The last of them, when there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// How many there were.
    pub times: usize,
    /// The first of them, in seconds since the start.
    #[serde(serialize_with = "crate::report::instant")]
    pub first: Instant,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// Whether it starts an execution.
    pub fires: bool,
    /// The step that decided, with what it saw; of dates what it saw of the first.
    pub why: String,
}

/// Runs a plan and asks the Flow triggers and the Schedules of one of its flows.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn hearing(plan: &Arc<Plan>, seed: Seed, calendar: Calendar, flow: usize) -> Result<Hearing, LimitReached> {
    let mut session = Session::new(plan.clone(), seed, calendar).asking(flow);
    session.advance(Instant::START + plan.duration)?;
    let simulation = session.simulation();
    let (name, triggers) = plan.flows.get(flow).map_or((String::new(), &[][..]), |flow| (flow.name(), &flow.triggers));
    let asked = |it: &Trigger| matches!(it.action, TriggerAction::Flow(_) | TriggerAction::Schedule(_));
    let asked = triggers.iter().enumerate().filter(|(_, it)| asked(it));
    let of = |(at, trigger): (usize, &Trigger)| {
        let reasons: Vec<&Reason> = simulation.reasons().iter().filter(|reason| reason.trigger == at).collect();
        let fired = reasons.iter().filter(|reason| reason.fires).count();
        TriggerHearing { trigger: trigger.id.clone(), fired, heard: lines(&reasons, plan) }
    };
    Ok(Hearing { flow: name, triggers: asked.map(of).collect() })
}

/// One line for what is the same.
fn lines(reasons: &[&Reason], plan: &Plan) -> Vec<HeardLine> {
    let mut lines: Vec<HeardLine> = Vec::new();
    let mut places: FxHashMap<(u32, &str, &str), usize> = FxHashMap::default();
    // The step that refused the dates of the last line.
    let mut refused: Option<&str> = None;
    for reason in reasons {
        let Reason { at, about, fires, why, .. } = reason;
        let line = HeardLine { times: 1, first: *at, fires: *fires, why: why.clone(), ..HeardLine::default() };
        match about {
            About::Execution { flow, execution, state } => {
                let place = places.entry((*flow, state.name(), why.as_str())).or_insert(lines.len());
                if let Some(line) = lines.get_mut(*place) {
                    line.times += 1;
                    continue;
                }
                let flow = plan.flows.get(*flow as usize).map(Flow::name);
                lines.push(HeardLine { flow, state: Some(state.name()), execution: Some(execution.clone()), ..line });
            }
            About::Date { date, step } => {
                match lines.last_mut().filter(|_| refused == Some(step)) {
                    Some(line) => {
                        line.times += 1;
                        line.last = Some(date.clone());
                    }
                    None => lines.push(HeardLine { date: Some(date.clone()), ..line }),
                }
                refused = Some(step);
            }
        }
    }
    lines
}

impl HeardLine {
    /// What the trigger was asked about.
    fn subject(&self) -> String {
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        match (&self.date, &self.last) {
            (Some(date), Some(last)) => format!("{date} ({} dates, to {last})", self.times),
            (Some(date), None) => date.clone(),
            (None, _) => {
                let times = if self.times == 1 { String::new() } else { format!(" ({} times)", self.times) };
                format!("{} {}{times}", word(&self.flow), self.state.unwrap_or_default())
            }
        }
    }
}

impl Hearing {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.flow);
        for TriggerHearing { trigger, fired, heard } in &self.triggers {
            let plural = if *fired == 1 { "execution" } else { "executions" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\ntrigger {trigger} starts {fired} {plural}");
            for line in heard {
                let _ = writeln!(text, "  {:>11}  {}: {}", line.first.rounded().to_string(), line.subject(), line.why);
            }
            if heard.is_empty() {
                text += "  nothing: no execution came into any state, and no date was due\n";
            }
        }
        text
    }
}
