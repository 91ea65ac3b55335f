//! Whether a tree is what the tables of options say, by the rules of the YAML reader that Prometheus has (YAML 1.1): which
//! scalars are numbers and flags, what an empty value is, and what merge keys do.

use super::options::{OptionStanding, Row, Section, Takes};
use crate::document::{Entry, Node, Reading, Value};
use crate::time::Duration;

/// The tree with its merge keys (`<<`) resolved. A key is what the last one in the order of the text says, also where that is
/// a merge after a key of its own.
pub(super) fn merged(node: &Node) -> Node {
    let value = match &node.value {
        Value::Mapping(entries) => {
            let mut all: Vec<Entry> = Vec::new();
            for entry in entries {
                let entry = Entry { value: merged(&entry.value), ..entry.clone() };
                match &entry.value.value {
                    Value::Mapping(from) if entry.key == "<<" => from.iter().for_each(|it| set(&mut all, it)),
                    // The first of several wins.
                    Value::Sequence(several) if entry.key == "<<" => {
                        for from in several.iter().rev() {
                            if let Value::Mapping(from) = &from.value {
                                from.iter().for_each(|it| set(&mut all, it));
                            }
                        }
                    }
                    _ => set(&mut all, &entry),
                }
            }
            Value::Mapping(all)
        }
        Value::Sequence(items) => Value::Sequence(items.iter().map(merged).collect()),
        other => other.clone(),
    };
    Node { value, place: node.place.clone() }
}

fn set(all: &mut Vec<Entry>, entry: &Entry) {
    match all.iter_mut().find(|it| it.key == entry.key) {
        Some(before) => *before = entry.clone(),
        None => all.push(entry.clone()),
    }
}

/// Tells what is wrong with the options of a section.
pub(super) fn check(node: &Node, section: &Section, reading: &mut Reading) {
    let entries = match &node.value {
        Value::Mapping(entries) => entries,
        Value::Null => return,
        other => {
            let keys: Vec<&str> = section.keys().take(3).map(|row| row.key).collect();
            let advice = format!("write keys such as {}", keys.join(", "));
            reading.error(&node.place, format!("{} must be a mapping, not {}", section.name, other.describe()), advice);
            return;
        }
    };
    for entry in entries {
        match section.row(&entry.key) {
            None => {
                let what = format!("key of {}", section.name);
                reading.unknown(&entry.place, &what, &entry.key, section.keys().map(|row| row.key));
            }
            Some(row) => option(entry, row, reading),
        }
    }
    (section.check)(node, reading);
}

fn option(entry: &Entry, row: &Row, reading: &mut Reading) {
    let key = format!("`{}`", row.key);
    value(&entry.value, row.takes, &key, reading);
    if row.standing != OptionStanding::Refused || entry.value.value == Value::Null {
        return;
    }
    let harmless = match &entry.value.value {
        Value::Scalar { text, .. } => row.unless.iter().any(|it| it.eq_ignore_ascii_case(text)),
        Value::Sequence(items) => items.is_empty(),
        _ => false,
    };
    if !harmless {
        reading.error(&entry.place, format!("{key} is not simulated: {}", row.why), "leave it out");
    }
}

fn value(node: &Node, takes: Takes, what: &str, reading: &mut Reading) {
    match takes {
        Takes::Unread => {}
        Takes::List(of) => {
            for item in reading.list(node, what) {
                value(item, *of, &format!("an item of {what}"), reading);
            }
        }
        Takes::Map(of) => {
            for entry in named(node, what, reading) {
                value(&entry.value, *of, &format!("`{}` of {what}", entry.key), reading);
            }
        }
        Takes::Section(section) => check(node, section, reading),
        Takes::Named(section) => {
            named(node, what, reading).iter().for_each(|entry| check(&entry.value, section, reading));
        }
        Takes::Sections(section) => {
            for item in reading.list(node, what) {
                if item.value == Value::Null {
                    let told = format!("{} in {what} is empty", section.name);
                    reading.error(&item.place, told, "write it, or take the dash out");
                }
                check(item, section, reading);
            }
        }
        Takes::Text => drop(text(node, what, reading)),
        Takes::Flag | Takes::Count | Takes::Whole | Takes::Number => plain(node, takes, what, reading),
        // An empty value is none.
        _ if node.value == Value::Null => {}
        Takes::Duration | Takes::Size | Takes::Choice(_) => {
            if let Some(it) = text(node, what, reading) {
                word(node, it, takes, what, reading);
            }
        }
    }
}

/// The entries of a mapping.
fn named<'n>(node: &'n Node, what: &str, reading: &mut Reading) -> &'n [Entry] {
    match &node.value {
        Value::Mapping(entries) => entries,
        Value::Null => &[],
        other => {
            reading.error(&node.place, format!("{what} must be a mapping, not {}", other.describe()), "");
            &[]
        }
    }
}

/// What must stand there without quotes.
fn plain(node: &Node, takes: Takes, what: &str, reading: &mut Reading) {
    let (fits, advice): (fn(&str) -> bool, &str) = match takes {
        Takes::Flag => (|it| flag(it).is_some(), "write `true` or `false`, without quotes"),
        Takes::Count => {
            (|it| number(it).is_some_and(|it| it >= 0.0), "write a whole number that is not negative, without quotes")
        }
        _ => (|it| number(it).is_some(), "write a number, without quotes"),
    };
    match &node.value {
        Value::Null => {}
        Value::Scalar { text, plain } if *plain && fits(text) => {}
        Value::Scalar { text, .. } => reading.error(&node.place, format!("{what} is `{text}`"), advice),
        other => reading.error(&node.place, format!("{what} is {}", other.describe()), advice),
    }
}

/// A text of a certain form.
fn word(node: &Node, it: &str, takes: Takes, what: &str, reading: &mut Reading) {
    match takes {
        Takes::Choice(words) if !words.contains(&it) => {
            reading.unknown(&node.place, &format!("value of {what}"), it, words.iter().copied());
        }
        Takes::Size if size(it).is_none() => {
            let advice = "write for example 10MB or 512KiB";
            reading.error(&node.place, format!("{what} is `{it}`, which is no size"), advice);
        }
        Takes::Duration => {
            if let Err(advice) = Duration::from_prometheus(it) {
                reading.error(&node.place, format!("{what} is `{it}`, which is no duration"), advice);
            }
        }
        _ => {}
    }
}

fn text<'n>(node: &'n Node, what: &str, reading: &mut Reading) -> Option<&'n str> {
    match &node.value {
        Value::Null => Some(""),
        _ => reading.text(node, what),
    }
}

/// A flag of YAML 1.1.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// A number of YAML 1.1 as Go reads it: `1_000`, `0x10`, `0o17`, `017`, `1e3`, `1.5`.
pub(in crate::monitor) fn number(text: &str) -> Option<f64> {
    let text: String = text.chars().filter(|c| *c != '_').collect();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(&text)),
    };
    let radix = |prefixes: [&str; 2], radix: u32| {
        let rest = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix))?;
        u64::from_str_radix(rest, radix).ok()
    };
    let whole = radix(["0x", "0X"], 16).or_else(|| radix(["0b", "0B"], 2)).or_else(|| radix(["0o", "0O"], 8));
    let octal = || digits.strip_prefix('0').and_then(|rest| u64::from_str_radix(rest, 8).ok());
    if let Some(whole) = whole.or_else(octal) {
        return Some(sign * whole as f64);
    }
    let of_digits =
        digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.contains(|c: char| c.is_ascii_digit());
    let signs = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let finite = of_digits && digits.chars().all(signs);
    digits.parse::<f64>().ok().filter(|_| finite).map(|it| sign * it)
}

/// Bytes: one or more numbers with a unit, which is a power of 1024 whether `KB` or `KiB` is written; `0` needs none.
pub(super) fn size(text: &str) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits == "0" {
        return Some(0);
    }
    let sum = |suffix: &str| -> Option<f64> {
        let (mut rest, mut total) = (digits, 0.0);
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let amount: f64 = rest[..end].parse().ok()?;
            let after = &rest[end..];
            let unit = &after[..after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len())];
            let power = match unit {
                "B" => 0,
                _ => 1 + "KMGTPE".find(unit.strip_suffix(suffix).filter(|it| it.len() == 1)?)?,
            };
            total += amount
                * f64::from(1 << (10 * power.min(3) as u32))
                * if power > 3 { libm::pow(1024.0, (power - 3) as f64) } else { 1.0 };
            rest = &after[unit.len()..];
        }
        Some(total)
    };
    let total = sum("iB").or_else(|| sum("B")).filter(|_| !digits.is_empty())?;
    Some(if negative { 0 } else { total as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_those_of_yaml_as_go_reads_it() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("1_000", Some(1000.0)),
            ("0x10", Some(16.0)),
            ("017", Some(15.0)),
            ("0", Some(0.0)),
            ("-2", Some(-2.0)),
            ("1.5", Some(1.5)),
            ("1e3", Some(1000.0)),
            ("inf", None),
            ("abc", None),
            ("", None),
            ("1k", None),
            ("é", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        for (text, expected) in [
            ("0", Some(0)),
            ("1B", Some(1)),
            ("1KB", Some(1024)),
            ("1KiB", Some(1024)),
            ("1.5KB", Some(1536)),
            ("10MB", Some(10 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1TB", Some(1 << 40)),
            ("1MB512KB", Some(1536 << 10)),
            ("10kb", None),
            ("1", None),
            ("", None),
            ("KB", None),
            ("1é", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }
}
