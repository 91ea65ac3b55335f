//! Windows that several executions complete, as they are kept between executions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use crate::flow::trigger::{TimeWindow, WindowKind};
use crate::flow::zone;

/// All that Flow triggers keep: plain data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows {
    /// By the flow and the id of the condition.
    stored: BTreeMap<(usize, String), Window>,
    /// What `when` of a dependency was first rendered to, by flow, trigger and dependency: 2.0 keeps it.
    kept: BTreeMap<(usize, usize, usize), String>,
}

/// A window under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// From here on.
    pub start: Timestamp,
    /// Up to here.
    pub end: Timestamp,
    /// The conditions that have held, by their keys.
    pub met: BTreeSet<String>,
    /// The outputs of the execution that opened it.
    pub outputs: Option<Map<String, Json>>,
}

impl Window {
    /// Whether something that happens now counts.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }

    /// Whether it has ended.
    fn is_over(&self, now: Timestamp) -> bool {
        self.end <= now
    }

    /// A new one at a moment.
    pub(super) fn open(of: &TimeWindow, server: &TimeZone, now: Timestamp) -> Window {
        let named = of.timezone.as_deref().and_then(zone::zone);
        let zone = named.as_ref().unwrap_or(server);
        let (start, end) = bounds(of.kind, zone, now);
        Window { start, end, met: BTreeSet::new(), outputs: None }
    }
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The bounds of a window that opens now. What is beyond the calendar is its end.
fn bounds(kind: WindowKind, zone: &TimeZone, now: Timestamp) -> (Timestamp, Timestamp) {
    let local = zone.to_datetime(now);
    let at = |time: Time| instant(zone, local.date().to_datetime(time));
    match kind {
        WindowKind::Duration { length, advance } => {
            let start = add(instant(zone, floor(local, length)), advance);
            (start, add(add(start, length), -SignedDuration::from_millis(1)))
        }
        WindowKind::Sliding(length) => (now, add(now, length)),
        WindowKind::Daily { from, to } => (at(from), at(to)),
        WindowKind::Deadline(to) => (at(Time::midnight()), at(to)),
    }
}

/// The beginning of the day, hour or minutes in which a window of a length begins: one of six hours begins with the
/// current hour (captures/core/flow-triggers.tsv, `window PT6H`).
fn floor(local: DateTime, length: SignedDuration) -> DateTime {
    let (mut hour, mut minute, mut second) = (local.hour(), local.minute(), local.second());
    if length >= DAY {
        hour = 0;
    }
    if length >= HOUR {
        minute = 0;
    }
    if length >= MINUTE {
        second = 0;
        // The minutes of an hour: those of its length that are no whole hours have no part in it.
        if length < HOUR {
            let step = i8::try_from(length.as_mins()).unwrap_or(1).max(1);
            minute -= minute % step;
        }
    }
    DateTime::new(local.year(), local.month(), local.day(), hour, minute, second, 0).unwrap_or(local)
}

fn instant(zone: &TimeZone, local: DateTime) -> Timestamp {
    zone.to_ambiguous_timestamp(local).compatible().unwrap_or(Timestamp::MAX)
}

fn add(at: Timestamp, by: SignedDuration) -> Timestamp {
    let limit = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    at.checked_add(by).unwrap_or(limit)
}

impl Windows {
    /// The window that is kept for a condition of a flow: the id of its `preconditions` or its MultipleCondition, or
    /// `depends_on_` and the id of its trigger.
    pub fn get(&self, flow: usize, condition: &str) -> Option<&Window> {
        // A key of borrowed parts would need a type of its own; few ask.
        self.stored.get(&(flow, condition.to_owned()))
    }

    pub(super) fn put(&mut self, flow: usize, condition: &str, window: Window) {
        self.stored.insert((flow, condition.to_owned()), window);
    }

    pub(super) fn remove(&mut self, flow: usize, condition: &str) {
        self.stored.remove(&(flow, condition.to_owned()));
    }

    /// Forgets those that have ended.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.stored.retain(|_, window| !window.is_over(now));
    }

    /// Those that have ended and are still kept: the flow, and under what they are kept.
    #[cfg(feature = "internals")]
    pub fn expired(&self, now: Timestamp) -> Vec<(usize, &str)> {
        let over = self.stored.iter().filter(|(_, window)| window.is_over(now));
        over.map(|((flow, condition), _)| (*flow, condition.as_str())).collect()
    }

    pub(super) fn kept(&self, flow: usize, trigger: usize, dependency: usize) -> Option<&str> {
        self.kept.get(&(flow, trigger, dependency)).map(String::as_str)
    }

    pub(super) fn keep(&mut self, flow: usize, trigger: usize, dependency: usize, rendered: String) {
        self.kept.insert((flow, trigger, dependency), rendered);
    }
}
