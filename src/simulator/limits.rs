//! Every bound of a simulation, in one place. Reaching one ends the run with the virtual time.

/// Executions that have not ended.
pub const LIVE_EXECUTIONS: usize = 1_000_000;
/// Values of SECRET inputs that are masked.
pub const SECRET_INPUTS: usize = 10_000;

/// Executions that have not ended and were started by other executions, or with inputs or labels: flows that start each
/// other, or themselves, are as many in no time.
pub const STARTED: usize = 100_000;
/// States of executions that wait for triggers that ask of several executions.
pub const NOTED: usize = 200_000;
/// Events of a run.
pub const EVENTS: u64 = 1_000_000_000;
/// Lines of the journal.
pub const JOURNAL: usize = 100_000;
/// Lines of a member's log that are kept; older ones are dropped.
pub const LINES: usize = 10_000;
/// Changes of executions that something is expected of.
pub const CHANGES: usize = 1_000_000;
/// Answers of the Flow triggers of which is asked.
pub const REASONS: usize = 1_000_000;
/// Messages that were sent.
pub const SENT: usize = 100_000;
/// Active faults.
pub const FAULTS: usize = 10_000;
/// Log entries that were written together and are kept; older ones are dropped.
pub const ENTRIES: usize = 100_000;
/// Task runs of a WorkingDirectory that are over and that the cluster believes to run in a worker; the oldest are forgotten.
pub const ROWS: usize = 10_000;
/// Loggers that somebody set or asked for, in one process.
pub const LOGGERS: usize = 10_000;
/// Executions that have ended and are kept.
pub const ENDED: usize = 1_000;
/// The same where they go to a store: what comes in a jump through time between two looks.
#[cfg(feature = "cli")]
pub const STORED: usize = 50_000;
/// Executions that are listed, that have not ended.
pub const LISTED: usize = 10_000;
/// Executions that have ended and that a Count may ask for.
pub const COUNTED: usize = 1_000_000;
/// Batches of a ForEachItem: more fail it.
pub const BATCHES: u64 = 10_000;
