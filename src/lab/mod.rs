//! What is learnt from many runs, or carried out of one: detection as a figure, tests for promtool.

mod export;
mod parallel;
mod scraped;
mod sweep;

pub use export::{Export, TestFile, promtool};
pub use parallel::{RunFailed, run_all};
pub use sweep::{Detection, Runs, Sweep, sweep};
