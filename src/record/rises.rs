//! How much counters rose, as `increase()` reckons it: a restart begins again at nothing.

use std::collections::BTreeMap;

use super::meters::{Part, What};
use super::observed::{Key, Observed, Seen};

/// Seconds by which the start of one and the same process may seem to differ from look to look.
const SAME_START: f64 = 2.0;

/// How much something rose in all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rise {
    /// By how much.
    pub(super) amount: f64,
    /// The same a second.
    pub(super) per_second: f64,
}

impl std::ops::AddAssign for Rise {
    fn add_assign(&mut self, other: Rise) {
        self.amount += other.amount;
        self.per_second += other.per_second;
    }
}

/// Whether a process that began at one instant is not the one that began at another, in seconds since 1970.
pub(super) fn is_another(before: f64, after: f64) -> bool {
    (after - before).abs() > SAME_START
}

impl Seen {
    /// Between which looks, by the time of the later one, the process began anew.
    pub(super) fn restarts(&self) -> Vec<i64> {
        let Some((_, began)) = self.of(What::Began, Part::Value).next() else { return Vec::new() };
        let pairs = began.iter().zip(began.iter().skip(1));
        pairs.filter(|((_, before), (_, after))| is_another(**before, **after)).map(|(_, (at, _))| *at).collect()
    }

    /// How long the process has run at the last look, in seconds.
    pub(super) fn uptime(&self) -> Option<f64> {
        self.newest(What::Uptime, |_| true).filter(|it| *it > 0.0)
    }
}

impl Observed {
    /// By how much a counter of a member rose from look to look, with the time of the later one. Where everybody was looked
    /// at once only it is all that was counted since the start of the process.
    ///
    /// A series that was not there at the look before has begun at nothing: meters come with their first event. One that
    /// fell, or whose process began anew, did too.
    pub(super) fn rises(&self, member: &Seen, track: &BTreeMap<i64, f64>) -> Vec<(i64, f64)> {
        if self.at_once() {
            return track.iter().map(|(at, value)| (*at, *value)).collect();
        }
        let (restarts, first) = (member.restarts(), member.looks.first());
        let mut last = track.first_key_value().filter(|(at, _)| first == Some(at));
        let mut rises = Vec::new();
        for (at, value) in track.iter().filter(|(at, _)| first != Some(at)) {
            let anew = |before: i64| restarts.iter().any(|restart| *restart > before && restart <= at);
            let before = last.filter(|(before, it)| !anew(**before) && *it <= value).map_or(0.0, |(_, value)| *value);
            rises.push((*at, value - before));
            last = Some((at, value));
        }
        rises
    }

    /// What counters that are as `wanted` show, on average over all looks and together for all members.
    pub(super) fn standing(&self, what: What, wanted: impl Fn(&Key) -> bool) -> f64 {
        let of = |member: &Seen| {
            let tracks = member.of(what, Part::Value).filter(|(key, _)| wanted(key));
            tracks.map(|(_, track)| track.values().sum::<f64>()).sum::<f64>() / member.looks.len().max(1) as f64
        };
        self.members.iter().map(of).sum()
    }

    /// How much the series of a kind rose, each added to what `place` makes of its labels.
    pub(super) fn each(&self, what: What, part: Part, mut place: impl FnMut(&Key, Rise)) {
        let window = self.span();
        for member in &self.members {
            let seconds = if self.at_once() { member.uptime().unwrap_or(0.0) } else { window };
            for (key, track) in member.of(what, part) {
                let amount: f64 = self.rises(member, track).iter().map(|(_, rise)| rise).sum();
                let per_second = if seconds > 0.0 { amount / seconds } else { 0.0 };
                place(key, Rise { amount, per_second });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(samples: &[(&str, &[(i64, f64)])]) -> Seen {
        let mut seen = Seen::new("a");
        samples.iter().for_each(|(name, samples)| seen.sample(name, &[], samples));
        seen
    }

    fn rise(samples: &[(i64, f64)], more: &[(&str, &[(i64, f64)])]) -> f64 {
        let mut all = vec![("kestra_scheduler_trigger_count_total", samples)];
        all.extend(more);
        let observed = Observed { members: vec![seen(&all)], ..Observed::default() };
        let mut rise = 0.0;
        observed.each(What::Triggered, Part::Value, |_, it| rise += it.amount);
        rise
    }

    #[test]
    fn a_counter_rises_over_restarts_and_from_its_birth_on() {
        let looks: &[(i64, f64)] = &[(0, 5.0), (10, 5.0), (20, 5.0), (30, 5.0)];
        let up = ("process_start_time_seconds", looks);
        assert_eq!(rise(&[(0, 3.0), (10, 4.0), (20, 4.0), (30, 9.0)], &[up]), 6.0);
        assert_eq!(rise(&[(0, 3.0), (10, 4.0), (20, 1.0), (30, 2.0)], &[up]), 3.0, "it fell: 1, 1, 1");
        assert_eq!(rise(&[(20, 2.0), (30, 2.0)], &[up]), 2.0, "it came with its first event");
        let restarted: &[(i64, f64)] = &[(0, 5.0), (10, 5.0), (20, 500.0), (30, 500.0)];
        let anew = ("process_start_time_seconds", restarted);
        assert_eq!(rise(&[(0, 3.0), (10, 4.0), (20, 6.0), (30, 6.0)], &[anew]), 7.0, "more than before, but anew");
        assert_eq!(rise(&[(0, 3.0), (30, 5.0)], &[up]), 2.0, "nobody saw it in between");
        assert_eq!(rise(&[(0, 3.0)], &[]), 3.0, "one look tells all since the start");
        let (once, often) = (seen(&[("kestra_scheduler_trigger_count_total", &[(0, 3.0)])]), seen(&[up]));
        let observed = Observed { members: vec![once, often], ..Observed::default() };
        observed.each(What::Triggered, Part::Value, |_, it| assert_eq!(it.amount, 0.0, "but not beside others"));
    }
}
