//! What became of alerts: who was told what, when, and what was not told and why.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::{Detail, instant};
use crate::time::Instant;

/// Notifications of one receiver that have a row each, in a short report; also reasons.
const ROWS: usize = 12;
/// Alerts that are named in the row of a notification.
const NAMED: usize = 3;

/// What an Alertmanager made of the alerts of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Paging {
    /// The receivers that alerts could go to, in the order of the configuration.
    pub receivers: Vec<String>,
    /// Notifications, in the order of time.
    pub pages: Vec<PageLine>,
    /// What was not told.
    pub withheld: Vec<WithheldLine>,
    /// Notifications and reasons beyond the bounds of what is kept.
    pub lost: u64,
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PageLine {
    /// When, in seconds since the scenario's start.
    #[serde(serialize_with = "instant")]
    pub at: Instant,
    /// The receiver's name.
    pub receiver: String,
    /// Which of its integrations: `slack`, `webhook[1]`.
    pub integration: String,
    /// The group of the alerts.
    pub group_key: String,
    /// Why now: `first`, `new alerts`, `some resolved`, `all resolved`, `repeat`.
    pub reason: &'static str,
    /// The alerts in it, in the order of the message.
    pub alerts: Vec<PagedLine>,
    /// The title of the message, of those that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its text, of those that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What is sent, without its secrets.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// What is to be known of the message: what was cut, and what is not simulated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// An alert in a notification.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PagedLine {
    /// `firing` or `resolved`.
    pub status: &'static str,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it fired, in seconds since the scenario's start.
    #[serde(serialize_with = "instant")]
    pub starts_at: Instant,
}

/// An alert that a receiver was not told of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WithheldLine {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The receiver's name.
    pub receiver: String,
    /// The group.
    pub group_key: String,
    /// When it fired: which of its times it is, in seconds since the scenario's start.
    #[serde(serialize_with = "instant")]
    pub starts_at: Instant,
    /// The first time its group was looked at and it was not told.
    #[serde(serialize_with = "instant")]
    pub from: Instant,
    /// The last time.
    #[serde(serialize_with = "instant")]
    pub until: Instant,
    /// Whether it had ended by then.
    pub ended: bool,
    /// Why: `inhibited`, `muted`, `inactive`, `silenced`, `ended-unsent`, `resolved-not-sent` or `failed`.
    pub cause: &'static str,
    /// Why, in words.
    pub why: String,
}

impl PagedLine {
    /// Whether it is of this name.
    pub fn is(&self, alert: &str) -> bool {
        self.labels.get("alertname").is_some_and(|name| name == alert)
    }
}

impl PageLine {
    /// Whether it tells that something fires which the receiver did not know.
    pub fn is_news(&self) -> bool {
        matches!(self.reason, "first" | "new alerts")
    }

    /// How many of its alerts fire, and how many have ended.
    pub fn counts(&self) -> (usize, usize) {
        let firing = self.alerts.iter().filter(|alert| alert.status == "firing").count();
        (firing, self.alerts.len() - firing)
    }
}

/// An alert by its name and its other labels: `KestraDown{instance="worker-1:8081"}`.
pub(crate) fn named(labels: &BTreeMap<String, String>) -> String {
    let others: Vec<String> = labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    format!("{}{{{}}}", labels.get("alertname").map_or("", String::as_str), others.join(", "))
}

/// For people.
pub(super) fn write(paging: &Paging, detail: Detail, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nPages")?;
    let most = if detail == Detail::All { usize::MAX } else { ROWS };
    let silent: Vec<&str> = paging
        .receivers
        .iter()
        .filter(|receiver| paging.pages.iter().all(|page| page.receiver != **receiver))
        .map(String::as_str)
        .collect();
    for receiver in paging.receivers.iter().filter(|receiver| !silent.contains(&receiver.as_str())) {
        let pages: Vec<&PageLine> = paging.pages.iter().filter(|page| page.receiver == *receiver).collect();
        let plural = if pages.len() == 1 { "" } else { "s" };
        writeln!(out, "  {receiver}: {} notification{plural}", pages.len())?;
        for page in pages.iter().take(most) {
            write_page(page, detail, out)?;
        }
        if pages.len() > most {
            writeln!(out, "    and {} more (--all)", pages.len() - most)?;
        }
    }
    if !silent.is_empty() {
        writeln!(out, "  told nothing: {}", silent.join(", "))?;
    }
    if !paging.withheld.is_empty() {
        writeln!(out, "\nNot told")?;
    }
    for line in paging.withheld.iter().take(most) {
        let WithheldLine { labels, receiver, from, until, why, .. } = line;
        let span = match from == until {
            true => from.rounded().to_string(),
            false => format!("{} to {}", from.rounded(), until.rounded()),
        };
        writeln!(out, "  {span:>17}  {receiver}: {}: {why}", named(labels))?;
    }
    if paging.withheld.len() > most {
        writeln!(out, "  and {} more (--all)", paging.withheld.len() - most)?;
    }
    if paging.lost > 0 {
        writeln!(out, "  {} more were not kept", paging.lost)?;
    }
    Ok(())
}

fn write_page(page: &PageLine, detail: Detail, out: &mut String) -> std::fmt::Result {
    let (firing, resolved) = page.counts();
    let counts = match (firing, resolved) {
        (firing, 0) => format!("{firing} firing"),
        (0, resolved) => format!("{resolved} resolved"),
        (firing, resolved) => format!("{firing} firing, {resolved} resolved"),
    };
    let named: Vec<String> = page.alerts.iter().take(NAMED).map(|alert| named(&alert.labels)).collect();
    let more = match page.alerts.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let PageLine { at, integration, reason, .. } = page;
    let at = at.rounded().to_string();
    writeln!(out, "    {at:>11}  {integration:<10} {reason:<13} {counts}: {}{more}", named.join(", "))?;
    if let Some(title) = page.title.as_deref().filter(|title| !title.trim().is_empty()) {
        writeln!(out, "                 {}", title.trim().replace('\n', "\n                 "))?;
    }
    if let Some(text) = page.text.as_deref().filter(|text| detail == Detail::All && !text.trim().is_empty()) {
        writeln!(out, "                 {}", text.trim().replace('\n', "\n                 "))?;
    }
    page.notes.iter().try_for_each(|note| writeln!(out, "                 note: {note}"))
}
