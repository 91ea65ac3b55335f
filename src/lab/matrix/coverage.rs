//! What a matrix comes to, both ways: failures without a rule, rules without a failure, and alarms without either.

use serde::Serialize;

use super::{Noticer, Outcome, Row, says_most};
use crate::report::{self, Report, RuleState};

/// What all scenarios and all rules come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// Scenarios in which something is done to the cluster.
    pub failures: usize,
    /// Those of them that something notices in every run.
    pub noticed: usize,
    /// Those that nobody notices, in a run or more.
    pub unnoticed: Vec<Unnoticed>,
    /// Those that are noticed in every run and in all of them late.
    pub late: Vec<String>,
    /// Those in which alerts fire after the failure, and no receiver of Alertmanager is told. None when there is no
    /// Alertmanager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpaged: Option<Vec<String>>,
    /// Rules that notice no failure of any scenario.
    pub idle: Vec<IdleRule>,
    /// Rules that fire when nothing is wrong.
    pub false_alarms: Vec<FalseAlarm>,
}

/// A failure that nobody notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unnoticed {
    /// The scenario.
    pub scenario: String,
    /// Runs in which nobody notices it.
    pub runs: u64,
    /// The scenario expects itself that no alert fires.
    pub expected: bool,
    /// Rules that were pending in it, and not long enough.
    pub pending: Vec<String>,
}

/// A rule that notices no failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdleRule {
    /// The rule.
    pub rule: String,
    /// `failed`, `pending`, `quiet` or `dead`: the most it came to in any run.
    pub outcome: Outcome,
    /// Why, in words; of a quiet rule there is nothing to tell.
    pub told: String,
}

/// A rule that fires when nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FalseAlarm {
    /// The rule.
    pub rule: String,
    /// The scenario.
    pub scenario: String,
    /// Runs in which it does.
    pub runs: u64,
    /// Nothing is done to the cluster in this scenario at all; otherwise it fires before the failure.
    pub healthy: bool,
}

impl Coverage {
    pub(super) fn of(noticers: &[Noticer], rows: &[Row], reports: &[Report]) -> Coverage {
        let failures: Vec<&Row> = rows.iter().filter(|row| row.failure.is_some()).collect();
        let runs = |row: &Row| (reports.len() / rows.len().max(1)) as u64 - row.noticed;
        let unnoticed = |row: &&Row| {
            let cells = row.cells.iter().filter(|cell| cell.outcome == Outcome::Pending);
            let pending = cells.map(|cell| cell.detection.alert.clone()).collect();
            Unnoticed { scenario: row.scenario.clone(), runs: runs(row), expected: row.silent, pending }
        };
        let unnoticed: Vec<Unnoticed> = failures.iter().filter(|row| runs(row) > 0).map(unnoticed).collect();
        let late = failures.iter().filter(|row| runs(row) == 0 && row.noticed > 0 && row.noticed_late == row.noticed);
        Coverage {
            failures: failures.len(),
            noticed: failures.len() - unnoticed.len(),
            late: late.map(|row| row.scenario.clone()).collect(),
            unpaged: unpaged(noticers, &failures),
            idle: idle(noticers, rows, reports),
            false_alarms: rows.iter().flat_map(false_alarms).collect(),
            unnoticed,
        }
    }
}

/// Failures of which alerts tell, and nobody is told.
fn unpaged(noticers: &[Noticer], failures: &[&Row]) -> Option<Vec<String>> {
    let is_receiver = |index: &usize| matches!(noticers.get(*index), Some(Noticer::Receiver(_)));
    (0..noticers.len()).find(|index| is_receiver(index))?;
    let swallowed = |row: &&&Row| {
        let (pages, others): (Vec<usize>, Vec<usize>) = (0..row.cells.len()).partition(|index| is_receiver(index));
        let fires = |index: &usize| row.cells.get(*index).is_some_and(|cell| cell.detection.fired > 0);
        others.iter().any(fires) && !pages.iter().any(fires)
    };
    Some(failures.iter().filter(swallowed).map(|row| row.scenario.clone()).collect())
}

/// Rules that fire in no scenario after its failure.
fn idle(noticers: &[Noticer], rows: &[Row], reports: &[Report]) -> Vec<IdleRule> {
    let fires = |index: usize| rows.iter().filter_map(|row| row.cells.get(index)).any(|cell| cell.detection.fired > 0);
    let over_runs = report::over_runs(reports);
    let of = |(index, noticer): (usize, &Noticer)| {
        if fires(index) {
            return None;
        }
        let name = noticer.name();
        let best = rows.iter().filter_map(|row| row.cells.get(index)).min_by_key(|cell| cell.outcome)?;
        let (outcome, told) = match noticer {
            Noticer::Flow(_) | Noticer::Receiver(_) => (best.outcome, best.told.clone()),
            Noticer::Alert(alert) => {
                let rule = says_most(&over_runs, alert)?;
                let told = match rule.line.state {
                    RuleState::Dead => rule.line.told.clone(),
                    RuleState::Failed | RuleState::Pending => {
                        format!("in {}: {}", rule.report.scenario, rule.line.told)
                    }
                    RuleState::Fired | RuleState::Recorded | RuleState::Quiet => String::new(),
                };
                (best.outcome, told)
            }
        };
        Some(IdleRule { rule: name, outcome, told })
    };
    let mut all: Vec<IdleRule> = noticers.iter().enumerate().filter_map(of).collect();
    all.sort_by_key(|rule| rule.outcome);
    all
}

fn false_alarms(row: &Row) -> impl Iterator<Item = FalseAlarm> {
    row.cells.iter().filter(|cell| cell.detection.before > 0).map(|cell| FalseAlarm {
        rule: cell.detection.alert.clone(),
        scenario: row.scenario.clone(),
        runs: cell.detection.before,
        healthy: row.failure.is_none(),
    })
}
