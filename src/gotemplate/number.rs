//! Numbers in templates.

use super::Value;

/// A number as Go reads it. The imaginary part of a complex one is of no use to any function.
pub(super) fn number(text: &str) -> Result<Value, String> {
    let wrong = || format!("illegal number syntax: {text:?}");
    let plain = text.trim_end_matches('i').replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find(|(prefix, _)| lower.starts_with(prefix));
    let signed = |whole: i64| if negative { whole.wrapping_neg() } else { whole };
    if let Some((prefix, radix)) = radix {
        return match i64::from_str_radix(&lower[prefix.len()..], radix) {
            Ok(whole) => Ok(Value::Int(signed(whole))),
            Err(_) => {
                hexadecimal(&lower).map(|value| Value::Float(if negative { -value } else { value })).ok_or_else(wrong)
            }
        };
    }
    let octal = lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    if let Some(whole) = octal.then(|| i64::from_str_radix(&lower, 8).ok()).flatten() {
        return Ok(Value::Int(signed(whole)));
    }
    if lower.bytes().all(|byte| byte.is_ascii_digit()) && !lower.is_empty() {
        return match plain.trim_start_matches('+').parse::<i64>() {
            Ok(whole) => Ok(Value::Int(whole)),
            Err(_) => Err(format!("integer overflow: {text:?}")),
        };
    }
    plain
        .parse::<f64>()
        .ok()
        .filter(|value| value.is_finite() && lower.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
        .map(Value::Float)
        .ok_or_else(wrong)
}

/// `0x1.8p3`: the digits are a number, times two to the power.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, power) = text.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let power = power.parse::<i32>().ok()? - 4 * i32::try_from(fraction.len()).ok()?;
    Some(libm::scalbn(mantissa as f64, power))
}
