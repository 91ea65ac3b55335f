//! Triggers that a scheduler looks at when they are due: which dates their conditions let through, which date comes next, and
//! with what a Schedule starts an execution.
//!
//! A scheduler asks twice. When a date is due, it asks all conditions (`when` of 2.0) with nothing but that date. When it
//! looks for the date that comes next, a Schedule asks those of them that are about dates, with the dates before and after
//! it as well. So a date that is due can be refused (the first one, which was found without conditions), and one that is
//! refused makes no execution and no noise. A condition that fails makes an execution that is FAILED from the start.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::context::{Templates, Woken, instant};
use super::holds::Asked;
use super::start::tree;
use super::verdict::Why;
use super::{Failure, Own, Surroundings};
use crate::flow::trigger::{Condition, Dialect, Era, Test, add_texts};
use crate::flow::{Flow, Given, Schedule, Trigger, TriggerAction, TriggerLimits};
use crate::pebble::{self, truthy};

/// Dates that are looked at for one that conditions let through: those of each minute of five weeks. Kestra looks for ten
/// years; with a date that is not found here the next one of all is due, as in Kestra after those years.
const LOOKS: u32 = 50_000;

/// The same for dates that are past.
const LOOKS_BACK: u32 = 2_000;

/// A trigger that is due at dates.
#[derive(Clone, Debug)]
pub struct Scheduled {
    own: Own,
    id: String,
    kind: String,
    /// A condition asks for the date before, which takes time to find.
    previous: bool,
    /// Of a Schedule.
    dates: Option<(Schedule, Given)>,
    limits: TriggerLimits,
    dialect: Dialect,
    templates: &'static pebble::Dialect,
}

/// What a Schedule starts an execution with.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// Labels of the flow and of the trigger.
    pub labels: Vec<(String, String)>,
    /// Inputs, rendered: whether the flow takes them is not looked at here.
    pub inputs: Map<String, Json>,
    /// The variables of `trigger`.
    pub variables: Map<String, Json>,
}

/// What becomes of a date.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// It is let through.
    Lets,
    /// It is refused.
    Refused(Why),
    /// A condition fails: an execution that is FAILED from the start.
    Fails(Why),
}

/// The date that is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// None when there is none.
    pub date: Option<Timestamp>,
    /// Up to here conditions let no date through: there is no need to look again before.
    pub barren: Option<Timestamp>,
}

/// The dates around one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// That one.
    pub date: Timestamp,
    /// The one that comes next.
    pub next: Option<Timestamp>,
    /// The one before.
    pub previous: Option<Timestamp>,
}

impl Scheduled {
    /// A Schedule, or a trigger that workers evaluate; none of another kind.
    pub fn new(
        flow: &Flow,
        trigger: &Trigger,
        dialect: Dialect,
        templates: &'static pebble::Dialect,
    ) -> Option<Scheduled> {
        let dates = match &trigger.action {
            TriggerAction::Schedule(schedule) => Some((schedule.clone(), trigger.gives.clone())),
            TriggerAction::Poll { .. } | TriggerAction::Realtime => None,
            _ => return None,
        };
        let limits = trigger.limits.clone();
        let texts = || texts(&limits, &trigger.gives);
        let own = Own::of(flow, texts(), templates);
        let (id, kind) = (trigger.id.clone(), trigger.kind.clone());
        let previous = own.parsed.keys().any(|text| text.contains("previous"));
        Some(Scheduled { own, id, kind, previous, dates, limits, dialect, templates })
    }

    /// Whether anything is asked of a date.
    pub fn asks(&self) -> bool {
        !self.limits.conditions.is_empty() || self.limits.when.is_some()
    }

    /// What becomes of a date that is due.
    pub fn look(&self, date: Timestamp, around: &Surroundings<'_>) -> Look {
        let mut trigger = Map::new();
        trigger.insert("date".into(), self.shown(date).into());
        self.ask(&trigger, false, |_| true, around)
    }

    /// Asks the conditions that `chosen` chooses.
    fn ask(
        &self,
        trigger: &Map<String, Json>,
        twice: bool,
        chosen: impl Fn(&Condition) -> bool,
        around: &Surroundings<'_>,
    ) -> Look {
        let woken = Woken::At { trigger, twice };
        let templates = Templates::new(&self.own, woken, around, self.dialect, self.templates);
        let asked = Asked { own: &self.own, woken, templates: &templates, dialect: self.dialect };
        for (at, condition) in self.limits.conditions.iter().enumerate().filter(|(_, condition)| chosen(condition)) {
            match asked.holds(condition) {
                Ok(true) => {}
                Ok(false) => return Look::Refused(asked.refused(at, condition, None)),
                Err(failure) => return failed(format!("conditions[{at}]"), condition.name().to_owned(), failure),
            }
        }
        let Some(when) = &self.limits.when else { return Look::Lets };
        let (place, what) = ("when".to_owned(), when.clone());
        match templates.text(when) {
            Ok(text) if truthy(&text) => Look::Lets,
            Ok(text) => Look::Refused(Why::Condition { place, what, found: format!("it gives `{text}`") }),
            Err(failure) => failed(place, what, failure),
        }
    }

    /// A date as conditions have it: up to 1.3 in the zone of the server.
    fn shown(&self, date: Timestamp) -> String {
        match &self.dates {
            Some((schedule, _)) if self.dialect.zoned_conditions => schedule.text(date),
            _ => instant(date),
        }
    }

    /// Whether what a Schedule looks for is let through; none when that fails.
    fn lets(&self, date: Timestamp, around: &Surroundings<'_>) -> Option<bool> {
        let dates = Dates { date, next: self.plain_next(date), previous: None };
        let dates = match self.previous {
            true => Dates { previous: self.plain_previous(date), ..dates },
            false => dates,
        };
        let variables = variables(dates, |date| self.shown(date));
        let twice = self.dialect.era == Era::Conditions;
        match self.ask(&variables, twice, of_dates, around) {
            Look::Lets => Some(true),
            Look::Refused(_) => Some(false),
            Look::Fails(_) => None,
        }
    }

    fn plain_next(&self, date: Timestamp) -> Option<Timestamp> {
        self.dates.as_ref()?.0.next_after(date)
    }

    fn plain_previous(&self, date: Timestamp) -> Option<Timestamp> {
        self.dates.as_ref()?.0.previous_before(date)
    }

    /// The date of a Schedule that is due after one, seen now; `barren` is what was said of the date before.
    pub fn next(
        &self,
        date: Timestamp,
        now: Timestamp,
        mut barren: Option<Timestamp>,
        around: &Surroundings<'_>,
    ) -> Next {
        if self.asks() && barren.is_none_or(|end| date >= end) {
            match self.search(date, LOOKS, |date| self.plain_next(date), around) {
                Ok(found) => return Next { date: Some(found), barren: None },
                Err(end) => barren = end,
            }
        }
        Next { date: self.in_time(date, now), barren }
    }

    /// The date after one that is not too late now.
    fn in_time(&self, date: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let next = self.plain_next(date)?;
        match self.limits.late_maximum_delay {
            // The first date that is not too late.
            Some(delay) => {
                let delay = jiff::SignedDuration::from_nanos(i64::try_from(delay.as_nanoseconds()).unwrap_or(i64::MAX));
                let late = |next: Timestamp| next.checked_add(delay).is_ok_and(|end| end < now);
                if !late(next) {
                    return Some(next);
                }
                let before = now.checked_sub(delay).ok()?.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()?;
                self.plain_next(before)
            }
            None => Some(next),
        }
    }

    /// The date before one that conditions let through: the last that was missed.
    pub fn previous(&self, date: Timestamp, around: &Surroundings<'_>) -> Option<Timestamp> {
        let found = self.asks().then(|| self.search(date, LOOKS_BACK, |date| self.plain_previous(date), around));
        found.and_then(Result::ok).or_else(|| self.plain_previous(date))
    }

    /// The first date on a way that conditions let through; or up to where there is none. A failure ends the search.
    fn search(
        &self,
        from: Timestamp,
        looks: u32,
        step: impl Fn(Timestamp) -> Option<Timestamp>,
        around: &Surroundings<'_>,
    ) -> Result<Timestamp, Option<Timestamp>> {
        let mut date = from;
        for _ in 0..looks {
            date = step(date).ok_or(None)?;
            if self.lets(date, around).ok_or(None)? {
                return Ok(date);
            }
        }
        Err(Some(date))
    }

    /// The dates around one, as the execution has them: with conditions those that they let through. `before` is the date
    /// that was due before it, and `next` the one that will be after it, if that is known.
    pub fn dates(
        &self,
        date: Timestamp,
        before: Option<Timestamp>,
        next: Option<Next>,
        around: &Surroundings<'_>,
    ) -> Dates {
        if self.asks() {
            let next = next.unwrap_or_else(|| self.next(date, date, None, around));
            // To look back costs more than to look forward, and the date that was due before was found that way.
            let known = before.filter(|before| self.lets(*before, around) == Some(true));
            let back = || self.search(date, LOOKS_BACK, |date| self.plain_previous(date), around).ok();
            return Dates { date, next: next.date.filter(|_| next.barren.is_none()), previous: known.or_else(back) };
        }
        // To look back costs more than to look forward.
        let known = before.filter(|before| self.plain_next(*before) == Some(date));
        Dates { date, next: self.plain_next(date), previous: known.or_else(|| self.plain_previous(date)) }
    }

    /// What a Schedule starts an execution with.
    ///
    /// # Errors
    /// Its inputs cannot be rendered.
    pub fn start(&self, dates: Dates, around: &Surroundings<'_>) -> Result<Started, Failure> {
        let Some((schedule, given)) = &self.dates else { return Err(Failure::new("it is no Schedule")) };
        let variables = variables(dates, |date| schedule.text(date));
        // Templates are rendered before there is an execution: they see the trigger, and no dates of it.
        let own = json!({ "id": self.id, "type": self.kind });
        let own = own.as_object().map_or_else(|| Cow::Owned(Map::new()), Cow::Borrowed);
        let templates = |trigger| {
            Templates::new(&self.own, Woken::At { trigger, twice: false }, around, self.dialect, self.templates)
        };
        let inputs = tree(&given.inputs, &|text| templates(&own).text(text))?;
        let seen = templates(if self.dialect.labels_see_dates { &variables } else { &own });
        let labels = self.own.labels_with(&given.labels, &seen, self.dialect);
        Ok(Started { labels, inputs, variables })
    }
}

/// A failure, unless it is ours.
fn failed(place: String, what: String, failure: Failure) -> Look {
    match failure.not_simulated {
        true => Look::Refused(Why::Failed { place, what, failure }),
        false => Look::Fails(Why::FailsDate { place, what, failure }),
    }
}

/// Whether a Schedule asks a condition about dates that are not yet due. Those about executions it does not.
fn of_dates(condition: &Condition) -> bool {
    !matches!(
        condition.test,
        Test::Status(_)
            | Test::Namespace { .. }
            | Test::Flow { .. }
            | Test::Labels { .. }
            | Test::Retried(_)
            | Test::Own { .. }
            | Test::OwnNamespace { .. }
            | Test::Multiple(_)
            | Test::Nothing
    )
}

/// The variables of `trigger`.
fn variables(dates: Dates, text: impl Fn(Timestamp) -> String) -> Map<String, Json> {
    let mut variables = Map::new();
    let all = [("date", Some(dates.date)), ("next", dates.next), ("previous", dates.previous)];
    for (name, date) in all {
        if let Some(date) = date {
            variables.insert(name.into(), text(date).into());
        }
    }
    variables
}

/// All texts of a trigger that may be templates.
fn texts<'t>(limits: &'t TriggerLimits, given: &'t Given) -> Vec<&'t str> {
    let mut texts: Vec<&str> = limits.conditions.iter().flat_map(Condition::texts).collect();
    texts.extend(limits.when.as_deref());
    for (key, value) in &given.inputs {
        texts.push(key);
        add_texts(value, &mut texts);
    }
    texts.extend(given.labels.iter().map(|(_, value)| value.as_str()));
    texts
}
