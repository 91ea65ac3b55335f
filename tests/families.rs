//! The idle server of every role shows just what the recording shows: families, types, help texts, label keys, series,
//! and their order. Values move; these do not.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::{Family, body, capture, families};
use mock_kestra::metrics::{Look, Registry};
use mock_kestra::profile::{Profile, Role};
use mock_kestra::time::Instant;

/// Families of a recording that a process of ours does not show at the same moment, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("http_server_requests_seconds", "counts requests: the recording had been asked before, ours has not"),
    ("http_server_requests_seconds_max", "counts requests: the recording had been asked before, ours has not"),
];

fn recorded(role: Role) -> Vec<Family> {
    let path = match role {
        Role::Standalone => "standalone/GET_prometheus.http".to_owned(),
        role => format!("roles/{}/GET_prometheus.http", role.name()),
    };
    let mut families = families(body(&capture(&path)));
    families.retain(|family| EXCEPTIONS.iter().all(|(name, _)| *name != family.name));
    families
}

fn ours(role: Role) -> Vec<Family> {
    let profile = Profile::named("1.3").expect("a profile");
    let mut out = Vec::new();
    Registry::new(profile, role, Instant::START).render(&Look::at(Instant::START), &mut out);
    families(&String::from_utf8(out).expect("UTF-8"))
}

#[test]
fn an_idle_process_of_every_role_shows_the_recorded_families_and_series_in_the_recorded_order() {
    for role in Role::RECORDED {
        let (recorded, ours) = (recorded(role), ours(role));
        let names = |families: &[Family]| families.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&recorded), "families of {}", role.name());
        for (ours, recorded) in ours.iter().zip(&recorded) {
            assert_eq!(
                (&ours.help, &ours.kind, ours.keys()),
                (&recorded.help, &recorded.kind, recorded.keys()),
                "{}: help, type and label keys of {}",
                role.name(),
                recorded.name
            );
            assert_eq!(ours.series, recorded.series, "{}: series of {}", role.name(), recorded.name);
        }
    }
}

#[test]
fn numbers_of_the_same_line_have_the_same_form() {
    // Whole numbers without a point are counts of timers and buckets; all else is a Java double.
    for role in Role::RECORDED {
        for (ours, recorded) in ours(role).iter().zip(recorded(role)) {
            for ((line, ours), recorded) in ours.series.iter().zip(&ours.values).zip(&recorded.values) {
                assert_eq!(ours.contains(['.', 'E']), recorded.contains(['.', 'E']), "{}: {line}", role.name());
            }
        }
    }
}
