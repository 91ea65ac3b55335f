//! Autoscaling, as KEDA's Prometheus scaler and the Horizontal Pod Autoscaler do it together: KEDA asks its query each
//! `polling` and starts the first member, or stops the last one `cooldown` after there was something to do; between one
//! and the most the autoscaler of Kubernetes decides each 15 seconds.
//!
//! From their sources (`prometheus_scaler.go` and `scale_scaledobjects.go` of KEDA 2, `horizontal.go` and
//! `replica_calculator.go` of Kubernetes 1.33), with what they do when nothing is said: type of metric `AverageValue`,
//! `ignoreNullValues`, no `behavior`, a tolerance of a tenth, 5 minutes of stabilization before it goes down.

use std::collections::VecDeque;

use super::known::{Known, Names};
use super::watch::{Watch, Watching};
use crate::profile::Role;
use crate::promql::{Grid, PartKind, Value};
use crate::scenario::{Amount, Autoscale, Fault, FaultKind, Plan, Target, TimelineEntry};
use crate::simulator::{Member, Simulation};
use crate::time::{Calendar, Duration, Instant};

/// How often the autoscaler of Kubernetes decides (`--horizontal-pod-autoscaler-sync-period`).
const SYNC: Duration = Duration::seconds(15);
/// What was recommended in this time keeps the number of members up.
const STABILIZATION: Duration = Duration::seconds(300);
/// The metric may be so far from what it should be.
const TOLERANCE: f64 = 0.1;
/// At one time it goes up to so many times as many, or to so many.
const UP: (u32, u32) = (2, 4);

/// The autoscalers of a plan.
#[derive(Debug)]
pub(super) struct Scaling {
    all: Vec<Autoscaler>,
    /// Whom they ask when nobody else watches.
    pub(super) prometheus: Option<Watching>,
}

/// One autoscaler.
#[derive(Clone, Debug)]
struct Autoscaler {
    of: Autoscale,
    next_poll: Instant,
    next_sync: Instant,
    /// When something was to do last, as KEDA saw it.
    active: Option<Instant>,
    /// What was recommended in the last minutes, and when.
    recommended: VecDeque<(Instant, u32)>,
}

impl Scaling {
    /// Those of a plan, if it has any.
    pub(super) fn of(plan: &Plan, simulation: &Simulation) -> Option<Scaling> {
        let all: Vec<Autoscaler> = plan.autoscale.iter().cloned().map(Autoscaler::new).collect();
        (!all.is_empty()).then(|| Scaling { all, prometheus: Some(own(plan, simulation)) })
    }

    /// Others that go their own way from here on.
    pub(super) fn twin(&self) -> Scaling {
        Scaling { all: self.all.clone(), prometheus: self.prometheus.as_ref().map(Watching::twin) }
    }

    /// When one of them has its turn next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.all.iter().map(Autoscaler::next).min()
    }

    /// The turns of an instant: the roles that get another number of members.
    pub(super) fn turns(
        &mut self,
        simulation: &Simulation,
        watching: Option<&Watching>,
        calendar: Calendar,
    ) -> Vec<TimelineEntry> {
        let now = simulation.now();
        let Some(prometheus) = watching.or(self.prometheus.as_ref()) else { return Vec::new() };
        let mut entries = Vec::new();
        for it in self.all.iter_mut().filter(|it| it.next() <= now) {
            let role = it.of.role;
            let value = value(prometheus.ask(&it.of.query, calendar, now));
            let members = simulation.members().iter().filter(|member| member.role() == role);
            let there = members.filter(|member| Member::belongs(member)).count() as u32;
            entries.extend(it.turn(now, value, there).map(|to| entry(role, to, now)));
        }
        entries
    }
}

/// Queries of autoscalers that read what nobody shows, in words: such a query is nothing, of which KEDA makes 0.
pub(super) fn unread(
    plan: &Plan,
    scaling: Option<&Scaling>,
    watching: Option<&Watching>,
    simulation: &Simulation,
) -> Vec<String> {
    let Some(scaling) = scaling else { return Vec::new() };
    let Some(prometheus) = watching.or(scaling.prometheus.as_ref()).filter(|it| it.has_targets()) else {
        return Vec::new();
    };
    let now = simulation.calendar().date(simulation.now()).as_millisecond();
    let names = Names::of_run(simulation, prometheus, Grid::instant(now));
    let mut told = Vec::new();
    for it in &plan.autoscale {
        let mut parts = vec![it.query.outline()];
        while let Some(part) = parts.pop() {
            parts.extend(part.parts);
            let PartKind::Selector { name: Some(name), .. } = part.kind else { continue };
            match names.of(&name) {
                // What comes with an event is nothing until then, and 0 is right.
                Known::There | Known::NotRaised(_) => {}
                Known::NoMember(_, roles) if plan.cluster.members.iter().any(|it| roles.contains(&it.role)) => {}
                known => {
                    let sign = if matches!(known, Known::Unknown(Some(_))) { ';' } else { ':' };
                    let of = format!("the query that scales {} reads what nobody shows", it.role.name());
                    told.push(format!("{of}: there is no series called `{name}`{sign} {known}"));
                }
            }
        }
    }
    told
}

/// A Prometheus that has no rules.
fn own(plan: &Plan, simulation: &Simulation) -> Watching {
    let mut watching = Watching::new(&Watch::default(), plan, simulation);
    // What the scenario expects it is not asked.
    watching.kept = reach(plan).map(|reach| Duration::milliseconds(reach.unsigned_abs()));
    watching
}

fn entry(role: Role, to: u32, at: Instant) -> TimelineEntry {
    let fault = Fault { kind: FaultKind::Scale, target: Target::Role(role), amount: Amount::Members(to) };
    TimelineEntry { name: name(role), at, fault, lasts: None, every: None, until: None }
}

/// What an autoscaler calls the number that it sets.
fn name(role: Role) -> String {
    format!("autoscale-{}", role.name())
}

/// Whether a fault is called as those of an autoscaler are.
pub(super) fn is_autoscaled(plan: &Plan, called: &str) -> bool {
    plan.autoscale.iter().any(|it| name(it.role) == called)
}

/// How far back the queries of all autoscalers look, in milliseconds; none when there is no bound.
pub(super) fn reach(plan: &Plan) -> Option<i64> {
    /// The step of subqueries that name none.
    const SUBQUERIES: i64 = 60_000;
    let reach = plan.autoscale.iter().map(|it| it.query.reach(SUBQUERIES));
    reach.into_iter().try_fold(0, |most, reach| Some(most.max(reach?)))
}

/// What KEDA makes of an answer: nothing, and what is infinite, is 0; of several elements, and of what is no number, it makes
/// nothing.
fn value(answer: Result<Value, String>) -> Option<f64> {
    let value = match answer.ok()? {
        Value::Vector(elements) => match elements.as_slice() {
            [] => 0.0,
            [(_, value)] => *value,
            _ => return None,
        },
        Value::Scalar(_) | Value::Text(_) => return None,
    };
    (!value.is_nan()).then_some(if value.is_infinite() { 0.0 } else { value })
}

impl Autoscaler {
    fn new(of: Autoscale) -> Autoscaler {
        let (next_poll, next_sync) = (Instant::START, Instant::START + SYNC);
        Autoscaler { of, next_poll, next_sync, active: None, recommended: VecDeque::new() }
    }

    fn next(&self) -> Instant {
        self.next_poll.min(self.next_sync)
    }

    /// What is due at an instant: the number of members there should be, when it is another one.
    fn turn(&mut self, now: Instant, value: Option<f64>, there: u32) -> Option<u32> {
        let mut wanted = there;
        if self.next_poll <= now {
            self.next_poll = now + self.of.polling;
            wanted = value.and_then(|value| self.polls(now, value, wanted)).unwrap_or(wanted);
        }
        if self.next_sync <= now {
            self.next_sync = now + SYNC;
            wanted = self.decides(now, value, wanted).unwrap_or(wanted);
        }
        (wanted != there).then_some(wanted)
    }

    /// KEDA: the first member, and the last one.
    fn polls(&mut self, now: Instant, value: f64, there: u32) -> Option<u32> {
        let Autoscale { activation, min, cooldown, .. } = self.of;
        if value > activation {
            self.active = Some(now);
            return (there == 0).then_some(min.max(1));
        }
        if there > 0 && min == 0 {
            let cold = self.active.is_none_or(|active| active + cooldown < now);
            return cold.then_some(0);
        }
        (there < min).then_some(min)
    }

    /// The autoscaler of Kubernetes. One that is scaled to none rests.
    fn decides(&mut self, now: Instant, value: Option<f64>, there: u32) -> Option<u32> {
        let (least, most) = (self.of.min.max(1), self.of.max);
        if there == 0 {
            return None;
        }
        if there > most || there < least {
            return Some(there.clamp(least, most.max(least)));
        }
        let recommended = recommendation(value?, self.of.threshold, there);
        if self.recommended.is_empty() {
            self.recommended.push_back((now, there));
        }
        while self.recommended.front().is_some_and(|(at, _)| *at + STABILIZATION < now) {
            self.recommended.pop_front();
        }
        self.recommended.push_back((now, recommended));
        let stable = self.recommended.iter().map(|(_, count)| *count).max().unwrap_or(recommended);
        let limit = most.min(there.saturating_mul(UP.0).max(UP.1));
        Some(stable.clamp(least, limit.max(least)))
    }
}

/// As many members as it takes for each to have the threshold; as many as there are when they are nearly right. Kubernetes
/// reckons in thousandths.
fn recommendation(value: f64, threshold: f64, there: u32) -> u32 {
    let (usage, target) = ((value * 1000.0) as i64, (threshold * 1000.0) as i64);
    let ratio = usage as f64 / (target as f64 * f64::from(there));
    if (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio) {
        return there;
    }
    // What is below nothing, or more than there can be, is brought into its bounds.
    f64::ceil(usage as f64 / target as f64) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::promql::Expression;

    fn autoscale(min: u32, max: u32, threshold: f64) -> Autoscale {
        Autoscale {
            role: Role::Worker,
            query: Expression::parse("vector(1)").expect("PromQL"),
            threshold,
            activation: 0.0,
            min,
            max,
            polling: Duration::seconds(30),
            cooldown: Duration::seconds(300),
        }
    }

    /// The numbers of members over a load curve: a value each 15 seconds.
    fn curve(of: &Autoscale, begin: u32, values: &[f64]) -> Vec<u32> {
        let mut it = Autoscaler::new(of.clone());
        let mut there = begin;
        let mut counts = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let now = Instant::START + SYNC.times(index as f64);
            there = it.turn(now, Some(*value), there).unwrap_or(there);
            counts.push(there);
        }
        counts
    }

    /// The same read anew from the published descriptions, of the whole curve at once and without any state but the counts:
    /// the documentation of the Horizontal Pod Autoscaler ("ceil(current metric / desired metric)", the tolerance, the
    /// stabilization of 300 s over all recommendations, at most double or 4) and of KEDA (polling, cooldown, minimum).
    fn brute_force(of: &Autoscale, begin: u32, values: &[f64]) -> Vec<u32> {
        let mut counts: Vec<u32> = Vec::new();
        // By index: what was recommended there, and the count before.
        let mut recommendations: Vec<Option<u32>> = vec![None; values.len()];
        let mut first: Option<(usize, u32)> = None;
        for index in 0..values.len() {
            let mut count = counts.last().copied().unwrap_or(begin);
            let value = values[index];
            // KEDA polls at each second value.
            if index % 2 == 0 {
                let was_active = (0..=index).rev().find(|at| at % 2 == 0 && values[*at] > of.activation);
                match value > of.activation {
                    true if count == 0 => count = of.min.max(1),
                    true => {}
                    false if of.min == 0 && count > 0 => {
                        if was_active.is_none_or(|at| (index - at) * 15 > 300) {
                            count = 0;
                        }
                    }
                    false => count = count.max(of.min),
                }
            }
            if index > 0 && count > 0 {
                let least = of.min.max(1);
                if count > of.max {
                    count = of.max;
                } else if count < least {
                    count = least;
                } else {
                    first = first.or(Some((index, count)));
                    // Values and thresholds of the test are whole: a tenth more or less is one exactly.
                    let fitting = of.threshold * f64::from(count);
                    let near = (value - fitting).abs() * 10.0 <= fitting;
                    let wanted = if near { count } else { (value / of.threshold).ceil().max(0.0) as u32 };
                    recommendations[index] = Some(wanted);
                    let back = index.saturating_sub(20);
                    let window = recommendations[back..=index].iter().flatten().copied();
                    let begun = first.filter(|(at, _)| *at >= back).map(|(_, count)| count);
                    let highest = window.chain(begun).max().unwrap();
                    let fastest = (2 * count).max(4);
                    count = highest.min(fastest).min(of.max).max(least);
                }
            }
            counts.push(count);
        }
        counts
    }

    #[test]
    fn it_goes_up_at_most_twofold_and_down_after_five_minutes() {
        let mut values = vec![100.0; 6];
        values.extend(vec![10.0; 30]);
        let counts = curve(&autoscale(1, 40, 5.0), 2, &values);
        assert_eq!(counts[..6], [2, 4, 8, 16, 20, 20], "{counts:?}");
        // The last that asked for twenty was the sixth; for 20 turns it still counts.
        assert_eq!((counts[25], counts[26]), (20, 2), "{counts:?}");
    }

    #[test]
    fn the_last_member_goes_when_there_was_nothing_to_do_for_the_cooldown() {
        let mut values = vec![0.0, 0.0, 7.0, 7.0, 7.0];
        values.extend(vec![0.0; 60]);
        let counts = curve(&autoscale(0, 10, 5.0), 0, &values);
        assert_eq!(counts[..4], [0, 0, 2, 2], "{counts:?}");
        // Active last at the fifth value: 300 s later is not long enough, the next poll is.
        assert_eq!((counts[25], counts[26]), (1, 0), "{counts:?}");
    }

    #[test]
    fn answers_are_read_as_keda_reads_them() {
        let element = |value: f64| (crate::promql::Labels::from(Vec::new()), value);
        for (answer, expected) in [
            (Ok(Value::Vector(vec![])), Some(0.0)),
            (Ok(Value::Vector(vec![element(3.5)])), Some(3.5)),
            (Ok(Value::Vector(vec![element(f64::INFINITY)])), Some(0.0)),
            (Ok(Value::Vector(vec![element(f64::NAN)])), None),
            (Ok(Value::Vector(vec![element(1.0), element(2.0)])), None),
            (Ok(Value::Scalar(1.0)), None),
            (Err("no".to_owned()), None),
        ] {
            assert_eq!(value(answer.clone()), expected, "{answer:?}");
        }
    }

    #[test]
    fn the_autoscaler_is_kept_within_its_bounds_and_nearly_right_is_right() {
        assert_eq!(curve(&autoscale(2, 5, 10.0), 9, &[0.0, 0.0]), [9, 5]);
        assert_eq!(curve(&autoscale(3, 5, 10.0), 1, &[0.0, 0.0]), [3, 3]);
        assert_eq!(curve(&autoscale(1, 9, 10.0), 3, &[0.0, 32.9]), [3, 3]);
        assert_eq!(curve(&autoscale(1, 9, 10.0), 3, &[0.0, 33.1]), [3, 4]);
        // A tenth to the last digit is near, more and less (Kubernetes since 1.33 compares the ratio with both bounds).
        assert_eq!(curve(&autoscale(1, 13, 30.0), 12, &[0.0, 396.0]), [12, 12]);
        assert_eq!(curve(&autoscale(1, 13, 20.0), 13, &[0.0, 234.0]), [13, 13]);
    }

    proptest! {
        #![proptest_config(crate::random::cases(200))]

        #[test]
        fn its_curve_is_that_of_a_brute_force_reading(
            min in 0u32..4,
            more in 0u32..20,
            begin in 0u32..12,
            threshold in 1u32..40,
            steps in proptest::collection::vec((0u32..600, 1usize..25), 1..12),
        ) {
            let of = autoscale(min, (min + more).max(1), f64::from(threshold));
            let values: Vec<f64> = steps.iter().flat_map(|(value, times)| vec![f64::from(*value); *times]).collect();
            prop_assert_eq!(curve(&of, begin, &values), brute_force(&of, begin, &values));
        }
    }
}
