//! The readers that are fuzzed (`tests/fuzz`), over the corpus that fuzzing has left, what stands in the repository, and both
//! broken in simple ways: none panics, each ends.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "fuzz/readers.rs"]
mod readers;

use std::path::{Path, PathBuf};

use readers::{READERS, reads};

/// Where files lie that a reader reads, beside its corpus, and how their names end.
const SEEDS: &[(&str, &str, &str)] =
    &[("scenario", "scenarios", "yaml"), ("scenario", "tests/bad", "yaml"), ("rules", "scenarios/rules", "yml")];

/// The files below a folder.
fn files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files(&path, end, found),
            false if end.is_empty() || path.extension().is_some_and(|it| it == end) => found.push(path),
            false => {}
        }
    }
}

#[test]
fn every_reader_bears_its_corpus_and_what_comes_of_it_when_it_is_cut_or_turned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in READERS {
        let mut found = Vec::new();
        files(&root.join("tests/fuzz/corpus").join(name), "", &mut found);
        assert!(found.len() > 5, "{name} has a corpus");
        for (_, folder, end) in SEEDS.iter().filter(|seed| seed.0 == *name) {
            let before = found.len();
            files(&root.join(folder), end, &mut found);
            assert!(found.len() > before, "{folder} has files that end in {end}");
        }
        for path in found {
            let bytes = std::fs::read(&path).expect("a file");
            reads(name, &bytes);
            let mut turned = bytes.clone();
            turned.rotate_left(bytes.len() / 3);
            reads(name, &turned);
            reads(name, &bytes[..bytes.len() / 2]);
        }
    }
}
