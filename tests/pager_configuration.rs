//! Configurations of Alertmanager: ours accepts what `amtool check-config` of 0.25 and 0.33 accepts, and no other.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::Command;

use mock_kestra::document::render;
use mock_kestra::pager::{LabelSet, Version, read};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};

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

/// What a route asks for, in any of the forms that both versions know.
fn asks() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["a", "b", "c", "zone", "no_such"]);
    let value = || prop::sample::select(vec!["x", "y", "x-1", "1.5", "\u{e9}t\u{e9}", ""]);
    let pattern = || prop::sample::select(vec!["x", "x|y", "x.*", ".+", ".*", "[xy]-?\\d*", "(?i)X", "", "y|"]);
    let equal = prop::sample::select(vec!["=", "!="]);
    let alike = prop::sample::select(vec!["=~", "!~"]);
    let quoted = prop_oneof![
        (name(), equal.clone(), value()).prop_map(|(name, kind, value)| format!("{name}{kind}\"{value}\"")),
        (name(), alike.clone(), pattern())
            .prop_map(|(name, kind, value)| format!("{name} {kind} \"{}\"", value.replace('\\', "\\\\"))),
    ];
    let bare = (name(), equal, prop::sample::select(vec!["x", "y", "x-1", "1.5"]))
        .prop_map(|(name, kind, value)| format!("{name}{kind}{value}"));
    let list = prop::collection::vec(prop_oneof![3 => quoted.clone(), 1 => bare], 0..3).prop_map(|all| {
        format!("matchers: [{}]", all.iter().map(|it| format!("'{it}'")).collect::<Vec<_>>().join(", "))
    });
    let braces = prop::collection::vec(quoted, 1..3).prop_map(|all| format!("matchers: ['{{{}}}']", all.join(", ")));
    let old = (name(), value()).prop_map(|(name, value)| format!("match: {{ {name}: '{value}' }}"));
    let old_like = (name(), pattern()).prop_map(|(name, value)| format!("match_re: {{ {name}: '{value}' }}"));
    prop_oneof![4 => list, 2 => braces, 1 => old, 1 => old_like]
}

fn routes(depth: u32) -> BoxedStrategy<String> {
    let children =
        if depth == 0 { Just(Vec::new()).boxed() } else { prop::collection::vec(routes(depth - 1), 0..4).boxed() };
    let one = (asks(), prop::option::of(0usize..6), any::<bool>(), children);
    let text = |(asks, receiver, goes_on, children): (String, Option<usize>, bool, Vec<String>)| {
        let receiver = receiver.map(|receiver| format!("receiver: r{receiver}, ")).unwrap_or_default();
        format!("{{ {receiver}{asks}, continue: {goes_on}, routes: [{}] }}", children.join(", "))
    };
    one.prop_map(text).boxed()
}

fn label_sets() -> impl Strategy<Value = Vec<LabelSet>> {
    let value = prop::sample::select(vec!["x", "y", "x-1", "1.5", "\u{e9}t\u{e9}", "X", "y-22"]);
    let one = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "zone"]), value, 1..4);
    let owned = |all: std::collections::BTreeMap<&str, &str>| {
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    prop::collection::vec(one.prop_map(owned), 10)
}

#[test]
#[ignore = "needs amtool (.ci/peers)"]
fn five_hundred_label_sets_are_routed_as_amtool_routes_them() {
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(7), ..Config::default() });
    let folder = std::env::temp_dir().join(format!("mock-kestra-routes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("alertmanager.yml");
    let receivers: Vec<String> = (0..6).map(|number| format!("{{ name: r{number} }}")).collect();
    let (mut wrong, mut several, mut deep) = (Vec::new(), 0, 0);
    for _ in 0..50 {
        let tree = prop::collection::vec(routes(3), 1..5).new_tree(&mut runner).expect("routes").current();
        let text = format!(
            "route: {{ receiver: r0, routes: [{}] }}\nreceivers: [{}]\n",
            tree.join(", "),
            receivers.join(", ")
        );
        std::fs::write(&file, &text).expect("a file");
        for labels in label_sets().new_tree(&mut runner).expect("labels").current() {
            for (version, shown, name) in VERSIONS {
                let (read, told) = read("alertmanager.yml", &text, version);
                let read = read.unwrap_or_else(|| panic!("{}", render(&told)));
                let ours = read.receivers_of(&labels);
                several += usize::from(ours.len() > 1);
                deep += usize::from(ours != ["r0"]);
                let asked = Command::new(peer(name).join("usr/bin/amtool"))
                    .args(["config", "routes", "test", "--config.file"])
                    .arg(&file)
                    .args(labels.iter().map(|(name, value)| format!("{name}={value}")))
                    .current_dir(peer(name).join("usr/share/prometheus/alertmanager"))
                    .output()
                    .unwrap_or_else(|error| panic!("{name} does not start: {error}; run .ci/peers"));
                let theirs = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
                if !asked.status.success() || ours.join(",") != theirs {
                    wrong.push(format!("{shown}: {labels:?} goes to {theirs}, ours to {ours:?}\n{text}"));
                }
            }
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[0]);
    assert!(several > 100 && deep > 300, "{several} go to several, {deep} further than the root");
}
