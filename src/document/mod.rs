//! YAML documents with positions, and the one form of diagnostics: what is wrong, where, and what to write instead.

mod diagnostic;
mod plain;
mod reading;
mod within;
mod yaml;

pub use diagnostic::{Diagnostic, Place, Severity, Source, instead, nearest, render};
pub use plain::{parse_jackson, parse_plain, plain_go};
pub use reading::{Field, Kind, Object, Reading};
pub use yaml::{Document, Entry, Node, Value, parse, parse_all, parse_go};

/// Bounds of what is read.
pub mod limits {
    /// Bytes of a file.
    pub const FILE: usize = 4 << 20;
    /// Nesting.
    pub const DEPTH: usize = 64;
    /// Uses of aliases.
    pub const ALIASES: usize = 100;
    /// Nodes of a document, those that aliases repeat counted each time.
    pub const NODES: usize = 1_000_000;
    /// Diagnostics of a file.
    pub const DIAGNOSTICS: usize = 100;
}
