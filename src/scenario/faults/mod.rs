//! What can be done to a cluster: one row a fault. The reader of files and requests, the schema, sentences, names, advice and
//! README's table come from the rows; what a fault does is its handler in the simulator.

mod rows;
mod words;

#[cfg(feature = "server")]
use serde_json::{Value as Json, json};

#[cfg(feature = "server")]
use super::Plan;
use super::fields::{TARGET, TIMES};
use super::threads::QUEUE_WORDS;
use super::{Answer, Queue, ReceiverName, TaskSelector, Thread};
#[cfg(feature = "server")]
use crate::document::nearest;
use crate::document::{Field, Kind};
use crate::profile::{Profile, Role};
use crate::time::Duration;

pub use rows::FaultKind;
pub(super) use rows::ROWS;

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
    /// The executions of a flow, by its index in [`Plan::flows`](super::Plan::flows); none means all.
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
    /// `takes`: so much longer than usual.
    Takes(Duration),
    /// `rows` of a table.
    Rows(u64),
    /// `triggers`: so many.
    Triggers(u64),
    /// `to`: this version.
    Version(&'static Profile),
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
    Takes,
    Rows,
    Triggers,
    Version,
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
            Unit::Members | Unit::Version => "to",
            Unit::Thread => "thread",
            Unit::Takes => "takes",
            Unit::Rows => "rows",
            Unit::Triggers => "triggers",
            Unit::Slow => "slow",
        }
    }

    /// What kind of a number it is.
    pub(super) const fn span(self) -> Span {
        match self {
            Unit::Pause | Unit::Takes => Span::Time,
            Unit::Members | Unit::Rows | Unit::Triggers => Span::Whole,
            Unit::Rate
            | Unit::Times
            | Unit::Share
            | Unit::Leak
            | Unit::Answers
            | Unit::Thread
            | Unit::Version
            | Unit::Slow => Span::Number,
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
            Unit::Takes => Amount::Takes(Duration::from_seconds_f64(value)),
            Unit::Members => Amount::Members(value as u32),
            Unit::Rows => Amount::Rows(value as u64),
            Unit::Triggers => Amount::Triggers(value as u64),
            Unit::Slow => Amount::Manner(DatabaseFault::Slow(value)),
            Unit::Answers | Unit::Thread | Unit::Version => Amount::None,
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
    /// The database, with an amount of its own.
    Tables,
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

/// What there is to say of each fault to somebody who fills in a form: its row, its keys with their schemas, and an example
/// that can be done to the cluster of a plan.
#[cfg(feature = "server")]
pub fn fault_rows(plan: &Plan) -> Vec<Json> {
    let told = |field: &Field| {
        json!({
            "key": field.key,
            "required": field.required,
            "doc": field.doc,
            "example": field.example,
            "schema": field.kind.schema(),
        })
    };
    let row = |row: &Row| {
        // That of a role stands beside it.
        let beside = super::fields::WHEN.iter().filter(|it| row.aim == Aim::Role && it.key == Unit::Members.key());
        let beside: Vec<Json> = beside.map(|field| told(&Field { required: true, ..*field })).collect();
        json!({
            "keyword": row.keyword,
            "doc": row.doc,
            "target": row.aim.word(),
            "lasts": row.lasts != Lasts::No,
            "value": row.field().kind.schema(),
            "fields": row.fields.iter().map(told).collect::<Vec<_>>(),
            "beside": beside,
            "example": row.example_for(plan),
        })
    };
    ROWS.iter().map(row).collect()
}

/// What a fault may be done to, in a word each, in the order of [`Aim`].
#[cfg(feature = "server")]
pub const AIMS: &[&str] = &["members", "database", "flow", "tasks", "receiver", "role", "queue", "tables"];

#[cfg(feature = "server")]
impl Aim {
    const fn word(self) -> &'static str {
        AIMS[self as usize]
    }
}

/// Roles by their names.
pub(crate) const ROLES: &[&str] = &{
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
