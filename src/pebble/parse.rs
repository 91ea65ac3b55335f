//! Tokens become expressions: precedence climbing with the engine's own precedences.

use super::Dialect;
use super::error::{Fault, Found, class};
use super::lexer::{Token, Type};
use super::limits::NESTING_MAX;
use super::syntax::{Arguments, Body, Expr, Kind, Operator};
use super::value::Value;

/// Reads tokens in order.
pub struct Parser<'t> {
    pub template: &'t str,
    pub dialect: &'t Dialect,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

/// How strongly the signs and `not` bind.
const UNARY: u16 = 500;
/// How strongly a filter binds.
const FILTER: u16 = 100;
/// How strongly a test binds.
const TEST: u16 = 20;

/// Operators with two sides: name, strength, node. `??` has its strength from the dialect.
const BINARY: &[(&str, u16, Operator)] = &[
    ("or", 10, Operator::Or),
    ("and", 15, Operator::And),
    ("contains", 20, Operator::Contains),
    ("isIn", 30, Operator::IsIn),
    ("==", 30, Operator::Equals),
    ("equals", 30, Operator::Equals),
    ("!=", 30, Operator::Differs),
    (">", 30, Operator::Greater),
    ("<", 30, Operator::Less),
    (">=", 30, Operator::GreaterEquals),
    ("<=", 30, Operator::LessEquals),
    ("+", 40, Operator::Add),
    ("-", 40, Operator::Subtract),
    ("*", 60, Operator::Multiply),
    ("/", 60, Operator::Divide),
    ("%", 60, Operator::Modulus),
    ("~", 110, Operator::Concatenate),
    ("..", 120, Operator::Range),
    ("??", 0, Operator::NullElse),
    ("???", 0, Operator::UndefinedElse),
];

/// What follows an operand.
enum Next {
    Filter,
    Test(bool),
    Binary(Operator),
}

impl<'t> Parser<'t> {
    /// Over these tokens.
    pub fn new(template: &'t str, dialect: &'t Dialect, tokens: Vec<Token>) -> Parser<'t> {
        Parser { template, dialect, tokens, at: 0, depth: 0 }
    }
    pub fn fault(&self, message: &str, line: usize) -> Box<Fault> {
        Fault::engine(class::PARSER, message, self.template, line)
    }
    /// The token to be read. The last one, the end, is never passed.
    pub fn current(&self) -> Token {
        self.peek(0)
    }
    fn peek(&self, ahead: usize) -> Token {
        let end = || Token { kind: Type::Eof, value: None, line: 1 };
        self.tokens.get(self.at + ahead).or(self.tokens.last()).cloned().unwrap_or_else(end)
    }
    pub fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.line)
    }
    pub fn is(&self, kind: Type, value: &str) -> bool {
        self.is_ahead(0, kind, value)
    }
    fn is_ahead(&self, ahead: usize, kind: Type, value: &str) -> bool {
        self.tokens
            .get(self.at + ahead)
            .is_some_and(|token| token.kind == kind && token.value.as_deref() == Some(value))
    }
    pub fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len());
    }
    /// Reads a token of a kind, and of a text where one is given.
    pub fn expect(&mut self, kind: Type, value: Option<&str>) -> Found<Token> {
        let token = self.current();
        if token.kind != kind || value.is_some_and(|value| token.value.as_deref() != Some(value)) {
            let found = token.value.as_deref().unwrap_or("null");
            let (is, should) = (token.kind.name(), kind.name());
            let message =
                format!("Unexpected token of value \"{found}\" and type {is}, expected token of type {should}");
            return Err(self.fault(&message, token.line));
        }
        self.advance();
        Ok(token)
    }
    fn punctuation(&mut self, value: &str) -> Found<Token> {
        self.expect(Type::Punctuation, Some(value))
    }
    /// Counts how deep the parser is.
    pub fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Found<T>) -> Found<T> {
        if self.depth >= NESTING_MAX {
            return Err(Fault::limit(format!("the parts of the template are nested more than {NESTING_MAX} deep")));
        }
        self.depth += 1;
        let found = read(self);
        self.depth -= 1;
        found
    }
    /// An expression.
    pub fn expression(&mut self) -> Found<Expr> {
        self.deeper(|parser| parser.climb(0))
    }
    fn climb(&mut self, strength: u16) -> Found<Expr> {
        let mut left = self.operand()?;
        while let Some((next, binds)) = self.next() {
            if binds < strength {
                break;
            }
            self.advance();
            left = match next {
                Next::Filter => {
                    let (name, arguments) = self.invocation()?;
                    Expr::new(Kind::Filter(Box::new(left), name, arguments), self.line())?
                }
                Next::Test(negated) => {
                    let (name, arguments) = self.invocation()?;
                    Expr::new(Kind::Test(Box::new(left), name, arguments, negated), self.line())?
                }
                Next::Binary(operator) => {
                    let right = self.deeper(|parser| parser.climb(binds + 1))?;
                    Expr::new(Kind::Binary(operator, Box::new(left), Box::new(right)), self.line())?
                }
            };
        }
        if strength == 0 { self.ternary(left) } else { Ok(left) }
    }
    /// The operator that stands here, and how strongly it binds.
    fn next(&self) -> Option<(Next, u16)> {
        let token = self.tokens.get(self.at).filter(|token| token.kind == Type::Operator)?;
        match token.value.as_deref()? {
            "|" => Some((Next::Filter, FILTER)),
            "is" => Some((Next::Test(false), TEST)),
            "is not" => Some((Next::Test(true), TEST)),
            name => BINARY.iter().find(|row| row.0 == name).map(|(_, binds, operator)| {
                (Next::Binary(*operator), if *binds == 0 { self.dialect.coalescing } else { *binds })
            }),
        }
    }
    /// A sign and what it stands before, something in brackets, or a simple expression.
    fn operand(&mut self) -> Found<Expr> {
        let token = self.current();
        let value = token.value.as_deref().unwrap_or("");
        match (token.kind, value) {
            (Type::Operator, "not" | "+" | "-") => {
                self.advance();
                let child = Box::new(self.deeper(|parser| parser.climb(UNARY))?);
                let kind = match value {
                    "not" => Kind::Not(child),
                    "-" => Kind::Sign(-1, child),
                    _ => Kind::Sign(1, child),
                };
                Expr::new(kind, self.line())
            }
            (Type::Punctuation, "(") => {
                self.advance();
                let inner = self.expression()?;
                self.punctuation(")")?;
                self.postfix(inner)
            }
            (Type::Punctuation, "[") => self.array(),
            (Type::Punctuation, "{") => self.map(),
            _ => {
                let simple = self.simple(token)?;
                self.postfix(simple)
            }
        }
    }
    fn simple(&mut self, token: Token) -> Found<Expr> {
        let value = token.value.clone().unwrap_or_default();
        let kind = match token.kind {
            Type::Name => match value.as_str() {
                "true" | "TRUE" => Kind::Literal(Value::Bool(true)),
                "false" | "FALSE" => Kind::Literal(Value::Bool(false)),
                "none" | "NONE" | "null" | "NULL" => Kind::Literal(Value::Null),
                _ if self.is_ahead(1, Type::Punctuation, "(") => {
                    let line = self.peek(1).line;
                    self.advance();
                    let arguments = self.arguments(false)?;
                    let call = match value.as_str() {
                        "block" => Kind::Block(arguments),
                        _ => Kind::Call(value, arguments),
                    };
                    return Expr::new(call, line);
                }
                _ => Kind::Name(value),
            },
            Type::Long => Kind::Literal(Value::Long(parsed(&value)?)),
            Type::Number if value.contains('.') => Kind::Literal(Value::Double(value.parse().unwrap_or(f64::INFINITY))),
            Type::Number => Kind::Literal(Value::Long(parsed(&value)?)),
            Type::Quoted | Type::InterpolationStart => return self.text(),
            _ => {
                let value = token.value.as_deref().unwrap_or("null");
                let message = format!("Unexpected token \"{}\" of value \"{value}\"", token.kind.name());
                return Err(self.fault(&message, token.line));
            }
        };
        self.advance();
        Expr::new(kind, token.line)
    }
    /// A text, put together of what stands around its interpolations.
    fn text(&mut self) -> Found<Expr> {
        let mut parts: Vec<Expr> = Vec::new();
        let mut after_text = false;
        loop {
            let token = self.current();
            match token.kind {
                Type::Quoted if !after_text => {
                    self.advance();
                    let text = Value::text(token.value.unwrap_or_default())?;
                    parts.push(Expr::new(Kind::Literal(text), token.line)?);
                    after_text = true;
                }
                Type::InterpolationStart => {
                    self.advance();
                    parts.push(self.expression()?);
                    self.expect(Type::InterpolationEnd, None)?;
                    after_text = false;
                }
                _ => break,
            }
        }
        let line = self.line();
        let mut parts = parts.into_iter().rev();
        let empty = || Expr::new(Kind::Literal(Value::word("")), line);
        let last = parts.next().map_or_else(empty, Ok)?;
        parts.try_fold(last, |right, left| {
            Expr::new(Kind::Binary(Operator::Concatenate, Box::new(left), Box::new(right)), line)
        })
    }
    fn ternary(&mut self, test: Expr) -> Found<Expr> {
        if !self.is(Type::Punctuation, "?") {
            return Ok(test);
        }
        self.advance();
        let yes = self.expression()?;
        self.punctuation(":")?;
        let no = self.expression()?;
        Expr::new(Kind::Ternary(Box::new(test), Box::new(yes), Box::new(no)), self.line())
    }
    /// Attributes and subscripts behind an expression.
    fn postfix(&mut self, mut node: Expr) -> Found<Expr> {
        loop {
            if self.is(Type::Punctuation, ".") {
                self.advance();
                let token = self.expect(Type::Name, None)?;
                let name = token.value.unwrap_or_default();
                let kind = if self.is(Type::Punctuation, "(") {
                    let arguments = self.arguments(false)?;
                    if !arguments.named.is_empty() {
                        let message = "Can not use named arguments when calling a bean method";
                        return Err(self.fault(message, self.line()));
                    }
                    Kind::Method(Box::new(node), name)
                } else {
                    let key = Expr::new(Kind::Literal(Value::text(name)?), token.line)?;
                    Kind::Get(Box::new(node), Box::new(key))
                };
                node = Expr::new(kind, token.line)?;
            } else if self.is(Type::Punctuation, "[") {
                self.advance();
                let key = self.expression()?;
                node = Expr::new(Kind::Get(Box::new(node), Box::new(key)), self.line())?;
                self.punctuation("]")?;
            } else {
                // A call of what is no name makes the real engine fall over in its own words.
                return match self.is(Type::Punctuation, "(") {
                    true => Err(Fault::unsupported("a call of what is no name of a function is not simulated")),
                    false => Ok(node),
                };
            }
        }
    }
    /// A filter or a test: its name and arguments.
    pub fn invocation(&mut self) -> Found<(String, Arguments)> {
        let token = self.expect(Type::Name, None)?;
        let arguments = if self.is(Type::Punctuation, "(") {
            self.arguments(false)?
        } else {
            Arguments { line: token.line, ..Arguments::default() }
        };
        Ok((token.value.unwrap_or_default(), arguments))
    }
    /// Arguments in round brackets; those of a macro's definition are names with an optional value.
    pub fn arguments(&mut self, definition: bool) -> Found<Arguments> {
        self.punctuation("(")?;
        let mut arguments = Arguments::default();
        while !self.is(Type::Punctuation, ")") {
            if !(arguments.named.is_empty() && arguments.positional.is_empty()) {
                self.punctuation(",")?;
            }
            if definition {
                let name = self.new_name()?;
                let value = self.default()?;
                arguments.named.push((name, value));
            } else if self.is_ahead(1, Type::Punctuation, "=") {
                let name = self.new_name()?;
                self.punctuation("=")?;
                let value = self.expression()?;
                arguments.named.push((name, Some(value)));
            } else {
                let value = self.expression()?;
                if !arguments.named.is_empty() {
                    let message = "Positional arguments must be declared before any named arguments.";
                    return Err(self.fault(message, self.line()));
                }
                arguments.positional.push(value);
            }
        }
        self.punctuation(")")?;
        arguments.line = self.line();
        Ok(arguments)
    }
    fn default(&mut self) -> Found<Option<Expr>> {
        if !self.is(Type::Punctuation, "=") {
            return Ok(None);
        }
        self.advance();
        self.expression().map(Some)
    }
    /// A name that may be given a value.
    pub fn new_name(&mut self) -> Found<String> {
        let token = self.expect(Type::Name, None)?;
        let name = token.value.unwrap_or_default();
        if matches!(name.as_str(), "true" | "false" | "null" | "none") {
            return Err(self.fault(&format!("Can not assign a value to {name}"), token.line));
        }
        Ok(name)
    }
    fn array(&mut self) -> Found<Expr> {
        self.punctuation("[")?;
        let mut items = Vec::new();
        if !self.is(Type::Punctuation, "]") {
            items.push(self.expression()?);
            while !self.is(Type::Punctuation, "]") {
                self.punctuation(",")?;
                items.push(self.expression()?);
            }
        }
        self.punctuation("]")?;
        Expr::new(Kind::Array(items), self.line())
    }
    fn map(&mut self) -> Found<Expr> {
        self.punctuation("{")?;
        let mut entries = Vec::new();
        while !self.is(Type::Punctuation, "}") {
            if !entries.is_empty() {
                self.punctuation(",")?;
            }
            let name = self.expression()?;
            self.punctuation(":")?;
            entries.push((name, self.expression()?));
        }
        self.punctuation("}")?;
        Expr::new(Kind::Map(entries), self.line())
    }
    /// A body as the input of filters.
    pub fn filtered(&mut self, body: Body, filters: Vec<(String, Arguments)>, line: usize) -> Found<Expr> {
        let input = Expr::new(Kind::Body(body), line)?;
        filters
            .into_iter()
            .try_fold(input, |input, (name, arguments)| Expr::new(Kind::Filter(Box::new(input), name, arguments), line))
    }
}

/// A whole number as `Long.valueOf` reads it.
fn parsed(digits: &str) -> Found<i64> {
    digits.parse().map_err(|_| Fault::java(class::NUMBER, format!("For input string: \"{digits}\"")))
}
