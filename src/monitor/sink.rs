//! Where samples go as they are scraped.

use crate::promql::{Database, Labels};

/// Takes samples as they come: those of a series in the order of time, no two of one instant.
pub trait Sink {
    /// A sample, or the marker that a series has ended ([`stale`](crate::promql::stale)). A series has the same number and
    /// the same labels from its first sample on; the time is in milliseconds since 1970.
    fn sample(&mut self, series: u32, labels: &Labels, time: i64, value: f64);
}

impl Sink for Database {
    fn sample(&mut self, _: u32, labels: &Labels, time: i64, value: f64) {
        let series = self.series(labels);
        self.append(series, time, value);
    }
}
