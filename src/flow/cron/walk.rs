//! The next date of an expression, found as cron-utils finds it: from field to field, forward from where one asks.
//!
//! In most hours of the year that is what anyone would expect. Where a clock changes the way decides: a local time that is
//! skipped is due on no day (a date that would be set to it moves on by the length of the gap and then does not fit), and
//! one that comes twice is due where the walk meets it first: hours are stepped as time passes, but a day is entered by
//! setting its local time, which keeps the offset of before.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::{Cron, Single};

/// Steps of a walk: far more than a hundred years of months.
const MAX_STEPS: usize = 100_000;

/// Years after which there is no date.
const MAX_YEARS: i16 = 100;

/// A local time and its offset, which tells two equal ones of a repeated hour apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    local: DateTime,
    offset: Offset,
}

impl Moment {
    fn of(timestamp: Timestamp, zone: &TimeZone) -> Moment {
        let offset = zone.to_offset(timestamp);
        Moment { local: offset.to_datetime(timestamp), offset }
    }

    fn timestamp(self) -> Option<Timestamp> {
        self.offset.to_timestamp(self.local).ok()
    }

    /// The same clock set to another local time: a skipped one moves on by what is skipped, a repeated one keeps the
    /// offset if it can and is the first else.
    fn set(self, local: DateTime, zone: &TimeZone) -> Option<Moment> {
        Some(match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => Moment { local, offset },
            AmbiguousOffset::Gap { before, after } => {
                let gap = SignedDuration::from_secs(i64::from(after.seconds() - before.seconds()));
                Moment { local: local.checked_add(gap).ok()?, offset: after }
            }
            AmbiguousOffset::Fold { before, after } => {
                Moment { local, offset: if self.offset == after { after } else { before } }
            }
        })
    }

    /// As much time later.
    fn later(self, seconds: i64, zone: &TimeZone) -> Option<Moment> {
        let timestamp = self.timestamp()?.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        Some(Moment::of(timestamp, zone))
    }
}

/// A unit of time that is stepped through.
#[derive(Clone, Copy)]
enum Unit {
    Hour,
    Minute,
    Second,
}

impl Unit {
    fn seconds(self) -> i64 {
        match self {
            Unit::Hour => 3_600,
            Unit::Minute => 60,
            Unit::Second => 1,
        }
    }
    /// Values of it.
    fn count(self) -> i64 {
        if matches!(self, Unit::Hour) { 24 } else { 60 }
    }
    fn value(self, time: DateTime) -> i8 {
        match self {
            Unit::Hour => time.hour(),
            Unit::Minute => time.minute(),
            Unit::Second => time.second(),
        }
    }
    fn truncated(self, time: DateTime) -> DateTime {
        let (minute, second) = match self {
            Unit::Hour => (0, 0),
            Unit::Minute => (time.minute(), 0),
            Unit::Second => (time.minute(), time.second()),
        };
        time.date().at(time.hour(), minute, second, 0)
    }
}

impl Cron {
    /// The first date after `date`, in whole seconds. None when there is none within a hundred years.
    pub fn next_after(&self, date: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let next = self.0.iter().filter_map(|single| single.next_after(date, zone)).min()?;
        Timestamp::from_second(next.as_second()).ok()
    }
}

impl Single {
    fn next_after(&self, date: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let from = Moment::of(date, zone);
        let next = self.closest(from, zone)?;
        if next != from {
            return next.timestamp();
        }
        let next = self.closest(from.later(1, zone)?, zone)?;
        // A date of the repeated hour: what is rarer than every two hours is not due a second time.
        if next.offset < from.offset
            && let Some(after) = next.later(1, zone).and_then(|later| self.closest(later, zone))
            && after.timestamp()?.duration_since(next.timestamp()?).as_hours() > 1
        {
            return self.closest(from.later(1 + 3_600, zone)?, zone)?.timestamp();
        }
        next.timestamp()
    }

    /// `from` if it fits, else the next that does.
    fn closest(&self, from: Moment, zone: &TimeZone) -> Option<Moment> {
        let mut moment = from;
        for _ in 0..MAX_STEPS {
            let next = self.step(moment, zone)?;
            if next == moment {
                return Some(moment);
            }
            moment = next;
            if moment.local.year() - from.local.year() > MAX_YEARS {
                return None;
            }
        }
        None
    }

    /// One step towards the next date; the same moment when it fits.
    fn step(&self, moment: Moment, zone: &TimeZone) -> Option<Moment> {
        let local = moment.local;
        if !self.months.contains(local.month()) {
            return self.next_month(moment, zone);
        }
        let days = self.days_of(local.date().first_of_month().weekday(), local.date().days_in_month());
        if days.is_empty() {
            return begin_of_next_month(moment, zone);
        }
        if !days.contains(local.day()) {
            return match days.from(local.day()) {
                Some(day) => {
                    let moment = moment
                        .set(clipped(local.date(), day)?.to_datetime(Unit::Second.truncated(local).time()), zone)?;
                    self.earliest_on(moment, zone)
                }
                None => begin_of_next_month(moment, zone),
            };
        }
        for (unit, values) in [(Unit::Hour, self.hours), (Unit::Minute, self.minutes), (Unit::Second, self.seconds)] {
            if !values.contains(unit.value(local)) {
                return stepped(moment, unit, |value| values.contains(value), zone);
            }
        }
        Some(moment)
    }

    fn next_month(&self, moment: Moment, zone: &TimeZone) -> Option<Moment> {
        let local = moment.local;
        let Some(month) = self.months.from(local.month()) else {
            let midnight = moment.set(local.date().to_datetime(Time::midnight()), zone)?;
            let january = Date::new(local.year(), 1, 1).ok()?;
            let here = midnight.set(january.to_datetime(midnight.local.time()), zone)?;
            return here.set(Date::new(local.year() + 1, 1, 1).ok()?.to_datetime(here.local.time()), zone);
        };
        let first = Date::new(local.year(), month, 1).ok()?;
        let Some(day) = self.days_of(first.weekday(), first.days_in_month()).least() else {
            return begin_of_next_month(moment, zone);
        };
        let whole = moment.set(Unit::Second.truncated(local), zone)?;
        let there = whole.set(clipped(first, local.day())?.to_datetime(whole.local.time()), zone)?;
        let there = there.set(clipped(first, day)?.to_datetime(there.local.time()), zone)?;
        self.earliest_on(there, zone)
    }

    /// The least time of a day that the fields allow, by setting the clock to it.
    fn earliest_on(&self, moment: Moment, zone: &TimeZone) -> Option<Moment> {
        let (hour, minute, second) = (self.hours.least()?, self.minutes.least()?, self.seconds.least()?);
        moment.set(moment.local.date().at(hour, minute, second, 0), zone)
    }
}

/// The next moment at which the value of a unit fits, step by step as time passes.
fn stepped(moment: Moment, unit: Unit, fits: impl Fn(i8) -> bool, zone: &TimeZone) -> Option<Moment> {
    let count = unit.count();
    let now = i64::from(unit.value(moment.local));
    // Where no change of the clock is between, the steps need not be gone one by one.
    if let Some(steps) = (1..=count).find(|steps| fits(((now + steps) % count) as i8)) {
        let there = moment.later(steps * unit.seconds(), zone)?;
        if there.offset == moment.offset {
            return there.set(unit.truncated(there.local), zone);
        }
    }
    let mut there = moment;
    for _ in 0..2 * (count - 1) {
        there = there.later(unit.seconds(), zone)?;
        if fits(unit.value(there.local)) {
            return there.set(unit.truncated(there.local), zone);
        }
    }
    None
}

fn begin_of_next_month(moment: Moment, zone: &TimeZone) -> Option<Moment> {
    let date = moment.local.date();
    let midnight = moment.set(date.to_datetime(Time::midnight()), zone)?;
    let there = midnight.set(date.checked_add(1.month()).ok()?.to_datetime(midnight.local.time()), zone)?;
    there.set(there.local.date().first_of_month().to_datetime(there.local.time()), zone)
}

/// A day of the month of a date, or the last one when it is shorter.
fn clipped(date: Date, day: i8) -> Option<Date> {
    Date::new(date.year(), date.month(), day.min(date.days_in_month())).ok()
}
