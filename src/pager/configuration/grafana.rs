//! Provisioning files of Grafana's alerting (`apiVersion: 1`): `policies`, `contactPoints`, `muteTimes` and `templates`, of one
//! file or of several, are one configuration. What the settings of a contact point say is kept as it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::table::{Reader, anything, flag, get, items, place_of, text};
use super::{intervals, route};
use crate::document::{Entry, Node, Place, Value};
use crate::pager::{Configuration, Integration, Receiver, TimeInterval};
use crate::time::Duration;

/// What a file of provisioning has, one of them at least.
const PARTS: &[&str] = &["policies", "contactPoints", "muteTimes", "templates"];

/// Types of contact points: Grafana's name, and that of Alertmanager where it has such a kind.
const TYPES: &[(&str, &str)] = &[
    ("webhook", "webhook"),
    ("email", "email"),
    ("slack", "slack"),
    ("pagerduty", "pagerduty"),
    ("opsgenie", "opsgenie"),
    ("teams", "msteams"),
    ("telegram", "telegram"),
    ("discord", "discord"),
    ("pushover", "pushover"),
    ("victorops", "victorops"),
    ("webex", "webex"),
    ("wecom", "wechat"),
    ("sns", "sns"),
    ("jira", "jira"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("dingding", "dingding"),
    ("googlechat", "googlechat"),
    ("kafka", "kafka"),
    ("line", "line"),
    ("mqtt", "mqtt"),
    ("oncall", "oncall"),
    ("sensugo", "sensugo"),
    ("threema", "threema"),
];

/// Whether a document is a file of provisioning that says who is told.
pub(super) fn is_provisioning(root: &Node) -> bool {
    get(root, "apiVersion").is_some() && PARTS.iter().any(|part| get(root, part).is_some())
}

/// Whether an entry is of the first organisation; another one is told of.
fn is_ours(node: &Node, reader: &mut Reader<'_>) -> bool {
    let org = text(node, "orgId");
    let ours = org.is_empty() || org.parse::<i64>().is_ok_and(|org| org <= 1);
    if !ours {
        let what = format!("what is of organisation {org} is not looked at");
        reader.reading.warning(&place_of(node, "orgId"), what, "the first organisation is meant");
    }
    ours
}

/// Reads all files as one configuration.
pub(super) fn read(roots: &[Node], place: &Place, reader: &mut Reader<'_>) -> Option<Configuration> {
    let mut receivers = Vec::new();
    let mut intervals: BTreeMap<String, Vec<TimeInterval>> = BTreeMap::new();
    let mut policies: Vec<&Node> = Vec::new();
    let mut templates = Vec::new();
    for root in roots {
        for node in items(root, "contactPoints") {
            if is_ours(node, reader) {
                contact_point(node, &mut receivers, reader);
            }
        }
        for node in items(root, "muteTimes") {
            if is_ours(node, reader) {
                reader.section(&without(node, &["orgId"]), &route::INTERVALS);
                let found = intervals::read(node, reader);
                if intervals.insert(text(node, "name").to_owned(), found).is_some() {
                    let what = format!("there are two mute timings called `{}`", text(node, "name"));
                    reader.reading.error(&place_of(node, "name"), what, "give one of them another name");
                }
            }
        }
        policies.extend(items(root, "policies").iter().filter(|node| is_ours(node, reader)));
        let named = items(root, "templates").iter().filter(|node| is_ours(node, reader));
        templates.extend(named.map(|node| (text(node, "name").to_owned(), text(node, "template").to_owned())));
    }
    if let [_, second, ..] = policies.as_slice() {
        let what = "there are two trees of notification policies";
        reader.reading.error(&second.place.first_line(), what, "keep one: an organisation has one tree");
    }
    let Some(policy) = policies.first() else {
        let advice = "pass the file with `policies` too: who is told what is decided there";
        reader.reading.error(place, "no file has `policies`", advice);
        return None;
    };
    if get(policy, "group_by").is_none() {
        let what = "the policy has no `group_by`: all alerts are told as one group";
        reader.reading.note(&policy.place.first_line(), what, "write `group_by: [grafana_folder, alertname]`");
    }
    let names = route::Names {
        receivers: receivers.iter().map(|it: &Receiver| it.name.as_str()).collect(),
        intervals: intervals.keys().map(String::as_str).collect(),
    };
    let policy = plain(policy, reader);
    let route = route::root(&policy, &names, reader);
    let resolve_timeout = Duration::minutes(5);
    Some(Configuration { resolve_timeout, route, receivers, inhibit_rules: Vec::new(), intervals, templates })
}

fn contact_point(node: &Node, receivers: &mut Vec<Receiver>, reader: &mut Reader<'_>) {
    let name = text(node, "name").trim().to_owned();
    if name.is_empty() {
        reader.reading.error(&node.place.first_line(), "a contact point has no `name`", "add `name`");
    }
    let mut integrations: Vec<Integration> = Vec::new();
    for part in items(node, "receivers") {
        for key in ["uid", "type", "settings"] {
            if get(part, key).is_none() {
                let what = format!("a receiver of `{name}` has no `{key}`");
                reader.reading.error(&part.place.first_line(), what, format!("add `{key}`"));
            }
        }
        let given = text(part, "type").trim();
        let Some((_, kind)) = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(given)) else {
            if !given.is_empty() {
                let known = TYPES.iter().map(|(known, _)| *known);
                reader.reading.unknown(&place_of(part, "type"), "type of a contact point", given, known);
            }
            continue;
        };
        let settings = match get(part, "settings").map(anything) {
            Some(Json::Object(settings)) => settings,
            _ => serde_json::Map::new(),
        };
        let silent = flag(text(part, "disableResolveMessage")).unwrap_or(false);
        let index = integrations.iter().filter(|it| it.kind == *kind).count();
        let (settings, place) = (Arc::new(settings), Some(part.place.clone()));
        integrations.push(Integration { kind, index, send_resolved: !silent, settings, place });
    }
    // Contact points of one name are one.
    match receivers.iter_mut().find(|it| it.name == name) {
        Some(there) => there.integrations.extend(integrations),
        None => receivers.push(Receiver { name, integrations }),
    }
}

/// A mapping without some keys.
fn without(node: &Node, keys: &[&str]) -> Node {
    let Value::Mapping(entries) = &node.value else { return node.clone() };
    let left = entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())).cloned();
    Node { value: Value::Mapping(left.collect()), place: node.place.clone() }
}

/// A policy as a route of Alertmanager: `object_matchers` become matchers.
fn plain(node: &Node, reader: &mut Reader<'_>) -> Node {
    let mut out = without(node, &["orgId", "provenance", "object_matchers", "matchers", "routes"]);
    let mut matchers = items(node, "matchers").to_vec();
    for item in items(node, "object_matchers") {
        let parts: Option<[&str; 3]> = match &item.value {
            Value::Sequence(parts) => {
                let texts: Vec<&str> = parts.iter().map(scalar).collect();
                texts.try_into().ok()
            }
            _ => None,
        };
        let Some([name, operator @ ("=" | "!=" | "=~" | "!~"), value]) = parts else {
            let advice = "write `[severity, '=', page]`; operators are =, !=, =~ and !~";
            reader.reading.error(&item.place, "this is no matcher of a policy", advice);
            continue;
        };
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        let classic = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let name = if name.chars().all(classic) { name.to_owned() } else { format!("\"{}\"", quoted(name)) };
        let text = format!("{name}{operator}\"{}\"", quoted(value));
        matchers.push(Node { value: Value::Scalar { text, plain: false }, place: item.place.clone() });
    }
    let routes: Vec<Node> = items(node, "routes").iter().map(|child| plain(child, reader)).collect();
    if let Value::Mapping(entries) = &mut out.value {
        for (key, all) in [("matchers", matchers), ("routes", routes)] {
            if !all.is_empty() {
                let value = Node { value: Value::Sequence(all), place: node.place.clone() };
                entries.push(Entry { key: key.to_owned(), place: node.place.clone(), value });
            }
        }
    }
    out
}

fn scalar(node: &Node) -> &str {
    match &node.value {
        Value::Scalar { text, .. } => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use crate::document::render;
    use crate::pager::{Configuration, Version, read_files};

    fn read(files: &[&str]) -> Result<Configuration, String> {
        let named = |(at, text): (usize, &&str)| (format!("{at}.yaml"), (*text).to_owned());
        let files: Vec<(String, String)> = files.iter().enumerate().map(named).collect();
        let (found, told) = read_files(&files, Version::V0_33, None);
        found.ok_or_else(|| render(&told))
    }

    const POLICIES: &str = r#"
apiVersion: 1
policies:
  - orgId: 1
    receiver: mail
    group_by: [grafana_folder, alertname]
    routes:
      - { receiver: chat, object_matchers: [ [severity, '=~', 'p|q'], ['a b', '!=', 'c"d'] ], mute_time_intervals: [nights], continue: true }
muteTimes:
  - { orgId: 1, name: nights, time_intervals: [ { times: [ { start_time: '22:00', end_time: '24:00' } ] } ] }
"#;
    const POINTS: &str = r#"
apiVersion: 1
contactPoints:
  - orgId: 1
    name: mail
    receivers: [ { uid: a, type: email, settings: { addresses: me@example.com }, disableResolveMessage: true } ]
  - name: chat
    receivers: [ { uid: b, type: slack, settings: { url: 'http://x' } }, { uid: c, type: teams, settings: { url: 'http://y' } } ]
"#;

    #[test]
    fn files_together_are_one_configuration() {
        let found = read(&[POLICIES, POINTS]).unwrap_or_else(|told| panic!("{told}"));
        assert_eq!(found.route.receiver, "mail");
        let child = &found.route.routes[0];
        assert_eq!(format!("{:?}", child.matchers), r#"[a b!="c\"d", severity=~"p|q"]"#);
        assert_eq!((child.goes_on, child.mute.as_slice()), (true, &["nights".to_owned()][..]));
        let kinds: Vec<Vec<(&str, bool)>> = found
            .receivers
            .iter()
            .map(|it| it.integrations.iter().map(|it| (it.kind, it.send_resolved)).collect())
            .collect();
        assert_eq!(kinds, [vec![("email", false)], vec![("slack", true), ("msteams", true)]]);
        let (wait, interval) = (found.route.group_wait, found.route.repeat_interval);
        assert_eq!((wait.as_milliseconds(), interval.as_milliseconds()), (30_000, 4 * 3_600_000));
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        for (from, to, told) in [
            ("receiver: chat,", "receiver: chats,", "did you mean `chat`?"),
            ("'=~', 'p|q'", "'~', 'p|q'", "no matcher of a policy"),
            ("[nights]", "[night]", "did you mean `nights`?"),
            ("type: slack", "type: slak", "did you mean `slack`?"),
            ("uid: b, ", "", "has no `uid`"),
            ("policies:", "policiesx:", "no file has `policies`"),
        ] {
            let (policies, points) = (POLICIES.replacen(from, to, 1), POINTS.replacen(from, to, 1));
            let wrong = read(&[&policies, &points]).expect_err(to);
            assert!(wrong.contains(told), "{to}: {wrong}");
        }
        assert!(read(&[POLICIES, POINTS, "route: { receiver: a }\nreceivers: [ { name: a } ]\n"]).is_err());
    }
}
