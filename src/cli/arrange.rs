//! `--rules` takes one file each time it is written, so that what stands behind it may be the scenario. A shell makes several
//! words of a pattern: what follows it and is a file of rules, or a folder, is taken as if it were written with `--rules` too.

use std::ffi::OsString;
use std::path::Path;

use super::load;
use crate::document::{self, Source, Value};

const OPTION: &str = "--rules";

/// The arguments with `--rules` before each file of rules that follows one.
pub(super) fn arranged(
    arguments: impl IntoIterator<Item = OsString>,
    is_rules: impl Fn(&str) -> bool,
) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    // How many words stand behind the last `--rules`, if no other option came since.
    let mut behind: Option<usize> = None;
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        behind = match behind {
            _ if text == OPTION => Some(0),
            Some(_) if text.starts_with('-') => None,
            Some(count) => {
                if count > 0 && is_rules(text) {
                    all.push(OPTION.into());
                }
                Some(count + 1)
            }
            None => None,
        };
        all.push(argument);
    }
    all
}

/// Keys at the top of files of rules, and of no scenario.
const KEYS: &[&str] = &["groups", "apiVersion", "kind", "items"];

/// Whether a word is the path of a folder, or of a file of rules. A shipped scenario wins.
pub(super) fn is_rules(path: &str) -> bool {
    if load::shipped(path).is_some() {
        return false;
    }
    if Path::new(path).is_dir() {
        return true;
    }
    has_key(path, KEYS)
}

/// Whether a file is one of rules, or a configuration of Prometheus: what lies beside scenarios in a folder.
pub(super) fn is_beside(path: &str) -> bool {
    has_key(path, KEYS) || has_key(path, &["scrape_configs"])
}

/// Whether a file has one of these keys at its top.
fn has_key(path: &str, keys: &[&str]) -> bool {
    let Ok(source) = load::file(path) else { return false };
    let (roots, _) = document::parse_all(&std::sync::Arc::new(Source { ..source }));
    roots.iter().any(|root| match &root.value {
        Value::Mapping(entries) => entries.iter().any(|entry| keys.contains(&entry.key.as_str())),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_file_of_rules_is_one_too_or_the_scenario() {
        let is_rules = |text: &str| text.starts_with('r');
        for (given, arranged_as) in [
            ("test s --rules r1 r2", "test s --rules r1 --rules r2"),
            ("test --rules r1 s", "test --rules r1 s"),
            ("test --rules r1 r2 s", "test --rules r1 --rules r2 s"),
            ("test --rules r1 s r2", "test --rules r1 s --rules r2"),
            ("test --rules r1 --strict r2", "test --rules r1 --strict r2"),
            ("test r1 --rules x r2", "test r1 --rules x --rules r2"),
            ("test s --rules r1 --seeds 1..3 --rules r2 r3", "test s --rules r1 --seeds 1..3 --rules r2 --rules r3"),
            ("serve s", "serve s"),
        ] {
            let words = arranged(given.split(' ').map(OsString::from), is_rules);
            let text: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
            assert_eq!(text.join(" "), arranged_as, "{given}");
        }
    }
}
