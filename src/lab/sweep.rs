//! Detection as a figure: the same scenario with many seeds, and with them many phases of scrapes and evaluations. How often
//! does each alert fire, and how long after the fault?

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::monitor::Rule;
use crate::random::Seed;
use crate::report::Report;
use crate::run::{self, Watch};
use crate::scenario::Plan;
use crate::simulator::LimitReached;
use crate::time::{Calendar, Duration, Instant};

/// How an alert did over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// Its name.
    pub alert: String,
    /// Runs in which it fired at or after the fault.
    pub fired: u64,
    /// Runs in which it fired before.
    pub before: u64,
    /// Seconds from the fault to its first firing: half of the runs are quicker.
    pub p50: Option<f64>,
    /// 95 in a hundred are quicker.
    pub p95: Option<f64>,
    /// 99 in a hundred are quicker.
    pub p99: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
}

/// What a sweep found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sweep {
    /// The scenario's name.
    pub scenario: String,
    /// The entry of the timeline that delays count from; the start when there is none.
    pub from: String,
    /// Runs.
    pub runs: u64,
    /// Every alert of the rules, in the order of the rules.
    pub detections: Vec<Detection>,
}

impl Sweep {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}: {} runs, delays from {}\n", self.scenario, self.runs, self.from)?;
        writeln!(out, "  alert                            fires   before       p50       p95       p99       max")?;
        for it in &self.detections {
            let share = |count: u64| format!("{:.1}%", 100.0 * count as f64 / self.runs.max(1) as f64);
            let time = |seconds: Option<f64>| {
                seconds
                    .map_or("-".to_owned(), |it| Duration::from_seconds_f64(libm::round(it * 10.0) / 10.0).to_string())
            };
            writeln!(
                out,
                "  {:<30} {:>7} {:>8} {:>9} {:>9} {:>9} {:>9}",
                it.alert,
                share(it.fired),
                share(it.before),
                time(it.p50),
                time(it.p95),
                time(it.p99),
                time(it.max)
            )?;
        }
        Ok(())
    }
}

/// Runs a plan with seeds 1 to `runs`, on `jobs` threads. Delays count from the entry of the timeline with this name, else
/// from the first entry, else from the start. The result does not depend on the number of threads.
///
/// # Errors
/// A limit of the simulation was reached in one of the runs.
pub fn sweep(
    plan: &Arc<Plan>,
    calendar: Calendar,
    watch: &Watch,
    runs: u64,
    jobs: usize,
    from: Option<&str>,
) -> Result<Sweep, LimitReached> {
    let named = |name: &str| plan.timeline.iter().find(|entry| entry.name == name);
    let entry = from.and_then(named).or_else(|| plan.timeline.iter().min_by_key(|entry| entry.at));
    let fault = entry.map_or(Instant::START, |entry| entry.at);
    let next = AtomicU64::new(1);
    let mut results: BTreeMap<u64, Result<Report, LimitReached>> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed > runs {
                    return done;
                }
                done.push((seed, run::run(plan, Seed(seed), calendar, Some(watch))));
            }
        };
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    let mut alerts: Vec<Detection> = Vec::new();
    let mut delays: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for rule in watch.groups.iter().flat_map(|group| &group.rules) {
        if let Rule::Alert(rule) = rule
            && alerts.iter().all(|known| known.alert != rule.name)
        {
            let alert = rule.name.clone();
            alerts.push(Detection { alert, fired: 0, before: 0, p50: None, p95: None, p99: None, max: None });
        }
    }
    while let Some((_, report)) = results.pop_first() {
        let report = report?;
        let lines = report.alerts.unwrap_or_default();
        for detection in &mut alerts {
            let fires: Vec<Instant> =
                lines.iter().filter(|line| line.alert == detection.alert).filter_map(|line| line.firing).collect();
            detection.before += u64::from(fires.iter().any(|at| *at < fault && *at >= Instant::START));
            if let Some(first) = fires.into_iter().filter(|at| *at >= fault).min() {
                detection.fired += 1;
                delays.entry(detection.alert.clone()).or_default().push(first.since(fault).as_seconds_f64());
            }
        }
    }
    for detection in &mut alerts {
        let Some(mut delays) = delays.remove(&detection.alert) else { continue };
        delays.sort_by(f64::total_cmp);
        // The nearest rank: a delay that was really seen.
        let rank = |share: f64| {
            let place = libm::ceil(share * delays.len() as f64) as usize;
            delays.get(place.saturating_sub(1)).copied()
        };
        (detection.p50, detection.p95, detection.p99) = (rank(0.5), rank(0.95), rank(0.99));
        detection.max = delays.last().copied();
    }
    let from = entry.map_or("the start".to_owned(), |entry| format!("{} at {}", entry.name, entry.at));
    Ok(Sweep { scenario: plan.name.clone(), from, runs, detections: alerts })
}
