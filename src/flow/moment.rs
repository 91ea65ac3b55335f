//! Dates and times as Java's `java.time` reads them from text.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

/// A date and time with the offset it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zoned {
    /// As written.
    pub local: DateTime,
    /// How far its clock is before UTC, in seconds.
    pub offset: i32,
}

impl Zoned {
    /// The instant, as seconds and nanoseconds since 1970; no need for a calendar that ends.
    pub fn instant(self) -> SignedDuration {
        let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
        self.local.duration_since(epoch) - SignedDuration::from_secs(self.offset.into())
    }
}

/// Reads `2026-01-03T10:00:00Z`, with a fraction, an offset, and a zone in brackets.
///
/// # Errors
/// The place in the text behind which Java could not go on.
pub fn zoned(text: &str) -> Result<Zoned, usize> {
    let (date, rest) = text.split_at_checked(10).ok_or(0_usize)?;
    let date = date_of(date).ok_or(0_usize)?;
    let rest = rest.strip_prefix('T').ok_or(10_usize)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(rest.len());
    let (time, rest) = rest.split_at(end);
    let time = time_of(time).ok_or(11_usize)?;
    let at = 11 + end;
    let (offset, zone) = match rest.split_once('[') {
        Some((offset, zone)) => (offset, Some(zone)),
        None => (rest, None),
    };
    let offset = offset_of(offset).ok_or(at)?;
    let closed = zone.is_none_or(|zone| zone.ends_with(']') && zone.len() > 1);
    if !closed {
        return Err(at + rest.find('[').unwrap_or(0));
    }
    Ok(Zoned { local: date.to_datetime(time), offset })
}

/// Reads a date alone, `2026-01-03`.
pub fn date_of(text: &str) -> Option<Date> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    text.parse().ok().filter(|_| shape)
}

/// Reads a time of the day: `09:00`, `09:00:30`, `09:00:30.5`.
pub fn time_of(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok());
    let mut parts = whole.split(':');
    let hour: i8 = parts.next().and_then(digits)??;
    let minute: i8 = parts.next().and_then(digits)??;
    let second: i8 = match parts.next() {
        Some(part) => digits(part)??,
        None if text.contains('.') => return None,
        None => 0,
    };
    let good = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if parts.next().is_some() || !good {
        return None;
    }
    let nanosecond: i32 = format!("{fraction:0<9}").parse().ok()?;
    Time::new(hour, minute, second, nanosecond).ok()
}

/// Reads a time of the day with an offset, `09:00:00+02:00`: how far it is behind the midnight of UTC.
pub fn offset_time(text: &str) -> Option<SignedDuration> {
    let end = text.find(['Z', '+', '-'])?;
    let (time, offset) = text.split_at(end);
    Some(since_midnight(time_of(time)?) - SignedDuration::from_secs(offset_of(offset)?.into()))
}

/// How far a time is behind its midnight.
pub fn since_midnight(time: Time) -> SignedDuration {
    time.duration_since(Time::midnight())
}

/// `Z`, `+02:00`, `-05:30:15`, in seconds.
fn offset_of(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let parts: Vec<&str> = text[1..].split(':').collect();
    let number = |part: &&str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<i32>().ok())?
    };
    let numbers: Vec<i32> = parts.iter().map(number).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match numbers.as_slice() {
        [hours, minutes] => (*hours, *minutes, 0),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        [hours] => (*hours, 0, 0),
        _ => return None,
    };
    (hours <= 18 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_java_and_where_they_end_is_told() {
        for good in ["2026-01-03T10:00:00Z", "2026-01-03T10:00Z", "2026-01-04T10:00:00.123456+01:00[Europe/Paris]"] {
            assert!(zoned(good).is_ok(), "{good}");
        }
        for (bad, at) in [
            ("2026-01-05", 10),
            ("2026-01-03T10:00:00", 19),
            ("2026-01-04 10:00:00", 10),
            ("nope", 0),
            ("", 0),
            ("1767434400", 0),
        ] {
            assert_eq!(zoned(bad), Err(at), "{bad}");
        }
        let (paris, utc) = (zoned("2026-01-03T11:00:00+01:00"), zoned("2026-01-03T10:00:00Z"));
        assert_eq!(paris.map(Zoned::instant), utc.map(Zoned::instant));
    }

    #[test]
    fn times_have_two_digits_each() {
        assert!(time_of("09:00").is_some() && time_of("09:00:30.5").is_some());
        assert!(time_of("9:00").is_none() && time_of("09").is_none() && time_of("24:00").is_none());
        assert_eq!(offset_time("09:00:00+02:00"), offset_time("07:00:00Z"));
        assert!(offset_time("09:00").is_none());
    }
}
