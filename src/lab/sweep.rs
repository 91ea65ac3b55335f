//! Detection as a figure: the same scenario with many seeds, and with them many phases of scrapes and evaluations. How often
//! does each alert fire, and how long after the fault?

use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::parallel::{RunFailed, run_all};
use crate::random::Seed;
use crate::report::{self, AlertLine, Report};
use crate::run::{self, Watch};
use crate::scenario::{Anchor, Plan, Sight};
use crate::time::{Calendar, Duration, Instant};

/// A plan of which nobody asks what it expects: rules are evaluated on the way, and old samples forgotten.
pub(super) fn bare(plan: &Plan) -> Arc<Plan> {
    Arc::new(Plan { expectations: Vec::new(), ..plan.clone() })
}

/// How an alert did over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// Its name.
    pub alert: String,
    /// Runs in which it fired at or after the fault.
    pub fired: u64,
    /// Runs in which it fired before, also since before the start.
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
    /// What delays count from: an entry of the timeline, or a command; the start when there is neither.
    pub from: String,
    /// Runs.
    pub runs: u64,
    /// The first seed; the others follow it.
    pub seed: u64,
    /// Every alert of the rules, in the order of the rules; then each receiver of Alertmanager (`page: RECEIVER`).
    pub detections: Vec<Detection>,
    /// Rules that the figures lack: dead in every run, or not evaluated in one, and parts that are dead; in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
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
        let runs = match self.runs {
            1 => format!("1 run, seed {}", self.seed),
            many => format!("{many} runs"),
        };
        writeln!(out, "{}: {runs}, delays from {}\n", self.scenario, self.from)?;
        writeln!(out, "  alert                            fires   before       p50       p95       p99       max")?;
        for it in &self.detections {
            let share = |count: u64| format!("{:.1}%", 100.0 * count as f64 / self.runs.max(1) as f64);
            let time = |seconds: Option<f64>| {
                seconds
                    .map_or("-".to_owned(), |it| Duration::from_seconds_f64(f64::round(it * 10.0) / 10.0).to_string())
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
#[derive(Clone, Debug)]
pub struct Runs {
    /// The first seed.
    pub first: u64,
    /// How many seeds from there on.
    pub count: usize,
    /// Threads.
    pub jobs: usize,
    /// What delays count from.
    pub from: Anchor,
}

/// Runs a plan with many seeds. The result does not depend on the number of threads. `progress` is told how many runs are
/// done.
///
/// # Errors
/// One of the runs reached a limit or panicked: shares of the others would not be what they seem.
pub fn sweep(
    plan: &Arc<Plan>,
    calendar: Calendar,
    watch: &Watch,
    runs: &Runs,
    progress: impl FnMut(usize) + Send,
) -> Result<Sweep, RunFailed> {
    let bare = bare(plan);
    let with_seeds: Vec<_> = (0..runs.count).map(|n| (bare.clone(), Seed(runs.first + n as u64))).collect();
    let one = |plan: &Arc<Plan>, seed: Seed| {
        // Of many runs only what is counted is kept.
        run::run(plan, seed, calendar, Some(watch)).map(|report| Report { timeline: Vec::new(), ..report })
    };
    let reports = run_all(&with_seeds, runs.jobs, one, progress)?;
    let warnings = [report::rule_warnings(&reports), report::doubts(&reports)].concat();
    let receivers = watch.paging.iter().flat_map(|it| &it.configuration.receivers);
    let pages = receivers.map(|it| {
        Detection::of(
            &paged(&it.name),
            &runs.from,
            reports.iter().map(|report| seen(&runs.from, pages(&it.name, report))),
        )
    });
    let pages: Vec<Detection> = pages.collect();
    let lives: Vec<Vec<AlertLine>> = reports.into_iter().map(|report| report.alerts.unwrap_or_default()).collect();
    let alerts = alerts_of(watch).into_iter().map(|alert| detection(alert, &runs.from, &lives));
    Ok(Sweep {
        scenario: plan.name.clone(),
        from: runs.from.to_string(),
        runs: runs.count as u64,
        seed: runs.first,
        detections: alerts.chain(pages).collect(),
        warnings,
    })
}

/// The names of all alerts of the rules, each once, in their order.
pub(super) fn alerts_of(watch: &Watch) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for alert in watch.rules.alerts() {
        if !names.contains(&alert) {
            names.push(alert);
        }
    }
    names
}

/// What an alert did in one run, to who counts from a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// It fired before.
    pub before: bool,
    /// When it first fired from the fault on.
    pub first: Option<Instant>,
}

/// What it did, by all its firings: when each began and ended. What counts as a firing is what an expectation takes for one.
pub(super) fn seen(fault: &Anchor, firings: impl Iterator<Item = (Instant, Option<Instant>)>) -> Seen {
    let mut seen = Seen::default();
    for (begin, end) in firings.filter(|(_, end)| end.is_none_or(|end| end >= Instant::START)) {
        match fault.sees(begin, end) {
            Sight::Begins(at) => seen.first = Some(seen.first.map_or(at, |first| first.min(at))),
            Sight::Over | Sight::Already => seen.before = true,
        }
    }
    seen
}

/// What a receiver is called among those who notice.
pub(super) fn paged(receiver: &str) -> String {
    format!("page: {receiver}")
}

/// When a receiver was told in one run that something fires which it did not know: repetitions are no news.
pub(super) fn pages<'l>(receiver: &'l str, report: &'l Report) -> impl Iterator<Item = (Instant, Option<Instant>)> {
    let all = report.paging.iter().flat_map(|paging| &paging.pages);
    let news = all.filter(move |page| page.receiver == receiver && page.is_news());
    news.map(|page| (page.at, Some(page.at)))
}

/// The firings of an alert in one run.
pub(super) fn firings<'l>(alert: &'l str, lines: &'l [AlertLine]) -> impl Iterator<Item = (Instant, Option<Instant>)> {
    lines.iter().filter(move |line| line.alert == alert).filter_map(|line| Some((line.firing?, line.resolved)))
}

fn detection(alert: &str, fault: &Anchor, lives: &[Vec<AlertLine>]) -> Detection {
    Detection::of(alert, fault, lives.iter().map(|lines| seen(fault, firings(alert, lines))))
}

impl Detection {
    /// How an alert did, by what it did in each run.
    pub(super) fn of(alert: &str, fault: &Anchor, runs: impl Iterator<Item = Seen>) -> Detection {
        let (mut before, mut delays) = (0, Vec::new());
        for run in runs {
            before += u64::from(run.before);
            delays.extend(run.first.map(|first| first.since(fault.instant()).as_seconds_f64()));
        }
        delays.sort_by(f64::total_cmp);
        Detection {
            alert: alert.to_owned(),
            fired: delays.len() as u64,
            before,
            p50: rank(&delays, 50),
            p95: rank(&delays, 95),
            p99: rank(&delays, 99),
            max: delays.last().copied(),
        }
    }
}

/// The delay that half of them do not exceed, and the longest one.
pub(super) fn spread(mut delays: Vec<f64>) -> Option<(f64, f64)> {
    delays.sort_by(f64::total_cmp);
    Some((rank(&delays, 50)?, delays.last().copied()?))
}

/// The nearest rank: the least delay that was really seen and that so many in a hundred do not exceed.
fn rank(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn a_rank_is_the_least_delay_that_so_many_in_a_hundred_do_not_exceed() {
        let up_to = |n: u32| -> Vec<f64> { (1..=n).map(f64::from).collect() };
        for (count, p50, p95, p99) in [
            (1, 1.0, 1.0, 1.0),
            (2, 1.0, 2.0, 2.0),
            (20, 10.0, 19.0, 20.0),
            (21, 11.0, 20.0, 21.0),
            (200, 100.0, 190.0, 198.0),
        ] {
            let delays = up_to(count);
            let ranks = [50, 95, 99].map(|percent| rank(&delays, percent));
            assert_eq!(ranks, [Some(p50), Some(p95), Some(p99)], "of {count}");
            for (percent, rank) in [(50, p50), (95, p95), (99, p99)] {
                let not_above = |limit: f64| delays.iter().filter(|delay| **delay <= limit).count() * 100;
                assert!(not_above(rank) >= percent * delays.len() && not_above(rank - 1.0) < percent * delays.len());
            }
        }
        assert_eq!(rank(&[], 95), None);
    }

    fn line(alert: &str, firing: Option<i64>) -> AlertLine {
        let second = |n: i64| Instant::from_nanoseconds(n * 1_000_000_000);
        AlertLine {
            alert: alert.to_owned(),
            labels: Vec::new(),
            pending: second(-700),
            firing: firing.map(second),
            resolved: None,
            value: 1.0,
            reason: None,
            kept: None,
            annotations: Vec::new(),
        }
    }

    #[test]
    fn only_what_fires_from_the_fault_on_is_a_detection() {
        let fault = Anchor::Entry { name: "kill".to_owned(), at: Instant::START + Duration::seconds(100) };
        let lives = [
            // The first of two firings counts, in whatever order they stand; another alert does not.
            vec![line("A", Some(170)), line("A", Some(130)), line("B", Some(110))],
            vec![line("A", Some(100))],
            vec![line("A", Some(99)), line("A", Some(190))],
            // What fires since before the start has fired before the fault; pending is not firing.
            vec![line("A", Some(-5)), line("A", None)],
            // What was over by the start nobody saw.
            vec![AlertLine { resolved: Some(Instant::from_nanoseconds(-1)), ..line("A", Some(-5)) }],
            vec![],
        ];
        let found = detection("A", &fault, &lives);
        assert_eq!((found.fired, found.before), (3, 2));
        // Counted from the start, what fires since before it fires at once.
        let from_start = detection("A", &Anchor::Start, &lives);
        assert_eq!((from_start.fired, from_start.before, from_start.p50), (4, 0, Some(99.0)));
        assert_eq!(detection("A", &Anchor::Start, &lives[3..]).p50, Some(0.0));
        assert_eq!((found.p50, found.p95, found.p99, found.max), (Some(30.0), Some(90.0), Some(90.0), Some(90.0)));
        let two_hundred: Vec<Vec<AlertLine>> = (1..=200).map(|delay| vec![line("A", Some(100 + delay))]).collect();
        let found = detection("A", &fault, &two_hundred);
        let ranks = (found.p50, found.p95, found.p99, found.max);
        assert_eq!(ranks, (Some(100.0), Some(190.0), Some(198.0), Some(200.0)));
        let nothing = detection("C", &fault, &lives);
        assert_eq!((nothing.fired, nothing.before, nothing.p50, nothing.max), (0, 0, None, None));
    }
}
