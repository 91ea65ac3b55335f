//! Groups and their rules, by tables of what each program knows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{AlertRule, Group, RecordRule, Rule, foreign, numbers};
use crate::document::{Diagnostic, Entry, Node, Object, Place, Reading, Severity, Value, instead};
use crate::gotemplate::prometheus::Template;
use crate::promql::{Expression, Semantics};
use crate::time::Duration;

/// What becomes of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// It is obeyed.
    Read,
    /// It has no influence on a verdict; this is said.
    Note(&'static str),
    /// It would have an influence, and is not simulated; this is said.
    Warn(&'static str),
    /// It is refused, and this is why.
    Refuse(&'static str),
}

/// A key and what becomes of it.
pub(super) type Key = (&'static str, Meaning);

/// Whose rules they are.
#[derive(Debug)]
pub(super) struct Flavor {
    /// Keys of a group.
    pub(super) group: &'static [Key],
    /// Keys of a rule.
    pub(super) rule: &'static [Key],
    /// Whether Kubernetes looks at the values first: a text must be a text there.
    pub(super) kubernetes: bool,
    /// The interval of a group that names none.
    pub(super) interval: Option<Duration>,
    /// Whether expressions are MetricsQL, and templates those of vmalert.
    pub(super) victoria: bool,
}

use Meaning::{Note, Read, Refuse, Warn};

const RULE: &[Key] = &[
    ("alert", Read),
    ("record", Read),
    ("expr", Read),
    ("for", Read),
    ("keep_firing_for", Read),
    ("labels", Read),
    ("annotations", Read),
];

/// Rule files of Prometheus.
pub(super) const PROMETHEUS: Flavor = Flavor {
    group: &[
        ("name", Read),
        ("interval", Read),
        ("query_offset", Read),
        ("limit", Read),
        ("labels", Read),
        ("rules", Read),
    ],
    rule: RULE,
    kubernetes: false,
    interval: None,
    victoria: false,
};

/// PrometheusRule, which Thanos reads as well.
pub(super) const OPERATOR: Flavor = Flavor {
    group: &[
        ("name", Read),
        ("interval", Read),
        ("query_offset", Read),
        ("limit", Read),
        ("labels", Read),
        ("rules", Read),
        ("partial_response_strategy", Note("it is for Thanos; Prometheus never sees it")),
    ],
    kubernetes: true,
    ..PROMETHEUS
};

/// Google's Rules, ClusterRules and GlobalRules.
pub(super) const GOOGLE: Flavor = Flavor {
    group: &[("name", Read), ("interval", Read), ("rules", Read)],
    rule: &[("alert", Read), ("record", Read), ("expr", Read), ("for", Read), ("labels", Read), ("annotations", Read)],
    kubernetes: true,
    interval: Some(Duration::minutes(1)),
    victoria: false,
};

/// OpenShift's AlertingRule.
pub(super) const OPENSHIFT: Flavor = Flavor {
    group: &[("name", Read), ("interval", Read), ("rules", Read)],
    rule: &[
        ("alert", Read),
        ("expr", Read),
        ("for", Read),
        ("labels", Read),
        ("annotations", Read),
        ("record", Refuse("an AlertingRule holds alerts only; write a PrometheusRule")),
    ],
    kubernetes: true,
    interval: None,
    victoria: false,
};

/// VictoriaMetrics's VMRule.
pub(super) const VICTORIA: Flavor = Flavor {
    group: &[
        ("name", Read),
        ("interval", Read),
        ("limit", Read),
        ("labels", Read),
        ("rules", Read),
        ("concurrency", Note("rules are evaluated one after another here")),
        ("eval_alignment", Note("evaluations are on a grid here")),
        ("headers", Note("requests have no headers here")),
        ("notifier_headers", Note("requests have no headers here")),
        ("eval_offset", Warn("it is not simulated")),
        ("eval_delay", Warn("it is not simulated")),
        ("tenant", Warn("there is one tenant here")),
        // Its value decides.
        ("type", Read),
        ("extra_filter_labels", Refuse("it adds matchers to every selector, which is not simulated: write them out")),
        ("params", Refuse("parameters of requests are not simulated")),
    ],
    rule: &[
        ("alert", Read),
        ("record", Read),
        ("expr", Read),
        ("for", Read),
        ("keep_firing_for", Read),
        ("labels", Read),
        ("annotations", Read),
        ("debug", Note("it only makes vmalert write more")),
        ("update_entries_limit", Note("it only says how much vmalert remembers")),
    ],
    kubernetes: true,
    interval: None,
    victoria: true,
};

/// The entries of a mapping of texts, with what each value is written as.
type Pairs<'n> = Vec<(&'n Entry, &'n str)>;

/// Names, and the templates of their values.
type Templates = Vec<(String, Template)>;

/// A reading of groups.
pub(super) struct Groups<'r> {
    pub(super) flavor: &'static Flavor,
    pub(super) reading: &'r mut Reading,
    /// What only newer versions of Prometheus accept.
    pub(super) newer: Vec<(Semantics, Diagnostic)>,
    /// Names and labels of the rules so far.
    seen: BTreeSet<(String, Vec<(String, String)>)>,
    /// Whether it was told that MetricsQL reckons otherwise.
    reckoned: bool,
}

impl<'r> Groups<'r> {
    pub(super) fn new(flavor: &'static Flavor, reading: &'r mut Reading) -> Groups<'r> {
        Groups { flavor, reading, newer: Vec::new(), seen: BTreeSet::new(), reckoned: false }
    }

    /// What stands at `groups`: in a rule file or in the `spec` of a manifest.
    pub(super) fn read(&mut self, list: &Node) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for node in self.items(list, "`groups`") {
            let Some(group) = self.group(node) else { continue };
            if groups.iter().any(|other| other.name == group.name) {
                let what = format!("two groups are called `{}`", group.name);
                self.reading.error(&node.place, what, "rename one of them");
            }
            groups.push(group);
        }
        groups
    }

    /// The items of a list; to Go one that is null is none.
    fn items<'n>(&mut self, list: &'n Node, what: &str) -> impl Iterator<Item = &'n Node> + use<'n> {
        let items = self.reading.list(list, what);
        if self.flavor.kubernetes {
            for empty in items.iter().filter(|item| item.value == Value::Null) {
                self.reading.error(&empty.place, format!("an item of {what} is empty"), "leave it out");
            }
        }
        items.iter().filter(|item| item.value != Value::Null)
    }

    /// A mapping whose keys are known.
    fn object<'n>(&mut self, node: &'n Node, what: &str, keys: &[Key], example: &str) -> Option<Object<'n>> {
        let object = self.reading.mapping(node, what, example)?;
        for Entry { key, place, .. } in object.entries() {
            match keys.iter().find(|(known, _)| known == key).map(|(_, meaning)| meaning) {
                Some(Read) => {}
                Some(Note(why)) => self.reading.note(place, format!("`{key}` has no effect here"), *why),
                Some(Warn(why)) => self.reading.warning(place, format!("`{key}` has no effect here"), *why),
                Some(Refuse(why)) => self.reading.error(place, format!("`{key}` is refused here"), *why),
                None => {
                    let advice = match foreign::owner(key) {
                        Some(owner) => format!("it is a key of {owner}; leave it out"),
                        None => instead(key, keys.iter().map(|(known, _)| *known)),
                    };
                    self.reading.error(place, format!("`{key}` is no key of {what}"), advice);
                }
            }
        }
        Some(object)
    }

    /// A text at a key; none when it is not there, null or empty.
    fn text<'n>(&mut self, object: &Object<'n>, key: &str) -> Option<&'n str> {
        let node = object.get(key)?;
        self.text_of(node, &format!("`{key}`")).filter(|text| !text.is_empty())
    }

    /// A text: to Go any scalar is one, to Kubernetes only what is one in YAML.
    fn text_of<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.reading.text(node, what)?;
        let plain = matches!(node.value, Value::Scalar { plain: true, .. });
        if self.flavor.kubernetes && plain && (numbers::is_number(text) || numbers::is_truth(text)) {
            let what = format!("{what} must be a text, and `{text}` is none to Kubernetes");
            self.reading.error(&node.place, what, format!("write it in quotes: \"{text}\""));
            return None;
        }
        Some(text)
    }

    fn duration(&mut self, object: &Object<'_>, key: &str) -> Option<Duration> {
        let node = object.get(key)?;
        self.text_of(node, &format!("`{key}`"))?;
        self.reading.parsed(node, &format!("`{key}`"), Duration::from_prometheus)
    }

    fn group(&mut self, node: &Node) -> Option<Group> {
        let object = self.object(node, "a group", self.flavor.group, "{ name: kestra, rules: [] }")?;
        let name = self.text(&object, "name").map(str::to_owned);
        if name.is_none() {
            let place = object.entry("name").map_or(&node.place, |entry| &entry.place).first_line();
            self.reading.error(
                &place,
                "a group has no name",
                "add `name: kestra`, which no other group of the file has",
            );
        }
        let interval = self.duration(&object, "interval").filter(|it| !it.is_zero()).or(self.flavor.interval);
        let query_offset = self.duration(&object, "query_offset");
        for (key, since) in [("query_offset", Semantics::V2_53), ("labels", Semantics::V3)] {
            if let Some(entry) = object.entry(key) {
                self.newer(&entry.place, since, &format!("the key `{key}` of a group"));
            }
        }
        let limit = object.get("limit").and_then(|node| self.limit(node)).unwrap_or(0);
        let common = self.labels(&object);
        let sort = object.get("type").and_then(|node| Some((node, self.text_of(node, "`type`")?)));
        if let Some((node, sort)) = sort.filter(|(_, sort)| !matches!(*sort, "" | "prometheus")) {
            let what = format!("rules of type `{sort}` are not Prometheus's");
            self.reading.error(&node.place, what, "only `prometheus` is simulated");
        }
        let mut rules = Vec::new();
        if let Some(list) = object.get("rules") {
            for node in self.items(list, "`rules`") {
                rules.extend(self.rule(node, &common));
            }
        }
        Some(Group { name: name?, interval, query_offset, limit, rules })
    }

    /// A limit: below one it is none.
    fn limit(&mut self, node: &Node) -> Option<usize> {
        let found = match &node.value {
            Value::Scalar { text, plain: true } => {
                numbers::whole(text).filter(|_| !self.flavor.kubernetes || !text.contains(['.', 'e']))
            }
            _ => None,
        };
        if found.is_none() {
            let written = match &node.value {
                Value::Scalar { text, .. } => format!("`{text}`"),
                other => other.describe().to_owned(),
            };
            self.reading.error(&node.place, format!("`limit` is {written}"), "write a whole number, without quotes");
        }
        found.map(|limit| usize::try_from(limit).unwrap_or(0))
    }

    fn rule(&mut self, node: &Node, common: &[(String, String)]) -> Option<Rule> {
        let object = self.object(node, "a rule", self.flavor.rule, "{ alert: KestraDown, expr: up == 0 }")?;
        let expression = self.expression(node, &object);
        let hold = self.duration(&object, "for").unwrap_or(Duration::ZERO);
        let keep_firing = self.duration(&object, "keep_firing_for").unwrap_or(Duration::ZERO);
        match (self.text(&object, "alert"), self.text(&object, "record")) {
            (Some(name), None) => {
                let (labels, annotations) = self.alert(&object, name, common);
                let (name, expression) = (name.to_owned(), expression?);
                let rule = AlertRule { name, expression, hold, keep_firing, labels, annotations };
                Some(Rule::Alert(Arc::new(rule)))
            }
            (None, Some(name)) => {
                let labels = self.record(&object, name, common, !hold.is_zero(), !keep_firing.is_zero());
                Some(Rule::Record(Arc::new(RecordRule { name: name.to_owned(), expression: expression?, labels })))
            }
            (Some(_), Some(_)) => {
                let place = object.entry("record").map_or(&node.place, |entry| &entry.place);
                self.reading.error(place, "a rule is either `alert` or `record`", "write two rules");
                None
            }
            (None, None) => {
                let there = object.entry("alert").or(object.entry("record"));
                let place = there.map_or(node.place.first_line(), |entry| entry.place.clone());
                self.reading.error(&place, "a rule has no name", "add `alert: NAME` or `record: NAME`");
                None
            }
        }
    }

    /// The labels and annotations of an alert.
    fn alert(&mut self, object: &Object<'_>, name: &str, common: &[(String, String)]) -> (Templates, Templates) {
        let labels = self.pairs(object, "labels");
        let annotations = self.pairs(object, "annotations");
        self.lint(object.node, name, &labels);
        let own = self.templates(&labels);
        let of_group = common
            .iter()
            .filter(|(key, _)| own.iter().all(|(other, _)| other != key))
            .map(|(key, text)| (key.clone(), of_group(name, text)));
        (of_group.chain(own.iter().cloned()).collect(), self.templates(&annotations))
    }

    /// The labels of a recording rule.
    fn record(
        &mut self,
        object: &Object<'_>,
        name: &str,
        common: &[(String, String)],
        holds: bool,
        keeps: bool,
    ) -> Vec<(String, String)> {
        let annotated = !self.pairs(object, "annotations").is_empty();
        for (key, there) in [("for", holds), ("keep_firing_for", keeps), ("annotations", annotated)] {
            if let Some(entry) = object.entry(key).filter(|_| there) {
                let what = format!("a recording rule has no `{key}`");
                self.reading.error(&entry.place, what, "only alerts do");
            }
        }
        let place = object.get("record").map_or(&object.node.place, |node| &node.place);
        self.named(place, name, true);
        if name.contains(['{', '}']) {
            let what = format!("`{name}` is no name of a series: it has braces");
            self.reading.error(place, what, "write labels in `labels`, and an expression in `expr`");
        }
        let pairs = self.pairs(object, "labels");
        self.lint(object.node, name, &pairs);
        let mut labels = common.to_vec();
        labels.retain(|(key, _)| pairs.iter().all(|(entry, _)| entry.key != *key));
        labels.extend(pairs.into_iter().map(|(entry, text)| (entry.key.clone(), text.to_owned())));
        labels
    }

    fn expression(&mut self, rule: &Node, object: &Object<'_>) -> Option<Expression> {
        let node = object.get("expr");
        // Kubernetes takes a whole number for an expression.
        let whole = |text: &str| numbers::whole(text).is_some() && !text.contains(['.', 'e', '_']);
        let text = match node.map(|node| (node, &node.value)) {
            Some((_, Value::Scalar { text, plain: true })) if whole(text) => Some(text.as_str()),
            Some((node, _)) => Some(self.text_of(node, "`expr`")?),
            None => None,
        };
        let Some((node, text)) = node.zip(text.filter(|text| !text.is_empty())) else {
            let place = object.entry("expr").map_or(rule.place.first_line(), |entry| entry.place.clone());
            self.reading.error(&place, "a rule has no `expr`", "add `expr: up == 0`");
            return None;
        };
        let victoria = self.flavor.victoria;
        match Expression::parse(text) {
            Ok(expression) => {
                let otherwise = foreign::reckoned_otherwise(text).filter(|_| victoria && !self.reckoned);
                if let Some(function) = otherwise {
                    self.reckoned = true;
                    let what = format!("`{function}` is reckoned as PromQL does, with extrapolation");
                    self.reading.warning(&node.place, what, "MetricsQL does not extrapolate: values differ a little");
                }
                for newer in expression.newer() {
                    let place = node.place_of(newer.span);
                    self.newer_by(&place, newer.since, newer.refused_by, newer.what);
                }
                Some(expression)
            }
            Err(why) => {
                let foreign = foreign::metricsql(text).filter(|_| victoria);
                let (what, advice) = match foreign {
                    Some(word) => {
                        (format!("`{word}` is MetricsQL, which is not evaluated here"), "write it in PromQL".to_owned())
                    }
                    None => {
                        let form = foreign::form_of_metricsql(text, &why.message).filter(|_| victoria);
                        let advice = match form {
                            Some(form) => format!("MetricsQL has {form}, PromQL has not: write it in PromQL"),
                            None => why.advice.unwrap_or_default(),
                        };
                        (format!("`expr` cannot be evaluated: {}", why.message), advice)
                    }
                };
                let at = foreign.and_then(|word| text.find(word).map(|at| at..at + word.len()));
                self.reading.error_within(node, at.unwrap_or(why.span), what, advice);
                None
            }
        }
    }

    /// The pairs of `labels` or `annotations`; to Go a value that is null is an empty text.
    fn pairs<'n>(&mut self, object: &Object<'n>, key: &str) -> Pairs<'n> {
        let Some(node) = object.get(key) else { return Vec::new() };
        let Some(object) = self.reading.mapping(node, &format!("`{key}`"), "{ severity: page }") else {
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for entry in object.entries() {
            let name = &entry.key;
            self.named(&entry.place, name, false);
            if name.is_empty() || (name == "__name__" && key == "labels") {
                let what =
                    format!("`{name}` is no name of {}", if key == "labels" { "a label" } else { "an annotation" });
                self.reading.error(&entry.place, what, "rename it");
            }
            match &entry.value.value {
                Value::Null => pairs.push((entry, "")),
                _ => pairs.extend(self.text_of(&entry.value, &format!("`{name}`")).map(|text| (entry, text))),
            }
        }
        pairs
    }

    /// Labels that are texts.
    fn labels(&mut self, object: &Object<'_>) -> Vec<(String, String)> {
        self.pairs(object, "labels").into_iter().map(|(entry, text)| (entry.key.clone(), text.to_owned())).collect()
    }

    /// Texts with templates.
    fn templates(&mut self, pairs: &Pairs<'_>) -> Templates {
        let mut all = Vec::with_capacity(pairs.len());
        for (entry, text) in pairs {
            let template = match Template::parse(text) {
                Ok(template) => template,
                Err(why) if self.flavor.victoria => {
                    let what = format!("this template is kept as it is: {why}");
                    self.reading.warning(&entry.value.place, what, "templates are those of Prometheus here");
                    Template::verbatim(text)
                }
                Err(why) => {
                    let what = format!("`{}` holds a template that cannot be read: {why}", entry.key);
                    self.reading.error(&entry.value.place, what, advice_for(&why));
                    continue;
                }
            };
            all.push((entry.key.clone(), template));
        }
        all
    }

    /// Notes what Prometheus accepts since some version only.
    fn newer(&mut self, place: &Place, since: Semantics, what: &str) {
        let by = if since == Semantics::V3 { "Prometheus before 3.0" } else { "Prometheus before 2.53" };
        self.newer_by(place, since, by, what);
    }

    fn newer_by(&mut self, place: &Place, since: Semantics, by: &str, what: &str) {
        let newest = since > Semantics::default();
        let (severity, what, advice) = match newest {
            true => {
                (Severity::Error, format!("{by} refuses {what}"), Some("yours is newer? Say `--semantics 3.16`".into()))
            }
            false => (Severity::Note, format!("{by} refuses {what}; it is read as newer versions read it"), None),
        };
        let note = Diagnostic { severity, place: place.clone(), what, advice, warnings: 0 };
        self.newer.push((since, note));
    }

    /// Notes a name of a series, a label or an annotation that is not as they were before any text could be one.
    fn named(&mut self, place: &Place, name: &str, of_series: bool) {
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (of_series && c == ':');
        if !name.chars().all(part) || name.starts_with(|c: char| c.is_ascii_digit()) {
            self.newer(place, Semantics::V3, &format!("the name `{name}`"));
        }
    }

    /// Tells of a rule whose name and labels are those of another, as promtool's lint does.
    fn lint(&mut self, node: &Node, name: &str, labels: &Pairs<'_>) {
        let mut labels: Vec<_> = labels.iter().map(|(entry, text)| (entry.key.clone(), (*text).to_owned())).collect();
        labels.sort();
        if !self.seen.insert((name.to_owned(), labels)) {
            let what = format!("another rule is called `{name}` and has the same labels");
            let advice = "promtool's lint counts it; what both give must be different series";
            self.reading.note(&node.place.first_line(), what, advice);
        }
    }
}

/// A label of the group, which Prometheus expands for each alert without having read it first.
fn of_group(alert: &str, text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|why| {
        let name = format!("__alert_{alert}");
        Template::verbatim(&format!(
            "<error expanding template: error parsing template {name}: template: {name}:1: {why}>"
        ))
    })
}

/// What to write instead of a template that cannot be read.
fn advice_for(why: &str) -> &'static str {
    let known = [
        ("function", "the functions are those of Go's templates and of Prometheus's template reference"),
        ("undefined variable", "there are $labels, $value, $externalLabels and $externalURL; declare others with `:=`"),
        ("unclosed action", "end it with `}}`"),
        ("unexpected EOF", "end `if`, `with`, `range` and `define` with `{{ end }}`"),
    ];
    known
        .into_iter()
        .find(|(part, _)| why.contains(part))
        .map_or("Prometheus refuses such a file", |(_, advice)| advice)
}
