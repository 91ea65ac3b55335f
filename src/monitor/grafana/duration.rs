//! Durations in files of Grafana: of rules and groups as Prometheus writes them, of models as Grafana does.

use crate::time::Duration;

/// Units of rules, the longest first, in milliseconds.
const UNITS: &[(&str, u64)] = &[
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration of a rule or a group: `1h30m`, each unit at most once, the longest first; or `0`. Source: `model.ParseDuration`
/// of Prometheus, which provisioning calls.
///
/// # Errors
/// What to write instead.
pub(super) fn of_rule(text: &str) -> Result<Duration, String> {
    let wrong = || "write a duration such as 90s, 1h30m or 500ms: each unit once, the longest first".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut total, mut units, mut rest) = (0u64, UNITS, text);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let after = &rest[digits..];
        let length = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let place = units.iter().position(|(unit, _)| *unit == &after[..length]).ok_or_else(wrong)?;
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let sum = count.checked_mul(units[place].1).and_then(|span| span.checked_add(total));
        // 292 years are the longest that Go knows.
        total = sum.filter(|sum| *sum <= i64::MAX as u64 / 1_000_000).ok_or("it is longer than 292 years")?;
        (units, rest) = (&units[place + 1..], &after[length..]);
    }
    Ok(Duration::milliseconds(total))
}

/// The `interval` of a model: `15s`, `>1m`, `1.5h`, `1h30m`, `2d`, a number of seconds. Source: `gtime` of the Grafana SDK,
/// which falls back on Go's own durations.
///
/// # Errors
/// What to write instead.
pub fn of_model(text: &str) -> Result<Duration, String> {
    let wrong = || "write an interval such as 15s, 1m or 2h".to_owned();
    let text = text.replacen('<', "", 1).replacen('>', "", 1);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Duration::seconds).map_err(|_| wrong());
    }
    // Months and years are averages there.
    for (unit, hours) in [("d", 24.0), ("w", 168.0), ("M", 730.5), ("y", 8_766.0)] {
        if let Some(count) = text.strip_suffix(unit) {
            let count: u32 = count.parse().map_err(|_| wrong())?;
            return Ok(Duration::from_seconds_f64(f64::from(count) * hours * 3_600.0));
        }
    }
    let (mut total, mut rest) = (0.0, text.as_str());
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let after = &rest[digits..];
        let length = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let seconds = match &after[..length] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return Err(wrong()),
        };
        total += rest[..digits].parse::<f64>().map_err(|_| wrong())? * seconds;
        rest = &after[length..];
    }
    if total < 9.0e9 { Ok(Duration::from_seconds_f64(total)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of `TestParseDuration` of prometheus/common, and what it refuses.
    #[test]
    fn durations_of_rules_are_those_of_prometheus() {
        for (text, seconds) in [
            ("0", 0.0),
            ("0w", 0.0),
            ("0s", 0.0),
            ("324ms", 0.324),
            ("3s", 3.0),
            ("5m", 300.0),
            ("1h", 3_600.0),
            ("4d", 345_600.0),
            ("4d1h", 349_200.0),
            ("14d", 1_209_600.0),
            ("3w", 1_814_400.0),
            ("3w2d1h", 1_990_800.0),
            ("10y", 315_360_000.0),
            ("1m30s", 90.0),
        ] {
            assert_eq!(of_rule(text).map(Duration::as_seconds_f64), Ok(seconds), "{text}");
        }
        for text in [
            "",
            "1",
            "1y1m1d",
            "-1w",
            "1.5d",
            "d",
            "294y",
            "30s1m",
            "PT1M",
            "1.5m",
            " 1m",
            "1m ",
            "99999999999999999999s",
            "é",
        ] {
            assert!(of_rule(text).is_err(), "{text}");
        }
    }

    /// Cases of `gtime_test.go` and `TestParseIntervalStringToTimeDuration`.
    #[test]
    fn intervals_of_models_are_grafanas() {
        for (text, seconds) in [
            ("10s", 10.0),
            ("10", 10.0),
            (">10s", 10.0),
            ("<1m", 60.0),
            ("1h30m", 5_400.0),
            ("1.5h", 5_400.0),
            ("2d", 172_800.0),
            ("3w", 1_814_400.0),
            ("100ms", 0.1),
            ("1M", 2_629_800.0),
        ] {
            assert_eq!(of_model(text).map(Duration::as_seconds_f64), Ok(seconds), "{text}");
        }
        for text in ["", "10x", "s", "1..5s", "1.5d", "PT1M", "-", "99999999999999999999", "9999999999999h", "1é"] {
            assert!(of_model(text).is_err(), "{text}");
        }
    }
}
