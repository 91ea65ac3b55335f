//! The time that a dashboard shows, and the steps at which its expressions are asked.

use crate::monitor::round_step;
use crate::time::Duration;

/// The time that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From this instant on, in milliseconds since 1970.
    pub from: i64,
    /// To this one.
    pub to: i64,
    /// How often the data source is scraped (its setting "Scrape interval").
    pub scrape: Duration,
}

/// Points that a panel draws where the file does not say it: of one that is half a screen wide.
const POINTS: u32 = 500;
/// Points that a Prometheus answers with, at most.
const MOST: u64 = 11_000;

impl Span {
    /// How long it is.
    pub fn length(&self) -> Duration {
        Duration::milliseconds(self.to.saturating_sub(self.from).max(0).unsigned_abs())
    }

    /// The step of a panel (`$__interval`): so that it has as many points as it can draw, none shorter than the shortest that is
    /// allowed.
    pub fn step(&self, points: Option<u32>, shortest: Option<Duration>) -> Duration {
        let points = u64::from(points.unwrap_or(POINTS)).clamp(1, MOST);
        let length = self.length().as_milliseconds();
        let most = Duration::milliseconds(length / MOST + 1);
        round_step(Duration::milliseconds(length / points)).max(shortest.unwrap_or(self.scrape)).max(most)
    }

    /// The range over which a rate has samples enough (`$__rate_interval`).
    pub fn rate_interval(&self, step: Duration, shortest: Option<Duration>) -> Duration {
        let scrape = shortest.unwrap_or(self.scrape);
        (step + scrape).max(scrape.times(4.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_rates_see_four_scrapes() {
        let seconds = Duration::seconds;
        let span = |minutes: i64| Span { from: 0, to: minutes * 60_000, scrape: seconds(15) };
        assert_eq!(span(30).step(None, None), seconds(15));
        assert_eq!(span(24 * 60).step(None, None), seconds(120));
        assert_eq!(span(24 * 60).step(Some(1_000), None), seconds(60));
        assert_eq!(span(30).step(None, Some(seconds(60))), seconds(60));
        assert_eq!(span(30).step(Some(0), None), seconds(1_800));
        assert_eq!(span(30).rate_interval(seconds(15), None), seconds(60));
        assert_eq!(span(30).rate_interval(seconds(120), None), seconds(135));
        assert_eq!(span(30).rate_interval(seconds(15), Some(seconds(30))), seconds(120));
    }
}
