//! The scheduler: one loop a second over all triggers. Only loops that find a trigger ready are events.

use std::sync::Arc;

use super::Schedulable;
use super::behaviour::Place;
use super::cluster::Cluster;
use super::context::Context;
use super::event::Event;
use super::executor::Executor;
use super::grid::next_on_grid;
use super::happening::Happening;
use super::lines::LineAbout;
use super::meters::{Class, Meter, QueueName, Subject};
use super::origin::Origin;
use super::queue::{Message, QueueKind};
use super::scheduled::{self, Gate};
use super::worker::{JobOrder, Realtime, Work};
use crate::execution::Toggle;
use crate::execution::trigger::{Look, Next, Why};
use crate::flow::{Recover, Schedule, State, Trigger, TriggerAction};
use crate::profile::LineKind;
use crate::random::noise;
use crate::scenario::{FaultKind, Plan, trigger_dialect};
use crate::time::{Calendar, Duration, Instant};

/// All Schedule and polling triggers.
#[derive(Clone, Debug)]
pub(super) struct Scheduler {
    triggers: Vec<TriggerState>,
    /// What is asked before each of them fires.
    gates: Arc<[Option<Gate>]>,
}

/// A trigger the scheduler evaluates.
#[derive(Clone, Debug)]
struct TriggerState {
    /// Index of its flow, and of the trigger in it.
    place: (u32, u32),
    /// When it is due next.
    next: Instant,
    /// When it was due last; at first when it came to be.
    last: Instant,
    /// Up to here its conditions let no date through.
    barren: Option<jiff::Timestamp>,
    /// An execution ended in a state of its `stopAfter`, or a task has switched it off.
    off: bool,
    /// Waits for the execution it created, or for its evaluation in a worker.
    locked: bool,
    /// Since when.
    since: Instant,
    /// The date that was evaluated last.
    due: Instant,
    /// What it waits for is not there any more.
    missing: bool,
    /// It was due while it was locked.
    late: bool,
    generation: u32,
    evaluations: u64,
    /// A paused backfill of it is there, and goes on.
    backfill: bool,
    /// How often one began or ended.
    turns: u32,
    /// People were told that its inputs are refused.
    told: bool,
    /// A second scheduler does not see that a date of it was taken.
    twice: bool,
    /// A worker listens for it all the time: it is locked as long as one does, and by no execution.
    realtime: bool,
}

/// While a trigger is due and its execution still runs, the wait is recorded this often (recorded: 14 in 140 s).
const LOCK_RECORDED: Duration = Duration::seconds(10);

/// A trigger whose execution is missing for longer is told of in the log, each time that it is looked at (source of 1.3 and 2.0).
const MISSED: Duration = Duration::seconds(60);

/// All triggers that a scheduler evaluates: Schedule and polling ones.
fn triggers(plan: &Plan, calendar: &Calendar, now: Instant) -> Vec<TriggerState> {
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
                // One that is new is evaluated at once (source).
                TriggerAction::Realtime => now,
                TriggerAction::Webhook | TriggerAction::Flow(_) | TriggerAction::Dates => continue,
            };
            triggers.push(TriggerState {
                place: (flow_index as u32, index as u32),
                next,
                last: now,
                barren: None,
                off: false,
                locked: false,
                since: now,
                due: now,
                missing: false,
                late: false,
                generation: 0,
                evaluations: 0,
                backfill: false,
                turns: 0,
                told: false,
                twice: false,
                realtime: matches!(trigger.action, TriggerAction::Realtime),
            });
        }
    }
    triggers
}

impl TriggerState {
    /// It is due, and waits for its execution, or for one that is missing.
    fn wait(&mut self, cx: &mut Context, cluster: &mut Cluster, scheduler: usize) {
        self.late = true;
        let subject = Subject::Flow(self.place.0);
        if !self.missing {
            return cluster.time(cx, scheduler, Meter::SchedulerLock, subject, cx.now.since(self.next));
        }
        let gone = cx.now.since(self.since);
        cluster.time(cx, scheduler, Meter::SchedulerMissing, subject, gone);
        if gone > MISSED {
            let (flow, index) = self.place;
            let about = LineAbout::Trigger { flow, index, since: self.since, number: None };
            cluster.log(cx, scheduler, LineKind::Blocked, about);
        }
    }
}

/// What an execution is started with whose trigger has variables by its `behaviour`.
fn given(cx: &Context, (flow, index): (u32, u32)) -> Option<Arc<Origin>> {
    let variables = cx.flows.get(flow as usize)?.outputs.get(&Place::Trigger(index))?;
    let labels = cx.plan.flows.get(flow as usize)?.labels.clone();
    Some(Arc::new(Origin { labels, trigger: Some(variables.as_ref().clone()), ..Origin::default() }))
}

/// How long after one evaluation of a trigger that workers evaluate the next one may come; a realtime trigger whose
/// conditions do not hold is looked at each second (source).
fn interval(action: &TriggerAction) -> Duration {
    match action {
        TriggerAction::Poll { interval } => *interval,
        _ => Duration::seconds(1),
    }
}

/// The trigger at a place.
fn found(plan: &Plan, (flow, index): (u32, u32)) -> Option<&Trigger> {
    plan.flows.get(flow as usize)?.triggers.get(index as usize)
}

/// A scheduler creates an execution of a trigger at a place that was due then; who waits for it, if somebody does.
fn create(
    cx: &mut Context,
    (cluster, executor): (&mut Cluster, &mut Executor),
    scheduler: usize,
    ((flow, index), due, waits): ((u32, u32), Instant, Option<u32>),
    origin: Option<Arc<Origin>>,
) {
    let number = numbered(cx, executor, (flow, index), origin);
    cluster.count(cx, scheduler, Meter::SchedulerTrigger, Subject::FlowState(flow, State::Created));
    // Counted by 1.3 and 2.0, not by 0.20 (recorded: 22 more lines of 22 triggers, 16 of 16, none of 13).
    let about = LineAbout::Trigger { flow, index, since: due, number: Some(number) };
    cluster.log(cx, scheduler, LineKind::TriggerEvaluated, about.clone());
    cluster.log(cx, scheduler, LineKind::Scheduled, about);
    let slot = executor.create(cx, cluster, scheduler, (flow, number), (waits, 0));
    executor.is_triggered(slot, index);
    cluster.members[scheduler].work(0.6e6, 0.005, cx.now);
}

/// The number of a new execution of a trigger at a place, which is kept with what it is started with.
fn numbered(cx: &mut Context, executor: &mut Executor, place: (u32, u32), origin: Option<Arc<Origin>>) -> u64 {
    let number = cx.next_number(place.0);
    if let Some(origin) = origin.or_else(|| given(cx, place)) {
        executor.origins.insert((place.0, number), origin);
    }
    number
}

/// A scheduler creates an execution that is FAILED from the start, for which nobody waits.
fn create_failed(
    cx: &mut Context,
    (cluster, executor): (&mut Cluster, &mut Executor),
    scheduler: usize,
    (flow, gate): (u32, &Gate),
) {
    let number = cx.next_number(flow);
    executor.origins.insert((flow, number), gate.failed(cx));
    executor.create(cx, cluster, scheduler, (flow, number), (None, 0));
}

/// The loop of the scheduler that finds a paused backfill next: each, once a second.
fn plan_backfill(cx: &mut Context, trigger: u32, state: &TriggerState) {
    if state.backfill {
        let at = next_on_grid(cx.now, Duration::seconds(1), noise(cx.seed.0 ^ 0x5c4e, 1));
        cx.events.push(at, Event::Backfill { trigger, turn: state.turns });
    }
}

impl Scheduler {
    pub(super) fn new(cx: &Context) -> Scheduler {
        let triggers = triggers(&cx.plan, &cx.calendar, cx.born);
        let gates = triggers.iter().map(|state| Gate::new(&cx.plan, state.place)).collect();
        Scheduler { triggers, gates }
    }

    /// Plans the next look at every trigger, when a scheduler comes.
    pub(super) fn plan_all(&mut self, cx: &mut Context) {
        for trigger in 0..self.triggers.len() {
            self.recover(cx, trigger);
            self.plan(cx, trigger as u32);
        }
    }

    /// Loops take another time from now on: plans the next look at every trigger that waits for its date.
    pub(super) fn plan_again(&mut self, cx: &mut Context) {
        for trigger in 0..self.triggers.len() {
            if self.triggers.get(trigger).is_some_and(|state| !state.locked) {
                self.plan(cx, trigger as u32);
            }
        }
    }

    /// What a scheduler that comes makes of the dates that were missed: they are all due (ALL, as it is without a word), the
    /// last of them is, or none.
    fn recover(&mut self, cx: &Context, trigger: usize) {
        let Some(state) = self.triggers.get_mut(trigger) else { return };
        let (schedule, limits) = match found(&cx.plan, state.place) {
            Some(Trigger { action: TriggerAction::Schedule(schedule), limits, .. }) => (schedule, limits),
            _ => return,
        };
        let now = cx.calendar.date(cx.now);
        match limits.recover {
            None | Some(Recover::All) => {}
            Some(Recover::Last) => {
                let gate = self.gates.get(trigger).and_then(Option::as_ref);
                let previous = match gate {
                    Some(gate) => gate.previous(cx, now),
                    None => schedule.previous_before(now),
                };
                if let Some(previous) = previous.map(|date| cx.calendar.instant(date)).filter(|it| *it > state.last) {
                    state.next = previous;
                }
            }
            Some(Recover::None) => {
                state.next = schedule.next_after(now).map_or(Instant::NEVER, |date| cx.calendar.instant(date));
            }
        }
    }

    /// What faults make of the Schedules of flows from now on.
    pub(super) fn disturb(&mut self, cx: &mut Context, of_flow: impl Fn(FaultKind, usize) -> bool) {
        let plan = cx.plan.clone();
        for (trigger, state) in self.triggers.iter_mut().enumerate() {
            let is_schedule = |it: &Trigger| matches!(it.action, TriggerAction::Schedule(_));
            if !found(&plan, state.place).is_some_and(is_schedule) {
                continue;
            }
            let flow = state.place.0 as usize;
            state.twice = of_flow(FaultKind::ScheduledTwice, flow);
            let before = std::mem::replace(&mut state.backfill, of_flow(FaultKind::PausedBackfill, flow));
            if before != state.backfill {
                state.turns += 1;
                plan_backfill(cx, trigger as u32, state);
            }
        }
    }

    /// A loop of the scheduler finds a paused backfill, and starts the next execution of it: no lock holds it back, and the
    /// dates of the Schedule itself are not moved by it.
    pub(super) fn backfill(
        &mut self,
        cx: &mut Context,
        (cluster, executor): (&mut Cluster, &mut Executor),
        trigger: u32,
        turn: u32,
    ) {
        let Some(state) = self.triggers.get(trigger as usize).filter(|it| it.turns == turn) else { return };
        plan_backfill(cx, trigger, state);
        let place = state.place;
        if let Some(scheduler) = cluster.scheduler(cx) {
            cluster.count(cx, scheduler, Meter::SchedulerEvaluate, Subject::Bare);
            create(cx, (cluster, executor), scheduler, (place, cx.now, None), None);
        }
    }

    /// Plans the look of the loop that will find a trigger due.
    fn plan(&mut self, cx: &mut Context, trigger: u32) {
        let state = &mut self.triggers[trigger as usize];
        if state.next == Instant::NEVER || state.off || state.realtime && state.locked {
            return;
        }
        state.generation += 1;
        let generation = state.generation;
        // The loop looks once a second, at its own phase.
        let phase = noise(cx.seed.0 ^ 0x5c4e, 1);
        let at = next_on_grid(state.next.max(cx.now), cx.loop_takes.max(Duration::seconds(1)), phase);
        // In a long loop it has its turn sooner or later.
        let turn = cx.loop_takes.times(noise(cx.seed.0 ^ 0x7091, u64::from(trigger)));
        cx.events.push(at + turn, Event::TriggerDue { trigger, generation });
    }

    /// A loop of the scheduler finds a trigger due.
    pub(super) fn due(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: &mut Executor,
        trigger: u32,
        generation: u32,
    ) {
        let now = cx.now;
        let state = &mut self.triggers[trigger as usize];
        if state.generation != generation || state.off {
            return;
        }
        // With no scheduler nothing happens; one that comes plans anew.
        let Some(scheduler) = cluster.scheduler(cx) else { return };
        let (flow, index) = state.place;
        let plan = cx.plan.clone();
        let Some(it) = found(&plan, (flow, index)) else { return };
        if state.locked {
            state.wait(cx, cluster, scheduler);
            cx.after(LOCK_RECORDED, Event::TriggerDue { trigger, generation });
            return;
        }
        cluster.count(cx, scheduler, Meter::SchedulerEvaluate, Subject::Bare);
        if let Some(process) = &mut cluster.members[scheduler].process
            && process.last_ready_loop != now
        {
            process.last_ready_loop = now;
            let traces = !process.loggers().is_empty();
            cluster.count(cx, scheduler, Meter::SchedulerLoop, Subject::Bare);
            if traces {
                self.trace_loop(cx, cluster, scheduler);
            }
        }
        match &it.action {
            TriggerAction::Schedule(schedule) => {
                self.at_date(cx, (cluster, executor), scheduler, trigger, (it, schedule));
            }
            TriggerAction::Poll { .. } | TriggerAction::Realtime => {
                let interval = interval(&it.action);
                let (due, gates) = (cx.calendar.date(self.triggers[trigger as usize].next), self.gates.clone());
                let gate = gates.get(trigger as usize).and_then(Option::as_ref);
                match gate.map_or(Look::Lets, |gate| gate.look(cx, due)) {
                    Look::Lets => self.ask_worker(cx, cluster, scheduler, trigger, interval),
                    look => {
                        self.triggers[trigger as usize].next = now + interval;
                        if let (Look::Fails(_), Some(gate)) = (look, gate) {
                            self.fail(cx, (cluster, executor), scheduler, trigger, gate);
                        }
                    }
                }
            }
            TriggerAction::Webhook | TriggerAction::Flow(_) | TriggerAction::Dates => return,
        }
        self.plan(cx, trigger);
    }

    /// What a loop writes at TRACE of the triggers that it found due.
    fn trace_loop(&self, cx: &mut Context, cluster: &mut Cluster, scheduler: usize) {
        let due = self.triggers.iter().filter(|it| it.next <= cx.now && !it.locked && !it.off).count() as u32;
        for kind in [LineKind::SchedulerLoop, LineKind::SchedulerEvaluates] {
            cluster.log(cx, scheduler, kind, LineAbout::Due(due));
        }
    }

    /// A date of a Schedule is due: what its conditions make of it, and which date comes next.
    fn at_date(
        &mut self,
        cx: &mut Context,
        (cluster, executor): (&mut Cluster, &mut Executor),
        scheduler: usize,
        trigger: u32,
        (it, schedule): (&Trigger, &Schedule),
    ) {
        let gates = self.gates.clone();
        let gate = gates.get(trigger as usize).and_then(Option::as_ref);
        let state = &mut self.triggers[trigger as usize];
        let ((flow, index), due) = (state.place, state.next);
        state.due = due;
        let (date, before) = (cx.calendar.date(due), cx.calendar.date(std::mem::replace(&mut state.last, due)));
        let look = gate.map_or(Look::Lets, |gate| gate.look(cx, date));
        let plain = |date| Next { date: schedule.next_after(date), barren: None };
        let next = match (&look, gate) {
            // A Schedule that fails goes on from now, and does not ask.
            (Look::Fails(_), _) => plain(cx.calendar.date(cx.now)),
            (_, Some(gate)) => gate.next(cx, schedule, (date, state.barren)),
            (_, None) => plain(date),
        };
        state.barren = next.barren;
        state.next = next.date.map_or(Instant::NEVER, |date| cx.calendar.instant(date));
        match (look, gate) {
            (Look::Lets, gate) => {
                let given = gate.map_or(Ok(None), |gate| gate.given(cx, date, before, next));
                let waits = given.is_ok().then_some(it.limits.allow_concurrent != Some(true));
                self.evaluated_schedule(cx, cluster, scheduler, trigger, (due, waits));
                let given = match (given, gate) {
                    (Ok(origin), _) => Some(origin),
                    (Err(why), Some(gate)) => {
                        self.refused(cx, (cluster, executor), scheduler, (trigger, gate), why);
                        None
                    }
                    (Err(_), None) => None,
                };
                if let Some(origin) = given {
                    scheduled::tell(cx, (flow, index as usize), date, &Why::Fires);
                    let (place, twice) = ((flow, index), self.triggers[trigger as usize].twice);
                    let other = if twice { cluster.other_scheduler(cx, scheduler) } else { None };
                    let again = other.map(|other| (other, origin.clone()));
                    self.fire(cx, cluster, executor, scheduler, trigger, origin);
                    if let Some((other, origin)) = again {
                        create(cx, (cluster, executor), other, (place, due, None), origin);
                    }
                }
            }
            (Look::Refused(why), Some(gate)) => gate.tell(cx, date, &why),
            (Look::Fails(why), Some(gate)) => {
                gate.tell(cx, date, &why);
                self.fail(cx, (cluster, executor), scheduler, trigger, gate);
            }
            (_, None) => {}
        }
        if let Some(gate) = gate {
            gate.tell_between(cx, schedule, date, next.date);
        }
    }

    /// The inputs of a date are refused: by the version no execution, or one that is FAILED from the start and of which the
    /// trigger knows nothing.
    fn refused(
        &mut self,
        cx: &mut Context,
        (cluster, executor): (&mut Cluster, &mut Executor),
        scheduler: usize,
        (trigger, gate): (u32, &Gate),
        why: String,
    ) {
        let state = &mut self.triggers[trigger as usize];
        let flow = state.place.0;
        if !std::mem::replace(&mut state.told, true) {
            cx.tell(Happening::Asked { deed: "schedule", flow: flow as usize, executions: 0, why: Some(why.into()) });
        }
        if trigger_dialect(cx.plan.kestra).failed_schedule {
            create_failed(cx, (cluster, executor), scheduler, (flow, gate));
        }
    }

    /// A condition fails: an execution that is FAILED from the start, for which the trigger does not wait.
    fn fail(
        &mut self,
        cx: &mut Context,
        (cluster, executor): (&mut Cluster, &mut Executor),
        scheduler: usize,
        trigger: u32,
        gate: &Gate,
    ) {
        let (flow, _) = self.triggers[trigger as usize].place;
        create_failed(cx, (cluster, executor), scheduler, (flow, gate));
        self.stop_after(cx, trigger, State::Failed);
    }

    /// A task switches a trigger. One that is switched on has missed no date: the first after it was switched off is next
    /// (source: only whether it is disabled is stored).
    pub(super) fn toggle(&mut self, cx: &mut Context, toggle: &Toggle) {
        let Toggle { namespace, flow, trigger, enabled } = toggle;
        let plan = cx.plan.clone();
        let is = |it: &TriggerState| {
            let of = plan.flows.get(it.place.0 as usize);
            of.is_some_and(|of| of.namespace == *namespace && of.id == *flow)
                && found(&plan, it.place).is_some_and(|it| it.id == *trigger)
        };
        let Some(at) = self.triggers.iter().position(is) else { return };
        let was = std::mem::replace(&mut self.triggers[at].off, !enabled);
        if was && *enabled {
            self.plan(cx, at as u32);
        }
    }

    /// An execution of a trigger has ended: so the trigger may be switched off.
    fn stop_after(&mut self, cx: &Context, trigger: u32, state: State) {
        let it = &mut self.triggers[trigger as usize];
        it.off |= found(&cx.plan, it.place).is_some_and(|found| found.limits.stop_after.contains(&state));
    }

    /// A Schedule was evaluated; whether it waits for its execution, if it made one.
    fn evaluated_schedule(
        &mut self,
        cx: &Context,
        cluster: &mut Cluster,
        scheduler: usize,
        trigger: u32,
        (due, waits): (Instant, Option<bool>),
    ) {
        let now = cx.now;
        let state = &mut self.triggers[trigger as usize];
        let (flow, index) = state.place;
        let evaluation = Duration::microseconds(400).times(0.5 + noise(0xe7a1, now.as_nanoseconds() as u64));
        cluster.time(cx, scheduler, Meter::SchedulerEvaluation, Subject::TriggerKind(flow, index), evaluation);
        state.locked = waits == Some(true);
        let was_late = std::mem::take(&mut state.late);
        if waits.is_some() && !was_late {
            // Whole seconds (recorded).
            let delay = Duration::seconds(now.since(due).as_milliseconds() / 1000);
            let subject = Subject::FlowState(flow, State::Created);
            cluster.time(cx, scheduler, Meter::SchedulerDelay, subject, delay);
        }
    }

    fn ask_worker(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        scheduler: usize,
        trigger: u32,
        interval: Duration,
    ) {
        let state = &mut self.triggers[trigger as usize];
        state.locked = true;
        state.late = false;
        state.due = state.next;
        state.next = cx.now + interval;
        state.evaluations += 1;
        let ((flow, index), evaluation) = (state.place, state.evaluations);
        let about = LineAbout::Trigger { flow, index, since: state.due, number: None };
        cluster.log(cx, scheduler, LineKind::TriggerSent, about);
        cx.truth.polls += 1;
        cluster.produce(cx, scheduler, Class::WorkerJob, 1);
        let realtime = state.realtime.then_some(Realtime { messages: 0 });
        let work = Work::Trigger { trigger, flow, index, evaluation, realtime };
        let order = JobOrder { work, created: cx.now, resubmitted: false, within: None };
        cluster.send(cx, QueueKind::WorkerJob, Message::Job(order));
    }

    /// A worker tells what a polling trigger found.
    pub(super) fn evaluated(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: &mut Executor,
        scheduler: usize,
        (trigger, fires): (u32, bool),
    ) {
        cx.truth.polls_ended += 1;
        cluster.consumed(cx, scheduler, QueueName::TriggerEvent);
        match fires {
            true => self.fire(cx, cluster, executor, scheduler, trigger, None),
            false => self.unlock(cx, trigger),
        }
    }

    /// A message came to a realtime trigger: it creates an execution and does not wait for it. That counts neither as an
    /// evaluation nor as a trigger (source of 1.3).
    pub(super) fn emitted(
        &mut self,
        cx: &mut Context,
        (cluster, executor): (&mut Cluster, &mut Executor),
        scheduler: usize,
        trigger: u32,
    ) {
        cluster.consumed(cx, scheduler, QueueName::TriggerEvent);
        let Some(state) = self.triggers.get(trigger as usize).filter(|it| !it.off) else { return };
        let place = state.place;
        let number = numbered(cx, executor, place, None);
        let slot = executor.create(cx, cluster, scheduler, (place.0, number), (None, 0));
        executor.is_triggered(slot, place.1);
        cluster.members[scheduler].work(0.6e6, 0.005, cx.now);
    }

    /// A trigger creates an execution, and waits for it.
    fn fire(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: &mut Executor,
        scheduler: usize,
        trigger: u32,
        origin: Option<Arc<Origin>>,
    ) {
        let state = &mut self.triggers[trigger as usize];
        (state.since, state.missing) = (cx.now, false);
        let place = state.place;
        create(cx, (cluster, executor), scheduler, (place, state.due, Some(trigger)), origin);
    }

    /// The execution that a trigger waited for has ended.
    pub(super) fn ended(&mut self, cx: &mut Context, trigger: u32, state: State) {
        self.stop_after(cx, trigger, state);
        self.unlock(cx, trigger);
    }

    /// The execution that a trigger waits for is lost: it waits on for ever, as nobody unlocks it by hand here.
    pub(super) fn misses(&mut self, trigger: u32) {
        if let Some(state) = self.triggers.get_mut(trigger as usize) {
            state.missing = state.locked;
        }
    }

    /// What a trigger waited for is over.
    fn unlock(&mut self, cx: &mut Context, trigger: u32) {
        self.triggers[trigger as usize].locked = false;
        self.plan(cx, trigger);
    }

    /// All Schedule and polling triggers, as 1.3 lists them.
    pub(super) fn schedulable(&self) -> Vec<Schedulable> {
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

#[cfg(test)]
mod tests {
    use super::super::testing::{events, second, world};
    use super::*;

    const FLOW: &str = "flows:\n  - id: f\n    namespace: n\n    tasks: [ { id: t, type: t.T } ]\n    triggers:\n";
    const MINUTELY: &str = "      - { id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" }\n";
    const POLLING: &str = "      - { id: p, type: io.kestra.plugin.core.http.Trigger, interval: PT30S }\n";

    struct World {
        cx: Context,
        cluster: Cluster,
        executor: Executor,
        scheduler: Scheduler,
    }

    impl World {
        fn new(triggers: &str) -> World {
            let (cx, cluster) = world("standalone: 1, age: 1m", &format!("{FLOW}{triggers}"));
            let (executor, scheduler) = (Executor::new(&cx.plan), Scheduler::new(&cx));
            World { cx, cluster, executor, scheduler }
        }

        /// Lets the loop find what is due up to an instant.
        fn run(&mut self, until: Instant) {
            let World { cx, cluster, executor, scheduler } = self;
            scheduler.plan_all(cx);
            while let Some((at, event)) = cx.events.pop(until) {
                cx.now = at;
                if let Event::TriggerDue { trigger, generation } = event {
                    scheduler.due(cx, cluster, executor, trigger, generation);
                }
            }
        }
    }

    #[test]
    fn a_schedule_creates_one_execution_and_waits_for_its_end() {
        let mut world = World::new(MINUTELY);
        world.run(second(400));
        // Since a minute before the start it was due each minute, and its one execution never ends.
        assert_eq!(world.cx.truth.triggered, 1);
        world.scheduler.unlock(&mut world.cx, 0);
        world.run(second(500));
        assert_eq!(world.cx.truth.triggered, 2, "what it missed is made up for, one after another");
    }

    #[test]
    fn a_polling_trigger_asks_a_worker_and_fires_when_it_found_something() {
        let mut world = World::new(POLLING);
        world.run(second(400));
        assert_eq!((world.cx.truth.polls, world.cx.truth.triggered), (1, 0));
        let jobs = world.cluster.drain(QueueKind::WorkerJob);
        let expected = matches!(
            jobs.as_slice(),
            [Message::Job(JobOrder {
                work: Work::Trigger { trigger: 0, flow: 0, index: 0, evaluation: 1, realtime: None },
                ..
            })]
        );
        assert!(expected, "{jobs:?}");
        let World { cx, cluster, executor, scheduler } = &mut world;
        scheduler.evaluated(cx, cluster, executor, 0, (0, false));
        assert_eq!((cx.truth.polls_ended, cx.truth.triggered), (1, 0));
        scheduler.evaluated(cx, cluster, executor, 0, (0, true));
        assert_eq!(cx.truth.triggered, 1);
    }

    #[test]
    fn without_a_scheduler_nothing_is_due() {
        let mut world = World::new(MINUTELY);
        world.cluster.members[0].end(world.cx.now);
        world.run(second(400));
        assert_eq!(world.cx.truth.triggered, 0);
        assert!(events(&mut world.cx, second(9_999)).is_empty());
    }

    #[test]
    fn disabled_triggers_and_flows_are_not_evaluated() {
        let mut off = World::new(&MINUTELY.replace("id: s,", "id: s, disabled: true,"));
        assert!(off.scheduler.schedulable().is_empty());
        off.run(second(400));
        assert_eq!(off.cx.truth.triggered, 0);
        assert_eq!(World::new(MINUTELY).scheduler.schedulable().len(), 1);
    }
}
