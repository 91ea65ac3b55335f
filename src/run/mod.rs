//! One run of a plan, in virtual time to its end.
