//! Kestra's flow language as far as the simulation understands it: the file model, triggers and states. Knows no simulator.

mod body;
mod cron;
mod defaults;
mod failure;
mod fields;
mod given;
mod groups;
mod jackson;
pub(crate) mod moment;
mod parts;
mod read;
mod schedule;
mod state;
mod templated;
pub mod trigger;
mod typed;
mod unsimulated;
pub mod validity;
pub(crate) mod zone;

pub use crate::java::holidays;
#[cfg(feature = "internals")]
pub use body::Group;
#[cfg(feature = "internals")]
pub use body::Times;
pub use body::{Body, How, Listener, Loop, Pause, Span, Subflow, Then, Until};
pub use fields::FLOW_FIELDS;
pub use given::{InputWords, given, is_true, refused, secret_inputs, secretive, unsealed};
pub use jackson::json;
#[cfg(feature = "cli")]
pub use read::is_realtime;
#[cfg(feature = "internals")]
pub use read::read;
pub use read::read_with;
pub use state::State;
pub use templated::{is_templated, templated};
pub use trigger::FlowTrigger;
pub use typed::typed;
pub use unsimulated::{core, outputs_unknown};

use std::sync::Arc;

use crate::time::Duration;

/// A flow, as its YAML says. Properties of plugin tasks are accepted unread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// `id`.
    pub id: String,
    /// `namespace`, dotted.
    pub namespace: String,
    /// `labels`, in the order of the file.
    pub labels: Vec<(String, String)>,
    /// `tasks`, run one after another.
    pub tasks: Vec<Task>,
    /// `errors`: run after a task failed for good.
    pub errors: Vec<Task>,
    /// `finally`: run when all else of the execution has ended, however it did.
    pub finally: Vec<Task>,
    /// `afterExecution`: run when the execution has ended.
    pub after_execution: Vec<Task>,
    /// `listeners` (up to 1.3): run when the execution has ended, each if its conditions hold.
    pub listeners: Vec<Listener>,
    /// `triggers`.
    pub triggers: Vec<Trigger>,
    /// `concurrency`.
    pub concurrency: Option<Concurrency>,
    /// `retry` of the flow itself.
    pub retry: Option<FlowRetry>,
    /// `sla`.
    pub slas: Vec<Sla>,
    /// `checks`: what must hold before the API starts an execution.
    pub checks: Vec<Check>,
    /// `disabled: true`: nothing of it runs.
    pub disabled: bool,
    /// The whole file as Kestra holds it, with what is read above and all else.
    pub source: Arc<serde_json::Value>,
}

impl Flow {
    /// Its namespace and id: what names it.
    pub fn name(&self) -> String {
        format!("{}.{}", self.namespace, self.id)
    }

    /// What it declares as inputs.
    pub fn inputs(&self) -> Vec<DeclaredInput<'_>> {
        let declared = self.source.get("inputs").and_then(serde_json::Value::as_array).into_iter().flatten();
        let of = |input| {
            let given = |key: &str| serde_json::Value::get(input, key).filter(|it| !it.is_null());
            let id = given("id").or_else(|| given("name"))?.as_str()?;
            let needed = given("required") != Some(&false.into()) && given("defaults").is_none();
            Some(DeclaredInput { id, needed })
        };
        declared.filter_map(of).collect()
    }

    /// What it declares as inputs, as its file says it.
    pub fn declared(&self) -> &[serde_json::Value] {
        self.source.get("inputs").and_then(serde_json::Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The ids of its tasks, those of `errors` too.
    pub fn task_ids(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().chain(&self.errors).map(|task| task.id.as_str())
    }
}

/// An input that a flow declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredInput<'f> {
    /// Its id.
    pub id: &'f str,
    /// Something must give it a value.
    pub needed: bool,
}

/// One task of a flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// `id`, unique in its flow.
    pub id: String,
    /// `type`, for example `io.kestra.plugin.core.log.Log`.
    pub kind: String,
    /// `retry`.
    pub retry: Option<Retry>,
    /// `timeout`: the task fails when it runs longer.
    pub timeout: Option<Span>,
    /// `allowFailure: true`: a failure ends the task as WARNING and the flow goes on.
    pub allow_failure: bool,
    /// `allowWarning: true`: a warning ends the task as SUCCESS.
    pub allow_warning: bool,
    /// `disabled: true`: skipped.
    pub disabled: bool,
    /// `duration` of `io.kestra.plugin.core.flow.Sleep`: how long it sleeps.
    pub sleep: Option<Span>,
    /// `runIf`: the task is skipped unless this holds.
    pub run_if: Option<String>,
    /// What it is.
    pub body: Body,
    /// All its properties as Kestra holds them, but for the tasks that it holds.
    pub properties: Arc<serde_json::Map<String, serde_json::Value>>,
}

/// How a failed task is tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// The pause before an attempt.
    pub pause: RetryPause,
    /// `maxAttempts` (old name `maxAttempt`): attempts in all; none means no limit.
    pub max_attempts: Option<u32>,
    /// `maxDuration`: no attempt starts later than this after the first.
    pub max_duration: Option<Duration>,
    /// `warningOnRetry: true`: a task that succeeded after a retry ends as WARNING.
    pub warning_on_retry: bool,
    /// `behavior: CREATE_NEW_EXECUTION`: the execution ends and a new one starts, instead of a new attempt of the task.
    pub new_execution: bool,
}

/// The pause before a retry.
#[derive(Clone, Debug, PartialEq)]
pub enum RetryPause {
    /// `type: constant` with `interval`.
    Constant(Duration),
    /// `type: exponential` with `interval`, `delayFactor` (2 by default) and `maxInterval`.
    Exponential {
        /// The first pause.
        interval: Duration,
        /// Each pause is this many times the one before.
        factor: f64,
        /// The longest pause.
        max: Duration,
    },
    /// `type: random` with `minInterval` and `maxInterval`.
    Random {
        /// Shortest pause.
        min: Duration,
        /// Longest pause.
        max: Duration,
    },
}

/// `retry` of a whole flow.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRetry {
    /// When and how often.
    pub retry: Retry,
}

/// An entry of `sla`: what an execution must keep to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sla {
    /// Its `id`.
    pub id: String,
    /// What it demands.
    pub demand: Demand,
    /// `behavior`: how an execution ends that does not keep to it; none when it goes on (NONE).
    pub ends: Option<State>,
    /// `labels` that such an execution gets.
    pub labels: Vec<(String, String)>,
}

/// What an entry of `sla` demands.
#[derive(Clone, Debug, PartialEq)]
pub enum Demand {
    /// MAX_DURATION: the execution ends within `duration`.
    MaxDuration(Duration),
    /// EXECUTION_ASSERTION: `assert`, a template, holds whenever the execution changes.
    Assertion(String),
}

/// An entry of `checks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// `condition`: a template that must come to true.
    pub condition: String,
    /// `message`, told when it does not.
    pub message: String,
    /// `behavior`.
    pub behavior: CheckBehavior,
}

/// `behavior` of an entry of `checks`, the strictest first: the strictest of those that do not hold counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckBehavior {
    /// BLOCK_EXECUTION (Kestra's default): there is no execution.
    Block,
    /// FAIL_EXECUTION: it is created as FAILED.
    Fail,
    /// CREATE_EXECUTION: it starts all the same.
    Create,
}

/// `concurrency` of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Executions that may run at the same time.
    pub limit: u32,
    /// What happens to one more.
    pub behavior: ConcurrencyBehavior,
}

/// `concurrency.behavior`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConcurrencyBehavior {
    /// Wait as QUEUED until one ends (Kestra's default).
    Queue,
    /// End as CANCELLED.
    Cancel,
    /// End as FAILED.
    Fail,
}

/// One trigger of a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// `id`, unique in its flow.
    pub id: String,
    /// `type` as written.
    pub kind: String,
    /// What it does.
    pub action: TriggerAction,
    /// `disabled: true`.
    pub disabled: bool,
    /// What holds it back, whatever it does.
    pub limits: TriggerLimits,
    /// What a Schedule gives to its executions.
    pub gives: Given,
}

/// What a Schedule or a Webhook gives to the executions that it starts: templates. Of a Webhook only inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// `inputs`.
    pub inputs: serde_json::Map<String, serde_json::Value>,
    /// `labels`.
    pub labels: Vec<(String, String)>,
}

/// What holds a trigger back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TriggerLimits {
    /// `conditions` of a trigger that is no Flow trigger (up to 1.3): all must hold.
    pub conditions: Vec<trigger::Condition>,
    /// `when` of such a trigger (2.0): a template.
    pub when: Option<String>,
    /// `stopAfter`: an execution that ends so switches it off.
    pub stop_after: Vec<State>,
    /// `lateMaximumDelay` of a Schedule: a date that is later than this is left out.
    pub late_maximum_delay: Option<Duration>,
    /// `recoverMissedSchedules` of a Schedule, when written.
    pub recover: Option<Recover>,
    /// `allowConcurrent` (since 1.3): it does not wait for its last execution.
    pub allow_concurrent: Option<bool>,
}

/// `recoverMissedSchedules`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recover {
    /// ALL missed dates run.
    All,
    /// The LAST one runs.
    Last,
    /// NONE runs.
    None,
}

/// What a trigger does.
#[derive(Clone, Debug, PartialEq)]
pub enum TriggerAction {
    /// `io.kestra.plugin.core.trigger.Schedule`: evaluated inside the scheduler.
    Schedule(Schedule),
    /// A polling trigger (`interval`, one minute by default): evaluated by a worker.
    Poll {
        /// Time between two evaluations.
        interval: Duration,
    },
    /// `io.kestra.plugin.core.trigger.Webhook`: fires when called.
    Webhook,
    /// `io.kestra.plugin.core.trigger.Flow`: fires when another execution changes state.
    Flow(Box<FlowTrigger>),
    /// A realtime trigger: a worker's thread listens for as long as the worker lives, and each message starts an execution.
    Realtime,
    /// `io.kestra.plugin.core.trigger.ScheduleOnDates`: fires on the dates it lists.
    Dates,
}

/// The dates of a Schedule trigger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule {
    /// `cron` as written; five fields, six with seconds when `with_seconds`.
    pub cron: String,
    /// `withSeconds: true`.
    pub with_seconds: bool,
    /// `timezone`, an IANA name; UTC when not given.
    pub timezone: String,
}
