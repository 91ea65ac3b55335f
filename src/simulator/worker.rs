//! Workers: a number of threads, and a pending queue in memory that takes every job it can get (recorded: the first
//! worker that polls leases up to 100 rows, whatever it can do at once).

use super::behaviour;
use super::event::Event;
use super::meters::{Class, Meter, Subject};
use super::queue::{Message, QueueKind};
use super::{Job as JobView, RunningJob, Simulation};
use crate::flow::State;
use crate::profile::Quirk;
use crate::time::{Duration, Instant};

/// Something a worker is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobOrder {
    pub(super) work: Work,
    /// When the task run was created.
    pub(super) created: Instant,
    /// It was handed out before, to a worker that died.
    pub(super) resubmitted: bool,
}

/// The work of a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// An attempt of a task of an execution.
    Task { slot: u32, number: u64, flow: u32, task: u32, attempt: u32 },
    /// An evaluation of a polling trigger.
    Trigger { trigger: u32, evaluation: u64 },
}

/// How an attempt of a task ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct TaskEnd {
    pub(super) state: State,
    /// From the creation of the task run to its end, the time in queues included.
    pub(super) duration: Duration,
    /// Which attempt.
    pub(super) attempt: u32,
}

/// A job in a worker's thread.
#[derive(Clone, Debug)]
pub(super) struct RunningWork {
    pub(super) order: JobOrder,
    member: u32,
    started: Instant,
    ends: Instant,
    /// What is left of it while the process stands still.
    left: Option<Duration>,
    generation: u32,
    state: State,
    timed_out: bool,
    logs: u32,
    fires: bool,
}

impl Simulation {
    /// A worker takes a job from the queue.
    pub(super) fn lease(&mut self, member: usize, order: JobOrder) {
        self.members[member].pending.push_back(order);
        self.fill_threads(member);
    }

    /// Starts pending jobs while threads are free.
    pub(super) fn fill_threads(&mut self, member: usize) {
        loop {
            let it = &mut self.members[member];
            if it.running.len() >= it.plan.threads as usize || !it.moves() {
                return;
            }
            let Some(order) = it.pending.pop_front() else { return };
            self.start_job(member, order);
        }
    }

    fn start_job(&mut self, member: usize, order: JobOrder) {
        let now = self.now;
        let (attempt, logs, fires, timeout) = match order.work {
            Work::Task { flow, number, task, attempt, .. } => {
                let model = &self.flows[flow as usize];
                let key = model.key ^ (u64::from(task) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mut draws = self.seed.numbered(key, (number << 16) | u64::from(attempt));
                let behaviour = model.tasks[task as usize];
                (behaviour.attempt(&mut draws), behaviour.logs, false, model.timeouts[task as usize])
            }
            Work::Trigger { trigger, evaluation } => {
                let (flow, index) = self.triggers[trigger as usize].place;
                let model = &self.flows[flow as usize];
                let key = model.key ^ (u64::from(index) + 1).wrapping_mul(0xd1b5_4a32_d192_ed03);
                let mut draws = self.seed.numbered(key, evaluation);
                let behaviour = model.triggers[index as usize];
                let attempt = behaviour.attempt(&mut draws);
                let fires = draws.chance(behaviour.fires) && !attempt.fails;
                (attempt, behaviour.logs, fires, None)
            }
        };
        // Kestra's own tasks need no disk; those of plugins write files. Nobody has recorded this.
        let disk_full = self.members[member].disk_full && self.needs_disk(&order.work);
        let timed_out = timeout.is_some_and(|timeout| attempt.duration > timeout);
        let (duration, state) = match timeout {
            Some(timeout) if timed_out => (timeout, State::Failed),
            _ if attempt.fails || disk_full => (attempt.duration, State::Failed),
            _ if attempt.warns => (attempt.duration, State::Warning),
            _ => (attempt.duration, State::Success),
        };
        self.generation += 1;
        let generation = self.generation;
        let ends = now + duration;
        let work = RunningWork {
            order,
            member: member as u32,
            started: now,
            ends,
            left: None,
            generation,
            state,
            timed_out,
            logs,
            fires,
        };
        let job = self.jobs.insert(work);
        self.events.push(ends, Event::JobEnd { job, generation });
        let it = &mut self.members[member];
        it.running.push(job);
        it.worker_pool = it.worker_pool.max(it.running.len());
        match order.work {
            Work::Task { slot, number, flow, task, .. } => {
                let subject = Subject::Task(flow, task);
                self.count(member, Meter::WorkerStarted, subject);
                self.time(member, Meter::WorkerQueued, subject, now.since(order.created));
                self.count(member, Meter::WorkerRunning, subject);
                self.produce(member, Class::WorkerTaskResult, 1);
                self.write_logs(member, 1);
                self.members[member].log_info += 1;
                self.send(QueueKind::WorkerTaskResult, Message::TaskStarted { slot, number });
            }
            Work::Trigger { trigger, .. } => {
                let (flow, index) = self.triggers[trigger as usize].place;
                let subject = Subject::Trigger(flow, index);
                self.count(member, Meter::TriggerStarted, subject);
                self.count(member, Meter::TriggerRunning, subject);
            }
        }
        self.pace(member);
    }

    fn needs_disk(&self, work: &Work) -> bool {
        let Work::Task { flow, task, .. } = work else { return false };
        let task = self.plan.flows.get(*flow as usize).and_then(|flow| behaviour::task(flow, *task as usize));
        task.is_some_and(|task| !task.kind.starts_with("io.kestra.plugin.core."))
    }

    /// A job ends, unless its process stands still or cannot write the result.
    pub(super) fn job_ends(&mut self, job: u32, generation: u32) {
        let now = self.now;
        let Some(work) = self.jobs.get(job) else { return };
        if work.generation != generation || work.left.is_some() {
            return;
        }
        let member = work.member as usize;
        if !self.can_report(member) {
            // The thread waits for a connection; the job ends when there is one, if the process lives that long.
            if let Some(work) = self.jobs.get_mut(job) {
                work.left = Some(Duration::ZERO);
            }
            return;
        }
        let Some(work) = self.jobs.remove(job) else { return };
        let it = &mut self.members[member];
        it.running.retain(|other| *other != job);
        it.worker_completed += 1;
        it.worker_busy += now.since(work.started);
        it.jvm.work(2.5e6, 0.02, now);
        let duration = now.since(work.order.created);
        match work.order.work {
            Work::Task { slot, number, flow, task, attempt } => {
                let subject = Subject::Task(flow, task);
                self.count(member, Meter::WorkerEnded, subject);
                let waits = self.members[member].profile.has(Quirk::WorkerDurationIsWait);
                let shown = if waits { work.started.since(work.order.created) } else { duration };
                self.time(member, Meter::WorkerDuration, subject, shown);
                self.count_many(member, Meter::WorkerRunning, subject, -1.0);
                if work.timed_out {
                    self.count(member, Meter::WorkerTimeout, Subject::Attempt(flow, task, attempt));
                }
                self.produce(member, Class::WorkerTaskResult, 1);
                self.write_logs(member, 1 + work.logs);
                self.members[member].log_info += 1;
                let end = TaskEnd { state: work.state, duration, attempt };
                self.send(QueueKind::WorkerTaskResult, Message::TaskEnded { slot, number, end });
            }
            Work::Trigger { trigger, .. } => {
                let (flow, index) = self.triggers[trigger as usize].place;
                let subject = Subject::Trigger(flow, index);
                self.count(member, Meter::TriggerEnded, subject);
                self.count_many(member, Meter::TriggerRunning, subject, -1.0);
                self.time(member, Meter::TriggerDuration, subject, now.since(work.started));
                if work.state == State::Failed {
                    self.count(member, Meter::TriggerError, subject);
                }
                if work.fires {
                    self.count(member, Meter::TriggerExecution, subject);
                }
                self.produce(member, Class::WorkerTriggerResult, 1);
                self.produce(member, Class::Trigger, 1);
                self.index(member, Class::Trigger, 1);
                self.write_logs(member, work.logs);
                self.send(QueueKind::WorkerTriggerResult, Message::TriggerEvaluated { trigger, fires: work.fires });
            }
        }
        self.fill_threads(member);
        self.pace(member);
        self.close_if_idle(member);
        if self.dispatch_paused {
            self.kick(QueueKind::WorkerJob);
        }
    }

    /// The process stands still: its jobs do too.
    pub(super) fn stall_jobs(&mut self, member: usize) {
        for job in self.members[member].running.clone() {
            if let Some(work) = self.jobs.get_mut(job)
                && work.left.is_none()
            {
                work.left = Some(work.ends.since(self.now));
            }
        }
    }

    /// Jobs that stood still, or waited for a connection, go on.
    pub(super) fn resume_jobs(&mut self, member: usize) {
        for job in self.members[member].running.clone() {
            self.generation += 1;
            let generation = self.generation;
            if let Some(work) = self.jobs.get_mut(job)
                && let Some(left) = work.left.take()
            {
                work.ends = self.now + left;
                work.generation = generation;
                self.events.push(work.ends, Event::JobEnd { job, generation });
            }
        }
        self.fill_threads(member);
    }

    /// Takes all jobs from a worker: those that run and those that wait.
    pub(super) fn take_jobs(&mut self, member: usize) -> Vec<JobOrder> {
        let it = &mut self.members[member];
        let (running, pending) = (std::mem::take(&mut it.running), std::mem::take(&mut it.pending));
        running.into_iter().filter_map(|job| self.jobs.remove(job)).map(|work| work.order).chain(pending).collect()
    }

    /// The jobs that run in a member's worker, oldest first.
    pub fn running(&self, member: usize) -> Vec<RunningJob> {
        let Some(it) = self.members.get(member) else { return Vec::new() };
        it.running.iter().filter_map(|job| self.jobs.get(*job)).map(|work| self.describe(work)).collect()
    }

    fn describe(&self, work: &RunningWork) -> RunningJob {
        match work.order.work {
            Work::Task { number, flow, task, attempt, .. } => {
                let mut history = vec![("CREATED", work.order.created)];
                // Handed to a worker some 40 ms before it starts when a thread is free (recorded).
                let submitted = (work.order.created + Duration::milliseconds(30)).min(work.started);
                history.push(("SUBMITTED", submitted));
                if work.order.resubmitted {
                    history.push(("RESUBMITTED", work.started));
                }
                history.push(("RUNNING", work.started));
                RunningJob {
                    flow: flow as usize,
                    job: JobView::Task {
                        task: task as usize,
                        task_run: self.id("task run", flow, number, (task << 8) | attempt),
                        execution: self.id("execution", flow, number, 0),
                        history,
                    },
                }
            }
            Work::Trigger { trigger, .. } => {
                let (flow, index) = self.triggers[trigger as usize].place;
                RunningJob { flow: flow as usize, job: JobView::Trigger { trigger: index as usize } }
            }
        }
    }
}
