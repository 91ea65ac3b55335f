//! Rules: 40 of them over thousands of series and two hours at 15 s, beside promtool and beside query_range of a real
//! Prometheus in the same run, where `.ci/peers` has put them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells what it measured")]
#![allow(clippy::disallowed_methods, reason = "it measures the time that passes")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::peers::{Prometheus, Written, peer};
use common::server::{eventually, scratch};
use mock_kestra::monitor::{Monitor, Setup, Target, read_rules};
use mock_kestra::promql::Expression;
use mock_kestra::promql::Grid;
use mock_kestra::random::Seed;
use mock_kestra::time::Duration;

/// 2026-01-05T08:00:00Z, in milliseconds.
const START: i64 = 1_767_600_000_000;
const STEP: i64 = 15_000;
const STEPS: usize = 480;

/// A series: its target, name, labels and bound, and a value a step.
struct Generated {
    target: usize,
    name: String,
    labels: Vec<(String, String)>,
    le: Option<String>,
    values: Vec<f64>,
}

const BOUNDS: [&str; 8] = ["0.05", "0.1", "0.25", "0.5", "1", "2.5", "10", "+Inf"];

/// Counters, gauges, summaries and histograms of some targets, 50 series each; a tenth of the counters is reset midway.
fn generated(targets: usize) -> Vec<Generated> {
    let mut all = Vec::new();
    for target in 0..targets {
        let mut draws = Seed(1).numbered(7, target as u64);
        let mut add = |name: &str, labels: &[(&str, &str)], le: Option<&str>, values: Vec<f64>| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            all.push(Generated { target, name: name.into(), labels, le: le.map(str::to_owned), values });
        };
        for flow in 0..12 {
            let (mut failed, mut ended) = (0.0, 0.0);
            let (mut failures, mut ends) = (Vec::new(), Vec::new());
            for step in 0..STEPS {
                let incident = (200..260).contains(&step) && flow == 0;
                if step == STEPS / 2 && draws.chance(0.1) {
                    (failed, ended) = (0.0, 0.0);
                }
                ended += draws.below(6) as f64;
                failed += if incident || draws.chance(0.02) { draws.below(4) as f64 } else { 0.0 };
                failures.push(failed);
                ends.push(ended);
            }
            let flow = format!("flow-{flow}");
            add("end_count_total", &[("flow_id", &flow), ("state", "FAILED")], None, failures);
            add("end_count_total", &[("flow_id", &flow), ("state", "SUCCESS")], None, ends);
        }
        for pool in ["a", "b", "c", "d", "e", "f"] {
            let mut level = 40.0;
            let gauge = (0..STEPS).map(|_| {
                level = f64::max(0.0, level + draws.normal() * 2.0);
                level
            });
            add("memory_used_bytes", &[("id", pool)], None, gauge.collect());
            add("memory_max_bytes", &[("id", pool)], None, vec![64.0; STEPS]);
        }
        let mut counts = [0.0; BOUNDS.len()];
        let mut buckets: Vec<Vec<f64>> = vec![Vec::new(); BOUNDS.len()];
        for _ in 0..STEPS {
            let mut below = 0.0;
            for (bucket, count) in counts.iter_mut().enumerate() {
                *count += draws.below(4) as f64;
                below += *count;
                buckets[bucket].push(below);
            }
        }
        for (bound, values) in BOUNDS.iter().zip(buckets) {
            add("duration_seconds_bucket", &[], Some(bound), values);
        }
        let mut pending = 0.0;
        let waits = (0..STEPS).map(|step| {
            pending = if (200..260).contains(&step) { pending + 3.0 } else { f64::max(0.0, pending - 5.0) };
            pending
        });
        add("job_pending", &[], None, waits.collect());
        for name in ["job_running", "job_thread", "start_time_seconds", "connections_pending", "connections_idle"] {
            let value = draws.below(9) as f64;
            add(name, &[], None, (0..STEPS).map(|step| value + f64::from(u8::from(step > STEPS / 2))).collect());
        }
    }
    all
}

/// Twenty rules of each of two severities.
fn rules() -> String {
    let mut text = String::from("groups:\n  - name: bench\n    interval: 15s\n    rules:\n");
    for (severity, factor) in [("warning", 1.0), ("critical", 2.0)] {
        let threshold = |base: f64| base * factor;
        for (index, expr) in [
            format!("up == {}", factor - 1.0),
            format!("rate(end_count_total{{state=\"FAILED\"}}[5m]) > {}", threshold(0.05)),
            format!("increase(end_count_total{{state=\"FAILED\"}}[15m]) > {}", threshold(5.0)),
            format!("sum by (instance) (rate(end_count_total{{state=\"FAILED\"}}[5m])) / sum by (instance) (rate(end_count_total[5m])) > {}", threshold(0.05)),
            format!("sum by (flow_id) (increase(end_count_total[10m])) < {}", threshold(10.0)),
            format!("histogram_quantile(0.99, sum by (le) (rate(duration_seconds_bucket[5m]))) > {}", threshold(1.0)),
            format!("histogram_quantile(0.9, rate(duration_seconds_bucket[10m])) > {}", threshold(2.0)),
            format!("memory_used_bytes / memory_max_bytes > {}", threshold(0.4)),
            format!("max by (instance) (memory_used_bytes) > {}", threshold(30.0)),
            format!("job_pending > {}", threshold(20.0)),
            format!("avg_over_time(job_pending[10m]) > {}", threshold(20.0)),
            format!("deriv(memory_used_bytes[15m]) > {}", threshold(0.01)),
            format!("predict_linear(memory_used_bytes[30m], 3600) > {}", threshold(64.0)),
            format!("changes(start_time_seconds[15m]) > {}", threshold(0.0)),
            format!("resets(end_count_total[30m]) > {}", threshold(0.0)),
            format!("max_over_time(connections_pending[5m]) > {} and on (instance) connections_idle < 3", threshold(2.0)),
            format!("job_running / on (instance) job_thread > {}", threshold(0.9)),
            format!("absent(up{{instance=\"i0\"}} == {})", factor),
            format!("count(up == 1) < {}", threshold(2.0)),
            format!("sum(job_running) > {} unless sum(job_pending) > 100", threshold(50.0)),
        ]
        .iter()
        .enumerate()
        {
            let _ = writeln!(text, "      - {{ alert: A{index}_{severity}, expr: {}, for: 2m, labels: {{ severity: {severity} }} }}", serde_json::Value::from(expr.as_str()));
        }
    }
    text
}

fn instance(target: usize) -> String {
    format!("i{target}")
}

/// Seconds to load and to judge, and the transitions that were seen.
fn ours(series: &[Generated], targets: usize) -> (f64, f64, usize) {
    let (read, _) =
        read_rules("rules.yml", &rules()).unwrap_or_else(|told| panic!("{}", mock_kestra::document::render(&told)));
    let interval = Duration::seconds(15);
    let all = (0..targets)
        .map(|target| Target::new(&[("job", "k"), ("instance", &instance(target))], interval, Duration::seconds(10)));
    let setup = Setup { rules: read, targets: all.collect(), evaluation_interval: interval, ..Setup::default() };
    let mut monitor = Monitor::new(setup);
    let begun = Instant::now();
    let per_target = series.len() / targets;
    let learnt =
        |(index, it): (usize, &Generated)| monitor.learn(index / per_target, &it.name, &it.labels, it.le.as_deref());
    let kept: Vec<_> = series.iter().enumerate().map(learnt).collect();
    for step in 0..STEPS {
        for target in 0..targets {
            let mut scrape = monitor.scrape(target, START + step as i64 * STEP);
            let mine = target * per_target..(target + 1) * per_target;
            for (it, kept) in series[mine.clone()].iter().zip(&kept[mine]) {
                scrape.push(*kept, it.values[step]);
            }
            scrape.end(Some(per_target), Duration::milliseconds(5));
        }
    }
    let loaded = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    monitor.evaluate_all(&[Grid { first: START, step: STEP, count: STEPS }]);
    let episodes = monitor.episodes();
    assert!(monitor.failures().is_empty(), "{:?}", monitor.failures());
    (loaded, begun.elapsed().as_secs_f64(), black_box(episodes.len()))
}

fn labels_of(it: &Generated) -> Vec<(String, String)> {
    let mut labels = it.labels.clone();
    labels.push(("__name__".into(), it.name.clone()));
    labels.push(("job".into(), "k".into()));
    labels.push(("instance".into(), instance(it.target)));
    labels.extend(it.le.iter().map(|le| ("le".to_owned(), le.clone())));
    labels.sort();
    labels
}

/// `up` of each target as a series like the others.
fn ups(targets: usize) -> impl Iterator<Item = Generated> {
    (0..targets).map(|target| Generated {
        target,
        name: "up".into(),
        labels: Vec::new(),
        le: None,
        values: vec![1.0; STEPS],
    })
}

/// Seconds that promtool takes to judge the same.
fn promtool(series: &[Generated], targets: usize) -> f64 {
    let file = scratch("test.yml");
    std::fs::write(file.with_file_name("rules.yml"), rules()).expect("written");
    let mut text = String::from(
        "rule_files: [ rules.yml ]\nevaluation_interval: 15s\ntests:\n  - interval: 15s\n    input_series:\n",
    );
    let ups: Vec<Generated> = ups(targets).collect();
    for it in series.iter().chain(&ups) {
        let labels: Vec<String> = labels_of(it)
            .iter()
            .filter(|(key, _)| key != "__name__")
            .map(|(key, value)| format!("{key}=\"{value}\""))
            .collect();
        let values: Vec<String> = it.values.iter().map(f64::to_string).collect();
        let _ = writeln!(
            text,
            "      - series: '{}{{{}}}'\n        values: '{}'",
            it.name,
            labels.join(","),
            values.join(" ")
        );
    }
    let _ = writeln!(
        text,
        "    promql_expr_test:\n      - {{ expr: vector(1), eval_time: 7185s, exp_samples: [ {{ value: 1 }} ] }}"
    );
    std::fs::write(&file, text).expect("written");
    let begun = Instant::now();
    let status =
        Command::new(peer("unstable", "promtool")).args(["test", "rules"]).arg(&file).stdout(Stdio::null()).status();
    assert!(status.expect("promtool starts").success());
    begun.elapsed().as_secs_f64()
}

/// Seconds that a real Prometheus takes to answer query_range for the expression of each rule.
fn prometheus(series: &[Generated], targets: usize) -> f64 {
    let server = Prometheus::start("unstable", "global: {}\n", "");
    eventually("Prometheus is ready", || server.query_range("vector(1)", 0, 0, 1).is_ok());
    let ups: Vec<Generated> = ups(targets).collect();
    let all: Vec<&Generated> = series.iter().chain(&ups).collect();
    // Its head takes what is not much older than the newest: an hour of all, then the next.
    for from in (0..STEPS).step_by(120) {
        for part in all.chunks(2_000) {
            let written: Vec<Written> = part
                .iter()
                .map(|it| {
                    let samples =
                        (from..STEPS.min(from + 120)).map(|step| (START + step as i64 * STEP, it.values[step]));
                    (labels_of(it), samples.collect())
                })
                .collect();
            server.write(&written);
        }
    }
    let (rules, _) = read_rules("rules.yml", &rules()).expect("sound rules");
    let begun = Instant::now();
    for rule in rules.groups.iter().flat_map(|group| &group.rules) {
        let expression: &Expression = rule.expression();
        let last = START + (STEPS as i64 - 1) * STEP;
        black_box(server.query_range(expression.text(), START / 1000, last / 1000, STEP / 1000).expect("an answer"));
    }
    begun.elapsed().as_secs_f64()
}

fn main() {
    let peers = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/promtool-unstable").exists();
    for (targets, with_promtool) in [(40, true), (400, false)] {
        let series = generated(targets);
        let count = series.len();
        let mut runs: Vec<(f64, f64, usize)> = (0..3).map(|_| ours(&series, targets)).collect();
        runs.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (loaded, judged, episodes) = runs[1];
        println!(
            "40 rules x {count} series x {STEPS} steps: {judged:.3} s ({episodes} alerts), samples taken in {loaded:.3} s"
        );
        if peers && with_promtool {
            let theirs = promtool(&series, targets);
            println!("  promtool test rules: {theirs:.2} s, {:.0} times ours", theirs / (judged + loaded));
        }
        if peers {
            let theirs = prometheus(&series, targets);
            println!("  query_range of a real Prometheus: {theirs:.2} s, {:.1} times ours", theirs / judged);
        }
    }
}
