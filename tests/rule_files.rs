//! Rule files beside promtool: what it accepts we accept, what it refuses we refuse. `tests/rule-files.txt` holds the files,
//! each with what promtool 3.5.3 says of it, and promtool 2.42.0 where that differs; `UPDATE_RULE_FILES=1 cargo test --test
//! rule_files -- --ignored` asks both and writes their words anew.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells how much was compared")]

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::peers::peer;
use common::server::scratch;
use mock_kestra::document;
use mock_kestra::monitor::read_rules;

/// A file and what is said of it.
struct Case {
    name: String,
    /// As it stands in the corpus.
    written: String,
    /// What promtool 3.5.3 says: nothing when it accepts the file.
    refused: Option<String>,
    /// What promtool 2.42.0 says, where it differs.
    old: Option<String>,
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rule-files.txt")
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(corpus()).expect("the corpus");
    let cases = text.split("==== ").skip(1).map(|case| {
        let (head, written) = case.split_once("----\n").expect("a file");
        let mut lines = head.lines();
        let name = lines.next().expect("a name").to_owned();
        let rest: Vec<&str> = lines.collect();
        let said = |of: &str| rest.iter().find_map(|line| line.strip_prefix(of)).map(|said| said.trim().to_owned());
        Case { name, written: written.to_owned(), refused: said("3.5.3 refuses:"), old: said("2.42.0") }
    });
    cases.collect()
}

/// The bytes of a file: `⟦0A 0B⟧` stands for these, `⟦⟧` for no end of the line.
fn bytes(written: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once('⟦') {
        let (numbers, after) = after.split_once('⟧').expect("an end");
        out.extend(before.bytes());
        out.extend(numbers.split_whitespace().map(|number| u8::from_str_radix(number, 16).expect("a byte")));
        rest = if numbers.is_empty() { after.trim_start_matches('\n') } else { after };
    }
    out.extend(rest.bytes());
    out
}

/// Where we say otherwise, and why.
const OTHERWISE: &[(&str, &str)] = &[];

#[test]
fn every_rule_file_is_accepted_or_refused_as_promtool_does() {
    let cases = cases();
    let (mut wrong, mut accepted, mut refused) = (Vec::new(), 0, 0);
    for case in &cases {
        let ours = match String::from_utf8(bytes(&case.written)) {
            Ok(text) => read_rules("rules.yml", &text).map_err(|told| {
                assert!(told.iter().any(|it| it.severity == document::Severity::Error && !it.what.is_empty()));
                document::render(&told)
            }),
            // So says whoever reads the file.
            Err(_) => Err("no UTF-8".to_owned()),
        };
        let excepted = OTHERWISE.iter().any(|(name, _)| *name == case.name);
        match (&ours, &case.refused) {
            (Ok(_), None) => accepted += 1,
            (Err(_), Some(_)) => refused += 1,
            _ if excepted => {}
            (Ok(_), Some(why)) => wrong.push(format!("{}: promtool refuses it: {why}", case.name)),
            (Err(told), None) => wrong.push(format!("{}: promtool accepts it:\n{told}", case.name)),
        }
        let differs = matches!((&ours, &case.refused), (Ok(_), Some(_)) | (Err(_), None));
        assert!(!excepted || differs, "{}: no longer otherwise", case.name);
    }
    println!("{} files, {accepted} accepted and {refused} refused by both", cases.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(accepted >= 150 && refused >= 150, "{accepted} accepted, {refused} refused");
}

/// What promtool says of a file: nothing when it accepts it.
fn ask(suite: &str, file: &Path) -> Option<String> {
    let output = Command::new(peer(suite, "promtool")).args(["check", "rules"]).arg(file).output().expect("promtool");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let name = file.display().to_string();
    let words: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "FAILED:").collect();
    // Of several mistakes the first; some are told in two lines, and lines name the file.
    let first = words.first().map_or("", |line| line.strip_prefix(&format!("{name}: ")).unwrap_or(line));
    let more = if first.ends_with("errors:") { words.get(1).copied().unwrap_or("") } else { "" };
    (!output.status.success()).then(|| format!("{first} {more}").trim().to_owned())
}

#[test]
#[ignore = "needs promtool of Debian unstable and stable: .ci/peers fetches them"]
fn promtool_still_says_what_is_recorded() {
    let file = scratch("rules.yml");
    let mut text = String::new();
    let mut wrong = Vec::new();
    for case in cases() {
        std::fs::write(&file, bytes(&case.written)).expect("written");
        let (new, old) = (ask("unstable", &file), ask("stable", &file));
        let differs = new.is_some() != old.is_some();
        let old_words = differs.then(|| old.as_ref().map_or("accepts".to_owned(), |why| format!("refuses: {why}")));
        if new.is_some() != case.refused.is_some() || differs != case.old.is_some() {
            wrong.push(format!("{}: {new:?}, and 2.42.0: {old:?}", case.name));
        }
        let _ = writeln!(text, "==== {}", case.name);
        let _ = match new {
            Some(why) => writeln!(text, "3.5.3 refuses: {why}"),
            None => writeln!(text, "3.5.3 accepts"),
        };
        if let Some(words) = old_words {
            let _ = writeln!(text, "2.42.0 {words}");
        }
        let _ = write!(text, "----\n{}", case.written);
    }
    if std::env::var_os("UPDATE_RULE_FILES").is_some() {
        std::fs::write(corpus(), text).expect("written");
    } else {
        assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
    }
}
