//! PromQL beside a real Prometheus: the same random series, the same expressions, every value at every step.
//! `.ci/peers` puts the servers under target/peers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells how much was compared")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::expressions;
use common::peers::{Prometheus, Written};
use common::server::eventually;
use mock_kestra::promql::{Database, Evaluator, Expression, Grid, Labels, NO_SAMPLE, Semantics, Table, Value};
use mock_kestra::random::Seed;

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
                // Now and then a scrape is missing, or fails (all series end), or several in a row.
                if draws.chance(0.05) || (instance == "b" && (20..45).contains(&step)) {
                    if draws.chance(0.6) {
                        kept.values_mut().for_each(|samples| samples.push((time, NO_SAMPLE)));
                    }
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
                kept.entry("whole".into()).or_default().push((time, f64::round(gauge / 10.0)));
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

/// The answer of a query over the whole range: by labels, by time.
type Answer = BTreeMap<Vec<(String, String)>, BTreeMap<i64, f64>>;

fn theirs(prometheus: &Prometheus, expression: &str) -> Result<Answer, String> {
    let end = START + (STEPS - 1) * STEP;
    let result = prometheus.query_range(expression, START / 1000, end / 1000, STEP / 1000)?;
    let mut all = Answer::new();
    for series in result.as_array().expect("a result") {
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

/// Instant by instant, and all at once: both must be the same to the last bit.
fn ours(database: &Database, expression: &str, semantics: Semantics) -> Result<Answer, String> {
    let parsed = Expression::parse(expression)?;
    // The default step of a subquery is the global evaluation interval.
    let evaluator = Evaluator::new(semantics, 60_000);
    let grid = Grid { first: START, step: STEP, count: STEPS as usize };
    let table = evaluator.over(&parsed, database, grid).map_err(|failure| failure.to_string())?;
    let mut all = Answer::new();
    let mut add = |labels: &Labels, index: usize, value: f64| {
        let key = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        all.entry(key).or_default().insert(grid.time(index), value);
    };
    let none: Labels = Vec::new().into();
    match table {
        Table::Scalar(values) => values.iter().enumerate().for_each(|(index, value)| add(&none, index, *value)),
        Table::Rows(rows) => {
            for row in &rows {
                (0..grid.count).for_each(|index| row.at(index).into_iter().for_each(|it| add(&row.labels, index, it)));
            }
        }
        Table::Text(_) => {}
    }
    if !parsed.is_about_whole() {
        let mut alone = 0;
        for (index, now) in grid.times().enumerate() {
            let mut check = |labels: &Labels, value: f64| {
                let key: Vec<(String, String)> =
                    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
                let together = all.get(&key).and_then(|samples| samples.get(&now));
                assert_eq!(together.map(|it| it.to_bits()), Some(value.to_bits()), "{expression} at step {index}");
                alone += 1;
            };
            match evaluator.evaluate(&parsed, database, now).map_err(|failure| failure.to_string())? {
                Value::Scalar(value) => check(&none, value),
                Value::Vector(vector) => vector.iter().for_each(|(labels, value)| check(labels, *value)),
                Value::Text(_) => {}
            }
        }
        assert_eq!(alone, all.values().map(BTreeMap::len).sum::<usize>(), "{expression}");
    }
    Ok(all)
}

/// Sums may be added in another order: that much may differ, and no more.
fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * a.abs().max(b.abs()) || (a - b).abs() < 1e-13
}

fn agrees(suite: &str, semantics: Semantics) {
    let all = series();
    let prometheus = Prometheus::start(suite, "global: {}\n", "");
    eventually("Prometheus is ready", || theirs(&prometheus, "vector(1)").is_ok());
    let written: Vec<Written> = all
        .iter()
        .map(|(labels, samples)| {
            (labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(), samples.clone())
        })
        .collect();
    prometheus.write(&written);

    let mut database = Database::default();
    for (labels, samples) in &all {
        let number = database.series(labels);
        samples.iter().for_each(|(time, value)| database.append(number, *time, *value));
    }
    let (mut wrong, mut values, mut empty) = (Vec::new(), 0usize, 0usize);
    let rules = expressions::evaluated();
    assert!(rules.len() >= 300, "{} expressions", rules.len());
    // Every part of them as well.
    let mut corpus: Vec<String> = Vec::new();
    for expression in &rules {
        corpus.push(expression.clone());
        corpus.extend(Expression::parse(expression).map(|parsed| parsed.parts()).unwrap_or_default());
    }
    if semantics == Semantics::V3_16 {
        corpus.extend(expressions::newest());
    }
    corpus.sort();
    corpus.dedup();
    if semantics == Semantics::V2_42 {
        corpus.retain(|expression| !expression.contains("histogram_"));
        corpus.extend(rules.iter().filter(|it| it.contains("histogram_quantile")).cloned());
    }
    for expression in &corpus {
        match (theirs(&prometheus, expression), ours(&database, expression, semantics)) {
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
    if semantics == Semantics::V3_16 {
        wrong.extend(expressions::of_the_query().iter().filter_map(|it| differs_at_once(&prometheus, &database, it)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(empty < corpus.len() / 10, "{empty} empty answers prove little");
}

/// What differs when an expression is asked at instants.
fn differs_at_once(prometheus: &Prometheus, database: &Database, expression: &str) -> Option<String> {
    let parsed = Expression::parse(expression).expect("sound");
    let evaluator = Evaluator::new(Semantics::V3_16, 60_000);
    for at in (0..STEPS).step_by(7).map(|step| START + step * STEP) {
        let query: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let theirs = prometheus.api(&format!("query?query={query}&time={}", at / 1000));
        let values: Option<BTreeMap<Vec<(String, String)>, f64>> = theirs["data"]["result"].as_array().map(|found| {
            let labels = |of: &serde_json::Value| {
                let labels = of["metric"].as_object().expect("labels").iter();
                labels.map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned())).collect()
            };
            let value = |of: &serde_json::Value| of["value"][1].as_str().expect("text").parse().expect("a number");
            found.iter().map(|of| (labels(of), value(of))).collect()
        });
        let ours = evaluator.evaluate(&parsed, database, at).ok().map(|value| match value {
            Value::Vector(rows) => rows
                .into_iter()
                .map(|(labels, value)| {
                    (labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(), value)
                })
                .collect(),
            other => panic!("{expression}: {other:?}"),
        });
        let shown = |it: &Option<BTreeMap<Vec<(String, String)>, f64>>| format!("{it:?}");
        if shown(&values) != shown(&ours) {
            return Some(format!("{expression} at {at}: theirs {theirs}, ours {}", shown(&ours)));
        }
    }
    None
}

#[test]
#[ignore = "needs the newest Prometheus: .ci/peers builds it where Go is there"]
fn every_expression_gives_what_the_newest_prometheus_gives() {
    agrees("newest", Semantics::V3_16);
}

#[test]
#[ignore = "needs Prometheus 3 of Debian unstable and promtool of stable: .ci/peers fetches them"]
fn every_expression_gives_what_prometheus_3_5_gives() {
    agrees("unstable", Semantics::V3);
}

#[test]
#[ignore = "needs Prometheus of Debian stable: .ci/peers fetches it"]
fn every_expression_gives_what_prometheus_2_42_gives() {
    agrees("stable", Semantics::V2_42);
}
