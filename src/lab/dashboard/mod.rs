//! Dashboards over a run: which panels have data, which expressions fail or stay empty, and why.

mod choose;
mod html;
mod names;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::parallel::RunFailed;
use crate::dashboard::{Chosen, Dashboard, Filled, Panel, Query, Span, fill, limits};
use crate::promql::{Expression, Grid, Row};
use crate::random::Seed;
use crate::report::junit;
use crate::run::{Ended, Watch, ended};
use crate::scenario::Plan;
use crate::time::{Calendar, Duration};

pub use html::dashboards_html;
use names::asked_names;

/// What of a dashboard has data over a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DashboardReport {
    /// The dashboard's title.
    pub dashboard: String,
    /// Its file.
    pub file: String,
    /// The scenario's name.
    pub scenario: String,
    /// The version of Kestra.
    pub kestra: String,
    /// The seed of the run.
    pub seed: u64,
    /// How long the run lasts, in seconds.
    pub duration: f64,
    /// Its variables, and what was chosen of them.
    pub variables: Vec<VariableReport>,
    /// Its panels.
    pub panels: Vec<PanelReport>,
}

/// A variable, and what was chosen of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariableReport {
    /// Its name.
    pub name: String,
    /// The values that stand in expressions.
    pub values: Vec<String>,
    /// Why it has none, or not those that are stored in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
}

/// How a panel or one of its queries stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// Nothing was asked that can be judged here.
    Unjudged,
    /// There is data.
    Data,
    /// Of the queries some have data and some stay empty.
    Partly,
    /// There is nothing at any instant.
    Empty,
    /// It cannot be evaluated.
    Fails,
}

impl Shown {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Shown::Unjudged => "not judged",
            Shown::Data => "data",
            Shown::Partly => "partly",
            Shown::Empty => "empty",
            Shown::Fails => "fails",
        }
    }
}

/// A panel over a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PanelReport {
    /// Its title, with variables filled in.
    pub title: String,
    /// The row it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Its kind, such as `timeseries`.
    pub kind: String,
    /// Its unit, such as `percentunit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How it stands.
    pub shown: Shown,
    /// Why it is not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Its queries; those that are switched off and those that ask somebody else are not among them.
    pub queries: Vec<QueryReport>,
}

/// A query over a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryReport {
    /// What the panel calls it.
    pub name: String,
    /// The line of the file that it stands on.
    pub line: usize,
    /// The expression, with variables filled in.
    pub expr: String,
    /// The step between its instants, in seconds.
    pub step: f64,
    /// How it stands.
    pub shown: Shown,
    /// Why it fails or is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// How many series it has.
    pub series: usize,
    /// From when on there is data, in seconds since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
    /// The share of instants with data.
    pub share: f64,
    /// The series, for drawings.
    #[serde(skip)]
    drawn: Vec<Row>,
    #[serde(skip)]
    grid: Grid,
}

/// Which dashboards are judged, and how.
#[derive(Clone, Debug, Default)]
pub struct DashboardRuns {
    /// The dashboards, each with the name of its file.
    pub dashboards: Vec<(String, Dashboard)>,
    /// What is chosen of variables, instead of what is stored.
    pub chosen: BTreeMap<String, Vec<String>>,
    /// How often the data source says that it is scraped; the run's own scrape interval when there is none.
    pub scrape: Option<Duration>,
}

/// Series that a drawing has.
const DRAWN: usize = 12;
/// Samples that are kept of one run: of a dashboard that asks for names that are not known before the run.
const SAMPLES: u64 = 150_000_000;
/// Series of a member, about, when all are kept.
const SERIES: u64 = 1_500;

/// Runs a plan and judges dashboards over all of it, from its start to its end.
///
/// # Errors
/// A limit of the simulation was reached, or a run would keep too many samples.
pub fn judge_dashboards(
    plan: &Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    watch: &Watch,
    runs: &DashboardRuns,
) -> Result<Vec<DashboardReport>, RunFailed> {
    let failed = |why: String| RunFailed { scenario: plan.name.clone(), seed: seed.0, why };
    let intervals = watch.scrape_intervals(plan);
    let scrape = intervals.iter().min().copied().unwrap_or(Duration::seconds(15));
    let names = asked_names(runs.dashboards.iter().map(|(_, dashboard)| dashboard));
    if names.is_none() {
        let turns = plan.duration.as_milliseconds() / scrape.as_milliseconds().max(1);
        let samples = turns.saturating_mul(SERIES).saturating_mul(intervals.len() as u64);
        if samples > SAMPLES {
            return Err(failed(format!(
                "a dashboard asks for series whose names its variables give, and of {} all samples cannot be kept; take a \
                 shorter scenario or a longer --scrape-interval",
                plan.duration
            )));
        }
    }
    let all = || Expression::parse("{__name__!=\"\"}").into_iter().collect();
    let also: Vec<Expression> = names.unwrap_or_else(all);
    let watch = Watch { also, ..watch.clone() };
    let ended = ended(plan, seed, calendar, &watch).map_err(|limit| failed(limit.to_string()))?;
    let Some(ended) = ended else { return Ok(Vec::new()) };
    let span = Span { from: ended.start(), to: ended.end(), scrape: runs.scrape.unwrap_or(scrape) };
    Ok(runs
        .dashboards
        .iter()
        .map(|(file, dashboard)| {
            let judge = Judge { ended: &ended, watch: &watch, span };
            let (variables, chosen) = judge.variables(dashboard, &runs.chosen);
            DashboardReport {
                dashboard: dashboard.title.clone(),
                file: file.clone(),
                scenario: plan.name.clone(),
                kestra: plan.kestra.name().to_owned(),
                seed: seed.0,
                duration: plan.duration.as_seconds_f64(),
                variables,
                panels: dashboard.panels.iter().map(|panel| judge.panel(panel, &chosen)).collect(),
            }
        })
        .collect())
}

struct Judge<'a> {
    ended: &'a Ended,
    watch: &'a Watch,
    span: Span,
}

/// What is chosen of each variable.
type Choice = BTreeMap<String, Chosen>;

fn one(value: impl Into<String>) -> Chosen {
    Chosen { values: vec![value.into()], several: false, all: None }
}

/// What stands for the variables of one query.
struct Scope<'a> {
    chosen: &'a Choice,
    /// The variable by which its panel is repeated, and its value in this copy.
    copy: Option<(&'a str, Chosen)>,
    /// What Grafana itself gives: the time that is shown, and the step.
    built_in: BTreeMap<&'static str, Chosen>,
}

impl Scope<'_> {
    fn get(&self, name: &str) -> Option<&Chosen> {
        let copy = self.copy.as_ref().filter(|(of, _)| *of == name).map(|(_, value)| value);
        self.built_in.get(name).or(copy).or_else(|| self.chosen.get(name))
    }

    fn fill(&self, text: &str) -> Result<Filled, String> {
        fill(text, &|name| self.get(name))
    }
}

impl Judge<'_> {
    fn scope<'c>(&self, chosen: &'c Choice, step: Duration, shortest: Option<Duration>) -> Scope<'c> {
        let Span { from, to, .. } = self.span;
        let (range, rate) = (self.span.length().as_milliseconds(), self.span.rate_interval(step, shortest));
        let built_in = [
            ("__interval", step.to_prometheus()),
            ("__interval_ms", step.as_milliseconds().to_string()),
            ("__rate_interval", rate.to_prometheus()),
            ("__rate_interval_ms", rate.as_milliseconds().to_string()),
            ("__range", format!("{}s", (range + 500) / 1_000)),
            ("__range_s", ((range + 500) / 1_000).to_string()),
            ("__range_ms", range.to_string()),
            ("__from", from.to_string()),
            ("__to", to.to_string()),
        ];
        Scope { chosen, copy: None, built_in: built_in.map(|(name, value)| (name, one(value))).into() }
    }

    /// The scope of a whole dashboard.
    fn wide<'c>(&self, chosen: &'c Choice) -> Scope<'c> {
        self.scope(chosen, self.span.step(None, None), None)
    }

    fn panel(&self, panel: &Panel, chosen: &Choice) -> PanelReport {
        let asked = || panel.queries.iter().filter(|query| !query.hidden && query.other.is_none());
        let repeated = panel.repeat.as_ref().and_then(|name| chosen.get_key_value(name));
        let queries: Vec<QueryReport> = match (&panel.unjudged, repeated) {
            (Some(_), _) => Vec::new(),
            (None, None) => asked().map(|query| self.query(panel, query, chosen, None)).collect(),
            // It has a copy for each value.
            (None, Some((name, of))) => {
                let copies = of.values.iter().take(limits::REPEATS);
                let copy = |value: &String| Some((name.as_str(), one(value)));
                copies.flat_map(|value| asked().map(move |it| self.query(panel, it, chosen, copy(value)))).collect()
            }
        };
        let shown = match (queries.iter().map(|it| it.shown).max(), queries.iter().any(|it| it.shown == Shown::Data)) {
            (Some(Shown::Empty), true) => Shown::Partly,
            (Some(worst), _) => worst,
            (None, _) => Shown::Unjudged,
        };
        let other = panel.queries.iter().find_map(|query| query.other.as_ref());
        let told = match (&panel.unjudged, shown, other) {
            (Some(why), ..) => Some(why.clone()),
            (None, Shown::Unjudged, _) => Some("its variable has no value".to_owned()),
            (None, _, other) => other.map(|other| format!("it also asks {other}")),
        };
        PanelReport {
            title: self.wide(chosen).fill(&panel.title).map_or_else(|_| panel.title.clone(), |filled| filled.text),
            row: panel.row.clone(),
            kind: panel.kind.clone(),
            unit: panel.unit.clone(),
            shown,
            told,
            queries,
        }
    }

    fn query(&self, panel: &Panel, query: &Query, chosen: &Choice, copy: Option<(&str, Chosen)>) -> QueryReport {
        let shortest = query.interval.or(panel.interval);
        let step = self.span.step(panel.points, shortest);
        let grid = self.ended.grid(step);
        let mut report = QueryReport {
            name: query.name.clone(),
            line: query.place.line_and_column().0,
            expr: query.text.clone(),
            step: step.as_seconds_f64(),
            shown: Shown::Fails,
            told: None,
            series: 0,
            first: None,
            share: 0.0,
            drawn: Vec::new(),
            grid,
        };
        let scope = Scope { copy, ..self.scope(chosen, step, shortest) };
        match self.asked(&query.text, &scope) {
            Err((text, why)) => {
                report.expr = text.unwrap_or(report.expr);
                report.told = Some(why);
            }
            Ok(expression) => {
                report.expr = expression.text().to_owned();
                self.answered(&expression, grid, &mut report);
                let unknown = scope.fill(&query.text).ok().and_then(|filled| filled.unknown.into_iter().next());
                if let (Shown::Empty, Some(name), Some(told)) = (report.shown, unknown, &mut report.told) {
                    *told += &format!("; the dashboard has no variable `{name}`");
                }
            }
        }
        report
    }

    /// An expression with its variables filled in, or as far as that went and what is wrong with it.
    fn asked(&self, text: &str, scope: &Scope<'_>) -> Result<Expression, (Option<String>, String)> {
        let filled = scope.fill(text).map_err(|why| (None, why))?;
        let unknown = match filled.unknown.as_slice() {
            [] => String::new(),
            [name, ..] => format!("; the dashboard has no variable `{name}`"),
        };
        let expression = Expression::parse(&filled.text)
            .map_err(|error| (Some(filled.text.clone()), format!("it cannot be read: {error}{unknown}")))?;
        let newer = expression.newer().into_iter().find(|newer| self.watch.semantics < newer.since);
        match newer {
            Some(newer) => Err((Some(filled.text), format!("{} refuses {}", newer.refused_by, newer.what))),
            None => Ok(expression),
        }
    }

    fn answered(&self, expression: &Expression, grid: Grid, report: &mut QueryReport) {
        let rows = match self.ended.rows(expression, grid) {
            Ok(rows) => rows,
            Err(why) => {
                report.told = Some(format!("it cannot be evaluated: {why}"));
                return;
            }
        };
        // What is no number is not drawn.
        let number = |row: &Row, index: usize| row.at(index).is_some_and(|value| !value.is_nan());
        let seen: Vec<usize> = (0..grid.count).filter(|index| rows.iter().any(|row| number(row, *index))).collect();
        report.series = rows.len();
        let Some(first) = seen.first() else {
            report.shown = Shown::Empty;
            report.told = Some(match rows.len() {
                0 => self.ended.why_nothing(expression, grid),
                _ => "it never is a number: NaN, as of nothing divided by nothing, is not drawn".to_owned(),
            });
            return;
        };
        report.shown = Shown::Data;
        report.first = Some((grid.time(*first) - self.ended.start()) as f64 / 1e3);
        report.share = seen.len() as f64 / grid.count.max(1) as f64;
        report.drawn = rows.into_iter().take(DRAWN).collect();
    }
}

impl DashboardReport {
    /// How many panels stand like this.
    pub fn count(&self, shown: Shown) -> usize {
        self.panels.iter().filter(|panel| panel.shown == shown).count()
    }

    /// Whether a panel is empty, or an expression fails.
    pub fn found(&self) -> bool {
        self.count(Shown::Empty) + self.count(Shown::Fails) > 0
    }
}

/// Reports as JUnit's XML: a suite a dashboard and run, a case a panel. With `strict` one that is empty in part fails too.
pub fn dashboards_junit(reports: &[DashboardReport], strict: bool) -> String {
    let mut out = junit::HEAD.to_owned();
    for report in reports {
        let seen: Vec<String> = report.panels.iter().map(PanelReport::told_in_short).collect();
        let case = |(panel, seen): (&'_ PanelReport, &String)| {
            let met = match panel.shown {
                Shown::Data => Some(true),
                Shown::Partly => Some(!strict),
                Shown::Unjudged => None,
                Shown::Empty | Shown::Fails => Some(false),
            };
            (panel.title.clone(), met, seen.clone())
        };
        let cases: Vec<(String, Option<bool>, String)> = report.panels.iter().zip(&seen).map(case).collect();
        let cases: Vec<junit::Case<'_>> =
            cases.iter().map(|(name, met, seen)| junit::Case { name, met: *met, seen: seen.clone() }).collect();
        let name = format!("{} {}", report.dashboard, report.scenario);
        out += &junit::suite(&name, Duration::from_seconds_f64(report.duration), &cases);
    }
    out + junit::TAIL
}
