//! The executor: executions from CREATED to their end, task after task, retries, `errors`, concurrency limits.
//! What it counts follows the recordings, errors included; what is true is counted beside it.

use std::collections::VecDeque;

use super::behaviour;
use super::cluster::Cluster;
use super::context::Context;
use super::event::Event;
use super::limits;
use super::messages::Moment;
use super::meters::{Class, Meter, QueueName, Subject};
use super::origin::Origins;
use super::queue::{Message, QueueKind};
use super::slots::Slots;
use super::worker::{JobOrder, TaskEnd, Work};
use crate::flow::{ConcurrencyBehavior, Retry, RetryPause, State, Task};
use crate::profile::{Quirk, Role};
use crate::random::name_key;
use crate::scenario::Plan;
use crate::time::{Duration, Instant};

/// All executions that have not ended.
#[derive(Clone, Debug)]
pub(super) struct Executor {
    executions: Slots<Execution>,
    /// By flow.
    places: Vec<Places>,
    /// What those that have not ended were started with, where that is anything.
    pub(super) origins: Origins,
}

/// The places of a flow's concurrency limit.
#[derive(Clone, Debug, Default)]
struct Places {
    /// Executions that hold one.
    held: u32,
    /// Executions that wait for one.
    waiting: VecDeque<(u32, u64)>,
}

/// An execution that has not ended.
#[derive(Clone, Debug)]
struct Execution {
    flow: u32,
    number: u64,
    state: State,
    created: Instant,
    /// Index of the current task, those of `errors` after those of `tasks`.
    task: u32,
    attempt: u32,
    first_attempt: Instant,
    failed: bool,
    warned: bool,
    retried: bool,
    holds_place: bool,
    /// The trigger that waits for its end.
    trigger: Option<u32>,
    /// How often its flow was tried before (`retry` of the flow).
    flow_attempt: u32,
}

/// A trigger whose execution has ended: it may fire again.
pub(super) type Freed = Option<u32>;

impl Executor {
    pub(super) fn new(plan: &Plan) -> Executor {
        Executor {
            executions: Slots::new(),
            places: vec![Places::default(); plan.flows.len()],
            origins: Origins::default(),
        }
    }

    /// Creates an execution. `creator` is the member that writes it: a webserver, a scheduler, an executor.
    pub(super) fn create(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        creator: usize,
        (flow, number): (u32, u64),
        (trigger, flow_attempt): (Option<u32>, u32),
    ) {
        let now = cx.now;
        if self.executions.len() >= limits::LIVE_EXECUTIONS {
            cx.reached("the number of executions that have not ended", limits::LIVE_EXECUTIONS as u64);
        }
        cx.truth.created += 1;
        cx.truth.triggered += u64::from(trigger.is_some());
        let slot = self.executions.insert(Execution {
            flow,
            number,
            state: State::Created,
            created: now,
            task: 0,
            attempt: 1,
            first_attempt: now,
            failed: false,
            warned: false,
            retried: false,
            holds_place: false,
            trigger,
            flow_attempt,
        });
        cx.truth.live += 1;
        cluster.tell(cx, creator, Moment::Asked);
        cluster.index(cx, creator, Class::Execution, 1);
        cluster.send(cx, QueueKind::Execution, Message::Execution { slot, number });
    }

    fn execution(&self, slot: u32, number: u64) -> Option<&Execution> {
        self.executions.get(slot).filter(|execution| execution.number == number)
    }

    /// An executor looks at an execution that was created, or that came from the concurrency queue.
    pub(super) fn process(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        number: u64,
    ) -> Freed {
        let Execution { flow, state, .. } = *self.execution(slot, number)?;
        if state == State::Created {
            message(cx, cluster, executor, flow, State::Created);
            cluster.consumed(cx, executor, QueueName::ExecutionCommand);
            cluster.tell(cx, executor, Moment::Seen);
            if cluster.members[executor].profile().has(Quirk::NamedQueues) {
                // Registered for this state too.
                let subject = Subject::FlowState(flow, State::Created);
                cluster.count_many(cx, executor, Meter::DelayCreated, subject, 0.0);
            }
            if let Some(limit) = cx.plan.flows.get(flow as usize).and_then(|flow| flow.concurrency)
                && self.places[flow as usize].held >= limit.limit
            {
                return self.refuse(cx, cluster, executor, slot, limit.behavior);
            }
            cluster.count(cx, executor, Meter::ExecutionStarted, Subject::FlowState(flow, State::Created));
            self.places[flow as usize].held += 1;
        } else {
            // It has got its place from the one that ended.
            cluster.count(cx, executor, Meter::ExecutionPopped, Subject::FlowState(flow, State::Running));
        }
        self.transition(cx, cluster, executor, slot, State::Running);
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.holds_place = true;
        }
        // Registered with nothing in it whenever a state is looked at for retries (recorded).
        cluster.count_many(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, State::Running), 0.0);
        cluster.log_info(executor);
        cluster.members[executor].work(1.5e6, 0.015, cx.now);
        // Up to 0.20: what comes next, with the state before, and not for another attempt (standalone/activity_scrape1).
        let before = if state == State::Created { state } else { State::Running };
        cluster.count(cx, executor, Meter::TaskRunNext, Subject::FlowState(flow, before));
        self.next_task(cx, cluster, executor, slot, None)
    }

    /// More executions than the limit of the flow allows. Ends by CANCEL and FAIL are never counted (recorded).
    fn refuse(
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
                self.transition(cx, cluster, executor, slot, State::Queued);
                cx.truth.queued += 1;
                self.places[flow as usize].waiting.push_back((slot, number));
                cluster.count(cx, executor, Meter::ExecutionQueued, Subject::FlowState(flow, State::Queued));
                cluster.produce(cx, executor, Class::Execution, 1);
                None
            }
            ConcurrencyBehavior::Cancel => self.close(cx, cluster, executor, slot, State::Cancelled),
            ConcurrencyBehavior::Fail => self.close(cx, cluster, executor, slot, State::Failed),
        }
    }

    /// Goes to the task after `done`, or ends the execution.
    fn next_task(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        done: Option<u32>,
    ) -> Freed {
        let plan = cx.plan.clone();
        let execution = self.executions.get_mut(slot)?;
        let index = execution.flow;
        let flow = plan.flows.get(index as usize)?;
        let mut next = done.map_or(0, |task| task + 1);
        let end = if execution.failed { flow.tasks.len() + flow.errors.len() } else { flow.tasks.len() } as u32;
        if execution.failed && next <= flow.tasks.len() as u32 {
            next = next.max(flow.tasks.len() as u32);
        }
        while next < end && behaviour::task(flow, next as usize).is_some_and(|task| task.disabled) {
            next += 1;
        }
        if next >= end {
            let state = match (execution.failed, execution.warned) {
                (true, _) => State::Failed,
                (false, true) => State::Warning,
                (false, false) => State::Success,
            };
            return self.finish(cx, cluster, executor, slot, state);
        }
        (execution.task, execution.attempt, execution.first_attempt) = (next, 1, cx.now);
        if done.is_some() {
            cluster.count(cx, executor, Meter::TaskRunNext, Subject::FlowState(index, State::Running));
        }
        self.create_task_run(cx, cluster, executor, slot);
        None
    }

    /// Creates a task run (an attempt) and hands it to the workers.
    fn create_task_run(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32) {
        self.transition(cx, cluster, executor, slot, State::Running);
        let Some(execution) = self.executions.get(slot) else { return };
        let Execution { flow, number, task, attempt, .. } = *execution;
        cx.truth.attempts += 1;
        message(cx, cluster, executor, flow, State::Running);
        cluster.count(cx, executor, Meter::TaskRunCreated, Subject::FlowState(flow, State::Running));
        cluster.tell(cx, executor, Moment::TaskRun);
        let work = Work::Task { slot, number, flow, task, attempt };
        let order = JobOrder { work, created: cx.now, resubmitted: false };
        cluster.send(cx, QueueKind::WorkerJob, Message::Job(order));
    }

    /// A worker says that it runs a task.
    pub(super) fn task_started(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        number: u64,
    ) {
        let Some(execution) = self.execution(slot, number) else { return };
        message(cx, cluster, executor, execution.flow, State::Running);
        cluster.produce(cx, executor, Class::Execution, 1);
    }

    /// A worker says how a task ended.
    pub(super) fn task_ended(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        (slot, number): (u32, u64),
        end: TaskEnd,
    ) -> Freed {
        let plan = cx.plan.clone();
        let execution = self.execution(slot, number).filter(|execution| execution.attempt == end.attempt)?;
        let (index, task_index) = (execution.flow, execution.task);
        let flow = plan.flows.get(index as usize)?;
        let task = behaviour::task(flow, task_index as usize)?;
        let in_errors = task_index as usize >= flow.tasks.len();
        cx.truth.attempts_ended += 1;
        message(cx, cluster, executor, index, State::Running);
        cluster.produce(cx, executor, Class::Execution, 1);
        cluster.count(cx, executor, Meter::TaskRunEnded, Subject::FlowState(index, end.state));
        cluster.time(cx, executor, Meter::TaskRunDuration, Subject::FlowState(index, end.state), end.duration);
        if end.state == State::Failed
            && let Some(retry) = &task.retry
            && let Some(pause) = self.retry_pause(cx, slot, retry, end.attempt)
        {
            if retry.new_execution {
                return self.retry_execution(cx, cluster, executor, slot, pause);
            }
            self.retry_task(cx, cluster, executor, slot, pause);
            return None;
        }
        let execution = self.executions.get_mut(slot)?;
        let state = counts_as(end.state, task, std::mem::take(&mut execution.retried));
        execution.warned |= state == State::Warning;
        execution.failed |= state == State::Failed;
        if state == State::Failed && !in_errors {
            let attempt = execution.flow_attempt + 1;
            if let Some(retry) = &flow.retry
                && let Some(pause) = self.retry_pause_of_flow(cx, slot, &retry.retry, attempt)
            {
                return self.retry_execution(cx, cluster, executor, slot, pause);
            }
        }
        // A task of `errors` that fails ends the list.
        let done = if state == State::Failed && in_errors { u32::MAX - 1 } else { task_index };
        self.next_task(cx, cluster, executor, slot, Some(done))
    }

    fn retry_pause(&self, cx: &Context, slot: u32, retry: &Retry, attempt: u32) -> Option<Duration> {
        let execution = self.executions.get(slot)?;
        let draws = execution.number << 16 | u64::from(attempt);
        retry_pause(cx, execution.flow, retry, attempt, execution.first_attempt, draws)
    }

    fn retry_pause_of_flow(&self, cx: &Context, slot: u32, retry: &Retry, attempt: u32) -> Option<Duration> {
        let execution = self.executions.get(slot)?;
        let draws = execution.number << 16 | 0xffff;
        retry_pause(cx, execution.flow, retry, attempt, execution.first_attempt, draws)
    }

    /// An attempt of a task failed, and another one follows.
    fn retry_task(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, pause: Duration) {
        let age = self.age(cx, slot);
        self.transition(cx, cluster, executor, slot, State::Retrying);
        let Some(execution) = self.executions.get_mut(slot) else { return };
        execution.attempt += 1;
        execution.retried = true;
        let (flow, number) = (execution.flow, execution.number);
        // Each failed attempt is counted as a failed execution (recorded).
        cluster.count(cx, executor, Meter::ExecutionEnded, Subject::FlowState(flow, State::Failed));
        cluster.time(cx, executor, Meter::ExecutionDuration, Subject::FlowState(flow, State::Failed), age);
        cluster.count(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, State::Retrying));
        for _ in 0..3 {
            message(cx, cluster, executor, flow, State::Retrying);
        }
        cluster.produce(cx, executor, Class::Execution, 2);
        cx.after(pause, Event::RetryDue { execution: slot, number });
    }

    /// `retry` with CREATE_NEW_EXECUTION, of a task or of the flow: this execution ends as RETRIED, a new one follows.
    fn retry_execution(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        pause: Duration,
    ) -> Freed {
        let age = self.age(cx, slot);
        let Execution { flow, number: old, flow_attempt, .. } = *self.executions.get(slot)?;
        let number = cx.next_number(flow);
        // The new one is started with the same.
        if let Some(origin) = self.origins.remove((flow, old)) {
            self.origins.insert((flow, number), origin);
        }
        cluster.count(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, State::Retried));
        cx.after(pause, Event::FlowRetryDue { flow, number, attempt: flow_attempt + 1 });
        // Counted as FAILED: RETRIED never appears in the counter of ends (recorded).
        message(cx, cluster, executor, flow, State::Retried);
        cluster.count(cx, executor, Meter::ExecutionEnded, Subject::FlowState(flow, State::Failed));
        cluster.time(cx, executor, Meter::ExecutionDuration, Subject::FlowState(flow, State::Failed), age);
        self.close(cx, cluster, executor, slot, State::Retried)
    }

    /// The pause before a new execution in place of a failed one is over.
    pub(super) fn flow_retry_due(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        flow: u32,
        number: u64,
        attempt: u32,
    ) {
        match cluster.pick(cx, Role::Executor, number) {
            Some(executor) => {
                cluster.count(cx, executor, Meter::DelayEnded, Subject::FlowState(flow, State::Retried));
                self.create(cx, cluster, executor, (flow, number), (None, attempt));
            }
            None => cx.after(Duration::seconds(1), Event::FlowRetryDue { flow, number, attempt }),
        }
    }

    /// The pause before an attempt is over.
    pub(super) fn retry_due(&mut self, cx: &mut Context, cluster: &mut Cluster, slot: u32, number: u64) {
        let Some(execution) = self.execution(slot, number) else { return };
        let flow = execution.flow;
        match cluster.pick(cx, Role::Executor, number) {
            Some(executor) => {
                cluster.count(cx, executor, Meter::DelayEnded, Subject::FlowState(flow, State::Retrying));
                self.create_task_run(cx, cluster, executor, slot);
            }
            // Delays are looked at each second by whatever executor there is.
            None => cx.after(Duration::seconds(1), Event::RetryDue { execution: slot, number }),
        }
    }

    /// An execution ends by its tasks.
    fn finish(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) -> Freed {
        let flow = self.executions.get(slot)?.flow;
        let age = self.age(cx, slot);
        message(cx, cluster, executor, flow, state);
        cluster.count(cx, executor, Meter::ExecutionEnded, Subject::FlowState(flow, state));
        cluster.time(cx, executor, Meter::ExecutionDuration, Subject::FlowState(flow, state), age);
        cluster.count_many(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, state), 0.0);
        cluster.log_info(executor);
        self.close(cx, cluster, executor, slot, state)
    }

    /// An execution is over: its place goes to the next one that waits, its trigger is free again.
    fn close(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) -> Freed {
        self.transition(cx, cluster, executor, slot, state);
        let execution = self.executions.remove(slot)?;
        self.origins.remove((execution.flow, execution.number));
        cx.truth.live -= 1;
        cx.truth.ended[state as usize] += 1;
        cluster.tell(cx, executor, Moment::Closed);
        if execution.holds_place {
            let places = &mut self.places[execution.flow as usize];
            match places.waiting.pop_front() {
                // The place is never free in between: a new execution would take it.
                Some((slot, number)) => {
                    cx.truth.queued -= 1;
                    if let Some(next) = self.executions.get_mut(slot) {
                        next.holds_place = true;
                    }
                    cluster.send(cx, QueueKind::Execution, Message::Execution { slot, number });
                }
                None => places.held -= 1,
            }
        }
        execution.trigger
    }

    /// An execution changes its state: the one place where one does after its creation. Who waits for that is told here.
    fn transition(&mut self, cx: &mut Context, _: &mut Cluster, _: usize, slot: u32, state: State) {
        if let Some(execution) = self.executions.get_mut(slot)
            && execution.state != state
        {
            execution.state = state;
            cx.changed(execution.flow, execution.number, state);
        }
    }

    fn age(&self, cx: &Context, slot: u32) -> Duration {
        self.executions.get(slot).map_or(Duration::ZERO, |execution| cx.now.since(execution.created))
    }

    /// Bytes of the executions.
    pub(super) fn bytes(&self) -> usize {
        self.executions.len() * size_of::<Execution>() + self.origins.bytes()
    }

    /// Executions that wait for the end of a pause.
    pub(super) fn retrying(&self) -> u64 {
        self.executions.iter().filter(|execution| execution.state == State::Retrying).count() as u64
    }

    /// What must always hold of executions.
    ///
    /// # Errors
    /// What does not.
    pub(super) fn laws(&self, cx: &Context) -> Result<(), String> {
        let live = self.executions.len() as u64;
        if cx.truth.live != live || cx.truth.created != cx.truth.ended_in_all() + live {
            return Err(format!("{live} executions live: {:?}", cx.truth));
        }
        let waiting: usize = self.places.iter().map(|places| places.waiting.len()).sum();
        if cx.truth.queued != waiting as u64 {
            return Err(format!("{waiting} executions are queued, not {}", cx.truth.queued));
        }
        for (places, flow) in self.places.iter().zip(&cx.plan.flows) {
            if flow.concurrency.is_some_and(|it| places.held > it.limit) {
                return Err(format!("{} executions of {} hold a place", places.held, flow.id));
            }
        }
        Ok(())
    }

    /// The same, seen from each execution: the costly part of the laws.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) fn laws_of_each(&self) -> Result<(), String> {
        let mut held = vec![0; self.places.len()];
        for execution in self.executions.iter().filter(|it| it.holds_place) {
            held[execution.flow as usize] += 1;
        }
        for (flow, (places, held)) in self.places.iter().zip(held).enumerate() {
            if held != places.held {
                return Err(format!("{held} executions of flow {flow} hold {} places", places.held));
            }
        }
        let homeless = |it: &&Execution| matches!(it.state, State::Running | State::Retrying) && !it.holds_place;
        match self.executions.iter().find(homeless) {
            Some(execution) => Err(format!("an execution runs without a place: {execution:?}")),
            None => Ok(()),
        }
    }
}

/// An executor processes a message about an execution.
fn message(cx: &mut Context, cluster: &mut Cluster, executor: usize, flow: u32, state: State) {
    let times = cx.spread(0x3e55, 0.4, 1.6) * cx.slowdown();
    let time = Duration::microseconds(1_800).times(times);
    cluster.time(cx, executor, Meter::ExecutionMessage, Subject::FlowState(flow, state), time);
}

/// What the end of a task counts as for its execution.
fn counts_as(end: State, task: &Task, retried: bool) -> State {
    let mut state = end;
    if state == State::Failed && task.allow_failure {
        state = State::Warning;
    }
    if state == State::Success && retried && task.retry.as_ref().is_some_and(|retry| retry.warning_on_retry) {
        state = State::Warning;
    }
    if state == State::Warning && task.allow_warning {
        state = State::Success;
    }
    state
}

/// The pause before the next attempt, if there is one.
fn retry_pause(cx: &Context, flow: u32, retry: &Retry, attempt: u32, first: Instant, draws: u64) -> Option<Duration> {
    if retry.max_attempts.is_some_and(|max| attempt >= max) {
        return None;
    }
    let pause = match retry.pause {
        RetryPause::Constant(interval) => interval,
        RetryPause::Exponential { interval, factor, max } => {
            interval.times(libm::pow(factor, f64::from(attempt.saturating_sub(1)))).min(max)
        }
        RetryPause::Random { min, max } => {
            let key = cx.flow_key(flow) ^ name_key("retry");
            min + max.saturating_sub(min).times(cx.seed.numbered(key, draws).uniform())
        }
    };
    let late = retry.max_duration.is_some_and(|most| (cx.now + pause).since(first) > most);
    (!late).then_some(pause)
}

#[cfg(test)]
mod tests;
