//! Executions and log entries as documents: they have the form, the fields and the numbers that a Kestra's have. With a real
//! OpenSearch too: `.ci/opensearch` puts it under target/peers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::capture_of;
use common::server::{binary, plan};
use mock_kestra::documents::{Documents, INDICES};
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::scenario::Plan;
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;
use serde_json::Value;

/// Documents by index and id: what a store has in the end.
type Stored = BTreeMap<(String, String), Value>;

/// Reads the bulk format as strictly as it is written: an action with an index and an id, and an object, in turns.
fn read(text: &str, stored: &mut Stored) -> usize {
    assert!(text.is_empty() || text.ends_with('\n'), "it ends with a line");
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks(2) {
        let [action, document] = pair else { panic!("an action without its document: {pair:?}") };
        let action: Value = serde_json::from_str(action).expect("an action");
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            (keys(&action), keys(&action["index"])),
            (vec!["index".into()], vec!["_index".into(), "_id".into()])
        );
        let text = |key: &str| action["index"][key].as_str().expect("a text").to_owned();
        let (index, id) = (text("_index"), text("_id"));
        assert!(id.len() <= 22 && id.bytes().all(|it| it.is_ascii_alphanumeric()), "{id}");
        let document: Value = serde_json::from_str(document).expect("a document");
        assert!(document.is_object());
        stored.insert((index, id), document);
    }
    lines.len() / 2
}

fn of<'s>(stored: &'s Stored, index: &'static str) -> impl Iterator<Item = &'s Value> {
    stored.iter().filter(move |((of, _), _)| of == index).map(|(_, document)| document)
}

/// What the command line exports.
fn exported(scenario: &str, more: &[&str]) -> (String, Stored) {
    let output = binary().args(["export", "elasticsearch", scenario]).args(more).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let mut stored = Stored::new();
    let written = read(&text, &mut stored);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(&format!("standard output: {written} documents")), "{told}");
    (text, stored)
}

/// Figures of the report of a run, by what they are of.
fn figures(scenario: &str) -> BTreeMap<String, u64> {
    let output = binary().args(["run", scenario, "--format", "json"]).output().expect("it runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let of = |it: &Value| Some((it["name"].as_str()?.trim().to_owned(), it["truth"].as_u64()?));
    report["closing"].as_array().expect("figures").iter().filter_map(of).collect()
}

/// The fields that a mapping knows, with their types; what stands in an object whose fields are not known ends with `.*`.
fn mapped(mapping: &Value, at: &str, fields: &mut BTreeMap<String, String>) {
    let properties = mapping["properties"].as_object().expect("properties");
    if properties.is_empty() {
        fields.insert(format!("{at}*"), String::new());
    }
    for (name, field) in properties {
        match field.get("properties") {
            Some(_) => mapped(field, &format!("{at}{name}."), fields),
            None => _ = fields.insert(format!("{at}{name}"), field["type"].as_str().expect("a type").to_owned()),
        }
    }
}

/// Looks whether each field of a document is one of the mapping, and of its type.
fn fits(value: &Value, at: &str, fields: &BTreeMap<String, String>, unknown: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|it| fits(it, at, fields, unknown)),
        Value::Object(own) => own.iter().for_each(|(key, it)| {
            let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            fits(it, &at, fields, unknown);
        }),
        value => match fields.get(at).map(String::as_str) {
            Some("keyword" | "text") => assert!(value.as_str().is_some_and(|it| !it.is_empty()), "{at}: {value}"),
            Some("date") => {
                let date = value.as_str().and_then(|it| it.parse::<jiff::Timestamp>().ok());
                assert!(date.is_some() && value.as_str().unwrap().ends_with('Z'), "{at}: {value}");
            }
            Some("double") => assert!(value.as_f64().is_some_and(|it| it >= 0.0), "{at}: {value}"),
            Some("integer") => assert!(value.is_u64() || value.is_null(), "{at}: {value}"),
            Some("boolean") => assert!(value.is_boolean(), "{at}: {value}"),
            Some(other) => panic!("{at} has the type {other}"),
            None => {
                let object = fields.keys().filter_map(|it| it.strip_suffix('*')).any(|it| at.starts_with(it));
                if !object {
                    unknown.insert(at.to_owned());
                }
            }
        },
    }
}

#[test]
fn documents_have_the_fields_of_the_mappings_and_the_numbers_of_the_report() {
    for scenario in ["worker-killed", "healthy", "executor-down", "indexer-dead", "results-lost"] {
        let (text, stored) = exported(scenario, &[]);
        let mut unknown = BTreeSet::new();
        for index in INDICES {
            let body: Value = serde_json::from_str(index.body()).expect("JSON");
            let mut fields = BTreeMap::new();
            mapped(&body["mappings"], "", &mut fields);
            let name = format!("kestra_{}", index.name());
            stored.iter().filter(|((of, _), _)| *of == name).for_each(|(_, it)| fits(it, "", &fields, &mut unknown));
        }
        // What came after the last open mapping: it is stored, and not searched.
        let later = ["labels.key", "labels.value", "originalId"].map(str::to_owned);
        assert!(unknown.iter().all(|it| later.contains(it)), "{scenario}: {unknown:?}");
        let figures = figures(scenario);
        let executions: Vec<&Value> = of(&stored, "kestra_executions").collect();
        assert_eq!(executions.len() as u64, figures["executions created"], "{scenario}");
        let mut states: BTreeMap<&str, u64> = BTreeMap::new();
        for it in &executions {
            if it["state"].get("endDate").is_some() {
                *states.entry(it["state"]["current"].as_str().unwrap()).or_default() += 1;
            }
        }
        for (state, count) in &states {
            assert_eq!(*count, figures[&format!("as {state}")], "{scenario}: {state}");
        }
        assert_eq!(states.values().sum::<u64>(), figures["executions ended"], "{scenario}");
        assert_eq!(of(&stored, "kestra_logs").count() as u64, figures["log lines indexed"], "{scenario}");
        assert_eq!(exported(scenario, &[]).0, text, "a second export is the same");
        let other = exported(scenario, &["--seed", "2", "--prefix", "other-"]).1;
        assert!(other.keys().all(|key| !stored.contains_key(key)));
    }
}

#[test]
fn histories_are_in_order_and_give_the_times_beside_them() {
    let (_, stored) = exported("results-lost", &[]);
    let date = |value: &Value| value.as_str().expect("a date").parse::<jiff::Timestamp>().expect("a date");
    let check = |state: &Value| {
        let histories = state["histories"].as_array().expect("histories");
        let dates: Vec<_> = histories.iter().map(|it| date(&it["date"])).collect();
        assert!(dates.is_sorted(), "{state}");
        assert_eq!(date(&state["startDate"]), dates[0]);
        assert_eq!(histories.last().unwrap()["state"], state["current"], "{state}");
        assert_eq!(histories[0]["state"], "CREATED", "{state}");
        if let Some(end) = state.get("endDate") {
            assert_eq!(date(end), *dates.last().unwrap());
            let seconds = date(end).duration_since(dates[0]).as_secs_f64();
            assert!((state["duration"].as_f64().unwrap() - seconds).abs() < 1e-5, "{state}");
        }
    };
    let mut attempts = 0;
    for execution in of(&stored, "kestra_executions") {
        check(&execution["state"]);
        for run in execution["taskRunList"].as_array().into_iter().flatten() {
            check(&run["state"]);
            assert_eq!(run["executionId"], execution["id"]);
            for attempt in run["attempts"].as_array().into_iter().flatten() {
                check(&attempt["state"]);
                attempts += 1;
            }
        }
    }
    assert!(attempts > 100, "{attempts}");
}

/// A simulation that is looked at at some instants: what is stored in the end.
fn followed(plan: &Arc<Plan>, looks: &[u64], end: Instant) -> Stored {
    let mut session = Session::new(plan.clone(), Seed(3), Calendar::default()).for_documents();
    let mut documents = Documents::new(Documents::PREFIX);
    let mut stored = Stored::new();
    for at in looks.iter().map(|at| Instant::START + Duration::seconds(*at)).chain([end]) {
        session.advance(at).expect("no limit");
        read(std::str::from_utf8(documents.news(session.simulation()).text()).unwrap(), &mut stored);
        assert_eq!(documents.lost(), 0);
    }
    stored
}

/// Tasks that hold others, retries, a Subflow, a sla, a limit and triggers.
const BUSY: &str = "name: busy
duration: 10m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 2, indexer: 1 } }
flows:
  - id: child
    namespace: n
    tasks: [ { id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT3S } ]
  - id: parent
    namespace: n
    labels: { team: data }
    inputs: [ { id: day, type: STRING, defaults: monday } ]
    tasks:
      - { id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: n, flowId: child, wait: true }
      - id: each
        type: io.kestra.plugin.core.flow.ForEach
        values: [ a, b ]
        tasks: [ { id: hello, type: io.kestra.plugin.core.log.Log, message: hello }, { id: load, type: n.Load, retry: { type: constant, maxAttempts: 3, interval: PT2S } } ]
      - id: rows
        type: io.kestra.plugin.core.metric.Publish
        metrics: [ { name: rows, type: counter, value: 42, tags: { table: t, none: '' } } ]
  - id: late
    namespace: n
    sla: [ { id: soon, type: MAX_DURATION, duration: PT1S, behavior: FAIL } ]
    tasks: [ { id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT8S } ]
  - id: polled
    namespace: n
    tasks: [ { id: hello, type: io.kestra.plugin.core.log.Log, message: hello } ]
    triggers: [ { id: http, type: io.kestra.plugin.core.http.Trigger, uri: 'http://x', interval: PT20S } ]
behaviour: [ { task: load, duration: 2s, fails: 30% }, { task: http, fires: 50%, fails: 20% } ]
arrivals: [ { flow: n.parent, rate: 6/min }, { flow: n.late, rate: 2/min } ]
timeline: [ { at: 3m, kill: worker-1, for: 1m }, { at: 5m, kill: indexer-1, for: 2m } ]
";

proptest! {
    #![proptest_config(common::config(12))]

    /// Whenever it is looked, the same is stored in the end, and each look brings what is new.
    #[test]
    fn what_is_stored_in_the_end_does_not_depend_on_when_it_was_looked(
        mut looks in proptest::collection::vec(0u64..600, 0..40)
    ) {
        let plan = Arc::new(plan(BUSY));
        looks.sort_unstable();
        let end = Instant::START + Duration::minutes(10);
        let often: Vec<u64> = (0..600).collect();
        let expected = followed(&plan, &often, end);
        prop_assert!(expected.len() > 100);
        prop_assert_eq!(followed(&plan, &looks, end), expected);
    }
}

/// Of a busy cluster: documents of an index that are so.
fn busy(version: &str, index: &'static str, is: impl Fn(&Value) -> bool) -> Vec<Value> {
    let text = format!("{BUSY}kestra: \"{version}\"\n");
    let stored = followed(&Arc::new(plan(&text)), &[], Instant::START + Duration::minutes(10));
    of(&stored, index).filter(|it| is(it)).cloned().collect()
}

#[test]
fn log_entries_have_the_form_of_recorded_ones() {
    let recorded = capture_of("0.20", "documents/log_entries.jsonl");
    let recorded: Vec<Value> = recorded.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let keys = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let all = busy("0.20", "kestra_logs", |_| true);
    // By message, where both have such a line: the same fields in the same order, level, and the same words around names.
    let pairs = [
        ("Waiting for PT30S", "Waiting for PT3S"),
        ("Hello", "hello"),
        ("started", "Type io.kestra.plugin.core.http.Trigger started"),
        ("completed in", "Type io.kestra.plugin.core.http.Trigger completed in"),
        ("Created new execution", "Created new execution"),
        ("SLA 'maxDuration' violated", "SLA 'soon' violated"),
        ("Execution failed due to SLA", "Execution failed due to SLA"),
    ];
    for (theirs, ours) in pairs {
        let message = |it: &&Value, part: &str| {
            let text = it["message"].as_str().unwrap_or_default();
            if part.starts_with("SLA") { text.starts_with(part) } else { text.contains(part) }
        };
        let theirs = recorded.iter().find(|it| message(it, theirs)).unwrap_or_else(|| panic!("no {theirs} recorded"));
        let ours = all.iter().find(|it| message(it, ours)).unwrap_or_else(|| panic!("no {ours}"));
        assert_eq!(keys(ours), keys(theirs), "{ours}");
        assert_eq!(ours["level"], theirs["level"], "{ours}");
        assert_eq!(ours["attemptNumber"], theirs["attemptNumber"], "{ours}");
        let form = |it: &Value| {
            let text = it["message"].as_str().unwrap();
            let names =
                ["company.team", "http-poll-error", "http-poll", "hello-world", "maxDuration", "polled", "soon"];
            let text = names.iter().fold(text.to_owned(), |text, name| text.replace(name, "NAME"));
            let word =
                |it: &str| if it.contains(|sign: char| sign.is_ascii_digit()) { "X".to_owned() } else { it.to_owned() };
            text.split([' ', '"']).map(word).collect::<Vec<_>>().join(" ")
        };
        if ours["message"] != "hello" && !ours["message"].as_str().unwrap().starts_with("Created") {
            assert_eq!(form(ours).replace("[namespace: n]", "[namespace: NAME]"), form(theirs));
        }
    }
}

#[test]
fn executions_have_the_fields_of_a_recorded_one() {
    let recorded: Value = serde_json::from_str(&capture_of("2.0", "documents/execution.json")).expect("JSON");
    let ours =
        busy("2.0", "kestra_executions", |it| it["flowId"] == "parent" && it["taskRunList"].as_array().is_some());
    let ours = ours.iter().find(|it| it["state"]["current"] == "SUCCESS").expect("one that went well");
    let keys = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let without = |mut keys: BTreeSet<String>, names: &[&str]| {
        keys.retain(|key| !names.contains(&key.as_str()));
        keys
    };
    // `metadata` and the worker's id came with 1.x, `outputs` are not written.
    assert_eq!(without(keys(ours), &["inputs"]), without(keys(&recorded), &["metadata", "inputs"]));
    let theirs = &recorded["taskRunList"][0];
    let run = ours["taskRunList"].as_array().unwrap().iter().find(|it| it["taskId"] == "hello").expect("a task run");
    assert_eq!(without(keys(run), &["value", "parentTaskRunId"]), without(keys(theirs), &["outputs"]));
    assert_eq!(run["value"], "a");
    let ended = |keys| without(keys, &["endDate", "duration"]);
    assert_eq!(ended(keys(&run["state"])), keys(&theirs["state"]));
    assert_eq!(keys(&run["attempts"][0]), without(keys(&theirs["attempts"][0]), &["workerId"]));
    assert_eq!(keys(&run["state"]["histories"][0]), keys(&theirs["state"]["histories"][0]));
    let parents: BTreeSet<&str> =
        ours["taskRunList"].as_array().unwrap().iter().filter_map(|it| it["id"].as_str()).collect();
    assert!(parents.contains(run["parentTaskRunId"].as_str().expect("a parent")));
    let rows = ours["taskRunList"].as_array().unwrap().iter().find(|it| it["taskId"] == "rows").expect("a task run");
    let metric = serde_json::json!([{ "name": "rows", "tags": { "table": "t" }, "value": 42.0, "type": "counter" }]);
    assert_eq!(rows["attempts"][0]["metrics"], metric);
    let polled = busy("2.0", "kestra_executions", |it| it["flowId"] == "polled");
    assert!(!polled.is_empty() && polled.iter().all(|it| it["trigger"]["id"] == "http"));
}

#[test]
fn all_attempts_of_a_task_run_have_its_id() {
    let retried = busy("1.3", "kestra_executions", |it| {
        it["taskRunList"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|it| it["attempts"].as_array().is_some_and(|it| it.len() > 1))
    });
    assert!(!retried.is_empty());
    let logs = busy("1.3", "kestra_logs", |it| it["attemptNumber"].as_u64().is_some_and(|it| it > 0));
    assert!(!logs.is_empty());
    let runs: BTreeSet<&str> = retried
        .iter()
        .flat_map(|it| it["taskRunList"].as_array().into_iter().flatten())
        .filter_map(|it| it["id"].as_str())
        .collect();
    assert!(logs.iter().all(|it| runs.contains(it["taskRunId"].as_str().expect("a task run"))));
}

/// What was recorded of each version's log entries (standalone/activity, busy_20naps_4threads, sleep20).
#[test]
fn entries_are_written_as_often_as_recorded() {
    let text = |version: &str, more: &str| {
        format!(
            "name: x\nkestra: \"{version}\"\nduration: 1m\ncluster: {{ members: {{ standalone: 1 }} }}\n\
             flows:\n  - {{ id: nap, namespace: n, tasks: [ {{ id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT10S }} ] }}\n\
             \x20 - id: poll\n    namespace: n\n    tasks: [ {{ id: hello, type: io.kestra.plugin.core.log.Log, message: hello }} ]\n\
             \x20   triggers: [ {{ id: http, type: io.kestra.plugin.core.http.Trigger, uri: 'http://x', interval: PT10S }} ]\n{more}"
        )
    };
    let lines = |version: &str, more: &str| {
        let plan = Arc::new(plan(&text(version, more)));
        let mut session = Session::new(plan, Seed(1), Calendar::default());
        session.advance(Instant::START + Duration::seconds(75)).expect("no limit");
        let truth = session.simulation().truth().clone();
        (truth.log_lines, truth.created, truth.polls_ended)
    };
    let executed = "behaviour: [ { task: http, duration: 100ms, fires: 0 } ]\ncommands: [ { at: 1s, execute: n.nap }, { at: 2s, execute: n.nap } ]\n";
    for (version, of_request, of_poll) in [("0.20", 0, 3), ("1.3", 1, 4), ("2.0", 0, 4)] {
        let (lines, created, polls) = lines(version, executed);
        assert!(created == 2 && polls > 3, "{created} {polls}");
        assert_eq!(lines, created * (1 + of_request) + polls * of_poll, "{version}");
    }
    let failing = "behaviour: [ { task: http, duration: 100ms, fires: 0, fails: 100% } ]\n";
    for (version, of_poll) in [("0.20", 5), ("1.3", 9), ("2.0", 9)] {
        let (lines, _, polls) = lines(version, failing);
        assert_eq!(lines, polls * of_poll, "{version}");
    }
}
