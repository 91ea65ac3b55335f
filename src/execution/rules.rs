//! What the states of the task runs of a list come to: which list runs, what comes next, how it ends. Each rule is a
//! table of captures/core/states.tsv, which was asked of the real classes of 1.3.19 and 2.0.0.

use super::Dialect;
use crate::flow::State;

/// A list of tasks beside each other: that of a flow, or of a task that holds tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// `tasks` (or `then`, a case, ...).
    Tasks,
    /// `errors`.
    Errors,
    /// `finally`.
    Finally,
}

/// The states of the task runs of each list, disabled tasks left out; none where there is no task run yet.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Of `tasks`.
    pub tasks: &'a [Option<State>],
    /// Of `errors`.
    pub errors: &'a [Option<State>],
    /// Of `finally`.
    pub finally: &'a [Option<State>],
    /// What holds them has failed itself: `tasks` do not run.
    pub fails: bool,
}

impl<'a> Scope<'a> {
    fn states(&self, part: Part) -> &'a [Option<State>] {
        match part {
            Part::Tasks => self.tasks,
            Part::Errors => self.errors,
            Part::Finally => self.finally,
        }
    }

    /// Whether a task has failed for good.
    pub fn failed(&self) -> bool {
        self.fails || self.tasks.contains(&Some(State::Failed))
    }

    /// The list that runs now, if one does.
    pub fn part(&self) -> Option<Part> {
        let begun = |list: &[Option<State>]| list.iter().any(Option::is_some);
        if begun(self.finally) {
            return Some(Part::Finally);
        }
        let finally = (!self.finally.is_empty()).then_some(Part::Finally);
        if begun(self.errors) || self.failed() {
            return match (self.failed(), ended(self.errors)) {
                (false, _) => None,
                (true, true) if finally.is_some() => finally,
                (true, _) => (!self.errors.is_empty()).then_some(Part::Errors),
            };
        }
        match finally {
            Some(part) if ended(self.tasks) => Some(part),
            _ => Some(Part::Tasks),
        }
    }

    /// The task that comes next where one runs after another: its list and its place there.
    pub fn next(&self, dialect: &Dialect) -> Option<(Part, usize)> {
        let part = self.part()?;
        follower(self.states(part), dialect).map(|place| (part, place))
    }

    /// Whether the task at a place has begun and waits: it does not come again.
    pub fn waits(&self, (part, place): (Part, usize)) -> bool {
        matches!(self.states(part).get(place), Some(Some(State::Paused | State::Retrying)))
    }

    /// Where tasks run at the same time: the places of those that come next, at most so many tasks at a time (0: all), only
    /// those that `ready` lets through.
    pub fn free(&self, most: u32, ready: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
        // While one was created and has not begun, no more are looked for.
        let waits = self.tasks.iter().flatten().any(|state| is_created(*state));
        let running = self.tasks.iter().flatten().filter(|state| is_running(**state)).count();
        let room = match most {
            _ if waits => 0,
            0 => usize::MAX,
            most => (most as usize).saturating_sub(running),
        };
        let tasks = self.tasks;
        (0..tasks.len()).filter(move |place| tasks[*place].is_none() && ready(*place)).take(room)
    }

    /// Where tasks run one after another for each of several values, `length` of them: the places of those that come next,
    /// for at most so many values at a time (0: all).
    pub fn lanes(&self, most: u32, length: usize) -> Vec<usize> {
        if length == 0 {
            return Vec::new();
        }
        let mut room = match most {
            0 => usize::MAX,
            most => most as usize,
        };
        let mut places = Vec::new();
        for (number, lane) in self.tasks.chunks(length).enumerate() {
            let next = lane.iter().position(Option::is_none);
            let busy = lane.iter().flatten().any(|state| !state.is_over());
            let begun = lane.iter().any(Option::is_some);
            // Values whose tasks have begun go on before others begin.
            match next {
                Some(place) if !busy && (begun || room > 0) => {
                    room = room.saturating_sub(1);
                    places.push(number * length + place);
                }
                _ if busy => room = room.saturating_sub(1),
                _ => {}
            }
        }
        places
    }

    /// Whether the task of a place has ended.
    pub fn is_over(&self, place: usize) -> bool {
        self.tasks.get(place).copied().flatten().is_some_and(State::is_over)
    }

    /// The state of a task that holds these lists, once it has ended: what its tasks come to (`fold`).
    pub fn end(&self, dialect: &Dialect) -> Option<State> {
        let over = match self.part() {
            Some(part) => ended(self.states(part)),
            None => self.failed(),
        };
        over.then(|| fold(self.tasks.iter().copied().flatten(), dialect))
    }
}

/// The place of the task that comes next in a list whose tasks run one after another.
fn follower(states: &[Option<State>], dialect: &Dialect) -> Option<usize> {
    if states.iter().flatten().any(|state| is_created(*state) || is_running(*state)) {
        return None;
    }
    let mut last = None;
    for (number, (place, state)) in states.iter().enumerate().filter(|(_, state)| state.is_some()).enumerate() {
        if state.is_some_and(State::is_over) {
            last = Some(if dialect.next_by_place { place } else { number });
        }
    }
    let next = match last {
        Some(last) => last + 1,
        None if states.iter().all(Option::is_none) => 0,
        None => return None,
    };
    (next < states.len()).then_some(next)
}

/// What a list comes to by the states of its task runs. Those of `errors` and `finally` have no say.
pub fn fold(states: impl Iterator<Item = State>, dialect: &Dialect) -> State {
    let rank = |state: &State| match state {
        State::Killed => 5,
        State::Failed => 4,
        State::Cancelled if dialect.cancelled_counts => 3,
        State::Warning => 2,
        State::Paused => 1,
        _ => 0,
    };
    states.filter(|state| rank(state) > 0).max_by_key(rank).unwrap_or(State::Success)
}

/// How a task run ends whose work, or whose tasks, came to `state`.
pub fn allowed(state: State, allow_failure: bool, allow_warning: bool) -> State {
    match state {
        State::Failed if allow_failure && allow_warning => State::Success,
        State::Failed if allow_failure => State::Warning,
        State::Warning if allow_warning => State::Success,
        other => other,
    }
}

/// Whether every task of a list has ended.
fn ended(states: &[Option<State>]) -> bool {
    states.iter().all(|state| state.is_some_and(State::is_over))
}

/// Whether a task run is there and nothing was done of it yet.
pub(super) fn is_created(state: State) -> bool {
    matches!(state, State::Created | State::Submitted | State::Restarted)
}

/// Whether a task run is being done.
pub(super) fn is_running(state: State) -> bool {
    matches!(state, State::Running | State::Killing)
}
