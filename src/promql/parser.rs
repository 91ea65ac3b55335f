//! From tokens to a tree, by the precedence of operators. Every token is looked at once.

use super::error::SyntaxError;
use super::lexer::{Lexeme, Lexer, MAX_DURATION, Token};
use super::matcher::Matcher;
use super::syntax::{
    Aggregate, Anchor, Binary, Call, Expr, Group, Kind, Labels, Modifier, RangeSelector, Selector, Shift, Span,
    Subquery, Unary,
};
use super::{MAX_HEIGHT, MAX_NESTING};

type Parsed<T> = Result<T, SyntaxError>;

/// Operators and how strongly they bind; `^` binds to the right, all others to the left.
pub(super) const OPERATORS: &[(&str, u8)] = &[
    ("or", 1),
    ("and", 2),
    ("unless", 2),
    ("==", 3),
    ("!=", 3),
    (">", 3),
    ("<", 3),
    (">=", 3),
    ("<=", 3),
    ("+", 4),
    ("-", 4),
    ("*", 5),
    ("/", 5),
    ("%", 5),
    ("atan2", 5),
    ("^", 6),
];

/// A sign before an expression binds like `*`: `-2 ^ 2` is `-(2 ^ 2)`.
const SIGN: u8 = 5;

/// Aggregations, and whether they take a parameter.
pub(super) const AGGREGATIONS: &[(&str, bool)] = &[
    ("sum", false),
    ("avg", false),
    ("count", false),
    ("min", false),
    ("max", false),
    ("group", false),
    ("stddev", false),
    ("stdvar", false),
    ("topk", true),
    ("bottomk", true),
    ("count_values", true),
    ("quantile", true),
    ("limitk", true),
    ("limit_ratio", true),
];

/// Words that are never the name of a metric.
const RESERVED: &[&str] = &["on", "ignoring", "bool", "group_left", "group_right", "atan2"];
/// Keywords that are names of metrics where nothing else is expected, but never of functions.
const NEVER_CALLED: &[&str] = &["and", "or", "unless", "by", "without", "offset", "start", "end"];
/// Modifiers of operators that later versions know.
const FILLS: &[&str] = &["fill", "fill_left", "fill_right"];
/// Seconds since 1970 that may stand after `@`, before and after.
const MAX_SECONDS: f64 = 1e12;

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Parsed<Expr> {
    Parser::new(text)?.whole()
}

pub(super) struct Parser<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    /// What is looked at.
    token: Token<'t>,
    /// What was opened and is not closed yet.
    open: Vec<(&'static str, Span)>,
}

/// What waits for its right side.
enum Pending {
    Sign { minus: bool, span: Span },
    Operator { left: Expr, op: &'static str, precedence: u8, op_span: Span, modifier: Modifier },
}

impl Pending {
    /// Whether it takes what was read, when an operator of this precedence follows.
    fn takes(&self, following: u8) -> bool {
        match self {
            Pending::Sign { .. } => SIGN >= following,
            Pending::Operator { op: "^", precedence, .. } => *precedence > following,
            Pending::Operator { precedence, .. } => *precedence >= following,
        }
    }

    fn with(self, right: Expr) -> Expr {
        match self {
            Pending::Sign { minus, span } => {
                let span = span.start..right.span.end;
                match right.kind {
                    Kind::Number(number) => Expr::new(span, Kind::Number(if minus { -number } else { number })),
                    _ => Expr::new(span, Kind::Unary(Unary { minus, expr: Box::new(right) })),
                }
            }
            Pending::Operator { left, op, op_span, modifier, .. } => {
                let span = left.span.start..right.span.end;
                let (left, right) = (Box::new(left), Box::new(right));
                Expr::new(span, Kind::Binary(Binary { op, op_span, modifier, left, right }))
            }
        }
    }
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Parsed<Parser<'t>> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        Ok(Parser { text, lexer, token, open: Vec::new() })
    }

    /// How many tokens were made.
    #[cfg(test)]
    pub(super) fn made(&self) -> usize {
        self.lexer.made
    }

    pub(super) fn whole(&mut self) -> Parsed<Expr> {
        if self.token.lexeme == Lexeme::End {
            return Err(SyntaxError::new(0..0, "there is no expression"));
        }
        let expr = self.expression()?;
        match self.token.lexeme {
            Lexeme::End => Ok(expr),
            _ => Err(self.unexpected()),
        }
    }

    /// Takes the token that is looked at.
    fn take(&mut self) -> Parsed<Token<'t>> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.token.lexeme, Lexeme::Sign(found) if found == sign)
    }

    /// The keyword that is looked at, in any case of letters.
    fn is_word(&self, word: &str) -> bool {
        matches!(self.token.lexeme, Lexeme::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn expect(&mut self, sign: &str) -> Parsed<Span> {
        if self.is(sign) { Ok(self.take()?.span) } else { Err(self.unexpected()) }
    }

    /// Takes a sign that opens something.
    fn opening(&mut self, sign: &'static str) -> Parsed<Span> {
        let token_span = self.token.span.clone();
        if !self.is(sign) {
            return Err(self.unexpected());
        }
        if self.open.len() >= MAX_NESTING {
            return Err(too_deep(token_span, MAX_NESTING));
        }
        self.open.push((sign, token_span));
        Ok(self.take()?.span)
    }

    /// Takes the sign that closes what was opened last.
    fn closing(&mut self, sign: &str) -> Parsed<Span> {
        if !self.is(sign) {
            return Err(self.unexpected());
        }
        self.open.pop();
        Ok(self.take()?.span)
    }

    /// What is looked at does not belong here.
    fn unexpected(&self) -> SyntaxError {
        let span = self.token.span.clone();
        if self.token.lexeme == Lexeme::End {
            return match self.open.last() {
                Some((sign, span)) => SyntaxError::new(span.clone(), format!("unclosed `{sign}`")),
                None => SyntaxError::new(span, "it ends too early"),
            };
        }
        let written = self.text.get(span.clone()).unwrap_or("");
        let shown = written.char_indices().nth(40).map_or(written, |(at, _)| &written[..at]);
        let error = SyntaxError::new(span, format!("`{shown}` is not expected"));
        match self.token.lexeme {
            Lexeme::Sign("=") => error.with_advice("write `==` to compare"),
            Lexeme::Sign("=~" | "!~") => error.with_advice("match labels between braces: `up{job=~\"a|b\"}`"),
            Lexeme::Word(word) if RESERVED.iter().all(|known| !known.eq_ignore_ascii_case(word)) => {
                error.with_nearest(word, OPERATORS.iter().map(|(op, _)| *op).chain(["offset"]))
            }
            _ => error,
        }
    }

    /// Operands and operators, as far as they go.
    fn expression(&mut self) -> Parsed<Expr> {
        let mut pending: Vec<Pending> = Vec::new();
        loop {
            while self.is("+") || self.is("-") {
                let minus = self.is("-");
                pending.push(Pending::Sign { minus, span: self.take()?.span });
            }
            let mut current = self.operand()?;
            let operator = self.operator();
            let following = operator.map_or(0, |(_, precedence)| precedence);
            while let Some(waiting) = pending.pop_if(|waiting| waiting.takes(following)) {
                current = low(waiting.with(current))?;
            }
            let Some((op, precedence)) = operator else { return Ok(current) };
            let op_span = self.take()?.span;
            let modifier = self.modifier()?;
            pending.push(Pending::Operator { left: current, op, precedence, op_span, modifier });
        }
    }

    /// The operator that is looked at.
    fn operator(&self) -> Option<(&'static str, u8)> {
        let known = |(op, _): &&(&str, u8)| match self.token.lexeme {
            Lexeme::Sign(sign) => sign == *op,
            Lexeme::Word(word) => word.eq_ignore_ascii_case(op),
            _ => false,
        };
        OPERATORS.iter().find(known).copied()
    }

    /// `bool`, `on (...)`, `group_left (...)`.
    fn modifier(&mut self) -> Parsed<Modifier> {
        let mut modifier = Modifier::default();
        if self.is_word("bool") {
            modifier.returns_bool = Some(self.take()?.span);
        }
        for (word, included) in [("on", true), ("ignoring", false)] {
            if modifier.matching.is_none() && self.is_word(word) {
                modifier.matching = Some(self.labels(included)?);
            }
        }
        for (word, left) in [("group_left", true), ("group_right", false)] {
            if modifier.matching.is_some() && modifier.group.is_none() && self.is_word(word) {
                let mut span = self.take()?.span;
                let mut include = Vec::new();
                if self.is("(") {
                    let (end, names) = self.label_list()?;
                    (span.end, include) = (end, names);
                }
                modifier.group = Some(Group { span, left, include });
            }
        }
        if self.is_word("group_left") || self.is_word("group_right") {
            return Err(self.unexpected().with_advice("write `on (...)` or `ignoring (...)` before it"));
        }
        Ok(modifier)
    }

    /// A keyword and labels in parentheses.
    fn labels(&mut self, included: bool) -> Parsed<Labels> {
        let start = self.take()?.span.start;
        let (end, names) = self.label_list()?;
        Ok(Labels { span: start..end, included, names })
    }

    /// Labels in parentheses, and where they end.
    fn label_list(&mut self) -> Parsed<(usize, Vec<String>)> {
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

    /// What stands between operators.
    fn operand(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        loop {
            expr = match self.token.lexeme {
                Lexeme::Sign("[") => self.range(expr)?,
                Lexeme::Sign("@") => self.at(expr)?,
                Lexeme::Word(_) if self.is_word("offset") => self.offset(expr)?,
                _ => return Ok(expr),
            };
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match &self.token.lexeme {
            Lexeme::Number(number) => {
                let number = *number;
                Ok(Expr::new(self.take()?.span, Kind::Number(number)))
            }
            Lexeme::Duration(milliseconds) => {
                let seconds = *milliseconds as f64 / 1000.0;
                Ok(Expr::new(self.take()?.span, Kind::Number(seconds)))
            }
            Lexeme::Text(text) => {
                let text = text.clone();
                Ok(Expr::new(self.take()?.span, Kind::Text(text)))
            }
            Lexeme::Sign("(") => {
                let start = self.opening("(")?.start;
                let inner = self.expression()?;
                let end = self.closing(")")?.end;
                low(Expr::new(start..end, Kind::Paren(Box::new(inner))))
            }
            Lexeme::Sign("{") => self.selector(None, self.token.span.clone()),
            Lexeme::Word(word) => self.word(word),
            _ => Err(self.unexpected()),
        }
    }

    /// What begins with a word.
    fn word(&mut self, word: &'t str) -> Parsed<Expr> {
        let is_one_of = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        if is_one_of(RESERVED) {
            return Err(self.unexpected());
        }
        let span = self.take()?.span;
        if is_number(word) {
            let number = if word.eq_ignore_ascii_case("nan") { f64::NAN } else { f64::INFINITY };
            return Ok(Expr::new(span, Kind::Number(number)));
        }
        let aggregation = AGGREGATIONS.iter().find(|(op, _)| op.eq_ignore_ascii_case(word));
        if let Some((op, parameter)) = aggregation
            && (self.is("(") || self.is_word("by") || self.is_word("without"))
        {
            return self.aggregate(op, *parameter, span);
        }
        if !self.is("(") {
            return self.selector(Some(word), span);
        }
        if is_one_of(FILLS) {
            return Err(SyntaxError::new(span, format!("`{}` is not implemented", word.to_ascii_lowercase())));
        }
        if is_one_of(NEVER_CALLED) || word.contains(':') {
            return Err(self.unexpected());
        }
        let (end, args) = self.arguments()?;
        let call = Call { name: word.to_owned(), name_span: span.clone(), args };
        low(Expr::new(span.start..end, Kind::Call(call)))
    }

    /// Expressions in parentheses, and where they end.
    fn arguments(&mut self) -> Parsed<(usize, Vec<Expr>)> {
        self.opening("(")?;
        let mut args = Vec::new();
        while !(args.is_empty() && self.is(")")) {
            args.push(self.expression()?);
            if self.is(")") {
                break;
            }
            let comma = self.expect(",")?;
            if self.is(")") {
                return Err(SyntaxError::new(comma, "`,` is not expected before `)`").with_advice("remove the comma"));
            }
        }
        Ok((self.closing(")")?.end, args))
    }

    fn grouping(&mut self) -> Parsed<Option<Labels>> {
        for (word, included) in [("by", true), ("without", false)] {
            if self.is_word(word) {
                return self.labels(included).map(Some);
            }
        }
        Ok(None)
    }

    fn aggregate(&mut self, op: &'static str, parameter: bool, op_span: Span) -> Parsed<Expr> {
        let before = self.grouping()?;
        let (mut end, args) = self.arguments()?;
        let after = if before.is_none() { self.grouping()? } else { None };
        end = after.as_ref().map_or(end, |labels| labels.span.end);
        let count = args.len();
        let mut args = args.into_iter();
        let (param, expr) = match (parameter, args.next(), args.next(), args.next()) {
            (true, Some(param), Some(expr), None) => (Some(Box::new(param)), expr),
            (false, Some(expr), None, None) => (None, expr),
            _ => {
                let wanted = if parameter { "a parameter and a vector" } else { "one vector" };
                let given = if count == 1 { "one argument" } else { &format!("{count} arguments") };
                return Err(SyntaxError::new(op_span, format!("`{op}` takes {wanted}, not {given}")));
            }
        };
        let span = op_span.start..end;
        let grouping = before.or(after);
        low(Expr::new(span, Kind::Aggregate(Aggregate { op, op_span, param, expr: Box::new(expr), grouping })))
    }

    /// A name, when there is one, and matchers in braces.
    fn selector(&mut self, name: Option<&str>, span: Span) -> Parsed<Expr> {
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
        let selector =
            Selector { span: span.clone(), name: name.map(str::to_owned), matchers, shift: Shift::default() };
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
    fn range(&mut self, expr: Expr) -> Parsed<Expr> {
        let bracket = self.opening("[")?;
        let range = self.time(true)?;
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
        let step = if self.is("]") { None } else { Some(self.time(true)?) };
        let end = self.closing("]")?.end;
        let span = expr.span.start..end;
        let subquery = Subquery { expr: Box::new(expr), range, step, shift: Shift::default() };
        low(Expr::new(span, Kind::Subquery(subquery)))
    }

    /// A duration, or a number of seconds; in milliseconds.
    fn time(&mut self, positive: bool) -> Parsed<i64> {
        while self.is("+") {
            self.take()?;
        }
        let out_of_range = |parser: &Parser<'_>| {
            let span = parser.token.span.clone();
            let written = parser.text.get(span.clone()).unwrap_or("");
            SyntaxError::new(span, format!("`{written}` is no time: it is out of range"))
        };
        let milliseconds = match self.token.lexeme {
            Lexeme::Duration(milliseconds) => milliseconds,
            Lexeme::Number(seconds) if seconds * 1000.0 < MAX_DURATION as f64 => (seconds * 1000.0) as i64,
            Lexeme::Number(_) => return Err(out_of_range(self)),
            Lexeme::End => return Err(self.unexpected()),
            _ => return Err(self.unexpected().with_advice("write a duration like `5m`")),
        };
        let none = match self.token.lexeme {
            Lexeme::Number(seconds) => seconds <= 0.0,
            _ => milliseconds == 0,
        };
        if positive && none {
            return Err(SyntaxError::new(self.token.span.clone(), "a duration must be greater than 0 here"));
        }
        self.take()?;
        Ok(milliseconds)
    }

    /// Signs before a time; true is minus.
    fn signs(&mut self) -> Parsed<bool> {
        let mut minus = false;
        while self.is("+") || self.is("-") {
            minus ^= self.is("-");
            self.take()?;
        }
        Ok(minus)
    }

    /// `offset 5m` after an expression.
    fn offset(&mut self, mut expr: Expr) -> Parsed<Expr> {
        let word = self.take()?.span;
        let minus = self.signs()?;
        let end = self.token.span.end;
        let time = self.time(false)?;
        let span = word.start..end;
        let Some(shift) = expr.shift_mut() else { return Err(not_shifted(span, "offset")) };
        // As in Prometheus, an offset of nothing is none.
        if shift.offset.is_some_and(|offset| offset != 0) {
            return Err(SyntaxError::new(span, "`offset` is here twice"));
        }
        shift.offset = Some(if minus { -time } else { time });
        expr.span.end = end;
        Ok(expr)
    }

    /// `@ 123` or `@ start()` after an expression.
    fn at(&mut self, mut expr: Expr) -> Parsed<Expr> {
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
        let milliseconds = libm::round(seconds * 1000.0) as i64;
        Ok((Anchor::Time(if minus { -milliseconds } else { milliseconds }), span.end))
    }
}

/// `inf` and `nan` are numbers wherever an expression may stand.
fn is_number(word: &str) -> bool {
    word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan")
}

/// Refuses a tree that is too high: those who walk it would need too much stack.
fn low(expr: Expr) -> Parsed<Expr> {
    if expr.height > MAX_HEIGHT { Err(too_deep(expr.span.clone(), MAX_HEIGHT)) } else { Ok(expr) }
}

fn too_deep(span: Span, most: usize) -> SyntaxError {
    SyntaxError::new(span, format!("the expression is nested more than {most} deep"))
        .with_advice("write parts of it as recording rules")
}

fn not_shifted(span: Span, what: &str) -> SyntaxError {
    SyntaxError::new(span, format!("`{what}` stands only after a selector or a subquery"))
        .with_advice(format!("write `{what}` after the selector itself"))
}
