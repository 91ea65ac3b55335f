//! The syntax of templates.

use std::collections::BTreeMap;

use super::{Dialect, Value, functions};

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Text(String),
    Print(Pipeline),
    If(Pipeline, Vec<Action>, Vec<Action>),
    With(Pipeline, Vec<Action>, Vec<Action>),
    Range(Vec<String>, Pipeline, Vec<Action>, Vec<Action>),
    Template(String, Option<Pipeline>),
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

/// Blocks inside blocks, and parentheses inside parentheses.
const MAX_NESTING: usize = 50;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    /// `.name` right after something, or a dot alone with an empty name.
    Field(String),
    Variable(String),
    Text(String),
    Number(String),
    Open,
    Close,
    Pipe,
    Comma,
    Declare,
    Assign,
    /// Blanks, which part the words of a command.
    Blank,
}

type Nodes = Vec<Action>;

pub(super) fn parse(text: &str, dialect: Dialect) -> Result<(Nodes, BTreeMap<String, Nodes>), String> {
    let mut parser = Parser { dialect, pieces: pieces(text)?, at: 0, defined: BTreeMap::new() };
    let (nodes, end) = parser.block(0)?;
    match end {
        None => Ok((nodes, parser.defined)),
        Some(word) => Err(format!("unexpected {{{{{word}}}}}")),
    }
}

enum Piece {
    Text(String),
    Action(Vec<Token>),
}

/// Splits a text into what stands outside and inside of `{{ }}`.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut all = Vec::new();
    let mut rest = text;
    let mut trim = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let (left, after) = match after.strip_prefix('-').filter(|rest| rest.starts_with(char::is_whitespace)) {
            Some(after) => (true, after),
            None => (false, after),
        };
        let mut outside = if trim { before.trim_start() } else { before };
        if left {
            outside = outside.trim_end();
        }
        all.push(Piece::Text(outside.to_owned()));
        let inside = after.trim_start();
        if let Some(comment) = inside.strip_prefix("/*") {
            let (_, after) = comment.split_once("*/").ok_or("unclosed comment")?;
            let after = after.trim_start();
            let (after, right) = match after.strip_prefix("-}}") {
                Some(after) => (after, true),
                None => (after.strip_prefix("}}").ok_or("comment ends before closing delimiter")?, false),
            };
            (rest, trim) = (after, right);
            continue;
        }
        let (tokens, after, right) = tokens(after)?;
        all.push(Piece::Action(tokens));
        (rest, trim) = (after, right);
    }
    all.push(Piece::Text((if trim { rest.trim_start() } else { rest }).to_owned()));
    Ok(all)
}

/// The name a text begins with, and its length.
fn name(text: &str) -> (String, usize) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (text[..end].to_owned(), end)
}

/// Names end at a blank or one of a few signs, as Go's lexer has it: `$$x` and `$x=1` are mistakes.
fn ends_word(rest: &str) -> Result<(), String> {
    match rest.chars().next() {
        Some(c) if !c.is_whitespace() && !".,|:)(".contains(c) && !rest.starts_with("}}") => {
            Err(format!("bad character U+{:04X} {c:?}", u32::from(c)))
        }
        _ => Ok(()),
    }
}

/// The tokens of an action, what follows it, and whether blanks are to be trimmed there.
fn tokens(text: &str) -> Result<(Vec<Token>, &str, bool), String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            if rest.trim_start().starts_with("-}}") {
                return Ok((tokens, &rest.trim_start()[3..], true));
            }
            tokens.push(Token::Blank);
            rest = &rest[blank..];
        }
        if let Some(after) = rest.strip_prefix("}}") {
            return Ok((tokens, after, false));
        }
        let Some(first) = rest.chars().next() else { return Err("unclosed action".into()) };
        let (token, length) = match first {
            '"' => {
                let end = string_end(rest).ok_or("unterminated quoted string")?;
                let inner: String =
                    serde_json::from_str(&rest[..end]).map_err(|_| format!("invalid string {}", &rest[..end]))?;
                (Token::Text(inner), end)
            }
            '`' => {
                let end = rest[1..].find('`').ok_or("unterminated raw quoted string")?;
                (Token::Text(rest[1..=end].to_owned()), end + 2)
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '|' => (Token::Pipe, 1),
            ',' => (Token::Comma, 1),
            ':' if rest.starts_with(":=") => (Token::Declare, 2),
            '=' => (Token::Assign, 1),
            '$' => {
                let (name, length) = name(&rest[1..]);
                ends_word(&rest[length + 1..])?;
                (Token::Variable(format!("${name}")), length + 1)
            }
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let (name, length) = name(&rest[1..]);
                ends_word(&rest[length + 1..])?;
                (Token::Field(name), length + 1)
            }
            c if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => {
                let end = rest[1..]
                    .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-' | '+'))
                    .map_or(rest.len(), |end| end + 1);
                (Token::Number(rest[..end].to_owned()), end)
            }
            c if c.is_alphabetic() || c == '_' => {
                let (name, length) = name(rest);
                ends_word(&rest[length..])?;
                (Token::Word(name), length)
            }
            other => return Err(format!("unexpected {other:?} in command")),
        };
        tokens.push(token);
        rest = &rest[length..];
    }
}

/// Where a quoted string ends.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            b'\n' => return None,
            _ => {}
        }
    }
    None
}

struct Parser {
    dialect: Dialect,
    pieces: Vec<Piece>,
    at: usize,
    defined: BTreeMap<String, Vec<Action>>,
}

impl Parser {
    /// A template of its own, up to its end.
    fn define(&mut self, line: &mut Line, depth: usize) -> Result<(), String> {
        let name = line.name_of_template("define")?;
        let (body, end) = self.block(depth + 1)?;
        if end.as_deref() != Some("end") {
            return Err("unexpected EOF".into());
        }
        self.defined.insert(name, body);
        Ok(())
    }

    /// Everything up to `end` or `else`, and which it was, with what follows `else`.
    fn block(&mut self, depth: usize) -> Result<(Vec<Action>, Option<String>), String> {
        if depth > MAX_NESTING {
            return Err("blocks are nested too deeply".into());
        }
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.get(self.at) {
            self.at += 1;
            let tokens = match piece {
                Piece::Text(text) => {
                    if !text.is_empty() {
                        nodes.push(Action::Text(text.clone()));
                    }
                    continue;
                }
                Piece::Action(tokens) => tokens.clone(),
            };
            let mut line = Line { dialect: self.dialect, tokens, at: 0, depth: 0 };
            line.blanks();
            let word = match line.peek() {
                Some(Token::Word(word)) => word.clone(),
                _ => String::new(),
            };
            match word.as_str() {
                "end" => return Ok((nodes, Some("end".into()))),
                "else" => {
                    line.next();
                    line.blanks();
                    if line.peek().is_some() {
                        // `else if`: the rest of this action is read once more, as an action of its own.
                        let rest = line.tokens.split_off(line.at);
                        self.at -= 1;
                        self.pieces[self.at] = Piece::Action(rest);
                        return Ok((nodes, Some("else if".into())));
                    }
                    return Ok((nodes, Some("else".into())));
                }
                "if" | "with" | "range" => nodes.push(self.branch(&word, &mut line, depth)?),
                "template" => nodes.push(line.template()?),
                "define" => self.define(&mut line, depth)?,
                "block" | "break" | "continue" => return Err(format!("{{{{{word}}}}} is not supported")),
                _ => {
                    let pipeline = line.pipeline()?;
                    line.finished()?;
                    nodes.push(Action::Print(pipeline));
                }
            }
        }
        Ok((nodes, None))
    }

    /// An `if`, `with` or `range`, up to its end.
    fn branch(&mut self, word: &str, line: &mut Line, depth: usize) -> Result<Action, String> {
        line.next();
        let names = if word == "range" { line.range_names()? } else { Vec::new() };
        let pipeline = line.pipeline()?;
        line.finished()?;
        let (body, end) = self.block(depth + 1)?;
        let otherwise = self.otherwise(end, depth)?;
        Ok(match word {
            "if" => Action::If(pipeline, body, otherwise),
            "with" => Action::With(pipeline, body, otherwise),
            _ => Action::Range(names, pipeline, body, otherwise),
        })
    }

    /// What stands after `else`.
    fn otherwise(&mut self, end: Option<String>, depth: usize) -> Result<Vec<Action>, String> {
        match end.as_deref() {
            Some("end") => Ok(Vec::new()),
            Some("else") => {
                let (nodes, end) = self.block(depth + 1)?;
                match end.as_deref() {
                    Some("end") => Ok(nodes),
                    Some(_) => Err("expected end; found {{else}}".into()),
                    None => Err("unexpected EOF".into()),
                }
            }
            Some(_) => {
                // `else if` has no `end` of its own: it ends with the whole.
                Ok(vec![self.chained(depth + 1)?])
            }
            None => Err("unexpected EOF".into()),
        }
    }

    /// One `if` or `with` that follows an `else`.
    fn chained(&mut self, depth: usize) -> Result<Action, String> {
        if depth > MAX_NESTING {
            return Err("blocks are nested too deeply".into());
        }
        let Some(Piece::Action(tokens)) = self.pieces.get(self.at) else { return Err("unexpected EOF".into()) };
        let mut line = Line { dialect: self.dialect, tokens: tokens.clone(), at: 0, depth: 0 };
        self.at += 1;
        line.blanks();
        let word = match line.next() {
            Some(Token::Word(word)) if word == "if" || word == "with" => word,
            _ => return Err("unexpected word after else".into()),
        };
        let pipeline = line.pipeline()?;
        line.finished()?;
        let (body, end) = self.block(depth + 1)?;
        let otherwise = self.otherwise(end, depth)?;
        Ok(if word == "if" { Action::If(pipeline, body, otherwise) } else { Action::With(pipeline, body, otherwise) })
    }
}

/// The tokens of one action.
struct Line {
    dialect: Dialect,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Line {
    /// The name after `define` or `template`.
    fn name_of_template(&mut self, word: &str) -> Result<String, String> {
        self.next();
        self.blanks();
        match self.next() {
            Some(Token::Text(name)) => Ok(name),
            _ => Err(format!("{word} needs a name")),
        }
    }

    fn template(&mut self) -> Result<Action, String> {
        let name = self.name_of_template("template")?;
        self.blanks();
        let pipeline = if self.peek().is_some() { Some(self.pipeline()?) } else { None };
        self.finished()?;
        Ok(Action::Template(name, pipeline))
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }
    fn blanks(&mut self) {
        while self.peek() == Some(&Token::Blank) {
            self.at += 1;
        }
    }
    fn finished(&mut self) -> Result<(), String> {
        self.blanks();
        if self.peek().is_some() { Err("unexpected token in command".into()) } else { Ok(()) }
    }

    /// The tokens that are no blanks, from here on.
    fn solid(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens.iter().enumerate().skip(self.at).filter(|(_, token)| **token != Token::Blank)
    }

    /// `$i, $e :=` or `$e :=` of a range.
    fn range_names(&mut self) -> Result<Vec<String>, String> {
        let tokens: Vec<(usize, Token)> = self.solid().take(4).map(|(at, token)| (at, token.clone())).collect();
        let mut kinds = tokens.iter().map(|(_, token)| token);
        let (names, used) = match (kinds.next(), kinds.next(), kinds.next(), kinds.next()) {
            (Some(Token::Variable(one)), Some(Token::Declare), ..) => (vec![one.clone()], 2),
            (Some(Token::Variable(one)), Some(Token::Comma), Some(Token::Variable(two)), Some(Token::Declare)) => {
                (vec![one.clone(), two.clone()], 4)
            }
            _ => return Ok(Vec::new()),
        };
        self.at = tokens.get(used - 1).map_or(self.at, |(at, _)| at + 1);
        Ok(names)
    }

    fn pipeline(&mut self) -> Result<Pipeline, String> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err("parentheses are nested too deeply".into());
        }
        let mut variable = None;
        let first: Vec<(usize, Token)> = self.solid().take(2).map(|(at, token)| (at, token.clone())).collect();
        if let [(_, Token::Variable(name)), (at, sign @ (Token::Declare | Token::Assign))] = first.as_slice() {
            variable = Some((name.clone(), *sign == Token::Declare));
            self.at = at + 1;
        }
        let mut commands = Vec::new();
        loop {
            let mut words = Vec::new();
            loop {
                self.blanks();
                match self.peek() {
                    None | Some(Token::Pipe | Token::Close) => break,
                    Some(_) => words.push(self.operand()?),
                }
            }
            if words.is_empty() {
                return Err("missing value for command".into());
            }
            commands.push(words);
            if self.peek() != Some(&Token::Pipe) {
                break;
            }
            self.at += 1;
        }
        self.depth -= 1;
        Ok(Pipeline { variable, commands })
    }

    /// `.a.b` right behind something.
    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Some(Token::Field(name)) = self.peek() {
            if name.is_empty() {
                break;
            }
            fields.push(name.clone());
            self.at += 1;
        }
        fields
    }

    fn operand(&mut self) -> Result<Operand, String> {
        Ok(match self.next() {
            Some(Token::Text(text)) => Operand::Value(Value::Text(text)),
            Some(Token::Number(text)) => Operand::Value(number(&text)?),
            Some(Token::Word(word)) => match word.as_str() {
                "true" | "false" => Operand::Value(Value::Bool(word == "true")),
                "nil" => Operand::Value(Value::Nil),
                _ if functions::known(&word, self.dialect) => Operand::Function(word),
                _ => return Err(format!("function \"{word}\" not defined")),
            },
            Some(Token::Field(name)) if name.is_empty() => Operand::Dot(Vec::new()),
            Some(Token::Field(name)) => {
                let mut fields = vec![name];
                fields.extend(self.fields());
                Operand::Dot(fields)
            }
            Some(Token::Variable(name)) => Operand::Variable(name, self.fields()),
            Some(Token::Open) => {
                let pipeline = self.pipeline()?;
                self.blanks();
                if self.next() != Some(Token::Close) {
                    return Err("unclosed left paren".into());
                }
                Operand::Pipeline(pipeline, self.fields())
            }
            _ => return Err("unexpected token in operand".into()),
        })
    }
}

fn number(text: &str) -> Result<Value, String> {
    let plain = text.replace('_', "");
    if let Ok(whole) = plain.parse::<i64>() {
        return Ok(Value::Int(whole));
    }
    let hex = plain.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok());
    match (hex, plain.parse::<f64>()) {
        (Some(whole), _) => Ok(Value::Int(whole)),
        (None, Ok(value)) if !text.to_lowercase().contains(['n', 'i']) => Ok(Value::Float(value)),
        _ => Err(format!("bad number syntax: \"{text}\"")),
    }
}
