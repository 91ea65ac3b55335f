//! Instants as Go has them: `time.Time`, with the layouts it is written by.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::Value;
use super::span;
use super::thing::{MONTHS, Thing, WEEKDAYS};

/// An instant in a zone.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    at: Timestamp,
    zone: TimeZone,
}

/// The first instant of year 1 (milliseconds since 1970), which Go takes for none.
const ZERO: i64 = -62_135_596_800_000;
/// How Go prints an instant.
const PRINTED: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

impl Moment {
    /// Of milliseconds since 1970, in UTC.
    pub(super) fn at(milliseconds: i64) -> Moment {
        Moment { at: Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX), zone: TimeZone::UTC }
    }

    /// The one that means none.
    pub(super) fn zero() -> Moment {
        Moment::at(ZERO)
    }

    /// The same instant in a zone of the IANA's data base.
    pub(super) fn in_zone(&self, name: &str) -> Result<Moment, String> {
        let zone = match name {
            // The machine's own zone is nothing to rely on: a server's is UTC.
            "" | "UTC" | "Local" => TimeZone::UTC,
            _ => TimeZone::get(name)
                .ok()
                .filter(|zone| zone.iana_name() == Some(name))
                .ok_or_else(|| format!("unknown time zone {name}"))?,
        };
        Ok(Moment { at: self.at, zone })
    }

    /// Nanoseconds from another instant to this one.
    pub(super) fn since(&self, other: &Moment) -> i64 {
        let between = self.at.as_nanosecond() - other.at.as_nanosecond();
        i64::try_from(between).unwrap_or(if between < 0 { i64::MIN } else { i64::MAX })
    }

    /// As `%v` shows it.
    pub(super) fn print(&self) -> String {
        self.format(PRINTED)
    }

    /// As JSON holds it: RFC 3339.
    pub(super) fn json(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }

    fn plus(&self, nanoseconds: i64) -> Result<Moment, String> {
        let at = self.at.as_nanosecond() + i128::from(nanoseconds);
        let at = Timestamp::from_nanosecond(at).map_err(|_| "an instant outside of the calendar".to_owned())?;
        Ok(Moment { at, zone: self.zone.clone() })
    }

    /// What a method makes of arguments.
    pub(super) fn method(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let other = || match arguments {
            [argument] => match Thing::of(argument) {
                Some(Thing::Moment(other)) => Ok(other),
                _ => Err(format!("wrong type for value; expected time.Time; got {}", argument.type_name())),
            },
            _ => Err(format!("wrong number of args for {name}: want 1 got {}", arguments.len())),
        };
        match name {
            "Format" => match arguments {
                [Value::Text(layout)] => return Ok(Value::Text(self.format(layout))),
                [argument] => {
                    return Err(format!("wrong type for value; expected string; got {}", argument.type_name()));
                }
                _ => return Err(format!("wrong number of args for Format: want 1 got {}", arguments.len())),
            },
            "Sub" => return Ok(Thing::Span(self.since(other()?)).value()),
            "Before" => return Ok(Value::Bool(self.at < other()?.at)),
            "After" => return Ok(Value::Bool(self.at > other()?.at)),
            "Equal" => return Ok(Value::Bool(self.at == other()?.at)),
            "Add" => return Ok(Thing::Moment(self.plus(span::argument(name, arguments)?)?).value()),
            _ => {}
        }
        let parts = self.parts();
        let value = match name {
            "String" => Value::Text(self.print()),
            "Unix" => Value::Int(self.at.as_nanosecond().div_euclid(1_000_000_000) as i64),
            "UnixMilli" => Value::Int(self.at.as_nanosecond().div_euclid(1_000_000) as i64),
            "UnixMicro" => Value::Int(self.at.as_nanosecond().div_euclid(1_000) as i64),
            "UnixNano" => Value::Int(self.at.as_nanosecond() as i64),
            "UTC" | "Local" => Thing::Moment(Moment { at: self.at, zone: TimeZone::UTC }).value(),
            "IsZero" => Value::Bool(self.at.as_millisecond() == ZERO && self.at.subsec_nanosecond() == 0),
            "Year" => Value::Int(parts.year),
            "Month" => Thing::Month(parts.month).value(),
            "Day" => Value::Int(parts.day),
            "Hour" => Value::Int(parts.hour),
            "Minute" => Value::Int(parts.minute),
            "Second" => Value::Int(parts.second),
            "Nanosecond" => Value::Int(parts.nanosecond),
            "Weekday" => Thing::Weekday(parts.weekday).value(),
            "YearDay" => Value::Int(parts.day_of_year),
            "AddDate" | "Truncate" | "Round" | "Zone" | "Location" | "In" | "ISOWeek" | "Date" | "Clock"
            | "Compare" => {
                return Err(format!("the method {name} of time.Time is not simulated: write `tz`, `date` or Format"));
            }
            _ => return Err(format!("can't evaluate field {name} in type time.Time")),
        };
        match arguments {
            [] => Ok(value),
            _ => Err(format!("wrong number of args for {name}: want 0 got {}", arguments.len())),
        }
    }

    fn parts(&self) -> Parts {
        let info = self.zone.to_offset_info(self.at);
        let date = info.offset().to_datetime(self.at);
        Parts {
            year: i64::from(date.year()),
            month: i64::from(date.month()),
            day: i64::from(date.day()),
            hour: i64::from(date.hour()),
            minute: i64::from(date.minute()),
            second: i64::from(date.second()),
            nanosecond: i64::from(date.subsec_nanosecond()),
            weekday: i64::from(date.weekday().to_sunday_zero_offset()),
            day_of_year: i64::from(date.day_of_year()),
            offset: i64::from(info.offset().seconds()),
            zone: info.abbreviation().to_owned(),
        }
    }

    /// Written by a layout of Go: how `Mon Jan 2 15:04:05 MST 2006` would be written.
    pub(super) fn format(&self, layout: &str) -> String {
        let parts = self.parts();
        let mut out = String::new();
        let mut rest = layout;
        while let Some(c) = rest.chars().next() {
            let length = match fraction(rest, &parts) {
                Some((text, length)) => {
                    // A fraction of nothing takes its point with it.
                    out += &text;
                    length
                }
                None => match WORDS.iter().find(|(word, kind)| rest.starts_with(word) && fits(*kind, rest, word)) {
                    Some((word, kind)) => {
                        out += &parts.word(*kind);
                        word.len()
                    }
                    None => {
                        out.push(c);
                        c.len_utf8()
                    }
                },
            };
            rest = &rest[length..];
        }
        out
    }
}

/// Whether a word of a layout is one here.
fn fits(kind: Word, rest: &str, word: &str) -> bool {
    match kind {
        // Go: the short names end where no small letter follows.
        Word::MonthShort | Word::WeekdayShort => !rest[word.len()..].starts_with(|c: char| c.is_ascii_lowercase()),
        _ => true,
    }
}

/// `.000`, `,999`: the fraction of a second, and the length of its word. Digits must not go on behind it.
fn fraction(rest: &str, parts: &Parts) -> Option<(String, usize)> {
    let sign = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digit = rest[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = rest[1..].chars().take_while(|c| *c == digit).count();
    if rest[1 + count..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let all = format!("{:09}", parts.nanosecond);
    let digits: String = all.chars().take(count.min(9)).collect();
    let digits = if digit == '9' { digits.trim_end_matches('0') } else { digits.as_str() };
    let text = if digits.is_empty() { String::new() } else { format!("{sign}{digits}") };
    Some((text, 1 + count))
}

/// An instant, taken apart.
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    weekday: i64,
    day_of_year: i64,
    /// Seconds east of Greenwich.
    offset: i64,
    zone: String,
}

/// What a word of a layout stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Month,
    MonthShort,
    MonthNumber(bool),
    Weekday,
    WeekdayShort,
    /// Without zeros, or (true) with.
    Day(bool),
    /// With a blank for a missing digit.
    DayBlank,
    DayOfYear(bool),
    Hour,
    HourTwelve(bool),
    Minute(bool),
    Second(bool),
    Year,
    /// The sign before it stays.
    YearBehind,
    YearShort,
    Noon(bool),
    Zone,
    /// Whether Z stands for UTC, whether there is a colon, and how many parts it has.
    Offset(bool, bool, u8),
}

/// The words of layouts; of those that begin alike the longer one first.
const WORDS: &[(&str, Word)] = &[
    ("January", Word::Month),
    ("Jan", Word::MonthShort),
    ("Monday", Word::Weekday),
    ("Mon", Word::WeekdayShort),
    ("MST", Word::Zone),
    ("01", Word::MonthNumber(true)),
    ("02", Word::Day(true)),
    ("03", Word::HourTwelve(true)),
    ("04", Word::Minute(true)),
    ("05", Word::Second(true)),
    ("06", Word::YearShort),
    ("002", Word::DayOfYear(true)),
    ("15", Word::Hour),
    ("1", Word::MonthNumber(false)),
    ("2006", Word::Year),
    ("2", Word::Day(false)),
    ("__2", Word::DayOfYear(false)),
    ("_2006", Word::YearBehind),
    ("_2", Word::DayBlank),
    ("3", Word::HourTwelve(false)),
    ("4", Word::Minute(false)),
    ("5", Word::Second(false)),
    ("PM", Word::Noon(true)),
    ("pm", Word::Noon(false)),
    ("-070000", Word::Offset(false, false, 3)),
    ("-07:00:00", Word::Offset(false, true, 3)),
    ("-0700", Word::Offset(false, false, 2)),
    ("-07:00", Word::Offset(false, true, 2)),
    ("-07", Word::Offset(false, false, 1)),
    ("Z070000", Word::Offset(true, false, 3)),
    ("Z07:00:00", Word::Offset(true, true, 3)),
    ("Z0700", Word::Offset(true, false, 2)),
    ("Z07:00", Word::Offset(true, true, 2)),
    ("Z07", Word::Offset(true, false, 1)),
];

impl Parts {
    fn word(&self, word: Word) -> String {
        let number = |value: i64, zeros: bool| if zeros { format!("{value:02}") } else { value.to_string() };
        let name = |names: &[&str], index: i64| {
            usize::try_from(index)
                .ok()
                .and_then(|index| names.get(index))
                .map_or_else(String::new, |it| (*it).to_owned())
        };
        let short = |text: String| text.chars().take(3).collect::<String>();
        match word {
            Word::Month => name(&MONTHS, self.month - 1),
            Word::MonthShort => short(name(&MONTHS, self.month - 1)),
            Word::MonthNumber(zeros) => number(self.month, zeros),
            Word::Weekday => name(&WEEKDAYS, self.weekday),
            Word::WeekdayShort => short(name(&WEEKDAYS, self.weekday)),
            Word::Day(zeros) => number(self.day, zeros),
            Word::DayBlank => format!("{:2}", self.day),
            Word::DayOfYear(true) => format!("{:03}", self.day_of_year),
            Word::DayOfYear(false) => format!("{:3}", self.day_of_year),
            Word::Hour => number(self.hour, true),
            Word::HourTwelve(zeros) => number(if self.hour % 12 == 0 { 12 } else { self.hour % 12 }, zeros),
            Word::Minute(zeros) => number(self.minute, zeros),
            Word::Second(zeros) => number(self.second, zeros),
            Word::Year => format!("{:04}", self.year),
            Word::YearBehind => format!("_{:04}", self.year),
            Word::YearShort => format!("{:02}", self.year.rem_euclid(100)),
            Word::Noon(true) => if self.hour >= 12 { "PM" } else { "AM" }.into(),
            Word::Noon(false) => if self.hour >= 12 { "pm" } else { "am" }.into(),
            Word::Zone => self.zone.clone(),
            Word::Offset(true, ..) if self.offset == 0 => "Z".into(),
            Word::Offset(_, colon, count) => {
                let sign = if self.offset < 0 { '-' } else { '+' };
                let all = self.offset.abs();
                let colon = if colon { ":" } else { "" };
                let parts = [all / 3600, all / 60 % 60, all % 60].map(|it| format!("{it:02}"));
                let kept: Vec<&str> = parts.iter().take(usize::from(count)).map(String::as_str).collect();
                format!("{sign}{}", kept.join(colon))
            }
        }
    }
}
