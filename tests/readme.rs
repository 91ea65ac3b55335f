//! The README does not go stale: its tables are made from those that the code goes by. `UPDATE_README=1` makes them anew.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use mock_kestra::{cli, scenario};

/// Two tests may write it: one after the other.
static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn readme() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

#[test]
fn its_tables_are_those_of_the_code() {
    let _writing = WRITING.lock();
    let text = std::fs::read_to_string(readme()).expect("readable");
    let mut made = text.clone();
    for (name, table) in [("expect", scenario::expectations_markdown()), ("beside", cli::beside_markdown())] {
        let (begin, end) = (format!("<!-- made: {name} -->\n"), format!("<!-- end: {name} -->"));
        let (before, rest) = made.split_once(&begin).unwrap_or_else(|| panic!("README has no {begin}"));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("README has no {end}"));
        made = format!("{before}{begin}\n{table}\n{end}{after}");
    }
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(readme(), &made).expect("written");
    } else {
        let differs = made.lines().zip(text.lines()).find(|(made, text)| made != text);
        assert!(made == text, "run this test with UPDATE_README=1: {differs:?}");
    }
}

/// What a command says to arguments of an example.
fn real(command: &str, arguments: &str) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mock-kestra"))
        .args(command.split(' '))
        .args(arguments.split_whitespace())
        .output();
    String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned()
}

#[test]
fn what_it_shows_of_a_command_is_what_the_command_says() {
    let _writing = WRITING.lock();
    let mut text = std::fs::read_to_string(readme()).expect("readable");
    let examples = [
        ("matrix", false, 15),
        ("sensitivity", true, 15),
        ("fuzz", true, 15),
        ("test no-workers", false, 10),
        ("dashboard", false, 5),
    ];
    for (command, made, least) in examples {
        let (before, rest) = text.split_once(&format!("$ mock-kestra {command} ")).expect("an example");
        let (arguments, rest) = rest.split_once('\n').expect("a line");
        let (shown, after) = rest.split_once("```").expect("an end");
        let real = real(command, arguments);
        // A new fault is drawn too, and other scenarios are found then.
        if made && std::env::var_os("UPDATE_README").is_some() {
            let mut lines: Vec<&str> = real.lines().take(26).collect();
            lines.extend((real.lines().count() > 26).then_some("..."));
            text = format!("{before}$ mock-kestra {command} {arguments}\n{}\n```{after}", lines.join("\n"));
            std::fs::write(readme(), &text).expect("written");
            continue;
        }
        let mut lines = real.lines();
        for line in shown.lines().filter(|line| *line != "...") {
            assert!(lines.any(|real| real == line), "`{line}` in its place in\n{real}");
        }
        assert!(shown.lines().count() > least, "{command}");
    }
}

/// The lines of the example of a mock in a text: from its making to its verdict.
fn example_of_a_mock<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let lines = text.lines().map(|line| line.trim_start_matches(prefix).trim());
    let lines = lines.skip_while(|line| !line.starts_with("let mock = MockKestra::builder()"));
    let mut lines: Vec<&str> = lines.take_while(|line| !line.starts_with("# ") && *line != "Ok(())").collect();
    lines.retain(|line| !line.is_empty());
    lines
}

#[test]
fn its_test_in_rust_is_the_example_that_runs_with_the_documentation() {
    let text = std::fs::read_to_string(readme()).expect("readable");
    let code = std::fs::read_to_string(readme().with_file_name("src/mock/mod.rs")).expect("readable");
    let shown = example_of_a_mock(&text, "");
    assert!(shown.len() > 8, "{shown:?}");
    assert_eq!(shown, example_of_a_mock(&code, "///"));
}

#[test]
fn the_help_tells_the_same() {
    let help = |command: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mock-kestra")).args([command, "--help"]).output();
        let text = String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let reference = scenario::expectations_markdown();
    let rows: Vec<Vec<&str>> = reference.lines().skip(2).map(|row| row.split(" | ").collect()).collect();
    assert!(rows.len() > 15, "{reference}");
    for command in ["test", "check"] {
        let help = help(command);
        for row in &rows {
            let (key, example) = (row[1].trim_matches('`'), row[2].trim_matches('`'));
            let line = format!("{key}: {example} {}", row[3].trim_end_matches(" |"));
            assert!(help.contains(&line), "{command}: {line}");
        }
    }
    let serve = help("serve");
    for part in ["an alert with `for` is only pending", "rates are 20 times higher", "there is no REST API of Kestra"] {
        assert!(serve.contains(part), "{part}");
    }
}

#[test]
fn the_licence_is_the_one_that_the_package_names() {
    assert_eq!(env!("CARGO_PKG_LICENSE"), "Apache-2.0");
    let text = std::fs::read_to_string(readme().with_file_name("LICENSE")).expect("a LICENSE file");
    assert!(text.contains("Apache License") && text.contains("Version 2.0, January 2004"));
    assert!(text.contains("END OF TERMS AND CONDITIONS"), "the whole text");
}
