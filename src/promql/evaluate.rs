//! Evaluation of a tree at an instant.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{AtModifier, Expr, MatrixSelector, Offset, SubqueryExpr, VectorSelector};

use super::data::{Database, Labels, Vector, label, stale, without_name};
use super::{Expression, Semantics, aggregate, binary, functions};

/// What an expression comes to.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// Series with a value each.
    Vector(Vector),
    /// A text.
    Text(String),
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// A range of samples of one series.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) labels: Labels,
    pub(super) samples: Vec<(i64, f64)>,
}

/// A window of time: from (in 2.x including, in 3.x without) and to, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Evaluates expressions over a database that grows.
#[derive(Debug)]
pub struct Evaluator {
    semantics: Semantics,
    lookback: i64,
    /// The step of subqueries that name none, in milliseconds.
    step: i64,
    /// By expression and address of the selector in it.
    selected: RefCell<BTreeMap<(u64, usize), Selected>>,
}

/// What a selector has found so far: how many series were looked at, and the numbers of those it selects.
type Selected = (usize, Vec<u32>);

/// One evaluation.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) evaluator: &'a Evaluator,
    database: &'a Database,
    expression: u64,
    pub(super) now: i64,
    /// The instant of the whole evaluation, for `@ start()` and `@ end()`.
    whole: i64,
}

impl Evaluator {
    /// An evaluator for one database; `step` is the evaluation interval in milliseconds.
    pub fn new(semantics: Semantics, step: i64) -> Evaluator {
        Evaluator { semantics, lookback: 300_000, step, selected: RefCell::default() }
    }

    /// The value of an expression at an instant, in milliseconds since 1970.
    ///
    /// # Errors
    /// What makes it impossible: many-to-many matches, duplicate series, a bad regular expression.
    pub fn evaluate(&self, expression: &Expression, database: &Database, now: i64) -> Result<Value, Failure> {
        At { evaluator: self, database, expression: expression.id, now, whole: now }.value(&expression.tree)
    }

    /// Which Prometheus it follows.
    pub fn semantics(&self) -> Semantics {
        self.semantics
    }
}

/// The metric name a selector fixes.
pub(super) fn fixed_name(selector: &VectorSelector) -> Option<&str> {
    selector.name.as_deref().or_else(|| {
        let equal = |matcher: &&Matcher| matcher.name == "__name__" && matcher.op == MatchOp::Equal;
        selector.matchers.matchers.iter().find(equal).map(|matcher| matcher.value.as_str())
    })
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

impl At<'_> {
    pub(super) fn value(&self, expr: &Expr) -> Result<Value, Failure> {
        match expr {
            Expr::NumberLiteral(it) => Ok(Value::Scalar(it.val)),
            Expr::StringLiteral(it) => Ok(Value::Text(it.val.clone())),
            Expr::Paren(it) => self.value(&it.expr),
            Expr::Unary(it) => Ok(match self.value(&it.expr)? {
                Value::Scalar(value) => Value::Scalar(-value),
                Value::Vector(vector) => {
                    Value::Vector(vector.into_iter().map(|(labels, value)| (without_name(&labels), -value)).collect())
                }
                text => text,
            }),
            Expr::VectorSelector(it) => Ok(Value::Vector(self.select(it))),
            Expr::Aggregate(it) => aggregate::aggregate(self, it).map(Value::Vector),
            Expr::Binary(it) => binary::binary(self, it),
            Expr::Call(it) => functions::call(self, it),
            Expr::MatrixSelector(_) | Expr::Subquery(_) => {
                Err(Failure("a range stands where a value is needed".into()))
            }
            Expr::Extension(_) => Err(Failure("extensions are not implemented".into())),
        }
    }

    pub(super) fn scalar(&self, expr: &Expr) -> Result<f64, Failure> {
        match self.value(expr)? {
            Value::Scalar(value) => Ok(value),
            _ => Err(Failure("a number is needed".into())),
        }
    }

    pub(super) fn vector(&self, expr: &Expr) -> Result<Vector, Failure> {
        match self.value(expr)? {
            Value::Vector(vector) => Ok(vector),
            Value::Scalar(value) => Ok(vec![(Vec::new().into(), value)]),
            Value::Text(_) => Err(Failure("a vector is needed".into())),
        }
    }

    pub(super) fn text(&self, expr: &Expr) -> Result<String, Failure> {
        match self.value(expr)? {
            Value::Text(text) => Ok(text),
            _ => Err(Failure("a text is needed".into())),
        }
    }

    /// The instant a selector looks at.
    fn shifted(&self, at: Option<&AtModifier>, offset: Option<&Offset>) -> i64 {
        let base = match at {
            None => self.now,
            Some(AtModifier::Start | AtModifier::End) => self.whole,
            Some(AtModifier::At(time)) => match time.duration_since(UNIX_EPOCH) {
                Ok(since) => milliseconds(since),
                Err(before) => -milliseconds(before.duration()),
            },
        };
        match offset {
            None => base,
            Some(Offset::Pos(by)) => base.saturating_sub(milliseconds(*by)),
            Some(Offset::Neg(by)) => base.saturating_add(milliseconds(*by)),
        }
    }

    /// The numbers of the series a selector means.
    fn matching(&self, selector: &VectorSelector) -> Vec<u32> {
        let key = (self.expression, std::ptr::from_ref(selector) as usize);
        let mut selected = self.evaluator.selected.borrow_mut();
        let (seen, numbers) = selected.entry(key).or_default();
        let all = self.database.all();
        let fits = |number: &u32| {
            let labels = &all[*number as usize].labels;
            let one = |matcher: &Matcher| matcher.is_match(label(labels, &matcher.name));
            let named = selector.name.as_deref().is_none_or(|name| label(labels, "__name__") == name);
            let any = selector.matchers.or_matchers.is_empty()
                || selector.matchers.or_matchers.iter().any(|all| all.iter().all(one));
            named && selector.matchers.matchers.iter().all(one) && any
        };
        // Series are only ever added: those that were looked at before need no second look.
        match fixed_name(selector) {
            Some(name) => {
                let named = self.database.named(name);
                numbers.extend(named[(*seen).min(named.len())..].iter().copied().filter(fits));
                *seen = named.len();
            }
            None => {
                numbers.extend((*seen as u32..all.len() as u32).filter(fits));
                *seen = all.len();
            }
        }
        numbers.clone()
    }

    fn select(&self, selector: &VectorSelector) -> Vector {
        let at = self.shifted(selector.at.as_ref(), selector.offset.as_ref());
        let oldest = at - self.evaluator.lookback;
        let mut vector = Vec::new();
        for number in self.matching(selector) {
            let series = &self.database.all()[number as usize];
            let end = series.samples.partition_point(|(time, _)| *time <= at);
            let Some((time, value)) = end.checked_sub(1).map(|last| series.samples[last]) else { continue };
            let fresh = if self.evaluator.semantics.left_open() { time > oldest } else { time >= oldest };
            if fresh && !stale(value) {
                vector.push((series.labels.clone(), value));
            }
        }
        vector
    }

    /// The instant of the sample a selector finds for each series, for `timestamp`.
    pub(super) fn select_times(&self, selector: &VectorSelector) -> Vector {
        let at = self.shifted(selector.at.as_ref(), selector.offset.as_ref());
        let found = self.select(selector);
        let times = |labels: &Labels| {
            let number =
                self.matching(selector).into_iter().find(|it| self.database.all()[*it as usize].labels == *labels)?;
            let samples = &self.database.all()[number as usize].samples;
            let end = samples.partition_point(|(time, _)| *time <= at);
            end.checked_sub(1).map(|last| samples[last].0 as f64 / 1000.0)
        };
        found.into_iter().filter_map(|(labels, _)| Some((labels.clone(), times(&labels)?))).collect()
    }

    /// The samples of a range, and its window.
    pub(super) fn range(&self, expr: &Expr) -> Result<(Vec<Range>, Window), Failure> {
        match expr {
            Expr::Paren(it) => self.range(&it.expr),
            Expr::MatrixSelector(it) => Ok(self.matrix(it)),
            Expr::Subquery(it) => self.subquery(it),
            _ => Err(Failure("a range is needed".into())),
        }
    }

    fn matrix(&self, matrix: &MatrixSelector) -> (Vec<Range>, Window) {
        let to = self.shifted(matrix.vs.at.as_ref(), matrix.vs.offset.as_ref());
        let window = Window { from: to - milliseconds(matrix.range), to };
        let mut ranges = Vec::new();
        for number in self.matching(&matrix.vs) {
            let series = &self.database.all()[number as usize];
            let begin = match self.evaluator.semantics.left_open() {
                true => series.samples.partition_point(|(time, _)| *time <= window.from),
                false => series.samples.partition_point(|(time, _)| *time < window.from),
            };
            let end = series.samples.partition_point(|(time, _)| *time <= window.to).max(begin);
            let samples: Vec<(i64, f64)> =
                series.samples[begin..end].iter().copied().filter(|(_, value)| !stale(*value)).collect();
            if !samples.is_empty() {
                ranges.push(Range { labels: series.labels.clone(), samples });
            }
        }
        (ranges, window)
    }

    fn subquery(&self, query: &SubqueryExpr) -> Result<(Vec<Range>, Window), Failure> {
        let to = self.shifted(query.at.as_ref(), query.offset.as_ref());
        let window = Window { from: to - milliseconds(query.range), to };
        let step = query.step.map_or(self.evaluator.step, milliseconds).max(1);
        // Steps lie on multiples of the step, wherever the evaluation is.
        let mut at = window.from.div_euclid(step) * step;
        while at < window.from || (self.evaluator.semantics.left_open() && at == window.from) {
            at += step;
        }
        let mut ranges: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
        let mut order: Vec<Labels> = Vec::new();
        while at <= window.to {
            let inner = At { now: at, ..*self };
            for (labels, value) in inner.vector(&query.expr)? {
                let samples = ranges.entry(labels.clone()).or_insert_with(|| {
                    order.push(labels);
                    Vec::new()
                });
                samples.push((at, value));
            }
            at += step;
        }
        let ranges = order.into_iter().filter_map(|labels| {
            let samples = ranges.remove(&labels)?;
            Some(Range { labels, samples })
        });
        Ok((ranges.collect(), window))
    }

    /// The instant of this evaluation, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.now as f64 / 1000.0
    }
}

/// A date, for functions of the calendar.
pub(super) fn system_time(seconds: f64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}
