//! Which flow files a version of Kestra refuses, and the words in which its server says so: what its parser stumbles over,
//! what its classes do not know, what their constraints demand (tests/captures/core/flows.tsv; the constraints that no row
//! asks for are those of its public source).
//!
//! Beside our own reading of a flow: that says where the mistake is and what to write, this what the server answers.

mod beans;
mod classes;
mod dependencies;
mod document;
mod flow_rules;
mod parse;
mod rules;
mod task_rules;
mod words;

use std::sync::Arc;

use super::defaults;
use crate::document::{Diagnostic, Node, Place, Severity, Source};

/// The versions whose servers were asked. Others speak as the nearest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// 0.20.7.
    V0_20,
    /// 1.3.19.
    V1_3,
    /// 2.0.0.
    V2_0,
}

/// In which of them something holds: 0.20, 1.3, 2.0.
#[derive(Clone, Copy, Debug)]
struct In(bool, bool, bool);

/// In all of them.
const ALL: In = In(true, true, true);
/// Up to 1.3.
const OLD: In = In(true, true, false);
/// Since 1.3.
const NEW: In = In(false, true, true);
/// In 0.20.
const FIRST: In = In(true, false, false);
/// In 1.3.
const MIDDLE: In = In(false, true, false);
/// In 2.0.
const LAST: In = In(false, false, true);

impl In {
    const fn has(self, edition: Edition) -> bool {
        match edition {
            Edition::V0_20 => self.0,
            Edition::V1_3 => self.1,
            Edition::V2_0 => self.2,
        }
    }
}

impl Edition {
    /// Where its facts stand in a row that has one for each.
    const fn place(self) -> usize {
        match self {
            Edition::V0_20 => 0,
            Edition::V1_3 => 1,
            Edition::V2_0 => 2,
        }
    }
}

/// Why a server refuses a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it answers, without the names of Java's exceptions: one line, or more.
    pub words: String,
    /// What it is about.
    pub place: Place,
    /// What to write instead.
    pub advice: String,
}

/// Why a version refuses a flow file; none when it takes it, or when nothing is known of the words it has for what is wrong
/// (`told` are the diagnostics of reading it as YAML, and text that is none is told there). `of_all` are defaults that are for
/// all flows.
pub fn refusal(
    source: &Arc<Source>,
    root: Option<&Node>,
    told: &[Diagnostic],
    of_all: &[Node],
    edition: Edition,
) -> Option<Refusal> {
    if let Some(refusal) = document::refusal(source, root, told, edition) {
        return Some(refusal);
    }
    if told.iter().any(|told| told.severity == Severity::Error) {
        return None;
    }
    let root = root?;
    if let Some(refusal) = parse::of_text(root, edition) {
        return Some(refusal);
    }
    // Before its values are filled in a default must have some (1.3).
    if let Some(refusal) = rules::before_defaults(root, edition) {
        return Some(refusal);
    }
    let filled = FILLED.has(edition).then(|| defaults::filled(root, of_all)).flatten();
    let flow = filled.as_ref().unwrap_or(root);
    parse::of_flow(flow, edition).or_else(|| rules::refusal(flow, edition))
}

/// Why a version refuses a flow that stands in a scenario: what its reader says of types, and its validators of the
/// inputs and of the flow as a whole. All else that is wrong with such a flow is told in our own words.
pub fn of_inline(flow: &Node, edition: Edition) -> Option<Refusal> {
    let types = parse::of_types(flow, edition).or_else(|| parse::of_classes(flow, edition));
    types.or_else(|| rules::of_inputs(flow, edition))
}

/// Where a flow is looked at with its defaults filled in: 0.20 fills them in when a flow runs, 2.0 knows none.
const FILLED: In = MIDDLE;
