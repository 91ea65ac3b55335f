//! What the rules do not see: clusters, flows and faults by chance, the harm they do by the model's own truth, and which of it no
//! alert tells of. What is found is made as small as it can be and still shows it.

mod harm;
mod sketch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use self::harm::{Harmed, Lives};
use self::sketch::Sketch;
use super::parallel::RunFailed;
use crate::parallel::parallel;
use crate::random::Seed;
use crate::report;
use crate::run::{self, Watch};
use crate::scenario::{Plan, shape};
use crate::simulator::{LimitReached, Simulation};
use crate::time::{Calendar, Duration, Instant};

pub use harm::Harm;

/// What was looked for, and found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fuzz {
    /// The seed of what was drawn.
    pub seed: u64,
    /// Scenarios that were drawn and run.
    pub runs: u64,
    /// Of these, those in which executions came to harm for longer than the limit.
    pub harmed: u64,
    /// Of these, those in which an alert told of all of it in time.
    pub noticed: u64,
    /// Runs that reached a limit of the simulation: nothing is known of them.
    pub broken: u64,
    /// How long harm may last before an alert must have fired, in seconds.
    #[serde(serialize_with = "report::seconds")]
    pub limit: Duration,
    /// What nobody noticed, each once.
    pub findings: Vec<Finding>,
}

/// Harm that nobody noticed, in the smallest scenario that shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What was done: what kind of faults.
    pub cause: String,
    /// What became of executions.
    pub harm: Harm,
    /// The same in words: of which flow, since when, how many.
    pub told: String,
    /// Since when, in seconds since the start.
    #[serde(serialize_with = "report::instant")]
    pub since: Instant,
    /// The number of the scenario that showed it first.
    pub number: u64,
    /// Scenarios that showed it.
    pub runs: u64,
    /// The name of the scenario.
    pub name: String,
    /// The text of its file.
    pub text: String,
}

/// Which scenarios are drawn.
#[derive(Clone, Debug)]
pub struct FuzzRuns {
    /// The seed of what is drawn. Each scenario runs with the seed 1.
    pub seed: u64,
    /// Versions of Kestra; the first is that of the first scenario, and so on in turn.
    pub kestra: Vec<String>,
    /// How long harm may last before an alert must have fired.
    pub limit: Duration,
    /// Threads.
    pub jobs: usize,
}

/// Scenarios that are drawn at once, between two looks at the clock.
const BATCH: u64 = 16;
/// Tries of something smaller for one finding.
const TRIES: usize = 400;
/// The seed that `test` takes when nobody names another.
const SEED: Seed = Seed(1);

/// Looks for harm that no alert notices. It goes on as long as `more` says so, which is told how many scenarios have been
/// run; what it finds depends on nothing but how many they are. `progress` is told the same, in between too.
///
/// # Errors
/// A run panicked: the scenario that did it is named.
pub fn fuzz(
    watch: &Watch,
    runs: &FuzzRuns,
    more: impl Fn(u64) -> Option<u64>,
    mut progress: impl FnMut(usize) + Send,
) -> Result<Fuzz, RunFailed> {
    let mut found =
        Fuzz { seed: runs.seed, runs: 0, harmed: 0, noticed: 0, broken: 0, limit: runs.limit, findings: Vec::new() };
    let mut known: BTreeMap<(BTreeSet<String>, Harm), usize> = BTreeMap::new();
    let fuzzing = Fuzzing { watch, limit: runs.limit };
    while let Some(count) = more(found.runs).filter(|count| *count > 0) {
        let first = found.runs;
        let drawn = |at: usize| {
            let number = first + at as u64;
            let kestra = runs.kestra.get(number as usize % runs.kestra.len().max(1)).map_or("1.3", String::as_str);
            Sketch::drawn(runs.seed, number, kestra)
        };
        let count = count.min(BATCH) as usize;
        let tell = |done| progress(first as usize + done);
        let seen = parallel(count, runs.jobs, |at| fuzzing.look(&drawn(at)), tell).map_err(|failed| RunFailed {
            scenario: format!("a scenario that was drawn\n{}\n", drawn(failed.index).text()),
            seed: SEED.0,
            why: failed.why,
        })?;
        for (at, seen) in seen.into_iter().enumerate() {
            found.runs += 1;
            match seen {
                Err(_) => found.broken += 1,
                Ok(Looked::Well) => {}
                Ok(Looked::Noticed) => (found.harmed, found.noticed) = (found.harmed + 1, found.noticed + 1),
                Ok(Looked::Unnoticed(unnoticed)) => {
                    found.harmed += 1;
                    fuzzing.keep(&drawn(at), first + at as u64, unnoticed, &mut found.findings, &mut known);
                }
            }
        }
    }
    Ok(found)
}

/// What is seen of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Looked {
    /// Nothing came to harm, or there is nothing to look at.
    Well,
    /// An alert told of all of it.
    Noticed,
    /// None told of this.
    Unnoticed(Unnoticed),
}

/// Harm of which no alert told in time, and the one that told of it later.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unnoticed {
    harmed: Harmed,
    late: Option<(Instant, String)>,
}

struct Fuzzing<'a> {
    watch: &'a Watch,
    limit: Duration,
}

impl Fuzzing<'_> {
    /// What becomes of executions, and whether an alert tells of it.
    fn look(&self, sketch: &Sketch) -> Result<Looked, LimitReached> {
        let (Some(plan), Some(healthy)) = (sketch.plan(), sketch.healthy().plan()) else { return Ok(Looked::Well) };
        let Some(fault) = plan.timeline.iter().map(|entry| entry.at).min() else { return Ok(Looked::Well) };
        let (plan, healthy) = (Arc::new(plan), Arc::new(healthy));
        let harm = lives(&plan)?.harm(&lives(&healthy)?, self.limit);
        // What begins too late to be told of within the run says nothing.
        let end = Instant::START + plan.duration;
        let harm: Vec<Harmed> =
            harm.into_iter().filter(|it| it.since >= fault && it.since + self.limit <= end).collect();
        if harm.is_empty() {
            return Ok(Looked::Well);
        }
        let report = run::run(&plan, SEED, Calendar::default(), Some(self.watch))?;
        // What fires before anything is done tells nothing of it.
        let lines = report.alerts.iter().flatten();
        let mut firings: Vec<(Instant, &str)> =
            lines.filter_map(|line| Some((line.firing.filter(|at| *at >= fault)?, line.alert.as_str()))).collect();
        // Nor does one that fires where nothing is done.
        let calm = (!firings.is_empty()).then(|| run::run(&healthy, SEED, Calendar::default(), Some(self.watch)));
        if let Some(calm) = calm.transpose()? {
            let idle = |alert: &str| {
                calm.alerts
                    .iter()
                    .flatten()
                    .any(|line| line.alert == alert && line.firing.is_some_and(|at| at >= fault))
            };
            firings.retain(|(_, alert)| !idle(alert));
        }
        let told = |harmed: &Harmed| firings.iter().any(|(at, _)| *at <= harmed.since + self.limit);
        let late = || firings.iter().min().map(|(at, alert)| (*at, (*alert).to_owned()));
        let unnoticed = harm.into_iter().find(|harmed| !told(harmed));
        Ok(unnoticed.map_or(Looked::Noticed, |harmed| Looked::Unnoticed(Unnoticed { harmed, late: late() })))
    }

    /// Keeps a finding, unless it is known.
    fn keep(
        &self,
        sketch: &Sketch,
        number: u64,
        unnoticed: Unnoticed,
        findings: &mut Vec<Finding>,
        known: &mut BTreeMap<(BTreeSet<String>, Harm), usize>,
    ) {
        let drawn = shapes(sketch);
        let same = known.iter().find(|((shapes, harm), _)| *harm == unnoticed.harmed.harm && shapes.is_subset(&drawn));
        if let Some(finding) = same.and_then(|(_, at)| findings.get_mut(*at)) {
            finding.runs += 1;
            return;
        }
        let (smallest, unnoticed) = self.shrink(sketch.clone(), unnoticed);
        let harmed = unnoticed.harmed;
        let cause = shapes(&smallest);
        if let Some(finding) = known.get(&(cause.clone(), harmed.harm)).and_then(|at| findings.get_mut(*at)) {
            finding.runs += 1;
            return;
        }
        let Some(plan) = smallest.plan() else { return };
        let told = self.told(&unnoticed, &plan);
        findings.push(Finding {
            cause: cause.iter().cloned().collect::<Vec<_>>().join(", "),
            harm: harmed.harm,
            since: harmed.since.rounded(),
            number,
            runs: 1,
            name: plan.name.clone(),
            text: format!("# Unnoticed: {}\n{}", told.replace('\n', "\n# "), smallest.text()),
            told: told.replace('\n', " "),
        });
        known.insert((cause, harmed.harm), findings.len() - 1);
    }

    /// The smallest scenario that shows the same harm, found step by step.
    fn shrink(&self, mut sketch: Sketch, mut unnoticed: Unnoticed) -> (Sketch, Unnoticed) {
        let mut tries = 0;
        'smaller: loop {
            for smaller in sketch.smaller() {
                tries += 1;
                if tries > TRIES {
                    break 'smaller;
                }
                let seen = self.look(&smaller);
                if let Ok(Looked::Unnoticed(still)) = seen
                    && still.harmed.harm == unnoticed.harmed.harm
                {
                    (sketch, unnoticed) = (smaller, still);
                    continue 'smaller;
                }
            }
            break;
        }
        (sketch, unnoticed)
    }

    fn told(&self, Unnoticed { harmed, late }: &Unnoticed, plan: &Plan) -> String {
        let flow = plan.flows.get(harmed.flow as usize).map(|flow| flow.name()).unwrap_or_default();
        let (since, until) = (seconds(harmed.since), seconds(harmed.until));
        let many = harmed.count > 1;
        let executions = format!("{} execution{}", harmed.count, if many { "s" } else { "" });
        let what = match harmed.harm {
            Harm::Fail => format!("{executions} of {flow} end badly between {since} and {until}"),
            Harm::Hang => {
                let does = if many { "take" } else { "takes" };
                format!(
                    "{executions} of {flow} {does} too long, or never end{}, from {since} on",
                    if many { "" } else { "s" }
                )
            }
            Harm::Missing => format!("{flow} does not run between {since} and {until}: {executions} missing"),
        };
        let until = seconds(harmed.since + self.limit);
        let late = late
            .as_ref()
            .map_or("nor later".to_owned(), |(at, alert)| format!("the first is {alert} at {}", seconds(*at)));
        format!("{what}.\nNo alert fires until {until}, {late}.")
    }
}

/// The nearest second before an instant, for people.
fn seconds(at: Instant) -> Instant {
    let second = crate::time::SECOND as i64;
    Instant::from_nanoseconds(at.as_nanoseconds().div_euclid(second) * second)
}

/// What kinds of faults there are.
fn shapes(sketch: &Sketch) -> BTreeSet<String> {
    sketch.plan().map(|plan| plan.timeline.iter().map(|entry| shape(&entry.fault, &plan)).collect()).unwrap_or_default()
}

/// What becomes of the executions of a plan that has no commands and no autoscalers.
fn lives(plan: &Arc<Plan>) -> Result<Lives, LimitReached> {
    let mut simulation = Simulation::new(plan.clone(), SEED, Calendar::default());
    simulation.keep_changes();
    simulation.advance(Instant::START + plan.duration)?;
    Ok(Lives::of(&simulation))
}

impl Fuzz {
    /// For people.
    pub fn text(&self) -> String {
        let Fuzz { runs, harmed, noticed, broken, limit, seed, .. } = self;
        let mut out = format!(
            "{runs} scenarios with seed {seed}: in {harmed} executions fail, hang or are missing for longer than {limit}; \
             an alert tells of it in {noticed}\n"
        );
        if *broken > 0 {
            out += &format!("{broken} of them reached a limit of the simulation\n");
        }
        for finding in &self.findings {
            out += &format!("\n{} ({} of {runs} scenarios)\n{}", finding.cause, finding.runs, finding.text);
        }
        match (self.findings.is_empty(), harmed) {
            (true, 0) => out += "nothing came to harm, so nothing is said of the rules\n",
            (true, _) => out += "nothing goes unnoticed\n",
            (false, _) => {}
        }
        out
    }
}
