//! A tree as a text that gives the same tree again, each operator with its operands in parentheses.

use std::fmt::{self, Display, Formatter, Write as _};

use super::lexer::{Lexeme, Lexer};
use super::matcher::Matcher;
use super::syntax::{Anchor, Expr, Extended, Kind, Labels, Modifier, Selector, Shift, Span};

/// The tokens of a part of a text on one line, without comments.
pub(super) fn one_line(text: &str, span: Span) -> String {
    let part = text.get(span).unwrap_or(text);
    if !part.bytes().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t' | b'#')) {
        return part.trim().to_owned();
    }
    let (mut lexer, mut out, mut end) = (Lexer::new(part), String::new(), 0);
    while let Ok(token) = lexer.next() {
        if token.lexeme == Lexeme::End {
            break;
        }
        if token.span.start > end && end > 0 {
            out.push(' ');
        }
        end = token.span.end;
        out.push_str(part.get(token.span).unwrap_or(""));
    }
    out
}

/// A number as it is written.
pub(super) fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => (if value > 0.0 { "Inf" } else { "-Inf" }).to_owned(),
        value => value.to_string(),
    }
}

/// A text in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a name needs no quotes.
pub(super) fn plain(name: &str, colons: bool) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(part)
}

fn milliseconds(time: i64) -> String {
    match time % 1000 {
        0 => format!("{}s", time / 1000),
        _ => format!("{time}ms"),
    }
}

fn extension(selector: &Selector) -> &'static str {
    match selector.extension() {
        None => "",
        Some(Extended::Anchored) => " anchored",
        Some(Extended::Smoothed) => " smoothed",
    }
}

fn list(names: &[String]) -> String {
    let names: Vec<String> =
        names.iter().map(|name| if plain(name, false) { name.clone() } else { quoted(name) }).collect();
    names.join(", ")
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Number(value) => f.write_str(&number(*value)),
            Kind::Text(text) => f.write_str(&quoted(text)),
            // An operator has its own.
            Kind::Paren(it) if matches!(it.kind, Kind::Binary(_) | Kind::Unary(_)) => write!(f, "{it}"),
            Kind::Paren(it) => write!(f, "({it})"),
            Kind::Unary(it) => write!(f, "({}{})", if it.minus { '-' } else { '+' }, it.expr),
            Kind::Selector(it) => write!(f, "{it}{}{}", it.shift, extension(it)),
            Kind::Range(it) => {
                let range = milliseconds(it.range);
                write!(f, "{}[{range}]{}{}", it.selector, it.selector.shift, extension(&it.selector))
            }
            Kind::Subquery(it) => {
                let step = it.step.map(milliseconds).unwrap_or_default();
                write!(f, "{}[{}:{step}]{}", it.expr, milliseconds(it.range), it.shift)
            }
            Kind::Call(it) => {
                write!(f, "{}(", it.name)?;
                for (index, arg) in it.args.iter().enumerate() {
                    write!(f, "{}{arg}", if index > 0 { ", " } else { "" })?;
                }
                f.write_char(')')
            }
            Kind::Aggregate(it) => {
                f.write_str(it.op)?;
                if let Some(labels) = &it.grouping {
                    write!(f, " {} ({}) ", if labels.included { "by" } else { "without" }, list(&labels.names))?;
                }
                f.write_char('(')?;
                if let Some(param) = &it.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", it.expr)
            }
            Kind::Binary(it) => write!(f, "({} {}{} {})", it.left, it.op, it.modifier, it.right),
        }
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or(""))?;
        if self.name.is_some() && self.matchers.is_empty() {
            return Ok(());
        }
        f.write_char('{')?;
        for (index, matcher) in self.matchers.iter().enumerate() {
            write!(f, "{}{matcher}", if index > 0 { ", " } else { "" })?;
        }
        f.write_char('}')
    }
}

impl Display for Matcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = if plain(&self.name, false) { self.name.clone() } else { quoted(&self.name) };
        write!(f, "{name}{}{}", self.op, quoted(&self.value))
    }
}

impl Display for Shift {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.at {
            None => {}
            Some(Anchor::Start) => f.write_str(" @ start()")?,
            Some(Anchor::End) => f.write_str(" @ end()")?,
            Some(Anchor::Time(time)) => {
                let sign = if time < 0 { "-" } else { "" };
                write!(f, " @ {sign}{}.{:03}", time.unsigned_abs() / 1000, time.unsigned_abs() % 1000)?;
            }
        }
        match self.offset {
            None => Ok(()),
            Some(offset) if offset < 0 => write!(f, " offset -{}", milliseconds(-offset)),
            Some(offset) => write!(f, " offset {}", milliseconds(offset)),
        }
    }
}

impl Display for Modifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.returns_bool.is_some() {
            f.write_str(" bool")?;
        }
        if let Some(Labels { included, names, .. }) = &self.matching {
            write!(f, " {} ({})", if *included { "on" } else { "ignoring" }, list(names))?;
        }
        match &self.group {
            Some(group) => write!(f, " group_{} ({})", if group.left { "left" } else { "right" }, list(&group.include)),
            None => Ok(()),
        }
    }
}
