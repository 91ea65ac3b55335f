//! What holds the triggers of a scheduler back, and what they give to their executions: asked only where a trigger has
//! conditions, gives something, or starts what asks for its dates.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::context::Context;
use super::heard::base;
use super::inputs;
use super::listening::{About, Reason};
use super::origin::Origin;
use crate::execution::trigger::{Failure, Look, Next, Scheduled, Surroundings, Why};
use crate::flow::trigger::add_texts;
use crate::flow::{Flow, Schedule, Trigger, TriggerAction};
use crate::notify;
use crate::pebble;
use crate::scenario::{Plan, trigger_dialect};

/// A trigger that is asked before it fires.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    scheduled: Scheduled,
    flow: u32,
    /// The place of the trigger in its flow.
    trigger: usize,
    /// Its executions are asked for their trigger.
    told: bool,
    /// Not each of its dates is let through.
    held: bool,
}

/// What a Schedule that is let through starts its execution with: nothing that anybody asks for, or that; or why its inputs
/// are refused, in Kestra's words, without secrets.
pub(super) type Given = Result<Option<Arc<Origin>>, String>;

/// Dates that are told of, at most, of those that were passed over at once.
const TOLD: usize = 10_000;

impl Gate {
    /// Of the trigger of a flow; none where nothing holds it back and nobody asks for what it gives.
    pub(super) fn new(plan: &Plan, place: (u32, u32)) -> Option<Gate> {
        let (flow, trigger) = (place.0, place.1 as usize);
        let of = plan.flows.get(flow as usize)?;
        let it = of.triggers.get(trigger)?;
        let templates = pebble::Dialect::named(plan.kestra.language().name())?;
        let scheduled = Scheduled::new(of, it, trigger_dialect(plan.kestra), templates)?;
        let told = matches!(it.action, TriggerAction::Schedule(_)) && (gives(of, it) || heard(plan));
        let held = scheduled.asks() || it.limits.late_maximum_delay.is_some();
        (told || held).then_some(Gate { scheduled, flow, trigger, told, held })
    }

    /// What becomes of a date that is due.
    pub(super) fn look(&self, cx: &Context, date: Timestamp) -> Look {
        if self.scheduled.asks() { self.with(cx, |around| self.scheduled.look(date, around)) } else { Look::Lets }
    }

    /// The date that is due after one; `barren` is what was said of the one before.
    pub(super) fn next(
        &self,
        cx: &Context,
        schedule: &Schedule,
        (date, barren): (Timestamp, Option<Timestamp>),
    ) -> Next {
        if !self.held {
            return Next { date: schedule.next_after(date), barren: None };
        }
        self.with(cx, |around| self.scheduled.next(date, around.host.now, barren, around))
    }

    /// The last date that was missed before one.
    pub(super) fn previous(&self, cx: &Context, date: Timestamp) -> Option<Timestamp> {
        self.with(cx, |around| self.scheduled.previous(date, around))
    }

    /// What an execution of a date starts with; `before` is the date that was due before it.
    pub(super) fn given(&self, cx: &mut Context, date: Timestamp, before: Timestamp, next: Next) -> Given {
        if !self.told {
            return Ok(None);
        }
        let started = self.with(cx, |around| {
            let dates = self.scheduled.dates(date, Some(before), Some(next), around);
            self.scheduled.start(dates, around)
        });
        let taken = started.and_then(|it| {
            let inputs = inputs::scheduled(cx, self.flow, &it.inputs).map_err(Failure::new)?;
            Ok((inputs, it))
        });
        match taken {
            Ok((inputs, it)) => {
                inputs::keep_secret(cx, self.flow, &inputs);
                Ok(Some(Arc::new(Origin {
                    labels: it.labels,
                    inputs,
                    trigger: Some(it.variables),
                    scheduled: true,
                    ..Origin::default()
                })))
            }
            Err(failure) => {
                let why = cx.secrets.mask_words(&failure.to_string());
                let failed = trigger_dialect(cx.plan.kestra).failed_schedule;
                let (place, what) = ("inputs".to_owned(), "inputs".to_owned());
                let told = if failed { Why::FailsDate { place, what, failure } } else { Why::Inputs(failure) };
                self.tell(cx, date, &told);
                Err(why)
            }
        }
    }

    /// The execution of a date whose condition fails, or whose inputs are refused.
    pub(super) fn failed(&self, cx: &Context) -> Arc<Origin> {
        let labels = cx.plan.flows.get(self.flow as usize).map(|flow| flow.labels.clone());
        Arc::new(Origin { labels: labels.unwrap_or_default(), failed: true, ..Origin::default() })
    }

    fn with<R>(&self, cx: &Context, look: impl FnOnce(&Surroundings<'_>) -> R) -> R {
        let host = pebble::Host { secrets: &cx.secrets, ..pebble::Host::at(cx.calendar.date(cx.now)) };
        look(&Surroundings { base: &base(cx), host: &host })
    }

    /// Whether somebody asks what becomes of the dates of this trigger.
    fn is_asked(&self, cx: &Context) -> bool {
        cx.asked == Some(self.flow as usize)
    }

    /// Tells what becomes of a date, if somebody asks.
    pub(super) fn tell(&self, cx: &mut Context, date: Timestamp, why: &Why) {
        tell(cx, (self.flow, self.trigger), date, why);
    }

    /// Tells of the dates that were passed over between two, if somebody asks.
    pub(super) fn tell_between(&self, cx: &mut Context, schedule: &Schedule, from: Timestamp, to: Option<Timestamp>) {
        if !self.is_asked(cx) {
            return;
        }
        let end = cx.calendar.date(crate::time::Instant::START + cx.plan.duration);
        let until = to.map_or(end, |to| to.min(end));
        let passed = std::iter::successors(schedule.next_after(from), |date| schedule.next_after(*date));
        for date in passed.take_while(|date| *date < until).take(TOLD).collect::<Vec<_>>() {
            match self.look(cx, date) {
                Look::Refused(why) | Look::Fails(why) => self.tell(cx, date, &why),
                Look::Lets => self.tell(cx, date, &Why::Late),
            }
        }
    }
}

/// Tells what a Schedule makes of a date, if somebody asks.
pub(super) fn tell(cx: &mut Context, place: (u32, usize), date: Timestamp, why: &Why) {
    let (flow, trigger) = place;
    if cx.asked != Some(flow as usize) {
        return;
    }
    let found = cx.plan.flows.get(flow as usize).and_then(|flow| flow.triggers.get(trigger));
    let Some(TriggerAction::Schedule(schedule)) = found.map(|it| &it.action) else { return };
    let about = About::Date { date: schedule.text(date), step: why.step() };
    let (at, fires, why) = (cx.calendar.instant(date), *why == Why::Fires, why.to_string());
    cx.reasons(Reason { at, about, trigger, fires, why });
}

/// Whether executions of a trigger have something of it, or a template of theirs may ask for it.
fn gives(flow: &Flow, trigger: &Trigger) -> bool {
    let sends = || flow.all_tasks().into_iter().any(|task| notify::sends(&task.kind, &task.properties));
    let declares = || !flow.declared().is_empty();
    let given = &trigger.gives;
    !given.inputs.is_empty() || !given.labels.is_empty() || declares() || asks(&flow.source) || sends()
}

/// Whether a text in a file is a template.
fn asks(source: &Json) -> bool {
    let mut texts = Vec::new();
    add_texts(source, &mut texts);
    texts.into_iter().any(|text| text.contains("{{") || text.contains("{%"))
}

/// Whether a Flow trigger asks executions for the trigger that started them.
fn heard(plan: &Plan) -> bool {
    let rules = plan.flows.iter().flat_map(|flow| &flow.triggers).filter_map(|trigger| match &trigger.action {
        TriggerAction::Flow(rule) => Some(rule),
        _ => None,
    });
    rules.flat_map(|rule| rule.texts()).any(|text| text.contains("trigger") || text.contains("schedule"))
}
