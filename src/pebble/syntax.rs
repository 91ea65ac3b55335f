//! The tree of a template.

use super::error::{Fault, Found};
use super::limits::NESTING_MAX;
use super::value::Value;

/// An expression, the line the engine gives it, and how high it is.
#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: Kind,
    pub line: usize,
    height: usize,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum Kind {
    Literal(Value),
    Name(String),
    /// `a.b` and `a['b']`.
    Get(Box<Expr>, Box<Expr>),
    Call(String, Arguments),
    Filter(Box<Expr>, String, Arguments),
    /// `is` and `is not` (true).
    Test(Box<Expr>, String, Arguments, bool),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    /// The factor a sign multiplies with.
    Sign(i32, Box<Expr>),
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    Array(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    /// What a `filter` tag filters.
    Body(Body),
    /// The text of a block.
    Block(Arguments),
    /// `a.b(c)`, which no table says anything about.
    Method(Box<Expr>, String),
}

/// Arguments of a call: without a name first, then named ones.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    pub positional: Vec<Expr>,
    /// Defaults of a macro may be missing.
    pub named: Vec<(String, Option<Expr>)>,
    pub line: usize,
}

/// The binary operators but `|` and `is`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Contains,
    Equals,
    Differs,
    Greater,
    Less,
    GreaterEquals,
    LessEquals,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulus,
    Concatenate,
    Range,
    NullElse,
    UndefinedElse,
    IsIn,
}

/// What is rendered.
#[derive(Clone, Debug)]
pub struct Body {
    pub nodes: Vec<Node>,
    height: usize,
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub enum Node {
    Text(String),
    Print(Expr),
    If(Vec<(Expr, Body)>, Option<Body>, usize),
    For { name: String, over: Expr, body: Body, otherwise: Option<Body>, line: usize },
    Set(String, Expr),
    Macro { name: String, parameters: Arguments, body: Body },
    Block(String, Body),
}

fn checked(below: usize) -> Found<usize> {
    if below >= NESTING_MAX {
        return Err(Fault::limit(format!("the parts of the template are nested more than {NESTING_MAX} deep")));
    }
    Ok(below + 1)
}

impl Arguments {
    fn height(&self) -> usize {
        let named = self.named.iter().filter_map(|(_, value)| value.as_ref());
        self.positional.iter().chain(named).map(|expr| expr.height).max().unwrap_or(0)
    }
}

impl Expr {
    /// An expression; fails when it is nested too deeply.
    pub fn new(kind: Kind, line: usize) -> Found<Expr> {
        let below = match &kind {
            Kind::Literal(_) | Kind::Name(_) => 0,
            Kind::Get(a, b) | Kind::Binary(_, a, b) => a.height.max(b.height),
            Kind::Call(_, arguments) | Kind::Block(arguments) => arguments.height(),
            Kind::Filter(a, _, arguments) | Kind::Test(a, _, arguments, _) => a.height.max(arguments.height()),
            Kind::Not(a) | Kind::Sign(_, a) | Kind::Method(a, _) => a.height,
            Kind::Ternary(a, b, c) => a.height.max(b.height).max(c.height),
            Kind::Array(items) => items.iter().map(|item| item.height).max().unwrap_or(0),
            Kind::Map(entries) => entries.iter().map(|(k, v)| k.height.max(v.height)).max().unwrap_or(0),
            Kind::Body(body) => body.height,
        };
        Ok(Expr { kind, line, height: checked(below)? })
    }
}

impl Body {
    /// Pieces in a row; fails when they are nested too deeply.
    pub fn new(nodes: Vec<Node>) -> Found<Body> {
        let below = nodes.iter().map(Node::height).max().unwrap_or(0);
        Ok(Body { nodes, height: checked(below)? })
    }
}

impl Node {
    fn height(&self) -> usize {
        let of = |body: &Option<Body>| body.as_ref().map_or(0, |body| body.height);
        match self {
            Node::Text(_) => 0,
            Node::Print(expr) | Node::Set(_, expr) => expr.height,
            Node::If(arms, otherwise, _) => {
                arms.iter().map(|(test, body)| test.height.max(body.height)).max().unwrap_or(0).max(of(otherwise))
            }
            Node::For { over, body, otherwise, .. } => over.height.max(body.height).max(of(otherwise)),
            Node::Macro { parameters, body, .. } => parameters.height().max(body.height),
            Node::Block(_, body) => body.height,
        }
    }
}
