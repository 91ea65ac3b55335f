//! What must hold beyond the single options, as Prometheus demands it.

use super::super::relabel;
use super::selectors;
use super::values::flag;
use crate::document::{Entry, Node, Reading, Value};
use crate::time::Duration;

/// The value of a key, when it has one.
pub(super) fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entry(node, key).map(|entry| &entry.value)
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    let Value::Mapping(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key && entry.value.value != Value::Null)
}

/// A text that is not empty.
pub(super) fn text_of<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    get(node, key).and_then(Node::text).filter(|text| !text.is_empty())
}

pub(super) fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    get(node, key).map_or(&[], Node::items)
}

/// A duration that is more than none.
pub(super) fn duration_of(node: &Node, key: &str) -> Option<Duration> {
    Duration::from_prometheus(text_of(node, key)?).ok().filter(|it| !it.is_zero())
}

/// Which of some keys are there, and not empty.
fn present<'n>(node: &'n Node, keys: &[&str]) -> Vec<&'n Entry> {
    let filled = |entry: &&Entry| !matches!(&entry.value.value, Value::Scalar { text, .. } if text.is_empty());
    keys.iter().filter_map(|key| entry(node, key)).filter(filled).collect()
}

fn one_of(node: &Node, keys: &[&str], reading: &mut Reading) {
    if let [_, second, ..] = present(node, keys)[..] {
        let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        reading.error(&second.place, format!("at most one of {} may be there", keys.join(", ")), "keep one of them");
    }
}

pub(super) fn global(node: &Node, reading: &mut Reading) {
    let interval = duration_of(node, "scrape_interval").unwrap_or(Duration::minutes(1));
    if let (Some(timeout), Some(place)) = (duration_of(node, "scrape_timeout"), get(node, "scrape_timeout"))
        && timeout > interval
    {
        reading.error(
            &place.place,
            "the scrape timeout is greater than the scrape interval",
            format!("write {interval} or less"),
        );
    }
    protocols(node, reading);
}

/// The protocols of a scrape.
const PROTOCOLS: &[&str] =
    &["PrometheusProto", "PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0"];

fn protocols(node: &Node, reading: &mut Reading) {
    let Some(list) = get(node, "scrape_protocols") else { return };
    let mut seen: Vec<String> = Vec::new();
    if matches!(&list.value, Value::Sequence(items) if items.is_empty()) {
        reading.error(&list.place, "`scrape_protocols` is empty", "leave it out, or name a protocol");
    }
    for item in items(node, "scrape_protocols") {
        let Value::Scalar { text, .. } = &item.value else { continue };
        protocol(item, text, reading);
        if seen.contains(&text.to_lowercase()) {
            reading.error(&item.place, format!("`{text}` is here twice"), "keep one of them");
        }
        seen.push(text.to_lowercase());
    }
}

fn protocol(node: &Node, text: &str, reading: &mut Reading) {
    if !PROTOCOLS.contains(&text) {
        reading.unknown(&node.place, "protocol of a scrape", text, PROTOCOLS.iter().copied());
    }
}

pub(super) fn job(node: &Node, reading: &mut Reading) {
    if text_of(node, "job_name").is_none() {
        let place = get(node, "job_name").unwrap_or(node);
        reading.error(&place.place, "a job has no `job_name`", "add `job_name: kestra`");
    }
    client(node, reading);
    protocols(node, reading);
    if let (Some(node), Some(text)) = (get(node, "fallback_scrape_protocol"), text_of(node, "fallback_scrape_protocol"))
    {
        protocol(node, text, reading);
    }
    let (scheme, escaping) = ("metric_name_validation_scheme", "metric_name_escaping_scheme");
    word(node, scheme, &["legacy", "utf8"], reading);
    word(node, escaping, &["allow-utf-8", "underscores", "dots", "values"], reading);
    // Targets are hosts and ports, which relabelling may still make of something else.
    if items(node, "relabel_configs").is_empty() {
        items(node, "static_configs").iter().for_each(|group| hosts(group, reading));
    }
}

fn word(node: &Node, key: &str, words: &[&str], reading: &mut Reading) {
    if let (Some(node), Some(text)) = (get(node, key), text_of(node, key))
        && !words.contains(&text)
    {
        reading.unknown(&node.place, &format!("value of `{key}`"), text, words.iter().copied());
    }
}

/// Which names a job takes, and which it asks for: what neither says is the scheme of `global`, and who takes the old names
/// only may not ask for others (3.5.3; later ones are milder with a job that says `legacy` alone).
pub(super) fn names(job: &Node, global: Option<&Node>, reading: &mut Reading) {
    let (scheme, escaping) = ("metric_name_validation_scheme", "metric_name_escaping_scheme");
    if let Some(global) = global {
        word(global, scheme, &["legacy", "utf8"], reading);
        word(global, escaping, &["allow-utf-8", "underscores", "dots", "values"], reading);
    }
    let everywhere = |key: &str| global.and_then(|global| text_of(global, key));
    let implied = if everywhere(scheme) == Some("legacy") { "underscores" } else { "allow-utf-8" };
    let asked = text_of(job, escaping).or(everywhere(escaping)).unwrap_or(implied);
    if text_of(job, scheme).or(everywhere(scheme)) == Some("legacy") && asked == "allow-utf-8" {
        let place = get(job, scheme).or(get(job, escaping)).unwrap_or(job);
        let advice = "add `metric_name_escaping_scheme: underscores`";
        reading.error(&place.place, "a job that takes the old names only asks for all of them", advice);
    }
}

fn hosts(group: &Node, reading: &mut Reading) {
    for target in items(group, "targets") {
        if let Value::Scalar { text, .. } = &target.value
            && text.contains('/')
        {
            reading.error(&target.place, format!("`{text}` is no target"), "write HOST:PORT, without a scheme or path");
        }
    }
}

/// A path or pattern that may have a `*` in its last part only.
pub(super) fn is_pattern(path: &str) -> bool {
    path.find('*').is_none_or(|at| !path[at..].contains('/'))
}

/// Names of headers that clients of Prometheus and Alertmanager set themselves (`config/headers.go` of their common library).
pub(crate) const RESERVED: &[&str] = &[
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

fn client(node: &Node, reading: &mut Reading) {
    one_of(node, &["basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file"], reading);
    let from_environment = matches!(get(node, "proxy_from_environment").map(|it| &it.value), Some(Value::Scalar { text, .. }) if flag(text) == Some(true));
    let url = entry(node, "proxy_url");
    let told = |key: &str| entry(node, key);
    if let (true, Some(entry)) = (from_environment, url.or(told("no_proxy"))) {
        let what = format!("`{}` stands beside `proxy_from_environment`", entry.key);
        reading.error(&entry.place, what, "keep one of them");
    }
    if let (Some(entry), None, false) = (told("no_proxy"), url, from_environment) {
        reading.error(&entry.place, "`no_proxy` stands without `proxy_url`", "add `proxy_url`, or leave it out");
    }
    if let (Some(entry), None, false) = (told("proxy_connect_header"), url, from_environment) {
        reading.error(
            &entry.place,
            "`proxy_connect_header` stands without a proxy",
            "add `proxy_url`, or leave it out",
        );
    }
    if let Some(Node { value: Value::Mapping(headers), .. }) = get(node, "http_headers") {
        for header in headers.iter().filter(|header| RESERVED.contains(&header.key.to_lowercase().as_str())) {
            let what = format!("the header `{}` is set by Prometheus itself", header.key);
            reading.error(&header.place, what, "leave it out; for authentication there are options of their own");
        }
    }
}

pub(super) fn basic_auth(node: &Node, reading: &mut Reading) {
    one_of(node, &["username", "username_file", "username_ref"], reading);
    one_of(node, &["password", "password_file", "password_ref"], reading);
}

pub(super) fn authorization(node: &Node, reading: &mut Reading) {
    one_of(node, &["credentials", "credentials_file", "credentials_ref"], reading);
    if let (Some(node), Some(kind)) = (get(node, "type"), text_of(node, "type"))
        && kind.trim().eq_ignore_ascii_case("basic")
    {
        reading.error(&node.place, "the type of `authorization` is `Basic`", "write `basic_auth` instead");
    }
}

pub(super) fn oauth2(node: &Node, reading: &mut Reading) {
    for key in ["client_id", "token_url"] {
        if text_of(node, key).is_none() {
            reading.error(&node.place, format!("`oauth2` has no `{key}`"), "add it");
        }
    }
    one_of(node, &["client_secret", "client_secret_file", "client_secret_ref"], reading);
}

pub(super) fn tls(node: &Node, reading: &mut Reading) {
    const KEYS: [[&str; 3]; 3] =
        [["ca", "ca_file", "ca_ref"], ["cert", "cert_file", "cert_ref"], ["key", "key_file", "key_ref"]];
    KEYS.iter().for_each(|keys| one_of(node, keys, reading));
    let [_, cert, key] = KEYS.map(|keys| present(node, &keys).first().map(|entry| entry.place.clone()));
    match (cert, key) {
        (Some(place), None) => reading.error(&place, "a certificate of a client has no key", "add `key_file`"),
        (None, Some(place)) => reading.error(&place, "the key of a client has no certificate", "add `cert_file`"),
        _ => {}
    }
}

pub(super) fn relabel(node: &Node, reading: &mut Reading) {
    relabel::one(node, reading);
}

pub(super) fn files(node: &Node, reading: &mut Reading) {
    if items(node, "files").is_empty() {
        reading.error(&node.place, "an entry of `file_sd_configs` names no file", "add `files: [ targets.json ]`");
    }
    for item in items(node, "files") {
        let Value::Scalar { text, .. } = &item.value else { continue };
        let extension =
            ["json", "yml", "yaml", "JSON", "YML", "YAML"].iter().any(|it| text.ends_with(&format!(".{it}")));
        if !extension || !is_pattern(text) {
            let advice = "write a file that ends with .json, .yml or .yaml; a `*` may stand in the last part only";
            reading.error(&item.place, format!("`{text}` is no file of targets"), advice);
        }
    }
}

pub(super) fn http(node: &Node, reading: &mut Reading) {
    let url = text_of(node, "url");
    let sound = |url: &str| {
        let rest = url.strip_prefix("http://").or(url.strip_prefix("https://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
    };
    if !url.is_some_and(sound) {
        let place = get(node, "url").unwrap_or(node).place.clone();
        let advice = "write for example `url: \"http://127.0.0.1:8082/sd\"`";
        reading.error(&place, "an entry of `http_sd_configs` has no `url` of http or https", advice);
    }
    client(node, reading);
}

pub(super) fn dns(node: &Node, reading: &mut Reading) {
    const KINDS: &[&str] = &["A", "AAAA", "SRV", "MX", "NS"];
    if items(node, "names").is_empty() {
        reading.error(&node.place, "an entry of `dns_sd_configs` has no `names`", "add `names: [ kestra-worker ]`");
    }
    let kind = text_of(node, "type").unwrap_or("SRV").to_uppercase();
    if !KINDS.contains(&kind.as_str()) {
        let place = get(node, "type").unwrap_or(node);
        reading.unknown(&place.place, "type of a DNS record", &kind, KINDS.iter().copied());
    } else if kind != "SRV" && text_of(node, "port").is_none_or(|port| port == "0") {
        reading.error(&node.place, format!("records of type {kind} need a `port`"), "add `port: 8081`");
    }
}

/// Roles of service discovery, and the kinds of objects that can be selected with each.
const ROLES: &[(&str, &[&str])] = &[
    ("pod", &["pod"]),
    ("service", &["service"]),
    ("endpoints", &["endpoints", "pod", "service"]),
    ("endpointslice", &["endpointslice", "pod", "service"]),
    ("node", &["node"]),
    ("ingress", &["ingress"]),
];

pub(super) fn kubernetes(node: &Node, reading: &mut Reading) {
    let role = text_of(node, "role");
    let known = ROLES.iter().find(|(name, _)| Some(*name) == role);
    match (role, known) {
        (None, _) => {
            reading.error(&node.place, "an entry of `kubernetes_sd_configs` has no `role`", "add `role: pod`");
        }
        (Some(role), None) => {
            let place = get(node, "role").unwrap_or(node);
            reading.unknown(&place.place, "role of `kubernetes_sd_configs`", role, ROLES.iter().map(|(name, _)| *name));
        }
        (_, Some((role, kinds))) => {
            for selector in items(node, "selectors") {
                if let Some(kind) = text_of(selector, "role")
                    && !kinds.contains(&kind)
                {
                    let what = format!("role {role} has no selectors of `{kind}`");
                    reading.error(&selector.place, what, format!("known are {}", kinds.join(", ")));
                }
            }
        }
    }
    selectors(node, reading);
    one_of(node, &["api_server", "kubeconfig_file"], reading);
    let own = present(
        node,
        &["basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file", "tls_config", "proxy_url"],
    );
    if let (Some(entry), None) = (own.first(), text_of(node, "api_server")) {
        reading.error(
            &entry.place,
            format!("`{}` stands without `api_server`", entry.key),
            "add `api_server`, or leave it out",
        );
    }
    client(node, reading);
}

fn selectors(node: &Node, reading: &mut Reading) {
    let mut seen: Vec<&str> = Vec::new();
    for selector in items(node, "selectors") {
        let kind = text_of(selector, "role").unwrap_or("");
        if seen.contains(&kind) {
            reading.error(&selector.place, format!("two selectors have the role `{kind}`"), "write one of both");
        }
        seen.push(kind);
        let faults = [
            ("label", text_of(selector, "label").and_then(selectors::of_labels)),
            ("field", text_of(selector, "field").and_then(selectors::of_fields)),
        ];
        for (key, fault) in faults {
            if let Some((node, why)) = get(selector, key).zip(fault) {
                reading.error(&node.place, format!("this is no selector: {why}"), "write for example `a=b,c!=d`");
            }
        }
    }
}

/// Remote storage has names once, each list for itself.
fn remote_names(file: &Node, reading: &mut Reading) {
    for list in ["remote_write", "remote_read"] {
        let mut seen: Vec<&str> = Vec::new();
        for entry in items(file, list) {
            let Some(name) = text_of(entry, "name").filter(|name| !name.is_empty()) else { continue };
            if seen.contains(&name) {
                let what = format!("two entries of `{list}` are called `{name}`");
                reading.error(&entry.place, what, "rename one of them");
            }
            seen.push(name);
        }
    }
}

pub(super) fn alertmanager(node: &Node, reading: &mut Reading) {
    if items(node, "relabel_configs").is_empty() {
        items(node, "static_configs").iter().for_each(|group| hosts(group, reading));
    }
    client(node, reading);
}

pub(super) fn remote(node: &Node, reading: &mut Reading) {
    if text_of(node, "url").is_none() {
        reading.error(&node.place, "an entry of remote storage has no `url`", "add `url`");
    }
    client(node, reading);
}

pub(super) fn tracing(node: &Node, reading: &mut Reading) {
    if text_of(node, "endpoint").is_none() {
        reading.error(&node.place, "`tracing` has no `endpoint`", "add it, or leave `tracing` out");
    }
    word(node, "compression", &["gzip"], reading);
}

/// Attributes of resources are there once each, and either all or some of them are promoted (promtool 3.5.3).
pub(super) fn otlp(node: &Node, reading: &mut Reading) {
    let (all, some, none) =
        ("promote_all_resource_attributes", "promote_resource_attributes", "ignore_resource_attributes");
    let promotes_all = text_of(node, all).and_then(flag).unwrap_or(false);
    if let (true, Some(first)) = (promotes_all, items(node, some).first()) {
        reading.error(&first.place, format!("`{some}` stands beside `{all}`"), "keep one of them");
        return;
    }
    if let (false, Some(first)) = (promotes_all, items(node, none).first()) {
        let advice = format!("add `{all}: true`, or leave it out");
        reading.error(&first.place, format!("`{none}` stands without `{all}`"), advice);
        return;
    }
    for key in [some, none] {
        let mut seen: Vec<&str> = Vec::new();
        for item in items(node, key) {
            let text = match &item.value {
                Value::Scalar { text, .. } => text.trim(),
                _ => "",
            };
            if text.is_empty() {
                reading.error(&item.place, format!("an attribute in `{key}` is empty"), "take it out");
            } else if seen.contains(&text) {
                reading.error(&item.place, format!("`{text}` is in `{key}` twice"), "keep one of them");
            }
            seen.push(text);
        }
    }
    let strategies = ["", "UnderscoreEscapingWithSuffixes", "NoUTF8EscapingWithSuffixes", "NoTranslation"];
    if let Some(text) = text_of(node, "translation_strategy")
        && let (Some(it), false) = (get(node, "translation_strategy"), strategies.contains(&text))
    {
        reading.unknown(&it.place, "value of `translation_strategy`", text, strategies.iter().skip(1).copied());
    }
}

/// What holds of a file: a strategy that keeps names as they are needs a scheme that allows them, and remote storage has a
/// name once.
pub(super) fn file(node: &Node, reading: &mut Reading) {
    let legacy = get(node, "global").and_then(|it| text_of(it, "metric_name_validation_scheme")) == Some("legacy");
    remote_names(node, reading);
    let Some(otlp) = get(node, "otlp").filter(|_| legacy) else { return };
    if let (Some(it), Some(text)) = (get(otlp, "translation_strategy"), text_of(otlp, "translation_strategy"))
        && text.starts_with("No")
    {
        let advice = "write `UnderscoreEscapingWithSuffixes`, or take `metric_name_validation_scheme` out";
        reading.error(&it.place, format!("`{text}` is not allowed where only the old names are"), advice);
    }
}
