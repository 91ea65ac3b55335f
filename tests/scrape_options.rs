//! What a configuration of Prometheus means here: which ones are accepted, beside promtool, and what decides `up`, beside real
//! servers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;

use common::peers::{Prometheus, peer};
use common::server::{Mock, eventually, plan, scratch};
use mock_kestra::document::{Severity, render};
use mock_kestra::monitor::{Configuration, OptionStanding, Surrounds, read_rules, scrape_options};
use mock_kestra::promql::Semantics;
use mock_kestra::random::Seed;
use mock_kestra::report::{Detail, over_seeds};
use mock_kestra::run::{Scraping, Session, Watch};
use mock_kestra::time::{Calendar, Duration, Instant};

/// Each after a line with what promtool 3.5.3 says of it, in a folder without other files.
const CONFIGURATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/configurations.txt");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Refused,
    Accepted,
    /// By promtool; here it is refused because what it asks for is not simulated.
    AcceptedNotSimulated,
}

fn configurations() -> Vec<(Verdict, String)> {
    let mut all: Vec<(Verdict, String)> = Vec::new();
    let text = std::fs::read_to_string(CONFIGURATIONS).expect("the configurations");
    for line in text.split_inclusive('\n') {
        let verdict = match line.trim_end() {
            "### refused" => Verdict::Refused,
            "### accepted" => Verdict::Accepted,
            "### accepted, not simulated" => Verdict::AcceptedNotSimulated,
            _ => {
                all.last_mut().expect("a verdict first").1.push_str(line);
                continue;
            }
        };
        all.push((verdict, String::new()));
    }
    all
}

/// A folder without files.
struct Nothing;

impl Surrounds for Nothing {
    fn find(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("no such file: {path}"))
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

#[test]
fn what_promtool_refuses_is_refused_and_what_it_accepts_is_read_or_refused_by_name() {
    let all = configurations();
    let count = |verdict: Verdict| all.iter().filter(|(it, _)| *it == verdict).count();
    assert!(
        count(Verdict::Refused) >= 100 && count(Verdict::Accepted) >= 60 && count(Verdict::AcceptedNotSimulated) >= 8
    );
    let mut wrong = Vec::new();
    for (verdict, text) in &all {
        let read = Configuration::read_beside("prometheus.yml", text, Some(&Nothing));
        let told = read.as_ref().err().map(|told| render(told)).unwrap_or_default();
        let by_name = told.contains("is not simulated") || told.contains("which cannot be read");
        let ours = match (read.is_ok(), by_name && *verdict != Verdict::Refused) {
            (true, _) => Verdict::Accepted,
            (false, true) => Verdict::AcceptedNotSimulated,
            (false, false) => Verdict::Refused,
        };
        if ours != *verdict {
            wrong.push(format!("promtool: {verdict:?}, here: {ours:?}\n{text}{told}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
#[ignore = "needs promtool of Debian unstable: .ci/peers fetches it"]
fn promtool_says_of_every_configuration_what_is_written_down() {
    let file = scratch("prometheus.yml");
    let mut wrong = Vec::new();
    for (verdict, text) in configurations() {
        std::fs::write(&file, &text).expect("written");
        let mut promtool = Command::new(peer("unstable", "promtool"));
        let folder = file.parent().expect("a folder");
        let output =
            promtool.args(["check", "config", "prometheus.yml"]).current_dir(folder).output().expect("promtool");
        if output.status.success() != (verdict != Verdict::Refused) {
            wrong.push(format!("{verdict:?}\n{text}{}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The options that the documentation of Prometheus 3.5 lists (docs/configuration/configuration.md), by section.
const DOCUMENTED: &[(&str, &str)] = &[
    (
        "file",
        "global runtime rule_files scrape_config_files scrape_configs alerting remote_write otlp remote_read storage tracing",
    ),
    (
        "global",
        "scrape_interval scrape_timeout scrape_protocols evaluation_interval rule_query_offset external_labels query_log_file scrape_failure_log_file body_size_limit sample_limit label_limit label_name_length_limit label_value_length_limit target_limit keep_dropped_targets metric_name_validation_scheme metric_name_escaping_scheme convert_classic_histograms_to_nhcb always_scrape_classic_histograms",
    ),
    (
        "scrape_config",
        "job_name scrape_interval scrape_timeout scrape_protocols fallback_scrape_protocol always_scrape_classic_histograms convert_classic_histograms_to_nhcb metrics_path honor_labels honor_timestamps track_timestamps_staleness scheme params enable_compression scrape_failure_log_file basic_auth authorization bearer_token bearer_token_file oauth2 follow_redirects enable_http2 tls_config proxy_url no_proxy proxy_from_environment proxy_connect_header http_headers azure_sd_configs consul_sd_configs digitalocean_sd_configs docker_sd_configs dockerswarm_sd_configs dns_sd_configs ec2_sd_configs eureka_sd_configs file_sd_configs gce_sd_configs hetzner_sd_configs http_sd_configs ionos_sd_configs kubernetes_sd_configs kuma_sd_configs lightsail_sd_configs linode_sd_configs marathon_sd_configs nerve_sd_configs nomad_sd_configs openstack_sd_configs ovhcloud_sd_configs puppetdb_sd_configs scaleway_sd_configs serverset_sd_configs stackit_sd_configs triton_sd_configs uyuni_sd_configs vultr_sd_configs static_configs relabel_configs metric_relabel_configs body_size_limit sample_limit label_limit label_name_length_limit label_value_length_limit target_limit keep_dropped_targets metric_name_validation_scheme metric_name_escaping_scheme native_histogram_bucket_limit native_histogram_min_bucket_factor",
    ),
    ("basic_auth", "username username_file username_ref password password_file password_ref"),
    ("authorization", "type credentials credentials_file credentials_ref"),
    (
        "tls_config",
        "ca ca_file ca_ref cert cert_file cert_ref key key_file key_ref server_name insecure_skip_verify min_version max_version",
    ),
    ("http_headers", "values secrets files"),
    ("relabel_config", "source_labels separator target_label regex modulus replacement action"),
    ("static_config", "targets labels"),
    ("file_sd_config", "files refresh_interval"),
    (
        "http_sd_config",
        "url refresh_interval basic_auth authorization bearer_token bearer_token_file oauth2 follow_redirects enable_http2 tls_config proxy_url no_proxy proxy_from_environment proxy_connect_header http_headers",
    ),
    ("dns_sd_config", "names type port refresh_interval"),
    (
        "kubernetes_sd_config",
        "api_server role kubeconfig_file namespaces selectors attach_metadata basic_auth authorization bearer_token bearer_token_file oauth2 follow_redirects enable_http2 tls_config proxy_url no_proxy proxy_from_environment proxy_connect_header http_headers",
    ),
];

#[test]
fn every_documented_option_has_a_row_and_no_row_is_of_anything_else() {
    let documented: BTreeSet<(&str, &str)> =
        DOCUMENTED.iter().flat_map(|(section, keys)| keys.split(' ').map(move |key| (*section, key))).collect();
    let rows = scrape_options();
    let here: BTreeSet<(&str, &str)> = rows.iter().map(|(section, key, _)| (*section, *key)).collect();
    assert_eq!(here.len(), rows.len(), "an option has one row");
    let only = |a: &BTreeSet<(&'static str, &'static str)>, b: &BTreeSet<(&'static str, &'static str)>| {
        a.difference(b).map(|(section, key)| format!("{section}.{key}")).collect::<Vec<_>>()
    };
    assert_eq!(only(&documented, &here), Vec::<String>::new(), "documented, without a row");
    assert_eq!(only(&here, &documented), Vec::<String>::new(), "a row, not documented");
    // The list of what has no influence is short, and every other discovery is refused.
    let count = |standing: OptionStanding| {
        rows.iter().filter(|(section, _, it)| *section == "scrape_config" && *it == standing).count()
    };
    assert!(count(OptionStanding::NoInfluence) <= 16, "{}", count(OptionStanding::NoInfluence));
    assert!(count(OptionStanding::Refused) >= 25 && count(OptionStanding::Simulated) >= 25);
}

/// Options of a job against a member of the idle cluster: whether it is up, what is told when it is not (by 3.5, and by 2.42
/// where that tells something else), and whether 2.42 knows the option.
struct Case {
    options: &'static str,
    up: bool,
    error: &'static str,
    old_error: Option<&'static str>,
    known_to_2_42: bool,
}

const fn case(options: &'static str, error: &'static str) -> Case {
    Case { options, up: error.is_empty(), error, old_error: None, known_to_2_42: true }
}

const fn differs(options: &'static str, error: &'static str, old_error: &'static str) -> Case {
    Case { old_error: Some(old_error), ..case(options, error) }
}

const fn new(options: &'static str, error: &'static str) -> Case {
    Case { known_to_2_42: false, ..case(options, error) }
}

const NO_TYPE: &str =
    "received unsupported Content-Type \"application/json\" and no fallback_scrape_protocol specified for target";
const NO_TOKEN: &str = "\"INVALID\" is not a valid start token";
const NOT_FOUND: &str = "server returned HTTP status 404 Not Found";

const CASES: &[Case] = &[
    case("", ""),
    case("scheme: https", "http: server gave HTTP response to HTTPS client"),
    case("scheme: ftp", "unsupported protocol scheme \"ftp\""),
    case("body_size_limit: 1KB", "body size limit exceeded"),
    case("body_size_limit: 10MB", ""),
    case("sample_limit: 10", "sample limit exceeded"),
    case("sample_limit: 100000", ""),
    case("label_limit: 2", "label_limit exceeded (metric: cache_eviction_weight_total, number of labels: 4, limit: 2)"),
    case("label_limit: 30", ""),
    case(
        "label_name_length_limit: 5",
        "label_name_length_limit exceeded (metric: cache_eviction_weight_total, label name: __name__, length: 8, limit: 5)",
    ),
    case(
        "label_value_length_limit: 12",
        "label_value_length_limit exceeded (metric: cache_eviction_weight_total, label name: __name__, value: \"cache_eviction_weight_total\", length: 27, limit: 12)",
    ),
    case("target_limit: 1", "target_limit exceeded (number of targets: 2, limit: 1)"),
    case("target_limit: 2", ""),
    case("metrics_path: prometheus", ""),
    case("metrics_path: \"/prometheus?a=b\"", NOT_FOUND),
    case("metrics_path: \"/prome theus\"", NOT_FOUND),
    case("metrics_path: \"\"", NOT_FOUND),
    differs("metrics_path: /metrics", NO_TYPE, NO_TOKEN),
    differs("metrics_path: /health", NO_TYPE, NO_TOKEN),
    case("params: { a: [ \"x y\", z ] }", ""),
    case("bearer_token: a", ""),
    case("basic_auth: { username: a, password: b }", ""),
    case("follow_redirects: false", ""),
    case("enable_http2: false", ""),
    case("honor_timestamps: false", ""),
    case("tls_config: { insecure_skip_verify: true }", ""),
    case("metric_relabel_configs: [ { regex: .*, action: drop, source_labels: [ __name__ ] } ]", ""),
    // Whatever is offered, anything else is taken too.
    new("scrape_protocols: [ OpenMetricsText1.0.0 ]", ""),
    new("scrape_protocols: [ PrometheusProto ]", ""),
    new("fallback_scrape_protocol: PrometheusText0.0.4", ""),
    new("http_headers: { Accept: { values: [ application/json ] } }", ""),
    new("enable_compression: false", ""),
    new("keep_dropped_targets: 1", ""),
    new("always_scrape_classic_histograms: true", ""),
    new("metric_name_validation_scheme: legacy\n    metric_name_escaping_scheme: underscores", ""),
];

/// A configuration with a job for each case, and the number of the case in its name.
fn jobs(cases: &[(usize, &Case)], management: &str, application: &str) -> String {
    let mut text = "global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n".to_owned();
    for (number, case) in cases {
        let path = if case.options.contains("metrics_path") { "" } else { "\n    metrics_path: /prometheus" };
        // Two targets, of which one has no path like that.
        let more = if case.options.contains("target_limit") { format!(", \"{application}\"") } else { String::new() };
        text += &format!(
            "  - job_name: case-{number}{path}\n    static_configs: [ {{ targets: [ \"{management}\"{more} ] }} ]\n    {}\n",
            case.options
        );
    }
    text
}

/// What is seen of each case: whether the first target is up, and the error.
type Seen = BTreeMap<usize, (bool, String)>;

fn ours(cases: &[(usize, &Case)], semantics: Semantics) -> Seen {
    let text = jobs(cases, "standalone-1:8081", "standalone-1:8080");
    let (configuration, told) =
        Configuration::read("prometheus.yml", &text).unwrap_or_else(|told| panic!("{}", render(&told)));
    assert!(told.is_empty(), "{}", render(&told));
    let watch = Watch { scraping: Scraping::Jobs(configuration.jobs), semantics, ..Watch::default() };
    let plan = plan(include_str!("../scenarios/idle.yaml"));
    let mut session = Session::new(Arc::new(plan), Seed(1), Calendar::default()).watched(&watch);
    session.advance(Instant::START + Duration::seconds(5)).expect("no limit");
    let mut seen = Seen::new();
    for (labels, it) in session.seen() {
        assert!(it.scrapes > 3, "{labels} is scraped");
        let (_, job) = labels.split_once("job=\"case-").expect("a job");
        let number = job.trim_end_matches('"').parse().expect("a number");
        let error = it.last_error.map(|(_, why)| why).unwrap_or_default();
        if labels.contains(":8081\"") {
            seen.insert(number, (!it.down, error));
        }
    }
    seen
}

fn expected(cases: &[(usize, &Case)], old: bool) -> Seen {
    let error = |case: &Case| case.old_error.filter(|_| old).unwrap_or(case.error).to_owned();
    cases.iter().map(|(number, case)| (*number, (case.up, error(case)))).collect()
}

fn cases(old: bool) -> Vec<(usize, &'static Case)> {
    CASES.iter().enumerate().filter(|(_, case)| !old || case.known_to_2_42).collect()
}

#[test]
fn options_decide_up_as_they_do_in_prometheus() {
    for (semantics, old) in [(Semantics::V3, false), (Semantics::V2_42, true)] {
        let (ours, expected) = (ours(&cases(old), semantics), expected(&cases(old), old));
        for (number, case) in cases(old) {
            assert_eq!(ours[&number], expected[&number], "{}", case.options);
        }
    }
}

#[test]
#[ignore = "needs Prometheus of Debian stable and unstable: .ci/peers fetches them"]
fn real_servers_say_the_same_of_every_option() {
    for (suite, old) in [("stable", true), ("unstable", false)] {
        let mock = Mock::start(&["idle", "--paused"]);
        let member = &mock.addresses["members"][0];
        let port = |key: &str| format!("127.0.0.1:{}", member[key]);
        let (management, application) = (port("management"), port("application"));
        let prometheus = Prometheus::start(suite, &jobs(&cases(old), &management, &application), "");
        let mut theirs = Seen::new();
        eventually("every target was scraped", || {
            theirs.clear();
            let answer = prometheus.api("targets?state=active");
            let none = Vec::new();
            let targets = answer["data"]["activeTargets"].as_array().unwrap_or(&none);
            for target in targets.iter().filter(|it| it["labels"]["instance"] == management.as_str()) {
                let job = target["labels"]["job"].as_str().expect("a job");
                let error = target["lastError"].as_str().expect("a text");
                // What is asked stands beside it on the page.
                let error = error.strip_prefix("Get \"").and_then(|it| it.split_once("\": ")).map_or(error, |it| it.1);
                let number = job.trim_start_matches("case-").parse().expect("a number");
                if target["health"] != "unknown" {
                    theirs.insert(number, (target["health"] == "up", error.to_owned()));
                }
            }
            theirs.len() == cases(old).len()
        });
        let expected = expected(&cases(old), old);
        for (number, case) in cases(old) {
            assert_eq!(theirs[&number], expected[&number], "{suite}: {}", case.options);
        }
    }
}

/// An alert that fired, and its labels.
type Fired = (String, Vec<(String, String)>);

/// The alerts that fire in a scenario, and what is said of its targets.
fn alerts(scenario: &str, configuration: &str, rules: &str) -> (Vec<Fired>, Vec<String>) {
    let (configuration, _) =
        Configuration::read("prometheus.yml", configuration).unwrap_or_else(|told| panic!("{}", render(&told)));
    let rules = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", render(&told))).0;
    let watch = Watch { rules, scraping: Scraping::Jobs(configuration.jobs), ..Watch::default() };
    let plan = Arc::new(plan(scenario));
    let notes = watch.notes(&plan).into_iter().map(|it| it.told).collect();
    let mut session = Session::new(plan.clone(), Seed(1), Calendar::default()).watched(&watch);
    session.advance(Instant::START + plan.duration).expect("no limit");
    let alerts = session.report().alerts.unwrap_or_default();
    (alerts.into_iter().filter(|it| it.firing.is_some()).map(|it| (it.alert, it.labels)).collect(), notes)
}

const CLUSTER: &str = "name: x
duration: 10m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 3 } }
";

#[test]
fn one_name_before_several_workers_is_one_of_them_until_its_connection_breaks() {
    let configuration = "scrape_configs: [ { job_name: kestra, scrape_interval: 15s, metrics_path: /prometheus, static_configs: [ { targets: [ \"kestra-worker:8081\" ] } ] } ]\n";
    let rules = "groups: [ { name: a, rules: [
        { alert: Twice, expr: 'count(up) > 1' },
        { alert: Moved, expr: 'changes(process_start_time_seconds[10m]) > 0' },
        { alert: Down, expr: 'up == 0' } ] } ]";
    let (quiet, notes) = alerts(CLUSTER, configuration, rules);
    assert_eq!(quiet, [], "nothing breaks, so it stays with one");
    assert!(notes[0].contains("kestra-worker:8081 stands before worker-1, worker-2, worker-3"), "{notes:?}");
    // All but one are killed, each in its turn: whoever it was with, it moves on, and finds another at once.
    let killed = format!(
        "{CLUSTER}timeline: [ {{ at: 2m, kill: worker-1, for: 7m }}, {{ at: 4m, kill: worker-2, for: 5m }}, {{ at: 4m, kill: worker-3, for: 10s }} ]\n"
    );
    let (moved, _) = alerts(&killed, configuration, rules);
    assert!(moved.iter().any(|(alert, _)| alert == "Moved"), "{moved:?}");
}

#[test]
fn discovery_shows_which_members_there_are_and_which_rule_drops_the_others() {
    let pods = "scrape_configs: [ { job_name: pods, scrape_interval: 15s, metrics_path: /prometheus, kubernetes_sd_configs: [ { role: pod } ], relabel_configs: [ { source_labels: [ __meta_kubernetes_pod_container_port_name ], regex: management, action: keep }, { source_labels: [ __meta_kubernetes_pod_label_app_kubernetes_io_component ], regex: worker, action: keep }, { source_labels: [ __meta_kubernetes_pod_name ], target_label: pod } ] } ]\n";
    let rules = "groups: [ { name: a, rules: [ { alert: Up, expr: up } ] } ]";
    let (up, notes) = alerts(CLUSTER, pods, rules);
    let names: BTreeSet<&str> = up
        .iter()
        .flat_map(|(_, labels)| labels.iter().filter(|(key, _)| key == "pod").map(|(_, value)| value.as_str()))
        .collect();
    assert_eq!(names, BTreeSet::from(["worker-1", "worker-2", "worker-3"]));
    let all = notes.join("\n");
    assert!(all.contains("relabel_configs[1] (keep of [__meta_kubernetes_pod_label_app_kubernetes_io_component] by `worker`, which is `webserver`; prometheus.yml:1:246) drops webserver-1"), "{all}");
    let endpoints = pods.replace("role: pod }", "role: endpoints }").replace("regex: worker,", "regex: webserver,");
    let (up, notes) = alerts(CLUSTER, &endpoints, rules);
    assert_eq!(up.len(), 1, "{up:?}");
    let all = notes.join("\n");
    assert!(all.contains("the chart's Service `kestra` does not select executor-1, scheduler-1, worker-1"), "{all}");
    let (up, notes) = alerts(CLUSTER, &endpoints.replace("regex: webserver,", "regex: web,"), rules);
    assert_eq!(up, []);
    assert!(notes.join("\n").contains("drops webserver-1"), "{notes:?}");
}

#[test]
fn a_service_monitor_scrapes_what_the_service_selects() {
    let monitor = "apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: { name: kestra, namespace: kestra }
spec:
  selector: { matchLabels: { app.kubernetes.io/name: kestra } }
  endpoints: [ { port: management, path: /prometheus } ]
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: { name: workers, namespace: kestra }
spec:
  selector: { matchLabels: { app.kubernetes.io/component: worker } }
  podMetricsEndpoints: [ { port: management, path: /prometheus } ]
";
    let rules = "groups: [ { name: a, rules: [ { alert: Up, expr: up == 1 } ] } ]";
    let (up, _) = alerts(CLUSTER, monitor, rules);
    let of = |key: &str| -> Vec<&str> {
        let mut all: Vec<&str> = up
            .iter()
            .flat_map(|(_, labels)| labels.iter().filter(|(it, _)| it == key).map(|(_, value)| value.as_str()))
            .collect();
        all.sort_unstable();
        all
    };
    assert_eq!(of("pod"), ["webserver-1", "worker-1", "worker-2", "worker-3"]);
    assert_eq!(of("job"), ["kestra", "kestra/workers", "kestra/workers", "kestra/workers"]);
    assert_eq!(of("instance"), ["10.42.0.10:8081", "10.42.0.13:8081", "10.42.0.14:8081", "10.42.0.15:8081"]);
    assert_eq!(of("service"), ["kestra"]);
}

#[test]
fn records_of_dns_are_the_members_behind_a_name() {
    let configuration = "scrape_configs: [ { job_name: kestra, metrics_path: /prometheus, scrape_interval: 15s, dns_sd_configs: [ { names: [ tasks.kestra-worker ], type: A, port: 8081 } ] } ]\n";
    let configuration = configuration.replace("tasks.kestra-worker", "kestra-worker");
    let (up, _) = alerts(CLUSTER, &configuration, "groups: [ { name: a, rules: [ { alert: Up, expr: up == 1 } ] } ]");
    assert_eq!(up.len(), 3, "{up:?}");
}

#[test]
fn a_target_behind_which_nobody_is_fails_every_scrape() {
    let job = |name: &str, rest: &str| {
        format!("scrape_configs: [ {{ job_name: {name}, scrape_interval: 15s, metrics_path: /prometheus, {rest} }} ]\n")
    };
    let named = |host: &str| format!("static_configs: [ {{ targets: [ \"{host}\" ] }} ]");
    let renamed = |to: &str| {
        let rule =
            "{ source_labels: [ __address__ ], regex: \"worker-1:8081\", target_label: __address__, replacement:";
        format!(
            "static_configs: [ {{ targets: [ \"worker-1:8081\", \"worker-2:8081\" ] }} ], relabel_configs: [ {rule} \"{to}\" }} ]"
        )
    };
    let rules = "groups: [ { name: a, rules: [ { alert: Down, expr: up == 0 } ] } ]";
    let down = |configuration: &str| {
        let (fired, notes) = alerts(CLUSTER, configuration, rules);
        let instance = |(_, labels): &Fired| labels.iter().find(|(key, _)| key == "instance").map(|it| it.1.clone());
        (fired.iter().filter_map(instance).collect::<Vec<String>>().join(" "), notes.join("\n"))
    };
    for (configuration, host) in [
        (job("a", &renamed("nohost:8081")), "nohost:8081"),
        (job("a", &renamed("nohost:9100")), "nohost:9100"),
        (job("kestra", &named("nohost:8081")), "nohost:8081"),
        (job("a", &named("kestra-worker-9:8081")), "kestra-worker-9:8081"),
    ] {
        let (instances, notes) = down(&configuration);
        assert_eq!(instances, host, "{configuration}");
        assert!(notes.contains(&format!("no member is behind {host}: every scrape of it fails")), "{notes}");
    }
    // Somebody else's job, and that of a prober which is asked about Kestra.
    let prober = "static_configs: [ { targets: [ \"kestra:8080\" ] } ], relabel_configs: [ { source_labels: [ __address__ ], target_label: __param_target }, { target_label: __address__, replacement: \"blackbox:9115\" } ]";
    for configuration in [job("node", &named("node-exporter:9100")), job("probe", prober)] {
        let (instances, notes) = down(&configuration);
        assert_eq!(instances, "", "{configuration}");
        assert!(notes.contains("has no target in this scenario"), "{notes}");
    }
}

#[test]
fn a_job_whose_members_are_all_dropped_is_warned_of() {
    let configuration = "scrape_configs: [ { job_name: a, static_configs: [ { targets: [ \"worker-1:8081\" ] } ], relabel_configs: [ { source_labels: [ __address__ ], regex: workr.*, action: keep } ] }, { job_name: b, static_configs: [ { targets: [ \"worker-2:8081\" ] } ] } ]\n";
    let (configuration, _) =
        Configuration::read("prometheus.yml", configuration).unwrap_or_else(|told| panic!("{}", render(&told)));
    let watch = Watch { scraping: Scraping::Jobs(configuration.jobs), ..Watch::default() };
    let told = watch.notes(&plan(CLUSTER));
    let dropped = told.iter().find(|it| it.told.contains("relabel_configs[0]") && it.told.contains("drops worker-1"));
    assert_eq!(dropped.map(|it| it.severity), Some(Severity::Warning), "{told:?}");
}

#[test]
fn a_target_says_its_scheme_and_labels() {
    let configuration = "scrape_configs: [ { job_name: a, metrics_path: /prometheus, static_configs: [ { targets: [ \"worker-1:8081\" ] } ] }, { job_name: b, scheme: HTTPS, metrics_path: /prometheus, static_configs: [ { targets: [ \"worker-2:8081\" ] } ] }, { job_name: c, scheme: HTTP, metrics_path: /prometheus, static_configs: [ { targets: [ \"worker-3:8081\" ] } ] } ]\n";
    let (configuration, _) =
        Configuration::read("prometheus.yml", configuration).unwrap_or_else(|told| panic!("{}", render(&told)));
    let rules = "groups: [ { name: a, rules: [ { alert: NeverSo, expr: up > 5 } ] } ]";
    let rules = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", render(&told))).0;
    let watch = Watch { rules, scraping: Scraping::Jobs(configuration.jobs), ..Watch::default() };
    let plan = Arc::new(plan(CLUSTER));
    let mut session = Session::new(plan.clone(), Seed(1), Calendar::default()).watched(&watch);
    session.advance(Instant::START + plan.duration).expect("no limit");
    let report = session.report();
    let seen: Vec<(bool, bool)> = report.targets.iter().map(|it| (it.up, it.never_answered())).collect();
    assert_eq!(seen, [(true, false), (false, true), (true, false)]);
    assert!(report.text().contains("  https://worker-2:8081/prometheus  down"), "{}", report.text());
    let json: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
    let target = &json["targets"][1];
    assert_eq!((&target["scheme"], &target["labels"]["job"]), (&"https".into(), &"b".into()), "{target}");
    // Over several runs a target that failed in one is told too, and with all of it quiet rules by name.
    let over = |detail| over_seeds(&[report.clone(), report.clone()], detail);
    let text = over(Detail::Short);
    assert!(
        text.contains("https://worker-2:8081/prometheus  scrapes failed in 2 of 2 runs, all of them in 2"),
        "{text}"
    );
    assert!(text.contains("1 rule\n") && !text.contains("NeverSo"), "{text}");
    let text = over(Detail::All);
    assert!(text.contains("quiet     NeverSo"), "{text}");
}

#[test]
fn a_timeout_is_told_of_where_it_is_written() {
    let told = |options: &str| {
        let text = format!(
            "scrape_configs:\n  - job_name: a\n    static_configs: [ {{ targets: [ \"worker-1:8081\", \"worker-2:8081\" ] }} ]\n    {options}\n"
        );
        render(&Configuration::read("prometheus.yml", &text).err().unwrap_or_default())
    };
    let timeout = told("scrape_timeout: 2m");
    assert_eq!(timeout.matches("error").count(), 1, "{timeout}");
    assert!(timeout.contains("the scrape timeout is greater than the scrape interval"), "{timeout}");
    let rule = told("relabel_configs: [ { target_label: __scrape_interval__, replacement: 1ms } ]");
    assert!(rule.contains("relabel_configs[0] sets __scrape_interval__ to \"1ms\""), "{rule}");
    assert!(rule.contains("change that rule") && !rule.contains("HOST:PORT"), "{rule}");
}

#[test]
fn a_job_that_looks_into_another_namespace_finds_nothing() {
    let job = |name: &str, namespaces: &str| {
        format!(
            "- {{ job_name: {name}, scrape_interval: 15s, metrics_path: /prometheus, kubernetes_sd_configs: [ {{ role: pod{namespaces} }} ], relabel_configs: [ {{ source_labels: [ __meta_kubernetes_pod_container_port_name ], regex: management, action: keep }}, {{ source_labels: [ __meta_kubernetes_namespace ], target_label: namespace }} ] }}\n"
        )
    };
    let names = |all: &str| format!(", namespaces: {{ names: [ {all} ] }}");
    let rules = "groups: [ { name: a, rules: [ { alert: Up, expr: 'count by (job, namespace) (up)' } ] } ]";
    for (jobs, found, part) in [
        (vec![("a", String::new())], vec!["a kestra"], ""),
        (
            vec![("a", names("data"))],
            vec!["a data"],
            "job a: the cluster is taken to be in the namespace data, as `namespaces` says",
        ),
        // The cluster is in one namespace.
        (
            vec![("nodes", names("kube-system, monitoring")), ("kestra", names("data"))],
            vec!["kestra data"],
            "job nodes: the cluster is taken to be in the namespace data; `namespaces` restricts discovery to kube-system, monitoring: it finds nothing",
        ),
        (
            vec![("a", names("data")), ("b", names("x, kestra")), ("c", String::new())],
            vec!["b kestra", "c kestra"],
            "job a: ",
        ),
        (vec![("a", names("x")), ("b", names("kestra-prod"))], vec!["b kestra-prod"], "job a: "),
        (
            vec![("a", ", namespaces: { own_namespace: true }".to_owned())],
            vec!["a kestra"],
            "job a: `own_namespace` looks into that of Prometheus only, which is not known here",
        ),
    ] {
        let text: String = jobs.iter().map(|(name, more)| job(name, more)).collect();
        let (fired, notes) = alerts(CLUSTER, &format!("scrape_configs:\n{text}"), rules);
        let label = |labels: &[(String, String)], name: &str| {
            labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let seen: Vec<String> = fired
            .iter()
            .map(|(_, labels)| format!("{} {}", label(labels, "job"), label(labels, "namespace")))
            .collect();
        assert_eq!(seen, found, "{text}{notes:?}");
        assert!(notes.join("\n").contains(part), "{part} in {notes:?}");
    }
    // A ServiceMonitor looks into its own namespace, when it says nothing else: the classic mistake.
    let monitor = |namespace: &str, more: &str| {
        format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {{ name: kestra, namespace: {namespace} }}\nspec: {{ selector: {{}}, podMetricsEndpoints: [ {{ port: management, path: /prometheus }} ]{more} }}\n"
        )
    };
    let both = monitor("monitoring", "") + "---\n" + &monitor("kestra", "");
    let (configuration, _) = Configuration::read("m.yaml", &both).unwrap_or_else(|told| panic!("{}", render(&told)));
    let watch = Watch { scraping: Scraping::Jobs(configuration.jobs), ..Watch::default() };
    let told = watch.notes(&plan(CLUSTER));
    let lost = told.iter().find(|it| it.told.contains("restricts discovery to monitoring: it finds nothing"));
    assert_eq!(lost.map(|it| it.severity), Some(Severity::Warning), "{told:?}");
}
