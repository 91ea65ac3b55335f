//! What happens, as values; their texts are made by one function. The journal keeps the last of them.

use std::sync::Arc;

use super::Level;
use super::event::ExitCause;
use super::log::Log;
use crate::flow::Flow;
use crate::profile::Role;
use crate::scenario::Plan;
use crate::time::{Duration, Instant};

/// Something that happened. Members are indices into the plan's.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A fault begins.
    FaultBegins {
        /// Its name.
        name: Arc<str>,
        /// What it does, in words.
        what: Arc<str>,
        /// How long it lasts, if it ends by itself.
        lasts: Option<Duration>,
    },
    /// A fault ends.
    FaultEnds {
        /// Its name.
        name: Arc<str>,
    },
    /// A process starts up.
    Starts {
        /// Whose.
        member: usize,
    },
    /// A process is up.
    ComesUp {
        /// Whose.
        member: usize,
    },
    /// A process shuts down after SIGTERM or `POST /stop`.
    ShutsDown {
        /// Whose.
        member: usize,
    },
    /// A process closes its ports and lives on.
    ClosesPorts {
        /// Whose.
        member: usize,
    },
    /// A process ends by itself.
    Exits {
        /// Whose.
        member: usize,
        /// Its exit code.
        code: u8,
        /// Why, in words.
        why: &'static str,
    },
    /// A process is killed.
    Killed {
        /// Whose.
        member: usize,
    },
    /// A worker has no controller any more.
    LosesController {
        /// Whose.
        member: usize,
    },
    /// The cluster misses the heartbeats of a process.
    Disconnected {
        /// Whose.
        member: usize,
        /// How long it was silent.
        silence: Duration,
    },
    /// The cluster gives a process up.
    Inactive {
        /// Whose.
        member: usize,
        /// Jobs of it that are handed out again, of a worker that had some.
        jobs: usize,
    },
    /// A role has another number of members from now on.
    Scales {
        /// Which.
        role: Role,
        /// So many it had.
        from: usize,
        /// So many it has.
        to: usize,
    },
    /// A task fails for the first time because a template of it cannot be worked out, or the outputs of a flow cannot.
    TemplateFails {
        /// The flow, an index into the plan's.
        flow: usize,
        /// The id of the task; none for the outputs of the flow.
        task: Option<Arc<str>>,
        /// Why.
        why: Arc<str>,
    },
    /// Somebody asked something of executions.
    Asked {
        /// What: the keyword of a scenario.
        deed: &'static str,
        /// Of the executions of this flow, an index into the plan's.
        flow: usize,
        /// Of how many: of none when it can be asked of none.
        executions: usize,
        /// Why it was refused, if it was and that is not because there is none.
        why: Option<Arc<str>>,
    },
    /// Somebody set a logger.
    LoggerSet {
        /// Whose.
        member: usize,
        /// The logger.
        logger: Arc<str>,
        /// Its level, none when it is that of its parent again.
        level: Option<Level>,
    },
}

impl Happening {
    pub(super) fn exits(member: usize, cause: ExitCause) -> Happening {
        Happening::Exits { member, code: cause.code(), why: cause.text() }
    }

    /// What kind it is, for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Happening::FaultBegins { .. } => "fault-begins",
            Happening::FaultEnds { .. } => "fault-ends",
            Happening::Starts { .. } => "starts",
            Happening::ComesUp { .. } => "comes-up",
            Happening::ShutsDown { .. } => "shuts-down",
            Happening::ClosesPorts { .. } => "closes-ports",
            Happening::Exits { .. } => "exits",
            Happening::Killed { .. } => "killed",
            Happening::LosesController { .. } => "loses-controller",
            Happening::Disconnected { .. } => "disconnected",
            Happening::Inactive { .. } => "inactive",
            Happening::Scales { .. } => "scales",
            Happening::TemplateFails { .. } => "template-fails",
            Happening::Asked { .. } => "asked",
            Happening::LoggerSet { .. } => "logger-set",
        }
    }

    /// The member it happened to, if it is about one.
    pub const fn member(&self) -> Option<usize> {
        match self {
            Happening::FaultBegins { .. }
            | Happening::FaultEnds { .. }
            | Happening::Scales { .. }
            | Happening::TemplateFails { .. }
            | Happening::Asked { .. } => None,
            Happening::Starts { member }
            | Happening::ComesUp { member }
            | Happening::ShutsDown { member }
            | Happening::ClosesPorts { member }
            | Happening::Exits { member, .. }
            | Happening::Killed { member }
            | Happening::LosesController { member }
            | Happening::Disconnected { member, .. }
            | Happening::Inactive { member, .. }
            | Happening::LoggerSet { member, .. } => Some(*member),
        }
    }

    /// One line for people, without a final dot.
    pub fn text(&self, plan: &Plan) -> String {
        let member = self.member().and_then(|member| plan.cluster.members.get(member));
        let who = member.map_or("", |member| member.name.as_str());
        match self {
            Happening::FaultBegins { name, what, lasts } => {
                let lasting = lasts.map(|lasts| format!(" for {lasts}")).unwrap_or_default();
                format!("fault {name}: {what}{lasting}")
            }
            Happening::FaultEnds { name } => format!("fault {name} ends"),
            Happening::Starts { .. } => format!("{who} starts"),
            Happening::ComesUp { .. } => format!("{who} is up"),
            Happening::ShutsDown { .. } => format!("{who} shuts down"),
            Happening::ClosesPorts { .. } => format!("{who} closes its ports: it lost its database"),
            Happening::Exits { code, why, .. } => format!("{who} exits with code {code}: {why}"),
            Happening::Killed { .. } => format!("{who} is killed"),
            Happening::LosesController { .. } => format!("{who} has no controller"),
            Happening::Disconnected { silence, .. } => {
                format!("{who} is DISCONNECTED: no heartbeat for {}", silence.rounded())
            }
            Happening::Inactive { jobs: 0, .. } => format!("{who} is INACTIVE"),
            Happening::Inactive { jobs, .. } => {
                let plural = if *jobs == 1 { "" } else { "s" };
                format!("{who} is INACTIVE: {jobs} job{plural} handed out again")
            }
            Happening::Scales { role, from, to } => format!("{} is scaled from {from} to {to}", role.name()),
            Happening::TemplateFails { flow, task, why } => {
                let flow = plan.flows.get(*flow).map(Flow::name).unwrap_or_default();
                match task {
                    Some(task) => format!("the task {task} of {flow} fails: {why}"),
                    None => format!("an execution of {flow} fails, its outputs cannot be worked out: {why}"),
                }
            }
            Happening::Asked { deed, flow, executions, why } => {
                let flow = plan.flows.get(*flow).map(Flow::name).unwrap_or_default();
                if let Some(why) = why {
                    return format!("{deed}: refused of {flow}: {why}");
                }
                match executions {
                    0 => format!("{deed}: no execution of {flow} is there for it"),
                    1 => format!("{deed}: an execution of {flow}"),
                    several => format!("{deed}: {several} executions of {flow}"),
                }
            }
            Happening::LoggerSet { logger, level, .. } => {
                let name = level.map_or("inherited".to_owned(), |level| format!("{level:?}").to_uppercase());
                format!("{who}: logger {logger} is {name} now")
            }
        }
    }
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// When.
    pub at: Instant,
    /// What.
    pub what: Happening,
}

impl JournalEntry {
    /// One line for people, without a final dot.
    pub fn text(&self, plan: &Plan) -> String {
        self.what.text(plan)
    }
}

/// What happened, in its order.
pub type Journal = Log<JournalEntry>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_those_that_a_scenario_can_expect() {
        let (member, name): (usize, Arc<str>) = (0, "x".into());
        let all = [
            Happening::FaultBegins { name: name.clone(), what: name.clone(), lasts: None },
            Happening::FaultEnds { name: name.clone() },
            Happening::Starts { member },
            Happening::ComesUp { member },
            Happening::ShutsDown { member },
            Happening::ClosesPorts { member },
            Happening::exits(member, ExitCause::Stopped),
            Happening::Killed { member },
            Happening::LosesController { member },
            Happening::Disconnected { member, silence: Duration::ZERO },
            Happening::Inactive { member, jobs: 0 },
            Happening::Scales { role: Role::Worker, from: 1, to: 2 },
            Happening::TemplateFails { flow: 0, task: None, why: name.clone() },
            Happening::Asked { deed: "kill", flow: 0, executions: 1, why: None },
            Happening::LoggerSet { member, logger: name, level: None },
        ];
        assert_eq!(all.each_ref().map(Happening::kind).as_slice(), crate::scenario::HAPPENINGS);
        assert_eq!(all.iter().filter(|it| it.member().is_none()).count(), 5);
    }
}
