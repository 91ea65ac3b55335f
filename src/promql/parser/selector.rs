//! Selectors, and what stands after them; lists of labels.

use super::{Parsed, Parser, is_number, low};
use crate::promql::error::SyntaxError;
use crate::promql::lexer::Lexeme;
use crate::promql::matcher::Matcher;
use crate::promql::syntax::{Anchor, Expr, Extended, Kind, Labels, RangeSelector, Selector, Shift, Span, Subquery};

/// Seconds since 1970 that may stand after `@`, before and after.
const MAX_SECONDS: f64 = 1e12;

impl Parser<'_> {
    /// A name, when there is one, and matchers in braces.
    pub(super) fn selector(&mut self, name: Option<&str>, span: Span) -> Parsed<Expr> {
        let mut span = span;
        let mut matchers = Vec::new();
        if self.is("{") {
            self.opening("{")?;
            while !self.is("}") {
                matchers.push(self.matcher()?);
                if !self.is("}") {
                    self.comma_of_matchers()?;
                }
            }
            span.end = self.closing("}")?.end;
        }
        let selector = Selector {
            span: span.clone(),
            name: name.map(str::to_owned),
            matchers,
            shift: Shift::default(),
            extended: None,
        };
        Ok(Expr::new(span, Kind::Selector(selector)))
    }

    fn comma_of_matchers(&mut self) -> Parsed<Span> {
        match self.token.lexeme {
            Lexeme::Word(word) if word.eq_ignore_ascii_case("or") => {
                Err(self.unexpected().with_advice("matchers hold all together: write `or` between two selectors"))
            }
            Lexeme::Word(_) | Lexeme::Text(_) => Err(self.unexpected().with_advice("write `,` between matchers")),
            _ => self.expect(","),
        }
    }

    /// `a="b"`, or the name of a metric in quotes.
    fn matcher(&mut self) -> Parsed<Matcher> {
        let (name, quoted) = match &self.token.lexeme {
            Lexeme::Word(word) if !word.contains(':') => ((*word).to_owned(), false),
            Lexeme::Word(_) => return Err(self.unexpected().with_advice("write a name with a colon in quotes")),
            Lexeme::Text(text) => (text.clone(), true),
            Lexeme::End => return Err(self.unexpected()),
            _ => return Err(self.unexpected().with_advice("write matchers like `job=\"kestra\"`")),
        };
        let mut span = self.take()?.span;
        if quoted && (self.is(",") || self.is("}")) {
            return Matcher::new(span.clone(), "__name__".to_owned(), "=", name, span);
        }
        let op = match self.token.lexeme {
            Lexeme::Sign(sign) => Matcher::OPERATORS.iter().copied().find(|op| *op == sign),
            _ => None,
        };
        let Some(op) = op else {
            return Err(match self.token.lexeme {
                Lexeme::End => self.unexpected(),
                Lexeme::Sign("==") => self.unexpected().with_advice("write `=`"),
                _ => self.unexpected().with_advice("write one of `=`, `!=`, `=~`, `!~` after a label"),
            });
        };
        self.take()?;
        let value = match &self.token.lexeme {
            Lexeme::Text(text) => text.clone(),
            Lexeme::Word(word) => return Err(self.unexpected().with_advice(format!("write `\"{word}\"`"))),
            Lexeme::Number(_) | Lexeme::Duration(_) => {
                return Err(self.unexpected().with_advice("write the value in quotes"));
            }
            _ => return Err(self.unexpected()),
        };
        let value_span = self.take()?.span;
        span.end = value_span.end;
        Matcher::new(span, name, op, value, value_span)
    }

    /// `[5m]` or `[5m:1m]` after an expression.
    pub(super) fn range(&mut self, expr: Expr) -> Parsed<Expr> {
        let bracket = self.opening("[")?;
        let range = self.length()?;
        if !self.is(":") {
            let end = self.closing("]")?.end;
            let span = expr.span.start..end;
            return match expr.kind {
                Kind::Selector(selector) if selector.shift.offset.is_none() && selector.shift.at.is_none() => {
                    Ok(Expr::new(span, Kind::Range(RangeSelector { selector, range })))
                }
                Kind::Selector(_) => {
                    Err(SyntaxError::new(bracket.start..end, "a range stands before `offset` and `@`"))
                }
                _ => Err(SyntaxError::new(bracket.start..end, "only a selector can have a range")
                    .with_advice("write a subquery: `[5m:]`")),
            };
        }
        self.take()?;
        let step = if self.is("]") { None } else { Some(self.length()?) };
        let end = self.closing("]")?.end;
        let span = expr.span.start..end;
        let subquery = Subquery { expr: Box::new(expr), range, step, shift: Shift::default() };
        low(Expr::new(span, Kind::Subquery(subquery)))
    }

    /// `offset 5m` after an expression.
    pub(super) fn offset(&mut self, mut expr: Expr) -> Parsed<Expr> {
        let word = self.take()?.span;
        let (offset, end) = self.offset_length()?;
        let span = word.start..end;
        let Some(shift) = expr.shift_mut() else { return Err(not_shifted(span, "offset")) };
        // As in Prometheus, an offset of nothing is none.
        if shift.offset.is_some_and(|offset| offset != 0) {
            return Err(SyntaxError::new(span, "`offset` is here twice"));
        }
        shift.offset = Some(offset);
        expr.span.end = end;
        Ok(expr)
    }

    /// `anchored` or `smoothed` after an expression.
    pub(super) fn extended(&mut self, mut expr: Expr, extended: Extended) -> Parsed<Expr> {
        let span = self.take()?.span;
        let Some(selector) = expr.selector_mut() else {
            let written = self.text.get(span.clone()).unwrap_or_default();
            return Err(SyntaxError::new(span.clone(), format!("`{written}` stands only after a selector"))
                .with_advice("write it after the selector itself, as in `rate(x[5m] anchored)`"));
        };
        if selector.extension().is_some_and(|other| other != extended) {
            return Err(SyntaxError::new(span, "a selector is either `anchored` or `smoothed`, not both"));
        }
        let end = span.end;
        selector.extended = Some((extended, span));
        expr.span.end = end;
        Ok(expr)
    }

    /// `@ 123` or `@ start()` after an expression.
    pub(super) fn at(&mut self, mut expr: Expr) -> Parsed<Expr> {
        let start = self.take()?.span.start;
        let (at, end) = self.anchor()?;
        let span = start..end;
        let Some(shift) = expr.shift_mut() else { return Err(not_shifted(span, "@")) };
        if shift.at.is_some() {
            return Err(SyntaxError::new(span, "`@` is here twice"));
        }
        shift.at = Some(at);
        expr.span.end = end;
        Ok(expr)
    }

    /// What stands after `@`, and where it ends.
    fn anchor(&mut self) -> Parsed<(Anchor, usize)> {
        for (word, at) in [("start", Anchor::Start), ("end", Anchor::End)] {
            if self.is_word(word) {
                self.take()?;
                self.opening("(")?;
                return Ok((at, self.closing(")")?.end));
            }
        }
        let start = self.token.span.start;
        let minus = match self.is("+") || self.is("-") {
            true => self.take()?.lexeme == Lexeme::Sign("-"),
            false => false,
        };
        let seconds = match self.token.lexeme {
            Lexeme::Number(seconds) => seconds,
            Lexeme::Duration(milliseconds) => milliseconds as f64 / 1000.0,
            Lexeme::Word(word) if is_number(word) => f64::INFINITY,
            Lexeme::End => return Err(self.unexpected()),
            _ => return Err(self.unexpected().with_advice("write seconds since 1970, `start()` or `end()`")),
        };
        let span = start..self.token.span.end;
        if seconds >= MAX_SECONDS {
            let written = self.text.get(span.clone()).unwrap_or("");
            return Err(SyntaxError::new(span.clone(), format!("`{written}` is no time: it is out of range")));
        }
        self.take()?;
        let milliseconds = f64::round(seconds * 1000.0) as i64;
        Ok((Anchor::Time(if minus { -milliseconds } else { milliseconds }), span.end))
    }

    /// A keyword and labels in parentheses.
    pub(super) fn labels(&mut self, included: bool) -> Parsed<Labels> {
        let start = self.take()?.span.start;
        let (end, names) = self.label_list()?;
        Ok(Labels { span: start..end, included, names })
    }

    /// Labels in parentheses, and where they end.
    pub(super) fn label_list(&mut self) -> Parsed<(usize, Vec<String>)> {
        self.opening("(")?;
        let mut names = Vec::new();
        while !self.is(")") {
            names.push(match &self.token.lexeme {
                Lexeme::Word(word) if !is_number(word) && !word.eq_ignore_ascii_case("without") => (*word).to_owned(),
                Lexeme::Text(text) if !text.is_empty() => text.clone(),
                Lexeme::Word(_) | Lexeme::Text(_) => {
                    return Err(self.unexpected().with_advice("write a label's name"));
                }
                _ => return Err(self.unexpected()),
            });
            self.take()?;
            if !self.is(")") {
                self.expect(",")?;
            }
        }
        Ok((self.closing(")")?.end, names))
    }
}

fn not_shifted(span: Span, what: &str) -> SyntaxError {
    SyntaxError::new(span, format!("`{what}` stands only after a selector or a subquery"))
        .with_advice(format!("write `{what}` after the selector itself"))
}
