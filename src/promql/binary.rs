//! Operators between numbers and vectors.

use super::Semantics;
use super::data::{Labels, NO_SAMPLE, Row, label, label_keys, stale, with_label, without_name};
use super::evaluate::{At, Failure, Grouped, SAME_LABELS, Table, unique};
use super::syntax::{Binary, Modifier};

pub(super) fn comparison(op: &str) -> bool {
    matches!(op, "==" | "!=" | ">" | "<" | ">=" | "<=")
}

pub(super) fn set(op: &str) -> bool {
    matches!(op, "and" | "or" | "unless")
}

/// Whether a result is no longer the metric it was reckoned from. `atan2` keeps the name in 2.x (measured with 2.42).
fn drops_name(op: &str, semantics: Semantics) -> bool {
    op != "atan2" || semantics >= Semantics::V3
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

pub(super) fn binary(at: &At<'_>, expr: &Binary) -> Result<Table, Failure> {
    let (op, modifier) = (expr.op, &expr.modifier);
    let filters = comparison(op) && modifier.returns_bool.is_none();
    let drops_name = drops_name(op, at.evaluator.semantics()) && !filters;
    let operation = Operation { apply: operator(op), filters, drops_name };
    match (at.value(&expr.left)?, at.value(&expr.right)?) {
        (Table::Scalar(a), Table::Scalar(b)) => {
            Ok(Table::Scalar(a.into_iter().zip(b).map(|(a, b)| (operation.apply)(a, b)).collect()))
        }
        (Table::Rows(rows), Table::Scalar(numbers)) => with_scalar(operation, rows, &numbers, false).map(Table::Rows),
        (Table::Scalar(numbers), Table::Rows(rows)) => with_scalar(operation, rows, &numbers, true).map(Table::Rows),
        (Table::Rows(left), Table::Rows(right)) => match set(op) {
            true => sets(op, left, right, modifier).map(Table::Rows),
            false => matched(at, operation, left, right, modifier).map(Table::Rows),
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
fn signature(labels: &Labels, modifier: &Modifier) -> Labels {
    match &modifier.matching {
        Some(on) if on.included => label_keys(labels, |key| on.names.iter().any(|it| it == key)),
        Some(ignored) => label_keys(labels, |key| key != "__name__" && ignored.names.iter().all(|it| it != key)),
        None => without_name(labels),
    }
}

fn sets(op: &str, left: Vec<Row>, right: Vec<Row>, modifier: &Modifier) -> Result<Vec<Row>, Failure> {
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

impl Operation {
    /// What it makes of two rows, instant by instant; with the sides changed, the second row is that of the left.
    fn between(self, row: &Row, other: &Row, swapped: bool) -> Vec<f64> {
        let one = |(value, other): (&f64, &f64)| {
            if stale(*value) || stale(*other) {
                return NO_SAMPLE;
            }
            let (a, b) = if swapped { (*other, *value) } else { (*value, *other) };
            let outcome = (self.apply)(a, b);
            match self.filters {
                true if outcome == 0.0 => NO_SAMPLE,
                // A filter shows the value of the left side.
                true => a,
                false => outcome,
            }
        };
        row.values.iter().zip(&other.values).map(one).collect()
    }
}

/// Why series that match cannot be told apart.
const NOT_EXPLICIT: &str =
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
const NOT_UNIQUE: &str = "multiple matches for labels: grouping labels must ensure unique matches";

fn matched(
    at: &At<'_>,
    operation: Operation,
    left: Vec<Row>,
    right: Vec<Row>,
    modifier: &Modifier,
) -> Result<Vec<Row>, Failure> {
    // With group_right the sides change places, and back when the operator is applied.
    let included = modifier.group.as_ref().map(|group| group.include.as_slice());
    let swapped = modifier.group.as_ref().is_some_and(|group| !group.left);
    let (many, one) = if swapped { (right, left) } else { (left, right) };
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
        let pairs = || rows.iter().flat_map(|row| others.iter().map(move |other| (row, other)));
        let of = |(row, other): (&Row, &Row)| Row {
            labels: metric_of(&row.labels, &other.labels, modifier, included, operation.drops_name),
            values: operation.between(row, other, swapped),
        };
        let found: Vec<Row> = pairs().map(of).collect();
        if found.len() > 1 {
            let met = |((row, other), found): ((&Row, &Row), &Row)| Row {
                labels: found.labels.clone(),
                values: both(row, other),
            };
            let met = operation.filters.then(|| pairs().zip(&found).map(met).collect::<Vec<_>>());
            explicit(at, &found, met.as_deref(), included.is_some())?;
        }
        results.extend(found);
    }
    results.retain(Row::any);
    unique(results, NOT_UNIQUE)
}

/// Refuses what matches several. `met` is what a comparison was asked of, `found` what is left.
fn explicit(at: &At<'_>, found: &[Row], met: Option<&[Row]>, grouped: bool) -> Result<(), Failure> {
    let (clash, why): (fn(&[Row]) -> bool, _) = match grouped {
        false => (several_at_once, NOT_EXPLICIT),
        true => (same_at_once, NOT_UNIQUE),
    };
    let met_clash = met.is_some_and(clash);
    // Since 3.9 what matches is counted before the filter, before that what it leaves.
    if clash(found) || (met_clash && at.evaluator.semantics() >= Semantics::V3_16) {
        return Err(Failure(why.into()));
    }
    if met_clash {
        at.leans_on_filter();
    }
    Ok(())
}

/// 1 at the instants at which both rows have a value.
fn both(row: &Row, other: &Row) -> Vec<f64> {
    let pairs = row.values.iter().zip(&other.values);
    pairs.map(|(a, b)| if stale(*a) || stale(*b) { NO_SAMPLE } else { 1.0 }).collect()
}

/// Whether two of the rows have a value at one instant.
fn several_at_once(rows: &[Row]) -> bool {
    let count = rows.first().map_or(0, |row| row.values.len());
    (0..count).any(|index| rows.iter().filter(|row| row.at(index).is_some()).nth(1).is_some())
}

/// The same of two rows of the same labels.
fn same_at_once(rows: &[Row]) -> bool {
    let mut by_labels: Grouped<Vec<Row>> = Grouped::default();
    for row in rows {
        by_labels.entry(row.labels.clone()).or_default().push(row.clone());
    }
    by_labels.values().any(|rows| several_at_once(rows))
}

fn metric_of(
    labels: &Labels,
    other: &Labels,
    modifier: &Modifier,
    included: Option<&[String]>,
    drops_name: bool,
) -> Labels {
    let metric = if drops_name { without_name(labels) } else { labels.clone() };
    match (included, &modifier.matching) {
        (Some(included), _) => {
            included.iter().fold(metric, |metric, name| with_label(&metric, name, label(other, name)))
        }
        // One to one: what was not matched by is gone.
        (None, Some(on)) if on.included => label_keys(&metric, |key| on.names.iter().any(|it| it == key)),
        (None, Some(ignored)) => label_keys(&metric, |key| ignored.names.iter().all(|it| it != key)),
        (None, None) => metric,
    }
}
