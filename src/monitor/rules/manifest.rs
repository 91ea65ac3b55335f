//! The documents of a file: a rule file of Prometheus, manifests that hold rules, or provisioning of Grafana.

use std::sync::Arc;

use super::read::Flavor;
use super::read::{GOOGLE, Groups, OPENSHIFT, OPERATOR, PROMETHEUS, VICTORIA};
use super::{RuleSet, foreign, grafana};
use crate::document::{self, Document, Entry, Node, Place, Reading, Source, Value, instead};

/// How a manifest is read.
#[derive(Clone, Copy)]
enum Way {
    /// `spec.groups`.
    Groups(&'static Flavor),
    /// Of the operator of Grafana.
    Grafana,
    /// `data`: files by name.
    Files,
    /// `items`.
    Items,
}

/// Kinds that hold rules: kind, the group of its API, and how it is read.
const KINDS: &[(&str, &str, Way)] = &[
    ("PrometheusRule", "monitoring.coreos.com", Way::Groups(&OPERATOR)),
    ("VMRule", "operator.victoriametrics.com", Way::Groups(&VICTORIA)),
    ("Rules", "monitoring.googleapis.com", Way::Groups(&GOOGLE)),
    ("ClusterRules", "monitoring.googleapis.com", Way::Groups(&GOOGLE)),
    ("GlobalRules", "monitoring.googleapis.com", Way::Groups(&GOOGLE)),
    ("AlertingRule", "monitoring.openshift.io", Way::Groups(&OPENSHIFT)),
    ("GrafanaAlertRuleGroup", "grafana.integreatly.org", Way::Grafana),
    ("ConfigMap", "v1", Way::Files),
    ("List", "v1", Way::Items),
];

/// What to do with manifests that hold no rules for Prometheus.
const OTHERS: &[(&str, &str)] = &[
    ("AlertingRule", "rules of Loki are LogQL"),
    ("RecordingRule", "rules of Loki are LogQL"),
    ("ServiceMonitor", "give it as `--prometheus FILE`"),
    ("PodMonitor", "give it as `--prometheus FILE`"),
];

/// The kind of a manifest, how it is read, and whether it is a list of this kind.
fn known(kind: &str, version: Option<&str>) -> Option<(Way, Option<&'static str>)> {
    let api = version.map(|version| version.split('/').next().unwrap_or(version));
    let fits = |of: &str| api.is_none_or(|api| api == of);
    KINDS.iter().find_map(|(name, of, way)| match kind.strip_prefix(name)? {
        "" if fits(of) => Some((*way, None)),
        "List" if fits(of) => Some((Way::Items, Some(*name))),
        _ => None,
    })
}

/// A file of rules under way.
#[derive(Debug)]
pub(super) struct File<'o> {
    outside: &'o grafana::Outside<'o>,
    rules: RuleSet,
    reading: Reading,
    /// Whether a document is one that holds rules, if only none.
    held: bool,
    /// Documents that are none: where, what of them, and what to do.
    idle: Vec<(Place, String, &'static str)>,
}

/// The rules of a plain rule file of Prometheus of which nothing is to be told; none of another file. Most are that, and are
/// read at a small part of the cost.
pub(super) fn flawless(source: &Arc<Source>, outside: &grafana::Outside<'_>) -> Option<RuleSet> {
    let root = document::plain_go(source).filter(|root| !is_manifest(root) && !is_provisioning(root))?;
    let mut file = File::new(outside);
    file.plain(source, vec![Document { root: Some(root), diagnostics: Vec::new() }]);
    let (rules, reading) = file.finish();
    (rules.newer.is_empty() && reading.finish().is_empty()).then_some(rules)
}

impl<'o> File<'o> {
    /// Nothing is read yet.
    pub(super) fn new(outside: &'o grafana::Outside<'o>) -> File<'o> {
        let (rules, reading) = (RuleSet::default(), Reading::default());
        File { outside, rules, reading, held: false, idle: Vec::new() }
    }

    /// Reads all its documents.
    pub(super) fn read(&mut self, source: &Arc<Source>) {
        let documents = document::parse_go(source);
        let mut roots = documents.iter().filter_map(|it| it.root.as_ref());
        let manifests = roots.any(|root| is_manifest(root) || is_provisioning(root));
        match manifests {
            true => {
                for Document { root, diagnostics } in documents {
                    self.reading.extend(diagnostics);
                    root.iter().filter(|root| root.value != Value::Null).for_each(|root| self.document(root));
                }
            }
            false => self.plain(source, documents),
        }
    }

    /// A rule file of Prometheus, which reads the first document only, and takes an empty one for one without groups.
    fn plain(&mut self, source: &Arc<Source>, documents: Vec<Document>) {
        self.held = true;
        let mut documents = documents.into_iter();
        if let Some(Document { root, diagnostics }) = documents.next() {
            self.reading.extend(diagnostics);
            root.iter().filter(|root| root.value != Value::Null).for_each(|root| self.rule_file(root));
        }
        let later = documents.find(|it| it.root.as_ref().is_none_or(|root| root.value != Value::Null));
        if let Some(Document { root, diagnostics }) = later {
            let place = root.map(|root| root.place).or(diagnostics.first().map(|it| it.place.clone()));
            let place = place.unwrap_or(Place { source: source.clone(), range: 0..0 }).first_line();
            let what = "Prometheus reads the first document of a file only, and not this one";
            self.reading.warning(&place, what, "give it a file of its own");
        }
        let empty = self.rules.groups.iter().all(|group| group.rules.is_empty());
        if empty && !self.reading.failed() {
            let place = Place { source: source.clone(), range: 0..0 };
            self.reading.note(&place, "this file holds no rules", "");
        }
    }

    fn rule_file(&mut self, root: &Node) {
        let Some(object) = self.reading.mapping(root, "a rule file", "groups: [ { name: kestra, rules: [] } ]") else {
            return;
        };
        for entry in object.entries().iter().filter(|entry| entry.key != "groups") {
            let advice = match (foreign::file(&entry.key), foreign::owner(&entry.key)) {
                (Some(what), _) => what.to_owned(),
                (None, Some(owner)) => format!("it is a key of {owner}; leave it out"),
                (None, None) => instead(&entry.key, ["groups"]),
            };
            self.reading.error(&entry.place, format!("`{}` is no key of a rule file", entry.key), advice);
        }
        self.groups(&PROMETHEUS, object.get("groups"));
    }

    fn groups(&mut self, flavor: &'static Flavor, list: Option<&Node>) {
        self.held = true;
        if let Some(list) = list {
            let mut groups = Groups::new(flavor, &mut self.reading);
            self.rules.groups.extend(groups.read(list));
            self.rules.newer.append(&mut groups.newer);
        }
    }

    fn document(&mut self, root: &Node) {
        match (entry(root, "kind"), scalar(root, "apiVersion")) {
            (None, Some("1")) => {
                self.held = true;
                self.provisioning(root, self.outside);
            }
            (None, None) if is_provisioning(root) => {
                self.held = true;
                self.reading.note(
                    &root.place.first_line(),
                    "this provisioning file of Grafana has no `apiVersion`: it is read all the same",
                    "add `apiVersion: 1`",
                );
                self.provisioning(root, self.outside);
            }
            (None, _) => {
                self.held = true;
                self.rule_file(root);
            }
            (Some(kind), version) => {
                if let Some(name) = self.reading.text(&kind.value, "`kind`") {
                    self.manifest(root, kind, name, version);
                }
            }
        }
    }

    fn provisioning(&mut self, root: &Node, outside: &grafana::Outside<'_>) {
        let RuleSet { grafana, deleted, .. } = &mut self.rules;
        grafana::document_groups(root, grafana, deleted, &mut self.reading, outside);
    }

    fn manifest(&mut self, root: &Node, kind: &Entry, name: &str, version: Option<&str>) {
        match known(name, version) {
            Some((Way::Groups(flavor), _)) => {
                if let Some(spec) = self.spec(root, kind, name) {
                    if std::ptr::eq(flavor, &GOOGLE) {
                        let what = "Google adds labels of project, location, cluster and namespace to what it selects and gives";
                        self.reading.note(&kind.value.place, what, "here the rules are evaluated as they are written");
                    }
                    for other in spec.entries().iter().filter(|entry| entry.key != "groups") {
                        let what = format!("`{}` is no key of the `spec` of {name}", other.key);
                        self.reading.error(&other.place, what, "it has `groups`");
                    }
                    self.groups(flavor, spec.get("groups"));
                }
            }
            Some((Way::Grafana, _)) => {
                if let Some(spec) = self.spec(root, kind, name) {
                    self.held = true;
                    let groups = provisioning(root, kind, spec.node);
                    // The operator hands texts to Grafana's API as they are.
                    let outside = grafana::Outside { environment: None, ..*self.outside };
                    self.provisioning(&groups, &outside);
                }
            }
            Some((Way::Files, _)) => self.config_map(root, kind),
            Some((Way::Items, of)) => {
                let items = entry(root, "items").map(|items| self.reading.list(&items.value, "`items`"));
                for item in items.unwrap_or_default() {
                    match (entry(item, "kind"), of) {
                        // The items of a list of one kind need not name it.
                        (None, Some(of)) => self.manifest(item, kind, of, version),
                        _ => self.document(item),
                    }
                }
            }
            None => {
                let advice = OTHERS.iter().find(|(other, _)| *other == name).map_or("", |(_, advice)| advice);
                let whole = version.map_or(name.to_owned(), |version| format!("{name} ({version})"));
                self.idle.push((
                    kind.value.place.clone(),
                    format!("a manifest of kind {whole} holds no rules"),
                    advice,
                ));
            }
        }
    }

    /// The `spec` of a manifest.
    fn spec<'n>(&mut self, root: &'n Node, kind: &Entry, name: &str) -> Option<document::Object<'n>> {
        self.held = true;
        match entry(root, "spec").filter(|spec| spec.value.value != Value::Null) {
            Some(spec) => self.reading.mapping(&spec.value, "`spec`", "{ groups: [] }"),
            None => {
                let advice = format!("{name} has `spec: {{ groups: [...] }}`");
                self.reading.error(&kind.place, "a manifest without `spec`", advice);
                None
            }
        }
    }

    /// The rule files in a ConfigMap. What is wrong in one is shown where it stands in the whole.
    fn config_map(&mut self, root: &Node, kind: &Entry) {
        let data = entry(root, "data").map(|data| &data.value);
        let Some(Node { value: Value::Mapping(files), .. }) = data else {
            let what = "this ConfigMap holds no rule file".to_owned();
            return self.idle.push((kind.value.place.clone(), what, "rule files are texts in its `data`"));
        };
        let mut found = false;
        // It is mounted as a folder, whose files are read in the order of their names.
        let mut files: Vec<&Entry> = files.iter().collect();
        files.sort_by(|one, other| one.key.cmp(&other.key));
        for Entry { key, value: node, .. } in files {
            let Value::Scalar { text, .. } = &node.value else { continue };
            let name = format!("{} ({key})", node.place.source.name);
            let source = Arc::new(Source { name, text: text.clone() });
            if !holds_groups(&source) {
                self.passed_over(key, node, &source);
                continue;
            }
            found = true;
            let mut file = File::new(self.outside);
            file.read(&source);
            let (mut rules, reading) = file.finish();
            for (_, note) in rules.newer.iter_mut().filter(|(_, it)| Arc::ptr_eq(&it.place.source, &source)) {
                note.place = node.place_of(note.place.range.clone());
            }
            for (_, place) in rules.deleted.iter_mut().filter(|(_, place)| Arc::ptr_eq(&place.source, &source)) {
                *place = node.place_of(place.range.clone());
            }
            let deletions = self.rules.extend(rules);
            self.reading.extend(deletions);
            let mut told = reading.finish();
            for it in told.iter_mut().filter(|it| Arc::ptr_eq(&it.place.source, &source)) {
                it.place = node.place_of(it.place.range.clone());
            }
            self.reading.extend(told);
        }
        self.held |= found;
        if !found {
            let what = "this ConfigMap holds no rule file".to_owned();
            self.idle.push((kind.value.place.clone(), what, "a rule file is a text that has `groups`"));
        }
    }

    /// A YAML file of a ConfigMap that has no `groups`. What is known to be another kind of file is meant to be one.
    fn passed_over(&mut self, key: &str, node: &Node, source: &Arc<Source>) {
        if !key.ends_with(".yml") && !key.ends_with(".yaml") {
            return;
        }
        let root = document::parse_go(source).into_iter().next().and_then(|document| document.root);
        let Some(Node { value: Value::Mapping(entries), .. }) = root else { return };
        let keys = || entries.iter().map(|entry| entry.key.as_str());
        if keys().any(|key| foreign::file(key).is_some() || matches!(key, "apiVersion" | "kind")) {
            return;
        }
        let meant = entries.iter().find(|entry| document::nearest(&entry.key, ["groups"]).is_some());
        let place = meant.or(entries.first()).map(|entry| node.place_of(entry.place.range.clone()));
        let advice = match meant {
            Some(_) => "did you mean `groups`?",
            None => "a rule file is a text that has `groups`",
        };
        let what = format!("the file `{key}` of this ConfigMap holds no rules: it is passed over");
        self.reading.warning(&place.unwrap_or_else(|| node.place.clone()), what, advice);
    }

    /// The rules, and what was told.
    pub(super) fn finish(mut self) -> (RuleSet, Reading) {
        for (place, what, advice) in self.idle {
            match self.held {
                true => self.reading.note(&place, what, advice),
                false => self.reading.error(&place, what, advice),
            }
        }
        (self.rules, self.reading)
    }
}

/// Whether a text is a rule file, if only a broken one.
fn holds_groups(source: &Arc<Source>) -> bool {
    let first = document::parse_go(source).into_iter().next().and_then(|document| document.root);
    match first {
        Some(root) => entry(&root, "groups").is_some(),
        None => source.text.lines().any(|line| line.starts_with("groups:")),
    }
}

/// Whether a file that does not say so provisions rules of Grafana: by what its groups and their rules have, and those of
/// Prometheus have not.
fn is_provisioning(root: &Node) -> bool {
    let items = |node: &'_ Node, key: &str| match entry(node, key).map(|entry| &entry.value.value) {
        Some(Value::Sequence(items)) => items.clone(),
        _ => Vec::new(),
    };
    let has = |node: &Node, keys: &[&str]| keys.iter().any(|key| entry(node, key).is_some());
    items(root, "groups").iter().any(|group| {
        has(group, &["folder", "orgId"]) || items(group, "rules").iter().any(|rule| has(rule, &["uid", "data"]))
    })
}

fn is_manifest(root: &Node) -> bool {
    entry(root, "kind").is_some() || entry(root, "apiVersion").is_some()
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    match &node.value {
        Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
        _ => None,
    }
}

fn scalar<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    match &entry(node, key)?.value.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// Keys of the operator of Grafana, and what the same is called in a provisioning file.
const RENAMED: &[(&str, &str)] = &[
    ("missingSeriesEvalsToResolve", "missing_series_evals_to_resolve"),
    ("notificationSettings", "notification_settings"),
    ("folderUID", "folder"),
    ("folderRef", "folder"),
];

/// What of the operator's own stands in no provisioning file.
const OPERATORS: &[&str] = &["resyncPeriod", "instanceSelector", "allowCrossNamespaceImport", "editable", "suspend"];

/// A GrafanaAlertRuleGroup as the provisioning file that says the same. All keeps its place.
fn provisioning(root: &Node, kind: &Entry, spec: &Node) -> Node {
    let place = &kind.value.place;
    let node = |value: Value| Node { value, place: place.clone() };
    let text = |text: &str| node(Value::Scalar { text: text.to_owned(), plain: true });
    let made = |key: &str, value: Node| Entry { key: key.to_owned(), place: place.clone(), value };
    let renamed = |entry: &Entry| {
        let name = RENAMED.iter().find(|(key, _)| *key == entry.key).map_or(entry.key.as_str(), |(_, name)| name);
        Entry { key: name.to_owned(), ..entry.clone() }
    };
    let Value::Mapping(entries) = &spec.value else { return node(Value::Null) };
    let kept = entries.iter().filter(|entry| !OPERATORS.contains(&entry.key.as_str()));
    let mut group: Vec<Entry> = kept.map(renamed).collect();
    for entry in group.iter_mut().filter(|entry| entry.key == "rules") {
        if let Value::Sequence(rules) = &mut entry.value.value {
            for rule in rules {
                if let Value::Mapping(entries) = &mut rule.value {
                    *entries = entries.iter().map(renamed).collect();
                }
            }
        }
    }
    if group.iter().all(|entry| entry.key != "name") {
        let name = entry(root, "metadata").and_then(|metadata| entry(&metadata.value, "name"));
        group.extend(name.map(|name| made("name", name.value.clone())));
    }
    let group = Node { value: Value::Mapping(group), place: spec.place.clone() };
    let groups = Node { value: Value::Sequence(vec![group]), place: spec.place.clone() };
    Node {
        value: Value::Mapping(vec![made("apiVersion", text("1")), made("groups", groups)]),
        place: spec.place.clone(),
    }
}
