//! PromQL function by function: cases by hand in tests/promql/*.test, in the style of promqltest, with numbers reckoned by
//! hand. promtool is asked as well, where it is there.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells how much was compared")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use common::peers::peer;
use common::server::scratch;
use mock_kestra::promql::{Database, Evaluator, Expression, Grid, Labels, NO_SAMPLE, Semantics, Table, Value};

/// What a case expects.
#[derive(Debug)]
enum Expected {
    Fails,
    Scalar(f64),
    /// Series as they are written, and a value a step; none is no value.
    Rows(Vec<(String, Vec<Option<f64>>)>),
}

#[derive(Debug)]
struct Case {
    line: usize,
    query: String,
    /// Milliseconds.
    grid: Grid,
    expected: Expected,
}

/// A file: what is loaded each so many milliseconds, and the cases.
struct File {
    step: i64,
    loaded: Vec<(String, String)>,
    cases: Vec<Case>,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql");
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("cases").map(|it| it.expect("an entry").path()).collect();
    all.sort();
    all
}

fn milliseconds(text: &str) -> i64 {
    text.parse::<mock_kestra::time::Duration>().unwrap_or_else(|why| panic!("{text}: {why}")).as_milliseconds() as i64
}

fn number(text: &str) -> f64 {
    text.replace("Inf", "inf").parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// `1 2 _ stale 0+1x9 5x3`, as promqltest writes values.
fn values(text: &str) -> Vec<Option<f64>> {
    let mut all = Vec::new();
    for word in text.split_whitespace() {
        match word {
            "_" => all.push(None),
            "stale" => all.push(Some(NO_SAMPLE)),
            _ => match word.split_once('x') {
                None => all.push(Some(number(word))),
                Some((series, times)) => {
                    let sign = series[1..].find(['+', '-']).map(|at| at + 1);
                    let (from, by) = sign.map_or((series, "0"), |at| (&series[..at], &series[at..]));
                    let (from, by) = (number(from), number(by.trim_start_matches('+')));
                    let times: u32 = times.parse().expect("a count");
                    all.extend((0..=times).map(|n| Some(from + by * f64::from(n))));
                }
            },
        }
    }
    all
}

/// Name and labels of a series, and what follows them.
fn series(line: &str) -> (String, String) {
    match line.find('}') {
        Some(at) => (line[..=at].trim().to_owned(), line[at + 1..].trim().to_owned()),
        None => line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).expect("values"),
    }
}

fn labels(written: &str) -> Labels {
    let (name, inside) = written.split_once('{').unwrap_or((written, "}"));
    let mut all: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    if !name.is_empty() {
        all.push(("__name__".into(), name.into()));
    }
    for pair in inside.trim_end_matches('}').split(", ").filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').expect("a pair");
        all.push((key.into(), value.trim_matches('"').into()));
    }
    all.sort();
    all.into()
}

fn read(path: &Path) -> File {
    let text = std::fs::read_to_string(path).expect("readable");
    let mut file = File { step: 60_000, loaded: Vec::new(), cases: Vec::new() };
    let mut loading = false;
    for (index, line) in text.lines().enumerate() {
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with('#') {
            continue;
        }
        if let Some(step) = line.strip_prefix("load ") {
            (file.step, loading) = (milliseconds(step), true);
        } else if line.starts_with("eval") {
            loading = false;
            let fails = line.starts_with("eval_fail");
            let rest = line.split_once(' ').expect("a case").1;
            let words: Vec<&str> = rest.split(' ').collect();
            let (grid, query) = match words[0] {
                "instant" => (Grid::instant(milliseconds(words[2])), words[3..].join(" ")),
                _ => {
                    let (first, last, step) = (milliseconds(words[2]), milliseconds(words[4]), milliseconds(words[6]));
                    (Grid { first, step, count: ((last - first) / step + 1) as usize }, words[7..].join(" "))
                }
            };
            let expected = if fails { Expected::Fails } else { Expected::Rows(Vec::new()) };
            file.cases.push(Case { line: index + 1, query, grid, expected });
        } else if loading {
            file.loaded.push(series(plain));
        } else {
            let case = file.cases.last_mut().expect("a case");
            match &mut case.expected {
                Expected::Rows(rows) if plain.contains(['{', ' ']) => {
                    let (name, rest) = series(plain);
                    rows.push((name, values(&rest)));
                }
                expected => *expected = Expected::Scalar(number(plain)),
            }
        }
    }
    assert!(!file.cases.is_empty(), "{} has cases", path.display());
    file
}

/// Whether the cases of a file are of the newest Prometheus.
fn is_newest(path: &Path) -> bool {
    path.file_stem().is_some_and(|name| name == "newest")
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

#[test]
fn every_case_comes_to_what_it_should() {
    let mut count = 0;
    for path in files() {
        let file = read(&path);
        let mut database = Database::default();
        for (name, text) in &file.loaded {
            let number = database.series(&labels(name));
            for (index, value) in values(text).into_iter().enumerate() {
                value.into_iter().for_each(|value| database.append(number, index as i64 * file.step, value));
            }
        }
        let semantics = if is_newest(&path) { Semantics::V3_16 } else { Semantics::V3 };
        let evaluator = Evaluator::new(semantics, 60_000);
        for Case { line, query, grid, expected } in &file.cases {
            let place = format!("{}:{line}: {query}", path.display());
            count += 1;
            let expression = Expression::parse(query).unwrap_or_else(|why| panic!("{place}: {why}"));
            let table = evaluator.over(&expression, &database, *grid);
            match (expected, table) {
                (Expected::Fails, Err(_)) => {}
                (Expected::Fails, Ok(table)) => panic!("{place}: does not fail: {table:?}"),
                (_, Err(why)) => panic!("{place}: {why}"),
                (Expected::Scalar(expected), Ok(Table::Scalar(found))) => {
                    assert!(same(found[0], *expected), "{place}: {found:?}, not {expected}");
                }
                (Expected::Rows(expected), Ok(Table::Rows(found))) => {
                    let found: Vec<_> = found.into_iter().filter(|row| row.any()).collect();
                    assert_eq!(found.len(), expected.len(), "{place}: {found:?}");
                    for (index, (name, values)) in expected.iter().enumerate() {
                        let wanted = labels(name);
                        let place_of = found.iter().position(|row| row.labels == wanted);
                        let at = place_of.unwrap_or_else(|| panic!("{place}: no {name} in {found:?}"));
                        if query.starts_with("sort") {
                            assert_eq!(at, index, "{place}: the order");
                        }
                        assert_eq!(values.len(), grid.count, "{place}: a value a step");
                        for (step, value) in values.iter().enumerate() {
                            let is = found[at].at(step);
                            let fits = match (is, value) {
                                (Some(is), Some(value)) => same(is, *value),
                                (None, None) => true,
                                _ => false,
                            };
                            assert!(fits, "{place}: {name} is {is:?} at step {step}, not {value:?}");
                        }
                    }
                }
                (expected, Ok(found)) => panic!("{place}: {found:?}, not {expected:?}"),
            }
            // So is what the cases of a file share, reckoned or remembered.
            let wide = Grid { count: grid.count.max(3), ..*grid };
            let over = format!("{:?}", evaluator.over(&expression, &database, wide));
            for _ in 0..2 {
                assert_eq!(format!("{:?}", evaluator.shared(&expression, &database, wide)), over, "{place}: shared");
            }
            // One instant alone is the same.
            if grid.count == 1 && !matches!(expected, Expected::Fails) {
                let alone = evaluator.evaluate(&expression, &database, grid.first).expect("it did not fail");
                let count = match (&alone, expected) {
                    (Value::Vector(found), Expected::Rows(rows)) => found.len() == rows.len(),
                    (Value::Scalar(_), Expected::Scalar(_)) => true,
                    _ => false,
                };
                assert!(count, "{place}: alone {alone:?}");
            }
        }
    }
    println!("{count} cases");
    assert!(count >= 150, "{count} cases");
}

#[test]
fn every_function_aggregation_and_operator_has_a_case() {
    let queries: Vec<String> =
        files().iter().flat_map(|path| read(path).cases.into_iter().map(|case| case.query)).collect();
    let all = queries.join("\n");
    let words: BTreeSet<&str> = all.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let missing: Vec<&str> = mock_kestra::promql::words()
        .filter(|word| word.starts_with(char::is_alphabetic))
        .filter(|word| !words.contains(word))
        .collect();
    // They tell of native histograms, and give nothing here.
    let native = [
        "histogram_avg",
        "histogram_count",
        "histogram_stddev",
        "histogram_stdvar",
        "histogram_sum",
        "histogram_fraction",
    ];
    let missing: Vec<&str> = missing.into_iter().filter(|word| !native.contains(word)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    for sign in mock_kestra::promql::words().filter(|word| !word.starts_with(char::is_alphabetic)) {
        assert!(all.contains(sign), "no case for {sign}");
    }
}

/// The same cases as a test file of promtool: instants only, and none that fail.
fn promtool(file: &File) -> (String, usize) {
    let mut text = String::from("evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n");
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    for (name, values) in &file.loaded {
        let _ = writeln!(text, "      - {{ series: {}, values: {} }}", quoted(name), quoted(values));
    }
    text += "    promql_expr_test:\n";
    let mut count = 0;
    for Case { query, grid, expected, .. } in &file.cases {
        let instants = (0..grid.count).map(|step| (step, grid.time(step)));
        for (step, time) in instants {
            let samples: Vec<String> = match expected {
                Expected::Fails => continue,
                // A NaN is equal to nothing, for some versions of it.
                Expected::Scalar(value) if value.is_nan() => continue,
                Expected::Scalar(value) => vec![format!("{{ value: {} }}", yaml(*value))],
                Expected::Rows(rows) => {
                    if rows.iter().any(|(_, values)| values[step].is_some_and(f64::is_nan)) {
                        continue;
                    }
                    let one = |(name, values): &(String, Vec<Option<f64>>)| {
                        Some(format!("{{ labels: {}, value: {} }}", quoted(name), yaml(values[step]?)))
                    };
                    rows.iter().filter_map(one).collect()
                }
            };
            count += 1;
            let _ = writeln!(
                text,
                "      - {{ expr: {}, eval_time: {time}ms, exp_samples: [ {} ] }}",
                quoted(query),
                samples.join(", ")
            );
        }
    }
    (text, count)
}

fn yaml(value: f64) -> String {
    match value {
        value if value.is_infinite() => (if value > 0.0 { ".inf" } else { "-.inf" }).to_owned(),
        value => value.to_string(),
    }
}

#[test]
#[ignore = "needs promtool of Debian unstable: .ci/peers fetches it"]
fn promtool_says_the_same_of_every_case() {
    let files = files().into_iter().filter(|path| !is_newest(path));
    said_the_same("unstable", files);
}

#[test]
#[ignore = "needs the newest promtool: .ci/peers builds it where Go is there"]
fn the_newest_promtool_says_the_same_of_every_case() {
    said_the_same("newest", files().into_iter().filter(|path| is_newest(path)));
}

fn said_the_same(suite: &str, files: impl Iterator<Item = PathBuf>) {
    let mut all = 0;
    for path in files {
        let (text, count) = promtool(&read(&path));
        let file = scratch("cases.yml");
        std::fs::write(&file, text).expect("written");
        let output =
            Command::new(peer(suite, "promtool")).args(["test", "rules"]).arg(&file).output().expect("promtool");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{told}", path.display());
        all += count;
    }
    println!("{all} cases");
}
