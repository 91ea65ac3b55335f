//! mock-kestra: a fake Kestra for testing.

pub mod cli;
pub mod document;
pub mod flow;
pub mod management;
pub mod metrics;
pub mod profile;
pub mod random;
pub mod report;
pub mod run;
pub mod scenario;
pub mod server;
pub mod simulator;
pub mod time;
