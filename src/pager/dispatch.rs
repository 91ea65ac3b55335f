//! An Alertmanager in virtual time: alerts are posted, groups wait and are told, receivers are sent notifications. One node
//! alone, whose receivers always answer well.
//!
//! What `dispatch`, `notify`, `inhibit`, `nflog` and `provider/mem` of its source do, in 0.25 and in 0.33; the differences
//! were measured on real servers (tests/pager_peers.rs). All instants are milliseconds since 1970. What is posted at an instant
//! is there before groups are looked at that are due at the same one.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::group::{self, Group, Stored};
use super::inhibit::Sources;
use super::log::{self, Entry};
use super::route::{self, Node};
use super::told::{Cause, Page, PagedAlert, Withheld};
use super::{Alert, Configuration, Integration, LabelSet, Matcher, Message, Notification, Templates, Version, message};

/// Where it is, for links in messages: nobody asks there.
pub const ADDRESS: &str = "http://alertmanager:9093";

/// How often 0.25 looks for groups that have become empty.
const MAINTENANCE: i64 = 30_000;

/// Bounds of what is remembered.
pub mod limits {
    /// Notifications.
    pub const PAGES: usize = 100_000;
    /// Alerts that were not told.
    pub const WITHHELD: usize = 100_000;
    /// Label sets.
    pub const ALERTS: usize = 100_000;
}

/// An alert as it is posted to `/api/v2/alerts`.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Its labels; empty ones count for nothing.
    pub labels: Arc<LabelSet>,
    /// Its annotations.
    pub annotations: Arc<LabelSet>,
    /// When it began; now if nobody says.
    pub starts_at: Option<i64>,
    /// When it ends; after `resolve_timeout` if nobody says.
    pub ends_at: Option<i64>,
    /// Where it comes from.
    pub generator_url: Arc<str>,
}

/// Why an alert that was posted is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has no labels.
    #[error("at least one label pair required")]
    NoLabels,
    /// It ends before it begins.
    #[error("start time must be before end time")]
    EndsBeforeItStarts,
    /// There are too many different ones.
    #[error("more than {} different alerts", limits::ALERTS)]
    TooMany,
}

/// A silence.
#[derive(Clone, Debug)]
pub struct Silence {
    /// All must hold.
    pub matchers: Vec<Matcher>,
    /// From when on (milliseconds since 1970).
    pub from: i64,
    /// Until when.
    pub until: i64,
}

/// An alert that was posted at least once.
#[derive(Debug)]
struct Known {
    labels: Arc<LabelSet>,
    /// Its groups, in the order of the routes that take it.
    groups: Arc<[usize]>,
    stored: Stored,
}

/// An Alertmanager under way.
#[derive(Debug)]
pub struct Pager {
    configuration: Arc<Configuration>,
    templates: Arc<Templates>,
    version: Version,
    silences: Vec<Silence>,
    nodes: Vec<Arc<Node>>,
    began: i64,
    alerts: Vec<Known>,
    numbers: FxHashMap<Arc<LabelSet>, usize>,
    groups: Vec<Group>,
    by_labels: FxHashMap<(usize, Arc<LabelSet>), usize>,
    /// Groups that are looked at, by when.
    due: BTreeSet<(i64, usize)>,
    sources: Vec<Sources>,
    /// By group key, receiver and integration: two routes may share a key.
    log: FxHashMap<(Arc<str>, usize, usize), Entry>,
    pages: Vec<Page>,
    withheld: Vec<Withheld>,
    /// By group, alert, receiver and integration: the entry of `withheld` that goes on.
    open: FxHashMap<(usize, usize, usize), usize>,
    lost: u64,
}

impl Pager {
    /// One that begins at an instant. The templates are those of its configuration ([`super::templates`]).
    pub fn new(
        configuration: Arc<Configuration>,
        templates: Arc<Templates>,
        version: Version,
        silences: Vec<Silence>,
        began: i64,
    ) -> Pager {
        let nodes = route::flat(&configuration);
        let sources = configuration.inhibit_rules.iter().map(|_| Sources::default()).collect();
        Pager {
            configuration,
            templates,
            version,
            silences,
            nodes,
            began,
            alerts: Vec::new(),
            numbers: FxHashMap::default(),
            groups: Vec::new(),
            by_labels: FxHashMap::default(),
            due: BTreeSet::new(),
            sources,
            log: FxHashMap::default(),
            pages: Vec::new(),
            withheld: Vec::new(),
            open: FxHashMap::default(),
            lost: 0,
        }
    }

    /// Its configuration.
    pub fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    /// What was sent, in the order of time; those of one instant in the order in which their groups came to be.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// What was not sent, and why.
    pub fn withheld(&self) -> &[Withheld] {
        &self.withheld
    }

    /// How many notifications and reasons were dropped because there were too many.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// When the next group is due.
    pub fn next(&self) -> Option<i64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Alerts are posted at an instant. All that was due before it is done first.
    ///
    /// # Errors
    /// Why one of them was not taken, the others were: its position.
    pub fn post(&mut self, at: i64, posts: &[Post]) -> Result<(), (usize, Refusal)> {
        self.run(at, false);
        let mut refused = None;
        for (position, post) in posts.iter().enumerate() {
            if let Err(why) = self.take(at, post) {
                refused.get_or_insert((position, why));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Time goes on: all that is due at an instant or before it is done.
    pub fn advance(&mut self, to: i64) {
        self.run(to, true);
    }

    fn run(&mut self, to: i64, inclusive: bool) {
        while let Some((at, group)) = self.due.first().copied()
            && (at < to || inclusive && at == to)
        {
            self.due.pop_first();
            self.flush(group, at);
        }
    }

    fn take(&mut self, at: i64, post: &Post) -> Result<(), Refusal> {
        let labels = match post.labels.values().any(String::is_empty) {
            true => Arc::new(without_empty(&post.labels)),
            false => post.labels.clone(),
        };
        if labels.is_empty() {
            return Err(Refusal::NoLabels);
        }
        let starts_at = post.starts_at.or(post.ends_at).unwrap_or(at);
        let timeout = self.configuration.resolve_timeout.as_milliseconds() as i64;
        let ends_at = post.ends_at.unwrap_or_else(|| at.saturating_add(timeout));
        if starts_at > ends_at {
            return Err(Refusal::EndsBeforeItStarts);
        }
        let (annotations, generator_url) = (post.annotations.clone(), post.generator_url.clone());
        let times_out = post.ends_at.is_none();
        let stored = Stored { annotations, starts_at, ends_at, times_out, generator_url };
        let number = self.put(labels, stored, at)?;
        let known = &self.alerts[number];
        let alerts = &self.alerts;
        for (sources, rule) in self.sources.iter_mut().zip(&self.configuration.inhibit_rules) {
            sources.posted(rule, number, &known.labels, |other| alerts[other].stored.ends_at);
        }
        for group in known.groups.clone().iter() {
            self.insert(*group, number, at);
        }
        Ok(())
    }

    /// Remembers an alert; its number.
    fn put(&mut self, labels: Arc<LabelSet>, stored: Stored, at: i64) -> Result<usize, Refusal> {
        if let Some(number) = self.numbers.get(&labels) {
            let known = &mut self.alerts[*number];
            known.stored = known.stored.merged(stored, at);
            return Ok(*number);
        }
        if self.alerts.len() >= limits::ALERTS {
            self.lost += 1;
            return Err(Refusal::TooMany);
        }
        let number = self.alerts.len();
        let nodes = route::matching(&self.nodes, &labels);
        let groups = nodes.into_iter().map(|node| self.group_of(node, &labels)).collect();
        self.alerts.push(Known { labels: labels.clone(), groups, stored });
        self.numbers.insert(labels, number);
        Ok(number)
    }

    /// The group of a route that takes alerts with these labels.
    fn group_of(&mut self, node: usize, labels: &LabelSet) -> usize {
        let labels = Arc::new(self.nodes[node].group_labels(labels));
        if let Some(index) = self.by_labels.get(&(node, labels.clone())) {
            return *index;
        }
        let key = format!("{}:{}", self.nodes[node].key, group::printed(&labels)).into();
        let index = self.groups.len();
        self.groups.push(Group::new(node, labels.clone(), key));
        self.by_labels.insert((node, labels), index);
        index
    }

    /// Puts an alert into a group of its.
    fn insert(&mut self, index: usize, number: usize, at: i64) {
        let stored = self.alerts[number].stored.clone();
        let node = self.nodes[self.groups[index].node].clone();
        let is_old = stored.starts_at.saturating_add(node.group_wait) < at;
        let (version, began) = (self.version, self.began);
        let group = &mut self.groups[index];
        let before = group.next;
        let new = group.emptied.is_some_and(|since| version >= Version::V0_33 || was_removed(since, at, began));
        if new {
            (group.flushed, group.next) = (false, at.saturating_add(node.group_wait));
        } else if group.emptied.is_some() {
            // It has gone on, with nothing in it.
            let interval = node.group_interval.max(1);
            let turns = (at - group.next).max(0).saturating_add(interval - 1).div_euclid(interval);
            group.next = group.next.saturating_add(turns.saturating_mul(interval));
        }
        // What has waited for long enough elsewhere does not wait here. 0.33 asks only the first one.
        if is_old && !group.flushed && (new || version == Version::V0_25) {
            group.next = at;
        }
        group.alerts.insert(number, stored);
        group.emptied = None;
        self.due.remove(&(before, index));
        self.due.insert((group.next, index));
    }

    /// A group is looked at.
    fn flush(&mut self, index: usize, at: i64) {
        let group = &mut self.groups[index];
        let node = self.nodes[group.node].clone();
        group.flushed = true;
        group.next = at.saturating_add(node.group_interval.max(1));
        let mut alerts: Vec<(usize, bool)> =
            group.alerts.iter().map(|(number, stored)| (*number, stored.is_resolved(at))).collect();
        alerts.sort_by(|a, b| group::order(&self.alerts[a.0].labels, &self.alerts[b.0].labels));
        let resolved: Vec<usize> = alerts.iter().filter(|it| it.1).map(|it| it.0).collect();
        let left = self.unmuted(index, &node, alerts, at);
        let told = left.is_empty() || self.tell(index, &node, &left, at);
        let group = &mut self.groups[index];
        // What has ended is let go once it was told, or was kept quiet.
        resolved.iter().filter(|_| told).for_each(|number| {
            group.alerts.remove(number);
        });
        match group.alerts.is_empty() {
            true => group.emptied = Some(at),
            false => {
                self.due.insert((group.next, index));
            }
        }
    }

    /// The alerts of a group that nothing keeps quiet at an instant. Ended ones are kept quiet like others.
    fn unmuted(&mut self, group: usize, node: &Node, alerts: Vec<(usize, bool)>, at: i64) -> Vec<(usize, bool)> {
        let mut left = Vec::with_capacity(alerts.len());
        for (number, ended) in alerts {
            match self.inhibited(number, at) {
                Some(cause) => self.withhold((group, number, ended), node.receiver, cause, at),
                None => left.push((number, ended)),
            }
        }
        let within = |name: &&String| self.is_within(name, at);
        let muting: Vec<String> = node.mute.iter().filter(within).cloned().collect();
        let cause = match node.active.is_empty() || node.active.iter().any(|name| self.is_within(name, at)) {
            false => Some(Cause::Inactive(node.active.clone())),
            true => (!muting.is_empty()).then_some(Cause::Muted(muting)),
        };
        if let Some(cause) = cause {
            left.iter().for_each(|(number, ended)| {
                self.withhold((group, *number, *ended), node.receiver, cause.clone(), at);
            });
            return Vec::new();
        }
        left.retain(|(number, ended)| match self.silenced(*number, at) {
            Some(silence) => {
                self.withhold((group, *number, *ended), node.receiver, Cause::Silenced(silence), at);
                false
            }
            None => true,
        });
        left
    }

    fn inhibited(&self, number: usize, at: i64) -> Option<Cause> {
        let labels = &self.alerts[number].labels;
        let fires = |other: usize| !self.alerts[other].stored.is_resolved(at);
        let labels_of = |other: usize| self.alerts[other].labels.clone();
        self.sources.iter().zip(&self.configuration.inhibit_rules).enumerate().find_map(|(index, (sources, rule))| {
            let by = sources.inhibitor(rule, labels, self.version, fires, labels_of)?;
            Some(Cause::Inhibited { by: labels_of(by), rule: index })
        })
    }

    fn is_within(&self, interval: &str, at: i64) -> bool {
        self.configuration.intervals.get(interval).is_some_and(|all| all.iter().any(|it| it.contains(at, self.version)))
    }

    fn silenced(&self, number: usize, at: i64) -> Option<usize> {
        let labels = &self.alerts[number].labels;
        let matches = |silence: &Silence| silence.matchers.iter().all(|matcher| matcher.matches(labels));
        self.silences.iter().position(|it| it.from <= at && at < it.until && matches(it))
    }

    /// Tells each integration of a receiver what it does not know yet. Whether none failed.
    fn tell(&mut self, index: usize, node: &Node, alerts: &[(usize, bool)], at: i64) -> bool {
        let group = &self.groups[index];
        let (key, labels) = (group.key.clone(), group.labels.clone());
        let set = |ended: bool| alerts.iter().filter(|it| it.1 == ended).map(|it| it.0).collect::<BTreeSet<usize>>();
        let (firing, resolved) = (set(false), set(true));
        let configuration = self.configuration.clone();
        let integrations = configuration.receivers.get(node.receiver).map_or(&[][..], |it| &it.integrations);
        let mut well = true;
        for (integration, of) in integrations.iter().enumerate() {
            let place = (key.clone(), node.receiver, integration);
            let entry = self.log.get(&place).filter(|entry| entry.is_kept(at, self.began));
            let why = log::reason(entry, &firing, &resolved, of.send_resolved, (at, node.repeat_interval));
            let unsent: Vec<usize> =
                resolved.iter().copied().filter(|it| !entry.is_some_and(|entry| entry.knows(*it))).collect();
            let Some(reason) = why else {
                self.withhold_all(index, &unsent, node.receiver, |_| Cause::EndedUnsent, at);
                continue;
            };
            // Who is not told that alerts have ended is not told of a group of which all have; it is noted all the same.
            if of.send_resolved || !firing.is_empty() {
                let shown = alerts.iter().filter(|it| of.send_resolved || !it.1);
                let alerts = shown.map(|it| self.shown(index, *it)).collect();
                let (group_key, group_labels, receiver) = (key.clone(), labels.clone(), node.receiver);
                let message = Message::default();
                let page = Page { at, receiver, integration, group_key, group_labels, alerts, reason, message };
                match self.message(of, &configuration.receivers[node.receiver].name, &page) {
                    Ok(message) => self.keep(Page { message, ..page }),
                    Err(why) => {
                        let all: Vec<usize> = firing.union(&resolved).copied().collect();
                        self.withhold_all(index, &all, node.receiver, |_| Cause::Failed(why.clone()), at);
                        well = false;
                        continue;
                    }
                }
            }
            let entry = Entry::new(firing.clone(), resolved.clone(), at, node.repeat_interval);
            self.log.insert(place, entry);
            if !of.send_resolved {
                let all: Vec<usize> = resolved.iter().copied().collect();
                let cause = |it| if unsent.contains(&it) { Cause::EndedUnsent } else { Cause::ResolvedNotSent };
                self.withhold_all(index, &all, node.receiver, cause, at);
            }
        }
        well
    }

    /// What a notification says.
    fn message(&self, integration: &Integration, receiver: &str, page: &Page) -> Result<Message, String> {
        let alert = |alert: &PagedAlert| Alert {
            labels: (*alert.labels).clone(),
            annotations: (*alert.annotations).clone(),
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            generator_url: alert.generator_url.clone(),
        };
        let notification = Notification {
            receiver: receiver.to_owned(),
            group_key: page.group_key.to_string(),
            group_labels: (*page.group_labels).clone(),
            alerts: page.alerts.iter().map(alert).collect(),
            reason: page.reason,
            external_url: ADDRESS.to_owned(),
            at: page.at,
        };
        message(integration, &notification, &self.templates, self.version)
    }

    /// An alert as its group knows it.
    fn shown(&self, group: usize, (number, ended): (usize, bool)) -> PagedAlert {
        let known = &self.alerts[number];
        let stored = self.groups[group].alerts.get(&number).unwrap_or(&known.stored);
        PagedAlert {
            labels: known.labels.clone(),
            annotations: stored.annotations.clone(),
            starts_at: stored.starts_at,
            ends_at: ended.then_some(stored.ends_at),
            generator_url: stored.generator_url.clone(),
        }
    }

    fn keep(&mut self, page: Page) {
        if self.pages.len() >= limits::PAGES {
            self.lost += 1;
            return;
        }
        self.pages.push(page);
    }

    fn withhold_all(
        &mut self,
        group: usize,
        ended: &[usize],
        receiver: usize,
        cause: impl Fn(usize) -> Cause,
        at: i64,
    ) {
        for number in ended {
            let resolved = self.groups[group].alerts.get(number).is_some_and(|stored| stored.is_resolved(at));
            self.withhold((group, *number, resolved), receiver, cause(*number), at);
        }
    }

    fn withhold(&mut self, place: (usize, usize, bool), receiver: usize, cause: Cause, at: i64) {
        let (group, number, ended) = place;
        let starts_at = self.groups[group].alerts.get(&number).map_or(at, |stored| stored.starts_at);
        if let Some(open) = self.open.get(&(group, number, receiver)) {
            let open = &mut self.withheld[*open];
            if open.cause == cause && open.starts_at == starts_at {
                (open.until, open.ended) = (at, ended);
                return;
            }
        }
        if self.withheld.len() >= limits::WITHHELD {
            self.lost += 1;
            return;
        }
        self.open.insert((group, number, receiver), self.withheld.len());
        let (labels, group_key) = (self.alerts[number].labels.clone(), self.groups[group].key.clone());
        self.withheld.push(Withheld { labels, starts_at, receiver, group_key, cause, from: at, until: at, ended });
    }
}

/// The routes that take an alert with these labels, in their order: the receiver, and what its group keys begin with.
pub fn routes(configuration: &Configuration, labels: &LabelSet) -> Vec<(String, String)> {
    let nodes = route::flat(configuration);
    let taken = route::matching(&nodes, labels).into_iter().filter_map(|index| nodes.get(index));
    let name =
        |node: &Arc<Node>| configuration.receivers.get(node.receiver).map(|it| it.name.clone()).unwrap_or_default();
    taken.map(|node| (name(node), node.key.clone())).collect()
}

fn without_empty(labels: &LabelSet) -> LabelSet {
    labels.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether 0.25 has removed a group that is empty since an instant: it looks for such groups at its own pace.
fn was_removed(since: i64, at: i64, began: i64) -> bool {
    let looks = |at: i64| at.saturating_sub(began).div_euclid(MAINTENANCE);
    since == group::NEVER || looks(at) > looks(since)
}
