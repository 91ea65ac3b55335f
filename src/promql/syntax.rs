//! The tree of an expression: every node knows which bytes of the text it is.

use std::ops::Range;

use super::data::{self, label};
use super::matcher::Matcher;

/// Bytes of a text, from and to.
pub(super) type Span = Range<usize>;

/// A node of the tree.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) span: Span,
    pub(super) kind: Kind,
    /// How many nodes lie below each other, this one included.
    pub(super) height: usize,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Number(f64),
    Text(String),
    Paren(Box<Expr>),
    Unary(Unary),
    Selector(Selector),
    Range(RangeSelector),
    Subquery(Subquery),
    Call(Call),
    Aggregate(Aggregate),
    Binary(Binary),
}

/// A sign before an expression.
#[derive(Clone, Debug)]
pub(super) struct Unary {
    /// A plus changes nothing.
    pub(super) minus: bool,
    pub(super) expr: Box<Expr>,
}

/// Series by name and labels.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    /// Of name and braces, without `offset` and `@`.
    pub(super) span: Span,
    /// The name before the braces.
    pub(super) name: Option<String>,
    pub(super) matchers: Vec<Matcher>,
    pub(super) shift: Shift,
    /// Whether it reaches beyond its range, and where that is said.
    pub(super) extended: Option<(Extended, Span)>,
}

/// How a selector reaches beyond its range (since 3.16, before that behind a switch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extended {
    /// To the last sample before it.
    Anchored,
    /// To the samples around its ends, between which it interpolates.
    Smoothed,
}

impl Extended {
    pub(super) const ALL: &[(&str, Extended)] = &[("anchored", Extended::Anchored), ("smoothed", Extended::Smoothed)];
}

/// What is known of the durations of an expression.
#[derive(Clone, Debug, Default)]
pub(super) struct Lengths {
    /// Where the first stands that is reckoned.
    pub(super) reckoned: Option<Span>,
    /// Why one of them is no duration: it fails when it is evaluated, not when it is read.
    pub(super) impossible: Option<String>,
}

/// When something is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Shift {
    /// `@`.
    pub(super) at: Option<Anchor>,
    /// `offset`: milliseconds into the past.
    pub(super) offset: Option<i64>,
}

/// What stands after `@`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    End,
    /// Milliseconds since 1970.
    Time(i64),
}

/// `x[5m]`.
#[derive(Clone, Debug)]
pub(super) struct RangeSelector {
    pub(super) selector: Selector,
    /// Milliseconds.
    pub(super) range: i64,
}

/// `x[5m:1m]`.
#[derive(Clone, Debug)]
pub(super) struct Subquery {
    pub(super) expr: Box<Expr>,
    /// Milliseconds.
    pub(super) range: i64,
    /// Milliseconds; none is the evaluation interval.
    pub(super) step: Option<i64>,
    pub(super) shift: Shift,
}

/// A function and its arguments.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) name_span: Span,
    pub(super) args: Vec<Expr>,
}

/// An aggregation.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub(super) op: &'static str,
    pub(super) op_span: Span,
    pub(super) param: Option<Box<Expr>>,
    pub(super) expr: Box<Expr>,
    pub(super) grouping: Option<Labels>,
}

/// Labels that count, or that do not.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    pub(super) span: Span,
    /// `by` and `on`; else `without` and `ignoring`.
    pub(super) included: bool,
    pub(super) names: Vec<String>,
}

/// An operator between two expressions.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    pub(super) op: &'static str,
    pub(super) op_span: Span,
    pub(super) modifier: Modifier,
    pub(super) left: Box<Expr>,
    pub(super) right: Box<Expr>,
}

/// What stands between an operator and its right side.
#[derive(Clone, Debug, Default)]
pub(super) struct Modifier {
    /// Where `bool` stands.
    pub(super) returns_bool: Option<Span>,
    /// `on` or `ignoring`.
    pub(super) matching: Option<Labels>,
    /// `group_left` or `group_right`.
    pub(super) group: Option<Group>,
}

/// Which side has many series for one of the other.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) span: Span,
    /// `group_left`; else `group_right`.
    pub(super) left: bool,
    /// Labels taken over from the one.
    pub(super) include: Vec<String>,
}

impl Expr {
    pub(super) fn new(span: Span, kind: Kind) -> Expr {
        let mut expr = Expr { span, kind, height: 0 };
        expr.height = 1 + expr.children().map(|child| child.height).max().unwrap_or(0);
        expr
    }

    /// What it is made of, in the order of the text.
    pub(super) fn children(&self) -> impl DoubleEndedIterator<Item = &Expr> {
        let (few, many): ([Option<&Expr>; 2], &[Expr]) = match &self.kind {
            Kind::Number(_) | Kind::Text(_) | Kind::Selector(_) | Kind::Range(_) => ([None, None], &[]),
            Kind::Paren(it) => ([Some(it), None], &[]),
            Kind::Unary(it) => ([Some(&it.expr), None], &[]),
            Kind::Subquery(it) => ([Some(&it.expr), None], &[]),
            Kind::Aggregate(it) => ([it.param.as_deref(), Some(&it.expr)], &[]),
            Kind::Binary(it) => ([Some(&it.left), Some(&it.right)], &[]),
            Kind::Call(it) => ([None, None], &it.args),
        };
        few.into_iter().flatten().chain(many)
    }

    /// It and all below it, parents first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Expr> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            waiting.extend(next.children().rev());
            Some(next)
        })
    }

    /// Without parentheses around it.
    pub(super) fn bare(&self) -> &Expr {
        let mut expr = self;
        while let Kind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// The selector it is.
    pub(super) fn selector(&self) -> Option<&Selector> {
        match &self.kind {
            Kind::Selector(it) => Some(it),
            Kind::Range(it) => Some(&it.selector),
            _ => None,
        }
    }

    /// The selector it is.
    pub(super) fn selector_mut(&mut self) -> Option<&mut Selector> {
        match &mut self.kind {
            Kind::Selector(it) => Some(it),
            Kind::Range(it) => Some(&mut it.selector),
            _ => None,
        }
    }

    /// When it looks, when it can be told so.
    pub(super) fn shift_mut(&mut self) -> Option<&mut Shift> {
        match &mut self.kind {
            Kind::Selector(it) => Some(&mut it.shift),
            Kind::Range(it) => Some(&mut it.selector.shift),
            Kind::Subquery(it) => Some(&mut it.shift),
            _ => None,
        }
    }

    /// When it looks.
    pub(super) fn shift(&self) -> Option<&Shift> {
        match &self.kind {
            Kind::Selector(it) => Some(&it.shift),
            Kind::Range(it) => Some(&it.selector.shift),
            Kind::Subquery(it) => Some(&it.shift),
            _ => None,
        }
    }
}

impl Selector {
    /// Whether it selects a series with these labels.
    pub(super) fn selects(&self, labels: &data::Labels) -> bool {
        let named = self.name.as_deref().is_none_or(|name| label(labels, "__name__") == name);
        named && self.matchers.iter().all(|matcher| matcher.matches(label(labels, &matcher.name)))
    }

    /// How it reaches beyond its range, when it does.
    pub(super) fn extension(&self) -> Option<Extended> {
        self.extended.as_ref().map(|(extended, _)| *extended)
    }

    /// The metric name it fixes.
    pub(super) fn fixed_name(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| {
            let fixes = |matcher: &&Matcher| matcher.name == "__name__" && matcher.op == "=";
            self.matchers.iter().find(fixes).map(|matcher| matcher.value.as_str())
        })
    }
}
