//! What is learnt from many runs, or carried out of one: detection as a figure, scenarios against rules, tests for promtool.

mod dashboard;
mod export;
mod fuzz;
mod matrix;
mod parallel;
mod scraped;
mod sensitivity;
mod sweep;

pub use dashboard::{
    DashboardReport, DashboardRuns, PanelReport, QueryReport, Shown, VariableReport, dashboards_html, dashboards_junit,
    judge_dashboards,
};
pub use export::{Export, TestFile, promtool};
pub use fuzz::{Finding, Fuzz, FuzzRuns, Harm, fuzz};
pub use matrix::{Coverage, Matrix, MatrixRuns, matrix};
pub use parallel::{RunFailed, run_all};
pub use sensitivity::{Least, Sensed, Sensitivity, SensitivityRuns, Smallest, sensitivity};
pub use sweep::{Detection, Runs, Sweep, sweep};
