//! The life of alerts: inactive, pending while the condition holds for less than `for`, firing, resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::rules::AlertRule;
use super::sending::Sender;
use crate::gotemplate::prometheus::{Context, GrafanaData, Template};
use crate::promql::{Labels, Vector};

/// What happened to an alert, and when (milliseconds since 1970).
#[cfg(feature = "internals")]
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
    /// What it says to people, as it was when it fired, or last.
    pub annotations: Vec<(String, String)>,
    /// Why it is active when that is not its condition: `NoData` or `Error` of a Grafana rule.
    pub reason: Option<&'static str>,
    /// When the condition began to hold.
    pub pending: i64,
    /// When it fired, if it did.
    pub firing: Option<i64>,
    /// When it ended, if it did.
    pub resolved: Option<i64>,
    /// The value it had when it fired, or last.
    pub value: f64,
    /// Why and since when it is only kept as it was: `NoData` or `Error` of a Grafana rule whose state for it is KeepLast.
    pub kept: Option<(&'static str, i64)>,
}

impl Episode {
    /// One that begins.
    pub(super) fn begins(labels: Labels, now: i64, value: f64) -> Episode {
        let (annotations, reason, kept) = (Vec::new(), None, None);
        Episode { labels, annotations, reason, pending: now, firing: None, resolved: None, value, kept }
    }
    /// Keeps some of many: where each of these is now.
    pub(super) fn keep(all: &mut Vec<Episode>, kept: &BTreeSet<usize>) -> BTreeMap<usize, usize> {
        let mut index = 0..;
        all.retain(|_| index.next().is_some_and(|index| kept.contains(&index)));
        kept.iter().enumerate().map(|(now, before)| (*before, now)).collect()
    }

    /// When it began.
    pub fn began(&self) -> i64 {
        self.pending
    }
    /// All that happened, in order. An alert without `for` is never pending.
    #[cfg(feature = "internals")]
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

/// What the templates of an alert can speak of besides its labels and value.
pub(super) struct Surroundings<'a> {
    pub(super) external_labels: &'a [(String, String)],
    pub(super) query: &'a dyn Fn(&str) -> Result<Vector, String>,
    /// What templates of Grafana speak of for a series.
    pub(super) grafana: Option<&'a dyn Fn(&Labels) -> GrafanaData>,
}

impl Surroundings<'_> {
    /// What a template says of a series; what goes wrong is said in its place, as Prometheus does, or it keeps its text, as
    /// Grafana does.
    pub(super) fn expand(&self, template: &Template, labels: &Labels, value: f64) -> String {
        if template.is_plain() {
            return template.text().to_owned();
        }
        let grafana = self.grafana.map(|of| of(labels));
        let (external_labels, query) = (self.external_labels, self.query);
        let context = Context { labels, value, grafana: grafana.as_ref(), external_labels, query };
        template.expand(&context).unwrap_or_else(|why| match template.is_of_grafana() {
            true => template.text().to_owned(),
            false => format!("<error expanding template: {why}>"),
        })
    }
}

/// The alerts of one rule. Each label set has a number, so that what goes on from one evaluation to the next costs little.
#[derive(Clone, Debug, Default)]
pub(super) struct AlertState {
    /// Numbers of the label sets there were.
    numbers: IndexMap<Labels, usize, FxBuildHasher>,
    /// By the labels of a series: the number of its alert, where that depends on these alone.
    known: IndexMap<Labels, usize, FxBuildHasher>,
    /// By number: the open episode.
    open: Vec<Option<Active>>,
    /// Numbers with an open episode.
    active: Vec<usize>,
    episodes: Vec<Episode>,
    /// What is sent to Alertmanager, if anything is.
    sender: Option<Sender>,
}

/// What the condition of an alert held for at this evaluation.
struct Held<'a> {
    number: usize,
    series: &'a Labels,
    value: f64,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    /// Index of the episode.
    episode: usize,
    /// The last evaluation at which the condition held.
    held: i64,
    /// Since when it no longer holds while it is kept firing.
    gone_since: Option<i64>,
}

impl AlertState {
    /// The number of the alert that a series gives.
    fn number(
        &mut self,
        rule: &AlertRule,
        labels_only: bool,
        series: &Labels,
        value: f64,
        around: &Surroundings<'_>,
    ) -> usize {
        if let Some(number) = self.known.get(series) {
            return *number;
        }
        let labels = alert_labels(rule, series, value, around);
        let next = self.open.len();
        let number = *self.numbers.entry(labels).or_insert(next);
        if number == next {
            self.open.push(None);
        }
        if labels_only {
            self.known.insert(series.clone(), number);
        }
        number
    }

    /// What an evaluation makes of them.
    ///
    /// # Errors
    /// Two series give the same alert, which changes nothing; or more would be active than the limit of the group, and all
    /// are forgotten: those that were active end, and those that would begin never were.
    pub(super) fn update(
        &mut self,
        rule: &AlertRule,
        vector: &Vector,
        now: i64,
        limit: usize,
        around: &Surroundings<'_>,
    ) -> Result<(), String> {
        let labels_only = rule.labels.iter().all(|(_, template)| template.labels_only());
        let holding: Vec<usize> =
            vector.iter().map(|(series, value)| self.number(rule, labels_only, series, *value, around)).collect();
        let mut sorted = holding.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("vector contains metrics with the same labelset after applying alert labels".into());
        }
        let keep = rule.keep_firing.as_milliseconds() as i64;
        let kept = self
            .active
            .iter()
            .filter(|number| sorted.binary_search(number).is_err() && self.is_kept(**number, keep, now));
        let count = sorted.len() + kept.count();
        if limit > 0 && count > limit {
            for number in std::mem::take(&mut self.active) {
                if let Some(active) = self.open[number].take() {
                    self.episodes[active.episode].resolved = Some(now);
                }
            }
            if let Some(sender) = &mut self.sender {
                sender.forget();
            }
            return Err(format!("exceeded limit of {limit} with {count} alerts"));
        }
        for (number, (series, value)) in holding.iter().zip(vector) {
            self.holds(*number, rule, (series, *value), now, around);
        }
        self.let_go(keep, now);
        if self.sender.is_some() {
            let held = holding.iter().zip(vector);
            let held = held.map(|(number, (series, value))| Held { number: *number, series, value: *value });
            self.send(rule, held.collect(), now, around);
        }
        Ok(())
    }

    /// From now on its alerts are sent.
    pub(super) fn send_to(&mut self, sender: Sender) {
        self.sender = Some(sender);
    }

    /// What was sent since it was asked last.
    pub(super) fn sender(&mut self) -> Option<&mut Sender> {
        self.sender.as_mut()
    }

    /// Sends what is due. An alert says what its rule says of it at this very evaluation.
    fn send(&mut self, rule: &AlertRule, held: Vec<Held<'_>>, now: i64, around: &Surroundings<'_>) {
        let Some(sender) = &mut self.sender else { return };
        let open = &self.open;
        let episode_of = |number: usize| open.get(number).copied().flatten().map(|active| active.episode);
        let mut by_episode: BTreeMap<usize, &Held<'_>> = BTreeMap::new();
        by_episode.extend(held.iter().filter_map(|it| Some((episode_of(it.number)?, it))));
        let says = |episode: usize| {
            let it = by_episode.get(&episode)?;
            let said =
                |(key, template): &(String, Template)| (key.clone(), around.expand(template, it.series, it.value));
            Some(rule.annotations.iter().map(said).collect())
        };
        sender.turn(now, self.active.iter().filter_map(|number| episode_of(*number)), &self.episodes, says);
    }

    /// Whether an alert whose condition no longer holds is kept firing.
    fn is_kept(&self, number: usize, keep: i64, now: i64) -> bool {
        self.open[number].is_some_and(|active| {
            let since = active.gone_since.unwrap_or(now);
            self.episodes[active.episode].firing.is_some() && keep > 0 && now - since < keep
        })
    }

    /// The condition of an alert holds: it begins, goes on, or fires.
    fn holds(
        &mut self,
        number: usize,
        rule: &AlertRule,
        (series, value): (&Labels, f64),
        now: i64,
        around: &Surroundings<'_>,
    ) {
        let active = match &mut self.open[number] {
            Some(active) => active,
            none => {
                let labels = self.numbers.get_index(number).map(|(labels, _)| labels.clone());
                self.episodes.push(Episode::begins(labels.unwrap_or_else(|| series.clone()), now, value));
                self.active.push(number);
                none.insert(Active { episode: self.episodes.len() - 1, held: now, gone_since: None })
            }
        };
        (active.held, active.gone_since) = (now, None);
        let episode = &mut self.episodes[active.episode];
        if episode.firing.is_some() {
            return;
        }
        let lasts = now - episode.pending >= rule.hold.as_milliseconds() as i64;
        episode.value = value;
        if lasts {
            episode.firing = Some(now);
        }
        if lasts || episode.pending == now {
            let said = |(key, template): &(String, Template)| (key.clone(), around.expand(template, series, value));
            episode.annotations = rule.annotations.iter().map(said).collect();
        }
    }

    /// Ends what no longer holds, unless it is kept firing for so long.
    fn let_go(&mut self, keep: i64, now: i64) {
        let mut active = std::mem::take(&mut self.active);
        active.retain(|number| {
            let kept = self.is_kept(*number, keep, now);
            let Some(active) = &mut self.open[*number] else { return false };
            if active.held == now {
                return true;
            }
            active.gone_since.get_or_insert(now);
            if !kept {
                // One that was only pending just goes away.
                self.episodes[active.episode].resolved = Some(now);
                self.open[*number] = None;
            }
            kept
        });
        self.active = active;
    }

    /// The series `ALERTS` and `ALERTS_FOR_STATE` as they are now.
    pub(super) fn series(&self) -> Vector {
        let mut series = Vec::new();
        for active in self.active.iter().filter_map(|number| self.open[*number]) {
            let episode = &self.episodes[active.episode];
            let labels = &episode.labels;
            let state = if episode.firing.is_some() { "firing" } else { "pending" };
            series.push((named(labels, "ALERTS", Some(state)), 1.0));
            let since = f64::floor(episode.pending as f64 / 1000.0);
            series.push((named(labels, "ALERTS_FOR_STATE", None), since));
        }
        series
    }

    /// Forgets what is over and sent no longer, and the label sets of what is not active.
    pub(super) fn forget_ended(&mut self) {
        let open: Vec<Active> = self.active.iter().filter_map(|number| self.open[*number]).collect();
        let mut kept: BTreeSet<usize> = open.iter().map(|active| active.episode).collect();
        kept.extend(self.sender.iter().flat_map(Sender::episodes));
        let moved = Episode::keep(&mut self.episodes, &kept);
        if let Some(sender) = &mut self.sender {
            sender.renumber(&moved);
        }
        let labels = |number: &usize| self.numbers.get_index(*number).map(|(labels, _)| labels.clone());
        let labels: Vec<Labels> = self.active.iter().filter_map(labels).collect();
        self.numbers = labels.into_iter().enumerate().map(|(number, labels)| (labels, number)).collect();
        let renumbered =
            |active: Active| Active { episode: moved.get(&active.episode).copied().unwrap_or(0), ..active };
        self.open = open.into_iter().map(|active| Some(renumbered(active))).collect();
        self.active = (0..self.open.len()).collect();
        self.known.clear();
    }

    /// Whether none is active, and none is left to be told of.
    pub(super) fn is_quiet(&self) -> bool {
        self.active.is_empty() && self.sender.as_ref().is_none_or(Sender::is_quiet)
    }

    pub(super) fn episodes(&self) -> &[Episode] {
        &self.episodes
    }
}

fn alert_labels(rule: &AlertRule, of: &Labels, value: f64, around: &Surroundings<'_>) -> Labels {
    let mut labels: BTreeMap<Arc<str>, Arc<str>> = of.iter().filter(|(key, _)| &**key != "__name__").cloned().collect();
    for (key, template) in &rule.labels {
        let text = around.expand(template, of, value);
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
