//! What is said of faults: sentences and names.

use super::{Amount, DatabaseFault, Fault, FaultKind, Target, Unit};
use crate::scenario::{Plan, Thread};

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
    pub(in crate::scenario) fn default_name(&self, plan: &Plan) -> String {
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
    pub(in crate::scenario) const fn word(self) -> &'static str {
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
            Amount::Takes(_) => Some(Unit::Takes),
            Amount::Rows(_) => Some(Unit::Rows),
            Amount::Triggers(_) => Some(Unit::Triggers),
            Amount::Version(_) => Some(Unit::Version),
        }
    }

    /// How much it is, with its unit.
    pub(in crate::scenario) fn said(self) -> String {
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
            Amount::Pause(pause) | Amount::Takes(pause) => pause.to_string(),
            Amount::Rows(count) | Amount::Triggers(count) => count.to_string(),
            Amount::Version(version) => version.name().into(),
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

/// Three digits after the point are enough for people; of less than one they see the first four that are none of its zeros, so
/// that a step of a scale shows.
fn round(value: f64) -> f64 {
    let zeros = if value == 0.0 { 0.0 } else { -f64::floor(libm::log10(value.abs())) };
    let ten = libm::pow(10.0, (3.0 + zeros).clamp(3.0, 12.0));
    f64::round(value * ten) / ten
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

    pub(in crate::scenario) fn words(&self, plan: &Plan) -> String {
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
