//! The way to another instant: a simulation, what was done since, and how far to go.

use std::sync::Arc;

use super::checkpoints::{Checkpoints, advance_in_slices};
use super::session::Issued;
use crate::simulator::{LimitReached, Simulation};
use crate::time::Instant;

/// The way from a simulation to another instant.
#[derive(Debug)]
pub struct Way {
    pub(super) from: Arc<Simulation>,
    /// Commands that `from` has had.
    pub(super) done: usize,
    pub(super) commands: Vec<Issued>,
    pub(super) to: Instant,
    /// What is passed, when it is kept; none yet.
    pub(super) passed: Option<Checkpoints>,
    pub(super) version: u64,
}

/// The end of a way.
#[derive(Debug)]
pub struct Found {
    /// The cluster there, or as far as it came.
    pub simulation: Simulation,
    /// Whether it is there: nobody stopped it before.
    pub there: bool,
    /// What was passed.
    pub passed: Passed,
}

/// What a way has passed, for [`Session::learn`](super::Session::learn).
#[derive(Debug)]
pub struct Passed {
    pub(super) checkpoints: Option<Checkpoints>,
    /// The version of the session that it is true of.
    pub(super) version: u64,
}

impl Way {
    /// Goes it, as long as `go_on` says so. Where it was stopped it can be gone on from, once its session has learned of it.
    ///
    /// # Errors
    /// A limit of the simulation is reached before.
    pub fn go(self, go_on: &dyn Fn() -> bool) -> Result<Found, LimitReached> {
        let Way { from, mut done, commands, to, mut passed, version } = self;
        let mut simulation = Arc::unwrap_or_clone(from);
        simulation.stop_at_messages(false);
        let mut there = true;
        for issued in commands.into_iter().map(Some).chain([None]) {
            let until = issued.as_ref().map_or(to, |issued| issued.at);
            there = advance_in_slices(&mut simulation, until, |simulation| {
                if let Some(passed) = &mut passed {
                    passed.offer(simulation, done);
                }
                go_on()
            })?;
            let Some(issued) = issued.filter(|_| there) else { break };
            // What was done then can be done again.
            let _ = simulation.command(issued.command);
            simulation.advance(issued.at)?;
            done += 1;
        }
        if let (false, Some(passed)) = (there, &mut passed) {
            passed.stopped_at(&simulation, done);
        }
        Ok(Found { simulation, there, passed: Passed { checkpoints: passed, version } })
    }
}
