//! Which Flow triggers a transition can concern: by the state, and by the namespaces and labels that they name.

use rustc_hash::FxHashMap;

use super::Listener;
use crate::flow::State;
use crate::flow::trigger::{Comparison, Condition, Dialect, Era, FilterField, FlowTrigger, Names, Test, Within};

/// The listeners of each state.
#[derive(Clone, Debug)]
pub(super) struct Index {
    states: Vec<Places>,
}

/// Listeners by what namespace or label they want, as places in the list of all.
#[derive(Clone, Debug, Default)]
struct Places {
    any: Vec<usize>,
    exact: FxHashMap<String, Vec<usize>>,
    prefix: FxHashMap<String, Vec<usize>>,
    /// The lengths of prefixes, in bytes.
    lengths: Vec<usize>,
    /// By key and value.
    labels: FxHashMap<String, FxHashMap<String, Vec<usize>>>,
}

/// Which executions can concern a listener. What others come to neither starts it nor leaves a trace in its windows.
#[derive(Clone, Debug, PartialEq)]
enum Reach {
    Any,
    /// Those that have any of these.
    Named(Vec<Key>),
}

/// What an execution must have.
#[derive(Clone, Debug, PartialEq)]
enum Key {
    /// This namespace.
    Namespace(String),
    /// A namespace that begins so.
    Prefix(String),
    /// A label.
    Label(String, String),
}

impl Reach {
    fn label(labels: &[(String, String)]) -> Reach {
        match labels.first() {
            Some((key, value)) => Reach::Named(vec![Key::Label(key.clone(), value.clone())]),
            None => Reach::Any,
        }
    }
}

impl Index {
    pub(super) fn new(listeners: &[Listener], dialect: Dialect) -> Index {
        let mut states = vec![Places::default(); State::ALL.len()];
        for (at, listener) in listeners.iter().enumerate().filter(|(_, listener)| !listener.off) {
            let reach = reach(&listener.rule, dialect);
            for (state, places) in State::ALL.into_iter().zip(&mut states) {
                let wakes = match &listener.rule.states {
                    Some(states) => states.contains(&state),
                    None => dialect.wakes(state),
                };
                if wakes && !listener.rule.conditions.iter().any(|condition| shuts(condition, state, dialect)) {
                    places.add(at, &reach);
                }
            }
        }
        Index { states }
    }

    /// The listeners that a transition can concern, in order.
    pub(super) fn candidates(&self, namespace: &str, state: State, labels: &[(String, String)]) -> Vec<usize> {
        let Some(places) = self.places(state) else { return Vec::new() };
        let mut found: Vec<usize> = places.reached(namespace, labels).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether there is one that is such a one.
    pub(super) fn any(
        &self,
        namespace: &str,
        state: State,
        labels: &[(String, String)],
        is: impl Fn(usize) -> bool,
    ) -> bool {
        self.places(state).is_some_and(|places| places.reached(namespace, labels).any(is))
    }

    fn places(&self, state: State) -> Option<&Places> {
        State::ALL.iter().position(|it| *it == state).and_then(|at| self.states.get(at))
    }
}

/// Whether a condition says no to a state whatever else there is.
fn shuts(condition: &Condition, state: State, dialect: Dialect) -> bool {
    let Test::Status(Within { any_of, none_of }) = &condition.test else { return false };
    let constants = |names: &Option<Names>| match names {
        None => Some(None),
        Some(Names::Text(_)) => None,
        Some(Names::List(list)) => {
            let constant = |name: &String| !name.contains('{') && State::named(name).is_some();
            let constant = list.iter().all(|name| name.as_ref().is_some_and(constant));
            constant.then(|| Some(list.iter().flatten().filter_map(|name| State::named(name)).collect::<Vec<_>>()))
        }
    };
    let (Some(any_of), Some(none_of)) = (constants(any_of), constants(none_of)) else { return false };
    let any = any_of.is_none_or(|list| dialect.rendered && list.is_empty() || list.contains(&state));
    !any || none_of.is_some_and(|list| list.contains(&state))
}

impl Places {
    /// The listeners that an execution can concern, some more than once.
    fn reached<'p>(
        &'p self,
        namespace: &'p str,
        labels: &'p [(String, String)],
    ) -> impl Iterator<Item = usize> + use<'p> {
        let prefixed = self.lengths.iter().filter_map(move |length| self.prefix.get(namespace.get(..*length)?));
        let labelled = labels.iter().filter_map(|(key, value)| self.labels.get(key)?.get(value));
        let named = self.exact.get(namespace).into_iter().chain(prefixed).chain(labelled);
        self.any.iter().chain(named.flatten()).copied()
    }

    fn add(&mut self, at: usize, reach: &Reach) {
        let Reach::Named(keys) = reach else { return self.any.push(at) };
        for key in keys {
            match key {
                Key::Namespace(name) => self.exact.entry(name.clone()).or_default().push(at),
                Key::Prefix(name) => {
                    self.prefix.entry(name.clone()).or_default().push(at);
                    if !self.lengths.contains(&name.len()) {
                        self.lengths.push(name.len());
                    }
                }
                Key::Label(key, value) => {
                    let values = self.labels.entry(key.clone()).or_default();
                    values.entry(value.clone()).or_default().push(at);
                }
            }
        }
    }
}

/// All that one of two reaches.
fn either(one: Reach, other: Reach) -> Reach {
    match (one, other) {
        (Reach::Named(mut names), Reach::Named(more)) => {
            names.extend(more);
            Reach::Named(names)
        }
        _ => Reach::Any,
    }
}

fn reach(rule: &FlowTrigger, dialect: Dialect) -> Reach {
    // A window of 2.0 opens with any execution that wakes it.
    if dialect.era == Era::DependsOn {
        return Reach::Any;
    }
    let plain = rule.conditions.iter().map(|condition| of_condition(condition, dialect));
    if let Some(named) = plain.into_iter().find(|reach| *reach != Reach::Any) {
        return named;
    }
    let Some(preconditions) = &rule.preconditions else { return Reach::Any };
    // One that is complete and stays so is started by any execution.
    if !preconditions.reset || rule.conditions.iter().any(|condition| condition.multiple().is_some()) {
        return Reach::Any;
    }
    let flows = preconditions.flows.iter().map(|flow| match &flow.namespace {
        Some(namespace) => Reach::Named(vec![Key::Namespace(namespace.clone())]),
        None => Reach::label(&flow.labels),
    });
    let filters = preconditions.filters.iter().map(|filters| {
        let named = filters.filters.iter().filter(|filter| filter.field == FilterField::Namespace);
        let mut named = named.filter_map(|filter| match filter.comparison {
            Comparison::EqualTo => Some(Reach::Named(vec![Key::Namespace(filter.value.clone())])),
            Comparison::StartsWith => Some(Reach::Named(vec![Key::Prefix(filter.value.clone())])),
            _ => None,
        });
        if filters.any { Reach::Any } else { named.next().unwrap_or(Reach::Any) }
    });
    // Without any it is complete at once.
    flows.chain(filters).reduce(either).unwrap_or(Reach::Any)
}

fn of_condition(condition: &Condition, dialect: Dialect) -> Reach {
    let constant = |text: &str| !dialect.rendered || !text.contains('{');
    match &condition.test {
        Test::Flow { namespace, .. } if constant(namespace) => Reach::Named(vec![Key::Namespace(namespace.clone())]),
        Test::Labels { wanted, .. } => Reach::label(wanted),
        Test::Namespace { namespace, comparison, prefix } if constant(namespace) => {
            let is_prefix = match (comparison.as_deref(), prefix.as_deref()) {
                (Some("EQUALS"), _) => false,
                (Some("PREFIX"), _) => true,
                (Some(_), _) => return Reach::Any,
                (None, Some("true" | "True" | "TRUE")) => true,
                (None, None | Some("false" | "False" | "FALSE" | "")) => false,
                (None, Some(_)) => return Reach::Any,
            };
            let key = if is_prefix { Key::Prefix } else { Key::Namespace };
            Reach::Named(vec![key(namespace.clone())])
        }
        Test::Or(conditions) => {
            conditions.iter().map(|condition| of_condition(condition, dialect)).reduce(either).unwrap_or(Reach::Any)
        }
        _ => Reach::Any,
    }
}
