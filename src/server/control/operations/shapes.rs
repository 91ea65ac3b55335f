//! The shapes of bodies: what requests take, and what answers hold.

use super::Form;
use crate::document::{Field, Kind};
use crate::flow::State;
use crate::notify::CHANNELS;
use crate::run::Condition;
use crate::scenario::{AIMS, DURATION, ENDS, HAPPENINGS, ROLES};

const TEXT: Kind = Kind::String;
const OR_NONE: Kind = Kind::AnyOf(&[Kind::String, Kind::Null]);
const VALUES: Kind = Kind::MapOf(&Kind::Any);
const TEXTS: Kind = Kind::MapOf(&Kind::String);
const ROLE: Kind = Kind::Choice(ROLES);

/// States of executions.
const STATES: &[&str] = &{
    let mut names = [""; State::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = State::ALL[at].name();
        at += 1;
    }
    names
};
pub(super) const STATE_NAME: Kind = Kind::Choice(STATES);

/// A request that has nothing to say.
pub(in crate::server::control) const NONE: Form = Form { fields: &[], example: "", optional: true };

pub(in crate::server::control) const SPEED: Form = Form {
    fields: &[Field::required("speed", Kind::Number, "10", "Virtual seconds a second, 0.001 to 100000.")],
    example: r#"{"speed": 10}"#,
    optional: false,
};

const WAIT: Field = Field::new("wait", Kind::Bool, "true", "It has its turn after a jump that is under way.");

pub(in crate::server::control) const ADVANCE: Form = Form {
    fields: &[Field::required("by", DURATION, "5m", "So far."), WAIT],
    example: r#"{"by": "5m"}"#,
    optional: false,
};

pub(in crate::server::control) const RUN_UNTIL: Form = Form {
    fields: &[
        Field::required("at", DURATION, "12m", "The instant, from the start."),
        Field::new("now", Kind::Bool, "true", "It is there at once."),
        WAIT,
    ],
    example: r#"{"at": "12m"}"#,
    optional: false,
};

pub(in crate::server::control) const SCALE: Form = Form {
    fields: &[
        Field::required("role", ROLE, "worker", "Of which role."),
        Field::required("to", Kind::Whole, "6", "So many members."),
    ],
    example: r#"{"role": "worker", "to": 6}"#,
    optional: false,
};

pub(in crate::server::control) const EXECUTE: Form = Form {
    fields: &[
        Field::required("flow", TEXT, "company.team.ingest", "The flow, as namespace and id, or its id when unique."),
        Field::new("inputs", VALUES, "{ day: monday }", "Inputs of the execution."),
        Field::new("labels", Kind::MapOf(&Kind::Text), "{ team: data }", "Labels of the execution."),
    ],
    example: r#"{"flow": "company.team.ingest", "inputs": {"day": "monday"}, "labels": {"team": "data"}}"#,
    optional: false,
};

pub(in crate::server::control) const KILL: Form = Form {
    fields: &[Field::new("cascade", Kind::Bool, "false", "Whether what it has started is killed too, as it is.")],
    example: r#"{"cascade": false}"#,
    optional: true,
};

pub(in crate::server::control) const RESUME: Form = Form {
    fields: &[Field::new("inputs", VALUES, "{ approved: true }", "What the `onResume` of its Pause asks for.")],
    example: r#"{"inputs": {"approved": true}}"#,
    optional: true,
};

const TASK: Field = Field::new("task", TEXT, "load", "The id of one of its tasks.");
const VALUE: Field = Field::new("value", TEXT, "monday", "Which run of the task, when it ran for several values.");

pub(in crate::server::control) const REPLAY: Form =
    Form { fields: &[TASK, VALUE], example: r#"{"task": "load"}"#, optional: true };

pub(in crate::server::control) const CHANGE_STATE: Form = Form {
    fields: &[TASK, VALUE, Field::required("state", Kind::Choice(ENDS), "SUCCESS", "What it, or its task, becomes.")],
    example: r#"{"task": "load", "state": "SUCCESS"}"#,
    optional: false,
};

const MEMBER: &[Field] = &[
    Field::required("name", TEXT, "worker-1", "Its name."),
    Field::required("role", ROLE, "worker", "Its role."),
    Field::required(
        "port",
        TEXT,
        "open",
        "How its ports are: open, refused, hangs, closing, away, or taken by another process.",
    ),
    Field::required("process", Kind::Whole, "1", "Which of its processes: it grows with each start."),
    Field::required("stopping", Kind::Bool, "false", "Whether it shuts down."),
    Field::required("running", Kind::Whole, "3", "Task runs that it runs."),
    Field::required("pending", Kind::Whole, "0", "Task runs that wait in it."),
    Field::required("management", TEXT, "http://127.0.0.1:8081", "Where its management port listens."),
    Field::required("application", TEXT, "http://127.0.0.1:8080", "Where its application port listens."),
];

const NAME: Field = Field::required("name", TEXT, "kill-worker-1", "Its name.");
const WHAT: Field = Field::required("what", TEXT, "worker-1 is killed", "What it does, in words.");
const FROM: Field = Field::required("from", Kind::Choice(&["scenario", "session"]), "session", "Who planned it.");
const SINCE: Field = Field::required("since", TEXT, "10m", "When it began, from the start.");
const IN_FORCE: Field = Field::required("in_force", Kind::Bool, "true", "Whether it is in force now.");
const ENDS_AT: Field = Field::required("ends", OR_NONE, "12m", "When it ends by itself.");
const AGAIN: Field = Field::required("again", OR_NONE, "15m", "When it happens again.");
const AT: Field = Field::required("at", TEXT, "10m", "When it begins, from the start.");
const EVERY: Field = Field::required("every", OR_NONE, "5m", "It happens again and again.");
const UNTIL: Field = Field::required("until", OR_NONE, "30m", "Not after this.");
const BEGAN: Field = Field::required("began", OR_NONE, "10m", "When it began last, where that is still known.");
const ENDED: Field = Field::required("ended", OR_NONE, "12m", "When it was over, where that is still known.");

const IN_STATE: Kind = Kind::Object(&[NAME, WHAT, SINCE, IN_FORCE, ENDS_AT, AGAIN]);
const ACTIVE: Kind = Kind::Object(&[NAME, WHAT, SINCE, IN_FORCE, ENDS_AT, AGAIN, FROM]);
const PLANNED: Kind = Kind::Object(&[NAME, WHAT, AT, ENDS_AT, EVERY, UNTIL, FROM]);
const OVER: Kind = Kind::Object(&[NAME, WHAT, AT, ENDS_AT, EVERY, UNTIL, BEGAN, ENDED, FROM]);
pub(super) const INJECTED: Kind = Kind::Object(&[NAME, WHAT, AT, ENDS_AT, EVERY, UNTIL]);
pub(super) const FAULTS: Kind = Kind::Object(&[
    Field::required("faults", Kind::List(&ACTIVE), "[]", "Those in force, or that happen again."),
    Field::required("planned", Kind::List(&PLANNED), "[]", "Those still to come."),
    Field::required("over", Kind::List(&OVER), "[]", "Those that are over."),
]);
pub(super) const CLEARED: Kind =
    Kind::Object(&[Field::required("cleared", TEXT, "kill-worker-1", "The fault that is no more.")]);
pub(super) const SCALED: Kind = Kind::Object(&[
    Field::required("role", ROLE, "worker", "The role."),
    Field::required("from", Kind::Whole, "2", "So many members there were."),
    Field::required("to", Kind::Whole, "6", "So many there are."),
    Field::required("name", TEXT, "scale-worker", "The fault that takes it back when it is cleared."),
]);

const CLOCK: &[Field] = &[
    Field::required("speed", Kind::Number, "1", "Virtual seconds a second."),
    Field::required("paused", Kind::Bool, "false", "Whether time stands still."),
    Field::required("run_until", OR_NONE, "12m", "Where it will stand still."),
    Field::required("jump", OR_NONE, "12m", "Where a jump under way leads."),
    Field::required("behind", Kind::Bool, "false", "The machine is too slow for the speed: virtual time lags."),
    Field::required("lost", TEXT, "0s", "Virtual time that was due and was not gone through."),
];

const COUNTS: &[Field] = &[
    Field::required("created", Kind::Whole, "120", "Created in all."),
    Field::required("ended", Kind::Whole, "110", "Ended in all."),
    Field::required("live", Kind::Whole, "10", "Those that have not ended."),
];

const RESETS: &str = "How often it has begun anew.";

pub(super) const CLUSTER: Kind = Kind::Object(&[
    Field::required("scenario", TEXT, "worker-killed", "The scenario's name."),
    Field::required("summary", TEXT, "A worker is killed", "What it is about."),
    Field::required("seed", Kind::Whole, "1", "The seed of all randomness."),
    Field::required("time", TEXT, "10m5s", "Virtual time since the start."),
    Field::required("seconds", Kind::Number, "605", "The same in seconds."),
    Field::required("date", TEXT, "2026-01-01T00:10:05Z", "The same as a date."),
    Field::required("members", Kind::List(&Kind::Object(MEMBER)), "[]", "The members, those too that are away."),
    Field::required("faults", Kind::List(&IN_STATE), "[]", "Faults in force, or that happen again."),
    Field::required("executions", Kind::Object(COUNTS), "{}", "How many executions there are."),
    Field::required("events", Kind::Whole, "12000", "Events that the model has gone through."),
    Field::new("clock", Kind::Object(CLOCK), "{}", "The clock; not of another instant."),
    Field::new("resets", Kind::Whole, "0", RESETS),
    Field::new("limit", OR_NONE, "null", "The limit at which nothing moves any more."),
]);

const CHANGE: &[Field] = &[
    Field::required("state", STATE_NAME, "RUNNING", "What it came into."),
    Field::required("at", TEXT, "10m", "When, from the start."),
    Field::required("seconds", Kind::Number, "600", "The same in seconds."),
];

const TASK_RUN: &[Field] = &[
    Field::required("task", TEXT, "load", "The task's id."),
    Field::required("value", OR_NONE, "monday", "The value that it is for, of a task that runs for several."),
    Field::required("state", STATE_NAME, "SUCCESS", "What it is."),
    Field::required("attempts", Kind::Whole, "1", "Its attempts, the one that runs included."),
];

pub(super) const EXECUTION: Kind = Kind::Object(&[
    Field::required("id", TEXT, "4BpWb1Vq7Yx3dTq8kXbGzr", "Its id."),
    Field::required("namespace", OR_NONE, "company.team", "The namespace of its flow."),
    Field::required("flow", OR_NONE, "ingest", "The id of its flow."),
    Field::required("number", Kind::Whole, "1", "Which of the flow's executions, from 1 on."),
    Field::required("state", STATE_NAME, "SUCCESS", "What it is."),
    Field::required("created", TEXT, "10m", "When it was created, from the start."),
    Field::required("history", Kind::List(&Kind::Object(CHANGE)), "[]", "The states it came into, the oldest first."),
    Field::required("labels", TEXTS, "{ team: data }", "Its labels."),
    Field::required("inputs", VALUES, "{ day: monday }", "The inputs that it was given."),
    Field::required("taskRuns", Kind::List(&Kind::Object(TASK_RUN)), "[]", "Its task runs, in the order of creation."),
    Field::required("originalId", OR_NONE, "null", "The execution that it repeats."),
    Field::required("startedBy", OR_NONE, "null", "The execution that started it."),
]);

pub(super) const EXECUTIONS: Kind = Kind::Object(&[
    Field::required("executions", Kind::List(&EXECUTION), "[]", "Those that are there, and the last that ended."),
    Field::required("created", Kind::Whole, "120", "Created in all."),
    Field::required("live", Kind::Whole, "10", "Those that have not ended."),
    Field::required("kept", Kind::Whole, "1000", "So many of those that ended are kept."),
]);

const ID: Field = Field::required("id", TEXT, "4BpWb1Vq7Yx3dTq8kXbGzr", "The execution.");
const FLOW: Field = Field::required("flow", OR_NONE, "company.team.ingest", "Its flow.");
const NOW: Field = Field::required("at", TEXT, "10m", "When it was asked, from the start.");
const IGNORED: Field = Field::new("ignored", Kind::List(&TEXT), "[ dya ]", "Inputs that nobody declares: left out.");

pub(super) const ASKED: Kind = Kind::Object(&[ID, FLOW, NOW, IGNORED]);
pub(super) const REPLAYED: Kind =
    Kind::Object(&[ID, FLOW, NOW, Field::required("replays", TEXT, "4BpWb1Vq7Yx3dTq8kXbGzr", "What it repeats.")]);

const SAID: &[Field] = &[
    Field::required("status", Kind::AnyOf(&[Kind::Whole, Kind::Null]), "200", "Its status."),
    Field::required("seconds", Kind::Number, "0.12", "How long it took."),
];

const MESSAGE: &[Field] = &[
    Field::required("number", Kind::Whole, "0", "Its number."),
    Field::required("at", TEXT, "10m", "When it was sent, from the start."),
    Field::required("seconds", Kind::Number, "600", "The same in seconds."),
    Field::required("flow", OR_NONE, "company.alerts.tell", "The flow that sent it."),
    Field::required("execution", TEXT, "4BpWb1Vq7Yx3dTq8kXbGzr", "The execution that sent it."),
    Field::required("task", OR_NONE, "slack", "The task that sent it."),
    Field::required("attempt", Kind::Whole, "1", "Which attempt of the task."),
    Field::required("channel", Kind::AnyOf(&[Kind::Choice(CHANNELS), Kind::Null]), "slack", "How it goes."),
    Field::required("to", TEXT, "https://hooks.slack.com/***", "Where it goes, secrets as stars."),
    Field::required("body", Kind::Any, "{ text: FAILED }", "What it says, secrets as stars."),
    Field::required(
        "delivery",
        Kind::Choice(&["taken", "lost", "failed", "not-simulated", "waiting"]),
        "taken",
        "What became of it.",
    ),
    Field::required("why", OR_NONE, "null", "Why nobody was told, or not yet."),
    Field::required("answer", Kind::AnyOf(&[Kind::Object(SAID), Kind::Null]), "null", "What a real receiver said."),
];

const DROPPED: Field = Field::required("dropped", Kind::Whole, "0", "Older ones that were asked for and are gone.");
const NEXT: Field = Field::required("next", Kind::Whole, "17", "The number to ask from next time.");
const ANEW: Field =
    Field::required("resets", Kind::Whole, "0", "How often it has begun anew: after each numbers count from 0.");

pub(super) const NOTIFICATIONS: Kind = Kind::Object(&[
    ANEW,
    DROPPED,
    NEXT,
    Field::required("notifications", Kind::List(&Kind::Object(MESSAGE)), "[]", "The messages, the oldest first."),
]);

const LINE: &[Field] = &[
    Field::required("at", TEXT, "10m", "When, from the start."),
    Field::required("seconds", Kind::Number, "600", "The same in seconds."),
    Field::required("kind", Kind::Choice(HAPPENINGS), "killed", "What kind of thing happened."),
    Field::required("member", OR_NONE, "worker-1", "To whom, when it is about a member."),
    Field::required("text", TEXT, "worker-1 is killed", "What happened, in words."),
];

pub(super) const JOURNAL: Kind = Kind::Object(&[
    ANEW,
    DROPPED,
    NEXT,
    Field::required("lines", Kind::List(&Kind::Object(LINE)), "[]", "What happened, the oldest first."),
]);

const ALERT: &[Field] = &[
    Field::required("labels", TEXTS, "{ alertname: KestraDown }", "Its labels."),
    Field::required("annotations", TEXTS, "{}", "Its annotations."),
    Field::required("state", Kind::Choice(&["pending", "firing"]), "firing", "How it is."),
    Field::required("activeAt", TEXT, "2026-01-01T00:10:05Z", "Since when."),
    Field::required("value", TEXT, "1e+00", "The value of its expression."),
];

const SENDING: &[Field] = &[
    Field::required("posted", Kind::Whole, "3", "Alerts that an Alertmanager has taken."),
    Field::required("waiting", Kind::Whole, "0", "Those that wait."),
    Field::required("dropped", Kind::Whole, "0", "Those that were dropped because too many waited."),
    Field::required("failed", Kind::Whole, "0", "Those of requests that failed."),
    Field::required("lastError", OR_NONE, "null", "Why the last failed."),
];

pub(super) const ALERTS: Kind = Kind::Object(&[
    Field::required("status", Kind::Choice(&["success"]), "success", "As Prometheus says it."),
    Field::required(
        "data",
        Kind::Object(&[Field::required("alerts", Kind::List(&Kind::Object(ALERT)), "[]", "Those pending or firing.")]),
        "{ alerts: [] }",
        "As Prometheus says it.",
    ),
    Field::required("sending", Kind::AnyOf(&[Kind::Object(SENDING), Kind::Null]), "null", "How the posting goes."),
]);

const TARGET: &[Field] = &[
    Field::required("targets", Kind::List(&TEXT), "[ 127.0.0.1:8081 ]", "Where it is scraped."),
    Field::required("labels", TEXTS, "{ job: kestra }", "Labels of its series."),
];
pub(super) const TARGETS: Kind = Kind::List(&Kind::Object(TARGET));

pub(super) const HEALTH: Kind = Kind::Object(&[Field::required("status", Kind::Choice(&["UP"]), "UP", "It is well.")]);

const SECONDS: Kind = Kind::Number;
const SECONDS_OR_NONE: Kind = Kind::AnyOf(&[Kind::Number, Kind::Null]);
const WHOLES: Kind = Kind::List(&Kind::Whole);

const SPAN: &[Field] = &[
    Field::required("at", SECONDS, "600", "From when on, in seconds."),
    Field::required("condition", Kind::Choice(Condition::WORDS), "serving", "In which condition it was."),
];

const LANE: &[Field] = &[
    Field::required("name", TEXT, "worker-1", "The member."),
    Field::required("role", ROLE, "worker", "Its role."),
    Field::required("threads", Kind::Whole, "8", "Threads of its worker."),
    Field::required("heap", Kind::Whole, "1073741824", "Bytes of its heap at most."),
    Field::required(
        "spans",
        Kind::List(&Kind::Object(SPAN)),
        "[]",
        "Its conditions; the first may begin before `from`.",
    ),
];

const BAND: &[Field] = &[
    NAME,
    WHAT,
    Field::required("from", SECONDS, "600", "When it began, in seconds."),
    Field::required("to", SECONDS_OR_NONE, "720", "When it ended; null while it is in force."),
];

const BAR: &[Field] = &[
    Field::required("alert", TEXT, "KestraDown", "Its name."),
    Field::required("labels", TEXTS, "{ role: worker }", "Its labels."),
    Field::required("pending", SECONDS, "616", "When its condition began to hold, in seconds."),
    Field::required("firing", SECONDS_OR_NONE, "676", "When it fired."),
    Field::required("resolved", SECONDS_OR_NONE, "736", "When it ended; null while it is active."),
];

const MARK: &[Field] = &[
    Field::required("number", Kind::Whole, "0", "Its number in /api/notifications."),
    Field::required("at", SECONDS, "600", "When it was sent, in seconds."),
    Field::required("flow", OR_NONE, "company.alerts.tell", "The flow that sent it."),
    Field::required("channel", Kind::AnyOf(&[Kind::Choice(CHANNELS), Kind::Null]), "slack", "How it goes."),
    Field::required("to", TEXT, "***", "Where it goes, secrets as stars."),
    Field::required(
        "delivery",
        Kind::Choice(&["taken", "lost", "failed", "not-simulated", "waiting"]),
        "taken",
        "What became of it.",
    ),
];

const OF_MEMBER: &[Field] = &[
    Field::required("running", WHOLES, "[]", "Jobs that run in its worker."),
    Field::required("pending", WHOLES, "[]", "Jobs that wait in it."),
    Field::required("pool", WHOLES, "[]", "Connections of its pool in use."),
    Field::required("heap", WHOLES, "[]", "Bytes of its heap that are used."),
];

const FIGURES: &[Field] = &[
    Field::required("at", Kind::List(&SECONDS), "[]", "When, in seconds."),
    Field::required("created", WHOLES, "[]", "Executions created since the birth of the cluster."),
    Field::required("ended", WHOLES, "[]", "Those that ended."),
    Field::required("failed", WHOLES, "[]", "Of these, those that FAILED."),
    Field::required("queued", WHOLES, "[]", "Jobs that wait in the queue."),
    Field::required("members", Kind::List(&Kind::Object(OF_MEMBER)), "[]", "Figures of each member."),
];

pub(super) const TIMELINE: Kind = Kind::Object(&[
    Field::required("resets", Kind::Whole, "0", RESETS),
    Field::required("version", Kind::Whole, "3", "It changes with whatever makes another future."),
    Field::required("now", SECONDS, "605", "Where the session is: what is later is computed on a copy."),
    Field::required("from", SECONDS, "0", "From here on, in seconds since the start."),
    Field::required("to", SECONDS, "1800", "Up to here."),
    Field::required("begins", SECONDS, "-600", "Where that begins which is kept."),
    Field::required("unforeseen", Kind::List(&TEXT), "[]", "What of the future cannot be foreseen."),
    Field::required("members", Kind::List(&Kind::Object(LANE)), "[]", "The members."),
    Field::required("faults", Kind::List(&Kind::Object(BAND)), "[]", "Faults that were in force."),
    Field::required(
        "alerts",
        Kind::AnyOf(&[Kind::List(&Kind::Object(BAR)), Kind::Null]),
        "[]",
        "Alerts that were pending or fired; null without `serve --rules`.",
    ),
    Field::required(
        "notifications",
        Kind::List(&Kind::Object(MARK)),
        "[]",
        "What notification tasks sent, the last 500.",
    ),
    Field::required("figures", Kind::Object(FIGURES), "{}", "Figures, one list each, in the order of time."),
]);

const KEY: &[Field] = &[
    Field::required("key", TEXT, "share", "The key."),
    Field::required("required", Kind::Bool, "true", "Whether it must be there."),
    Field::required("doc", TEXT, "So many fail.", "What it means."),
    Field::required("example", TEXT, "50%", "An example."),
    Field::required("schema", Kind::MapOf(&Kind::Any), "{}", "What may stand there, as JSON schema."),
];

const ROW: &[Field] = &[
    Field::required("keyword", TEXT, "kill", "Its key in an entry of a timeline."),
    Field::required("doc", TEXT, "SIGKILL", "What it does."),
    Field::required("target", Kind::Choice(AIMS), "members", "What it is done to."),
    Field::required("lasts", Kind::Bool, "true", "Whether `for` means something."),
    Field::required("value", Kind::MapOf(&Kind::Any), "{}", "Its value, as JSON schema."),
    Field::required("fields", Kind::List(&Kind::Object(KEY)), "[]", "Keys of its value; none when a target is all."),
    Field::required("beside", Kind::List(&Kind::Object(KEY)), "[]", "Keys that stand beside it."),
    Field::required("example", Kind::Any, "worker-1", "A value that can be done to this cluster."),
];

const OF_TIME: &[Field] = &[
    Field::required("key", TEXT, "for", "The key."),
    Field::required("doc", TEXT, "After this it ends by itself.", "What it means."),
    Field::required("example", TEXT, "2m", "An example."),
];

pub(super) const FAULT_KINDS: Kind = Kind::Object(&[
    Field::required("kinds", Kind::List(&Kind::Object(ROW)), "[]", "The faults."),
    Field::required("when", Kind::List(&Kind::Object(OF_TIME)), "[]", "Keys that any may have."),
    Field::required("members", Kind::List(&TEXT), "[]", "The members of this cluster."),
    Field::required("flows", Kind::List(&TEXT), "[]", "Its flows."),
]);
