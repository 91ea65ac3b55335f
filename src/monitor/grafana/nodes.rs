//! What the nodes of a rule come to at an instant.

use std::collections::BTreeMap;

use super::{Condition, Evaluator as Threshold, GrafanaRule, GrafanaVersion, NodeKind, NonNumbers, Reducer};
use crate::gotemplate::prometheus::GrafanaData;
use crate::promql::{Database, Evaluator, Expression, Grid, Labels, NO_SAMPLE, Table, Value, Vector};

/// What a node gives.
#[derive(Clone, Debug)]
pub(in crate::monitor) enum Data {
    /// Numbers; [`NULL`] where there is none.
    Numbers(Vec<(Labels, f64)>),
    /// Series of numbers: milliseconds and values.
    Series(Vec<(Labels, Vec<(i64, f64)>)>),
    /// The one number of classic conditions, and the series of which one held, with their numbers.
    Conditions(f64, Vec<(Labels, f64)>),
}

/// The number that is none: Grafana's `null`.
pub(super) const NULL: f64 = NO_SAMPLE;

/// Whether a number is none. NaN is one.
pub(super) fn is_null(value: f64) -> bool {
    value.to_bits() == NULL.to_bits()
}

/// What nodes give, by name, in the order of the nodes.
pub(in crate::monitor) type Known = Vec<(String, Data)>;

/// The node that failed, and why.
pub(in crate::monitor) type Failed = (String, String);

/// What a rule comes to at an instant.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::monitor) enum Outcome {
    /// By label set: the value of the condition; 0 is normal, none is no data.
    Values(Vec<(Labels, Option<f64>)>),
    /// A query found nothing: its node.
    NoData(String),
    /// It cannot be evaluated: the node, and why.
    Error(String, String),
}

impl Data {
    /// Other numbers for those there are.
    pub(super) fn mapped(self, of: impl Fn(f64) -> f64) -> Data {
        self.each(|value| if is_null(value) { value } else { of(value) })
    }
    /// Other numbers for all, also where there is none.
    pub(super) fn each(self, of: impl Fn(f64) -> f64) -> Data {
        match self.plain() {
            Data::Series(all) => {
                let each = |samples: Vec<(i64, f64)>| samples.into_iter().map(|(time, it)| (time, of(it))).collect();
                Data::Series(all.into_iter().map(|(labels, samples)| (labels, each(samples))).collect())
            }
            Data::Numbers(all) => Data::Numbers(all.into_iter().map(|(labels, value)| (labels, of(value))).collect()),
            conditions => conditions,
        }
    }
    /// As other nodes see it: classic conditions are one number without labels.
    pub(super) fn plain(self) -> Data {
        match self {
            Data::Conditions(value, _) => Data::Numbers(vec![(Labels::from(Vec::new()), value)]),
            other => other,
        }
    }
    fn is_empty(&self) -> bool {
        match self {
            Data::Numbers(all) => all.is_empty(),
            Data::Series(all) => all.is_empty(),
            Data::Conditions(..) => false,
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (_, None) => NULL,
        (1, Some(value)) => *value,
        (_, Some(value)) => (values[middle - 1] + value) / 2.0,
    }
}

/// A series as an expression reduces it: `pkg/expr/mathexp/reduce.go`.
fn reduced(reducer: Reducer, values: &[f64], non_numbers: NonNumbers) -> f64 {
    let kept: Vec<f64> = match non_numbers {
        NonNumbers::Strict => values.to_vec(),
        NonNumbers::Drop => values.iter().copied().filter(|value| value.is_finite()).collect(),
        NonNumbers::Replace(with) => values.iter().map(|value| if value.is_finite() { *value } else { with }).collect(),
    };
    if kept.is_empty() && non_numbers == NonNumbers::Drop {
        return NULL;
    }
    let count = kept.len() as f64;
    match reducer {
        Reducer::Last => return kept.last().copied().unwrap_or(f64::NAN),
        Reducer::Count => return count,
        _ if kept.iter().any(|value| value.is_nan()) => return f64::NAN,
        _ => {}
    }
    match reducer {
        Reducer::Mean => kept.iter().sum::<f64>() / count,
        Reducer::Min => kept.iter().copied().reduce(f64::min).unwrap_or(f64::NAN),
        Reducer::Max => kept.iter().copied().reduce(f64::max).unwrap_or(f64::NAN),
        Reducer::Sum => kept.iter().sum(),
        Reducer::Median if kept.is_empty() => f64::NAN,
        Reducer::Median => median(kept),
        // Classic conditions alone have the others.
        _ => f64::NAN,
    }
}

/// A series as a classic condition reduces it: what is no number is passed over, and of nothing else comes no number. The
/// differences are those of the newest and the oldest; of a series whose newest is its only number they are 0. Source:
/// `pkg/expr/classic/reduce.go`.
fn reduced_by_condition(reducer: Reducer, values: &[f64]) -> f64 {
    let numbers: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    if reducer == Reducer::Count && !values.is_empty() {
        return values.len() as f64;
    }
    let (Some(oldest), Some(newest)) = (numbers.first().copied(), numbers.last().copied()) else { return NULL };
    // It looks at the place of the newest in the series: at the first there is nothing before it.
    let apart = values.iter().rposition(|value| !value.is_nan()).is_some_and(|place| place > 0);
    let difference = |of: f64| if apart { of } else { 0.0 };
    match reducer {
        Reducer::Last => newest,
        Reducer::Mean => numbers.iter().sum::<f64>() / numbers.len() as f64,
        Reducer::Min => numbers.iter().copied().fold(f64::MAX, f64::min),
        Reducer::Max => numbers.iter().copied().fold(f64::MIN, f64::max),
        Reducer::Sum => numbers.iter().sum(),
        Reducer::Count | Reducer::CountNonNull => numbers.len() as f64,
        Reducer::Median => median(numbers),
        Reducer::Diff => difference(newest - oldest),
        Reducer::DiffAbs => difference((newest - oldest).abs()),
        Reducer::PercentDiff => difference((newest - oldest) / oldest.abs() * 100.0),
        Reducer::PercentDiffAbs => difference(((newest - oldest) / oldest * 100.0).abs()),
    }
}

/// A number for each series.
fn reduce(data: Data, reducer: Reducer, non_numbers: NonNumbers) -> Data {
    Data::Numbers(match data.plain() {
        Data::Series(all) => {
            let one = |samples: Vec<(i64, f64)>| {
                let values: Vec<f64> = samples.into_iter().map(|(_, value)| value).collect();
                reduced(reducer, &values, non_numbers)
            };
            all.into_iter().map(|(labels, samples)| (labels, one(samples))).collect()
        }
        // A number is what it is, but for those that are none.
        Data::Conditions(..) => Vec::new(),
        Data::Numbers(all) => {
            let kept = all.into_iter().filter_map(|(labels, value)| match non_numbers {
                NonNumbers::Drop if !value.is_finite() => None,
                NonNumbers::Replace(with) if !value.is_finite() => Some((labels, with)),
                _ => Some((labels, value)),
            });
            kept.collect()
        }
    })
}

/// 1 where a threshold is crossed, else 0.
fn threshold(data: Data, with: &Threshold, unload: Option<&Threshold>, alerting: &dyn Fn(&Labels) -> bool) -> Data {
    match (data.plain(), unload) {
        (Data::Numbers(all), Some(unload)) => {
            // What alerts goes on until the other threshold lets it go.
            let one = |labels: &Labels, value: f64| match alerting(labels) {
                true => !unload.holds(value),
                false => with.holds(value),
            };
            let each = all.into_iter().map(|(labels, value)| {
                let holds = one(&labels, value);
                (labels, if is_null(value) { NULL } else { f64::from(u8::from(holds)) })
            });
            Data::Numbers(each.collect())
        }
        (data, _) => data.mapped(|value| f64::from(u8::from(with.holds(value)))),
    }
}

impl GrafanaRule {
    /// What each node gives at an instant, up to the first that fails. `alerting` tells which label sets alert already.
    pub(in crate::monitor) fn nodes_at(
        &self,
        evaluator: &Evaluator,
        database: &Database,
        now: i64,
        alerting: &dyn Fn(&Labels) -> bool,
    ) -> (Known, Option<Failed>) {
        let mut known: Vec<(String, Data)> = Vec::new();
        for node in &self.nodes {
            let of = |name: &str| known.iter().find(|(known, _)| known == name).map(|(_, data)| data.clone());
            let found = |name: &str| of(name).ok_or_else(|| format!("there is no node {name}"));
            let data = match &node.kind {
                NodeKind::Instant(expression, to) => {
                    ask(evaluator, database, expression, [now - to.as_milliseconds() as i64, now]).map(Data::Numbers)
                }
                NodeKind::Range { expression, from, to, step } => {
                    let step = step.as_milliseconds().max(1) as i64;
                    let (first, last) = (now - from.as_milliseconds() as i64, now - to.as_milliseconds() as i64);
                    // Ranges begin and end on multiples of the step.
                    let (first, last) = (first.div_euclid(step) * step, last.div_euclid(step) * step);
                    let count = ((last - first) / step + 1).max(0) as usize;
                    over(evaluator, database, expression, Grid { first, step, count }, now).map(Data::Series)
                }
                NodeKind::Reduce(name, reducer, mode) => found(name).map(|data| reduce(data, *reducer, *mode)),
                NodeKind::Math(formula) => formula.evaluate(&of),
                NodeKind::Threshold(name, with, unload) => {
                    found(name).map(|data| threshold(data, with, unload.as_ref(), alerting))
                }
                NodeKind::Classic(conditions) => classic(conditions, &found),
            };
            match data {
                Ok(data) => known.push((node.name.clone(), data)),
                Err(why) => return (known, Some((node.name.clone(), why))),
            }
        }
        (known, None)
    }

    /// What the rule comes to, given what its nodes do.
    pub(in crate::monitor) fn outcome(&self, known: &[(String, Data)], failure: Option<(String, String)>) -> Outcome {
        if let Some((node, why)) = failure {
            return Outcome::Error(node, why);
        }
        let is_query = |name: &str| {
            let node = self.nodes.iter().find(|node| node.name == name);
            node.is_some_and(|node| matches!(node.kind, NodeKind::Instant(..) | NodeKind::Range { .. }))
        };
        let told = |value: f64| (!is_null(value)).then_some(value);
        match known.iter().find(|(name, _)| *name == self.condition) {
            Some((_, Data::Series(all))) if !all.is_empty() => Outcome::Error(
                self.condition.clone(),
                "looks like time series data, only reduced data can be alerted on".into(),
            ),
            // A series without a number has no data; when none has labels, the rule has none.
            Some((_, Data::Numbers(all))) if all.iter().any(|(labels, it)| !labels.is_empty() || !is_null(*it)) => {
                Outcome::Values(all.iter().map(|(labels, value)| (labels.clone(), told(*value))).collect())
            }
            Some((_, Data::Conditions(value, _))) if !is_null(*value) => {
                Outcome::Values(vec![(Labels::from(Vec::new()), Some(*value))])
            }
            _ => {
                let empty = known.iter().find(|(name, data)| is_query(name) && data.is_empty());
                Outcome::NoData(empty.map_or(self.condition.clone(), |(name, _)| name.clone()))
            }
        }
    }
}

/// A query of one instant, and when it is asked.
fn ask(
    evaluator: &Evaluator,
    database: &Database,
    expression: &Expression,
    [at, now]: [i64; 2],
) -> Result<Vector, String> {
    match evaluator.asked(expression, database, at, now).map_err(|failure| failure.to_string())? {
        Value::Vector(all) => Ok(all),
        Value::Scalar(value) => Ok(vec![(Labels::from(Vec::new()), value)]),
        Value::Text(_) => Err("the query gives a text".into()),
    }
}

type SeriesOverTime = Vec<(Labels, Vec<(i64, f64)>)>;

fn over(
    evaluator: &Evaluator,
    database: &Database,
    expression: &Expression,
    grid: Grid,
    now: i64,
) -> Result<SeriesOverTime, String> {
    match evaluator.over_asked(expression, database, grid, now).map_err(|failure| failure.to_string())? {
        Table::Rows(rows) => {
            let samples = |row: &crate::promql::Row| {
                (0..grid.count).filter_map(|index| Some((grid.time(index), row.at(index)?))).collect::<Vec<_>>()
            };
            Ok(rows.iter().map(|row| (row.labels.clone(), samples(row))).collect())
        }
        Table::Scalar(values) => Ok(vec![(
            Labels::from(Vec::new()),
            values.into_iter().enumerate().map(|(index, it)| (grid.time(index), it)).collect(),
        )]),
        Table::Text(_) => Err("the query gives a text".into()),
    }
}

/// Conditions of the old kind: one number without labels, 1 when they hold; none when they have no data. Source:
/// `pkg/expr/classic/classic.go`.
fn classic(conditions: &[Condition], of: &dyn Fn(&str) -> Result<Data, String>) -> Result<Data, String> {
    let (mut all, mut matches) = ((false, false), Vec::new());
    for (index, condition) in conditions.iter().enumerate() {
        let values: Vec<(Labels, f64)> = match of(&condition.query)?.plain() {
            Data::Numbers(all) => all,
            Data::Series(all) => {
                let reduce = |samples: Vec<(i64, f64)>| {
                    let values: Vec<f64> = samples.into_iter().map(|(_, value)| value).collect();
                    reduced_by_condition(condition.reducer, &values)
                };
                all.into_iter().map(|(labels, samples)| (labels, reduce(samples))).collect()
            }
            Data::Conditions(..) => Vec::new(),
        };
        let on_nothing = condition.evaluator == super::Evaluator::NoValue;
        let fits = |value: f64| if is_null(value) { on_nothing } else { condition.evaluator.holds(value) };
        // Any series is enough; without one there is nothing, which is what `no_value` waits for.
        let holds = values.iter().any(|(_, value)| fits(*value)) || (values.is_empty() && on_nothing);
        let empty = !holds && values.iter().all(|(_, value)| is_null(*value));
        matches.extend(values.into_iter().filter(|(_, value)| fits(*value)));
        if empty {
            matches.push((Labels::from(Vec::new()), NULL));
        }
        all = match (index, condition.or) {
            (0, _) => (holds, empty),
            (_, true) => (all.0 || holds, all.1 || empty),
            (_, false) => (all.0 && holds, all.1 && empty),
        };
    }
    let value = match all {
        (true, _) => 1.0,
        (false, true) => NULL,
        (false, false) => 0.0,
    };
    Ok(Data::Conditions(value, matches))
}

/// The numbers of a node; of a series, its last.
pub(in crate::monitor) fn numbers_of(known: &[(String, Data)], node: &str) -> Vec<(Labels, f64)> {
    match known.iter().find(|(name, _)| name == node).map(|(_, data)| data.clone().plain()) {
        Some(Data::Numbers(all)) => all,
        Some(Data::Series(all)) => {
            let last = |(labels, samples): &(Labels, Vec<(i64, f64)>)| Some((labels.clone(), samples.last()?.1));
            all.iter().filter_map(last).collect()
        }
        Some(Data::Conditions(..)) | None => Vec::new(),
    }
}

fn words(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

impl GrafanaRule {
    /// What its templates can speak of for a series.
    pub(in crate::monitor) fn data(&self, known: &[(String, Data)], series: &Labels, folder: &str) -> GrafanaData {
        let mut labels = words(series);
        for (key, value) in
            [("alertname", &*self.title), ("grafana_folder", folder), ("__alert_rule_uid__", &*self.uid)]
        {
            labels.insert(key.to_owned(), value.to_owned());
        }
        // Of classic conditions the series that matched are told, and nothing else.
        let condition = known.iter().find(|(name, _)| *name == self.condition);
        if let Some((name, Data::Conditions(_, matches))) = condition {
            let each = matches.iter().enumerate();
            let value: Vec<String> = each
                .clone()
                .map(|(index, (labels, value))| {
                    let metric = labels.iter().find(|(key, _)| &**key == "__name__").map_or("", |(_, name)| name);
                    format!("[ var='{name}{index}' metric='{metric}' {} ]", told(&words(labels), *value))
                })
                .collect();
            let values = each.map(|(index, (labels, value))| (format!("{name}{index}"), (words(labels), *value)));
            return GrafanaData { labels, values: values.collect(), value: value.join(", ") };
        }
        let values: BTreeMap<String, (BTreeMap<String, String>, f64)> = values_of(known, series).collect();
        let each = values.iter().map(|(name, (labels, value))| format!("[ var='{name}' {} ]", told(labels, *value)));
        let mut value = each.collect::<Vec<_>>().join(", ");
        if self.grafana >= GrafanaVersion::VALUE_IS_A_NUMBER
            && let Some((_, number)) = self.only_query().and_then(|name| values.get(name))
        {
            value = number.to_string();
        }
        GrafanaData { labels, values, value }
    }

    /// The one node that asks a data source, when there is just one.
    fn only_query(&self) -> Option<&str> {
        let is_query = |node: &&super::Node| matches!(node.kind, NodeKind::Instant(..) | NodeKind::Range { .. });
        let mut queries = self.nodes.iter().filter(is_query);
        queries.next().filter(|_| queries.next().is_none()).map(|node| node.name.as_str())
    }
}

/// Labels and value as the text of all values has them.
fn told(labels: &BTreeMap<String, String>, value: f64) -> String {
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let value = if is_null(value) { "null".to_owned() } else { crate::gotemplate::prometheus::go_number(value) };
    format!("labels={{{}}} value={value}", labels.join(", "))
}

/// What each node comes to for a series: the number whose labels go together with it.
fn values_of<'k>(
    known: &'k [(String, Data)],
    series: &'k Labels,
) -> impl Iterator<Item = (String, (BTreeMap<String, String>, f64))> + 'k {
    let within = |small: &Labels, large: &Labels| small.iter().all(|label| large.contains(label));
    known.iter().filter_map(move |(name, data)| {
        let all = match data.clone().plain() {
            Data::Numbers(all) => all,
            _ => return None,
        };
        let same = all.iter().find(|(labels, _)| labels == series);
        let (labels, value) =
            same.or_else(|| all.iter().find(|(labels, _)| within(labels, series) || within(series, labels)))?;
        // What is none is NaN for templates.
        Some((name.clone(), (words(labels), if is_null(*value) { f64::NAN } else { *value })))
    })
}
