//! What is learnt from many runs, or carried out of one: detection as a figure, tests for promtool.

mod export;
mod sweep;

pub use export::{Export, promtool};
pub use sweep::{Detection, Sweep, sweep};
