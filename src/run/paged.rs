//! Judging what a scenario expects of its Alertmanager: who is told, and when.

use super::counted::{Was, counted};
use crate::pager::Cause;
use crate::report::{PageLine, Paging, named_alert};
use crate::scenario::{PagePattern, Times, Window};
use crate::time::Duration;

/// Whether a receiver was told as wanted, and what was seen: of what is missing, the nearest, or why it was not told.
pub(super) fn judged(
    what: &PagePattern,
    times: Times,
    window: &Window,
    paging: Option<&Paging>,
) -> (Option<bool>, String) {
    let Some(paging) = paging else { return (None, "needs --alertmanager".into()) };
    if let Some(unknown) = what.receiver.as_ref().filter(|name| !paging.receivers.contains(name)) {
        let instead = crate::document::instead(unknown, paging.receivers.iter().map(String::as_str));
        return (Some(false), format!("no receiver is named `{unknown}`; {instead}"));
    }
    let ours: Vec<&PageLine> = paging.pages.iter().filter(|page| is_meant(page, what)).collect();
    let all = ours.iter().map(|page| Was { at: page.at, what: told(page) });
    let nothing = instead(what, paging);
    let (met, seen) = counted(times, window, all.collect(), &nothing);
    let first = ours.iter().find(|page| window.holds(page.at));
    match (met, what.resolved_within, first) {
        (Some(true), Some(within), Some(first)) => {
            let (ends, told) = ended(first, what, within, paging);
            (Some(ends), format!("{seen}; {told}"))
        }
        verdict => (verdict.0, seen),
    }
}

fn fires(page: &PageLine, alert: &str) -> bool {
    let named = |name: Option<&String>| name.is_some_and(|name| name == alert);
    page.alerts.iter().any(|it| it.status == "firing" && named(it.labels.get("alertname")))
}

/// Whether a text stands somewhere in what is sent.
fn says(field: &serde_json::Value, text: &str) -> bool {
    match field {
        serde_json::Value::String(it) => it.contains(text),
        serde_json::Value::Array(all) => all.iter().any(|it| says(it, text)),
        serde_json::Value::Object(all) => all.values().any(|it| says(it, text)),
        _ => false,
    }
}

fn is_meant(page: &PageLine, what: &PagePattern) -> bool {
    let is_said = |text: &String| {
        let shown = [&page.title, &page.text].into_iter().flatten().any(|part| part.contains(text.as_str()));
        shown || page.fields.values().any(|field| says(field, text))
    };
    what.receiver.as_ref().is_none_or(|receiver| *receiver == page.receiver)
        && page.counts().0 > 0
        && what.alerts.iter().all(|alert| fires(page, alert))
        && what.text.as_ref().is_none_or(is_said)
}

/// Whether the receiver is told soon enough that all of a notification has ended, or the alerts that are named.
fn ended(first: &PageLine, what: &PagePattern, within: Duration, paging: &Paging) -> (bool, String) {
    let over = |page: &&PageLine| {
        let same = page.receiver == first.receiver && page.group_key == first.group_key;
        let named = what.alerts.iter().all(|alert| !fires(page, alert) && page.alerts.iter().any(|it| it.is(alert)));
        same && page.at > first.at && if what.alerts.is_empty() { page.counts().0 == 0 } else { named }
    };
    match paging.pages.iter().find(over) {
        None => (false, "never told as resolved".to_owned()),
        Some(page) => {
            let took = page.at.since(first.at);
            (took <= within, format!("told as resolved at {}, {} later", page.at.rounded(), took.rounded()))
        }
    }
}

/// What there is when no notification fits: why the alerts were not told, else what the receiver was told last.
fn instead(what: &PagePattern, paging: &Paging) -> String {
    let ours = |receiver: &String| what.receiver.as_ref().is_none_or(|wanted| wanted == receiver);
    let withheld = paging.withheld.iter().find(|line| {
        let name = line.labels.get("alertname");
        // That it had ended was not told: that it fired was.
        let fired = line.cause != Cause::RESOLVED_NOT_SENT;
        fired && ours(&line.receiver) && (what.alerts.is_empty() || name.is_some_and(|name| what.alerts.contains(name)))
    });
    if let Some(line) = withheld {
        return format!("{} at {}: {}", named_alert(&line.labels), line.from.rounded(), line.why);
    }
    let elsewhere = |page: &&PageLine| !what.alerts.is_empty() && what.alerts.iter().all(|alert| fires(page, alert));
    if let Some(page) = paging.pages.iter().find(elsewhere).filter(|page| !ours(&page.receiver)) {
        return format!("{} is told instead: {} at {}", page.receiver, told(page), page.at.rounded());
    }
    match paging.pages.iter().filter(|page| ours(&page.receiver)).max_by_key(|page| page.at) {
        Some(page) => format!("nothing like it; the last is {} at {}", told(page), page.at.rounded()),
        None => "nothing was sent at all".to_owned(),
    }
}

/// A notification in words.
fn told(page: &PageLine) -> String {
    let (firing, resolved) = page.counts();
    let first = page.alerts.first().map(|alert| named_alert(&alert.labels)).unwrap_or_default();
    let more = match page.alerts.len() {
        0 | 1 => String::new(),
        all => format!(" and {} more", all - 1),
    };
    let counts = match resolved {
        0 => format!("{firing} firing"),
        _ => format!("{firing} firing, {resolved} resolved"),
    };
    format!("{} ({}, {counts}): {first}{more}", page.receiver, page.reason)
}
