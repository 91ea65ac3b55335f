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

/// Test files of a run, and what they leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// A file for each interval at which groups with alerts are evaluated, that of the whole Prometheus first: promtool
    /// evaluates all groups of a file at one.
    pub files: Vec<TestFile>,
    /// Alerts that they cannot express, and why.
    pub left_out: Vec<(String, String)>,
    /// Rules that cannot be evaluated at some instant, and why: promtool evaluates all rules of a file and stops at the first
    /// that fails, so that there is no test file for them.
    pub failed: Vec<(String, String)>,
}

/// A test file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFile {
    /// How often its groups are evaluated.
    pub interval: Duration,
    /// The file.
    pub text: String,
    /// Alerts that are checked.
    pub alerts: usize,
    /// Checks of them.
    pub checks: usize,
}

/// The same watch with all scrapes on one interval, which is told: promtool knows no other.
fn on_interval(watch: &Watch) -> (Watch, Duration) {
    let interval = match &watch.scraping {
        Scraping::Every(interval) => *interval,
        Scraping::Jobs(_) => watch.evaluation_interval,
    };
    let scraping = match &watch.scraping {
        Scraping::Every(_) => Scraping::Every(interval),
        Scraping::Jobs(jobs) => Scraping::Jobs(jobs.iter().map(|job| job.clone().every(interval)).collect()),
    };
    (Watch { scraping, ..watch.clone() }, interval)
}

/// All rules, to find what promtool cannot judge as we do.
struct Rules<'w> {
    watch: &'w Watch,
    /// The scenario's start, in milliseconds since 1970.
    start: i64,
    /// Each rule and how often it is evaluated.
    all: Vec<(&'w Rule, Duration)>,
}

impl<'w> Rules<'w> {
    fn of(watch: &'w Watch, start: i64) -> Rules<'w> {
        let of_group = |group: &'w Group| {
            let interval = group.interval.unwrap_or(watch.evaluation_interval);
            group.rules.iter().map(move |rule| (rule, interval))
        };
        Rules { watch, start, all: watch.rules.groups.iter().flat_map(of_group).collect() }
    }

    fn alerts(&self) -> impl Iterator<Item = (&'w str, Duration)> {
        self.all.iter().filter(|(rule, _)| matches!(rule, Rule::Alert(_))).map(|(rule, it)| (rule.name(), *it))
    }

    /// The rules that an alert is made of: those of its name, and all that write what these read.
    fn behind(&self, alert: &str) -> Vec<(&'w Rule, Duration)> {
        let is_alert = |rule: &Rule| matches!(rule, Rule::Alert(_));
        let mut found: Vec<usize> = Vec::new();
        let named = |(_, (rule, _)): &(usize, &(&Rule, Duration))| is_alert(rule) && rule.name() == alert;
        let mut waiting: Vec<usize> = self.all.iter().enumerate().filter(named).map(|(index, _)| index).collect();
        while let Some(next) = waiting.pop() {
            if found.contains(&next) {
                continue;
            }
            found.push(next);
            let Some((rule, _)) = self.all.get(next) else { continue };
            let read = rule.expression().selected();
            let writes = |rule: &Rule| {
                // A selector without a name may mean any.
                read.iter().any(|name| match (name.as_deref(), is_alert(rule)) {
                    (Some(name), true) => name == "ALERTS",
                    (Some(name), false) => name == rule.name(),
                    (None, _) => true,
                })
            };
            waiting.extend(self.all.iter().enumerate().filter(|(_, (rule, _))| writes(rule)).map(|(index, _)| index));
        }
        found.iter().filter_map(|index| self.all.get(*index).copied()).collect()
    }

    /// Why promtool cannot judge an alert as we do.
    fn inexpressible(&self, alert: &str, interval: Duration) -> Option<String> {
        let default = self.watch.evaluation_interval;
        for (rule, each) in self.behind(alert) {
            let of = match rule {
                Rule::Alert(rule) if rule.name == alert => String::new(),
                _ => format!(" (in `{}`)", rule.name()),
            };
            if each != interval {
                return Some(match of.is_empty() {
                    true => "rules of this name are in groups with different intervals".to_owned(),
                    false => format!(
                        "it reads `{}`, which is evaluated each {each}; promtool evaluates all of a file each {interval}",
                        rule.name()
                    ),
                });
            }
            let expression = rule.expression();
            if expression.reads_date() || expression.selected().iter().flatten().any(|it| it == "ALERTS_FOR_STATE") {
                return Some(format!("it reads the date{of}, and promtool's begins in 1970"));
            }
            for step in expression.subquery_steps() {
                let step = match step {
                    Some(step) => step,
                    None if interval == default => interval.as_milliseconds() as i64,
                    None => {
                        return Some(format!("a subquery{of} has the step of the evaluation, which is {default} here"));
                    }
                };
                if step > 0 && self.start % step != 0 {
                    return Some(format!("steps of a subquery{of} count from 1970, when promtool's time begins"));
                }
            }
        }
        None
    }
}

/// Makes test files of a run. `rule_files` are the names they refer to.
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
    let start = calendar.start().as_millisecond();
    let rules = Rules::of(watch, start);
    let mut left_out: Vec<(String, String)> = Vec::new();
    let mut names: Vec<(&str, Duration)> = Vec::new();
    for (name, interval) in rules.alerts() {
        if names.iter().any(|(known, _)| *known == name) || left_out.iter().any(|(known, _)| known == name) {
            continue;
        }
        match rules.inexpressible(name, interval) {
            Some(why) => left_out.push((name.to_owned(), why)),
            None => names.push((name, interval)),
        }
    }
    let mut intervals: Vec<Duration> = names.iter().map(|(_, interval)| *interval).collect();
    intervals.sort_by_key(|interval| (*interval != watch.evaluation_interval, *interval));
    intervals.dedup();
    if intervals.is_empty() {
        return Ok(Export { left_out, ..Export::default() });
    }

    let (watch, scraped_each) = on_interval(watch);
    let steps = plan.duration.as_nanoseconds() / scraped_each.as_nanoseconds().max(1);
    let step = scraped_each.as_milliseconds().max(1) as i64;
    let grid = Grid { first: start, step, count: steps as usize + 1 };
    let scraped = Arc::new(Mutex::new(Scraped { grid, rows: BTreeMap::new() }));
    let run = |semantics, sink: Option<Box<dyn Sink + Send>>| {
        run::record(plan, seed, calendar, &Watch { semantics, ..watch.clone() }, sink)
    };
    let (new, old) = (run(Semantics::V3, Some(Box::new(scraped.clone())))?, run(Semantics::V2_42, None)?);
    let mut failed = new.failed;
    failed.extend(
        old.failed.into_iter().filter(|(rule, _)| !failed.iter().any(|(known, _)| known == rule)).collect::<Vec<_>>(),
    );
    if !failed.is_empty() {
        return Ok(Export { left_out, failed, ..Export::default() });
    }
    let recorded = Recorded {
        watch: &watch,
        scraped_each,
        scraped: &scraped.lock().unwrap_or_else(PoisonError::into_inner),
        lives: [&new.alerts, &old.alerts],
    };
    let file = |interval: &Duration| {
        let alerts = names.iter().filter(|(_, of)| of == interval).map(|(name, _)| *name).collect();
        recorded.file(plan, *interval, alerts, rule_files)
    };
    Ok(Export { files: intervals.iter().map(file).collect(), left_out, failed })
}

/// What was recorded of a run: enough for all its files.
struct Recorded<'r> {
    watch: &'r Watch,
    scraped_each: Duration,
    scraped: &'r Scraped,
    /// The life of every alert in a Prometheus of each kind, the newest first.
    lives: [&'r Vec<AlertLine>; 2],
}

impl Recorded<'_> {
    fn file(&self, plan: &Plan, interval: Duration, alerts: Vec<&str>, rule_files: &[String]) -> TestFile {
        let steps = (plan.duration.as_nanoseconds() / interval.as_nanoseconds().max(1)) as i64;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_head(&mut text, plan, interval, rule_files);
        let rules = self.watch.rules.groups.iter().flat_map(|group| &group.rules);
        let recorded: BTreeSet<&str> = rules.filter(|rule| matches!(rule, Rule::Record(_))).map(Rule::name).collect();
        let _ = write_series(&mut text, self.scraped, &recorded);
        let _ = writeln!(text, "    promql_expr_test:");
        let mut checks = 0;
        for name in &alerts {
            let states = States::of(name, &self.lives, steps, interval);
            if let Some(counts) = states.counts() {
                checks += 1;
                let _ = write_whole(&mut text, name, steps, interval, &counts);
            }
            for index in states.instants() {
                checks += 1;
                let _ = write_check(&mut text, name, instant(index, interval), states.firing(index));
            }
        }
        TestFile { interval, text, alerts: alerts.len(), checks }
    }

    fn write_head(&self, out: &mut String, plan: &Plan, interval: Duration, rule_files: &[String]) -> std::fmt::Result {
        let quoted = |text: &str| serde_json::Value::from(text);
        writeln!(out, "# Made by mock-kestra from the scenario {}. Run it with: promtool test rules FILE", plan.name)?;
        writeln!(out, "rule_files:")?;
        for file in rule_files {
            writeln!(out, "  - {}", quoted(file))?;
        }
        writeln!(out, "evaluation_interval: {}ms", interval.as_milliseconds())?;
        // Without this promtool takes the groups in any order.
        let groups: Vec<&str> = self.watch.rules.groups.iter().map(|group| group.name.as_str()).collect();
        let different: BTreeSet<&&str> = groups.iter().collect();
        if groups.len() > 1 && different.len() == groups.len() {
            writeln!(out, "group_eval_order:")?;
            groups.iter().try_for_each(|group| writeln!(out, "  - {}", quoted(group)))?;
        }
        writeln!(out, "tests:\n  - interval: {}ms", self.scraped_each.as_milliseconds())?;
        if !self.watch.external_labels.is_empty() {
            writeln!(out, "    external_labels:")?;
            let mut labels = self.watch.external_labels.iter();
            labels.try_for_each(|(key, value)| writeln!(out, "      {}: {}", quoted(key), quoted(value)))?;
        }
        writeln!(out, "    input_series:")
    }
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

/// The selector of an alert that fires.
fn selector(name: &str) -> String {
    format!("ALERTS{{alertname={}, alertstate=\"firing\"}}", serde_json::Value::from(name))
}

fn write_check(out: &mut String, name: &str, at: Instant, firing: &Firing) -> std::fmt::Result {
    let samples = firing.iter().map(|labels| ("ALERTS", labels, 1));
    write_expression(out, name, &selector(name), at, samples)
}

/// How often an alert fires in the whole run: at each evaluation that is not looked at by itself too.
fn write_whole(
    out: &mut String,
    name: &str,
    steps: i64,
    interval: Duration,
    counts: &BTreeMap<&Vec<(String, String)>, usize>,
) -> std::fmt::Result {
    let end = instant(steps, interval);
    // Half a step more, for Prometheus 2 and 3 differ in what lies just at the beginning of a range.
    let range = end.since(Instant::START).as_milliseconds() + interval.as_milliseconds() / 2;
    let expr = format!("count_over_time({}[{range}ms])", selector(name));
    write_expression(out, name, &expr, end, counts.iter().map(|(labels, count)| ("", *labels, *count)))
}

fn write_expression<'a>(
    out: &mut String,
    alert: &str,
    expr: &str,
    at: Instant,
    samples: impl ExactSizeIterator<Item = (&'static str, &'a Vec<(String, String)>, usize)>,
) -> std::fmt::Result {
    let quoted = |text: &str| serde_json::Value::from(text);
    let milliseconds = at.since(Instant::START).as_milliseconds();
    writeln!(out, "      - expr: {}\n        eval_time: {milliseconds}ms", quoted(expr))?;
    if samples.len() == 0 {
        return writeln!(out, "        exp_samples: []");
    }
    writeln!(out, "        exp_samples:")?;
    for (metric, labels, value) in samples {
        let mut all = vec![format!("alertname={}", quoted(alert)), "alertstate=\"firing\"".to_owned()];
        all.extend(labels.iter().map(|(key, value)| format!("{key}={}", quoted(value))));
        let line = format!("{metric}{{{}}}", all.join(", "));
        writeln!(out, "          - labels: {}\n            value: {value}", quoted(&line))?;
    }
    Ok(())
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

/// An evaluation, by its number.
fn instant(index: i64, interval: Duration) -> Instant {
    Instant::START + Duration::nanoseconds(interval.as_nanoseconds().saturating_mul(index.max(0) as u64))
}

/// What fires at each evaluation, in each kind of Prometheus.
struct States(Vec<Vec<Firing>>);

impl States {
    fn of(name: &str, runs: &[&Vec<AlertLine>], steps: i64, interval: Duration) -> States {
        let of = |alerts: &&Vec<AlertLine>| {
            let ours: Vec<AlertLine> = alerts.iter().filter(|line| line.alert == name).cloned().collect();
            (0..=steps).map(|index| firing(&ours, name, instant(index, interval))).collect()
        };
        States(runs.iter().map(of).collect())
    }

    fn firing(&self, index: i64) -> &Firing {
        static NONE: Firing = Vec::new();
        self.0.first().and_then(|states| states.get(index as usize)).unwrap_or(&NONE)
    }

    fn steps(&self) -> i64 {
        self.0.first().map_or(0, |states| states.len() as i64 - 1)
    }

    fn agree(&self, index: i64) -> bool {
        self.0.iter().all(|states| states.get(index as usize) == self.0.first().and_then(|it| it.get(index as usize)))
    }

    /// By label set: at how many evaluations it fires. None when the kinds do not agree on all.
    fn counts(&self) -> Option<BTreeMap<&Vec<(String, String)>, usize>> {
        if !(0..=self.steps()).all(|index| self.agree(index)) {
            return None;
        }
        let mut counts = BTreeMap::new();
        self.0.first()?.iter().flatten().for_each(|labels| *counts.entry(labels).or_default() += 1);
        Some(counts)
    }

    /// Evaluations to check: around every change, and the last; those only at which all kinds agree there and beside it.
    fn instants(&self) -> BTreeSet<i64> {
        let steps = self.steps();
        let mut wanted = BTreeSet::from([steps]);
        for index in 1..=steps {
            let changes = self.0.iter().any(|states| states.get(index as usize - 1) != states.get(index as usize));
            if changes {
                wanted.extend([index - 3, index - 2, index + 1, index + 2]);
            }
        }
        wanted.retain(|index| {
            (1..=steps).contains(index) && (index - 1..=index + 1).all(|near| near > steps || self.agree(near))
        });
        wanted
    }
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
            kept: None,
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
