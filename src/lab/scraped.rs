//! What was scraped, on the grid of a test file of promtool.

use std::collections::BTreeMap;

use crate::monitor::Sink;
use crate::promql::{Grid, Labels, stale};

/// A value as promtool reads it.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Inf".into() } else { "-Inf".into() }
    } else {
        format!("{value}")
    }
}

/// What was scraped, as promtool is told of it: one row a series, a value a step. Its size follows what changes, not how long
/// the run is.
#[derive(Debug)]
pub(super) struct Scraped {
    pub grid: Grid,
    /// By number of the series.
    pub rows: BTreeMap<u32, Scrapes>,
}

#[derive(Debug)]
pub(super) struct Scrapes {
    pub labels: Labels,
    pub values: Packed,
}

impl Sink for Scraped {
    fn sample(&mut self, series: u32, labels: &Labels, time: i64, value: f64) {
        let late = time - self.grid.first;
        // Promtool has no samples between steps.
        if late < 0 || late % self.grid.step != 0 || time > self.grid.last() {
            return;
        }
        let row =
            self.rows.entry(series).or_insert_with(|| Scrapes { labels: labels.clone(), values: Packed::default() });
        let step = (late / self.grid.step) as usize;
        row.values.push("_", step - row.values.count);
        row.values.push(&if stale(value) { "stale".to_owned() } else { number(value) }, 1);
    }
}

/// Values in short: `5x3` is four times 5, `_x3` three times nothing.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// All runs of one value but the last.
    text: String,
    value: String,
    run: usize,
    /// Values in all.
    count: usize,
}

impl Packed {
    fn push(&mut self, value: &str, times: usize) {
        if times == 0 {
            return;
        }
        if self.value != value {
            let last = self.last();
            self.text.push_str(&last);
            value.clone_into(&mut self.value);
            self.run = 0;
        }
        self.run += times;
        self.count += times;
    }

    /// The last run, as it stands behind those before it.
    fn last(&self) -> String {
        let between = if self.text.is_empty() { "" } else { " " };
        let short = self.run > 2 && self.value != "stale" && !self.value.contains(|c: char| c.is_ascii_alphabetic());
        match (short, self.value.as_str()) {
            _ if self.run == 0 => String::new(),
            (true, "_") => format!("{between}_x{}", self.run),
            (true, value) => format!("{between}{value}x{}", self.run - 1),
            (false, value) => format!("{between}{}", vec![value; self.run].join(" ")),
        }
    }

    pub fn text(&self) -> String {
        format!("{}{}", self.text, self.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_packed_and_what_does_not_lie_on_a_step_is_left_out() {
        let mut scraped = Scraped { grid: Grid { first: 1_000, step: 10, count: 100 }, rows: BTreeMap::new() };
        let labels: Labels = Vec::new().into();
        let mut at = |step: i64, value: f64| scraped.sample(7, &labels, 1_000 + 10 * step, value);
        (4..8).for_each(|step| at(step, 5.0));
        [(8, 1.5), (9, 1.5), (13, f64::NAN), (14, f64::NAN), (15, f64::NAN), (16, crate::promql::NO_SAMPLE)]
            .into_iter()
            .for_each(|(step, value)| at(step, value));
        at(18, f64::INFINITY);
        scraped.sample(7, &labels, 1_185, 9.0);
        scraped.sample(7, &labels, 990, 9.0);
        scraped.sample(7, &labels, 2_000, 9.0);
        let row = &scraped.rows[&7].values;
        assert_eq!(row.text(), "_x4 5x3 1.5 1.5 _x3 NaN NaN NaN stale _ Inf");
        assert_eq!(row.count, 19);
    }

    #[test]
    fn runs_of_a_value_are_written_in_short_and_mean_the_same() {
        let short_of = |values: &str| {
            let mut packed = Packed::default();
            values.split(' ').for_each(|value| packed.push(value, 1));
            packed.text()
        };
        for (values, short) in [
            ("5 5 5 5", "5x3"),
            ("5 5", "5 5"),
            ("_ _ _ 1.5 1.5 1.5", "_x3 1.5x2"),
            ("stale stale stale", "stale stale stale"),
            ("NaN NaN NaN 0", "NaN NaN NaN 0"),
            ("1", "1"),
        ] {
            assert_eq!(short_of(values), short);
        }
    }
}
