//! Virtual time: whole nanoseconds, no clock.
//!
//! An [`Instant`] counts from the scenario's start; a cluster that is older than its scenario lives at negative instants.
//! Calendar dates come from [`Calendar`], which knows which date the scenario's start is.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// A length of virtual time in whole nanoseconds, never negative. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// The longest span that can be said, some 584 years.
    pub const MAX: Duration = Duration(u64::MAX);

    /// From whole nanoseconds.
    pub const fn nanoseconds(n: u64) -> Duration {
        Duration(n)
    }
    /// From whole microseconds.
    pub const fn microseconds(n: u64) -> Duration {
        Duration(n.saturating_mul(1_000))
    }
    /// From whole milliseconds.
    pub const fn milliseconds(n: u64) -> Duration {
        Duration(n.saturating_mul(MILLISECOND))
    }
    /// From whole seconds.
    pub const fn seconds(n: u64) -> Duration {
        Duration(n.saturating_mul(SECOND))
    }
    /// From whole minutes.
    pub const fn minutes(n: u64) -> Duration {
        Duration::seconds(n.saturating_mul(60))
    }
    /// From seconds as a float, rounded to whole nanoseconds at once; negative and NaN give zero.
    pub fn from_seconds_f64(seconds: f64) -> Duration {
        // A float to integer cast saturates and maps NaN to zero, which is what is wanted here.
        Duration(f64::round(seconds * SECOND as f64) as u64)
    }
    /// Whole nanoseconds.
    pub const fn as_nanoseconds(self) -> u64 {
        self.0
    }
    /// Whole milliseconds, rounded down.
    pub const fn as_milliseconds(self) -> u64 {
        self.0 / MILLISECOND
    }
    /// Seconds as the nearest float.
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / SECOND as f64
    }
    /// The longer of two spans minus the other, or zero.
    pub const fn saturating_sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }
    /// This span `factor` times, rounded to whole nanoseconds.
    pub fn times(self, factor: f64) -> Duration {
        Duration(f64::round(self.0 as f64 * factor) as u64)
    }
    /// The nearest whole millisecond, for people.
    pub const fn rounded(self) -> Duration {
        Duration(self.0.saturating_add(MILLISECOND / 2) / MILLISECOND * MILLISECOND)
    }
    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    /// As ISO 8601 has it and Java prints it: `PT40S`, `PT1M30.5S`, `PT26H`.
    pub fn iso(self) -> String {
        let (seconds, nanoseconds) = (self.0 / SECOND, self.0 % SECOND);
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let mut text = "PT".to_owned();
        for (value, unit) in [(hours, 'H'), (minutes, 'M')] {
            if value > 0 {
                text += &format!("{value}{unit}");
            }
        }
        match nanoseconds {
            0 if rest > 0 || text == "PT" => text += &format!("{rest}S"),
            0 => {}
            n => text += &format!("{rest}.{}S", format!("{n:09}").trim_end_matches('0')),
        }
        text
    }
}

impl From<std::time::Duration> for Duration {
    /// The same span; what is longer than can be said is [`Duration::MAX`].
    fn from(span: std::time::Duration) -> Duration {
        Duration(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Duration {
    fn add_assign(&mut self, other: Duration) {
        *self = *self + other;
    }
}

/// A point of virtual time: whole nanoseconds since the scenario's start, negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// The scenario's start.
    pub const START: Instant = Instant(0);
    /// A point later than all that happens.
    pub const NEVER: Instant = Instant(i64::MAX);

    /// From nanoseconds since the scenario's start.
    pub const fn from_nanoseconds(n: i64) -> Instant {
        Instant(n)
    }
    /// Nanoseconds since the scenario's start.
    pub const fn as_nanoseconds(self) -> i64 {
        self.0
    }
    /// The span from `earlier` to this point, or zero when it is not earlier.
    pub const fn since(self, earlier: Instant) -> Duration {
        let span = self.0.saturating_sub(earlier.0);
        Duration(if span < 0 { 0 } else { span as u64 })
    }
    /// The nearest whole millisecond, for people.
    pub const fn rounded(self) -> Instant {
        let half = MILLISECOND as i64 / 2;
        Instant(self.0.saturating_add(half).div_euclid(MILLISECOND as i64) * MILLISECOND as i64)
    }
    /// The point that lies `span` before this one.
    pub const fn before(self, span: Duration) -> Instant {
        let nanoseconds = if span.0 > i64::MAX as u64 { i64::MAX } else { span.0 as i64 };
        Instant(self.0.saturating_sub(nanoseconds))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, span: Duration) -> Instant {
        let nanoseconds = i64::try_from(span.0).unwrap_or(i64::MAX);
        Instant(self.0.saturating_add(nanoseconds))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            write!(f, "-{}", Duration(self.0.unsigned_abs()))
        } else {
            write!(f, "{}", Duration(self.0 as u64))
        }
    }
}

impl fmt::Display for Duration {
    /// As a scenario writes it: `1h30m`, `90s` as `1m30s`, `1.5s`, `250ms`; zero is `0s`. No unit is left out between two
    /// others: `1h0m28.183s` cannot be taken for an hour and 28 minutes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut written) = (self.0, false);
        for (unit, name) in [(86_400 * SECOND, "d"), (3_600 * SECOND, "h"), (60 * SECOND, "m")] {
            if rest >= unit || (written && rest > 0) {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
                written = true;
            }
        }
        match (rest, written) {
            (0, true) => Ok(()),
            (0, false) => f.write_str("0s"),
            (n, _) if n % SECOND == 0 => write!(f, "{}s", n / SECOND),
            (n, false) if n < SECOND && n % MILLISECOND == 0 => write!(f, "{}ms", n / MILLISECOND),
            (n, _) => {
                let fraction = format!("{:09}", n % SECOND);
                write!(f, "{}.{}s", n / SECOND, fraction.trim_end_matches('0'))
            }
        }
    }
}

/// What to write where a duration is wanted.
pub const DURATION_ADVICE: &str = "write a duration such as 90s, 1h30m, 250ms or PT5M";

impl std::str::FromStr for Duration {
    type Err = String;

    /// `90s`, `1h30m`, `1.5s`, `250ms`, or ISO 8601 (`PT1H30M`, `P1D`). Months and years have no length and are refused.
    fn from_str(text: &str) -> Result<Duration, String> {
        let wrong = || DURATION_ADVICE.to_owned();
        let text = text.trim();
        let iso = text.strip_prefix(['P', 'p']);
        let mut date_part = iso.is_some();
        let mut rest = iso.unwrap_or(text);
        let mut total = 0f64;
        let mut parts = 0;
        while !rest.is_empty() {
            if iso.is_some()
                && date_part
                && let Some(time) = rest.strip_prefix(['T', 't'])
            {
                (date_part, rest) = (false, time);
                continue;
            }
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let amount: f64 = rest[..digits].parse().map_err(|_| wrong())?;
            let unit = rest[digits..].find(|c: char| !c.is_alphabetic()).map_or(rest.len(), |at| digits + at);
            let unit_text = match iso {
                // An ISO unit is one letter.
                Some(_) => {
                    let letter = rest[digits..].chars().next().map_or(0, char::len_utf8);
                    &rest[digits..digits + letter]
                }
                None => &rest[digits..unit],
            };
            let seconds = match (iso.is_some(), date_part, unit_text) {
                (true, true, "W" | "w") | (false, _, "w") => 604_800.0,
                (true, true, "D" | "d") | (false, _, "d") => 86_400.0,
                (true, false, "H" | "h") | (false, _, "h") => 3_600.0,
                (true, false, "M" | "m") | (false, _, "m" | "min") => 60.0,
                (true, false, "S" | "s") | (false, _, "s") => 1.0,
                (false, _, "ms") => 1e-3,
                (false, _, "us" | "µs") => 1e-6,
                (false, _, "ns") => 1e-9,
                _ => return Err(wrong()),
            };
            total += amount * seconds;
            parts += 1;
            rest = &rest[digits + unit_text.len()..];
        }
        // 292 years fit into an instant; nobody means more.
        if parts == 0 || total > 9.0e9 {
            return Err(wrong());
        }
        Ok(Duration::from_seconds_f64(total))
    }
}

/// Which calendar date the scenario's start is; turns instants into dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    start: jiff::Timestamp,
}

impl Calendar {
    /// A calendar whose instant zero is `start`.
    pub const fn starting(start: jiff::Timestamp) -> Calendar {
        Calendar { start }
    }
    /// The date of the scenario's start.
    pub const fn start(&self) -> jiff::Timestamp {
        self.start
    }
    /// The date of `instant`; dates out of jiff's range give its last date.
    pub fn date(&self, instant: Instant) -> jiff::Timestamp {
        self.start
            .checked_add(jiff::SignedDuration::from_nanos(instant.as_nanoseconds()))
            .unwrap_or(jiff::Timestamp::MAX)
    }
    /// The instant of `date`; dates beyond 292 years of the start give the nearest instant that can be said.
    pub fn instant(&self, date: jiff::Timestamp) -> Instant {
        let nanoseconds = date.as_nanosecond() - self.start.as_nanosecond();
        Instant(nanoseconds.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

impl Default for Calendar {
    /// The fixed date of `run` and `test`: Monday 2026-01-05, 08:00 UTC.
    fn default() -> Calendar {
        Calendar { start: jiff::Timestamp::constant(1_767_600_000, 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_what_they_write() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("1m30s", 90.0),
            ("1h30m", 5400.0),
            ("PT1H30M", 5400.0),
            ("P1DT12H", 129_600.0),
            ("PT0.5S", 0.5),
            ("250ms", 0.25),
            ("1.5s", 1.5),
            ("2d", 172_800.0),
        ] {
            let duration: Duration = text.parse().expect(text);
            assert_eq!(duration.as_seconds_f64(), seconds, "{text}");
            assert_eq!(duration.to_string().parse(), Ok(duration), "{text} as {duration}");
        }
    }

    #[test]
    fn durations_look_as_java_prints_them() {
        for (milliseconds, text) in [
            (0, "PT0S"),
            (40_000, "PT40S"),
            (60_000, "PT1M"),
            (90_500, "PT1M30.5S"),
            (93_600_000, "PT26H"),
            (7, "PT0.007S"),
        ] {
            assert_eq!(Duration::milliseconds(milliseconds).iso(), text);
        }
    }

    #[test]
    fn no_unit_is_left_out_between_two_others() {
        for (milliseconds, text) in [
            (3_628_183, "1h0m28.183s"),
            (3_600_000, "1h"),
            (5_400_000, "1h30m"),
            (90_000_000, "1d1h"),
            (86_700_000, "1d0h5m"),
            (86_401_000, "1d0h0m1s"),
            (28_183, "28.183s"),
            (-3_628_183, "-1h0m28.183s"),
        ] {
            let at = Instant::from_nanoseconds(milliseconds * MILLISECOND as i64);
            assert_eq!(at.to_string(), text);
            let span: Duration = text.trim_start_matches('-').parse().expect(text);
            assert_eq!(span.as_milliseconds() as i64, milliseconds.abs(), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "P", "PT", "10", "s", "5x", "1y", "P1M", "P1Y", "PT5", "-5s", "1..5s", "1e9999s", "∞", "PT5µ", "5µ",
            "P5é",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
