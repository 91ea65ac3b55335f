//! Grafana-managed alert rules, from provisioning files: query and expression nodes, and Grafana's own states.
//!
//! Source: Grafana's documentation of provisioning, of expressions and of states of alert instances, and its source code
//! (`pkg/services/provisioning`, `pkg/services/ngalert`, `pkg/expr`). Nothing here was compared with a running Grafana.

mod duration;
mod math;
mod model;
mod nodes;
mod outside;
mod read;
mod round;
mod state;

use std::sync::Arc;

pub use duration::of_model as grafana_interval;
pub(super) use nodes::{Outcome, numbers_of};
pub use outside::{Environment, GrafanaVersion, Outside, data_sources, provisions};
pub(super) use read::document_groups;
pub(crate) use round::round_step;
pub(super) use state::{States, Turn};

use crate::gotemplate::prometheus::Template;
use crate::promql::Expression;
use crate::time::Duration;
use math::Formula;

/// A group of rules of one folder.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its folder, a label of its alerts.
    pub folder: String,
    /// How often its rules are evaluated.
    pub interval: Duration,
    /// Its rules.
    pub rules: Vec<Arc<GrafanaRule>>,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct GrafanaRule {
    /// Its `uid`, which no other rule has.
    pub uid: String,
    /// Its title, the name of its alerts.
    pub title: String,
    /// The Grafana that evaluates it.
    pub grafana: GrafanaVersion,
    /// The node whose values say whether it alerts.
    pub condition: String,
    /// Its nodes, each after those it reads.
    pub nodes: Vec<Node>,
    /// `for`.
    pub hold: Duration,
    /// `keepFiringFor`.
    pub keep_firing: Duration,
    /// `noDataState`.
    pub no_data: OnTrouble,
    /// `execErrState`.
    pub error: OnTrouble,
    /// After so many evaluations without a series its alert is resolved.
    pub missing_evaluations: u32,
    /// `isPaused`.
    pub paused: bool,
    /// Labels it gets.
    pub labels: Vec<(String, Template)>,
    /// For people.
    pub annotations: Vec<(String, Template)>,
}

/// What becomes of a rule that finds no data, or cannot be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTrouble {
    /// An alert of its own tells of it: `DatasourceNoData` or `DatasourceError`.
    Tell,
    /// As if the condition held.
    Alerting,
    /// As if it did not.
    Ok,
    /// Everything stays as it was.
    KeepLast,
}

/// A node of a rule.
#[derive(Clone, Debug)]
pub struct Node {
    /// `refId`.
    pub name: String,
    /// The data source, a label of alerts that tell of trouble.
    pub source: String,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Asks Prometheus at one instant, `to` before the evaluation.
    Instant(Expression, Duration),
    /// Asks it over a range of time.
    Range {
        /// What is asked.
        expression: Expression,
        /// How long before the evaluation it begins.
        from: Duration,
        /// How long before it ends.
        to: Duration,
        /// From one value to the next.
        step: Duration,
    },
    /// Makes a number of each series.
    Reduce(String, Reducer, NonNumbers),
    /// A formula over other nodes.
    Math(Formula),
    /// 1 where a number is beyond a threshold; with another one for what alerts already.
    Threshold(String, Evaluator, Option<Evaluator>),
    /// Conditions of the old kind: one number of all series.
    Classic(Vec<Condition>),
}

/// How a series becomes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reducer {
    /// The last value.
    Last,
    /// The mean.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The sum.
    Sum,
    /// How many values.
    Count,
    /// The middle one.
    Median,
    /// How many are numbers (classic conditions).
    CountNonNull,
    /// The newest minus the oldest (classic conditions).
    Diff,
    /// The same without its sign.
    DiffAbs,
    /// The newest minus the oldest, in percent of the oldest without its sign.
    PercentDiff,
    /// The same without its sign.
    PercentDiffAbs,
}

impl Reducer {
    /// What an expression of type `reduce` knows: `GetReduceFunc` in `pkg/expr/mathexp/reduce.go`.
    const OF_EXPRESSIONS: &'static [(&'static str, Reducer)] = &[
        ("last", Reducer::Last),
        ("mean", Reducer::Mean),
        ("min", Reducer::Min),
        ("max", Reducer::Max),
        ("sum", Reducer::Sum),
        ("count", Reducer::Count),
        ("median", Reducer::Median),
    ];
    /// What classic conditions know: `pkg/expr/classic/reduce.go`.
    const OF_CONDITIONS: &'static [(&'static str, Reducer)] = &[
        ("last", Reducer::Last),
        ("avg", Reducer::Mean),
        ("min", Reducer::Min),
        ("max", Reducer::Max),
        ("sum", Reducer::Sum),
        ("count", Reducer::Count),
        ("median", Reducer::Median),
        ("count_non_null", Reducer::CountNonNull),
        ("diff", Reducer::Diff),
        ("diff_abs", Reducer::DiffAbs),
        ("percent_diff", Reducer::PercentDiff),
        ("percent_diff_abs", Reducer::PercentDiffAbs),
    ];
}

/// What `reduce` does with values that are no numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NonNumbers {
    /// One of them makes the result NaN.
    Strict,
    /// They are left out.
    Drop,
    /// They are replaced.
    Replace(f64),
}

/// A comparison with fixed numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evaluator {
    /// Greater.
    Gt(f64),
    /// Less.
    Lt(f64),
    /// Equal.
    Eq(f64),
    /// Not equal.
    Ne(f64),
    /// Greater or equal.
    Gte(f64),
    /// Less or equal.
    Lte(f64),
    /// Between, without the ends.
    Within(f64, f64),
    /// Outside, without the ends.
    Outside(f64, f64),
    /// Between, with the ends.
    WithinIncluded(f64, f64),
    /// Outside, with the ends.
    OutsideIncluded(f64, f64),
    /// There is no value (classic conditions).
    NoValue,
}

/// One of the conditions of the old kind.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The node it reads.
    pub query: String,
    /// How each series becomes a number.
    pub reducer: Reducer,
    /// What that is compared with.
    pub evaluator: Evaluator,
    /// Combined with those before by `or`; else by `and`.
    pub or: bool,
}

impl std::fmt::Display for Evaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Evaluator::Gt(it) => write!(f, "> {it}"),
            Evaluator::Lt(it) => write!(f, "< {it}"),
            Evaluator::Eq(it) => write!(f, "== {it}"),
            Evaluator::Ne(it) => write!(f, "!= {it}"),
            Evaluator::Gte(it) => write!(f, ">= {it}"),
            Evaluator::Lte(it) => write!(f, "<= {it}"),
            Evaluator::Within(a, b) => write!(f, "between {a} and {b}"),
            Evaluator::Outside(a, b) => write!(f, "outside {a} to {b}"),
            Evaluator::WithinIncluded(a, b) => write!(f, "from {a} to {b}"),
            Evaluator::OutsideIncluded(a, b) => write!(f, "not between {a} and {b}"),
            Evaluator::NoValue => f.write_str("without a value"),
        }
    }
}

impl std::fmt::Display for Reducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut known = Reducer::OF_EXPRESSIONS.iter().chain(Reducer::OF_CONDITIONS);
        f.write_str(known.find(|(_, reducer)| reducer == self).map_or("", |(name, _)| name))
    }
}

impl Evaluator {
    /// Whether a number fits.
    pub fn holds(&self, value: f64) -> bool {
        let (least, most) = match *self {
            Evaluator::Gt(it) => return value > it,
            Evaluator::Lt(it) => return value < it,
            Evaluator::Eq(it) => return value == it,
            Evaluator::Ne(it) => return value != it,
            Evaluator::Gte(it) => return value >= it,
            Evaluator::Lte(it) => return value <= it,
            Evaluator::NoValue => return false,
            Evaluator::Within(a, b)
            | Evaluator::Outside(a, b)
            | Evaluator::WithinIncluded(a, b)
            | Evaluator::OutsideIncluded(a, b) => (f64::min(a, b), f64::max(a, b)),
        };
        match self {
            Evaluator::Within(..) => value > least && value < most,
            Evaluator::WithinIncluded(..) => value >= least && value <= most,
            Evaluator::Outside(..) => value < least || value > most,
            _ => value <= least || value >= most,
        }
    }
}

impl GrafanaRule {
    /// The expressions it asks Prometheus for.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Instant(expression, _) | NodeKind::Range { expression, .. } => Some(expression),
            _ => None,
        })
    }
}
