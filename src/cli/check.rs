//! `check`: reads scenario files, tells everything that is wrong, and what was understood.

use clap::{Args, ValueEnum};

use super::told::Told;
use super::{Exit, load, print};
use crate::profile::Profile;
use crate::scenario;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenarios, by shipped name or path
    #[arg(required = true)]
    scenarios: Vec<String>,
    #[command(flatten)]
    extras: load::Extras,
    /// Version of Kestra, instead of those of the scenarios
    #[arg(long, value_parser = super::versions())]
    kestra: Option<&'static Profile>,
    /// Say nothing of what was understood
    #[arg(short, long)]
    quiet: bool,
    /// A warning is exit code 1
    #[arg(long)]
    strict: bool,
    /// How it is told; github adds annotations that point at lines of files, for GitHub Actions
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Github,
}

impl Check {
    pub(super) fn run(&self) -> Exit {
        let (mut exit, mut told, mut understood) = (Exit::Ok, Told::default(), String::new());
        for name in &self.scenarios {
            let plan = load::plan_of(name, &self.extras, self.kestra, &mut told);
            if let Some(plan) = plan.as_ref().filter(|_| !self.quiet) {
                let text = scenario::describe(plan);
                match self.format {
                    Form::Text => print(&text),
                    Form::Github => understood += &text,
                }
            }
            if plan.is_none_or(|plan| !plan.left_out.is_empty()) {
                exit = Exit::Input;
            }
        }
        let exit = told.exit(self.strict, exit);
        if self.format == Form::Github {
            told.on_github(&understood, exit);
        }
        exit
    }
}
