//! What can be done to a cluster: one row a fault. The reader of files and requests, the schema, sentences, names, advice and
//! README's table come from the rows; what a fault does is its handler in the simulator.

#[cfg(feature = "server")]
use serde_json::{Value as Json, json};

use super::fields::{ANSWER, DURATION, RATE, SHARE, SIZE_RATE, TARGET, TIMES};
use super::threads::{QUEUE_WORDS, THREAD_WORDS};
use super::{Answer, Plan, Queue, ReceiverName, TaskSelector, Thread};
#[cfg(feature = "server")]
use crate::document::nearest;
use crate::document::{Field, Kind};
use crate::profile::Role;
use crate::time::Duration;

/// A fault: which one, what it is done to, and how much of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Which one.
    pub kind: FaultKind,
    /// What it is done to.
    pub target: Target,
    /// How much of it.
    pub amount: Amount,
}

/// What a fault is done to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Members, by their indices in [`ClusterPlan::members`](super::ClusterPlan::members).
    Members(Vec<usize>),
    /// The database.
    Database,
    /// The executions of a flow, by its index in [`Plan::flows`]; none means all.
    Flow(Option<usize>),
    /// Tasks.
    Tasks(TaskSelector),
    /// Who is told by notification tasks.
    Receiver(ReceiverName),
    /// All members of a role, and places where more may come.
    Role(Role),
    /// A queue of the database.
    Queue(Queue),
}

/// How much of a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// It has no measure.
    None,
    /// `rate`: executions a second.
    Rate(f64),
    /// `times`: so many times as many, or as long.
    Times(f64),
    /// `share`, 0 to 1.
    Share(f64),
    /// `rate` of memory: bytes a second.
    Leak(f64),
    /// `pause`.
    Pause(Duration),
    /// The manner in which the database is gone, or slow.
    Manner(DatabaseFault),
    /// `answers`: what a receiver answers.
    Answers(Answer),
    /// `to`: so many members.
    Members(u32),
    /// `thread`: which of a process's.
    Thread(Thread),
}

/// `database`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DatabaseFault {
    /// `refused` (also `unreachable`): connections are cut, new ones refused.
    Refused,
    /// `stalled` (also `hanging`): packets vanish.
    Stalled,
    /// `shut-down`: the server says goodbye to each connection, then refuses.
    ShutDown,
    /// `slow: 10x`: every query takes this many times as long.
    Slow(f64),
}

/// How an amount is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Rate,
    Times,
    Share,
    Leak,
    Pause,
    Answers,
    Members,
    Thread,
    /// Of `database`: it stands in a place of its own.
    Slow,
}

/// What kind of a number a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Number,
    Time,
    Whole,
}

impl Unit {
    /// The key it stands at.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Unit::Rate | Unit::Leak => "rate",
            Unit::Times => "times",
            Unit::Share => "share",
            Unit::Pause => "pause",
            Unit::Answers => "answers",
            Unit::Members => "to",
            Unit::Thread => "thread",
            Unit::Slow => "slow",
        }
    }

    /// What kind of a number it is.
    pub(super) const fn span(self) -> Span {
        match self {
            Unit::Pause => Span::Time,
            Unit::Members => Span::Whole,
            Unit::Rate | Unit::Times | Unit::Share | Unit::Leak | Unit::Answers | Unit::Thread | Unit::Slow => {
                Span::Number
            }
        }
    }

    /// An amount by its number: a rate in executions a minute, a pause in seconds, of what is no number nothing.
    pub(super) fn amount(self, value: f64) -> Amount {
        match self {
            Unit::Rate => Amount::Rate(value / 60.0),
            Unit::Times => Amount::Times(value),
            Unit::Share => Amount::Share(value),
            Unit::Leak => Amount::Leak(value),
            Unit::Pause => Amount::Pause(Duration::from_seconds_f64(value)),
            Unit::Members => Amount::Members(value as u32),
            Unit::Slow => Amount::Manner(DatabaseFault::Slow(value)),
            Unit::Answers | Unit::Thread => Amount::None,
        }
    }
}

/// What a fault is done to, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    Members,
    Database,
    Flow,
    Tasks,
    Receiver,
    Role,
    Queue,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// It is over at once; `for` means nothing.
    No,
    /// It is over at once; with `for` its members are held down so long.
    HoldsDown,
    /// Until `for` is over, or somebody clears it.
    UntilCleared,
}

/// All there is to say of a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) kind: FaultKind,
    /// The key in an entry of the timeline.
    pub(super) keyword: &'static str,
    pub(super) aim: Aim,
    /// Keys of its value; none when a target is all there is to say.
    pub(super) fields: &'static [Field],
    /// How its amount may be written; one of them must be.
    pub(super) units: &'static [Unit],
    pub(super) lasts: Lasts,
    /// What it does, by unit; `{}` is the target, `{amount}` the amount.
    pub(super) sentences: &'static [&'static str],
    pub(super) example: &'static str,
    pub(super) doc: &'static str,
}

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
        pub(super) const ROWS: &[Row] = &[$(Row { kind: FaultKind::$kind, $($field: $value,)* },)*];
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

impl FaultKind {
    pub(super) fn row(self) -> &'static Row {
        // Rows are in the order of the kinds, as both are made from one list.
        &ROWS[self as usize]
    }

    /// How long it lasts.
    pub fn lasts(self) -> Lasts {
        self.row().lasts
    }

    /// The key in an entry of a timeline.
    pub fn keyword(self) -> &'static str {
        self.row().keyword
    }
}

impl Row {
    /// Its key as a field of an entry.
    pub(super) const fn field(&self) -> Field {
        let kind = match (self.aim, self.fields) {
            (Aim::Database, _) => DATABASE,
            (Aim::Role, _) => Kind::Choice(ROLES),
            (Aim::Queue, _) => Kind::Choice(QUEUE_WORDS),
            (_, []) => TARGET,
            (_, fields) => Kind::Object(fields),
        };
        Field::new(self.keyword, kind, self.example, self.doc)
    }
}

#[cfg(feature = "server")]
impl Row {
    /// Its value, such that it can be done to the cluster of a plan.
    fn example_for(&self, plan: &Plan) -> Json {
        let wanted = self.fields.iter().find(|field| field.key == "member").map_or(self.example, |field| field.example);
        let members = || plan.cluster.members.iter().map(|member| member.name.as_str());
        let member = members().find(|name| *name == wanted).or_else(|| members().next()).unwrap_or(wanted);
        let role = plan.cluster.members.last().map_or(Role::Worker, |member| member.role);
        match (self.aim, self.fields) {
            (Aim::Role, _) => return json!(role.name()),
            (Aim::Members, []) => return json!(member),
            (_, []) => return json!(self.example),
            _ => {}
        }
        let mut value = serde_json::Map::new();
        for field in self.fields.iter().filter(|field| field.required) {
            value.insert(field.key.to_owned(), json!(if field.key == "member" { member } else { field.example }));
        }
        let amount = self.units.last().and_then(|unit| self.fields.iter().find(|field| field.key == unit.key()));
        value.extend(amount.map(|field| (field.key.to_owned(), json!(field.example))));
        Json::Object(value)
    }
}

#[cfg(feature = "server")]
/// A fault that can be done to the cluster of a plan, in JSON: the one that has one of these keys, or a key like one of them,
/// or else a kill.
pub(super) fn example(keys: &[&str], plan: &Plan) -> String {
    let named = |key: &str| ROWS.iter().find(|row| row.keyword == key);
    let like = |key: &&str| nearest(key, ROWS.iter().map(|row| row.keyword)).and_then(named);
    let meant = keys.iter().find_map(|key| named(key)).or_else(|| keys.iter().find_map(like));
    let row = meant.unwrap_or(FaultKind::Kill.row());
    let mut example = json!({ row.keyword: row.example_for(plan) });
    if row.aim == Aim::Role {
        example[Unit::Members.key()] = json!(1);
    }
    example.to_string()
}

/// Roles by their names.
pub(super) const ROLES: &[&str] = &{
    let mut names = [""; Role::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Role::ALL[at].name();
        at += 1;
    }
    names
};

const SLOW: &[Field] = &[Field::required("slow", TIMES, "10x", "Every query takes so many times as long.")];

const DATABASE: Kind = Kind::AnyOf(&[
    Kind::Choice(&["refused", "unreachable", "stalled", "hanging", "shut-down"]),
    Kind::Pattern("^slow: *[0-9.]+x?$"),
    Kind::Object(SLOW),
]);

/// The faults, as a table in Markdown: what README shows.
#[cfg(feature = "internals")]
pub fn faults_table() -> String {
    let mut table = String::from("| fault | what it does |\n|-|-|\n");
    for row in ROWS {
        table += &format!("| `{}: {}` | {} |\n", row.keyword, row.example, row.doc);
    }
    table
}

impl Fault {
    /// A fault of some members, without a measure.
    pub fn of_members(kind: FaultKind, members: Vec<usize>) -> Fault {
        Fault { kind, target: Target::Members(members), amount: Amount::None }
    }

    /// A fault of the database.
    pub fn of_database(manner: DatabaseFault) -> Fault {
        Fault { kind: FaultKind::Database, target: Target::Database, amount: Amount::Manner(manner) }
    }

    /// The members it is done to; none for one that is done to something else.
    pub fn members(&self) -> &[usize] {
        self.target.members()
    }

    /// What it does, as a short phrase: `kill worker-1`, `database refused`.
    pub fn sentence(&self, plan: &Plan) -> String {
        let row = self.kind.row();
        let unit = self.amount.unit().and_then(|unit| row.units.iter().position(|it| *it == unit)).unwrap_or(0);
        let sentence = row.sentences.get(unit).copied().unwrap_or(row.keyword);
        sentence.replace("{amount}", &self.amount.words()).replace("{}", &self.target.words(plan))
    }

    /// A name for an entry that gives it none.
    pub(super) fn default_name(&self, plan: &Plan) -> String {
        let keyword = self.kind.keyword();
        let target = match (&self.target, &self.amount) {
            (Target::Members(members), _) => match members.as_slice() {
                [one] => plan.cluster.members.get(*one).map(|member| member.name.clone()),
                _ => None,
            },
            (Target::Database, Amount::Manner(manner)) => Some(manner.word().to_owned()),
            (Target::Database, _) => None,
            (Target::Flow(flow), _) => flow.and_then(|flow| plan.flows.get(flow)).map(|flow| flow.id.clone()),
            (Target::Tasks(select), _) => select.task.clone(),
            (Target::Receiver(name), _) => Some(name.to_string().replace(':', "-")),
            (Target::Role(role), _) => Some(role.name().to_owned()),
            (Target::Queue(queue), _) => Some(queue.word().to_owned()),
        };
        target.map_or(keyword.to_owned(), |target| format!("{keyword}-{target}"))
    }
}

impl DatabaseFault {
    /// The word for it in a file.
    pub(super) const fn word(self) -> &'static str {
        match self {
            DatabaseFault::Refused => "refused",
            DatabaseFault::Stalled => "stalled",
            DatabaseFault::ShutDown => "shut-down",
            DatabaseFault::Slow(_) => "slow",
        }
    }
}

impl Amount {
    fn unit(self) -> Option<Unit> {
        match self {
            Amount::None | Amount::Manner(_) => None,
            Amount::Rate(_) => Some(Unit::Rate),
            Amount::Times(_) => Some(Unit::Times),
            Amount::Share(_) => Some(Unit::Share),
            Amount::Leak(_) => Some(Unit::Leak),
            Amount::Pause(_) => Some(Unit::Pause),
            Amount::Answers(_) => Some(Unit::Answers),
            Amount::Members(_) => Some(Unit::Members),
            Amount::Thread(_) => Some(Unit::Thread),
        }
    }

    /// How much it is, with its unit.
    pub(super) fn said(self) -> String {
        match self {
            Amount::Rate(_) => format!("{}/min", self.words()),
            Amount::Times(_) => format!("{}x", self.words()),
            Amount::Manner(DatabaseFault::Slow(times)) => format!("{times}x"),
            Amount::Share(_) => format!("{}%", self.words()),
            Amount::Leak(_) => format!("{} MiB/s", self.words()),
            _ => self.words(),
        }
    }

    fn words(self) -> String {
        match self {
            Amount::None => String::new(),
            Amount::Rate(rate) => round(rate * 60.0).to_string(),
            Amount::Times(times) => times.to_string(),
            Amount::Share(share) => round(share * 100.0).to_string(),
            Amount::Leak(rate) => round(rate / 1_048_576.0).to_string(),
            Amount::Pause(pause) => pause.to_string(),
            Amount::Answers(answer) => answer.to_string(),
            Amount::Members(count) => count.to_string(),
            Amount::Thread(Thread::All) => "all that read queues or evaluate triggers".into(),
            Amount::Thread(thread) => thread.word().into(),
            Amount::Manner(DatabaseFault::ShutDown) => "shut down".into(),
            Amount::Manner(DatabaseFault::Slow(times)) => format!("{times}x slower"),
            Amount::Manner(manner) => manner.word().into(),
        }
    }
}

/// Three digits after the point are enough for people.
fn round(value: f64) -> f64 {
    libm::round(value * 1000.0) / 1000.0
}

impl Target {
    /// The members it is; none when it is something else.
    pub(crate) fn members(&self) -> &[usize] {
        match self {
            Target::Members(members) => members,
            Target::Database
            | Target::Flow(_)
            | Target::Tasks(_)
            | Target::Receiver(_)
            | Target::Role(_)
            | Target::Queue(_) => &[],
        }
    }

    fn words(&self, plan: &Plan) -> String {
        match self {
            Target::Members(members) => {
                let known = members.iter().filter_map(|member| plan.cluster.members.get(*member));
                known.map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
            }
            Target::Database => String::new(),
            Target::Receiver(name) => name.to_string(),
            Target::Role(role) => role.name().to_owned(),
            Target::Queue(queue) => queue.word().to_owned(),
            Target::Flow(flow) => {
                let of = flow.and_then(|flow| plan.flows.get(flow));
                of.map_or("all flows".to_owned(), |flow| format!("{}.{}", flow.namespace, flow.id))
            }
            Target::Tasks(select) => {
                let parts = [
                    ("task", &select.task),
                    ("type", &select.kind),
                    ("flow", &select.flow),
                    ("namespace", &select.namespace),
                ];
                let said = parts.iter().filter_map(|(name, value)| Some(format!(" of {name} {}", value.as_ref()?)));
                std::iter::once("tasks".to_owned()).chain(said).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_kind_and_says_something_of_each_unit() {
        for row in ROWS {
            assert_eq!(row.kind.row().keyword, row.keyword);
            assert_eq!(row.sentences.len(), row.units.len().max(1), "{}", row.keyword);
            // That of a role stands beside it.
            let beside: &[Field] = if row.aim == Aim::Role { super::super::fields::WHEN } else { &[] };
            let fields: Vec<&str> = row.fields.iter().chain(beside).map(|field| field.key).collect();
            assert!(row.units.iter().all(|unit| fields.contains(&unit.key())), "{}", row.keyword);
            assert!(ROWS.iter().filter(|other| other.keyword == row.keyword).count() == 1, "{}", row.keyword);
        }
    }
}
