//! Series and samples, and how they are found.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// Labels of a series, sorted by name; the metric's name is `__name__`.
pub type Labels = Arc<[(Arc<str>, Arc<str>)]>;

/// The value that says that a series has ended (a certain NaN, the same in every Prometheus).
pub const NO_SAMPLE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is a staleness marker.
pub fn stale(value: f64) -> bool {
    value.to_bits() == NO_SAMPLE.to_bits()
}

/// A series: samples in the order of time, in milliseconds since 1970.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Time and value.
    pub samples: Vec<(i64, f64)>,
    /// Whether a staleness marker is among the samples.
    pub(super) interrupted: bool,
}

/// Instants at which an expression is evaluated, in milliseconds since 1970: `first`, `first + step`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first.
    pub first: i64,
    /// From one to the next; more than 0.
    pub step: i64,
    /// How many.
    pub count: usize,
}

impl Grid {
    /// One instant alone.
    pub const fn instant(at: i64) -> Grid {
        Grid { first: at, step: 1, count: 1 }
    }
    /// An instant of it.
    pub const fn time(&self, index: usize) -> i64 {
        self.first.saturating_add(self.step.saturating_mul(index as i64))
    }
    /// All instants.
    pub fn times(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |index| self.time(index))
    }
    /// The last instant.
    pub const fn last(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }
}

/// A series over a grid: a value at each instant, [`NO_SAMPLE`] where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its labels.
    pub labels: Labels,
    /// A value an instant.
    pub values: Vec<f64>,
}

impl Row {
    /// A row without any value.
    pub(super) fn empty(labels: Labels, count: usize) -> Row {
        Row { labels, values: vec![NO_SAMPLE; count] }
    }
    /// Whether there is a value at any instant.
    pub fn any(&self) -> bool {
        self.values.iter().any(|value| !stale(*value))
    }
    /// The same without the first instants; none when there is no value at the others.
    pub fn since(mut self, first: usize) -> Option<Row> {
        self.values.drain(..first.min(self.values.len()));
        self.any().then_some(self)
    }
    /// The value at an instant, if there is one.
    pub fn at(&self, index: usize) -> Option<f64> {
        self.values.get(index).copied().filter(|value| !stale(*value))
    }
}

/// An instant vector: labels and values.
pub type Vector = Vec<(Labels, f64)>;

/// All series there are.
#[derive(Clone, Debug, Default)]
pub struct Database {
    series: Vec<Series>,
    by_labels: IndexMap<Labels, u32, FxBuildHasher>,
    by_name: BTreeMap<Arc<str>, Vec<u32>>,
}

impl Database {
    /// The number of the series with these labels, which must be sorted by name; a new one when there is none.
    pub fn series(&mut self, labels: &Labels) -> u32 {
        if let Some(known) = self.by_labels.get(labels) {
            return *known;
        }
        let number = self.series.len() as u32;
        self.by_labels.insert(labels.clone(), number);
        let name = labels.iter().find(|(key, _)| &**key == "__name__").map(|(_, name)| name.clone());
        self.by_name.entry(name.unwrap_or_else(|| "".into())).or_default().push(number);
        self.series.push(Series { labels: labels.clone(), samples: Vec::new(), interrupted: false });
        number
    }

    /// Adds a sample. One that is not newer than the last is dropped, as Prometheus drops it.
    pub fn append(&mut self, series: u32, time: i64, value: f64) {
        self.try_append(series, time, value);
    }

    /// The same; tells whether it was kept.
    pub fn try_append(&mut self, series: u32, time: i64, value: f64) -> bool {
        let Some(series) = self.series.get_mut(series as usize) else { return false };
        let newer = series.samples.last().is_none_or(|(last, _)| *last < time);
        if newer {
            series.samples.push((time, value));
            series.interrupted |= stale(value);
        }
        newer
    }

    /// Forgets all samples that are older than an instant; the series stay.
    pub fn forget_before(&mut self, time: i64) {
        for series in &mut self.series {
            let old = series.samples.partition_point(|(at, _)| *at < time);
            // Samples are moved when half of them go, so that each is moved once in all.
            if old > series.samples.len() / 2 {
                series.samples.drain(..old);
            }
        }
    }

    /// All series, in the order in which they appeared.
    pub fn all(&self) -> &[Series] {
        &self.series
    }

    /// The series of a name, in the order in which they appeared; all of them when the name is open.
    pub fn of_name<'a>(&'a self, name: Option<&str>) -> impl Iterator<Item = &'a Series> + use<'a> {
        let (all, named) = match name {
            Some(name) => (&[][..], self.named(name)),
            None => (self.all(), &[][..]),
        };
        all.iter().chain(named.iter().filter_map(|number| self.series.get(*number as usize)))
    }

    /// The numbers of the series of a name.
    pub(super) fn named(&self, name: &str) -> &[u32] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Labels without the metric's name.
pub fn without_name(labels: &Labels) -> Labels {
    label_keys(labels, |key| key != "__name__")
}

/// The labels whose name is wanted; the same allocation when all are.
pub(super) fn label_keys(labels: &Labels, wanted: impl Fn(&str) -> bool) -> Labels {
    match labels.iter().all(|(key, _)| wanted(key)) {
        true => labels.clone(),
        false => labels.iter().filter(|(key, _)| wanted(key)).cloned().collect(),
    }
}

/// The value of a label; empty when there is none.
pub(super) fn label<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.iter().find(|(key, _)| &**key == name).map_or("", |(_, value)| value)
}

/// Labels with one set, or removed when the value is empty.
pub(super) fn with_label(labels: &Labels, name: &str, value: &str) -> Labels {
    let mut all: Vec<(Arc<str>, Arc<str>)> = labels.iter().filter(|(key, _)| &**key != name).cloned().collect();
    if !value.is_empty() {
        let place = all.partition_point(|(key, _)| &**key < name);
        all.insert(place, (name.into(), value.into()));
    }
    all.into()
}
