//! Whether conditions hold (recorded: tests/captures/core/conditions.tsv).

use super::context::{Templates, Woken};
use super::convert::{boolean, date, names, ordinal, place, word};
use super::{Failure, Own};
use crate::flow::holidays::{self, Unknown};
use crate::flow::trigger::{
    Calendar, Comparison, Condition, Dialect, Filter, FilterField, Filters, TRIGGER_DATE, Test, UpstreamFlow, Within,
};
use crate::flow::{State, moment};
use crate::pebble::truthy;

/// What a condition is asked about.
pub(super) struct Asked<'a> {
    pub(super) own: &'a Own,
    /// The execution, or the date of a Schedule.
    pub(super) woken: Woken<'a>,
    pub(super) templates: &'a Templates<'a>,
    pub(super) dialect: Dialect,
}

impl Asked<'_> {
    /// A property: rendered since 0.23, as written before.
    pub(super) fn property(&self, text: &str) -> Result<String, Failure> {
        if self.dialect.rendered { self.templates.text(text) } else { Ok(text.to_owned()) }
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// What Kestra's exception says: the condition of the trigger counts as false, whatever holds it.
    pub(super) fn holds(&self, condition: &Condition) -> Result<bool, Failure> {
        match &condition.test {
            Test::Status(within) => self.status(within),
            Test::Namespace { namespace, comparison, prefix } => {
                self.namespace(namespace, comparison.as_deref(), prefix.as_deref())
            }
            Test::Flow { namespace, flow } => {
                let upstream = self.woken.execution()?;
                Ok(self.property(namespace)? == upstream.namespace && self.property(flow)? == upstream.flow)
            }
            Test::Labels { wanted, .. } => {
                let upstream = self.woken.execution()?;
                Ok(wanted.iter().all(|(key, value)| upstream.labelled(key, value)))
            }
            Test::Outputs(expression) => self.outputs(expression),
            Test::Expression(expression) => {
                let rendered = self.templates.text(expression)?;
                Ok(!matches!(rendered.trim(), "" | "false"))
            }
            Test::Retried(within) => self.retried(within),
            Test::Or(conditions) => self.any(conditions),
            Test::Not(conditions) => self.any(conditions).map(|any| !any),
            Test::Own { namespace, flow } => Ok(*namespace == self.own.namespace && *flow == self.own.id),
            Test::OwnNamespace { namespace, prefix: true } => Ok(self.own.namespace.starts_with(namespace)),
            Test::OwnNamespace { namespace, prefix: false } => Ok(self.own.namespace == *namespace),
            Test::Date { date, is } => self.calendar(date.as_deref().unwrap_or(TRIGGER_DATE), is),
            // It is asked with its window, and inside another condition it has none.
            Test::Multiple(_) => Err(Failure::new("null")),
            Test::Nothing => {
                let method = "io.kestra.core.models.conditions.Condition.test(Object)";
                Err(Failure::new(format!("Cannot invoke \"{method}\" because \"<local18>\" is null")))
            }
        }
    }

    /// Whether one of some conditions holds: those behind it are not looked at, and an error ends the search.
    fn any(&self, conditions: &[Condition]) -> Result<bool, Failure> {
        for condition in conditions {
            if self.holds(condition)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn status(&self, within: &Within) -> Result<bool, Failure> {
        let render = |text: &str| self.property(text);
        let any_of = within.any_of.as_ref().map(|list| names(list, render)).transpose()?;
        let none_of = within.none_of.as_ref().map(|list| names(list, render)).transpose()?;
        let state = self.woken.execution()?.state;
        let has = |list: &Vec<Option<State>>| list.contains(&Some(state));
        // A list that is there and empty matched nothing before 0.23.
        let any = any_of.is_none_or(|list| self.dialect.rendered && list.is_empty() || has(&list));
        Ok(any && !none_of.is_some_and(|list| has(&list)))
    }

    fn namespace(&self, wanted: &str, comparison: Option<&str>, prefix: Option<&str>) -> Result<bool, Failure> {
        let (wanted, has) = (self.property(wanted)?, self.woken.execution()?.namespace);
        if let Some(comparison) = comparison {
            let comparison = self.property(comparison)?;
            return match comparison.as_str() {
                "EQUALS" => Ok(has == wanted),
                "PREFIX" => Ok(has.starts_with(&wanted)),
                "SUFFIX" => Ok(has.ends_with(&wanted)),
                other => Err(word(other)),
            };
        }
        let prefix = match prefix {
            Some(prefix) => boolean(&self.property(prefix)?)?.unwrap_or(false),
            None => false,
        };
        Ok(if prefix { has.starts_with(&wanted) } else { has == wanted })
    }

    fn outputs(&self, expression: &str) -> Result<bool, Failure> {
        let Some(outputs) = self.woken.execution()?.outputs.filter(|outputs| !outputs.is_empty()) else {
            return Ok(false);
        };
        let rendered = self.templates.text_with_outputs(expression, outputs)?;
        match self.dialect.rendered {
            true => boolean(&rendered)?.ok_or_else(Failure::no_value),
            false => Ok(!matches!(rendered.trim(), "" | "false")),
        }
    }

    /// Since 0.23 names are compared with states, and nothing is ever found (captures/core/README.md, fact 8).
    fn retried(&self, within: &Within) -> Result<bool, Failure> {
        let Some(runs) = self.woken.execution()?.task_runs else {
            let list = "io.kestra.core.models.executions.Execution.getTaskRunList()";
            let what = "Cannot invoke \"java.util.List.stream()\" because the return value of";
            return Err(Failure::new(format!("{what} \"{list}\" is null")));
        };
        if self.dialect.rendered {
            return Ok(false);
        }
        let as_written = |text: &str| Ok(text.to_owned());
        let any_of = within.any_of.as_ref().map(|list| names(list, as_written)).transpose()?;
        let none_of = within.none_of.as_ref().map(|list| names(list, as_written)).transpose()?;
        let fits = |state: &State| {
            any_of.as_ref().is_none_or(|list| list.contains(&Some(*state)))
                && !none_of.as_ref().is_some_and(|list| list.contains(&Some(*state)))
        };
        Ok(runs.iter().any(|run| run.attempts.len() > 1 && run.attempts.iter().any(fits)))
    }

    fn calendar(&self, text: &str, is: &Calendar) -> Result<bool, Failure> {
        let rendered = self.templates.text(text)?;
        match is {
            Calendar::DateTimeBetween { after, before } => {
                let bound = |text: &String| {
                    let text = self.property(text)?;
                    moment::zoned(&text).map(moment::Zoned::instant).map_err(|_| word(&text))
                };
                let after = after.as_ref().map(bound).transpose()?;
                let before = before.as_ref().map(bound).transpose()?;
                let at = moment::zoned(&rendered).map_err(|at| place(&rendered, at))?.instant();
                between(after.map(|after| at > after), before.map(|before| at < before), false)
                    .ok_or_else(|| Failure::new("Invalid condition with no before nor after"))
            }
            Calendar::TimeBetween { after, before } => self.time_between(&rendered, after.as_ref(), before.as_ref()),
            Calendar::Weekend => {
                use jiff::civil::Weekday::{Saturday, Sunday};
                Ok(matches!(date(&rendered)?.weekday(), Saturday | Sunday))
            }
            Calendar::DayWeek(day) => {
                let day = self.property(day)?;
                Ok(date(&rendered)?.weekday() == weekday(&day)?)
            }
            Calendar::DayWeekInMonth { day, which } => {
                let (day, which) = (weekday(&self.property(day)?)?, self.property(which)?);
                let date = date(&rendered)?;
                let nth = match which.as_str() {
                    "FIRST" => 1,
                    "SECOND" => 2,
                    "THIRD" => 3,
                    "FOURTH" => 4,
                    "LAST" => -1,
                    other => return Err(word(other)),
                };
                Ok(date.nth_weekday_of_month(nth, day).is_ok_and(|found| found == date))
            }
            Calendar::PublicHoliday { country, division } => {
                self.holiday(date(&rendered)?, country.as_deref(), division.as_deref())
            }
        }
    }

    /// Without a country that of the server's locale is asked, which has none in a container.
    fn holiday(&self, date: jiff::civil::Date, country: Option<&str>, division: Option<&str>) -> Result<bool, Failure> {
        let country = country.map_or(Ok(String::new()), |country| self.templates.text(country))?;
        let division = division.map(|division| self.templates.text(division)).transpose()?;
        match holidays::is_holiday(date, &country, division.as_deref(), self.dialect.moved_holidays) {
            Ok(is) => Ok(is),
            Err(Unknown::Country) => Err(Failure::new("Cannot instantiate configuration from URL 'null'.")),
            // Named where a Schedule is read: no day is a holiday there.
            Err(Unknown::NotSimulated) if matches!(self.woken, Woken::At { .. }) => Ok(false),
            Err(Unknown::NotSimulated) => Err(Failure::new(format!("not simulated: PublicHoliday of {country}"))),
        }
    }

    fn time_between(&self, text: &str, after: Option<&String>, before: Option<&String>) -> Result<bool, Failure> {
        let bound = |text: &String| {
            let text = self.property(text)?;
            moment::offset_time(&text).ok_or_else(|| word(&text))
        };
        let (after, before) = (after.map(bound).transpose()?, before.map(bound).transpose()?);
        let at = moment::zoned(text).map_err(|at| place(text, at))?;
        let at = moment::since_midnight(at.local.time()) - jiff::SignedDuration::from_secs(at.offset.into());
        let night = self.dialect.nights && after.zip(before).is_some_and(|(after, before)| after >= before);
        between(after.map(|after| at > after), before.map(|before| at < before), night).ok_or_else(|| {
            Failure::new(match self.dialect.rendered {
                true => "Invalid condition: no 'before' or 'after' value defined",
                false => "Invalid condition with no before nor after",
            })
        })
    }

    /// Whether the execution is of a flow, in a state, with labels.
    pub(super) fn is_of(&self, wanted: &UpstreamFlow) -> bool {
        let Woken::By(upstream) = self.woken else { return false };
        wanted.namespace.as_ref().is_none_or(|namespace| namespace == upstream.namespace)
            && wanted.flow.as_ref().is_none_or(|flow| flow == upstream.flow)
            && wanted.states.as_ref().is_none_or(|states| states.contains(&upstream.state))
            && wanted.labels.iter().all(|(key, value)| upstream.labelled(key, value))
    }

    /// Whether filters hold: those behind the one that decides are not looked at.
    pub(super) fn filtered(&self, filters: &Filters) -> Result<bool, Failure> {
        for filter in &filters.filters {
            if self.filter(filter)? == filters.any {
                return Ok(filters.any);
            }
        }
        Ok(!filters.any)
    }

    fn filter(&self, filter: &Filter) -> Result<bool, Failure> {
        let upstream = self.woken.execution()?;
        let has = match filter.field {
            FilterField::Flow => upstream.flow.to_owned(),
            FilterField::Namespace => upstream.namespace.to_owned(),
            FilterField::State => upstream.state.name().to_owned(),
            // IN and NOT_IN have no value to render.
            FilterField::Expression if matches!(filter.comparison, Comparison::In | Comparison::NotIn) => {
                return Ok(filter.comparison == Comparison::NotIn);
            }
            FilterField::Expression => self.templates.text(&filter.value)?,
        };
        let (has, value) = (has.as_str(), filter.value.as_str());
        let is_true = || truthy(has) || !self.dialect.blank_false && !has.is_empty() && has.trim().is_empty();
        Ok(match filter.comparison {
            Comparison::EqualTo => has == value,
            Comparison::NotEqualTo => has != value,
            Comparison::In => filter.values.iter().any(|value| value == has),
            Comparison::NotIn => filter.values.iter().all(|value| value != has),
            Comparison::IsTrue => is_true(),
            Comparison::IsFalse => !is_true(),
            // What is rendered is a text, if an empty one.
            Comparison::IsNull => false,
            Comparison::IsNotNull => true,
            Comparison::StartsWith => has.starts_with(value),
            Comparison::EndsWith => has.ends_with(value),
            Comparison::Contains => has.contains(value),
            Comparison::Regex => super::convert::whole(value, has)?,
        })
    }
}

/// Strictly between two bounds; with `night` outside of them. None when there is no bound.
fn between(after: Option<bool>, before: Option<bool>, night: bool) -> Option<bool> {
    match (after, before) {
        (Some(after), Some(before)) if night => Some(after || before),
        (Some(after), Some(before)) => Some(after && before),
        (one, other) => one.or(other),
    }
}

/// A day of the week, by its name or its number from 0.
fn weekday(text: &str) -> Result<jiff::civil::Weekday, Failure> {
    const NAMES: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let at = NAMES.iter().position(|name| *name == text).or_else(|| ordinal(text, NAMES.len()));
    let day = at.and_then(|at| i8::try_from(at).ok());
    day.and_then(|at| jiff::civil::Weekday::from_monday_zero_offset(at).ok()).ok_or_else(|| word(text))
}
