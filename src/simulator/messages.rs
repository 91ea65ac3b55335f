//! What processes write into queues and the repository, and what their meters show of it. Up to 1.x a queue is named after
//! the class of its messages; the queues of 2.0 have names of their own.

use super::Simulation;
use super::meters::{Class, Meter, QueueName, Subject};
use super::queue::{Message, QueueKind};
use crate::profile::{Quirk, Role};
use crate::random::noise;
use crate::time::Duration;

/// A moment of an execution at which messages are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// Somebody asks for it.
    Asked,
    /// An executor sees it for the first time.
    Seen,
    /// A task run is created.
    TaskRun,
    /// It is over.
    Closed,
}

impl Moment {
    /// What is sent up to 1.x.
    const fn classes(self) -> &'static [(Class, u32)] {
        match self {
            Moment::Asked => &[(Class::Execution, 1)],
            Moment::Seen => &[],
            Moment::TaskRun => &[(Class::Execution, 1), (Class::MultipleConditionEvent, 1), (Class::WorkerJob, 1)],
            // The end, and once more for those who wait for it.
            Moment::Closed => &[(Class::Execution, 2), (Class::MultipleConditionEvent, 1)],
        }
    }

    /// To which queues of 2.0 something is sent (standalone/activity: 4.75 execution events for 1.3 task runs).
    const fn queues(self) -> &'static [QueueName] {
        match self {
            Moment::Asked => &[QueueName::ExecutionCommand],
            Moment::Seen => &[QueueName::ExecutionEvent, QueueName::FollowExecution],
            Moment::TaskRun => &[QueueName::MultipleConditionEvent, QueueName::WorkerJobEvent],
            Moment::Closed => &[
                QueueName::ExecutionEvent,
                QueueName::FollowExecution,
                QueueName::Statistic,
                QueueName::MultipleConditionEvent,
            ],
        }
    }
}

impl Simulation {
    /// Whether the queues of a member's version have names of their own.
    fn named_queues(&self, member: usize) -> bool {
        self.members[member].profile.has(Quirk::NamedQueues)
    }

    /// A member's process sends what belongs to a moment of an execution.
    pub(super) fn tell(&mut self, member: usize, moment: Moment) {
        if !self.named_queues(member) {
            for (class, messages) in moment.classes() {
                self.produce(member, *class, *messages);
            }
            return;
        }
        for queue in moment.queues() {
            self.emit(member, *queue, 1);
            match queue {
                // Its sender reads it too.
                QueueName::MultipleConditionEvent => self.consumed(member, *queue),
                QueueName::Statistic => {
                    if let Some(indexer) = self.pick(Role::Indexer, self.messages) {
                        self.index(indexer, Class::Statistic, 1);
                        self.consumed_batch(indexer, *queue);
                    }
                }
                _ => {}
            }
        }
    }

    /// A member's process sends messages of a class: what its counter shows of it.
    pub(super) fn produce(&mut self, member: usize, class: Class, messages: u32) {
        if self.named_queues(member) {
            for queue in class.queues() {
                self.emit(member, *queue, messages);
            }
        } else {
            self.count_many(member, Meter::QueueProduced, Subject::Queue(class), f64::from(messages));
        }
    }

    /// A member's process sends messages to a queue that has a name. What a worker sends, its controller writes.
    fn emit(&mut self, member: usize, queue: QueueName, messages: u32) {
        let sender = if self.without_database(member) { self.controller() } else { Some(member) };
        if let Some(sender) = sender {
            self.count_many(sender, Meter::QueueProduced, Subject::Named(queue), f64::from(messages));
        }
    }

    /// A member's process takes a message of a queue that has a name.
    pub(super) fn consumed(&mut self, member: usize, queue: QueueName) {
        self.handled(member, Meter::QueueConsumed, queue);
    }

    /// The same of a batch of messages.
    pub(super) fn consumed_batch(&mut self, member: usize, queue: QueueName) {
        self.handled(member, Meter::QueueBatch, queue);
    }

    fn handled(&mut self, member: usize, meter: Meter, queue: QueueName) {
        if self.named_queues(member) {
            self.messages += 1;
            let slowdown = self.database.slowdown().unwrap_or(1.0);
            let spread = 0.4 + 1.2 * noise(0xc0e5, self.messages);
            self.time(member, meter, Subject::Named(queue), Duration::microseconds(1_900).times(spread * slowdown));
        }
    }

    /// A member's process writes rows of a class to the repository, as one batch.
    pub(super) fn index(&mut self, member: usize, class: Class, rows: u32) {
        if self.named_queues(member) && !class.indexed() {
            return;
        }
        let subject = Subject::Indexed(class);
        let slowdown = self.database.slowdown().unwrap_or(1.0);
        self.messages += 1;
        let time = Duration::microseconds(2_400).times((0.5 + noise(0x1d3, self.messages)) * slowdown);
        self.count_many(member, Meter::IndexerIn, subject, f64::from(rows));
        self.count_many(member, Meter::IndexerOut, subject, f64::from(rows));
        self.count(member, Meter::IndexerRequest, subject);
        self.time(member, Meter::IndexerDuration, subject, time);
    }

    /// A member's process writes log lines of an execution.
    pub(super) fn write_logs(&mut self, member: usize, lines: u32) {
        if lines > 0 {
            self.truth.log_lines += u64::from(lines);
            self.produce(member, Class::LogEntry, lines);
            self.send(QueueKind::LogEntry, Message::Logs(lines));
        }
    }
}
