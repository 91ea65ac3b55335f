//! Flow triggers: which executions of other flows start a flow.

mod condition;
mod dialect;
mod read;
mod read_condition;
mod window;

pub use condition::{Calendar, Condition, Multiple, Names, TRIGGER_DATE, Test, Within};
pub use dialect::{Dialect, Era, refused};
pub(super) use read::{flow_trigger, text};
pub(super) use read_condition::conditions;
pub use window::{TimeWindow, WindowKind};

use serde_json::{Map, Value as Json};

use super::State;

/// A trigger of type `io.kestra.plugin.core.trigger.Flow`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowTrigger {
    /// `states`; those of its version when not given.
    pub states: Option<Vec<State>>,
    /// `conditions` (up to 1.3): all must hold.
    pub conditions: Vec<Condition>,
    /// `preconditions` (0.20 to 1.3).
    pub preconditions: Option<Preconditions>,
    /// `when` (2.0): a template that must be truthy.
    pub when: Option<String>,
    /// `dependsOn` (2.0).
    pub depends_on: Vec<Dependency>,
    /// `window` of `dependsOn` (2.0).
    pub window: Option<TimeWindow>,
    /// How many of `dependsOn` are needed (2.0).
    pub mode: Mode,
    /// `inputs` of the execution: templates in the context of the execution that woke the trigger.
    pub inputs: Option<Map<String, Json>>,
    /// `labels` of the execution: templates.
    pub labels: Vec<(String, String)>,
    /// Keys that only some versions know, as written.
    pub keys: Vec<&'static str>,
}

impl FlowTrigger {
    /// Its texts that may be templates.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts: Vec<&str> = self.conditions.iter().flat_map(Condition::texts).collect();
        let filters = self.preconditions.iter().flat_map(|it| &it.filters).flat_map(|it| &it.filters);
        texts.extend(filters.filter(|it| it.field == FilterField::Expression).map(|it| it.value.as_str()));
        texts.extend(self.when.as_deref());
        texts.extend(self.depends_on.iter().filter_map(|it| it.when.as_deref()));
        self.inputs.iter().flatten().for_each(|(key, value)| {
            texts.push(key);
            add_texts(value, &mut texts);
        });
        texts.extend(self.labels.iter().map(|(_, value)| value.as_str()));
        texts
    }
}

/// All texts of a value, keys too.
pub(crate) fn add_texts<'t>(value: &'t Json, texts: &mut Vec<&'t str>) {
    match value {
        Json::String(text) => texts.push(text),
        Json::Array(items) => items.iter().for_each(|item| add_texts(item, texts)),
        Json::Object(map) => map.iter().for_each(|(key, value)| {
            texts.push(key);
            add_texts(value, texts);
        }),
        _ => {}
    }
}

/// `mode` and `minSatisfied` of 2.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// ALL: every one.
    #[default]
    All,
    /// ANY: one.
    Any,
    /// AT_LEAST: so many.
    AtLeast(u32),
}

/// One entry of `dependsOn`. What is not given matches all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// Which flow, states and labels.
    pub upstream: UpstreamFlow,
    /// `when`: a template that must be truthy.
    pub when: Option<String>,
}

/// Which executions of which flow. What is not given matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamFlow {
    /// `namespace`, exactly.
    pub namespace: Option<String>,
    /// `flowId`, exactly.
    pub flow: Option<String>,
    /// `states`.
    pub states: Option<Vec<State>>,
    /// `labels`: all must be there.
    pub labels: Vec<(String, String)>,
}

/// `preconditions`: all of its flows and filters must have been met in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Preconditions {
    /// `id`: the window is kept under it.
    pub id: String,
    /// `timeWindow`.
    pub window: TimeWindow,
    /// `resetOnSuccess`.
    pub reset: bool,
    /// `flows`.
    pub flows: Vec<UpstreamFlow>,
    /// `where`.
    pub filters: Vec<Filters>,
}

/// One entry of `where`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters {
    /// `id`.
    pub id: String,
    /// `operand: OR`: one is enough.
    pub any: bool,
    /// `filters`.
    pub filters: Vec<Filter>,
}

/// One entry of `filters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// `field`: what is compared.
    pub field: FilterField,
    /// `type`: how it is compared.
    pub comparison: Comparison,
    /// `value`.
    pub value: String,
    /// `values`, for IN and NOT_IN.
    pub values: Vec<String>,
}

/// `field` of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterField {
    /// FLOW_ID.
    Flow,
    /// NAMESPACE.
    Namespace,
    /// STATE.
    State,
    /// EXPRESSION: the value itself, rendered.
    Expression,
}

/// `type` of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// EQUAL_TO.
    EqualTo,
    /// NOT_EQUAL_TO.
    NotEqualTo,
    /// IN.
    In,
    /// NOT_IN.
    NotIn,
    /// IS_TRUE.
    IsTrue,
    /// IS_FALSE.
    IsFalse,
    /// IS_NULL.
    IsNull,
    /// IS_NOT_NULL.
    IsNotNull,
    /// STARTS_WITH.
    StartsWith,
    /// ENDS_WITH.
    EndsWith,
    /// CONTAINS.
    Contains,
    /// REGEX: the whole.
    Regex,
}
