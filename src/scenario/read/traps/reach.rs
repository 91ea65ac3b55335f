//! Which executions can wake a Flow trigger, as far as files say it: of each condition, whether an execution of a flow that
//! comes into a state meets it.

use std::collections::{BTreeMap, BTreeSet};

use crate::flow::trigger::{Condition, Dialect, FlowTrigger, Names, Test, UpstreamFlow, Within};
use crate::flow::{Body, ConcurrencyBehavior, Flow, State, Subflow, TriggerAction};
use crate::scenario::Plan;

/// What is known without running anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    No,
    Perhaps,
    Yes,
}

impl From<bool> for Known {
    fn from(yes: bool) -> Known {
        if yes { Known::Yes } else { Known::No }
    }
}

/// An execution of a flow that comes into a state.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'p> {
    pub(super) flow: &'p Flow,
    pub(super) state: State,
}

/// The executions that could wake a trigger: of every other flow, in every state that it listens to. With many flows they are
/// too many to be kept.
#[derive(Clone, Copy)]
pub(super) struct Candidates<'p, 's> {
    flows: &'p [&'p Flow],
    own: &'p Flow,
    states: &'s [State],
}

impl<'p> Candidates<'p, '_> {
    pub(super) fn iter(&self) -> impl Iterator<Item = Candidate<'p>> {
        let (own, states) = (self.own, self.states);
        let others = self.flows.iter().copied().filter(move |flow| !std::ptr::eq(*flow, own));
        others.flat_map(move |flow| states.iter().map(move |state| Candidate { flow, state: *state }))
    }

    /// Those that may meet a condition: where it names a namespace, no others are looked at. A thousand triggers over ten
    /// thousand flows would be ten million pairs.
    pub(super) fn narrowed(self, condition: &Condition, index: &'p Index<'p>) -> Self {
        let named = match &condition.test {
            Test::Namespace { namespace, comparison, prefix }
                if how(comparison.as_deref(), prefix.as_deref()) == Some(How::Equals) =>
            {
                namespace
            }
            Test::Flow { namespace, flow } if constant(flow) => namespace,
            _ => return self,
        };
        if !constant(named) {
            return self;
        }
        let there = match &condition.test {
            Test::Flow { flow, .. } => {
                index.names.get(named.as_str()).and_then(|ids| ids.get(flow.as_str())).map(std::slice::from_ref)
            }
            _ => index.namespaces.get(named.as_str()).map(Vec::as_slice),
        };
        let flows = there.unwrap_or_default();
        if flows.len() < self.flows.len() { Candidates { flows, ..self } } else { self }
    }

    /// Those that meet what a trigger asks; where nothing more is asked of them the first is enough.
    pub(super) fn met(&self, rule: &FlowTrigger, meets: impl Fn(&Candidate<'p>) -> bool) -> Vec<Candidate<'p>> {
        let asked = rule.preconditions.is_some() || !rule.depends_on.is_empty();
        self.iter().filter(meets).take(if asked { usize::MAX } else { 1 }).collect()
    }
}

/// What is looked up among all flows of a plan: those that run by their names, and who gives labels to executions.
pub(super) struct Index<'p> {
    all: Vec<&'p Flow>,
    namespaces: BTreeMap<&'p str, Vec<&'p Flow>>,
    /// By namespace and id.
    names: BTreeMap<&'p str, BTreeMap<&'p str, &'p Flow>>,
    /// Subflows that give labels.
    subflows: Vec<&'p Subflow>,
    /// Flows with a task that does, by namespace and id.
    tasks: BTreeSet<(&'p str, &'p str)>,
}

impl<'p> Index<'p> {
    pub(super) fn of(plan: &'p Plan) -> Index<'p> {
        let all: Vec<&Flow> = plan.flows.iter().filter(|flow| !flow.disabled).collect();
        let mut namespaces: BTreeMap<&str, Vec<&Flow>> = BTreeMap::new();
        all.iter().for_each(|flow| namespaces.entry(&flow.namespace).or_default().push(flow));
        let mut names: BTreeMap<&str, BTreeMap<&str, &Flow>> = BTreeMap::new();
        for flow in &all {
            names.entry(&flow.namespace).or_default().insert(&flow.id, flow);
        }
        let mut index = Index { all, namespaces, names, subflows: Vec::new(), tasks: BTreeSet::new() };
        for flow in &plan.flows {
            for task in flow.all_tasks() {
                match &task.body {
                    Body::Subflow(it) if it.inherit || !it.labels.is_empty() => index.subflows.push(it),
                    _ if task.kind.ends_with(".Labels") => {
                        index.tasks.insert((flow.namespace.as_str(), flow.id.as_str()));
                    }
                    _ => {}
                }
            }
        }
        index
    }

    /// The namespaces of flows that run, each once.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &'p str> {
        self.namespaces.keys().copied()
    }
}

/// What conditions are asked for: the flow that has the trigger, and all that runs.
#[derive(Clone, Copy)]
pub(super) struct Asking<'p> {
    pub(super) plan: &'p Plan,
    pub(super) index: &'p Index<'p>,
    pub(super) own: &'p Flow,
    pub(super) dialect: Dialect,
}

/// Whether a text is what it says, and no template.
pub(super) fn constant(text: &str) -> bool {
    !text.contains('{')
}

impl<'p> Asking<'p> {
    /// All executions that could wake a trigger that listens to these states.
    pub(super) fn candidates<'s>(&self, states: &'s [State]) -> Candidates<'p, 's> {
        Candidates { flows: &self.index.all, own: self.own, states }
    }

    /// Whether an execution meets a condition. One that fails is not met.
    pub(super) fn meets(&self, condition: &Condition, of: Candidate<'p>) -> Known {
        let flow = of.flow;
        match &condition.test {
            Test::Status(within) => self.status(within, of.state),
            Test::Namespace { namespace, comparison, prefix } => {
                let Some(how) = how(comparison.as_deref(), prefix.as_deref()) else { return Known::Perhaps };
                if !constant(namespace) {
                    return Known::Perhaps;
                }
                how.compare(&flow.namespace, namespace).into()
            }
            Test::Flow { namespace, flow: id } if constant(namespace) && constant(id) => {
                (flow.namespace == *namespace && flow.id == *id).into()
            }
            Test::Labels { wanted, .. } => self.labelled(wanted, flow),
            Test::Outputs(_) => match flow.source.get("outputs").and_then(|it| it.as_array()) {
                Some(outputs) if !outputs.is_empty() => Known::Perhaps,
                _ => Known::No,
            },
            // Texts are compared with states (captures/core/README.md, fact 8).
            Test::Retried(_) if self.dialect.rendered => Known::No,
            Test::Or(list) => list.iter().map(|held| self.meets(held, of)).max().unwrap_or(Known::No),
            Test::Not(list) => match list.iter().map(|held| self.meets(held, of)).max() {
                Some(Known::Yes) => Known::No,
                Some(Known::Perhaps) => Known::Perhaps,
                // Perhaps it fails, and then this does too.
                _ => Known::Perhaps,
            },
            Test::Own { namespace, flow } => (*namespace == self.own.namespace && *flow == self.own.id).into(),
            Test::OwnNamespace { namespace, prefix: true } => self.own.namespace.starts_with(namespace).into(),
            Test::OwnNamespace { namespace, prefix: false } => (self.own.namespace == *namespace).into(),
            Test::Date { date: None, .. } if !self.scheduled(flow) => Known::No,
            Test::Nothing => Known::No,
            Test::Flow { .. } | Test::Expression(_) | Test::Retried(_) | Test::Date { .. } | Test::Multiple(_) => {
                Known::Perhaps
            }
        }
    }

    fn status(&self, within: &Within, state: State) -> Known {
        // Whether a list has the state, and whether it is empty; nothing where a template decides.
        let names = |names: &Option<Names>| match names {
            None => Some(None),
            Some(Names::Text(_)) => None,
            Some(Names::List(list)) => {
                let mut names = list.iter().flatten();
                let has = list.iter().flatten().any(|name| name == state.name());
                names.all(|name| constant(name)).then(|| Some((has, list.iter().flatten().next().is_none())))
            }
        };
        // A word that is no state: the condition fails.
        if misspelt(within).next().is_some() {
            return Known::No;
        }
        let (Some(any_of), Some(none_of)) = (names(&within.any_of), names(&within.none_of)) else {
            return Known::Perhaps;
        };
        let any = any_of.is_none_or(|(has, empty)| self.dialect.rendered && empty || has);
        (any && !none_of.is_some_and(|(has, _)| has)).into()
    }

    /// Whether executions of a flow have labels.
    pub(super) fn labelled(&self, wanted: &[(String, String)], flow: &Flow) -> Known {
        let has = |(key, value): &(String, String)| {
            if flow.labels.iter().any(|(its, has)| its == key && has == value) {
                return Known::Yes;
            }
            if self.sets(key, value, flow) { Known::Perhaps } else { Known::No }
        };
        wanted.iter().map(has).min().unwrap_or(Known::Yes)
    }

    /// Whether something may give a label to an execution of a flow: whoever starts it, or a task of its own.
    fn sets(&self, key: &str, value: &str, flow: &Flow) -> bool {
        let gives = |labels: &[(String, String)]| {
            labels.iter().any(|(its, has)| its == key && (has == value || !constant(has)))
        };
        let trigger = |action: &TriggerAction| match action {
            TriggerAction::Flow(rule) => gives(&rule.labels),
            TriggerAction::Schedule(_) => false,
            // What they give is not read.
            _ => true,
        };
        let started = || {
            flow.triggers.iter().any(|it| trigger(&it.action) || gives(&it.gives.labels))
                || self.plan.commands.iter().any(|command| command.gives_label(key, value))
        };
        // Which flow one starts may be a template.
        let is = |text: &str, has: &str| !constant(text) || text == has;
        let subflow = || {
            let mut starts = self.index.subflows.iter().filter(|it| is(&it.flow, &flow.id));
            starts.any(|it| is(&it.namespace, &flow.namespace) && (it.inherit || gives(&it.labels)))
        };
        let task = || self.index.tasks.contains(&(flow.namespace.as_str(), flow.id.as_str()));
        key.starts_with("system.") || started() || subflow() || task()
    }

    /// Whether a Schedule may start a flow: then its executions have a date.
    fn scheduled(&self, flow: &Flow) -> bool {
        let dates = |action: &TriggerAction| matches!(action, TriggerAction::Schedule(_) | TriggerAction::Dates);
        flow.triggers.iter().any(|it| !it.disabled && dates(&it.action))
    }

    /// Whether an execution is one that an entry of `preconditions` or `dependsOn` waits for.
    pub(super) fn is_of(&self, wanted: &UpstreamFlow, of: Candidate<'p>) -> bool {
        let flow = of.flow;
        let text = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted == has);
        text(&wanted.namespace, &flow.namespace)
            && text(&wanted.flow, &flow.id)
            && wanted.states.as_ref().is_none_or(|states| states.contains(&of.state))
            && self.labelled(&wanted.labels, flow) != Known::No
    }
}

/// Words of a condition on states that are no states.
pub(super) fn misspelt(within: &Within) -> impl Iterator<Item = &str> {
    let names = [&within.any_of, &within.none_of].into_iter().flatten();
    let lists = names.filter_map(|names| match names {
        Names::List(list) => Some(list),
        Names::Text(_) => None,
    });
    lists.flatten().flatten().map(String::as_str).filter(|name| constant(name) && State::named(name).is_none())
}

/// How a namespace is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Equals,
    Prefix,
    Suffix,
}

impl How {
    pub(super) fn compare(self, has: &str, wanted: &str) -> bool {
        match self {
            How::Equals => has == wanted,
            How::Prefix => has.starts_with(wanted),
            How::Suffix => has.ends_with(wanted),
        }
    }
    pub(super) fn words(self) -> &'static str {
        match self {
            How::Equals => "is",
            How::Prefix => "begins with",
            How::Suffix => "ends with",
        }
    }
}

pub(super) fn how(comparison: Option<&str>, prefix: Option<&str>) -> Option<How> {
    match (comparison, prefix) {
        (Some("EQUALS"), _) => Some(How::Equals),
        (Some("PREFIX"), _) => Some(How::Prefix),
        (Some("SUFFIX"), _) => Some(How::Suffix),
        (Some(_), _) => None,
        (None, Some("true" | "True" | "TRUE")) => Some(How::Prefix),
        (None, None | Some("" | "false" | "False" | "FALSE")) => Some(How::Equals),
        (None, Some(_)) => None,
    }
}

/// Why no execution of a flow ever comes into a state; none when one may.
pub(super) fn never(flow: &Flow, state: State) -> Option<&'static str> {
    let tasks = flow.all_tasks();
    let retries = |new: bool| {
        let own = tasks.iter().filter_map(|task| task.retry.as_ref());
        own.chain(flow.retry.iter().map(|retry| &retry.retry)).any(|retry| retry.new_execution == new)
    };
    match state {
        State::Created if !retries(true) => Some("a Flow trigger never sees it"),
        State::Skipped => Some("only a task is skipped"),
        State::Submitted | State::Resubmitted | State::Breakpoint => Some("nothing here comes into it"),
        State::Retried if !retries(true) => Some("no `retry` makes a new execution"),
        State::Retrying if !retries(false) => Some("nothing has a `retry`"),
        State::Queued if flow.concurrency.is_none_or(|it| it.behavior != ConcurrencyBehavior::Queue) => {
            Some("no `concurrency` makes executions wait")
        }
        _ => None,
    }
}
