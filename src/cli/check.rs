//! `check`: reads scenario files, tells everything that is wrong, and what was understood.

use clap::Args;

use super::told::Told;
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
    /// A warning is exit code 1
    #[arg(long)]
    strict: bool,
}

impl Check {
    pub(super) fn run(&self) -> Exit {
        let (mut exit, mut told) = (Exit::Ok, Told::default());
        for name in &self.scenarios {
            match load::plan(name, &mut told) {
                Some(plan) if self.quiet => drop(plan),
                Some(plan) => print(&scenario::describe(&plan)),
                None => exit = Exit::Input,
            }
        }
        told.exit(self.strict, exit)
    }
}
