//! What a condition that does not hold asked, and what it found: for people.

use super::Failure;
use super::context::Woken;
use super::convert;
use super::holds::Asked;
use super::upstream::Upstream;
use super::verdict::Why;
use crate::flow::moment;
use crate::flow::trigger::{Calendar, Condition, Names, TRIGGER_DATE, Test, Within};

impl Asked<'_> {
    /// Why the condition at a place of a list says no.
    pub(super) fn refused(&self, at: usize, condition: &Condition, failure: Option<Failure>) -> Why {
        let (place, what) = (format!("conditions[{at}]"), condition.name().to_owned());
        match failure {
            Some(failure) => Why::Failed { place, what, failure },
            None => Why::Condition { place, what, found: self.found(condition) },
        }
    }

    /// What a condition asked that does not hold, and what it found.
    fn found(&self, condition: &Condition) -> String {
        match (&condition.test, self.woken) {
            (Test::Or(list), _) => {
                let each: Vec<String> =
                    list.iter().map(|held| format!("{}: {}", held.name(), self.found(held))).collect();
                format!("none holds ({})", each.join("; "))
            }
            (Test::Not(list), _) => {
                let holds = list.iter().find(|held| self.holds(held).unwrap_or(false));
                holds.map_or_else(String::new, |held| format!("{} holds: {}", held.name(), self.has(held)))
            }
            (Test::Expression(text), _) => match self.templates.text(text) {
                Ok(given) if given.trim().is_empty() => format!("`{text}` gives nothing"),
                Ok(given) => format!("`{text}` gives `{given}`"),
                Err(failure) => failure.to_string(),
            },
            (Test::Own { namespace, flow }, _) => {
                format!("it asks for the flow of the trigger itself, which is not `{namespace}.{flow}`")
            }
            (Test::OwnNamespace { namespace, .. }, _) => {
                format!("it asks for the namespace of the trigger's own flow, which is not `{namespace}`")
            }
            (Test::Date { date, is }, _) => {
                let date = self.date(date.as_deref().unwrap_or(TRIGGER_DATE));
                match self.wanted_date(is) {
                    wanted if wanted.is_empty() => format!("the date is {date}"),
                    wanted => format!("the date is {date}, not {wanted}"),
                }
            }
            (_, Woken::By(upstream)) => of_execution(condition, upstream, self),
            (_, Woken::At { .. }) => String::new(),
        }
    }

    /// What a condition that holds has found.
    fn has(&self, condition: &Condition) -> String {
        match (&condition.test, self.woken) {
            (Test::Date { date, .. }, _) => {
                format!("the date is {}", self.date(date.as_deref().unwrap_or(TRIGGER_DATE)))
            }
            (Test::Or(list), _) => list
                .iter()
                .find(|held| self.holds(held).unwrap_or(false))
                .map_or_else(String::new, |held| format!("{}, {}", held.name(), self.has(held))),
            (Test::Expression(text), _) => match self.templates.text(text) {
                Ok(given) => format!("`{text}` gives `{given}`"),
                Err(failure) => failure.to_string(),
            },
            (Test::Status(_), Woken::By(upstream)) => format!("the state is {}", upstream.state.name()),
            (Test::Namespace { .. }, Woken::By(upstream)) => format!("the namespace is `{}`", upstream.namespace),
            (Test::Labels { .. }, Woken::By(upstream)) => labels(upstream),
            (_, Woken::By(upstream)) => format!("the flow is `{}.{}`", upstream.namespace, upstream.flow),
            (_, Woken::At { .. }) => String::new(),
        }
    }

    /// A date with its weekday.
    fn date(&self, text: &str) -> String {
        let rendered = self.templates.text(text).unwrap_or_else(|failure| failure.to_string());
        match convert::date(&rendered) {
            Ok(date) => format!("{rendered}, a {:?}", date.weekday()),
            Err(_) => rendered,
        }
    }

    /// What a condition on a date asks, in words.
    fn wanted_date(&self, is: &Calendar) -> String {
        let given = |text: &str| self.property(text).unwrap_or_else(|_| text.to_owned());
        let between = |after: &Option<String>, before: &Option<String>| {
            let after = after.as_ref().map(|after| format!("after {}", given(after)));
            let before = before.as_ref().map(|before| format!("before {}", given(before)));
            after.into_iter().chain(before).collect::<Vec<_>>().join(" and ")
        };
        match is {
            Calendar::DateTimeBetween { after, before } => between(after, before),
            Calendar::TimeBetween { after, before } => {
                // The bounds say in which zone they are, and the date in which it is.
                let bound = |text: &Option<String>| text.as_ref().and_then(|text| moment::offset_time(&given(text)));
                let night = bound(after).zip(bound(before)).is_some_and(|(after, before)| after >= before);
                match (night, self.dialect.nights) {
                    (true, true) => between(after, before).replacen(" and ", " or ", 1),
                    (true, false) => format!("{}, which no time is: it must be both", between(after, before)),
                    (false, _) => between(after, before),
                }
            }
            Calendar::DayWeek(day) => given(day),
            Calendar::DayWeekInMonth { day, which } => format!("the {} {} of its month", given(which), given(day)),
            Calendar::Weekend => "a weekend".to_owned(),
            Calendar::PublicHoliday { .. } => "a public holiday".to_owned(),
        }
    }
}

fn labels(upstream: &Upstream<'_>) -> String {
    let labels: Vec<String> = upstream.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("the labels are [{}]", labels.join(", "))
}

/// What a condition on an execution asked, and what it found.
fn of_execution(condition: &Condition, upstream: &Upstream<'_>, asked: &Asked<'_>) -> String {
    let given = |text: &str| asked.property(text).unwrap_or_else(|_| text.to_owned());
    match &condition.test {
        Test::Status(within) => format!("the state is {}{}", upstream.state.name(), wanted(within)),
        Test::Namespace { namespace, comparison, prefix } => {
            let how = match (comparison.as_deref(), prefix.as_deref()) {
                (Some("EQUALS"), _) | (None, None | Some("false")) => "",
                (Some("SUFFIX"), _) => "one that ends with ",
                _ => "one that begins with ",
            };
            format!("the namespace is `{}`, not {how}`{}`", upstream.namespace, given(namespace))
        }
        Test::Flow { namespace, flow } => {
            let (namespace, flow) = (given(namespace), given(flow));
            format!("the flow is `{}.{}`, not `{namespace}.{flow}`", upstream.namespace, upstream.flow)
        }
        Test::Labels { wanted, .. } => {
            let lacks: Vec<String> = wanted
                .iter()
                .filter(|(key, value)| !upstream.labelled(key, value))
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            format!("{}, without {}", labels(upstream), lacks.join(", "))
        }
        Test::Outputs(expression) => match upstream.outputs {
            Some(outputs) if !outputs.is_empty() => format!("`{expression}` is not true"),
            _ => "the execution has no outputs of its flow".to_owned(),
        },
        Test::Retried(within) if asked.dialect.rendered => {
            format!("it never holds since 0.23: it compares texts with states{}", wanted(within))
        }
        Test::Retried(within) => {
            format!("no attempt of a task that was tried again is in such a state{}", wanted(within))
        }
        _ => String::new(),
    }
}

fn wanted(within: &Within) -> String {
    let listed = |names: &Names| match names {
        Names::Text(text) => text.clone(),
        Names::List(list) => {
            let names: Vec<&str> = list.iter().map(|name| name.as_deref().unwrap_or("null")).collect();
            format!("[{}]", names.join(", "))
        }
    };
    let any_of = within.any_of.as_ref().map(|names| format!(", `in` is {}", listed(names)));
    let none_of = within.none_of.as_ref().map(|names| format!(", `notIn` is {}", listed(names)));
    format!("{}{}", any_of.unwrap_or_default(), none_of.unwrap_or_default())
}
