//! The scheduler: one loop a second over all triggers. Only loops that find a trigger ready are events.

use super::event::Event;
use super::member::next_on_grid;
use super::meters::{Class, Meter, QueueName, Subject};
use super::queue::{Message, QueueKind};
use super::worker::{JobOrder, Work};
use super::{Schedulable, Simulation};
use crate::flow::TriggerAction;
use crate::profile::Role;
use crate::random::noise;
use crate::scenario::Plan;
use crate::time::{Calendar, Duration, Instant};

/// A trigger the scheduler evaluates.
#[derive(Clone, Debug)]
pub(super) struct TriggerState {
    /// Index of its flow, and of the trigger in it.
    pub(super) place: (u32, u32),
    /// When it is due next.
    next: Instant,
    /// Waits for the execution it created, or for its evaluation in a worker.
    locked: bool,
    /// It was due while it was locked.
    late: bool,
    generation: u32,
    evaluations: u64,
}

/// While a trigger is due and its execution still runs, the wait is recorded this often (recorded: 14 in 140 s).
const LOCK_RECORDED: Duration = Duration::seconds(10);

/// All triggers that a scheduler evaluates: Schedule and polling ones.
pub(super) fn triggers(plan: &Plan, calendar: &Calendar, now: Instant) -> Vec<TriggerState> {
    let mut triggers = Vec::new();
    for (flow_index, flow) in plan.flows.iter().enumerate().filter(|(_, flow)| !flow.disabled) {
        for (index, trigger) in flow.triggers.iter().enumerate().filter(|(_, trigger)| !trigger.disabled) {
            let next = match &trigger.action {
                TriggerAction::Schedule(schedule) => {
                    schedule.next_after(calendar.date(now)).map_or(Instant::NEVER, |date| calendar.instant(date))
                }
                TriggerAction::Poll { interval } => {
                    next_on_grid(now, *interval, noise(index as u64, flow_index as u64))
                }
                TriggerAction::Webhook | TriggerAction::Flow | TriggerAction::Realtime => continue,
            };
            triggers.push(TriggerState {
                place: (flow_index as u32, index as u32),
                next,
                locked: false,
                late: false,
                generation: 0,
                evaluations: 0,
            });
        }
    }
    triggers
}

impl Simulation {
    /// Plans the next look at every trigger, when a scheduler comes.
    pub(super) fn schedule_triggers(&mut self) {
        for trigger in 0..self.triggers.len() {
            self.schedule_trigger(trigger as u32);
        }
    }

    /// Plans the look of the loop that will find a trigger due.
    fn schedule_trigger(&mut self, trigger: u32) {
        let now = self.now;
        let state = &mut self.triggers[trigger as usize];
        if state.next == Instant::NEVER {
            return;
        }
        state.generation += 1;
        let generation = state.generation;
        // The loop looks once a second, at its own phase.
        let phase = noise(self.seed.0 ^ 0x5c4e, 1);
        let at = next_on_grid(state.next.max(now), Duration::seconds(1), phase);
        self.events.push(at, Event::TriggerDue { trigger, generation });
    }

    /// A loop of the scheduler finds a trigger due.
    pub(super) fn trigger_due(&mut self, trigger: u32, generation: u32) {
        let now = self.now;
        let state = &self.triggers[trigger as usize];
        if state.generation != generation {
            return;
        }
        // With no scheduler nothing happens; one that comes plans anew.
        let Some(scheduler) = self.pick(Role::Scheduler, 0) else { return };
        let (flow, index) = state.place;
        let plan = self.plan.clone();
        let Some(action) =
            plan.flows.get(flow as usize).and_then(|flow| flow.triggers.get(index as usize)).map(|it| &it.action)
        else {
            return;
        };
        if state.locked {
            let waited = now.since(state.next);
            self.triggers[trigger as usize].late = true;
            self.time(scheduler, Meter::SchedulerLock, Subject::Flow(flow), waited);
            self.events.push(now + LOCK_RECORDED, Event::TriggerDue { trigger, generation });
            return;
        }
        self.count(scheduler, Meter::SchedulerEvaluate, Subject::Bare);
        if self.members[scheduler].last_ready_loop != now {
            self.members[scheduler].last_ready_loop = now;
            self.count(scheduler, Meter::SchedulerLoop, Subject::Bare);
        }
        match action {
            TriggerAction::Schedule(schedule) => {
                let evaluation = Duration::microseconds(400).times(0.5 + noise(0xe7a1, now.as_nanoseconds() as u64));
                self.time(scheduler, Meter::SchedulerEvaluation, Subject::TriggerKind(flow, index), evaluation);
                let state = &mut self.triggers[trigger as usize];
                let due = state.next;
                state.locked = true;
                let was_late = std::mem::take(&mut state.late);
                // Missed dates are made up for one after another (recoverMissedSchedules: ALL).
                let date = self.calendar.date(due);
                state.next = schedule.next_after(date).map_or(Instant::NEVER, |date| self.calendar.instant(date));
                if !was_late {
                    // Whole seconds (recorded).
                    let delay = Duration::seconds(now.since(due).as_milliseconds() / 1000);
                    let subject = Subject::FlowState(flow, crate::flow::State::Created);
                    self.time(scheduler, Meter::SchedulerDelay, subject, delay);
                }
                self.fire(scheduler, trigger);
            }
            TriggerAction::Poll { interval } => {
                let state = &mut self.triggers[trigger as usize];
                state.locked = true;
                state.late = false;
                state.next = now + *interval;
                state.evaluations += 1;
                let evaluation = state.evaluations;
                self.truth.polls += 1;
                self.produce(scheduler, Class::WorkerJob, 1);
                let work = Work::Trigger { trigger, evaluation };
                self.send(QueueKind::WorkerJob, Message::Job(JobOrder { work, created: now, resubmitted: false }));
            }
            TriggerAction::Webhook | TriggerAction::Flow | TriggerAction::Realtime => return,
        }
        self.schedule_trigger(trigger);
    }

    /// A worker tells what a polling trigger found.
    pub(super) fn trigger_evaluated(&mut self, scheduler: usize, trigger: u32, fires: bool) {
        self.truth.polls_ended += 1;
        self.consumed(scheduler, QueueName::TriggerEvent);
        if fires { self.fire(scheduler, trigger) } else { self.unlock(trigger) }
    }

    /// A trigger creates an execution, and waits for it.
    fn fire(&mut self, scheduler: usize, trigger: u32) {
        let (flow, _) = self.triggers[trigger as usize].place;
        let number = self.flows[flow as usize].next_number();
        self.count(scheduler, Meter::SchedulerTrigger, Subject::FlowState(flow, crate::flow::State::Created));
        self.create(scheduler, flow, number, Some(trigger), 0);
        self.members[scheduler].jvm.work(0.6e6, 0.005, self.now);
    }

    /// What a trigger waited for has ended.
    pub(super) fn unlock(&mut self, trigger: u32) {
        self.triggers[trigger as usize].locked = false;
        self.schedule_trigger(trigger);
    }

    /// All Schedule and polling triggers, as 1.3 lists them.
    pub fn schedulable(&self) -> Vec<Schedulable> {
        self.triggers
            .iter()
            .map(|state| Schedulable {
                flow: state.place.0 as usize,
                trigger: state.place.1 as usize,
                next: (state.next != Instant::NEVER).then_some(state.next),
            })
            .collect()
    }
}
