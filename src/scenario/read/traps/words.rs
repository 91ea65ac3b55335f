//! Why a condition never holds, and what to write instead.

use super::Trap;
use super::reach::{Known, how};
use crate::document::nearest;
use crate::flow::trigger::{Condition, Names, Test};
use crate::flow::{Flow, State, TriggerAction};

impl Trap<'_, '_> {
    /// Why no execution meets a condition, and what to write instead.
    pub(super) fn reason(&self, condition: &Condition, states: &[State]) -> (String, String) {
        let asking = &self.asking;
        let names = |states: &[State]| states.iter().map(|state| state.name()).collect::<Vec<_>>().join(", ");
        match &condition.test {
            Test::Status(within) => {
                let wanted: Vec<State> = match &within.any_of {
                    Some(Names::List(list)) => list.iter().flatten().filter_map(|name| State::named(name)).collect(),
                    _ => Vec::new(),
                };
                let named = matches!(&self.trigger.action, TriggerAction::Flow(rule) if rule.states.is_some());
                let wakes = if named { format!("at [{}]", names(states)) } else { "when an execution ends".to_owned() };
                let why = format!("the trigger wakes {wakes} only, and it asks for [{}]", names(&wanted));
                (why, format!("add `states: [{}]` to the trigger", names(&wanted)))
            }
            Test::Namespace { namespace, comparison, prefix } => {
                let how = how(comparison.as_deref(), prefix.as_deref()).map_or("is", |how| how.words());
                let why = format!("no other flow here has a namespace that {how} `{namespace}`");
                (why, self.meant(namespace, || asking.index.namespaces(), "add the flows that it watches"))
            }
            Test::Flow { namespace, flow } => self.no_flow(Some(namespace), Some(flow)),
            Test::Labels { wanted, .. } => self.no_label(wanted),
            Test::Retried(_) => (
                "since 0.23 it compares texts with states, and finds none".to_owned(),
                "listen to the state RETRYING with `states`".to_owned(),
            ),
            Test::Own { .. } | Test::OwnNamespace { .. } => (
                "it asks for the flow that has the trigger, not for the one that was executed".to_owned(),
                "write ExecutionFlow or ExecutionNamespace".to_owned(),
            ),
            Test::Date { .. } => (
                "no flow here that it watches is started by a Schedule, so executions have no `trigger.date`"
                    .to_owned(),
                "ask for `date: \"{{ now() }}\"` or `date: \"{{ execution.startDate }}\"`".to_owned(),
            ),
            Test::Outputs(_) => {
                ("no flow here has `outputs`".to_owned(), "give `outputs` to the flow that is watched".to_owned())
            }
            _ => ("no execution here meets it".to_owned(), String::new()),
        }
    }

    /// That there is no such flow.
    pub(super) fn no_flow(&self, namespace: Option<&str>, id: Option<&str>) -> (String, String) {
        let flows = || self.asking.plan.flows.iter();
        let (namespace, id) = (namespace.unwrap_or("*"), id.unwrap_or("*"));
        let own = self.asking.own;
        if own.namespace == namespace && own.id == id {
            let why = "it waits for its own flow, and a flow does not start itself";
            return (why.to_owned(), "watch it from another flow".to_owned());
        }
        let asked = format!("{namespace}.{id}");
        let why = format!("no flow here is called {asked}");
        if let Some(flow) = flows().find(|flow| flow.disabled && flow.name() == asked) {
            return (format!("{} is disabled", flow.name()), "switch it on, or watch another one".to_owned());
        }
        let same_id = flows().find(|flow| flow.id == id);
        let names: Vec<String> = flows().filter(|_| self.reading.has_room()).map(Flow::name).collect();
        let near = nearest(&asked, names.iter().map(String::as_str));
        let advice = match same_id.map(Flow::name).or_else(|| near.map(str::to_owned)) {
            Some(name) => format!("did you mean {name}?"),
            None => "add the flow that it watches".to_owned(),
        };
        (why, advice)
    }

    /// That nothing sets one of some labels.
    fn no_label(&self, wanted: &[(String, String)]) -> (String, String) {
        let asking = &self.asking;
        let flows = || asking.plan.flows.iter().filter(|flow| flow.name() != asking.own.name());
        let lacks = |pair: &&(String, String)| {
            flows().all(|flow| asking.labelled(std::slice::from_ref(*pair), flow) == Known::No)
        };
        match wanted.iter().find(lacks) {
            Some((key, value)) => {
                let labels = || flows().filter(|_| self.reading.has_room()).flat_map(|flow| &flow.labels);
                let values = labels().filter(|(its, _)| its == key).map(|(_, value)| value.as_str());
                let keys = labels().map(|(key, _)| key.as_str());
                let near = nearest(value, values).map(|value| format!("did you mean `{key}: {value}`?"));
                let near = near.or_else(|| nearest(key, keys).map(|key| format!("did you mean the label `{key}`?")));
                let why = format!("nothing here sets the label {key}={value}");
                (why, near.unwrap_or_else(|| "give the label to the flows that are watched".to_owned()))
            }
            None => ("no execution here has all these labels".to_owned(), "ask for fewer".to_owned()),
        }
    }

    /// What was probably meant, as long as it is shown.
    pub(super) fn meant<'n, I: Iterator<Item = &'n str>>(
        &self,
        name: &str,
        names: impl FnOnce() -> I,
        other: &str,
    ) -> String {
        let near = if self.reading.has_room() { nearest(name, names()) } else { None };
        near.map_or_else(|| other.to_owned(), |near| format!("did you mean `{near}`?"))
    }
}

/// A condition in a few words.
pub(super) fn says(condition: &Condition) -> String {
    let name = condition.name();
    match &condition.test {
        Test::Namespace { namespace, .. } => format!("{name} {namespace}"),
        Test::Flow { namespace, flow } => format!("{name} {namespace}.{flow}"),
        Test::Labels { wanted, .. } => {
            let labels: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{name} {}", labels.join(", "))
        }
        _ => name.to_owned(),
    }
}
