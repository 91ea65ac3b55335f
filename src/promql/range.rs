//! What is reckoned from the samples of a range.

use std::collections::VecDeque;

use super::Semantics;
use super::evaluate::Window;

/// Sums with a compensation for what rounding loses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub(super) fn total(self) -> f64 {
        self.sum + self.lost
    }

    pub(super) fn of(values: impl Iterator<Item = f64>) -> f64 {
        let mut sum = Sum::default();
        values.for_each(|value| sum.add(value));
        sum.total()
    }

    /// The mean; when the sum is too large for a float, step by step.
    pub(super) fn mean(values: &[f64]) -> f64 {
        let count = values.len() as f64;
        let sum = Sum::of(values.iter().copied());
        if sum.is_finite() || values.iter().any(|value| !value.is_finite()) {
            return sum / count;
        }
        let mut mean = 0.0;
        for (index, value) in values.iter().enumerate() {
            mean += value / (index + 1) as f64 - mean / (index + 1) as f64;
        }
        mean
    }

    /// The population variance.
    pub(super) fn variance(values: &[f64]) -> f64 {
        let (mut mean, mut squares) = (Sum::default(), Sum::default());
        for (index, value) in values.iter().enumerate() {
            let delta = value - mean.total();
            mean.add(delta / (index + 1) as f64);
            squares.add(delta * (value - mean.total()));
        }
        squares.total() / values.len() as f64
    }
}

/// A function of the samples of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reducer {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Changes,
    Resets,
    Deriv,
    PredictLinear,
    Avg,
    Sum,
    Count,
    Min,
    Max,
    First,
    Last,
    Present,
    Stdvar,
    Stddev,
    Quantile,
}

impl Reducer {
    /// Whether what comes of it is still the metric it was: the functions of one sample act as an offset.
    pub(super) fn keeps_name(self) -> bool {
        matches!(self, Reducer::First | Reducer::Last)
    }
}

/// What is known of all samples of a series before any window of them is looked at: where something happens from one to the
/// next. `places` are the later ones of such pairs.
pub(super) struct Known<'a> {
    samples: &'a [(i64, f64)],
    places: Vec<usize>,
    extremes: Extremes,
}

/// The samples of a window that moves on that may still become its least or its greatest one, the present one first: each
/// sample comes and goes once, however long the window is.
#[derive(Default)]
struct Extremes {
    places: VecDeque<usize>,
    /// Samples before it were looked at.
    seen: usize,
}

impl Extremes {
    /// Moves on to a window that neither begins nor ends before the last one. `beats` says which of two is the extreme; of
    /// equal ones the first is. None when all of the window are NaN, which nothing beats.
    fn slide(
        &mut self,
        samples: &[(i64, f64)],
        part: &std::ops::Range<usize>,
        beats: fn(f64, f64) -> bool,
    ) -> Option<f64> {
        let value = |place: usize| samples.get(place).map_or(f64::NAN, |(_, value)| *value);
        for place in self.seen.max(part.start)..part.end {
            if value(place).is_nan() {
                continue;
            }
            while self.places.back().is_some_and(|last| beats(value(place), value(*last))) {
                self.places.pop_back();
            }
            self.places.push_back(place);
        }
        self.seen = self.seen.max(part.end);
        while self.places.front().is_some_and(|first| *first < part.start) {
            self.places.pop_front();
        }
        self.places.front().map(|place| value(*place))
    }
}

impl Reducer {
    /// By the name of the function.
    pub(super) fn of(name: &str) -> Option<Reducer> {
        Some(match name {
            "rate" => Reducer::Rate,
            "increase" => Reducer::Increase,
            "delta" => Reducer::Delta,
            "irate" => Reducer::Irate,
            "idelta" => Reducer::Idelta,
            "changes" => Reducer::Changes,
            "resets" => Reducer::Resets,
            "deriv" => Reducer::Deriv,
            "predict_linear" => Reducer::PredictLinear,
            "avg_over_time" => Reducer::Avg,
            "sum_over_time" => Reducer::Sum,
            "count_over_time" => Reducer::Count,
            "min_over_time" => Reducer::Min,
            "max_over_time" => Reducer::Max,
            "first_over_time" => Reducer::First,
            "last_over_time" => Reducer::Last,
            "present_over_time" => Reducer::Present,
            "stdvar_over_time" => Reducer::Stdvar,
            "stddev_over_time" => Reducer::Stddev,
            "quantile_over_time" => Reducer::Quantile,
            _ => return None,
        })
    }

    /// What can be known of a series once for all windows.
    pub(super) fn prepare(self, samples: &[(i64, f64)]) -> Known<'_> {
        let differs: fn(f64, f64) -> bool = match self {
            // A counter that fell was reset.
            Reducer::Rate | Reducer::Increase | Reducer::Resets => |a, b| b < a,
            Reducer::Changes => |a, b| a != b && !(a.is_nan() && b.is_nan()),
            _ => return Known { samples, places: Vec::new(), extremes: Extremes::default() },
        };
        let pairs = samples.windows(2).enumerate();
        let places = pairs.filter(|(_, pair)| differs(pair[0].1, pair[1].1)).map(|(index, _)| index + 1).collect();
        Known { samples, places, extremes: Extremes::default() }
    }

    /// The value of a window, which holds at least one sample and moves on from one call to the next. `now` is when the whole is evaluated, `number` the other
    /// argument of the function.
    pub(super) fn reduce(
        self,
        known: &mut Known<'_>,
        part: std::ops::Range<usize>,
        window: Window,
        now: i64,
        number: f64,
        semantics: Semantics,
    ) -> Option<f64> {
        // Of pairs, the later one must not be the first of the window.
        let places = || {
            let from = known.places.partition_point(|place| *place <= part.start);
            let to = known.places.partition_point(|place| *place < part.end);
            &known.places[from..to.max(from)]
        };
        let samples = &known.samples[part.clone()];
        let values = || samples.iter().map(|(_, value)| *value);
        match self {
            Reducer::Rate | Reducer::Increase => {
                // What a counter had when it was reset is added.
                let lost = places().iter().map(|place| known.samples[place - 1].1);
                extrapolated(samples, lost, window, true, self == Reducer::Rate, semantics)
            }
            Reducer::Delta => extrapolated(samples, std::iter::empty(), window, false, false, semantics),
            Reducer::Irate => instant(samples, true),
            Reducer::Idelta => instant(samples, false),
            Reducer::Changes | Reducer::Resets => Some(places().len() as f64),
            Reducer::Deriv => (samples.len() > 1).then(|| regression(samples, samples[0].0).0),
            Reducer::PredictLinear => (samples.len() > 1).then(|| {
                let (slope, value) = regression(samples, now);
                slope * number + value
            }),
            Reducer::Avg => Some(Sum::mean(&values().collect::<Vec<_>>())),
            Reducer::Sum => Some(Sum::of(values())),
            Reducer::Count => Some(samples.len() as f64),
            Reducer::Min => known.extremes.slide(known.samples, &part, |it, least| it < least).or(values().next_back()),
            Reducer::Max => known.extremes.slide(known.samples, &part, |it, most| it > most).or(values().next_back()),
            Reducer::First => values().next(),
            Reducer::Last => values().next_back(),
            Reducer::Present => Some(1.0),
            Reducer::Stdvar => Some(Sum::variance(&values().collect::<Vec<_>>())),
            Reducer::Stddev => Some(f64::sqrt(Sum::variance(&values().collect::<Vec<_>>()))),
            Reducer::Quantile => Some(quantile(number, &values().collect::<Vec<_>>(), semantics)),
        }
    }
}

/// `rate`, `increase` and `delta`: the difference over the range, extrapolated to its ends.
fn extrapolated(
    samples: &[(i64, f64)],
    lost: impl Iterator<Item = f64>,
    window: Window,
    counter: bool,
    per_second: bool,
    semantics: Semantics,
) -> Option<f64> {
    let (&(first_time, first), &(last_time, last)) = (samples.first()?, samples.last()?);
    if samples.len() < 2 {
        return None;
    }
    let result = lost.fold(last - first, |result, lost| result + lost);
    // No factor makes anything else of nothing, and most counters stand still most of the time.
    if result == 0.0 && window.to > window.from {
        return Some(result);
    }
    let sampled = (last_time - first_time) as f64 / 1000.0;
    let gap = sampled / (samples.len() - 1) as f64;
    let threshold = gap * 1.1;
    let mut to_start = (first_time - window.from) as f64 / 1000.0;
    let mut to_end = (window.to - last_time) as f64 / 1000.0;
    // A counter cannot have been below zero: the line through it ends there.
    let to_zero = (counter && result > 0.0 && first >= 0.0).then(|| sampled * (first / result));
    let before_2_51 = semantics == Semantics::V2_42;
    if before_2_51 && let Some(to_zero) = to_zero.filter(|to_zero| *to_zero < to_start) {
        to_start = to_zero;
    }
    if to_start >= threshold {
        to_start = gap / 2.0;
    }
    if !before_2_51 && let Some(to_zero) = to_zero.filter(|to_zero| *to_zero < to_start) {
        to_start = to_zero;
    }
    if to_end >= threshold {
        to_end = gap / 2.0;
    }
    let factor = if before_2_51 {
        // The same in another order, to the last bit.
        let mut interval = sampled;
        interval += to_start;
        interval += to_end;
        interval / sampled
    } else {
        (sampled + to_start + to_end) / sampled
    };
    let factor = if per_second { factor / ((window.to - window.from) as f64 / 1000.0) } else { factor };
    Some(result * factor)
}

/// `irate` and `idelta`: between the last two samples.
fn instant(samples: &[(i64, f64)], rate: bool) -> Option<f64> {
    let [.., (before_time, before), (time, last)] = samples else { return None };
    let difference = if rate && last < before { *last } else { last - before };
    let seconds = (time - before_time) as f64 / 1000.0;
    if seconds == 0.0 {
        return None;
    }
    Some(if rate { difference / seconds } else { difference })
}

/// Slope and value at `now` of the line of least squares.
fn regression(samples: &[(i64, f64)], now: i64) -> (f64, f64) {
    let origin = samples.first().map_or(0.0, |(_, value)| *value);
    if samples.iter().all(|(_, value)| *value == origin) {
        return if origin.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, origin) };
    }
    let (mut x_sum, mut y_sum, mut xy_sum, mut xx_sum) =
        (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for (time, value) in samples {
        let x = (time - now) as f64 / 1000.0;
        x_sum.add(x);
        y_sum.add(*value);
        xy_sum.add(x * value);
        xx_sum.add(x * x);
    }
    let n = samples.len() as f64;
    let (x, y, xy, xx) = (x_sum.total(), y_sum.total(), xy_sum.total(), xx_sum.total());
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

/// The quantile of some values, interpolated between neighbours.
pub(super) fn quantile(phi: f64, values: &[f64], semantics: Semantics) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    // NaN is smaller than everything here.
    sorted.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        _ => a.total_cmp(b),
    });
    let rank = phi * (sorted.len() - 1) as f64;
    let lower = f64::floor(rank).max(0.0);
    let upper = (lower + 1.0).min((sorted.len() - 1) as f64);
    let weight = rank - f64::floor(rank);
    // Since 3.16 nothing infinite becomes NaN where one value alone counts.
    if weight == 0.0 && semantics >= Semantics::V3_16 {
        return sorted[lower as usize];
    }
    sorted[lower as usize] * (1.0 - weight) + sorted[upper as usize] * weight
}

/// The buckets of a classic histogram in order: those of the same bound together, counts that never fall. None when it is
/// no histogram: nothing at +Inf, one bucket alone, or nothing counted.
fn merged(mut buckets: Vec<(f64, f64)>) -> Option<Vec<(f64, f64)>> {
    buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
        return None;
    }
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(buckets.len());
    for (bound, count) in buckets {
        match merged.last_mut() {
            Some((last, total)) if *last == bound => *total += count,
            _ => merged.push((bound, count)),
        }
    }
    // Counts must not fall; small falls come from rounding.
    let mut most = f64::NEG_INFINITY;
    for (_, count) in &mut merged {
        if *count > most {
            most = *count;
        } else {
            *count = most;
        }
    }
    (merged.len() >= 2 && merged[merged.len() - 1].1 != 0.0).then_some(merged)
}

/// The quantile of a classic histogram: bounds and cumulative counts.
pub(super) fn histogram_quantile(phi: f64, buckets: Vec<(f64, f64)>) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let Some(merged) = merged(buckets) else { return f64::NAN };
    let total = merged[merged.len() - 1].1;
    let mut rank = phi * total;
    let place = merged[..merged.len() - 1].partition_point(|(_, count)| *count < rank);
    if place == merged.len() - 1 {
        return merged[merged.len() - 2].0;
    }
    if place == 0 && merged[0].0 <= 0.0 {
        return merged[0].0;
    }
    let (mut begin, end) = (0.0, merged[place].0);
    let mut count = merged[place].1;
    if place > 0 {
        begin = merged[place - 1].0;
        count -= merged[place - 1].1;
        rank -= merged[place - 1].1;
    }
    begin + (end - begin) * (rank / count)
}

/// The share of the observations of a classic histogram between two values.
pub(super) fn histogram_fraction(lower: f64, upper: f64, buckets: Vec<(f64, f64)>) -> f64 {
    let Some(merged) = merged(buckets) else { return f64::NAN };
    let total = merged[merged.len() - 1].1;
    if lower.is_nan() || upper.is_nan() || total.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    // Observations up to a value, spread evenly over the bucket it lies in.
    let rank = |value: f64| {
        let place = merged.partition_point(|(bound, _)| *bound < value);
        let Some(&(bound, count)) = merged.get(place) else { return total };
        let before = place.checked_sub(1).map(|place| merged[place]);
        let (begin, below) = before.unwrap_or((if bound > 0.0 { 0.0 } else { f64::NEG_INFINITY }, 0.0));
        if bound == value {
            count
        } else if bound.is_infinite() || begin.is_infinite() || value <= begin {
            below
        } else {
            below + (count - below) * (value - begin) / (bound - begin)
        }
    };
    (rank(upper) - rank(lower)) / total
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Windows that move on have the extremes that a look at each of their samples finds.
        #[test]
        fn extremes_are_those_of_all_samples(
            values in prop::collection::vec(prop_oneof![4 => (-3..4).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(-0.0)], 1..60),
            moves in prop::collection::vec((0usize..4, 0usize..4), 1..40),
        ) {
            let samples: Vec<(i64, f64)> = (0..).zip(values).collect();
            for (reducer, beats) in [
                (Reducer::Max, (|a, b| a > b) as fn(f64, f64) -> bool),
                (Reducer::Min, |a, b| a < b),
            ] {
                let mut known = reducer.prepare(&samples);
                let (mut begin, mut end) = (0, 0);
                for (first, last) in &moves {
                    end = (end + last).min(samples.len());
                    begin = (begin + first).min(end);
                    if begin == end {
                        continue;
                    }
                    let naive = samples[begin..end].iter().map(|(_, value)| *value);
                    let naive = naive.reduce(|best: f64, it| if beats(it, best) || best.is_nan() { it } else { best });
                    let window = Window { from: 0, to: 0 };
                    let ours = reducer.reduce(&mut known, begin..end, window, 0, 0.0, Semantics::V3);
                    prop_assert_eq!(ours.map(f64::to_bits), naive.map(f64::to_bits));
                }
            }
        }
    }
}
