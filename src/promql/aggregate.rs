//! Aggregations.

use super::Semantics;
use super::data::{Labels, NO_SAMPLE, Row, label_keys, stale, with_label};
use super::evaluate::{At, Failure, Grouped, SAME_LABELS, unique};
use super::range::{Sum, quantile};
use super::syntax::{self, Aggregate};

pub(super) const KNOWN: &[&str] =
    &["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values", "quantile"];

pub(super) fn known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// The labels that make a group.
fn group_of(labels: &Labels, grouping: Option<&syntax::Labels>) -> Labels {
    match grouping {
        None => Vec::new().into(),
        Some(by) if by.included => label_keys(labels, |key| by.names.iter().any(|it| it == key)),
        Some(without) => label_keys(labels, |key| key != "__name__" && without.names.iter().all(|it| it != key)),
    }
}

pub(super) fn aggregate(at: &At<'_>, expr: &Aggregate) -> Result<Vec<Row>, Failure> {
    let op = expr.op;
    // Groups in the order in which they appear.
    let mut groups: Grouped<Vec<Row>> = Grouped::default();
    for row in at.rows(&expr.expr)? {
        groups.entry(group_of(&row.labels, expr.grouping.as_ref())).or_default().push(row);
    }
    let param = || expr.param.as_deref().ok_or_else(|| Failure(format!("{op} needs a parameter")));
    if matches!(op, "topk" | "bottomk") {
        let counts = at.scalar(param()?)?;
        return Ok(groups.into_values().flat_map(|members| extremes(members, &counts, op == "topk")).collect());
    }
    if op == "count_values" {
        let name = at.text(param()?)?;
        let rows = groups.into_iter().flat_map(|(group, members)| count_values(&group, &members, &name));
        return unique(rows.collect(), SAME_LABELS);
    }
    let phis = if op == "quantile" { at.scalar(param()?)? } else { Vec::new() };
    let count = at.grid.count;
    let semantics = at.evaluator.semantics();
    let of =
        |(labels, members): (Labels, Vec<Row>)| Row { labels, values: reduce(op, &members, &phis, count, semantics) };
    Ok(groups.into_iter().map(of).filter(Row::any).collect())
}

/// One value an instant of all members that have one there.
fn reduce(op: &str, members: &[Row], phis: &[f64], count: usize, semantics: Semantics) -> Vec<f64> {
    // Where the order of the members is that of the sums, they can be taken member by member: memory is read as it lies.
    let folded = |of: fn(f64, f64) -> f64| {
        let mut values = vec![NO_SAMPLE; count];
        for member in members {
            for (kept, value) in values.iter_mut().zip(&member.values) {
                if !stale(*value) {
                    *kept = if stale(*kept) { *value } else { of(*kept, *value) };
                }
            }
        }
        values
    };
    match op {
        "sum" => {
            let mut sums = vec![(Sum::default(), false); count];
            for member in members {
                for ((sum, any), value) in sums.iter_mut().zip(&member.values) {
                    if !stale(*value) {
                        sum.add(*value);
                        *any = true;
                    }
                }
            }
            sums.into_iter().map(|(sum, any)| if any { sum.total() } else { NO_SAMPLE }).collect()
        }
        "count" | "group" => {
            let mut counts = vec![0.0; count];
            for member in members {
                for (seen, value) in counts.iter_mut().zip(&member.values) {
                    *seen += if stale(*value) { 0.0 } else { 1.0 };
                }
            }
            let of = |seen: f64| match (seen > 0.0, op) {
                (false, _) => NO_SAMPLE,
                (true, "count") => seen,
                _ => 1.0,
            };
            counts.into_iter().map(of).collect()
        }
        // A NaN gives way to any number.
        "min" => folded(|least, it| if it < least || least.is_nan() { it } else { least }),
        "max" => folded(|most, it| if it > most || most.is_nan() { it } else { most }),
        _ => {
            let mut present = Vec::with_capacity(members.len());
            let mut one = |index: usize| {
                present.clear();
                present.extend(members.iter().filter_map(|member| member.at(index)));
                match op {
                    _ if present.is_empty() => NO_SAMPLE,
                    "avg" => Sum::mean(&present),
                    "stdvar" => Sum::variance(&present),
                    "stddev" => f64::sqrt(Sum::variance(&present)),
                    _ => quantile(phis.get(index).copied().unwrap_or(f64::NAN), &present, semantics),
                }
            };
            (0..count).map(&mut one).collect()
        }
    }
}

/// The order of `topk` and `sort_desc` (largest first), of `bottomk` and `sort`: NaN comes last in both.
pub(super) fn order(a: f64, b: f64, largest: bool) -> std::cmp::Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Greater,
        (false, true) => std::cmp::Ordering::Less,
        _ if largest => b.total_cmp(&a),
        _ => a.total_cmp(&b),
    }
}

fn extremes(mut members: Vec<Row>, counts: &[f64], largest: bool) -> Vec<Row> {
    let mut ranks: Vec<usize> = Vec::with_capacity(members.len());
    for (index, count) in counts.iter().enumerate() {
        // Nothing, or a number below one, selects nothing.
        let count = if count.is_nan() || *count < 1.0 { 0 } else { *count as usize };
        ranks.clear();
        ranks.extend((0..members.len()).filter(|place| members[*place].at(index).is_some()));
        ranks.sort_by(|a, b| order(members[*a].values[index], members[*b].values[index], largest));
        for place in ranks.iter().skip(count) {
            members[*place].values[index] = NO_SAMPLE;
        }
    }
    members.retain(Row::any);
    // Of one instant alone the order is part of the answer.
    if counts.len() == 1 {
        members.sort_by(|a, b| order(a.values[0], b.values[0], largest));
    }
    members
}

fn count_values(group: &Labels, members: &[Row], name: &str) -> Vec<Row> {
    let count = members.first().map_or(0, |member| member.values.len());
    let mut counts: Grouped<Vec<f64>> = Grouped::default();
    for index in 0..count {
        for value in members.iter().filter_map(|member| member.at(index)) {
            let seen = counts.entry(with_label(group, name, &number(value))).or_insert_with(|| vec![NO_SAMPLE; count]);
            seen[index] = if stale(seen[index]) { 1.0 } else { seen[index] + 1.0 };
        }
    }
    counts.into_iter().map(|(labels, values)| Row { labels, values }).collect()
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
