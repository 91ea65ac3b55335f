//! Who is told, and what templates find: secrets, values of namespaces, the environment.

use std::collections::BTreeMap;

use crate::document::{Entry, Node, Reading, Value};
use crate::flow::json;
use crate::pebble::Kv;
use crate::scenario::{Answer, ReceiverName, Secrets};

/// The entries of a mapping; anything else is told.
fn entries<'n>(node: &'n Node, what: &str, example: &str, reading: &mut Reading) -> &'n [Entry] {
    match &node.value {
        Value::Mapping(entries) => entries,
        other => {
            let told = format!("{what} must be a mapping, not {}", other.describe());
            reading.error(&node.place, told, format!("write for example `{example}`"));
            &[]
        }
    }
}

pub(super) fn receivers(node: &Node, reading: &mut Reading) -> Vec<(ReceiverName, Answer)> {
    let entries = entries(node, "`receivers`", "{ slack: ok, mail: refused }", reading);
    let mut receiver = |entry: &Entry| {
        let name = entry.key.parse::<ReceiverName>();
        if let Err(advice) = &name {
            reading.error(&entry.place, format!("`{}` is no receiver", entry.key), advice.as_str());
        }
        let answer = reading.parsed(&entry.value, "the receiver's answer", str::parse);
        Some((name.ok()?, answer?))
    };
    entries.iter().filter_map(&mut receiver).collect()
}

pub(super) fn secrets(node: &Node, reading: &mut Reading) -> Secrets {
    let mut secrets = Secrets::default();
    for entry in entries(node, "`secrets`", "{ SLACK_WEBHOOK: \"https://...\" }", reading) {
        // The message of a value that is none must not hold it.
        if let Some(value) = reading.text(&entry.value, &format!("the secret `{}`", entry.key)) {
            secrets.insert(entry.key.clone(), value.to_owned());
        }
    }
    secrets
}

pub(super) fn kv(node: &Node, reading: &mut Reading) -> Kv {
    let mut kv = Kv::new();
    for entry in entries(node, "`kv`", "{ company.team: { day: monday } }", reading) {
        let values = entries(&entry.value, "the values of a namespace", "{ day: monday }", reading);
        let values = values.iter().map(|value| (value.key.clone(), json(&value.value)));
        kv.insert(entry.key.clone(), values.collect());
    }
    kv
}

pub(super) fn environment(node: &Node, reading: &mut Reading) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for entry in entries(node, "`environment`", "{ ENV_REGION: eu }", reading) {
        if let Some(value) = reading.text(&entry.value, &format!("the variable `{}`", entry.key)) {
            environment.insert(entry.key.clone(), value.to_owned());
        }
    }
    environment
}
