//! Dashboards as one page that needs nothing else: each panel drawn as far as it has data, and told why it has none.

use std::fmt::Write;

use super::{DashboardReport, PanelReport, QueryReport, Shown};
use crate::promql::Row;
use crate::report::junit::escape;
use crate::time::Duration;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Dashboards over scenarios</title>
<style>
:root { color-scheme: light dark; --line: #8884; --good: #1d7a3a; --bad: #b3261e; --card: #8881; }
@media (prefers-color-scheme: dark) { :root { --good: #63c584; --bad: #ff8a80; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: .8rem; }
.panel { border: 1px solid var(--line); background: var(--card); padding: .6rem .8rem; overflow-wrap: anywhere; }
.panel h4 { margin: 0 0 .3rem; font-size: .95rem; } .panel p { margin: .3rem 0; font-size: .85rem; }
.data, .partly { color: var(--good); } .empty, .fails { color: var(--bad); font-weight: 600; }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: currentColor; opacity: .75; } .axis { stroke: var(--line); fill: none; }
polyline { fill: none; stroke-width: 1.5; } code { font-size: .85em; }
</style>
</head>
<body>
<main>
<h1>Dashboards over scenarios</h1>
"#;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 130.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 18.0;

/// One page for people.
pub fn dashboards_html(reports: &[DashboardReport]) -> String {
    let mut out = HEAD.to_owned();
    for report in reports {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "<h2>{} <small>over {}, Kestra {}, {}</small></h2>\n<p>{}</p>",
            escape(&report.dashboard),
            escape(&report.scenario),
            escape(&report.kestra),
            Duration::from_seconds_f64(report.duration),
            escape(&report.total())
        );
        let mut row: Option<&str> = None;
        out += "<div class=\"panels\">\n";
        for panel in &report.panels {
            if panel.row.as_deref() != row {
                row = panel.row.as_deref();
                let _ = writeln!(out, "</div>\n<h3>{}</h3>\n<div class=\"panels\">", escape(row.unwrap_or_default()));
            }
            out += &panel_of(panel);
        }
        out += "</div>\n";
    }
    out + "</main>\n</body>\n</html>\n"
}

fn panel_of(panel: &PanelReport) -> String {
    let name = panel.shown.name();
    let mut out = format!(
        "<section class=\"panel\"><h4>{} <small class=\"{}\">{name}</small></h4>\n",
        escape(&panel.title),
        name.replace(' ', "-")
    );
    if let Some(told) = &panel.told {
        let _ = writeln!(out, "<p>{}</p>", escape(told));
    }
    if panel.queries.iter().any(|query| query.shown == Shown::Data) {
        out += &drawing(panel);
    }
    for query in panel.queries.iter().filter(|query| query.shown != Shown::Data) {
        let told = query.told.as_deref().unwrap_or_default();
        let (name, expr) = (escape(&query.name), escape(&query.expr));
        let _ = writeln!(out, "<p>{name}: <code>{expr}</code><br>{}</p>", escape(told));
    }
    out + "</section>\n"
}

/// The series of a panel as lines, with a description for who cannot see it.
fn drawing(panel: &PanelReport) -> String {
    let rows = || panel.queries.iter().flat_map(|query| query.drawn.iter().map(move |row| (query, row)));
    let numbers = || rows().flat_map(|(_, row)| row.values.iter().copied()).filter(|value| value.is_finite());
    let (least, most) = (numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max));
    if least > most {
        return "<p>infinite at all instants</p>\n".to_owned();
    }
    // What lies around nothing is drawn from nothing on.
    let low = if least > 0.0 && least < most / 2.0 { 0.0 } else { least };
    let spread = if most > low { most - low } else { 1.0 };
    let series: usize = panel.queries.iter().map(|query| query.series).sum();
    let described = format!("{series} series, from {} to {}", number(least), number(most));
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}: {described}\">\n\
         <path class=\"axis\" d=\"M{LEFT} 4V{bottom}H{WIDTH}\"/>\
         <text x=\"2\" y=\"14\">{}</text><text x=\"2\" y=\"{bottom}\">{}</text>\n",
        escape(&panel.title),
        number(most),
        number(low),
        bottom = HEIGHT - BOTTOM,
    );
    for (index, (query, row)) in rows().enumerate() {
        let hue = (index * 137 + 210) % 360;
        for points in lines(query, row, low, spread) {
            let _ = writeln!(out, "<polyline stroke=\"hsl({hue} 65% 48%)\" points=\"{points}\"/>");
        }
    }
    let end = panel.queries.first().map_or(0.0, |query| query.step * query.grid.count.saturating_sub(1) as f64);
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{foot}\">0s</text><text x=\"{WIDTH}\" y=\"{foot}\" text-anchor=\"end\">{}</text></svg>",
        Duration::from_seconds_f64(end),
        foot = HEIGHT - 4.0
    );
    out
}

/// The points of a series, anew after each gap.
fn lines(query: &QueryReport, row: &Row, low: f64, spread: f64) -> Vec<String> {
    let (mut all, mut points) = (Vec::new(), String::new());
    let last = query.grid.count.saturating_sub(1).max(1) as f64;
    for index in 0..query.grid.count {
        match row.at(index).filter(|value| value.is_finite()) {
            Some(value) => {
                let x = LEFT + index as f64 / last * (WIDTH - LEFT);
                let y = 4.0 + (1.0 - (value - low) / spread) * (HEIGHT - BOTTOM - 4.0);
                let _ = write!(points, "{x:.1},{y:.1} ");
            }
            None if !points.is_empty() => all.push(std::mem::take(&mut points)),
            None => {}
        }
    }
    all.push(points);
    // A point alone is a short line.
    all.retain(|points| !points.is_empty());
    for points in &mut all {
        if points.matches(',').count() == 1
            && let Some((x, y)) = points.trim().split_once(',')
            && let Ok(x) = x.parse::<f64>()
        {
            *points = format!("{x:.1},{y} {:.1},{y}", x + 1.5);
        }
    }
    all
}

/// A number in few signs.
fn number(value: f64) -> String {
    let size = value.abs();
    for (above, unit) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")] {
        if size >= above {
            let by = if unit == "k" { 1e3 } else { above };
            return format!("{:.3}{unit}", value / by);
        }
    }
    let text = if size >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
