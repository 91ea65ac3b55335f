//! A version is a folder of data: one that nobody has seen yet, told by its differences, runs as those do that ship.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use common::{exposition, families, simulate, sources};
use mock_kestra::document::render;
use mock_kestra::management::{Answer, Body, Outcome, Request, answer, basic_auth};
use mock_kestra::profile::{Endpoint, Profile, Quirk, Says};
use mock_kestra::random::Seed;
use mock_kestra::run::run;
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};

/// All there is to write for it: two meters have new names, there is an endpoint more and one less.
const MADE_UP: &str = r#"
extends: "2.0"
release: { version: 2.1.0, commit: 89abcde, commit_date: 2026-12-01T09:00:00Z }
liveness: { timeout: 90s }
rename:
  kestra.executor.execution.started.count: kestra.executions.created
  kestra.worker.running.count: kestra.worker.tasks.active
without:
  endpoints: [/beans]
add:
  endpoints:
    - path: /licences/{id}
      roles: [webserver]
      answers: { type: application/json, headers: { x-edition: OSS }, body: '{"valid":true,"expires":null}' }
      java: java.lang.Object io.kestra.licence.LicenceEndpoint.get(java.lang.String id)
"#;

/// The made-up version.
fn made_up() -> &'static Profile {
    static LOADED: LazyLock<&'static Profile> = LazyLock::new(|| {
        let loaded = Profile::load("2.1", &[("version.yaml", MADE_UP)]);
        loaded.unwrap_or_else(|told| panic!("{}", render(&told)))
    });
    *LOADED
}

/// A standalone with work to do, of 2.0.
fn plan() -> Plan {
    let text = "name: busy\nkestra: \"2.0\"\nconfiguration: { kestra: { metrics: { labels: [ team ] } } }\n\
                flows: [ { id: work, namespace: company.team, labels: { team: data }, tasks: [ { id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT20S } ] } ]\n\
                arrivals: [ { flow: work, rate: 60/min } ]\n";
    let (plan, told) = read("busy.yaml", text, &NoFiles);
    plan.unwrap_or_else(|| panic!("{}", render(&told)))
}

/// The same of the made-up version.
fn plan_2_1() -> Plan {
    Plan { kestra: made_up(), ..plan() }
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::seconds(seconds)
}

fn ask(simulation: &Simulation, member: usize, request: &Request) -> Answer {
    match answer(request, simulation, member) {
        Outcome::Answer(answer) => *answer,
        other => panic!("{}: {other:?}", request.target),
    }
}

fn get(simulation: &Simulation, target: &str) -> (u16, String) {
    let answer = ask(simulation, 0, &Request::get(target, simulation.now()));
    let (Body::Sized(body) | Body::Chunked(body)) = answer.body else { panic!("a body of {target}") };
    (answer.status, String::from_utf8(body).expect("UTF-8"))
}

/// What the series of a family show in all; none where there is no such family.
fn total(simulation: &Simulation, member: usize, family: &str) -> Option<f64> {
    let families = families(&exposition(simulation, member));
    let family = families.into_iter().find(|it| it.name == family)?;
    Some(family.values.iter().map(|value| value.parse::<f64>().expect("a number")).sum())
}

const RENAMED: [(&str, &str); 2] = [
    ("kestra_executor_execution_started_count_total", "kestra_executions_created_total"),
    ("kestra_worker_running_count", "kestra_worker_tasks_active"),
];

#[test]
fn a_new_version_is_some_twenty_lines_of_data() {
    assert!(MADE_UP.trim().lines().count() <= 20);
    let (new, old) = (made_up(), Profile::named("2.0").expect("a version"));
    assert_eq!((new.name(), new.release().version.as_str()), ("2.1", "2.1.0"));
    assert_eq!(new.liveness().timeout, Duration::seconds(90));
    assert_eq!(new.liveness().heartbeat, old.liveness().heartbeat);
    assert_eq!(new.meters().count(), old.meters().count());
    // What is not said to differ is the same, and at the same place.
    for ((_, new), (_, old)) in new.meters().zip(old.meters()) {
        assert_eq!((&new.help, new.kind, &new.keys), (&old.help, old.kind, &old.keys));
        assert_eq!(new.origin(), old.name);
    }
}

#[test]
fn the_version_that_the_readme_shows_can_be_loaded() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("readable");
    let (_, shown) = readme.split_once("# versions/2.1/version.yaml\n").expect("an example");
    let (shown, _) = shown.split_once("```").expect("its end");
    let loaded = Profile::load("2.1", &[("version.yaml", shown)]).unwrap_or_else(|told| panic!("{}", render(&told)));
    assert!(loaded.meter("kestra.worker.tasks.active").is_some() && !loaded.has(Quirk::FlowLabels));
}

#[test]
fn renamed_meters_move_as_the_old_ones_did_and_the_old_names_are_gone() {
    let [old, new] = [plan(), plan_2_1()].map(|plan| simulate(&Arc::new(plan), 1, at(600)));
    for (before, after) in RENAMED {
        let moved = total(&old, 0, before);
        assert!(moved.is_some_and(|moved| moved > 5.0), "{before}: {moved:?}");
        assert_eq!(total(&new, 0, after), moved, "{after}");
        assert_eq!((total(&new, 0, before), total(&old, 0, after)), (None, None));
    }
    // All but the names is the same, labels of flows and help included.
    let mut text = exposition(&old, 0);
    for (before, after) in RENAMED {
        text = text.replace(before, after);
    }
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<String>>();
    assert_eq!(sorted(&exposition(&new, 0)), sorted(&text));
    assert!(text.contains("label_team=\"data\""), "{text}");
}

#[test]
fn the_other_surfaces_know_the_new_names_only() {
    let simulation = simulate(&Arc::new(plan_2_1()), 1, at(600));
    let (_, names) = get(&simulation, "/metrics");
    for (old, new) in [
        ("kestra.executor.execution.started.count", "kestra.executions.created"),
        ("kestra.worker.running.count", "kestra.worker.tasks.active"),
    ] {
        assert!(names.contains(&format!("\"{new}\"")) && !names.contains(&format!("\"{old}\"")), "{names}");
        assert_eq!(get(&simulation, &format!("/metrics/{old}")).0, 404);
        let (status, one) = get(&simulation, &format!("/metrics/{new}"));
        assert!(status == 200 && one.starts_with(&format!("{{\"name\":\"{new}\"")), "{one}");
    }
    assert_eq!(simulation.plan().elsewhere("kestra_executions_created_total"), None);
    assert_eq!(
        simulation.plan().elsewhere("kestra_worker_running_count").as_deref(),
        Some("Kestra 2.1 has no such meter, 2.0 has, here `kestra_worker_tasks_active` tells the same")
    );
    assert_eq!(
        simulation.plan().elsewhere("kestra_worker_job_running").as_deref(),
        Some("Kestra 2.1 has no such meter, 1.3 has, here `kestra_worker_tasks_active` tells the same")
    );
}

#[test]
fn the_closing_figures_of_a_run_read_the_renamed_counter() {
    let report = run(&Arc::new(plan_2_1()), Seed(1), Calendar::default(), None).expect("no limit");
    let created = report.closing.iter().find(|it| it.name == "executions created").expect("a figure");
    assert_eq!(created.meter.as_deref(), Some("kestra_executions_created_total"));
    assert!(created.shown.is_some_and(|shown| shown > 100.0), "{:?}", created.shown);
}

#[test]
fn a_new_endpoint_answers_where_it_is_and_is_404_elsewhere() {
    let target = "/licences/main";
    let new = simulate(&Arc::new(plan_2_1()), 1, at(10));
    let answer = ask(&new, 0, &Request::get(target, new.now()));
    assert_eq!((answer.status, answer.reason.as_str()), (200, "OK"));
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    // As every answer of its version: security headers, then the type.
    assert_eq!(names[..2], ["x-edition", "date"]);
    assert!(answer.headers.contains(&("content-type".to_owned(), "application/json".to_owned())), "{names:?}");
    assert!(names.contains(&"X-Frame-Options"), "{names:?}");
    assert_eq!(get(&new, target), (200, r#"{"valid":true,"expires":null}"#.to_owned()));
    let method = |method: &str| Request { method: method.to_owned(), ..Request::get(target, new.now()) };
    assert_eq!([ask(&new, 0, &method("HEAD")).status, ask(&new, 0, &method("POST")).status], [200, 405]);
    assert_eq!([get(&new, "/licences").0, get(&new, "/licences/a/b").0, get(&new, "/beans").0], [404, 404, 404]);
    let routes = get(&new, "/routes").1;
    assert!(routes.contains("{[/licences/{id}],method=[HEAD],produces=[application/json]}"), "{routes}");
    assert!(!routes.contains("/beans"), "{routes}");

    let old = simulate(&Arc::new(plan()), 1, at(10));
    assert_eq!([get(&old, target).0, get(&old, "/beans").0], [404, 200]);
    assert!(!get(&old, "/routes").1.contains("licences"));
}

#[test]
fn a_new_endpoint_is_configured_as_the_others_are() {
    let status = |configure: fn(&mut Plan), target: &str, headers: &[(&str, String)]| {
        let mut plan = plan_2_1();
        configure(&mut plan);
        let simulation = simulate(&Arc::new(plan), 1, at(10));
        let mut request = Request::get(target, simulation.now());
        request.headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        ask(&simulation, 0, &request).status
    };
    assert_eq!(status(|plan| plan.settings.disable("licences"), "/licences/main", &[]), 404);
    assert_eq!(status(|plan| plan.settings.all_enabled = Some(false), "/licences/main", &[]), 404);
    let below = |plan: &mut Plan| plan.settings.path = "manage".to_owned();
    assert_eq!(status(below, "/licences/main", &[]), 404);
    assert_eq!(status(below, "/manage/licences/main", &[]), 200);
    let closed = |plan: &mut Plan| {
        plan.settings.credentials.username = Some("u".to_owned());
        plan.settings.credentials.password = Some("p".to_owned());
    };
    assert_eq!(status(closed, "/licences/main", &[]), 401);
    assert_eq!(status(closed, "/licences/main", &[("authorization", basic_auth("u", "p"))]), 200);
}

#[test]
fn a_member_can_have_the_made_up_version_among_members_of_the_one_before() {
    let text = "name: rolling\nkestra: \"2.0\"\ncluster: { members: { webserver: 2, executor: 2, scheduler: 1, worker: 1 } }\n\
                flows: [ { id: work, namespace: company.team, tasks: [ { id: t, type: a.b.C } ] } ]\narrivals: [ { flow: work, rate: 60/min } ]\n";
    let (plan, told) = read("rolling.yaml", text, &NoFiles);
    let mut plan = plan.unwrap_or_else(|| panic!("{}", render(&told)));
    for member in plan.cluster.members.iter_mut().filter(|member| member.name.ends_with("-1")) {
        member.kestra = Some(made_up());
    }
    let simulation = simulate(&Arc::new(plan), 1, at(600));
    let index = |name: &str| simulation.members().iter().position(|it| it.plan().name == name).expect(name);
    let status =
        |name: &str, target: &str| ask(&simulation, index(name), &Request::get(target, simulation.now())).status;
    assert_eq!(["webserver-1", "webserver-2"].map(|name| status(name, "/licences/x")), [200, 404]);
    // It is an endpoint of the webserver.
    assert_eq!(status("executor-1", "/licences/x"), 404);
    let [(old, new), _] = RENAMED;
    let shown =
        ["executor-1", "executor-2"].map(|it| [old, new].map(|name| total(&simulation, index(it), name).is_some()));
    assert_eq!(shown, [[false, true], [true, false]]);
}

#[test]
fn every_version_has_the_endpoints_that_were_recorded_of_it() {
    let paths = |version: &str| -> BTreeSet<&str> {
        Profile::named(version).expect("a version").endpoints().iter().map(|endpoint| endpoint.path.as_str()).collect()
    };
    for version in ["0.17", "0.20", "1.0"] {
        assert_eq!(paths(version), paths("1.3"), "{version}");
    }
    let gone: Vec<&str> = paths("1.3").difference(&paths("2.0")).copied().collect();
    assert_eq!(gone, ["/api/v1/configs", "/flyway"]);
    let fixed = |version: &str, path: &str| {
        let endpoints = Profile::named(version).expect("a version").endpoints();
        let found: Option<&Endpoint> = endpoints.iter().find(|endpoint| endpoint.path == path);
        matches!(found.map(|endpoint| &endpoint.says), Some(Says::Fixed(_)))
    };
    // Up to 1.3 the list of beans fails.
    assert_eq!([fixed("1.3", "/beans"), fixed("2.0", "/beans"), fixed("2.0", "/info")], [false, true, true]);
}

/// Words in quotes in the code of a text that look like the name of a meter, dotted or as Prometheus sees it.
fn names_in(text: &str, first: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or("");
        for word in code.split('"').skip(1).step_by(2) {
            let name = word.split('{').next().unwrap_or("");
            let dotted = name.split_once('.').map(|(head, _)| head);
            let underscored = || name.split_once('_').map(|(head, _)| head).filter(|head| *head == "kestra");
            let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c));
            if plain && dotted.or_else(underscored).is_some_and(|head| first.contains(head)) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn every_name_of_a_meter_in_the_code_is_one_of_a_version() {
    let versions = || Profile::NAMES.iter().map(|name| Profile::named(name).expect("a version"));
    let dotted: BTreeSet<&str> = versions().flat_map(Profile::meters).map(|(_, meter)| meter.name.as_str()).collect();
    let shown: BTreeSet<String> =
        versions().flat_map(Profile::meters).map(|(_, meter)| meter.prometheus_name()).collect();
    let first: BTreeSet<&str> = dotted.iter().filter_map(|name| name.split('.').next()).collect();
    let known = |name: &str| {
        let plain = ["_count", "_sum", "_max", "_bucket"].iter().find_map(|suffix| name.strip_suffix(suffix));
        // The beginning of some: all up to a dot.
        let begins = name.ends_with('.') && dotted.iter().any(|meter| meter.starts_with(name));
        dotted.contains(name) || begins || shown.contains(name) || plain.is_some_and(|name| shown.contains(name))
    };
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for folder in ["simulator", "management", "run", "report", "lab"] {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).expect("readable");
            found.extend(names_in(&text, &first).into_iter().map(|name| (name, file.display().to_string())));
        }
    }
    assert!(found.len() > 45, "the names are found: {found:?}");
    found.retain(|name, _| !known(name));
    assert!(found.is_empty(), "meters of no version: {found:#?}");
    // And it would be seen.
    let misspelt = "a = \"kestra.worker.startd.count\", // \"kestra.no.no\"\n\"kestra_worker_job_runing\"";
    let seen: Vec<String> = names_in(misspelt, &first).into_iter().filter(|name| !known(name)).collect();
    assert_eq!(seen, ["kestra.worker.startd.count", "kestra_worker_job_runing"]);
}
