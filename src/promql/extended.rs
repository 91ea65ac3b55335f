//! Selectors that reach beyond their range: `anchored` to the last sample before it, `smoothed` to the samples around its ends.
//!
//! Stable since Prometheus 3.16, whose answers these are; there is no extrapolation here.

use super::data::{NO_SAMPLE, Row, without_name};
use super::evaluate::{At, Failure, LOOKBACK, SAME_LABELS, Window, unique};
use super::range::Reducer;
use super::syntax::{Expr, Extended, Kind, RangeSelector, Selector};

/// The range selector an expression is, when it reaches further.
pub(super) fn of(expr: &Expr) -> Option<(Extended, &RangeSelector)> {
    match &expr.bare().kind {
        Kind::Range(it) => Some((it.selector.extension()?, it)),
        _ => None,
    }
}

/// Functions that may be asked of such a range.
fn takes(extended: Extended, reducer: Reducer) -> bool {
    match reducer {
        Reducer::Rate | Reducer::Increase | Reducer::Delta => true,
        Reducer::Changes | Reducer::Resets => extended == Extended::Anchored,
        _ => false,
    }
}

/// A function of such a range.
pub(super) fn over_range(
    at: &At<'_>,
    name: &str,
    reducer: Reducer,
    extended: Extended,
    matrix: &RangeSelector,
) -> Result<Vec<Row>, Failure> {
    if !takes(extended, reducer) {
        let (word, functions) = match extended {
            Extended::Anchored => ("anchored", "changes, delta, increase, rate, resets"),
            Extended::Smoothed => ("smoothed", "delta, increase, rate"),
        };
        return Err(Failure(format!("{word} modifier can only be used with: {functions} - not with {name}")));
    }
    let after = if extended == Extended::Smoothed { LOOKBACK } else { 0 };
    let ranges = at.matrix(matrix)?;
    let mut rows = Vec::with_capacity(ranges.series.len());
    for (labels, samples) in ranges.series {
        let (mut begin, mut end) = (0, 0);
        let mut row = Row::empty(without_name(&labels), ranges.windows.len());
        for (index, window) in ranges.windows.iter().enumerate() {
            let wide = Window { from: window.from.saturating_sub(LOOKBACK), to: window.to.saturating_add(after) };
            wide.slide(&samples, &mut begin, &mut end, at.evaluator.semantics());
            if let Some(value) = samples.get(begin..end).and_then(|part| value(part, *window, reducer, extended)) {
                row.values[index] = value;
            }
        }
        if row.any() {
            rows.push(row);
        }
    }
    unique(rows, SAME_LABELS)
}

/// The value of a window, whose samples are those from a look back before it on.
fn value(samples: &[(i64, f64)], window: Window, reducer: Reducer, extended: Extended) -> Option<f64> {
    let differs: fn(f64, f64) -> bool = match reducer {
        Reducer::Changes => |a, b| a != b && !(a.is_nan() && b.is_nan()),
        Reducer::Resets => |a, b| b < a,
        _ => {
            let counter = reducer != Reducer::Delta;
            let difference = difference(samples, window, extended == Extended::Smoothed, counter)?;
            let seconds = (window.to - window.from) as f64 / 1000.0;
            return Some(if reducer == Reducer::Rate { difference / seconds } else { difference });
        }
    };
    // The last sample before the window counts with those in it; without any in it there is nothing to tell.
    let first = samples.partition_point(|(time, _)| *time <= window.from);
    samples.get(first)?;
    let pairs = samples.get(first.saturating_sub(1)..)?.windows(2);
    Some(pairs.filter(|pair| differs(pair[0].1, pair[1].1)).count() as f64)
}

/// By how much a series rose from the begin of a window to its end.
fn difference(samples: &[(i64, f64)], window: Window, smoothed: bool, counter: bool) -> Option<f64> {
    let mut last = samples.len().checked_sub(1)?;
    let mut first = samples[..last].partition_point(|(time, _)| *time <= window.from).saturating_sub(1);
    if smoothed {
        last = samples[..last].partition_point(|(time, _)| *time < window.to);
    }
    let (first_time, last_time) = (samples[first].0, samples[last].0);
    if last_time <= window.from || (smoothed && first_time > window.to) {
        return None;
    }
    let between = |place: usize, at: i64| {
        let (before, after) = (samples.get(place)?, samples.get(place + 1)?);
        Some(if smoothed { interpolated(*before, *after, at, counter) } else { before.1 })
    };
    let left = if first_time < window.from { between(first, window.from)? } else { samples[first].1 };
    let right = match last.checked_sub(1) {
        Some(before) if last_time > window.to => between(before, window.to)?,
        _ => samples[last].1,
    };
    if !counter {
        return Some(right - left);
    }
    if first_time <= window.from {
        first += 1;
    }
    let end = if last_time >= window.to { last } else { last + 1 };
    // What a counter had when it was reset is added.
    let inside = samples.get(first..end).unwrap_or_default().iter().map(|(_, value)| *value);
    let (mut lost, mut before) = (0.0, left);
    for value in inside.chain([right]) {
        if value < before {
            lost += before;
        }
        before = value;
    }
    Some(right - left + lost)
}

/// The value at an instant between two samples. A counter that fell began at zero.
fn interpolated(before: (i64, f64), after: (i64, f64), at: i64, counter: bool) -> f64 {
    let from = if counter && after.1 < before.1 { 0.0 } else { before.1 };
    from + (after.1 - from) * (at - before.0) as f64 / (after.0 - before.0) as f64
}

/// `x smoothed`: at an instant between two samples what lies between them; behind the last one this one.
pub(super) fn smoothed(at: &At<'_>, selector: &Selector) -> Result<Vec<Row>, Failure> {
    let ranges = at.samples(selector, LOOKBACK)?;
    let mut rows = Vec::with_capacity(ranges.series.len());
    for (labels, samples) in ranges.series {
        let (mut begin, mut end) = (0, 0);
        let one = |window: &Window| {
            let wide = Window { from: window.from, to: window.to.saturating_add(LOOKBACK) };
            wide.slide(&samples, &mut begin, &mut end, at.evaluator.semantics());
            let part = samples.get(begin..end).unwrap_or_default();
            let next = part.partition_point(|(time, _)| *time < window.to);
            match (next.checked_sub(1).map(|last| part[last]), part.get(next)) {
                (_, Some((time, value))) if *time == window.to => *value,
                (Some(before), Some(after)) => interpolated(before, *after, window.to, false),
                (Some((_, value)), None) => value,
                (None, _) => NO_SAMPLE,
            }
        };
        let row = Row { labels, values: ranges.windows.iter().map(one).collect() };
        if row.any() {
            rows.push(row);
        }
    }
    Ok(rows)
}
