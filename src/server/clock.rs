//! The wall clock, and how virtual time follows it. The only place that knows the real time.
#![allow(clippy::disallowed_methods, reason = "virtual time is paced against the wall clock here, and nowhere else")]

use std::sync::Arc;
use std::time::Instant as Wall;

use super::world::Shared;
use crate::time::{Duration, Instant};

/// The speeds there are.
pub(super) const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;

/// Maps the wall clock to virtual time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    speed: f64,
    paused: bool,
    /// Virtual time at `wall`.
    virtual_then: Instant,
    wall: Wall,
    /// It pauses by itself when it gets there.
    until: Option<Instant>,
}

impl Clock {
    pub(super) fn new(speed: f64, paused: bool, now: Instant) -> Clock {
        Clock { speed, paused, virtual_then: now, wall: Wall::now(), until: None }
    }

    pub(super) fn speed(&self) -> f64 {
        self.speed
    }

    pub(super) fn paused(&self) -> bool {
        self.paused
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Virtual time at this moment.
    pub(super) fn now(&self) -> Instant {
        if self.paused {
            return self.virtual_then;
        }
        let passed = Duration::from_seconds_f64(self.wall.elapsed().as_secs_f64() * self.speed);
        let now = self.virtual_then + passed;
        self.until.map_or(now, |until| now.min(until))
    }

    fn anchor(&mut self) {
        self.virtual_then = self.now();
        self.wall = Wall::now();
    }

    pub(super) fn pause(&mut self) {
        self.anchor();
        self.paused = true;
        self.until = None;
    }

    pub(super) fn resume(&mut self) {
        self.anchor();
        self.paused = false;
        self.until = None;
    }

    pub(super) fn set_speed(&mut self, speed: f64) {
        self.anchor();
        self.speed = speed;
    }

    /// Runs, and pauses at `until`.
    pub(super) fn run_until(&mut self, until: Instant) {
        self.resume();
        self.until = Some(until);
    }

    /// Jumps to an instant; the pace stays as it is.
    pub(super) fn jump(&mut self, to: Instant) {
        self.anchor();
        self.virtual_then = to;
    }

    /// Pauses when it has got to where it should run.
    pub(super) fn settle(&mut self) {
        if self.until.is_some_and(|until| self.now() >= until) {
            self.pause();
        }
    }

    /// How long until virtual time is `at`, in real time; none while it stands still.
    pub(super) fn real_time_until(&self, at: Instant) -> Option<std::time::Duration> {
        if self.paused || self.until.is_some_and(|until| at > until) {
            return None;
        }
        let seconds = at.since(self.now()).as_seconds_f64() / self.speed;
        std::time::Duration::try_from_secs_f64(seconds).ok()
    }
}

/// Lets the world follow the clock even when nobody asks, so that ports open and close in time.
pub(super) async fn pace(shared: Arc<Shared>) {
    let mut changes = shared.changes.subscribe();
    loop {
        let wait = shared.catch_up();
        // Not more often than each millisecond, and now and then even when nothing is expected.
        let wait = wait.unwrap_or(std::time::Duration::from_secs(3600)).max(std::time::Duration::from_millis(1));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}
