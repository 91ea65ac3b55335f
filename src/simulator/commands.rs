//! What somebody does to a simulation from outside: whether it can be done, and how.

use std::sync::Arc;

use super::member::AfterExit;
use super::traffic::{self, Way};
use super::{Command, CommandError, Happening, Level, Origin, Simulation, checks, inputs, limits};
use crate::flow::{CheckBehavior, Flow};
use crate::profile::Role;
use crate::scenario::{Amount, Deed, Fault, Target, Which, Whose};

impl Simulation {
    /// Whether a command could be done at the current instant.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, command: &Command) -> Result<(), CommandError> {
        match command {
            Command::SetLogger { member, .. }
            | Command::TouchLogger { member, .. }
            | Command::Refresh { member }
            | Command::Stop { member } => {
                let it = self.cluster.members.get(*member);
                let it = it.ok_or(CommandError::NoMember(*member, self.cluster.members.len()))?;
                it.process().map(|_| ()).ok_or_else(|| CommandError::NoProcess(it.name().to_owned()))
            }
            Command::Inject(entry) => self.check_fault(&entry.fault),
            Command::Receivers(_) => Ok(()),
            Command::Answer { message, .. } => match self.cx.outbox.waits(*message) {
                true => Ok(()),
                false => Err(CommandError::NotWaiting(*message)),
            },
            Command::Execute { flow, origin } => self.check_execute(*flow, origin),
            Command::Ask { deed, whose } => {
                self.webserver()?;
                self.executor.asked_of(&self.cx, deed, whose).map(drop)
            }
            Command::Clear(name) => {
                let known = self.faults.active().iter().any(|fault| fault.entry.name == *name);
                if known { Ok(()) } else { Err(CommandError::NoFault(name.clone())) }
            }
        }
    }

    /// The inputs that a command gives and nobody has declared: as in Kestra they are left out.
    pub fn left_out(&self, command: &Command) -> Vec<String> {
        let (given, known) = match command {
            Command::Execute { flow, origin } => {
                let flow = self.cx.plan.flows.get(*flow);
                let ids = |flow: &Flow| flow.inputs().iter().map(|input| input.id.to_owned()).collect::<Vec<_>>();
                (&origin.inputs, flow.map(ids))
            }
            Command::Ask { deed: Deed::Resume { inputs }, whose } => {
                let Which::Number(number) = whose.which else { return Vec::new() };
                let asked = self.executor.asked_for(&self.cx, whose.flow as u32, number);
                (inputs, asked.map(|ids| ids.into_iter().map(str::to_owned).collect()))
            }
            _ => return Vec::new(),
        };
        let known = known.unwrap_or_default();
        given.keys().filter(|id| !known.contains(id)).cloned().collect()
    }

    /// Does something from outside at the current instant.
    ///
    /// # Errors
    /// It cannot be done, and nothing is changed.
    pub fn command(&mut self, command: Command) -> Result<(), CommandError> {
        if let Err(error) = self.check(&command) {
            let asked = match &command {
                Command::Ask { deed, whose } => Some((deed.keyword(), whose.flow)),
                Command::Execute { flow, .. } => Some(("execute", *flow)),
                _ => None,
            };
            if let Some((deed, flow)) = asked {
                let none = matches!(error, CommandError::NoneFits(..) | CommandError::NoExecution(_));
                let why = (!none).then(|| error.to_string().into());
                self.cx.tell(Happening::Asked { deed, flow, executions: 0, why });
            }
            return Err(error);
        }
        match command {
            Command::SetLogger { member, logger, level } => self.set_logger(member, &logger, Some(level))?,
            Command::TouchLogger { member, logger } => self.set_logger(member, &logger, None)?,
            Command::Refresh { member } => {
                if let Some(process) = &mut self.cluster.members[member].process {
                    process.refreshed = true;
                }
            }
            Command::Stop { member } => self.terminate(member, true, AfterExit::Policy),
            Command::Inject(entry) => self.begin(entry),
            Command::Clear(name) => self.clear(&name),
            Command::Ask { deed, whose } => self.ask_of_executions(&deed, &whose)?,
            Command::Execute { flow, origin } => {
                let Simulation { cx, cluster, executor, .. } = self;
                // Whether it may be was asked above.
                let _ = traffic::ask(cx, cluster, executor, flow as u32, Way::Api, Some(origin));
            }
            Command::Receivers(answering) => {
                for (message, answer) in self.cx.outbox.answer_by(answering) {
                    self.cluster.answered(&mut self.cx, message, answer);
                }
            }
            Command::Answer { message, answer } => self.cluster.answered(&mut self.cx, message, answer),
        }
        if cfg!(debug_assertions) {
            self.assert_laws();
        }
        Ok(())
    }

    /// `level` is none when the logger was only asked for.
    fn set_logger(&mut self, member: usize, logger: &str, level: Option<Option<Level>>) -> Result<(), CommandError> {
        let process = self.cluster.members[member].process.as_mut();
        if process.is_some_and(|process| !process.set_logger(logger, level)) {
            return Err(CommandError::TooMany("loggers", limits::LOGGERS));
        }
        self.cluster.plan_heartbeat(&mut self.cx, member);
        if let Some(level) = level {
            self.cx.tell(Happening::LoggerSet { member, logger: Arc::from(logger), level });
        }
        Ok(())
    }

    /// Whether somebody would start an execution of a flow.
    fn check_execute(&self, flow: usize, origin: &Origin) -> Result<(), CommandError> {
        let flows = self.cx.plan.flows.len();
        let it = self.cx.plan.flows.get(flow).ok_or(CommandError::NoFlow(flow, flows))?;
        if it.disabled {
            return Err(CommandError::Disabled(it.name()));
        }
        self.webserver()?;
        let inputs = inputs::resolved(&self.cx, flow as u32, &origin.inputs).map_err(CommandError::Inputs)?;
        let origin = &Origin { inputs, ..origin.clone() };
        match checks::failed(&self.cx, flow as u32, Some(origin)) {
            Some(failed) if failed.behavior == CheckBehavior::Block => {
                Err(CommandError::Blocked(failed.messages.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn webserver(&self) -> Result<usize, CommandError> {
        self.cluster.pick(&self.cx, Role::Webserver, 0).ok_or(CommandError::NoWebserver)
    }

    /// Somebody asks something of executions. That nobody heard it is told too: a plan may ask what cannot be asked then.
    fn ask_of_executions(&mut self, deed: &Deed, whose: &Whose) -> Result<(), CommandError> {
        let webserver = self.webserver()?;
        let Simulation { cx, cluster, executor, .. } = self;
        let keys = executor.asked_of(cx, deed, whose)?;
        let done = executor.ask(cx, cluster, webserver, (deed, &keys));
        cx.tell(Happening::Asked { deed: deed.keyword(), flow: whose.flow, executions: done.len(), why: None });
        Ok(())
    }

    /// Whether all that a fault names is there, and there is room for it.
    fn check_fault(&self, fault: &Fault) -> Result<(), CommandError> {
        let members = self.cluster.members.len();
        if let Some(unknown) = fault.members().iter().find(|member| **member >= members) {
            return Err(CommandError::NoMember(*unknown, members));
        }
        if let (Target::Role(role), Amount::Members(count)) = (&fault.target, fault.amount) {
            let places = self.cluster.members.iter().filter(|it| it.role() == *role).count();
            if places < count as usize {
                return Err(CommandError::NoPlace(role.name(), places));
            }
        }
        let flows = self.cx.plan.flows.len();
        if let Target::Flow(Some(flow)) = &fault.target
            && *flow >= flows
        {
            return Err(CommandError::NoFlow(*flow, flows));
        }
        match self.faults.active().len() >= limits::FAULTS {
            true => Err(CommandError::TooMany("faults", limits::FAULTS)),
            false => Ok(()),
        }
    }
}
