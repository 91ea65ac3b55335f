//! Cron expressions as Kestra's schedules read them, refusals in its words and oddities included: it uses the library
//! cron-utils, and the recorded table of the real `Schedule` class (tests/captures/core/cron.tsv) is the truth.
//!
//! What differs from other readers: a day that fits the day of the month *or* that of the week is due when both are
//! restricted; ranges must ascend (`FRI-MON` is refused); a step may start anywhere (`5/15`); several expressions may be
//! joined by `||`; dates in hours that a change of the clock skips or repeats are those that [`walk`] finds.

mod advice;
mod field;
#[cfg(test)]
mod tests;
mod walk;

pub use advice::advice;
use field::{Days, FIELDS, Field, Values};
use jiff::civil::Weekday;

/// What the reader takes besides the five fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Six fields, seconds first (`withSeconds: true`).
    pub seconds: bool,
    /// `L`, `L-3`: the last day of the month and days before it. 2.0 takes it, 1.3 refuses it (recorded).
    pub last_day: bool,
}

/// An expression that was read: one or several, of which the earliest date counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron(Vec<Single>);

/// One set of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Single {
    seconds: Values,
    minutes: Values,
    hours: Values,
    months: Values,
    days: Days,
    weekdays: Values,
    /// Whether one of the two fields of days is not `*`; with both, either is enough.
    restricted: Restricted,
}

/// Which fields of days say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restricted {
    Neither,
    DayOfMonth,
    DayOfWeek,
    Both,
}

/// The nicknames, and what they stand for in five fields.
const NICKNAMES: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Expressions that may be joined, and the length of all of them: more is refused.
const MAX_LENGTH: usize = 4_096;

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// Why it is refused, in Kestra's words.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Cron, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("it is longer than {MAX_LENGTH} characters"));
        }
        let squeezed = squeeze(text);
        if squeezed.is_empty() {
            return Err("Empty expression!".to_owned());
        }
        if let Some((_, fields)) = NICKNAMES.iter().find(|(nickname, _)| *nickname == text) {
            let with_seconds = if dialect.seconds { format!("0 {fields}") } else { (*fields).to_owned() };
            return Ok(Cron(vec![Single::parse(&with_seconds, dialect)?]));
        }
        if text == "@reboot" {
            return Err("Nickname @reboot not supported!".to_owned());
        }
        if text.contains("||") {
            let parts: Result<Vec<Cron>, String> =
                trimmed_split(text, "||").into_iter().map(|part| Cron::parse(part, dialect)).collect();
            let all: Vec<Single> = parts?.into_iter().flat_map(|cron| cron.0).collect();
            return if all.is_empty() { Err("Empty expression!".to_owned()) } else { Ok(Cron(all)) };
        }
        if text.contains('|') {
            return Cron::alternatives(text, dialect);
        }
        Ok(Cron(vec![Single::parse(&squeezed, dialect)?]))
    }

    /// `0 8|20 * * *`: a field with alternatives, of which the first ones make the first expression, and so on.
    fn alternatives(text: &str, dialect: Dialect) -> Result<Cron, String> {
        let fields: Vec<Vec<&str>> = text.split_ascii_whitespace().map(|field| trimmed_split(field, "|")).collect();
        let count = fields.iter().map(Vec::len).max().unwrap_or(0);
        let mut all = Vec::new();
        for index in 0..count {
            let chosen: Option<Vec<&str>> = fields
                .iter()
                .zip(text.split_ascii_whitespace())
                .map(|(alternatives, field)| match field.contains('|') {
                    true => alternatives.get(index).copied(),
                    false => Some(field),
                })
                .collect();
            let Some(chosen) = chosen else {
                return Err("fields joined by `|` must have as many alternatives as each other".to_owned());
            };
            all.extend(Cron::parse(&chosen.join(" "), dialect)?.0);
        }
        if all.is_empty() { Err("Empty expression!".to_owned()) } else { Ok(Cron(all)) }
    }
}

impl Single {
    /// Reads fields between single spaces.
    fn parse(text: &str, dialect: Dialect) -> Result<Single, String> {
        let upper = text.to_uppercase();
        let parts: Vec<&str> = upper.split(' ').collect();
        if let Some(part) = parts.iter().find(|part| part.ends_with(',')) {
            return Err(format!("Invalid field value! Trailing commas not permitted! '{part}'"));
        }
        let fields = if dialect.seconds { FIELDS } else { &FIELDS[1..] };
        if parts.len() != fields.len() {
            let (count, expected) = (parts.len(), fields.len());
            return Err(format!("Cron expression contains {count} parts but we expect one of [{expected}]"));
        }
        Single::of_parts(&parts, fields, dialect).map_err(|why| format!("Failed to parse cron expression. {why}"))
    }

    fn of_parts(parts: &[&str], fields: &[Field], dialect: Dialect) -> Result<Single, String> {
        let mut read = Vec::new();
        for (part, field) in parts.iter().zip(fields) {
            read.push(field.parse(part)?);
        }
        // All are read before any is checked.
        for (expression, field) in read.iter().zip(fields) {
            field.check(expression, dialect)?;
        }
        let mut values = read.iter().zip(fields).map(|(expression, field)| field.values(expression));
        let mut next = || values.next().unwrap_or_default();
        let seconds = if dialect.seconds { next() } else { Values::of([0]) };
        let (minutes, hours, _, months, weekdays) = (next(), next(), next(), next(), next());
        let [.., days, _, week] = read.as_slice() else { return Err("it has no fields of days".to_owned()) };
        let restricted = match (days.is_always(), week.is_always()) {
            (true, true) => Restricted::Neither,
            (false, true) => Restricted::DayOfMonth,
            (true, false) => Restricted::DayOfWeek,
            (false, false) => Restricted::Both,
        };
        let days = days.days(&fields[fields.len() - 3]);
        Ok(Single { seconds, minutes, hours, months, days, weekdays, restricted })
    }

    /// The days of a month, by the weekday of its first and its length.
    fn days_of(&self, first: Weekday, length: i8) -> Values {
        let by_week = || {
            let offset = first.to_monday_zero_offset();
            Values::of((1..=length).filter(|day| {
                let weekday = (i32::from(offset) + i32::from(*day) - 1).rem_euclid(7);
                self.weekdays.contains((weekday + 1) as i8)
            }))
        };
        match self.restricted {
            Restricted::Neither | Restricted::DayOfMonth => self.days.of_month(length),
            Restricted::DayOfWeek => by_week(),
            Restricted::Both => self.days.of_month(length).and(by_week()),
        }
    }
}

/// Runs of white space as one space, none at the ends: what Java's `\s` means.
fn squeeze(text: &str) -> String {
    let white = |c: char| matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r');
    text.split(white).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Java's `String.split`: empty parts at the end are dropped, and a text without the separator is one part.
fn trimmed_split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    if !text.contains(separator) {
        return vec![text];
    }
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}
