//! A template as tokens, with the engine's own rules of where one ends and its words for what fits none.

use super::Dialect;
use super::error::{Fault, Found, class};

/// What kind of token it is, under the name that errors use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    PrintStart,
    PrintEnd,
    ExecuteStart,
    ExecuteEnd,
    Name,
    Number,
    Long,
    Quoted,
    Operator,
    Punctuation,
    InterpolationStart,
    InterpolationEnd,
    Eof,
}

impl Type {
    /// As the engine writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Type::Text => "TEXT",
            Type::PrintStart => "PRINT_START",
            Type::PrintEnd => "PRINT_END",
            Type::ExecuteStart => "EXECUTE_START",
            Type::ExecuteEnd => "EXECUTE_END",
            Type::Name => "NAME",
            Type::Number => "NUMBER",
            Type::Long => "LONG",
            Type::Quoted => "STRING",
            Type::Operator => "OPERATOR",
            Type::Punctuation => "PUNCTUATION",
            Type::InterpolationStart => "STRING_INTERPOLATION_START",
            Type::InterpolationEnd => "STRING_INTERPOLATION_END",
            Type::Eof => "EOF",
        }
    }
}

/// A token; those without a text of their own have none.
#[derive(Clone, Debug)]
pub struct Token {
    pub kind: Type,
    pub value: Option<String>,
    pub line: usize,
}

/// What the lexer is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Data,
    Execute,
    Print,
    Text,
    Interpolation,
}

/// Operators, the longest first: `is not` must be found before `is`.
const OPERATORS: &[&str] = &[
    "contains", "is not", "equals", "isIn", "not", "and", "???", "or", "is", "==", "!=", ">=", "<=", "??", "..", ">",
    "<", "+", "-", "*", "/", "%", "|", "~",
];

const PUNCTUATION: &str = "()[]{}?:.,|=";

struct Lexer<'t> {
    template: &'t str,
    rest: &'t str,
    line: usize,
    tokens: Vec<Token>,
    brackets: Vec<char>,
    states: Vec<State>,
    trim_next: bool,
    dialect: &'t Dialect,
}

/// The tokens of a template, the last of them the end.
pub fn tokens(template: &str, dialect: &Dialect) -> Found<Vec<Token>> {
    let mut lexer = Lexer {
        template,
        rest: template,
        line: 1,
        tokens: Vec::new(),
        brackets: Vec::new(),
        states: vec![State::Data],
        trim_next: false,
        dialect,
    };
    while !lexer.rest.is_empty() {
        match lexer.states.last().copied().unwrap_or(State::Data) {
            State::Data => lexer.data()?,
            State::Execute => lexer.between("%}", Type::ExecuteEnd)?,
            State::Print => lexer.between("}}", Type::PrintEnd)?,
            State::Text => lexer.text()?,
            State::Interpolation => lexer.interpolation()?,
        }
    }
    lexer.push(Type::Eof, None);
    match lexer.brackets.last() {
        Some('#') => Err(lexer.fault("Unclosed \"#{\"")),
        Some(open) => Err(lexer.fault(&format!("Unclosed \"{open}\""))),
        None => Ok(lexer.tokens),
    }
}

/// Blanks as Java's `\s` has them.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// What is left after an optional `-` and the closing delimiter, blanks before them skipped; and whether a `-` was there.
fn closed<'t>(text: &'t str, close: &str) -> Option<(&'t str, bool)> {
    let text = text.trim_start_matches(is_blank);
    match text.strip_prefix(close) {
        Some(rest) => Some((rest, false)),
        None => text.strip_prefix('-')?.strip_prefix(close).map(|rest| (rest, true)),
    }
}

impl<'t> Lexer<'t> {
    fn fault(&self, message: &str) -> Box<Fault> {
        Fault::engine(class::PARSER, message, self.template, self.line)
    }
    fn push(&mut self, kind: Type, value: Option<&str>) {
        self.tokens.push(Token { kind, value: value.map(str::to_owned), line: self.line });
    }
    /// Goes on behind so many bytes, counting lines.
    fn advance(&mut self, bytes: usize) -> &'t str {
        let (passed, rest) = self.rest.split_at(bytes);
        let returns = passed.matches('\r').count() - passed.matches("\r\n").count();
        self.line += passed.matches('\n').count() + returns;
        self.rest = rest;
        passed
    }
    fn advance_to(&mut self, rest: &'t str) {
        self.advance(self.rest.len() - rest.len());
    }
    /// Text up to the next delimiter that opens.
    fn data(&mut self) -> Found<()> {
        let open = |at: usize| self.rest.get(at..at + 2).filter(|open| ["{{", "{%", "{#"].contains(open));
        let opens = self.rest.match_indices('{').find_map(|(at, _)| open(at).map(|open| (at, open)));
        let text = self.advance(opens.map_or(self.rest.len(), |(at, _)| at));
        if opens.is_some() {
            self.advance(2);
        }
        let mut text = if self.trim_next { text.trim_start_matches(java_blank) } else { text };
        self.trim_next = false;
        let dash = opens.is_some() && self.rest.starts_with('-') && self.rest[1..].starts_with(is_blank);
        if dash {
            text = text.trim_end_matches(java_blank);
        }
        if !text.is_empty() {
            self.push(Type::Text, Some(text));
        }
        if dash {
            self.advance_to(self.rest[1..].trim_start_matches(is_blank));
        }
        match opens.map(|(_, open)| open) {
            Some("{#") => self.comment(),
            Some("{{") => {
                self.push(Type::PrintStart, None);
                self.states.push(State::Print);
                Ok(())
            }
            Some(_) => self.execute(),
            None => Ok(()),
        }
    }
    fn comment(&mut self) -> Found<()> {
        let Some(at) = self.rest.find("#}") else { return Err(self.fault("Unclosed comment.")) };
        let comment = &self.rest[..at];
        self.trim_next = comment.ends_with('-') && comment[..at - 1].ends_with(is_blank);
        self.advance(at + 2);
        Ok(())
    }
    /// A tag opens; `verbatim` is one of the lexer's own.
    fn execute(&mut self) -> Found<()> {
        let name = self.rest.trim_start_matches(is_blank);
        let Some((body, _)) = name.strip_prefix("verbatim").and_then(|rest| closed(rest, "%}")) else {
            self.push(Type::ExecuteStart, None);
            self.states.push(State::Execute);
            return Ok(());
        };
        self.advance_to(body);
        for (at, _) in body.match_indices("{%") {
            let tag = &body[at + 2..];
            let (tag, trims) = tag.strip_prefix('-').map_or((tag, false), |tag| (tag, true));
            let end = tag.trim_start_matches(is_blank).strip_prefix("endverbatim");
            let Some((rest, trim_next)) = end.and_then(|rest| closed(rest, "%}")) else { continue };
            let text = body[..at].trim_start_matches(java_blank);
            let text = if trims { text.trim_end_matches(java_blank) } else { text };
            self.advance_to(rest);
            self.trim_next = trim_next;
            if !text.is_empty() {
                self.push(Type::Text, Some(text));
            }
            return Ok(());
        }
        Err(self.fault("Unclosed verbatim tag."))
    }
    /// Between delimiters: the closing one, or a part of an expression.
    fn between(&mut self, close: &'static str, end: Type) -> Found<()> {
        if let Some((rest, trims)) = closed(self.rest, close) {
            self.trim_next |= trims;
            if self.brackets.is_empty() {
                self.push(end, Some(close));
                self.advance_to(rest);
                self.states.pop();
                return Ok(());
            }
        }
        self.expression()
    }
    fn interpolation(&mut self) -> Found<()> {
        let rest = self.rest.trim_start_matches(is_blank);
        if self.brackets.last() == Some(&'#') && rest.starts_with('}') {
            self.brackets.pop();
            self.push(Type::InterpolationEnd, None);
            self.advance_to(&rest[1..]);
            self.states.pop();
            return Ok(());
        }
        self.expression()
    }
    /// Within a text that may hold `#{..}`.
    fn text(&mut self) -> Found<()> {
        if self.rest.starts_with("#{") {
            self.brackets.push('#');
            self.push(Type::InterpolationStart, None);
            self.advance(2);
            self.states.push(State::Interpolation);
            return Ok(());
        }
        if self.rest.starts_with('"') {
            self.brackets.pop();
            self.states.pop();
            self.advance(1);
            return Ok(());
        }
        let mut end = 0;
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            end = match c {
                '"' => break,
                '#' if self.rest[at + 1..].starts_with('{') => break,
                '\\' => match chars.next() {
                    Some((next, escaped)) => next + escaped.len_utf8(),
                    None => return Err(self.fault("Unclosed \"\"\"")),
                },
                _ => at + c.len_utf8(),
            };
        }
        let text = self.advance(end);
        self.push(Type::Quoted, Some(text));
        Ok(())
    }
    /// One token of an expression.
    fn expression(&mut self) -> Found<()> {
        self.advance_to(self.rest.trim_start_matches(is_blank));
        let Some(first) = self.rest.chars().next() else { return Ok(()) };
        if let Some(operator) = self.operator() {
            self.push(Type::Operator, Some(operator));
            self.advance(operator.len());
        } else if first.is_alphabetic() || first == '_' {
            let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
            self.take(Type::Name, end);
        } else if first.is_ascii_digit() {
            self.number();
        } else if PUNCTUATION.contains(first) {
            self.bracket(first)?;
            self.take(Type::Punctuation, 1);
        } else if let Some((text, bytes)) = self.plain_text(first) {
            self.advance(bytes);
            self.push(Type::Quoted, Some(&text));
        } else if first == '"' {
            self.brackets.push('"');
            self.states.push(State::Text);
            self.advance(1);
        } else {
            return Err(self.fault(&format!("Unexpected character [{first}]")));
        }
        Ok(())
    }
    fn take(&mut self, kind: Type, bytes: usize) {
        self.push(kind, Some(&self.rest[..bytes]));
        self.advance(bytes);
    }
    fn operator(&self) -> Option<&'static str> {
        let ends = |operator: &&&'static str| {
            let after = self.rest[operator.len()..].chars().next();
            let word = operator.ends_with(|c: char| c.is_ascii_alphabetic());
            !(word && after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_'))
        };
        let known = |operator: &&&'static str| !self.dialect.lacks("operator", operator);
        OPERATORS.iter().filter(|operator| self.rest.starts_with(**operator)).filter(known).find(ends).copied()
    }
    fn number(&mut self) {
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let whole = digits(self.rest);
        if self.rest[whole..].starts_with('L') {
            self.push(Type::Long, Some(&self.rest[..whole]));
            self.advance(whole + 1);
            return;
        }
        let fraction = self.rest[whole..].strip_prefix('.').map_or(0, digits);
        self.take(Type::Number, if fraction > 0 { whole + 1 + fraction } else { whole });
    }
    /// Keeps account of the brackets.
    fn bracket(&mut self, c: char) -> Found<()> {
        match c {
            '(' | '[' | '{' => self.brackets.push(c),
            ')' | ']' | '}' => {
                let Some(open) = self.brackets.pop() else { return Err(self.fault(&format!("Unexpected \"{c}\""))) };
                let expected = match open {
                    '(' => ')',
                    '[' => ']',
                    _ => '}',
                };
                if expected != c {
                    return Err(self.fault(&format!("Unclosed \"{expected}\"")));
                }
            }
            _ => {}
        }
        Ok(())
    }
    /// A text in quotes without interpolation, unescaped, and how long it is with its quotes.
    fn plain_text(&self, quote: char) -> Option<(String, usize)> {
        if quote != '\'' && quote != '"' {
            return None;
        }
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => _ = chars.next()?,
                '#' if quote == '"' => return None,
                c if c == quote => {
                    let inside = self.rest[1..at].replace(&format!("\\{quote}"), &quote.to_string());
                    return Some((inside.replace("\\\\", "\\"), at + 1));
                }
                _ => {}
            }
        }
        None
    }
}

/// Blanks as Java's `Character.isWhitespace` has them.
fn java_blank(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}') || matches!(c, '\u{1c}'..='\u{1f}')
}
