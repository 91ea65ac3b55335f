//! A run as a test file for `promtool test rules`: what was scraped, and which alert fires when.
//!
//! The run is made again on a grid, because promtool has samples and evaluations at multiples of one interval only. Instants
//! are checked where Prometheus 2 and 3 agree, one step before and after each change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::monitor::{Group, Rule, Sink};
use crate::promql::{Grid, Labels, Semantics, stale};
use crate::random::Seed;
use crate::report::AlertLine;
use crate::run::{self, Scraping, Watch};
use crate::scenario::Plan;
use crate::simulator::LimitReached;
use crate::time::{Calendar, Duration, Instant};

/// A test file, and what it leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The file.
    pub text: String,
    /// Alerts that it cannot express, and why.
    pub left_out: Vec<(String, &'static str)>,
    /// Instants that are checked.
    pub checks: usize,
}

/// The same watch with all scrapes on one interval: promtool knows no other.
fn on_interval(watch: &Watch, interval: Duration) -> Watch {
    let scraping = match &watch.scraping {
        Scraping::Every(_) => Scraping::Every(interval),
        Scraping::Jobs(jobs) => Scraping::Jobs(jobs.iter().map(|job| job.clone().every(interval)).collect()),
    };
    Watch { scraping, ..watch.clone() }
}

/// Why promtool cannot judge a rule as we do.
fn inexpressible(group: &Group, rule: &Rule, interval: Duration) -> Option<&'static str> {
    let text = rule.expression().text();
    let clock = ["time()", "timestamp(", "hour(", "minute(", "day_of", "days_in", "month(", "year("];
    if clock.iter().any(|word| text.contains(word)) {
        return Some("it reads the clock, and promtool's begins in 1970");
    }
    if group.interval.is_some_and(|it| it != interval) {
        return Some("its group has an interval of its own, which promtool ignores");
    }
    None
}

/// Makes a test file of a run. `rule_files` are the names it refers to.
///
/// # Errors
/// A limit of the simulation was reached.
pub fn promtool(
    plan: &Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    watch: &Watch,
    rule_files: &[String],
) -> Result<Export, LimitReached> {
    let interval = watch.evaluation_interval;
    let mut left_out = Vec::new();
    let mut names: Vec<String> = Vec::new();
    left_out.extend(
        watch
            .rules
            .grafana
            .iter()
            .flat_map(|group| &group.rules)
            .map(|rule| (rule.title.clone(), "it is a rule of Grafana")),
    );
    for group in &watch.rules.groups {
        for rule in &group.rules {
            let Rule::Alert(alert) = rule else { continue };
            match inexpressible(group, rule, interval) {
                Some(why) => left_out.push((alert.name.clone(), why)),
                None if !names.contains(&alert.name) => names.push(alert.name.clone()),
                None => {}
            }
        }
    }
    let steps = plan.duration.as_nanoseconds() / interval.as_nanoseconds().max(1);
    let begin = calendar.start().as_millisecond();
    let step = interval.as_milliseconds().max(1) as i64;
    let grid = Grid { first: begin, step, count: steps as usize + 1 };
    let scraped = Arc::new(Mutex::new(Scraped { grid, rows: BTreeMap::new() }));
    let on_grid = |semantics, sink: Option<Box<dyn Sink + Send>>| {
        run::record(plan, seed, calendar, &Watch { semantics, ..on_interval(watch, interval) }, sink)
    };
    let (new, old) = (on_grid(Semantics::V3, Some(Box::new(scraped.clone())))?, on_grid(Semantics::V2_42, None)?);

    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_head(&mut text, plan, interval, rule_files);
    let rules = watch.rules.groups.iter().flat_map(|group| &group.rules);
    let recorded: BTreeSet<&str> = rules.filter(|rule| matches!(rule, Rule::Record(_))).map(Rule::name).collect();
    let _ = write_series(&mut text, &scraped.lock().unwrap_or_else(PoisonError::into_inner), &recorded);
    let _ = writeln!(text, "    promql_expr_test:");
    let mut checks = 0;
    for name in &names {
        for index in instants(name, &[&new, &old], steps as i64, interval) {
            let at = Instant::START + Duration::nanoseconds(interval.as_nanoseconds().saturating_mul(index as u64));
            checks += 1;
            let _ = write_check(&mut text, name, at, &firing(&new, name, at));
        }
    }
    if checks == 0 {
        text = text.replace("    promql_expr_test:\n", "    promql_expr_test: []\n");
    }
    Ok(Export { text, left_out, checks })
}

fn write_head(out: &mut String, plan: &Plan, interval: Duration, rule_files: &[String]) -> std::fmt::Result {
    let milliseconds = format!("{}ms", interval.as_milliseconds());
    writeln!(out, "# Made by mock-kestra from the scenario {}. Run it with: promtool test rules FILE", plan.name)?;
    writeln!(out, "rule_files:")?;
    for file in rule_files {
        writeln!(out, "  - {}", serde_json::Value::from(file.as_str()))?;
    }
    writeln!(out, "evaluation_interval: {milliseconds}\ntests:\n  - interval: {milliseconds}\n    input_series:")
}

/// Writes what was scraped; `recorded` are names of series that rules write.
fn write_series(out: &mut String, scraped: &Scraped, recorded: &BTreeSet<&str>) -> std::fmt::Result {
    for row in scraped.rows.values() {
        let name_of = |key: &str| key == "__name__";
        let name = row.labels.iter().find(|(key, _)| name_of(key)).map_or("", |(_, name)| name);
        // What rules write is written by promtool itself.
        if name == "ALERTS" || name == "ALERTS_FOR_STATE" || recorded.contains(name) {
            continue;
        }
        let labels: Vec<String> = row
            .labels
            .iter()
            .filter(|(key, _)| !name_of(key))
            .map(|(key, value)| format!("{key}={}", serde_json::Value::from(&**value)))
            .collect();
        let line = serde_json::Value::from(format!("{name}{{{}}}", labels.join(", ")));
        writeln!(out, "      - series: {line}\n        values: {}", serde_json::Value::from(row.values.text()))?;
    }
    Ok(())
}

fn write_check(out: &mut String, name: &str, at: Instant, firing: &Firing) -> std::fmt::Result {
    let seconds = at.since(Instant::START).as_milliseconds();
    let expr = format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\"}}");
    writeln!(out, "      - expr: {}\n        eval_time: {seconds}ms", serde_json::Value::from(expr))?;
    match firing.is_empty() {
        true => writeln!(out, "        exp_samples: []"),
        false => {
            writeln!(out, "        exp_samples:")?;
            for labels in firing {
                let mut all = vec![format!("alertname=\"{name}\""), "alertstate=\"firing\"".to_owned()];
                all.extend(
                    labels.iter().map(|(key, value)| format!("{key}={}", serde_json::Value::from(value.as_str()))),
                );
                let line = format!("ALERTS{{{}}}", all.join(", "));
                writeln!(out, "          - labels: {}\n            value: 1", serde_json::Value::from(line))?;
            }
            Ok(())
        }
    }
}

/// Label sets of an alert.
type Firing = Vec<Vec<(String, String)>>;

/// The label sets of an alert that fire at an instant.
fn firing(alerts: &[AlertLine], name: &str, at: Instant) -> Firing {
    let fires = |line: &&AlertLine| {
        let from = line.firing.is_some_and(|from| from <= at);
        line.alert == name && from && line.resolved.is_none_or(|resolved| resolved > at)
    };
    let mut all: Firing = alerts.iter().filter(fires).map(|line| line.labels.clone()).collect();
    all.sort();
    all
}

/// Steps to check: around every change, and those only at which all semantics agree at the step and beside it.
fn instants(name: &str, runs: &[&Vec<AlertLine>], steps: i64, interval: Duration) -> BTreeSet<i64> {
    let at = |index: i64| {
        Instant::START + Duration::nanoseconds(interval.as_nanoseconds().saturating_mul(index.max(0) as u64))
    };
    let states: Vec<BTreeMap<i64, Firing>> =
        runs.iter().map(|alerts| (0..=steps).map(|index| (index, firing(alerts, name, at(index)))).collect()).collect();
    let agree = |index: i64| {
        let first = states.first().and_then(|states| states.get(&index));
        states.iter().all(|states| states.get(&index) == first)
    };
    let mut wanted = BTreeSet::from([steps]);
    for index in 1..=steps {
        let changes = states.iter().any(|states| states.get(&(index - 1)) != states.get(&index));
        if changes {
            wanted.extend([index - 3, index - 2, index + 1, index + 2]);
        }
    }
    wanted
        .retain(|index| (1..=steps).contains(index) && (index - 1..=index + 1).all(|near| near > steps || agree(near)));
    wanted
}

/// A value as promtool reads it.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Inf".into() } else { "-Inf".into() }
    } else {
        format!("{value}")
    }
}

/// What was scraped, as promtool is told of it: one row a series, a value a step. Its size follows what changes, not how long
/// the run is.
#[derive(Debug)]
struct Scraped {
    grid: Grid,
    /// By number of the series.
    rows: BTreeMap<u32, Scrapes>,
}

#[derive(Debug)]
struct Scrapes {
    labels: Labels,
    values: Packed,
}

impl Sink for Scraped {
    fn sample(&mut self, series: u32, labels: &Labels, time: i64, value: f64) {
        let late = time - self.grid.first;
        // Promtool has no samples between steps.
        if late < 0 || late % self.grid.step != 0 || time > self.grid.last() {
            return;
        }
        let row =
            self.rows.entry(series).or_insert_with(|| Scrapes { labels: labels.clone(), values: Packed::default() });
        let step = (late / self.grid.step) as usize;
        row.values.push("_", step - row.values.count);
        row.values.push(&if stale(value) { "stale".to_owned() } else { number(value) }, 1);
    }
}

/// Values in short: `5x3` is four times 5, `_x3` three times nothing.
#[derive(Debug, Default)]
struct Packed {
    /// All runs of one value but the last.
    text: String,
    value: String,
    run: usize,
    /// Values in all.
    count: usize,
}

impl Packed {
    fn push(&mut self, value: &str, times: usize) {
        if times == 0 {
            return;
        }
        if self.value != value {
            let last = self.last();
            self.text.push_str(&last);
            value.clone_into(&mut self.value);
            self.run = 0;
        }
        self.run += times;
        self.count += times;
    }

    /// The last run, as it stands behind those before it.
    fn last(&self) -> String {
        let between = if self.text.is_empty() { "" } else { " " };
        let short = self.run > 2 && self.value != "stale" && !self.value.contains(|c: char| c.is_ascii_alphabetic());
        match (short, self.value.as_str()) {
            _ if self.run == 0 => String::new(),
            (true, "_") => format!("{between}_x{}", self.run),
            (true, value) => format!("{between}{value}x{}", self.run - 1),
            (false, value) => format!("{between}{}", vec![value; self.run].join(" ")),
        }
    }

    fn text(&self) -> String {
        format!("{}{}", self.text, self.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_packed_and_what_does_not_lie_on_a_step_is_left_out() {
        let mut scraped = Scraped { grid: Grid { first: 1_000, step: 10, count: 100 }, rows: BTreeMap::new() };
        let labels: Labels = Vec::new().into();
        let mut at = |step: i64, value: f64| scraped.sample(7, &labels, 1_000 + 10 * step, value);
        (4..8).for_each(|step| at(step, 5.0));
        [(8, 1.5), (9, 1.5), (13, f64::NAN), (14, f64::NAN), (15, f64::NAN), (16, crate::promql::NO_SAMPLE)]
            .into_iter()
            .for_each(|(step, value)| at(step, value));
        at(18, f64::INFINITY);
        scraped.sample(7, &labels, 1_185, 9.0);
        scraped.sample(7, &labels, 990, 9.0);
        scraped.sample(7, &labels, 2_000, 9.0);
        let row = &scraped.rows[&7].values;
        assert_eq!(row.text(), "_x4 5x3 1.5 1.5 _x3 NaN NaN NaN stale _ Inf");
        assert_eq!(row.count, 19);
    }

    #[test]
    fn runs_of_a_value_are_written_in_short_and_mean_the_same() {
        let short_of = |values: &str| {
            let mut packed = Packed::default();
            values.split(' ').for_each(|value| packed.push(value, 1));
            packed.text()
        };
        for (values, short) in [
            ("5 5 5 5", "5x3"),
            ("5 5", "5 5"),
            ("_ _ _ 1.5 1.5 1.5", "_x3 1.5x2"),
            ("stale stale stale", "stale stale stale"),
            ("NaN NaN NaN 0", "NaN NaN NaN 0"),
            ("1", "1"),
        ] {
            assert_eq!(short_of(values), short);
        }
    }

    #[test]
    fn an_alert_fires_from_its_first_instant_until_before_the_one_at_which_it_is_resolved() {
        let second = |n: u64| Instant::START + Duration::seconds(n);
        let line = |firing: Option<u64>, resolved: Option<u64>| AlertLine {
            alert: "A".to_owned(),
            labels: Vec::new(),
            pending: second(0),
            firing: firing.map(second),
            resolved: resolved.map(second),
            value: 1.0,
            reason: None,
            annotations: Vec::new(),
        };
        let fires = |line: AlertLine| -> Vec<u64> {
            (0..5).filter(|at| !firing(std::slice::from_ref(&line), "A", second(*at)).is_empty()).collect()
        };
        assert_eq!(fires(line(Some(1), Some(3))), [1, 2]);
        assert_eq!(fires(line(Some(3), None)), [3, 4]);
        assert_eq!(fires(line(None, Some(3))), [0; 0]);
        assert!(firing(&[line(Some(1), None)], "B", second(2)).is_empty());
    }
}
