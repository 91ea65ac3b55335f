//! One run of a plan, in virtual time: a [`Session`]. Pure: used by the command line, the server and tests alike.

mod checkpoints;
mod explain;
mod judge;
mod locate;
mod orders;
pub mod session;
mod watch;
mod way;
mod why;

use std::sync::Arc;

use crate::flow::State;
use crate::management::{self, Outcome, Request};
use crate::random::Seed;
use crate::report::{AlertLine, Figure, MemberLine, Report};
use crate::scenario::{Expectation, Plan};
use crate::simulator::{LimitReached, Port, Simulation};
use crate::time::{Calendar, Duration, Instant};

pub use explain::{Change, Explanation, PartLine, explain};
pub use session::{Journal, Refused, Session};
pub use watch::{Scraping, Watch};
pub use way::{Found, Passed, Way};

/// Runs a plan from the birth of its cluster to its `duration`, and judges what the scenario expects. With a watch a
/// Prometheus in virtual time scrapes all members and evaluates rules; without one, alerts are not judged.
///
/// # Errors
/// A limit of the simulation was reached; the run ends at that instant.
pub fn run(plan: &Arc<Plan>, seed: Seed, calendar: Calendar, watch: Option<&Watch>) -> Result<Report, LimitReached> {
    let session = Session::new(plan.clone(), seed, calendar);
    let mut session = match watch {
        Some(watch) => session.watched(watch),
        None => session,
    };
    session.advance(Instant::START + plan.duration)?;
    Ok(session.report())
}

/// What a watched run leaves behind: everything that was scraped, and the life of every alert.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The series, those that rules wrote included.
    pub series: Vec<crate::promql::Series>,
    /// Names of series that recording rules wrote.
    pub recorded: std::collections::BTreeSet<String>,
    /// The life of every alert.
    pub alerts: Vec<AlertLine>,
}

/// Runs a plan with a watch that scrapes and evaluates on a grid from the start, with no phase, and keeps everything.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn record(plan: &Arc<Plan>, seed: Seed, calendar: Calendar, watch: &Watch) -> Result<Record, LimitReached> {
    let mut session = Session::new(plan.clone(), seed, calendar).watched(watch).on_grid();
    session.advance(Instant::START + plan.duration)?;
    let record = session.into_watching().map(|watching| watching.record(&calendar));
    Ok(record.unwrap_or_default())
}

impl AlertLine {
    /// Whether it was still active at an instant, or later.
    fn ends_after(&self, at: Instant) -> bool {
        self.resolved.is_none_or(|resolved| resolved >= at)
    }
}

/// The instants at which someone must look at a member's health for an expectation, in the order of time.
fn looks(plan: &Plan, end: Instant) -> Vec<(usize, Instant)> {
    let mut looks = Vec::new();
    for (index, expectation) in plan.expectations.iter().enumerate() {
        if let Expectation::Health { at, within, .. } = expectation {
            // A probe a second, and not more than an hour of them.
            let seconds = within.map_or(0, |within| within.as_milliseconds() / 1000).min(3_600);
            looks.extend((0..=seconds).map(|n| (index, *at + Duration::seconds(n))).filter(|(_, at)| *at <= end));
        }
    }
    looks.sort_by_key(|(_, at)| *at);
    looks
}

/// What a probe of `/health` finds.
fn health(simulation: &Simulation, member: usize) -> &'static str {
    let settings = &simulation.plan().settings;
    let mut request = Request::get(&settings.at("/health"), simulation.now());
    if let Some((user, password)) = settings.credentials.both() {
        request.headers.push(("authorization".to_owned(), management::basic_auth(user, password)));
    }
    match management::answer(&request, simulation, member) {
        Outcome::Refused | Outcome::Reset => "refused",
        Outcome::Wait(_) | Outcome::Hang => "hangs",
        // Under a path of its own the status line never tells.
        Outcome::Answer(answer) if answer.status == 200 && !answer.says_down() => "UP",
        Outcome::Answer(_) => "DOWN",
    }
}

fn member_line(member: &crate::simulator::Member) -> MemberLine {
    MemberLine {
        name: member.plan().name.clone(),
        port: match member.port() {
            Port::Open => "open",
            Port::Refused => "refused",
            Port::Frozen => "hangs",
            Port::Closing => "closing",
        },
        processes: member.life() + u32::from(member.port() != Port::Refused),
        running: member.running(),
        pending: member.pending(),
    }
}

/// The closing numbers: truth, and what the counters say.
fn closing(simulation: &Simulation) -> Vec<Figure> {
    let truth = simulation.truth();
    let prefix = simulation.plan().settings.metrics_prefix.clone();
    let shown = |meter: &str, state: Option<State>| {
        // A meter that this version does not have shows nothing.
        let has =
            |member: &crate::simulator::Member| member.profile().meters().any(|(_, it)| it.prometheus_name() == meter);
        if !simulation.members().iter().any(has) {
            return (None, None);
        }
        let renamed = prefix.as_ref().map(|prefix| meter.replacen("kestra", prefix, 1));
        let meter = renamed.as_deref().unwrap_or(meter);
        let wanted = state.map(State::name);
        let mut sum = 0.0;
        for (index, member) in simulation.members().iter().enumerate().filter(|(_, it)| it.port() != Port::Refused) {
            let look = simulation.look(index);
            member.registry().samples(&look, |sample| {
                let matches = |wanted: &str| sample.labels.iter().any(|(key, is)| key == "state" && is == wanted);
                if sample.name == meter && wanted.is_none_or(matches) {
                    sum += sample.value;
                }
            });
        }
        (Some(sum), Some(state.map_or(meter.to_owned(), |state| format!("{meter}{{state=\"{}\"}}", state.name()))))
    };
    let figure = |name: &str, truth: u64, (shown, meter): (Option<f64>, Option<String>)| Figure {
        name: name.into(),
        truth,
        shown,
        meter,
    };
    let backlog = simulation.backlog();
    let ends = "kestra_executor_execution_end_count_total";
    let mut figures = vec![
        figure("executions created", truth.created, shown("kestra_executor_execution_started_count_total", None)),
        figure("executions ended", truth.ended_in_all(), shown(ends, None)),
    ];
    for state in State::ALL {
        let count = truth.ended_in(state);
        if count > 0 {
            figures.push(figure(&format!("  as {}", state.name()), count, shown(ends, Some(state))));
        }
    }
    figures.push(figure("executions not ended", truth.live, (None, None)));
    if truth.queued > 0 {
        figures.push(figure("  QUEUED", truth.queued, (None, None)));
    }
    if truth.lost_requests > 0 {
        figures.push(figure("requests nobody answered", truth.lost_requests, (None, None)));
    }
    figures.push(figure(
        "attempts of task runs",
        truth.attempts,
        shown("kestra_executor_taskrun_created_count_total", None),
    ));
    figures.push(figure("  ended", truth.attempts_ended, shown("kestra_executor_taskrun_ended_count_total", None)));
    if truth.resubmitted > 0 {
        let meter = "kestra_executor_worker_job_resubmit_count_total";
        figures.push(figure("  handed out again", truth.resubmitted, shown(meter, None)));
    }
    figures.push(figure("jobs waiting in the queue", backlog.jobs_queued, (None, None)));
    figures.push(figure("jobs waiting in workers", backlog.jobs_pending, shown("kestra_worker_job_pending", None)));
    figures.push(figure("jobs of dead workers", backlog.jobs_orphaned, (None, None)));
    figures.push(figure("log lines indexed", truth.log_lines_indexed, (None, None)));
    figures.push(figure("processes ended", truth.exits, (None, None)));
    figures
}
