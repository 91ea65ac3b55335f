//! What the nodes of a rule come to at an instant.

use super::{Condition, Evaluator as Threshold, GrafanaRule, NodeKind, NonNumbers, Reducer};
use crate::promql::{Database, Evaluator, Expression, Grid, Labels, Table, Value, Vector};

/// What a node gives.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::monitor) enum Data {
    /// Numbers.
    Numbers(Vec<(Labels, f64)>),
    /// Series of numbers: milliseconds and values.
    Series(Vec<(Labels, Vec<(i64, f64)>)>),
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
    pub(super) fn mapped(self, of: impl Fn(f64) -> f64) -> Data {
        match self {
            Data::Numbers(all) => Data::Numbers(all.into_iter().map(|(labels, value)| (labels, of(value))).collect()),
            Data::Series(all) => {
                let each = |samples: Vec<(i64, f64)>| samples.into_iter().map(|(time, it)| (time, of(it))).collect();
                Data::Series(all.into_iter().map(|(labels, samples)| (labels, each(samples))).collect())
            }
        }
    }
    fn is_empty(&self) -> bool {
        match self {
            Data::Numbers(all) => all.is_empty(),
            Data::Series(all) => all.is_empty(),
        }
    }
}

fn reduced(reducer: Reducer, values: &[f64], non_numbers: NonNumbers) -> f64 {
    let kept: Vec<f64> = match non_numbers {
        NonNumbers::Strict => values.to_vec(),
        NonNumbers::Drop => values.iter().copied().filter(|value| value.is_finite()).collect(),
        NonNumbers::Replace(with) => values.iter().map(|value| if value.is_finite() { *value } else { with }).collect(),
    };
    let count = kept.len() as f64;
    if !matches!(reducer, Reducer::Count | Reducer::CountNonNull) && kept.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    match reducer {
        Reducer::Last => kept.last().copied().unwrap_or(f64::NAN),
        Reducer::Mean => kept.iter().sum::<f64>() / count,
        Reducer::Min => kept.iter().copied().reduce(f64::min).unwrap_or(f64::NAN),
        Reducer::Max => kept.iter().copied().reduce(f64::max).unwrap_or(f64::NAN),
        Reducer::Sum => kept.iter().sum(),
        Reducer::Count => count,
        Reducer::CountNonNull => kept.iter().filter(|value| !value.is_nan()).count() as f64,
        Reducer::Diff => match (kept.first(), kept.last()) {
            (Some(first), Some(last)) => last - first,
            _ => f64::NAN,
        },
        Reducer::Median => {
            let mut sorted = kept;
            sorted.sort_by(f64::total_cmp);
            let middle = sorted.len() / 2;
            match (sorted.len() % 2, sorted.get(middle)) {
                (_, None) => f64::NAN,
                (1, Some(value)) => *value,
                (_, Some(value)) => (sorted[middle - 1] + value) / 2.0,
            }
        }
    }
}

/// A number for each series.
fn reduce(data: Data, reducer: Reducer, non_numbers: NonNumbers) -> Data {
    Data::Numbers(match data {
        Data::Series(all) => {
            let one = |samples: Vec<(i64, f64)>| {
                let values: Vec<f64> = samples.into_iter().map(|(_, value)| value).collect();
                reduced(reducer, &values, non_numbers)
            };
            all.into_iter().map(|(labels, samples)| (labels, one(samples))).collect()
        }
        // A number is what it is, but for those that are none.
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
    match (data, unload) {
        (Data::Numbers(all), Some(unload)) => {
            // What alerts goes on until the other threshold lets it go.
            let one = |labels: &Labels, value: f64| match alerting(labels) {
                true => !unload.holds(value),
                false => with.holds(value),
            };
            let each = all.into_iter().map(|(labels, value)| {
                let holds = one(&labels, value);
                (labels, f64::from(u8::from(holds)))
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
                    ask(evaluator, database, expression, now - to.as_milliseconds() as i64).map(Data::Numbers)
                }
                NodeKind::Range { expression, from, to, step } => {
                    let step = step.as_milliseconds().max(1) as i64;
                    let (first, last) = (now - from.as_milliseconds() as i64, now - to.as_milliseconds() as i64);
                    // Ranges begin and end on multiples of the step.
                    let (first, last) = (first.div_euclid(step) * step, last.div_euclid(step) * step);
                    let count = ((last - first) / step + 1).max(0) as usize;
                    over(evaluator, database, expression, Grid { first, step, count }).map(Data::Series)
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
        match known.iter().find(|(name, _)| *name == self.condition) {
            Some((_, Data::Series(all))) if !all.is_empty() => Outcome::Error(
                self.condition.clone(),
                "looks like time series data, only reduced data can be alerted on".into(),
            ),
            Some((_, Data::Numbers(all))) if !all.is_empty() => {
                Outcome::Values(all.iter().map(|(labels, value)| (labels.clone(), Some(*value))).collect())
            }
            _ => {
                let empty = known.iter().find(|(name, data)| is_query(name) && data.is_empty());
                Outcome::NoData(empty.map_or(self.condition.clone(), |(name, _)| name.clone()))
            }
        }
    }
}

fn ask(evaluator: &Evaluator, database: &Database, expression: &Expression, at: i64) -> Result<Vector, String> {
    match evaluator.evaluate(expression, database, at).map_err(|failure| failure.to_string())? {
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
) -> Result<SeriesOverTime, String> {
    match evaluator.over(expression, database, grid).map_err(|failure| failure.to_string())? {
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

/// Conditions of the old kind: one number without labels, 1 when they hold; nothing when no query has data.
fn classic(conditions: &[Condition], of: &dyn Fn(&str) -> Result<Data, String>) -> Result<Data, String> {
    let mut holds: Option<bool> = None;
    let mut any_data = false;
    for condition in conditions {
        let values: Vec<f64> = match of(&condition.query)? {
            Data::Numbers(all) => all.into_iter().map(|(_, value)| value).collect(),
            Data::Series(all) => {
                let reduce = |samples: Vec<(i64, f64)>| {
                    let values: Vec<f64> = samples.into_iter().map(|(_, value)| value).collect();
                    reduced(condition.reducer, &values, NonNumbers::Drop)
                };
                all.into_iter().map(|(_, samples)| reduce(samples)).collect()
            }
        };
        any_data |= !values.is_empty();
        let no_value = condition.evaluator == super::Evaluator::NoValue;
        let fits = match no_value {
            true => values.iter().all(|value| value.is_nan()),
            // Any series is enough.
            false => values.iter().any(|value| condition.evaluator.holds(*value)),
        };
        any_data |= no_value;
        holds = Some(match holds {
            None => fits,
            Some(before) if condition.or => before || fits,
            Some(before) => before && fits,
        });
    }
    Ok(match (any_data, holds) {
        (true, Some(holds)) => Data::Numbers(vec![(Labels::from(Vec::new()), f64::from(u8::from(holds)))]),
        _ => Data::Numbers(Vec::new()),
    })
}

/// The numbers of a node; of a series, its last.
pub(in crate::monitor) fn numbers_of(known: &[(String, Data)], node: &str) -> Vec<(Labels, f64)> {
    match known.iter().find(|(name, _)| name == node) {
        Some((_, Data::Numbers(all))) => all.clone(),
        Some((_, Data::Series(all))) => {
            let last = |(labels, samples): &(Labels, Vec<(i64, f64)>)| Some((labels.clone(), samples.last()?.1));
            all.iter().filter_map(last).collect()
        }
        None => Vec::new(),
    }
}

/// What each node comes to for a series: the number whose labels go together with it.
pub(in crate::monitor) fn values_of(known: &[(String, Data)], series: &Labels) -> Vec<(String, f64)> {
    let of = |(name, data): &(String, Data)| match data {
        Data::Numbers(all) => {
            let fits = |labels: &Labels| {
                labels.iter().all(|label| series.contains(label)) || series.iter().all(|label| labels.contains(label))
            };
            all.iter().find(|(labels, _)| fits(labels)).map(|(_, value)| (name.clone(), *value))
        }
        Data::Series(_) => None,
    };
    known.iter().filter_map(of).collect()
}
