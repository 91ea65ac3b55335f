//! What is to come of a session if nobody does anything: lived by a copy of it, its alerts too.

use std::collections::VecDeque;

use super::autoscale::Scaling;
use super::lived::{AlertBar, Lived, Picture};
use super::session::{Issued, Session};
use super::watch::{self, Watching};
use crate::scenario::Answering;
use crate::simulator::{Command, LimitReached, Simulation};
use crate::time::{Duration, Instant};

/// A copy of a session that can live on while the session itself does.
#[derive(Debug)]
pub struct Foresight {
    simulation: Simulation,
    commands: VecDeque<Issued>,
    watching: Option<Watching>,
    scaling: Option<Scaling>,
    lived: Lived,
    to: Instant,
}

impl Session {
    /// Looks on from here on, and remembers what a picture needs; figures are as far apart as a life of this length needs.
    pub fn keep_lived(&mut self, age: Duration) {
        self.lived = Some(Lived::from(&self.simulation, age));
    }

    /// What it has lived from an instant on, as far as it has looked on.
    pub fn lived(&mut self, from: Instant) -> Option<Picture> {
        let lived = self.lived.as_mut()?;
        lived.notice(&self.simulation);
        let mut picture = lived.picture(&self.simulation, from);
        let calendar = self.calendar;
        picture.alerts = self.watching.as_ref().filter(|it| it.outbox.is_some()).map(|it| it.bars(&calendar, from));
        Some(picture)
    }

    /// A number that changes with whatever makes another future: what comes from outside, and a beginning anew.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What of its future cannot be foreseen, in words.
    pub fn unforeseen(&self) -> Vec<&'static str> {
        let outside = self.simulation.answering() != Answering::Scenario;
        let told = "real receivers answer when they are asked: those of the scenario are foreseen in their place";
        outside.then_some(told).into_iter().collect()
    }

    /// The command by which receivers answer as the scenario says from now on; none where they do.
    pub(super) fn answered_by_scenario(&self) -> Option<Issued> {
        (self.simulation.answering() != Answering::Scenario).then(|| Issued {
            at: self.now(),
            command: Command::Receivers(Answering::Scenario),
            planned: false,
        })
    }

    /// A copy that will live up to an instant.
    pub fn foresight(&self, to: Instant) -> Foresight {
        let mut simulation = self.simulation.clone();
        simulation.stop_at_messages(false);
        // What nobody has sent yet nobody has answered: what is to come is seen as the scenario has it.
        let foreseen = self.answered_by_scenario();
        Foresight {
            commands: foreseen.iter().chain(&self.agenda).take_while(|it| it.at <= to).cloned().collect(),
            watching: self.watching.as_ref().filter(|it| it.outbox.is_some()).map(Watching::twin),
            scaling: self.scaling.as_ref().map(Scaling::twin),
            lived: Lived::from(&simulation, to.since(self.now())),
            simulation,
            to,
        }
    }
}

impl Foresight {
    /// Lives on, as long as `go_on` says so and no limit is reached; the picture tells how far it came.
    pub fn go(mut self, go_on: &dyn Fn() -> bool) -> (Picture, Simulation) {
        let (from, calendar) = (self.simulation.now(), self.simulation.calendar());
        loop {
            // In the order of a session: autoscalers have their turn before what comes from outside.
            let turn = self.scaling.as_ref().and_then(Scaling::next);
            let planned = self.commands.front().map(|it| it.at);
            let next = turn.into_iter().chain(planned).min().filter(|at| *at <= self.to);
            let until = next.unwrap_or(self.to);
            let there = self.move_to(until, go_on).is_ok() && self.simulation.now() >= until;
            if !there || next.is_none() {
                break;
            }
            let mut commands = Vec::new();
            if let Some(scaling) = self.scaling.as_mut().filter(|_| turn.is_some_and(|turn| turn <= until)) {
                let entries = scaling.turns(&self.simulation, self.watching.as_ref(), calendar);
                commands.extend(entries.into_iter().map(Command::Inject));
            }
            commands.extend(self.commands.pop_front_if(|it| it.at <= until).map(|it| it.command));
            // What was done then can be done again.
            let done = commands.into_iter().try_for_each(|command| {
                let _ = self.simulation.command(command);
                self.simulation.advance(until)
            });
            if done.is_err() {
                break;
            }
        }
        self.lived.notice(&self.simulation);
        let mut picture = self.lived.picture(&self.simulation, from);
        picture.alerts = self.watching.as_ref().map(|watching| watching.bars(&calendar, from));
        (picture, self.simulation)
    }

    fn move_to(&mut self, until: Instant, go_on: &dyn Fn() -> bool) -> Result<(), LimitReached> {
        let lived = &mut self.lived;
        let watching = self.watching.as_mut().or_else(|| self.scaling.as_mut()?.prometheus.as_mut());
        watch::advance(&mut self.simulation, watching, until, &mut |simulation, to| {
            lived.follow(simulation, to, &mut |_| go_on()).map(|_| ())
        })
    }
}

impl Watching {
    /// All alerts that were active at an instant or later, the oldest first.
    fn bars(&self, calendar: &crate::time::Calendar, from: Instant) -> Vec<AlertBar> {
        let mut all: Vec<AlertBar> = self.over.iter().cloned().collect();
        for bar in self.alerts(calendar).into_iter().map(AlertBar::from) {
            if !all.iter().any(|known| known.is(&bar)) {
                all.push(bar);
            }
        }
        all.retain(|bar| bar.resolved.is_none_or(|resolved| resolved >= from));
        all.sort_by(|a, b| (a.pending, &a.alert, &a.labels).cmp(&(b.pending, &b.alert, &b.labels)));
        all
    }
}
