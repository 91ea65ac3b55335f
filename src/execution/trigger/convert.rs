//! Texts that templates gave, as Jackson makes values of them, and the words with which it refuses.

use jiff::civil::Date;

use super::Failure;
use crate::flow::trigger::Names;
use crate::flow::{State, moment};

/// Why a text is none of the words of an enumeration, nor a number, a date or a boolean: Jackson at last reads it as
/// JSON, and tells why it is none.
pub(super) fn word(text: &str) -> Failure {
    const PARSE: &str = "com.fasterxml.jackson.core.JsonParseException";
    let token: String = text.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).collect();
    let words = match text.chars().nth(token.chars().count()) {
        Some(next) if text.starts_with(|c: char| c.is_ascii_digit()) => format!(
            "Unexpected character ('{next}' (code {})): Expected space separating root-level values",
            u32::from(next)
        ),
        _ => format!(
            "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        ),
    };
    Failure::new(format!("{PARSE}: {words}"))
}

/// The place of a word by its number.
pub(super) fn ordinal(text: &str, of: usize) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|at| digits && *at < of)
}

/// A boolean; blank is nothing; a whole number is true unless it is zero.
pub(super) fn boolean(text: &str) -> Result<Option<bool>, Failure> {
    match text.trim() {
        "" | "null" => Ok(None),
        "true" | "True" | "TRUE" => Ok(Some(true)),
        "false" | "False" | "FALSE" => Ok(Some(false)),
        other => match other.parse::<i64>() {
            Ok(number) => Ok(Some(number != 0)),
            Err(_) => Err(word(other)),
        },
    }
}

/// States of a list.
pub(super) fn names(
    names: &Names,
    render: impl Fn(&str) -> Result<String, Failure>,
) -> Result<Vec<Option<State>>, Failure> {
    let state = |text: &str| State::named(text).map(Some).ok_or_else(|| word(text));
    match names {
        Names::List(list) => {
            list.iter().map(|name| name.as_ref().map_or(Ok(None), |name| state(&render(name)?))).collect()
        }
        Names::Text(text) => {
            let rendered = render(text)?;
            let list: Vec<Option<String>> = serde_json::from_str(&rendered).map_err(|_| word(&rendered))?;
            list.iter().map(|name| name.as_deref().map_or(Ok(None), state)).collect()
        }
    }
}

/// Why a text is no date.
pub(super) fn place(text: &str, at: usize) -> Failure {
    Failure::new(format!("java.time.format.DateTimeParseException: Text '{text}' could not be parsed at index {at}"))
}

/// The date of a text, where it was written: with a time and an offset, or alone.
pub(super) fn date(text: &str) -> Result<Date, Failure> {
    match moment::date_of(text) {
        Some(date) => Ok(date),
        None => moment::zoned(text).map(|zoned| zoned.local.date()).map_err(|at| place(text, at)),
    }
}

/// Whether a regular expression matches the whole of a text.
pub(super) fn whole(pattern: &str, text: &str) -> Result<bool, Failure> {
    /// Bytes that an expression may take when it is compiled.
    const SIZE: usize = 1 << 20;
    let build = |pattern: &str| regex::RegexBuilder::new(pattern).size_limit(SIZE).build();
    // Alone first: brackets must be closed in it.
    match build(pattern).and_then(|_| build(&format!("^(?:{pattern})$"))) {
        Ok(regex) => Ok(regex.is_match(text)),
        Err(problem) => Err(Failure::new(format!("regular expression `{pattern}`: {problem}"))),
    }
}
