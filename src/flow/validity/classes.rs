//! Kestra's classes as far as their names and properties decide what is refused: tables.

use super::{ALL, Edition, FIRST, In, LAST, NEW, OLD};
use crate::document::nearest;

/// What may stand at a property.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole,
    /// A duration.
    Length,
    /// One of some words.
    Word(&'static Words),
    /// A mapping of anything.
    Map,
    /// Labels, as a mapping or a list.
    Labels,
    /// A list.
    List(&'static Kind),
    /// Lists by names.
    Lists(&'static Kind),
    /// An object of a class that its `type` names.
    Of(Family),
    /// An object of this class.
    Object(&'static Class),
    /// A task of a Dag.
    DagTask,
    /// What nothing can be read as.
    Abstract(&'static str),
}

/// What an object may be, by its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Task,
    Trigger,
    Condition,
    Input,
    Sla,
    Retry,
}

/// Words of an enum, in the order in which Java tells them.
pub(super) struct Words {
    pub(super) class: &'static str,
    /// Of each version.
    pub(super) words: [&'static [&'static str]; 3],
}

/// A class, and what is known of it.
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) keys: Keys,
    /// Properties that may be refused for what stands there.
    pub(super) typed: &'static [(&'static str, Kind, In)],
}

/// The properties of a class, with blanks between them.
#[derive(Clone, Copy)]
pub(super) enum Keys {
    /// Not all are known here.
    Open,
    /// As each version told them, in its order.
    Told([&'static str; 3]),
    /// Those of all tasks and these.
    OfTask(&'static str),
}

const LEVEL: [&[&str]; 3] = [&["ERROR", "DEBUG", "TRACE", "INFO", "WARN"]; 3];
const LEVELS: Words = Words { class: "org.slf4j.event.Level", words: LEVEL };
const STATES_NOW: &[&str] = &[
    "SUCCESS",
    "KILLING",
    "RESUBMITTED",
    "PAUSED",
    "SKIPPED",
    "CANCELLED",
    "QUEUED",
    "RETRIED",
    "RETRYING",
    "SUBMITTED",
    "WARNING",
    "FAILED",
    "RUNNING",
    "CREATED",
    "RESTARTED",
    "BREAKPOINT",
    "KILLED",
];
const STATES: Words = Words {
    class: "io.kestra.core.models.flows.State$Type",
    words: [
        &[
            "SUCCESS",
            "KILLING",
            "CREATED",
            "PAUSED",
            "SKIPPED",
            "CANCELLED",
            "QUEUED",
            "RETRIED",
            "RETRYING",
            "WARNING",
            "FAILED",
            "RUNNING",
            "RESTARTED",
            "KILLED",
        ],
        STATES_NOW,
        STATES_NOW,
    ],
};
const LIMITS: Words =
    Words { class: "io.kestra.core.models.flows.Concurrency$Behavior", words: [&["QUEUE", "CANCEL", "FAIL"]; 3] };
const ENDS: Words =
    Words { class: "io.kestra.core.models.flows.sla.SLA$Behavior", words: [&["NONE", "CANCEL", "FAIL"]; 3] };
const AGAIN: Words = Words {
    class: "io.kestra.core.models.tasks.retrys.AbstractRetry$Behavior",
    words: [&["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"]; 3],
};

const TASKS: Kind = Kind::List(&Kind::Of(Family::Task));
const CONDITIONS: Kind = Kind::List(&Kind::Of(Family::Condition));
const LIST_OF_STATES: Kind = Kind::List(&Kind::Word(&STATES));

/// What the reader before that of the flow looks at, where there is one.
pub(super) const TEXT: &[(&str, Kind, In)] = &[
    ("revision", Kind::Whole, ALL),
    ("variables", Kind::Map, ALL),
    ("labels", Kind::Labels, ALL),
    ("inputs", Kind::List(&Kind::Of(Family::Input)), ALL),
    ("concurrency", Kind::Object(&CONCURRENCY), ALL),
    ("sla", Kind::List(&Kind::Of(Family::Sla)), ALL),
];

const CONCURRENCY: Class = Class {
    name: "io.kestra.core.models.flows.Concurrency",
    keys: Keys::Open,
    typed: &[("limit", Kind::Whole, ALL), ("behavior", Kind::Word(&LIMITS), ALL)],
};

/// A flow.
pub(super) const FLOW: Class = Class {
    name: "",
    keys: Keys::Told([
        "tenantId retry inputs errors tasks outputs concurrency variables deleted id disabled labels \
             pluginDefaults sla taskDefaults namespace description listeners revision triggers",
        "workerGroup finally tenantId retry inputs errors tasks outputs concurrency variables deleted \
             id description labels pluginDefaults sla checks taskDefaults namespace disabled listeners \
             revision updated afterExecution triggers source",
        "draft finally tenantId retry inputs errors tasks outputs concurrency variables deleted id \
             description workerSelector labels sla checks policyRefs namespace disabled revision updated \
             afterExecution triggers quotas source",
    ]),
    typed: &[
        ("revision", Kind::Whole, ALL),
        ("variables", Kind::Map, ALL),
        ("labels", Kind::Labels, ALL),
        ("inputs", Kind::List(&Kind::Of(Family::Input)), ALL),
        ("concurrency", Kind::Object(&CONCURRENCY), ALL),
        ("sla", Kind::List(&Kind::Of(Family::Sla)), ALL),
        ("disabled", Kind::Flag, ALL),
        ("retry", Kind::Of(Family::Retry), ALL),
        ("tasks", TASKS, ALL),
        ("errors", TASKS, ALL),
        ("finally", TASKS, NEW),
        ("afterExecution", TASKS, NEW),
        ("listeners", Kind::List(&Kind::Object(&LISTENER)), OLD),
        ("triggers", Kind::List(&Kind::Of(Family::Trigger)), ALL),
    ],
};

const LISTENER: Class = Class {
    name: "io.kestra.core.models.listeners.Listener",
    keys: Keys::Open,
    typed: &[("conditions", CONDITIONS, ALL), ("tasks", TASKS, ALL)],
};

/// What every task has.
pub(super) const EVERY_TASK: &[(&str, Kind, In)] = &[
    ("logLevel", Kind::Word(&LEVELS), ALL),
    ("allowFailure", Kind::Flag, ALL),
    ("allowWarning", Kind::Flag, ALL),
    ("disabled", Kind::Flag, ALL),
    ("retry", Kind::Of(Family::Retry), ALL),
];

/// The properties of all tasks, by version, with blanks between them.
pub(super) const TASK_KEYS: [&str; 3] = [
    "logLevel timeout retry allowWarning type id description workerGroup runIf logToFile disabled \
             allowFailure",
    "logLevel timeout assets retry allowWarning version type id description taskCache workerGroup \
             runIf logToFile disabled allowFailure",
    "logLevel timeout assets retry policyRefs allowWarning version type id description \
             workerSelector allowFailure runIf logToFile disabled taskCache",
];

/// What tasks that hold tasks have, whichever it is.
pub(super) const HOLDING: &[(&str, Kind, In)] = &[
    ("tasks", TASKS, ALL),
    ("then", TASKS, ALL),
    ("else", TASKS, ALL),
    ("defaults", TASKS, ALL),
    ("cases", Kind::Lists(&TASKS), ALL),
    ("errors", TASKS, ALL),
    ("finally", TASKS, NEW),
];

/// The same of a Dag.
pub(super) const OF_DAG: &[(&str, Kind, In)] =
    &[("tasks", Kind::List(&Kind::DagTask), ALL), ("errors", TASKS, ALL), ("finally", TASKS, NEW)];

/// What every trigger has.
pub(super) const EVERY_TRIGGER: &[(&str, Kind, In)] = &[
    ("logLevel", Kind::Word(&LEVELS), ALL),
    ("disabled", Kind::Flag, ALL),
    ("stopAfter", LIST_OF_STATES, ALL),
    ("conditions", CONDITIONS, OLD),
];

/// Classes of which more is known than their names.
pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "io.kestra.plugin.core.log.Log",
        keys: Keys::Told([
            "logLevel timeout level message retry allowWarning type id description workerGroup runIf \
             logToFile disabled allowFailure",
            "logLevel timeout assets level message retry allowWarning version type id description \
             taskCache workerGroup runIf logToFile disabled allowFailure",
            "logLevel timeout assets level message retry policyRefs allowWarning version type id \
             description workerSelector allowFailure runIf logToFile disabled taskCache",
        ]),
        typed: &[("level", Kind::Word(&LEVELS), FIRST)],
    },
    Class { name: "io.kestra.plugin.core.debug.Return", keys: Keys::OfTask("format"), typed: &[] },
    Class {
        name: "io.kestra.plugin.core.flow.Sleep",
        keys: Keys::OfTask("duration"),
        typed: &[("duration", Kind::Length, FIRST)],
    },
    Class {
        name: "io.kestra.plugin.core.flow.Pause",
        keys: Keys::Told([
            "logLevel timeout delay retry errors onResume tasks allowWarning type id description \
             workerGroup runIf logToFile disabled allowFailure",
            "",
            "logLevel timeout assets retry pauseDuration errors onResume policyRefs allowWarning onPause \
             version type id description workerSelector allowFailure finally runIf behavior logToFile \
             disabled taskCache",
        ]),
        typed: HOLDING,
    },
    Class { name: "io.kestra.plugin.core.flow.Dag", keys: Keys::Open, typed: OF_DAG },
    Class {
        name: "io.kestra.plugin.core.trigger.Schedule",
        keys: Keys::Told([
            "logLevel workerGroup interval inputs backfill cron scheduleConditions minLogLevel conditions \
             withSeconds type id description recoverMissedSchedules labels lateMaximumDelay timezone \
             stopAfter disabled logToFile",
            "logLevel workerGroup assets interval inputs backfill failOnTriggerError cron \
             scheduleConditions minLogLevel version withSeconds type id description recoverMissedSchedules \
             labels allowConcurrent lateMaximumDelay conditions stopAfter disabled logToFile timezone",
            "logLevel assets interval inputs failOnTriggerError cron policyRefs version withSeconds type \
             id description workerSelector labels allowConcurrent lateMaximumDelay timezone when disabled \
             stopAfter logToFile recoverMissedSchedules",
        ]),
        typed: &[(
            "scheduleConditions",
            Kind::List(&Kind::Abstract("io.kestra.core.models.conditions.ScheduleCondition")),
            OLD,
        )],
    },
    Class {
        name: "io.kestra.plugin.core.trigger.Flow",
        keys: Keys::Told([
            "logLevel workerGroup states inputs minLogLevel conditions type id description labels \
             stopAfter disabled logToFile preconditions",
            "logLevel workerGroup states assets inputs failOnTriggerError minLogLevel version type id \
             description labels allowConcurrent conditions stopAfter disabled logToFile preconditions",
            "logLevel states assets dependsOn inputs failOnTriggerError window policyRefs version type id \
             description workerSelector labels allowConcurrent mode when disabled stopAfter logToFile \
             minSatisfied",
        ]),
        typed: &[("states", LIST_OF_STATES, ALL)],
    },
    Class {
        name: "io.kestra.plugin.core.condition.ExecutionStatus",
        keys: Keys::Told(["notIn type in", "notIn type in", ""]),
        typed: &[],
    },
    Class {
        name: "io.kestra.plugin.core.condition.Weekend",
        keys: Keys::Told(["type date", "type date", ""]),
        typed: &[],
    },
    Class {
        name: "io.kestra.core.models.tasks.retrys.Constant",
        keys: Keys::Told([
            "behavior interval maxDuration maxAttempt type warningOnRetry",
            "behavior interval maxDuration maxAttempt maxAttempts warningOnRetry type",
            "behavior interval maxDuration maxAttempts warningOnRetry type",
        ]),
        typed: RETRY,
    },
    Class { name: "io.kestra.core.models.tasks.retrys.Exponential", keys: Keys::Open, typed: RETRY },
    Class { name: "io.kestra.core.models.tasks.retrys.Random", keys: Keys::Open, typed: RETRY },
    Class {
        name: "io.kestra.core.models.flows.sla.types.MaxDurationSLA",
        keys: Keys::Open,
        typed: &[("behavior", Kind::Word(&ENDS), ALL), ("duration", Kind::Length, ALL)],
    },
    Class {
        name: "io.kestra.core.models.flows.sla.types.ExecutionAssertionSLA",
        keys: Keys::Open,
        typed: &[("behavior", Kind::Word(&ENDS), ALL)],
    },
    Class {
        name: "io.kestra.core.models.flows.input.StringInput",
        keys: Keys::Told(["", "", "defaults dependsOn type id description displayName required validator prefill"]),
        typed: &[],
    },
    Class {
        name: "io.kestra.core.models.flows.input.IntInput",
        keys: Keys::Open,
        typed: &[("defaults", Kind::Whole, FIRST)],
    },
];

const RETRY: &[(&str, Kind, In)] = &[
    ("behavior", Kind::Word(&AGAIN), ALL),
    ("interval", Kind::Length, ALL),
    ("minInterval", Kind::Length, ALL),
    ("maxInterval", Kind::Length, ALL),
    ("maxDuration", Kind::Length, ALL),
];

/// The class of a name.
pub(super) fn named(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}

/// Types of inputs, of `sla` and of `retry`, with the classes that are known here.
pub(super) const WORDS: &[(Family, &str, &str, In)] = &[
    (Family::Retry, "constant", "io.kestra.core.models.tasks.retrys.Constant", ALL),
    (Family::Retry, "exponential", "io.kestra.core.models.tasks.retrys.Exponential", ALL),
    (Family::Retry, "random", "io.kestra.core.models.tasks.retrys.Random", ALL),
    (Family::Sla, "MAX_DURATION", "io.kestra.core.models.flows.sla.types.MaxDurationSLA", ALL),
    (Family::Sla, "EXECUTION_ASSERTION", "io.kestra.core.models.flows.sla.types.ExecutionAssertionSLA", ALL),
    (Family::Input, "STRING", "io.kestra.core.models.flows.input.StringInput", ALL),
    (Family::Input, "INT", "io.kestra.core.models.flows.input.IntInput", ALL),
    (Family::Input, "FLOAT", "", ALL),
    (Family::Input, "BOOL", "", NEW),
    (Family::Input, "BOOLEAN", "", ALL),
    (Family::Input, "SELECT", "", ALL),
    (Family::Input, "MULTISELECT", "", ALL),
    (Family::Input, "ARRAY", "", ALL),
    (Family::Input, "JSON", "", ALL),
    (Family::Input, "YAML", "", ALL),
    (Family::Input, "FILE", "", ALL),
    (Family::Input, "URI", "", ALL),
    (Family::Input, "DATE", "", ALL),
    (Family::Input, "TIME", "", ALL),
    (Family::Input, "DATETIME", "", ALL),
    (Family::Input, "DURATION", "", ALL),
    (Family::Input, "SECRET", "", ALL),
    (Family::Input, "EMAIL", "", ALL),
    (Family::Input, "ENUM", "", ALL),
    (Family::Input, "FORM", "", LAST),
    (Family::Input, "OBJECT", "", LAST),
    (Family::Input, "TABLE", "", LAST),
];

/// Types, or what types begin with, that versions do not have.
pub(super) const ABSENT: &[(&str, In)] = &[
    ("org.kestra.", ALL),
    ("io.kestra.core.tasks.scripts.", ALL),
    ("io.kestra.core.tasks.", LAST),
    ("io.kestra.core.models.triggers.types.", LAST),
    ("io.kestra.core.models.conditions.types.", LAST),
    ("io.kestra.plugin.core.condition.", LAST),
    ("io.kestra.plugin.core.debug.Echo", LAST),
    ("io.kestra.plugin.core.flow.EachSequential", LAST),
    ("io.kestra.plugin.core.flow.ForEach", LAST),
    ("io.kestra.plugin.core.flow.LoopUntil", FIRST),
    ("io.kestra.plugin.core.execution.Assert", FIRST),
    ("io.kestra.plugin.core.execution.Exit", FIRST),
    ("io.kestra.plugin.core.flow.Loop", OLD),
];

/// Small packages of Kestra's own, and all types that a version has ever had there. What is not there is no type.
pub(super) const PACKAGES: &[(&str, &str)] = &[
    ("io.kestra.plugin.core.log.", "Log Fetch PurgeLogs"),
    ("io.kestra.plugin.core.debug.", "Echo Return Wait"),
    (
        "io.kestra.plugin.core.flow.",
        "AllowFailure Approval Dag EachParallel EachSequential Flow ForEach ForEachItem If Loop LoopUntil \
         Parallel Pause PurgeFlows Sequential Sleep Subflow Switch Template Version Wait WaitFor Worker \
         WorkingDirectory",
    ),
    (
        "io.kestra.plugin.core.execution.",
        "Assert Count Counts Exit Fail Kill Labels PurgeExecutions Resume SetVariables UnsetVariables",
    ),
    ("io.kestra.plugin.core.trigger.", "BatchWebhook Flow McpToolTrigger Schedule ScheduleOnDates Toggle Webhook"),
    (
        "io.kestra.plugin.core.condition.",
        "DateTimeBetween DateTimeBetweenCondition DayWeek DayWeekCondition DayWeekInMonth \
         DayWeekInMonthCondition ExecutionFlow ExecutionFlowCondition ExecutionLabels \
         ExecutionLabelsCondition ExecutionNamespace ExecutionNamespaceCondition ExecutionOutputs \
         ExecutionOutputsCondition ExecutionStatus ExecutionStatusCondition Expression ExpressionCondition \
         FlowCondition FlowNamespaceCondition HasRetryAttempt HasRetryAttemptCondition MultipleCondition \
         Not NotCondition Or OrCondition PublicHoliday PublicHolidayCondition TimeBetween \
         TimeBetweenCondition Weekend WeekendCondition",
    ),
];

/// Whether names of types are compared without regard to capitals (up to 0.21).
const ANY_CASE: In = FIRST;

/// Whether a version has no type of a name.
pub(super) fn absent(kind: &str, edition: Edition) -> bool {
    let row = |(name, absent): &(&str, In)| {
        absent.has(edition) && if name.ends_with('.') { kind.starts_with(name) } else { kind == *name }
    };
    if ABSENT.iter().any(row) || kind.chars().any(char::is_whitespace) {
        return true;
    }
    unheard_of(kind, edition)
}

/// Whether it is of a package of Kestra's own in which no version has it.
pub(super) fn unheard_of(kind: &str, edition: Edition) -> bool {
    let same = |a: &str, b: &str| if ANY_CASE.has(edition) { a.eq_ignore_ascii_case(b) } else { a == b };
    PACKAGES
        .iter()
        .find_map(|(package, names)| Some((kind.strip_prefix(package)?, names)))
        .is_some_and(|(name, names)| !names.split(' ').any(|known| same(known, name)))
}

/// The type that was probably meant by one that no version has.
pub(super) fn meant(kind: &str) -> Option<String> {
    PACKAGES.iter().find_map(|(package, names)| {
        let near = nearest(kind.strip_prefix(package)?, names.split(' '))?;
        Some(format!("{package}{near}"))
    })
}

/// Old names of types whose classes are known here: the new one.
const OLD_NAMES: &[(&str, &str)] = &[
    ("io.kestra.core.tasks.debugs.Return", "io.kestra.plugin.core.debug.Return"),
    ("io.kestra.core.tasks.log.Log", "io.kestra.plugin.core.log.Log"),
    ("io.kestra.core.tasks.flows.Pause", "io.kestra.plugin.core.flow.Pause"),
    ("io.kestra.core.tasks.flows.Dag", "io.kestra.plugin.core.flow.Dag"),
    ("io.kestra.core.models.triggers.types.Schedule", "io.kestra.plugin.core.trigger.Schedule"),
    ("io.kestra.core.models.triggers.types.Flow", "io.kestra.plugin.core.trigger.Flow"),
    (
        "io.kestra.core.models.conditions.types.ExecutionStatusCondition",
        "io.kestra.plugin.core.condition.ExecutionStatus",
    ),
    ("io.kestra.plugin.core.condition.ExecutionStatusCondition", "io.kestra.plugin.core.condition.ExecutionStatus"),
    ("io.kestra.core.models.conditions.types.WeekendCondition", "io.kestra.plugin.core.condition.Weekend"),
    ("io.kestra.plugin.core.condition.WeekendCondition", "io.kestra.plugin.core.condition.Weekend"),
];

/// The class that a type names.
pub(super) fn resolved(kind: &str) -> &str {
    OLD_NAMES.iter().find(|(old, _)| *old == kind).map_or(kind, |(_, new)| new)
}
