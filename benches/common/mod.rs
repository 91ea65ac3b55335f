//! What the benches share: rows of a table, and the median of several measurements.

use std::time::Instant as Wall;

/// Prints a row.
pub fn row(what: &str, figure: String, beside: String) {
    println!("{what:<58} {figure:>14}   {beside}");
}

#[allow(dead_code, reason = "not every bench measures so")]
/// Seconds, the median of several measurements.
pub fn time(runs: usize, mut work: impl FnMut()) -> f64 {
    let mut all: Vec<f64> = (0..runs)
        .map(|_| {
            let begun = Wall::now();
            work();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
