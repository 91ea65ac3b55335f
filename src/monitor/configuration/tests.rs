//! What configurations and manifests come to.

use super::*;

fn read(text: &str) -> Configuration {
    let (configuration, told) =
        Configuration::read("prometheus.yml", text).unwrap_or_else(|told| panic!("{}", document::render(&told)));
    assert!(told.is_empty(), "{}", document::render(&told));
    configuration
}

#[test]
fn targets_are_made_and_relabelled() {
    let text = "global: { scrape_interval: 30s, evaluation_interval: 20s, external_labels: { dc: eu } }\n\
        remote_write: [ { url: \"http://x\" } ]\nrule_files: [ \"rules/*.yml\" ]\nscrape_configs:\n\
        - job_name: kestra\n  metrics_path: /prometheus\n  static_configs: [ { targets: [ \"worker-1:8081\", \"node:9100\" ], labels: { env: prod } } ]\n\
        \x20 relabel_configs: [ { source_labels: [ __address__ ], regex: \"node.*\", action: drop }, { source_labels: [ __address__ ], regex: \"(.*):.*\", target_label: pod } ]\n\
        - job_name: found\n  scrape_interval: 5s\n  kubernetes_sd_configs: [ { role: pod } ]\n  params: { a: [ b ] }\n";
    let configuration = read(text);
    assert_eq!(configuration.evaluation_interval, Duration::seconds(20));
    assert_eq!(configuration.rule_files, ["rules/*.yml"]);
    let one = configuration.jobs[0].targets(&[]);
    assert_eq!(one.located.len(), 1);
    assert_eq!((one.located[0].address.as_str(), one.located[0].path.as_str()), ("worker-1:8081", "/prometheus"));
    let target = &one.located[0].target;
    assert_eq!(target.describe(), "env=\"prod\", instance=\"worker-1:8081\", job=\"kestra\", pod=\"worker-1\"");
    assert_eq!((target.interval, target.timeout), (Duration::seconds(30), Duration::seconds(10)));
    let rule = "relabel_configs[0] (drop of [__address__] by `node.*`, which is `node:9100`; prometheus.yml:8:22)";
    let dropped: Vec<(&str, usize, &str)> =
        one.dropped.iter().map(|it| (it.address.as_str(), it.rule, it.words.as_str())).collect();
    assert_eq!(dropped, [("node:9100", 0, rule)]);
    // What its samples would have, had the rule kept it.
    let labels: Vec<&str> = one.dropped[0].labels.iter().map(|(_, value)| &**value).collect();
    assert_eq!(labels, ["prod", "node:9100", "kestra", "node"]);
    let found = [Discovered { address: "executor-1:8081".into(), meta: vec![("__meta_x".into(), "y".into())] }];
    let two = configuration.jobs[1].targets(&found);
    assert_eq!(two.located[0].path, "/metrics?a=b");
    assert_eq!(two.located[0].target.timeout, Duration::seconds(5), "never longer than the interval");
}

#[test]
fn addresses_are_written_as_go_writes_a_url() {
    for (options, url) in [
        ("metrics_path: prometheus", "http://a:1/prometheus"),
        ("metrics_path: \"/prometheus?a=b\"", "http://a:1/prometheus%3Fa=b"),
        ("metrics_path: \"/prome theus\"", "http://a:1/prome%20theus"),
        ("metrics_path: \"\"", "http://a:1"),
        ("scheme: https", "https://a:1/metrics"),
        ("params: { b: [ \"x y\", z ], a: [ \"&\" ] }", "http://a:1/metrics?a=%26&b=x+y&b=z"),
        (
            "params: { a: [ b, c ] }, relabel_configs: [ { target_label: __param_a, replacement: d } ]",
            "http://a:1/metrics?a=d&a=c",
        ),
    ] {
        let text = format!(
            "scrape_configs: [ {{ job_name: x, static_configs: [ {{ targets: [ \"a:1\" ] }} ], {options} }} ]\n"
        );
        assert_eq!(read(&text).jobs[0].targets(&[]).located[0].url(), url, "{options}");
    }
}

#[test]
fn one_target_twice_is_one_and_too_many_are_none() {
    let job = |more: &str| {
        let targets = "[ { targets: [ \"a:1\", \"b:1\" ] }, { targets: [ \"a:1\" ] } ]";
        read(&format!("scrape_configs: [ {{ job_name: x, static_configs: {targets}, {more} }} ]\n")).jobs.remove(0)
    };
    assert_eq!(job("target_limit: 2").targets(&[]).located.iter().filter(|it| it.forbidden.is_none()).count(), 2);
    let all = job("target_limit: 1").targets(&[]).located;
    let why = "target_limit exceeded (number of targets: 2, limit: 1)";
    assert!(all.len() == 2 && all.iter().all(|it| it.forbidden.as_deref() == Some(why)), "{all:?}");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, parts) in [
        ("scrape_configs: [ { job_nam: x } ]\n", vec!["prometheus.yml:1:", "did you mean `job_name`?"]),
        ("scrape_config: []\n", vec!["prometheus.yml:1:1", "did you mean `scrape_configs`?"]),
        ("global: { scrape_intervall: 5s }\n", vec!["did you mean `scrape_interval`?"]),
        ("scrape_configs: [ { job_name: x, foo: 1 } ]\n", vec!["`foo` is no key of a job"]),
        ("receivers: {}\nexporters: {}\nservice: {}\n", vec!["OpenTelemetry Collector", "receivers.prometheus.config"]),
        ("groups: []\n", vec!["--rules"]),
        ("remote_read: [ { url: \"http://x\" } ]\n", vec!["`remote_read` is not simulated"]),
        (
            "scrape_configs: [ { job_name: x, consul_sd_configs: [ {} ] } ]\n",
            vec!["`consul_sd_configs` is not simulated"],
        ),
        ("scrape_configs: [ { job_name: x, scrape_interval: 5s, scrape_timeout: 9s } ]\n", vec!["timeout is greater"]),
        (
            "scrape_configs: [ { job_name: x, static_configs: [ { targets: [ \"http://x/\" ] } ] } ]\n",
            vec!["is no target"],
        ),
        ("scrape_configs: [ { job_name: x }, { job_name: x } ]\n", vec!["two jobs"]),
        ("global: { scrape_interval: soon }\n", vec!["soon", "as Prometheus does"]),
        ("global: { scrape_interval: PT1M }\n", vec!["PT1M"]),
        ("scrape_configs: [ { job_name: x, relabel_configs: [ { action: kep } ] } ]\n", vec!["did you mean `keep`?"]),
        (
            "scrape_configs: [ { job_name: x, relabel_configs: [ { regex: \"(\", target_label: a } ] } ]\n",
            vec!["no regular expression"],
        ),
    ] {
        let told = document::render(&Configuration::read("prometheus.yml", text).expect_err(text));
        for part in parts {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}

const SERVICE_MONITOR: &str = "apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: { name: kestra, namespace: monitoring, labels: { release: prometheus } }
spec:
  jobLabel: app.kubernetes.io/name
  targetLabels: [ app.kubernetes.io/version ]
  namespaceSelector: { matchNames: [ data ] }
  selector:
    matchLabels: { app.kubernetes.io/name: kestra }
    matchExpressions: [ { key: app.kubernetes.io/instance, operator: In, values: [ a, kestra ] } ]
  sampleLimit: 5000
  endpoints:
    - port: management
      path: /prometheus
      interval: 20s
      relabelings: [ { sourceLabels: [ __meta_kubernetes_pod_node_name ], targetLabel: node } ]
      metricRelabelings: [ { sourceLabels: [ __name__ ], regex: 'jvm_.*', action: drop } ]
";

#[test]
fn a_service_monitor_is_translated_as_the_operator_does() {
    let configuration = read(SERVICE_MONITOR);
    let job = &configuration.jobs[0];
    assert_eq!(job.name, "serviceMonitor/monitoring/kestra/0");
    let namespaces = vec!["data".to_owned()];
    let kubernetes = Kubernetes { role: "endpoints".into(), namespaces, ..Kubernetes::default() };
    assert_eq!(job.discoveries, [Discovery::Kubernetes(kubernetes)]);
    let meta = |port: &str, instance: &str| {
        let pairs = [
            ("namespace", "data"),
            ("service_name", "kestra"),
            ("service_label_app_kubernetes_io_name", "kestra"),
            ("service_labelpresent_app_kubernetes_io_name", "true"),
            ("service_label_app_kubernetes_io_instance", instance),
            ("service_labelpresent_app_kubernetes_io_instance", "true"),
            ("service_label_app_kubernetes_io_version", "1.3"),
            ("endpoint_port_name", port),
            ("endpoint_address_target_kind", "Pod"),
            ("endpoint_address_target_name", "w"),
            ("pod_name", "w"),
            ("pod_container_name", "kestra-webserver"),
            ("pod_node_name", "node-1"),
            ("pod_phase", "Running"),
        ];
        let meta = pairs.iter().map(|(key, value)| (format!("__meta_kubernetes_{key}"), (*value).to_owned()));
        Discovered { address: "10.42.0.10:8081".into(), meta: meta.collect() }
    };
    let targets = job.targets(&[meta("management", "kestra"), meta("http", "kestra"), meta("management", "other")]);
    assert_eq!(targets.located.len(), 1);
    let located = &targets.located[0];
    assert_eq!(located.url(), "http://10.42.0.10:8081/prometheus");
    assert_eq!(located.target.interval, Duration::seconds(20));
    assert_eq!(
        located.target.describe(),
        "app_kubernetes_io_version=\"1.3\", container=\"kestra-webserver\", endpoint=\"management\", \
         instance=\"10.42.0.10:8081\", job=\"kestra\", namespace=\"data\", node=\"node-1\", pod=\"w\", service=\"kestra\""
    );
    let rules: Vec<&str> = targets.dropped.iter().map(|it| it.words.as_str()).collect();
    assert!(rules[0].contains("endpoint_port_name") && rules[0].contains("`http`"), "{rules:?}");
    assert!(rules[1].contains("label_app_kubernetes_io_instance") && rules[1].contains("other"), "{rules:?}");
}

#[test]
fn a_pod_monitor_is_translated_and_other_objects_are_told() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: { name: x }\n---\napiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: { name: workers, namespace: data }\nspec:\n  selector: { matchLabels: { app.kubernetes.io/component: worker } }\n  podMetricsEndpoints: [ { port: management, path: /prometheus } ]\n";
    let (configuration, told) = Configuration::read("m.yaml", text).expect("manifests");
    assert!(document::render(&told).contains("kind Service says nothing about what is scraped"));
    let job = &configuration.jobs[0];
    assert_eq!(
        (job.name.as_str(), configuration.evaluation_interval),
        ("podMonitor/data/workers/0", Duration::seconds(30))
    );
    let meta = |component: &str| {
        let pairs = [
            ("namespace", "data"),
            ("pod_label_app_kubernetes_io_component", component),
            ("pod_labelpresent_app_kubernetes_io_component", "true"),
            ("pod_container_port_name", "management"),
            ("pod_container_name", "kestra-worker"),
            ("pod_name", "worker-1"),
        ];
        let meta = pairs.iter().map(|(key, value)| (format!("__meta_kubernetes_{key}"), (*value).to_owned()));
        Discovered { address: "10.42.0.12:8081".into(), meta: meta.collect() }
    };
    let targets = job.targets(&[meta("worker"), meta("executor")]);
    assert_eq!(
        targets.located[0].target.describe(),
        "container=\"kestra-worker\", endpoint=\"management\", instance=\"10.42.0.12:8081\", job=\"data/workers\", \
         namespace=\"data\", pod=\"worker-1\""
    );
    assert_eq!((targets.located.len(), targets.dropped.len()), (1, 1));
}

#[test]
fn manifests_that_cannot_be_read_are_refused() {
    let endpoint = |more: &str| SERVICE_MONITOR.replace("interval: 20s", more);
    for (text, part) in [
        (endpoint("basicAuth: { username: { name: a, key: b } }"), "a Secret, which is not here"),
        (endpoint("intervall: 20s"), "did you mean `interval`?"),
        (endpoint("interval: 1.5m"), "as Prometheus does"),
        (SERVICE_MONITOR.replace("  selector:", "  selektor:"), "did you mean `selector`?"),
        (SERVICE_MONITOR.replace("ServiceMonitor", "Probe"), "a Probe is not read here"),
        (SERVICE_MONITOR.replace("ServiceMonitor", "Deployment"), "none of these objects"),
        (SERVICE_MONITOR.replace("operator: In", "operator: Is"), "operator of a selector"),
    ] {
        let told = document::render(&Configuration::read("m.yaml", &text).expect_err(part));
        assert!(told.contains(part), "{part} in {told}");
    }
}

/// Some files, and a variable.
struct Files(&'static [(&'static str, &'static str)]);

impl Surrounds for Files {
    fn find(&self, path: &str) -> Vec<String> {
        let fits = |name: &str| match path.split_once('*') {
            Some((before, after)) => name.starts_with(before) && name.ends_with(after),
            None => name == path,
        };
        self.0.iter().map(|(name, _)| (*name).to_owned()).filter(|name| fits(name)).collect()
    }
    fn read(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
    }
    fn variable(&self, name: &str) -> Option<String> {
        (name == "REGION").then(|| "eu".to_owned())
    }
}

#[test]
fn what_stands_in_other_files_and_in_the_environment_is_read() {
    let files = Files(&[
        ("etc/targets/a.json", "[ { \"targets\": [ \"worker-1:8081\" ], \"labels\": { \"env\": \"prod\" } } ]"),
        ("etc/password", " s3cret\n"),
        ("etc/more/jobs.yml", "scrape_configs: [ { job_name: more, scrape_interval: 5s } ]"),
        ("etc/rules.yml", ""),
    ]);
    let text = "global: { external_labels: { region: \"$REGION-1\", zone: \"${REGION}\", none: $NOPE, cost: \"$$5\" } }\n\
        rule_files: [ rules.yml ]\nscrape_config_files: [ \"more/*.yml\" ]\nscrape_configs:\n- job_name: a\n\
        \x20 basic_auth: { username: u, password_file: password }\n  file_sd_configs: [ { files: [ \"targets/*.json\" ] } ]\n";
    let (configuration, told) =
        Configuration::read_beside("etc/prometheus.yml", text, Some(&files)).expect("a configuration");
    assert!(told.is_empty(), "{}", document::render(&told));
    let labels: Vec<String> =
        configuration.external_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["region=eu-1", "zone=eu", "cost=$5"]);
    let names: Vec<&str> = configuration.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["a", "more"]);
    let located = &configuration.jobs[0].targets(&[]).located[0];
    assert_eq!(located.target.describe(), "env=\"prod\", instance=\"worker-1:8081\", job=\"a\"");
    // u:s3cret
    assert_eq!(located.headers, [("authorization".to_owned(), "Basic dTpzM2NyZXQ=".to_owned())]);
    for (text, part) in [
        ("rule_files: [ nope.yml ]\n", "`nope.yml` does not point to an existing file"),
        ("scrape_configs: [ { job_name: a, bearer_token_file: nope } ]\n", "which cannot be read: no such file"),
        (
            "scrape_configs: [ { job_name: a, tls_config: { cert_file: nope, key_file: nope } } ]\n",
            "`nope` cannot be read",
        ),
        (
            "scrape_config_files: [ \"more/*.yml\" ]\nscrape_configs: [ { job_name: more } ]\n",
            "two jobs are called `more`",
        ),
    ] {
        let told = Configuration::read_beside("etc/prometheus.yml", text, Some(&files)).expect_err(part);
        assert!(document::render(&told).contains(part), "{}", document::render(&told));
    }
    let text = "scrape_configs: [ { job_name: a, file_sd_configs: [ { files: [ nope.json ] } ] } ]\n";
    let (_, told) = Configuration::read_beside("etc/prometheus.yml", text, Some(&files)).expect("a configuration");
    assert!(document::render(&told).contains("there is no file `nope.json`"));
}
