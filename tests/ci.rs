//! In the CI of others: annotations that point at lines, summaries, the action for GitHub and the template for GitLab, whose
//! scripts are run as their runners run them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::server::{run, scratch};
use serde::Deserialize;

/// A scenario whose third line of `expect` is not met.
const SCENARIO: &str = "\
name: mine
duration: 6m
timeline: [ { at: 1m, kill: standalone-1, for: 4m } ]
expect:
  - { alert: Down, fires: { within: 4m } }
  - { alert: Down, of: kill-standalone-1, fires: { within: 4m } }
  - { alert: Down, fires: { within: 10s } }
";
/// Rules, of which one reads what is not there.
const RULES: &str = "\
groups:
  - name: g
    rules:
      - alert: Down
        expr: up == 0
        for: 1m
      - alert: \"Nobody: 50 %, and more\"
        expr: kestra_wrker_job_running > 3
";

/// A folder of a job, with a scenario and rules in it.
fn workspace() -> PathBuf {
    let folder = scratch("workspace");
    std::fs::create_dir_all(folder.join("alerts")).expect("a folder");
    std::fs::write(folder.join("mine.yaml"), SCENARIO).expect("written");
    std::fs::write(folder.join("alerts/rules.yml"), RULES).expect("written");
    folder
}

/// What the binary says in a folder of a job, as the runner starts it.
fn within(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = common::server::binary();
    command.args(arguments).current_dir(folder.join("alerts")).env("GITHUB_WORKSPACE", folder);
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned())
}

/// The commands in an output as a runner takes them: none between `stop-commands` and its word.
fn commands(out: &str) -> Vec<&str> {
    let (mut stopped, mut found) = (None, Vec::new());
    for line in out.lines().map(str::trim_start).filter(|line| line.starts_with("::")) {
        match &stopped {
            Some(word) if line == format!("::{word}::") => stopped = None,
            Some(_) => {}
            None => match line.strip_prefix("::stop-commands::") {
                Some(word) => stopped = Some(word.to_owned()),
                None => found.push(line),
            },
        }
    }
    found
}

#[test]
fn what_is_not_met_and_what_judges_nothing_is_shown_beside_its_line() {
    let folder = workspace();
    let (code, out, err) = within(&folder, &["test", "--format", "github", "../mine.yaml", "--rules", "rules.yml"]);
    assert_eq!(code, Some(1), "{err}");
    let found = commands(&out);
    assert_eq!(found.len(), 2, "{found:?}");
    let begin =
        "::error file=mine.yaml,line=7,endLine=7,col=5,endColumn=44,title=mock-kestra::mine: not met: alert Down fires";
    assert!(found[0].starts_with(begin), "{}", found[0]);
    let begin = "::warning file=alerts/rules.yml,line=7,endLine=7,col=16,endColumn=40,title=mock-kestra::the rule Nobody: \
                 50 %25, and more can do nothing";
    assert!(found[1].starts_with(begin), "{}", found[1]);
    assert!(out.contains("\n2 expectations met, 1 not met\n"), "the report is in the log: {out}");

    // Over several seeds each is told once.
    let many = ["test", "--format", "github", "../mine.yaml", "--rules", "rules.yml", "--seeds", "3", "--strict"];
    let (code, out, _) = within(&folder, &many);
    assert_eq!(code, Some(1));
    let found = commands(&out);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("met in 0 of 3; with seed 1: "), "{}", found[0]);
}

#[test]
fn a_rule_is_found_in_its_group_in_manifests_and_in_texts_within_them() {
    let folder = workspace();
    let dead = |alert: &str, expr: &str| format!("{{ alert: {alert}, expr: {expr} }}");
    let (mine, other) = (dead("Same", "no_such_metric"), dead("Same", "up == 5"));
    let files = [
        // The second of the same name.
        (
            "groups.yml",
            format!("groups:\n  - name: a\n    rules:\n      - {other}\n  - name: b\n    rules:\n      - {mine}\n"),
            7,
        ),
        (
            "manifest.yml",
            format!(
                "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{ name: x }}\nspec:\n  groups:\n  - \
                 name: a\n    rules:\n    - {mine}\n"
            ),
            8,
        ),
        (
            "map.yml",
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: x }}\ndata:\n  rules.yml: |\n    groups:\n    - name: \
                 a\n      rules:\n      - {mine}\n"
            ),
            9,
        ),
    ];
    for (name, text, line) in files {
        std::fs::write(folder.join("alerts").join(name), text).unwrap();
        let (code, out, err) = within(&folder, &["test", "--format", "github", "idle", "--rules", name]);
        assert_eq!(code, Some(0), "{name}: {err}");
        let begin = format!("::warning file=alerts/{name},line={line},");
        assert!(commands(&out).iter().any(|it| it.starts_with(&begin)), "{begin} in {:?}", commands(&out));
    }
    // An expectation that is not the file's own stands where it stands.
    std::fs::write(folder.join("more.yaml"), "name: more\nextends: mine.yaml\n").unwrap();
    let (_, out, _) = within(&folder, &["test", "--format", "github", "../more.yaml", "--rules", "rules.yml"]);
    assert!(commands(&out)[0].starts_with("::error file=mine.yaml,line=7,"), "{:?}", commands(&out));
}

#[test]
fn what_cannot_be_read_is_shown_beside_its_line() {
    let folder = workspace();
    std::fs::write(
        folder.join("alerts/bad.yml"),
        "groups:\n  - name: g\n    rules: [ { alert: A, expr: \"sum(\" } ]\n",
    )
    .unwrap();
    std::fs::write(folder.join("bad.yaml"), "name: bad\ntimelin: []\n").unwrap();
    let (code, out, err) = within(&folder, &["test", "--format", "github", "healthy", "--rules", "bad.yml"]);
    assert_eq!(code, Some(2));
    let found = commands(&out);
    assert!(matches!(found.as_slice(), [one] if one.starts_with("::error file=alerts/bad.yml,line=3,")), "{found:?}");
    assert!(err.contains("bad.yml:3:"), "the log has it with its line: {err}");

    let (code, out, _) = within(&folder, &["check", "--format", "github", "../bad.yaml", "../mine.yaml"]);
    assert_eq!(code, Some(2));
    let told = "::error file=bad.yaml,line=2,endLine=2,col=1,endColumn=8,title=mock-kestra::";
    let found = commands(&out);
    assert!(
        found.len() == 1 && found[0].starts_with(told) && found[0].contains("%0Adid you mean `timeline`?"),
        "{found:?}"
    );
    assert!(out.contains("mine: "), "what was understood is in the log: {out}");

    // What has no place is one of the job.
    let (code, out, _) = within(&folder, &["test", "--format", "github", "no-such", "--rules", "rules.yml"]);
    let told = "::error title=mock-kestra::the input is wrong: the log of this step tells why";
    assert_eq!((code, commands(&out)), (Some(2), vec![told]));
}

#[test]
fn a_name_in_a_file_is_no_command() {
    let folder = workspace();
    let hostile = "groups:\n  - name: g\n    rules:\n      - { alert: \"::error::boo\", expr: up == 0 }\n";
    std::fs::write(folder.join("alerts/hostile.yml"), hostile).unwrap();
    let arguments = ["test", "--format", "github", "--all", "../mine.yaml", "--lenient", "--rules", "hostile.yml"];
    let (_, out, _) = within(&folder, &arguments);
    assert!(out.lines().any(|line| line.trim_start().starts_with("::error::boo")), "it is in the report: {out}");
    assert!(commands(&out).iter().all(|command| !command.starts_with("::error::boo")), "{out}");
    // The word is another one each time.
    let word = |out: &str| out.lines().next().map(str::to_owned);
    assert_ne!(word(&out), word(&within(&folder, &arguments).1));
}

#[test]
fn a_matrix_shows_whom_nobody_notices_and_who_cries_wolf() {
    let folder = workspace();
    let wolf = "groups:\n  - name: g\n    rules:\n      - alert: Wolf\n        expr: up == 1\n";
    std::fs::write(folder.join("alerts/wolf.yml"), wolf).unwrap();
    let arguments = ["matrix", "--format", "github", "--rules", "wolf.yml", "--scenarios", "../mine.yaml", "healthy"];
    let (code, out, _) = within(&folder, &arguments);
    assert_eq!(code, Some(1));
    let found = commands(&out);
    let beside =
        |found: &[&str], at: &str| found.iter().filter(|it| it.starts_with(&format!("::error file={at},"))).count();
    assert_eq!((found.len(), beside(&found, "alerts/wolf.yml,line=4")), (3, 2), "{found:?}");
    assert!(
        found.iter().any(|it| it.starts_with("::error title=mock-kestra::healthy: ")),
        "what ships is no file: {found:?}"
    );

    std::fs::write(folder.join("alerts/deaf.yml"), wolf.replace("up == 1", "up == 5")).unwrap();
    let arguments = ["matrix", "--format", "github", "--rules", "deaf.yml", "--scenarios", "../mine.yaml"];
    let (code, out, _) = within(&folder, &arguments);
    assert_eq!(code, Some(1));
    let found = commands(&out);
    assert_eq!((found.len(), beside(&found, "mine.yaml,line=3")), (1, 1), "{found:?}");
    assert!(found[0].contains("mine: not so: its failure is noticed"), "{found:?}");
}

#[test]
fn a_summary_is_added_to_what_is_there_and_is_the_report_in_markdown() {
    let folder = workspace();
    let summary = folder.join("summary.md");
    std::fs::write(&summary, "# before\n").unwrap();
    let path = summary.to_str().expect("UTF-8");
    let arguments = ["test", "../mine.yaml", "--rules", "rules.yml", "--summary", path];
    assert_eq!(within(&folder, &arguments).0, Some(1));
    let text = std::fs::read_to_string(&summary).unwrap();
    let (_, markdown, _) = within(&folder, &["test", "../mine.yaml", "--rules", "rules.yml", "--format", "markdown"]);
    assert_eq!(text, format!("# before\n{markdown}"));
    for line in [
        "**2 expectations met, 1 not met**",
        "| scenario | seeds | met | not met | alerts that fired |",
        "| mine | 1 | 2 | 1 | Down |",
        "**Not met**",
        "**Rules that judge nothing**",
    ] {
        assert!(markdown.lines().any(|it| it == line), "{line} in\n{markdown}");
    }
    assert!(markdown.contains("- mine: alert Down fires within 10s: fired at "), "{markdown}");
    assert!(
        markdown.contains("- Nobody: 50 %, and more is dead: there is no series called \\`kestra\\_wrker"),
        "{markdown}"
    );
    let (code, _, err) = within(&folder, &["test", "healthy", "--summary", "no/such/folder.md"]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("cannot write no/such/folder.md"), "{err}");
    // A matrix has one too.
    let arguments = ["matrix", "--rules", "rules.yml", "--scenarios", "../mine.yaml", "--summary", path];
    within(&folder, &arguments);
    assert!(std::fs::read_to_string(&summary).unwrap().contains("| scenario | failure | noticed | by |"));
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    name: String,
    description: String,
    inputs: BTreeMap<String, Input>,
    outputs: BTreeMap<String, Value>,
    runs: Runs,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    description: String,
    #[serde(default)]
    required: bool,
    default: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    description: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Runs {
    using: String,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    id: String,
    shell: String,
    env: BTreeMap<String, String>,
    run: String,
}

fn action() -> Action {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/actions/mock-kestra/action.yml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).expect("readable")).expect("an action")
}

/// The end of a job: the exit code of its last step, what it printed, its outputs and its summary.
struct Job {
    code: Option<i32>,
    out: String,
    outputs: BTreeMap<String, String>,
    summary: String,
}

/// Runs the steps of the action as a runner does: expressions replaced, each step by `bash -eo pipefail`.
fn job(folder: &Path, with: &[(&str, &str)]) -> Job {
    let action = action();
    let given: BTreeMap<&str, &str> = with.iter().copied().collect();
    let unknown: Vec<_> = given.keys().filter(|key| !action.inputs.contains_key(**key)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for (name, input) in &action.inputs {
        let value = given.get(name.as_str()).map(|it| (*it).to_owned()).or(input.default.clone());
        known.insert(format!("inputs.{name}"), value.expect("what is required is given"));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/actions/mock-kestra");
    known.insert("github.action_path".to_owned(), root.display().to_string());
    known.insert("runner.temp".to_owned(), folder.display().to_string());
    let summary = folder.join("step-summary");
    let (mut code, mut out) = (None, String::new());
    for step in &action.runs.steps {
        let outputs = folder.join(format!("outputs-{}", step.id));
        std::fs::write(&outputs, "").expect("written");
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &step.run]).current_dir(folder);
        command.env("GITHUB_OUTPUT", &outputs).env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_WORKSPACE", folder);
        for (name, value) in &step.env {
            command.env(name, expanded(value, &known));
        }
        let Output { status, stdout, stderr } = command.output().expect("bash runs");
        out += &(String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr));
        code = status.code();
        for line in std::fs::read_to_string(&outputs).expect("readable").lines() {
            let (name, value) = line.split_once('=').expect("name=value");
            known.insert(format!("steps.{}.outputs.{name}", step.id), value.to_owned());
        }
        if code != Some(0) {
            break;
        }
    }
    let value = |it: &Value| expanded_or_empty(&it.value, &known);
    let outputs = action.outputs.iter().map(|(name, it)| (name.clone(), value(it))).collect();
    Job { code, out, outputs, summary: std::fs::read_to_string(&summary).unwrap_or_default() }
}

/// A value with its expressions replaced, of which each must mean something.
fn expanded(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = text.to_owned();
    while let Some((before, rest)) = out.split_once("${{") {
        let (inside, after) = rest.split_once("}}").expect("an end");
        let value = known.get(inside.trim()).unwrap_or_else(|| panic!("{inside} is nothing"));
        out = format!("{before}{value}{after}");
    }
    out
}

fn expanded_or_empty(text: &str, known: &BTreeMap<String, String>) -> String {
    let name = text.trim_start_matches("${{").trim_end_matches("}}").trim();
    known.get(name).cloned().unwrap_or_default()
}

#[test]
fn the_action_says_what_it_takes_and_no_input_becomes_a_part_of_a_script() {
    let action = action();
    assert_eq!((action.name.as_str(), action.runs.using.as_str()), ("mock-kestra", "composite"));
    assert!(action.description.len() < 125, "a marketplace shows no more");
    for (name, input) in &action.inputs {
        assert!(input.description.len() > 10 && input.required != input.default.is_some(), "{name}");
    }
    assert!(action.outputs.values().all(|it| !it.description.is_empty()));
    for step in &action.runs.steps {
        assert!(!step.run.contains("${{"), "{}: what is given goes by the environment", step.name);
        assert_eq!(step.shell, "bash");
    }
}

#[test]
fn the_action_tests_rules_writes_junit_and_a_summary_and_points_at_lines() {
    let folder = workspace();
    let binary = env!("CARGO_BIN_EXE_mock-kestra");
    let good = job(
        &folder,
        &[("binary", binary), ("scenarios", "worker-killed\n\n  no-workers  \n"), ("junit", "report.xml")],
    );
    assert_eq!(good.code, Some(0), "{}", good.out);
    assert_eq!(good.outputs["exit-code"], "0");
    assert!(
        good.summary.contains("| worker-killed | 1 |") && good.summary.contains("| no-workers | 1 |"),
        "{}",
        good.summary
    );
    let junit = std::fs::read_to_string(folder.join(&good.outputs["junit"])).expect("it is there");
    assert!(junit.contains("<testsuite name=\"worker-killed\"") && junit.contains("no-workers rules"), "{junit}");

    let with = [
        ("binary", binary),
        ("scenarios", "mine.yaml"),
        ("rules", "alerts\n"),
        ("kestra", "1.3,2.0"),
        ("seeds", "1..2"),
        ("strict", "true"),
        ("junit", ""),
    ];
    let bad = job(&folder, &with);
    assert_eq!((bad.code, bad.outputs["exit-code"].as_str(), bad.outputs["junit"].as_str()), (Some(1), "1", ""));
    let errors = commands(&bad.out).iter().filter(|it| it.starts_with("::error file=mine.yaml,line=7,")).count();
    assert_eq!(errors, 2, "with each version: {}", bad.out);
    assert!(bad.summary.contains("mine with Kestra 2.0"), "{}", bad.summary);

    let wrong = job(&folder, &[("binary", binary), ("scenarios", "mine.yaml"), ("rules", "no-such.yml")]);
    assert_eq!((wrong.code, wrong.outputs["exit-code"].as_str()), (Some(2), "2"));
    // What is fetched is run only when it is what it must be.
    let unsaid = job(&folder, &[("binary-url", "https://127.0.0.1:1/x"), ("scenarios", "healthy")]);
    assert_eq!(unsaid.code, Some(2));
    assert!(unsaid.out.contains("say what it must be"), "{}", unsaid.out);
    let fetched =
        job(&folder, &[("binary-url", "https://127.0.0.1:1/x"), ("binary-sha256", "00"), ("scenarios", "healthy")]);
    assert!(fetched.code != Some(0) && fetched.outputs["exit-code"].is_empty(), "{}", fetched.out);
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GitLab {
    #[serde(rename = ".mock-kestra")]
    job: GitLabJob,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GitLabJob {
    variables: BTreeMap<String, String>,
    script: Vec<String>,
    artifacts: Artifacts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Artifacts {
    when: String,
    reports: BTreeMap<String, String>,
}

#[test]
fn the_template_for_gitlab_tests_rules_and_leaves_junit() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".gitlab/mock-kestra.yml");
    let GitLab { job } = serde_saphyr::from_str(&std::fs::read_to_string(path).expect("readable")).expect("a template");
    assert_eq!((job.artifacts.when.as_str(), job.artifacts.reports["junit"].as_str()), ("always", "mock-kestra.xml"));
    let folder = workspace();
    let path = Path::new(env!("CARGO_BIN_EXE_mock-kestra")).parent().expect("a folder").display().to_string();
    let path = format!("{path}:{}", std::env::var("PATH").expect("a PATH"));
    let run = |variables: &[(&str, &str)]| {
        // As a runner has it: one shell for all lines, which ends with the first that fails.
        let mut command = Command::new("sh");
        command.args(["-e", "-c", &job.script.join("\n")]).current_dir(&folder).env("PATH", &path);
        command.envs(&job.variables).envs(variables.iter().copied());
        command.output().expect("sh runs")
    };
    assert!(run(&[]).status.success(), "as it is");
    let output = run(&[("MOCK_KESTRA_SCENARIOS", "mine.yaml healthy"), ("MOCK_KESTRA_RULES", "alerts")]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let junit = std::fs::read_to_string(folder.join("mock-kestra.xml")).expect("it is there");
    assert!(junit.contains("<testsuite name=\"mine\" tests=\"3\" failures=\"1\""), "{junit}");
    let output = run(&[("MOCK_KESTRA_SCENARIOS", "worker-killed"), ("MOCK_KESTRA_VERSIONS", "1.3,2.0")]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("worker-killed with Kestra 2.0"));
}

#[test]
fn the_help_says_what_github_is() {
    for command in ["test", "check", "matrix"] {
        let (_, help, _) = run(&[command, "--help"]);
        assert!(help.contains("github"), "{help}");
    }
}
