//! Operators between numbers and vectors.

use promql_parser::parser::{BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality};

use super::Semantics;
use super::data::{Labels, NO_SAMPLE, Row, label, label_keys, stale, with_label, without_name};
use super::evaluate::{At, Failure, Grouped, SAME_LABELS, Table, unique};

pub(super) const KNOWN: &[&str] =
    &["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"];

pub(super) fn known(name: &str) -> bool {
    KNOWN.contains(&name)
}

pub(super) fn comparison(op: &str) -> bool {
    matches!(op, "==" | "!=" | ">" | "<" | ">=" | "<=")
}

/// Whether a result is no longer the metric it was reckoned from. `atan2` keeps the name in 2.x (measured with 2.42).
fn drops_name(op: &str, semantics: Semantics) -> bool {
    op != "atan2" || semantics == Semantics::V3
}

/// Arithmetic; of comparisons 1 or 0.
fn operator(op: &str) -> fn(f64, f64) -> f64 {
    fn truth(holds: bool) -> f64 {
        if holds { 1.0 } else { 0.0 }
    }
    match op {
        "+" => |a, b| a + b,
        "-" => |a, b| a - b,
        "*" => |a, b| a * b,
        "/" => |a, b| a / b,
        // The sign of the dividend, as in Go.
        "%" => libm::fmod,
        "^" => libm::pow,
        "atan2" => libm::atan2,
        "==" => |a, b| truth(a == b),
        "!=" => |a, b| truth(a != b),
        ">" => |a, b| truth(a > b),
        "<" => |a, b| truth(a < b),
        ">=" => |a, b| truth(a >= b),
        _ => |a, b| truth(a <= b),
    }
}

/// An operator, and what becomes of its result.
#[derive(Clone, Copy)]
struct Operation {
    apply: fn(f64, f64) -> f64,
    /// A comparison without `bool` keeps what fits as it is.
    filters: bool,
    drops_name: bool,
}

pub(super) fn binary(at: &At<'_>, expr: &BinaryExpr) -> Result<Table, Failure> {
    let op = expr.op.to_string();
    let modifier = expr.modifier.as_ref();
    let filters = comparison(&op) && modifier.is_none_or(|modifier| !modifier.return_bool);
    let drops_name = drops_name(&op, at.evaluator.semantics()) && !filters;
    let operation = Operation { apply: operator(&op), filters, drops_name };
    match (at.value(&expr.lhs)?, at.value(&expr.rhs)?) {
        (Table::Scalar(a), Table::Scalar(b)) => {
            Ok(Table::Scalar(a.into_iter().zip(b).map(|(a, b)| (operation.apply)(a, b)).collect()))
        }
        (Table::Rows(rows), Table::Scalar(numbers)) => with_scalar(operation, rows, &numbers, false).map(Table::Rows),
        (Table::Scalar(numbers), Table::Rows(rows)) => with_scalar(operation, rows, &numbers, true).map(Table::Rows),
        (Table::Rows(left), Table::Rows(right)) => match op.as_str() {
            "and" | "or" | "unless" => sets(&op, left, right, modifier).map(Table::Rows),
            _ => matched(operation, left, right, modifier).map(Table::Rows),
        },
        _ => Err(Failure("a text cannot be reckoned with".into())),
    }
}

fn with_scalar(
    Operation { apply, filters, drops_name }: Operation,
    mut rows: Vec<Row>,
    numbers: &[f64],
    scalar_first: bool,
) -> Result<Vec<Row>, Failure> {
    for row in &mut rows {
        for (value, number) in row.values.iter_mut().zip(numbers) {
            if stale(*value) {
                continue;
            }
            let result = if scalar_first { apply(*number, *value) } else { apply(*value, *number) };
            *value = match filters {
                true if result == 0.0 => NO_SAMPLE,
                true => *value,
                false => result,
            };
        }
        if drops_name {
            row.labels = without_name(&row.labels);
        }
    }
    if filters {
        rows.retain(Row::any);
    }
    if drops_name { unique(rows, SAME_LABELS) } else { Ok(rows) }
}

/// The labels two sides are matched by.
fn signature(labels: &Labels, modifier: Option<&BinModifier>) -> Labels {
    match modifier.and_then(|modifier| modifier.matching.as_ref()) {
        Some(LabelModifier::Include(on)) => label_keys(labels, |key| on.labels.iter().any(|it| it == key)),
        Some(LabelModifier::Exclude(ignored)) => {
            label_keys(labels, |key| key != "__name__" && ignored.labels.iter().all(|it| it != key))
        }
        None => without_name(labels),
    }
}

fn sets(op: &str, left: Vec<Row>, right: Vec<Row>, modifier: Option<&BinModifier>) -> Result<Vec<Row>, Failure> {
    // At which instants something of a signature is there.
    let there = |rows: &[Row]| -> Grouped<Vec<bool>> {
        let mut all: Grouped<Vec<bool>> = Grouped::default();
        for row in rows {
            let seen = all.entry(signature(&row.labels, modifier)).or_insert_with(|| vec![false; row.values.len()]);
            for (seen, value) in seen.iter_mut().zip(&row.values) {
                *seen |= !stale(*value);
            }
        }
        all
    };
    // Keeps what has, or has not, something of its signature on the other side.
    let kept = |mut rows: Vec<Row>, other: &Grouped<Vec<bool>>, wanted: bool| {
        for row in &mut rows {
            let seen = other.get(&signature(&row.labels, modifier));
            for (index, value) in row.values.iter_mut().enumerate() {
                if seen.is_some_and(|seen| seen[index]) != wanted {
                    *value = NO_SAMPLE;
                }
            }
        }
        rows.retain(Row::any);
        rows
    };
    if op == "or" {
        let more = kept(right, &there(&left), false);
        return unique(left.into_iter().chain(more).collect(), SAME_LABELS);
    }
    Ok(kept(left, &there(&right), op == "and"))
}

fn matched(
    Operation { apply, filters, drops_name }: Operation,
    left: Vec<Row>,
    right: Vec<Row>,
    modifier: Option<&BinModifier>,
) -> Result<Vec<Row>, Failure> {
    // With group_right the sides change places, and back when the operator is applied.
    let (many, one, swapped, included) = match modifier.map(|modifier| &modifier.card) {
        Some(VectorMatchCardinality::OneToMany(included)) => (right, left, true, Some(included)),
        Some(VectorMatchCardinality::ManyToOne(included)) => (left, right, false, Some(included)),
        _ => (left, right, false, None),
    };
    let mut ones: Grouped<Vec<Row>> = Grouped::default();
    for row in one {
        ones.entry(signature(&row.labels, modifier)).or_default().push(row);
    }
    for rows in ones.values().filter(|rows| rows.len() > 1) {
        let clash = |index: usize| rows.iter().filter(|row| row.at(index).is_some()).count() > 1;
        if (0..rows[0].values.len()).any(clash) {
            let side = if swapped { "left" } else { "right" };
            return Err(Failure(format!(
                "found duplicate series for the match group on the {side} side of the operation"
            )));
        }
    }
    let mut manys: Grouped<Vec<Row>> = Grouped::default();
    for row in many {
        let key = signature(&row.labels, modifier);
        if ones.contains_key(&key) {
            manys.entry(key).or_default().push(row);
        }
    }
    let mut results = Vec::new();
    for (key, rows) in manys {
        let Some(others) = ones.get(&key) else { continue };
        let first = results.len();
        for row in &rows {
            for other in others {
                let metric = metric_of(
                    &row.labels,
                    &other.labels,
                    modifier,
                    included.map(|it| it.labels.as_slice()),
                    drops_name,
                );
                let one = |(value, other): (&f64, &f64)| {
                    if stale(*value) || stale(*other) {
                        return NO_SAMPLE;
                    }
                    let (a, b) = if swapped { (*other, *value) } else { (*value, *other) };
                    let outcome = apply(a, b);
                    match filters {
                        true if outcome == 0.0 => NO_SAMPLE,
                        // A filter shows the value of the left side.
                        true => a,
                        false => outcome,
                    }
                };
                let values: Vec<f64> = row.values.iter().zip(&other.values).map(one).collect();
                results.push(Row { labels: metric, values });
            }
        }
        let clash = |index: usize| results[first..].iter().filter(|row| row.at(index).is_some()).count() > 1;
        if included.is_none() && rows.len() > 1 && (0..rows[0].values.len()).any(clash) {
            return Err(Failure("multiple matches for labels: use group_left or group_right".into()));
        }
    }
    results.retain(Row::any);
    unique(results, "multiple matches for labels: grouping labels must ensure unique matches")
}

fn metric_of(
    labels: &Labels,
    other: &Labels,
    modifier: Option<&BinModifier>,
    included: Option<&[String]>,
    drops_name: bool,
) -> Labels {
    let metric = if drops_name { without_name(labels) } else { labels.clone() };
    match (included, modifier.and_then(|modifier| modifier.matching.as_ref())) {
        (Some(included), _) => {
            included.iter().fold(metric, |metric, name| with_label(&metric, name, label(other, name)))
        }
        // One to one: what was not matched by is gone.
        (None, Some(LabelModifier::Include(on))) => label_keys(&metric, |key| on.labels.iter().any(|it| it == key)),
        (None, Some(LabelModifier::Exclude(ignored))) => {
            label_keys(&metric, |key| ignored.labels.iter().all(|it| it != key))
        }
        (None, None) => metric,
    }
}
