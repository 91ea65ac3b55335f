//! What tables of options are made of, and how a tree is read by them. Scalars are those of YAML 1.1 as Go reads them.

use serde_json::{Map, Number, Value as Json};

use super::address;
use crate::document::{Entry, Node, Reading, Value};
use crate::pager::Version;
use crate::time::Duration;

/// Which versions know it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    All,
    /// 0.33 and newer.
    New,
    /// 0.25 only.
    Old,
}

impl Of {
    pub(super) fn knows(self, version: Version) -> bool {
        match self {
            Of::All => true,
            Of::New => version >= Version::V0_33,
            Of::Old => version < Version::V0_33,
        }
    }
}

/// What may stand at an option.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    Text,
    /// `true`, `yes`, `on`, ... without quotes.
    Flag,
    /// A whole number.
    Whole,
    /// A whole number that is not negative.
    Count,
    Number,
    /// As Prometheus writes them.
    Duration,
    /// As Go writes them.
    GoDuration,
    /// As Go writes them, or a number of nanoseconds.
    Nanoseconds,
    /// Of HTTP, with a host.
    Url,
    /// The same, or `<secret>`.
    SecretUrl,
    /// The same, or a template.
    TemplateUrl,
    /// Whatever Go's parser accepts.
    AnyUrl,
    /// Host and port.
    Address,
    Choice(&'static [&'static str]),
    List(&'static Takes),
    Map(&'static Takes),
    Section(&'static Section),
    /// A list of sections.
    Sections(&'static Section),
    /// A text, or a section.
    TextOr(&'static Section),
    Any,
    /// Read elsewhere.
    Elsewhere,
}

/// One option.
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) takes: Takes,
    pub(super) of: Of,
}

/// What must hold between options.
pub(super) enum Rule {
    /// One of them must be there.
    Needs(&'static [&'static str]),
    /// Only one of them may be there.
    AtMostOne(&'static [&'static str]),
    /// What is told by itself.
    Check(fn(&Node, Version, &mut Reading)),
}

/// Options that stand together.
pub(super) struct Section {
    /// What it is called in messages.
    pub(super) name: &'static str,
    pub(super) rows: &'static [Row],
    pub(super) rules: &'static [(Of, Rule)],
}

pub(super) const fn row(key: &'static str, takes: Takes) -> Row {
    Row { key, takes, of: Of::All }
}

pub(super) const fn newer(key: &'static str, takes: Takes) -> Row {
    Row { key, takes, of: Of::New }
}

pub(super) const fn older(key: &'static str, takes: Takes) -> Row {
    Row { key, takes, of: Of::Old }
}

/// What stands at a key; nothing where that is null.
pub(super) fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.get(key)
}

/// The text that stands at a key; empty where there is none.
pub(super) fn text<'n>(node: &'n Node, key: &str) -> &'n str {
    get(node, key).and_then(Node::text).unwrap_or_default()
}

/// The items of the list that stands at a key.
pub(super) fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    get(node, key).map_or(&[], Node::items)
}

/// The entries of the mapping that stands at a key.
pub(super) fn entries<'n>(node: &'n Node, key: &str) -> &'n [Entry] {
    match get(node, key).map(|it| &it.value) {
        Some(Value::Mapping(entries)) => entries,
        _ => &[],
    }
}

/// Whether something stands at a key: not null, and no empty text.
pub(super) fn is_set(node: &Node, key: &str) -> bool {
    get(node, key).is_some_and(|it| !matches!(&it.value, Value::Scalar { text, .. } if text.is_empty()))
}

/// Where a key stands, or the section that lacks it.
pub(super) fn place_of(node: &Node, key: &str) -> crate::document::Place {
    get(node, key).map_or_else(|| node.place.first_line(), |it| it.place.clone())
}

/// A flag of YAML 1.1.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// A number of YAML 1.1: `1_000`, `0x10`, `0o17`, `017`, `0b1`, `1e3`.
pub(super) fn number(text: &str) -> Option<Number> {
    let text = text.replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    if !digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
        return None;
    }
    let radix = |prefix: &str, radix: u32| i128::from_str_radix(digits.strip_prefix(prefix)?, radix).ok();
    let whole = radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8)).or_else(|| radix("0", 8));
    if let Some(whole) = whole.or_else(|| digits.parse().ok()) {
        let whole = if negative { -whole } else { whole };
        return i64::try_from(whole).map(Number::from).or_else(|_| u64::try_from(whole).map(Number::from)).ok();
    }
    let plain = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | 'e' | 'E' | '+' | '-');
    let value: f64 = digits.parse().ok().filter(|_| digits.chars().all(plain))?;
    Number::from_f64(if negative { -value } else { value })
}

/// Anything as JSON.
pub(super) fn anything(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar { text, plain: true } => match flag(text) {
            Some(flag) => Json::Bool(flag),
            None => number(text).map_or_else(|| Json::String(text.clone()), Json::Number),
        },
        Value::Scalar { text, .. } => Json::String(text.clone()),
        Value::Sequence(items) => Json::Array(items.iter().map(anything).collect()),
        Value::Mapping(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), anything(&entry.value))).collect())
        }
    }
}

/// A reading of one version's file.
pub(super) struct Reader<'r> {
    pub(super) version: Version,
    pub(super) reading: &'r mut Reading,
}

impl Reader<'_> {
    /// What a section says, and tells what is wrong with it.
    pub(super) fn section(&mut self, node: &Node, section: &Section) -> Map<String, Json> {
        let mut said = Map::new();
        let version = self.version;
        let known = || section.rows.iter().filter(|row| row.of.knows(version));
        let entries = match &node.value {
            Value::Mapping(entries) => entries,
            Value::Null => return said,
            other => {
                let keys: Vec<&str> = known().take(3).map(|row| row.key).collect();
                let advice = format!("write keys such as {}", keys.join(", "));
                let what = format!("{} must be a mapping, not {}", section.name, other.describe());
                self.reading.error(&node.place, what, advice);
                return said;
            }
        };
        for entry in entries {
            match known().find(|row| row.key == entry.key) {
                Some(row) => {
                    if let Some(value) = self.value(&entry.value, row.takes, &format!("`{}`", row.key)) {
                        said.insert(entry.key.clone(), value);
                    }
                }
                None if section.rows.iter().any(|row| row.key == entry.key) => {
                    let what = format!("`{}` of {} is not known to Alertmanager 0.25", entry.key, section.name);
                    self.reading.error(&entry.place, what, "leave it out, or say that it is a newer Alertmanager");
                }
                None => {
                    let what = format!("key of {}", section.name);
                    self.reading.unknown(&entry.place, &what, &entry.key, known().map(|row| row.key));
                }
            }
        }
        for (_, rule) in section.rules.iter().filter(|(of, _)| of.knows(version)) {
            self.rule(node, section, rule);
        }
        said
    }

    fn rule(&mut self, node: &Node, section: &Section, rule: &Rule) {
        let quoted = |keys: &[&str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>();
        match rule {
            Rule::Needs(keys) if !keys.iter().any(|key| is_set(node, key)) => {
                let keys = quoted(keys);
                let what = format!("{} has no {}", section.name, keys.join(" and no "));
                self.reading.error(&node.place.first_line(), what, format!("add {}", keys.join(" or ")));
            }
            Rule::AtMostOne(keys) => {
                let set: Vec<&str> = keys.iter().copied().filter(|key| is_set(node, key)).collect();
                if let [_, second, ..] = set.as_slice() {
                    let what = format!("{} has both {}", section.name, quoted(&set).join(" and "));
                    self.reading.error(&place_of(node, second), what, "keep one of them");
                }
            }
            Rule::Check(check) => check(node, self.version, self.reading),
            Rule::Needs(_) => {}
        }
    }

    /// What an option says; nothing where it is null or wrong, which is told.
    pub(super) fn value(&mut self, node: &Node, takes: Takes, what: &str) -> Option<Json> {
        if node.value == Value::Null {
            return None;
        }
        match takes {
            Takes::Elsewhere => None,
            Takes::Any => Some(anything(node)),
            Takes::List(of) => {
                let each = format!("an item of {what}");
                let items = self.reading.list(node, what);
                Some(items.iter().map(|it| self.value(it, *of, &each).unwrap_or(Json::String(String::new()))).collect())
            }
            Takes::Map(of) => {
                let object = self.reading.mapping(node, what, "name: value")?;
                let each = |entry: &Entry| {
                    let value = self.value(&entry.value, *of, &format!("`{}` of {what}", entry.key));
                    (entry.key.clone(), value.unwrap_or(Json::String(String::new())))
                };
                Some(Json::Object(object.entries().iter().map(each).collect()))
            }
            Takes::Section(section) => Some(Json::Object(self.section(node, section))),
            Takes::TextOr(section) => match &node.value {
                Value::Scalar { text, .. } => Some(Json::String(text.clone())),
                _ => Some(Json::Object(self.section(node, section))),
            },
            Takes::Sections(section) => {
                let items = self.reading.list(node, what);
                let mut all = Vec::new();
                for item in items {
                    if item.value == Value::Null {
                        let told = format!("{} in {what} is empty", section.name);
                        self.reading.error(&item.place, told, "write it, or take the dash out");
                    }
                    all.push(Json::Object(self.section(item, section)));
                }
                Some(Json::Array(all))
            }
            _ => self.scalar(node, takes, what),
        }
    }

    fn scalar(&mut self, node: &Node, takes: Takes, what: &str) -> Option<Json> {
        let Value::Scalar { text, plain } = &node.value else {
            let told = format!("{what} must be a single value, not {}", node.value.describe());
            self.reading.error(&node.place, told, "write it on one line, or in quotes");
            return None;
        };
        let bare = if *plain { text } else { "" };
        let whole = |least: i64| {
            let value = number(bare).filter(|it| it.as_f64().is_some_and(|it| it >= least as f64 && it < 1.9e19))?;
            // Go cuts a fraction off.
            Some(if value.is_f64() { Json::from(value.as_f64()? as i64) } else { Json::Number(value) })
        };
        let checked = |found: Result<(), String>| found.map(|()| Json::String(text.clone()));
        let is = |found: Option<Json>, advice: &str| found.ok_or_else(|| advice.to_owned());
        let found = match takes {
            Takes::Flag => is(flag(bare).map(Json::Bool), "write `true` or `false`, without quotes"),
            Takes::Whole => is(whole(i64::MIN), "write a whole number, without quotes"),
            Takes::Count => is(whole(0), "write a whole number that is not negative, without quotes"),
            Takes::Number => is(number(bare).map(Json::Number), "write a number, without quotes"),
            Takes::Duration => checked(Duration::from_prometheus(text).map(|_| ())),
            Takes::GoDuration => checked(address::go_duration(text)),
            Takes::Nanoseconds => whole(i64::MIN).map_or_else(|| checked(address::go_duration(text)), Ok),
            Takes::SecretUrl if text == "<secret>" => checked(Ok(())),
            Takes::TemplateUrl if text.is_empty() || text == "<secret>" => checked(Ok(())),
            Takes::TemplateUrl if text.contains("{{") => checked(address::template(text)),
            Takes::Url | Takes::SecretUrl | Takes::TemplateUrl => checked(address::http(text)),
            Takes::AnyUrl => checked(address::url(text).map(|_| ())),
            Takes::Address => checked(address::host_and_port(text)),
            Takes::Choice(words) if !words.contains(&text.as_str()) => {
                let shown = words.iter().copied().filter(|word| !word.is_empty());
                self.reading.unknown(&node.place, &format!("value of {what}"), text, shown);
                return None;
            }
            _ => checked(Ok(())),
        };
        match found {
            Ok(value) => Some(value),
            Err(advice) => {
                self.reading.error(&node.place, format!("{what} is `{text}`"), advice);
                None
            }
        }
    }
}
