//! Evaluation of a tree over a grid of instants; one instant alone is a grid of one.
//!
//! Every instant is evaluated as if it were alone, as a rule's is: nothing crosses from one to the next but work that is
//! saved (a selector looks for its series once, a window slides over its samples).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::data::{Database, Grid, Labels, NO_SAMPLE, Row, Vector, stale, without_name};
use super::memo::Memo;
use super::syntax::{Anchor, Expr, Extended, Kind, RangeSelector, Selector, Shift, Subquery};
use super::{Expression, Semantics, aggregate, binary, extended, functions};

/// What an expression comes to at an instant.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// Series with a value each.
    Vector(Vector),
    /// A text.
    Text(String),
}

/// What an expression comes to over a grid.
#[derive(Clone, Debug)]
pub enum Table {
    /// A number an instant.
    Scalar(Vec<f64>),
    /// Series, with a value at some instants each.
    Rows(Vec<Row>),
    /// A text.
    Text(String),
}

impl Table {
    /// Its series; a number is one without labels, a text is none.
    pub fn into_rows(self) -> Vec<Row> {
        match self {
            Table::Rows(rows) => rows,
            Table::Scalar(values) => vec![Row { labels: Vec::new().into(), values }],
            Table::Text(_) => Vec::new(),
        }
    }
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// A map that keeps the order of insertion.
pub(super) type Grouped<T> = IndexMap<Labels, T, FxBuildHasher>;

/// The samples of one series, without staleness markers.
pub(super) type Samples<'a> = Cow<'a, [(i64, f64)]>;

/// Series, and of each instant the window that is looked at.
pub(super) struct Ranges<'a> {
    pub(super) series: Vec<(Labels, Samples<'a>)>,
    pub(super) windows: Vec<Window>,
}

/// A window of time: from (in 2.x including, in 3.x without) and to, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Evaluates expressions over a database that grows.
#[derive(Clone, Debug)]
pub struct Evaluator {
    semantics: Semantics,
    /// The step of subqueries that name none, in milliseconds.
    step: i64,
    /// By expression and place of the selector in it.
    selected: RefCell<BTreeMap<(u64, usize), Selected>>,
    /// Expressions that had an answer only because a comparison left one of several series that match.
    leaning: RefCell<BTreeSet<u64>>,
    memo: RefCell<Memo>,
}

/// An instant selector takes the newest sample of this time, in milliseconds.
pub(super) const LOOKBACK: i64 = 300_000;

/// Values that one table may hold; Prometheus has the same limit for the samples of a query.
const MAX_VALUES: usize = 50_000_000;

/// Steps in all windows of a subquery together: one inside another multiplies them.
const MAX_LOOKS: u64 = 20_000_000_000;

/// What a selector has found so far: how many series were looked at, and the numbers of those it selects.
type Selected = (usize, Vec<u32>);

/// One evaluation.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) evaluator: &'a Evaluator,
    database: &'a Database,
    expression: &'a Expression,
    /// Whether what parts come to is kept for others.
    shares: bool,
    pub(super) grid: Grid,
    /// The grid of the whole evaluation, for `@ start()` and `@ end()`.
    whole: Grid,
    /// When it is asked: later samples are not there yet. A negative offset, or an `@`, would see them.
    asked: i64,
}

impl Evaluator {
    /// An evaluator for one database; `step` is the evaluation interval in milliseconds.
    pub fn new(semantics: Semantics, step: i64) -> Evaluator {
        Evaluator {
            semantics,
            step,
            selected: RefCell::default(),
            leaning: RefCell::default(),
            memo: RefCell::default(),
        }
    }

    /// The value of an expression at an instant, in milliseconds since 1970, asked when all samples are there.
    ///
    /// # Errors
    /// What makes it impossible: many-to-many matches, duplicate series, a bad regular expression.
    #[cfg(feature = "internals")]
    pub fn evaluate(&self, expression: &Expression, database: &Database, at: i64) -> Result<Value, Failure> {
        self.asked(expression, database, at, i64::MAX)
    }

    /// The value of an expression at an instant, asked at another one (that of a rule's evaluation): both in milliseconds
    /// since 1970.
    ///
    /// # Errors
    /// As [`Evaluator::over_asked`].
    pub fn asked(&self, expression: &Expression, database: &Database, at: i64, asked: i64) -> Result<Value, Failure> {
        Ok(match self.over_asked(expression, database, Grid::instant(at), asked)? {
            Table::Scalar(values) => Value::Scalar(values.first().copied().unwrap_or(f64::NAN)),
            Table::Rows(rows) => {
                Value::Vector(rows.into_iter().filter_map(|row| Some((row.labels.clone(), row.at(0)?))).collect())
            }
            Table::Text(text) => Value::Text(text),
        })
    }

    /// The values of an expression at every instant of a grid: at each one the same as [`Evaluator::evaluate`] gives, but
    /// that `@ start()` and `@ end()` mean the first and the last.
    ///
    /// # Errors
    /// What makes it impossible at one of the instants.
    #[cfg(feature = "internals")]
    pub fn over(&self, expression: &Expression, database: &Database, grid: Grid) -> Result<Table, Failure> {
        self.over_asked(expression, database, grid, i64::MAX)
    }

    /// The values of an expression at every instant of a grid, asked at an instant, in milliseconds since 1970: what comes later
    /// is not there yet. `@ start()` and `@ end()` mean the first and the last of the grid.
    ///
    /// # Errors
    /// What makes it impossible at one of the instants.
    pub fn over_asked(
        &self,
        expression: &Expression,
        database: &Database,
        grid: Grid,
        asked: i64,
    ) -> Result<Table, Failure> {
        self.may_be_asked(expression)?;
        let at = At { evaluator: self, database, expression, shares: false, grid, whole: grid, asked };
        at.value(&expression.tree)
    }

    /// The values of one of several expressions over one grid, asked when all samples are there: parts that another one had
    /// are not reckoned again, until somebody says that samples [came](Evaluator::forget).
    ///
    /// # Errors
    /// As [`Evaluator::over_asked`].
    pub fn shared(&self, expression: &Expression, database: &Database, grid: Grid) -> Result<Table, Failure> {
        self.may_be_asked(expression)?;
        let shares = grid.count > 1;
        let at = At { evaluator: self, database, expression, shares, grid, whole: grid, asked: i64::MAX };
        at.value(&expression.tree)
    }

    /// What makes an expression fail before anything else is looked at, as in Prometheus.
    fn may_be_asked(&self, expression: &Expression) -> Result<(), Failure> {
        if let Some((_, by, what)) = expression.newest.filter(|(since, ..)| self.semantics < *since) {
            return Err(Failure(format!("{by} refuses {what}")));
        }
        expression.lengths.impossible.clone().map_or(Ok(()), |why| Err(Failure(why)))
    }

    /// Samples came or went since parts of expressions were reckoned.
    pub fn forget(&self) {
        self.memo.borrow_mut().forget();
    }

    /// The values of an expression at every instant of a grid, each asked at this instant.
    ///
    /// # Errors
    /// What makes it impossible at one of the instants.
    pub fn as_it_went(&self, expression: &Expression, database: &Database, grid: Grid) -> Result<Table, Failure> {
        if expression.reach(self.step).is_some() {
            return self.shared(expression, database, grid);
        }
        let (mut scalars, mut rows) = (Vec::new(), Grouped::<Vec<f64>>::default());
        for (index, at) in grid.times().enumerate() {
            match self.asked(expression, database, at, at)? {
                Value::Text(text) => return Ok(Table::Text(text)),
                Value::Scalar(value) => scalars.push(value),
                Value::Vector(vector) => {
                    for (labels, value) in vector {
                        rows.entry(labels).or_insert_with(|| vec![NO_SAMPLE; grid.count])[index] = value;
                    }
                }
            }
        }
        if scalars.len() == grid.count && grid.count > 0 {
            return Ok(Table::Scalar(scalars));
        }
        Ok(Table::Rows(rows.into_iter().map(|(labels, values)| Row { labels, values }).collect()))
    }

    /// Whether an expression ever had an answer only because a comparison left one of several series that match one: it
    /// fails as soon as it leaves two, and since Prometheus 3.9 it fails always.
    pub fn leans_on_filter(&self, expression: &Expression) -> bool {
        self.leaning.borrow().contains(&expression.id)
    }

    /// Which Prometheus it follows.
    pub fn semantics(&self) -> Semantics {
        self.semantics
    }
}

/// Rows of the same labels become one. Two of them with a value at the same instant cannot stand in one vector.
pub(super) fn unique(rows: Vec<Row>, why: &str) -> Result<Vec<Row>, Failure> {
    let mut merged: Grouped<Vec<f64>> = Grouped::with_capacity_and_hasher(rows.len(), FxBuildHasher);
    for Row { labels, values } in rows {
        match merged.entry(labels) {
            indexmap::map::Entry::Vacant(entry) => {
                entry.insert(values);
            }
            indexmap::map::Entry::Occupied(mut entry) => {
                for (kept, value) in entry.get_mut().iter_mut().zip(values) {
                    if !stale(value) {
                        if !stale(*kept) {
                            return Err(Failure(why.to_owned()));
                        }
                        *kept = value;
                    }
                }
            }
        }
    }
    Ok(merged.into_iter().map(|(labels, values)| Row { labels, values }).collect())
}

/// Why [`unique`] fails, for functions.
pub(super) const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

impl<'a> At<'a> {
    pub(super) fn value(&self, expr: &Expr) -> Result<Table, Failure> {
        match &expr.kind {
            Kind::Number(number) => Ok(Table::Scalar(vec![*number; self.grid.count])),
            Kind::Text(text) => Ok(Table::Text(text.clone())),
            Kind::Paren(it) => self.value(it),
            Kind::Unary(it) if !it.minus => self.value(&it.expr),
            Kind::Unary(it) => match self.value(&it.expr)? {
                Table::Scalar(values) => Ok(Table::Scalar(values.into_iter().map(|value| -value).collect())),
                Table::Rows(rows) => self.mapped(rows, |_, value| -value).map(Table::Rows),
                text => Ok(text),
            },
            Kind::Selector(it) if it.extension() == Some(Extended::Smoothed) => {
                extended::smoothed(self, it).map(Table::Rows)
            }
            Kind::Selector(it) => self.select(it, |(_, value)| value).map(Table::Rows),
            Kind::Aggregate(it) => self.once(expr, || aggregate::aggregate(self, it).map(Table::Rows)),
            Kind::Binary(it) => binary::binary(self, it),
            Kind::Call(it) => self.once(expr, || functions::call(self, it)),
            Kind::Range(_) | Kind::Subquery(_) => Err(Failure("a range stands where a value is needed".into())),
        }
    }

    /// Notes that there is an answer only because of what a comparison left out.
    pub(super) fn leans_on_filter(&self) {
        self.evaluator.leaning.borrow_mut().insert(self.expression.id);
    }

    /// What a part comes to, reckoned by the first expression that has it.
    fn once(&self, expr: &Expr, reckon: impl FnOnce() -> Result<Table, Failure>) -> Result<Table, Failure> {
        // In a subquery `@ start()` means another instant than the words say.
        let text = self.expression.text.get(expr.span.clone()).filter(|_| self.shares && self.grid == self.whole);
        let Some(text) = text else { return reckon() };
        if let Some(rows) = self.evaluator.memo.borrow().of(text, self.grid) {
            return Ok(Table::Rows(rows));
        }
        let table = reckon()?;
        // Who leans on a comparison is to be told of it, each of them.
        let leans = self.evaluator.leans_on_filter(self.expression);
        if let (Table::Rows(rows), false) = (&table, leans) {
            self.evaluator.memo.borrow_mut().keep(text, self.grid, rows);
        }
        Ok(table)
    }

    /// A number an instant.
    pub(super) fn scalar(&self, expr: &Expr) -> Result<Vec<f64>, Failure> {
        match self.value(expr)? {
            Table::Scalar(values) => Ok(values),
            _ => Err(Failure("a number is needed".into())),
        }
    }

    pub(super) fn rows(&self, expr: &Expr) -> Result<Vec<Row>, Failure> {
        match self.value(expr)? {
            Table::Rows(rows) => Ok(rows),
            Table::Scalar(values) => Ok(vec![Row { labels: Vec::new().into(), values }]),
            Table::Text(_) => Err(Failure("a vector is needed".into())),
        }
    }

    pub(super) fn text(&self, expr: &Expr) -> Result<String, Failure> {
        match self.value(expr)? {
            Table::Text(text) => Ok(text),
            _ => Err(Failure("a text is needed".into())),
        }
    }

    /// Each value on its own; the result is no longer the metric it was.
    pub(super) fn mapped(&self, rows: Vec<Row>, of: impl Fn(usize, f64) -> f64) -> Result<Vec<Row>, Failure> {
        let each = |Row { labels, mut values }: Row| {
            for (index, value) in values.iter_mut().enumerate() {
                if !stale(*value) {
                    *value = of(index, *value);
                }
            }
            Row { labels: without_name(&labels), values }
        };
        unique(rows.into_iter().map(each).collect(), SAME_LABELS)
    }

    /// The instant a selector looks at when an instant of the grid is evaluated.
    fn shifted(&self, index: usize, shift: &Shift) -> i64 {
        let base = match shift.at {
            None => self.grid.time(index),
            Some(Anchor::Start) => self.whole.first,
            Some(Anchor::End) => self.whole.last(),
            Some(Anchor::Time(time)) => time,
        };
        base.saturating_sub(shift.offset.unwrap_or(0))
    }

    /// The numbers of the series a selector means.
    fn matching(&self, selector: &Selector) -> Vec<u32> {
        let key = (self.expression.id, selector.span.start);
        let mut selected = self.evaluator.selected.borrow_mut();
        let (seen, numbers) = selected.entry(key).or_default();
        let all = self.database.all();
        let fits = |number: &u32| selector.selects(&all[*number as usize].labels);
        // Series are only ever added: those that were looked at before need no second look.
        match selector.fixed_name() {
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

    /// Refuses a table that would need too much memory.
    fn affordable(&self, rows: usize) -> Result<(), Failure> {
        match rows.saturating_mul(self.grid.count) > MAX_VALUES {
            true => Err(Failure(format!(
                "query processing would load too many samples into memory (more than {MAX_VALUES})"
            ))),
            false => Ok(()),
        }
    }

    /// The samples that are there when it is asked.
    fn there(&self, samples: &'a [(i64, f64)]) -> &'a [(i64, f64)] {
        match samples.last() {
            Some((last, _)) if *last > self.asked => {
                &samples[..samples.partition_point(|(time, _)| *time <= self.asked)]
            }
            _ => samples,
        }
    }

    /// Of each series a selector means, what is made of the sample it finds at each instant.
    pub(super) fn select(&self, selector: &Selector, of: impl Fn((i64, f64)) -> f64) -> Result<Vec<Row>, Failure> {
        let numbers = self.matching(selector);
        self.affordable(numbers.len())?;
        let times: Vec<i64> = (0..self.grid.count).map(|index| self.shifted(index, &selector.shift)).collect();
        let Some(first) = times.first() else { return Ok(Vec::new()) };
        let left_open = self.evaluator.semantics.left_open();
        let mut rows = Vec::with_capacity(numbers.len());
        for number in numbers {
            let series = &self.database.all()[number as usize];
            let samples = self.there(&series.samples);
            let mut end = samples.partition_point(|(time, _)| time <= first);
            let mut any = false;
            let mut values = Vec::with_capacity(times.len());
            for at in &times {
                while samples.get(end).is_some_and(|(time, _)| time <= at) {
                    end += 1;
                }
                let oldest = at - LOOKBACK;
                let found = end.checked_sub(1).map(|last| samples[last]).filter(|(time, value)| {
                    (if left_open { *time > oldest } else { *time >= oldest }) && !stale(*value)
                });
                any |= found.is_some();
                values.push(found.map_or(NO_SAMPLE, &of));
            }
            if any {
                rows.push(Row { labels: series.labels.clone(), values });
            }
        }
        Ok(rows)
    }

    /// The samples of ranges, and their windows.
    pub(super) fn ranges(&self, expr: &Expr) -> Result<Ranges<'a>, Failure> {
        match &expr.bare().kind {
            Kind::Range(it) => self.matrix(it),
            Kind::Subquery(it) => self.subquery(it),
            _ => Err(Failure("a range is needed".into())),
        }
    }

    fn windows(&self, shift: &Shift, range: i64) -> Vec<Window> {
        let window = |index: usize| {
            let to = self.shifted(index, shift);
            Window { from: to.saturating_sub(range), to }
        };
        (0..self.grid.count).map(window).collect()
    }

    /// The samples of a range selector, all that are there, and its windows.
    pub(super) fn matrix(&self, matrix: &RangeSelector) -> Result<Ranges<'a>, Failure> {
        self.samples(&matrix.selector, matrix.range)
    }

    /// The samples of a selector, all that are there, and the windows of a range, in milliseconds.
    pub(super) fn samples(&self, selector: &Selector, range: i64) -> Result<Ranges<'a>, Failure> {
        let windows = self.windows(&selector.shift, range);
        let database = self.database;
        let numbers = self.matching(selector);
        self.affordable(numbers.len())?;
        let of = |number: u32| {
            let series = &database.all()[number as usize];
            let there = self.there(&series.samples);
            let samples = match series.interrupted {
                false => Cow::Borrowed(there),
                true => there.iter().copied().filter(|(_, value)| !stale(*value)).collect(),
            };
            (series.labels.clone(), samples)
        };
        Ok(Ranges { series: numbers.into_iter().map(of).collect(), windows })
    }

    fn subquery(&self, query: &Subquery) -> Result<Ranges<'a>, Failure> {
        let step = query.step.unwrap_or(self.evaluator.step).max(1);
        let looks = (query.range / step).unsigned_abs().saturating_add(1).saturating_mul(self.grid.count as u64);
        if looks > MAX_LOOKS {
            return Err(Failure(format!("the windows of a subquery hold more than {MAX_LOOKS} steps in all")));
        }
        let windows = self.windows(&query.shift, query.range);
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            return Ok(Ranges { series: Vec::new(), windows });
        };
        // Steps lie on multiples of the step, wherever the evaluation is.
        let mut begin = first.from.div_euclid(step) * step;
        if begin < first.from || (self.evaluator.semantics.left_open() && begin == first.from) {
            begin += step;
        }
        let count = if begin > last.to { 0 } else { ((last.to - begin) / step + 1) as usize };
        let inner = At { grid: Grid { first: begin, step, count }, ..*self };
        inner.affordable(1)?;
        let samples = |Row { labels, values }: Row| {
            let present = values.into_iter().enumerate().filter(|(_, value)| !stale(*value));
            (labels, Cow::Owned(present.map(|(index, value)| (inner.grid.time(index), value)).collect()))
        };
        Ok(Ranges { series: inner.rows(&query.expr)?.into_iter().map(samples).collect(), windows })
    }

    /// The instants, in seconds.
    pub(super) fn seconds(&self) -> Vec<f64> {
        self.grid.times().map(|time| time as f64 / 1000.0).collect()
    }
}

impl Window {
    /// Moves the bounds of a slice of samples on to this window; windows never move back.
    pub(super) fn slide(&self, samples: &[(i64, f64)], begin: &mut usize, end: &mut usize, semantics: Semantics) {
        let before = |time: i64| if semantics.left_open() { time <= self.from } else { time < self.from };
        if *end == 0 {
            *begin = samples.partition_point(|(time, _)| before(*time));
            *end = samples.partition_point(|(time, _)| *time <= self.to);
        }
        while samples.get(*begin).is_some_and(|(time, _)| before(*time)) {
            *begin += 1;
        }
        while samples.get(*end).is_some_and(|(time, _)| *time <= self.to) {
            *end += 1;
        }
        *end = (*end).max(*begin);
    }
}

/// A date, for functions of the calendar.
pub(super) fn system_time(seconds: f64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}
