//! Plain scalars of YAML that are no texts, as go-yaml tells them.

/// The whole number that go-yaml makes of a plain scalar where one is wanted: with signs, underscores and prefixes, octal
/// after a zero; of a fraction its whole part. None when there is none, or when it does not fit.
pub(super) fn whole(text: &str) -> Option<i64> {
    let plain = digits_of(text)?;
    if let Some(number) = integer(&plain) {
        return i64::try_from(number).ok();
    }
    // Beyond this a float is no whole number of 64 bits.
    let number = float(&plain).filter(|number| number.is_finite() && number.abs() < 9.2e18)?;
    Some(number as i64)
}

/// Whether a plain scalar is a number to go-yaml.
pub(super) fn is_number(text: &str) -> bool {
    let special = matches!(text.trim_start_matches(['-', '+']).to_ascii_lowercase().as_str(), ".inf" | ".nan");
    special || digits_of(text).is_some_and(|plain| integer(&plain).is_some() || float(&plain).is_some())
}

/// Whether a plain scalar is a truth value where YAML 1.1 is read, as Kubernetes does.
pub(super) fn is_truth(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n")
}

/// Without underscores; none when it does not begin as a number does.
fn digits_of(text: &str) -> Option<String> {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')).then(|| text.replace('_', ""))
}

fn integer(plain: &str) -> Option<i128> {
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, plain.strip_prefix('+').unwrap_or(plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)];
    let found = prefixed.into_iter().find(|(prefix, _)| lower.len() > prefix.len() && lower.starts_with(prefix));
    let (digits, radix) = found.map_or((lower.as_str(), 10), |(prefix, radix)| (&lower[prefix.len()..], radix));
    let sound = digits.starts_with(|c: char| c.is_ascii_alphanumeric());
    sound.then(|| i128::from_str_radix(digits, radix).ok()).flatten().map(|number| sign * number)
}

fn float(plain: &str) -> Option<f64> {
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    let begins = digits.starts_with(|c: char| c.is_ascii_digit())
        || digits.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let known = plain.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    (begins && known).then(|| plain.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_those_of_go_yaml() {
        for (text, number) in [
            ("0", Some(0)),
            ("1_000", Some(1000)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("0o10", Some(8)),
            ("08", Some(8)),
            ("0b11", Some(3)),
            ("-1", Some(-1)),
            ("+1", Some(1)),
            ("1.9", Some(1)),
            ("1e3", Some(1000)),
            ("1_", Some(1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e30", None),
            ("_1", None),
            ("1s", None),
            ("1:30", None),
            (".inf", None),
            ("0x", None),
            ("2024-01-01", None),
            ("", None),
            ("-", None),
            ("+-1", None),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
        assert!(is_number(".inf") && is_number("-.INF") && is_number("1.5") && !is_number("1m") && !is_number("v1"));
    }
}
