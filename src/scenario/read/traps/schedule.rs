//! Traps of a Schedule and of a Webhook.

use super::Trap;
use super::reach::constant;
use crate::flow;
use crate::flow::trigger::{Calendar, Condition, Test, add_texts};
use crate::scenario::input_words;

impl Trap<'_, '_> {
    pub(super) fn schedule(&mut self) {
        self.inputs(self.trigger.gives.inputs.keys().map(String::as_str));
        if let Some((why, advice)) = self.refused() {
            let place = self.at("inputs");
            if self.asking.dialect.failed_schedule {
                let name = self.name();
                let what = format!("each date of {name} makes an execution that is FAILED from the start: {why}");
                self.warn(&place, what, advice);
            } else {
                self.cannot(&place, &format!("no execution starts: {why}"), advice);
            }
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

    pub(super) fn webhook(&mut self) {
        self.inputs(self.trigger.gives.inputs.keys().map(String::as_str));
        if let Some((id, why)) = flow::unsealed(self.asking.own.declared(), &self.trigger.gives.inputs) {
            let place = self.at("inputs");
            let advice = format!(
                "leave the SECRET input `{id}` out of `inputs`, with `required: false`, and let tasks read `trigger.body`"
            );
            return self.cannot(&place, &format!("no execution starts, it is answered 500: {why}"), advice);
        }
        // Where it gives none, nobody looks.
        let refused = if self.trigger.gives.inputs.is_empty() { None } else { self.refused() };
        if let Some((why, advice)) = refused {
            let place = self.at("inputs");
            self.cannot(&place, &format!("no execution starts: {why}"), advice);
        }
    }

    /// Why the inputs that it gives are refused, as far as no template decides it, and what to write.
    fn refused(&self) -> Option<(String, String)> {
        let (given, declared) = (&self.trigger.gives.inputs, self.asking.own.declared());
        let usual = || declared.iter().any(|input| input.get("defaults").is_some_and(|it| !it.is_null()));
        if !self.asking.dialect.schedule_inputs && given.is_empty() && !usual() {
            return None;
        }
        let constant = |id: &str| {
            let mut texts = Vec::new();
            given.get(id).into_iter().for_each(|value| add_texts(value, &mut texts));
            texts.into_iter().all(constant)
        };
        let words = input_words(self.asking.plan.kestra);
        let (id, why) = flow::refused(declared, given, words).into_iter().find(|(id, _)| constant(id))?;
        let advice = match given.contains_key(&id) {
            true => format!("give `{id}` as the flow declares it"),
            false => format!("add `inputs: {{ {id}: ... }}`, or `defaults` to the input"),
        };
        Some((why, advice))
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
