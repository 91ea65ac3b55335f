//! Scenario files: what a user writes to say which cluster there is, what runs on it, what breaks and what must be seen.

mod plan;
mod sentence;

pub use plan::*;
