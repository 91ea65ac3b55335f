//! What differs between the versions of Kestra in Flow triggers and conditions, and what a version refuses of a trigger
//! that another takes (recorded: tests/captures/core/conditions.tsv, flow-triggers.tsv, flows.tsv).

use std::collections::BTreeSet;

use super::condition::{Calendar, Condition, Names, Test, Within};
use super::{FlowTrigger, TimeWindow};
use crate::flow::{Flow, State, TriggerAction, TriggerLimits, moment};

/// Which keys a Flow trigger has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// `conditions` and `preconditions` (0.20 to 1.3).
    Conditions,
    /// `when` and `dependsOn` (2.0).
    DependsOn,
}

/// What differs between versions: facts, filled in by whoever knows the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Which keys there are, and how windows are kept.
    pub era: Era,
    /// What conditions say are templates, converted when they are evaluated; before, they are values read with the file
    /// (since 0.23).
    pub rendered: bool,
    /// Public holidays of the United States that fall on a weekend are moved, as the library has it that comes with 1.3; those
    /// of 0.20's are not, and there are more of them.
    pub moved_holidays: bool,
    /// PAUSED is among the states of a trigger that names none (since 0.23).
    pub paused: bool,
    /// A condition on times of the day may reach over midnight (since 1.2).
    pub nights: bool,
    /// `execution.state` is a state's name in templates; before, it is a value that nothing equals (since 0.22).
    pub state_text: bool,
    /// `kestra.url` is there in templates (since 0.22).
    pub kestra: bool,
    /// There is a tenant, `main`: in templates, and in links to executions (recorded from 1.3.19, not from 0.20.7).
    pub tenant: bool,
    /// `execution.outputs` is there in templates (since 0.24).
    pub execution_outputs: bool,
    /// `schedule` repeats `trigger` when a Schedule started the execution (0.22 to 1.3).
    pub schedule: bool,
    /// Blank text is false in filters (since 0.22; before, only an empty one).
    pub blank_false: bool,
    /// A label of the trigger takes the place of the flow's own, and empty ones are left out (since 0.22).
    pub labels_unique: bool,
    /// `system.correlationId` and `trigger.outputs` go from the execution to the one it starts (since 0.22).
    pub correlated: bool,
    /// `trigger.executionLabels` (since 0.23).
    pub execution_labels: bool,
    /// `trigger.startDate`, `endDate`, `firstFailedTaskId`, `lastTaskId` (2.0).
    pub dates: bool,
    /// An execution that a trigger starts without a correlation has its own id for one (2.0).
    pub own_correlation: bool,
    /// `outputs` has a task run also when it put out nothing (2.0; templates.context.2.0.0.json).
    pub outputs_of_all: bool,
    /// Conditions of a Schedule see its dates in its own time zone; before, in that of the server (2.0).
    pub zoned_conditions: bool,
    /// Labels of a Schedule are rendered with its dates; before, without (2.0).
    pub labels_see_dates: bool,
    /// Inputs of a Schedule are looked at also where neither it nor a default gives any (since 1.0).
    pub schedule_inputs: bool,
    /// A Schedule whose inputs are refused makes an execution that is FAILED from the start (source of 1.3: since 1.2); in
    /// other versions none.
    pub failed_schedule: bool,
    /// A Webhook has `inputs` (since 1.1).
    pub webhook_inputs: bool,
    /// Triggers have `allowConcurrent` (since 1.3).
    pub concurrent: bool,
    /// Inputs that cannot be rendered make an execution that is FAILED from the start; before, none (2.0).
    pub failed_inputs: bool,
}

impl Dialect {
    /// As recorded from 0.20.7.
    pub const V0_20: Dialect = Dialect {
        era: Era::Conditions,
        rendered: false,
        moved_holidays: false,
        paused: false,
        nights: false,
        state_text: false,
        kestra: false,
        tenant: false,
        execution_outputs: false,
        schedule: false,
        blank_false: false,
        labels_unique: false,
        correlated: false,
        execution_labels: false,
        dates: false,
        own_correlation: false,
        outputs_of_all: false,
        failed_inputs: false,
        zoned_conditions: false,
        labels_see_dates: false,
        schedule_inputs: false,
        failed_schedule: false,
        webhook_inputs: false,
        concurrent: false,
    };
    /// As recorded from 1.3.19.
    pub const V1_3: Dialect = Dialect {
        rendered: true,
        moved_holidays: true,
        paused: true,
        nights: true,
        state_text: true,
        kestra: true,
        tenant: true,
        execution_outputs: true,
        schedule: true,
        blank_false: true,
        labels_unique: true,
        correlated: true,
        execution_labels: true,
        schedule_inputs: true,
        failed_schedule: true,
        webhook_inputs: true,
        concurrent: true,
        ..Dialect::V0_20
    };
    /// As recorded from 2.0.0.
    pub const V2_0: Dialect = Dialect {
        era: Era::DependsOn,
        schedule: false,
        dates: true,
        own_correlation: true,
        outputs_of_all: true,
        failed_inputs: true,
        failed_schedule: false,
        zoned_conditions: true,
        labels_see_dates: true,
        ..Dialect::V1_3
    };

    /// The states at which a trigger wakes that names none.
    pub fn wakes(self, state: State) -> bool {
        state.is_terminated() || self.paused && state == State::Paused
    }

    /// Which of some keys of a trigger this version has not.
    fn unknown(self, keys: &[&'static str]) -> Option<&'static str> {
        let old = |key: &&&str| matches!(**key, "conditions" | "preconditions" | "minLogLevel" | "workerGroup");
        let new = |key: &&&str| {
            matches!(**key, "when" | "dependsOn" | "window" | "mode" | "minSatisfied" | "policyRefs" | "workerSelector")
        };
        let unknown = match self.era {
            Era::Conditions => keys.iter().find(new),
            Era::DependsOn => keys.iter().find(old),
        };
        unknown.copied()
    }
}

/// Why a version refuses a flow for conditions and Flow triggers that other versions take: the place of each such trigger
/// among those of the flow, and why.
pub fn refused(flow: &Flow, dialect: Dialect) -> Vec<(usize, String)> {
    let mut ids = BTreeSet::new();
    let mut told = Vec::new();
    for (at, trigger) in flow.triggers.iter().enumerate() {
        let why = match &trigger.action {
            TriggerAction::Flow(rule) => {
                let id = rule.preconditions.as_ref().map(|preconditions| preconditions.id.as_str());
                // 0.20 lets two triggers share a window.
                let twice = id.filter(|id| !ids.insert(id.to_owned()) && dialect.rendered);
                refused_rule(rule, dialect).or(twice.map(|id| format!("duplicate preconditions with id [{id}]")))
            }
            TriggerAction::Webhook if !trigger.gives.inputs.is_empty() && !dialect.webhook_inputs => {
                Some("a Webhook has no `inputs` there".to_owned())
            }
            _ => refused_limits(&trigger.limits, dialect),
        };
        told.extend(why.map(|why| (at, why)));
    }
    told
}

/// Of a trigger that is no Flow trigger.
fn refused_limits(limits: &TriggerLimits, dialect: Dialect) -> Option<String> {
    match dialect.era {
        Era::Conditions if limits.allow_concurrent.is_some() && !dialect.concurrent => {
            Some("a trigger has no `allowConcurrent` there".to_owned())
        }
        Era::Conditions if limits.when.is_some() => Some("a trigger has no `when` there".to_owned()),
        Era::DependsOn if !limits.conditions.is_empty() => Some("a trigger has no `conditions` there".to_owned()),
        _ => limits.conditions.iter().find_map(|condition| condition.refused(dialect)),
    }
}

fn refused_rule(trigger: &FlowTrigger, dialect: Dialect) -> Option<String> {
    if let Some(key) = dialect.unknown(&trigger.keys) {
        return Some(format!("a Flow trigger has no `{key}` there"));
    }
    let window = trigger.preconditions.as_ref().and_then(|it| untyped(&it.window, dialect));
    window.or_else(|| trigger.conditions.iter().find_map(|condition| condition.refused(dialect)))
}

/// 0.20 fails over a window without its type.
fn untyped(window: &TimeWindow, dialect: Dialect) -> Option<String> {
    (window.untyped && !dialect.rendered).then(|| "`timeWindow` has no `type` there".to_owned())
}

const DAYS: &[&str] = &["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

impl Condition {
    /// Why a version refuses a condition that other versions take; none when it takes it.
    pub fn refused(&self, dialect: Dialect) -> Option<String> {
        let own = match dialect.rendered {
            true => self.refused_since_0_23(),
            false => self.refused_before_0_23(),
        };
        own.or_else(|| self.held().find_map(|condition| condition.refused(dialect)))
    }

    /// Names of classes are those of Java to a letter, and nothing is no condition.
    fn refused_since_0_23(&self) -> Option<String> {
        if self.test == Test::Nothing {
            return Some("a condition must not be null".to_owned());
        }
        let exact = super::read_condition::class(&self.kind).is_some_and(|(_, exact)| exact);
        (!exact).then(|| format!("invalid type: {}", self.kind))
    }

    /// Values are read with the file: words are those of Java to a letter, and nothing is a template.
    fn refused_before_0_23(&self) -> Option<String> {
        let word = |value: &Option<String>, words: &[&str]| match value {
            Some(value) if !words.contains(&value.as_str()) => {
                Some(format!("`{value}` is none of {}", words.join(", ")))
            }
            _ => None,
        };
        let one = |value: &str, words: &[&str]| word(&Some(value.to_owned()), words);
        match &self.test {
            Test::Status(within) | Test::Retried(within) => states(within),
            Test::Namespace { comparison, prefix, .. } => word(comparison, &["EQUALS", "PREFIX", "SUFFIX"])
                .or_else(|| word(prefix, &["true", "True", "TRUE", "false", "False", "FALSE", ""])),
            Test::Expression(text) | Test::Outputs(text) if text.is_empty() => {
                Some("`expression` must not be empty".to_owned())
            }
            Test::Labels { untexted: true, .. } => Some("the values of a list of labels must be texts".to_owned()),
            Test::Multiple(multiple) => untyped(&multiple.window, Dialect::V0_20),
            Test::Date { date, is } => match is {
                Calendar::DayWeek(day) if !day.bytes().all(|byte| byte.is_ascii_digit()) => one(day, DAYS),
                Calendar::DayWeekInMonth { day, which } => {
                    one(day, DAYS).or_else(|| one(which, &["FIRST", "SECOND", "THIRD", "FOURTH", "LAST"]))
                }
                Calendar::TimeBetween { after, before } => [after, before].into_iter().flatten().find_map(|text| {
                    moment::offset_time(text).is_none().then(|| format!("`{text}` is no time with an offset"))
                }),
                Calendar::DateTimeBetween { after, before } => [after, before].into_iter().flatten().find_map(|text| {
                    moment::zoned(text).is_err().then(|| format!("`{text}` is no date with an offset"))
                }),
                Calendar::PublicHoliday { .. } if date.as_deref() == Some("") => {
                    Some("`date` must not be empty".to_owned())
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Lists of states before 0.23.
fn states(within: &Within) -> Option<String> {
    [&within.any_of, &within.none_of].into_iter().flatten().find_map(|names| match names {
        Names::Text(text) => Some(format!("`{text}` is no list of states")),
        Names::List(list) => list.iter().flatten().find_map(|name| {
            // An old version does not know newer states either.
            let known = State::named(name)
                .is_some_and(|state| !matches!(state, State::Submitted | State::Resubmitted | State::Breakpoint));
            (!known).then(|| format!("`{name}` is no state"))
        }),
    })
}
