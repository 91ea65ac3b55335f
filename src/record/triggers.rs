//! What starts executions: triggers that a scheduler tells, or that its counters give away, and arrivals for the rest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::flows::{Flow, Name, free, is_id, is_type, word};
use super::observed::{Observed, Seen};
use super::rises::Rise;
use super::text::counted;
use super::times::{Taken, Times};
use crate::flow::is_realtime;
use crate::time::Duration;

/// The type of a Schedule.
pub(super) const SCHEDULE: &str = "io.kestra.plugin.core.trigger.Schedule";

/// A trigger, as a scenario has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trigger {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) when: When,
    /// A scheduler has told it: else it is a guess.
    pub(super) told: bool,
    /// Of a polling trigger: the share of evaluations that start an execution, and how long they take.
    pub(super) polls: Option<(f64, Option<Taken>)>,
    /// Of a realtime trigger: messages a second.
    pub(super) messages: Option<f64>,
}

/// When a trigger is evaluated.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum When {
    /// By a cron expression.
    Cron { cron: String, with_seconds: bool, timezone: Option<String> },
    /// Again and again.
    Every(Duration),
    /// A worker listens all the time.
    Messages,
}

/// A trigger of `/scheduler`. Its other properties stay there: they may hold what is nobody's business.
#[derive(Clone, Debug)]
pub(super) struct Known {
    kind: String,
    when: When,
    disabled: bool,
}

/// Triggers by flow and id.
pub(super) type Triggers = BTreeMap<Name, BTreeMap<String, Known>>;

/// What workers have counted of polling triggers of one type.
pub(super) struct Polls {
    pub(super) kind: String,
    pub(super) evaluations: Rise,
    pub(super) fired: Rise,
    pub(super) took: Times,
}

/// Ids of tasks by flow and type.
pub(super) type TaskIds = BTreeMap<(Name, String), BTreeSet<String>>;

impl Seen {
    /// `/scheduler` said this.
    pub fn scheduler(&mut self, document: &Json) {
        let Some(items) = document.get("schedulable").and_then(Json::as_array) else { return };
        let triggers = self.triggers.get_or_insert_default();
        for item in items {
            let text = |pointer: &str| item.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
            let (Some(namespace), Some(flow), Some(id)) = (text("/namespace"), text("/flowId"), text("/trigger/id"))
            else {
                continue;
            };
            if let Some(known) = item.get("trigger").and_then(known_of).filter(|_| is_id(&id)) {
                triggers.entry((namespace, flow)).or_default().insert(id, known);
            }
        }
    }

    /// `/worker` said this.
    pub fn worker(&mut self, document: &Json) {
        for item in document.get("runnings").and_then(Json::as_array).into_iter().flatten() {
            let text = |pointer: &str| item.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
            let task =
                (text("/taskRun/namespace"), text("/taskRun/flowId"), text("/task/type"), text("/taskRun/taskId"));
            if let (Some(namespace), Some(flow), Some(kind), Some(id)) = task
                && is_id(&id)
            {
                self.task_ids.entry(((namespace, flow), kind)).or_default().insert(id);
            }
        }
    }
}

fn known_of(trigger: &Json) -> Option<Known> {
    let text = |key: &str| trigger.get(key).and_then(Json::as_str).map(str::to_owned);
    let flag = |key: &str| trigger.get(key).and_then(Json::as_bool).unwrap_or(false);
    let cron =
        text("cron").map(|cron| When::Cron { cron, with_seconds: flag("withSeconds"), timezone: text("timezone") });
    let kind = text("type")?;
    let every = || text("interval")?.parse().ok().map(When::Every);
    let listens = || is_realtime(&kind).then_some(When::Messages);
    Some(Known { when: cron.or_else(every).or_else(listens)?, kind, disabled: flag("disabled") })
}

/// The triggers that schedulers told.
pub(super) fn known(observed: &Observed) -> Triggers {
    let mut all = Triggers::new();
    for (name, triggers) in observed.members.iter().flat_map(|member| member.triggers.iter().flatten()) {
        all.entry(name.clone()).or_default().extend(triggers.clone());
    }
    all
}

/// The ids of tasks that were seen running.
pub(super) fn task_ids(observed: &Observed) -> TaskIds {
    let mut all = TaskIds::new();
    for (place, ids) in observed.members.iter().flat_map(|member| &member.task_ids) {
        all.entry(place.clone()).or_default().extend(ids.clone());
    }
    all
}

/// Executions beyond those of triggers that are nobody's: what began before the first look or ends after the last one.
const EDGE: f64 = 2.0;
/// And this share of them.
const EDGE_SHARE: f64 = 0.02;

/// Gives a flow its triggers and arrivals. `triggered` is how many executions schedulers asked for, and in how many seconds.
pub(super) fn set(
    flow: &mut Flow,
    known: &BTreeMap<String, Known>,
    polls: &[Polls],
    (triggered, seconds): (Rise, f64),
) {
    let mut ids: BTreeSet<String> = flow.tasks.iter().map(|task| task.id.clone()).collect();
    // What a realtime trigger starts no scheduler counts.
    let started = |realtime: bool| -> f64 {
        polls.iter().filter(|it| is_realtime(&it.kind) == realtime).map(|it| it.fired.amount).sum()
    };
    let (fired, messages) = (started(false), started(true));
    told(flow, known, polls, &mut ids);
    seen_at_work(flow, known, polls, &mut ids);
    let scheduled = triggered.amount - fired;
    let mut explained = triggered.amount;
    if scheduled >= 1.0 && !known.values().any(|it| matches!(it.when, When::Cron { .. })) {
        let started = counted(scheduled, "execution");
        match regular(scheduled, seconds) {
            Some((cron, with_seconds)) => {
                flow.triggers.push(Trigger {
                    id: free("schedule".to_owned(), &mut ids),
                    kind: SCHEDULE.to_owned(),
                    when: When::Cron { cron, with_seconds, timezone: None },
                    told: false,
                    polls: None,
                    messages: None,
                });
                flow.remarks.push(format!("a scheduler started {started}: its cron expression is a guess"));
            }
            None => {
                explained = fired;
                flow.remarks.push(format!(
                    "a scheduler started {started}, by dates that its counters do not give away: they are arrivals here"
                ));
            }
        }
    }
    explained += messages;
    let rest = flow.executions.amount - explained;
    if rest > if explained > 0.0 { EDGE + EDGE_SHARE * flow.executions.amount } else { 0.0 } {
        flow.arrivals = Some(flow.executions.per_second * rest / flow.executions.amount);
    }
}

/// The triggers that a scheduler told, with what workers have counted of them.
fn told(flow: &mut Flow, known: &BTreeMap<String, Known>, polls: &[Polls], ids: &mut BTreeSet<String>) {
    for (id, it) in known.iter().filter(|(_, it)| !it.disabled && is_type(&it.kind)) {
        let of = polls.iter().find(|polls| polls.kind == it.kind);
        let polled = of.filter(|_| matches!(it.when, When::Every(_)));
        let polls = polled.map(|polls| (fires(polls), polls.took.taken(0.0)));
        let listens = matches!(it.when, When::Messages);
        let messages = listens.then(|| of.map_or(0.0, |polls| polls.fired.per_second));
        ids.insert(id.clone());
        let (kind, when) = (it.kind.clone(), it.when.clone());
        flow.triggers.push(Trigger { id: id.clone(), kind, when, told: true, polls, messages });
    }
}

/// The triggers that only workers have counted.
fn seen_at_work(flow: &mut Flow, known: &BTreeMap<String, Known>, polls: &[Polls], ids: &mut BTreeSet<String>) {
    let told = |kind: &str| known.values().any(|it| it.kind == kind);
    for polls in polls.iter().filter(|it| !told(&it.kind) && is_type(&it.kind)) {
        let (kind, evaluated) = (polls.kind.clone(), polls.evaluations.per_second);
        let (when, behaves, messages) = if is_realtime(&kind) {
            (When::Messages, None, Some(polls.fired.per_second))
        } else if evaluated > 0.0 {
            let every = Duration::from_seconds_f64(f64::round(1.0 / evaluated).max(1.0));
            flow.remarks.push(format!("its trigger {kind} was seen by its evaluations only: its interval is a guess"));
            (When::Every(every), Some((fires(polls), polls.took.taken(0.0))), None)
        } else {
            continue;
        };
        flow.triggers.push(Trigger { id: free(word(&kind), ids), kind, when, told: false, polls: behaves, messages });
    }
}

fn fires(polls: &Polls) -> f64 {
    if polls.evaluations.amount > 0.0 { (polls.fired.amount / polls.evaluations.amount).clamp(0.0, 1.0) } else { 0.0 }
}

/// Periods of schedules that people write, in seconds, and their cron expressions.
const PERIODS: &[(f64, &str, bool)] = &[
    (5.0, "*/5 * * * * *", true),
    (10.0, "*/10 * * * * *", true),
    (15.0, "*/15 * * * * *", true),
    (20.0, "*/20 * * * * *", true),
    (30.0, "*/30 * * * * *", true),
    (60.0, "* * * * *", false),
    (120.0, "*/2 * * * *", false),
    (180.0, "*/3 * * * *", false),
    (240.0, "*/4 * * * *", false),
    (300.0, "*/5 * * * *", false),
    (600.0, "*/10 * * * *", false),
    (900.0, "*/15 * * * *", false),
    (1_200.0, "*/20 * * * *", false),
    (1_800.0, "*/30 * * * *", false),
    (3_600.0, "0 * * * *", false),
    (7_200.0, "0 */2 * * *", false),
    (10_800.0, "0 */3 * * *", false),
    (14_400.0, "0 */4 * * *", false),
    (21_600.0, "0 */6 * * *", false),
    (43_200.0, "0 */12 * * *", false),
    (86_400.0, "0 0 * * *", false),
];

/// The one schedule that comes due so often in so many seconds, if there is one.
fn regular(times: f64, seconds: f64) -> Option<(String, bool)> {
    let off = |period: f64| (seconds / period - times).abs();
    let best = PERIODS.iter().min_by(|a, b| off(a.0).total_cmp(&off(b.0)))?;
    let near = times >= 3.0 && off(best.0) <= (times * 0.01).max(1.5);
    near.then(|| (best.1.to_owned(), best.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_guessed_from_how_often_it_came_due() {
        assert_eq!(regular(60.0, 3_600.0), Some(("* * * * *".to_owned(), false)));
        assert_eq!(regular(59.0, 3_600.0), Some(("* * * * *".to_owned(), false)));
        assert_eq!(regular(719.0, 3_600.0), Some(("*/5 * * * * *".to_owned(), true)));
        assert_eq!(regular(24.0, 86_400.0), Some(("0 * * * *".to_owned(), false)));
        assert_eq!(regular(45.0, 3_600.0), None);
        assert_eq!(regular(2.0, 7_200.0), None, "too few");
    }
}
