//! The recorded table of the real class, row by row.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use jiff::Timestamp;

use super::{Cron, Dialect};
use crate::flow::zone::zone;

/// Asked of `Schedule` of 1.3.19 and 2.0.0: version, expression, withSeconds, zone, from, accepted, and the next five dates or
/// the message of the refusal.
const TABLE: &str = include_str!("../../../tests/captures/core/cron.tsv");

/// The same of random expressions, asked of cron-utils 9.2.1 with the fields that Kestra gives it: a sample of 40,000 of
/// which none differed. (Zones whose rules changed in 2026 were left out.)
const RANDOM: &str = include_str!("../../../tests/captures/core/cron-random.tsv");

struct Row<'t> {
    expression: String,
    dialect: Dialect,
    zone: &'t str,
    from: Timestamp,
    accepted: bool,
    answer: String,
}

fn rows(table: &'static str) -> impl Iterator<Item = Row<'static>> {
    let plain = |text: &str| text.replace("\\t", "\t").replace("\\n", "\n");
    table.lines().skip(1).map(move |line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [version, expression, seconds, zone, from, accepted, answer] = cells.as_slice() else {
            panic!("{line}: seven cells")
        };
        Row {
            expression: plain(expression),
            dialect: Dialect { seconds: *seconds == "true", last_day: *version == "2.0.0" },
            zone,
            from: from.parse().expect("a date"),
            accepted: *accepted == "yes",
            answer: plain(answer),
        }
    })
}

/// `2026-03-29T01:30+01:00[Europe/Paris]`, without the seconds when they are zero.
fn date(text: &str) -> Timestamp {
    let text = text.split('[').next().expect("a part");
    let (local, offset) = text.split_at(text.rfind(['Z', '+']).or(text.rfind('-')).expect("an offset"));
    let seconds = if local.len() == 16 { ":00" } else { "" };
    format!("{local}{seconds}{offset}").parse().expect(text)
}

#[test]
fn every_row_of_the_table_is_met() {
    assert_eq!(compared(TABLE), 1_184);
    assert_eq!(compared(RANDOM), 700);
}

/// How many rows were compared.
fn compared(table: &'static str) -> usize {
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in rows(table) {
        let Row { expression, dialect, zone: name, from, accepted, answer } = row;
        count += 1;
        let told = match (Cron::parse(&expression, dialect), zone(name)) {
            (_, None) => format!("timezone: timezone '({name})' is not a valid time-zone ID\n"),
            (Err(why), _) => format!(": invalid cron expression '{expression}': {why}\n"),
            (Ok(cron), Some(zone)) if accepted => {
                let expected: Vec<Timestamp> =
                    answer.split_whitespace().filter(|text| *text != "null").map(date).collect();
                let dates = std::iter::successors(Some(from), |date| cron.next_after(*date, &zone));
                let dates: Vec<Timestamp> = dates.skip(1).take(expected.len().max(1)).collect();
                if dates == expected { answer.clone() } else { format!("{dates:?}") }
            }
            (Ok(_), Some(_)) => "accepted".to_owned(),
        };
        if told != answer {
            wrong.push(format!("{expression:?} {dialect:?} {name} {from}:\n  {told:?}\n  {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} rows:\n{}", wrong.len(), wrong.join("\n"));
    count
}
