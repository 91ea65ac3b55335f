//! An expression in parts, for those who want to know why it comes to nothing.

use super::data::label;
use super::matcher::Matcher;
use super::syntax::{Expr, Kind, Selector};
use super::{Expression, Labels, binary, print};

/// A part of an expression.
#[derive(Clone, Debug)]
pub struct Part {
    /// As a text, which is an expression again; of a range, an expression that counts its samples.
    pub text: String,
    /// What it is.
    pub kind: PartKind,
    /// The parts it is made of.
    pub parts: Vec<Part>,
    /// As it was read, of a selector.
    selector: Option<Selector>,
}

impl Part {
    /// Whether it is a selector, and selects a series with these labels.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.selects(labels))
    }

    /// Whether it is a selector, and one label of a series is as it is asked for.
    pub fn fits(&self, asked: &AskedLabel, labels: &Labels) -> bool {
        let of = |it: &&Matcher| (&it.name, it.op, &it.value) == (&asked.label, asked.op, &asked.value);
        let matcher = self.selector.as_ref().and_then(|selector| selector.matchers.iter().find(of));
        matcher.is_some_and(|matcher| matcher.matches(label(labels, &matcher.name)))
    }
}

/// What a selector asks of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedLabel {
    /// The label.
    pub label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub op: &'static str,
    /// With what it is compared.
    pub value: String,
    /// The selector with this alone.
    pub alone: String,
}

/// What a part of an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    /// Series of a name, with labels that are asked for.
    Selector {
        /// The metric's name, when it is fixed.
        name: Option<String>,
        /// What is asked of labels.
        asked: Vec<AskedLabel>,
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
        part(&self.tree, &self.text)
    }
}

/// A part of a tree; `text` is the text of the whole.
fn part(expr: &Expr, text: &str) -> Part {
    let written = |expr: &Expr| print::one_line(text, expr.span.clone());
    let of = |text: String, kind: PartKind, parts: Vec<Part>| Part { text, kind, parts, selector: None };
    // What reaches beyond its range cannot be counted.
    let end =
        |expr: &Expr| expr.selector().and_then(|it| it.extended.as_ref()).map_or(expr.span.end, |(_, it)| it.start);
    let counted = || format!("count_over_time({})", print::one_line(text, expr.span.start..end(expr)));
    let whole = |kind: PartKind, parts: Vec<Part>| of(written(expr), kind, parts);
    match &expr.kind {
        Kind::Paren(it) => part(it, text),
        Kind::Unary(it) => whole(PartKind::Other, vec![part(&it.expr, text)]),
        Kind::Number(value) => of(print::number(*value), PartKind::Literal, Vec::new()),
        Kind::Text(_) => whole(PartKind::Literal, Vec::new()),
        Kind::Selector(it) => Part { selector: Some(it.clone()), ..whole(selector(it, text, false), Vec::new()) },
        Kind::Range(it) => {
            let kind = selector(&it.selector, text, true);
            Part { selector: Some(it.selector.clone()), ..of(counted(), kind, Vec::new()) }
        }
        Kind::Subquery(it) => of(counted(), PartKind::Other, vec![part(&it.expr, text)]),
        Kind::Aggregate(it) => {
            let param = it.param.iter().map(|it| part(it, text)).filter(|it| it.kind != PartKind::Literal);
            whole(PartKind::Aggregate, std::iter::once(part(&it.expr, text)).chain(param).collect())
        }
        Kind::Call(it) => whole(PartKind::Call(it.name.clone()), it.args.iter().map(|arg| part(arg, text)).collect()),
        Kind::Binary(it) => {
            let kind = match it.op {
                op if binary::set(op) => PartKind::Set(op.to_owned()),
                op if binary::comparison(op) && it.modifier.returns_bool.is_none() => {
                    let (left, right, modifier) = (written(&it.left), written(&it.right), &it.modifier);
                    PartKind::Filter {
                        op: op.to_owned(),
                        matched: format!("({left}) {op} bool{modifier} ({right})"),
                        difference: format!("({left}) -{modifier} ({right})"),
                    }
                }
                _ => PartKind::Arithmetic,
            };
            whole(kind, vec![part(&it.left, text), part(&it.right, text)])
        }
    }
}

fn selector(selector: &Selector, text: &str, range: bool) -> PartKind {
    let name = selector.fixed_name();
    let alone = |matcher: &Matcher| {
        let written = print::one_line(text, matcher.span.clone());
        match name {
            Some(name) if print::plain(name, true) => format!("{name}{{{written}}}"),
            Some(name) => format!("{{{}, {written}}}", print::quoted(name)),
            None => format!("{{{written}}}"),
        }
    };
    let asked = selector.matchers.iter().filter(|matcher| matcher.name != "__name__");
    PartKind::Selector {
        name: name.map(str::to_owned),
        asked: asked
            .map(|it| AskedLabel { label: it.name.clone(), op: it.op, value: it.value.clone(), alone: alone(it) })
            .collect(),
        range,
    }
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
        assert!(matched.ends_with("> bool (0.5)"), "{matched}");
        assert!(difference.ends_with(") - (0.5)"), "{difference}");
        fn all(part: &Part, found: &mut Vec<String>) {
            Expression::parse(&part.text).unwrap_or_else(|why| panic!("{}: {why}", part.text));
            if let PartKind::Selector { asked, .. } = &part.kind {
                found.extend(asked.iter().map(|asked| asked.alone.clone()));
            }
            part.parts.iter().for_each(|part| all(part, found));
        }
        let mut selectors = Vec::new();
        all(&outline, &mut selectors);
        assert_eq!(selectors, ["x{a=\"b\"}", "x{c!=\"d\"}"]);
    }
}
