//! What of an expression older versions of Prometheus refuse.

use super::lexer::{Lexeme, Lexer, Token};
use super::syntax::{Expr, Kind, Lengths, Span};
use super::{Expression, Semantics};

/// A piece of an expression that older versions refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer {
    /// The oldest whose semantics are known here that accepts it.
    pub since: Semantics,
    /// Who refuses it.
    pub refused_by: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Where it stands in the text.
    pub span: Span,
}

/// A kind of piece: since when it is accepted, who refuses it, what it is. Asked of promtool 2.42, 3.5 and 3.16; the versions between
/// are those of Prometheus's documentation, where that tells them.
pub(super) type Piece = (Semantics, &'static str, &'static str);

const RECKONED: Piece = (Semantics::V3_16, "Prometheus before 3.14", "a duration that is reckoned");
const FIRST: Piece = (Semantics::V3_16, "Prometheus before 3.14", "`first_over_time`");
const EXTENDED: Piece = (Semantics::V3_16, "Prometheus before 3.16", "`anchored` and `smoothed`");
const SEPARATOR: Piece = (Semantics::V3, "Prometheus before 2.54", "`_` between digits");
const NUMBER: Piece = (Semantics::V3, "Prometheus before 2.54", "a number as a time");
const TIME: Piece = (Semantics::V3, "Prometheus before 2.54", "a duration as a number");
const SIGNS: Piece = (Semantics::V3, "Prometheus 2", "`+` or a second sign after `offset`");
const QUOTED: Piece = (Semantics::V3, "Prometheus before 3.0", "a name in quotes");
const COLON: Piece = (Semantics::V3, "Prometheus before 3.0", "a label with a colon");
const NO_OFFSET: Piece = (Semantics::V2_53, "Prometheus 2.42", "an offset of nothing");
const GROUP: Piece = (Semantics::V2_53, "Prometheus 2.42", "`(?<name>` in a regular expression");
const FUNCTION: Piece = (Semantics::V2_53, "Prometheus 2.42", "this function");

/// Functions that 2.42 does not have.
const FUNCTIONS: &[&str] = &["histogram_avg", "histogram_stddev", "histogram_stdvar"];

/// Words before a list of labels.
const LISTS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];

impl Expression {
    /// What of it older versions refuse, the first of each kind.
    pub fn newer(&self) -> Vec<Newer> {
        let mut reader = Reader { before: Lexeme::End, offset: false, open: Vec::new(), found: Vec::new() };
        newest(&self.tree, &self.lengths).for_each(|(piece, span)| reader.tell(piece, &span));
        let mut lexer = Lexer::new(&self.text);
        // It is read to the end: it was once before.
        while let Ok(token) = lexer.next() {
            if token.lexeme == Lexeme::End {
                break;
            }
            reader.take(token, &self.text);
        }
        reader.found
    }
}

/// What of a tree is newer than 3.5: a token alone does not tell it.
pub(super) fn newest(tree: &Expr, lengths: &Lengths) -> impl Iterator<Item = (Piece, Span)> {
    let reckoned = lengths.reckoned.clone().map(|span| (RECKONED, span));
    let of = |expr: &Expr| {
        let extended = expr.selector().and_then(|selector| selector.extended.clone());
        let first = match &expr.kind {
            Kind::Call(it) if it.name == "first_over_time" => Some((FIRST, it.name_span.clone())),
            _ => None,
        };
        extended.map(|(_, span)| (EXTENDED, span)).or(first)
    };
    reckoned.into_iter().chain(tree.all().filter_map(of))
}

/// What is known at a token of those before it.
struct Reader<'t> {
    before: Lexeme<'t>,
    /// Only signs stand between it and `offset`.
    offset: bool,
    /// Signs that are open; `by` for the parenthesis of a list of labels.
    open: Vec<&'static str>,
    found: Vec<Newer>,
}

impl<'t> Reader<'t> {
    fn take(&mut self, token: Token<'t>, text: &str) {
        let Token { lexeme, span } = token;
        let within = self.open.last().copied().unwrap_or_default();
        let written = text.get(span.clone()).unwrap_or_default();
        let sign = |lexeme: &Lexeme<'_>, signs: &[&str]| matches!(lexeme, Lexeme::Sign(it) if signs.contains(it));
        let begins = sign(&self.before, &["{", "(", ","]);
        let mut after_offset = false;
        match &lexeme {
            Lexeme::Number(_) => {
                if written.contains('_') {
                    self.tell(SEPARATOR, &span);
                }
                if within == "[" || self.offset {
                    self.tell(NUMBER, &span);
                }
            }
            Lexeme::Duration(0) if self.offset => self.tell(NO_OFFSET, &span),
            Lexeme::Duration(_) if within != "[" && !self.offset => self.tell(TIME, &span),
            Lexeme::Text(_) if begins && matches!(within, "{" | "by") => self.tell(QUOTED, &span),
            Lexeme::Text(pattern) if sign(&self.before, &["=~", "!~"]) && has_group(pattern) => {
                self.tell(GROUP, &span);
            }
            // None of them is a name that somebody gives a metric.
            Lexeme::Word(word) if within != "{" && FUNCTIONS.contains(word) => self.tell(FUNCTION, &span),
            Lexeme::Word(word) if within == "by" && word.contains(':') => self.tell(COLON, &span),
            Lexeme::Word(word) if within != "{" && word.eq_ignore_ascii_case("offset") => {
                after_offset = !matches!(self.before, Lexeme::End | Lexeme::Sign("("));
            }
            Lexeme::Sign("+" | "-") if self.offset => {
                if written == "+" || matches!(self.before, Lexeme::Sign(_)) {
                    self.tell(SIGNS, &span);
                }
                after_offset = true;
            }
            Lexeme::Sign("(") => {
                let list =
                    matches!(self.before, Lexeme::Word(word) if LISTS.iter().any(|it| it.eq_ignore_ascii_case(word)));
                self.open.push(if list { "by" } else { "(" });
            }
            Lexeme::Sign(open @ ("{" | "[")) => self.open.push(open),
            Lexeme::Sign(")" | "}" | "]") => _ = self.open.pop(),
            _ => {}
        }
        self.offset = after_offset;
        self.before = lexeme;
    }

    fn tell(&mut self, (since, refused_by, what): Piece, span: &Span) {
        if self.found.iter().all(|known| known.what != what) {
            self.found.push(Newer { since, refused_by, what, span: span.clone() });
        }
    }
}

/// Whether a regular expression has a group with a name in the manner of Perl.
fn has_group(pattern: &str) -> bool {
    pattern.match_indices("(?<").any(|(at, _)| {
        let backslashes = pattern[..at].bytes().rev().take_while(|byte| *byte == b'\\').count();
        backslashes % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asked of promtool 2.42: it refuses those for which something stands here, and no other.
    #[test]
    fn what_2_42_refuses_is_found() {
        for (text, found) in [
            ("rate(up[300]) > 1_000", vec![NUMBER, SEPARATOR]),
            ("0x_1F", vec![SEPARATOR]),
            ("x[0x10]", vec![NUMBER]),
            ("x[5m:60]", vec![NUMBER]),
            ("x offset 300", vec![NUMBER]),
            ("x offset 0", vec![NUMBER]),
            ("x offset 0s", vec![NO_OFFSET]),
            ("x offset +5m", vec![SIGNS]),
            ("x offset --5m", vec![SIGNS]),
            ("x @ 5m", vec![TIME]),
            ("1h + x", vec![TIME]),
            ("-1h", vec![TIME]),
            ("x offset 5m > 1h", vec![TIME]),
            (r#"x{"a:b"="c"}"#, vec![QUOTED]),
            (r#"{"a.b", c="d"}"#, vec![QUOTED]),
            (r#"{c="d", "a.b"}"#, vec![QUOTED]),
            (r#"sum by ("a.b") (x)"#, vec![QUOTED]),
            ("sum by (a:b) (x)", vec![COLON]),
            (r#"x{a=~"(?<n>a)"}"#, vec![GROUP]),
            ("histogram_avg(x)", vec![FUNCTION]),
            ("x offset - 5m", vec![]),
            ("x[5m] @ 1 offset 5m", vec![]),
            ("x @ -5", vec![]),
            ("x[1h:5m] offset 5m", vec![]),
            ("offset + 5", vec![]),
            (r#"x{a="b",offset="c"} > 5"#, vec![]),
            (r#"label_replace(x, "a", "b", "c", "d") + by + (y)"#, vec![]),
            (r#"count_values("a", x)"#, vec![]),
            (r#"x{a=~"\\(?<n>a"}"#, vec![]),
            ("sum by (a, b) (x) / on (a) group_left (c) y > 5", vec![]),
        ] {
            let expression = Expression::parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
            let kinds: Vec<Piece> =
                expression.newer().into_iter().map(|it| (it.since, it.refused_by, it.what)).collect();
            assert_eq!(kinds, found, "{text}");
        }
    }
}
