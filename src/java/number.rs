//! Numbers as Java's `toString` writes them.

/// A double as `Double.toString` writes it (JDK 19 and later): the shortest digits that are exact, at least one of them
/// behind the point, and an exponent below 10^-3 and from 10^7 on.
pub fn double(value: f64) -> String {
    if let Some(text) = special(value.is_nan(), value.is_infinite(), value.is_sign_negative()) {
        return text.to_owned();
    }
    let magnitude = value.abs();
    laid_out(value.is_sign_negative(), &format!("{magnitude:e}"), (1e-3..1e7).contains(&magnitude))
}

/// A float as `Float.toString` writes it.
pub fn float(value: f32) -> String {
    if let Some(text) = special(value.is_nan(), value.is_infinite(), value.is_sign_negative()) {
        return text.to_owned();
    }
    let magnitude = value.abs();
    laid_out(value.is_sign_negative(), &format!("{magnitude:e}"), (1e-3..1e7).contains(&magnitude))
}

/// The words for what has no digits.
const fn special(nan: bool, infinite: bool, negative: bool) -> Option<&'static str> {
    match (nan, infinite, negative) {
        (true, ..) => Some("NaN"),
        (_, true, true) => Some("-Infinity"),
        (_, true, false) => Some("Infinity"),
        _ => None,
    }
}

/// Java's layout of the shortest digits, given as Rust writes them (`1.25e-7`).
fn laid_out(negative: bool, scientific: &str, plain: bool) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let sign = if negative { "-" } else { "" };
    if digits.bytes().all(|digit| digit == b'0') {
        return format!("{sign}0.0");
    }
    if !plain {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        return format!("{sign}{first}.{rest}E{exponent}");
    }
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{digits}");
    }
    let point = usize::try_from(exponent).unwrap_or(0) + 1;
    let padded = format!("{digits:0<point$}");
    let (whole, fraction) = padded.split_at(point);
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::{double, float};

    #[test]
    fn numbers_have_javas_layout() {
        let doubles: Vec<String> =
            [0.0, -0.0, 1.0, 1.5, 100.0, 1e7, 1.25e-7, 1e20, 0.001, 9_999_999.5, -2.5e-3, f64::INFINITY]
                .into_iter()
                .map(double)
                .collect();
        assert_eq!(
            doubles,
            [
                "0.0",
                "-0.0",
                "1.0",
                "1.5",
                "100.0",
                "1.0E7",
                "1.25E-7",
                "1.0E20",
                "0.001",
                "9999999.5",
                "-0.0025",
                "Infinity"
            ]
        );
        assert_eq!([1.1, 2.2, 3e10].map(float), ["1.1", "2.2", "3.0E10"]);
        assert_eq!(double(f64::NAN), "NaN");
    }
}
