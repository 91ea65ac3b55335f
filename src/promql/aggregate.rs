//! Aggregations.

use std::collections::BTreeMap;

use promql_parser::parser::{AggregateExpr, LabelModifier};

use super::data::{Labels, Vector, with_label};
use super::evaluate::{At, Failure};
use super::range::{Sum, quantile};

const KNOWN: &[&str] =
    &["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values", "quantile"];

pub(super) fn known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// The labels that make a group.
fn group_of(labels: &Labels, modifier: Option<&LabelModifier>) -> Labels {
    match modifier {
        None => Vec::new().into(),
        Some(LabelModifier::Include(kept)) => {
            labels.iter().filter(|(key, _)| kept.labels.iter().any(|it| **it == **key)).cloned().collect()
        }
        Some(LabelModifier::Exclude(dropped)) => labels
            .iter()
            .filter(|(key, _)| &**key != "__name__" && dropped.labels.iter().all(|it| **it != **key))
            .cloned()
            .collect(),
    }
}

pub(super) fn aggregate(at: &At<'_>, expr: &AggregateExpr) -> Result<Vector, Failure> {
    let op = expr.op.to_string();
    let vector = at.vector(&expr.expr)?;
    // Groups in the order in which they appear.
    let mut groups: Vec<(Labels, Vec<(Labels, f64)>)> = Vec::new();
    let mut known: BTreeMap<Labels, usize> = BTreeMap::new();
    for (labels, value) in vector {
        let group = group_of(&labels, expr.modifier.as_ref());
        let place = *known.entry(group.clone()).or_insert_with(|| {
            groups.push((group, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push((labels, value));
    }
    let param = || expr.param.as_deref().ok_or_else(|| Failure(format!("{op} needs a parameter")));
    if matches!(op.as_str(), "topk" | "bottomk") {
        let count = at.scalar(param()?)?;
        // Nothing, or a number below one, selects nothing.
        let count = if count.is_nan() || count < 1.0 { 0 } else { count as usize };
        return Ok(groups.into_iter().flat_map(|(_, members)| extremes(members, count, op == "topk")).collect());
    }
    if op == "count_values" {
        let name = at.text(param()?)?;
        return Ok(groups.into_iter().flat_map(|(group, members)| count_values(&group, &members, &name)).collect());
    }
    let phi = if op == "quantile" { at.scalar(param()?)? } else { 0.0 };
    Ok(groups
        .into_iter()
        .map(|(group, members)| {
            let values: Vec<f64> = members.into_iter().map(|(_, value)| value).collect();
            (group, reduce(&op, &values, phi))
        })
        .collect())
}

fn reduce(op: &str, values: &[f64], phi: f64) -> f64 {
    let count = values.len() as f64;
    match op {
        "sum" => Sum::of(values),
        "avg" => Sum::mean(values),
        "count" => count,
        "group" => 1.0,
        // A NaN gives way to any number.
        "min" => {
            values.iter().copied().fold(f64::NAN, |least, it| if it < least || least.is_nan() { it } else { least })
        }
        "max" => values.iter().copied().fold(f64::NAN, |most, it| if it > most || most.is_nan() { it } else { most }),
        "stdvar" => Sum::variance(values),
        "stddev" => libm::sqrt(Sum::variance(values)),
        _ => quantile(phi, values),
    }
}

/// The largest or smallest, best first; NaN is worse than everything. Earlier ones win among equals.
fn extremes(mut members: Vec<(Labels, f64)>, count: usize, largest: bool) -> Vec<(Labels, f64)> {
    members.sort_by(|(_, a), (_, b)| match (a.is_nan(), b.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Greater,
        (false, true) => std::cmp::Ordering::Less,
        _ if largest => b.total_cmp(a),
        _ => a.total_cmp(b),
    });
    members.truncate(count);
    members
}

fn count_values(group: &Labels, members: &[(Labels, f64)], name: &str) -> Vector {
    let mut counts: Vec<(String, f64)> = Vec::new();
    for (_, value) in members {
        let text = number(*value);
        match counts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1.0,
            None => counts.push((text, 1.0)),
        }
    }
    counts.into_iter().map(|(text, count)| (with_label(group, name, &text), count)).collect()
}

/// A number as Prometheus writes it into a label: the shortest digits, without an exponent.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        format!("{value}")
    }
}
