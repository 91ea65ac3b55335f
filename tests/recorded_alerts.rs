//! Whole alert flows beside recorded servers: the recorded flows run, the recorded executions are started, and what Flow
//! triggers start, in which state, and every body that is sent is what the server of that version did. FIRED.tsv has a row
//! for each execution of 1.3.19, runs.txt those of 2.0.0; of 0.20.7 there are the bodies.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use common::capture_of;
use mock_kestra::document::{self, Source};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{FlowFile, Loader, Order, Plan, read};
use mock_kestra::simulator::{About, Command, Delivery, Simulation};
use mock_kestra::time::{Calendar, Instant};
use regex::Regex;
use serde_json::Value;

/// The flows of some folders of tests/captures, but for those whose names hold a text.
struct Folders(Vec<PathBuf>, &'static str);

impl Loader for Folders {
    fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for folder in &self.0 {
            paths.extend(fs::read_dir(folder).expect("a folder of flows").map(|entry| entry.expect("an entry").path()));
        }
        paths.retain(|path| !path.to_string_lossy().contains(self.1));
        paths.sort();
        let of = |path: &PathBuf| {
            let text = fs::read_to_string(path).expect("a flow");
            Source { name: path.display().to_string(), text }.into()
        };
        Ok(paths.iter().map(of).collect())
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("there is none".to_owned())
    }
}

/// What the server of 2.0.0 refused: triggers of an older language.
const OLD: &str = "alert-old-";

/// A scenario of the recorded flows of a version, with more lines and flows of its own; with what is wrong with it.
fn scenario(version: &str, but: &'static str, more: &str, flows: &str) -> (Option<Plan>, String) {
    let text = format!(
        "name: x\nkestra: \"{version}\"\nduration: 20m\ncluster: {{ standalone: 1 }}\nflows:\n  - all\n{flows}\
         configuration: {{ kestra: {{ url: \"http://localhost:8080/\" }} }}\n{more}\n"
    );
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(version);
    let mut folders = vec![captures.join("alerting/flows")];
    folders.extend(Some(captures.join("flows")).filter(|folder| folder.is_dir()));
    let (plan, told) = read("x.yaml", &text, &Folders(folders, but));
    (plan, document::render(&told))
}

fn plan(version: &str, more: &str) -> Arc<Plan> {
    let (plan, told) = scenario(version, OLD, more, "");
    Arc::new(plan.unwrap_or_else(|| panic!("{told}")))
}

/// An execution, and what alert flows made of it.
#[derive(Debug, Default)]
struct Upstream {
    flow: String,
    id: String,
    /// The states that it came into.
    history: Vec<&'static str>,
    /// By alert flow: the states that it was started by.
    fired: BTreeMap<String, Vec<&'static str>>,
}

/// What a plan came to.
#[derive(Debug, Default)]
struct Seen {
    /// In the order in which one heard of them.
    executions: Vec<Upstream>,
    /// Where messages went, and what they say.
    sent: Vec<(String, String)>,
}

/// Runs a plan to its end, and asks a flow what its triggers make of executions.
fn run(plan: &Arc<Plan>, flow: usize) -> Simulation {
    let mut simulation = Simulation::new(plan.clone(), Seed(1), Calendar::default());
    simulation.ask(flow);
    for command in &plan.commands {
        simulation.advance(command.at).expect("no limit");
        let asked = match &command.order {
            Order::Execute { flow, .. } => Command::Execute { flow: *flow, origin: Arc::default() },
            Order::Ask { deed, whose } => Command::Ask { deed: deed.clone(), whose: whose.clone() },
            other => panic!("{other:?}"),
        };
        simulation.command(asked).expect("a webserver answers");
    }
    simulation.advance(Instant::START + plan.duration).expect("no limit");
    simulation
}

/// Runs a plan once for each of some alert flows, which are asked what they made of executions.
fn seen(plan: &Arc<Plan>, alerts: &[&str]) -> Seen {
    let mut seen = Seen::default();
    for alert in alerts {
        let flow = plan.flows.iter().position(|flow| flow.id == *alert).expect("an alert flow");
        let simulation = run(plan, flow);
        for reason in simulation.reasons().iter() {
            let About::Execution { flow: upstream, execution, state } = &reason.about else { continue };
            let at = seen.executions.iter().position(|it| it.id == *execution).unwrap_or(seen.executions.len());
            if at == seen.executions.len() {
                let flow = plan.flows[*upstream as usize].name();
                seen.executions.push(Upstream { flow, id: execution.clone(), ..Upstream::default() });
            }
            let execution = &mut seen.executions[at];
            if *alert == alerts[0] {
                execution.history.push(state.name());
            }
            if reason.fires {
                execution.fired.entry((*alert).to_owned()).or_default().push(state.name());
            }
        }
        if *alert == alerts[0] {
            let sent = simulation.sent().iter().filter(|message| message.delivery == Delivery::Taken);
            let path = |to: &str| format!("/{}", to.splitn(4, '/').nth(3).expect("a path"));
            seen.sent = sent.map(|message| (path(&message.to()), message.body())).collect();
        }
    }
    seen
}

/// States as the tables tell them: `RUNNINGx2,PAUSED`, in the order in which each came first.
fn counted(states: &[&str]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for state in states {
        match counts.iter_mut().find(|(known, _)| known == state) {
            Some((_, count)) => *count += 1,
            None => counts.push((state, 1)),
        }
    }
    let told = |(state, count): &(&str, usize)| match count {
        1 => (*state).to_owned(),
        count => format!("{state}x{count}"),
    };
    counts.iter().map(told).collect::<Vec<_>>().join(",")
}

/// The same as a set: in which order an alert flow heard of a state is that of the threads of a server.
fn as_set(states: &str) -> BTreeSet<&str> {
    states.split(',').filter(|it| !it.is_empty()).collect()
}

/// What differs from run to run, and what is put there.
static IDS_AND_TIMES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let of = |(pattern, instead): &(&str, &'static str)| (Regex::new(pattern).expect("a pattern"), *instead);
    [
        (r"\b[0-9A-Za-z]{20,22}\b", "ID"),
        (r"\b\d\d:\d\d:\d\d\.\d{3}\b", "TIME"),
        (r#""ts":\d+"#, "\"ts\":0"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-][0-9:]+)?", "DATE"),
    ]
    .iter()
    .map(of)
    .collect()
});

/// A body without ids and times: JSON where it is some.
fn plain(body: &str) -> String {
    let mut text = body.to_owned();
    for (pattern, instead) in IDS_AND_TIMES.iter() {
        text = pattern.replace_all(&text, *instead).into_owned();
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => sorted(value).to_string(),
        Err(_) => text.trim().to_owned(),
    }
}

/// Keys in the order of the alphabet: JSON says nothing by it.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<String, Value> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            map.into_iter().collect()
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// The recorded requests of a version: path and body.
fn recorded(version: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(version).join("alerting");
    let mut texts: Vec<String> = Vec::new();
    if folder.join("webhooks").is_dir() {
        let files = fs::read_dir(folder.join("webhooks")).expect("recorded requests");
        let mut paths: Vec<PathBuf> = files.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        texts.extend(paths.iter().map(|path| fs::read_to_string(path).expect("a request")));
    } else {
        let all = fs::read_to_string(folder.join("webhooks_received.txt")).expect("recorded requests");
        let parts = all.split("-----").filter(|part| !part.trim().is_empty());
        texts.extend(parts.map(|part| part.trim_start().split_once('\n').expect("a time").1.to_owned()));
    }
    let of = |text: &String| {
        let text = text.replace('\r', "");
        let (head, body) = text.split_once("\n\n").expect("a head and a body");
        (head.split(' ').nth(1).expect("a path").to_owned(), body.trim().to_owned())
    };
    texts.iter().map(of).collect()
}

/// Whose execution a body tells of: its flow and its id.
fn about(body: &str) -> Option<(String, String)> {
    const PATTERNS: &[&str] = &[
        r"executions/(?<ns>[\w.]+)/(?<flow>[\w-]+)/(?<id>\w{20,22})",
        r#"Namespace","value":"(?<ns>[\w.]+)".*"Flow ID","value":"(?<flow>[\w-]+)".*"Execution ID","value":"(?<id>\w{20,22})"#,
        r"Namespace: (?<ns>[\w.]+)\\nFlow ID: (?<flow>[\w-]+)\\nExecution ID: (?<id>\w{20,22})",
        r"on flow (?<ns>[\w.]+)\.(?<flow>[\w-]+) (state \w+ execution|with ID) (?<id>\w{20,22})",
        r#""text":"(?<ns>[\w.]+)\.(?<flow>[\w-]+) \w+ (?<id>\w{20,22})"#,
        r#""execution":"(?<id>\w{20,22})","namespace":"(?<ns>[^"]+)","flow":"(?<flow>[^"]+)""#,
    ];
    static READ: LazyLock<Vec<Regex>> =
        LazyLock::new(|| PATTERNS.iter().map(|pattern| Regex::new(pattern).expect("a pattern")).collect());
    let body = body.replace("ui/main/", "ui/");
    let found = READ.iter().find_map(|pattern| pattern.captures(&body))?;
    Some((format!("{}.{}", &found["ns"], &found["flow"]), found["id"].to_owned()))
}

/// By flow: what was sent about each of its executions, in an order that says nothing of time.
fn by_execution(sent: &[(String, String)]) -> BTreeMap<String, Vec<Sent>> {
    let mut all: BTreeMap<(String, String), Sent> = BTreeMap::new();
    for (path, body) in sent {
        let about = about(body).unwrap_or_else(|| ("of nobody".to_owned(), String::new()));
        all.entry(about).or_default().push((path.clone(), plain(body)));
    }
    let mut by_flow: BTreeMap<String, Vec<Sent>> = BTreeMap::new();
    for ((flow, _), mut sent) in all {
        sent.sort();
        by_flow.entry(flow).or_default().push(sent);
    }
    by_flow.values_mut().for_each(|executions| executions.sort());
    by_flow
}

/// The alert flows of 1.3.19, in the order of the columns of FIRED.tsv.
const ALERTS: &[&str] = &[
    "a_cond",
    "a_precond",
    "a_states",
    "a_default",
    "a_or",
    "a_precond_flows",
    "a_running",
    "a_bad_and",
    "a_precond_bad",
];

/// The recorded executions of 1.3.19, in their order; two of a flow with a limit, the second while the first runs.
const STARTED: &str = "\
commands:
  - { at: 1m, execute: company.team.ok }
  - { at: 1m30s, execute: warn }
  - { at: 2m, execute: company.team.fail }
  - { at: 2m30s, restart: company.team.fail }
  - { at: 3m, execute: fail_prod }
  - { at: 3m30s, execute: fail_other }
  - { at: 4m, execute: retry_fail }
  - { at: 5m, execute: retry_warn }
  - { at: 6m, execute: flow_retry }
  - { at: 7m, execute: company.team.timeout }
  - { at: 8m, execute: sla_fail }
  - { at: 9m, execute: sla_cancel }
  - { at: 10m, execute: sla_assert }
  - { at: 11m, execute: conc_cancel }
  - { at: 11m1s, execute: conc_cancel }
  - { at: 12m, execute: conc_fail }
  - { at: 12m1s, execute: conc_fail }
  - { at: 13m, execute: longsleep }
  - { at: 13m10s, kill: longsleep }
  - { at: 14m, execute: pausing }
  - { at: 14m10s, resume: pausing }
  - { at: 15m, execute: pause_delay }
  - { at: 16m, execute: parent_fail }
  - { at: 17m, execute: err_inline }
  - { at: 18m, execute: webhooks_all }
timeline:
  - { at: 4m59s, task-failures: { task: flaky, share: 100% }, for: 2s }
";

/// A row of FIRED.tsv: how an execution went, and the states that each alert flow was started by.
type Row = (String, usize, Vec<String>);

fn rows() -> Vec<Row> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let text = capture_of("1.3", "alerting/FIRED.tsv");
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    let of = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let flow = format!("{}.{}", cells[0], cells[1]);
        let count = counts.entry(flow.clone()).or_insert(0);
        *count += 1;
        let fired = (0..ALERTS.len()).map(|at| (*cells.get(4 + at).unwrap_or(&"")).to_owned());
        (flow, *count - 1, std::iter::once(cells[3].to_owned()).chain(fired).collect())
    };
    lines.map(of).collect()
}

/// What is heard of a history: not that an execution is there (FIRED.tsv tells of that among the states), and not that it
/// is FAILED for a moment before it is tried again, nor what the webserver sets when somebody resumes it.
fn heard(history: &str) -> String {
    let states: Vec<&str> = history.split(' ').filter(|state| !matches!(*state, "CREATED" | "RESTARTED")).collect();
    let passing = |at: usize| {
        states[at] == "FAILED" && states.get(at + 1).is_some_and(|next| matches!(*next, "RETRYING" | "RETRIED"))
    };
    (0..states.len()).filter(|at| !passing(*at)).map(|at| states[at]).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_row_of_fired_is_what_happens_here() {
    let plan = plan("1.3", STARTED);
    let seen = seen(&plan, ALERTS);
    let (mut wrong, rows) = (Vec::new(), rows());
    for (flow, which, recorded) in &rows {
        let Some(execution) = seen.executions.iter().filter(|it| it.flow == *flow).nth(*which) else {
            wrong.push(format!("{flow} {which}: no such execution"));
            continue;
        };
        let fired = |alert: &&str| execution.fired.get(*alert).map(|states| counted(states)).unwrap_or_default();
        let ours: Vec<String> = std::iter::once(execution.history.join(" ")).chain(ALERTS.iter().map(fired)).collect();
        let same = heard(&ours[0]) == heard(&recorded[0])
            && ours.iter().zip(recorded).skip(1).all(|(a, b)| as_set(a) == as_set(b));
        if !same {
            wrong.push(format!("{flow} {which}\n  recorded {recorded:?}\n  here     {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert_eq!(rows.len(), 24);
}

/// Messages of 1.3.19 that are not sent alike: about which flow, and why.
const BODIES_DIFFER: &[(&str, &str)] = &[];

/// Flows whose SLA kills the executions that alert flows began for them: which of these have sent before that is a race of
/// the server. And an alert flow that fails over one of them.
const RACES: &[&str] = &[
    "company.team.sla_assert",
    "company.team.sla_cancel",
    "company.team.sla_fail",
    "company.team.sla-fail",
    "system.a_precond",
];

/// What was sent about one execution: paths and bodies, in an order that says nothing of time.
type Sent = Vec<(String, String)>;

/// What is told of differences between recorded messages and ours, by flow.
fn compared(
    recorded: &BTreeMap<String, Vec<Sent>>,
    ours: &BTreeMap<String, Vec<Sent>>,
    differ: &[(&str, &str)],
) -> Vec<String> {
    let flows: BTreeSet<&String> = recorded.keys().chain(ours.keys()).collect();
    let told = |these: Option<&Vec<Sent>>, others: Option<&Vec<Sent>>| {
        let others = others.map_or(&[][..], Vec::as_slice);
        let only = these.into_iter().flatten().filter(|it| !others.contains(it));
        only.map(|sent| sent.iter().map(|(path, body)| format!("\n    {path} {body}")).collect::<String>())
            .collect::<Vec<_>>()
            .join("\n    and")
    };
    let of = |flow: &String| {
        let (recorded, ours) = (recorded.get(flow), ours.get(flow));
        let excused = differ.iter().find(|(name, _)| name == flow);
        let counts = [recorded, ours].map(|it| it.map_or(0, Vec::len));
        ((recorded == ours) == excused.is_some()).then(|| {
            format!(
                "{flow} {excused:?} {counts:?} executions\n  recorded {}\n  here     {}",
                told(recorded, ours),
                told(ours, recorded)
            )
        })
    };
    flows.into_iter().filter(|flow| !RACES.contains(&flow.as_str())).filter_map(of).collect()
}

#[test]
fn what_is_sent_about_each_execution_of_1_3_is_what_the_recorded_server_sent() {
    let sent = seen(&plan("1.3", STARTED), &ALERTS[..1]).sent;
    let wrong = compared(&by_execution(&recorded("1.3")), &by_execution(&sent), BODIES_DIFFER);
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Executions of 0.20.7; which there were is known from what was sent about them.
const STARTED_0_20: &str = "\
commands:
  - { at: 1m, execute: webhooks-all }
  - { at: 2m, execute: failing-prod }
  - { at: 3m, execute: failing }
  - { at: 4m, execute: warning-allowfailure-prop }
  - { at: 5m, execute: warning }
  - { at: 6m, execute: retrying }
  - { at: 7m, execute: timing-out }
  - { at: 8m, execute: err-inline }
  - { at: 9m, execute: retry-failed-task }
  - { at: 10m, execute: hello-world }
  - { at: 11m, execute: nap-short }
  - { at: 12m, execute: loops }
  - { at: 13m, execute: sla-fail }
timeline:
  - { at: 5m59s, task-failures: { task: flaky, share: 100% }, for: 2s }
";

/// Messages of 0.20.7 that are not sent alike: about which flow, and why.
const BODIES_DIFFER_0_20: &[(&str, &str)] = &[
    ("company.team.long-sleep", "its flow was not kept"),
    ("company.team.loops", "it failed of a task that the flow that was kept does not have"),
];

/// What was sent about executions that went alike is there once; an execution that was there before all alert flows were
/// went like one that was heard by all.
fn distinct(mut sent: BTreeMap<String, Vec<Sent>>) -> BTreeMap<String, Vec<Sent>> {
    for executions in sent.values_mut() {
        executions.iter_mut().for_each(Vec::dedup);
        executions.dedup();
        let all = executions.clone();
        let part = |one: &Sent, of: &Sent| one.len() < of.len() && one.iter().all(|it| of.contains(it));
        executions.retain(|one| !all.iter().any(|other| part(one, other)));
    }
    sent
}

#[test]
fn what_is_sent_about_executions_of_0_20_is_what_the_recorded_server_sent() {
    let plan = plan("0.20", STARTED_0_20);
    let sent = seen(&plan, &["alert-failures"]).sent;
    let (recorded, ours) = (distinct(by_execution(&recorded("0.20"))), distinct(by_execution(&sent)));
    let wrong = compared(&recorded, &ours, BODIES_DIFFER_0_20);
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Executions of 2.0.0 (runs.txt); `failed` of other.team is one of the same tasks.
const STARTED_2_0: &str = "\
commands:
  - { at: 1m, execute: company.team.failed }
  - { at: 2m, execute: company.team.warn }
  - { at: 3m, execute: company.team.ok }
  - { at: 4m, execute: other.team.failed }
  - { at: 5m, execute: company.team.sleep }
  - { at: 5m10s, kill: company.team.sleep }
behaviour: [ { flow: company.team.sleep, duration: 30s } ]
";

/// Messages of 2.0.0 that are not sent alike: about which flow, and why.
const BODIES_DIFFER_2_0: &[(&str, &str)] = &[];

#[test]
fn what_is_sent_about_executions_of_2_0_is_what_the_recorded_server_sent() {
    let other = "  - id: failed\n    namespace: other.team\n    \
                 tasks: [ { id: boom, type: io.kestra.plugin.core.execution.Fail } ]\n";
    let (plan, told) = scenario("2.0", OLD, STARTED_2_0, other);
    let plan = Arc::new(plan.unwrap_or_else(|| panic!("{told}")));
    let sent = seen(&plan, &["alert-no-filter"]).sent;
    let wrong = compared(&by_execution(&recorded("2.0")), &by_execution(&sent), BODIES_DIFFER_2_0);
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_flows_that_2_0_refused_are_refused() {
    let (plan, told) = scenario("2.0", "no such name", STARTED_2_0, "");
    assert!(plan.is_none());
    let answers = capture_of("2.0", "alerting/runs.txt");
    let answers: Vec<(&str, bool)> = answers
        .lines()
        .filter_map(|line| {
            Some((line.split(".yaml ").next()?, line.contains(" 422 "))).filter(|_| line.contains(".yaml "))
        })
        .collect();
    assert_eq!(answers.len(), 10);
    for (flow, refused) in answers {
        let file = format!("/{flow}.yaml:");
        let error = told.split("\n\n").any(|it| it.starts_with("error: Unrecognized field") && it.contains(&file));
        assert_eq!(error, refused, "{flow}: {told}");
    }
}
