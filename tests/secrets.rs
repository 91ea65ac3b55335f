//! Secrets are taken out of all that is shown, however they stand in it, and short ones leave our own words whole.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::executions::{at, flow, told};
use mock_kestra::pebble::Secrets;
use proptest::prelude::*;
use serde_json::json;

fn secrets(values: &[&str]) -> Secrets {
    Secrets::new(values.iter().enumerate().map(|(at, value)| (format!("S{at}"), (*value).to_owned())))
}

#[test]
fn a_secret_is_masked_however_it_is_escaped() {
    let value = "p\"ä\n/& <x";
    let secrets = secrets(&[value]);
    let json = json!(value).to_string();
    let twice = json!(json).to_string();
    for text in [
        value,
        json.trim_matches('"'),
        twice.trim_matches('"'),
        "p\\\"\\u00e4\\n/& <x",
        "p\\\"\\u00E4\\n/& <x",
        "p%22%C3%A4%0A%2F%26%20%3Cx",
        "p%22%C3%A4%0A%2F%26+%3Cx",
        "p&quot;ä\n/&amp; &lt;x",
        // Kestra itself masks this form.
        "cCLDpAovJiA8eA==",
    ] {
        assert_eq!(secrets.mask(&format!("a {text} b")).replace("\\\"", "").replace('\\', ""), "a ****** b", "{text}");
    }
}

#[test]
fn a_secret_in_base64_is_masked_whatever_stands_around_it() {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    for value in ["supersecret", "p>?~\u{ff}\u{3ff}>>?", "1234"] {
        let masked = secrets(&[value]);
        // What is left of a text in base64 is what stands around the secret, and at most a character of it at each end.
        for (before, after) in (0..7).flat_map(|before| (0..7).map(move |after| (before, after))) {
            let text = format!("{}{value}{}", "u".repeat(before), "v".repeat(after));
            for told in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
                let shown = masked.mask(&told);
                assert!(shown.contains("******"), "{told} {shown}");
                let left = shown.len() - 6;
                assert!(left <= (before + after).div_ceil(3) * 4 + 6, "{text} {told} {shown}");
                assert_eq!(masked.mask_words(&told), shown, "{told}");
            }
        }
    }
    let flows = flow(
        "f",
        "tasks: [ { id: r, type: io.kestra.plugin.core.http.Request, method: POST, uri: 'https://h.example.com/x', body: \"Basic {{ ('user:' ~ secret('A')) | base64encode }}\" } ]",
    );
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: f }\nsecrets: { A: supersecret }\n", 5);
    let bodies: Vec<String> = simulation.sent().iter().map(|it| format!("{it:?}")).collect();
    assert!(
        bodies.iter().any(|it| it.contains("Basic dXNlcj")) && !bodies.iter().any(|it| it.contains("c3VwZXJzZWNy")),
        "{bodies:?}"
    );
}

#[test]
fn a_short_secret_is_masked_as_a_value_and_leaves_words_and_names_whole() {
    let secrets = secrets(&["e", "7"]);
    assert_eq!(secrets.mask("see e"), "s************ ******", "as Kestra's log does");
    assert_eq!(secrets.mask_words("the state of `e` is e, not `see`"), "the state of `******` is e, not `see`");
    assert_eq!(secrets.mask_words("e"), "******");
    let body = json!({ "text": "e", "code": 7, "e": [true, "x-e"], "per-e": null });
    let masked = json!({ "text": "******", "code": "******", "******": [true, "x-******"], "per-******": null });
    assert_eq!(secrets.mask_value(&body), masked);
}

#[test]
fn ids_keys_and_sentences_stay_whole_with_a_short_secret_input() {
    let inputs = "inputs: [ { id: token, type: SECRET }, { id: count, type: INT, required: false, dependsOn: { inputs: [ token ] } } ]";
    let fails = "{ id: asserted, type: io.kestra.plugin.core.execution.Assert, conditions: [ \"false\" ], errorMessage: \"{{ inputs.token }}\" }";
    let flows = flow("f", &format!("{inputs}, labels: {{ team: e }}, tasks: [ {fails} ]"));
    let commands = "  - { at: 1m, execute: f, inputs: { token: e } }\n  - { at: 2m, execute: f, inputs: { token: e, count: e } }\n";
    let simulation = at("1.3", &flows, commands, 5);
    let all = simulation.executions();
    assert_eq!(json!(all[0].inputs), json!({ "token": "******", "count": null }));
    assert_eq!(all[0].labels[0], ("team".to_owned(), "******".to_owned()));
    assert_eq!(all[0].task_runs[0].task, "asserted");
    let refused =
        "execute: refused of company.team.f: Invalid value for input `count`. Cause: For input string: \"******\"";
    assert!(told(&simulation).iter().any(|line| line == refused), "{:?}", told(&simulation));
}

/// What masking means: every byte of the text that belongs to a secret is gone.
fn naive(values: &[String], text: &str) -> String {
    let mut hidden = vec![false; text.len()];
    let mut begins = vec![false; text.len() + 1];
    for value in values.iter().filter(|value| !value.is_empty()) {
        for at in (0..text.len()).filter(|at| text[*at..].starts_with(value.as_str())) {
            hidden[at..at + value.len()].fill(true);
            begins[at] = true;
        }
    }
    // Runs of overlapping ones are one; those that only touch are two.
    let joined = |at: usize| {
        values.iter().any(|value| {
            !value.is_empty()
                && (at.saturating_sub(value.len() - 1)..at)
                    .any(|from| text[from..].starts_with(value.as_str()) && from + value.len() > at)
        })
    };
    let mut masked = String::new();
    for (at, byte) in text.bytes().enumerate() {
        match (hidden[at], begins[at] && !joined(at)) {
            (false, _) => masked.push(char::from(byte)),
            (true, true) => masked.push_str("******"),
            (true, false) => {}
        }
    }
    masked
}

proptest! {
    #![proptest_config(common::config(400))]

    /// For all secrets and texts: what is left of a text is what no secret covers, in whatever order they come.
    #[test]
    fn nothing_of_a_secret_is_left(
        values in proptest::collection::vec("[ab]{1,6}", 0..12),
        text in "[abc]{0,40}",
    ) {
        let mut one_by_one = Secrets::default();
        values.iter().for_each(|value| one_by_one.hide([value.clone()]));
        let at_once = Secrets::new(values.iter().enumerate().map(|(at, value)| (format!("S{at}"), value.clone())));
        prop_assert_eq!(one_by_one.mask(&text), naive(&values, &text));
        prop_assert_eq!(at_once.mask(&text), naive(&values, &text));
        prop_assert!(values.iter().all(|value| one_by_one.hides(value)));
    }
}

#[test]
fn ten_thousand_secrets_that_come_one_by_one_are_built_into_few_automata_few_times() {
    let mut secrets = Secrets::default();
    let (mut built, mut most) = (0, 0);
    for at in 0..10_000 {
        secrets.hide([format!("secret-{at}-of-many")]);
        // A clone, as each message keeps one, does not make it dearer.
        let kept = secrets.clone();
        let levels = kept.levels();
        built += levels.last().copied().unwrap_or_default();
        most = most.max(levels.len());
    }
    assert_eq!(secrets.hidden(), 10_000);
    // The logarithm of 10,000 is 13.3: so often a value moves, and so many automata a text goes through, at most.
    assert!(most <= 14, "a text goes through {most} automata");
    assert!(built <= 14 * 10_000, "{built} values were built into automata");
    assert_eq!(
        secrets.and(["new", "secret-3-of-many"]).levels().last(),
        Some(&1),
        "one more for one text builds only itself"
    );
}

#[test]
fn lines_of_logs_stay_whole_with_a_short_secret_as_sentences_do() {
    let flows = flow(
        "f",
        "tasks: [ { id: l, type: io.kestra.plugin.core.log.Log, message: \"hallo '{{ secret('S') }}' {{ secret('LONG') }}\" } ]",
    );
    let text = format!(
        "name: x\nkestra: \"1.3\"\nduration: 5m\ncluster: {{ standalone: 1 }}\nsecrets: {{ S: a, LONG: supersecret }}\nflows:\n{flows}commands:\n  \
         - {{ at: 10s, set-logger: flow, member: standalone-1, level: INFO }}\n  - {{ at: 1m, execute: f }}\n"
    );
    let file = common::server::scratch("short.yaml");
    std::fs::write(&file, text).expect("written");
    let (_, out, err) = common::server::run(&["run", file.to_str().expect("UTF-8"), "--logs", "-"]);
    let lines: Vec<&str> = out.lines().filter(|line| line.contains("\"message\"")).collect();
    assert!(lines.len() > 8, "{err}");
    assert!(lines.iter().any(|it| it.contains("hallo '******' ******")), "{lines:?}");
    assert!(!lines.iter().any(|it| it.contains("************")), "{lines:?}");
}
