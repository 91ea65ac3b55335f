//! Operators between numbers and vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use promql_parser::parser::{BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality};

use super::Semantics;
use super::data::{Labels, Vector, label, with_label, without_name};
use super::evaluate::{At, Failure, Value};

const KNOWN: &[&str] =
    &["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"];

pub(super) fn known(name: &str) -> bool {
    KNOWN.contains(&name)
}

fn comparison(op: &str) -> bool {
    matches!(op, "==" | "!=" | ">" | "<" | ">=" | "<=")
}

/// Whether a result is no longer the metric it was reckoned from. `atan2` keeps the name in 2.x (measured with 2.42).
fn drops_name(op: &str, semantics: Semantics) -> bool {
    op != "atan2" || semantics == Semantics::V3
}

/// Arithmetic; of comparisons 1 or 0.
fn apply(op: &str, a: f64, b: f64) -> f64 {
    let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
    match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        // The sign of the dividend, as in Go.
        "%" => libm::fmod(a, b),
        "^" => libm::pow(a, b),
        "atan2" => libm::atan2(a, b),
        "==" => truth(a == b),
        "!=" => truth(a != b),
        ">" => truth(a > b),
        "<" => truth(a < b),
        ">=" => truth(a >= b),
        _ => truth(a <= b),
    }
}

pub(super) fn binary(at: &At<'_>, expr: &BinaryExpr) -> Result<Value, Failure> {
    let op = expr.op.to_string();
    let drops = drops_name(&op, at.evaluator.semantics());
    let returns_bool = expr.modifier.as_ref().is_some_and(|modifier| modifier.return_bool);
    match (at.value(&expr.lhs)?, at.value(&expr.rhs)?) {
        (Value::Scalar(a), Value::Scalar(b)) => Ok(Value::Scalar(apply(&op, a, b))),
        (Value::Vector(vector), Value::Scalar(number)) => {
            Ok(Value::Vector(with_scalar(&op, vector, number, false, returns_bool, drops)))
        }
        (Value::Scalar(number), Value::Vector(vector)) => {
            Ok(Value::Vector(with_scalar(&op, vector, number, true, returns_bool, drops)))
        }
        (Value::Vector(left), Value::Vector(right)) => {
            let modifier = expr.modifier.as_ref();
            match op.as_str() {
                "and" | "or" | "unless" => Ok(Value::Vector(sets(&op, left, right, modifier))),
                _ => matched(&op, left, right, modifier, returns_bool, drops).map(Value::Vector),
            }
        }
        _ => Err(Failure("a text cannot be reckoned with".into())),
    }
}

fn with_scalar(op: &str, vector: Vector, number: f64, scalar_first: bool, returns_bool: bool, drops: bool) -> Vector {
    let both = |value: f64| if scalar_first { (number, value) } else { (value, number) };
    vector
        .into_iter()
        .filter_map(|(labels, value)| {
            let (a, b) = both(value);
            let result = apply(op, a, b);
            match (comparison(op), returns_bool) {
                // A filter keeps the series as it is.
                (true, false) => (result != 0.0).then_some((labels, value)),
                _ if drops => Some((without_name(&labels), result)),
                _ => Some((labels, result)),
            }
        })
        .collect()
}

/// The labels two sides are matched by.
fn signature(labels: &Labels, modifier: Option<&BinModifier>) -> Labels {
    match modifier.and_then(|modifier| modifier.matching.as_ref()) {
        Some(LabelModifier::Include(on)) => {
            labels.iter().filter(|(key, _)| on.labels.iter().any(|it| **it == **key)).cloned().collect()
        }
        Some(LabelModifier::Exclude(ignored)) => labels
            .iter()
            .filter(|(key, _)| &**key != "__name__" && ignored.labels.iter().all(|it| **it != **key))
            .cloned()
            .collect(),
        None => without_name(labels),
    }
}

fn sets(op: &str, left: Vector, right: Vector, modifier: Option<&BinModifier>) -> Vector {
    let signatures = |vector: &Vector| -> BTreeSet<Labels> {
        vector.iter().map(|(labels, _)| signature(labels, modifier)).collect()
    };
    match op {
        "or" => {
            let taken = signatures(&left);
            let more = right.into_iter().filter(|(labels, _)| !taken.contains(&signature(labels, modifier)));
            left.into_iter().chain(more).collect()
        }
        _ => {
            let there = signatures(&right);
            let keeps = |labels: &Labels| there.contains(&signature(labels, modifier)) == (op == "and");
            left.into_iter().filter(|(labels, _)| keeps(labels)).collect()
        }
    }
}

fn matched(
    op: &str,
    left: Vector,
    right: Vector,
    modifier: Option<&BinModifier>,
    returns_bool: bool,
    drops: bool,
) -> Result<Vector, Failure> {
    // With group_right the sides change places, and back when the operator is applied.
    let (many, one, swapped, included) = match modifier.map(|modifier| &modifier.card) {
        Some(VectorMatchCardinality::OneToMany(included)) => (right, left, true, Some(included)),
        Some(VectorMatchCardinality::ManyToOne(included)) => (left, right, false, Some(included)),
        _ => (left, right, false, None),
    };
    let mut by_signature: BTreeMap<Labels, &(Labels, f64)> = BTreeMap::new();
    for sample in &one {
        if by_signature.insert(signature(&sample.0, modifier), sample).is_some() {
            let side = if swapped { "left" } else { "right" };
            return Err(Failure(format!(
                "found duplicate series for the match group on the {side} side of the operation"
            )));
        }
    }
    let mut seen: BTreeSet<Labels> = BTreeSet::new();
    let mut result = Vec::new();
    for (labels, value) in many {
        let key = signature(&labels, modifier);
        let Some((other, other_value)) = by_signature.get(&key) else { continue };
        let (a, b) = if swapped { (*other_value, value) } else { (value, *other_value) };
        let outcome = apply(op, a, b);
        let kept = match (comparison(op), returns_bool) {
            (true, false) if outcome == 0.0 => None,
            // A filter shows the value of the left side.
            (true, false) => Some(a),
            _ => Some(outcome),
        };
        let drops_name = drops && (!comparison(op) || returns_bool);
        let metric = metric_of(&labels, other, modifier, included.map(|labels| labels.labels.as_slice()), drops_name);
        let taken = match included {
            Some(_) => !seen.insert(metric.clone()),
            None => !seen.insert(key),
        };
        let Some(value) = kept else { continue };
        if taken {
            let hint = if included.is_some() {
                "grouping labels must ensure unique matches"
            } else {
                "use group_left or group_right"
            };
            return Err(Failure(format!("multiple matches for labels: {hint}")));
        }
        result.push((metric, value));
    }
    Ok(result)
}

fn metric_of(
    labels: &Labels,
    other: &Labels,
    modifier: Option<&BinModifier>,
    included: Option<&[String]>,
    drops_name: bool,
) -> Labels {
    let mut metric = if drops_name { without_name(labels) } else { labels.clone() };
    match (included, modifier.and_then(|modifier| modifier.matching.as_ref())) {
        (Some(included), _) => {
            for name in included {
                metric = with_label(&metric, name, label(other, name));
            }
        }
        // One to one: what was not matched by is gone.
        (None, Some(LabelModifier::Include(on))) => {
            let kept = |key: &Arc<str>| on.labels.iter().any(|it| **it == **key);
            metric = metric.iter().filter(|(key, _)| kept(key)).cloned().collect();
        }
        (None, Some(LabelModifier::Exclude(ignored))) => {
            let kept = |key: &Arc<str>| ignored.labels.iter().all(|it| **it != **key);
            metric = metric.iter().filter(|(key, _)| kept(key)).cloned().collect();
        }
        (None, None) => {}
    }
    metric
}
