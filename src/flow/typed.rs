//! Values of the types that inputs and outputs have, as Kestra reads them (source).

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use crate::java;

/// Why a value is none of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// What Kestra tells of the input.
    Argument(String),
    /// Several of these.
    Several(Vec<String>),
    /// What it tells as an error of the reading.
    Other(String),
}

impl Wrong {
    /// All that is wrong, in one line.
    pub fn text(&self) -> String {
        match self {
            Wrong::Argument(why) | Wrong::Other(why) => why.clone(),
            Wrong::Several(all) => all.join(", "),
        }
    }
}

/// What a value is as a text, as Java's `toString` of it.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as one of its type; `item` is that of the items of a list.
///
/// # Errors
/// It is none.
pub fn typed(kind: &str, item: Option<&str>, value: Json) -> Result<Json, Wrong> {
    let no_number = |text: &str| match text {
        "" => Wrong::Argument("empty String".to_owned()),
        text => Wrong::Argument(format!("For input string: \"{text}\"")),
    };
    let words = text(&value);
    Ok(match kind {
        "INT" => words.parse::<i32>().map_err(|_| no_number(&words))?.into(),
        "FLOAT" => {
            let number = words.trim().parse::<f64>().ok().filter(|it| it.is_finite());
            number.ok_or_else(|| no_number(words.trim()))?.into()
        }
        // As Java: what is not true is false.
        "BOOL" | "BOOLEAN" => words.eq_ignore_ascii_case("true").into(),
        "DATETIME" => moment(&words).map(|_| words.into())?,
        "DATE" => match java::parse::day(&words) {
            Ok(_) => words.into(),
            Err(why) => return Err(Wrong::Other(why.message(&words))),
        },
        "TIME" => time(&words).map(|_| words.into())?,
        "DURATION" => length(&words).map(|_| words.into())?,
        "URI" => match words.split_once(':') {
            Some((scheme, _)) if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) => Json::String(words),
            _ => return Err(Wrong::Argument("Invalid URI format.".to_owned())),
        },
        "JSON" if value.is_object() || value.is_array() => value,
        "JSON" => serde_json::from_str(&words).map_err(|why| Wrong::Other(format!("no JSON: {why}")))?,
        "ARRAY" | "MULTISELECT" => {
            let list = match value {
                Json::Array(list) => list,
                _ => serde_json::from_str(&words).map_err(|why| Wrong::Other(format!("no list in JSON: {why}")))?,
            };
            match item {
                None => Json::Array(list),
                Some(item) => list.into_iter().map(|it| element(item, it)).collect::<Result<_, _>>()?,
            }
        }
        "YAML" | "FILE" => value,
        _ => Json::String(words),
    })
}

fn element(kind: &str, value: Json) -> Result<Json, Wrong> {
    let shown = text(&value);
    typed(kind, None, value)
        .map_err(|_| Wrong::Argument(format!("Unable to parse array element as `{kind}` on `{shown}`")))
}

fn unread(text: &str) -> Wrong {
    Wrong::Other(format!("Text '{text}' could not be parsed at index 0"))
}

fn moment(text: &str) -> Result<Timestamp, Wrong> {
    text.parse().map_err(|_| unread(text))
}

fn time(text: &str) -> Result<Time, Wrong> {
    text.parse().map_err(|_| unread(text))
}

fn length(text: &str) -> Result<SignedDuration, Wrong> {
    let read = Some(text).filter(|text| text.starts_with(['P', '-', '+', 'p'])).and_then(|text| text.parse().ok());
    read.ok_or_else(|| Wrong::Other("Text cannot be parsed to a Duration".to_owned()))
}

/// Whether a value is one of those that a choice lists, fits the pattern of a text, and is within its bounds.
pub(super) fn allowed(kind: &str, input: &Json, values: Option<&[Json]>, value: &Json) -> Result<(), Wrong> {
    let of = |key: &str| input.get(key).filter(|it| !it.is_null());
    let free = of("allowCustomValue") == Some(&Json::Bool(true));
    let listed = || values.unwrap_or_default().iter().map(text).collect::<Vec<_>>();
    let shown = |all: &[String]| format!("[{}]", all.join(", "));
    match kind {
        "SELECT" | "ENUM" if !free => {
            let all = listed();
            match all.contains(&text(value)) {
                true => Ok(()),
                false => Err(Wrong::Argument(format!("it must match the values `{}`", shown(&all)))),
            }
        }
        "MULTISELECT" if !free => {
            let all = listed();
            let given = value.as_array().into_iter().flatten().map(text);
            let other = given.filter(|it| !all.contains(it));
            let wrong: Vec<String> =
                other.map(|it| format!("value `{it}` doesn't match the values `{}`", shown(&all))).collect();
            if wrong.is_empty() { Ok(()) } else { Err(Wrong::Several(wrong)) }
        }
        "STRING" | "SECRET" => match of("validator").and_then(Json::as_str) {
            Some(pattern) if whole(pattern).is_some_and(|it| !it.is_match(&text(value))) => {
                Err(Wrong::Argument(format!("it must match the pattern `{pattern}`")))
            }
            _ => Ok(()),
        },
        "INT" | "FLOAT" => {
            bounded(input, ("min", "it must be more than"), ("max", "it must be less than"), value, |it| {
                text(it).parse::<f64>().ok()
            })
        }
        "DURATION" => bounded(input, ("min", "It must be more than"), ("max", "It must be less than"), value, |it| {
            length(&text(it)).ok()
        }),
        "DATE" => dated(input, value, |it| java::parse::day(&text(it)).ok()),
        "TIME" => dated(input, value, |it| time(&text(it)).ok()),
        "DATETIME" => dated(input, value, |it| moment(&text(it)).ok()),
        _ => Ok(()),
    }
}

/// The pattern that a whole text must fit; none where it cannot be read here.
pub(super) fn whole(pattern: &str) -> Option<regex::Regex> {
    regex::Regex::new(&format!("^(?:{pattern})$")).ok()
}

fn dated<T: PartialOrd>(input: &Json, value: &Json, read: impl Fn(&Json) -> Option<T>) -> Result<(), Wrong> {
    bounded(input, ("after", "it must be after"), ("before", "it must be before"), value, read)
}

fn bounded<T: PartialOrd>(
    input: &Json,
    (least, below): (&str, &str),
    (most, above): (&str, &str),
    value: &Json,
    read: impl Fn(&Json) -> Option<T>,
) -> Result<(), Wrong> {
    let Some(it) = read(value) else { return Ok(()) };
    let bound = |key: &str| input.get(key).and_then(|bound| Some((text(bound), read(bound)?)));
    match (bound(least), bound(most)) {
        (Some((shown, least)), _) if it < least => Err(Wrong::Argument(format!("{below} `{shown}`"))),
        (_, Some((shown, most))) if it > most => Err(Wrong::Argument(format!("{above} `{shown}`"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_as_java_reads_them() {
        let of = |kind: &str, value: Json| typed(kind, None, value).map_err(|why| why.text());
        let refused = |kind: &str, value: &str| of(kind, value.into()).expect_err("it is none");
        assert_eq!(of("INT", "42".into()), Ok(json!(42)));
        assert_eq!(of("FLOAT", "42.42".into()), Ok(json!(42.42)));
        assert_eq!(of("BOOL", "yes".into()), Ok(json!(false)));
        assert_eq!(of("STRING", json!(7)), Ok(json!("7")));
        assert_eq!(of("DATE", "2023-01-02".into()), Ok(json!("2023-01-02")));
        assert_eq!(of("JSON", "{\"a\": 1}".into()), Ok(json!({ "a": 1 })));
        assert_eq!(refused("INT", "3000000000"), "For input string: \"3000000000\"");
        assert_eq!(refused("INT", "1.0"), "For input string: \"1.0\"");
        assert_eq!(refused("DATE", "2023-1"), "Text '2023-1' could not be parsed at index 5");
        assert_eq!(refused("DURATION", "5m"), "Text cannot be parsed to a Duration");
        assert_eq!(refused("URI", "/bla"), "Invalid URI format.");
        let items = typed("ARRAY", Some("INT"), "[\"s1\", 2]".into()).map_err(|why| why.text());
        assert_eq!(items, Err("Unable to parse array element as `INT` on `s1`".to_owned()));
    }

    #[test]
    fn bounds_are_told_in_kestras_words() {
        let refused = |kind: &str, input: Json, value: Json| {
            let values = input.get("values").and_then(Json::as_array).map(Vec::as_slice);
            allowed(kind, &input, values, &value).map_err(|why| why.text())
        };
        for (kind, input, value, words) in [
            ("STRING", json!({ "validator": "A\\d+" }), json!("foo"), "it must match the pattern `A\\d+`"),
            ("INT", json!({ "min": 10 }), json!(9), "it must be more than `10`"),
            ("FLOAT", json!({ "max": 0.5 }), json!(1.01), "it must be less than `0.5`"),
            ("DATE", json!({ "after": "2023-01-01" }), json!("2022-01-01"), "it must be after `2023-01-01`"),
            ("TIME", json!({ "before": "11:59:59" }), json!("14:00:00"), "it must be before `11:59:59`"),
            ("DURATION", json!({ "min": "PT10S" }), json!("PT1S"), "It must be more than `PT10S`"),
            (
                "MULTISELECT",
                json!({ "values": ["A", "B"] }),
                json!(["F"]),
                "value `F` doesn't match the values `[A, B]`",
            ),
        ] {
            assert_eq!(refused(kind, input, value), Err(words.to_owned()), "{kind}");
        }
        assert_eq!(refused("STRING", json!({ "validator": "A\\d+" }), json!("A12")), Ok(()));
        assert_eq!(
            refused("STRING", json!({ "validator": "A" }), json!("A\nB")),
            Err("it must match the pattern `A`".into())
        );
        assert_eq!(refused("SELECT", json!({ "values": ["A"], "allowCustomValue": true }), json!("Z")), Ok(()));
    }
}
