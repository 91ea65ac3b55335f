//! What is reckoned from the samples of a range.

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

    pub(super) fn of(values: &[f64]) -> f64 {
        let mut sum = Sum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum.total()
    }

    /// The mean; when the sum is too large for a float, step by step.
    pub(super) fn mean(values: &[f64]) -> f64 {
        let count = values.len() as f64;
        let sum = Sum::of(values);
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

/// `rate`, `increase` and `delta`: the difference over the range, extrapolated to its ends.
pub(super) fn extrapolated(
    samples: &[(i64, f64)],
    window: Window,
    counter: bool,
    per_second: bool,
    semantics: Semantics,
) -> Option<f64> {
    let (&(first_time, first), &(last_time, last)) = (samples.first()?, samples.last()?);
    if samples.len() < 2 {
        return None;
    }
    let mut result = last - first;
    if counter {
        let mut before = first;
        for &(_, value) in samples {
            // A counter that fell was reset: what it had is added.
            if value < before {
                result += before;
            }
            before = value;
        }
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
pub(super) fn instant(samples: &[(i64, f64)], rate: bool) -> Option<f64> {
    let [.., (before_time, before), (time, last)] = samples else { return None };
    let difference = if rate && last < before { *last } else { last - before };
    let seconds = (time - before_time) as f64 / 1000.0;
    if seconds == 0.0 {
        return None;
    }
    Some(if rate { difference / seconds } else { difference })
}

/// Slope and value at `now` of the line of least squares.
pub(super) fn regression(samples: &[(i64, f64)], now: i64) -> (f64, f64) {
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
pub(super) fn quantile(phi: f64, values: &[f64]) -> f64 {
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
    let lower = libm::floor(rank).max(0.0);
    let upper = (lower + 1.0).min((sorted.len() - 1) as f64);
    let weight = rank - libm::floor(rank);
    sorted[lower as usize] * (1.0 - weight) + sorted[upper as usize] * weight
}

/// The quantile of a classic histogram: bounds and cumulative counts.
pub(super) fn histogram_quantile(phi: f64, mut buckets: Vec<(f64, f64)>) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
        return f64::NAN;
    }
    // Buckets with the same bound count together.
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
    let total = merged[merged.len() - 1].1;
    if merged.len() < 2 || total == 0.0 {
        return f64::NAN;
    }
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
