//! Routes, rules of inhibition, and what both consist of.

use std::cmp::Ordering;

use super::table::Of::All;
use super::table::Takes::{Duration as Length, Elsewhere, Flag, List, Map, Sections, Text};
use super::table::{Reader, Section, entries, flag, get, is_set, items, newer, place_of, row, text};
use crate::document::{Node, Value};
use crate::pager::{GroupBy, InhibitRule, MatchKind, Matcher, Route, Version, matcher};
use crate::time::Duration;

static ROUTE: Section = Section {
    name: "a route",
    rows: &[
        row("receiver", Text),
        row("group_by", List(&Text)),
        row("match", Map(&Text)),
        row("match_re", Map(&Text)),
        row("matchers", List(&Text)),
        row("mute_time_intervals", List(&Text)),
        row("active_time_intervals", List(&Text)),
        row("continue", Flag),
        row("routes", Elsewhere),
        row("group_wait", Length),
        row("group_interval", Length),
        row("repeat_interval", Length),
    ],
    rules: &[],
};

pub(super) static INHIBITION: Section = Section {
    name: "a rule of inhibition",
    rows: &[
        newer("name", Text),
        row("source_match", Map(&Text)),
        row("source_match_re", Map(&Text)),
        row("source_matchers", List(&Text)),
        row("target_match", Map(&Text)),
        row("target_match_re", Map(&Text)),
        row("target_matchers", List(&Text)),
        row("equal", List(&Text)),
    ],
    rules: &[],
};

/// What is known of the names that routes use.
pub(super) struct Names<'n> {
    pub(super) receivers: Vec<&'n str>,
    pub(super) intervals: Vec<&'n str>,
}

/// The root of the tree of routes.
pub(super) fn root(node: &Node, names: &Names<'_>, reader: &mut Reader<'_>) -> Route {
    let defaults = Route {
        receiver: String::new(),
        matchers: Vec::new(),
        goes_on: false,
        group_by: GroupBy::Labels(Vec::new()),
        group_wait: Duration::seconds(30),
        group_interval: Duration::minutes(5),
        repeat_interval: Duration::minutes(4 * 60),
        mute: Vec::new(),
        active: Vec::new(),
        routes: Vec::new(),
        place: None,
    };
    let route = one(node, &defaults, names, reader);
    let not_here = |key: &str| !items(node, key).is_empty() || !entries(node, key).is_empty();
    for key in ["match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals"] {
        if not_here(key) {
            let what = format!("the first route must not have `{key}`: every alert takes it");
            reader.reading.error(&place_of(node, key), what, "write it at a route of `routes`");
        }
    }
    if route.goes_on {
        let advice = "leave it out: nothing comes behind it";
        reader.reading.error(&place_of(node, "continue"), "the first route must not have `continue`", advice);
    }
    if !is_set(node, "receiver") {
        let advice = "add `receiver`: whom alerts are told that no other route takes";
        reader.reading.error(&node.place.first_line(), "the first route has no `receiver`", advice);
    }
    route
}

fn one(node: &Node, parent: &Route, names: &Names<'_>, reader: &mut Reader<'_>) -> Route {
    reader.section(node, &ROUTE);
    let name = text(node, "receiver");
    if !name.is_empty() && !names.receivers.contains(&name) {
        let what = "receiver of this configuration";
        reader.reading.unknown(&place_of(node, "receiver"), what, name, names.receivers.iter().copied());
    }
    for item in ["mute_time_intervals", "active_time_intervals"].iter().flat_map(|key| items(node, key)) {
        let name = scalar(item);
        if !names.intervals.contains(&name) {
            let what = "time interval of this configuration";
            reader.reading.unknown(&item.place, what, name, names.intervals.iter().copied());
        }
    }
    let strings = |key: &str| items(node, key).iter().map(|it| scalar(it).to_owned()).collect();
    let mut route = Route {
        receiver: if name.is_empty() { parent.receiver.clone() } else { name.to_owned() },
        matchers: conditions(node, ["match", "match_re", "matchers"], reader),
        goes_on: flag(text(node, "continue")).unwrap_or(false),
        group_by: group_by(node, reader).unwrap_or_else(|| parent.group_by.clone()),
        group_wait: length(node, "group_wait", parent.group_wait),
        group_interval: not_zero(node, "group_interval", parent.group_interval, reader),
        repeat_interval: not_zero(node, "repeat_interval", parent.repeat_interval, reader),
        mute: strings("mute_time_intervals"),
        active: strings("active_time_intervals"),
        routes: Vec::new(),
        place: Some(node.place.clone()),
    };
    let children = get(node, "routes").map_or(&[][..], |node| reader.reading.list(node, "`routes`"));
    for child in children {
        if child.value == Value::Null {
            reader.reading.error(&child.place, "a route is empty", "write it, or take the dash out");
        }
        let child = one(child, &route, names, reader);
        route.routes.push(child);
    }
    route
}

fn scalar(node: &Node) -> &str {
    match &node.value {
        Value::Scalar { text, .. } => text,
        _ => "",
    }
}

/// A length of time; what is wrong with it has been told.
pub(super) fn length(node: &Node, key: &str, otherwise: Duration) -> Duration {
    get(node, key).and_then(|it| Duration::from_prometheus(scalar(it)).ok()).unwrap_or(otherwise)
}

fn not_zero(node: &Node, key: &str, otherwise: Duration, reader: &mut Reader<'_>) -> Duration {
    let found = length(node, key, otherwise);
    if found.is_zero() {
        reader.reading.error(&place_of(node, key), format!("`{key}` is zero"), "write a duration such as `5m`");
    }
    found
}

/// What `group_by` says. Nothing: what the parent says. That is so of an empty list too before 0.33.
fn group_by(node: &Node, reader: &mut Reader<'_>) -> Option<GroupBy> {
    let list = get(node, "group_by")?;
    let Value::Sequence(items) = &list.value else { return None };
    let mut labels: Vec<String> = Vec::new();
    let all = items.iter().any(|item| scalar(item) == "...");
    for item in items.iter().filter(|item| scalar(item) != "...") {
        let name = scalar(item);
        if !is_label(name, reader.version) {
            label(item, name, reader);
        } else if labels.iter().any(|it| it == name) {
            reader.reading.error(&item.place, format!("`{name}` stands there twice"), "take one out");
        }
        labels.push(name.to_owned());
    }
    if all && !labels.is_empty() {
        let advice = "write `group_by: ['...']` for a group an alert, or labels only";
        reader.reading.error(&list.place, "`...` stands beside labels", advice);
    }
    labels.sort_unstable();
    match (all, labels.is_empty()) {
        (true, _) => Some(GroupBy::All),
        (false, true) if reader.version < Version::V0_33 => None,
        _ => Some(GroupBy::Labels(labels)),
    }
}

/// Names of labels: those of old, and since 0.33 any text.
fn is_label(name: &str, version: Version) -> bool {
    if version >= Version::V0_33 { !name.is_empty() } else { is_classic(name) }
}

fn is_classic(name: &str) -> bool {
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    begins && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn label(node: &Node, name: &str, reader: &mut Reader<'_>) {
    let advice = "write letters, digits and underscores, no digit first";
    reader.reading.error(&node.place, format!("`{name}` is no name of a label"), advice);
}

/// Matchers of the three forms in which they are written, in Alertmanager's order.
fn conditions(node: &Node, keys: [&str; 3], reader: &mut Reader<'_>) -> Vec<Matcher> {
    let mut found = Vec::new();
    let [plain, patterns, texts] = keys;
    for (key, kind) in [(plain, MatchKind::Equal), (patterns, MatchKind::Regex)] {
        for entry in entries(node, key) {
            if !is_classic(&entry.key) {
                let advice = "write letters, digits and underscores, no digit first";
                reader.reading.error(&entry.place, format!("`{}` is no name of a label", entry.key), advice);
            }
            if kind == MatchKind::Regex && entry.value.value == Value::Null {
                let what = format!("the pattern of `{}` is empty", entry.key);
                reader.reading.error(&entry.place, what, "write `\"\"` where the label must be absent");
            }
            let value = scalar(&entry.value);
            match Matcher::new(&entry.key, kind, value) {
                Some(matcher) => found.extend(known(&entry.value, vec![matcher], reader)),
                None => {
                    let what = format!("`{value}` is no regular expression of Go");
                    reader.reading.error(&entry.value.place, what, "write one of RE2's syntax");
                }
            }
        }
    }
    for item in items(node, texts) {
        let written = scalar(item);
        match matcher::matchers_of(written, reader.version) {
            Ok(all) => {
                if reader.version >= Version::V0_33 && !matcher::is_modern(written) {
                    let what = format!("`{written}` is read in the classic form, which Alertmanager will give up");
                    let shown: Vec<String> = all.iter().map(ToString::to_string).collect();
                    reader.reading.note(&item.place, what, format!("write `{}`", shown.join(", ")));
                }
                found.extend(known(item, all, reader));
            }
            Err(advice) => reader.reading.error(&item.place, format!("`{written}` is no matcher"), advice),
        }
    }
    found.sort_by(order);
    found
}

/// Tells of patterns that an older version does not know.
fn known(node: &Node, all: Vec<Matcher>, reader: &mut Reader<'_>) -> Vec<Matcher> {
    let pattern = |it: &&Matcher| matches!(it.kind, MatchKind::Regex | MatchKind::NotRegex);
    if reader.version < Version::V0_33 && all.iter().filter(pattern).any(|it| matcher::is_too_new(&it.value)) {
        let what = "the Go of Alertmanager 0.25 does not know `(?<name>...)`";
        reader.reading.error(&node.place, what, "write `(?P<name>...)`");
    }
    all
}

fn order(a: &Matcher, b: &Matcher) -> Ordering {
    a.name.cmp(&b.name).then_with(|| a.value.cmp(&b.value)).then_with(|| (a.kind as u8).cmp(&(b.kind as u8)))
}

/// A rule of inhibition.
pub(super) fn inhibition(node: &Node, reader: &mut Reader<'_>) -> InhibitRule {
    reader.section(node, &INHIBITION);
    for item in items(node, "equal") {
        if !is_label(scalar(item), reader.version) {
            label(item, scalar(item), reader);
        }
    }
    InhibitRule {
        name: Some(text(node, "name").to_owned()).filter(|name| !name.is_empty()),
        source: conditions(node, ["source_match", "source_match_re", "source_matchers"], reader),
        target: conditions(node, ["target_match", "target_match_re", "target_matchers"], reader),
        equal: items(node, "equal").iter().map(|it| scalar(it).to_owned()).collect(),
        place: Some(node.place.clone()),
    }
}

static TIMES: Section =
    Section { name: "a time range", rows: &[row("start_time", Text), row("end_time", Text)], rules: &[] };

static INTERVAL: Section = Section {
    name: "a time interval",
    rows: &[
        row("times", Sections(&TIMES)),
        row("weekdays", List(&Text)),
        row("days_of_month", List(&Text)),
        row("months", List(&Text)),
        row("years", List(&Text)),
        row("location", Text),
    ],
    rules: &[],
};

pub(super) static INTERVALS: Section = Section {
    name: "an entry of time intervals",
    rows: &[row("name", Text), row("time_intervals", Sections(&INTERVAL))],
    rules: &[(All, super::table::Rule::Needs(&["name"]))],
};
