//! The keys of a version's files.

use crate::document::{Field, Kind};

const TEXTS: Kind = Kind::List(&Kind::Text);

/// Keys of `version.yaml`, all versions laid over each other.
pub(super) const VERSION: &[Field] = &[
    Field::new("extends", Kind::Text, "\"2.0\"", "The version that it has everything of but its differences."),
    Field::required("release", Kind::Object(RELEASE), "{ version: 1.3.19 }", "Which build it is."),
    Field::required("liveness", Kind::Object(LIVENESS), "{ timeout: 60s }", "How dead processes are found."),
    Field::required("log_entries", Kind::Object(LOG_ENTRIES), "{ asked: 0 }", "Log entries that it writes by itself."),
    Field::required("language", Kind::Text, "\"1.3\"", "The version as which it understands flows."),
    Field::required("text", Kind::Text, "new", "The form of the metrics' text."),
    Field::new("quirks", TEXTS, "[flow-labels]", "What it does otherwise than others."),
    Field::required("answers", Kind::Object(ANSWERS), "{ errors: json }", "The ways it answers."),
    Field::required("buckets", Kind::List(&Kind::Number), "[0.001, 1.0]", "Upper bounds of histograms, in seconds."),
    Field::required("shapes", Kind::MapOf(&Kind::Any), "{ wait: { 0.001: 1 } }", "Shares below bounds, by name."),
    Field::new("rename", Kind::MapOf(&Kind::Text), "{ kestra.old: kestra.new }", "Meters under another name."),
    Field::new("without", Kind::Object(WITHOUT), "{ meters: [kestra.old] }", "What it has not."),
    Field::new("add", Kind::Object(ADD), "{ quirks: [flow-labels] }", "What it has too."),
];

/// Keys of `without`.
pub(super) const WITHOUT: &[Field] = &[
    Field::new("meters", TEXTS, "[kestra.old]", "Meters, or `meter{value}`: series with a tag value beginning so."),
    Field::new("endpoints", TEXTS, "[/flyway]", "Endpoints by path, or `METHOD path`."),
    Field::new("quirks", TEXTS, "[flow-labels]", "Quirks."),
];

/// Keys of `add`.
pub(super) const ADD: &[Field] = &[
    Field::new("meters", Kind::List(&Kind::Object(METER)), "[ { name: a.b, kind: gauge } ]", "Meters."),
    Field::new("endpoints", Kind::List(&Kind::Object(ENDPOINT)), "[ { path: /a, handler: env } ]", "Endpoints."),
    Field::new("quirks", TEXTS, "[flow-labels]", "Quirks."),
];

/// Keys of `release`.
pub(super) const RELEASE: &[Field] = &[
    Field::required("version", Kind::Text, "1.3.19", "The whole version."),
    Field::required("commit", Kind::Text, "82cb2d9", "Short id of the commit."),
    Field::required("commit_date", Kind::Text, "2026-05-21T14:21:25Z", "Date of the commit, empty when not told."),
];

/// Keys of `liveness`.
pub(super) const LIVENESS: &[Field] = &[
    Field::required("heartbeat", Kind::Text, "3s", "Processes tell so often that they live."),
    Field::required("interval", Kind::Text, "10s", "Executors look so often."),
    Field::required("timeout", Kind::Text, "60s", "Silent for so long, a process is lost."),
    Field::required("initial_delay", Kind::Text, "60s", "An executor does not look before."),
];

/// Keys of `log_entries`.
pub(super) const LOG_ENTRIES: &[Field] = &[
    Field::required("asked", Kind::Number, "1", "For an execution that is asked for over the API."),
    Field::required("poll", Kind::Number, "4", "For an evaluation of a polling trigger."),
    Field::required("failed_poll", Kind::Number, "9", "For one that fails."),
    Field::required("tenant", Kind::Text, "\"[tenant: main] \"", "What stands before the place of a trigger."),
    Field::required("over_limit", Kind::Text, "FAILED", "What is said of an execution without a place."),
];

/// Keys of `answers`.
pub(super) const ANSWERS: &[Field] = &[
    Field::required("errors", Kind::Text, "json", "The form of errors."),
    Field::required("h2", Kind::Text, "2.4.240 (2025-09-22)", "What H2 calls its version."),
    Field::required("refreshed", TEXTS, "[jdk.jfr.repository]", "Keys that the first /refresh names."),
    Field::required("health", TEXTS, "[service, database]", "Indicators of /health."),
    Field::required("liveness", TEXTS, "[deadlock]", "Indicators of /health/liveness."),
    Field::required("readiness", TEXTS, "[service, database]", "Indicators of /health/readiness."),
    Field::required("beans_gone", Kind::Text, "never", "How long after /stop the beans are gone."),
    Field::required("h2_down", Kind::Text, "url", "The key of an H2 database that is DOWN."),
    Field::required("queue_thread", Kind::Text, "jdbc-queue-Execution", "Name of threads that read queues."),
    Field::required("worker_thread", Kind::Text, "worker", "Name of threads that run tasks."),
    Field::required("schedulables", Kind::Text, "all", "Triggers that /scheduler lists."),
    Field::required("worker_start", Kind::Text, "3s", "How long the worker starts after the ports are open."),
    Field::required("task_runs", Kind::Text, "running", "How /worker shows a task run."),
    Field::required("capitals", Kind::Bool, "false", "Date first, and Content-Type with capitals."),
    Field::required("server_auth", Kind::Text, "api", "What the basic auth of the server covers."),
    Field::required("odd_credentials", Kind::Text, "failure", "What credentials that are none get."),
    Field::required("double_slash", Kind::Text, "host", "What a target that begins with two slashes is."),
    Field::required("type_before_method", Kind::Bool, "false", "A wrong type is told before a wrong method."),
    Field::required("logger_bodies", Kind::Object(LOGGER_BODIES), "{ forms: true }", "How levels are read."),
];

/// Keys of `logger_bodies`.
pub(super) const LOGGER_BODIES: &[Field] = &[
    Field::required("any_case", Kind::Bool, "true", "Levels in any case."),
    Field::required("forms", Kind::Bool, "true", "Forms are read."),
    Field::required("text", Kind::Text, "value", "What a text is."),
];

/// Keys of a meter.
pub(super) const METER: &[Field] = &[
    Field::required("name", Kind::Text, "kestra.worker.job.running", "Dotted name."),
    Field::required("kind", Kind::Text, "gauge", "What it measures with."),
    Field::new("unit", Kind::Text, "bytes", "Base unit."),
    Field::new("listed_unit", Kind::Text, "events", "The unit that /metrics tells, where it is another one."),
    Field::new("help", Kind::Text, "Jobs that run", "Help text."),
    Field::new("roles", TEXTS, "[worker]", "Where its series at start are; all roles when absent."),
    Field::new("tags", TEXTS, "[flow_id]", "Its keys, when it has no series at start."),
    Field::new("model", Kind::Text, "kestra.queue.produce.count", "The meter of another version it stands for."),
    Field::new("was", TEXTS, "[kestra.old]", "Meters of other versions that told the same."),
    Field::new("start", Kind::List(&Kind::Object(START)), "[ { is: 0 } ]", "Series at start."),
];

/// Keys of series at start.
pub(super) const START: &[Field] = &[
    Field::new("roles", TEXTS, "[worker]", "Where they are; those of the meter when absent."),
    Field::new("tags", Kind::MapOf(&Kind::Any), "{ level: [info, warn] }", "Keys and values."),
    Field::required("is", Kind::Any, "polls * 1.3 + 43", "A number, a probe, or those of a timer."),
];

/// Keys of a timer's source.
pub(super) const TIMER: &[Field] = &[
    Field::required("count", Kind::Text, "polls", "How many."),
    Field::required("sum", Kind::Text, "polls * 0.1", "How long in all."),
    Field::required("max", Kind::Text, "0", "The longest."),
    Field::new("shape", Kind::Text, "wait", "The shape of its histogram."),
];

/// Keys of an endpoint.
pub(super) const ENDPOINT: &[Field] = &[
    Field::required("path", Kind::Text, "/health/{selector}", "Its path."),
    Field::new("method", Kind::Text, "GET", "Its method, GET when absent."),
    Field::new("port", Kind::Text, "application", "Its port, management when absent."),
    Field::new("roles", TEXTS, "[worker]", "Parts of which a process must run one."),
    Field::new("queue", Kind::Text, "kafka", "Only with these queues."),
    Field::new("handler", Kind::Text, "health", "What makes its answer."),
    Field::new(
        "answers",
        Kind::Object(FIXED),
        "{ type: application/json, body: '{}' }",
        "Its answer, always the same.",
    ),
    Field::new("java", Kind::Text, "void a.b.C.d()", "What /routes shows of it."),
];

/// Keys of an answer that is always the same.
pub(super) const FIXED: &[Field] = &[
    Field::new("status", Kind::Number, "200", "Status code, 200 when absent."),
    Field::new("reason", Kind::Text, "OK", "Reason phrase, OK when absent."),
    Field::new("headers", Kind::MapOf(&Kind::Text), "{ location: /ui/ }", "Further headers."),
    Field::new("type", Kind::Text, "application/json", "The type of the body."),
    Field::new("body", Kind::Text, "'{}'", "The body."),
    Field::new("file", Kind::Text, "info.json", "The file of the folder that is the body."),
];
