//! What Java prints and parses, where Kestra shows it: numbers, the order of hash maps, dates and their patterns.
//!
//! Facts of the JDK's own documentation and of what recorded servers answered; nothing of ours is needed here.

pub mod dates;
pub mod hash;
pub mod holidays;
pub mod number;
pub mod parse;
pub mod pattern;
