//! The functions.

use std::collections::BTreeMap;

use super::aggregate::order;
use super::data::{Labels, NO_SAMPLE, Row, label, with_label, without_name};
use super::evaluate::{At, Failure, Grouped, SAME_LABELS, Table, system_time, unique};
use super::range::{Reducer, histogram_fraction, histogram_quantile};
use super::syntax::{Call, Expr, Kind};
use super::{extended, matcher};

pub(super) fn call(at: &At<'_>, call: &Call) -> Result<Table, Failure> {
    let (name, args) = (call.name.as_str(), call.args.as_slice());
    let arg = |index: usize| args.get(index).ok_or_else(|| Failure(format!("{name} needs more arguments")));
    if let Some(one) = of_number(name) {
        return at.mapped(at.rows(arg(0)?)?, |_, value| one(value)).map(Table::Rows);
    }
    if let Some(part) = of_date(name) {
        let dates = match args.first() {
            Some(arg) => at.rows(arg)?,
            None => vec![plain(at.seconds())],
        };
        return at.mapped(dates, |_, seconds| date(seconds).map_or(f64::NAN, part)).map(Table::Rows);
    }
    let rows = match name {
        "time" => return Ok(Table::Scalar(at.seconds())),
        "pi" => return Ok(Table::Scalar(vec![std::f64::consts::PI; at.grid.count])),
        "scalar" => return at.rows(arg(0)?).map(|rows| Table::Scalar(the_only(&rows, at.grid.count))),
        "vector" => vec![plain(at.scalar(arg(0)?)?)],
        "absent" => {
            let rows = at.rows(arg(0)?)?;
            absent(arg(0)?, at.grid.count, |index| rows.iter().any(|row| row.at(index).is_some()))
        }
        "absent_over_time" => {
            let counts = over_range(at, "present_over_time", args)?;
            absent(arg(0)?, at.grid.count, |index| counts.iter().any(|row| row.at(index).is_some()))
        }
        "timestamp" => match &arg(0)?.bare().kind {
            Kind::Selector(selector) => {
                let rows = at.select(selector, |(time, _)| time as f64 / 1000.0)?;
                at.mapped(rows, |_, time| time)?
            }
            _ => {
                let now = at.seconds();
                at.mapped(at.rows(arg(0)?)?, |index, _| now[index])?
            }
        },
        "clamp" => {
            let (least, most) = (at.scalar(arg(1)?)?, at.scalar(arg(2)?)?);
            let mut rows = at.mapped(at.rows(arg(0)?)?, |index, value| min(max(value, least[index]), most[index]))?;
            for row in &mut rows {
                let bounds = least.iter().zip(&most);
                row.values.iter_mut().zip(bounds).filter(|(_, (least, most))| least > most).for_each(|(value, _)| {
                    *value = NO_SAMPLE;
                });
            }
            rows
        }
        "clamp_min" => {
            let least = at.scalar(arg(1)?)?;
            at.mapped(at.rows(arg(0)?)?, |index, value| max(value, least[index]))?
        }
        "clamp_max" => {
            let most = at.scalar(arg(1)?)?;
            at.mapped(at.rows(arg(0)?)?, |index, value| min(value, most[index]))?
        }
        "round" => {
            let nearest = args.get(1).map_or_else(|| Ok(vec![1.0; at.grid.count]), |arg| at.scalar(arg))?;
            at.mapped(at.rows(arg(0)?)?, |index, value| {
                let inverse = 1.0 / nearest[index];
                f64::floor(value * inverse + 0.5) / inverse
            })?
        }
        "sort" | "sort_desc" => {
            let mut rows = at.rows(arg(0)?)?;
            // Only of one instant alone the order is part of the answer.
            if at.grid.count == 1 {
                rows.sort_by(|a, b| order(a.values[0], b.values[0], name == "sort_desc"));
            }
            rows
        }
        "histogram_quantile" => {
            let phis = at.scalar(arg(0)?)?;
            histogram(at.rows(arg(1)?)?, |index, buckets| histogram_quantile(phis[index], buckets))
        }
        "histogram_fraction" => {
            let (lower, upper) = (at.scalar(arg(0)?)?, at.scalar(arg(1)?)?);
            histogram(at.rows(arg(2)?)?, |index, buckets| histogram_fraction(lower[index], upper[index], buckets))
        }
        // They tell of native histograms; of floats, and there is nothing else here, they give nothing.
        "histogram_avg" | "histogram_count" | "histogram_stddev" | "histogram_stdvar" | "histogram_sum" => {
            at.rows(arg(0)?)?;
            Vec::new()
        }
        "label_replace" => unique(label_replace(at, args)?, SAME_LABELS)?,
        "label_join" => unique(label_join(at, args)?, SAME_LABELS)?,
        _ => over_range(at, name, args)?,
    };
    Ok(Table::Rows(rows))
}

/// A row without labels.
fn plain(values: Vec<f64>) -> Row {
    Row { labels: Vec::new().into(), values }
}

/// The value of the only series there is; NaN when there are none or several.
fn the_only(rows: &[Row], count: usize) -> Vec<f64> {
    let of = |index: usize| {
        let mut present = rows.iter().filter_map(|row| row.at(index));
        match (present.next(), present.next()) {
            (Some(value), None) => value,
            _ => f64::NAN,
        }
    };
    (0..count).map(of).collect()
}

/// 1 where nothing is there.
fn absent(expr: &Expr, count: usize, there: impl Fn(usize) -> bool) -> Vec<Row> {
    let values = (0..count).map(|index| if there(index) { NO_SAMPLE } else { 1.0 }).collect();
    let row = Row { labels: absent_labels(expr), values };
    if row.any() { vec![row] } else { Vec::new() }
}

fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

/// Functions of one number.
fn of_number(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => libm::exp,
        "ln" => libm::log,
        "log2" => libm::log2,
        "log10" => libm::log10,
        "sqrt" => f64::sqrt,
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
    let Some(selector) = expr.bare().selector() else { return Vec::new().into() };
    let mut fixed: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for matcher in selector.matchers.iter().filter(|matcher| matcher.name != "__name__") {
        let equal = matcher.op == "=";
        // Named twice, or matched otherwise, a label is not known.
        let twice = fixed.contains_key(matcher.name.as_str());
        fixed.insert(&matcher.name, (equal && !twice).then_some(matcher.value.as_str()));
    }
    fixed.into_iter().filter_map(|(key, value)| Some((key.into(), value.filter(|it| !it.is_empty())?.into()))).collect()
}

/// What is made of the buckets of each classic histogram at each instant: bounds and cumulative counts.
fn histogram(buckets: Vec<Row>, of: impl Fn(usize, Vec<(f64, f64)>) -> f64) -> Vec<Row> {
    let mut groups: Grouped<Vec<(f64, Row)>> = Grouped::default();
    for row in buckets {
        let Ok(bound) = label(&row.labels, "le").replace("Inf", "inf").parse::<f64>() else { continue };
        groups.entry(with_label(&without_name(&row.labels), "le", "")).or_default().push((bound, row));
    }
    let rows = groups.into_iter().map(|(labels, members)| {
        let count = members.first().map_or(0, |(_, row)| row.values.len());
        let at = |index: usize| {
            let present: Vec<(f64, f64)> =
                members.iter().filter_map(|(bound, row)| Some((*bound, row.at(index)?))).collect();
            if present.is_empty() { NO_SAMPLE } else { of(index, present) }
        };
        Row { labels, values: (0..count).map(at).collect() }
    });
    rows.collect()
}

fn label_replace(at: &At<'_>, args: &[Expr]) -> Result<Vec<Row>, Failure> {
    let [vector, target, replacement, source, pattern] = args else {
        return Err(Failure("label_replace needs five arguments".into()));
    };
    let (target, replacement) = (at.text(target)?, at.text(replacement)?);
    let (source, pattern) = (at.text(source)?, at.text(pattern)?);
    let regex = matcher::regex(&pattern)
        .ok_or_else(|| Failure(format!("invalid regular expression in label_replace(): {pattern}")))?;
    let mut bytes = 0;
    let replaced = at.rows(vector)?.into_iter().map(|Row { labels, values }| {
        let Some(captures) = regex.captures(label(&labels, &source)) else { return Ok(Row { labels, values }) };
        let text = matcher::expanded(&captures, &replacement, MAX_LABEL.min(MAX_LABELS - bytes))
            .ok_or_else(|| too_long("label_replace"))?;
        bytes += text.len();
        Ok(Row { labels: with_label(&labels, &target, &text), values })
    });
    replaced.collect()
}

/// Bytes of a value that `label_replace` or `label_join` makes: in a chain of them each could be several times as long as the
/// one before.
const MAX_LABEL: usize = 64 << 10;
/// Bytes of all values that one of them makes.
const MAX_LABELS: usize = 16 << 20;

fn too_long(name: &str) -> Failure {
    let (one, all) = (MAX_LABEL >> 10, MAX_LABELS >> 20);
    Failure(format!("{name} makes a value of more than {one} KiB, or of more than {all} MiB together"))
}

fn label_join(at: &At<'_>, args: &[Expr]) -> Result<Vec<Row>, Failure> {
    let [vector, target, separator, sources @ ..] = args else {
        return Err(Failure("label_join needs at least three arguments".into()));
    };
    let (target, separator) = (at.text(target)?, at.text(separator)?);
    let sources: Vec<String> = sources.iter().map(|source| at.text(source)).collect::<Result<_, _>>()?;
    let mut bytes = 0;
    let joined = at.rows(vector)?.into_iter().map(|Row { labels, values }| {
        let parts: Vec<&str> = sources.iter().map(|source| label(&labels, source)).collect();
        bytes += parts.iter().map(|part| part.len() + separator.len()).sum::<usize>();
        if bytes > MAX_LABELS || parts.iter().map(|part| part.len()).sum::<usize>() > MAX_LABEL {
            return Err(too_long("label_join"));
        }
        Ok(Row { labels: with_label(&labels, &target, &parts.join(&separator)), values })
    });
    joined.collect()
}

/// Functions of the samples of a range.
fn over_range(at: &At<'_>, name: &str, args: &[Expr]) -> Result<Vec<Row>, Failure> {
    // Of quantile_over_time the number comes first, of predict_linear last.
    let (numbers, range) = match (name, args) {
        ("quantile_over_time", [phi, range]) => (at.scalar(phi)?, range),
        ("predict_linear", [range, ahead]) => (at.scalar(ahead)?, range),
        (_, [range]) => (Vec::new(), range),
        _ => return Err(Failure(format!("{name} has the wrong number of arguments"))),
    };
    let reducer = Reducer::of(name).ok_or_else(|| Failure(format!("the function `{name}` is not implemented")))?;
    let semantics = at.evaluator.semantics();
    if let Some((extended, selector)) = extended::of(range) {
        return extended::over_range(at, name, reducer, extended, selector);
    }
    let ranges = at.ranges(range)?;
    let mut rows = Vec::with_capacity(ranges.series.len());
    for (labels, samples) in ranges.series {
        let mut known = reducer.prepare(&samples);
        let (mut begin, mut end) = (0, 0);
        let mut row = Row::empty(labels, ranges.windows.len());
        let mut any = false;
        for (index, window) in ranges.windows.iter().enumerate() {
            window.slide(&samples, &mut begin, &mut end, semantics);
            let number = numbers.get(index).copied().unwrap_or(0.0);
            if begin < end
                && let Some(value) =
                    reducer.reduce(&mut known, begin..end, *window, at.grid.time(index), number, semantics)
            {
                row.values[index] = value;
                any = true;
            }
        }
        if any {
            rows.push(row);
        }
    }
    if reducer.keeps_name() {
        return Ok(rows);
    }
    for row in &mut rows {
        row.labels = without_name(&row.labels);
    }
    unique(rows, SAME_LABELS)
}
