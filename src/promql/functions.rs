//! The functions.

use std::collections::BTreeMap;

use promql_parser::parser::{Call, Expr};
use regex::Regex;

use super::data::{Labels, Vector, label, with_label, without_name};
use super::evaluate::{At, Failure, Range, Value, Window, system_time};
use super::range::{Sum, extrapolated, histogram_quantile, instant, quantile, regression};

const KNOWN: &[&str] = &[
    "abs",
    "absent",
    "absent_over_time",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "exp",
    "floor",
    "histogram_quantile",
    "hour",
    "idelta",
    "increase",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max_over_time",
    "min_over_time",
    "minute",
    "month",
    "pi",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rad",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "tan",
    "tanh",
    "time",
    "timestamp",
    "vector",
    "year",
];

pub(super) fn known(name: &str) -> bool {
    KNOWN.contains(&name)
}

pub(super) fn call(at: &At<'_>, call: &Call) -> Result<Value, Failure> {
    let name = call.func.name;
    let args: &[Box<Expr>] = &call.args.args;
    let arg =
        |index: usize| args.get(index).map(|arg| &**arg).ok_or_else(|| Failure(format!("{name} needs more arguments")));
    if let Some(one) = of_number(name) {
        return Ok(Value::Vector(each(at.vector(arg(0)?)?, one)));
    }
    if let Some(part) = of_date(name) {
        let dates = match args.first() {
            Some(arg) => at.vector(arg)?,
            None => vec![(Vec::new().into(), at.seconds())],
        };
        return Ok(Value::Vector(each(dates, |seconds| date(seconds).map_or(f64::NAN, &part))));
    }
    let vector = match name {
        "time" => return Ok(Value::Scalar(at.seconds())),
        "pi" => return Ok(Value::Scalar(std::f64::consts::PI)),
        "scalar" => {
            let vector = at.vector(arg(0)?)?;
            return Ok(Value::Scalar(if let [(_, value)] = vector.as_slice() { *value } else { f64::NAN }));
        }
        "vector" => vec![(Vec::new().into(), at.scalar(arg(0)?)?)],
        "absent" => match at.vector(arg(0)?)?.is_empty() {
            true => vec![(absent_labels(arg(0)?), 1.0)],
            false => Vec::new(),
        },
        "absent_over_time" => match at.range(arg(0)?)?.0.is_empty() {
            true => vec![(absent_labels(arg(0)?), 1.0)],
            false => Vec::new(),
        },
        "timestamp" => match bare(arg(0)?) {
            Expr::VectorSelector(selector) => {
                at.select_times(selector).into_iter().map(|(labels, time)| (without_name(&labels), time)).collect()
            }
            other => each(at.vector(other)?, |_| at.seconds()),
        },
        "clamp" => {
            let (least, most) = (at.scalar(arg(1)?)?, at.scalar(arg(2)?)?);
            match least > most {
                true => Vec::new(),
                false => each(at.vector(arg(0)?)?, |value| min(max(value, least), most)),
            }
        }
        "clamp_min" => {
            let least = at.scalar(arg(1)?)?;
            each(at.vector(arg(0)?)?, |value| max(value, least))
        }
        "clamp_max" => {
            let most = at.scalar(arg(1)?)?;
            each(at.vector(arg(0)?)?, |value| min(value, most))
        }
        "round" => {
            let nearest = args.get(1).map_or(Ok(1.0), |arg| at.scalar(arg))?;
            let inverse = 1.0 / nearest;
            each(at.vector(arg(0)?)?, |value| libm::floor(value * inverse + 0.5) / inverse)
        }
        "sort" | "sort_desc" => {
            let mut vector = at.vector(arg(0)?)?;
            vector.sort_by(|(_, a), (_, b)| match (a.is_nan(), b.is_nan()) {
                (true, true) => std::cmp::Ordering::Equal,
                (true, false) => std::cmp::Ordering::Greater,
                (false, true) => std::cmp::Ordering::Less,
                _ if name == "sort_desc" => b.total_cmp(a),
                _ => a.total_cmp(b),
            });
            vector
        }
        "histogram_quantile" => histogram(at.scalar(arg(0)?)?, at.vector(arg(1)?)?),
        "label_replace" => label_replace(at, args)?,
        "label_join" => label_join(at, args)?,
        _ => over_range(at, name, args)?,
    };
    unique(&vector)?;
    Ok(Value::Vector(vector))
}

/// Two series with the same labels cannot stand in one vector.
fn unique(vector: &Vector) -> Result<(), Failure> {
    let mut seen = std::collections::BTreeSet::new();
    match vector.iter().all(|(labels, _)| seen.insert(labels)) {
        true => Ok(()),
        false => Err(Failure("vector cannot contain metrics with the same labelset".into())),
    }
}

fn each(vector: Vector, of: impl Fn(f64) -> f64) -> Vector {
    vector.into_iter().map(|(labels, value)| (without_name(&labels), of(value))).collect()
}

fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(it) => bare(&it.expr),
        other => other,
    }
}

/// Functions of one number.
fn of_number(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => libm::fabs,
        "ceil" => libm::ceil,
        "floor" => libm::floor,
        "exp" => libm::exp,
        "ln" => libm::log,
        "log2" => libm::log2,
        "log10" => libm::log10,
        "sqrt" => libm::sqrt,
        "sgn" => |value| {
            if value < 0.0 {
                -1.0
            } else if value > 0.0 {
                1.0
            } else {
                value
            }
        },
        "sin" => libm::sin,
        "cos" => libm::cos,
        "tan" => libm::tan,
        "asin" => libm::asin,
        "acos" => libm::acos,
        "atan" => libm::atan,
        "sinh" => libm::sinh,
        "cosh" => libm::cosh,
        "tanh" => libm::tanh,
        "asinh" => libm::asinh,
        "acosh" => libm::acosh,
        "atanh" => libm::atanh,
        "deg" => |value| value * 180.0 / std::f64::consts::PI,
        "rad" => |value| value * std::f64::consts::PI / 180.0,
        _ => return None,
    })
}

type Date = jiff::civil::DateTime;

/// Functions of a date in UTC.
fn of_date(name: &str) -> Option<fn(Date) -> f64> {
    Some(match name {
        "minute" => |date: Date| f64::from(date.minute()),
        "hour" => |date: Date| f64::from(date.hour()),
        "day_of_week" => |date: Date| f64::from(date.weekday().to_sunday_zero_offset()),
        "day_of_month" => |date: Date| f64::from(date.day()),
        "day_of_year" => |date: Date| f64::from(date.day_of_year()),
        "days_in_month" => |date: Date| f64::from(date.days_in_month()),
        "month" => |date: Date| f64::from(date.month()),
        "year" => |date: Date| f64::from(date.year()),
        _ => return None,
    })
}

fn date(seconds: f64) -> Option<Date> {
    let timestamp = match system_time(seconds) {
        Some(time) => jiff::Timestamp::try_from(time).ok()?,
        None => jiff::Timestamp::from_second(seconds as i64).ok()?,
    };
    Some(jiff::tz::TimeZone::UTC.to_datetime(timestamp))
}

/// What `absent` shows: the labels its selector fixes by `=`.
fn absent_labels(expr: &Expr) -> Labels {
    let matchers = match bare(expr) {
        Expr::VectorSelector(selector) => &selector.matchers.matchers,
        Expr::MatrixSelector(matrix) => &matrix.vs.matchers.matchers,
        _ => return Vec::new().into(),
    };
    let mut fixed: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != "__name__") {
        let equal = matcher.op == promql_parser::label::MatchOp::Equal;
        // Named twice, or matched otherwise, a label is not known.
        let twice = fixed.contains_key(matcher.name.as_str());
        fixed.insert(&matcher.name, (equal && !twice).then_some(matcher.value.as_str()));
    }
    fixed.into_iter().filter_map(|(key, value)| Some((key.into(), value.filter(|it| !it.is_empty())?.into()))).collect()
}

fn histogram(phi: f64, buckets: Vector) -> Vector {
    let mut order: Vec<Labels> = Vec::new();
    let mut groups: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (labels, count) in buckets {
        let bound = label(&labels, "le");
        let Ok(bound) = bound.replace("Inf", "inf").parse::<f64>() else { continue };
        let group = with_label(&without_name(&labels), "le", "");
        groups
            .entry(group.clone())
            .or_insert_with(|| {
                order.push(group);
                Vec::new()
            })
            .push((bound, count));
    }
    let of = |labels: Labels| groups.remove(&labels).map(|buckets| (labels, histogram_quantile(phi, buckets)));
    order.into_iter().filter_map(of).collect()
}

fn label_replace(at: &At<'_>, args: &[Box<Expr>]) -> Result<Vector, Failure> {
    let [vector, target, replacement, source, pattern] = args else {
        return Err(Failure("label_replace needs five arguments".into()));
    };
    let (target, replacement) = (at.text(target)?, at.text(replacement)?);
    let (source, pattern) = (at.text(source)?, at.text(pattern)?);
    let regex = Regex::new(&format!("^(?s:{pattern})$"))
        .map_err(|_| Failure(format!("invalid regular expression in label_replace(): {pattern}")))?;
    Ok(at
        .vector(vector)?
        .into_iter()
        .map(|(labels, value)| match regex.captures(label(&labels, &source)) {
            Some(captures) => {
                let mut text = String::new();
                captures.expand(&replacement, &mut text);
                (with_label(&labels, &target, &text), value)
            }
            None => (labels, value),
        })
        .collect())
}

fn label_join(at: &At<'_>, args: &[Box<Expr>]) -> Result<Vector, Failure> {
    let [vector, target, separator, sources @ ..] = args else {
        return Err(Failure("label_join needs at least three arguments".into()));
    };
    let (target, separator) = (at.text(target)?, at.text(separator)?);
    let sources: Vec<String> = sources.iter().map(|source| at.text(source)).collect::<Result<_, _>>()?;
    Ok(at
        .vector(vector)?
        .into_iter()
        .map(|(labels, value)| {
            let parts: Vec<&str> = sources.iter().map(|source| label(&labels, source)).collect();
            (with_label(&labels, &target, &parts.join(&separator)), value)
        })
        .collect())
}

/// Functions of the samples of a range.
fn over_range(at: &At<'_>, name: &str, args: &[Box<Expr>]) -> Result<Vector, Failure> {
    // Of quantile_over_time the number comes first, of predict_linear last.
    let (phi, range) = match (name, args) {
        ("quantile_over_time", [phi, range]) => (at.scalar(phi)?, range),
        ("predict_linear", [range, ahead]) => (at.scalar(ahead)?, range),
        (_, [range]) => (0.0, range),
        _ => return Err(Failure(format!("{name} has the wrong number of arguments"))),
    };
    let (ranges, window) = at.range(range)?;
    let of = |Range { labels, samples }: Range| {
        let value = reduce(at, name, &samples, window, phi)?;
        let labels = if name == "last_over_time" { labels } else { without_name(&labels) };
        Some((labels, value))
    };
    Ok(ranges.into_iter().filter_map(of).collect())
}

fn reduce(at: &At<'_>, name: &str, samples: &[(i64, f64)], window: Window, phi: f64) -> Option<f64> {
    let semantics = at.evaluator.semantics();
    let values = || samples.iter().map(|(_, value)| *value).collect::<Vec<f64>>();
    let pairs =
        |differs: fn(f64, f64) -> bool| samples.windows(2).filter(|pair| differs(pair[0].1, pair[1].1)).count() as f64;
    match name {
        "rate" => extrapolated(samples, window, true, true, semantics),
        "increase" => extrapolated(samples, window, true, false, semantics),
        "delta" => extrapolated(samples, window, false, false, semantics),
        "irate" => instant(samples, true),
        "idelta" => instant(samples, false),
        "changes" => Some(pairs(|a, b| a != b && !(a.is_nan() && b.is_nan()))),
        "resets" => Some(pairs(|a, b| b < a)),
        "deriv" => (samples.len() > 1).then(|| regression(samples, samples[0].0).0),
        "predict_linear" => (samples.len() > 1).then(|| {
            let (slope, value) = regression(samples, at.now);
            slope * phi + value
        }),
        "avg_over_time" => Some(Sum::mean(&values())),
        "sum_over_time" => Some(Sum::of(&values())),
        "count_over_time" => Some(samples.len() as f64),
        "min_over_time" => {
            samples.iter().map(|it| it.1).reduce(|least, it| if it < least || least.is_nan() { it } else { least })
        }
        "max_over_time" => {
            samples.iter().map(|it| it.1).reduce(|most, it| if it > most || most.is_nan() { it } else { most })
        }
        "last_over_time" => samples.last().map(|(_, value)| *value),
        "present_over_time" => Some(1.0),
        "stdvar_over_time" => Some(Sum::variance(&values())),
        "stddev_over_time" => Some(libm::sqrt(Sum::variance(&values()))),
        "quantile_over_time" => Some(quantile(phi, &values())),
        _ => None,
    }
}
