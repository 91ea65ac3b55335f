//! Expectations on how often something was: executions that came into a state, messages that were sent.

use crate::flow::State;
use crate::report::MessageLine;
use crate::scenario::{NotificationPattern, Plan, Times, Window, holds};
use crate::simulator::{Delivery, Sent, Simulation, StateChange};
use crate::time::Instant;

/// Something that was, in words.
pub(super) struct Was {
    pub(super) at: Instant,
    pub(super) what: String,
}

/// Whether as much as is wanted was in a window, and what was seen: of what is missing, the nearest.
pub(super) fn counted(times: Times, window: &Window, all: Vec<Was>, nothing: &str) -> (Option<bool>, String) {
    let (inside, outside): (Vec<Was>, Vec<Was>) = all.into_iter().partition(|was| window.holds(was.at));
    let met = times.fit(inside.len());
    let told = |was: &Was| format!("{} at {}", was.what, was.at.rounded());
    let seen = match (inside.as_slice(), outside.iter().min_by_key(|was| window.missed(was.at).as_nanoseconds())) {
        ([], None) => nothing.to_owned(),
        ([], Some(was)) if met => format!("none in that time; {}", told(was)),
        ([], Some(was)) => {
            let when = if was.at < window.begin() { "early" } else { "late" };
            format!("nearest is {}, {} too {when}", told(was), window.missed(was.at).rounded())
        }
        ([one], _) => told(one),
        ([first, .., last], _) => {
            format!("{} times, first {}, last at {}", inside.len(), told(first), last.at.rounded())
        }
    };
    (Some(met), seen)
}

/// Executions of a flow, or of any, that came into a state, or into one in which they end.
pub(super) fn executions(
    (flow, state): (Option<usize>, Option<State>),
    times: Times,
    window: &Window,
    simulation: &Simulation,
) -> (Option<bool>, String) {
    let plan = simulation.plan();
    let changes = simulation.changes().iter();
    let about = changes.filter(|change| flow.is_none_or(|flow| flow == change.flow as usize));
    let meant = |is: State| state.map_or(is.is_terminated(), |wanted| wanted == is);
    let (ours, others): (Vec<&StateChange>, Vec<&StateChange>) = about.partition(|change| meant(change.state));
    let all = ours.iter().map(|change| Was { at: change.at, what: named(plan, flow, change.flow, change.state) });
    let last = others.iter().max_by_key(|change| change.at);
    let nothing = match last {
        Some(change) => format!("none; the last is {} at {}", change.state.name(), change.at.rounded()),
        None => "no execution at all".to_owned(),
    };
    counted(times, window, all.collect(), &nothing)
}

/// Messages that tasks sent, or lost.
pub(super) fn notifications(
    what: &NotificationPattern,
    times: Times,
    window: &Window,
    simulation: &Simulation,
) -> (Option<bool>, String) {
    let (ours, others): (Vec<&Sent>, Vec<&Sent>) =
        simulation.sent().iter().partition(|sent| is_meant(sent, what, simulation));
    let all = ours.iter().map(|sent| Was { at: sent.at, what: told(sent, simulation.plan()) });
    let nothing = match others.last() {
        Some(sent) => format!("none like it; the last is {} at {}", told(sent, simulation.plan()), sent.at.rounded()),
        None => "nothing was sent at all".to_owned(),
    };
    counted(times, window, all.collect(), &nothing)
}

fn is_meant(sent: &Sent, what: &NotificationPattern, simulation: &Simulation) -> bool {
    let task = || simulation.plan().flows.get(sent.flow as usize)?.task(sent.task as usize);
    let body = || match serde_json::from_str(&sent.body()) {
        Ok(body) => body,
        // What is no JSON is a text.
        Err(_) => serde_json::Value::String(sent.body()),
    };
    sent.delivery != Delivery::Waiting
        && (sent.delivery == Delivery::Taken) != what.lost
        && what.flow.is_none_or(|flow| flow == sent.flow as usize)
        && what.task.as_ref().is_none_or(|wanted| task().is_some_and(|task| task.id == *wanted))
        && what.channel.is_none_or(|channel| sent.channel() == Some(channel))
        && what.to.as_ref().is_none_or(|to| sent.goes_to(to))
        && what.body.as_ref().is_none_or(|wanted| holds(&body(), wanted))
}

/// A message in words.
fn told(sent: &Sent, plan: &Plan) -> String {
    let flow = plan.flows.get(sent.flow as usize);
    let task = flow.and_then(|flow| flow.task(sent.task as usize)).map_or("", |task| task.id.as_str());
    let by = flow.map_or_else(String::new, |flow| format!("{} of {}", task, flow.name()));
    let channel = sent.channel().map(|channel| format!(" to {channel}")).unwrap_or_default();
    match &sent.delivery {
        Delivery::Taken => format!("{by}{channel}"),
        Delivery::Waiting => format!("{by}{channel}, {}", Delivery::UNDER_WAY),
        Delivery::Lost(why) => format!("{by}{channel}, lost: {}", first_line(why)),
        Delivery::Failed(why) => format!("{by} fails before it sends: {}", first_line(why)),
        Delivery::NotSimulated(why) => format!("{by} sends nothing here, not simulated: {}", first_line(why)),
    }
}

/// What fits on a line: the words before a body that follows.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches([':', ' ']).trim_end_matches(" and body")
}

/// All messages, for a report.
pub(super) fn messages(simulation: &Simulation) -> Vec<MessageLine> {
    let plan = simulation.plan();
    let line = |sent: &Sent| {
        let flow = plan.flows.get(sent.flow as usize);
        let task = flow.and_then(|flow| flow.task(sent.task as usize));
        MessageLine {
            at: sent.at,
            flow: flow.map(crate::flow::Flow::name).unwrap_or_default(),
            execution: sent.execution.clone(),
            task: task.map(|task| task.id.clone()).unwrap_or_default(),
            channel: sent.channel(),
            to: sent.to(),
            body: sent.body(),
            taken: sent.delivery == Delivery::Taken,
            why: sent.delivery.why().map(str::to_owned),
        }
    };
    simulation.sent().iter().map(line).collect()
}

/// A change in words: of one flow only the state, else whose.
fn named(plan: &Plan, flow: Option<usize>, of: u32, state: State) -> String {
    match plan.flows.get(of as usize).filter(|_| flow.is_none()) {
        Some(flow) => format!("{}.{} {}", flow.namespace, flow.id, state.name()),
        None => state.name().to_owned(),
    }
}
