//! The expansion of a template that was read.

use std::collections::BTreeMap;

use super::Value;
use super::html;
use super::parse::{Action, Nodes, Operand, Pipeline, Range};

/// Bytes that one expansion may give.
pub(super) const MAX_OUTPUT: usize = 1 << 20;
/// Steps that one expansion may take, for a rule's texts.
pub(super) const MAX_STEPS: usize = 100_000;
/// Bytes of all values together that it hands from one place to another: each is a copy.
const MAX_COPIED: usize = 64 << 20;
/// Blocks, calls of templates and parentheses inside of each other.
const MAX_DEPTH: usize = 50;

/// What a dialect's templates speak of, and its functions.
pub(super) trait Tongue {
    /// What a function makes of its arguments.
    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String>;
    /// A field of a value, or what its method makes of arguments.
    fn field(&self, of: Value, name: &str, arguments: &[Value]) -> Result<Value, String>;
    /// How many steps one expansion may take.
    fn steps(&self) -> usize {
        MAX_STEPS
    }
    /// Whether `range` takes a number, as Go does since 1.22.
    fn counts(&self) -> bool {
        false
    }
    /// Whether a page shows a word for an empty value without quotes, as Go does since 1.19.9.
    fn fills(&self) -> bool {
        true
    }
}

/// An expansion under way.
pub(super) struct Run<'a> {
    defined: &'a BTreeMap<String, Nodes>,
    tongue: &'a dyn Tongue,
    variables: Vec<(String, Value)>,
    out: String,
    /// Where in a page the output stands, when it is one.
    page: Option<html::Place>,
    steps: usize,
    copied: usize,
}

/// What `range` goes over: keys and items.
fn items(of: Value, counts: bool) -> Result<Vec<(Value, Value)>, String> {
    Ok(match of {
        Value::Object(it) => it.items().ok_or_else(|| format!("range can't iterate over {}", it.print()))?,
        Value::Int(it) if counts => {
            let it = usize::try_from(it).unwrap_or(0);
            if it > MAX_STEPS {
                return Err(format!("range over {it}: more than {MAX_STEPS} rounds"));
            }
            (0..it as i64).map(|it| (Value::Int(it), Value::Int(it))).collect()
        }
        Value::Samples(all) => {
            let each = all.into_iter().enumerate();
            each.map(|(index, (labels, value))| (Value::Int(index as i64), Value::Sample(labels, value))).collect()
        }
        Value::Map(all) | Value::Labels(all) => {
            all.into_iter().map(|(key, value)| (Value::Text(key), Value::Text(value))).collect()
        }
        Value::Nodes(all) => {
            all.into_iter().map(|(name, (labels, value))| (Value::Text(name), Value::Node(labels, value))).collect()
        }
        Value::Nil => Vec::new(),
        other => return Err(format!("range can't iterate over {}", other.print())),
    })
}

/// How an expansion goes on after a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    On,
    /// With the next item of the innermost `range`.
    Continue,
    /// Behind the innermost `range`.
    Break,
}

impl Run<'_> {
    /// What a text comes to. `variables` are those there are at the beginning.
    pub(super) fn of(
        nodes: &Nodes,
        defined: &BTreeMap<String, Nodes>,
        tongue: &dyn Tongue,
        (dot, variables): (&Value, Vec<(String, Value)>),
        page: bool,
    ) -> Result<String, String> {
        let page = page.then(html::Place::default);
        let mut run = Run { defined, tongue, variables, out: String::new(), page, steps: 0, copied: 0 };
        run.all(nodes, dot, 0)?;
        Ok(run.out)
    }

    fn all(&mut self, nodes: &[Action], dot: &Value, depth: usize) -> Result<Next, String> {
        if depth > MAX_DEPTH {
            return Err("exceeded maximum template depth".into());
        }
        // Variables end with the block that made them.
        let known = self.variables.len();
        let mut next = Next::On;
        for node in nodes {
            next = self.one(node, dot, depth)?;
            if next != Next::On {
                break;
            }
        }
        self.variables.truncate(known);
        Ok(next)
    }

    /// Counts a piece, or a round of a loop.
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > self.tongue.steps() || self.out.len() > MAX_OUTPUT {
            return Err("the template does not come to an end".into());
        }
        Ok(())
    }

    fn one(&mut self, node: &Action, dot: &Value, depth: usize) -> Result<Next, String> {
        self.step()?;
        match node {
            Action::Text(text) => match &mut self.page {
                None => self.out += text,
                Some(place) => *place = html::text(*place, text, &mut self.out)?,
            },
            Action::Print(pipeline) if self.page.is_some() && pipeline.variable.is_none() => {
                self.print_in_page(pipeline, dot, depth)?;
            }
            Action::Print(pipeline) => {
                let value = self.pipeline(pipeline, dot, depth)?;
                if pipeline.variable.is_none() {
                    self.out += &value.print();
                }
            }
            Action::If(pipeline, then, otherwise) => {
                let known = self.variables.len();
                let holds = self.pipeline(pipeline, dot, depth)?.truth();
                let next = self.all(if holds { then } else { otherwise }, dot, depth + 1)?;
                self.variables.truncate(known);
                return Ok(next);
            }
            Action::With(pipeline, then, otherwise) => {
                let known = self.variables.len();
                let value = self.pipeline(pipeline, dot, depth)?;
                let next = match value.truth() {
                    true => self.all(then, &value, depth + 1)?,
                    false => self.all(otherwise, dot, depth + 1)?,
                };
                self.variables.truncate(known);
                return Ok(next);
            }
            Action::Range(range) => return self.range(range, dot, depth),
            Action::Break => return Ok(Next::Break),
            Action::Continue => return Ok(Next::Continue),
            Action::Template(name, pipeline) => {
                let value = pipeline.as_ref().map_or(Ok(Value::Nil), |it| self.pipeline(it, dot, depth))?;
                let defined = self.defined;
                let nodes = defined.get(name).ok_or_else(|| format!("no template \"{name}\""))?;
                // A template of its own sees no variables but `$`.
                let outside = std::mem::replace(&mut self.variables, vec![("$".into(), value.clone())]);
                let result = self.all(nodes, &value, depth + 1);
                self.variables = outside;
                result?;
            }
        }
        Ok(Next::On)
    }

    /// A value in a page, escaped as its place asks for.
    fn print_in_page(&mut self, pipeline: &Pipeline, dot: &Value, depth: usize) -> Result<(), String> {
        let Some(place) = self.page else { return Ok(()) };
        let place = place.nudged();
        let (steps, replaced) = html::steps(place, pipeline)?;
        let value = match replaced {
            // The template's own escape stands in the place of one of ours.
            true => self.unescaped(pipeline, dot, depth)?,
            false => self.pipeline(pipeline, dot, depth)?,
        };
        self.out += &html::escaped(&value, &steps, self.tongue.fills())?;
        self.page = Some(place);
        Ok(())
    }

    /// What a pipeline comes to without the `html` or `urlquery` at its end.
    fn unescaped(&mut self, pipeline: &Pipeline, dot: &Value, depth: usize) -> Result<Value, String> {
        let Some((last, before)) = pipeline.commands.split_last() else { return Ok(Value::Nil) };
        if !before.is_empty() {
            let mut value = None;
            for command in before {
                value = Some(self.command(command, value, dot, depth)?);
            }
            return Ok(value.unwrap_or(Value::Nil));
        }
        let mut arguments = Vec::new();
        for word in last.iter().skip(1) {
            arguments.push(self.operand(word, dot, depth)?);
        }
        Ok(Value::Text(super::builtin::printed(&arguments, false)))
    }

    fn range(&mut self, range: &Range, dot: &Value, depth: usize) -> Result<Next, String> {
        let items = items(self.pipeline(&range.over, dot, depth)?, self.tongue.counts())?;
        if items.is_empty() {
            return self.all(&range.otherwise, dot, depth + 1);
        }
        for (key, item) in items {
            self.step()?;
            let known = self.variables.len();
            let values = match range.names.len() {
                1 => vec![item.clone()],
                _ => vec![key, item.clone()],
            };
            for (name, value) in range.names.iter().zip(values) {
                self.set(name, value, range.declares)?;
            }
            let next = self.all(&range.body, &item, depth + 1)?;
            self.variables.truncate(known);
            if next == Next::Break {
                break;
            }
        }
        Ok(Next::On)
    }

    /// Gives a variable a value: a new one, or one that is there.
    fn set(&mut self, name: &str, value: Value, declares: bool) -> Result<(), String> {
        if declares {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        let kept = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        kept.ok_or_else(|| format!("undefined variable: {name}"))?.1 = value;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value, depth: usize) -> Result<Value, String> {
        let mut value: Option<Value> = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value, dot, depth)?);
        }
        let value = value.unwrap_or(Value::Nil);
        if let Some((name, declares)) = &pipeline.variable {
            self.set(name, value.clone(), *declares)?;
        }
        Ok(value)
    }

    /// A function with its arguments, or a value; what came through the pipe is the last argument.
    fn command(&mut self, words: &[Operand], piped: Option<Value>, dot: &Value, depth: usize) -> Result<Value, String> {
        let Some((first, rest)) = words.split_first() else { return Err("missing value for command".into()) };
        if let Operand::Function(name) = first {
            // `and` and `or` look no further than they must.
            if matches!(name.as_str(), "and" | "or") {
                let mut last = Value::Nil;
                for word in rest {
                    last = self.operand(word, dot, depth)?;
                    if last.truth() == (name == "or") {
                        return Ok(last);
                    }
                }
                return Ok(piped.unwrap_or(last));
            }
            let mut arguments = Vec::with_capacity(rest.len() + 1);
            for word in rest {
                arguments.push(self.operand(word, dot, depth)?);
            }
            arguments.extend(piped);
            if arguments.iter().map(Value::size).sum::<usize>() > MAX_OUTPUT {
                return Err(format!("the arguments of {name} are larger than {} MiB", MAX_OUTPUT >> 20));
            }
            return self.call(name, &arguments);
        }
        if matches!(first, Operand::Value(Value::Nil)) {
            return Err("nil is not a command".into());
        }
        if rest.is_empty() && piped.is_none() {
            return self.operand(first, dot, depth);
        }
        self.method(words, piped, dot, depth)
    }

    /// A method with arguments: the last of the fields of the first word.
    fn method(&mut self, words: &[Operand], piped: Option<Value>, dot: &Value, depth: usize) -> Result<Value, String> {
        let none = || "can't give argument to non-function".to_owned();
        let (first, rest) = words.split_first().ok_or_else(none)?;
        let (receiver, fields) = match first {
            Operand::Dot(fields) => (Operand::Dot(Vec::new()), fields),
            Operand::Variable(name, fields) => (Operand::Variable(name.clone(), Vec::new()), fields),
            Operand::Pipeline(pipeline, fields) => (Operand::Pipeline(pipeline.clone(), Vec::new()), fields),
            Operand::Value(_) | Operand::Function(_) => return Err(none()),
        };
        let (name, fields) = fields.split_last().ok_or_else(none)?;
        let receiver = self.operand(&receiver, dot, depth)?;
        let receiver = self.fields(receiver, fields)?;
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for word in rest {
            arguments.push(self.operand(word, dot, depth)?);
        }
        arguments.extend(piped);
        let value = self.tongue.field(receiver, name, &arguments)?;
        self.spend(value.size())?;
        Ok(value)
    }

    /// Counts a value before it is copied, or when a function has made it.
    fn spend(&mut self, size: usize) -> Result<(), String> {
        self.copied = self.copied.saturating_add(size);
        if size > MAX_OUTPUT {
            return Err(format!("a value of the template is larger than {} MiB", MAX_OUTPUT >> 20));
        }
        if self.copied > MAX_COPIED {
            return Err(format!("the template copies more than {} MiB", MAX_COPIED >> 20));
        }
        Ok(())
    }

    /// What a function makes of its arguments.
    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let value = self.tongue.call(name, arguments)?;
        self.spend(value.size())?;
        Ok(value)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("exceeded maximum template depth".into());
        }
        match operand {
            Operand::Value(value) => {
                self.spend(value.copied())?;
                Ok(value.clone())
            }
            Operand::Function(name) => self.call(name, &[]),
            Operand::Dot(fields) => {
                self.spend(dot.copied())?;
                self.fields(dot.clone(), fields)
            }
            Operand::Variable(name, fields) => {
                let found = self.variables.iter().rposition(|(known, _)| known == name);
                let found = found.ok_or_else(|| format!("undefined variable \"{name}\""))?;
                let value = self.variables.get(found).map_or(Value::Nil, |(_, value)| value.clone());
                // The value itself is as large as it was when it was made.
                self.copied = self.copied.saturating_add(value.copied());
                self.spend(16)?;
                self.fields(value, fields)
            }
            Operand::Pipeline(pipeline, fields) => {
                let value = self.pipeline(pipeline, dot, depth + 1)?;
                self.fields(value, fields)
            }
        }
    }

    fn fields(&self, mut value: Value, fields: &[String]) -> Result<Value, String> {
        for field in fields {
            value = self.tongue.field(value, field, &[])?;
        }
        Ok(value)
    }
}
