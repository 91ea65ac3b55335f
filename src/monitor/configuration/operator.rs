//! ServiceMonitor and PodMonitor: a job for each of their endpoints, as prometheus-operator makes it. Every value keeps its
//! place in the manifest. What the Prometheus resource would say is taken as its defaults: scrapes and evaluations each 30 s,
//! one shard, no external labels.

use super::options::{OptionStanding, Row, Section, Takes};
use super::read::{Around, jobs};
use super::values::{check, flag, merged};
use super::{Configuration, Surrounds};
use crate::document::{Entry, Node, Place, Reading, Value};
use crate::time::Duration;

use super::checks::{get, items, text_of};

/// What the operator sets where the resource says nothing.
const INTERVAL: Duration = Duration::seconds(30);

/// Where a monitor has no namespace, it is created in that of whoever applies it.
const NAMESPACE: &str = "default";

/// Of an endpoint: its key, and that of a job.
const RENAMED: &[(&str, &str)] = &[
    ("interval", "scrape_interval"),
    ("scrapeTimeout", "scrape_timeout"),
    ("path", "metrics_path"),
    ("params", "params"),
    ("honorLabels", "honor_labels"),
    ("honorTimestamps", "honor_timestamps"),
    ("trackTimestampsStaleness", "track_timestamps_staleness"),
    ("followRedirects", "follow_redirects"),
    ("enableHttp2", "enable_http2"),
    ("bearerTokenFile", "bearer_token_file"),
    ("metricRelabelings", "metric_relabel_configs"),
    ("proxyUrl", "proxy_url"),
    ("noProxy", "no_proxy"),
    ("proxyFromEnvironment", "proxy_from_environment"),
];

/// Of `spec`: its key, and that of a job.
const LIMITS: &[(&str, &str)] = &[
    ("sampleLimit", "sample_limit"),
    ("targetLimit", "target_limit"),
    ("labelLimit", "label_limit"),
    ("labelNameLengthLimit", "label_name_length_limit"),
    ("labelValueLengthLimit", "label_value_length_limit"),
    ("bodySizeLimit", "body_size_limit"),
    ("keepDroppedTargets", "keep_dropped_targets"),
    ("scrapeProtocols", "scrape_protocols"),
    ("fallbackScrapeProtocol", "fallback_scrape_protocol"),
    ("nativeHistogramBucketLimit", "native_histogram_bucket_limit"),
    ("convertClassicHistogramsToNHCB", "convert_classic_histograms_to_nhcb"),
];

/// Of a rule of relabelling: its key in a manifest, and in a configuration.
const RELABEL: &[(&str, &str)] = &[
    ("sourceLabels", "source_labels"),
    ("separator", "separator"),
    ("targetLabel", "target_label"),
    ("regex", "regex"),
    ("modulus", "modulus"),
    ("replacement", "replacement"),
    ("action", "action"),
];

const fn row(key: &'static str) -> Row {
    Row { key, takes: Takes::Unread, standing: OptionStanding::Simulated, why: "", unless: &[] }
}

const fn refused(key: &'static str, why: &'static str) -> Row {
    Row { key, takes: Takes::Unread, standing: OptionStanding::Refused, why, unless: &["false"] }
}

fn nothing(_: &Node, _: &mut Reading) {}

const SECRETS: &str = "it names a Secret, which is not here";

static SPEC: Section = Section {
    name: "`spec`",
    rows: &[&[
        row("selector"),
        row("endpoints"),
        row("podMetricsEndpoints"),
        row("namespaceSelector"),
        row("jobLabel"),
        row("targetLabels"),
        row("podTargetLabels"),
        row("attachMetadata"),
        row("selectorMechanism"),
        row("sampleLimit"),
        row("targetLimit"),
        row("labelLimit"),
        row("labelNameLengthLimit"),
        row("labelValueLengthLimit"),
        row("bodySizeLimit"),
        row("keepDroppedTargets"),
        row("scrapeProtocols"),
        row("fallbackScrapeProtocol"),
        row("nativeHistogramBucketLimit"),
        row("nativeHistogramMinBucketFactor"),
        row("convertClassicHistogramsToNHCB"),
        row("scrapeClassicHistograms"),
        row("serviceDiscoveryRole"),
        refused("scrapeClass", "it is of the Prometheus resource, which is not here"),
    ]],
    check: nothing,
};

static ENDPOINT: Section = Section {
    name: "an endpoint",
    rows: &[&[
        row("port"),
        row("portNumber"),
        row("targetPort"),
        row("path"),
        row("scheme"),
        row("params"),
        row("interval"),
        row("scrapeTimeout"),
        row("honorLabels"),
        row("honorTimestamps"),
        row("trackTimestampsStaleness"),
        row("relabelings"),
        row("metricRelabelings"),
        row("followRedirects"),
        row("enableHttp2"),
        row("filterRunning"),
        row("tlsConfig"),
        row("bearerTokenFile"),
        row("proxyUrl"),
        row("noProxy"),
        row("proxyFromEnvironment"),
        refused("proxyConnectHeader", "what a proxy answers is not known here"),
        refused("basicAuth", SECRETS),
        refused("authorization", SECRETS),
        refused("bearerTokenSecret", SECRETS),
        refused("oauth2", SECRETS),
    ]],
    check: nothing,
};

static RULE: Section = Section {
    name: "a rule of relabelling",
    rows: &[&[
        row("sourceLabels"),
        row("separator"),
        row("targetLabel"),
        row("regex"),
        row("modulus"),
        row("replacement"),
        row("action"),
    ]],
    check: nothing,
};

/// Whether a document is an object of Kubernetes.
pub(super) fn is_manifest(node: &Node) -> bool {
    text_of(node, "apiVersion").is_some() && text_of(node, "kind").is_some()
}

/// Reads all documents of a file.
pub(super) fn read(
    documents: &[Node],
    surrounds: Option<&dyn Surrounds>,
    reading: &mut Reading,
) -> Option<Configuration> {
    let mut found = Vec::new();
    for document in documents.iter().map(merged) {
        object(&document, &mut found, reading);
    }
    if found.is_empty() && !reading.failed() {
        let place = &documents.first()?.place;
        reading.error(
            place,
            "none of these objects says what is scraped",
            "pass ServiceMonitors, PodMonitors, or a prometheus.yml",
        );
    }
    let around = Around { folder: std::path::Path::new(""), surrounds };
    let jobs = jobs(&found, INTERVAL, around, reading);
    Some(Configuration { evaluation_interval: INTERVAL, jobs, ..Configuration::empty() })
}

/// The jobs of an object.
fn object(node: &Node, found: &mut Vec<Node>, reading: &mut Reading) {
    let kind = text_of(node, "kind").unwrap_or("");
    match kind {
        "ServiceMonitor" => found.extend(monitor(node, &SERVICE, reading)),
        "PodMonitor" => found.extend(monitor(node, &POD, reading)),
        _ if kind.ends_with("List") => items(node, "items").iter().for_each(|item| object(item, found, reading)),
        "ScrapeConfig" | "Probe" | "Prometheus" | "PrometheusAgent" => {
            let place = get(node, "kind").unwrap_or(node);
            reading.error(
                &place.place,
                format!("a {kind} is not read here"),
                "pass ServiceMonitors, PodMonitors, or a prometheus.yml",
            );
        }
        "PrometheusRule" => {
            let place = get(node, "kind").unwrap_or(node);
            reading.warning(
                &place.place,
                "a PrometheusRule says what is judged, not what is scraped",
                "pass it with `--rules`",
            );
        }
        _ => {
            let place = get(node, "kind").unwrap_or(node);
            reading.note(&place.place, format!("kind {kind} says nothing about what is scraped"), "");
        }
    }
}

/// What is different between the kinds.
struct Kind {
    name: &'static str,
    job: &'static str,
    endpoints: &'static str,
    role: &'static str,
    /// What its selector looks at.
    selects: &'static str,
    /// The label of the name of a port.
    port: &'static str,
}

const SERVICE: Kind = Kind {
    name: "a ServiceMonitor",
    job: "serviceMonitor",
    endpoints: "endpoints",
    role: "endpoints",
    selects: "service",
    port: "__meta_kubernetes_endpoint_port_name",
};

const POD: Kind = Kind {
    name: "a PodMonitor",
    job: "podMonitor",
    endpoints: "podMetricsEndpoints",
    role: "pod",
    selects: "pod",
    port: "__meta_kubernetes_pod_container_port_name",
};

fn monitor(node: &Node, kind: &Kind, reading: &mut Reading) -> Vec<Node> {
    let metadata = get(node, "metadata").unwrap_or(node);
    let name = text_of(metadata, "name").unwrap_or("");
    let namespace = text_of(metadata, "namespace").unwrap_or(NAMESPACE);
    let Some(spec) = get(node, "spec") else {
        reading.error(&node.place, format!("{} has no `spec`", kind.name), "add it");
        return Vec::new();
    };
    if name.is_empty() {
        reading.error(&node.place, format!("{} has no name", kind.name), "add `metadata: { name: kestra }`");
    }
    check(spec, &SPEC, reading);
    let endpoints = items(spec, kind.endpoints);
    if get(spec, "selector").is_none() || endpoints.is_empty() {
        let what = format!("{} needs `selector` and `{}`", kind.name, kind.endpoints);
        reading.error(&spec.place, what, "add them; `selector: {}` selects all");
        return Vec::new();
    }
    let mut jobs = Vec::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        check(endpoint, &ENDPOINT, reading);
        let job = format!("{}/{namespace}/{name}/{index}", kind.job);
        jobs.push(Translation { kind, spec, endpoint, namespace, name }.job(&job, reading));
    }
    jobs
}

/// An endpoint on its way to a job.
struct Translation<'n> {
    kind: &'n Kind,
    spec: &'n Node,
    endpoint: &'n Node,
    namespace: &'n str,
    name: &'n str,
}

fn text(place: &Place, text: impl Into<String>) -> Node {
    Node { value: Value::Scalar { text: text.into(), plain: true }, place: place.clone() }
}

fn list(place: &Place, items: Vec<Node>) -> Node {
    Node { value: Value::Sequence(items), place: place.clone() }
}

fn mapping(place: &Place, entries: Vec<(&str, Node)>) -> Node {
    let entry = |(key, value): (&str, Node)| Entry { key: key.to_owned(), place: value.place.clone(), value };
    Node { value: Value::Mapping(entries.into_iter().map(entry).collect()), place: place.clone() }
}

/// A rule of relabelling that the operator adds: some of source labels, regex, target, replacement, action.
fn rule(place: &Place, sources: &[String], others: &[(&str, &str)]) -> Node {
    let mut entries = Vec::new();
    if !sources.is_empty() {
        entries.push(("source_labels", list(place, sources.iter().map(|it| text(place, it.as_str())).collect())));
    }
    entries.extend(others.iter().map(|(key, value)| (*key, text(place, *value))));
    mapping(place, entries)
}

/// A name as service discovery writes it in a label.
fn sanitized(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

impl Translation<'_> {
    fn job(&self, name: &str, reading: &mut Reading) -> Node {
        let place = &self.endpoint.place;
        let mut entries = vec![("job_name", text(place, name)), ("kubernetes_sd_configs", self.discovery(reading))];
        for (from, (key, to)) in
            RENAMED.iter().map(|it| (self.endpoint, it)).chain(LIMITS.iter().map(|it| (self.spec, it)))
        {
            let Some(value) =
                get(from, key).filter(|it| !matches!(&it.value, Value::Scalar { text, .. } if text.is_empty()))
            else {
                continue;
            };
            let value = match *to {
                "metric_relabel_configs" => list(&value.place, relabelings(self.endpoint, key, reading)),
                _ => value.clone(),
            };
            entries.push((to, value));
        }
        if let Some(node) = get(self.endpoint, "scheme") {
            entries.push(("scheme", text(&node.place, text_of(self.endpoint, "scheme").unwrap_or("").to_lowercase())));
        }
        entries.push(("relabel_configs", list(place, self.relabelling(reading))));
        mapping(place, entries)
    }

    /// Whether endpoints are discovered by slices.
    fn slices(&self) -> bool {
        self.kind.role == "endpoints" && text_of(self.spec, "serviceDiscoveryRole") == Some("EndpointSlice")
    }

    /// The word for endpoints in labels.
    fn endpoints(&self) -> &'static str {
        if self.slices() { "endpointslice" } else { "endpoint" }
    }

    fn discovery(&self, reading: &mut Reading) -> Node {
        let place = &self.spec.place;
        let role = if self.slices() { "endpointslice" } else { self.kind.role };
        let mut entries = vec![("role", text(place, role))];
        let selector = get(self.spec, "namespaceSelector");
        let any = selector.and_then(|it| text_of(it, "any")).and_then(flag) == Some(true);
        let named =
            selector.and_then(|it| get(it, "matchNames")).filter(|it| !reading.list(it, "`matchNames`").is_empty());
        if !any {
            let names = named.cloned().unwrap_or_else(|| list(place, vec![text(place, self.namespace)]));
            entries.push(("namespaces", mapping(place, vec![("names", names)])));
        }
        if let Some(attach) = get(self.spec, "attachMetadata") {
            entries.push(("attach_metadata", attach.clone()));
        }
        list(place, vec![mapping(place, entries)])
    }

    fn relabelling(&self, reading: &mut Reading) -> Vec<Node> {
        let place = &self.endpoint.place;
        let plain = |source: &str, others: &[(&str, &str)]| rule(place, &[source.to_owned()], others);
        let to = |source: &str, target: &str| plain(source, &[("target_label", target)]);
        let pods = self.kind.role == "pod";
        let mut rules = vec![to("job", "__tmp_prometheus_job_name")];
        let running = || plain("__meta_kubernetes_pod_phase", &[("regex", "(Failed|Succeeded)"), ("action", "drop")]);
        let only_running = text_of(self.endpoint, "filterRunning").and_then(flag) != Some(false);
        if pods && only_running {
            rules.push(running());
        }
        self.selector(&mut rules, reading);
        self.port(&mut rules);
        if pods {
            rules.push(to("__meta_kubernetes_namespace", "namespace"));
        } else {
            let target = |kind: &str, label: &str| {
                let label_of = |it: &str| format!("__meta_kubernetes_{}_address_target_{it}", self.endpoints());
                let others = [("regex", kind), ("replacement", "${1}"), ("target_label", label)];
                rule(place, &[label_of("kind"), label_of("name")], &others)
            };
            rules.push(target("Node;(.*)", "node"));
            rules.push(target("Pod;(.*)", "pod"));
            rules.push(to("__meta_kubernetes_namespace", "namespace"));
            rules.push(to("__meta_kubernetes_service_name", "service"));
        }
        rules.push(to("__meta_kubernetes_pod_container_name", "container"));
        rules.push(to("__meta_kubernetes_pod_name", "pod"));
        if !pods && only_running {
            rules.push(running());
        }
        let copied = |of: &str, label: &str, target: &str| {
            let source = format!("__meta_kubernetes_{of}_label_{}", sanitized(label));
            plain(&source, &[("regex", "(.+)"), ("replacement", "${1}"), ("target_label", target)])
        };
        for (key, of) in [("targetLabels", "service"), ("podTargetLabels", "pod")] {
            for label in items(self.spec, key).iter().filter_map(|it| reading.text(it, "a label")) {
                rules.push(copied(of, label, &sanitized(label)));
            }
        }
        rules.push(match pods {
            true => {
                let job = format!("{}/{}", self.namespace, self.name);
                rule(place, &[], &[("target_label", "job"), ("replacement", &job)])
            }
            false => to("__meta_kubernetes_service_name", "job"),
        });
        rules.extend(text_of(self.spec, "jobLabel").map(|label| copied(self.kind.selects, label, "job")));
        let port = ["port", "targetPort"].iter().find_map(|key| text_of(self.endpoint, key));
        rules.extend(port.map(|it| rule(place, &[], &[("target_label", "endpoint"), ("replacement", it)])));
        rules.extend(relabelings(self.endpoint, "relabelings", reading));
        rules
    }

    /// Which objects are kept: by labels, in the order of their names, and by expressions.
    fn selector(&self, rules: &mut Vec<Node>, reading: &mut Reading) {
        let Some(selector) = get(self.spec, "selector") else { return };
        let label = |of: &str, name: &str| format!("__meta_kubernetes_{}_{of}_{}", self.kind.selects, sanitized(name));
        let both = |name: &str| [label("label", name), label("labelpresent", name)];
        if let Some(Node { value: Value::Mapping(entries), .. }) = get(selector, "matchLabels") {
            let mut entries: Vec<&Entry> = entries.iter().collect();
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            for entry in entries {
                let value = reading.text(&entry.value, "the value of a label").unwrap_or("");
                let regex = format!("({value});true");
                let others = [("action", "keep"), ("regex", regex.as_str())];
                rules.push(rule(&entry.place, &both(&entry.key), &others));
            }
        }
        for node in items(selector, "matchExpressions") {
            let key = text_of(node, "key").unwrap_or("");
            let values: Vec<&str> = items(node, "values").iter().filter_map(|it| reading.text(it, "a value")).collect();
            let any = format!("({});true", values.join("|"));
            let present = [label("labelpresent", key)];
            rules.push(match text_of(node, "operator") {
                Some("In") => rule(&node.place, &both(key), &[("action", "keep"), ("regex", &any)]),
                Some("NotIn") => rule(&node.place, &both(key), &[("action", "drop"), ("regex", &any)]),
                Some("Exists") => rule(&node.place, &present, &[("action", "keep"), ("regex", "true")]),
                Some("DoesNotExist") => rule(&node.place, &present, &[("action", "drop"), ("regex", "true")]),
                other => {
                    let words = ["In", "NotIn", "Exists", "DoesNotExist"];
                    reading.unknown(&node.place, "operator of a selector", other.unwrap_or(""), words);
                    continue;
                }
            });
        }
    }

    /// Which ports are kept.
    fn port(&self, rules: &mut Vec<Node>) {
        let number = "__meta_kubernetes_pod_container_port_number";
        let name = if self.slices() { "__meta_kubernetes_endpointslice_port_name" } else { self.kind.port };
        let target = text_of(self.endpoint, "targetPort");
        let (source, value) = match (text_of(self.endpoint, "port"), text_of(self.endpoint, "portNumber"), target) {
            (Some(port), _, _) => (name, port),
            (_, Some(port), _) => (number, port),
            (_, _, Some(port)) if port.parse::<u16>().is_ok() => (number, port),
            (_, _, Some(port)) => ("__meta_kubernetes_pod_container_port_name", port),
            _ => return,
        };
        let place = &self.endpoint.place;
        rules.push(rule(place, &[source.to_owned()], &[("action", "keep"), ("regex", value)]));
    }
}

/// The rules of an endpoint, with the keys of a configuration.
fn relabelings(endpoint: &Node, key: &str, reading: &mut Reading) -> Vec<Node> {
    let mut rules = Vec::new();
    for node in items(endpoint, key) {
        check(node, &RULE, reading);
        let entries = RELABEL.iter().filter_map(|(from, to)| Some((*to, get(node, from)?.clone())));
        rules.push(mapping(&node.place, entries.collect()));
    }
    rules
}
