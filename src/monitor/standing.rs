//! How each rule stands: what it has done so far, and why it has done nothing.

use std::collections::BTreeSet;

use super::turns::Key;
use super::{AlertRule, Episode, GrafanaRule, Monitor, RecordRule, Rule};
use crate::promql::{AskedLabel, Expression, Labels, Part, PartKind};

/// A rule of either kind.
#[derive(Clone, Copy, Debug)]
pub enum AnyRule<'a> {
    /// `alert`.
    Alert(&'a AlertRule),
    /// `record`.
    Record(&'a RecordRule),
    /// A rule of Grafana.
    Grafana(&'a GrafanaRule),
}

/// How a rule stands.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The rule.
    pub rule: AnyRule<'a>,
    /// The name of its group.
    pub group: &'a str,
    /// Its place among the groups of its kind.
    pub at: usize,
    /// The lives of its alerts.
    pub episodes: &'a [Episode],
    /// Whether it wrote a series.
    pub wrote: bool,
    /// Why it could not be evaluated the first time that it could not.
    pub failure: Option<&'a str>,
}

impl<'a> AnyRule<'a> {
    /// Its name.
    pub fn name(self) -> &'a str {
        match self {
            AnyRule::Alert(rule) => &rule.name,
            AnyRule::Record(rule) => &rule.name,
            AnyRule::Grafana(rule) => &rule.title,
        }
    }

    /// What it asks.
    pub fn expressions(self) -> Vec<&'a Expression> {
        match self {
            AnyRule::Alert(rule) => vec![&rule.expression],
            AnyRule::Record(rule) => vec![&rule.expression],
            AnyRule::Grafana(rule) => rule.expressions().collect(),
        }
    }
}

/// A selector that selects nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unselected {
    /// The metric's name, when it is fixed.
    pub name: Option<String>,
    /// The selector as it is written.
    pub text: String,
    /// Whether there are series of that name, with other labels.
    pub others: usize,
    /// The first that is asked of a label and that none of them has, and the values there are of it.
    pub label: Option<(AskedLabel, Vec<String>)>,
}

/// Who writes a series.
enum Written {
    /// No rule.
    ByNone,
    /// Rules; and why none of them ever can, if so.
    By(Option<Unselected>),
}

/// How deep an expression is looked into, and rules behind rules.
const DEPTH: usize = 200;

impl Monitor {
    /// How each rule stands, in the order of the rules, those of Grafana last.
    pub fn standings(&self) -> Vec<Standing<'_>> {
        let prometheus = self.groups.iter().enumerate().flat_map(move |(at, group)| {
            group.rules.iter().enumerate().map(move |(index, rule)| {
                let key: Key = (at, index);
                Standing {
                    rule: match rule {
                        Rule::Alert(rule) => AnyRule::Alert(rule),
                        Rule::Record(rule) => AnyRule::Record(rule),
                    },
                    group: &group.name,
                    at,
                    episodes: self.alerts.get(&key).map_or(&[], |state| state.episodes()),
                    wrote: self.written.contains_key(&key),
                    failure: self.failures.get(&key).map(String::as_str),
                }
            })
        });
        let grafana = self.grafana.iter().enumerate().flat_map(move |(at, group)| {
            group.rules.iter().enumerate().map(move |(index, rule)| {
                let key: Key = (at, index);
                Standing {
                    rule: AnyRule::Grafana(rule),
                    group: &group.name,
                    at,
                    episodes: self.states.get(&key).map_or(&[], |states| states.episodes()),
                    wrote: false,
                    failure: self.grafana_failures.get(&key).map(String::as_str),
                }
            })
        });
        prometheus.chain(grafana).collect()
    }

    /// Why an expression can have no value, whatever its thresholds: the selector without which it has none, and which has
    /// selected no series so far. None when it could have one.
    pub fn unselected(&self, expression: &Expression) -> Option<Unselected> {
        self.nothing_for(&expression.outline(), 0)
    }

    /// Whether any target has a label as it is asked for; none when no target has such a label at all.
    pub fn some_target_has(&self, asked: &AskedLabel) -> Option<bool> {
        let matchers = asked.alone.find('{').and_then(|at| asked.alone.get(at..))?;
        let wanted = Expression::parse(&format!("up{matchers}")).ok()?.outline();
        let targets = || self.database.of_name(Some("up")).map(|series| &series.labels);
        let labelled = targets().any(|labels| labels.iter().any(|(key, _)| **key == *asked.label));
        labelled.then(|| targets().any(|labels| wanted.selects(labels)))
    }

    /// Of an expression that could have a value: sides of `or`, and what `unless` takes away, that can have none; each by the
    /// selector without which it has none.
    pub fn dead_branches(&self, expression: &Expression) -> Vec<Unselected> {
        let mut found = Vec::new();
        let of_sets = |part: &Part, index: usize| match &part.kind {
            PartKind::Set(op) => op == "or" || (op == "unless" && index == 1),
            _ => false,
        };
        self.branches(&expression.outline(), 0, &of_sets, &mut found);
        found
    }

    /// What `absent` and the like are asked of, and that has selected nothing, by its selector.
    pub fn absent(&self, expression: &Expression) -> Vec<Unselected> {
        let mut found = Vec::new();
        let absent = |part: &Part, _| matches!(&part.kind, PartKind::Call(name) if name.starts_with("absent"));
        self.branches(&expression.outline(), 0, &absent, &mut found);
        found
    }

    /// Parts of such a part, by its place in it, that can have no value.
    fn branches(
        &self,
        part: &Part,
        depth: usize,
        may_be_dead: &dyn Fn(&Part, usize) -> bool,
        found: &mut Vec<Unselected>,
    ) {
        if depth > DEPTH {
            return;
        }
        for (index, side) in part.parts.iter().enumerate() {
            match may_be_dead(part, index).then(|| self.nothing_for(side, depth)).flatten() {
                Some(unselected) => found.push(unselected),
                None => self.branches(side, depth + 1, may_be_dead, found),
            }
        }
    }

    fn nothing_for(&self, part: &Part, depth: usize) -> Option<Unselected> {
        // Rules that record what they read would never end.
        if depth > DEPTH {
            return None;
        }
        let deeper = |part: &Part| self.nothing_for(part, depth + 1);
        match (&part.kind, part.parts.as_slice()) {
            (PartKind::Selector { name, asked, range }, _) => {
                let unselected = self.selects(part, name.as_deref(), asked, *range)?;
                match name.as_deref().map(|name| self.written_by_rules(name, depth)) {
                    None | Some(Written::ByNone) => Some(unselected),
                    // What a rule has not written yet it may still write; of what it wrote, nothing is selected.
                    Some(Written::By(_)) if unselected.others > 0 => Some(unselected),
                    Some(Written::By(why)) => why,
                }
            }
            (PartKind::Set(op), [left, right]) => match op.as_str() {
                "or" => deeper(left).filter(|_| deeper(right).is_some()),
                "unless" => deeper(left),
                _ => deeper(left).or_else(|| deeper(right)),
            },
            // What is not there is what they are about.
            (PartKind::Call(name), _) if name.starts_with("absent") => None,
            (_, parts) => parts.iter().find_map(deeper),
        }
    }

    /// What rules do about a series of this name.
    fn written_by_rules(&self, name: &str, depth: usize) -> Written {
        if matches!(name, "ALERTS" | "ALERTS_FOR_STATE") {
            return Written::By(None);
        }
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        let mut writers = rules.filter(|rule| matches!(rule, Rule::Record(rule) if rule.name == name)).peekable();
        if writers.peek().is_none() {
            return Written::ByNone;
        }
        let why: Option<Vec<Unselected>> =
            writers.map(|rule| self.nothing_for(&rule.expression().outline(), depth + 1)).collect();
        Written::By(why.and_then(|why| why.into_iter().next()))
    }

    /// Whether a selector has selected nothing.
    fn selects(&self, part: &Part, name: Option<&str>, asked: &[AskedLabel], range: bool) -> Option<Unselected> {
        let found = || self.database.of_name(name).map(|series| &series.labels);
        if found().any(|labels| part.selects(labels)) {
            return None;
        }
        let text = match range {
            true => part.text.trim_start_matches("count_over_time(").trim_end_matches(')').to_owned(),
            false => part.text.clone(),
        };
        let of_name: Vec<&Labels> = name.map_or(Vec::new(), |_| found().collect());
        let misses = |asked: &AskedLabel| {
            if of_name.is_empty() || of_name.iter().any(|labels| part.fits(asked, labels)) {
                return None;
            }
            let values = of_name.iter().flat_map(|labels| labels.iter()).filter(|(key, _)| **key == *asked.label);
            let values: BTreeSet<String> = values.map(|(_, value)| value.to_string()).collect();
            Some((asked.clone(), values.into_iter().collect()))
        };
        let label = asked.iter().find_map(misses);
        Some(Unselected { name: name.map(str::to_owned), text, others: of_name.len(), label })
    }
}
