//! Conditions beside the verdicts of Kestra's own classes: tests/captures/core/conditions.tsv holds, one a row, a
//! condition, an execution, whether the condition was taken, what it said, and what a trigger makes of that.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use mock_kestra::document::{self, Reading, Source};
use mock_kestra::execution::trigger::{
    Among, Listeners, Surroundings, TaskRun, Upstream, UpstreamTrigger, Why, Windows,
};
use mock_kestra::flow::holidays::{Unknown, is_holiday};
use mock_kestra::flow::trigger::{Dialect, refused};
use mock_kestra::flow::{self, Flow, State};
use mock_kestra::pebble::{self, Host};
use serde_json::{Map, Value as Json, json};

/// The flow that has the trigger, as it was in the recording.
fn alert(condition: &Json) -> String {
    json!({
        "id": "alert",
        "namespace": "company.alerts",
        "variables": { "limit": 3 },
        "tasks": [{ "id": "hello", "type": "io.kestra.plugin.core.log.Log" }],
        "triggers": [{
            "id": "t",
            "type": "io.kestra.plugin.core.trigger.Flow",
            "states": State::ALL.map(State::name),
            "conditions": [condition],
        }],
    })
    .to_string()
}

/// A flow, unless it or its trigger is refused; with why.
fn read(text: String, dialect: Dialect) -> Result<Flow, String> {
    let (root, told) = document::parse_jackson(&Arc::new(Source { name: "f.yml".to_owned(), text }));
    assert!(told.is_empty(), "{}", document::render(&told));
    let mut reading = Reading::default();
    let flow = flow::read(&root.expect("a document"), &mut reading);
    if reading.failed() {
        return Err(document::render(&reading.finish()));
    }
    let flow = flow.expect("a flow");
    if let Some((_, why)) = refused(&flow, dialect).into_iter().next() {
        return Err(why);
    }
    Ok(flow)
}

/// What an execution of the table has.
struct Execution {
    json: Json,
    labels: Vec<(String, String)>,
    runs: Vec<(String, State, Vec<State>)>,
}

impl Execution {
    fn new(cell: &str) -> Execution {
        let json: Json = serde_json::from_str(cell).expect("an execution");
        let text = |value: &Json| value.as_str().expect("a text").to_owned();
        let labels = match &json["labels"] {
            Json::Object(map) => map.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
            Json::Array(pairs) => pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
            _ => Vec::new(),
        };
        let state = |value: &Json| State::named(value.as_str().expect("a state")).expect("a known state");
        let runs = json["tasks"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|run| {
            let attempts = run["attempts"].as_array().map_or(Vec::new(), |list| list.iter().map(state).collect());
            (text(&run["id"]), state(&run["state"]), attempts)
        });
        let runs = runs.collect();
        Execution { labels, runs, json }
    }

    /// Asks for the verdict of the only trigger of a flow.
    fn why(&self, flow: &Flow, dialect: Dialect) -> Why {
        let name = if dialect == Dialect::V0_20 { "0.20" } else { "1.3" };
        let templates = pebble::Dialect::named(name).expect("a dialect");
        let none = Map::new();
        let text = |key: &str| self.json[key].as_str().expect("a text");
        let runs: Vec<TaskRun<'_>> = self
            .runs
            .iter()
            .map(|(task, state, attempts)| TaskRun {
                task,
                value: None,
                within: &[],
                state: *state,
                outputs: None,
                attempts,
            })
            .collect();
        let trigger = self.json["trigger"].as_object().map(|trigger| UpstreamTrigger {
            schedule: trigger["type"] == "io.kestra.plugin.core.trigger.Schedule",
            variables: trigger["variables"].as_object().expect("variables"),
        });
        let start = "2026-01-05T08:00:00Z".parse().expect("a date");
        let upstream = Upstream {
            id: "x1",
            namespace: text("namespace"),
            flow: text("flowId"),
            revision: 1,
            state: State::named(text("state")).expect("a state"),
            labels: &self.labels,
            inputs: self.json["inputs"].as_object().unwrap_or(&none),
            outputs: self.json["outputs"].as_object(),
            variables: None,
            trigger,
            task_runs: (self.json["taskRunListNull"] != true).then_some(&runs),
            kind: None,
            start,
            end: None,
            original: None,
        };
        let listeners = Listeners::new(std::slice::from_ref(flow), dialect, templates, TimeZone::UTC);
        let host = Host::at(start);
        let around = Surroundings { base: &none, host: &host };
        let mut verdicts = listeners.why(&Windows::default(), &upstream, start, &around, Among::All);
        let fired = listeners.transition(&mut Windows::default(), &upstream, start, &around, Among::All);
        let why = verdicts.remove(0).why;
        assert_eq!(why == Why::Fires, !fired.is_empty(), "why and transition agree");
        why
    }
}

/// The words of an exception without its class and what is behind them.
fn words(cell: &str) -> &str {
    let words = cell.strip_prefix("EXC ").unwrap_or(cell);
    let words = words.split(" <- ").next().expect("words").split("\\n").next().expect("words");
    words.split_once(": ").map_or("", |(_, words)| words)
}

#[test]
fn conditions_say_what_kestras_own_say() {
    let table = include_str!("captures/core/conditions.tsv");
    let (mut wrong, mut rows) = (Vec::new(), 0);
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [version, condition, execution, load, test, counts_as] = cells.as_slice() else { panic!("{line}") };
        let dialect = if version.starts_with("0.20") { Dialect::V0_20 } else { Dialect::V1_3 };
        let mut condition: Json = serde_json::from_str(condition).expect("a condition");
        // It was asked without the window that a trigger keeps for it, as inside another condition.
        if *load == "ok" && condition["id"] == "m" {
            condition = json!({ "type": "io.kestra.plugin.core.condition.Or", "conditions": [condition] });
        }
        rows += 1;
        let ours = match read(alert(&condition), dialect) {
            Err(why) if *load == "ok" => format!("refused: {why}"),
            Err(_) => continue,
            Ok(_) if *load != "ok" => "taken".to_owned(),
            Ok(flow) => match Execution::new(execution).why(&flow, dialect) {
                Why::Fires if *counts_as == "true" && *test == "true" => continue,
                Why::Condition { .. } if *counts_as == "false" && *test == "false" => continue,
                Why::Failed { failure, .. } if failure.to_string() == words(test) => continue,
                Why::Failed { failure, .. } => format!("failed: {failure}"),
                other => format!("{other:?}"),
            },
        };
        wrong.push(format!(
            "{version} {condition}\n  {execution}\n  Kestra: {load} | {test} | {counts_as}\n  here: {ours}"
        ));
    }
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(rows, 977);
}

#[test]
fn easter_is_when_it_was() {
    for (year, month, day) in [
        (1818, 3, 22),
        (1943, 4, 25),
        (1954, 4, 18),
        (1981, 4, 19),
        (2008, 3, 23),
        (2024, 3, 31),
        (2026, 4, 5),
        (2049, 4, 18),
    ] {
        // Easter Sunday and Good Friday are there in the Netherlands, and the days between them are not.
        let sunday = date(year, month, day);
        let is = |days: i64| {
            let date = sunday.checked_sub(jiff::SignedDuration::from_hours(days * 24)).expect("a date");
            is_holiday(date, "NL", None, true)
        };
        assert_eq!([is(0), is(1), is(2)], [Ok(true), Ok(false), Ok(true)], "{sunday}");
    }
}

#[test]
fn holidays_fall_and_are_moved_as_the_library_has_them() {
    let is = |date: Date, country: &str, division: Option<&str>| is_holiday(date, country, division, true);
    for (day, country, division, expected) in [
        // Kestra's own cases (section 7 of the facts about its alerting).
        (date(2023, 7, 14), "FR", None, true),
        (date(2023, 3, 8), "DE", Some("BE"), true),
        (date(2023, 3, 8), "DE", None, false),
        (date(2023, 1, 2), "FR", None, false),
        // The new year of 2028 is a Saturday, and its Friday is of another year.
        (date(2027, 12, 31), "US", None, false),
        (date(2023, 1, 2), "US", None, true),
        (date(2026, 11, 3), "US", None, false),
        (date(2022, 1, 3), "GB", Some("EN"), true),
        (date(2022, 1, 4), "GB", Some("sc"), true),
        (date(2022, 12, 27), "GB", None, true),
        (date(2026, 11, 18), "de", Some("sn"), true),
        (date(2025, 4, 26), "NL", None, true),
        (date(2025, 4, 27), "NL", None, false),
        (date(2006, 6, 5), "FR", None, false),
        (date(2026, 5, 25), "FR", None, true),
        (date(2026, 7, 21), "BE", Some("anything"), true),
        (date(2026, 6, 2), "IT", None, true),
    ] {
        assert_eq!(is(day, country, division), Ok(expected), "{day} {country} {division:?}");
    }
    assert_eq!(is_holiday(date(2026, 11, 3), "US", None, false), Ok(true), "an election");
    assert_eq!(is(date(2026, 1, 1), "US", Some("ca")), Err(Unknown::NotSimulated));
    assert_eq!(is(date(2026, 1, 1), "JP", None), Err(Unknown::NotSimulated));
    for code in ["", "FRA", "XX", "\u{df}"] {
        assert_eq!(is(date(2026, 1, 1), code, None), Err(Unknown::Country), "{code}");
    }
}
