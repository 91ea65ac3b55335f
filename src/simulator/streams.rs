//! Kafka streams, where a scenario says `queue: kafka`: what `/kafkastreams` shows of the queues that the model has anyway.
//! Nobody recorded such a server. Names and members are those of the last public source (facts/management-port.md,
//! section 4.16); states and lags are what Kafka's own documentation says of them.

use super::database::{Database, Loss, Outage};
use super::queue::QueueKind;
use super::{Member, Simulation};
use crate::profile::Role;
use crate::time::Duration;

/// What a stream does, as Kafka names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// Works.
    Running,
    /// Its partitions are handed to other threads: a process came or went.
    Rebalancing,
    /// The brokers refuse it.
    Error,
}

/// A stream of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The class that runs it.
    pub client: &'static str,
    /// What it does.
    pub state: StreamState,
    /// Its stores.
    pub stores: Vec<Store>,
    /// Messages it has taken.
    pub taken: u64,
}

/// A store of a stream, as far as it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its name.
    pub name: &'static str,
    /// By partition: the offset up to which it was read, and the end.
    pub partitions: Vec<(u64, u64)>,
}

impl Store {
    /// Messages that are not in it yet.
    pub fn lag(&self) -> u64 {
        self.partitions.iter().map(|(position, end)| end - position).sum()
    }
}

/// Partitions of a topic (Kestra's default).
const PARTITIONS: u64 = 16;
/// A group of consumers sorts itself out in this time.
const REBALANCE: Duration = Duration::seconds(10);
/// A consumer that said nothing for so long is out of its group (Kafka's default).
const SESSION_TIMEOUT: Duration = Duration::seconds(45);

/// The stores of a stream, and what fills them.
type Stores = &'static [(&'static str, Option<QueueKind>)];

/// The streams of the parts of Kestra.
const STREAMS: &[(Role, &str, Stores)] = &[
    (
        Role::Executor,
        "io.kestra.runner.kafka.executors.ExecutorMain",
        &[
            ("executor", Some(QueueKind::Execution)),
            ("workertask_deduplication", Some(QueueKind::WorkerTaskResult)),
            ("trigger_deduplication", None),
            ("next_deduplication", None),
            ("execution_delay", None),
        ],
    ),
    (Role::Executor, "io.kestra.runner.kafka.executors.ExecutorFlowLast", &[("flow", None)]),
    (
        Role::Executor,
        "io.kestra.runner.kafka.executors.ExecutorFlowTrigger",
        &[("trigger_multiplecondition", Some(QueueKind::MultipleConditionEvent))],
    ),
    (Role::Executor, "io.kestra.runner.kafka.executors.ExecutorTriggerCleaner", &[("trigger_multiplecondition", None)]),
    (
        Role::Executor,
        "io.kestra.runner.kafka.executors.ExecutorWorkerRunning",
        &[("worker_instance", None), ("worker_running", Some(QueueKind::WorkerJob))],
    ),
    (
        Role::Scheduler,
        "io.kestra.runner.kafka.KafkaScheduler",
        &[("schedulerexecutor", None), ("schedulertrigger", Some(QueueKind::WorkerTriggerResult))],
    ),
];

impl Simulation {
    /// The streams of a member's process.
    pub fn streams(&self, member: usize) -> Vec<Stream> {
        let Some(it) = self.cluster.members.get(member).filter(|_| self.cx.plan.cluster.kafka) else {
            return Vec::new();
        };
        let runs = STREAMS.iter().filter(|(part, ..)| it.role().runs(*part));
        runs.map(|(part, client, stores)| {
            let read = |kind: &Option<QueueKind>| kind.map(|kind| &self.cluster.queues[kind as usize]);
            Stream {
                client,
                state: self.stream_state(*part),
                taken: stores.iter().filter_map(|(_, kind)| read(kind)).map(|queue| queue.taken).sum(),
                stores: stores
                    .iter()
                    .map(|(name, kind)| Store {
                        name,
                        partitions: partitions(read(kind).map_or((0, 0), |queue| (queue.taken, queue.sent))),
                    })
                    .collect(),
            }
        })
        .collect()
    }

    /// All threads of a part form one group.
    fn stream_state(&self, part: Role) -> StreamState {
        match self.cx.database {
            Database::Lost(Outage { how: Loss::Stalled, .. }) => return StreamState::Rebalancing,
            Database::Lost(_) => return StreamState::Error,
            Database::Reachable(_) => {}
        }
        let group = self.cluster.members.iter().filter(|member| member.role().runs(part));
        match group.clone().any(|member| self.moved(member)) {
            true => StreamState::Rebalancing,
            false => StreamState::Running,
        }
    }

    /// Whether a process joined or left its group just now. One that was killed is missed when its session is over.
    fn moved(&self, member: &Member) -> bool {
        let within = |since, from: Duration| {
            let age = self.cx.now.since(since);
            age >= from && age < from + REBALANCE
        };
        match (member.process().filter(|process| process.came_up()), member.lasting.ended) {
            (None, Some((at, true))) => within(at, Duration::ZERO),
            (None, Some((at, false))) => within(at, SESSION_TIMEOUT),
            (None, None) => false,
            (Some(process), _) => process.up_since > self.cx.born && within(process.up_since, Duration::ZERO),
        }
    }
}

/// Messages lie on the partitions in turn.
fn partitions((position, end): (u64, u64)) -> Vec<(u64, u64)> {
    let share = |all: u64, partition| all / PARTITIONS + u64::from(partition < all % PARTITIONS);
    (0..PARTITIONS).map(|partition| (share(position, partition), share(end, partition))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_messages_lie_on_the_partitions_and_none_has_more_than_one_more_than_another() {
        for (taken, sent) in [(0, 0), (5, 18), (16, 32), (31, 1_001)] {
            let partitions = partitions((taken, sent));
            let sums = (partitions.iter().map(|it| it.0).sum::<u64>(), partitions.iter().map(|it| it.1).sum::<u64>());
            assert_eq!((partitions.len(), sums), (16, (taken, sent)));
            let store = Store { name: "executor", partitions: partitions.clone() };
            assert_eq!(store.lag(), sent - taken);
            assert!(partitions.iter().all(|(_, end)| end.abs_diff(sent / PARTITIONS) <= 1), "{partitions:?}");
        }
    }
}
