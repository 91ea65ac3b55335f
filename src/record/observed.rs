//! What was seen of a cluster, whoever looked: members with series over time, and what some of their endpoints said.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::meters::{self, Part, What};
use super::rises::is_another;
use super::triggers::{TaskIds, Triggers};
use crate::exposition::Exposition;
use crate::profile::{Recognised, plain, prefix, recognise};

/// Samples of one recording.
pub const SAMPLES: usize = 20_000_000;

/// A member whose last look lies further back than this, in milliseconds, and than two looks, is gone.
const GONE: i64 = 60_000;
/// Who did not answer so many looks at the end is gone.
const SILENT: u64 = 3;

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The members, in the order in which they were met.
    pub members: Vec<Seen>,
    /// All looks are by one clock, that of who looked: else each member has its own.
    pub one_clock: bool,
}

/// Labels of a series.
pub(super) type Labels = Vec<(String, String)>;

/// What was seen of one member.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What it is called where it was seen: an address, or the label `instance`.
    pub instance: String,
    /// What its own meters begin with, once any of them has been seen.
    pub(super) prefix: Option<String>,
    /// The versions that it has said it is, in order, each as often as it changed.
    pub(super) versions: Vec<String>,
    /// Its series, by which version and role are told: name, and labels of those that were there at the first look.
    pub(super) shown: BTreeMap<String, Vec<Labels>>,
    /// When it answered, in milliseconds since 1970.
    pub(super) looks: BTreeSet<i64>,
    pub(super) series: BTreeMap<Key, BTreeMap<i64, f64>>,
    /// What its endpoints said.
    pub documents: Documents,
    /// Triggers that `/scheduler` listed; none where it was not asked or did not answer.
    pub(super) triggers: Option<Triggers>,
    /// Tasks that `/worker` showed.
    pub(super) task_ids: TaskIds,
    /// Requests of the one who looked that its counters have counted, between the first look and the last, by path.
    pub own: BTreeMap<String, u64>,
    /// Looks at which it did not answer.
    pub(super) missed: u64,
    /// Those of them at the end.
    pub(super) silent: u64,
}

/// A series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) what: What,
    pub(super) part: Part,
    pub(super) labels: BTreeMap<String, String>,
}

impl Key {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

/// What endpoints said, where they were asked and answered.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// `/version`.
    pub version: Option<Json>,
    /// `/info`.
    pub info: Option<Json>,
    /// `/health`.
    pub health: Option<Json>,
}

impl Seen {
    /// A member of which nothing has been seen yet.
    pub fn new(instance: impl Into<String>) -> Seen {
        Seen { instance: instance.into(), ..Seen::default() }
    }

    /// It showed this at an instant, in milliseconds since 1970. Tells whether its process has begun anew since the look before.
    pub fn look(&mut self, at: i64, exposition: &Exposition) -> bool {
        let before = self.newest(What::Began, |_| true);
        let first = self.looks.is_empty();
        self.looks.insert(at);
        self.silent = 0;
        if self.prefix.is_none() {
            self.prefix = prefix(exposition.families.iter().map(|family| family.name.as_str()));
        }
        let begins = self.prefix.clone();
        // Series of one name stand together: each name is looked up once.
        let (mut name, mut known, mut news, mut wanted) = ("", Cow::Borrowed(""), false, false);
        for sample in exposition.samples() {
            if sample.name != name {
                name = &sample.name;
                known = plain(name, begins.as_deref());
                (news, wanted) = (first || !self.shown.contains_key(&*known), meters::of(&known).is_some());
            }
            if news {
                self.shows(&known, &sample.labels);
            }
            if wanted {
                self.sample(&known, &sample.labels, &[(at, sample.value)]);
            }
        }
        let began = self.newest(What::Began, |_| true);
        before.zip(began).is_some_and(|(before, began)| is_another(before, began))
    }

    /// It answered this to `/version`.
    pub fn says_version(&mut self, document: Json) {
        if let Some(version) = document.get("version").and_then(Json::as_str)
            && self.versions.last().is_none_or(|before| before != version)
        {
            self.versions.push(version.to_owned());
        }
        self.documents.version = Some(document);
    }

    /// It did not answer.
    pub fn miss(&mut self) {
        self.missed += 1;
        self.silent += 1;
    }

    /// Samples of one of its series.
    pub fn sample(&mut self, name: &str, labels: &[(String, String)], samples: &[(i64, f64)]) {
        let Some((what, part)) = meters::of(name) else { return };
        // Who scraped it has put these there; none of Kestra's own are called so.
        let own = |(key, _): &&(String, String)| !matches!(key.as_str(), "__name__" | "job" | "instance");
        let key = Key { what, part, labels: labels.iter().filter(own).cloned().collect() };
        let track = self.series.entry(key).or_default();
        for (at, value) in samples.iter().filter(|(_, value)| !value.is_nan()) {
            self.looks.insert(*at);
            track.insert(*at, *value);
        }
    }

    /// It has a series, of which this tells no samples.
    pub fn shows(&mut self, name: &str, labels: &[(String, String)]) {
        if !self.shown.contains_key(name) {
            self.shown.insert(name.to_owned(), Vec::new());
        }
        if let Some(shown) = self.shown.get_mut(name) {
            shown.push(labels.to_vec());
        }
    }

    /// Samples that are kept of it.
    pub fn samples(&self) -> usize {
        self.series.values().map(BTreeMap::len).sum()
    }

    /// Whether its series are those of a Kestra.
    pub fn is_kestra(&self) -> bool {
        self.recognised().is_some()
    }

    /// Which version and role its series speak for.
    pub(super) fn recognised(&self) -> Option<Recognised> {
        let all = self.shown.iter().flat_map(|(name, all)| all.iter().map(move |labels| (name.as_str(), labels)));
        recognise(all.map(|(name, labels)| (name, labels.iter().map(|(key, value)| (key.as_str(), value.as_str())))))
    }

    /// The series of a kind.
    pub(super) fn of(&self, what: What, part: Part) -> impl Iterator<Item = (&Key, &BTreeMap<i64, f64>)> {
        let first = Key { what, part, labels: BTreeMap::new() };
        self.series.range(first..).take_while(move |(key, _)| key.what == what && key.part == part)
    }

    /// The newest value of the first series of a kind that is wanted.
    pub(super) fn newest(&self, what: What, wanted: impl Fn(&Key) -> bool) -> Option<f64> {
        let found = self.of(what, Part::Value).filter(|(key, _)| wanted(key));
        found.filter_map(|(_, track)| track.last_key_value()).max_by_key(|(at, _)| **at).map(|(_, value)| *value)
    }

    /// From the first look to the last, in seconds.
    pub(super) fn span(&self) -> f64 {
        match (self.looks.first(), self.looks.last()) {
            (Some(first), Some(last)) => (last - first) as f64 / 1000.0,
            _ => 0.0,
        }
    }
}

impl Observed {
    /// Whether each member was looked at no more than once, so that only what it has counted since its start is known.
    pub fn at_once(&self) -> bool {
        self.members.iter().all(|member| member.looks.len() < 2)
    }

    /// From the first look at anybody to the last one, in seconds.
    pub(super) fn span(&self) -> f64 {
        if !self.one_clock {
            return self.members.iter().map(Seen::span).fold(0.0, f64::max);
        }
        let first = self.members.iter().filter_map(|member| member.looks.first()).min();
        let last = self.members.iter().filter_map(|member| member.looks.last()).max();
        match (first, last) {
            (Some(first), Some(last)) => (last - first) as f64 / 1000.0,
            _ => 0.0,
        }
    }

    /// Whether a member was not there any more at the end.
    pub(super) fn is_gone(&self, member: &Seen) -> bool {
        if !self.one_clock {
            return member.silent >= SILENT;
        }
        let last = self.members.iter().filter_map(|member| member.looks.last()).max();
        let gaps = self.members.iter().flat_map(|it| it.looks.iter().zip(it.looks.iter().skip(1)));
        let patience = gaps.map(|(before, at)| (at - before) * 2).min().unwrap_or(0).max(GONE);
        last.zip(member.looks.last()).is_some_and(|(last, at)| last - at > patience)
    }

    /// Whether there is more than is kept.
    pub fn is_too_large(&self) -> bool {
        self.members.iter().map(Seen::samples).sum::<usize>() > SAMPLES
    }
}

/// What the clock of the server said when it was asked, in milliseconds since 1970, by its own numbers.
pub fn own_time(exposition: &Exposition) -> Option<i64> {
    let value =
        |what| exposition.samples().find(|it| meters::of(&it.name) == Some((what, Part::Value))).map(|it| it.value);
    let at = (value(What::Began)? + value(What::Uptime)?) * 1000.0;
    (at.is_finite() && at > 0.0).then_some(at as i64)
}

/// How many requests to a path a server says it has answered.
pub fn requests(exposition: &Exposition, path: &str) -> f64 {
    let counted = exposition
        .samples()
        .filter(|it| meters::of(&it.name) == Some((What::Requests, Part::Count)) && it.label("uri") == Some(path));
    counted.map(|it| it.value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_there_at_the_last_looks_is_gone() {
        let with = |looks: &[i64]| Seen { looks: looks.iter().copied().collect(), ..Seen::default() };
        let all = |members: Vec<Seen>, one_clock| {
            let observed = Observed { members, one_clock };
            observed.members.iter().map(|member| observed.is_gone(member)).collect::<Vec<bool>>()
        };
        let minutes = |from: i64, to: i64| with(&(from..=to).map(|minute| minute * 60_000).collect::<Vec<i64>>());
        assert_eq!(
            all(vec![minutes(0, 60), minutes(0, 58), minutes(0, 57), minutes(50, 60)], true),
            [false, false, true, false]
        );
        // By clocks of their own nobody can be compared: who did not answer at the end is gone.
        let silent = Seen { silent: SILENT, ..minutes(0, 60) };
        assert_eq!(all(vec![minutes(0, 60), minutes(0, 3), silent], false), [false, false, true]);
    }
}
