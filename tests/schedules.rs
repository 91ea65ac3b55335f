//! Schedules: which of their dates conditions let through, which date comes next, what executions are given. Conditions beside
//! the verdicts of Kestra's own classes (tests/captures/core/conditions.tsv), and a law over random ones.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mock_kestra::document::{self, Reading, Source};
use mock_kestra::execution::trigger::{Look, Scheduled, Surroundings};
use mock_kestra::flow::trigger::{Dialect, refused};
use mock_kestra::flow::{self, Flow, TriggerAction};
use mock_kestra::pebble::{self, Host};
use mock_kestra::random::Seed;
use mock_kestra::run::{Session, hearing};
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::time::{Calendar, Instant};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

fn date(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A flow with one Schedule.
fn flow(trigger: &Json, more: &Json) -> String {
    let mut flow = json!({
        "id": "f",
        "namespace": "company.team",
        "variables": { "limit": 3 },
        "tasks": [{ "id": "hello", "type": "io.kestra.plugin.core.log.Log" }],
        "triggers": [trigger],
    });
    flow.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
    flow.to_string()
}

/// A Schedule of a version; with why when it is refused.
fn scheduled(text: String, version: &str) -> Result<(Scheduled, Flow), String> {
    let dialect = match version {
        "0.20" => Dialect::V0_20,
        "1.3" => Dialect::V1_3,
        _ => Dialect::V2_0,
    };
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
    let templates = pebble::Dialect::named(version).expect("a dialect");
    let scheduled = Scheduled::new(&flow, &flow.triggers[0], dialect, templates).expect("a Schedule");
    Ok((scheduled, flow))
}

fn with<R>(now: Timestamp, look: impl FnOnce(&Surroundings<'_>) -> R) -> R {
    let (base, host) = (Map::new(), Host::at(now));
    look(&Surroundings { base: &base, host: &host })
}

fn schedule(cron: &str, zone: &str, more: Json) -> Json {
    let mut trigger = json!({
        "id": "s", "type": "io.kestra.plugin.core.trigger.Schedule", "cron": cron, "timezone": zone,
    });
    trigger.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
    trigger
}

/// The dates that are let through between two, as a scheduler finds them that is never late.
fn fired(scheduled: &Scheduled, flow: &Flow, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let TriggerAction::Schedule(schedule) = &flow.triggers[0].action else { panic!("no Schedule") };
    let mut found = Vec::new();
    let mut due = schedule.next_after(from);
    let mut barren = None;
    while let Some(date) = due.filter(|date| *date < to) {
        due = with(date, |around| {
            if scheduled.look(date, around) == Look::Lets {
                found.push(date);
            }
            let next = scheduled.next(date, date, barren, around);
            barren = next.barren;
            next.date
        });
    }
    found
}

/// Whether a condition is about dates alone, and of which date.
fn of_dates(condition: &Json) -> bool {
    let kind = condition["type"].as_str().unwrap_or_default();
    let kind = kind.rsplit('.').next().unwrap_or_default().trim_end_matches("Condition");
    match kind {
        "DayWeek" | "DayWeekInMonth" | "Weekend" | "TimeBetween" | "DateTimeBetween" => {
            let date = condition["date"].as_str().unwrap_or_default();
            // When it is asked, there is no execution, and no more than a date.
            !date.contains("schedule") && !date.contains("execution")
        }
        "Or" | "Not" => condition["conditions"].as_array().is_some_and(|list| list.iter().all(of_dates)),
        _ => false,
    }
}

#[test]
fn conditions_on_dates_say_of_a_schedule_what_the_recorded_ones_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/core/conditions.tsv");
    let table = std::fs::read_to_string(path).expect("the table");
    let (mut asked, mut wrong) = (0, Vec::new());
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let &[version, condition, execution, load, test, _] = cells.as_slice() else { panic!("{line}") };
        let condition: Json = serde_json::from_str(condition).expect("a condition");
        let execution: Json = serde_json::from_str(execution).expect("an execution");
        if load != "ok" || !of_dates(&condition) {
            continue;
        }
        // A Schedule always has a date.
        let due = execution["trigger"]["variables"]["date"].as_str();
        if due.is_none() && condition.to_string().matches("\"date\"").count() == 0 {
            continue;
        }
        let due = date(due.unwrap_or("2026-01-03T10:00:00Z"));
        let version = version.rsplit_once('.').expect("a version").0;
        let trigger = schedule("* * * * *", "UTC", json!({ "conditions": [condition] }));
        let (scheduled, _) =
            scheduled(flow(&trigger, &json!({})), version).unwrap_or_else(|why| panic!("{line}: {why}"));
        let look = with(due, |around| scheduled.look(due, around));
        let right = match test {
            "true" => look == Look::Lets,
            "false" => matches!(look, Look::Refused(_)),
            _ => matches!(look, Look::Fails(_)),
        };
        asked += 1;
        if !right {
            wrong.push(format!("{line}\n  {look:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked >= 150, "{asked} asked");
}

/// What a random condition asks.
#[derive(Clone, Debug)]
enum Asks {
    Day(usize),
    Nth(usize, usize),
    Weekend,
    Hours(u8, u8),
    Not(Vec<Asks>),
    Or(Vec<Asks>),
}

const DAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
const WHICH: [&str; 5] = ["FIRST", "SECOND", "THIRD", "FOURTH", "LAST"];

fn asks() -> impl Strategy<Value = Asks> {
    let leaf = prop_oneof![
        (0..7_usize).prop_map(Asks::Day),
        (0..7_usize, 0..5_usize).prop_map(|(day, which)| Asks::Nth(day, which)),
        Just(Asks::Weekend),
        (0..23_u8, 1..24_u8).prop_map(|(after, before)| Asks::Hours(after, before)),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        let list = prop::collection::vec(inner, 1..3);
        prop_oneof![list.clone().prop_map(Asks::Not), list.prop_map(Asks::Or)]
    })
}

impl Asks {
    fn json(&self) -> Json {
        let of = |name: &str, more: Json| {
            let mut it = json!({ "type": format!("io.kestra.plugin.core.condition.{name}") });
            it.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
            it
        };
        let all = |list: &[Asks]| Json::Array(list.iter().map(Asks::json).collect());
        match self {
            Asks::Day(day) => of("DayWeek", json!({ "dayOfWeek": DAYS[*day] })),
            Asks::Nth(day, which) => {
                of("DayWeekInMonth", json!({ "dayOfWeek": DAYS[*day], "dayInMonth": WHICH[*which] }))
            }
            Asks::Weekend => of("Weekend", json!({})),
            Asks::Hours(after, before) => of(
                "TimeBetween",
                json!({ "after": format!("{after:02}:30:00Z"), "before": format!("{before:02}:30:00Z") }),
            ),
            Asks::Not(list) => of("Not", json!({ "conditions": all(list) })),
            Asks::Or(list) => of("Or", json!({ "conditions": all(list) })),
        }
    }

    /// The same, read anew: of a date in the zone of the server.
    fn holds(&self, at: Timestamp, nights: bool) -> bool {
        let local = at.to_zoned(TimeZone::UTC).datetime();
        let weekday = |day: usize| local.weekday() == Weekday::from_monday_zero_offset(day as i8).expect("a day");
        match self {
            Asks::Day(day) => weekday(*day),
            Asks::Nth(day, 4) => weekday(*day) && local.day() + 7 > local.days_in_month(),
            Asks::Nth(day, which) => weekday(*day) && (local.day() - 1) / 7 == *which as i8,
            Asks::Weekend => weekday(5) || weekday(6),
            Asks::Hours(after, before) => {
                let minutes = i32::from(local.hour()) * 60 + i32::from(local.minute());
                let (after, before) = (i32::from(*after) * 60 + 30, i32::from(*before) * 60 + 30);
                let (behind, ahead) = (minutes > after, minutes < before);
                if nights && after >= before { behind || ahead } else { behind && ahead }
            }
            Asks::Not(list) => !list.iter().any(|held| held.holds(at, nights)),
            Asks::Or(list) => list.iter().any(|held| held.holds(at, nights)),
        }
    }
}

proptest! {
    #![proptest_config(common::config(24))]

    /// For all conditions and crons: the dates that fire are the dates of the cron that an independent reading lets.
    #[test]
    fn the_dates_that_fire_are_those_that_an_independent_reading_lets(
        conditions in prop::collection::vec(asks(), 1..3),
        cron in prop::sample::select(vec!["0 * * * *", "17 */3 * * *", "30 2 * * *", "0 22 * * 1-5"]),
        zone in prop::sample::select(vec!["UTC", "Europe/Paris", "America/New_York"]),
        version in prop::sample::select(vec!["0.20", "1.3"]),
    ) {
        let all: Vec<Json> = conditions.iter().map(Asks::json).collect();
        let trigger = schedule(cron, zone, json!({ "conditions": all }));
        let (scheduled, flow) = scheduled(flow(&trigger, &json!({})), version).expect("a Schedule");
        // The clocks of two of the zones change in between.
        let (from, to) = (date("2026-03-02T08:00:00Z"), date("2026-04-06T08:00:00Z"));
        let TriggerAction::Schedule(plain) = &flow.triggers[0].action else { panic!("no Schedule") };
        let every = std::iter::successors(plain.next_after(from), |date| plain.next_after(*date));
        let nights = version == "1.3";
        let expected: Vec<Timestamp> = every
            .take_while(|date| *date < to)
            .filter(|date| conditions.iter().all(|asks| asks.holds(*date, nights)))
            .collect();
        // Of what never is Kestra looks through ten years.
        prop_assume!(!expected.is_empty());
        prop_assert_eq!(fired(&scheduled, &flow, from, to), expected);
    }
}

#[test]
fn the_zone_of_a_date_is_that_of_the_server_up_to_1_3_and_its_own_in_2_0() {
    // Half past midnight in Paris on Monday is Sunday in UTC.
    let sunday =
        json!({ "conditions": [{ "type": "io.kestra.plugin.core.condition.DayWeek", "dayOfWeek": "SUNDAY" }] });
    let (old, flow_of_old) =
        scheduled(flow(&schedule("30 0 * * *", "Europe/Paris", sunday), &json!({})), "1.3").expect("a Schedule");
    let when = json!({ "when": "{{ trigger.date | startsWith('2026-01-12T00:30:00+01:00') }}" });
    let (new, flow_of_new) =
        scheduled(flow(&schedule("30 0 * * *", "Europe/Paris", when), &json!({})), "2.0").expect("a Schedule");
    let (from, to) = (date("2026-01-08T00:00:00Z"), date("2026-01-15T00:00:00Z"));
    let found = [date("2026-01-11T23:30:00Z")];
    assert_eq!(fired(&old, &flow_of_old, from, to), found);
    assert_eq!(fired(&new, &flow_of_new, from, to), found);
}

#[test]
fn a_date_that_the_clock_skips_is_not_due_and_conditions_do_not_bring_it_back() {
    let weekend = json!({ "conditions": [{ "type": "io.kestra.plugin.core.condition.Weekend" }] });
    let (scheduled, flow) =
        scheduled(flow(&schedule("30 2 * * *", "Europe/Paris", weekend), &json!({})), "1.3").expect("a Schedule");
    let found = fired(&scheduled, &flow, date("2026-03-27T12:00:00Z"), date("2026-04-06T00:00:00Z"));
    // On Sunday, 29 March, there is no 02:30 in Paris.
    let expected = ["2026-03-28T01:30:00Z", "2026-04-04T00:30:00Z", "2026-04-05T00:30:00Z"];
    assert_eq!(found, expected.map(date));
}

#[test]
fn an_execution_has_the_dates_in_the_zone_of_its_schedule_and_with_conditions_those_that_they_let_through() {
    let weekend = json!({ "conditions": [{ "type": "io.kestra.plugin.core.condition.Weekend" }] });
    for (more, next, previous) in [
        (json!({}), "2026-01-11T09:00:00+01:00", "2026-01-09T09:00:00+01:00"),
        (weekend, "2026-01-11T09:00:00+01:00", "2026-01-04T09:00:00+01:00"),
    ] {
        let (scheduled, _) =
            scheduled(flow(&schedule("0 9 * * *", "Europe/Paris", more), &json!({})), "1.3").expect("a Schedule");
        let due = date("2026-01-10T08:00:00Z");
        let started =
            with(due, |around| scheduled.start(scheduled.dates(due, None, None, around), around)).expect("it starts");
        let expected = json!({ "date": "2026-01-10T09:00:00+01:00", "next": next, "previous": previous });
        assert_eq!(Json::Object(started.variables), expected);
    }
}

#[test]
fn inputs_and_labels_are_rendered_before_there_are_dates() {
    let given = |more: Json, inputs: Json, version: &str| {
        let text =
            flow(&schedule("0 9 * * *", "UTC", more), &json!({ "inputs": inputs, "labels": { "team": "data" } }));
        let (scheduled, _) = scheduled(text, version).expect("a Schedule");
        let due = date("2026-01-10T09:00:00Z");
        with(due, |around| scheduled.start(scheduled.dates(due, None, None, around), around))
    };
    let declared = json!([{ "id": "day", "type": "STRING" }]);
    let good = given(json!({ "inputs": { "day": "{{ flow.id }} by {{ trigger.id }}" } }), declared.clone(), "1.3");
    assert_eq!(Json::Object(good.expect("it starts").inputs), json!({ "day": "f by s" }));
    for version in ["0.20", "1.3", "2.0"] {
        let failed = given(json!({ "inputs": { "day": "{{ trigger.date }}" } }), declared.clone(), version);
        let words = failed.expect_err("there is no date yet").to_string();
        assert!(words.contains("Unable to find `date`"), "{words}");
    }
    let labels = json!({ "labels": { "at": "{{ trigger.date }}", "by": "{{ trigger.id }}" } });
    let of = |version: &str| given(labels.clone(), json!([]), version).expect("it starts").labels;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(of("1.3"), [pair("team", "data"), pair("by", "s")]);
    assert_eq!(of("2.0"), [pair("team", "data"), pair("at", "2026-01-10T09:00:00Z")]);
}

#[test]
fn a_condition_about_executions_fails_and_one_that_is_never_met_lets_nothing_through() {
    let of = |condition: Json| {
        let trigger = schedule("* * * * *", "UTC", json!({ "conditions": [condition] }));
        scheduled(flow(&trigger, &json!({})), "1.3").expect("a Schedule")
    };
    let (status, _) = of(json!({ "type": "io.kestra.plugin.core.condition.ExecutionStatus", "in": ["FAILED"] }));
    let due = date("2026-01-10T09:00:00Z");
    let look = with(due, |around| status.look(due, around));
    assert!(matches!(&look, Look::Fails(why) if why.to_string().contains("null execution")), "{look:?}");
    let (never, _) = of(json!({ "type": "io.kestra.plugin.core.condition.Expression", "expression": "false" }));
    // None of ten years is; so the next of all is due, and refused.
    let next = with(due, |around| never.next(due, due, None, around));
    assert_eq!(next.date, Some(date("2026-01-10T09:01:00Z")));
}

#[test]
fn a_date_that_is_too_late_is_passed_over() {
    let late = json!({ "lateMaximumDelay": "PT5M" });
    let (scheduled, _) = scheduled(flow(&schedule("* * * * *", "UTC", late), &json!({})), "1.3").expect("a Schedule");
    let (due, now) = (date("2026-01-10T09:00:00Z"), date("2026-01-10T09:30:30Z"));
    let next = |now: Timestamp| with(now, |around| scheduled.next(due, now, None, around).date);
    assert_eq!(next(due), Some(date("2026-01-10T09:01:00Z")));
    // 09:25 was due five and a half minutes ago.
    assert_eq!(next(now), Some(date("2026-01-10T09:26:00Z")));
    // One that is late by five minutes and no more is not too late.
    assert_eq!(next(now - SignedDuration::from_secs(30)), Some(date("2026-01-10T09:25:00Z")));
}

fn plan(rest: &str) -> Arc<Plan> {
    let text = format!("name: x\nduration: 3h\n{rest}");
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", document::render(&told))))
}

const FLOW: &str = "flows:\n  - id: f\n    namespace: n\n    tasks: [ { id: t, type: t.T } ]\n    triggers:\n";

fn triggers(trigger: &str) -> String {
    format!(
        "{FLOW}      - {{ id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"*/10 * * * *\", {trigger} }}\n"
    )
}

/// How many executions a flow has had, and how they ended.
fn created(plan: &Arc<Plan>) -> (u64, u64) {
    let mut session = Session::new(plan.clone(), Seed(1), Calendar::default());
    session.advance(Instant::START + plan.duration).expect("no limit");
    let truth = session.simulation().truth();
    (truth.created, truth.triggered)
}

#[test]
fn a_cluster_runs_the_dates_that_are_let_through() {
    let nine = "conditions: [ { type: io.kestra.plugin.core.condition.TimeBetween, after: \"08:55:00Z\", before: \"09:35:00Z\" } ]";
    // From 08:00 to 10:50.
    assert_eq!(created(&plan(&triggers("timezone: UTC"))), (18, 18));
    assert_eq!(created(&plan(&triggers(nine))), (4, 4));
    // One that fails makes an execution of each date, for which no trigger waits.
    let fails = "conditions: [ { type: io.kestra.plugin.core.condition.Expression, expression: \"{{ nope }}\" } ]";
    assert_eq!(created(&plan(&triggers(fails))), (18, 0));
    assert_eq!(created(&plan(&triggers("stopAfter: [ SUCCESS ]"))), (1, 1));
    assert_eq!(created(&plan(&triggers("stopAfter: [ FAILED ]"))), (18, 18));
    let slow = "behaviour: [ { task: t, duration: 25m } ]\n";
    assert_eq!(created(&plan(&format!("{}{slow}", triggers("timezone: UTC")))).0, 8);
    assert_eq!(created(&plan(&format!("{}{slow}", triggers("allowConcurrent: true")))).0, 18);
}

#[test]
fn what_was_missed_without_a_scheduler_is_made_up_for_as_it_says() {
    let down = "timeline: [ { at: 5m, kill: standalone-1, for: 65m } ]\n";
    let count = |more: &str| created(&plan(&format!("{}{down}", triggers(more)))).0;
    assert_eq!(count("recoverMissedSchedules: ALL"), 18);
    assert_eq!(count("timezone: UTC"), 18);
    // Dates from 08:10 to 09:10 are missed.
    assert_eq!(count("recoverMissedSchedules: LAST"), 12);
    assert_eq!(count("recoverMissedSchedules: NONE"), 11);
    // The first one was found before it was late; those behind it that are too late are not.
    assert_eq!(count("lateMaximumDelay: PT15M"), 14);
}

#[test]
fn explain_tells_which_step_refused_which_dates() {
    let nine = "conditions: [ { type: io.kestra.plugin.core.condition.TimeBetween, after: \"08:55:00Z\", before: \"09:35:00Z\" } ]";
    let plan = plan(&triggers(nine));
    let told = hearing(&plan, Seed(1), Calendar::default(), 0).expect("no limit").text();
    for part in [
        "trigger s starts 4 executions",
        "2026-01-05T09:00:00Z (4 dates, to 2026-01-05T09:30:00Z): starts an execution",
        "(conditions[0] (TimeBetween) says no: the date is 2026-01-05T09:40:00Z, a Monday, not after 08:55:00Z and before 09:35:00Z",
    ] {
        assert!(told.contains(part.trim_start_matches('(')), "{part}\n{told}");
    }
}
