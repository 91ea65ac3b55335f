//! The command line of mock-kestra.

fn main() {}
