//! How little of a fault an alert still notices: the fewest members, the smallest amount, the shortest time, each found by
//! bisection and looked at from both sides.

use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::parallel::{RunFailed, run_all};
use super::sweep::{bare, firings, seen};
use crate::random::Seed;
use crate::run::{self, Watch};
use crate::scenario::{Anchor, Dial, Plan, Scale, TimelineEntry, write_short};
use crate::time::{Calendar, Instant};

/// How little of the faults of a scenario an alert still notices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// The scenario's name.
    pub scenario: String,
    /// The alert.
    pub alert: String,
    /// Runs of each try: one a seed. It fires when it fires with all of them.
    pub runs: u64,
    /// The first seed.
    pub seed: u64,
    /// What was found of each fault, the others as they are in the file.
    pub faults: Vec<Sensed>,
    /// Where it does not fire as the file is, or not from a fault on: what its rule did in a run with the first seed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stands: Option<String>,
}

/// How little of one fault an alert still notices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensed {
    /// The entry of the timeline.
    pub fault: String,
    /// What it does as it is in the file.
    pub what: String,
    /// Runs in which the alert fires from the instant on at which the fault begins, with the fault as it is in the file.
    pub fired: u64,
    /// Runs in which it fires without this fault: when it does in all, the fault is not why.
    pub without: u64,
    /// What may be less of it, each alone.
    pub least: Vec<Least>,
    /// All of it together: the least with which it fires. None when it does not fire as it is, or without the fault too.
    pub smallest: Option<Smallest>,
}

/// The least of one thing with which the alert fires.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Least {
    /// What is less: `members`, `amount`, `duration`.
    pub of: &'static str,
    /// As it is in the file.
    pub as_is: String,
    /// The least with which it fires in all runs.
    pub fires: String,
    /// One step below.
    pub below: String,
    /// The runs in which it fires with that.
    pub fired_below: u64,
    /// With these, which are more than the least, it does not fire in all runs: then more is not always worse.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
}

/// The smallest fault with which the alert fires.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Smallest {
    /// What it does.
    pub what: String,
    /// One step below of each thing that may be less, and the runs in which the alert fires with it: not all.
    pub below: Vec<(String, u64)>,
    /// A scenario with it, as the text of a file.
    pub text: String,
}

/// Which runs are made.
#[derive(Clone, Debug)]
pub struct SensitivityRuns {
    /// The first seed.
    pub first: u64,
    /// How many seeds from there on.
    pub count: usize,
    /// Threads.
    pub jobs: usize,
    /// The entry of the timeline, an index; each in turn when none is named.
    pub entry: Option<usize>,
}

/// Points of a scale that are tried before the bisection.
const GRID: u32 = 8;
/// Rounds after which the smallest fault is what it is, though less of one thing might go on.
const ROUNDS: usize = 4;

/// Finds how little of the faults of a plan an alert notices. The result does not depend on the number of threads.
/// `progress` is told how many runs are done.
///
/// # Errors
/// One of the runs reached a limit or panicked.
pub fn sensitivity(
    plan: &Arc<Plan>,
    calendar: Calendar,
    watch: &Watch,
    alert: &str,
    runs: &SensitivityRuns,
    progress: impl FnMut(usize) + Send,
) -> Result<Sensitivity, RunFailed> {
    let bare = bare(plan);
    let mut tries = Tries { plan: &bare, calendar, watch, alert, runs, done: 0, progress };
    let entries: Vec<usize> = match runs.entry {
        Some(entry) => vec![entry],
        None => (0..bare.timeline.len()).collect(),
    };
    let faults = entries.into_iter().filter_map(|index| Some((index, bare.timeline.get(index)?.clone())));
    let faults = faults.map(|(index, entry)| tries.sensed(index, entry)).collect::<Result<Vec<_>, _>>()?;
    let all = runs.count.max(1) as u64;
    let stands = match faults.iter().any(|fault| fault.fired < all) {
        true => stands((plan, Seed(runs.first)), calendar, watch, alert)?,
        false => None,
    };
    Ok(Sensitivity {
        stands,
        scenario: plan.name.clone(),
        alert: alert.to_owned(),
        runs: runs.count as u64,
        seed: runs.first,
        faults,
    })
}

/// What a rule did in a run, or why it did nothing, in words.
fn stands(
    (plan, seed): (&Arc<Plan>, Seed),
    calendar: Calendar,
    watch: &Watch,
    alert: &str,
) -> Result<Option<String>, RunFailed> {
    let watch = Watch { standings: true, nearest: true, ..watch.clone() };
    let one = |plan: &Arc<Plan>, seed: Seed| run::run(plan, seed, calendar, Some(&watch));
    let reports = run_all(&[(plan.clone(), seed)], 1, one, |_| {})?;
    let line = reports.iter().flat_map(|report| &report.rules).find(|line| line.rule == alert);
    Ok(line.map(|line| match line.told.is_empty() {
        true => line.state.name().to_owned(),
        false => format!("{}: {}", line.state.name(), line.told),
    }))
}

/// Runs of a plan with one entry of the timeline as it is tried.
struct Tries<'a, P> {
    plan: &'a Plan,
    calendar: Calendar,
    watch: &'a Watch,
    alert: &'a str,
    runs: &'a SensitivityRuns,
    done: usize,
    progress: P,
}

impl<P: FnMut(usize) + Send> Tries<'_, P> {
    fn with(&self, index: usize, entry: Option<TimelineEntry>) -> Plan {
        let mut plan = self.plan.clone();
        match (entry, plan.timeline.get_mut(index)) {
            (Some(entry), Some(place)) => *place = entry,
            (None, Some(_)) => drop(plan.timeline.remove(index)),
            (_, None) => {}
        }
        plan
    }

    /// In how many runs the alert fires from an instant on, for each of these plans.
    fn fired(&mut self, at: Instant, plans: Vec<Plan>) -> Result<Vec<u64>, RunFailed> {
        let count = self.runs.count.max(1);
        let seeds = || (0..count).map(|n| Seed(self.runs.first + n as u64));
        let all: Vec<(Arc<Plan>, Seed)> = plans
            .into_iter()
            .map(Arc::new)
            .flat_map(|plan| seeds().map(|seed| (plan.clone(), seed)).collect::<Vec<_>>())
            .collect();
        let fault = Anchor::Entry { name: String::new(), at };
        let (calendar, watch, alert) = (self.calendar, self.watch, self.alert);
        let one = |plan: &Arc<Plan>, seed: Seed| {
            let report = run::run(plan, seed, calendar, Some(watch))?;
            Ok(seen(&fault, firings(alert, report.alerts.as_deref().unwrap_or_default())).first.is_some())
        };
        let (before, progress) = (self.done, &mut self.progress);
        let fires = run_all(&all, self.runs.jobs, one, |done| progress(before + done))?;
        self.done += fires.len();
        Ok(fires.chunks(count).map(|runs| runs.iter().filter(|fires| **fires).count() as u64).collect())
    }

    /// The same of one entry at several levels of a scale.
    fn at_levels(
        &mut self,
        (index, entry): (usize, &TimelineEntry),
        scale: &Scale,
        levels: &[u32],
    ) -> Result<Vec<u64>, RunFailed> {
        let plans = levels.iter().map(|level| self.with(index, scale.set(entry, *level))).collect();
        self.fired(entry.at, plans)
    }

    fn in_all(&self, fired: u64) -> bool {
        fired == self.runs.count.max(1) as u64
    }

    /// The lowest level up to `most` at which the alert fires and below which it does not, how often it fires there, and the
    /// levels above it at which it does not.
    fn lowest(
        &mut self,
        of: (usize, &TimelineEntry),
        scale: &Scale,
        most: u32,
    ) -> Result<Option<(u32, u64, Vec<u32>)>, RunFailed> {
        let mut grid: Vec<u32> =
            (0..=GRID).map(|n| (u64::from(most) * u64::from(n) / u64::from(GRID)) as u32).collect();
        grid.dedup();
        let counts = self.at_levels(of, scale, &grid)?;
        let Some(first) = counts.iter().position(|count| self.in_all(*count)) else { return Ok(None) };
        let Some(below) = first.checked_sub(1) else { return Ok(None) };
        let of_grid = |at: usize| grid.get(at).copied().unwrap_or(most);
        let (mut low, mut fired_below, mut high) =
            (of_grid(below), counts.get(below).copied().unwrap_or_default(), of_grid(first));
        let above = grid.iter().zip(&counts).skip(first);
        let gaps = above.filter(|(_, count)| !self.in_all(**count)).map(|(level, _)| *level).collect();
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let fired = self.at_levels(of, scale, &[middle])?.first().copied().unwrap_or_default();
            if self.in_all(fired) { high = middle } else { (low, fired_below) = (middle, fired) }
        }
        Ok(Some((high, fired_below, gaps)))
    }

    fn sensed(&mut self, index: usize, entry: TimelineEntry) -> Result<Sensed, RunFailed> {
        let both = self.fired(entry.at, vec![self.plan.clone(), self.with(index, None)])?;
        let count = |at: usize| both.get(at).copied().unwrap_or_default();
        let mut found = Sensed {
            fault: entry.name.clone(),
            what: words(&entry, self.plan),
            fired: count(0),
            without: count(1),
            least: Vec::new(),
            smallest: None,
        };
        if !self.in_all(found.fired) || self.in_all(found.without) {
            return Ok(found);
        }
        let scales = entry.scales(self.plan);
        for scale in &scales {
            let Some((level, fired_below, gaps)) = self.lowest((index, &entry), scale, scale.steps)? else { continue };
            found.least.push(Least {
                of: name(scale.dial),
                as_is: scale.words(scale.steps),
                fires: scale.words(level),
                below: scale.words(level - 1),
                fired_below,
                gaps: gaps.iter().map(|level| scale.words(*level)).collect(),
            });
        }
        found.smallest = Some(self.smallest(index, &entry, &scales)?);
        Ok(found)
    }

    /// Less of one thing after the other, until none of them can be less.
    fn smallest(&mut self, index: usize, entry: &TimelineEntry, scales: &[Scale]) -> Result<Smallest, RunFailed> {
        let mut levels: Vec<u32> = scales.iter().map(|scale| scale.steps).collect();
        let mut current = entry.clone();
        for _ in 0..ROUNDS {
            let before = levels.clone();
            for (scale, level) in scales.iter().zip(&mut levels) {
                if let Some((lower, ..)) = self.lowest((index, &current), scale, *level)? {
                    *level = lower;
                    current = scale.set(&current, lower).unwrap_or(current);
                }
            }
            if levels == before || scales.len() == 1 {
                break;
            }
        }
        let mut below = Vec::new();
        for (scale, level) in scales.iter().zip(&levels) {
            let lower = level.saturating_sub(1);
            let fired = self.at_levels((index, &current), scale, &[lower])?.first().copied().unwrap_or_default();
            below.push((scale.words(lower), fired));
        }
        let plan = self.with(index, Some(current.clone()));
        Ok(Smallest { what: words(&current, &plan), below, text: write_short(&plan) })
    }
}

/// An entry in words: `hang worker-1 for 1m12s`.
fn words(entry: &TimelineEntry, plan: &Plan) -> String {
    let lasts = entry.lasts.map(|lasts| format!(" for {lasts}")).unwrap_or_default();
    format!("{}{lasts}", entry.fault.sentence(plan))
}

fn name(dial: Dial) -> &'static str {
    match dial {
        Dial::Members => "members",
        Dial::Amount => "amount",
        Dial::Lasts => "duration",
    }
}

impl Sensitivity {
    /// Whether a smallest fault was found.
    pub fn found(&self) -> bool {
        self.faults.iter().any(|fault| fault.smallest.is_some())
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn runs_of(&self, fired: u64) -> String {
        match (self.runs, fired) {
            (1, 0) => "it does not".to_owned(),
            (1, _) => "it does".to_owned(),
            (_, 0) => "in no run".to_owned(),
            (all, fired) => format!("in {fired} of {all} runs"),
        }
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let last = self.seed + self.runs.saturating_sub(1);
        let seeds = if self.runs == 1 { format!("seed {last}") } else { format!("seeds {}..{last}", self.seed) };
        writeln!(out, "{}: how little {} still notices, {seeds}", self.scenario, self.alert)?;
        for fault in &self.faults {
            writeln!(out, "\n{}: {}", fault.fault, fault.what)?;
            if fault.fired < self.runs {
                writeln!(out, "  does it begin to fire from this fault on, as it is: {}", self.runs_of(fault.fired))?;
                if let Some(stands) = &self.stands {
                    writeln!(out, "  its rule with seed {}: {stands}", self.seed)?;
                }
                continue;
            }
            if fault.without >= self.runs {
                writeln!(out, "  it fires without this fault too")?;
                continue;
            }
            for it in &fault.least {
                writeln!(
                    out,
                    "  {:<9} {} still fires; with {} {} (in the file {})",
                    it.of,
                    it.fires,
                    it.below,
                    self.runs_of(it.fired_below),
                    it.as_is
                )?;
                if !it.gaps.is_empty() {
                    writeln!(
                        out,
                        "            more is not always worse: with {} it does not fire",
                        it.gaps.join(", ")
                    )?;
                }
            }
            let Some(smallest) = &fault.smallest else { continue };
            writeln!(out, "  smallest  {}", smallest.what)?;
            let below = smallest.below.iter().map(|(what, fired)| format!("with {what} {}", self.runs_of(*fired)));
            let below: Vec<String> = below.collect();
            if !below.is_empty() {
                writeln!(out, "            one step below: {}", below.join("; "))?;
            } else {
                writeln!(out, "            there is nothing that could be less of it")?;
            }
            writeln!(out, "\n{}", smallest.text.trim_end())?;
        }
        Ok(())
    }
}
