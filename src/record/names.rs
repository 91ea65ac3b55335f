//! Names of others, as they are or replaced: the same name gives the same one in every run.

use sha2::{Digest as _, Sha256};

/// What names become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// They stay.
    #[default]
    Kept,
    /// Each becomes a word made from its digest. Who guesses a name can see whether he guessed right: nothing is added that
    /// only one recording knows, so that two of them can be laid side by side.
    Replaced,
}

/// Letters of a replacement: none that is taken for another one, and no vowel, so that no words come of it.
const LETTERS: &[u8; 20] = b"bcdfghjkmnpqrstvwxz2";
/// How many of them: 20^8 is enough for 10,000 names, of which two are the same with a chance of 1 in 500.
const LENGTH: usize = 8;

impl Names {
    /// A namespace: what is above it stays above it.
    pub(super) fn namespace(self, name: &str) -> String {
        let parts: Vec<String> = name.split('.').map(|part| self.word("ns", part)).collect();
        parts.join(".")
    }

    /// The id of a flow.
    pub(super) fn flow(self, name: &str) -> String {
        self.word("flow", name)
    }

    /// The id of a task, in its flow.
    pub(super) fn task(self, name: &str) -> String {
        self.word("task", name)
    }

    /// The id of a trigger.
    pub(super) fn trigger(self, name: &str) -> String {
        self.word("trigger", name)
    }

    /// What meters begin with.
    pub(super) fn prefix(self, name: &str) -> String {
        self.word("prefix", name)
    }

    /// A host and port, or the label `instance`.
    pub(super) fn instance(self, name: &str) -> String {
        self.word("instance", name)
    }

    /// A type. Those of Kestra and its plugins tell nothing of who uses them.
    pub(super) fn kind(self, name: &str) -> String {
        match self {
            Names::Replaced if !name.starts_with("io.kestra.") => format!("com.example.Type{}", digest("type", name)),
            _ => name.to_owned(),
        }
    }

    fn word(self, kind: &str, name: &str) -> String {
        match self {
            Names::Kept => name.to_owned(),
            Names::Replaced => format!("{kind}-{}", digest(kind, name)),
        }
    }
}

fn digest(kind: &str, name: &str) -> String {
    let bytes = Sha256::digest(format!("mock-kestra record\n{kind}\n{name}"));
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    bytes.iter().take(LENGTH).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_name_is_the_same_each_time_and_keeps_its_place() {
        let names = Names::Replaced;
        assert_eq!(names.flow("ingest"), names.flow("ingest"));
        assert_ne!(names.flow("ingest"), names.flow("ingest-2"));
        let (above, below) = (names.namespace("company.team"), names.namespace("company.team.etl"));
        assert!(below.starts_with(&format!("{above}.")), "{above}, {below}");
        assert!(!below.contains("company") && !names.instance("worker-1:8081").contains("worker"));
        assert_eq!(names.kind("io.kestra.plugin.core.log.Log"), "io.kestra.plugin.core.log.Log");
        assert!(names.kind("com.acme.Secret").starts_with("com.example.Type"));
        assert_eq!(Names::Kept.namespace("company.team"), "company.team");
    }
}
