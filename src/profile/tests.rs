use super::*;

fn profile(name: &str) -> &'static Profile {
    Profile::named(name).unwrap_or_else(|told| panic!("{told}"))
}

#[test]
fn every_shipped_version_is_sound_and_knows_its_name() {
    for name in Profile::NAMES {
        assert_eq!(profile(name).name(), *name);
    }
    assert_eq!(profile(Profile::DEFAULT).name(), "1.3");
}

#[test]
fn a_version_that_does_not_exist_is_an_error_that_tells_which_do() {
    let told = Profile::named("1.4").expect_err("no such version");
    assert!(told.contains("`1.4`") && told.contains("1.3") && told.contains("2.0"), "{told}");
}

#[test]
fn a_version_that_names_meters_is_known_without_being_read() {
    for name in Profile::NAMES {
        assert!(!profile(name).names_meters || shipped::may_name_meters(name), "{name}");
    }
}

#[test]
fn meters_that_are_read_alone_are_those_of_the_whole_version() {
    let mut alone = 0;
    for folder in &shipped::FOLDERS {
        let whole = profile(folder.name);
        let all = read::meters_like(*folder, |_| true);
        for (name, meter) in all.iter().flatten().map(|meter| (&meter.name, meter)) {
            let same = whole.meters.get(name).unwrap_or_else(|| panic!("{name} is not in {}", folder.name));
            assert_eq!(format!("{meter:?}"), format!("{same:?}"));
        }
        assert!(all.as_ref().is_none_or(|all| all.len() == whole.meters.len()), "{}", folder.name);
        alone += usize::from(all.is_some());
        let one = read::meters_like(*folder, |name| name == "kestra.executor.killed.count");
        assert!(one.is_none_or(|one| one.len() <= 1), "{}", folder.name);
    }
    assert_eq!(alone, 3, "0.20, 1.3 and 2.0 have tables of their own");
}

#[test]
fn a_metric_of_another_version_is_known_by_what_tells_the_same_here() {
    let all: Vec<&Profile> = Profile::NAMES.iter().map(|name| profile(name)).collect();
    for here in &all {
        for was in here.meters.values().flat_map(|meter| &meter.was) {
            assert!(here.meter(was).is_none(), "{was} is there");
            assert!(all.iter().any(|other| other.meter(was).is_some()), "{was} is nowhere");
        }
    }
    let same = |name, metric| profile(name).elsewhere(metric);
    let here = Some("kestra_worker_running_count".to_owned());
    assert_eq!(same("2.0", "kestra_worker_job_running"), Some(("1.3", here)));
    assert_eq!(same("1.3", "kestra_worker_queue_size"), Some(("2.0", Some("kestra_worker_job_pending".to_owned()))));
    assert_eq!(same("1.3", "kestra_sse_connections"), None);
    assert_eq!(same("0.20", "kestra_executor_taskrun_created_count_total").map(|it| it.0), Some("1.3"));
    assert_eq!(same("1.3", "http_server_requests_seconds_count"), None);
}

#[test]
fn what_the_model_moves_by_the_name_of_another_version_is_a_meter_of_one() {
    let all: Vec<&Profile> = Profile::NAMES.iter().map(|name| profile(name)).collect();
    for here in &all {
        for meter in here.meters.values() {
            if let Some(model) = meter.modelled() {
                assert!(all.iter().any(|other| other.meter(model).is_some()), "{}: {model} is nowhere", meter.name);
            }
        }
    }
    let moved = |version: &str, model| {
        let profile = profile(version);
        profile.modelled(model).and_then(|id| profile.meter_of(id)).map(|meter| meter.name.as_str())
    };
    assert_eq!(moved("1.3", "kestra.queue.produce.count"), Some("kestra.queue.produce.count"));
    assert_eq!(moved("2.0", "kestra.queue.produce.count"), Some("kestra.queue.message.emitted.total"));
    assert_eq!(moved("2.0", "kestra.scheduler.loop.count"), None);
}

#[test]
fn prometheus_names_follow_the_convention_once() {
    let name = |dotted: &str| {
        let profile = profile("1.3");
        profile.meter(dotted).and_then(|id| profile.meter_of(id)).expect(dotted).prometheus_name()
    };
    assert_eq!(name("jvm.memory.used"), "jvm_memory_used_bytes");
    assert_eq!(name("process.cpu.time"), "process_cpu_time_ns_total");
    assert_eq!(name("kestra.queue.produce.count"), "kestra_queue_produce_count_total");
    assert_eq!(name("http.server.requests"), "http_server_requests_seconds");
    assert_eq!(name("kestra.queue.big_message.count"), "kestra_queue_big_message_count_total");
}

/// What is told of a version that extends 2.0: place, what, advice.
fn told(text: &str) -> Vec<String> {
    let told = Profile::load("2.1", &[("version.yaml", text)]).expect_err(text);
    let line = |it: &Diagnostic| {
        let (line, column) = it.place.line_and_column();
        format!("{}:{line}:{column}: {} ({})", it.place.source.name, it.what, it.advice.as_deref().unwrap_or(""))
    };
    told.iter().map(line).collect()
}

#[test]
fn a_name_that_exists_nowhere_is_an_error_with_its_place_and_what_was_meant() {
    for (text, expected) in [
        (
            "rename: { kestra.worker.runing.count: a.b }",
            "2.1/version.yaml:2:11: `kestra.worker.runing.count` is no meter of the extended version (did you mean `kestra.worker.running.count`?)",
        ),
        (
            "rename: { jvm.memory.used: jvm.memory.max }",
            "2.1/version.yaml:2:28: the meter `jvm.memory.max` is there already (write another name)",
        ),
        (
            "without: { meters: [jvm.memory.usd] }",
            "2.1/version.yaml:2:21: `jvm.memory.usd` is no meter of the extended version (did you mean `jvm.memory.used`?)",
        ),
        (
            "without: { meters: [\"executor{jdbc-}\"] }",
            "2.1/version.yaml:2:21: no series of `executor` has a tag value that begins with `jdbc-` (look at `start` of the meter)",
        ),
        (
            "without: { endpoints: [/scheduller] }",
            "2.1/version.yaml:2:24: `/scheduller` is no endpoint of the extended version (did you mean `/scheduler`?)",
        ),
        (
            "without: { quirks: [flow-label] }",
            "2.1/version.yaml:2:21: `flow-label` is no quirk of the extended version (did you mean `flow-labels`?)",
        ),
        (
            "add: { quirks: [named-queue] }",
            "2.1/version.yaml:2:17: `named-queue` is no quirk (did you mean `named-queues`?)",
        ),
        (
            "add: { endpoints: [ { path: /a, handler: trheaddump } ] }",
            "2.1/version.yaml:2:42: `trheaddump` is no handler (did you mean `threaddump`?)",
        ),
        (
            "add: { endpoints: [ { path: /a, answers: { file: beens.json } } ] }",
            "2.1/version.yaml:2:50: `beens.json` is no file of the version (did you mean `beans.json`?)",
        ),
        (
            "add: { endpoints: [ { path: /health, handler: health } ] }",
            "2.1/version.yaml:2:21: GET /health is there already (to replace it, name it in `without` too)",
        ),
        (
            "add: { meters: [ { name: a.b, kind: gauge, start: [ { is: heap.mox } ] } ] }",
            "2.1/version.yaml:2:59: `heap.mox` is no probe (did you mean `heap.max`?)",
        ),
        (
            "add: { meters: [ { name: a.b, kind: timer, start: [ { is: 0 } ] } ] }",
            "2.1/version.yaml:2:59: what a timer shows must be a mapping, not a single value (write for example `{ count: polls, sum: polls * 0.1, max: 0 }`)",
        ),
        (
            "answers: { task_runs: submited }",
            "2.1/version.yaml:2:23: `submited` is no form of task runs (did you mean `submitted`?)",
        ),
        ("renam: {}", "2.1/version.yaml:2:1: `renam` is no key of a version (did you mean `rename`?)"),
    ] {
        assert_eq!(told(&format!("extends: \"2.0\"\n{text}\n")), [expected]);
    }
    assert_eq!(
        told("extends: \"1.4\"\n")[0],
        format!("2.1/version.yaml:1:10: `1.4` is no version that ships (known are {})", Profile::NAMES.join(", "))
    );
    assert_eq!(told("extends: \"2.1\"\n")[0], "2.1/version.yaml:1:10: `2.1` extends itself (name another version)");
}

#[test]
fn a_version_that_extends_none_must_tell_everything_and_a_file_that_nothing_reads_is_told() {
    let missing = Profile::load("3.0", &[("version.yaml", "text: new\n"), ("meters.yaml", "[]")]).expect_err("empty");
    let what: Vec<&str> = missing.iter().map(|it| it.what.as_str()).collect();
    assert!(what.contains(&"a version has no `answers`") && what.contains(&"a version has no `release`"), "{what:?}");
    let files = [("version.yaml", "extends: \"2.0\"\n"), ("metres.yaml", "[]")];
    let told = Profile::load("2.1", &files).expect_err("a stranger");
    assert_eq!((told.len(), told[0].what.as_str()), (1, "`metres.yaml` is no file of a version"));
    let files = [("version.yaml", "extends: \"2.0\"\n"), ("env.json", "{")];
    let told = Profile::load("2.1", &files).expect_err("half a file");
    assert!(told.len() == 1 && told[0].what.starts_with("`env.json` is no JSON: EOF"), "{}", told[0].what);
    let told = Profile::load("2.1", &[]).expect_err("no file");
    assert_eq!(told[0].what, "a version has no `version.yaml`");
}

#[test]
fn an_older_version_stands_between_its_neighbours() {
    assert_eq!(["0.17", "0.20", "2.0", "2.1", "10.0"].map(place), [0, 3, 8, 9, 9]);
}
