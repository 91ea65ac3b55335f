//! Laws of the model over random clusters, flows and faults.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{exposition, families};
use mock_kestra::flow::{
    Body as TaskBody, Concurrency, ConcurrencyBehavior, Demand, Flow, Group, How, Pause, Retry, RetryPause, Schedule,
    Sla, State, Subflow, Task, Trigger, TriggerAction,
};
use mock_kestra::management::{Body, Outcome, Request, answer};
use mock_kestra::profile::{Profile, Role};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{
    Amount, Arrivals, Behaviour, ClusterPlan, DatabaseFault, DatabaseKind, Deed, DurationDistribution, Fault,
    FaultKind, MemberPlan, Plan, Poller, Restart, Secrets, Settings, Target, TaskOf, TaskSelector, TimelineEntry,
    Which, Whose,
};
use mock_kestra::simulator::{Command, Port, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};
use proptest::prelude::*;
use proptest::sample::select;

fn member(name: &str, role: Role, threads: u32, restart: Restart, grace: u64) -> MemberPlan {
    MemberPlan {
        name: name.into(),
        role,
        kestra: None,
        threads,
        heap: 1 << 30,
        restart,
        grace: Duration::seconds(grace),
        reserve: false,
    }
}

fn members() -> impl Strategy<Value = Vec<MemberPlan>> {
    let restart = select(vec![Restart::Never, Restart::After(Duration::seconds(10)), Restart::Kubernetes]);
    let shape = (1u32..6, restart, 20u64..120, 1usize..4, any::<bool>());
    prop_oneof![
        shape.clone().prop_map(|(threads, restart, grace, ..)| {
            vec![member("standalone-1", Role::Standalone, threads, restart, grace)]
        }),
        shape.prop_map(|(threads, restart, grace, workers, indexer)| {
            let mut all = vec![
                member("webserver-1", Role::Webserver, threads, restart, grace),
                member("executor-1", Role::Executor, threads, restart, grace),
                member("scheduler-1", Role::Scheduler, threads, restart, grace),
            ];
            for n in 1..=workers {
                all.push(member(&format!("worker-{n}"), Role::Worker, threads, restart, grace));
            }
            if indexer {
                all.push(member("indexer-1", Role::Indexer, threads, restart, grace));
            }
            all
        }),
    ]
}

fn task(index: usize) -> impl Strategy<Value = Task> {
    let pause = prop_oneof![
        (1u64..20).prop_map(|s| RetryPause::Constant(Duration::seconds(s))),
        (1u64..5).prop_map(|s| RetryPause::Exponential {
            interval: Duration::seconds(s),
            factor: 2.0,
            max: Duration::seconds(30)
        }),
        (1u64..5).prop_map(|s| RetryPause::Random { min: Duration::seconds(s), max: Duration::seconds(2 * s) }),
    ];
    let retry = (pause, 2u32..4, any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(pause, max, warn, new)| Retry {
        pause,
        max_attempts: Some(max),
        max_duration: None,
        warning_on_retry: warn,
        new_execution: new,
    });
    let kinds = select(vec!["io.kestra.plugin.core.log.Log", "io.kestra.plugin.scripts.python.Script"]);
    (kinds, prop::option::weighted(0.3, retry), prop::option::weighted(0.3, 1u64..20), any::<bool>(), 0..10u8).prop_map(
        move |(kind, retry, timeout, allow_failure, disabled)| Task {
            id: format!("t{index}"),
            kind: kind.into(),
            retry,
            timeout: timeout.map(|s| Duration::seconds(s).into()),
            allow_failure,
            disabled: disabled == 0,
            run_if: (disabled == 1).then(|| "false".to_owned()),
            ..Task::default()
        },
    )
}

/// Some tasks, or a task that holds them, or others of Kestra's own beside them.
fn shaped(index: usize, shape: u8, mut tasks: Vec<Task>) -> Vec<Task> {
    let own = |body| Task { id: "own".into(), kind: "io.kestra.plugin.core.flow.X".into(), body, ..Task::default() };
    let group = |how, tasks| {
        TaskBody::Group(Box::new(Group { how, branches: vec![tasks], errors: Vec::new(), finally: Vec::new() }))
    };
    match shape {
        1 => vec![own(group(How::Parallel(2), tasks))],
        2 => vec![own(group(How::ForEach(vec!["a", "b", "c"].into(), 2), tasks))],
        3 => {
            let pause = Pause { duration: Some(Duration::seconds(7).into()), ..Pause::default() };
            tasks.insert(0, own(TaskBody::Pause(pause)));
            tasks
        }
        // Of the flow before it, so that no execution starts itself.
        4 if index > 0 => {
            tasks.push(own(TaskBody::Subflow(Box::new(Subflow {
                namespace: "company.team".into(),
                flow: format!("f{}", index - 1),
                wait: tasks.len() != 1,
                transmit: true,
                inputs: Default::default(),
                restarts: true,
                batches: false,
                inherit: false,
                outputs: Default::default(),
                labels: Vec::new(),
            }))));
            tasks
        }
        5 => {
            tasks.push(own(TaskBody::Exit(State::Warning)));
            tasks
        }
        _ => tasks,
    }
}

fn flow(index: usize) -> impl Strategy<Value = Flow> {
    let behavior = select(vec![ConcurrencyBehavior::Queue, ConcurrencyBehavior::Cancel, ConcurrencyBehavior::Fail]);
    let concurrency = (1u32..3, behavior).prop_map(|(limit, behavior)| Concurrency { limit, behavior });
    let action = prop_oneof![
        Just(TriggerAction::Schedule(Schedule {
            cron: "*/10 * * * * *".into(),
            with_seconds: true,
            timezone: "UTC".into()
        })),
        (5u64..40).prop_map(|s| TriggerAction::Poll { interval: Duration::seconds(s) }),
    ];
    let triggers = prop::collection::vec(action, 0..2);
    let sla = (1u64..60, select(vec![Some(State::Failed), Some(State::Cancelled), None])).prop_map(|(s, ends)| Sla {
        id: "s".into(),
        demand: Demand::MaxDuration(Duration::seconds(s)),
        ends,
        labels: vec![("late".into(), "yes".into())],
    });
    let slas = prop::collection::vec(sla, 0..2);
    ((task(0), task(1), task(2)), 1usize..4, prop::option::of(concurrency), (triggers, slas), 0..8u8).prop_map(
        move |((a, b, c), count, concurrency, (triggers, slas), shape)| Flow {
            slas,
            id: format!("f{index}"),
            namespace: "company.team".into(),
            finally: if count == 3 { vec![Task { id: "f".into(), ..b.clone() }] } else { Vec::new() },
            after_execution: if shape == 0 { vec![Task { id: "g".into(), ..b.clone() }] } else { Vec::new() },
            errors: if count == 2 { vec![Task { id: "e".into(), ..b.clone() }] } else { Vec::new() },
            tasks: shaped(index, shape, [a, b, c].into_iter().take(count).collect()),
            triggers: triggers
                .into_iter()
                .enumerate()
                .map(|(n, action)| Trigger {
                    id: format!("g{n}"),
                    kind: match action {
                        TriggerAction::Poll { .. } => "io.kestra.plugin.core.http.Trigger".into(),
                        _ => "io.kestra.plugin.core.trigger.Schedule".into(),
                    },
                    action,
                    disabled: false,
                    limits: Default::default(),
                    gives: Default::default(),
                })
                .collect(),
            concurrency,
            ..Flow::default()
        },
    )
}

fn of(kind: FaultKind, target: Target, amount: Amount) -> Fault {
    Fault { kind, target, amount }
}

fn fault(members: usize) -> impl Strategy<Value = (Fault, bool)> {
    // One target, or two.
    let one = (0..members, 0..members, any::<bool>()).prop_map(|(first, second, both)| match both && first != second {
        true => vec![first, second],
        false => vec![first],
    });
    let lasting =
        select(vec![FaultKind::Stop, FaultKind::Hang, FaultKind::NoAnswer, FaultKind::DiskFull, FaultKind::Deadlock]);
    let sudden = select(vec![FaultKind::Start, FaultKind::Restart, FaultKind::Stop]);
    prop_oneof![
        1 => one.clone().prop_map(|of| (Fault::of_members(FaultKind::Kill, of), false)),
        1 => one.clone().prop_map(|of| (Fault::of_members(FaultKind::Kill, of), true)),
        4 => (one.clone(), lasting).prop_map(|(of, kind)| (Fault::of_members(kind, of), true)),
        2 => (one.clone(), sudden).prop_map(|(of, kind)| (Fault::of_members(kind, of), false)),
        1 => one.clone().prop_map(|members| (
            Fault { amount: Amount::Pause(Duration::seconds(8)), ..Fault::of_members(FaultKind::GcPause, members) },
            false
        )),
        1 => one.prop_map(|members| (
            Fault { amount: Amount::Leak(8.0e6), ..Fault::of_members(FaultKind::HeapLeak, members) },
            true
        )),
        1 => select(vec![
            DatabaseFault::Refused,
            DatabaseFault::Stalled,
            DatabaseFault::ShutDown,
            DatabaseFault::Slow(10.0),
        ])
        .prop_map(|fault| (Fault::of_database(fault), true)),
        1 => (0.0..5.0).prop_map(|times| (of(FaultKind::Arrivals, Target::Flow(None), Amount::Times(times)), true)),
        1 => Just((of(FaultKind::ExecutionsLost, Target::Flow(None), Amount::None), false)),
        1 => (0.1..5.0).prop_map(|times| (
            of(FaultKind::TaskDuration, Target::Tasks(TaskSelector::default()), Amount::Times(times)),
            true
        )),
        1 => (0.0..1.0).prop_map(|share| (
            of(FaultKind::TaskFailures, Target::Tasks(TaskSelector::default()), Amount::Share(share)),
            true
        )),
    ]
}

/// How often a fault repeats, and for how long, if it does.
fn again() -> impl Strategy<Value = Option<(u64, Option<u64>)>> {
    prop::option::weighted(0.25, (15_000u64..120_000, prop::option::of(0u64..400_000)))
}

/// What is configured of metrics.
fn settings() -> impl Strategy<Value = Settings> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(prefix, tags, labels)| Settings {
        metrics_prefix: prefix.then(|| "acme".to_owned()),
        metrics_tags: if tags { vec![("env".to_owned(), "test".to_owned())] } else { Vec::new() },
        metrics_labels: if labels { vec!["team".to_owned()] } else { Vec::new() },
        ..Settings::default()
    })
}

prop_compose! {
    fn timeline(members: usize)
        (faults in prop::collection::vec((fault(members), 0u64..400_000, 1u64..200_000, again()), 0..5))
        -> Vec<TimelineEntry>
    {
        faults.into_iter().enumerate().map(|(index, ((fault, lasting), at, lasts, again))| TimelineEntry {
            name: format!("fault-{index}"),
            at: Instant::START + Duration::milliseconds(at),
            fault,
            lasts: lasting.then_some(Duration::milliseconds(lasts)),
            every: again.map(|(every, _)| Duration::milliseconds(every)),
            until: again.and_then(|(_, until)| until).map(|until| Instant::START + Duration::milliseconds(at + until)),
        }).collect()
    }
}

fn plan() -> impl Strategy<Value = Arc<Plan>> {
    members().prop_flat_map(|members| {
        let parts = ((flow(0), flow(1)), 0.0..0.5, 0.0..0.4, 500u64..20_000, timeline(members.len()), any::<bool>());
        // The cluster's version, and that of a worker of its own.
        let versions =
            select(vec![("0.20", None), ("1.3", None), ("1.3", Some("0.20")), ("2.0", None), ("2.0", Some("1.3"))]);
        let odd = (prop::bool::weighted(0.2), prop::bool::weighted(0.2), settings());
        (Just(members), parts, versions, odd).prop_map(
            |(mut members, ((a, mut b), rate, fails, median, timeline, booting), (version, other), odd)| {
                let (kafka, disabled, settings) = odd;
                b.disabled = disabled;
                if let Some(worker) = members.iter_mut().find(|it| it.role == Role::Worker) {
                    worker.kestra = other.map(|other| Profile::named(other).expect("a version"));
                }
                // Half of the larger clusters of 2.0 have a controller of its own.
                if version == "2.0" && members.len() > 4 {
                    members.push(member("controller-1", Role::Controller, 1, Restart::Kubernetes, 30));
                }
                Arc::new(Plan {
                    name: "random".into(),
                    summary: String::new(),
                    kestra: Profile::named(version).expect("a version"),
                    duration: Duration::minutes(10),
                    start: None,
                    cluster: ClusterPlan {
                        booting,
                        age: if booting { Duration::ZERO } else { Duration::minutes(1) },
                        database: DatabaseKind::Postgresql,
                        kafka,
                        members,
                    },
                    flows: vec![a, b],
                    left_out: Vec::new(),
                    refused: Vec::new(),
                    behaviour: vec![Behaviour {
                        duration: Some(DurationDistribution {
                            median: Duration::milliseconds(median),
                            p99: Duration::milliseconds(median * 4),
                        }),
                        fails: Some(fails),
                        fires: Some(0.5),
                        ..Behaviour::default()
                    }],
                    arrivals: vec![
                        Arrivals { flow: 0, rate, webhook: false, inputs: Default::default() },
                        Arrivals { flow: 1, rate: rate / 2.0, webhook: true, inputs: Default::default() },
                    ],
                    pollers: vec![Poller { path: "/prometheus".into(), every: Duration::seconds(15) }],
                    settings,
                    secrets: Secrets::default(),
                    kv: Default::default(),
                    environment: Default::default(),
                    receivers: Vec::new(),
                    autoscale: Vec::new(),
                    silences: Vec::new(),
                    timeline,
                    commands: Vec::new(),
                    expectations: Vec::new(),
                })
            },
        )
    })
}

fn start(plan: &Arc<Plan>) -> Simulation {
    Simulation::new(plan.clone(), Seed(7), Calendar::default())
}

fn second(n: u64) -> Instant {
    Instant::START + Duration::seconds(n)
}

/// Everything a simulation shows at its instant.
fn picture(simulation: &Simulation) -> String {
    let mut all = format!("{:?}\n{:?}\n", simulation.truth(), simulation.backlog());
    for member in 0..simulation.members().len() {
        all += &format!("{:?}\n{:?}\n", simulation.members()[member].port(), simulation.running(member));
        all += &exposition(simulation, member);
    }
    all + &format!("{:?}", simulation.journal())
}

/// What somebody asks of executions: when, of which flow, and what.
fn asks() -> impl Strategy<Value = Vec<(u64, Whose, Deed)>> {
    let whose = (0..2usize, select(vec![Which::Last, Which::First, Which::All, Which::Number(1), Which::Number(3)]))
        .prop_map(|(flow, which)| Whose { flow, labels: Vec::new(), which });
    let task = || {
        prop::option::of(select(vec!["t0", "t1", "own", "e", "f", "g"]))
            .prop_map(|id| id.map(|id| TaskOf { id: id.to_owned(), value: None }))
    };
    let deed = prop_oneof![
        any::<bool>().prop_map(|cascade| Deed::Kill { cascade }),
        Just(Deed::Pause),
        Just(Deed::Resume { inputs: serde_json::Map::new() }),
        Just(Deed::Restart),
        task().prop_map(Deed::Replay),
        (task(), select(vec![State::Success, State::Failed, State::Warning]))
            .prop_map(|(task, state)| Deed::Change { task, state }),
    ];
    prop::collection::vec((0u64..300_000, whose, deed), 0..24)
}

proptest! {
    #![proptest_config(common::config(40))]

    /// Kills at any instant end everything, and no thread and no place leaks, whatever was asked before.
    #[test]
    fn whatever_is_asked_of_executions_a_kill_of_all_leaves_nothing(plan in plan(), asks in asks(), starts in prop::collection::vec((0u64..300_000, 0..2usize), 1..20)) {
        let mut plan = Plan { arrivals: Vec::new(), timeline: Vec::new(), ..Plan::clone(&plan) };
        plan.cluster.booting = false;
        plan.flows.iter_mut().for_each(|flow| flow.triggers.clear());
        let mut simulation = start(&Arc::new(plan));
        simulation.keep_executions();
        let mut all: Vec<(u64, Command)> = asks.into_iter().map(|(at, whose, deed)| (at, Command::Ask { deed, whose })).collect();
        all.extend(starts.into_iter().map(|(at, flow)| (at, Command::Execute { flow, origin: Arc::default() })));
        all.sort_by_key(|(at, _)| *at);
        for (at, command) in all {
            simulation.advance(Instant::START + Duration::milliseconds(at)).expect("no limit");
            let could = simulation.check(&command).is_ok();
            prop_assert_eq!(simulation.command(command).is_ok(), could);
            let laws = simulation.laws();
            prop_assert!(laws.is_ok(), "{:?} at {}", laws, simulation.now());
        }
        // Who tries a failed execution again makes new ones for a while.
        for round in 0..20 {
            for flow in 0..2 {
                let whose = Whose { flow, labels: Vec::new(), which: Which::All };
                let _ = simulation.command(Command::Ask { deed: Deed::Kill { cascade: true }, whose });
            }
            simulation.advance(second(300 + 60 * (round + 1))).expect("no limit");
        }
        let (truth, backlog) = (simulation.truth(), simulation.backlog());
        prop_assert_eq!(truth.live, 0, "{:?}", simulation.executions());
        prop_assert_eq!(truth.attempts, truth.attempts_ended, "{:?}", backlog);
        prop_assert!(simulation.laws().is_ok());
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_negative(plan in plan()) {
        let mut simulation = start(&plan);
        for step in 0..60 {
            simulation.advance(second(step * 10)).expect("no limit");
            let laws = simulation.laws();
            prop_assert!(laws.is_ok(), "{:?} at {}", laws, simulation.now());
            for (index, member) in simulation.members().iter().enumerate() {
                if member.port() == Port::Refused {
                    continue;
                }
                for family in families(&exposition(&simulation, index)) {
                    for (line, value) in family.series.iter().zip(&family.values) {
                        let may_be_negative = family.name == "jvm_memory_max_bytes";
                        let value: f64 = value.parse().unwrap_or(f64::NAN);
                        prop_assert!(value >= 0.0 || may_be_negative, "{} is {} at {}", line, value, simulation.now());
                    }
                }
            }
        }
    }

    /// Endpoints that show the same thing say the same at the same instant.
    #[test]
    fn worker_scheduler_and_metrics_agree(plan in plan(), at in 0u64..600_000) {
        // The lines are known by the names and labels of what ships.
        let plan = Arc::new(Plan { settings: Settings::default(), ..Plan::clone(&plan) });
        let mut simulation = start(&plan);
        simulation.advance(Instant::START + Duration::milliseconds(at)).expect("no limit");
        let now = simulation.now();
        for (index, member) in simulation.members().iter().enumerate() {
            let get = |path: &str| match answer(&Request::get(path, now), &simulation, index) {
                Outcome::Answer(answer) if answer.status == 200 => match answer.body {
                    Body::Sized(body) => serde_json::from_slice::<serde_json::Value>(&body).ok(),
                    _ => None,
                },
                _ => None,
            };
            let shown = |line: &str| {
                let families = families(&exposition(&simulation, index));
                families.iter().find_map(|family| {
                    let at = family.series.iter().position(|series| series == line)?;
                    family.values[at].parse::<f64>().ok()
                })
            };
            let controlled = member.profile().name() == "2.0";
            if let Some(worker) = get("/worker") {
                let listed = worker["runnings"].as_array().map_or(0, Vec::len);
                let line = if controlled { "kestra_worker_running_count{worker_group=\"default\"}" } else { "kestra_worker_job_running" };
                prop_assert_eq!(Some(listed as f64), shown(line), "{} at {}", member.plan().name, now);
                let tasks = worker["runnings"].as_array().into_iter().flatten().filter(|one| one["type"] == "task").count();
                prop_assert_eq!(worker["runningCount"].as_u64(), Some(tasks as u64));
            }
            if let Some(scheduler) = get("/scheduler") {
                let listed = scheduler["schedulable"].as_array().map_or(0, Vec::len);
                prop_assert_eq!(scheduler["schedulableCount"].as_u64(), Some(listed as u64));
                let all = plan.flows.iter().filter(|flow| !flow.disabled).flat_map(|flow| &flow.triggers);
                let evaluated = all.filter(|trigger| matches!(trigger.action, TriggerAction::Schedule(_) | TriggerAction::Poll { .. })).count();
                let fits = if controlled { listed <= evaluated } else { listed == evaluated };
                prop_assert!(fits, "{listed} of {evaluated}");
            }
            // The two ways to read one meter.
            for (dotted, line) in [("process.uptime", "process_uptime_seconds"), ("jvm.threads.live", "jvm_threads_live_threads")] {
                if let Some(metric) = get(&format!("/metrics/{dotted}")) {
                    prop_assert_eq!(metric["measurements"][0]["value"].as_f64(), shown(line), "{}", dotted);
                }
            }
            if controlled && member.port() == Port::Open && matches!(member.role(), Role::Standalone | Role::Controller) {
                let of = |name: &str, label: &str| shown(&format!("kestra_controller_{name}{{{label}=\"default\"}}")).unwrap_or(-1.0);
                let (inflight, capacity) = (of("job_inflight", "worker_queue"), of("capacity_shared_allocated", "worker_group"));
                prop_assert!(inflight >= 0.0 && inflight <= capacity, "{} of {}", inflight, capacity);
                prop_assert_eq!(inflight, of("capacity_shared_used", "worker_group"));
                // Nobody leaves, and nothing goes on, that has not come and paused before; one resumption is there at start.
                let counted = |name: &str| shown(&format!("kestra_controller_{name}")).unwrap_or(0.0);
                let left = counted("worker_unregistered_total{worker_group=\"default\",worker_queue=\"default\"}");
                let came = counted("worker_registered_total{worker_group=\"default\",worker_queue=\"default\"}");
                prop_assert!(came - left >= of("worker_active", "worker_queue"), "{} came, {} left", came, left);
                let (paused, resumed) = (of("subscription_paused_total", "worker_queue").max(0.0), of("subscription_resumed_total", "worker_queue"));
                prop_assert!(resumed - 1.0 <= paused, "{} resumed of {}", resumed, paused);
            }
        }
    }

    #[test]
    fn the_same_plan_and_seed_give_the_same_bytes_however_one_gets_there(plan in plan(), looks in prop::collection::vec(0u64..600_000, 1..12)) {
        let mut straight = start(&plan);
        straight.advance(second(600)).expect("no limit");
        let mut looked_at = start(&plan);
        let mut looks = looks;
        looks.sort_unstable();
        for at in looks {
            looked_at.advance(Instant::START + Duration::milliseconds(at)).expect("no limit");
            std::hint::black_box(picture(&looked_at));
        }
        looked_at.advance(second(600)).expect("no limit");
        prop_assert_eq!(picture(&straight), picture(&looked_at));
    }

    #[test]
    fn counters_never_fall_within_a_life(plan in plan()) {
        let mut simulation = start(&plan);
        let mut last: BTreeMap<(usize, u32, String), f64> = BTreeMap::new();
        for step in 0..120 {
            simulation.advance(second(step * 5)).expect("no limit");
            for index in 0..simulation.members().len() {
                let life = simulation.members()[index].life();
                if simulation.members()[index].port() == Port::Refused {
                    continue;
                }
                for family in families(&exposition(&simulation, index)) {
                    if family.kind == "gauge" {
                        continue;
                    }
                    for (line, value) in family.series.into_iter().zip(family.values) {
                        let value: f64 = value.parse().unwrap_or(f64::NAN);
                        let before = last.insert((index, life, line.clone()), value).unwrap_or(0.0);
                        prop_assert!(value >= before, "{} fell from {} to {} at {}", line, before, value, simulation.now());
                    }
                }
            }
        }
    }

    #[test]
    fn a_fault_from_outside_gives_the_bytes_of_the_same_fault_in_the_file(plan in plan()) {
        let mut written = start(&plan);
        let mut by_hand = {
            let mut bare = Plan::clone(&plan);
            bare.timeline.clear();
            start(&Arc::new(bare))
        };
        let mut entries = plan.timeline.clone();
        entries.sort_by_key(|entry| entry.at);
        for entry in entries {
            by_hand.advance(entry.at).expect("no limit");
            by_hand.command(Command::Inject(entry)).expect("possible");
        }
        written.advance(second(600)).expect("no limit");
        by_hand.advance(second(600)).expect("no limit");
        prop_assert_eq!(picture(&written), picture(&by_hand));
    }

    #[test]
    fn until_a_fault_begins_everything_is_as_without_it(plan in plan()) {
        let Some(first) = plan.timeline.iter().map(|entry| entry.at).min() else { return Ok(()) };
        let mut calm = Plan::clone(&plan);
        calm.timeline.clear();
        let (mut with, mut without) = (start(&plan), start(&Arc::new(calm)));
        let before = first.before(Duration::nanoseconds(1));
        with.advance(before).expect("no limit");
        without.advance(before).expect("no limit");
        prop_assert_eq!(picture(&with), picture(&without));
    }
}

/// A flow of one task of two seconds that may run once at a time, and is asked for once a second.
fn limited(limit: u32, seed: u64) -> u64 {
    let text = format!(
        "name: x\ncluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: {{ count: 2, threads: 8 }} }} }}\n\
         flows:\n  - id: f\n    namespace: n\n    concurrency: {{ limit: {limit}, behavior: QUEUE }}\n\
         \x20   tasks: [ {{ id: t, type: io.kestra.plugin.scripts.shell.Commands }} ]\n\
         behaviour: [ {{ task: t, duration: 2s }} ]\narrivals: [ {{ flow: f, rate: 60/min }} ]\n"
    );
    let plan = mock_kestra::scenario::read("x.yaml", &text, &mock_kestra::scenario::NoFiles).0.expect("a plan");
    let mut simulation = Simulation::new(Arc::new(plan), Seed(seed), Calendar::default());
    let mut most = 0;
    for step in 0..30 * 60 * 2 {
        simulation.advance(Instant::START + Duration::milliseconds(step * 500)).expect("no limit");
        most = most.max(simulation.members().iter().map(|member| member.running() as u64).sum());
    }
    assert!(simulation.truth().queued > 0, "more come than there is room for");
    most
}

#[test]
fn a_concurrency_limit_is_never_exceeded() {
    for seed in 1..=10 {
        assert_eq!(limited(1, seed), 1, "seed {seed}");
    }
    assert_eq!(limited(3, 1), 3);
}
