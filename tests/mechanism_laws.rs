//! Laws of single faults: what moves because of the cause, and what stands still.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::{exposition, families};
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::{DatabaseView, Happening, Port, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;

/// A flow that may run once at a time, started each minute, and a fault of it.
fn plan(version: &str, task: u64, at: u64, fault: &str) -> Arc<Plan> {
    let text = format!(
        "name: law\nkestra: \"{version}\"\nduration: 40m\n\
         cluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 1, indexer: 1 }} }}\n\
         flows:\n  - id: f\n    namespace: n\n    concurrency: {{ limit: 1, behavior: QUEUE }}\n    tasks: [ {{ id: t, type: t.T }} ]\n\
         \x20   triggers: [ {{ id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" }} ]\n\
         \x20 - {{ id: g, namespace: n, tasks: [ {{ id: t, type: t.T }} ] }}\n\
         behaviour: [ {{ flow: f, duration: {task}s }}, {{ flow: g, duration: 2s }} ]\n\
         arrivals: [ {{ flow: f, rate: 2/min }}, {{ flow: g, rate: 30/min }} ]\n\
         timeline: [ {{ at: {at}s, {fault} }} ]\n"
    );
    reads(&text)
}

fn reads(text: &str) -> Arc<Plan> {
    let (plan, told) = read("law.yaml", text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", mock_kestra::document::render(&told))))
}

/// A small cluster that the kubelet restarts, with work to do, and entries of a timeline.
fn restarted(version: &str, timeline: &str) -> Arc<Plan> {
    reads(&format!(
        "name: law\nkestra: \"{version}\"\nduration: 12h\n\
         cluster: {{ database: postgresql, restart: kubernetes, members: {{ webserver: 1, executor: 1, worker: 1 }} }}\n\
         flows: [ {{ id: g, namespace: n, tasks: [ {{ id: t, type: t.T }} ] }} ]\n\
         behaviour: [ {{ flow: g, duration: 2s }} ]\narrivals: [ {{ flow: g, rate: 6/min }} ]\ntimeline: {timeline}\n"
    ))
}

/// When members left, and came up, in seconds.
fn times(simulation: &Simulation, is: fn(&Happening) -> bool) -> Vec<f64> {
    let found = simulation.journal().iter().filter(|line| is(&line.what));
    found.map(|line| line.at.since(Instant::START).as_seconds_f64()).collect()
}

fn exits(simulation: &Simulation) -> Vec<f64> {
    times(simulation, |line| matches!(line, Happening::Exits { .. }))
}

fn comes_up(simulation: &Simulation) -> Vec<f64> {
    times(simulation, |line| matches!(line, Happening::ComesUp { .. }))
}

fn start(plan: &Arc<Plan>, seed: u64) -> Simulation {
    Simulation::new(plan.clone(), Seed(seed), Calendar::default())
}

fn until(simulation: &mut Simulation, second: u64) {
    simulation.advance(Instant::START + Duration::seconds(second)).expect("no limit");
    simulation.laws().expect("the laws hold");
}

/// The sum of a family's series with a label, over all members that answer.
fn sum(simulation: &Simulation, name: &str, label: &str) -> f64 {
    let open = |member: &usize| simulation.members()[*member].port() == Port::Open;
    let texts = (0..simulation.members().len()).filter(open).map(|member| exposition(simulation, member));
    let mut sum = 0.0;
    for family in texts.flat_map(|text| families(&text).into_iter().collect::<Vec<_>>()) {
        for (line, value) in family.series.iter().zip(&family.values) {
            if line.starts_with(&format!("{name}{{")) && line.contains(label) {
                sum += value.parse::<f64>().expect("a number");
            }
        }
    }
    sum
}

const FIRES: &str = "kestra_scheduler_trigger_count_total";
const MISSING: &str = "kestra_scheduler_execution_missing_duration_seconds";
const QUEUED: &str = "kestra_executor_execution_queued_count_total";
const POPPED: &str = "kestra_executor_execution_popped_count_total";
const ENDED: &str = "kestra_executor_execution_end_count_total";
const F: &str = "flow_id=\"f\"";

proptest! {
    #![proptest_config(common::config(24))]

    /// A trigger whose execution is lost never fires again; the time since it did is measured each ten seconds. Before, none is.
    #[test]
    fn a_trigger_waits_for_ever_for_an_execution_that_is_lost(seed in 0u64..1000, at in 600u64..700) {
        // It runs without a pause, and its Schedule is late: one of it runs at every instant, or is about to.
        let plan = plan("1.3", 70, at, "executions-lost: { flow: f }");
        let mut simulation = start(&plan, seed);
        until(&mut simulation, at - 1);
        prop_assert_eq!(sum(&simulation, &format!("{MISSING}_count"), F), 0.0);
        until(&mut simulation, at + 180);
        let lost = simulation.truth().lost;
        prop_assert!((1..=2).contains(&lost), "one runs, another one may be created just then, the others are QUEUED: {}", lost);
        let (fired, missing) =
            (sum(&simulation, FIRES, F), sum(&simulation, &format!("{MISSING}_count"), F));
        until(&mut simulation, at + 1180);
        // It may be one of the API that was lost: then the trigger waits for one that is QUEUED for ever, and all is silent.
        prop_assert_eq!(sum(&simulation, FIRES, F), fired);
        let measured = sum(&simulation, &format!("{MISSING}_count"), F) - missing;
        prop_assert!(measured == 0.0 && missing == 0.0 || (99.0..=101.0).contains(&measured), "{} {}", missing, measured);
    }

    /// A place of an execution that is lost is never given back since 1.0: what is behind the limit grows by what comes. 0.20
    /// counts what there is, so the next one begins. The flow beside it knows of nothing.
    #[test]
    fn a_place_that_is_lost_is_lost_for_ever_where_places_are_counted(seed in 0u64..1000, at in 600u64..700) {
        for (version, leaks) in [("0.20", false), ("1.0", true), ("1.3", true), ("2.0", true)] {
            let plan = plan(version, 70, at, "executions-lost: { flow: f }");
            let mut simulation = start(&plan, seed);
            until(&mut simulation, at + 10);
            let (queued, truth) = (simulation.truth().queued, simulation.truth().clone());
            // Beside the one that runs, one that was created at that instant and is not QUEUED yet.
            prop_assert!((1..=2).contains(&truth.lost), "{}", truth.lost);
            let (popped, put) = (sum(&simulation, POPPED, F), sum(&simulation, QUEUED, F));
            let ended = |simulation: &Simulation| (sum(simulation, ENDED, F), sum(simulation, ENDED, "flow_id=\"g\""));
            let before = ended(&simulation);
            until(&mut simulation, at + 1200);
            let after = ended(&simulation);
            prop_assert!(after.1 - before.1 > 400.0, "{}: {:?} {:?}", version, before, after);
            if leaks {
                prop_assert_eq!(after.0, before.0, "{}", version);
                prop_assert_eq!(sum(&simulation, POPPED, F), popped);
                let more = simulation.truth().queued - queued;
                prop_assert!(more > 10, "{}", more);
                prop_assert_eq!(sum(&simulation, QUEUED, F) - put, more as f64);
            } else {
                prop_assert!(after.0 - before.0 > 10.0, "{}: {:?} {:?}", version, before, after);
            }
        }
    }

    /// Whoever does not answer works on: nobody misses it, nothing is handed out again, and as much is done as without it.
    #[test]
    fn who_does_not_answer_works_on(seed in 0u64..1000, lasts in 60u64..1200) {
        let deaf = plan("1.3", 20, 600, &format!("no-answer: worker-1, for: {lasts}s"));
        // The same again with a fault that does nothing: a start of one that runs.
        let well = plan("1.3", 20, 600, "start: worker-1");
        let (mut deaf, mut well) = (start(&deaf, seed), start(&well, seed));
        let worker = deaf.members().iter().position(|it| it.name() == "worker-1").expect("a worker");
        for simulation in [&mut deaf, &mut well] {
            until(simulation, 600 + lasts - 1);
        }
        prop_assert_eq!((deaf.members()[worker].port(), well.members()[worker].port()), (Port::Frozen, Port::Open));
        for simulation in [&mut deaf, &mut well] {
            until(simulation, 600 + lasts + 60);
        }
        prop_assert_eq!(deaf.members()[worker].port(), Port::Open);
        prop_assert_eq!(deaf.truth(), well.truth());
        let missed = |line: &Happening| matches!(line, Happening::Disconnected { .. } | Happening::Exits { .. });
        prop_assert!(!deaf.journal().iter().any(|line| missed(&line.what)));
    }

    /// Slots are taken as fast as they leak, no sooner: 97 less ten of each pool. Whoever dies of it frees what it kept, and it
    /// takes as long again.
    #[test]
    fn connections_that_leak_take_all_slots_as_often_as_they_are_freed(seed in 0u64..1000, hourly in 60u64..400) {
        let leak = format!("[ {{ at: 10m, connection-leak: {{ member: executor-1, rate: {hourly}/h }} }} ]");
        let mut simulation = start(&restarted("1.3", &leak), seed);
        let full = 600.0 + 67.0 * 3600.0 / hourly as f64;
        until(&mut simulation, full as u64 - 1);
        prop_assert_eq!(exits(&simulation), Vec::<f64>::new());
        prop_assert!(matches!(simulation.database(0), DatabaseView::Reachable { slowdown: 1.0 }), "as it should be");
        until(&mut simulation, full as u64 + 29);
        prop_assert!(matches!(simulation.database(0), DatabaseView::Stalled { .. }), "as it should be");
        until(&mut simulation, full as u64 + 60);
        let gone = exits(&simulation);
        prop_assert!(!gone.is_empty() && gone.iter().all(|at| (full + 30.0..full + 40.0).contains(at)), "{:?} {}", gone, full);
        prop_assert!(matches!(simulation.database(0), DatabaseView::Reachable { .. }), "as it should be");
    }

    /// A start that takes longer than the probe waits is killed each time; a shorter one is only late. Whoever ran runs on.
    #[test]
    fn a_start_that_takes_too_long_for_its_probe_never_ends(seed in 0u64..1000, takes in 1u64..600) {
        let slow = format!(
            "[ {{ at: 10m, slow-start: {{ member: all, takes: {takes}s }}, for: 30m }}, {{ at: 10m, restart: executor-1 }} ]"
        );
        let mut simulation = start(&restarted("1.3", &slow), seed);
        until(&mut simulation, 2399);
        let (gone, came) = (exits(&simulation), comes_up(&simulation));
        if takes > 120 {
            prop_assert!(came.is_empty() && gone.len() > 5, "{:?} {:?}", gone, came);
        } else if takes < 105 {
            prop_assert!(gone.len() == 1 && came.len() == 1, "{:?} {:?}", gone, came);
            prop_assert!((gone[0] + takes as f64..gone[0] + takes as f64 + 15.0).contains(&came[0]));
        }
        // Its back-off is five minutes at most.
        until(&mut simulation, 2400 + 300 + 120 + 20);
        prop_assert_eq!(comes_up(&simulation).len(), 1);
    }

    /// Where starts fail nobody comes up before the end of it, and who was not restarted runs on.
    #[test]
    fn nobody_comes_up_where_starts_fail(seed in 0u64..1000, lasts in 60u64..3600) {
        let fails = format!("[ {{ at: 10m, start-fails: all, for: {lasts}s }}, {{ at: 601s, restart: worker-1 }} ]");
        let mut simulation = start(&restarted("1.3", &fails), seed);
        until(&mut simulation, 600 + lasts - 1);
        let workers = simulation.members().iter().find(|it| it.name() == "executor-1").expect("an executor");
        prop_assert_eq!((workers.life(), workers.port()), (0, Port::Open));
        prop_assert!(comes_up(&simulation).is_empty());
        until(&mut simulation, 600 + lasts + 330);
        prop_assert_eq!(comes_up(&simulation).len(), 1);
    }

    /// A query takes once more its time for each 50000 rows: those left behind, and what was sent since. Cleaned, it is as ever.
    #[test]
    fn queries_take_as_long_as_rows_are_left(seed in 0u64..1000, rows in 1_000u64..10_000_000) {
        let left = format!("[ {{ at: 10m, queue-rows: {{ rows: {rows} }}, for: 150m }} ]");
        let mut simulation = start(&restarted("1.3", &left), seed);
        let slowdown = |simulation: &Simulation| match simulation.database(0) {
            DatabaseView::Reachable { slowdown } => slowdown,
            _ => panic!("it is there"),
        };
        until(&mut simulation, 599);
        prop_assert_eq!(slowdown(&simulation), 1.0);
        let mut before = 0.0;
        for hour in 0..3 {
            until(&mut simulation, 601 + hour * 3600);
            let more = (slowdown(&simulation) - 1.0) * 50_000.0 - rows as f64;
            // Each execution sends some messages.
            let least = hour as f64 * 250.0;
            prop_assert!(more + 1.0 >= least && more + 1.0 >= before && more <= hour as f64 * 10_000.0 + 1.0, "{} {}", hour, more);
            before = more;
        }
        until(&mut simulation, 601 + 150 * 60);
        prop_assert_eq!(slowdown(&simulation), 1.0);
    }

    /// A paused backfill starts one execution of its flow each second, whatever the trigger waits for, while a scheduler is
    /// there; no other flow is touched, and with its end it is over.
    #[test]
    fn a_paused_backfill_starts_one_execution_a_second(seed in 0u64..1000, at in 600u64..700, lasts in 60u64..600) {
        let stormy = plan("1.3", 5, at, &format!("paused-backfill: {{ flow: f }}, for: {lasts}s"));
        let calm = plan("1.3", 5, at, "start: worker-1");
        let mut after = [0.0; 2];
        for (plan, after) in [&stormy, &calm].into_iter().zip(&mut after) {
            let mut simulation = start(plan, seed);
            until(&mut simulation, at + lasts + 120);
            *after = sum(&simulation, FIRES, F);
        }
        let more = after[0] - after[1];
        // Its Schedule fires less often than each minute while what it started is QUEUED: at most twelve dates are late.
        prop_assert!(more <= lasts as f64 + 1.0 && more >= lasts as f64 - 13.0, "{} {}", more, lasts);
    }

    /// Two schedulers start two executions a date; one alone starts one, whatever it does not see.
    #[test]
    fn only_two_schedulers_start_a_date_twice(seed in 0u64..1000) {
        for (schedulers, each) in [(1, 1.0), (2, 2.0)] {
            let text = format!(
                "name: law\nkestra: \"1.3\"\nduration: 40m\n\
                 cluster: {{ members: {{ webserver: 1, executor: 1, scheduler: {schedulers}, worker: 1 }} }}\n\
                 flows: [ {{ id: f, namespace: n, tasks: [ {{ id: t, type: t.T }} ], \
                 triggers: [ {{ id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" }} ] }} ]\n\
                 behaviour: [ {{ flow: f, duration: 2s }} ]\n\
                 timeline: [ {{ at: 600s, scheduled-twice: {{ flow: f }}, for: 10m }} ]\n"
            );
            let (plan, told) = read("law.yaml", &text, &NoFiles);
            let plan = Arc::new(plan.unwrap_or_else(|| panic!("{}", mock_kestra::document::render(&told))));
            let mut simulation = start(&plan, seed);
            let mut fired = |second| {
                until(&mut simulation, second);
                sum(&simulation, FIRES, F)
            };
            let counts = [570, 630, 1170, 1230, 1770].map(&mut fired);
            prop_assert_eq!(counts[2] - counts[1], 9.0 * each);
            prop_assert_eq!(counts[4] - counts[3], 9.0, "it is over");
        }
    }

    /// A task that does not hear that it is killed keeps its thread until its own end; one that hears gives it back at once.
    #[test]
    fn a_task_that_does_not_hear_of_its_kill_keeps_its_thread(seed in 0u64..1000) {
        for (fault, left) in [("kills-ignored: { flow: f, share: 100% }", 1.0), ("start: worker-1", 0.0)] {
            let text = format!(
                "name: law\nkestra: \"1.3\"\nduration: 40m\n\
                 cluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 1 }} }}\n\
                 flows: [ {{ id: f, namespace: n, tasks: [ {{ id: t, type: t.T }} ] }} ]\n\
                 behaviour: [ {{ flow: f, duration: 20m }} ]\n\
                 timeline: [ {{ at: 10s, {fault} }} ]\n\
                 commands: [ {{ at: 1m, execute: f }}, {{ at: 2m, kill: f }} ]\n"
            );
            let (plan, told) = read("law.yaml", &text, &NoFiles);
            let plan = Arc::new(plan.unwrap_or_else(|| panic!("{}", mock_kestra::document::render(&told))));
            // Commands are given by a session.
            let mut session = Session::new(plan, Seed(seed), Calendar::default());
            let mut running = |second| {
                session.advance(Instant::START + Duration::seconds(second)).expect("no limit");
                session.simulation().laws().expect("the laws hold");
                sum(session.simulation(), "kestra_worker_running_count", F)
            };
            prop_assert_eq!([110, 180, 1200, 1300].map(&mut running), [1.0, left, left, 0.0]);
        }
    }
}
