//! Numbers and dates as Go prints them.

use super::run::MAX_OUTPUT;

/// `%g`: the shortest digits that tell the number, or so many significant ones.
pub(super) fn general(value: f64, digits: Option<usize>) -> String {
    if !value.is_finite() {
        return special(value);
    }
    // d.ddde±x of the digits that are wanted.
    let scientific = match digits {
        None => format!("{value:e}"),
        Some(digits) => format!("{value:.*e}", digits.max(1) - 1),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    // Go decides by the precision, and by six when it is the shortest.
    let shown = mantissa.bytes().filter(u8::is_ascii_digit).count() as i32;
    let most = match digits.map(|digits| digits.max(1) as i32) {
        None => 6,
        Some(digits) if digits > shown && shown > exponent => shown,
        Some(digits) => digits,
    };
    if exponent < -4 || exponent >= most {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let decimals = (shown - 1 - exponent).max(0) as usize;
    match digits {
        None => format!("{value}"),
        // Rounded to its digits first, then written out.
        Some(_) => scientific.parse::<f64>().map_or_else(|_| scientific.clone(), |value| format!("{value:.decimals$}")),
    }
}

/// `%f` with as many decimals as are needed, and never an exponent: `strconv.FormatFloat(value, 'f', -1, 64)`.
pub(super) fn decimal(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { special(value) }
}

/// NaN and infinities.
pub(super) fn special(value: f64) -> String {
    match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN".into(),
        (false, true) => "+Inf".into(),
        (false, false) => "-Inf".into(),
    }
}

/// `%e` with so many decimals.
pub(super) fn scientific(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return special(value);
    }
    let text = format!("{value:.decimals$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// A text in quotes: `strconv.Quote`.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\u{7}' => out += "\\a",
            '\u{8}' => out += "\\b",
            '\u{c}' => out += "\\f",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\u{b}' => out += "\\v",
            c if c.is_ascii_control() => out += &format!("\\x{:02x}", u32::from(c)),
            // Blanks other than a space, and what cannot be seen.
            c if c.is_control()
                || (c.is_whitespace() && c != ' ')
                || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}') =>
            {
                out += &format!("\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An instant in UTC.
pub(super) fn date(seconds: f64) -> String {
    let milliseconds = f64::trunc(seconds * 1000.0) as i64;
    let Ok(timestamp) = jiff::Timestamp::from_millisecond(milliseconds) else { return special(f64::NAN) };
    let date = jiff::tz::TimeZone::UTC.to_datetime(timestamp);
    let fraction = match timestamp.subsec_millisecond().rem_euclid(1000) {
        0 => String::new(),
        fraction => format!(".{fraction:03}").trim_end_matches('0').to_owned(),
    };
    let (day, time) = (date.date(), date.time());
    format!("{day} {:02}:{:02}:{:02}{fraction} +0000 UTC", time.hour(), time.minute(), time.second())
}

/// Go's `printf`. `values` are shown for each verb by `show`.
pub(super) fn printf(pattern: &str, mut show: impl FnMut(char, &Flags) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        out += before;
        // Whoever asked finds it too large.
        if out.len() > MAX_OUTPUT {
            return out;
        }
        let mut flags = Flags::default();
        let mut chars = after.char_indices().peekable();
        while let Some((_, c)) = chars.next_if(|(_, c)| "+-# 0".contains(*c)) {
            match c {
                '-' => flags.left = true,
                '+' => flags.plus = true,
                '0' => flags.zeros = true,
                ' ' => flags.space = true,
                _ => flags.sharp = true,
            }
        }
        let number = |chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>| {
            let mut value: Option<usize> = None;
            while let Some((_, digit)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
                let digit = digit.to_digit(10).unwrap_or(0) as usize;
                // Wider than this nobody needs.
                value = Some((value.unwrap_or(0) * 10 + digit).min(1_000));
            }
            value
        };
        flags.width = number(&mut chars);
        if chars.next_if(|(_, c)| *c == '.').is_some() {
            flags.precision = Some(number(&mut chars).unwrap_or(0));
        }
        let Some((at, verb)) = chars.next() else { return out + "%!(NOVERB)" };
        rest = &after[at + verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        let text = show(verb, &flags).unwrap_or_else(|| format!("%!{verb}(MISSING)"));
        let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
        if flags.left {
            out += &text;
            out += &" ".repeat(missing);
        } else if flags.zeros && text.starts_with(['-', '+']) && missing > 0 {
            out += &text[..1];
            out += &"0".repeat(missing);
            out += &text[1..];
        } else {
            out += &(if flags.zeros { "0" } else { " " }).repeat(missing);
            out += &text;
        }
    }
    out + rest
}

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) left: bool,
    pub(super) plus: bool,
    pub(super) zeros: bool,
    pub(super) space: bool,
    pub(super) sharp: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}
