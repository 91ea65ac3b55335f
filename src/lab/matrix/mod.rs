//! Every scenario against every rule: which failures would be noticed, how soon, and by what; which by nobody; which rules
//! nothing triggers; which cry wolf.

mod alarm;
mod coverage;
mod html;
mod junit;
mod markdown;
mod picture;
mod text;

use std::sync::Arc;

use serde::Serialize;

use super::parallel::{RunFailed, run_all};
use super::sweep::{Detection, Seen, alerts_of, bare, firings, paged, pages, seen, spread};
use crate::random::Seed;
use crate::report::{self, AlertLine, Line, OverRuns, Report, RuleState};
use crate::run::{self, Watch};
use crate::scenario::{Amount, Anchor, EVERY_ALERT, Expectation, Lasts, Order, Plan, TimelineEntry};
use crate::time::{Calendar, Duration, Instant};

use alarm::Alarms;
pub use coverage::Coverage;

/// Every scenario against every rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Matrix {
    /// Runs of each scenario: one a seed.
    pub runs: u64,
    /// The first seed; the others follow it.
    pub seed: u64,
    /// What fires later than this after a failure began is late, in seconds; none when only what comes after its end is.
    #[serde(serialize_with = "maybe_seconds")]
    pub limit: Option<Duration>,
    /// Who could notice: every alert in the order of the rules, then each flow that tells people of failures (`notification: FLOW`) and
    /// each receiver of Alertmanager (`page: RECEIVER`).
    pub rules: Vec<String>,
    /// The scenarios, in the order in which they were named.
    pub scenarios: Vec<Row>,
    /// What all of it comes to.
    pub coverage: Coverage,
    /// What the figures lack, in words: rules that were dead in every run or could not be evaluated in one, targets that never
    /// answered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Parts of rules that do nothing in all runs, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// A scenario against every rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub scenario: String,
    /// Its summary.
    pub summary: String,
    /// How long it runs, in seconds.
    #[serde(serialize_with = "report::seconds")]
    pub duration: Duration,
    /// What is done to it first, and when: delays count from there. None when nothing is done to it: it is healthy, and what
    /// fires in it is a false alarm.
    pub failure: Option<Failure>,
    /// It expects itself that no alert fires (`{ alert: "*", never: true }`): that nobody notices is no finding.
    pub silent: bool,
    /// Runs in which anything noticed the failure.
    pub noticed: u64,
    /// Runs in which what noticed it was late.
    pub noticed_late: u64,
    /// Seconds from the failure to the first that noticed it, in half of the runs in which anything did; the slowest.
    pub first: Option<(f64, f64)>,
    /// What is done to it: each entry of the timeline.
    pub faults: Vec<Fault>,
    /// What each rule did, in the order of [`Matrix::rules`].
    pub cells: Vec<Cell>,
}

/// Where a failure begins, and where it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What it is called: an entry of the timeline, or a command.
    pub name: String,
    /// When it begins, in seconds since the start.
    #[serde(serialize_with = "report::instant")]
    pub at: Instant,
    /// When all that was done is over in the first run: faults have ended, and who was killed or restarted is up again. None
    /// when it goes on to the end.
    #[serde(serialize_with = "report::maybe_instant")]
    pub over: Option<Instant>,
}

/// An entry of the timeline, as a picture shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// When it begins, in seconds since the start.
    #[serde(serialize_with = "report::instant")]
    pub at: Instant,
    /// When it is over in the first run; none when it goes on to the end.
    #[serde(serialize_with = "report::maybe_instant")]
    pub over: Option<Instant>,
}

/// What a rule did in a scenario. What is worst for who relies on it comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It could not be evaluated in a run.
    Failed,
    /// It fired when nothing was wrong: in a healthy scenario, or before the failure.
    FalseAlarm,
    /// It fired after the failure began, in a run or more.
    Fires,
    /// It fired, but only when the failure was over or later than the limit, whenever it fired.
    Late,
    /// Its condition held, and not long enough.
    Pending,
    /// It had nothing to tell.
    Quiet,
    /// It could not: what it reads is not there.
    Dead,
    /// The flow that would tell people is not in this scenario.
    Absent,
}

impl Outcome {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Failed => "failed",
            Outcome::FalseAlarm => "false alarm",
            Outcome::Fires => "fires",
            Outcome::Late => "late",
            Outcome::Pending => "pending",
            Outcome::Quiet => "quiet",
            Outcome::Dead => "dead",
            Outcome::Absent => "absent",
        }
    }
}

/// What one rule did in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// What it came to.
    pub outcome: Outcome,
    /// Its firings over all runs, as `sweep` counts them. In a healthy scenario all count as `before`.
    #[serde(flatten)]
    pub detection: Detection,
    /// Runs in which the first firing was late.
    pub late: u64,
    /// How the rule stood at the end, as `test` tells it of the run that says most: when it fired, how near it came, or why not.
    pub told: String,
    /// When it was active in the first run.
    pub lives: Vec<Life>,
}

/// One time a rule was active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Life {
    /// When its condition began to hold, in seconds since the start.
    #[serde(serialize_with = "report::instant")]
    pub pending: Instant,
    /// When it fired, if it did.
    #[serde(serialize_with = "report::maybe_instant")]
    pub firing: Option<Instant>,
    /// When that ended, if it did.
    #[serde(serialize_with = "report::maybe_instant")]
    pub resolved: Option<Instant>,
}

/// Which runs a matrix makes.
#[derive(Clone, Copy, Debug)]
pub struct MatrixRuns {
    /// The first seed.
    pub first: u64,
    /// How many seeds from there on.
    pub count: usize,
    /// Threads.
    pub jobs: usize,
    /// What fires later than this after the failure began is late.
    pub limit: Option<Duration>,
}

/// Runs every plan with every seed under the same rules. The result does not depend on the number of threads. `progress` is
/// told how many runs are done.
///
/// # Errors
/// One of the runs reached a limit or panicked.
pub fn matrix(
    plans: &[Arc<Plan>],
    calendar: impl Fn(&Plan) -> Calendar + Sync,
    watch: &Watch,
    runs: &MatrixRuns,
    progress: impl FnMut(usize) + Send,
) -> Result<Matrix, RunFailed> {
    let count = runs.count.max(1);
    let seeds = || (0..count).map(|n| Seed(runs.first + n as u64));
    let all: Vec<(Arc<Plan>, Seed)> =
        plans.iter().flat_map(|plan| seeds().map(|seed| (bare(plan), seed)).collect::<Vec<_>>()).collect();
    let one = |plan: &Arc<Plan>, seed: Seed| {
        let report = run::run(plan, seed, calendar(plan), Some(watch))?;
        let over = Over::of(plan, &report.timeline);
        let alarms = Alarms::of(plan);
        let notifications = report.notifications.into_iter().filter(|line| alarms.has(line)).collect();
        // Of many runs only what is counted is kept.
        Ok((Report { notifications, timeline: Vec::new(), closing: Vec::new(), members: Vec::new(), ..report }, over))
    };
    let done = run_all(&all, runs.jobs, one, progress)?;
    let (reports, overs): (Vec<Report>, Vec<Over>) = done.into_iter().unzip();
    let noticers = noticers(watch, plans, &reports);
    let row = |(index, plan): (usize, &Arc<Plan>)| {
        let range = index * count..(index + 1) * count;
        let of = Runs {
            plan,
            reports: reports.get(range.clone()).unwrap_or_default(),
            overs: overs.get(range).unwrap_or_default(),
            limit: runs.limit,
        };
        of.row(&noticers)
    };
    let rows: Vec<Row> = plans.iter().enumerate().map(row).collect();
    let targets = reports.chunks(count).flat_map(report::target_warnings);
    Ok(Matrix {
        runs: count as u64,
        seed: runs.first,
        limit: runs.limit,
        coverage: Coverage::of(&noticers, &rows, &reports),
        rules: noticers.iter().map(Noticer::name).collect(),
        scenarios: rows,
        warnings: [report::rule_warnings(&reports), targets.collect()].concat(),
        doubts: report::doubts(&reports),
    })
}

/// Who could notice a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Noticer {
    /// An alert of the rules, by its name.
    Alert(String),
    /// A flow that sends messages because something has failed, by namespace and id.
    Flow(String),
    /// A receiver of Alertmanager.
    Receiver(String),
}

impl Noticer {
    fn name(&self) -> String {
        match self {
            Noticer::Alert(name) => name.clone(),
            Noticer::Flow(name) => format!("notification: {name}"),
            Noticer::Receiver(name) => paged(name),
        }
    }

    /// Its lives in one run. A message is one at the instant at which it is taken: what is lost nobody reads.
    fn lives(&self, report: &Report) -> Vec<Life> {
        match self {
            Noticer::Alert(name) => {
                let ours = report.alerts.iter().flatten().filter(|line| line.alert == *name);
                ours.map(Life::of).collect()
            }
            Noticer::Flow(name) => {
                let ours = report.notifications.iter().filter(|line| line.flow == *name && line.taken);
                ours.map(|line| Life { pending: line.at, firing: Some(line.at), resolved: Some(line.at) }).collect()
            }
            Noticer::Receiver(name) => {
                let life = |(at, over)| Life { pending: at, firing: Some(at), resolved: over };
                pages(name, report).map(life).collect()
            }
        }
    }

    fn seen(&self, fault: &Anchor, report: &Report) -> Seen {
        match self {
            Noticer::Alert(name) => seen(fault, firings(name, report.alerts.as_deref().unwrap_or_default())),
            Noticer::Flow(_) | Noticer::Receiver(_) => {
                let lives = self.lives(report);
                seen(fault, lives.iter().filter_map(|life| Some((life.firing?, life.resolved))))
            }
        }
    }
}

impl Life {
    fn of(line: &AlertLine) -> Life {
        Life { pending: line.pending, firing: line.firing, resolved: line.resolved }
    }
}

/// All who could notice: alerts of the rules, those that Grafana makes of rules that have no data or fail, and flows.
fn noticers(watch: &Watch, plans: &[Arc<Plan>], reports: &[Report]) -> Vec<Noticer> {
    let mut all: Vec<Noticer> = alerts_of(watch).into_iter().map(|alert| Noticer::Alert(alert.to_owned())).collect();
    let more = reports.iter().flat_map(|report| report.alerts.iter().flatten());
    let more = more.map(|line| Noticer::Alert(line.alert.clone()));
    let flows = plans.iter().flat_map(|plan| {
        let alarms = Alarms::of(plan);
        // In the order of the scenario.
        let telling = plan.telling().map(|flow| flow.name()).filter(|name| alarms.flows().contains(name.as_str()));
        telling.map(Noticer::Flow).collect::<Vec<Noticer>>()
    });
    let receivers = watch.paging.iter().flat_map(|it| &it.configuration.receivers);
    let receivers = receivers.map(|it| Noticer::Receiver(it.name.clone()));
    for noticer in more.chain(flows).chain(receivers) {
        if !all.contains(&noticer) {
            all.push(noticer);
        }
    }
    all
}

/// When what was done to a cluster is over: each entry of the timeline, and all of it.
#[derive(Clone, Debug, Default)]
struct Over {
    entries: Vec<Option<Instant>>,
    /// None when something goes on to the end; so does what somebody asked for with a command.
    all: Option<Instant>,
}

impl Over {
    fn of(plan: &Plan, journal: &[Line]) -> Over {
        let entries: Vec<Option<Instant>> = plan.timeline.iter().map(|entry| over(entry, plan, journal)).collect();
        let asked = plan.commands.iter().any(|command| Anchor::of_command(command, plan).is_some());
        let last = entries.iter().copied().collect::<Option<Vec<Instant>>>().and_then(|all| all.into_iter().max());
        Over { all: last.filter(|_| !asked), entries }
    }
}

/// When an entry of the timeline is over: when it ends, is cleared, or when all members that it took down are up again.
fn over(entry: &TimelineEntry, plan: &Plan, journal: &[Line]) -> Option<Instant> {
    let last = match (entry.every, entry.until) {
        (None, _) => entry.at,
        (Some(_), until) => until?,
    };
    let cleared = plan.commands.iter().find(|it| matches!(&it.order, Order::Clear(name) if *name == entry.name));
    if let Some(cleared) = cleared {
        return Some(cleared.at);
    }
    if let Amount::Pause(pause) = entry.fault.amount {
        return Some(last + pause);
    }
    if entry.fault.kind.lasts() == Lasts::UntilCleared {
        return entry.lasts.map(|lasts| last + lasts);
    }
    let up = |member: &usize| {
        let name = plan.cluster.members.get(*member).map(|member| member.name.as_str());
        let up = |line: &&Line| line.kind == "comes-up" && line.member.as_deref() == name && line.at >= last;
        journal.iter().find(up).map(|line| line.at)
    };
    entry.fault.members().iter().map(up).collect::<Option<Vec<Instant>>>()?.into_iter().max()
}

/// The runs of one scenario.
struct Runs<'r> {
    plan: &'r Plan,
    reports: &'r [Report],
    overs: &'r [Over],
    limit: Option<Duration>,
}

impl Runs<'_> {
    fn row(&self, noticers: &[Noticer]) -> Row {
        let fault = Anchor::first_fault(self.plan);
        let (mut firsts, mut noticed_late) = (Vec::new(), 0);
        for (report, over) in self.reports.iter().zip(self.overs) {
            let first = noticers.iter().filter_map(|noticer| noticer.seen(&fault, report).first).min();
            firsts.extend(first.map(|first| first.since(fault.instant()).as_seconds_f64()));
            noticed_late += u64::from(first.is_some_and(|first| self.is_late(&fault, first, over)));
        }
        let healthy = fault == Anchor::Start;
        if healthy {
            firsts.clear();
        }
        let first_over = self.overs.first().cloned().unwrap_or_default();
        Row {
            scenario: self.plan.name.clone(),
            summary: self.plan.summary.clone(),
            duration: self.plan.duration,
            failure: match &fault {
                Anchor::Entry { name, at } => Some(Failure { name: name.clone(), at: *at, over: first_over.all }),
                Anchor::Start | Anchor::At(_) => None,
            },
            silent: self.plan.expectations.iter().any(expects_silence),
            noticed: firsts.len() as u64,
            noticed_late: if healthy { 0 } else { noticed_late },
            first: spread(firsts),
            faults: self.faults(&first_over),
            cells: {
                let rules = report::over_runs(self.reports);
                noticers.iter().map(|noticer| self.cell(noticer, &fault, &rules)).collect()
            },
        }
    }

    fn faults(&self, over: &Over) -> Vec<Fault> {
        let entries = self.plan.timeline.iter().zip(&over.entries);
        entries.map(|(entry, over)| Fault { name: entry.name.clone(), at: entry.at, over: *over }).collect()
    }

    /// Whether what fires first at an instant is late: all is over, or the limit is.
    fn is_late(&self, fault: &Anchor, first: Instant, over: &Over) -> bool {
        over.all.is_some_and(|over| first > over)
            || self.limit.is_some_and(|limit| first.since(fault.instant()) > limit)
    }

    fn cell(&self, noticer: &Noticer, fault: &Anchor, rules: &[OverRuns<'_>]) -> Cell {
        let all: Vec<Seen> = self.reports.iter().map(|report| noticer.seen(fault, report)).collect();
        let healthy = *fault == Anchor::Start;
        // Where nothing is wrong, whatever fires does so too early.
        let counted = all.iter().map(|seen| match healthy {
            true => Seen { before: seen.before || seen.first.is_some(), first: None },
            false => *seen,
        });
        let detection = Detection::of(&noticer.name(), fault, counted);
        let late = all
            .iter()
            .zip(self.overs)
            .filter(|(seen, over)| !healthy && seen.first.is_some_and(|first| self.is_late(fault, first, over)));
        let late = late.count() as u64;
        let (state, told) = self.standing(noticer, rules);
        let outcome = match state {
            Outcome::Failed => Outcome::Failed,
            _ if detection.before > 0 => Outcome::FalseAlarm,
            _ if detection.fired > 0 && late == detection.fired => Outcome::Late,
            _ if detection.fired > 0 => Outcome::Fires,
            // It fired before the start only, where nobody was asked.
            Outcome::Fires => Outcome::Quiet,
            other => other,
        };
        let lives = self.reports.first().map(|report| noticer.lives(report)).unwrap_or_default();
        Cell { outcome, detection, late, told, lives }
    }

    /// How a rule stood, in the run that says most of it.
    fn standing(&self, noticer: &Noticer, rules: &[OverRuns<'_>]) -> (Outcome, String) {
        match noticer {
            Noticer::Alert(name) => match says_most(rules, name) {
                Some(rule) => (outcome(rule.line.state), rule.line.told.clone()),
                None => (Outcome::Quiet, String::new()),
            },
            Noticer::Receiver(_) => (Outcome::Quiet, String::new()),
            Noticer::Flow(name) => {
                let there = Alarms::of(self.plan).flows().contains(name.as_str());
                let lost =
                    || self.reports.iter().flat_map(|it| &it.notifications).find(|it| it.flow == *name && !it.taken);
                match (there, lost()) {
                    (false, _) => (Outcome::Absent, String::new()),
                    (true, Some(line)) => {
                        let why = line.why.as_deref().and_then(|why| why.lines().next()).unwrap_or_default();
                        (Outcome::Quiet, format!("a message was lost at {}: {why}", line.at.rounded()))
                    }
                    (true, None) => (Outcome::Quiet, String::new()),
                }
            }
        }
    }
}

/// Of the rules that make alerts of this name the one that says most; a dead one says least.
fn says_most<'o, 'r>(rules: &'o [OverRuns<'r>], name: &str) -> Option<&'o OverRuns<'r>> {
    let ours = rules.iter().filter(|rule| rule.line.rule == name && rule.line.kind != report::RuleKind::Record);
    ours.min_by_key(|rule| (rule.line.state == RuleState::Dead, rule.line.state))
}

fn outcome(state: RuleState) -> Outcome {
    match state {
        RuleState::Failed => Outcome::Failed,
        RuleState::Dead => Outcome::Dead,
        RuleState::Fired => Outcome::Fires,
        RuleState::Pending => Outcome::Pending,
        RuleState::Recorded | RuleState::Quiet => Outcome::Quiet,
    }
}

/// Whether a scenario says that no alert at all fires.
fn expects_silence(expectation: &Expectation) -> bool {
    matches!(expectation, Expectation::Alert(it) if it.alert == EVERY_ALERT && it.never && it.except.is_empty())
}

impl Matrix {
    /// Whether it found what should not be: a failure that nobody notices in some run though its scenario does not expect
    /// that, or a false alarm.
    pub fn found(&self) -> bool {
        !self.coverage.false_alarms.is_empty() || self.coverage.unnoticed.iter().any(|it| !it.expected)
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

fn maybe_seconds<S: serde::Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(Duration::as_seconds_f64).serialize(serializer)
}
