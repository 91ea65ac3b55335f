//! A run as a test file for `promtool test rules`: what was scraped, and which alert fires when.
//!
//! The run is made again on a grid, because promtool has samples and evaluations at multiples of one interval only: all turns
//! begin at the start, and samples lie at multiples of what the intervals of scrapes have in common. Instants
//! are checked where Prometheus 2 and 3 agree, one step before and after each change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::scraped::Scraped;
use crate::monitor::{Group, Rule, Sink};
use crate::promql::{Grid, Semantics};
use crate::random::Seed;
use crate::report::AlertLine;
use crate::run::{self, Watch};
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

/// Steps of samples in a test file: promtool holds all of them at once.
const MAX_STEPS: u64 = 1_000_000;

/// The longest time of which the intervals of all scrapes are multiples: promtool has samples at multiples of one only.
///
/// # Errors
/// It is too short for a run of this length: in words.
fn common(watch: &Watch, plan: &Plan) -> Result<Duration, String> {
    let mut intervals = watch.scrape_intervals(plan);
    intervals.sort_unstable();
    intervals.dedup();
    let of_two = |a: u64, b: &Duration| {
        let (mut a, mut b) = (a, b.as_milliseconds());
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let all = intervals.iter().fold(0, of_two);
    let common = if all == 0 { watch.evaluation_interval } else { Duration::milliseconds(all) };
    if plan.duration.as_nanoseconds() / common.as_nanoseconds().max(1) <= MAX_STEPS {
        return Ok(common);
    }
    let named: Vec<String> = intervals.iter().take(4).map(Duration::to_string).collect();
    let what = format!("scrapes each {} are multiples of {common} only", named.join(", "));
    Err(format!("{what}, and in {} that is more than {MAX_STEPS} steps", plan.duration))
}

/// When a rule is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    /// How often.
    interval: Duration,
    /// How long before it asks, and before which it writes, in milliseconds: the `query_offset` of its group.
    offset: i64,
}

/// All rules, to find what promtool cannot judge as we do.
struct Rules<'w> {
    watch: &'w Watch,
    /// The scenario's start, in milliseconds since 1970.
    start: i64,
    /// Each rule and when it is evaluated.
    all: Vec<(&'w Rule, Turn)>,
}

impl<'w> Rules<'w> {
    fn of(watch: &'w Watch, start: i64) -> Rules<'w> {
        let of_group = |group: &'w Group| {
            let interval = group.interval.unwrap_or(watch.evaluation_interval);
            let turn = Turn { interval, offset: group.offset() };
            group.rules.iter().map(move |rule| (rule, turn))
        };
        Rules { watch, start, all: watch.rules.groups.iter().flat_map(of_group).collect() }
    }

    fn alerts(&self) -> impl Iterator<Item = (&'w str, Turn)> {
        self.all.iter().filter(|(rule, _)| matches!(rule, Rule::Alert(_))).map(|(rule, it)| (rule.name(), *it))
    }

    /// The rules that an alert is made of: those of its name, and all that write what these read.
    fn behind(&self, alert: &str) -> Vec<(&'w Rule, Turn)> {
        let is_alert = |rule: &Rule| matches!(rule, Rule::Alert(_));
        let mut found: Vec<usize> = Vec::new();
        let named = |(_, (rule, _)): &(usize, &(&Rule, Turn))| is_alert(rule) && rule.name() == alert;
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
    fn inexpressible(&self, alert: &str, turn: Turn) -> Option<String> {
        let (default, interval) = (self.watch.evaluation_interval, turn.interval);
        for (rule, Turn { interval: each, offset }) in self.behind(alert) {
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
            if of.is_empty() && offset != turn.offset {
                return Some("rules of this name are in groups with different `query_offset`".to_owned());
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
    let scraped_each = common(watch, plan);
    let mut names: Vec<(&str, Turn)> = Vec::new();
    for (name, turn) in rules.alerts() {
        if names.iter().any(|(known, _)| *known == name) || left_out.iter().any(|(known, _)| known == name) {
            continue;
        }
        let beyond = turn.offset >= plan.duration.as_milliseconds() as i64;
        let beyond = beyond.then(|| format!("its group asks as far back as the run is long, {}", plan.duration));
        match scraped_each.as_ref().err().cloned().or(beyond).or_else(|| rules.inexpressible(name, turn)) {
            Some(why) => left_out.push((name.to_owned(), why)),
            None => names.push((name, turn)),
        }
    }
    let mut intervals: Vec<Duration> = names.iter().map(|(_, turn)| turn.interval).collect();
    intervals.sort_by_key(|interval| (*interval != watch.evaluation_interval, *interval));
    intervals.dedup();
    let Some(scraped_each) = scraped_each.ok().filter(|_| !intervals.is_empty()) else {
        return Ok(Export { left_out, ..Export::default() });
    };
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
        watch,
        scraped_each,
        scraped: &scraped.lock().unwrap_or_else(PoisonError::into_inner),
        lives: [&new.alerts, &old.alerts],
    };
    let file = |interval: &Duration| {
        let alerts = names.iter().filter(|(_, turn)| turn.interval == *interval).copied().collect();
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
    fn file(&self, plan: &Plan, interval: Duration, alerts: Vec<(&str, Turn)>, rule_files: &[String]) -> TestFile {
        let steps = (plan.duration.as_nanoseconds() / interval.as_nanoseconds().max(1)) as i64;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_head(&mut text, plan, interval, rule_files);
        let rules = self.watch.rules.groups.iter().flat_map(|group| &group.rules);
        let recorded: BTreeSet<&str> = rules.filter(|rule| matches!(rule, Rule::Record(_))).map(Rule::name).collect();
        let _ = write_series(&mut text, self.scraped, &recorded);
        let _ = writeln!(text, "    promql_expr_test:");
        let mut checks = 0;
        for (name, turn) in &alerts {
            let states = States::of(name, &self.lives, steps, interval);
            // The first evaluation that writes after promtool's beginning.
            let first = states.first(turn);
            match states.counts(first) {
                Some(counts) => {
                    checks += 1;
                    let _ = write_whole(&mut text, name, (first, steps), turn, &counts);
                }
                // Promtool evaluates up to the last check only, and this alert's lie before the end.
                None if turn.offset > 0 => _ = write_end(&mut text, instant(steps, interval)),
                None => {}
            }
            for index in states.instants().into_iter().filter(|index| *index >= first) {
                checks += 1;
                let _ = write_check(&mut text, name, turn.written(index), states.firing(index));
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

/// How often an alert fires in the whole run, from its first evaluation to the last of so many: at each that is not looked at
/// by itself too.
fn write_whole(
    out: &mut String,
    name: &str,
    (first, last): (i64, i64),
    turn: &Turn,
    counts: &BTreeMap<&Vec<(String, String)>, usize>,
) -> std::fmt::Result {
    let end = instant(last, turn.interval);
    // Half a step more, for Prometheus 2 and 3 differ in what lies just at the beginning of a range.
    let range = end.since(turn.written(first)).as_milliseconds() + turn.interval.as_milliseconds() / 2;
    let expr = format!("count_over_time({}[{range}ms])", selector(name));
    write_expression(out, name, &expr, end, counts.iter().map(|(labels, count)| ("", *labels, *count)))
}

/// What holds in any case, so that promtool evaluates all up to an instant.
fn write_end(out: &mut String, at: Instant) -> std::fmt::Result {
    let milliseconds = at.since(Instant::START).as_milliseconds();
    writeln!(out, "      - expr: vector(0)\n        eval_time: {milliseconds}ms")?;
    writeln!(out, "        exp_samples:\n          - labels: \"{{}}\"\n            value: 0")
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

impl Turn {
    /// The instant that an evaluation writes at; the start for one that writes before it.
    fn written(&self, index: i64) -> Instant {
        let milliseconds = (self.interval.as_milliseconds() as i64).saturating_mul(index) - self.offset;
        Instant::START + Duration::milliseconds(milliseconds.max(0) as u64)
    }
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

    /// The first evaluation that writes at the start or later; the last when there is none.
    fn first(&self, turn: &Turn) -> i64 {
        let each = turn.interval.as_milliseconds().max(1) as i64;
        (turn.offset.max(0).saturating_add(each - 1) / each).min(self.steps())
    }

    /// By label set: at how many evaluations it fires, from one on. None when the kinds do not agree on all.
    fn counts(&self, from: i64) -> Option<BTreeMap<&Vec<(String, String)>, usize>> {
        if !(from..=self.steps()).all(|index| self.agree(index)) {
            return None;
        }
        let mut counts = BTreeMap::new();
        self.0
            .first()?
            .iter()
            .skip(from.max(0) as usize)
            .flatten()
            .for_each(|labels| *counts.entry(labels).or_default() += 1);
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

#[cfg(test)]
mod tests {
    use super::*;

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
