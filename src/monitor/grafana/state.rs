//! The states of the alert instances of a rule: Normal, Pending, Alerting, Recovering, NoData, Error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{GrafanaRule, GrafanaVersion, OnTrouble, Outcome};
use crate::monitor::alert::{Episode, Surroundings};
use crate::monitor::sending::Sender;
use crate::promql::Labels;

/// All instances of one rule.
#[derive(Clone, Debug, Default)]
pub(in crate::monitor) struct States {
    instances: BTreeMap<Labels, Instance>,
    episodes: Vec<Episode>,
    /// What is sent to Alertmanager, if anything is.
    sender: Option<Sender>,
    /// By episode: what alerts say at this evaluation, when they are sent.
    said: BTreeMap<usize, Arc<[(String, String)]>>,
}

/// One evaluation of a rule.
pub(in crate::monitor) struct Turn<'a> {
    pub(in crate::monitor) rule: &'a GrafanaRule,
    /// The folder of its group.
    pub(in crate::monitor) folder: &'a str,
    /// In milliseconds since 1970.
    pub(in crate::monitor) now: i64,
    pub(in crate::monitor) around: &'a Surroundings<'a>,
}

#[derive(Clone, Copy, Debug)]
struct Instance {
    state: State,
    /// When it was last among the results.
    seen: i64,
}

/// The state of an instance, with the open episode.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Normal,
    Pending(usize),
    Alerting(usize),
    /// The condition is over; it is kept firing since.
    Recovering(usize, i64),
    /// NoData or Error, as alerts of their own.
    Trouble(usize),
    /// The same for less than the pending period.
    Waiting(usize),
}

impl State {
    fn episode(mut self) -> Option<usize> {
        self.episode_mut().map(|episode| *episode)
    }

    fn episode_mut(&mut self) -> Option<&mut usize> {
        match self {
            State::Normal => None,
            State::Pending(it)
            | State::Alerting(it)
            | State::Recovering(it, _)
            | State::Trouble(it)
            | State::Waiting(it) => Some(it),
        }
    }
}

impl States {
    pub(in crate::monitor) fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// From now on its alerts are sent.
    pub(in crate::monitor) fn send_to(&mut self, sender: Sender) {
        self.sender = Some(sender);
    }

    /// What was sent since it was asked last.
    pub(in crate::monitor) fn sender(&mut self) -> Option<&mut Sender> {
        self.sender.as_mut()
    }

    /// Forgets what is over and sent no longer.
    pub(in crate::monitor) fn forget_ended(&mut self) {
        let mut kept: BTreeSet<usize> = self.instances.values().filter_map(|it| it.state.episode()).collect();
        kept.extend(self.sender.iter().flat_map(Sender::episodes));
        let moved = Episode::keep(&mut self.episodes, &kept);
        if let Some(sender) = &mut self.sender {
            sender.renumber(&moved);
        }
        for instance in self.instances.values_mut() {
            if let Some(episode) = instance.state.episode_mut() {
                *episode = moved.get(episode).copied().unwrap_or(0);
            }
        }
    }

    /// Sends what is due.
    fn send(&mut self, now: i64) {
        let said = std::mem::take(&mut self.said);
        if let Some(sender) = &mut self.sender {
            let active = self.instances.values().filter_map(|instance| instance.state.episode());
            sender.turn(now, active, &self.episodes, |episode| said.get(&episode).cloned());
        }
    }

    /// Whether an instance with the labels of a series alerts, for thresholds that let go later than they take.
    pub(in crate::monitor) fn alerting(&self, series: &Labels) -> bool {
        let within = |labels: &Labels| series.iter().all(|label| labels.contains(label));
        self.instances.iter().any(|(labels, instance)| {
            within(labels) && matches!(instance.state, State::Pending(_) | State::Alerting(_) | State::Recovering(..))
        })
    }

    /// What an evaluation makes of them.
    pub(in crate::monitor) fn update(&mut self, turn: &Turn<'_>, interval: i64, outcome: Outcome) {
        let Turn { rule, now, .. } = *turn;
        match outcome {
            Outcome::Values(values) => {
                for (series, value) in values {
                    let labels = turn.labels(&series, value.unwrap_or(f64::NAN));
                    match value {
                        Some(value) => self.set(turn, labels, &series, value != 0.0, value, None),
                        None => self.trouble(turn, rule.no_data, "NoData", &rule.condition, Some(&series)),
                    }
                }
            }
            Outcome::NoData(node) => self.trouble(turn, rule.no_data, "NoData", &node, None),
            Outcome::Error(node, _) => self.trouble(turn, rule.error, "Error", &node, None),
        }
        // What was not among the results for some evaluations is over.
        let last = |state: State| match state {
            State::Trouble(_) | State::Waiting(_) if rule.grafana >= GrafanaVersion::TROUBLE_ENDS_AT_ONCE => interval,
            _ => i64::from(rule.missing_evaluations).saturating_mul(interval),
        };
        let missing: Vec<Labels> = self
            .instances
            .iter()
            .filter(|(_, instance)| instance.seen.saturating_add(last(instance.state)) <= now)
            .map(|(labels, _)| labels.clone())
            .collect();
        for labels in missing {
            if let Some(instance) = self.instances.remove(&labels) {
                self.close(instance.state, now);
            }
        }
        self.send(now);
    }

    fn close(&mut self, state: State, now: i64) {
        if let Some(episode) = state.episode().and_then(|it| self.episodes.get_mut(it)) {
            episode.resolved = Some(now);
        }
    }

    /// One instance whose condition holds or not.
    fn set(
        &mut self,
        turn: &Turn<'_>,
        labels: Labels,
        series: &Labels,
        holds: bool,
        value: f64,
        reason: Option<&'static str>,
    ) {
        let Turn { rule, now, around, .. } = *turn;
        let before = self.instances.get(&labels).map_or(State::Normal, |instance| instance.state);
        let (hold, keep) = (rule.hold.as_milliseconds() as i64, rule.keep_firing.as_milliseconds() as i64);
        let state = match (before, holds) {
            (State::Normal, false) => State::Normal,
            (State::Trouble(_) | State::Waiting(_) | State::Normal, true) => {
                self.close(before, now);
                let mut episode = Episode::begins(labels.clone(), now, value);
                episode.reason = reason;
                episode.firing = (hold == 0).then_some(now);
                self.episodes.push(episode);
                let index = self.episodes.len() - 1;
                if hold == 0 { State::Alerting(index) } else { State::Pending(index) }
            }
            (State::Pending(index), true) => {
                let lasts = self.episodes.get(index).is_some_and(|episode| now - episode.pending >= hold);
                if lasts { State::Alerting(index) } else { State::Pending(index) }
            }
            (State::Alerting(index) | State::Recovering(index, _), true) => State::Alerting(index),
            (State::Alerting(index), false) if keep > 0 => State::Recovering(index, now),
            (State::Recovering(index, since), false) if now - since < keep => State::Recovering(index, since),
            (_, false) => {
                self.close(before, now);
                State::Normal
            }
        };
        if let State::Pending(index) | State::Alerting(index) = state
            && let Some(episode) = self.episodes.get_mut(index)
        {
            let fires =
                matches!(state, State::Alerting(_)) && !matches!(before, State::Alerting(_) | State::Recovering(..));
            if self.sender.is_some() {
                self.said.insert(index, turn.annotations(series, value, around).into());
            }
            if fires || matches!(state, State::Pending(_)) {
                episode.value = value;
                episode.annotations = turn.annotations(series, value, around);
            }
            if fires {
                episode.firing.get_or_insert(now);
            }
        }
        self.instances.insert(labels, Instance { state, seen: now });
    }

    /// No data, or an error: of one series, or of the whole rule.
    fn trouble(&mut self, turn: &Turn<'_>, then: OnTrouble, reason: &'static str, node: &str, series: Option<&Labels>) {
        let none = Labels::from(Vec::new());
        let of = series.unwrap_or(&none);
        if then == OnTrouble::Tell {
            return self.tell(turn, reason, node, of);
        }
        // It happens to all instances there are; when there is none, to one without labels of a series.
        let mut all: Vec<Labels> = match series {
            Some(_) => Vec::new(),
            None => self.instances.keys().cloned().collect(),
        };
        if all.is_empty() {
            all.push(turn.labels(of, f64::NAN));
        }
        for labels in all {
            match then {
                OnTrouble::Alerting => {
                    let labels = self.as_an_alert_of_the_rule(turn, labels);
                    self.set(turn, labels.clone(), &labels, true, f64::NAN, Some(reason));
                }
                OnTrouble::Ok => self.set(turn, labels.clone(), &labels, false, f64::NAN, Some(reason)),
                OnTrouble::KeepLast | OnTrouble::Tell => self.keep(turn, labels, reason),
            }
        }
    }

    /// As it was: what fires does so on, and what is pending goes on towards firing, by the name of the rule, if it began
    /// without data too. From NoData and Error it goes back to normal, and what recovers does so. Source: `resultKeepLast` in
    /// `pkg/services/ngalert/state/state.go`; what waits is pending to it.
    fn keep(&mut self, turn: &Turn<'_>, labels: Labels, reason: &'static str) {
        let (now, hold) = (turn.now, turn.rule.hold.as_milliseconds() as i64);
        let state = self.instances.get(&labels).map_or(State::Normal, |instance| instance.state);
        let holds = matches!(state, State::Pending(_) | State::Alerting(_) | State::Waiting(_));
        let mut lasts = true;
        if let Some(episode) = state.episode().filter(|_| holds).and_then(|it| self.episodes.get_mut(it)) {
            episode.kept.get_or_insert((reason, now));
            lasts = now - episode.pending >= hold;
        }
        if matches!(state, State::Waiting(_)) && !lasts {
            self.instances.insert(labels, Instance { state, seen: now });
            return;
        }
        let labels = if holds { self.as_an_alert_of_the_rule(turn, labels) } else { labels };
        self.set(turn, labels.clone(), &labels, holds, f64::NAN, Some(reason));
    }

    /// An instance that told of trouble, or waited to, when it becomes an alert as the condition makes them: by the name of the
    /// rule. What waited is pending since it began to.
    fn as_an_alert_of_the_rule(&mut self, turn: &Turn<'_>, labels: Labels) -> Labels {
        let state = self.instances.get(&labels).map(|instance| instance.state);
        let Some(before @ (State::Trouble(_) | State::Waiting(_))) = state else { return labels };
        self.instances.remove(&labels);
        let named = turn.labels_by_name_of_rule(&labels);
        match before {
            State::Waiting(index) if !self.instances.contains_key(&named) => {
                if let Some(episode) = self.episodes.get_mut(index) {
                    episode.labels = named.clone();
                }
                self.instances.insert(named.clone(), Instance { state: State::Pending(index), seen: turn.now });
            }
            _ => self.close(before, turn.now),
        }
        named
    }

    /// An alert of its own tells of it: from Grafana 13 on when it lasts for the pending period, before at once.
    fn tell(&mut self, turn: &Turn<'_>, reason: &'static str, node: &str, series: &Labels) {
        let Turn { rule, now, around, .. } = *turn;
        let hold = match rule.grafana >= GrafanaVersion::TROUBLE_WAITS {
            true => rule.hold.as_milliseconds() as i64,
            false => 0,
        };
        // An error is a state of the instance without labels of a series: what was pending goes on, what fired fires.
        let plain = turn.labels(series, f64::NAN);
        let before =
            if reason == "Error" { self.instances.remove(&plain).map(|instance| instance.state) } else { None };
        let begun = match before {
            Some(State::Pending(index)) => self.episodes.get(index).map_or(now, |episode| episode.pending),
            _ => now,
        };
        before.into_iter().for_each(|state| self.close(state, now));
        let labels = turn.labels_of_trouble(&plain, reason, node);
        let open = self.instances.get(&labels).and_then(|instance| instance.state.episode());
        let index = open.unwrap_or_else(|| {
            let mut episode = Episode::begins(labels.clone(), begun, f64::NAN);
            episode.reason = Some(reason);
            episode.annotations = turn.annotations(series, f64::NAN, around);
            self.episodes.push(episode);
            self.episodes.len() - 1
        });
        if self.sender.is_some() {
            self.said.insert(index, turn.annotations(series, f64::NAN, around).into());
        }
        let at_once = matches!(before, Some(State::Alerting(_) | State::Recovering(..)));
        let fires = self.episodes.get_mut(index).is_some_and(|episode| {
            if at_once || now - episode.pending >= hold {
                episode.firing.get_or_insert(now);
            }
            episode.firing.is_some()
        });
        let state = if fires { State::Trouble(index) } else { State::Waiting(index) };
        self.instances.insert(labels, Instance { state, seen: now });
    }
}

impl Turn<'_> {
    /// What the annotations of the rule say.
    fn annotations(&self, series: &Labels, value: f64, around: &Surroundings<'_>) -> Vec<(String, String)> {
        let said = |(key, template): &(String, crate::monitor::Template)| {
            (key.clone(), around.expand(template, series, value))
        };
        self.rule.annotations.iter().map(said).collect()
    }

    /// The labels of an alert that tells of trouble, instead of those of the instance.
    fn labels_of_trouble(&self, plain: &Labels, reason: &str, node: &str) -> Labels {
        let mut labels: BTreeMap<Arc<str>, Arc<str>> = plain.iter().cloned().collect();
        let source = self.rule.nodes.iter().find(|it| it.name == node).map_or("", |node| node.source.as_str());
        for (key, value) in [
            ("alertname", format!("Datasource{reason}").as_str()),
            ("rulename", self.rule.title.as_str()),
            ("datasource_uid", source),
            ("ref_id", node),
        ] {
            labels.insert(key.into(), value.into());
        }
        labels.into_iter().collect()
    }

    /// The same labels with the name of the rule instead of that of the trouble.
    fn labels_by_name_of_rule(&self, labels: &Labels) -> Labels {
        let name = |(key, value): &(Arc<str>, Arc<str>)| match &**key {
            "rulename" => None,
            "alertname" => Some((key.clone(), self.rule.title.as_str().into())),
            _ => Some((key.clone(), value.clone())),
        };
        labels.iter().filter_map(name).collect()
    }

    /// The labels of an alert: those of the series, of the rule, its name and its folder.
    fn labels(&self, series: &Labels, value: f64) -> Labels {
        let mut labels: BTreeMap<Arc<str>, Arc<str>> = series.iter().cloned().collect();
        for (key, template) in &self.rule.labels {
            let text = self.around.expand(template, series, value);
            // An empty label is none for those who get the alert.
            match text.is_empty() {
                true => labels.remove(key.as_str()),
                false => labels.insert(key.as_str().into(), text.into()),
            };
        }
        if !self.folder.is_empty() {
            labels.insert("grafana_folder".into(), self.folder.into());
        }
        labels.insert("alertname".into(), self.rule.title.as_str().into());
        labels.into_iter().collect()
    }
}
