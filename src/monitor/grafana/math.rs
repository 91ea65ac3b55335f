//! Formulas of `math` nodes: numbers, `$A`, arithmetic, comparisons, `&&`, `||`, `!`, and a few functions.

use super::nodes::{Data, NULL, is_null};
use crate::promql::Labels;

/// A formula.
#[derive(Clone, Debug)]
pub struct Formula {
    text: String,
    root: Term,
}

#[derive(Clone, Debug)]
enum Term {
    Number(f64),
    Variable(String),
    Unary(char, Box<Term>),
    Binary(&'static str, Box<Term>, Box<Term>),
    Call(Function, Box<Term>),
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Abs,
    Log,
    Round,
    Ceil,
    Floor,
    IsNan,
    IsInf,
    IsNull,
    IsNumber,
}

const FUNCTIONS: &[(&str, Function)] = &[
    ("abs", Function::Abs),
    ("log", Function::Log),
    ("round", Function::Round),
    ("ceil", Function::Ceil),
    ("floor", Function::Floor),
    ("is_nan", Function::IsNan),
    ("is_inf", Function::IsInf),
    ("is_null", Function::IsNull),
    ("is_number", Function::IsNumber),
];

/// By how tightly they bind.
const OPERATORS: &[&[&str]] =
    &[&["||"], &["&&"], &["==", "!=", ">=", "<=", ">", "<"], &["+", "-"], &["*", "/", "%"], &["**"]];

const MAX_DEPTH: usize = 100;
/// Operators of a formula: a chain of them is as deep as it is long.
const MAX_OPERATORS: usize = 1_000;

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Formula, String> {
        let mut parser = Parser { rest: text, depth: 0, operators: 0 };
        let root = parser.binary(0)?;
        match parser.peek() {
            None => Ok(Formula { text: text.to_owned(), root }),
            Some(_) => Err(format!("`{}` is not expected here", parser.rest.trim_start())),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The nodes it reads.
    pub fn variables(&self) -> Vec<String> {
        fn walk(term: &Term, found: &mut Vec<String>) {
            match term {
                Term::Variable(name) => found.push(name.clone()),
                Term::Unary(_, it) | Term::Call(_, it) => walk(it, found),
                Term::Binary(_, a, b) => {
                    walk(a, found);
                    walk(b, found);
                }
                Term::Number(_) => {}
            }
        }
        let mut found = Vec::new();
        walk(&self.root, &mut found);
        found
    }

    /// What it comes to.
    ///
    /// # Errors
    /// A node that is not there.
    pub(super) fn evaluate(&self, of: &dyn Fn(&str) -> Option<Data>) -> Result<Data, String> {
        value(&self.root, of)
    }
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
    operators: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.trim_start().chars().next()
    }
    fn take(&mut self, word: &str) -> bool {
        match self.rest.trim_start().strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
    fn name(&mut self) -> String {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        self.rest = &text[end..];
        text[..end].to_owned()
    }

    fn binary(&mut self, level: usize) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deeply".into());
        }
        let Some(operators) = OPERATORS.get(level) else {
            let term = self.unary();
            self.depth -= 1;
            return term;
        };
        let mut left = self.binary(level + 1)?;
        loop {
            let next = self.rest.trim_start();
            let found = operators.iter().find(|op| {
                // `*` is not the beginning of `**`, nor `<` that of `<=`: longer ones stand first, but for this one.
                next.starts_with(**op) && !(**op == "*" && next.starts_with("**"))
            });
            let Some(op) = found else { break };
            self.take(op);
            self.operators += 1;
            if self.operators > MAX_OPERATORS {
                return Err(format!("it has more than {MAX_OPERATORS} operators"));
            }
            let right = self.binary(level + 1)?;
            left = Term::Binary(op, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Term, String> {
        match self.peek() {
            Some(sign @ ('-' | '!')) => {
                self.take(&sign.to_string());
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err("it is nested too deeply".into());
                }
                let term = self.unary()?;
                self.depth -= 1;
                Ok(Term::Unary(sign, Box::new(term)))
            }
            Some('(') => {
                self.take("(");
                let term = self.binary(0)?;
                if self.take(")") { Ok(term) } else { Err("a `)` is missing".into()) }
            }
            Some('$') => self.variable(),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_alphabetic() => self.call(),
            Some(other) => Err(format!("`{other}` is not expected here")),
            None => Err("it ends too early".into()),
        }
    }

    /// A node, as `$A` or `${A}`.
    fn variable(&mut self) -> Result<Term, String> {
        self.take("$");
        if self.take("{") {
            let Some((name, rest)) = self.rest.split_once('}') else { return Err("a `}` is missing".into()) };
            let name = name.trim().to_owned();
            self.rest = rest;
            return Ok(Term::Variable(name));
        }
        let name = self.name();
        if name.is_empty() { Err("a name must follow `$`".into()) } else { Ok(Term::Variable(name)) }
    }

    fn number(&mut self) -> Result<Term, String> {
        let text = self.rest.trim_start();
        let mut end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        // An exponent.
        if let Some(after) = text[end..].strip_prefix(['e', 'E']) {
            let digits = after.trim_start_matches(['+', '-']);
            let more = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            if more > 0 {
                end = text.len() - digits.len() + more;
            }
        }
        self.rest = &text[end..];
        text[..end].parse().map(Term::Number).map_err(|_| format!("`{}` is no number", &text[..end]))
    }

    /// A function of a term, or a constant that is written as one.
    fn call(&mut self) -> Result<Term, String> {
        let name = self.name();
        let constant = match name.as_str() {
            "inf" | "infn" => Some(f64::INFINITY),
            "nan" => Some(f64::NAN),
            "null" => Some(NULL),
            _ => None,
        };
        if !self.take("(") {
            return Err(format!("`{name}` is not expected here: write ${name} for the node {name}"));
        }
        if let Some(constant) = constant {
            return if self.take(")") { Ok(Term::Number(constant)) } else { Err("a `)` is missing".into()) };
        }
        let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
            return Err(format!("the function `{name}` is not known"));
        };
        let term = self.binary(0)?;
        if self.take(")") { Ok(Term::Call(*function, Box::new(term))) } else { Err("a `)` is missing".into()) }
    }
}

fn operate(op: &str, a: f64, b: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    // Nothing comes of what is nothing.
    if is_null(a) || is_null(b) {
        return NULL;
    }
    match op {
        // These two look no further than they must.
        "||" if a != 0.0 && !a.is_nan() => return 1.0,
        "&&" if a == 0.0 => return 0.0,
        _ if a.is_nan() || b.is_nan() => return f64::NAN,
        _ => {}
    }
    match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "%" => libm::fmod(a, b),
        "**" => libm::pow(a, b),
        "==" => truth(a == b),
        "!=" => truth(a != b),
        ">" => truth(a > b),
        "<" => truth(a < b),
        ">=" => truth(a >= b),
        "<=" => truth(a <= b),
        "||" => truth(b != 0.0),
        _ => truth(b != 0.0),
    }
}

fn one(function: Function, value: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    if is_null(value) {
        return match function {
            Function::IsNull => 1.0,
            Function::IsNan | Function::IsInf | Function::IsNumber => 0.0,
            _ => NULL,
        };
    }
    match function {
        Function::Abs => f64::abs(value),
        Function::Log => libm::log(value),
        Function::Round => f64::round(value),
        Function::Ceil => f64::ceil(value),
        Function::Floor => f64::floor(value),
        Function::IsNan => truth(value.is_nan()),
        Function::IsInf => truth(value.is_infinite()),
        Function::IsNull => 0.0,
        Function::IsNumber => truth(value.is_finite()),
    }
}

fn value(term: &Term, of: &dyn Fn(&str) -> Option<Data>) -> Result<Data, String> {
    Ok(match term {
        Term::Number(value) => Data::Numbers(vec![(Labels::from(Vec::new()), *value)]),
        Term::Variable(name) => of(name).ok_or_else(|| format!("there is no node {name}"))?,
        Term::Unary('-', it) => value(it, of)?.mapped(|value| -value),
        Term::Unary(_, it) => {
            value(it, of)?.mapped(|value| if value.is_nan() { value } else { f64::from(u8::from(value == 0.0)) })
        }
        Term::Call(function, it) => value(it, of)?.each(|value| one(*function, value)),
        Term::Binary(op, a, b) => binary(op, value(a, of)?, value(b, of)?),
    })
}

/// Both sides, joined by labels: those that are the same, or where one side has all those of the other.
fn binary(op: &str, a: Data, b: Data) -> Data {
    let joined = |a: &Labels, b: &Labels| -> Option<Labels> {
        let within = |small: &Labels, large: &Labels| small.iter().all(|label| large.contains(label));
        if within(a, b) {
            Some(b.clone())
        } else if within(b, a) {
            Some(a.clone())
        } else {
            None
        }
    };
    match (a.plain(), b.plain()) {
        (Data::Numbers(a), Data::Numbers(b)) => {
            let mut all = Vec::new();
            for (left, x) in &a {
                all.extend(b.iter().filter_map(|(right, y)| Some((joined(left, right)?, operate(op, *x, *y)))));
            }
            Data::Numbers(all)
        }
        (Data::Series(a), Data::Numbers(b)) => {
            let mut all = Vec::new();
            for (left, samples) in &a {
                for (right, y) in &b {
                    if let Some(labels) = joined(left, right) {
                        all.push((labels, samples.iter().map(|(time, x)| (*time, operate(op, *x, *y))).collect()));
                    }
                }
            }
            Data::Series(all)
        }
        (Data::Numbers(a), Data::Series(b)) => {
            let mut all = Vec::new();
            for (left, x) in &a {
                for (right, samples) in &b {
                    if let Some(labels) = joined(left, right) {
                        all.push((labels, samples.iter().map(|(time, y)| (*time, operate(op, *x, *y))).collect()));
                    }
                }
            }
            Data::Series(all)
        }
        (Data::Series(a), Data::Series(b)) => {
            let mut all = Vec::new();
            for (left, xs) in &a {
                for (right, ys) in &b {
                    let Some(labels) = joined(left, right) else { continue };
                    let at = |time: i64| ys.iter().find(|(other, _)| *other == time).map(|(_, y)| *y);
                    let both = xs.iter().filter_map(|(time, x)| Some((*time, operate(op, *x, at(*time)?))));
                    all.push((labels, both.collect()));
                }
            }
            Data::Series(all)
        }
        // A plain one is numbers or series.
        (either, _) => either,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> f64 {
        let of =
            |name: &str| (name == "A" || name == "long name").then(|| Data::Numbers(vec![(Vec::new().into(), 3.0)]));
        match Formula::parse(text).and_then(|formula| formula.evaluate(&of)) {
            Ok(Data::Numbers(all)) => all.first().map_or(f64::NAN, |(_, value)| *value),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn formulas_are_reckoned() {
        for (text, expected) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("2 ** 3 * 2", 16.0),
            ("$A > 2 && $A < 4", 1.0),
            ("!($A == 3)", 0.0),
            ("${long name} % 2", 1.0),
            ("-$A + 1e1", 7.0),
            ("abs(-2.5) + round(1.6)", 4.5),
            ("is_nan(nan()) || 0", 1.0),
            ("$A >= 3", 1.0),
            ("is_null(null()) + is_null(1)", 1.0),
            ("is_null(null() + 1)", 1.0),
            ("is_null(-null())", 1.0),
            ("is_number(null())", 0.0),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        for (text, part) in [
            ("A > 3", "write $A"),
            ("$A >", "too early"),
            ("(1", "`)`"),
            ("nope(1)", "not known"),
            ("1 2", "`2`"),
            (&"(".repeat(500), "deep"),
            (&"-".repeat(500), "deep"),
            (&("1".to_owned() + &"+1".repeat(100_000)), "more than 1000 operators"),
            (&("1".to_owned() + &"**1".repeat(100_000)), "more than 1000 operators"),
        ] {
            let told = Formula::parse(text).expect_err(text);
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
