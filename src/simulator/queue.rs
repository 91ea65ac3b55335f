//! Kestra's queues: rows of a table that consumers poll.

use std::collections::VecDeque;

use crate::flow::State;
use crate::profile::Role;
use crate::random;
use crate::scenario;
use crate::time::{Duration, Instant};

/// A queue of the database, named by the class of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum QueueKind {
    /// Executions, consumed by executors.
    Execution,
    /// Task runs and trigger evaluations to do, consumed by workers.
    WorkerJob,
    /// What became of task runs, consumed by executors.
    WorkerTaskResult,
    /// What became of trigger evaluations, consumed by schedulers.
    WorkerTriggerResult,
    /// Log lines, consumed by indexers.
    LogEntry,
    /// What triggers that wait for several executions are asked, consumed by executors.
    MultipleConditionEvent,
}

impl QueueKind {
    /// All queues the model keeps rows of.
    pub(super) const ALL: [QueueKind; 6] = [
        QueueKind::Execution,
        QueueKind::WorkerJob,
        QueueKind::WorkerTaskResult,
        QueueKind::WorkerTriggerResult,
        QueueKind::LogEntry,
        QueueKind::MultipleConditionEvent,
    ];

    /// Who takes its messages.
    pub(super) const fn consumer(self) -> Role {
        match self {
            QueueKind::Execution | QueueKind::WorkerTaskResult | QueueKind::MultipleConditionEvent => Role::Executor,
            QueueKind::WorkerJob => Role::Worker,
            QueueKind::WorkerTriggerResult => Role::Scheduler,
            QueueKind::LogEntry => Role::Indexer,
        }
    }

    /// The one that a scenario means.
    pub(super) const fn of(queue: scenario::Queue) -> QueueKind {
        match queue {
            scenario::Queue::Execution => QueueKind::Execution,
            scenario::Queue::WorkerJob => QueueKind::WorkerJob,
            scenario::Queue::WorkerTaskResult => QueueKind::WorkerTaskResult,
            scenario::Queue::WorkerTriggerResult => QueueKind::WorkerTriggerResult,
            scenario::Queue::LogEntry => QueueKind::LogEntry,
            scenario::Queue::MultipleConditionEvent => QueueKind::MultipleConditionEvent,
        }
    }

    /// What a message keeps its consumer busy for, at the database's normal speed.
    pub(super) const fn cost(self) -> Duration {
        match self {
            QueueKind::Execution | QueueKind::WorkerTaskResult => Duration::microseconds(900),
            QueueKind::WorkerJob | QueueKind::LogEntry => Duration::microseconds(100),
            QueueKind::WorkerTriggerResult => Duration::microseconds(500),
            // The window is read, kept, and those that are over are looked for, one event after another (inferred).
            QueueKind::MultipleConditionEvent => Duration::milliseconds(5),
        }
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Message {
    /// An execution to look at: its slot, which may be another one's by then, its flow and number.
    Execution { slot: u32, flow: u32, number: u64 },
    /// A job for a worker.
    Job(super::worker::JobOrder),
    /// A task run was started by a worker.
    TaskStarted { slot: u32, flow: u32, number: u64, run: u32, attempt: u32 },
    /// What became of the execution that a task run started: none when there is no such flow.
    Child { slot: u32, flow: u32, number: u64, run: u32, state: Option<State> },
    /// Somebody asks something of an execution.
    Asked { slot: u32, flow: u32, number: u64, what: Asked },
    /// A task run ended.
    TaskEnded { slot: u32, number: u64, end: super::worker::TaskEnd },
    /// A polling trigger was evaluated.
    TriggerEvaluated { trigger: u32, fires: bool },
    /// A message came to a realtime trigger.
    TriggerEmitted { trigger: u32 },
    /// Log lines, as many as it says.
    Logs(u32),
    /// A state of an execution, for as many flows as it says.
    Conditions(u32),
    /// One that nobody can digest.
    Poison,
}

/// What an executor is asked to do with an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To kill it, and what it has started.
    Kill { cascade: bool },
    /// To pause it.
    Pause,
    /// To let it go on.
    Resume,
    /// To restart one that is PAUSED.
    Restart,
}

/// What waits in a queue, by what it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) jobs: u64,
    pub(super) task_ends: u64,
    pub(super) trigger_ends: u64,
    pub(super) log_lines: u64,
    pub(super) all: u64,
}

impl Waiting {
    /// Where a message is counted beside among all.
    fn of(&mut self, message: &Message) -> Option<&mut u64> {
        match message {
            Message::Job(_) => Some(&mut self.jobs),
            Message::TaskEnded { .. } => Some(&mut self.task_ends),
            Message::TriggerEvaluated { .. } => Some(&mut self.trigger_ends),
            Message::Logs(_) => Some(&mut self.log_lines),
            Message::Execution { .. }
            | Message::Asked { .. }
            | Message::Child { .. }
            | Message::TaskStarted { .. }
            | Message::TriggerEmitted { .. }
            | Message::Conditions(_)
            | Message::Poison => None,
        }
    }

    fn comes(&mut self, message: &Message) {
        let weight = weight(*message);
        self.all += weight;
        if let Some(count) = self.of(message) {
            *count += weight;
        }
    }

    fn goes(&mut self, message: &Message) {
        let weight = weight(*message);
        self.all -= weight;
        if let Some(count) = self.of(message) {
            *count -= weight;
        }
    }
}

/// The rows of one queue, and how its consumers poll it.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    kind: QueueKind,
    rows: VecDeque<Message>,
    waiting: Waiting,
    /// Rows of before, which are taken first, by the number of the fault that left them; what was in them nobody knows any more.
    old: VecDeque<(u32, u64)>,
    /// Messages ever sent and taken: in = out + backlog.
    pub(super) sent: u64,
    pub(super) taken: u64,
    last_message: Instant,
    /// Its consumers are busy with what they took.
    busy_until: Instant,
    delivery: Option<Instant>,
    /// Where in their interval its consumers poll, as a share of it.
    phase: f64,
}

/// Rows a consumer takes at once (Kestra's default poll size).
pub(super) const POLL_SIZE: usize = 100;

impl Queue {
    pub(super) fn new(kind: QueueKind) -> Queue {
        let never = Instant::from_nanoseconds(i64::MIN / 2);
        Queue {
            kind,
            rows: VecDeque::new(),
            waiting: Waiting::default(),
            old: VecDeque::new(),
            sent: 0,
            taken: 0,
            last_message: never,
            busy_until: never,
            delivery: None,
            phase: random::noise(kind as u64, 77),
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, message: Message, now: Instant) {
        self.sent += weight(message);
        self.waiting.comes(&message);
        self.rows.push_back(message);
        self.last_message = now;
    }

    /// A fault leaves rows of before.
    pub(super) fn leave_old(&mut self, fault: u32, rows: u64) {
        self.old.push_back((fault, rows));
    }

    /// What is left of them is deleted; whoever is busy with them is not any more.
    pub(super) fn delete_old(&mut self, fault: u32, now: Instant) {
        let before = self.old.len();
        self.old.retain(|(of, _)| *of != fault);
        if self.old.len() < before {
            self.busy_until = self.busy_until.min(now);
            self.delivery = None;
        }
    }

    /// Takes rows of before, at most as many as are polled at once: how many.
    pub(super) fn take_old(&mut self) -> usize {
        let mut left = POLL_SIZE as u64;
        while let Some((_, rows)) = self.old.front_mut().filter(|_| left > 0) {
            let taken = left.min(*rows);
            (*rows, left) = (*rows - taken, left - taken);
            if *rows == 0 {
                self.old.pop_front();
            }
        }
        POLL_SIZE - left as usize
    }

    /// All rows that nobody has read.
    pub(super) fn unread(&self) -> u64 {
        self.old.iter().fold(self.waiting.all, |all, (_, rows)| all.saturating_add(*rows))
    }

    /// Rows come back that somebody has read and not done with.
    pub(super) fn redeliver(&mut self, message: Message) {
        self.taken -= weight(message);
        self.waiting.comes(&message);
        self.rows.push_front(message);
    }

    /// Takes the oldest row.
    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.rows.pop_front()?;
        self.taken += weight(message);
        self.waiting.goes(&message);
        Some(message)
    }

    /// Takes the oldest row; of log lines that were written together so many at most.
    pub(super) fn pop_within(&mut self, rows: usize) -> Option<Message> {
        let most = u32::try_from(rows).unwrap_or(u32::MAX);
        match self.rows.front_mut() {
            Some(Message::Logs(lines)) if *lines > most => {
                *lines -= most;
                let part = Message::Logs(most);
                self.taken += weight(part);
                self.waiting.goes(&part);
                Some(part)
            }
            _ => self.pop(),
        }
    }

    /// Whether the oldest row is one that nobody can digest: who takes it does not live to take it out.
    pub(super) fn is_poisoned(&self) -> bool {
        matches!(self.rows.front(), Some(Message::Poison))
    }

    /// Rows in it that nobody can digest.
    pub(super) fn poison(&self) -> usize {
        self.rows.iter().filter(|message| matches!(message, Message::Poison)).count()
    }

    /// Somebody removes the oldest of them by hand.
    pub(super) fn remove_poison(&mut self) {
        if let Some(at) = self.rows.iter().position(|message| matches!(message, Message::Poison))
            && let Some(message) = self.rows.remove(at)
        {
            self.taken += weight(message);
            self.waiting.goes(&message);
        }
    }

    /// The rows that wait, oldest first.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = &Message> {
        self.rows.iter()
    }

    /// What waits, counted.
    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// What must always hold of it, seen from each row.
    ///
    /// # Errors
    /// What does not.
    pub(super) fn laws_of_each(&self) -> Result<(), String> {
        let mut waiting = Waiting::default();
        self.rows.iter().for_each(|message| waiting.comes(message));
        match waiting == self.waiting {
            true => Ok(()),
            false => Err(format!("{waiting:?} waits in {:?}, not {:?}", self.kind, self.waiting)),
        }
    }

    /// Whether no row waits.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.old.is_empty()
    }

    /// The instant of the next delivery, when one must be scheduled: rows wait and none is under way.
    pub(super) fn schedule(&mut self, now: Instant, query: Duration) -> Option<Instant> {
        if self.is_empty() || self.delivery.is_some() {
            return None;
        }
        let at = self.next_poll(now.max(self.busy_until)) + query;
        self.delivery = Some(at);
        Some(at)
    }

    /// Whether a delivery is scheduled.
    pub(super) fn is_under_way(&self) -> bool {
        self.delivery.is_some()
    }

    /// A scheduled delivery happens now, unless another one has taken its place.
    pub(super) fn delivered(&mut self, now: Instant) -> bool {
        let is = self.delivery == Some(now);
        if is {
            self.delivery = None;
        }
        is
    }

    /// What was taken keeps the consumers busy until then.
    pub(super) fn busy(&mut self, until: Instant) {
        self.busy_until = until;
    }

    /// Consumers poll every 25 ms while messages come, then in steps up to every 500 ms after a minute without any
    /// (Kestra's queue defaults: minPollInterval, maxPollInterval, pollSwitchInterval).
    fn next_poll(&self, now: Instant) -> Instant {
        let quiet = now.since(self.last_message).as_milliseconds() / 12_000;
        let interval = 25 * [1u64, 2, 4, 8, 16, 20][quiet.min(5) as usize] * crate::time::MILLISECOND;
        let phase = (self.phase * interval as f64) as i64;
        let position = now.as_nanoseconds().saturating_sub(phase).rem_euclid(interval as i64);
        now + Duration::nanoseconds(interval - position.unsigned_abs())
    }
}

/// How many rows of its queue a message is.
pub(super) fn weight(message: Message) -> u64 {
    match message {
        Message::Logs(rows) | Message::Conditions(rows) => u64::from(rows),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::START + Duration::milliseconds(milliseconds)
    }

    const QUERY: Duration = Duration::milliseconds(2);

    #[test]
    fn rows_are_taken_in_their_order_and_all_are_counted() {
        let mut queue = Queue::new(QueueKind::LogEntry);
        for lines in [3, 5] {
            queue.push(Message::Logs(lines), at(0));
        }
        assert_eq!((queue.sent, queue.taken, queue.rows().count()), (8, 0, 2));
        queue.push(Message::TaskStarted { slot: 0, flow: 0, number: 1, run: 0, attempt: 1 }, at(0));
        assert_eq!(queue.waiting(), Waiting { log_lines: 8, all: 9, ..Waiting::default() });
        assert!(matches!(queue.pop(), Some(Message::Logs(3))));
        assert_eq!((queue.sent, queue.taken, queue.is_empty()), (9, 3, false));
        assert_eq!(queue.waiting(), Waiting { log_lines: 5, all: 6, ..Waiting::default() });
        assert_eq!(queue.laws_of_each(), Ok(()));
        queue.waiting.jobs += 1;
        assert!(queue.laws_of_each().is_err());
    }

    #[test]
    fn log_lines_that_were_written_together_are_polled_as_the_rows_that_they_are() {
        let mut queue = Queue::new(QueueKind::LogEntry);
        for lines in [250, 3] {
            queue.push(Message::Logs(lines), at(0));
        }
        for (most, expected) in [(100, 100), (100, 100), (100, 50), (50, 3)] {
            assert!(matches!(queue.pop_within(most), Some(Message::Logs(lines)) if lines == expected), "{expected}");
            assert_eq!(queue.laws_of_each(), Ok(()));
        }
        assert_eq!((queue.sent, queue.taken, queue.is_empty()), (253, 253, true));
    }

    #[test]
    fn rows_of_before_are_taken_first_as_many_as_are_polled_at_once() {
        let mut queue = Queue::new(QueueKind::MultipleConditionEvent);
        queue.leave_old(1, 90);
        queue.leave_old(2, 40);
        queue.push(Message::Conditions(3), at(0));
        assert_eq!((queue.unread(), queue.is_empty(), queue.laws_of_each()), (133, false, Ok(())));
        assert_eq!([queue.take_old(), queue.take_old(), queue.take_old()], [100, 30, 0]);
        assert!(matches!(queue.pop(), Some(Message::Conditions(3))));
        assert_eq!((queue.sent, queue.taken, queue.is_empty()), (3, 3, true));
        // What is left of a fault is deleted with it, and nothing of another one.
        queue.leave_old(3, 250);
        queue.leave_old(4, 50);
        assert_eq!(queue.take_old(), 100);
        queue.delete_old(3, at(0));
        assert_eq!((queue.unread(), queue.take_old(), queue.is_empty()), (50, 50, true));
    }

    #[test]
    fn one_delivery_is_under_way_at_a_time_and_none_while_nothing_waits() {
        let mut queue = Queue::new(QueueKind::Execution);
        assert_eq!(queue.schedule(at(0), QUERY), None);
        queue.push(Message::Execution { slot: 0, flow: 0, number: 1 }, at(100));
        let delivery = queue.schedule(at(100), QUERY).expect("it is planned");
        assert!(delivery > at(102) && delivery <= at(127), "{delivery}");
        assert_eq!(queue.schedule(at(101), QUERY), None);
        assert!(!queue.delivered(delivery + QUERY), "it is none of its own");
        assert!(queue.delivered(delivery));
        assert!(queue.schedule(at(101), QUERY).is_some());
    }

    #[test]
    fn consumers_poll_slower_the_longer_nothing_came_and_not_before_they_are_done() {
        let mut queue = Queue::new(QueueKind::Execution);
        queue.push(Message::Execution { slot: 0, flow: 0, number: 1 }, at(0));
        let gap = |queue: &Queue, seconds: u64| {
            let first = queue.next_poll(at(seconds * 1000));
            queue.next_poll(first).since(first).as_milliseconds()
        };
        let gaps = [1, 13, 25, 37, 49, 70].map(|seconds| gap(&queue, seconds));
        assert_eq!(gaps, [25, 50, 100, 200, 400, 500]);
        queue.busy(at(5_000));
        assert!(queue.schedule(at(10), QUERY).is_some_and(|delivery| delivery > at(5_000)));
    }

    #[test]
    fn of_each_queue_but_that_of_conditions_a_consumer_takes_at_least_a_thousand_messages_a_second() {
        for kind in QueueKind::ALL {
            let most = if kind == QueueKind::MultipleConditionEvent { 5 } else { 1 };
            assert!(kind.cost() > Duration::ZERO && kind.cost() <= Duration::milliseconds(most), "{kind:?}");
        }
    }
}
