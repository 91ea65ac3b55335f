//! Operators, with Java's promotions: whole numbers divide to whole numbers, a `Double` makes doubles of both.

use std::cmp::Ordering;
use std::str::FromStr;
use std::sync::Arc;

use bigdecimal::{BigDecimal, Context, RoundingMode, Zero};

use super::error::{Fault, Found, class};
use super::syntax::Operator;
use super::value::Value;

/// What `if`, `?` and `and` make of a truth value, a number or a text; nothing of what else there is.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Text(text) => Some(!text.is_empty()),
        value if value.is_number() => {
            let number = double(value);
            Some(!number.is_nan() && number != 0.0)
        }
        _ => None,
    }
}

/// The same where anything else is a cast that fails.
pub fn boolean(value: &Value) -> Found<bool> {
    truth(value).ok_or_else(|| Fault::cast(value.class(), "java.lang.Boolean"))
}

/// What the engine says when an operation fails.
pub const fn failure(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "Could not perform addition",
        Operator::Subtract => "Could not perform subtraction",
        Operator::Multiply => "Could not perform multiplication",
        Operator::Divide => "Could not perform division",
        Operator::Modulus => "Could not perform modulus",
        Operator::Equals => "Could not perform equals comparison",
        Operator::Differs => "Could not perform not equals comparison",
        Operator::Greater => "Could not perform greater than comparison",
        Operator::GreaterEquals => "Could not perform greater than or equals comparison",
        Operator::Less => "Could not perform less than comparison",
        Operator::LessEquals => "Could not perform less than or equals comparison",
        _ => "Could not perform operation",
    }
}

/// Whether an operator compares by order.
pub const fn is_order(operator: Operator) -> bool {
    matches!(operator, Operator::Greater | Operator::GreaterEquals | Operator::Less | Operator::LessEquals)
}

/// What a comparison makes of an order.
pub const fn ordered(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Greater => order.is_gt(),
        Operator::GreaterEquals => order.is_ge(),
        Operator::Less => order.is_lt(),
        _ => order.is_le(),
    }
}

/// Arithmetic and comparisons.
pub fn compute(operator: Operator, left: &Value, right: &Value) -> Found<Value> {
    match operator {
        Operator::Equals => equals(left, right).map(Value::Bool),
        Operator::Differs => equals(left, right).map(|same| Value::Bool(!same)),
        operator if is_order(operator) => compared(operator, left, right).map(Value::Bool),
        Operator::Add => match (left, right) {
            (Value::Text(_), _) | (_, Value::Text(_)) => Value::text(left.java_text() + &right.java_text()),
            (Value::List(list), _) if !left.is_array() => {
                let mut items = list.items.clone();
                match right {
                    Value::List(more) if !right.is_array() => items.extend(more.items.iter().cloned()),
                    other => items.push(other.clone()),
                }
                Value::list(items)
            }
            _ => arithmetic(operator, left, right),
        },
        Operator::Subtract => match (left, right) {
            (Value::List(list), right) if !left.is_array() => {
                let gone = |item: &Value| match right {
                    Value::List(less) if !right.is_array() => less.items.iter().any(|other| other.java_equals(item)),
                    _ => false,
                };
                let mut items = list.items.clone();
                items.retain(|item| !gone(item));
                if !matches!(right, Value::List(_)) {
                    let first = items.iter().position(|item| item.java_equals(right));
                    first.map(|at| items.remove(at));
                }
                Value::list(items)
            }
            _ => arithmetic(operator, left, right),
        },
        _ => arithmetic(operator, left, right),
    }
}

fn name(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "ADD",
        Operator::Subtract => "SUBTRACT",
        Operator::Multiply => "MULTIPLICATION",
        Operator::Divide => "DIVISION",
        Operator::Modulus => "MODULUS",
        Operator::Greater => "GREATER_THAN",
        Operator::GreaterEquals => "GREATER_THAN_EQUALS",
        Operator::Less => "LESS_THAN",
        Operator::LessEquals => "LESS_THAN_EQUALS",
        _ => "EQUALS",
    }
}

/// A number as a double.
pub fn double(value: &Value) -> f64 {
    match value {
        Value::Int(n) => f64::from(*n),
        Value::Long(n) => *n as f64,
        Value::Double(n) => *n,
        Value::Float(n) => f64::from(*n),
        Value::Decimal(n) => n.to_string().parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

/// A number as a whole one, what is behind the point cut off.
pub fn long(value: &Value) -> i64 {
    match value {
        Value::Int(n) => i64::from(*n),
        Value::Long(n) => *n,
        other => double(other) as i64,
    }
}

/// Arithmetic on two numbers.
pub fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Found<Value> {
    if !left.is_number() || !right.is_number() {
        let message = format!("invalid operands for mathematical operation [{}]", name(operator));
        return Err(Fault::java(class::RUNTIME, message));
    }
    let either = |is: fn(&Value) -> bool| is(left) || is(right);
    if either(|value| matches!(value, Value::Decimal(_))) {
        return decimals(operator, &decimal_of(double(left))?, &decimal_of(double(right))?);
    }
    if either(|value| matches!(value, Value::Double(_))) {
        return Ok(Value::Double(floats(operator, double(left), double(right))));
    }
    if either(|value| matches!(value, Value::Float(_))) {
        let (left, right) = (double(left) as f32, double(right) as f32);
        return Ok(Value::Float(match operator {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            Operator::Divide => left / right,
            _ => left % right,
        }));
    }
    let zero = || Fault::java("java.lang.ArithmeticException", "/ by zero");
    if either(|value| matches!(value, Value::Long(_))) {
        let (left, right) = (long(left), long(right));
        return Ok(Value::Long(match operator {
            Operator::Add => left.wrapping_add(right),
            Operator::Subtract => left.wrapping_sub(right),
            Operator::Multiply => left.wrapping_mul(right),
            _ if right == 0 => return Err(zero()),
            Operator::Divide => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        }));
    }
    // Two `Integer`s are computed as such, and the result is a `Long`.
    let (left, right) = (long(left) as i32, long(right) as i32);
    Ok(Value::Long(i64::from(match operator {
        Operator::Add => left.wrapping_add(right),
        Operator::Subtract => left.wrapping_sub(right),
        Operator::Multiply => left.wrapping_mul(right),
        _ if right == 0 => return Err(zero()),
        Operator::Divide => left.wrapping_div(right),
        _ => left.wrapping_rem(right),
    })))
}

fn floats(operator: Operator, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        _ => left % right,
    }
}

/// `BigDecimal.valueOf` a double: of the text that it prints as.
fn decimal_of(number: f64) -> Found<BigDecimal> {
    decimal(&crate::java::number::double(number))
}

/// A decimal number read from text.
pub fn decimal(text: &str) -> Found<BigDecimal> {
    // An exponent of a million would print a million digits.
    let exponent = text.split_once(['e', 'E']).map_or(Ok(0), |(_, exponent)| exponent.parse::<i64>());
    let sound = exponent.is_ok_and(|exponent| exponent.abs() < 1_000) && text.len() < 1_000;
    let read = if sound { BigDecimal::from_str(text).ok() } else { None };
    read.ok_or_else(|| {
        Fault::java(class::NUMBER, format!("Character array is missing \"exponent\" mark 'e' or 'E'. {text}"))
    })
}

fn decimals(operator: Operator, left: &BigDecimal, right: &BigDecimal) -> Found<Value> {
    // DECIMAL128: 34 digits, halves to even.
    let context = Context::default()
        .with_precision(std::num::NonZeroU64::MIN.saturating_add(33))
        .with_rounding_mode(RoundingMode::HalfEven);
    let result = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => context.multiply(left, right),
        _ if right.is_zero() => return Err(Fault::java("java.lang.ArithmeticException", "Division by zero")),
        Operator::Divide => return Err(Fault::unsupported("dividing decimals (BigDecimal) is not simulated")),
        _ => return Err(Fault::unsupported("the remainder of decimals (BigDecimal) is not simulated")),
    };
    Ok(Value::Decimal(Arc::new(result)))
}

/// `==`: numbers by value, constants by name, everything else as Java's `equals`.
fn equals(left: &Value, right: &Value) -> Found<bool> {
    match (left, right) {
        (left, right) if left.is_number() && right.is_number() => compared(Operator::Equals, left, right),
        (Value::Enum(_, name), Value::Text(text)) | (Value::Text(text), Value::Enum(_, name)) => Ok(name == text),
        _ => Ok(left.java_equals(right)),
    }
}

/// Comparison of two numbers; nothing compares with null.
pub fn compared(operator: Operator, left: &Value, right: &Value) -> Found<bool> {
    if matches!(left, Value::Null) || matches!(right, Value::Null) {
        return Ok(false);
    }
    if !left.is_number() || !right.is_number() {
        let message = format!("invalid operands for mathematical comparison [{}]", name(operator));
        return Err(Fault::java(class::RUNTIME, message));
    }
    let order = match (left, right) {
        (Value::Double(a), Value::Double(b)) => java_order(*a, *b),
        // The engine never compares two floats: it takes them for equal.
        (Value::Float(_), Value::Float(_)) => Ordering::Equal,
        (Value::Int(_) | Value::Long(_), Value::Int(_) | Value::Long(_)) => long(left).cmp(&long(right)),
        _ => decimal(&left.java_text())?.cmp(&decimal(&right.java_text())?),
    };
    Ok(match operator {
        Operator::Equals => order.is_eq(),
        operator => ordered(operator, order),
    })
}

/// `Double.compare`: no number is above NaN, and -0.0 is below 0.0.
fn java_order(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ => a.total_cmp(&b),
    }
}

/// `contains`, or what the engine says of a left side that holds nothing.
pub fn contains(left: &Value, right: &Value) -> Result<bool, String> {
    let has = |items: &[Value], wanted: &Value| items.iter().any(|item| item.java_equals(wanted));
    match (left, right) {
        (Value::List(list), Value::List(wanted)) if !left.is_array() && !right.is_array() => {
            Ok(wanted.items.iter().all(|wanted| has(&list.items, wanted)))
        }
        (Value::List(list), _) => Ok(has(&list.items, right)),
        (Value::Map(map), Value::Text(name)) => Ok(map.entries.contains_key(name.as_ref())),
        (Value::Map(_), _) => Ok(false),
        (Value::Text(text), _) => Ok(text.contains(&right.java_text())),
        _ => Err(format!(
            "Contains operator can only be used on Collections, Maps and arrays. Actual type was: {}",
            left.class()
        )),
    }
}

/// `isIn`: by what both sides print as.
pub fn is_in(left: &Value, right: &Value) -> Found<bool> {
    if matches!(left, Value::Null) {
        return Ok(false);
    }
    let wanted = left.java_text();
    let null = || Fault::unsupported("`isIn` of a list with null is not simulated");
    match right {
        Value::List(list) if !right.is_array() => {
            if list.items.iter().any(|item| matches!(item, Value::Null)) {
                return Err(null());
            }
            Ok(list.items.iter().any(|item| item.java_text() == wanted))
        }
        Value::Map(map) => Ok(map.entries.iter().any(|(name, value)| *name == wanted || value.java_text() == wanted)),
        _ => Ok(false),
    }
}
