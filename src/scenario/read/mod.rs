//! From YAML text to a Plan, with everything that is wrong told at once.

mod autoscale;
mod cluster;
mod commands;
mod configuration;
mod expectations;
mod faults;
mod flows;
mod receivers;
mod silences;
mod traps;
mod work;

use std::path::Path;
use std::sync::Arc;

use super::fields::{PLUGIN_DEFAULT, SCENARIO};
use super::{Plan, TimelineEntry, limits, units};
use crate::document::{self, Diagnostic, Node, Object, Place, Reading, Source, Value};
use crate::profile::Profile;
use crate::time::{Duration, Instant};
use autoscale::autoscale;
use cluster::cluster;
use commands::command;
use expectations::expectation;
use faults::{Names, asked_for, entry};
use flows::{Flows, flows};
use receivers::{environment, kv, receivers, secrets};
use silences::silence;
use work::{
    arrivals, behaviour, pollers, silent_tasks, unknown_batches, unknown_outputs, unsimulated_templates, unstarted,
};

#[cfg(feature = "cli")]
pub use flows::refused_triggers;
pub use flows::{input_words, trigger_dialect};
#[cfg(feature = "server")]
pub use traps::missing_secrets;

/// Reads what a scenario names: flow files, and scenarios it extends.
pub trait Loader {
    /// The text of a flow file, named relative to the file that names it; for a folder those of all its flows, and of
    /// those in the folders in it.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn flows(&self, from: &str, path: &str) -> Result<Vec<FlowFile>, String>;

    /// The texts of flow files that the scenario does not name: they come after its own.
    fn more_flows(&self) -> &[FlowFile] {
        &[]
    }

    /// The text of a scenario, by shipped name or path.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn scenario(&self, from: &str, name: &str) -> Result<Source, String>;
}

/// A flow file, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowFile {
    /// Its text.
    Whole(Arc<Source>),
    /// It is not UTF-8: what stands before the first byte that is not. It is told and left out, and the others are read.
    NotUtf8(Arc<Source>),
}

impl FlowFile {
    /// What could be read.
    pub fn source(&self) -> &Arc<Source> {
        let (FlowFile::Whole(source) | FlowFile::NotUtf8(source)) = self;
        source
    }
}

impl From<Source> for FlowFile {
    fn from(source: Source) -> FlowFile {
        FlowFile::Whole(Arc::new(source))
    }
}

/// A loader for texts that name no other files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Loader for NoFiles {
    fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
        Err("files cannot be named here".into())
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("scenarios cannot be named here".into())
    }
}

/// Reads a scenario. With an error among the diagnostics there is no plan, unless it is one of a flow file that is left out.
pub fn read(file_name: &str, text: &str, loader: &dyn Loader) -> (Option<Plan>, Vec<Diagnostic>) {
    read_text(file_name, text, loader, None)
}

/// The same with a version of Kestra, whichever it names.
#[cfg(feature = "server")]
pub fn read_as(
    file_name: &str,
    text: &str,
    loader: &dyn Loader,
    kestra: &'static Profile,
) -> (Option<Plan>, Vec<Diagnostic>) {
    read_text(file_name, text, loader, Some(kestra))
}

fn read_text(
    file_name: &str,
    text: &str,
    loader: &dyn Loader,
    kestra: Option<&'static Profile>,
) -> (Option<Plan>, Vec<Diagnostic>) {
    let source = Arc::new(Source { name: file_name.to_owned(), text: text.to_owned() });
    let mut reading = Reading::default();
    let plan = load(&source, loader, &mut reading, 0).and_then(|node| plan(&node, loader, kestra, &mut reading));
    let failed = reading.failed();
    let (plan, refused) = plan.unzip();
    // A flow file that is refused is no reason to refuse the scenario.
    reading.extend(refused.unwrap_or_default().finish());
    (plan.filter(|_| !failed), reading.finish())
}

/// Where each expectation of a scenario stands, in the order of its plan, those of a scenario that it extends included.
#[cfg(feature = "cli")]
pub fn expectation_places(file_name: &str, text: &str, loader: &dyn Loader) -> Vec<Place> {
    let source = Arc::new(Source { name: file_name.to_owned(), text: text.to_owned() });
    let root = load(&source, loader, &mut Reading::default(), 0);
    let Some(Value::Mapping(entries)) = root.map(|root| root.value) else { return Vec::new() };
    let expect = entries.into_iter().find(|entry| entry.key == "expect").map(|entry| entry.value.value);
    let Some(Value::Sequence(items)) = expect else { return Vec::new() };
    items.into_iter().map(|item| item.place.first_line()).collect()
}

/// Reads a fault from the body of a request, JSON or YAML: an entry of the timeline, in which `at` may be left out and
/// then is `now`. Whether `at` is past is not judged here.
///
/// # Errors
/// All that is wrong with it.
pub fn read_fault(body: &str, plan: &Plan, now: Instant) -> Result<TimelineEntry, Vec<Diagnostic>> {
    let source = Arc::new(Source { name: "body".into(), text: body.to_owned() });
    let (node, diagnostics) = document::parse(&source);
    let Some(node) = node else { return Err(diagnostics) };
    let mut reading = Reading::default();
    reading.extend(diagnostics);
    let entry = entry(&node, plan, Some(now), &mut reading);
    match entry {
        Some(entry) if !reading.failed() => Ok(entry),
        _ => Err(reading.finish()),
    }
}

#[cfg(feature = "server")]
/// The body of a request for a fault that can be done to the cluster of a plan, in JSON: of the kind that a body that cannot
/// be read seems to mean.
pub fn fault_example(body: &str, plan: &Plan) -> String {
    let source = Arc::new(Source { name: "body".into(), text: body.to_owned() });
    let root = document::parse(&source).0.map(|root| root.value);
    let keys: Vec<&str> = match &root {
        Some(Value::Mapping(entries)) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    };
    super::faults::example(&keys, plan)
}

/// The root of a file, laid over the one it extends.
fn load(source: &Arc<Source>, loader: &dyn Loader, reading: &mut Reading, depth: usize) -> Option<Node> {
    let (root, diagnostics) = document::parse(source);
    reading.extend(diagnostics);
    let mut root = root?;
    let Value::Mapping(entries) = &mut root.value else { return Some(root) };
    let Some(at) = entries.iter().position(|entry| entry.key == "extends") else { return Some(root) };
    let extends = entries.remove(at).value;
    let name = reading.text(&extends, "`extends`")?;
    if depth >= 8 {
        reading.error(&extends.place, "scenarios extend each other too deeply", "");
        return None;
    }
    let base = match loader.scenario(&source.name, name) {
        Ok(base) => load(&Arc::new(base), loader, reading, depth + 1)?,
        Err(why) => {
            reading.error(&extends.place, format!("cannot read the scenario `{name}`: {why}"), "");
            return None;
        }
    };
    let Value::Mapping(mut merged) = base.value else {
        let what = format!("`{name}` is no scenario: it must be a mapping, not {}", base.value.describe());
        reading.error(&extends.place, what, "name a scenario, for example `extends: worker-killed`");
        return None;
    };
    for entry in std::mem::take(entries) {
        match merged.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => match (&mut old.value.value, entry.value.value.clone()) {
                (Value::Sequence(old), Value::Sequence(new)) if APPENDED.contains(&entry.key.as_str()) => {
                    old.extend(new)
                }
                _ => *old = entry,
            },
            None => merged.push(entry),
        }
    }
    Some(Node { value: Value::Mapping(merged), place: root.place })
}

/// Lists that an extending scenario adds to.
const APPENDED: &[&str] =
    &["flows", "behaviour", "arrivals", "autoscale", "silences", "timeline", "commands", "expect"];

/// The plan, and what is wrong with flow files that are left out of it.
fn plan(
    root: &Node,
    loader: &dyn Loader,
    kestra: Option<&'static Profile>,
    reading: &mut Reading,
) -> Option<(Plan, Reading)> {
    let object = reading.object(root, "a scenario", SCENARIO)?;
    let text = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
    };
    let name = text(reading, "name").unwrap_or_default();
    let summary = text(reading, "summary").unwrap_or_default();
    let named = version(reading, object.get("kestra"), root)?;
    let kestra = kestra.unwrap_or(named);
    let duration = length(&object, root, reading);
    let start = object.get("start").and_then(|node| date(node, reading));
    let cluster = cluster(object.get("cluster"), root, kestra, &asked_for(&object), reading);
    let defaults = plugin_defaults(&object, reading);
    let Flows { read, left_out, refused, refused_flows, .. } =
        flows(object.get("flows"), defaults, kestra, loader, reading);
    let (flows, standing) = read.into_iter().unzip::<_, _, _, Vec<_>>();
    let mut plan = Plan {
        name,
        summary,
        kestra,
        duration,
        start,
        cluster,
        flows,
        left_out,
        refused: refused_flows,
        behaviour: Vec::new(),
        arrivals: Vec::new(),
        pollers: pollers(object.get("polled_by"), reading),
        settings: configuration::settings(object.get("configuration"), kestra, reading),
        secrets: object.get("secrets").map(|node| secrets(node, reading)).unwrap_or_default(),
        kv: object.get("kv").map(|node| kv(node, reading)).unwrap_or_default(),
        environment: object.get("environment").map(|node| environment(node, reading)).unwrap_or_default(),
        receivers: object.get("receivers").map(|node| receivers(node, reading)).unwrap_or_default(),
        autoscale: Vec::new(),
        silences: Vec::new(),
        timeline: Vec::new(),
        commands: Vec::new(),
        expectations: Vec::new(),
    };
    let places: Vec<Place> = standing.iter().map(|standing| standing.place.clone()).collect();
    silent_tasks(&plan, &places, reading);
    unsimulated_templates(&plan, &places, reading);
    lists(&object, &mut plan, reading);
    unknown_outputs(&plan, &places, reading);
    unknown_batches(&plan, &places, reading);
    // What is wrong may have been what starts them.
    if !reading.failed() {
        unstarted(&plan, &places, reading);
        traps::tell(&plan, &standing, reading);
    }
    Some((plan, refused))
}

/// `start`.
fn date(node: &Node, reading: &mut Reading) -> Option<jiff::Timestamp> {
    let advice = || "write a date with its zone, such as 2026-01-05T08:00:00Z".to_owned();
    reading.parsed(node, "`start`", |text| text.parse().map_err(|_| advice()))
}

/// `plugin-defaults`: what `kestra.plugins.defaults` of a configuration says.
fn plugin_defaults<'n>(object: &Object<'n>, reading: &mut Reading) -> &'n [Node] {
    let entries = items(reading, object, "plugin-defaults");
    for entry in entries {
        let object = reading.object(entry, "an entry of `plugin-defaults`", PLUGIN_DEFAULT);
        if let Some(values) = object.and_then(|object| object.get("values")) {
            work::mapping(values, "values", "{ level: WARN }", reading);
        }
    }
    entries
}

/// How long a run is.
fn length(object: &Object<'_>, root: &Node, reading: &mut Reading) -> Duration {
    let length = object.get("duration").and_then(|node| duration(reading, node, "`duration`"));
    let length = length.unwrap_or(Duration::minutes(30));
    if length.is_zero() || length > limits::DURATION {
        let place = object.entry("duration").map_or(&root.place, |entry| &entry.value.place);
        reading.error(place, format!("a run of {length} is not possible"), "write a duration up to 400d");
    }
    length
}

/// The lists of a scenario, one after the other: each entry may name what came before it.
fn lists(object: &Object<'_>, plan: &mut Plan, reading: &mut Reading) {
    for node in items(reading, object, "behaviour") {
        plan.behaviour.extend(behaviour(node, plan, reading));
    }
    for node in items(reading, object, "arrivals") {
        let arrivals = arrivals(node, plan, reading);
        plan.arrivals.extend(arrivals);
    }
    for node in items(reading, object, "autoscale") {
        let autoscale = autoscale(node, plan, reading);
        plan.autoscale.extend(autoscale);
    }
    for node in items(reading, object, "silences") {
        let silence = silence(node, reading);
        plan.silences.extend(silence);
    }
    let mut names = Names::default();
    let mut places = Vec::new();
    for node in items(reading, object, "timeline") {
        if let Some(mut entry) = entry(node, plan, None, reading) {
            if entry.at > Instant::START + plan.duration {
                reading.warning(&node.place, format!("this is after the end of the run at {}", plan.duration), "");
            }
            names.unique(&mut entry);
            plan.timeline.push(entry);
            places.push(node.place.clone());
        }
    }
    faults::upgraded_to_the_same(plan, &places, reading);
    for node in items(reading, object, "commands") {
        let command = command(node, plan, reading);
        plan.commands.extend(command);
    }
    for node in items(reading, object, "expect") {
        let expectation = expectation(node, plan, reading);
        plan.expectations.extend(expectation);
    }
}

/// The version a node names, the default one when it names none or one that does not exist, which is told.
fn version(reading: &mut Reading, node: Option<&Node>, root: &Node) -> Option<&'static Profile> {
    let versions: Vec<(&str, &str)> = Profile::NAMES.iter().map(|name| (*name, *name)).collect();
    let named = node.and_then(|node| reading.choice(node, "version of Kestra we know", &versions));
    match Profile::named(named.unwrap_or(Profile::DEFAULT)) {
        Ok(profile) => Some(profile),
        Err(told) => {
            reading.error(&node.unwrap_or(root).place, told, "");
            None
        }
    }
}

fn items<'n>(reading: &mut Reading, object: &Object<'n>, key: &str) -> &'n [Node] {
    object.get(key).map_or(&[], |node| reading.list(node, &format!("`{key}`")))
}

fn duration(reading: &mut Reading, node: &Node, what: &str) -> Option<Duration> {
    reading.parsed(node, what, str::parse)
}

fn positive(reading: &mut Reading, node: &Node, what: &str) -> Option<Duration> {
    let duration = duration(reading, node, what)?;
    if duration.is_zero() {
        reading.error(&node.place, format!("{what} is zero"), crate::time::DURATION_ADVICE);
        return None;
    }
    Some(duration)
}

fn instant(reading: &mut Reading, node: &Node, what: &str) -> Option<Instant> {
    let at = reading.parsed(node, what, units::read_time)?;
    if at < Instant::START {
        reading.error(&node.place, format!("{what} lies before the start"), "write a time from 0s on");
        return None;
    }
    Some(at)
}

/// Where a path named in a file leads, seen from that file.
pub fn beside(file: &str, path: &str) -> std::path::PathBuf {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    folder.join(path)
}
