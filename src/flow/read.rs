//! Kestra's flow files: strict on what Kestra itself knows, open for what plugins know.

use super::{
    Concurrency, ConcurrencyBehavior, Flow, FlowRetry, Retry, RetryPause, Schedule, Task, Trigger, TriggerAction, zone,
};
use crate::document::{Entry, Field, Kind, Node, Reading, Value, nearest};
use crate::time::Duration;

/// The schema's form of a duration in a flow.
const DURATION: Kind = Kind::Pattern("^[Pp0-9]");

const RETRY: &[Field] = &[
    Field::required("type", Kind::Choice(&["constant", "exponential", "random"]), "constant", "How the pauses are."),
    Field::new("interval", DURATION, "PT10S", "The pause, or the first one."),
    Field::new("maxInterval", DURATION, "PT5M", "The longest pause (exponential, random)."),
    Field::new("minInterval", DURATION, "PT5S", "The shortest pause (random)."),
    Field::new("delayFactor", Kind::Number, "2", "Each pause is so many times the one before (exponential)."),
    Field::new("maxAttempts", Kind::Number, "3", "Attempts in all."),
    Field::new("maxAttempt", Kind::Number, "3", "Old name of maxAttempts."),
    Field::new("maxDuration", DURATION, "PT1H", "No attempt begins later than this after the first."),
    Field::new("warningOnRetry", Kind::Bool, "true", "A success after a retry is a warning."),
    Field::new(
        "behavior",
        Kind::Choice(&["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"]),
        "RETRY_FAILED_TASK",
        "What is tried again.",
    ),
];

const CONCURRENCY: &[Field] = &[
    Field::required("limit", Kind::Number, "2", "Executions that may run at the same time."),
    Field::new("behavior", Kind::Choice(&["QUEUE", "CANCEL", "FAIL"]), "QUEUE", "What happens to one more."),
];

/// Keys of a task that Kestra itself reads; all others belong to the task's plugin.
const TASK: &[Field] = &[
    Field::required("id", Kind::Text, "load", "Unique in the flow."),
    Field::required("type", Kind::Text, "io.kestra.plugin.core.log.Log", "The task's type."),
    Field::new("description", Kind::Text, "what it does", "For people."),
    Field::new("retry", Kind::Object(RETRY), "{ type: constant, interval: PT10S, maxAttempts: 3 }", "Tries again."),
    Field::new("timeout", DURATION, "PT10M", "The task fails when it takes longer."),
    Field::new("allowFailure", Kind::Bool, "true", "A failure is only a warning."),
    Field::new("allowWarning", Kind::Bool, "true", "A warning is a success."),
    Field::new("disabled", Kind::Bool, "true", "The task is skipped."),
    Field::new("runIf", Kind::Text, "\"{{ true }}\"", "Taken as true."),
    Field::new("logLevel", Kind::Text, "INFO", "Not simulated."),
    Field::new("logToFile", Kind::Bool, "false", "Not simulated."),
    Field::new("workerGroup", Kind::Any, "{ key: gpu }", "Not simulated."),
    Field::new("taskCache", Kind::Any, "{ enabled: true }", "Not simulated."),
];

const TRIGGER: &[Field] = &[
    Field::required("id", Kind::Text, "minutely", "Unique in the flow."),
    Field::required("type", Kind::Text, "io.kestra.plugin.core.trigger.Schedule", "The trigger's type."),
    Field::new("cron", Kind::Text, "\"*/5 * * * *\"", "Of a Schedule: when it is due."),
    Field::new("withSeconds", Kind::Bool, "true", "Of a Schedule: the cron expression has six fields."),
    Field::new("timezone", Kind::Text, "Europe/Paris", "Of a Schedule: where its dates are."),
    Field::new("interval", DURATION, "PT30S", "Of a polling trigger: the time between two evaluations."),
    Field::new("disabled", Kind::Bool, "true", "It does nothing."),
];

/// Keys of a Schedule trigger beyond those of every trigger.
const SCHEDULE_KEYS: &[&str] = &[
    "id",
    "type",
    "cron",
    "withSeconds",
    "timezone",
    "disabled",
    "description",
    "inputs",
    "conditions",
    "scheduleConditions",
    "stopAfter",
    "backfill",
    "lateMaximumDelay",
    "recoverMissedSchedules",
    "labels",
    "logLevel",
    "when",
    "allowConcurrent",
    "failOnTriggerError",
    "workerGroup",
];

/// Keys of a flow.
pub const FLOW_FIELDS: &[Field] = &[
    Field::required("id", Kind::Text, "ingest", "Unique in the namespace."),
    Field::required("namespace", Kind::Text, "company.team", "Dotted."),
    Field::new("description", Kind::Text, "what it does", "For people."),
    Field::new("labels", Kind::Any, "{ team: data }", "A mapping, or a list of key and value."),
    Field::new("tasks", Kind::List(&Kind::Open(TASK)), "[ { id: load, type: ... } ]", "Run one after another."),
    Field::new("errors", Kind::List(&Kind::Open(TASK)), "[ { id: tell, type: ... } ]", "Run when a task has failed."),
    Field::new("finally", Kind::Any, "[]", "Accepted, not simulated."),
    Field::new("afterExecution", Kind::Any, "[]", "Accepted, not simulated."),
    Field::new("triggers", Kind::List(&Kind::Open(TRIGGER)), "[ { id: minutely, type: ... } ]", "What starts it."),
    Field::new("concurrency", Kind::Object(CONCURRENCY), "{ limit: 2, behavior: QUEUE }", "How many may run at once."),
    Field::new(
        "retry",
        Kind::Object(RETRY),
        "{ type: constant, interval: PT1M, maxAttempts: 3 }",
        "Of the whole flow.",
    ),
    Field::new("disabled", Kind::Bool, "true", "Nothing of it runs."),
    Field::new("inputs", Kind::Any, "[]", "Accepted unread."),
    Field::new("outputs", Kind::Any, "[]", "Accepted unread."),
    Field::new("variables", Kind::Any, "{}", "Accepted unread."),
    Field::new("pluginDefaults", Kind::Any, "[]", "Accepted unread."),
    Field::new("taskDefaults", Kind::Any, "[]", "Old name of pluginDefaults."),
    Field::new("listeners", Kind::Any, "[]", "Accepted unread."),
    Field::new("sla", Kind::Any, "[]", "Accepted, not simulated."),
    Field::new("checks", Kind::Any, "[]", "Accepted, not simulated."),
    Field::new("workerGroup", Kind::Any, "{ key: gpu }", "Accepted unread."),
    Field::new("revision", Kind::Number, "1", "Accepted unread."),
    Field::new("tenantId", Kind::Text, "main", "Accepted unread."),
    Field::new("deleted", Kind::Bool, "false", "Accepted unread."),
    Field::new("draft", Kind::Bool, "false", "Accepted unread."),
];

/// Reads a flow.
pub fn read(node: &Node, reading: &mut Reading) -> Option<Flow> {
    let object = reading.object(node, "a flow", FLOW_FIELDS)?;
    let id = identifier(reading, object.get("id")?, "the flow's `id`");
    let namespace = identifier(reading, object.get("namespace")?, "`namespace`");
    let tasks = tasks(reading, object.get("tasks"), "`tasks`");
    let errors = self::tasks(reading, object.get("errors"), "`errors`");
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
    for key in ["finally", "afterExecution", "sla", "checks"] {
        if let Some(entry) = object.entry(key) {
            reading.warning(&entry.place, format!("`{key}` is not simulated"), "");
        }
    }
    let retry = object.get("retry").and_then(|node| retry(reading, node)).map(|retry| FlowRetry { retry });
    Some(Flow {
        labels: object.get("labels").map(|node| labels(reading, node)).unwrap_or_default(),
        triggers: triggers(reading, object.get("triggers")),
        concurrency: object.get("concurrency").and_then(|node| concurrency(reading, node)),
        disabled: object.get("disabled").and_then(|node| reading.boolean(node, "`disabled`")).unwrap_or(false),
        id: id?,
        namespace: namespace?,
        tasks,
        errors,
        retry,
    })
}

fn identifier(reading: &mut Reading, node: &Node, what: &str) -> Option<String> {
    reading.parsed(node, what, |text| {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let ok = !text.is_empty() && text.len() <= 150 && text.chars().all(good);
        ok.then(|| text.to_owned()).ok_or_else(|| "use letters, digits, `_`, `-` and `.`, at most 150".into())
    })
}

fn labels(reading: &mut Reading, node: &Node) -> Vec<(String, String)> {
    let text = |node: &Node| match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    };
    match &node.value {
        Value::Mapping(entries) => {
            entries.iter().filter_map(|entry| Some((entry.key.clone(), text(&entry.value)?))).collect()
        }
        Value::Sequence(items) => {
            let get = |item: &Node, key: &str| match &item.value {
                Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key).and_then(|it| text(&it.value)),
                _ => None,
            };
            items.iter().filter_map(|item| Some((get(item, "key")?, get(item, "value")?))).collect()
        }
        other => {
            reading.error(
                &node.place,
                format!("`labels` must be a mapping, not {}", other.describe()),
                "write for example `labels: { team: data }`",
            );
            Vec::new()
        }
    }
}

fn tasks(reading: &mut Reading, node: Option<&Node>, what: &str) -> Vec<Task> {
    let Some(node) = node else { return Vec::new() };
    let mut tasks: Vec<Task> = Vec::new();
    for item in reading.list(node, what) {
        if let Some(task) = task(reading, item) {
            if tasks.iter().any(|other| other.id == task.id) {
                reading.error(&item.place, format!("two tasks have the id `{}`", task.id), "give each its own");
            }
            tasks.push(task);
        }
    }
    tasks
}

/// Types that hold tasks of their own; they are run as one plain task.
const FLOWABLE: &[&str] = &[
    "Parallel",
    "Sequential",
    "ForEach",
    "ForEachItem",
    "EachSequential",
    "EachParallel",
    "If",
    "Switch",
    "Dag",
    "AllowFailure",
    "Subflow",
    "Template",
    "WorkingDirectory",
    "LoopUntil",
];

fn task(reading: &mut Reading, node: &Node) -> Option<Task> {
    let object = reading.open(node, "a task", TASK)?;
    likely_typos(reading, object.entries(), TASK);
    let id = identifier(reading, object.get("id")?, "the task's `id`");
    let kind = kind(reading, object.get("type")?);
    let name = kind.as_deref().and_then(|kind| kind.strip_prefix("io.kestra.plugin.core.flow.")).unwrap_or("");
    if FLOWABLE.contains(&name) {
        let place = object.entry("type").map_or(&node.place, |entry| &entry.value.place);
        reading.warning(place, format!("`{name}` is simulated as one plain task, what it holds is not run"), "");
    }
    let flag = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.boolean(node, &format!("`{key}`"))).unwrap_or(false)
    };
    let sleep = match (name, object.get("duration")) {
        ("Sleep", Some(node)) => duration(reading, node, "`duration`"),
        _ => None,
    };
    Some(Task {
        retry: object.get("retry").and_then(|node| retry(reading, node)),
        timeout: object.get("timeout").and_then(|node| duration(reading, node, "`timeout`")),
        allow_failure: flag(reading, "allowFailure"),
        allow_warning: flag(reading, "allowWarning"),
        disabled: flag(reading, "disabled"),
        sleep,
        id: id?,
        kind: kind?,
    })
}

/// A key that is almost one of Kestra's own is probably meant to be that.
fn likely_typos(reading: &mut Reading, entries: &[Entry], fields: &[Field]) {
    for entry in entries.iter().filter(|entry| fields.iter().all(|field| field.key != entry.key)) {
        let long = |field: &&Field| field.key.len() > 4;
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

fn duration(reading: &mut Reading, node: &Node, what: &str) -> Option<Duration> {
    // An expression is worked out when the flow runs; nothing runs here.
    if let Value::Scalar { text, .. } = &node.value
        && text.contains("{{")
    {
        reading.warning(
            &node.place,
            format!("{what} is an expression, it is not worked out"),
            "write the duration itself",
        );
        return None;
    }
    reading.parsed(node, what, str::parse)
}

fn retry(reading: &mut Reading, node: &Node) -> Option<Retry> {
    let object = reading.object(node, "`retry`", RETRY)?;
    let time = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| duration(reading, node, &format!("`{key}`")))
    };
    let attempts = object.get("maxAttempts").or_else(|| object.get("maxAttempt"));
    let attempts = attempts.and_then(|node| reading.count(node, "`maxAttempts`", 1..=10_000));
    let behavior = object.get("behavior").and_then(|node| {
        reading.choice(node, "behavior of retry", &[("RETRY_FAILED_TASK", false), ("CREATE_NEW_EXECUTION", true)])
    });
    let warning = object.get("warningOnRetry").and_then(|node| reading.boolean(node, "`warningOnRetry`"));
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
    let pause = match reading.choice(
        object.get("type")?,
        "type of retry",
        &[("constant", 0), ("exponential", 1), ("random", 2)],
    )? {
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
            RetryPause::Exponential { interval: interval?, factor: factor.unwrap_or(2.0), max: max? }
        }
        _ => {
            missing(reading, "minInterval", "PT5S");
            missing(reading, "maxInterval", "PT1M");
            RetryPause::Random { min: min?, max: max? }
        }
    };
    Some(Retry {
        pause,
        max_attempts: attempts.map(|attempts| attempts as u32),
        max_duration,
        warning_on_retry: warning.unwrap_or(false),
        new_execution: behavior.unwrap_or(false),
    })
}

fn concurrency(reading: &mut Reading, node: &Node) -> Option<Concurrency> {
    let object = reading.object(node, "`concurrency`", CONCURRENCY)?;
    let limit = reading.count(object.get("limit")?, "`limit`", 1..=1_000_000);
    let choices = [
        ("QUEUE", ConcurrencyBehavior::Queue),
        ("CANCEL", ConcurrencyBehavior::Cancel),
        ("FAIL", ConcurrencyBehavior::Fail),
    ];
    let behavior = object.get("behavior").and_then(|node| reading.choice(node, "behavior of concurrency", &choices));
    Some(Concurrency { limit: limit? as u32, behavior: behavior.unwrap_or(ConcurrencyBehavior::Queue) })
}

fn triggers(reading: &mut Reading, node: Option<&Node>) -> Vec<Trigger> {
    let Some(node) = node else { return Vec::new() };
    let mut triggers: Vec<Trigger> = Vec::new();
    for item in reading.list(node, "`triggers`") {
        if let Some(trigger) = trigger(reading, item) {
            if triggers.iter().any(|other| other.id == trigger.id) {
                reading.error(&item.place, format!("two triggers have the id `{}`", trigger.id), "give each its own");
            }
            triggers.push(trigger);
        }
    }
    triggers
}

fn trigger(reading: &mut Reading, node: &Node) -> Option<Trigger> {
    let object = reading.open(node, "a trigger", TRIGGER)?;
    let id = identifier(reading, object.get("id")?, "the trigger's `id`");
    let kind = kind(reading, object.get("type")?);
    let disabled = object.get("disabled").and_then(|node| reading.boolean(node, "`disabled`"));
    let kind = kind?;
    let action = match kind.rsplit('.').next().unwrap_or("") {
        "Schedule" => {
            for entry in object.entries() {
                if !SCHEDULE_KEYS.contains(&entry.key.as_str()) {
                    reading.unknown(
                        &entry.place,
                        "key of a Schedule trigger",
                        &entry.key,
                        SCHEDULE_KEYS.iter().copied(),
                    );
                }
            }
            let with_seconds = object.get("withSeconds").and_then(|node| reading.boolean(node, "`withSeconds`"));
            let timezone = object.get("timezone").and_then(|node| {
                reading.parsed(node, "`timezone`", |text| match zone::zone(text) {
                    Some(_) => Ok(text.to_owned()),
                    None => Err("write a name of the IANA database, such as Europe/Paris or UTC, or an offset".into()),
                })
            });
            let Some(cron_node) = object.get("cron") else {
                reading.error(&node.place, "a Schedule trigger has no `cron`", "add `cron: \"*/5 * * * *\"`");
                return None;
            };
            let cron = reading.text(cron_node, "`cron`")?.to_owned();
            let schedule = Schedule {
                cron,
                with_seconds: with_seconds.unwrap_or(false),
                timezone: timezone.unwrap_or_else(|| "UTC".into()),
            };
            if let Err(problem) = schedule.check(true) {
                let fields = if schedule.with_seconds { "six fields, seconds first" } else { "five fields" };
                let problem = problem.trim_end_matches('.').to_owned();
                reading.error(
                    &cron_node.place,
                    format!("`cron` is `{}`: {problem}", schedule.cron),
                    format!("write {fields}, such as `*/5 * * * *`, or a nickname such as `@hourly`"),
                );
            }
            TriggerAction::Schedule(schedule)
        }
        "Webhook" => TriggerAction::Webhook,
        "Flow" => TriggerAction::Flow,
        name if name.contains("Realtime") => TriggerAction::Realtime,
        _ => {
            let interval = object.get("interval").and_then(|node| duration(reading, node, "`interval`"));
            if let (Some(Duration::ZERO), Some(node)) = (interval, object.get("interval")) {
                reading.error(&node.place, "`interval` is zero", "write for example `interval: PT1M`");
            }
            TriggerAction::Poll { interval: interval.unwrap_or(Duration::minutes(1)) }
        }
    };
    Some(Trigger { id: id?, kind, action, disabled: disabled.unwrap_or(false) })
}
