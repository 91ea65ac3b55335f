//! Durations as Prometheus writes them, in expressions, rule files and configurations alike.

use super::lexer;
use crate::time::Duration;

/// Units of a duration from the longest to the shortest: name, milliseconds, and whether Prometheus uses it only for a span
/// that is a whole number of it.
const UNITS: &[(&str, u64, bool)] = &[
    ("y", 365 * 86_400_000, true),
    ("w", 7 * 86_400_000, true),
    ("d", 86_400_000, true),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1_000, false),
    ("ms", 1, false),
];

impl Duration {
    /// A duration in Prometheus's own syntax: `1h30m`, `1d`, `500ms`, each unit at most once and the longest first, no
    /// fractions; `0` needs no unit.
    ///
    /// # Errors
    /// What to write instead.
    pub fn from_prometheus(text: &str) -> Result<Duration, String> {
        const ADVICE: &str =
            "write a duration as Prometheus does, each unit once and the longest first: `15s`, `1h30m`, `1d`, `0`";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        match text {
            "0" => Ok(Duration::ZERO),
            _ if digits == 0 => Err(ADVICE.to_owned()),
            _ => match lexer::duration(text, 0..text.len()) {
                Ok(milliseconds) => Ok(Duration::milliseconds(milliseconds.unsigned_abs())),
                Err(_) => Err(ADVICE.to_owned()),
            },
        }
    }

    /// The duration as Prometheus shows it, for example in the label `__scrape_interval__`: `1m30s`, `1s500ms`, `2w`.
    pub fn to_prometheus(self) -> String {
        let (mut rest, mut text) = (self.as_milliseconds(), String::new());
        for (unit, length, whole) in UNITS {
            if rest >= *length && (!whole || rest % length == 0) {
                text += &format!("{}{unit}", rest / length);
                rest %= length;
            }
        }
        if text.is_empty() { "0s".to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, milliseconds, shown) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("15s", 15_000, "15s"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("500ms", 500, "500ms"),
            ("1500ms", 1_500, "1s500ms"),
            ("1d", 86_400_000, "1d"),
            ("25h", 90_000_000, "25h"),
            ("14d", 1_209_600_000, "2w"),
            ("1y", 31_536_000_000, "1y"),
            ("1y2w3d4h5m6s7ms", 33_019_506_007, "9172h5m6s7ms"),
        ] {
            let read = Duration::from_prometheus(text).expect(text);
            assert_eq!(read.as_milliseconds(), milliseconds, "{text}");
            assert_eq!(read.to_prometheus(), shown, "{text}");
        }
        for text in ["", "15", "s", "1.5m", "1s1m", "1m1m", "PT1M", "-1s", " 1s", "1 s", "1us", "0x5", "400y", "1é"] {
            assert!(Duration::from_prometheus(text).is_err(), "{text}");
        }
    }
}
