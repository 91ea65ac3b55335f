//! Micrometer's registry as Kestra uses it, and the two ways it is read: Prometheus text and `/metrics` JSON.

mod catalogue;
mod layout;
mod number;
mod prototype;
mod registry;
mod selection;
mod series;
mod window;

pub use number::java_double;
pub use registry::{Common, Measured, Registry, SeriesId};
pub use selection::{Selected, Selection};

use crate::profile::{Linear, Probe, Probes};
use crate::random::noise;
use crate::time::{Instant, SECOND};

/// What the simulator knows of a process at the instant someone looks: the value of every [`Probe`].
#[derive(Clone, Debug)]
pub struct Look {
    /// The instant of the look.
    pub now: Instant,
    /// The key of what differs from process to process.
    key: u64,
    /// The probes that somebody reads.
    wanted: Probes,
    values: [f64; Probe::COUNT],
}

impl Look {
    /// A look in which every probe is zero.
    pub fn at(now: Instant) -> Look {
        Look::of(0, now, Probes::ALL)
    }
    /// The same of the process with this key, by someone who reads some probes only.
    pub fn of(key: u64, now: Instant, wanted: Probes) -> Look {
        Look { now, key, wanted, values: [0.0; Probe::COUNT] }
    }
    /// How many times as long as usual the longest of something took that is done all the time: each minute has its own, and
    /// a maximum is remembered for three (recorded from 1.3.19: 0.192 s, again 0.192, then 0.112 and 0.078 in four quiet minutes).
    fn longest(&self, key: u64) -> f64 {
        let minute = self.now.as_nanoseconds().div_euclid(60 * SECOND as i64) as u64;
        let of_minute = |back: u64| {
            let draw = noise(self.key ^ key, minute.wrapping_sub(back));
            0.3 + 0.15 * draw / (1.05 - draw)
        };
        (0..3).map(of_minute).fold(0.0, f64::max)
    }
    /// Sets the value of a probe; it is reckoned only if somebody reads it.
    #[inline]
    pub fn set(&mut self, probe: Probe, value: impl FnOnce() -> f64) {
        if self.wanted.has(probe) {
            self.values[probe as usize] = value();
        }
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
