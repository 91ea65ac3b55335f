//! What is installed: completions, manual pages, the image's recipe, and a static binary.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::server::{binary, run, scratch};

/// The commands that the help names.
fn commands() -> Vec<String> {
    let (_, help, _) = run(&["--help"]);
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<String> = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert!(names.len() > 14, "{help}");
    names
}

#[test]
fn every_shell_has_completions_that_know_every_command() {
    let commands = commands();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, err) = run(&["completions", shell]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{shell}");
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell}: {command}");
        }
        assert!(script.contains("junit") && script.contains("github"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"]).0, Some(2));
}

#[test]
fn bash_completes_with_them() {
    let script = scratch("completions.bash");
    let text = run(&["completions", "bash"]).1;
    let function =
        text.split("complete -F ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a function").to_owned();
    std::fs::write(&script, text).unwrap();
    // As bash asks them: the words so far, and which of them is being written.
    let ask = |words: &str, previous: &str, word: &str| {
        let test = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); \
             {function} mock-kestra '{word}' '{previous}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let Output { stdout, stderr, .. } = Command::new("bash").args(["-c", &test]).output().expect("bash runs");
        assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8_lossy(&stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ask("mock-kestra sens", "mock-kestra", "sens"), ["sensitivity"]);
    assert_eq!(ask("mock-kestra test --jun", "test", "--jun"), ["--junit"]);
    assert_eq!(ask("mock-kestra test --format g", "--format", "g"), ["github"]);
    assert_eq!(ask("mock-kestra export remote-write --ur", "remote-write", "--ur"), ["--url"]);
    assert_eq!(ask("mock-kestra run --kestra 2", "--kestra", "2"), ["2.0"]);
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = scratch("man");
    std::fs::create_dir_all(&folder).unwrap();
    let (code, _, err) = run(&["man", "--dir", folder.to_str().expect("UTF-8")]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let pages: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().expect("UTF-8"))
        .collect();
    assert!(pages.contains("mock-kestra.1"), "{pages:?}");
    for command in commands().iter().filter(|command| *command != "help") {
        let page = format!("mock-kestra-{command}.1");
        assert!(pages.contains(&page), "{page} in {pages:?}");
        let (code, one, _) = run(&["man", command]);
        assert_eq!(code, Some(0));
        assert_eq!(one, std::fs::read_to_string(folder.join(page)).unwrap(), "{command}");
    }
    assert!(pages.contains("mock-kestra-export-promtool.1"), "{pages:?}");
    assert!(run(&["man", "export", "promtool"]).1.contains("promtool"));
    let (code, _, err) = run(&["man", "tset"]);
    assert_eq!((code, err.as_str()), (Some(2), "error: `tset` is no command: did you mean `test`?\n"));
    // A folder that is not there is made; one that cannot be is told.
    let made = folder.join("share/man1");
    assert_eq!(run(&["man", "--dir", made.to_str().expect("UTF-8")]).0, Some(0));
    assert!(made.join("mock-kestra.1").is_file());
    let below_a_file = folder.join("mock-kestra.1/man1").display().to_string();
    let (code, _, err) = run(&["man", "--dir", &below_a_file]);
    assert!(code == Some(3) && err.starts_with(&format!("error: cannot write into {below_a_file}: ")), "{err}");
}

#[test]
fn a_page_says_what_it_is_of_its_options_and_its_exit_codes() {
    let (_, page, _) = run(&["man"]);
    assert!(
        page.lines().any(|line| line.starts_with(".TH mock-kestra 1") && line.contains("mock-kestra 0.")),
        "{page}"
    );
    for section in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH SUBCOMMANDS"] {
        assert!(page.lines().any(|line| line == section), "{section} in {page}");
    }
    assert!(page.contains("Exit codes"), "{page}");
    let (_, page, _) = run(&["man", "test"]);
    assert!(page.contains(".SH OPTIONS") && page.contains("junit"), "{page}");
}

/// The instructions of the image's recipe, those that go on in the next line as one.
fn dockerfile() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("Dockerfile")).expect("readable").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let split = |line: &str| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()));
    lines.map(|line| split(line).expect("an instruction")).collect()
}

/// The words of an instruction in its exec form.
fn exec(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{text} is no exec form, and there is no shell: {why}"))
}

#[test]
fn the_image_holds_the_binary_alone_runs_as_nobody_and_asks_for_its_own_health() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = dockerfile();
    let last = all.iter().rposition(|(word, _)| word == "FROM").expect("a stage");
    let (build, image) = all.split_at(last);
    assert_eq!(image[0].1, "scratch");
    let of = |word: &str| image.iter().filter(|it| it.0 == word).map(|it| it.1.clone()).collect::<Vec<_>>();
    // There is nothing in it that could run a shell.
    assert!(of("RUN").is_empty());
    let user = of("USER").pop().expect("a user");
    let ids: Vec<u32> = user.split(':').map(|id| id.parse().expect("a number: scratch has no names")).collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| *id > 0), "{user}");
    let copied: Vec<String> = of("COPY");
    let from_build: Vec<&String> = copied.iter().filter(|it| it.starts_with("--from=build ")).collect();
    let path = "/usr/local/bin/mock-kestra";
    assert!(matches!(from_build.as_slice(), [one] if one.ends_with(&format!("dist/mock-kestra {path}"))), "{copied:?}");
    assert_eq!(exec(&of("ENTRYPOINT")[0]), [path]);

    // What is copied is there, and is not kept out of what the build is given.
    let ignored = std::fs::read_to_string(root.join(".dockerignore")).expect("readable");
    let ignored: Vec<&str> = ignored.lines().collect();
    let here = build.iter().chain(image).filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from"));
    for (_, rest) in here {
        let words: Vec<&str> = rest.split_whitespace().collect();
        for source in &words[..words.len() - 1] {
            assert!(root.join(source).exists(), "{source} is not there");
            let kept_out = |it: &&&str| *source == **it || source.starts_with(&format!("{it}/"));
            assert!(ignored.iter().find(kept_out).is_none(), "{source} is ignored");
            assert!(!source.starts_with("tests/") || ignored.contains(&format!("!{source}").as_str()), "{source}");
        }
    }
    // All targets of the manifest that cargo looks for are among it.
    for needed in ["src", "benches", "tests/face"] {
        assert!(
            build.iter().any(|(word, rest)| word == "COPY" && rest.split_whitespace().any(|it| it == needed)),
            "{needed}"
        );
    }
}

#[test]
fn what_the_image_runs_is_understood_by_this_binary() {
    let all = dockerfile();
    let of = |word: &str| all.iter().rfind(|it| it.0 == word).map(|it| it.1.clone()).expect("it is there");
    let health = of("HEALTHCHECK");
    let (options, command) = health.split_once(" CMD ").expect("a command");
    assert!(options.split_whitespace().all(|it| it.starts_with("--")), "{options}");
    let health = exec(command);
    // Nobody is there: that is another answer than that it is not understood.
    let Output { status, stderr, .. } = binary().args(&health[1..]).arg("http://127.0.0.1:9/health").output().unwrap();
    assert_eq!(status.code(), Some(1), "{}", String::from_utf8_lossy(&stderr));

    let serve = exec(&of("CMD"));
    let ready = scratch("ready.json");
    let mut child = binary()
        .args(&serve)
        .args(["--port", "0", "--control", "0", "--ready-file"])
        .arg(&ready)
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let addresses = (0..1_000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        std::fs::read_to_string(&ready).ok()
    });
    let addresses: serde_json::Value = serde_json::from_str(&addresses.expect("it starts")).expect("JSON");
    let control = addresses["control"].as_str().expect("an address").replace("0.0.0.0", "127.0.0.1");
    let asked = binary().args(&health[1..]).arg(format!("http://{control}/health")).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(asked.status.code(), Some(0), "{}", String::from_utf8_lossy(&asked.stderr));
}

/// Bytes that a static binary may have.
const BINARY_MAX: u64 = 15_000_000;

#[test]
#[ignore = "it must be built before: cargo build --locked --profile dist --bin mock-kestra --target x86_64-unknown-linux-musl"]
fn the_static_binary_is_small_needs_nothing_and_runs() {
    let own = std::env::current_exe().expect("this test is a file");
    let target = own.ancestors().nth(3).expect("target/debug/deps");
    let path = target.join("x86_64-unknown-linux-musl/dist/mock-kestra");
    let size = std::fs::metadata(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display())).len();
    assert!(size < BINARY_MAX, "{size} bytes");
    let bytes = std::fs::read(&path).expect("readable");
    assert_eq!(&bytes[..4], b"\x7fELF");
    // No interpreter is named: nothing else is loaded.
    assert!(
        !bytes.windows(10).any(|it| it == b"/ld-linux-") && !bytes.windows(12).any(|it| it == b"/lib/ld-musl"),
        "it is dynamic"
    );
    let Output { status, stdout, .. } = Command::new(&path).args(["test", "worker-killed"]).output().expect("it runs");
    assert!(status.success());
    let (_, usual, _) = run(&["test", "worker-killed"]);
    assert_eq!(String::from_utf8_lossy(&stdout), usual, "the same bytes as the usual one");
}
