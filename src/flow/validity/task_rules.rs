//! What validators of tasks, triggers, inputs and retries look at that is more than one property.

use super::beans::{Bean, What, items, text};
use super::rules::{Found, must_match, named};
use super::{Edition, FIRST, In, LAST};
use crate::document::{Node, Value};
use crate::flow::parts::get;
use crate::flow::unsimulated::{NOT_RUNNABLE, core};
use crate::flow::{Schedule, jackson, zone};
use crate::java::pattern;

fn found(behind: &'static str, words: impl Into<String>, node: &Node, advice: impl Into<String>) -> Vec<Found> {
    vec![Found { behind, words: words.into(), place: node.place.first_line(), advice: advice.into() }]
}

/// A trigger among tasks, or a task among triggers: the validator itself fails.
pub(super) fn of_the_wrong_kind(bean: &Bean<'_>) -> Option<Found> {
    let wrong = match bean.what {
        What::Task(kind) => {
            kind.starts_with("io.kestra.plugin.core.trigger.") && !kind.ends_with(".Toggle")
                || kind.starts_with("io.kestra.core.models.triggers.types.")
        }
        What::Trigger(kind) => {
            ["log.", "debug.", "flow.", "execution."].iter().any(|package| {
                kind.strip_prefix("io.kestra.plugin.core.").is_some_and(|rest| rest.starts_with(package))
            }) || kind.starts_with("io.kestra.core.tasks.")
        }
        _ => false,
    };
    let told = || found("", "HV000028: Unexpected exception during isValid call.", bean.node, WRONG_KIND);
    wrong.then(told).into_iter().flatten().next()
}

const WRONG_KIND: &str = "tasks belong below `tasks`, triggers below `triggers`";

/// Its path is told as it is.
pub(super) const WORKER_GROUP: &str = ".workerGroup";

pub(super) fn worker_group(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    let Some(node) = get(bean.node, "workerGroup") else { return Vec::new() };
    found(WORKER_GROUP, "Worker Group is an Enterprise Edition functionality", node, "leave it out")
}

pub(super) fn working_directory(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    let tasks = items(bean.node, "tasks");
    if tasks.is_empty() {
        return found("", "The 'tasks' property cannot be empty", bean.node, "add `tasks`");
    }
    let runs = |task: &&Node| {
        let name = text(task, "type").and_then(core);
        name.is_some_and(|name| NOT_RUNNABLE.contains(&name))
    };
    let words = "Only runnable tasks are allowed as children of a WorkingDirectory task";
    let advice = "what holds or starts others goes around the WorkingDirectory";
    tasks.iter().find(runs).map(|task| found("", words, task, advice)).unwrap_or_default()
}

pub(super) fn switch(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    let cases = match get(bean.node, "cases").map(|node| &node.value) {
        Some(Value::Mapping(cases)) => !cases.is_empty(),
        _ => false,
    };
    if cases || !items(bean.node, "defaults").is_empty() {
        return Vec::new();
    }
    let words = "No task defined, neither cases or default have any tasks";
    found("", words, bean.node, "add `cases: { monday: [ { id: hello, type: ... } ] }`")
}

pub(super) fn dag(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    let tasks = items(bean.node, "tasks");
    if tasks.is_empty() {
        return found("", "No task defined", bean.node, "add `tasks: [ { task: { id: hello, type: ... } } ]`");
    }
    let scalar = |node: &Node| match &node.value {
        Value::Scalar { text, .. } => text.clone(),
        _ => String::new(),
    };
    let id = |item: &Node| get(item, "task").and_then(|task| text(task, "id")).unwrap_or_default().to_owned();
    let ids: Vec<String> = tasks.iter().map(id).collect();
    let before: Vec<Vec<String>> =
        tasks.iter().map(|item| items(item, "dependsOn").iter().map(scalar).collect()).collect();
    let missing: Vec<String> = before.iter().flatten().filter(|name| !ids.contains(name)).cloned().collect();
    if !missing.is_empty() {
        let words = format!("Not existing task id in dependency: {}", missing.join(", "));
        let asks = tasks.iter().zip(&before).find(|(_, before)| before.iter().any(|name| missing.contains(name)));
        let advice = crate::document::instead(&missing[0], ids.iter().map(String::as_str));
        return found("", words, asks.map_or(bean.node, |(item, _)| item), advice);
    }
    // Those that come, over others, before themselves.
    let comes = |start: usize| {
        let (mut seen, mut left) = (vec![false; tasks.len()], vec![start]);
        while let Some(at) = left.pop() {
            for next in before[at].iter().filter_map(|name| ids.iter().position(|id| id == name)) {
                if next == start {
                    return true;
                }
                if !std::mem::replace(&mut seen[next], true) {
                    left.push(next);
                }
            }
        }
        false
    };
    let cycle: Vec<usize> = (0..tasks.len()).filter(|at| comes(*at)).collect();
    let Some(first) = cycle.first() else { return Vec::new() };
    let names: Vec<&str> = cycle.iter().map(|at| ids[*at].as_str()).collect();
    let words = format!("Cyclic dependency detected: {}", names.join(", "));
    found("", words, &tasks[*first], "take one of them out of `dependsOn`")
}

/// Whether cron expressions may have `L`.
const LAST_DAY: In = LAST;

pub(super) fn schedule(bean: &Bean<'_>, edition: Edition) -> Vec<Found> {
    let mut all = Vec::new();
    if let (Some(node), Some(cron)) = (get(bean.node, "cron"), text(bean.node, "cron")) {
        let seconds = get(bean.node, "withSeconds").map(jackson::json) == Some(true.into());
        let schedule = Schedule { cron: cron.to_owned(), with_seconds: seconds, timezone: "UTC".into() };
        if let Err(problem) = schedule.check(LAST_DAY.has(edition)) {
            let problem = problem.trim_end_matches('.');
            all.extend(found("", format!("invalid cron expression '{cron}': {problem}"), node, schedule.advice()));
        }
    }
    if let (Some(node), Some(name)) = (get(bean.node, "timezone"), text(bean.node, "timezone"))
        && zone::zone(name).is_none()
    {
        let words = format!("timezone '({name})' is not a valid time-zone ID");
        all.extend(found(".timezone", words, node, "write a name of the IANA database, such as Europe/Paris or UTC"));
    }
    all
}

/// `name` is an old word for `id`.
pub(super) fn input_id(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    let key = if get(bean.node, "id").is_some() { "id" } else { "name" };
    let (Some(node), Some(id)) = (get(bean.node, key), text(bean.node, key)) else { return Vec::new() };
    if named(id, "._-", |c| c.is_ascii_alphanumeric()) {
        return Vec::new();
    }
    found(
        ".id",
        must_match("^[a-zA-Z0-9][.a-zA-Z0-9_-]*"),
        node,
        "use letters and digits, behind the first also `_`, `-`, `.`",
    )
}

pub(super) fn array(bean: &Bean<'_>, edition: Edition) -> Vec<Found> {
    let (Some(node), Some(of)) = (get(bean.node, "itemType"), text(bean.node, "itemType")) else { return Vec::new() };
    let words = match of {
        "ARRAY" if LAST.has(edition) => "`itemType` cannot be ARRAY".to_owned(),
        "ARRAY" => "`itemType` cannot be `ARRAY`".to_owned(),
        _ => return Vec::new(),
    };
    found("", words, node, "write for example `itemType: STRING`")
}

pub(super) fn file(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    let (Some(node), Some(uri)) = (get(bean.node, "defaults"), text(bean.node, "defaults")) else { return Vec::new() };
    if uri.contains("{{") || uri.starts_with("file:") || uri.starts_with("nsfile:") {
        return Vec::new();
    }
    let words = "inputs of type 'FILE' only support `defaults` as local files using a file URI or as namespace files using a \
                 nsfile URI";
    found("", words, node, "write for example `defaults: nsfile:///data.csv`")
}

/// A pattern that is none in Java, as far as that is looked at.
pub(super) fn pattern(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    let (Some(node), Some(pattern)) = (get(bean.node, "validator"), text(bean.node, "validator")) else {
        return Vec::new();
    };
    if !pattern::refused(pattern) {
        return Vec::new();
    }
    found(".validator", format!("invalid pattern [{pattern}]"), node, "write a regular expression of Java")
}

/// Where words name the property, and where they tell the pause.
const TELLS_PAUSE: In = FIRST;

pub(super) fn intervals(bean: &Bean<'_>, edition: Edition) -> Vec<Found> {
    let of = |key: &str| text(bean.node, key).and_then(|text| jackson::signed(text).ok());
    let (Some(interval), Some(most)) = (of("interval"), of("maxInterval")) else { return Vec::new() };
    if interval < most {
        return Vec::new();
    }
    let words = "'interval' must be less than 'maxInterval'";
    let advice = "`interval` must be less";
    if TELLS_PAUSE.has(edition) {
        let words = format!("{words} but is {}", text(bean.node, "interval").unwrap_or_default());
        return found("", words, bean.node, advice);
    }
    found(".intervalLessThanMaxInterval", words, bean.node, advice)
}
