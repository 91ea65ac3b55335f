//! Dates read from texts as `java.time` reads them, with its words for what it cannot read.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::dates::Item;

/// A time of day as `LocalTime.parse` reads it.
///
/// # Errors
/// The message of the `DateTimeParseException`.
pub fn time_of_day(text: &str) -> Result<Time, String> {
    let mut reader = Reader { text, at: 0 };
    let parts = reader.clock().map_err(|wrong| wrong.message(text))?;
    let [hour, minute, second, nanos] = parts;
    reader.end(()).map_err(|wrong| wrong.message(text))?;
    for (name, most, value) in [("HourOfDay", 23, hour), ("MinuteOfHour", 59, minute), ("SecondOfMinute", 59, second)] {
        if value > most {
            let why = format!("Invalid value for {name} (valid values 0 - {most}): {value}");
            return Err(format!("Text '{text}' could not be parsed: {why}"));
        }
    }
    time(hour, minute, second, nanos).ok_or_else(|| Unread::At(0).message(text))
}

/// Why a text is no date: where it stops to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It could not be read from here on.
    At(usize),
    /// It was read up to here, and there is more.
    After(usize),
}

impl Unread {
    /// The message of the `DateTimeParseException`.
    pub fn message(self, text: &str) -> String {
        match self {
            Unread::At(at) => format!("Text '{text}' could not be parsed at index {at}"),
            Unread::After(at) => format!("Text '{text}' could not be parsed, unparsed text found at index {at}"),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn digits(&mut self, least: usize, most: usize) -> Result<i64, Unread> {
        let rest = &self.text[self.at..];
        let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return Err(Unread::At(self.at));
        }
        let number = rest[..count].parse().map_err(|_| Unread::At(self.at))?;
        self.at += count;
        Ok(number)
    }
    fn literal(&mut self, literal: &str) -> Result<(), Unread> {
        if !self.text[self.at..].starts_with(literal) {
            return Err(Unread::At(self.at));
        }
        self.at += literal.len();
        Ok(())
    }
    fn either_case(&mut self, literal: &str) -> Result<(), Unread> {
        let found = self.text[self.at..].get(..literal.len()).is_some_and(|found| found.eq_ignore_ascii_case(literal));
        if !found {
            return Err(Unread::At(self.at));
        }
        self.at += literal.len();
        Ok(())
    }
    fn date(&mut self) -> Result<Date, Unread> {
        let start = self.at;
        let [year, month, day] = self.numbers()?;
        date(year, month, day).ok_or(Unread::At(start))
    }
    /// Year, month and day, whatever they are: a year of four digits, which is all that dates here reach.
    fn numbers(&mut self) -> Result<[i64; 3], Unread> {
        let start = self.at;
        let year = self.digits(4, 10)?;
        if self.at - start > 4 {
            return Err(Unread::At(start));
        }
        self.literal("-")?;
        let month = self.digits(2, 2)?;
        self.literal("-")?;
        Ok([year, month, self.digits(2, 2)?])
    }
    fn time(&mut self) -> Result<Time, Unread> {
        let start = self.at;
        let [hour, minute, second, nanos] = self.clock()?;
        time(hour, minute, second, nanos).ok_or(Unread::At(start))
    }
    /// Hour, minute, second, nanoseconds, whatever they are.
    fn clock(&mut self) -> Result<[i64; 4], Unread> {
        let hour = self.digits(2, 2)?;
        self.literal(":")?;
        let minute = self.digits(2, 2)?;
        let (mut second, mut nanos) = (0, 0);
        if self.literal(":").is_ok() {
            second = self.digits(2, 2)?;
            if self.literal(".").is_ok() {
                nanos = self.fraction()?;
            }
        }
        Ok([hour, minute, second, nanos])
    }
    fn fraction(&mut self) -> Result<i64, Unread> {
        let from = self.at;
        // A point without digits behind it is allowed.
        let digits = self.digits(1, 9).unwrap_or(0);
        let missing = 9 - (self.at - from);
        Ok(digits * 10_i64.pow(u32::try_from(missing).unwrap_or(0)))
    }
    fn offset(&mut self) -> Result<Offset, Unread> {
        let start = self.at;
        if self.either_case("Z").is_ok() {
            return Ok(Offset::UTC);
        }
        let sign = match self.literal("+") {
            Ok(()) => 1,
            Err(_) => self.literal("-").map(|()| -1)?,
        };
        let hours = self.digits(2, 2).map_err(|_| Unread::At(start))?;
        self.literal(":").map_err(|_| Unread::At(start))?;
        let minutes = self.digits(2, 2).map_err(|_| Unread::At(start))?;
        let seconds = if self.literal(":").is_ok() { self.digits(2, 2).map_err(|_| Unread::At(start))? } else { 0 };
        let total = i32::try_from(sign * ((hours * 60 + minutes) * 60 + seconds)).map_err(|_| Unread::At(start))?;
        Offset::from_seconds(total).map_err(|_| Unread::At(start))
    }
    fn end<T>(&self, value: T) -> Result<T, Unread> {
        if self.at < self.text.len() {
            Err(Unread::After(self.text[..self.at].encode_utf16().count()))
        } else {
            Ok(value)
        }
    }
}

fn date(year: i64, month: i64, day: i64) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn time(hour: i64, minute: i64, second: i64, nanos: i64) -> Option<Time> {
    let small = |number: i64| i8::try_from(number).ok();
    Time::new(small(hour)?, small(minute)?, small(second)?, i32::try_from(nanos).ok()?).ok()
}

/// `ZonedDateTime.parse`: date, time and offset, a region in brackets.
///
/// # Errors
/// Where it stops to be one.
pub fn zoned(text: &str) -> Result<Zoned, Unread> {
    let mut reader = Reader { text, at: 0 };
    let day = reader.date()?;
    reader.either_case("T")?;
    let at = DateTime::from_parts(day, reader.time()?);
    let offset = reader.offset()?;
    let zone = if reader.literal("[").is_ok() {
        let start = reader.at;
        let length = text[start..].find(']').ok_or(Unread::At(start))?;
        reader.at += length + 1;
        TimeZone::get(&text[start..start + length]).map_err(|_| Unread::At(start))?
    } else {
        TimeZone::fixed(offset)
    };
    let instant: Timestamp = offset.to_timestamp(at).map_err(|_| Unread::At(0))?;
    reader.end(instant.to_zoned(zone))
}

/// `LocalDateTime.parse`.
///
/// # Errors
/// Where it stops to be one.
pub fn local(text: &str) -> Result<DateTime, Unread> {
    let mut reader = Reader { text, at: 0 };
    let day = reader.date()?;
    reader.either_case("T")?;
    let time = reader.time()?;
    reader.end(DateTime::from_parts(day, time))
}

/// `LocalDate.parse`.
///
/// # Errors
/// Where it stops to be one.
pub fn day(text: &str) -> Result<Date, Unread> {
    let mut reader = Reader { text, at: 0 };
    let day = reader.date()?;
    reader.end(day)
}

/// `LocalDate.parse` with its words for a day that there is not.
///
/// # Errors
/// The message of the `DateTimeParseException`.
pub fn date_of(text: &str) -> Result<Date, String> {
    let mut reader = Reader { text, at: 0 };
    let read = reader.numbers().and_then(|numbers| reader.end(numbers));
    let [year, month, day] = read.map_err(|wrong| wrong.message(text))?;
    date(year, month, day).ok_or_else(|| format!("Text '{text}' could not be parsed: {}", no_day(year, month, day)))
}

/// Why there is no such day.
fn no_day(year: i64, month: i64, day: i64) -> String {
    let name = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at));
    match name {
        None => format!("Invalid value for MonthOfYear (valid values 1 - 12): {month}"),
        Some(_) if !(1..=31).contains(&day) => {
            format!("Invalid value for DayOfMonth (valid values 1 - 28/31): {day}")
        }
        Some(_) if day == 29 => format!("Invalid date 'February 29' as '{year}' is not a leap year"),
        Some(name) => format!("Invalid date '{name} {day}'"),
    }
}

const MONTHS: [&str; 12] = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];

/// Whether `Instant.parse` reads a text: a date and a time with seconds and an offset.
///
/// # Errors
/// Where it stops to be one.
pub fn instant(text: &str) -> Result<(), Unread> {
    let mut reader = Reader { text, at: 0 };
    let [year, month, day] = reader.numbers()?;
    reader.either_case("T")?;
    let start = reader.at;
    let [hour, minute, second, nanos] = reader.clock()?;
    // Seconds are asked for.
    if reader.at - start < "00:00:00".len() {
        return Err(Unread::At(reader.at));
    }
    reader.offset()?;
    reader.end(())?;
    // What there is not is told of the whole.
    date(year, month, day).zip(time(hour, minute, second, nanos)).map(|_| ()).ok_or(Unread::At(0))
}

/// What a text says by a pattern of digits: date, time of day, offset, as far as the pattern has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Year, month and day.
    pub date: Option<Date>,
    /// The time of day.
    pub time: Option<Time>,
    /// The distance from UTC.
    pub offset: Option<Offset>,
}

/// A text by a pattern; nothing if the pattern has letters that cannot be read here.
pub fn by_pattern(items: &[Item], text: &str) -> Option<Result<Parts, Unread>> {
    let known = |item: &Item| match item {
        Item::Literal(_) => true,
        Item::Field(letter, count) => {
            matches!((letter, count), ('y' | 'u', 4) | ('M' | 'd' | 'H' | 'm' | 's', 1 | 2) | ('S', 1..=9) | ('X', 3))
        }
    };
    items.iter().all(known).then(|| read_parts(items, text))
}

fn read_parts(items: &[Item], text: &str) -> Result<Parts, Unread> {
    let mut reader = Reader { text, at: 0 };
    let mut parts = Parts::default();
    let [mut year, mut month, mut day, mut hour, mut minute, mut second] = [None; 6];
    let mut nanos = 0;
    for item in items {
        match item {
            Item::Literal(literal) => reader.literal(literal)?,
            Item::Field('X', _) => parts.offset = Some(reader.offset()?),
            Item::Field('S', count) => {
                let digits = reader.digits(*count, *count)?;
                nanos = digits * 10_i64.pow(u32::try_from(9 - count).unwrap_or(0));
            }
            Item::Field(letter, count) => {
                let most = if *count == 1 { 2 } else { *count };
                let number = Some(reader.digits(*count, most)?);
                match letter {
                    'y' | 'u' => year = number,
                    'M' => month = number,
                    'd' => day = number,
                    'H' => hour = number,
                    'm' => minute = number,
                    _ => second = number,
                }
            }
        }
    }
    reader.end(())?;
    if let (Some(year), Some(month), Some(day)) = (year, month, day) {
        parts.date = Some(date(year, month, day).ok_or(Unread::At(0))?);
    }
    if let (Some(hour), Some(minute)) = (hour, minute) {
        parts.time = Some(time(hour, minute, second.unwrap_or(0), nanos).ok_or(Unread::At(0))?);
    }
    Ok(parts)
}
