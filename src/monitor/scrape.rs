//! Scrapes: what Prometheus makes of an exposition, or of none.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Monitor;
use crate::promql::{Labels, NO_SAMPLE};
use crate::time::Duration;

/// Something that is scraped.
#[derive(Debug)]
pub struct Target {
    labels: Vec<(Arc<str>, Arc<str>)>,
    /// How often.
    pub interval: Duration,
    /// It is given up after this.
    pub timeout: Duration,
    /// By position in the exposition: the series there at the last scrape.
    known: Vec<Known>,
    /// Series that had a sample at the last scrape.
    present: BTreeSet<u32>,
}

#[derive(Debug)]
struct Known {
    name: String,
    labels: Vec<(String, String)>,
    le: Option<String>,
    series: u32,
}

/// What came of a scrape: samples of one target at one instant.
#[derive(Debug)]
pub struct Scrape<'a> {
    monitor: &'a mut Monitor,
    target: usize,
    time: i64,
    position: usize,
    added: u64,
    present: BTreeSet<u32>,
}

impl Target {
    /// A target with the labels Prometheus gives all its samples, such as `job` and `instance`.
    pub fn new(labels: &[(&str, &str)], interval: Duration, timeout: Duration) -> Target {
        let mut labels: Vec<(Arc<str>, Arc<str>)> =
            labels.iter().map(|(key, value)| (Arc::from(*key), Arc::from(*value))).collect();
        labels.sort();
        Target { labels, interval, timeout, known: Vec::new(), present: BTreeSet::new() }
    }
}

impl Monitor {
    /// The targets.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Begins a scrape that was answered, at an instant in milliseconds since 1970.
    pub fn scrape(&mut self, target: usize, time: i64) -> Scrape<'_> {
        Scrape { monitor: self, target, time, position: 0, added: 0, present: BTreeSet::new() }
    }

    /// A scrape that failed: refused, reset, or not answered in time. All series of the target end.
    pub fn scrape_failed(&mut self, target: usize, time: i64, took: Duration) {
        let scrape = self.scrape(target, time);
        scrape.end(None, took);
    }
}

impl Scrape<'_> {
    /// One sample of the exposition, in its order; `le` is the bound of a bucket.
    pub fn sample(&mut self, name: &str, labels: &[(String, String)], le: Option<&str>, value: f64) {
        if !self.monitor.wants(name) {
            return;
        }
        let known = &self.monitor.targets[self.target].known;
        let same = |known: &Known| known.name == name && known.le.as_deref() == le && known.labels == labels;
        let series = match known.get(self.position).filter(|known| same(known)) {
            Some(known) => known.series,
            None => self.learn(name, labels, le),
        };
        self.position += 1;
        self.monitor.database.append(series, self.time, value);
        if self.present.insert(series) && !self.monitor.targets[self.target].present.contains(&series) {
            self.added += 1;
        }
    }

    /// The series of a sample that stands where another one stood.
    fn learn(&mut self, name: &str, labels: &[(String, String)], le: Option<&str>) -> u32 {
        let target = &self.monitor.targets[self.target];
        let mut all: Vec<(Arc<str>, Arc<str>)> = vec![("__name__".into(), name.into())];
        for (key, value) in
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(le.map(|le| ("le", le)))
        {
            // A label of the target wins; that of the exposition is kept under another name.
            let taken = target.labels.iter().any(|(own, _)| &**own == key);
            let key: Arc<str> = if taken { format!("exported_{key}").into() } else { key.into() };
            if !value.is_empty() {
                all.push((key, value.into()));
            }
        }
        all.extend(target.labels.iter().cloned());
        all.sort();
        let series = self.monitor.database.series(&all.into());
        let learnt = Known { name: name.to_owned(), labels: labels.to_vec(), le: le.map(str::to_owned), series };
        let known = &mut self.monitor.targets[self.target].known;
        // What stood here and after it may have moved: it is learnt anew.
        known.truncate(self.position);
        known.push(learnt);
        series
    }

    /// Ends it: what is gone gets a marker, and Prometheus adds what it knows itself. `samples` is how many there were in
    /// all, none when the scrape failed.
    pub fn end(mut self, samples: Option<usize>, took: Duration) {
        let target = &mut self.monitor.targets[self.target];
        target.known.truncate(self.position);
        let before = std::mem::replace(&mut target.present, self.present.clone());
        for series in before.difference(&self.present) {
            self.monitor.database.append(*series, self.time, NO_SAMPLE);
        }
        let up = if samples.is_some() { 1.0 } else { 0.0 };
        let scraped = samples.unwrap_or(0) as f64;
        for (name, value) in [
            ("up", up),
            ("scrape_duration_seconds", took.as_seconds_f64()),
            ("scrape_samples_scraped", scraped),
            ("scrape_samples_post_metric_relabeling", scraped),
            ("scrape_series_added", self.added as f64),
        ] {
            self.own(name, value);
        }
    }

    fn own(&mut self, name: &str, value: f64) {
        if !self.monitor.wants(name) {
            return;
        }
        let mut labels: Vec<(Arc<str>, Arc<str>)> = self.monitor.targets[self.target].labels.clone();
        labels.push(("__name__".into(), name.into()));
        labels.sort();
        let labels: Labels = labels.into();
        let series = self.monitor.database.series(&labels);
        self.monitor.database.append(series, self.time, value);
    }
}
