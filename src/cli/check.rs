//! `check`: reads scenario files, tells everything that is wrong, and what was understood.

use clap::Args;

use super::{Exit, load, print};
use crate::scenario;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenarios, by shipped name or path
    #[arg(required = true)]
    scenarios: Vec<String>,
    /// Say nothing of what was understood
    #[arg(short, long)]
    quiet: bool,
}

impl Check {
    pub(super) fn run(&self) -> Exit {
        let mut exit = Exit::Ok;
        for name in &self.scenarios {
            match load::plan(name) {
                Some(plan) if self.quiet => drop(plan),
                Some(plan) => print(&scenario::describe(&plan)),
                None => exit = Exit::Input,
            }
        }
        exit
    }
}
