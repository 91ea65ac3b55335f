//! Why an alert fires, or does not: what each part of its expression comes to, and the first thing that keeps it quiet.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::known::Names;
use super::lives::{before_start, over_before, sentence, too_short};
use super::session::Session;
use super::watch::{Watch, Watching};
use crate::document;
use crate::monitor::{AlertRule, AnyRule, GrafanaRule, Group, Node, NodeKind, Standing};
use crate::promql::{Expression, Grid, Labels, Part, PartKind, Row};
use crate::random::Seed;
use crate::report::{AlertLine, TargetLine, write_targets};
use crate::scenario::Plan;
use crate::simulator::{LimitReached, Simulation};
use crate::time::{Calendar, Duration, Instant, MILLISECOND};

/// Why an alert is as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The scenario's name.
    pub scenario: String,
    /// The alert's name.
    pub alert: String,
    /// Its expression.
    pub expr: String,
    /// Its `for`, in seconds.
    pub hold: f64,
    /// How often it is evaluated, in seconds.
    pub interval: f64,
    /// What becomes of it, and why.
    pub verdict: String,
    /// Its lives.
    pub lives: Vec<AlertLine>,
    /// What each part of the expression comes to.
    pub parts: Vec<PartLine>,
    /// What was scraped, and how that went.
    pub targets: Vec<TargetLine>,
}

/// A part of the expression over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartLine {
    /// How deep it lies in the expression.
    pub depth: usize,
    /// The part.
    pub text: String,
    /// Series it has at any time.
    pub series: usize,
    /// Why it has no value at all, when it cannot be evaluated.
    pub failure: Option<String>,
    /// Some of them: labels, and what they are from when on.
    pub values: Vec<(String, Vec<Change>)>,
}

/// From when on, in seconds since the start, and what it is; none is no value.
pub type Change = (f64, Option<f64>);

/// Series of a part that are shown, and changes of each.
const SHOWN: usize = 4;
const CHANGES: usize = 12;

/// Runs a plan and explains one alert of the rules; at an instant, or over the whole run. None when no rule has this name.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn explain(
    plan: &Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    watch: &Watch,
    alert: &str,
    at: Option<Instant>,
) -> Result<Option<Explanation>, LimitReached> {
    let mut session = Session::new(plan.clone(), seed, calendar).watched(watch);
    let end = Instant::START + plan.duration;
    session.advance(end)?;
    let simulation = session.simulation().clone();
    let Some(watching) = session.into_watching() else { return Ok(None) };
    let until = at.unwrap_or(end).min(end);
    let Some((subject, grid)) = Subject::find(&watching, alert, &calendar, until) else { return Ok(None) };
    let interval = Duration::milliseconds(grid.step as u64);
    let start = calendar.start().as_millisecond();
    let whole = since(grid, start);
    let grid = match at {
        Some(_) => Grid { first: grid.last(), count: grid.count.min(1), ..grid },
        None => whole,
    };
    let all = watching.alerts(&calendar).into_iter().filter(|line| subject.is_of(line));
    let (lives, before): (Vec<AlertLine>, Vec<AlertLine>) = all.partition(|line| line.ends_after(Instant::START));
    let before = over_before(before.iter().map(AlertLine::times));
    let asked = subject.asked(&watching);
    let why = Why { whole, asked, before, ..Why::of(&watching, &simulation, grid, start) };
    let verdict = match at {
        Some(_) => why.at(subject, &lives, until),
        None => why.over_all(subject, &lives),
    };
    Ok(Some(Explanation {
        scenario: plan.name.clone(),
        alert: alert.to_owned(),
        expr: subject.text(),
        hold: subject.hold().as_seconds_f64(),
        interval: interval.as_seconds_f64(),
        verdict,
        lives,
        parts: why.parts(subject),
        targets: watching.targets(&calendar),
    }))
}

/// A grid from the start of the scenario on: what was before is not told.
pub(super) fn since(grid: Grid, start: i64) -> Grid {
    let before = grid.times().take_while(|time| *time < start).count();
    Grid { first: grid.time(before), count: grid.count - before, ..grid }
}

/// A rule that alerts.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Prometheus(&'a AlertRule),
    Grafana(&'a GrafanaRule),
}

impl<'a> Subject<'a> {
    fn find(watching: &'a Watching, alert: &str, calendar: &Calendar, until: Instant) -> Option<(Subject<'a>, Grid)> {
        let prometheus = watching.rule(alert, calendar, until).map(|(rule, grid)| (Subject::Prometheus(rule), grid));
        let grafana =
            || watching.grafana_rule(alert, calendar, until).map(|(rule, grid)| (Subject::Grafana(rule), grid));
        prometheus.or_else(grafana)
    }
    fn hold(self) -> Duration {
        match self {
            Subject::Prometheus(rule) => rule.hold,
            Subject::Grafana(rule) => rule.hold,
        }
    }
    /// How its group asks it, and why it could not be evaluated the first time that it could not.
    fn asked(self, watching: &Watching) -> Asked {
        let name = match self {
            Subject::Prometheus(rule) => &rule.name,
            // Rules of Grafana know no offset, and their trouble is an alert.
            Subject::Grafana(_) => return Asked::default(),
        };
        let standings = watching.monitor.standings();
        let of_it = |standing: &&Standing<'_>| matches!(standing.rule, AnyRule::Alert(rule) if rule.name == *name);
        let Some(standing) = standings.iter().find(of_it) else { return Asked::default() };
        let group = watching.monitor.groups().get(standing.at);
        let limit = group.map_or(0, |group| group.limit);
        Asked { offset: group.map_or(0, Group::offset), limit, failure: standing.failure.map(str::to_owned) }
    }
    /// Whether a life is one of its alerts; rules of Grafana tell of trouble by alerts of other names.
    fn is_of(self, line: &AlertLine) -> bool {
        match self {
            Subject::Prometheus(rule) => line.alert == rule.name,
            Subject::Grafana(rule) => {
                line.alert == rule.title
                    || line.labels.iter().any(|(key, value)| key == "rulename" && *value == rule.title)
            }
        }
    }
    fn text(self) -> String {
        match self {
            Subject::Prometheus(rule) => rule.expression.text().to_owned(),
            Subject::Grafana(rule) => {
                let nodes: Vec<String> = rule.nodes.iter().map(words_of_node).collect();
                format!("{}\nthe condition is {}", nodes.join("\n"), rule.condition)
            }
        }
    }
}

/// How a group asks a rule.
#[derive(Debug, Default)]
struct Asked {
    /// So long before its evaluation, in milliseconds.
    offset: i64,
    /// How many alerts it may have at once; 0 is any number.
    limit: usize,
    /// Why it could not be evaluated, the first time.
    failure: Option<String>,
}

/// A node of a rule of Grafana in words.
fn words_of_node(node: &Node) -> String {
    let what = match &node.kind {
        NodeKind::Instant(expression, _) => expression.text().to_owned(),
        NodeKind::Range { expression, from, to, step } => {
            format!("{} from {from} to {to} ago, each {step}", expression.text())
        }
        NodeKind::Reduce(of, reducer, _) => format!("{reducer} of {of}"),
        NodeKind::Math(formula) => formula.text().to_owned(),
        NodeKind::Threshold(of, with, _) => format!("{of} {with}"),
        NodeKind::Classic(conditions) => {
            let each: Vec<String> =
                conditions.iter().map(|it| format!("{} of {} {}", it.reducer, it.query, it.evaluator)).collect();
            each.join("; ")
        }
    };
    format!("{}: {what}", node.name)
}

/// The nearest an alert came to firing, in words: for expectations that were not met.
pub(super) fn nearest(
    watching: &Watching,
    simulation: &Simulation,
    alert: &str,
    lives: &[&AlertLine],
    end: Instant,
) -> String {
    let calendar = simulation.calendar();
    let Some((subject, grid)) = Subject::find(watching, alert, &calendar, end) else { return "never active".into() };
    let start = calendar.start().as_millisecond();
    let grid = since(grid, start);
    let before = before_start(watching, &calendar, alert);
    let why = Why { asked: subject.asked(watching), ..Why::of(watching, simulation, grid, start) };
    // The last evaluation that saw it: what is later nobody has seen.
    let end = why.instant(grid.last());
    match (lives.iter().max_by_key(|line| line.resolved.unwrap_or(end).since(line.pending)), before) {
        (Some(line), _) => too_short(line, subject.hold(), end),
        (None, None) => format!("never active: {}", why.quiet(subject)),
        (None, Some(before)) => format!("{before}; from the start on never active: {}", why.quiet(subject)),
    }
}

/// A label that no alert of this name can have, whatever its value, in words. None also when its rules say too little of what
/// they give: those of Grafana, and those whose series never were there.
pub(super) fn unknown_label(
    watching: &Watching,
    simulation: &Simulation,
    alert: &str,
    labels: &[(String, String)],
) -> Option<String> {
    if labels.is_empty() {
        return None;
    }
    let calendar = simulation.calendar();
    let start = calendar.start().as_millisecond();
    let mut keys: BTreeSet<String> = BTreeSet::from(["alertname".to_owned()]);
    for standing in watching.monitor.standings().iter().filter(|standing| standing.rule.name() == alert) {
        let AnyRule::Alert(rule) = standing.rule else { return None };
        let grid = since(watching.grid(standing.at, &calendar, simulation.now()), start);
        let asked = Subject::Prometheus(rule).asked(watching);
        let why = Why { asked, ..Why::of(watching, simulation, grid, start) };
        let sets = why.label_sets(&rule.expression.outline());
        if sets.is_empty() {
            return None;
        }
        keys.extend(sets.iter().flat_map(|labels| labels.iter()).map(|(key, _)| key.to_string()));
        keys.extend(rule.labels.iter().map(|(key, _)| key.clone()));
    }
    keys.remove("__name__");
    // Who is about every alert asks what no rule of this name says.
    let (unknown, _) = labels.iter().find(|(key, _)| keys.len() > 1 && !keys.contains(key))?;
    let advice = document::instead(unknown, keys.iter().map(String::as_str));
    Some(format!("no alert {alert} can have a label `{unknown}`; {advice}"))
}

pub(super) struct Why<'a> {
    pub(super) watching: &'a Watching,
    /// The cluster at the end of the run.
    pub(super) simulation: &'a Simulation,
    /// The instants that are explained.
    pub(super) grid: Grid,
    /// All evaluations from the start on.
    pub(super) whole: Grid,
    asked: Asked,
    /// What it was before the start, as [`over_before`] has it.
    before: Option<(bool, String)>,
    start: i64,
    names: OnceCell<Names>,
}

impl<'a> Why<'a> {
    /// Why an expression is as it is at the instants of a grid, all of which are from the start on.
    pub(super) fn of(watching: &'a Watching, simulation: &'a Simulation, grid: Grid, start: i64) -> Why<'a> {
        let (asked, names) = (Asked::default(), OnceCell::new());
        Why { watching, simulation, grid, whole: grid, asked, before: None, start, names }
    }

    /// The names there are, those included that no rule reads.
    pub(super) fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::of_run(self.simulation, self.watching, self.whole))
    }

    pub(super) fn instant(&self, time: i64) -> Instant {
        Instant::from_nanoseconds((time - self.start).saturating_mul(MILLISECOND as i64)).rounded()
    }

    pub(super) fn rows(&self, text: &str) -> Result<Vec<Row>, String> {
        self.rows_over(text, self.grid)
    }

    /// The rows of an expression at the evaluations of a grid, as the group of the rule asks them.
    pub(super) fn rows_over(&self, text: &str, grid: Grid) -> Result<Vec<Row>, String> {
        let grid = Grid { first: grid.first - self.asked.offset, ..grid };
        Ok(self.watching.ask_over(&Expression::parse(text)?, grid)?.into_rows())
    }

    /// The label sets that a part could give, whatever its thresholds.
    fn label_sets(&self, part: &Part) -> Vec<Labels> {
        let text = match (&part.kind, part.parts.as_slice()) {
            (PartKind::Filter { matched, .. }, _) => matched,
            (PartKind::Set(op), [left, right]) => {
                let mut sets = self.label_sets(left);
                if op == "or" {
                    sets.extend(self.label_sets(right));
                }
                return sets;
            }
            _ => &part.text,
        };
        self.rows(text).unwrap_or_default().into_iter().map(|row| row.labels).collect()
    }

    fn lines(&self, part: &Part, depth: usize, lines: &mut Vec<PartLine>) {
        if part.kind != PartKind::Literal {
            let rows = self.rows(&part.text);
            let values = rows.iter().flatten().take(SHOWN).map(|row| (words(&row.labels), self.changes(row)));
            lines.push(PartLine {
                depth,
                text: part.text.clone(),
                series: rows.as_ref().map_or(0, Vec::len),
                values: values.collect(),
                failure: rows.err(),
            });
        }
        part.parts.iter().for_each(|part| self.lines(part, depth + 1, lines));
    }

    /// What a series is from when on. Of many changes the largest are kept.
    fn changes(&self, row: &Row) -> Vec<Change> {
        let mut changes: Vec<(usize, Option<f64>)> = Vec::new();
        for index in 0..self.grid.count {
            let value = row.at(index);
            let same = |last: Option<f64>| last.map(f64::to_bits) == value.map(f64::to_bits);
            if changes.last().is_none_or(|(_, last)| !same(*last)) {
                changes.push((index, value));
            }
        }
        if changes.len() > CHANGES {
            // Beginnings and ends of gaps, the extremes, and the first and last.
            let values = || changes.iter().filter_map(|(index, value)| Some((*index, (*value)?)));
            let least = values().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index);
            let most = values().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index);
            let (first, last) = (changes.first().map(|it| it.0), changes.last().map(|it| it.0));
            let gaps: Vec<usize> = changes
                .windows(2)
                .filter(|pair| pair[0].1.is_some() != pair[1].1.is_some())
                .map(|pair| pair[1].0)
                .take(CHANGES - 4)
                .collect();
            changes.retain(|(index, _)| [least, most, first, last].contains(&Some(*index)) || gaps.contains(index));
        }
        let seconds = |index: usize| (self.grid.time(index) - self.start) as f64 / 1000.0;
        changes.into_iter().map(|(index, value)| (seconds(index), value)).collect()
    }

    /// What each part of a rule comes to.
    fn parts(&self, subject: Subject<'_>) -> Vec<PartLine> {
        let mut parts = Vec::new();
        match subject {
            Subject::Prometheus(rule) => self.lines(&rule.expression.outline(), 0, &mut parts),
            Subject::Grafana(rule) => {
                for node in rule.nodes.iter().rev() {
                    let rows = self.watching.node_over(rule, &node.name, self.grid);
                    let values = rows.iter().take(SHOWN).map(|row| (words(&row.labels), self.changes(row)));
                    let (text, series) = (words_of_node(node), rows.len());
                    parts.push(PartLine { depth: 0, text, series, values: values.collect(), failure: None });
                }
            }
        }
        parts
    }

    /// Why a rule is not active.
    fn quiet(&self, subject: Subject<'_>) -> String {
        let rule = match subject {
            Subject::Prometheus(rule) => {
                let rows = self.rows(rule.expression.text()).unwrap_or_default();
                let at_once = |index: usize| rows.iter().filter(|row| row.at(index).is_some()).count();
                let most = (0..self.grid.count).map(at_once).max().unwrap_or(0);
                return match (&self.asked.failure, self.asked.limit) {
                    // It has values, and no alert came of them. The failure is that of the first time.
                    (Some(_), limit) if limit > 0 && most > limit => {
                        format!("exceeded limit of {limit} with {most} alerts: none is active")
                    }
                    (Some(why), _) if most > 0 => format!("{why}: none is active"),
                    _ => self.nothing(&rule.expression.outline(), 0),
                };
            }
            Subject::Grafana(rule) => rule,
        };
        if rule.paused {
            return "it is paused".into();
        }
        for expression in rule.expressions() {
            if self.rows(expression.text()).is_ok_and(|rows| rows.is_empty()) {
                return self.nothing(&expression.outline(), 0);
            }
        }
        let condition = rule.nodes.iter().find(|node| node.name == rule.condition);
        if let Some(NodeKind::Threshold(of, with, _)) = condition.map(|node| &node.kind) {
            let values = self.watching.node_over(rule, of, self.grid);
            let numbers = || values.iter().flat_map(|row| (0..self.grid.count).filter_map(|index| row.at(index)));
            let least = numbers().reduce(f64::min);
            let most = numbers().reduce(f64::max);
            if let (Some(least), Some(most)) = (least, most) {
                let born = rule.expressions().find_map(|it| self.born(&it.outline())).unwrap_or_default();
                return format!("{of} never is {with}: it is from {least} to {most}{born}");
            }
        }
        format!("the condition {} never is anything but 0", rule.condition)
    }

    fn over_all(&self, subject: Subject<'_>, lives: &[AlertLine]) -> String {
        let failed = |told: String| match &self.asked.failure {
            Some(why) => format!("{told}; at times it could not be evaluated: {why}"),
            None => told,
        };
        let end = self.instant(self.grid.last());
        if let Some((line, firing)) = lives.iter().find_map(|line| Some((line, line.firing?))) {
            let resolved = line.resolved.map_or("and still fires".into(), |at| format!("until {}", at.rounded()));
            let times = lives.iter().filter(|line| line.firing.is_some()).count();
            let more = if times > 1 { format!("; {times} times in all") } else { String::new() };
            let why = match (line.reason, subject) {
                (Some(reason), Subject::Grafana(rule)) => {
                    let empty = |it: &&Expression| self.rows(it.text()).is_ok_and(|rows| rows.is_empty());
                    let empty = rule.expressions().find(empty).map(|it| self.nothing(&it.outline(), 0));
                    format!(" ({reason}{})", empty.map(|why| format!(": {why}")).unwrap_or_default())
                }
                _ => String::new(),
            };
            let kept = self.kept(subject, line, end);
            return failed(format!("it fires: from {} {resolved}{more}{why}{kept}", firing.rounded()));
        }
        let longest = lives.iter().max_by_key(|line| line.resolved.unwrap_or(end).since(line.pending));
        match (longest, &self.before) {
            (Some(line), _) => failed(too_short(line, subject.hold(), end) + &self.kept(subject, line, end)),
            (None, None) => self.quiet(subject),
            (None, Some(before)) => format!("{}; from the start on: {}", sentence(before), self.quiet(subject)),
        }
    }

    /// How long Grafana's `KeepLast` held an alert, when nobody knew whether its condition holds: during its life, up to an
    /// instant.
    fn kept(&self, subject: Subject<'_>, line: &AlertLine, until: Instant) -> String {
        let Subject::Grafana(rule) = subject else { return String::new() };
        let life = |(at, _): &(i64, String)| {
            let at = self.instant(*at);
            at > line.pending && at <= until && line.resolved.is_none_or(|resolved| at < resolved)
        };
        let kept: Vec<(i64, String)> = self.watching.kept_over(rule, self.whole).into_iter().filter(life).collect();
        let (Some((first, why)), Some((last, _))) = (kept.first(), kept.last()) else { return String::new() };
        let (first, last) = (self.instant(*first), self.instant(*last));
        format!("; KeepLast holds it at {} evaluations, from {first} to {last}: {why}", kept.len())
    }

    fn at(&self, subject: Subject<'_>, lives: &[AlertLine], at: Instant) -> String {
        let open = lives.iter().find(|line| line.pending <= at && line.resolved.is_none_or(|resolved| resolved > at));
        match open {
            Some(line) if line.firing.is_some_and(|firing| firing <= at) => {
                let kept = self.kept(subject, line, at);
                format!("it fires, since {}{kept}", line.firing.unwrap_or(at).rounded())
            }
            Some(line) => {
                let held = at.since(line.pending).rounded();
                format!(
                    "it is pending, since {}: it has held for {held} of the {} it must",
                    line.pending.rounded(),
                    subject.hold()
                )
            }
            None => {
                let before = lives.iter().filter_map(|line| line.resolved).filter(|resolved| *resolved <= at).max();
                let over = match (before, &self.before) {
                    (Some(resolved), _) => format!("it was resolved at {}; ", resolved.rounded()),
                    (None, Some(before)) => sentence(before) + "; ",
                    (None, None) => String::new(),
                };
                format!("{over}it is inactive: {}", self.quiet(subject))
            }
        }
    }
}

pub(super) fn words(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .filter(|(key, _)| &**key != "__name__")
        .map(|(key, value)| format!("{key}=\"{value}\""))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

impl Explanation {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let span = Duration::from_seconds_f64;
        writeln!(out, "{} in {}: {}\n", self.alert, self.scenario, self.verdict)?;
        writeln!(out, "  expr  {}", self.expr.trim().replace('\n', "\n        "))?;
        writeln!(out, "  for   {}, evaluated each {}", span(self.hold), span(self.interval))?;
        if !self.lives.is_empty() {
            writeln!(out, "\nLives                   pending      firing    resolved  labels")?;
        }
        for line in &self.lives {
            let time = |at: Option<Instant>| at.map_or("-".to_owned(), |at| at.rounded().to_string());
            let labels: Vec<String> = line.labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
            let (pending, firing, resolved) = (time(Some(line.pending)), time(line.firing), time(line.resolved));
            writeln!(out, "  {:<18} {pending:>11} {firing:>11} {resolved:>11}  {}", "", labels.join(", "))?;
        }
        writeln!(out, "\nParts")?;
        for part in &self.parts {
            let indent = "  ".repeat(part.depth + 1);
            match &part.failure {
                Some(why) => writeln!(out, "{indent}{}: {why}", part.text)?,
                None => writeln!(out, "{indent}{}: {} series", part.text, part.series)?,
            }
            for (labels, changes) in &part.values {
                let shown: Vec<String> = changes
                    .iter()
                    .map(|(at, value)| {
                        let value = value.map_or("nothing".to_owned(), |it| (f64::round(it * 1e6) / 1e6).to_string());
                        let at = Instant::from_nanoseconds(f64::round(at * 1e9) as i64);
                        format!("{} {value}", at.rounded())
                    })
                    .collect();
                writeln!(out, "{indent}    {labels}  {}", shown.join(", "))?;
            }
            if part.series > part.values.len() {
                writeln!(out, "{indent}    and {} more", part.series - part.values.len())?;
            }
        }
        write_targets(&self.targets, out)
    }
}
