//! Workers: a number of threads, and a pending queue in memory that takes every job it can get (recorded: the first
//! worker that polls leases up to 100 rows, whatever it can do at once).

use std::collections::VecDeque;

use super::limits;
use crate::flow::State;
use crate::time::{Duration, Instant};

/// In the place of a slot: of an execution that has ended. Nothing is in it, whatever else may be in that which it had.
pub(super) const AGAIN: u32 = u32::MAX;

/// Something a worker is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobOrder {
    pub(super) work: Work,
    /// When the task run was created.
    pub(super) created: Instant,
    /// It was handed out before, to a worker that died.
    pub(super) resubmitted: bool,
    /// The WorkingDirectory whose thread does it.
    pub(super) within: Option<Directory>,
}

/// A task run of a WorkingDirectory: one thread of one worker does its tasks, one after another (source of 0.20, 1.3, 2.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) run: u32,
    pub(super) task: u32,
    /// When it was created.
    pub(super) created: Instant,
    /// Its execution has ended, and a worker does it again: it goes from task to task by itself.
    pub(super) again: bool,
}

/// The work of a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// An attempt of a task run of an execution.
    Task { slot: u32, number: u64, flow: u32, task: u32, run: u32, attempt: u32 },
    /// An evaluation of a trigger: its number among all, its flow, its index there.
    Trigger { trigger: u32, flow: u32, index: u32, evaluation: u64, realtime: Option<Realtime> },
}

/// What is known of the evaluation of a realtime trigger, which ends with its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Realtime {
    /// Messages that came to it.
    pub(super) messages: u64,
}

impl Work {
    /// What is known of it, if it is a realtime trigger.
    pub(super) fn realtime(&mut self) -> Option<&mut Realtime> {
        match self {
            Work::Trigger { realtime, .. } => realtime.as_mut(),
            Work::Task { .. } => None,
        }
    }

    /// Whether it is a realtime trigger.
    pub(super) fn is_realtime(&self) -> bool {
        matches!(self, Work::Trigger { realtime: Some(_), .. })
    }

    /// Whether it is a realtime trigger that has started an execution.
    pub(super) fn has_started(&self) -> bool {
        matches!(self, Work::Trigger { realtime: Some(realtime), .. } if realtime.messages > 0)
    }
}

/// How an attempt of a task ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct TaskEnd {
    pub(super) state: State,
    /// From the creation of the task run to its end, the time in queues included.
    pub(super) duration: Duration,
    /// Of which flow.
    pub(super) flow: u32,
    /// Of which task run.
    pub(super) run: u32,
    /// Which attempt.
    pub(super) attempt: u32,
}

/// What a job will come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) duration: Duration,
    pub(super) state: State,
    pub(super) timed_out: bool,
    pub(super) logs: u32,
    pub(super) fires: bool,
    /// The message of which it awaits the answer; without one it comes to this.
    pub(super) awaits: Option<u64>,
}

/// A job in a worker's thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunningWork {
    pub(super) order: JobOrder,
    pub(super) outcome: Outcome,
    pub(super) started: Instant,
    /// Tells it from every other one of this worker; another one each time that it goes on.
    turn: u64,
    ends: Instant,
    /// What is left of it while the process stands still, or waits for a connection.
    left: Option<Duration>,
}

/// When a job of a worker ends, if nothing stops it, and by which turn it is known then.
pub(super) type Turn = (Instant, u64);

/// The threads of one process and the jobs they have.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    threads: usize,
    /// Jobs that run, oldest first.
    running: Vec<RunningWork>,
    pending: VecDeque<JobOrder>,
    turns: u64,
    /// Threads that were ever made.
    pool: usize,
    completed: u64,
    busy: Duration,
    /// What the cluster believes to run here, and is over: the first task of each.
    rows: VecDeque<JobOrder>,
}

impl Worker {
    pub(super) fn new(threads: u32) -> Worker {
        Worker {
            threads: threads as usize,
            running: Vec::new(),
            pending: VecDeque::new(),
            turns: 0,
            pool: 0,
            completed: 0,
            busy: Duration::ZERO,
            rows: VecDeque::new(),
        }
    }

    /// Something is over, and the cluster goes on to believe that it runs here.
    pub(super) fn leave_row(&mut self, first: JobOrder) {
        if self.rows.len() >= limits::ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back(first);
    }

    /// Takes what the cluster believes to run here, and is over.
    pub(super) fn take_rows(&mut self) -> VecDeque<JobOrder> {
        std::mem::take(&mut self.rows)
    }

    /// The job that has just ended is one part of what its thread does: the next one begins.
    pub(super) fn goes_on(&mut self) {
        self.completed = self.completed.saturating_sub(1);
    }

    /// Takes a job from the queue.
    pub(super) fn lease(&mut self, order: JobOrder) {
        self.pending.push_back(order);
    }

    /// The job that a free thread takes next.
    pub(super) fn next(&mut self) -> Option<JobOrder> {
        if self.running.len() >= self.threads { None } else { self.pending.pop_front() }
    }

    /// A thread begins a job.
    pub(super) fn start(&mut self, order: JobOrder, outcome: Outcome, now: Instant) -> Turn {
        self.turns += 1;
        let (turn, ends) = (self.turns, now + outcome.duration);
        self.running.push(RunningWork { order, outcome, started: now, turn, ends, left: None });
        self.pool = self.pool.max(self.running.len());
        (ends, turn)
    }

    /// Whether a job of this turn ends now: it is there and moves.
    pub(super) fn is_due(&self, turn: u64) -> bool {
        self.running.iter().any(|job| job.turn == turn && job.left.is_none())
    }

    /// A task run that runs here is to end as KILLED: when, if not only once its process goes on, or at its own end where it
    /// is one that does not hear of it. None: it does not run here.
    pub(super) fn kill(
        &mut self,
        task_run: (u32, u64, u32),
        now: Instant,
        stubborn: impl Fn(&Work) -> bool,
    ) -> Option<Option<Turn>> {
        let is = |work: &Work| match *work {
            Work::Task { flow, number, run, .. } => (flow, number, run) == task_run,
            Work::Trigger { .. } => false,
        };
        let job = self.running.iter_mut().find(|job| is(&job.order.work))?;
        job.outcome = Outcome { state: State::Killed, timed_out: false, fires: false, ..job.outcome };
        if stubborn(&job.order.work) {
            return Some(None);
        }
        if job.left.is_some() {
            job.left = Some(Duration::ZERO);
            return Some(None);
        }
        self.turns += 1;
        (job.turn, job.ends) = (self.turns, now);
        Some(Some((now, self.turns)))
    }

    /// A job cannot write what came of it: its thread waits.
    pub(super) fn wait(&mut self, turn: u64) {
        for job in self.running.iter_mut().filter(|job| job.turn == turn) {
            job.left = Some(Duration::ZERO);
        }
    }

    /// What a job waits for has come: it comes to `outcome` at `ends`, unless it is over before. None when no job here
    /// waits for it; else when it ends now, if it moves.
    pub(super) fn answered(&mut self, outcome: Outcome, ends: Instant, now: Instant) -> Option<Option<Turn>> {
        let job = self.running.iter_mut().find(|job| job.outcome.awaits == outcome.awaits)?;
        let due = job.left.map_or(job.ends, |left| now + left);
        if ends >= due {
            return Some(None);
        }
        job.outcome = outcome;
        if let Some(left) = &mut job.left {
            *left = ends.since(now);
            return Some(None);
        }
        self.turns += 1;
        (job.ends, job.turn) = (ends, self.turns);
        Some(Some((ends, self.turns)))
    }

    /// The job of a realtime trigger, and whether it moves.
    pub(super) fn listening(&mut self, trigger: u32) -> Option<(&mut RunningWork, bool)> {
        let is = |work: &Work| matches!(work, Work::Trigger { trigger: own, realtime: Some(_), .. } if *own == trigger);
        let job = self.running.iter_mut().find(|job| is(&job.order.work))?;
        let moves = job.left.is_none();
        Some((job, moves))
    }

    /// Takes the jobs of realtime triggers: they end when they are told to.
    pub(super) fn stop_listening(&mut self, now: Instant) -> Vec<RunningWork> {
        let stopped: Vec<RunningWork> = self.running.extract_if(.., |job| job.order.work.is_realtime()).collect();
        self.completed += stopped.len() as u64;
        self.busy = stopped.iter().fold(self.busy, |busy, job| busy + now.since(job.started));
        stopped
    }

    /// A job ends.
    pub(super) fn end(&mut self, turn: u64, now: Instant) -> Option<RunningWork> {
        let at = self.running.iter().position(|job| job.turn == turn)?;
        let job = self.running.remove(at);
        self.completed += 1;
        self.busy += now.since(job.started);
        Some(job)
    }

    /// The process stands still: its jobs do too.
    pub(super) fn stall(&mut self, now: Instant) {
        for job in &mut self.running {
            job.left.get_or_insert(job.ends.since(now));
        }
    }

    /// Jobs that stood still, or waited for a connection, go on.
    pub(super) fn resume(&mut self, now: Instant) -> Vec<Turn> {
        let mut turns = Vec::new();
        for job in &mut self.running {
            if let Some(left) = job.left.take() {
                self.turns += 1;
                (job.ends, job.turn) = (now + left, self.turns);
                turns.push((job.ends, job.turn));
            }
        }
        turns
    }

    /// Takes all jobs from it: those that run and those that wait.
    pub(super) fn take_all(&mut self) -> Vec<JobOrder> {
        let running = std::mem::take(&mut self.running).into_iter().map(|job| job.order);
        running.chain(std::mem::take(&mut self.pending)).collect()
    }

    /// Bytes of its jobs.
    pub(super) fn bytes(&self) -> usize {
        self.running.len() * size_of::<RunningWork>() + (self.pending.len() + self.rows.len()) * size_of::<JobOrder>()
    }

    /// Jobs that run, oldest first.
    pub(super) fn running(&self) -> &[RunningWork] {
        &self.running
    }
    /// Jobs it holds and has not started.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.pending.is_empty()
    }
    pub(super) fn threads(&self) -> usize {
        self.threads
    }
    /// Threads that were ever made.
    pub(super) fn pool(&self) -> usize {
        self.pool
    }
    /// Jobs that ended.
    pub(super) fn completed(&self) -> u64 {
        self.completed
    }
    /// The time they took.
    pub(super) fn busy(&self) -> Duration {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOME: Outcome = Outcome {
        duration: Duration::seconds(10),
        state: State::Success,
        timed_out: false,
        logs: 1,
        fires: false,
        awaits: None,
    };

    fn second(n: u64) -> Instant {
        Instant::START + Duration::seconds(n)
    }

    fn order(number: u64) -> JobOrder {
        let work = Work::Task { slot: 0, number, flow: 0, task: 0, run: 0, attempt: 1 };
        JobOrder { work, created: Instant::START, resubmitted: false, within: None }
    }

    /// A worker of two threads that was given three jobs.
    fn busy() -> (Worker, Vec<Turn>) {
        let mut worker = Worker::new(2);
        (0..3).for_each(|number| worker.lease(order(number)));
        let turns = std::iter::from_fn(|| Some(worker.next()?).map(|order| worker.start(order, OUTCOME, second(0))));
        let turns = turns.collect();
        (worker, turns)
    }

    #[test]
    fn it_runs_as_many_jobs_as_it_has_threads_and_holds_the_rest() {
        let (mut worker, turns) = busy();
        assert_eq!((worker.running().len(), worker.pending(), worker.pool()), (2, 1, 2));
        assert_eq!(turns.iter().map(|turn| turn.0).collect::<Vec<_>>(), [second(10), second(10)]);
        assert!(worker.end(turns[0].1, second(10)).is_some() && worker.next().is_some());
        assert_eq!((worker.completed(), worker.busy()), (1, Duration::seconds(10)));
        assert!(worker.end(turns[0].1, second(11)).is_none(), "a job ends once");
    }

    #[test]
    fn a_job_that_stood_still_ends_later_by_as_much_and_not_at_its_old_time() {
        let (mut worker, turns) = busy();
        worker.stall(second(4));
        assert!(!worker.is_due(turns[0].1));
        let again = worker.resume(second(100));
        assert_eq!(again.iter().map(|turn| turn.0).collect::<Vec<_>>(), [second(106), second(106)]);
        assert!(!worker.is_due(turns[0].1) && worker.is_due(again[0].1));
    }

    #[test]
    fn a_job_that_cannot_write_its_result_ends_as_soon_as_it_can() {
        let (mut worker, turns) = busy();
        worker.wait(turns[0].1);
        assert!(!worker.is_due(turns[0].1) && worker.is_due(turns[1].1));
        worker.stall(second(15));
        assert_eq!(worker.resume(second(20))[0].0, second(20));
    }

    #[test]
    fn a_job_that_awaits_an_answer_ends_with_it_or_without_it_and_not_later_for_it() {
        let awaits = |number| Outcome { awaits: Some(number), state: State::Failed, ..OUTCOME };
        let mut worker = Worker::new(4);
        let turns = [7, 8, 9].map(|number| worker.start(order(number), awaits(number), second(0)).1);
        let answered = |number| Outcome { state: State::Success, ..awaits(number) };
        let (ends, turn) = worker.answered(answered(8), second(3), second(3)).flatten().expect("it moves");
        assert_eq!(ends, second(3));
        assert!(!worker.is_due(turns[1]) && worker.is_due(turn));
        assert_eq!(worker.end(turn, second(3)).map(|job| job.outcome.state), Some(State::Success));
        assert_eq!(worker.answered(answered(8), second(4), second(4)), None, "nobody waits for it");
        assert_eq!(worker.answered(answered(7), second(11), second(4)), Some(None), "it is over before");
        worker.stall(second(4));
        assert_eq!(worker.answered(answered(9), second(6), second(5)), Some(None), "it stands still");
        let again = worker.resume(second(20));
        assert_eq!(again.iter().map(|turn| turn.0).collect::<Vec<_>>(), [second(26), second(21)]);
        assert_eq!(worker.end(again[0].1, second(26)).map(|job| job.outcome.state), Some(State::Failed));
    }

    #[test]
    fn all_jobs_are_taken_from_it_in_the_order_they_came() {
        let (mut worker, _) = busy();
        let numbers: Vec<u64> = worker
            .take_all()
            .iter()
            .map(|order| if let Work::Task { number, .. } = order.work { number } else { 99 })
            .collect();
        assert_eq!((numbers.as_slice(), worker.is_idle()), ([0, 1, 2].as_slice(), true));
    }

    #[test]
    fn it_is_busy_from_the_start_of_a_job_on_and_keeps_the_threads_it_made() {
        let mut worker = Worker::new(4);
        // Both were created five seconds before a thread was free.
        let turns = [0, 1].map(|number| worker.start(order(number), OUTCOME, second(5)).1);
        for turn in turns {
            worker.end(turn, second(15));
        }
        assert_eq!((worker.busy(), worker.pool()), (Duration::seconds(20), 2));
        worker.start(order(2), OUTCOME, second(20));
        assert_eq!(worker.pool(), 2);
    }
}
