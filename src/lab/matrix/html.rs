//! A matrix as one page that needs nothing else: no script, no other file.

use super::picture::timeline;
use super::{Cell, Matrix, Outcome, Row};
use crate::report::junit::escape;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Scenarios against alert rules</title>
<style>
:root { color-scheme: light dark; --line: #8884; --fault: #b3589a; --pending: #e0b03a; --firing: #c62f2f; --good: #1d7a3a; }
@media (prefers-color-scheme: dark) { :root { --fault: #d58cc3; --firing: #ff6b5e; --good: #63c584; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; vertical-align: top; }
.scroll { overflow-x: auto; }
.grid td { text-align: center; white-space: nowrap; font-variant-numeric: tabular-nums; }
.grid thead th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; white-space: nowrap; }
.fires, .good { color: var(--good); } .failed, .false-alarm, .bad { color: var(--firing); font-weight: 600; }
svg { width: 100%; height: auto; font: 13px system-ui, sans-serif; }
svg text { fill: currentColor; } .name { text-anchor: end; } .tick { text-anchor: middle; font-size: 11px; opacity: .75; }
.axis { stroke: var(--line); } .fault { fill: var(--fault); } .pending { fill: var(--pending); } .firing { fill: var(--firing); }
.key span { display: inline-block; width: 1.2em; height: .7em; margin: 0 .3em 0 1em; }
</style>
</head>
<body>
<main>
<h1>Scenarios against alert rules</h1>
"#;

const KEY: &str = "<p class=\"key\"><span style=\"background: var(--fault)\"></span>what is done to the cluster\
    <span style=\"background: var(--pending)\"></span>a rule is pending\
    <span style=\"background: var(--firing)\"></span>it fires</p>\n";

impl Matrix {
    /// One page for people: coverage, the grid, and a timeline of each scenario (that of the first seed).
    pub fn html(&self) -> String {
        let mut out = format!("{HEAD}<p><strong>{}</strong></p>\n", escape(&self.total()));
        for (title, lines) in self.sections() {
            out += &format!("<h2>{title}</h2>\n");
            if lines.is_empty() {
                out += "<p class=\"good\">none</p>\n";
                continue;
            }
            out += "<table>\n";
            for (name, told) in lines {
                out += &format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(&name), escape(&told));
            }
            out += "</table>\n";
        }
        out += &self.grid();
        out += &format!("<h2>Timelines</h2>\n{KEY}");
        let sections = self.scenarios.iter().enumerate().map(|(index, row)| self.section(index, row));
        out += &sections.collect::<String>();
        out + "</main>\n</body>\n</html>\n"
    }

    fn grid(&self) -> String {
        let head: String = self
            .scenarios
            .iter()
            .enumerate()
            .map(|(index, row)| format!("<th scope=\"col\"><a href=\"#s{index}\">{}</a></th>", escape(&row.scenario)))
            .collect();
        let line = |(index, rule): (usize, &String)| {
            let cells = self.scenarios.iter().filter_map(|row| Some((row, row.cells.get(index)?)));
            let cells: String = cells.map(|(row, cell)| self.grid_cell(row, cell)).collect();
            format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(rule))
        };
        let lines: String = self.rules.iter().enumerate().map(line).collect();
        format!(
            "<h2>Grid</h2>\n<p>How long after the failure began each rule fires.</p>\n<div class=\"scroll\"><table \
             class=\"grid\">\n<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>\n"
        )
    }

    fn grid_cell(&self, row: &Row, cell: &Cell) -> String {
        let class = class(cell.outcome);
        let shown = match cell.outcome {
            Outcome::Fires => cell.detection.p50.map(super::text::delay).unwrap_or_default(),
            Outcome::Late => format!("late, {}", cell.detection.p50.map(super::text::delay).unwrap_or_default()),
            Outcome::Absent => String::new(),
            other => other.name().to_owned(),
        };
        let told = self.cell_words(row, cell);
        format!("<td class=\"{class}\" title=\"{}\">{shown}</td>", escape(&told))
    }

    fn section(&self, index: usize, row: &Row) -> String {
        let (fault, noticed) = (self.fault(row), self.noticed(row));
        let bad = row.failure.is_some() && row.noticed < self.runs && !row.silent;
        let bad = bad || row.cells.iter().any(|cell| cell.detection.before > 0);
        let verdict = if bad { "bad" } else { "good" };
        let cells: Vec<&Cell> = row.cells.iter().filter(|cell| cell.outcome <= Outcome::Pending).collect();
        let line = |cell: &&Cell| {
            let (name, word) = (escape(&cell.detection.alert), cell.outcome.name());
            let told = escape(&self.cell_words(row, cell));
            format!(
                "<tr><th scope=\"row\">{name}</th><td class=\"{}\">{word}</td><td>{told}</td></tr>\n",
                class(cell.outcome)
            )
        };
        let table = match cells.is_empty() {
            true => String::new(),
            false => format!("<table>\n{}</table>\n", cells.iter().map(line).collect::<String>()),
        };
        format!(
            "<section id=\"s{index}\">\n<h3>{}</h3>\n<p>{}<br>{}: <span class=\"{verdict}\">{}</span></p>\n{}{table}</section>\n",
            escape(&row.scenario),
            escape(&row.summary),
            escape(&fault),
            escape(&noticed),
            timeline(row, index, &format!("{fault}; {noticed}. The table below tells the same."))
        )
    }
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::FalseAlarm => "false-alarm",
        other => other.name(),
    }
}
