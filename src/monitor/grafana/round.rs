//! Round steps: Grafana asks each 15 s or each 20 s, and never each 17 s.

use crate::time::Duration;

/// The step taken for a wish below the first figure; in milliseconds.
const STEPS: &[(u64, u64)] = &[
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
/// The one for whatever is longer: a year.
const LONGEST: u64 = 31_536_000_000;

/// The round step nearest to a wish, as panels and rules of Grafana take it.
pub(crate) fn round_step(wish: Duration) -> Duration {
    let wish = wish.as_milliseconds();
    let step = STEPS.iter().find(|(below, _)| wish < *below).map_or(LONGEST, |(_, step)| *step);
    Duration::milliseconds(step)
}
