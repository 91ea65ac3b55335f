//! Scrapes: what Prometheus makes of an exposition, or of none.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::relabel::{self, Relabel, Set};
use super::{Monitor, Sink};
use crate::promql::{Expression, Labels, NO_SAMPLE};
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
    limits: Limits,
    relabel: Arc<[Relabel]>,
    /// Why its scrapes break, if they do.
    broken: Vec<String>,
    /// Samples that somebody reads and that relabelling drops or changes, as they were before; [`LOST`] at most.
    lost: Vec<Labels>,
    /// Series that had a sample at the last scrape, in the order of the exposition.
    present: Vec<u32>,
    /// Series that Prometheus remembers, in order; one that two samples give stands there twice.
    counted: Vec<u32>,
    /// The scrape that `counted` is of, in the order of the exposition; none after one that was refused.
    counted_of: Option<Vec<u32>>,
    /// What becomes of what Prometheus itself adds, in the order of [`OWN`]; not known before the first scrape.
    own: Option<[Kept; OWN.len()]>,
    /// How its scrapes went.
    pub seen: Seen,
}

/// How the scrapes of a target went, as Prometheus's page of targets tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many there were.
    pub scrapes: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The last that failed: when it began, in milliseconds since 1970, and why, in Prometheus's words.
    pub last_error: Option<(i64, String)>,
    /// Whether the last one did.
    pub down: bool,
}

impl Seen {
    fn note(&mut self, time: i64, error: Option<String>) {
        self.scrapes += 1;
        self.down = error.is_some();
        if let Some(error) = error {
            self.failed += 1;
            self.last_error = Some((time, error));
        }
    }
}

/// Samples of a target that are remembered as they were before relabelling.
const LOST: usize = 10_000;

/// What relabelling has made of samples that a selector would have selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The rule that does it, in words, for the first of them.
    pub rule: String,
    /// The job it is of.
    pub job: String,
    /// How many series it is.
    pub series: usize,
    /// What the first one is after that rule; none when it is dropped.
    pub changed: Option<Labels>,
}

/// What a scrape may hold at most; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Samples that relabelling leaves.
    pub samples: usize,
    /// Labels of a sample, its name included.
    pub labels: usize,
    /// Bytes of the name of a label, of `__name__` too.
    pub name_length: usize,
    /// Bytes of the value of a label, of the name of a metric too.
    pub value_length: usize,
}

/// What Prometheus itself tells of a scrape.
const OWN: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// What becomes of the samples of a line of a target's exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept(Fate);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They are stored.
    Series(u32),
    /// Nobody reads them.
    Unread,
    /// Relabelling drops them.
    Dropped,
    /// A limit of labels is exceeded: Prometheus reads no further, and the scrape has failed. Which one is a number of
    /// [`Target::broken`].
    Broken(u32),
}

/// What came of a scrape: samples of one target at one instant.
#[derive(Debug)]
pub struct Scrape<'a> {
    monitor: &'a mut Monitor,
    target: usize,
    time: i64,
    samples: Vec<(u32, f64)>,
    dropped: usize,
    /// Lines that were pushed so far.
    pushed: usize,
    /// The first line that breaks it: which one, and the number of the reason.
    broken: Option<(usize, u32)>,
    /// Why it failed before there was a sample.
    error: Option<String>,
}

impl Limits {
    /// Why a sample with these labels breaks a scrape, in Prometheus's words (`verifyLabelLimits`).
    fn exceeded(&self, labels: &Set) -> Option<String> {
        if !self.of_labels() {
            return None;
        }
        let over = |count: usize, limit: usize| limit > 0 && count > limit;
        let metric = labels.get("__name__").map_or("", |name| name);
        let metric: String = metric.chars().take(50).collect();
        if over(labels.len(), self.labels) {
            let (count, limit) = (labels.len(), self.labels);
            return Some(format!("label_limit exceeded (metric: {metric}, number of labels: {count}, limit: {limit})"));
        }
        labels.iter().find_map(|(name, value)| {
            let shown: String = name.chars().take(50).collect();
            if over(name.len(), self.name_length) {
                let (length, limit) = (name.len(), self.name_length);
                return Some(format!(
                    "label_name_length_limit exceeded (metric: {metric}, label name: {shown}, length: {length}, limit: {limit})"
                ));
            }
            let (length, limit) = (value.len(), self.value_length);
            over(length, limit).then(|| {
                let value: String = value.chars().take(50).collect();
                format!(
                    "label_value_length_limit exceeded (metric: {metric}, label name: {shown}, value: \"{value}\", length: {length}, limit: {limit})"
                )
            })
        })
    }

    /// Whether each sample must be looked at.
    fn of_labels(&self) -> bool {
        self.labels > 0 || self.name_length > 0 || self.value_length > 0
    }
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
            limits: Limits::default(),
            relabel: Arc::from([]),
            broken: Vec::new(),
            lost: Vec::new(),
            present: Vec::new(),
            counted: Vec::new(),
            counted_of: None,
            own: None,
            seen: Seen::default(),
        }
    }

    /// The same with `honor_labels`, limits and `metric_relabel_configs`.
    pub(super) fn with_rules(self, honor_labels: bool, limits: Limits, relabel: Arc<[Relabel]>) -> Target {
        Target { honor_labels, limits, relabel, ..self }
    }

    /// Whether it must be given every sample, also those of metrics that nobody reads.
    pub fn counts_all(&self) -> bool {
        self.limits.samples > 0 || self.limits.of_labels() || !self.relabel.is_empty()
    }

    /// Its labels: names and values.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(key, value)| (&**key, &**value))
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

    /// Every sample is of use from here on, also of metrics that no rule reads. To be said before the first scrape.
    #[cfg(feature = "cli")]
    pub fn keep_all(&mut self) {
        self.wanted = None;
    }

    /// Begins a scrape that was answered, at an instant in milliseconds since 1970.
    pub fn scrape(&mut self, target: usize, time: i64) -> Scrape<'_> {
        self.evaluator.forget();
        let mut samples = std::mem::take(&mut self.taken);
        samples.clear();
        self.taken_at = time;
        Scrape { monitor: self, target, time, samples, dropped: 0, pushed: 0, broken: None, error: None }
    }

    /// What becomes of a line of a target's exposition; `le` is the bound of a bucket. It stays so for as long as the monitor
    /// lives: whoever knows which line it is need not tell its labels at each scrape.
    pub fn learn(&mut self, target: usize, name: &str, labels: &[(String, String)], le: Option<&str>) -> Kept {
        let Some(target) = self.targets.get_mut(target) else { return Kept(Fate::Unread) };
        let wants = |name: &str| self.wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
        if !target.counts_all() && !wants(name) {
            return Kept(Fate::Unread);
        }
        let mut all = target.labelled(name, labels, le);
        let before = (wants(name) && !target.relabel.is_empty() && target.lost.len() < LOST).then(|| all.clone());
        let stopped = relabel::apply(&target.relabel, &mut all).err();
        let too_long = stopped.and_then(|stopped| stopped.too_long("metric_relabel_configs"));
        let dropped = stopped.is_some();
        if let Some(before) = before.filter(|before| dropped || *before != all) {
            target.lost.push(before.into_iter().collect());
        }
        if let Some(why) = too_long.or_else(|| target.limits.exceeded(&all).filter(|_| !dropped)) {
            target.broken.push(why);
            return Kept(Fate::Broken(target.broken.len() as u32 - 1));
        }
        let name_now = all.get("__name__").cloned();
        Kept(match name_now.filter(|_| !dropped) {
            None => Fate::Dropped,
            Some(name) if wants(&name) => Fate::Series(self.database.series(&all.into_iter().collect::<Labels>())),
            Some(_) => Fate::Unread,
        })
    }

    /// Why a selector selects nothing, when it is for rules of `metric_relabel_configs`: which one drops or changes what it
    /// would have selected. None when it does select something.
    pub fn lost(&self, selector: &Expression) -> Option<Lost> {
        if self.database.all().iter().any(|series| selector.selects(&series.labels)) {
            return None;
        }
        let of = |target: &'_ Target| target.lost.iter().filter(|labels| selector.selects(labels)).count();
        let series = self.targets.iter().map(of).sum();
        let lost =
            |target: &Target| target.lost_by(target.lost.iter().find(|labels| selector.selects(labels))?, selector);
        let (rule, job, changed) = self.targets.iter().find_map(lost)?;
        Some(Lost { rule, job, series, changed })
    }

    /// Gives a sink what came of the last scrape, markers and what Prometheus adds included.
    pub fn hand_to(&self, sink: &mut dyn Sink) {
        for (series, value) in &self.taken {
            if let Some(of) = self.database.all().get(*series as usize) {
                sink.sample(*series, &of.labels, self.taken_at, *value);
            }
        }
    }

    /// A scrape that failed: refused, reset, not answered in time, or no exposition; and why, in Prometheus's words. All
    /// series of the target end.
    pub fn scrape_failed(&mut self, target: usize, time: i64, took: Duration, why: String) {
        let mut scrape = self.scrape(target, time);
        scrape.error = Some(why);
        scrape.end(None, took);
    }

    /// Discovery does not find a target any more: all its series end, those that Prometheus adds too.
    pub fn target_gone(&mut self, target: usize, time: i64) {
        self.evaluator.forget();
        let mut taken = std::mem::take(&mut self.taken);
        taken.clear();
        let Some(target) = self.targets.get_mut(target) else { return };
        taken.extend(std::mem::take(&mut target.present).into_iter().map(|series| (series, NO_SAMPLE)));
        // Should it come back, it is a new target: all its series are added anew.
        (target.counted, target.counted_of) = (Vec::new(), None);
        let own = target.own.iter().flatten().filter_map(|kept| match kept.0 {
            Fate::Series(series) => Some((series, NO_SAMPLE)),
            _ => None,
        });
        taken.extend(own);
        taken.retain(|(series, value)| self.database.try_append(*series, time, *value));
        (self.taken, self.taken_at) = (taken, time);
    }
}

impl Scrape<'_> {
    /// One sample of the exposition, in its order; `le` is the bound of a bucket.
    #[cfg(feature = "internals")]
    pub fn sample(&mut self, name: &str, labels: &[(String, String)], le: Option<&str>, value: f64) {
        let kept = self.monitor.learn(self.target, name, labels, le);
        self.push(kept, value);
    }

    /// One sample of a line that was [learnt](Monitor::learn) for this target.
    pub fn push(&mut self, kept: Kept, value: f64) {
        if self.broken.is_some() {
            return;
        }
        self.pushed += 1;
        match kept.0 {
            Fate::Series(series) => self.samples.push((series, value)),
            Fate::Unread => {}
            Fate::Dropped => self.dropped += 1,
            Fate::Broken(why) => self.broken = Some((self.pushed, why)),
        }
    }

    /// Ends it: what is gone gets a marker, and Prometheus adds what it knows itself. `samples` is how many there were in
    /// all, none when the scrape failed.
    pub fn end(self, samples: Option<usize>, took: Duration) {
        let Scrape { monitor, target, time, samples: mut taken, dropped, broken, error, .. } = self;
        let target = &mut monitor.targets[target];
        // Where a label is too much, nothing is read from there on: the line itself counts as scraped, not as left.
        let scraped = broken.map_or(samples.unwrap_or(0), |(lines, _)| lines);
        let left = scraped.saturating_sub(dropped + usize::from(broken.is_some()));
        // With too many samples nothing is kept, and the scrape has failed.
        let limit = target.limits.samples;
        let over = limit > 0 && left > limit;
        let refused = over || broken.is_some();
        let seen = if over { limit } else { taken.len() };
        let added = target.count(&taken, samples.is_some(), refused.then_some(seen));
        let why = broken.and_then(|(_, why)| target.broken.get(why as usize).cloned());
        let why = why.or_else(|| over.then(|| "sample limit exceeded".to_owned()));
        target.seen.note(time, error.or(why));
        if refused {
            taken.clear();
        }
        // Most often nothing has changed.
        if !are(&taken, &target.present) {
            let present: Vec<u32> = taken.iter().map(|(series, _)| *series).collect();
            let before = std::mem::replace(&mut target.present, present);
            let (before, present): (BTreeSet<u32>, BTreeSet<u32>) =
                (before.into_iter().collect(), target.present.iter().copied().collect());
            taken.extend(before.difference(&present).map(|series| (*series, NO_SAMPLE)));
        }
        let up = if samples.is_some() && !refused { 1.0 } else { 0.0 };
        let own = [up, took.as_seconds_f64(), scraped as f64, left as f64, added as f64];
        let known = *target.own.get_or_insert_with(|| {
            OWN.map(|name| match monitor.wanted.as_ref().is_none_or(|wanted| wanted.contains(name)) {
                true => Kept(Fate::Series(monitor.database.series(&own_labels(&target.labels, name)))),
                false => Kept(Fate::Unread),
            })
        });
        for (kept, value) in known.into_iter().zip(own) {
            if let Kept(Fate::Series(series)) = kept {
                taken.push((series, value));
            }
        }
        taken.retain(|(series, value)| monitor.database.try_append(*series, time, *value));
        monitor.taken = taken;
    }
}

impl Target {
    /// The labels of a sample: its own and those of the target, before relabelling.
    fn labelled(&self, name: &str, labels: &[(String, String)], le: Option<&str>) -> Set {
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
            if !self.honor_labels && self.labels.iter().any(|(taken, _)| **taken == *key) {
                while self.labels.iter().any(|(taken, _)| **taken == *key) || own.iter().any(|(own, _)| *own == key) {
                    key = format!("exported_{key}");
                }
            }
            all.insert(key.into(), (*value).into());
        }
        for (key, value) in &self.labels {
            match self.honor_labels {
                true => all.entry(key.clone()).or_insert_with(|| value.clone()),
                false => all.entry(key.clone()).insert_entry(value.clone()).into_mut(),
            };
        }
        all
    }

    /// The rule after which a sample is not what a selector selects any more, in words; the job; and what it is then.
    fn lost_by(&self, before: &Labels, selector: &Expression) -> Option<(String, String, Option<Labels>)> {
        let mut labels: Set = before.iter().cloned().collect();
        for (index, rule) in self.relabel.iter().enumerate() {
            let words = rule.describe("metric_relabel_configs", index, &labels);
            // Labels that are too long fail the scrape, and were told there.
            let kept = rule.apply(&mut labels)?;
            let now: Labels = labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            if !kept || !selector.selects(&now) {
                let job = self.labels().find(|(name, _)| *name == "job").map_or("", |(_, job)| job);
                return Some((words, job.to_owned(), kept.then_some(now)));
            }
        }
        None
    }

    /// How many series count as added: those that Prometheus did not remember. It forgets none when a scrape fails, and reads
    /// up to the limit before it refuses one (seen with 2.42 and 3.5): so many, when it does.
    fn count(&mut self, taken: &[(u32, f64)], answered: bool, refused: Option<usize>) -> usize {
        let seen = refused.unwrap_or(taken.len()).min(taken.len());
        let (seen, refused) = (&taken[..seen], refused.is_some());
        if !refused && self.counted_of.as_ref().is_some_and(|known| are(seen, known)) {
            return 0;
        }
        let seen = seen.iter().map(|(series, _)| *series);
        let mut sorted: Vec<u32> = seen.clone().collect();
        sorted.sort_unstable();
        let added = more(&sorted, &self.counted);
        if refused {
            self.counted.extend(sorted);
            self.counted.sort_unstable();
            self.counted.dedup();
            self.counted_of = None;
        } else if answered {
            self.counted = sorted;
            self.counted_of = Some(seen.collect());
        }
        added
    }
}

/// Whether samples are those of some series, in the same order.
fn are(samples: &[(u32, f64)], series: &[u32]) -> bool {
    samples.len() == series.len() && samples.iter().zip(series).all(|((of, _), series)| of == series)
}

/// The labels of a series that Prometheus adds for a target.
fn own_labels(target: &[(Arc<str>, Arc<str>)], name: &str) -> Labels {
    let mut labels = target.to_vec();
    labels.push(("__name__".into(), name.into()));
    labels.sort();
    labels.into()
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
