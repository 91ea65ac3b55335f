//! Relabelling, as `relabel_configs` and `metric_relabel_configs` do it.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest, Md5};
use regex::Regex;

use super::configuration::number;
use crate::document::{Node, Place, Reading, Value};
use crate::promql;

/// One rule of relabelling.
#[derive(Clone, Debug)]
pub struct Relabel {
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: Action,
    /// The text of `regex`.
    pattern: String,
    /// Where it is written.
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

const ACTIONS: &[(&str, Action)] = &[
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

/// Labels while they are rewritten.
pub type Set = BTreeMap<Arc<str>, Arc<str>>;

/// Reads a list of rules.
pub(super) fn read(node: &Node, what: &str, reading: &mut Reading) -> Arc<[Relabel]> {
    reading.list(node, what).iter().filter_map(|node| one(node, reading)).collect()
}

/// Reads a rule. What it may say depends on its action (`Config.Validate` of Prometheus 3.5).
pub(super) fn one(node: &Node, reading: &mut Reading) -> Option<Relabel> {
    let object = reading.open(node, "a rule of relabelling", &[])?;
    let told = |key: &str| object.entry(key).map(|entry| &entry.value);
    let text = |key: &str, default: &str| match told(key).map(|node| &node.value) {
        None => default.to_owned(),
        Some(Value::Scalar { text, .. }) => text.clone(),
        Some(_) => String::new(),
    };
    let word = text("action", "replace");
    let Some(action) = ACTIONS.iter().find(|(it, _)| it.eq_ignore_ascii_case(&word)).map(|(_, action)| *action) else {
        let place = told("action").unwrap_or(node);
        reading.unknown(&place.place, "action", &word, ACTIONS.iter().map(|(word, _)| *word));
        return None;
    };
    let mut names = Vec::new();
    for name in told("source_labels").map(|node| reading.list(node, "`source_labels`")).unwrap_or_default() {
        match &name.value {
            Value::Scalar { text, .. } if !text.is_empty() => names.push(text.clone()),
            _ => reading.error(&name.place, "a label without a name", "write for example `__address__`"),
        }
    }
    let rule = Relabel {
        source_labels: names,
        separator: text("separator", ";"),
        regex: regex(&text("regex", "(.*)"), told("regex").unwrap_or(node), reading)?,
        modulus: number(&text("modulus", "0")).unwrap_or(0.0) as u64,
        target_label: text("target_label", ""),
        replacement: text("replacement", "$1"),
        action,
        pattern: text("regex", "(.*)"),
        place: node.place.clone(),
    };
    rule.check(told("source_labels").is_some(), node, reading);
    Some(rule)
}

fn regex(pattern: &str, node: &Node, reading: &mut Reading) -> Option<Regex> {
    let regex = promql::regex(pattern);
    if regex.is_none() {
        reading.error(&node.place, format!("`{pattern}` is no regular expression"), "write it in the syntax of RE2");
    }
    regex
}

fn set(labels: &mut Set, name: &str, value: &str) {
    match value.is_empty() {
        true => labels.remove(name),
        false => labels.insert(name.into(), value.into()),
    };
}

/// Bytes of a value that a rule makes: in a chain of rules each could be several times as long as the one before.
const MAX_LABEL: usize = 64 << 10;
/// Bytes of all labels of a series together.
const MAX_LABELS: usize = 1 << 20;

/// Why rules of relabelling go no further, and the number of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It drops the series or target.
    Drops(usize),
    /// It would make labels that are longer than [`MAX_LABEL`] or [`MAX_LABELS`].
    TooLong(usize),
}

impl Stopped {
    /// What stopped them when they were too long, in words.
    pub(super) fn too_long(self, what: &str) -> Option<String> {
        match self {
            Stopped::Drops(_) => None,
            Stopped::TooLong(rule) => {
                let (one, all) = (MAX_LABEL >> 10, MAX_LABELS >> 20);
                Some(format!("{what}[{rule}] makes a label of more than {one} KiB, or of more than {all} MiB together"))
            }
        }
    }
}

/// What rules make of labels, if they keep them.
pub(super) fn apply(rules: &[Relabel], labels: &mut Set) -> Result<(), Stopped> {
    for (index, rule) in rules.iter().enumerate() {
        match rule.apply(labels) {
            Some(true) => {}
            Some(false) => return Err(Stopped::Drops(index)),
            None => return Err(Stopped::TooLong(index)),
        }
    }
    Ok(())
}

/// Rules of relabelling that alerts go through before they are sent (`alerting.alert_relabel_configs`).
#[derive(Clone, Debug, Default)]
pub struct AlertRelabel(Arc<[Relabel]>);

impl AlertRelabel {
    /// All of these, one list after the other.
    pub(super) fn new(lists: impl IntoIterator<Item = Arc<[Relabel]>>) -> AlertRelabel {
        AlertRelabel(lists.into_iter().flat_map(|rules| rules.to_vec()).collect())
    }

    /// The labels of an alert that is sent; none when it is dropped, or its labels would be longer than the limits.
    pub fn sent(&self, labels: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
        if self.0.is_empty() {
            return Some(labels);
        }
        let mut all: Set = labels.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
        apply(&self.0, &mut all).ok()?;
        let kept = all.iter().filter(|(_, value)| !value.is_empty());
        Some(kept.map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }
}

fn bytes(labels: &Set) -> usize {
    labels.iter().map(|(name, value)| name.len() + value.len()).sum()
}

impl Relabel {
    /// The word of its action.
    fn word(&self) -> &'static str {
        ACTIONS.iter().find(|(_, it)| *it == self.action).map_or("", |(word, _)| word)
    }

    /// The rule as a person would name it: which one of a list, what it does and what it looked at, and where it is written.
    pub(super) fn describe(&self, list: &str, index: usize, labels: &Set) -> String {
        let (word, value, pattern) = (self.word(), self.value(labels), &self.pattern);
        let (of, into) = (self.source_labels.join(", "), &self.target_label);
        let what = match self.action {
            Action::KeepEqual | Action::DropEqual => format!("{word} of [{of}] and {into}, which is `{value}`"),
            Action::LabelDrop | Action::LabelKeep | Action::LabelMap => format!("{word} by `{pattern}`"),
            Action::Keep | Action::Drop => format!("{word} of [{of}] by `{pattern}`, which is `{value}`"),
            _ if of.is_empty() => format!("{word} of {into}"),
            _ => format!("{word} of {into} by [{of}], which is `{value}`"),
        };
        let (line, column) = self.place.line_and_column();
        format!("{list}[{index}] ({what}; {}:{line}:{column})", self.place.source.name)
    }

    /// What an action needs, and what it has no use for.
    fn check(&self, has_sources: bool, node: &Node, reading: &mut Reading) {
        use Action::{DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase, Replace, Uppercase};

        let word = self.word();
        let mut wrong = |what: String, advice: &str| reading.error(&node.place, what, advice);
        let targets = matches!(self.action, Replace | HashMod | KeepEqual | DropEqual | Lowercase | Uppercase);
        if targets && self.target_label.is_empty() {
            wrong(format!("{word} needs a `target_label`"), "add `target_label: NAME`");
        }
        if self.action == HashMod && self.modulus == 0 {
            wrong("hashmod needs a `modulus`".to_owned(), "add `modulus: 4`");
        }
        if self.action == LabelMap && self.replacement.is_empty() {
            wrong("labelmap needs a `replacement`".to_owned(), "leave it out, or write for example `$1`");
        }
        let (replaces, separates) = (self.replacement != "$1", self.separator != ";");
        if matches!(self.action, Lowercase | Uppercase | KeepEqual | DropEqual) && replaces {
            wrong(format!("{word} has no use for `replacement`"), "leave it out");
        }
        if matches!(self.action, KeepEqual | DropEqual) && (self.pattern != "(.*)" || self.modulus != 0 || separates) {
            wrong(format!("{word} takes `source_labels` and `target_label` only"), "leave the rest out");
        }
        let others = has_sources || !self.target_label.is_empty() || self.modulus != 0 || separates || replaces;
        if matches!(self.action, LabelDrop | LabelKeep) && others {
            wrong(format!("{word} takes `regex` only"), "leave the rest out");
        }
    }

    /// The values of its labels, joined.
    fn value(&self, labels: &Set) -> String {
        let of = |name: &String| labels.get(name.as_str()).map_or("", |value| value);
        self.source_labels.iter().map(of).collect::<Vec<_>>().join(&self.separator)
    }

    /// Rewrites labels; whether it keeps what has them, none when they would be too long.
    pub(super) fn apply(&self, labels: &mut Set) -> Option<bool> {
        let sources = self.source_labels.iter();
        let joined: usize =
            sources.map(|name| labels.get(name.as_str()).map_or(0, |it| it.len()) + self.separator.len()).sum();
        if joined > MAX_LABELS {
            return None;
        }
        let of = |labels: &Set, name: &str| labels.get(name).map_or(String::new(), |value| value.to_string());
        let value = self.value(labels);
        match self.action {
            Action::Keep => return Some(self.regex.is_match(&value)),
            Action::Drop => return Some(!self.regex.is_match(&value)),
            Action::KeepEqual => return Some(of(labels, &self.target_label) == value),
            Action::DropEqual => return Some(of(labels, &self.target_label) != value),
            Action::Replace => {
                let Some(captures) = self.regex.captures(&value) else { return Some(true) };
                let target = promql::expanded(&captures, &self.target_label, MAX_LABEL)?;
                let text = promql::expanded(&captures, &self.replacement, MAX_LABEL)?;
                if !target.is_empty() {
                    set(labels, &target, &text);
                }
            }
            Action::Lowercase => set(labels, &self.target_label, &value.to_lowercase()),
            Action::Uppercase => set(labels, &self.target_label, &value.to_uppercase()),
            Action::HashMod => {
                let hash = Md5::digest(value.as_bytes());
                let tail = hash.iter().skip(8).fold(0u64, |all, byte| all << 8 | u64::from(*byte));
                set(labels, &self.target_label, &(tail % self.modulus.max(1)).to_string());
            }
            Action::LabelMap => {
                let mut room = MAX_LABELS.checked_sub(bytes(labels))?;
                for (name, value) in labels.clone() {
                    if let Some(captures) = self.regex.captures(&name) {
                        let target = promql::expanded(&captures, &self.replacement, room)?;
                        room = room.checked_sub(target.len() + value.len())?;
                        set(labels, &target, &value);
                    }
                }
            }
            Action::LabelDrop => labels.retain(|name, _| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name, _| self.regex.is_match(name)),
        }
        (bytes(labels) <= MAX_LABELS).then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Source, parse, render};

    fn relabelled(rules: &str, labels: &[(&str, &str)]) -> Option<String> {
        let source = Arc::new(Source { name: "rules".into(), text: rules.into() });
        let mut reading = Reading::default();
        let rules = read(&parse(&source).0.expect("YAML"), "rules", &mut reading);
        let told = reading.finish();
        assert!(told.is_empty(), "{}", render(&told));
        let mut set: Set = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let pairs = |set: &Set| set.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        apply(&rules, &mut set).ok().map(|()| pairs(&set))
    }

    #[test]
    fn every_action_does_what_prometheus_documents() {
        let labels = [("__address__", "worker-1:8081"), ("a", "x"), ("b", "Y")];
        for (rules, expected) in [
            (
                "- { source_labels: [__address__], regex: \"([^:]+):.*\", target_label: pod }",
                "__address__=worker-1:8081,a=x,b=Y,pod=worker-1",
            ),
            (
                "- { source_labels: [a, b], separator: \"/\", target_label: ab }",
                "__address__=worker-1:8081,a=x,ab=x/Y,b=Y",
            ),
            ("- { source_labels: [a], target_label: a, replacement: \"\" }", "__address__=worker-1:8081,b=Y"),
            ("- { target_label: env, replacement: prod }", "__address__=worker-1:8081,a=x,b=Y,env=prod"),
            (
                "- { source_labels: [a], regex: no, target_label: a, replacement: z }",
                "__address__=worker-1:8081,a=x,b=Y",
            ),
            ("- { source_labels: [b], target_label: b, action: lowercase }", "__address__=worker-1:8081,a=x,b=y"),
            ("- { source_labels: [a], target_label: a, action: uppercase }", "__address__=worker-1:8081,a=X,b=Y"),
            ("- { regex: \"[ab]\", action: labeldrop }", "__address__=worker-1:8081"),
            ("- { regex: \"[ab]\", action: labelkeep }", "a=x,b=Y"),
            (
                "- { regex: \"(a)\", replacement: \"${1}1\", action: labelmap }",
                "__address__=worker-1:8081,a=x,a1=x,b=Y",
            ),
            // MD5 of `x` is 9dd4e461268c8034f5c8564e155c67a6: the last eight bytes count.
            (
                "- { source_labels: [a], modulus: 1000, target_label: h, action: hashmod }",
                "__address__=worker-1:8081,a=x,b=Y,h=726",
            ),
        ] {
            assert_eq!(relabelled(rules, &labels).as_deref(), Some(expected), "{rules}");
        }
        assert!(relabelled("- { source_labels: [a], regex: x, action: keep }", &labels).is_some());
        assert!(relabelled("- { source_labels: [a], regex: y, action: keep }", &labels).is_none());
        assert!(relabelled("- { source_labels: [a], regex: x, action: drop }", &labels).is_none());
        assert!(relabelled("- { source_labels: [a], target_label: b, action: keepequal }", &labels).is_none());
        assert!(relabelled("- { source_labels: [a], target_label: b, action: dropequal }", &labels).is_some());
    }

    #[test]
    fn rules_that_would_make_labels_longer_and_longer_stop() {
        let grow = "- { source_labels: [a], regex: \"(.*)\", replacement: \"$1$1$1$1\", target_label: a }\n";
        let join = "- { source_labels: [a, a, a, a], target_label: a }\n";
        let names = "- { regex: \"a(.*)\", replacement: \"a${1}${1}${1}x\", action: labelmap }\n";
        for rule in [grow, join, names] {
            let source = Arc::new(Source { name: "rules".into(), text: rule.repeat(60) });
            let rules = read(&parse(&source).0.expect("YAML"), "rules", &mut Reading::default());
            let mut set: Set = [("a".into(), "x".into())].into_iter().collect();
            let stopped = apply(&rules, &mut set).expect_err(rule);
            assert!(matches!(stopped, Stopped::TooLong(_)), "{rule}: {stopped:?}");
            assert!(stopped.too_long("relabel_configs").is_some_and(|told| told.contains("of more than 64 KiB")));
            assert!(bytes(&set) <= 2 * MAX_LABELS, "{rule}");
        }
    }
}
