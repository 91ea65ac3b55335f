//! What was told on standard error, so that `--strict` can count it.

use super::github::{self, Annotation};
use super::{Exit, complain, print};
use crate::document::{self, Diagnostic, Place, Severity};
use crate::run::Watch;
use crate::scenario::Plan;

/// Warnings so far: what was probably not meant, or has no effect here, so that a verdict may lack it.
#[derive(Debug, Default)]
pub(super) struct Told {
    warnings: usize,
    /// The same for annotations, errors and notes included.
    annotations: Vec<Annotation>,
}

impl Told {
    /// Tells what a reader found.
    pub(super) fn diagnostics(&mut self, diagnostics: &[Diagnostic]) {
        complain(&document::render(diagnostics));
        self.warnings += diagnostics.iter().map(|it| it.warnings).sum::<usize>();
        self.annotations.extend(diagnostics.iter().map(Annotation::of));
    }

    /// Tells a warning without a place.
    pub(super) fn warning(&mut self, what: &str) {
        self.warned_of(what, None);
    }

    /// The same of what stands somewhere.
    pub(super) fn warned_of(&mut self, what: &str, place: Option<Place>) {
        complain(&format!("warning: {what}\n"));
        self.warnings += 1;
        self.annotate(place, Severity::Warning, what);
    }

    /// Keeps something for annotations only.
    pub(super) fn annotate(&mut self, place: Option<Place>, severity: Severity, what: &str) {
        self.annotations.push(Annotation { place, ..Annotation::of_job(severity, what) });
    }

    /// Prints a report, on GitHub with all annotations, and gives the exit code.
    pub(super) fn closing(&mut self, report: &str, github: bool, strict: bool, exit: Exit) -> Exit {
        match github {
            true => self.on_github(report, exit),
            false => print(report),
        }
        self.exit(strict, exit)
    }

    /// Prints a report with all annotations.
    pub(super) fn on_github(&mut self, report: &str, exit: Exit) {
        let told = self.annotations.iter().any(|it| it.severity == Severity::Error);
        if matches!(exit, Exit::Input | Exit::Cannot) && !told {
            let what = if exit == Exit::Input { "the input is wrong" } else { "it cannot be done" };
            self.annotate(None, Severity::Error, &format!("{what}: the log of this step tells why"));
        }
        github::tell(report, &self.annotations);
    }

    /// Tells what of a watch means nothing in a scenario.
    pub(super) fn remarks(&mut self, watch: &Watch, plan: &Plan) {
        for remark in watch.notes(plan) {
            let what = format!("{}: {}", plan.name, remark.told);
            match remark.severity {
                Severity::Note => complain(&format!("note: {what}\n")),
                Severity::Warning | Severity::Error => self.warning(&what),
            }
        }
    }

    /// The exit code, when `--strict` is there or not.
    pub(super) fn exit(&self, strict: bool, exit: Exit) -> Exit {
        if !strict || self.warnings == 0 || matches!(exit, Exit::Input | Exit::Cannot) {
            return exit;
        }
        let warnings = if self.warnings == 1 { "1 warning".to_owned() } else { format!("{} warnings", self.warnings) };
        complain(&format!("{warnings}: with --strict this is exit code 1\n"));
        Exit::Found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_warnings_count_and_only_when_asked_for_and_what_could_not_be_done_stays_so() {
        let mut told = Told::default();
        assert_eq!(told.exit(true, Exit::Ok), Exit::Ok);
        told.warning("x");
        assert_eq!(told.exit(false, Exit::Ok), Exit::Ok);
        assert_eq!(told.exit(true, Exit::Ok), Exit::Found);
        assert_eq!(told.exit(true, Exit::Cannot), Exit::Cannot);
        assert_eq!(told.exit(true, Exit::Input), Exit::Input);
    }
}
