//! The logs of members: their lines beside those of recorded servers, the levels of `/loggers` beside what is counted, and
//! where they are written.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::server::{Local, Mock, ask, binary, eventually, run, scratch};
use common::{exposition, families};
use mock_kestra::document;
use mock_kestra::profile::{LineKind, LineLevel, Profile};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::{Command, Level, LogEvent, Simulation, levels, limits};
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;

const ROLES: &str = "executor: 1, worker: { count: 2, threads: 20 }, scheduler: 1, webserver: 1, indexer: 1";

fn flow(namespace: &str, id: &str, task: &str, trigger: &str) -> String {
    format!("  - {{ id: {id}, namespace: {namespace}, tasks: [ {{ {task} }} ], triggers: [ {trigger} ] }}\n")
}

/// The flows of the recorded servers.
fn flows() -> String {
    let cron = |id: &str, cron: &str, more: &str| {
        format!("{{ id: {id}, type: io.kestra.plugin.core.trigger.Schedule, cron: '{cron}'{more} }}")
    };
    let sleep = |id: &str, time: &str| format!("id: {id}, type: io.kestra.plugin.core.flow.Sleep, duration: {time}");
    let log = |id: &str, more: &str| format!("id: {id}, type: io.kestra.plugin.core.log.Log, message: {more}");
    let minutely = cron("every_minute", "* * * * *", "");
    let poll = "{ id: http, type: io.kestra.plugin.core.http.Trigger, interval: PT10S }";
    [
        flow("company.team", "longsleep", &sleep("sleep", "PT5M"), &minutely),
        flow("company.team", "long-sleep", &sleep("nap", "PT5M"), &minutely),
        flow("company.team", "sleep", &sleep("s", "PT20S"), &minutely),
        flow("company.team", "sleep20", &sleep("sleep", "PT20S"), &minutely),
        flow("company.team", "sched", &log("log", "hello"), &minutely),
        flow("company.team", "schedule", &log("l", "hello"), &minutely),
        flow(
            "company.team",
            "sched5s",
            &log("log", "hello"),
            &cron("every_5s", "*/5 * * * * *", ", withSeconds: true"),
        ),
        flow("company.team", "poll", &log("log", "hello"), poll),
        flow(
            "system",
            "any-state",
            &log("log", "any-state saw company.team.nap30 SUCCESS 54o6bmtLfu29EbhFGfNt5c"),
            &minutely,
        ),
    ]
    .concat()
}

fn plan(version: &str, members: &str, timeline: &str) -> Arc<Plan> {
    let text = format!(
        "name: x\nkestra: '{version}'\nduration: 30m\ncluster: {{ members: {{ {members} }} }}\nflows:\n{}arrivals: [ {{ flow: sleep, rate: 10/min }} ]\n\
         timeline: [ {timeline} ]\n",
        flows()
    );
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", document::render(&told))))
}

fn simulation(plan: &Arc<Plan>) -> Simulation {
    let mut simulation = Simulation::new(plan.clone(), Seed(1), Calendar::default());
    simulation.keep_lines();
    simulation
}

fn second(n: u64) -> Instant {
    Instant::START + Duration::seconds(n)
}

fn advance(simulation: &mut Simulation, seconds: u64) {
    simulation.advance(second(seconds)).expect("no limit");
}

/// Lines of a member, without colours.
fn lines(simulation: &Simulation, member: &str) -> Vec<String> {
    let index = simulation.members().iter().position(|it| it.name() == member).expect("a member");
    let kept = simulation.lines().expect("they are kept").of(index).expect("it has written");
    kept.iter().map(|event| simulation.line(event).expect("words").console(false)).collect()
}

fn set(simulation: &mut Simulation, member: &str, logger: &str, level: Level) {
    let member = simulation.members().iter().position(|it| it.name() == member).expect("a member");
    let command = Command::SetLogger { member, logger: logger.to_owned(), level: Some(level) };
    simulation.command(command).expect("it can");
}

/// A line without what differs from run to run: whatever has a digit in it, hosts and random ids.
fn shape(line: &str) -> String {
    let line = line.replace("@...", "@0");
    let mut shape = String::new();
    for word in line.split_inclusive(|it: char| !it.is_alphanumeric()) {
        let (word, end) = match word.char_indices().last() {
            Some((at, end)) if !end.is_alphanumeric() => word.split_at(at),
            _ => (word, ""),
        };
        let varies = word.len() >= 18 && word.chars().any(char::is_uppercase) && !word.ends_with("Coordinator");
        let varies = varies && !word.ends_with("Handlers") && !word.ends_with("Handler");
        shape += if varies || word.contains(|it: char| it.is_ascii_digit()) { "#" } else { word };
        shape += end;
    }
    for (start, end) in [("http://", ":"), ("hostname=", "]")] {
        let mut parts = shape.split(start);
        let mut rest = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            rest += start;
            rest += part.find(end).map_or(part, |at| &part[at..]);
        }
        shape = rest;
    }
    // Whole minutes have no seconds.
    shape.replace(":#:#[Etc/UTC]", ":#[Etc/UTC]")
}

#[test]
fn lines_are_those_of_the_recorded_servers() {
    for version in ["0.20", "1.3", "2.0"] {
        let mut shapes = BTreeSet::new();
        let timelines = [
            "{ at: 3m, kill: worker-2 }, { at: 15m, stop: scheduler-1 }, { at: 20m, stop: worker-1 }",
            "{ at: 3m10s, database: refused, for: 30s }",
        ];
        for timeline in timelines {
            let mut simulation = simulation(&plan(version, ROLES, timeline));
            advance(&mut simulation, 1800);
            for member in ["executor-1", "worker-1", "worker-2", "scheduler-1", "webserver-1", "indexer-1"] {
                shapes.extend(lines(&simulation, member).iter().map(|line| shape(line)));
            }
        }
        let mut standalone = simulation(&plan(version, "standalone: 1", ""));
        advance(&mut standalone, 60);
        shapes.extend(lines(&standalone, "standalone-1").iter().map(|line| shape(line)));
        let file = format!("{}/tests/captures/logs/{version}.txt", env!("CARGO_MANIFEST_DIR"));
        let recorded = std::fs::read_to_string(file).expect("a file");
        assert!(recorded.lines().count() > 15, "{version}");
        let missing: Vec<&str> = recorded.lines().filter(|line| !shapes.contains(&shape(line))).collect();
        let near: Vec<&String> = shapes.iter().collect();
        assert!(
            missing.is_empty(),
            "{version}: {missing:#?}\n{:#?}\n{near:#?}",
            missing.iter().map(|it| shape(it)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn every_logger_of_kestra_is_one_that_a_recorded_server_lists() {
    for name in Profile::NAMES {
        let profile = Profile::named(name).expect("it ships");
        let listed = profile.loggers();
        for kind in LineKind::all().filter_map(|kind| profile.line(kind)) {
            for logger in [Some(kind.logger), kind.gate].into_iter().flatten() {
                let known = listed.contains_key(logger) || logger.contains('{');
                // Two loggers of a process that has not written yet; their classes are recorded to write.
                let late = [
                    "WorkerCommand",
                    "WebServerCommand",
                    "DefaultWorker",
                    "DefaultExecutor",
                    "DefaultScheduler",
                    "DefaultIndexer",
                    "AbstractWorker",
                ];
                assert!(known || late.iter().any(|it| logger.ends_with(it)), "{name}: {logger}");
            }
        }
    }
}

/// Nobody has set a logger: every line of INFO or more is let through, and none beneath. The simulator relies on it.
#[test]
fn a_fresh_server_lets_through_what_is_info_or_more() {
    for name in Profile::NAMES {
        let profile = Profile::named(name).expect("it ships");
        for kind in LineKind::all().filter(|kind| *kind != LineKind::Own) {
            let Some(form) = profile.line(kind) else { continue };
            let least = levels::effective(profile, &BTreeMap::new(), form.logger).expect("ROOT has a level");
            assert_eq!(Level::from(form.level) >= least, form.level >= LineLevel::Info, "{name} {form:?} {least:?}");
        }
    }
}

#[test]
fn a_line_is_coloured_as_recorded_and_json_is_that_of_the_encoder() {
    let mut simulation = simulation(&plan("1.3", ROLES, ""));
    advance(&mut simulation, 70);
    let kept = simulation.lines().expect("kept");
    let of = |member: usize| kept.of(member).expect("lines").iter().map(|event| simulation.line(event).expect("words"));
    let index = simulation.members().iter().position(|it| it.name() == "scheduler-1").expect("a member");
    let line = of(index).find(|line| line.message.contains("Scheduled execution")).expect("a line");
    // The form of 2.0/logs/standalone_startup_raw_ansi.log, which is that of the pattern.
    let date = line.console(false)[..12].to_owned();
    let logger = "s.m.company.team.longsleep.every_minute";
    assert!(line.console(false).contains("INFO  pool-8-thread-1"), "{}", line.console(false));
    let coloured = line.console(true);
    let expected = format!("{date} \u{1b}[34mINFO \u{1b}[0;39m \u{1b}[35mpool-8-thread-1\u{1b}[0;39m \u{1b}[36m");
    assert!(coloured.starts_with(&expected), "{coloured:?} {logger}");
    let json = line.json(false);
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read["log.logger"], line.logger.as_str());
    assert_eq!(read["message"], line.message.as_str());
    let at = read["@timestamp"].as_str().expect("a date");
    assert!(
        json.starts_with(&format!("{{\"@timestamp\":\"{at}\",\"log.level\": \"INFO\",\"message\":\"[tenant: main]"))
    );
    assert!(json.contains(
        "\",\"ecs.version\": \"1.2.0\",\"process.thread.name\":\"pool-8-thread-1\",\"log.logger\":\"scheduler.main."
    ));
    assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
    assert!(line.json(true).contains("\"ecs.version\": \"1.2.0\",\"service.node.name\":\"scheduler-1\",\"process"));
}

#[test]
fn tasks_say_what_they_say_where_the_logger_of_flows_lets_them() {
    // `flow` is INFO in 0.20, and OFF from 1.0 on (recorded).
    let own = |simulation: &Simulation| {
        let saw = |line: &&String| line.contains("any-state saw company.team.nap30");
        lines(simulation, "worker-1").iter().chain(&lines(simulation, "worker-2")).filter(saw).count()
    };
    for (version, by_itself) in [("0.20", true), ("1.3", false), ("2.0", false)] {
        let mut simulation = simulation(&plan(version, ROLES, ""));
        advance(&mut simulation, 300);
        assert_eq!(own(&simulation) > 0, by_itself, "{version}");
        for worker in ["worker-1", "worker-2"] {
            set(&mut simulation, worker, "flow", if by_itself { Level::Off } else { Level::Info });
        }
        let before = own(&simulation);
        advance(&mut simulation, 600);
        assert_eq!(own(&simulation) > before, !by_itself, "{version}");
    }
}

#[test]
fn finer_lines_come_and_others_go_as_loggers_are_set() {
    let mut simulation = simulation(&plan("1.3", ROLES, ""));
    let beats = |simulation: &Simulation| {
        lines(simulation, "scheduler-1")
            .iter()
            .filter(|line| line.contains("Completed scheduled state update: 'RUNNING'"))
            .count()
    };
    advance(&mut simulation, 60);
    assert_eq!(beats(&simulation), 0);
    set(&mut simulation, "scheduler-1", "io.kestra", Level::Trace);
    advance(&mut simulation, 120);
    // One each three seconds.
    assert!((19..=21).contains(&beats(&simulation)), "{}", beats(&simulation));
    let told = lines(&simulation, "scheduler-1");
    let has = |words: &str| told.iter().any(|line| line.contains(words));
    assert!(has(
        "TRACE pool-8-thread-1 i.kestra.scheduler.AbstractScheduler Scheduler next iteration for 2026-01-05T08:"
    ));
    assert!(has(" readyForEvaluate of "));
    // The trigger's own logger is still at INFO.
    assert!(!has("[type: io.kestra.plugin.core.trigger.Schedule]"));
    set(&mut simulation, "scheduler-1", "scheduler", Level::Debug);
    advance(&mut simulation, 200);
    let told = lines(&simulation, "scheduler-1");
    let has = |words: &str| told.iter().any(|line| line.contains(words));
    assert!(has("[trigger: every_minute] [type: io.kestra.plugin.core.trigger.Schedule] New execution '"));
    assert!(has("] Scheduling evaluation to the worker"));
    for logger in ["io.kestra", "scheduler"] {
        set(&mut simulation, "scheduler-1", logger, Level::Warn);
    }
    let before = lines(&simulation, "scheduler-1").len();
    advance(&mut simulation, 300);
    assert_eq!(lines(&simulation, "scheduler-1").len(), before, "nothing of INFO or less");
}

/// What `logback_events_total` shows of a member, by level.
fn counted(simulation: &Simulation, member: usize) -> BTreeMap<String, f64> {
    let text = exposition(simulation, member);
    let family = families(&text).into_iter().find(|family| family.name == "logback_events_total");
    let family = family.unwrap_or_else(|| panic!("no such family: {text}"));
    let of = |(series, value): (&String, &String)| {
        (common::labels(series)["level"].clone(), value.parse().expect("a number"))
    };
    family.series.iter().zip(&family.values).map(of).collect()
}

fn orders() -> impl Strategy<Value = Vec<(usize, &'static str, Level, u64)>> {
    let loggers = prop::sample::select(vec![
        "ROOT",
        "io.kestra",
        "flow",
        "worker",
        "executor",
        "scheduler",
        "com.zaxxer",
        "io.kestra.webserver",
        "io.kestra.scheduler.AbstractScheduler",
        "executor.main.company.team.sched5s",
    ]);
    let levels =
        prop::sample::select(vec![Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Off]);
    prop::collection::vec((0..6_usize, loggers, levels, 1..20_u64), 0..8)
}

proptest! {
    #![proptest_config(common::config(24))]
    /// For all versions, faults and settings of loggers: what a member counts at a level grows by the lines it writes at it.
    #[test]
    fn what_is_counted_is_what_is_written(
        version in prop::sample::select(vec!["0.20", "1.3", "2.0"]),
        orders in orders(),
        timeline in prop::sample::select(vec![
            "", "{ at: 2m10s, kill: worker-1 }", "{ at: 4m, stop: worker-2 }, { at: 9m, database: refused, for: 20s }",
        ]),
    ) {
        let mut simulation = simulation(&plan(version, ROLES, timeline));
        let mut before: BTreeMap<(usize, u32), BTreeMap<String, f64>> = BTreeMap::new();
        let mut counts: BTreeMap<(usize, u32, &str), f64> = BTreeMap::new();
        let mut next = vec![0; simulation.members().len()];
        let mut told = 0;
        for minute in 0..20 {
            advance(&mut simulation, 60 * minute + 30);
            for (member, next) in next.iter_mut().enumerate() {
                let kept = simulation.lines().and_then(|lines| lines.of(member)).expect("lines");
                prop_assert!(kept.dropped() <= *next);
                for event in kept.since(*next).filter(|event| event.counted) {
                    *counts.entry((member, event.life, event.level.name())).or_default() += 1.0;
                    told += 1;
                }
                *next = kept.next();
                let it = &simulation.members()[member];
                if it.registry().is_none() {
                    continue;
                }
                let now = counted(&simulation, member);
                let first = before.entry((member, it.life())).or_insert_with(|| {
                    let of = |level: &str| counts.get(&(member, it.life(), level)).copied().unwrap_or_default();
                    LineLevel::ALL.iter().map(|level| (level.name().to_lowercase(), now[&level.name().to_lowercase()] - of(level.name()))).collect()
                });
                for level in LineLevel::ALL {
                    let (name, word) = (level.name(), level.name().to_lowercase());
                    let lines = counts.get(&(member, it.life(), name)).copied().unwrap_or_default();
                    prop_assert_eq!(now[&word] - first[&word], lines, "{} {} {} {}m", version, it.name(), name, minute);
                }
            }
            for (member, logger, level, at) in &orders {
                if *at == minute && simulation.members()[*member].process().is_some() {
                    let command = Command::SetLogger { member: *member, logger: (*logger).to_owned(), level: Some(*level) };
                    simulation.command(command).expect("it can");
                }
            }
        }
        prop_assert!(told > 10 || orders.len() > 3);
    }
}

#[test]
fn what_0_20_does_not_count_of_the_fluent_interface_it_writes_all_the_same() {
    let mut simulation = simulation(&plan("0.20", "executor: 1, worker: 1, scheduler: 1", ""));
    advance(&mut simulation, 300);
    let worker = simulation.members().iter().position(|it| it.name() == "worker-1").expect("a member");
    // Recorded: 50 tasks started and 49 ended, and no line counted (0.20.7 roles/worker/active).
    assert_eq!(counted(&simulation, worker)["info"], 11.0);
    assert!(lines(&simulation, "worker-1").iter().filter(|line| line.contains("Type Log started")).count() > 10);
}

#[test]
fn who_keeps_lines_runs_as_who_does_not_and_old_lines_make_room() {
    let plan = plan("1.3", ROLES, "{ at: 3m, kill: worker-2 }");
    let (mut reads, mut other) = (simulation(&plan), Simulation::new(plan.clone(), Seed(1), Calendar::default()));
    assert!(other.lines().is_none());
    for simulation in [&mut reads, &mut other] {
        set(simulation, "worker-1", "io.kestra", Level::Trace);
        advance(simulation, 60 * 60 * 10);
    }
    assert_eq!((reads.events(), reads.truth()), (other.events(), other.truth()));
    for member in 0..reads.members().len() {
        assert_eq!(exposition(&reads, member), exposition(&other, member), "{member}");
    }
    let executor = reads.members().iter().position(|it| it.name() == "executor-1").expect("a member");
    let kept = reads.lines().and_then(|lines| lines.of(executor)).expect("lines");
    assert!(kept.len() <= limits::LINES && kept.dropped() > 0, "{} {}", kept.len(), kept.dropped());
}

#[test]
fn an_event_tells_whose_it_is() {
    let mut simulation = simulation(&plan("2.0", ROLES, "{ at: 30s, kill: worker-2 }"));
    advance(&mut simulation, 120);
    let of = |member: &str| simulation.members().iter().position(|it| it.name() == member).expect("a member");
    let lives: BTreeSet<u32> = simulation
        .lines()
        .expect("kept")
        .of(of("worker-2"))
        .expect("lines")
        .iter()
        .map(|event: &LogEvent| event.life)
        .collect();
    assert_eq!(lives.len(), 2, "the log of a member goes on with its next process");
}

#[test]
fn run_writes_a_file_of_each_form_for_each_member() {
    let folder = scratch("logs");
    let path = folder.to_str().expect("UTF-8");
    let (code, with, err) = run(&["run", "worker-killed", "--logs", path]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let (_, without, _) = run(&["run", "worker-killed"]);
    assert_eq!(with, without, "the report is the same");
    let executor = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|it| it.expect("an entry").file_name().into_string().expect("UTF-8"));
    let names: BTreeSet<String> = executor.collect();
    let logs: Vec<&String> = names.iter().filter(|name| name.ends_with(".log")).collect();
    assert!(!logs.is_empty() && names.len() == 2 * logs.len(), "{names:?}");
    for name in logs {
        let console = std::fs::read_to_string(folder.join(name)).expect("written");
        let json = std::fs::read_to_string(folder.join(name.replace(".log", ".jsonl"))).expect("written");
        assert_eq!(console.lines().count(), json.lines().count(), "{name}");
        for (line, json) in console.lines().zip(json.lines()) {
            let read: serde_json::Value = serde_json::from_str(json).expect("JSON");
            assert!(line.ends_with(read["message"].as_str().expect("words")), "{line} {json}");
        }
    }
    let executor = std::fs::read_to_string(folder.join("executor-1.log")).expect("written");
    assert!(
        executor.contains("Detected non-responding service [id=") && executor.contains("Re-resubmitting WorkerTask.")
    );
}

#[test]
fn lines_on_standard_output_name_their_member_and_come_in_order() {
    let (code, out, err) = run(&["run", "worker-killed", "--logs", "-"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let lines: Vec<serde_json::Value> = out.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
    let members: BTreeSet<&str> = lines.iter().filter_map(|line| line["service.node.name"].as_str()).collect();
    assert!(members.len() > 3 && lines.len() > 100, "{members:?}");
    let dates: Vec<&str> = lines.iter().filter_map(|line| line["@timestamp"].as_str()).collect();
    assert!(dates.is_sorted());
    assert!(out.contains("worker-1 is killed"), "the report comes behind them");
}

#[cfg(unix)]
#[test]
fn what_cannot_be_written_is_told() {
    let file = scratch("no-folder");
    std::fs::write(&file, "").expect("written");
    let inside = file.join("logs");
    let (code, out, err) = run(&["run", "healthy", "--logs", inside.to_str().expect("UTF-8")]);
    assert_eq!((code, out.as_str()), (Some(3), ""));
    assert!(err.starts_with("error: --logs: cannot make the folder "), "{err}");
    // A full disk.
    let folder = scratch("full");
    std::fs::create_dir_all(&folder).expect("made");
    std::os::unix::fs::symlink("/dev/full", folder.join("worker-1.log")).expect("linked");
    let place = folder.to_str().expect("UTF-8");
    let (code, _, err) = run(&["run", "worker-killed", "--logs", place]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("--logs: cannot write ") && err.contains("worker-1.log: "), "{err}");
    let (code, _, err) = run(&["serve", "worker-killed", "--port", "0", "--control", "0", "--logs", place]);
    assert_eq!(code, Some(3), "{err}");
}

#[test]
fn the_log_of_a_member_is_read_over_the_control_port() {
    let mock = Local::paused("worker-killed");
    mock.post("/api/advance", "{ \"by\": \"20m\" }");
    let text = |path: &str| ask(&mock.control(), "GET", path, "");
    let all = text("/members/executor-1/log?format=text");
    assert_eq!(all.status, 200);
    assert!(all.head.contains("text/plain") && all.head.contains("x-lines-dropped: 0"), "{}", all.head);
    assert!(all.body.contains("INFO  executor     io.kestra.cli.AbstractCommand Starting Kestra 1.3"), "{}", all.body);
    let warnings = text("/members/executor-1/log?format=text&level=warn").body;
    assert!(!warnings.is_empty() && warnings.lines().all(|line| line.contains(" WARN ") || line.contains(" ERROR ")));
    let last = text("/members/executor-1/log?format=text&tail=3").body;
    assert!(last.lines().count() == 3 && all.body.ends_with(&last));
    assert_eq!(text("/members/executor-1/log?tail=0").body, "");
    assert!(text("/members/executor-1/log").body.contains("\u{1b}[34mINFO \u{1b}[0;39m"));
    let json = text("/members/executor-1/log?format=json&tail=1");
    assert!(json.head.contains("application/jsonl") && json.body.starts_with("{\"@timestamp\":"), "{}", json.body);
    for (path, status, words) in [
        ("/members/executor-2/log", 404, "no member is called `executor-2`"),
        ("/members/executor-1/log?level=loud", 400, "`loud` is no level of a line"),
        ("/members/executor-1/log?tail=-1", 400, "`-1` is no number of lines"),
        ("/members/executor-1/log?format=xml", 400, "`xml` is no format of a log"),
    ] {
        let answer = text(path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
    }
    // A logger that is set over the member's own port.
    let member = mock.member("worker-1");
    let answer = ask(&member, "POST", "/loggers/io.kestra", "{\"configuredLevel\":\"TRACE\"}");
    assert!(answer.status < 500, "{answer:?}");
}

#[cfg(unix)]
#[test]
fn serve_writes_logs_to_the_last_line_before_it_ends() {
    let folder = scratch("served");
    let mock = Mock::start(&["worker-killed", "--paused", "--logs", folder.to_str().expect("UTF-8")]);
    let file = folder.join("executor-1.log");
    let written = || std::fs::read_to_string(&file).unwrap_or_default();
    eventually("the first lines", || written().contains("Starting Kestra"));
    mock.post("/api/advance", "{ \"by\": \"20m\" }");
    let shown = ask(&mock.control(), "GET", "/members/executor-1/log", "").body;
    let ended = std::process::Command::new("kill").arg(mock.pid().to_string()).status().expect("kill");
    assert!(ended.success());
    assert_eq!(mock.wait(), Some(0));
    assert_eq!(written(), shown, "all of it was written");
    // Whoever goes back in time finds the log of the new way.
    let mock = Mock::start(&["worker-killed", "--paused", "--logs", folder.to_str().expect("UTF-8")]);
    mock.post("/api/advance", "{ \"by\": \"20m\" }");
    eventually("lines", || written().contains("Re-resubmitting"));
    mock.post("/api/reset", "");
    eventually("the beginning", || !written().contains("Re-resubmitting") && written().contains("Starting Kestra"));
}

#[test]
fn help_tells_of_logs() {
    for command in ["run", "serve"] {
        let out = binary().args([command, "--help"]).output().expect("it runs");
        assert!(String::from_utf8_lossy(&out.stdout).contains("--logs <DIR>"), "{command}");
    }
}

#[test]
fn serve_says_where_it_is_on_standard_error_when_lines_go_to_standard_output() {
    let (out, err) = (scratch("out"), scratch("err"));
    let file = |path: &std::path::Path| std::fs::File::create(path).expect("a file");
    let mut child = binary()
        .args(["serve", "worker-killed", "--port", "0", "--control", "0", "--logs", "-"])
        .stdout(file(&out))
        .stderr(file(&err))
        .spawn()
        .expect("it starts");
    let text = |path: &std::path::Path| std::fs::read_to_string(path).expect("text");
    let both = || !text(&out).is_empty() && text(&err).contains("worker-1");
    let came = (0..300).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        both()
    });
    // It is ours, and it is ended as a user ends it.
    let ended = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(ended.success() && child.wait().expect("it ends").success());
    assert!(came, "{} {}", text(&out), text(&err));
    assert!(text(&out).lines().all(|line| line.starts_with('{')), "{}", text(&out));
}
