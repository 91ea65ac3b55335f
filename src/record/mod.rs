//! A scenario from what was seen of a cluster: series over time become parameters, these a text.
//!
//! Who looked is nobody's concern here: scrapes of the members' ports and the series of a Prometheus fill the same
//! [`Observed`], and one estimator makes parameters of it, each with what it was taken from or why it is not known. There is
//! no socket and no clock in it.

pub mod api;
mod flows;
mod members;
mod meters;
mod names;
mod observed;
mod rises;
mod text;
mod times;
mod triggers;

use std::fmt;

use crate::document::{Severity, limits, render};
use crate::scenario::{NoFiles, read};

pub use names::Names;
#[cfg(feature = "internals")]
pub use observed::Documents;
pub use observed::{Observed, SAMPLES, Seen, own_time, requests};

/// What is said beside what was seen.
#[derive(Clone, Debug)]
pub struct Wording {
    /// The name of the scenario.
    pub name: String,
    /// What becomes of names.
    pub names: Names,
    /// Where it comes from, for the first lines: sentences without names of others.
    pub from: Vec<String>,
}

/// A scenario that was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The text of the file.
    pub text: String,
    /// What is in it, in a line.
    pub summary: String,
    /// What the one who records should hear at once: the file says it too.
    pub warnings: Vec<String>,
}

/// Why nothing can be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRecorded {
    /// Nothing was seen.
    Nothing,
    /// What was seen is no Kestra: of whom, as many as there are.
    NoKestra(Vec<String>),
    /// The scenario would be larger than one may be, in bytes.
    TooLarge(usize),
    /// What was made of it is no scenario: a mistake of ours, and what it is.
    Unsound(String),
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotRecorded::Nothing => write!(formatter, "nothing was seen"),
            NotRecorded::NoKestra(of) => {
                write!(
                    formatter,
                    "{}: this is no Kestra: it shows none of the series that every Kestra has from its start on",
                    of.join(", ")
                )
            }
            NotRecorded::TooLarge(bytes) => {
                write!(formatter, "the scenario would have {bytes} bytes, and one has at most {}", limits::FILE)
            }
            NotRecorded::Unsound(told) => write!(formatter, "what was recorded is no sound scenario:\n{told}"),
        }
    }
}

/// The scenario of what was seen.
///
/// # Errors
/// There is no Kestra in it, or more than a scenario holds.
pub fn scenario(observed: &Observed, wording: &Wording) -> Result<Recorded, NotRecorded> {
    let topology = members::Topology::of(observed)?;
    let mut flows = flows::flows(observed, topology.profile);
    let recorded = text::write(observed, &topology, &flows, wording);
    if recorded.text.len() > limits::FILE {
        return Err(NotRecorded::TooLarge(recorded.text.len()));
    }
    // What others called their flows is none of ours: it is read as whoever gets the file will read it.
    if sound(&recorded).is_ok() {
        return Ok(recorded);
    }
    for flow in &mut flows {
        let alone = |flow: &flows::Flow| sound(&text::write(observed, &topology, std::slice::from_ref(flow), wording));
        if alone(flow).is_err() {
            flow.triggers.clear();
            flow.remarks.push("its triggers are left out: they are none that can be simulated".to_owned());
        }
    }
    let recorded = text::write(observed, &topology, &flows, wording);
    sound(&recorded).map(|()| recorded)
}

/// Whether what was recorded can be read.
fn sound(recorded: &Recorded) -> Result<(), NotRecorded> {
    let (plan, told) = read("recorded.yaml", &recorded.text, &NoFiles);
    let wrong = plan.is_none() || told.iter().any(|it| it.severity == Severity::Error);
    if wrong { Err(NotRecorded::Unsound(render(&told))) } else { Ok(()) }
}
