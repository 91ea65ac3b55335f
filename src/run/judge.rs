//! Judging what a scenario expects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::watch::Watching;
use super::{counted, explain, lives, paged};
use crate::document;
use crate::management::{self, Outcome, Request};
use crate::promql::{Expression, Value};
use crate::report::{AlertLine, Paging, Verdict};
use crate::scenario::{
    AlertExpectation, Bound, Comparison, EventPattern, Expectation, HealthStatus, Plan, Sight, Window,
};
use crate::simulator::{Happening, JournalEntry, Simulation};
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
    pub(super) fn verdicts(
        &self,
        simulation: &Simulation,
        watched: Option<(&Watching, &[AlertLine])>,
        paging: Option<&Paging>,
    ) -> Vec<Verdict> {
        let verdict = |(index, expectation): (usize, &Expectation)| {
            let (met, seen) = match expectation {
                Expectation::Alert(expected) => alert(expected, &self.plan, simulation, watched),
                Expectation::Query { expr, at, is } => query(expr, *at, is, simulation, watched),
                Expectation::Health { members, status, .. } => self.health(index, members, *status),
                Expectation::Event { what, window } => event(what, window, simulation),
                Expectation::Execution { flow, state, window, times } => {
                    counted::executions((*flow, *state), *times, window, simulation)
                }
                Expectation::Page { what, window, times } => paged::judged(what, *times, window, paging),
                Expectation::Notification { what, window, times } => {
                    counted::notifications(what, *times, window, simulation)
                }
            };
            let warning = match (expectation, watched) {
                (Expectation::Alert(expected), Some((watching, _))) => {
                    explain::unknown_label(watching, simulation, &expected.alert, &expected.labels)
                }
                _ => None,
            };
            Verdict { expectation: expectation.sentence(&self.plan), met, seen, warning }
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

/// What a probe of `/health` finds that waits for ten seconds.
fn health(simulation: &Simulation, member: usize) -> HealthStatus {
    let settings = &simulation.plan().settings;
    let mut request = Request::get(&settings.at("/health"), simulation.now());
    if let Some((user, password)) = settings.credentials.both() {
        request.headers.push(("authorization".to_owned(), management::basic_auth(user, password)));
    }
    match management::answer_in_time(&request, simulation, member) {
        Outcome::Refused | Outcome::Reset => HealthStatus::Refused,
        Outcome::Wait(_) | Outcome::Hang => HealthStatus::Hangs,
        // Under a path of its own the status line never tells.
        Outcome::Answer(answer) if answer.status == 200 && !answer.says_down() => HealthStatus::Up,
        Outcome::Answer(_) => HealthStatus::Down,
    }
}

fn event(what: &EventPattern, window: &Window, simulation: &Simulation) -> (Option<bool>, String) {
    let plan = simulation.plan();
    // What the scenario does itself is no answer to it, unless it is asked for by its kind.
    let announces =
        |line: &JournalEntry| matches!(line.what, Happening::FaultBegins { .. } | Happening::FaultEnds { .. });
    let says = |line: &JournalEntry, text: &str| line.text(plan).contains(text);
    let like = |line: &&JournalEntry| match what {
        EventPattern::Text(text) => !announces(line) && says(line, text),
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
    let announced = || match what {
        EventPattern::Text(text) => simulation.journal().iter().find(|line| announces(line) && says(line, text)),
        EventPattern::Kind { .. } => None,
    };
    let seen = match (nearest, announced()) {
        (Some(line), _) => {
            let when = if line.at < window.begin() { "early" } else { "late" };
            format!("nearest is {}, {} too {when}", told(line), window.missed(line.at).rounded())
        }
        (None, Some(line)) => format!(
            "nothing like it happens; {} only tells of a fault (`event: {{ kind: {} }}` asks for that)",
            told(line),
            line.what.kind()
        ),
        (None, None) => "nothing like it".into(),
    };
    (Some(false), seen)
}

fn alert(
    expected: &AlertExpectation,
    plan: &Plan,
    simulation: &Simulation,
    watched: Option<(&Watching, &[AlertLine])>,
) -> (Option<bool>, String) {
    let Some((watching, alerts)) = watched else { return (None, "needs alert rules".into()) };
    // What is expected of no rule is not judged when that is allowed; what is left out of all may be missing then.
    let named = expected.except.iter().filter(|_| !watching.lenient());
    let mut named = named.chain(Some(&expected.alert).filter(|_| !expected.every()));
    if let Some(unknown) = named.find(|name| !watching.knows(name)) {
        let near = document::nearest(unknown, watching.alert_names());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return ((!watching.lenient()).then_some(false), format!("no rule alerts as `{unknown}`{near}"));
    }
    let carries = |line: &AlertLine| expected.labels.iter().all(|label| line.labels.contains(label));
    let since = expected.from.instant().min(Instant::START);
    let about = alerts.iter().filter(|line| expected.is_about(&line.alert) && line.ends_after(since));
    let (ours, others): (Vec<&AlertLine>, Vec<&AlertLine>) = about.partition(|line| carries(line));
    if expected.every() {
        let (met, seen) = nothing_fires(expected, &ours);
        return (Some(met), seen);
    }
    let (met, mut seen) = verdict(expected, &ours);
    if met
        && ours.is_empty()
        && let Some(before) = lives::before_start(watching, &simulation.calendar(), &expected.alert)
    {
        seen = format!("{seen} from the start on; {before}");
    }
    let most = others.iter().find(|line| line.firing.is_some()).or(others.first());
    if let (true, Some(line)) = (ours.is_empty(), most) {
        let does = if line.firing.is_some() { "fires" } else { "is pending" };
        let labels: Vec<String> = line.labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        return (Some(met), format!("never active with these labels; it {does} with {{{}}}", labels.join(", ")));
    }
    if !met && expected.pending.is_some() && watching.never_waits(&expected.alert) {
        seen = format!("{seen}; {} has no `for`: it fires at once and is never pending", expected.alert);
    } else if !met && ours.iter().all(|line| line.firing.is_none()) {
        let end = Instant::START + plan.duration;
        seen = explain::nearest(watching, simulation, &expected.alert, &ours, end);
    }
    (Some(met), seen)
}

/// How a firing stands to the anchor of an expectation.
fn sight(expected: &AlertExpectation, line: &AlertLine) -> Option<Sight> {
    line.firing.map(|firing| expected.from.sees(firing, line.resolved))
}

/// Since when an alert fires, in words.
fn begin(expected: &AlertExpectation, line: &AlertLine) -> String {
    let Some(at) = line.firing else { return String::new() };
    match expected.from.sees(at, line.resolved) {
        Sight::Already => format!("fires since {}, before {}", at.rounded(), expected.from),
        Sight::Begins(_) if at < Instant::START => format!("fires since {}, before the start", at.rounded()),
        _ => format!("fired at {}", at.rounded()),
    }
}

/// Until when, in words.
fn end(line: &AlertLine) -> String {
    line.resolved.map_or(", and still fires".to_owned(), |at| format!(", resolved at {}", at.rounded()))
}

/// That an alert fires, in words; of what fires since before also until when.
fn fires(expected: &AlertExpectation, line: &AlertLine) -> String {
    let since_before = line.firing.is_some_and(|at| at < expected.from.instant().max(Instant::START));
    let ends = since_before && sight(expected, line) != Some(Sight::Over);
    begin(expected, line) + &if ends { end(line) } else { String::new() }
}

/// Names that are told of several alerts.
const NAMED: usize = 5;

/// Whether none of all alerts fires, and which do.
fn nothing_fires(expected: &AlertExpectation, ours: &[&AlertLine]) -> (bool, String) {
    let mut told: Vec<String> = Vec::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for line in ours {
        if matches!(sight(expected, line), Some(Sight::Already | Sight::Begins(_))) && names.insert(&line.alert) {
            told.push(format!("{} {}", line.alert, fires(expected, line)));
        }
    }
    if told.is_empty() {
        return (true, "none fires".to_owned());
    }
    let more = told.len().saturating_sub(NAMED);
    told.truncate(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (false, told.join("; ") + &more)
}

/// Whether an expectation holds for some lives of an alert, and what was seen.
fn verdict(expected: &AlertExpectation, ours: &[&AlertLine]) -> (bool, String) {
    let from = expected.from.instant();
    let mut fired: Vec<(Instant, &AlertLine)> = Vec::new();
    for line in ours {
        if let Some(Sight::Begins(at)) = sight(expected, line) {
            fired.push((at, line));
        }
    }
    fired.sort_by_key(|(at, line)| (*at, line.firing));
    let already = || ours.iter().filter(|line| sight(expected, line) == Some(Sight::Already));
    let over = || ours.iter().filter(|line| sight(expected, line) == Some(Sight::Over));
    let told = |line: &AlertLine| fires(expected, line);
    let latest = over().max_by_key(|line| line.firing);
    let first = fired.first().map(|(_, line)| *line).or(already().next().copied()).or(latest.copied()).map(told);
    let nothing = || match ours.first() {
        Some(line) => format!("only pending, from {}", line.pending.rounded()),
        None => "never active".to_owned(),
    };
    // What began before and still fires then is no silence.
    let on = already().next().copied().or(fired.first().map(|(_, line)| *line));
    if let (true, Some(line)) = (expected.never, on) {
        return (false, told(line));
    }
    let times = fired.len() + already().count();
    if let Some(count) = expected.count
        && times != count as usize
    {
        let since = on.filter(|line| line.firing.is_some_and(|at| at < from.max(Instant::START))).map(told);
        let since = since.map(|since| format!("; it {since}")).unwrap_or_default();
        let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        return (false, format!("fired {times}{since}"));
    }
    if let Some(bound) = &expected.pending
        && !ours.iter().any(|line| waits(expected, line, bound))
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
        let resolves = line.resolved.is_some_and(|resolved| bound.holds(*at, resolved));
        return (resolves, begin(expected, line) + &end(line));
    }
    let seen = hit.map(|(_, line)| told(line)).or(first);
    (true, seen.unwrap_or_else(nothing))
}

/// Whether an alert begins to wait in a bound. What fires at once never waits.
fn waits(expected: &AlertExpectation, line: &AlertLine, bound: &Bound) -> bool {
    let waits = line.firing != Some(line.pending);
    match expected.from.sees(line.pending, line.firing.or(line.resolved)) {
        Sight::Begins(at) => waits && bound.holds(expected.from.instant(), at),
        _ => false,
    }
}

fn query(
    expr: &Expression,
    at: Instant,
    is: &Comparison,
    simulation: &Simulation,
    watched: Option<(&Watching, &[AlertLine])>,
) -> (Option<bool>, String) {
    let Some((watching, _)) = watched else { return (None, "only `test` scrapes, and knows series".into()) };
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
