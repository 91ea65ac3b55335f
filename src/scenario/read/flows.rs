//! The flows of a scenario: its own, and files that hold one each.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{FlowFile, Loader};
use crate::document::{self, Node, Place, Reading, Severity, Source, Value};
use crate::flow::validity::{self, Edition};
use crate::flow::{self, Flow, TriggerAction, trigger};
use crate::parallel::parallel;
use crate::profile::{Language, Profile, Quirk};
use crate::scenario::{RefusedFlow, limits};

/// The flows of a scenario, and where each stands: its own, then those that come from outside.
pub(super) fn flows(
    node: Option<&Node>,
    defaults: &[Node],
    kestra: &'static Profile,
    loader: &dyn Loader,
    reading: &mut Reading,
) -> Flows {
    let mut flows = Flows::new(kestra, defaults.to_vec());
    for item in node.map_or(&[][..], |node| reading.list(node, "`flows`")) {
        match &item.value {
            Value::Scalar { text: path, .. } => match loader.flows(&item.place.source.name, path) {
                Err(why) => reading.error(&item.place, format!("cannot read the flow file `{path}`: {why}"), ""),
                Ok(files) => flows.add_files(&files, reading),
            },
            _ => flows.add(item, reading),
        }
    }
    flows.add_files(loader.more_flows(), reading);
    flows
}

/// Where a flow stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) place: Place,
    /// Its `triggers`, to find the place of what is in them.
    pub(super) triggers: Option<Node>,
}

impl Standing {
    fn of(node: &Node) -> Standing {
        let triggers = match &node.value {
            Value::Mapping(entries) => entries.iter().find(|entry| entry.key == "triggers"),
            _ => None,
        };
        Standing { place: node.place.clone(), triggers: triggers.map(|entry| entry.value.clone()) }
    }
}

impl Standing {
    /// Where a template of a task stands: the first line of it, looked for behind the id of the task. The flow where it is
    /// not written as it is read.
    pub(super) fn place_of(&self, task: &str, template: &str) -> Place {
        let whole = self.place.first_line();
        let Some(text) = self.place.source.text.get(self.place.range.clone()) else { return whole };
        let line = template.trim().lines().find(|line| line.contains('{')).unwrap_or(template).trim();
        let after = text.find(&format!("id: {task}")).unwrap_or(0);
        match text[after..].find(line).filter(|_| !line.is_empty()) {
            Some(at) => {
                let start = self.place.range.start + after + at;
                Place { source: self.place.source.clone(), range: start..start + line.len() }
            }
            None => whole,
        }
    }
}

/// Flows that were read so far.
pub(super) struct Flows {
    /// The version that takes them or not.
    kestra: &'static Profile,
    /// Defaults that are for all of them.
    defaults: Vec<Node>,
    pub(super) read: Vec<(Flow, Standing)>,
    /// Files that hold no sound flow: as in Kestra the others are there all the same.
    pub(super) left_out: Vec<String>,
    /// What is wrong with these.
    pub(super) refused: Reading,
    /// The flows in them.
    pub(super) refused_flows: Vec<RefusedFlow>,
    /// Namespaces and ids: each is there once.
    names: BTreeSet<(String, String)>,
}

impl Flows {
    fn new(kestra: &'static Profile, defaults: Vec<Node>) -> Flows {
        Flows {
            kestra,
            defaults,
            read: Vec::new(),
            left_out: Vec::new(),
            refused: Reading::default(),
            refused_flows: Vec::new(),
            names: BTreeSet::new(),
        }
    }

    /// Adds the flows of files. Each file is looked at by itself, on several threads where there are many.
    fn add_files(&mut self, files: &[FlowFile], reading: &mut Reading) {
        let threads = if files.len() < FEW { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        match parallel(files.len(), threads, |at| files.get(at).map(|file| self.look(file)), |_| {}) {
            Ok(looked) => looked.into_iter().flatten().for_each(|looked| self.take(looked, reading)),
            Err(failed) => {
                let Some(file) = files.get(failed.index) else { return };
                let what = format!("this flow cannot be read: {}", failed.why);
                reading.error(
                    &Place { source: file.source().clone(), range: 0..0 },
                    what,
                    "this is a mistake of mock-kestra",
                );
            }
        }
    }

    /// What a file holds.
    fn look(&self, of: &FlowFile) -> Looked {
        let file = of.source();
        let mut looked = Looked {
            file: file.clone(),
            told: Reading::default(),
            place: Place { source: file.clone(), range: 0..0 },
            named: None,
            refusal: None,
            flow: None,
        };
        if let FlowFile::NotUtf8(_) = of {
            let end = file.text.len();
            let place = Place { source: file.clone(), range: end..end };
            looked.told.error(&place, "this is not UTF-8, which a flow is written in", "save the file as UTF-8");
            looked.named = named_in(&file.text);
            return looked;
        }
        let (root, diagnostics) = document::parse_jackson(file);
        looked.refusal =
            validity::refusal(file, root.as_ref(), &diagnostics, &self.defaults, edition(self.kestra.language()));
        looked.told.extend(diagnostics);
        let Some(root) = root else {
            looked.named = named_in(&file.text);
            return looked;
        };
        looked.named = named(&root);
        looked.flow = self.read(&root, looked.refusal.is_some(), &mut looked.told);
        looked.place = root.place;
        looked
    }

    /// Keeps the flow of a file, or leaves it out.
    fn take(&mut self, looked: Looked, reading: &mut Reading) {
        let Looked { file, told: mut own, place, named, refusal, flow } = looked;
        // What the server says comes first, and ours behind it where we have more to say.
        let before = self.read.len();
        if let Some((flow, standing)) = flow {
            let sound = !own.failed();
            self.keep((flow, standing), sound, &place, &mut own);
        }
        let mut told = own.finish();
        if let Some(refusal) = refusal {
            told.retain(|told| told.severity == Severity::Error);
            let first = told.iter().map(|told| &told.place).min_by_key(|place| place.range.start).cloned();
            let place = first.filter(|first| first.range.start < refusal.place.range.start).unwrap_or(refusal.place);
            let mut words = Reading::default();
            words.error(&place, refusal.words, refusal.advice);
            words.extend(told);
            told = words.finish();
            if let Some((flow, _)) = self.read.drain(before..).next() {
                self.names.remove(&(flow.namespace, flow.id));
            }
        }
        if let Some(error) = told.iter().find(|told| told.severity == Severity::Error) {
            let words = error.what.clone();
            self.refused_flows.extend(named.map(|flow| RefusedFlow { file: file.name.clone(), words, ..flow }));
            self.left_out.push(file.name.clone());
            self.refused.extend(told);
        } else {
            reading.extend(told);
        }
    }

    /// Adds a flow that a scenario holds itself.
    fn add(&mut self, node: &Node, reading: &mut Reading) {
        let mut own = Reading::default();
        let read = self.read(node, false, &mut own);
        let sound = !own.failed();
        reading.extend(own.finish());
        if let Some((flow, standing)) = read {
            let refusal = validity::of_inline(node, edition(self.kestra.language()));
            if let Some(refusal) = refusal.filter(|_| sound) {
                let what = format!("Kestra {} refuses the flow: {}", self.kestra.name(), refusal.words);
                reading.error(&refusal.place, what, refusal.advice);
            }
            // Even if it is not sound: who names it means this one.
            self.keep((flow, standing), true, &node.place, reading);
        }
    }

    /// Reads a flow; `refused`: the server's words for that are known.
    fn read(&self, node: &Node, refused: bool, reading: &mut Reading) -> Option<(Flow, Standing)> {
        let flow = flow::read_with(node, &self.defaults, reading)?;
        let standing = Standing::of(node);
        if !refused && !reading.failed() {
            cron_dialect(&flow, &standing, self.kestra, reading);
            trigger_refusals(&flow, &standing, self.kestra, reading);
        }
        Some((flow, standing))
    }

    fn keep(&mut self, (flow, standing): (Flow, Standing), sound: bool, place: &Place, reading: &mut Reading) {
        if !self.names.insert((flow.namespace.clone(), flow.id.clone())) {
            let what = format!("two flows are called {}.{}", flow.namespace, flow.id);
            reading.error(place, what, "rename one of them");
            return;
        }
        if !sound {
            return;
        }
        if self.read.len() < limits::FLOWS {
            self.read.push((flow, standing));
        } else {
            reading.error(place, "too many flows", format!("at most {}", limits::FLOWS));
        }
    }
}

/// So few files that threads would be no gain.
const FEW: usize = 64;

/// A file that was looked at.
struct Looked {
    file: Arc<Source>,
    /// What is to be said of it.
    told: Reading,
    /// Where its flow stands.
    place: Place,
    named: Option<RefusedFlow>,
    refusal: Option<validity::Refusal>,
    flow: Option<(Flow, Standing)>,
}

/// The name of a flow, and the ids and types in it, whatever else is wrong with it.
fn named(root: &Node) -> Option<RefusedFlow> {
    let text = |node: &Node, key: &str| match &node.value {
        Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key).and_then(|entry| scalar(&entry.value)),
        _ => None,
    };
    let name = format!("{}.{}", text(root, "namespace")?, text(root, "id")?);
    let (mut ids, mut open) = (BTreeSet::new(), vec![root]);
    while let Some(node) = open.pop() {
        ids.extend(text(node, "id").into_iter().chain(text(node, "type")));
        match &node.value {
            Value::Mapping(entries) => open.extend(entries.iter().map(|entry| &entry.value)),
            Value::Sequence(items) => open.extend(items),
            _ => {}
        }
    }
    Some(RefusedFlow { name, ids, ..RefusedFlow::default() })
}

/// The same of a file that is no YAML, as far as its lines say it: so that who names the flow is told of its file.
fn named_in(text: &str) -> Option<RefusedFlow> {
    let of = |line: &str, key: &str| {
        let value = line.strip_prefix(key)?.strip_prefix(':')?.split(" #").next()?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let first = |key: &str| text.lines().find_map(|line| of(line, key));
    let name = format!("{}.{}", first("namespace")?, first("id")?);
    let held = |key: &'static str| text.lines().filter_map(move |line| of(line.trim_start_matches([' ', '-']), key));
    Some(RefusedFlow { name, ids: held("id").chain(held("type")).collect(), ..RefusedFlow::default() })
}

fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// Which server's words a version has for what it refuses.
fn edition(language: Language) -> Edition {
    match language {
        Language::V0_20 => Edition::V0_20,
        Language::V1_3 => Edition::V1_3,
        Language::V2_0 => Edition::V2_0,
    }
}

/// Tells which cron expressions the version does not take, though a later one does.
fn cron_dialect(flow: &Flow, standing: &Standing, kestra: &Profile, reading: &mut Reading) {
    let last_day = kestra.has(Quirk::LastDayOfMonth);
    for trigger in &flow.triggers {
        let TriggerAction::Schedule(schedule) = &trigger.action else { continue };
        // What no version takes was told where it stands.
        if schedule.check(true).is_ok()
            && let Err(problem) = schedule.check(last_day)
        {
            let (id, version) = (&trigger.id, kestra.name());
            let what = format!("`cron` of `{id}` is `{}`: {problem}", schedule.cron);
            reading.error(&standing.place, what, format!("Kestra {version} has no `L`; 2.0 has"));
        }
    }
}

/// How a version understands Flow triggers.
pub fn trigger_dialect(profile: &Profile) -> trigger::Dialect {
    match profile.language() {
        Language::V0_20 => trigger::Dialect::V0_20,
        Language::V1_3 => trigger::Dialect::V1_3,
        Language::V2_0 => trigger::Dialect::V2_0,
    }
}

/// How a version tells what is wrong with inputs.
pub fn input_words(profile: &Profile) -> flow::InputWords {
    if profile.has(Quirk::InputViolations) { flow::InputWords::Violations } else { flow::InputWords::Causes }
}

/// Which triggers, and other parts, a version does not take, though another one does.
fn refused(flow: &Flow, kestra: &Profile) -> Vec<String> {
    let (name, version) = (flow.name(), kestra.name());
    let told = |(trigger, why): (usize, String)| {
        let id = flow.triggers.get(trigger).map_or("", |trigger| trigger.id.as_str());
        format!("Kestra {version} refuses the trigger `{id}` of {name}: {why}")
    };
    let checks = !flow.checks.is_empty() && kestra.has(Quirk::RefusesChecks);
    let checks = checks.then(|| format!("Kestra {version} refuses `checks` of {name}"));
    trigger::refused(flow, trigger_dialect(kestra)).into_iter().map(told).chain(checks).collect()
}

/// Which triggers, and other parts, the version of a plan does not take, though another one does: the index of the flow, and
/// why.
#[cfg(feature = "cli")]
pub fn refused_triggers(plan: &crate::scenario::Plan) -> Vec<(usize, String)> {
    let of = |(at, flow): (usize, &Flow)| refused(flow, plan.kestra).into_iter().map(move |why| (at, why));
    plan.flows.iter().enumerate().flat_map(of).collect()
}

/// Tells which triggers the version does not take, though another one does.
fn trigger_refusals(flow: &Flow, standing: &Standing, kestra: &Profile, reading: &mut Reading) {
    for what in refused(flow, kestra) {
        reading.error(&standing.place, what, "write it as that version has it, or name another one with `kestra`");
    }
}
