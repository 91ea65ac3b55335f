//! Executions as Kestra runs them: pure, without a clock and without metrics.

pub mod trigger;
