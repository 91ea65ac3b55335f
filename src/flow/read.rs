//! Kestra's flow files: strict on what Kestra itself knows, open for what plugins know. A file is refused where every
//! version of Kestra refuses it (tests/captures/core), as far as that does not depend on the plugins that are installed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fields::{CONCURRENCY, FLOW_FIELDS, LEVELS, NO_TASK_KEYS, RETRY, TASK, TRIGGER, keys};
use super::parts::{self, Input, Name, get, identifier, labels, states, word};
use super::{
    Body, Concurrency, ConcurrencyBehavior, Flow, FlowRetry, Given, Listener, Recover, Retry, RetryPause, Schedule,
    Span, Task, Trigger, TriggerAction, TriggerLimits, defaults, groups, jackson, trigger, unsimulated, zone,
};
use crate::document::{Entry, Field, Node, Object, Reading, Value, nearest};
use crate::time::Duration;

/// Reads a flow.
#[cfg(feature = "internals")]
pub fn read(node: &Node, reading: &mut Reading) -> Option<Flow> {
    read_with(node, &[], reading)
}

/// Reads a flow, with entries of `pluginDefaults` that are for all flows: its own come first.
pub fn read_with(node: &Node, of_all: &[Node], reading: &mut Reading) -> Option<Flow> {
    let filled = defaults::filled(node, of_all);
    let flow = read_filled(filled.as_ref().unwrap_or(node), reading)?;
    // Kestra keeps the file as it was written.
    Some(Flow { source: Arc::new(jackson::json(node)), ..flow })
}

/// Reads a flow whose defaults stand where they are meant.
fn read_filled(node: &Node, reading: &mut Reading) -> Option<Flow> {
    let object = known(reading, node, "a flow", FLOW_FIELDS)?;
    if let Some(entry) = object.entry("extend") {
        let what =
            "`extend` belongs to the catalogue of blueprints and is not read: Kestra itself refuses it in a flow";
        reading.note(&entry.place, what, "");
    }
    let id = identifier(reading, object.get("id")?, Name::Flow);
    let namespace = identifier(reading, object.get("namespace")?, Name::Namespace);
    let disabled = flag(reading, &object, "disabled");
    let mut lists = Lists { live: !disabled, ids: BTreeSet::new() };
    let [tasks, errors, finally, after_execution] = ["tasks", "errors", "finally", "afterExecution"]
        .map(|key| lists.tasks(reading, object.get(key), &format!("`{key}`"), true));
    let listeners = object.get("listeners").map(|node| listeners(reading, node, &mut lists)).unwrap_or_default();
    let listed =
        object.get("tasks").is_some_and(|node| !matches!(&node.value, Value::Sequence(items) if items.is_empty()));
    if !listed {
        let place = &object.entry("tasks").map_or(&node.place, |entry| &entry.place);
        reading.error(
            place,
            "the flow has no tasks",
            "add `tasks: [ { id: hello, type: io.kestra.plugin.core.log.Log } ]`",
        );
    }
    let inputs = unread(reading, &object);
    let retry = object.get("retry").and_then(|node| retry(reading, node)).map(|retry| FlowRetry { retry });
    let triggers = triggers(reading, object.get("triggers"), &inputs, !disabled);
    if !disabled {
        unsimulated::flow(reading, &object);
    }
    Some(Flow {
        labels: object.get("labels").map(|node| labels(reading, node)).unwrap_or_default(),
        triggers,
        concurrency: object.get("concurrency").and_then(|node| concurrency(reading, node)),
        disabled,
        source: Arc::default(),
        id: id?,
        namespace: namespace?,
        tasks,
        errors,
        finally,
        after_execution,
        listeners,
        retry,
        slas: object.get("sla").map(|node| parts::slas(reading, node)).unwrap_or_default(),
        checks: object.get("checks").map(|node| parts::checks(reading, node)).unwrap_or_default(),
    })
}

fn flag(reading: &mut Reading, object: &Object<'_>, key: &str) -> bool {
    object.get(key).and_then(|node| jackson::boolean(reading, node, &format!("`{key}`"))).unwrap_or(false)
}

/// Looks at the parts of a flow that are not simulated, for what Kestra refuses. Its inputs.
fn unread(reading: &mut Reading, object: &Object<'_>) -> Vec<Input> {
    if let Some(node) = object.get("variables").filter(|node| !matches!(node.value, Value::Mapping(_))) {
        let what = format!("`variables` must be a mapping, not {}", node.value.describe());
        reading.error(&node.place, what, "write for example `variables: { day: monday }`");
    }
    if let Some(node) = object.get("revision") {
        jackson::count(reading, node, "`revision`", 1);
    }
    if let Some(node) = object.get("outputs") {
        parts::outputs(reading, node);
    }
    for key in defaults::KEYS {
        if let Some(node) = object.get(key) {
            parts::defaults(reading, node, &format!("`{key}`"));
        }
    }
    object.get("inputs").map(|node| parts::inputs(reading, node)).unwrap_or_default()
}

/// The lists of tasks of a flow.
pub(super) struct Lists {
    /// Whether the flow runs: else nothing of it is worth a word.
    live: bool,
    /// The ids of all tasks: they are unique in the flow.
    ids: BTreeSet<String>,
}

impl Lists {
    /// A list of tasks. Of one that does not run here only what is wrong is told.
    pub(super) fn tasks(&mut self, reading: &mut Reading, node: Option<&Node>, what: &str, runs: bool) -> Vec<Task> {
        let Some(node) = node else { return Vec::new() };
        let items = reading.list(node, what);
        items.iter().filter_map(|item| self.task(reading, item, runs && self.live)).collect()
    }

    pub(super) fn task(&mut self, reading: &mut Reading, node: &Node, told: bool) -> Option<Task> {
        let object = reading.open_nullable(node, "a task", TASK)?;
        likely_typos(reading, object.entries(), TASK);
        let id = identifier(reading, object.get("id")?, Name::Task);
        let kind = kind(reading, object.get("type")?);
        if let Some(level) = object.get("logLevel") {
            let levels: Vec<(&str, ())> = LEVELS.iter().map(|level| (*level, ())).collect();
            word(reading, level, "level of logs", &levels);
        }
        let disabled = flag(reading, &object, "disabled");
        let told = told && !disabled;
        let core = kind.as_deref().and_then(unsimulated::core);
        let sleep = object.get("duration").filter(|_| core == Some("Sleep"));
        let task = Task {
            retry: object.get("retry").and_then(|node| retry(reading, node)),
            timeout: object.get("timeout").and_then(|node| rendered(reading, node, "`timeout`", told)),
            allow_failure: flag(reading, &object, "allowFailure"),
            allow_warning: flag(reading, &object, "allowWarning"),
            disabled,
            sleep: sleep.and_then(|node| rendered(reading, node, "`duration`", told)),
            id: id?,
            kind: kind?,
            run_if: object.get("runIf").and_then(text_of),
            body: Body::Work,
            properties: properties(&object),
        };
        if !self.ids.insert(task.id.clone()) {
            reading.error(&node.place, format!("two tasks have the id `{}`", task.id), "give each its own");
        }
        let body = groups::body(self, reading, node, &task.kind, told);
        let task = Task { body, ..task };
        if told {
            unsimulated::task(reading, &object, &task);
        }
        Some(task)
    }

    /// Tasks that a task holds: they do not run here, and have ids of their own all the same.
    pub(super) fn held(&mut self, reading: &mut Reading, node: &Node) {
        for key in ["tasks", "then", "else", "defaults", "errors", "finally"] {
            for item in get(node, key).map_or(&[][..], Node::items) {
                // The tasks of a Dag are each below a key.
                let held = get(item, "task").unwrap_or(item);
                if get(held, "type").is_some() {
                    self.task(reading, held, false);
                }
            }
        }
        if let Some(Node { value: Value::Mapping(cases), .. }) = get(node, "cases") {
            for item in cases.iter().flat_map(|case| case.value.items()) {
                self.task(reading, item, false);
            }
        }
    }
}

/// `listeners`: tasks that run after the end, when all conditions hold.
fn listeners(reading: &mut Reading, node: &Node, lists: &mut Lists) -> Vec<Listener> {
    let mut listeners = Vec::new();
    for item in reading.list(node, "`listeners`") {
        let conditions = get(item, "conditions").map(|node| trigger::conditions(reading, node)).unwrap_or_default();
        let tasks = lists.tasks(reading, get(item, "tasks"), "`tasks` of a listener", true);
        if tasks.is_empty() {
            reading.error(&item.place, "a listener has no tasks", "add `tasks`, or leave it out");
        }
        listeners.push(Listener { conditions, tasks });
    }
    listeners
}

/// A text as it stands there.
fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// All that a task says, but for the tasks that it holds.
fn properties(object: &Object<'_>) -> Arc<serde_json::Map<String, serde_json::Value>> {
    let holds = |entry: &&Entry| !HOLDING.contains(&entry.key.as_str());
    let own = object.entries().iter().filter(holds).map(|entry| (entry.key.clone(), jackson::json(&entry.value)));
    Arc::new(own.collect())
}

/// Keys below which a task holds others.
const HOLDING: [&str; 9] = ["tasks", "then", "else", "cases", "defaults", "errors", "finally", "onPause", "onResume"];

/// A key that is almost one of Kestra's own is probably meant to be that.
fn likely_typos(reading: &mut Reading, entries: &[Entry], fields: &[Field]) {
    for entry in entries.iter().filter(|entry| fields.iter().all(|field| field.key != entry.key)) {
        if let Some((key, advice)) = NO_TASK_KEYS.iter().find(|(key, _)| *key == entry.key) {
            reading.error(&entry.place, format!("`{key}` is no key of a task"), *advice);
            continue;
        }
        // Words that plugins have too are no typos.
        let long = |field: &&Field| {
            field.key.len() > 4 && !matches!(field.key, "version" | "assets" | "policyRefs" | "workerSelector")
        };
        if let Some(meant) = nearest(&entry.key, fields.iter().filter(long).map(|field| field.key)) {
            let advice = format!("did you mean `{meant}`? (a plugin's own properties are not read)");
            reading.warning(&entry.place, format!("`{}` is none of Kestra's own keys", entry.key), advice);
        }
    }
}

fn kind(reading: &mut Reading, node: &Node) -> Option<String> {
    reading.parsed(node, "`type`", |text| {
        let good =
            text.contains('.') && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$'));
        good.then(|| text.to_owned()).ok_or_else(|| "write the full name, such as io.kestra.plugin.core.log.Log".into())
    })
}

/// A duration that Kestra works out when the task runs. It takes any text for it, and fails the task when that is none.
fn rendered(reading: &mut Reading, node: &Node, what: &str, told: bool) -> Option<Span> {
    let text = reading.text(node, what)?;
    if text.trim().is_empty() {
        return None;
    }
    match jackson::duration(text) {
        Ok(duration) => Some(Span::Written(duration)),
        Err(advice) => {
            if told && !text.contains("{{") {
                let what = format!("{what} is `{text}`: Kestra takes the flow, and fails the task whenever it runs");
                reading.warning(&node.place, what, advice.as_str());
            }
            Some(Span::Rendered(text.to_owned()))
        }
    }
}

fn duration(reading: &mut Reading, node: &Node, what: &str) -> Option<Duration> {
    reading.parsed(node, what, jackson::duration)
}

/// Tells when the shorter of two pauses is the longer one.
fn ordered(reading: &mut Reading, node: &Node, less: (&str, Option<Duration>), more: (&str, Option<Duration>)) {
    if let (Some(least), Some(most)) = (less.1, more.1)
        && least > most
    {
        let what = format!("`{}` is {least}, longer than `{}`, which is {most}", less.0, more.0);
        reading.error(&node.place, what, format!("`{}` must be less", less.0));
    }
}

fn retry(reading: &mut Reading, node: &Node) -> Option<Retry> {
    let object = known(reading, node, "`retry`", RETRY)?;
    let time = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| duration(reading, node, &format!("`{key}`")))
    };
    let attempts = object.get("maxAttempts").or_else(|| object.get("maxAttempt"));
    let attempts = attempts.and_then(|node| jackson::count(reading, node, "`maxAttempts`", 1));
    let behavior = object.get("behavior").and_then(|node| {
        word(reading, node, "behavior of retry", &[("RETRY_FAILED_TASK", false), ("CREATE_NEW_EXECUTION", true)])
    });
    let warning = object.get("warningOnRetry").and_then(|node| jackson::boolean(reading, node, "`warningOnRetry`"));
    let max_duration = time(reading, "maxDuration");
    let interval = time(reading, "interval");
    let (min, max) = (time(reading, "minInterval"), time(reading, "maxInterval"));
    let missing = |reading: &mut Reading, key: &str, example: &str| {
        if object.get(key).is_none() {
            reading.error(
                &node.place,
                format!("`retry` of this type needs `{key}`"),
                format!("add `{key}: {example}`"),
            );
        }
    };
    let types = [("constant", 0), ("exponential", 1), ("random", 2)];
    let pause = match word(reading, object.get("type")?, "type of retry", &types)? {
        0 => {
            missing(reading, "interval", "PT10S");
            RetryPause::Constant(interval?)
        }
        1 => {
            missing(reading, "interval", "PT10S");
            missing(reading, "maxInterval", "PT5M");
            let factor = object.get("delayFactor").and_then(|node| {
                reading.parsed(node, "`delayFactor`", |text| match text.parse::<f64>() {
                    Ok(factor) if factor.is_finite() && (1.0..=1000.0).contains(&factor) => Ok(factor),
                    _ => Err("write a number from 1 to 1000".into()),
                })
            });
            ordered(reading, node, ("interval", interval), ("maxInterval", max));
            RetryPause::Exponential { interval: interval?, factor: factor.unwrap_or(2.0), max: max? }
        }
        _ => {
            missing(reading, "minInterval", "PT5S");
            missing(reading, "maxInterval", "PT1M");
            ordered(reading, node, ("minInterval", min), ("maxInterval", max));
            RetryPause::Random { min: min?, max: max? }
        }
    };
    Some(Retry {
        pause,
        max_attempts: attempts,
        max_duration,
        warning_on_retry: warning.unwrap_or(false),
        new_execution: behavior.unwrap_or(false),
    })
}

fn concurrency(reading: &mut Reading, node: &Node) -> Option<Concurrency> {
    let object = known(reading, node, "`concurrency`", CONCURRENCY)?;
    let limit = jackson::count(reading, object.get("limit")?, "`limit`", 1);
    let choices = [
        ("QUEUE", ConcurrencyBehavior::Queue),
        ("CANCEL", ConcurrencyBehavior::Cancel),
        ("FAIL", ConcurrencyBehavior::Fail),
    ];
    let behavior = object.get("behavior").and_then(|node| word(reading, node, "behavior of concurrency", &choices));
    Some(Concurrency { limit: limit?, behavior: behavior.unwrap_or(ConcurrencyBehavior::Queue) })
}

/// A mapping with these keys and no others, in which nothing is as good as no key.
fn known<'n>(reading: &mut Reading, node: &'n Node, what: &str, fields: &[Field]) -> Option<Object<'n>> {
    let object = reading.open_nullable(node, what, fields)?;
    for entry in object.entries() {
        let known = fields.iter().map(|field| field.key);
        if known.clone().all(|key| key != entry.key) {
            reading.unknown(&entry.place, &format!("key of {what}"), &entry.key, known);
        }
    }
    Some(object)
}

fn triggers(reading: &mut Reading, node: Option<&Node>, inputs: &[Input], live: bool) -> Vec<Trigger> {
    let Some(node) = node else { return Vec::new() };
    let mut triggers: Vec<Trigger> = Vec::new();
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for item in reading.list(node, "`triggers`") {
        let Some(object) = reading.open_nullable(item, "a trigger", TRIGGER) else { continue };
        let Some(trigger) = trigger(reading, &object) else { continue };
        if !ids.insert(trigger.id.clone()) {
            reading.error(&item.place, format!("two triggers have the id `{}`", trigger.id), "give each its own");
        }
        if live && !trigger.disabled {
            unsimulated::trigger(reading, &object, &trigger);
            let given: BTreeSet<&str> = match object.get("inputs").map(|node| &node.value) {
                Some(Value::Mapping(entries)) => entries.iter().map(|entry| entry.key.as_str()).collect(),
                _ => BTreeSet::new(),
            };
            // What a Schedule lacks depends on the version.
            if trigger.action.starts()
                && !matches!(trigger.action, TriggerAction::Schedule(_))
                && let Some(input) = inputs.iter().find(|input| input.needed && !given.contains(input.id.as_str()))
            {
                // Recorded of Flow triggers (end-to-end, `l-missing-input`); source of polling ones.
                let what = format!("the trigger `{}` gives the input `{}` no value", trigger.id, input.id);
                let advice =
                    "Kestra runs the execution all the same, and a template that reads it fails: write `defaults`";
                reading.warning(&input.place, what, advice);
            }
        }
        triggers.push(trigger);
    }
    triggers
}

fn trigger(reading: &mut Reading, object: &Object<'_>) -> Option<Trigger> {
    let id = identifier(reading, object.get("id")?, Name::Trigger);
    let kind = kind(reading, object.get("type")?);
    let disabled = flag(reading, object, "disabled");
    let kind = kind?;
    let core = unsimulated::core(&kind);
    if let Some(known) = core.and_then(keys) {
        for entry in object.entries().iter().filter(|entry| known.clone().all(|key| key != entry.key)) {
            let what = format!("key of a {} trigger", core.unwrap_or_default());
            reading.unknown(&entry.place, &what, &entry.key, known.clone());
        }
    }
    let action = match core.unwrap_or("") {
        "Schedule" => TriggerAction::Schedule(schedule(reading, object)?),
        "ScheduleOnDates" => TriggerAction::Dates,
        "Webhook" => {
            if let Some(node) = object.get("key") {
                reading.parsed(node, "`key`", |text| match text.len() {
                    0..=256 => Ok(()),
                    _ => Err("write at most 256 characters".to_owned()),
                });
            }
            TriggerAction::Webhook
        }
        "Flow" => TriggerAction::Flow(Box::new(trigger::flow_trigger(reading, object))),
        _ if is_realtime(&kind) => TriggerAction::Realtime,
        _ => TriggerAction::Poll { interval: interval(reading, object) },
    };
    let limits = limits(reading, object, &action);
    let gives = match action {
        TriggerAction::Schedule(_) => given(reading, object),
        TriggerAction::Webhook => Given { labels: Vec::new(), ..given(reading, object) },
        _ => Given::default(),
    };
    Some(Trigger { id: id?, kind, action, disabled, limits, gives })
}

/// Whether a type is that of a realtime trigger: plugins tell it by its name only.
pub fn is_realtime(kind: &str) -> bool {
    kind.rsplit('.').next().is_some_and(|name| name.contains("Realtime"))
}

/// What a Schedule or a Webhook gives to its executions.
fn given(reading: &mut Reading, object: &Object<'_>) -> Given {
    let inputs = object.get("inputs").map(jackson::json);
    Given {
        inputs: match inputs {
            Some(serde_json::Value::Object(inputs)) => inputs,
            _ => serde_json::Map::new(),
        },
        labels: object.get("labels").map(|node| labels(reading, node)).unwrap_or_default(),
    }
}

/// What holds a trigger back. Conditions of a Flow trigger are read with it.
fn limits(reading: &mut Reading, object: &Object<'_>, action: &TriggerAction) -> TriggerLimits {
    let flow = matches!(action, TriggerAction::Flow(_));
    // As old as that it is read by no version that was asked, though two have a name for it (flows.tsv).
    if let Some(entry) = object.entry("scheduleConditions")
        && matches!(&entry.value.value, Value::Sequence(items) if !items.is_empty())
    {
        let what = "`scheduleConditions` cannot be read by Kestra since 0.20: it takes no condition in it";
        reading.error(&entry.place, what, "write them as `conditions`");
    }
    let own = |key: &str| object.get(key).filter(|_| !flow);
    let late = object.get("lateMaximumDelay").filter(|_| matches!(action, TriggerAction::Schedule(_)));
    let ways = [("ALL", Recover::All), ("LAST", Recover::Last), ("NONE", Recover::None)];
    TriggerLimits {
        conditions: own("conditions").map(|node| trigger::conditions(reading, node)).unwrap_or_default(),
        when: own("when").and_then(|node| trigger::text(reading, node)),
        stop_after: object.get("stopAfter").map(|node| states(reading, node, "`stopAfter`")).unwrap_or_default(),
        late_maximum_delay: late.and_then(|node| duration(reading, node, "`lateMaximumDelay`")),
        recover: object
            .get("recoverMissedSchedules")
            .filter(|_| matches!(action, TriggerAction::Schedule(_)))
            .and_then(|node| word(reading, node, "way to recover missed schedules", &ways)),
        allow_concurrent: object
            .get("allowConcurrent")
            .and_then(|node| jackson::boolean(reading, node, "`allowConcurrent`")),
    }
}

/// The time between two evaluations of a polling trigger.
fn interval(reading: &mut Reading, object: &Object<'_>) -> Duration {
    let node = object.get("interval");
    let interval = node.and_then(|node| duration(reading, node, "`interval`"));
    if let (Some(Duration::ZERO), Some(node)) = (interval, node) {
        reading.error(&node.place, "`interval` is zero", "write for example `interval: PT1M`");
    }
    interval.unwrap_or(Duration::minutes(1))
}

fn schedule(reading: &mut Reading, object: &Object<'_>) -> Option<Schedule> {
    let timezone = object.get("timezone").and_then(|node| {
        reading.parsed(node, "`timezone`", |text| match zone::zone(text) {
            Some(_) => Ok(text.to_owned()),
            None => Err("write a name of the IANA database, such as Europe/Paris or UTC, or an offset".into()),
        })
    });
    if let Some(node) = object.get("interval") {
        duration(reading, node, "`interval`");
    }
    let Some(node) = object.get("cron") else {
        reading.error(&object.node.place, "a Schedule trigger has no `cron`", "add `cron: \"*/5 * * * *\"`");
        return None;
    };
    let schedule = Schedule {
        cron: reading.text(node, "`cron`")?.to_owned(),
        with_seconds: flag(reading, object, "withSeconds"),
        timezone: timezone.unwrap_or_else(|| "UTC".into()),
    };
    // Whether its version takes `L` is asked where the version is known.
    if let Err(problem) = schedule.check(true) {
        let problem = problem.trim_end_matches('.').to_owned();
        reading.error(&node.place, format!("`cron` is `{}`: {problem}", schedule.cron), schedule.advice());
    }
    Some(schedule)
}
