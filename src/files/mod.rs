//! What is read from outside: scenarios by the name under which they ship, and the files of this machine.

mod disk;
mod rules;
mod shipped;

pub(crate) use disk::*;
pub(crate) use rules::*;
pub(crate) use shipped::*;
