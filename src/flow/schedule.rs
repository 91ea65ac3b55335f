//! Dates of Schedule triggers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use croner::parser::{CronParser, Seconds};

use super::Schedule;

type Parsed = (croner::Cron, jiff::tz::TimeZone);

/// Schedules that are remembered.
const REMEMBERED: usize = 4_096;

impl Schedule {
    /// The first date after `date` at which the trigger is due, in its own time zone. None when there is none, or when
    /// the expression or the zone is not valid (readers refuse those).
    pub fn next_after(&self, date: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let parsed = self.parsed()?;
        let (cron, zone) = &*parsed;
        cron.find_next_occurrence(&date.to_zoned(zone.clone()), false).ok().map(|next| next.timestamp())
    }

    /// The expression and the zone as they are reckoned with. They are read once and remembered, because reading costs a
    /// hundred times what a date does; what is read does not depend on what was remembered.
    fn parsed(&self) -> Option<Arc<Parsed>> {
        static KNOWN: Mutex<BTreeMap<Schedule, Arc<Parsed>>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(self) {
            return Some(found.clone());
        }
        let parsed = Arc::new((self.parse().ok()?, jiff::tz::TimeZone::get(&self.timezone).ok()?));
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(self.clone(), parsed.clone());
        Some(parsed)
    }

    /// Checks the cron expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.parse().map(|_| ()).map_err(|error| error.to_string())
    }

    fn parse(&self) -> Result<croner::Cron, croner::errors::CronError> {
        let seconds = if self.with_seconds { Seconds::Optional } else { Seconds::Disallowed };
        CronParser::builder().seconds(seconds).build().parse(&self.cron)
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
    fn wrong_expressions_are_told() {
        assert!(schedule("61 * * * *", "UTC").check().is_err());
        assert!(schedule("* * *", "UTC").check().is_err());
    }
}
