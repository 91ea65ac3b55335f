//! A scenario under rules, as commands that run one are told of both.

use clap::Args;

use super::load;
use super::rules::Rules;
use super::told::Told;
use crate::profile::Profile;
use crate::run::Watch;
use crate::scenario::Plan;

#[derive(Debug, Args)]
pub(super) struct Watched {
    /// Scenario, by shipped name or path
    scenario: String,
    #[command(flatten)]
    extras: load::Extras,
    /// Version of Kestra, instead of that of the scenario
    #[arg(long, value_parser = super::versions())]
    kestra: Option<&'static Profile>,
    #[command(flatten)]
    rules: Rules,
}

impl Watched {
    /// The plan, and who watches it, after what is to be said of both. None when something is wrong: it has been told.
    pub(super) fn read(&self, told: &mut Told) -> Option<(Watch, Plan)> {
        let (watch, _) = self.rules.watch(told)?;
        let plan = self.plan(told)?;
        told.remarks(&watch, &plan);
        Some((watch, plan))
    }

    /// The plan alone.
    pub(super) fn plan(&self, told: &mut Told) -> Option<Plan> {
        load::plan_of(&self.scenario, &self.extras, self.kestra, told)
    }
}
