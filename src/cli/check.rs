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
    #[command(flatten)]
    extras: load::Extras,
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
            let plan = load::plan(name, &self.extras, &mut told);
            if let Some(plan) = plan.as_ref().filter(|_| !self.quiet) {
                print(&scenario::describe(plan));
            }
            if plan.is_none_or(|plan| !plan.left_out.is_empty()) {
                exit = Exit::Input;
            }
        }
        told.exit(self.strict, exit)
    }
}
