//! A watch that follows a clock: rules are evaluated as soon as all that an evaluation sees is there, not at the end of a run,
//! and what is due to an Alertmanager waits for whoever posts it.

use std::collections::VecDeque;

use super::lived::AlertBar;
use super::paging::{Way, link};
use super::session::Session;
use super::watch::{Watch, Watching, instant, milliseconds};
use crate::monitor::Sending;
use crate::promql::Grid;
use crate::report::AlertLine;
use crate::time::{Calendar, Duration, Instant};

/// Alerts that wait to be posted; of more the oldest are dropped (`--alertmanager.notification-queue-capacity` of Prometheus).
const QUEUE: usize = 10_000;

/// Alerts that are over and can still be drawn; of more the oldest are forgotten.
const OVER: usize = 2_000;

/// Old samples and alerts that are over are forgotten this often.
const FORGETS: Duration = Duration::minutes(1);

/// An alert that is pending or fires.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveAlert {
    /// Its labels, with `alertname`.
    pub labels: Vec<(String, String)>,
    /// What it says to people.
    pub annotations: Vec<(String, String)>,
    /// It fires; else it is pending.
    pub fires: bool,
    /// When its condition began to hold.
    pub active_at: Instant,
    /// Its value.
    pub value: f64,
}

/// An alert that is due to an Alertmanager.
#[derive(Clone, Debug, PartialEq)]
pub struct DueAlert {
    /// Its labels, with those of the Prometheus itself.
    pub labels: Vec<(String, String)>,
    /// What it says to people.
    pub annotations: Vec<(String, String)>,
    /// When it fired.
    pub starts_at: Instant,
    /// When it ended, or until when it counts as firing if it is not sent again.
    pub ends_at: Instant,
    /// `generatorURL`: where a Prometheus would show its expression; empty for a rule of Grafana.
    pub generator_url: String,
}

/// What waits to be posted.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Sending>,
    dropped: u64,
}

impl Outbox {
    pub(super) fn take(&mut self, sent: Vec<Sending>) {
        for one in sent {
            if self.waiting.len() >= QUEUE {
                self.waiting.pop_front();
                self.dropped += 1;
            }
            self.waiting.push_back(one);
        }
    }
}

impl Watch {
    /// The rules that look back without a bound, or into their future: a watch that follows a clock cannot have them, it would
    /// have to keep every sample.
    pub fn boundless(&self) -> Vec<String> {
        self.rules.boundless(self.evaluation_interval)
    }
}

impl Watching {
    /// Evaluates what is due at an instant that is over: what is scraped at it is there.
    pub(super) fn follow(&mut self, calendar: &Calendar, now: Instant) {
        if self.outbox.is_none() {
            return;
        }
        // A server that hangs is waited for: its sample has the time at which its scrape began.
        let begun = self.places.iter().map(|place| place.waiting_since.unwrap_or(place.next));
        let Some(settled) = begun.chain([now]).min() else { return };
        let until = settled.before(Duration::milliseconds(1));
        let due = |(grid, done): (Grid, &usize)| grid.count > *done;
        let groups = (0..self.evaluations.len()).map(|group| self.grid(group, calendar, until));
        let grafana = (0..self.grafana.len()).map(|group| self.grafana_grid(group, calendar, until));
        if groups.chain(grafana).zip(&self.done).any(due) {
            self.evaluate(calendar, until);
        }
        if let Some(kept) = self.kept.filter(|_| now >= self.turn) {
            self.turn = now + FORGETS;
            self.remember_ended(calendar);
            self.monitor.forget_before(milliseconds(calendar, settled.before(kept + Duration::milliseconds(1))));
            self.monitor.forget_ended();
        }
    }

    /// Keeps what is told of alerts that are over, for a picture.
    fn remember_ended(&mut self, calendar: &Calendar) {
        let ended = self.alerts(calendar).into_iter().filter(|it| it.resolved.is_some()).map(AlertBar::from);
        for bar in ended {
            // One that is still sent is there for a while.
            if !self.over.iter().rev().any(|known| known.is(&bar)) {
                self.over.push_back(bar);
            }
        }
        while self.over.len() > OVER {
            self.over.pop_front();
        }
    }

    /// Another one that goes its own way from here on: nobody is told of what it finds.
    pub(super) fn twin(&self) -> Watching {
        Watching {
            plain: self.plain,
            monitor: self.monitor.clone(),
            begin: self.begin,
            lenient: self.lenient,
            nearest: self.nearest,
            standings: self.standings,
            places: self.places.clone(),
            evaluations: self.evaluations.clone(),
            grafana: self.grafana.clone(),
            done: self.done.clone(),
            kept: self.kept,
            turn: self.turn,
            window: self.window,
            gone: self.gone.clone(),
            sink: None,
            paged: None,
            outbox: self.outbox.as_ref().map(|_| Outbox::default()),
            over: self.over.clone(),
        }
    }

    /// When it has something to do next: a scrape, or an evaluation.
    pub(super) fn next_turn(&self, calendar: &Calendar) -> Option<Instant> {
        self.outbox.as_ref()?;
        let end = Instant::from_nanoseconds(i64::MAX / 2);
        let groups = (0..self.evaluations.len()).map(|group| self.grid(group, calendar, end));
        let grafana = (0..self.grafana.len()).map(|group| self.grafana_grid(group, calendar, end));
        let evaluations = groups.chain(grafana).zip(&self.done);
        let evaluations = evaluations.map(|(grid, done)| instant(calendar, grid.time(*done) + 1));
        evaluations.chain(self.places.iter().map(|place| place.next)).min()
    }
}

impl Session {
    /// Whether a Prometheus watches it that follows its clock.
    pub fn has_live_rules(&self) -> bool {
        self.watching.as_ref().is_some_and(|watching| watching.outbox.is_some())
    }

    /// The alerts that are pending or fire, as the last evaluations left them.
    pub fn active_alerts(&self) -> Vec<ActiveAlert> {
        let calendar = self.calendar();
        let all = self.watching.iter().flat_map(|watching| watching.monitor.episodes());
        let active = all.map(|(_, episode)| episode).filter(|episode| episode.resolved.is_none());
        let line = |episode: crate::monitor::Episode| ActiveAlert {
            labels: texts(&episode.labels),
            annotations: episode.annotations,
            fires: episode.firing.is_some(),
            active_at: instant(&calendar, episode.pending),
            value: episode.value,
        };
        active.map(line).collect()
    }

    /// What is due to an Alertmanager, the oldest first, at most so many; it waits no longer.
    pub fn due_alerts(&mut self, most: usize) -> Vec<DueAlert> {
        let calendar = self.calendar();
        let Some(way) = self.live.as_ref().map(|watch| Way::of(watch)) else { return Vec::new() };
        let Some(outbox) = self.watching.as_mut().and_then(|it| it.outbox.as_mut()) else { return Vec::new() };
        let most = most.min(outbox.waiting.len());
        let due = |sent: Sending| {
            Some(DueAlert {
                labels: way.labels(&sent)?.into_iter().collect(),
                annotations: sent.annotations.to_vec(),
                starts_at: instant(&calendar, sent.starts_at),
                ends_at: instant(&calendar, sent.ends_at),
                generator_url: link(sent.expression.as_deref()).to_string(),
            })
        };
        outbox.waiting.drain(..most).filter_map(due).collect()
    }

    /// How many alerts wait to be posted, and how many were dropped since the start, because there were too many.
    pub fn waiting_alerts(&self) -> (usize, u64) {
        let outbox = self.watching.as_ref().and_then(|it| it.outbox.as_ref());
        outbox.map_or((0, 0), |outbox| (outbox.waiting.len(), outbox.dropped))
    }
}

impl AlertBar {
    /// Whether it is the same alert, begun at the same instant.
    pub(super) fn is(&self, other: &AlertBar) -> bool {
        (self.pending, &self.alert, &self.labels) == (other.pending, &other.alert, &other.labels)
    }
}

impl From<AlertLine> for AlertBar {
    fn from(line: AlertLine) -> AlertBar {
        let AlertLine { alert, labels, pending, firing, resolved, .. } = line;
        AlertBar { alert, labels, pending, firing, resolved }
    }
}

fn texts(labels: &crate::promql::Labels) -> Vec<(String, String)> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}
