//! Dates in the forms the answers use.

/// As the `date` header: `Wed, 25 Nov 2026 01:59:27 GMT`. The day of the month has no leading zero (a recording of
/// 2025 says `Mon, 3 Feb 2025`).
pub(super) fn http(date: jiff::Timestamp) -> String {
    date.strftime("%a, %-d %b %Y %H:%M:%S GMT").to_string()
}

/// As Java prints an `Instant`: no fraction, or 3, 6 or 9 digits of it.
pub(super) fn java(date: jiff::Timestamp) -> String {
    let nanoseconds = date.subsec_nanosecond();
    let digits = match nanoseconds {
        0 => return date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        n if n % 1_000_000 == 0 => 3,
        n if n % 1_000 == 0 => 6,
        _ => 9,
    };
    let fraction = format!("{nanoseconds:09}");
    format!("{}.{}Z", date.strftime("%Y-%m-%dT%H:%M:%S"), &fraction[..digits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_as_java_prints_them() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        assert_eq!(http(at("2025-02-03T13:37:13Z")), "Mon, 3 Feb 2025 13:37:13 GMT");
        for text in [
            "2026-11-25T02:02:40Z",
            "2026-11-25T02:03:17.050Z",
            "2026-11-25T02:01:30.583600Z",
            "2026-11-25T02:01:31.067932722Z",
        ] {
            assert_eq!(java(at(text)), text);
        }
    }
}
