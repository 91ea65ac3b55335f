//! Scalars as Kestra reads them: Jackson over SnakeYAML, which takes scalars without quotes as YAML 1.1 has them.
//! Observed with the classes of three versions (tests/captures/core).

use serde_json::Value as Json;

use crate::document::{Node, Reading, Value};
use crate::time::Duration;

/// `true`, `yes`, `on` and their opposites without quotes; in quotes only `true` and `false`; a number is true when it is
/// not zero. An empty value is false.
pub(super) fn boolean(reading: &mut Reading, node: &Node, what: &str) -> Option<bool> {
    let (text, plain) = match &node.value {
        Value::Scalar { text, plain } => (text.as_str(), *plain),
        _ => (reading.text(node, what)?, false),
    };
    match (text, plain) {
        ("true" | "True" | "TRUE", _) | ("yes" | "Yes" | "YES" | "on" | "On" | "ON", true) => Some(true),
        ("false" | "False" | "FALSE" | "", _) | ("no" | "No" | "NO" | "off" | "Off" | "OFF", true) => Some(false),
        _ => match integer(text).filter(|_| plain) {
            Some(number) => Some(number != 0),
            None => {
                reading.error(&node.place, format!("{what} is `{text}`"), "write `true` or `false`");
                None
            }
        },
    }
}

/// A whole number from `least` on.
pub(super) fn count(reading: &mut Reading, node: &Node, what: &str, least: u32) -> Option<u32> {
    reading.parsed(node, what, |text| {
        let number = integer(text).and_then(|number| u32::try_from(number).ok());
        number.filter(|number| *number >= least).ok_or_else(|| format!("write a whole number from {least} on"))
    })
}

/// A whole number of YAML 1.1: `010` is eight, `0x1F` 31, `1_000` a thousand; what is behind a point is cut off.
fn integer(text: &str) -> Option<i64> {
    let digits = text.replace('_', "");
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    // No second sign, and no `inf`.
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let radix = |prefix: &str, radix| digits.strip_prefix(prefix).map(|rest| i64::from_str_radix(rest, radix));
    let octal = || digits.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| i64::from_str_radix(rest, 8));
    let number = match radix("0x", 16).or_else(|| radix("0b", 2)).or_else(octal) {
        Some(Ok(number)) => number,
        _ => match digits.parse::<i64>() {
            Ok(number) => number,
            Err(_) => digits.parse::<f64>().ok().filter(|number| number.abs() < 9e15)? as i64,
        },
    };
    Some(if negative { -number } else { number })
}

/// A node as Kestra holds it where it takes any value: mappings and lists of texts, numbers, booleans and nothing
/// (captures/core/yaml-scalars.tsv). A key that is there twice has its last value.
pub fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Sequence(items) => items.iter().map(json).collect(),
        Value::Mapping(entries) => entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect(),
        Value::Scalar { text, plain: false } => Json::from(text.as_str()),
        Value::Scalar { text, plain: true } => plain(text),
    }
}

/// A scalar without quotes.
fn plain(text: &str) -> Json {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => true.into(),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => false.into(),
        "~" | "null" | "Null" | "NULL" | "" => Json::Null,
        // Beyond 64 bits a number stays as it is written.
        _ => match number(text) {
            Some(_) if whole(text) => integer(text).map_or_else(|| text.into(), Json::from),
            Some(float) => serde_json::Number::from_f64(float).map_or_else(|| text.into(), Json::Number),
            None => text.into(),
        },
    }
}

/// Whether a number has neither a point nor an exponent.
fn whole(text: &str) -> bool {
    !text.contains(['.', 'e', 'E']) || text.trim_start_matches(['-', '+']).starts_with("0x")
}

/// What to write where a duration is wanted.
const ADVICE: &str = "write a duration such as PT2M or PT1H30M, or a number of seconds";

/// A duration of a flow: a number is seconds, all else is ISO 8601 as Java has it, days and smaller units.
///
/// # Errors
/// What to write instead.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let seconds = match number(text) {
        Some(seconds) => Some(seconds),
        None => java_duration(text),
    };
    match seconds {
        // 292 years fit into an instant; nobody means more.
        Some(seconds) if (0.0..9.0e9).contains(&seconds) => Ok(Duration::from_seconds_f64(seconds)),
        Some(seconds) if seconds < 0.0 => Err("write a duration that is not negative".to_owned()),
        Some(_) => Err(ADVICE.to_owned()),
        // As a scenario writes durations, and other tools do.
        None => {
            Err(text.parse().map_or_else(|_| ADVICE.to_owned(), |meant: Duration| format!("write {}", meant.iso())))
        }
    }
}

/// A duration that may be negative.
///
/// # Errors
/// What to write instead.
pub(super) fn signed(text: &str) -> Result<jiff::SignedDuration, String> {
    let text = text.trim();
    match number(text).or_else(|| java_duration(text)) {
        Some(seconds) if seconds.abs() < 9.0e9 => {
            let millis = f64::round(seconds * 1_000.0) as i64;
            Ok(jiff::SignedDuration::from_millis(millis))
        }
        _ => duration(text).map_or_else(Err, |_| Err(ADVICE.to_owned())),
    }
}

/// Seconds as a number of YAML.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    match whole(text) {
        false => text.replace('_', "").parse().ok(),
        true => integer(text).map(|number| number as f64),
    }
}

/// Seconds of an ISO 8601 duration by Java's rules: `P1DT2H3M4.5S`, each number with its sign, in any case.
fn java_duration(text: &str) -> Option<f64> {
    let upper = text.to_ascii_uppercase();
    let (sign, rest) = match upper.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let (days, time) = match rest.strip_prefix('P')?.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest.strip_prefix('P')?, None),
    };
    if days.is_empty() && time.is_none() || time.is_some_and(str::is_empty) {
        return None;
    }
    let mut total = 0.0;
    for (part, units) in
        [(days, &[('D', 86_400.0)][..]), (time.unwrap_or(""), &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)])]
    {
        total += amounts(part, units)?;
    }
    Some(sign * total)
}

/// The sum of amounts with their units, each at most once and in this order.
fn amounts(mut rest: &str, units: &[(char, f64)]) -> Option<f64> {
    let (mut total, mut units) = (0.0, units.iter());
    while !rest.is_empty() {
        let at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (amount, unit) = (&rest[..at], rest[at..].chars().next()?);
        let (_, seconds) = units.find(|(known, _)| *known == unit)?;
        let digits = amount.strip_prefix(['-', '+']).unwrap_or(amount);
        let fraction = digits.contains(['.', ',']);
        let good = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
            && (!fraction || unit == 'S');
        total += amount.replace(',', ".").parse::<f64>().ok().filter(|_| good)? * seconds;
        rest = &rest[at + 1..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_those_of_java_and_numbers_seconds() {
        for (text, seconds) in [
            ("120", 120.0),
            ("1.5", 1.5),
            ("1e2", 100.0),
            ("1_000", 1_000.0),
            ("010", 8.0),
            ("0x10", 16.0),
            (".5", 0.5),
            ("0", 0.0),
            ("PT2M", 120.0),
            ("pt2m", 120.0),
            (" PT5S ", 5.0),
            ("P1D", 86_400.0),
            ("P1DT12H", 129_600.0),
            ("PT1H30M", 5_400.0),
            ("PT0.25S", 0.25),
            ("PT1,5S", 1.5),
            ("PT90M", 5_400.0),
            ("PT1H-30M", 1_800.0),
            ("+PT5S", 5.0),
            ("-PT-5S", 5.0),
        ] {
            assert_eq!(duration(text).map(Duration::as_seconds_f64), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused_and_told_in_the_form_of_java() {
        for (text, advice) in [
            ("2m", "write PT2M"),
            ("1h30m", "write PT1H30M"),
            ("1.5s", "write PT1.5S"),
            ("250ms", "write PT0.25S"),
            ("5d", "write PT120H"),
            ("P1W", "write PT168H"),
            ("PT1S1M", "write PT1M1S"),
            ("PT1M1M", "write PT2M"),
            ("PT1.5M", "write PT1M30S"),
            ("PT.5S", "write PT0.5S"),
            ("-5", "write a duration that is not negative"),
            ("-PT5S", "write a duration that is not negative"),
        ] {
            assert_eq!(duration(text), Err(advice.to_owned()), "{text}");
        }
        for text in ["", "P", "PT", "P1M", "P1Y", "soon", "true", "1:30", "9e99", "∞", "--5", "PT5", "1.2.3"] {
            assert_eq!(duration(text), Err(ADVICE.to_owned()), "{text}");
        }
    }

    #[test]
    fn any_value_is_what_its_scalars_are_without_quotes() {
        for (text, value) in [
            ("yes", json!(true)),
            ("on", json!(true)),
            ("NO", json!(false)),
            ("0x1F", json!(31)),
            ("010", json!(8)),
            ("0o17", json!("0o17")),
            ("1_000", json!(1000)),
            ("2026-01-01", json!("2026-01-01")),
            ("12:30:45", json!("12:30:45")),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("~", Json::Null),
            ("-3", json!(-3)),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
            (".", json!(".")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn numbers_are_those_of_yaml_1_1() {
        for (text, number) in [
            ("3", Some(3)),
            ("010", Some(8)),
            ("0x1F", Some(31)),
            ("0b11", Some(3)),
            ("1_000", Some(1_000)),
            ("2.9", Some(2)),
            ("-4", Some(-4)),
            ("0", Some(0)),
            ("0.5", Some(0)),
            ("--4", None),
            ("inf", None),
            ("", None),
            ("3x", None),
        ] {
            assert_eq!(integer(text), number, "{text}");
        }
    }
}
