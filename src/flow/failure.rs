//! What of a flow runs because something has failed.

use super::trigger::{Comparison, Condition, Filter, FilterField, Names, Test, UpstreamFlow};
use super::{Flow, FlowTrigger, How, State, Task, TriggerAction};

/// States of an execution that is not well.
const FAILURES: [State; 4] = [State::Warning, State::Failed, State::Killed, State::Cancelled];

/// A label, key and value.
type Label = (String, String);

impl Flow {
    /// Its tasks that run because something has failed: those of `errors`, those whose `runIf` or `If` asks for a state of
    /// failure, and all of a flow that listens to such states. `missed` are labels that an `sla` gives: who listens to
    /// them is told of a failure too.
    pub fn tasks_on_failure(&self, missed: &[Label]) -> Vec<&Task> {
        let mut found = Vec::new();
        let listens = self.triggers.iter().any(|trigger| match &trigger.action {
            TriggerAction::Flow(rule) => !trigger.disabled && rule.hears_failure(missed),
            _ => false,
        });
        for (list, failed) in
            [(&self.tasks, false), (&self.errors, true), (&self.finally, false), (&self.after_execution, false)]
        {
            collect(list, listens || failed, &mut found);
        }
        for listener in &self.listeners {
            let asks = listener.conditions.iter().any(|it| states_of(it).is_some_and(|is| is));
            collect(&listener.tasks, listens || asks, &mut found);
        }
        found
    }
}

fn collect<'f>(tasks: &'f [Task], failed: bool, found: &mut Vec<&'f Task>) {
    for task in tasks.iter().filter(|task| !task.disabled) {
        let failed = failed || task.run_if.as_deref().is_some_and(names_failure);
        if failed {
            found.push(task);
        }
        let Some(group) = task.group() else { continue };
        let asks = matches!(&group.how, How::If(condition) if names_failure(condition));
        // What stands behind `else` runs when all is well.
        for (number, branch) in group.branches.iter().enumerate() {
            collect(branch, failed || asks && number == 0, found);
        }
        collect(&group.errors, true, found);
        collect(&group.finally, failed, found);
    }
}

fn names_failure(template: &str) -> bool {
    FAILURES.iter().any(|state| template.contains(state.name()))
}

impl FlowTrigger {
    /// Whether an execution that is not well can start the flow: neither its states nor those of its conditions leave it out.
    fn hears_failure(&self, missed: &[Label]) -> bool {
        if self.labels_asked().any(|label| missed.contains(label)) {
            return true;
        }
        let filters = self.preconditions.iter().flat_map(|it| &it.filters).flat_map(|it| &it.filters);
        let own = self.states.as_ref().map(|states| has_failure(states)).into_iter();
        let mut asked = own.chain(self.conditions.iter().filter_map(states_of)).chain(filters.filter_map(state_of));
        let mut upstream = self.upstream().map(|it| it.states.as_ref().is_none_or(|states| has_failure(states)));
        let of_one = upstream.next().is_none_or(|first| first || upstream.any(|it| it));
        of_one && asked.all(|it| it)
    }

    /// The executions that it waits for by name.
    fn upstream(&self) -> impl Iterator<Item = &UpstreamFlow> {
        let waited = self.preconditions.iter().flat_map(|it| &it.flows);
        waited.chain(self.depends_on.iter().map(|it| &it.upstream))
    }

    fn labels_asked(&self) -> impl Iterator<Item = &Label> {
        let of_conditions = self.conditions.iter().filter_map(|it| match &it.test {
            Test::Labels { wanted, .. } => Some(wanted),
            _ => None,
        });
        of_conditions.flatten().chain(self.upstream().flat_map(|it| &it.labels))
    }
}

fn has_failure(states: &[State]) -> bool {
    states.iter().any(|state| FAILURES.contains(state))
}

/// Whether a condition lets states of failure through; none when it asks for no state.
fn states_of(condition: &Condition) -> Option<bool> {
    match &condition.test {
        Test::Status(within) => {
            let holds = |names: &Names, state: &str| match names {
                Names::List(names) => names.iter().flatten().any(|name| name == state),
                Names::Text(text) => text.contains(state),
            };
            let passes = |state: &State| {
                within.any_of.as_ref().is_none_or(|names| holds(names, state.name()))
                    && !within.none_of.as_ref().is_some_and(|names| holds(names, state.name()))
            };
            Some(FAILURES.iter().any(passes))
        }
        Test::Or(any) => any.iter().map(states_of).collect::<Option<Vec<bool>>>().map(|all| all.contains(&true)),
        _ => None,
    }
}

/// The same of an entry of `where`.
fn state_of(filter: &Filter) -> Option<bool> {
    let named = |name: &String| FAILURES.iter().any(|state| state.name() == name);
    match (filter.field, filter.comparison) {
        (FilterField::State, Comparison::EqualTo) => Some(named(&filter.value)),
        (FilterField::State, Comparison::In) => Some(filter.values.iter().any(named)),
        _ => None,
    }
}
