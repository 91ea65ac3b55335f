//! Flow triggers beside Kestra's own service: tests/captures/core/flow-triggers.tsv holds series of executions that were
//! shown to it, one step a row: the executions that were created, and the window that was stored.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::table::unescaped;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mock_kestra::document::{self, Reading, Source};
use mock_kestra::execution::trigger::{
    Among, CORRELATION, Fired, Listeners, Surroundings, TaskRun, Upstream, UpstreamTrigger, Window, Windows,
};
use mock_kestra::flow::trigger::{Dialect, refused};
use mock_kestra::flow::{self, Flow, State};
use mock_kestra::pebble::{self, Host};
use serde_json::{Map, Value as Json, json};

/// One row.
#[derive(Clone, Debug)]
struct Step {
    step: String,
    now: String,
    execution: String,
    result: String,
    windows: String,
}

/// A series of executions and the triggers they were shown to.
#[derive(Debug)]
struct Case {
    version: String,
    name: String,
    triggers: Json,
    steps: Vec<Step>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("captures/core/flow-triggers.tsv").lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [version, name, step, now, triggers, execution, result, windows] = cells.as_slice() else {
            panic!("{line}")
        };
        // Names are there more than once; the first row of each case has its triggers.
        if !triggers.is_empty() {
            let triggers = serde_json::from_str(triggers).expect("triggers");
            cases.push(Case { version: (*version).to_owned(), name: (*name).to_owned(), triggers, steps: Vec::new() });
        }
        let case = cases.last_mut().expect("a case");
        assert_eq!((case.version.as_str(), case.name.as_str()), (*version, *name));
        let [step, now, execution, windows] = [step, now, execution, windows].map(|cell| (*cell).to_owned());
        let result = unescaped(result);
        case.steps.push(Step { step, now, execution, result, windows });
    }
    cases
}

impl Case {
    fn dialect(&self) -> (Dialect, &'static pebble::Dialect) {
        let (dialect, name) = match &self.version {
            version if version.starts_with("0.20") => (Dialect::V0_20, "0.20"),
            version if version.starts_with("1.3") => (Dialect::V1_3, "1.3"),
            _ => (Dialect::V2_0, "2.0"),
        };
        (dialect, pebble::Dialect::named(name).expect("a dialect"))
    }

    /// The id of the alert flow: its number shows where a template printed it.
    fn id(&self) -> String {
        let digits = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next().map(str::to_owned);
        let printed = self.steps.iter().find_map(|step| step.result.split("alert-").nth(1).and_then(digits));
        format!("alert-{}", printed.unwrap_or_else(|| "1".to_owned()))
    }

    /// The flow with the triggers, unless it is refused; with why.
    fn flow(&self) -> Result<Flow, String> {
        let label = match self.name.as_str() {
            "labels" | "labels list" => Some("sre"),
            "label override" => Some("flow"),
            _ => None,
        };
        let text = json!({
            "id": self.id(),
            "namespace": "company.alerts",
            "labels": label.map_or(json!({}), |label| json!({ "team": label })),
            "disabled": self.name == "flow disabled",
            "tasks": [{ "id": "hello", "type": "io.kestra.plugin.core.log.Log" }],
            "triggers": self.triggers,
        });
        let source = Source { name: "f.yml".to_owned(), text: text.to_string() };
        let (root, told) = document::parse_jackson(&Arc::new(source));
        assert!(told.is_empty(), "{}", document::render(&told));
        let mut reading = Reading::default();
        let flow = flow::read(&root.expect("a document"), &mut reading);
        if reading.failed() {
            return Err(document::render(&reading.finish()));
        }
        let flow = flow.expect("a flow");
        match refused(&flow, self.dialect().0).into_iter().next() {
            Some((_, why)) => Err(why),
            None => Ok(flow),
        }
    }
}

/// What a step shows.
struct Shown {
    id: String,
    json: Json,
    labels: Vec<(String, String)>,
    now: Timestamp,
}

impl Shown {
    fn new(step: &Step, own: &str) -> Shown {
        let mut json: Json = serde_json::from_str(&step.execution).expect("an execution");
        if json["flowId"] == "SELF" {
            json["flowId"] = own.into();
        }
        let labels = json["labels"].as_object().cloned().unwrap_or_default();
        let labels = labels.into_iter().map(|(key, value)| (key, value.as_str().expect("a text").to_owned())).collect();
        let now = format!("{}Z", step.now).parse().expect("a date");
        Shown { id: format!("x{}", step.step), json, labels, now }
    }

    fn transition(&self, listeners: &Listeners, windows: &mut Windows) -> Vec<Fired> {
        let none = Map::new();
        let text = |key: &str| self.json[key].as_str().expect("a text");
        let state = |value: &Json| State::named(value.as_str().unwrap_or("SUCCESS")).expect("a state");
        let runs: Vec<TaskRun<'_>> = self.json["tasks"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|run| TaskRun {
                task: run["id"].as_str().expect("an id"),
                value: run["value"].as_str(),
                within: &[],
                state: state(&run["state"]),
                outputs: run["outputs"].as_object(),
                attempts: &[],
            })
            .collect();
        let state = state(&self.json["state"]);
        let upstream = Upstream {
            id: &self.id,
            namespace: text("namespace"),
            flow: text("flowId"),
            revision: 1,
            state,
            labels: &self.labels,
            inputs: self.json["inputs"].as_object().unwrap_or(&none),
            outputs: self.json["outputs"].as_object(),
            variables: None,
            trigger: self.json["trigger"].as_object().map(|trigger| UpstreamTrigger {
                schedule: true,
                variables: trigger["variables"].as_object().expect("variables"),
            }),
            task_runs: Some(&runs),
            kind: self.json["kind"].as_str(),
            start: self.now,
            end: (state.is_terminated() || state == State::Paused).then_some(self.now),
            original: None,
        };
        let host = Host::at(self.now);
        let around = Surroundings { base: &none, host: &host };
        let before = windows.clone();
        let fired = listeners.transition(windows, &upstream, self.now, &around, Among::All);
        let why = listeners.why(&before, &upstream, self.now, &around, Among::All);
        let fires = why.iter().filter(|verdict| verdict.why == mock_kestra::execution::trigger::Why::Fires);
        assert_eq!(fires.count(), fired.len(), "why and transition agree");
        fired
    }
}

/// An execution as the table has it: dates as that they are there, labels sorted, the id of its own as a word.
fn told(fired: &Fired, flow: &Flow) -> Json {
    let mut labels: Vec<String> = fired.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if fired.own_correlation {
        labels.push(format!("{CORRELATION}=OWN"));
    }
    labels.sort();
    let (state, inputs) = match &fired.failed {
        Some(_) => ("FAILED", Json::Null),
        None => ("CREATED", fired.inputs.clone().into()),
    };
    let id = flow.triggers[fired.trigger].id.as_str();
    plain(json!({ "inputs": inputs, "labels": labels, "state": state, "trigger": fired.variables, "triggerId": id }))
}

/// The same of what was recorded: an execution that had no correlation got its own random id.
fn recorded(mut execution: Json, correlated: bool) -> Json {
    for label in execution["labels"].as_array_mut().expect("labels") {
        if !correlated && label.as_str().expect("a text").starts_with(CORRELATION) {
            *label = format!("{CORRELATION}=OWN").into();
        }
    }
    plain(execution)
}

/// Dates as that they are there, and printed maps as maps: Java's order in them is that of its hashes.
fn plain(mut execution: Json) -> Json {
    for key in ["startDate", "endDate"] {
        if let Some(date) = execution["trigger"].get_mut(key) {
            *date = "there".into();
        }
    }
    if let Some(inputs) = execution["inputs"].as_object_mut() {
        for input in inputs.values_mut() {
            if let Some(Ok(printed @ Json::Object(_))) = input.as_str().map(serde_json::from_str) {
                *input = printed;
            }
        }
    }
    execution
}

/// A date of the table, which leaves out seconds that are zero.
fn instant(text: &str) -> Timestamp {
    let seconds = if text.matches(':').count() == 1 { text.replace('Z', ":00Z") } else { text.to_owned() };
    seconds.parse().expect("a date")
}

/// A window as the table tells it: `p[START .. END {"key":true}]`. Keys of 2.0 are hashes, of which `hashes` learns whose
/// they are.
fn is_told(told: &str, window: Option<&Window>, case: &Case, hashes: &mut BTreeMap<String, String>) -> bool {
    if told == "none" {
        return window.is_none();
    }
    let (Some(window), Some((start, rest))) = (window, told.split_once(" .. ")) else { return false };
    let (end, met) = rest.split_once(' ').expect("an end and what is met");
    let met: Map<String, Json> = serde_json::from_str(met).expect("what is met");
    let mut keys: Vec<String> = met.keys().cloned().collect();
    let mut ours: Vec<String> = window.met.iter().cloned().collect();
    if case.version.starts_with('2') {
        let depends_on = case.triggers[0]["dependsOn"].as_array().expect("dependsOn");
        for ours in &mut ours {
            let at: usize = ours.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a place");
            let dependency = depends_on[at].to_string();
            // The first time, what is not known of the other keys is this one.
            let known: Vec<&String> = hashes.values().collect();
            let unknown = keys.iter().find(|key| !known.contains(key)).cloned();
            *ours = hashes.entry(dependency).or_insert_with(|| unknown.unwrap_or_default()).clone();
        }
    }
    keys.sort();
    ours.sort();
    (instant(start), instant(end)) == (window.start, window.end) && keys == ours
}

/// Whether all stored windows are as the table tells them.
fn windows_are_told(step: &Step, windows: &Windows, case: &Case, hashes: &mut BTreeMap<String, String>) -> bool {
    let mut rest = step.windows.trim();
    let mut right = true;
    while let Some((id, more)) = rest.split_once('[') {
        let (told, more) = more.split_once(']').expect("a closed window");
        right &= is_told(told, windows.get(0, id), case, hashes);
        rest = more.trim();
    }
    right
}

#[test]
fn flow_triggers_start_what_kestras_own_start() {
    let (mut wrong, mut rows, mut hashes) = (Vec::new(), 0, BTreeMap::new());
    for case in cases() {
        let refused = case.steps[0].result.starts_with("REJECTED") || case.steps[0].result.starts_with("invalid");
        let head = format!("{} {}: {}", case.version, case.name, case.triggers);
        let flow = match case.flow() {
            Ok(_) if refused => {
                wrong.push(format!("{head}\n  Kestra: {}\n  here it is taken", case.steps[0].result));
                continue;
            }
            Err(_) if refused => {
                rows += case.steps.len();
                continue;
            }
            Err(why) => {
                wrong.push(format!("{head}\n  here it is refused: {why}"));
                continue;
            }
            Ok(flow) => flow,
        };
        let (dialect, templates) = case.dialect();
        let listeners = Listeners::new(std::slice::from_ref(&flow), dialect, templates, TimeZone::UTC);
        let mut windows = Windows::default();
        for step in &case.steps {
            rows += 1;
            let shown = Shown::new(step, &flow.id);
            let fired = shown.transition(&listeners, &mut windows);
            let ours: Vec<Json> = fired.iter().map(|fired| told(fired, &flow)).collect();
            let correlated = shown.labels.iter().any(|(key, _)| key == CORRELATION);
            let theirs: Vec<Json> = match step.result.starts_with("EXC") {
                // What throws starts nothing.
                true => Vec::new(),
                false => {
                    let list: Vec<Json> = serde_json::from_str(&step.result).expect("executions");
                    list.into_iter().map(|execution| recorded(execution, correlated)).collect()
                }
            };
            let stored = windows_are_told(step, &windows, &case, &mut hashes);
            if ours != theirs || !stored {
                let (ours, theirs) = (json!(ours), json!(theirs));
                wrong.push(format!(
                    "{head}\n  {} {}\n  Kestra: {theirs} | {}\n  here:   {ours} | {windows:?}",
                    step.step, step.execution, step.windows
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(rows, 663);
}

#[test]
fn windows_that_have_ended_are_listed_until_they_are_asked_for_again() {
    let flow_of = |name: &str| json!({ "namespace": "company.team", "flowId": name, "states": ["SUCCESS"] });
    let success = |name: &str| json!({ "namespace": "company.team", "flowId": name, "state": "SUCCESS" }).to_string();
    // The window, when an execution opens it, and when it is over.
    for (window, opened, last, over) in [
        (json!({ "type": "DAILY_TIME_DEADLINE", "deadline": "09:00:00" }), "08:00:00", "08:59:59", "09:00:00"),
        (json!({ "type": "SLIDING_WINDOW", "window": "PT1H" }), "08:30:00", "09:29:59", "09:30:00"),
        (
            json!({ "type": "DURATION_WINDOW", "window": "PT15M", "windowAdvance": "-PT5M" }),
            "08:06:00",
            "08:09:59",
            "08:10:00",
        ),
        (
            json!({ "type": "DAILY_TIME_WINDOW", "startTime": "06:00:00", "endTime": "12:00:00" }),
            "08:00:00",
            "11:59:59",
            "12:00:00",
        ),
    ] {
        let step = |at: &str, name: &str| Step {
            step: "1".to_owned(),
            now: format!("2026-01-05T{at}"),
            execution: success(name),
            result: String::new(),
            windows: String::new(),
        };
        let case = Case {
            version: "1.3.19".to_owned(),
            name: "own".to_owned(),
            triggers: json!([{
                "id": "t",
                "type": "io.kestra.plugin.core.trigger.Flow",
                "preconditions": { "id": "p", "timeWindow": window.clone(), "flows": [flow_of("a"), flow_of("b")] },
            }]),
            steps: Vec::new(),
        };
        let flow = case.flow().expect("a flow");
        let (dialect, templates) = case.dialect();
        let listeners = Listeners::new(std::slice::from_ref(&flow), dialect, templates, TimeZone::UTC);
        let mut windows = Windows::default();
        let at = |time: &str| instant(&format!("2026-01-05T{time}Z"));
        assert!(Shown::new(&step(opened, "a"), &flow.id).transition(&listeners, &mut windows).is_empty());
        assert_eq!(windows.expired(at(last)), [], "{window}");
        assert_eq!(windows.expired(at(over)), [(0, "p")], "{window}");
        // What comes then finds no window that counts, and the one that is over is kept no longer.
        assert!(Shown::new(&step(over, "b"), &flow.id).transition(&listeners, &mut windows).is_empty(), "{window}");
        assert_eq!(windows.expired(at(over)), [], "{window} {windows:?}");
    }
}
