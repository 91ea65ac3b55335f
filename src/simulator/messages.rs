//! What processes write into queues and the repository, and what their meters show of it. Up to 1.x a queue is named after
//! the class of its messages; the queues of 2.0 have names of their own.

use super::cluster::Cluster;
use super::context::Context;
use super::meters::{Class, Meter, QueueName, Subject};
use crate::profile::{Quirk, Role};
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
            Moment::TaskRun => &[(Class::Execution, 1), (Class::WorkerJob, 1)],
            // The end, and once more for those who wait for it.
            Moment::Closed => &[(Class::Execution, 2)],
        }
    }

    /// To which queues of 2.0 something is sent (standalone/activity: 4.75 execution events for 1.3 task runs).
    const fn queues(self) -> &'static [QueueName] {
        match self {
            Moment::Asked => &[QueueName::ExecutionCommand],
            Moment::Seen => &[QueueName::ExecutionEvent, QueueName::FollowExecution],
            Moment::TaskRun => &[QueueName::WorkerJobEvent],
            Moment::Closed => &[QueueName::ExecutionEvent, QueueName::FollowExecution, QueueName::Statistic],
        }
    }
}

impl Cluster {
    /// Whether the queues of a member's version have names of their own.
    fn named_queues(&self, member: usize) -> bool {
        self.members[member].profile().has(Quirk::NamedQueues)
    }

    /// A member's process sends what belongs to a moment of an execution.
    pub(super) fn tell(&mut self, cx: &mut Context, member: usize, moment: Moment) {
        if !self.named_queues(member) {
            for (class, messages) in moment.classes() {
                self.produce(cx, member, *class, *messages);
            }
            return;
        }
        for queue in moment.queues() {
            self.emit(cx, member, *queue, 1);
            if *queue == QueueName::Statistic
                && let Some(indexer) = self.pick(cx, Role::Indexer, cx.messages())
            {
                self.index(cx, indexer, Class::Statistic, 1);
                self.consumed_batch(cx, indexer, *queue);
            }
        }
    }

    /// A member's process sends messages of a class: what its counter shows of it.
    pub(super) fn produce(&mut self, cx: &Context, member: usize, class: Class, messages: u32) {
        if self.named_queues(member) {
            for queue in class.queues() {
                self.emit(cx, member, *queue, messages);
            }
        } else {
            self.count_many(cx, member, Meter::QueueProduced, Subject::Queue(class), f64::from(messages));
        }
    }

    /// A member's process sends messages to a queue that has a name. What a worker sends, its controller writes.
    fn emit(&mut self, cx: &Context, member: usize, queue: QueueName, messages: u32) {
        let sender = if self.without_database(member) { self.controller() } else { Some(member) };
        if let Some(sender) = sender {
            self.count_many(cx, sender, Meter::QueueProduced, Subject::Named(queue), f64::from(messages));
        }
    }

    /// A member's process takes a message of a queue that has a name.
    pub(super) fn consumed(&mut self, cx: &mut Context, member: usize, queue: QueueName) {
        self.handled(cx, member, Meter::QueueConsumed, queue);
    }

    /// The same of a batch of messages.
    pub(super) fn consumed_batch(&mut self, cx: &mut Context, member: usize, queue: QueueName) {
        self.handled(cx, member, Meter::QueueBatch, queue);
    }

    fn handled(&mut self, cx: &mut Context, member: usize, meter: Meter, queue: QueueName) {
        if self.named_queues(member) {
            let times = cx.spread(0xc0e5, 0.4, 1.2) * cx.slowdown();
            self.time(cx, member, meter, Subject::Named(queue), Duration::microseconds(1_900).times(times));
        }
    }

    /// A member's process writes rows of a class to the repository, as one batch.
    pub(super) fn index(&mut self, cx: &mut Context, member: usize, class: Class, rows: u32) {
        if self.named_queues(member) && !class.indexed() {
            return;
        }
        let subject = Subject::Indexed(class);
        let times = cx.spread(0x1d3, 0.5, 1.0) * cx.slowdown();
        let time = Duration::microseconds(2_400).times(times);
        self.count_many(cx, member, Meter::IndexerIn, subject, f64::from(rows));
        self.count_many(cx, member, Meter::IndexerOut, subject, f64::from(rows));
        self.count(cx, member, Meter::IndexerRequest, subject);
        self.time(cx, member, Meter::IndexerDuration, subject, time);
    }
}
