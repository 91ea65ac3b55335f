//! The table itself.

use super::super::{alerts, events, executions, faults, jump, lines, members, notifications, openapi, page, timeline};
use super::super::{discovery, health, journal, own_metrics, pause, reset, resume, saved, speed, state};
use super::shapes as is;
use super::{Content, Operation, Takes, Told, Verb, problem};
use crate::document::{Field, Kind};
use crate::scenario::DURATION;

const fn json(status: u16, kind: &'static Kind, doc: &'static str) -> Told {
    Told { status, content: Content::Json(kind), doc }
}

const fn text(kinds: &'static [&'static str], doc: &'static str) -> Told {
    Told { status: 200, content: Content::Text(kinds), doc }
}

/// The model has panicked: everything but a constant may say so.
const BROKEN: Told = problem(503, "The model has panicked: a mistake of mock-kestra.");
const GIVEN_UP: Told = problem(500, "The work was given up, because the server ends.");
const FULL: Told = problem(409, "The session is full: a reset begins anew.");
const STATE: Told = json(200, &is::CLUSTER, "The state after it.");
const JUMPED: &[Told] =
    &[STATE, problem(409, "Another jump is under way, this one was ended, or a limit is reached."), GIVEN_UP, BROKEN];
const ASKED: Told = json(202, &is::ASKED, "It is asked for: what became of it is seen a little later.");
const NO_EXECUTION: Told = problem(404, "There is no such execution, or it ended long ago; or no such task run.");
const NOT_SO: Told = problem(409, "Its state does not allow it, or the session is full.");

const FAULT_NAME: Field = Field::required("name", Kind::String, "kill-worker-1", "The fault's name.");
const ID: Field = Field::required("id", Kind::String, "4BpWb1Vq7Yx3dTq8kXbGzr", "The execution's id.");
const MEMBER: Field = Field::required("name", Kind::String, "worker-1", "The member's name.");
const PATH: Field = Field::required("path", Kind::String, "prometheus", "A path of its management port.");
const AT: Field = Field::new("at", DURATION, "12m", "Any instant, from the start; now when left out.");
const SINCE: Field = Field::new("since", Kind::Whole, "0", "From this number on: what `next` told.");

/// One that reads and has neither parameters nor a body.
const READ: Operation = Operation {
    verb: Verb::Get,
    path: "",
    name: "",
    summary: "",
    variables: &[],
    query: &[],
    takes: Takes::Nothing,
    own: &[],
    serve: |verb| verb.at(health),
};

/// One that changes something.
const CHANGE: Operation = Operation { verb: Verb::Post, takes: Takes::Json(&is::NONE), own: &[STATE, BROKEN], ..READ };

/// One that asks something of an execution.
const ASK: Operation = Operation { variables: &[ID], own: &[ASKED, NO_EXECUTION, NOT_SO, BROKEN], ..CHANGE };

/// A request to a member.
const PASSED_ON: Operation = Operation {
    verb: Verb::Any,
    takes: Takes::Anything,
    summary: "A request to a member's management port, at any instant; what is no `at` is the member's.",
    query: &[AT],
    own: &[
        Told { status: 0, content: Content::Anything, doc: "What the member answers." },
        problem(404, "No member is called so; or the member says so."),
        GIVEN_UP,
        problem(502, "The member refuses or resets connections."),
        problem(503, "The instant is too far away for one request: ask again. Or the model has panicked."),
        problem(504, "The member does not answer."),
    ],
    serve: |verb| verb.at(members::member),
    ..READ
};

/// All there is.
pub(in crate::server::control) static OPERATIONS: &[Operation] = &[
    Operation {
        path: "/",
        name: "page",
        summary: "A page that shows the cluster over time and has buttons.",
        own: &[text(&["text/html; charset=utf-8"], "The page.")],
        serve: |verb| verb.at(page::html),
        ..READ
    },
    Operation {
        path: "/page.js",
        name: "pageScript",
        summary: "The page's script.",
        own: &[text(&["text/javascript; charset=utf-8"], "The script.")],
        serve: |verb| verb.at(page::script),
        ..READ
    },
    Operation {
        path: "/page.css",
        name: "pageStyle",
        summary: "The page's style.",
        own: &[text(&["text/css; charset=utf-8"], "The style.")],
        serve: |verb| verb.at(page::style),
        ..READ
    },
    Operation {
        path: "/api/openapi.json",
        name: "openapi",
        summary: "This document.",
        own: &[json(200, &Kind::Open(&[]), "An OpenAPI 3.1 document.")],
        serve: |verb| verb.at(openapi::document),
        ..READ
    },
    Operation {
        path: "/api/state",
        name: "state",
        summary: "Cluster, clock and faults, now or at any instant.",
        query: &[AT],
        own: &[
            json(200, &is::CLUSTER, "The cluster; without its clock at another instant."),
            GIVEN_UP,
            problem(503, "The instant is too far away for one request: ask again. Or the model has panicked."),
        ],
        serve: |verb| verb.at(state),
        ..READ
    },
    Operation {
        path: "/api/timeline",
        name: "timeline",
        summary: "Members, faults, alerts, notifications and figures over time: what was lived, and what is to come of it.",
        query: &[
            Field::new("from", DURATION, "5m", "From this instant on; the last hour when left out."),
            Field::new("to", DURATION, "45m", "Up to this one, at most 24h ahead; now when left out."),
            Field::new("points", Kind::Whole, "240", "So many figures at most, 2 to 720."),
        ],
        own: &[
            json(200, &is::TIMELINE, "The picture; its `to` is earlier where there was no time for more."),
            GIVEN_UP,
            problem(503, "Others look ahead already: ask again. Or the model has panicked."),
        ],
        serve: |verb| verb.at(timeline::draw),
        ..READ
    },
    Operation {
        path: "/api/fault-kinds",
        name: "faultKinds",
        summary: "The faults there are, with the keys of each: what a form is made from.",
        own: &[json(200, &is::FAULT_KINDS, "The faults."), BROKEN],
        serve: |verb| verb.at(page::fault_kinds),
        ..READ
    },
    Operation {
        path: "/api/pause",
        name: "pause",
        summary: "Time stands still; a jump under way ends.",
        serve: |verb| verb.at(pause),
        ..CHANGE
    },
    Operation {
        path: "/api/resume",
        name: "resume",
        summary: "Time goes on.",
        serve: |verb| verb.at(resume),
        ..CHANGE
    },
    Operation {
        path: "/api/speed",
        name: "setSpeed",
        summary: "How many virtual seconds pass in a second.",
        takes: Takes::Json(&is::SPEED),
        serve: |verb| verb.at(speed),
        ..CHANGE
    },
    Operation {
        path: "/api/advance",
        name: "advance",
        summary: "Jumps; ends early at a pause, a reset, and when its connection is closed.",
        takes: Takes::Json(&is::ADVANCE),
        own: JUMPED,
        serve: |verb| verb.at(jump::advance),
        ..CHANGE
    },
    Operation {
        path: "/api/run-until",
        name: "runUntil",
        summary: "Runs until an instant and pauses there.",
        takes: Takes::Json(&is::RUN_UNTIL),
        own: JUMPED,
        serve: |verb| verb.at(jump::run_until),
        ..CHANGE
    },
    Operation {
        path: "/api/reset",
        name: "reset",
        summary: "Back to the exact start.",
        serve: |verb| verb.at(reset),
        ..CHANGE
    },
    Operation {
        path: "/api/faults",
        name: "faults",
        summary: "All faults: in force, to come, and over.",
        own: &[json(200, &is::FAULTS, "The faults."), BROKEN],
        serve: |verb| verb.at(faults::list),
        ..READ
    },
    Operation {
        path: "/api/faults",
        name: "inject",
        summary: "Injects a fault: now, or at its `at`.",
        takes: Takes::Fault,
        own: &[
            json(201, &is::INJECTED, "It is injected."),
            problem(409, "Another fault has its name, or the session is full."),
            problem(422, "It cannot be done: its time is past or too far away, or the scenario has no places."),
            GIVEN_UP,
            BROKEN,
        ],
        serve: |verb| verb.at(faults::inject),
        ..CHANGE
    },
    Operation {
        verb: Verb::Delete,
        path: "/api/faults/{name}",
        name: "clear",
        summary: "Ends a fault, or takes an injected one back.",
        variables: &[FAULT_NAME],
        own: &[
            json(200, &is::CLEARED, "It is no more."),
            problem(404, "No fault is called so."),
            problem(409, "It is over, or planned by the scenario, or the session is full."),
            BROKEN,
        ],
        serve: |verb| verb.at(faults::clear),
        ..READ
    },
    Operation {
        path: "/api/scale",
        name: "scale",
        summary: "So many members of a role.",
        takes: Takes::Json(&is::SCALE),
        own: &[
            json(200, &is::SCALED, "So many there are."),
            FULL,
            problem(422, "The scenario has no places for so many."),
            BROKEN,
        ],
        serve: |verb| verb.at(faults::scale),
        ..CHANGE
    },
    Operation {
        path: "/api/executions",
        name: "executions",
        summary: "The executions that have not ended, and the last that have.",
        query: &[
            Field::new("flow", Kind::String, "company.team.ingest", "Of this flow only."),
            Field::new("state", is::STATE_NAME, "FAILED", "In this state only."),
        ],
        own: &[json(200, &is::EXECUTIONS, "The executions."), problem(404, "There is no such flow."), BROKEN],
        serve: |verb| verb.at(executions::list),
        ..READ
    },
    Operation {
        path: "/api/executions",
        name: "execute",
        summary: "Asks a webserver for an execution of a flow, as a client of Kestra's API does.",
        takes: Takes::Json(&is::EXECUTE),
        own: &[
            json(201, &is::ASKED, "It is created."),
            problem(404, "There is no such flow."),
            problem(409, "The flow is disabled, or the session is full."),
            problem(422, "Its inputs are not as the flow declares them, or the flow's checks do not hold."),
            problem(503, "No webserver answers. Or the model has panicked."),
        ],
        serve: |verb| verb.at(executions::create),
        ..CHANGE
    },
    Operation {
        path: "/api/executions/{id}",
        name: "execution",
        summary: "One execution.",
        variables: &[ID],
        own: &[json(200, &is::EXECUTION, "The execution."), NO_EXECUTION, BROKEN],
        serve: |verb| verb.at(executions::one),
        ..READ
    },
    Operation {
        path: "/api/executions/{id}/kill",
        name: "killExecution",
        summary: "Kills it, and what it has started.",
        takes: Takes::Json(&is::KILL),
        serve: |verb| verb.at(executions::kill),
        ..ASK
    },
    Operation {
        path: "/api/executions/{id}/pause",
        name: "pauseExecution",
        summary: "Nothing more of it begins until it is resumed.",
        serve: |verb| verb.at(executions::pause),
        ..ASK
    },
    Operation {
        path: "/api/executions/{id}/resume",
        name: "resumeExecution",
        summary: "It goes on, from a Pause too.",
        takes: Takes::Json(&is::RESUME),
        own: &[ASKED, NO_EXECUTION, NOT_SO, problem(422, "The inputs are not as its Pause declares them."), BROKEN],
        serve: |verb| verb.at(executions::resume),
        ..ASK
    },
    Operation {
        path: "/api/executions/{id}/restart",
        name: "restartExecution",
        summary: "What failed of it runs again, in the same execution.",
        serve: |verb| verb.at(executions::restart),
        ..ASK
    },
    Operation {
        path: "/api/executions/{id}/replay",
        name: "replayExecution",
        summary: "A new execution that runs the same again, from a task on if one is named.",
        takes: Takes::Json(&is::REPLAY),
        own: &[json(201, &is::REPLAYED, "The new execution."), NO_EXECUTION, NOT_SO, BROKEN],
        serve: |verb| verb.at(executions::replay),
        ..ASK
    },
    Operation {
        path: "/api/executions/{id}/change-state",
        name: "changeState",
        summary: "One that has ended takes another state; with `task` that does, and it goes on behind it.",
        takes: Takes::Json(&is::CHANGE_STATE),
        serve: |verb| verb.at(executions::change_state),
        ..ASK
    },
    Operation {
        path: "/api/notifications",
        name: "notifications",
        summary: "What notification tasks of flows have sent.",
        query: &[SINCE],
        own: &[json(200, &is::NOTIFICATIONS, "The messages."), BROKEN],
        serve: |verb| verb.at(notifications::list),
        ..READ
    },
    Operation {
        path: "/api/alerts",
        name: "alerts",
        summary: "With `serve --rules`: the alerts that are pending or fire, as Prometheus lists them.",
        own: &[json(200, &is::ALERTS, "The alerts."), problem(404, "No rules are evaluated here."), BROKEN],
        serve: |verb| verb.at(alerts::list),
        ..READ
    },
    Operation {
        path: "/api/journal",
        name: "journal",
        summary: "What happened.",
        query: &[
            SINCE,
            Field::new("wait", DURATION, "30s", "So much real time at most the answer waits for something new."),
        ],
        own: &[json(200, &is::JOURNAL, "What happened."), BROKEN],
        serve: |verb| verb.at(journal),
        ..READ
    },
    Operation {
        path: "/api/events",
        name: "events",
        summary: "The journal as it is written: server-sent events.",
        query: &[Field::new("from", Kind::Whole, "0", "From this number on; what is new when left out.")],
        own: &[
            text(
                &["text/event-stream"],
                "One event a line, its number as `id`, its JSON as in /api/journal as `data`; \
                 `event: missed` tells of lines that were dropped, `event: reset` that numbers count from 0 again.",
            ),
            problem(429, "So many listen already."),
            BROKEN,
        ],
        serve: |verb| verb.at(events::stream),
        ..READ
    },
    Operation {
        path: "/api/scenario",
        name: "scenario",
        summary: "What was done in this session, as a scenario that does it again.",
        own: &[
            Told { status: 200, content: Content::Yaml("application/yaml; charset=utf-8"), doc: "A scenario file." },
            BROKEN,
        ],
        serve: |verb| verb.at(saved),
        ..READ
    },
    Operation {
        path: "/sd",
        name: "discovery",
        summary: "Targets for Prometheus's http_sd_configs.",
        own: &[json(200, &is::TARGETS, "The members that are there."), BROKEN],
        serve: |verb| verb.at(discovery),
        ..READ
    },
    Operation {
        path: "/metrics",
        name: "metrics",
        summary: "The mock's own metrics.",
        own: &[text(&["text/plain; version=0.0.4; charset=utf-8"], "An exposition."), BROKEN],
        serve: |verb| verb.at(own_metrics),
        ..READ
    },
    Operation {
        path: "/health",
        name: "health",
        summary: "Whether it is well.",
        own: &[json(200, &is::HEALTH, "It is."), BROKEN],
        serve: |verb| verb.at(health),
        ..READ
    },
    Operation {
        path: "/members/{name}/log",
        name: "log",
        summary: "The log of a member, its oldest line first.",
        variables: &[MEMBER],
        query: &[
            Field::new(
                "level",
                Kind::Choice(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]),
                "WARN",
                "No lines beneath it.",
            ),
            Field::new("tail", Kind::Whole, "100", "So many lines at most, the last ones."),
            Field::new(
                "format",
                Kind::Choice(&["console", "text", "json"]),
                "text",
                "As Kestra's console shows it, the same without colours, or JSON lines.",
            ),
        ],
        own: &[
            text(
                &["text/plain; charset=utf-8", "application/jsonl"],
                "The lines; `x-lines-dropped` tells how many are gone.",
            ),
            problem(404, "No member is called so."),
            BROKEN,
        ],
        serve: |verb| verb.at(lines::log),
        ..READ
    },
    Operation { path: "/members/{name}", name: "member", variables: &[MEMBER], ..PASSED_ON },
    Operation { path: "/members/{name}/", name: "memberRoot", variables: &[MEMBER], ..PASSED_ON },
    Operation { path: "/members/{name}/{*path}", name: "memberPath", variables: &[MEMBER, PATH], ..PASSED_ON },
];
