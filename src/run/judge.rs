//! Judging what a scenario expects.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::explain;
use super::watch::Watching;
use crate::management::{self, Outcome, Request};
use crate::promql::{Expression, Value};
use crate::report::{AlertLine, Verdict};
use crate::scenario::{AlertExpectation, Comparison, EventPattern, Expectation, HealthStatus, Plan, Window};
use crate::simulator::{JournalEntry, Simulation};
use crate::time::Instant;

/// A judge of one run: it says when it must look at the members, and at the end what became of each expectation.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    plan: Arc<Plan>,
    /// When to look, and for which expectation: the next one last.
    looks: Vec<(Instant, usize)>,
    /// By expectation.
    seen: BTreeMap<usize, Seen>,
}

/// What the looks for one expectation have found.
#[derive(Clone, Debug)]
struct Seen {
    /// When all members first had the status.
    met: Option<Instant>,
    /// The last look before that, and what each member answered.
    last: (Instant, Vec<HealthStatus>),
}

impl Judge {
    pub(super) fn new(plan: &Arc<Plan>) -> Judge {
        let end = Instant::START + plan.duration;
        let mut looks = Vec::new();
        for (index, expectation) in plan.expectations.iter().enumerate() {
            if let Expectation::Health { window, .. } = expectation {
                looks.extend(window.seconds().take_while(|at| *at <= end).map(|at| (at, index)));
            }
        }
        looks.sort_by(|a, b| b.cmp(a));
        Judge { plan: plan.clone(), looks, seen: BTreeMap::new() }
    }

    /// The instant of the next look.
    pub(super) fn next(&self) -> Option<Instant> {
        self.looks.last().map(|(at, _)| *at)
    }

    /// Looks at what the next look is for: the simulation has been moved to its instant.
    pub(super) fn look(&mut self, simulation: &Simulation) {
        let Some((at, index)) = self.looks.pop() else { return };
        let Some(Expectation::Health { members, status, .. }) = self.plan.expectations.get(index) else { return };
        if self.seen.get(&index).is_some_and(|seen| seen.met.is_some()) {
            return;
        }
        let answers: Vec<HealthStatus> = members.iter().map(|member| health(simulation, *member)).collect();
        let met = answers.iter().all(|answer| answer == status).then_some(at);
        self.seen.insert(index, Seen { met, last: (at, answers) });
    }

    /// What became of each expectation, in their order. Alerts and queries need a watch and the life of every alert.
    pub(super) fn verdicts(&self, simulation: &Simulation, watched: Option<(&Watching, &[AlertLine])>) -> Vec<Verdict> {
        let verdict = |(index, expectation): (usize, &Expectation)| {
            let (met, seen) = match expectation {
                Expectation::Alert(expected) => alert(expected, &self.plan, simulation, watched),
                Expectation::Query { expr, at, is } => query(expr, *at, is, simulation, watched),
                Expectation::Health { members, status, .. } => self.health(index, members, *status),
                Expectation::Event { what, window } => event(what, window, simulation),
            };
            Verdict { expectation: expectation.sentence(&self.plan), met, seen }
        };
        self.plan.expectations.iter().enumerate().map(verdict).collect()
    }

    fn health(&self, index: usize, members: &[usize], status: HealthStatus) -> (Option<bool>, String) {
        let Some(Seen { met, last: (at, answers) }) = self.seen.get(&index) else {
            return (Some(false), "not in the time of the run".into());
        };
        if let Some(at) = met {
            return (Some(true), format!("{} at {}", status.name(), at.rounded()));
        }
        let still = |(member, answer): (&usize, &HealthStatus)| {
            let name = self.plan.cluster.members.get(*member).map_or("", |it| it.name.as_str());
            let name = if members.len() == 1 { String::new() } else { format!("{name} ") };
            (*answer != status).then(|| format!("{name}still {}", answer.name()))
        };
        let still: Vec<String> = members.iter().zip(answers).filter_map(still).collect();
        (Some(false), format!("{} at {}", still.join(", "), at.rounded()))
    }
}

/// What a probe of `/health` finds.
fn health(simulation: &Simulation, member: usize) -> HealthStatus {
    let settings = &simulation.plan().settings;
    let mut request = Request::get(&settings.at("/health"), simulation.now());
    if let Some((user, password)) = settings.credentials.both() {
        request.headers.push(("authorization".to_owned(), management::basic_auth(user, password)));
    }
    match management::answer(&request, simulation, member) {
        Outcome::Refused | Outcome::Reset => HealthStatus::Refused,
        Outcome::Wait(_) | Outcome::Hang => HealthStatus::Hangs,
        // Under a path of its own the status line never tells.
        Outcome::Answer(answer) if answer.status == 200 && !answer.says_down() => HealthStatus::Up,
        Outcome::Answer(_) => HealthStatus::Down,
    }
}

fn event(what: &EventPattern, window: &Window, simulation: &Simulation) -> (Option<bool>, String) {
    let plan = simulation.plan();
    let like = |line: &&JournalEntry| match what {
        EventPattern::Text(text) => line.text(plan).contains(text.as_str()),
        EventPattern::Kind { kind, members } => {
            let whom = line.what.member().is_some_and(|member| members.contains(&member));
            line.what.kind() == *kind && (members.is_empty() || whom)
        }
    };
    let told = |line: &JournalEntry| format!("\"{}\" at {}", line.text(plan), line.at.rounded());
    if let Some(hit) = simulation.journal().iter().filter(like).find(|line| window.holds(line.at)) {
        return (Some(true), told(hit));
    }
    let nearest = simulation.journal().iter().filter(like).min_by_key(|line| window.missed(line.at).as_nanoseconds());
    let seen = nearest.map_or("nothing like it".into(), |line| {
        let when = if line.at < window.begin() { "early" } else { "late" };
        format!("nearest is {}, {} too {when}", told(line), window.missed(line.at).rounded())
    });
    (Some(false), seen)
}

fn alert(
    expected: &AlertExpectation,
    plan: &Plan,
    simulation: &Simulation,
    watched: Option<(&Watching, &[AlertLine])>,
) -> (Option<bool>, String) {
    let Some((watching, alerts)) = watched else { return (None, "needs alert rules".into()) };
    if !watching.knows(&expected.alert) {
        return (watching.strict().then_some(false), "no rule of this name".into());
    }
    let carries = |line: &AlertLine| expected.labels.iter().all(|label| line.labels.contains(label));
    let ours: Vec<&AlertLine> = alerts.iter().filter(|line| line.alert == expected.alert && carries(line)).collect();
    let (met, mut seen) = verdict(expected, &ours);
    if !met && ours.iter().all(|line| line.firing.is_none()) {
        let end = Instant::START + plan.duration;
        seen = explain::nearest(watching, simulation, &expected.alert, &ours, end);
    }
    (Some(met), seen)
}

/// Whether an expectation holds for some lives of an alert, and what was seen.
fn verdict(expected: &AlertExpectation, ours: &[&AlertLine]) -> (bool, String) {
    let from = expected.from.instant();
    let mut fired: Vec<(Instant, &AlertLine)> =
        ours.iter().filter_map(|line| Some((line.firing.filter(|at| *at >= from)?, *line))).collect();
    fired.sort_by_key(|(at, _)| *at);
    let fired_at = |at: Instant| format!("fired at {}", at.rounded());
    let earlier = ours.iter().filter_map(|line| line.firing).filter(|at| *at < from).max();
    let first = fired.first().map(|(at, _)| *at).or(earlier).map(fired_at);
    let nothing = || match ours.first() {
        Some(line) => format!("only pending, from {}", line.pending.rounded()),
        None => "never active".to_owned(),
    };
    // What began before and still fires then is no silence.
    let fires_on = |line: &&&AlertLine| {
        line.firing.is_some_and(|at| at < from) && line.resolved.is_none_or(|resolved| resolved > from)
    };
    if let (true, Some(line)) = (expected.never, ours.iter().find(fires_on)) {
        return (false, line.firing.map(fired_at).unwrap_or_default() + ", and still fires");
    }
    if expected.never && !fired.is_empty() {
        return (false, first.unwrap_or_default());
    }
    if let Some(count) = expected.count
        && fired.len() != count as usize
    {
        return (false, format!("fired {} times", fired.len()));
    }
    if let Some(bound) = &expected.pending
        && !ours.iter().any(|line| line.firing != Some(line.pending) && bound.holds(from, line.pending))
    {
        return (false, ours.first().map_or_else(nothing, |line| format!("active from {}", line.pending.rounded())));
    }
    let hit = match &expected.fires {
        Some(bound) => fired.iter().find(|(at, _)| bound.holds(from, *at)),
        None => fired.first(),
    };
    if expected.fires.is_some() && hit.is_none() {
        return (false, first.unwrap_or_else(nothing));
    }
    if let Some(bound) = &expected.resolves {
        let Some((at, line)) = hit else { return (false, first.unwrap_or_else(nothing)) };
        return match line.resolved {
            None => (false, format!("{}, and still fires", fired_at(*at))),
            Some(resolved) => {
                (bound.holds(*at, resolved), format!("{}, resolved at {}", fired_at(*at), resolved.rounded()))
            }
        };
    }
    let seen = hit.map(|(at, _)| fired_at(*at)).or(first);
    (true, seen.unwrap_or_else(nothing))
}

fn query(
    expr: &Expression,
    at: Instant,
    is: &Comparison,
    simulation: &Simulation,
    watched: Option<(&Watching, &[AlertLine])>,
) -> (Option<bool>, String) {
    let Some((watching, _)) = watched else { return (None, "needs a watch: see the command test".into()) };
    let ask = |expression: &Expression| watching.ask(expression, simulation.calendar(), at);
    let (values, than): (Vec<f64>, f64) = match (ask(expr), ask(&is.than)) {
        (Ok(Value::Vector(all)), Ok(Value::Scalar(than))) => (all.iter().map(|(_, value)| *value).collect(), than),
        (Ok(Value::Scalar(value)), Ok(Value::Scalar(than))) => (vec![value], than),
        (Err(why), _) | (_, Err(why)) => return (Some(false), why),
        _ => return (Some(false), "neither a number nor a vector".into()),
    };
    let (fit, unfit): (Vec<f64>, Vec<f64>) = values.into_iter().partition(|value| is.operator.holds(*value, than));
    let met = unfit.is_empty() && !fit.is_empty();
    let shown: Vec<String> = if met { &fit } else { &unfit }.iter().take(5).map(f64::to_string).collect();
    let mut seen = if shown.is_empty() { "no series".to_owned() } else { shown.join(", ") };
    if !met && !fit.is_empty() {
        seen += &format!(" ({} of {} series fit)", fit.len(), fit.len() + unfit.len());
    }
    (Some(met), seen)
}
