//! The entries of `time_intervals` and `mute_time_intervals`.

use super::table::{Reader, get, items, place_of, text};
use crate::document::{Node, Value};
use crate::pager::interval::{self, Range, TimeInterval};

/// The intervals of one entry.
pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Vec<TimeInterval> {
    items(node, "time_intervals").iter().map(|node| one(node, reader)).collect()
}

fn one(node: &Node, reader: &mut Reader<'_>) -> TimeInterval {
    let location = get(node, "location").and_then(|node| reader.reading.parsed(node, "`location`", interval::location));
    if text(node, "location") == interval::LOCAL {
        let what = "`Local` is the zone of the machine that Alertmanager runs on, which is not known: UTC is taken";
        reader.reading.warning(&place_of(node, "location"), what, "write the zone, for example `Europe/Berlin`");
    }
    TimeInterval {
        times: get(node, "times").map(|_| items(node, "times").iter().filter_map(|it| times(it, reader)).collect()),
        weekdays: ranges(node, "weekdays", interval::weekdays, reader),
        days_of_month: ranges(node, "days_of_month", interval::days_of_month, reader),
        months: ranges(node, "months", interval::months, reader),
        years: ranges(node, "years", interval::years, reader),
        location,
    }
}

fn ranges(
    node: &Node,
    key: &str,
    parse: fn(&str) -> Result<Range, String>,
    reader: &mut Reader<'_>,
) -> Option<Vec<Range>> {
    let what = format!("an entry of `{key}`");
    get(node, key)?;
    // Null is none of them, and Alertmanager takes it for zeros.
    let items = items(node, key).iter();
    Some(items.filter_map(|it| reader.reading.parsed(it, &what, parse)).collect())
}

fn times(node: &Node, reader: &mut Reader<'_>) -> Option<Range> {
    let mut part = |key: &str| match get(node, key).filter(|_| !text(node, key).is_empty()) {
        Some(it) => reader.reading.parsed(it, &format!("`{key}`"), interval::minute),
        None if node.value == Value::Null => None,
        None => {
            let what = format!("a time range has no `{key}`");
            reader.reading.error(&node.place, what, "write `start_time` and `end_time`");
            None
        }
    };
    let (from, to) = (part("start_time"), part("end_time"));
    let (from, to) = (from?, to?);
    if from >= to {
        let what = format!("`end_time` `{}` is not later than `start_time`", text(node, "end_time"));
        let advice = "over midnight write two ranges, one to `24:00` and one from `00:00`";
        reader.reading.error(&place_of(node, "end_time"), what, advice);
    }
    Some((from, to))
}
