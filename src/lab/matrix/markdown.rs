//! A matrix as Markdown: the summary of a job.

use super::{Matrix, Outcome, Row};
use crate::report::markdown_cell as escape;

impl Matrix {
    /// For a CI's summary: a row for each scenario, then coverage.
    pub fn markdown(&self) -> String {
        let mut out = format!("**{}**\n\n| scenario | failure | noticed | by |\n|-|-|-|-|\n", escape(&self.total()));
        for row in &self.scenarios {
            let failure = self.fault(row);
            let cells = [row.scenario.as_str(), &failure, &self.noticed(row), &self.by(row)];
            out += &format!("| {} |\n", cells.map(escape).join(" | "));
        }
        for (title, lines) in self.sections() {
            out += &format!("\n**{title}**: ");
            if lines.is_empty() {
                out += "none\n";
                continue;
            }
            out += "\n\n";
            for (name, told) in lines {
                let told = if told.is_empty() { String::new() } else { format!(": {}", escape(&told)) };
                out += &format!("- {}{told}\n", escape(&name));
            }
        }
        out
    }

    /// Who noticed a failure, the soonest first; of a healthy cluster who cried wolf.
    fn by(&self, row: &Row) -> String {
        let mut cells: Vec<_> = row
            .cells
            .iter()
            .filter(|it| matches!(it.outcome, Outcome::FalseAlarm | Outcome::Fires | Outcome::Late | Outcome::Failed))
            .collect();
        cells.sort_by(|a, b| a.detection.p50.unwrap_or(-1.0).total_cmp(&b.detection.p50.unwrap_or(-1.0)));
        let told = cells.iter().map(|cell| {
            let word = match cell.outcome {
                Outcome::Fires => String::new(),
                other => format!("{}, ", other.name()),
            };
            format!("{} ({word}{})", cell.detection.alert, self.cell_words(row, cell))
        });
        told.collect::<Vec<String>>().join(", ")
    }
}
