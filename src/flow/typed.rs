//! Values of the types that inputs and outputs have, as Kestra reads them (source).

use std::sync::{Arc, LazyLock};

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::jackson;
use crate::document::{self, Severity, Source};
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
        "FLOAT" => float(&words).ok_or_else(|| no_number(words.trim()))?,
        // As Java: what is not true is false.
        "BOOL" | "BOOLEAN" => words.eq_ignore_ascii_case("true").into(),
        "DATETIME" => moment(&words).map(|_| words.into())?,
        "DATE" => java::parse::date_of(&words).map(|_| words.into()).map_err(Wrong::Other)?,
        "TIME" => time(&words).map(|_| words.into())?,
        "DURATION" => length(&words).map(|_| words.into())?,
        "URI" => match fits(&URI, &words) {
            true => Json::String(words),
            false => return Err(Wrong::Argument("Invalid URI format.".to_owned())),
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
        "YAML" if value.is_object() || value.is_array() => value,
        "YAML" => yaml(&words)?,
        "FILE" | "FORM" | "OBJECT" | "TABLE" => value,
        _ => Json::String(words),
    })
}

fn element(kind: &str, value: Json) -> Result<Json, Wrong> {
    let shown = text(&value);
    typed(kind, None, value)
        .map_err(|_| Wrong::Argument(format!("Unable to parse array element as `{kind}` on `{shown}`")))
}

/// A pattern of ours: all are constants, and tests read them.
fn pattern(text: &str) -> Option<regex::Regex> {
    regex::Regex::new(text).ok()
}

fn fits(pattern: &Option<regex::Regex>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|it| it.is_match(text))
}

/// A URI as Kestra has it (source): with a host that has a point in it.
static URI: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    pattern(r"^[a-z]+://(?:www\.)?[-a-zA-Z0-9@:%._+~#=]{1,256}\.[a-zA-Z0-9()]{1,6}\b[-a-zA-Z0-9()@:%_+.~#?&/=]*$")
});

/// A mail address as Kestra has it (source); nothing is one too.
static EMAIL: LazyLock<Option<regex::Regex>> =
    LazyLock::new(|| pattern(r"^$|^[a-zA-Z0-9_!#$%&\u{2019}*+/=?`{|}~^.-]+@[a-zA-Z0-9.-]+$"));

/// A number as `Float.valueOf` reads it, but for hexadecimal ones.
static FLOAT: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    pattern(r"^([+-]?(?:NaN|Infinity)|[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?$")
});

/// A length as `Duration.parse` reads it.
static LENGTH: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)^([-+]?)P(?:([-+]?[0-9]+)D)?(T(?:([-+]?[0-9]+)H)?(?:([-+]?[0-9]+)M)?(?:([-+]?[0-9]+)(?:[.,]([0-9]{0,9}))?S)?)?$",
    )
});

/// A number of single precision, with the digits that Java prints of it. JSON has no infinity and no NaN: they are the words
/// that Java prints.
fn float(text: &str) -> Option<Json> {
    let found = FLOAT.as_ref()?.captures(text.trim())?;
    let whole = found.get(0)?.as_str();
    let number = found.get(1)?.as_str();
    // `NaNf` and `Infinityd` are none.
    if !number.ends_with(|c: char| c.is_ascii_digit() || c == '.') && number.len() != whole.len() {
        return None;
    }
    let shown = java::number::float(number.parse::<f32>().ok()?);
    let finite = shown.parse::<f64>().ok().filter(|it| it.is_finite());
    Some(finite.map_or(Json::String(shown), Json::from))
}

/// What a text in YAML holds.
pub(super) fn yaml(text: &str) -> Result<Json, Wrong> {
    let source = Arc::new(Source { name: "YAML".to_owned(), text: text.to_owned() });
    let (root, told) = document::parse_jackson(&source);
    match told.iter().find(|told| told.severity == Severity::Error) {
        Some(wrong) => Err(Wrong::Other(format!("no YAML: {}", wrong.what))),
        None => Ok(root.map_or(Json::Null, |root| jackson::json(&root))),
    }
}

fn unread(text: &str) -> Wrong {
    Wrong::Other(format!("Text '{text}' could not be parsed at index 0"))
}

fn moment(text: &str) -> Result<Timestamp, Wrong> {
    java::parse::instant(text).map_err(|why| Wrong::Other(why.message(text)))?;
    text.parse().map_err(|_| unread(text))
}

fn time(text: &str) -> Result<Time, Wrong> {
    java::parse::time_of_day(text).map_err(Wrong::Other)
}

fn length(text: &str) -> Result<SignedDuration, Wrong> {
    java_length(text).ok_or_else(|| Wrong::Other("Text cannot be parsed to a Duration".to_owned()))
}

/// Whether a text is a length of less than nothing.
pub(super) fn is_negative(text: &str) -> bool {
    java_length(text).is_some_and(|length| length.is_negative())
}

fn java_length(text: &str) -> Option<SignedDuration> {
    let found = LENGTH.as_ref()?.captures(text)?;
    let part = |at: usize| found.get(at).map(|it| it.as_str());
    // Something must stand behind the T, and behind the P.
    if part(3).is_some_and(|rest| rest.len() == 1) || (part(2), part(3)) == (None, None) {
        return None;
    }
    let whole = |at: usize, seconds: i64| part(at).map_or(Some(0), |it| it.parse::<i64>().ok()?.checked_mul(seconds));
    let seconds = [(2, 86_400), (4, 3600), (5, 60), (6, 1)];
    let seconds = seconds.into_iter().try_fold(0_i64, |sum, (at, unit)| sum.checked_add(whole(at, unit)?))?;
    let digits = format!("{:0<9}", part(7).unwrap_or_default());
    let nanos: i32 = digits.parse().ok()?;
    let nanos = if part(6).is_some_and(|it| it.starts_with('-')) { -nanos } else { nanos };
    let length = SignedDuration::from_secs(seconds).checked_add(SignedDuration::from_nanos(nanos.into()))?;
    if part(1) == Some("-") { length.checked_neg() } else { Some(length) }
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
            Some(pattern) => match whole(pattern).map(|it| it.is_match(&text(value))) {
                Some(Ok(false)) => Err(Wrong::Argument(format!("it must match the pattern `{pattern}`"))),
                // It looks back and forth without end: newer versions give up too (source).
                Some(Err(_)) => {
                    let why = format!("the validator pattern `{pattern}` timed out — it may be too complex");
                    Err(Wrong::Argument(why))
                }
                Some(Ok(true)) | None => Ok(()),
            },
            None => Ok(()),
        },
        "EMAIL" if !fits(&EMAIL, &text(value)) => Err(Wrong::Argument("The input must be a valid email".to_owned())),
        "INT" | "FLOAT" => {
            bounded(input, ("min", "it must be more than"), ("max", "it must be less than"), value, |it| {
                // NaN is above all numbers, as Java compares it.
                text(it).parse::<f64>().ok().map(|it| if it.is_nan() { f64::INFINITY } else { it })
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

/// The pattern that a whole text must fit, which may look around and back; none where it cannot be read here.
pub(super) fn whole(pattern: &str) -> Option<fancy_regex::Regex> {
    fancy_regex::RegexBuilder::new(&format!("^(?:{pattern})$")).backtrack_limit(STEPS).build().ok()
}

/// Steps that a pattern may take back in one text.
const STEPS: usize = 100_000;

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
        for (text, value) in
            [("42.42", json!(42.42)), (" 1f ", json!(1.0)), ("1.5D", json!(1.5)), ("1e3", json!(1000.0))]
        {
            assert_eq!(of("FLOAT", text.into()), Ok(value), "{text}");
        }
        for (text, value) in
            [("2.345678901234", json!(2.3456788)), ("Infinity", json!("Infinity")), ("-NaN", json!("NaN"))]
        {
            assert_eq!(of("FLOAT", text.into()), Ok(value), "{text}");
        }
        for text in ["inf", "nan", "NaNf", "1_0", "0x", "f", "1ff"] {
            assert_eq!(refused("FLOAT", text), format!("For input string: \"{text}\""));
        }
        assert_eq!(of("YAML", "a: [1, x]".into()), Ok(json!({ "a": [1, "x"] })));
        assert_eq!(of("URI", "https://example.com/x?y=1".into()), Ok(json!("https://example.com/x?y=1")));
        for text in ["P1D", "PT1H30M", "-PT1.5S", "pt0.5s", "P1DT2H"] {
            assert_eq!(of("DURATION", text.into()), Ok(json!(text)));
        }
        for text in ["P", "PT", "P1DT", "P1W", "1h", "PT1"] {
            assert_eq!(refused("DURATION", text), "Text cannot be parsed to a Duration", "{text}");
        }
        assert_eq!(length("-P1DT1.5S").ok(), Some(SignedDuration::new(-86_401, -500_000_000)));
        for (text, words) in [
            ("soon", "Text 'soon' could not be parsed at index 0"),
            ("10", "Text '10' could not be parsed at index 2"),
            ("10:00:00Z", "Text '10:00:00Z' could not be parsed, unparsed text found at index 8"),
            ("25:00", "Text '25:00' could not be parsed: Invalid value for HourOfDay (valid values 0 - 23): 25"),
            ("10:75", "Text '10:75' could not be parsed: Invalid value for MinuteOfHour (valid values 0 - 59): 75"),
        ] {
            assert_eq!(refused("TIME", text), words);
        }
        assert_eq!(of("BOOL", "yes".into()), Ok(json!(false)));
        assert_eq!(of("STRING", json!(7)), Ok(json!("7")));
        assert_eq!(of("DATE", "2023-01-02".into()), Ok(json!("2023-01-02")));
        assert_eq!(of("JSON", "{\"a\": 1}".into()), Ok(json!({ "a": 1 })));
        assert_eq!(refused("INT", "3000000000"), "For input string: \"3000000000\"");
        assert_eq!(refused("INT", "1.0"), "For input string: \"1.0\"");
        assert_eq!(refused("DATE", "2023-1"), "Text '2023-1' could not be parsed at index 5");
        assert_eq!(refused("DURATION", "5m"), "Text cannot be parsed to a Duration");
        for text in ["/bla", "https://host/x", "s3://a.b/c"] {
            assert_eq!(refused("URI", text), "Invalid URI format.", "{text}");
        }
        let items = typed("ARRAY", Some("INT"), "[\"s1\", 2]".into()).map_err(|why| why.text());
        assert_eq!(items, Err("Unable to parse array element as `INT` on `s1`".to_owned()));
    }

    #[test]
    fn dates_that_cannot_be_read_are_told_with_javas_words() {
        let of = |kind: &str, value: Json| typed(kind, None, value).map_err(|why| why.text());
        let refused = |kind: &str, value: &str| of(kind, value.into()).expect_err("it is none");
        // A bare date where a date with a time is asked: recorded (conditions.tsv).
        for (text, words) in [
            ("2026-01-05", "could not be parsed at index 10"),
            ("2026-01-04 10:00:00", "could not be parsed at index 10"),
            ("2026-01-03T10:00:00", "could not be parsed at index 19"),
            ("2026-01-03T10:00Z", "could not be parsed at index 16"),
            ("2026-02-30T10:00:00Z", "could not be parsed at index 0"),
            ("2026-01-03T10:00:00Zx", "could not be parsed, unparsed text found at index 20"),
        ] {
            assert_eq!(refused("DATETIME", text), format!("Text '{text}' {words}"));
        }
        for (text, words) in [
            ("2024-02-30", "Invalid date 'FEBRUARY 30'"),
            ("2023-02-29", "Invalid date 'February 29' as '2023' is not a leap year"),
            ("2024-01-32", "Invalid value for DayOfMonth (valid values 1 - 28/31): 32"),
            ("2024-13-01", "Invalid value for MonthOfYear (valid values 1 - 12): 13"),
        ] {
            assert_eq!(refused("DATE", text), format!("Text '{text}' could not be parsed: {words}"));
        }
        assert_eq!(of("DATETIME", "2026-01-03T10:00:00.5Z".into()), Ok(json!("2026-01-03T10:00:00.5Z")));
        assert_eq!(of("DATETIME", "2026-01-03T10:00:00+01:00".into()), Ok(json!("2026-01-03T10:00:00+01:00")));
    }

    #[test]
    fn bounds_are_told_in_kestras_words() {
        let refused = |kind: &str, input: Json, value: Json| {
            let values = input.get("values").and_then(Json::as_array).map(Vec::as_slice);
            allowed(kind, &input, values, &value).map_err(|why| why.text())
        };
        for (kind, input, value, words) in [
            ("STRING", json!({ "validator": "A\\d+" }), json!("foo"), "it must match the pattern `A\\d+`"),
            (
                "STRING",
                json!({ "validator": "^(?=.*[0-9]).{8,}$" }),
                json!("password"),
                "it must match the pattern `^(?=.*[0-9]).{8,}$`",
            ),
            ("EMAIL", json!({}), json!("me"), "The input must be a valid email"),
            ("FLOAT", json!({ "max": 5 }), json!("NaN"), "it must be less than `5`"),
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
        assert_eq!(refused("EMAIL", json!({}), json!("a.b@c")), Ok(()));
        let endless = refused("STRING", json!({ "validator": "(?=a)(a|aa)+b" }), json!("a".repeat(60)));
        assert!(endless.is_err_and(|why| why.contains("timed out")));
        assert_eq!(
            refused("STRING", json!({ "validator": "A" }), json!("A\nB")),
            Err("it must match the pattern `A`".into())
        );
        assert_eq!(refused("SELECT", json!({ "values": ["A"], "allowCustomValue": true }), json!("Z")), Ok(()));
    }
}
