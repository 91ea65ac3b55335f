//! How far back an expression looks: samples older than that can be forgotten.

use std::time::Duration;

use promql_parser::parser::{AtModifier, Expr, Offset};

use super::Expression;
use super::evaluate::LOOKBACK;

impl Expression {
    /// How far before an instant, in milliseconds, the oldest sample can be that a value at this instant depends on; `step` is
    /// that of subqueries that name none. None when there is no such bound, or when it looks into the future: with `@`, or
    /// with a negative offset.
    pub fn reach(&self, step: i64) -> Option<i64> {
        reach(&self.tree, step)
    }
}

fn reach(expr: &Expr, step: i64) -> Option<i64> {
    match expr {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Some(0),
        Expr::Paren(it) => reach(&it.expr, step),
        Expr::Unary(it) => reach(&it.expr, step),
        Expr::Binary(it) => Some(reach(&it.lhs, step)?.max(reach(&it.rhs, step)?)),
        Expr::Aggregate(it) => {
            let param = it.param.as_ref().map_or(Some(0), |param| reach(param, step))?;
            Some(param.max(reach(&it.expr, step)?))
        }
        Expr::Call(it) => it.args.args.iter().try_fold(0, |most, arg| Some(most.max(reach(arg, step)?))),
        Expr::VectorSelector(it) => Some(LOOKBACK.saturating_add(back(it.at.as_ref(), it.offset.as_ref())?)),
        Expr::MatrixSelector(it) => {
            Some(milliseconds(it.range).saturating_add(back(it.vs.at.as_ref(), it.vs.offset.as_ref())?))
        }
        Expr::Subquery(it) => {
            let own = milliseconds(it.range).saturating_add(back(it.at.as_ref(), it.offset.as_ref())?);
            let step_of = it.step.map_or(step, milliseconds);
            Some(own.saturating_add(step_of).saturating_add(reach(&it.expr, step)?))
        }
        Expr::Extension(_) => None,
    }
}

fn back(at: Option<&AtModifier>, offset: Option<&Offset>) -> Option<i64> {
    match (at, offset) {
        (None, None) => Some(0),
        (None, Some(Offset::Pos(by))) => Some(milliseconds(*by)),
        (None, Some(Offset::Neg(by))) => by.is_zero().then_some(0),
        (Some(_), _) => None,
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Expression;

    #[test]
    fn ranges_offsets_and_subqueries_add_up() {
        let minute = 60_000;
        for (text, minutes) in [
            ("1", Some(0)),
            ("x", Some(5)),
            ("x offset 1h", Some(65)),
            ("rate(x[10m]) > 0", Some(10)),
            ("rate(x[10m] offset 5m) / on (a) y", Some(15)),
            ("sum by (a) (x) unless max_over_time(y[1h])", Some(60)),
            ("topk(scalar(x offset 1h), y)", Some(65)),
            ("max_over_time(rate(x[5m])[30m:1m])", Some(36)),
            ("max_over_time(sum(x)[30m:])", Some(37)),
            ("max_over_time(rate(x[5m])[30m:1m] offset 10m)", Some(46)),
            ("time() - x", Some(5)),
            ("x @ 100", None),
            ("rate(x[5m] @ start())", None),
            ("-x offset -5m", None),
            ("vector(1) or max_over_time((x @ end())[5m:1m])", None),
        ] {
            let expression = Expression::parse(text).expect(text);
            assert_eq!(expression.reach(2 * minute), minutes.map(|it| it * minute), "{text}");
        }
    }
}
