//! Quantities that grow by a formula between the few instants at which their rate changes.

use crate::time::{Duration, Instant};

/// The integral of a rate that is constant between changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integral {
    since: Instant,
    value: f64,
    rate: f64,
}

impl Integral {
    /// Zero at `since`, growing by `rate` a second.
    pub(super) fn starting(since: Instant, rate: f64) -> Integral {
        Integral { since, value: 0.0, rate }
    }

    /// Its value at `now`.
    pub(super) fn at(&self, now: Instant) -> f64 {
        self.value + self.rate * now.since(self.since).as_seconds_f64()
    }

    /// From `now` on it grows by `rate` a second.
    pub(super) fn change(&mut self, now: Instant, rate: f64) {
        *self = Integral { since: now, value: self.at(now), rate };
    }

    /// Its current rate.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// When it reaches `target`, if it does.
    pub(super) fn reaches(&self, target: f64) -> Option<Instant> {
        (self.rate > 0.0).then(|| self.since + Duration::from_seconds_f64((target - self.value) / self.rate))
    }
}
