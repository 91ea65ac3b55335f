//! `time_intervals`: parts of days, weeks, months and years, in a zone.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::Version;

/// One entry of a `time_intervals` list. What it does not name is no condition; a list that is empty never holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeInterval {
    /// Minutes of the day, from and to, the last not in it.
    pub(super) times: Option<Vec<Range>>,
    /// From 0, Sunday, to 6.
    pub(super) weekdays: Option<Vec<Range>>,
    /// From 1; negative ones count from the month's end.
    pub(super) days_of_month: Option<Vec<Range>>,
    pub(super) months: Option<Vec<Range>>,
    pub(super) years: Option<Vec<Range>>,
    /// None: UTC.
    pub(super) location: Option<TimeZone>,
}

/// From and to.
pub(super) type Range = (i64, i64);

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl TimeInterval {
    /// Whether an instant (milliseconds since 1970) lies in it, as this version counts the days of months.
    pub fn contains(&self, at: i64, version: Version) -> bool {
        let Ok(at) = Timestamp::from_millisecond(at) else { return false };
        let at = at.to_zoned(self.location.clone().unwrap_or(TimeZone::UTC));
        let within = |ranges: &Option<Vec<Range>>, value: i64| {
            ranges.as_ref().is_none_or(|all| all.iter().any(|(from, to)| (*from..=*to).contains(&value)))
        };
        let minute = i64::from(at.hour()) * 60 + i64::from(at.minute());
        let on_time = self.times.as_ref().is_none_or(|all| all.iter().any(|(from, to)| (*from..*to).contains(&minute)));
        on_time
            && self.days_of_month.as_ref().is_none_or(|all| on_day(all, &at, version))
            && within(&self.months, i64::from(at.month()))
            && within(&self.weekdays, i64::from(at.weekday().to_sunday_zero_offset()))
            && within(&self.years, i64::from(at.year()))
    }
}

fn on_day(ranges: &[Range], at: &Zoned, version: Version) -> bool {
    let length = length_of_month(at, version);
    let counted = |day: i64| if day < 0 { length + day + 1 } else { day };
    let day = i64::from(at.day());
    ranges.iter().any(|(from, to)| {
        let from = counted(*from);
        from <= length && day >= from.max(-length) && day <= counted(*to).clamp(-length, length)
    })
}

/// The days of a month as Alertmanager counts them. Before 0.35: its hours by 24, rounded down; in a zone that loses an hour in
/// March, that month has 30.
fn length_of_month(at: &Zoned, version: Version) -> i64 {
    if version >= Version::V0_35 {
        return i64::from(at.days_in_month());
    }
    let first = Date::new(at.year(), at.month(), 1);
    let hours = first.and_then(|first| {
        let next = first.checked_add(1.month())?;
        let begin = first.to_zoned(at.time_zone().clone())?.timestamp();
        let end = next.to_zoned(at.time_zone().clone())?.timestamp();
        Ok((end.as_second() - begin.as_second()) / 3600)
    });
    hours.map_or(i64::from(at.days_in_month()), |hours| hours / 24)
}

/// A time of day as minutes: `HH:MM`, or `24:00`.
pub(super) fn minute(text: &str) -> Result<i64, String> {
    const ADVICE: &str = "write hours and minutes with two digits each, from `00:00` to `24:00`";
    let part =
        |text: &str| text.parse::<i64>().ok().filter(|_| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()));
    let (hour, minute) =
        text.split_once(':').and_then(|(hour, minute)| Some((part(hour)?, part(minute)?))).ok_or(ADVICE)?;
    match (hour, minute) {
        (0..24, 0..60) | (24, 0) => Ok(hour * 60 + minute),
        _ => Err(ADVICE.to_owned()),
    }
}

/// One value or two with a colon.
fn range(text: &str, one: impl Fn(&str) -> Option<i64>, advice: &str) -> Result<Range, String> {
    let text = text.to_lowercase();
    let (from, to) = text.split_once(':').unwrap_or((&text, &text));
    one(from).zip(one(to)).ok_or_else(|| advice.to_owned())
}

fn named(names: &[&str], text: &str) -> Option<i64> {
    names.iter().position(|name| *name == text).and_then(|at| i64::try_from(at).ok())
}

/// Days of the week: `monday`, `monday:friday`.
pub(super) fn weekdays(text: &str) -> Result<Range, String> {
    let advice = "write the name of a day, or two with a colon: `saturday`, `monday:friday`";
    match range(text, |text| named(&WEEKDAYS, text), advice)? {
        (from, to) if from > to => {
            Err("the week begins with sunday: write two entries, for example `saturday` and `sunday`".to_owned())
        }
        found => Ok(found),
    }
}

/// Days of the month: `1`, `1:5`, `-3:-1`.
pub(super) fn days_of_month(text: &str) -> Result<Range, String> {
    let advice = "write a day from 1 to 31, or from -1, the last, to -31, or two with a colon: `1:5`, `-3:-1`";
    let (from, to) = range(text, |text| text.parse().ok(), advice)?;
    let sound = |day: i64| day != 0 && (-31..=31).contains(&day);
    // The shortest month has 28 days.
    let counted = |day: i64| if day < 0 { 28 + day } else { day };
    match (from, to) {
        _ if !sound(from) || !sound(to) => Err(advice.to_owned()),
        (..0, 1..) => Err("the last day must be negative too when the first is".to_owned()),
        _ if counted(from) > counted(to) => {
            Err("the last day always comes before the first: turn them round".to_owned())
        }
        found => Ok(found),
    }
}

/// Months: `may`, `5`, `1:march`.
pub(super) fn months(text: &str) -> Result<Range, String> {
    let advice = "write the name or number of a month, or two with a colon: `december`, `1:3`, `may:august`";
    match range(text, |text| named(&MONTHS, text).map(|at| at + 1).or_else(|| text.parse().ok()), advice)? {
        (from, to) if from > to => Err("the year begins with january: write two entries".to_owned()),
        found => Ok(found),
    }
}

/// Years: `2030`, `2030:2032`.
pub(super) fn years(text: &str) -> Result<Range, String> {
    match range(text, |text| text.parse().ok(), "write a year, or two with a colon: `2030`, `2030:2032`")? {
        (from, to) if from > to => Err("the last year comes before the first: turn them round".to_owned()),
        found => Ok(found),
    }
}

/// The machine's own zone.
pub(super) const LOCAL: &str = "Local";

/// A zone by its name as the files of the zone database are called.
pub(super) fn location(text: &str) -> Result<TimeZone, String> {
    if matches!(text, "" | "UTC" | LOCAL) {
        return Ok(TimeZone::UTC);
    }
    match TimeZone::get(text) {
        Ok(zone) if zone.iana_name() == Some(text) => Ok(zone),
        Ok(zone) => Err(format!("did you mean `{}`?", zone.iana_name().unwrap_or("UTC"))),
        Err(_) => Err("write a zone of the IANA database, for example `Europe/Berlin`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Version = Version::V0_33;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a date").as_millisecond()
    }

    #[test]
    fn texts_become_ranges() {
        assert_eq!(minute("00:00"), Ok(0));
        assert_eq!(minute("09:30"), Ok(570));
        assert_eq!(minute("24:00"), Ok(1440));
        for wrong in ["", "9:30", "24:01", "23:60", "25:00", "09:3", "0930", "09:30:00", "+9:30"] {
            assert!(minute(wrong).is_err(), "{wrong}");
        }
        assert_eq!(weekdays("Monday:FRIDAY"), Ok((1, 5)));
        assert_eq!(days_of_month("-3:-1"), Ok((-3, -1)));
        assert_eq!(days_of_month("5:-1"), Ok((5, -1)));
        assert_eq!(months("may:8"), Ok((5, 8)));
        assert_eq!(years("2030"), Ok((2030, 2030)));
        for wrong in ["0", "32", "-32", "-1:5", "5:1", "29:-1", "1:2:3", "", "a"] {
            assert!(days_of_month(wrong).is_err(), "{wrong}");
        }
        for wrong in ["saturday:monday", "mon", "1", "monday:", " monday"] {
            assert!(weekdays(wrong).is_err(), "{wrong}");
        }
        assert!(months("december:january").is_err() && months("foo").is_err() && years("2031:2030").is_err());
        assert!(
            location("Europe/Berlin").is_ok() && location("europe/berlin").is_err() && location("Mars/Base").is_err()
        );
    }

    #[test]
    fn the_last_minute_is_not_in_it() {
        let interval = TimeInterval { times: Some(vec![(540, 1020)]), ..TimeInterval::default() };
        for (time, expected) in [("08:59:59", false), ("09:00:00", true), ("16:59:59", true), ("17:00:00", false)] {
            assert_eq!(interval.contains(at(&format!("2030-01-02T{time}Z")), OLD), expected, "{time}");
        }
        let late = TimeInterval { times: Some(vec![(1380, 1440)]), ..TimeInterval::default() };
        assert!(late.contains(at("2030-01-02T23:59:59Z"), OLD) && !late.contains(at("2030-01-03T00:00:00Z"), OLD));
        // What is empty never holds, what is not there always does.
        assert!(TimeInterval::default().contains(0, OLD));
        assert!(!TimeInterval { times: Some(Vec::new()), ..TimeInterval::default() }.contains(0, OLD));
    }

    #[test]
    fn days_count_from_the_end_and_stay_in_their_month() {
        let days = |range: Range| TimeInterval { days_of_month: Some(vec![range]), ..TimeInterval::default() };
        assert!(
            days((-1, -1)).contains(at("2030-02-28T12:00:00Z"), OLD)
                && days((-1, -1)).contains(at("2028-02-29T12:00:00Z"), OLD)
        );
        assert!(!days((-1, -1)).contains(at("2030-02-27T12:00:00Z"), OLD));
        assert!(
            days((25, 31)).contains(at("2030-02-28T12:00:00Z"), OLD)
                && !days((29, 31)).contains(at("2030-02-28T12:00:00Z"), OLD)
        );
        assert!(days((-31, -1)).contains(at("2030-02-01T00:00:00Z"), OLD));
        assert!(days((1, 31)).contains(at("2030-03-01T00:00:00Z"), OLD));
    }

    #[test]
    fn a_zone_moves_the_clock_and_shortens_march() {
        let berlin = location("Europe/Berlin").ok();
        let morning =
            TimeInterval { times: Some(vec![(540, 600)]), location: berlin.clone(), ..TimeInterval::default() };
        assert!(morning.contains(at("2030-01-02T08:30:00Z"), OLD) && morning.contains(at("2030-07-02T07:30:00Z"), OLD));
        assert!(!morning.contains(at("2030-07-02T08:30:00Z"), OLD));
        // March has 743 hours there, which are 30 whole days.
        let last = TimeInterval { days_of_month: Some(vec![(-1, -1)]), location: berlin, ..TimeInterval::default() };
        assert!(last.contains(at("2030-03-30T12:00:00Z"), OLD) && !last.contains(at("2030-03-31T12:00:00Z"), OLD));
        assert!(last.contains(at("2030-10-31T12:00:00Z"), OLD));
        let new = Version::V0_35;
        assert!(last.contains(at("2030-03-31T12:00:00Z"), new) && !last.contains(at("2030-03-30T12:00:00Z"), new));
    }

    #[test]
    fn weekdays_months_and_years_hold_together() {
        let interval = TimeInterval {
            weekdays: Some(vec![(0, 0), (6, 6)]),
            months: Some(vec![(12, 12)]),
            years: Some(vec![(2030, 2031)]),
            ..TimeInterval::default()
        };
        // 2030-12-01 is a Sunday.
        assert!(
            interval.contains(at("2030-12-01T00:00:00Z"), OLD) && interval.contains(at("2030-12-07T00:00:00Z"), OLD)
        );
        assert!(
            !interval.contains(at("2030-12-02T00:00:00Z"), OLD) && !interval.contains(at("2030-11-30T00:00:00Z"), OLD)
        );
        assert!(!interval.contains(at("2032-12-04T00:00:00Z"), OLD));
    }
}
