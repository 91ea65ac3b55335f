//! The size of functions: what is longer than a screen is taken apart, unless it is a table.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::sources;

/// Lines of a function, from `fn` to its last brace.
const LINES_MAX: usize = 60;

/// Functions that may be longer: file, name, and why.
const TABLES: &[(&str, &str, &str)] = &[
    ("gotemplate/prometheus/functions.rs", "call", "the functions of templates, one arm each"),
    ("promql/functions.rs", "call", "the functions of PromQL, one arm each"),
    ("simulator/faults.rs", "handler", "what a fault does, one arm each"),
    (
        "profile/tests.rs",
        "a_name_that_exists_nowhere_is_an_error_with_its_place_and_what_was_meant",
        "a table of mistakes, and what is told of them",
    ),
];

/// The name of the function that begins on a line, and how far it is indented.
fn begins(line: &str) -> Option<(&str, usize)> {
    let code = line.trim_start();
    let (before, after) =
        if let Some(after) = code.strip_prefix("fn ") { ("", after) } else { code.split_once(" fn ")? };
    let qualifier = |word: &str| matches!(word, "const" | "async" | "unsafe" | "extern") || word.starts_with("pub");
    // `pub(in crate::module)` has a blank of its own.
    let qualified = before.split(' ').all(|word| word.is_empty() || qualifier(word) || word.starts_with("crate::"));
    let name = after.split(['(', '<']).next()?;
    qualified.then_some((name, line.len() - code.len()))
}

/// Every function of a file as `cargo fmt` leaves it: name and lines. It ends with the first brace that stands as far to
/// the left as its beginning.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((name, indent)) = begins(line) else { continue };
        let last = |line: &&str| line.trim_start() == "}" && line.len() == indent + 1;
        let on_one_line = line.ends_with('}') || line.ends_with(';');
        let length = if on_one_line { 1 } else { lines[at..].iter().position(last).expect("an end") + 1 };
        found.push((name, length));
    }
    found
}

#[test]
fn no_function_is_longer_than_sixty_lines_but_tables() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut counted, mut long, mut tables) = (0, Vec::new(), BTreeSet::new());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let file = file.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
        for (name, lines) in functions(&text) {
            counted += 1;
            if lines <= LINES_MAX {
                continue;
            }
            match TABLES.iter().find(|table| (table.0, table.1) == (file.as_str(), name)) {
                Some(table) => _ = tables.insert((table.0, table.1)),
                None => long.push(format!("{file}: `{name}` has {lines} lines")),
            }
        }
    }
    assert!(counted > 1_000, "{counted} functions were found");
    assert!(long.is_empty(), "longer than {LINES_MAX} lines; take them apart:\n{}", long.join("\n"));
    let idle: Vec<_> = TABLES.iter().filter(|table| !tables.contains(&(table.0, table.1))).collect();
    assert!(idle.is_empty(), "no longer long, so no longer excepted: {idle:?}");
}

#[test]
fn a_function_is_measured_from_its_name_to_its_last_brace() {
    let text = "impl A {\n    pub(in crate::a) async fn long(\n        b: u8,\n    ) {\n        if b {\n        }\n    }\n\
                \x20   fn short() {}\n}\n/// Of what fn says nothing.\nconst fn one<T>() {\n}\nlet f: fn(u8) = g;\n";
    assert_eq!(functions(text), [("long", 6), ("short", 1), ("one", 2)]);
}
