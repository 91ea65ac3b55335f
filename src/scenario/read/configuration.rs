//! `configuration`: nested as in Kestra's own file, or keys with dots; capitals and dashes as Micronaut takes them.

use std::collections::BTreeSet;

use crate::document::{Node, Place, Reading, Value};
use crate::profile::{Binder, Endpoint, Profile, Quirk};
use crate::scenario::Settings;
use crate::scenario::units;

/// A setting: its key with dots, its value, and where the key stands.
struct Setting<'n> {
    key: String,
    value: &'n Node,
    place: &'n Place,
}

/// Reads what is configured for a version of Kestra.
pub(super) fn settings(node: Option<&Node>, profile: &Profile, reading: &mut Reading) -> Settings {
    let mut settings = Settings::default();
    let Some(node) = node else { return settings };
    if !matches!(node.value, Value::Mapping(_)) {
        let what = format!("`configuration` must be a mapping, not {}", node.value.describe());
        reading.error(&node.place, what, "write for example `{ endpoints: { all: { path: /manage } } }`");
        return settings;
    }
    let mut all = Vec::new();
    flatten(node, "", &mut all);
    let (mut ignored, mut lost) = (Vec::new(), Vec::new());
    for setting in &all {
        match apply(setting, &mut settings, profile, reading) {
            Effect::Lost if UNSEEN.iter().all(|unseen| !below(&setting.key, unseen)) => lost.push(setting),
            // Another version may be served with it.
            Effect::Obeyed if !has_effect(&setting.key, profile) => ignored.push(setting),
            Effect::Ignored => ignored.push(setting),
            Effect::Obeyed | Effect::Lost => {}
        }
    }
    for setting in lost {
        let what = format!("not simulated: what is set by {}", setting.key);
        reading.warning(setting.place, what, "what the real server does with it is missing here");
    }
    if let Some(first) = ignored.first() {
        let what = format!(
            "Kestra {} does not follow these settings, and so nothing does here: {}",
            profile.name(),
            keys(&ignored)
        );
        let tags = ignored.iter().any(|setting| below(&setting.key, "kestra.metrics.tags"));
        reading.note(first.place, what, if tags { "`micronaut.metrics.tags` gives every series labels" } else { "" });
    }
    settings
}

/// What becomes of a setting.
enum Effect {
    /// What it says is done here, as the real server does it.
    Obeyed,
    /// The real server does nothing with it (recorded), and so nothing is done here.
    Ignored,
    /// The real server may do something with it that is not done here.
    Lost,
}

/// Settings that nothing shows that monitoring sees; each with those below it.
const UNSEEN: &[&str] = &[
    "kestra.repository",
    "kestra.queue.type",
    "kestra.storage",
    "kestra.secret",
    "kestra.encryption",
    "kestra.plugins.configurations",
    "kestra.plugins.repositories",
    "kestra.plugins.management",
    "kestra.variables",
    "kestra.tasks",
    "kestra.templates",
    "kestra.tutorial-flows",
    "kestra.hidden-labels",
    "kestra.anonymous-usage-report",
    "kestra.ui-anonymous-usage-report",
    "kestra.ui",
    "kestra.ee",
    "kestra.mail-service",
    "kestra.ai",
    "datasources.postgres.url",
    "datasources.postgres.username",
    "datasources.postgres.password",
    "datasources.postgres.driver-class-name",
    "datasources.mysql.url",
    "datasources.mysql.username",
    "datasources.mysql.password",
    "datasources.mysql.driver-class-name",
    "datasources.h2.url",
    "datasources.h2.username",
    "datasources.h2.password",
    "datasources.h2.driver-class-name",
];

/// Whether a key is another one, or lies below it.
fn below(key: &str, other: &str) -> bool {
    key.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The keys of settings, the first twenty.
fn keys(settings: &[&Setting<'_>]) -> String {
    let keys: Vec<&str> = settings.iter().map(|setting| setting.key.as_str()).take(20).collect();
    match settings.len().saturating_sub(keys.len()) {
        0 => keys.join(", "),
        more => format!("{} and {more} more", keys.join(", ")),
    }
}

/// Whether a version does anything with a key that others know.
fn has_effect(key: &str, profile: &Profile) -> bool {
    let sensitive = key.starts_with("endpoints.") && (key.ends_with(".sensitive") || key.ends_with(".write-sensitive"));
    let labels = below(key, "kestra.metrics.labels");
    !(sensitive && profile.has(Quirk::IgnoresSensitive) || labels && !profile.has(Quirk::FlowLabels))
}

/// `micronaut.metrics.binders.NAME.enabled`: false takes its meters away; true is what ships where there are any.
fn binder(name: &str, enabled: bool, settings: &mut Settings, profile: &Profile) -> Effect {
    let Some(binder) = Binder::named(name) else { return Effect::Lost };
    let there = profile.meters().any(|(_, meter)| binder.has(&meter.name));
    if enabled && !there {
        return Effect::Lost;
    }
    settings.metrics_binders.insert(name.to_owned(), enabled);
    Effect::Obeyed
}

fn flatten<'n>(node: &'n Node, prefix: &str, all: &mut Vec<Setting<'n>>) {
    let Value::Mapping(entries) = &node.value else { return };
    for entry in entries {
        let part: Vec<String> = entry.key.split('.').map(dashed).collect();
        let key = if prefix.is_empty() { part.join(".") } else { format!("{prefix}.{}", part.join(".")) };
        match &entry.value.value {
            Value::Mapping(_) => flatten(&entry.value, &key, all),
            _ => all.push(Setting { key, value: &entry.value, place: &entry.place }),
        }
    }
}

/// `basicAuth` as `basic-auth`; what is all capitals, such as DOWN, stays.
fn dashed(word: &str) -> String {
    if !word.chars().any(|c| c.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let mut out = String::new();
    for c in word.chars() {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out.trim_start_matches('-').replace('_', "-")
}

/// Does what a setting says.
fn apply(setting: &Setting<'_>, settings: &mut Settings, profile: &Profile, reading: &mut Reading) -> Effect {
    let Setting { key, value, .. } = setting;
    let what = format!("`{key}`");
    let text = |reading: &mut Reading| reading.text(value, &what).map(str::to_owned);
    let flag = |reading: &mut Reading| reading.boolean(value, &what);
    let parts: Vec<&str> = key.split('.').collect();
    let health = &mut settings.health;
    match parts.as_slice() {
        ["endpoints", "all", "enabled"] => settings.all_enabled = flag(reading),
        ["endpoints", "all", "sensitive"] => settings.all_sensitive = flag(reading),
        ["endpoints", "all", "path"] => settings.path = text(reading).unwrap_or_default().trim_matches('/').to_owned(),
        ["endpoints", "all", "port"] => settings.port = reading.count(value, &what, 1..=65_535).map(|port| port as u16),
        ["endpoints", "all", "basic-auth", "username"] => settings.credentials.username = text(reading),
        ["endpoints", "all", "basic-auth", "password"] => settings.credentials.password = text(reading),
        ["endpoints", "loggers", "write-sensitive"] => settings.write_sensitive = flag(reading).unwrap_or(false),
        ["endpoints", "health", "details-visible"] => {
            let words = [("ANONYMOUS", false), ("AUTHENTICATED", true), ("NEVER", true)];
            health.bare = reading.choice(value, "visibility of details", &words).unwrap_or(false);
        }
        ["endpoints", "health", "status", "http-mapping", status] => {
            if let Some(code) = reading.count(value, &what, 100..=599) {
                health.mapping.insert(status.to_uppercase(), code as u16);
            }
        }
        ["endpoints", "health", "jdbc", "enabled"] => health.jdbc = flag(reading),
        ["endpoints", "health", "disk-space", "enabled"] => health.disk = flag(reading),
        ["endpoints", "health", "disk-space", "threshold"] => {
            health.disk_threshold = reading.parsed(value, &what, bytes);
        }
        ["endpoints", "health", "discovery-client", "enabled"] => health.discovery = flag(reading),
        ["endpoints", id, switch @ ("enabled" | "sensitive")] => {
            if !is_endpoint(id, profile, setting.place, reading) {
                return Effect::Obeyed;
            }
            let endpoint = settings.endpoints.entry((*id).to_owned()).or_default();
            match *switch {
                "enabled" => endpoint.enabled = flag(reading),
                _ => endpoint.sensitive = flag(reading),
            }
        }
        ["kestra", "url"] => settings.kestra_url = text(reading),
        ["kestra", "environment", "name"] => settings.kestra_environment = text(reading),
        ["kestra", "variables", "globals", rest @ ..] if !rest.is_empty() => {
            settings.globals.extend(text(reading).map(|text| (rest.join("."), text)));
        }
        ["kestra", "server", "basic-auth", "enabled"] => settings.server.enabled = flag(reading),
        ["kestra", "server", "basic-auth", "username"] => settings.server.credentials.username = text(reading),
        ["kestra", "server", "basic-auth", "password"] => settings.server.credentials.password = text(reading),
        [_, "metrics", ..] => return metrics(setting, &parts, settings, profile, reading),
        _ => return Effect::Lost,
    }
    Effect::Obeyed
}

/// Does what a setting says of meters.
fn metrics(
    setting: &Setting<'_>,
    parts: &[&str],
    settings: &mut Settings,
    profile: &Profile,
    reading: &mut Reading,
) -> Effect {
    let what = format!("`{}`", setting.key);
    let value = setting.value;
    let text = |reading: &mut Reading| reading.text(value, &what).map(str::to_owned);
    let flag = |reading: &mut Reading| reading.boolean(value, &what);
    match parts {
        ["micronaut", "metrics", "tags", tag @ ..] if !tag.is_empty() => {
            settings.metrics_tags.extend(text(reading).map(|value| (tag.join("_").replace('-', "_"), value)));
        }
        ["kestra", "metrics", "prefix"] => settings.metrics_prefix = text(reading).filter(|prefix| !prefix.is_empty()),
        ["kestra", "metrics", "labels"] => {
            for node in reading.list(value, &what) {
                settings.metrics_labels.extend(reading.text(node, "a label").map(str::to_owned));
            }
        }
        ["kestra", "metrics", "tags", ..] => {
            return if profile.has(Quirk::IgnoresMetricTags) { Effect::Ignored } else { Effect::Lost };
        }
        ["micronaut", "metrics", "enabled"] => settings.metrics_enabled = flag(reading),
        ["micronaut", "metrics", "export", "prometheus", "descriptions"] => {
            settings.metrics_descriptions = flag(reading)
        }
        ["micronaut", "metrics", "binders", name @ .., "enabled"] => {
            return flag(reading).map_or(Effect::Obeyed, |enabled| binder(&name.join("."), enabled, settings, profile));
        }
        _ => return Effect::Lost,
    }
    Effect::Obeyed
}

/// The names by which the endpoints of a version are configured.
fn ids(profile: &Profile) -> impl Iterator<Item = &str> {
    profile.endpoints().iter().filter_map(Endpoint::id)
}

/// Whether there is an endpoint of this name, in this version or in another one that may be served with it; if not, it is told.
fn is_endpoint(id: &str, profile: &Profile, place: &Place, reading: &mut Reading) -> bool {
    let others: Vec<&Profile> = Profile::NAMES.iter().filter_map(|name| Profile::named(name).ok()).collect();
    if has_endpoint(profile, id) || others.iter().any(|other| has_endpoint(other, id)) {
        return true;
    }
    let known: BTreeSet<&str> = others.iter().flat_map(|it| ids(it)).chain(ids(profile)).collect();
    reading.unknown(place, "endpoint", id, known);
    false
}

fn has_endpoint(profile: &Profile, id: &str) -> bool {
    ids(profile).any(|known| known == id)
}

/// A number of bytes, or with a unit as Spring and Micronaut write it: `10MB` is 10 MiB.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if let Ok(plain) = text.parse() {
        return Ok(plain);
    }
    let upper = text.to_uppercase();
    let units = [("KB", 10), ("MB", 20), ("GB", 30)];
    let with_unit = units.iter().find_map(|(unit, shift)| Some((upper.strip_suffix(unit)?, shift)));
    match with_unit.and_then(|(number, shift)| number.trim().parse::<u64>().ok()?.checked_mul(1 << shift)) {
        Some(bytes) => Ok(bytes),
        None => units::size(text)
            .map(|bytes| bytes as u64)
            .map_err(|_| "write a number of bytes, or for example 10MB".to_owned()),
    }
}
