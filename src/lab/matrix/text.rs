//! A matrix for people, in a terminal of a hundred columns; and the whole grid for a wider one.

use std::fmt::Write;

use super::{Cell, Matrix, Outcome, Row};
use crate::time::{Duration, Instant};

/// Columns of a terminal.
const WIDTH: usize = 100;

impl Matrix {
    /// For people: a block for each scenario with what fired in it, then coverage both ways. Fits a hundred columns.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for row in &self.scenarios {
            self.block(row, &mut out);
        }
        out += &self.coverage_text();
        out
    }

    /// For wide terminals: rules down, scenarios across, then coverage.
    pub fn wide(&self) -> String {
        let mut out = String::new();
        let legend = self.scenarios.iter().enumerate().map(|(index, row)| (index + 1, row));
        for (number, row) in legend {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{number:>4}  {:<24} {}", row.scenario, self.noticed(row));
        }
        let width = self.rules.iter().map(|rule| rule.chars().count()).max().unwrap_or(0);
        let _ = write!(out, "\n{:width$}", "");
        let _ = writeln!(out, "{}", (1..=self.scenarios.len()).map(|it| format!(" {it:>8}")).collect::<String>());
        for (index, rule) in self.rules.iter().enumerate() {
            let cells = self.scenarios.iter().filter_map(|row| row.cells.get(index));
            let line: String = cells.map(|cell| format!(" {:>8}", self.short(cell))).collect();
            let _ = writeln!(out, "{}", format!("{rule:<width$}{line}").trim_end());
        }
        out +=
            "\n1m16s: fires so long after the failure began, ~ late, ! when nothing is wrong, p: pending, -: dead\n\n";
        out += &self.coverage_text();
        out
    }

    /// A cell of the grid in eight columns.
    fn short(&self, cell: &Cell) -> String {
        match cell.outcome {
            Outcome::Failed => "failed".to_owned(),
            Outcome::FalseAlarm => "!".to_owned() + &cell.detection.p50.map(delay).unwrap_or_default(),
            Outcome::Fires => cell.detection.p50.map(delay).unwrap_or_default(),
            Outcome::Late => "~".to_owned() + &cell.detection.p50.map(delay).unwrap_or_default(),
            Outcome::Pending => "p".to_owned(),
            Outcome::Dead => "-".to_owned(),
            Outcome::Quiet => ".".to_owned(),
            Outcome::Absent => String::new(),
        }
    }

    fn block(&self, row: &Row, out: &mut String) {
        wrapped(&format!("{}: {}", row.scenario, row.summary), "  ", out);
        wrapped(&format!("  {}", self.fault(row)), "    ", out);
        let silence = self.silence(row);
        let speaks = |cell: &&Cell| match cell.outcome {
            Outcome::Failed | Outcome::FalseAlarm | Outcome::Fires | Outcome::Late => true,
            // What came near matters where nothing came.
            Outcome::Pending => silence.is_some(),
            Outcome::Quiet | Outcome::Dead | Outcome::Absent => false,
        };
        let mut cells: Vec<&Cell> = row.cells.iter().filter(speaks).collect();
        let soonest = |cell: &Cell| (cell.outcome == Outcome::Pending, cell.detection.p50.unwrap_or(-1.0));
        cells.sort_by(|a, b| soonest(a).partial_cmp(&soonest(b)).unwrap_or(std::cmp::Ordering::Equal));
        let width = cells.iter().map(|cell| cell.detection.alert.chars().count()).max().unwrap_or(0).clamp(24, 44);
        for cell in &cells {
            let (word, name) = (cell.outcome.name(), &cell.detection.alert);
            let line = format!("    {word:<11}  {name:<width$}  {}", self.cell_words(row, cell));
            wrapped(line.trim_end(), &" ".repeat(17), out);
        }
        if let Some(silence) = silence {
            let _ = writeln!(out, "    {silence}");
        }
        out.push('\n');
    }

    /// What is done to a cluster, and when, in words.
    pub(super) fn fault(&self, row: &Row) -> String {
        let Some(failure) = &row.failure else { return "nothing is done to it".to_owned() };
        let more = match row.faults.iter().filter(|fault| fault.at > failure.at).count() {
            0 => String::new(),
            1 => ", and one more fault".to_owned(),
            more => format!(", and {more} more faults"),
        };
        match failure.over {
            Some(over) => format!("{} at {}{more}, over at {}", failure.name, failure.at, moment(over)),
            None => format!("{} at {}{more}, to the end", failure.name, failure.at),
        }
    }

    /// That nobody says anything, when so.
    fn silence(&self, row: &Row) -> Option<String> {
        let unnoticed = self.runs - row.noticed;
        match (&row.failure, unnoticed) {
            (None, _) if row.cells.iter().all(|cell| cell.detection.before == 0) => Some("nothing fires".to_owned()),
            (None, _) | (Some(_), 0) => None,
            (Some(_), _) if row.silent => Some("nobody notices, as the scenario expects".to_owned()),
            (Some(_), unnoticed) if self.runs > 1 => {
                Some(format!("NOBODY NOTICES in {unnoticed} of {} runs", self.runs))
            }
            (Some(_), _) => Some("NOBODY NOTICES".to_owned()),
        }
    }

    /// When a rule fires, in words.
    pub(super) fn cell_words(&self, row: &Row, cell: &Cell) -> String {
        let it = &cell.detection;
        let in_runs = |count: u64| match count == self.runs {
            true => String::new(),
            false => format!(" in {count} of {} runs", self.runs),
        };
        let mut parts: Vec<String> = Vec::new();
        if it.before > 0 {
            let when = if row.failure.is_none() { "though nothing is wrong" } else { "before the failure" };
            parts.push(format!("{when}{}", in_runs(it.before)));
        }
        if let (Some(p50), Some(max)) = (it.p50, it.max) {
            let slowest = if self.runs > 1 { format!(", at most {}", delay(max)) } else { String::new() };
            let over = row.failure.as_ref().and_then(|failure| Some(failure.over?.since(failure.at).as_seconds_f64()));
            let since = match over.filter(|over| cell.late > 0 && self.runs == 1 && p50 > *over) {
                Some(over) => format!(", {} after it was over", delay(p50 - over)),
                None => String::new(),
            };
            let late = match cell.late > 0 && cell.late < it.fired {
                true => format!(", late in {} of them", cell.late),
                false => String::new(),
            };
            parts.push(format!("after {}{slowest}{}{since}{late}", delay(p50), in_runs(it.fired)));
        }
        if parts.is_empty() {
            return cell.told.clone();
        }
        parts.join("; ")
    }

    /// Who noticed a failure first, in a few words.
    pub(super) fn noticed(&self, row: &Row) -> String {
        match (&row.failure, row.first) {
            (None, _) => match row.cells.iter().filter(|cell| cell.detection.before > 0).count() {
                0 => "healthy".to_owned(),
                count => format!("healthy, false alarms: {count}"),
            },
            (Some(_), None) if row.silent => "nobody, as expected".to_owned(),
            (Some(_), None) => "NOBODY".to_owned(),
            (Some(_), Some((p50, _))) => {
                let runs = if row.noticed < self.runs {
                    format!(" in {} of {} runs", row.noticed, self.runs)
                } else {
                    String::new()
                };
                let late = if row.noticed_late == row.noticed { ", late" } else { "" };
                format!("noticed after {}{late}{runs}", delay(p50))
            }
        }
    }

    /// Coverage both ways.
    fn coverage_text(&self) -> String {
        let mut out = String::new();
        for (title, lines) in self.sections() {
            out += &format!("{title}\n");
            if lines.is_empty() {
                out += "  none\n";
            }
            let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).clamp(24, 44);
            for (name, told) in lines {
                wrapped(format!("  {name:<width$}  {told}").trim_end(), &" ".repeat(6), &mut out);
            }
            out.push('\n');
        }
        out += &self.total();
        out.push('\n');
        out
    }

    /// The tables of coverage: a title, and a name with what is to be said of it.
    pub(super) fn sections(&self) -> Vec<(&'static str, Vec<(String, String)>)> {
        let it = &self.coverage;
        let unnoticed = it.unnoticed.iter().map(|it| {
            let mut told: Vec<String> = Vec::new();
            if self.runs > 1 {
                told.push(format!("in {} of {} runs", it.runs, self.runs));
            }
            if it.expected {
                told.push("as the scenario expects".to_owned());
            }
            if !it.pending.is_empty() {
                told.push(format!("pending only: {}", it.pending.join(", ")));
            }
            (it.scenario.clone(), told.join("; "))
        });
        let late = it.late.iter().map(|name| (name.clone(), String::new()));
        let idle = it.idle.iter().map(|it| {
            let colon = if it.told.is_empty() { "" } else { ": " };
            (it.rule.clone(), format!("{}{colon}{}", it.outcome.name(), it.told))
        });
        let alarms = it.false_alarms.iter().map(|it| {
            let runs = if self.runs > 1 { format!(" in {} of {} runs", it.runs, self.runs) } else { String::new() };
            let when = if it.healthy { "where nothing is wrong" } else { "before the failure" };
            (it.rule.clone(), format!("in {}{runs}, {when}", it.scenario))
        });
        let mut sections = vec![
            ("Failures nobody notices", unnoticed.collect()),
            ("Failures noticed late only", late.collect()),
            ("Rules that notice nothing", idle.collect()),
            ("False alarms", alarms.collect()),
        ];
        if let Some(unpaged) = &it.unpaged {
            let names = unpaged.iter().map(|name| (name.clone(), "explain --page tells why".to_owned()));
            sections.insert(1, ("Failures of which alerts fire and nobody is told", names.collect()));
        }
        sections
    }

    /// All of it in a line.
    pub(super) fn total(&self) -> String {
        let it = &self.coverage;
        let idle = it.idle.len();
        let seeds = match self.runs {
            1 => format!("seed {}", self.seed),
            runs => format!("{runs} seeds from {}", self.seed),
        };
        format!(
            "{} of {} failures noticed, {} of {} rules notice something, false alarms: {} ({seeds})",
            it.noticed,
            it.failures,
            self.rules.len().saturating_sub(idle),
            self.rules.len(),
            it.false_alarms.len()
        )
    }
}

/// Seconds for people: tenths matter only of a few.
pub(super) fn delay(seconds: f64) -> String {
    let rounded = if seconds < 10.0 { f64::round(seconds * 10.0) / 10.0 } else { f64::round(seconds) };
    Duration::from_seconds_f64(rounded).to_string()
}

/// An instant for people, in whole seconds.
fn moment(at: Instant) -> String {
    Duration::from_seconds_f64(f64::round(at.since(Instant::START).as_seconds_f64())).to_string()
}

/// A line that is broken at blanks where it is too long; what follows is indented.
fn wrapped(line: &str, indent: &str, out: &mut String) {
    let mut rest = line;
    let mut first = true;
    loop {
        let room = if first { WIDTH } else { WIDTH - indent.len() };
        let fits = rest.char_indices().nth(room).map(|(at, _)| at);
        // Blanks at the beginning of a line are its indent.
        let begin = rest.len() - rest.trim_start().len();
        let end = fits.map(|fits| rest.get(begin..fits).and_then(|part| part.rfind(' ')).map_or(fits, |at| at + begin));
        let (now, later) = rest.split_at(end.unwrap_or(rest.len()));
        if !first {
            out.push_str(indent);
        }
        out.push_str(now.trim_end());
        out.push('\n');
        rest = later.trim_start();
        first = false;
        if rest.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_at_blanks_and_a_long_word_where_it_must() {
        let of = |line: &str| {
            let mut out = String::new();
            wrapped(line, "    ", &mut out);
            out
        };
        assert_eq!(of("  short"), "  short\n");
        assert_eq!(of(""), "\n");
        let words = "word ".repeat(30);
        let broken = of(&format!("  {words}"));
        assert!(broken.lines().count() == 2 && broken.lines().all(|line| line.chars().count() <= WIDTH), "{broken}");
        assert_eq!(broken.split_whitespace().count(), 30);
        let word = "é".repeat(250);
        let broken = of(&word);
        assert!(broken.lines().all(|line| line.chars().count() <= WIDTH), "{broken}");
        assert_eq!(broken.chars().filter(|c| *c == 'é').count(), 250);
    }

    #[test]
    fn tenths_are_told_of_a_few_seconds_only() {
        assert_eq!([0.0, 1.26, 76.487].map(delay), ["0s", "1.3s", "1m16s"]);
    }
}
