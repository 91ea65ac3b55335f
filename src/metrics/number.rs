//! Numbers as Java writes them: `1.0`, `1.234E-5`, `2.147483647E9`.

/// Appends a double as Java's `Double.toString` writes it (JDK 19 and later: the shortest digits that are exact), and
/// infinities as Prometheus does.
pub fn java_double(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        let text = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let magnitude = value.abs();
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if magnitude == 0.0 {
        out.extend_from_slice(b"0.0");
        return;
    }
    // Most numbers are whole and small: they need no search for the shortest digits.
    if magnitude < 1e7 && f64::trunc(magnitude) == magnitude {
        integer(magnitude as i64, out);
        out.extend_from_slice(b".0");
        return;
    }
    let mut digits = ryu::Buffer::new();
    // ryu writes `123.0`, `0.00123`, `1.23e-7`, `1e25`: the digits without point, and where the point belongs.
    let text = digits.format_finite(magnitude);
    if (1e-3..1e7).contains(&magnitude) && !text.contains('e') {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let mut exponent: i32 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let leading = all.iter().take_while(|digit| **digit == b'0').count();
    exponent += whole.len() as i32 - 1 - leading as i32;
    let significant = &all[leading..];
    let end = significant.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let significant = &significant[..end];
    if (1e-3..1e7).contains(&magnitude) {
        plain(significant, exponent, out);
        return;
    }
    out.push(significant[0]);
    out.push(b'.');
    if significant.len() > 1 {
        out.extend_from_slice(&significant[1..]);
    } else {
        out.push(b'0');
    }
    out.push(b'E');
    integer(exponent.into(), out);
}

/// Digits and exponent without an `E`, for the few numbers ryu writes with one and Java does not.
fn plain(significant: &[u8], exponent: i32, out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(significant);
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + (-exponent - 1) as usize, b'0');
        out.extend_from_slice(significant);
    } else {
        let point = exponent as usize + 1;
        let padded = format!("{text:0<point$}");
        out.extend_from_slice(&padded.as_bytes()[..point]);
        out.push(b'.');
        out.extend_from_slice(if padded.len() > point { &padded.as_bytes()[point..] } else { b"0" });
    }
}

/// Appends a whole number.
pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&buffer[at..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn written(value: f64) -> String {
        let mut out = Vec::new();
        super::java_double(value, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn numbers_look_as_recorded() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.0, "-1.0"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (2_147_483_647.0, "2.147483647E9"),
            (1.073_741_824e9, "1.073741824E9"),
            (0.001, "0.001"),
            (9.99e-4, "9.99E-4"),
            (7.8087e-5, "7.8087E-5"),
            (0.012_463_476, "0.012463476"),
            (4.238e10, "4.238E10"),
            (13.682_617_187_5, "13.6826171875"),
            (1.795_572_052_969e9, "1.795572052969E9"),
            (1e22, "1.0E22"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(written(value), text);
        }
    }

    #[test]
    fn whole_numbers_end_in_a_zero_behind_the_point() {
        for whole in (1..10_000_000).step_by(997).chain([10, 100, 9_999_999]) {
            assert_eq!(written(f64::from(whole)), format!("{whole}.0"));
            assert_eq!(written(-f64::from(whole)), format!("-{whole}.0"));
        }
    }

    proptest! {
        #![proptest_config(crate::random::cases(256))]

        #[test]
        fn every_number_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(written(value).parse::<f64>().expect("a number").to_bits(), bits);
        }
    }
}
