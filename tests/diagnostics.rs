//! Wrong scenarios: each file of tests/bad stands beside the exact words it gets; and nothing makes a reader panic.
//! `UPDATE_BAD=1 cargo test --test diagnostics` writes the words anew.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::path::Path;

use common::scenario_files;
use mock_kestra::document::{self, Severity};
use mock_kestra::scenario::{NoFiles, read, read_fault};
use mock_kestra::time::Instant;
use proptest::prelude::*;

#[test]
fn every_bad_file_gets_its_exact_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("tests/bad").map(|it| it.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "yaml"));
    files.sort();
    assert!(files.len() >= 40, "{} bad files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("readable");
        let (plan, diagnostics) = read(&name, &text, &NoFiles);
        // What Kestra accepts, and what never does what it is there for, is warned of.
        let (trap, worst) = (name.starts_with("trap-"), diagnostics.iter().map(|it| it.severity).min());
        assert_eq!(plan.is_some(), trap, "{name} is refused: {}", document::render(&diagnostics));
        assert_eq!(worst, Some(if trap { Severity::Warning } else { Severity::Error }), "{name}");
        let words = document::render(&diagnostics);
        let expected = file.with_extension("txt");
        if std::env::var_os("UPDATE_BAD").is_some() {
            std::fs::write(&expected, &words).expect("written");
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != words {
            wrong.push(format!("{name} now says:\n{words}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn warnings_do_not_stop_a_scenario() {
    let text = "name: x\nduration: 5m\nflows:\n  - id: f\n    namespace: n\n    quotas: [ { limit: 5 } ]\n    tasks: [ { id: p, type: io.kestra.plugin.core.flow.ForEachItem } ]\ntimeline: [ { at: 6m, kill: standalone-1 } ]\n";
    let (plan, diagnostics) = read("x.yaml", text, &NoFiles);
    assert!(plan.is_some());
    assert_eq!(
        diagnostics.iter().filter(|it| it.severity == Severity::Warning).count(),
        4,
        "{}",
        document::render(&diagnostics)
    );
}

#[test]
fn a_repeated_fault_that_is_never_over_is_warned_of() {
    for (lasts, told) in [("4m59s", 0), ("5m", 1), ("5m1s", 1)] {
        let text = format!("name: x\ntimeline: [ {{ at: 1m, kill: standalone-1, for: {lasts}, every: 5m }} ]\n");
        let (plan, diagnostics) = read("x.yaml", &text, &NoFiles);
        assert!(plan.is_some());
        assert_eq!(diagnostics.len(), told, "{lasts}: {}", document::render(&diagnostics));
    }
}

/// A shipped scenario with one piece cut out, doubled, or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let texts: Vec<String> =
        scenario_files().iter().map(|path| std::fs::read_to_string(path).expect("readable")).collect();
    let pieces = vec![
        "", "{", "}", "[", ": ", "\n", "- ", "&a ", "*a", "\"", "'", "é", "\t", "0", "-5m", "|", "? ", "%", "!!x ",
    ];
    (prop::sample::select(texts), any::<prop::sample::Index>(), 0usize..30, prop::sample::select(pieces)).prop_map(
        |(text, at, length, piece)| {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            let end = (at + length).min(chars.len());
            chars[..at].iter().collect::<String>() + piece + &chars[end..].iter().collect::<String>()
        },
    )
}

proptest! {
    #![proptest_config(common::config(400))]

    #[test]
    fn a_mutated_scenario_gives_a_plan_or_an_error(text in mutated()) {
        let (plan, diagnostics) = read("mutated.yaml", &text, &NoFiles);
        let failed = diagnostics.iter().any(|it| it.severity == Severity::Error);
        prop_assert_eq!(plan.is_some(), !failed, "{}", document::render(&diagnostics));
        prop_assert!(document::render(&diagnostics).is_empty() == diagnostics.is_empty());
    }

    #[test]
    fn any_text_gives_a_plan_or_an_error(text in "\\PC*") {
        let (plan, diagnostics) = read("any.yaml", &text, &NoFiles);
        prop_assert_eq!(plan.is_some(), diagnostics.iter().all(|it| it.severity != Severity::Error));
        let (plan, _) = read("x.yaml", "name: x", &NoFiles);
        let fault = read_fault(&text, &plan.expect("a plan"), Instant::START);
        prop_assert!(fault.is_ok() || fault.is_err_and(|it| !document::render(&it).is_empty()));
    }
}

#[test]
fn what_is_not_shown_is_counted() {
    let lines: String = (0..130).map(|number| format!("mistake{number}: 1\n")).collect();
    let (plan, diagnostics) = read("x.yaml", &format!("name: x\n{lines}"), &NoFiles);
    assert!(plan.is_none());
    let last = diagnostics.last().expect("some");
    assert_eq!((diagnostics.len(), last.what.as_str()), (101, "and 30 more that are not shown"));
}

#[test]
fn a_mapping_of_a_great_many_keys_is_read_key_by_key_once() {
    // Compared each with each they would take minutes.
    let keys: String = (0..250_000).map(|number| format!("  k{number}: 1\n")).collect();
    let twice = format!("name: x\nconfiguration:\n{keys}  k7: 2\n");
    let (plan, diagnostics) = read("x.yaml", &twice, &NoFiles);
    assert!(plan.is_none());
    assert!(diagnostics.iter().any(|it| it.what == "`k7` is here twice"));
}

#[test]
fn a_label_that_a_subflow_may_hand_down_is_no_trap() {
    let text = |subflow: &str| {
        format!(
            "name: x\nduration: 5m\ncommands: [ {{ at: 1m, execute: up }} ]\nflows:\n  - {{ id: up, namespace: n, tasks: [ {{ id: s, type: io.kestra.plugin.core.flow.Subflow, namespace: n, {subflow} }} ] }}\n  - {{ id: down, namespace: n, tasks: [ {{ id: t, type: a.b.C }} ] }}\n  - {{ id: alert, namespace: a, tasks: [ {{ id: t, type: a.b.C }} ], triggers: [ {{ id: f, type: io.kestra.plugin.core.trigger.Flow, conditions: [ {{ type: io.kestra.plugin.core.condition.ExecutionLabels, labels: {{ team: data }} }} ] }} ] }}\n"
        )
    };
    for (subflow, warned) in [
        ("flowId: down", true),
        ("flowId: down, labels: { team: other }", true),
        ("flowId: down, labels: { team: data }", false),
        ("flowId: down, inheritLabels: true", false),
        ("flowId: \"{{ 'do' ~ 'wn' }}\", labels: { team: data }", false),
    ] {
        let told = document::render(&read("x.yaml", &text(subflow), &NoFiles).1);
        assert_eq!(told.contains("`f` of a.alert"), warned, "{subflow}: {told}");
    }
}
