//! Traps of a Schedule.

use super::Trap;
use super::reach::constant;
use crate::flow::trigger::{Calendar, Condition, Test};

impl Trap<'_, '_> {
    pub(super) fn schedule(&mut self) {
        let given = &self.trigger.gives.inputs;
        self.inputs(given.keys().map(String::as_str));
        let needed = self.asking.own.inputs().into_iter().find(|it| it.needed && !given.contains_key(it.id));
        if let Some(input) = needed.filter(|_| self.asking.dialect.schedule_inputs || !given.is_empty()) {
            let place = self.at("inputs");
            let why = format!("it gives the input `{}` no value, so no execution starts", input.id);
            self.cannot(&place, &why, format!("add `inputs: {{ {}: ... }}`, or `defaults` to the input", input.id));
        }
        for (at, condition) in self.trigger.limits.conditions.iter().enumerate() {
            if asks_for_executions(condition) {
                let place = self.at_item("conditions", at);
                let what = format!(
                    "the condition {} of {} asks for an execution, and a Schedule has none: each of its dates makes an \
                     execution that is FAILED from the start",
                    condition.name(),
                    self.name()
                );
                self.warn(&place, what, "ask for dates, or write a Flow trigger");
            }
        }
        self.days();
    }

    /// Conditions of a Schedule on days that are never the same.
    fn days(&mut self) {
        let conditions = &self.trigger.limits.conditions;
        let day = |condition: &Condition| match &condition.test {
            Test::Date { date: None, is: Calendar::DayWeek(day) | Calendar::DayWeekInMonth { day, .. } } => {
                constant(day).then(|| vec![day.clone()])
            }
            Test::Date { date: None, is: Calendar::Weekend } => Some(vec!["SATURDAY".into(), "SUNDAY".into()]),
            _ => None,
        };
        let days: Vec<(usize, Vec<String>)> =
            conditions.iter().enumerate().filter_map(|(at, condition)| Some((at, day(condition)?))).collect();
        for (at, (second, ours)) in days.iter().enumerate() {
            let apart = days.iter().take(at).find(|(_, theirs)| !theirs.iter().any(|day| ours.contains(day)));
            if let Some((first, _)) = apart {
                let place = self.at_item("conditions", *second);
                let why =
                    format!("conditions[{first}] and conditions[{second}] ask for different days, and all must hold");
                self.cannot(&place, &why, "put them into one condition Or, when one of them is enough");
                return;
            }
        }
    }
}

/// Whether a condition always asks for an execution.
fn asks_for_executions(condition: &Condition) -> bool {
    match &condition.test {
        Test::Status(_)
        | Test::Namespace { .. }
        | Test::Flow { .. }
        | Test::Labels { .. }
        | Test::Outputs(_)
        | Test::Retried(_) => true,
        Test::Or(list) | Test::Not(list) => list.first().is_some_and(asks_for_executions),
        _ => false,
    }
}
