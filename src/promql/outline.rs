//! An expression in parts, for those who want to know why it comes to nothing.

use promql_parser::parser::{BinModifier, BinaryExpr, Expr, VectorMatchCardinality};

use super::{Expression, binary, evaluate};

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// As a text, which is an expression again; of a range, an expression that counts its samples.
    pub text: String,
    /// What it is.
    pub kind: PartKind,
    /// The parts it is made of.
    pub parts: Vec<Part>,
}

/// What a part of an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    /// Series of a name, with a label each that is asked for: label, operator and value as written, and the same selector
    /// without it.
    Selector {
        /// The metric's name, when it is fixed.
        name: Option<String>,
        /// What is asked of labels: label, value, and the selector with this alone.
        asked: Vec<(String, String, String)>,
        /// Whether it is a range of samples.
        range: bool,
    },
    /// A comparison that keeps what fits. The texts tell whether anything matches, and how far apart the sides are.
    Filter {
        /// `>` and so on.
        op: String,
        /// The same with `bool`.
        matched: String,
        /// The same with `-`.
        difference: String,
    },
    /// Arithmetic between two vectors, or a comparison with `bool`.
    Arithmetic,
    /// `and`, `or`, `unless`.
    Set(String),
    /// A function.
    Call(String),
    /// An aggregation.
    Aggregate,
    /// A number or text.
    Literal,
    /// Signs and the like.
    Other,
}

impl Expression {
    /// The expression in parts.
    pub fn outline(&self) -> Part {
        part(&self.tree)
    }
}

fn part(expr: &Expr) -> Part {
    let of = |kind: PartKind, parts: Vec<Part>| Part { text: expr.to_string(), kind, parts };
    match expr {
        Expr::Paren(it) => part(&it.expr),
        Expr::Unary(it) => of(PartKind::Other, vec![part(&it.expr)]),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => of(PartKind::Literal, Vec::new()),
        Expr::VectorSelector(it) => {
            of(PartKind::Selector { name: name(it), asked: asked(it), range: false }, Vec::new())
        }
        Expr::MatrixSelector(it) => Part {
            text: format!("count_over_time({it})"),
            kind: PartKind::Selector { name: name(&it.vs), asked: asked(&it.vs), range: true },
            parts: Vec::new(),
        },
        Expr::Subquery(it) => {
            Part { text: format!("count_over_time({it})"), kind: PartKind::Other, parts: vec![part(&it.expr)] }
        }
        Expr::Aggregate(it) => {
            let param = it.param.iter().map(|it| part(it)).filter(|it| it.kind != PartKind::Literal);
            of(PartKind::Aggregate, std::iter::once(part(&it.expr)).chain(param).collect())
        }
        Expr::Call(it) => {
            of(PartKind::Call(it.func.name.to_owned()), it.args.args.iter().map(|arg| part(arg)).collect())
        }
        Expr::Binary(it) => {
            let op = it.op.to_string();
            let bool = it.modifier.as_ref().is_some_and(|modifier| modifier.return_bool);
            let kind = match op.as_str() {
                "and" | "or" | "unless" => PartKind::Set(op),
                _ if binary::comparison(&op) && !bool => PartKind::Filter {
                    matched: with_bool(it).to_string(),
                    difference: with_minus(it).unwrap_or_default(),
                    op,
                },
                _ => PartKind::Arithmetic,
            };
            of(kind, vec![part(&it.lhs), part(&it.rhs)])
        }
    }
}

fn name(selector: &promql_parser::parser::VectorSelector) -> Option<String> {
    evaluate::fixed_name(selector).map(str::to_owned)
}

fn asked(selector: &promql_parser::parser::VectorSelector) -> Vec<(String, String, String)> {
    let name = evaluate::fixed_name(selector).unwrap_or("");
    let matchers = selector.matchers.matchers.iter().filter(|matcher| matcher.name != "__name__");
    matchers.map(|it| (it.name.clone(), it.value.clone(), format!("{name}{{{it}}}"))).collect()
}

fn with_bool(expr: &BinaryExpr) -> BinaryExpr {
    let mut expr = expr.clone();
    let plain = BinModifier {
        card: VectorMatchCardinality::OneToOne,
        matching: None,
        return_bool: true,
        fill_values: Default::default(),
    };
    expr.modifier = Some(BinModifier { return_bool: true, ..expr.modifier.unwrap_or(plain) });
    expr
}

/// The same with a minus between the sides.
fn with_minus(expr: &BinaryExpr) -> Option<String> {
    let minus = promql_parser::parser::parse("1 - 1").ok()?;
    let Expr::Binary(minus) = minus else { return None };
    Some(BinaryExpr { op: minus.op, ..expr.clone() }.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_can_be_asked_one_by_one() {
        let text = "sum by (a) (rate(x{a=\"b\", c!=\"d\"}[5m])) / on (a) group_left () y > 0.5 and absent(z offset 5m)";
        let outline = Expression::parse(text).expect("sound").outline();
        assert_eq!(outline.kind, PartKind::Set("and".into()));
        let PartKind::Filter { op, matched, difference } = &outline.parts[0].kind else { panic!("{outline:?}") };
        assert_eq!(op, ">");
        assert!(matched.contains("> bool 0.5"), "{matched}");
        assert!(difference.contains("- 0.5"), "{difference}");
        fn all(part: &Part, found: &mut Vec<String>) {
            Expression::parse(&part.text).unwrap_or_else(|why| panic!("{}: {why}", part.text));
            if let PartKind::Selector { asked, .. } = &part.kind {
                found.extend(asked.iter().map(|(_, _, alone)| alone.clone()));
            }
            part.parts.iter().for_each(|part| all(part, found));
        }
        let mut selectors = Vec::new();
        all(&outline, &mut selectors);
        assert_eq!(selectors, ["x{a=\"b\"}", "x{c!=\"d\"}"]);
    }
}
