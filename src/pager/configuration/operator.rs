//! AlertmanagerConfig of the Prometheus Operator, `monitoring.coreos.com/v1alpha1` and `v1beta1`: what they say becomes the
//! tree of an alertmanager.yml, as the operator makes it. Every value keeps its place in the manifest. Secrets stay unread, and
//! how a receiver is connected to (`httpConfig`, `tlsConfig`) decides nothing here.

use super::table::{get, items, place_of, text};
use crate::document::{Entry, Node, Place, Reading, Value};

/// Where a manifest names no namespace, it is created in that of whoever applies it.
const NAMESPACE: &str = "default";

/// What stands for the value of a Secret.
const SECRET: &str = "<secret>";

/// Keys whose name in an alertmanager.yml is another one: of which list, the key, and the name there.
const RENAMED: &[(&str, &str, &str)] = &[
    ("discordConfigs", "apiURL", "webhook_url"),
    ("webhookConfigs", "urlSecret", "url"),
    ("pagerdutyConfigs", "pagerDutyImageConfigs", "images"),
    ("pagerdutyConfigs", "pagerDutyLinkConfigs", "links"),
    ("pagerDutyLinkConfigs", "alt", "text"),
    ("snsConfigs", "apiURL", "api_url"),
    ("telegramConfigs", "chatID", "chat_id"),
];

/// Lists of `key` and `value` that are mappings in an alertmanager.yml.
const PAIRS: &[&str] = &["details", "headers", "customFields"];

/// Whether a document is a manifest of Kubernetes.
pub(super) fn is_manifest(root: &Node) -> bool {
    get(root, "kind").is_some() && get(root, "apiVersion").is_some()
}

fn scalar(text: impl Into<String>, place: &Place) -> Node {
    Node { value: Value::Scalar { text: text.into(), plain: false }, place: place.clone() }
}

fn list(items: Vec<Node>, place: &Place) -> Node {
    Node { value: Value::Sequence(items), place: place.clone() }
}

fn entry(key: &str, value: Node) -> Entry {
    Entry { key: key.to_owned(), place: value.place.clone(), value }
}

fn mapping(entries: Vec<Entry>, place: &Place) -> Node {
    Node { value: Value::Mapping(entries), place: place.clone() }
}

fn said(node: &Node) -> &str {
    match &node.value {
        Value::Scalar { text, .. } => text,
        _ => "",
    }
}

/// `groupBy` is `group_by`, `apiURL` is `api_url`.
fn snake(key: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for letter in key.chars() {
        if letter.is_ascii_uppercase() && !upper && !out.is_empty() {
            out.push('_');
        }
        upper = letter.is_ascii_uppercase();
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// The manifests of a configuration under way.
#[derive(Default)]
pub(super) struct Manifests {
    /// By namespace and name, which is their order.
    all: Vec<(String, Node)>,
}

impl Manifests {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds a document.
    pub(super) fn add(&mut self, root: &Node, reading: &mut Reading) {
        match text(root, "kind") {
            "AlertmanagerConfig" => {
                let api = text(root, "apiVersion");
                if !["monitoring.coreos.com/v1alpha1", "monitoring.coreos.com/v1beta1"].contains(&api) {
                    let what = format!("`{api}` is no API of AlertmanagerConfig");
                    let advice = "write `monitoring.coreos.com/v1alpha1` or `monitoring.coreos.com/v1beta1`";
                    reading.error(&place_of(root, "apiVersion"), what, advice);
                }
                let metadata = get(root, "metadata");
                let of = |key: &str| metadata.map_or("", |node| text(node, key));
                if of("name").is_empty() {
                    reading.error(
                        &root.place.first_line(),
                        "the manifest has no name",
                        "add `metadata: { name: NAME }`",
                    );
                }
                let space = if of("namespace").is_empty() { NAMESPACE } else { of("namespace") };
                let key = format!("{space}/{}", of("name"));
                if self.all.iter().any(|(other, _)| *other == key) {
                    let what = format!("there are two AlertmanagerConfig called `{key}`");
                    reading.error(&root.place.first_line(), what, "give one of them another name");
                }
                self.all.push((key, root.clone()));
            }
            "List" | "AlertmanagerConfigList" => items(root, "items").iter().for_each(|item| self.add(item, reading)),
            other => {
                let what = format!("a manifest of the kind `{other}` says nothing of who is told");
                reading.warning(&place_of(root, "kind"), what, "pass AlertmanagerConfig manifests");
            }
        }
    }

    /// The tree of an alertmanager.yml with all of them: added to one that is there, or to the operator's own.
    pub(super) fn onto(mut self, base: Option<Node>, place: &Place, reading: &mut Reading) -> Node {
        self.all.sort_by(|a, b| a.0.cmp(&b.0));
        let mut root = base.unwrap_or_else(|| {
            let null = || vec![entry("receiver", scalar("null", place))];
            let receiver = mapping(vec![entry("name", scalar("null", place))], place);
            let route = mapping(null(), place);
            mapping(vec![entry("route", route), entry("receivers", list(vec![receiver], place))], place)
        });
        let mut routes = Vec::new();
        for (key, manifest) in &self.all {
            let one = One { key, reading };
            one.convert(manifest, &mut root, &mut routes);
        }
        if let Value::Mapping(entries) = &mut root.value
            && let Some(route) = entries.iter_mut().find(|entry| entry.key == "route")
        {
            let behind = items(&route.value, "routes").to_vec();
            let place = route.place.clone();
            routes.extend(behind);
            set(&mut route.value, "routes", list(routes, &place));
        }
        root
    }
}

/// Sets a key of a mapping.
fn set(node: &mut Node, key: &str, value: Node) {
    if let Value::Mapping(entries) = &mut node.value {
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(found) => found.value = value,
            None => entries.push(entry(key, value)),
        }
    }
}

/// Adds to a list of a mapping.
fn push(root: &mut Node, key: &str, item: Node) {
    let mut all = items(root, key).to_vec();
    let place = item.place.clone();
    all.push(item);
    set(root, key, list(all, &place));
}

/// A manifest that is converted.
struct One<'r> {
    /// `namespace/name`.
    key: &'r str,
    reading: &'r mut Reading,
}

impl One<'_> {
    fn convert(mut self, manifest: &Node, root: &mut Node, routes: &mut Vec<Node>) {
        let Some(spec) = get(manifest, "spec") else {
            let what = "the manifest has no `spec`";
            return self.reading.error(
                &manifest.place.first_line(),
                what,
                "add `spec: { route: ..., receivers: ... }`",
            );
        };
        self.known(spec, "`spec`", &["route", "receivers", "inhibitRules", "muteTimeIntervals", "timeIntervals"]);
        for rule in items(spec, "inhibitRules") {
            let rule = self.inhibition(rule);
            push(root, "inhibit_rules", rule);
        }
        // Without a route the operator takes nothing else of it.
        let Some(route) = get(spec, "route") else { return };
        if text(route, "receiver").is_empty() {
            let what = "the first route of an AlertmanagerConfig has no `receiver`";
            self.reading.error(&route.place.first_line(), what, "add `receiver`");
        }
        let mut top = self.route(route);
        let space = self.space(&route.place);
        push(&mut top, "matchers", space);
        let on = Node { value: Value::Scalar { text: "true".to_owned(), plain: true }, place: route.place.clone() };
        set(&mut top, "continue", on);
        routes.push(top);
        for receiver in items(spec, "receivers") {
            let receiver = self.receiver(receiver);
            push(root, "receivers", receiver);
        }
        for interval in ["muteTimeIntervals", "timeIntervals"].iter().flat_map(|key| items(spec, key)) {
            let interval = self.interval(interval);
            push(root, "mute_time_intervals", interval);
        }
    }

    fn known(&mut self, node: &Node, what: &str, keys: &[&str]) {
        let Value::Mapping(entries) = &node.value else { return };
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            self.reading.unknown(&entry.place, &format!("key of {what}"), &entry.key, keys.iter().copied());
        }
    }

    /// A name of this manifest in the common configuration.
    fn name(&self, name: &Node) -> Node {
        match said(name) {
            "" => name.clone(),
            text => scalar(format!("{}/{text}", self.key), &name.place),
        }
    }

    /// `namespace="X"`, which the operator adds.
    fn space(&self, place: &Place) -> Node {
        let space = self.key.split('/').next().unwrap_or_default();
        scalar(format!("namespace=\"{space}\""), place)
    }

    fn route(&mut self, node: &Node) -> Node {
        let known = [
            "receiver",
            "groupBy",
            "groupWait",
            "groupInterval",
            "repeatInterval",
            "matchers",
            "continue",
            "routes",
            "muteTimeIntervals",
            "activeTimeIntervals",
        ];
        self.known(node, "a route", &known);
        let Value::Mapping(entries) = &node.value else { return node.clone() };
        let mut out = Vec::new();
        for found in entries.iter().filter(|entry| known.contains(&entry.key.as_str())) {
            let value = match (found.key.as_str(), &found.value.value) {
                ("receiver", _) => self.name(&found.value),
                ("routes", Value::Sequence(all)) => {
                    list(all.iter().map(|it| self.route(it)).collect(), &found.value.place)
                }
                ("matchers", Value::Sequence(all)) => {
                    list(all.iter().filter_map(|it| self.matcher(it)).collect(), &found.value.place)
                }
                ("muteTimeIntervals" | "activeTimeIntervals", Value::Sequence(all)) => {
                    list(all.iter().map(|it| self.name(it)).collect(), &found.value.place)
                }
                _ => found.value.clone(),
            };
            out.push(Entry { key: snake(&found.key), place: found.place.clone(), value });
        }
        mapping(out, &node.place)
    }

    fn matcher(&mut self, node: &Node) -> Option<Node> {
        self.known(node, "a matcher", &["name", "value", "matchType", "regex"]);
        let name = text(node, "name");
        if name.is_empty() {
            let advice = "write `{ name: severity, value: page, matchType: '=' }`";
            self.reading.error(&node.place, "a matcher has no `name`", advice);
            return None;
        }
        let operator = match text(node, "matchType") {
            "" if text(node, "regex") == "true" => "=~",
            "" => "=",
            found @ ("=" | "!=" | "=~" | "!~") => found,
            other => {
                let place = place_of(node, "matchType");
                self.reading.unknown(&place, "operator of a matcher", other, ["=", "!=", "=~", "!~"]);
                return None;
            }
        };
        let value = text(node, "value").replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        Some(scalar(format!("{name}{operator}\"{value}\""), &node.place))
    }

    fn inhibition(&mut self, node: &Node) -> Node {
        self.known(node, "a rule of inhibition", &["sourceMatch", "targetMatch", "equal"]);
        let mut out = Vec::new();
        for (from, to) in [("sourceMatch", "source_matchers"), ("targetMatch", "target_matchers")] {
            let mut all: Vec<Node> = items(node, from).iter().filter_map(|it| self.matcher(it)).collect();
            let space = self.space(&node.place);
            if !all.iter().any(|it| said(it) == said(&space)) {
                all.push(space);
            }
            out.push(entry(to, list(all, &node.place)));
        }
        if let Some(equal) = get(node, "equal") {
            out.push(entry("equal", equal.clone()));
        }
        mapping(out, &node.place)
    }

    fn interval(&mut self, node: &Node) -> Node {
        self.known(node, "a time interval", &["name", "timeIntervals"]);
        let name = get(node, "name").map_or_else(|| scalar("", &node.place), |name| self.name(name));
        let parts = items(node, "timeIntervals").iter().map(|part| {
            let Value::Mapping(entries) = &part.value else { return part.clone() };
            let each = |found: &Entry| {
                let value = match (found.key.as_str(), &found.value.value) {
                    ("times", Value::Sequence(all)) => list(all.iter().map(camel).collect(), &found.value.place),
                    ("daysOfMonth", Value::Sequence(all)) => list(all.iter().map(days).collect(), &found.value.place),
                    _ => found.value.clone(),
                };
                Entry { key: snake(&found.key), place: found.place.clone(), value }
            };
            mapping(entries.iter().map(each).collect(), &part.place)
        });
        let parts = list(parts.collect(), &node.place);
        mapping(vec![entry("name", name), entry("time_intervals", parts)], &node.place)
    }

    fn receiver(&mut self, node: &Node) -> Node {
        let Value::Mapping(entries) = &node.value else { return node.clone() };
        let mut out = Vec::new();
        for found in entries {
            let value = match (found.key.as_str(), &found.value.value) {
                ("name", _) => self.name(&found.value),
                (key, Value::Sequence(all)) => {
                    list(all.iter().map(|it| self.settings(it, key)).collect(), &found.value.place)
                }
                _ => found.value.clone(),
            };
            // `opsgenieConfigs` is `opsgenie_configs`; no kind has more words than that.
            out.push(Entry { key: snake(&found.key), place: found.place.clone(), value });
        }
        mapping(out, &node.place)
    }

    fn settings(&mut self, node: &Node, of: &str) -> Node {
        let Value::Mapping(entries) = &node.value else { return node.clone() };
        let mut out = Vec::new();
        for found in entries {
            let key = found.key.as_str();
            if key.contains('_') {
                let what = format!("`{key}` is no key of a manifest");
                self.reading.error(&found.place, what, "write it with capitals, as `sendResolved`");
                continue;
            }
            let value = match (key, &found.value.value) {
                ("httpConfig", _) => match get(&found.value, "authorization") {
                    // Webex asks for one.
                    Some(node) => {
                        let secret = mapping(vec![entry("credentials", scalar(SECRET, &node.place))], &node.place);
                        mapping(vec![entry("authorization", secret)], &node.place)
                    }
                    None => continue,
                },
                ("tlsConfig", _) => continue,
                (_, Value::Mapping(_)) if get(&found.value, "key").is_some() => scalar(SECRET, &found.value.place),
                (_, Value::Sequence(all)) if PAIRS.contains(&key) => {
                    let pair = |it: &Node| entry(text(it, "key"), scalar(text(it, "value"), &it.place));
                    mapping(all.iter().map(pair).collect(), &found.value.place)
                }
                (_, Value::Sequence(all)) => {
                    list(all.iter().map(|it| self.settings(it, key)).collect(), &found.value.place)
                }
                (_, Value::Mapping(_)) => self.settings(&found.value, key),
                _ => found.value.clone(),
            };
            let renamed = RENAMED.iter().find(|(list, from, _)| *list == of && *from == key);
            let key = renamed.map_or_else(|| snake(key), |(_, _, to)| (*to).to_owned());
            out.push(Entry { key, place: found.place.clone(), value });
        }
        mapping(out, &node.place)
    }
}

/// `startTime` is `start_time`.
fn camel(node: &Node) -> Node {
    let Value::Mapping(entries) = &node.value else { return node.clone() };
    let each = |found: &Entry| Entry { key: snake(&found.key), ..found.clone() };
    mapping(entries.iter().map(each).collect(), &node.place)
}

/// `{ start: 1, end: 5 }` is `1:5`.
fn days(node: &Node) -> Node {
    match (text(node, "start"), text(node, "end")) {
        (start, "") => scalar(start, &node.place),
        (start, end) => scalar(format!("{start}:{end}"), &node.place),
    }
}

#[cfg(test)]
mod tests {
    use crate::document::render;
    use crate::pager::{Configuration, GroupBy, Version, read_files};

    fn read(files: &[&str]) -> Result<Configuration, String> {
        let named = |(at, text): (usize, &&str)| (format!("{at}.yaml"), (*text).to_owned());
        let files: Vec<(String, String)> = files.iter().enumerate().map(named).collect();
        let (found, told) = read_files(&files, Version::V0_33, None);
        found.ok_or_else(|| render(&told))
    }

    const MANIFEST: &str = r#"
apiVersion: monitoring.coreos.com/v1alpha1
kind: AlertmanagerConfig
metadata: { name: pages, namespace: team-b }
spec:
  route:
    receiver: hook
    groupBy: [job]
    groupWait: 10s
    continue: false
    routes:
      - receiver: chat
        matchers: [ { name: severity, value: 'p.*', regex: true }, { name: team, value: 'a"b', matchType: '!=' } ]
        muteTimeIntervals: [nights]
  receivers:
    - name: hook
      webhookConfigs: [ { urlSecret: { name: s, key: url }, sendResolved: false, httpConfig: { proxyURL: 'http://x' } } ]
    - name: chat
      slackConfigs: [ { apiURL: { name: s, key: slack }, channel: '#x', fields: [ { title: a, value: b, short: true } ] } ]
      pagerdutyConfigs: [ { routingKey: { name: s, key: k }, details: [ { key: a, value: b } ], clientURL: 'http://y' } ]
  inhibitRules:
    - { sourceMatch: [ { name: a, value: b } ], targetMatch: [ { name: c, value: d, matchType: '=~' } ], equal: [job] }
  muteTimeIntervals:
    - name: nights
      timeIntervals:
        - { times: [ { startTime: '22:00', endTime: '24:00' } ], daysOfMonth: [ { start: 1, end: 5 } ], weekdays: ['Monday:Friday'] }
"#;

    #[test]
    fn a_manifest_is_a_route_of_its_namespace() {
        let found = read(&[MANIFEST]).unwrap_or_else(|told| panic!("{told}"));
        assert_eq!(found.route.receiver, "null");
        let top = &found.route.routes[0];
        assert_eq!((top.receiver.as_str(), top.goes_on), ("team-b/pages/hook", true));
        assert_eq!(format!("{:?}", top.matchers), r#"[namespace="team-b"]"#);
        assert_eq!(top.group_by, GroupBy::Labels(vec!["job".to_owned()]));
        let below = &top.routes[0];
        assert_eq!(format!("{:?}", below.matchers), r#"[severity=~"p.*", team!="a\"b"]"#);
        assert_eq!(below.mute, ["team-b/pages/nights"]);
        assert!(found.intervals.contains_key("team-b/pages/nights"));
        let rule = &found.inhibit_rules[0];
        assert_eq!(
            format!("{:?} {:?}", rule.source, rule.target),
            r#"[a="b", namespace="team-b"] [c=~"d", namespace="team-b"]"#
        );
        let kinds = |at: usize| -> Vec<(&str, bool)> {
            found.receivers[at].integrations.iter().map(|it| (it.kind, it.send_resolved)).collect()
        };
        assert_eq!(kinds(1), [("webhook", false)]);
        assert_eq!(kinds(2), [("pagerduty", true), ("slack", false)]);
        assert_eq!(found.receivers[2].integrations[0].settings["details"]["a"], "b");
    }

    #[test]
    fn several_stand_before_the_routes_of_the_file_by_namespace_and_name() {
        let base =
            "route: { receiver: all, routes: [ { receiver: all, matchers: [x=y] } ] }\nreceivers: [ { name: all } ]\n";
        let other = MANIFEST.replace("team-b", "team-a");
        let found = read(&[MANIFEST, base, &other]).unwrap_or_else(|told| panic!("{told}"));
        let order: Vec<&str> = found.route.routes.iter().map(|it| it.receiver.as_str()).collect();
        assert_eq!(order, ["team-a/pages/hook", "team-b/pages/hook", "all"]);
        assert_eq!(found.receivers.len(), 5);
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        for (from, to, told) in [
            ("groupBy:", "groupby:", "did you mean `groupBy`?"),
            ("receiver: chat", "receiver: chats", "team-b/pages/chats"),
            ("matchType: '!='", "matchType: '=='", "operator of a matcher"),
            ("muteTimeIntervals: [nights]", "muteTimeIntervals: [night]", "did you mean `team-b/pages/nights`?"),
            ("channel: '#x'", "chanel: '#x'", "did you mean `channel`?"),
            ("sendResolved: false", "send_resolved: false", "no key of a manifest"),
            ("v1alpha1", "v1", "no API of AlertmanagerConfig"),
            ("'22:00'", "'22:60'", "22:60"),
        ] {
            let text = MANIFEST.replacen(from, to, 1);
            assert_ne!(text, MANIFEST);
            let wrong = read(&[&text]).expect_err(to);
            assert!(wrong.contains(told) && wrong.contains("0.yaml"), "{to}: {wrong}");
        }
    }
}
