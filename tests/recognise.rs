//! What a server is, from its series alone: every recorded role of every version.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::path::Path;

use common::{body, capture_of};
use mock_kestra::exposition::{self, Exposition};
use mock_kestra::profile::{Recognised, recognise};

fn recorded(version: &str, path: &str) -> Exposition {
    let capture = capture_of(version, path);
    exposition::read(body(&capture)).unwrap_or_else(|error| panic!("{version}/{path}: {error}"))
}

fn of(exposition: &Exposition) -> Option<Recognised> {
    recognise(exposition.samples().map(|sample| (sample.name.as_str(), sample.labels())))
}

#[test]
fn each_recorded_role_is_recognised() {
    for version in ["0.20", "1.3", "2.0"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(version).join("roles");
        for entry in std::fs::read_dir(folder).expect("roles") {
            let role = entry.unwrap().file_name().to_string_lossy().into_owned();
            let found = of(&recorded(version, &format!("roles/{role}/GET_prometheus.http")));
            let found = found.unwrap_or_else(|| panic!("{version} {role} is none"));
            let roles: Vec<&str> = found.roles.iter().map(|role| role.name()).collect();
            assert_eq!((found.profile.name(), roles), (version, vec![role.as_str()]), "certain: {}", found.certain);
        }
    }
}

#[test]
fn another_program_is_none() {
    for names in
        [&["up"] as &[&str], &["jvm_threads_live_threads", "process_uptime_seconds"], &["kestra_build_info"], &[]]
    {
        assert_eq!(recognise(names.iter().map(|name| (*name, []))), None, "{names:?}");
    }
}

#[test]
fn a_whole_server_is_a_standalone_busy_or_not() {
    for version in ["0.20", "1.3", "2.0"] {
        let found = of(&recorded(version, "standalone/GET_prometheus.http")).expect("a Kestra");
        let roles: Vec<&str> = found.roles.iter().map(|role| role.name()).collect();
        assert_eq!((found.profile.name(), roles), (version, vec!["standalone"]));
    }
}
