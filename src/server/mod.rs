//! The network edge: listeners of members, pacing against the wall clock, the control port.
