//! From tokens to a tree, by the precedence of operators. Every token is looked at once.

mod length;
mod selector;

use super::error::SyntaxError;
use super::lexer::{Lexeme, Lexer, Token};
use super::syntax::{Aggregate, Binary, Call, Expr, Extended, Group, Kind, Labels, Lengths, Modifier, Span, Unary};
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
/// The weakest of the operators that reckon: durations are reckoned with these alone.
const ARITHMETIC: u8 = 4;

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Parsed<(Expr, Lengths)> {
    let mut parser = Parser::new(text)?;
    let tree = parser.whole()?;
    Ok((tree, parser.lengths))
}

pub(super) struct Parser<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    /// What is looked at.
    token: Token<'t>,
    /// What was opened and is not closed yet.
    open: Vec<(&'static str, Span)>,
    lengths: Lengths,
}

/// What waits for its right side.
enum Pending {
    Sign { minus: bool, span: Span },
    Operator { left: Box<Expr>, op: &'static str, precedence: u8, op_span: Span, modifier: Box<Modifier> },
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
                let binary = Binary { op, op_span, modifier: *modifier, left, right: Box::new(right) };
                Expr::new(span, Kind::Binary(binary))
            }
        }
    }
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Parsed<Parser<'t>> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        Ok(Parser { text, lexer, token, open: Vec::new(), lengths: Lengths::default() })
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
            Lexeme::Sign(sign @ ("</" | ">/")) => {
                SyntaxError::new(error.span, format!("`{sign}` is not implemented: it is for native histograms"))
            }
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
        self.expression_of(0)
    }

    /// The same, up to an operator that binds more weakly than this.
    fn expression_of(&mut self, least: u8) -> Parsed<Expr> {
        let mut pending: Vec<Pending> = Vec::new();
        loop {
            while self.is("+") || self.is("-") {
                let minus = self.is("-");
                pending.push(Pending::Sign { minus, span: self.take()?.span });
            }
            let mut current = self.operand()?;
            let operator = self.operator().filter(|(_, precedence)| *precedence >= least);
            let following = operator.map_or(0, |(_, precedence)| precedence);
            while let Some(waiting) = pending.pop_if(|waiting| waiting.takes(following)) {
                current = low(waiting.with(current))?;
            }
            let Some((op, precedence)) = operator else { return Ok(current) };
            let op_span = self.take()?.span;
            let (left, modifier) = (Box::new(current), Box::new(self.modifier()?));
            pending.push(Pending::Operator { left, op, precedence, op_span, modifier });
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

    /// What stands between operators.
    fn operand(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        loop {
            expr = match self.token.lexeme {
                Lexeme::Sign("[") => self.range(expr)?,
                Lexeme::Sign("@") => self.at(expr)?,
                Lexeme::Word(_) if self.is_word("offset") => self.offset(expr)?,
                Lexeme::Word(word) => match Extended::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
                    Some((_, extended)) => self.extended(expr, *extended)?,
                    None => return Ok(expr),
                },
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
