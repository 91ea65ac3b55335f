//! Files that the command line reads: flows, rules, and configurations of Prometheus and of Kestra.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::server::{Mock, run, scratch};

#[test]
fn a_configuration_of_prometheus_says_who_is_scraped() {
    let configuration = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/rules/prometheus.yml");
    let (code, out, err) = run(&["test", "worker-killed", "--prometheus", configuration]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("instance=\"kestra-worker-1.internal:8081\", job=\"kestra\", role=\"worker\""), "{out}");
    // What is no member is told, and every key of it that is wrong.
    let (_, _, err) = run(&["test", "healthy", "--prometheus", configuration]);
    assert!(err.contains("warning: healthy: job kestra: no member is behind kestra-"), "{err}");
    let file = scratch("prometheus.yml");
    let path = file.to_str().expect("UTF-8");
    std::fs::write(&file, "rule_files: [ \"nothing*.yml\" ]\nscrape_configs: [ { job_name: a, static_configs: [ { targets: [ \"localhost:8081\" ] } ] } ]\n").expect("written");
    let (code, _, err) = run(&["test", "healthy", "--prometheus", path]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("no file is like `nothing*.yml`"), "{err}");
    std::fs::write(&file, "scrape_configs: [ { job_nam: a } ]\n").expect("written");
    let (code, out, err) = run(&["test", "healthy", "--prometheus", path]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("prometheus.yml:1:") && err.contains("has no `job_name`"), "{err}");
}

#[test]
fn what_is_configured_on_kestra_is_what_prometheus_meets() {
    let file = scratch("configured.yaml");
    let path = file.to_str().expect("UTF-8");
    let text = |more: &str| {
        format!(
            "name: configured\nextends: healthy\nduration: 5m\nconfiguration: {{ endpoints: {{ all: {{ path: /manage, basic-auth: {{ username: prom, password: s3cret }} }} }}{more} }}\nexpect: [ {{ health: standalone-1, status: UP, at: 1m }}, {{ query: up, at: 4m, is: \"== 1\" }} ]\n"
        )
    };
    std::fs::write(&file, text("")).expect("written");
    let (code, out, err) = run(&["test", path]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let (_, out, _) = run(&["check", path]);
    assert!(out.contains("configured: endpoints below /manage, endpoints ask for credentials"), "{out}");
    let mock = Mock::start(&[path, "--paused"]);
    let (_, found) = mock.ask("GET", "/sd", "");
    assert_eq!(found[0]["labels"]["__metrics_path__"], "/manage/prometheus");
    let prometheus = scratch("prometheus.yml");
    let with = |more: &str| {
        let text = format!(
            "scrape_configs: [ {{ job_name: kestra, static_configs: [ {{ targets: [ \"kestra:8081\" ] }} ]{more} }} ]\n"
        );
        std::fs::write(&prometheus, text).expect("written");
        let (code, out, _) = run(&["test", path, "--prometheus", prometheus.to_str().expect("UTF-8")]);
        (code, out)
    };
    // The wrong path is 404, no password 401: the target is down.
    assert_eq!(with(", metrics_path: /prometheus").0, Some(1));
    let (code, out) = with(", metrics_path: /manage/prometheus");
    assert_eq!(code, Some(1));
    assert!(out.contains("NOT MET     up == 1 at 4m: 0"), "{out}");
    assert_eq!(with(", metrics_path: /manage/prometheus, basic_auth: { username: prom, password: no }").0, Some(1));
    assert_eq!(with(", metrics_path: /manage/prometheus, basic_auth: { username: prom, password: s3cret }").0, Some(0));
    // What is not simulated is told, what nothing shows is not, what is wrong refused.
    std::fs::write(&file, text(", kestra: { url: \"http://x\", queue: { type: postgres } }")).expect("written");
    assert_eq!(run(&["check", "-q", path]), (Some(0), String::new(), String::new()));
    std::fs::write(&file, text(", kestra: { jdbc: { queues: { minPollInterval: 1s } }, metrics: { tags: { a: b } } }"))
        .expect("written");
    let (code, _, err) = run(&["check", path]);
    assert_eq!(code, Some(0));
    assert!(err.contains("warning: not simulated: what is set by kestra.jdbc.queues.min-poll-interval\n"), "{err}");
    assert!(
        err.contains(
            "note: Kestra 1.3 does not follow these settings, and so nothing does here: kestra.metrics.tags.a\n"
        ),
        "{err}"
    );
    std::fs::write(&file, text(", endpoints.helth.enabled: true")).expect("written");
    let (code, _, err) = run(&["check", path]);
    assert_eq!(code, Some(2));
    assert!(err.contains("did you mean `health`?"), "{err}");
}

#[test]
fn flows_come_from_files_and_folders_and_a_scenario_builds_on_another() {
    let file = scratch("mine.yaml");
    let folder = file.parent().expect("a folder");
    let flow = |id: &str| {
        format!(
            "id: {id}\nnamespace: company.team\ntasks: [ {{ id: load, type: a.b.Load, sql: select 1 }} ]\n\
             triggers: [ {{ id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: \"@daily\" }} ]\n"
        )
    };
    std::fs::create_dir_all(folder.join("flows")).expect("a folder");
    std::fs::write(folder.join("one.yml"), flow("one")).expect("written");
    std::fs::write(folder.join("flows/two.yml"), flow("two")).expect("written");
    std::fs::write(folder.join("flows/three.yaml"), flow("three")).expect("written");
    let text = "name: mine\nextends: worker-killed\nduration: 20m\nflows: [ one.yml, flows ]\narrivals: [ { flow: two, rate: 6/min } ]\n";
    std::fs::write(&file, text).expect("written");
    let (code, out, err) = run(&["check", file.to_str().expect("UTF-8")]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for part in [
        "mine: A worker is killed",
        "runs for 20m",
        "worker-2",
        "company.analytics.ingest",
        "team.one",
        "team.two",
        "team.three",
        "at 10m: kill worker-1 for 2m",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    // Folders in folders too, wherever links lead; what tools keep there is none of it.
    std::fs::create_dir_all(folder.join("flows/a/b")).expect("a folder");
    std::fs::create_dir_all(folder.join("flows/.github")).expect("a folder");
    std::fs::write(folder.join("flows/a/b/four.yml"), flow("four")).expect("written");
    std::fs::write(folder.join("flows/.github/ci.yml"), "on: push\n").expect("written");
    std::fs::write(folder.join("flows/a/readme.md"), "none").expect("written");
    #[cfg(unix)]
    if let Err(error) = std::os::unix::fs::symlink("..", folder.join("flows/a/up")) {
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    }
    let (code, out, err) = run(&["check", file.to_str().expect("UTF-8")]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let places = ["four", "three", "two"].map(|id| out.find(&format!("company.team.{id}:")).expect("it is there"));
    assert!(places.is_sorted(), "in the order of their paths: {out}");
    // A file that cannot be read is named.
    std::fs::write(folder.join("flows/a/b/four.yml"), [0xff, 0xfe]).expect("written");
    let (code, _, err) = run(&["check", file.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(2));
    assert!(err.contains("this is not UTF-8") && err.contains("flows/a/b/four.yml"), "{err}");
    std::fs::write(folder.join("flows/a/b/four.yml"), flow("four")).expect("written");
    // What is wrong in a flow file is told with that file's name.
    std::fs::write(folder.join("flows/two.yml"), "id: two\nnamespace: company.team\ntask: []\n").expect("written");
    let (code, _, err) = run(&["check", file.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(2));
    assert!(err.contains("flows/two.yml:3:1") && err.contains("did you mean `tasks`?"), "{err}");
}

#[test]
fn what_rule_files_mean_is_found_as_prometheus_finds_it() {
    let folder = scratch("prometheus.yml").parent().expect("a folder").join("patterns");
    std::fs::create_dir_all(folder.join("sub/deep")).expect("made");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
    let rules = |name: &str| format!("groups: [ {{ name: g, rules: [ {{ alert: {name}, expr: up == 0 }} ] }} ]\n");
    for name in ["ka", "kb", "!c"] {
        write(&format!("{name}.rules"), &rules("Of").replace("Of", &format!("Of{}", &name[1..])));
    }
    write("sub/x.rules", &rules("Ofx"));
    let file = folder.join("prometheus.yml");
    let path = file.to_str().expect("UTF-8");
    let test = |pattern: &str| {
        std::fs::write(&file, format!("rule_files: [ '{pattern}' ]\n")).expect("written");
        run(&["test", "idle", "--prometheus", path])
    };
    for (pattern, found) in [
        ("k?.rules", "Ofa Ofb"),
        ("k[^a].rules", "Ofb"),
        ("[!k]?.rules", "Ofa Ofb Ofc"),
        (r"\!c.rules", "Ofc"),
        ("sub/**les", "Ofx"),
        ("[s]ub/x.rules", "Ofx"),
    ] {
        let (code, out, err) = test(pattern);
        assert_eq!(code, Some(0), "{pattern}: {err}");
        for name in ["Ofa", "Ofb", "Ofc", "Ofx"] {
            assert_eq!(out.contains(name), found.contains(name), "{pattern} {name}: {out}");
        }
    }
    for (pattern, what, advice) in [
        ("[a", "error: syntax error in the pattern `[a`", "close each `[`"),
        ("su[b]", "sub` is a folder, not a file", "write `su[b]/*.yml` for the files in it"),
        ("sub", "sub` is a folder, not a file", "write `sub/*.yml`"),
        ("s*", "sub` is a folder, not a file", "help: write"),
        ("nope?.rules", "`nope?.rules` does not point to an existing file", "as seen from the configuration"),
    ] {
        let (code, _, err) = test(pattern);
        assert_eq!(code, Some(2), "{pattern}");
        assert!(err.contains(what) && err.contains(advice) && err.contains("prometheus.yml:1:"), "{pattern}: {err}");
    }
}

#[test]
fn flows_come_from_the_command_line_too_and_one_that_kestra_refuses_is_left_out() {
    let folder = scratch("flows").parent().expect("a folder").join("real");
    std::fs::create_dir_all(folder.join("deep")).expect("a folder");
    let flow = |id: &str, task: &str| {
        format!(
            "id: {id}\nnamespace: company.team\n{task}: [ {{ id: t, type: a.b.Load }} ]\n\
             triggers: [ {{ id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: \"@daily\" }} ]\n"
        )
    };
    std::fs::write(folder.join("good.yml"), flow("good", "tasks")).expect("written");
    std::fs::write(folder.join("deep/better.yaml"), flow("better", "tasks")).expect("written");
    std::fs::write(folder.join("bad.yml"), flow("bad", "task")).expect("written");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    // A pattern takes what fits it.
    let (code, out, err) = run(&["check", "idle", "--flows", &path("**/*.yaml"), "--flows", &path("good.yml")]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("company.team.better: t") && out.contains("company.team.good: t"), "{out}");
    // A folder is taken whole; what is wrong in it is told, and only `check` fails.
    let left_out = |err: &str| {
        assert!(err.contains("bad.yml:3:1") && err.contains("did you mean `tasks`?"), "{err}");
        assert!(err.contains("bad.yml is left out"), "{err}");
    };
    let (code, out, err) = run(&["check", "idle", "--flows", &path("")]);
    assert!(code == Some(2) && out.contains("company.team.better") && !out.contains("company.team.bad"), "{out}");
    left_out(&err);
    let (code, _, err) = run(&["run", "idle", "--flows", &path("")]);
    assert_eq!(code, Some(0), "{err}");
    left_out(&err);
    assert_eq!(run(&["run", "--strict", "idle", "--flows", &path("")]).0, Some(1));
    for (wrong, part) in [("none.yml", "none.yml"), ("*.json", "no file fits it"), ("***", "attern")] {
        let (code, _, err) = run(&["check", "idle", "--flows", &path(wrong)]);
        assert!(code == Some(2) && err.contains("--flows") && err.contains(part), "{wrong}: {err}");
    }
}

#[test]
fn rules_stand_before_or_behind_the_scenario_and_more_may_follow() {
    let file = scratch("a.yml");
    let second = file.with_file_name("b.yml");
    let (a, b) = (file.to_str().expect("UTF-8"), second.to_str().expect("UTF-8"));
    for (path, alert) in [(&file, "First"), (&second, "Second")] {
        let text = format!("groups: [ {{ name: {alert}, rules: [ {{ alert: {alert}, expr: up == 2 }} ] }} ]\n");
        std::fs::write(path, text).expect("written");
    }
    let both = |arguments: &[&str]| {
        let (code, out, err) = run(arguments);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}: {out}");
        (out.contains("  quiet     First"), out.contains("  quiet     Second"))
    };
    assert_eq!(both(&["test", "--rules", a, "healthy"]), (true, false));
    assert_eq!(both(&["test", "healthy", "--rules", a]), (true, false));
    assert_eq!(both(&["test", "healthy", "--rules", a, b]), (true, true));
    assert_eq!(both(&["test", "--rules", a, b, "healthy"]), (true, true));
    assert_eq!(both(&["test", "--rules", a, "--rules", b, "healthy", "idle"]), (true, true));
    assert_eq!(both(&["test", "--rules", a, "healthy", "--seed", "2"]), (true, false));
    for more in [&["sweep", "--seeds", "1"][..], &["explain", "--alert", "Second"]] {
        let (code, out, err) = run(&[more, &["--rules", a, b, "healthy"]].concat());
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(out.contains("Second"), "{out}");
    }
    // What is missing is still told.
    let (code, _, err) = run(&["test", "--rules", a]);
    assert_eq!(code, Some(2));
    assert!(err.contains("<SCENARIOS>"), "{err}");
}

#[test]
fn a_secret_that_nobody_gives_is_warned_of_unless_the_scenario_is_about_that() {
    let file = scratch("no-secret.yaml");
    let path = file.to_str().expect("UTF-8");
    let flow = "{ id: tell, namespace: n, tasks: [ { id: t, type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"{{ secret('NOBODY_GIVES_IT') }}\", messageText: x } ] }";
    let text = |more: &str| {
        format!("name: x\nduration: 5m\nflows: [ {flow} ]\narrivals: [ {{ flow: tell, rate: 1/min }} ]\n{more}")
    };
    std::fs::write(&file, text("")).expect("written");
    let (code, _, err) = run(&["check", path]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("no secret `NOBODY_GIVES_IT`, so the task `t` of n.tell always fails"), "{err}");
    std::fs::write(&file, text("expect: [ { execution: { flow: tell, state: SUCCESS, never: true } } ]\n"))
        .expect("written");
    let (code, _, err) = run(&["check", path]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn a_named_pipe_that_nobody_writes_into_is_refused_and_one_of_the_shell_is_read() {
    let folder = scratch("pipe");
    std::fs::create_dir_all(&folder).expect("a folder");
    let pipe = folder.join("flow.yml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let name = pipe.to_str().expect("UTF-8");
    for arguments in [&["check", name][..], &["check", "idle", "--flows", name]] {
        let (code, _, err) = run(arguments);
        assert!(code == Some(2) && err.contains("it is a named pipe"), "{code:?} {err}");
    }
    let binary = env!("CARGO_BIN_EXE_mock-kestra");
    let script = format!("{binary} check -q <(echo 'name: x')");
    let output = std::process::Command::new("bash").args(["-c", &script]).output().expect("bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_flow_file_is_left_out_by_the_version_that_refuses_it_and_by_no_other() {
    let folder = scratch("versions");
    std::fs::create_dir_all(&folder).expect("a folder");
    let task = "tasks: [ { id: a, type: io.kestra.plugin.core.log.Log, message: hi } ]\n";
    let old = format!("id: old\nnamespace: n\n{task}listeners: [ {{ tasks: [ {{ id: b, type: a.b.C }} ] }} ]\n");
    std::fs::write(folder.join("old.yml"), old).expect("written");
    std::fs::write(folder.join("both.yml"), format!("id: both\nnamespace: n\n{task}")).expect("written");
    let flows = folder.to_str().expect("UTF-8");
    for (version, left_out) in [("1.3", false), ("2.0", true)] {
        for (strict, code) in [(&[][..], 0), (&["--strict"][..], i32::from(left_out))] {
            // Nothing starts these flows: that is a warning too.
            let arguments = [&["run", "idle", "--flows", flows, "--kestra", version], strict].concat();
            let (got, _, err) = run(&arguments);
            let told = err.contains("old.yml is left out: Kestra 2.0 refuses it, and keeps the other flows");
            assert_eq!(told, left_out, "{err}");
            assert!(got == Some(code) || !strict.is_empty() && got == Some(1), "{got:?} {err}");
            assert_eq!(err.contains("Unrecognized field \"listeners\""), left_out, "{err}");
        }
    }
    let (code, _, err) = run(&["check", "idle", "--flows", flows]);
    assert_eq!(code, Some(0), "{err}");
    let scenario = folder.join("x.yaml");
    std::fs::write(&scenario, "name: x\nkestra: \"2.0\"\nflows: [ old.yml, both.yml ]\n").expect("written");
    let (code, _, err) = run(&["check", scenario.to_str().expect("UTF-8")]);
    assert!(code == Some(2) && err.contains("old.yml is left out"), "{code:?} {err}");
}
