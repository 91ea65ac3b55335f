//! What Java prints and parses, where Kestra shows it: numbers, the order of hash maps, patterns of dates.
//!
//! Facts of the JDK's own documentation and of what recorded servers answered; nothing of ours is needed here.

pub mod hash;
pub mod number;
