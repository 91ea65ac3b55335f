use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::*;

fn source(text: &str) -> Arc<Source> {
    Arc::new(Source { name: "plain.yaml".to_owned(), text: text.to_owned() })
}

/// The same tree: values, where they begin, and of what is on one line where it ends.
fn same(short: &Node, long: &Node) -> Result<(), String> {
    let told = |node: &Node| format!("{:?} {}", node.place.range, &node.place.source.text[node.place.range.clone()]);
    let differ = || Err(format!("{} is not {}", told(short), told(long)));
    let (ours, theirs) = (&short.place.range, &long.place.range);
    let scalar = matches!(short.value, Value::Null | Value::Scalar { .. });
    if ours.start != theirs.start || scalar && ours.end != theirs.end {
        return differ();
    }
    match (&short.value, &long.value) {
        (Value::Sequence(ours), Value::Sequence(theirs)) if ours.len() == theirs.len() => {
            ours.iter().zip(theirs).try_for_each(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Mapping(ours), Value::Mapping(theirs)) if ours.len() == theirs.len() => {
            ours.iter().zip(theirs).try_for_each(|(ours, theirs)| {
                let key = (&ours.key, &ours.place) == (&theirs.key, &theirs.place);
                if key { same(&ours.value, &theirs.value) } else { differ() }
            })
        }
        (ours, theirs) if scalar && ours == theirs => Ok(()),
        _ => differ(),
    }
}

/// Whether a text is plain; then both ways lead to the same tree.
fn compared(text: &str) -> bool {
    let source = source(text);
    let Some(ours) = short(&source) else { return false };
    let (theirs, told) = parse(&source);
    assert!(told.is_empty(), "{text:?}: {told:?}");
    same(&ours, &theirs.expect("a tree")).unwrap_or_else(|differ| panic!("{text:?}: {differ}"));
    let (jackson, told) = yaml::parse_jackson(&source);
    assert!(told.is_empty(), "{text:?}: {told:?}");
    same(&ours, &jackson.expect("a tree")).unwrap_or_else(|differ| panic!("as Jackson reads it, {text:?}: {differ}"));
    if let Some(ours) = plain_go(&source) {
        let go = yaml::parse_go(&source);
        let [yaml::Document { root: Some(go), diagnostics }] = go.as_slice() else { panic!("{text:?}: {go:?}") };
        assert!(diagnostics.is_empty(), "{text:?}: {diagnostics:?}");
        same(&ours, go).unwrap_or_else(|differ| panic!("as Go reads it, {text:?}: {differ}"));
    }
    true
}

fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
}

#[test]
fn the_files_of_versions_are_plain_and_any_plain_file_is_read_as_the_parser_reads_it() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "scenarios", "tests"] {
        files(&root.join(folder), &mut found);
    }
    let (mut plain, mut versions) = (0, 0);
    for path in &found {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let is_plain = compared(&text);
        plain += usize::from(is_plain);
        if path.starts_with(root.join("src/profile/versions")) {
            versions += 1;
            assert!(is_plain, "{} is not plain", path.display());
        }
    }
    assert!(versions >= 12 && plain > 30, "{versions} of versions, {plain} in all");
}

#[test]
fn what_is_plain() {
    for text in [
        "a: 1",
        "a: b c # d\nb: 'it''s'\n\n# e\nc: \"x\\\"y\"\n",
        "- a\n- b: 1\n  c: [1, {d: e}, 'f', \"g\"]\n-\n  h: {}\n",
        "a:\n  - b\n  - - c\n    - d\ne:\n    f: g:h\n    i: http://j#k\n",
        "[a, b]\n",
        "{ \"a\": 1, 'b':2, c: ~ }",
        "a: -1\nb: -x\nc: a, b [c] {d}\n\"e\": f\n",
        "a: |\n  b\n",
        "a: |-\n  b: c # d\n\n    e \n\n# f\nc: 1\n",
        "- |\n  a\n   b\n- b: |-\n    c\n\n\n  d: e\n- f\n",
        "a:\n  b: |\n    c\n  d: e\n\n",
        "a: >\n  b\n",
        "a: >-\n  b: c # d\n  e\n\n  f\n\n\n  g\n# h\nc: 1\n",
        "- >-\n  a\n  b\n\n- c: >\n    d\n    e\n\n\n",
        "<<: a\n",
    ] {
        assert!(compared(text), "{text:?}");
    }
    assert!(compared(&format!("{}: b\n", "a".repeat(900))));
}

#[test]
fn what_is_not_plain() {
    for text in [
        "",
        "a:",
        "a: &b c",
        "a: |\n  b",
        "a: |\n  b\n   \n",
        "a: |\n\n  b\n",
        "a: |\nb: c\n",
        "a: |2\n  b\n",
        "a: |+\n  b\n",
        "a: | # b\n  c\n",
        "a: >\n  b\n   c\n",
        "a: >\n  b \n  c\n",
        "a: >2\n  b\n",
        "a: >+\n  b\n",
        "a: >\n\n  b\n",
        "a:\n  b: |\n    c\n   d\n",
        "a: b\n  c\n",
        "- a\n b\n",
        "a: [b,\n c]",
        "a: b: c",
        "a: 'b\n  c'",
        "a: 1\na: 2",
        "a: [b: c]",
        "a: [b,]",
        "---\na: 1",
        "a: !b c",
        "a: *b",
        "? a\n: b",
        "a: \"\\x41\"",
        "a: {b}",
        "\ta: 1",
        "a: [b]c",
        "a",
        "a: b\n- c\n",
        "a:\n- b\n",
        "  a: 1\n b: 2\n",
        "a: 1\n  b: 2\n",
        "{a: b} c",
        "é: 1",
    ] {
        assert!(!compared(text), "{text:?}");
    }
    assert!(!compared(&format!("{}: b\n", "a".repeat(1_100))));
}

#[test]
fn for_all_texts_a_plain_one_is_read_as_the_parser_reads_it() {
    let word = prop_oneof![
        4 => "[ab1.-]{1,3}( [ab:#'\"/-]{1,3}){0,2}",
        2 => "'[ab:#, ]{0,4}('')?[\\[\\]{}\"]{0,2}'",
        2 => "\"[ab:#, ]{0,4}(\\\\[\"ntx])?['\\[\\]{}]{0,2}\"",
        2 => "\\[( {0,2}['\"]?[ab:#{}-]{1,3}['\"]? ?,?){0,3}\\]",
        2 => "\\{( {0,2}['\"]?[ab]['\"]?: ?[ab:#'\"\\[\\]{}-]{1,4},?){0,3} ?\\}",
        1 => "[ab:#,&*!|>%@`?'\"\\[\\]{} \\-\n~\\\\]{0,14}",
        2 => "\\|-?(\n {0,5}[ab#: -]{0,4}){1,3}",
        2 => ">-?(\n {0,5}[ab#: -]{0,4}){1,5}",
        2 => "",
    ];
    let lines = proptest::collection::vec(
        ("( {0,2}|    )", "(- |)(- |)", "([a-c]: |[a-c]: |[a-c]:|'a': |)", word, "( # x|)")
            .prop_map(|(a, b, c, d, e)| a + &b + &c + &d + &e),
        1..5,
    );
    let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let plain = std::cell::Cell::new(0);
    let result = runner.run(&lines, |lines| {
        plain.set(plain.get() + usize::from(compared(&lines.join("\n"))));
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(plain.get() > 1_000, "{} were plain", plain.get());
}
