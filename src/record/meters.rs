//! Which meters are looked at, under all names that versions give them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::profile::Profile;

/// What a series tells, whatever its name is in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Executions that began, by flow and state.
    Started,
    /// Executions taken from the queue of a concurrency limit, by flow: these do not count as started (recorded from 1.3).
    Popped,
    /// Executions that had to wait for a concurrency limit, by flow.
    Queued,
    /// Executions that wait before something is tried again, by flow.
    Delayed,
    /// Ended task runs, by flow and state.
    TaskRuns,
    /// How long task runs took from their creation on, by flow and state.
    TaskRunTime,
    /// Task runs that a worker began, by flow and type.
    WorkerStarted,
    /// How long they took from their creation on, by flow and type; in 0.20 how long they waited.
    WorkerTime,
    /// How long they waited for a thread, by flow and type.
    WorkerWait,
    /// Executions that a scheduler asked for, by flow.
    Triggered,
    /// Evaluations of polling triggers, by flow and type.
    Polls,
    /// Those of them that started an execution.
    PollsFired,
    /// How long they took.
    PollTime,
    /// Threads of a worker.
    Threads,
    /// The most memory a part of the heap may take.
    Heap,
    /// When the process began, in seconds since 1970.
    Began,
    /// How long it has run, in seconds.
    Uptime,
    /// Requests to its ports, by route.
    Requests,
    /// Queries to the database, by their text.
    Queries,
}

/// What a name adds to that of its meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Nothing: a counter, a gauge, or a quantile where there is such a label.
    Value,
    /// `_count`.
    Count,
    /// `_sum`.
    Sum,
    /// `_bucket`.
    Bucket,
}

const PARTS: &[(&str, Part)] =
    &[("", Part::Value), ("_count", Part::Count), ("_sum", Part::Sum), ("_bucket", Part::Bucket)];

/// Meters by the name by which the model knows them: what each version calls them says its profile.
const MODELLED: &[(What, &str)] = &[
    (What::Started, "kestra.executor.execution.started.count"),
    (What::Popped, "kestra.executor.execution.popped.count"),
    (What::Queued, "kestra.executor.execution.queued.count"),
    (What::Delayed, "kestra.executor.execution.delay.created.count"),
    (What::TaskRuns, "kestra.executor.taskrun.ended.count"),
    (What::TaskRunTime, "kestra.executor.taskrun.ended.duration"),
    (What::WorkerStarted, "kestra.worker.started.count"),
    (What::WorkerTime, "kestra.worker.ended.duration"),
    (What::WorkerWait, "kestra.worker.queued.duration"),
    (What::Triggered, "kestra.scheduler.trigger.count"),
    (What::Polls, "kestra.worker.trigger.ended.count"),
    (What::PollsFired, "kestra.worker.trigger.execution.count"),
    (What::PollTime, "kestra.worker.trigger.duration"),
    (What::Threads, "kestra.worker.job.thread"),
];

/// Those of libraries, the same in all versions.
const COMMON: &[(What, &str)] = &[
    (What::Heap, "jvm_memory_max_bytes"),
    (What::Began, "process_start_time_seconds"),
    (What::Uptime, "process_uptime_seconds"),
    (What::Requests, "http_server_requests_seconds"),
    (What::Queries, "kestra_jdbc_query_duration_seconds"),
];

/// All names, without what their series add.
pub(super) fn names() -> &'static BTreeMap<String, What> {
    static NAMES: OnceLock<BTreeMap<String, What>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names: BTreeMap<String, What> = COMMON.iter().map(|(what, name)| ((*name).to_owned(), *what)).collect();
        for profile in Profile::NAMES.iter().filter_map(|name| Profile::named(name).ok()) {
            for (what, model) in MODELLED {
                let meter = profile.modelled(model).and_then(|id| profile.meter_of(id));
                meter.into_iter().for_each(|meter| _ = names.insert(meter.prometheus_name(), *what));
            }
        }
        names
    })
}

/// What a series of this name tells, if anything here asks for it.
pub(super) fn of(name: &str) -> Option<(What, Part)> {
    PARTS.iter().rev().find_map(|(suffix, part)| {
        let meter = name.strip_suffix(suffix)?;
        Some((*names().get(meter)?, *part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meter_has_a_name_in_some_version_and_parts_are_told_apart() {
        for (what, model) in MODELLED {
            assert!(names().values().any(|it| it == what), "{model}");
        }
        assert_eq!(of("kestra_worker_ended_duration_seconds_sum"), Some((What::WorkerTime, Part::Sum)));
        assert_eq!(of("kestra_executor_taskrun_ended_count_total"), Some((What::TaskRuns, Part::Value)));
        assert_eq!(of("kestra_worker_job_thread"), Some((What::Threads, Part::Value)));
        assert_eq!(of("http_server_requests_seconds_count"), Some((What::Requests, Part::Count)));
        assert_eq!(of("kestra_worker_ended_duration_seconds_max"), None);
        assert_eq!(of("up"), None);
    }
}
