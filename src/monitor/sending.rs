//! What is sent to Alertmanager, and when: each alert that fires again and again while it does, one that has ended for a
//! quarter of an hour.
//!
//! As `rules/alerting.go` of Prometheus does: an alert is sent when it fires, then whenever the last time is more than a minute
//! ago (`--rules.alert.resend-delay`), with an end that lies four times that or four evaluations ahead. Grafana
//! (`pkg/services/ngalert/state`) waits for half a minute, and does not wait for more than that.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::alert::Episode;
use crate::promql::Labels;

/// How long an alert that has ended is still sent, in milliseconds.
const RETENTION: i64 = 15 * 60_000;

/// An alert as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sending {
    /// When (milliseconds since 1970).
    pub at: i64,
    /// Its labels, with `alertname`.
    pub labels: Labels,
    /// Its annotations, as they are then.
    pub annotations: Arc<[(String, String)]>,
    /// When it fired.
    pub starts_at: i64,
    /// When it ended, or until when it counts as firing if it is not sent again.
    pub ends_at: i64,
    /// The expression of its rule; none of a rule of Grafana, whose alerts pass through no Prometheus.
    pub expression: Option<Arc<str>>,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    Prometheus,
    Grafana,
}

impl Sends {
    /// How long it waits before it sends an alert again, in milliseconds.
    const fn delay(self) -> i64 {
        match self {
            Sends::Prometheus => 60_000,
            Sends::Grafana => 30_000,
        }
    }

    /// Whether what was sent at one instant is sent again at another one.
    fn again(self, last: i64, now: i64) -> bool {
        let waited = now - last;
        match self {
            Sends::Prometheus => waited > self.delay(),
            Sends::Grafana => waited >= self.delay(),
        }
    }
}

/// What one rule has sent.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    who: Sends,
    /// How often the rule is evaluated, in milliseconds.
    interval: i64,
    expression: Option<Arc<str>>,
    /// By the labels of the alert: those that are active, and those that have ended and are still sent.
    known: IndexMap<Labels, Known, FxBuildHasher>,
    sent: Vec<Sending>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Which of its times it is.
    episode: usize,
    /// When it was active last.
    seen: i64,
    /// When it was sent last.
    last: Option<i64>,
    annotations: Arc<[(String, String)]>,
}

impl Sender {
    /// Of a rule of Prometheus with this expression, else of one of Grafana.
    pub(super) fn new(interval: i64, expression: Option<Arc<str>>) -> Sender {
        let who = if expression.is_some() { Sends::Prometheus } else { Sends::Grafana };
        Sender { who, interval, expression, known: IndexMap::default(), sent: Vec::new() }
    }

    /// Whether nothing is left to be sent.
    pub(super) fn is_quiet(&self) -> bool {
        self.known.is_empty()
    }

    /// The episodes that it still speaks of.
    pub(super) fn episodes(&self) -> impl Iterator<Item = usize> {
        self.known.values().map(|known| known.episode)
    }

    /// Its episodes have other numbers now; none of them is gone.
    pub(super) fn renumber(&mut self, moved: &BTreeMap<usize, usize>) {
        self.known.values_mut().for_each(|known| known.episode = moved.get(&known.episode).copied().unwrap_or(0));
    }

    /// Everything is forgotten: nobody hears that it has ended.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// What was sent since it was asked last.
    pub(super) fn taken(&mut self) -> std::vec::Drain<'_, Sending> {
        self.sent.drain(..)
    }

    /// An evaluation is over: these episodes are active, in their order. `says` gives the annotations of one whose condition
    /// holds; one that is only kept firing says what it said last.
    pub(super) fn turn(
        &mut self,
        now: i64,
        active: impl IntoIterator<Item = usize>,
        episodes: &[Episode],
        says: impl Fn(usize) -> Option<Arc<[(String, String)]>>,
    ) {
        for episode in active {
            let Some(of) = episodes.get(episode) else { continue };
            let new = || Known { episode, seen: now, last: None, annotations: Arc::from([]) };
            let known = self.known.entry(of.labels.clone()).or_insert_with(new);
            if known.episode != episode {
                *known = new();
            }
            known.seen = now;
            let Some(starts_at) = of.firing else { continue };
            if let Some(said) = says(episode) {
                known.annotations = said;
            }
            if known.last.is_none_or(|last| self.who.again(last, now)) {
                known.last = Some(now);
                let ends_at = now + 4 * self.interval.max(self.who.delay());
                let (labels, annotations) = (of.labels.clone(), known.annotations.clone());
                let expression = self.expression.clone();
                self.sent.push(Sending { at: now, labels, annotations, starts_at, ends_at, expression });
            }
        }
        self.ended(now, episodes);
    }

    /// Those that are over: told at once, then again, then let go. What was only pending is never told.
    fn ended(&mut self, now: i64, episodes: &[Episode]) {
        let (who, sent, expression) = (self.who, &mut self.sent, &self.expression);
        self.known.retain(|labels, known| {
            if known.seen == now {
                return true;
            }
            let of = episodes.get(known.episode).and_then(|of| of.firing.zip(of.resolved));
            let Some((starts_at, ends_at)) = of.filter(|(_, ends_at)| now - ends_at <= RETENTION) else { return false };
            if known.last.is_none_or(|last| ends_at > last || who.again(last, now)) {
                known.last = Some(now);
                let (labels, annotations) = (labels.clone(), known.annotations.clone());
                let expression = expression.clone();
                sent.push(Sending { at: now, labels, annotations, starts_at, ends_at, expression });
            }
            true
        });
    }
}
