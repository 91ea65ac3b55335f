//! The time that a dashboard shows, and the steps at which its expressions are asked.

/// The time that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From this instant on, in milliseconds since 1970.
    pub from: i64,
    /// To this one.
    pub to: i64,
    /// How often the data source is scraped (its setting "Scrape interval"), in milliseconds.
    pub scrape: i64,
}

/// Points that a panel draws where the file does not say it: of one that is half a screen wide.
const POINTS: i64 = 500;
/// Points that a Prometheus answers with, at most.
const MOST: i64 = 11_000;

/// Steps that people read easily, each for raw steps below the first figure; in milliseconds.
const ROUND: &[(i64, i64)] = &[
    (10, 1),
    (15, 10),
    (35, 20),
    (75, 50),
    (150, 100),
    (350, 200),
    (750, 500),
    (1_500, 1_000),
    (3_500, 2_000),
    (7_500, 5_000),
    (12_500, 10_000),
    (17_500, 15_000),
    (25_000, 20_000),
    (45_000, 30_000),
    (90_000, 60_000),
    (210_000, 120_000),
    (450_000, 300_000),
    (750_000, 600_000),
    (1_050_000, 900_000),
    (1_500_000, 1_200_000),
    (2_700_000, 1_800_000),
    (5_400_000, 3_600_000),
    (9_000_000, 7_200_000),
    (16_200_000, 10_800_000),
    (32_400_000, 21_600_000),
    (86_400_000, 43_200_000),
    (604_800_000, 86_400_000),
    (1_814_400_000, 604_800_000),
    (3_628_800_000, 2_592_000_000),
];

impl Span {
    /// How long it is, in milliseconds.
    pub fn length(&self) -> i64 {
        (self.to - self.from).max(0)
    }

    /// The step of a panel (`$__interval`), in milliseconds: so that it has as many points as it can draw, none shorter than
    /// the shortest that is allowed.
    pub fn step(&self, points: Option<u32>, shortest: Option<i64>) -> i64 {
        let points = points.map_or(POINTS, i64::from).clamp(1, MOST);
        let raw = self.length() / points;
        let round = ROUND.iter().find(|(below, _)| raw < *below).map_or(31_536_000_000, |(_, step)| *step);
        round.max(shortest.unwrap_or(self.scrape)).max(self.length() / MOST + 1)
    }

    /// The range over which a rate has samples enough (`$__rate_interval`), in milliseconds.
    pub fn rate_interval(&self, step: i64, shortest: Option<i64>) -> i64 {
        let scrape = shortest.filter(|it| *it > 0).unwrap_or(if self.scrape > 0 { self.scrape } else { 15_000 });
        (step + scrape).max(4 * scrape)
    }
}

/// A length of time as Grafana and Prometheus write it (`90s`, `1m30s`), in milliseconds; one that begins with `>` is the same.
pub fn milliseconds(text: &str) -> Option<i64> {
    const UNITS: &[(&str, i64)] = &[
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
        ("y", 31_536_000_000),
    ];
    let mut rest = text.trim().trim_start_matches('>').trim();
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let (number, unit) = rest.split_at(digits);
        let letters = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let (_, times) = UNITS.iter().find(|(name, _)| *name == &unit[..letters])?;
        sum = sum.checked_add(number.parse::<i64>().ok()?.checked_mul(*times)?)?;
        rest = &unit[letters..];
    }
    (sum > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_rates_see_four_scrapes() {
        let span = |minutes: i64| Span { from: 0, to: minutes * 60_000, scrape: 15_000 };
        assert_eq!(span(30).step(None, None), 15_000);
        assert_eq!(span(24 * 60).step(None, None), 120_000);
        assert_eq!(span(24 * 60).step(Some(1_000), None), 60_000);
        assert_eq!(span(30).step(None, Some(60_000)), 60_000);
        assert_eq!(span(30).step(Some(0), None), 1_800_000);
        assert_eq!(span(30).rate_interval(15_000, None), 60_000);
        assert_eq!(span(30).rate_interval(120_000, None), 135_000);
        assert_eq!(span(30).rate_interval(15_000, Some(30_000)), 120_000);
    }

    #[test]
    fn lengths_of_time() {
        for (text, found) in [
            ("30s", Some(30_000)),
            (">1m", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("1y", Some(31_536_000_000)),
            ("", None),
            ("0s", None),
            ("s", None),
            ("5", None),
            ("5x", None),
            ("99999999999999999y", None),
        ] {
            assert_eq!(milliseconds(text), found, "{text}");
        }
    }
}
