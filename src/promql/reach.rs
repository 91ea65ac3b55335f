//! How far back an expression looks: samples older than that can be forgotten.

use super::Expression;
use super::evaluate::LOOKBACK;
use super::print;
use super::syntax::{Expr, Extended, Kind, RangeSelector, Shift};

impl Expression {
    /// How far before an instant, in milliseconds, the oldest sample can be that a value at this instant depends on; `step` is
    /// that of subqueries that name none. None when there is no such bound, or when it looks into the future: with `@`,
    /// with a negative offset, or `smoothed`.
    pub fn reach(&self, step: i64) -> Option<i64> {
        reach(&self.tree, step)
    }
}

impl Expression {
    /// Selectors that look at what was before, each with how far before an instant that is at least, in milliseconds.
    pub fn offsets(&self) -> Vec<(String, i64)> {
        let mut all = Vec::new();
        offsets(&self.tree, &self.text, 0, &mut all);
        all
    }

    /// Calls of functions that need two samples, each with the name that its range selects, if that is fixed, and with how
    /// long the range is, in milliseconds.
    pub(crate) fn of_two_samples(&self) -> Vec<(String, Option<String>, i64)> {
        let mut all = Vec::new();
        of_two_samples(&self.tree, &self.text, &mut all);
        all
    }
}

/// Functions that have no value of a range with one sample.
const OF_TWO: [&str; 8] =
    ["rate", "increase", "delta", "irate", "idelta", "deriv", "predict_linear", "double_exponential_smoothing"];

fn of_two_samples(expr: &Expr, text: &str, all: &mut Vec<(String, Option<String>, i64)>) {
    if let Kind::Call(call) = &expr.kind
        && OF_TWO.contains(&call.name.as_str())
        && let Some(Expr { kind: Kind::Range(RangeSelector { selector, range }), .. }) = call.args.first()
        // What is looked for before the range, or behind it, is a sample too.
        && selector.extension().is_none()
    {
        let name = selector.fixed_name().map(str::to_owned);
        all.push((print::one_line(text, expr.span.clone()), name, *range));
    }
    expr.children().for_each(|child| of_two_samples(child, text, all));
}

fn offsets(expr: &Expr, text: &str, outer: i64, all: &mut Vec<(String, i64)>) {
    let mut before = outer;
    if let Some(shift) = expr.shift() {
        // What is fixed to an instant is no matter of how long ago.
        if shift.at.is_some() {
            return;
        }
        before = before.saturating_add(shift.offset.unwrap_or(0));
        if expr.selector().is_some() && before > 0 {
            all.push((print::one_line(text, expr.span.clone()), before));
        }
    }
    expr.children().for_each(|child| offsets(child, text, before, all));
}

fn reach(expr: &Expr, step: i64) -> Option<i64> {
    match &expr.kind {
        Kind::Selector(it) | Kind::Range(RangeSelector { selector: it, .. })
            if it.extension() == Some(Extended::Smoothed) =>
        {
            None
        }
        Kind::Selector(it) => Some(LOOKBACK.saturating_add(back(&it.shift)?)),
        Kind::Range(it) => {
            let before = if it.selector.extension().is_some() { LOOKBACK } else { 0 };
            Some(it.range.saturating_add(before).saturating_add(back(&it.selector.shift)?))
        }
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
    fn each_selector_that_looks_back_is_told_with_how_far() {
        let text =
            "x offset 1d > y or sum(rate(z[5m] offset 1h)) + max_over_time((w offset 1m)[5m:1m] offset 1h) + v @ 9";
        let found = Expression::parse(text).expect("sound").offsets();
        let told: Vec<(&str, i64)> = found.iter().map(|(text, back)| (text.as_str(), back / 60_000)).collect();
        assert_eq!(told, [("x offset 1d", 1440), ("z[5m] offset 1h", 60), ("w offset 1m", 61)]);
    }

    #[test]
    fn calls_that_need_two_samples_are_told_with_their_ranges() {
        let text = "rate(x[10s]) > sum(increase({__name__=~\"y.*\"}[5m])) or max_over_time(z[1s]) and (deriv(w[1m] offset 1h) \
                    or rate(v[1s] anchored))";
        let found = Expression::parse(text).expect("sound").of_two_samples();
        let told: Vec<_> =
            found.iter().map(|(text, name, range)| (text.as_str(), name.as_deref(), range / 1000)).collect();
        let expected = [
            ("rate(x[10s])", Some("x"), 10),
            ("increase({__name__=~\"y.*\"}[5m])", None, 300),
            ("deriv(w[1m] offset 1h)", Some("w"), 60),
        ];
        assert_eq!(told, expected);
    }

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
            ("rate(x[10m] anchored)", Some(15)),
            ("rate(x[5m + 5m])", Some(10)),
            ("rate(x[10m] smoothed)", None),
            ("x smoothed", None),
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
