//! Where samples go as they are scraped.

use std::sync::{Arc, Mutex, PoisonError};

use crate::promql::{Database, Labels};

/// Takes samples as they come: those of a series in the order of time, no two of one instant.
pub trait Sink: std::fmt::Debug {
    /// A sample, or the marker that a series has ended ([`stale`](crate::promql::stale)). A series has the same number and
    /// the same labels from its first sample on; the time is in milliseconds since 1970.
    fn sample(&mut self, series: u32, labels: &Labels, time: i64, value: f64);
}

/// Whoever made it keeps a handle, to see what it took.
impl<S: Sink> Sink for Arc<Mutex<S>> {
    fn sample(&mut self, series: u32, labels: &Labels, time: i64, value: f64) {
        self.lock().unwrap_or_else(PoisonError::into_inner).sample(series, labels, time, value);
    }
}

impl Sink for Database {
    fn sample(&mut self, _: u32, labels: &Labels, time: i64, value: f64) {
        let series = self.series(labels);
        self.append(series, time, value);
    }
}
