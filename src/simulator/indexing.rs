//! An indexer whose store is slow: a batch takes as long as a fault says, and until then it takes no other. One that is as fast
//! as ever has written a batch when it has read it.

use super::cluster::Cluster;
use super::context::Context;
use super::event::Event;
use super::member::Process;
use super::meters::{Class, Meter, QueueName, Subject};
use super::queue::{Message, QueueKind};
use crate::time::{Duration, Instant};

/// The batch that an indexer writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    lines: u32,
    since: Instant,
    ends: Instant,
}

impl Batch {
    /// Log lines that are read and not written.
    pub(super) fn lines(self) -> u64 {
        u64::from(self.lines)
    }
}

impl Cluster {
    /// How long a batch takes a member beside what is usual.
    fn batch_takes(&self, member: usize) -> Duration {
        self.members[member].lasting.levels.batch_takes
    }

    /// Whether a member still writes a batch of log lines.
    pub(super) fn is_indexing(&self, member: usize) -> bool {
        self.members[member].process().is_some_and(|process| process.batch.is_some())
    }

    /// An indexer has read log lines.
    pub(super) fn reads_logs(&mut self, cx: &mut Context, member: usize, lines: u32) {
        let takes = self.batch_takes(member);
        if takes.is_zero() {
            cx.truth.log_lines_indexed += u64::from(lines);
            self.index(cx, member, Class::LogEntry, lines);
        } else {
            self.count_many(cx, member, Meter::IndexerIn, Subject::Indexed(Class::LogEntry), f64::from(lines));
            if let Some(process) = &mut self.members[member].process {
                let begins = Batch { lines: 0, since: cx.now, ends: cx.now + takes };
                let batch = process.batch.get_or_insert(begins);
                batch.lines = batch.lines.saturating_add(lines);
            }
        }
        self.consumed_batch(cx, member, QueueName::LogEntry);
    }

    /// It has read all of a poll: a batch that takes its time has begun.
    pub(super) fn begins_batch(&self, cx: &mut Context, member: usize) {
        let it = &self.members[member];
        if let Some(batch) = it.process().and_then(|process| process.batch) {
            cx.events.push(batch.ends, Event::Indexed { member: member as u32, life: it.life() });
        }
    }

    /// It is time for a batch to be written, unless it is over by then.
    pub(super) fn ends_batch(&mut self, cx: &mut Context, member: usize) {
        let ends = self.members[member].process().and_then(|process| process.batch).is_some_and(|it| it.ends == cx.now);
        if ends {
            self.writes_batch(cx, member);
        }
    }

    /// What a member's indexer writes to is slow, or is not any more: then what waits for it is written.
    pub(super) fn batches_change(&mut self, cx: &mut Context, member: usize) {
        if self.batch_takes(member).is_zero() {
            self.writes_batch(cx, member);
        }
    }

    /// A batch is written: its indexer takes the next one.
    fn writes_batch(&mut self, cx: &mut Context, member: usize) {
        let batch = self.members[member].process.as_mut().and_then(|process| process.batch.take());
        let Some(Batch { lines, since, .. }) = batch else { return };
        let subject = Subject::Indexed(Class::LogEntry);
        cx.truth.log_lines_indexed += u64::from(lines);
        self.count_many(cx, member, Meter::IndexerOut, subject, f64::from(lines));
        self.count(cx, member, Meter::IndexerRequest, subject);
        self.time(cx, member, Meter::IndexerDuration, subject, cx.now.since(since));
        self.kick(cx, QueueKind::LogEntry);
    }

    /// A process is gone: what it had read and not written is there for others to read, as its rows were locked and not taken.
    pub(super) fn leaves_batch(&mut self, cx: &mut Context, process: &Process) {
        if let Some(batch) = process.batch {
            self.queues[QueueKind::LogEntry as usize].redeliver(Message::Logs(batch.lines));
            self.kick(cx, QueueKind::LogEntry);
        }
    }
}
