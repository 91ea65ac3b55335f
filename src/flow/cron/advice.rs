//! What to write instead of a cron expression that Kestra refuses: its own words say what is wrong with it, and seldom what
//! would be right.

use super::field::{Expression, FIELDS, Field};
use super::{Cron, Dialect, NICKNAMES, squeeze, trimmed_split};
use crate::document;

/// What to write instead of an expression that [`Cron::parse`] refuses.
pub fn advice(text: &str, dialect: Dialect) -> String {
    if text.contains('|') {
        // The first of several that is refused; when none is, they do not fit each other.
        let parts = if text.contains("||") { trimmed_split(text, "||") } else { Vec::new() };
        let refused = parts.into_iter().find(|part| Cron::parse(part, dialect).is_err());
        return match refused {
            Some(part) => format!("in `{}`: {}", part.trim(), advice(part, dialect)),
            None => "write whole expressions, with `||` between them".to_owned(),
        };
    }
    let squeezed = squeeze(text);
    let written = squeezed.split(' ').filter(|part| !part.is_empty());
    let parts: Vec<&str> = written.collect();
    let fields = if dialect.seconds { FIELDS } else { &FIELDS[1..] };
    if let Some(nickname) = parts.first().filter(|part| part.starts_with('@')) {
        return match *nickname {
            "@reboot" => "no trigger starts with the server; write when it is due, such as `@hourly`".to_owned(),
            "@every" => "Kestra knows no `@every`; write it as a cron, such as `*/5 * * * *`".to_owned(),
            _ => document::instead(nickname, NICKNAMES.iter().map(|(nickname, _)| *nickname)),
        };
    }
    if parts.len() != fields.len() {
        return of_count(&parts, dialect);
    }
    let upper = squeezed.to_uppercase();
    let broken = |(field, part): (&Field, &str)| {
        let wrong = field.parse(part).and_then(|it| field.check(&it, dialect));
        (part.ends_with(',') || wrong.is_err()).then(|| of_field(field, part, dialect))
    };
    fields.iter().zip(upper.split(' ')).find_map(broken).unwrap_or_else(|| shape(dialect))
}

/// The fields in their order.
fn shape(dialect: Dialect) -> String {
    let fields = "minutes, hours, days of the month, months, days of the week";
    match dialect.seconds {
        true => {
            format!("write six fields: seconds, {fields}, such as `0 */5 * * * *`, or a nickname such as `@hourly`")
        }
        false => format!("write five fields: {fields}, such as `*/5 * * * *`, or a nickname such as `@hourly`"),
    }
}

/// Too many fields, or too few: those of other crons, when what is left of them is right.
fn of_count(parts: &[&str], dialect: Dialect) -> String {
    let sound = |text: &str, seconds: bool| Cron::parse(text, Dialect { seconds, ..dialect }).is_ok();
    let whole = parts.join(" ");
    if dialect.seconds && sound(&whole, false) {
        return format!("with `withSeconds` the seconds come first: write `0 {whole}`, or leave `withSeconds` out");
    }
    if !dialect.seconds && sound(&whole, true) {
        let without = parts.get(1..).unwrap_or_default().join(" ");
        return format!("six fields begin with the seconds: add `withSeconds: true`, or write `{without}`");
    }
    if parts.len() > 5 {
        // Quartz has a year behind all others, and a `?` for days that do not count.
        let plain: Vec<&str> = parts.iter().map(|part| if *part == "?" { "*" } else { part }).collect();
        let without_year = plain.get(..6).unwrap_or_default().join(" ");
        if sound(&without_year, true) {
            let five = plain.get(1..6).unwrap_or_default().join(" ");
            let quartz = "this looks like a cron of Quartz, whose `?` and years Kestra does not know";
            return match dialect.seconds {
                true => format!("{quartz}: write `{without_year}`"),
                false => format!("{quartz}: write `{five}`, or `{without_year}` with `withSeconds: true`"),
            };
        }
    }
    shape(dialect)
}

/// A part that its field refuses.
fn of_field(field: &Field, part: &str, dialect: Dialect) -> String {
    let (least, greatest) = field.range;
    let called = field.called;
    let names = match field.names {
        [(first, _), .., (last, _)] => format!(", or {first} to {last}"),
        _ => String::new(),
    };
    let takes = format!("{called} are {least} to {greatest}{names}");
    if part.contains('?') {
        return format!("`?` is Quartz's: write `*`; {takes}");
    }
    if part.ends_with(',') {
        return format!("leave out the last comma: `{}`", part.trim_end_matches(','));
    }
    if part.contains('#') {
        return "Kestra knows no `#`; the condition DayWeekInMonth of the trigger says the same".to_owned();
    }
    // Of a list the part that is refused.
    let refused = |one: &&str| field.parse(one).and_then(|it| field.check(&it, dialect)).is_err();
    let one = trimmed_split(part, ",").into_iter().find(refused).unwrap_or(part);
    match field.parse(one) {
        Ok(Expression::Between(from, to)) if from > to => descending(field, one),
        Ok(Expression::Every(_, step)) if step <= 0 || step > greatest => {
            format!("a step of {called} is 1 to {greatest}")
        }
        Ok(Expression::Every(start, _)) => match *start {
            Expression::Between(from, to) if from > to => descending(field, one.split('/').next().unwrap_or(one)),
            _ => takes,
        },
        Ok(Expression::Last { .. }) => format!("`L` is for days of the month only; {takes}"),
        Ok(Expression::Workday(_)) => format!("Kestra knows no `W`; {takes}"),
        Ok(_) => takes,
        Err(_) if one.ends_with('/') => format!("write a number behind the slash, such as `{one}5`"),
        Err(_) if one.starts_with('-') || one.ends_with('-') => format!("a range has two ends, such as `1-5`; {takes}"),
        Err(_) => of_word(field, one, takes),
    }
}

/// A word that is no name of a value of its field.
fn of_word(field: &Field, part: &str, takes: String) -> String {
    let letters: String = part.chars().filter(char::is_ascii_alphabetic).collect();
    let names = || field.names.iter().map(|(name, _)| *name);
    let meant = names().find(|name| letters.starts_with(name)).or_else(|| document::nearest(&letters, names()));
    if let Some(meant) = meant.filter(|meant| letters.len() > 2 && letters != **meant) {
        return format!("did you mean `{meant}`? {takes}");
    }
    let elsewhere = FIELDS.iter().find(|other| other.names.iter().any(|(name, _)| *name == letters));
    match elsewhere.filter(|other| other.called != field.called) {
        Some(other) => format!("{takes}; {letters} is one of the {}", other.called),
        None => takes,
    }
}

/// A range whose end lies before its beginning, as two that ascend.
fn descending(field: &Field, part: &str) -> String {
    let (least, greatest) = field.range;
    let (first, last) = part.split_once('-').unwrap_or((part, ""));
    let range = |from: &str, to: &str| if from == to { from.to_owned() } else { format!("{from}-{to}") };
    let number = |text: &str| text.parse::<i32>().is_ok();
    // A week goes from Monday, 1, to Sunday, which is 7 and 0.
    let (begin, end) = match field.names {
        [(begin, _), .., (end, _)] if !number(first) => ((*begin).to_owned(), (*end).to_owned()),
        [_, ..] => ("1".to_owned(), greatest.to_string()),
        [] => (least.to_string(), greatest.to_string()),
    };
    let ascending = match last {
        "0" if field.range.0 == 0 && !field.names.is_empty() => range(first, &end),
        _ => format!("{},{}", range(first, &end), range(&begin, last)),
    };
    format!("a range must ascend: write `{ascending}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, seconds: bool) -> String {
        let dialect = Dialect { seconds, last_day: true };
        assert!(Cron::parse(text, dialect).is_err(), "{text} is accepted");
        advice(text, dialect)
    }

    #[test]
    fn what_is_refused_is_told_with_what_would_be_right() {
        for (text, seconds, expected) in [
            ("0 0 * * FRI-MON", false, "a range must ascend: write `FRI-SUN,MON`"),
            ("0 0 * * SUN-TUE", false, "a range must ascend: write `SUN,MON-TUE`"),
            ("0 0 * * 5-1", false, "a range must ascend: write `5-7,1`"),
            ("0 0 * * 6-0", false, "a range must ascend: write `6-7`"),
            ("0 22-2 * * *", false, "a range must ascend: write `22-23,0-2`"),
            ("0 0 1,28-3 * *", false, "a range must ascend: write `28-31,1-3`"),
            ("0 0 * OCT-FEB *", false, "a range must ascend: write `OCT-DEC,JAN-FEB`"),
            ("60 * * * *", false, "minutes are 0 to 59"),
            ("0 0 1 13 *", false, "months are 1 to 12, or JAN to DEC"),
            ("0 0 * * 8", false, "days of the week are 0 to 7, or MON to SUN"),
            ("*/60 * * * *", false, "a step of minutes is 1 to 59"),
            ("5/ * * * *", false, "write a number behind the slash, such as `5/5`"),
            ("1, * * * *", false, "leave out the last comma: `1`"),
            ("1- * * * *", false, "a range has two ends"),
            ("0 0 ? * 1", false, "`?` is Quartz's: write `*`"),
            ("0 0 * * MONDAY", false, "did you mean `MON`? days of the week are"),
            ("0 0 * * TEU", false, "did you mean `TUE`?"),
            ("0 0 MON * *", false, "days of the month are 1 to 31; MON is one of the days of the week"),
            ("0 0 * * 1#1", false, "DayWeekInMonth"),
            ("0 0 * * 5L", false, "`L` is for days of the month only"),
            ("0 0 15W * *", false, "Kestra knows no `W`"),
            ("0 0 9 * * 1-5", false, "add `withSeconds: true`, or write `0 9 * * 1-5`"),
            ("*/5 * * * *", true, "write `0 */5 * * * *`, or leave `withSeconds` out"),
            ("0 0 12 ? * MON-FRI", false, "write `0 12 * * MON-FRI`, or `0 0 12 * * MON-FRI` with `withSeconds: true`"),
            ("0 0 0 1 1 ? 2026", true, "write `0 0 0 1 1 *`"),
            ("* * *", false, "write five fields: minutes, hours"),
            ("", false, "write five fields"),
            ("@Daily", false, "did you mean `@daily`?"),
            ("@every 5m", false, "such as `*/5 * * * *`"),
            ("@reboot", false, "no trigger starts with the server"),
            ("0 9 * * *||0 25 * * *", false, "in `0 25 * * *`: hours are 0 to 23"),
        ] {
            let told = told(text, seconds);
            assert!(told.contains(expected), "{text}: {told}");
        }
    }

    /// Each refused expression of the recorded table has an advice; one that says what to write for a range, or for all, is
    /// followed and accepted.
    #[test]
    fn what_is_advised_is_accepted() {
        let table = include_str!("../../../tests/captures/core/cron.tsv");
        let (mut followed, mut refused) = (0, 0);
        for row in table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>()) {
            let [_, text, seconds, ..] = row.as_slice() else { panic!("{row:?}") };
            let dialect = Dialect { seconds: *seconds == "true", last_day: true };
            if Cron::parse(text, dialect).is_ok() {
                continue;
            }
            refused += 1;
            let told = advice(text, dialect);
            assert!(!told.is_empty() && told.len() < 300, "{text}: {told}");
            let Some((_, rest)) = told.split_once("write `") else { continue };
            let written = rest.split('`').next().unwrap_or_default();
            let whole = match told.strip_prefix("a range must ascend") {
                Some(_) => {
                    let broken = |part: &&str| part.contains('-');
                    let part = text.split(' ').find(broken).expect("a range");
                    text.replace(part, written)
                }
                None if written.contains(' ') => written.to_owned(),
                None => continue,
            };
            let seconds = whole.split(' ').count() == 6;
            assert!(Cron::parse(&whole, Dialect { seconds, ..dialect }).is_ok(), "{text}: {told}");
            followed += 1;
        }
        assert!(refused > 100 && followed > 20, "{refused} refused, {followed} followed");
    }
}
