//! Reading alertmanager.yml as Alertmanager 0.25 and 0.33 do (the rules of their `config` package, asked of `amtool`): what
//! they refuse is refused, with its place and what to write instead; what they accept means the same here.

mod address;
mod checks;
mod client;
mod fill;
mod grafana;
mod intervals;
mod kinds;
mod operator;
mod route;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Configuration, Integration, Receiver, TimeInterval, Version};
use crate::document::{self, Diagnostic, Node, Reading, Source, Value};
use crate::time::Duration;

use table::Takes::{Any, Elsewhere, List, Sections, Text};
use table::{Reader, Section, flag, get, items, newer, row, text};

/// The files that a configuration names.
pub trait Files {
    /// The files that a path means, a pattern as Go's `filepath.Glob` has them.
    fn find(&self, pattern: &str) -> Vec<String>;
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<String, String>;
}

static FILE: Section = Section {
    name: "a configuration of Alertmanager",
    rows: &[
        row("global", table::Takes::Section(&fill::GLOBAL)),
        row("route", Elsewhere),
        row("inhibit_rules", Elsewhere),
        row("receivers", Elsewhere),
        row("templates", List(&Text)),
        row("mute_time_intervals", Sections(&route::INTERVALS)),
        row("time_intervals", Sections(&route::INTERVALS)),
        newer("tracing", table::Takes::Section(&kinds::TRACING)),
        newer("event_recorder", Any),
    ],
    rules: &[],
};

/// Other files that are taken for a configuration: a key they have, and what they are.
const OTHERS: &[(&str, &str)] = &[
    ("scrape_configs", "a configuration of Prometheus: pass the alertmanager.yml that its alerts go to"),
    ("groups", "a file of rules: pass an alertmanager.yml"),
    ("alertmanager_config", "a configuration of Grafana or Mimir: pass what stands under `alertmanager_config`"),
];

/// Reads a configuration of which nothing but the text is known: a file of `templates` is not looked for, which is told. There
/// is none where an error is told.
pub fn read(name: &str, text: &str, version: Version) -> (Option<Configuration>, Vec<Diagnostic>) {
    read_with(name, text, version, None)
}

/// The same with the files that `templates` names.
pub fn read_beside(
    name: &str,
    text: &str,
    version: Version,
    files: &dyn Files,
) -> (Option<Configuration>, Vec<Diagnostic>) {
    read_with(name, text, version, Some(files))
}

/// Reads files that are one configuration together, each name and text: an alertmanager.yml, manifests of AlertmanagerConfig
/// with or without one, or provisioning of Grafana. What each is, its content tells.
pub fn read_files(
    given: &[(String, String)],
    version: Version,
    files: Option<&dyn Files>,
) -> (Option<Configuration>, Vec<Diagnostic>) {
    let mut reading = Reading::default();
    let Sorted { manifests, provisioning, plain, place } = sorted(given, &mut reading);
    if let ([(name, text)], true, true, false) =
        (plain.as_slice(), manifests.is_empty(), provisioning.is_empty(), reading.failed())
    {
        return read_with(name, text, version, files);
    }
    if let [_, (name, text), ..] = plain.as_slice() {
        let source = Arc::new(Source { name: (*name).clone(), text: (*text).clone() });
        let place = document::Place { source, range: 0..0 };
        reading.error(&place, "a second alertmanager.yml is given", "an Alertmanager has one: leave one out");
    }
    let mixed = !(provisioning.is_empty() || manifests.is_empty() && plain.is_empty());
    if mixed {
        let advice = "give either of them";
        reading.error(&place, "files of Grafana and of Alertmanager are given together", advice);
    }
    if reading.failed() {
        return (None, reading.finish());
    }
    let found = match provisioning.is_empty() {
        false => grafana::read(&provisioning, &place, &mut Reader { version, reading: &mut reading }),
        true => {
            let (base, name) = match plain.first() {
                Some((name, text)) => (base(name, text, &mut reading), name.as_str()),
                None => (None, ""),
            };
            let root = manifests.onto(base, &place, &mut reading);
            file(&root, name, files, &mut Reader { version, reading: &mut reading })
        }
    };
    let found = found.filter(|_| !reading.failed());
    (found, reading.finish())
}

/// Files by what they are.
struct Sorted<'g> {
    manifests: operator::Manifests,
    provisioning: Vec<Node>,
    plain: Vec<(&'g String, &'g String)>,
    /// Where the first of them begins.
    place: document::Place,
}

fn sorted<'g>(given: &'g [(String, String)], reading: &mut Reading) -> Sorted<'g> {
    let mut manifests = operator::Manifests::default();
    let (mut provisioning, mut plain) = (Vec::new(), Vec::new());
    let mut first: Option<document::Place> = None;
    for (name, text) in given {
        let source = Arc::new(Source { name: name.clone(), text: text.clone() });
        first.get_or_insert(document::Place { source: source.clone(), range: 0..0 });
        let documents = document::parse_go(&source);
        let others = |root: &Node| operator::is_manifest(root) || grafana::is_provisioning(root);
        if !documents.iter().any(|it| it.root.as_ref().is_some_and(others)) {
            plain.push((name, text));
            continue;
        }
        for document in documents {
            reading.extend(document.diagnostics);
            match document.root {
                Some(root) if grafana::is_provisioning(&root) => provisioning.push(root),
                Some(root) if root.value != Value::Null => manifests.add(&root, reading),
                _ => {}
            }
        }
    }
    let nothing =
        || document::Place { source: Arc::new(Source { name: String::new(), text: String::new() }), range: 0..0 };
    let place = first.unwrap_or_else(nothing);
    Sorted { manifests, provisioning, plain, place }
}

/// The tree of an alertmanager.yml to which manifests are added.
fn base(name: &str, text: &str, reading: &mut Reading) -> Option<Node> {
    let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
    let document = document::parse_go(&source).into_iter().next()?;
    reading.extend(document.diagnostics);
    document.root
}

fn read_with(
    name: &str,
    text: &str,
    version: Version,
    files: Option<&dyn Files>,
) -> (Option<Configuration>, Vec<Diagnostic>) {
    let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
    let mut reading = Reading::default();
    let mut documents = document::parse_go(&source).into_iter();
    let first = documents.next();
    let (root, told) = first.map_or((None, Vec::new()), |document| (document.root, document.diagnostics));
    reading.extend(told);
    if let Some(second) = documents.next() {
        match second.root {
            Some(root) => {
                reading.warning(&root.place, "Alertmanager reads the first document only", "take the others out");
            }
            None => reading.extend(second.diagnostics),
        }
    }
    let nothing = Node { value: Value::Null, place: document::Place { source, range: 0..0 } };
    let root = root.unwrap_or(nothing);
    if reading.failed() {
        return (None, reading.finish());
    }
    let found = file(&root, name, files, &mut Reader { version, reading: &mut reading });
    let found = found.filter(|_| !reading.failed());
    (found, reading.finish())
}

fn file(root: &Node, name: &str, files: Option<&dyn Files>, reader: &mut Reader<'_>) -> Option<Configuration> {
    if let Some((entry, what)) = of_another_kind(root) {
        reader.reading.error(&entry.place, format!("`{}` is of {}", entry.key, what.0), what.1);
        return None;
    }
    let said = reader.section(root, &FILE);
    let global = said.get("global").and_then(Json::as_object).cloned().unwrap_or_default();
    let receivers = receivers(root, &global, reader);
    let intervals = intervals(root, reader);
    let names = route::Names {
        receivers: receivers.iter().map(|it| it.name.as_str()).collect(),
        intervals: intervals.keys().map(String::as_str).collect(),
    };
    let route = match get(root, "route") {
        Some(node) => Some(route::root(node, &names, reader)),
        None => {
            let advice = "add `route: { receiver: NAME }` and the receiver to `receivers`";
            reader.reading.error(&root.place.first_line(), "there is no `route`", advice);
            None
        }
    };
    let rules = list(root, "inhibit_rules", reader);
    let inhibit_rules = rules.iter().map(|node| route::inhibition(node, reader)).collect();
    let timeout = get(root, "global").map(|node| route::length(node, "resolve_timeout", Duration::minutes(5)));
    Some(Configuration {
        resolve_timeout: timeout.unwrap_or(Duration::minutes(5)),
        route: route?,
        templates: templates(root, name, files, reader),
        inhibit_rules,
        intervals,
        receivers,
    })
}

/// What a file is that is none of Alertmanager.
fn of_another_kind(root: &Node) -> Option<(&document::Entry, (&'static str, &'static str))> {
    let Value::Mapping(entries) = &root.value else { return None };
    if get(root, "route").is_some() {
        return None;
    }
    let known = |entry: &document::Entry| OTHERS.iter().find(|(key, _)| *key == entry.key);
    entries.iter().find_map(|entry| Some((entry, known(entry)?.1.split_once(": ")?)))
}

/// The items of a list. One that is empty says nothing; 0.25 does not take it.
fn list<'n>(root: &'n Node, key: &str, reader: &mut Reader<'_>) -> &'n [Node] {
    let Some(node) = get(root, key) else { return &[] };
    let items = reader.reading.list(node, &format!("`{key}`"));
    for item in items.iter().filter(|item| item.value == Value::Null) {
        let (what, advice) = (format!("an entry of `{key}` is empty"), "write it, or take the dash out");
        match reader.version {
            Version::V0_25 => reader.reading.error(&item.place, what, advice),
            _ => reader.reading.warning(&item.place, what, advice),
        }
    }
    items
}

fn receivers(root: &Node, global: &Map<String, Json>, reader: &mut Reader<'_>) -> Vec<Receiver> {
    let mut all: Vec<Receiver> = Vec::new();
    let version = reader.version;
    for node in list(root, "receivers", reader) {
        let said = reader.section(node, &kinds::RECEIVER);
        let name = text(node, "name").to_owned();
        if all.iter().any(|it| it.name == name) {
            let what = format!("there are two receivers called `{name}`");
            reader.reading.error(&table::place_of(node, "name"), what, "give one of them another name");
        }
        let mut integrations = Vec::new();
        for kind in kinds::KINDS.iter().filter(|kind| kind.of.knows(version)) {
            let said = said.get(kind.key).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
            for (index, (node, said)) in items(node, kind.key).iter().zip(said).enumerate() {
                let settings = said.as_object().cloned().unwrap_or_default();
                let settings = fill::filled(node, kind.name, settings, global, reader);
                let send_resolved = get(node, "send_resolved").and_then(|_| flag(text(node, "send_resolved")));
                integrations.push(Integration {
                    kind: kind.name,
                    index,
                    send_resolved: send_resolved.unwrap_or(kind.resolved),
                    settings: Arc::new(settings),
                    place: Some(node.place.clone()),
                });
            }
        }
        all.push(Receiver { name, integrations });
    }
    all
}

fn intervals(root: &Node, reader: &mut Reader<'_>) -> BTreeMap<String, Vec<TimeInterval>> {
    let mut all = BTreeMap::new();
    for node in ["mute_time_intervals", "time_intervals"].iter().flat_map(|key| items(root, key)) {
        let name = text(node, "name").to_owned();
        let found = intervals::read(node, reader);
        if all.contains_key(&name) {
            let what = format!("there are two time intervals called `{name}`");
            reader.reading.error(&table::place_of(node, "name"), what, "give one of them another name");
        }
        all.insert(name, found);
    }
    all
}

/// The files of `templates`, each pattern relative to the configuration's folder. One that finds nothing is none to
/// Alertmanager either.
fn templates(root: &Node, name: &str, files: Option<&dyn Files>, reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let mut all: Vec<(String, String)> = Vec::new();
    for node in items(root, "templates") {
        let Value::Scalar { text: pattern, .. } = &node.value else { continue };
        let Some(files) = files else {
            let what = format!("the templates of `{pattern}` are not looked for here");
            reader.reading.warning(&node.place, what, "what uses them is told without them");
            continue;
        };
        let path = folder.join(pattern).to_string_lossy().into_owned();
        let found = files.find(&path);
        if found.is_empty() {
            let what = format!("no file is found by `{pattern}`");
            reader.reading.warning(&node.place, what, "paths begin in the folder of the configuration");
        }
        for path in found {
            match files.read(&path) {
                Ok(text) => all.push((path, text)),
                Err(why) => {
                    let what = format!("`{path}` cannot be read: {why}");
                    reader.reading.error(&node.place, what, "put the file there, or take the entry out");
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests;
