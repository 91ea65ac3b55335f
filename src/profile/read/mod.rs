//! From folders to a profile: a version's own folder, laid over those of the versions it extends.

mod answers;
mod endpoints;
mod fields;
mod meters;

use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use serde::de::IgnoredAny;

use super::endpoint::{Endpoint, Says};
use super::lines::Lines;
use super::shipped::Folder;
use super::{Language, Meter, MeterId, Profile, Quirk, TextForm};
use crate::document::{self, Diagnostic, Entry, Node, Object, Place, Reading, Source, Value};
use fields::{ADD, VERSION, WITHOUT};
use meters::Shapes;

/// The file that every folder has.
const VERSION_FILE: &str = "version.yaml";
const METERS_FILE: &str = "meters.yaml";
const ENDPOINTS_FILE: &str = "endpoints.yaml";
/// Recorded answers that handlers are made from: every version has them, its own or those of the one it extends.
const ENV_FILE: &str = "env.json";
const LINES_FILE: &str = "lines.txt";
const LOGGERS_FILE: &str = "loggers.txt";
const THREADS_FILE: &str = "threads.txt";
/// Versions that extend each other.
const MOST_LAYERS: usize = 8;
/// Keys that tell steps from the extended version to this one; they belong to their layer.
const STEPS: &[&str] = &["extends", "rename", "without", "add"];

/// One folder, its `version.yaml` read.
struct Layer {
    folder: Folder,
    root: Node,
}

/// Meters by name, in the order of the table.
type Meters = IndexMap<String, Meter, FxBuildHasher>;

/// Reads the version of a folder.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn profile(folder: Folder) -> Result<Profile, Vec<Diagnostic>> {
    let mut reading = Reading::default();
    let profile = layers(&mut reading, folder).and_then(|layers| whole(&mut reading, &layers));
    let failed = reading.failed();
    profile.filter(|_| !failed).ok_or_else(|| reading.finish())
}

/// The table of a version's meters, its items unread.
pub(super) struct Table {
    /// Each with its name.
    items: Vec<(&'static str, &'static str)>,
}

impl Table {
    /// The table of a folder. None when it has none of its own, or changes it by steps: then all of the version is to be
    /// read.
    pub(super) fn of(folder: Folder) -> Option<Table> {
        let table = folder.file(METERS_FILE)?;
        let mut reading = Reading::default();
        let layer = Layer { root: file(&mut reading, &folder, VERSION_FILE)?, folder };
        let mut changes = |step: &str| !self::step(&mut reading, &layer, step, "meters").is_empty();
        if own(&layer, "rename").is_some() || changes("without") || changes("add") {
            return None;
        }
        Some(Table { items: items(table) })
    }

    /// The meters that a metric may be of, by the beginning of its name; without what their series are at start.
    pub(super) fn meters_of(&self, metric: &str) -> Vec<Meter> {
        let ends = metric.match_indices('_').map(|(at, _)| at).chain([metric.len()]);
        let of = |name: &str| self.items.iter().find(|(own, _)| is_seen_as(own, name));
        let found = ends.filter_map(|end| of(metric.get(..end)?));
        found.filter_map(|(_, item)| head(item)).collect()
    }
}

/// Whether Prometheus sees a dotted name so, without unit and suffix.
fn is_seen_as(dotted: &str, name: &str) -> bool {
    let seen = |byte: u8| if matches!(byte, b'.' | b'-') { b'_' } else { byte };
    dotted.len() == name.len() && dotted.bytes().map(seen).eq(name.bytes())
}

/// A meter of one item of a table, without what its series are at start.
fn head(item: &str) -> Option<Meter> {
    let source = Arc::new(Source { name: METERS_FILE.to_owned(), text: item.to_owned() });
    let (node, _) = document::parse_plain(&source);
    let mut reading = Reading::default();
    reading.list(&node?, "meters").iter().find_map(|node| meters::meter(&mut reading, node, &Shapes::new()))
}

/// The items of a table of meters, each with its name: they begin with it, at the beginning of a line.
fn items(table: &str) -> Vec<(&str, &str)> {
    const ITEM: &str = "- name: ";
    let ends = table.split_inclusive('\n').scan(0, |end, line| {
        let start = *end;
        *end += line.len();
        Some((start, line))
    });
    let starts: Vec<usize> = ends.filter(|(_, line)| line.starts_with(ITEM)).map(|(start, _)| start).collect();
    let ends = starts.iter().skip(1).copied().chain([table.len()]);
    let items = starts.iter().zip(ends).filter_map(|(start, end)| table.get(*start..end));
    items.filter_map(|item| Some((item.strip_prefix(ITEM)?.split_whitespace().next()?, item))).collect()
}

/// The folder and those it extends, its own first.
fn layers(reading: &mut Reading, folder: Folder) -> Option<Vec<Layer>> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut next = Some(folder);
    while let Some(folder) = next.take() {
        let root = file(reading, &folder, VERSION_FILE)?;
        let extends = match &root.value {
            Value::Mapping(entries) => entries.iter().find(|entry| entry.key == "extends"),
            _ => None,
        };
        if let Some(Entry { value, .. }) = extends {
            let name = reading.text(value, "`extends`")?;
            let known = || super::shipped::FOLDERS.iter().find(|folder| folder.name == name);
            let itself = folder.name == name || layers.iter().any(|layer| layer.folder.name == name);
            if itself {
                reading.error(&value.place, format!("`{name}` extends itself"), "name another version");
                return None;
            }
            if layers.len() >= MOST_LAYERS {
                reading.error(&value.place, "versions extend each other too deeply", "name an older version");
                return None;
            }
            let Some(known) = known() else {
                reading.unknown(&value.place, "version that ships", name, Profile::NAMES.iter().copied());
                return None;
            };
            next = Some(*known);
        }
        layers.push(Layer { folder, root });
    }
    Some(layers)
}

/// A file of a folder.
fn file(reading: &mut Reading, folder: &Folder, name: &str) -> Option<Node> {
    let (path, text) = (format!("{}/{name}", folder.name), folder.file(name));
    let source = Arc::new(Source { name: path, text: text.unwrap_or_default().to_owned() });
    if text.is_none() {
        let place = Place { source, range: 0..0 };
        reading.error(&place, format!("a version has no `{name}`"), "every folder of a version has it");
        return None;
    }
    let (node, diagnostics) = document::parse_plain(&source);
    reading.extend(diagnostics);
    node
}

/// A profile of all layers.
fn whole(reading: &mut Reading, layers: &[Layer]) -> Option<Profile> {
    let own = layers.first()?;
    let root = merged(layers);
    let object = reading.object(&root, "a version", VERSION)?;
    let release = object.get("release").and_then(|node| answers::release(reading, node));
    let liveness = object.get("liveness").and_then(|node| answers::liveness(reading, node));
    let entries = object.get("log_entries").and_then(|node| answers::log_entries(reading, node));
    let answers = object.get("answers").and_then(|node| answers::answers(reading, node));
    let language = answers::one(reading, &object, "language", "language of flows", Language::WORDS);
    let text = answers::one(reading, &object, "text", "form of metrics", TextForm::WORDS);
    let buckets = object.get("buckets").map_or(&[][..], |node| reading.list(node, "`buckets`"));
    let buckets: Vec<f64> = buckets.iter().filter_map(|node| meters::number(reading, node)).collect();
    let shapes = object.get("shapes").map_or_else(Shapes::new, |node| meters::shapes(reading, node, &buckets));
    let quirks = quirks(reading, layers).into_iter().collect();
    let (meters, names_meters) = all_meters(reading, layers, &shapes)?;
    let endpoints = all_endpoints(reading, layers)?;
    strangers(reading, own, &endpoints);
    let [env, loggers, threads] = [ENV_FILE, LOGGERS_FILE, THREADS_FILE].map(|name| recorded(reading, layers, name));
    let lines = recorded(reading, layers, LINES_FILE).and_then(|text| {
        let told = |why: &String| {
            reading.error(&own.root.place, format!("`{LINES_FILE}`, {why}"), "versions/1.3/lines.txt shows the form");
        };
        Lines::read(text).inspect_err(told).ok()
    });
    Some(Profile {
        name: own.folder.name,
        names_meters,
        language: language?,
        text: text?,
        release: release?,
        liveness: liveness?,
        entries: entries?,
        quirks,
        answers: answers?,
        buckets,
        shapes,
        models: models(&meters),
        meters,
        series: OnceLock::new(),
        endpoints,
        env: env?,
        lines: lines?,
        levels: OnceLock::new(),
        loggers: loggers?,
        threads: threads?,
    })
}

/// The layers' `version.yaml` in one: a mapping is laid over that of the extended version key by key, all else stands in its
/// place. Steps are those of the own layer.
fn merged(layers: &[Layer]) -> Node {
    let mut all = layers.iter().rev();
    let Some(base) = all.next() else { return Node { value: Value::Null, place: nowhere() } };
    let mut merged = base.root.clone();
    for layer in all {
        if let Value::Mapping(entries) = &mut merged.value {
            entries.retain(|entry| !STEPS.contains(&entry.key.as_str()));
        }
        lay(&mut merged, &layer.root);
    }
    merged
}

fn lay(below: &mut Node, above: &Node) {
    match (&mut below.value, &above.value) {
        (Value::Mapping(below), Value::Mapping(above)) => {
            for entry in above {
                match below.iter_mut().find(|old| old.key == entry.key) {
                    Some(old) => lay(&mut old.value, &entry.value),
                    None => below.push(entry.clone()),
                }
            }
        }
        _ => *below = above.clone(),
    }
}

fn nowhere() -> Place {
    Place { source: Arc::new(Source { name: String::new(), text: String::new() }), range: 0..0 }
}

/// The key of a layer's own file.
fn own<'n>(layer: &'n Layer, key: &str) -> Option<&'n Node> {
    let Value::Mapping(entries) = &layer.root.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

/// The layers from the one down that says where a table begins, the lowest of all when none does.
fn from(layers: &[Layer], begins: impl Fn(&Layer) -> bool) -> &[Layer] {
    let at = layers.iter().position(begins).unwrap_or(layers.len().saturating_sub(1));
    layers.get(..=at).unwrap_or_default()
}

/// The nodes of a list in `without` or `add` of a layer.
fn step<'n>(reading: &mut Reading, layer: &'n Layer, step: &str, key: &str) -> &'n [Node] {
    let fields = if step == "add" { ADD } else { WITHOUT };
    let object: Option<Object<'n>> =
        own(layer, step).and_then(|node| reading.object(node, &format!("`{step}`"), fields));
    object.and_then(|object| object.get(key)).map_or(&[], |node| reading.list(node, &format!("`{key}`")))
}

fn quirks(reading: &mut Reading, layers: &[Layer]) -> Vec<Quirk> {
    let layers = from(layers, |layer| own(layer, "quirks").is_some());
    let mut quirks: Vec<Quirk> = Vec::new();
    for (depth, layer) in layers.iter().enumerate().rev() {
        if let Some(node) = own(layer, "quirks").filter(|_| depth + 1 == layers.len()) {
            quirks = answers::words(reading, node, "`quirks`", "quirk", Quirk::WORDS);
        }
        for node in step(reading, layer, "without", "quirks") {
            let known: Vec<(&str, Quirk)> =
                Quirk::WORDS.iter().filter(|(_, quirk)| quirks.contains(quirk)).copied().collect();
            if let Some(gone) = reading.choice(node, "quirk of the extended version", &known) {
                quirks.retain(|quirk| *quirk != gone);
            }
        }
        for node in step(reading, layer, "add", "quirks") {
            quirks.extend(reading.choice(node, "quirk", Quirk::WORDS));
        }
    }
    quirks
}

/// All meters, and whether the own layer names any.
fn all_meters(reading: &mut Reading, layers: &[Layer], shapes: &Shapes) -> Option<(Meters, bool)> {
    let begins = |layer: &Layer| layer.folder.file(METERS_FILE).is_some();
    let layers = from(layers, begins);
    let mut meters = Meters::default();
    let mut named = false;
    for (depth, layer) in layers.iter().enumerate().rev() {
        named = own(layer, "rename").is_some();
        if depth + 1 == layers.len() {
            let table = file(reading, &layer.folder, METERS_FILE)?;
            named = true;
            for node in reading.list(&table, "meters") {
                add_meter(reading, &mut meters, node, shapes);
            }
        }
        if let Some(Node { value: Value::Mapping(entries), .. }) = own(layer, "rename") {
            entries.iter().for_each(|entry| rename(reading, &mut meters, entry));
        } else if let Some(node) = own(layer, "rename") {
            reading.error(&node.place, "`rename` must be a mapping", "write for example `{ kestra.old: kestra.new }`");
        }
        for node in step(reading, layer, "without", "meters") {
            remove(reading, &mut meters, node);
        }
        for node in step(reading, layer, "add", "meters") {
            named = true;
            add_meter(reading, &mut meters, node, shapes);
        }
    }
    Some((meters, named))
}

fn add_meter(reading: &mut Reading, meters: &mut Meters, node: &Node, shapes: &Shapes) {
    let Some(meter) = meters::meter(reading, node, shapes) else { return };
    if meters.contains_key(&meter.name) {
        let what = format!("the meter `{}` is there already", meter.name);
        reading.error(&node.place, what, "to replace it, name it in `without` too");
        return;
    }
    meters.insert(meter.name.clone(), meter);
}

fn rename(reading: &mut Reading, meters: &mut Meters, entry: &Entry) {
    let Some(name) = reading.text(&entry.value, "the new name") else { return };
    let Some(index) = meters.get_index_of(&entry.key) else {
        let known = meters.keys().map(String::as_str);
        reading.unknown(&entry.place, "meter of the extended version", &entry.key, known);
        return;
    };
    if meters.contains_key(name) {
        reading.error(&entry.value.place, format!("the meter `{name}` is there already"), "write another name");
        return;
    }
    if let Some((_, mut meter)) = meters.swap_remove_index(index) {
        meter.rename(name);
        let (last, _) = meters.insert_full(name.to_owned(), meter);
        // What was last had taken its place.
        meters.swap_indices(index, last);
    }
}

/// Takes a meter away, or of `meter{value}` those of its series that have a tag value beginning so.
fn remove(reading: &mut Reading, meters: &mut Meters, node: &Node) {
    let Some(word) = reading.text(node, "a meter") else { return };
    let (name, value) = match word.split_once('{') {
        Some((name, value)) => (name, Some(value.trim_end_matches('}'))),
        None => (word, None),
    };
    let gone = match value {
        None => meters.shift_remove(name).is_some(),
        Some(value) => meters.get_mut(name).is_some_and(|meter| without_series(meter, value)),
    };
    if gone {
        return;
    }
    if meters.contains_key(name) {
        let what = format!("no series of `{name}` has a tag value that begins with `{}`", value.unwrap_or_default());
        reading.error(&node.place, what, "look at `start` of the meter");
        return;
    }
    reading.unknown(&node.place, "meter of the extended version", name, meters.keys().map(String::as_str));
}

/// Whether there were such series.
fn without_series(meter: &mut Meter, value: &str) -> bool {
    let mut any = false;
    for (_, values) in meter.start.iter_mut().flat_map(|start| &mut start.tags) {
        let before = values.len();
        values.retain(|known| !known.starts_with(value));
        any |= values.len() < before;
    }
    meter.start.retain(|start| start.tags.iter().all(|(_, values)| !values.is_empty()));
    any
}

fn all_endpoints(reading: &mut Reading, layers: &[Layer]) -> Option<Vec<Endpoint>> {
    let begins = |layer: &Layer| layer.folder.file(ENDPOINTS_FILE).is_some();
    let depths = from(layers, begins).len();
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for depth in (0..depths).rev() {
        let layer = layers.get(depth)?;
        // Bodies are those of the version that is read, where it has its own.
        if depth + 1 == depths {
            let table = file(reading, &layer.folder, ENDPOINTS_FILE)?;
            for node in reading.list(&table, "endpoints") {
                add_endpoint(reading, &mut endpoints, node, layers);
            }
        }
        for node in step(reading, layer, "without", "endpoints") {
            let Some(word) = reading.text(node, "an endpoint") else { continue };
            let before = endpoints.len();
            endpoints.retain(|endpoint| !endpoint.is_called(word));
            if endpoints.len() == before {
                let known: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.path.as_str()).collect();
                reading.unknown(&node.place, "endpoint of the extended version", word, known);
            }
        }
        for node in step(reading, layer, "add", "endpoints") {
            add_endpoint(reading, &mut endpoints, node, layers);
        }
    }
    Some(endpoints)
}

fn add_endpoint(reading: &mut Reading, endpoints: &mut Vec<Endpoint>, node: &Node, layers: &[Layer]) {
    let Some(endpoint) = endpoints::endpoint(reading, node, layers) else { return };
    let same = |it: &&Endpoint| (&it.path, it.method, it.port) == (&endpoint.path, endpoint.method, endpoint.port);
    if endpoints.iter().find(same).is_some() {
        let what = format!("{} {} is there already", endpoint.method.name(), endpoint.path);
        reading.error(&node.place, what, "to replace it, name it in `without` too");
        return;
    }
    endpoints.push(endpoint);
}

/// A recorded answer, of the nearest layer that has it.
fn recorded(reading: &mut Reading, layers: &[Layer], name: &str) -> Option<&'static str> {
    let found = layers.iter().find_map(|layer| layer.folder.file(name));
    if let (None, Some(own)) = (found, layers.first()) {
        let what = format!("the version has no `{name}`");
        reading.error(&own.root.place, what, "add it to the folder, or extend a version that has it");
    }
    let broken = found.filter(|_| name == ENV_FILE).and_then(|text| serde_json::from_str::<IgnoredAny>(text).err());
    if let (Some(error), Some(own)) = (broken, layers.first()) {
        reading.error(&own.root.place, format!("`{name}` is no JSON: {error}"), "write what /env answers");
    }
    found
}

/// Tells files of the own folder that nothing reads.
fn strangers(reading: &mut Reading, own: &Layer, endpoints: &[Endpoint]) {
    let known = [VERSION_FILE, METERS_FILE, ENDPOINTS_FILE, ENV_FILE, LINES_FILE, LOGGERS_FILE, THREADS_FILE];
    let is_body = |name: &str| {
        endpoints.iter().any(|it| matches!(&it.says, Says::Fixed(fixed) if fixed.file.as_deref() == Some(name)))
    };
    for (name, text) in own.folder.files {
        if !known.contains(name) && !is_body(name) {
            let source = Arc::new(Source { name: format!("{}/{name}", own.folder.name), text: (*text).to_owned() });
            let place = Place { source, range: 0..0 };
            reading.unknown(&place, "file of a version", name, known);
        }
    }
}

/// By the name by which the model moves it: a meter that says so, or the one that is called so.
fn models(meters: &Meters) -> IndexMap<String, MeterId, FxBuildHasher> {
    let mut models = IndexMap::default();
    for says in [true, false] {
        for (index, meter) in meters.values().enumerate().filter(|(_, meter)| meter.model.is_some() == says) {
            if let Some(model) = meter.modelled() {
                models.entry(model.to_owned()).or_insert(MeterId(index as u32));
            }
        }
    }
    models
}
