//! Against real peers: Debian's Prometheus, and that of Debian's unstable suite. `.ci/peers` puts them under target/peers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use common::peers::{Prometheus, peer};
use common::server::{Mock, ask, binary, eventually, scratch};
use common::{body, capture, exposition, families, labels, scenario_files, simulate};
use mock_kestra::monitor::Configuration;
use mock_kestra::promql::{Database, Expression, Semantics};
use mock_kestra::random::Seed;
use mock_kestra::run::{Scraping, Watch, record, run};
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::time::{Calendar, Instant};

fn config(mock: &Mock) -> String {
    format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [ rules.yml ]\nscrape_configs:\n  - job_name: kestra\n    scrape_timeout: 1s\n    http_sd_configs: [ {{ url: \"http://{}/sd\", refresh_interval: 1s }} ]\n",
        mock.control()
    )
}

const RULES: &str = "groups:
  - name: kestra
    rules:
      - { alert: KestraWorkerDown, expr: 'up{role=\"worker\"} == 0', for: 3s }
      - { alert: KestraWorkerJobsPending, expr: 'sum(kestra_worker_job_pending) > 3', for: 2s }
";

/// Minutes of a cluster in seconds: a worker is killed and comes back, a burst saturates the other one.
const SCENARIO: &str = "name: peers
duration: 1h
cluster:
  members: { webserver: 1, executor: 1, scheduler: 1, worker: { count: 2, threads: 2 } }
flows:
  - id: ingest
    namespace: company.team
    tasks: [ { id: load, type: io.kestra.plugin.jdbc.postgresql.CopyIn } ]
behaviour: [ { task: load, duration: 10s } ]
arrivals: [ { flow: ingest, rate: 4/min } ]
timeline:
  - { at: 90s, kill: worker-1, for: 90s }
  - { at: 90s, arrivals: { times: 8x }, for: 60s }
";

/// The states an alert goes through, each once in a row.
fn watch(prometheus: &Prometheus, alerts: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut seen: BTreeMap<String, Vec<String>> = alerts.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
    eventually("every alert fires and resolves", || {
        let rules = prometheus.api("rules");
        for rule in rules["data"]["groups"][0]["rules"].as_array().unwrap_or(&Vec::new()) {
            let (Some(name), Some(state)) = (rule["name"].as_str(), rule["state"].as_str()) else { continue };
            if let Some(states) = seen.get_mut(name)
                && states.last().is_none_or(|last| last != state)
            {
                states.push(state.to_owned());
            }
        }
        seen.values()
            .all(|states| states.iter().any(|it| it == "firing") && states.last().is_some_and(|it| it == "inactive"))
    });
    seen
}

fn watches_a_worker_die(suite: &str) {
    let file = scratch("peers.yaml");
    std::fs::write(&file, SCENARIO).expect("written");
    let mock = Mock::start(&[file.to_str().expect("UTF-8"), "--speed", "8", "--paused"]);
    let prometheus = Prometheus::start(suite, &config(&mock), RULES);
    eventually("all members are found and up", || {
        let up = prometheus.api("query?query=count(up==1)");
        up["data"]["result"][0]["value"][1] == "5"
    });
    mock.post("/api/resume", "");
    let seen = watch(&prometheus, &["KestraWorkerDown", "KestraWorkerJobsPending"]);
    for (alert, states) in seen {
        assert_eq!(states, ["inactive", "pending", "firing", "inactive"], "{alert} with {suite}");
    }
    // Prometheus found nothing to complain of in what it read.
    let complaints: Vec<String> = prometheus.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
    everything_arrives(&mock, &prometheus, suite);
}

/// What Prometheus has of a member is what the member shows, sample by sample.
fn everything_arrives(mock: &Mock, prometheus: &Prometheus, suite: &str) {
    mock.post("/api/pause", "");
    for member in ["webserver-1", "executor-1", "scheduler-1", "worker-1", "worker-2"] {
        let text = ask(&mock.member(member), "GET", "/prometheus", "").body;
        let mut ours: BTreeMap<(String, Vec<(String, String)>), f64> = BTreeMap::new();
        for family in families(&text) {
            for (series, value) in family.series.iter().zip(&family.values) {
                let name = series.split('{').next().expect("a name").to_owned();
                let labels = labels(series).into_iter().collect();
                ours.insert((name, labels), value.parse().expect("a number"));
            }
        }
        let mut theirs = BTreeMap::new();
        let query = format!("query?query=%7Bjob%3D%22kestra%22%2Cinstance%3D%22{member}%3A8081%22%7D");
        eventually(&format!("{suite} has scraped {member} since the pause"), || {
            theirs.clear();
            let answer = prometheus.api(&query);
            for sample in answer["data"]["result"].as_array().unwrap_or(&Vec::new()) {
                let labels = sample["metric"].as_object().expect("labels");
                let name = labels["__name__"].as_str().expect("a name").to_owned();
                if name == "up" || name.starts_with("scrape_") || name.starts_with("ALERTS") {
                    continue;
                }
                let own = |key: &str| !matches!(key, "__name__" | "job" | "instance" | "role");
                let labels: Vec<(String, String)> = labels
                    .iter()
                    .filter(|(key, _)| own(key))
                    .map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned()))
                    .collect::<BTreeMap<_, _>>()
                    .into_iter()
                    .collect();
                let value: f64 = sample["value"][1].as_str().expect("text").parse().expect("a number");
                theirs.insert((name, labels), value);
            }
            theirs == ours
        });
        assert!(theirs.len() > 1000, "{} samples", theirs.len());
    }
}

#[test]
#[ignore = "needs Prometheus of Debian stable: .ci/peers fetches it"]
fn debians_prometheus_watches_a_worker_die_and_come_back() {
    watches_a_worker_die("stable");
}

#[test]
#[ignore = "needs Prometheus 3 of Debian unstable: .ci/peers fetches it"]
fn prometheus_3_watches_a_worker_die_and_come_back() {
    watches_a_worker_die("unstable");
}

#[test]
#[ignore = "needs Prometheus of Debian stable and unstable: .ci/peers fetches them"]
fn every_version_is_scraped_without_a_complaint() {
    for suite in ["stable", "unstable"] {
        // Those that were recorded, and one with the old form of text.
        for version in ["0.18", "0.20", "1.3", "2.0"] {
            let mock = Mock::start(&["idle", "--kestra", version]);
            let prometheus = Prometheus::start(suite, &config(&mock), "");
            eventually("it is up, and was scraped more than once", || {
                let count = prometheus.api("query?query=count_over_time(up%5B1m%5D)>1");
                let up = prometheus.api("query?query=up==1");
                let some =
                    |answer: &serde_json::Value| answer["data"]["result"].as_array().is_some_and(|it| !it.is_empty());
                some(&count) && some(&up)
            });
            let complaints = prometheus.complaints();
            assert!(complaints.is_empty(), "{version} with {suite}: {complaints:#?}");
        }
    }
}

/// Relabelling of targets and of samples, honoured labels, and a limit of samples that is too low.
fn relabelling(target: &str) -> String {
    format!(
        "global: {{ scrape_interval: 15s }}
scrape_configs:
  - job_name: plain
    metrics_path: /prometheus
    static_configs: [ {{ targets: [ \"{target}\" ], labels: {{ instance: one, id: mine, state: s }} }} ]
  - job_name: honoured
    metrics_path: /prometheus
    honor_labels: true
    static_configs: [ {{ targets: [ \"{target}\" ], labels: {{ instance: one, id: mine, state: s }} }} ]
  - job_name: relabelled
    metrics_path: /nowhere
    params: {{ x: [ y ] }}
    static_configs: [ {{ targets: [ \"{target}\", \"gone:1\" ], labels: {{ instance: one, Team: Data }} }} ]
    relabel_configs:
      - {{ source_labels: [ __address__ ], regex: gone.*, action: drop }}
      - {{ target_label: __metrics_path__, replacement: /prometheus }}
      - {{ source_labels: [ job, __param_x ], separator: /, target_label: both }}
      - {{ source_labels: [ Team ], target_label: team, action: lowercase }}
      - {{ source_labels: [ job ], modulus: 7, target_label: shard, action: hashmod }}
      - {{ regex: T(.*)m, replacement: $1, action: labelmap }}
      - {{ regex: Team, action: labeldrop }}
    metric_relabel_configs:
      - {{ source_labels: [ __name__ ], regex: \"jvm_.*|executor_.*\", action: drop }}
      - {{ source_labels: [ __name__ ], regex: \"kestra_(.*)\", target_label: __name__, replacement: \"k_$1\" }}
      - {{ regex: le, action: labeldrop }}
  - job_name: limited
    metrics_path: /prometheus
    sample_limit: 10
    static_configs: [ {{ targets: [ \"{target}\" ], labels: {{ instance: one }} }} ]
  - job_name: wrong
    metrics_path: /wrong
    static_configs: [ {{ targets: [ \"{target}\" ], labels: {{ instance: one }} }} ]
"
    )
}

#[test]
#[ignore = "needs Prometheus of Debian stable and unstable: .ci/peers fetches them"]
fn a_configuration_means_here_what_it_means_to_prometheus() {
    // What is known of a series: its labels, and its value where that is not a matter of time.
    type Known = BTreeMap<BTreeMap<String, String>, Option<f64>>;
    let steady = |name: &str| name == "up" || (name.starts_with("scrape_") && name != "scrape_duration_seconds");
    let idle = include_str!("../scenarios/idle.yaml");
    let mut plan = read("idle.yaml", idle, &NoFiles).0.expect("a plan");
    plan.duration = mock_kestra::time::Duration::seconds(1);
    let (configuration, told) =
        Configuration::read("prometheus.yml", &relabelling("standalone-1:8081")).expect("a configuration");
    assert!(told.is_empty());
    let watch = Watch {
        scraping: Scraping::Jobs(configuration.jobs),
        also: vec![Expression::parse("{__name__!=\"\"}").expect("an expression")],
        ..Watch::default()
    };
    let database = Arc::new(Mutex::new(Database::default()));
    record(&Arc::new(plan), Seed(1), Calendar::default(), &watch, Some(Box::new(database.clone()))).expect("no limit");
    let ours: Known = database
        .lock()
        .expect("no panic before")
        .all()
        .iter()
        .map(|series| {
            let labels: BTreeMap<String, String> =
                series.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            let value = series.samples.first().map(|(_, value)| *value).filter(|_| steady(&labels["__name__"]));
            (labels, value)
        })
        .collect();
    for suite in ["stable", "unstable"] {
        let mock = Mock::start(&["idle", "--paused"]);
        let prometheus = Prometheus::start(suite, &relabelling(&mock.member("standalone-1")), "");
        let mut theirs = Known::new();
        eventually("every job was scraped", || {
            theirs.clear();
            // With the first scrape's values: a later one adds no series.
            let answer = prometheus.api("query?query=%7B__name__%21%3D%22%22%7D");
            for sample in answer["data"]["result"].as_array().unwrap_or(&Vec::new()) {
                let labels: BTreeMap<String, String> = sample["metric"]
                    .as_object()
                    .expect("labels")
                    .iter()
                    .map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned()))
                    .collect();
                let value = sample["value"][1].as_str().expect("text").parse().expect("a number");
                let value = Some(value).filter(|_| steady(&labels["__name__"]));
                theirs.insert(labels, value);
            }
            theirs.keys().filter(|labels| labels["__name__"] == "up").count() == 5
        });
        let only = |a: &Known, b: &Known| -> Vec<String> {
            a.iter().filter(|(key, value)| b.get(*key) != Some(*value)).take(5).map(|it| format!("{it:?}")).collect()
        };
        assert!(
            ours == theirs,
            "{suite}: only ours {:#?}, only theirs {:#?}",
            only(&ours, &theirs),
            only(&theirs, &ours)
        );
        assert!(ours.len() > 3_000, "{} series", ours.len());
    }
}

#[test]
#[ignore = "needs Prometheus of Debian stable and unstable: .ci/peers fetches them"]
fn a_target_that_is_down_has_the_error_that_prometheus_tells() {
    const PATHS: &[&str] = &["/metrics", "/health", "/nothing", "/prometheus"];
    let configuration = |target: &str, refused: &str, limit: usize| {
        let job = |(index, path): (usize, &&str)| {
            format!(
                "  - {{ job_name: j{index}, metrics_path: {path}, sample_limit: {limit}, static_configs: [ {{ targets: [ \"{target}\" ] }} ] }}\n"
            )
        };
        let jobs: String = PATHS.iter().enumerate().map(job).collect();
        let dead = format!("  - {{ job_name: dead, static_configs: [ {{ targets: [ \"{refused}\" ] }} ] }}\n");
        format!("global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n{jobs}{dead}")
    };
    for (suite, semantics) in [("stable", Semantics::V2_42), ("unstable", Semantics::V3)] {
        let text = configuration("standalone-1:8081", "standalone-1:9", 3);
        let (found, _) = Configuration::read("prometheus.yml", &text).expect("a configuration");
        let watch = Watch { scraping: Scraping::Jobs(found.jobs), semantics, ..Watch::default() };
        let plan = read("x.yaml", "name: x\nduration: 5s\n", &NoFiles).0.expect("a plan");
        let report = run(&Arc::new(plan), Seed(1), Calendar::default(), Some(&watch)).expect("no limit");
        let ours: Vec<String> =
            report.targets.iter().map(|it| it.last_error.as_ref().expect("it is down").1.clone()).collect();
        assert_eq!(ours.len(), PATHS.len() + 1);
        let mock = Mock::start(&["idle", "--paused"]);
        let prometheus = Prometheus::start(suite, &configuration(&mock.member("standalone-1"), "127.0.0.1:1", 3), "");
        let mut theirs: BTreeMap<String, String> = BTreeMap::new();
        eventually("every job was scraped", || {
            for target in prometheus.api("targets")["data"]["activeTargets"].as_array().unwrap_or(&Vec::new()) {
                if let (Some(job), Some(error)) = (target["scrapePool"].as_str(), target["lastError"].as_str()) {
                    theirs.insert(job.to_owned(), error.to_owned());
                }
            }
            theirs.len() == ours.len() && theirs.values().all(|error| !error.is_empty())
        });
        // In the order of the names of the jobs, `dead` first. The URL stands beside ours.
        let order = std::iter::once(&ours[PATHS.len()]).chain(&ours[..PATHS.len()]);
        for ((job, theirs), ours) in theirs.iter().zip(order) {
            let same = theirs == ours || (theirs.starts_with("Get ") && theirs.ends_with(&format!(": {ours}")));
            assert!(same, "{suite}, {job}: {theirs} is not {ours}");
        }
    }
}

#[test]
#[ignore = "needs promtool of Debian stable: .ci/peers fetches it"]
fn promtool_says_of_our_text_just_what_it_says_of_the_recording() {
    let check = |text: &str| -> BTreeSet<String> {
        let mut child = Command::new(peer("stable", "promtool"))
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool starts");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("an end");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        text.lines().map(str::to_owned).collect()
    };
    let idle = include_str!("../scenarios/idle.yaml");
    let plan = Arc::new(read("idle.yaml", idle, &NoFiles).0.expect("a plan"));
    let ours = exposition(&simulate(&plan, 1, Instant::START), 0);
    let recorded = check(body(&capture("standalone/GET_prometheus.http")));
    assert!(!recorded.is_empty(), "promtool has something to say of the real Kestra");
    assert_eq!(check(&ours), recorded);
}

/// Whether promtool agrees with the exported file of a scenario, and whether it notices two changes of the rules.
fn promtool_agrees_with(path: &Path) -> (bool, bool) {
    let rules = scratch("rules.yml");
    let shipped = include_str!("../scenarios/rules/kestra.yml");
    std::fs::write(&rules, shipped).expect("written");
    let judge = |suite: &str, file: &Path| {
        let output =
            Command::new(peer(suite, "promtool")).args(["test", "rules"]).arg(file).output().expect("promtool starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    };
    let file = rules.with_file_name("scenario.test.yml");
    let export = binary()
        .args(["export", "promtool"])
        .arg(path)
        .arg("--rules")
        .arg(&rules)
        .arg("--out")
        .arg(&file)
        .output()
        .expect("the binary runs");
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    // Files of many samples cost promtool minutes: each is for one of the two, and the others show enough of what follows.
    let large = std::fs::metadata(&file).expect("it is there").len() > 400_000;
    let suites = match (large, path.file_stem().map_or(0, |name| name.len()) % 2) {
        (false, _) => &["stable", "unstable"][..],
        (true, 0) => &["stable"],
        (true, _) => &["unstable"],
    };
    for suite in suites {
        let (agrees, text) = judge(suite, &file);
        assert!(agrees, "{} with {suite}: {text}", path.display());
    }
    if large {
        return (false, false);
    }
    // The file has teeth: where something fires, another `for` is caught.
    std::fs::write(&rules, shipped.replace("for: 1m", "for: 3m").replace("for: 2m", "for: 9m")).expect("written");
    let noticed = !judge("stable", &file).0;
    // So is an alert that fires in the middle of a run that is quiet in its time.
    let once = "kestra:worker_jobs_pending:sum > 20 or (vector(time()) > 600) < 900";
    std::fs::write(&rules, shipped.replace("kestra:worker_jobs_pending:sum > 20", once)).expect("written");
    (noticed, !judge("unstable", &file).0)
}

#[test]
#[ignore = "needs promtool of Debian stable and unstable: .ci/peers fetches them"]
fn promtool_agrees_with_every_shipped_scenario_and_notices_a_changed_rule() {
    let left = Mutex::new(scenario_files());
    let take = || left.lock().expect("a list").pop();
    let work = || std::iter::from_fn(take).map(|path| promtool_agrees_with(&path)).collect::<Vec<_>>();
    let all: Vec<(bool, bool)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect()
    });
    let (noticed, silent) = (all.iter().filter(|it| it.0).count(), all.iter().filter(|it| it.1).count());
    assert!(noticed >= 4, "{noticed} changed rules were noticed");
    assert!(silent >= 4, "{silent} alerts for once were noticed");
}

/// Groups with intervals of their own, one that fires since the start, labels that need quotes, and rules that read others.
const GROUPS: &str = "groups:
  - name: z-first
    rules:
      - { record: 'job:down:sum', expr: 'sum(up == bool 0)' }
      - { alert: Always, expr: vector(1) }
      - { alert: 'It''s \"down\"', expr: up == 0, labels: { said: 'a \"b\" \\ {{ $labels.instance }} {{ $value }}' } }
      - { alert: SeesRecorded, expr: 'job:down:sum > 0', for: 30s, keep_firing_for: 45s }
  - name: a-second
    rules:
      - { alert: SeesOther, expr: 'job:down:sum > 0' }
      - { alert: SeesAlert, expr: 'ALERTS{alertname=\"SeesOther\"}' }
  - name: slow
    interval: 1m
    rules:
      - { alert: DownSlowly, expr: up == 0, for: 1m }
      - { alert: Rate, expr: 'sum(rate(kestra_executor_taskrun_created_count_total[3m])) > 0' }
  - name: quick
    interval: 5s
    limit: 9
    rules:
      - { alert: Quick, expr: up == 0 }
";

#[test]
#[ignore = "needs promtool of Debian stable and unstable: .ci/peers fetches them"]
fn promtool_agrees_with_groups_of_several_intervals() {
    let rules = scratch("groups.yml");
    std::fs::write(&rules, GROUPS).expect("written");
    for scenario in ["worker-killed", "healthy"] {
        let out = rules.with_file_name("test.yml");
        let export = binary()
            .args(["export", "promtool", scenario, "--rules"])
            .arg(&rules)
            .arg("--out")
            .arg(&out)
            .output()
            .expect("the binary runs");
        let told = String::from_utf8_lossy(&export.stderr).into_owned();
        // ALERTS holds those of all groups.
        assert!(export.status.success() && told.contains("left out: SeesAlert: it reads `Quick`"), "{told}");
        assert_eq!(told.matches("left out").count(), 1, "{told}");
        for name in ["test.yml", "test-5s.yml", "test-1m.yml"] {
            for suite in ["stable", "unstable"] {
                let file = rules.with_file_name(name);
                let output = Command::new(peer(suite, "promtool")).args(["test", "rules"]).arg(&file).output();
                let output = output.expect("promtool starts");
                let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{scenario} {name} with {suite}: {text}");
            }
        }
    }
}

#[test]
#[ignore = "needs promtool of Debian stable and unstable: .ci/peers fetches them"]
fn promtool_agrees_with_jobs_of_several_intervals_and_with_offsets() {
    let configuration = "global: { scrape_interval: 20s, evaluation_interval: 15s }
scrape_configs:
  - job_name: kestra
    metrics_path: /prometheus
    static_configs: [ { targets: [ \"worker-1:8081\", \"executor-1:8081\" ] } ]
  - job_name: slow
    metrics_path: /prometheus
    scrape_interval: 45s
    static_configs: [ { targets: [ \"webserver-1:8081\", \"worker-2:8081\" ] } ]
  - job_name: again
    metrics_path: /prometheus
    scrape_interval: 7s
    static_configs: [ { targets: [ \"worker-1:8081\" ] } ]
";
    let rules = |offsets: [&str; 3]| {
        let [a, b, c] = offsets;
        format!(
            "groups:
  - name: quick
{a}    rules:
      - {{ record: 'job:up:sum', expr: 'sum by (job) (up)' }}
      - {{ alert: Down, expr: up == 0 }}
      - {{ alert: DownLong, expr: up == 0, for: 1m }}
      - {{ alert: Fewer, expr: 'job:up:sum < 2', keep_firing_for: 1m }}
  - name: later
{b}    rules:
      - {{ alert: Rate, expr: 'sum by (job) (rate(kestra_executor_taskrun_created_count_total[3m])) > 0' }}
      - {{ alert: SeesFewer, expr: 'job:up:sum < 2' }}
      - {{ alert: Always, expr: vector(1) }}
  - name: slow
    interval: 1m
{c}    rules:
      - {{ alert: Missing, expr: 'absent(up{{job=\"again\"}} == 1)' }}
"
        )
    };
    let key = |offset: &str| format!("    query_offset: {offset}\n");
    let (none, some) = (["", "", ""], ["40s", "1m", "25s"].map(key));
    for (offsets, suites) in [
        (none, ["stable", "unstable"].as_slice()),
        // Before 2.53 Prometheus refuses the key, and the export says so.
        ([some[0].as_str(), some[1].as_str(), some[2].as_str()], ["unstable"].as_slice()),
    ] {
        let file = scratch("offsets.yml");
        std::fs::write(&file, rules(offsets)).expect("written");
        let prometheus = file.with_file_name("prometheus.yml");
        std::fs::write(&prometheus, configuration).expect("written");
        let out = file.with_file_name("test.yml");
        let export = binary()
            .args(["export", "promtool", "worker-killed", "--rules"])
            .arg(&file)
            .arg("--prometheus")
            .arg(&prometheus)
            .arg("--out")
            .arg(&out)
            .output()
            .expect("the binary runs");
        let told = String::from_utf8_lossy(&export.stderr).into_owned();
        assert!(export.status.success() && !told.contains("left out"), "{told}");
        assert_eq!(told.contains("before 2.53"), suites.len() == 1, "{told}");
        for suite in suites {
            for name in ["test.yml", "test-1m.yml"] {
                let file = file.with_file_name(name);
                let run = || {
                    let output = Command::new(peer(suite, "promtool")).args(["test", "rules"]).arg(&file).output();
                    let output = output.expect("promtool starts");
                    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
                    (output.status.success(), text.into_owned())
                };
                let (agrees, text) = run();
                assert!(agrees, "{name} with {suite}: {text}");
                // One that never fires would pass too: what is expected is changed, and promtool notices.
                let written = std::fs::read_to_string(&file).expect("a test file");
                assert!(written.contains("exp_samples:\n"), "{name}: something fires");
                std::fs::write(&file, written.replacen("            value: ", "            value: 9", 1))
                    .expect("written");
                assert!(!run().0, "{name} with {suite} notices");
                std::fs::write(&file, written).expect("written");
            }
        }
    }
}
