//! What is read from outside: scenarios by the name under which they ship, and the files of this machine.

#[cfg(feature = "cli")]
mod dashboards;
mod disk;
mod rules;
mod shipped;

#[cfg(feature = "cli")]
pub(crate) use dashboards::*;
pub(crate) use disk::*;
pub(crate) use rules::*;
pub(crate) use shipped::*;
