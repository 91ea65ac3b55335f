//! Names and types: what the grammar allows, but means nothing or is not implemented.

use std::fmt;

use super::error::SyntaxError;
use super::parser::AGGREGATIONS;
use super::syntax::{Aggregate, Binary, Call, Expr, Kind, Selector};
use super::{aggregate, binary};

/// What an expression comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Scalar,
    Vector,
    Range,
    Text,
}

use Type::{Range, Scalar, Text, Vector};

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scalar => "a number",
            Vector => "an instant vector",
            Range => "a range vector",
            Text => "a text",
        })
    }
}

/// What functions take and give.
pub(super) struct Signature {
    takes: &'static [Type],
    /// At least and at most so many arguments; what there are more than `takes` are of its last type.
    count: (usize, usize),
    gives: Type,
    pub(super) names: &'static [&'static str],
}

const fn exactly(takes: &'static [Type], gives: Type, names: &'static [&'static str]) -> Signature {
    Signature { takes, count: (takes.len(), takes.len()), gives, names }
}

/// All functions that are implemented.
pub(super) const FUNCTIONS: &[Signature] = &[
    exactly(&[], Scalar, &["pi", "time"]),
    exactly(&[Scalar], Vector, &["vector"]),
    exactly(&[Vector], Scalar, &["scalar"]),
    exactly(
        &[Vector],
        Vector,
        &[
            "abs",
            "absent",
            "acos",
            "acosh",
            "asin",
            "asinh",
            "atan",
            "atanh",
            "ceil",
            "cos",
            "cosh",
            "deg",
            "exp",
            "floor",
            "ln",
            "log10",
            "log2",
            "rad",
            "sgn",
            "sin",
            "sinh",
            "sort",
            "sort_desc",
            "sqrt",
            "tan",
            "tanh",
            "timestamp",
        ],
    ),
    exactly(
        &[Vector],
        Vector,
        &["histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum"],
    ),
    Signature {
        takes: &[Vector],
        count: (0, 1),
        gives: Vector,
        names: &["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"],
    },
    exactly(
        &[Range],
        Vector,
        &[
            "absent_over_time",
            "avg_over_time",
            "changes",
            "count_over_time",
            "delta",
            "deriv",
            "first_over_time",
            "idelta",
            "increase",
            "irate",
            "last_over_time",
            "max_over_time",
            "min_over_time",
            "present_over_time",
            "rate",
            "resets",
            "stddev_over_time",
            "stdvar_over_time",
            "sum_over_time",
        ],
    ),
    exactly(&[Range, Scalar], Vector, &["predict_linear"]),
    exactly(&[Scalar, Range], Vector, &["quantile_over_time"]),
    exactly(&[Scalar, Vector], Vector, &["histogram_quantile"]),
    exactly(&[Scalar, Scalar, Vector], Vector, &["histogram_fraction"]),
    exactly(&[Vector, Scalar], Vector, &["clamp_max", "clamp_min"]),
    exactly(&[Vector, Scalar, Scalar], Vector, &["clamp"]),
    Signature { takes: &[Vector, Scalar], count: (1, 2), gives: Vector, names: &["round"] },
    exactly(&[Vector, Text, Text, Text, Text], Vector, &["label_replace"]),
    Signature { takes: &[Vector, Text, Text, Text], count: (3, usize::MAX), gives: Vector, names: &["label_join"] },
];

/// Functions that some Prometheus has, behind a switch or in later versions.
const NOT_IMPLEMENTED: &[&str] = &[
    "double_exponential_smoothing",
    "histogram_quantiles",
    "holt_winters",
    "info",
    "integral",
    "mad_over_time",
    "max_of",
    "min_of",
    "range",
    "sort_by_label",
    "sort_by_label_desc",
    "start_timestamp",
    "step",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
];

type Checked<T> = Result<T, SyntaxError>;

/// What an expression comes to; what is wrong within it first.
pub(super) fn check(expr: &Expr) -> Checked<Type> {
    match &expr.kind {
        Kind::Number(_) => Ok(Scalar),
        Kind::Text(_) => Ok(Text),
        Kind::Range(_) => Ok(Range),
        Kind::Selector(it) => selector(it).map(|()| Vector),
        Kind::Paren(it) => check(it),
        Kind::Unary(it) => match check(&it.expr)? {
            of @ (Scalar | Vector) => Ok(of),
            other => Err(SyntaxError::new(expr.span.clone(), format!("{other} has no sign"))),
        },
        Kind::Subquery(it) => match check(&it.expr)? {
            Vector => Ok(Range),
            other => Err(wrong(&it.expr, format!("a subquery is of an instant vector, not of {other}"))),
        },
        Kind::Call(it) => {
            let signature = function(it)?;
            for (index, arg) in it.args.iter().enumerate() {
                let given = check(arg)?;
                let wanted = signature.takes[index.min(signature.takes.len() - 1)];
                if given != wanted {
                    return Err(wrong_argument(&it.name, arg, wanted, given));
                }
            }
            Ok(signature.gives)
        }
        Kind::Aggregate(it) => {
            let param = it.param.as_deref().map(check).transpose()?;
            aggregation(it, param, check(&it.expr)?).map(|()| Vector)
        }
        Kind::Binary(it) => {
            let (left, right) = (check(&it.left)?, check(&it.right)?);
            operation(it, left, right)
        }
    }
}

fn wrong(expr: &Expr, message: String) -> SyntaxError {
    SyntaxError::new(expr.span.clone(), message)
}

fn wrong_argument(name: &str, arg: &Expr, wanted: Type, given: Type) -> SyntaxError {
    let error = wrong(arg, format!("`{name}` takes {wanted} here, not {given}"));
    match (wanted, given) {
        (Range, Vector) if arg.selector().is_some() => error.with_advice("add a range, as in `x[5m]`"),
        (Range, Vector) => error.with_advice("make it a subquery, as in `(...)[5m:]`"),
        (Vector, Range) => error.with_advice("remove the range, or take `rate` or the like of it"),
        (Vector, Scalar) => error.with_advice("make a vector of it with `vector(...)`"),
        (Scalar, Vector) => error.with_advice("make a number of it with `scalar(...)`"),
        (Text, _) => error.with_advice("write it in quotes"),
        _ => error,
    }
}

fn selector(it: &Selector) -> Checked<()> {
    let of_name = it.matchers.iter().find(|matcher| matcher.name == "__name__");
    match (&it.name, of_name) {
        (Some(_), Some(matcher)) => Err(SyntaxError::new(matcher.span.clone(), "the name of the metric is here twice")
            .with_advice("write it either before the braces or in them")),
        (None, _) if it.matchers.iter().all(|matcher| matcher.matches("")) => {
            Err(SyntaxError::new(it.span.clone(), "this selects every series there is")
                .with_advice("name the metric, or ask for a label that is not empty"))
        }
        _ => Ok(()),
    }
}

/// The signature of a function, when it has the right number of arguments.
fn function(call: &Call) -> Checked<&'static Signature> {
    let name = call.name.as_str();
    let Some(signature) = FUNCTIONS.iter().find(|signature| signature.names.contains(&name)) else {
        let span = call.name_span.clone();
        if NOT_IMPLEMENTED.contains(&name) {
            return Err(SyntaxError::new(span, format!("the function `{name}` is not implemented")));
        }
        let known = FUNCTIONS.iter().flat_map(|it| it.names).copied();
        let known = known.chain(AGGREGATIONS.iter().map(|(op, _)| *op));
        return Err(SyntaxError::new(span, format!("there is no function `{name}`")).with_nearest(name, known));
    };
    let (least, most) = signature.count;
    let count = call.args.len();
    if (least..=most).contains(&count) {
        return Ok(signature);
    }
    let wanted = match (least, most) {
        (0, 0) => "no argument".to_owned(),
        (1, 1) => "one argument".to_owned(),
        _ if least == most => format!("{least} arguments"),
        (_, usize::MAX) => format!("at least {least} arguments"),
        _ => format!("{least} or {most} arguments"),
    };
    // The first that is too much, or the whole call.
    let span = match call.args.get(most.min(count)) {
        Some(arg) => arg.span.clone(),
        None => call.name_span.clone(),
    };
    Err(SyntaxError::new(span, format!("`{name}` takes {wanted}, not {count}")))
}

fn aggregation(it: &Aggregate, param: Option<Type>, of: Type) -> Checked<()> {
    let op = it.op;
    if !aggregate::known(op) {
        return Err(SyntaxError::new(it.op_span.clone(), format!("the aggregation `{op}` is not implemented")));
    }
    let wanted = if op == "count_values" { Text } else { Scalar };
    match (&it.param, param) {
        (Some(expr), Some(given)) if given != wanted => return Err(wrong_argument(op, expr, wanted, given)),
        _ => {}
    }
    if of == Vector { Ok(()) } else { Err(wrong_argument(op, &it.expr, Vector, of)) }
}

fn operation(it: &Binary, left: Type, right: Type) -> Checked<Type> {
    let (op, at_op) = (it.op, |message: String| SyntaxError::new(it.op_span.clone(), message));
    for (side, of) in [(&it.left, left), (&it.right, right)] {
        if !matches!(of, Scalar | Vector) {
            let error = wrong(side, format!("`{op}` stands between numbers and instant vectors; this is {of}"));
            let advice = if of == Range { "take `rate` or the like of it" } else { "remove the quotes" };
            return Err(error.with_advice(advice));
        }
    }
    let comparison = binary::comparison(op);
    let both = left == Vector && right == Vector;
    if let Some(span) = it.modifier.returns_bool.clone().filter(|_| !comparison) {
        return Err(SyntaxError::new(span, format!("`bool` is for comparisons, not for `{op}`")));
    }
    if comparison && left == Scalar && right == Scalar && it.modifier.returns_bool.is_none() {
        return Err(
            at_op("a comparison of two numbers needs `bool`".to_owned()).with_advice(format!("write `{op} bool`"))
        );
    }
    if binary::set(op) {
        if !both {
            let side = if left == Vector { &it.right } else { &it.left };
            return Err(wrong(side, format!("`{op}` stands between instant vectors, not numbers"))
                .with_advice("make a vector of it with `vector(...)`"));
        }
        if let Some(group) = &it.modifier.group {
            return Err(SyntaxError::new(group.span.clone(), format!("`{op}` has no groups")));
        }
    }
    if let Some(matching) = &it.modifier.matching {
        if !both && !matching.names.is_empty() {
            return Err(SyntaxError::new(matching.span.clone(), "labels are matched between instant vectors only"));
        }
        if let Some(group) = it.modifier.group.as_ref().filter(|_| matching.included)
            && let Some(twice) = group.include.iter().find(|label| matching.names.contains(label))
        {
            return Err(SyntaxError::new(group.span.clone(), format!("`{twice}` is matched by already"))
                .with_advice("leave it out of the group"));
        }
    }
    Ok(if left == Scalar && right == Scalar { Scalar } else { Vector })
}
