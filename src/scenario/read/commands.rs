//! Entries of `commands`.

use serde_json::{Map, Value as Json};

use super::expectations::labels;
use super::faults::{entry, targets};
use super::work::{flow_named, mapping};
use super::{duration, instant};
use crate::document::{self, Entry, Node, Object, Reading, Severity, Value};
use crate::flow::{self, Flow, State};
use crate::scenario::commands::ends;
use crate::scenario::fields::{COMMANDS, WHEN_COMMANDED};
use crate::scenario::{
    Answering, Deed, LEVELS, Order, Plan, PlannedCommand, RealAnswer, TaskOf, Which, Whose, input_words, label_refused,
};
use crate::time::{Duration, Instant};

/// The level that is that of the logger above.
const INHERITED: &str = "inherited";

/// What else commands take, by their keywords.
const TAKES: &[(&str, &[&str])] = &[
    ("set-logger", &["member", "level"]),
    ("ask-logger", &["member"]),
    ("execute", &["inputs", "labels"]),
    ("answer", &["status", "took", "fails"]),
    ("kill", &["which", "labels", "cascade"]),
    ("pause", &["which", "labels"]),
    ("resume", &["which", "labels", "inputs"]),
    ("restart", &["which", "labels"]),
    ("replay", &["which", "labels", "task", "value"]),
    ("change-state", &["which", "labels", "task", "value", "state"]),
];

/// Tells of what a command does not take, and would be without effect.
fn foreign(object: &Object<'_>, keyword: &str, reading: &mut Reading) -> Option<()> {
    let takes = TAKES.iter().find(|(name, _)| *name == keyword).map_or(&[][..], |(_, keys)| *keys);
    let known = |key: &str| key == "at" || takes.contains(&key) || COMMANDS.iter().any(|it| it.key == key);
    let mut foreign = object.entries().iter().filter(|entry| !known(&entry.key));
    let Some(found) = foreign.find(|entry| WHEN_COMMANDED.iter().any(|it| it.key == entry.key)) else {
        return Some(());
    };
    reading.error(&found.place, format!("`{keyword}` has no `{}`", found.key), "leave it out");
    None
}

pub(super) fn command(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<PlannedCommand> {
    let fields: Vec<_> = WHEN_COMMANDED.iter().chain(COMMANDS).copied().collect();
    let object = reading.object(node, "an entry of `commands`", &fields)?;
    let at = object.get("at").and_then(|node| instant(reading, node, "`at`"));
    let mut keywords = object.entries().iter().filter(|entry| COMMANDS.iter().any(|it| it.key == entry.key));
    let known = || COMMANDS.iter().map(|field| field.key).collect::<Vec<_>>().join(", ");
    let Some(keyword) = keywords.next() else {
        reading.error(&node.place, "this entry says nothing of what is done", format!("add one of {}", known()));
        return None;
    };
    if let Some(second) = keywords.next() {
        let what = format!("`{}` and `{}` in one entry", keyword.key, second.key);
        reading.error(&second.place, what, "write an entry for each");
    }
    foreign(&object, &keyword.key, reading)?;
    let value = &keyword.value;
    let order = match keyword.key.as_str() {
        "inject" if own_at(value).is_some() => {
            let place = own_at(value).map_or(&value.place, |entry| &entry.place);
            reading.error(place, "an injected fault begins with its command", "leave `at` out here");
            return None;
        }
        "inject" => Order::Inject(entry(value, plan, Some(at.unwrap_or(Instant::START)), reading)?),
        "clear" => Order::Clear(fault(value, plan, reading)?),
        "refresh" => Order::Refresh(targets(value, plan, reading)?),
        "stop-by-endpoint" => Order::Stop(targets(value, plan, reading)?),
        "execute" => {
            let flow = flow_named(reading, value, plan)?;
            let given = object.get("inputs").and_then(|node| inputs(node, reading)).unwrap_or_default();
            let labels = own_labels(&object, plan, reading);
            let known = declared(plan.flows.get(flow)?, (&given, &object, value), Severity::Error, plan, reading);
            known.then_some(Order::Execute { flow, inputs: given, labels })?
        }
        "receivers" => Order::Receivers(reading.choice(value, "way to answer messages", Answering::WORDS)?),
        "answer" => Order::Answer {
            message: reading.count(value, "`answer`", 0..=u64::MAX)?,
            answer: answer(&object, reading)?,
        },
        "kill" | "pause" | "resume" | "restart" | "replay" | "change-state" => ask(&object, keyword, plan, reading)?,
        logger => {
            let name = reading.text(value, &format!("`{logger}`"))?.to_owned();
            if name.is_empty() {
                reading.error(&value.place, "a logger without a name", "name one, such as `io.kestra`, or `ROOT`");
                return None;
            }
            let member = member(&object, node, plan, reading)?;
            match logger {
                "ask-logger" => Order::AskLogger { member, logger: name },
                _ => Order::SetLogger { member, logger: name, level: level(&object, node, reading)? },
            }
        }
    };
    Some(PlannedCommand { at: at?, order })
}

/// The labels that an execution is to have, which the server must take.
fn own_labels(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Vec<(String, String)> {
    let Some(node) = object.get("labels") else { return Vec::new() };
    let labels = labels(node, reading);
    for (key, value) in &labels {
        if let Some(why) = label_refused((key, value), plan.kestra) {
            reading.error(&node.place, why, "choose another key, such as `team`");
        }
    }
    labels
}

/// What is asked of executions that are there.
fn ask(object: &Object<'_>, keyword: &Entry, plan: &Plan, reading: &mut Reading) -> Option<Order> {
    let name = keyword.key.as_str();
    let task = match (object.get("task"), object.get("value")) {
        (Some(task), value) => Some(TaskOf {
            id: reading.text(task, "`task`")?.to_owned(),
            value: value.and_then(|value| reading.text(value, "`value`")).map(str::to_owned),
        }),
        (None, Some(value)) => {
            reading.error(&value.place, "a `value` of no task", "add `task: load`");
            return None;
        }
        (None, None) => None,
    };
    let flow = flow_named(reading, &keyword.value, plan)?;
    known_task(task.as_ref(), (flow, object.get("task")), plan, reading)?;
    let deed = match name {
        "kill" => Deed::Kill {
            cascade: object.get("cascade").is_none_or(|node| reading.boolean(node, "`cascade`") != Some(false)),
        },
        "pause" => Deed::Pause,
        "resume" => {
            Deed::Resume { inputs: object.get("inputs").and_then(|node| inputs(node, reading)).unwrap_or_default() }
        }
        "restart" => Deed::Restart,
        "replay" => Deed::Replay(task),
        _ => {
            let Some(state) = object.get("state") else {
                reading.error(&keyword.place, "a change-state without `state`", "add `state: SUCCESS`");
                return None;
            };
            Deed::Change { state: end(state, task.is_some(), reading)?, task }
        }
    };
    let which = match object.get("which") {
        Some(node) => which(node, reading)?,
        None => Which::Last,
    };
    let labels = object.get("labels").map(|node| labels(node, reading)).unwrap_or_default();
    Some(Order::Ask { deed, whose: Whose { flow, labels, which } })
}

/// A task that the flow has.
fn known_task(
    task: Option<&TaskOf>,
    (flow, node): (usize, Option<&Node>),
    plan: &Plan,
    reading: &mut Reading,
) -> Option<()> {
    let (Some(task), Some(node)) = (task, node) else { return Some(()) };
    let flow = plan.flows.get(flow)?;
    let ids: Vec<&str> = flow.all_tasks().into_iter().map(|task| task.id.as_str()).collect();
    if ids.contains(&task.id.as_str()) {
        return Some(());
    }
    reading.unknown(&node.place, &format!("task of {}", flow.name()), &task.id, ids);
    None
}

fn which(node: &Node, reading: &mut Reading) -> Option<Which> {
    let text = match &node.value {
        Value::Scalar { text, .. } => text.as_str(),
        _ => "",
    };
    match (text, text.parse::<u64>()) {
        ("last", _) => Some(Which::Last),
        ("first", _) => Some(Which::First),
        ("all", _) => Some(Which::All),
        (_, Ok(number)) if number > 0 => Some(Which::Number(number)),
        _ => {
            let what = format!("`which` says which execution, and not {}", node.value.describe());
            reading.error(&node.place, what, "write last, first, all, or a number from 1 on");
            None
        }
    }
}

/// A state that somebody may give: a task goes on behind only some.
fn end(node: &Node, task: bool, reading: &mut Reading) -> Option<State> {
    let states: Vec<(&str, State)> = ends(task).map(|state| (state.name(), state)).collect();
    reading.choice(node, "state in which one can end", &states)
}

/// Looks whether inputs are as a flow declares them, as far as no template decides it; tells what is wrong, at the input or
/// at `value`.
pub(super) fn declared(
    flow: &Flow,
    (given, object, value): (&Map<String, Json>, &Object<'_>, &Node),
    severity: Severity,
    plan: &Plan,
    reading: &mut Reading,
) -> bool {
    let place = |id: &str| match object.get("inputs").map(|node| &node.value) {
        Some(Value::Mapping(entries)) => entries.iter().find(|entry| entry.key == id).map(|entry| &entry.value.place),
        _ => None,
    };
    let ids: Vec<&str> = flow.inputs().iter().map(|input| input.id).collect();
    for id in given.keys().filter(|id| !ids.contains(&id.as_str())) {
        let what = format!("{} declares no input `{id}`: Kestra leaves it out", flow.name());
        let advice = match document::nearest(id, ids.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it in `inputs` of the flow".to_owned(),
        };
        reading.warning(place(id).unwrap_or(&value.place), what, advice);
    }
    let refused = flow::refused(flow.declared(), given, input_words(plan.kestra));
    for (id, why) in &refused {
        let what = format!("{} is not started so: {why}", flow.name());
        let advice = format!("give `inputs: {{ {id}: ... }}` as the flow declares it");
        let at = place(id).unwrap_or(&value.place);
        match severity {
            Severity::Error => reading.error(at, what, advice),
            _ => reading.warning(at, what, advice),
        }
    }
    refused.is_empty() || severity != Severity::Error
}

fn inputs(node: &Node, reading: &mut Reading) -> Option<Map<String, Json>> {
    mapping(node, "inputs", "{ day: monday }", reading)
}

/// What a receiver answered.
fn answer(object: &Object<'_>, reading: &mut Reading) -> Option<RealAnswer> {
    let status = match object.get("status") {
        Some(node) => Some(u16::try_from(reading.count(node, "`status`", 100..=599)?).ok()?),
        None => None,
    };
    let fails = match object.get("fails") {
        Some(node) => Some(reading.text(node, "`fails`")?.to_owned()),
        None => None,
    };
    let took = match object.get("took") {
        Some(node) => duration(reading, node, "`took`")?,
        None => Duration::ZERO,
    };
    Some(RealAnswer { status, fails, took })
}

/// The `at` of a fault itself.
fn own_at(fault: &Node) -> Option<&Entry> {
    let Value::Mapping(entries) = &fault.value else { return None };
    entries.iter().find(|entry| entry.key == "at")
}

/// The name of a fault of this scenario.
fn fault(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<String> {
    let name = reading.text(node, "`clear`")?;
    let injected = plan.commands.iter().filter_map(|command| match &command.order {
        Order::Inject(entry) => Some(entry),
        _ => None,
    });
    let known: Vec<&str> = plan.timeline.iter().chain(injected).map(|entry| entry.name.as_str()).collect();
    if !known.contains(&name) {
        reading.unknown(&node.place, "fault of this scenario", name, known);
        return None;
    }
    Some(name.to_owned())
}

fn member(object: &Object<'_>, node: &Node, plan: &Plan, reading: &mut Reading) -> Option<usize> {
    let Some(value) = object.get("member") else {
        reading.error(&node.place, "nobody's logger", "add `member: worker-1`");
        return None;
    };
    match targets(value, plan, reading)?.as_slice() {
        [one] => Some(*one),
        _ => {
            reading.error(&value.place, "several members in one entry", "write an entry for each");
            None
        }
    }
}

fn level(object: &Object<'_>, node: &Node, reading: &mut Reading) -> Option<Option<&'static str>> {
    let Some(value) = object.get("level") else {
        reading.error(&node.place, "the logger gets no `level`", format!("add `level: DEBUG`, or {INHERITED}"));
        return None;
    };
    let levels = LEVELS.iter().map(|level| (*level, Some(*level)));
    let choices: Vec<_> = levels.chain([(INHERITED, None)]).collect();
    reading.choice(value, "level of a logger", &choices)
}
