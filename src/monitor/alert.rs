//! The life of alerts: inactive, pending while the condition holds for less than `for`, firing, resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rules::AlertRule;
use super::template;
use crate::promql::{Labels, Vector};

/// What happened to an alert, and when (milliseconds since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The condition holds, not yet for long enough.
    Pending(i64),
    /// It fires.
    Firing(i64),
    /// It has ended.
    Resolved(i64),
}

/// One time an alert was active, from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// The labels of the alert, with `alertname`.
    pub labels: Labels,
    /// When the condition began to hold.
    pub pending: i64,
    /// When it fired, if it did.
    pub firing: Option<i64>,
    /// When it ended, if it did.
    pub resolved: Option<i64>,
    /// The value it had when it fired, or last.
    pub value: f64,
}

impl Episode {
    /// When it began.
    pub fn began(&self) -> i64 {
        self.pending
    }
    /// All that happened, in order. An alert without `for` is never pending.
    pub fn transitions(&self) -> Vec<Transition> {
        let mut all = Vec::new();
        if self.firing != Some(self.pending) {
            all.push(Transition::Pending(self.pending));
        }
        all.extend(self.firing.map(Transition::Firing));
        all.extend(self.resolved.map(Transition::Resolved));
        all
    }
}

/// The alerts of one rule.
#[derive(Debug, Default)]
pub(super) struct AlertState {
    /// By labels: index of the open episode, and since when the condition no longer holds while it is kept firing.
    active: BTreeMap<Labels, Active>,
    episodes: Vec<Episode>,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    episode: usize,
    gone_since: Option<i64>,
}

impl AlertState {
    /// What an evaluation makes of them. Returns the series `ALERTS` and `ALERTS_FOR_STATE` as they are now.
    pub(super) fn update(&mut self, rule: &AlertRule, vector: Vector, now: i64) -> Vector {
        let mut holds: BTreeMap<Labels, f64> = BTreeMap::new();
        for (labels, value) in vector {
            holds.insert(alert_labels(rule, &labels, value), value);
        }
        for (labels, value) in &holds {
            let episodes = &mut self.episodes;
            let active = self.active.entry(labels.clone()).or_insert_with(|| {
                episodes.push(Episode {
                    labels: labels.clone(),
                    pending: now,
                    firing: None,
                    resolved: None,
                    value: *value,
                });
                Active { episode: episodes.len() - 1, gone_since: None }
            });
            active.gone_since = None;
            let episode = &mut episodes[active.episode];
            let lasts = now - episode.pending >= rule.hold.as_milliseconds() as i64;
            if episode.firing.is_none() {
                episode.value = *value;
                if lasts {
                    episode.firing = Some(now);
                }
            }
        }
        let keep = rule.keep_firing.as_milliseconds() as i64;
        let episodes = &mut self.episodes;
        self.active.retain(|labels, active| {
            if holds.contains_key(labels) {
                return true;
            }
            let episode = &mut episodes[active.episode];
            let since = *active.gone_since.get_or_insert(now);
            if episode.firing.is_some() && keep > 0 && now - since < keep {
                return true;
            }
            // One that was only pending just goes away.
            episode.resolved = Some(now);
            false
        });
        let mut series = Vec::new();
        for (labels, active) in &self.active {
            let episode = &self.episodes[active.episode];
            let state = if episode.firing.is_some() { "firing" } else { "pending" };
            series.push((named(labels, "ALERTS", Some(state)), 1.0));
            let since = libm::floor(episode.pending as f64 / 1000.0);
            series.push((named(labels, "ALERTS_FOR_STATE", None), since));
        }
        series
    }

    pub(super) fn episodes(&self) -> &[Episode] {
        &self.episodes
    }
}

fn alert_labels(rule: &AlertRule, of: &Labels, value: f64) -> Labels {
    let mut labels: BTreeMap<Arc<str>, Arc<str>> = of.iter().filter(|(key, _)| &**key != "__name__").cloned().collect();
    for (key, text) in &rule.labels {
        let text = template::expand(text, of, value);
        match text.is_empty() {
            true => labels.remove(key.as_str()),
            false => labels.insert(key.as_str().into(), text.into()),
        };
    }
    labels.insert("alertname".into(), rule.name.as_str().into());
    labels.into_iter().collect()
}

fn named(labels: &Labels, name: &str, state: Option<&str>) -> Labels {
    let mut all: BTreeMap<Arc<str>, Arc<str>> = labels.iter().cloned().collect();
    all.insert("__name__".into(), name.into());
    if let Some(state) = state {
        all.insert("alertstate".into(), state.into());
    }
    all.into_iter().collect()
}
