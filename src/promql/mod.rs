//! PromQL on its own: it knows neither Kestra nor alerts.
//!
//! The syntax tree comes from a parser crate; what it means is ours. Floats and classic histograms; what is not there is
//! refused by name when an expression is read, never guessed.

mod aggregate;
mod binary;
mod data;
mod evaluate;
mod functions;
mod outline;
mod range;
mod reach;

pub use data::{Database, Grid, Labels, NO_SAMPLE, Row, Series, Vector, stale, without_name};
pub use evaluate::{Evaluator, Failure, Table, Value};
pub use outline::{Part, PartKind};

use std::sync::atomic::{AtomicU64, Ordering};

use promql_parser::parser::{self, Expr};

/// Which Prometheus an expression should mean the same as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// 3.x: ranges and lookback do not include their left end.
    #[default]
    V3,
    /// 2.53: ranges include their left end.
    V2_53,
    /// 2.42: the same, and `rate` extrapolates towards zero as before 2.51.
    V2_42,
}

impl Semantics {
    /// The names `--semantics` takes.
    pub const NAMES: &[(&str, Semantics)] =
        &[("3", Semantics::V3), ("2", Semantics::V2_53), ("2.53", Semantics::V2_53), ("2.42", Semantics::V2_42)];

    const fn left_open(self) -> bool {
        matches!(self, Semantics::V3)
    }
}

/// Characters of an expression.
const MAX_LENGTH: usize = 64 * 1024;
/// Nesting of parentheses, braces and signs; the parser would overflow its stack on more.
const MAX_NESTING: usize = 200;

/// A checked expression.
#[derive(Debug)]
pub struct Expression {
    text: String,
    tree: Expr,
    /// Tells it from every other one of this process: what an evaluator remembers of it is remembered by this.
    id: u64,
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Clone for Expression {
    fn clone(&self) -> Expression {
        Expression { text: self.text.clone(), tree: self.tree.clone(), id: next_id() }
    }
}

impl PartialEq for Expression {
    /// By what was written.
    fn eq(&self, other: &Expression) -> bool {
        self.text == other.text
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, or which function is not implemented.
    pub fn parse(text: &str) -> Result<Expression, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("the expression is longer than {MAX_LENGTH} bytes"));
        }
        let (mut depth, mut signs) = (0usize, 0usize);
        for byte in text.bytes() {
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                b'-' | b'+' => signs += 1,
                b' ' | b'\t' | b'\n' | b'\r' => continue,
                _ => signs = 0,
            }
            if depth > MAX_NESTING || signs > MAX_NESTING {
                return Err(format!("the expression is nested more than {MAX_NESTING} deep"));
            }
        }
        if let Some(number) = endless_time(text) {
            return Err(format!("`{number}` is no time: it is out of range"));
        }
        let tree = parser::parse(text).map_err(|error| match error.as_str() {
            UNLOCATED => unexpected(text),
            _ => error.trim().to_owned(),
        })?;
        check(&tree, 0).map_err(|(why, word)| match place_of(text, &word) {
            Some(character) => format!("{why} (character {character})"),
            None => why,
        })?;
        Ok(Expression { text: text.to_owned(), tree, id: next_id() })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it speaks of the first or last instant of the whole evaluation (`@ start()`, `@ end()`): what it comes to
    /// over a grid is then not what it comes to at each instant alone.
    pub fn is_about_whole(&self) -> bool {
        let mut found = false;
        walk(&self.tree, &mut |expr| {
            let at = match expr {
                Expr::VectorSelector(it) => &it.at,
                Expr::MatrixSelector(it) => &it.vs.at,
                Expr::Subquery(it) => &it.at,
                _ => return,
            };
            found |= matches!(at, Some(parser::AtModifier::Start | parser::AtModifier::End));
        });
        found
    }

    /// Its parts that have a value at an instant, the whole first, each as a text.
    pub fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        walk(&self.tree, &mut |expr| {
            let ranged = matches!(expr, Expr::MatrixSelector(_) | Expr::Subquery(_) | Expr::StringLiteral(_));
            if !ranged && !matches!(expr, Expr::Paren(_)) {
                let text = expr.to_string();
                if !parts.contains(&text) {
                    parts.push(text);
                }
            }
        });
        parts
    }

    /// Every metric name a selector asks for; none for a selector without a fixed name.
    pub fn selected(&self) -> Vec<Option<String>> {
        let mut names = Vec::new();
        walk(&self.tree, &mut |expr| {
            let selector = match expr {
                Expr::VectorSelector(selector) => selector,
                Expr::MatrixSelector(matrix) => &matrix.vs,
                _ => return,
            };
            names.push(evaluate::fixed_name(selector).map(str::to_owned));
        });
        names
    }
}

/// The names of all functions, aggregations and operators that are implemented.
pub fn words() -> impl Iterator<Item = &'static str> {
    functions::KNOWN.iter().chain(aggregate::KNOWN).chain(binary::KNOWN).copied()
}

/// Seconds that a time in an expression may have.
const MAX_SECONDS: f64 = 1e12;

/// A number without a unit where a time stands, too great (or none at all) to be one: the parser panics at it.
fn endless_time(text: &str) -> Option<&str> {
    let mut before = "";
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let bytes = rest.as_bytes();
        let length = match first {
            '"' | '\'' | '`' => {
                let mut escaped = false;
                let inside = rest[1..].char_indices().find(|(_, c)| {
                    let ends = *c == first && !escaped;
                    escaped = *c == '\\' && !escaped && first != '`';
                    ends
                });
                inside.map_or(rest.len(), |(at, _)| at + 2)
            }
            c if c.is_ascii_alphanumeric() || c == '_' || c == '.' => {
                let part = |at: usize| {
                    let exponent = |sign: u8| matches!(sign, b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E');
                    let word = bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'_' | b'.');
                    word || first.is_ascii_digit() && exponent(bytes[at])
                };
                (1..rest.len()).find(|at| !part(*at)).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let endless = |number: f64| number.abs().partial_cmp(&MAX_SECONDS) != Some(std::cmp::Ordering::Less);
        let time = before.eq_ignore_ascii_case("offset") || matches!(before, "[" | ":" | "@");
        if time && token.parse().is_ok_and(endless) {
            return Some(token);
        }
        // A sign belongs to what follows it.
        let sign = time && matches!(token, "+" | "-");
        if !(sign || token.trim().is_empty()) {
            before = token;
        }
        rest = after;
    }
    None
}

/// What the parser says when it says nothing.
const UNLOCATED: &str = "invalid promql query";
/// Up to this length the place of a mistake is searched for.
const MAX_SEARCHED: usize = 4 * 1024;

/// Where a text stops being the beginning of an expression: the parser does not tell, so ever shorter beginnings are tried
/// with what could complete them.
fn unexpected(text: &str) -> String {
    if text.len() > MAX_SEARCHED {
        return "this is no PromQL".into();
    }
    // Places between words, signs and texts.
    let mut places = vec![0];
    let mut kind = ' ';
    for (at, c) in text.char_indices() {
        let now = if c.is_alphanumeric() || "_:.".contains(c) { 'w' } else { c };
        if now != kind || now != 'w' {
            places.push(at);
        }
        kind = now;
    }
    let viable = |beginning: &str| {
        let mut open = Vec::new();
        for c in beginning.chars() {
            match c {
                '(' => open.push(')'),
                '[' => open.push(']'),
                '{' => open.push('}'),
                ')' | ']' | '}' => {
                    open.pop();
                }
                _ => {}
            }
        }
        let closed: String = open.iter().rev().collect();
        let more = ["", " x", "5m", "=\"x\"", "\"x\"", "\"", " == x", "x=\"x\"", " on (x) x", " 1"];
        more.iter().flat_map(|more| [(more, ""), (more, " (x)")]).any(|(more, last)| {
            match parser::parse(&format!("{beginning}{more}{closed}{last}")) {
                Ok(_) => true,
                // Another complaint is not about the grammar.
                Err(why) => {
                    let about = [UNLOCATED, "unexpected", "unterminated", "bad number"];
                    about.iter().all(|about| !why.contains(about))
                }
            }
        })
    };
    let Some(place) = places.iter().rev().find(|place| viable(&text[..**place])) else {
        return "this is no PromQL".into();
    };
    let rest = text[*place..].trim_start();
    let character = text[..text.len() - rest.len()].chars().count() + 1;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || "_:.".contains(c))).unwrap_or(rest.len());
    let word = &rest[..end.max(rest.chars().next().map_or(0, char::len_utf8))];
    match viable(text) || word.is_empty() {
        true => "it ends too early".into(),
        false => format!("`{word}` is not expected at character {character}"),
    }
}

/// Visits a tree, parents first.
fn walk<'a>(expr: &'a Expr, visit: &mut impl FnMut(&'a Expr)) {
    visit(expr);
    match expr {
        Expr::Aggregate(it) => {
            if let Some(param) = &it.param {
                walk(param, visit);
            }
            walk(&it.expr, visit);
        }
        Expr::Unary(it) => walk(&it.expr, visit),
        Expr::Binary(it) => {
            walk(&it.lhs, visit);
            walk(&it.rhs, visit);
        }
        Expr::Paren(it) => walk(&it.expr, visit),
        Expr::Subquery(it) => walk(&it.expr, visit),
        Expr::Call(it) => it.args.args.iter().for_each(|arg| walk(arg, visit)),
        _ => {}
    }
}

/// The character at which a word stands in a text, as a word of its own.
fn place_of(text: &str, word: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || "_:.".contains(c);
    let alone = |at: &usize| {
        !word.starts_with(part) || (!text[..*at].ends_with(part) && !text[at + word.len()..].starts_with(part))
    };
    let found = text.match_indices(word).map(|(at, _)| at).find(|_| !word.is_empty()).filter(alone);
    let found = found.or_else(|| text.match_indices(word).map(|(at, _)| at).find(alone));
    found.map(|at| text[..at].chars().count() + 1)
}

/// Refuses what is not implemented, by name: why, and the word.
fn check(expr: &Expr, depth: usize) -> Result<(), (String, String)> {
    if depth > 4 * MAX_NESTING {
        return Err(("the expression is nested too deeply".into(), String::new()));
    }
    let mut problem: Option<(String, String)> = None;
    walk(expr, &mut |expr| {
        let found = match expr {
            Expr::Call(call) if !functions::known(call.func.name) => {
                let name = call.func.name;
                Some((format!("the function `{name}` is not implemented"), name.to_owned()))
            }
            Expr::Aggregate(it) if !aggregate::known(&it.op.to_string()) => {
                Some((format!("the aggregation `{}` is not implemented", it.op), it.op.to_string()))
            }
            Expr::Binary(it) => {
                let fills = it.modifier.as_ref().map(|modifier| modifier.fill_values.clone());
                let filled = fills.is_some_and(|fill| fill.lhs.is_some() || fill.rhs.is_some());
                if filled {
                    Some(("`fill` is not implemented".to_owned(), "fill".to_owned()))
                } else if !binary::known(&it.op.to_string()) {
                    Some((format!("the operator `{}` is not implemented", it.op), it.op.to_string()))
                } else {
                    None
                }
            }
            Expr::Extension(_) => Some(("extensions of PromQL are not implemented".to_owned(), String::new())),
            _ => None,
        };
        if problem.is_none() {
            problem = found;
        }
    });
    problem.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_or_missing_is_refused_by_name() {
        for (text, part) in [
            ("sum(", "unclosed"),
            ("rate(x)", "rate"),
            ("1 + limitk(3, x)", "`limitk` is not implemented (character 5)"),
            ("foo bar", "`bar` is not expected at character 5"),
            ("x >", "too early"),
            ("rate(x[5m]) > 3 adn y", "`adn` is not expected at character 17"),
            ("x{a=\"b\", , c=\"d\"}", "`,` is not expected at character 10"),
            ("sort_by_label(x, \"a\")", "sort_by_label"),
            ("x[5m] + 1", ""),
        ] {
            let error = Expression::parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        let deep = format!("{}x{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(Expression::parse(&deep).is_err_and(|error| error.contains("nested")));
        assert!(Expression::parse(&format!("{}x", "-".repeat(5_000))).is_err());
        assert!(Expression::parse(&"x".repeat(70_000)).is_err_and(|error| error.contains("longer")));
    }
}
