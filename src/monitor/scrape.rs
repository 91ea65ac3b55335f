//! Scrapes: what Prometheus makes of an exposition, or of none.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Monitor;
use super::relabel::{self, Relabel, Set};
use crate::promql::{Labels, NO_SAMPLE};
use crate::time::Duration;

/// Something that is scraped.
#[derive(Clone, Debug)]
pub struct Target {
    labels: Vec<(Arc<str>, Arc<str>)>,
    /// How often.
    pub interval: Duration,
    /// It is given up after this.
    pub timeout: Duration,
    honor_labels: bool,
    /// A scrape with more samples than this fails; 0 is no limit.
    sample_limit: usize,
    relabel: Arc<[Relabel]>,
    /// By position in the exposition: the series there at the last scrape.
    known: Vec<Known>,
    /// Series that had a sample at the last scrape, in the order of the exposition.
    present: Vec<u32>,
    /// Series that Prometheus remembers, in order; one that two samples give stands there twice.
    counted: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Known {
    name: String,
    labels: Vec<(String, String)>,
    le: Option<String>,
    series: Kept,
}

/// What becomes of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// It is stored.
    Series(u32),
    /// Nobody reads it.
    Unread,
    /// Relabelling drops it.
    Dropped,
}

/// What came of a scrape: samples of one target at one instant.
#[derive(Debug)]
pub struct Scrape<'a> {
    monitor: &'a mut Monitor,
    target: usize,
    time: i64,
    position: usize,
    samples: Vec<(u32, f64)>,
    dropped: usize,
}

impl Target {
    /// A target with the labels Prometheus gives all its samples, such as `job` and `instance`.
    pub fn new(labels: &[(&str, &str)], interval: Duration, timeout: Duration) -> Target {
        let mut labels: Vec<(Arc<str>, Arc<str>)> =
            labels.iter().map(|(key, value)| (Arc::from(*key), Arc::from(*value))).collect();
        labels.sort();
        Target {
            labels,
            interval,
            timeout,
            honor_labels: false,
            sample_limit: 0,
            relabel: Arc::from([]),
            known: Vec::new(),
            present: Vec::new(),
            counted: Vec::new(),
        }
    }

    /// The same with `honor_labels`, `sample_limit` and `metric_relabel_configs`.
    pub(super) fn with_rules(self, honor_labels: bool, sample_limit: usize, relabel: Arc<[Relabel]>) -> Target {
        Target { honor_labels, sample_limit, relabel, ..self }
    }

    /// Whether it must be given every sample, also those of metrics that nobody reads.
    pub fn counts_all(&self) -> bool {
        self.sample_limit > 0 || !self.relabel.is_empty()
    }

    /// Its labels, for people.
    pub fn describe(&self) -> String {
        let pairs: Vec<String> = self.labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        pairs.join(", ")
    }
}

impl Monitor {
    /// The targets.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Begins a scrape that was answered, at an instant in milliseconds since 1970.
    pub fn scrape(&mut self, target: usize, time: i64) -> Scrape<'_> {
        Scrape { monitor: self, target, time, position: 0, samples: Vec::new(), dropped: 0 }
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
        let target = &self.monitor.targets[self.target];
        if !target.counts_all() && !self.monitor.wants(name) {
            return;
        }
        let same = |known: &Known| known.name == name && known.le.as_deref() == le && known.labels == labels;
        let kept = match target.known.get(self.position).filter(|known| same(known)) {
            Some(known) => known.series,
            None => self.learn(name, labels, le),
        };
        self.position += 1;
        match kept {
            Kept::Series(series) => self.samples.push((series, value)),
            Kept::Unread => {}
            Kept::Dropped => self.dropped += 1,
        }
    }

    /// What becomes of a sample that stands where another one stood.
    fn learn(&mut self, name: &str, labels: &[(String, String)], le: Option<&str>) -> Kept {
        let target = &self.monitor.targets[self.target];
        let mut all: Set = Set::from([(Arc::from("__name__"), Arc::from(name))]);
        let own: Vec<(&str, &str)> = labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .chain(le.map(|le| ("le", le)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        for (key, value) in &own {
            // A label of the target wins; that of the exposition is kept under another name. Or it is honoured.
            let mut key = (*key).to_owned();
            if !target.honor_labels && target.labels.iter().any(|(taken, _)| **taken == *key) {
                while target.labels.iter().any(|(taken, _)| **taken == *key) || own.iter().any(|(own, _)| *own == key) {
                    key = format!("exported_{key}");
                }
            }
            all.insert(key.into(), (*value).into());
        }
        for (key, value) in &target.labels {
            match target.honor_labels {
                true => all.entry(key.clone()).or_insert_with(|| value.clone()),
                false => all.entry(key.clone()).insert_entry(value.clone()).into_mut(),
            };
        }
        let dropped = !relabel::apply(&target.relabel, &mut all);
        let name_now = all.get("__name__").cloned();
        let series = match name_now.filter(|_| !dropped) {
            None => Kept::Dropped,
            Some(name) if self.monitor.wants(&name) => {
                Kept::Series(self.monitor.database.series(&all.into_iter().collect::<Labels>()))
            }
            Some(_) => Kept::Unread,
        };
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
        let scraped = samples.unwrap_or(0);
        let left = scraped.saturating_sub(self.dropped);
        // With too many samples nothing is kept, and the scrape has failed.
        let refused = target.sample_limit > 0 && left > target.sample_limit;
        // Series count as added that Prometheus did not remember: it forgets none when a scrape fails, and reads up to the
        // limit before it refuses one (seen with 2.42 and 3.5).
        let seen = if refused { target.sample_limit.min(self.samples.len()) } else { self.samples.len() };
        let mut seen: Vec<u32> = self.samples[..seen].iter().map(|(series, _)| *series).collect();
        seen.sort_unstable();
        let added = more(&seen, &target.counted);
        if refused {
            target.counted.extend(seen);
            target.counted.sort_unstable();
            target.counted.dedup();
        } else if samples.is_some() {
            target.counted = seen;
        }
        if refused {
            self.samples.clear();
        }
        let present: Vec<u32> = self.samples.iter().map(|(series, _)| *series).collect();
        let before = std::mem::replace(&mut target.present, present);
        let database = &mut self.monitor.database;
        for (series, value) in &self.samples {
            database.append(*series, self.time, *value);
        }
        let present = &self.monitor.targets[self.target].present;
        // Most often nothing has changed.
        if before != *present {
            let (before, present): (BTreeSet<u32>, BTreeSet<u32>) =
                (before.into_iter().collect(), present.iter().copied().collect());
            for series in before.difference(&present) {
                database.append(*series, self.time, NO_SAMPLE);
            }
        }
        let up = if samples.is_some() && !refused { 1.0 } else { 0.0 };
        for (name, value) in [
            ("up", up),
            ("scrape_duration_seconds", took.as_seconds_f64()),
            ("scrape_samples_scraped", scraped as f64),
            ("scrape_samples_post_metric_relabeling", left as f64),
            ("scrape_series_added", added as f64),
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

/// How many of some numbers in order are not among others in order.
fn more(all: &[u32], known: &[u32]) -> usize {
    let mut known = known.iter().peekable();
    let mut count = 0;
    for number in all {
        while known.next_if(|known| *known < number).is_some() {}
        if known.next_if(|known| *known == number).is_none() {
            count += 1;
        }
    }
    count
}
