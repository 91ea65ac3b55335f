//! What really happened, counted beside what Kestra's counters say: the basis of the report and of the conservation laws.

use crate::flow::State;

/// Counts since the cluster's birth. Nothing here is lost by a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Executions created, of any origin.
    pub created: u64,
    /// Of these, by triggers.
    pub triggered: u64,
    /// Requests to create an execution that no webserver answered.
    pub lost_requests: u64,
    /// Executions ended, by the number of the state in [`State::ALL`].
    pub ended: [u64; State::ALL.len()],
    /// Executions that were lost before they ended.
    pub lost: u64,
    /// Executions that exist and have not ended.
    pub live: u64,
    /// Of these, waiting as QUEUED for the concurrency limit of their flow.
    pub queued: u64,
    /// Attempts of task runs handed to the queue, those handed out again not counted twice.
    pub attempts: u64,
    /// Attempts of task runs whose end an executor has seen.
    pub attempts_ended: u64,
    /// Attempts that ended, and nobody was told.
    pub results_lost: u64,
    /// Attempts handed out again after their worker died.
    pub resubmitted: u64,
    /// Evaluations of polling triggers handed to the queue, and ended.
    pub polls: u64,
    /// Of these, ended.
    pub polls_ended: u64,
    /// Log lines written.
    pub log_lines: u64,
    /// Log lines indexed.
    pub log_lines_indexed: u64,
    /// Processes that ended, for whatever cause.
    pub exits: u64,
}

impl Truth {
    /// Executions that ended in a state.
    pub fn ended_in(&self, state: State) -> u64 {
        self.ended[state as usize]
    }
    /// Executions that ended.
    pub fn ended_in_all(&self) -> u64 {
        self.ended.iter().sum()
    }
}
