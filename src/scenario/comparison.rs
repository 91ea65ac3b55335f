//! What a query is compared with.

use std::fmt;
use std::ops::Range;

use crate::promql::Expression;

/// `is`: a comparison with a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How.
    pub operator: Operator,
    /// With what: a number, or another scalar expression.
    pub than: Expression,
}

/// How numbers are compared, as PromQL does: what is no number equals nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `<`
    Less,
}

impl Operator {
    /// Each with its sign; a sign stands before those that it begins with.
    pub const NAMES: &[(&str, Operator)] = &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        (">=", Operator::AtLeast),
        ("<=", Operator::AtMost),
        (">", Operator::Greater),
        ("<", Operator::Less),
    ];

    /// Whether it holds between two numbers.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::AtLeast => left >= right,
            Operator::AtMost => left <= right,
            Operator::Greater => left > right,
            Operator::Less => left < right,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Operator::NAMES.iter().find(|(_, operator)| *operator == self.operator).map_or("", |(sign, _)| sign);
        write!(f, "{sign} {}", self.than.text())
    }
}

impl std::str::FromStr for Comparison {
    type Err = String;

    fn from_str(text: &str) -> Result<Comparison, String> {
        let text = text.trim();
        let operator = Operator::NAMES.iter().find(|(sign, _)| text.starts_with(sign));
        let Some((sign, operator)) = operator else {
            let signs: Vec<&str> = Operator::NAMES.iter().map(|(sign, _)| *sign).collect();
            return Err(format!("write one of {} and a number, for example `> 10`", signs.join(" ")));
        };
        let than = text[sign.len()..].trim();
        if than.is_empty() {
            return Err(format!("write a number after `{sign}`, for example `{sign} 10`"));
        }
        let expression =
            Expression::parse(than).map_err(|why| format!("`{than}` is no number and no PromQL: {why}"))?;
        // PromQL itself tells what is a scalar: `vector` takes nothing else.
        match Expression::parse(&format!("vector({than}\n)")) {
            Ok(_) => Ok(Comparison { operator: *operator, than: expression }),
            Err(_) => Err(format!("compare with one number: `{than}` is none; `scalar(...)` makes one of a vector")),
        }
    }
}

/// Reads an expression that can be compared: a number or a vector, and no text, no range.
///
/// # Errors
/// Which bytes of it are wrong, and why.
pub fn comparable(text: &str) -> Result<Expression, (Range<usize>, String)> {
    let expression = Expression::parse(text).map_err(|why| (why.span, why.message))?;
    // PromQL itself tells what has a value at an instant: nothing else can be compared.
    Expression::parse(&format!("({text}\n) == bool 0"))
        .map_err(|why| (0..text.len(), format!("it has no value at an instant: {}", why.message)))?;
    Ok(expression)
}
