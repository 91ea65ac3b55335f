//! Conditions of triggers, as a file says them (up to 1.3; 2.0 has none).

use super::window::TimeWindow;

/// One entry of `conditions`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// `type` as written.
    pub kind: String,
    /// What it asks.
    pub test: Test,
}

/// What a condition asks. Texts are as written: since 0.23 they are templates that are rendered at each evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `ExecutionStatus`: the state of the execution.
    Status(Within),
    /// `ExecutionNamespace`.
    Namespace {
        /// `namespace`.
        namespace: String,
        /// `comparison`: EQUALS, PREFIX or SUFFIX; it wins over `prefix`.
        comparison: Option<String>,
        /// `prefix`.
        prefix: Option<String>,
    },
    /// `ExecutionFlow`.
    Flow {
        /// `namespace`.
        namespace: String,
        /// `flowId`.
        flow: String,
    },
    /// `ExecutionLabels`: all of these must be there.
    Labels {
        /// `labels`.
        wanted: Vec<(String, String)>,
        /// They are a list, and one of its values is no text: 0.20 refuses that.
        untexted: bool,
    },
    /// `ExecutionOutputs`: an expression over `trigger.outputs`.
    Outputs(String),
    /// `Expression`: an expression that gives some text other than `false`.
    Expression(String),
    /// `HasRetryAttempt`: the states of the attempts of tasks that were tried again.
    Retried(Within),
    /// `Or`: at least one holds; those behind it are not looked at.
    Or(Vec<Condition>),
    /// `Not`: none holds.
    Not(Vec<Condition>),
    /// `FlowCondition`: the flow that has the trigger, not the one that was executed, is this.
    Own {
        /// `namespace`.
        namespace: String,
        /// `flowId`.
        flow: String,
    },
    /// `FlowNamespaceCondition`: the namespace of the flow that has the trigger.
    OwnNamespace {
        /// `namespace`.
        namespace: String,
        /// `prefix`.
        prefix: bool,
    },
    /// `MultipleCondition`: each of some conditions has held for some execution in a window.
    Multiple(Multiple),
    /// A condition on a date.
    Date {
        /// `date`; the trigger's date when not given.
        date: Option<String>,
        /// What is asked of it.
        is: Calendar,
    },
    /// No condition at all (0.20 takes nothing and texts; the evaluation of the trigger fails each time).
    Nothing,
}

/// `in` and `notIn`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// `in`.
    pub any_of: Option<Names>,
    /// `notIn`.
    pub none_of: Option<Names>,
}

/// Names of states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// A list; an entry that is nothing matches nothing.
    List(Vec<Option<String>>),
    /// A text that gives a list, as JSON (since 0.23).
    Text(String),
}

/// What a condition asks of a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// `DateTimeBetween`: behind and before dates with their offsets.
    DateTimeBetween {
        /// `after`.
        after: Option<String>,
        /// `before`.
        before: Option<String>,
    },
    /// `TimeBetween`: behind and before times of the day with their offsets.
    TimeBetween {
        /// `after`.
        after: Option<String>,
        /// `before`.
        before: Option<String>,
    },
    /// `DayWeek`: this day of the week.
    DayWeek(String),
    /// `DayWeekInMonth`: the first, second, third, fourth or last such day of its month.
    DayWeekInMonth {
        /// `dayOfWeek`.
        day: String,
        /// `dayInMonth`.
        which: String,
    },
    /// `Weekend`: Saturday or Sunday.
    Weekend,
    /// `PublicHoliday`.
    PublicHoliday {
        /// `country`.
        country: Option<String>,
        /// `subDivision`.
        division: Option<String>,
    },
}

/// `MultipleCondition`.
#[derive(Clone, Debug, PartialEq)]
pub struct Multiple {
    /// `id`: the window is kept under it.
    pub id: String,
    /// `timeWindow`, or `window` and `windowAdvance`.
    pub window: TimeWindow,
    /// `resetOnSuccess`.
    pub reset: bool,
    /// `conditions`, by their keys in the order of the file.
    pub conditions: Vec<(String, Condition)>,
}

/// The date that a condition asks about when it says none.
pub const TRIGGER_DATE: &str = "{{ trigger.date }}";

impl Calendar {
    fn texts(&self) -> Vec<&str> {
        match self {
            Calendar::DateTimeBetween { after, before } | Calendar::TimeBetween { after, before } => {
                [after, before].into_iter().flatten().map(String::as_str).collect()
            }
            Calendar::DayWeek(day) => vec![day],
            Calendar::DayWeekInMonth { day, which } => vec![day, which],
            Calendar::Weekend => Vec::new(),
            Calendar::PublicHoliday { country, division } => {
                [country, division].into_iter().flatten().map(String::as_str).collect()
            }
        }
    }
}

impl Condition {
    /// The name of the class, without its package.
    pub fn name(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or_default()
    }

    /// The `MultipleCondition` that it is.
    pub fn multiple(&self) -> Option<&Multiple> {
        match &self.test {
            Test::Multiple(multiple) => Some(multiple),
            _ => None,
        }
    }

    /// Its texts that may be templates, and those of the conditions that it holds.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        self.add_texts(&mut texts);
        texts
    }

    fn add_texts<'t>(&'t self, texts: &mut Vec<&'t str>) {
        let names = |names: &'t Option<Names>| -> Vec<&'t str> {
            match names {
                Some(Names::List(list)) => list.iter().flatten().map(String::as_str).collect(),
                Some(Names::Text(text)) => vec![text.as_str()],
                None => Vec::new(),
            }
        };
        match &self.test {
            Test::Status(within) | Test::Retried(within) => {
                texts.extend(names(&within.any_of).into_iter().chain(names(&within.none_of)));
            }
            Test::Namespace { namespace, comparison, prefix } => {
                texts.push(namespace);
                texts.extend([comparison, prefix].into_iter().flatten().map(String::as_str));
            }
            Test::Flow { namespace, flow } => texts.extend([namespace.as_str(), flow.as_str()]),
            Test::Outputs(text) | Test::Expression(text) => texts.push(text),
            Test::Date { date, is } => {
                texts.push(date.as_deref().unwrap_or(TRIGGER_DATE));
                texts.extend(is.texts());
            }
            Test::Labels { .. }
            | Test::Or(_)
            | Test::Not(_)
            | Test::Own { .. }
            | Test::OwnNamespace { .. }
            | Test::Multiple(_)
            | Test::Nothing => {}
        }
        self.held().for_each(|condition| condition.add_texts(texts));
    }

    /// The conditions that it holds.
    pub fn held(&self) -> impl Iterator<Item = &Condition> {
        let (list, pairs) = match &self.test {
            Test::Or(list) | Test::Not(list) => (list.as_slice(), &[][..]),
            Test::Multiple(multiple) => (&[][..], multiple.conditions.as_slice()),
            _ => (&[][..], &[][..]),
        };
        list.iter().chain(pairs.iter().map(|(_, condition)| condition))
    }
}
