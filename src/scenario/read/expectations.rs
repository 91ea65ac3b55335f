//! What must be seen.

use std::ops::Range;

use super::faults::targets;
use super::work::flow_named;
use super::{duration, instant};
use crate::document::{Entry, Node, Object, Reading, Value};
use crate::flow::{self, State};
use crate::notify::CHANNELS;
use crate::scenario::fields::{BOUND, EVENT, EXECUTION, EXPECTATIONS, NOTIFICATION, PAGE};
use crate::scenario::{
    AlertExpectation, Anchor, Bound, Comparison, EventPattern, Expectation, HAPPENINGS, HealthStatus,
    NotificationPattern, PagePattern, Plan, Times, Window, comparable, limits,
};
use crate::time::Instant;

pub(super) fn expectation(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let Value::Mapping(entries) = &node.value else {
        reading.object(node, "an expectation", EXPECTATIONS[0].1);
        return None;
    };
    let kind = EXPECTATIONS.iter().find(|(key, _)| entries.iter().any(|entry| entry.key == *key));
    let Some((key, fields)) = kind else {
        let known = EXPECTATIONS.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
        reading.error(&node.place, "this says nothing of what is expected", format!("begin with one of {known}"));
        return None;
    };
    let object = reading.object(node, "an expectation", fields)?;
    match *key {
        "health" => health(&object, plan, reading),
        "query" => query(&object, plan, reading),
        "event" => event(&object, plan, reading),
        "notification" => notification(object.get(key)?, plan, reading),
        "page" => page(object.get(key)?, plan, reading),
        "execution" => execution(object.get(key)?, plan, reading),
        _ => alert(&object, plan, reading).map(Expectation::Alert),
    }
}

fn text(object: &Object<'_>, key: &str, reading: &mut Reading) -> Option<String> {
    object.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
}

fn health(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let members = object.get("health").and_then(|node| targets(node, plan, reading));
    let status = object.get("status").and_then(|node| reading.choice(node, "status", HealthStatus::NAMES));
    if ["of", "at", "within"].iter().all(|key| object.entry(key).is_none()) {
        reading.error(&object.node.place, "this does not say when the health is asked for", "add `at: 11m`");
    }
    let window = window(object, plan, reading);
    if let (Some(node), Some(within)) = (object.get("within"), window.bound.within)
        && within > limits::PROBED
    {
        let (what, most) = ("health is asked for each second", limits::PROBED);
        reading.error(&node.place, format!("{what}: {within} is too long"), format!("write a duration up to {most}"));
    }
    Some(Expectation::Health { members: members?, status: status?, window })
}

fn query(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let expr = object.get("query").and_then(|node| {
        let text = reading.text(node, "`query`")?;
        let wrong = |(span, why): (Range<usize>, String), reading: &mut Reading| {
            reading.error_within(node, span, format!("`query` cannot be asked: {why}"), QUERY_ADVICE);
        };
        comparable(text).map_err(|why| wrong(why, reading)).ok()
    });
    let is = object.get("is").and_then(|node| reading.parsed(node, "`is`", str::parse::<Comparison>));
    let at = object.get("at").and_then(|node| instant(reading, node, "`at`"));
    if let (Some(node), Some(at)) = (object.get("at"), at) {
        tell_late(node, "it is never asked", at, plan, reading);
    }
    Some(Expectation::Query { expr: expr?, at: at?, is: is? })
}

const QUERY_ADVICE: &str = "write PromQL that gives a number or a vector, for example `sum(kestra_worker_job_pending)`";

fn event(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let what = object.get("event").and_then(|node| match node.value {
        Value::Mapping(_) => happening(node, plan, reading),
        _ => text(object, "event", reading).map(EventPattern::Text),
    });
    if what == Some(EventPattern::Text(String::new())) {
        reading.error(&object.node.place, "an empty `event` is part of every line", "write what must be seen");
    }
    let window = window(object, plan, reading);
    Some(Expectation::Event { what: what?, window })
}

/// What happens, by its kind.
fn happening(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<EventPattern> {
    let object = reading.object(node, "`event`", EVENT)?;
    let kinds: Vec<(&'static str, &'static str)> = HAPPENINGS.iter().map(|kind| (*kind, *kind)).collect();
    let kind = reading.choice(object.get("kind")?, "kind of event", &kinds)?;
    let members = match object.get("member") {
        Some(node) => targets(node, plan, reading)?,
        None => Vec::new(),
    };
    if let (Some(entry), "fault-begins" | "fault-ends") = (object.entry("member"), kind) {
        reading.error(&entry.place, "a fault happens to no member", "leave `member` out");
    }
    Some(EventPattern::Kind { kind, members })
}

fn notification(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let object = reading.object(node, "`notification`", NOTIFICATION)?;
    let channels: Vec<(&'static str, &'static str)> = CHANNELS.iter().map(|name| (*name, *name)).collect();
    let flow = object.get("flow").map(|node| flow_named(reading, node, plan));
    let what = NotificationPattern {
        flow: flow.flatten(),
        task: text(&object, "task", reading),
        channel: object.get("channel").and_then(|node| reading.choice(node, "channel", &channels)),
        to: text(&object, "to", reading),
        body: object.get("body").map(flow::json),
        lost: object.get("lost").and_then(|node| reading.boolean(node, "`lost`")).unwrap_or(false),
    };
    if let (Some(task), Some(node)) = (&what.task, object.get("task")) {
        let flows = plan.flows.iter().enumerate().filter(|(at, _)| what.flow.is_none_or(|flow| flow == *at));
        let ids: Vec<&str> = flows.flat_map(|(_, flow)| flow.task_ids()).collect();
        if !ids.contains(&task.as_str()) {
            reading.unknown(&node.place, "task of these flows", task, ids);
        }
    }
    let window = window(&object, plan, reading);
    Some(Expectation::Notification { what, window, times: times(&object, reading) })
}

fn page(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let object = reading.object(node, "`page`", PAGE)?;
    let alerts = object.get("alerts").map(|node| {
        let names = reading.list(node, "`alerts`").iter();
        names.filter_map(|node| reading.text(node, "the name of an alert").map(str::to_owned)).collect()
    });
    let what = PagePattern {
        receiver: text(&object, "receiver", reading),
        alerts: alerts.unwrap_or_default(),
        text: text(&object, "text", reading),
        resolved_within: object.get("resolved_within").and_then(|node| duration(reading, node, "`resolved_within`")),
    };
    let (window, times) = (window(&object, plan, reading), times(&object, reading));
    if let (Some(entry), Times::Exactly(0)) = (object.entry("resolved_within"), times) {
        reading.error(&entry.place, "what never comes does not end", "leave `resolved_within` out");
    }
    Some(Expectation::Page { what, window, times })
}

fn execution(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let object = reading.object(node, "`execution`", EXECUTION)?;
    let states: Vec<(&'static str, State)> = State::ALL.iter().map(|state| (state.name(), *state)).collect();
    let flow = object.get("flow").map(|node| flow_named(reading, node, plan));
    let state = object.get("state").and_then(|node| reading.choice(node, "state of an execution", &states));
    let window = window(&object, plan, reading);
    Some(Expectation::Execution { flow: flow.flatten(), state, window, times: times(&object, reading) })
}

/// `count` or `never`.
fn times(object: &Object<'_>, reading: &mut Reading) -> Times {
    let count = object.get("count").and_then(|node| reading.count(node, "`count`", 0..=1_000_000));
    let never = object.get("never").and_then(|node| reading.boolean(node, "`never`")).unwrap_or(false);
    if let (true, Some(entry)) = (never, object.entry("count")) {
        reading.error(&entry.place, "`never` and `count` in one expectation", "leave one of them out");
    }
    match count {
        _ if never => Times::Exactly(0),
        Some(count) => Times::Exactly(count as u32),
        None => Times::Some,
    }
}

fn alert(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Option<AlertExpectation> {
    let from = anchor(object, plan, reading);
    let mut bound = |key: &str| {
        let inner = reading.object(object.get(key)?, &format!("`{key}`"), BOUND)?;
        let bound = read_bound(&inner, reading);
        if key != "resolves" {
            tell_late_window(&inner, &Window { from: from.clone(), bound }, plan, reading);
        }
        Some(bound)
    };
    let (fires, resolves, pending) = (bound("fires"), bound("resolves"), bound("pending"));
    let alert = AlertExpectation {
        alert: text(object, "alert", reading).unwrap_or_default(),
        except: object.get("except").map(|node| except(node, reading)).unwrap_or_default(),
        labels: object.get("labels").map(|node| labels(node, reading)).unwrap_or_default(),
        from,
        fires,
        resolves,
        pending,
        never: object.get("never").and_then(|node| reading.boolean(node, "`never`")).unwrap_or(false),
        count: object
            .get("count")
            .and_then(|node| reading.count(node, "`count`", 0..=1_000_000))
            .map(|count| count as u32),
    };
    tell_of_every(object, &alert, reading);
    // What contradicts each other can never be met.
    let none = alert.count == Some(0);
    for (holds, one, other) in [
        (alert.never && alert.count.is_some(), "never", "count"),
        (alert.never && alert.fires.is_some(), "never", "fires"),
        (alert.never && alert.resolves.is_some(), "never", "resolves"),
        (none && alert.fires.is_some(), "count: 0", "fires"),
        (none && alert.resolves.is_some(), "count: 0", "resolves"),
    ] {
        if let (true, Some(entry)) = (holds, object.entry(other)) {
            let what = format!("`{one}` and `{other}` in one expectation");
            reading.error(&entry.place, what, "leave one of them out");
        }
    }
    let says = ["fires", "resolves", "pending", "count"].iter().any(|key| object.entry(key).is_some());
    if !(says || alert.never) {
        let advice = if alert.every() { "add `never: true`" } else { "add `fires: { within: 3m }`" };
        reading.error(&object.node.place, "this says nothing of what the alert does", advice);
    }
    Some(alert)
}

/// Names of alerts that do not matter.
fn except(node: &Node, reading: &mut Reading) -> Vec<String> {
    let items = reading.list(node, "`except`");
    items.iter().filter_map(|item| reading.text(item, "an alert of `except`").map(str::to_owned)).collect()
}

/// Of every alert one can only say that none fires.
fn tell_of_every(object: &Object<'_>, alert: &AlertExpectation, reading: &mut Reading) {
    for key in ["fires", "resolves", "pending", "count"] {
        if let (true, Some(entry)) = (alert.every(), object.entry(key)) {
            let what = format!("`{key}` of every alert");
            reading.error(&entry.place, what, "write `never: true`, or the name of one alert");
        }
    }
    if let (false, Some(entry)) = (alert.every(), object.entry("except")) {
        let what = "`except` beside the name of one alert";
        reading.error(&entry.place, what, "write `alert: \"*\"`, or leave `except` out");
    }
}

/// What the times of an expectation count from: `of`, or `at`, or the start.
fn anchor(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Anchor {
    if let (Some(_), Some(at)) = (object.entry("of"), object.entry("at")) {
        reading.error(&at.place, "`of` and `at` in one expectation", "write `after` for a time after `of`");
    }
    let of = object.get("of").and_then(|node| {
        let name = reading.text(node, "`of`")?;
        let found = Anchor::named(name, plan);
        if found.is_none() {
            let names = plan.timeline.iter().map(|entry| entry.name.as_str());
            reading.unknown(&node.place, "entry of the timeline", name, names);
        }
        found
    });
    let at = object.get("at").and_then(|node| instant(reading, node, "`at`")).map(Anchor::At);
    of.or(at).unwrap_or_default()
}

fn read_bound(object: &Object<'_>, reading: &mut Reading) -> Bound {
    let mut time = |key: &str| object.get(key).and_then(|node| duration(reading, node, &format!("`{key}`")));
    Bound { after: time("after"), within: time("within") }
}

fn window(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Window {
    let window = Window { from: anchor(object, plan, reading), bound: read_bound(object, reading) };
    tell_late_window(object, &window, plan, reading);
    window
}

/// Warns of a window that begins or ends after the run.
fn tell_late_window(object: &Object<'_>, window: &Window, plan: &Plan, reading: &mut Reading) {
    let begin = ["after", "at", "of"].iter().find_map(|key| object.get(key));
    let (from, end) = (window.from.instant(), Instant::START + plan.duration);
    if window.begin() > end {
        tell_late(begin.unwrap_or(object.node), "it is never seen", window.begin(), plan, reading);
    } else if let (Some(node), Some(_)) = (object.get("within"), window.bound.within) {
        tell_late(node, "nobody looks for so long", window.bound.end(from), plan, reading);
    }
}

fn tell_late(node: &Node, what: &str, at: Instant, plan: &Plan, reading: &mut Reading) {
    if at > Instant::START + plan.duration {
        let what = format!("{what}: {at} is after the end of the run at {}", plan.duration);
        reading.warning(&node.place, what, "make `duration` longer, or this shorter");
    }
}

pub(super) fn labels(node: &Node, reading: &mut Reading) -> Vec<(String, String)> {
    let Value::Mapping(entries) = &node.value else {
        reading.error(
            &node.place,
            format!("`labels` must be a mapping, not {}", node.value.describe()),
            "write for example `{ instance: \"worker-1:8081\" }`",
        );
        return Vec::new();
    };
    let mut text = |entry: &Entry| match &entry.value.value {
        Value::Scalar { text, .. } => Some((entry.key.clone(), text.clone())),
        other => {
            let what = format!("the label `{}` must be a text, not {}", entry.key, other.describe());
            reading.error(&entry.value.place, what, "write the value it has");
            None
        }
    };
    entries.iter().filter_map(&mut text).collect()
}
