//! Why a notification task sends nothing.

use std::fmt;

use crate::pebble;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The task fails, as the real one does.
    Failed,
    /// The execution it tells of is not there: Kestra looks again after 1 s, then after twice as long up to 15 s, and fails
    /// with these words after 10 min.
    NotYet,
    /// The execution it tells of is there, and not in the state it waits for: Kestra looks again in the same way.
    NotInState,
    /// The real server would do something that is not simulated.
    NotSimulated,
}

/// Why a notification task sends nothing. Displayed it is what the task logs; secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure.
    pub kind: Kind,
    message: String,
}

impl Error {
    pub(super) fn failed(message: impl Into<String>) -> Error {
        Error { kind: Kind::Failed, message: message.into() }
    }
    pub(super) fn not_yet(message: impl Into<String>) -> Error {
        Error { kind: Kind::NotYet, message: message.into() }
    }
    pub(super) fn not_in_state(message: impl Into<String>) -> Error {
        Error { kind: Kind::NotInState, message: message.into() }
    }
    pub(super) fn not_simulated(message: impl Into<String>) -> Error {
        Error { kind: Kind::NotSimulated, message: message.into() }
    }
    pub(super) fn masked(self, mask: impl Fn(&str) -> String) -> Error {
        Error { message: mask(&self.message), ..self }
    }
}

impl From<pebble::Error> for Error {
    fn from(error: pebble::Error) -> Error {
        let kind = match error.kind() {
            pebble::Kind::Engine => Kind::Failed,
            pebble::Kind::Limit | pebble::Kind::Unsupported => Kind::NotSimulated,
        };
        Error { kind, message: error.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
