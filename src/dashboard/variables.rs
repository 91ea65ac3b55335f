//! Variables: what stands for them in an expression, and which values there are to choose from.

use regex::Regex;

use super::{By, Sort, limits};

/// What is chosen of a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The values.
    pub values: Vec<String>,
    /// Several could be chosen: their values are taken for parts of a regular expression.
    pub several: bool,
    /// All are chosen, and this is written instead of them, as it is.
    pub all: Option<String>,
}

/// An expression with its variables filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// The expression.
    pub text: String,
    /// What looks like a variable and is none of the dashboard: it stays as it is.
    pub unknown: Vec<String>,
}

/// Fills variables in: `$name`, `${name}`, `${name:format}`, `[[name]]`; `chosen` knows what is chosen of each.
///
/// # Errors
/// A form of a value that is not known here, or an expression that is too long.
pub fn fill<'c>(text: &str, chosen: &dyn Fn(&str) -> Option<&'c Chosen>) -> Result<Filled, String> {
    let mut filled = Filled::default();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '[']) {
        filled.text.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some((name, format, length)) = reference(rest) else {
            let sign = rest.chars().next().map_or(1, char::len_utf8);
            filled.text.push_str(&rest[..sign]);
            rest = &rest[sign..];
            continue;
        };
        match chosen(name) {
            Some(chosen) => filled.text.push_str(&written(name, chosen, format)?),
            None => {
                filled.text.push_str(&rest[..length]);
                // `$1` belongs to a regular expression.
                let number = name.bytes().all(|byte| byte.is_ascii_digit());
                if !number && !filled.unknown.iter().any(|known| known == name) {
                    filled.unknown.push(name.to_owned());
                }
            }
        }
        if filled.text.len() > limits::EXPRESSION {
            return Err(format!("with its variables it is longer than {} bytes", limits::EXPRESSION));
        }
        rest = &rest[length..];
    }
    filled.text.push_str(rest);
    Ok(filled)
}

/// What looks like a variable in a text.
pub fn names(text: &str) -> Vec<String> {
    fill(text, &|_| None).map_or_else(|_| Vec::new(), |filled| filled.unknown)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The variable that a text begins with: its name, the form that is asked for, and its length in the text.
fn reference(text: &str) -> Option<(&str, Option<&str>, usize)> {
    let word = |text: &str| text.find(|c| !is_word(c)).unwrap_or(text.len());
    if let Some(inside) = text.strip_prefix("${") {
        let name = word(inside);
        let end = inside.find('}').filter(|end| name > 0 && *end >= name)?;
        let behind = &inside[name..end];
        // `${name.field:format}`: the field of a value that is one text is the value.
        let format = behind.split_once(':').map(|(_, format)| format).filter(|format| !format.is_empty());
        let sound = behind.is_empty() || behind.starts_with([':', '.']);
        return sound.then_some((&inside[..name], format, end + 3));
    }
    if let Some(inside) = text.strip_prefix("[[") {
        let name = word(inside);
        let end = inside.find("]]").filter(|end| name > 0 && *end >= name)?;
        let behind = &inside[name..end];
        let format = behind.strip_prefix(':').filter(|format| !format.is_empty() && format.chars().all(is_word));
        return (behind.is_empty() || format.is_some()).then_some((&inside[..name], format, end + 4));
    }
    let inside = text.strip_prefix('$')?;
    let name = word(inside);
    (name > 0).then_some((&inside[..name], None, name + 1))
}

/// What is written for a variable.
fn written(name: &str, chosen: &Chosen, format: Option<&str>) -> Result<String, String> {
    if let Some(all) = &chosen.all {
        return Ok(all.clone());
    }
    let each = |form: fn(&str) -> String| chosen.values.iter().map(|value| form(value)).collect::<Vec<String>>();
    let same: fn(&str) -> String = |value| value.to_owned();
    let group = |values: Vec<String>| match values.as_slice() {
        [only] => only.clone(),
        _ => format!("({})", values.join("|")),
    };
    Ok(match format {
        // The data source's own form.
        None if chosen.several => group(each(for_pattern)),
        None => each(for_text).join(","),
        Some("regex") => group(each(|value| escaped(value, "\\^$*+?.()|{}[]/", "\\"))),
        Some("pipe") => each(same).join("|"),
        Some("csv" | "raw" | "text") => each(same).join(","),
        Some("glob") if chosen.values.len() > 1 => format!("{{{}}}", each(same).join(",")),
        Some("glob") => each(same).join(","),
        Some("singlequote") => each(|value| format!("'{}'", escaped(value, "'", "\\"))).join(","),
        Some("doublequote") => each(|value| format!("\"{}\"", escaped(value, "\"", "\\"))).join(","),
        // Of `__from` and `__to`.
        Some("date:seconds") => {
            each(|value| value.parse::<i64>().map_or(value.to_owned(), |it| (it / 1_000).to_string())).join(",")
        }
        Some("json") => serde_json::to_string(&chosen.values).unwrap_or_default(),
        Some(other) => return Err(format!("`${{{name}:{other}}}`: a form of a value that is not known here")),
    })
}

/// A value between the quotes of a matcher that takes it as it is (`prometheusRegularEscape`).
fn for_text(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\\\'")
}

/// A value as a part of a regular expression between quotes (`prometheusSpecialRegexEscape`).
fn for_pattern(value: &str) -> String {
    escaped(&value.replace('\\', "\\\\\\\\"), "$^*{}[]'+?.()|", "\\\\")
}

fn escaped(value: &str, special: &str, sign: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if special.contains(c) {
            out.push_str(sign);
        }
        out.push(c);
    }
    out
}

/// What a variable asks a Prometheus for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options<'q> {
    /// The values of a label, of the series of an expression if there is one: `label_values(up, job)`.
    Label(Option<&'q str>, &'q str),
    /// The names of labels.
    Labels,
    /// The names of series that a regular expression matches: `metrics(kestra_.*)`.
    Names(&'q str),
    /// What an expression gives, as text: `query_result(up)`.
    Result(&'q str),
    /// The series of an expression, as text.
    Series(&'q str),
}

impl<'q> Options<'q> {
    /// The question in a text.
    pub fn of(text: &'q str) -> Options<'q> {
        let text = text.trim();
        let inside = |call: &str| {
            let inside = text.strip_prefix(call)?.trim_start().strip_prefix('(')?;
            inside.trim_end().strip_suffix(')').map(str::trim)
        };
        if let Some(inside) = inside("label_values") {
            return match inside.rsplit_once(',') {
                // A comma inside a selector belongs to it.
                Some((of, label)) if label.trim().chars().all(is_word) => Options::Label(Some(of.trim()), label.trim()),
                _ => Options::Label(None, inside),
            };
        }
        if inside("label_names").is_some() {
            return Options::Labels;
        }
        match (inside("metrics"), inside("query_result")) {
            (Some(pattern), _) => Options::Names(pattern),
            (_, Some(expression)) => Options::Result(expression),
            _ => Options::Series(text),
        }
    }

    /// Those of the values there are that a variable lets one choose, by its `regex`: as it is without one; of a match the group
    /// that is called `value`, else the first; without groups the whole value. Each once, no more than [`limits::VALUES`].
    ///
    /// # Errors
    /// The regular expression is none.
    pub fn chosen_by(values: Vec<String>, regex: Option<&str>, sort: Option<Sort>) -> Result<Vec<String>, String> {
        let mut all: Vec<String> = Vec::new();
        let regex = regex.map(pattern).transpose()?;
        for value in values {
            let value = match &regex {
                None => Some(value),
                Some(regex) => regex.captures(&value).map(|found| {
                    let group = found.name("value").or_else(|| found.get(1));
                    group.map_or_else(|| value.clone(), |group| group.as_str().to_owned())
                }),
            };
            if let Some(value) = value.filter(|value| !all.contains(value) && all.len() < limits::VALUES) {
                all.push(value);
            }
        }
        if let Some(Sort { by, falling }) = sort {
            match by {
                By::Text => all.sort(),
                By::AnyCase => all.sort_by_key(|value| value.to_lowercase()),
                By::Number => all.sort_by(|one, other| first_number(one).total_cmp(&first_number(other))),
            }
            if falling {
                all.reverse();
            }
        }
        Ok(all)
    }
}

/// The first number in a text; what has none comes first.
fn first_number(text: &str) -> f64 {
    let from = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let digits = &text[from..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(-1.0)
}

/// A regular expression of JavaScript, between slashes with letters behind them or without.
fn pattern(text: &str) -> Result<Regex, String> {
    let (inside, letters) = match text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) {
        Some((inside, letters)) => (inside, letters),
        None => (text, ""),
    };
    let letters: String = letters.chars().filter(|letter| "ims".contains(*letter)).collect();
    let flags = if letters.is_empty() { String::new() } else { format!("(?{letters})") };
    // A slash has a backslash before it there.
    let inside = format!("{flags}{}", inside.replace("\\/", "/"));
    Regex::new(&inside).map_err(|_| format!("`regex` is `{text}`: no regular expression that is understood here"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn variables() -> BTreeMap<String, Chosen> {
        let of = |values: &[&str], several: bool| Chosen {
            values: values.iter().map(|it| (*it).to_owned()).collect(),
            several,
            all: None,
        };
        let all = Chosen { all: Some(".*".to_owned()), ..of(&["a"], true) };
        [
            ("job", of(&["kestra"], false)),
            ("instance", of(&["a:80", "b.c:80"], true)),
            ("one", of(&["x.y"], true)),
            ("quoted", of(&["it's \\"], false)),
            ("any", all),
            ("none", of(&[], true)),
        ]
        .map(|(name, chosen)| (name.to_owned(), chosen))
        .into()
    }

    #[test]
    fn variables_are_filled_in_as_the_data_source_does() {
        let variables = variables();
        for (text, expected) in [
            ("up{job=\"$job\"}", "up{job=\"kestra\"}"),
            ("up{job=\"${job}\"}", "up{job=\"kestra\"}"),
            ("up{job=\"[[job]]\"}", "up{job=\"kestra\"}"),
            ("up{job=\"[[job:raw]]\"}", "up{job=\"kestra\"}"),
            ("up{instance=~\"$instance\"}", "up{instance=~\"(a:80|b\\\\.c:80)\"}"),
            ("up{instance=~\"${instance:pipe}\"}", "up{instance=~\"a:80|b.c:80\"}"),
            ("up{instance=~\"${instance:regex}\"}", "up{instance=~\"(a:80|b\\.c:80)\"}"),
            ("${instance:csv} ${instance:glob} ${job:glob}", "a:80,b.c:80 {a:80,b.c:80} kestra"),
            ("${job:json} ${job:doublequote} ${quoted:singlequote}", "[\"kestra\"] \"kestra\" 'it\\'s \\'"),
            ("x{a=~\"$one\"}", "x{a=~\"x\\\\.y\"}"),
            ("x{a=\"$quoted\"}", "x{a=\"it\\\\'s \\\\\"}"),
            ("x{a=~\"$any\"} ${any:regex}", "x{a=~\".*\"} .*"),
            ("x{a=~\"$none\"}", "x{a=~\"()\"}"),
            ("${job.text}", "kestra"),
            ("a{b=~\"x$\"} [[:alpha:]] $ ${ ${} [", "a{b=~\"x$\"} [[:alpha:]] $ ${ ${} ["),
            ("é$jobé", "ékestraé"),
        ] {
            let filled = fill(text, &|name| variables.get(name)).expect(text);
            assert_eq!((filled.text.as_str(), filled.unknown.len()), (expected, 0), "{text}");
        }
        let filled = fill("$nobody $1 ${nobody} [[other]]", &|name| variables.get(name)).expect("filled");
        assert_eq!(filled.text, "$nobody $1 ${nobody} [[other]]");
        assert_eq!(filled.unknown, ["nobody", "other"]);
        assert!(fill("${job:lucene}", &|name| variables.get(name)).is_err_and(|why| why.contains("lucene")));
    }

    #[test]
    fn questions_of_variables() {
        let cases = [
            ("label_values(job)", Options::Label(None, "job")),
            ("label_values(up, job)", Options::Label(Some("up"), "job")),
            ("label_values( up{a=\"b\",c=\"d\"} , job )", Options::Label(Some("up{a=\"b\",c=\"d\"}"), "job")),
            ("label_names()", Options::Labels),
            ("metrics(kestra_.*)", Options::Names("kestra_.*")),
            ("query_result(sum by (a) (up))", Options::Result("sum by (a) (up)")),
            ("up{a=\"b\"}", Options::Series("up{a=\"b\"}")),
        ];
        for (text, expected) in cases {
            assert_eq!(Options::of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_regex_says_what_there_is_to_choose() {
        let values = || ["prod-a", "prod-b", "dev-a", "prod-a"].map(str::to_owned).to_vec();
        let chosen = |regex: Option<&str>| Options::chosen_by(values(), regex, None);
        assert_eq!(chosen(None), Ok(["prod-a", "prod-b", "dev-a"].map(str::to_owned).to_vec()));
        assert_eq!(chosen(Some("/^prod-(.*)$/")), Ok(["a", "b"].map(str::to_owned).to_vec()));
        assert_eq!(chosen(Some("/PROD/i")), Ok(["prod-a", "prod-b"].map(str::to_owned).to_vec()));
        assert_eq!(chosen(Some("dev")), Ok(vec!["dev-a".to_owned()]));
        assert_eq!(chosen(Some("/(?<text>.*)-(?<value>.*)/")), Ok(["a", "b"].map(str::to_owned).to_vec()));
        assert!(chosen(Some("/(?=x)/")).is_err());
    }

    #[test]
    fn a_variable_says_in_which_order_its_values_stand() {
        let sorted = |by: By, falling: bool| {
            let values = ["w-10", "W-9", "a", "w-2"].map(str::to_owned).to_vec();
            Options::chosen_by(values, None, Some(Sort { by, falling })).unwrap()
        };
        assert_eq!(sorted(By::Text, false), ["W-9", "a", "w-10", "w-2"]);
        assert_eq!(sorted(By::Text, true), ["w-2", "w-10", "a", "W-9"]);
        assert_eq!(sorted(By::AnyCase, false), ["a", "w-10", "w-2", "W-9"]);
        assert_eq!(sorted(By::Number, false), ["a", "w-2", "W-9", "w-10"]);
        assert_eq!(names("up{a=\"$b\", c=\"${d:regex}\"}[$__interval]"), ["b", "d", "__interval"]);
    }
}
