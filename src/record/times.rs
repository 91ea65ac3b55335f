//! How long something takes, from what there is: quantiles, buckets, the spread of the sums from look to look, or a mean.

use std::collections::BTreeMap;

use super::meters::{Part, What};
use super::observed::{Key, Observed, Seen};

/// Steps from look to look in which something ended, from which on their sums tell how far it spreads.
const STEPS: usize = 30;
/// A spread of the logarithm below this is that of clocks and schedulers: it takes the same time always.
const SAME: f64 = 0.03;
/// The 99th percentile of the standard normal distribution.
const P99: f64 = 2.326_347_874_040_841;

/// Count and sum of times in seconds, and what else there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub(super) count: f64,
    pub(super) sum: f64,
    /// From look to look: how many ended, and the sum of their times.
    steps: Vec<(f64, f64)>,
    /// How many were not longer than a bound, by the bits of the bound: all are positive, so that these are in order.
    buckets: BTreeMap<u64, f64>,
    /// Values of quantiles, look by look.
    median: Vec<f64>,
    p99: Vec<f64>,
}

/// How long something takes, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Taken {
    /// In seconds.
    pub(super) median: f64,
    /// In seconds.
    pub(super) p99: f64,
    pub(super) from: From,
}

/// What durations were taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Quantiles that the server has reckoned.
    Quantiles,
    /// Buckets of a histogram.
    Buckets,
    /// How far the sums from look to look spread: a log-normal distribution that fits them best.
    Spread,
    /// Sum by count and nothing else.
    Mean,
}

impl Times {
    /// Adds the series of a timer of a member that are as `wanted`.
    fn add(&mut self, observed: &Observed, member: &Seen, what: What, wanted: impl Fn(&Key) -> bool) {
        for (key, counts) in member.of(what, Part::Count).filter(|(key, _)| wanted(key)) {
            let sum = Key { part: Part::Sum, ..key.clone() };
            let Some(sums) = member.series.get(&sum) else { continue };
            let sums: BTreeMap<i64, f64> = observed.rises(member, sums).into_iter().collect();
            for (at, count) in observed.rises(member, counts) {
                let Some(sum) = sums.get(&at).filter(|_| count > 0.0) else { continue };
                (self.count, self.sum) = (self.count + count, self.sum + sum);
                self.steps.push((count, *sum));
            }
        }
        for (key, track) in member.of(what, Part::Bucket).filter(|(key, _)| wanted(key)) {
            let Some(bound) = key.label("le").and_then(|bound| bound.parse::<f64>().ok()) else { continue };
            let rise: f64 = observed.rises(member, track).iter().map(|(_, rise)| rise).sum();
            *self.buckets.entry(bound.max(0.0).to_bits()).or_default() += rise;
        }
        for (key, track) in member.of(what, Part::Value).filter(|(key, _)| wanted(key)) {
            let values = track.values().copied().filter(|value| *value > 0.0);
            match key.label("quantile").and_then(|quantile| quantile.parse::<f64>().ok()) {
                Some(0.5) => self.median.extend(values),
                Some(0.99) => self.p99.extend(values),
                _ => {}
            }
        }
    }

    /// Mean in seconds.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }

    /// Median and p99, when each of them includes a time of `wait` seconds that is no part of it.
    pub(super) fn taken(&self, wait: f64) -> Option<Taken> {
        let mean = (self.mean()? - wait).max(0.0);
        if let (Some(median), Some(p99)) = (middle(&self.median), middle(&self.p99)) {
            return Some(Taken { median, p99: p99.max(median), from: From::Quantiles });
        }
        if let (Some(median), Some(p99)) = (self.quantile(0.5), self.quantile(0.99)) {
            return Some(Taken { median, p99: p99.max(median), from: From::Buckets });
        }
        let steps: Vec<(f64, f64)> =
            self.steps.iter().map(|(count, sum)| (*count, sum - count * wait)).filter(|(_, sum)| *sum > 0.0).collect();
        if steps.len() < STEPS {
            return Some(Taken { median: mean, p99: mean, from: From::Mean });
        }
        let spread = spread(&steps);
        if spread < SAME {
            return Some(Taken { median: mean, p99: mean, from: From::Spread });
        }
        let median = mean * libm::exp(-spread * spread / 2.0);
        Some(Taken { median, p99: median * libm::exp(P99 * spread), from: From::Spread })
    }

    /// As `histogram_quantile` has it.
    fn quantile(&self, share: f64) -> Option<f64> {
        let all = *self.buckets.last_key_value()?.1;
        let rank = all * share;
        let (mut bound_before, mut below) = (0.0, 0.0);
        for (bits, count) in self.buckets.iter().filter(|_| all > 0.0) {
            let bound = f64::from_bits(*bits);
            if *count >= rank && bound.is_finite() && *count > below {
                return Some(bound_before + (bound - bound_before) * (rank - below) / (count - below));
            }
            if bound.is_finite() {
                (bound_before, below) = (bound, *count);
            }
        }
        // Longer than the last bound: nobody knows by how much.
        (all > 0.0 && bound_before > 0.0).then_some(bound_before)
    }
}

/// The one in the middle.
pub(super) fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// The standard deviation of the logarithm of a log-normal distribution of which sums are known, each of so many draws: the one
/// with which they are the likeliest. A sum is taken for log-normal itself, with the mean and the variance that it has
/// (Fenton and Wilkinson): exact for one draw, good for many, and some per cent too narrow in between where it spreads wide.
fn spread(steps: &[(f64, f64)]) -> f64 {
    let golden = (f64::sqrt(5.0) - 1.0) / 2.0;
    let (mut low, mut high) = (libm::log(1e-3), libm::log(4.0));
    for _ in 0..48 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if likelihood(steps, libm::exp(left)) > likelihood(steps, libm::exp(right)) {
            high = right;
        } else {
            low = left;
        }
    }
    libm::exp((low + high) / 2.0)
}

/// The logarithm of the likelihood of sums, with the location with which it is the largest.
fn likelihood(steps: &[(f64, f64)], spread: f64) -> f64 {
    let excess = libm::expm1(spread * spread);
    let variance = |count: f64| libm::log1p(excess / count.max(1.0));
    // The logarithm of the mean of a step, made free of the bias of its spread.
    let level = |(count, sum): &(f64, f64)| libm::log(sum / count) + variance(*count) / 2.0;
    let (mut weights, mut levels) = (0.0, 0.0);
    for step in steps {
        let weight = 1.0 / variance(step.0);
        (weights, levels) = (weights + weight, levels + weight * level(step));
    }
    let center = levels / weights;
    let of = |step: &(f64, f64)| {
        let (variance, off) = (variance(step.0), level(step) - center);
        libm::log(variance) + off * off / variance
    };
    -0.5 * steps.iter().map(of).sum::<f64>()
}

impl Observed {
    /// All series of a timer that are as `wanted`.
    pub(super) fn times(&self, what: What, wanted: impl Fn(&Key) -> bool) -> Times {
        let mut times = Times::default();
        self.members.iter().for_each(|member| times.add(self, member, what, &wanted));
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;
    use crate::time::Duration;

    /// What is found of so many draws, `each` of them from look to look.
    fn found(median: f64, p99: f64, each: u64, steps: u64) -> Taken {
        let mut draws = Seed(7).numbered(1, each);
        let (from, to) = (Duration::from_seconds_f64(median), Duration::from_seconds_f64(p99));
        let mut times = Times::default();
        for _ in 0..steps {
            let sum: f64 = (0..each).map(|_| draws.log_normal(from, to).as_seconds_f64()).sum();
            times.steps.push((each as f64, sum));
            (times.count, times.sum) = (times.count + each as f64, times.sum + sum);
        }
        times.taken(0.0).expect("something ended")
    }

    #[test]
    fn the_spread_of_sums_gives_median_and_p99() {
        for (median, p99) in [(8.0, 40.0), (2.0, 6.0), (1.0, 8.0), (30.0, 31.0)] {
            for (each, steps) in [(1, 1_000), (4, 1_000), (50, 300)] {
                let found = found(median, p99, each, steps);
                assert_eq!(found.from, From::Spread);
                assert!((found.median / median - 1.0).abs() < 0.08, "{median}, {each}: {found:?}");
                assert!((found.p99 / p99 - 1.0).abs() < 0.25, "{p99}, {each}: {found:?}");
            }
        }
        let fixed = found(5.0, 5.0, 3, 100);
        assert_eq!((fixed.median, fixed.p99), (5.0, 5.0));
    }

    #[test]
    fn few_steps_tell_a_mean_only() {
        let found = found(8.0, 40.0, 1, 29);
        assert_eq!((found.from, found.median == found.p99), (From::Mean, true));
    }

    #[test]
    fn quantiles_and_buckets_win_over_sums() {
        /// Time and value.
        type Samples<'a> = &'a [(i64, f64)];
        let of = |samples: &[(&str, &str, Samples<'_>)]| {
            let mut seen = Seen::new("a");
            for (suffix, label, samples) in samples {
                let labels: Vec<(String, String)> =
                    label.split_once('=').map(|(a, b)| (a.into(), b.into())).into_iter().collect();
                seen.sample(&format!("kestra_worker_ended_duration_seconds{suffix}"), &labels, samples);
            }
            Observed { members: vec![seen], ..Observed::default() }
                .times(What::WorkerTime, |_| true)
                .taken(0.0)
                .expect("something ended")
        };
        let (count, sum): (Samples<'_>, Samples<'_>) = (&[(0, 0.0), (9, 100.0)], &[(0, 0.0), (9, 500.0)]);
        let found = of(&[
            ("_count", "", count),
            ("_sum", "", sum),
            ("", "quantile=0.5", &[(9, 4.0)]),
            ("", "quantile=0.99", &[(9, 9.0)]),
        ]);
        assert_eq!((found.median, found.p99, found.from), (4.0, 9.0, From::Quantiles));
        let bucket = |le: &'static str, many: &'static [(i64, f64)]| ("_bucket", le, many);
        let found = of(&[
            ("_count", "", count),
            ("_sum", "", sum),
            bucket("le=1", &[(0, 0.0), (9, 0.0)]),
            bucket("le=5", &[(0, 0.0), (9, 50.0)]),
            bucket("le=9", &[(0, 0.0), (9, 99.0)]),
            bucket("le=+Inf", &[(0, 0.0), (9, 100.0)]),
        ]);
        assert_eq!((found.median, found.p99, found.from), (5.0, 9.0, From::Buckets));
    }
}
