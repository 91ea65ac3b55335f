//! What Alertmanager makes of alerts, in virtual time: who is told what, when, and why not.

mod configuration;
mod dispatch;
mod group;
mod inhibit;
mod interval;
mod log;
mod matcher;
mod message;
mod route;
mod told;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::document::Place;
use crate::promql;
use crate::time::Duration;

pub use configuration::{Files, read, read_beside, read_files};
pub use dispatch::{ADDRESS, Pager, Post, Refusal, Silence, routes};
pub use interval::TimeInterval;
pub use matcher::{matchers, matchers_of};
pub use message::{Malformed, Message, SECRET, Templates, message, templates};
pub use told::{Cause, Page, PagedAlert, Reason, Withheld};

/// Labels or annotations, in the order of their names.
pub type LabelSet = BTreeMap<String, String>;

/// Whose behaviour is meant where the versions of Alertmanager differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 0.25, which Debian 12 has.
    V0_25,
    /// 0.33 and 0.34.0.
    #[default]
    V0_33,
    /// 0.35: any source alert inhibits again (since 0.34.1), all months have their days, messages know the labels of routes.
    /// Its configuration is read as that of 0.33.
    V0_35,
}

impl Version {
    /// The names `--alertmanager-version` takes.
    pub const NAMES: &[(&str, Version)] =
        &[("0.25", Version::V0_25), ("0.33", Version::V0_33), ("0.35", Version::V0_35)];
}

/// A configuration that was read, with everything inherited and filled in that the routes need.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// `global.resolve_timeout`.
    pub resolve_timeout: Duration,
    /// The tree of routes.
    pub route: Route,
    /// Who can be told, in the order of the file.
    pub receivers: Vec<Receiver>,
    /// What silences what.
    pub inhibit_rules: Vec<InhibitRule>,
    /// `mute_time_intervals` and `time_intervals` by name.
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// The files that `templates` names, in that order: name and text.
    pub templates: Vec<(String, String)>,
}

/// A node of the tree of routes: what it does not say itself has been taken from its parent.
#[derive(Clone, Debug)]
pub struct Route {
    /// The receiver's name.
    pub receiver: String,
    /// All must hold.
    pub matchers: Vec<Matcher>,
    /// `continue`.
    pub goes_on: bool,
    /// `group_by`.
    pub group_by: GroupBy,
    /// How long the first alert of a group waits for others.
    pub group_wait: Duration,
    /// How long what changes in a group waits.
    pub group_interval: Duration,
    /// How long what has been told waits to be told again.
    pub repeat_interval: Duration,
    /// `mute_time_intervals`: names.
    pub mute: Vec<String>,
    /// `active_time_intervals`: names.
    pub active: Vec<String>,
    /// Its children.
    pub routes: Vec<Route>,
    /// Where it stands in its file.
    pub place: Option<Place>,
}

/// What `group_by` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// These labels, sorted; none: one group.
    Labels(Vec<String>),
    /// `...`: every label, a group an alert.
    All,
}

/// A receiver of the configuration.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// What it consists of, in the order in which Alertmanager builds them (by kind, then as in the file).
    pub integrations: Vec<Integration>,
}

/// One `*_configs` entry of a receiver.
#[derive(Clone, Debug)]
pub struct Integration {
    /// `webhook`, `slack`, `pagerduty`, `opsgenie`, `email`, `msteams`, `msteamsv2`, `telegram`, ...: the key without `_configs`.
    pub kind: &'static str,
    /// Its position among those of its kind in its receiver.
    pub index: usize,
    /// `send_resolved`, its kind's default filled in.
    pub send_resolved: bool,
    /// What the file says of it, the `global` fallbacks filled in, its kind's defaults not. Secrets are in it as written.
    pub settings: Arc<Map<String, Json>>,
    /// Where it stands in its file.
    pub place: Option<Place>,
}

/// An entry of `inhibit_rules`.
#[derive(Clone, Debug)]
pub struct InhibitRule {
    /// `name`, which newer versions know.
    pub name: Option<String>,
    /// What must fire.
    pub source: Vec<Matcher>,
    /// What is then not told.
    pub target: Vec<Matcher>,
    /// Labels that both must share, absent being empty.
    pub equal: Vec<String>,
    /// Where it stands in its file.
    pub place: Option<Place>,
}

/// A condition on a label; one that is absent is empty.
#[derive(Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// The operator.
    pub kind: MatchKind,
    /// Text or pattern.
    pub value: String,
    pattern: Option<regex::Regex>,
}

/// The operator of a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKind {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl Matcher {
    /// A matcher; none when its pattern is not sound. Patterns are Go's and cover the whole value.
    pub fn new(name: impl Into<String>, kind: MatchKind, value: impl Into<String>) -> Option<Matcher> {
        let value = value.into();
        let pattern = match kind {
            MatchKind::Regex | MatchKind::NotRegex => Some(promql::regex(&value)?),
            MatchKind::Equal | MatchKind::NotEqual => None,
        };
        Some(Matcher { name: name.into(), kind, value, pattern })
    }

    /// Whether it holds for these labels.
    pub fn matches(&self, labels: &LabelSet) -> bool {
        let value = labels.get(&self.name).map_or("", String::as_str);
        let found = self.pattern.as_ref().map_or(self.value == value, |pattern| pattern.is_match(value));
        found != matches!(self.kind, MatchKind::NotEqual | MatchKind::NotRegex)
    }
}

impl fmt::Display for MatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MatchKind::Equal => "=",
            MatchKind::NotEqual => "!=",
            MatchKind::Regex => "=~",
            MatchKind::NotRegex => "!~",
        })
    }
}

/// As Alertmanager prints it, in group keys too: `name="value"`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.kind, group::quoted(&self.value))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        (&self.name, self.kind, &self.value) == (&other.name, other.kind, &other.value)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An alert as a notification shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its labels.
    pub labels: LabelSet,
    /// Its annotations.
    pub annotations: LabelSet,
    /// When it began (milliseconds since 1970).
    pub starts_at: i64,
    /// When it ended; none while it fires.
    pub ends_at: Option<i64>,
    /// `generatorURL`.
    pub generator_url: Arc<str>,
}

/// What a message speaks of: one group of one receiver at one instant.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The receiver's name.
    pub receiver: String,
    /// `groupKey`: `{}/{severity="page"}:{alertname="X"}`.
    pub group_key: String,
    /// The labels that the alerts share by `group_by`.
    pub group_labels: LabelSet,
    /// Those that are told, in the order in which Alertmanager sorts them.
    pub alerts: Vec<Alert>,
    /// Why it is sent now: 0.33 tells it in its webhook's `notification_reason`.
    pub reason: Reason,
    /// Alertmanager's own address, `http://alertmanager:9093`.
    pub external_url: String,
    /// The instant (milliseconds since 1970).
    pub at: i64,
}
