//! The places of a flow's concurrency limit: who holds one, who waits for one, and what follows when an execution is over.
//! A place is held from the beginning to the end, whatever happens in between: also while an execution is PAUSED or waits
//! for another attempt, and until `afterExecution` has run (source of 1.3 and 2.0).

use std::collections::VecDeque;

use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::entries::EntryAbout;
use super::super::messages::Moment;
use super::super::meters::{Class, Meter, Subject};
use super::super::queue::{Message, QueueKind};
use super::{Execution, Executor, Freed};
use crate::flow::{ConcurrencyBehavior, State};
use crate::profile::{LineLevel, Quirk};

/// The places of a flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Executions that hold one.
    pub(super) held: u32,
    /// Of these, such as no execution holds any more: those that held them are lost.
    pub(super) leaked: u32,
    /// Executions that wait for one, in the order in which they came.
    pub(super) waiting: VecDeque<(u32, u64)>,
}

impl Executor {
    /// More executions than the limit of the flow allows. Ends by CANCEL and FAIL are never counted (recorded).
    pub(super) fn refuse(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        behavior: ConcurrencyBehavior,
    ) -> Freed {
        let Execution { flow, number, .. } = *self.executions.get(slot)?;
        match behavior {
            ConcurrencyBehavior::Queue => {
                self.turn(cx, cluster, executor, slot, State::Queued);
                cx.truth.queued += 1;
                self.places[flow as usize].waiting.push_back((slot, number));
                cluster.count(cx, executor, Meter::ExecutionQueued, Subject::FlowState(flow, State::Queued));
                cluster.produce(cx, executor, Class::Execution, 1);
                None
            }
            ConcurrencyBehavior::Cancel => self.refused(cx, cluster, executor, slot, State::Cancelled),
            ConcurrencyBehavior::Fail => {
                cluster.write_logs(cx, executor, (flow, 1), |cx| {
                    let said = cx.profile.log_entries().over_limit.clone();
                    EntryAbout::Execution { number, said: vec![(LineLevel::Error, said)] }
                });
                self.refused(cx, cluster, executor, slot, State::Failed)
            }
        }
    }

    /// An execution ends before it began.
    pub(super) fn refused(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        state: State,
    ) -> Freed {
        self.turn(cx, cluster, executor, slot, state);
        self.ends(cx, cluster, executor, slot, state)
    }

    /// The webserver itself has made the execution FAILED: no Flow trigger hears of that (source of 1.3 and 2.0).
    pub(super) fn failed_checks(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
    ) -> Freed {
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.it.state = State::Failed;
        }
        self.unheard(cx, slot, State::Failed, true);
        self.ends(cx, cluster, executor, slot, State::Failed)
    }

    fn ends(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) -> Freed {
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.it.over = true;
        }
        self.close(cx, cluster, executor, slot, state);
        let freed = self.release(cx, cluster, slot);
        self.remove(cx, slot);
        freed
    }

    /// An execution that is QUEUED waits no more.
    pub(super) fn unqueue(&mut self, cx: &mut Context, flow: u32, (slot, number): (u32, u64)) {
        let Some(places) = self.places.get_mut(flow as usize) else { return };
        if let Some(at) = places.waiting.iter().position(|waiting| *waiting == (slot, number)) {
            places.waiting.remove(at);
            cx.truth.queued -= 1;
        }
    }

    /// An execution has ended.
    pub(super) fn close(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) {
        let Some(execution) = self.executions.get(slot) else { return };
        let (flow, number) = (execution.flow, execution.number);
        self.unqueue(cx, flow, (slot, number));
        self.ended += 1;
        cx.truth.live -= 1;
        cx.truth.ended[state as usize] += 1;
        cluster.tell(cx, executor, Moment::Closed);
    }

    /// Executions of a flow, or of all, are gone from the database: those that are not QUEUED (these stand in a table of
    /// their own). Nobody is told: a Subflow waits on, and so does a trigger, each of which is an item of the answer.
    pub(in super::super) fn lose(&mut self, cx: &mut Context, flow: Option<usize>) -> Vec<u32> {
        let gone = |it: &Execution| {
            flow.is_none_or(|flow| flow == it.flow as usize) && it.it.state != State::Queued && !it.it.state.is_over()
        };
        let slots: Vec<u32> = self.executions.numbered().filter(|(_, it)| gone(it)).map(|(slot, _)| slot).collect();
        let counted = !cx.profile.has(Quirk::PlacesOfRows);
        let mut triggers = Vec::new();
        for slot in slots {
            let Some(execution) = self.executions.get(slot) else { continue };
            let (flow, holds_place) = (execution.flow, execution.holds_place);
            triggers.extend(execution.trigger);
            if let Some(places) = self.places.get_mut(flow as usize).filter(|_| holds_place) {
                match counted {
                    true => places.leaked += 1,
                    false => places.held -= 1,
                }
            }
            cx.truth.live -= 1;
            cx.truth.lost += 1;
            self.forget(cx, slot);
        }
        triggers
    }

    /// An execution is over, and what runs after it too: its place goes to the next one that waits, whoever waited for it is
    /// told, its trigger is free again.
    pub(super) fn release(&mut self, cx: &mut Context, cluster: &mut Cluster, slot: u32) -> Freed {
        let execution = self.executions.get_mut(slot).filter(|it| it.it.over && it.it.state.is_over())?;
        let (flow, trigger, parent) = (execution.flow, execution.trigger.take(), execution.parent.take());
        let state = execution.it.state;
        let held = std::mem::take(&mut execution.holds_place);
        if let Some(parent) = parent {
            let sound = self.child_outputs(cx, slot, parent, state);
            self.breaks(cx, slot, parent, state);
            parent.tell(cx, cluster, sound.then_some(state));
        }
        if held {
            let places = &mut self.places[flow as usize];
            match places.waiting.pop_front() {
                // The place is never free in between: a new execution would take it.
                Some((slot, number)) => {
                    cx.truth.queued -= 1;
                    if let Some(next) = self.executions.get_mut(slot) {
                        next.holds_place = true;
                    }
                    cluster.send(cx, QueueKind::Execution, Message::Execution { slot, flow, number });
                }
                None => places.held -= 1,
            }
        }
        trigger.map(|trigger| (trigger, state))
    }
}
