//! What Kestra accepts without a word and what never does what it is there for: triggers that can never fire, templates that
//! always fail. Only what files alone decide is told; what depends on a run is `explain`'s.

mod cycle;
mod reach;
mod schedule;
mod templates;
mod words;

use std::collections::BTreeSet;

use super::flows::Standing;
use crate::document::{Node, Place, Reading, Value, nearest};
use crate::flow::trigger::{Comparison, Condition, Era, FilterField, FlowTrigger, Test, UpstreamFlow, WindowKind};
use crate::flow::{Flow, State, Trigger, TriggerAction};
use crate::pebble;
use crate::scenario::{Plan, trigger_dialect};
use reach::{Asking, Candidate, Candidates, Index, Known, constant, misspelt, never};
use words::says;

#[cfg(feature = "server")]
pub use templates::missing_secrets;

/// Tells of traps in the flows of a plan.
pub(super) fn tell(plan: &Plan, standing: &[Standing], reading: &mut Reading) {
    let Some(language) = pebble::Dialect::named(plan.kestra.language().name()) else { return };
    let dialect = trigger_dialect(plan.kestra);
    let names = Index::of(plan);
    plan.flows.iter().zip(standing).for_each(|(flow, standing)| switched_off(flow, standing, reading));
    let flows = plan.flows.iter().zip(standing).enumerate().filter(|(_, (flow, _))| !flow.disabled);
    for (index, (flow, standing)) in flows {
        let expected = plan.expectations.iter().any(|it| it.is_never(index, None));
        for (at, trigger) in flow.triggers.iter().enumerate().filter(|(_, trigger)| !trigger.disabled) {
            let place = standing.triggers.as_ref().and_then(|node| item(node, at));
            let mut trap = Trap {
                asking: Asking { plan, index: &names, own: flow, dialect },
                trigger,
                node: place,
                place: place.map_or_else(|| standing.place.first_line(), |node| node.place.first_line()),
                expected,
                reading,
            };
            match &trigger.action {
                TriggerAction::Flow(rule) => trap.flow_trigger(rule, language),
                TriggerAction::Schedule(_) => trap.schedule(),
                TriggerAction::Webhook => trap.webhook(),
                _ => {}
            }
            templates::of_trigger(&mut trap, language);
        }
        templates::of_tasks(flow, standing, (dialect, language), reading);
    }
    cycle::tell(plan, standing, &names, reading);
}

/// Tells of Flow triggers that are switched off, or whose flow is: who looks for the alert that does not come finds it here.
fn switched_off(flow: &Flow, standing: &Standing, reading: &mut Reading) {
    let listens = |trigger: &Trigger| matches!(trigger.action, TriggerAction::Flow(_));
    let off = |trigger: &Trigger| flow.disabled || trigger.disabled;
    for (at, trigger) in flow.triggers.iter().enumerate().filter(|(_, it)| listens(it) && off(it)) {
        let node = standing.triggers.as_ref().and_then(|node| item(node, at));
        let place = node.map_or_else(|| standing.place.first_line(), |node| node.place.first_line());
        let whose = if flow.disabled { "its flow" } else { "it" };
        let what = format!("the trigger `{}` of {} never fires: {whose} is disabled", trigger.id, flow.name());
        reading.note(&place, what, "take out `disabled: true` where it should");
    }
}

/// The entry of a list.
fn item(node: &Node, at: usize) -> Option<&Node> {
    match &node.value {
        Value::Sequence(items) => items.get(at),
        _ => None,
    }
}

/// The value of a key.
fn key<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
        _ => None,
    }
}

/// Looks for the traps of one trigger.
struct Trap<'p, 'r> {
    asking: Asking<'p>,
    trigger: &'p Trigger,
    node: Option<&'p Node>,
    place: Place,
    /// The scenario expects that its flow never starts.
    expected: bool,
    reading: &'r mut Reading,
}

impl<'p> Trap<'p, '_> {
    /// Where a part of the trigger stands.
    fn at(&self, part: &str) -> Place {
        self.node.and_then(|node| key(node, part)).map_or_else(|| self.place.clone(), |node| node.place.first_line())
    }

    /// Where the entry of a list stands.
    fn at_item(&self, list: &str, at: usize) -> Place {
        let found = self.node.and_then(|node| key(node, list)).and_then(|node| item(node, at));
        found.map_or_else(|| self.at(list), |node| node.place.first_line())
    }

    /// The trigger, in words.
    fn name(&self) -> String {
        format!("the trigger `{}` of {}", self.trigger.id, self.asking.own.name())
    }

    fn warn(&mut self, place: &Place, what: impl Into<String>, advice: impl Into<String>) {
        // Whoever expects it knows it.
        if !self.expected {
            self.reading.warning(place, what.into(), advice.into());
        }
    }

    fn cannot(&mut self, place: &Place, why: &str, advice: impl Into<String>) {
        let what = format!("{} can never fire: {why}", self.name());
        self.warn(place, what, advice);
    }

    fn flow_trigger(&mut self, rule: &'p FlowTrigger, language: &'static pebble::Dialect) {
        let states: Vec<State> = match &rule.states {
            Some(states) => states.clone(),
            None => State::ALL.into_iter().filter(|state| self.asking.dialect.wakes(*state)).collect(),
        };
        if rule.states.as_ref().is_some_and(|states| self.states(states)) {
            return;
        }
        self.inputs(rule.inputs.iter().flatten().map(|(key, _)| key.as_str()));
        let candidates = self.asking.candidates(&states);
        if candidates.iter().next().is_none() {
            return;
        }
        let met = match self.asking.dialect.era {
            Era::Conditions => self.conditions(rule, &states, candidates),
            Era::DependsOn => templates::when(self, rule, candidates, language),
        };
        let Some(met) = met else { return };
        if let Some(preconditions) = &rule.preconditions {
            let flows = preconditions.flows.iter().enumerate();
            flows.for_each(|(at, wanted)| self.upstream(wanted, ("preconditions", "flows", at), &met));
            self.filters(rule, &met);
            self.window(preconditions.window.kind, "preconditions");
        }
        let depends = rule.depends_on.iter().enumerate();
        depends.for_each(|(at, wanted)| self.upstream(&wanted.upstream, ("dependsOn", "", at), &met));
        if let Some(window) = &rule.window {
            self.window(window.kind, "window");
        }
    }

    /// Whether no execution here ever comes into one of the states.
    fn states(&mut self, states: &[State]) -> bool {
        let own = self.asking.own;
        let others = || self.asking.plan.flows.iter().filter(|flow| !flow.disabled && flow.name() != own.name());
        let why = |state: State| {
            let mut reasons = others().map(|flow| never(flow, state));
            let first = reasons.next().flatten()?;
            reasons.all(|reason| reason.is_some()).then_some(first)
        };
        let reasons: Vec<(State, Option<&str>)> = states.iter().map(|state| (*state, why(*state))).collect();
        let place = self.at("states");
        if let [(state, Some(why)), ..] = reasons.as_slice()
            && reasons.iter().all(|(_, why)| why.is_some())
        {
            let why = format!("no execution here comes into {}: {why}", state.name());
            self.cannot(&place, &why, "listen to states that executions come into, such as [FAILED, WARNING]");
            return true;
        }
        false
    }

    /// The executions that meet all conditions, unless there are none, which is told.
    fn conditions(
        &mut self,
        rule: &'p FlowTrigger,
        states: &[State],
        candidates: Candidates<'p, '_>,
    ) -> Option<Vec<Candidate<'p>>> {
        let asking = self.asking;
        let meets = |condition: &Condition, of: &Candidate<'p>| asking.meets(condition, *of) != Known::No;
        let plain = || rule.conditions.iter().enumerate().filter(|(_, condition)| condition.multiple().is_none());
        let mut dead = false;
        for (at, condition) in plain() {
            let node = self.node.and_then(|node| key(node, "conditions")).and_then(|node| item(node, at));
            let none = !candidates.narrowed(condition, asking.index).iter().any(|of| meets(condition, &of));
            self.parts(condition, node, (states, candidates), none);
            dead |= none;
        }
        if dead {
            return None;
        }
        let all = |of: &Candidate<'p>| plain().all(|(_, condition)| meets(condition, of));
        let narrowed = plain().fold(candidates, |left, (_, condition)| left.narrowed(condition, asking.index));
        let met = narrowed.met(rule, all);
        if !met.is_empty() {
            return Some(met);
        }
        let own = states.iter().map(|state| Candidate { flow: asking.own, state: *state });
        if own.into_iter().any(|of| all(&of)) {
            let place = self.at("conditions");
            let why = "only executions of its own flow meet its conditions, and a flow does not start itself";
            self.cannot(&place, why, "watch it from another flow");
            return None;
        }
        self.exclude(&plain().collect::<Vec<_>>(), &|condition, of| meets(condition, of), candidates);
        None
    }

    /// Tells which conditions no execution meets together.
    fn exclude(
        &mut self,
        conditions: &[(usize, &Condition)],
        meets: &dyn Fn(&Condition, &Candidate<'p>) -> bool,
        candidates: Candidates<'p, '_>,
    ) {
        let pairs =
            conditions.iter().enumerate().flat_map(|(at, one)| conditions.iter().skip(at + 1).map(move |it| (one, it)));
        let index = self.asking.index;
        let both = |one: &Condition, other: &Condition| {
            let left = candidates.narrowed(one, index).narrowed(other, index);
            left.iter().any(|of| meets(one, &of) && meets(other, &of))
        };
        let mut apart = pairs.filter(|(one, other)| !both(one.1, other.1));
        match apart.next() {
            Some(((first, one), (second, other))) => {
                let place = self.at_item("conditions", *second);
                let why = format!(
                    "no execution here meets both conditions[{first}] ({}) and conditions[{second}] ({}), and all must hold",
                    says(one),
                    says(other)
                );
                self.cannot(&place, &why, "put them into one condition Or, when one of them is enough");
            }
            None => {
                let place = self.at("conditions");
                self.cannot(
                    &place,
                    "no execution here meets all its conditions",
                    "put those into an Or of which one is enough",
                );
            }
        }
    }

    /// Tells which parts of a condition no execution meets; `none`: that is so of the whole.
    fn parts(
        &mut self,
        condition: &Condition,
        node: Option<&Node>,
        (states, candidates): (&[State], Candidates<'p, '_>),
        none: bool,
    ) {
        if let Test::Or(list) = &condition.test {
            for (at, held) in list.iter().enumerate() {
                let node = node.and_then(|node| key(node, "conditions")).and_then(|node| item(node, at));
                let narrowed = candidates.narrowed(held, self.asking.index);
                let never = !narrowed.iter().any(|of| self.asking.meets(held, of) != Known::No);
                self.parts(held, node, (states, candidates), never);
            }
            return;
        }
        let wrong = match &condition.test {
            Test::Status(within) => misspelt(within).next().map(str::to_owned),
            _ => None,
        };
        if !none && wrong.is_none() {
            return;
        }
        let place = node.map_or_else(|| self.at("conditions"), |node| node.place.first_line());
        let (why, advice) = match wrong {
            Some(word) => {
                let advice = nearest(&word, State::ALL.iter().map(|state| state.name()));
                let advice =
                    advice.map_or_else(|| "write for example FAILED".to_owned(), |it| format!("did you mean `{it}`?"));
                (format!("`{word}` is no state: it fails at each execution"), advice)
            }
            None => self.reason(condition, states),
        };
        let what = format!("the condition {} of {} never holds: {why}", condition.name(), self.name());
        self.warn(&place, what, advice);
    }

    /// An entry of `preconditions.flows` or `dependsOn`.
    fn upstream(&mut self, wanted: &UpstreamFlow, (list, inner, at): (&str, &str, usize), met: &[Candidate<'p>]) {
        let asking = self.asking;
        if met.iter().any(|of| asking.is_of(wanted, *of)) {
            return;
        }
        let node = self.node.and_then(|node| key(node, list));
        let node = if inner.is_empty() { node } else { node.and_then(|node| key(node, inner)) };
        let found = node.and_then(|node| item(node, at)).map(|node| node.place.first_line());
        let place = found.unwrap_or_else(|| self.at(list));
        let text = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted == has);
        let named = asking.plan.flows.iter().filter(|flow| !flow.disabled && flow.name() != asking.own.name());
        let named: Vec<&Flow> =
            named.filter(|flow| text(&wanted.namespace, &flow.namespace) && text(&wanted.flow, &flow.id)).collect();
        let (why, advice) = if named.is_empty() {
            self.no_flow(wanted.namespace.as_deref(), wanted.flow.as_deref())
        } else if let Some((key, value)) = wanted
            .labels
            .iter()
            .find(|pair| named.iter().all(|flow| asking.labelled(std::slice::from_ref(*pair), flow) == Known::No))
        {
            let why = format!("nothing here sets the label {key}={value}");
            (why, "give the label to the flows that are watched".to_owned())
        } else {
            let advice = "name with `states` of the trigger all states that its entries ask for";
            ("no execution of it wakes the trigger in such a state".to_owned(), advice.to_owned())
        };
        let what = format!("{} waits for what never comes: {why}", self.name());
        self.warn(&place, what, advice);
    }

    /// The filters of `preconditions` that name flows and namespaces.
    fn filters(&mut self, rule: &FlowTrigger, met: &[Candidate<'p>]) {
        let all = rule.preconditions.iter().flat_map(|it| &it.filters);
        let single = all.filter(|filters| !filters.any || filters.filters.len() == 1).flat_map(|it| &it.filters);
        for filter in single.filter(|filter| filter.comparison == Comparison::EqualTo) {
            let has = |of: &Candidate<'p>| match filter.field {
                FilterField::Flow => of.flow.id == filter.value,
                FilterField::Namespace => of.flow.namespace == filter.value,
                FilterField::State => of.state.name() == filter.value,
                FilterField::Expression => true,
            };
            if met.iter().any(has) {
                continue;
            }
            let what = match filter.field {
                FilterField::Flow => "flow",
                FilterField::Namespace => "namespace",
                _ => "state",
            };
            let name = |of: &Candidate<'p>| match filter.field {
                FilterField::Flow => of.flow.id.as_str(),
                FilterField::Namespace => of.flow.namespace.as_str(),
                _ => of.state.name(),
            };
            // Each once: a namespace has many flows.
            let names = || met.iter().map(name).collect::<BTreeSet<&str>>().into_iter();
            let place = self.at("preconditions");
            let advice = self.meant(&filter.value, names, "ask for one that there is");
            let what = format!(
                "{} waits for the {what} `{}`, which no execution has that wakes it",
                self.name(),
                filter.value
            );
            self.warn(&place, what, advice);
        }
    }

    /// Windows that are never open.
    fn window(&mut self, kind: WindowKind, part: &str) {
        let place = self.at(part);
        match kind {
            WindowKind::Duration { length, advance }
                if advance.is_positive() && length < jiff::SignedDuration::from_hours(24) =>
            {
                let why = "its window begins later than what opens it, so it is never open";
                self.cannot(&place, why, "leave out what moves the window, or make it negative");
            }
            WindowKind::Daily { from, to } if to <= from => {
                let why = format!("its window ends at {to}, before it begins at {from}");
                self.cannot(&place, &why, "a window does not reach over midnight: make two triggers");
            }
            _ => {}
        }
    }

    /// Inputs that a trigger gives and its flow does not have.
    fn inputs<'k>(&mut self, given: impl Iterator<Item = &'k str>) {
        let declared = self.asking.own.inputs();
        for key in given.filter(|key| constant(key)) {
            if declared.iter().any(|input| input.id == key) {
                continue;
            }
            let place = self.at("inputs");
            let names = || declared.iter().map(|input| input.id);
            let advice = self.meant(key, names, "declare it in `inputs` of the flow");
            let what = format!("{} gives the input `{key}`, which the flow does not have: it is lost", self.name());
            self.warn(&place, what, advice);
        }
    }
}
