//! The past of a cluster: all that a Prometheus would have stored of it, for a sink.

use std::sync::Arc;

use super::session::Session;
use super::watch::{BEFORE, Watch};
use crate::monitor::{RuleSet, Sink};
use crate::random::Seed;
use crate::scenario::Plan;
use crate::simulator::LimitReached;
use crate::time::{Calendar, Duration, Instant};

/// A run of which a Prometheus scrapes everything, moved on by whoever takes the samples: what it holds does not grow with its
/// length.
#[derive(Debug)]
pub struct Past {
    session: Session,
    to: Instant,
}

impl Past {
    /// The cluster of a plan from its birth up to an instant. The Prometheus begins at `from`: an autoscaler needs one that
    /// was there before, and the sink gets what that one scraped too. Rules and expectations are left out: nobody asks.
    pub fn new(
        plan: &Plan,
        seed: Seed,
        calendar: Calendar,
        watch: &Watch,
        (from, to): (Instant, Instant),
        sink: Box<dyn Sink + Send>,
    ) -> Past {
        let plan = Arc::new(Plan { expectations: Vec::new(), ..plan.clone() });
        let watch = Watch {
            rules: RuleSet::default(),
            also: Vec::new(),
            nearest: false,
            standings: false,
            paging: None,
            live: false,
            ..watch.clone()
        };
        let scales = !plan.autoscale.is_empty();
        let session = Session::new(plan, seed, calendar).endless();
        let born = session.simulation().born();
        let begin = if scales { from.min(Instant::START.before(BEFORE)) } else { from };
        Past { session: session.handing_all_to(&watch, begin.max(born), sink), to }
    }

    /// Moves on; whether there is more to come.
    ///
    /// # Errors
    /// A limit of the simulation was reached.
    pub fn advance(&mut self, by: Duration) -> Result<bool, LimitReached> {
        let next = (self.now() + by).min(self.to);
        self.session.advance(next)?;
        Ok(next < self.to)
    }

    /// Where it is.
    pub fn now(&self) -> Instant {
        self.session.now()
    }
}
