//! Time zones as Java reads them: names of the IANA database in their exact spelling, `Z`, and offsets with or without
//! `UTC`, `GMT` or `UT` before them (recorded: tests/captures/core/cron.tsv).

use jiff::tz::{Offset, TimeZone};

/// The zone of a name; none when there is no such zone.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "Z" | "UTC" | "GMT" | "UT") {
        return Some(TimeZone::UTC);
    }
    let prefix = ["UTC", "GMT", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix));
    if let Some(offset) = prefix.or(Some(name)).filter(|rest| rest.starts_with(['+', '-'])) {
        return self::offset(offset).map(TimeZone::fixed);
    }
    TimeZone::get(name).ok().filter(|zone| zone.iana_name() == Some(name))
}

/// `+5`, `+05`, `+0530`, `+05:30`, `+053015`, `+05:30:15`; at most eighteen hours.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = text.split_at_checked(1)?;
    let parts: Vec<&str> = match digits.contains(':') {
        true => digits.split(':').collect(),
        false if digits.len() <= 2 => vec![digits],
        false => digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok()).collect(),
    };
    let alone = parts.len() == 1;
    let number = |part: &&str| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        let fits = digits && (part.len() == 2 || alone && part.len() == 1);
        if fits { part.parse::<i32>().ok() } else { None }
    };
    let numbers: Vec<i32> = parts.iter().map(number).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match numbers.as_slice() {
        [hours] => (*hours, 0, 0),
        [hours, minutes] => (*hours, *minutes, 0),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    let total = hours * 3_600 + minutes * 60 + seconds;
    if minutes > 59 || seconds > 59 || total > 18 * 3_600 {
        return None;
    }
    Offset::from_seconds(if sign == "-" { -total } else { total }).ok()
}

#[cfg(test)]
mod tests {
    use super::zone;

    #[test]
    fn zones_are_those_of_java() {
        for name in
            ["Z", "UTC", "GMT", "UTC+02:00", "GMT+5", "+03:30", "-0130", "+18", "Europe/Paris", "Etc/GMT-2", "CET"]
        {
            assert!(zone(name).is_some(), "{name}");
        }
        for name in ["", "PST", "IST", "UTC ", "europe/paris", "Foo/Bar", "+19", "+1:30", "+01:60", "+123", "UTC2"] {
            assert!(zone(name).is_none(), "{name}");
        }
    }
}
