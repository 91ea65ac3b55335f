//! A matrix for servers that collect test results: a suite for each scenario.

use super::{Cell, Matrix, Outcome, Row};
use crate::report::junit::{Case, HEAD, TAIL, suite};

/// Something of a matrix that is wrong.
#[cfg(feature = "cli")]
pub(crate) struct FoundWrong<'m> {
    /// In which scenario.
    pub(crate) scenario: &'m str,
    /// Of which rule; none when it is of all of them.
    pub(crate) rule: Option<String>,
    /// In words.
    pub(crate) told: String,
}

impl Matrix {
    /// As JUnit's XML: of each scenario a case that its failure is noticed (or that nothing fires, where nothing is wrong), and
    /// a case for each rule, which fails where it cries wolf, or with `strict` where it could not be evaluated, or is dead in
    /// every scenario.
    pub fn junit(&self, strict: bool) -> String {
        let dead = |index: usize| {
            let mut cells = self.scenarios.iter().filter_map(|row| row.cells.get(index));
            cells.all(|cell| matches!(cell.outcome, Outcome::Dead | Outcome::Absent))
        };
        let dead: Vec<bool> = (0..self.rules.len()).map(dead).collect();
        let of = |row: &Row| {
            let rules = row.cells.iter().zip(&dead).filter(|(cell, _)| cell.outcome != Outcome::Absent);
            let rules = rules.map(|(cell, dead)| self.rule_case(row, cell, strict, *dead));
            let cases: Vec<Case<'_>> = std::iter::once(self.whole_case(row)).chain(rules).collect();
            suite(&row.scenario, row.duration, &cases)
        };
        HEAD.to_owned() + &self.scenarios.iter().map(of).collect::<String>() + TAIL
    }

    /// What of it is found to be wrong, one by one: the cases that fail.
    #[cfg(feature = "cli")]
    pub(crate) fn findings(&self, strict: bool) -> Vec<FoundWrong<'_>> {
        let mut found = Vec::new();
        for row in &self.scenarios {
            let mut add = |case: &Case<'_>, rule| {
                if case.met == Some(false) {
                    let told = if rule { case.seen.clone() } else { format!("not so: {}: {}", case.name, case.seen) };
                    let rule = rule.then(|| case.name.to_owned());
                    found.push(FoundWrong { scenario: &row.scenario, rule, told });
                }
            };
            add(&self.whole_case(row), false);
            for cell in row.cells.iter().filter(|cell| cell.outcome != Outcome::Absent) {
                // That it is dead everywhere a warning tells.
                add(&self.rule_case(row, cell, strict, false), true);
            }
        }
        found
    }

    fn whole_case(&self, row: &Row) -> Case<'static> {
        let seen = self.noticed(row);
        match row.failure {
            None => {
                let quiet = row.cells.iter().all(|cell| cell.detection.before == 0);
                Case { name: "nothing fires where nothing is wrong", met: Some(quiet), seen }
            }
            Some(_) => {
                // That nobody notices what nobody is expected to notice is neither good nor bad.
                let met = (row.noticed == self.runs).then_some(true).or((!row.silent).then_some(false));
                Case { name: "its failure is noticed", met, seen }
            }
        }
    }

    fn rule_case<'m>(&self, row: &Row, cell: &'m Cell, strict: bool, dead: bool) -> Case<'m> {
        let met = match cell.outcome {
            Outcome::FalseAlarm => Some(false),
            Outcome::Failed if strict => Some(false),
            Outcome::Dead if strict && dead => Some(false),
            Outcome::Failed | Outcome::Dead => None,
            _ => Some(true),
        };
        let words = self.cell_words(row, cell);
        let colon = if words.is_empty() { "" } else { ": " };
        Case { name: &cell.detection.alert, met, seen: format!("{}{colon}{words}", cell.outcome.name()) }
    }
}
