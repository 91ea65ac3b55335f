//! Expectations on how often something was: executions that came into a state, messages that were sent.

use crate::flow::State;
use crate::scenario::{Plan, Times, Window};
use crate::simulator::{Change, Simulation};
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
    let (ours, others): (Vec<&Change>, Vec<&Change>) = about.partition(|change| meant(change.state));
    let all = ours.iter().map(|change| Was { at: change.at, what: named(plan, flow, change.flow, change.state) });
    let last = others.iter().max_by_key(|change| change.at);
    let nothing = match last {
        Some(change) => format!("none; the last is {} at {}", change.state.name(), change.at.rounded()),
        None => "no execution at all".to_owned(),
    };
    counted(times, window, all.collect(), &nothing)
}

/// A change in words: of one flow only the state, else whose.
fn named(plan: &Plan, flow: Option<usize>, of: u32, state: State) -> String {
    match plan.flows.get(of as usize).filter(|_| flow.is_none()) {
        Some(flow) => format!("{}.{} {}", flow.namespace, flow.id, state.name()),
        None => state.name().to_owned(),
    }
}
