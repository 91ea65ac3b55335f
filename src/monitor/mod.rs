//! A Prometheus in virtual time: it sees scraped samples only, evaluates rules on its own grid, and keeps the life of every
//! alert. It knows no simulator: no alert can cheat.

mod alert;
mod configuration;
mod grafana;
mod relabel;
mod rules;
mod scrape;
mod sending;
mod sink;
mod standing;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use crate::gotemplate::prometheus::Template;
#[cfg(feature = "internals")]
pub use crate::gotemplate::prometheus::{Context, GrafanaData};
pub use alert::Episode;
#[cfg(feature = "internals")]
pub use alert::Transition;
pub(crate) use configuration::RESERVED_HEADERS;
pub use configuration::{Configuration, Discovered, Discovery, Dropped, Job, Kubernetes, Located, Surrounds};
#[cfg(feature = "internals")]
pub use configuration::{OptionStanding, options as scrape_options};
#[cfg(feature = "cli")]
pub use configuration::{PathPart, path_parts};
pub(crate) use grafana::round_step;
pub use grafana::{
    Environment, GrafanaRule, GrafanaVersion, Group as GrafanaGroup, Node, NodeKind, Outside, data_sources,
    grafana_interval, provisions,
};
pub use relabel::AlertRelabel;
pub use rules::{AlertRule, Group, RecordRule, Rule, RuleSet, read as read_rules, read_with as read_rules_with};
#[cfg(feature = "internals")]
pub use scrape::Seen;
pub use scrape::{Kept, Lost, Target};
pub use sending::Sending;
pub use sink::Sink;
pub use standing::{AnyRule, Standing, Unselected};

use crate::promql::{Database, Evaluator, Expression, Grid, Labels, NO_SAMPLE, Row, Semantics, Table, Value, Vector};
use crate::time::Duration;
use alert::{AlertState, Surroundings};
use sending::Sender;
use turns::Key;

/// What a monitor is made of.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The rules.
    pub rules: RuleSet,
    /// What is scraped.
    pub targets: Vec<Target>,
    /// Which Prometheus it is.
    pub semantics: Semantics,
    /// How often groups are evaluated that say nothing else.
    pub evaluation_interval: Duration,
    /// For templates.
    pub external_labels: Vec<(String, String)>,
    /// Expressions that will be asked later.
    pub also: Vec<Expression>,
    /// Alerts are sent to an Alertmanager: [`Monitor::sent`] says which.
    pub sends: bool,
}

/// What is evaluated, and how.
#[derive(Clone, Debug)]
pub struct Monitor {
    groups: Vec<Group>,
    grafana: Vec<GrafanaGroup>,
    /// By group and rule of Grafana.
    states: BTreeMap<Key, grafana::States>,
    evaluation_interval: Duration,
    external_labels: Vec<(String, String)>,
    database: Database,
    evaluator: Evaluator,
    targets: Vec<Target>,
    /// What came of the last scrape, and when it was.
    taken: Vec<(u32, f64)>,
    taken_at: i64,
    /// How far back rules look, in milliseconds; none when there is no bound.
    reach: Option<i64>,
    /// Whether a rule reads `ALERTS` or `ALERTS_FOR_STATE`.
    reads_alerts: bool,
    /// What templates of alert rules ask for, of those that ask; none of one that may ask for anything.
    asks: BTreeMap<Key, Option<Vec<Expression>>>,
    /// Metric names the rules read; none when a selector could mean any.
    wanted: Option<Arc<BTreeSet<String>>>,
    alerts: BTreeMap<Key, AlertState>,
    /// Series that a rule wrote at its last evaluation.
    written: BTreeMap<Key, BTreeSet<u32>>,
    failures: BTreeMap<Key, String>,
    grafana_failures: BTreeMap<Key, String>,
    /// Evaluations of groups so far.
    evaluations: u64,
}

impl Monitor {
    /// A monitor of some targets with some rules.
    pub fn new(setup: Setup) -> Monitor {
        let Setup {
            rules: RuleSet { groups, grafana, .. },
            targets,
            semantics,
            evaluation_interval,
            external_labels,
            also,
            sends,
        } = setup;
        let mut wanted = Some(BTreeSet::new());
        let step = evaluation_interval.as_milliseconds() as i64;
        let mut reach = reach_of(&groups, &grafana, step);
        // Templates of Grafana ask for nothing.
        let (asks, knows) = asks(&groups);
        let of_grafana = grafana.iter().flat_map(|group| group.rules.iter().flat_map(|rule| rule.expressions()));
        let expressions = groups.iter().flat_map(|group| group.rules.iter().map(Rule::expression)).chain(&also);
        let expressions = expressions.chain(of_grafana).chain(asks.values().flatten().flatten());
        for name in expressions.flat_map(|expression| expression.selected()) {
            match (name, &mut wanted) {
                // To count new series all must be known.
                (Some(name), Some(wanted)) if name != "scrape_series_added" => {
                    wanted.insert(name);
                }
                _ => wanted = None,
            }
        }
        for expression in asks.values().flatten().flatten() {
            reach = reach.zip(expression.reach(step)).map(|(most, reach)| most.max(reach));
        }
        // A template that asks for what is made when it is expanded may ask for anything.
        if !knows {
            (wanted, reach) = (None, None);
        }
        let reads = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
        let reads_alerts = reads("ALERTS") || reads("ALERTS_FOR_STATE");
        let (alerts, states) = if sends { senders(&groups, &grafana, evaluation_interval) } else { Default::default() };
        Monitor {
            groups,
            grafana,
            states,
            evaluation_interval,
            external_labels,
            database: Database::default(),
            evaluator: Evaluator::new(semantics, step),
            targets,
            taken: Vec::new(),
            taken_at: 0,
            reach,
            reads_alerts,
            asks,
            wanted: wanted.map(Arc::new),
            alerts,
            written: BTreeMap::new(),
            failures: BTreeMap::new(),
            grafana_failures: BTreeMap::new(),
            evaluations: 0,
        }
    }

    /// The rule groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }
    /// The rule groups of Grafana.
    pub fn grafana(&self) -> &[GrafanaGroup] {
        &self.grafana
    }
    /// How often a group is evaluated.
    pub fn interval(&self, group: usize) -> Duration {
        self.groups.get(group).and_then(|group| group.interval).unwrap_or(self.evaluation_interval)
    }
    /// What was scraped and recorded.
    #[cfg(feature = "internals")]
    pub fn database(&self) -> &Database {
        &self.database
    }
    /// How far back rules look at an evaluation, in milliseconds. None when there is no bound, or when one looks into its
    /// future: all must be there then before anything is evaluated.
    pub fn reach(&self) -> Option<i64> {
        self.reach
    }
    /// Forgets samples older than an instant, in milliseconds since 1970.
    pub fn forget_before(&mut self, time: i64) {
        self.evaluator.forget();
        self.database.forget_before(time);
    }
    /// Forgets alerts that are over and sent no longer: for whoever never asks for them.
    pub fn forget_ended(&mut self) {
        self.alerts.values_mut().for_each(AlertState::forget_ended);
        self.states.values_mut().for_each(grafana::States::forget_ended);
    }
    /// Evaluations of groups so far.
    #[cfg(feature = "internals")]
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }
    /// The metrics whose samples are of use; none when all are.
    pub fn wanted(&self) -> Option<&Arc<BTreeSet<String>>> {
        self.wanted.as_ref()
    }
    /// Whether samples of a metric are of use.
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.contains(name))
    }

    /// The value of an expression at an instant. The expression must be one of those the monitor was made with, or read
    /// only what these read.
    ///
    /// # Errors
    /// Why there is none.
    pub fn ask(&self, expression: &Expression, now: i64) -> Result<Value, String> {
        self.evaluator.asked(expression, &self.database, now, now).map_err(|failure| failure.to_string())
    }

    /// The values of an expression at all instants of a grid; otherwise as [`Monitor::ask`].
    ///
    /// # Errors
    /// Why there are none.
    pub fn ask_over(&self, expression: &Expression, grid: Grid) -> Result<Table, String> {
        self.evaluator.as_it_went(expression, &self.database, grid).map_err(|failure| failure.to_string())
    }

    /// Evaluates a group at an instant, in milliseconds since 1970.
    #[cfg(feature = "internals")]
    pub fn evaluate(&mut self, group: usize, now: i64) {
        self.evaluator.forget();
        self.evaluations += 1;
        self.evaluate_group(group, now);
    }

    fn evaluate_group(&mut self, group: usize, now: i64) {
        let rules = self.groups.get(group).map_or(0, |group| group.rules.len());
        (0..rules).for_each(|index| self.evaluate_rule((group, index), now));
    }

    fn evaluate_rule(&mut self, key: Key, now: i64) {
        let rule = &self.groups[key.0].rules[key.1];
        let asked = now - self.groups[key.0].offset();
        let vector = match self.evaluator.asked(rule.expression(), &self.database, asked, now) {
            Ok(Value::Vector(vector)) => Ok(vector),
            Ok(Value::Scalar(value)) => Ok(vec![(Labels::from(Vec::new()), value)]),
            Ok(Value::Text(_)) => Err("the expression gives a text".to_owned()),
            Err(failure) => Err(failure.to_string()),
        };
        self.take(key, vector, now);
    }

    /// Whether nothing follows from an evaluation of a rule that gives nothing: no alert is active, no series was written.
    fn is_quiet(&self, key: Key) -> bool {
        self.alerts.get(&key).is_none_or(AlertState::is_quiet) && self.written.get(&key).is_none_or(BTreeSet::is_empty)
    }

    /// What an evaluation of a rule leads to.
    fn take(&mut self, key: Key, vector: Result<Vector, String>, now: i64) {
        let group = &self.groups[key.0];
        let written = now - group.offset();
        let outcome = vector.and_then(|vector| match &group.rules[key.1] {
            Rule::Record(rule) => {
                let of = |(of, value)| (recorded(&of, &rule.name, &rule.labels), value);
                let output: Vector = vector.into_iter().map(of).collect();
                let different: BTreeSet<&Labels> = output.iter().map(|(labels, _)| labels).collect();
                match (different.len() == output.len(), group.limit) {
                    (false, _) => {
                        Err("vector contains metrics with the same labelset after applying rule labels".into())
                    }
                    (true, limit) if limit > 0 && output.len() > limit => {
                        Err(format!("exceeded limit of {limit} with {} series", output.len()))
                    }
                    _ => Ok(output),
                }
            }
            Rule::Alert(rule) => {
                let step = self.evaluation_interval.as_milliseconds() as i64;
                let query = |text: &str| {
                    let expression = Expression::parse(text)?;
                    if !is_kept(&expression, self.wanted.as_deref(), self.reach, step) {
                        return Err(format!("`{text}` reads what the template does not name: it was not kept"));
                    }
                    query(&self.evaluator, &self.database, &expression, now)
                };
                let around = Surroundings { external_labels: &self.external_labels, query: &query, grafana: None };
                let state = self.alerts.entry(key).or_default();
                state.update(rule, &vector, now, group.limit, &around)?;
                Ok(if self.reads_alerts { state.series() } else { Vec::new() })
            }
        });
        match outcome {
            Ok(output) => self.write(key, output, written),
            // A rule that fails leaves everything as it was.
            Err(why) => {
                self.failures.entry(key).or_insert(why);
            }
        }
    }

    /// Evaluates the rules of a group of Grafana at an instant.
    pub fn evaluate_grafana(&mut self, group: usize, now: i64) {
        self.evaluations += 1;
        let Some(group_of) = self.grafana.get(group) else { return };
        for (index, rule) in group_of.rules.iter().enumerate().filter(|(_, rule)| !rule.paused) {
            let key = (group, index);
            let mut states = self.states.remove(&key).unwrap_or_default();
            let (known, failure) =
                rule.nodes_at(&self.evaluator, &self.database, now, &|series| states.alerting(series));
            let outcome = rule.outcome(&known, failure);
            if let grafana::Outcome::Error(node, why) = &outcome {
                let text = format!("{node}: {why}");
                self.grafana_failures.entry(key).or_insert(text);
            }
            // Of trouble there are no values.
            let told = if matches!(outcome, grafana::Outcome::Values(_)) { known.as_slice() } else { &[] };
            let data = |series: &Labels| rule.data(told, series, &group_of.folder);
            let around = Surroundings { external_labels: &[], query: &|_| Ok(Vec::new()), grafana: Some(&data) };
            let interval = group_of.interval.as_milliseconds() as i64;
            let turn = grafana::Turn { rule, folder: &group_of.folder, now, around: &around };
            states.update(&turn, interval, outcome);
            self.states.insert(key, states);
        }
    }

    /// The values of a node of a rule of Grafana at each instant of a grid, by labels.
    pub fn node_over(&self, rule: &GrafanaRule, node: &str, grid: Grid) -> Vec<Row> {
        let mut rows: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
        for (index, now) in grid.times().enumerate() {
            let (known, _) = rule.nodes_at(&self.evaluator, &self.database, now, &|_| false);
            for (labels, value) in grafana::numbers_of(&known, node) {
                let row = rows.entry(labels).or_insert_with(|| vec![NO_SAMPLE; grid.count]);
                row[index] = value;
            }
        }
        rows.into_iter().map(|(labels, values)| Row { labels, values }).collect()
    }

    /// The instants of a grid at which a rule of Grafana finds no data, or fails, and leaves everything as it was, as
    /// `KeepLast` says; and why, in words.
    pub fn kept_over(&self, rule: &GrafanaRule, grid: Grid) -> Vec<(i64, String)> {
        let keeps = |then: grafana::OnTrouble| then == grafana::OnTrouble::KeepLast;
        if !keeps(rule.no_data) && !keeps(rule.error) {
            return Vec::new();
        }
        let kept = |now: i64| {
            let (known, failure) = rule.nodes_at(&self.evaluator, &self.database, now, &|_| false);
            match rule.outcome(&known, failure) {
                grafana::Outcome::NoData(node) if keeps(rule.no_data) => Some((now, format!("{node} finds no data"))),
                grafana::Outcome::Error(node, why) if keeps(rule.error) => Some((now, format!("{node} fails: {why}"))),
                _ => None,
            }
        };
        grid.times().filter_map(kept).collect()
    }

    /// Writes what a rule gave, and markers for what it gives no longer.
    fn write(&mut self, key: Key, output: Vector, now: i64) {
        let before = self.written.get(&key);
        if output.is_empty() && before.is_none_or(BTreeSet::is_empty) {
            return;
        }
        let mut written = BTreeSet::new();
        for (labels, value) in output {
            let series = self.database.series(&labels);
            self.database.append(series, now, value);
            written.insert(series);
        }
        for series in before.into_iter().flat_map(|before| before.difference(&written)) {
            self.database.append(*series, now, NO_SAMPLE);
        }
        self.written.insert(key, written);
    }

    /// The life of every alert: rule name, and its episodes in the order of time.
    pub fn episodes(&self) -> Vec<(String, Episode)> {
        let mut all: Vec<(String, Episode)> = Vec::new();
        for (&(group, index), state) in &self.alerts {
            if let Some(Rule::Alert(rule)) = self.groups.get(group).and_then(|group| group.rules.get(index)) {
                all.extend(state.episodes().iter().map(|episode| (rule.name.clone(), episode.clone())));
            }
        }
        // Their names are those of their alerts: of trouble there are alerts of their own.
        let name_of = |episode: &Episode| {
            let name = episode.labels.iter().find(|(key, _)| &**key == "alertname");
            name.map_or(String::new(), |(_, name)| name.to_string())
        };
        for states in self.states.values() {
            all.extend(states.episodes().iter().map(|episode| (name_of(episode), episode.clone())));
        }
        all.sort_by(|a, b| (a.1.began(), &a.0, &a.1.labels).cmp(&(b.1.began(), &b.0, &b.1.labels)));
        all
    }

    /// What was sent to Alertmanager since this was asked last, in the order of time; at one instant in the order of the rules.
    /// Nothing, unless the monitor was made to send.
    pub fn sent(&mut self) -> Vec<Sending> {
        let of_prometheus = self.alerts.values_mut().filter_map(AlertState::sender);
        let of_grafana = self.states.values_mut().filter_map(grafana::States::sender);
        let mut all: Vec<Sending> = of_prometheus.chain(of_grafana).flat_map(Sender::taken).collect();
        all.sort_by_key(|sent| sent.at);
        all
    }

    /// Whether one of these expressions ever had an answer only because of what a comparison left out.
    pub fn leans_on_filter(&self, rule: &AnyRule<'_>) -> bool {
        rule.expressions().into_iter().any(|expression| self.evaluator.leans_on_filter(expression))
    }

    /// Rules that could not be evaluated at least once: name, and why the first time.
    pub fn failures(&self) -> Vec<(String, String)> {
        let prometheus = self.failures.iter().filter_map(|(&(group, index), why)| {
            let rule = self.groups.get(group)?.rules.get(index)?;
            Some((rule.name().to_owned(), why.clone()))
        });
        let grafana = self.grafana_failures.iter().filter_map(|(&(group, index), why)| {
            let rule = self.grafana.get(group)?.rules.get(index)?;
            Some((rule.title.clone(), why.clone()))
        });
        prometheus.chain(grafana).collect()
    }
}

/// Who sends the alerts of each alert rule, and of each rule of Grafana.
fn senders(
    groups: &[Group],
    grafana: &[GrafanaGroup],
    interval: Duration,
) -> (BTreeMap<Key, AlertState>, BTreeMap<Key, grafana::States>) {
    (prometheus_senders(groups, interval), grafana_senders(grafana))
}

fn prometheus_senders(groups: &[Group], interval: Duration) -> BTreeMap<Key, AlertState> {
    let mut all = BTreeMap::new();
    for (group, of) in groups.iter().enumerate() {
        let interval = of.interval.unwrap_or(interval).as_milliseconds() as i64;
        for (index, rule) in of.rules.iter().enumerate() {
            if let Rule::Alert(rule) = rule {
                let mut state = AlertState::default();
                state.send_to(Sender::new(interval, Some(rule.expression.text().into())));
                all.insert((group, index), state);
            }
        }
    }
    all
}

fn grafana_senders(groups: &[GrafanaGroup]) -> BTreeMap<Key, grafana::States> {
    let mut all = BTreeMap::new();
    for (group, of) in groups.iter().enumerate() {
        for index in 0..of.rules.len() {
            let mut states = grafana::States::default();
            let interval = of.interval.as_milliseconds() as i64;
            states.send_to(Sender::new(interval, None));
            all.insert((group, index), states);
        }
    }
    all
}

/// How far back some rules look, if there is a bound.
fn reach_of(groups: &[Group], grafana: &[GrafanaGroup], step: i64) -> Option<i64> {
    let rules = groups.iter().flat_map(|group| {
        group.rules.iter().map(move |rule| Some(rule.expression().reach(step)?.saturating_add(group.offset())))
    });
    let nodes = grafana.iter().flat_map(|group| &group.rules).flat_map(|rule| &rule.nodes);
    let of_grafana = nodes.filter_map(|node| match &node.kind {
        NodeKind::Instant(expression, back) => Some((expression, *back)),
        // It begins on a multiple of its step.
        NodeKind::Range { expression, from, step, .. } => Some((expression, *from + *step)),
        _ => None,
    });
    let of_grafana = of_grafana
        .map(|(expression, back)| Some(expression.reach(step)?.saturating_add(back.as_milliseconds() as i64)));
    rules.chain(of_grafana).try_fold(0, |most, reach| Some(most.max(reach?)))
}

impl RuleSet {
    /// The rules that look back without a bound, or into their future, where subqueries that name no step have this one; also
    /// alert rules whose templates may ask for anything.
    pub fn boundless(&self, step: Duration) -> Vec<String> {
        let step = step.as_milliseconds() as i64;
        let (asks, _) = asks(&self.groups);
        let templates = |key: &Key| {
            let bounded = |asked: &Vec<Expression>| asked.iter().all(|it| it.reach(step).is_some());
            asks.get(key).is_none_or(|asked| asked.as_ref().is_some_and(bounded))
        };
        let mut all = Vec::new();
        for (group, of) in self.groups.iter().enumerate() {
            let rules = of.rules.iter().enumerate();
            let wide = rules.filter(|(at, rule)| rule.expression().reach(step).is_none() || !templates(&(group, *at)));
            all.extend(wide.map(|(_, rule)| rule.name().to_owned()));
        }
        let of_grafana = self.grafana.iter().flat_map(|group| &group.rules);
        let wide = of_grafana.filter(|rule| rule.expressions().any(|it| it.reach(step).is_none()));
        all.extend(wide.map(|rule| rule.title.clone()));
        all
    }
}

/// The labels of a recorded series.
fn recorded(of: &Labels, name: &str, labels: &[(String, String)]) -> Labels {
    let mut all: BTreeMap<Arc<str>, Arc<str>> = of.iter().cloned().collect();
    all.insert("__name__".into(), name.into());
    for (key, value) in labels {
        match value.is_empty() {
            true => all.remove(key.as_str()),
            false => all.insert(key.as_str().into(), value.as_str().into()),
        };
    }
    all.into_iter().collect()
}

/// Whether all that an expression reads was kept: the text of a label that was put into it may have made another one of it.
fn is_kept(expression: &Expression, wanted: Option<&BTreeSet<String>>, reach: Option<i64>, step: i64) -> bool {
    let named = |wanted: &BTreeSet<String>| {
        expression.selected().iter().all(|name| name.as_ref().is_some_and(|name| wanted.contains(name)))
    };
    wanted.is_none_or(named) && reach.is_none_or(|reach| expression.reach(step).is_some_and(|it| it <= reach))
}

/// What a template asks for.
fn query(evaluator: &Evaluator, database: &Database, asked: &Expression, now: i64) -> Result<Vector, String> {
    match evaluator.asked(asked, database, now, now) {
        Ok(Value::Vector(vector)) => Ok(vector),
        Ok(Value::Scalar(value)) => Ok(vec![(Labels::from(Vec::new()), value)]),
        Ok(Value::Text(_)) => Err("query result is neither a vector nor a scalar".to_owned()),
        Err(failure) => Err(failure.to_string()),
    }
}

/// What templates of alert rules ask for, of those that ask, and whether it is known of all.
fn asks(groups: &[Group]) -> (BTreeMap<Key, Option<Vec<Expression>>>, bool) {
    let mut all = BTreeMap::new();
    for (group, rules) in groups.iter().enumerate() {
        for (index, rule) in rules.rules.iter().enumerate() {
            let Rule::Alert(rule) = rule else { continue };
            let mut asked = Some(Vec::new());
            for (_, template) in rule.labels.iter().chain(&rule.annotations) {
                asked = asked.zip(template.asks()).map(|(all, more)| [all, more].concat());
            }
            if asked.as_ref().is_none_or(|asked| !asked.is_empty()) {
                all.insert((group, index), asked);
            }
        }
    }
    let knows = all.values().all(Option::is_some);
    (all, knows)
}
