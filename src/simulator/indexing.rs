//! An indexer whose store is slow: a batch takes as long as a fault says, and until then it takes no other. One that is as fast
//! as ever has written a batch when it has read it.

use super::cluster::Cluster;
use super::context::Context;
use super::event::Event;
use super::meters::{Class, Meter, QueueName, Subject};
use super::queue::QueueKind;
use crate::time::{Duration, Instant};

/// The batch that an indexer writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    lines: u64,
    since: Instant,
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
        cx.truth.log_lines_indexed += u64::from(lines);
        if self.batch_takes(member).is_zero() {
            self.index(cx, member, Class::LogEntry, lines);
        } else {
            let since = cx.now;
            self.count_many(cx, member, Meter::IndexerIn, Subject::Indexed(Class::LogEntry), f64::from(lines));
            if let Some(process) = &mut self.members[member].process {
                process.batch.get_or_insert(Batch { lines: 0, since }).lines += u64::from(lines);
            }
        }
        self.consumed_batch(cx, member, QueueName::LogEntry);
    }

    /// It has read all of a poll: a batch that takes its time has begun.
    pub(super) fn begins_batch(&mut self, cx: &mut Context, member: usize) {
        if self.is_indexing(member) {
            let life = self.members[member].life();
            cx.after(self.batch_takes(member), Event::Indexed { member: member as u32, life });
        }
    }

    /// A batch is written: its indexer takes the next one.
    pub(super) fn ends_batch(&mut self, cx: &mut Context, member: usize) {
        let batch = self.members[member].process.as_mut().and_then(|process| process.batch.take());
        let Some(Batch { lines, since }) = batch else { return };
        let subject = Subject::Indexed(Class::LogEntry);
        self.count_many(cx, member, Meter::IndexerOut, subject, lines as f64);
        self.count(cx, member, Meter::IndexerRequest, subject);
        self.time(cx, member, Meter::IndexerDuration, subject, cx.now.since(since));
        self.kick(cx, QueueKind::LogEntry);
    }
}
