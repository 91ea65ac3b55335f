//! PromQL on its own: it knows neither Kestra nor alerts.
//!
//! A text becomes tokens, these a tree in which every node knows its place, which is checked and then evaluated. Floats and
//! classic histograms; what is not there is refused by name and place when an expression is read, never guessed.

mod age;
mod aggregate;
mod binary;
mod check;
mod data;
mod duration;
mod error;
mod evaluate;
mod extended;
mod functions;
mod glob;
mod lexer;
mod matcher;
mod memo;
mod outline;
mod parser;
mod print;
mod range;
mod reach;
mod syntax;
#[cfg(test)]
mod tests;

#[cfg(feature = "internals")]
pub use data::Series;
pub use data::{Database, Grid, Labels, NO_SAMPLE, Row, Vector, stale};
pub use error::SyntaxError;
pub use evaluate::{Evaluator, Table, Value};
pub(crate) use matcher::{expanded, regex, regex_anywhere};
pub use outline::{AskedLabel, Part, PartKind};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use syntax::{Anchor, Expr, Kind, Lengths};

/// Which Prometheus an expression should mean the same as, the oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Semantics {
    /// 2.42: as 2.53, and `rate` extrapolates towards zero as before 2.51.
    V2_42,
    /// 2.53: ranges include their left end.
    V2_53,
    /// 3.5: ranges and lookback do not include their left end.
    #[default]
    V3,
    /// 3.16: a comparison matches one to one before it filters (since 3.9); `anchored` and `smoothed`, durations that are
    /// reckoned, `first_over_time`.
    V3_16,
}

impl Semantics {
    /// The names `--semantics` takes.
    pub const NAMES: &[(&str, Semantics)] = &[
        ("3.16", Semantics::V3_16),
        ("3.5", Semantics::V3),
        ("3", Semantics::V3),
        ("2.53", Semantics::V2_53),
        ("2", Semantics::V2_53),
        ("2.42", Semantics::V2_42),
    ];

    fn left_open(self) -> bool {
        self >= Semantics::V3
    }
}

/// Bytes of an expression.
const MAX_LENGTH: usize = 64 * 1024;
/// Nesting of parentheses, braces and brackets.
const MAX_NESTING: usize = 200;
/// Nesting of the tree: with it goes the stack of those who walk it. A row of operators nests as well.
const MAX_HEIGHT: usize = 1_000;

/// A checked expression. Two are equal when they are written the same.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Arc<str>,
    tree: Arc<Expr>,
    lengths: Lengths,
    /// What of it only the newest Prometheus takes.
    newest: Option<age::Piece>,
    /// Tells it and its clones from every other one of this process: what an evaluator remembers of it is remembered by this.
    id: u64,
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it and where, or what is not implemented.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        let tree = match text.len() > MAX_LENGTH {
            true => Err(SyntaxError::new(0..0, format!("the expression is longer than {MAX_LENGTH} bytes"))),
            false => parser::parse(text).and_then(|read| check::check(&read.0).map(|_| read)),
        };
        let (tree, lengths) = tree.map_err(|error| error.within(text))?;
        let newest = age::newest(&tree, &lengths).next().map(|(piece, _)| piece);
        Ok(Expression { text: text.into(), tree: Arc::new(tree), lengths, newest, id: next_id() })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As a text that means the same, with all operators and their operands in parentheses.
    pub fn canonical(&self) -> String {
        match self.lengths.impossible {
            Some(_) => print::one_line(&self.text, 0..self.text.len()),
            None => self.tree.to_string(),
        }
    }

    /// Whether it speaks of the first or last instant of the whole evaluation (`@ start()`, `@ end()`): what it comes to
    /// over a grid is then not what it comes to at each instant alone.
    pub fn is_about_whole(&self) -> bool {
        let whole = |expr: &Expr| matches!(expr.shift().and_then(|shift| shift.at), Some(Anchor::Start | Anchor::End));
        self.tree.all().any(whole)
    }

    /// Its parts that have a value at an instant, the whole first, each as a text.
    pub fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        for expr in self.tree.all() {
            let ranged = matches!(expr.kind, Kind::Range(_) | Kind::Subquery(_) | Kind::Text(_));
            if !ranged && !matches!(expr.kind, Kind::Paren(_)) {
                let text = print::one_line(&self.text, expr.span.clone());
                if !parts.contains(&text) {
                    parts.push(text);
                }
            }
        }
        parts
    }

    /// Whether what it comes to hangs on the date: it asks for the time, or names an instant.
    pub fn reads_date(&self) -> bool {
        self.tree.all().any(|expr| match &expr.kind {
            // Given an argument these take a date apart that is a sample.
            Kind::Call(it) if it.args.is_empty() => DATES.contains(&it.name.as_str()),
            Kind::Call(it) => it.name == "timestamp",
            _ => matches!(expr.shift().and_then(|shift| shift.at), Some(Anchor::Time(_))),
        })
    }

    /// The steps of its subqueries, in milliseconds; none for one that leaves it to the evaluation.
    pub fn subquery_steps(&self) -> impl Iterator<Item = Option<i64>> {
        self.tree.all().filter_map(|expr| match &expr.kind {
            Kind::Subquery(it) => Some(it.step),
            _ => None,
        })
    }

    /// Every metric name a selector asks for; none for a selector without a fixed name.
    pub fn selected(&self) -> Vec<Option<String>> {
        let selectors = self.tree.all().filter_map(Expr::selector);
        selectors.map(|selector| selector.fixed_name().map(str::to_owned)).collect()
    }

    /// Whether one of its selectors selects a series with these labels.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.tree.all().filter_map(Expr::selector).any(|selector| selector.selects(labels))
    }
}

/// Functions that without an argument tell the date, or a part of it.
const DATES: &[&str] =
    &["time", "minute", "hour", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "month", "year"];

/// The names of all functions, aggregations and operators that are implemented.
#[cfg(feature = "internals")]
pub fn words() -> impl Iterator<Item = &'static str> {
    let operators = parser::OPERATORS.iter().map(|(op, _)| *op);
    check::FUNCTIONS.iter().flat_map(|it| it.names).chain(aggregate::KNOWN).copied().chain(operators)
}
