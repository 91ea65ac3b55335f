//! PromQL beside a real Prometheus: the same random series, the same expressions, every value at every step.
//! `.ci/peers` puts the servers under target/peers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells how much was compared")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::peers::{Prometheus, peer};
use common::server::{connect, eventually, scratch};
use mock_kestra::promql::{Database, Evaluator, Expression, Labels, Semantics, Value};
use mock_kestra::random::Seed;
use serde_json::Value as Json;

/// 2026-01-05T08:00:00Z, in milliseconds.
const START: i64 = 1_767_600_000_000;
const STEP: i64 = 15_000;
const STEPS: i64 = 80;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let mut all: Vec<(Arc<str>, Arc<str>)> =
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    all.sort();
    all.into()
}

/// Counters with resets, gauges with gaps, histograms, constants: not on a grid, as scrapes are not.
fn series() -> Vec<(Labels, Vec<(i64, f64)>)> {
    let mut all = Vec::new();
    for instance in ["a", "b", "c"] {
        for job in ["x", "y"] {
            let mut draws = Seed(7).numbered(mock_kestra::random::name_key(instance), u64::from(job == "x"));
            let phase = draws.below(STEP as u64) as i64;
            let (mut counter, mut gauge, mut buckets) = (0.0, 50.0, [0.0; 5]);
            let mut kept: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
            for step in -30..STEPS {
                let time = START + step * STEP + phase + draws.below(40) as i64;
                // Now and then a scrape is missing, or several in a row.
                if draws.chance(0.05) || (instance == "b" && (20..45).contains(&step)) {
                    continue;
                }
                counter =
                    if draws.chance(0.03) { draws.below(3) as f64 } else { counter + draws.below(20) as f64 * 0.5 };
                gauge += draws.normal() * 3.0;
                for (index, bucket) in buckets.iter_mut().enumerate() {
                    *bucket += draws.below(3 + index as u64) as f64;
                }
                let mut cumulative = 0.0;
                kept.entry("c_total".into()).or_default().push((time, counter));
                let strange = draws.chance(0.02);
                kept.entry("g".into()).or_default().push((time, if strange { f64::NAN } else { gauge }));
                kept.entry("whole".into()).or_default().push((time, libm::round(gauge / 10.0)));
                for (bucket, le) in buckets.iter().zip(["0.1", "0.5", "1", "5", "+Inf"]) {
                    cumulative += bucket;
                    kept.entry(format!("h_bucket/{le}")).or_default().push((time, cumulative));
                }
            }
            for (name, samples) in kept {
                let (name, le) = name.split_once('/').unwrap_or((&name, ""));
                let mut pairs = vec![("__name__", name), ("instance", instance), ("job", job)];
                if !le.is_empty() {
                    pairs.push(("le", le));
                }
                all.push((labels(&pairs), samples));
            }
        }
        let info = labels(&[
            ("__name__", "info"),
            ("instance", instance),
            ("version", if instance == "a" { "1" } else { "2" }),
        ]);
        all.push((info, (-30..STEPS).map(|step| (START + step * STEP, 1.0)).collect()));
    }
    all
}

/// In the manner of public rule sets: every function, aggregation, operator and modifier that is implemented.
fn corpus() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for function in ["rate", "increase", "irate", "resets", "changes", "delta", "idelta", "deriv"] {
        for range in ["40s", "1m", "5m", "17m"] {
            all.push(format!("{function}(c_total[{range}])"));
        }
        all.push(format!("{function}(g[2m])"));
        all.push(format!("sum by (job) ({function}(c_total{{instance!=\"c\"}}[3m]))"));
    }
    for function in ["avg", "min", "max", "sum", "count", "last", "present", "stddev", "stdvar"] {
        for range in ["30s", "5m"] {
            all.push(format!("{function}_over_time(whole[{range}])"));
            all.push(format!("{function}_over_time(g[{range}])"));
        }
        all.push(format!("{function}_over_time(rate(c_total[1m])[5m:30s])"));
        all.push(format!("{function}_over_time((g > 50)[5m:])"));
    }
    for function in [
        "abs", "ceil", "floor", "sgn", "exp", "ln", "log2", "log10", "sqrt", "round", "sin", "cos", "tan", "asin",
        "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad",
    ] {
        all.push(format!("{function}(whole)"));
    }
    for aggregation in ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"] {
        for by in ["", "by (job)", "by (instance, job)", "without (instance)", "by (nothing)"] {
            all.push(format!("{aggregation} {by} (whole)"));
        }
        all.push(format!("{aggregation} by (job) (g)"));
    }
    for k in ["1", "2", "0", "100"] {
        all.push(format!("sum by (job) (topk by (job) ({k}, c_total))"));
        all.push(format!("sum(bottomk({k}, c_total))"));
    }
    for phi in ["0", "0.5", "0.9", "0.99", "1", "-1", "2"] {
        all.push(format!("quantile by (job) ({phi}, whole)"));
        all.push(format!("quantile_over_time({phi}, whole[4m])"));
        all.push(format!("histogram_quantile({phi}, h_bucket)"));
        all.push(format!("histogram_quantile({phi}, sum by (le, job) (rate(h_bucket[5m])))"));
    }
    for op in ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<="] {
        all.push(format!("whole {op} 3"));
        all.push(format!("3 {op} whole"));
        all.push(format!("whole {op} ignoring (le) whole"));
        all.push(format!("whole{{job=\"x\"}} {op} on (instance) whole{{job=\"y\"}}"));
        all.push(format!("whole {op} on (instance) group_left (version) info"));
        all.push(format!("info {op} on (instance) group_right (version) whole"));
    }
    for op in ["==", "!=", ">", "<", ">=", "<="] {
        all.push(format!("whole {op} bool 3"));
        all.push(format!("whole {op} bool on (instance) group_left info"));
        all.push(format!("1 {op} bool 2"));
    }
    for op in ["and", "or", "unless"] {
        all.push(format!("whole {op} g"));
        all.push(format!("whole > 2 {op} on (instance) g < 50"));
        all.push(format!("c_total {op} ignoring (job) info"));
    }
    all.extend(
        [
            "absent(g)",
            "absent(nothing)",
            "absent(nothing{a=\"b\", c=~\"d\"})",
            "absent(g > 1e9)",
            "absent_over_time(nothing{x=\"y\"}[5m])",
            "absent_over_time(g{instance=\"b\"}[1m])",
            "clamp(whole, 2, 6)",
            "clamp(whole, 6, 2)",
            "clamp_min(g, 50)",
            "clamp_max(g, 50)",
            "round(g, 5)",
            "round(g, 0.1)",
            "-whole",
            "-(g - 1)",
            "scalar(whole{instance=\"a\", job=\"x\"})",
            "scalar(whole)",
            "vector(1)",
            "vector(time())",
            "time() - timestamp(g)",
            "timestamp(g offset 1m)",
            "timestamp(g + 1)",
            "pi() * 2",
            "minute()",
            "hour()",
            "day_of_week()",
            "day_of_month()",
            "day_of_year()",
            "days_in_month()",
            "month()",
            "year()",
            "hour(vector(1767600000))",
            "minute(c_total * 1000)",
            "g offset 2m",
            "g offset -1m",
            "rate(c_total[2m] offset 3m)",
            "sum_over_time(whole[5m] offset 1m)",
            "g @ 1767600300",
            "rate(c_total[5m] @ 1767600600)",
            "max_over_time(rate(c_total[1m])[10m:1m] @ 1767600900)",
            "sum_over_time(whole[10m:1m] offset 2m)",
            "predict_linear(g[10m], 3600)",
            "predict_linear(whole[5m], -60)",
            "label_replace(whole, \"host\", \"$1-$2\", \"instance\", \"(.)(.*)\")",
            "label_replace(whole, \"job\", \"\", \"job\", \"x\")",
            "label_join(whole, \"both\", \"-\", \"instance\", \"job\")",
            "count_values(\"value\", whole)",
            "count_values by (job) (\"v\", whole)",
            "sort(whole)",
            "sort_desc(whole)",
            "{__name__=~\"g|whole\", instance=\"a\"}",
            "count by (__name__) ({job=\"x\"})",
            "whole{instance=~\"a|b\", job!~\"y.*\"}",
            "sum(rate(c_total[5m])) / sum(rate(c_total[5m] offset 5m)) > 1",
            "sum by (instance) (rate(c_total{job=\"x\"}[5m])) / ignoring (job) sum by (instance) (rate(c_total[5m]))",
            "(sum by (job) (rate(c_total[5m])) > 0.1) and on (job) (avg by (job) (g) > 40)",
            "histogram_quantile(0.9, sum without (instance) (rate(h_bucket{job=\"x\"}[5m])))",
            "1 - (sum(rate(h_bucket{le=\"0.5\"}[5m])) / sum(rate(h_bucket{le=\"+Inf\"}[5m])))",
            "max_over_time((time() - timestamp(g))[5m:15s])",
            "count(g > 50) or vector(0)",
            "changes(c_total[5m]) > 0 unless on (instance) (info offset 1m)",
            "2 ^ 3 ^ 2",
            "-2 ^ 2",
            "whole > 3 < 8",
            "whole % 3 == 0",
            "NaN == NaN",
            "g == g",
            "1 / 0",
            "0 / 0",
            "whole / 0",
        ]
        .map(str::to_owned),
    );
    all
}

/// The answer of a query over the whole range: by labels, by time.
type Answer = BTreeMap<Vec<(String, String)>, BTreeMap<i64, f64>>;

fn theirs(address: &str, expression: &str) -> Result<Answer, String> {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let end = START + (STEPS - 1) * STEP;
    let form = format!("query={}&start={}&end={}&step={}", encode(expression), START / 1000, end / 1000, STEP / 1000);
    let mut stream = connect(address).map_err(|error| error.to_string())?;
    write!(
        stream,
        "POST /api/v1/query_range HTTP/1.0\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .map_err(|error| error.to_string())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let answer: Json = serde_json::from_str(body).map_err(|error| format!("{error}: {text}"))?;
    if answer["status"] != "success" {
        return Err(answer["error"].as_str().unwrap_or("no reason").to_owned());
    }
    let mut all = Answer::new();
    for series in answer["data"]["result"].as_array().expect("a result") {
        let metric = series["metric"].as_object().expect("labels");
        let mut key: Vec<(String, String)> =
            metric.iter().map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned())).collect();
        key.sort();
        let samples = all.entry(key).or_default();
        for sample in series["values"].as_array().expect("values") {
            let time = (sample[0].as_f64().expect("a time") * 1000.0) as i64;
            samples.insert(time, sample[1].as_str().expect("text").replace("Inf", "inf").parse().expect("a number"));
        }
    }
    Ok(all)
}

fn ours(database: &Database, expression: &str, semantics: Semantics) -> Result<Answer, String> {
    let parsed = Expression::parse(expression)?;
    // The default step of a subquery is the global evaluation interval.
    let evaluator = Evaluator::new(semantics, 60_000);
    let mut all = Answer::new();
    for step in 0..STEPS {
        let now = START + step * STEP;
        match evaluator.evaluate(&parsed, database, now).map_err(|failure| failure.to_string())? {
            Value::Scalar(value) => {
                all.entry(Vec::new()).or_default().insert(now, value);
            }
            Value::Vector(vector) => {
                for (labels, value) in vector {
                    let key = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
                    all.entry(key).or_default().insert(now, value);
                }
            }
            Value::Text(_) => {}
        }
    }
    Ok(all)
}

/// Sums may be added in another order: that much may differ, and no more.
fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * a.abs().max(b.abs()) || (a - b).abs() < 1e-13
}

fn agrees(suite: &str, semantics: Semantics) {
    let all = series();
    let mut text = String::new();
    let mut sorted: Vec<_> = all.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    for (labels, samples) in sorted {
        let name = &labels.iter().find(|(key, _)| &**key == "__name__").expect("a name").1;
        let pairs: Vec<String> = labels
            .iter()
            .filter(|(key, _)| &**key != "__name__")
            .map(|(key, value)| format!("{key}=\"{value}\""))
            .collect();
        for (time, value) in samples {
            let seconds = format!("{}.{:03}", time / 1000, time % 1000);
            writeln!(text, "{name}{{{}}} {value} {seconds}", pairs.join(",")).expect("written");
        }
    }
    text += "# EOF\n";
    let input = scratch("series.om");
    let data = input.with_file_name("data");
    std::fs::write(&input, text.replace(" inf ", " +Inf ")).expect("written");
    let status = Command::new(peer("stable", "promtool"))
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&input, &data])
        .stdout(Stdio::null())
        .status()
        .expect("promtool starts");
    assert!(status.success());
    let prometheus = Prometheus::start_with(suite, "global: {}\n", "", &data);
    eventually("Prometheus is ready", || theirs(&prometheus.address, "vector(1)").is_ok());

    let mut database = Database::default();
    for (labels, samples) in &all {
        let number = database.series(labels);
        samples.iter().for_each(|(time, value)| database.append(number, *time, *value));
    }
    let (mut wrong, mut values, mut empty) = (Vec::new(), 0usize, 0usize);
    let corpus = corpus();
    assert!(corpus.len() >= 300, "{} expressions", corpus.len());
    for expression in &corpus {
        match (theirs(&prometheus.address, expression), ours(&database, expression, semantics)) {
            (Ok(theirs), Ok(ours)) => {
                values += theirs.values().map(BTreeMap::len).sum::<usize>();
                empty += usize::from(theirs.is_empty());
                let flat = |answer: &Answer| -> BTreeMap<(Vec<(String, String)>, i64), f64> {
                    let each = answer.iter().flat_map(|(key, samples)| {
                        samples.iter().map(move |(time, value)| ((key.clone(), *time), *value))
                    });
                    each.collect()
                };
                let (theirs, ours) = (flat(&theirs), flat(&ours));
                let keys: std::collections::BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
                let differs = |key: &&&(Vec<(String, String)>, i64)| match (theirs.get(**key), ours.get(**key)) {
                    (Some(a), Some(b)) => !same(*a, *b),
                    _ => true,
                };
                let differing: Vec<_> = keys.iter().filter(differs).collect();
                if let Some(key) = differing.first() {
                    wrong.push(format!(
                        "{expression}: {} of {} values, first {key:?}: theirs {:?}, ours {:?}",
                        differing.len(),
                        keys.len(),
                        theirs.get(**key),
                        ours.get(**key)
                    ));
                }
            }
            // What fails there must fail here.
            (Err(_), Err(_)) => {}
            (Err(why), Ok(_)) => wrong.push(format!("{expression}: theirs fails ({why}), ours does not")),
            (Ok(_), Err(why)) => wrong.push(format!("{expression}: ours fails: {why}")),
        }
    }
    println!("{} expressions, {values} values, {empty} empty answers, {} differ", corpus.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(empty < corpus.len() / 10, "{empty} empty answers prove little");
}

#[test]
#[ignore = "needs Prometheus 3 of Debian unstable and promtool of stable: .ci/peers fetches them"]
fn every_expression_gives_what_prometheus_3_gives() {
    agrees("unstable", Semantics::V3);
}

#[test]
#[ignore = "needs Prometheus of Debian stable: .ci/peers fetches it"]
fn every_expression_gives_what_prometheus_2_42_gives() {
    agrees("stable", Semantics::V2_42);
}
