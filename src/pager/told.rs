//! What came of alerts: what was sent, and what was not and why.

use std::sync::Arc;

use super::{LabelSet, Message};

/// Why a notification is sent just then: the reasons of Alertmanager 0.33 (`notification_reason` in its webhook's body).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nothing of the group was told before, or the last word was that all have ended.
    First,
    /// Alerts have come that were not told before.
    NewAlerts,
    /// Some have ended.
    SomeResolved,
    /// All have ended.
    AllResolved,
    /// Nothing changed for `repeat_interval`.
    Repeat,
}

impl Reason {
    /// A word for reports and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Reason::First => "first",
            Reason::NewAlerts => "new alerts",
            Reason::SomeResolved => "some resolved",
            Reason::AllResolved => "all resolved",
            Reason::Repeat => "repeat",
        }
    }
}

/// An alert as a notification shows it, sharing what stays the same.
#[derive(Clone, Debug, PartialEq)]
pub struct PagedAlert {
    /// Its labels.
    pub labels: Arc<LabelSet>,
    /// Its annotations, as they were posted last.
    pub annotations: Arc<LabelSet>,
    /// When it began (milliseconds since 1970).
    pub starts_at: i64,
    /// When it ended; none while it fires.
    pub ends_at: Option<i64>,
    /// `generatorURL`.
    pub generator_url: Arc<str>,
}

/// A notification that was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// When (milliseconds since 1970).
    pub at: i64,
    /// Index of the receiver in the configuration.
    pub receiver: usize,
    /// Index of the integration in the receiver.
    pub integration: usize,
    /// `{}/{severity="page"}:{alertname="X"}`.
    pub group_key: Arc<str>,
    /// The labels that the group shares by `group_by`.
    pub group_labels: Arc<LabelSet>,
    /// What it shows, in its order. Resolved ones are left out when the integration does not send them.
    pub alerts: Vec<PagedAlert>,
    /// Why now.
    pub reason: Reason,
    /// What it says.
    pub message: Message,
}

impl Page {
    /// Whether it says that all is over.
    pub fn is_resolved(&self) -> bool {
        self.alerts.iter().all(|alert| alert.ends_at.is_some())
    }
}

/// Why an alert was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Another alert was firing: its labels, and the index of the rule.
    Inhibited {
        /// The labels of the alert that inhibits.
        by: Arc<LabelSet>,
        /// Index in `inhibit_rules`.
        rule: usize,
    },
    /// The route is muted at that time: by these intervals.
    Muted(Vec<String>),
    /// The route is active only in these intervals.
    Inactive(Vec<String>),
    /// A silence matches: its index.
    Silenced(usize),
    /// It had ended before its group was told of anything.
    EndedUnsent,
    /// It has ended, which this integration does not send.
    ResolvedNotSent,
    /// The message could not be made: nothing is sent, and it is tried again at the next flush.
    Failed(String),
}

impl Cause {
    /// A word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Cause::Inhibited { .. } => "inhibited",
            Cause::Muted(_) => "muted",
            Cause::Inactive(_) => "inactive",
            Cause::Silenced(_) => "silenced",
            Cause::EndedUnsent => "ended-unsent",
            Cause::ResolvedNotSent => Cause::RESOLVED_NOT_SENT,
            Cause::Failed(_) => "failed",
        }
    }

    /// The word of [`Cause::ResolvedNotSent`]: what had been told of before.
    pub const RESOLVED_NOT_SENT: &'static str = "resolved-not-sent";
}

/// An alert that a receiver was not told of, from the first flush of its group to the last at which that was so.
#[derive(Clone, Debug, PartialEq)]
pub struct Withheld {
    /// Its labels.
    pub labels: Arc<LabelSet>,
    /// When it began (milliseconds since 1970): which of its times it is.
    pub starts_at: i64,
    /// Index of the receiver in the configuration.
    pub receiver: usize,
    /// The group.
    pub group_key: Arc<str>,
    /// Why.
    pub cause: Cause,
    /// The first flush at which it was so.
    pub from: i64,
    /// The last flush at which it was so.
    pub until: i64,
    /// Whether it had ended at that last flush: then nobody will be told that it has, unless it is posted again.
    pub ended: bool,
}
