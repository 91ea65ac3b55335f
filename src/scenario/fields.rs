//! The grammar of scenario files: one table of fields for the reader, its advice, the schema and the reference.

use serde_json::{Value as Json, json};

use super::expectation::HAPPENINGS;
use super::faults::{ROLES, ROWS, Row};
use crate::document::{Field, Kind};
use crate::flow::FLOW_FIELDS;
use crate::notify::CHANNELS;

/// A duration.
pub(crate) const DURATION: Kind = Kind::Pattern("^-?([0-9.]+(ns|us|µs|ms|s|m|min|h|d|w))+$|^[Pp]|^0$");
pub(super) const RATE: Kind = Kind::Pattern("^[0-9.]+ */ *(s|sec|second|m|min|minute|h|hour|d|day)$");
pub(super) const SHARE: Kind = Kind::AnyOf(&[Kind::Number, Kind::Pattern("^[0-9.]+ *%?$")]);
const SIZE: Kind = Kind::Pattern("^[0-9.]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB|k|K|m|M|g|G)$");
pub(super) const TIMES: Kind = Kind::AnyOf(&[Kind::Number, Kind::Pattern("^[0-9.]+ *x?$")]);
pub(super) const SIZE_RATE: Kind = Kind::Pattern("^[0-9.]+ *[kKMG]?i?B? */ *(s|m|min|h)$");
pub(super) const TARGET: Kind = Kind::AnyOf(&[Kind::Text, Kind::List(&Kind::Text)]);
pub(super) const ANSWER: Kind = Kind::AnyOf(&[Kind::Number, Kind::Choice(&["ok", "timeout", "refused"])]);
const COMPARISON: Kind = Kind::Pattern("^ *(==|!=|>=|<=|>|<).");
const RESTART: Kind = Kind::Pattern("^(never|kubernetes)$|^[0-9Pp]");

/// Keys of a member, or of several of one role.
pub(super) const MEMBER: &[Field] = &[
    Field::new("count", Kind::Number, "2", "How many."),
    Field::new("most", Kind::Number, "6", "How many there may be when somebody scales the role over the control port."),
    Field::new("threads", Kind::Number, "8", "Worker threads."),
    Field::new("heap", SIZE, "1GiB", "The JVM's -Xmx."),
    Field::new("restart", RESTART, "10s", "Who starts it again when it ends by itself: never, a time, or kubernetes."),
    Field::new("grace", DURATION, "5m", "Kestra's terminationGracePeriod."),
    Field::new("version", Kind::Text, "\"1.3\"", "Its Kestra version, when it is not the cluster's."),
];

const MEMBER_OR_COUNT: Kind = Kind::AnyOf(&[Kind::Number, Kind::Object(MEMBER)]);

pub(super) const MEMBERS: &[Field] = &[
    Field::new("webserver", MEMBER_OR_COUNT, "1", "API and UI, with an embedded indexer."),
    Field::new("executor", MEMBER_OR_COUNT, "1", "Runs executions."),
    Field::new("scheduler", MEMBER_OR_COUNT, "1", "Evaluates triggers."),
    Field::new("worker", MEMBER_OR_COUNT, "{ count: 2, threads: 8 }", "Runs tasks."),
    Field::new("indexer", MEMBER_OR_COUNT, "1", "Indexes logs and metrics."),
    Field::new("controller", MEMBER_OR_COUNT, "1", "Hands jobs to workers (2.0; a webserver has one too)."),
    Field::new("standalone", MEMBER_OR_COUNT, "1", "Everything in one process."),
];

pub(super) const CLUSTER: &[Field] = &[
    Field::new("standalone", MEMBER_OR_COUNT, "1", "One process with everything."),
    Field::new(
        "members",
        Kind::Object(MEMBERS),
        "{ webserver: 1, executor: 1, scheduler: 1, worker: 2 }",
        "Processes by role.",
    ),
    Field::new(
        "database",
        Kind::Choice(&["postgresql", "mysql", "h2", "h2-file"]),
        "postgresql",
        "Kind of database; `h2-file` is that of `kestra server local`.",
    ),
    Field::new(
        "queue",
        Kind::Choice(&["jdbc", "kafka"]),
        "jdbc",
        "Where the queues are; with `kafka` there is `/kafkastreams` (from source, never recorded).",
    ),
    Field::new(
        "start",
        Kind::Choice(&["running", "booting"]),
        "running",
        "Whether the processes run already at the start.",
    ),
    Field::new("age", DURATION, "10m", "How long the cluster has run at the start."),
    Field::new("threads", Kind::Number, "8", "Worker threads of all members."),
    Field::new("heap", SIZE, "1GiB", "Heap of all members."),
    Field::new("restart", RESTART, "10s", "Restart policy of all members."),
    Field::new("grace", DURATION, "5m", "Termination grace period of all members."),
];

pub(super) const DISTRIBUTION: &[Field] = &[
    Field::required("median", DURATION, "8s", "Half of all take longer."),
    Field::new("p99", DURATION, "40s", "One in a hundred takes longer; the median when left out."),
];

pub(super) const BEHAVIOUR: &[Field] = &[
    Field::new("namespace", Kind::Text, "company", "Tasks of this namespace and those below it."),
    Field::new("flow", Kind::Text, "company.team.ingest", "Tasks of this flow."),
    Field::new("task", Kind::Text, "load", "Tasks, or triggers that workers evaluate, with this id."),
    Field::new("type", Kind::Text, "io.kestra.plugin.core.http.Request", "Tasks of this type."),
    Field::new(
        "duration",
        Kind::AnyOf(&[DURATION, Kind::Object(DISTRIBUTION)]),
        "{ median: 8s, p99: 40s }",
        "How long an attempt takes: log-normal, or fixed.",
    ),
    Field::new("fails", SHARE, "1%", "Share of attempts that fail."),
    Field::new("warns", SHARE, "1%", "Share of attempts that end in a warning."),
    Field::new("logs", Kind::Number, "10", "Log lines of an attempt."),
    Field::new("fires", SHARE, "20%", "Of polling triggers: share of evaluations that create an execution."),
    Field::new("messages", RATE, "30/min", "Of realtime triggers: messages, each of which creates an execution."),
    Field::new(
        "outputs",
        Kind::MapOf(&Kind::Any),
        "{ rows: 120 }",
        "What a run puts out, for `{{ outputs.load.rows }}`; of a trigger: its variables, for `{{ trigger.rows }}`.",
    ),
];

pub(super) const ARRIVALS: &[Field] = &[
    Field::required("flow", Kind::Text, "company.team.ingest", "The flow, as namespace and id, or its id when unique."),
    Field::required("rate", RATE, "24/min", "Executions created, as a Poisson process."),
    Field::new(
        "over",
        Kind::Choice(&["api", "webhook"]),
        "webhook",
        "How they come: over the API, or by calling a webhook.",
    ),
    Field::new("inputs", Kind::MapOf(&Kind::Any), "{ day: monday }", "Inputs of each of them."),
];

pub(super) const POLLER: &[Field] = &[
    Field::required("path", Kind::Text, "/prometheus", "The path asked on each member's management port."),
    Field::required("every", DURATION, "15s", "How often."),
];

/// Keys of a silence.
pub(super) const SILENCE: &[Field] = &[
    Field::required(
        "matchers",
        Kind::Text,
        "'alertname=\"KestraDown\", role=~\"worker|executor\"'",
        "Which alerts, as amtool takes them.",
    ),
    Field::new("from", DURATION, "10m", "From then on; from the start when left out."),
    Field::new("for", DURATION, "1h", "For so long; to the end when left out."),
];

/// Keys of an autoscaler.
pub(super) const AUTOSCALE: &[Field] = &[
    Field::required("role", Kind::Choice(ROLES), "worker", "Whose members."),
    Field::required("query", Kind::Text, "sum(kestra_worker_job_pending)", "What is asked: a vector of one element."),
    Field::required("threshold", Kind::Number, "10", "What each member should have of it."),
    Field::new("activation", Kind::Number, "0", "With more than this there is something to do."),
    Field::new("min", Kind::Number, "1", "So many members at least: none when left out, as with KEDA."),
    Field::required("max", Kind::Number, "10", "So many at most."),
    Field::new("polling", DURATION, "30s", "How often KEDA looks whether there is anything to do."),
    Field::new("cooldown", DURATION, "5m", "The last member goes so long after there was, where `min` is 0."),
];

/// Keys of an entry of the timeline beside its fault.
pub(crate) const WHEN: &[Field] = &[
    Field::new("name", Kind::Text, "worker-oom", "To refer to it."),
    Field::new("at", DURATION, "10m", "When it begins, from the start."),
    Field::new("for", DURATION, "2m", "After this it ends by itself."),
    Field::new("every", DURATION, "5m", "It happens again and again."),
    Field::new("until", DURATION, "30m", "Not after this."),
    Field::new("to", Kind::Number, "6", "How many there are from then on; of `scale`."),
];

/// What is done from outside: one keyword each.
pub(super) const COMMANDS: &[Field] = &[
    Field::new("inject", Kind::Any, "{ kill: worker-1 }", "A fault, after another command of the same instant."),
    Field::new("clear", Kind::Text, "kill-worker-1", "Ends the fault of this name."),
    Field::new("set-logger", Kind::Text, "io.kestra.core", "POST /loggers/NAME of `member`, with `level`."),
    Field::new("ask-logger", Kind::Text, "io.kestra.core", "GET /loggers/NAME of `member`: an unknown one is created."),
    Field::new("refresh", TARGET, "worker-1", "POST /refresh."),
    Field::new("stop-by-endpoint", TARGET, "worker-1", "POST /stop."),
    Field::new("execute", Kind::Text, "company.team.ingest", "An execution of this flow, with `inputs` and `labels`."),
    Field::new(
        "receivers",
        Kind::Choice(&["scenario", "outside", "all-outside"]),
        "outside",
        "Who answers messages from now on: the scenario, or an `answer` for each.",
    ),
    Field::new(
        "answer",
        Kind::Number,
        "0",
        "The answer to the message of this number, with `status`, `took`, `fails`.",
    ),
    Field::new("kill", Kind::Text, "company.team.ingest", "Kills an execution of this flow, and what it has started."),
    Field::new("pause", Kind::Text, "company.team.ingest", "Pauses an execution of this flow that is RUNNING."),
    Field::new(
        "resume",
        Kind::Text,
        "company.team.ingest",
        "Lets an execution of this flow go on that is PAUSED, with `inputs` for the `onResume` of its Pause.",
    ),
    Field::new(
        "restart",
        Kind::Text,
        "company.team.ingest",
        "Runs again what failed of an execution of this flow, in the same execution.",
    ),
    Field::new("replay", Kind::Text, "company.team.ingest", "Runs an execution of this flow again, from `task` on."),
    Field::new(
        "change-state",
        Kind::Text,
        "company.team.ingest",
        "Gives an execution of this flow that has ended another `state`; with `task` it goes on behind that.",
    ),
];

/// Keys of an entry of `commands` beside what is done.
pub(super) const WHEN_COMMANDED: &[Field] = &[
    Field::required("at", DURATION, "10m", "When, from the start."),
    Field::new("member", Kind::Text, "worker-1", "Whose logger."),
    Field::new("level", Kind::Text, "DEBUG", "The logger's level, or `inherited`."),
    Field::new("inputs", Kind::MapOf(&Kind::Any), "{ day: monday }", "Inputs of the execution."),
    Field::new(
        "labels",
        Kind::MapOf(&Kind::Text),
        "{ team: data }",
        "Labels of the execution, beside those of its flow; those that an execution must have to be meant.",
    ),
    Field::new("status", Kind::Number, "500", "The status of the answer; left out where none came."),
    Field::new("took", DURATION, "120ms", "How long the answer took."),
    Field::new("fails", Kind::Text, "connection refused", "Why the task fails; left out where it succeeds."),
    Field::new(
        "which",
        Kind::AnyOf(&[Kind::Choice(WHICH), Kind::Number]),
        "first",
        "Which execution: the `last` when left out, `first`, `all`, or its number among those of the flow, from 1 on.",
    ),
    Field::new("cascade", Kind::Bool, "false", "Whether a kill goes on to what the execution has started, as it does."),
    Field::new("task", Kind::Text, "load", "The id of a task of the execution."),
    Field::new("value", Kind::Text, "monday", "Which run of the task, when it ran for several values."),
    Field::new("state", Kind::Choice(ENDS), "SUCCESS", "What an execution or its task becomes."),
];

/// Words for which of several executions is meant.
pub(super) const WHICH: &[&str] = &["last", "first", "all"];

/// States in which an execution ends that somebody may give it.
pub(crate) const ENDS: &[&str] = &["SUCCESS", "WARNING", "FAILED", "CANCELLED", "KILLED"];

const OF: Field = Field::new("of", Kind::Text, "kill-worker-1", "The entry of the timeline that times count from.");
const AT: Field =
    Field::new("at", DURATION, "11m", "The instant that times count from; the start without it and `of`.");
const AFTER: Field = Field::new("after", DURATION, "30s", "The window begins so long after what times count from.");
const WITHIN: Field = Field::new("within", DURATION, "3m", "And it lasts so long.");

pub(super) const BOUND: &[Field] = &[WITHIN, AFTER];

/// What happens, by its kind.
pub(super) const EVENT: &[Field] = &[
    Field::required("kind", Kind::Choice(HAPPENINGS), "exits", "What happens."),
    Field::new("member", TARGET, "worker-1", "To whom: to one of these; to anybody when left out."),
];

const COUNT: Field = Field::new("count", Kind::Number, "2", "How many exactly; one or more when left out.");
const NEVER: Field = Field::new("never", Kind::Bool, "true", "There must be none.");

/// Messages of alert flows.
pub(super) const NOTIFICATION: &[Field] = &[
    Field::new("flow", Kind::Text, "company.alerts.tell", "The flow that sends it."),
    Field::new("task", Kind::Text, "slack", "The id of the task that sends it."),
    Field::new("channel", Kind::Choice(CHANNELS), "slack", "How it goes."),
    Field::new("to", Kind::Text, "hooks.slack.com", "Part of where it goes: of a URL or an address."),
    Field::new(
        "body",
        Kind::Any,
        "{ text: FAILED }",
        "What its body holds at least; a text is part of one, other values are equal.",
    ),
    Field::new("lost", Kind::Bool, "true", "The receiver did not take it. When left out, it did."),
    OF,
    AT,
    AFTER,
    WITHIN,
    COUNT,
    NEVER,
];

/// Keys of `page`.
pub(super) const PAGE: &[Field] = &[
    Field::new("receiver", Kind::Text, "oncall", "The receiver that is told."),
    Field::new(
        "alerts",
        Kind::List(&Kind::Text),
        "[ KestraWorkerDown ]",
        "Names of alerts that fire in the notification, all of them.",
    ),
    Field::new("text", Kind::Text, "worker-1", "Part of the message: of its title, its text or its fields."),
    Field::new(
        "resolved_within",
        DURATION,
        "10m",
        "So soon after it the receiver is told that these alerts have ended, or all of it.",
    ),
    OF,
    AT,
    AFTER,
    WITHIN,
    COUNT,
    NEVER,
];

/// Executions that come into a state.
pub(super) const EXECUTION: &[Field] = &[
    Field::new("flow", Kind::Text, "company.team.ingest", "Of this flow; of any when left out."),
    Field::new("state", Kind::Text, "FAILED", "The state it comes into; any in which one ends when left out."),
    OF,
    AT,
    AFTER,
    WITHIN,
    COUNT,
    NEVER,
];

pub(super) const EXPECTATIONS: &[(&str, &[Field])] = &[
    (
        "alert",
        &[
            Field::required(
                "alert",
                Kind::Text,
                "KestraWorkerDown",
                "The alert's exact name; `\"*\"` is every alert, with `never` only.",
            ),
            Field::new("except", Kind::List(&Kind::Text), "[ KestraDown ]", "Of every alert not these."),
            Field::new("labels", Kind::MapOf(&Kind::Text), "{ instance: \"worker-1:8081\" }", "Some of its labels."),
            OF,
            AT,
            Field::new(
                "fires",
                Kind::Object(BOUND),
                "{ within: 3m }",
                "When it begins to fire. What fires since before the start counts as from the start, but not `of` a fault.",
            ),
            Field::new(
                "resolves",
                Kind::Object(BOUND),
                "{ within: 5m }",
                "When it resolves, counted from when it fired.",
            ),
            Field::new("pending", Kind::Object(BOUND), "{ within: 1m }", "When it is pending."),
            Field::new("never", Kind::Bool, "true", "It must not fire at all, also not since before."),
            Field::new("count", Kind::Number, "1", "How often it fires; what fires already is one."),
        ],
    ),
    (
        "health",
        &[
            Field::required(
                "health",
                TARGET,
                "worker-1",
                "The members that are asked: all must have the status at once.",
            ),
            Field::required(
                "status",
                Kind::Choice(&["UP", "DOWN", "refused", "hangs"]),
                "UP",
                "What they answer; after 10s without one it hangs.",
            ),
            OF,
            AT,
            AFTER,
            Field::new("within", DURATION, "30s", "Asked each second for so long; once without it."),
        ],
    ),
    (
        "query",
        &[
            Field::required("query", Kind::Text, "sum(kestra_worker_job_pending)", "A PromQL expression."),
            Field::required("at", DURATION, "12m", "When it is asked."),
            Field::required(
                "is",
                COMPARISON,
                "\"> 10\"",
                "A comparison with a number, or with another scalar expression.",
            ),
        ],
    ),
    (
        "notification",
        &[Field::required(
            "notification",
            Kind::Object(NOTIFICATION),
            "{ channel: slack, flow: company.alerts.tell, count: 1 }",
            "A message that a task of a flow sends.",
        )],
    ),
    (
        "page",
        &[Field::required(
            "page",
            Kind::Object(PAGE),
            "{ receiver: oncall, alerts: [ KestraWorkerDown ], of: kill-worker-1, within: 5m }",
            "A notification of Alertmanager that tells of firing alerts, judged with --alertmanager.",
        )],
    ),
    (
        "execution",
        &[Field::required(
            "execution",
            Kind::Object(EXECUTION),
            "{ flow: company.team.ingest, state: FAILED, never: true }",
            "An execution that comes into a state.",
        )],
    ),
    (
        "event",
        &[
            Field::required(
                "event",
                Kind::AnyOf(&[Kind::Text, Kind::Object(EVENT)]),
                "worker-1 is DISCONNECTED",
                "Part of a line of what happens (not of one that tells of a fault), or its kind: `{ kind: exits, member: worker-1 }`.",
            ),
            OF,
            AT,
            AFTER,
            WITHIN,
        ],
    ),
];

/// Keys of a scenario.
pub(super) const SCENARIO: &[Field] = &[
    Field::required("name", Kind::Text, "worker-killed", "Its name."),
    Field::new("summary", Kind::Text, "A worker is killed.", "What it shows, in a sentence."),
    Field::new(
        "extends",
        Kind::Text,
        "healthy",
        "Another scenario, by name or file; this one adds to it and overrides it.",
    ),
    Field::new("kestra", Kind::Choice(crate::profile::Profile::NAMES), "\"1.3\"", "The version of Kestra."),
    Field::new("duration", DURATION, "30m", "Where `run` ends."),
    Field::new("start", Kind::Text, "2026-01-05T08:00:00Z", "The date of the start."),
    Field::new("cluster", Kind::Object(CLUSTER), "{ standalone: 1 }", "The processes there are."),
    Field::new(
        "flows",
        Kind::List(&Kind::AnyOf(&[Kind::Text, Kind::Object(FLOW_FIELDS)])),
        "[ flows/ingest.yml ]",
        "Flows in Kestra's own syntax, or files that hold one each.",
    ),
    Field::new(
        "behaviour",
        Kind::List(&Kind::Object(BEHAVIOUR)),
        "[ { task: load, fails: 1% } ]",
        "How tasks behave; later entries win.",
    ),
    Field::new(
        "arrivals",
        Kind::List(&Kind::Object(ARRIVALS)),
        "[ { flow: ingest, rate: 24/min } ]",
        "Executions that come over the API.",
    ),
    Field::new(
        "polled_by",
        Kind::List(&Kind::Object(POLLER)),
        "[ { path: /prometheus, every: 15s } ]",
        "Who asks the management ports.",
    ),
    Field::new(
        "configuration",
        Kind::Any,
        "{ endpoints: { all: { path: /manage } } }",
        "What is set on Kestra, with its own keys.",
    ),
    Field::new(
        "plugin-defaults",
        Kind::List(&Kind::Object(PLUGIN_DEFAULT)),
        "[ { type: io.kestra.plugin.slack, values: { url: \"{{ secret('SLACK_WEBHOOK') }}\" } } ]",
        "What `kestra.plugins.defaults` says: values for tasks and triggers of all flows, behind those of a flow's own \
         `pluginDefaults`.",
    ),
    Field::new(
        "secrets",
        Kind::MapOf(&Kind::Text),
        "{ SLACK_WEBHOOK: \"https://hooks.slack.com/services/x\" }",
        "What `secret()` gives; else the environment's SECRET_NAME in base64, as for Kestra itself.",
    ),
    Field::new(
        "kv",
        Kind::MapOf(&Kind::MapOf(&Kind::Any)),
        "{ company.team: { day: monday } }",
        "What `kv()` gives, by namespace and key.",
    ),
    Field::new(
        "environment",
        Kind::MapOf(&Kind::Text),
        "{ ENV_REGION: eu }",
        "Variables of the servers' environment: `{{ envs.region }}`, and `env()` of 2.0.",
    ),
    Field::new(
        "receivers",
        Kind::MapOf(&ANSWER),
        "{ slack: ok, mail: refused }",
        "What they answer to messages, of which none is sent to them then; ok when left out, in `serve` what they really say.",
    ),
    Field::new(
        "autoscale",
        Kind::List(&Kind::Object(AUTOSCALE)),
        "[ { role: worker, query: \"sum(kestra_worker_job_pending)\", threshold: 10, max: 10 } ]",
        "Who scales roles: KEDA's Prometheus scaler with the Horizontal Pod Autoscaler.",
    ),
    Field::new(
        "silences",
        Kind::List(&Kind::Object(SILENCE)),
        "[ { matchers: 'alertname=\"KestraDown\"', from: 10m, for: 1h } ]",
        "What Alertmanager keeps quiet, when one is given (--alertmanager).",
    ),
    Field::new(
        "timeline",
        Kind::List(&Kind::Any),
        "[ { at: 10m, kill: worker-1, for: 2m } ]",
        "What happens to the cluster.",
    ),
    Field::new(
        "commands",
        Kind::List(&Kind::Any),
        "[ { at: 5m, set-logger: io.kestra, member: worker-1, level: DEBUG } ]",
        "What somebody does from outside, beside faults: a saved session has them.",
    ),
    Field::new("expect", Kind::List(&Kind::Any), "[ { health: worker-1, status: UP, at: 5m } ]", "What must be seen."),
];

/// Keys of an entry of `plugin-defaults`.
pub(super) const PLUGIN_DEFAULT: &[Field] = &[
    Field::required("type", Kind::Text, "io.kestra.plugin.core.log.Log", "A type, or what types begin with."),
    Field::new("forced", Kind::Bool, "true", "They win over what a task says itself."),
    Field::required("values", Kind::Any, "{ level: WARN }", "What is filled in."),
];

/// The JSON schema of each fault as an entry of a timeline, in which these keys must stand beside its own.
fn fault_schemas(required: &[&str]) -> Vec<Json> {
    let schema = |row: &Row| {
        let fault = row.field();
        // Each keyword is an alternative of its own: exactly one of them stands in an entry.
        let mut entry = Kind::Object(WHEN).schema();
        entry["properties"][fault.key] = described(&fault);
        entry["required"] = std::iter::once(&fault.key).chain(required).copied().collect();
        entry
    };
    ROWS.iter().map(schema).collect()
}

/// The JSON schema of a fault that is asked for while a cluster runs: what has no `at` begins at once.
#[cfg(feature = "server")]
pub fn fault_schema() -> Json {
    json!({ "anyOf": fault_schemas(&[]) })
}

/// The JSON schema of scenario files, for editors.
pub fn schema() -> Json {
    let mut schema = Kind::Object(SCENARIO).schema();
    let expectations: Vec<Json> = EXPECTATIONS.iter().map(|(_, fields)| Kind::Object(fields).schema()).collect();
    schema["properties"]["timeline"]["items"] = json!({ "anyOf": fault_schemas(&["at"]) });
    let commands: Vec<Json> = COMMANDS
        .iter()
        .map(|command| {
            let mut entry = Kind::Object(WHEN_COMMANDED).schema();
            entry["properties"][command.key] = described(command);
            entry["required"] = json!([command.key, "at"]);
            entry
        })
        .collect();
    schema["properties"]["commands"]["items"] = json!({ "anyOf": commands });
    schema["properties"]["expect"]["items"] = json!({ "anyOf": expectations });
    // Written without quotes, a version is a number.
    let versions = crate::profile::Profile::NAMES.iter();
    let numbers = versions.clone().filter_map(|name| name.parse::<f64>().ok()).map(|number| json!(number));
    let all: Vec<Json> = versions.map(|name| json!(name)).chain(numbers).collect();
    schema["properties"]["kestra"]["enum"] = all.into();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("mock-kestra scenario");
    schema
}

fn described(field: &Field) -> Json {
    let mut schema = field.kind.schema();
    schema["description"] = json!(format!("{} Example: {}", field.doc, field.example));
    schema
}
