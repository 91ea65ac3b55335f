//! Dates as Java prints and Kestra formats them.

use std::fmt::Write;

use jiff::civil::{DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::Dialect;
use super::print::quoted;
use super::value::Value;

/// What `toString` gives for a date, a time or a length of time.
pub fn java_text(value: &Value) -> String {
    match value {
        Value::Instant(instant) => instant_text(*instant),
        Value::Zoned(zoned) => zoned_text(zoned),
        Value::Date(date) => date.to_string(),
        Value::DateTime(at) => local_text(*at),
        Value::Time(time) => time_text(*time, false),
        Value::Duration(length) => duration_text(*length),
        _ => String::new(),
    }
}

/// How a date is written in JSON.
pub fn json(value: &Value, dialect: &Dialect, out: &mut String) {
    let micros = |instant: Timestamp| format!("{:.6}", instant);
    match value {
        Value::Instant(instant) if dialect.json_micros => quoted(&micros(*instant), out),
        Value::Zoned(zoned) if dialect.json_micros => quoted(&micros(zoned.timestamp()), out),
        Value::Zoned(zoned) => {
            // In UTC, with no more digits than there are.
            let local = zoned.timestamp().to_zoned(jiff::tz::TimeZone::UTC).datetime();
            quoted(&format!("{}T{}Z", local.date(), fraction_text(local.time(), 1)), out);
        }
        Value::Duration(length) => {
            let sign = if length.is_negative() { "-" } else { "" };
            _ = write!(out, "{sign}{}.{:09}", length.as_secs().unsigned_abs(), length.subsec_nanos().unsigned_abs());
        }
        other => quoted(&java_text(other), out),
    }
}

/// `Instant.toString`: seconds always, then three, six or nine digits as needed.
fn instant_text(instant: Timestamp) -> String {
    let local = Offset::UTC.to_datetime(instant);
    format!("{}T{}Z", local.date(), time_text(local.time(), true))
}

/// `LocalTime.toString`: seconds only where there are any, unless they are asked for.
fn time_text(time: Time, seconds: bool) -> String {
    if time.second() == 0 && time.subsec_nanosecond() == 0 && !seconds {
        return format!("{:02}:{:02}", time.hour(), time.minute());
    }
    fraction_text(time, 3)
}

/// A time with as many digits behind the second as are needed, in groups of this size.
fn fraction_text(time: Time, group: usize) -> String {
    let text = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    let digits = format!("{:09}", time.subsec_nanosecond());
    let needed = digits.trim_end_matches('0').len().div_ceil(group) * group;
    if needed == 0 { text } else { format!("{text}.{}", &digits[..needed]) }
}

fn local_text(at: DateTime) -> String {
    format!("{}T{}", at.date(), time_text(at.time(), false))
}

/// `ZonedDateTime.toString`: the offset, and the zone where it is a region.
fn zoned_text(zoned: &Zoned) -> String {
    let offset = offset_text(zoned.offset(), "Z");
    let region = match zoned.time_zone().iana_name() {
        Some(name) => format!("[{name}]"),
        None => String::new(),
    };
    format!("{}{offset}{region}", local_text(zoned.datetime()))
}

/// An offset as `+01:00`, seconds where there are any.
pub fn offset_text(offset: Offset, zero: &str) -> String {
    let seconds = offset.seconds();
    if seconds == 0 {
        return zero.to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let text = format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if seconds % 60 == 0 { text } else { format!("{text}:{:02}", seconds % 60) }
}

/// `Duration.toString`.
fn duration_text(length: SignedDuration) -> String {
    if length.is_zero() {
        return "PT0S".to_owned();
    }
    let (seconds, nanos) = (length.as_secs(), length.subsec_nanos());
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = "PT".to_owned();
    if hours != 0 {
        _ = write!(text, "{hours}H");
    }
    if minutes != 0 {
        _ = write!(text, "{minutes}M");
    }
    if rest != 0 || nanos != 0 {
        if rest == 0 && nanos < 0 {
            text.push('-');
        }
        _ = write!(text, "{rest}");
        let digits = format!("{:09}", nanos.unsigned_abs());
        let digits = digits.trim_end_matches('0');
        if !digits.is_empty() {
            _ = write!(text, ".{digits}");
        }
        text.push('S');
    }
    text
}
