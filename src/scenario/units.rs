//! Rates, shares, sizes, factors and instants, as a scenario writes them.

use crate::time::{Duration, Instant};

/// Executions a second from `24/min`, `0.5/s`, `100/h`, `2/d`.
///
/// # Errors
/// What to write instead.
pub fn read_rate(text: &str) -> Result<f64, String> {
    let wrong = || "write a rate such as 24/min, 0.5/s or 100/h".to_owned();
    let (amount, unit) = text.split_once('/').ok_or_else(wrong)?;
    let amount: f64 = amount.trim().parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "s" | "sec" | "second" => 1.0,
        "m" | "min" | "minute" => 60.0,
        "h" | "hour" => 3_600.0,
        "d" | "day" => 86_400.0,
        _ => return Err(wrong()),
    };
    if !amount.is_finite() || amount < 0.0 {
        return Err(wrong());
    }
    let rate = amount / seconds;
    if rate > 10_000.0 { Err("write a rate of at most 10000/s".into()) } else { Ok(rate) }
}

/// A share between 0 and 1 from `2%` or `0.02`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let wrong = || "write a share from 0% to 100%, such as 2%".to_owned();
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map_err(|_| wrong())? / 100.0,
        None => text.trim().parse().map_err(|_| wrong())?,
    };
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(wrong()) }
}

/// Bytes from `1GiB`, `512MiB`, `1.5GB`.
pub(super) fn size(text: &str) -> Result<f64, String> {
    let wrong = || "write a size such as 1GiB or 512MiB".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let amount: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match text[digits..].trim() {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" | "k" | "K" => 1024.0,
        "MiB" | "m" | "M" => 1_048_576.0,
        "GiB" | "g" | "G" => 1_073_741_824.0,
        _ => return Err(wrong()),
    };
    Ok(amount * unit)
}

/// A heap's size: 64 MiB to 1 TiB.
pub(super) fn heap(text: &str) -> Result<u64, String> {
    let bytes = size(text)?;
    let good = (67_108_864.0..=1_099_511_627_776.0).contains(&bytes);
    if good { Ok(bytes as u64) } else { Err("write a size from 64MiB to 1TiB, as 1024GiB".into()) }
}

/// Bytes a second from `1MiB/s` or `60MiB/min`.
pub(super) fn byte_rate(text: &str) -> Result<f64, String> {
    let wrong = || "write a rate of bytes such as 1MiB/s or 60MiB/min".to_owned();
    let (bytes, unit) = text.split_once('/').ok_or_else(wrong)?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err(wrong()),
    };
    let rate = size(bytes.trim()).map_err(|_| wrong())? / seconds;
    if rate > 0.0 { Ok(rate) } else { Err(wrong()) }
}

/// A factor from `10x` or `10`.
pub(super) fn times(text: &str) -> Result<f64, String> {
    let wrong = || "write a factor such as 10x, from 0 to 100000".to_owned();
    let factor: f64 = text.strip_suffix('x').unwrap_or(text).trim().parse().map_err(|_| wrong())?;
    if (0.0..=100_000.0).contains(&factor) { Ok(factor) } else { Err(wrong()) }
}

/// An instant from the time since the scenario's start: `12m`, `1h30m`, `PT5M`; before it with a `-`.
///
/// # Errors
/// What to write instead.
pub fn read_time(text: &str) -> Result<Instant, String> {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(before) => before.parse::<Duration>().map(|span| Instant::START.before(span)),
        None => match text {
            "0" => Ok(Instant::START),
            text => text.parse::<Duration>().map(|span| Instant::START + span),
        },
    }
}
