//! The event queue: the least (time, rank, sequence) comes first, so that events of one instant keep the order they were
//! made in. Entries of the timeline come after all else of their instant, as a fault injected from outside does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::queue::QueueKind;
use crate::time::Instant;

/// What happens at an instant. Indices and generations only: an event whose generation is over does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The next execution of an entry of `arrivals`.
    Arrival { arrivals: u32, generation: u32 },
    /// The consumers of a queue look at its rows.
    Deliver(QueueKind),
    /// A job ends in a worker.
    JobEnd { job: u32, generation: u32 },
    /// A trigger is due.
    TriggerDue { trigger: u32, generation: u32 },
    /// The pause before a retry is over.
    RetryDue { execution: u32, number: u64 },
    /// The pause before a new execution of a flow is over.
    FlowRetryDue { flow: u32, number: u64, attempt: u32 },
    /// An executor looks for services that do not answer.
    LivenessCheck,
    /// A process has started up.
    Up { member: u32, life: u32 },
    /// Somebody starts the member again.
    Start { member: u32, life: u32 },
    /// The ports of a process that shuts down are closed.
    Closed { member: u32, life: u32 },
    /// A process ends.
    Exit { member: u32, life: u32, cause: ExitCause },
    /// A process that lost its database gives up, unless the database came back before that.
    GivesUp { member: u32, life: u32, generation: u32 },
    /// The ports of a process accept connections and close them without an answer from now on.
    Deaf { member: u32, life: u32 },
    /// A long collection is over.
    PauseEnds { member: u32, life: u32 },
    /// A declared poller asks a member.
    Poll { member: u32, poller: u32, life: u32 },
    /// The heap is full.
    OutOfMemory { member: u32, life: u32, generation: u32 },
    /// An entry of the timeline begins.
    FaultBegins { entry: u32 },
    /// An active fault ends by itself.
    FaultEnds { fault: u32 },
}

/// Why a process ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExitCause {
    /// After SIGTERM, by its own will.
    Stopped,
    /// Its grace period was over before its tasks were.
    Forced,
    /// A queue thread met a fatal database error.
    DatabaseLost,
    /// The database was not there at start.
    NoDatabase,
    /// The heap is full.
    OutOfMemory,
    /// It found that the cluster had given it up.
    Disconnected,
    /// A worker without a database found no controller for a minute.
    NoController,
}

impl ExitCause {
    /// The exit code, as recorded from 1.3.19 (143 after SIGTERM, 1 after a fatal error).
    pub(super) const fn code(self) -> u8 {
        match self {
            ExitCause::Stopped | ExitCause::Forced | ExitCause::Disconnected | ExitCause::NoController => 143,
            _ => 1,
        }
    }

    /// For the journal.
    pub(super) const fn text(self) -> &'static str {
        match self {
            ExitCause::Stopped => "stopped",
            ExitCause::Forced => "stopped with tasks still running, the grace period is over",
            ExitCause::DatabaseLost => "fatal error in a queue thread: database lost",
            ExitCause::NoDatabase => "cannot start without a database",
            ExitCause::OutOfMemory => "out of memory",
            ExitCause::Disconnected => "found itself disconnected",
            ExitCause::NoController => "found no controller for a minute",
        }
    }
}

/// Events to come.
#[derive(Clone, Debug, Default)]
pub(super) struct EventQueue {
    heap: BinaryHeap<Reverse<(Instant, bool, u64, Event)>>,
    sequence: u64,
}

impl EventQueue {
    /// Adds an event.
    pub(super) fn push(&mut self, at: Instant, event: Event) {
        let last = matches!(event, Event::FaultBegins { .. });
        self.heap.push(Reverse((at, last, self.sequence, event)));
        self.sequence += 1;
    }

    /// When the next event is.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next event, if it is not after `limit`.
    pub(super) fn pop(&mut self, limit: Instant) -> Option<(Instant, Event)> {
        if self.next()? > limit {
            return None;
        }
        self.heap.pop().map(|Reverse((at, _, _, event))| (at, event))
    }
}
