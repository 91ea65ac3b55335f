//! The timeline of a scenario as a drawing: what is done to it, and when each rule was active.

use std::fmt::Write;

use super::{Life, Row};
use crate::report::junit::escape;
use crate::time::{Duration, Instant, SECOND};

/// Widths and heights, in the drawing's own units.
const NAMES: f64 = 300.0;
const WIDTH: f64 = 980.0;
const LINE: f64 = 22.0;
const HEAD: f64 = 24.0;
/// Bars of one rule: one that flaps without end is drawn so far.
const BARS: usize = 500;

/// Where an instant lies.
struct Scale {
    end: f64,
}

impl Scale {
    fn x(&self, at: Instant) -> f64 {
        let seconds = at.as_nanoseconds() as f64 / SECOND as f64;
        let share = if self.end > 0.0 { (seconds / self.end).clamp(0.0, 1.0) } else { 0.0 };
        NAMES + share * (WIDTH - NAMES - 10.0)
    }
}

/// The drawing of a row, with a title and a description for who cannot see it. `id` is its own in the page.
pub(super) fn timeline(row: &Row, id: usize, described: &str) -> String {
    let active: Vec<(&str, &[Life])> = row
        .cells
        .iter()
        .filter(|cell| cell.lives.iter().any(|life| life.resolved.is_none_or(|at| at >= Instant::START)))
        .map(|cell| (cell.detection.alert.as_str(), cell.lives.as_slice()))
        .collect();
    let lines = row.faults.len() + active.len();
    let height = HEAD + lines.max(1) as f64 * LINE + 6.0;
    let scale = Scale { end: row.duration.as_seconds_f64() };
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"t{id} d{id}\">\
         <title id=\"t{id}\">Timeline of {}</title><desc id=\"d{id}\">{}</desc>\n",
        escape(&row.scenario),
        escape(described)
    );
    axis(&mut out, &scale, row.duration, height);
    let end = Instant::START + row.duration;
    for (index, fault) in row.faults.iter().enumerate() {
        let y = HEAD + index as f64 * LINE;
        name(&mut out, &fault.name, y);
        bar(&mut out, "fault", &scale, (fault.at, fault.over.unwrap_or(end)), y);
    }
    for (index, (rule, lives)) in active.iter().enumerate() {
        let y = HEAD + (row.faults.len() + index) as f64 * LINE;
        name(&mut out, rule, y);
        for life in lives.iter().take(BARS) {
            let over = life.resolved.unwrap_or(end);
            bar(&mut out, "pending", &scale, (life.pending, life.firing.unwrap_or(over)), y);
            if let Some(firing) = life.firing {
                bar(&mut out, "firing", &scale, (firing, over), y);
            }
        }
    }
    out + "</svg>\n"
}

fn axis(out: &mut String, scale: &Scale, duration: Duration, height: f64) {
    // Steps that people count in: the largest that gives no more than ten.
    const STEPS: &[u64] =
        &[60, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800, 2_592_000, 8_640_000];
    let seconds = duration.as_seconds_f64();
    let step = STEPS.iter().copied().find(|step| seconds / *step as f64 <= 10.0).unwrap_or(8_640_000);
    let mut at = 0;
    while at as f64 <= seconds {
        let x = scale.x(Instant::START + Duration::seconds(at));
        let label = Duration::seconds(at).to_string();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{HEAD}\" y2=\"{height}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"14\">{label}</text>"
        );
        at += step;
    }
}

fn name(out: &mut String, name: &str, y: f64) {
    let shown: String = match name.char_indices().nth(44) {
        Some((at, _)) => format!("{}…", name.get(..at).unwrap_or(name)),
        None => name.to_owned(),
    };
    let _ =
        writeln!(out, "<text class=\"name\" x=\"{:.0}\" y=\"{:.0}\">{}</text>", NAMES - 8.0, y + 16.0, escape(&shown));
}

fn bar(out: &mut String, class: &str, scale: &Scale, (from, until): (Instant, Instant), y: f64) {
    if until < Instant::START {
        return;
    }
    let (x, end) = (scale.x(from), scale.x(until));
    // What lasts no time is seen too.
    let width = (end - x).max(if class == "pending" { 0.0 } else { 2.0 });
    if width > 0.0 {
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.0}\" width=\"{width:.1}\" height=\"{:.0}\"/>",
            y + 4.0,
            LINE - 8.0
        );
    }
}
