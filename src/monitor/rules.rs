//! Rule files of Prometheus, and the same inside PrometheusRule manifests.

use std::sync::Arc;

use super::grafana;
use super::template::Template;
use crate::document::{self, Diagnostic, Entry, Field, Kind, Node, Reading, Source, Value};
use crate::promql::Expression;
use crate::time::Duration;

/// A group of rules, evaluated one after another.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How often, when not as often as all.
    pub interval: Option<Duration>,
    /// More series than this are a failure; 0 is no limit.
    pub limit: usize,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug)]
pub enum Rule {
    /// `record`: writes a series.
    Record(Arc<RecordRule>),
    /// `alert`.
    Alert(Arc<AlertRule>),
}

/// A recorded series.
#[derive(Clone, Debug)]
pub struct RecordRule {
    /// The name of the series.
    pub name: String,
    /// What it is.
    pub expression: Expression,
    /// Labels it gets.
    pub labels: Vec<(String, String)>,
}

/// An alert.
#[derive(Clone, Debug)]
pub struct AlertRule {
    /// Its name.
    pub name: String,
    /// Its condition.
    pub expression: Expression,
    /// `for`.
    pub hold: Duration,
    /// `keep_firing_for`.
    pub keep_firing: Duration,
    /// Labels it gets.
    pub labels: Vec<(String, Template)>,
    /// For people.
    pub annotations: Vec<(String, Template)>,
}

impl Rule {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Rule::Record(rule) => &rule.name,
            Rule::Alert(rule) => &rule.name,
        }
    }
    /// Its expression.
    pub fn expression(&self) -> &Expression {
        match self {
            Rule::Record(rule) => &rule.expression,
            Rule::Alert(rule) => &rule.expression,
        }
    }
}

const DURATION: Kind = Kind::Pattern("^[0-9]");

const RULE: &[Field] = &[
    Field::new("alert", Kind::Text, "KestraDown", "Name of an alert."),
    Field::new("record", Kind::Text, "job:up:sum", "Name of a recorded series."),
    Field::required("expr", Kind::Text, "up == 0", "PromQL."),
    Field::new("for", DURATION, "5m", "How long the condition must hold."),
    Field::new("keep_firing_for", DURATION, "5m", "How long it fires on."),
    Field::new("labels", Kind::Any, "{ severity: page }", "Labels it gets."),
    Field::new("annotations", Kind::Any, "{ summary: it is down }", "For people."),
];

const GROUP: &[Field] = &[
    Field::required("name", Kind::Text, "kestra", "Unique in the file."),
    Field::new("interval", DURATION, "15s", "How often it is evaluated."),
    Field::new("limit", Kind::Number, "0", "Most series of a rule."),
    Field::new("query_offset", DURATION, "0s", "Not supported."),
    Field::new("labels", Kind::Any, "{ team: data }", "Labels of all its rules."),
    Field::new("partial_response_strategy", Kind::Text, "warn", "Of Thanos; not read."),
    Field::required("rules", Kind::List(&Kind::Object(RULE)), "[ { alert: Down, expr: up == 0 } ]", "The rules."),
];

const FILE: &[Field] =
    &[Field::required("groups", Kind::List(&Kind::Object(GROUP)), "[ { name: kestra, rules: [] } ]", "The groups.")];

/// Rules of all kinds.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Groups of Prometheus.
    pub groups: Vec<Group>,
    /// Groups of Grafana.
    pub grafana: Vec<grafana::Group>,
}

impl RuleSet {
    /// The names of all alerts, in the order of the rules.
    pub fn alerts(&self) -> impl Iterator<Item = &str> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        let alerts = rules.filter(|rule| matches!(rule, Rule::Alert(_))).map(Rule::name);
        alerts.chain(self.grafana.iter().flat_map(|group| group.rules.iter().map(|rule| rule.title.as_str())))
    }
    /// Adds those of another file.
    pub fn extend(&mut self, other: RuleSet) {
        self.groups.extend(other.groups);
        self.grafana.extend(other.grafana);
    }
}

/// Reads a rule file of Prometheus, a file of PrometheusRule manifests (several documents in one), or a provisioning file of
/// Grafana.
///
/// # Errors
/// All that is wrong with it.
pub fn read(file_name: &str, text: &str) -> Result<(RuleSet, Vec<Diagnostic>), Vec<Diagnostic>> {
    read_with(file_name, text, &grafana::Outside::default())
}

/// The same, with what decides how Grafana reads a file and does not stand in it.
///
/// # Errors
/// All that is wrong with it.
pub fn read_with(
    file_name: &str,
    text: &str,
    outside: &grafana::Outside<'_>,
) -> Result<(RuleSet, Vec<Diagnostic>), Vec<Diagnostic>> {
    let source = Arc::new(Source { name: file_name.to_owned(), text: text.to_owned() });
    let (roots, diagnostics) = document::parse_all(&source);
    let mut reading = Reading::default();
    reading.extend(diagnostics);
    let mut rules = RuleSet::default();
    for root in &roots {
        let version = key(root, "apiVersion").map(|entry| &entry.value.value);
        match version {
            Some(Value::Scalar { text, .. }) if text == "1" => {
                grafana::document_groups(root, &mut rules.grafana, &mut reading, outside);
            }
            _ => document_groups(root, &mut rules.groups, &mut reading),
        }
    }
    if reading.failed() { Err(reading.finish()) } else { Ok((rules, reading.finish())) }
}

fn key<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    match &node.value {
        Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
        _ => None,
    }
}

fn document_groups(root: &Node, groups: &mut Vec<Group>, reading: &mut Reading) {
    // A manifest carries the groups in its `spec`; others may stand beside it in a file.
    let spec = match key(root, "kind") {
        None => root,
        Some(entry) => match reading.text(&entry.value, "`kind`") {
            Some("PrometheusRule") => match key(root, "spec") {
                Some(spec) => &spec.value,
                None => {
                    let place = &entry.place;
                    reading.error(place, "a manifest without `spec`", "PrometheusRule has `spec: { groups: [...] }`");
                    return;
                }
            },
            Some("List" | "PrometheusRuleList") => {
                let items = key(root, "items").map(|items| reading.list(&items.value, "`items`")).unwrap_or_default();
                for item in items {
                    document_groups(item, groups, reading);
                }
                return;
            }
            Some(other) => {
                reading.warning(&entry.value.place, format!("a manifest of kind {other} holds no rules"), "");
                return;
            }
            None => return,
        },
    };
    let Some(object) = reading.object(spec, "a rule file", FILE) else { return };
    let Some(list) = object.get("groups") else { return };
    let first = groups.len();
    for node in reading.list(list, "`groups`") {
        if let Some(group) = group(node, reading) {
            if groups[first..].iter().any(|other| other.name == group.name) {
                reading.error(&node.place, format!("two groups are called `{}`", group.name), "rename one of them");
            }
            groups.push(group);
        }
    }
}

fn group(node: &Node, reading: &mut Reading) -> Option<Group> {
    let object = reading.object(node, "a group", GROUP)?;
    let name = reading.text(object.get("name")?, "`name`")?.to_owned();
    let interval = object.get("interval").and_then(|node| reading.parsed(node, "`interval`", str::parse::<Duration>));
    if let Some(entry) = object.entry("query_offset") {
        reading.warning(&entry.place, "`query_offset` is not reckoned with", "");
    }
    let limit = object.get("limit").and_then(|node| reading.count(node, "`limit`", 0..=1_000_000));
    let common = object.get("labels").map(|node| labels(node, reading)).unwrap_or_default();
    let mut rules = Vec::new();
    for node in reading.list(object.get("rules")?, "`rules`") {
        rules.extend(rule(node, &common, reading));
    }
    Some(Group { name, interval: interval.filter(|it| !it.is_zero()), limit: limit.unwrap_or(0) as usize, rules })
}

fn rule(node: &Node, common: &[(String, String)], reading: &mut Reading) -> Option<Rule> {
    let object = reading.object(node, "a rule", RULE)?;
    let expr = object.get("expr")?;
    let text = reading.text(expr, "`expr`")?;
    let expression = match Expression::parse(text) {
        Ok(expression) => Some(expression),
        Err(why) => {
            let what = format!("`expr` cannot be evaluated: {}", why.message);
            reading.error_within(expr, why.span, what, why.advice.unwrap_or_default());
            None
        }
    };
    let duration = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.parsed(node, &format!("`{key}`"), str::parse::<Duration>))
    };
    let (hold, keep_firing) = (duration(reading, "for"), duration(reading, "keep_firing_for"));
    match (object.entry("alert"), object.entry("record")) {
        (Some(alert), None) => {
            let templates = |reading: &mut Reading, key: &str| {
                object.get(key).map(|node| templates(node, key, reading)).unwrap_or_default()
            };
            let (own, annotations) = (templates(reading, "labels"), templates(reading, "annotations"));
            let group = common.iter().filter(|(key, _)| own.iter().all(|(other, _)| other != key));
            let template = |text: &str| Template::parse(text).unwrap_or_else(|_| Template::verbatim(text));
            let labels = group.map(|(key, text)| (key.clone(), template(text))).chain(own.iter().cloned()).collect();
            Some(Rule::Alert(Arc::new(AlertRule {
                name: reading.text(&alert.value, "`alert`")?.to_owned(),
                expression: expression?,
                hold: hold.unwrap_or(Duration::ZERO),
                keep_firing: keep_firing.unwrap_or(Duration::ZERO),
                labels,
                annotations,
            })))
        }
        (None, Some(record)) => {
            for key in ["for", "keep_firing_for", "annotations"] {
                if let Some(entry) = object.entry(key) {
                    reading.error(&entry.place, format!("a recording rule has no `{key}`"), "only alerts do");
                }
            }
            let name = reading.text(&record.value, "`record`")?.to_owned();
            let mut all = common.to_vec();
            for (key, value) in object.get("labels").map(|node| labels(node, reading)).unwrap_or_default() {
                all.retain(|(other, _)| *other != key);
                all.push((key, value));
            }
            Some(Rule::Record(Arc::new(RecordRule { name, expression: expression?, labels: all })))
        }
        (Some(_), Some(record)) => {
            reading.error(&record.place, "a rule is either `alert` or `record`", "write two rules");
            None
        }
        (None, None) => {
            reading.error(&node.place, "a rule needs `alert` or `record`", "add `alert: NAME`");
            None
        }
    }
}

fn labels(node: &Node, reading: &mut Reading) -> Vec<(String, String)> {
    let Value::Mapping(entries) = &node.value else {
        reading.error(&node.place, format!("`labels` must be a mapping, not {}", node.value.describe()), "");
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), reading.text(&entry.value, "a label")?.to_owned())))
        .collect()
}

/// Texts with templates. What cannot be expanded is kept as it is, with a word about it.
pub(super) fn templates(node: &Node, what: &str, reading: &mut Reading) -> Vec<(String, Template)> {
    let Value::Mapping(entries) = &node.value else {
        reading.error(&node.place, format!("`{what}` must be a mapping, not {}", node.value.describe()), "");
        return Vec::new();
    };
    let mut all = Vec::new();
    for entry in entries {
        let text = match &entry.value.value {
            Value::Null => "",
            _ => match reading.text(&entry.value, &format!("`{}`", entry.key)) {
                Some(text) => text,
                None => continue,
            },
        };
        let template = Template::parse(text).unwrap_or_else(|why| {
            reading.warning(&entry.value.place, format!("this template is kept as it is: {why}"), "");
            Template::verbatim(text)
        });
        all.push((entry.key.clone(), template));
    }
    all
}
