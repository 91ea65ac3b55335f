//! Functions that draw: from the host's seed, so that a rendering can be repeated.

use super::super::error::{Fault, Found};
use super::super::invoke::{Call, Row, row};
use super::super::operate;
use super::super::run::Run;
use super::super::value::Value;

/// The functions of this file.
pub const ROWS: &[Row] = &[
    row("uuid", &[], |call| {
        let (high, low) = (call.run.draw(), call.run.draw());
        // Version 4, variant 1.
        let (high, low) = (high & !0xf000 | 0x4000, low & !(3 << 62) | 1 << 63);
        Value::text(format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        ))
    }),
    row("id", &[], |call| Value::text(drawn(call.run, BASE_62, 22))),
    row("ksuid", &[], |call| Value::text(drawn(call.run, BASE_62, 27))),
    row("nanoId", &["length", "alphabet"], nano_id),
    row("randomInt", &["lower", "upper"], random_int),
];

const BASE_62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const NANO: &str = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// The longest id of `nanoId`.
const NANO_MAX: i64 = 10_000;

fn drawn(run: &mut Run<'_>, alphabet: &str, length: usize) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let count = letters.len().max(1) as u64;
    (0..length)
        .filter_map(|_| usize::try_from(run.draw() % count).ok().and_then(|at| letters.get(at)).copied())
        .collect()
}

fn nano_id(call: Call<'_, '_>) -> Found<Value> {
    let length = call.argument("length").map_or(21, operate::long);
    if !(1..=NANO_MAX).contains(&length) {
        return Err(Fault::unsupported(format!("`nanoId` of {length} letters is not simulated: 1 to {NANO_MAX} are")));
    }
    let alphabet = call.text("alphabet")?.unwrap_or(NANO).to_owned();
    if alphabet.is_empty() {
        return Err(Fault::unsupported("`nanoId` of no alphabet is not simulated"));
    }
    Value::text(drawn(call.run, &alphabet, usize::try_from(length).unwrap_or(0)))
}

/// From the lower bound up to below the upper one.
fn random_int(call: Call<'_, '_>) -> Found<Value> {
    let bound = |name: &str| match call.argument(name) {
        Some(value) if value.is_number() => Ok(operate::long(value)),
        _ => Err(Fault::unsupported("`randomInt` without two numbers is not simulated")),
    };
    let (lower, upper) = (bound("lower")?, bound("upper")?);
    let Some(width) = upper.checked_sub(lower).and_then(|width| u64::try_from(width).ok()).filter(|width| *width > 0)
    else {
        return Err(Fault::unsupported("`randomInt` without room between its bounds is not simulated"));
    };
    let drawn = call.run.draw() % width;
    Ok(Value::Long(lower.wrapping_add_unsigned(drawn)))
}
