//! Levels of loggers: those of a fresh server, under what was set over the management port.

use std::collections::BTreeMap;

use super::Level;
use crate::profile::Profile;

/// In the order of the Java enum, which numbers in a POST count; `None` is NOT_SPECIFIED.
pub const LEVELS: [(&str, Option<Level>); 8] = [
    ("ALL", Some(Level::All)),
    ("TRACE", Some(Level::Trace)),
    ("DEBUG", Some(Level::Debug)),
    ("INFO", Some(Level::Info)),
    ("WARN", Some(Level::Warn)),
    ("ERROR", Some(Level::Error)),
    ("OFF", Some(Level::Off)),
    ("NOT_SPECIFIED", None),
];

/// The logger above all others.
pub const ROOT: &str = "ROOT";

/// `a.b` and `a` of `a.b.c`.
pub fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.rsplit_once('.'), |(above, _)| above.rsplit_once('.')).map(|(above, _)| above)
}

/// The level of a word, in any case; `Some(None)` is NOT_SPECIFIED.
pub fn named(level: &str) -> Option<Option<Level>> {
    LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(level)).map(|(_, level)| *level)
}

/// The level that a logger itself has: what was set, else that of a fresh server.
pub fn configured(profile: &Profile, set: &BTreeMap<String, Option<Level>>, name: &str) -> Option<Level> {
    let fresh = || profile.logger(name).and_then(named).flatten();
    match set.get(name) {
        // ROOT always has a level.
        Some(None) if name == ROOT => fresh(),
        Some(level) => *level,
        None => fresh(),
    }
}

/// The level that decides about the lines of a logger: its own, else that of the next one above it.
pub fn effective(profile: &Profile, set: &BTreeMap<String, Option<Level>>, name: &str) -> Option<Level> {
    std::iter::once(name).chain(ancestors(name)).chain([ROOT]).find_map(|name| configured(profile, set, name))
}
