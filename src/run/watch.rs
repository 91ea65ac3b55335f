//! A Prometheus that watches a run: it scrapes every member on its own grid, and evaluates rule groups on theirs.

use crate::management::{self, Outcome};
use crate::monitor::{Group, Monitor, Rule, Target};
use crate::promql::{Expression, Semantics, Value};
use crate::random::{name_key, noise};
use crate::report::AlertLine;
use crate::scenario::{Expectation, Plan};
use crate::simulator::{LimitReached, Simulation};
use crate::time::{Calendar, Duration, Instant, MILLISECOND};

/// How a run is watched.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The rules.
    pub groups: Vec<Group>,
    /// Which Prometheus they are evaluated as.
    pub semantics: Semantics,
    /// Members are scraped this often.
    pub scrape_interval: Duration,
    /// Groups that say nothing else are evaluated this often.
    pub evaluation_interval: Duration,
    /// An expected alert that no rule knows is a failure.
    pub strict: bool,
}

/// A watch under way.
#[derive(Debug)]
pub(super) struct Watching {
    monitor: Monitor,
    strict: bool,
    /// By target, then by group: when it is its turn next.
    scrapes: Vec<Instant>,
    evaluations: Vec<Instant>,
}

/// How long before the start a Prometheus has watched already, if the cluster is that old.
const BEFORE: Duration = Duration::minutes(10);

impl Watching {
    pub(super) fn new(watch: &Watch, plan: &Plan, simulation: &Simulation) -> Watching {
        let timeout = watch.scrape_interval.min(Duration::seconds(10));
        let targets: Vec<Target> = plan
            .cluster
            .members
            .iter()
            .map(|member| {
                let instance = format!("{}:8081", member.name);
                let labels = [("job", "kestra"), ("instance", instance.as_str()), ("role", member.role.name())];
                Target::new(&labels, watch.scrape_interval, timeout)
            })
            .collect();
        let begin = simulation.born().max(Instant::START.before(BEFORE));
        // Each target and each group has its own place in its interval, as in a real Prometheus.
        let first = |name: &str, interval: Duration| {
            let phase = noise(simulation.seed().0 ^ name_key(name), 0x5c2a);
            let milliseconds = (interval.as_milliseconds() as f64 * phase) as u64;
            begin + Duration::milliseconds(milliseconds)
        };
        let scrapes = plan.cluster.members.iter().map(|member| first(&member.name, watch.scrape_interval)).collect();
        let also: Vec<Expression> = plan
            .expectations
            .iter()
            .filter_map(|expectation| match expectation {
                Expectation::Query { expr, .. } => Expression::parse(expr).ok(),
                _ => None,
            })
            .collect();
        let monitor = Monitor::new(watch.groups.clone(), targets, watch.semantics, watch.evaluation_interval, &also);
        let evaluations = (0..watch.groups.len())
            .map(|group| first(&format!("group {}", watch.groups[group].name), monitor.interval(group)))
            .collect();
        Watching { monitor, strict: watch.strict, scrapes, evaluations }
    }

    /// All turns begin at the start, together.
    pub(super) fn on_grid(&mut self) {
        self.scrapes.fill(Instant::START);
        self.evaluations.fill(Instant::START);
    }

    /// Everything that was scraped and found.
    pub(super) fn record(&self, calendar: &Calendar) -> super::Record {
        let rules = self.monitor.groups().iter().flat_map(|group| &group.rules);
        super::Record {
            series: self.monitor.database().all().to_vec(),
            recorded: rules.filter(|rule| matches!(rule, Rule::Record(_))).map(|rule| rule.name().to_owned()).collect(),
            alerts: self.alerts(calendar),
        }
    }

    pub(super) fn strict(&self) -> bool {
        self.strict
    }

    /// Whether an alert of this name could fire.
    pub(super) fn knows(&self, alert: &str) -> bool {
        let rules = self.monitor.groups().iter().flat_map(|group| &group.rules);
        rules.into_iter().any(|rule| matches!(rule, Rule::Alert(rule) if rule.name == alert))
    }

    pub(super) fn ask(&self, expression: &Expression, calendar: Calendar, at: Instant) -> Result<Value, String> {
        self.monitor.ask(expression, milliseconds(&calendar, at))
    }

    pub(super) fn failures(&self) -> Vec<(String, String)> {
        self.monitor.failures()
    }

    /// The life of every alert, in virtual time.
    pub(super) fn alerts(&self, calendar: &Calendar) -> Vec<AlertLine> {
        let start = calendar.start().as_millisecond();
        let instant = |time: i64| Instant::from_nanoseconds((time - start).saturating_mul(MILLISECOND as i64));
        let line = |(alert, episode): (String, crate::monitor::Episode)| AlertLine {
            labels: episode
                .labels
                .iter()
                .filter(|(key, _)| &**key != "alertname")
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
            alert,
            pending: instant(episode.pending),
            firing: episode.firing.map(instant),
            resolved: episode.resolved.map(instant),
            value: episode.value,
        };
        self.monitor.episodes().into_iter().map(line).collect()
    }

    /// Whose turn is next: the instant, whether it is a scrape, and of which target or group.
    fn next(&self) -> Option<(Instant, bool, usize)> {
        let turns = |of: &[Instant], scrape: bool| {
            let next = of.iter().enumerate().min_by_key(|(_, at)| **at);
            next.map(|(index, at)| (*at, scrape, index))
        };
        let (scrape, evaluation) = (turns(&self.scrapes, true), turns(&self.evaluations, false));
        match (scrape, evaluation) {
            // What is scraped at an instant is seen by an evaluation at it.
            (Some(scrape), Some(evaluation)) => Some(if scrape.0 <= evaluation.0 { scrape } else { evaluation }),
            (scrape, evaluation) => scrape.or(evaluation),
        }
    }

    fn scrape(&mut self, simulation: &Simulation, member: usize) {
        let now = simulation.now();
        let time = milliseconds(&simulation.calendar(), now);
        let target = &self.monitor.targets()[member];
        let (interval, timeout) = (target.interval, target.timeout);
        self.scrapes[member] = now + interval;
        match management::reachable(simulation, member) {
            Ok(it) => {
                let look = simulation.look(member);
                let wanted = self.monitor.wanted().cloned();
                let mut scrape = self.monitor.scrape(member, time);
                let wants = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
                let all = it.registry().some_samples(&look, wants, |sample| {
                    scrape.sample(sample.name, sample.labels, sample.le, sample.value);
                });
                scrape.end(Some(all), Duration::milliseconds(12));
            }
            // A refused or reset connection fails at once, one without an answer when the time is over.
            Err(Outcome::Wait(_) | Outcome::Hang) => self.monitor.scrape_failed(member, time, timeout),
            Err(_) => self.monitor.scrape_failed(member, time, Duration::milliseconds(1)),
        }
    }

    fn evaluate(&mut self, simulation: &Simulation, group: usize) {
        let now = simulation.now();
        self.evaluations[group] = now + self.monitor.interval(group);
        self.monitor.evaluate(group, milliseconds(&simulation.calendar(), now));
    }
}

fn milliseconds(calendar: &Calendar, at: Instant) -> i64 {
    calendar.start().as_millisecond() + at.as_nanoseconds().div_euclid(MILLISECOND as i64)
}

/// Moves a simulation to an instant; whoever watches gets their turns on the way.
pub(super) fn advance(
    simulation: &mut Simulation,
    watching: Option<&mut Watching>,
    to: Instant,
) -> Result<(), LimitReached> {
    if let Some(watching) = watching {
        while let Some((at, scrape, index)) = watching.next()
            && at <= to
        {
            simulation.advance(at)?;
            match scrape {
                true => watching.scrape(simulation, index),
                false => watching.evaluate(simulation, index),
            }
        }
    }
    simulation.advance(to)
}
