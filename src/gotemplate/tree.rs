//! What a template is when it has been read.

use super::Value;

/// Pieces in their order.
pub(super) type Nodes = Vec<Action>;

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Text(String),
    Print(Pipeline),
    If(Pipeline, Vec<Action>, Vec<Action>),
    With(Pipeline, Vec<Action>, Vec<Action>),
    Range(Range),
    Template(String, Option<Pipeline>),
    Break,
    Continue,
}

/// `range`.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// The variables for key and item, or for the item alone.
    pub(super) names: Vec<String>,
    /// Whether they are new.
    pub(super) declares: bool,
    pub(super) over: Pipeline,
    pub(super) body: Vec<Action>,
    pub(super) otherwise: Vec<Action>,
}

/// Commands, each given what the one before made.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    /// `$x := ...` (true) or `$x = ...`.
    pub(super) variable: Option<(String, bool)>,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// A word of a command.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Value(Value),
    Function(String),
    /// `.` and fields of it.
    Dot(Vec<String>),
    Variable(String, Vec<String>),
    Pipeline(Pipeline, Vec<String>),
}
