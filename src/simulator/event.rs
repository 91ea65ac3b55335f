//! The event queue: the least (time, rank, sequence) comes first, so that events of one instant keep the order they were
//! made in. Faults come after all else of their instant, as one that is injected from outside does.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::process::Cause;
use super::queue::QueueKind;
use crate::time::Instant;

/// What happens at an instant. Indices and generations only: an event whose generation is over does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The next execution of an entry of `arrivals`.
    Arrival { arrivals: u32, generation: u32 },
    /// The consumers of a queue look at its rows.
    Deliver(QueueKind),
    /// A job ends in a worker.
    JobEnd { member: u32, life: u32, turn: u64 },
    /// A message comes to a realtime trigger that a worker listens for.
    Message { member: u32, life: u32, trigger: u32 },
    /// A trigger is due.
    TriggerDue { trigger: u32, generation: u32 },
    /// A loop of the scheduler finds a paused backfill of a trigger, if none has begun or ended since.
    Backfill { trigger: u32, turn: u32 },
    /// The pause before a retry is over.
    RetryDue { execution: u32, flow: u32, number: u64, run: u32 },
    /// An execution has taken as long as an entry of its `sla` lets it.
    SlaDue { execution: u32, flow: u32, number: u64, sla: u32 },
    /// The kill of an execution goes on to one that it has started.
    KillDue { execution: u32, flow: u32, number: u64 },
    /// The pause before a new execution of a flow is over.
    FlowRetryDue { flow: u32, number: u64, attempt: u32 },
    /// An executor looks for services that do not answer.
    LivenessCheck,
    /// Somebody starts the member again.
    Start { member: u32, life: u32 },
    /// Something comes to a process.
    Comes { member: u32, life: u32, cause: Cause },
    /// A process whose level says so writes that it is alive.
    Heartbeat { member: u32, life: u32 },
    /// A declared poller asks a member.
    Poll { member: u32, poller: u32, life: u32 },
    /// A loop of a scheduler over many triggers, if their number is still the same.
    TriggerLoop { member: u32, life: u32, turn: u32 },
    /// An indexer has written a batch that took its time.
    Indexed { member: u32, life: u32 },
    /// The heap is full, or the container, if the forecast still holds.
    HeapFull { member: u32, life: u32, forecast: u32 },
    /// What wears the database out is reckoned again, if no other reckoning came between.
    Wears { reckoning: u32 },
    /// An entry of the timeline begins.
    FaultBegins { entry: u32 },
    /// A fault that is there begins once more.
    FaultRepeats { fault: u32 },
    /// A fault ends by itself, unless it began once more.
    FaultEnds { fault: u32, times: u32 },
}

/// Why a process ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExitCause {
    /// After SIGTERM, by its own will.
    Stopped,
    /// Its grace period was over before its tasks were.
    Forced,
    /// It did not hear SIGTERM, and whoever sent it killed it when the grace period was over.
    Killed,
    /// A queue thread met a fatal database error.
    DatabaseLost,
    /// The database was not there at start.
    NoDatabase,
    /// The heap is full.
    OutOfMemory,
    /// Its container is.
    OverLimit,
    /// It found that the cluster had given it up.
    Disconnected,
    /// A worker without a database found no controller for a minute.
    NoController,
    /// A queue thread met a message that it cannot digest.
    Poisoned,
    /// The database ended a query of a queue thread.
    QueryFailed,
    /// A fault lets no process start here.
    CannotStart,
    /// Its start took longer than the startup probe waits.
    StartupProbe,
}

impl ExitCause {
    /// The exit code, as recorded from 1.3.19 (143 after SIGTERM, 1 after a fatal error); 137 is that of SIGKILL.
    pub(super) const fn code(self) -> u8 {
        match self {
            ExitCause::Stopped | ExitCause::Forced | ExitCause::Disconnected | ExitCause::NoController => 143,
            ExitCause::Killed | ExitCause::OverLimit => 137,
            ExitCause::StartupProbe => 143,
            ExitCause::DatabaseLost
            | ExitCause::NoDatabase
            | ExitCause::OutOfMemory
            | ExitCause::Poisoned
            | ExitCause::QueryFailed
            | ExitCause::CannotStart => 1,
        }
    }

    /// For the journal.
    pub(super) const fn text(self) -> &'static str {
        match self {
            ExitCause::Stopped => "stopped",
            ExitCause::Forced => "stopped with tasks still running, the grace period is over",
            ExitCause::Killed => "did not answer SIGTERM, killed as the grace period is over",
            ExitCause::DatabaseLost => "fatal error in a queue thread: database lost",
            ExitCause::NoDatabase => "cannot start without a database",
            ExitCause::OutOfMemory => "out of memory",
            ExitCause::OverLimit => "killed by the kernel, its container is over its limit of memory",
            ExitCause::Disconnected => "found itself disconnected",
            ExitCause::NoController => "found no controller for a minute",
            ExitCause::Poisoned => "fatal error in a queue thread: a message that cannot be read",
            ExitCause::QueryFailed => "fatal error in a queue thread: a query failed",
            ExitCause::CannotStart => "its start failed",
            ExitCause::StartupProbe => "its start took longer than the startup probe waits",
        }
    }
}

/// Events to come.
#[derive(Clone, Debug, Default)]
pub(super) struct EventQueue {
    heap: BinaryHeap<Planned>,
    sequence: u64,
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    at: Instant,
    /// Among those of its instant: its number, after all others from [`LAST`] on.
    order: u64,
    event: Event,
}

/// Where the numbers begin of events that come after all others of their instant.
const LAST: u64 = 1 << 63;

impl Planned {
    /// As one number, which is compared at once.
    fn key(&self) -> i128 {
        i128::from(self.at.as_nanoseconds()) << 64 | i128::from(self.order)
    }
}

impl Ord for Planned {
    /// The heap gives the greatest first: the earliest.
    fn cmp(&self, other: &Planned) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Planned) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Planned) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Planned {}

impl EventQueue {
    /// Adds an event.
    pub(super) fn push(&mut self, at: Instant, event: Event) {
        let last = matches!(event, Event::FaultBegins { .. } | Event::FaultRepeats { .. });
        let order = self.sequence | if last { LAST } else { 0 };
        self.heap.push(Planned { at, order, event });
        self.sequence += 1;
    }

    /// Bytes of the events to come.
    pub(super) fn bytes(&self) -> usize {
        self.heap.len() * size_of::<Planned>()
    }

    /// When the next event is.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|planned| planned.at)
    }

    /// Takes the next event, if it is not after `limit`.
    pub(super) fn pop(&mut self, limit: Instant) -> Option<(Instant, Event)> {
        if self.next()? > limit {
            return None;
        }
        self.heap.pop().map(|planned| (planned.at, planned.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn events_come_by_time_then_as_they_were_made_and_faults_last() {
        let second = |n| Instant::START + Duration::seconds(n);
        let mut queue = EventQueue::default();
        queue.push(second(2), Event::FaultBegins { entry: 0 });
        queue.push(second(2), Event::LivenessCheck);
        queue.push(second(1), Event::Deliver(QueueKind::LogEntry));
        queue.push(second(2), Event::Deliver(QueueKind::WorkerJob));
        assert_eq!((queue.next(), queue.pop(second(0))), (Some(second(1)), None));
        let order: Vec<Event> = std::iter::from_fn(|| queue.pop(second(9))).map(|(_, event)| event).collect();
        let expected = [
            Event::Deliver(QueueKind::LogEntry),
            Event::LivenessCheck,
            Event::Deliver(QueueKind::WorkerJob),
            Event::FaultBegins { entry: 0 },
        ];
        assert_eq!(order, expected);
    }
}
