//! The recipes for other languages, each run by its real tool against the binary, and the control port asked by schemathesis.
//! `.ci/recipes` installs the tools.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::server::{Mock, scratch};

/// Lines of a file of a recipe.
const LINES_MAX: usize = 60;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes")
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn no_file_of_a_recipe_is_longer_than_sixty_lines() {
    let all = files(&folder());
    assert!(all.len() >= 10, "{all:?}");
    for path in all {
        let lines = std::fs::read_to_string(&path).expect("readable").lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", path.display());
    }
}

/// A copy of the recipes, in which tools may leave what they like.
fn copy() -> PathBuf {
    let to = scratch("recipes");
    for path in files(&folder()) {
        let there = to.join(path.strip_prefix(folder()).expect("below it"));
        std::fs::create_dir_all(there.parent().expect("a folder")).expect("a folder");
        std::fs::copy(&path, there).expect("copied");
    }
    to
}

/// Runs a tool; that it is not there is told as that.
fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!("{} cannot be run: {error}; .ci/recipes installs it", command.get_program().display())
    })
}

/// The outcome of a recipe: whether it was well, and what it said.
fn outcome(recipe: &str, tool: &str, arguments: &[&str], mock: &Path) -> (bool, String) {
    let mut command = Command::new(tool);
    command.args(arguments).current_dir(copy().join(recipe)).env("MOCK_KESTRA", mock);
    let Output { status, stdout, stderr } = output(&mut command);
    (status.success(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// Runs a recipe with the mock, and with one that serves another scenario: then it must fail.
fn recipe(recipe: &str, tool: &str, arguments: &[&str], said: &str) {
    let mock = Path::new(env!("CARGO_BIN_EXE_mock-kestra"));
    let (well, told) = outcome(recipe, tool, arguments, mock);
    assert!(well && told.contains(said), "{recipe}: {told}");
    let wrong = scratch("wrong");
    let script = format!("#!/bin/bash\nexec {} \"${{@/healthy-cluster/idle}}\"\n", mock.display());
    std::fs::write(&wrong, script).expect("written");
    std::fs::set_permissions(&wrong, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a script");
    let (well, told) = outcome(recipe, tool, arguments, &wrong);
    assert!(!well, "{recipe} is content with a cluster without workers: {told}");
}

#[test]
#[ignore = "needs curl and jq: .ci/recipes"]
fn the_shell_script_does_what_it_says() {
    for tool in ["curl", "jq"] {
        output(Command::new(tool).arg("--version"));
    }
    recipe("shell", "bash", &["worker-killed.sh"], "ok: the alert fired, and ended");
}

#[test]
#[ignore = "needs pytest: .ci/recipes"]
fn the_pytest_fixture_does_what_it_says() {
    let found = output(Command::new("python3").args(["-m", "pytest", "--version"]));
    assert!(found.status.success(), "pytest is not there; .ci/recipes installs it");
    recipe("pytest", "python3", &["-m", "pytest", "-v"], "1 passed");
}

#[test]
#[ignore = "needs Go: .ci/recipes"]
fn the_go_helper_does_what_it_says() {
    recipe("go", "go", &["test", "-count=1", "-v", "./..."], "--- PASS: TestAKilledWorkerIsNoticedAndSoIsItsReturn");
}

#[test]
#[ignore = "needs Node: .ci/recipes"]
fn the_test_of_node_does_what_it_says() {
    recipe("node", "node", &["--test"], "# pass 1");
}

/// Testcontainers too: without an engine the command of its container is run as it is.
#[test]
#[ignore = "needs Maven and a JDK: .ci/recipes"]
fn the_junit_extension_does_what_it_says() {
    recipe("junit", "mvn", &["-B", "-ntp", "test"], "Tests run: 3, Failures: 0, Errors: 0");
}

/// A program of `.ci/recipes`' own folder.
fn python(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/schemathesis/bin").join(name);
    assert!(path.exists(), "{} is not there; .ci/recipes installs it", path.display());
    Command::new(path)
}

#[test]
#[ignore = "needs a validator of OpenAPI documents: .ci/recipes"]
fn the_document_is_valid() {
    let document = scratch("openapi.json");
    std::fs::write(&document, mock_kestra::server::openapi()).expect("written");
    let Output { status, stdout, stderr } = output(python("openapi-spec-validator").arg(&document));
    assert!(status.success(), "{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
}

/// What any answer is held against.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,unsupported_method,allow_header_conformance";

/// No 5xx, and no answer that is not documented. A stream has no end, and what members answer is Kestra's: they are left out.
#[test]
#[ignore = "needs schemathesis: .ci/recipes"]
fn whatever_is_asked_the_answer_is_documented() {
    let mock = Mock::start(&["healthy-cluster", "--paused"]);
    let Output { status, stdout, .. } = output(
        python("schemathesis")
            .current_dir(scratch("schemathesis").parent().expect("a folder"))
            .arg("--config-file")
            .arg(folder().join("schemathesis.toml"))
            .args(["run", &format!("http://{}/api/openapi.json", mock.control()), "--no-color", "--checks", CHECKS])
            .args(["--exclude-path", "/api/events", "--exclude-path-regex", r"^/members/\{name\}(/(\{path\})?)?$"])
            .args(["--generation-deterministic", "--max-examples", "20", "--request-timeout", "60"])
            .args(["--max-time", "120", "--continue-on-failure", "--warnings", "off"]),
    );
    let told = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{told}");
    // It has asked for what it was to ask for, and is still well.
    let tested = told.lines().find_map(|line| line.trim().strip_prefix("Tested: ")).expect("how many");
    assert!(tested.parse::<usize>().is_ok_and(|tested| tested >= 29), "{told}");
    assert_eq!(mock.ask("GET", "/health", "").0, 200);
}
