//! What a process does by itself: its queue loops poll the database, its scheduler looks once a second. Formulas of time
//! between the few instants at which their pace changes.

use super::database;
use super::integral::Integral;
use super::overload;
use crate::time::{Duration, Instant};

/// A peak is remembered so long, as the maximum of a timer is.
const REMEMBERED: Duration = Duration::minutes(3);

/// The loops of one process.
#[derive(Clone, Debug)]
pub(super) struct Polling {
    polls: Integral,
    cost: Integral,
    /// How many times as long as normal queries take since the pace last changed.
    slowdown: f64,
    /// The slowest lately, and until when it was so.
    peak: (f64, Instant),
    /// Polls that took longer than 2.0 begins to measure at, counted and weighted as the others.
    slow_polls: Integral,
    slow_cost: Integral,
    /// Polls of the queue of log lines.
    log_polls: Integral,
    log_cost: Integral,
    /// Since when nobody reads it.
    log_unread: Option<Instant>,
    scheduler_loops: Integral,
    /// The same, each weighted with how many times as long as normal it takes.
    scheduler_cost: Integral,
    /// Requests for a connection that timed out in outages that are over.
    timeouts: f64,
}

/// How busily a process works by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How many times as long as normal a query takes, if there is an answer and somebody asks.
    pub(super) slowdown: Option<f64>,
    /// Its threads read queues.
    pub(super) polls: bool,
    /// So does the one that reads log lines, if it has one.
    pub(super) reads_logs: bool,
    /// Its scheduler evaluates triggers.
    pub(super) schedules: bool,
    /// And asks the database for them in each loop.
    pub(super) loop_reads: bool,
}

impl Polling {
    pub(super) fn new(now: Instant) -> Polling {
        let still = Integral::starting(now, 0.0);
        Polling {
            polls: still,
            cost: still,
            slowdown: 1.0,
            peak: (1.0, now),
            slow_polls: still,
            slow_cost: still,
            log_polls: still,
            log_cost: still,
            log_unread: None,
            scheduler_loops: still,
            scheduler_cost: still,
            timeouts: 0.0,
        }
    }

    /// Sets the rates from now on.
    pub(super) fn pace(&mut self, pace: Pace, now: Instant) {
        let rate = pace.slowdown.filter(|_| pace.polls).map_or(0.0, database::poll_rate);
        let slowdown = pace.slowdown.unwrap_or(1.0);
        // What lasted until now is remembered from now on, however long ago it began.
        for seen in [self.slowdown, slowdown] {
            if seen >= self.peak.0 || now.since(self.peak.1) > REMEMBERED {
                self.peak = (seen, now);
            }
        }
        self.slowdown = slowdown;
        self.polls.change(now, rate);
        self.cost.change(now, rate * slowdown);
        let slow = if database::is_slow(slowdown) { rate } else { 0.0 };
        self.slow_polls.change(now, slow);
        self.slow_cost.change(now, slow * slowdown);
        let logs = if pace.reads_logs { rate } else { 0.0 };
        self.log_polls.change(now, logs);
        self.log_cost.change(now, logs * slowdown);
        self.log_unread = if pace.reads_logs { None } else { self.log_unread.or(Some(now)) };
        let times = if pace.loop_reads { slowdown } else { 1.0 };
        let loops = if pace.schedules && rate > 0.0 { overload::loops_a_second(times) } else { 0.0 };
        self.scheduler_loops.change(now, loops);
        self.scheduler_cost.change(now, loops * times);
    }

    /// An outage is over in which so many requests for a connection timed out.
    pub(super) fn timed_out(&mut self, requests: f64) {
        self.timeouts += requests;
    }

    pub(super) fn polls(&self, now: Instant) -> f64 {
        self.polls.at(now)
    }
    pub(super) fn cost(&self, now: Instant) -> f64 {
        self.cost.at(now)
    }
    pub(super) fn slow_polls(&self, now: Instant) -> f64 {
        self.slow_polls.at(now)
    }
    pub(super) fn slow_cost(&self, now: Instant) -> f64 {
        self.slow_cost.at(now)
    }
    pub(super) fn log_polls(&self, now: Instant) -> f64 {
        self.log_polls.at(now)
    }
    pub(super) fn log_cost(&self, now: Instant) -> f64 {
        self.log_cost.at(now)
    }
    /// Whether a poll of the queue of log lines is still remembered, as the maximum of its timer is.
    pub(super) fn remembers_logs(&self, now: Instant) -> bool {
        self.log_unread.is_none_or(|since| now.since(since) <= REMEMBERED)
    }
    pub(super) fn scheduler_loops(&self, now: Instant) -> f64 {
        self.scheduler_loops.at(now)
    }
    pub(super) fn scheduler_cost(&self, now: Instant) -> f64 {
        self.scheduler_cost.at(now)
    }
    /// Requests for a connection that timed out in outages that are over.
    pub(super) fn timeouts(&self) -> f64 {
        self.timeouts
    }
    /// The slowest of the last minutes, when a query takes `slowdown` now.
    pub(super) fn peak(&self, slowdown: f64, now: Instant) -> f64 {
        let (peak, since) = self.peak;
        if now.since(since) <= REMEMBERED { peak.max(slowdown) } else { slowdown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Instant {
        Instant::START + Duration::seconds(n)
    }

    #[test]
    fn it_polls_while_it_is_told_to_and_slower_when_queries_are() {
        let mut polling = Polling::new(second(0));
        let pace = |slowdown, polls| Pace { slowdown, polls, reads_logs: true, schedules: true, loop_reads: true };
        polling.pace(pace(Some(1.0), true), second(0));
        assert_eq!((polling.polls(second(10)), polling.scheduler_loops(second(10))), (10.0, 10.0));
        polling.pace(pace(Some(10.0), true), second(10));
        let slower = polling.polls(second(20)) - 10.0;
        assert!(slower > 5.0 && slower < 10.0, "{slower}");
        // A loop of 0.33 s still comes each second.
        assert_eq!((polling.scheduler_loops(second(20)), polling.scheduler_cost(second(20))), (20.0, 110.0));
        assert!(polling.slow_polls(second(20)) > 0.0 && polling.cost(second(20)) > polling.polls(second(20)));
        for stands in [pace(None, true), pace(Some(1.0), false)] {
            polling.pace(stands, second(20));
            assert_eq!(polling.polls(second(20)), polling.polls(second(60)));
            assert_eq!(polling.scheduler_loops(second(20)), polling.scheduler_loops(second(60)));
        }
    }

    #[test]
    fn a_peak_is_seen_for_three_minutes_after_it() {
        let mut polling = Polling::new(second(0));
        polling.pace(
            Pace { slowdown: Some(8.0), polls: true, reads_logs: true, schedules: false, loop_reads: true },
            second(0),
        );
        polling.pace(
            Pace { slowdown: Some(1.0), polls: true, reads_logs: true, schedules: false, loop_reads: true },
            second(60),
        );
        assert_eq!((polling.peak(1.0, second(240)), polling.peak(1.0, second(241))), (8.0, 1.0));
    }

    #[test]
    fn a_peak_is_seen_for_three_minutes_after_its_end_however_long_it_lasted() {
        for again in [Some(100), None] {
            let mut polling = Polling::new(second(0));
            let pace = |slowdown| Pace {
                slowdown: Some(slowdown),
                polls: true,
                reads_logs: true,
                schedules: false,
                loop_reads: true,
            };
            polling.pace(pace(8.0), second(0));
            // Work done meanwhile changes nothing of it.
            again.into_iter().for_each(|at| polling.pace(pace(8.0), second(at)));
            polling.pace(pace(1.0), second(600));
            assert_eq!((polling.peak(1.0, second(780)), polling.peak(1.0, second(781))), (8.0, 1.0), "{again:?}");
        }
    }
}
