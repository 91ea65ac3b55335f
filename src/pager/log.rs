//! The notification log: what each receiver was told last of each group, and what is to be told now.

use std::collections::BTreeSet;

use super::told::Reason;

/// How often what has run out is thrown away (`nflog.Maintenance` of `cmd/alertmanager/main.go`).
const MAINTENANCE: i64 = 15 * 60_000;
/// How long an entry is kept at most (`--data.retention`).
const RETENTION: i64 = 120 * 3_600_000;
/// How long it takes to tell a receiver: an entry is written after that. Thus what is told at one tick was told a little less
/// than `repeat_interval` ago at the tick that comes exactly then, and waits for another one.
const DELIVERY: i64 = 1;

/// What a receiver was told last of a group: alerts by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    firing: BTreeSet<usize>,
    resolved: BTreeSet<usize>,
    written: i64,
    runs_out: i64,
}

impl Entry {
    /// What is written once a receiver was told at an instant.
    pub(super) fn new(firing: BTreeSet<usize>, resolved: BTreeSet<usize>, at: i64, repeat: i64) -> Entry {
        let written = at + DELIVERY;
        let expiry = repeat.saturating_mul(2);
        let runs_out = written + if expiry > 0 { expiry.min(RETENTION) } else { RETENTION };
        Entry { firing, resolved, written, runs_out }
    }

    /// Whether it is still there, in an Alertmanager that began then: it has run out only once that was looked for.
    pub(super) fn is_kept(&self, now: i64, began: i64) -> bool {
        let looked = now - (now - began).rem_euclid(MAINTENANCE);
        self.runs_out >= looked
    }

    /// Whether the receiver was told of an alert, or it was noted as ended already.
    pub(super) fn knows(&self, alert: usize) -> bool {
        self.firing.contains(&alert) || self.resolved.contains(&alert)
    }
}

/// Why something is to be told now, if it is.
pub(super) fn reason(
    entry: Option<&Entry>,
    firing: &BTreeSet<usize>,
    resolved: &BTreeSet<usize>,
    sends_resolved: bool,
    (now, repeat): (i64, i64),
) -> Option<Reason> {
    let Some(entry) = entry else { return (!firing.is_empty()).then_some(Reason::First) };
    if !firing.is_subset(&entry.firing) {
        return Some(if entry.firing.is_empty() { Reason::First } else { Reason::NewAlerts });
    }
    if firing.is_empty() {
        return (!entry.firing.is_empty()).then_some(Reason::AllResolved);
    }
    if sends_resolved && !resolved.is_subset(&entry.resolved) {
        return Some(Reason::SomeResolved);
    }
    (entry.written < now - repeat).then_some(Reason::Repeat)
}
