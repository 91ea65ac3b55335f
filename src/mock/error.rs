//! Why something of a mock is not so.

use std::fmt;

use crate::server::{Denied, ServeError};
use crate::simulator::LimitReached;

/// Why a mock does not start, does not do what it is asked, or is not what was expected. It is text for people: what is wrong,
/// where, what to write instead, what was seen. `{:?}` is the same text, so that `unwrap` and a test that gives an error back
/// show it as it is meant to be read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MockError {
    /// The scenario, its flows or the version of Kestra are wrong.
    #[error("{0}")]
    Scenario(String),
    /// The alert rules are wrong, or cannot be evaluated while time goes on.
    #[error("{0}")]
    Rules(String),
    /// No port can be opened, or the model has panicked.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// It is not done: a name that is not known, a fault that cannot be read, a time that is past.
    #[error("{what}; {advice}")]
    Denied {
        /// What is wrong.
        what: String,
        /// What to do instead.
        advice: String,
    },
    /// A limit of the simulation was reached.
    #[error(transparent)]
    Limit(#[from] LimitReached),
    /// What [`run_until`](crate::MockKestra::run_until) waited for did not come.
    #[error("{0}")]
    NotSeen(String),
    /// An expectation of the scenario is not met.
    #[error("{0}")]
    NotMet(String),
}

impl fmt::Debug for MockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Denied> for MockError {
    fn from(Denied { what, advice }: Denied) -> MockError {
        MockError::Denied { what, advice }
    }
}

impl MockError {
    /// One that says what is wrong, and what to do instead.
    pub(super) fn denied(what: impl Into<String>, advice: impl Into<String>) -> MockError {
        MockError::Denied { what: what.into(), advice: advice.into() }
    }
}
