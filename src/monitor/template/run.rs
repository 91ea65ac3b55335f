//! The expansion of a template that was read.

use super::parse::{Action, Operand, Pipeline, Range};
use super::{Context, Template, Value, functions};

/// Bytes that one expansion may give, and steps it may take.
pub(super) const MAX_OUTPUT: usize = 1 << 20;
const MAX_STEPS: usize = 100_000;
/// Bytes of all values together that it hands from one place to another: each is a copy.
const MAX_COPIED: usize = 64 << 20;
const MAX_DEPTH: usize = 50;

/// An expansion under way.
pub(super) struct Run<'a> {
    template: &'a Template,
    context: &'a Context<'a>,
    variables: Vec<(String, Value)>,
    out: String,
    steps: usize,
    copied: usize,
}

/// What `range` goes over: keys and items.
fn items(of: Value) -> Result<Vec<(Value, Value)>, String> {
    Ok(match of {
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
    /// What a template comes to.
    pub(super) fn of(template: &Template, context: &Context<'_>) -> Result<String, String> {
        let variables = template.variables(context);
        let mut run = Run { template, context, variables, out: String::new(), steps: 0, copied: 0 };
        run.all(&template.nodes, &Value::Root, 0)?;
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

    fn one(&mut self, node: &Action, dot: &Value, depth: usize) -> Result<Next, String> {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.out.len() > MAX_OUTPUT {
            return Err("the template does not come to an end".into());
        }
        match node {
            Action::Text(text) => self.out += text,
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
                let template = self.template;
                let nodes = template.defined.get(name).ok_or_else(|| format!("no template \"{name}\""))?;
                // A template of its own sees no variables but `$`.
                let outside = std::mem::replace(&mut self.variables, vec![("$".into(), value.clone())]);
                let result = self.all(nodes, &value, depth + 1);
                self.variables = outside;
                result?;
            }
        }
        Ok(Next::On)
    }

    fn range(&mut self, range: &Range, dot: &Value, depth: usize) -> Result<Next, String> {
        let items = items(self.pipeline(&range.over, dot, depth)?)?;
        if items.is_empty() {
            return self.all(&range.otherwise, dot, depth + 1);
        }
        for (key, item) in items {
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
        if !rest.is_empty() || piped.is_some() {
            return Err("can't give argument to non-function".into());
        }
        self.operand(first, dot, depth)
    }

    /// Counts a value before it is copied, or when a function has made it.
    fn spend(&mut self, value: &Value) -> Result<(), String> {
        let size = value.size();
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
        let value = functions::call(name, arguments, self.context, self.template.dialect)?;
        self.spend(&value)?;
        Ok(value)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("exceeded maximum template depth".into());
        }
        match operand {
            Operand::Value(value) => {
                self.spend(value)?;
                Ok(value.clone())
            }
            Operand::Function(name) => self.call(name, &[]),
            Operand::Dot(fields) => {
                self.spend(dot)?;
                self.fields(dot.clone(), fields)
            }
            Operand::Variable(name, fields) => {
                let found = self.variables.iter().rposition(|(known, _)| known == name);
                let found = found.ok_or_else(|| format!("undefined variable \"{name}\""))?;
                self.copied = self.copied.saturating_add(self.variables[found].1.size());
                self.spend(&Value::Nil)?;
                self.fields(self.variables[found].1.clone(), fields)
            }
            Operand::Pipeline(pipeline, fields) => {
                let value = self.pipeline(pipeline, dot, depth + 1)?;
                self.fields(value, fields)
            }
        }
    }

    fn fields(&self, mut value: Value, fields: &[String]) -> Result<Value, String> {
        for field in fields {
            let none = || format!("can't evaluate field {field}");
            value = match (value, field.as_str()) {
                (Value::Root, name) => self.context.field(self.template.dialect, name).ok_or_else(none)?,
                // What has no value has no fields with one.
                (Value::Nil, _) => Value::Nil,
                (Value::Nodes(all), name) => match all.get(name) {
                    Some((labels, value)) => Value::Node(labels.clone(), *value),
                    None => Value::Nil,
                },
                (Value::Node(labels, _), "Labels") => Value::Labels(labels),
                (Value::Node(_, value), "Value") => Value::Float(value),
                (Value::Labels(map), name) => map.get(name).cloned().map_or(Value::Nil, Value::Text),
                // A label that is not there is empty.
                (Value::Map(map), name) => Value::Text(map.get(name).cloned().unwrap_or_default()),
                (Value::Sample(labels, _), "Labels") => Value::Map(labels),
                (Value::Sample(_, value), "Value") => Value::Float(value),
                (Value::Arguments(all), name) => {
                    let index = name.strip_prefix("arg").and_then(|index| index.parse::<usize>().ok());
                    index.and_then(|index| all.get(index).cloned()).unwrap_or(Value::Nil)
                }
                _ => return Err(none()),
            };
        }
        Ok(value)
    }
}
