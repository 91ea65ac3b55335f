//! When a failed task is tried again.

use crate::flow::{Retry, RetryPause};
use crate::time::{Duration, Instant};

/// The pause before the attempt after number `attempt`, if there is one. `first` is when the first attempt began, `share` a
/// draw from 0 to 1, asked for where the pause is random.
pub fn pause(
    retry: &Retry,
    attempt: u32,
    first: Instant,
    now: Instant,
    share: impl FnOnce() -> f64,
) -> Option<Duration> {
    if retry.max_attempts.is_some_and(|max| attempt >= max) {
        return None;
    }
    let pause = match retry.pause {
        RetryPause::Constant(interval) => interval,
        RetryPause::Exponential { interval, factor, max } => {
            interval.times(libm::pow(factor, f64::from(attempt.saturating_sub(1)))).min(max)
        }
        RetryPause::Random { min, max } => min + max.saturating_sub(min).times(share()),
    };
    let late = retry.max_duration.is_some_and(|most| (now + pause).since(first) > most);
    (!late).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_as_long_as_the_retry_says_and_no_attempt_begins_after_its_longest_duration() {
        let first = Instant::START;
        let retry = |pause, max_duration| Retry {
            pause,
            max_attempts: Some(5),
            max_duration,
            warning_on_retry: false,
            new_execution: false,
        };
        let [two, five, eight, thirty] = [2, 5, 8, 30].map(Duration::seconds);
        let after = |retry: &Retry, attempt, now, share: f64| {
            pause(retry, attempt, first, now, || share).map(Duration::as_milliseconds)
        };
        let growing = retry(RetryPause::Exponential { interval: two, factor: 3.0, max: thirty }, None);
        let pauses = [1, 2, 3, 4, 5].map(|attempt| after(&growing, attempt, first, 0.5));
        assert_eq!(pauses, [Some(2_000), Some(6_000), Some(18_000), Some(30_000), None]);
        let random = retry(RetryPause::Random { min: two, max: five }, None);
        assert_eq!([0.0, 0.5].map(|share| after(&random, 1, first, share)), [Some(2_000), Some(3_500)]);
        // The attempt would begin when the pause is over.
        let bounded = retry(RetryPause::Constant(five), Some(eight));
        for (seconds, expected) in [(0, Some(5_000)), (3, Some(5_000)), (4, None), (9, None)] {
            let now = first + Duration::seconds(seconds);
            assert_eq!(after(&bounded, 1, now, 0.5), expected, "{seconds} s after the first");
        }
    }
}
