//! A run that is over, of which anything may be asked that its Prometheus has seen.

use std::sync::Arc;

use super::explain::{Why, since};
use super::session::Session;
use super::watch::{Watch, Watching, milliseconds};
use crate::promql::{Expression, Grid, Row};
use crate::random::Seed;
use crate::scenario::Plan;
use crate::simulator::{LimitReached, Simulation};
use crate::time::{Calendar, Duration, Instant};

/// A run that is over.
#[derive(Debug)]
pub struct Ended {
    watching: Watching,
    simulation: Simulation,
    start: i64,
    end: i64,
}

/// Runs a plan to its end with a watch that keeps all samples of the names that its rules and `also` read.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn ended(plan: &Arc<Plan>, seed: Seed, calendar: Calendar, watch: &Watch) -> Result<Option<Ended>, LimitReached> {
    let watch = Watch { nearest: true, ..watch.clone() };
    let mut session = Session::new(plan.clone(), seed, calendar).watched(&watch);
    let end = Instant::START + plan.duration;
    session.advance(end)?;
    let simulation = session.simulation().clone();
    let (start, end) = (calendar.start().as_millisecond(), milliseconds(&calendar, end));
    Ok(session.into_watching().map(|watching| Ended { watching, simulation, start, end }))
}

impl Ended {
    /// The start of the scenario, in milliseconds since 1970.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The end of the run, in milliseconds since 1970.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// The instants from the start to the end of the run, so far apart.
    pub fn grid(&self, step: Duration) -> Grid {
        let step = step.as_milliseconds().max(1) as i64;
        Grid { first: self.start, step, count: ((self.end - self.start).max(0) / step) as usize + 1 }
    }

    /// What an expression comes to; a number is a row without labels, a text is none.
    ///
    /// # Errors
    /// Why it cannot be evaluated.
    pub fn rows(&self, expression: &Expression, grid: Grid) -> Result<Vec<Row>, String> {
        Ok(self.watching.ask_over(expression, grid)?.into_rows())
    }

    /// The first thing that keeps an expression from having a value, in words.
    pub fn why_nothing(&self, expression: &Expression, grid: Grid) -> String {
        let grid = since(grid, self.start);
        Why::of(&self.watching, &self.simulation, grid, self.start).nothing(&expression.outline(), 0)
    }
}
