//! Pairs of faults, on every role of every recorded version (a sample; all of them with `--ignored`): what stands still does nothing by itself, who is held down
//! stays down, and the laws of the model hold after each event (they are asserted where debug assertions are on).
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use mock_kestra::profile::{Profile, Role};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{
    Amount, DatabaseFault, Fault, FaultKind, NoFiles, Plan, Queue, Target, TaskSelector, Thread, TimelineEntry, read,
};
use mock_kestra::simulator::{Happening, Port, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};

fn second(n: u64) -> Instant {
    Instant::START + Duration::seconds(n)
}

/// A fault and how long it lasts.
type Kind = (&'static str, fn(usize) -> Fault, Option<u64>);

const PAUSE: u64 = 70;

fn of(kind: FaultKind, target: Target, amount: Amount) -> Fault {
    Fault { kind, target, amount }
}

const KINDS: &[Kind] = &[
    ("kill", |it| Fault::of_members(FaultKind::Kill, vec![it]), None),
    ("kill for", |it| Fault::of_members(FaultKind::Kill, vec![it]), Some(120)),
    ("stop", |it| Fault::of_members(FaultKind::Stop, vec![it]), None),
    ("stop for", |it| Fault::of_members(FaultKind::Stop, vec![it]), Some(120)),
    ("start", |it| Fault::of_members(FaultKind::Start, vec![it]), None),
    ("restart", |it| Fault::of_members(FaultKind::Restart, vec![it]), None),
    (
        "upgrade",
        |it| {
            let version = Profile::named("2.0").expect("a version");
            of(FaultKind::Upgrade, Target::Members(vec![it]), Amount::Version(version))
        },
        None,
    ),
    ("native-leak", |it| of(FaultKind::NativeLeak, Target::Members(vec![it]), Amount::Leak(12.0e6)), Some(90)),
    ("trigger-load", |it| of(FaultKind::TriggerLoad, Target::Members(vec![it]), Amount::Triggers(50_000)), Some(60)),
    ("wrong-port", |it| Fault::of_members(FaultKind::WrongPort, vec![it]), Some(60)),
    ("hang", |it| Fault::of_members(FaultKind::Hang, vec![it]), Some(150)),
    ("long hang", |it| Fault::of_members(FaultKind::Hang, vec![it]), None),
    ("no-answer", |it| Fault::of_members(FaultKind::NoAnswer, vec![it]), Some(150)),
    (
        "gc-pause",
        |it| Fault {
            amount: Amount::Pause(Duration::seconds(PAUSE)),
            ..Fault::of_members(FaultKind::GcPause, vec![it])
        },
        None,
    ),
    ("refused", |_| Fault::of_database(DatabaseFault::Refused), Some(60)),
    ("stalled", |_| Fault::of_database(DatabaseFault::Stalled), Some(20)),
    ("long stalled", |_| Fault::of_database(DatabaseFault::Stalled), Some(90)),
    ("shut-down", |_| Fault::of_database(DatabaseFault::ShutDown), Some(60)),
    ("slow", |_| Fault::of_database(DatabaseFault::Slow(20.0)), Some(60)),
    (
        "heap-leak",
        |it| Fault { amount: Amount::Leak(12.0e6), ..Fault::of_members(FaultKind::HeapLeak, vec![it]) },
        Some(90),
    ),
    ("deadlock", |it| Fault::of_members(FaultKind::Deadlock, vec![it]), Some(60)),
    (
        "dead-thread",
        |it| {
            of(FaultKind::DeadThread, Target::Members(vec![it]), Amount::Thread(Thread::Queue(Queue::WorkerTaskResult)))
        },
        None,
    ),
    ("all threads", |it| of(FaultKind::DeadThread, Target::Members(vec![it]), Amount::Thread(Thread::All)), None),
    ("poison", |_| of(FaultKind::Poison, Target::Queue(Queue::WorkerTaskResult), Amount::None), Some(60)),
    ("query-fails", |it| Fault::of_members(FaultKind::QueryFails, vec![it]), None),
    ("disk-full", |it| Fault::of_members(FaultKind::DiskFull, vec![it]), Some(60)),
    ("arrivals", |_| of(FaultKind::Arrivals, Target::Flow(None), Amount::Times(8.0)), Some(60)),
    ("executions-lost", |_| of(FaultKind::ExecutionsLost, Target::Flow(None), Amount::None), None),
    ("paused-backfill", |_| of(FaultKind::PausedBackfill, Target::Flow(None), Amount::None), Some(60)),
    ("scheduled-twice", |_| of(FaultKind::ScheduledTwice, Target::Flow(None), Amount::None), Some(60)),
    (
        "kills-ignored",
        |_| of(FaultKind::KillsIgnored, Target::Tasks(TaskSelector::default()), Amount::Share(1.0)),
        Some(60),
    ),
    ("failures", |_| of(FaultKind::TaskFailures, Target::Tasks(TaskSelector::default()), Amount::Share(0.5)), Some(60)),
    ("lost", |_| of(FaultKind::LostResults, Target::Tasks(TaskSelector::default()), Amount::Share(0.5)), Some(60)),
    ("big", |_| of(FaultKind::BigResults, Target::Tasks(TaskSelector::default()), Amount::Share(0.5)), Some(60)),
    (
        "durations",
        |_| of(FaultKind::TaskDuration, Target::Tasks(TaskSelector::default()), Amount::Times(9.0)),
        Some(60),
    ),
];

fn plan(version: &str, cluster: &str, restart: &str, grace: &str) -> Plan {
    let text = format!(
        "name: pairs\nkestra: \"{version}\"\ncluster: {{ {cluster}, age: 1m, threads: 2, restart: {restart}, grace: {grace} }}\n\
         flows:\n  - id: f\n    namespace: n\n    concurrency: {{ limit: 3, behavior: QUEUE }}\n    tasks: [ {{ id: t, type: io.kestra.plugin.scripts.shell.Commands }} ]\n\
         \x20   triggers: [ {{ id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" }} ]\n\
         arrivals: [ {{ flow: f, rate: 20/min }} ]\n"
    );
    let (plan, diagnostics) = read("pairs.yaml", &text, &NoFiles);
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn entry(kind: &Kind, member: usize, at: Instant, name: &str) -> TimelineEntry {
    let (_, fault, lasts) = kind;
    TimelineEntry {
        name: name.into(),
        at,
        fault: fault(member),
        lasts: lasts.map(Duration::seconds),
        every: None,
        until: None,
    }
}

/// Whether a fault of the timeline holds a member down at an instant.
fn held(entries: &[TimelineEntry], member: usize, at: Instant) -> bool {
    entries.iter().any(|entry| {
        let down =
            matches!(entry.fault.kind, FaultKind::Kill | FaultKind::Stop) && entry.fault.members().contains(&member);
        down && entry.lasts.is_some_and(|lasts| entry.at <= at && at < entry.at + lasts)
    })
}

/// Whether a fault makes a member stand still at an instant. A collection stops the process that was there only.
fn still(entries: &[TimelineEntry], member: usize, at: Instant, started: Instant) -> bool {
    entries.iter().filter(|entry| entry.fault.members().contains(&member)).any(|entry| match entry.fault.kind {
        FaultKind::Hang => entry.at < at && entry.lasts.is_none_or(|lasts| at < entry.at + lasts),
        FaultKind::GcPause => started <= entry.at && entry.at < at && at < entry.at + Duration::seconds(PAUSE),
        _ => false,
    })
}

/// What a run did against what its faults allow.
fn violations(simulation: &Simulation, entries: &[TimelineEntry], member: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut started = Instant::START.before(Duration::minutes(1));
    let mut stopped_for_good = false;
    for line in simulation.journal().iter() {
        let at = line.at;
        for entry in entries.iter().filter(|entry| entry.at <= at) {
            match entry.fault.kind {
                FaultKind::Stop if entry.lasts.is_none() && !restarted(entries, entry.at, at) => {
                    stopped_for_good = true
                }
                FaultKind::Start | FaultKind::Restart | FaultKind::Upgrade => stopped_for_good = false,
                _ => {}
            }
        }
        if line.what.member() != Some(member) {
            continue;
        }
        let text = line.text(simulation.plan());
        match &line.what {
            Happening::Starts { .. } => {
                if held(entries, member, at) {
                    found.push(format!("{at}: {text}, and is held down"));
                }
                if stopped_for_good && !restarted(entries, Instant::START, at) {
                    found.push(format!("{at}: {text}, and was told to stop"));
                }
                started = at;
            }
            Happening::Exits { code: 137, .. } => {}
            Happening::ComesUp { .. }
            | Happening::Exits { .. }
            | Happening::ShutsDown { .. }
            | Happening::ClosesPorts { .. }
                if still(entries, member, at, started) =>
            {
                found.push(format!("{at}: {text}, and stands still"));
            }
            _ => {}
        }
    }
    found
}

/// Whether somebody starts or restarts members in a span.
fn restarted(entries: &[TimelineEntry], from: Instant, to: Instant) -> bool {
    let starts =
        |entry: &&TimelineEntry| matches!(entry.fault.kind, FaultKind::Start | FaultKind::Restart | FaultKind::Upgrade);
    entries.iter().filter(starts).any(|entry| entry.at >= from && entry.at <= to)
}

/// The pairs whose number is a multiple of `each`, counted over all roles.
fn pairs(version: &str, cluster: &str, roles: &[Role], each: usize) {
    // Two ways to be started again, and a grace period that is longer and one that is shorter than a hang.
    let plans = [plan(version, cluster, "10s", "5m"), plan(version, cluster, "kubernetes", "30s")];
    let (mut failures, mut number) = (Vec::new(), 0);
    for role in roles {
        let member = plans[0].cluster.members.iter().position(|it| it.role == *role).expect("a member of the role");
        for (a, first) in KINDS.iter().enumerate() {
            for (b, second_kind) in KINDS.iter().enumerate() {
                number += 1;
                if number % each != 0 {
                    continue;
                }
                let mut plan = plans[(a + b) % 2].clone();
                let entries =
                    vec![entry(first, member, second(60), "one"), entry(second_kind, member, second(90), "two")];
                plan.timeline.clone_from(&entries);
                let mut simulation = Simulation::new(Arc::new(plan), Seed(3), Calendar::default());
                simulation.advance(second(420)).expect("no limit");
                simulation.laws().expect("the laws hold");
                for violation in violations(&simulation, &entries, member) {
                    failures.push(format!(
                        "{version} {}: {} then {}: {violation}",
                        role.name(),
                        first.0,
                        second_kind.0
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} violations:\n{}", failures.len(), failures[..failures.len().min(40)].join("\n"));
}

/// A recorded version, its members, and which of them are broken.
type Broken = (&'static str, &'static str, &'static [Role]);

const APART: &str = "members: { webserver: 1, executor: 1, scheduler: 1, worker: 2, indexer: 1 }";
const WITH_CONTROLLER: &str =
    "members: { webserver: 1, executor: 1, scheduler: 1, worker: 2, indexer: 1, controller: 1 }";
const ROLES: &[Role] =
    &[Role::Webserver, Role::Executor, Role::Scheduler, Role::Worker, Role::Indexer, Role::Controller];

const ALL: &[Broken] = &[
    ("0.20", "standalone: 1", &[Role::Standalone]),
    ("1.3", "standalone: 1", &[Role::Standalone]),
    ("2.0", "standalone: 1", &[Role::Standalone]),
    ("0.20", APART, ROLES.split_at(5).0),
    ("1.3", APART, ROLES.split_at(5).0),
    ("2.0", WITH_CONTROLLER, ROLES),
];

/// One pair of so many is tried each time. It has no divisor in common with the number of kinds: all come first and second.
const SAMPLE: usize = 7;

#[test]
fn pairs_of_faults_on_each_role_of_each_version() {
    ALL.iter().for_each(|(version, cluster, roles)| pairs(version, cluster, roles, SAMPLE));
}

#[test]
#[ignore = "all 7,600 pairs, minutes"]
fn every_pair_of_faults_on_each_role_of_each_version() {
    ALL.iter().for_each(|(version, cluster, roles)| pairs(version, cluster, roles, 1));
}

/// A run of 1.3 with these entries of a timeline, at an instant.
fn run(timeline: &str, at: u64) -> Simulation {
    let text = format!(
        "name: x\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 1 }}, restart: 10s }}\ntimeline:\n{timeline}"
    );
    let plan = read("x.yaml", &text, &NoFiles).0.expect("a plan");
    let mut simulation = Simulation::new(Arc::new(plan), Seed(1), Calendar::default());
    simulation.advance(second(at)).expect("no limit");
    simulation
}

fn worker(simulation: &Simulation) -> Port {
    simulation.members().last().expect("a worker").port()
}

#[test]
fn a_hung_process_hears_sigterm_when_it_goes_on() {
    let timeline = "  - { at: 1m, hang: worker-1, for: 4m }\n  - { at: 90s, stop: worker-1 }\n";
    assert_eq!(worker(&run(timeline, 299)), Port::Frozen);
    let after = run(timeline, 310);
    assert_eq!(worker(&after), Port::Refused);
    let texts: Vec<String> = after.journal().iter().map(|line| line.text(after.plan())).collect();
    assert!(texts.contains(&"worker-1 shuts down".to_owned()) || texts.iter().any(|it| it.contains("disconnected")));
}

#[test]
fn a_hung_process_that_was_told_to_stop_is_killed_when_its_grace_period_is_over() {
    let text = "name: x\ncluster: { standalone: 1, grace: 1m }\ntimeline:\n  - { at: 1m, hang: standalone-1, for: 10m }\n  - { at: 90s, stop: standalone-1 }\n";
    let plan = Arc::new(read("x.yaml", text, &NoFiles).0.expect("a plan"));
    let mut simulation = Simulation::new(plan, Seed(1), Calendar::default());
    simulation.advance(second(149)).expect("no limit");
    assert_eq!(worker(&simulation), Port::Frozen);
    simulation.advance(second(151)).expect("no limit");
    assert_eq!(worker(&simulation), Port::Refused);
    let last = simulation.journal().iter().next_back().expect("something").text(simulation.plan());
    assert_eq!(last, "standalone-1 exits with code 137: did not answer SIGTERM, killed as the grace period is over");
}

#[test]
fn who_is_held_down_stays_down_until_the_last_hold_ends() {
    let timeline = "  - { at: 1m, kill: worker-1 }\n  - { at: 65s, kill: worker-1, for: 2m }\n";
    for at in [71, 90, 184] {
        assert_eq!(worker(&run(timeline, at)), Port::Refused, "{at} s");
    }
    assert_eq!(worker(&run(timeline, 200)), Port::Open);
    let overlapping = "  - { at: 1m, kill: worker-1, for: 1m }\n  - { at: 90s, stop: worker-1, for: 3m }\n";
    assert_eq!(worker(&run(overlapping, 200)), Port::Refused);
    assert_eq!(worker(&run(overlapping, 285)), Port::Open);
}

#[test]
fn an_order_to_stop_outlives_the_restart_policy_until_somebody_starts_it() {
    let timeline = "  - { at: 1m, kill: worker-1 }\n  - { at: 62s, stop: worker-1 }\n  - { at: 3m, start: worker-1 }\n";
    for at in [80, 120, 179] {
        assert_eq!(worker(&run(timeline, at)), Port::Refused, "{at} s");
    }
    assert_eq!(worker(&run(timeline, 195)), Port::Open);
}

#[test]
fn a_fault_that_repeats_happens_until_its_end_and_can_be_cleared() {
    let timeline = "  - { name: crash, at: 1m, kill: worker-1, every: 1m, until: 4m }\n";
    let simulation = run(timeline, 600);
    let kills: Vec<u64> = simulation
        .journal()
        .iter()
        .filter(|line| matches!(line.what, Happening::Killed { .. }))
        .map(|line| line.at.since(Instant::START).as_milliseconds() / 1000)
        .collect();
    assert_eq!(kills, [60, 120, 180, 240]);
    assert!(simulation.faults().is_empty());
    let mut cleared = run(timeline, 130);
    assert_eq!(cleared.faults()[0].again, Some(second(180)));
    cleared.command(mock_kestra::simulator::Command::Clear("crash".into())).expect("it is there");
    cleared.advance(second(600)).expect("no limit");
    let kills = cleared.journal().iter().filter(|line| matches!(line.what, Happening::Killed { .. })).count();
    assert_eq!(kills, 2);
}

#[test]
fn a_process_that_starts_up_stands_still_too() {
    let timeline = "  - { at: 1m, kill: worker-1 }\n  - { at: 71s, hang: worker-1, for: 2m }\n";
    for at in [80, 120, 190] {
        assert_eq!(worker(&run(timeline, at)), Port::Refused, "{at} s");
    }
    assert_eq!(worker(&run(timeline, 193)), Port::Open);
}

#[test]
fn who_hangs_after_sigterm_is_killed_when_its_grace_period_is_over() {
    let text = "name: x\ncluster: { standalone: 1, grace: 2m }\n\
                flows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.B } ] } ]\nbehaviour: [ { task: t, duration: 1h } ]\n\
                arrivals: [ { flow: f, rate: 1/s } ]\ntimeline:\n  - { at: 1m, stop: standalone-1 }\n  - { at: 70s, hang: standalone-1, for: 20m }\n";
    let plan = Arc::new(read("x.yaml", text, &NoFiles).0.expect("a plan"));
    let mut simulation = Simulation::new(plan, Seed(1), Calendar::default());
    simulation.advance(second(179)).expect("no limit");
    assert_eq!(worker(&simulation), Port::Frozen);
    simulation.advance(second(181)).expect("no limit");
    assert_eq!(worker(&simulation), Port::Refused);
}

#[test]
fn the_fault_of_the_database_that_began_last_wins_also_when_it_repeats() {
    let timeline =
        "  - { at: 1m, database: refused, for: 10s, every: 5m }\n  - { at: 2m, database: { slow: 10x }, for: 30m }\n";
    let simulation = run(timeline, 370);
    let dead = simulation.members().iter().filter(|member| member.life() > 1).count();
    assert!(dead > 2, "at 6m processes die once more: {dead}");
}

#[test]
fn who_is_started_while_it_still_shuts_down_is_started_when_it_is_gone() {
    let text = "name: x\ncluster: { standalone: 1, restart: never }\ntimeline:\n  - { at: 1m, stop: standalone-1 }\n  - { at: 61s, start: standalone-1 }\n";
    let plan = Arc::new(read("x.yaml", text, &NoFiles).0.expect("a plan"));
    let mut simulation = Simulation::new(plan, Seed(1), Calendar::default());
    simulation.advance(second(120)).expect("no limit");
    assert_eq!((worker(&simulation), simulation.members()[0].life()), (Port::Open, 1));
}

#[test]
fn a_restart_undoes_an_order_to_stop_that_is_still_being_followed() {
    let timeline = "  - { at: 1m, stop: worker-1 }\n  - { at: 61s, restart: worker-1 }\n";
    assert_eq!(worker(&run(timeline, 59)), Port::Open);
    assert_eq!(worker(&run(timeline, 90)), Port::Open);
    let stopped = "  - { at: 1m, stop: worker-1 }\n";
    assert_eq!(worker(&run(stopped, 90)), Port::Refused);
}

#[test]
fn a_fault_that_begins_once_more_before_its_end_lasts_as_long_anew() {
    let timeline = "  - { at: 1m, hang: worker-1, for: 30s, every: 20s, until: 80s }\n";
    for (at, port) in [(61, Port::Frozen), (91, Port::Frozen), (109, Port::Frozen), (111, Port::Open)] {
        assert_eq!(worker(&run(timeline, at)), port, "{at} s");
    }
}
