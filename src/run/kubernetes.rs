//! What service discovery of Kubernetes finds of a cluster that the official chart has installed: a pod for each member, and
//! one Service, which selects the pods of webserver or standalone only. Labels are those that Prometheus documents for each
//! role. Names of releases, nodes and addresses are made up, and the same in every run.

use std::collections::BTreeMap;

use super::namespace;
use crate::monitor::{Discovered, Kubernetes};
use crate::scenario::Plan;

/// The ports of a container: name and number.
const PORTS: &[(&str, u32)] = &[("http", 8080), ("management", 8081)];

/// Nodes that pods are spread over.
const NODES: usize = 3;

/// Members a block of addresses holds.
const BLOCK: usize = 200;

/// Labels that begin with this are of Kubernetes.
const META: &str = "__meta_kubernetes_";

type Pairs = Vec<(String, String)>;

/// The address of a member's pod.
pub(super) fn pod_ip(member: usize) -> String {
    format!("10.42.{}.{}", member / BLOCK, 10 + member % BLOCK)
}

/// Members behind the Service of the chart.
pub(super) fn serving(plan: &Plan) -> Vec<usize> {
    let of = |role: &str| -> Vec<usize> {
        let members = plan.cluster.members.iter().enumerate();
        members.filter(|(_, member)| member.role.name() == role).map(|(index, _)| index).collect()
    };
    let standalone = of("standalone");
    if standalone.is_empty() { of("webserver") } else { standalone }
}

/// The Service of the chart: charts before 1.0 name it after its component.
pub(super) fn service_name(plan: &Plan) -> &'static str {
    if plan.kestra.name().starts_with("0.") { "kestra-service" } else { "kestra" }
}

/// What an entry of `kubernetes_sd_configs` finds of a cluster in a namespace.
pub(super) fn discover(of: &Kubernetes, namespace: &str, plan: &Plan) -> Vec<Discovered> {
    // Nodes are in none.
    if of.role != "node" && !namespace::looks_into(of, namespace) {
        return Vec::new();
    }
    let cluster = Cluster { plan, namespace, of };
    let all = 0..plan.cluster.members.len();
    match of.role.as_str() {
        "pod" => {
            all.filter(|it| cluster.selects("pod", &cluster.pod_object(*it))).flat_map(|it| cluster.pod(it)).collect()
        }
        "endpoints" | "endpointslice" => cluster.endpoints(),
        "service" => cluster.service(),
        "node" => (0..NODES.min(all.len())).map(|it| cluster.node_target(it)).collect(),
        // Nothing of Kestra's monitoring stands behind an ingress.
        _ => Vec::new(),
    }
}

/// An object that selectors look at.
struct Object {
    labels: Pairs,
    fields: Pairs,
}

struct Cluster<'p> {
    plan: &'p Plan,
    namespace: &'p str,
    of: &'p Kubernetes,
}

fn pair(key: &str, value: impl Into<String>) -> (String, String) {
    (format!("{META}{key}"), value.into())
}

/// A name as a label has it.
fn sanitized(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

/// Labels or annotations of an object: each, and that it is there.
fn each(of: &str, what: &str, all: &Pairs) -> Pairs {
    let one = |(key, value): &(String, String)| {
        let key = sanitized(key);
        [pair(&format!("{of}_{what}_{key}"), value), pair(&format!("{of}_{what}present_{key}"), "true")]
    };
    all.iter().flat_map(one).collect()
}

fn texts(all: &[(&str, &str)]) -> Pairs {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Hexadecimal digits that belong to a text.
fn digits(text: &str, count: usize) -> String {
    let mut out = String::new();
    let mut number = 0;
    while out.len() < count {
        let noise = crate::random::noise(crate::random::name_key(text), number);
        out += &format!("{:08x}", (noise * f64::from(u32::MAX)) as u32);
        number += 1;
    }
    out.truncate(count);
    out
}

fn uid(text: &str) -> String {
    let it = digits(text, 32);
    format!("{}-{}-4{}-8{}-{}", &it[..8], &it[8..12], &it[13..16], &it[17..20], &it[20..])
}

fn node_name(member: usize) -> String {
    format!("node-{}", member % NODES + 1)
}

fn node_ip(member: usize) -> String {
    format!("192.168.0.{}", member % NODES + 11)
}

impl Cluster<'_> {
    fn member(&self, index: usize) -> (&str, &'static str) {
        let member = &self.plan.cluster.members[index];
        (&member.name, member.role.name())
    }

    /// The name of a ReplicaSet of the chart's Deployment of a role, and the hash in it.
    fn controller(role: &str) -> (String, String) {
        let hash = digits(role, 10);
        (format!("kestra-{role}-{hash}"), hash)
    }

    fn pod_labels(&self, index: usize) -> Pairs {
        let (_, role) = self.member(index);
        let hash = Cluster::controller(role).1;
        texts(&[
            ("app.kubernetes.io/component", role),
            ("app.kubernetes.io/instance", "kestra"),
            ("app.kubernetes.io/name", "kestra"),
            ("pod-template-hash", &hash),
        ])
    }

    fn pod_object(&self, index: usize) -> Object {
        let (name, _) = self.member(index);
        let node = node_name(index);
        let fields = [("metadata.name", name), ("metadata.namespace", self.namespace), ("spec.nodeName", &node)];
        let more = texts(&[("status.phase", "Running"), ("status.podIP", &pod_ip(index))]);
        Object { labels: self.pod_labels(index), fields: texts(&fields).into_iter().chain(more).collect() }
    }

    /// What pods are told of, whoever finds them.
    fn pod_meta(&self, index: usize) -> Pairs {
        let (name, role) = self.member(index);
        let mut all = vec![
            pair("pod_name", name),
            pair("pod_ip", pod_ip(index)),
            pair("pod_ready", "true"),
            pair("pod_phase", "Running"),
            pair("pod_node_name", node_name(index)),
            pair("pod_host_ip", node_ip(index)),
            pair("pod_uid", uid(name)),
            pair("pod_controller_kind", "ReplicaSet"),
            pair("pod_controller_name", Cluster::controller(role).0),
        ];
        all.extend(each("pod", "label", &self.pod_labels(index)));
        let usual =
            [("prometheus.io/path", "/prometheus"), ("prometheus.io/port", "8081"), ("prometheus.io/scrape", "true")];
        all.extend(each("pod", "annotation", &texts(&usual)));
        if self.of.node {
            all.extend(self.node_meta(index));
        }
        all
    }

    fn container(&self, index: usize, (name, number): (&str, u32)) -> Pairs {
        let (member, role) = self.member(index);
        let version = &self.plan.cluster.members[index].profile(self.plan.kestra).release().version;
        vec![
            pair("pod_container_name", format!("kestra-{role}")),
            pair("pod_container_image", format!("kestra/kestra:v{version}")),
            pair("pod_container_id", format!("containerd://{}", digits(&format!("container {member}"), 64))),
            pair("pod_container_init", "false"),
            pair("pod_container_port_name", name),
            pair("pod_container_port_number", number.to_string()),
            pair("pod_container_port_protocol", "TCP"),
        ]
    }

    fn pod(&self, index: usize) -> Vec<Discovered> {
        let at = |port: &(&str, u32)| {
            let mut meta = vec![pair("namespace", self.namespace)];
            meta.extend(self.pod_meta(index));
            meta.extend(self.container(index, *port));
            Discovered { address: format!("{}:{}", pod_ip(index), port.1), meta }
        };
        PORTS.iter().map(at).collect()
    }

    fn node_meta(&self, index: usize) -> Pairs {
        let name = node_name(index);
        let mut all = vec![pair("node_name", name.as_str())];
        let labels =
            [("kubernetes.io/arch", "amd64"), ("kubernetes.io/hostname", name.as_str()), ("kubernetes.io/os", "linux")];
        all.extend(each("node", "label", &texts(&labels)));
        all
    }

    fn node_target(&self, index: usize) -> Discovered {
        let mut meta = self.node_meta(index);
        meta.push(pair("node_address_InternalIP", node_ip(index)));
        meta.push(pair("node_address_Hostname", node_name(index)));
        meta.push(("instance".to_owned(), node_name(index)));
        Discovered { address: format!("{}:10250", node_ip(index)), meta }
    }

    fn service_labels(&self) -> Pairs {
        let version = &self.plan.kestra.release().version;
        let mut all = texts(&[
            ("app.kubernetes.io/instance", "kestra"),
            ("app.kubernetes.io/managed-by", "Helm"),
            ("app.kubernetes.io/name", "kestra"),
            ("app.kubernetes.io/version", version),
        ]);
        if service_name(self.plan) == "kestra-service" {
            all.push(("app.kubernetes.io/component".to_owned(), "service".to_owned()));
        }
        all.push(("helm.sh/chart".to_owned(), format!("kestra-{version}")));
        all
    }

    fn service_object(&self) -> Object {
        let fields = [("metadata.name", service_name(self.plan)), ("metadata.namespace", self.namespace)];
        Object { labels: self.service_labels(), fields: texts(&fields) }
    }

    /// What the Service is told of, by whoever finds what is behind it.
    fn service_meta(&self) -> Pairs {
        let mut all = vec![pair("namespace", self.namespace), pair("service_name", service_name(self.plan))];
        all.extend(each("service", "label", &self.service_labels()));
        all
    }

    fn service(&self) -> Vec<Discovered> {
        if serving(self.plan).is_empty() || !self.selects("service", &self.service_object()) {
            return Vec::new();
        }
        let at = |(name, number): &(&str, u32)| {
            let mut meta = self.service_meta();
            meta.extend([
                pair("service_cluster_ip", "10.43.0.10"),
                pair("service_type", "ClusterIP"),
                pair("service_port_name", *name),
                pair("service_port_number", number.to_string()),
                pair("service_port_protocol", "TCP"),
            ]);
            Discovered { address: format!("{}.{}.svc:{number}", service_name(self.plan), self.namespace), meta }
        };
        PORTS.iter().map(at).collect()
    }

    /// The addresses behind the Service, each with its pod.
    fn endpoints(&self) -> Vec<Discovered> {
        let slices = self.of.role == "endpointslice";
        let service = self.service_object();
        if !self.selects("service", &service) || !self.selects(&self.of.role, &service) {
            return Vec::new();
        }
        let name = service_name(self.plan);
        let (of, own) = match slices {
            true => ("endpointslice", format!("{name}-{}", digits(name, 5))),
            false => ("endpoints", name.to_owned()),
        };
        let mut labels = self.service_labels();
        if slices {
            labels.push(("kubernetes.io/service-name".to_owned(), name.to_owned()));
        }
        let mut found = Vec::new();
        for index in serving(self.plan).into_iter().filter(|it| self.selects("pod", &self.pod_object(*it))) {
            for port in PORTS {
                let mut meta = self.service_meta();
                meta.push(pair(&format!("{of}_name"), own.as_str()));
                meta.extend(each(of, "label", &labels));
                meta.extend(self.endpoint(index, *port, slices));
                meta.extend(self.pod_meta(index));
                meta.extend(self.container(index, *port));
                found.push(Discovered { address: format!("{}:{}", pod_ip(index), port.1), meta });
            }
        }
        found
    }

    /// What is told of an address behind a Service.
    fn endpoint(&self, index: usize, (name, number): (&str, u32), slices: bool) -> Pairs {
        let (pod, _) = self.member(index);
        if !slices {
            return vec![
                pair("endpoint_node_name", node_name(index)),
                pair("endpoint_ready", "true"),
                pair("endpoint_port_name", name),
                pair("endpoint_port_protocol", "TCP"),
                pair("endpoint_address_target_kind", "Pod"),
                pair("endpoint_address_target_name", pod),
            ];
        }
        vec![
            pair("endpointslice_address_type", "IPv4"),
            pair("endpointslice_endpoint_conditions_ready", "true"),
            pair("endpointslice_endpoint_conditions_serving", "true"),
            pair("endpointslice_endpoint_conditions_terminating", "false"),
            pair("endpointslice_endpoint_node_name", node_name(index)),
            pair("endpointslice_port", number.to_string()),
            pair("endpointslice_port_name", name),
            pair("endpointslice_port_protocol", "TCP"),
            pair("endpointslice_address_target_kind", "Pod"),
            pair("endpointslice_address_target_name", pod),
        ]
    }

    /// Whether the selectors for a kind of object let one through.
    fn selects(&self, kind: &str, object: &Object) -> bool {
        let of_kind = self.of.selectors.iter().filter(|(role, _, _)| role == kind);
        of_kind.into_iter().all(|(_, labels, fields)| fits(labels, &object.labels) && fits(fields, &object.fields))
    }
}

/// Whether a selector of Kubernetes holds: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
fn fits(selector: &str, labels: &Pairs) -> bool {
    let labels: BTreeMap<&str, &str> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut depth = 0;
    let parts = selector.split(|c: char| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).all(|part| term(part, &labels))
}

fn term(part: &str, labels: &BTreeMap<&str, &str>) -> bool {
    let of = |key: &str| labels.get(key.trim()).copied();
    let among = |list: &str, value: &str| {
        list.trim().trim_start_matches('(').trim_end_matches(')').split(',').any(|it| it.trim() == value)
    };
    if let Some((key, list)) = part.split_once(" notin ") {
        return of(key).is_none_or(|value| !among(list, value));
    }
    if let Some((key, list)) = part.split_once(" in ") {
        return of(key).is_some_and(|value| among(list, value));
    }
    if let Some((key, value)) = part.split_once("!=") {
        return of(key) != Some(value.trim());
    }
    if let Some((key, value)) = part.split_once('=') {
        return of(key) == Some(value.trim_start_matches('=').trim());
    }
    match part.strip_prefix('!') {
        Some(key) => of(key).is_none(),
        None => of(part).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{NoFiles, read};

    fn found(role: &str, cluster: &str, more: Kubernetes) -> Vec<BTreeMap<String, String>> {
        let text = format!("name: x\ncluster: {{ {cluster} }}\n");
        let plan = read("x.yaml", &text, &NoFiles).0.expect("a plan");
        let of = Kubernetes { role: role.to_owned(), ..more };
        let all = |it: Discovered| it.meta.into_iter().chain([("__address__".to_owned(), it.address)]).collect();
        discover(&of, "kestra", &plan).into_iter().map(all).collect()
    }

    const CLUSTER: &str = "members: { webserver: 1, executor: 1, worker: 2 }";

    const POD: &[&str] = &[
        "namespace",
        "pod_name",
        "pod_ip",
        "pod_label_app_kubernetes_io_name",
        "pod_labelpresent_app_kubernetes_io_name",
        "pod_annotation_prometheus_io_path",
        "pod_annotationpresent_prometheus_io_path",
        "pod_container_init",
        "pod_container_name",
        "pod_container_id",
        "pod_container_image",
        "pod_container_port_name",
        "pod_container_port_number",
        "pod_container_port_protocol",
        "pod_ready",
        "pod_phase",
        "pod_node_name",
        "pod_host_ip",
        "pod_uid",
        "pod_controller_kind",
        "pod_controller_name",
    ];
    const SERVICE: &[&str] =
        &["service_name", "service_label_app_kubernetes_io_name", "service_labelpresent_app_kubernetes_io_name"];
    const ENDPOINTS: &[&str] = &[
        "endpoints_name",
        "endpoints_label_app_kubernetes_io_name",
        "endpoints_labelpresent_app_kubernetes_io_name",
        "endpoint_node_name",
        "endpoint_ready",
        "endpoint_port_name",
        "endpoint_port_protocol",
        "endpoint_address_target_kind",
        "endpoint_address_target_name",
    ];
    const SLICES: &[&str] = &[
        "endpointslice_name",
        "endpointslice_label_kubernetes_io_service_name",
        "endpointslice_labelpresent_kubernetes_io_service_name",
        "endpointslice_address_type",
        "endpointslice_endpoint_conditions_ready",
        "endpointslice_endpoint_node_name",
        "endpointslice_port",
        "endpointslice_port_name",
        "endpointslice_port_protocol",
        "endpointslice_address_target_kind",
        "endpointslice_address_target_name",
    ];
    const ALONE: &[&str] =
        &["service_cluster_ip", "service_type", "service_port_name", "service_port_number", "service_port_protocol"];

    #[test]
    fn each_role_has_the_labels_that_are_documented_for_it() {
        for (role, parts) in [
            ("pod", vec![POD]),
            ("endpoints", vec![POD, SERVICE, ENDPOINTS]),
            ("endpointslice", vec![POD, SERVICE, SLICES]),
            ("service", vec![SERVICE, ALONE]),
            ("node", vec![&["node_name", "node_label_kubernetes_io_os", "node_address_InternalIP"]]),
        ] {
            let found = found(role, CLUSTER, Kubernetes::default());
            let first = found.first().expect(role);
            for label in parts.into_iter().flatten() {
                assert!(first.contains_key(&format!("{META}{label}")), "{role} has no {label}: {first:?}");
            }
        }
        assert!(found("ingress", CLUSTER, Kubernetes::default()).is_empty());
    }

    #[test]
    fn endpoints_are_what_the_charts_service_selects() {
        let pods = |role: &str, cluster: &str| -> Vec<String> {
            let all = found(role, cluster, Kubernetes::default());
            let mut names: Vec<String> = all.iter().map(|it| it["__meta_kubernetes_pod_name"].clone()).collect();
            names.dedup();
            names
        };
        assert_eq!(pods("pod", CLUSTER), ["webserver-1", "executor-1", "worker-1", "worker-2"]);
        assert_eq!(pods("endpoints", CLUSTER), ["webserver-1"]);
        assert_eq!(pods("endpointslice", "standalone: 1"), ["standalone-1"]);
        assert!(pods("endpoints", "members: { executor: 1, worker: 1 }").is_empty());
    }

    #[test]
    fn selectors_of_kubernetes_select() {
        let labels = texts(&[("a", "b"), ("c", "d")]);
        for (selector, expected) in [
            ("", true),
            ("a=b", true),
            ("a==b,c", true),
            ("a!=b", false),
            ("x!=b", true),
            ("a in (x, b),c notin (x,y)", true),
            ("a in (x)", false),
            ("x in (x)", false),
            ("!a", false),
            ("!x", true),
            ("x", false),
        ] {
            assert_eq!(fits(selector, &labels), expected, "{selector}");
        }
        let of = |kind: &str, labels: &str| Kubernetes {
            selectors: vec![(kind.to_owned(), labels.to_owned(), String::new())],
            ..Kubernetes::default()
        };
        assert_eq!(found("pod", CLUSTER, of("pod", "app.kubernetes.io/component=worker")).len(), 4);
        assert!(found("endpoints", CLUSTER, of("service", "app=other")).is_empty());
    }
}
