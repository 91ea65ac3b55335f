//! What versions of Kestra do otherwise than others while they run an execution.

/// How one version runs executions. Whoever drives an execution fills it from what it knows of versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// A cancelled task makes its list cancelled (2.0; before that it counts as a success: captures/core/states.tsv).
    pub cancelled_counts: bool,
    /// What comes next is the task behind the last one that ended (2.0), not the one whose number is that of the tasks
    /// that ran (captures/core/states.tsv).
    pub next_by_place: bool,
    /// A paused execution that is killed is RESTARTED first (2.0; captures/core/end-to-end.2.0.0.jsonl).
    pub kill_restarts: bool,
    /// An Exit that comes first ends an execution that never was RUNNING (2.0; captures/core/end-to-end.2.0.0.jsonl).
    pub exit_unseen: bool,
    /// `parents` has all task runs that hold one, with the ids of their tasks (2.0); before, those with a value or outputs.
    pub parents_named: bool,
    /// What still runs of a Parallel is FAILED as soon as one of its tasks is (2.0; captures/core/end-to-end.2.0.0.jsonl).
    pub parallel_fails: bool,
    /// An execution that was ended from outside goes on with what comes next, `errors` too, and `afterExecution` waits for it
    /// (2.0; captures/core/end-to-end.2.0.0.jsonl).
    pub cut_goes_on: bool,
    /// A Pause whose `timeout` is over fails whatever it allows, and what it holds does not run (0.20; source).
    pub pause_fails_plainly: bool,
}
