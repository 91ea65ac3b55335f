//! Rule files beside promtool: what it accepts we accept, what it refuses we refuse. `tests/rule-files.txt` holds the files,
//! each with what promtool 3.5.3 says of it, and promtool 2.42.0 where that differs; `UPDATE_RULE_FILES=1 cargo test --test
//! rule_files -- --ignored` asks both and writes their words anew.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells how much was compared")]

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::expressions::forms;
use common::peers::Prometheus;
use common::peers::peer;
use common::server::eventually;
use common::server::scratch;
use mock_kestra::document;
use mock_kestra::monitor::{Monitor, Setup, Target, read_rules};
use mock_kestra::promql::{Expression, Grid, Semantics, Value};
use mock_kestra::time::Duration;

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

#[test]
fn every_mistake_has_a_place_within_the_file() {
    for case in cases() {
        let Ok(text) = String::from_utf8(bytes(&case.written)) else { continue };
        let chars: Vec<char> = text.chars().collect();
        // Cut off, one character left out, or one written twice.
        for part in 1..8 {
            let at = chars.len() * part / 8;
            let (before, after) = chars.split_at(at);
            let (first, rest) = after.split_at(after.len().min(1));
            for mutated in [before.to_vec(), [before, rest].concat(), [before, first, after].concat()] {
                let mutated: String = mutated.into_iter().collect();
                let told = match read_rules("rules.yml", &mutated) {
                    Ok((_, told)) | Err(told) => told,
                };
                for it in &told {
                    assert!(it.place.source.text.get(it.place.range.clone()).is_some(), "{mutated:?}: {it:?}");
                }
                assert_eq!(document::render(&told).is_empty(), told.is_empty());
            }
        }
    }
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

const STEP: i64 = 15_000;

/// A scraped gauge `g`, watched by rules; `r` can be asked for later.
fn watched(rules: &str, values: &[f64]) -> Monitor {
    let (rules, told) = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", document::render(&told)));
    assert!(told.is_empty(), "{}", document::render(&told));
    let interval = Duration::seconds(15);
    let target = Target::new(&[("job", "j")], interval, interval);
    let also = vec![Expression::parse("r").expect("sound")];
    let setup = Setup { rules, targets: vec![target], evaluation_interval: interval, also, ..Setup::default() };
    let mut monitor = Monitor::new(setup);
    for (step, value) in values.iter().enumerate() {
        let mut scrape = monitor.scrape(0, step as i64 * STEP);
        scrape.sample("g", &[], None, *value);
        scrape.end(Some(1), Duration::milliseconds(5));
    }
    let groups = monitor.groups().len();
    let grid = Grid { first: 0, step: STEP, count: values.len() };
    monitor.evaluate_all(&vec![grid; groups]);
    monitor
}

#[test]
#[ignore = "needs promtool of Debian unstable: .ci/peers fetches it"]
fn promtool_moves_by_an_offset_what_we_move() {
    let values = [1.0, 9.0, 9.0, 9.0, 2.0, 2.0, 9.0, 2.0, 2.0, 2.0, 2.0, 2.0];
    for offset in ["0s", "15s", "40s", "1m"] {
        let rules = format!(
            "groups:\n- name: g\n  query_offset: {offset}\n  rules:\n  - {{ record: r, expr: g * 2 }}\n  - {{ alert: A, expr: g > 5 }}\n  - {{ alert: B, expr: r > 12, for: 15s }}\n"
        );
        let monitor = watched(&rules, &values);
        let r = Expression::parse("r").expect("sound");
        let mut text = String::from(
            "rule_files: [ rules.yml ]\nevaluation_interval: 15s\ntests:\n- interval: 15s\n  input_series:\n",
        );
        let numbers: Vec<String> = values.iter().map(f64::to_string).collect();
        let _ = writeln!(text, "  - {{ series: 'g{{job=\"j\"}}', values: '{}' }}", numbers.join(" "));
        let (mut alerts, mut samples) = (String::new(), String::new());
        for step in 0..values.len() as i64 {
            let (now, at) = (step * STEP, format!("{}s", step * STEP / 1000));
            for name in ["A", "B"] {
                let fires = monitor.episodes().iter().any(|(alert, it)| {
                    alert == name && it.firing.is_some_and(|at| at <= now) && it.resolved.is_none_or(|at| now < at)
                });
                let expected = if fires { "[ { exp_labels: { job: j } } ]" } else { "[]" };
                let _ = writeln!(alerts, "  - {{ eval_time: {at}, alertname: {name}, exp_alerts: {expected} }}");
            }
            let found = match monitor.ask(&r, now) {
                Ok(Value::Vector(found)) => found,
                other => panic!("{other:?}"),
            };
            let shown = found.iter().map(|(_, value)| format!("{{ labels: 'r{{job=\"j\"}}', value: {value} }}"));
            let _ = writeln!(
                samples,
                "  - {{ eval_time: {at}, expr: r, exp_samples: [ {} ] }}",
                shown.collect::<Vec<_>>().join(", ")
            );
        }
        text += &format!("  alert_rule_test:\n{alerts}  promql_expr_test:\n{samples}");
        let file = scratch("test.yml");
        std::fs::write(file.with_file_name("rules.yml"), rules).expect("written");
        std::fs::write(&file, text).expect("written");
        let output =
            Command::new(peer("unstable", "promtool")).args(["test", "rules"]).arg(&file).output().expect("promtool");
        assert!(output.status.success(), "{offset}:\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
#[ignore = "needs Prometheus of Debian unstable and stable: .ci/peers fetches them"]
fn a_real_prometheus_fails_over_a_limit_as_we_do() {
    let two = "label_replace(vector(1), 'a', 'x', '', '') or label_replace(vector(1), 'a', 'y', '', '')";
    let rules = format!(
        "groups:\n- name: g\n  limit: 1\n  rules:\n  - {{ alert: A, expr: \"{two}\" }}\n  - {{ record: r, expr: \"{two}\" }}\n  - {{ alert: B, expr: vector(1) }}\n"
    );
    let monitor = watched(&rules, &[1.0, 1.0]);
    let ours = monitor.failures();
    let active: Vec<String> = monitor.episodes().iter().map(|(name, _)| name.clone()).collect();
    for suite in ["unstable", "stable"] {
        let config = "global: { evaluation_interval: 200ms }\nrule_files: [ rules.yml ]\n";
        let prometheus = Prometheus::start(suite, config, &rules);
        let mut told = Vec::new();
        eventually("all rules are evaluated", || {
            let answer = prometheus.api("rules");
            let rules = answer["data"]["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
            told = rules.iter().filter(|rule| rule["health"] == "err").cloned().collect();
            rules.len() == 3 && rules.iter().all(|rule| rule["health"] != "unknown")
        });
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let theirs: Vec<(String, String)> =
            told.iter().map(|rule| (text(&rule["name"]), text(&rule["lastError"]))).collect();
        assert_eq!(theirs, ours, "{suite}");
        let alerts = prometheus.api("alerts");
        let alerts = alerts["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let theirs: Vec<String> = alerts.iter().map(|alert| text(&alert["labels"]["alertname"])).collect();
        assert_eq!(theirs, active, "{suite}");
        let recorded = prometheus.api("query?query=r");
        assert_eq!(recorded["data"]["result"].as_array().map(Vec::len), Some(0), "{suite}: {recorded}");
    }
}

fn rule_file(expression: &str) -> String {
    let quoted = serde_json::Value::from(expression);
    format!("groups: [ {{ name: g, rules: [ {{ record: r, expr: {quoted} }} ] }} ]\n")
}

/// How much `--semantics 2.42` notes of a rule file with this expression.
fn notes_of_2_42(expression: &str) -> Option<usize> {
    read_rules("rules.yml", &rule_file(expression)).ok().map(|(rules, _)| rules.refused_by(Semantics::V2_42).len())
}

#[test]
#[ignore = "needs promtool 2.42"]
fn every_form_that_promtool_2_42_refuses_is_noted_and_no_other() {
    let file = scratch("form.yml");
    let mut noted = 0;
    for form in forms() {
        let Some(notes) = notes_of_2_42(&form) else { continue };
        std::fs::write(&file, rule_file(&form)).expect("written");
        let output =
            Command::new(peer("stable", "promtool")).args(["check", "rules"]).arg(&file).output().expect("runs");
        assert_eq!(notes == 0, output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
        noted += usize::from(notes > 0);
    }
    assert!(noted > 20, "{noted}");
}
