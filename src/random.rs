//! Randomness by name: a seed gives named streams, so that what one part draws never shifts what another part gets.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::time::Duration;

/// The seed of a run: same scenario, seed and commands give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The `number`th stream below a name's key: one for each execution, task run or window, so that a fault that
    /// removes some draws leaves all the others as they were.
    pub fn numbered(self, key: u64, number: u64) -> Stream {
        let mut bytes = [0u8; 32];
        bytes[..8].copy_from_slice(&self.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&key.to_le_bytes());
        bytes[16..24].copy_from_slice(&number.to_le_bytes());
        Stream(ChaCha8Rng::from_seed(bytes))
    }
}

/// The key of a stream's name (FNV-1a, 64 bits).
pub const fn name_key(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// A cheap, stateless draw in [0, 1) for what is evaluated when someone looks (noise of gauges): same key and number, same value.
pub fn noise(key: u64, number: u64) -> f64 {
    // splitmix64
    let mut z = key ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 53) as f64
}

/// One stream of draws. Distributions are rounded to whole units at once, and use `libm`, so that all machines agree.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Uniform whole number below `bound`; zero when the bound is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }
    /// An id as Kestra makes them: 22 characters of base 62.
    pub fn id(&mut self) -> String {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..22).map(|_| char::from(DIGITS[self.below(62) as usize])).collect()
    }
    /// True with probability `share`.
    pub fn chance(&mut self, share: f64) -> bool {
        self.uniform() < share
    }
    /// Exponential with mean 1: the gap between two arrivals of a Poisson process, in mean gaps.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.uniform())
    }
    /// Log-normal with the given median and 99th percentile; a p99 at or below the median gives the median.
    pub fn log_normal(&mut self, median: Duration, p99: Duration) -> Duration {
        let normal = self.normal();
        if p99 <= median || median.is_zero() {
            return median;
        }
        // 2.3263... is the 99th percentile of the standard normal distribution.
        let sigma = libm::log(p99.as_seconds_f64() / median.as_seconds_f64()) / 2.326_347_874_040_841;
        median.times(libm::exp(sigma * normal))
    }
    /// Standard normal (Box-Muller, one of the pair).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        f64::sqrt(-2.0 * libm::log(u)) * libm::cos(2.0 * std::f64::consts::PI * v)
    }
}

/// What proptest is to do in the tests within the crate: the same cases each time; `PROPTEST_RNG_SEED=N` draws others, and
/// `PROPTEST_CASES=N` more of them, as in `tests/`.
#[cfg(test)]
pub(crate) fn cases(count: u32) -> proptest::prelude::ProptestConfig {
    use proptest::test_runner::{Config, RngSeed};
    let asked = Config::default();
    let rng_seed = if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { asked.rng_seed };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { count };
    Config { cases, rng_seed, failure_persistence: None, ..asked }
}
