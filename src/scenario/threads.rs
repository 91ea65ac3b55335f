//! Queues and the threads that read them, as a scenario names them.

use crate::profile::Role;

/// A queue that the model keeps rows of, named after its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named after its messages")]
pub enum Queue {
    Execution,
    WorkerJob,
    WorkerTaskResult,
    WorkerTriggerResult,
    LogEntry,
    MultipleConditionEvent,
}

/// A thread of a process that works by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    /// The one that reads a queue.
    Queue(Queue),
    /// The one that evaluates triggers.
    Scheduler,
    /// All of these.
    All,
}

/// The words for queues, and who reads them.
const QUEUES: &[(&str, Queue, Role)] = &[
    ("execution", Queue::Execution, Role::Executor),
    ("worker-job", Queue::WorkerJob, Role::Worker),
    ("worker-task-result", Queue::WorkerTaskResult, Role::Executor),
    ("worker-trigger-result", Queue::WorkerTriggerResult, Role::Scheduler),
    ("log-entry", Queue::LogEntry, Role::Indexer),
    ("multiple-condition-event", Queue::MultipleConditionEvent, Role::Executor),
];

impl Queue {
    /// The word for it in a file.
    pub const fn word(self) -> &'static str {
        QUEUES[self as usize].0
    }

    /// What a process must run to read it.
    pub const fn reader(self) -> Role {
        QUEUES[self as usize].2
    }

    pub(super) fn named(word: &str) -> Option<Queue> {
        QUEUES.iter().find(|(name, ..)| *name == word).map(|(_, queue, _)| *queue)
    }
}

impl Thread {
    /// The word for it in a file.
    pub const fn word(self) -> &'static str {
        match self {
            Thread::Queue(queue) => queue.word(),
            Thread::Scheduler => "scheduler",
            Thread::All => "all",
        }
    }

    /// Whether a process of a role has it.
    pub const fn runs_in(self, role: Role) -> bool {
        match self {
            Thread::Queue(queue) => role.runs(queue.reader()),
            Thread::Scheduler => role.runs(Role::Scheduler),
            Thread::All => true,
        }
    }

    pub(super) fn named(word: &str) -> Option<Thread> {
        match word {
            "scheduler" => Some(Thread::Scheduler),
            "all" => Some(Thread::All),
            queue => Queue::named(queue).map(Thread::Queue),
        }
    }
}

/// The words for queues: those for the threads that read them.
pub(super) const QUEUE_WORDS: &[&str] = THREAD_WORDS.split_at(QUEUES.len()).0;

/// The words for threads.
pub(super) const THREAD_WORDS: &[&str] = &[
    "execution",
    "worker-job",
    "worker-task-result",
    "worker-trigger-result",
    "log-entry",
    "multiple-condition-event",
    "scheduler",
    "all",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_what_it_is_the_word_of() {
        assert_eq!(QUEUES.len(), QUEUE_WORDS.len());
        for (place, word) in QUEUE_WORDS.iter().enumerate() {
            let queue = Queue::named(word).expect("a queue");
            assert_eq!((queue.word(), queue as usize), (*word, place));
        }
        assert!(THREAD_WORDS.iter().all(|word| Thread::named(word).is_some_and(|it| it.word() == *word)));
        assert_eq!(THREAD_WORDS[..QUEUE_WORDS.len()], *QUEUE_WORDS);
        assert!(Thread::named("queue").is_none());
    }
}
