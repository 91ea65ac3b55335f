//! Flow triggers in the cluster: what an execution that comes into a state starts.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::context::Context;
use super::heard::{Heard, base};
use crate::execution::trigger::{Among, Fired, Listeners, Surroundings, Verdict, Why, Windows};
use crate::flow::State;
use crate::pebble;
use crate::profile::Quirk;
use crate::scenario::{Plan, trigger_dialect};
use crate::time::Instant;

/// The Flow triggers of a plan, and what their windows keep.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    /// None when there is none that listens.
    listeners: Option<Arc<Listeners>>,
    windows: Windows,
    /// Flows of which a trigger waits for several executions, where an event is sent to each for what one came into.
    events: u32,
}

impl Listening {
    pub(super) fn new(plan: &Plan) -> Listening {
        // The server's zone is that of containers.
        let listeners = pebble::Dialect::named(plan.kestra.language().name())
            .map(|templates| Listeners::new(&plan.flows, trigger_dialect(plan.kestra), templates, TimeZone::UTC));
        let listeners = listeners.filter(|listeners| !listeners.is_empty()).map(Arc::new);
        let flows = listeners.as_ref().map_or(0, |listeners| listeners.flows_of_several());
        let events = if plan.kestra.has(Quirk::ConditionEvents) { flows as u32 } else { 0 };
        Listening { listeners, windows: Windows::default(), events }
    }

    /// Whether any Flow trigger listens.
    pub(super) fn any(&self) -> bool {
        self.listeners.is_some()
    }

    /// What an execution starts at once that has come into a state; and why the triggers of a flow say what they say, when
    /// that is asked.
    pub(super) fn hear(&mut self, cx: &Context, heard: &Heard<'_>) -> (Vec<Fired>, Vec<Reason>) {
        let among = if self.events > 0 { Among::OfOne } else { Among::All };
        self.hear_among(cx, heard, among)
    }

    /// Whether events are sent for what an execution comes into.
    pub(super) fn sends_events(&self) -> bool {
        self.events > 0
    }

    /// How many events are sent for it, and whether any of them may come to anything.
    pub(super) fn events(&self, cx: &Context, heard: &Heard<'_>) -> (u32, bool) {
        let Listening { listeners: Some(listeners), events: events @ 1.., .. } = self else { return (0, false) };
        let Some(flow) = cx.plan.flows.get(heard.flow as usize) else { return (0, false) };
        let labels = heard.origin.map_or(&flow.labels, |origin| &origin.labels);
        let asked = cx.asked.is_some() || !heard.it.labels.is_empty();
        let concerns = asked || listeners.may_hear(&flow.namespace, heard.state, labels, Among::OfSeveral);
        (*events, concerns)
    }

    /// What those events come to.
    pub(super) fn hear_events(&mut self, cx: &Context, heard: &Heard<'_>) -> (Vec<Fired>, Vec<Reason>) {
        self.hear_among(cx, heard, Among::OfSeveral)
    }

    fn hear_among(&mut self, cx: &Context, heard: &Heard<'_>, among: Among) -> (Vec<Fired>, Vec<Reason>) {
        let Listening { listeners: Some(listeners), windows, .. } = self else { return Default::default() };
        let Some(flow) = cx.plan.flows.get(heard.flow as usize) else { return Default::default() };
        let labels = heard.origin.map_or(&flow.labels, |origin| &origin.labels);
        // Most are of no matter to anybody: nothing is built for them. Labels that its tasks gave it are looked at with the rest.
        let plain = cx.asked.is_none() && heard.it.labels.is_empty();
        if plain && !listeners.may_hear(&flow.namespace, heard.state, labels, among) {
            return Default::default();
        }
        let now = cx.calendar.date(cx.now);
        let host = pebble::Host { secrets: &cx.secrets, ..pebble::Host::at(now) };
        let around = Surroundings { base: &base(cx), host: &host };
        let hearing = heard.seen(cx, |upstream| {
            let reason = |verdict: Verdict| Reason {
                at: cx.now,
                about: About::Execution { flow: heard.flow, execution: upstream.id.to_owned(), state: heard.state },
                trigger: verdict.trigger,
                fires: verdict.why == Why::Fires,
                why: verdict.why.to_string(),
            };
            let reasons = cx.asked.map(|asked| {
                let verdicts = listeners.why(windows, upstream, now, &around, among).into_iter();
                verdicts.filter(|verdict| verdict.flow == asked).map(reason).collect()
            });
            (listeners.transition(windows, upstream, now, &around, among), reasons.unwrap_or_default())
        });
        hearing.unwrap_or_default()
    }
}

/// What a trigger is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A Flow trigger: an execution that came into a state.
    Execution {
        /// Its flow, an index into the plan's.
        flow: u32,
        /// Its id.
        execution: String,
        /// The state it came into.
        state: State,
    },
    /// A Schedule: a date.
    Date {
        /// The date, as the trigger's variables have it.
        date: String,
        /// The step that decided, without what it saw.
        step: String,
    },
}

/// What a trigger made of an execution that came into a state, or of a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// When.
    pub at: Instant,
    /// What it was asked about.
    pub about: About,
    /// The place of the trigger in its flow.
    pub trigger: usize,
    /// Whether it starts an execution.
    pub fires: bool,
    /// The step that decided, with what it saw.
    pub why: String,
}
