//! Jobs in workers: how they are handed out, what they will come to, and what is told and counted of them.

use std::collections::VecDeque;

use super::behaviour::{Attempt, Fate, TaskModel};
use super::cluster::Cluster;
use super::context::Context;
use super::entries::{EntryAbout, polled};
use super::event::Event;
use super::lines::LineAbout;
use super::meters::{Class, Meter, QueueName, Subject};
use super::queue::{Message, QueueKind};
use super::worker::{AGAIN, Directory, JobOrder, Outcome, RunningWork, TaskEnd, Work, Worker};
use super::{Job, RunningJob};
use crate::flow::{Span, State};
use crate::profile::LineKind;
use crate::profile::{Quirk, Role};
use crate::random::noise;
use crate::scenario::RealAnswer;
use crate::time::{Duration, Instant};

/// How long a job takes that ends with its process: longer than anything here lasts.
const ENDLESS: Duration = Duration::minutes(60 * 24 * 365 * 100);

/// A thread in which a task of a WorkingDirectory has just ended.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    member: usize,
    /// The flow and number of the execution.
    key: (u32, u64),
    within: Directory,
    /// Who is told of that, and what.
    pub(super) executor: usize,
    pub(super) ended: Message,
    /// The next one has begun.
    goes_on: bool,
    /// The one that has ended.
    task: u32,
}

impl Cluster {
    /// Gives a job to a worker, through the controller where there is one.
    pub(super) fn hand_out(&mut self, cx: &mut Context, worker: usize, order: JobOrder) {
        if let Some(controller) = self.controller_of(worker) {
            self.count(cx, controller, Meter::ControllerDispatched, Subject::Dispatch);
            self.consumed(cx, controller, QueueName::WorkerJobEvent);
        }
        if let Some(process) = &mut self.members[worker].process {
            process.worker.lease(order);
        }
        self.fill_threads(cx, worker);
    }

    /// Starts pending jobs while threads are free.
    pub(super) fn fill_threads(&mut self, cx: &mut Context, member: usize) {
        while self.members[member].moves()
            && let Some(order) = self.members[member].process.as_mut().and_then(|process| process.worker.next())
        {
            self.start_job(cx, member, order);
        }
    }

    fn start_job(&mut self, cx: &mut Context, member: usize, order: JobOrder) {
        if let Work::Task { flow, number, run, .. } = order.work
            && cx.killed.remove(&(flow, number, run))
        {
            return self.drop_job(cx, member, &order);
        }
        let now = cx.now;
        // The thread of a WorkingDirectory makes a task run when it comes to it (source).
        let order = if order.within.is_some() { JobOrder { created: now, ..order } } else { order };
        let outcome = outcome(cx, &order.work, self.members[member].disk_full());
        let timeout = timeout(cx, &order.work);
        let outcome = cx.send(&order.work, outcome, timeout);
        let life = self.members[member].life();
        let Some(process) = &mut self.members[member].process else { return };
        let (ends, turn) = process.worker.start(order, outcome, now);
        cx.events.push(ends, Event::JobEnd { member: member as u32, life, turn });
        match order.work {
            Work::Task { slot, number, flow, task, run, attempt } => {
                let subject = Subject::Task(flow, task);
                self.count(cx, member, Meter::WorkerStarted, subject);
                self.time(cx, member, Meter::WorkerQueued, subject, now.since(order.created));
                self.count(cx, member, Meter::WorkerRunning, subject);
                self.produce(cx, member, Class::WorkerTaskResult, 1);
                let about = LineAbout::TaskRun { flow, task, number, run, attempt, end: None };
                self.log(cx, member, LineKind::TaskStarted, about);
                self.send(cx, QueueKind::WorkerTaskResult, Message::TaskStarted { slot, flow, number, run, attempt });
            }
            Work::Trigger { trigger, flow, index, realtime, .. } => {
                let subject = Subject::Trigger(flow, index);
                self.count(cx, member, Meter::TriggerStarted, subject);
                self.count(cx, member, Meter::TriggerRunning, subject);
                self.write_logs(cx, member, (flow, 1), |_| EntryAbout::TriggerStarted { index });
                if realtime.is_some() {
                    self.produce(cx, member, Class::Trigger, 1);
                    self.index(cx, member, Class::Trigger, 1);
                    self.awaits_message(cx, member, trigger);
                }
            }
        }
        self.pace(cx, member);
    }

    /// A worker meets a job whose execution was killed before it began: counted as begun, and told as KILLED (source).
    fn drop_job(&mut self, cx: &mut Context, member: usize, order: &JobOrder) {
        let Work::Task { slot, number, flow, task, run, attempt } = order.work else { return };
        let duration = cx.now.since(order.created);
        self.count(cx, member, Meter::WorkerStarted, Subject::Task(flow, task));
        self.time(cx, member, Meter::WorkerQueued, Subject::Task(flow, task), duration);
        self.produce(cx, member, Class::WorkerTaskResult, 1);
        let end = TaskEnd { state: State::Killed, duration, flow, run, attempt };
        self.send(cx, QueueKind::WorkerTaskResult, Message::TaskEnded { slot, number, end });
    }

    /// Workers are told to kill a task run: the one that runs it ends it, whoever gets it later drops it.
    pub(super) fn kill_job(&mut self, cx: &mut Context, task_run: (u32, u64, u32)) {
        for member in 0..self.members.len() {
            let life = self.members[member].life();
            let Some(process) = &mut self.members[member].process else { continue };
            let Some(turn) = process.worker.kill(task_run, cx.now, |work| is_stubborn(cx, work)) else { continue };
            if let Some((at, turn)) = turn {
                cx.events.push(at, Event::JobEnd { member: member as u32, life, turn });
            }
            return;
        }
        cx.killed.insert(task_run);
    }

    /// Every worker hears of a kill.
    pub(super) fn count_kill(&mut self, cx: &Context) {
        for member in 0..self.members.len() {
            if self.members[member].role().runs(Role::Worker) && self.members[member].works() {
                self.count(cx, member, Meter::WorkerKilled, Subject::Kill);
            }
        }
    }

    /// A job ends, unless its process stands still or cannot write the result. True when one did.
    pub(super) fn job_ends(&mut self, cx: &mut Context, member: usize, turn: u64) -> bool {
        let can_report = self.can_report(cx, member);
        let Some(process) = &mut self.members[member].process else { return false };
        if !process.worker.is_due(turn) {
            return false;
        }
        if !can_report {
            // The thread waits for a connection; the job ends when there is one, if the process lives that long.
            process.worker.wait(turn);
            return false;
        }
        let Some(job) = process.worker.end(turn, cx.now) else { return false };
        process.jvm.work(2.5e6, 0.02, cx.now);
        match job.order.work {
            Work::Task { .. } => self.task_ends(cx, member, &job),
            Work::Trigger { .. } => self.evaluation_ends(cx, member, &job),
        }
        if self.thread.is_none() {
            self.fill_threads(cx, member);
            self.pace(cx, member);
        }
        true
    }

    /// The member in whose thread the next task of a WorkingDirectory begins, if one has just ended there.
    pub(super) fn thread_of(&self, key: (u32, u64), within: Directory) -> Option<usize> {
        let thread = self.thread.as_ref().filter(|it| !it.goes_on && it.key == key && it.within.run == within.run)?;
        Some(thread.member)
    }

    /// The next task of a WorkingDirectory begins in its thread.
    pub(super) fn goes_on(&mut self, cx: &mut Context, member: usize, order: JobOrder) {
        self.thread.iter_mut().for_each(|thread| thread.goes_on = true);
        if let Some(process) = &mut self.members[member].process {
            process.worker.goes_on();
        }
        self.start_job(cx, member, order);
    }

    /// What a job of a WorkingDirectory came to has been looked at: unless the next one has begun, its thread is free. Its own
    /// end is counted then, and its beginning never is (source of 0.20, 1.3 and 2.0).
    pub(super) fn leave_thread(&mut self, cx: &mut Context) {
        let Some(Thread { member, key: (flow, number), within, goes_on, task, .. }) = self.thread.take() else {
            return;
        };
        let next = if within.again { next_again(cx, (flow, number), within, task) } else { None };
        if let Some(order) = next {
            cx.truth.attempts += 1;
            self.start_job(cx, member, order);
        } else if !goes_on {
            let subject = Subject::Task(flow, within.task);
            self.count(cx, member, Meter::WorkerEnded, subject);
            self.time(cx, member, Meter::WorkerDuration, subject, cx.now.since(within.created));
            self.stays(cx, member, (flow, number), within);
        }
        self.fill_threads(cx, member);
        self.pace(cx, member);
    }

    /// A WorkingDirectory is over, and a cluster that does not delete its row believes that it runs here.
    fn stays(&mut self, cx: &Context, member: usize, key: (u32, u64), within: Directory) {
        let first = cx.flows.get(key.0 as usize).and_then(|flow| flow.tree.directory(within.task).first().copied());
        if let (Some(first), true) = (first, cx.profile.has(Quirk::DirectoriesStay))
            && let Some(process) = &mut self.members[member].process
        {
            let within = Directory { created: cx.now, again: true, ..within };
            process.worker.leave_row(again(cx.now, key, within, (first, 0)));
        }
    }

    fn task_ends(&mut self, cx: &mut Context, member: usize, job: &RunningWork) {
        let Work::Task { slot, number, flow, task, run, attempt } = job.order.work else { return };
        let subject = Subject::Task(flow, task);
        let duration = cx.now.since(job.order.created);
        self.count(cx, member, Meter::WorkerEnded, subject);
        let waits = self.members[member].profile().has(Quirk::WorkerDurationIsWait);
        let shown = if waits { job.started.since(job.order.created) } else { duration };
        self.time(cx, member, Meter::WorkerDuration, subject, shown);
        self.count_many(cx, member, Meter::WorkerRunning, subject, -1.0);
        if job.outcome.timed_out {
            self.count(cx, member, Meter::WorkerTimeout, Subject::Attempt(flow, task, attempt));
        }
        // One that was killed has sent its message all the same.
        if let Some(message) = job.outcome.awaits
            && job.outcome.state != State::Killed
        {
            cx.outbox.given_up(message, job.outcome.duration);
        }
        let fate = fate(cx, &job.order.work);
        if fate != Fate::Lost {
            self.produce(cx, member, Class::WorkerTaskResult, 1);
        }
        let mut state = job.outcome.state;
        let end = Some((state, cx.now.since(job.started)));
        let about = LineAbout::TaskRun { flow, task, number, run, attempt, end };
        self.write_own_logs(cx, member, job.outcome.logs, &about);
        self.log_own(cx, member, &about);
        self.log(cx, member, LineKind::TaskEnded, about);
        match fate {
            Fate::Lost => {
                cx.truth.results_lost += 1;
                return;
            }
            // The outputs are taken out, and the rest is told as a failure (source of 1.x).
            Fate::TooBig if state != State::Killed => {
                self.count(cx, member, Meter::BigMessage, Subject::Big(Class::WorkerTaskResult));
                state = State::Failed;
            }
            Fate::TooBig | Fate::Told => {}
        }
        let ended = Message::TaskEnded { slot, number, end: TaskEnd { state, duration, flow, run, attempt } };
        // What comes next in the thread of a WorkingDirectory its worker knows by itself; the executor does here what it would
        // do of it a moment later.
        let executor = job.order.within.and_then(|within| Some((within, self.pick(cx, Role::Executor, number)?)));
        match executor {
            Some((within, executor)) => {
                self.thread =
                    Some(Thread { member, key: (flow, number), within, executor, ended, goes_on: false, task });
            }
            None => self.send(cx, QueueKind::WorkerTaskResult, ended),
        }
    }

    fn evaluation_ends(&mut self, cx: &mut Context, member: usize, job: &RunningWork) {
        let Work::Trigger { trigger, flow, index, .. } = job.order.work else { return };
        let subject = Subject::Trigger(flow, index);
        self.count(cx, member, Meter::TriggerEnded, subject);
        self.count_many(cx, member, Meter::TriggerRunning, subject, -1.0);
        self.time(cx, member, Meter::TriggerDuration, subject, cx.now.since(job.started));
        if job.outcome.state == State::Failed {
            self.count(cx, member, Meter::TriggerError, subject);
        }
        if job.outcome.fires {
            self.count(cx, member, Meter::TriggerExecution, subject);
        }
        self.produce(cx, member, Class::WorkerTriggerResult, 1);
        self.produce(cx, member, Class::Trigger, 1);
        self.index(cx, member, Class::Trigger, 1);
        let (took, failed) = (cx.now.since(job.started), job.outcome.state == State::Failed);
        let about = EntryAbout::TriggerEnded { index, took, failed };
        self.write_logs(cx, member, (flow, 1 + job.outcome.logs), |_| about);
        let fires = job.outcome.fires;
        self.send(cx, QueueKind::WorkerTriggerResult, Message::TriggerEvaluated { trigger, fires });
    }

    /// When the next message comes to a realtime trigger.
    fn awaits_message(&mut self, cx: &mut Context, member: usize, trigger: u32) {
        let life = self.members[member].life();
        let process = self.members[member].process.as_mut();
        let Some((job, _)) = process.and_then(|process| process.worker.listening(trigger)) else { return };
        let Work::Trigger { flow, index, realtime: Some(realtime), .. } = job.order.work else { return };
        let model = &cx.flows[flow as usize];
        let rate = model.triggers[index as usize].messages;
        // Each worker that listens has draws of its own.
        let key = model.key ^ (u64::from(index) + 1).wrapping_mul(0xa076_1d64_78bd_642f);
        let mut draws = cx.seed.numbered(key ^ job.started.as_nanoseconds() as u64, realtime.messages);
        if rate > 0.0 {
            let pause = Duration::from_seconds_f64(draws.exponential() / rate);
            cx.after(pause, Event::Message { member: member as u32, life, trigger });
        }
    }

    /// A message comes to a realtime trigger, if a worker still listens: an execution is asked for (source of 1.3). While the
    /// process stands still or cannot write, the message stays where it comes from, and is not counted.
    pub(super) fn message(&mut self, cx: &mut Context, member: usize, trigger: u32) {
        let can_report = self.can_report(cx, member);
        let process = self.members[member].process.as_mut();
        let Some((job, moves)) = process.and_then(|process| process.worker.listening(trigger)) else { return };
        let Work::Trigger { flow, index, .. } = job.order.work else { return };
        if let Some(realtime) = job.order.work.realtime() {
            realtime.messages += u64::from(moves && can_report);
        }
        if moves && can_report {
            self.count(cx, member, Meter::TriggerExecution, Subject::Trigger(flow, index));
            self.produce(cx, member, Class::WorkerTriggerResult, 1);
            self.send(cx, QueueKind::WorkerTriggerResult, Message::TriggerEmitted { trigger });
            self.members[member].work(0.6e6, 0.005, cx.now);
        }
        self.awaits_message(cx, member, trigger);
    }

    /// A worker is told to stop: its realtime triggers end at once, and are the cluster's again.
    pub(super) fn stop_listening(&mut self, cx: &mut Context, member: usize) -> Vec<JobOrder> {
        // One that stands still hears nothing.
        let hears = self.members[member].moves();
        let process = self.members[member].process.as_mut().filter(|process| hears && process.came_up());
        let stopped = process.map(|process| process.worker.stop_listening(cx.now)).unwrap_or_default();
        for job in &stopped {
            let Work::Trigger { flow, index, .. } = job.order.work else { continue };
            let subject = Subject::Trigger(flow, index);
            self.count(cx, member, Meter::TriggerEnded, subject);
            self.count_many(cx, member, Meter::TriggerRunning, subject, -1.0);
            self.time(cx, member, Meter::TriggerDuration, subject, cx.now.since(job.started));
            let about = EntryAbout::TriggerEnded { index, took: cx.now.since(job.started), failed: false };
            self.write_logs(cx, member, (flow, 1), |_| about);
        }
        let orders: Vec<JobOrder> = stopped.into_iter().map(|job| job.order).collect();
        if cx.profile.has(Quirk::LeavesRealtime) {
            cx.truth.polls_ended += orders.len() as u64;
            return Vec::new();
        }
        known(cx, orders)
    }

    /// The receiver of a message has answered: the job that waits for it, if there is still one, comes to that.
    pub(super) fn answered(&mut self, cx: &mut Context, message: u64, answer: RealAnswer) {
        let Some((at, outcome)) = cx.outbox.answered(message, answer) else { return };
        let ends = cx.now.max(at + outcome.duration);
        for (index, member) in self.members.iter_mut().enumerate() {
            let life = member.life();
            let Some(process) = &mut member.process else { continue };
            if let Some(turn) = process.worker.answered(outcome, ends, cx.now) {
                if let Some((ends, turn)) = turn {
                    cx.events.push(ends, Event::JobEnd { member: index as u32, life, turn });
                }
                return;
            }
        }
    }

    /// Jobs of a process that stood still, or waited for a connection, go on.
    pub(super) fn resume_jobs(&mut self, cx: &mut Context, member: usize) {
        let life = self.members[member].life();
        if let Some(process) = &mut self.members[member].process {
            for (ends, turn) in process.worker.resume(cx.now) {
                cx.events.push(ends, Event::JobEnd { member: member as u32, life, turn });
            }
        }
        self.fill_threads(cx, member);
    }

    /// The jobs that run in a member's worker, oldest first.
    pub(super) fn running(&self, cx: &Context, member: usize) -> Vec<RunningJob> {
        let process = self.members.get(member).and_then(|it| it.process.as_ref());
        process.map_or(&[][..], |process| process.worker.running()).iter().map(|job| describe(cx, job)).collect()
    }
}

/// Of the jobs of a process that is gone, those that the cluster knows of.
pub(super) fn known(cx: &mut Context, mut orders: Vec<JobOrder>) -> Vec<JobOrder> {
    if cx.profile.has(Quirk::ForgetsRealtime) {
        let before = orders.len();
        orders.retain(|order| !order.work.has_started());
        cx.truth.polls_ended += (before - orders.len()) as u64;
    }
    orders
}

/// A task of a WorkingDirectory whose execution has ended, by its place there: the task runs of the tasks were created behind
/// that of the WorkingDirectory.
fn again(now: Instant, (flow, number): (u32, u64), within: Directory, (task, place): (u32, u32)) -> JobOrder {
    let work = Work::Task { slot: AGAIN, number, flow, task, run: within.run + 1 + place, attempt: 1 };
    JobOrder { work, created: now, resubmitted: true, within: Some(within) }
}

/// The task behind one of a WorkingDirectory that is done again.
fn next_again(cx: &Context, key: (u32, u64), within: Directory, task: u32) -> Option<JobOrder> {
    let tasks = cx.flows.get(key.0 as usize)?.tree.directory(within.task);
    let place = 1 + tasks.iter().position(|it| *it == task)?;
    Some(again(cx.now, key, within, (*tasks.get(place)?, place as u32)))
}

/// What the cluster believes to run in a worker that is lost, and is over: attempts that no execution has asked for.
pub(super) fn stayed(cx: &mut Context, worker: &mut Worker) -> VecDeque<JobOrder> {
    let rows = worker.take_rows();
    cx.truth.attempts += rows.len() as u64;
    rows
}

/// What a job will come to.
fn outcome(cx: &Context, work: &Work, disk_full: bool) -> Outcome {
    let (attempt, logs, fires, timeout) = match *work {
        Work::Task { flow, number, task, run, attempt, .. } => {
            let model = &cx.flows[flow as usize];
            let key = model.key ^ (u64::from(task) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut draws = cx.seed.numbered(key, (number << 16) | u64::from(attempt));
            let behaviour = model.tasks[task as usize];
            let mut attempt = behaviour.attempt(&mut draws);
            let spans = || cx.outbox.spans((flow, number), run);
            attempt.duration = behaviour.takes(attempt.duration, || spans().takes);
            let limited = matches!(model.timeouts.get(task as usize), Some(Some(Span::Rendered(_))));
            if (limited || behaviour.is_rendered()) && spans().failed {
                attempt.duration = Duration::ZERO;
            }
            (attempt, behaviour.logs.unwrap_or(1), false, timeout(cx, work))
        }
        Work::Trigger { flow, index, evaluation, .. } => {
            let model = &cx.flows[flow as usize];
            let key = model.key ^ (u64::from(index) + 1).wrapping_mul(0xd1b5_4a32_d192_ed03);
            let mut draws = cx.seed.numbered(key, evaluation);
            let behaviour = model.triggers[index as usize];
            let mut attempt = behaviour.attempt(&mut draws);
            let fires = draws.chance(behaviour.fires) && !attempt.fails;
            if work.is_realtime() {
                attempt = Attempt { duration: ENDLESS, fails: false, warns: false };
            }
            let logs = behaviour.logs.unwrap_or_else(|| polled(cx.profile, attempt.fails));
            (attempt, logs, fires, None)
        }
    };
    let disk_full = disk_full && needs_disk(cx, work);
    let timed_out = timeout.is_some_and(|timeout| attempt.duration > timeout);
    let (duration, state) = match timeout {
        Some(timeout) if timed_out => (timeout, State::Failed),
        _ if attempt.fails || disk_full => (attempt.duration, State::Failed),
        _ if attempt.warns => (attempt.duration, State::Warning),
        _ => (attempt.duration, State::Success),
    };
    Outcome { duration, state, timed_out, logs, fires, awaits: None }
}

/// What becomes of the result of a task.
fn fate(cx: &Context, work: &Work) -> Fate {
    drawn(cx, work, |model, draw| model.fate(draw)).unwrap_or(Fate::Told)
}

/// Whether a task does not hear that it is killed.
fn is_stubborn(cx: &Context, work: &Work) -> bool {
    drawn(cx, work, |model, draw| model.is_stubborn(draw)).unwrap_or(false)
}

/// Asks the model of a task, with a draw of this attempt that nothing else is drawn from.
fn drawn<R>(cx: &Context, work: &Work, ask: impl FnOnce(&TaskModel, &dyn Fn(u64) -> f64) -> R) -> Option<R> {
    let Work::Task { flow, number, task, attempt, .. } = *work else { return None };
    let model = cx.flows.get(flow as usize)?;
    let key = cx.seed.0 ^ model.key ^ (u64::from(task) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let of = model.tasks.get(task as usize)?;
    Some(ask(of, &|salt| noise(key ^ salt, (number << 16) | u64::from(attempt))))
}

/// How long a task may take.
fn timeout(cx: &Context, work: &Work) -> Option<Duration> {
    let Work::Task { flow, number, task, run, .. } = *work else { return None };
    match cx.flows.get(flow as usize)?.timeouts.get(task as usize)?.as_ref()? {
        Span::Written(timeout) => Some(*timeout),
        Span::Rendered(_) => cx.outbox.spans((flow, number), run).within,
    }
}

/// Kestra's own tasks need no disk; those of plugins write files. Nobody has recorded this.
fn needs_disk(cx: &Context, work: &Work) -> bool {
    let Work::Task { flow, task, .. } = work else { return false };
    let task = cx.plan.flows.get(*flow as usize).and_then(|flow| flow.task(*task as usize));
    task.is_some_and(|task| !task.kind.starts_with("io.kestra.plugin.core."))
}

fn describe(cx: &Context, job: &RunningWork) -> RunningJob {
    match job.order.work {
        Work::Task { number, flow, task, run, .. } => {
            let mut history = vec![("CREATED", job.order.created)];
            // Handed to a worker some 40 ms before it starts when a thread is free (recorded).
            let submitted = (job.order.created + Duration::milliseconds(30)).min(job.started);
            if job.order.within.is_none() {
                history.push(("SUBMITTED", submitted));
            }
            if job.order.resubmitted {
                history.push(("RESUBMITTED", job.started));
            }
            history.push(("RUNNING", job.started));
            RunningJob {
                flow: flow as usize,
                job: Job::Task {
                    task: task as usize,
                    task_run: cx.task_run_id(flow, number, run),
                    execution: cx.id("execution", flow, number, 0),
                    history,
                },
            }
        }
        Work::Trigger { flow, index, .. } => {
            RunningJob { flow: flow as usize, job: Job::Trigger { trigger: index as usize } }
        }
    }
}
