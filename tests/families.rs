//! The idle server of every role shows just what the recording shows: families, types, help texts, label keys, series,
//! and their order. Values move; these do not.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Family, body, exposition, families, simulate};
use mock_kestra::metrics::{Look, Registry};
use mock_kestra::profile::{Profile, Role};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};

/// Families of a recording that a process of ours does not show at the same moment, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("http_server_requests_seconds", "counts requests: the recording had been asked before, ours has not"),
    ("http_server_requests_seconds_max", "counts requests: the recording had been asked before, ours has not"),
];

/// The versions there are profiles of.
const VERSIONS: &[&str] = &["0.20", "1.3", "2.0"];

fn roles(version: &str) -> Vec<Role> {
    Profile::named(version).expect("a profile").roles().collect()
}

fn recorded(version: &str, role: Role) -> Vec<Family> {
    let path = match role {
        Role::Standalone => "standalone/GET_prometheus.http".to_owned(),
        role => format!("roles/{}/GET_prometheus.http", role.name()),
    };
    let mut families = families(body(&common::capture_of(version, &path)));
    families.retain(|family| EXCEPTIONS.iter().all(|(name, _)| *name != family.name));
    families
}

fn ours(version: &str, role: Role) -> Vec<Family> {
    let profile = Profile::named(version).expect("a profile");
    let mut out = Vec::new();
    Registry::new(profile, role, Instant::START).render(&Look::at(Instant::START), &mut out);
    families(&String::from_utf8(out).expect("UTF-8"))
}

#[test]
fn an_idle_process_of_every_role_shows_the_recorded_families_and_series_in_the_recorded_order() {
    let all = VERSIONS.iter().flat_map(|version| roles(version).into_iter().map(|role| (*version, role)));
    for (version, role) in all {
        let (recorded, ours) = (recorded(version, role), ours(version, role));
        let names = |families: &[Family]| families.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&recorded), "families of {} in {version}", role.name());
        for (ours, recorded) in ours.iter().zip(&recorded) {
            assert_eq!(
                (&ours.help, &ours.kind, ours.keys()),
                (&recorded.help, &recorded.kind, recorded.keys()),
                "{version} {}: help, type and label keys of {}",
                role.name(),
                recorded.name
            );
            assert_eq!(ours.series, recorded.series, "{version} {}: series of {}", role.name(), recorded.name);
        }
    }
}

#[test]
fn numbers_of_the_same_line_have_the_same_form() {
    // Whole numbers without a point are counts of timers and buckets; all else is a Java double.
    for (version, role) in VERSIONS.iter().flat_map(|version| roles(version).into_iter().map(|role| (*version, role))) {
        for (ours, recorded) in ours(version, role).iter().zip(recorded(version, role)) {
            for ((line, ours), recorded) in ours.series.iter().zip(&ours.values).zip(&recorded.values) {
                assert_eq!(
                    ours.contains(['.', 'E']),
                    recorded.contains(['.', 'E']),
                    "{version} {}: {line}",
                    role.name()
                );
            }
        }
    }
}

/// Every family of any recording: type, possible sets of label keys, help text.
fn all_recorded(version: &str) -> BTreeMap<String, (String, Vec<String>, String)> {
    let table = common::capture_of(version, "families.tsv");
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let [name, kind, keys, help] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("four columns: {row}") };
        (name.to_owned(), (kind.to_owned(), keys.split('|').map(str::to_owned).collect(), help.to_owned()))
    })
    .collect()
}

/// Much happens here: every meter that the model moves is moved.
const BUSY: &str = r#"
name: busy
cluster: { standalone: { threads: 4 } }
flows:
  - id: scheduled
    namespace: company.team
    concurrency: { limit: 1 }
    triggers: [ { id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: "* * * * *" } ]
    tasks: [ { id: long, type: io.kestra.plugin.core.flow.Sleep, duration: PT100S } ]
  - id: polled
    namespace: company.team
    triggers: [ { id: poll, type: io.kestra.plugin.core.http.Trigger, interval: PT10S } ]
    tasks: [ { id: log, type: io.kestra.plugin.core.log.Log } ]
  - id: failing
    namespace: company.team
    retry: { type: constant, interval: PT5S, maxAttempts: 2 }
    tasks: [ { id: fail, type: io.kestra.plugin.core.execution.Fail, retry: { type: constant, interval: PT1S, maxAttempts: 2 } } ]
behaviour: [ { task: poll, fires: 50%, fails: 20% } ]
arrivals: [ { flow: failing, rate: 6/min }, { flow: scheduled, rate: 3/min, over: webhook } ]
polled_by: [ { path: /prometheus, every: 15s }, { path: /health, every: 5s }, { path: /nowhere, every: 30s } ]
"#;

#[test]
fn a_busy_server_shows_only_families_that_a_real_one_has_shown() {
    for (version, least) in [("0.20", 90), ("1.3", 150), ("2.0", 170)] {
        busy(version, least);
    }
}

fn busy(version: &str, least: usize) {
    let text = format!("{BUSY}kestra: \"{version}\"\n");
    let plan = Arc::new(read("busy.yaml", &text, &NoFiles).0.expect("a plan"));
    let simulation = simulate(&plan, 1, Instant::START + Duration::minutes(30));
    let recorded = all_recorded(version);
    let families = families(&exposition(&simulation, 0));
    assert!(families.len() > least, "{} families of {version}", families.len());
    for family in families {
        let (kind, keys, help) =
            recorded.get(&family.name).unwrap_or_else(|| panic!("never recorded: {}", family.name));
        assert_eq!((&family.kind, &family.help), (kind, help), "{}", family.name);
        assert!(keys.contains(&family.keys().join(",")), "{}: {:?} is none of {keys:?}", family.name, family.keys());
    }
}

#[test]
fn every_recorded_family_is_one_of_the_profile() {
    for version in VERSIONS {
        let profile = Profile::named(version).expect("a profile");
        let mut ours: Vec<String> = Vec::new();
        for (_, meter) in profile.meters() {
            let name = meter.prometheus_name();
            ours.push(format!("{name}_max"));
            ours.push(name);
        }
        // Meters of the plugins that ran are not simulated.
        let plugin = |name: &str| {
            name.contains("_plugin_") || name.starts_with("kestra_request_") || name.starts_with("kestra_response_")
        };
        let missing: Vec<String> =
            all_recorded(version).into_keys().filter(|name| !ours.contains(name) && !plugin(name)).collect();
        assert!(missing.is_empty(), "{version}: {missing:?}");
    }
}

#[test]
fn versions_between_are_their_neighbours_with_the_differences_that_are_known() {
    let text = |version: &str, role| {
        let mut out = Vec::new();
        let profile = Profile::named(version).expect("a profile");
        Registry::new(profile, role, Instant::START).render(&Look::at(Instant::START), &mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    for role in roles("0.20") {
        let new = text("0.20", role);
        assert_eq!(text("0.19", role), new);
        for version in ["1.0", "1.1", "1.2"] {
            assert_eq!(text(version, role), text("1.3", role));
        }
        for version in ["0.17", "0.18"] {
            // A comma after the last label, counts as doubles: undone, it is the text of 0.20 without what came later.
            let old = text(version, role);
            assert!(old.lines().filter(|line| line.contains('{')).all(|line| line.contains("\",} ")), "{old}");
            let undo = |line: &str| {
                let line = line.replace("\",} ", "\"} ");
                match line.split_once(' ') {
                    Some((series, value))
                        if series.split('{').next().is_some_and(|name| name.ends_with("_seconds_count")) =>
                    {
                        format!("{series} {}", value.strip_suffix(".0").expect("a double"))
                    }
                    _ => line,
                }
            };
            let later = |line: &&str| line.contains("jdbc-queue-async-") || line.contains("process_cpu_time_ns");
            let undone: Vec<String> = old.lines().map(undo).collect();
            let expected: Vec<&str> = new.lines().filter(|line| !later(line)).collect();
            assert_eq!(undone, expected, "{version} {}", role.name());
        }
    }
}

#[test]
fn maxima_and_threads_of_a_calm_cluster_move_as_recorded() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/healthy.yaml")).expect("readable");
    let plan = read("healthy.yaml", &text, &NoFiles).0.expect("a plan");
    let mut simulation = Simulation::new(Arc::new(plan), Seed(1), Calendar::default());
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for minute in 0..25 {
        simulation.advance(Instant::START + Duration::minutes(minute)).expect("no limit");
        for family in families(&exposition(&simulation, 0)) {
            for (series, value) in family.series.into_iter().zip(family.values) {
                seen.entry(series).or_default().push(value);
            }
        }
    }
    let moving = |name: &str| {
        let of_name = seen.iter().filter(|(series, _)| series.split('{').next() == Some(name));
        let changes = of_name.map(|(_, values)| values.windows(2).filter(|pair| pair[0] != pair[1]).count());
        changes.max().unwrap_or_else(|| panic!("no {name}"))
    };
    for name in [
        "hikaricp_connections_acquire_seconds_max",
        "hikaricp_connections_usage_seconds_max",
        "kestra_jdbc_query_duration_seconds_max",
        "jvm_gc_pause_seconds_max",
        "jvm_threads_live_threads",
    ] {
        assert!(moving(name) >= 5, "{name} changes {} times in 25 minutes", moving(name));
    }
}
