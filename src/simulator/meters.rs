//! The meters the model moves, and a cache of their series: one packed key, one look-up, one addition.

use crate::flow::State;
use crate::metrics::{Registry, SeriesId};
use crate::profile::{self, MeterId, Profile, Quirk, Role};
use crate::scenario::Plan;
use crate::time::{Duration, Instant};

macro_rules! meters {
    ($($name:ident = $text:literal,)+) => {
        /// A meter that events of the model move.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Meter { $($name,)+ }

        impl Meter {
            /// The dotted names of all.
            const NAMES: &[&str] = &[$($text),+];

            /// Its dotted name, as `/metrics` lists it.
            const fn name(self) -> &'static str {
                match self { $(Meter::$name => $text),+ }
            }
        }
    };
}

meters! {
    ExecutionStarted = "kestra.executor.execution.started.count",
    ExecutionEnded = "kestra.executor.execution.end.count",
    ExecutionDuration = "kestra.executor.execution.duration",
    ExecutionMessage = "kestra.executor.execution.message.process",
    ExecutionQueued = "kestra.executor.execution.queued.count",
    ExecutionPopped = "kestra.executor.execution.popped.count",
    ExecutorKilled = "kestra.executor.killed.count",
    SlaExpired = "kestra.executor.sla.expired.count",
    SlaViolated = "kestra.executor.sla.violation.count",
    DelayCreated = "kestra.executor.execution.delay.created.count",
    DelayEnded = "kestra.executor.execution.delay.ended.count",
    TaskRunCreated = "kestra.executor.taskrun.created.count",
    TaskRunNext = "kestra.executor.taskrun.next.count",
    TaskRunEnded = "kestra.executor.taskrun.ended.count",
    TaskRunDuration = "kestra.executor.taskrun.ended.duration",
    Resubmitted = "kestra.executor.worker.job.resubmit.count",
    WorkerStarted = "kestra.worker.started.count",
    WorkerEnded = "kestra.worker.ended.count",
    WorkerDuration = "kestra.worker.ended.duration",
    WorkerQueued = "kestra.worker.queued.duration",
    WorkerRunning = "kestra.worker.running.count",
    WorkerKilled = "kestra.worker.killed.count",
    WorkerTimeout = "kestra.worker.timeout.count",
    TriggerStarted = "kestra.worker.trigger.started.count",
    TriggerEnded = "kestra.worker.trigger.ended.count",
    TriggerError = "kestra.worker.trigger.error.count",
    TriggerExecution = "kestra.worker.trigger.execution.count",
    TriggerDuration = "kestra.worker.trigger.duration",
    TriggerRunning = "kestra.worker.trigger.running.count",
    SchedulerLoop = "kestra.scheduler.loop.count",
    SchedulerEvaluate = "kestra.scheduler.evaluate.count",
    SchedulerTrigger = "kestra.scheduler.trigger.count",
    SchedulerEvaluationLoop = "kestra.scheduler.evaluation.loop.duration",
    SchedulerDelay = "kestra.scheduler.trigger.delay.duration",
    SchedulerLock = "kestra.scheduler.execution.lock.duration",
    SchedulerMissing = "kestra.scheduler.execution.missing.duration",
    SchedulerEvaluation = "kestra.scheduler.trigger.evaluation.duration",
    QueueProduced = "kestra.queue.produce.count",
    BigMessage = "kestra.queue.big_message.count",
    QueueConsumed = "kestra.queue.consume.duration",
    QueueBatch = "kestra.queue.consume.batch.duration",
    SubscriberPaused = "kestra.queue.subscribers.paused.total",
    SubscriberResumed = "kestra.queue.subscribers.resumed.total",
    ControllerDispatched = "kestra.controller.job.dispatched.total",
    ControllerRequeued = "kestra.controller.job.requeued.total",
    ControllerPaused = "kestra.controller.subscription.paused.total",
    ControllerResumed = "kestra.controller.subscription.resumed.total",
    ControllerRegistered = "kestra.controller.worker.registered.total",
    ControllerUnregistered = "kestra.controller.worker.unregistered.total",
    IndexerIn = "kestra.indexer.message.in.count",
    IndexerOut = "kestra.indexer.message.out.count",
    IndexerRequest = "kestra.indexer.request.count",
    IndexerDuration = "kestra.indexer.request.duration",
    HttpRequest = "http.server.requests",
}

/// Whether events of the model move a meter of a version. One that they do not has the series of its start only.
pub fn moves(meter: &profile::Meter) -> bool {
    meter.modelled().is_some_and(|name| Meter::NAMES.contains(&name))
}

macro_rules! names {
    ($(#[doc = $doc:literal])+ $kind:ident: $($name:ident = $text:literal,)+) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $kind { $($name,)+ }
        impl $kind {
            const fn name(self) -> &'static str {
                match self { $($kind::$name => $text),+ }
            }
        }
    };
}

names! {
    /// A class of messages, as the labels `queue_type` and `type` name it.
    Class:
    Execution = "io.kestra.core.models.executions.Execution",
    ExecutionKilled = "io.kestra.core.models.executions.ExecutionKilled",
    LogEntry = "io.kestra.core.models.executions.LogEntry",
    Statistic = "io.kestra.core.models.executions.statistics.ExecutionStatistic",
    Trigger = "io.kestra.core.models.triggers.Trigger",
    MultipleConditionEvent = "io.kestra.core.runners.MultipleConditionEvent",
    WorkerJob = "io.kestra.core.runners.WorkerJob",
    WorkerTaskResult = "io.kestra.core.runners.WorkerTaskResult",
    WorkerTriggerResult = "io.kestra.core.runners.WorkerTriggerResult",
}

names! {
    /// A queue of 2.0, as the label `queue_name` names it.
    QueueName:
    ExecutionCommand = "execution_command",
    ExecutionEvent = "execution_event",
    ExecutionKilled = "execution_killed",
    Statistic = "execution_statistic",
    FollowExecution = "follow_execution_event",
    FollowLog = "follow_log_event",
    LogEntry = "log_entry",
    MultipleConditionEvent = "multiple_condition_event",
    TriggerEvent = "trigger_event",
    WorkerJobEvent = "worker_job_event",
    WorkerTaskResult = "worker_task_result",
}

impl Class {
    /// The queues of 2.0 that carry such messages; each that is followed goes to the followers too.
    pub(super) const fn queues(self) -> &'static [QueueName] {
        match self {
            Class::Execution => &[QueueName::ExecutionEvent, QueueName::FollowExecution],
            Class::ExecutionKilled => &[QueueName::ExecutionKilled],
            Class::LogEntry => &[QueueName::LogEntry, QueueName::FollowLog],
            Class::Statistic => &[QueueName::Statistic],
            Class::Trigger => &[QueueName::TriggerEvent],
            Class::MultipleConditionEvent => &[QueueName::MultipleConditionEvent],
            Class::WorkerJob => &[QueueName::WorkerJobEvent],
            Class::WorkerTaskResult => &[QueueName::WorkerTaskResult],
            Class::WorkerTriggerResult => &[],
        }
    }

    /// Whether 2.0 indexes them.
    pub(super) const fn indexed(self) -> bool {
        matches!(self, Class::LogEntry | Class::Statistic)
    }
}

/// Requests the model counts: method, status and the label `uri` (recorded templates).
pub(super) const ROUTES: &[(&str, &str, &str)] = &[
    ("POST", "200", "/api/v1/{tenant}/executions/{namespace}/{id}"),
    ("GET", "200", "/api/v1/{tenant}/executions/{executionId}"),
    ("GET", "200", "/prometheus"),
    ("GET", "200", "/health"),
    ("GET", "503", "/health"),
    ("GET", "200", "/health/{selector}"),
    ("GET", "503", "/health/{selector}"),
    ("GET", "404", "NOT_FOUND"),
    ("POST", "200", "/api/v1/{tenant}/executions/webhook/{namespace}/{id}/{key}{/path}"),
];

/// What a series is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    /// Nothing in particular.
    Bare,
    /// `flow_id, namespace_id, tenant_id`.
    Flow(u32),
    /// The same and `state`.
    FlowState(u32, State),
    /// `task_type` and `attempt_count`: flow, index of the task, and which attempt.
    Attempt(u32, u32, u32),
    /// The same without the attempt: flow and index of the task, those of `errors` after those of `tasks`.
    Task(u32, u32),
    /// The same and `trigger_type`: flow and index of the trigger.
    Trigger(u32, u32),
    /// `trigger_type` alone.
    TriggerKind(u32, u32),
    /// `queue_type`.
    Queue(Class),
    /// `class_name`.
    Big(Class),
    /// `type`.
    Indexed(Class),
    /// `queue_name`.
    Named(QueueName),
    /// `worker_queue` and `worker_group` of the jobs a controller hands out.
    Dispatch,
    /// `execution_killed_type` and `tenant_id` of a kill of an execution.
    Kill,
    /// A line of [`ROUTES`].
    Route(usize),
}

impl Subject {
    /// Unique below a meter: kind, flow and detail packed.
    #[inline(always)]
    fn key(self) -> u64 {
        let (kind, flow, detail) = match self {
            Subject::Bare => (0, 0, 0),
            Subject::Flow(flow) => (1, flow, 0),
            Subject::FlowState(flow, state) => (2, flow, state as u32),
            Subject::Task(flow, task) => (3, flow, task),
            Subject::Trigger(flow, trigger) => (4, flow, trigger),
            Subject::TriggerKind(flow, trigger) => (5, flow, trigger),
            Subject::Queue(class) => (6, 0, class as u32),
            Subject::Indexed(class) => (7, 0, class as u32),
            Subject::Route(route) => (8, 0, route as u32),
            Subject::Named(queue) => (9, 0, queue as u32),
            Subject::Dispatch => (10, 0, 0),
            Subject::Kill => (12, 0, 0),
            Subject::Big(class) => (13, 0, class as u32),
            // Flows have a few hundred tasks and tasks a few attempts; later ones share a series.
            Subject::Attempt(flow, task, attempt) => (11, flow, task << 8 | attempt.min(255)),
        };
        (kind << 52) | (u64::from(flow) << 28) | u64::from(detail)
    }
}

/// The one group of workers, and its queue, that there is without a licence.
const WORKER_GROUP: &str = "default";

/// The registry of one process and its cache.
#[derive(Clone, Debug)]
pub(super) struct Meters {
    registry: Registry,
    cache: Cache,
}

impl Meters {
    pub(super) fn new(registry: Registry) -> Meters {
        Meters { registry, cache: Cache::default() }
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Bytes of what a clone does not share.
    pub(super) fn own_bytes(&self) -> usize {
        self.registry.own_bytes() + self.cache.slots.len() * size_of::<Slot>()
    }

    /// Shows what a process of another role shows at start, of the meters whose name begins so.
    pub(super) fn start(&mut self, role: Role, prefix: &str, now: Instant) {
        self.registry.start(role, prefix, now);
    }

    /// Counts up.
    #[inline(always)]
    pub(super) fn add(&mut self, meter: Meter, subject: Subject, amount: f64, plan: &Plan, now: Instant) {
        if let Some(series) = self.series(meter, subject, plan, now) {
            self.registry.add(series, amount);
        }
    }

    /// Records a time.
    #[inline(always)]
    pub(super) fn record(&mut self, meter: Meter, subject: Subject, time: Duration, plan: &Plan, now: Instant) {
        if let Some(series) = self.series(meter, subject, plan, now) {
            self.registry.record(series, time.as_seconds_f64(), now);
        }
    }

    #[inline(always)]
    fn series(&mut self, meter: Meter, subject: Subject, plan: &Plan, now: Instant) -> Option<SeriesId> {
        let key = ((meter as u64) << 56) | subject.key();
        match self.cache.get(key) {
            Some(known) => known,
            None => self.find(key, meter, subject, plan, now),
        }
    }

    /// Registers what was not counted before. Kept apart from the way that is taken each time.
    #[cold]
    #[inline(never)]
    fn find(&mut self, key: u64, meter: Meter, subject: Subject, plan: &Plan, now: Instant) -> Option<SeriesId> {
        let id = self.registry.profile().modelled(meter.name());
        let series = id.and_then(|id| register(&mut self.registry, id, subject, plan, now));
        self.cache.insert(key, series);
        series
    }
}

/// What was found for a key. A run looks up some 60,000 of a few hundred keys: open addressing, a slot or two a look.
#[derive(Clone, Debug, Default)]
struct Cache {
    /// As many as a power of two, or none; at most half of them are taken.
    slots: Vec<Slot>,
    taken: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// [`FREE`] where nothing is.
    key: u64,
    /// A meter that has no such series has none for good.
    series: Option<SeriesId>,
}

/// The key of no series.
const FREE: u64 = u64::MAX;

impl Cache {
    /// The slot where a key is, or would be.
    fn place(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        // Fibonacci hashing: only the uppermost bits depend on all bits of the key, and so many are taken.
        let bits = self.slots.len().trailing_zeros();
        let mut place = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - bits)) as usize;
        while self.slots[place].key != key && self.slots[place].key != FREE {
            place = (place + 1) & mask;
        }
        place
    }

    #[inline]
    fn get(&self, key: u64) -> Option<Option<SeriesId>> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = self.slots[self.place(key)];
        (slot.key == key).then_some(slot.series)
    }

    fn insert(&mut self, key: u64, series: Option<SeriesId>) {
        if 2 * (self.taken + 1) > self.slots.len() {
            let larger = vec![Slot { key: FREE, series: None }; (2 * self.slots.len()).max(16)];
            for slot in std::mem::replace(&mut self.slots, larger).into_iter().filter(|slot| slot.key != FREE) {
                let place = self.place(slot.key);
                self.slots[place] = slot;
            }
        }
        let place = self.place(key);
        self.taken += usize::from(self.slots[place].key == FREE);
        self.slots[place] = Slot { key, series };
    }
}

fn register(registry: &mut Registry, id: MeterId, subject: Subject, plan: &Plan, now: Instant) -> Option<SeriesId> {
    let flow = |flow: u32| plan.flows.get(flow as usize);
    let mut tags: Vec<(&str, &str)> = Vec::with_capacity(6);
    let attempt_count;
    if let Subject::Flow(index)
    | Subject::FlowState(index, _)
    | Subject::Task(index, _)
    | Subject::Attempt(index, ..)
    | Subject::Trigger(index, _) = subject
    {
        let flow = flow(index)?;
        tags.extend([("flow_id", flow.id.as_str()), ("namespace_id", flow.namespace.as_str()), ("tenant_id", "main")]);
    }
    match subject {
        Subject::Bare | Subject::Flow(_) => {}
        Subject::FlowState(_, state) => tags.push(("state", state.name())),
        Subject::Task(index, task) | Subject::Attempt(index, task, _) => {
            tags.extend([
                ("task_type", flow(index)?.task(task as usize)?.kind.as_str()),
                ("worker_group", WORKER_GROUP),
            ]);
            if let Subject::Attempt(.., attempt) = subject {
                attempt_count = attempt.min(255).to_string();
                tags.push(("attempt_count", &attempt_count));
            }
        }
        Subject::Trigger(index, trigger) | Subject::TriggerKind(index, trigger) => {
            tags.push(("trigger_type", &flow(index)?.triggers.get(trigger as usize)?.kind));
            tags.push(("worker_group", WORKER_GROUP));
        }
        Subject::Queue(class) => tags.push(("queue_type", class.name())),
        Subject::Big(class) => tags.push(("class_name", class.name())),
        Subject::Indexed(class) => tags.push(("type", class.name())),
        Subject::Named(queue) => tags.push(("queue_name", queue.name())),
        Subject::Dispatch => tags.extend([("worker_group", WORKER_GROUP), ("worker_queue", WORKER_GROUP)]),
        Subject::Kill => tags.extend([("execution_killed_type", "execution"), ("tenant_id", "main")]),
        Subject::Route(route) => {
            let (method, status, uri) = ROUTES.get(route)?;
            tags.extend([("exception", "none"), ("method", *method), ("status", *status), ("uri", *uri)]);
        }
    }
    let profile = registry.profile();
    let meter = profile.meter_of(id)?;
    // A version that knows fewer keys shows these only.
    tags.retain(|(key, _)| meter.keys.iter().any(|known| known == key));
    let more = flow_labels(meter.origin(), subject, profile, plan);
    tags.extend(more.iter().map(|(key, value)| (key.as_str(), *value)));
    registry.series(id, &tags, now)
}

/// Labels of flows that are labels of a meter too: on what tells of executions, of task runs that begin and of triggers (1.3
/// config/prefix_tags_labels, 2.0 config/never-prefix-tags-labels-worker-disabled).
fn flow_labels<'a>(meter: &str, subject: Subject, profile: &Profile, plan: &'a Plan) -> Vec<(String, &'a str)> {
    let labelled = meter == "kestra.executor.taskrun.created.count"
        || ["kestra.executor.execution.", "kestra.scheduler.trigger."].iter().any(|it| meter.starts_with(it));
    let (Subject::Flow(index) | Subject::FlowState(index, _) | Subject::TriggerKind(index, _)) = subject else {
        return Vec::new();
    };
    let Some(flow) = plan.flows.get(index as usize).filter(|_| labelled && profile.has(Quirk::FlowLabels)) else {
        return Vec::new();
    };
    let of = |label: &String| {
        let value = flow.labels.iter().find(|(key, _)| key == label).map_or("__none__", |(_, value)| value.as_str());
        let plain: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        (format!("label_{plain}"), value)
    };
    plan.settings.metrics_labels.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_gives_back_what_was_put_in_however_it_grew() {
        let registry = Registry::new(Profile::default_profile(), Role::Worker, Instant::START);
        let mut meters = Meters::new(registry);
        let ids: Vec<Option<SeriesId>> = (0..3)
            .map(|route| meters.series(Meter::HttpRequest, Subject::Route(route), &plan(), Instant::START))
            .collect();
        let mut cache = Cache::default();
        let keys: Vec<u64> = (0..1_000u64).map(|n| ((n % 7) << 52) | (n << 28) | (n % 3)).collect();
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(cache.get(*key), None);
            cache.insert(*key, if n % 4 == 3 { None } else { ids[n % 3] });
        }
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(cache.get(*key), Some(if n % 4 == 3 { None } else { ids[n % 3] }));
        }
        assert_eq!(cache.taken, keys.len());
    }

    #[test]
    fn one_subject_is_one_series() {
        let registry = Registry::new(Profile::default_profile(), Role::Worker, Instant::START);
        let mut meters = Meters::new(registry);
        let mut of = |route| meters.series(Meter::HttpRequest, Subject::Route(route), &plan(), Instant::START);
        let (first, second) = (of(2), of(3));
        assert!(first.is_some() && second.is_some() && first != second);
        assert_eq!((of(2), of(3)), (first, second));
        assert_eq!(of(usize::MAX >> 40), None, "there is no such route");
    }

    fn plan() -> Plan {
        crate::scenario::read("x.yaml", "name: x\n", &crate::scenario::NoFiles).0.expect("a plan")
    }
}
