//! The first thing that keeps an expression from having a value.

use super::explain::{Why, words};
use super::known::Known;
use crate::document;
use crate::promql::{AskedLabel, Part, PartKind, Row};

/// What was probably meant by a value that no series has; by one that is to be kept out nothing else is.
pub(super) fn meant<'t>(asked: &AskedLabel, there: &'t [String]) -> Option<&'t str> {
    let positive = !asked.op.starts_with('!');
    document::nearest(&asked.value, there.iter().map(String::as_str)).filter(|_| positive)
}

/// Which label keeps all series of a name out, with the values there are of it.
pub(crate) fn kept_out(name: &str, series: usize, asked: &AskedLabel, there: &[String]) -> String {
    let AskedLabel { label, op, value, .. } = asked;
    let few = || there.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
    match (*op, there) {
        ("!=", [only]) => {
            return format!("`{name}` has {series} series, every one has {label}=\"{only}\", which `!=` excludes");
        }
        ("!~", [_, ..]) => {
            return format!(
                "`{name}` has {series} series, every one has a {label} like \"{value}\", which `!~` excludes: it is {}",
                few()
            );
        }
        _ => {}
    }
    let hint = match (meant(asked, there), there.len()) {
        (Some(near), _) => format!("; did you mean \"{near}\"?"),
        (None, 0) => "; they have no such label".to_owned(),
        (None, _) => format!(": it is {}", few()),
    };
    format!("`{name}` has {series} series, none with {label} like \"{value}\"{hint}")
}

impl Why<'_> {
    /// Why a part has no value at any instant.
    pub(super) fn nothing(&self, part: &Part, depth: usize) -> String {
        if depth > 100 {
            return "it lies too deep to tell".into();
        }
        let rows = |part: &Part| self.rows(&part.text);
        let deeper = |part: &Part| self.nothing(part, depth + 1);
        match rows(part) {
            Err(why) => return format!("`{}` cannot be evaluated: {why}", part.text),
            Ok(found) if !found.is_empty() => return format!("`{}` has values", part.text),
            Ok(_) => {}
        }
        let empty = |part: &&Part| part.kind != PartKind::Literal && rows(part).is_ok_and(|rows| rows.is_empty());
        match (&part.kind, part.parts.as_slice()) {
            (PartKind::Selector { name, asked, range }, _) => {
                // A series that a rule records is not there when the rule finds nothing.
                let rule = name.as_deref().and_then(|name| self.watching.recording(name));
                match rule.map(|rule| (rule, rule.expression.outline())).filter(|(_, outline)| empty(&outline)) {
                    Some((rule, outline)) => {
                        format!("the rule that records `{}` finds nothing: {}", rule.name, deeper(&outline))
                    }
                    None => self.no_series(part, name.as_deref(), asked, *range),
                }
            }
            (PartKind::Set(op), [left, right]) => match op.as_str() {
                "or" => format!("{}; {}", deeper(left), deeper(right)),
                _ if empty(&left) => deeper(left),
                "and" if empty(&right) => deeper(right),
                "and" => {
                    format!("`{}` and `{}` never hold at the same time for the same labels", left.text, right.text)
                }
                _ => format!("all that `{}` has, `{}` has too", left.text, right.text),
            },
            (PartKind::Call(name), [argument]) if name.starts_with("absent") => {
                format!("`{}` is never absent", argument.text)
            }
            (PartKind::Filter { op, matched, difference }, [left, right]) => match part.parts.iter().find(empty) {
                Some(part) => deeper(part),
                None if self.rows(matched).is_ok_and(|rows| rows.is_empty()) => self.no_match(left, right),
                None => self.missed(left, op, right, difference),
            },
            (PartKind::Arithmetic, [left, right]) => match part.parts.iter().find(empty) {
                Some(part) => deeper(part),
                None => self.no_match(left, right),
            },
            (PartKind::Call(name), parts) => match parts.iter().find(empty) {
                Some(part) => deeper(part),
                None => format!("{name} needs more samples than there are in its range: `{}`", part.text),
            },
            (_, parts) => match parts.iter().find(empty) {
                Some(part) => deeper(part),
                None => format!("`{}` gives nothing", part.text),
            },
        }
    }

    /// No series is selected: is there such a metric, and which label keeps it out?
    fn no_series(&self, part: &Part, name: Option<&str>, asked: &[AskedLabel], range: bool) -> String {
        let shown = match range {
            true => part.text.trim_start_matches("count_over_time(").trim_end_matches(')'),
            false => part.text.as_str(),
        };
        let names = |label: &str, of: &[Row]| -> Vec<String> {
            let mut all: Vec<String> = of
                .iter()
                .filter_map(|row| {
                    row.labels.iter().find(|(key, _)| &**key == label).map(|(_, value)| value.to_string())
                })
                .collect();
            all.sort();
            all.dedup();
            all
        };
        if let Some(why) = self.watching.lost(shown) {
            return why;
        }
        let Some(name) = name else { return format!("no series is like `{shown}`") };
        let of_name = self.rows(name).unwrap_or_default();
        if of_name.is_empty() {
            return self.no_name(name);
        }
        for asked in asked {
            if self.rows(&asked.alone).is_ok_and(|rows| rows.is_empty()) {
                let gone = self.watching.gone_of(name, asked, self.simulation);
                let gone = gone.map_or(String::new(), |why| format!("; {why}"));
                return kept_out(name, of_name.len(), asked, &names(&asked.label, &of_name)) + &gone;
            }
        }
        format!("`{name}` has {} series, but none at these times is like `{shown}`", of_name.len())
    }

    /// No series has this name, at these times at least.
    fn no_name(&self, name: &str) -> String {
        let rows = self.rows_over(name, self.whole).unwrap_or_default();
        let times = || (0..self.whole.count).filter(|index| rows.iter().any(|row| row.at(*index).is_some()));
        if let (Some(first), Some(last)) = (times().next(), times().next_back()) {
            let at = |index: usize| self.instant(self.whole.time(index));
            return format!(
                "no series called `{name}` is there at this time: in this run from {} to {}",
                at(first),
                at(last)
            );
        }
        if let Some(why) = self.watching.gone_with(name, self.simulation) {
            return format!("there is no series called `{name}`: {why}");
        }
        if !self.watching.has_targets() {
            return format!(
                "there is no series called `{name}`: nothing is scraped, no job has a target in this scenario"
            );
        }
        match self.names().of(name) {
            known @ Known::Unknown(Some(_)) => format!("there is no series called `{name}`; {known}"),
            known => format!("there is no series called `{name}`: {known}"),
        }
    }

    /// Whether a part takes a rate of series whose first sample was above 0 already: Prometheus knows none before it, so
    /// what the series was born with is never counted. In words, to be put behind others.
    pub(super) fn born(&self, part: &Part) -> Option<String> {
        let (name, range) = match (&part.kind, part.parts.as_slice()) {
            (PartKind::Call(name), [range]) if matches!(name.as_str(), "increase" | "rate") => (name, range),
            _ => return part.parts.iter().find_map(|part| self.born(part)),
        };
        let samples = range.text.strip_prefix("count_over_time")?;
        let rates = self.rows_over(&part.text, self.whole).ok()?;
        let firsts = self.rows_over(&format!("min_over_time{samples}"), self.whole).ok()?;
        let born: Vec<(&Row, usize, f64)> = firsts
            .iter()
            .filter_map(|row| {
                let (index, first) = (0..self.whole.count).find_map(|index| Some((index, row.at(index)?)))?;
                let rate = rates.iter().find(|rate| rate.labels == row.labels);
                let grows =
                    rate.is_some_and(|rate| (0..self.whole.count).any(|at| rate.at(at).is_some_and(|it| it > 0.0)));
                (index > 0 && first > 0.0 && !grows).then_some((row, index, first))
            })
            .collect();
        let (row, index, first) = born.first()?;
        let more = match born.len() {
            1 => String::new(),
            many => format!(", and so it is with {} more", many - 1),
        };
        Some(format!(
            "; the series {} was born at {first}: it came with this value at {}, and {name} of it is 0, for there is no sample \
             before it to subtract from{more}",
            words(&row.labels),
            self.instant(self.whole.time(*index)),
        ))
    }

    fn no_match(&self, left: &Part, right: &Part) -> String {
        let one = |part: &Part| {
            let row = self.rows(&part.text).ok().and_then(|rows| rows.first().map(|row| words(&row.labels)));
            row.unwrap_or_default()
        };
        format!(
            "no series of `{}` has the labels of one of `{}`: {} against {}; see on, ignoring and group_left",
            left.text,
            right.text,
            one(left),
            one(right)
        )
    }

    /// How near a comparison came.
    fn missed(&self, left: &Part, op: &str, right: &Part, difference: &str) -> String {
        let differences = self.rows(difference).unwrap_or_default();
        // By how much it was missed: the smaller the nearer.
        let by = |value: f64| {
            if op.starts_with('>') {
                -value
            } else if op.starts_with('<') {
                value
            } else {
                value.abs()
            }
        };
        let nearest = differences
            .iter()
            .flat_map(|row| (0..self.grid.count).filter_map(move |index| Some((row, index, row.at(index)?))))
            .filter(|(_, _, value)| !value.is_nan())
            .min_by(|a, b| by(a.2).total_cmp(&by(b.2)));
        let Some((row, index, difference)) = nearest else {
            return format!("`{}` is not a number", left.text);
        };
        let time = self.instant(self.grid.time(index));
        let shown = |value: f64| f64::round(value * 1e6) / 1e6;
        let of = match row.labels.is_empty() {
            true => String::new(),
            false => format!(", {}", words(&row.labels)),
        };
        // What counts up from nothing would come nearer with what it was born with.
        let rises = matches!(op, ">" | ">=" | "==");
        let born = self.born(left).filter(|_| rises).unwrap_or_default();
        match right.kind {
            PartKind::Literal => {
                let limit: f64 = right.text.parse().unwrap_or(f64::NAN);
                let value = shown(difference + limit);
                format!("`{}` never is {op} {}: the nearest is {value} at {time}{of}{born}", left.text, right.text)
            }
            _ => format!(
                "`{}` never is {op} `{}`: the nearest differs by {} at {time}{of}{born}",
                left.text,
                right.text,
                shown(difference)
            ),
        }
    }
}
