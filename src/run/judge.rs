//! Judging what a scenario expects.

use super::explain;
use super::watch::Watching;
use crate::promql::{Expression, Value};
use crate::report::{AlertLine, Verdict};
use crate::scenario::{AlertExpectation, Bound, Expectation, Plan};
use crate::simulator::Simulation;
use crate::time::{Duration, Instant};

pub(super) fn judge(
    expectation: &Expectation,
    plan: &Plan,
    simulation: &Simulation,
    seen: &[(Instant, &str)],
    watching: Option<&Watching>,
    alerts: Option<&[AlertLine]>,
) -> Verdict {
    let span = |within: &Option<Duration>| within.map(|within| format!(" within {within}")).unwrap_or_default();
    match expectation {
        Expectation::Alert(expected) => alert(expected, plan, simulation, watching, alerts),
        Expectation::Query { expr, at, comparison } => query(expr, *at, comparison, simulation, watching),
        Expectation::Health { member, status, at, within } => {
            let name = plan.cluster.members.get(*member).map_or("", |member| member.name.as_str());
            let hit = seen.iter().find(|(_, found)| found.eq_ignore_ascii_case(status));
            Verdict {
                expectation: format!("health of {name} is {status} at {at}{}", span(within)),
                met: Some(hit.is_some()),
                seen: match (hit, seen.last()) {
                    (Some((at, found)), _) => format!("{found} at {}", at.rounded()),
                    (None, Some((at, found))) => format!("still {found} at {}", at.rounded()),
                    (None, None) => "not in the time of the run".into(),
                },
            }
        }
        Expectation::Event { text, at, within } => {
            let from = at.unwrap_or(Instant::from_nanoseconds(i64::MIN));
            let until = within.map_or(Instant::NEVER, |within| from + within);
            let hit = simulation
                .journal()
                .iter()
                .find(|line| line.at >= from && line.at <= until && line.text.contains(text.as_str()));
            let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
            Verdict {
                expectation: format!("event \"{text}\"{at}{}", span(within)),
                met: Some(hit.is_some()),
                seen: hit
                    .map_or("nothing like it".into(), |line| format!("\"{}\" at {}", line.text, line.at.rounded())),
            }
        }
    }
}

/// A bound in words.
fn words(what: &str, bound: &Bound) -> String {
    let after = bound.after.map(|after| format!(" after {after}")).unwrap_or_default();
    let within = bound.within.map(|within| format!(" within {within}")).unwrap_or_default();
    format!(" {what}{after}{within}")
}

/// Whether an instant lies in a bound that counts from `from`.
fn fits(at: Instant, from: Instant, bound: &Bound) -> bool {
    let begin = from + bound.after.unwrap_or(Duration::ZERO);
    at >= begin && bound.within.is_none_or(|within| at <= begin + within)
}

fn alert(
    expected: &AlertExpectation,
    plan: &Plan,
    simulation: &Simulation,
    watching: Option<&Watching>,
    alerts: Option<&[AlertLine]>,
) -> Verdict {
    let mut expectation = format!("alert {}", expected.alert);
    for (key, value) in &expected.labels {
        expectation += &format!(" {key}=\"{value}\"");
    }
    if let Some(of) = &expected.of {
        expectation += &format!(" (counted from {of})");
    }
    for (what, bound) in [("pending", &expected.pending), ("fires", &expected.fires), ("resolves", &expected.resolves)]
    {
        expectation += &bound.as_ref().map(|bound| words(what, bound)).unwrap_or_default();
    }
    if expected.never {
        expectation += " never";
    }
    if let Some(count) = expected.count {
        expectation += &format!(" {count} times");
    }
    let not_judged = |seen: String| Verdict { expectation: expectation.clone(), met: None, seen };
    let (Some(watching), Some(alerts)) = (watching, alerts) else { return not_judged("needs alert rules".into()) };
    if !watching.knows(&expected.alert) {
        let seen = "no rule of this name".to_owned();
        return if watching.strict() { Verdict { expectation, met: Some(false), seen } } else { not_judged(seen) };
    }
    // Times count from the fault that is named, or from the start.
    let of = expected.of.as_ref().and_then(|name| plan.timeline.iter().find(|entry| entry.name == *name));
    let from = of.map_or(Instant::START, |entry| entry.at);
    let carries = |line: &AlertLine| expected.labels.iter().all(|label| line.labels.contains(label));
    let ours: Vec<&AlertLine> = alerts.iter().filter(|line| line.alert == expected.alert && carries(line)).collect();
    let fired: Vec<(Instant, &AlertLine)> =
        ours.iter().filter_map(|line| Some((line.firing.filter(|at| *at >= Instant::START)?, *line))).collect();
    let (met, mut seen) = verdict(expected, from, &ours, &fired);
    if !met && fired.is_empty() {
        let end = Instant::START + plan.duration;
        seen = explain::nearest(watching, &expected.alert, &ours, &simulation.calendar(), end);
    }
    Verdict { expectation, met: Some(met), seen }
}

/// Whether an expectation holds for some lives of an alert, and what was seen.
fn verdict(
    expected: &AlertExpectation,
    from: Instant,
    ours: &[&AlertLine],
    fired: &[(Instant, &AlertLine)],
) -> (bool, String) {
    let first = fired.first().map(|(at, _)| format!("fired at {}", at.rounded()));
    let nothing = || match ours.first() {
        Some(line) => format!("only pending, from {}", line.pending.rounded()),
        None => "never active".to_owned(),
    };
    if expected.never && !fired.is_empty() {
        return (false, first.unwrap_or_default());
    }
    if let Some(count) = expected.count
        && fired.len() != count as usize
    {
        return (false, format!("fired {} times", fired.len()));
    }
    if let Some(bound) = &expected.pending
        && !ours.iter().any(|line| line.firing != Some(line.pending) && fits(line.pending, from, bound))
    {
        return (false, ours.first().map_or_else(nothing, |line| format!("active from {}", line.pending.rounded())));
    }
    let hit = match &expected.fires {
        Some(bound) => fired.iter().find(|(at, _)| fits(*at, from, bound)),
        None => fired.first(),
    };
    if expected.fires.is_some() && hit.is_none() {
        return (false, first.unwrap_or_else(nothing));
    }
    if let Some(bound) = &expected.resolves {
        let Some((at, line)) = hit else { return (false, nothing()) };
        // Counted from when it fired.
        match line.resolved {
            Some(resolved) if fits(resolved, *at, bound) => {}
            Some(resolved) => {
                return (false, format!("fired at {}, resolved at {}", at.rounded(), resolved.rounded()));
            }
            None => return (false, format!("fired at {}, and still fires", at.rounded())),
        }
        let resolved = line.resolved.map(|at| format!(", resolved at {}", at.rounded())).unwrap_or_default();
        return (true, format!("fired at {}{resolved}", at.rounded()));
    }
    let seen = hit.map(|(at, _)| format!("fired at {}", at.rounded())).or(first);
    (true, seen.unwrap_or_else(nothing))
}

fn query(expr: &str, at: Instant, comparison: &str, simulation: &Simulation, watching: Option<&Watching>) -> Verdict {
    let expectation = format!("{expr} {comparison} at {at}");
    let Some(watching) = watching else {
        return Verdict { expectation, met: None, seen: "needs a watch: see the command test".into() };
    };
    // The comparison is PromQL as well: what it filters away does not fit.
    let whole = Expression::parse(&format!("({expr}) {comparison}"));
    let bare = Expression::parse(expr);
    let (met, seen) = match (whole, bare) {
        (Ok(whole), Ok(bare)) => {
            let ask = |expression: &Expression| watching.ask(expression, simulation.calendar(), at);
            match (ask(&whole), ask(&bare)) {
                (Ok(Value::Vector(fits)), Ok(Value::Vector(all))) => {
                    let values: Vec<String> = all.iter().take(5).map(|(_, value)| value.to_string()).collect();
                    let seen = if values.is_empty() { "no series".to_owned() } else { values.join(", ") };
                    (!all.is_empty() && fits.len() == all.len(), seen)
                }
                (Ok(Value::Scalar(fits)), Ok(Value::Scalar(value))) => (fits != 0.0, value.to_string()),
                (Err(why), _) | (_, Err(why)) => (false, why),
                _ => (false, "neither a number nor a vector".into()),
            }
        }
        (Err(why), _) | (_, Err(why)) => (false, why.to_string()),
    };
    Verdict { expectation, met: Some(met), seen }
}
