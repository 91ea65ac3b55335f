//! Dates by the patterns of `java.time.format.DateTimeFormatter`, with the names of the locales known here.

use jiff::civil::Weekday;
use jiff::tz::Offset;
use jiff::{Timestamp, Zoned};

/// Why a date cannot be formatted or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DateError {
    /// An `IllegalArgumentException` with this message.
    Illegal(String),
    /// Java does it, this module does not.
    Unsupported(String),
}

/// The names that a locale writes.
#[derive(Debug)]
pub struct Locale {
    tag: &'static str,
    months: [&'static str; 12],
    short_months: [&'static str; 12],
    days: [&'static str; 7],
    short_days: [&'static str; 7],
    /// Whether the styles `full` to `short` are known.
    styles: bool,
}

/// The locales known, the first of them the server's. Weeks begin on Monday here.
static LOCALES: [Locale; 3] = [
    Locale {
        tag: "en",
        months: [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        short_months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
        days: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
        short_days: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        styles: true,
    },
    Locale {
        tag: "fr",
        months: [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ],
        short_months: [
            "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.",
        ],
        days: ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
        short_days: ["lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."],
        styles: false,
    },
    Locale {
        tag: "de",
        months: [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
        short_months: ["Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."],
        days: ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
        short_days: ["Mo.", "Di.", "Mi.", "Do.", "Fr.", "Sa.", "So."],
        styles: false,
    },
];

impl Locale {
    /// The locale of the server.
    pub fn server() -> &'static Locale {
        &LOCALES[0]
    }
    /// The locale of a tag as `fr` or `fr_FR`.
    ///
    /// # Errors
    /// One that is not known here.
    pub fn named(tag: &str) -> Result<&'static Locale, DateError> {
        let language = tag.split(['_', '-']).next().unwrap_or("");
        let found = LOCALES.iter().find(|locale| locale.tag == language);
        found.ok_or_else(|| DateError::Unsupported(format!("the locale `{tag}` is not simulated: en, fr, de are")))
    }
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// As it stands.
    Literal(String),
    /// A letter and how often it stands there.
    Field(char, usize),
}

const LETTERS: &str = "GuyDMLdQqYwWEecFaBhKkHmsSAnNVvzOXxZp";
/// Letters that may stand there no more often than this.
const MOST: &[(&str, usize)] =
    &[("dhHkKmsWF", 2), ("D", 3), ("aB", 5), ("MLQqEecGzOXxZ", 5), ("yuYSnNA", 19), ("w", 2), ("v", 4), ("V", 2)];

/// A pattern, part by part.
///
/// # Errors
/// Letters that are none, in Java's words.
pub fn pattern(text: &str) -> Result<Vec<Item>, DateError> {
    let mut items: Vec<Item> = Vec::new();
    let literal = |items: &mut Vec<Item>, c: char| match items.last_mut() {
        Some(Item::Literal(text)) => text.push(c),
        _ => items.push(Item::Literal(c.to_string())),
    };
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c.is_ascii_alphabetic() {
            let count = chars[at..].iter().take_while(|other| **other == c).count();
            if !LETTERS.contains(c) {
                return Err(DateError::Illegal(format!("Unknown pattern letter: {c}")));
            }
            if MOST.iter().any(|(letters, most)| letters.contains(c) && count > *most) {
                return Err(DateError::Illegal(format!("Too many pattern letters: {c}")));
            }
            items.push(Item::Field(c, count));
            at += count;
            continue;
        }
        match c {
            '\'' => {
                let Some(length) = quoted(&chars[at + 1..], |c| literal(&mut items, c)) else {
                    let message = format!("Pattern ends with an incomplete string literal: {text}");
                    return Err(DateError::Illegal(message));
                };
                at += length;
            }
            '[' | ']' => {
                return Err(DateError::Unsupported("optional parts of a date pattern are not simulated".to_owned()));
            }
            '{' | '}' | '#' => {
                return Err(DateError::Illegal(format!("Pattern includes reserved character: '{c}'")));
            }
            c => literal(&mut items, c),
        }
        at += 1;
    }
    Ok(items)
}

/// What stands in quotes, given to `literal`; two quotes are one. How many characters there are, with the end.
fn quoted(chars: &[char], mut literal: impl FnMut(char)) -> Option<usize> {
    if chars.first() == Some(&'\'') {
        literal('\'');
        return Some(1);
    }
    let mut at = 0;
    loop {
        match (chars.get(at)?, chars.get(at + 1)) {
            ('\'', Some('\'')) => {
                literal('\'');
                at += 2;
            }
            ('\'', _) => return Some(at + 1),
            (c, _) => {
                literal(*c);
                at += 1;
            }
        }
    }
}

/// A date by a pattern.
///
/// # Errors
/// Letters whose meaning is not simulated.
pub fn format(items: &[Item], date: &Zoned, locale: &Locale) -> Result<String, DateError> {
    let mut text = String::new();
    for item in items {
        match item {
            Item::Literal(literal) => text.push_str(literal),
            Item::Field(letter, count) => text.push_str(&field(*letter, *count, date, locale)?),
        }
    }
    Ok(text)
}

fn field(letter: char, count: usize, date: &Zoned, locale: &Locale) -> Result<String, DateError> {
    let month = usize::try_from(date.month() - 1).unwrap_or(0);
    let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
    let hour = date.hour();
    let quarter = (date.month() - 1) / 3 + 1;
    let padded = |number: i64| format!("{number:0count$}");
    let nanos = i64::from(date.subsec_nanosecond());
    let of_day = (i64::from(hour) * 60 + i64::from(date.minute())) * 60 + i64::from(date.second());
    Ok(match (letter, count) {
        ('y' | 'u', 2) => format!("{:02}", date.year().rem_euclid(100)),
        ('y' | 'u', _) => padded(date.year().into()),
        ('M' | 'L', 1 | 2) => padded(date.month().into()),
        ('M' | 'L', 3) => locale.short_months[month].to_owned(),
        ('M' | 'L', 4) => locale.months[month].to_owned(),
        ('M' | 'L' | 'E', _) if count == 5 => {
            let name = if letter == 'E' { locale.days[day] } else { locale.months[month] };
            name.chars().take(1).flat_map(char::to_uppercase).collect()
        }
        ('d', _) => padded(date.day().into()),
        ('D', _) => padded(date.day_of_year().into()),
        ('E', 4) => locale.days[day].to_owned(),
        ('E', _) => locale.short_days[day].to_owned(),
        ('Q' | 'q', 1 | 2) => padded(quarter.into()),
        ('Q' | 'q', 3) if locale.tag != "fr" => format!("Q{quarter}"),
        ('Q' | 'q', 3) => format!("T{quarter}"),
        ('H', _) => padded(hour.into()),
        ('k', _) => padded(if hour == 0 { 24 } else { hour.into() }),
        ('K', _) => padded((hour % 12).into()),
        ('h', _) => padded(if hour % 12 == 0 { 12 } else { (hour % 12).into() }),
        ('m', _) => padded(date.minute().into()),
        ('s', _) => padded(date.second().into()),
        ('a', 1) => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        ('S', 1..=9) => format!("{:09}", nanos)[..count].to_owned(),
        ('n', _) => padded(nanos),
        ('A', _) => padded(of_day * 1_000 + nanos / 1_000_000),
        ('N', _) => padded(of_day * 1_000_000_000 + nanos),
        ('G', 1..=3) if locale.tag == "en" => "AD".to_owned(),
        ('X', 1..=3) if date.offset() == Offset::UTC => "Z".to_owned(),
        ('X' | 'x', 1..=3) => offset(date.offset(), count),
        ('Z', 1..=3) => offset(date.offset(), 2),
        ('Z', 5) if date.offset() == Offset::UTC => "Z".to_owned(),
        ('Z', 5) => offset(date.offset(), 3),
        ('V', 2) => zone_name(date),
        ('z', 1..=3) => short_zone(date)?,
        ('z', _) => long_zone(date)?.to_owned(),
        _ => {
            let letters = letter.to_string().repeat(count);
            return Err(DateError::Unsupported(format!("`{letters}` in a date pattern is not simulated")));
        }
    })
}

/// An offset: hours and, if there are any, minutes (1), with minutes (2), with a colon (3).
fn offset(offset: Offset, form: usize) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    match form {
        1 if minutes == 0 => format!("{sign}{hours:02}"),
        1 | 2 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

/// The name of a zone, or its offset.
pub fn zone_name(date: &Zoned) -> String {
    date.time_zone().iana_name().map_or_else(
        || if date.offset() == Offset::UTC { "Z".to_owned() } else { offset(date.offset(), 3) },
        str::to_owned,
    )
}

fn short_zone(date: &Zoned) -> Result<String, DateError> {
    let text = date.strftime("%Z").to_string();
    if text.starts_with(['+', '-']) {
        let zone = zone_name(date);
        return Err(DateError::Unsupported(format!("the short name of the time zone {zone} is not simulated")));
    }
    Ok(text)
}

fn long_zone(date: &Zoned) -> Result<&'static str, DateError> {
    match date.time_zone().iana_name() {
        Some("UTC" | "Etc/UTC") => Ok("Coordinated Universal Time"),
        _ => {
            let zone = zone_name(date);
            Err(DateError::Unsupported(format!("the long name of the time zone {zone} is not simulated")))
        }
    }
}

/// A date in one of Java's localized styles; the blank before AM and PM is a narrow one.
///
/// # Errors
/// A locale other than English, or a zone without a known name.
pub fn styled(style: &str, date: &Zoned, locale: &Locale) -> Result<String, DateError> {
    if !locale.styles {
        return Err(DateError::Unsupported(format!("the style `{style}` is simulated in English only")));
    }
    let text = match style {
        "full" => "EEEE, MMMM d, yyyy, h:mm:ss\u{202f}a zzzz",
        "long" => "MMMM d, yyyy, h:mm:ss\u{202f}a z",
        "medium" => "MMM d, yyyy, h:mm:ss\u{202f}a",
        _ => "M/d/yy, h:mm\u{202f}a",
    };
    format(&pattern(text)?, date, locale)
}

/// `ISO_WEEK_DATE` without an offset.
pub fn week_date(date: &Zoned) -> String {
    let week = date.date().iso_week_date();
    format!("{:04}-W{:02}-{}", week.year(), week.week(), week.weekday().to_monday_one_offset())
}

/// The English name of a day in capitals, as `java.time.DayOfWeek` prints.
pub const fn day_constant(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "MONDAY",
        Weekday::Tuesday => "TUESDAY",
        Weekday::Wednesday => "WEDNESDAY",
        Weekday::Thursday => "THURSDAY",
        Weekday::Friday => "FRIDAY",
        Weekday::Saturday => "SATURDAY",
        Weekday::Sunday => "SUNDAY",
    }
}

/// An instant in a zone.
pub fn at_zone(instant: Timestamp, zone: &jiff::tz::TimeZone) -> Zoned {
    instant.to_zoned(zone.clone())
}
