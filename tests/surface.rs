//! The public surface: every name that somebody else's crate can write, as the documentation of this crate has it. It is kept
//! in `tests/surface.txt`: what is new there is promised from then on, and what is gone breaks somebody.
//!
//! `cargo doc --no-deps` must have run before, so `.ci/run` asks for this by name. `UPDATE_SURFACE=1` writes the list anew.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What documentation calls things, by the beginnings of its file names.
const KINDS: &[&str] = &["struct", "enum", "trait", "fn", "constant", "type", "macro", "static"];

/// Where the documentation lies: beside the tests that were built.
fn documentation() -> PathBuf {
    let own = std::env::current_exe().expect("this test is a file");
    let target = own.ancestors().nth(3).expect("target/debug/deps");
    target.join("doc/mock_kestra")
}

/// The names that stand behind something in a text, up to a quote.
fn names_after<'t>(text: &'t str, begin: &str) -> Vec<&'t str> {
    text.split(begin).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The names of one page: of the item itself, and of what it has of its own.
fn page(path: &Path, module: &str, names: &mut BTreeSet<String>) {
    let file = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let mut parts = file.split('.');
    let (Some(kind), Some(name), Some("html")) = (parts.next(), parts.next(), parts.next()) else { return };
    if !KINDS.contains(&kind) {
        return;
    }
    let text = std::fs::read_to_string(path).expect("readable");
    // What is public under a shorter path has a page at its own one too, that leads there.
    if text.contains("http-equiv=\"refresh\"") {
        return;
    }
    names.insert(format!("{kind} {module}{name}"));
    // What comes with traits is theirs.
    let own = text.split("id=\"trait-implementations").next().unwrap_or(&text);
    let own = own.split("id=\"deref-methods").next().unwrap_or(own);
    for (what, begin) in [
        ("method", "<section id=\"method."),
        ("method", "<section id=\"tymethod."),
        ("field", "id=\"structfield."),
        ("variant", "<section id=\"variant."),
        ("constant", "<section id=\"associatedconstant."),
    ] {
        for member in names_after(own, begin).into_iter().filter(|member| !member.contains('.')) {
            names.insert(format!("{what} {module}{name}::{member}"));
        }
    }
}

fn folder(path: &Path, module: &str, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(path).unwrap_or_else(|why| panic!("{}: {why}: run `cargo doc`", path.display())) {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if path.is_dir() {
            if path.join("index.html").exists() {
                names.insert(format!("mod {module}{name}"));
            }
            folder(&path, &format!("{module}{name}::"), names);
        } else {
            page(&path, module, names);
        }
    }
}

#[test]
#[ignore = "the documentation must be there: cargo doc --no-deps"]
fn every_public_name_is_one_that_is_kept() {
    let mut names = BTreeSet::new();
    folder(&documentation(), "", &mut names);
    assert!(names.contains("method MockKestra::advance") && names.contains("struct Session"), "{names:?}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/surface.txt");
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    if std::env::var_os("UPDATE_SURFACE").is_some() {
        std::fs::write(&file, &text).expect("written");
    }
    let kept = std::fs::read_to_string(&file).expect("the list");
    let kept: BTreeSet<String> = kept.lines().map(str::to_owned).collect();
    let new: Vec<&String> = names.difference(&kept).collect();
    let gone: Vec<&String> = kept.difference(&names).collect();
    assert!(new.is_empty() && gone.is_empty(), "the public surface has changed: new {new:?}, gone {gone:?}");
}
