//! A hash of all answers of all shipped scenarios at many instants. The same on every machine, in debug and release.
//! `UPDATE_FINGERPRINTS=1 cargo test --test fingerprints` writes them anew.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use common::scenario_files;
use mock_kestra::management::{Body, Outcome, Request, answer};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};

/// FNV-1a, so that the fingerprint needs nothing but this file.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

const PATHS: &[&str] = &[
    "/health",
    "/health/liveness",
    "/health/readiness",
    "/prometheus",
    "/metrics",
    "/metrics/jvm.memory.used?tag=area:heap",
    "/info",
    "/version",
    "/loggers",
    "/worker",
    "/scheduler",
    "/nowhere",
];

fn fingerprint(simulation: &Simulation, hash: &mut Fnv) {
    for member in 0..simulation.members().len() {
        for path in PATHS {
            let request = Request {
                headers: vec![("host".into(), "kestra:8081".into())],
                ..Request::get(path, simulation.now())
            };
            match answer(&request, simulation, member) {
                Outcome::Answer(answer) => {
                    hash.add(format!("{} {} {:?}", answer.status, answer.reason, answer.headers).as_bytes());
                    if let Body::Sized(body) | Body::Chunked(body) = &answer.body {
                        hash.add(body);
                    }
                }
                other => hash.add(format!("{other:?}").as_bytes()),
            }
        }
    }
}

#[test]
fn every_scenario_has_its_fingerprint() {
    let mut text = String::new();
    for path in scenario_files() {
        let source = std::fs::read_to_string(&path).expect("readable");
        let plan = Arc::new(read("scenario.yaml", &source, &NoFiles).0.expect("a plan"));
        let mut simulation = Simulation::new(plan.clone(), Seed(1), Calendar::default());
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        let instants = 24;
        for step in 0..=instants {
            // Not on whole seconds, where nothing much happens between two of them.
            let at = Instant::START
                + plan.duration.times(f64::from(step) / f64::from(instants))
                + Duration::milliseconds(137);
            simulation.advance(at).expect("no limit");
            fingerprint(&simulation, &mut hash);
        }
        writeln!(text, "{:<20} {:016x}", plan.name, hash.0).expect("written");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fingerprints.txt");
    if std::env::var_os("UPDATE_FINGERPRINTS").is_some() {
        std::fs::write(&file, &text).expect("written");
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap_or_default(), "answers of shipped scenarios have changed");
}
