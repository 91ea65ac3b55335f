//! Entries of the timeline, and the same from a request.

use super::work::{flow_named, selector};
use super::{instant, positive};
use crate::document::{self, Entry, Field, Node, Reading, Value};
use crate::scenario::fields::{FAULTS, GC_PAUSE, LEAK, RATE_CHANGE, TASK_DURATION, TASK_FAILURES, WHEN};
use crate::scenario::{DatabaseFault, Fault, MemberPlan, Plan, RateChange, TimelineEntry, units};
use crate::time::Instant;

/// Reads an entry of the timeline. With `now` it comes from outside: where `at` is missing it is now.
pub(super) fn entry(node: &Node, plan: &Plan, now: Option<Instant>, reading: &mut Reading) -> Option<TimelineEntry> {
    let fields: Vec<Field> = WHEN.iter().chain(FAULTS).copied().collect();
    let object = reading.object(node, "an entry of `timeline`", &fields)?;
    let mut keywords = object.entries().iter().filter(|entry| FAULTS.iter().any(|fault| fault.key == entry.key));
    let known = || FAULTS.iter().map(|fault| fault.key).collect::<Vec<_>>().join(", ");
    let Some(keyword) = keywords.next() else {
        if object.entries().iter().all(|entry| fields.iter().any(|field| field.key == entry.key)) {
            reading.error(&node.place, "this entry says nothing of what happens", format!("add one of {}", known()));
        }
        return None;
    };
    if let Some(second) = keywords.next() {
        reading.error(
            &second.place,
            format!("`{}` and `{}` in one entry", keyword.key, second.key),
            "write an entry for each",
        );
    }
    let fault = fault(keyword, plan, reading);
    let at = match (object.get("at"), now) {
        (Some(node), _) => instant(reading, node, "`at`"),
        (None, Some(now)) => Some(now),
        (None, None) => {
            reading.error(&node.place, "this entry has no `at`", "add `at: 10m`");
            None
        }
    };
    let lasts = object.get("for").and_then(|node| positive(reading, node, "`for`"));
    if let (Some(entry), true) = (object.entry("for"), matches!(keyword.key.as_str(), "start" | "restart" | "gc-pause"))
    {
        let advice = if keyword.key == "gc-pause" { "its length is `pause`" } else { "leave `for` out" };
        reading.error(&entry.place, format!("`{}` does not last", keyword.key), advice);
    }
    let every = object.get("every").and_then(|node| positive(reading, node, "`every`"));
    let until = object.get("until").and_then(|node| instant(reading, node, "`until`"));
    if let (Some(entry), None) = (object.entry("until"), object.entry("every")) {
        reading.error(&entry.place, "`until` without `every`", "add `every: 5m`, or write `for`");
    }
    if let (Some(every), Some(lasts)) = (every, lasts)
        && lasts >= every
    {
        let place = object.entry("every").map_or(&node.place, |entry| &entry.place);
        reading.warning(place, format!("it begins every {every} and lasts {lasts}: it never ends"), "");
    }
    let name = object.get("name").and_then(|node| {
        reading.parsed(node, "`name`", |text| {
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let ok = !text.is_empty() && text.len() <= 100 && text.chars().all(good);
            ok.then(|| text.to_owned()).ok_or_else(|| "use letters, digits, `-`, `_` and `.`".to_owned())
        })
    });
    let fault = fault?;
    let name = name.unwrap_or_else(|| default_name(&keyword.key, &fault, plan));
    Some(TimelineEntry { name, at: at?, fault, lasts, every, until })
}

fn default_name(keyword: &str, fault: &Fault, plan: &Plan) -> String {
    let target = match fault {
        Fault::Kill(members)
        | Fault::Stop(members)
        | Fault::Start(members)
        | Fault::Restart(members)
        | Fault::Hang(members)
        | Fault::DiskFull(members)
        | Fault::Deadlock(members)
        | Fault::HeapLeak { members, .. }
        | Fault::GcPause { members, .. } => match members.as_slice() {
            [one] => plan.cluster.members.get(*one).map(|member| member.name.clone()),
            _ => None,
        },
        Fault::Database(DatabaseFault::Refused) => Some("refused".into()),
        Fault::Database(DatabaseFault::Stalled) => Some("stalled".into()),
        Fault::Database(DatabaseFault::ShutDown) => Some("shut-down".into()),
        Fault::Database(DatabaseFault::Slow(_)) => Some("slow".into()),
        Fault::Arrivals { flow, .. } => flow.and_then(|flow| plan.flows.get(flow)).map(|flow| flow.id.clone()),
        Fault::TaskDuration { select, .. } | Fault::TaskFailures { select, .. } => select.task.clone(),
    };
    target.map_or(keyword.to_owned(), |target| format!("{keyword}-{target}"))
}

/// Makes a name unique among the entries before it.
pub(super) fn unique_name(entry: &mut TimelineEntry, plan: &Plan) {
    let taken = |name: &str| plan.timeline.iter().any(|other| other.name == name);
    if taken(&entry.name) {
        let free = (2..).map(|n| format!("{}-{n}", entry.name)).find(|name| !taken(name));
        entry.name = free.unwrap_or_default();
    }
}

fn fault(keyword: &Entry, plan: &Plan, reading: &mut Reading) -> Option<Fault> {
    let node = &keyword.value;
    let what = format!("`{}`", keyword.key);
    let object = |reading: &mut Reading, fields: &[Field]| reading.object(node, &what, fields);
    match keyword.key.as_str() {
        "kill" => targets(node, plan, reading).map(Fault::Kill),
        "stop" => targets(node, plan, reading).map(Fault::Stop),
        "start" => targets(node, plan, reading).map(Fault::Start),
        "restart" => targets(node, plan, reading).map(Fault::Restart),
        "hang" => targets(node, plan, reading).map(Fault::Hang),
        "disk-full" => targets(node, plan, reading).map(Fault::DiskFull),
        "deadlock" => targets(node, plan, reading).map(Fault::Deadlock),
        "database" => database(node, reading).map(Fault::Database),
        "arrivals" => {
            let object = object(reading, RATE_CHANGE)?;
            let flow = match object.get("flow") {
                Some(node) => Some(flow_named(reading, node, plan)?),
                None => None,
            };
            let rate = object.get("rate").and_then(|node| reading.parsed(node, "`rate`", units::read_rate));
            let times = object.get("times").and_then(|node| reading.parsed(node, "`times`", units::times));
            match (object.get("rate"), object.get("times")) {
                (Some(_), None) => rate.map(RateChange::Rate),
                (None, Some(_)) => times.map(RateChange::Times),
                _ => {
                    reading.error(
                        &node.place,
                        "`arrivals` needs either `rate` or `times`",
                        "write for example `{ times: 4x }`",
                    );
                    None
                }
            }
            .map(|change| Fault::Arrivals { flow, change })
        }
        "task-duration" => {
            let object = object(reading, TASK_DURATION)?;
            let select = selector(&object, plan, reading);
            let times = reading.parsed(object.get("times")?, "`times`", units::times)?;
            Some(Fault::TaskDuration { select, times })
        }
        "task-failures" => {
            let object = object(reading, TASK_FAILURES)?;
            let select = selector(&object, plan, reading);
            let share = reading.parsed(object.get("share")?, "`share`", units::share)?;
            Some(Fault::TaskFailures { select, share })
        }
        "heap-leak" => {
            let object = object(reading, LEAK)?;
            let members = targets(object.get("member")?, plan, reading);
            let rate = reading.parsed(object.get("rate")?, "`rate`", units::byte_rate)?;
            Some(Fault::HeapLeak { members: members?, rate })
        }
        "gc-pause" => {
            let object = object(reading, GC_PAUSE)?;
            let members = targets(object.get("member")?, plan, reading);
            let pause = positive(reading, object.get("pause")?, "`pause`")?;
            Some(Fault::GcPause { members: members?, pause })
        }
        _ => None,
    }
}

fn database(node: &Node, reading: &mut Reading) -> Option<DatabaseFault> {
    const STATES: &[(&str, DatabaseFault)] = &[
        ("refused", DatabaseFault::Refused),
        ("unreachable", DatabaseFault::Refused),
        ("stalled", DatabaseFault::Stalled),
        ("hanging", DatabaseFault::Stalled),
        ("shut-down", DatabaseFault::ShutDown),
    ];
    if let Value::Mapping(_) = &node.value {
        let slow = Field::required("slow", document::Kind::Any, "10x", "");
        let object = reading.object(node, "`database`", &[slow])?;
        return reading.parsed(object.get("slow")?, "`slow`", units::times).map(DatabaseFault::Slow);
    }
    let text = reading.text(node, "`database`")?;
    // `slow: 10x` in quotes is what people write as well.
    if let Some(times) = text.strip_prefix("slow").map(|rest| rest.trim_start_matches([':', ' '])) {
        return reading.parsed(node, "`database`", |_| units::times(times)).map(DatabaseFault::Slow);
    }
    let found = STATES.iter().find(|(word, _)| *word == text).map(|(_, fault)| *fault);
    if found.is_none() {
        let words = STATES.iter().map(|(word, _)| *word).chain(["{ slow: 10x }"]);
        reading.unknown(&node.place, "state of a database", text, words);
    }
    found
}

/// Members by name, all of a role, or a list of these.
pub(super) fn targets(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Vec<usize>> {
    let nodes = match &node.value {
        Value::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut members = Vec::new();
    for node in nodes {
        let name = reading.text(node, "a member")?;
        let of = |member: &MemberPlan| member.name == name || member.role.name() == name || name == "all";
        let found: Vec<usize> =
            plan.cluster.members.iter().enumerate().filter(|(_, member)| of(member)).map(|(at, _)| at).collect();
        if found.is_empty() {
            let mut names: Vec<&str> = plan.cluster.members.iter().map(|member| member.name.as_str()).collect();
            names.extend(plan.cluster.members.iter().map(|member| member.role.name()));
            names.dedup();
            reading.unknown(&node.place, "member of this cluster", name, names);
            return None;
        }
        members.extend(found.into_iter().filter(|member| !members.contains(member)).collect::<Vec<_>>());
    }
    if members.is_empty() {
        reading.error(&node.place, "no member is named", "write for example worker-1");
        return None;
    }
    Some(members)
}
