//! What the benches share: rows of a table, the median of several measurements, and time of the processor.

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

#[allow(dead_code, reason = "not every bench measures so")]
/// Seconds that this process has had the processor for, in steps of 10 ms: what others do on a machine that is shared does not
/// count. Seconds on the wall where the system does not tell it.
fn processor(begun: Wall) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything, the 12th and 13th are the ticks in its own code and in the system's.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => (user + system) / 100.0,
        _ => begun.elapsed().as_secs_f64(),
    }
}

#[allow(dead_code, reason = "not every bench measures so")]
/// Seconds of the processor that some work takes, done again and again for a second and a half: an average.
pub fn cost(mut work: impl FnMut()) -> f64 {
    const LONG: f64 = 1.5;
    let wall = Wall::now();
    let begun = processor(wall);
    for times in 1.. {
        work();
        let spent = processor(wall) - begun;
        if spent >= LONG {
            return spent / f64::from(times);
        }
    }
    0.0
}
