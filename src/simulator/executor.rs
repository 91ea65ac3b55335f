//! The executor: executions from CREATED to their end, task after task, retries, `errors`, concurrency limits.
//! What it counts follows the recordings, errors included; what is true is counted beside it.

use std::collections::VecDeque;

use super::behaviour::{self, TaskModel};
use super::event::Event;
use super::messages::Moment;
use super::meters::{Class, Meter, QueueName, Subject};
use super::queue::{Message, QueueKind};
use super::worker::{JobOrder, TaskEnd, Work};
use super::{LimitReached, Simulation, limits};
use crate::flow::{ConcurrencyBehavior, Flow, Retry, RetryPause, State};
use crate::profile::{Quirk, Role};
use crate::random::name_key;
use crate::scenario::Plan;
use crate::time::{Duration, Instant};

/// A flow, made ready to run.
#[derive(Clone, Debug)]
pub(super) struct FlowModel {
    pub(super) key: u64,
    /// Tasks, then those of `errors`.
    pub(super) tasks: Vec<TaskModel>,
    pub(super) timeouts: Vec<Option<Duration>>,
    pub(super) triggers: Vec<TaskModel>,
    /// Executions ever asked for: the next one's number.
    count: u64,
    /// Executions that hold a place of the concurrency limit.
    running: u32,
    /// Executions that wait for one.
    waiting: VecDeque<(u32, u64)>,
}

impl FlowModel {
    pub(super) fn new(plan: &Plan, flow: &Flow) -> FlowModel {
        FlowModel {
            key: name_key(&format!("{}.{}", flow.namespace, flow.id)),
            tasks: behaviour::tasks(plan, flow),
            timeouts: flow.tasks.iter().chain(&flow.errors).map(|task| task.timeout).collect(),
            triggers: behaviour::triggers(plan, flow),
            count: 0,
            running: 0,
            waiting: VecDeque::new(),
        }
    }

    /// The number of the next execution. One that nobody answered for takes a number too, so that an outage does not
    /// change what later executions draw.
    pub(super) fn next_number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// An execution that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    pub(super) flow: u32,
    pub(super) number: u64,
    pub(super) state: State,
    created: Instant,
    /// Index of the current task, those of `errors` after those of `tasks`.
    task: u32,
    attempt: u32,
    first_attempt: Instant,
    task_created: Instant,
    failed: bool,
    warned: bool,
    retried: bool,
    holds_place: bool,
    /// The trigger that waits for its end.
    trigger: Option<u32>,
    /// How often its flow was tried before (`retry` of the flow).
    flow_attempt: u32,
}

impl Simulation {
    /// Creates an execution. `creator` is the member that writes it: a webserver, a scheduler, an executor.
    pub(super) fn create(
        &mut self,
        creator: usize,
        flow: u32,
        number: u64,
        trigger: Option<u32>,
        flow_attempt: u32,
    ) -> (u32, u64) {
        let now = self.now;
        if self.executions.len() >= limits::LIVE_EXECUTIONS {
            self.limit.get_or_insert(LimitReached {
                what: "the number of executions that have not ended",
                limit: limits::LIVE_EXECUTIONS as u64,
                at: now,
            });
        }
        self.truth.created += 1;
        self.truth.triggered += u64::from(trigger.is_some());
        let slot = self.executions.insert(Execution {
            flow,
            number,
            state: State::Created,
            created: now,
            task: 0,
            attempt: 1,
            first_attempt: now,
            task_created: now,
            failed: false,
            warned: false,
            retried: false,
            holds_place: false,
            trigger,
            flow_attempt,
        });
        self.truth.live += 1;
        self.tell(creator, Moment::Asked);
        self.index(creator, Class::Execution, 1);
        self.send(QueueKind::Execution, Message::Execution { slot, number });
        (slot, number)
    }

    fn execution(&self, slot: u32, number: u64) -> Option<&Execution> {
        self.executions.get(slot).filter(|execution| execution.number == number)
    }

    /// An executor looks at an execution that was created, or that came from the concurrency queue.
    pub(super) fn process_execution(&mut self, executor: usize, slot: u32, number: u64) {
        let Some(execution) = self.execution(slot, number) else { return };
        let (flow, state) = (execution.flow, execution.state);
        if state == State::Created {
            self.message(executor, flow, State::Created);
            self.consumed(executor, QueueName::ExecutionCommand);
            self.tell(executor, Moment::Seen);
            if self.members[executor].profile.has(Quirk::NamedQueues) {
                // Registered for this state too.
                self.count_many(executor, Meter::DelayCreated, Subject::FlowState(flow, State::Created), 0.0);
            }
            let plan = self.plan.clone();
            if let Some(limit) = plan.flows.get(flow as usize).and_then(|flow| flow.concurrency)
                && self.flows[flow as usize].running >= limit.limit
            {
                return self.refuse(executor, slot, limit.behavior);
            }
            self.count(executor, Meter::ExecutionStarted, Subject::FlowState(flow, State::Created));
        } else {
            self.count(executor, Meter::ExecutionPopped, Subject::FlowState(flow, State::Running));
        }
        self.flows[flow as usize].running += 1;
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.state = State::Running;
            execution.holds_place = true;
        }
        // Registered with nothing in it whenever a state is looked at for retries (recorded).
        self.count_many(executor, Meter::DelayCreated, Subject::FlowState(flow, State::Running), 0.0);
        self.members[executor].log_info += 1;
        self.members[executor].jvm.work(1.5e6, 0.015, self.now);
        // Up to 0.20: what comes next, with the state before, and not for another attempt (standalone/activity_scrape1).
        let before = if state == State::Created { state } else { State::Running };
        self.count(executor, Meter::TaskRunNext, Subject::FlowState(flow, before));
        self.next_task(executor, slot, None);
    }

    /// More executions than the limit of the flow allows. Ends by CANCEL and FAIL are never counted (recorded).
    fn refuse(&mut self, executor: usize, slot: u32, behavior: ConcurrencyBehavior) {
        let Some(execution) = self.executions.get_mut(slot) else { return };
        let (flow, number) = (execution.flow, execution.number);
        match behavior {
            ConcurrencyBehavior::Queue => {
                execution.state = State::Queued;
                self.truth.queued += 1;
                self.flows[flow as usize].waiting.push_back((slot, number));
                self.count(executor, Meter::ExecutionQueued, Subject::FlowState(flow, State::Queued));
                self.produce(executor, Class::Execution, 1);
            }
            ConcurrencyBehavior::Cancel => self.close(executor, slot, State::Cancelled),
            ConcurrencyBehavior::Fail => self.close(executor, slot, State::Failed),
        }
    }

    /// Goes to the task after `done`, or ends the execution.
    fn next_task(&mut self, executor: usize, slot: u32, done: Option<u32>) {
        let plan = self.plan.clone();
        let Some(execution) = self.executions.get(slot) else { return };
        let Some(flow) = plan.flows.get(execution.flow as usize) else { return };
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
            return self.finish(executor, slot, state);
        }
        let now = self.now;
        if done.is_some() {
            let flow = execution.flow;
            self.count(executor, Meter::TaskRunNext, Subject::FlowState(flow, State::Running));
        }
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.task = next;
            execution.attempt = 1;
            execution.first_attempt = now;
        }
        self.create_task_run(executor, slot);
    }

    /// Creates a task run (an attempt) and hands it to the workers.
    fn create_task_run(&mut self, executor: usize, slot: u32) {
        let now = self.now;
        let Some(execution) = self.executions.get_mut(slot) else { return };
        execution.task_created = now;
        execution.state = State::Running;
        let (flow, number, task, attempt) = (execution.flow, execution.number, execution.task, execution.attempt);
        self.truth.attempts += 1;
        self.message(executor, flow, State::Running);
        self.count(executor, Meter::TaskRunCreated, Subject::FlowState(flow, State::Running));
        self.tell(executor, Moment::TaskRun);
        let work = Work::Task { slot, number, flow, task, attempt };
        self.send(QueueKind::WorkerJob, Message::Job(JobOrder { work, created: now, resubmitted: false }));
    }

    /// A worker says that it runs a task.
    pub(super) fn task_started(&mut self, executor: usize, slot: u32, number: u64) {
        let Some(execution) = self.execution(slot, number) else { return };
        let flow = execution.flow;
        self.message(executor, flow, State::Running);
        self.produce(executor, Class::Execution, 1);
    }

    /// A worker says how a task ended.
    pub(super) fn task_ended(&mut self, executor: usize, slot: u32, number: u64, end: TaskEnd) {
        let now = self.now;
        let plan = self.plan.clone();
        let Some(execution) = self.execution(slot, number) else { return };
        if execution.attempt != end.attempt {
            return;
        }
        let (index, task_index) = (execution.flow, execution.task);
        let Some(flow) = plan.flows.get(index as usize) else { return };
        let Some(task) = behaviour::task(flow, task_index as usize) else { return };
        let (attempt, first_attempt, in_errors) =
            (execution.attempt, execution.first_attempt, task_index as usize >= flow.tasks.len());
        self.truth.attempts_ended += 1;
        self.message(executor, index, State::Running);
        self.produce(executor, Class::Execution, 1);
        self.count(executor, Meter::TaskRunEnded, Subject::FlowState(index, end.state));
        self.time(executor, Meter::TaskRunDuration, Subject::FlowState(index, end.state), end.duration);
        let mut state = end.state;
        if state == State::Failed {
            let draws = number << 16 | u64::from(attempt);
            if let Some(retry) = &task.retry
                && let Some(pause) = self.retry_pause(index, retry, attempt, first_attempt, draws)
            {
                if retry.new_execution {
                    return self.retry_execution(executor, slot, pause);
                }
                if let Some(execution) = self.executions.get_mut(slot) {
                    execution.state = State::Retrying;
                    execution.attempt += 1;
                    execution.retried = true;
                }
                // Each failed attempt is counted as a failed execution (recorded).
                self.count(executor, Meter::ExecutionEnded, Subject::FlowState(index, State::Failed));
                let age = self.age(slot);
                self.time(executor, Meter::ExecutionDuration, Subject::FlowState(index, State::Failed), age);
                self.count(executor, Meter::DelayCreated, Subject::FlowState(index, State::Retrying));
                for _ in 0..3 {
                    self.message(executor, index, State::Retrying);
                }
                self.produce(executor, Class::Execution, 2);
                let event = Event::RetryDue { execution: slot, number };
                self.events.push(now + pause, event);
                return;
            }
            if task.allow_failure {
                state = State::Warning;
            }
        }
        if state == State::Success && task.retry.as_ref().is_some_and(|retry| retry.warning_on_retry) {
            state = if self.executions.get(slot).is_some_and(|it| it.retried) { State::Warning } else { state };
        }
        if state == State::Warning && task.allow_warning {
            state = State::Success;
        }
        if let Some(execution) = self.executions.get_mut(slot) {
            execution.warned |= state == State::Warning;
            execution.failed |= state == State::Failed;
            execution.retried = false;
        }
        if state == State::Failed && !in_errors {
            let flow_attempt = self.executions.get(slot).map_or(0, |execution| execution.flow_attempt);
            if let Some(retry) = &flow.retry
                && let Some(pause) =
                    self.retry_pause(index, &retry.retry, flow_attempt + 1, first_attempt, number << 16 | 0xffff)
            {
                return self.retry_execution(executor, slot, pause);
            }
        }
        // A task of `errors` that fails ends the list.
        let done = if state == State::Failed && in_errors { u32::MAX - 1 } else { task_index };
        self.next_task(executor, slot, Some(done));
    }

    /// The pause before the next attempt, if there is one.
    fn retry_pause(&self, flow: u32, retry: &Retry, attempt: u32, first: Instant, draws: u64) -> Option<Duration> {
        if retry.max_attempts.is_some_and(|max| attempt >= max) {
            return None;
        }
        let pause = match retry.pause {
            RetryPause::Constant(interval) => interval,
            RetryPause::Exponential { interval, factor, max } => {
                interval.times(libm::pow(factor, f64::from(attempt.saturating_sub(1)))).min(max)
            }
            RetryPause::Random { min, max } => {
                let key = self.flows[flow as usize].key ^ name_key("retry");
                min + max.saturating_sub(min).times(self.seed.numbered(key, draws).uniform())
            }
        };
        let late = retry.max_duration.is_some_and(|most| (self.now + pause).since(first) > most);
        (!late).then_some(pause)
    }

    /// `retry` with CREATE_NEW_EXECUTION, of a task or of the flow: this execution ends as RETRIED, a new one follows.
    fn retry_execution(&mut self, executor: usize, slot: u32, pause: Duration) {
        let Some(execution) = self.executions.get(slot) else { return };
        let (flow, number, flow_attempt) = (execution.flow, execution.number, execution.flow_attempt);
        let new = self.flows[flow as usize].next_number();
        self.count(executor, Meter::DelayCreated, Subject::FlowState(flow, State::Retried));
        self.events.push(self.now + pause, Event::FlowRetryDue { flow, number: new, attempt: flow_attempt + 1 });
        let _ = number;
        // Counted as FAILED: RETRIED never appears in the counter of ends (recorded).
        self.message(executor, flow, State::Retried);
        self.count(executor, Meter::ExecutionEnded, Subject::FlowState(flow, State::Failed));
        let age = self.age(slot);
        self.time(executor, Meter::ExecutionDuration, Subject::FlowState(flow, State::Failed), age);
        self.close(executor, slot, State::Retried);
    }

    /// The pause before a new execution in place of a failed one is over.
    pub(super) fn flow_retry_due(&mut self, flow: u32, number: u64, attempt: u32) {
        match self.pick(Role::Executor, number) {
            Some(executor) => {
                self.count(executor, Meter::DelayEnded, Subject::FlowState(flow, State::Retried));
                self.create(executor, flow, number, None, attempt);
            }
            None => self.events.push(self.now + Duration::seconds(1), Event::FlowRetryDue { flow, number, attempt }),
        }
    }

    /// The pause before an attempt is over.
    pub(super) fn retry_due(&mut self, slot: u32, number: u64) {
        let Some(execution) = self.execution(slot, number) else { return };
        let flow = execution.flow;
        match self.pick(Role::Executor, number) {
            Some(executor) => {
                self.count(executor, Meter::DelayEnded, Subject::FlowState(flow, State::Retrying));
                self.create_task_run(executor, slot);
            }
            // Delays are looked at each second by whatever executor there is.
            None => {
                let again = Event::RetryDue { execution: slot, number };
                self.events.push(self.now + Duration::seconds(1), again);
            }
        }
    }

    /// An execution ends by its tasks.
    fn finish(&mut self, executor: usize, slot: u32, state: State) {
        let Some(execution) = self.executions.get(slot) else { return };
        let flow = execution.flow;
        let age = self.age(slot);
        self.message(executor, flow, state);
        self.count(executor, Meter::ExecutionEnded, Subject::FlowState(flow, state));
        self.time(executor, Meter::ExecutionDuration, Subject::FlowState(flow, state), age);
        self.count_many(executor, Meter::DelayCreated, Subject::FlowState(flow, state), 0.0);
        self.members[executor].log_info += 1;
        self.close(executor, slot, state);
    }

    /// An execution is over: its place goes to the next one that waits, its trigger is free again.
    fn close(&mut self, executor: usize, slot: u32, state: State) {
        let Some(execution) = self.executions.remove(slot) else { return };
        self.truth.live -= 1;
        self.truth.ended[state as usize] += 1;
        self.tell(executor, Moment::Closed);
        if execution.holds_place {
            let flow = &mut self.flows[execution.flow as usize];
            flow.running -= 1;
            if let Some((slot, number)) = flow.waiting.pop_front() {
                self.truth.queued -= 1;
                self.send(QueueKind::Execution, Message::Execution { slot, number });
            }
        }
        if let Some(trigger) = execution.trigger {
            self.unlock(trigger);
        }
    }

    fn age(&self, slot: u32) -> Duration {
        self.executions.get(slot).map_or(Duration::ZERO, |execution| self.now.since(execution.created))
    }

    /// An executor processes a message about an execution.
    fn message(&mut self, executor: usize, flow: u32, state: State) {
        let slowdown = self.database.slowdown().unwrap_or(1.0);
        self.messages += 1;
        let spread = 0.4 + 1.6 * crate::random::noise(0x3e55, self.messages);
        let time = Duration::microseconds(1_800).times(spread * slowdown);
        self.time(executor, Meter::ExecutionMessage, Subject::FlowState(flow, state), time);
    }
}
