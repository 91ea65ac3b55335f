//! Configurations of Alertmanager: ours accepts what `amtool check-config` of 0.25 and 0.33 accepts, and no other.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::Command;

use mock_kestra::document::render;
use mock_kestra::pager::{Version, read};

const CONFIGURATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/alertmanager-configurations.txt");
const MARK: &str = "### ";

/// A text, and whether each version accepts it.
struct Case {
    text: String,
    accepted: [bool; 2],
}

const VERSIONS: [(Version, &str, &str); 2] =
    [(Version::V0_25, "0.25", "alertmanager-stable"), (Version::V0_33, "0.33", "alertmanager-unstable")];

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(CONFIGURATIONS).expect("the file");
    let mut cases: Vec<Case> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(verdicts) = line.strip_prefix(MARK) {
            let verdict = |version: &str| match verdicts.split(", ").find_map(|it| it.strip_prefix(version)) {
                Some(word) if word.trim() == "accepted" => true,
                Some(word) if word.trim() == "refused" => false,
                _ => panic!("{line} has no verdict of {version}"),
            };
            cases.push(Case { text: String::new(), accepted: VERSIONS.map(|(_, version, _)| verdict(version)) });
        } else {
            cases.last_mut().expect("a mark comes first").text.push_str(line);
        }
    }
    cases
}

#[test]
fn what_amtool_accepts_is_accepted_and_nothing_else() {
    let (mut wrong, mut accepted) = (Vec::new(), 0);
    let cases = cases();
    for case in &cases {
        for ((version, shown, _), expected) in VERSIONS.iter().zip(case.accepted) {
            let (found, told) = read("alertmanager.yml", &case.text, *version);
            accepted += usize::from(expected);
            if found.is_some() != expected {
                let verdict = if expected { "accepts" } else { "refuses" };
                wrong.push(format!("amtool {shown} {verdict}\n{}{}", case.text, render(&told)));
            }
            if found.is_none() {
                assert!(!told.is_empty(), "nothing is told of\n{}", case.text);
                let silent = told.iter().filter(|it| it.advice.is_none()).count();
                assert_eq!(silent, 0, "what to write instead?\n{}", render(&told));
            }
        }
    }
    assert!(cases.len() > 400 && accepted > 200 && 2 * cases.len() - accepted > 200, "{} cases", cases.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(name)
}

#[test]
#[ignore = "needs amtool (.ci/peers)"]
fn the_verdicts_are_those_of_amtool() {
    let folder = std::env::temp_dir().join(format!("mock-kestra-amtool-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("alertmanager.yml");
    let mut wrong = Vec::new();
    for case in cases() {
        std::fs::write(&file, &case.text).expect("a file");
        for ((_, shown, name), expected) in VERSIONS.iter().zip(case.accepted) {
            let asked = Command::new(peer(name).join("usr/bin/amtool"))
                .arg("check-config")
                .arg(&file)
                // Its default template is looked for here: see .ci/peers.
                .current_dir(peer(name).join("usr/share/prometheus/alertmanager"))
                .output()
                .unwrap_or_else(|error| panic!("{name} does not start: {error}; run .ci/peers"));
            if asked.status.success() != expected {
                wrong.push(format!("{shown}: {}\n{}", String::from_utf8_lossy(&asked.stdout), case.text));
            }
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
