//! What several tests need: recorded answers, small plans made by hand, and how properties are tried.
#![allow(dead_code)]

pub mod alertmanager;
pub mod asked;
pub mod contract;
pub mod exchange;
pub mod executions;
pub mod expressions;
pub mod pager;
pub mod peers;
pub mod searches;
pub mod server;
pub mod table;
pub mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mock_kestra::random::Seed;
use mock_kestra::scenario::Plan;
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Instant};
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// How a property is tried: with the same cases each time, so that what is green stays green. `PROPTEST_RNG_SEED=N` draws
/// others, `PROPTEST_CASES=N` so many. What fails is kept beside the test, in `*.proptest-regressions`, and tried first.
pub fn config(cases: u32) -> Config {
    let asked = Config::default();
    let rng_seed = if asked.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { asked.rng_seed };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { cases };
    let kept = FileFailurePersistence::WithSource("proptest-regressions");
    Config { cases, rng_seed, failure_persistence: Some(Box::new(kept)), ..asked }
}

/// The files of code below a folder, put behind those already found.
#[allow(clippy::expect_used, reason = "a test that cannot go on panics")]
pub fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A file of tests/captures/1.3.
pub fn capture(path: &str) -> String {
    capture_of("1.3", path)
}

/// A file of the recordings of a version.
pub fn capture_of(version: &str, path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(version).join(path);
    String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .into_owned()
}

/// The body of a recorded answer.
pub fn body(answer: &str) -> &str {
    let at = answer.find("\r\n\r\n").map(|at| at + 4).or_else(|| answer.find("\n\n").map(|at| at + 2));
    &answer[at.expect("an empty line after the headers")..]
}

/// One family of an exposition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    pub name: String,
    pub help: String,
    pub kind: String,
    /// Line without value, in order.
    pub series: Vec<String>,
    pub values: Vec<String>,
}

impl Family {
    /// Keys of all its labels.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.series.iter().flat_map(|series| labels(series).into_keys()).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

/// The labels of a line.
pub fn labels(series: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some((_, mut rest)) = series.split_once('{') else { return labels };
    while let Some((key, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = after.char_indices();
        let mut end = after.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => {}
                },
                '"' => {
                    end = at + 1;
                    break;
                }
                other => value.push(other),
            }
        }
        labels.insert(key.trim_start_matches(',').to_owned(), value);
        rest = &after[end..];
    }
    labels
}

/// Reads an exposition; panics at a line that is none.
pub fn families(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help text");
            families.push(Family { name: name.into(), help: help.into(), ..Family::default() });
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let family = families.last_mut().expect("HELP before TYPE");
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert_eq!(name, family.name);
            family.kind = kind.into();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            assert!(value.parse::<f64>().is_ok() || value == "+Inf", "no number: {line}");
            let family = families.last_mut().expect("a family before its samples");
            family.series.push(series.into());
            family.values.push(value.into());
        }
    }
    families
}

/// Every scenario of scenarios/ and of its folders; those of rules hold none.
pub fn scenario_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("scenarios") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("rules") {
                walk(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "yaml") {
                found.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"), &mut files);
    files.sort();
    files
}

/// A simulation of a plan at an instant.
pub fn simulate(plan: &Arc<Plan>, seed: u64, at: Instant) -> Simulation {
    let mut simulation = Simulation::new(plan.clone(), Seed(seed), Calendar::default());
    simulation.advance(at).expect("no limit");
    simulation
}

/// What a member's registry shows.
pub fn exposition(simulation: &Simulation, member: usize) -> String {
    let mut out = Vec::new();
    if let Some(registry) = simulation.members()[member].registry() {
        registry.render(&simulation.look(member), &mut out);
    }
    String::from_utf8(out).expect("UTF-8")
}
