//! Laws of Flow triggers, over random triggers and random executions; and the cases of Kestra's own tests, written anew.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mock_kestra::document::{self, Reading, Source};
use mock_kestra::execution::trigger::{Among, Listeners, Surroundings, TaskRun, Upstream, Why, Windows};
use mock_kestra::flow::trigger::Dialect;
use mock_kestra::flow::{self, Flow, State};
use mock_kestra::pebble::{self, Host};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

const NAMESPACES: &[&str] = &["company", "company.team", "company.prod", "companyx", "other"];
const FLOWS: &[&str] = &["a", "b", "etl"];
const STATES: &[State] =
    &[State::Running, State::Paused, State::Success, State::Warning, State::Failed, State::Killed, State::Retried];

/// An execution that changes its state.
#[derive(Clone, Debug)]
struct Event {
    namespace: &'static str,
    flow: &'static str,
    state: State,
    labels: Vec<(String, String)>,
    /// Seconds behind the event before.
    later: i64,
}

fn event() -> impl Strategy<Value = Event> {
    let label = prop::sample::select(vec![("team", "data"), ("team", "web"), ("env", "prod")]);
    let labels = prop::collection::vec(label, 0..3);
    let of = |list: &'static [&'static str]| prop::sample::select(list);
    (of(NAMESPACES), of(FLOWS), prop::sample::select(STATES), labels, 0..40_000_i64).prop_map(
        |(namespace, flow, state, labels, later)| {
            let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            Event { namespace, flow, state, labels, later }
        },
    )
}

fn kind(name: &str) -> String {
    format!("io.kestra.plugin.core.condition.{name}")
}

/// A condition that cannot fail.
fn condition() -> impl Strategy<Value = Json> {
    let of = |list: &'static [&'static str]| prop::sample::select(list);
    let states = prop::collection::vec(prop::sample::select(STATES), 1..3)
        .prop_map(|states| states.into_iter().map(State::name).collect::<Vec<_>>());
    let leaf = prop_oneof![
        states.clone().prop_map(|states| json!({ "type": kind("ExecutionStatus"), "in": states })),
        states.prop_map(|states| json!({ "type": kind("ExecutionStatus"), "notIn": states })),
        (of(NAMESPACES), any::<bool>()).prop_map(|(namespace, prefix)| {
            json!({ "type": kind("ExecutionNamespace"), "namespace": namespace, "prefix": prefix })
        }),
        (of(NAMESPACES), of(&["EQUALS", "PREFIX", "SUFFIX"])).prop_map(|(namespace, comparison)| {
            json!({ "type": kind("ExecutionNamespace"), "namespace": namespace, "comparison": comparison })
        }),
        (of(NAMESPACES), of(FLOWS)).prop_map(|(namespace, flow)| {
            json!({ "type": kind("ExecutionFlow"), "namespace": namespace, "flowId": flow })
        }),
        Just(json!({ "type": kind("ExecutionLabels"), "labels": { "team": "data" } })),
        Just(json!({ "type": kind("Expression"), "expression": "{{ execution.state == 'FAILED' }}" })),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        (prop::collection::vec(inner, 1..4), any::<bool>()).prop_map(
            |(conditions, or)| json!({ "type": kind(if or { "Or" } else { "Not" }), "conditions": conditions }),
        )
    })
}

/// What a Flow trigger may say beside its conditions.
fn trigger() -> impl Strategy<Value = Json> {
    let of = |list: &'static [&'static str]| prop::sample::select(list);
    let flow = (of(NAMESPACES), of(FLOWS), prop::option::of(prop::sample::select(STATES))).prop_map(
        |(namespace, flow, state)| match state {
            Some(state) => json!({ "namespace": namespace, "flowId": flow, "states": [state.name()] }),
            None => json!({ "namespace": namespace }),
        },
    );
    let filter = (of(&["EQUAL_TO", "STARTS_WITH", "CONTAINS"]), of(NAMESPACES)).prop_map(|(comparison, namespace)| {
        json!({ "id": "w", "filters": [{ "field": "NAMESPACE", "type": comparison, "value": namespace }] })
    });
    let window = of(&["P1D", "PT1H", "PT6H", "PT15M"]);
    let sliding = any::<bool>();
    let preconditions =
        (prop::collection::vec(flow, 0..3), prop::collection::vec(filter, 0..2), window, sliding, any::<bool>())
            .prop_map(|(flows, filters, window, sliding, reset)| {
                let kind = if sliding { "SLIDING_WINDOW" } else { "DURATION_WINDOW" };
                let window = json!({ "type": kind, "window": window });
                json!({ "id": "p", "flows": flows, "where": filters, "timeWindow": window, "resetOnSuccess": reset })
            });
    let states = prop::option::of(prop::collection::vec(prop::sample::select(STATES), 1..4));
    let conditions = prop::collection::vec(condition(), 0..3);
    (conditions, prop::option::of(preconditions), states).prop_map(|(conditions, preconditions, states)| {
        let mut trigger = json!({ "id": "t", "type": "io.kestra.plugin.core.trigger.Flow", "conditions": conditions });
        if let Some(preconditions) = preconditions {
            trigger["preconditions"] = preconditions;
        }
        if let Some(states) = states {
            trigger["states"] = states.into_iter().map(State::name).collect();
        }
        trigger
    })
}

fn read(id: &str, namespace: &str, triggers: &[Json]) -> Flow {
    let text = json!({
        "id": id,
        "namespace": namespace,
        "tasks": [{ "id": "hello", "type": "io.kestra.plugin.core.log.Log" }],
        "triggers": triggers,
    });
    let source = Source { name: "f.yml".to_owned(), text: text.to_string() };
    let (root, told) = document::parse_jackson(&Arc::new(source));
    assert!(told.is_empty(), "{}", document::render(&told));
    let mut reading = Reading::default();
    let flow = flow::read(&root.expect("a document"), &mut reading);
    let failed = reading.failed();
    assert!(!failed, "{}", document::render(&reading.finish()));
    flow.expect("a flow")
}

fn listeners(flows: &[Flow], dialect: Dialect) -> Listeners {
    let name = if dialect == Dialect::V2_0 { "2.0" } else { "1.3" };
    Listeners::new(flows, dialect, pebble::Dialect::named(name).expect("a dialect"), TimeZone::UTC)
}

/// What a transition starts: flow and trigger; and what `why` says of each.
fn shown(
    listeners: &Listeners,
    windows: &mut Windows,
    event: &Event,
    now: Timestamp,
) -> (Vec<(usize, usize)>, Vec<Why>) {
    let none = Map::new();
    let upstream = Upstream {
        id: "x",
        namespace: event.namespace,
        flow: event.flow,
        revision: 1,
        state: event.state,
        labels: &event.labels,
        inputs: &none,
        outputs: None,
        variables: None,
        trigger: None,
        task_runs: Some(&[]),
        kind: None,
        start: now,
        end: None,
        original: None,
    };
    let host = Host::at(now);
    let around = Surroundings { base: &none, host: &host };
    let why = listeners.why(windows, &upstream, now, &around, Among::All);
    let fired = listeners.transition(windows, &upstream, now, &around, Among::All);
    (fired.iter().map(|fired| (fired.flow, fired.trigger)).collect(), why.into_iter().map(|it| it.why).collect())
}

fn start() -> Timestamp {
    "2026-01-05T08:00:00Z".parse().expect("a date")
}

/// The same at one moment, without what windows keep.
fn fires(flows: &[Flow], event: &Event) -> bool {
    !shown(&listeners(flows, Dialect::V1_3), &mut Windows::default(), event, start()).0.is_empty()
}

/// Shows all events, and gives what each started.
fn run(flows: &[Flow], events: &[Event]) -> Vec<Vec<(usize, usize)>> {
    let listeners = listeners(flows, Dialect::V1_3);
    let (mut windows, mut now) = (Windows::default(), start());
    let show = |event: &Event| {
        now += jiff::SignedDuration::from_secs(event.later);
        let before = windows.clone();
        let (fired, why) = shown(&listeners, &mut windows, event, now);
        let fires = why.iter().filter(|why| **why == Why::Fires).count();
        assert_eq!(fires, fired.len(), "{event:?} {before:?} {why:?}");
        fired
    };
    events.iter().map(show).collect()
}

fn listening(conditions: &[&Json]) -> Json {
    let states = State::ALL.map(State::name);
    json!({ "id": "t", "type": "io.kestra.plugin.core.trigger.Flow", "states": states, "conditions": conditions })
}

fn alert(trigger: Json) -> [Flow; 1] {
    [read("alert", "system", &[trigger])]
}

proptest! {
    #![proptest_config(common::config(300))]

    #[test]
    fn for_all_conditions_a_list_is_the_intersection_or_the_union_and_not_the_complement(
        a in condition(), b in condition(), event in event(),
    ) {
        let one = |condition: &Json| fires(&alert(listening(&[condition])), &event);
        let (in_a, in_b) = (one(&a), one(&b));
        prop_assert_eq!(fires(&alert(listening(&[&a, &b])), &event), in_a && in_b);
        prop_assert_eq!(one(&json!({ "type": kind("Or"), "conditions": [a, b] })), in_a || in_b);
        prop_assert_eq!(one(&json!({ "type": kind("Not"), "conditions": [a] })), !in_a);
        prop_assert_eq!(one(&json!({ "type": kind("Not"), "conditions": [a, b] })), !(in_a || in_b));
    }

    #[test]
    fn for_all_flows_their_order_does_not_matter(
        triggers in prop::collection::vec(trigger(), 1..5), events in prop::collection::vec(event(), 1..12),
    ) {
        let flows: Vec<Flow> =
            triggers.iter().enumerate().map(|(at, it)| read(&format!("f{at}"), "system", std::slice::from_ref(it))).collect();
        let turned: Vec<Flow> = flows.iter().rev().cloned().collect();
        let names = |flows: &[Flow], events: &[Event]| -> Vec<Vec<String>> {
            let named = |fired: Vec<(usize, usize)>| {
                let mut names: Vec<String> = fired.into_iter().map(|(flow, _)| flows[flow].id.clone()).collect();
                names.sort();
                names
            };
            run(flows, events).into_iter().map(named).collect()
        };
        prop_assert_eq!(names(&flows, &events), names(&turned, &events));
    }

    #[test]
    fn for_all_triggers_no_flow_starts_itself(trigger in trigger(), events in prop::collection::vec(event(), 1..12)) {
        for event in &events {
            let own = [read(event.flow, event.namespace, std::slice::from_ref(&trigger))];
            let same: Vec<Event> =
                events.iter().filter(|it| (it.flow, it.namespace) == (event.flow, event.namespace)).cloned().collect();
            prop_assert!(run(&own, &same).concat().is_empty());
        }
    }

    #[test]
    fn for_all_histories_two_flows_fire_exactly_when_both_were_seen_in_a_window(
        events in prop::collection::vec(event(), 1..30),
    ) {
        let flows = json!([{ "flowId": "a", "states": ["SUCCESS"] }, { "flowId": "b" }]);
        let window = json!({ "type": "DURATION_WINDOW", "window": "P1D" });
        let trigger = json!({ "id": "t", "type": "io.kestra.plugin.core.trigger.Flow",
            "preconditions": { "id": "p", "flows": flows, "timeWindow": window } });
        let ours: Vec<bool> = run(&alert(trigger), &events).iter().map(|fired| !fired.is_empty()).collect();
        // Read from the history: days, and what was seen on each.
        let (mut now, mut day, mut a, mut b) = (start(), None, false, false);
        let theirs: Vec<bool> = events.iter().map(|event| {
            now += jiff::SignedDuration::from_secs(event.later);
            let today = now.to_zoned(TimeZone::UTC).date();
            if day != Some(today) {
                (day, a, b) = (Some(today), false, false);
            }
            if matches!(event.state, State::Running) {
                return false;
            }
            a |= event.flow == "a" && event.state == State::Success;
            b |= event.flow == "b";
            let both = a && b;
            if both {
                (a, b) = (false, false);
            }
            both
        }).collect();
        prop_assert_eq!(ours, theirs);
    }
}

fn seen(namespace: &'static str, flow: &'static str, state: State) -> Event {
    Event { namespace, flow, state, labels: Vec::new(), later: 1 }
}

/// How many executions each of some events starts.
fn counts(triggers: &[Json], dialect: Dialect, events: &[Event]) -> Vec<usize> {
    let flows = [read("alert", "system", triggers)];
    let listeners = listeners(&flows, dialect);
    let (mut windows, mut now) = (Windows::default(), start());
    let show = |event: &Event| {
        now += jiff::SignedDuration::from_secs(event.later);
        shown(&listeners, &mut windows, event, now).0.len()
    };
    events.iter().map(show).collect()
}

fn flow_trigger(id: &str, more: Json) -> Json {
    let mut trigger = json!({ "id": id, "type": "io.kestra.plugin.core.trigger.Flow" });
    for (key, value) in more.as_object().expect("keys") {
        trigger[key] = value.clone();
    }
    trigger
}

fn both(states: &str) -> Json {
    let flow = |id: &str| json!({ "namespace": "company", "flowId": id, "states": [states] });
    json!({ "id": "both", "flows": [flow("a"), flow("b")] })
}

#[test]
fn a_pause_is_seen_as_four_states() {
    let states = ["RUNNING", "PAUSED", "SUCCESS", "WARNING", "FAILED"];
    let trigger = flow_trigger("t", json!({ "states": states }));
    let events = [State::Running, State::Paused, State::Running, State::Success].map(|it| seen("company", "a", it));
    assert_eq!(counts(&[trigger], Dialect::V1_3, &events), [1, 1, 1, 1]);
}

#[test]
fn two_upstream_flows_start_one_execution_with_the_second() {
    let trigger = flow_trigger("t", json!({ "preconditions": both("SUCCESS") }));
    let [a, b] = ["a", "b"].map(|flow| seen("company", flow, State::Success));
    let failed = seen("company", "a", State::Failed);
    assert_eq!(counts(std::slice::from_ref(&trigger), Dialect::V1_3, &[a.clone(), a.clone(), b.clone()]), [0, 0, 1]);
    assert_eq!(counts(std::slice::from_ref(&trigger), Dialect::V1_3, &[b.clone(), a]), [0, 1]);
    assert_eq!(counts(&[trigger], Dialect::V1_3, &[failed, b]), [0, 0]);
}

#[test]
fn a_paused_flow_meets_preconditions_without_states_of_the_trigger() {
    let flow = json!({ "namespace": "company", "flowId": "a", "states": ["PAUSED"] });
    let trigger = flow_trigger("t", json!({ "preconditions": { "id": "p", "flows": [flow] } }));
    let paused = [seen("company", "a", State::Paused)];
    assert_eq!(counts(std::slice::from_ref(&trigger), Dialect::V1_3, &paused), [1]);
    assert_eq!(counts(&[trigger], Dialect::V0_20, &paused), [0]);
}

#[test]
fn of_two_triggers_the_one_that_matches_starts_one_execution() {
    let success = [seen("company", "a", State::Success)];
    let of = |state: &str| {
        let flow = json!({ "namespace": "company", "flowId": "a", "states": [state] });
        flow_trigger(state, json!({ "preconditions": { "id": state, "flows": [flow] } }))
    };
    let plain = |state: &str| {
        let condition = json!({ "type": kind("ExecutionFlow"), "namespace": "company", "flowId": "a" });
        flow_trigger(state, json!({ "states": [state], "conditions": [condition] }))
    };
    assert_eq!(counts(&[of("SUCCESS"), of("FAILED")], Dialect::V1_3, &success), [1]);
    assert_eq!(counts(&[plain("SUCCESS"), plain("FAILED")], Dialect::V1_3, &success), [1]);
    assert_eq!(counts(&[plain("SUCCESS"), of("FAILED")], Dialect::V1_3, &success), [1]);
}

#[test]
fn dependencies_of_2_0_reset_when_they_fired_and_need_any_or_some() {
    let flow = |id: &str| json!({ "namespace": "company", "flowId": id, "states": ["SUCCESS"] });
    let on = |more: Json| {
        let mut keys = json!({ "dependsOn": [flow("a"), flow("b"), flow("etl")] });
        keys.as_object_mut().expect("keys").extend(more.as_object().expect("keys").clone());
        flow_trigger("t", keys)
    };
    let [a, b, etl] = ["a", "b", "etl"].map(|flow| seen("company", flow, State::Success));
    let all = [a.clone(), a.clone(), b.clone(), etl.clone(), a.clone()];
    assert_eq!(counts(&[on(json!({}))], Dialect::V2_0, &all), [0, 0, 0, 1, 0]);
    assert_eq!(counts(&[on(json!({ "mode": "ANY" }))], Dialect::V2_0, &[a.clone(), b.clone()]), [1, 1]);
    let two = on(json!({ "mode": "AT_LEAST", "minSatisfied": 2 }));
    assert_eq!(counts(&[two], Dialect::V2_0, &[a.clone(), b.clone(), etl]), [0, 1, 0]);
    let when = flow_trigger("t", json!({ "when": "{{ flow.namespace == 'company' }}" }));
    assert_eq!(counts(&[when], Dialect::V2_0, &[a, seen("other", "a", State::Success)]), [1, 0]);
}

#[test]
fn the_form_without_or_never_fires_and_why_tells_the_condition() {
    let of = |name: &str, more: Json| {
        let mut condition = more;
        condition["type"] = kind(name).into();
        condition
    };
    let status = of("ExecutionStatus", json!({ "in": ["FAILED", "WARNING"] }));
    let namespace = of("ExecutionNamespace", json!({ "namespace": "company.product", "prefix": true }));
    let flow = of("ExecutionFlow", json!({ "namespace": "company.system", "flowId": "cleanup" }));
    let product = seen("company.product", "sales", State::Failed);
    let cleanup = seen("company.system", "cleanup", State::Failed);
    let other = seen("company.productx", "sales", State::Warning);
    let events = [product, cleanup.clone(), other];
    let without = flow_trigger("t", json!({ "conditions": [status, namespace, flow] }));
    assert_eq!(counts(std::slice::from_ref(&without), Dialect::V1_3, &events), [0, 0, 0]);
    let or = of("Or", json!({ "conditions": [namespace, flow] }));
    let with = flow_trigger("t", json!({ "conditions": [status, or] }));
    // A prefix is one of letters, not of levels.
    assert_eq!(counts(&[with], Dialect::V1_3, &events), [1, 1, 1]);
    let listeners = listeners(&alert(without), Dialect::V1_3);
    let (_, why) = shown(&listeners, &mut Windows::default(), &cleanup, start());
    assert_eq!(
        why[0].to_string(),
        "conditions[1] (ExecutionNamespace) says no: the namespace is `company.system`, not one that begins with \
         `company.product`"
    );
}

#[test]
fn an_error_inside_or_and_not_makes_the_condition_of_the_trigger_false() {
    let expression = |text: &str| json!({ "type": kind("Expression"), "expression": text });
    let (throws, holds) = (expression("{{ nope }}"), expression("0"));
    let of = |name: &str, list: Json| listening(&[&json!({ "type": kind(name), "conditions": list })]);
    let event = seen("company", "a", State::Failed);
    for (trigger, expected) in [
        (of("Or", json!([holds, throws])), true),
        (of("Or", json!([throws, holds])), false),
        (of("Not", json!([throws])), false),
        (listening(&[&throws]), false),
        (listening(&[&holds]), true),
    ] {
        assert_eq!(fires(&alert(trigger.clone()), &event), expected, "{trigger}");
    }
}

#[test]
fn an_execution_that_is_a_test_starts_nothing() {
    let flows = alert(flow_trigger("t", json!({})));
    let listeners = listeners(&flows, Dialect::V1_3);
    let (none, host) = (Map::new(), Host::at(start()));
    let runs: [TaskRun<'_>; 0] = [];
    let upstream = |kind| Upstream {
        id: "x",
        namespace: "company",
        flow: "a",
        revision: 1,
        state: State::Failed,
        labels: &[],
        inputs: &none,
        outputs: None,
        variables: None,
        trigger: None,
        task_runs: Some(&runs),
        kind,
        start: start(),
        end: None,
        original: None,
    };
    let around = Surroundings { base: &none, host: &host };
    let count =
        |kind| listeners.transition(&mut Windows::default(), &upstream(kind), start(), &around, Among::All).len();
    assert_eq!((count(None), count(Some("NORMAL")), count(Some("TEST"))), (1, 1, 0));
}
