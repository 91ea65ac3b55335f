//! The clock, and how virtual time follows it. The only place that knows the real time.
#![allow(clippy::disallowed_methods, reason = "virtual time is paced against the wall clock here, and nowhere else")]

use std::sync::Arc;
use std::time::{Duration as Real, Instant as Wall};

use tokio::sync::watch;

use super::world::{Next, Shared};
use crate::time::{Duration, Instant};

/// The speeds there are.
pub(super) const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;

/// Maps real time to virtual time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    speed: f64,
    paused: bool,
    /// Virtual time at `then`.
    virtual_then: Instant,
    then: Real,
    /// It pauses by itself when it gets there.
    until: Option<Instant>,
}

/// Where real time comes from, counted from the making of the clock.
#[derive(Clone, Debug)]
enum Source {
    Wall(Wall),
    Hand(watch::Receiver<Real>),
}

/// Moves the real time of a clock that is moved by hand.
#[derive(Debug)]
pub struct Hand(watch::Sender<Real>);

impl Hand {
    /// Lets so much real time pass.
    pub fn pass(&self, span: Real) {
        self.0.send_modify(|passed| *passed = passed.saturating_add(span));
    }
}

impl Clock {
    /// One that follows the wall clock, a virtual second a second.
    pub fn wall() -> Clock {
        Clock::new(Source::Wall(Wall::now()))
    }

    /// One whose real time only passes when the hand says so: for tests that do not depend on the wall clock.
    pub fn by_hand() -> (Clock, Hand) {
        let (sender, receiver) = watch::channel(Real::ZERO);
        (Clock::new(Source::Hand(receiver)), Hand(sender))
    }

    fn new(source: Source) -> Clock {
        Clock { source, speed: 1.0, paused: false, virtual_then: Instant::START, then: Real::ZERO, until: None }
    }

    /// The same at another speed, in virtual seconds a second: 0.001 to 100,000, or the nearest of these.
    #[must_use]
    pub fn at_speed(mut self, speed: f64) -> Clock {
        self.set_speed(speed.clamp(*SPEEDS.start(), *SPEEDS.end()));
        self
    }

    /// The same, standing still at first.
    #[must_use]
    pub fn paused(mut self) -> Clock {
        self.pause();
        self
    }

    pub(super) fn speed(&self) -> f64 {
        self.speed
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    fn real(&self) -> Real {
        match &self.source {
            Source::Wall(begun) => begun.elapsed(),
            Source::Hand(passed) => *passed.borrow(),
        }
    }

    /// Virtual time at this moment.
    pub(super) fn now(&self) -> Instant {
        if self.paused {
            return self.virtual_then;
        }
        let passed = self.real().saturating_sub(self.then);
        let now = self.virtual_then + Duration::from_seconds_f64(passed.as_secs_f64() * self.speed);
        self.until.map_or(now, |until| now.min(until))
    }

    fn anchor(&mut self) {
        self.virtual_then = self.now();
        self.then = self.real();
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

    /// Begins anew: it keeps its speed, and whether it is paused, and has no end any more.
    pub(super) fn begin_anew(&mut self) {
        self.jump(Instant::START);
        self.until = None;
    }

    /// Pauses when it has got to where it should run.
    pub(super) fn settle(&mut self) {
        if self.arrives() {
            self.pause();
        }
    }

    /// The wall-clock time that an instant comes to: as long before or after now as it is at this speed.
    pub(super) fn wall_time_of(&self, at: Instant) -> jiff::Timestamp {
        let ahead = (at.as_nanoseconds() as f64 - self.now().as_nanoseconds() as f64) / self.speed;
        let (now, ahead) = (jiff::Timestamp::now(), jiff::SignedDuration::from_millis((ahead / 1e6) as i64));
        let now = jiff::Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        now.checked_add(ahead).unwrap_or(now)
    }

    /// How long until virtual time is `at`, in real time; none while nobody can say.
    pub(super) fn real_time_until(&self, at: Instant) -> Option<Real> {
        if self.is_by_hand() || self.paused || self.until.is_some_and(|until| at > until) {
            return None;
        }
        let seconds = at.since(self.now()).as_seconds_f64() / self.speed;
        Real::try_from_secs_f64(seconds).ok()
    }

    /// Whether its real time only passes when a hand moves it.
    pub(super) fn is_by_hand(&self) -> bool {
        matches!(self.source, Source::Hand(_))
    }

    /// Whether it has got to where it should run.
    pub(super) fn arrives(&self) -> bool {
        self.until.is_some_and(|until| self.now() >= until)
    }

    /// The hand that moves it.
    pub(super) fn hand(&self) -> Option<watch::Receiver<Real>> {
        match &self.source {
            Source::Wall(_) => None,
            Source::Hand(passed) => Some(passed.clone()),
        }
    }
}

/// Measures real time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Wall);

impl Stopwatch {
    pub(super) fn begin() -> Stopwatch {
        Stopwatch(Wall::now())
    }

    /// Real time since, as as much virtual time.
    pub(super) fn elapsed(self) -> Duration {
        Duration::nanoseconds(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// An end of real time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Wall);

impl Deadline {
    /// So long from now.
    pub(super) fn after(span: Real) -> Deadline {
        Deadline(Wall::now() + span)
    }

    pub(super) fn is_over(self) -> bool {
        Wall::now() >= self.0
    }

    /// The same, for whoever sleeps until then.
    pub(super) fn instant(self) -> tokio::time::Instant {
        self.0.into()
    }
}

/// Steps of virtual time that each take about as much real time: a long way, in parts that let others have their turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps(Duration);

impl Steps {
    const SHORTEST: Duration = Duration::milliseconds(1);
    const LONGEST: Duration = Duration::minutes(10);

    pub(super) fn new() -> Steps {
        Steps(Duration::seconds(1))
    }

    /// Takes a step; the next one is longer when it was quick, and shorter when it was slow.
    pub(super) fn take<T>(&mut self, step: impl FnOnce(Duration) -> T) -> T {
        let begun = Wall::now();
        let result = step(self.0);
        match begun.elapsed().as_millis() {
            0..5 => self.0 = self.0.times(2.0).min(Steps::LONGEST),
            20.. => self.0 = self.0.times(0.5).max(Steps::SHORTEST),
            _ => {}
        }
        result
    }
}

/// Lets the world follow the clock even when nobody asks, so that ports open and close in time. Ends with the world.
pub(super) async fn pace(shared: Arc<Shared>) {
    let mut changes = shared.changes.subscribe();
    let Ok(mut hand) = shared.world().map(|world| world.clock.hand()) else { return };
    while let Ok(next) = shared.catch_up() {
        let Next::In(wait) = next else {
            // Others have their turn meanwhile.
            tokio::time::sleep(Real::from_millis(1)).await;
            continue;
        };
        // Not more often than each millisecond, and now and then even when nothing is expected.
        let wait = wait.unwrap_or(Real::from_secs(3600)).max(Real::from_millis(1));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = changes.changed() => if changed.is_err() { return },
            moves = moved(&mut hand) => match moves {
                // Whoever waits for an instant must look whether it has come.
                true => shared.tell(),
                false => hand = None,
            }
        }
    }
}

/// Resolves when a hand has moved the clock; false when nobody will any more.
async fn moved(hand: &mut Option<watch::Receiver<Real>>) -> bool {
    match hand {
        Some(hand) => hand.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Instant {
        Instant::START + Duration::seconds(n)
    }

    #[test]
    fn a_clock_by_hand_moves_with_its_hand_at_its_speed() {
        let (clock, hand) = Clock::by_hand();
        let mut clock = clock.at_speed(10.0);
        assert_eq!(clock.now(), second(0));
        hand.pass(Real::from_secs(2));
        assert_eq!(clock.now(), second(20));
        clock.pause();
        hand.pass(Real::from_secs(5));
        assert_eq!(clock.now(), second(20));
        clock.run_until(second(40));
        hand.pass(Real::from_secs(1));
        clock.settle();
        assert_eq!((clock.now(), clock.is_paused()), (second(30), false));
        hand.pass(Real::from_secs(60));
        clock.settle();
        assert_eq!((clock.now(), clock.is_paused()), (second(40), true));
        clock.jump(second(5));
        clock.resume();
        clock.set_speed(1.0);
        hand.pass(Real::from_secs(1));
        assert_eq!(clock.now(), second(6));
    }
}
