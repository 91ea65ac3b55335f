//! THIRD-PARTY.txt names every package whose code is in the binary, and no other.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[test]
fn every_package_of_the_binary_is_in_the_notices() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let notices = std::fs::read_to_string(root.join("THIRD-PARTY.txt")).expect("the notices");
    let named = notices
        .lines()
        .filter_map(|line| line.strip_prefix("- ")?.split_once(" (").map(|it| it.0).or(line.strip_prefix("- ")));
    let named: BTreeSet<String> = named.map(|it| it.trim().to_owned()).collect();
    let tree = [
        "tree",
        "--locked",
        "--offline",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--target",
        "x86_64-unknown-linux-gnu",
    ];
    let output = Command::new(env!("CARGO")).args(tree).current_dir(root).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        (name != "mock-kestra").then(|| format!("{name} {version}"))
    };
    let there: BTreeSet<String> = String::from_utf8_lossy(&output.stdout).lines().filter_map(package).collect();
    let missing: Vec<&String> = there.difference(&named).collect();
    let gone: Vec<&String> = named.difference(&there).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "make THIRD-PARTY.txt again (.ci/run says how): missing {missing:?}, gone {gone:?}"
    );
}
