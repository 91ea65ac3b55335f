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
    /// The cluster there.
    pub simulation: Simulation,
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
    /// Goes it, as long as `go_on` says so; none when it did not.
    ///
    /// # Errors
    /// A limit of the simulation is reached before.
    pub fn go(self, go_on: &dyn Fn() -> bool) -> Result<Option<Found>, LimitReached> {
        let Way { from, done, commands, to, mut passed, version } = self;
        let mut simulation = Arc::unwrap_or_clone(from);
        simulation.stop_at_messages(false);
        let mut walk = |simulation: &mut Simulation, to, done| {
            advance_in_slices(simulation, to, |simulation| {
                if let Some(passed) = &mut passed {
                    passed.offer(simulation, done);
                }
                go_on()
            })
        };
        let count = commands.len();
        for (index, issued) in commands.into_iter().enumerate() {
            if !walk(&mut simulation, issued.at, done + index)? {
                return Ok(None);
            }
            // What was done then can be done again.
            let _ = simulation.command(issued.command);
            simulation.advance(issued.at)?;
        }
        let there = walk(&mut simulation, to, done + count)?;
        Ok(there.then_some(Found { simulation, passed: Passed { checkpoints: passed, version } }))
    }
}
