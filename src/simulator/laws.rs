//! What must hold of every simulation at every instant. Asked after each event where debug assertions are on, and by the
//! property tests.

use super::indexing::Batch;
use super::queue::Queue;
use super::{Backlog, Port, Simulation};

/// The laws that look at every row and execution are asked after so many events at least, and the more there is to look at
/// the more seldom: together they cost no more than a look or two an event. All others are asked after each event.
const SELDOM: u64 = 16;

impl Simulation {
    /// Whether all laws of the model hold: nothing is lost, nobody does more than he can, who stands still does nothing.
    ///
    /// # Errors
    /// The first law that does not hold, and what breaks it.
    pub fn laws(&self) -> Result<(), String> {
        self.laws_at_once()?;
        self.laws_of_each()
    }

    /// After an event.
    pub(super) fn assert_laws(&self) {
        let rows: usize = self.cluster.queues.iter().map(|queue| queue.rows().len()).sum();
        let seldom = (SELDOM + self.cx.truth.live + rows as u64).next_power_of_two();
        let all = self.handled.is_multiple_of(seldom);
        let found = if all { self.laws() } else { self.laws_at_once() };
        debug_assert_eq!(found, Ok(()), "at {}, after event {}", self.cx.now, self.handled);
    }

    fn laws_of_each(&self) -> Result<(), String> {
        self.cluster.queues.iter().try_for_each(Queue::laws_of_each)?;
        self.executor.laws_of_each()
    }

    fn laws_at_once(&self) -> Result<(), String> {
        self.conservation()?;
        self.executor.laws(&self.cx)?;
        self.liveness.laws(&self.cluster)?;
        for member in &self.cluster.members {
            let name = member.name();
            let Some(process) = member.process() else { continue };
            if member.running() > process.worker.threads() {
                return Err(format!("{name} runs {} jobs on {} threads", member.running(), process.worker.threads()));
            }
            if member.lasting.levels.hung && member.moves() {
                return Err(format!("{name} moves, and a fault makes it stand still"));
            }
            if !process.came_up() && !process.worker.is_idle() {
                return Err(format!("{name} has jobs and is not up yet"));
            }
            if !member.moves() && member.port() == Port::Open && process.paused_until().is_none() {
                return Err(format!("{name} answers and does not move"));
            }
        }
        Ok(())
    }

    /// What was begun has ended or is somewhere.
    fn conservation(&self) -> Result<(), String> {
        let (truth, backlog) = (&self.cx.truth, self.unfinished());
        let jobs = truth.attempts_ended
            + truth.results_lost
            + truth.polls_ended
            + backlog.jobs_queued
            + backlog.jobs_pending
            + backlog.jobs_running
            + backlog.jobs_orphaned
            + backlog.task_ends
            + backlog.trigger_ends;
        if truth.attempts + truth.polls != jobs {
            return Err(format!("{jobs} jobs are somewhere: {truth:?} {backlog:?}"));
        }
        if backlog.sent != backlog.taken + backlog.waiting {
            return Err(format!("messages are lost: {backlog:?}"));
        }
        if truth.log_lines != truth.log_lines_indexed + backlog.log_lines {
            return Err(format!("log lines are lost: {truth:?} {backlog:?}"));
        }
        Ok(())
    }

    /// Where everything is that was begun and has not ended.
    pub fn backlog(&self) -> Backlog {
        Backlog { retrying: self.executor.retrying(), ..self.unfinished() }
    }

    /// The same but for executions that wait for another attempt: what is counted as it comes and goes.
    fn unfinished(&self) -> Backlog {
        let mut backlog = Backlog { jobs_orphaned: self.liveness.orphans(), ..Backlog::default() };
        for queue in &self.cluster.queues {
            let waiting = queue.waiting();
            backlog.sent += queue.sent;
            backlog.taken += queue.taken;
            backlog.jobs_queued += waiting.jobs;
            backlog.task_ends += waiting.task_ends;
            backlog.trigger_ends += waiting.trigger_ends;
            backlog.log_lines += waiting.log_lines;
            backlog.waiting += waiting.all;
        }
        for member in &self.cluster.members {
            backlog.jobs_pending += member.pending() as u64;
            backlog.jobs_running += member.running() as u64;
            backlog.log_lines += member.process().and_then(|process| process.batch).map_or(0, Batch::lines);
        }
        backlog
    }
}
