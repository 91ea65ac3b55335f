//! A session: looks at any instant, what is refused, and a session that is saved and run again.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::scenario_files;
use common::server::{plan, session, shipped};
use mock_kestra::management::{Body, Outcome, Request, answer};
use mock_kestra::random::Seed;
use mock_kestra::run::{Refused, Session, session::limits};
use mock_kestra::scenario::{Fault, FaultKind, NoFiles, Plan, Secrets, Target, read, read_fault, write};
use mock_kestra::simulator::{Command, CommandError, Level, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;

const CLUSTER: &str = "name: session\nkestra: \"1.3\"\n\
    cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 2 }, restart: 10s }\n\
    flows: [ { id: ingest, namespace: team, tasks: [ { id: load, type: a.b.Load } ] } ]\n\
    behaviour: [ { task: load, duration: { median: 3s, p99: 20s }, fails: 5% } ]\n\
    arrivals: [ { flow: ingest, rate: 30/min } ]\n\
    timeline: [ { at: 4m, kill: worker-2, for: 1m } ]\n";

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::seconds(seconds)
}

/// The answers of all members at an instant, and the journal.
fn bytes(simulation: &Simulation) -> String {
    let mut all = String::new();
    for member in 0..simulation.members().len() {
        for path in ["/prometheus", "/health", "/loggers"] {
            let found = answer(&Request::get(path, simulation.now()), simulation, member);
            all += &match found {
                Outcome::Answer(answer) => match &answer.body {
                    Body::Sized(body) | Body::Chunked(body) => {
                        format!("{} {}", answer.status, String::from_utf8_lossy(body))
                    }
                    Body::None => answer.status.to_string(),
                },
                other => format!("{other:?}"),
            };
        }
    }
    simulation.journal().iter().for_each(|line| all += &format!("{} {}\n", line.at, line.text(simulation.plan())));
    all
}

const FAULTS: &[&str] = &[
    "{ kill: worker-1, for: 40s }",
    "{ kill: executor-1 }",
    "{ hang: scheduler-1, for: 25s }",
    "{ stop: worker-2, for: 90s }",
    "{ restart: webserver-1 }",
    "{ database: refused, for: 30s }",
    "{ database: { slow: 5x } }",
    "{ arrivals: { times: 3x }, for: 1m }",
    "{ task-failures: { task: load, share: 60% } }",
    "{ heap-leak: { member: executor-1, rate: 2MiB/s } }",
    "{ gc-pause: { member: worker-1, pause: 3s } }",
    "{ disk-full: worker-1, for: 2m }",
    "{ deadlock: executor-1, for: 1m }",
];

/// A command by number: a fault, the end of one, or what a client does to a member.
fn command(number: usize, session: &Session) -> Option<Command> {
    let member = number % 5;
    match number % 6 {
        0..3 => {
            let entry = read_fault(FAULTS[number % FAULTS.len()], session.plan(), session.now()).expect("a fault");
            let name = session.free_name(&entry.name);
            Some(Command::Inject(mock_kestra::scenario::TimelineEntry { name, ..entry }))
        }
        3 => session.simulation().faults().first().map(|fault| Command::Clear(fault.entry.name.clone())),
        4 => Some(Command::SetLogger { member, logger: format!("io.kestra.l{member}"), level: Some(Level::Debug) }),
        _ if number % 4 == 1 => Some(Command::Stop { member }),
        _ => Some(Command::TouchLogger { member, logger: format!("io.kestra.touched{number}") }),
    }
}

/// A session with commands after so many seconds each; zero seconds are the same instant.
fn commanded(commands: &[(u64, usize)]) -> (Session, Vec<(Instant, Command)>) {
    let mut session = session(plan(CLUSTER)).with_checkpoints();
    let mut done = Vec::new();
    for (after, number) in commands {
        // What is found ahead is void with the next command.
        let ahead = session.way_to(session.now() + Duration::minutes(6)).go(&|| true).expect("no limit");
        assert!(ahead.there, "nobody stops it");
        session.learn(ahead.passed);
        let to = session.now().max(Instant::START) + Duration::seconds(*after);
        session.advance(to).expect("no limit");
        if let Some(command) = command(*number, &session) {
            // One that is dead cannot be asked.
            match session.command(command.clone()) {
                Ok(()) => done.push((session.now(), command)),
                Err(why) => assert!(matches!(why, Refused::Impossible(CommandError::NoProcess(_))), "{why}"),
            }
        }
    }
    (session, done)
}

proptest! {
    #![proptest_config(common::config(12))]

    /// For all commands c and instants x: at(x) = a fresh run to x with those of c that were done until x.
    #[test]
    fn a_look_at_any_instant_is_a_fresh_run_to_it(
        commands in prop::collection::vec((prop_oneof![Just(0u64), 1..200u64], 0..100usize), 0..8),
        looks in prop::collection::vec(0..1500u64, 3),
    ) {
        let (session, done) = commanded(&commands);
        for look in looks {
            let mut fresh = Simulation::new(session.plan().clone(), Seed(1), Calendar::default());
            for (when, command) in done.iter().filter(|(when, _)| *when <= at(look)) {
                fresh.advance(*when).expect("no limit");
                fresh.command(command.clone()).expect("it was done before");
            }
            fresh.advance(at(look)).expect("no limit");
            prop_assert_eq!(bytes(&session.at(at(look)).expect("no limit")), bytes(&fresh), "at {}", at(look));
        }
    }

    /// For all commands c: what `save` writes, run with the same seed, gives the same bytes at every instant.
    #[test]
    fn a_saved_session_run_again_gives_the_same_answers(
        commands in prop::collection::vec((prop_oneof![Just(0u64), 1..200u64], 0..100usize), 0..8),
    ) {
        let (mut original, _) = commanded(&commands);
        let planned = read_fault("{ at: 25m, kill: worker-1, for: 1m }", original.plan(), original.now());
        let mut planned = planned.expect("a fault");
        planned.name = original.free_name(&planned.name);
        original.inject(planned).expect("it is to come");
        let text = original.save();
        let mut again = session(plan(&text));
        prop_assert_eq!(again.plan().start, Some(Calendar::default().start()));
        for look in [0, 60, 200, 300, 600, 1000, 1530, 1600] {
            again.advance(at(look)).expect("no limit");
            let then = original.at(at(look)).expect("no limit");
            prop_assert_eq!(bytes(again.simulation()), bytes(&then), "at {} of\n{}", at(look), text);
        }
    }
}

#[test]
fn a_scenario_is_written_as_it_was_read() {
    let everything = "name: \"every: thing\"\nsummary: 'quotes \" and \\ and ü'\nkestra: \"2.0\"\nduration: 3h\nstart: 2026-03-01T10:00:00Z\n\
        cluster: { database: mysql, queue: kafka, age: 1h30m, members: { webserver: 1, executor: { count: 2, heap: 1.5GiB }, \
          scheduler: { version: \"1.3\", restart: never }, worker: { count: 3, threads: 5, grace: 30s, restart: kubernetes }, controller: 1 } }\n\
        configuration: { endpoints: { all: { path: /m, port: 9000, basic-auth: { username: u, password: \"p: #\" } }, env: { enabled: false }, \
          loggers: { sensitive: true, write-sensitive: true }, health: { details-visible: NEVER, status.http-mapping: { DOWN: 200 }, disk-space: { enabled: true, threshold: 10MB } } }, \
          micronaut: { metrics: { tags: { env: prod }, enabled: true, export.prometheus.descriptions: false, binders: { netty.queues.enabled: false, jvm.enabled: true } } }, kestra: { metrics: { prefix: acme, labels: [ team ] }, server: { basic-auth: { enabled: true, username: a, password: b } } } }\n\
        flows:\n\
        \x20 - { id: f, namespace: n.m, labels: { team: data }, disabled: false, concurrency: { limit: 2, behavior: FAIL }, retry: { type: random, minInterval: PT1S, maxInterval: PT5S, maxAttempts: 2 }, \
             tasks: [ { id: t, type: a.b.C, timeout: PT1M, allowFailure: true, retry: { type: exponential, interval: PT1S, maxInterval: PT1M, delayFactor: 1.5, maxDuration: PT1H, warningOnRetry: true, behavior: CREATE_NEW_EXECUTION } }, \
               { id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT3S, disabled: true } ], errors: [ { id: e, type: a.b.C, allowWarning: true } ], \
             triggers: [ { id: c, type: io.kestra.plugin.core.trigger.Schedule, cron: \"0 */5 * * * *\", withSeconds: true, timezone: Europe/Paris }, { id: p, type: a.b.Trigger, interval: PT30S }, \
               { id: w, type: io.kestra.plugin.core.trigger.Webhook, key: abcdefgh, disabled: true }, \
               { id: x, type: io.kestra.plugin.core.trigger.ScheduleOnDates }, { id: y, type: io.kestra.plugin.core.trigger.Flow } ] }\n\
        behaviour: [ { namespace: n, duration: 2s, warns: 1% }, { flow: n.m.f, task: t, type: a.b.C, duration: { median: 100ms, p99: 7s }, fails: 0.3%, logs: 4, fires: 33% } ]\n\
        arrivals: [ { flow: f, rate: 7/min, over: webhook }, { flow: f, rate: 100/h } ]\n\
        polled_by: []\n\
        timeline:\n\
        \x20 - { at: 1m, name: x.y, kill: [ worker-1, executor-2 ], for: 90s, every: 10m, until: 2h }\n\
        \x20 - { at: 2m, arrivals: { flow: f, rate: 1/d } }\n\
        \x20 - { at: 2m, arrivals: { times: 0.7x } }\n\
        \x20 - { at: 3m, database: { slow: 2.5x } }\n\
        \x20 - { at: 3m, database: shut-down, for: 1.25s }\n\
        \x20 - { at: 4m, task-duration: { task: t, times: 3x } }\n\
        \x20 - { at: 5m, task-failures: { type: a.b.C, share: 12.5% } }\n\
        \x20 - { at: 6m, heap-leak: { member: worker, rate: 10MiB/min } }\n\
        \x20 - { at: 7m, gc-pause: { member: worker-2, pause: 700ms } }\n\
        commands:\n\
        \x20 - { at: 8m, clear: x.y }\n\
        \x20 - { at: 8m, inject: { hang: worker-1, for: 1m } }\n\
        \x20 - { at: 9m, set-logger: io.kestra, member: worker-1, level: WARN }\n\
        \x20 - { at: 9m, set-logger: ROOT, member: worker-1, level: inherited }\n\
        \x20 - { at: 9m, ask-logger: \"a b\", member: worker-1 }\n\
        \x20 - { at: 10m, refresh: worker }\n\
        \x20 - { at: 11m, stop-by-endpoint: worker-3 }\n\
        \x20 - { at: 12m, execute: f, inputs: { n: 3, day: \"1\" }, labels: { team: data } }\n\
        receivers: { slack: 500, hooks.example.com: refused }\n\
        secrets: { TOKEN: hush }\n";
    let mut texts = vec![everything.to_owned()];
    texts.extend(scenario_files().iter().map(|path| std::fs::read_to_string(path).expect("readable")));
    for text in texts {
        // Secrets are nobody's to read.
        let before = Plan { expectations: Vec::new(), secrets: Secrets::default(), ..plan(&text) };
        let written = write(&before);
        let (after, diagnostics) = read("written.yaml", &written, &NoFiles);
        let errors = mock_kestra::document::render(&diagnostics);
        assert_eq!(after.as_ref(), Some(&before), "{errors}{written}");
    }
}

#[test]
fn commands_of_a_scenario_that_are_wrong_are_told_with_their_place() {
    for (entry, part) in [
        ("{ at: 1m }", "says nothing of what is done"),
        ("{ refresh: worker-1 }", "no `at`"),
        ("{ at: 1m, refresh: worker-9 }", "worker-9"),
        ("{ at: 1m, clear: kill-worker }", "kill-worker"),
        ("{ at: 1m, set-logger: a, level: INFO }", "nobody's logger"),
        ("{ at: 1m, set-logger: a, member: worker-1 }", "no `level`"),
        ("{ at: 1m, set-logger: a, member: worker-1, level: LOUD }", "LOUD"),
        ("{ at: 1m, set-logger: a, member: worker, level: INFO }", "several members"),
        ("{ at: 1m, refresh: worker-1, clear: kill-worker-2 }", "in one entry"),
        ("{ at: 1m, inject: { kil: worker-1 } }", "kil"),
    ] {
        let (plan, diagnostics) = read("wrong.yaml", &format!("{CLUSTER}commands: [ {entry} ]\n"), &NoFiles);
        let told = mock_kestra::document::render(&diagnostics);
        assert!(plan.is_none() && told.contains(part) && told.contains("wrong.yaml:8:"), "{entry}: {told}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let mut session = session(plan(CLUSTER));
    session.advance(at(60)).expect("no limit");
    let before = bytes(session.simulation());
    let later = |text: &str, session: &Session| read_fault(text, session.plan(), session.now()).expect("a fault");
    let mut kill = later("{ kill: worker-1 }", &session);
    kill.fault = Fault::of_members(FaultKind::Kill, vec![1, 77]);
    let past = later("{ at: 10s, kill: worker-1 }", &session);
    let mut flow = later("{ arrivals: { times: 2x } }", &session);
    flow.fault.target = Target::Flow(Some(5));
    let no = Refused::Impossible(CommandError::NoMember(77, session.plan().cluster.members.len()));
    assert_eq!(session.command(Command::Stop { member: 77 }), Err(no.clone()));
    assert_eq!(session.command(Command::Refresh { member: 77 }), Err(no.clone()));
    assert_eq!(session.command(Command::Inject(kill)), Err(no));
    assert_eq!(
        session.command(Command::Inject(flow)),
        Err(Refused::Impossible(CommandError::NoFlow(5, session.plan().flows.len())))
    );
    assert_eq!(
        session.command(Command::Clear("x".into())),
        Err(Refused::Impossible(CommandError::NoFault("x".into())))
    );
    assert_eq!(session.inject(past), Err(Refused::Past { at: at(10), now: at(60) }));
    assert_eq!((session.commands(), bytes(session.simulation())), (0, before));
}

#[test]
fn a_session_that_is_full_says_so() {
    let mut session = session(plan(&shipped("idle")));
    for _ in 0..limits::COMMANDS {
        session.command(Command::Refresh { member: 0 }).expect("it is done");
    }
    assert_eq!(session.command(Command::Refresh { member: 0 }), Err(Refused::TooMany));
    assert!(Refused::TooMany.to_string().contains("100000 commands"), "{}", Refused::TooMany);
    session.restart();
    assert_eq!(session.command(Command::Refresh { member: 0 }), Ok(()));
}

#[test]
fn what_is_still_to_come_happens_in_time_is_seen_ahead_and_can_be_taken_back() {
    let mut session = session(plan(CLUSTER)).with_checkpoints();
    session.advance(at(30)).expect("no limit");
    for text in ["{ at: 1m, hang: worker-1, for: 30s }", "{ at: 2m, deadlock: executor-1, name: d }"] {
        let entry = read_fault(text, session.plan(), session.now()).expect("a fault");
        session.inject(entry).expect("it is to come");
    }
    let names =
        |simulation: &Simulation| simulation.faults().iter().map(|fault| fault.entry.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&session.at(at(61)).expect("no limit")), ["hang-worker-1"]);
    assert_eq!(names(&session.at(at(121)).expect("no limit")), ["d"]);
    assert_eq!(session.planned().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["hang-worker-1", "d"]);
    session.clear("d").expect("it is to come");
    assert_eq!(session.clear("d"), Err(Refused::Impossible(CommandError::NoFault("d".into()))));
    assert!(names(&session.at(at(121)).expect("no limit")).is_empty());
    session.advance(at(60)).expect("no limit");
    assert_eq!((names(session.simulation()).len(), session.commands()), (1, 1));
    assert_eq!(session.free_name("hang-worker-1"), "hang-worker-1-2");
    assert_eq!(session.free_name("kill-worker-2"), "kill-worker-2-2");
}

#[test]
fn a_fault_that_comes_again_and_again_does_so_when_it_is_injected() {
    let mut session = session(plan(CLUSTER));
    session.advance(at(10)).expect("no limit");
    let entry =
        read_fault("{ gc-pause: { member: worker-1, pause: 1s }, every: 30s, until: 100s }", session.plan(), at(10));
    session.inject(entry.expect("a fault")).expect("it is done");
    session.advance(at(300)).expect("no limit");
    let begun: Vec<Instant> = session
        .simulation()
        .journal()
        .iter()
        .filter(|line| line.text(session.plan()).starts_with("fault gc-pause-worker-1:"))
        .map(|line| line.at)
        .collect();
    assert_eq!(begun, [at(10), at(40), at(70), at(100)]);
}

#[test]
fn a_run_of_a_scenario_does_its_commands() {
    let text = format!(
        "{CLUSTER}commands: [ {{ at: 2m, stop-by-endpoint: worker-1 }}, {{ at: 1m, set-logger: io.kestra, member: worker-1, level: DEBUG }} ]\n"
    );
    let plan = Arc::new(plan(&text));
    let report = mock_kestra::run::run(&plan, Seed(1), Calendar::default(), None).expect("no limit");
    let told = report.text();
    let lines: Vec<(Instant, &str)> = report.timeline.iter().map(|line| (line.at, line.text.as_str())).collect();
    assert_eq!(lines[0], (at(60), "worker-1: logger io.kestra is DEBUG now"), "{told}");
    assert!(lines[1].0 == at(120) && lines[1].1.starts_with("worker-1 "), "{told}");
}

#[test]
fn what_happened_is_read_from_a_number_on_also_when_the_oldest_was_forgotten() {
    let mut session = session(plan(CLUSTER)).endless();
    session.advance(at(600)).expect("no limit");
    let journal = session.simulation().journal();
    assert!(journal.next() > 3 && journal.len() as u64 == journal.next() && journal.dropped() == 0);
    let rest: Vec<_> = journal.since(journal.next() - 2).collect();
    assert_eq!(rest, journal.iter().skip(journal.len() - 2).collect::<Vec<_>>());
    assert_eq!(journal.since(journal.next()).count() + journal.since(u64::MAX).count(), 0);
}
