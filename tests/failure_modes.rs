//! Every failure that was reported has a scenario, or stands in the README with the reason why it has none.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeSet;

use common::scenario_files;

/// All numbers of the list.
fn reported() -> BTreeSet<&'static str> {
    let list = include_str!("captures/failure-modes.tsv").lines().filter(|line| !line.starts_with('#'));
    list.map(|line| line.split('\t').next().expect("a number")).collect()
}

/// Numbers such as `S07` in a text.
fn numbers(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_number = |word: &&str| word.len() == 3 && word.starts_with('S') && word[1..].parse::<u8>().is_ok();
    words.filter(is_number).collect()
}

#[test]
fn every_reported_failure_has_a_scenario_or_a_reason_why_not() {
    let texts: Vec<String> =
        scenario_files().iter().map(|path| std::fs::read_to_string(path).expect("readable")).collect();
    let comments: String = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| line.starts_with('#'))
        .map(|it| format!("{it}\n"))
        .collect();
    let shown = numbers(&comments);
    let readme = include_str!("../README.md");
    let (_, table) = readme.split_once("| reported failure | why |").expect("the table");
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with("| ")).collect();
    let mut left_out = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert!(cells.len() == 2 && cells[1].len() > 20, "a row has a reason: {row}");
        left_out.extend(numbers(cells[0]));
    }
    assert_eq!(shown.intersection(&left_out).collect::<Vec<_>>(), Vec::<&&str>::new(), "shown and left out");
    assert_eq!(&shown | &left_out, reported());
}
