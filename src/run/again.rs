//! A session once more: what it comes to when it goes on as it is, judged as a run is. The session itself stays where it is.

use std::collections::VecDeque;
use std::sync::Arc;

use super::autoscale::is_autoscaled;
use super::counted;
use super::session::{Issued, Session, injected};
use super::watch::Watch;
use crate::random::Seed;
use crate::report::{MessageLine, Report};
use crate::scenario::Plan;
use crate::simulator::LimitReached;
use crate::time::{Calendar, Instant};

/// Plan, seed and commands of a session as they are now: it can be gone through once more while the session itself goes on.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    plan: Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    /// Where the session is.
    pub(crate) now: Instant,
    agenda: VecDeque<Issued>,
}

impl Session {
    /// What it takes to go through it once more. What waits for an answer from outside after now will be answered as the scenario
    /// says.
    pub(crate) fn again(&self) -> Again {
        // What autoscalers decided they decide again.
        let scaled = |it: &&Issued| it.planned && injected(it).is_some_and(|it| is_autoscaled(self.plan(), &it.name));
        let done = self.commands.iter().filter(|it| !scaled(it));
        Again {
            plan: self.plan().clone(),
            seed: self.seed(),
            calendar: self.calendar(),
            now: self.now(),
            agenda: done.cloned().chain(self.answered_by_scenario()).chain(self.agenda.iter().cloned()).collect(),
        }
    }

    /// The messages of notification tasks so far, as a report tells them.
    pub(crate) fn messages(&self) -> Vec<MessageLine> {
        counted::messages(self.simulation())
    }
}

impl Again {
    /// What the session comes to at an instant, past or to come, watched from its beginning.
    ///
    /// # Errors
    /// A limit of the simulation was reached before.
    pub(crate) fn judged(self, watch: Option<&Watch>, to: Instant) -> Result<Report, LimitReached> {
        let session = Session::new(self.plan, self.seed, self.calendar);
        let mut session = watch.into_iter().fold(session, |session, watch| session.watched(watch));
        session.agenda = self.agenda;
        session.advance(to)?;
        Ok(session.report())
    }
}
