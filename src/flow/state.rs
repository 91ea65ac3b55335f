//! The states of executions and task runs.

/// A state of an execution or a task run, with Kestra's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Exists, nothing was done yet.
    Created,
    /// Work is being done.
    Running,
    /// Handed to a worker (task runs, since 1.x).
    Submitted,
    /// Handed out again after its worker died (task runs, since 1.x).
    Resubmitted,
    /// Waits for someone or for a date.
    Paused,
    /// Goes on after a pause or a restart.
    Restarted,
    /// Is being killed.
    Killing,
    /// Ended well.
    Success,
    /// Ended well enough.
    Warning,
    /// Ended badly.
    Failed,
    /// Ended by a kill.
    Killed,
    /// Ended before it began, by a limit.
    Cancelled,
    /// Waits for the concurrency limit of its flow.
    Queued,
    /// Waits for its next attempt.
    Retrying,
    /// Ended; a new execution tries again.
    Retried,
    /// Not run.
    Skipped,
    /// Stopped by a debugger (since 0.24); no execution here ever is.
    Breakpoint,
}

impl State {
    /// All states.
    pub const ALL: [State; 17] = [
        State::Created,
        State::Running,
        State::Submitted,
        State::Resubmitted,
        State::Paused,
        State::Restarted,
        State::Killing,
        State::Success,
        State::Warning,
        State::Failed,
        State::Killed,
        State::Cancelled,
        State::Queued,
        State::Retrying,
        State::Retried,
        State::Skipped,
        State::Breakpoint,
    ];

    /// Whether nothing comes after it (Kestra: terminated).
    pub const fn is_over(self) -> bool {
        use State::{Cancelled, Failed, Killed, Resubmitted, Retried, Skipped, Success, Warning};
        matches!(self, Success | Warning | Failed | Killed | Cancelled | Retried | Skipped | Resubmitted)
    }

    /// Kestra's name of it, as in JSON and in the label `state`.
    pub const fn name(self) -> &'static str {
        match self {
            State::Created => "CREATED",
            State::Running => "RUNNING",
            State::Submitted => "SUBMITTED",
            State::Resubmitted => "RESUBMITTED",
            State::Paused => "PAUSED",
            State::Restarted => "RESTARTED",
            State::Killing => "KILLING",
            State::Success => "SUCCESS",
            State::Warning => "WARNING",
            State::Failed => "FAILED",
            State::Killed => "KILLED",
            State::Cancelled => "CANCELLED",
            State::Queued => "QUEUED",
            State::Retrying => "RETRYING",
            State::Retried => "RETRIED",
            State::Skipped => "SKIPPED",
            State::Breakpoint => "BREAKPOINT",
        }
    }

    /// The state of a name.
    pub fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether an execution in it is at its end.
    pub const fn is_terminated(self) -> bool {
        use State::{Cancelled, Failed, Killed, Resubmitted, Retried, Skipped, Success, Warning};
        matches!(self, Success | Warning | Failed | Killed | Cancelled | Retried | Skipped | Resubmitted)
    }

    /// Whether an execution that ends in it has not done what it should.
    pub const fn is_bad_end(self) -> bool {
        matches!(self, State::Failed | State::Killed | State::Cancelled)
    }
}
