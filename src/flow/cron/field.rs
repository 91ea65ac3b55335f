//! One field of a cron expression: its syntax, what is refused, and the values it means.

use super::{Dialect, trimmed_split};

/// A field, by what it may hold.
#[derive(Debug)]
pub(super) struct Field {
    /// What it counts, for people.
    pub called: &'static str,
    kind: Kind,
    /// The least and the greatest value.
    pub range: (i32, i32),
    /// Names of values, and what they stand for.
    pub names: &'static [(&'static str, i32)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Time,
    DayOfMonth,
    Month,
    DayOfWeek,
}

const MONTHS: &[(&str, i32)] = &[
    ("JAN", 1),
    ("FEB", 2),
    ("MAR", 3),
    ("APR", 4),
    ("MAY", 5),
    ("JUN", 6),
    ("JUL", 7),
    ("AUG", 8),
    ("SEP", 9),
    ("OCT", 10),
    ("NOV", 11),
    ("DEC", 12),
];

/// Sunday is 7 by its name: `SUN-TUE` descends and is refused (recorded).
const WEEKDAYS: &[(&str, i32)] = &[("MON", 1), ("TUE", 2), ("WED", 3), ("THU", 4), ("FRI", 5), ("SAT", 6), ("SUN", 7)];

/// The fields in their order; the first is there with seconds only.
pub(super) const FIELDS: &[Field] = &[
    Field { called: "seconds", kind: Kind::Time, range: (0, 59), names: &[] },
    Field { called: "minutes", kind: Kind::Time, range: (0, 59), names: &[] },
    Field { called: "hours", kind: Kind::Time, range: (0, 23), names: &[] },
    Field { called: "days of the month", kind: Kind::DayOfMonth, range: (1, 31), names: &[] },
    Field { called: "months", kind: Kind::Month, range: (1, 12), names: MONTHS },
    Field { called: "days of the week", kind: Kind::DayOfWeek, range: (0, 7), names: WEEKDAYS },
];

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// `*`.
    Always,
    /// `5`.
    On(i32),
    /// `1-5`.
    Between(i32, i32),
    /// `*/5`, `5/15`, `1-5/2`.
    Every(Box<Expression>, i32),
    /// `1,2`.
    Any(Vec<Expression>),
    /// `L`, `L-3`, and `5L`, which is the last day as well.
    Last { day: Option<i32>, before: Option<i32> },
    /// `15W` and `LW`, which are read, and refused afterwards.
    Workday(String),
}

impl Expression {
    pub(super) fn is_always(&self) -> bool {
        *self == Expression::Always
    }

    /// As the messages write it.
    fn text(&self) -> String {
        match self {
            Expression::Always => "*".to_owned(),
            Expression::On(value) => value.to_string(),
            Expression::Between(from, to) => format!("{from}-{to}"),
            Expression::Every(start, period) => format!("{}/{period}", start.text()),
            Expression::Any(parts) => parts.iter().map(Expression::text).collect::<Vec<_>>().join(","),
            Expression::Last { day: Some(day), .. } => format!("{day}L"),
            Expression::Last { before: Some(before), .. } => format!("L-{before}"),
            Expression::Last { .. } => "L".to_owned(),
            Expression::Workday(text) => text.clone(),
        }
    }

    /// Letters that the field does not take, of all parts.
    fn refused_letters(&self, last: bool) -> String {
        match self {
            Expression::Last { .. } if !last => "L".to_owned(),
            Expression::Workday(text) => text.chars().filter(|c| matches!(c, 'L' | 'W')).collect(),
            Expression::Any(parts) => parts.iter().map(|part| part.refused_letters(last)).collect(),
            _ => String::new(),
        }
    }

    /// Days of the month, of which the last one depends on its length. In a list `L` is read and means no day.
    pub(super) fn days(&self, field: &Field) -> Days {
        match self {
            Expression::Last { before, .. } => {
                Days { fixed: Values::default(), before_last: Some(before.unwrap_or(0).clamp(0, 31) as i8) }
            }
            _ => Days { fixed: field.values(self), before_last: None },
        }
    }
}

/// Days of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    fixed: Values,
    /// Counted back from the last day.
    before_last: Option<i8>,
}

impl Days {
    pub(super) fn of_month(&self, length: i8) -> Values {
        let last = Values::of(self.before_last.map(|before| length - before).filter(|day| *day > 0));
        self.fixed.up_to(length).and(last)
    }
}

/// A set of small numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values(u64);

impl Values {
    pub(super) fn of(values: impl IntoIterator<Item = i8>) -> Values {
        Values(values.into_iter().filter(|value| (0..64).contains(value)).fold(0, |set, value| set | 1 << value))
    }
    pub(super) fn contains(self, value: i8) -> bool {
        (0..64).contains(&value) && self.0 >> value & 1 == 1
    }
    /// The least that is not below `value`.
    pub(super) fn from(self, value: i8) -> Option<i8> {
        let rest = self.0 & (u64::MAX << value.clamp(0, 63));
        (rest != 0 && value < 64).then(|| rest.trailing_zeros() as i8)
    }
    pub(super) fn least(self) -> Option<i8> {
        self.from(0)
    }
    pub(super) fn and(self, other: Values) -> Values {
        Values(self.0 | other.0)
    }
    fn up_to(self, greatest: i8) -> Values {
        Values(self.0 & !(u64::MAX << (greatest + 1).clamp(0, 63)))
    }
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Field {
    /// Reads an expression; whether its values are in range comes later.
    pub(super) fn parse(&self, text: &str) -> Result<Expression, String> {
        // `FRIL`, the last Friday, is read as `5L`.
        let name = (self.kind == Kind::DayOfWeek).then(|| text.strip_suffix('L')).flatten();
        match name.and_then(|name| self.named(name)) {
            Some(day) => self.part(&format!("{day}L")),
            None => self.part(text),
        }
    }

    fn part(&self, text: &str) -> Result<Expression, String> {
        if !text.contains(['/', '-', ',']) {
            return if text.contains('?') { Err(format!("Invalid expression: {text}")) } else { self.on(text) };
        }
        let parts = trimmed_split(text, ",");
        if parts.len() > 1 {
            return Ok(Expression::Any(parts.into_iter().map(|part| self.part(part)).collect::<Result<_, _>>()?));
        }
        let ends = trimmed_split(text, "-");
        if text.contains('-') {
            return match ends.as_slice() {
                ["L", before] => Ok(Expression::Last { day: None, before: Some(self.mapped(before)?) }),
                [from, to] => self.between(from, to),
                _ => Err(format!("Missing values for range: {text}")),
            };
        }
        match trimmed_split(text, "/").as_slice() {
            ["*", "1"] => Ok(Expression::Always),
            ["*" | "", period] => Ok(Expression::Every(Box::new(Expression::Always), number(period)?)),
            [start, period] => {
                let start = Expression::On(self.mapped(start)?);
                Ok(Expression::Every(Box::new(start), number(period)?))
            }
            [_] => Err(format!("Missing steps for expression: {text}")),
            _ => Err(format!("Invalid expression: {text}")),
        }
    }

    fn between(&self, from: &str, to: &str) -> Result<Expression, String> {
        if from.is_empty() || to.is_empty() {
            let range = format!("{from}-{to}");
            let why = "does not describe a range. Negative numbers are not allowed.";
            return Err(format!("Invalid expression! Expression: {range} {why}"));
        }
        if !to.contains('/') {
            return Ok(Expression::Between(self.value(from)?, self.value(to)?));
        }
        let parts = trimmed_split(to, "/");
        let [to, period, ..] = parts.as_slice() else { return Err(format!("Missing steps for expression: {to}")) };
        let range = Expression::Between(self.value(from)?, self.value(to)?);
        Ok(Expression::Every(Box::new(range), self.mapped(period)?))
    }

    fn on(&self, text: &str) -> Result<Expression, String> {
        let before = |letter: char| {
            let mut characters = text.chars().peekable();
            std::iter::from_fn(|| characters.next().map(|c| (c, characters.peek().copied())))
                .any(|(c, next)| c.is_ascii_digit() && next == Some(letter))
        };
        if text == "*" {
            Ok(Expression::Always)
        } else if text.contains('#') {
            Err(format!("Invalid expression: {text}"))
        } else if text.contains("LW") {
            let rest = text.replace("LW", "");
            match rest.is_empty() {
                true => Ok(Expression::Workday(text.to_owned())),
                false => Err(format!("Expected: LW, found: {rest}")),
            }
        } else if text == "L" {
            Ok(Expression::Last { day: None, before: None })
        } else if before('L') {
            Ok(Expression::Last { day: Some(self.mapped(&text.replace('L', ""))?), before: None })
        } else if before('W') {
            Ok(Expression::Workday(format!("{}W", self.mapped(&text.replace('W', ""))?)))
        } else {
            Ok(Expression::On(self.mapped(text)?))
        }
    }

    fn named(&self, text: &str) -> Option<i32> {
        self.names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
    }

    /// A value as the ends of a range are read: Sunday may be 7.
    fn value(&self, text: &str) -> Result<i32, String> {
        self.named(text).or_else(|| integer(text)).ok_or_else(|| {
            let rest = self.unknown(text);
            format!("Invalid chars in expression! Expression: {text} Invalid chars: {rest}")
        })
    }

    /// A value as a single one is read: Sunday is 0.
    fn mapped(&self, text: &str) -> Result<i32, String> {
        let value = self.value(text)?;
        Ok(if self.kind == Kind::DayOfWeek && value == 7 { 0 } else { value })
    }

    /// What is left of a text without all that a field may hold.
    fn unknown(&self, text: &str) -> String {
        let text: String = text.chars().filter(|c| !matches!(c, '#' | '?' | '/' | '*' | '0'..='9')).collect();
        let mut rest = String::new();
        for word in words(&text) {
            if self.named(word).is_none() {
                rest += word;
            }
        }
        rest.retain(|c| !c.is_whitespace() && c != ',' && c != '-');
        rest
    }

    /// Whether the values are in range, and nothing is said that the field does not take.
    pub(super) fn check(&self, expression: &Expression, dialect: Dialect) -> Result<(), String> {
        let last = dialect.last_day && self.kind == Kind::DayOfMonth;
        let letters = expression.refused_letters(last);
        if !letters.is_empty() {
            let text = expression.text();
            return Err(format!("Invalid chars in expression! Expression: {text} Invalid chars: {letters}"));
        }
        match expression {
            Expression::Always => Ok(()),
            Expression::On(value) => self.in_range(*value),
            Expression::Between(from, to) => {
                self.in_range(*from)?;
                self.in_range(*to)?;
                if from > to { Err(format!("Invalid range! [{from},{to}]")) } else { Ok(()) }
            }
            Expression::Every(start, period) => {
                self.check(start, dialect)?;
                let (least, greatest) = self.range;
                let fits = *period > 0 && *period <= greatest - least + 1 && *period <= greatest;
                if fits { Ok(()) } else { Err(format!("Period {period} not in range [{least}, {greatest}]")) }
            }
            Expression::Any(parts) => parts.iter().try_for_each(|part| self.check(part, dialect)),
            Expression::Last { day, before } => day.iter().chain(before).try_for_each(|value| self.in_range(*value)),
            Expression::Workday(_) => Ok(()),
        }
    }

    fn in_range(&self, value: i32) -> Result<(), String> {
        let (least, greatest) = self.range;
        let fits = (least..=greatest).contains(&value);
        if fits { Ok(()) } else { Err(format!("Value {value} not in range [{least}, {greatest}]")) }
    }

    /// The values that are meant. Days of the week count from Monday, 1, to Sunday, 7.
    pub(super) fn values(&self, expression: &Expression) -> Values {
        let (least, greatest) = self.range;
        let all = |from: i32, to: i32, step: i32| {
            let values = (from..=to).step_by(step.max(1) as usize);
            Values::of(values.map(|value| if self.kind == Kind::DayOfWeek && value == 0 { 7 } else { value as i8 }))
        };
        match expression {
            Expression::Always => all(least, greatest, 1),
            Expression::On(value) => all(*value, *value, 1),
            Expression::Between(from, to) => all(*from, *to, 1),
            Expression::Every(start, period) => match **start {
                Expression::On(from) => all(from, greatest, *period),
                Expression::Between(from, to) => all(from, to, *period),
                _ => all(least, greatest, *period),
            },
            Expression::Any(parts) => parts.iter().map(|part| self.values(part)).fold(Values::default(), Values::and),
            Expression::Last { day: Some(day), .. } => all(*day, *day, 1),
            Expression::Last { .. } | Expression::Workday(_) => Values::default(),
        }
    }
}

/// Runs of letters, and all between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let letter = rest.chars().next()?.is_alphanumeric();
        let end = rest.find(|c: char| c.is_alphanumeric() != letter).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Java's `Integer.parseInt`: a sign is allowed, and so are the digits of any script.
fn integer(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for c in digits.chars() {
        value = value * 10 + i64::from(digit(c)?);
        if value > i64::from(i32::MAX) + 1 {
            return None;
        }
    }
    i32::try_from(if text.starts_with('-') { -value } else { value }).ok()
}

/// The value of a decimal digit. Scripts have theirs in runs of ten that begin at a zero.
fn digit(c: char) -> Option<u32> {
    const ZEROS: &[u32] = &[0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xe50, 0xff10];
    let code = u32::from(c);
    ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10))
}

/// A period.
fn number(text: &str) -> Result<i32, String> {
    integer(text).ok_or_else(|| format!("For input string: \"{text}\""))
}
