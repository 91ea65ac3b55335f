//! Who is told, and secrets.

use crate::document::{Entry, Node, Reading, Value};
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
