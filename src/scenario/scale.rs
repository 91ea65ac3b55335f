//! What of a fault may be more or less, and how it is made less: how long it lasts, how much of it there is, how many members
//! it is done to. All of it comes from the rows of the faults and their units.

use super::faults::{Span, Unit};
use super::{Amount, DatabaseFault, Lasts, Plan, Target, TimelineEntry};
use crate::time::{Duration, Instant};

/// What of an entry of the timeline may be more or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// How many members it is done to.
    Members,
    /// How much of it there is.
    Amount,
    /// How long it lasts.
    Lasts,
}

/// The steps from nothing at all to what an entry says.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// What is more or less.
    pub dial: Dial,
    /// So many steps lead from nothing to what the entry says.
    pub steps: u32,
    full: TimelineEntry,
    /// The amount, or the seconds, with which nothing is done, and how much more a step is.
    nothing: f64,
    step: f64,
    unit: Option<Unit>,
}

/// Steps of a scale, about so many.
const STEPS: f64 = 500.0;

impl TimelineEntry {
    /// All that may be more or less of it. A fault that repeats and says not how long it lasts has no length.
    pub fn scales(&self, plan: &Plan) -> Vec<Scale> {
        let scale = |dial, (nothing, full, step): (f64, f64, f64), unit| {
            let steps = f64::ceil((full - nothing).abs() / step - 1e-6);
            let step = if full < nothing { -step } else { step };
            let steps = steps.clamp(0.0, 1e9) as u32;
            (steps > 1).then(|| Scale { dial, steps, full: self.clone(), nothing, step, unit })
        };
        let members = match &self.fault.target {
            Target::Members(members) => scale(Dial::Members, (0.0, members.len() as f64, 1.0), None),
            _ => None,
        };
        let amount = self.fault.amount.measured(self, plan);
        let amount = amount.and_then(|(unit, nothing, full)| {
            let step = match unit.span() {
                Span::Whole => nice((full - nothing).abs() / STEPS).max(1.0),
                Span::Time => seconds((full - nothing).abs() / STEPS),
                Span::Number => nice((full - nothing).abs() / STEPS),
            };
            scale(Dial::Amount, (nothing, full, step), Some(unit))
        });
        let lasts = self.longest(plan).and_then(|longest| {
            let full = longest.as_seconds_f64();
            scale(Dial::Lasts, (0.0, full, seconds(full / STEPS).max(1.0)), None)
        });
        members.into_iter().chain(amount).chain(lasts).collect()
    }

    /// How long it lasts, to the end of the run when nothing else is said; none when it is over at once.
    fn longest(&self, plan: &Plan) -> Option<Duration> {
        match (self.fault.kind.lasts(), self.lasts, self.every) {
            (Lasts::No, ..) | (_, None, Some(_)) => None,
            (_, Some(lasts), _) => Some(lasts),
            (_, None, None) => {
                Some((Instant::START + plan.duration).since(self.at)).filter(|longest| !longest.is_zero())
            }
        }
    }
}

impl Scale {
    /// An entry with this much of it: none for the level 0, at which nothing is done; what the file says at the last level.
    pub fn set(&self, entry: &TimelineEntry, level: u32) -> Option<TimelineEntry> {
        if level == 0 {
            return None;
        }
        let mut entry = entry.clone();
        let last = level >= self.steps;
        match self.dial {
            Dial::Members => {
                if let (Target::Members(members), Target::Members(all)) =
                    (&mut entry.fault.target, &self.full.fault.target)
                {
                    *members = all.iter().take(level as usize).copied().collect();
                }
            }
            Dial::Lasts if last => entry.lasts = self.full.lasts,
            Dial::Lasts => entry.lasts = Some(Duration::from_seconds_f64(self.value(level))),
            Dial::Amount if last => entry.fault.amount = self.full.fault.amount,
            Dial::Amount => {
                entry.fault.amount = self.unit.map_or(entry.fault.amount, |unit| unit.amount(self.value(level)));
            }
        }
        Some(entry)
    }

    fn value(&self, level: u32) -> f64 {
        rounded(self.nothing + self.step * f64::from(level))
    }

    /// What a level comes to, in words.
    pub fn words(&self, level: u32) -> String {
        let Some(entry) = self.set(&self.full, level) else { return "nothing".to_owned() };
        match (self.dial, entry.lasts, &entry.fault.target) {
            (Dial::Lasts, Some(lasts), _) => lasts.to_string(),
            (Dial::Lasts, None, _) => "to the end".to_owned(),
            (Dial::Members, _, Target::Members(members)) => match members.len() {
                1 => "1 member".to_owned(),
                count => format!("{count} members"),
            },
            _ => entry.fault.amount.said(),
        }
    }
}

/// A number as near as people write one: no digits beyond a billionth.
fn rounded(value: f64) -> f64 {
    f64::round(value * 1e9) / 1e9
}

/// The least of 1, 2 and 5 with zeros that is not below a number.
fn nice(least: f64) -> f64 {
    let ten = libm::pow(10.0, f64::floor(libm::log10(least.max(1e-9))));
    let found = [1.0, 2.0, 5.0, 10.0].into_iter().find(|it| it * ten >= least * (1.0 - 1e-9));
    found.unwrap_or(10.0) * ten
}

/// The same of seconds, from a second on as clocks have them.
fn seconds(least: f64) -> f64 {
    const SPANS: &[f64] =
        &[1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0];
    if least < 1.0 { nice(least) } else { SPANS.iter().copied().find(|it| *it >= least).unwrap_or(86_400.0) }
}

impl Amount {
    /// How much it is, in the numbers that people write, and with which nothing is done; none when it is no number.
    fn measured(self, entry: &TimelineEntry, plan: &Plan) -> Option<(Unit, f64, f64)> {
        let written = |flow: Option<usize>| {
            let ours = plan.arrivals.iter().filter(|it| flow.is_none_or(|flow| flow == it.flow));
            // A rate for all flows is the rate of each.
            let rates = ours.map(|it| it.rate);
            if flow.is_some() { rates.sum() } else { rates.fold(0.0, f64::max) }
        };
        let (unit, nothing, full) = match (self, &entry.fault.target) {
            (Amount::Rate(rate), Target::Flow(flow)) => (Unit::Rate, written(*flow) * 60.0, rate * 60.0),
            (Amount::Rate(rate), _) => (Unit::Rate, 0.0, rate * 60.0),
            (Amount::Times(times) | Amount::Manner(DatabaseFault::Slow(times)), _) => (Unit::Times, 1.0, times),
            (Amount::Share(share), _) => (Unit::Share, 0.0, share),
            (Amount::Leak(rate), _) => (Unit::Leak, 0.0, rate),
            (Amount::Pause(pause), _) => (Unit::Pause, 0.0, pause.as_seconds_f64()),
            (Amount::Takes(takes), _) => (Unit::Takes, 0.0, takes.as_seconds_f64()),
            (Amount::Rows(rows), _) => (Unit::Rows, 0.0, rows as f64),
            (Amount::Triggers(count), _) => (Unit::Triggers, 0.0, count as f64),
            (Amount::Members(count), Target::Role(role)) => {
                let there = plan.cluster.members.iter().filter(|it| it.role == *role && !it.reserve).count();
                (Unit::Members, there as f64, f64::from(count))
            }
            (
                Amount::None
                | Amount::Manner(_)
                | Amount::Answers(_)
                | Amount::Members(_)
                | Amount::Thread(_)
                | Amount::Version(_),
                _,
            ) => return None,
        };
        let unit = if matches!(self, Amount::Manner(_)) { Unit::Slow } else { unit };
        (nothing != full).then_some((unit, nothing, full))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{NoFiles, read};

    fn scales(entry: &str) -> Vec<(Dial, u32, String, String)> {
        let text = format!(
            "name: x\nduration: 1h\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: {{ count: 3, \
             most: 6 }} }} }}\nflows:\n  - {{ id: f, namespace: a, tasks: [ {{ id: t, type: io.kestra.plugin.core.log.Log, \
             message: x }} ] }}\narrivals: [ {{ flow: f, rate: 6/min }} ]\ntimeline: [ {entry} ]\n"
        );
        let plan = read("x.yaml", &text, &NoFiles).0.expect("a plan");
        let entry = plan.timeline.first().expect("an entry");
        let told = |it: Scale| {
            assert_eq!(it.set(entry, 0), None);
            assert_eq!(it.set(entry, it.steps).as_ref(), Some(entry));
            (it.dial, it.steps, it.words(1), it.words(it.steps - 1))
        };
        entry.scales(&plan).into_iter().map(told).collect()
    }

    #[test]
    fn what_may_be_less_comes_from_the_row_of_a_fault() {
        let owned = |dial, steps, least: &str, most: &str| (dial, steps, least.to_owned(), most.to_owned());
        assert_eq!(
            scales("{ at: 10m, hang: [ worker-1, worker-2 ], for: 10m }"),
            [owned(Dial::Members, 2, "1 member", "1 member"), owned(Dial::Lasts, 300, "2s", "9m58s")]
        );
        assert_eq!(
            scales("{ at: 10m, task-failures: { task: t, share: 50% }, for: 5m }"),
            [owned(Dial::Amount, 500, "0.1%", "49.9%"), owned(Dial::Lasts, 300, "1s", "4m59s")]
        );
        assert_eq!(
            scales("{ at: 10m, arrivals: { flow: f, rate: 106/min }, for: 5m }"),
            [owned(Dial::Amount, 500, "6.2/min", "105.8/min"), owned(Dial::Lasts, 300, "1s", "4m59s")]
        );
        assert_eq!(
            scales("{ at: 10m, database: { slow: 11x }, for: 5m }").first(),
            Some(&owned(Dial::Amount, 500, "1.02x", "10.98x"))
        );
        // To fewer than there are.
        let scaled = scales("{ at: 10m, scale: worker, to: 0, for: 5m }");
        assert_eq!(scaled.first(), Some(&owned(Dial::Amount, 3, "2", "1")));
        assert_eq!(
            scales("{ at: 10m, gc-pause: { member: executor-1, pause: 8s } }"),
            [owned(Dial::Amount, 400, "20ms", "7.98s")]
        );
        // Whole numbers, of which many are no step each.
        assert_eq!(
            scales("{ at: 10m, queue-rows: { rows: 8600000 }, for: 5m }").first(),
            Some(&owned(Dial::Amount, 430, "20000", "8580000"))
        );
        // To the end of the run; what is over at once has no length.
        assert_eq!(scales("{ at: 10m, kill: worker-1 }"), [owned(Dial::Lasts, 300, "10s", "49m50s")]);
        assert_eq!(scales("{ at: 10m, restart: worker-1 }"), []);
    }
}
