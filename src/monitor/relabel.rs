//! Relabelling, as `relabel_configs` and `metric_relabel_configs` do it.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest, Md5};
use regex::Regex;

use crate::document::{Field, Kind, Node, Reading};

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

const FIELDS: &[Field] = &[
    Field::new("source_labels", Kind::List(&Kind::Text), "[ __address__ ]", "Their values are joined."),
    Field::new("separator", Kind::Text, "\";\"", "Between them."),
    Field::new("target_label", Kind::Text, "instance", "The label that is written."),
    Field::new("regex", Kind::Text, "(.*)", "What the joined value must be like, as a whole."),
    Field::new("modulus", Kind::Number, "4", "Of the hash."),
    Field::new("replacement", Kind::Text, "$1", "What is written."),
    Field::new("action", Kind::Text, "replace", "What is done."),
];

/// Labels while they are rewritten.
pub type Set = BTreeMap<Arc<str>, Arc<str>>;

/// Reads a list of rules.
pub(super) fn read(node: &Node, what: &str, reading: &mut Reading) -> Arc<[Relabel]> {
    reading.list(node, what).iter().filter_map(|node| one(node, reading)).collect()
}

fn one(node: &Node, reading: &mut Reading) -> Option<Relabel> {
    use Action::{DropEqual, HashMod, KeepEqual, Lowercase, Replace, Uppercase};

    let object = reading.object(node, "a rule of relabelling", FIELDS)?;
    let text = |reading: &mut Reading, key: &str, default: &str| match object.get(key) {
        Some(node) => reading.text(node, &format!("`{key}`")).map(str::to_owned),
        None => Some(default.to_owned()),
    };
    let action = object.get("action").map_or(Some(Replace), |node| reading.choice(node, "action", ACTIONS))?;
    let source_labels = object.get("source_labels").map(|node| reading.list(node, "`source_labels`").iter());
    let mut names = Vec::new();
    for node in source_labels.into_iter().flatten() {
        names.push(reading.text(node, "a label name")?.to_owned());
    }
    let pattern = text(reading, "regex", "(.*)")?;
    let regex = Regex::new(&format!("^(?s:{pattern})$"));
    if regex.is_err() {
        let place = object.get("regex").map_or(&node.place, |node| &node.place);
        reading.error(place, format!("`{pattern}` is no regular expression"), "write it in the syntax of RE2");
    }
    let modulus = object.get("modulus").and_then(|node| reading.count(node, "`modulus`", 1..=u64::MAX));
    let target_label = text(reading, "target_label", "")?;
    if matches!(action, Replace | HashMod | KeepEqual | DropEqual | Lowercase | Uppercase) && target_label.is_empty() {
        let word = ACTIONS.iter().find(|(_, it)| *it == action).map_or("", |(word, _)| word);
        reading.error(&node.place, format!("{word} needs a `target_label`"), "add `target_label: NAME`");
    }
    if action == HashMod && modulus.is_none() {
        reading.error(&node.place, "hashmod needs a `modulus`", "add `modulus: 4`");
    }
    Some(Relabel {
        source_labels: names,
        separator: text(reading, "separator", ";")?,
        regex: regex.ok()?,
        modulus: modulus.unwrap_or(1),
        target_label,
        replacement: text(reading, "replacement", "$1")?,
        action,
    })
}

fn name_is_valid(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn set(labels: &mut Set, name: &str, value: &str) {
    match value.is_empty() {
        true => labels.remove(name),
        false => labels.insert(name.into(), value.into()),
    };
}

/// What rules make of labels. False when they are dropped.
pub(super) fn apply(rules: &[Relabel], labels: &mut Set) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Relabel {
    fn apply(&self, labels: &mut Set) -> bool {
        let of = |labels: &Set, name: &str| labels.get(name).map_or(String::new(), |value| value.to_string());
        let values: Vec<String> = self.source_labels.iter().map(|name| of(labels, name)).collect();
        let value = values.join(&self.separator);
        match self.action {
            Action::Keep => return self.regex.is_match(&value),
            Action::Drop => return !self.regex.is_match(&value),
            Action::KeepEqual => return of(labels, &self.target_label) == value,
            Action::DropEqual => return of(labels, &self.target_label) != value,
            Action::Replace => {
                let Some(captures) = self.regex.captures(&value) else { return true };
                let (mut target, mut text) = (String::new(), String::new());
                captures.expand(&self.target_label, &mut target);
                captures.expand(&self.replacement, &mut text);
                if name_is_valid(&target) {
                    set(labels, &target, &text);
                }
            }
            Action::Lowercase => set(labels, &self.target_label, &value.to_lowercase()),
            Action::Uppercase => set(labels, &self.target_label, &value.to_uppercase()),
            Action::HashMod => {
                let hash = Md5::digest(value.as_bytes());
                let tail = hash.iter().skip(8).fold(0u64, |all, byte| all << 8 | u64::from(*byte));
                set(labels, &self.target_label, &(tail % self.modulus).to_string());
            }
            Action::LabelMap => {
                for (name, value) in labels.clone() {
                    if let Some(captures) = self.regex.captures(&name) {
                        let mut target = String::new();
                        captures.expand(&self.replacement, &mut target);
                        set(labels, &target, &value);
                    }
                }
            }
            Action::LabelDrop => labels.retain(|name, _| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name, _| self.regex.is_match(name)),
        }
        true
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
        apply(&rules, &mut set).then(|| pairs(&set))
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
}
