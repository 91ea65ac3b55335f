//! Where things stand in the files that a command was given: for annotations, which point at a line.

use std::path::Path;
use std::sync::Arc;

use super::load;
use crate::document::{self, Node, Place, Source, Value};
use crate::files::{self, Files};
use crate::scenario;

/// The files of a command: scenarios and rules.
pub(super) struct Places {
    scenarios: Vec<Scenario>,
    rules: Vec<Arc<Source>>,
}

struct Scenario {
    /// The name that it gives itself.
    name: String,
    expectations: Vec<Place>,
    /// What is done to its cluster, or the file as a whole.
    failure: Place,
}

impl Places {
    /// Of scenarios, by shipped name or path, and of files of rules.
    pub(super) fn of(scenarios: &[String], rules: &[String]) -> Places {
        let scenarios = scenarios.iter().filter_map(|name| Scenario::of(name)).collect();
        let source = |name: &String| load::file(name).ok().map(Arc::new);
        Places { scenarios, rules: rules.iter().filter_map(source).collect() }
    }

    /// A scenario by the name in a report: that of the file, with a version behind it where there are several.
    fn scenario(&self, name: &str) -> Option<&Scenario> {
        let versioned =
            |it: &&Scenario| name.strip_prefix(it.name.as_str()).is_some_and(|rest| rest.starts_with(" with Kestra "));
        self.scenarios.iter().find(|it| it.name == name).or_else(|| self.scenarios.iter().find(versioned))
    }

    /// Where an expectation of a scenario stands.
    pub(super) fn expectation(&self, scenario: &str, index: usize) -> Option<Place> {
        self.scenario(scenario)?.expectations.get(index).cloned()
    }

    /// Where it stands what is done to a scenario's cluster.
    pub(super) fn failure(&self, scenario: &str) -> Option<Place> {
        self.scenario(scenario).map(|it| it.failure.clone())
    }

    /// Where a rule stands: in the group of this name when there is one, else the first of its name.
    pub(super) fn rule(&self, name: &str, group: Option<&str>) -> Option<Place> {
        let mut found = Vec::new();
        for source in &self.rules {
            for root in document::parse_all(source).0 {
                rules(&root, name, None, &mut found);
            }
        }
        let of_group = found.iter().find(|(_, of)| group.is_some() && of.as_deref() == group);
        of_group.or(found.first()).map(|(place, _)| place.clone())
    }
}

impl Scenario {
    fn of(name: &str) -> Option<Scenario> {
        let source = files::scenario_source(Path::new(""), name).ok()?;
        let expectations = scenario::expectation_places(&source.name, &source.text, &Files::default());
        let source = Arc::new(source);
        let root = document::parse(&source).0?;
        let Value::Mapping(entries) = &root.value else { return None };
        let entry = |key: &str| entries.iter().find(|entry| entry.key == key);
        let Value::Scalar { text, .. } = &entry("name")?.value.value else { return None };
        let failure = ["timeline", "extends", "name"].iter().find_map(|key| entry(key))?.place.clone();
        Some(Scenario { name: text.clone(), expectations, failure })
    }
}

/// All rules of a name below a node, each with the name of what holds them.
fn rules(node: &Node, name: &str, group: Option<&str>, found: &mut Vec<(Place, Option<String>)>) {
    match &node.value {
        Value::Sequence(items) => items.iter().for_each(|item| rules(item, name, group, found)),
        Value::Mapping(entries) => {
            let text = |wanted: &str| {
                entries.iter().find(|entry| entry.key == wanted).and_then(|entry| match &entry.value.value {
                    Value::Scalar { text, .. } => Some(text.as_str()),
                    _ => None,
                })
            };
            let ours = |key: &str| ["alert", "record", "title"].contains(&key);
            for entry in entries.iter().filter(|entry| ours(&entry.key)) {
                if matches!(&entry.value.value, Value::Scalar { text, .. } if text == name) {
                    found.push((entry.value.place.clone(), group.map(str::to_owned)));
                }
            }
            let group = if entries.iter().any(|entry| entry.key == "rules") { text("name") } else { group };
            entries.iter().for_each(|entry| rules(&entry.value, name, group, found));
        }
        Value::Scalar { text, .. } => of_text(node, text, name, found),
        Value::Null => {}
    }
}

/// A rule in a file that is a text of another one, as a ConfigMap has it: the line on which its name stands.
fn of_text(node: &Node, text: &str, name: &str, found: &mut Vec<(Place, Option<String>)>) {
    if !text.contains('\n') || !text.contains(name) {
        return;
    }
    let Place { source, range } = &node.place;
    let Some(inside) = source.text.get(range.clone()) else { return };
    let mut start = range.start;
    for line in inside.split_inclusive('\n') {
        let words = line.trim().trim_start_matches("- ").trim_start_matches(['{', ' ']);
        let value = ["alert:", "record:", "title:"].iter().find_map(|key| words.strip_prefix(key));
        let is =
            |value: &str| value.split([',', '}', '#']).next().unwrap_or(value).trim().trim_matches(['"', '\'']) == name;
        if value.is_some_and(is) {
            let indent = line.len() - line.trim_start().len();
            let range = start + indent..start + line.trim_end().len();
            found.push((Place { source: source.clone(), range }, None));
        }
        start += line.len();
    }
}
