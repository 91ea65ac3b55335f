//! Kestra's own tasks that hold tasks, wait, start other flows or end the execution: what of them runs as such.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::body::{Body, Group, How, Loop, Pause, Span, Subflow, Then, Times, Until};
use super::parts::{self, get, word};
use super::read::Lists;
use super::{State, Task, jackson, unsimulated};
use crate::document::{Node, Reading, Value};
use crate::time::Duration;

/// What a task of a type is. Work for a worker is also what does not run as such; the tasks that it holds are looked at for
/// what is wrong with them.
pub(super) fn body(lists: &mut Lists, reading: &mut Reading, node: &Node, kind: &str, told: bool) -> Body {
    let Some(name) = unsimulated::core(kind) else { return Body::Work };
    let body = match name {
        "Pause" => match pause(lists, reading, node, told) {
            Some(group @ Body::Group(_)) => return group,
            other => other,
        },
        "Subflow" | "Flow" => subflow(reading, node),
        "ForEachItem" => match for_each_item(lists, reading, node, kind, told) {
            Some(group) => return group,
            None => None,
        },
        "Exit" => exit(reading, node),
        "Kill" => kill(node),
        "Labels" | "SetVariables" | "UnsetVariables" | "Resume" => Some(Body::Update),
        "Fail" => get(node, "condition").map(|_| Body::Fail),
        _ => match how(node, name) {
            Some(how) => {
                let group = group(lists, reading, node, how, told);
                if told && group.how == How::Directory {
                    retried(reading, node, &group);
                }
                if told && matches!(group.how, How::Loop(_)) {
                    pauses(reading, node, &group);
                }
                return Body::Group(Box::new(group));
            }
            None => None,
        },
    };
    lists.held(reading, node);
    body.unwrap_or_default()
}

/// A worker leaves a WorkingDirectory with the first of its tasks that fails, and nobody goes on with it when that one is tried
/// again (source: none of its tasks is ever created by an executor). What becomes of the execution then was not recorded.
fn retried(reading: &mut Reading, node: &Node, group: &Group) {
    let all = get(node, "retry").is_some();
    let again = |task: &&Task| task.retry.as_ref().map_or(all, |retry| !retry.new_execution);
    let run = group.branches.iter().flatten().rev().filter(|task| !task.disabled);
    for task in run.skip(1).filter(again) {
        let what = format!("not simulated: what follows the `retry` of the task `{}` in a WorkingDirectory", task.id);
        reading.warning(
            &node.place,
            what,
            "the tasks behind it run here when it has ended well; put it last, or outside",
        );
    }
}

/// Kestra's executor hears when the execution of a value of a Loop is PAUSED, and pauses the one that holds the Loop (source;
/// nobody has recorded how that goes on). A Loop in a Loop tells it of itself.
fn pauses(reading: &mut Reading, node: &Node, group: &Group) {
    let mut held: Vec<&Task> = group.tasks().collect();
    while let Some(task) = held.pop() {
        if task.disabled {
            continue;
        }
        let inner = task.group();
        if matches!(task.body, Body::Pause(_)) || inner.is_some_and(|it| matches!(it.how, How::Paused(_))) {
            let what =
                format!("not simulated: what the Pause `{}` in a Loop makes of the execution around it", task.id);
            reading.warning(
                &node.place,
                what,
                "only the execution of the value is PAUSED here, the one that holds the Loop stays RUNNING",
            );
        }
        held.extend(inner.filter(|it| !matches!(it.how, How::Loop(_))).into_iter().flat_map(Group::tasks));
    }
}

/// A Kill of its own execution, which spares what that has started.
fn kill(node: &Node) -> Option<Body> {
    let spares = |it: &Node| text(it).is_some_and(|text| text.trim().eq_ignore_ascii_case("false"));
    get(node, "propagateKill").is_none_or(spares).then_some(Body::Exit(State::Killed))
}

/// How the tasks of a group run, if it runs as such.
fn how(node: &Node, name: &str) -> Option<How> {
    // Less than nothing is no limit, as zero is.
    let most = |key: &str, usual| match get(node, key).map(jackson::json) {
        Some(number) => number.as_i64().map(|number| u32::try_from(number.max(0)).unwrap_or(u32::MAX)),
        None => Some(usual),
    };
    Some(match name {
        "Sequential" => How::Sequential,
        "WorkingDirectory" | "Worker" => How::Directory,
        "LoopUntil" | "WaitFor" => How::Until(Box::new(until(node)?)),
        "AllowFailure" => How::AllowFailure,
        "Parallel" => How::Parallel(most("concurrent", 0)?),
        "Dag" => How::Dag(most("concurrent", 0)?, after(node)?),
        "If" => How::If(text(get(node, "condition")?)?),
        "Switch" => How::Switch(text(get(node, "value")?)?, cases(node)),
        "ForEach" => How::ForEach(values(get(node, "values")?)?, most("concurrencyLimit", 1)?),
        "Loop" => How::Loop(Box::new(loop_of(node, most("concurrencyLimit", 0)?)?)),
        "EachSequential" => How::ForEach(values(get(node, "value")?)?, 1),
        "EachParallel" => How::EachParallel(values(get(node, "value")?)?, most("concurrent", 0)?),
        _ => return None,
    })
}

fn text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// A LoopUntil; what is no duration or number as it stands is worked out after each iteration.
fn until(node: &Node) -> Option<Until> {
    let often = get(node, "checkFrequency");
    let of = |key: &str| often.and_then(|node| get(node, key));
    let max_iterations = match of("maxIterations").map(jackson::json) {
        None => None,
        Some(Json::String(text)) if text.contains('{') => Some(Times::Rendered(text)),
        Some(Json::String(text)) => Some(Times::Written(text.trim().parse().ok()?)),
        Some(number) => Some(Times::Written(u32::try_from(number.as_u64()?).ok()?)),
    };
    let fails = match get(node, "failOnMaxReached").map(jackson::json) {
        None => false,
        Some(fails) => fails.as_bool()?,
    };
    Some(Until {
        condition: text(get(node, "condition")?)?,
        interval: span(of("interval")).ok()?.unwrap_or_else(|| Duration::minutes(1).into()),
        max_iterations,
        max_duration: span(of("maxDuration")).ok()?,
        fails,
    })
}

/// Values: a list, or a text that is one.
fn values(node: &Node) -> Option<Json> {
    let values = jackson::json(node);
    (values.is_array() || values.is_string()).then_some(values)
}

/// A Loop whose flags are written out.
fn loop_of(node: &Node, most: u32) -> Option<Loop> {
    let values = jackson::json(get(node, "values")?);
    let transmit = match get(node, "transmitFailed").map(jackson::json) {
        None | Some(Json::Null) => true,
        Some(transmit) => transmit.as_bool()?,
    };
    let outputs = match get(node, "outputs").map(jackson::json) {
        Some(Json::Array(outputs)) => outputs,
        _ => Vec::new(),
    };
    let stores = get(node, "fetchType").and_then(text).is_some_and(|text| text.trim() == "STORE");
    let breaks = match get(node, "breakWhen").map(jackson::json) {
        None | Some(Json::Null) => None,
        Some(Json::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    };
    (!values.is_null()).then_some(Loop { values, most, transmit, outputs, stores, breaks })
}

fn cases(node: &Node) -> Vec<String> {
    match get(node, "cases").map(|node| &node.value) {
        Some(Value::Mapping(cases)) => cases.iter().map(|case| case.key.clone()).collect(),
        _ => Vec::new(),
    }
}

fn items(node: Option<&Node>) -> &[Node] {
    node.map_or(&[], Node::items)
}

/// The tasks of a Dag after which each of them runs, by their places; none when one is not there, or waits for itself.
fn after(node: &Node) -> Option<Vec<Vec<usize>>> {
    let text = |node: Option<&Node>| node.and_then(text).unwrap_or_default();
    let items = items(get(node, "tasks"));
    let id = |item: &Node| text(get(item, "task").and_then(|task| get(task, "id")));
    let places: BTreeMap<String, usize> = items.iter().enumerate().map(|(place, item)| (id(item), place)).collect();
    let after: Vec<Vec<usize>> = items
        .iter()
        .map(|item| {
            let names = self::items(get(item, "dependsOn")).iter();
            names.map(|name| places.get(&text(Some(name))).copied()).collect::<Option<Vec<usize>>>()
        })
        .collect::<Option<_>>()?;
    // As often as there are tasks, those are taken out that wait for none that is left.
    let mut left: Vec<bool> = vec![true; after.len()];
    for _ in 0..after.len() {
        let free: Vec<usize> =
            (0..after.len()).filter(|at| left[*at] && after[*at].iter().all(|before| !left[*before])).collect();
        free.iter().for_each(|at| left[*at] = false);
        if free.is_empty() {
            break;
        }
    }
    (!left.contains(&true)).then_some(after)
}

fn group(lists: &mut Lists, reading: &mut Reading, node: &Node, how: How, told: bool) -> Group {
    let mut list = |key: &str| lists.tasks(reading, get(node, key), &format!("`{key}`"), told);
    let (errors, finally) = (list("errors"), list("finally"));
    let branches = match &how {
        How::If(_) => ["then", "else"].into_iter().filter(|key| get(node, key).is_some()).map(list).collect(),
        How::Switch(..) => {
            let defaults = get(node, "defaults").map(|_| list("defaults"));
            let cases = match get(node, "cases").map(|node| &node.value) {
                Some(Value::Mapping(cases)) => cases.as_slice(),
                _ => &[],
            };
            let of_cases = cases.iter().map(|case| lists.tasks(reading, Some(&case.value), "a case", told));
            let mut branches: Vec<_> = of_cases.collect();
            branches.extend(defaults);
            branches
        }
        How::Dag(..) => {
            let tasks = items(get(node, "tasks")).iter();
            vec![tasks.filter_map(|item| lists.task(reading, get(item, "task")?, told)).collect()]
        }
        _ => vec![list("tasks")],
    };
    Group { how, branches, errors, finally }
}

/// A duration: what is none as it stands is worked out when it is asked for.
fn span(node: Option<&Node>) -> Result<Option<Span>, ()> {
    match node.map(|node| &node.value) {
        None => Ok(None),
        Some(Value::Scalar { text, .. }) if text.trim().is_empty() => Ok(None),
        Some(Value::Scalar { text, .. }) => {
            Ok(Some(jackson::duration(text).map_or_else(|_| Span::Rendered(text.clone()), Span::Written)))
        }
        Some(_) => Err(()),
    }
}

/// A Pause: one with `onPause`, or that holds tasks, is a group.
fn pause(lists: &mut Lists, reading: &mut Reading, node: &Node, told: bool) -> Option<Body> {
    // What holds or starts others is nothing that a worker could run.
    let kind = get(node, "onPause").map(|task| get(task, "type").and_then(text).unwrap_or_default());
    if kind.as_deref().and_then(unsimulated::core).is_some_and(|name| unsimulated::NOT_RUNNABLE.contains(&name)) {
        return None;
    }
    let span_of = |key| span(get(node, key)).ok();
    let pauses = span_of("pauseDuration")?.or(span_of("delay")?);
    let (then, behavior) = match get(node, "behavior") {
        Some(Node { value: Value::Scalar { text, .. }, .. }) if text.contains("{{") => {
            (Then::Resume, Some(text.clone()))
        }
        Some(node) => (word(reading, node, "behavior of a Pause", &Then::NAMES)?, None),
        None => (Then::Resume, None),
    };
    let inputs = match get(node, "onResume") {
        Some(node) => {
            parts::inputs(reading, node);
            jackson::json(node).as_array().cloned()?
        }
        None => Vec::new(),
    };
    let holds = ["tasks", "errors", "finally"].iter().any(|key| !items(get(node, key)).is_empty());
    let on_pause = get(node, "onPause").and_then(|task| lists.task(reading, task, told));
    let timeout = span_of("timeout")?;
    let pause = Pause { duration: pauses, then, behavior, on_pause: on_pause.is_some(), holds, timeout, inputs };
    if !holds && on_pause.is_none() {
        return Some(Body::Pause(pause));
    }
    let mut group = group(lists, reading, node, How::Paused(Box::new(pause)), told);
    if let Some(first) = group.branches.first_mut() {
        first.splice(0..0, on_pause);
    }
    Some(Body::Group(Box::new(group)))
}

/// A Subflow that begins at once.
fn subflow(reading: &mut Reading, node: &Node) -> Option<Body> {
    if get(node, "scheduleDate").is_some() {
        return None;
    }
    let map = |key: &str| match get(node, key).map(jackson::json) {
        None => Some(Map::new()),
        Some(Json::Object(map)) => Some(map),
        Some(_) => None,
    };
    let flag = |reading: &mut Reading, key: &str, usual| match get(node, key) {
        Some(node) => jackson::boolean(reading, node, &format!("`{key}`")),
        None => Some(usual),
    };
    let restarts = match get(node, "restartBehavior") {
        Some(node) => word(reading, node, "restartBehavior", &[("RETRY_FAILED", true), ("NEW_EXECUTION", false)])?,
        None => true,
    };
    let [namespace, flow] = ["namespace", "flowId"].map(|key| get(node, key).and_then(text));
    Some(Body::Subflow(Box::new(Subflow {
        namespace: namespace?,
        flow: flow?,
        wait: flag(reading, "wait", true)?,
        transmit: flag(reading, "transmitFailed", true)?,
        inherit: flag(reading, "inheritLabels", false)?,
        restarts,
        batches: false,
        inputs: map("inputs")?,
        outputs: map("outputs")?,
        labels: get(node, "labels").map(|node| parts::labels(reading, node)).unwrap_or_default(),
    })))
}

/// A ForEachItem: a worker splits its items, then there is an execution for each batch, then a worker merges their outputs
/// (source of 0.20 and 1.3).
fn for_each_item(lists: &mut Lists, reading: &mut Reading, node: &Node, kind: &str, told: bool) -> Option<Body> {
    let Some(Body::Subflow(mut subflow)) = subflow(reading, node) else { return None };
    subflow.batches = true;
    let id = get(node, "id").and_then(text)?;
    let part = |end: &str, class: &str, body: Body| Task {
        id: format!("{id}_{end}"),
        kind: format!("{kind}$ForEachItem{class}"),
        body,
        ..Task::default()
    };
    let tasks = vec![
        part("split", "Split", Body::Work),
        part("items", "Executable", Body::Subflow(subflow)),
        part("merge", "MergeOutputs", Body::Work),
    ];
    let group = group(lists, reading, node, How::Sequential, told);
    Some(Body::Group(Box::new(Group { branches: vec![tasks], ..group })))
}

/// An Exit: its state, SUCCESS when it says none.
fn exit(reading: &mut Reading, node: &Node) -> Option<Body> {
    let states = ["SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELED", "CANCELLED"];
    let state = match get(node, "state") {
        None => State::Success,
        Some(node) => match word(reading, node, "state of an Exit", &states.map(|state| (state, state)))? {
            "CANCELED" => State::Cancelled,
            name => State::ALL.into_iter().find(|state| state.name() == name)?,
        },
    };
    Some(Body::Exit(state))
}
