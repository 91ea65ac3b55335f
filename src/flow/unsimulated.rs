//! What a flow may say and the simulator does not do: tables of names, and one line for each that is met.
//!
//! Only what could change a number is told. Nothing is told of what is switched off: it would not run in Kestra either.

use super::parts::get;
use super::templated::is_templated;
use super::trigger::{Calendar, Comparison, Condition, Test};
use super::{Body, Task, Trigger, TriggerAction, typed};
use crate::document::{Node, Object, Reading, Value};
use crate::java::{holidays, pattern};

/// A key that is read and not followed.
struct Row {
    key: &'static str,
    when: When,
    /// What happens here instead.
    instead: &'static str,
}

/// When a key matters.
#[derive(Clone, Copy)]
enum When {
    /// With any value that says something.
    Set,
    /// Unless it is a constant that holds.
    NotTrue,

    /// When it is switched on.
    True,
    /// When it has `enabled: true`.
    Enabled,
}

const fn row(key: &'static str, when: When, instead: &'static str) -> Row {
    Row { key, when, instead }
}

const ANY_WORKER: &str = "any worker takes the work here";

/// Of a flow.
const FLOW: &[Row] = &[
    row("quotas", When::Set, "nothing is limited by them here"),
    row("workerGroup", When::Set, ANY_WORKER),
    row("workerSelector", When::Set, ANY_WORKER),
    row("deleted", When::True, "the flow runs here"),
    row("draft", When::True, "the flow runs here"),
];

/// Of any task.
const TASK: &[Row] = &[
    row("workerGroup", When::Set, ANY_WORKER),
    row("workerSelector", When::Set, ANY_WORKER),
    row("taskCache", When::Enabled, "the task always runs here"),
];

/// Of any trigger that is simulated.
const TRIGGER: &[Row] = &[
    row("backfill", When::Set, "no dates before the start run here"),
    row("failOnTriggerError", When::True, "an evaluation that fails makes no execution here"),
    row("workerGroup", When::Set, ANY_WORKER),
    row("workerSelector", When::Set, ANY_WORKER),
];

/// Of a polling trigger, beyond that.
const POLL: &[Row] = &[row("allowConcurrent", When::True, "it waits for its last execution here")];

/// Of a Webhook, beyond that.
const WEBHOOK: &[Row] = &[
    row("conditions", When::Set, "it fires here whatever they say"),
    row("when", When::NotTrue, "it fires here whatever it says"),
    row("stopAfter", When::Set, "it goes on here"),
    row("labels", When::Set, "its executions have the labels of the flow here"),
];

const HOLDS: &str = "it runs as one plain task here, what it holds is not run";
const STARTS: &str = "it runs as one plain task here, and starts no other flow";

/// Core tasks that do something else here, by the last part of their type.
const TASKS: &[(&str, &str)] = &[
    ("Parallel", HOLDS),
    ("ForEach", HOLDS),
    ("EachSequential", HOLDS),
    ("EachParallel", HOLDS),
    ("Loop", "it runs as one plain task here: its `values` or its flags are not as they can be read"),
    ("LoopUntil", HOLDS),
    ("WaitFor", HOLDS),
    ("If", HOLDS),
    ("Switch", HOLDS),
    ("Dag", HOLDS),
    ("Subflow", STARTS),
    ("Flow", STARTS),
    ("ForEachItem", STARTS),
    (
        "Template",
        "it runs as one plain task here: templates are no flows, and servers have none unless `kestra.templates.enabled`; \
         write its tasks into the flow, or into one that a Subflow starts",
    ),
    ("Pause", "it runs as one plain task here, nothing waits: its `onPause` is no work for a worker"),
    ("Exit", "the execution goes on here"),
    ("Kill", "with `propagateKill` it kills nothing here, and the execution goes on"),
    ("TemplatedTask", "it runs as one plain task here: it has no `spec` that is a text"),
];

/// Tasks that no worker runs.
pub const NOT_RUNNABLE: &[&str] = &[
    "AllowFailure",
    "Dag",
    "EachParallel",
    "EachSequential",
    "Exit",
    "Flow",
    "ForEach",
    "ForEachItem",
    "If",
    "Labels",
    "Loop",
    "LoopUntil",
    "Parallel",
    "Pause",
    "Sequential",
    "SetVariables",
    "Subflow",
    "Switch",
    "Template",
    "UnsetVariables",
    "WaitFor",
    "Worker",
    "WorkingDirectory",
];

/// Where Kestra keeps its own tasks and triggers, old places included.
const CORE: &[&str] = &["io.kestra.plugin.core.", "io.kestra.core.tasks.", "io.kestra.core.models.triggers.types."];

/// The last part of the type of one of Kestra's own tasks or triggers, old places included.
pub fn core(kind: &str) -> Option<&str> {
    CORE.iter().any(|place| kind.starts_with(place)).then(|| kind.rsplit('.').next()).flatten()
}

/// Whether only a plugin, or a server, knows what a task puts out.
pub fn outputs_unknown(task: &Task) -> bool {
    let known = |name: &str| {
        matches!(
            name,
            "Return" | "OutputValues" | "Toggle" | "Log" | "Echo" | "Fail" | "Assert" | "Sleep" | "Count" | "Counts"
        )
    };
    matches!(task.body, Body::Work | Body::Fail) && !core(&task.kind).is_some_and(known)
}

/// Whether a condition is a constant that holds: no expression, or `{{ true }}`.
fn holds(node: &Node) -> bool {
    let Value::Scalar { text, .. } = &node.value else { return false };
    let text = text.trim();
    let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
    match inner {
        Some(inner) => inner == "true",
        // What a template gives is true unless it is blank, `false` or a zero.
        None => !text.contains(['{', '}']) && !matches!(text, "" | "false" | "0" | "-0"),
    }
}

impl When {
    fn matters(self, node: &Node) -> bool {
        match (self, &node.value) {
            (_, Value::Null) => false,
            (When::Set, Value::Sequence(items)) => !items.is_empty(),
            (When::Set, Value::Mapping(entries)) => !entries.is_empty(),
            (When::Set, Value::Scalar { text, .. }) => !text.is_empty(),
            (When::NotTrue, _) => !holds(node),
            (When::True, Value::Scalar { text, .. }) => matches!(text.as_str(), "true" | "yes" | "on" | "1"),
            (When::Enabled, Value::Mapping(entries)) => {
                entries.iter().any(|entry| entry.key == "enabled" && When::True.matters(&entry.value))
            }
            (When::True | When::Enabled, _) => false,
        }
    }
}

fn told(reading: &mut Reading, object: &Object<'_>, rows: &[Row], whose: &str) {
    for row in rows {
        if let Some(entry) = object.entry(row.key).filter(|entry| row.when.matters(&entry.value)) {
            reading.warning(&entry.place, format!("not simulated: `{}` of {whose}", row.key), row.instead);
        }
    }
}

/// Tells what is not simulated of a flow itself.
pub(super) fn flow(reading: &mut Reading, object: &Object<'_>) {
    told(reading, object, FLOW, "the flow");
    if let Some(Node { value: Value::Sequence(all), .. }) = object.get("inputs") {
        all.iter().for_each(|node| input(reading, node));
    }
}

/// Types of inputs of 2.0 whose values are not looked at.
const OPEN: &[&str] = &["FORM", "OBJECT", "TABLE"];

/// Tells what is not simulated of an input.
fn input(reading: &mut Reading, node: &Node) {
    let id = get(node, "id").and_then(text).unwrap_or_default();
    let kind = get(node, "type").filter(|node| text(node).is_some_and(|kind| OPEN.contains(&kind)));
    if let Some(node) = kind {
        let kind = text(node).unwrap_or_default();
        let what = format!("not simulated: what the type {kind} asks of the input `{id}`");
        reading.warning(&node.place, what, "any value is taken here, as it is given");
    }
    let validator = get(node, "validator");
    // What is no pattern anywhere is refused.
    let unknown = |pattern: &str| typed::whole(pattern).is_none() && !pattern::refused(pattern);
    if let Some(node) = validator.filter(|node| text(node).is_some_and(unknown)) {
        let what = format!("not simulated: the `validator` of the input `{id}`: what Java alone knows of patterns");
        reading.warning(&node.place, what, "any text is taken here");
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// Tells what is not simulated of a task.
pub(super) fn task(reading: &mut Reading, object: &Object<'_>, task: &Task) {
    let id = &task.id;
    let plain = task.body == Body::Work && !is_templated(task);
    let row = core(&task.kind).filter(|_| plain).and_then(|name| TASKS.iter().find(|(known, _)| *known == name));
    if let Some((name, instead)) = row
        && let Some(entry) = object.entry("type")
    {
        reading.warning(&entry.value.place, format!("not simulated: the task `{id}`: {name}"), *instead);
    }
    told(reading, object, TASK, &format!("the task `{id}`"));
}

/// Tells what is not simulated of a trigger.
pub(super) fn trigger(reading: &mut Reading, object: &Object<'_>, trigger: &Trigger) {
    match trigger.action.unsimulated() {
        Some(what) => {
            let place = object.entry("type").map_or(&object.node.place, |entry| &entry.value.place);
            let what = format!("not simulated: the trigger `{}`: {what}", trigger.id);
            reading.warning(place, what, "it starts nothing here; say with `arrivals` what it would start");
        }
        // What it says is all read.
        None if matches!(trigger.action, TriggerAction::Flow(_)) => {}
        // Who calls a webhook is not in a flow: whether nobody does is looked at where that is known.
        None => {
            let whose = format!("the trigger `{}`", trigger.id);
            told(reading, object, TRIGGER, &whose);
            match trigger.action {
                TriggerAction::Poll { .. } => told(reading, object, POLL, &whose),
                TriggerAction::Webhook => told(reading, object, WEBHOOK, &whose),
                _ => {}
            }
        }
    }
    if trigger.action.is_due() && trigger.limits.conditions.iter().any(asks_for_holidays) {
        let place = object.entry("conditions").map_or(&object.node.place, |entry| &entry.place);
        let what = format!("not simulated: PublicHoliday of the trigger `{}`", trigger.id);
        reading.warning(place, what, format!("no day is a holiday here; those of {KNOWN_HOLIDAYS} are known"));
    }
    if let TriggerAction::Flow(rule) = &trigger.action {
        let tell = |reading: &mut Reading, key: &str, what: &str, instead: &str| {
            let place = object.entry(key).map_or(&object.node.place, |entry| &entry.place);
            reading.warning(place, format!("not simulated: {what} of the trigger `{}`", trigger.id), instead);
        };
        if rule.conditions.iter().any(asks_for_holidays) {
            let instead = format!("it fails here, so what it stands in is false; those of {KNOWN_HOLIDAYS} are known");
            tell(reading, "conditions", "PublicHoliday", &instead);
        }
        let filters = rule.preconditions.iter().flat_map(|it| &it.filters).flat_map(|it| &it.filters);
        for filter in filters.filter(|filter| filter.comparison == Comparison::Regex) {
            // What Java has and this has not: looking around, references back.
            if regex::Regex::new(&filter.value).is_err() && filter.value.contains("(?") {
                let what = format!("the regular expression `{}`", filter.value);
                tell(reading, "preconditions", &what, "it fails here, so its filter is false");
            }
        }
    }
}

/// Countries whose holidays are simulated.
const KNOWN_HOLIDAYS: &str = "BE, DE, ES, FR, GB, IN, IT, NL and US, and of the divisions of BE, DE, FR, GB, IT and NL";

/// Whether a condition asks for public holidays that nobody here knows, at any depth. What a template comes to is told when it
/// is asked.
fn asks_for_holidays(condition: &Condition) -> bool {
    let unknown = match &condition.test {
        Test::Date { is: Calendar::PublicHoliday { country: Some(country), division }, .. } => {
            let written = |text: &str| !text.contains("{{");
            written(country)
                && division.as_deref().is_none_or(written)
                && !holidays::is_known(country, division.as_deref())
        }
        _ => false,
    };
    unknown || condition.held().any(asks_for_holidays)
}

impl TriggerAction {
    /// What a trigger is that is not simulated.
    pub fn unsimulated(&self) -> Option<&'static str> {
        match self {
            TriggerAction::Dates => Some("ScheduleOnDates"),
            TriggerAction::Schedule(_)
            | TriggerAction::Poll { .. }
            | TriggerAction::Realtime
            | TriggerAction::Webhook
            | TriggerAction::Flow(_) => None,
        }
    }

    /// Whether a scheduler looks at it when it is due.
    pub fn is_due(&self) -> bool {
        matches!(self, TriggerAction::Schedule(_) | TriggerAction::Poll { .. } | TriggerAction::Realtime)
    }

    /// Whether it starts executions by itself, or because of others.
    pub fn starts(&self) -> bool {
        self.is_due() || matches!(self, TriggerAction::Flow(_))
    }
}
