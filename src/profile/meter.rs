//! Meters: names, kinds, and the series a process shows at start.

use super::words::words;
use super::{Role, Source};

/// A meter, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterId(pub(crate) u32);

/// One meter of a profile.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Dotted name, as `/metrics` lists it.
    pub name: String,
    /// What it measures with.
    pub kind: Kind,
    /// Base unit, empty when there is none.
    pub unit: String,
    /// The unit that `/metrics` tells, where that is another one; empty when it tells none.
    pub listed_unit: Option<String>,
    /// Help text, empty when there is none.
    pub help: String,
    /// Series at start.
    pub start: Vec<Start>,
    /// The keys its series have; the first registration wins.
    pub keys: Vec<String>,
    /// Meters of other versions that told what it tells.
    pub(super) was: Vec<String>,
    /// The name by which the model moves it, when that is the name of another version, or `nothing`.
    pub(super) model: Option<String>,
    /// Its name in the version that describes it, from before it was renamed.
    pub(super) origin: String,
}

words! {
    /// Kinds of meters.
    Kind {
        /// Only grows.
        Counter = "counter",
        /// Goes up and down.
        Gauge = "gauge",
        /// Count, sum and maximum of times in seconds.
        Timer = "timer",
        /// Count, sum and maximum of other amounts.
        Summary = "summary",
        /// A timer with buckets.
        Histogram = "histogram",
    }
}

impl Kind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        Kind::WORDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// Series that a process shows at start.
#[derive(Clone, Debug)]
pub struct Start {
    /// In which roles.
    pub roles: Vec<Role>,
    /// Keys, and the values of each; all combinations are series.
    pub tags: Vec<(String, Vec<String>)>,
    /// What they show.
    pub source: Source,
}

/// What `model` says of a meter that no event of the model moves.
const NOTHING: &str = "nothing";

impl Meter {
    /// The name by which the model moves it; none when it moves by itself only.
    pub fn modelled(&self) -> Option<&str> {
        match &self.model {
            Some(model) if model == NOTHING => None,
            Some(model) => Some(model),
            None => Some(&self.origin),
        }
    }

    /// Its name in the version that describes it; a version that renames it keeps that. Code that knows meters by name
    /// asks for this one.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Goes on under another name.
    pub(super) fn rename(&mut self, name: &str) {
        self.was.push(std::mem::replace(&mut self.name, name.to_owned()));
    }

    /// The name Prometheus sees, by Micrometer's convention: unit and `_total` at the end, once.
    pub fn prometheus_name(&self) -> String {
        self.prometheus_name_of(&self.name)
    }

    /// What its series add to that name: a timer is a count, a sum and a maximum.
    pub fn suffixes(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Counter | Kind::Gauge => &[""],
            Kind::Timer | Kind::Summary => &["_count", "_sum", "_max"],
            Kind::Histogram => &["_bucket", "_count", "_sum", "_max"],
        }
    }

    /// The names of its series: that name with each of the suffixes.
    pub(super) fn series(&self) -> impl Iterator<Item = String> {
        let name = self.prometheus_name();
        self.suffixes().iter().map(move |suffix| [name.as_str(), suffix].concat())
    }

    /// The same of another dotted name, for meters that are registered under one.
    pub fn prometheus_name_of(&self, dotted: &str) -> String {
        let mut name = String::with_capacity(dotted.len() + 16);
        for (place, part) in dotted.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').enumerate() {
            if place > 0 {
                name.push('_');
            }
            name.push_str(part);
        }
        let unit = match self.kind {
            Kind::Timer | Kind::Histogram => "seconds",
            _ => &self.unit,
        };
        let counter = if self.kind == Kind::Counter { "total" } else { "" };
        for suffix in [unit, counter] {
            let there = name.strip_suffix(suffix).is_some_and(|name| name.ends_with('_'));
            if !suffix.is_empty() && !there {
                name.push('_');
                name.push_str(suffix);
            }
        }
        name
    }
}
