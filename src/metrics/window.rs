//! Micrometer's decaying maximum: a ring of three cells that are cleared one a minute, so that a maximum is seen for two
//! to three minutes (recorded: some gone after 120 s, none left after 180 s).

use crate::time::{Duration, Instant};

const STEP: Duration = Duration::minutes(1);
const CELLS: usize = 3;

/// The maximum of the last minutes. Reading changes nothing: only records are kept, clearing is arithmetic.
#[derive(Clone, Debug)]
pub(super) struct WindowMax {
    born: Instant,
    cells: [(u64, f64); CELLS],
}

impl WindowMax {
    pub(super) fn new(born: Instant) -> WindowMax {
        WindowMax { born, cells: [(0, 0.0); CELLS] }
    }

    fn step(&self, now: Instant) -> u64 {
        now.since(self.born).as_nanoseconds() / STEP.as_nanoseconds()
    }

    pub(super) fn record(&mut self, value: f64, now: Instant) {
        let step = self.step(now);
        let cell = &mut self.cells[(step % CELLS as u64) as usize];
        *cell = if cell.0 == step { (step, cell.1.max(value)) } else { (step, value) };
    }

    pub(super) fn at(&self, now: Instant) -> f64 {
        let step = self.step(now);
        let seen = self.cells.iter().filter(|(of, _)| step.saturating_sub(*of) < CELLS as u64);
        seen.fold(0.0, |max, (_, value)| value.max(max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maximum_is_seen_for_two_to_three_minutes() {
        let second = |n| Instant::START + Duration::seconds(n);
        let mut max = WindowMax::new(Instant::START);
        max.record(5.0, second(50));
        max.record(2.0, second(70));
        assert_eq!(max.at(second(119)), 5.0);
        assert_eq!(max.at(second(179)), 5.0);
        assert_eq!(max.at(second(180)), 2.0);
        assert_eq!(max.at(second(240)), 0.0);
        max.record(1.0, second(250));
        assert_eq!(max.at(second(250)), 1.0);
    }
}
