//! How far back an expression looks: samples older than that can be forgotten.

use super::Expression;
use super::evaluate::LOOKBACK;
use super::syntax::{Expr, Kind, Shift};

impl Expression {
    /// How far before an instant, in milliseconds, the oldest sample can be that a value at this instant depends on; `step` is
    /// that of subqueries that name none. None when there is no such bound, or when it looks into the future: with `@`, or
    /// with a negative offset.
    pub fn reach(&self, step: i64) -> Option<i64> {
        reach(&self.tree, step)
    }
}

fn reach(expr: &Expr, step: i64) -> Option<i64> {
    match &expr.kind {
        Kind::Selector(it) => Some(LOOKBACK.saturating_add(back(&it.shift)?)),
        Kind::Range(it) => Some(it.range.saturating_add(back(&it.selector.shift)?)),
        Kind::Subquery(it) => {
            let own = it.range.saturating_add(back(&it.shift)?);
            Some(own.saturating_add(it.step.unwrap_or(step)).saturating_add(reach(&it.expr, step)?))
        }
        Kind::Number(_)
        | Kind::Text(_)
        | Kind::Paren(_)
        | Kind::Unary(_)
        | Kind::Call(_)
        | Kind::Aggregate(_)
        | Kind::Binary(_) => expr.children().try_fold(0, |most, child| Some(most.max(reach(child, step)?))),
    }
}

fn back(shift: &Shift) -> Option<i64> {
    let offset = shift.offset.unwrap_or(0);
    (shift.at.is_none() && offset >= 0).then_some(offset)
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
