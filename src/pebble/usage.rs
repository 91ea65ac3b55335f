//! What a template uses that is not simulated.

use super::Dialect;
use super::invoke;
use super::jq;
use super::syntax::{Arguments, Body, Expr, Kind, Node, Operator};
use super::value::Value;

/// Names, in order of first use, each once.
pub fn unsupported(body: &Body, dialect: &Dialect) -> Vec<String> {
    let mut usage = Usage { dialect, names: Vec::new(), variable: "", read: Vec::new(), guarded: false };
    usage.body(body);
    usage.names
}

/// The parts of a variable that must be there, in order of first use, each once.
pub fn reads(body: &Body, dialect: &Dialect, variable: &str) -> Vec<String> {
    let mut usage = Usage { dialect, names: Vec::new(), variable, read: Vec::new(), guarded: false };
    usage.body(body);
    usage.read
}

struct Usage<'d> {
    dialect: &'d Dialect,
    names: Vec<String>,
    /// The variable whose parts are looked for.
    variable: &'d str,
    read: Vec<String>,
    /// What stands here may be missing.
    guarded: bool,
}

impl Usage<'_> {
    fn add(&mut self, name: String) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }
    fn body(&mut self, body: &Body) {
        for node in &body.nodes {
            match node {
                Node::Text(_) => {}
                Node::Print(expr) | Node::Set(_, expr) => self.expr(expr),
                Node::If(arms, otherwise, _) => {
                    for (test, body) in arms {
                        self.expr(test);
                        self.guarded(true, |usage| usage.body(body));
                    }
                    otherwise.iter().for_each(|body| self.body(body));
                }
                Node::For { over, body, otherwise, .. } => {
                    self.expr(over);
                    self.body(body);
                    otherwise.iter().for_each(|body| self.body(body));
                }
                Node::Macro { parameters, body, .. } => {
                    self.arguments(parameters);
                    self.body(body);
                }
                Node::Block(_, body) => self.body(body),
            }
        }
    }
    /// A part of something: of the variable that is looked for, perhaps.
    fn part(&mut self, of: &Expr, part: &Expr) {
        if let (Kind::Name(name), Kind::Literal(Value::Text(part))) = (&of.kind, &part.kind)
            && name == self.variable
            && !self.guarded
            && !self.read.iter().any(|it| **it == **part)
        {
            self.read.push(part.to_string());
        }
    }
    /// Looks at what may be missing.
    fn guarded(&mut self, guards: bool, look: impl FnOnce(&mut Self)) {
        let before = self.guarded;
        self.guarded |= guards;
        look(self);
        self.guarded = before;
    }
    fn arguments(&mut self, arguments: &Arguments) {
        arguments.positional.iter().for_each(|expr| self.expr(expr));
        arguments.named.iter().filter_map(|(_, value)| value.as_ref()).for_each(|expr| self.expr(expr));
    }
    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Literal(_) | Kind::Name(_) => {}
            Kind::Get(a, b) => {
                self.part(a, b);
                self.expr(a);
                self.expr(b);
            }
            Kind::Binary(operator, a, b) => {
                let guards = matches!(operator, Operator::NullElse | Operator::UndefinedElse);
                self.guarded(guards, |usage| usage.expr(a));
                self.expr(b);
            }
            Kind::Call(name, arguments) => {
                self.arguments(arguments);
                if invoke::function_row(name, self.dialect).is_err() {
                    self.add(format!("function {name}"));
                }
            }
            Kind::Filter(input, name, arguments) => {
                self.guarded(name == "default", |usage| usage.expr(input));
                self.arguments(arguments);
                if invoke::filter_row(name, self.dialect).is_err() {
                    self.add(format!("filter {name}"));
                }
                let program = arguments.positional.first().map(|argument| &argument.kind);
                if let ("jq", Some(Kind::Literal(Value::Text(program)))) = (name.as_str(), program) {
                    jq::unsupported(program).into_iter().for_each(|what| self.add(what));
                }
            }
            Kind::Test(input, name, arguments, _) => {
                self.guarded(matches!(name.as_str(), "defined" | "null" | "empty"), |usage| usage.expr(input));
                self.arguments(arguments);
            }
            Kind::Not(child) | Kind::Sign(_, child) => self.expr(child),
            Kind::Ternary(a, b, c) => {
                self.expr(a);
                // Its condition may have asked for what its branches read.
                self.guarded(true, |usage| [b, c].into_iter().for_each(|expr| usage.expr(expr)));
            }
            Kind::Array(items) => items.iter().for_each(|item| self.expr(item)),
            Kind::Map(entries) => {
                for (name, value) in entries {
                    self.expr(name);
                    self.expr(value);
                }
            }
            Kind::Body(body) => self.body(body),
            Kind::Block(arguments) => self.arguments(arguments),
            Kind::Method(object, name) => {
                self.expr(object);
                self.add(format!("method .{name}()"));
            }
        }
    }
}
