//! What is chosen of variables: what is stored in the dashboard where it is among what there is, else the first.

use std::collections::BTreeMap;

use super::{Choice, Judge, VariableReport, one};
use crate::dashboard::{ALL, Chosen, Dashboard, From, Options, Variable, names};
use crate::promql::{Expression, Grid, Row};

impl Judge<'_> {
    /// The variables of a dashboard, each after those before it.
    pub(super) fn variables(
        &self,
        dashboard: &Dashboard,
        given: &BTreeMap<String, Vec<String>>,
    ) -> (Vec<VariableReport>, Choice) {
        let mut choice = Choice::new();
        let mut reports: Vec<(usize, VariableReport)> = Vec::new();
        for (place, variable) in in_order(&dashboard.variables) {
            let (chosen, told) = match given.get(&variable.name).map(Vec::as_slice) {
                Some([all]) if all == ALL => {
                    self.chosen(&Variable { current: vec![ALL.to_owned()], ..variable.clone() }, &choice)
                }
                Some(values) => (self.given(variable, values), None),
                None => self.chosen(variable, &choice),
            };
            let values = chosen.all.as_ref().map_or_else(|| chosen.values.clone(), |all| vec![all.clone()]);
            reports.push((place, VariableReport { name: variable.name.clone(), values, told }));
            choice.insert(variable.name.clone(), chosen);
        }
        reports.sort_by_key(|(place, _)| *place);
        (reports.into_iter().map(|(_, report)| report).collect(), choice)
    }

    fn given(&self, variable: &Variable, values: &[String]) -> Chosen {
        let several = variable.multi || variable.include_all;
        Chosen { values: values.to_vec(), several, all: None }
    }

    fn chosen(&self, variable: &Variable, choice: &Choice) -> (Chosen, Option<String>) {
        let options = match &variable.from {
            // One that is asked for when the file is imported stands in others.
            From::Text(text) => {
                let filled = self.wide(choice).fill(text).map_or_else(|_| text.clone(), |filled| filled.text);
                return (one(filled), None);
            }
            From::Source => return (one(variable.current.first().map_or("prometheus", String::as_str)), None),
            From::Other(what) => {
                let stored = self.given(variable, &variable.current);
                let taken = if stored.values.is_empty() { "" } else { ": what is stored in the file is taken" };
                return (stored, Some(format!("it is {what}{taken}")));
            }
            From::Intervals { auto: (count, least), .. } if is_auto(variable) => {
                return (one(self.span.step(Some(*count), Some(*least)).to_prometheus()), None);
            }
            From::Listed(values) | From::Intervals { values, .. } => Ok(values.clone()),
            From::Query(text) => self.options(text, choice),
        };
        let options = options.and_then(|options| Options::chosen_by(options, variable.regex.as_deref(), variable.sort));
        let (options, mut told) = match options {
            Ok(options) => (options, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        if options.is_empty() && told.is_none() {
            told = Some("no series of this run gives one".to_owned());
        }
        let stored: Vec<String> = variable.current.iter().filter(|value| options.contains(value)).cloned().collect();
        let several = variable.multi || variable.include_all;
        // Nothing stored, or nothing of it there: the first choice of the list, which is all where that is one.
        let all = variable.current.iter().any(|value| value == ALL) || (stored.is_empty() && variable.include_all);
        if all {
            return (Chosen { values: options, several, all: variable.all.clone() }, told);
        }
        let gone = !variable.current.is_empty() && stored.is_empty();
        let values = if stored.is_empty() { options.first().cloned().into_iter().collect() } else { stored };
        if let (true, Some(first)) = (gone, values.first()) {
            told = Some(format!("what is stored, `{}`, is not there: `{first}` is taken", variable.current.join(", ")));
        }
        (Chosen { values, several, all: None }, told)
    }

    /// The values that there are to choose from.
    fn options(&self, text: &str, choice: &Choice) -> Result<Vec<String>, String> {
        let filled = self.wide(choice).fill(text)?.text;
        let labels = |text: &str, label: &str| -> Result<Vec<String>, String> {
            let of = |row: Row| row.labels.iter().find(|(key, _)| &**key == label).map(|(_, value)| value.to_string());
            let mut values: Vec<String> = self.series(text)?.into_iter().filter_map(of).collect();
            values.sort();
            values.dedup();
            Ok(values)
        };
        match Options::of(&filled) {
            Options::Label(Some(of), label) => labels(of, label),
            Options::Label(None, label) => labels("{__name__!=\"\"}", label),
            Options::Labels => {
                let rows = self.series("{__name__!=\"\"}")?;
                let mut names: Vec<String> =
                    rows.iter().flat_map(|row| row.labels.iter()).map(|(key, _)| key.to_string()).collect();
                names.sort();
                names.dedup();
                Ok(names)
            }
            Options::Names(pattern) => {
                let names = labels("{__name__!=\"\"}", "__name__")?;
                let pattern = regex::Regex::new(pattern)
                    .map_err(|_| format!("`metrics({pattern})`: no regular expression that is understood here"))?;
                Ok(names.into_iter().filter(|name| pattern.is_match(name)).collect())
            }
            Options::Result(of) => {
                let last = |row: &Row| (0..row.values.len()).rev().find_map(|index| row.at(index));
                let grid = self.whole();
                let text = |row: &Row| Some(format!("{} {} {}", series(row), last(row)?, grid.last()));
                Ok(self.series(of)?.iter().filter_map(text).collect())
            }
            Options::Series(of) => Ok(self.series(of)?.iter().map(series).collect()),
        }
    }

    /// The instants at which there is looked for values.
    fn whole(&self) -> Grid {
        self.ended.grid(self.span.step(None, None))
    }

    /// The series of an expression, at any instant of the run.
    fn series(&self, text: &str) -> Result<Vec<Row>, String> {
        let expression = Expression::parse(text).map_err(|error| format!("`{text}` cannot be read: {error}"))?;
        self.ended.rows(&expression, self.whole())
    }
}

/// Whether an interval is chosen by Grafana.
fn is_auto(variable: &Variable) -> bool {
    variable.current.first().is_some_and(|value| value.starts_with("$__auto"))
}

/// Variables with their places in the file, each behind those that it asks for; in the order of the file where they ask for each
/// other.
fn in_order(variables: &[Variable]) -> Vec<(usize, &Variable)> {
    let asks = |variable: &Variable| match &variable.from {
        From::Query(text) | From::Text(text) => names(text),
        _ => Vec::new(),
    };
    let mut left: Vec<(usize, &Variable)> = variables.iter().enumerate().collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |one: &Variable| {
            let asked = asks(one);
            left.iter().any(|(_, other)| other.name != one.name && asked.contains(&other.name))
        };
        let next = left.iter().position(|(_, variable)| !waits(variable)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

/// A series as text: its name, and its labels in braces.
fn series(row: &Row) -> String {
    let name = row.labels.iter().find(|(key, _)| &**key == "__name__").map_or("", |(_, name)| &**name);
    let labels = row.labels.iter().filter(|(key, _)| &**key != "__name__");
    let labels: Vec<String> = labels.map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    format!("{name}{{{}}}", labels.join(","))
}
