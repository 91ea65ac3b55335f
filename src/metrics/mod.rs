//! Micrometer's registry as Kestra uses it, and the two ways it is read: Prometheus text and `/metrics` JSON.

mod layout;
mod number;
mod prototype;
mod registry;
mod selection;
mod series;
mod window;

pub use number::java_double;
pub use registry::{Common, Measured, Registry, Sample, SeriesId};
pub use selection::{Found, Line, Selected, Selection};

use crate::profile::{Linear, Probe};
use crate::time::Instant;

/// What the simulator knows of a process at the instant someone looks: the value of every [`Probe`].
#[derive(Clone, Debug)]
pub struct Look {
    /// The instant of the look.
    pub now: Instant,
    values: [f64; Probe::COUNT],
}

impl Look {
    /// A look in which every probe is zero.
    pub fn at(now: Instant) -> Look {
        Look { now, values: [0.0; Probe::COUNT] }
    }
    /// Sets the value of a probe.
    pub fn set(&mut self, probe: Probe, value: f64) {
        self.values[probe as usize] = value;
    }
    /// The value of a probe.
    pub fn get(&self, probe: Probe) -> f64 {
        self.values[probe as usize]
    }
    /// The value of a source.
    fn value(&self, source: &Linear) -> f64 {
        source.probe.map_or(source.offset, |probe| self.get(probe) * source.factor + source.offset)
    }
}
