//! Dates of Schedule triggers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;

use super::cron::{self, Cron, Dialect};
use super::{Schedule, zone};

type Parsed = (Cron, TimeZone);

/// Schedules that are remembered.
const REMEMBERED: usize = 4_096;

impl Schedule {
    /// The first date after `date` at which the trigger is due, in its own time zone. None when there is none, or when
    /// the expression or the zone is not valid (readers refuse those).
    pub fn next_after(&self, date: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let parsed = self.parsed()?;
        let (cron, zone) = &*parsed;
        cron.next_after(date, zone)
    }

    /// The last date before `date`: that of which [`Schedule::next_after`] gives none before `date`. None when there is none
    /// in a hundred years.
    pub fn previous_before(&self, date: jiff::Timestamp) -> Option<jiff::Timestamp> {
        /// Seconds that are looked back at most.
        const MOST: i64 = 100 * 366 * 86_400;
        let back = |seconds: i64| date.checked_sub(jiff::SignedDuration::from_secs(seconds)).ok();
        let comes = |seconds: i64| self.next_after(back(seconds)?).filter(|found| *found < date);
        // A date comes between so long ago and now, ...
        let mut far = 1;
        while comes(far).is_none() {
            if far >= MOST {
                return None;
            }
            far *= 2;
        }
        // ... and none comes between so long ago and now.
        let mut near = far / 2;
        while far - near > 1 {
            let middle = near + (far - near) / 2;
            if comes(middle).is_some() { far = middle } else { near = middle }
        }
        comes(far)
    }

    /// A date as the variables of the trigger have it: in its own zone, as Java prints it.
    pub fn text(&self, date: jiff::Timestamp) -> String {
        let zone = self.parsed().map_or(TimeZone::UTC, |parsed| parsed.1.clone());
        let offset = zone.to_offset(date);
        match offset.is_zero() {
            true => format!("{date:.0}"),
            false => format!("{:.0}", date.display_with_offset(offset)),
        }
    }

    /// The expression and the zone as they are reckoned with. They are read once and remembered, because reading costs a
    /// hundred times what a date does; what is read does not depend on what was remembered.
    fn parsed(&self) -> Option<Arc<Parsed>> {
        static KNOWN: Mutex<BTreeMap<Schedule, Arc<Parsed>>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(self) {
            return Some(found.clone());
        }
        let parsed = Arc::new((self.parse(true).ok()?, zone::zone(&self.timezone)?));
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(self.clone(), parsed.clone());
        Some(parsed)
    }

    /// Checks the cron expression. `L` for the last day of a month is an error unless `last_day`.
    ///
    /// # Errors
    /// What is wrong with it, in Kestra's words.
    pub fn check(&self, last_day: bool) -> Result<(), String> {
        self.parse(last_day).map(|_| ())
    }

    /// What to write instead of a cron expression that is refused.
    pub(super) fn advice(&self) -> String {
        cron::advice(&self.cron, Dialect { seconds: self.with_seconds, last_day: true })
    }

    fn parse(&self, last_day: bool) -> Result<Cron, String> {
        Cron::parse(&self.cron, Dialect { seconds: self.with_seconds, last_day })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str, timezone: &str) -> Schedule {
        Schedule { cron: cron.into(), with_seconds: cron.split(' ').count() == 6, timezone: timezone.into() }
    }

    fn next(cron: &str, timezone: &str, after: &str) -> String {
        let date = schedule(cron, timezone).next_after(after.parse().expect("a date")).expect("a next date");
        date.to_string()
    }

    #[test]
    fn dates_come_after_the_given_one() {
        assert_eq!(next("* * * * *", "UTC", "2026-01-05T08:00:00Z"), "2026-01-05T08:01:00Z");
        assert_eq!(next("*/5 * * * * *", "UTC", "2026-01-05T08:00:01Z"), "2026-01-05T08:00:05Z");
        assert_eq!(next("@hourly", "UTC", "2026-01-05T08:00:00Z"), "2026-01-05T09:00:00Z");
        assert_eq!(next("0 9 * * 1-5", "Europe/Paris", "2026-01-09T20:00:00Z"), "2026-01-12T08:00:00Z");
    }

    #[test]
    fn the_date_before_is_the_one_whose_next_is_not_before() {
        for (cron, zone) in [
            ("* * * * *", "UTC"),
            ("*/7 * * * * *", "UTC"),
            ("0 9 * * 1-5", "Europe/Paris"),
            ("30 2 * * *", "Europe/Paris"),
            ("0 0 29 2 *", "Asia/Kolkata"),
        ] {
            let schedule = schedule(cron, zone);
            let mut date: jiff::Timestamp = "2026-03-27T12:00:00Z".parse().expect("a date");
            for _ in 0..6 {
                let next = schedule.next_after(date).expect("a next date");
                let after_next = schedule.next_after(next).expect("a next date");
                assert_eq!(schedule.previous_before(after_next), Some(next), "{cron} {zone}");
                assert_eq!(schedule.previous_before(next + jiff::SignedDuration::from_millis(1)), Some(next));
                date = next;
            }
        }
    }

    #[test]
    fn dates_print_in_their_zone() {
        let at = |zone: &str, date: &str| schedule("* * * * *", zone).text(date.parse().expect("a date"));
        assert_eq!(at("UTC", "2026-01-05T08:00:00Z"), "2026-01-05T08:00:00Z");
        assert_eq!(at("Europe/London", "2026-01-05T08:00:00Z"), "2026-01-05T08:00:00Z");
        assert_eq!(at("Europe/Paris", "2026-07-05T08:00:00Z"), "2026-07-05T10:00:00+02:00");
        assert_eq!(at("-03:30", "2026-07-05T02:00:00Z"), "2026-07-04T22:30:00-03:30");
    }

    #[test]
    fn a_nightly_date_survives_the_change_of_the_clock() {
        // On 2026-03-29 Paris jumps from 02:00 to 03:00.
        let mut date: jiff::Timestamp = "2026-03-27T12:00:00Z".parse().expect("a date");
        let nightly = schedule("30 4 * * *", "Europe/Paris");
        let mut dates = Vec::new();
        for _ in 0..3 {
            date = nightly.next_after(date).expect("a next date");
            dates.push(date.to_string());
        }
        assert_eq!(dates, ["2026-03-28T03:30:00Z", "2026-03-29T02:30:00Z", "2026-03-30T02:30:00Z"]);
    }

    #[test]
    fn the_last_day_is_of_2_0() {
        let last = schedule("0 0 L-3 * *", "UTC");
        assert!(last.check(true).is_ok() && last.check(false).is_err());
        assert_eq!(next("0 0 L-3 * *", "UTC", "2028-02-05T08:00:00Z"), "2028-02-26T00:00:00Z");
    }

    #[test]
    fn wrong_expressions_are_told() {
        assert!(schedule("61 * * * *", "UTC").check(true).is_err());
        assert!(schedule("* * *", "UTC").check(true).is_err());
    }
}
