//! Instants of what happens at a steady pace.

use crate::time::{Duration, Instant};

/// The next instant after `now` on a grid of `every` whose phase is a share of it.
pub(super) fn next_on_grid(now: Instant, every: Duration, phase: f64) -> Instant {
    let every_ns = i128::from(every.as_nanoseconds().max(1));
    let phase_ns = (every.as_nanoseconds() as f64 * phase) as i128;
    let since = (i128::from(now.as_nanoseconds()) - phase_ns).rem_euclid(every_ns);
    now + Duration::nanoseconds((every_ns - since) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_instant_is_later_and_at_its_phase() {
        let every = Duration::seconds(10);
        let at = |milliseconds| Instant::START + Duration::milliseconds(milliseconds);
        for (now, phase, expected) in [(0, 0.0, 10_000), (0, 0.25, 2_500), (2_500, 0.25, 12_500), (9_999, 0.0, 10_000)]
        {
            assert_eq!(next_on_grid(at(now), every, phase), at(expected), "{now} {phase}");
        }
    }
}
