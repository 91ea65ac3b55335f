//! The table of faults: one row each, by family.

use super::{Aim, Lasts, Row, Unit};
use crate::document::{Field, Kind};
use crate::scenario::fields::{ANSWER, DURATION, RATE, SHARE, SIZE_RATE, TARGET, TIMES};
use crate::scenario::threads::THREAD_WORDS;

// Which tasks a fault is done to.
const OF_NAMESPACE: Field = Field::new("namespace", Kind::Text, "company", "Which tasks.");
const OF_FLOW: Field = Field::new("flow", Kind::Text, "company.team.ingest", "Which tasks.");
const OF_TASK: Field = Field::new("task", Kind::Text, "load", "Which tasks.");
const OF_TYPE: Field = Field::new("type", Kind::Text, "io.kestra.plugin.core.http.Request", "Which tasks.");

macro_rules! faults {
    ($($kind:ident { $($field:ident: $value:expr,)* })*) => {
        /// Which fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is described by its row")]
        pub enum FaultKind { $($kind,)* }

        /// The faults there are, in the order in which they are told.
        pub(in crate::scenario) const ROWS: &[Row] = &[$(Row { kind: FaultKind::$kind, $($field: $value,)* },)*];
    };
}

faults! {
    Kill {
        keyword: "kill",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::HoldsDown,
        sentences: &["kill {}"],
        example: "worker-1",
        doc: "SIGKILL: connections are reset, the port refuses. With `for` it stays dead so long, else the restart policy decides.",
    }
    Stop {
        keyword: "stop",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::HoldsDown,
        sentences: &["stop {}"],
        example: "worker-1",
        doc: "SIGTERM: tasks drain, the port stays UP meanwhile (as recorded of 1.3). With `for` it is started again after that, else when somebody does.",
    }
    Start {
        keyword: "start",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::No,
        sentences: &["start {}"],
        example: "worker-1",
        doc: "Starts a member that is not running.",
    }
    Restart {
        keyword: "restart",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::No,
        sentences: &["restart {}"],
        example: "worker-1",
        doc: "SIGTERM, then a new process.",
    }
    Upgrade {
        keyword: "upgrade",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "worker-1", "Who is upgraded, or downgraded."),
            Field::required("to", Kind::Choice(crate::profile::Profile::NAMES), "\"2.0\"", "Its version from then on."),
        ],
        units: &[Unit::Version],
        lasts: Lasts::No,
        sentences: &["upgrade {} to {amount}"],
        example: "{ member: worker-1, to: \"2.0\" }",
        doc: "SIGTERM, then a process of another version: meters, bodies and ways to fail are its own. How flows are understood, and when a member is missed, stays with the `kestra` of the file; that members of several versions understand each other is assumed.",
    }
    Hang {
        keyword: "hang",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["hang {}"],
        example: "worker-1",
        doc: "The process freezes: its port accepts and never answers, and it hears SIGTERM only when it goes on.",
    }
    NoAnswer {
        keyword: "no-answer",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["no answer from {}"],
        example: "worker-1",
        doc: "The event loop of the HTTP server is blocked: ports accept and never answer, and all else goes on: tasks, queues, heartbeats.",
    }
    Database {
        keyword: "database",
        aim: Aim::Database,
        fields: &[],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["database {amount}"],
        example: "refused",
        doc: "Connections are `refused`, packets vanish (`stalled`), the server is `shut-down`, or it is slow (`{ slow: 10x }`); processes die of it as recorded, most of them before they report DOWN.",
    }
    Arrivals {
        keyword: "arrivals",
        aim: Aim::Flow,
        fields: &[
            Field::new("flow", Kind::Text, "company.team.ingest", "Of this flow; of all when left out."),
            Field::new("rate", RATE, "96/min", "The new rate."),
            Field::new("times", TIMES, "4x", "So many times the rate of the file."),
        ],
        units: &[Unit::Rate, Unit::Times],
        lasts: Lasts::UntilCleared,
        sentences: &["arrivals of {}: {amount}/min", "arrivals of {}: {amount} times as many"],
        example: "{ flow: ingest, times: 4x }",
        doc: "More executions come, or fewer.",
    }
    ExecutionsLost {
        keyword: "executions-lost",
        aim: Aim::Flow,
        fields: &[Field::new("flow", Kind::Text, "company.team.ingest", "Of this flow; of all when left out.")],
        units: &[],
        lasts: Lasts::No,
        sentences: &["executions of {} are lost"],
        example: "{ flow: ingest }",
        doc: "Executions that have begun and not ended are gone from the database, as after a purge or a restored backup. Their triggers wait for them for ever; since 1.0 their places of a concurrency limit stay taken.",
    }
    PausedBackfill {
        keyword: "paused-backfill",
        aim: Aim::Flow,
        fields: &[Field::new("flow", Kind::Text, "company.team.ingest", "Of this flow; of all when left out.")],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["a paused backfill of {} goes on"],
        example: "{ flow: ingest }",
        doc: "A backfill of a Schedule is paused, and each loop of the scheduler, one a second, starts an execution of it all the same, for as long as it stays paused.",
    }
    ScheduledTwice {
        keyword: "scheduled-twice",
        aim: Aim::Flow,
        fields: &[Field::new("flow", Kind::Text, "company.team.ingest", "Of this flow; of all when left out.")],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["schedulers do not see each other's dates of {}"],
        example: "{ flow: ingest }",
        doc: "Two schedulers find the same date of a Schedule due, and both start an execution of it. Where only one evaluates triggers nothing is started twice.",
    }
    TaskDuration {
        keyword: "task-duration",
        aim: Aim::Tasks,
        fields: &[
            OF_NAMESPACE,
            OF_FLOW,
            OF_TASK,
            OF_TYPE,
            Field::required("times", TIMES, "5x", "So many times as long."),
        ],
        units: &[Unit::Times],
        lasts: Lasts::UntilCleared,
        sentences: &["{} take {amount} times as long"],
        example: "{ task: load, times: 5x }",
        doc: "Tasks take longer, or less.",
    }
    TaskFailures {
        keyword: "task-failures",
        aim: Aim::Tasks,
        fields: &[
            OF_NAMESPACE,
            OF_FLOW,
            OF_TASK,
            OF_TYPE,
            Field::required("share", SHARE, "50%", "So many of the attempts fail."),
        ],
        units: &[Unit::Share],
        lasts: Lasts::UntilCleared,
        sentences: &["{amount}% of {} fail"],
        example: "{ task: load, share: 50% }",
        doc: "Tasks fail more, or less.",
    }
    LostResults {
        keyword: "lost-results",
        aim: Aim::Tasks,
        fields: &[
            OF_NAMESPACE,
            OF_FLOW,
            OF_TASK,
            OF_TYPE,
            Field::required("share", SHARE, "5%", "Of so many attempts."),
        ],
        units: &[Unit::Share],
        lasts: Lasts::UntilCleared,
        sentences: &["results of {amount}% of {} are lost"],
        example: "{ task: load, share: 5% }",
        doc: "A worker ends a task and what became of it reaches nobody: the task run stays RUNNING, and its execution never ends by itself.",
    }
    KillsIgnored {
        keyword: "kills-ignored",
        aim: Aim::Tasks,
        fields: &[
            OF_NAMESPACE,
            OF_FLOW,
            OF_TASK,
            OF_TYPE,
            Field::required("share", SHARE, "100%", "Of so many attempts."),
        ],
        units: &[Unit::Share],
        lasts: Lasts::UntilCleared,
        sentences: &["{amount}% of {} do not hear that they are killed"],
        example: "{ task: load, share: 100% }",
        doc: "A task does not hear that it is killed: its execution stays KILLING, and the task keeps a thread of its worker until its own end, which is then KILLED.",
    }
    BigResults {
        keyword: "big-results",
        aim: Aim::Tasks,
        fields: &[
            OF_NAMESPACE,
            OF_FLOW,
            OF_TASK,
            OF_TYPE,
            Field::required("share", SHARE, "20%", "Of so many attempts."),
        ],
        units: &[Unit::Share],
        lasts: Lasts::UntilCleared,
        sentences: &["results of {amount}% of {} are larger than a message may be"],
        example: "{ task: load, share: 20% }",
        doc: "What tasks put out is larger than a message may be (1 MiB where `message-protection` is on): the worker counts it and tells that the task FAILED, without its outputs.",
    }
    HeapLeak {
        keyword: "heap-leak",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "executor-1", "Whose heap."),
            Field::required("rate", SIZE_RATE, "1MiB/s", "Bytes that are never freed."),
        ],
        units: &[Unit::Leak],
        lasts: Lasts::UntilCleared,
        sentences: &["heap of {} leaks {amount} MiB/s"],
        example: "{ member: executor-1, rate: 1MiB/s }",
        doc: "Memory that no collection frees, until the process dies of it.",
    }
    NativeLeak {
        keyword: "native-leak",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "worker-1", "Whose memory."),
            Field::required("rate", SIZE_RATE, "1MiB/s", "Bytes outside of the heap that are never freed."),
        ],
        units: &[Unit::Leak],
        lasts: Lasts::UntilCleared,
        sentences: &["memory of {} outside of the heap leaks {amount} MiB/s"],
        example: "{ member: worker-1, rate: 1MiB/s }",
        doc: "Direct buffers that nobody frees. The container has room for twice the heap (MaxRAMPercentage=50), of which a quarter of the heap is taken by all else outside of it: with the rest taken too the kernel kills the process (137), whose heap never was full.",
    }
    GcPause {
        keyword: "gc-pause",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "executor-1", "Who stands still."),
            Field::required("pause", DURATION, "8s", "How long."),
        ],
        units: &[Unit::Pause],
        lasts: Lasts::No,
        sentences: &["garbage collection stops {} for {amount}"],
        example: "{ member: executor-1, pause: 8s }",
        doc: "The whole process stands still for a collection; requests wait.",
    }
    DiskFull {
        keyword: "disk-full",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["disk of {} is full"],
        example: "worker-1",
        doc: "Their disk is full: tasks of plugins fail there (1.3 ships with the health indicator of the disk off).",
    }
    Deadlock {
        keyword: "deadlock",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["deadlock in {}"],
        example: "executor-1",
        doc: "Two threads wait for each other, and `/health` is DOWN.",
    }
    WrongPort {
        keyword: "wrong-port",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["discovery tells the wrong port of {}"],
        example: "worker-1",
        doc: "Whoever finds members by discovery, or without a configuration, is told the port of the application (8080) for that of management (8081): what answers there, if anything does, is no metrics. The process itself is well. Targets that a configuration names itself are as they are.",
    }
    TriggerLoad {
        keyword: "trigger-load",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "scheduler-1", "Whose loop."),
            Field::required("triggers", Kind::Number, "30000", "So many more that each loop looks at."),
        ],
        units: &[Unit::Triggers],
        lasts: Lasts::UntilCleared,
        sentences: &["{} evaluates {amount} triggers more"],
        example: "{ member: scheduler-1, triggers: 30000 }",
        doc: "Triggers that are never due, and that each loop of a scheduler looks at all the same: 12043 take 1.4 s (reported). A loop that takes longer than its second is followed by the next one at once, and what is due waits for its turn in it.",
    }
    DeadThread {
        keyword: "dead-thread",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "executor-1", "Whose thread."),
            Field::required(
                "thread",
                Kind::Choice(THREAD_WORDS),
                "worker-task-result",
                "The one that reads a queue, the `scheduler`, or `all` of them.",
            ),
        ],
        units: &[Unit::Thread],
        lasts: Lasts::No,
        sentences: &["dead thread in {}: {amount}"],
        example: "{ member: executor-1, thread: worker-task-result }",
        doc: "A thread is gone and the process does not notice: `/health` stays UP, and what only it did is left undone until somebody restarts the process. Others that read the same queue go on.",
    }
    Poison {
        keyword: "poison",
        aim: Aim::Queue,
        fields: &[],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["a message that nobody can digest is in the queue {}"],
        example: "worker-task-result",
        doc: "A message that nobody can digest: who takes it exits of a fatal error, and it is the first one again for the next. Its end is that somebody removes it (`--ignore-queue-records`).",
    }
    QueryFails {
        keyword: "query-fails",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::No,
        sentences: &["a query of {} fails for good"],
        example: "executor-1",
        doc: "PostgreSQL ends a query of a thread that reads a queue (a deadlock, 40P01): the process shuts down, which takes it 30 s, and exits. With `every` it is a loop.",
    }
    StartFails {
        keyword: "start-fails",
        aim: Aim::Members,
        fields: &[],
        units: &[],
        lasts: Lasts::UntilCleared,
        sentences: &["starts of {} fail"],
        example: "worker-1",
        doc: "Whoever starts there exits before its port opens: a checksum of a migration that differs, a configuration that is refused. Who runs already runs on. Restart policies try again, `kubernetes` with its back-off.",
    }
    SlowStart {
        keyword: "slow-start",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "executor-1", "Whose start."),
            Field::required("takes", DURATION, "10m", "So much longer than usual."),
        ],
        units: &[Unit::Takes],
        lasts: Lasts::UntilCleared,
        sentences: &["a start of {} takes {amount} longer"],
        example: "{ member: executor-1, takes: 10m }",
        doc: "A start waits with its port closed for a migration or a lock. With `restart: kubernetes` the startup probe of the chart (120 times, one a second) kills it when that is too long, and what it had done is undone.",
    }
    SlowIndexer {
        keyword: "slow-indexer",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "indexer-1", "Whose indexer: that of an indexer, a webserver or a standalone."),
            Field::required("takes", DURATION, "16s", "So long for a batch."),
        ],
        units: &[Unit::Takes],
        lasts: Lasts::UntilCleared,
        sentences: &["a batch takes the indexer of {} {amount} longer"],
        example: "{ member: [ indexer-1, webserver-1 ], takes: 8s }",
        doc: "What an indexer writes log entries to is slow: a batch, which is a poll of at most 100 rows, takes so much longer, and until then it reads no other. What is read is counted at once, what is written when it is.",
    }
    ConnectionLeak {
        keyword: "connection-leak",
        aim: Aim::Members,
        fields: &[
            Field::required("member", TARGET, "standalone-1", "Who keeps connections."),
            Field::required("rate", RATE, "87/h", "So many that nobody gives back."),
        ],
        units: &[Unit::Rate],
        lasts: Lasts::UntilCleared,
        sentences: &["{} leaks {amount} connections a minute"],
        example: "{ member: standalone-1, rate: 87/h }",
        doc: "Connections to the database that are never given back, until its slots are taken (97 of PostgreSQL, 151 of MySQL, less ten of each pool, but never less than ten): then nobody gets an answer, as with `database: stalled`. The end of a process frees those it kept.",
    }
    QueueRows {
        keyword: "queue-rows",
        aim: Aim::Tables,
        fields: &[Field::required("rows", Kind::Number, "2000000", "So many are there when it begins.")],
        units: &[Unit::Rows],
        lasts: Lasts::UntilCleared,
        sentences: &["{amount} rows are in the table of queues, and nobody cleans it"],
        example: "{ rows: 2000000 }",
        doc: "Rows of the table `queues` are left behind, each message adds one, and nobody cleans it: for each 50000 rows a query takes once more its usual time, reckoned each hour. Its end is that the table is clean.",
    }
    ConditionEvents {
        keyword: "condition-events",
        aim: Aim::Tables,
        fields: &[Field::required("rows", Kind::Number, "6000000", "So many are there when it begins.")],
        units: &[Unit::Rows],
        lasts: Lasts::UntilCleared,
        sentences: &["{amount} events wait to be evaluated before any other, and no cleaner takes them"],
        example: "{ rows: 6000000 }",
        doc: "Rows of the queue MultipleConditionEvent are left behind of before: what triggers with `preconditions` are asked, one row for each of their flows and each state that an execution comes into. An executor evaluates one after another, oldest first; nobody cleans what was not read, and each slows down the database as a row of `queue-rows` does. Its end is that they are deleted by hand. Since 1.1.",
    }
    Receiver {
        keyword: "receiver",
        aim: Aim::Receiver,
        fields: &[
            Field::required("to", Kind::Text, "slack", "Who: all of a channel, or a host such as hooks.slack.com."),
            Field::required("answers", ANSWER, "500", "What they answer: a status, timeout, refused, or ok."),
        ],
        units: &[Unit::Answers],
        lasts: Lasts::UntilCleared,
        sentences: &["{} answers {amount}"],
        example: "{ to: slack, answers: 500 }",
        doc: "Who is told by notification tasks answers with this status, not at all (`timeout`), or is not there (`refused`): the task fails, and the alert is lost.",
    }
    Scale {
        keyword: "scale",
        aim: Aim::Role,
        fields: &[],
        units: &[Unit::Members],
        lasts: Lasts::UntilCleared,
        sentences: &["scale {} to {amount}"],
        example: "worker, to: 6",
        doc: "So many members of a role, as a Deployment or StatefulSet is scaled: new ones start, those with the highest numbers get SIGTERM, drain, and are gone; service discovery follows. The last one counts; when it ends, the number is that of the file again.",
    }
}
