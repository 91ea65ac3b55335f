//! Commands as a scenario writes them, and as a simulation takes them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::session::Issued;
use crate::scenario::{Order, Plan, PlannedCommand};
use crate::simulator::{Command, Level, Origin};

const LEVELS: &[(&str, Level)] = &[
    ("ALL", Level::All),
    ("TRACE", Level::Trace),
    ("DEBUG", Level::Debug),
    ("INFO", Level::Info),
    ("WARN", Level::Warn),
    ("ERROR", Level::Error),
    ("OFF", Level::Off),
];

/// The commands of a scenario, in the order of time; those of one instant in the order of the file.
pub(super) fn agenda(plan: &Plan) -> VecDeque<Issued> {
    let mut all: Vec<Issued> = Vec::new();
    for PlannedCommand { at, order } in &plan.commands {
        let mut add = |command| all.push(Issued { at: *at, command, planned: true });
        match order {
            Order::Inject(entry) => add(Command::Inject(entry.clone())),
            Order::Clear(name) => add(Command::Clear(name.clone())),
            Order::SetLogger { member, logger, level } => {
                let level = LEVELS.iter().find(|(name, _)| Some(*name) == *level).map(|(_, level)| *level);
                add(Command::SetLogger { member: *member, logger: logger.clone(), level });
            }
            Order::AskLogger { member, logger } => {
                add(Command::TouchLogger { member: *member, logger: logger.clone() });
            }
            Order::Refresh(members) => members.iter().for_each(|member| add(Command::Refresh { member: *member })),
            Order::Execute { flow, inputs, labels } => {
                let origin = Origin { labels: labels.clone(), inputs: inputs.clone(), ..Origin::default() };
                add(Command::Execute { flow: *flow, origin: Arc::new(origin) });
            }
            Order::Receivers(answering) => add(Command::Receivers(*answering)),
            Order::Answer { message, answer } => {
                add(Command::Answer { message: *message, answer: answer.clone() });
            }
            Order::Ask { deed, whose } => add(Command::Ask { deed: deed.clone(), whose: whose.clone() }),
            Order::Stop(members) => members.iter().for_each(|member| add(Command::Stop { member: *member })),
        }
    }
    all.sort_by_key(|issued| issued.at);
    all.into()
}

/// A command as a scenario has it.
pub(super) fn order(command: &Command) -> Order {
    match command.clone() {
        Command::Inject(entry) => Order::Inject(entry),
        Command::Clear(name) => Order::Clear(name),
        Command::SetLogger { member, logger, level } => {
            let level = LEVELS.iter().find(|(_, it)| Some(*it) == level).map(|(name, _)| *name);
            Order::SetLogger { member, logger, level }
        }
        Command::TouchLogger { member, logger } => Order::AskLogger { member, logger },
        Command::Refresh { member } => Order::Refresh(vec![member]),
        Command::Stop { member } => Order::Stop(vec![member]),
        Command::Ask { deed, whose } => Order::Ask { deed, whose },
        Command::Execute { flow, origin } => {
            Order::Execute { flow, inputs: origin.inputs.clone(), labels: origin.labels.clone() }
        }
        Command::Receivers(answering) => Order::Receivers(answering),
        Command::Answer { message, answer } => Order::Answer { message, answer },
    }
}
