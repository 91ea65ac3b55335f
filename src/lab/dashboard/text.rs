//! What became of dashboards, for people at a terminal.

use std::fmt::Write;

use super::{DashboardReport, PanelReport, QueryReport, Shown};
use crate::time::Duration;

/// Values of a variable that are told.
const VALUES: usize = 6;
/// Characters of an expression that are told beside what is wrong with it.
const EXPRESSION: usize = 160;

impl DashboardReport {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{} ({}), {} over {}, {}, seed {}\n",
            self.dashboard,
            self.file,
            self.kestra,
            self.scenario,
            Duration::from_seconds_f64(self.duration),
            self.seed
        );
        for variable in &self.variables {
            let more = variable.values.len().saturating_sub(VALUES);
            let few = variable.values.iter().take(VALUES).cloned().collect::<Vec<String>>().join(", ");
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let told = variable.told.as_ref().map_or(String::new(), |told| format!(" ({told})"));
            // Writing to a String cannot fail.
            let _ = match few.is_empty() {
                true => writeln!(out, "  ${} has no value{told}", variable.name),
                false => writeln!(out, "  ${} is {few}{more}{told}", variable.name),
            };
        }
        let mut row: Option<&str> = None;
        for panel in &self.panels {
            if panel.row.as_deref() != row {
                row = panel.row.as_deref();
                let _ = writeln!(out, "  {}", row.unwrap_or("in no row"));
            }
            panel.write(&mut out);
        }
        out + &format!("  {}\n", self.total())
    }

    /// How many panels stand how, in words.
    pub fn total(&self) -> String {
        let judged = self.panels.len() - self.count(Shown::Unjudged);
        let mut words = format!("{} of {judged} panels have data", self.count(Shown::Data) + self.count(Shown::Partly));
        for (shown, one, more) in [
            (Shown::Partly, "of these has an empty query", "of these have an empty query"),
            (Shown::Empty, "stays empty", "stay empty"),
            (Shown::Fails, "fails", "fail"),
            (Shown::Unjudged, "is not judged", "are not judged"),
        ] {
            match self.count(shown) {
                0 => {}
                1 => words += &format!(", 1 {one}"),
                count => words += &format!(", {count} {more}"),
            }
        }
        words
    }
}

impl PanelReport {
    fn write(&self, out: &mut String) {
        let told = self.told.as_ref().map_or(String::new(), |told| format!(": {told}"));
        let _ = writeln!(out, "    {:<12}{}{told}", self.shown.name(), self.title);
        for query in self.queries.iter().filter(|query| query.shown != Shown::Data) {
            let _ = writeln!(out, "                {}", query.told_in_short());
        }
    }

    /// What is to be said of it, in one line.
    pub(super) fn told_in_short(&self) -> String {
        let of_queries = self.queries.iter().filter(|query| query.shown != Shown::Data).map(QueryReport::told_in_short);
        let all: Vec<String> = self.told.clone().into_iter().chain(of_queries).collect();
        match all.is_empty() {
            true => {
                let series: usize = self.queries.iter().map(|query| query.series).sum();
                format!("{series} series")
            }
            false => all.join("; "),
        }
    }
}

impl QueryReport {
    fn told_in_short(&self) -> String {
        let one_line = self.expr.split_whitespace().collect::<Vec<&str>>().join(" ");
        let mut expr: String = one_line.chars().take(EXPRESSION).collect();
        if expr.len() < one_line.len() {
            expr += "...";
        }
        let told = self.told.as_deref().unwrap_or_default();
        format!("{} (line {}), `{expr}`, {}: {told}", self.name, self.line, self.shown.name())
    }
}
