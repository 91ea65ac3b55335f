//! A tree is rendered.

use indexmap::IndexMap;

use super::attribute;
use super::error::{Fault, Found, class};
use super::invoke::{self, Call};
use super::operate;
use super::print;
use super::run::Run;
use super::syntax::{Arguments, Body, Expr, Kind, Node, Operator};
use super::value::{Loop, Value};

/// Names given a value within the template.
#[derive(Default)]
struct Frame {
    names: IndexMap<String, Value>,
    /// A macro sees no frame below its own, nor the variables.
    closed: bool,
}

/// Renders one template.
pub struct Evaluator<'r, 'h, 't> {
    pub run: &'r mut Run<'h>,
    pub template: &'t str,
    frames: Vec<Frame>,
    macros: IndexMap<&'t str, (&'t Arguments, &'t Body)>,
    blocks: IndexMap<&'t str, &'t Body>,
}

impl<'r, 'h, 't> Evaluator<'r, 'h, 't> {
    /// Over a template and its tree, whose macros and blocks are known everywhere in it.
    pub fn new(run: &'r mut Run<'h>, template: &'t str, body: &'t Body) -> Evaluator<'r, 'h, 't> {
        let mut evaluator = Evaluator {
            run,
            template,
            frames: vec![Frame::default()],
            macros: IndexMap::new(),
            blocks: IndexMap::new(),
        };
        evaluator.register(body);
        evaluator
    }
    fn register(&mut self, body: &'t Body) {
        for node in &body.nodes {
            match node {
                Node::Macro { name, parameters, body } => _ = self.macros.insert(name, (parameters, body)),
                Node::Block(name, body) => {
                    self.blocks.insert(name, body);
                    self.register(body);
                }
                Node::If(arms, otherwise, _) => {
                    arms.iter().for_each(|(_, body)| self.register(body));
                    otherwise.iter().for_each(|body| self.register(body));
                }
                Node::For { body, otherwise, .. } => {
                    self.register(body);
                    otherwise.iter().for_each(|body| self.register(body));
                }
                Node::Text(_) | Node::Print(_) | Node::Set(..) => {}
            }
        }
    }
    /// An exception of the engine's in this template.
    pub fn fault(&self, message: &str, line: usize) -> Box<Fault> {
        Fault::engine(class::PEBBLE, message, self.template, line)
    }
    /// Renders pieces in a row.
    pub fn body(&mut self, body: &'t Body, sink: &mut String) -> Found<()> {
        self.run.deeper()?;
        let rendered = body.nodes.iter().try_for_each(|node| self.node(node, sink));
        self.run.shallower();
        rendered
    }
    fn node(&mut self, node: &'t Node, sink: &mut String) -> Found<()> {
        self.run.step(&Value::Null)?;
        match node {
            Node::Text(text) => self.write(&Value::text(text.as_str())?, sink),
            Node::Print(expr) => {
                let value = self.value(expr)?;
                self.write(&value, sink)
            }
            Node::If(arms, otherwise, line) => self.conditional(arms, otherwise.as_ref(), *line, sink),
            Node::For { name, over, body, otherwise, line } => {
                let over = self.value(over)?;
                self.each(name, over, (body, otherwise.as_ref()), *line, sink)
            }
            Node::Set(name, expr) => {
                let value = self.value(expr)?;
                if let Some(frame) = self.frames.last_mut() {
                    frame.names.insert(name.clone(), value);
                }
                Ok(())
            }
            Node::Macro { .. } => Ok(()),
            Node::Block(_, body) => self.body(body, sink),
        }
    }
    fn write(&mut self, value: &Value, sink: &mut String) -> Found<()> {
        if matches!(value, Value::Null) {
            return Ok(());
        }
        self.run.step(value)?;
        let piece = print::printed(value, self.run.dialect)?;
        self.run.write(piece.len())?;
        sink.push_str(&piece);
        Ok(())
    }
    fn conditional(
        &mut self,
        arms: &'t [(Expr, Body)],
        otherwise: Option<&'t Body>,
        line: usize,
        sink: &mut String,
    ) -> Found<()> {
        for (test, body) in arms {
            let satisfied = match self.value(test) {
                Ok(value) => {
                    self.decided(&value, "null value given to if statement and strict variables is set to true", line)
                }
                Err(fault) => Err(fault),
            };
            let satisfied = satisfied
                .map_err(|fault| self.wrapped(fault, "Wrong operand(s) type in conditional expression", line))?;
            if satisfied {
                return self.body(body, sink);
            }
        }
        otherwise.map_or(Ok(()), |body| self.body(body, sink))
    }
    /// An exception within another one; what is ours, and errors of the machine, are not caught.
    fn wrapped(&self, fault: Box<Fault>, message: &str, line: usize) -> Box<Fault> {
        if fault.is_ours() || fault.class.ends_with("Error") { fault } else { self.fault(message, line).because(fault) }
    }
    /// What `if` and `not` make of a value.
    fn decided(&self, value: &Value, of_null: &str, line: usize) -> Found<bool> {
        match value {
            Value::Null => Err(self.fault(of_null, line)),
            value => operate::truth(value).ok_or_else(|| {
                let simple = value.class().rsplit(['.', '$']).next().unwrap_or("");
                let message =
                    format!("Unsupported value type {simple}. Expected Boolean, String, Number in \"if\" statement");
                self.fault(&message, line)
            }),
        }
    }
    fn each(
        &mut self,
        name: &str,
        over: Value,
        (body, otherwise): (&'t Body, Option<&'t Body>),
        line: usize,
        sink: &mut String,
    ) -> Found<()> {
        let items: Vec<Value> = match &over {
            Value::Null => return Ok(()),
            Value::List(list) => list.items.clone(),
            Value::Map(map) => {
                let entry =
                    |(name, value): (&String, &Value)| Value::Entry((name.as_str().into(), value.clone()).into());
                map.entries.iter().map(entry).collect()
            }
            other => {
                return Err(self.fault(&format!("Not an iterable object. Value = [{}]", other.java_text()), line));
            }
        };
        if items.is_empty() {
            return otherwise.map_or(Ok(()), |body| self.body(body, sink));
        }
        self.frames.push(Frame::default());
        let length = i32::try_from(items.len()).unwrap_or(i32::MAX);
        let rendered = items.into_iter().zip(0..).try_for_each(|(item, index)| {
            self.run.step(&Value::Null)?;
            if let Some(frame) = self.frames.last_mut() {
                frame.names.insert("loop".to_owned(), Value::Loop(Loop { index, length }));
                frame.names.insert(name.to_owned(), item);
            }
            self.body(body, sink)
        });
        self.frames.pop();
        rendered
    }
    /// What an expression stands for.
    pub fn value(&mut self, expr: &'t Expr) -> Found<Value> {
        self.run.step(&Value::Null)?;
        self.run.deeper()?;
        let value = self.kind(expr);
        self.run.shallower();
        value
    }
    fn kind(&mut self, expr: &'t Expr) -> Found<Value> {
        let line = expr.line;
        match &expr.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Name(name) => self.name(name, line),
            Kind::Get(object, key) => self.get(object, key, line),
            Kind::Call(name, arguments) => self.call(name, arguments, line),
            Kind::Filter(input, name, arguments) => self.filter(input, name, arguments, line),
            Kind::Test(input, name, arguments, negated) => {
                let holds = self.test(input, name, arguments, line)?;
                Ok(Value::Bool(holds != *negated))
            }
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, line),
            Kind::Not(child) => {
                let value = self.value(child)?;
                let of_null = "null value given to not() and strict variables is set to true";
                Ok(Value::Bool(!self.decided(&value, of_null, line)?))
            }
            Kind::Sign(factor, child) => {
                let value = self.value(child)?;
                operate::arithmetic(Operator::Multiply, &Value::Int(*factor), &value)
            }
            Kind::Ternary(test, yes, no) => {
                let test = self.value(test)?;
                let chosen = !matches!(test, Value::Null) && operate::boolean(&test)?;
                self.value(if chosen { yes } else { no })
            }
            Kind::Array(items) => {
                let items: Result<Vec<Value>, _> = items.iter().map(|item| self.value(item)).collect();
                Value::list(items?)
            }
            Kind::Map(entries) => self.map(entries),
            Kind::Body(body) => {
                let mut sink = String::new();
                self.body(body, &mut sink)?;
                Ok(Value::Text(sink.into()))
            }
            Kind::Block(arguments) => self.block(arguments),
            Kind::Method(_, name) => {
                Err(Fault::unsupported(format!("calling a method of a value (`.{name}()`) is not simulated")))
            }
        }
    }
    fn name(&mut self, name: &str, line: usize) -> Found<Value> {
        for frame in self.frames.iter().rev() {
            if let Some(value) = frame.names.get(name) {
                return Ok(value.clone());
            }
            if frame.closed {
                return Err(attribute::no_root(name, self.template, line));
            }
        }
        match self.run.variable(name)? {
            Some(value) => Ok(value),
            None => Err(attribute::no_root(name, self.template, line)),
        }
    }
    fn get(&mut self, object: &'t Expr, key: &'t Expr, line: usize) -> Found<Value> {
        let value = self.value(object)?;
        let key = self.value(key)?;
        if matches!(value, Value::Null) {
            return Err(match &object.kind {
                Kind::Name(name) => attribute::no_root(name, self.template, line),
                _ => attribute::of_null(&key, self.template, line),
            });
        }
        attribute::get(&value, &key, self.template, line)
    }
    fn map(&mut self, entries: &'t [(Expr, Expr)]) -> Found<Value> {
        let mut map = IndexMap::with_capacity(entries.len());
        for (name, value) in entries {
            let Value::Text(name) = self.value(name)? else {
                return Err(Fault::unsupported("a key of a map that is no text is not simulated"));
            };
            let value = self.value(value)?;
            map.insert(name.to_string(), value);
        }
        // The engine makes room for a third more entries than it puts in.
        Value::hashed(map, (entries.len() * 4).div_ceil(3))
    }
    fn binary(&mut self, operator: Operator, left: &'t Expr, right: &'t Expr, line: usize) -> Found<Value> {
        match operator {
            Operator::And | Operator::Or => {
                let stops = operator == Operator::Or;
                if self.operand(operator, left, line)? == stops {
                    return Ok(Value::Bool(stops));
                }
                self.operand(operator, right, line).map(Value::Bool)
            }
            Operator::NullElse | Operator::UndefinedElse => match self.value(left) {
                Ok(Value::Null) if operator == Operator::NullElse => self.value(right),
                Err(fault) if fault.is_missing() => self.value(right),
                found => found,
            },
            Operator::Contains => {
                let left = self.value(left)?;
                if matches!(left, Value::Null) {
                    return Ok(Value::Bool(false));
                }
                let right = self.value(right)?;
                self.run.step(&left)?;
                operate::contains(&left, &right).map(Value::Bool).map_err(|message| self.fault(&message, line))
            }
            Operator::IsIn => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.run.step(&right)?;
                operate::is_in(&left, &right).map(Value::Bool)
            }
            Operator::Concatenate => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.run.step(&left)?;
                self.run.step(&right)?;
                let text = |value: &Value| if matches!(value, Value::Null) { String::new() } else { value.java_text() };
                Value::text(text(&left) + &text(&right))
            }
            Operator::Range => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                let mut arguments = IndexMap::new();
                arguments.insert("start".to_owned(), left);
                arguments.insert("end".to_owned(), right);
                invoke::function(self, "range", arguments, line)
            }
            _ => self.computed(operator, left, right, line),
        }
    }
    /// Arithmetic and comparison, whose failures are told as one of the operation.
    fn computed(&mut self, operator: Operator, left: &'t Expr, right: &'t Expr, line: usize) -> Found<Value> {
        let mut sides = || Ok((self.value(left)?, self.value(right)?));
        let sides = sides();
        let texts = self.run.dialect.compares_texts && operate::is_order(operator);
        let result = match sides {
            // Kestra's own comparison reads its sides before it begins to catch.
            Err(fault) if texts => return Err(fault),
            Ok((Value::Text(left), Value::Text(right))) if texts => {
                return Ok(Value::Bool(operate::ordered(operator, left.encode_utf16().cmp(right.encode_utf16()))));
            }
            Ok((left, right)) => {
                self.run.step(&left)?;
                operate::compute(operator, &left, &right)
            }
            Err(fault) => Err(fault),
        };
        result.map_err(|fault| self.wrapped(fault, operate::failure(operator), line))
    }
    /// A side of `and` and `or`.
    fn operand(&mut self, operator: Operator, side: &'t Expr, line: usize) -> Found<bool> {
        match self.value(side)? {
            Value::Null => {
                let name = if operator == Operator::And { "and" } else { "or" };
                let message = format!("null value used in {name} operator and strict variables is set to true");
                Err(self.fault(&message, line))
            }
            value => operate::boolean(&value),
        }
    }
    fn filter(&mut self, input: &'t Expr, name: &str, arguments: &'t Arguments, line: usize) -> Found<Value> {
        let Some(row) = invoke::filter_row(name, self.run.dialect)? else {
            return Err(self.fault(&format!("Filter [{name}] does not exist."), line));
        };
        let arguments = self.named(arguments, row.arguments)?;
        let input = match self.value(input) {
            Err(fault) if name == "default" && fault.is_missing() => Value::Null,
            found => found?,
        };
        self.run.step(&input)?;
        (row.apply)(Call { run: self.run, template: self.template, line, input, arguments })
    }
    fn test(&mut self, input: &'t Expr, name: &str, arguments: &'t Arguments, line: usize) -> Found<bool> {
        if !invoke::TESTS.contains(&name) {
            return Err(self.fault(&format!("Test [{name}] does not exist."), line));
        }
        self.named(arguments, None)?;
        let input = match self.value(input) {
            Err(fault) if name == "defined" && fault.is_missing() => Value::Null,
            found => found?,
        };
        self.run.step(&input)?;
        if matches!((name, &input), ("even" | "odd", Value::Null)) {
            return Err(self.fault(&format!("Can not pass null value to \"{name}\" test."), line));
        }
        invoke::test(name, &input)
    }
    fn call(&mut self, name: &str, arguments: &'t Arguments, line: usize) -> Found<Value> {
        match invoke::function_row(name, self.run.dialect)? {
            Some(row) => {
                let arguments = self.named(arguments, row.arguments)?;
                invoke::function(self, name, arguments, line)
            }
            None => match self.macros.get(name).copied() {
                Some(known) => self.expand(known, arguments),
                None => Err(self.fault(&format!("Function or Macro [{name}] does not exist."), line)),
            },
        }
    }
    /// Arguments by name; those of what takes any number are numbered.
    fn named(&mut self, arguments: &'t Arguments, names: Option<&[&str]>) -> Found<IndexMap<String, Value>> {
        let mut map = IndexMap::new();
        for (index, value) in arguments.positional.iter().enumerate() {
            let name = match names {
                None => index.to_string(),
                Some(names) => match names.get(index) {
                    Some(name) => (*name).to_owned(),
                    None => {
                        let (position, count) = (index + 1, names.len());
                        let message = format!(
                            "The argument at position {position} is not allowed. Only {count} argument(s) are allowed."
                        );
                        return Err(self.fault(&message, arguments.line));
                    }
                },
            };
            let value = self.value(value)?;
            map.insert(name, value);
        }
        for (name, value) in &arguments.named {
            let Some(names) = names else { break };
            if !names.is_empty() && !names.contains(&name.as_str()) {
                let message = format!("The following named argument does not exist: {name}");
                return Err(self.fault(&message, arguments.line));
            }
            let value = value.as_ref().map_or(Ok(Value::Null), |value| self.value(value))?;
            map.insert(name.clone(), value);
        }
        Ok(map)
    }
    /// A macro's body with these arguments.
    fn expand(&mut self, (parameters, body): (&'t Arguments, &'t Body), arguments: &'t Arguments) -> Found<Value> {
        let names: Vec<&str> = parameters.named.iter().map(|(name, _)| name.as_str()).collect();
        let given = self.named(arguments, Some(&names))?;
        let mut frame = Frame { closed: true, ..Frame::default() };
        for (name, default) in &parameters.named {
            let value = match (given.get(name), default) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => self.value(default)?,
                (None, None) => Value::Null,
            };
            frame.names.insert(name.clone(), value);
        }
        self.frames.push(frame);
        let mut sink = String::new();
        let rendered = self.body(body, &mut sink);
        self.frames.pop();
        rendered.map(|()| Value::Text(sink.into()))
    }
    fn block(&mut self, arguments: &'t Arguments) -> Found<Value> {
        let name = arguments.positional.first().map_or(Ok(Value::Null), |name| self.value(name))?;
        let Some(body) = self.blocks.get(name.java_text().as_str()).copied() else { return Ok(Value::word("")) };
        let mut sink = String::new();
        self.body(body, &mut sink)?;
        Ok(Value::Text(sink.into()))
    }
}
