//! The keys of Kestra's flow files, as three versions list them when they meet one they do not know.

use crate::document::{Field, Kind};

/// The schema's form of a duration in a flow.
const DURATION: Kind = Kind::Pattern("^[-+]?[Pp0-9]");
/// A duration, or an expression that gives one.
const RENDERED: Kind = Kind::Pattern("^[-+]?[Pp0-9]|\\{\\{");

pub(super) const RETRY: &[Field] = &[
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

pub(super) const CONCURRENCY: &[Field] = &[
    Field::required("limit", Kind::Number, "2", "Executions that may run at the same time."),
    Field::new("behavior", Kind::Choice(&["QUEUE", "CANCEL", "FAIL"]), "QUEUE", "What happens to one more."),
];

/// Keys of a task that Kestra itself reads; all others belong to the task's plugin.
pub(super) const TASK: &[Field] = &[
    Field::required("id", Kind::Text, "load", "Unique in the flow."),
    Field::required("type", Kind::Text, "io.kestra.plugin.core.log.Log", "The task's type."),
    Field::new("description", Kind::Text, "what it does", "For people."),
    Field::new("retry", Kind::Object(RETRY), "{ type: constant, interval: PT10S, maxAttempts: 3 }", "Tries again."),
    Field::new("timeout", RENDERED, "PT10M", "The task fails when it takes longer."),
    Field::new("allowFailure", Kind::Bool, "true", "A failure is only a warning."),
    Field::new("allowWarning", Kind::Bool, "true", "A warning is a success."),
    Field::new("disabled", Kind::Bool, "true", "The task is skipped."),
    Field::new(
        "runIf",
        Kind::Text,
        "\"{{ true }}\"",
        "The task is skipped unless this holds, where it can be worked out.",
    ),
    Field::new("logLevel", Kind::Choice(LEVELS), "INFO", "Without influence here."),
    Field::new("logToFile", Kind::Bool, "false", "Without influence here."),
    Field::new("version", Kind::Text, "1.0", "Without influence here."),
    Field::new("assets", Kind::Any, "{}", "Without influence here."),
    Field::new("policyRefs", Kind::Any, "[]", "Without influence here."),
    Field::new("workerGroup", Kind::Any, "{ key: gpu }", "Accepted, not simulated."),
    Field::new("workerSelector", Kind::Any, "{ tags: [gpu] }", "Accepted, not simulated."),
    Field::new("taskCache", Kind::Any, "{ enabled: true }", "Accepted, not simulated."),
];

/// Levels of logs.
pub(super) const LEVELS: &[&str] = &["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// What a task called otherwise in some documentation, and in no version: each with what to write.
pub(super) const NO_TASK_KEYS: &[(&str, &str)] =
    &[("when", "a task has `runIf`"), ("<<", "Kestra merges nothing: write the keys out")];

pub(super) const TRIGGER: &[Field] = &[
    Field::required("id", Kind::Text, "minutely", "Unique in the flow."),
    Field::required("type", Kind::Text, "io.kestra.plugin.core.trigger.Schedule", "The trigger's type."),
    Field::new("cron", Kind::Text, "\"*/5 * * * *\"", "Of a Schedule: when it is due."),
    Field::new("withSeconds", Kind::Bool, "true", "Of a Schedule: the cron expression has six fields."),
    Field::new("timezone", Kind::Text, "Europe/Paris", "Of a Schedule: where its dates are."),
    Field::new("interval", DURATION, "PT30S", "Of a polling trigger: the time between two evaluations."),
    Field::new("disabled", Kind::Bool, "true", "It does nothing."),
];

/// Keys of all of Kestra's own triggers.
const COMMON_KEYS: &[&str] = &[
    "id",
    "type",
    "version",
    "description",
    "disabled",
    "inputs",
    "labels",
    "conditions",
    "when",
    "stopAfter",
    "allowConcurrent",
    "failOnTriggerError",
    "logLevel",
    "logToFile",
    "minLogLevel",
    "workerGroup",
    "workerSelector",
    "assets",
    "policyRefs",
];

/// Keys that a trigger of Kestra's own has beyond those of all of them.
const OWN_KEYS: &[(&str, &[&str])] = &[
    (
        "Schedule",
        &[
            "cron",
            "withSeconds",
            "timezone",
            "interval",
            "backfill",
            "lateMaximumDelay",
            "recoverMissedSchedules",
            "scheduleConditions",
        ],
    ),
    ("Flow", &["states", "preconditions", "dependsOn", "mode", "minSatisfied", "window"]),
];

/// All keys of a trigger of Kestra's own, when they are known.
pub(super) fn keys(trigger: &str) -> Option<impl Iterator<Item = &'static str> + Clone> {
    let own = OWN_KEYS.iter().find(|(name, _)| *name == trigger)?.1;
    Some(COMMON_KEYS.iter().chain(own).copied())
}

pub(super) const SLA: &[Field] = &[
    Field::required("id", Kind::Text, "slow", "Its name."),
    Field::required("type", Kind::Choice(&["MAX_DURATION", "EXECUTION_ASSERTION"]), "MAX_DURATION", "What it demands."),
    Field::required("behavior", Kind::Choice(&["FAIL", "CANCEL", "NONE"]), "FAIL", "What happens otherwise."),
    Field::new("duration", DURATION, "PT1H", "The longest that an execution may take."),
    Field::new(
        "assert",
        Kind::Text,
        "\"{{ inputs.day != 'sunday' }}\"",
        "What must hold whenever the execution changes.",
    ),
    Field::new("labels", Kind::Any, "{ sla: missed }", "Labels that an execution gets which does not keep to it."),
];

/// Keys of an entry of `checks`.
pub(super) const CHECK: &[Field] = &[
    Field::required("condition", Kind::Text, "\"{{ inputs.rows > 0 }}\"", "What must come to true."),
    Field::new("message", Kind::Text, "no rows", "What is told otherwise."),
    Field::new(
        "behavior",
        Kind::Choice(&["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"]),
        "BLOCK_EXECUTION",
        "What becomes of the execution otherwise.",
    ),
    Field::new("style", Kind::Choice(&["ERROR", "SUCCESS", "WARNING", "INFO"]), "INFO", "Without influence here."),
];

/// Keys of a flow.
pub const FLOW_FIELDS: &[Field] = &[
    Field::required("id", Kind::Text, "ingest", "Unique in the namespace."),
    Field::required("namespace", Kind::Text, "company.team", "Dotted."),
    Field::new("description", Kind::Text, "what it does", "For people."),
    Field::new("labels", Kind::Any, "{ team: data }", "A mapping, or a list of key and value."),
    Field::new("tasks", Kind::List(&Kind::Open(TASK)), "[ { id: load, type: ... } ]", "Run one after another."),
    Field::new("errors", Kind::List(&Kind::Open(TASK)), "[ { id: tell, type: ... } ]", "Run when a task has failed."),
    Field::new("finally", Kind::List(&Kind::Open(TASK)), "[]", "Run at the end, however it went."),
    Field::new("afterExecution", Kind::List(&Kind::Open(TASK)), "[]", "Run when the execution has ended."),
    Field::new("triggers", Kind::List(&Kind::Open(TRIGGER)), "[ { id: minutely, type: ... } ]", "What starts it."),
    Field::new("concurrency", Kind::Object(CONCURRENCY), "{ limit: 2, behavior: QUEUE }", "How many may run at once."),
    Field::new(
        "retry",
        Kind::Object(RETRY),
        "{ type: constant, interval: PT1M, maxAttempts: 3 }",
        "Of the whole flow.",
    ),
    Field::new("disabled", Kind::Bool, "true", "Nothing of it runs."),
    Field::new("inputs", Kind::Any, "[]", "What an execution is started with; `defaults` where nothing else is given."),
    Field::new("outputs", Kind::Any, "[]", "What an execution puts out when it has ended."),
    Field::new("variables", Kind::Any, "{}", "What templates see as `vars`."),
    Field::new("pluginDefaults", Kind::Any, "[]", "Filled in at every task and trigger of a type."),
    Field::new("taskDefaults", Kind::Any, "[]", "Old name of pluginDefaults."),
    Field::new("listeners", Kind::Any, "[]", "Tasks that run when an execution has ended (up to 1.3)."),
    Field::new("sla", Kind::List(&Kind::Open(SLA)), "[]", "What its executions must keep to."),
    Field::new("checks", Kind::List(&Kind::Open(CHECK)), "[]", "What must hold before the API starts one."),
    Field::new("quotas", Kind::Any, "[]", "Accepted, not simulated."),
    Field::new("workerGroup", Kind::Any, "{ key: gpu }", "Accepted, not simulated."),
    Field::new("workerSelector", Kind::Any, "{ tags: [gpu] }", "Accepted, not simulated."),
    Field::new("revision", Kind::Number, "1", "Without influence here."),
    Field::new("tenantId", Kind::Text, "main", "Without influence here."),
    Field::new("policyRefs", Kind::Any, "[]", "Without influence here."),
    Field::new("updated", Kind::Text, "2026-01-05T08:00:00Z", "Without influence here."),
    Field::new("source", Kind::Text, "...", "Without influence here."),
    Field::new("deleted", Kind::Bool, "false", "Accepted, not simulated."),
    Field::new("draft", Kind::Bool, "false", "Accepted, not simulated."),
    Field::new("extend", Kind::Any, "{ title: ... }", "Of Kestra's catalogue of blueprints; Kestra itself refuses it."),
];
