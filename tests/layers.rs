//! The architecture's import rules: each module may use only what lies below it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::sources;

/// A module and the modules of ours it may import.
const ALLOWED: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("random", &["time"]),
    ("document", &[]),
    ("parallel", &[]),
    ("exposition", &[]),
    ("java", &[]),
    ("pebble", &["java", "time"]),
    ("flow", &["document", "java", "time"]),
    ("execution", &["flow", "pebble", "time"]),
    ("notify", &["flow", "pebble", "time"]),
    ("profile", &["document", "time"]),
    ("scenario", &["document", "flow", "notify", "pager", "parallel", "pebble", "profile", "promql", "time"]),
    ("metrics", &["profile", "random", "time"]),
    ("simulator", &["scenario", "flow", "execution", "notify", "profile", "metrics", "random", "time", "pebble"]),
    ("record", &["document", "exposition", "flow", "profile", "promql", "random", "scenario", "time"]),
    ("promql", &["time"]),
    ("dashboard", &["document", "monitor", "time"]),
    ("gotemplate", &["promql", "time"]),
    ("monitor", &["document", "gotemplate", "promql", "time"]),
    ("pager", &["document", "gotemplate", "monitor", "promql", "time"]),
    ("management", &["simulator", "scenario", "flow", "metrics", "profile", "time"]),
    ("report", &["simulator", "scenario", "time"]),
    (
        "run",
        &[
            "document",
            "pager",
            "scenario",
            "flow",
            "profile",
            "simulator",
            "metrics",
            "management",
            "monitor",
            "promql",
            "report",
            "random",
            "time",
        ],
    ),
    ("history", &["monitor", "promql"]),
    ("documents", &["flow", "scenario", "simulator", "time"]),
    (
        "contract",
        &[
            "document",
            "exposition",
            "profile",
            "promql",
            "monitor",
            "metrics",
            "management",
            "scenario",
            "simulator",
            "report",
            "run",
            "random",
            "time",
        ],
    ),
    (
        "lab",
        &[
            "dashboard",
            "parallel",
            "notify",
            "scenario",
            "simulator",
            "monitor",
            "promql",
            "report",
            "run",
            "random",
            "time",
        ],
    ),
    (
        "server",
        &[
            "document",
            "scenario",
            "flow",
            "profile",
            "metrics",
            "simulator",
            "management",
            "notify",
            "report",
            "run",
            "random",
            "time",
        ],
    ),
    (
        "cli",
        &[
            "contract",
            "dashboard",
            "document",
            "documents",
            "exposition",
            "pager",
            "scenario",
            "flow",
            "profile",
            "metrics",
            "simulator",
            "management",
            "record",
            "report",
            "run",
            "monitor",
            "promql",
            "files",
            "history",
            "lab",
            "server",
            "random",
            "time",
        ],
    ),
    ("files", &["document", "monitor", "scenario"]),
    (
        "mock",
        &[
            "document",
            "files",
            "flow",
            "monitor",
            "notify",
            "profile",
            "promql",
            "random",
            "report",
            "run",
            "scenario",
            "server",
            "simulator",
            "time",
        ],
    ),
];

/// Crates with one home, and that home.
const HOMES: &[(&str, &[&str])] = &[
    ("axum", &["server"]),
    ("tokio", &["server", "cli"]),
    ("hyper", &["server"]),
    ("hyper_util", &["server"]),
    ("reqwest", &["server"]),
    ("lettre", &["server"]),
    ("rustls", &["server"]),
    ("webpki_roots", &["server"]),
    ("prometheus", &["server"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("snap", &["history"]),
    ("glob", &["files", "cli"]),
    ("granit_parser", &["document"]),
    ("annotate_snippets", &["document"]),
    ("rand_chacha", &["random"]),
    ("jaq_core", &["pebble"]),
    ("jaq_json", &["pebble"]),
    ("jaq_std", &["pebble"]),
    ("bigdecimal", &["pebble"]),
];

/// Every word that follows `prefix` in the code of a file, comments left out.
fn words_after(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or("");
        for (at, _) in code.match_indices(prefix) {
            let word: String =
                code[at + prefix.len()..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            words.insert(word);
        }
    }
    words
}

/// What code takes from the root of the crate that is no module: a re-export of the face.
fn root_names(text: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or("");
        for (at, _) in code.match_indices("crate::") {
            let path = &code[at + "crate::".len()..];
            let name = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
            if !ALLOWED.iter().any(|(module, _)| *module == name) {
                names.insert(name);
            }
        }
    }
    names
}

#[test]
fn every_module_imports_only_what_lies_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources are there");
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&root).expect("below src");
        let module = relative.components().next().expect("a name").as_os_str().to_string_lossy();
        let module = module.trim_end_matches(".rs");
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("readable");
        let below = allowed.get(module).unwrap_or_else(|| panic!("module {module} has no line in this test"));
        // What stands at the root is for others: from inside it would hide which module is used.
        for used in root_names(&text) {
            wrong.push(format!("{} uses crate::{used}, which is only for others", relative.display()));
        }
        for used in words_after(&text, "crate::") {
            if !used.is_empty()
                && used != module
                && allowed.contains_key(used.as_str())
                && !below.contains(&used.as_str())
            {
                wrong.push(format!("{} uses crate::{used}", relative.display()));
            }
        }
        for (name, homes) in HOMES {
            let path = format!("{name}::");
            let used = text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or("");
                code.match_indices(&path)
                    .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
            });
            if used && !homes.contains(&module) {
                wrong.push(format!("{} uses the crate {name}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn every_property_is_tried_with_the_same_cases_each_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let mut properties = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let lines = |begin: &str| text.lines().filter(|line| line.trim_start().starts_with(begin)).count();
        let (blocks, fixed) = (lines("proptest! {"), lines("#![proptest_config(common::config("));
        assert_eq!(blocks, fixed, "{}: begin it with #![proptest_config(common::config(CASES))]", file.display());
        properties += blocks;
    }
    assert!(properties >= 6, "{properties}");
}
