//! Provisioning files of Grafana: `apiVersion: 1`, `groups: [...]`, as `pkg/services/provisioning/alerting` reads them.

mod graph;

use std::sync::Arc;

use super::duration::of_rule;
use super::outside::{Outside, interpolate};
use super::{GrafanaRule, GrafanaVersion, Group, OnTrouble};
use crate::document::{Field, Kind, Node, Object, Place, Reading, Value, nearest};
use crate::gotemplate::prometheus::Template;
use crate::time::Duration;

const FILE: &[Field] = &[
    Field::new("apiVersion", Kind::Number, "1", "Always 1; Grafana reads a file without it all the same."),
    Field::new(
        "groups",
        Kind::List(&Kind::Open(GROUP)),
        "[ { name: kestra, folder: ops, interval: 1m, rules: [] } ]",
        "Groups.",
    ),
    Field::new("deleteRules", Kind::Any, "[ { uid: old } ]", "Rules that are deleted."),
];

/// What else Grafana provisions by files: the key, and what it is.
const ELSEWHERE: &[(&str, &str)] = &[
    ("contactPoints", "contact points"),
    ("deleteContactPoints", "contact points that are deleted"),
    ("policies", "notification policies"),
    ("resetPolicies", "notification policies that are reset"),
    ("muteTimes", "mute timings"),
    ("deleteMuteTimes", "mute timings that are deleted"),
    ("templates", "notification templates"),
    ("deleteTemplates", "notification templates that are deleted"),
    ("datasources", "data sources"),
    ("deleteDatasources", "data sources that are deleted"),
    ("providers", "dashboards"),
    ("apps", "plugins"),
    ("prune", "data sources that are no longer provisioned"),
];

const GROUP: &[Field] = &[
    Field::required("name", Kind::Text, "kestra", "Its name."),
    Field::required("folder", Kind::Text, "ops", "A label of its alerts."),
    Field::required("interval", Kind::Text, "1m", "How often it is evaluated."),
    Field::required("rules", Kind::List(&Kind::Open(RULE)), "[ ]", "Its rules."),
    Field::new("orgId", Kind::Any, "1", "Its organization."),
];

const RULE: &[Field] = &[
    Field::required("uid", Kind::Text, "kestra-down", "Its own, which no other rule has."),
    Field::required("title", Kind::Text, "Kestra down", "Its name."),
    Field::new("condition", Kind::Any, "C", "The node that decides."),
    Field::required("data", Kind::List(&Kind::Open(DATA)), "[ ]", "Its nodes."),
    Field::new("for", Kind::Any, "5m", "How long the condition must hold."),
    Field::new("keepFiringFor", Kind::Any, "5m", "How long it fires on."),
    Field::new("noDataState", Kind::Any, "NoData", "Without data."),
    Field::new("execErrState", Kind::Any, "Error", "When it cannot be evaluated."),
    Field::new("missing_series_evals_to_resolve", Kind::Any, "2", "Evaluations until a lost series is resolved."),
    Field::new("isPaused", Kind::Any, "false", "It is not evaluated."),
    Field::new("labels", Kind::Any, "{ severity: page }", "Labels it gets."),
    Field::new("annotations", Kind::Any, "{ summary: it is down }", "For people."),
    Field::new("record", Kind::Any, "{ metric: x, from: A }", "A recording rule."),
    Field::new("dashboardUid", Kind::Any, "kestra", "A dashboard it belongs to."),
    Field::new("dasboardUid", Kind::Any, "kestra", "The same, as it was once written."),
    Field::new("panelId", Kind::Any, "3", "A panel of it."),
    Field::new("notification_settings", Kind::Any, "{ receiver: mail }", "Whom it is sent to."),
];

const DATA: &[Field] = &[
    Field::required("refId", Kind::Text, "A", "Its name."),
    Field::required("datasourceUid", Kind::Text, "prometheus", "Whom it asks; __expr__ for expressions."),
    Field::new("relativeTimeRange", Kind::Any, "{ from: 600, to: 0 }", "Seconds before the evaluation."),
    Field::new("queryType", Kind::Any, "''", "Of some data sources."),
    Field::required("model", Kind::Any, "{ expr: up, instant: true }", "What it does."),
];

const TROUBLE: &[(&str, OnTrouble)] = &[
    ("NoData", OnTrouble::Tell),
    ("Alerting", OnTrouble::Alerting),
    ("OK", OnTrouble::Ok),
    ("KeepLast", OnTrouble::KeepLast),
];
const ERROR: &[(&str, OnTrouble)] = &[
    ("Alerting", OnTrouble::Alerting),
    ("Error", OnTrouble::Tell),
    ("OK", OnTrouble::Ok),
    ("KeepLast", OnTrouble::KeepLast),
];

/// Reads one document.
pub(in crate::monitor) fn document_groups(
    root: &Node,
    groups: &mut Vec<Group>,
    deletes: &mut Vec<(String, Place)>,
    reading: &mut Reading,
    outside: &Outside<'_>,
) {
    let Some(object) = reading.open(root, "a provisioning file of Grafana", FILE) else { return };
    let mut reader = Reader { reading, outside, rules: Vec::new(), strangers: Vec::new() };
    reader.elsewhere(&object);
    let deleted = reader.deleted(&object);
    for node in object.get("groups").map(|node| reader.reading.list(node, "`groups`")).unwrap_or_default() {
        if let Some(mut group) = reader.group(node) {
            group.rules.retain(|rule| deleted.iter().all(|(uid, _)| *uid != rule.uid));
            groups.push(group);
        }
    }
    reader.deletions(&deleted);
    deletes.extend(deleted);
}

/// A file under way.
struct Reader<'r> {
    reading: &'r mut Reading,
    outside: &'r Outside<'r>,
    /// What there was so far.
    rules: Vec<Known>,
    /// Data sources that nobody has provisioned, as far as they were told.
    strangers: Vec<String>,
}

/// A rule that was read: which it is, and where.
struct Known {
    organization: String,
    uid: String,
    folder: String,
    title: String,
    place: Place,
}

/// Where a rule stands.
struct Above<'a> {
    organization: &'a str,
    folder: &'a str,
}

impl Reader<'_> {
    /// What Grafana does with other keys of the file.
    fn elsewhere(&mut self, object: &Object<'_>) {
        let known = |key: &str| FILE.iter().any(|field| field.key == key);
        let names = || FILE.iter().map(|field| field.key).chain(ELSEWHERE.iter().map(|(key, _)| *key));
        let mut means = object.entries().iter().filter(|entry| entry.key != "apiVersion");
        let something = means.any(|entry| names().any(|name| name == entry.key));
        for entry in object.entries().iter().filter(|entry| !known(&entry.key)) {
            match ELSEWHERE.iter().find(|(key, _)| *key == entry.key) {
                Some((_, what)) => {
                    self.reading.note(&entry.place, format!("{what} are not simulated: they are left out"), "");
                }
                None if something => self.unread(&entry.place, "a provisioning file", &entry.key, names()),
                None => {
                    self.reading.unknown(&entry.place, "key of a provisioning file of Grafana", &entry.key, names())
                }
            }
        }
        if !something && object.entries().len() < 2 {
            self.reading.warning(&object.node.place, "this provisioning file holds nothing", "add `groups: [ .. ]`");
        }
    }

    /// A key that Grafana passes over.
    fn unread<'c>(&mut self, place: &Place, what: &str, key: &str, known: impl Iterator<Item = &'c str> + Clone) {
        let advice = nearest(key, known).map(|it| format!("did you mean `{it}`?")).unwrap_or_default();
        self.reading.warning(place, format!("Grafana does not read `{key}` of {what}"), advice);
    }

    /// A mapping of Grafana: it passes over keys that it does not know.
    fn open<'n>(&mut self, node: &'n Node, what: &str, fields: &[Field]) -> Option<Object<'n>> {
        let object = self.reading.open(node, what, fields)?;
        for entry in object.entries().iter().filter(|entry| fields.iter().all(|field| field.key != entry.key)) {
            self.unread(&entry.place, what, &entry.key, fields.iter().map(|field| field.key));
        }
        Some(object)
    }

    /// The uids of `deleteRules`, and where they stand.
    fn deleted(&mut self, object: &Object<'_>) -> Vec<(String, Place)> {
        let mut all = Vec::new();
        for node in object.get("deleteRules").map(|node| self.reading.list(node, "`deleteRules`")).unwrap_or_default() {
            let Some(rule) = self.reading.open(node, "an entry of `deleteRules`", &[]) else { continue };
            let Some(node) = rule.get("uid") else { continue };
            all.extend(self.text(node, "`uid`").map(|uid| (uid, node.place.clone())));
        }
        if let Some(entry) = object.entry("deleteRules") {
            self.reading.note(&entry.place, "rules that are deleted: those of this file and of files before it", "");
        }
        all
    }

    /// Rules that are made and deleted again by one file: first it makes its rules, then it deletes.
    fn deletions(&mut self, deleted: &[(String, Place)]) {
        for rule in self.rules.iter().filter(|rule| deleted.iter().any(|(uid, _)| *uid == rule.uid)) {
            let what = format!("the rule `{}` is left out: `deleteRules` of this file deletes it again", rule.title);
            self.reading.warning(&rule.place, what, "take its uid out of `deleteRules`");
        }
    }

    /// A text in which variables of the environment are replaced.
    fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.reading.text(node, what)?;
        let Some(environment) = self.outside.environment.filter(|_| text.contains('$')) else {
            return Some(text.to_owned());
        };
        let found = interpolate(text, environment);
        if let Some(provider) = found.provider {
            let advice = "only variables of the environment are read here: ${NAME}, $NAME, $__env{NAME}";
            self.reading.error(&node.place, format!("`${provider}{{..}}` in {what} is not read here"), advice);
            return None;
        }
        for name in &found.unset {
            let of_templates = matches!(name.as_str(), "labels" | "values" | "value")
                || name.bytes().all(|byte| byte.is_ascii_digit());
            let advice = match of_templates {
                true => format!("write `$${name}`: in a provisioning file `${name}` is a variable of the environment"),
                false => format!("set it, or write `$${name}` for the text `${name}`"),
            };
            let what = format!("the variable `{name}` in {what} is not set: Grafana reads nothing in its place");
            self.reading.warning(&node.place, what, advice);
        }
        Some(found.text)
    }

    /// The text of a key that may be left out; an empty one is none.
    fn optional(&mut self, object: &Object<'_>, key: &str) -> Option<String> {
        let text = self.text(object.get(key)?, &format!("`{key}`"))?;
        Some(text).filter(|text| !text.is_empty())
    }

    /// The text of a key that must be there: that it is missing was told, that it is empty is told here.
    fn required(&mut self, object: &Object<'_>, key: &str) -> Option<String> {
        let node = object.get(key)?;
        let text = self.text(node, &format!("`{key}`"))?;
        if text.trim().is_empty() {
            self.reading.error(&node.place, format!("`{key}` is empty"), format!("write a text for `{key}`"));
            return None;
        }
        Some(text)
    }

    /// A duration of a rule or group.
    fn duration(&mut self, object: &Object<'_>, key: &str) -> Option<Duration> {
        let text = self.optional(object, key)?;
        of_rule(&text)
            .map_err(|advice| {
                let place = object.get(key).map_or(&object.node.place, |node| &node.place);
                self.reading.error(place, format!("`{key}` is `{text}`"), advice);
            })
            .ok()
    }

    /// One of some words, written exactly so; the first when there is none.
    fn state(&mut self, object: &Object<'_>, key: &str, words: &[(&'static str, OnTrouble)]) -> Option<OnTrouble> {
        let Some(text) = self.optional(object, key) else { return words.first().map(|(_, state)| *state) };
        let found = words.iter().find(|(word, _)| *word == text.trim()).map(|(_, state)| *state);
        if found.is_none()
            && let Some(node) = object.get(key)
        {
            self.reading.unknown(&node.place, &format!("`{key}`"), &text, words.iter().map(|(word, _)| *word));
        }
        found
    }

    fn group(&mut self, node: &Node) -> Option<Group> {
        let object = self.open(node, "a group", GROUP)?;
        let interval = self.interval(&object);
        let (name, folder) = (self.required(&object, "name"), self.required(&object, "folder"));
        let organization = self.optional(&object, "orgId").unwrap_or_else(|| "1".into());
        let above = Above { organization: &organization, folder: folder.as_deref().unwrap_or_default() };
        let mut rules = Vec::new();
        for node in object.get("rules").map(|node| self.reading.list(node, "`rules`")).unwrap_or_default() {
            rules.extend(self.rule(node, &above).map(Arc::new));
        }
        Some(Group { name: name?, folder: folder?, interval: interval?, rules })
    }

    /// How often a group is evaluated: each ten seconds, or a multiple of it.
    fn interval(&mut self, object: &Object<'_>) -> Option<Duration> {
        self.required(object, "interval")?;
        let interval = Duration::seconds(self.duration(object, "interval")?.as_milliseconds() / 1_000);
        let beat = Duration::seconds(10).as_nanoseconds();
        if interval.is_zero() || !interval.as_nanoseconds().is_multiple_of(beat) {
            let place = object.get("interval").map_or(&object.node.place, |node| &node.place);
            let advice = "Grafana evaluates each 10s or a multiple of it";
            self.reading.error(place, format!("`interval` is {interval}"), advice);
            return None;
        }
        Some(interval)
    }

    fn rule(&mut self, node: &Node, above: &Above<'_>) -> Option<GrafanaRule> {
        let object = self.open(node, "a rule of Grafana", RULE)?;
        let (uid, title) = (self.uid(&object), self.title(&object));
        if let (Some(uid), Some(title), Some(at)) = (&uid, &title, object.get("uid")) {
            self.is_new(above, uid, title, &at.place);
        }
        let shown = title.clone().unwrap_or_default();
        let record = object.entry("record").filter(|entry| entry.value.value != Value::Null);
        if let Some(entry) = record {
            let what = format!("the recording rule `{shown}` is left out: what Grafana records is not simulated");
            self.reading.warning(&entry.place, what, "");
            return None;
        }
        let condition = self.condition(&object);
        let (no_data, error) =
            (self.state(&object, "noDataState", TROUBLE), self.state(&object, "execErrState", ERROR));
        let hold = self.duration(&object, "for").unwrap_or(Duration::ZERO);
        let keep_firing = self.since_12_2(&object, "keepFiringFor").then(|| self.duration(&object, "keepFiringFor"));
        let missing = self.missing(&object);
        let paused = self.paused(&object);
        let (labels, annotations) = (self.texts(&object, "labels", true), self.texts(&object, "annotations", false));
        let nodes = self.nodes(&object, condition.as_deref(), &shown);
        Some(GrafanaRule {
            uid: uid?,
            title: title?,
            grafana: self.outside.grafana,
            condition: condition?,
            nodes: nodes?,
            hold,
            keep_firing: keep_firing.flatten().unwrap_or(Duration::ZERO),
            no_data: no_data?,
            error: error?,
            missing_evaluations: missing,
            paused: paused?,
            labels,
            annotations,
        })
    }

    /// The uid of a rule: `ValidateUID` in `pkg/util` refuses others.
    fn uid(&mut self, object: &Object<'_>) -> Option<String> {
        let uid = self.required(object, "uid")?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if uid.len() <= 40 && uid.bytes().all(known) {
            return Some(uid);
        }
        let place = object.get("uid").map_or(&object.node.place, |node| &node.place);
        let advice = "Grafana takes letters, digits, `-` and `_`, 40 of them at most";
        self.reading.error(place, format!("`uid` is `{uid}`"), advice);
        None
    }

    /// The title of a rule: `AlertRuleMaxTitleLength` in `pkg/services/ngalert/store`.
    fn title(&mut self, object: &Object<'_>) -> Option<String> {
        const LONGEST: usize = 190;
        let title = self.required(object, "title")?;
        if title.len() <= LONGEST {
            return Some(title);
        }
        let place = object.get("title").map_or(&object.node.place, |node| &node.place);
        let what = format!("`title` is {} bytes long", title.len());
        self.reading.error(place, what, format!("Grafana takes {LONGEST} at most"));
        None
    }

    /// No other rule has the uid, nor, before 12.0, the title in its folder.
    fn is_new(&mut self, above: &Above<'_>, uid: &str, title: &str, place: &Place) {
        let mut others = self.rules.iter().filter(|other| other.organization == above.organization);
        if let Some(other) = others.clone().find(|other| other.uid == uid) {
            let what = format!("two rules have the uid `{uid}`: `{}` and `{title}`", other.title);
            self.reading.error(place, what, "give one of them another: Grafana would replace the first by the second");
        } else if self.outside.grafana < GrafanaVersion::TITLES_REPEAT
            && others.any(|other| other.title == title && other.folder == above.folder)
        {
            let what = format!("two rules of the folder `{}` are called `{title}`", above.folder);
            self.reading.error(place, what, "rename one of them: only Grafana 12.0 and later take both");
        }
        self.rules.push(Known {
            organization: above.organization.to_owned(),
            uid: uid.to_owned(),
            folder: above.folder.to_owned(),
            title: title.to_owned(),
            place: place.clone(),
        });
    }

    fn condition(&mut self, object: &Object<'_>) -> Option<String> {
        if object.get("condition").is_none() {
            let place = object.get("title").map_or(&object.node.place, |node| &node.place);
            self.reading.error(
                place,
                "a rule of Grafana has no `condition`",
                "add `condition: C`, the node that decides",
            );
        }
        self.required(object, "condition")
    }

    /// Whether a key is read by the Grafana there is; before 12.2 files could not say it.
    fn since_12_2(&mut self, object: &Object<'_>, key: &str) -> bool {
        let read = self.outside.grafana >= GrafanaVersion::FILES_KEEP_FIRING;
        if let (false, Some(entry)) = (read, object.entry(key)) {
            let what = format!("Grafana {} does not read `{key}` of a file", self.outside.grafana);
            self.reading.warning(&entry.place, what, "12.2 and later do");
        }
        read
    }

    fn missing(&mut self, object: &Object<'_>) -> u32 {
        const KEY: &str = "missing_series_evals_to_resolve";
        if !self.since_12_2(object, KEY) {
            return 2;
        }
        let Some(text) = self.optional(object, KEY) else { return 2 };
        match (text.parse::<u32>(), object.get(KEY)) {
            (Ok(count), _) if (1..=1_000_000).contains(&count) => count,
            (_, Some(node)) => {
                self.reading.error(&node.place, format!("`{KEY}` is `{text}`"), "write a whole number from 1 on");
                2
            }
            (_, None) => 2,
        }
    }

    /// `isPaused`, as Go reads truth.
    fn paused(&mut self, object: &Object<'_>) -> Option<bool> {
        let Some(node) = object.get("isPaused") else { return Some(false) };
        match self.text(node, "`isPaused`")?.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => {
                self.reading.warning(&node.place, "this rule is paused: it is not evaluated", "");
                Some(true)
            }
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            other => {
                self.reading.error(&node.place, format!("`isPaused` is `{other}`"), "write `true` or `false`");
                None
            }
        }
    }

    /// Labels, in which variables of the environment are replaced, or annotations, in which they are not. What cannot be
    /// expanded is kept as it is, with a word about it.
    fn texts(&mut self, object: &Object<'_>, key: &str, interpolated: bool) -> Vec<(String, Template)> {
        let entries = match object.get(key).map(|node| (&node.value, node)) {
            None => return Vec::new(),
            Some((Value::Mapping(entries), _)) => entries,
            Some((other, node)) => {
                let what = format!("`{key}` must be a mapping, not {}", other.describe());
                self.reading.error(&node.place, what, "write for example `{ severity: page }`");
                return Vec::new();
            }
        };
        let mut all = Vec::new();
        for entry in entries {
            let (node, what) = (&entry.value, format!("`{}`", entry.key));
            let text = match &node.value {
                Value::Null => Some(String::new()),
                _ if interpolated => self.text(node, &what),
                _ => self.reading.text(node, &what).map(str::to_owned),
            };
            let Some(text) = text else { continue };
            let template = Template::of_grafana(&text).unwrap_or_else(|why| {
                let advice = match !interpolated && text.contains("$$") {
                    true => "annotations are not interpolated: write `$labels`, not `$$labels`",
                    false => "",
                };
                self.reading.warning(&node.place, format!("this template is kept as it is: {why}"), advice);
                Template::verbatim(&text)
            });
            all.push((entry.key.clone(), template));
        }
        all
    }
}
