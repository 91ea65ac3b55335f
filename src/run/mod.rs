//! One run of a plan, in virtual time to its end. Pure: used by the command line and by tests alike.

mod explain;
mod judge;
mod locate;
mod turns;
mod watch;
mod why;

use std::sync::Arc;

use crate::flow::State;
use crate::management::{self, Outcome, Request};
use crate::metrics::Selection;
use crate::monitor::Sink;
use crate::random::Seed;
use crate::report::{AlertLine, Figure, Line, MemberLine, Report};
use crate::scenario::{Expectation, Plan};
use crate::simulator::{LimitReached, Port, Simulation};
use crate::time::{Calendar, Duration, Instant};

pub use explain::{Change, Explanation, PartLine, explain};
pub use watch::{Scraping, Watch};

/// Runs a plan from the birth of its cluster to its `duration`, and judges what the scenario expects. With a watch a
/// Prometheus in virtual time scrapes all members and evaluates rules; without one, alerts are not judged.
///
/// # Errors
/// A limit of the simulation was reached; the run ends at that instant.
pub fn run(plan: &Arc<Plan>, seed: Seed, calendar: Calendar, watch: Option<&Watch>) -> Result<Report, LimitReached> {
    let mut simulation = Simulation::new(plan.clone(), seed, calendar);
    let mut watching = watch.map(|watch| watch::Watching::new(watch, plan, &simulation));
    let end = Instant::START + plan.duration;
    let mut seen = Vec::new();
    for (index, at) in looks(plan, end) {
        watch::advance(&mut simulation, watching.as_mut(), at)?;
        if let Some(Expectation::Health { member, .. }) = plan.expectations.get(index) {
            seen.push((index, at, health(&simulation, *member)));
        }
    }
    watch::advance(&mut simulation, watching.as_mut(), end)?;
    if let Some(watching) = &mut watching {
        watching.evaluate(&calendar, end);
    }
    let alerts = watching.as_ref().map(|watching| watching.alerts(&calendar));
    let expectations = plan.expectations.iter().enumerate().map(|(index, expectation)| {
        let seen: Vec<_> = seen.iter().filter(|(of, ..)| *of == index).map(|(_, at, health)| (*at, *health)).collect();
        judge::judge(expectation, plan, &simulation, &seen, watching.as_ref(), alerts.as_deref())
    });
    Ok(Report {
        scenario: plan.name.clone(),
        summary: plan.summary.clone(),
        seed: seed.0,
        start: calendar.start().to_string(),
        duration: plan.duration,
        timeline: simulation.journal().iter().map(|it| Line { at: it.at, text: it.text.clone() }).collect(),
        closing: closing(&simulation),
        members: simulation.members().iter().map(member_line).collect(),
        expectations: expectations.collect(),
        failed_rules: watching.as_ref().map(watch::Watching::failures).unwrap_or_default(),
        alerts: alerts.map(|alerts| alerts.into_iter().filter(|it| it.ends_after(Instant::START)).collect()),
        events: simulation.events(),
    })
}

/// Runs a plan with a watch that scrapes and evaluates on a grid from the start, with no phase; the life of every alert. What
/// is scraped, as far as rules read it, goes to the sink.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn record(
    plan: &Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    watch: &Watch,
    sink: Option<Box<dyn Sink + Send>>,
) -> Result<Vec<AlertLine>, LimitReached> {
    let mut simulation = Simulation::new(plan.clone(), seed, calendar);
    simulation.advance(Instant::START)?;
    let mut watching = watch::Watching::new(watch, plan, &simulation);
    watching.on_grid();
    sink.into_iter().for_each(|sink| watching.hand_to(sink));
    let end = Instant::START + plan.duration;
    watch::advance(&mut simulation, Some(&mut watching), end)?;
    watching.evaluate(&calendar, end);
    Ok(watching.alerts(&calendar))
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
        // Its name begins as that of the metric does: most are not worth more than a glance.
        let begins =
            |name: &str| name.len() <= meter.len() && meter.bytes().zip(name.bytes()).all(|(a, b)| a == b || a == b'_');
        let has = |member: &crate::simulator::Member| {
            member.profile().meters().any(|(_, it)| begins(&it.name) && it.prometheus_name() == meter)
        };
        if !simulation.members().iter().any(has) {
            return (None, None);
        }
        let renamed = prefix.as_ref().map(|prefix| meter.replacen("kestra", prefix, 1));
        let meter = renamed.as_deref().unwrap_or(meter);
        let wanted = state.map(State::name);
        let selection = Selection::of(Arc::new([meter.to_owned()].into()));
        let mut sum = 0.0;
        for (index, member) in simulation.members().iter().enumerate().filter(|(_, it)| it.port() != Port::Refused) {
            let look = simulation.look(index);
            member.registry().some_samples(&look, &selection, |sample| {
                let matches = |wanted: &str| sample.labels.iter().any(|(key, is)| key == "state" && is == wanted);
                if wanted.is_none_or(matches) {
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
