//! What Flow triggers that wait for several executions are asked later: since 1.1 each state that an execution comes into is
//! an event for each of their flows, in a queue that executors evaluate one after another.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::heard::{Heard, stored};
use super::super::limits;
use super::super::listening::Listening;
use super::super::meters::QueueName;
use super::super::origin::Origin;
use super::{Executor, told_of};
use crate::execution::Execution;
use crate::flow::State;
use crate::notify;
use crate::pebble::ErrorLog;
use crate::time::{Duration, Instant};

/// Processor time for an event: of what it takes, the most is the database's (inferred).
const AN_EVENT: Duration = Duration::microseconds(500);

/// Executions as they were when events were sent of them, by the number of their message; none where no trigger can be
/// concerned.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    noted: VecDeque<(u64, Box<Noted>)>,
    sent: u64,
    taken: u64,
}

/// An execution as it was.
#[derive(Clone, Debug)]
struct Noted {
    flow: u32,
    number: u64,
    created: Instant,
    state: State,
    since: Instant,
    it: Execution,
    origin: Option<Arc<Origin>>,
    errors: Vec<ErrorLog>,
}

impl Events {
    /// How many events are to be sent of an execution that has come into a state.
    pub(super) fn note(&mut self, cx: &mut Context, listening: &Listening, heard: &Heard<'_>) -> u32 {
        let (events, concerns) = listening.events(cx, heard);
        if concerns {
            self.noted.push_back((self.sent, Box::new(Noted::of(heard))));
        }
        self.sent += u64::from(events > 0);
        if self.noted.len() > limits::NOTED {
            cx.reached("the number of states of executions that wait to be evaluated", limits::NOTED as u64);
        }
        events
    }
}

impl Events {
    /// What was noted of the message that is taken next.
    fn next(&mut self) -> Option<Box<Noted>> {
        let number = self.taken;
        self.taken += 1;
        let is_next = self.noted.front().is_some_and(|(of, _)| *of == number);
        if is_next { self.noted.pop_front().map(|(_, noted)| noted) } else { None }
    }
}

impl Noted {
    fn of(heard: &Heard<'_>) -> Noted {
        Noted {
            flow: heard.flow,
            number: heard.number,
            created: heard.created,
            state: heard.state,
            since: heard.since,
            it: heard.it.clone(),
            origin: heard.origin.cloned().map(Arc::new),
            errors: heard.errors.to_vec(),
        }
    }
}

impl Executor {
    /// Whether any events are sent.
    pub(in super::super) fn sends_events(&self) -> bool {
        self.listening.sends_events()
    }

    /// An execution as the store has it by now; none when it is not kept.
    fn stored_now(&self, cx: &Context, key: (u32, u64)) -> Option<Arc<notify::Execution>> {
        let (flow, number) = key;
        let live = self.live(key).map(|(_, of)| {
            let (it, origin, errors) = (&of.it, self.origins.get(key), of.errors.as_slice());
            Heard { flow, number, created: of.created, state: it.state, since: cx.now, it, origin, errors }
        });
        let heard = live.or_else(|| {
            let of = self.kept.get(key)?;
            let (it, origin, since) = (&of.it, of.origin.as_deref(), of.history.states.last()?.0);
            Some(Heard { flow, number, created: of.created, state: it.state, since, it, origin, errors: &[] })
        });
        heard?.seen(cx, stored).map(Arc::new)
    }

    /// An executor evaluates the events of the execution that was noted first.
    pub(in super::super) fn evaluate(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, events: u32) {
        let noted = self.events.next();
        cluster.members[executor].work(0.0, AN_EVENT.as_seconds_f64() * f64::from(events), cx.now);
        for _ in 0..events {
            cluster.consumed(cx, executor, QueueName::MultipleConditionEvent);
        }
        let Some(noted) = noted else { return };
        let &Noted { flow, number, created, state, since, ref it, ref origin, ref errors } = noted.as_ref();
        let heard = Heard { flow, number, created, state, since, it, origin: origin.as_deref(), errors };
        let found = self.listening.hear_events(cx, &heard);
        let mut started = told_of(cx, &heard, found);
        // Tasks look it up in the store, where it is as it is by now.
        if !started.0.is_empty()
            && let Some(stored) = self.stored_now(cx, (flow, number))
        {
            started.1 = Some(stored);
        }
        self.start_fired(cx, cluster, executor, (flow, number), started);
    }
}
