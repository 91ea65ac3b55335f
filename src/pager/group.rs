//! Aggregation groups: alerts that are told together, and when.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::LabelSet;

/// An alert as it was posted last.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) annotations: Arc<LabelSet>,
    pub(super) starts_at: i64,
    pub(super) ends_at: i64,
    /// Nobody said when it ends: it does when `resolve_timeout` is over.
    pub(super) times_out: bool,
    pub(super) generator_url: Arc<str>,
}

impl Stored {
    pub(super) fn is_resolved(&self, now: i64) -> bool {
        self.ends_at <= now
    }

    /// What becomes of this one when it is posted again while it was still going on: the earliest beginning; its end is the
    /// latest that somebody named (`Alert.Merge`).
    pub(super) fn merged(&self, mut with: Stored, now: i64) -> Stored {
        let overlaps = with.ends_at > self.starts_at && with.ends_at < self.ends_at
            || with.starts_at > self.starts_at && with.starts_at < self.ends_at;
        if !overlaps {
            return with;
        }
        with.starts_at = with.starts_at.min(self.starts_at);
        let keeps = match with.is_resolved(now) {
            true => self.is_resolved(now),
            false => !self.times_out,
        };
        if keeps {
            with.ends_at = with.ends_at.max(self.ends_at);
        }
        with
    }
}

/// Alerts of one route that share the labels of `group_by`.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) node: usize,
    pub(super) labels: Arc<LabelSet>,
    pub(super) key: Arc<str>,
    /// By the alert's number.
    pub(super) alerts: BTreeMap<usize, Stored>,
    /// When it is looked at next (milliseconds since 1970).
    pub(super) next: i64,
    /// Whether it was looked at.
    pub(super) flushed: bool,
    /// Since when nothing is in it.
    pub(super) emptied: Option<i64>,
}

/// Since when a group is empty that never held anything.
pub(super) const NEVER: i64 = i64::MIN;

impl Group {
    /// One that holds nothing yet.
    pub(super) fn new(node: usize, labels: Arc<LabelSet>, key: Arc<str>) -> Group {
        Group { node, labels, key, alerts: BTreeMap::new(), next: 0, flushed: false, emptied: Some(NEVER) }
    }
}

/// The order in which a notification shows alerts: by `job`, by `instance`, then fewer labels first, then by their values in
/// the order of their names.
pub(super) fn order(a: &LabelSet, b: &LabelSet) -> Ordering {
    for name in ["job", "instance"] {
        match (a.get(name), b.get(name)) {
            (None, None) => {}
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (Some(one), Some(other)) if one != other => return one.cmp(other),
            _ => {}
        }
    }
    a.len().cmp(&b.len()).then_with(|| before(a, b))
}

/// Of two sets of the same size: a name that one of them lacks comes first, and that one with it.
fn before(a: &LabelSet, b: &LabelSet) -> Ordering {
    let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
    names.sort_unstable();
    for name in names {
        let order = match (a.get(name), b.get(name)) {
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            (Some(one), Some(other)) => one.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// A set of labels as group keys show it: `{alertname="X", job="kestra"}`.
pub(super) fn printed(labels: &LabelSet) -> String {
    let mut all: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    // The pairs are sorted, not the names: a digit comes before the equals sign.
    all.sort_unstable();
    format!("{{{}}}", all.join(", "))
}

/// As Go quotes a text (`%q`).
pub(super) fn quoted(text: &str) -> String {
    let mut all = String::with_capacity(text.len() + 2);
    all.push('"');
    for letter in text.chars() {
        match letter {
            '"' => all.push_str("\\\""),
            '\\' => all.push_str("\\\\"),
            '\n' => all.push_str("\\n"),
            '\r' => all.push_str("\\r"),
            '\t' => all.push_str("\\t"),
            '\u{7}' => all.push_str("\\a"),
            '\u{8}' => all.push_str("\\b"),
            '\u{b}' => all.push_str("\\v"),
            '\u{c}' => all.push_str("\\f"),
            letter if (letter as u32) < 0x20 || letter == '\u{7f}' => {
                all.push_str(&format!("\\x{:02x}", letter as u32))
            }
            letter => all.push(letter),
        }
    }
    all.push('"');
    all
}
