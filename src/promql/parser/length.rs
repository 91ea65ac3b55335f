//! Durations: as they are written, or reckoned (since 3.14, before that behind a switch).

use super::{ARITHMETIC, Parsed, Parser};
use crate::promql::error::SyntaxError;
use crate::promql::lexer::{Lexeme, MAX_DURATION};
use crate::promql::syntax::{Binary, Call, Expr, Kind, Span};

/// What an expression comes to as a duration.
struct Reckoned {
    seconds: f64,
    /// As it is written, with nothing but signs before it: what is wrong with it is told when it is read.
    literal: bool,
}

impl Parser<'_> {
    /// What stands between brackets, in milliseconds: a duration, or a number of seconds, which must be greater than 0.
    pub(super) fn length(&mut self) -> Parsed<i64> {
        if !self.may_begin_length() {
            return Err(self.no_duration());
        }
        let expr = self.expression_of(ARITHMETIC)?;
        if let Kind::Number(seconds) = &expr.kind {
            self.milliseconds(*seconds, expr.span.clone())?;
        }
        let reckoned = reckoned(&expr).map_err(|span| self.not_a_duration(span))?;
        if !reckoned.literal {
            return Ok(self.reckoned(expr.span, reckoned.seconds, true));
        }
        if reckoned.seconds <= 0.0 {
            return Err(SyntaxError::new(expr.span, "a duration must be greater than 0 here"));
        }
        self.milliseconds(reckoned.seconds, expr.span)
    }

    /// What stands after `offset`, in milliseconds, and where it ends.
    pub(super) fn offset_length(&mut self) -> Parsed<(i64, usize)> {
        let (start, mut minus, mut signs) = (self.token.span.start, false, 0);
        while self.is("+") || self.is("-") {
            minus ^= self.is("-");
            signs += 1;
            self.take()?;
        }
        let literal = match self.token.lexeme {
            Lexeme::Duration(milliseconds) => Some(milliseconds as f64 / 1000.0),
            Lexeme::Number(seconds) => Some(seconds),
            _ => None,
        };
        let sign = if minus { -1.0 } else { 1.0 };
        if let Some(seconds) = literal {
            let span = self.take()?.span;
            return Ok((self.milliseconds(seconds, span.clone())? * sign as i64, span.end));
        }
        if !self.may_begin_length() {
            return Err(self.no_duration());
        }
        // As in Prometheus: only parentheses without a sign before them may begin something longer.
        let expr = if self.is("(") && signs == 0 { self.expression_of(ARITHMETIC)? } else { self.primary()? };
        let reckoned = reckoned(&expr).map_err(|span| self.not_a_duration(span))?;
        let end = expr.span.end;
        Ok((self.reckoned(start..end, reckoned.seconds * sign, false), end))
    }

    /// Notes a duration that is reckoned. What it cannot be is told when it is evaluated.
    fn reckoned(&mut self, span: Span, seconds: f64, positive: bool) -> i64 {
        self.lengths.reckoned.get_or_insert(span);
        let most = i64::MAX as f64 / 1e9;
        let wrong = match seconds {
            seconds if !seconds.is_finite() => "duration is NaN or infinite",
            seconds if seconds <= 0.0 && positive => "duration must be greater than 0",
            seconds if seconds.abs() > most => "duration is out of range",
            seconds => return (seconds * 1000.0) as i64,
        };
        self.lengths.impossible.get_or_insert_with(|| wrong.to_owned());
        1
    }

    fn milliseconds(&self, seconds: f64, span: Span) -> Parsed<i64> {
        match seconds * 1000.0 < MAX_DURATION as f64 {
            // Prometheus rounds to nanoseconds and leaves out what is less than a millisecond.
            true => Ok((f64::round(seconds * 1e9) / 1e6) as i64),
            false => {
                let written = self.text.get(span.clone()).unwrap_or_default();
                Err(SyntaxError::new(span.clone(), format!("`{written}` is no time: it is out of range")))
            }
        }
    }

    /// Whether what is looked at may be the first of a duration.
    fn may_begin_length(&self) -> bool {
        match self.token.lexeme {
            Lexeme::Number(_) | Lexeme::Duration(_) | Lexeme::Sign("+" | "-" | "(") => true,
            Lexeme::Word(word) => FUNCTIONS.iter().any(|known| known.eq_ignore_ascii_case(word)),
            _ => false,
        }
    }

    /// What is looked at is no duration.
    fn no_duration(&self) -> SyntaxError {
        match self.token.lexeme {
            Lexeme::End => self.unexpected(),
            _ => self.unexpected().with_advice("write a duration like `5m`"),
        }
    }

    fn not_a_duration(&self, span: Span) -> SyntaxError {
        let written = self.text.get(span.clone()).unwrap_or_default();
        SyntaxError::new(span, format!("`{written}` is not expected")).with_advice("write a duration like `5m`")
    }
}

/// What durations may be reckoned with.
const FUNCTIONS: &[&str] = &["step", "range", "min_of", "max_of"];

/// What an expression comes to as a duration; else the span of what is none.
fn reckoned(expr: &Expr) -> Result<Reckoned, Span> {
    let of = |seconds: f64| Ok(Reckoned { seconds, literal: false });
    match &expr.kind {
        Kind::Number(seconds) if seconds.abs() * 1000.0 >= MAX_DURATION as f64 => Err(expr.span.clone()),
        Kind::Number(seconds) => Ok(Reckoned { seconds: *seconds, literal: true }),
        Kind::Paren(inner) => of(reckoned(inner)?.seconds),
        Kind::Unary(it) => reckoned(&it.expr)
            .map(|of| Reckoned { seconds: if it.minus { -of.seconds } else { of.seconds }, literal: false }),
        Kind::Binary(it) => of(operation(it)?),
        Kind::Call(it) => of(function(it)?),
        _ => Err(expr.span.clone()),
    }
}

fn operation(it: &Binary) -> Result<f64, Span> {
    let plain = it.modifier.returns_bool.is_none() && it.modifier.matching.is_none();
    let (a, right) = (reckoned(&it.left)?.seconds, reckoned(&it.right)?);
    let b = right.seconds;
    match it.op {
        _ if !plain => Err(it.op_span.clone()),
        // By a zero that is written nothing can be divided.
        "/" | "%" if right.literal && b == 0.0 => Err(it.right.span.clone()),
        "+" => Ok(a + b),
        "-" => Ok(a - b),
        "*" => Ok(a * b),
        // One that comes out: it fails when it is evaluated, as what is infinite does.
        "/" if b == 0.0 => Ok(f64::NAN),
        "/" => Ok(a / b),
        "%" => Ok(libm::fmod(a, b)),
        "^" => Ok(libm::pow(a, b)),
        _ => Err(it.op_span.clone()),
    }
}

/// `step()` and `range()` are those of the query: one of a rule has neither, it is asked at one instant.
fn function(it: &Call) -> Result<f64, Span> {
    match (it.name.to_ascii_lowercase().as_str(), it.args.as_slice()) {
        ("step" | "range", []) => Ok(0.0),
        (name @ ("min_of" | "max_of"), [a, b]) => {
            let (a, b) = (reckoned(a)?.seconds, reckoned(b)?.seconds);
            Ok(match name {
                _ if a.is_nan() || b.is_nan() => f64::NAN,
                "min_of" => a.min(b),
                _ => a.max(b),
            })
        }
        _ => Err(it.name_span.clone()),
    }
}
