//! What a notification says: title, text and all that is sent, from the user's templates or Alertmanager's own.
//!
//! Each kind of receiver is made as its `notify/<kind>/<kind>.go` makes it, of 0.25 or of 0.33. Nothing is sent, and no
//! secret is shown: addresses, keys and tokens are left out, or masked where they are a part of what is sent.

mod chat;
mod defaults;
mod draft;
mod embedded;
mod mail;
mod paging;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Integration, Notification, Reason, Version};
use crate::gotemplate::alertmanager::{Data, Release, Told};

pub use crate::gotemplate::alertmanager::{Malformed, Templates};
use draft::Draft;

/// What stands where a secret would.
pub const SECRET: &str = "<secret>";

/// What is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// What it is headed by; empty where its kind has no title.
    pub title: String,
    /// What it says.
    pub text: String,
    /// What is sent: the body's JSON, or the parameters and headers of kinds that send none.
    pub fields: Map<String, Json>,
    /// What is to be known of it: what was cut, and what is not simulated.
    pub notes: Vec<String>,
}

impl From<Version> for Release {
    fn from(version: Version) -> Release {
        match version {
            Version::V0_25 => Release::V0_25,
            Version::V0_33 => Release::V0_33,
            Version::V0_35 => Release::V0_35,
        }
    }
}

/// The templates of a configuration: Alertmanager's own, and those of its files (name and text), in their order.
///
/// # Errors
/// What is wrong with a file, and where.
pub fn templates(files: &[(String, String)], version: Version) -> Result<Templates, Malformed> {
    Templates::new(version.into(), files)
}

/// What a receiver's integration says of a notification.
///
/// # Errors
/// What Alertmanager would fail with, or what is not simulated, by name.
pub fn message(
    integration: &Integration,
    notification: &Notification,
    templates: &Templates,
    version: Version,
) -> Result<Message, String> {
    let kind = integration.kind;
    let Some(known) = KINDS.iter().find(|it| it.name == kind) else {
        return Err(format!("messages of {kind}_configs are not simulated"));
    };
    if known.since > version {
        return Err(format!("{kind}_configs came after Alertmanager 0.25"));
    }
    let limit = integration.settings.get("max_alerts").and_then(Json::as_u64).unwrap_or(0);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let all = &notification.alerts;
    // Only these two count their alerts.
    let shown = match limit {
        1.. if matches!(kind, "webhook" | "incidentio") => all.get(..limit).unwrap_or(all),
        _ => all,
    };
    let draft = Draft {
        kind,
        settings: &integration.settings,
        notification,
        left_out: all.len() - shown.len(),
        data: Arc::new(data(notification, shown)),
        templates,
        version,
    };
    (known.make)(&draft).map_err(|why| format!("{kind}_configs: {why}"))
}

/// A kind of receiver.
struct Kind {
    name: &'static str,
    since: Version,
    make: fn(&Draft<'_>) -> Result<Message, String>,
}

const KINDS: &[Kind] = &[
    Kind { name: "discord", since: Version::V0_25, make: chat::discord },
    Kind { name: "email", since: Version::V0_25, make: mail::email },
    Kind { name: "incidentio", since: Version::V0_33, make: embedded::incidentio },
    Kind { name: "jira", since: Version::V0_33, make: paging::jira },
    Kind { name: "mattermost", since: Version::V0_33, make: chat::mattermost },
    Kind { name: "msteams", since: Version::V0_33, make: chat::msteams },
    Kind { name: "msteamsv2", since: Version::V0_33, make: chat::msteamsv2 },
    Kind { name: "opsgenie", since: Version::V0_25, make: paging::opsgenie },
    Kind { name: "pagerduty", since: Version::V0_25, make: paging::pagerduty },
    Kind { name: "pushover", since: Version::V0_25, make: paging::pushover },
    Kind { name: "rocketchat", since: Version::V0_33, make: chat::rocketchat },
    Kind { name: "slack", since: Version::V0_25, make: chat::slack },
    Kind { name: "sns", since: Version::V0_25, make: mail::sns },
    Kind { name: "telegram", since: Version::V0_25, make: chat::telegram },
    Kind { name: "victorops", since: Version::V0_25, make: paging::victorops },
    Kind { name: "webex", since: Version::V0_25, make: chat::webex },
    Kind { name: "webhook", since: Version::V0_25, make: embedded::webhook },
    Kind { name: "wechat", since: Version::V0_25, make: chat::wechat },
];

/// What the templates speak of.
fn data(notification: &Notification, alerts: &[super::Alert]) -> Data {
    let told: Vec<Arc<Told>> = alerts.iter().map(|it| Arc::new(told(it))).collect();
    let firing = told.iter().any(|it| it.status == FIRING);
    Data {
        receiver: quoted(&notification.receiver),
        status: if firing { FIRING } else { RESOLVED }.to_owned(),
        notification_reason: reason(notification.reason).to_owned(),
        group_labels: notification.group_labels.clone(),
        common_labels: common(&told, |it| &it.labels),
        common_annotations: common(&told, |it| &it.annotations),
        external_url: notification.external_url.clone(),
        now: notification.at,
        alerts: told,
    }
}

const FIRING: &str = "firing";
const RESOLVED: &str = "resolved";

fn told(alert: &super::Alert) -> Told {
    Told {
        status: if alert.ends_at.is_some() { RESOLVED } else { FIRING }.to_owned(),
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at: alert.starts_at,
        ends_at: alert.ends_at,
        generator_url: alert.generator_url.to_string(),
        fingerprint: fingerprint(&alert.labels),
    }
}

/// What all alerts share.
fn common(told: &[Arc<Told>], of: fn(&Told) -> &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let Some((first, rest)) = told.split_first() else { return BTreeMap::new() };
    let mut shared = of(first).clone();
    // One without the name has it empty, as Go's maps do.
    shared.retain(|name, value| rest.iter().all(|it| of(it).get(name).map_or("", String::as_str) == value));
    shared
}

/// `notification_reason`: `NotifyReason` in `notify/notify.go`.
fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "first notification",
        Reason::NewAlerts => "new alerts added",
        Reason::SomeResolved => "some alerts resolved",
        Reason::AllResolved => "all alerts resolved",
        Reason::Repeat => "repeat interval elapsed",
    }
}

/// A name as a regular expression takes it: `regexp.QuoteMeta`.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The hash of labels that Prometheus and Alertmanager call their fingerprint: FNV-1a over names and values.
fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    for (name, value) in labels {
        name.bytes().for_each(&mut add);
        add(0xff);
        value.bytes().for_each(&mut add);
        add(0xff);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests;
