//! Detection as a figure: the same scenario with many seeds, and with them many phases of scrapes and evaluations. How often
//! does each alert fire, and how long after the fault?

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::parallel::parallel;
use crate::random::Seed;
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

/// Which runs a sweep makes.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    /// The first seed.
    pub first: u64,
    /// How many seeds from there on.
    pub count: usize,
    /// Threads.
    pub jobs: usize,
    /// Delays count from the entry of the timeline with this name, else from the first entry, else from the start.
    pub from: Option<&'a str>,
}

/// Runs a plan with many seeds. The result does not depend on the number of threads. `progress` is told how many runs are
/// done.
///
/// # Errors
/// A limit of the simulation was reached in one of the runs.
pub fn sweep(
    plan: &Arc<Plan>,
    calendar: Calendar,
    watch: &Watch,
    runs: &Runs<'_>,
    progress: impl FnMut(usize) + Send,
) -> Result<Sweep, LimitReached> {
    let named = |name: &str| plan.timeline.iter().find(|entry| entry.name == name);
    let entry = runs.from.and_then(named).or_else(|| plan.timeline.iter().min_by_key(|entry| entry.at));
    let fault = entry.map_or(Instant::START, |entry| entry.at);
    // Nobody asks what was expected: rules are evaluated on the way, and old samples forgotten.
    let plan = &Arc::new(Plan { expectations: Vec::new(), ..(**plan).clone() });
    let one = |index: usize| run::run(plan, Seed(runs.first + index as u64), calendar, Some(watch));
    let results = parallel(runs.count, runs.jobs, one, progress);
    let mut alerts: Vec<Detection> = Vec::new();
    let mut delays: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for alert in watch.rules.alerts() {
        if alerts.iter().all(|known| known.alert != alert) {
            let alert = alert.to_owned();
            alerts.push(Detection { alert, fired: 0, before: 0, p50: None, p95: None, p99: None, max: None });
        }
    }
    for report in results {
        let lines = report?.alerts.unwrap_or_default();
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
    Ok(Sweep { scenario: plan.name.clone(), from, runs: runs.count as u64, detections: alerts })
}
