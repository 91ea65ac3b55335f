//! The first thing that keeps an expression from having a value.

use std::collections::BTreeSet;

use super::explain::{Why, words};
use crate::promql::{Part, PartKind, Row};

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
    fn no_series(&self, part: &Part, name: Option<&str>, asked: &[(String, String, String)], range: bool) -> String {
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
        let Some(name) = name else { return format!("no series is like `{shown}`") };
        let of_name = self.rows(name).unwrap_or_default();
        if of_name.is_empty() {
            if let Some(elsewhere) = self.watching.plan().elsewhere(name) {
                return format!("there is no series called `{name}`: {elsewhere}");
            }
            let all = names("__name__", &self.rows("{__name__!=\"\"}").unwrap_or_default());
            let all: BTreeSet<&str> = all.iter().chain(&self.exposed).map(String::as_str).collect();
            let near = crate::document::nearest(name, all);
            let hint = near.filter(|near| *near != name).map(|near| format!("; did you mean `{near}`?"));
            return format!("there is no series called `{name}`{}", hint.unwrap_or_default());
        }
        for (label, value, alone) in asked {
            if self.rows(alone).is_ok_and(|rows| rows.is_empty()) {
                let there = names(label, &of_name);
                let near = crate::document::nearest(value, there.iter().map(String::as_str));
                let hint = match (near, there.len()) {
                    (Some(near), _) => format!("; did you mean \"{near}\"?"),
                    (None, 0) => "; they have no such label".to_owned(),
                    (None, _) => format!(": it is {}", there.iter().take(6).cloned().collect::<Vec<_>>().join(", ")),
                };
                return format!("`{name}` has {} series, none with {label} like \"{value}\"{hint}", of_name.len());
            }
        }
        format!("`{name}` has {} series, but none at these times is like `{shown}`", of_name.len())
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
        let shown = |value: f64| libm::round(value * 1e6) / 1e6;
        let of = match row.labels.is_empty() {
            true => String::new(),
            false => format!(", {}", words(&row.labels)),
        };
        match right.kind {
            PartKind::Literal => {
                let limit: f64 = right.text.parse().unwrap_or(f64::NAN);
                let value = shown(difference + limit);
                format!("`{}` never is {op} {}: the nearest is {value} at {time}{of}", left.text, right.text)
            }
            _ => format!(
                "`{}` never is {op} `{}`: the nearest differs by {} at {time}{of}",
                left.text,
                right.text,
                shown(difference)
            ),
        }
    }
}
