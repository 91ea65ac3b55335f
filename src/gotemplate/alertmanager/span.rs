//! Lengths of time as Go has them: `time.Duration`.

use super::super::Value;
use super::thing::Thing;

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// `1h2m3.5s`.
pub(super) fn print(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let all = nanoseconds.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let digits = unit.ilog10() as usize;
        let rest = format!("{:0digits$}", value % unit);
        let rest = rest.trim_end_matches('0');
        match rest.is_empty() {
            true => format!("{}", value / unit),
            false => format!("{}.{rest}", value / unit),
        }
    };
    if all == 0 {
        return "0s".into();
    }
    if all < MICROSECOND as u64 {
        return format!("{sign}{all}ns");
    }
    if all < MILLISECOND as u64 {
        return format!("{sign}{}µs", fraction(all, MICROSECOND as u64));
    }
    if all < SECOND as u64 {
        return format!("{sign}{}ms", fraction(all, MILLISECOND as u64));
    }
    let (hours, minutes) = (all / HOUR as u64, all / MINUTE as u64 % 60);
    let seconds = fraction(all % MINUTE as u64, SECOND as u64);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// A length of time among arguments: a number is one in nanoseconds.
pub(super) fn argument(name: &str, arguments: &[Value]) -> Result<i64, String> {
    let [argument] = arguments else {
        return Err(format!("wrong number of args for {name}: want 1 got {}", arguments.len()));
    };
    match (argument, Thing::of(argument)) {
        (Value::Int(it), _) | (_, Some(Thing::Span(it))) => Ok(*it),
        _ => Err(format!("wrong type for value; expected time.Duration; got {}", argument.type_name())),
    }
}

pub(super) fn method(of: i64, name: &str, arguments: &[Value]) -> Result<Value, String> {
    let float = |unit: i64| Value::Float((of / unit) as f64 + (of % unit) as f64 / unit as f64);
    let value = match name {
        "Round" | "Truncate" => {
            let by = argument(name, arguments)?;
            return Ok(Thing::Span(multiple(of, by, name == "Round")).value());
        }
        "Hours" => float(HOUR),
        "Minutes" => float(MINUTE),
        "Seconds" => float(SECOND),
        "Milliseconds" => Value::Int(of / MILLISECOND),
        "Microseconds" => Value::Int(of / MICROSECOND),
        "Nanoseconds" => Value::Int(of),
        "String" => Value::Text(print(of)),
        "Abs" => Thing::Span(of.saturating_abs()).value(),
        _ => return Err(format!("can't evaluate field {name} in type time.Duration")),
    };
    match arguments {
        [] => Ok(value),
        _ => Err(format!("wrong number of args for {name}: want 0 got {}", arguments.len())),
    }
}

/// The multiple towards zero, or the nearest one, halves away from zero.
fn multiple(of: i64, by: i64, nearest: bool) -> i64 {
    if by <= 0 {
        return of;
    }
    let rest = of % by;
    let down = of - rest;
    match nearest && i128::from(rest.unsigned_abs()) * 2 >= i128::from(by) {
        true => down.saturating_add(by * of.signum()),
        false => down,
    }
}
