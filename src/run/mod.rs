//! One run of a plan, in virtual time: a [`Session`]. Pure: used by the command line, the server and tests alike.

#[cfg(feature = "server")]
mod again;
mod asking;
mod autoscale;
mod checkpoints;
mod counted;
mod ended;
mod explain;
mod foresight;
mod heard;
mod judge;
mod known;
mod kubernetes;
mod live;
mod lived;
mod lives;
mod locate;
mod lost;
mod namespace;
mod orders;
mod page;
mod paged;
mod paging;
#[cfg(feature = "cli")]
mod past;
mod rules;
pub mod session;
mod targets;
mod turns;
mod watch;
mod way;
mod why;

use std::sync::Arc;

use crate::flow::State;
use crate::metrics::Selection;
use crate::monitor::Sink;
use crate::random::Seed;
use crate::report::{AlertLine, Figure, MemberLine, Report};
use crate::scenario::Plan;
use crate::simulator::{LimitReached, Member, Port, Simulation};
use crate::time::{Calendar, Instant};

pub use ended::{Ended, ended};
pub use explain::{Change, Explanation, PartLine, explain};
pub use foresight::Foresight;
pub use heard::{HeardLine, Hearing, TriggerHearing, hearing};
pub use live::{ActiveAlert, DueAlert};
pub use lived::{AlertBar, Band, Condition, Figures, Picture, Reading};
pub use page::{AlertPath, PageExplanation, explain_page};
pub use paging::Paging;
#[cfg(feature = "cli")]
pub use past::Past;
pub use session::{Refused, Session};
pub use watch::{Remark, Scraping, Watch};
#[cfg(feature = "cli")]
pub(crate) use why::kept_out;

use watch::Watching;

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

/// What rules came to in a run.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The life of every alert.
    pub alerts: Vec<AlertLine>,
    /// Rules that could not be evaluated at least once: name, and why the first time.
    pub failed: Vec<(String, String)>,
}

/// Runs a plan with a watch that scrapes and evaluates on a grid from the start, with no phase. What is scraped, as far as
/// rules read it, goes to the sink.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn record(
    plan: &Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    watch: &Watch,
    sink: Option<Box<dyn Sink + Send>>,
) -> Result<Record, LimitReached> {
    let mut session = Session::new(plan.clone(), seed, calendar);
    session.advance(Instant::START)?;
    let mut session = session.watched(watch).on_grid().handing_to(sink);
    session.advance(Instant::START + plan.duration)?;
    let record = |watching: Watching| Record { alerts: watching.alerts(&calendar), failed: watching.failures() };
    Ok(session.into_watching().map(record).unwrap_or_default())
}

impl AlertLine {
    /// Whether it was still active at an instant, or later.
    pub(crate) fn ends_after(&self, at: Instant) -> bool {
        self.resolved.is_none_or(|resolved| resolved >= at)
    }
}

fn member_line(member: &Member) -> MemberLine {
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
    let shown = |meter: &str, state: Option<State>| shown(simulation, meter, state);
    let figure = |name: &str, truth: u64, (shown, meter): (Option<f64>, Option<String>)| Figure {
        name: name.into(),
        truth,
        shown,
        meter,
    };
    let backlog = simulation.backlog();
    let ends = "kestra.executor.execution.end.count";
    let mut figures = vec![
        figure("executions created", truth.created, shown("kestra.executor.execution.started.count", None)),
        figure("executions ended", truth.ended_in_all(), shown(ends, None)),
    ];
    for state in State::ALL {
        let count = truth.ended_in(state);
        if count > 0 {
            figures.push(figure(&format!("  as {}", state.name()), count, shown(ends, Some(state))));
        }
    }
    if truth.lost > 0 {
        figures.push(figure("executions lost", truth.lost, (None, None)));
    }
    figures.push(figure("executions not ended", truth.live, (None, None)));
    if truth.queued > 0 {
        figures.push(figure("  QUEUED", truth.queued, (None, None)));
    }
    if truth.lost_requests > 0 {
        figures.push(figure("requests nobody answered", truth.lost_requests, (None, None)));
    }
    figures.push(figure("attempts of task runs", truth.attempts, shown("kestra.executor.taskrun.created.count", None)));
    figures.push(figure("  ended", truth.attempts_ended, shown("kestra.executor.taskrun.ended.count", None)));
    if truth.resubmitted > 0 {
        let meter = "kestra.executor.worker.job.resubmit.count";
        figures.push(figure("  handed out again", truth.resubmitted, shown(meter, None)));
    }
    figures.push(figure("jobs waiting in the queue", backlog.jobs_queued, (None, None)));
    figures.push(figure("jobs waiting in workers", backlog.jobs_pending, shown("kestra.worker.job.pending", None)));
    figures.push(figure("jobs of dead workers", backlog.jobs_orphaned, (None, None)));
    figures.push(figure("log lines indexed", truth.log_lines_indexed, (None, None)));
    figures.push(figure("processes ended", truth.exits, (None, None)));
    figures
}

/// What the series of a meter show in all, by the name by which the model knows it, and the series as a query names them.
/// A meter that no member's version has shows nothing.
fn shown(simulation: &Simulation, meter: &str, state: Option<State>) -> (Option<f64>, Option<String>) {
    let prefix = simulation.plan().settings.metrics_prefix.as_deref();
    let called = |member: &Member| {
        let meter = member.profile().meter_of(member.profile().modelled(meter)?)?;
        Some(match (prefix, meter.name.strip_prefix("kestra.")) {
            (Some(prefix), Some(rest)) => meter.prometheus_name_of(&format!("{prefix}.{rest}")),
            _ => meter.prometheus_name(),
        })
    };
    let wanted = state.map(State::name);
    let (mut sum, mut name) = (None, None);
    for (index, member) in simulation.members().iter().enumerate() {
        let Some(called) = called(member) else { continue };
        let sum: &mut f64 = sum.get_or_insert(0.0);
        let registry = member.registry().filter(|_| member.port() != Port::Refused);
        if let Some(registry) = registry {
            let selection = Selection::of(Arc::new([called.clone()].into()));
            registry.some_samples(&simulation.look(index), &selection, |sample| {
                let matches = |wanted: &str| sample.labels.iter().any(|(key, is)| key == "state" && is == wanted);
                if wanted.is_none_or(matches) {
                    *sum += sample.value;
                }
            });
        }
        name.get_or_insert(called);
    }
    (sum, name.map(|name| wanted.map_or(name.clone(), |state| format!("{name}{{state=\"{state}\"}}"))))
}
